/*
 * net/netlink/af_netlink.ts: netlink sockets: tables, binding, delivery, dumps, acks.   Linux: net/netlink/af_netlink.c
 * Walk: netlink_sendmsg -> netlink_unicast -> the kernel socket's input -> netlink_rcv_skb -> a handler -> netlink_ack;
 * a dump: netlink_dump_start -> netlink_dump -> netlink_recvmsg -> netlink_dump …; news: nlmsg_notify -> netlink_broadcast.
 * RFC 3549 2.2, 2.3. Not here yet: packet sockets on nlmon, NLMSGERR_ATTR_POLICY, the credentials of SO_PASSCRED.
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { notifier_call_chain, notifier_head } from '../../kernel/notifier.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	NLA_HDRLEN,
	NLMSG_ALIGN,
	NLMSG_HDRLEN,
	netlink_ext_ack,
	nla_put,
	nla_put_string,
	nla_put_u32,
	nlbuf_bytes,
	nlmsg_end,
	nlmsg_put,
	nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	EADDRINUSE,
	EAGAIN,
	EBUSY,
	ECONNREFUSED,
	EINTR,
	EINVAL,
	EMSGSIZE,
	ENOBUFS,
	ENOPROTOOPT,
	EOPNOTSUPP,
	EPERM,
	EPROTONOSUPPORT,
	ESOCKTNOSUPPORT,
	ESRCH,
} from '../../uapi/asm-generic/errno.ts';
import {
	NETLINK_ADD_MEMBERSHIP,
	NETLINK_BROADCAST_ERROR,
	NETLINK_CAP_ACK,
	NETLINK_DROP_MEMBERSHIP,
	NETLINK_EXT_ACK,
	NETLINK_GET_STRICT_CHK,
	NETLINK_LIST_MEMBERSHIPS,
	NETLINK_LISTEN_ALL_NSID,
	NETLINK_NO_ENOBUFS,
	NETLINK_PKTINFO,
	NLM_F_ACK,
	NLM_F_ACK_TLVS,
	NLM_F_CAPPED,
	NLM_F_ECHO,
	NLM_F_MULTI,
	NLM_F_REQUEST,
	NLMSG_DONE,
	NLMSG_ERROR,
	NLMSG_MIN_TYPE,
	NLMSGERR_ATTR_COOKIE,
	NLMSGERR_ATTR_MISS_NEST,
	NLMSGERR_ATTR_MISS_TYPE,
	NLMSGERR_ATTR_MSG,
	NLMSGERR_ATTR_OFFS,
} from '../../uapi/linux/netlink.ts';
import {
	AF_NETLINK,
	AF_UNSPEC,
	MSG_DONTWAIT,
	MSG_OOB,
	MSG_PEEK,
	MSG_TRUNC,
	type msghdr,
	POLLERR,
	POLLIN,
	POLLOUT,
	SOCK_DGRAM,
	SOCK_RAW,
	SOL_NETLINK,
	type sockaddr,
} from '../../uapi/linux/socket.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	type proto,
	RCV_SHUTDOWN,
	sk_alloc,
	type sock,
	sock_error,
	sock_init_data,
	sock_writeable,
} from '../core/sock.ts';
import { type net_proto_family, type proto_ops, sock_register, type socket } from '../socket.ts';
import { netlink_callback, type netlink_dump_control, netlink_skb, nl_dump_check_consistent } from './netlink.ts';

export const MAX_LINKS = 32;
const NETLINK_F_KERNEL_SOCKET = 1 << 0;
const NETLINK_F_RECV_PKTINFO = 1 << 1;
const NETLINK_F_BROADCAST_SEND_ERROR = 1 << 2;
const NETLINK_F_RECV_NO_ENOBUFS = 1 << 3;
const NETLINK_F_LISTEN_ALL_NSID = 1 << 4;
const NETLINK_F_CAP_ACK = 1 << 5;
const NETLINK_F_EXT_ACK = 1 << 6;
const NETLINK_F_STRICT_CHK = 1 << 7;

/** Anybody may listen to (send to) the groups of this protocol, not just root. */
export const NL_CFG_F_NONROOT_RECV = 1 << 0;
export const NL_CFG_F_NONROOT_SEND = 1 << 1;

export const NETLINK_URELEASE = 1;

/** What an answer costs of a receive buffer beside its bytes: struct sk_buff and skb_shared_info of a 64-bit kernel. */
const SKB_OVERHEAD = 256 + 320;
const SHINFO = 320;
/** A dump's buffer unless the reader's is larger. */
const NLMSG_GOODSIZE = 4096 - SHINFO;
const NLMSG_MAXDUMP = 32768 - SHINFO;

