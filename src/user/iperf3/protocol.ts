/*
 * user/iperf3/protocol.ts: what client and server of iperf3 say to each other on the control connection.
 * A cookie, then states of one byte; parameters and results as JSON after its length in 4 bytes, big-endian.
 */
import { get_unaligned_be32, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { MSG_WAITALL, msghdr } from '../../uapi/linux/socket.ts';
import { type Process, utf8, utf8_decode } from '../libc.ts';

export const COOKIE_SIZE = 37;
export const TEST_START = 1;
export const TEST_RUNNING = 2;
export const TEST_END = 4;
export const PARAM_EXCHANGE = 9;
export const CREATE_STREAMS = 10;
export const SERVER_TERMINATE = 11;
export const CLIENT_TERMINATE = 12;
export const EXCHANGE_RESULTS = 13;
export const DISPLAY_RESULTS = 14;
export const IPERF_DONE = 16;
export const ACCESS_DENIED = -1;
export const SERVER_ERROR = -2;

/** Bytes of a UDP stream's first datagrams, as they are on the wire. */
export const UDP_CONNECT_MSG = [0x39, 0x38, 0x37, 0x36];
export const UDP_CONNECT_REPLY = [0x36, 0x37, 0x38, 0x39];

const MAX_JSON = 1 << 20;

export interface Parameters {
	tcp?: boolean;
	udp?: boolean;
	omit?: number;
	time?: number;
	num?: number;
	blockcount?: number;
	parallel?: number;
	reverse?: boolean;
	bidirectional?: boolean;
	window?: number;
	len?: number;
	MSS?: number;
	nodelay?: boolean;
	bandwidth?: number;
	TOS?: number;
	congestion?: string;
	pacing_timer?: number;
	client_version?: string;
}

export interface StreamResult {
	id: number;
	bytes: number;
	retransmits: number;
	jitter: number;
	errors: number;
	packets: number;
	start_time: number;
	end_time: number;
}

export interface Results {
	cpu_util_total: number;
	cpu_util_user: number;
	cpu_util_system: number;
	sender_has_retransmits: number;
	congestion_used?: string;
	streams: StreamResult[];
}

/** The control connection broke, or the peer says something that is not understood. */
export class ControlError extends Error {}

/** Exactly `len` bytes. Throws ControlError. */
export async function readn(p: Process, fd: number, len: number): Promise<Uint8Array> {
	const out = new Uint8Array(len);
	for (let got = 0; got < len; ) {
		const m = new msghdr(out.subarray(got));
		const n = await p.recvmsg(fd, m, MSG_WAITALL);
		if (n <= 0) throw new ControlError('control socket has closed unexpectedly');
		got += n;
	}
	return out;
}

export async function writen(p: Process, fd: number, bytes: Uint8Array): Promise<void> {
	for (let at = 0; at < bytes.length; ) {
		const n = await p.sendmsg(fd, new msghdr(bytes.subarray(at)), 0);
		if (n < 0) throw new ControlError('control socket has closed unexpectedly');
		at += n;
	}
}

export function send_state(p: Process, fd: number, state: number): Promise<void> {
	return writen(p, fd, Uint8Array.of(state & 255));
}

export async function read_state(p: Process, fd: number): Promise<number> {
	return ((await readn(p, fd, 1))[0] << 24) >> 24;
}

export async function send_json(p: Process, fd: number, value: unknown): Promise<void> {
	const text = utf8(JSON.stringify(value));
	const b = new Uint8Array(4 + text.length);
	put_unaligned_be32(b, 0, text.length);
	b.set(text, 4);
	await writen(p, fd, b);
}

export async function read_json(p: Process, fd: number): Promise<unknown> {
	const len = get_unaligned_be32(await readn(p, fd, 4), 0) >>> 0;
	if (len > MAX_JSON) throw new ControlError(`a message of ${len} bytes on the control connection`);
	try {
		return JSON.parse(utf8_decode(await readn(p, fd, len)));
	} catch (e) {
		if (e instanceof ControlError) throw e;
		throw new ControlError('the peer sent no JSON');
	}
}

/** As read_state, in a process of its own: the caller may do something else meanwhile. -ve or 0: the connection is gone. */
export async function read_state_in(p: Process, fd: number): Promise<number> {
	const child = p.fork('iperf3');
	child.task.files = p.task.files;
	try {
		return await read_state(child, fd);
	} catch {
		return CLIENT_TERMINATE;
	} finally {
		child.task.files = [];
		child.exit();
	}
}
