/*
 * user/iperf3/iperf3.ts: `iperf3`: throughput between two hosts, in the real program's protocol and words.     Original: iperf3(1) 3.12
 *
 * Client: connect, cookie -> parameters -> streams -> running -> TEST_END -> results -> summary. The server answers the same steps.
 * Refused by name: SCTP, --bidir, authentication, files, zero copy, --fq-rate, IPv6, --get-server-output, logs and pid files.
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	IP_TOS,
	msghdr,
	SO_RCVBUF,
	SO_REUSEADDR,
	SO_SNDBUF,
	SOCK_DGRAM,
	SOCK_STREAM,
	SOL_IP,
	SOL_SOCKET,
	SOL_TCP,
	type sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { TCP_CONGESTION, TCP_MAXSEG, TCP_NODELAY } from '../../uapi/linux/tcp.ts';
import { gethostbyname } from '../hosts.ts';
import { type Process, utf8 } from '../libc.ts';
import { USAGE } from './help.ts';
import * as proto from './protocol.ts';
import { Stream } from './stream.ts';
import { bytes, rate, span, unit } from './units.ts';

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';
const VERSION = 'iperf 3.12';

interface Options {
	server: boolean;
	host: string;
	port: number;
	format: string;
	interval: number;
	bind: number;
	verbose: boolean;
	json: boolean;
	one_off: boolean;
	daemon: boolean;
	udp: boolean;
	bandwidth: number;
	time: number;
	num: number;
	blocks: number;
	len: number;
	cport: number;
	parallel: number;
	reverse: boolean;
	window: number;
	congestion: string;
	mss: number;
	nodelay: boolean;
	tos: number;
	omit: number;
	title: string;
}

class Failure extends Error {}

/** Options that take a value, by every name. */
const VALUED: Record<string, string> = {
	p: 'port',
	port: 'port',
	f: 'format',
	format: 'format',
	i: 'interval',
	interval: 'interval',
	B: 'bind',
	bind: 'bind',
	c: 'client',
	client: 'client',
	b: 'bitrate',
	bitrate: 'bitrate',
	bandwidth: 'bitrate',
	t: 'time',
	time: 'time',
	n: 'bytes',
	bytes: 'bytes',
	k: 'blockcount',
	blockcount: 'blockcount',
	l: 'length',
	length: 'length',
	cport: 'cport',
	P: 'parallel',
	parallel: 'parallel',
	w: 'window',
	window: 'window',
	C: 'congestion',
	congestion: 'congestion',
	M: 'set-mss',
	'set-mss': 'set-mss',
	S: 'tos',
	tos: 'tos',
	O: 'omit',
	omit: 'omit',
	T: 'title',
	title: 'title',
	'pacing-timer': 'ignored',
	'connect-timeout': 'ignored',
	A: 'ignored',
	affinity: 'ignored',
	'rcv-timeout': 'ignored',
	'snd-timeout': 'ignored',
	I: 'refused',
	pidfile: 'refused',
	F: 'refused',
	file: 'refused',
	logfile: 'refused',
	X: 'refused',
	xbind: 'refused',
	'fq-rate': 'refused',
	dscp: 'refused',
	L: 'refused',
	flowlabel: 'refused',
	'extra-data': 'refused',
	username: 'refused',
	'bind-dev': 'refused',
};
const FLAGS: Record<string, string> = {
	V: 'verbose',
	verbose: 'verbose',
	J: 'json',
	json: 'json',
	s: 'server',
	server: 'server',
	D: 'daemon',
	daemon: 'daemon',
	1: 'one-off',
	'one-off': 'one-off',
	u: 'udp',
	udp: 'udp',
	R: 'reverse',
	reverse: 'reverse',
	N: 'no-delay',
	'no-delay': 'no-delay',
	h: 'help',
	help: 'help',
	v: 'version',
	version: 'version',
	4: 'ignored',
	version4: 'ignored',
	forceflush: 'ignored',
	'repeating-payload': 'ignored',
	'udp-counters-64bit': 'refused',
	bidir: 'refused',
	sctp: 'refused',
	6: 'refused',
	version6: 'refused',
	Z: 'refused',
	zerocopy: 'refused',
	'get-server-output': 'refused',
	'dont-fragment': 'refused',
	d: 'refused',
	debug: 'refused',
};

