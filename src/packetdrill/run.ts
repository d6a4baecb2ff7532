/*
 * packetdrill/run.ts: runs a script against a kernel and says where they differ.
 *
 * Walk: runScript -> each event at its time: call | packet in (packet_in) | packet out (packet_out) | command | code
 * Sequence numbers of a script are relative to each side's first (its SYN's); time stamps are mapped by first sight.
 */
import type { Call, CallResult, Kernel } from './kernel.ts';
import { CodeError, runCode, type Scope } from './python.ts';
import type { CallEvent, Event, Expr, IcmpSpec, PacketEvent, Script, TcpOption, TcpSpec } from './script.ts';
import { ScriptError } from './script.ts';
import { errnoName, errnoNumber, symbol, symbols } from './symbols.ts';
import { decodeTcpInfo } from './tcp_info.ts';
import {
	buildIcmp,
	buildTcp,
	buildUdp,
	type End,
	encodeOptions,
	flagBits,
	flagText,
	ICMP_CODES,
	ICMP_TYPES,
	optionText,
	parsePacket,
	type Seen,
	type Segment,
} from './wire.ts';

export interface RunConfig {
	local_ip: number;
	remote_ip: number;
	bind_port: number;
	connect_port: number;
	tolerance_usecs: number;
	/** us a tick of time stamps; 0: their values are not compared. */
	tcp_ts_tick_usecs: number;
	/** Data must leave in just the segments that the script shows; else one of the script may stand for several that follow each other. */
	strict_segments: boolean;
	/** 'packet', 'syscall': mismatches that are told and passed over. */
	non_fatal: Set<string>;
	verbose: ((line: string) => void) | null;
	/** What code prints. */
	print: (text: string) => void;
	/** Told of mismatches that are passed over. */
	warn: (text: string) => void;
}

/** A connection under test. */
class Connection {
	local: End;
	remote: End;
	/** First numbers: the wire's and the script's. */
	local_isn: number | null = null;
	local_script = 0;
	remote_isn: number | null = null;
	remote_script = 0;
	/** Time stamps of ours: the script's to the wire's. */
	ts: Map<number, number> = new Map();
	ts_first: { script: number; live: number } | null = null;

	constructor(local: End, remote: End) {
		this.local = local;
		this.remote = remote;
	}
}

const TCP_INFO = 11;
const NON_FATAL_RESULT = 'passed over';

class Runner {
	private script: Script;
	private kernel: Kernel;
	private config: RunConfig;
	/** Script time (us) that `+` counts from. */
	private last = 0;
	private fds: Map<number, number> = new Map();
	/** Descriptors (the kernel's) of epoll. */
	private connections: Connection[] = [];
	private current: Connection | null = null;
	/** A listen() since the last connection: the next SYN makes a new one. */
	private listening = false;
	private nextPort = 0;
	private bound: Map<number, number> = new Map();
	private connected = false;
	private udpFd = -1;
	/** The descriptor (the kernel's) that code asks about. */
	private subject = -1;
	private pending: { event: Event; call: CallEvent; done: Promise<void>; finished: boolean; due: number } | null = null;
	private scope: Scope = new Map();

	constructor(script: Script, kernel: Kernel, config: RunConfig) {
		this.script = script;
		this.kernel = kernel;
		this.config = config;
	}

	private fail(line: number, message: string): never {
		throw new ScriptError(this.script.file, line, message);
	}

	async run(): Promise<void> {
		if (this.script.init !== null) await this.command(this.script.init.script, this.script.init.line);
		for (const event of this.script.events) await this.event(event);
		await this.idle();
		if (this.script.cleanup !== null) await this.command(this.script.cleanup.script, this.script.cleanup.line);
	}

	private async event(event: Event): Promise<void> {
		const { when, what, line } = event;
		const base = when.kind === 'relative' ? this.last : 0;
		const at = when.kind === 'any' ? this.kernel.now() : base + when.at;
		const end = when.end === null ? null : base + when.end;
		if (at < this.last) this.fail(line, `time goes back: ${at / 1e6} is before ${this.last / 1e6}`);
		const out = what.action === 'packet' && !what.inbound;
		if (!out && when.kind !== 'any') await this.kernel.sleepUntil(at);
		if (when.kind !== 'any') this.last = at;
		switch (what.action) {
			case 'command':
				await this.idle();
				await this.command(what.script, line);
				break;
			case 'code':
				await this.code(what.code, line);
				break;
			case 'call':
				await this.idle();
				await this.call(event, what, end);
				break;
			case 'packet':
				if (what.inbound) await this.packetIn(what, line);
				else {
					try {
						await this.packetOut(event, what, at, end);
					} catch (e) {
						if (!(e instanceof ScriptError) || !this.config.non_fatal.has('packet')) throw e;
						this.config.warn(`${e.message} (${NON_FATAL_RESULT})`);
					}
				}
				break;
		}
		if (when.kind === 'any') this.last = this.kernel.now();
	}

	private async command(script: string, line: number): Promise<void> {
		const { status, output } = await this.kernel.command(script);
		this.config.verbose?.(`command: ${script}`);
		if (status !== 0)
			this.fail(
				line,
				`error executing \`${script.trim()}\` command: exit status ${status}${output === '' ? '' : `\n${output.trimEnd()}`}`,
			);
	}

