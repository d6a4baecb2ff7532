/*
 * test/net/ipv4/tcp/exchange.test.ts: segments in, segments out: handshakes, TIME_WAIT, resets, cookies, ICMP, as real Linux answered
 * (recorded/exchange.py plays the same scripts through a TUN device).
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tun_create, tun_do_read, type tun_file, tun_get_user } from '../../../../src/drivers/net/tun.ts';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { type Host, World } from '../../../../src/lab/index.ts';
import { csum_fold, csum_partial, csum_tcpudp_magic } from '../../../../src/lib/checksum.ts';
import { drop_reason_name } from '../../../../src/net/core/dropreason.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { AF_INET, msghdr, SOCK_NONBLOCK, SOCK_STREAM } from '../../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../../src/user/libc.ts';
import { at } from './lab.ts';

interface Step {
	op: string;
	[key: string]: unknown;
}

interface Answer {
	steps: [number, string[]][];
	drops: string[];
	counters: Record<string, number>;
}

const dir = new URL('recorded/', import.meta.url);
const scripts: { name: string; steps: Step[] }[] = JSON.parse(
	readFileSync(new URL('exchange_scripts.json', dir), 'utf8'),
);
const linux: Record<string, Answer> = JSON.parse(readFileSync(new URL('exchange.linux.json', dir), 'utf8'));

const HOST = '192.0.2.1';
const PEER = '192.0.2.2';
const BASE = 1000000;

function num(s: Step, key: string, otherwise: number): number {
	return key in s ? Number(s[key]) : otherwise;
}

function str(s: Step, key: string, otherwise: string): string {
	return key in s ? String(s[key]) : otherwise;
}

function u16(v: number): number[] {
	return [(v >>> 8) & 255, v & 255];
}

function u32(v: number): number[] {
	return [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
}

function bytes(hex: string): number[] {
	return (hex.match(/../g) ?? []).map((h) => Number.parseInt(h, 16));
}

function int32le(v: number): Uint8Array {
	return new Uint8Array([v, v >>> 8, v >>> 16, v >>> 24]);
}

/** Where a signature goes. */
const MARK = 75;

function v32(b: Uint8Array, o: number): number {
	return new DataView(b.buffer, b.byteOffset).getUint32(o);
}

/** RFC 2385 2.0. */
function sign(src: number, dst: number, tcp: Uint8Array, key: string): Buffer {
	const doff = (tcp[12] >> 4) * 4;
	const head = new Uint8Array(tcp.subarray(0, 20));
	head[16] = 0;
	head[17] = 0;
	return createHash('md5')
		.update(new Uint8Array([...u32(src), ...u32(dst), 0, 6, ...u16(tcp.length)]))
		.update(head)
		.update(tcp.subarray(doff))
		.update(key)
		.digest();
}

class Run {
	isn: Map<string, number> = new Map();
	ts: Map<string, number> = new Map();
	socks: Map<string, number> = new Map();
	cookie: number[] = [];
	host: Host;
	tun: tun_file;
	p: Process;

	constructor(host: Host, tun: tun_file, p: Process) {
		this.host = host;
		this.tun = tun;
		this.p = p;
	}

	options(list: readonly string[], key: string): number[] {
		const out: number[] = [];
		for (const word of list) {
			const w = word.split(' ');
			if (w[0] === 'mss') out.push(2, 4, ...u16(Number(w[1])));
			else if (w[0] === 'nop') out.push(1);
			else if (w[0] === 'eol') out.push(0);
			else if (w[0] === 'sack') out.push(4, 2);
			else if (w[0] === 'ws') out.push(3, 3, Number(w[1]));
			else if (w[0] === 'ts') {
				const e = w[2][0] === '=' ? (this.ts.get(key) ?? 0) + Number(w[2].slice(1)) : Number(w[2]);
				out.push(8, 10, ...u32(Number(w[1])), ...u32(e));
			} else if (w[0] === 'fo') out.push(34, 2 + (w[1] ?? '').length / 2, ...bytes(w[1] ?? ''));
			else if (w[0] === 'fo=') out.push(34, 10, ...this.cookie);
			else if (w[0] === 'md5') out.push(19, 18, ...new Array(16).fill(w.length > 1 ? MARK : 0));
			else out.push(...bytes(w[1]));
		}
		while (out.length % 4 !== 0) out.push(0);
		return out;
	}