/** A message in a receive queue; the bytes are shared with other receivers and never changed. */
interface queued {
	skb: netlink_skb;
	truesize: number;
	nsid: number;
	nsid_is_set: boolean;
}

/** A netlink socket's own state (sk.priv). */
export class netlink_sock {
	portid = 0;
	bound = false;
	dst_portid = 0;
	dst_group = 0;
	/** NETLINK_F_*. */
	flags = 0;
	/** Groups listened to, ascending. */
	groups: number[] = [];
	congested = false;
	max_recvmsg_len = 0;
	cb: netlink_callback | null = null;
	dump_done_errno = 0;
	queue: queued[] = [];
	/** Kernel sockets: takes what userland sends. */
	netlink_rcv: ((skb: netlink_skb) => void) | null = null;
}

export function nlk_sk(sk: sock): netlink_sock {
	return sk.priv as netlink_sock;
}

/** What a protocol says when it opens. */
export interface netlink_kernel_cfg {
	groups: number;
	flags: number;
	input: (skb: netlink_skb) => void;
	/** Return: 0, or -errno to refuse a membership. */
	bind?: (net: net, group: number) => number;
	unbind?: (net: net, group: number) => void;
}

/** One netlink protocol. */
class netlink_table {
	registered: netlink_kernel_cfg;
	/** By namespace and port id; 0 is the kernel. */
	hash: Map<net, Map<number, sock>> = new Map();
	/** Sockets with a membership, oldest first. */
	mc_list: sock[] = [];
	groups: number;

	constructor(cfg: netlink_kernel_cfg) {
		this.registered = cfg;
		this.groups = Math.max(32, cfg.groups);
	}
}

/** Told at NETLINK_URELEASE. */
export interface netlink_notify {
	net: net;
	portid: number;
	protocol: number;
}

export class netlink_global {
	nl_table: (netlink_table | null)[] = new Array(MAX_LINKS).fill(null);
	/** Told when a socket with a port id closes. */
	netlink_chain: notifier_head<netlink_notify> = new notifier_head();
}

const netlink_proto: proto = {
	name: 'NETLINK',
	init: null,
	close: netlink_close,
	connect: null,
	disconnect: null,
	bind: null,
	ioctl: null,
	setsockopt: null,
	getsockopt: null,
	sendmsg: null,
	recvmsg: null,
	hash: null,
	unhash: null,
	get_port: null,
	backlog_rcv: null,
	poll: null,
};

function netlink_close(_sk: sock): void {}

function nl_table_of(sk: sock): netlink_table {
	return sk.net.machine.netlink.nl_table[sk.sk_protocol]!;
}

function sockets_of(table: netlink_table, net: net): Map<number, sock> {
	let m = table.hash.get(net);
	if (m === undefined) table.hash.set(net, (m = new Map()));
	return m;
}

// ---- kernel sockets ----

/** Opens `unit` in `net` for the kernel. Return: its socket, or null when it is open already. */
export function netlink_kernel_create(net: net, unit: number, cfg: netlink_kernel_cfg): sock | null {
	if (unit < 0 || unit >= MAX_LINKS) return null;
	const g = net.machine.netlink;
	const table = (g.nl_table[unit] ??= new netlink_table(cfg));
	const socks = sockets_of(table, net);
	if (socks.has(0)) return null;
	const sk = sk_alloc(net, AF_NETLINK, SOCK_DGRAM, unit, netlink_proto);
	const nlk = new netlink_sock();
	nlk.flags = NETLINK_F_KERNEL_SOCKET;
	nlk.netlink_rcv = cfg.input;
	nlk.bound = true;
	sk.priv = nlk;
	socks.set(0, sk);
	return sk;
}

export function netlink_kernel_release(sk: sock): void {
	nl_table_of(sk).hash.get(sk.net)?.delete(0);
}

/** The kernel's socket of `unit` in `net` (net->rtnl, net->nfnl, …), or null. */
export function netlink_kernel_sock(net: net, unit: number): sock | null {
	return net.machine.netlink.nl_table[unit]?.hash.get(net)?.get(0) ?? null;
}

/** Whether anybody in `sk`'s namespace listens to `group`. */
export function netlink_has_listeners(sk: sock, group: number): boolean {
	for (const s of nl_table_of(sk).mc_list) {
		if (nlk_sk(s).groups.includes(group) && (s.net === sk.net || (nlk_sk(s).flags & NETLINK_F_LISTEN_ALL_NSID) !== 0)) {
			return true;
		}
	}
	return false;
}

// ---- sockets ----