function parse(argv: readonly string[]): Options | { text: string; status: number } {
	const o: Options = {
		server: false,
		host: '',
		port: 5201,
		format: '',
		interval: 1,
		bind: 0,
		verbose: false,
		json: false,
		one_off: false,
		daemon: false,
		udp: false,
		bandwidth: -1,
		time: 10,
		num: 0,
		blocks: 0,
		len: 0,
		cport: 0,
		parallel: 1,
		reverse: false,
		window: 0,
		congestion: '',
		mss: 0,
		nodelay: false,
		tos: 0,
		omit: 0,
		title: '',
	};
	const words: [string, string, string | null][] = [];
	for (let i = 1; i < argv.length; i++) {
		const a = argv[i];
		if (a.startsWith('--')) {
			const [name, value] = a.slice(2).split(/=(.*)/s);
			if (name in VALUED) words.push([a, VALUED[name], value ?? argv[++i] ?? '']);
			else if (name in FLAGS) words.push([a, FLAGS[name], null]);
			else return { text: `iperf3: unrecognized option '${a}'\n${USAGE}`, status: 1 };
		} else if (a.startsWith('-') && a.length > 1) {
			for (let k = 1; k < a.length; k++) {
				const c = a[k];
				if (c in VALUED) {
					words.push([`-${c}`, VALUED[c], a.slice(k + 1) !== '' ? a.slice(k + 1) : (argv[++i] ?? '')]);
					break;
				}
				if (!(c in FLAGS)) return { text: `iperf3: invalid option -- '${c}'\n${USAGE}`, status: 1 };
				words.push([`-${c}`, FLAGS[c], null]);
			}
		}
	}
	const bad = (what: string): Failure => new Failure(`parameter error - ${what}`);
	for (const [word, name, value] of words) {
		const v = value ?? '';
		const number = (min: number, max: number, what: string): number => {
			const n = Number(v);
			if (v === '' || !(n >= min && n <= max)) throw bad(what);
			return n;
		};
		const size = (base: number): number => {
			const n = unit(v, base);
			if (Number.isNaN(n)) throw bad(`'${v}' is no number for ${word}`);
			return n;
		};
		switch (name) {
			case 'refused':
				return { text: `iperf3: "${word}" is not supported by linnet\n`, status: 1 };
			case 'help':
				return { text: USAGE, status: 0 };
			case 'version':
				return { text: `${VERSION} (linnet)\n`, status: 0 };
			case 'server':
				if (o.host !== '') throw bad('cannot be both server and client');
				o.server = true;
				break;
			case 'client':
				if (o.server) throw bad('cannot be both server and client');
				o.host = v;
				break;
			case 'port':
				o.port = number(1, 65535, 'bad port');
				break;
			case 'format':
				if (!/^[kmgtKMGT]$/.test(v)) throw bad('bad format specifier (valid formats are in the set [kmgtKMGT])');
				o.format = v;
				break;
			case 'interval':
				o.interval = number(0, 60, 'invalid report interval (min = 0.1, max = 60 seconds)');
				if (o.interval > 0 && o.interval < 0.1) throw bad('invalid report interval (min = 0.1, max = 60 seconds)');
				break;
			case 'bitrate':
				o.bandwidth = size(1000);
				break;
			case 'time':
				o.time = number(0, 86400, 'test duration too long (maximum = 86400 seconds)');
				break;
			case 'bytes':
				o.num = size(1024);
				break;
			case 'blockcount':
				o.blocks = size(1024);
				break;
			case 'length':
				o.len = size(1024);
				break;
			case 'cport':
				o.cport = number(1, 65535, 'bad port');
				break;
			case 'parallel':
				o.parallel = number(1, 128, 'number of parallel streams too large (maximum = 128)');
				break;
			case 'window':
				o.window = size(1024);
				break;
			case 'set-mss':
				o.mss = number(0, 9216, 'TCP MSS too large (maximum = 9216 bytes)');
				break;
			case 'tos':
				o.tos = number(0, 255, 'bad TOS value (must be between 0 and 255 inclusive)');
				break;
			case 'omit':
				o.omit = number(0, 60, 'bogus value for --omit');
				break;
			case 'bind':
				o.bind = v.split('.').reduce((n, b) => n * 256 + Number(b), 0);
				if (!/^\d+(\.\d+){3}$/.test(v)) throw bad(`'${v}' is no address for ${word}`);
				break;
			case 'congestion':
				o.congestion = v;
				break;
			case 'title':
				o.title = v;
				break;
			case 'verbose':
				o.verbose = true;
				break;
			case 'json':
				o.json = true;
				break;
			case 'one-off':
				o.one_off = true;
				break;
			case 'daemon':
				o.daemon = true;
				break;
			case 'udp':
				o.udp = true;
				break;
			case 'reverse':
				o.reverse = true;
				break;
			case 'no-delay':
				o.nodelay = true;
				break;
		}
	}
	if (!o.server && o.host === '') {
		return { text: `iperf3: parameter error - must either be a client (-c) or server (-s)\n\n${USAGE}`, status: 1 };
	}
	if (o.bandwidth < 0) o.bandwidth = o.udp ? 1048576 : 0;
	if (o.omit > 0) throw bad('--omit is not supported by linnet');
	return o;
}