	segment(s: Step): Uint8Array {
		const sport = num(s, 'sport', 5000);
		const dport = num(s, 'dport', 80);
		const key = `${sport} ${dport}`;
		const opt = this.options((s.opts as string[] | undefined) ?? [], key);
		let flags = 0;
		for (const c of str(s, 'f', '')) flags |= 1 << 'FSRPAUEC'.indexOf(c);
		const ack = 'ack' in s ? ((this.isn.get(key) ?? 0) + Number(s.ack)) >>> 0 : 0;
		const tcp = [
			...u16(sport),
			...u16(dport),
			...u32(BASE + num(s, 'seq', 0)),
			...u32(ack),
			num(s, 'doff', 5 + opt.length / 4) << 4,
			flags,
			...u16(num(s, 'win', 65535)),
			0,
			0,
			...u16(num(s, 'urg', 0)),
			...opt,
			...new Array(num(s, 'len', 0)).fill(120),
		];
		const src = ip_pton(str(s, 'src', PEER));
		const dst = ip_pton(str(s, 'dst', HOST));
		const b = new Uint8Array(tcp);
		const signed = ((s.opts as string[] | undefined) ?? []).find((w) => w.startsWith('md5 '));
		if (signed !== undefined) b.set(sign(src, dst, b, signed.split(' ')[1]), b.indexOf(MARK, 20));
		const sum = csum_tcpudp_magic(src, dst, b.length, 6, csum_partial(b, 0, b.length, 0)) ^ num(s, 'badsum', 0);
		b[16] = sum >>> 8;
		b[17] = sum;
		return this.ip(6, b, num(s, 'ttl', 64), num(s, 'tos', 0), src, dst);
	}

	ip(proto: number, payload: Uint8Array, ttl = 64, tos = 0, src = ip_pton(PEER), dst = ip_pton(HOST)): Uint8Array {
		const h = new Uint8Array([
			0x45,
			tos,
			...u16(20 + payload.length),
			0,
			7,
			0x40,
			0,
			ttl,
			proto,
			0,
			0,
			...u32(src),
			...u32(dst),
		]);
		const sum = csum_fold(csum_partial(h, 0, 20, 0));
		h[10] = sum >>> 8;
		h[11] = sum;
		const out = new Uint8Array(20 + payload.length);
		out.set(h);
		out.set(payload, 20);
		return out;
	}

	icmp(s: Step): Uint8Array {
		const sport = num(s, 'sport', 80);
		const dport = num(s, 'dport', 5000);
		const seq = (this.isn.get(`${dport} ${sport}`) ?? 0) + num(s, 'seq', 0);
		const quoted = [0x45, 0, 0, 40, 0, 1, 0x40, 0, 63, 6, 0, 0, ...u32(ip_pton(HOST)), ...u32(ip_pton(PEER))];
		const m = new Uint8Array([
			...[num(s, 'type', 0), num(s, 'code', 0), 0, 0, 0, 0],
			...u16(num(s, 'mtu', 0)),
			...quoted,
			...u16(sport),
			...u16(dport),
			...u32(seq),
		]);
		const sum = csum_fold(csum_partial(m, 0, m.length, 0));
		m[2] = sum >>> 8;
		m[3] = sum;
		return this.ip(1, m);
	}

