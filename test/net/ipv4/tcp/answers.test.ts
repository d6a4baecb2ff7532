/*
 * test/net/ipv4/tcp/answers.test.ts: what system calls on TCP sockets answer, and what is counted, as recorded from Linux (answers.py).
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { type Host, World } from '../../../../src/lab/index.ts';
import { type socket, sockfd_lookup } from '../../../../src/net/socket.ts';
import * as errno from '../../../../src/uapi/asm-generic/errno.ts';
import { AF_INET, AF_UNSPEC, msghdr, SOCK_NONBLOCK, SOCK_STREAM, sockaddr } from '../../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../../src/user/libc.ts';
import { at } from './lab.ts';

type Answer = number | string | Answer[] | { [field: string]: number };

interface Recording {
	rows: Record<string, { out: Answer[]; counters: Record<string, number> }>;
}

const recording = JSON.parse(readFileSync(resolve(import.meta.dirname, 'answers.linux.json'), 'utf8')) as Recording;

const LEVEL: Record<string, number> = { SOL_SOCKET: 1, SOL_TCP: 6, SOL_IP: 0 };
const FLAG: Record<string, number> = { OOB: 1, PEEK: 2, TRUNC: 0x20, WAITALL: 0x100, MORE: 0x8000, EOR: 0x80 };
const IOCTL: Record<string, number> = { INQ: 0x541b, OUTQ: 0x5411, ATMARK: 0x8905, OUTQNSD: 0x894b };

/** Offset and size of TCP_INFO's fields that do not depend on time. As in answers.py. */
const INFO: [string, number, number][] = Array.from(
	readFileSync(resolve(import.meta.dirname, 'answers.py'), 'utf8').matchAll(/\('(\w+)', (\d+), (\d+)\)/g),
	(m): [string, number, number] => [m[1], Number(m[2]), Number(m[3])],
);

function scenarios(): Map<string, string[]> {
	const out = new Map<string, string[]>();
	let lines: string[] = [];
	for (const raw of readFileSync(resolve(import.meta.dirname, 'answers.txt'), 'utf8').split('\n')) {
		const line = raw.trim();
		if (line.startsWith('== ')) {
			lines = [];
			out.set(line.slice(3), lines);
		} else if (line !== '' && !line.startsWith('#')) lines.push(line);
	}
	return out;
}

const NAMES = new Map(Object.entries(errno).map(([name, v]) => [v as number, name]));

function answer(r: number): Answer {
	return r < 0 ? (NAMES.get(-r) ?? String(r)) : r;
}

function text(b: Uint8Array): string {
	const t = new TextDecoder('latin1').decode(b);
	return t.length > 40 ? `${t.slice(0, 8)}... ${t.length}` : t;
}

function hex(b: Uint8Array): string {
	return [...b].map((v) => v.toString(16).padStart(2, '0')).join('');
}

function flags(word: string | undefined): number {
	let f = 0;
	for (const x of word === undefined ? [] : word.split('|')) f |= FLAG[x];
	return f;
}

function counters(h: Host): Map<string, number> {
	const out = new Map<string, number>();
	for (const file of ['snmp', 'netstat']) {
		const rows = String(proc_net_read(h.machine.init_net, file)).split('\n');
		for (let i = 0; i + 1 < rows.length; i += 2) {
			const names = rows[i].split(' ');
			const values = rows[i + 1].split(' ');
			if (names[0] !== 'Tcp:' && names[0] !== 'TcpExt:') continue;
			for (let k = 1; k < names.length; k++) out.set(names[0].slice(0, -1) + names[k], Number(values[k]));
		}
	}
	return out;
}

class Run {
	private p: Process;
	private fds = new Map<string, number>();

	constructor(p: Process) {
		this.p = p;
	}

	private sock(name: string): socket {
		return sockfd_lookup(this.p.task, this.fds.get(name)!) as socket;
	}

	private opt(name: string, level: number, opt: number, len: number): Uint8Array | number {
		const b = new Uint8Array(len);
		const r = this.p.getsockopt(this.fds.get(name)!, level, opt, b);
		return r < 0 ? r : b.subarray(0, r);
	}

