/*
 * user/iproute2/libnetlink.ts: talks to rtnetlink.                 Original: lib/libnetlink.c
 */

import { get_unaligned_le32, put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	bytes_to_str,
	NLMSG_ALIGN,
	NLMSG_HDRLEN,
	nla_get_string,
	nla_list,
	nlattr,
	type nlattr_table,
	nlbuf,
	nlbuf_bytes,
	nlmsg_ok,
	nlmsg_put,
	nlmsghdr,
} from '../../lib/nlattr.ts';
import { EAGAIN, EINTR, EMSGSIZE, ENOBUFS, ENOENT, EOPNOTSUPP, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	NETLINK_EXT_ACK,
	NETLINK_GET_STRICT_CHK,
	NETLINK_LISTEN_ALL_NSID,
	NETLINK_ROUTE,
	NLM_F_ACK,
	NLM_F_ACK_TLVS,
	NLM_F_CAPPED,
	NLM_F_DUMP,
	NLM_F_DUMP_INTR,
	NLM_F_REQUEST,
	NLMSG_DONE,
	NLMSG_ERROR,
	NLMSGERR_ATTR_MSG,
} from '../../uapi/linux/netlink.ts';
import {
	AF_NETLINK,
	MSG_PEEK,
	MSG_TRUNC,
	msghdr,
	SO_RCVBUF,
	SO_SNDBUF,
	SOCK_CLOEXEC,
	SOCK_RAW,
	SOL_NETLINK,
	SOL_SOCKET,
	sockaddr_nl,
} from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';
import { exit, type ip_globals } from './utils.ts';

/** A request under construction: nla_put_* into it, then rtnl_talk. */
export class request extends nlbuf {
	constructor(type: number, flags: number, hdrlen: number) {
		super(65536);
		nlmsg_put(this, 0, 0, type, hdrlen, flags | NLM_F_REQUEST);
	}

	/** Offset of the family header. */
	get body(): number {
		return NLMSG_HDRLEN;
	}

	u8(o: number, v: number): void {
		this.data[NLMSG_HDRLEN + o] = v;
	}

	u16(o: number, v: number): void {
		put_unaligned_le16(this.data, NLMSG_HDRLEN + o, v);
	}

	u32(o: number, v: number): void {
		put_unaligned_le32(this.data, NLMSG_HDRLEN + o, v);
	}

	get_u8(o: number): number {
		return this.data[NLMSG_HDRLEN + o];
	}

	get_u32(o: number): number {
		return get_unaligned_le32(this.data, NLMSG_HDRLEN + o);
	}

	set flags(f: number) {
		put_unaligned_le16(this.data, 6, f);
	}

	set type(t: number) {
		put_unaligned_le16(this.data, 4, t);
	}
}

export class rtnl_handle {
	proc: Process;
	fd: number;
	seq: number;
	local_pid = 0;
	/** Sequence number of the dump that is awaited. */
	dump = 0;

	constructor(proc: Process, fd: number) {
		this.proc = proc;
		this.fd = fd;
		this.seq = proc.realtime().sec;
	}

	close(): void {
		if (this.fd >= 0) this.proc.close(this.fd);
		this.fd = -1;
	}
}

/** Opens a netlink socket that listens to the groups of `subscriptions`. Return: it, or null with a complaint. */
export function rtnl_open(g: ip_globals, subscriptions = 0, protocol = NETLINK_ROUTE): rtnl_handle | null {
	const { proc } = g;
	const fd = proc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0) {
		g.err(`Cannot open netlink socket: ${strerror(-fd)}\n`);
		return null;
	}
	proc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, 32768);
	proc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, g.rcvbuf);
	proc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	const err = proc.bind(fd, sockaddr_nl(0, subscriptions));
	if (err < 0) {
		g.err(`Cannot bind netlink socket: ${strerror(-err)}\n`);
		proc.close(fd);
		return null;
	}
	const rth = new rtnl_handle(proc, fd);
	const addr = sockaddr_nl(0, 0);
	proc.getsockname(fd, addr);
	rth.local_pid = addr.nl_pid;
	return rth;
}