	describe(p: Uint8Array): string {
		const ihl = (p[0] & 15) * 4;
		let text = (p[6] & 0x40) !== 0 ? 'df ' : '';
		if (p[1] !== 0) text += `tos ${p[1]} `;
		if (p[8] !== 64) text += `ttl ${p[8]} `;
		if (p[9] !== 6) return `${text}proto ${p[9]} type ${p[ihl]} code ${p[ihl + 1]}`;
		const v = new DataView(p.buffer, p.byteOffset + ihl, p.length - ihl);
		const sport = v.getUint16(0);
		const dport = v.getUint16(2);
		const seq = v.getUint32(4);
		const doff = (v.getUint8(12) >> 4) * 4;
		const fl = v.getUint8(13);
		const key = `${dport} ${sport}`;
		const names = [...'FSRPAUEC'].filter((_, i) => (fl & (1 << i)) !== 0).join('');
		if (names.includes('S')) this.isn.set(key, seq);
		const rel = seq === 0 ? 'zero' : this.isn.has(key) ? (seq - this.isn.get(key)!) | 0 : seq;
		text += `${names} ${sport}:${dport} seq ${rel}`;
		if ((fl & 16) !== 0) text += ` ack ${(v.getUint32(8) - BASE) >>> 0}`;
		text += ` win ${v.getUint16(14)}`;
		if (v.byteLength > doff) text += ` len ${v.byteLength - doff}`;
		for (let o = 20; o < doff; ) {
			const kind = v.getUint8(o);
			if (kind === 0) return `${text} eol`;
			if (kind === 1) {
				text += ' nop';
				o++;
				continue;
			}
			const len = v.getUint8(o + 1);
			if (kind === 2) text += ` mss ${v.getUint16(o + 2)}`;
			else if (kind === 3) text += ` ws ${v.getUint8(o + 2)}`;
			else if (kind === 4) text += ' sackOK';
			else if (kind === 5) {
				const blocks: string[] = [];
				for (let q = o + 2; q < o + len; q += 8)
					blocks.push(`${(v.getUint32(q) - BASE) >>> 0}:${(v.getUint32(q + 4) - BASE) >>> 0}`);
				text += ` sack ${blocks.join(',')}`;
			} else if (kind === 8) {
				this.ts.set(key, v.getUint32(o + 2));
				text += ` ts ecr ${v.getUint32(o + 6)}`;
			} else if (kind === 34) {
				if (len > 2) this.cookie = [...p.subarray(ihl + o + 2, ihl + o + len)];
				text += ` fo ${len - 2}`;
			} else if (kind === 19) {
				const want = sign(v32(p, 12), v32(p, 16), p.subarray(ihl), 'secret');
				text += want.equals(p.subarray(ihl + o + 2, ihl + o + 18)) ? ' md5 good' : ' md5 bad';
			} else text += ` opt${kind}`;
			o += len;
		}
		return text;
	}

	opts(fd: number, s: Step): void {
		const set = (level: number, name: number, v: Uint8Array | number): void => {
			const r = this.p.setsockopt(fd, level, name, typeof v === 'number' ? int32le(v) : v);
			if (r < 0) throw new Error(`setsockopt ${level} ${name}: ${r}`);
		};
		if ('defer' in s) set(6, 9, num(s, 'defer', 0));
		if ('fastopen' in s) set(6, 23, num(s, 'fastopen', 0));
		if ('minttl' in s) set(0, 21, num(s, 'minttl', 0));
		if ('recverr' in s) set(0, 11, 1);
		if ('mss' in s) set(6, 2, num(s, 'mss', 0));
		if ('rcvbuf' in s) set(1, 8, num(s, 'rcvbuf', 0));
		if ('md5' in s) {
			const key = new TextEncoder().encode(str(s, 'md5', ''));
			const b = new Uint8Array(216);
			b[0] = 2;
			b.set(u32(ip_pton(PEER)), 4);
			b[130] = key.length;
			b.set(key, 136);
			set(6, 14, b);
		}
	}

	socket(s: Step): number {
		const fd = this.p.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		this.p.setsockopt(fd, 1, 2, int32le(1));
		this.opts(fd, s);
		return fd;
	}

	async step(s: Step): Promise<[number, string[]]> {
		const r = await this.act(s);
		await this.p.sleep(num(s, 'ms', 0) + 25);
		const out: string[] = [];
		for (let got = tun_do_read(this.tun); got !== null; got = tun_do_read(this.tun))
			out.push(this.describe(got.packet));
		return [r, out];
	}

	async act(s: Step): Promise<number> {
		const { p } = this;
		const fd = this.socks.get(str(s, 'what', 'c')) ?? -1;
		switch (s.op) {
			case 'in':
				tun_get_user(this.tun, this.segment(s));
				return 0;
			case 'icmp':
				tun_get_user(this.tun, this.icmp(s));
				return 0;
			case 'listen': {
				const l = this.socket(s);
				this.socks.set(str(s, 'as', 'l'), l);
				const err = p.bind(l, at('0.0.0.0', num(s, 'port', 80)));
				return err < 0 ? err : p.listen(l, num(s, 'backlog', 5));
			}
			case 'connect': {
				const c = this.socket(s);
				this.socks.set(str(s, 'as', 'c'), c);
				const err = p.bind(c, at(HOST, num(s, 'port', 80)));
				return err < 0 ? err : p.connect(c, at(PEER, num(s, 'to', 5000)));
			}
			case 'accept': {
				const c = await p.accept(this.socks.get('l')!, null);
				if (c < 0) return c;
				this.socks.set(str(s, 'as', 'c'), c);
				return 0;
			}
			case 'close':
				this.socks.delete(str(s, 'what', 'c'));
				return p.close(fd);
			case 'shutdown':
				return p.shutdown(fd, num(s, 'how', 1));
			case 'send':
				return p.sendmsg(fd, new msghdr(new Uint8Array(num(s, 'len', 0)).fill(121)), 0);
			case 'recv':
				return p.recvmsg(fd, new msghdr(new Uint8Array(65536)), 0x40);
			case 'soerr': {
				const b = new Uint8Array(4);
				p.getsockopt(fd, 1, 4, b);
				return b[0];
			}
			case 'sysctl':
				return (await this.host.sh(`sysctl -qw ${s.name}=${s.value}`)).exitCode;
			default:
				return 0;
		}
	}
}