function netlink_create(net: net, sock: socket, protocol: number): number {
	if (sock.type !== SOCK_RAW && sock.type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
	if (protocol < 0 || protocol >= MAX_LINKS) return -EPROTONOSUPPORT;
	if (net.machine.netlink.nl_table[protocol] === null) return -EPROTONOSUPPORT;
	const sk = sk_alloc(net, AF_NETLINK, sock.type, protocol, netlink_proto);
	sock_init_data(sock, sk, sock.task);
	sk.priv = new netlink_sock();
	sock.ops = netlink_ops;
	return 0;
}

function netlink_release(sock: socket): number {
	const sk = sock.sk;
	if (sk === null) return 0;
	const nlk = nlk_sk(sk);
	const g = sk.net.machine.netlink;
	const table = nl_table_of(sk);
	if (nlk.bound) table.hash.get(sk.net)?.delete(nlk.portid);
	const at = table.mc_list.indexOf(sk);
	if (at >= 0) table.mc_list.splice(at, 1);
	sock.sk = null;
	sk.sk_socket = null;
	if (nlk.bound) {
		notifier_call_chain(g.netlink_chain, NETLINK_URELEASE, {
			net: sk.net,
			portid: nlk.portid,
			protocol: sk.sk_protocol,
		});
	}
	for (const group of nlk.groups) table.registered.unbind?.(sk.net, group);
	if (nlk.cb !== null) {
		nlk.cb.done?.(nlk.cb);
		nlk.cb = null;
	}
	nlk.queue = [];
	sk.sk_rmem_alloc = 0;
	return 0;
}

function netlink_insert(sk: sock, portid: number): number {
	const nlk = nlk_sk(sk);
	if (nlk.bound) return nlk.portid === portid ? 0 : -EBUSY;
	const socks = sockets_of(nl_table_of(sk), sk.net);
	if (socks.has(portid)) return -EADDRINUSE;
	socks.set(portid, sk);
	nlk.portid = portid;
	nlk.bound = true;
	return 0;
}

/** The process's pid where it is free, else a number that no process has. */
function netlink_autobind(sock: socket): number {
	const sk = sock.sk!;
	let portid = sock.task === null ? 1 : sock.task.pid;
	for (;;) {
		const err = netlink_insert(sk, portid);
		if (err !== -EADDRINUSE) return err === -EBUSY ? 0 : err;
		portid = (0x80000000 + sk.net.machine.random.below(0x80000000 - 4096)) >>> 0;
	}
}

function netlink_join(sk: sock, group: number): number {
	const nlk = nlk_sk(sk);
	if (nlk.groups.includes(group)) return 0;
	const table = nl_table_of(sk);
	const err = table.registered.bind?.(sk.net, group) ?? 0;
	if (err < 0) return err;
	nlk.groups.push(group);
	nlk.groups.sort((a, b) => a - b);
	if (!table.mc_list.includes(sk)) table.mc_list.push(sk);
	return 0;
}

function netlink_leave(sk: sock, group: number): void {
	const nlk = nlk_sk(sk);
	const at = nlk.groups.indexOf(group);
	if (at < 0) return;
	nlk.groups.splice(at, 1);
	const table = nl_table_of(sk);
	table.registered.unbind?.(sk.net, group);
	if (nlk.groups.length === 0) table.mc_list.splice(table.mc_list.indexOf(sk), 1);
}

function netlink_allowed(sk: sock, flag: number): boolean {
	return sk.sk_uid === 0 || (nl_table_of(sk).registered.flags & flag) !== 0;
}

function netlink_bind(sock: socket, addr: sockaddr): number {
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if (addr.sa_family !== AF_NETLINK) return -EINVAL;
	const groups = addr.nl_groups >>> 0;
	if (groups !== 0 && !netlink_allowed(sk, NL_CFG_F_NONROOT_RECV)) return -EPERM;
	const most = nl_table_of(sk).groups;
	if (nlk.bound && addr.nl_pid !== nlk.portid) return -EINVAL;
	if (!nlk.bound) {
		const err = addr.nl_pid !== 0 ? netlink_insert(sk, addr.nl_pid >>> 0) : netlink_autobind(sock);
		if (err < 0) return err;
	}
	for (let g = 1; g <= 32; g++) {
		if (((groups >>> (g - 1)) & 1) === 0) netlink_leave(sk, g);
		else if (g <= most) {
			const err = netlink_join(sk, g);
			if (err < 0) return err;
		}
	}
	return 0;
}

function netlink_connect(sock: socket, addr: sockaddr, _flags: number): number {
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if (addr.sa_family === AF_UNSPEC) {
		nlk.dst_portid = 0;
		nlk.dst_group = 0;
		return 0;
	}
	if (addr.sa_family !== AF_NETLINK) return -EINVAL;
	if ((addr.nl_groups !== 0 || addr.nl_pid !== 0) && !netlink_allowed(sk, NL_CFG_F_NONROOT_SEND)) return -EPERM;
	if (!nlk.bound) netlink_autobind(sock);
	nlk.dst_portid = addr.nl_pid >>> 0;
	nlk.dst_group = first_group(addr.nl_groups);
	return 0;
}

/** Number of the lowest group in a mask; 0: none. */
function first_group(mask: number): number {
	return mask === 0 ? 0 : 32 - Math.clz32(mask & -mask);
}

function netlink_group_mask(group: number): number {
	return group > 0 && group <= 32 ? (1 << (group - 1)) >>> 0 : 0;
}

function netlink_getname(sock: socket, addr: sockaddr, peer: boolean): number {
	const nlk = nlk_sk(sock.sk!);
	addr.sa_family = AF_NETLINK;
	if (peer) {
		addr.nl_pid = nlk.dst_portid;
		addr.nl_groups = netlink_group_mask(nlk.dst_group);
	} else {
		addr.nl_pid = nlk.portid;
		addr.nl_groups = 0;
		for (const g of nlk.groups) addr.nl_groups = (addr.nl_groups | netlink_group_mask(g)) >>> 0;
	}
	return 0;
}

function netlink_poll(sock: socket): number {
	const sk = sock.sk!;
	let mask = 0;
	if (sk.sk_err !== 0) mask |= POLLERR;
	if (nlk_sk(sk).queue.length > 0) mask |= POLLIN;
	if (sock_writeable(sk)) mask |= POLLOUT;
	return mask;
}

function netlink_ioctl(_sock: socket, _cmd: number, _arg: Uint8Array): number {
	return -EOPNOTSUPP;
}

const NL_FLAG_OPTS: readonly (readonly [number, number])[] = [
	[NETLINK_PKTINFO, NETLINK_F_RECV_PKTINFO],
	[NETLINK_BROADCAST_ERROR, NETLINK_F_BROADCAST_SEND_ERROR],
	[NETLINK_LISTEN_ALL_NSID, NETLINK_F_LISTEN_ALL_NSID],
	[NETLINK_CAP_ACK, NETLINK_F_CAP_ACK],
	[NETLINK_EXT_ACK, NETLINK_F_EXT_ACK],
	[NETLINK_GET_STRICT_CHK, NETLINK_F_STRICT_CHK],
	[NETLINK_NO_ENOBUFS, NETLINK_F_RECV_NO_ENOBUFS],
];

function netlink_setsockopt(sock: socket, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_NETLINK) return -ENOPROTOOPT;
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if (optval.length < 4) return -EINVAL;
	const val = get_unaligned_le32(optval, 0);
	if (optname === NETLINK_ADD_MEMBERSHIP || optname === NETLINK_DROP_MEMBERSHIP) {
		if (!netlink_allowed(sk, NL_CFG_F_NONROOT_RECV)) return -EPERM;
		if (val === 0 || val - 1 >= nl_table_of(sk).groups) return -EINVAL;
		if (optname === NETLINK_ADD_MEMBERSHIP) return netlink_join(sk, val);
		netlink_leave(sk, val);
		return 0;
	}
	for (const [name, flag] of NL_FLAG_OPTS) {
		if (name !== optname) continue;
		if (name === NETLINK_LISTEN_ALL_NSID && sk.sk_uid !== 0) return -EPERM;
		if (val !== 0) nlk.flags |= flag;
		else nlk.flags &= ~flag;
		if (name === NETLINK_NO_ENOBUFS && val !== 0) nlk.congested = false;
		return 0;
	}
	return -ENOPROTOOPT;
}