/** A test under way, at either end. */
class Test {
	p: Process;
	o: Options;
	streams: Stream[] = [];
	running: Promise<void>[] = [];
	/** ns when it began. */
	start = 0;
	peer: proto.Results | null = null;
	udp = false;
	/** This end sends. */
	sender = false;
	sum: Record<string, unknown> = {};
	intervals: unknown[] = [];
	private reported = 0;

	constructor(p: Process, o: Options) {
		this.p = p;
		this.o = o;
	}

	say(line: string): void {
		if (this.o.json) return;
		this.p.stdout.write(`${this.o.title === '' ? '' : `${this.o.title}:  `}${line}\n`);
	}

	/** Starts the streams, each in a process of its own. */
	go(): void {
		this.start = this.p.monotonic();
		for (const s of this.streams) {
			const child = this.p.fork('iperf3');
			child.task.files = this.p.task.files;
			this.running.push(
				s.run(child).finally(() => {
					child.task.files = [];
					child.exit();
				}),
			);
		}
		this.say(this.header(true));
	}

	elapsed(): number {
		return (this.p.monotonic() - this.start) / 1e9;
	}

	private header(interval: boolean): string {
		const head = '[ ID] Interval           Transfer     Bitrate';
		if (this.udp)
			return head + (interval && this.sender ? '         Total Datagrams' : '         Jitter    Lost/Total Datagrams');
		// The client's lines say what the sender sent again, whoever that is.
		if (this.o.server && !this.sender) return head;
		return head + (interval ? '         Retr  Cwnd' : '         Retr');
	}

	/** Prints what happened since the last line. */
	report(): void {
		const { p, o } = this;
		const from = this.reported;
		const to = this.elapsed();
		const secs = to - from;
		if (secs <= 0) return;
		let sum = 0;
		let sum_retrans = 0;
		let sum_packets = 0;
		let sum_lost = 0;
		if (from > 0 && this.streams.length > 1) this.say(RULE);
		const rows: unknown[] = [];
		for (const s of this.streams) {
			const n = s.bytes - s.last.bytes;
			const packets = s.packets - s.last.packets;
			const lost = s.lost - s.last.lost;
			const all = s.sender ? s.retransmits(p) : 0;
			const retrans = all - s.last.retrans;
			const line = `[${String(s.label).padStart(3)}] ${span(from, to)} sec  ${bytes(n)}  ${rate((n * 8) / secs, o.format)}`;
			if (s.udp)
				this.say(
					s.sender
						? `${line}  ${packets}  `
						: `${line}  ${(s.jitter * 1000).toFixed(3)} ms  ${lost}/${packets} (${percent(lost, packets)}%)  `,
				);
			else
				this.say(
					s.sender
						? `${line}  ${String(retrans).padStart(3)}   ${bytes(s.cwnd(p))}       `
						: `${line}                  `,
				);
			rows.push({
				socket: s.label,
				start: from,
				end: to,
				seconds: secs,
				bytes: n,
				bits_per_second: (n * 8) / secs,
				...(s.sender && !s.udp ? { retransmits: retrans, snd_cwnd: s.cwnd(p) } : {}),
				...(s.udp ? { packets, ...(s.sender ? {} : { jitter_ms: s.jitter * 1000, lost_packets: lost }) } : {}),
				omitted: false,
				sender: s.sender,
			});
			s.last = { bytes: s.bytes, packets: s.packets, lost: s.lost, retrans: all };
			sum += n;
			sum_retrans += retrans;
			sum_packets += packets;
			sum_lost += lost;
		}
		if (this.streams.length > 1) {
			const line = `[SUM] ${span(from, to)} sec  ${bytes(sum)}  ${rate((sum * 8) / secs, o.format)}`;
			if (this.udp)
				this.say(
					this.sender
						? `${line}  ${sum_packets}  `
						: `${line}  ${((this.streams.reduce((a, s) => a + s.jitter, 0) * 1000) / this.streams.length).toFixed(3)} ms  ${sum_lost}/${sum_packets} (${percent(sum_lost, sum_packets)}%)  `,
				);
			else
				this.say(
					this.sender ? `${line}  ${String(sum_retrans).padStart(3)}             ` : `${line}                  `,
				);
		}
		this.intervals.push({
			streams: rows,
			sum: {
				start: from,
				end: to,
				seconds: secs,
				bytes: sum,
				bits_per_second: (sum * 8) / secs,
				...(this.sender && !this.udp ? { retransmits: sum_retrans } : {}),
				omitted: false,
				sender: this.sender,
			},
		});
		this.reported = to;
	}

