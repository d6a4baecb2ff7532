/*
 * test/net/ipv4/tcp/peer/record.ts: records scenarios on real Linux, as root:
 *       KIND=loss FROM=1 TO=40 node scripts/run.mjs test/net/ipv4/tcp/peer/record.ts
 * A peer that loses, delays and doubles segments and ACKs by a seed talks to a server on the real kernel. What linnet does not do alike is
 * told; what it does alike is kept in recorded/, when KEEP is set. FINE: TCP_INFO after each of the peer's segments.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { withLinnetKernel } from '../../../../../src/packetdrill/linnet.ts';
import { parsePacket } from '../../../../../src/packetdrill/wire.ts';
import { LinuxKernel } from '../../../../packetdrill/linux.ts';
import {
	type Act,
	accept_peer,
	counters_of,
	info_of,
	open_server,
	type PeerConfig,
	type PeerSegment,
	peer_packet,
	type Recording,
	replay,
	segment_text,
	tcp_info,
	write_call,
} from './recording.ts';

/** The real kernel in its own time: what it does late is recorded as late. */
class Linux extends LinuxKernel {
	override async sleepUntil(us: number): Promise<void> {
		for (let left = us - this.now(); left > 0; left = us - this.now()) {
			if (left > 3000) await new Promise((r) => setTimeout(r, (left - 2000) / 1000));
			else await new Promise((r) => setImmediate(r));
		}
	}

	override receive(deadline: number): Promise<{ time: number; packet: Uint8Array } | null> {
		return super.receive(deadline - 20000);
	}

	/** Return: when it went in. */
	async put(packet: Uint8Array): Promise<number> {
		const r = await this.ask({ op: 'inject', packet: Buffer.from(packet).toString('hex') });
		return r.time as number;
	}
}

/** mulberry32. */
class Rnd {
	private s: number;

	constructor(seed: number) {
		this.s = (seed * 2654435761) >>> 0;
	}

	next(): number {
		this.s = (this.s + 0x6d2b79f5) | 0;
		let x = Math.imul(this.s ^ (this.s >>> 15), this.s | 1);
		x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
		return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
	}

	below(n: number): number {
		return Math.floor(this.next() * n);
	}

	one<T>(list: readonly T[]): T {
		return list[this.below(list.length)];
	}
}

/** A number in 0…1 that depends on `v` alone: the fate of a segment. */
function fate(...v: number[]): number {
	let h = 1;
	for (const x of v) {
		h = Math.imul(h ^ x, 0x9e3779b1);
		h ^= h >>> 15;
		h = Math.imul(h, 0x85ebca6b);
		h ^= h >>> 13;
	}
	return (h >>> 0) / 4294967296;
}

interface Arrival {
	seq: number;
	end: number;
	/** Number of the server's segment. */
	n: number;
	flags: number;
}

/** The receiving half of the peer (RFC 9293, RFC 2018, RFC 2883, RFC 7323 4.3, RFC 3168). */
class Receiver {
	private c: PeerConfig;
	rcv_nxt = 1;
	/** The server's segment whose time stamp is to be echoed. */
	recent = -1;
	private ofo: [number, number][] = [];
	private order: [number, number][] = [];
	private dsack: [number, number] | null = null;
	private unacked = 0;
	private ece = false;
	acks: PeerSegment[] = [];

	constructor(c: PeerConfig) {
		this.c = c;
	}

	ack(): void {
		this.unacked = 0;
		const blocks: [number, number][] = this.dsack !== null && this.c.dsack ? [this.dsack] : [];
		this.dsack = null;
		if (this.c.sack) blocks.push(...this.order);
		const s: PeerSegment = { flags: this.ece ? 16 | 64 : 16, ack: this.rcv_nxt, win: this.c.win };
		if (blocks.length > 0) s.sack = blocks.slice(0, this.c.ts ? 3 : 4).flat();
		if (this.c.ts) s.echo = this.recent;
		this.acks.push(s);
	}

	/** What waits for a second segment is acknowledged. */
	flush(): void {
		if (this.unacked > 0) this.ack();
	}