function netlink_getsockopt(sock: socket, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_NETLINK) return -ENOPROTOOPT;
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if (optname === NETLINK_LIST_MEMBERSHIPS) {
		const need = Math.ceil(nl_table_of(sk).groups / 32) * 4;
		for (let at = 0; at + 4 <= Math.min(optval.length, need); at += 4) {
			let mask = 0;
			for (const g of nlk.groups) if ((g - 1) >> 5 === at >> 2) mask |= 1 << ((g - 1) & 31);
			put_unaligned_le32(optval, at, mask);
		}
		return need;
	}
	if (optval.length < 4) return -EINVAL;
	for (const [name, flag] of NL_FLAG_OPTS) {
		if (name !== optname) continue;
		put_unaligned_le32(optval, 0, (nlk.flags & flag) !== 0 ? 1 : 0);
		return 4;
	}
	return -ENOPROTOOPT;
}

// ---- delivery ----

function truesize_of(skb: netlink_skb): number {
	let size = 512;
	while (size < skb.len + SHINFO) size *= 2;
	return size + SKB_OVERHEAD - SHINFO;
}

function netlink_enqueue(sk: sock, skb: netlink_skb, nsid: number, nsid_is_set: boolean): void {
	const truesize = truesize_of(skb);
	sk.sk_rmem_alloc += truesize;
	nlk_sk(sk).queue.push({ skb, truesize, nsid, nsid_is_set });
	sk.sk_data_ready(sk);
}

