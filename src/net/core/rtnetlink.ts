/*
 * net/core/rtnetlink.ts: who answers which routing message.        Linux: net/core/rtnetlink.c, net/rtnetlink.h
 */
import type { Machine } from '../../kernel/machine.ts';
import type { netlink_ext_ack, nlmsghdr } from '../../lib/nlattr.ts';
import type { netlink_callback, netlink_skb } from '../netlink/netlink.ts';

/**
 * Acts on one message. The family header stands at nlh.data in nlh.buf; the namespace is skb.net, who asks skb.portid.
 * Return: 0 (acked when asked for) or -errno, with `extack` saying why.
 */
export type rtnl_doit_func = (skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack) => number;

/**
 * Fills one buffer of a dump: messages with NLM_F_MULTI, portid cb.skb.portid and seq cb.nlh.nlmsg_seq; stops at -EMSGSIZE
 * with its place in cb.args or cb.ctx.
 * Return: skb.len (or -EMSGSIZE): more to come, called again with an empty buffer; 0 (or skb.len === 0): all said.
 */
export type rtnl_dumpit_func = (skb: netlink_skb, cb: netlink_callback) => number;

/** doit needs no RTNL lock: kept for the reader, there are no locks here. */
export const RTNL_FLAG_DOIT_UNLOCKED = 1;
export const RTNL_FLAG_BULK_DEL_SUPPORTED = 2;
export const RTNL_FLAG_DUMP_UNLOCKED = 4;
export const RTNL_FLAG_DUMP_SPLIT_NLM_DONE = 8;

export interface rtnl_link {
	doit: rtnl_doit_func | null;
	dumpit: rtnl_dumpit_func | null;
	flags: number;
}

export class rtnl_global {
	/** [family][msgtype - RTM_BASE] */
	handlers: (rtnl_link | undefined)[][] = [];
}

/** Says who answers `msgtype` (RTM_*) of `family` (PF_*; 0 for all that have none of their own). */
export function rtnl_register(
	machine: Machine,
	family: number,
	msgtype: number,
	doit: rtnl_doit_func | null,
	dumpit: rtnl_dumpit_func | null,
	flags = 0,
): void {
	const tab = (machine.rtnl.handlers[family] ??= []);
	const old = tab[msgtype - 16];
	tab[msgtype - 16] = {
		doit: doit ?? old?.doit ?? null,
		dumpit: dumpit ?? old?.dumpit ?? null,
		flags: flags | (old?.flags ?? 0),
	};
}
