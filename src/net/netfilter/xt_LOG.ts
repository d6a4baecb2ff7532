/*
 * net/netfilter/xt_LOG.ts: target LOG: a line in the kernel log.   Linux: net/netfilter/xt_LOG.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { xt_log_info } from '../../uapi/linux/netfilter/xt_LOG.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NF_LOG_TYPE_LOG, nf_log_packet, type nf_loginfo } from './nf_log.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

interface log_info {
	li: nf_loginfo;
	prefix: string;
}

const PREFIX_SIZE = 30;

function log_parse(b: Uint8Array): log_info | number {
	if (b[xt_log_info.level] >= 8 || b[xt_log_info.prefix + PREFIX_SIZE - 1] !== 0) return -EINVAL;
	let prefix = '';
	for (let i = 0; b[xt_log_info.prefix + i] !== 0; i++) prefix += String.fromCharCode(b[xt_log_info.prefix + i]);
	const li: nf_loginfo = {
		type: NF_LOG_TYPE_LOG,
		level: b[xt_log_info.level],
		logflags: b[xt_log_info.logflags],
		group: 0,
		copy_len: 0,
		qthreshold: 0,
	};
	return { li, prefix };
}

function log_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as log_info;
	const s = par.state;
	nf_log_packet(s.net, NFPROTO_IPV4, s.hook, skb, s.in, s.out, info.li, info.prefix);
	return XT_CONTINUE;
}

export function log_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'LOG',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: xt_log_info.sizeof,
		parse: log_parse,
		target: log_tg,
	});
}
