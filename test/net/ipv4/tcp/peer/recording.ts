/*
 * test/net/ipv4/tcp/peer/recording.ts: what a scripted peer did to a TCP server, and what the server did: recorded on real Linux, replayed here.
 * Numbers of sequence and acknowledgement are relative; times are us of the script.
 */
import type { Call, CallResult, Kernel } from '../../../../../src/packetdrill/kernel.ts';
import { decodeTcpInfo } from '../../../../../src/packetdrill/tcp_info.ts';
import { buildTcp, encodeOptions, flagText, parsePacket, type Segment } from '../../../../../src/packetdrill/wire.ts';

/** How the peer behaves, and what the server's process does. */
export interface PeerConfig {
	seed: number;
	/** Congestion control of the server. */
	cc: string;
	/** `sysctl -w` of the server. */
	sysctl: string;
	sack: boolean;
	ts: boolean;
	dsack: boolean;
	ecn: boolean;
	/** Chances that a segment is lost, comes late, comes twice; that an ACK is lost; that a segment is marked CE. */
	drop: number;
	late: number;
	dup: number;
	ackdrop: number;
	ce: number;
	/** That the peer says nothing in a round; that a round takes so long that timers fire. */
	hold: number;
	long: number;
	/** Segments per ACK, window (<< 7), rounds, bytes written at first. */
	ackevery: number;
	win: number;
	steps: number;
	write: number;
}

/** A segment of the peer's. */
export interface PeerSegment {
	flags: number;
	ack: number;
	win: number;
	/** Pairs of edges. */
	sack?: number[];
	/** TSval, and which of the server's segments (in order of sending) has the time stamp that is echoed; -1 for none. */
	ts?: number;
	echo?: number;
}

export interface Act {
	t: number;
	segment?: PeerSegment;
	write?: number;
	/** TCP_INFO was looked at: fields that changed since the last time. */
	info?: Record<string, number>;
}

export interface Recording {
	kernel: string;
	config: PeerConfig;
	acts: Act[];
	/** Time and text of each segment of the server's. */
	sent: [number, string][];
	/** Counters of /proc/net/netstat and /proc/net/snmp (Tcp) at the end, but for zeros. */
	counters: Record<string, number>;
}

export const SERVER = { ip: 0xc0a80001, port: 8080 };
export const PEER = { ip: 0xc0000201, port: 40000 };
export const ISN = 1000000;

/** As far as they do not depend on how busy the machine was. */
export const INFO_FIELDS: readonly string[] =
	`state ca_state retransmits probes backoff options snd_mss unacked sacked lost retrans pmtu snd_ssthresh snd_cwnd advmss reordering total_retrans
	bytes_acked segs_out segs_in notsent_bytes data_segs_out delivered delivered_ce bytes_sent bytes_retrans dsack_dups reord_seen snd_wnd rcv_wnd
	rcv_ssthresh total_rto total_rto_recoveries rcv_space delivery_rate_app_limited rcv_mss ato rto rtt rttvar min_rtt pacing_rate delivery_rate busy_time
	rwnd_limited`.split(/\s+/);

/** Fields of time: absolute and relative tolerance. */
const TOLERANCE: Record<string, readonly [number, number]> = {
	rto: [16000, 0.02],
	rtt: [3000, 0.06],
	rttvar: [3000, 0.15],
	min_rtt: [3000, 0.05],
	pacing_rate: [1000, 0.15],
	delivery_rate: [1000, 0.25],
	busy_time: [30000, 0.05],
	rwnd_limited: [30000, 0.1],
};

/** A segment as the recording tells it. */
export function segment_text(s: Segment, isn: number): string {
	const seq = (s.seq - isn) >>> 0;
	const options = s.options.map((o) => o.kind).filter((k) => k !== 'nop' && k !== 'eol');
	return `${flagText(s.flags)} ${seq}:${seq + s.len}(${s.len}) ack ${(s.ack - ISN) >>> 0} win ${s.win} <${options}> tos ${s.tos}`;
}

/** The peer's segment as bytes. `isn`: the server's; `echo`: the server's TSval by number of its segment. */
export function peer_packet(c: PeerConfig, s: PeerSegment, isn: number, echo: (i: number) => number): Uint8Array {
	const none = { value: 0, ecr: 0, blocks: [], hex: null };
	const options: Parameters<typeof encodeOptions>[0] = [];
	const syn = (s.flags & 2) !== 0;
	if (syn) {
		options.push({ ...none, kind: 'mss', value: 1000 });
		if (c.sack) options.push({ ...none, kind: 'sackOK' });
	}
	if (s.ts !== undefined) {
		if (!syn) options.push({ ...none, kind: 'nop' }, { ...none, kind: 'nop' });
		options.push({ ...none, kind: 'TS', value: s.ts, ecr: s.echo === undefined || s.echo < 0 ? 0 : echo(s.echo) });
	}
	if (syn) options.push({ ...none, kind: 'nop' }, { ...none, kind: 'wscale', value: 7 });
	if (s.sack !== undefined) {
		const blocks: [number, number][] = [];
		for (let i = 0; i < s.sack.length; i += 2) blocks.push([s.sack[i], s.sack[i + 1]]);
		options.push({ ...none, kind: 'nop' }, { ...none, kind: 'nop' }, { ...none, kind: 'sack', blocks });
	}
	const seq = syn ? ISN : ISN + 1;
	const head = { src: PEER, dst: SERVER, tos: 0, ttl: 64, flags: s.flags, seq, ack: (isn + s.ack) >>> 0, win: s.win };
	return buildTcp(
		{ ...head, urg: 0, len: 0 },
		encodeOptions(options, isn, (v) => v),
	);
}

