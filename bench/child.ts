/*
 * bench/child.ts: work that is measured in a process of its own, whose memory is then its alone.
 */
import { execFileSync } from 'node:child_process';

/** Runs `bench --child name` and gives the numbers that it prints. */
export function inChild(name: string, args: string[] = []): Record<string, number> {
	const out = execFileSync(process.execPath, ['--expose-gc', process.argv[1], '--child', name, ...args], {
		encoding: 'utf8',
		maxBuffer: 1 << 24,
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	return JSON.parse(out) as Record<string, number>;
}
