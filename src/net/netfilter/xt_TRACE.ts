/*
 * net/netfilter/xt_TRACE.ts: target TRACE: from here on every rule that the packet meets is written to the kernel log.
 *                                                                  Linux: net/netfilter/xt_TRACE.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

function trace_parse(_b: Uint8Array): null {
	return null;
}

function trace_tg(skb: sk_buff, _par: xt_action_param): number {
	skb.nf_trace = true;
	return XT_CONTINUE;
}

export function trace_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TRACE',
		revision: 0,
		family: NFPROTO_UNSPEC,
		targetsize: 0,
		table: 'raw',
		parse: trace_parse,
		target: trace_tg,
	});
}