	results(): proto.Results {
		const end = this.reported;
		return {
			cpu_util_total: 0,
			cpu_util_user: 0,
			cpu_util_system: 0,
			sender_has_retransmits: this.sender ? (this.udp ? 0 : 1) : -1,
			...(this.udp ? {} : { congestion_used: this.congestion() }),
			streams: this.streams.map((s) => ({
				id: s.id,
				bytes: s.bytes,
				retransmits: s.sender && !this.udp ? s.last.retrans : -1,
				jitter: s.jitter,
				errors: s.lost,
				packets: s.packets,
				start_time: 0,
				end_time: end,
			})),
		};
	}

	congestion(): string {
		const b = new Uint8Array(16);
		if (this.streams.length === 0 || this.p.getsockopt(this.streams[0].fd, SOL_TCP, TCP_CONGESTION, b) < 0)
			return 'unknown';
		const end = b.indexOf(0);
		return String.fromCharCode(...b.subarray(0, end < 0 ? 16 : end));
	}

	/** The last lines: what the sender sent, what the receiver got. */
	summary(): void {
		const { o } = this;
		const mine = this.results();
		const theirs = this.peer;
		this.say(RULE);
		if (o.verbose) this.say('Test Complete. Summary Results:');
		this.say(this.header(false));
		const totals = { sent: 0, received: 0, retrans: 0, jitter: 0, lost: 0, packets: 0, sent_time: 0, received_time: 0 };
		const rows: unknown[] = [];
		for (const s of this.streams) {
			const m = mine.streams.find((x) => x.id === s.id)!;
			const t = theirs?.streams.find((x) => x.id === s.id);
			const sent = s.sender ? m : t;
			const received = s.sender ? t : m;
			const id = `[${String(s.label).padStart(3)}]`;
			if (sent !== undefined) {
				totals.sent += sent.bytes;
				totals.retrans += Math.max(0, sent.retransmits);
				totals.sent_time = Math.max(totals.sent_time, sent.end_time);
				const line = `${id} ${span(0, sent.end_time)} sec  ${bytes(sent.bytes)}  ${rate((sent.bytes * 8) / Math.max(sent.end_time, 1e-9), o.format)}`;
				if (!o.server || s.sender)
					this.say(
						this.udp
							? `${line}  ${(0).toFixed(3)} ms  0/${sent.packets} (0%)  sender`
							: `${line}  ${String(sent.retransmits).padStart(3)}             sender`,
					);
			}
			if (received !== undefined) {
				totals.received += received.bytes;
				totals.jitter += received.jitter / this.streams.length;
				totals.lost += received.errors;
				totals.packets += received.packets;
				totals.received_time = Math.max(totals.received_time, received.end_time);
				const line = `${id} ${span(0, received.end_time)} sec  ${bytes(received.bytes)}  ${rate((received.bytes * 8) / Math.max(received.end_time, 1e-9), o.format)}`;
				if (!o.server || !s.sender)
					this.say(
						this.udp
							? `${line}  ${(received.jitter * 1000).toFixed(3)} ms  ${received.errors}/${received.packets} (${percent(received.errors, received.packets)}%)  receiver`
							: `${line}                  receiver`,
					);
			}
			rows.push({ [this.udp ? 'udp' : 'sender']: sent ?? null, receiver: received ?? null });
		}
		if (this.streams.length > 1) {
			const line = (time: number, n: number): string =>
				`[SUM] ${span(0, time)} sec  ${bytes(n)}  ${rate((n * 8) / Math.max(time, 1e-9), o.format)}`;
			if (this.udp) {
				if (!o.server || this.sender)
					this.say(`${line(totals.sent_time, totals.sent)}  ${(0).toFixed(3)} ms  0/${totals.packets} (0%)  sender`);
				if (!o.server || !this.sender)
					this.say(
						`${line(totals.received_time, totals.received)}  ${(totals.jitter * 1000).toFixed(3)} ms  ${totals.lost}/${totals.packets} (${percent(totals.lost, totals.packets)}%)  receiver`,
					);
			} else {
				if (!o.server || this.sender)
					this.say(`${line(totals.sent_time, totals.sent)}  ${String(totals.retrans).padStart(3)}             sender`);
				if (!o.server || !this.sender)
					this.say(`${line(totals.received_time, totals.received)}                  receiver`);
			}
		}
		if (o.verbose && !this.udp) {
			const [snd, rcv] = this.sender ? [mine, theirs] : [theirs, mine];
			if (snd?.congestion_used !== undefined) this.say(`snd_tcp_congestion ${snd.congestion_used}`);
			if (rcv?.congestion_used !== undefined) this.say(`rcv_tcp_congestion ${rcv.congestion_used}`);
		}
		const side = (time: number, n: number, sender: boolean): object => ({
			start: 0,
			end: time,
			seconds: time,
			bytes: n,
			bits_per_second: (n * 8) / Math.max(time, 1e-9),
			...(sender && !this.udp ? { retransmits: totals.retrans } : {}),
			sender,
		});
		this.sum = {
			streams: rows,
			sum_sent: side(totals.sent_time, totals.sent, true),
			sum_received: side(totals.received_time, totals.received, false),
		};
	}

