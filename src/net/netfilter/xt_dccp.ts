/*
 * net/netfilter/xt_dccp.ts: match dccp: ports, types, an option.   Linux: net/netfilter/xt_dccp.c
 * RFC 4340 5.1 (generic header), 5.8 (options: below 32 a single byte).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_DCCP_DEST_PORTS,
	XT_DCCP_OPTION,
	XT_DCCP_SRC_PORTS,
	XT_DCCP_TYPE,
	XT_DCCP_VALID_FLAGS,
	xt_dccp_info,
} from '../../uapi/linux/netfilter/xt_dccp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

const IPPROTO_DCCP = 33;
/** Bytes of the header by type, before the options; with the short form of the sequence number 4 less. */
const HEADER = [20, 28, 16, 24, 24, 24, 24, 28, 24, 24];

interface dccp_info {
	spts: [number, number];
	dpts: [number, number];
	flags: number;
	invflags: number;
	typemask: number;
	option: number;
}

function dccp_parse(b: Uint8Array): dccp_info | number {
	const o = xt_dccp_info;
	const info: dccp_info = {
		spts: [get_unaligned_le16(b, o.spts), get_unaligned_le16(b, o.spts + 2)],
		dpts: [get_unaligned_le16(b, o.dpts), get_unaligned_le16(b, o.dpts + 2)],
		flags: get_unaligned_le16(b, o.flags),
		invflags: get_unaligned_le16(b, o.invflags),
		typemask: get_unaligned_le16(b, o.typemask),
		option: b[o.option],
	};
	if ((info.flags & ~XT_DCCP_VALID_FLAGS) !== 0 || (info.invflags & ~XT_DCCP_VALID_FLAGS) !== 0) return -EINVAL;
	return (info.invflags & ~info.flags) !== 0 ? -EINVAL : info;
}

/** Whether an option is there; hotdrop when the header is broken. */
function dccp_find_option(skb: sk_buff, off: number, h: Uint8Array, option: number, par: xt_action_param): boolean {
	const type = (h[8] >> 1) & 15;
	const start = (type < HEADER.length ? HEADER[type] : 16) - ((h[8] & 1) !== 0 ? 0 : 4);
	const len = h[4] * 4 - start;
	if (len === 0) return false;
	const options = new Uint8Array(Math.max(len, 0));
	if (len < 0 || skb_copy_bits(skb, off + start, options, 0, len) < 0) {
		par.hotdrop = true;
		return false;
	}
	for (let i = 0; i < len; ) {
		if (options[i] === option) return true;
		i += options[i] < 32 || i + 1 >= len ? 1 : Math.max(options[i + 1], 1);
	}
	return false;
}

function dccp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as dccp_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	const h = new Uint8Array(12);
	if (skb_copy_bits(skb, off, h, 0, 12) < 0) {
		par.hotdrop = true;
		return false;
	}
	const fits = (bit: number, hit: () => boolean): boolean =>
		(info.flags & bit) === 0 || hit() !== ((info.invflags & bit) !== 0);
	const sport = get_unaligned_be16(h, 0);
	const dport = get_unaligned_be16(h, 2);
	return (
		fits(XT_DCCP_SRC_PORTS, () => sport >= info.spts[0] && sport <= info.spts[1]) &&
		fits(XT_DCCP_DEST_PORTS, () => dport >= info.dpts[0] && dport <= info.dpts[1]) &&
		fits(XT_DCCP_TYPE, () => (info.typemask & (1 << ((h[8] >> 1) & 15))) !== 0) &&
		fits(XT_DCCP_OPTION, () => dccp_find_option(skb, off, h, info.option, par))
	);
}

export function dccp_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'dccp',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_dccp_info.sizeof,
		proto: IPPROTO_DCCP,
		parse: dccp_parse,
		match: dccp_mt,
	});
}