	private async code(code: string, line: number): Promise<void> {
		for (const [name, value] of symbols()) if (!this.scope.has(name)) this.scope.set(name, value);
		if (this.subject >= 0) {
			const r = await this.kernel.syscall({
				call: 'getsockopt',
				fd: this.subject,
				level: 6,
				optname: TCP_INFO,
				len: 512,
			});
			if (r.ret >= 0) for (const [name, value] of decodeTcpInfo(Uint8Array.from(r.value!))) this.scope.set(name, value);
			const m = await this.kernel.syscall({
				call: 'getsockopt',
				fd: this.subject,
				level: 1,
				optname: symbol('SO_MEMINFO')!,
				len: 36,
			});
			if (m.ret >= 0) {
				const names = [
					'RMEM_ALLOC',
					'RCVBUF',
					'WMEM_ALLOC',
					'SNDBUF',
					'FWD_ALLOC',
					'WMEM_QUEUED',
					'OPTMEM',
					'BACKLOG',
					'DROPS',
				];
				names.forEach((name, i) => {
					const v = m.value!.slice(4 * i, 4 * i + 4);
					if (v.length === 4) this.scope.set(`SK_MEMINFO_${name}`, v[0] + v[1] * 256 + v[2] * 65536 + v[3] * 16777216);
				});
			}
		}
		try {
			runCode(code, this.scope, this.config.print);
		} catch (e) {
			if (!(e instanceof CodeError)) throw e;
			this.fail(line + e.line, `error executing code: ${e.message}`);
		}
	}

	// ---- system calls ----------------------------------------------------------------------------------------------------------

	private number(e: Expr, line: number, what: string): number {
		switch (e.e) {
			case 'int':
				return e.v;
			case 'name': {
				const v = symbol(e.v) ?? errnoNumber(e.v);
				if (v === undefined) this.fail(line, `unknown symbol: '${e.v}'`);
				return v;
			}
			case 'or':
				return Number(BigInt(this.number(e.a, line, what)) | BigInt(this.number(e.b, line, what)));
			case 'call':
				if (e.name === 'htons' || e.name === 'htonl') return this.number(e.args[0], line, what);
				this.fail(line, `${what}: '${e.name}()' is not there`);
				break;
			case 'array':
				if (e.v.length === 1) return this.number(e.v[0], line, what);
				break;
		}
		this.fail(line, `bad ${what}: a number is expected`);
	}

	private fd(e: Expr | undefined, line: number): number {
		if (e === undefined) this.fail(line, 'a file descriptor is missing');
		const n = this.number(e, line, 'file descriptor');
		const live = this.fds.get(n);
		// A descriptor that the script never opened goes through as it is, to fail as it does on the kernel.
		return live ?? 10000 + n;
	}

	private address(e: Expr | undefined, line: number, byDefault: End): End {
		if (e === undefined || e.e === 'any') return byDefault;
		if (e.e !== 'struct')
			this.fail(
				line,
				'a sockaddr is expected: ... or {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}',
			);
		const port = e.v.get('sin_port');
		const ip = e.v.get('sin_addr');
		const end = { ...byDefault };
		if (port !== undefined && port.e !== 'any') end.port = this.number(port, line, 'sin_port');
		if (ip?.e === 'call' && ip.args[0]?.e === 'string') {
			end.ip = ip.args[0].v.split('.').reduce((n, b) => n * 256 + Number(b), 0);
		} else if (ip?.e === 'name' && ip.v === 'INADDR_ANY') end.ip = 0;
		return end;
	}

	/** What a send call gives: lengths of the pieces, and the bytes where the script says them. */
	private data(e: Expr | undefined, len: Expr | undefined, line: number): { iov: number[]; data: number[] | null } {
		const n = len === undefined ? null : this.number(len, line, 'length');
		if (e?.e === 'string') {
			const bytes = [...e.v].map((c) => c.charCodeAt(0) & 255);
			return { iov: [n ?? bytes.length], data: bytes.slice(0, n ?? bytes.length) };
		}
		return { iov: [n ?? 0], data: null };
	}

	private iov(e: Expr | undefined, line: number): number[] {
		if (e?.e !== 'array') this.fail(line, 'an iovec array is expected: [{..., 1000}, …]');
		return e.v.map((x) => {
			if (x.e !== 'tuple' || x.v.length !== 2) this.fail(line, 'an iovec is expected: {..., 1000}');
			return this.number(x.v[1], line, 'length');
		});
	}

	private optionBytes(args: Expr[], line: number): number[] {
		const v = args[3];
		const le = (n: number, size: number): number[] =>
			Array.from({ length: size }, (_, i) => Math.floor((n < 0 ? n + 2 ** 32 : n) / 256 ** i) & 255);
		const len = args[4] === undefined || args[4].e === 'any' ? null : this.number(args[4], line, 'length');
		if (v === undefined) this.fail(line, 'the value of the option is missing');
		if (v.e === 'string') {
			const b = [...v.v].map((c) => c.charCodeAt(0) & 255);
			while (len !== null && b.length < len) b.push(0);
			return b;
		}
		if (v.e === 'struct') {
			const field = (name: string): number => {
				const f = v.v.get(name);
				return f === undefined ? 0 : this.number(f, line, name);
			};
			if (v.v.has('onoff')) return [...le(field('onoff'), 4), ...le(field('linger'), 4)];
			if (v.v.has('tv_sec')) return [...le(field('tv_sec'), 8), ...le(field('tv_usec'), 8)];
			this.fail(
				line,
				`bad option value {${[...v.v.keys()].join(', ')}}: {onoff=1, linger=0} and {tv_sec=1, tv_usec=0} are there`,
			);
		}
		if (v.e === 'any') return Array.from({ length: len ?? 4 }, () => 0);
		if (v.e === 'array')
			return v.v.flatMap((x) => le(this.number(x, line, 'option value'), v.v.length === 1 ? (len ?? 4) : 4));
		return le(this.number(v, line, 'option value'), len ?? 4);
	}

