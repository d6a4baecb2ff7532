/*
 * net/netfilter/ipset/ip_set_kernel.ts: what set types and rules ask of the core: extensions in messages, test, add and del for a packet,
 * references by index.                                             Linux: net/netfilter/ipset/ip_set_core.c
 */
import {
	bytes_to_str,
	nla_get_be16,
	nla_get_be64,
	nla_get_string,
	nla_put_be16,
	nla_put_be64,
	nla_put_string,
	type nlattr_table,
	type nlbuf,
	str_to_bytes,
} from '../../../lib/nlattr.ts';
import { EAGAIN, EMSGSIZE, ENOTEMPTY } from '../../../uapi/asm-generic/errno.ts';
import * as U from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NLA_F_NET_BYTEORDER } from '../../../uapi/linux/netlink.ts';
import type { net } from '../../core/net_namespace.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { xt_action_param } from '../x_tables.ts';
import {
	IPSET_ADD,
	IPSET_DEL,
	IPSET_MAX_TIMEOUT,
	IPSET_NO_TIMEOUT,
	IPSET_TEST,
	IPSET_TYPE_NOMATCH,
	type ip_set,
	type ip_set_adt_opt,
	type ip_set_elem,
	ip_set_get_h32,
	ip_set_optattr_netorder,
	ip_set_pernet,
	nla_put_net32,
	with_comment,
	with_counter,
	with_skbinfo,
	with_timeout,
} from './ip_set.ts';

export function clamp_timeout(seconds: number): number {
	return Math.min(seconds, IPSET_MAX_TIMEOUT);
}

/** Reads what a request says of an element beside its key. Return: 0 or -errno. */
export function ip_set_get_extensions(set: ip_set, tb: nlattr_table, e: ip_set_elem): number {
	for (const t of [
		U.IPSET_ATTR_TIMEOUT,
		U.IPSET_ATTR_PACKETS,
		U.IPSET_ATTR_BYTES,
		U.IPSET_ATTR_SKBMARK,
		U.IPSET_ATTR_SKBPRIO,
		U.IPSET_ATTR_SKBQUEUE,
		U.IPSET_ATTR_CADT_FLAGS,
	])
		if (!ip_set_optattr_netorder(tb, t)) return -U.IPSET_ERR_PROTOCOL;
	e.timeout = set.timeout;
	const t = tb[U.IPSET_ATTR_TIMEOUT];
	if (t !== null) {
		if (!with_timeout(set)) return -U.IPSET_ERR_TIMEOUT;
		e.timeout = clamp_timeout(ip_set_get_h32(t));
	}
	const bytes = tb[U.IPSET_ATTR_BYTES];
	const packets = tb[U.IPSET_ATTR_PACKETS];
	if (bytes !== null || packets !== null) {
		if (!with_counter(set)) return -U.IPSET_ERR_COUNTER;
		if (bytes !== null) e.bytes = nla_get_be64(bytes);
		if (packets !== null) e.packets = nla_get_be64(packets);
	}
	const comment = tb[U.IPSET_ATTR_COMMENT];
	if (comment !== null) {
		if (!with_comment(set)) return -U.IPSET_ERR_COMMENT;
		const s = str_to_bytes(nla_get_string(comment)).subarray(0, U.IPSET_MAX_COMMENT_SIZE);
		e.comment = s.length === 0 ? null : bytes_to_str(s);
	}
	const mark = tb[U.IPSET_ATTR_SKBMARK];
	const prio = tb[U.IPSET_ATTR_SKBPRIO];
	const queue = tb[U.IPSET_ATTR_SKBQUEUE];
	if (mark !== null || prio !== null || queue !== null) {
		if (!with_skbinfo(set)) return -U.IPSET_ERR_SKBINFO;
		if (mark !== null) {
			const v = nla_get_be64(mark);
			e.skbmark = Math.floor(v / 0x100000000);
			e.skbmarkmask = v % 0x100000000;
		}
		if (prio !== null) e.skbprio = ip_set_get_h32(prio);
		if (queue !== null) e.skbqueue = nla_get_be16(queue);
	}
	return 0;
}

/** Writes an element's extensions. Return: 0 or -EMSGSIZE. */
export function ip_set_put_extensions(set: ip_set, skb: nlbuf, e: ip_set_elem): number {
	let err = 0;
	if (with_timeout(set)) err |= nla_put_net32(skb, U.IPSET_ATTR_TIMEOUT, e.timeout);
	if (with_counter(set)) {
		err |= nla_put_be64(skb, U.IPSET_ATTR_BYTES | NLA_F_NET_BYTEORDER, e.bytes);
		err |= nla_put_be64(skb, U.IPSET_ATTR_PACKETS | NLA_F_NET_BYTEORDER, e.packets);
	}
	if (with_comment(set) && e.comment !== null) err |= nla_put_string(skb, U.IPSET_ATTR_COMMENT, e.comment);
	if (with_skbinfo(set)) {
		if (e.skbmark !== 0 || e.skbmarkmask !== 0)
			err |= nla_put_be64(skb, U.IPSET_ATTR_SKBMARK | NLA_F_NET_BYTEORDER, e.skbmark * 0x100000000 + e.skbmarkmask);
		if (e.skbprio !== 0) err |= nla_put_net32(skb, U.IPSET_ATTR_SKBPRIO, e.skbprio);
		if (e.skbqueue !== 0) err |= nla_put_be16(skb, U.IPSET_ATTR_SKBQUEUE | NLA_F_NET_BYTEORDER, e.skbqueue);
	}
	return err < 0 ? -EMSGSIZE : 0;
}

