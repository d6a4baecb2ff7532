/*
 * test/net/ipv4/tcp/segments/segments.test.ts: what TCP answers to segments, counts and drops, as real Linux did (record.py).
 * Scenarios by hand (what each is about is its name) and at random: segments in, out of, before and beyond the window, overlapping, with odd
 * flags, options and time stamps, small buffers, reads. Times may differ by some ticks: Linux's own timers vary as much.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { proc_net_read } from '../../../../../src/fs/proc_net.ts';
import type { Host } from '../../../../../src/lab/index.ts';
import { drop_reason_name } from '../../../../../src/net/core/dropreason.ts';
import type { CallResult, Kernel } from '../../../../../src/packetdrill/kernel.ts';
import { withLinnetKernel } from '../../../../../src/packetdrill/linnet.ts';

interface Segment {
	flags: string;
	seq: number;
	ack?: number;
	len?: number;
	win?: number;
	urg?: number;
	tos?: number;
	opts?: { raw?: string; mss?: number; sackok?: number; ts?: [number, number | 'last']; ws?: number };
}

interface Step {
	t: number;
	op: string;
	seg?: Segment;
	n?: number;
	flags?: number;
	how?: number;
	backlog?: number;
	so?: number[] | number[][];
}

interface Outcome {
	out: [number, number, string][];
	res: [string, number | Record<string, number>][];
	cnt: Record<string, number>;
	drops: string[];
}

interface Scenario {
	name: string;
	sysctl?: Record<string, number>;
	steps: Step[];
	linux: Outcome;
}

const FLAG: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32, E: 64, W: 128, A: 256 };
const LOCAL = [192, 168, 0, 1];
const REMOTE = [192, 0, 2, 1];
/** ms: ticks, and how late a busy machine reads what left. */
const TOLERANCE = 15;

/** Offset and size of TCP_INFO's fields that do not depend on time, as record.py has them. */
const INFO: [string, number, number][] = Array.from(
	readFileSync(resolve(import.meta.dirname, 'record.py'), 'utf8').matchAll(/\('(\w+)', (\d+), (\d+)\)/g),
	(m): [string, number, number] => [m[1], Number(m[2]), Number(m[3])],
);