	async line(w: string[]): Promise<Answer> {
		const p = this.p;
		const [op, ...a] = w;
		const fd = this.fds.get(a[0]) ?? -1;
		switch (op) {
			case 'sock':
				this.fds.set(a[0], p.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
				return 0;
			case 'bind':
				return answer(p.bind(fd, at(a[1], Number(a[2]))));
			case 'listen':
				return answer(p.listen(fd, Number(a[1])));
			case 'connect':
				return answer(await p.connect(fd, at(a[1], Number(a[2]))));
			case 'disconnect':
				return answer(await p.connect(fd, new sockaddr(AF_UNSPEC)));
			case 'accept': {
				const c = await p.accept(fd, null);
				if (c < 0) return answer(c);
				this.fds.set(a[1], c);
				this.sock(a[1]).nonblock = true;
				return 0;
			}
			case 'pair':
				for (const l of [
					'sock _l',
					'bind _l 127.0.0.1 80',
					'listen _l 5',
					`sock ${a[0]}`,
					`connect ${a[0]} 127.0.0.1 80`,
				])
					await this.line(l.split(' '));
				await p.sleep(20);
				await this.line(['accept', '_l', a[1]]);
				return this.line(['close', '_l']);
			case 'send': {
				const m = /^(.)\*(\d+)$/.exec(a[1]);
				const data = new TextEncoder().encode(m !== null ? m[1].repeat(Number(m[2])) : a[1]);
				return answer(await p.sendmsg(fd, new msghdr(data), flags(a[2])));
			}
			case 'recv':
			case 'recvc': {
				const m = new msghdr(new Uint8Array(Number(a[1])));
				const n = await p.recvmsg(fd, m, flags(a[2]));
				if (n < 0) return answer(n);
				if ((flags(a[2]) & FLAG.TRUNC) !== 0) return n;
				const t = text(m.msg_iov.subarray(0, n));
				return op === 'recv' ? t : [t, m.msg_control.map((c) => [c.level, c.type, hex(c.data)]), m.msg_flags];
			}
			case 'shutdown':
				return answer(p.shutdown(fd, ['RD', 'WR', 'RDWR'].indexOf(a[1])));
			case 'close':
				return answer(p.close(fd));
			case 'set': {
				const v = a[3].length === 16 ? Uint8Array.from(a[3].match(/../g)!, (x) => parseInt(x, 16)) : Number(a[3]);
				return answer(p.setsockopt(fd, LEVEL[a[1]], Number(a[2]), v));
			}
			case 'sets':
				return answer(p.setsockopt(fd, LEVEL[a[1]], Number(a[2]), new TextEncoder().encode(a[3])));
			case 'opt': {
				const b = this.opt(a[0], LEVEL[a[1]], Number(a[2]), Number(a[3]));
				return typeof b === 'number' ? answer(b) : hex(b);
			}
			case 'poll':
				return this.sock(a[0]).poll() & 0x23ff;
			case 'ioctl': {
				const b = new Uint8Array(4);
				const r = p.ioctl(fd, IOCTL[a[1]], b);
				return r < 0 ? answer(r) : new DataView(b.buffer).getInt32(0, true);
			}
			case 'state':
				return (this.opt(a[0], 6, 11, 1) as Uint8Array)[0];
			case 'info': {
				const b = this.opt(a[0], 6, 11, 280) as Uint8Array;
				const out: { [field: string]: number } = {};
				for (const [name, offset, size] of INFO) {
					let v = 0;
					for (let i = size - 1; i >= 0; i--) v = v * 256 + b[offset + i];
					out[name] = v;
				}
				return out;
			}
			case 'name': {
				const own = at('0.0.0.0', 0);
				const peer = at('0.0.0.0', 0);
				p.getsockname(fd, own);
				const r = p.getpeername(fd, peer);
				if (r < 0) return answer(r);
				return [own, peer].map((s) => [
					[24, 16, 8, 0].map((n) => (s.sin_addr >>> n) & 255).join('.'),
					s.sin_port < 1025 ? s.sin_port : '*',
				]);
			}
			case 'wait':
				await p.sleep(Number(a[0]));
				return 0;
		}
		throw new Error(`no such command: ${op}`);
	}
}

describe('answers', () => {
	for (const [title, lines] of scenarios()) {
		test(title, async () => {
			const want = recording.rows[title];
			const world = new World({ seed: 5 });
			const h = world.host('h');
			const before = counters(h);
			const out: string[] = [];
			let after = before;
			await h.process('answers', async (p) => {
				const r = new Run(p);
				for (const line of lines) {
					out.push(`${line}: ${JSON.stringify(await r.line(line.split(' ')))}`);
					await p.sleep(50);
				}
				after = counters(h);
			});
			expect(out).toEqual(want.out.map((o, i) => `${lines[i]}: ${JSON.stringify(o)}`));
			const diff: Record<string, number> = {};
			for (const [k, v] of after) if (v !== before.get(k)) diff[k] = v - before.get(k)!;
			expect(diff).toEqual(want.counters);
		});
	}
});
