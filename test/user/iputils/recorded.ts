/*
 * Runs the sessions that record.py recorded from real Linux in a world of the same three hosts, and compares.
 */
import { readFileSync } from 'node:fs';
import type { Host } from '../../../src/lab/host.ts';
import { World } from '../../../src/lab/world.ts';

export interface Recorded {
	host: 'a' | 'r' | 'b';
	command: string;
	stdout: string;
	stderr: string;
	status: number;
}

export interface Row {
	world: World;
	a: Host;
	r: Host;
	b: Host;
}

/** a 10.0.1.2 - 10.0.1.1 r 10.0.2.1 - 10.0.2.2 b; each cable takes `delay` ms. */
export async function row(delay = 0): Promise<Row> {
	const world = new World({ seed: 1 });
	const [a, r, b] = ['a', 'r', 'b'].map((name) => world.host(name));
	world.link(a.nic('eth0'), r.nic('eth0'), { delay });
	world.link(r.nic('eth1'), b.nic('eth0'), { delay });
	for (const h of [a, r, b]) await h.must('ip link set lo up');
	await a.must('ip addr add 10.0.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.1.1');
	await r.must(
		'ip addr add 10.0.1.1/24 dev eth0; ip link set eth0 up; ip addr add 10.0.2.1/24 dev eth1; ip link set eth1 up',
	);
	await r.must('sysctl -qw net.ipv4.ip_forward=1');
	await b.must('ip addr add 10.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.1');
	return { world, a, r, b };
}

/** Sessions of a recording. */
export function recorded(url: URL): Recorded[] {
	return JSON.parse(readFileSync(url, 'utf8')) as Recorded[];
}

/** What depends on the clock and on chance becomes a letter. */
export function normalise(text: string): string {
	return text
		.replace(/time=[\d.]+ ms/g, 'time=T ms')
		.replace(/time \d+ms/g, 'time Tms')
		.replace(/= [\d./]+ ms/g, '= T ms')
		.replace(/ewma [\d./]+ ms/g, 'ewma T ms')
		.replace(/ {2}[\d.]+ ?ms/g, '  T ms')
		.replace(/ident=\d+/g, 'ident=X')
		.replace(/\d+ absolute/g, 'N absolute')
		.replace(/^\t(?:(\S+)\t)?\d$/gm, (_, addr?: string) => (addr === undefined ? '\tN' : `\t${addr}\tN`))
		.replace(/peer_ifindex: \d+/g, 'peer_ifindex: X');
}

export interface Shown {
	command: string;
	stdout: string;
	stderr: string;
	status: number;
}

/** Runs the sessions. Return: what real Linux showed, and what we show. */
export async function replay(sessions: readonly Recorded[]): Promise<{ linux: Shown[]; linnet: Shown[] }> {
	const hosts = await row();
	const linux: Shown[] = [];
	const linnet: Shown[] = [];
	for (const s of sessions) {
		const r = await hosts[s.host].sh(s.command);
		const command = `${s.host}: ${s.command}`;
		linux.push({ command, stdout: normalise(s.stdout), stderr: normalise(s.stderr), status: s.status });
		linnet.push({ command, stdout: normalise(r.stdout), stderr: normalise(r.stderr), status: r.exitCode });
	}
	return { linux, linnet };
}