function netlink_overrun(sk: sock): void {
	const nlk = nlk_sk(sk);
	if ((nlk.flags & NETLINK_F_RECV_NO_ENOBUFS) === 0 && !nlk.congested) {
		nlk.congested = true;
		sk.sk_err = ENOBUFS;
		sk.sk_error_report(sk);
	}
	sk.sk_drops++;
}

/**
 * Hands `skb` to the socket with `portid` in `ssk`'s namespace; 0 is the kernel, whose input runs here.
 * Return: the length, -ECONNREFUSED when nobody has that port id, -EAGAIN when its buffer is full.
 */
export function netlink_unicast(ssk: sock, skb: netlink_skb, portid: number, _nonblock: boolean): number {
	const sk = nl_table_of(ssk).hash.get(ssk.net)?.get(portid);
	if (sk === undefined) return -ECONNREFUSED;
	const nlk = nlk_sk(sk);
	const len = skb.len;
	if ((nlk.flags & NETLINK_F_KERNEL_SOCKET) !== 0) {
		if (nlk.netlink_rcv === null) return -ECONNREFUSED;
		skb.sk = ssk;
		nlk.netlink_rcv(skb);
		return len;
	}
	// A socket connected to another port takes nothing from this one.
	if (nlk.dst_portid !== 0 && nlk.dst_portid !== nlk_sk(ssk).portid) return -ECONNREFUSED;
	if (sk.sk_rmem_alloc > sk.sk_rcvbuf || nlk.congested) {
		if ((nlk_sk(ssk).flags & NETLINK_F_KERNEL_SOCKET) !== 0) netlink_overrun(sk);
		return -EAGAIN;
	}
	netlink_enqueue(sk, skb, -1, false);
	return len;
}

/** The id that the namespace of a listener gave to the sender's; -1: none. */
function peernet2id(net: net, peer: net): number {
	return net.netns_ids.get(peer) ?? -1;
}

/**
 * Hands `skb` to every listener of `group` but `portid`.
 * Return: 0, -ESRCH when nobody listened, -ENOBUFS when somebody who asked to know (NETLINK_BROADCAST_ERROR) missed it.
 */
export function netlink_broadcast(ssk: sock, skb: netlink_skb, portid: number, group: number): number {
	const table = nl_table_of(ssk);
	let delivered = false;
	let failed = false;
	skb.dst_group = group;
	for (const sk of table.mc_list.slice()) {
		const nlk = nlk_sk(sk);
		if (sk === ssk || !nlk.groups.includes(group)) continue;
		if (nlk.portid === portid && sk.net === ssk.net) continue;
		let nsid = -1;
		if (sk.net !== ssk.net) {
			if ((nlk.flags & NETLINK_F_LISTEN_ALL_NSID) === 0) continue;
			nsid = peernet2id(sk.net, ssk.net);
			if (nsid < 0) continue;
		}
		if (sk.sk_rmem_alloc <= sk.sk_rcvbuf && !nlk.congested) {
			netlink_enqueue(sk, skb, nsid, nsid >= 0);
			delivered = true;
		} else {
			netlink_overrun(sk);
			if ((nlk.flags & NETLINK_F_BROADCAST_SEND_ERROR) !== 0) failed = true;
		}
	}
	if (failed) return -ENOBUFS;
	return delivered ? 0 : -ESRCH;
}

/** Says `error` to every listener of `group`: something got lost. */
export function netlink_set_err(ssk: sock, portid: number, group: number, error: number): void {
	for (const sk of nl_table_of(ssk).mc_list) {
		const nlk = nlk_sk(sk);
		if (sk.net !== ssk.net || nlk.portid === portid || !nlk.groups.includes(group)) continue;
		if (error === -ENOBUFS && (nlk.flags & NETLINK_F_RECV_NO_ENOBUFS) !== 0) continue;
		sk.sk_err = Math.abs(error);
		sk.sk_error_report(sk);
	}
}

export function nlmsg_multicast(sk: sock, skb: netlink_skb, portid: number, group: number): number {
	const err = netlink_broadcast(sk, skb, portid, group);
	return Math.min(err, 0);
}