	arrive(a: Arrival): void {
		const { seq, end } = a;
		if (seq <= this.rcv_nxt && (end > this.rcv_nxt || a.n > this.recent)) this.recent = a.n;
		if ((a.flags & 128) !== 0) this.ece = false;
		if (this.c.ecn && fate(this.c.seed, seq, 77) < this.c.ce) this.ece = true;
		if (end <= this.rcv_nxt) {
			this.dsack = this.c.sack ? [seq, end] : null;
			this.ack();
		} else if (seq > this.rcv_nxt) {
			if (this.c.sack && this.ofo.some((r) => seq >= r[0] && end <= r[1])) this.dsack = [seq, end];
			let block: [number, number] = [seq, end];
			const apart: [number, number][] = [];
			for (const r of this.ofo) {
				if (r[1] < block[0] || r[0] > block[1]) apart.push(r);
				else block = [Math.min(block[0], r[0]), Math.max(block[1], r[1])];
			}
			this.ofo = [...apart, block];
			this.order = [block, ...this.order.filter((r) => r[1] < block[0] || r[0] > block[1])].slice(0, 4);
			this.ack();
		} else {
			this.rcv_nxt = end;
			const before = this.ofo.length;
			for (let i = 0; i < this.ofo.length; i++) {
				if (this.ofo[i][0] > this.rcv_nxt) continue;
				this.rcv_nxt = Math.max(this.rcv_nxt, this.ofo[i][1]);
				this.ofo.splice(i, 1);
				i = -1;
			}
			this.order = this.order.filter((r) => r[0] > this.rcv_nxt);
			this.unacked++;
			if (this.unacked >= this.c.ackevery || this.ofo.length > 0 || this.ofo.length < before) this.ack();
		}
	}
}

async function record(c: PeerConfig): Promise<Recording> {
	const k = new Linux('/tmp');
	try {
		await k.setup();
		return await play(k, c);
	} finally {
		await k.close();
	}
}

async function play(k: Linux, c: PeerConfig): Promise<Recording> {
	const rnd = new Rnd(c.seed);
	const acts: Act[] = [];
	const sent: [number, string][] = [];
	const stamps: number[] = [];
	let arrived: { t: number; n: number; seq: number; len: number; flags: number }[] = [];
	let isn = 0;
	let clock = 5000;
	let fd = -1;
	let info: Record<string, number> = {};
	const listener = await open_server(k, c);
	const take = async (deadline: number): Promise<void> => {
		for (let p = await k.receive(deadline); p !== null; p = await k.receive(deadline)) {
			const seen = parsePacket(p.packet);
			if (seen.kind !== 'tcp') continue;
			const s = seen.segment;
			if (sent.length === 0) isn = s.seq;
			arrived.push({ t: p.time, n: sent.length, seq: (s.seq - isn) >>> 0, len: s.len, flags: s.flags });
			stamps.push(s.options.find((o) => o.kind === 'TS')?.value ?? 0);
			sent.push([Math.round(p.time), segment_text(s, isn)]);
		}
	};
	const put = async (s: PeerSegment): Promise<void> => {
		if (c.ts) s.ts = clock;
		const t = await k.put(peer_packet(c, s, isn, (i) => stamps[i]));
		acts.push({ t: Math.round(t), segment: s });
		if (process.env.FINE !== undefined && fd >= 0) await look();
	};
	/** Return: whether the connection is still there. */
	const look = async (): Promise<boolean> => {
		const got = await k.syscall(tcp_info(fd));
		if (got.ret < 0) return false;
		const next = info_of(got);
		const changed: Record<string, number> = {};
		for (const f in next) if (info[f] !== next[f]) changed[f] = next[f];
		info = next;
		acts.push({ t: Math.round(got.time), info: changed });
		return next.state !== 7;
	};
	const write = async (fd: number, bytes: number): Promise<void> => {
		const r = await k.syscall(write_call(fd, bytes));
		acts.push({ t: Math.round(r.time), write: bytes });
	};

	let now = 200000;
	await k.sleepUntil(now);
	await put({ flags: c.ecn ? 2 | 64 | 128 : 2, ack: 0, win: 65535 });
	await take(now + 20000);
	if (sent.length === 0) throw new Error('no SYN-ACK');
	now += 60000;
	clock += 60;
	await k.sleepUntil(now);
	const peer = new Receiver(c);
	peer.recent = 0;
	await put(c.ts ? { flags: 16, ack: 1, win: c.win, echo: 0 } : { flags: 16, ack: 1, win: c.win });
	await k.sleepUntil(now + 2000);
	fd = await accept_peer(k, listener);
	await write(fd, c.write);
	arrived = [];
	now += 5000;

	const times: Map<number, number> = new Map();
	let late: Arrival[] = [];
	const mss = c.ts ? 988 : 1000;
	for (let step = 0; step < c.steps; step++) {
		const dt = rnd.next() < c.long ? 250000 + rnd.below(4) * 60000 : 40000 + rnd.below(4) * 15000;
		const t = now + dt;
		await take(t - 5000);
		await k.sleepUntil(t);
		await take(t);
		clock += Math.round(dt / 1000);
		const here = arrived.filter((p) => p.t < t - 12000 && p.len > 0);
		arrived = arrived.filter((p) => p.t >= t - 12000);
		const come: Arrival[] = [];
		const later: Arrival[] = [];
		for (const p of here) {
			for (let o = 0; o < p.len; o += mss) {
				const seq = p.seq + o;
				const nth = (times.get(seq) ?? 0) + 1;
				times.set(seq, nth);
				const a = { seq, end: Math.min(p.seq + p.len, seq + mss), n: p.n, flags: p.flags };
				const f = fate(c.seed, seq, nth, 1);
				if (f < c.drop) continue;
				if (f < c.drop + c.late) later.push(a);
				else come.push(a);
				if (f > 1 - c.dup) come.push(a);
			}
		}
		if (rnd.next() < c.hold) late = [...come, ...late, ...later];
		else {
			for (const a of [...come, ...late]) peer.arrive(a);
			late = later;
			if (rnd.next() < 0.7) peer.flush();
		}
		for (const s of peer.acks) if (rnd.next() >= c.ackdrop) await put(s);
		peer.acks = [];
		await k.sleepUntil(t + 3000);
		if (rnd.next() < 0.4) await write(fd, 1000 + rnd.below(11) * 1000);
		await k.sleepUntil(t + 6000);
		if (!(await look())) break;
		now = t + 6000;
	}
	const counters = counters_of((await k.command('cat /proc/net/netstat /proc/net/snmp')).output);
	await take(now);
	const end = acts[acts.length - 1].t;
	return {
		kernel: release(),
		config: c,
		acts,
		sent: sent.filter((s) => s[0] <= end),
		counters,
	};
}

