/*
 * net/netfilter/xt_CLASSIFY.ts: target CLASSIFY: the packet's class for the queueing discipline.      Linux: net/netfilter/xt_CLASSIFY.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { xt_classify_target_info } from '../../uapi/linux/netfilter/xt_CLASSIFY.ts';
import {
	NF_INET_FORWARD,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

interface classify_info {
	priority: number;
}

function classify_parse(b: Uint8Array): classify_info {
	return { priority: get_unaligned_le32(b, xt_classify_target_info.priority) };
}

function classify_tg(skb: sk_buff, par: xt_action_param): number {
	skb.priority = (par.targinfo as classify_info).priority;
	return XT_CONTINUE;
}

export function classify_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'CLASSIFY',
		revision: 0,
		family: NFPROTO_UNSPEC,
		targetsize: xt_classify_target_info.sizeof,
		hooks: (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_FORWARD) | (1 << NF_INET_POST_ROUTING),
		parse: classify_parse,
		target: classify_tg,
	});
}