	/** The call's arguments as a kernel takes them. */
	private convert(c: CallEvent, line: number): Call {
		const a = c.args;
		const num = (i: number, what: string): number => {
			if (a[i] === undefined) this.fail(line, `${c.name}(): ${what} is missing`);
			return this.number(a[i], line, what);
		};
		const local: End = { ip: this.config.local_ip, port: this.config.bind_port };
		const remote: End = { ip: this.config.remote_ip, port: this.config.connect_port };
		switch (c.name) {
			case 'socket':
				return {
					call: 'socket',
					family: a[0]?.e === 'any' ? 2 : num(0, 'family'),
					type: num(1, 'type'),
					protocol: num(2, 'protocol'),
				};
			case 'bind':
				return { call: 'bind', fd: this.fd(a[0], line), addr: this.address(a[1], line, local) };
			case 'listen':
				return { call: 'listen', fd: this.fd(a[0], line), backlog: num(1, 'backlog') };
			case 'accept':
				return { call: 'accept', fd: this.fd(a[0], line), flags: 0 };
			case 'accept4':
				return { call: 'accept', fd: this.fd(a[0], line), flags: num(3, 'flags') };
			case 'connect':
				return {
					call: 'connect',
					fd: this.fd(a[0], line),
					addr: isUnspec(a[1]) ? null : this.address(a[1], line, remote),
				};
			case 'read':
				return { call: 'recv', fd: this.fd(a[0], line), len: num(2, 'length'), flags: 0, control: false };
			case 'recv':
			case 'recvfrom':
				return { call: 'recv', fd: this.fd(a[0], line), len: num(2, 'length'), flags: num(3, 'flags'), control: false };
			case 'readv':
				return {
					call: 'recv',
					fd: this.fd(a[0], line),
					len: this.iov(a[1], line).reduce((x, y) => x + y, 0),
					flags: 0,
					control: false,
				};
			case 'write':
				return { call: 'send', fd: this.fd(a[0], line), ...this.data(a[1], a[2], line), flags: 0, addr: null };
			case 'send':
				return {
					call: 'send',
					fd: this.fd(a[0], line),
					...this.data(a[1], a[2], line),
					flags: num(3, 'flags'),
					addr: null,
				};
			case 'sendto': {
				const addr = a[4]?.e === 'any' || a[4]?.e === 'struct' ? this.address(a[4], line, remote) : null;
				return { call: 'send', fd: this.fd(a[0], line), ...this.data(a[1], a[2], line), flags: num(3, 'flags'), addr };
			}
			case 'writev':
				return { call: 'send', fd: this.fd(a[0], line), iov: this.iov(a[1], line), data: null, flags: 0, addr: null };
			case 'sendmsg':
			case 'recvmsg': {
				const m = a[1];
				if (m?.e !== 'struct')
					this.fail(
						line,
						`${c.name}(): a msghdr is expected: {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}`,
					);
				const iov = this.iov(m.v.get('msg_iov'), line);
				const fd = this.fd(a[0], line);
				const flags = num(2, 'flags');
				if (c.name === 'recvmsg')
					return { call: 'recv', fd, len: iov.reduce((x, y) => x + y, 0), flags, control: m.v.has('msg_control') };
				return {
					call: 'send',
					fd,
					iov,
					data: null,
					flags,
					addr: (flags & symbol('MSG_FASTOPEN')!) !== 0 ? remote : null,
				};
			}
			case 'setsockopt':
				return {
					call: 'setsockopt',
					fd: this.fd(a[0], line),
					level: num(1, 'level'),
					optname: num(2, 'option'),
					value: this.optionBytes(a, line),
				};
			case 'getsockopt': {
				const len = a[4] === undefined || a[4].e === 'any' ? 256 : this.number(a[4], line, 'length');
				return { call: 'getsockopt', fd: this.fd(a[0], line), level: num(1, 'level'), optname: num(2, 'option'), len };
			}
			case 'poll': {
				if (a[0]?.e !== 'array')
					this.fail(line, 'poll(): an array is expected: [{fd=3, events=POLLIN, revents=POLLIN}]');
				const fds = a[0].v.map((p) => {
					if (p.e !== 'struct') this.fail(line, 'poll(): a pollfd is expected: {fd=3, events=POLLIN, revents=POLLIN}');
					return { fd: this.fd(p.v.get('fd'), line), events: this.number(p.v.get('events')!, line, 'events') };
				});
				return { call: 'poll', fds, timeout: num(2, 'timeout') };
			}
			case 'shutdown':
				return { call: 'shutdown', fd: this.fd(a[0], line), how: num(1, 'how') };
			case 'close':
				return { call: 'close', fd: this.fd(a[0], line) };
			case 'fcntl':
				return {
					call: 'fcntl',
					fd: this.fd(a[0], line),
					cmd: num(1, 'command'),
					arg: a[2] === undefined ? 0 : num(2, 'argument'),
				};
			case 'ioctl':
				return { call: 'ioctl', fd: this.fd(a[0], line), cmd: num(1, 'request') };
			case 'epoll_create':
			case 'epoll_create1':
				return { call: 'epoll_create' };
			case 'epoll_ctl': {
				const ev = a[3];
				return {
					call: 'epoll_ctl',
					epfd: this.fd(a[0], line),
					op: num(1, 'operation'),
					fd: this.fd(a[2], line),
					events: ev?.e === 'struct' ? this.number(ev.v.get('events')!, line, 'events') : 0,
				};
			}
			case 'epoll_wait':
				return {
					call: 'epoll_wait',
					epfd: this.fd(a[0], line),
					maxevents: num(2, 'maxevents'),
					timeout: num(3, 'timeout'),
				};
			default:
				this.fail(line, `system call '${c.name}' is not there`);
		}
	}