	/** Prints lines at each interval until `end` resolves or, in seconds, `until` is there. */
	async watch(until: number, ended: () => boolean, wake: () => Promise<void>): Promise<void> {
		const { interval } = this.o;
		let next = interval > 0 ? interval : Infinity;
		while (!ended()) {
			const now = this.elapsed();
			if (now >= until - 1e-9) break;
			if (now >= next - 1e-9) {
				this.report();
				next += interval;
				continue;
			}
			const left = Math.min(until, next) - now;
			await this.p.wait_for(Promise.race([sleeper(this.p, left * 1000), wake()]));
		}
	}

	async stop(): Promise<void> {
		for (const s of this.streams) s.stopped = true;
	}
}

function percent(lost: number, of: number): string {
	const v = of === 0 ? 0 : (100 * lost) / of;
	return String(Number(v.toPrecision(2)));
}

/** Sleeps in a process of its own, so that the caller may wait for something else as well. */
function sleeper(p: Process, ms: number): Promise<void> {
	const child = p.fork('iperf3');
	return child.sleep(Math.max(ms, 0)).then(() => child.exit());
}

function setup(
	p: Process,
	fd: number,
	o: { window?: number; nodelay?: boolean; TOS?: number; congestion?: string; MSS?: number },
): void {
	if (o.window) {
		p.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, o.window);
		p.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, o.window);
	}
	if (o.nodelay) p.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
	if (o.MSS) p.setsockopt(fd, SOL_TCP, TCP_MAXSEG, o.MSS);
	if (o.TOS) p.setsockopt(fd, SOL_IP, IP_TOS, o.TOS);
	if (o.congestion) p.setsockopt(fd, SOL_TCP, TCP_CONGESTION, utf8(o.congestion));
}

function int_option(p: Process, fd: number, level: number, name: number): number {
	const b = new Uint8Array(4);
	return p.getsockopt(fd, level, name, b) < 0 ? 0 : b[0] | (b[1] << 8) | (b[2] << 16);
}

function name_of(a: sockaddr): string {
	return [24, 16, 8, 0].map((s) => (a.sin_addr >>> s) & 255).join('.');
}

function connected(t: Test, s: Stream): void {
	const local = sockaddr_in(0, 0);
	const peer = sockaddr_in(0, 0);
	t.p.getsockname(s.fd, local);
	t.p.getpeername(s.fd, peer);
	t.say(
		`[${String(s.label).padStart(3)}] local ${name_of(local)} port ${local.sin_port} connected to ${name_of(peer)} port ${peer.sin_port}`,
	);
}

