/*
 * test/net/ipv4/tcp/bind.test.ts: who may have which port beside whom: as real Linux said (recorded/bind.py).
 */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { World } from '../../../../src/lab/index.ts';
import { AF_INET, SO_REUSEADDR, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET } from '../../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../../src/user/libc.ts';
import { at } from './lab.ts';

interface Case {
	kind: 'two' | 'left' | 'client' | 'bound';
	o1: string;
	o2: string;
	l1: number;
	l2: number;
	a1: string;
	a2: string;
	tw: number;
	port: number;
	r: number[];
}

const cases: Case[] = JSON.parse(readFileSync(new URL('recorded/bind.linux.json', import.meta.url), 'utf8'));

function sock(p: Process, options = ''): number {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	const one = new Uint8Array([1, 0, 0, 0]);
	if (options.includes('r')) p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one);
	if (options.includes('p')) p.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one);
	return fd;
}

function two(p: Process, c: Case): number[] {
	const s1 = sock(p, c.o1);
	const s2 = sock(p, c.o2);
	const r = [p.bind(s1, at(c.a1, 4000))];
	if (c.l1) r.push(p.listen(s1, 5));
	const b2 = p.bind(s2, at(c.a2, 4000));
	r.push(b2);
	if (c.l2 && b2 === 0) {
		r.push(p.listen(s2, 5));
		if (!c.l1) r.push(p.listen(s1, 5));
	}
	p.close(s1);
	p.close(s2);
	return r;
}

async function left(p: Process, c: Case): Promise<number[]> {
	const l = sock(p, c.kind === 'left' ? c.o1 : '');
	p.bind(l, at('127.0.0.1', c.port));
	p.listen(l, 5);
	const cl = sock(p);
	await p.connect(cl, at('127.0.0.1', c.port));
	const a = await p.accept(l, null);
	const name = at('0.0.0.0', 0);
	p.getsockname(cl, name);
	if (c.kind === 'left') {
		p.close(l);
		if (c.tw) await p.close(a);
		if (c.tw) await p.close(cl);
	} else if (c.tw) {
		await p.close(cl);
		await p.close(a);
	}
	const s2 = sock(p, c.o2);
	const r = [p.bind(s2, at(c.a2, c.kind === 'left' ? c.port : name.sin_port))];
	if (r[0] === 0) r.push(p.listen(s2, 5));
	p.close(s2);
	if (c.kind === 'client') p.close(l);
	if (!c.tw) {
		await p.close(cl);
		await p.close(a);
	}
	return r;
}

async function bound(p: Process, c: Case): Promise<number[]> {
	const l = sock(p);
	p.bind(l, at('127.0.0.1', c.port));
	p.listen(l, 5);
	const s1 = sock(p, c.o1);
	const s2 = sock(p, c.o2);
	const r = [p.bind(s1, at(c.a1, c.port + 20000)), p.bind(s2, at(c.a2, c.port + 20000))];
	r.push(await p.connect(s1, at('127.0.0.1', c.port)));
	if (r[1] === 0) r.push(await p.connect(s2, at('127.0.0.1', c.port)));
	await p.close(s1);
	await p.close(s2);
	await p.close(l);
	return r;
}

test.each(['two', 'left', 'client', 'bound'] as const)('ports: %s', async (kind) => {
	const world = new World({ seed: 1 });
	const h = world.host('h');
	await h.must('ip link set lo up; ip addr add 10.9.9.1/24 dev lo');
	const bad: string[] = [];
	let count = 0;
	await h.process('ports', async (p) => {
		for (const c of cases) {
			if (c.kind !== kind) continue;
			count++;
			const r = kind === 'two' ? two(p, c) : kind === 'bound' ? await bound(p, c) : await left(p, c);
			if (JSON.stringify(r) !== JSON.stringify(c.r)) bad.push(`${JSON.stringify(c)}: ${JSON.stringify(r)}`);
		}
	});
	expect(count).toBeGreaterThan(15);
	expect(bad).toEqual([]);
});
