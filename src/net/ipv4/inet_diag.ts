/*
 * net/ipv4/inet_diag.ts: Internet sockets, told of by netlink (what ss reads).      Linux: net/ipv4/inet_diag.c
 *
 * Walk: inet_diag_handler_cmd (SOCK_DIAG_BY_FAMILY) -> a dump of all that the request's states, ports and bytecode let through
 *       (inet_diag_dump), or one socket (inet_diag_dump_one) -> the protocol's handler (tcp_diag.ts, udp_diag.ts) -> inet_sk_diag_fill.
 * man 7 sock_diag. Not here: sockets that are bound and no more (TCP_BOUND_INACTIVE), BPF storages, raw_diag (the reference kernel has
 * none: ss reads /proc/net/raw).
 */

import type { Machine } from '../../kernel/machine.ts';
import { jiffies_to_msecs, timer_pending } from '../../kernel/time.ts';
import {
	get_unaligned_be16,
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be16,
	put_unaligned_be32,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import {
	NLMSG_HDRLEN,
	type netlink_ext_ack,
	nla_list,
	nla_put,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nla_put_u64,
	nla_reserve,
	nla_type,
	nlmsg_end,
	nlmsg_put,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EINVAL, EMSGSIZE, ENOENT, EPERM } from '../../uapi/asm-generic/errno.ts';
import {
	INET_DIAG_BC_AUTO,
	INET_DIAG_BC_CGROUP_COND,
	INET_DIAG_BC_D_COND,
	INET_DIAG_BC_D_EQ,
	INET_DIAG_BC_D_GE,
	INET_DIAG_BC_D_LE,
	INET_DIAG_BC_DEV_COND,
	INET_DIAG_BC_JMP,
	INET_DIAG_BC_MARK_COND,
	INET_DIAG_BC_NOP,
	INET_DIAG_BC_S_COND,
	INET_DIAG_BC_S_EQ,
	INET_DIAG_BC_S_GE,
	INET_DIAG_BC_S_LE,
	INET_DIAG_CGROUP_ID,
	INET_DIAG_CLASS_ID,
	INET_DIAG_CONG,
	INET_DIAG_INFO,
	INET_DIAG_MARK,
	INET_DIAG_MEMINFO,
	INET_DIAG_MSG_LEN,
	INET_DIAG_PROTOCOL,
	INET_DIAG_REQ_BYTECODE,
	INET_DIAG_REQ_LEN,
	INET_DIAG_REQ_PROTOCOL,
	INET_DIAG_REQ_V2_LEN,
	INET_DIAG_SHUTDOWN,
	INET_DIAG_SKMEMINFO,
	INET_DIAG_SOCKOPT,
	INET_DIAG_TCLASS,
	INET_DIAG_TOS,
	INET_DIAG_VEGASINFO,
} from '../../uapi/linux/inet_diag.ts';
import { NETLINK_SOCK_DIAG, NLM_F_DUMP, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, SOCK_RAW } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import { type sock, TCP_LISTEN, TCP_SYN_RECV, TCP_TIME_WAIT } from '../core/sock.ts';
import { sock_diag_put_meminfo, sock_diag_register, sock_gen_cookie } from '../core/sock_diag.ts';
import { netlink_dump_start, netlink_kernel_sock, netlink_net_capable, nlmsg_unicast } from '../netlink/af_netlink.ts';
import { type netlink_callback, netlink_skb } from '../netlink/netlink.ts';
import { inet_sk } from './af_inet.ts';
import { type inet_ehash_entry, is_request, is_timewait } from './inet_hashtables.ts';
import { tcp_diag_handler } from './tcp_diag.ts';
import { ICSK_TIME_PROBE0, tcp_sk } from './tcp_sock.ts';
import { udp_diag_handler, udplite_diag_handler } from './udp_diag.ts';

/** A question: struct inet_diag_req_v2 and its attributes. Addresses and ports in host order. */
export class inet_diag_req {
	family = 0;
	protocol = 0;
	ext = 0;
	states = 0;
	sport = 0;
	dport = 0;
	src = 0;
	dst = 0;
	ifindex = 0;
	cookie_lo = 0;
	cookie_hi = 0;
	/** Where the filter's code is in `buf`; -1 for none. */
	bc = -1;
	bc_len = 0;
	buf: Uint8Array = EMPTY;
	net_admin = false;
}

const EMPTY = new Uint8Array(0);

/** One transport protocol. */
export interface inet_diag_handler {
	protocol: number;
	/** Hands every socket to `fn` until it says false. */
	each: (n: net, r: inet_diag_req, fn: (e: inet_ehash_entry) => boolean) => void;
	/** The one socket that the request names. Return: it, or null. */
	lookup: (n: net, r: inet_diag_req) => inet_ehash_entry | null;
	/** Queue lengths: into the message at `at` (rqueue, wqueue); `info` >= 0: where TCP_INFO goes. */
	get_info: (sk: sock, data: Uint8Array, at: number, info: number) => void;
	info_size: number;
	/** Return: 0 or -errno. */
	destroy: (sk: inet_ehash_entry) => number;
}

function handler_of(proto: number): inet_diag_handler | null {
	for (const h of [tcp_diag_handler, udp_diag_handler, udplite_diag_handler]) if (h.protocol === proto) return h;
	return null;
}

// ---- filters -------------------------------------------------------------------------------------------------------------------------

/** What a filter looks at. */
export class inet_diag_entry {
	saddr = 0;
	daddr = 0;
	sport = 0;
	dport = 0;
	ifindex = 0;
	userlocks = 0;
	mark = 0;
}

function entry_of(e: inet_ehash_entry, out: inet_diag_entry): void {
	if (is_request(e)) {
		out.saddr = e.ir_loc_addr;
		out.daddr = e.ir_rmt_addr;
		out.sport = e.ir_num;
		out.dport = e.ir_rmt_port;
		out.ifindex = e.ir_iif;
		out.userlocks = 0;
		out.mark = e.ir_mark;
	} else if (is_timewait(e)) {
		out.saddr = e.tw_rcv_saddr;
		out.daddr = e.tw_daddr;
		out.sport = e.tw_num;
		out.dport = e.tw_dport;
		out.ifindex = e.tw_bound_dev_if;
		out.userlocks = 0;
		out.mark = e.tw_mark;
	} else {
		const inet = inet_sk(e);
		out.saddr = inet.inet_rcv_saddr;
		out.daddr = inet.inet_daddr;
		out.sport = inet.inet_num;
		out.dport = inet.inet_dport;
		out.ifindex = e.sk_bound_dev_if;
		out.userlocks = e.sk_userlocks;
		out.mark = e.sk_mark;
	}
}

/** struct inet_diag_hostcond: family, prefix length (a byte each), 2 of padding, port (s32, -1: any), address. */
function hostcond(buf: Uint8Array, at: number, addr: number, port: number): boolean {
	const want = get_unaligned_le32(buf, at + 4) | 0;
	if (want !== -1 && want !== port) return false;
	const prefix = buf[at + 1];
	if (prefix === 0) return true;
	const family = buf[at];
	if (family !== AF_UNSPEC && family !== AF_INET) return false;
	return prefix > 32 ? false : (get_unaligned_be32(buf, at + 8) ^ addr) >>> (32 - prefix) === 0;
}

/** Whether the filter's code lets the socket through: it does by running exactly to its end. */
export function inet_diag_bc_run(buf: Uint8Array, bc: number, len: number, e: inet_diag_entry): boolean {
	while (len > 0) {
		let yes = true;
		switch (buf[bc]) {
			case INET_DIAG_BC_NOP:
				break;
			case INET_DIAG_BC_JMP:
				yes = false;
				break;
			case INET_DIAG_BC_S_EQ:
				yes = e.sport === get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_S_GE:
				yes = e.sport >= get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_S_LE:
				yes = e.sport <= get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_D_EQ:
				yes = e.dport === get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_D_GE:
				yes = e.dport >= get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_D_LE:
				yes = e.dport <= get_unaligned_le16(buf, bc + 6);
				break;
			case INET_DIAG_BC_AUTO:
				yes = (e.userlocks & 8) === 0;
				break;
			case INET_DIAG_BC_S_COND:
				yes = hostcond(buf, bc + 4, e.saddr, e.sport);
				break;
			case INET_DIAG_BC_D_COND:
				yes = hostcond(buf, bc + 4, e.daddr, e.dport);
				break;
			case INET_DIAG_BC_DEV_COND:
				yes = get_unaligned_le32(buf, bc + 4) === e.ifindex;
				break;
			case INET_DIAG_BC_MARK_COND:
				yes = (e.mark & get_unaligned_le32(buf, bc + 8)) >>> 0 === get_unaligned_le32(buf, bc + 4);
				break;
			case INET_DIAG_BC_CGROUP_COND:
				// Everything is in the first cgroup.
				yes = get_unaligned_le32(buf, bc + 4) === 1 && get_unaligned_le32(buf, bc + 8) === 0;
				break;
			default:
				return false;
		}
		const step = yes ? buf[bc + 1] : get_unaligned_le16(buf, bc + 2);
		len -= step;
		bc += step;
	}
	return len === 0;
}

/** Bytes of an operation with its operand; 0 when it is not one. */
function bc_size(buf: Uint8Array, bc: number, net_admin: boolean): number {
	switch (buf[bc]) {
		case INET_DIAG_BC_AUTO:
		case INET_DIAG_BC_JMP:
		case INET_DIAG_BC_NOP:
			return 4;
		case INET_DIAG_BC_S_EQ:
		case INET_DIAG_BC_S_GE:
		case INET_DIAG_BC_S_LE:
		case INET_DIAG_BC_D_EQ:
		case INET_DIAG_BC_D_GE:
		case INET_DIAG_BC_D_LE:
		case INET_DIAG_BC_DEV_COND:
			return 8;
		case INET_DIAG_BC_S_COND:
		case INET_DIAG_BC_D_COND:
			return 12 + (buf[bc + 5] === 0 ? 0 : buf[bc + 4] === AF_INET6 ? 16 : 4);
		case INET_DIAG_BC_MARK_COND:
			return net_admin ? 12 : 0;
		case INET_DIAG_BC_CGROUP_COND:
			return 12;
		default:
			return 0;
	}
}

/** Whether code that came from outside is sound: every step forward, onto an operation or the end. */
export function inet_diag_bc_audit(buf: Uint8Array, bc: number, bytes: number, net_admin: boolean): boolean {
	const starts = new Set<number>([bytes]);
	const jumps: number[] = [];
	let at = 0;
	while (at < bytes) {
		if (bytes - at < 4) return false;
		starts.add(at);
		const yes = buf[bc + at + 1];
		const no = get_unaligned_le16(buf, bc + at + 2);
		const op = buf[bc + at];
		if ((op === INET_DIAG_BC_S_COND || op === INET_DIAG_BC_D_COND) && bytes - at < 12) return false;
		const size = bc_size(buf, bc + at, net_admin);
		if (size === 0 || size > bytes - at) return false;
		if (op !== INET_DIAG_BC_NOP) {
			// A jump of 4 past the end says no.
			if (no < 4 || no > bytes - at + 4 || (no & 3) !== 0) return false;
			if (no < bytes - at) jumps.push(at + no);
		}
		if (yes < size || yes > bytes - at + 4 || (yes & 3) !== 0) return false;
		at += yes;
	}
	return at === bytes && jumps.every((j) => starts.has(j));
}

// ---- answers -------------------------------------------------------------------------------------------------------------------------

function put_sockid(n: net, d: Uint8Array, at: number, e: inet_ehash_entry, entry: inet_diag_entry): void {
	put_unaligned_be16(d, at, entry.sport);
	put_unaligned_be16(d, at + 2, entry.dport);
	put_unaligned_be32(d, at + 4, entry.saddr);
	put_unaligned_be32(d, at + 20, entry.daddr);
	put_unaligned_le32(d, at + 36, entry.ifindex);
	const cookie = sock_gen_cookie(n, e);
	put_unaligned_le32(d, at + 40, (cookie % 0x100000000) >>> 0);
	put_unaligned_le32(d, at + 44, Math.floor(cookie / 0x100000000));
}

function msecs_left(expires: number, now: number): number {
	return Math.max(0, Math.floor(jiffies_to_msecs(expires - now)));
}

/** Whether the protocol keeps connections (inet_csk). */
function is_icsk(sk: sock): boolean {
	return sk.sk_protocol === IPPROTO_TCP && sk.sk_type === 1;
}

/** struct inet_diag_sockopt: 16 bits. */
function sockopt_bits(sk: sock): number {
	const inet = inet_sk(sk);
	return (
		Number(inet.recverr) |
		(Number(is_icsk(sk)) << 1) |
		(Number(inet.freebind) << 2) |
		(Number(inet.hdrincl) << 3) |
		(Number(inet.mc_loop) << 4) |
		(Number(inet.transparent) << 5) |
		(Number(inet.mc_all) << 6) |
		(Number(inet.nodefrag) << 7) |
		(Number(inet.bind_address_no_port) << 8) |
		(Number(inet.recverr_rfc4884) << 9) |
		(Number(inet.defer_connect) << 10)
	);
}

function asks(r: inet_diag_req, attr: number): boolean {
	return (r.ext & (1 << (attr - 1))) !== 0;
}

function put_attrs(sk: sock, skb: netlink_skb, r: inet_diag_req): number {
	let err = nla_put_u8(skb, INET_DIAG_SHUTDOWN, sk.sk_shutdown);
	if (asks(r, INET_DIAG_TOS)) err |= nla_put_u8(skb, INET_DIAG_TOS, inet_sk(sk).tos);
	if (r.net_admin) err |= nla_put_u32(skb, INET_DIAG_MARK, sk.sk_mark);
	if (asks(r, INET_DIAG_CLASS_ID) || asks(r, INET_DIAG_TCLASS))
		err |= nla_put_u32(skb, INET_DIAG_CLASS_ID, sk.sk_priority);
	err |= nla_put_u64(skb, INET_DIAG_CGROUP_ID, 1);
	const opt = sockopt_bits(sk);
	err |= nla_put(skb, INET_DIAG_SOCKOPT, new Uint8Array([opt & 255, opt >> 8]));
	if (asks(r, INET_DIAG_MEMINFO)) {
		const at = nla_reserve(skb, INET_DIAG_MEMINFO, 16);
		if (at < 0) return at;
		put_unaligned_le32(skb.data, at, sk.sk_rmem_alloc);
		put_unaligned_le32(skb.data, at + 4, sk.sk_wmem_queued);
		put_unaligned_le32(skb.data, at + 8, sk.sk_forward_alloc >>> 0);
		put_unaligned_le32(skb.data, at + 12, sk.sk_wmem_alloc);
	}
	if (asks(r, INET_DIAG_SKMEMINFO)) err |= sock_diag_put_meminfo(sk, skb, INET_DIAG_SKMEMINFO);
	if (sk.sk_type === SOCK_RAW) err |= nla_put_u8(skb, INET_DIAG_PROTOCOL, sk.sk_protocol);
	return err < 0 ? -EMSGSIZE : 0;
}

/** One socket's message. Return: 0 or -EMSGSIZE, and nothing was added. */
export function inet_sk_diag_fill(
	sk: sock,
	h: inet_diag_handler,
	skb: netlink_skb,
	r: inet_diag_req,
	entry: inet_diag_entry,
	at: number,
): number {
	const d = skb.data;
	const b = at + NLMSG_HDRLEN;
	d[b] = sk.sk_family;
	d[b + 1] = sk.sk_state;
	put_sockid(sk.net, d, b + 4, sk, entry);
	put_unaligned_le32(d, b + 64, sk.sk_uid);
	put_unaligned_le32(d, b + 68, sk.sk_ino);
	if (is_icsk(sk)) {
		const tp = tcp_sk(sk);
		const now = sk.net.machine.jiffies;
		if (tp.icsk_pending === ICSK_TIME_PROBE0) {
			d[b + 2] = 4;
			d[b + 3] = tp.icsk_probes_out;
			put_unaligned_le32(d, b + 52, msecs_left(tp.icsk_timeout, now));
		} else if (tp.icsk_pending !== 0) {
			d[b + 2] = 1;
			d[b + 3] = tp.icsk_retransmits;
			put_unaligned_le32(d, b + 52, msecs_left(tp.icsk_timeout, now));
		} else if (sk.sk_timer !== null && timer_pending(sk.sk_timer)) {
			d[b + 2] = 2;
			d[b + 3] = tp.icsk_probes_out;
			put_unaligned_le32(d, b + 52, msecs_left(sk.sk_timer.expires, now));
		}
	}
	if (put_attrs(sk, skb, r) < 0) return -EMSGSIZE;
	let info = -1;
	if (asks(r, INET_DIAG_INFO) && h.info_size > 0) {
		info = nla_reserve(skb, INET_DIAG_INFO, h.info_size);
		if (info < 0) return -EMSGSIZE;
	}
	h.get_info(sk, skb.data, b + 56, info);
	if (is_icsk(sk)) {
		const ops = tcp_sk(sk).icsk_ca_ops;
		if (asks(r, INET_DIAG_CONG) && nla_put_string(skb, INET_DIAG_CONG, ops.name) < 0) return -EMSGSIZE;
		if (sk.sk_state < TCP_TIME_WAIT && ops.get_info !== null && asks(r, INET_DIAG_VEGASINFO)) {
			const scratch = new Uint8Array(64);
			const ca = ops.get_info(sk, scratch);
			if (ca !== null && nla_put(skb, ca.attr, scratch.subarray(0, ca.len)) < 0) return -EMSGSIZE;
		}
	}
	return 0;
}

/** One entry's message. Return: 0 or -EMSGSIZE, and nothing was added. */
function sk_diag_fill(
	n: net,
	e: inet_ehash_entry,
	h: inet_diag_handler,
	skb: netlink_skb,
	r: inet_diag_req,
	portid: number,
	nlh: nlmsghdr,
	flags: number,
): number {
	const start = skb.len;
	const at = nlmsg_put(skb, portid, nlh.nlmsg_seq, nlh.nlmsg_type, INET_DIAG_MSG_LEN, flags);
	if (at < 0) return -EMSGSIZE;
	const entry = new inet_diag_entry();
	entry_of(e, entry);
	const b = at + NLMSG_HDRLEN;
	skb.data.fill(0, b, b + INET_DIAG_MSG_LEN);
	let err = 0;
	if (is_timewait(e) || is_request(e)) {
		const d = skb.data;
		d[b] = AF_INET;
		d[b + 1] = is_request(e) ? TCP_SYN_RECV : e.tw_substate;
		d[b + 2] = is_request(e) ? 1 : 3;
		d[b + 3] = is_request(e) ? e.num_retrans : 0;
		put_sockid(n, d, b + 4, e, entry);
		const timer = is_request(e) ? e.rsk_timer : e.tw_timer;
		put_unaligned_le32(d, b + 52, timer === null ? 0 : msecs_left(timer.expires, n.machine.jiffies));
		if (is_request(e) && e.rsk_listener !== null) put_unaligned_le32(d, b + 64, e.rsk_listener.sk_uid);
		if (r.net_admin) err = nla_put_u32(skb, INET_DIAG_MARK, entry.mark);
	} else err = inet_sk_diag_fill(e, h, skb, r, entry, at);
	if (err < 0) {
		skb.len = start;
		return -EMSGSIZE;
	}
	nlmsg_end(skb, at);
	return 0;
}

// ---- questions -----------------------------------------------------------------------------------------------------------------------

/** Where a dump is. */
class inet_diag_dump_data {
	h: inet_diag_handler;
	r: inet_diag_req;
	entries: inet_ehash_entry[] | null = null;
	at = 0;

	constructor(h: inet_diag_handler, r: inet_diag_req) {
		this.h = h;
		this.r = r;
	}
}

/** The state by which a request's mask chooses. */
function state_of(e: inet_ehash_entry): number {
	return is_request(e) ? TCP_SYN_RECV : is_timewait(e) ? e.tw_substate : e.sk_state;
}

function wanted(e: inet_ehash_entry, r: inet_diag_req, entry: inet_diag_entry): boolean {
	if ((r.states & (1 << state_of(e))) === 0) return false;
	if (r.family !== AF_UNSPEC && r.family !== AF_INET) return false;
	entry_of(e, entry);
	if (r.sport !== 0 && r.sport !== entry.sport) return false;
	if (state_of(e) !== TCP_LISTEN && r.dport !== 0 && r.dport !== entry.dport) return false;
	return r.bc < 0 || inet_diag_bc_run(r.buf, r.bc, r.bc_len, entry);
}

function inet_diag_dump(skb: netlink_skb, cb: netlink_callback): number {
	const c = cb.data as inet_diag_dump_data;
	const n = cb.net;
	if (c.entries === null) {
		const list: inet_ehash_entry[] = [];
		const entry = new inet_diag_entry();
		c.h.each(n, c.r, (e) => {
			if (wanted(e, c.r, entry)) list.push(e);
			return true;
		});
		c.entries = list;
	}
	while (c.at < c.entries.length) {
		const err = sk_diag_fill(n, c.entries[c.at], c.h, skb, c.r, cb.skb.portid, cb.nlh, NLM_F_MULTI);
		if (err < 0) return skb.len > 0 ? skb.len : err;
		c.at++;
	}
	return skb.len;
}

function parse_sockid(r: inet_diag_req, b: Uint8Array, at: number): void {
	r.sport = get_unaligned_be16(b, at);
	r.dport = get_unaligned_be16(b, at + 2);
	r.src = get_unaligned_be32(b, at + 4);
	r.dst = get_unaligned_be32(b, at + 20);
	r.ifindex = get_unaligned_le32(b, at + 36);
	r.cookie_lo = get_unaligned_le32(b, at + 40);
	r.cookie_hi = get_unaligned_le32(b, at + 44);
}

/** Reads the attributes behind the request. Return: 0 or -EINVAL. */
function parse_attrs(r: inet_diag_req, nlh: nlmsghdr, hdrlen: number): number {
	for (const nla of nla_list(nlh.buf, nlh.data + hdrlen, nlh.end)) {
		if (nla_type(nla) === INET_DIAG_REQ_BYTECODE) {
			r.buf = nla.buf.slice(nla.off, nla.off + nla.len);
			r.bc = 0;
			r.bc_len = nla.len;
			if (!inet_diag_bc_audit(r.buf, r.bc, r.bc_len, r.net_admin)) return -EINVAL;
		} else if (nla_type(nla) === INET_DIAG_REQ_PROTOCOL && nla.len >= 4)
			r.protocol = get_unaligned_le32(nlh.buf, nla.off);
	}
	return 0;
}

function parse_v2(skb: netlink_skb, nlh: nlmsghdr, r: inet_diag_req): number {
	if (nlh.end - nlh.data < INET_DIAG_REQ_V2_LEN) return -EINVAL;
	const b = nlh.buf;
	const at = nlh.data;
	r.family = b[at];
	r.protocol = b[at + 1];
	r.ext = b[at + 2];
	r.states = get_unaligned_le32(b, at + 4);
	parse_sockid(r, b, at + 8);
	r.net_admin = netlink_net_capable(skb);
	return parse_attrs(r, nlh, INET_DIAG_REQ_V2_LEN);
}

function inet_diag_cmd(skb: netlink_skb, nlh: nlmsghdr, r: inet_diag_req): number {
	const h = handler_of(r.protocol);
	const ssk = netlink_kernel_sock(skb.net, NETLINK_SOCK_DIAG)!;
	if ((nlh.nlmsg_flags & NLM_F_DUMP) !== 0) {
		if (h === null) return -ENOENT;
		return netlink_dump_start(ssk, skb, nlh, { dump: inet_diag_dump, data: new inet_diag_dump_data(h, r) });
	}
	if (h === null) return -ENOENT;
	const e = r.family === AF_INET ? h.lookup(skb.net, r) : null;
	if (e === null) return -ENOENT;
	const rep = new netlink_skb(skb.net);
	const err = sk_diag_fill(skb.net, e, h, rep, r, skb.portid, nlh, 0);
	return err < 0 ? err : nlmsg_unicast(ssk, rep, skb.portid);
}

/** SOCK_DIAG_BY_FAMILY for AF_INET and AF_INET6. */
function inet_diag_handler_cmd(skb: netlink_skb, nlh: nlmsghdr, _extack: netlink_ext_ack): number {
	const r = new inet_diag_req();
	const err = parse_v2(skb, nlh, r);
	return err < 0 ? err : inet_diag_cmd(skb, nlh, r);
}

/** SOCK_DESTROY (ss -K). */
function inet_diag_handler_destroy(skb: netlink_skb, nlh: nlmsghdr): number {
	const r = new inet_diag_req();
	const err = parse_v2(skb, nlh, r);
	if (err < 0) return err;
	if (!r.net_admin) return -EPERM;
	const h = handler_of(r.protocol);
	if (h === null) return -ENOENT;
	const e = r.family === AF_INET ? h.lookup(skb.net, r) : null;
	return e === null ? -ENOENT : h.destroy(e);
}

/** TCPDIAG_GETSOCK: struct inet_diag_req. */
function inet_diag_rcv_msg_compat(skb: netlink_skb, nlh: nlmsghdr): number {
	if (nlh.end - nlh.data < INET_DIAG_REQ_LEN) return -EINVAL;
	const r = new inet_diag_req();
	const b = nlh.buf;
	const at = nlh.data;
	r.family = b[at];
	r.protocol = IPPROTO_TCP;
	r.ext = b[at + 3];
	parse_sockid(r, b, at + 4);
	r.states = get_unaligned_le32(b, at + 52);
	r.net_admin = netlink_net_capable(skb);
	const err = parse_attrs(r, nlh, INET_DIAG_REQ_LEN);
	return err < 0 ? err : inet_diag_cmd(skb, nlh, r);
}

export function inet_diag_init(machine: Machine): void {
	sock_diag_register(machine, {
		family: AF_INET,
		dump: inet_diag_handler_cmd,
		destroy: inet_diag_handler_destroy,
		compat: inet_diag_rcv_msg_compat,
	});
	sock_diag_register(machine, {
		family: AF_INET6,
		dump: inet_diag_handler_cmd,
		destroy: inet_diag_handler_destroy,
		compat: null,
	});
}