function config_of(kind: string, seed: number): PeerConfig {
	const r = new Rnd(seed * 7919 + 13);
	const c: PeerConfig = {
		seed,
		cc: r.one(['cubic', 'cubic', 'reno']),
		// Timers of more than a quarter of a second are late by up to an eighth on a real machine.
		sysctl: 'net.ipv4.tcp_rto_min_us=100000',
		sack: r.next() < 0.8,
		ts: r.next() < 0.6,
		dsack: r.next() < 0.7,
		ecn: false,
		drop: r.one([0, 0.03, 0.08, 0.15, 0.3]),
		late: r.one([0, 0, 0.05, 0.2]),
		dup: r.one([0, 0, 0.05]),
		ackdrop: r.one([0, 0, 0.1, 0.4]),
		ce: 0,
		hold: r.one([0, 0, 0.15]),
		long: r.one([0, 0.1, 0.3]),
		ackevery: r.one([1, 2, 2]),
		win: r.one([512, 512, 60, 20]),
		steps: 14,
		write: (10 + r.below(60)) * 1000,
	};
	if (kind === 'plain') Object.assign(c, { drop: 0, late: 0, dup: 0, ackdrop: 0, hold: 0, long: 0.05 });
	if (kind === 'big')
		Object.assign(c, { write: 250000, win: 4000, steps: 20, drop: r.one([0.005, 0.01, 0.02, 0.05]), long: 0 });
	if (kind === 'ecn')
		Object.assign(c, {
			ecn: true,
			ce: r.one([0.02, 0.1]),
			drop: r.one([0, 0, 0.03]),
			write: 120000,
			win: 2000,
			long: 0,
			hold: 0,
			sysctl: `${c.sysctl} net.ipv4.tcp_ecn=1`,
		});
	return c;
}

/** Return: what linnet does otherwise, or null. */
export async function replay_here(r: Recording): Promise<string | null> {
	let wrong: string | null = null;
	await withLinnetKernel(
		{
			local_ip: '192.168.0.1',
			remote_ip: '192.0.2.1',
			gateway_ip: '192.168.0.1',
			prefix: 16,
			mtu: 1500,
			files: new Map(),
			seed: 1,
		},
		async (k) => {
			wrong = await replay(k, r);
		},
	);
	return wrong;
}

const env = process.env;
const kind = env.KIND ?? 'loss';
const folder = join(import.meta.dirname, 'recorded');
if (env.KEEP !== undefined) mkdirSync(folder, { recursive: true });
let alike = 0;
let other = 0;
for (let seed = Number(env.FROM ?? 1); seed <= Number(env.TO ?? 10); seed++) {
	const c = config_of(kind, seed);
	let r = await record(c);
	let wrong = await replay_here(r);
	if (wrong !== null) {
		// A timer and an ACK at nearly the same moment: once more.
		r = await record(c);
		wrong = await replay_here(r);
	}
	if (wrong === null) {
		alike++;
		if (env.KEEP !== undefined) writeFileSync(join(folder, `${kind}-${seed}.json`), `${JSON.stringify(r)}\n`);
	} else {
		other++;
		console.log(`${kind} ${seed}: ${wrong}`);
		if (env.KEEP_OTHER !== undefined)
			writeFileSync(join(env.KEEP_OTHER, `${kind}-${seed}.json`), `${JSON.stringify(r)}\n`);
	}
}
console.log(`${alike} alike, ${other} not`);
process.exit(0);
