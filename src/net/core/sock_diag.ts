/*
 * net/core/sock_diag.ts: sockets, told of by netlink (NETLINK_SOCK_DIAG).      Linux: net/core/sock_diag.c
 * A family registers its handler; SOCK_DIAG_BY_FAMILY asks it, SOCK_DESTROY ends a socket. man 7 sock_diag.
 * Not here yet: groups that tell of destroyed sockets (ss -E).
 */
import type { Machine } from '../../kernel/machine.ts';
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import type { netlink_ext_ack, nlbuf, nlmsghdr } from '../../lib/nlattr.ts';
import { nla_reserve } from '../../lib/nlattr.ts';
import { EINVAL, ENOENT, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { INET_DIAG_NOCOOKIE, SOCK_DESTROY, SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK } from '../../uapi/linux/inet_diag.ts';
import { NETLINK_SOCK_DIAG } from '../../uapi/linux/netlink.ts';
import {
	NL_CFG_F_NONROOT_RECV,
	netlink_kernel_create,
	netlink_kernel_release,
	netlink_kernel_sock,
	netlink_rcv_skb,
} from '../netlink/af_netlink.ts';
import type { netlink_skb } from '../netlink/netlink.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import type { sock } from './sock.ts';

/** Answers for one family. Return: 0 or -errno. */
export interface sock_diag_handler {
	family: number;
	dump: (skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack) => number;
	destroy: ((skb: netlink_skb, nlh: nlmsghdr) => number) | null;
	/** TCPDIAG_GETSOCK, from before there were families; null for most. */
	compat: ((skb: netlink_skb, nlh: nlmsghdr) => number) | null;
}

export function sock_diag_register(machine: Machine, h: sock_diag_handler): void {
	machine.sock.diag_handlers.set(h.family, h);
}

/** The socket's number, given when first asked for. */
export function sock_gen_cookie(n: net, sk: { sk_cookie: number }): number {
	if (sk.sk_cookie === 0) sk.sk_cookie = ++n.machine.sock.cookie;
	return sk.sk_cookie;
}

/** Whether the two words of cookie at `at` mean this socket. Return: 0 or -ESTALE's caller's choice: -1. */
export function sock_diag_check_cookie(n: net, sk: { sk_cookie: number }, lo: number, hi: number): boolean {
	if (lo === INET_DIAG_NOCOOKIE && hi === INET_DIAG_NOCOOKIE) return true;
	return sock_gen_cookie(n, sk) === lo + hi * 0x100000000;
}

/** SK_MEMINFO_*: nine words. Return: 0 or -EMSGSIZE. */
export function sock_diag_put_meminfo(sk: sock, skb: nlbuf, attrtype: number): number {
	const at = nla_reserve(skb, attrtype, 36);
	if (at < 0) return at;
	const v = [
		sk.sk_rmem_alloc,
		sk.sk_rcvbuf,
		sk.sk_wmem_alloc,
		sk.sk_sndbuf,
		sk.sk_forward_alloc,
		sk.sk_wmem_queued,
		sk.sk_omem_alloc,
		0,
		sk.sk_drops,
	];
	for (let i = 0; i < v.length; i++) put_unaligned_le32(skb.data, at + i * 4, v[i] >>> 0);
	return 0;
}

function sock_diag_rcv_msg(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const handlers = skb.net.machine.sock.diag_handlers;
	switch (nlh.nlmsg_type) {
		case TCPDIAG_GETSOCK:
			for (const h of handlers.values()) if (h.compat !== null) return h.compat(skb, nlh);
			return -EOPNOTSUPP;
		case SOCK_DIAG_BY_FAMILY:
		case SOCK_DESTROY: {
			if (nlh.end - nlh.data < 2) return -EINVAL;
			const family = nlh.buf[nlh.data];
			if (family >= 46) return -EINVAL;
			const h = handlers.get(family);
			if (h === undefined) return -ENOENT;
			if (nlh.nlmsg_type === SOCK_DIAG_BY_FAMILY) return h.dump(skb, nlh, extack);
			return h.destroy === null ? -EOPNOTSUPP : h.destroy(skb, nlh);
		}
		default:
			return -EINVAL;
	}
}

function sock_diag_rcv(skb: netlink_skb): void {
	netlink_rcv_skb(skb, sock_diag_rcv_msg);
}

function diag_net_init(n: net): number {
	const cfg = { groups: 4, flags: NL_CFG_F_NONROOT_RECV, input: sock_diag_rcv };
	return netlink_kernel_create(n, NETLINK_SOCK_DIAG, cfg) === null ? -ENOENT : 0;
}

function diag_net_exit(n: net): void {
	const sk = netlink_kernel_sock(n, NETLINK_SOCK_DIAG);
	if (sk !== null) netlink_kernel_release(sk);
}

export function sock_diag_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'sock_diag', init: diag_net_init, exit: diag_net_exit });
}