	private async call(event: Event, c: CallEvent, end: number | null): Promise<void> {
		const { line } = event;
		const call = this.convert(c, line);
		if (call.call === 'listen') this.listening = true;
		if (call.call === 'connect' || (call.call === 'send' && call.addr !== null)) {
			this.connected = true;
			this.subject = call.fd;
		}
		const promise = this.kernel.syscall(call);
		const check = async (): Promise<void> => {
			const r = await promise;
			this.config.verbose?.(
				`${(r.time / 1e6).toFixed(6)} ${c.text} -> ${r.ret < 0 ? `-1 ${errnoName(-r.ret)}` : r.ret}`,
			);
			try {
				if (end !== null && Math.abs(r.time - end) > this.config.tolerance_usecs)
					this.fail(
						line,
						`timing error: expected ${c.name} to return at ${sec(end)} sec but it returned at ${sec(r.time)} sec; tolerance ${sec(this.config.tolerance_usecs)} sec`,
					);
				await this.compareResult(c, call, r, line);
			} catch (e) {
				if (!(e instanceof ScriptError) || !this.config.non_fatal.has('syscall')) throw e;
				this.config.warn(`${e.message} (${NON_FATAL_RESULT})`);
			}
		};
		if (end === null) {
			if (!(await this.kernel.settled(promise, this.kernel.now() + this.config.tolerance_usecs)))
				this.fail(line, `${c.name} call blocks, and the script gives no time for its return (+0...0.1 ${c.name}(…))`);
			await check();
			return;
		}
		const pending = { event, call: c, done: Promise.resolve(), finished: false, due: end };
		this.pending = pending;
		pending.done = check().finally(() => {
			pending.finished = true;
		});
		// A failure is told when the script waits for it.
		pending.done.catch(() => {});
		// It runs until it sleeps before the script goes on.
		await this.kernel.settled(pending.done, this.kernel.now());
		if (pending.finished) await this.idle();
	}

	/** Waits for a call that blocks. */
	private async idle(): Promise<void> {
		const p = this.pending;
		if (p === null) return;
		const deadline = Math.max(this.kernel.now(), p.due) + this.config.tolerance_usecs;
		const ok = await this.kernel.settled(
			p.done.catch(() => {}),
			deadline,
		);
		if (!ok) this.fail(p.event.line, `${p.call.name} call did not return by ${sec(deadline)} sec`);
		this.pending = null;
		await p.done;
	}

	private async compareResult(c: CallEvent, call: Call, r: CallResult, line: number): Promise<void> {
		const got = r.ret < 0 ? `-1 with errno ${-r.ret} (${errnoName(-r.ret)})` : String(r.ret);
		if (c.errno !== null) {
			const expected = errnoNumber(c.errno);
			if (expected === undefined) this.fail(line, `unknown error '${c.errno}'`);
			if (r.ret !== -expected)
				this.fail(
					line,
					`runtime error in ${c.name} call: Expected result -1 with errno ${expected} (${c.errno}) but got ${got}`,
				);
			return;
		}
		const makesFd = ['socket', 'accept', 'epoll_create'].includes(call.call);
		if (c.result.e !== 'any') {
			const expected = this.number(c.result, line, 'result');
			if (makesFd && expected >= 0) {
				if (r.ret < 0) this.fail(line, `runtime error in ${c.name} call: Expected non-negative result but got ${got}`);
				this.fds.set(expected, r.ret);
			} else if (r.ret !== expected && !(expected === -1 && r.ret < 0))
				this.fail(line, `runtime error in ${c.name} call: Expected result ${expected} but got ${got}`);
		}
		if (r.ret < 0) return;
		if (call.call === 'socket' && (call.type & 15) === 1) this.subject = r.ret;
		if (call.call === 'socket' && (call.type & 15) === 2) this.udpFd = r.ret;
		if (call.call === 'accept') this.subject = r.ret;
		if (call.call === 'bind') this.bound.set(call.fd, call.addr.port);
		if (call.call === 'getsockopt') this.compareOption(c, r, line);
		if (call.call === 'ioctl' && c.args[2]?.e === 'array') {
			const expected = this.number(c.args[2], line, 'value');
			const v = le32(r.value!);
			if (v !== expected) this.fail(line, `ioctl: expected value ${expected} but got ${v}`);
		}
		if (call.call === 'poll') this.comparePoll(c, r, line);
		if (call.call === 'epoll_wait') this.compareEpoll(c, r, line);
		if (call.call === 'recv') this.compareMessage(c, r, line);
	}