function be32(v: number): number[] {
	return [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
}

function csum(b: Uint8Array): number {
	let s = 0;
	for (let i = 0; i < b.length; i += 2) s += (b[i] << 8) | (b[i + 1] ?? 0);
	while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
	return ~s & 0xffff;
}

function counters(host: Host): Record<string, number> {
	const o: Record<string, number> = {};
	for (const f of ['snmp', 'netstat']) {
		const rows = String(proc_net_read(host.machine.init_net, f)).split('\n');
		for (let i = 0; i + 1 < rows.length; i += 2) {
			const k = rows[i].split(' ');
			const v = rows[i + 1].split(' ');
			if (k[0] !== 'Tcp:' && k[0] !== 'TcpExt:') continue;
			for (let j = 1; j < k.length; j++) o[k[0].slice(0, -1) + k[j]] = Number(v[j]);
		}
	}
	return o;
}

/** One scenario on a machine of ours. */
class Run {
	k: Kernel;
	outcome: Outcome = { out: [], res: [], cnt: {}, drops: [] };
	private isn: number | null = null;
	private lastts = 0;
	private rport = 40000;
	private lport = 8080;
	private step = -1;
	private stept = 0;
	private lst = -1;
	private fd = -1;

	constructor(k: Kernel) {
		this.k = k;
	}

	private options(o: NonNullable<Segment['opts']>): number[] {
		const b: number[] = [...Buffer.from(o.raw ?? '', 'hex')];
		if (o.mss !== undefined) b.push(2, 4, o.mss >> 8, o.mss & 255);
		if (o.sackok !== undefined) b.push(4, 2);
		if (o.ts !== undefined) b.push(8, 10, ...be32(o.ts[0]), ...be32(o.ts[1] === 'last' ? this.lastts : o.ts[1]));
		if (o.ws !== undefined) b.push(3, 3, o.ws);
		while ((b.length & 3) !== 0) b.unshift(1);
		return b;
	}

	private async inject(g: Segment): Promise<void> {
		const opts = this.options(g.opts ?? {});
		let fl = 0;
		for (const c of g.flags) fl |= FLAG[c];
		const ack = (fl & 16) !== 0 ? ((g.ack ?? 0) + (this.isn ?? 0)) >>> 0 : 0;
		const win = g.win ?? 65535;
		const urg = g.urg ?? 0;
		const len = g.len ?? 0;
		const h = 20 + opts.length;
		const p = new Uint8Array(12 + h + len);
		p.set([...REMOTE, ...LOCAL, 0, 6, (h + len) >> 8, (h + len) & 255]);
		p.set([this.rport >> 8, this.rport & 255, this.lport >> 8, this.lport & 255, ...be32(g.seq), ...be32(ack)], 12);
		p.set([((h / 4) << 4) | (fl >> 8), fl & 255, win >> 8, win & 255, 0, 0, urg >> 8, urg & 255, ...opts], 24);
		for (let i = 0; i < len; i++) p[12 + h + i] = g.seq + i;
		const c = csum(p);
		p[28] = c >> 8;
		p[29] = c & 255;
		const total = 20 + h + len;
		const ip = [0x45, g.tos ?? 0, total >> 8, total & 255, 0, 0, 0x40, 0, 64, 6, 0, 0, ...REMOTE, ...LOCAL];
		const hc = csum(Uint8Array.from(ip));
		ip[10] = hc >> 8;
		ip[11] = hc & 255;
		await this.k.inject(Uint8Array.from([...ip, ...p.subarray(12)]));
	}

	private seen(p: Uint8Array, us: number): void {
		if (p[0] >> 4 !== 4 || p[9] !== 6) return;
		const th = p.subarray((p[0] & 15) * 4);
		const u16 = (o: number): number => (th[o] << 8) | th[o + 1];
		const u32 = (o: number): number => ((th[o] << 24) | (th[o + 1] << 16) | (th[o + 2] << 8) | th[o + 3]) >>> 0;
		const doff = (th[12] >> 4) * 4;
		const fl = ((th[12] & 1) << 8) | th[13];
		if ((fl & 2) !== 0) {
			this.isn = u32(4);
			this.lport = u16(0);
			this.rport = u16(2);
		}
		const opts: string[] = [];
		for (let i = 20; i < doff && th[i] !== 0; ) {
			if (th[i] === 1) {
				opts.push('n');
				i++;
				continue;
			}
			const n = th[i + 1];
			if (th[i] === 2) opts.push(`mss${u16(i + 2)}`);
			else if (th[i] === 3) opts.push(`ws${th[i + 2]}`);
			else if (th[i] === 4) opts.push('sok');
			else if (th[i] === 8) {
				this.lastts = u32(i + 2);
				opts.push(`ts,${u32(i + 6)}`);
			} else if (th[i] === 5) {
				let s = 'sack';
				for (let j = 2; j < n; j += 8) s += `[${u32(i + j)},${u32(i + j + 4)}]`;
				opts.push(s);
			} else opts.push(`o${th[i]}:${Buffer.from(th.subarray(i + 2, i + n)).toString('hex')}`);
			i += n;
		}
		const len = th.length - doff;
		const names = [...'FSRPUEWA.'].filter((c) => (fl & FLAG[c]) !== 0).join('');
		// A reset for a segment without ACK begins at 0.
		const rel = (fl & 4) !== 0 && u32(4) === 0 ? 0 : (u32(4) - (this.isn ?? 0)) >>> 0;
		this.outcome.out.push([
			this.step,
			Math.round(us / 100 - this.stept * 10) / 10,
			`${names} ${rel}:${rel + len}(${len}) ack ${(fl & 16) !== 0 ? u32(8) : 0} win ${u16(14)}` +
				`${(fl & 32) !== 0 ? ` urg${u16(18)}` : ''} <${opts.join(',')}>${p[1] !== 0 ? ` tos${p[1]}` : ''}`,
		]);
	}

	private async poll(ms: number): Promise<void> {
		for (let got = await this.k.receive(ms * 1000); got !== null; got = await this.k.receive(ms * 1000))
			this.seen(got.packet, got.time);
		await this.k.sleepUntil(ms * 1000);
	}

	private set(fd: number, so: number[]): Promise<CallResult> {
		const [level, optname, v] = so;
		return this.k.syscall({
			call: 'setsockopt',
			fd,
			level,
			optname,
			value: [v & 255, (v >> 8) & 255, (v >> 16) & 255, v >>> 24],
		});
	}

	private async socket(st: Step): Promise<number> {
		const { ret } = await this.k.syscall({ call: 'socket', family: 2, type: 1 | 2048, protocol: 0 });
		for (const so of (st.so ?? []) as number[][]) await this.set(ret, so);
		return ret;
	}

	private async op(st: Step): Promise<void> {
		const { k, fd } = this;
		const { res } = this.outcome;
		const answer = (r: CallResult, ok: number = r.ret): unknown => res.push([st.op, r.ret < 0 ? r.ret : ok]);
		switch (st.op) {
			case 'listen':
				this.lst = await this.socket(st);
				await this.set(this.lst, [1, 2, 1]);
				await k.syscall({ call: 'bind', fd: this.lst, addr: { ip: 0, port: this.lport } });
				await k.syscall({ call: 'listen', fd: this.lst, backlog: st.backlog ?? 5 });
				return;
			case 'connect': {
				this.fd = await this.socket(st);
				this.rport = 8080;
				const r = await k.syscall({ call: 'connect', fd: this.fd, addr: { ip: 0xc0000201, port: 8080 } });
				res.push(['connect', -r.ret]);
				return;
			}
			case 'accept': {
				const r = await k.syscall({ call: 'accept', fd: this.lst, flags: 2048 });
				if (r.ret >= 0) this.fd = r.ret;
				answer(r, 0);
				return;
			}
			case 'in':
				return this.inject(st.seg!);
			case 'recv':
				answer(await k.syscall({ call: 'recv', fd, len: st.n!, flags: st.flags ?? 0, control: false }));
				return;
			case 'send':
				answer(await k.syscall({ call: 'send', fd, iov: [st.n!], data: null, flags: st.flags ?? 0, addr: null }));
				return;
			case 'shutdown': {
				const r = await k.syscall({ call: 'shutdown', fd, how: st.how! });
				if (r.ret < 0) answer(r);
				return;
			}
			case 'close':
				await k.syscall({ call: 'close', fd });
				return;
			case 'so': {
				const r = await this.set(fd, st.so as number[]);
				if (r.ret < 0) answer(r);
				return;
			}
			case 'err': {
				const r = await k.syscall({ call: 'getsockopt', fd, level: 1, optname: 4, len: 4 });
				answer(r, r.value?.[0] ?? -1);
				return;
			}
			case 'info': {
				const r = await k.syscall({ call: 'getsockopt', fd, level: 6, optname: 11, len: 280 });
				if (r.ret < 0) {
					answer(r);
					return;
				}
				const info: Record<string, number> = {};
				for (const [name, o, size] of INFO) {
					let v = 0;
					for (let i = size - 1; i >= 0; i--) v = v * 256 + r.value![o + i];
					info[name] = v;
				}
				res.push(['info', info]);
				return;
			}
		}
	}

	async run(sc: Scenario): Promise<void> {
		const { host } = this.k as unknown as { host: Host };
		for (const [n, v] of Object.entries(sc.sysctl ?? {})) await host.must(`sysctl -w net.ipv4.${n}=${v}`);
		host.machine.kfree_skb_probe = (_skb, reason) => this.outcome.drops.push(drop_reason_name(reason));
		const before = counters(host);
		for (const st of sc.steps) {
			await this.poll(st.t);
			this.step++;
			this.stept = st.t;
			await this.op(st);
		}
		await this.poll(this.stept + 2);
		host.machine.kfree_skb_probe = null;
		const after = counters(host);
		for (const n of Object.keys(after)) if (after[n] !== before[n]) this.outcome.cnt[n] = after[n] - before[n];
		this.outcome.drops.sort();
	}
}

async function run(sc: Scenario): Promise<Outcome> {
	let outcome: Outcome | null = null;
	const config = {
		local_ip: '192.168.0.1',
		remote_ip: '192.0.2.1',
		gateway_ip: '192.168.0.1',
		prefix: 16,
		mtu: 1500,
		files: new Map<string, string>(),
		seed: 7,
	};
	await withLinnetKernel(config, async (k) => {
		const r = new Run(k);
		await r.run(sc);
		outcome = r.outcome;
	});
	return outcome!;
}

function scenarios(file: string): Scenario[] {
	return readFileSync(resolve(import.meta.dirname, file), 'utf8')
		.split('\n')
		.filter((l) => l !== '')
		.map((l) => JSON.parse(l) as Scenario);
}

async function same(sc: Scenario): Promise<void> {
	const got = await run(sc);
	expect(got.out.map(([step, , text]) => `${step} ${text}`)).toEqual(
		sc.linux.out.map(([step, , text]) => `${step} ${text}`),
	);
	for (let i = 0; i < got.out.length; i++)
		expect(Math.abs(got.out[i][1] - sc.linux.out[i][1]), `time of ${got.out[i][2]}`).toBeLessThanOrEqual(TOLERANCE);
	expect(got.res).toEqual(sc.linux.res);
	expect(got.cnt).toEqual(sc.linux.cnt);
	expect(got.drops).toEqual(sc.linux.drops);
}

describe('by hand', () => {
	const all = scenarios('hand.linux.jsonl');
	test.each(all.map((s): [string, Scenario] => [s.name, s]))('%s', (_name, s) => same(s));
});

describe('at random', () => {
	const all = scenarios('random.linux.jsonl');
	test.each(all.map((s): [string, Scenario] => [s.name, s]))('%s', (_name, s) => same(s));
});