export function nlmsg_unicast(sk: sock, skb: netlink_skb, portid: number): number {
	const err = netlink_unicast(sk, skb, portid, true);
	return Math.min(err, 0);
}

/** To the group, and once more to the asker when he wants to hear of it himself (`report`: NLM_F_ECHO). Return: 0 or -errno. */
export function nlmsg_notify(sk: sock, skb: netlink_skb, portid: number, group: number, report: boolean): number {
	let err = 0;
	if (group !== 0) {
		err = nlmsg_multicast(sk, skb, report ? portid : 0, group);
		if (err === -ESRCH) err = 0;
	}
	if (report) {
		const err2 = nlmsg_unicast(sk, skb, portid);
		if (err === 0) err = err2;
	}
	return err;
}

export function nlmsg_report(nlh: nlmsghdr | null): boolean {
	return nlh !== null && (nlh.nlmsg_flags & NLM_F_ECHO) !== 0;
}

function netlink_sendmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	const len = msg.msg_iov.length;
	if (len === 0) return 0;
	let dst_portid = nlk.dst_portid;
	let dst_group = nlk.dst_group;
	if (msg.msg_name !== null) {
		if (msg.msg_name.sa_family !== AF_NETLINK) return -EINVAL;
		dst_portid = msg.msg_name.nl_pid >>> 0;
		dst_group = first_group(msg.msg_name.nl_groups);
		if ((dst_group !== 0 || dst_portid !== 0) && !netlink_allowed(sk, NL_CFG_F_NONROOT_SEND)) return -EPERM;
	}
	if (!nlk.bound) {
		const err = netlink_autobind(sock);
		if (err < 0) return err;
	}
	if (len > sk.sk_sndbuf - 32) return -EMSGSIZE;
	const skb = new netlink_skb(sk.net);
	skb.data = msg.msg_iov.slice();
	skb.len = len;
	skb.portid = nlk.portid;
	skb.dst_group = dst_group;
	skb.sk = sk;
	if (dst_group !== 0) netlink_broadcast(sk, skb, dst_portid, dst_group);
	return netlink_unicast(sk, skb, dst_portid, sock.nonblock || (flags & MSG_DONTWAIT) !== 0);
}

function netlink_recvmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	const nlk = nlk_sk(sk);
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	const err = sock_error(sk);
	if (err !== 0) return err;
	if (nlk.queue.length === 0) return (sk.sk_shutdown & RCV_SHUTDOWN) !== 0 ? 0 : -EAGAIN;
	const q = nlk.queue[0];
	const len = msg.msg_iov.length;
	nlk.max_recvmsg_len = Math.min(Math.max(nlk.max_recvmsg_len, len), NLMSG_MAXDUMP);
	const copied = Math.min(len, q.skb.len);
	msg.msg_iov.set(q.skb.data.subarray(0, copied));
	msg.msg_flags = copied < q.skb.len ? MSG_TRUNC : 0;
	msg.msg_control = [];
	if (msg.msg_name !== null) {
		msg.msg_name.sa_family = AF_NETLINK;
		msg.msg_name.nl_pid = q.skb.portid;
		msg.msg_name.nl_groups = netlink_group_mask(q.skb.dst_group);
	}
	if ((nlk.flags & NETLINK_F_RECV_PKTINFO) !== 0) {
		const data = new Uint8Array(4);
		put_unaligned_le32(data, 0, q.skb.dst_group);
		msg.msg_control.push({ level: SOL_NETLINK, type: NETLINK_PKTINFO, data });
	}
	if ((nlk.flags & NETLINK_F_LISTEN_ALL_NSID) !== 0 && q.nsid_is_set) {
		const data = new Uint8Array(4);
		put_unaligned_le32(data, 0, q.nsid);
		msg.msg_control.push({ level: SOL_NETLINK, type: NETLINK_LISTEN_ALL_NSID, data });
	}
	if ((flags & MSG_PEEK) === 0) {
		nlk.queue.shift();
		sk.sk_rmem_alloc -= q.truesize;
		if (nlk.cb !== null && sk.sk_rmem_alloc <= sk.sk_rcvbuf / 2) {
			const ret = netlink_dump(sk);
			if (ret < 0) {
				sk.sk_err = -ret;
				sk.sk_error_report(sk);
			}
		}
		if (nlk.queue.length === 0) nlk.congested = false;
	}
	return (flags & MSG_TRUNC) !== 0 ? q.skb.len : copied;
}

// ---- dumps ----

/**
 * Begins a dump to the socket that sent `skb`; its first part is made now, the others as the reader reads.
 * Return: -EINTR (no ack: the dump is the answer), -EBUSY while another runs, or what `start` said.
 */
