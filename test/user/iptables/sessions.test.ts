/*
 * Sessions of commands against what real iptables 1.8.9 (legacy) answered (sessions.json, by record.py).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { restore_args } from '../../../src/user/iptables/iptables-restore.ts';
import {
	ipt_rig,
	iptables,
	type Output,
	type Rig,
	restore,
	save,
	with_globals,
} from '../../net/netfilter/iptables/rig.ts';

interface Step {
	argv: string[];
	stdin: string | null;
	status: number;
	stdout: string;
	stderr: string;
}

const recorded: { name: string; steps: Step[] }[] = JSON.parse(
	readFileSync(`${import.meta.dirname}/sessions.json`, 'utf8'),
);

/** The wall clock and the recording's names of the programs. */
function plain(s: string): string {
	return s
		.replace(/ on \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n/g, ' on DATE\n')
		.replace(/iptables-legacy/g, 'iptables')
		.replace(/\r/g, '');
}

function run(r: Rig, step: Step): Output {
	const [prog, ...args] = step.argv;
	if (prog === 'iptables') return iptables(r, args);
	if (prog === 'iptables-save') return save(r, args);
	let parsed: ReturnType<typeof restore_args> = 0;
	const said = with_globals(r, 'iptables-restore', (x) => {
		parsed = restore_args(x, step.argv);
		return typeof parsed === 'number' ? parsed : 0;
	});
	const got = parsed as ReturnType<typeof restore_args>;
	if (typeof got === 'number') return said;
	if (got.file !== null) return { status: 1, out: '', err: `Can't open ${got.file}: No such file or directory\n` };
	return restore(r, step.stdin ?? '', got.options);
}

describe('sessions as real iptables answers them', () => {
	test.each(recorded.map((s) => [s.name, s] as const))('%s', (_name, session) => {
		const r = ipt_rig();
		for (const step of session.steps) {
			const got = run(r, step);
			const line = step.argv.join(' ') + (step.stdin !== null ? ` <<EOF\n${step.stdin}EOF` : '');
			expect(`$ ${line}\n${plain(got.out)}${plain(got.err)}= ${got.status}`).toBe(
				`$ ${line}\n${plain(step.stdout)}${plain(step.stderr)}= ${step.status}`,
			);
		}
	});
});
