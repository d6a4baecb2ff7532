/*
 * net/netlink/netlink.ts: what netlink families share.             Linux: linux/netlink.h, net/netlink.h
 * A request reaches a handler as a netlink_skb; a dump fills one after another, with its place kept in a netlink_callback.
 */
import { type netlink_ext_ack, nlbuf, type nlmsghdr } from '../../lib/nlattr.ts';
import type { net } from '../core/net_namespace.ts';
import type { sock } from '../core/sock.ts';

/** Messages on their way: a request from a socket, or what the kernel says. */
export class netlink_skb extends nlbuf {
	/** The namespace of the socket that sent the request (sock_net(skb->sk)). */
	net: net;
	/** The socket that sent it; null when the kernel did. */
	sk: sock | null = null;
	/** NETLINK_CB(skb).portid: whom an answer goes to; 0 is the kernel. */
	portid = 0;
	dst_group = 0;
	/** The id under which a socket of another namespace that listens to all of them sees the sender's; -1: its own. */
	nsid = -1;
	nsid_is_set = false;

	constructor(net: net, limit = 0x7fffffff) {
		super(limit);
		this.net = net;
	}
}

/** A fresh buffer for one answer or notification. */
export function nlmsg_new(net: net): netlink_skb {
	return new netlink_skb(net);
}

/** Fills `skb`. Return: > 0 or -EMSGSIZE (with something in skb): call again; 0: that was all; another -errno ends the dump. */
export type netlink_dump_fn = (skb: netlink_skb, cb: netlink_callback) => number;

/** Where a dump stands. */
export class netlink_callback {
	/** The request. */
	skb: netlink_skb;
	nlh: nlmsghdr;
	net: net;
	dump: netlink_dump_fn;
	done: ((cb: netlink_callback) => number) | null;
	data: unknown;
	extack: netlink_ext_ack | null = null;
	/** NLM_F_* that every message of the answer bears beside NLM_F_MULTI. */
	answer_flags = 0;
	min_dump_alloc: number;
	prev_seq = 0;
	seq = 0;
	/** The socket asked for NETLINK_GET_STRICT_CHK. */
	strict_check: boolean;
	/** The handler's own: numbers in args, anything in ctx. */
	args: number[] = [0, 0, 0, 0, 0, 0];
	ctx: unknown = null;
	/** Where a dump of all families is; null for a dump of one. */
	family_ctx: { family: number } | null = null;

	constructor(skb: netlink_skb, nlh: nlmsghdr, c: netlink_dump_control, strict_check: boolean) {
		this.skb = skb;
		this.nlh = nlh;
		this.net = skb.net;
		this.dump = c.dump;
		this.done = c.done ?? null;
		this.data = c.data ?? null;
		this.min_dump_alloc = c.min_dump_alloc ?? 0;
		this.strict_check = strict_check;
	}
}

/** How netlink_dump_start is to dump. */
export interface netlink_dump_control {
	start?: (cb: netlink_callback) => number;
	dump: netlink_dump_fn;
	done?: (cb: netlink_callback) => number;
	data?: unknown;
	min_dump_alloc?: number;
}

/** NLM_F_DUMP_INTR for the message at `nlh` when what is dumped changed since the last part (cb.seq set by the handler). */
export function nl_dump_check_consistent(cb: netlink_callback, buf: nlbuf, nlh: number): void {
	if (cb.prev_seq !== 0 && cb.seq !== cb.prev_seq) buf.data[nlh + 6] |= 0x10;
	cb.prev_seq = cb.seq;
}