export function netlink_dump_start(ssk: sock, skb: netlink_skb, nlh: nlmsghdr, control: netlink_dump_control): number {
	const sk = nl_table_of(ssk).hash.get(ssk.net)?.get(skb.portid);
	if (sk === undefined) return -ECONNREFUSED;
	const nlk = nlk_sk(sk);
	if (nlk.cb !== null) return -EBUSY;
	const cb = new netlink_callback(skb, nlh, control, (nlk.flags & NETLINK_F_STRICT_CHK) !== 0);
	if (control.start !== undefined) {
		cb.extack = new netlink_ext_ack();
		const err = control.start(cb);
		if (err < 0) return err;
	}
	nlk.cb = cb;
	nlk.dump_done_errno = 2147483647;
	const err = netlink_dump(sk);
	return err < 0 ? err : -EINTR;
}

/** Makes the next part of the dump that runs on `sk`. Return: 0 or -errno. */
function netlink_dump(sk: sock): number {
	const nlk = nlk_sk(sk);
	const cb = nlk.cb;
	if (cb === null) return -EINVAL;
	// Whoever's buffer is full reads first; the dump goes on then.
	if (sk.sk_rmem_alloc >= sk.sk_rcvbuf) return -ENOBUFS;
	const least = Math.max(cb.min_dump_alloc, NLMSG_GOODSIZE);
	const skb = new netlink_skb(sk.net, Math.max(nlk.max_recvmsg_len, least));
	const extack = new netlink_ext_ack();
	if (nlk.dump_done_errno > 0) {
		cb.extack = extack;
		nlk.dump_done_errno = cb.dump(skb, cb);
		// Full with something in it: more to come.
		if (nlk.dump_done_errno === -EMSGSIZE && skb.len > 0) nlk.dump_done_errno = skb.len;
		cb.extack = null;
	}
	if (nlk.dump_done_errno > 0 || skb.limit - skb.len < NLMSG_ALIGN(NLMSG_HDRLEN + 4)) {
		netlink_enqueue(sk, skb, -1, false);
		return 0;
	}
	netlink_dump_done(nlk, skb, cb, extack);
	netlink_enqueue(sk, skb, -1, false);
	nlk.cb = null;
	cb.done?.(cb);
	return 0;
}

function netlink_dump_done(nlk: netlink_sock, skb: netlink_skb, cb: netlink_callback, extack: netlink_ext_ack): void {
	const nlh = nlmsg_put(skb, cb.skb.portid, cb.nlh.nlmsg_seq, NLMSG_DONE, 4, NLM_F_MULTI | cb.answer_flags);
	if (nlh < 0) return;
	nl_dump_check_consistent(cb, skb, nlh);
	put_unaligned_le32(skb.data, nlh + NLMSG_HDRLEN, nlk.dump_done_errno);
	if (extack._msg !== null && (nlk.flags & NETLINK_F_EXT_ACK) !== 0) {
		skb.data[nlh + 7] |= NLM_F_ACK_TLVS >> 8;
		nla_put_string(skb, NLMSGERR_ATTR_MSG, extack._msg);
		nlmsg_end(skb, nlh);
	}
}

// ---- acks ----

/** Answers `nlh` with NLMSG_ERROR: 0 is a plain ack. */
export function netlink_ack(in_skb: netlink_skb, nlh: nlmsghdr, err: number, extack: netlink_ext_ack | null): void {
	const sk = in_skb.sk;
	if (sk === null) return;
	const nlk = nlk_sk(sk);
	const echo = err !== 0 && (nlk.flags & NETLINK_F_CAP_ACK) === 0;
	const tlvs = (nlk.flags & NETLINK_F_EXT_ACK) !== 0 && extack !== null ? extack : null;
	const skb = new netlink_skb(sk.net);
	const body = echo ? nlh.nlmsg_len : NLMSG_HDRLEN;
	const at = nlmsg_put(skb, nlk.portid, nlh.nlmsg_seq, NLMSG_ERROR, 4 + body, echo ? 0 : NLM_F_CAPPED);
	put_unaligned_le32(skb.data, at + NLMSG_HDRLEN, err);
	skb.data.set(nlh.buf.subarray(nlh.off, nlh.off + body), at + NLMSG_HDRLEN + 4);
	if (tlvs !== null) {
		const before = skb.len;
		if (tlvs._msg !== null) nla_put_string(skb, NLMSGERR_ATTR_MSG, tlvs._msg);
		if (tlvs.cookie !== null) nla_put(skb, NLMSGERR_ATTR_COOKIE, tlvs.cookie);
		if (err !== 0) {
			const bad = tlvs.bad_attr;
			if (bad !== null && bad.buf === nlh.buf && bad.off >= nlh.data && bad.off < nlh.end + NLA_HDRLEN) {
				nla_put_u32(skb, NLMSGERR_ATTR_OFFS, bad.off - NLA_HDRLEN - nlh.off);
			}
			if (tlvs.miss_type !== 0) nla_put_u32(skb, NLMSGERR_ATTR_MISS_TYPE, tlvs.miss_type);
			if (tlvs.miss_nest !== 0) nla_put_u32(skb, NLMSGERR_ATTR_MISS_NEST, tlvs.miss_nest);
		}
		if (skb.len > before) {
			skb.data[at + 7] |= NLM_F_ACK_TLVS >> 8;
			nlmsg_end(skb, at);
		}
	}
	const kernel = netlink_kernel_sock(sk.net, sk.sk_protocol);
	if (kernel !== null) nlmsg_unicast(kernel, skb, in_skb.portid);
}