	private compareOption(c: CallEvent, r: CallResult, line: number): void {
		const v = c.args[3];
		const value = r.value!;
		if (v === undefined || v.e === 'any') return;
		if (v.e === 'string') {
			const end = value.indexOf(0);
			const text = String.fromCharCode(...value.slice(0, end < 0 ? value.length : end));
			if (text !== v.v) this.fail(line, `getsockopt: expected "${v.v}" but got "${text}"`);
			return;
		}
		if (v.e === 'struct') {
			[...v.v].forEach(([name, e], i) => {
				if (e.e === 'any') return;
				const got = le32(value.slice(4 * i, 4 * i + 4));
				if (got !== this.number(e, line, name))
					this.fail(line, `getsockopt: expected ${name}=${this.number(e, line, name)} but got ${got}`);
			});
			return;
		}
		if (v.e === 'array' && v.v.length === 0) return;
		if (v.e === 'array' && v.v[0].e === 'any') return;
		const expected = this.number(v, line, 'value');
		const got = le32(value);
		if (got !== (expected | 0)) this.fail(line, `bad getsockopt value: expected ${expected} but got ${got}`);
	}

	private comparePoll(c: CallEvent, r: CallResult, line: number): void {
		if (c.args[0].e !== 'array') return;
		c.args[0].v.forEach((p, i) => {
			if (p.e !== 'struct') return;
			const e = p.v.get('revents');
			if (e === undefined || e.e === 'any') return;
			const expected = this.number(e, line, 'revents');
			if (expected !== r.revents![i])
				this.fail(line, `poll: expected revents 0x${expected.toString(16)} but got 0x${r.revents![i].toString(16)}`);
		});
	}

	private compareEpoll(c: CallEvent, r: CallResult, line: number): void {
		const e = c.args[1];
		const all = e?.e === 'array' ? e.v : e === undefined ? [] : [e];
		all.forEach((x, i) => {
			if (x.e !== 'struct' || i >= r.ret) return;
			const events = this.number(x.v.get('events')!, line, 'events');
			const got = r.events![i];
			if (got.events >>> 0 !== events >>> 0)
				this.fail(line, `epoll_wait: expected events 0x${events.toString(16)} but got 0x${got.events.toString(16)}`);
			const fd = x.v.get('fd');
			if (fd !== undefined && this.fd(fd, line) !== got.fd)
				this.fail(line, 'epoll_wait: the event is of another descriptor');
		});
	}

	private compareMessage(c: CallEvent, r: CallResult, line: number): void {
		const m = c.args[1];
		if (c.name !== 'recvmsg' || m?.e !== 'struct') {
			if (m?.e === 'string' && r.value !== undefined) {
				const text = String.fromCharCode(...r.value);
				if (m.more ? !text.startsWith(m.v) : text !== m.v)
					this.fail(line, `${c.name}: expected "${m.v}" but got "${text}"`);
			}
			return;
		}
		const flags = m.v.get('msg_flags');
		if (flags !== undefined && flags.e !== 'any') {
			const expected = this.number(flags, line, 'msg_flags');
			if (expected !== r.msg_flags)
				this.fail(
					line,
					`recvmsg: expected msg_flags 0x${expected.toString(16)} but got 0x${r.msg_flags!.toString(16)}`,
				);
		}
		const control = m.v.get('msg_control');
		if (control?.e !== 'array') return;
		const got = r.control ?? [];
		if (control.v.length !== got.length)
			this.fail(line, `recvmsg: expected ${control.v.length} control messages but got ${got.length}`);
		control.v.forEach((x, i) => {
			if (x.e !== 'struct') return;
			const field = (name: string): number => this.number(x.v.get(name)!, line, name);
			if (field('cmsg_level') !== got[i].level || field('cmsg_type') !== got[i].type)
				this.fail(
					line,
					`recvmsg: expected control message ${field('cmsg_level')}/${field('cmsg_type')} but got ${got[i].level}/${got[i].type}`,
				);
			const data = x.v.get('cmsg_data');
			if (data === undefined || data.e === 'any') return;
			if (data.e === 'struct') {
				// struct sock_extended_err
				const at: Record<string, [number, number]> = {
					ee_errno: [0, 4],
					ee_origin: [4, 1],
					ee_type: [5, 1],
					ee_code: [6, 1],
					ee_info: [8, 4],
					ee_data: [12, 4],
				};
				for (const [name, e] of data.v) {
					if (!(name in at) || e.e === 'any') continue;
					const [offset, size] = at[name];
					let v = 0;
					for (let k = size - 1; k >= 0; k--) v = v * 256 + got[i].data[offset + k];
					const expected = this.number(e, line, name);
					if (v !== expected) this.fail(line, `recvmsg: expected ${name}=${expected} but got ${v}`);
				}
				return;
			}
			const expected = this.number(data, line, 'cmsg_data');
			const v = le32(got[i].data);
			if (v !== expected) this.fail(line, `recvmsg: expected cmsg_data ${expected} but got ${v}`);
		});
	}