export function rtnl_set_strict_dump(rth: rtnl_handle): void {
	rth.proc.setsockopt(rth.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
}

export function rtnl_listen_all_nsid(rth: rtnl_handle): number {
	return rth.proc.setsockopt(rth.fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
}

/** Sorts attributes by type; those beyond `max` are passed over, of two the first counts (parse_rtattr). */
export function parse_rtattr(max: number, buf: Uint8Array, start: number, end: number): nlattr_table {
	const tb: nlattr_table = new Array(max + 1).fill(null);
	for (const a of nla_list(buf, start, end)) if (a.type <= max && tb[a.type] === null) tb[a.type] = a;
	return tb;
}

/** Attributes of a message behind its family header. */
export function msg_attrs(n: nlmsghdr, hdrlen: number, max: number): nlattr_table {
	return parse_rtattr(max, n.buf, n.data + NLMSG_ALIGN(hdrlen), n.end);
}

/** Attributes of a nest. */
export function parse_rtattr_nested(max: number, nla: nlattr): nlattr_table {
	return parse_rtattr(max, nla.buf, nla.off, nla.off + nla.len);
}

/** One datagram. Return: its bytes, or -errno. */
export async function rtnl_recvmsg(rth: rtnl_handle): Promise<{ bytes: Uint8Array; msg: msghdr } | number> {
	for (;;) {
		const peek = await rth.proc.recvmsg(rth.fd, new msghdr(new Uint8Array(0)), MSG_PEEK | MSG_TRUNC);
		if (peek < 0 && (peek === -EINTR || peek === -EAGAIN)) {
			if (rth.proc.task.signal_pending) return peek;
			continue;
		}
		if (peek < 0) return peek;
		const msg = new msghdr(new Uint8Array(Math.max(32768, peek)), sockaddr_nl(0, 0));
		const len = await rth.proc.recvmsg(rth.fd, msg, 0);
		return len < 0 ? len : { bytes: msg.msg_iov.subarray(0, len), msg };
	}
}

/** The words of an extended ack, or null. */
function ext_ack_msg(n: nlmsghdr, tlvs: number): string | null {
	if ((n.nlmsg_flags & NLM_F_ACK_TLVS) === 0) return null;
	for (const a of nla_list(n.buf, tlvs, n.end)) {
		if (a.type === NLMSGERR_ATTR_MSG) return nla_get_string(a) || null;
	}
	return null;
}

function print_ext_ack(g: ip_globals, is_err: boolean, text: string): void {
	g.err(`${is_err ? 'Error' : 'Warning'}: ${text}${text.endsWith('.') ? '' : '.'}\n`);
}

/** An error answer. Return: the errno; said on stderr unless `quiet`. */
function rtnl_error(g: ip_globals, n: nlmsghdr, quiet: boolean): number {
	const err = n.nlmsg_len < NLMSG_HDRLEN + 4 ? 0 : get_unaligned_le32(n.buf, n.data) | 0;
	const inner = n.nlmsg_len < NLMSG_HDRLEN + 20 ? 0 : get_unaligned_le32(n.buf, n.data + 4);
	const tlvs = n.data + 4 + ((n.nlmsg_flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : NLMSG_ALIGN(inner));
	const text = ext_ack_msg(n, tlvs);
	if (quiet) return -err;
	if (text !== null) print_ext_ack(g, err !== 0, text);
	else if (err !== 0) g.err(`RTNETLINK answers: ${strerror(-err)}\n`);
	return -err;
}

/** A reader of messages. Return: negative to stop. */
export type rtnl_filter_t = (n: nlmsghdr) => number | undefined | Promise<number | undefined>;

/** Sends a dump request. Return: 0 or -errno. */
export async function rtnl_dump_request(rth: rtnl_handle, req: request): Promise<number> {
	put_unaligned_le32(req.data, 0, req.len);
	req.flags = NLM_F_DUMP | NLM_F_REQUEST;
	rth.seq++;
	rth.dump = rth.seq;
	put_unaligned_le32(req.data, 8, rth.seq);
	const r = await rth.proc.sendmsg(rth.fd, new msghdr(nlbuf_bytes(req), sockaddr_nl(0, 0)), 0);
	return Math.min(r, 0);
}

/** Reads a dump's messages. Return: 0, or -1 with a complaint. */
export async function rtnl_dump_filter(g: ip_globals, rth: rtnl_handle, filter: rtnl_filter_t): Promise<number> {
	let intr = false;
	for (;;) {
		const r = await rtnl_recvmsg(rth);
		if (typeof r === 'number') {
			g.err(`netlink receive error ${strerror(-r)} (${-r})\n`);
			return -1;
		}
		const b = r.bytes;
		let found_done = false;
		let off = 0;
		for (; nlmsg_ok(b, off, b.length); ) {
			const n = new nlmsghdr(b, off);
			off += NLMSG_ALIGN(n.nlmsg_len);
			if (n.nlmsg_pid !== rth.local_pid || n.nlmsg_seq !== rth.dump) continue;
			if ((n.nlmsg_flags & NLM_F_DUMP_INTR) !== 0) intr = true;
			if (n.nlmsg_type === NLMSG_DONE) {
				const err = dump_done(g, n);
				if (err < 0) return -1;
				found_done = true;
				break;
			}
			if (n.nlmsg_type === NLMSG_ERROR) {
				rtnl_error(g, n, false);
				return -1;
			}
			const err = await filter(n);
			if (err !== undefined && err < 0) return err;
		}
		if (found_done) {
			if (intr) g.err('Dump was interrupted and may be inconsistent.\n');
			return 0;
		}
		if (off < b.length) {
			g.err(`!!!Remnant of size ${b.length - off}\n`);
			exit(1);
		}
	}
}

function dump_done(g: ip_globals, n: nlmsghdr): number {
	if (n.nlmsg_len < NLMSG_HDRLEN + 4) {
		g.err('DONE truncated\n');
		return -1;
	}
	const err = get_unaligned_le32(n.buf, n.data) | 0;
	const text = ext_ack_msg(n, n.data + 4);
	if (err < 0) {
		if (text !== null) print_ext_ack(g, true, text);
		else if (-err === ENOENT || -err === EOPNOTSUPP) return -1;
		else if (-err === EMSGSIZE) g.err('Error: Buffer too small for object.\n');
		else g.err(`RTNETLINK answers: ${strerror(-err)}\n`);
		return -1;
	}
	if (text !== null) print_ext_ack(g, false, text);
	return 0;
}

/** All messages of a dump, for those who print later. Return: null with a complaint. */
export async function rtnl_dump(g: ip_globals, req: request, what: string): Promise<nlmsghdr[] | null> {
	const err = await rtnl_dump_request(g.rth, req);
	if (err < 0) {
		g.err(`Cannot send dump request: ${strerror(-err)}\n`);
		exit(1);
	}
	const out: nlmsghdr[] = [];
	const r = await rtnl_dump_filter(g, g.rth, (n) => {
		out.push(n);
		return 0;
	});
	if (r < 0) {
		if (what !== '') g.err(what);
		return null;
	}
	return out;
}

/** What rtnl_talk brought: 0, or -1 when it was refused; and the answer when one was asked for. */
export interface talk_result {
	ret: number;
	/** The errno that it was refused with. */
	errno: number;
	answer: nlmsghdr | null;
}

/** Sends a request and waits for its ack, or with `want` for its answer. A refusal is told on stderr unless `quiet`. */
export async function rtnl_talk(
	g: ip_globals,
	req: request,
	want: boolean,
	quiet = false,
	rth: rtnl_handle = g.rth,
): Promise<talk_result> {
	put_unaligned_le32(req.data, 0, req.len);
	rth.seq++;
	put_unaligned_le32(req.data, 8, rth.seq);
	if (!want) req.data[6] |= NLM_F_ACK;
	const sent = await rth.proc.sendmsg(rth.fd, new msghdr(nlbuf_bytes(req), sockaddr_nl(0, 0)), 0);
	if (sent < 0) {
		g.err(`Cannot talk to rtnetlink: ${strerror(-sent)}\n`);
		return { ret: -1, errno: -sent, answer: null };
	}
	for (;;) {
		const r = await rtnl_recvmsg(rth);
		if (typeof r === 'number') {
			g.err(`netlink receive error ${strerror(-r)} (${-r})\n`);
			return { ret: -1, errno: -r, answer: null };
		}
		const b = r.bytes;
		for (let off = 0; nlmsg_ok(b, off, b.length); ) {
			const n = new nlmsghdr(b, off);
			off += NLMSG_ALIGN(n.nlmsg_len);
			if ((r.msg.msg_name?.nl_pid ?? 0) !== 0 || n.nlmsg_pid !== rth.local_pid || n.nlmsg_seq !== rth.seq) continue;
			if (n.nlmsg_type === NLMSG_ERROR) {
				const errno = rtnl_error(g, n, quiet);
				return { ret: errno === 0 ? 0 : -1, errno, answer: null };
			}
			if (want) return { ret: 0, errno: 0, answer: n };
		}
	}
}

/** Reads news until a filter says stop. Return: what the filter said, or -1. */
export async function rtnl_listen(
	g: ip_globals,
	rth: rtnl_handle,
	filter: (n: nlmsghdr, nsid: number) => number | Promise<number>,
): Promise<number> {
	for (;;) {
		const r = await rtnl_recvmsg(rth);
		if (typeof r === 'number') {
			if (r === -EINTR) return 0;
			g.err(`netlink receive error ${strerror(-r)} (${-r})\n`);
			if (r === -ENOBUFS) continue;
			return -1;
		}
		let nsid = -1;
		for (const c of r.msg.msg_control) {
			if (c.level === SOL_NETLINK && c.type === NETLINK_LISTEN_ALL_NSID) nsid = get_unaligned_le32(c.data, 0) | 0;
		}
		for (let off = 0; nlmsg_ok(r.bytes, off, r.bytes.length); ) {
			const n = new nlmsghdr(r.bytes, off);
			off += NLMSG_ALIGN(n.nlmsg_len);
			const err = await filter(n, nsid);
			if (err < 0) return err;
		}
	}
}

/** A NUL-terminated text in place. */
export function rta_getattr_str(a: nlattr): string {
	return bytes_to_str(a.buf, a.off, a.off + a.len).split('\0')[0];
}

export { nlattr };
