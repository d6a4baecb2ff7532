/*
 * net/netfilter/xt_NFLOG.ts: target NFLOG: hands the packet to listeners on netlink.      Linux: net/netfilter/xt_NFLOG.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_NFLOG_F_COPY_LEN, XT_NFLOG_MASK, xt_nflog_info } from '../../uapi/linux/netfilter/xt_NFLOG.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NF_LOG_TYPE_ULOG, nf_log_packet, type nf_loginfo } from './nf_log.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

const PREFIX_SIZE = 64;

interface nflog_info {
	li: nf_loginfo;
	prefix: string;
}

function nflog_parse(b: Uint8Array): nflog_info | number {
	const flags = get_unaligned_le16(b, xt_nflog_info.flags);
	if ((flags & ~XT_NFLOG_MASK) !== 0 || b[xt_nflog_info.prefix + PREFIX_SIZE - 1] !== 0) return -EINVAL;
	let prefix = '';
	for (let i = xt_nflog_info.prefix; b[i] !== 0; i++) prefix += String.fromCharCode(b[i]);
	return {
		li: {
			type: NF_LOG_TYPE_ULOG,
			level: 0,
			logflags: 0,
			group: get_unaligned_le16(b, xt_nflog_info.group),
			// 0: the listener says how much it wants.
			copy_len: (flags & XT_NFLOG_F_COPY_LEN) !== 0 ? get_unaligned_le32(b, xt_nflog_info.len) : 0,
			qthreshold: get_unaligned_le16(b, xt_nflog_info.threshold),
		},
		prefix,
	};
}

function nflog_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as nflog_info;
	const s = par.state;
	nf_log_packet(s.net, s.pf, s.hook, skb, s.in, s.out, info.li, info.prefix);
	return XT_CONTINUE;
}

export function nflog_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'NFLOG',
		revision: 0,
		family: NFPROTO_UNSPEC,
		targetsize: xt_nflog_info.sizeof,
		parse: nflog_parse,
		target: nflog_tg,
	});
}