	// ---- packets -----------------------------------------------------------------------------------------------------------------

	private newConnection(local: End, remote: End): Connection {
		const c = new Connection(local, remote);
		this.connections.push(c);
		this.current = c;
		return c;
	}

	private boundPort(): number {
		let port = this.config.bind_port;
		for (const p of this.bound.values()) port = p;
		return port;
	}

	/** The connection that a packet from outside belongs to. */
	private connectionFor(spec: TcpSpec): Connection {
		const syn = spec.flags.includes('S') && !spec.flags.includes('.');
		if (this.current === null || (syn && this.listening)) {
			this.listening = false;
			const port = 40000 + ((this.nextPort++ * 97) % 20000);
			return this.newConnection(
				{ ip: this.config.local_ip, port: this.boundPort() },
				{ ip: this.config.remote_ip, port },
			);
		}
		return this.current;
	}

	private async packetIn(p: PacketEvent, line: number): Promise<void> {
		const tos =
			((p.tos ?? 0) & ~3) | (p.ecn === 'ect0' ? 2 : p.ecn === 'ect1' ? 1 : p.ecn === 'ce' ? 3 : (p.tos ?? 0) & 3);
		const ttl = p.ttl ?? 255;
		let packet: Uint8Array;
		if (p.spec.kind === 'icmp') packet = this.icmpIn(p.spec, line);
		else if (p.spec.kind === 'udp') {
			const c = await this.udpConnection();
			packet = buildUdp(c.remote, c.local, p.spec.len, tos, ttl);
		} else {
			const s = p.spec;
			const c = this.connectionFor(s);
			const syn = s.flags.includes('S');
			if (syn && c.remote_isn === null) {
				c.remote_isn = s.seq >>> 0;
				c.remote_script = s.seq;
			}
			const rbase = c.remote_isn ?? 0;
			const lbase = c.local_isn ?? 0;
			const seq = syn ? rbase + (s.seq - c.remote_script) : rbase + s.seq;
			const options = encodeOptions(s.options ?? [], lbase, (v) => this.echoed(c, v));
			if (options.length > 40) this.fail(line, `TCP options of ${options.length} bytes: at most 40 fit`);
			packet = buildTcp(
				{
					src: c.remote,
					dst: c.local,
					tos,
					ttl,
					flags: flagBits(s.flags),
					seq: seq >>> 0,
					ack: s.ack === null ? 0 : (lbase + s.ack) >>> 0,
					win: s.win ?? 0,
					urg: s.urg ?? 0,
					len: s.len,
				},
				options,
			);
		}
		this.config.verbose?.(`${sec(this.kernel.now())} ${p.text}`);
		await this.kernel.inject(packet);
	}

	/** The wire's time stamp for one of ours that the script echoes. */
	private echoed(c: Connection, script: number): number {
		const v = c.ts.get(script);
		if (v !== undefined) return v;
		return c.ts_first === null ? script : (script - c.ts_first.script + c.ts_first.live) >>> 0;
	}

	private async udpConnection(): Promise<Connection> {
		if (this.current !== null) return this.current;
		let port = this.boundPort();
		if (!this.bound.has(this.udpFd) && this.udpFd >= 0) port = (await this.kernel.localPort(this.udpFd)) || port;
		return this.newConnection(
			{ ip: this.config.local_ip, port },
			{ ip: this.config.remote_ip, port: this.connected ? this.config.connect_port : 40000 },
		);
	}

	private icmpIn(spec: IcmpSpec, line: number): Uint8Array {
		const type = ICMP_TYPES[spec.type];
		if (type === undefined)
			this.fail(line, `bad ICMP type '${spec.type}': expected ${Object.keys(ICMP_TYPES).join(', ')}`);
		let code = 0;
		if (spec.code !== null) {
			code = ICMP_CODES[spec.type]?.[spec.code] ?? Number(spec.code);
			if (Number.isNaN(code))
				this.fail(
					line,
					`bad ICMP code '${spec.code}': expected ${Object.keys(ICMP_CODES[spec.type] ?? {}).join(', ')}`,
				);
		}
		const c = this.current;
		if (c === null) this.fail(line, 'an ICMP packet needs a connection to be about');
		const e = spec.echoed;
		const quoted =
			e !== null && 'udp' in e
				? buildUdp(c.local, c.remote, e.udp, 0, 64)
				: buildTcp(
						{
							src: c.local,
							dst: c.remote,
							tos: 0,
							ttl: 64,
							flags: 16,
							seq: ((c.local_isn ?? 0) + (e === null ? 0 : e.seq)) >>> 0,
							ack: 0,
							win: 0,
							urg: 0,
							len: e === null ? 0 : e.len,
						},
						[],
					);
		return buildIcmp(this.config.remote_ip, this.config.local_ip, type, code, spec.mtu ?? 0, quoted);
	}

	private connectionOf(local: End, remote: End): Connection | null {
		for (const c of this.connections)
			if (
				c.local.port === local.port &&
				c.remote.port === remote.port &&
				c.local.ip === local.ip &&
				c.remote.ip === remote.ip
			)
				return c;
		return null;
	}