// ---- client ------------------------------------------------------------------------------------------------------------------------

async function client(p: Process, o: Options): Promise<number> {
	const t = new Test(p, o);
	const found = await gethostbyname(p, o.host);
	const address = found?.addr ?? 0;
	if (found === null) throw new Failure('error - unable to connect to server: Name or service not known');
	const open = async (): Promise<number> => {
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		if (o.bind !== 0) p.bind(fd, sockaddr_in(o.bind, 0));
		const r = await p.connect(fd, sockaddr_in(address, o.port));
		if (r < 0) throw new Failure(`error - unable to connect to server: ${strerror(-r)}`);
		return fd;
	};
	if (o.verbose) t.say(VERSION);
	const ctrl = await open();
	const cookie = new Uint8Array(proto.COOKIE_SIZE);
	for (let i = 0; i < 36; i++) cookie[i] = 'abcdefghijklmnopqrstuvwxyz234567'.charCodeAt(p.random() & 31);
	p.setsockopt(ctrl, SOL_TCP, TCP_NODELAY, 1);
	await proto.writen(p, ctrl, cookie);
	const mss = int_option(p, ctrl, SOL_TCP, TCP_MAXSEG);
	const blksize = o.len > 0 ? o.len : o.udp ? mss : 131072;
	t.udp = o.udp;
	t.sender = !o.reverse;
	t.say(`Connecting to host ${o.host}, port ${o.port}`);
	if (o.reverse) t.say(`Reverse mode, remote host ${o.host} is sending`);
	let ended = false;
	let state = 0;
	for (;;) {
		state = await proto.read_state(p, ctrl);
		if (state === proto.PARAM_EXCHANGE) {
			const params: proto.Parameters = {
				...(o.udp ? { udp: true } : { tcp: true }),
				omit: 0,
				time: o.num > 0 || o.blocks > 0 ? 0 : o.time,
				num: o.num,
				blockcount: o.blocks,
				...(o.mss > 0 ? { MSS: o.mss } : {}),
				...(o.nodelay ? { nodelay: true } : {}),
				parallel: o.parallel,
				...(o.reverse ? { reverse: true } : {}),
				...(o.window > 0 ? { window: o.window } : {}),
				len: blksize,
				...(o.bandwidth > 0 ? { bandwidth: o.bandwidth } : {}),
				pacing_timer: 1000,
				...(o.tos > 0 ? { TOS: o.tos } : {}),
				...(o.congestion !== '' ? { congestion: o.congestion } : {}),
				client_version: '3.12',
			};
			await proto.send_json(p, ctrl, params);
		} else if (state === proto.CREATE_STREAMS) {
			for (let i = 0; i < o.parallel; i++) {
				const fd = p.socket(AF_INET, o.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
				if (o.bind !== 0 || o.cport !== 0) p.bind(fd, sockaddr_in(o.bind, o.cport === 0 ? 0 : o.cport + i));
				setup(p, fd, { window: o.window, nodelay: o.nodelay, TOS: o.tos, congestion: o.congestion, MSS: o.mss });
				const r = await p.connect(fd, sockaddr_in(address, o.port));
				if (r < 0) throw new Failure(`error - unable to connect stream: ${strerror(-r)}`);
				if (o.udp) {
					await p.sendmsg(fd, new msghdr(Uint8Array.from(proto.UDP_CONNECT_MSG)), 0);
					await p.recvmsg(fd, new msghdr(new Uint8Array(4)), 0);
				} else await proto.writen(p, fd, cookie);
				const s = new Stream(fd, i, 5 + 2 * i, t.sender, o.udp, blksize, o.bandwidth);
				if (o.num > 0) s.limit.bytes = o.num / o.parallel;
				if (o.blocks > 0) s.limit.blocks = o.blocks / o.parallel;
				t.streams.push(s);
				connected(t, s);
			}
		} else if (state === proto.TEST_START) {
			if (o.verbose)
				t.say(
					`Starting Test: protocol: ${o.udp ? 'UDP' : 'TCP'}, ${o.parallel} streams, ${blksize} byte blocks, omitting 0 seconds, ${o.time} second test, tos ${o.tos}`,
				);
		} else if (state === proto.TEST_RUNNING) {
			t.go();
			const limited = o.num > 0 || o.blocks > 0;
			const done = (): boolean =>
				limited &&
				t.streams.reduce((n, s) => n + (o.num > 0 ? s.bytes : o.udp ? s.packets : s.bytes / blksize), 0) >=
					(o.num > 0 ? o.num : o.blocks);
			const all = Promise.all(t.running).then(() => {
				ended = true;
			});
			// Bytes that a receiver waits for are seen at each interval only.
			await t.watch(
				limited ? Infinity : o.time,
				() => ended || done(),
				() => all,
			);
			await t.stop();
			t.report();
			await proto.send_state(p, ctrl, proto.TEST_END);
		} else if (state === proto.EXCHANGE_RESULTS) {
			await proto.send_json(p, ctrl, t.results());
			t.peer = (await proto.read_json(p, ctrl)) as proto.Results;
		} else if (state === proto.DISPLAY_RESULTS) {
			t.summary();
			await proto.send_state(p, ctrl, proto.IPERF_DONE);
			break;
		} else if (state === proto.ACCESS_DENIED)
			throw new Failure('error - the server is busy running a test. try again later');
		else if (state === proto.SERVER_TERMINATE) throw new Failure('interrupt - the server has terminated');
		else throw new Failure('error - received an unknown control message (ensure other side is iperf3 and not iperf)');
	}
	for (const s of t.streams) p.close(s.fd);
	p.close(ctrl);
	t.say('');
	t.say('iperf Done.');
	if (o.json) print_json(p, t, { host: o.host, port: o.port }, mss, blksize);
	return 0;
}

function print_json(p: Process, t: Test, to: { host: string; port: number }, mss: number, blksize: number): void {
	const { o } = t;
	const value = {
		start: {
			connected: t.streams.map((s) => ({ socket: s.label })),
			version: VERSION,
			connecting_to: to,
			tcp_mss_default: mss,
			target_bitrate: o.bandwidth,
			test_start: {
				protocol: t.udp ? 'UDP' : 'TCP',
				num_streams: t.streams.length,
				blksize,
				omit: 0,
				duration: o.time,
				bytes: o.num,
				blocks: o.blocks,
				reverse: o.reverse ? 1 : 0,
				tos: o.tos,
			},
		},
		intervals: t.intervals,
		end: t.sum,
	};
	p.stdout.write(`${JSON.stringify(value, null, '\t')}\n`);
}

// ---- server ------------------------------------------------------------------------------------------------------------------------

function listener(p: Process, o: Options, type: number): number {
	const fd = p.socket(AF_INET, type, 0);
	p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	const r = p.bind(fd, sockaddr_in(o.bind, o.port));
	const l = r < 0 || type === SOCK_DGRAM ? r : p.listen(fd, 2147483647);
	if (l < 0) throw new Failure(`error - unable to start listener for connections: ${strerror(-l)}`);
	return fd;
}

async function serve_one(p: Process, base: Options, listen_fd: number): Promise<void> {
	const from = sockaddr_in(0, 0);
	const ctrl = await p.accept(listen_fd, from);
	if (ctrl < 0) throw new Failure(`error - unable to accept connection from client: ${strerror(-ctrl)}`);
	const o: Options = { ...base };
	const t = new Test(p, o);
	let ended = false;
	try {
		const cookie = await proto.readn(p, ctrl, proto.COOKIE_SIZE);
		p.setsockopt(ctrl, SOL_TCP, TCP_NODELAY, 1);
		t.say(`Accepted connection from ${name_of(from)}, port ${from.sin_port}`);
		await proto.send_state(p, ctrl, proto.PARAM_EXCHANGE);
		const params = (await proto.read_json(p, ctrl)) as proto.Parameters;
		const n = Math.min(128, Math.max(1, params.parallel ?? 1));
		t.udp = params.udp === true;
		t.sender = params.reverse === true;
		o.time = params.time ?? 10;
		o.num = params.num ?? 0;
		const blksize = Math.min(1 << 20, Math.max(16, params.len ?? 131072));
		if (params.bidirectional) {
			await proto.send_state(p, ctrl, proto.ACCESS_DENIED);
			throw new proto.ControlError('the client asks for --bidir, which linnet has not');
		}
		let udp_fd = t.udp ? listener(p, o, SOCK_DGRAM) : -1;
		await proto.send_state(p, ctrl, proto.CREATE_STREAMS);
		for (let i = 0; i < n; i++) {
			let fd: number;
			if (t.udp) {
				const m = new msghdr(new Uint8Array(64), sockaddr_in(0, 0));
				const r = await p.recvmsg(udp_fd, m, 0);
				if (r < 0) throw new proto.ControlError(`no stream: ${strerror(-r)}`);
				fd = udp_fd;
				await p.connect(fd, m.msg_name!);
				// The next stream comes to a socket of its own; the first answer goes out after it is there.
				udp_fd = i + 1 < n ? listener(p, o, SOCK_DGRAM) : -1;
				setup(p, fd, { window: params.window, TOS: params.TOS });
				await p.sendmsg(fd, new msghdr(Uint8Array.from(proto.UDP_CONNECT_REPLY)), 0);
			} else {
				fd = await p.accept(listen_fd, null);
				if (fd < 0) throw new proto.ControlError(`no stream: ${strerror(-fd)}`);
				const c = await proto.readn(p, fd, proto.COOKIE_SIZE);
				if (c.some((b, k) => b !== cookie[k])) {
					// Somebody else, while a test runs.
					await proto.send_state(p, fd, proto.ACCESS_DENIED);
					p.close(fd);
					i--;
					continue;
				}
				setup(p, fd, params);
			}
			const s = new Stream(fd, i, i === 0 ? 5 : 6 + 2 * i, t.sender, t.udp, blksize, params.bandwidth ?? 0);
			t.streams.push(s);
			connected(t, s);
		}
		await proto.send_state(p, ctrl, proto.TEST_START);
		await proto.send_state(p, ctrl, proto.TEST_RUNNING);
		t.go();
		const control = proto.read_state_in(p, ctrl).then((state) => {
			ended = true;
			return state;
		});
		await t.watch(
			Infinity,
			() => ended,
			() => control.then(() => {}),
		);
		const state = await p.wait_for(control);
		await t.stop();
		t.report();
		// As the original: a client that drains a stream whose last block it has in part (-R) waits for its end, not for the rest.
		for (const s of t.streams) {
			p.close(s.fd);
			s.fd = -1;
		}
		if (state === proto.CLIENT_TERMINATE) throw new proto.ControlError('the client has terminated');
		await proto.send_state(p, ctrl, proto.EXCHANGE_RESULTS);
		t.peer = (await proto.read_json(p, ctrl)) as proto.Results;
		await proto.send_json(p, ctrl, t.results());
		await proto.send_state(p, ctrl, proto.DISPLAY_RESULTS);
		t.summary();
		await proto.read_state(p, ctrl);
	} catch (e) {
		if (!(e instanceof proto.ControlError)) throw e;
		p.stderr.write(`iperf3: error - ${e.message}\n`);
	} finally {
		for (const s of t.streams) {
			s.stopped = true;
			if (s.fd >= 0) p.close(s.fd);
		}
		p.close(ctrl);
	}
	if (o.json) print_json(p, t, { host: name_of(from), port: from.sin_port }, 0, 0);
}

async function server(p: Process, o: Options): Promise<number> {
	const fd = listener(p, o, SOCK_STREAM);
	for (let test = 1; ; test++) {
		if (!o.json)
			p.stdout.write(
				`-----------------------------------------------------------\nServer listening on ${o.port} (test #${test})\n-----------------------------------------------------------\n`,
			);
		await serve_one(p, o, fd);
		if (o.one_off) break;
	}
	p.close(fd);
	return 0;
}

/** `iperf3`. Return: exit status. */
export async function iperf3(p: Process): Promise<number> {
	try {
		const o = parse(p.argv);
		if ('text' in o) {
			(o.status === 0 ? p.stdout : p.stderr).write(o.text);
			return o.status;
		}
		if (!o.server) return await client(p, o);
		if (!o.daemon) return await server(p, o);
		const child = p.fork('iperf3');
		void server(child, o)
			.catch(() => {})
			.finally(() => child.exit());
		return 0;
	} catch (e) {
		if (e instanceof Failure || e instanceof proto.ControlError) {
			p.stderr.write(`iperf3: ${e instanceof Failure ? '' : 'error - '}${e.message}\n`);
			return 1;
		}
		throw e;
	}
}