/** TCP_INFO's fields. */
export function info_of(r: CallResult): Record<string, number> {
	const all = decodeTcpInfo(Uint8Array.from(r.value ?? []));
	const out: Record<string, number> = {};
	for (const f of INFO_FIELDS) out[f] = all.get(`tcpi_${f}`) ?? 0;
	return out;
}

export function counters_of(text: string): Record<string, number> {
	const out: Record<string, number> = {};
	const lines = text.split('\n');
	for (let i = 0; i + 1 < lines.length; i += 2) {
		const names = lines[i].split(/\s+/);
		const values = lines[i + 1].split(/\s+/);
		if (names[0] !== 'TcpExt:' && names[0] !== 'Tcp:') continue;
		names.forEach((n, k) => {
			if (k > 0 && n !== '' && Number(values[k]) !== 0) out[n] = Number(values[k]);
		});
	}
	return out;
}

/** The server's side before the handshake. Return: the listener. */
export async function open_server(k: Kernel, c: PeerConfig): Promise<number> {
	const sh = await k.command(
		`ip tcp_metrics flush all >/dev/null 2>&1; sysctl -qw net.ipv4.tcp_congestion_control=${c.cc} ${c.sysctl}`,
	);
	if (sh.status !== 0 || sh.output.trim() !== '') throw new Error(`sysctl: ${sh.output}`);
	const fd = await must(k, { call: 'socket', family: 2, type: 1, protocol: 6 });
	await must(k, { call: 'bind', fd, addr: { ip: 0, port: SERVER.port } });
	await must(k, { call: 'listen', fd, backlog: 5 });
	return fd;
}

/** The connection, with a send buffer that does not grow. */
export async function accept_peer(k: Kernel, listener: number): Promise<number> {
	const fd = await must(k, { call: 'accept', fd: listener, flags: 0o4000 });
	await must(k, { call: 'setsockopt', fd, level: 1, optname: 7, value: [0x40, 0x42, 0x0f, 0] });
	return fd;
}

export const tcp_info = (fd: number): Call => ({ call: 'getsockopt', fd, level: 6, optname: 11, len: 280 });
export const write_call = (fd: number, n: number): Call => ({
	call: 'send',
	fd,
	iov: [n],
	data: null,
	flags: 0,
	addr: null,
});

async function must(k: Kernel, call: Call): Promise<number> {
	const r = await k.syscall(call);
	if (r.ret < 0) throw new Error(`${call.call}: error ${-r.ret}`);
	return r.ret;
}

function info_differs(linux: Record<string, number>, here: Record<string, number>): string[] {
	const out: string[] = [];
	for (const f of INFO_FIELDS) {
		const [abs, rel] = TOLERANCE[f] ?? [0, 0];
		if (Math.abs(linux[f] - here[f]) > abs + rel * Math.max(linux[f], here[f]))
			out.push(`${f}: Linux ${linux[f]}, here ${here[f]}`);
	}
	return out;
}

/** Does the same to another kernel. Return: the first thing that is not as recorded, or null. */
export async function replay(k: Kernel, r: Recording): Promise<string | null> {
	const listener = await open_server(k, r.config);
	let isn = -1;
	let fd = -1;
	const stamps: number[] = [];
	let n = 0;
	let wrong: string | null = null;
	const take = async (deadline: number): Promise<void> => {
		for (let p = await k.receive(deadline); p !== null; p = await k.receive(deadline)) {
			const seen = parsePacket(p.packet);
			if (seen.kind !== 'tcp') continue;
			const s = seen.segment;
			if (isn < 0) isn = s.seq;
			stamps.push(s.options.find((o) => o.kind === 'TS')?.value ?? 0);
			const text = segment_text(s, isn);
			const want = r.sent[n++];
			// Timers of a real machine are late by up to an eighth.
			if (wrong === null && (want === undefined || want[1] !== text || Math.abs(want[0] - 20000 - p.time) > 33000))
				wrong = `segment ${n - 1}: Linux ${want === undefined ? 'sent nothing' : `${want[0]} ${want[1]}`}, here ${Math.round(p.time)} ${text}`;
		}
	};
	const info: Record<string, number> = {};
	let end = 0;
	for (const a of r.acts) {
		end = a.t;
		await take(a.t);
		await k.sleepUntil(a.t);
		if (wrong !== null) return wrong;
		if (a.segment !== undefined)
			await k.inject(peer_packet(r.config, a.segment, Math.max(isn, 0), (i) => stamps[i] ?? 0));
		if (a.write !== undefined) {
			if (fd < 0) fd = await accept_peer(k, listener);
			await k.syscall(write_call(fd, a.write));
		}
		if (a.info !== undefined) {
			Object.assign(info, a.info);
			const d = info_differs(info, info_of(await k.syscall(tcp_info(fd))));
			// What left just now may not have been seen yet when it was recorded.
			if (d.length > 0) return `TCP_INFO at ${a.t}: ${d.join('; ')}`;
		}
	}
	await take(end);
	if (wrong !== null) return wrong;
	if (n < r.sent.length && r.sent[n][0] < end - 20000)
		return `segment ${n}: Linux ${r.sent[n][0]} ${r.sent[n][1]}, here none`;
	const c = counters_of((await k.command('cat /proc/net/netstat /proc/net/snmp')).output);
	const names = new Set([...Object.keys(c), ...Object.keys(r.counters)]);
	const d: string[] = [];
	for (const name of names)
		if ((c[name] ?? 0) !== (r.counters[name] ?? 0))
			d.push(`${name}: Linux ${r.counters[name] ?? 0}, here ${c[name] ?? 0}`);
	return d.length > 0 ? `counters: ${d.join('; ')}` : null;
}