/** Walks the messages of one send and hands each to `cb`; acks what asked for it and what failed (-EINTR: neither). */
export function netlink_rcv_skb(
	skb: netlink_skb,
	cb: (skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack) => number,
): void {
	const bytes = nlbuf_bytes(skb);
	let off = 0;
	while (bytes.length - off >= NLMSG_HDRLEN) {
		const nlh = new nlmsghdr(bytes, off);
		if (nlh.nlmsg_len < NLMSG_HDRLEN || nlh.nlmsg_len > bytes.length - off) return;
		const extack = new netlink_ext_ack();
		let err = 0;
		// Only requests are handled, and control messages (NLMSG_NOOP, …) are not for the kernel.
		if ((nlh.nlmsg_flags & NLM_F_REQUEST) !== 0 && nlh.nlmsg_type >= NLMSG_MIN_TYPE) err = cb(skb, nlh, extack);
		if (err !== -EINTR && ((nlh.nlmsg_flags & NLM_F_ACK) !== 0 || err !== 0)) netlink_ack(skb, nlh, err, extack);
		off += NLMSG_ALIGN(nlh.nlmsg_len);
	}
}

/** Whether the sender may change the namespace's configuration. */
export function netlink_net_capable(skb: netlink_skb): boolean {
	return skb.sk === null || skb.sk.sk_uid === 0;
}

/** Whether the sender's socket has NETLINK_GET_STRICT_CHK. */
export function netlink_strict_get_check(skb: netlink_skb): boolean {
	return skb.sk !== null && (nlk_sk(skb.sk).flags & NETLINK_F_STRICT_CHK) !== 0;
}

// ---- the family ----

const netlink_ops: proto_ops = {
	family: AF_NETLINK,
	release: netlink_release,
	bind: netlink_bind,
	connect: netlink_connect,
	accept: null,
	getname: netlink_getname,
	poll: netlink_poll,
	ioctl: netlink_ioctl,
	listen: null,
	shutdown: null,
	setsockopt: netlink_setsockopt,
	getsockopt: netlink_getsockopt,
	sendmsg: netlink_sendmsg,
	recvmsg: netlink_recvmsg,
};

const netlink_family_ops: net_proto_family = { family: AF_NETLINK, create: netlink_create };

function netlink_proc_show(net: net): string {
	let s = 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n';
	net.machine.netlink.nl_table.forEach((table, protocol) => {
		for (const [portid, sk] of table?.hash.get(net) ?? []) {
			const nlk = nlk_sk(sk);
			let groups = 0;
			for (const g of nlk.groups) groups = (groups | netlink_group_mask(g)) >>> 0;
			const col = (v: number, w: number): string => String(v).padEnd(w);
			s +=
				`${'0'.repeat(16)} ${col(protocol, 3)} ${col(portid, 10)} ${groups.toString(16).padStart(8, '0')} ` +
				`${col(sk.sk_rmem_alloc, 8)} ${col(sk.sk_wmem_alloc, 8)} ${col(nlk.cb === null ? 0 : 1, 5)} ${col(2, 8)} ` +
				`${col(sk.sk_drops, 8)} ${col(sk.sk_ino, 8)}\n`;
		}
	});
	return s;
}

function netlink_net_init(net: net): number {
	proc_create_net(net, 'netlink', netlink_proc_show);
	return 0;
}

function netlink_net_exit(net: net): void {
	for (const table of net.machine.netlink.nl_table) table?.hash.delete(net);
}

/** Opens the family. Boot: before rtnetlink and nfnetlink. */
export function netlink_proto_init(machine: Machine): void {
	machine.netlink = new netlink_global();
	register_pernet_subsys(machine, { name: 'netlink', init: netlink_net_init, exit: netlink_net_exit });
	sock_register(machine, netlink_family_ops);
}
