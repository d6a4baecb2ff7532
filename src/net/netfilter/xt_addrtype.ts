/*
 * net/netfilter/xt_addrtype.ts: match addrtype: what the routing tables say of an address.    Linux: net/netfilter/xt_addrtype.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_be32, get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_ADDRTYPE_INVERT_DEST,
	XT_ADDRTYPE_INVERT_SOURCE,
	XT_ADDRTYPE_LIMIT_IFACE_IN,
	XT_ADDRTYPE_LIMIT_IFACE_OUT,
	xt_addrtype_info,
	xt_addrtype_info_v1,
} from '../../uapi/linux/netfilter/xt_addrtype.ts';
import {
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NFPROTO_IPV4,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { inet_addr_type, inet_dev_addr_type } from '../ipv4/fib_frontend.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_matches } from './x_tables.ts';

interface addrtype_info {
	/** A bit for each route type. */
	source: number;
	dest: number;
	flags: number;
}

function parse_v0(b: Uint8Array): addrtype_info {
	let flags = 0;
	if (get_unaligned_le32(b, xt_addrtype_info.invert_source) !== 0) flags |= XT_ADDRTYPE_INVERT_SOURCE;
	if (get_unaligned_le32(b, xt_addrtype_info.invert_dest) !== 0) flags |= XT_ADDRTYPE_INVERT_DEST;
	return { source: get_unaligned_le16(b, 0), dest: get_unaligned_le16(b, 2), flags };
}

function parse_v1(b: Uint8Array): addrtype_info {
	return {
		source: get_unaligned_le16(b, xt_addrtype_info_v1.source),
		dest: get_unaligned_le16(b, xt_addrtype_info_v1.dest),
		flags: get_unaligned_le32(b, xt_addrtype_info_v1.flags),
	};
}

function match_type(net: net, dev: net_device | null, addr: number, mask: number): boolean {
	const type = dev !== null ? inet_dev_addr_type(net, dev, addr) : inet_addr_type(net, addr);
	return (mask & (1 << type)) !== 0;
}

function addrtype_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as addrtype_info;
	const net = par.state.net;
	let dev: net_device | null = null;
	if ((info.flags & XT_ADDRTYPE_LIMIT_IFACE_IN) !== 0) dev = par.state.in;
	else if ((info.flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) !== 0) dev = par.state.out;
	const h = skb.network_header;
	if (info.source !== 0) {
		const hit = match_type(net, dev, get_unaligned_be32(skb.head, h + 12), info.source);
		if (hit === ((info.flags & XT_ADDRTYPE_INVERT_SOURCE) !== 0)) return false;
	}
	if (info.dest !== 0) {
		const hit = match_type(net, dev, get_unaligned_be32(skb.head, h + 16), info.dest);
		if (hit === ((info.flags & XT_ADDRTYPE_INVERT_DEST) !== 0)) return false;
	}
	return true;
}

function addrtype_mt_checkentry(par: xt_mtchk_param): number {
	const { flags } = par.matchinfo as addrtype_info;
	const say = (why: string): number => {
		printk(par.net.machine, 6, `xt_addrtype: ${why}`);
		return -EINVAL;
	};
	const limit_in = (flags & XT_ADDRTYPE_LIMIT_IFACE_IN) !== 0;
	const limit_out = (flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) !== 0;
	if (limit_in && limit_out) return say('both incoming and outgoing interface limitation cannot be selected');
	if ((par.hook_mask & ((1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_IN))) !== 0 && limit_out)
		return say('output interface limitation not valid in PREROUTING and INPUT');
	if ((par.hook_mask & ((1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_OUT))) !== 0 && limit_in)
		return say('input interface limitation not valid in POSTROUTING and OUTPUT');
	return 0;
}

export function addrtype_mt_init(machine: Machine): number {
	return xt_register_matches(machine, [
		{
			name: 'addrtype',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: xt_addrtype_info.sizeof,
			parse: parse_v0,
			match: addrtype_mt,
		},
		{
			name: 'addrtype',
			revision: 1,
			family: NFPROTO_UNSPEC,
			matchsize: xt_addrtype_info_v1.sizeof,
			parse: parse_v1,
			match: addrtype_mt,
			checkentry: addrtype_mt_checkentry,
		},
	]);
}