function counters(h: Host): Record<string, number> {
	const out: Record<string, number> = {};
	for (const file of ['snmp', 'netstat']) {
		const lines = String(proc_net_read(h.machine.init_net, file)).split('\n');
		for (let i = 0; i + 1 < lines.length; i += 2) {
			const n = lines[i].split(' ');
			const v = lines[i + 1].split(' ');
			if (n[0] === 'Tcp:' || n[0] === 'TcpExt:')
				for (let k = 1; k < n.length; k++) out[n[0].slice(0, -1) + n[k]] = Number(v[k]);
		}
	}
	return out;
}

async function play(steps: readonly Step[]): Promise<Answer> {
	const world = new World({ seed: 7 });
	const h = world.host('h');
	const tun = tun_create(h.machine.init_net, 'tun0');
	if (typeof tun === 'number') throw new Error('no TUN');
	await h.must(
		'ip addr add 192.0.2.1/24 dev tun0; ip link set tun0 up; ip link set lo up; ethtool -K tun0 tso off; sysctl -qw net.ipv4.icmp_ratelimit=0',
	);
	const drops: string[] = [];
	h.machine.kfree_skb_probe = (_skb, reason, location) => {
		if (/^(tcp_|cookie_|__ip|sk_|inet_|reqsk|ip_|icmp)/.test(location))
			drops.push(`${location} ${drop_reason_name(reason)}`);
	};
	const before = counters(h);
	const out: [number, string[]][] = [];
	await h.process('exchange', async (p) => {
		const run = new Run(h, tun, p);
		for (const s of steps) out.push(await run.step(s));
		const after = counters(h);
		for (const k of Object.keys(after)) after[k] -= before[k];
		for (const k of Object.keys(after)) if (after[k] === 0) delete after[k];
		Object.assign(before, { result: after });
		h.machine.kfree_skb_probe = null;
		for (const fd of run.socks.values()) p.close(fd);
	});
	return {
		steps: out,
		drops: drops.sort(),
		counters: (before as unknown as { result: Record<string, number> }).result,
	};
}

/** The reference kernel's compiler puts some functions into others: a drop bears the outer one's name, here the inner one's. */
function outer(drops: readonly string[]): string {
	const names = drops.map((d) =>
		d.replace(/^(tcp_rcv_synsent_state_process|tcp_data_queue) /, 'tcp_rcv_state_process '),
	);
	return JSON.stringify(names.sort());
}

/** Side by side, what differs. */
function differences(want: Answer, got: Answer, steps: readonly Step[]): string[] {
	const bad: string[] = [];
	want.steps.forEach((w, i) => {
		const g = got.steps[i];
		if (JSON.stringify(w) !== JSON.stringify(g))
			bad.push(`${i} ${JSON.stringify(steps[i])}\n    linux  ${JSON.stringify(w)}\n    linnet ${JSON.stringify(g)}`);
	});
	if (outer(want.drops) !== outer(got.drops))
		bad.push(`drops\n    linux  ${JSON.stringify(want.drops)}\n    linnet ${JSON.stringify(got.drops)}`);
	for (const k of new Set([...Object.keys(want.counters), ...Object.keys(got.counters)]))
		if ((want.counters[k] ?? 0) !== (got.counters[k] ?? 0))
			bad.push(`${k}: linux ${want.counters[k] ?? 0}, linnet ${got.counters[k] ?? 0}`);
	return bad;
}

test.each(scripts.map((s) => [s.name, s.steps] as const))('%s', async (name, steps) => {
	expect(differences(linux[name], await play(steps), steps).join('\n')).toBe('');
});
