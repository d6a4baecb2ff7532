/*
 * net/netfilter/xt_linnet_unknown.ts: a match or target of an imported ruleset that this kernel does not have.     No twin in Linux.
 *
 * Whether such a rule takes a packet nobody here can know. A packet that gets to it is dropped, and its journey says that the verdict
 * is undecided, and why. An unknown match is asked after all others of its rule, so that it is only reached when it would decide.
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { NF_DROP, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match, xt_register_target } from './x_tables.ts';

function unknown_parse(b: Uint8Array): string {
	let bytes = '';
	for (let i = 0; i < b.length && b[i] !== 0; i++) bytes += String.fromCharCode(b[i]);
	return bytes;
}

function unknown_mt(skb: sk_buff, par: xt_action_param): boolean {
	if (skb.journey !== null)
		trace_event(skb, 'note', 'linnet_unknown', { unknown: par.matchinfo as string, undecided: true });
	par.hotdrop = true;
	return false;
}

function unknown_tg(skb: sk_buff, par: xt_action_param): number {
	if (skb.journey !== null)
		trace_event(skb, 'note', 'linnet_unknown', { unknown: par.targinfo as string, undecided: true });
	return NF_DROP;
}

export function linnet_unknown_init(machine: Machine): void {
	xt_register_match(machine, {
		name: 'linnet_unknown',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: -1,
		parse: unknown_parse,
		match: unknown_mt,
	});
	xt_register_target(machine, {
		name: 'linnet_unknown',
		revision: 0,
		family: NFPROTO_UNSPEC,
		targetsize: -1,
		parse: unknown_parse,
		target: unknown_tg,
	});
}