	private async packetOut(event: Event, p: PacketEvent, at: number, end: number | null): Promise<void> {
		const { line, when } = event;
		const tol = this.config.tolerance_usecs;
		const deadline = when.kind === 'any' ? this.kernel.now() + 100e6 : (end ?? at) + tol;
		/** Of a script's segment that stands for several: what is still to come. */
		let rest = p.spec;
		for (;;) {
			const got = await this.kernel.receive(deadline);
			if (got === null)
				this.fail(line, `error handling packet: Timed out waiting for packet\nscript packet: ${sec(at)} ${p.text}`);
			const seen = parsePacket(got.packet);
			if (rest.kind !== 'tcp' || seen.kind !== 'tcp' || this.config.strict_segments || !isPart(rest, seen.segment)) {
				this.compareOut(event, p, rest, seen, got.time, at, end);
				return;
			}
			const psh = (seen.segment.flags & 8) !== 0 ? 'P' : '';
			const flags = `${rest.flags.replace(/[PF]/g, '').replace('.', '')}${psh}${rest.flags.includes('.') ? '.' : ''}`;
			const { len } = seen.segment;
			this.compareOut(event, p, { ...rest, flags, len, end: rest.seq + len }, seen, got.time, at, end);
			rest = { ...rest, seq: rest.seq + len, len: rest.len - len };
		}
	}

	/** Compares one packet with what the script says of it. */
	private compareOut(
		event: Event,
		p: PacketEvent,
		spec: PacketEvent['spec'],
		seen: Seen,
		time: number,
		at: number,
		end: number | null,
	): void {
		const { line, when } = event;
		const tol = this.config.tolerance_usecs;
		const actual = `\nscript packet: ${sec(at)} ${p.text}\nactual packet: ${sec(time)} `;
		const wrong = (why: string, live: string): never =>
			this.fail(line, `error handling packet: ${why}${actual}${live}`);
		const live = this.describe(seen);
		this.config.verbose?.(`${sec(time)} ${live}`);
		if (seen.kind !== spec.kind) wrong(`expected a ${spec.kind} packet`, live);
		if (seen.kind === 'tcp' && spec.kind === 'tcp') this.compareTcp(spec, seen.segment, wrong);
		else if (seen.kind === 'udp' && spec.kind === 'udp') {
			if (this.connectionOf(seen.src, seen.dst) === null) this.newConnection(seen.src, seen.dst);
			if (seen.len !== spec.len)
				wrong(`live UDP payload: expected: ${spec.len} bytes vs actual: ${seen.len} bytes`, live);
		} else if (seen.kind === 'icmp' && spec.kind === 'icmp') {
			if (seen.type !== ICMP_TYPES[spec.type])
				wrong(`live ICMP type: expected: ${spec.type} vs actual: ${seen.type}`, live);
			if (spec.code !== null && seen.code !== ICMP_CODES[spec.type]?.[spec.code])
				wrong(`live ICMP code: expected: ${spec.code} vs actual: ${seen.code}`, live);
			if (spec.mtu !== null && seen.mtu !== spec.mtu)
				wrong(`live ICMP MTU: expected: ${spec.mtu} vs actual: ${seen.mtu}`, live);
		}
		if (seen.kind !== 'other') this.compareIp(p, seen.kind === 'tcp' ? seen.segment : seen, (why) => wrong(why, live));
		if (when.kind === 'any') this.last = time;
		else if (time < at - tol || time > (end ?? at) + tol)
			wrong(
				`timing error: expected outbound packet ${end === null ? `at ${sec(at)}` : `in ${sec(at)}~${sec(end)}`} sec but happened at ${sec(time)} sec; tolerance ${sec(tol)} sec`,
				live,
			);
	}

	private compareIp(p: PacketEvent, s: { tos: number; ttl: number }, wrong: (why: string) => void): void {
		const ecn = s.tos & 3;
		const ok =
			p.ecn === null ||
			(p.ecn === 'noecn'
				? ecn === 0
				: p.ecn === 'ect0'
					? ecn === 2
					: p.ecn === 'ect1'
						? ecn === 1
						: p.ecn === 'ce'
							? ecn === 3
							: ecn === 1 || ecn === 2);
		if (!ok) wrong(`live packet field ip_ecn: expected: ${p.ecn} vs actual: 0x${ecn.toString(16)}`);
		if (p.tos !== null && p.tos !== s.tos)
			wrong(`live packet field ip_tos: expected: 0x${p.tos.toString(16)} vs actual: 0x${s.tos.toString(16)}`);
		if (p.ttl !== null && p.ttl !== s.ttl) wrong(`live packet field ip_ttl: expected: ${p.ttl} vs actual: ${s.ttl}`);
	}

	/** A segment of ours in the script's numbers. */
	private toScript(c: Connection | null, s: Segment): Segment {
		if (c === null) return s;
		const l = c.local_isn ?? s.seq;
		const r = c.remote_isn ?? 0;
		const syn = (s.flags & 2) !== 0;
		return {
			...s,
			seq: syn ? (s.seq - l + c.local_script) >>> 0 : (s.seq - l) >>> 0,
			ack: (s.flags & 16) !== 0 ? (s.ack - r) >>> 0 : s.ack,
			options: s.options.map((o) =>
				o.kind === 'sack'
					? { ...o, blocks: o.blocks.map(([a, z]): [number, number] => [(a - r) >>> 0, (z - r) >>> 0]) }
					: o,
			),
		};
	}