/** The end of every header: references, memory, elements, the set's flags. */
export function ip_set_put_head(set: ip_set, skb: nlbuf, memsize: number, elements: number): void {
	nla_put_net32(skb, U.IPSET_ATTR_REFERENCES, set.ref);
	nla_put_net32(skb, U.IPSET_ATTR_MEMSIZE, memsize);
	nla_put_net32(skb, U.IPSET_ATTR_ELEMENTS, elements);
	if (with_timeout(set)) nla_put_net32(skb, U.IPSET_ATTR_TIMEOUT, set.timeout);
	const flags =
		(with_counter(set) ? U.IPSET_FLAG_WITH_COUNTERS : 0) |
		(with_comment(set) ? U.IPSET_FLAG_WITH_COMMENT : 0) |
		(with_skbinfo(set) ? U.IPSET_FLAG_WITH_SKBINFO : 0) |
		(set.forceadd ? U.IPSET_FLAG_WITH_FORCEADD : 0);
	if (flags !== 0) nla_put_net32(skb, U.IPSET_ATTR_CADT_FLAGS, flags);
}

// ---- rules -----------------------------------------------------------------------------------------------------------------------

function answers(set: ip_set, opt: ip_set_adt_opt): boolean {
	return opt.dim >= set.type.dimension && (opt.family === set.family || set.family === 0);
}

/** Whether the packet is in the set. Context: softirq; borrows skb. Return: not 0: yes. */
export function ip_set_test(index: number, skb: sk_buff, par: xt_action_param, opt: ip_set_adt_opt): number {
	const set = ip_set_pernet(par.state.net).list[index];
	if (set === null || !answers(set, opt)) return 0;
	let ret = set.variant.kadt(set, skb, par, IPSET_TEST, opt);
	if (ret === -EAGAIN) {
		// An address without a MAC yet takes the packet's.
		set.variant.kadt(set, skb, par, IPSET_ADD, opt);
		ret = 1;
	} else if (
		(opt.cmdflags & U.IPSET_FLAG_RETURN_NOMATCH) !== 0 &&
		(set.type.features & IPSET_TYPE_NOMATCH) !== 0 &&
		(ret > 0 || ret === -ENOTEMPTY)
	)
		ret = -ret;
	return ret < 0 ? 0 : ret;
}

/** Return: 0 or -errno. */
export function ip_set_add(index: number, skb: sk_buff, par: xt_action_param, opt: ip_set_adt_opt): number {
	const set = ip_set_pernet(par.state.net).list[index];
	if (set === null || !answers(set, opt)) return -U.IPSET_ERR_TYPE_MISMATCH;
	return set.variant.kadt(set, skb, par, IPSET_ADD, opt);
}

/** Return: 0 or -errno. */
export function ip_set_del(index: number, skb: sk_buff, par: xt_action_param, opt: ip_set_adt_opt): number {
	const set = ip_set_pernet(par.state.net).list[index];
	if (set === null || !answers(set, opt)) return -U.IPSET_ERR_TYPE_MISMATCH;
	return set.variant.kadt(set, skb, par, IPSET_DEL, opt);
}

/** The index of a set by name, held. Return: IPSET_INVALID_ID when there is none. */
export function ip_set_get_byname(net: net, name: string): number {
	const list = ip_set_pernet(net).list;
	const i = list.findIndex((s) => s !== null && s.name === name);
	if (i < 0) return U.IPSET_INVALID_ID;
	list[i]!.ref++;
	return i;
}

export function ip_set_put_byindex(net: net, index: number): void {
	const set = ip_set_pernet(net).list[index];
	if (set !== null && set !== undefined) set.ref--;
}

/** Holds the set with this index. Return: it, or IPSET_INVALID_ID. */
export function ip_set_nfnl_get_byindex(net: net, index: number): number {
	const set = ip_set_pernet(net).list[index];
	if (set === null || set === undefined) return U.IPSET_INVALID_ID;
	set.ref++;
	return index;
}

export const ip_set_nfnl_put: (net: net, index: number) => void = ip_set_put_byindex;

/** Whether a timeout was said, for rules that give one. */
export function ip_set_opt_timeout(seconds: number): number {
	return seconds === 0xffffffff ? IPSET_NO_TIMEOUT : Math.min(seconds, IPSET_MAX_TIMEOUT);
}