	private describe(seen: Seen): string {
		if (seen.kind === 'tcp') {
			const s = this.toScript(this.connectionOf(seen.segment.src, seen.segment.dst), seen.segment);
			const fin = (s.flags & 3) === 0 ? 0 : 0;
			const ack = (s.flags & 16) !== 0 ? ` ack ${s.ack}` : '';
			const options = s.options.length > 0 ? ` <${optionText(s.options)}>` : '';
			return `${flagText(s.flags)} ${s.seq}:${(s.seq + s.len + fin) >>> 0}(${s.len})${ack} win ${s.win}${(s.flags & 32) !== 0 ? ` urg ${s.urg}` : ''}${options}`;
		}
		if (seen.kind === 'udp') return `udp (${seen.len})`;
		if (seen.kind === 'icmp') return `icmp type ${seen.type} code ${seen.code}`;
		return `IP protocol ${seen.protocol}`;
	}

	private compareTcp(spec: TcpSpec, raw: Segment, wrong: (why: string, live: string) => never): void {
		let c = this.connectionOf(raw.src, raw.dst);
		const syn = (raw.flags & 2) !== 0;
		if (c === null) c = this.newConnection(raw.src, raw.dst);
		if (c.local_isn === null && syn) {
			c.local_isn = raw.seq;
			c.local_script = spec.flags.includes('S') ? spec.seq : 0;
		}
		if (c.local_isn === null && (raw.flags & 4) !== 0) {
			// A reset about a segment without a connection: its numbers are those that were asked with.
			c.local_isn = 0;
		}
		this.current = c;
		const s = this.toScript(c, raw);
		const live = this.describe({ kind: 'tcp', segment: raw });
		const field = (name: string, expected: number, actual: number): void => {
			if (expected >>> 0 !== actual >>> 0)
				wrong(
					`live packet field ${name}: expected: ${expected} (0x${(expected >>> 0).toString(16)}) vs actual: ${actual} (0x${(actual >>> 0).toString(16)})`,
					live,
				);
		};
		field('tcp_flags', flagBits(spec.flags), s.flags);
		field('tcp_seq', spec.seq, s.seq);
		if (spec.ack !== null) field('tcp_ack_seq', spec.ack, s.ack);
		if (spec.len !== s.len) wrong(`live packet payload: expected: ${spec.len} bytes vs actual: ${s.len} bytes`, live);
		if (spec.win !== null) field('tcp_window', spec.win, s.win);
		if (spec.urg !== null) field('tcp_urg_ptr', spec.urg, s.urg);
		this.compareOptions(c, spec.options, s.options, live, wrong);
	}

	private compareOptions(
		c: Connection,
		expected: TcpOption[] | null,
		actual: TcpOption[],
		live: string,
		wrong: (why: string, live: string) => never,
	): void {
		const ts = actual.find((o) => o.kind === 'TS');
		const want = expected?.find((o) => o.kind === 'TS');
		if (ts !== undefined && want !== undefined) {
			if (c.ts_first === null) c.ts_first = { script: want.value, live: ts.value };
			c.ts.set(want.value, ts.value);
			const tick = this.config.tcp_ts_tick_usecs;
			if (tick > 0) {
				const drift = Math.abs((((ts.value - c.ts_first.live) | 0) - (want.value - c.ts_first.script)) * tick);
				if (drift > Math.max(this.config.tolerance_usecs, tick))
					wrong(`bad outbound TCP timestamp value, tick ${want.value}: off by ${drift} us`, live);
			}
		}
		if (expected === null) return;
		const list = (os: TcpOption[]): string[] => os.map((o) => (o.kind === 'TS' ? `TS ecr ${o.ecr}` : optionText([o])));
		const e = list(expected);
		// A cookie without a value in the script stands for any.
		const a = list(actual);
		if (e.length !== a.length || e.some((x, i) => x !== a[i]))
			wrong(`bad outbound TCP options: expected: <${optionText(expected)}> vs actual: <${optionText(actual)}>`, live);
	}
}

/** {sa_family = AF_UNSPEC}: connect(2) that ends the connection. */
function isUnspec(e: Expr | undefined): boolean {
	const family = e?.e === 'struct' ? e.v.get('sa_family') : undefined;
	return family?.e === 'name' && family.v === 'AF_UNSPEC';
}

/** Whether a live segment may be the first part of the script's. */
function isPart(spec: TcpSpec, live: Segment): boolean {
	const loose = 8 | 1;
	return (
		live.len > 0 &&
		live.len < spec.len &&
		(live.flags & 1) === 0 &&
		((live.flags ^ flagBits(spec.flags)) & ~loose) === 0
	);
}

function le32(b: number[]): number {
	return (b[0] ?? 0) | ((b[1] ?? 0) << 8) | ((b[2] ?? 0) << 16) | ((b[3] ?? 0) << 24);
}

function sec(us: number): string {
	return (us / 1e6).toFixed(6);
}

/** Runs a script; ends quietly when the kernel did all that it says. Throws ScriptError at the first difference. */
export async function runScript(script: Script, kernel: Kernel, config: RunConfig): Promise<void> {
	await new Runner(script, kernel, config).run();
}
