/*
 * net/netfilter/core.ts: the hooks.                                Linux: net/netfilter/core.c, linux/netfilter.h
 */

import type { Machine } from '../../kernel/machine.ts';
import { ctl_int, register_sysctl } from '../../kernel/sysctl.ts';
import { trace_event, trace_hook } from '../../kernel/trace.ts';
import { EPERM } from '../../uapi/asm-generic/errno.ts';
import {
	NF_ACCEPT,
	NF_DROP,
	NF_QUEUE,
	NF_REPEAT,
	NF_STOLEN,
	NF_VERDICT_MASK,
	NFPROTO_NUMPROTO,
} from '../../uapi/linux/netfilter.ts';
import { SKB_DROP_REASON_NETFILTER_DROP } from '../core/dropreason.ts';
import type { net } from '../core/net_namespace.ts';
import { register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { kfree_skb, kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { nf_logfn } from './nf_log.ts';
import { nf_sockopt_global } from './nf_sockopt.ts';

export type okfn_t = (net: net, sk: sock | null, skb: sk_buff) => number;
export type nf_hookfn = (priv: unknown, skb: sk_buff, state: nf_hook_state) => number;

/** Where a packet stands while hooks see it. One per nesting level, reused. */
export class nf_hook_state {
	hook = 0;
	pf = 0;
	in: net_device | null = null;
	out: net_device | null = null;
	sk: sock | null = null;
	net!: net;
	okfn!: okfn_t;
}

export interface nf_hook_ops {
	hook: nf_hookfn;
	/** Handed to the hook. */
	priv: unknown;
	pf: number;
	hooknum: number;
	/** Lower runs first: NF_IP_PRI_*. */
	priority: number;
	/** The hook function's name, for traces. */
	name: string;
}

/** Takes packets that a hook said NF_QUEUE for. Return: 0, or -errno when nobody listens on that queue. */
export interface nf_queue_handler {
	outfn: (entry: nf_queue_entry, queuenum: number) => number;
	nf_hook_drop: (net: net) => void;
}

export interface nf_queue_entry {
	skb: sk_buff;
	state: nf_hook_state;
	/** Index of the hook that queued it; NF_REPEAT starts there again, NF_ACCEPT after it. */
	hook_index: number;
	id: number;
}

/** Per namespace: hooks by family and number, sorted by priority; null where none. */
export class netns_nf {
	hooks: (nf_hook_ops[] | null)[][] = [];
	queue_handler: nf_queue_handler | null = null;
}

export class nf_global {
	/** Free nf_hook_state objects. */
	states: nf_hook_state[] = [];
	state_depth = 0;
	sockopts: nf_sockopt_global = new nf_sockopt_global();
	/** net.netfilter.nf_log_all_netns: namespaces other than the first may log. */
	log_all_netns = 0;
	/** NFLOG's listener (nfnetlink_log); null when there is none. */
	ulog: nf_logfn | null = null;
}

const NF_MAX_HOOKS = 8;

function nf_net_init(net: net): number {
	const nf = new netns_nf();
	for (let pf = 0; pf < NFPROTO_NUMPROTO; pf++) nf.hooks.push(new Array(NF_MAX_HOOKS).fill(null));
	net.nf = nf;
	return 0;
}

function nf_net_exit(_net: net): void {}

export function netfilter_init(machine: Machine): void {
	machine.nf = new nf_global();
	register_sysctl(machine.sysctl, [ctl_int('net/netfilter/nf_log_all_netns', machine.nf, 'log_all_netns')]);
	register_pernet_subsys(machine, { name: 'netfilter', init: nf_net_init, exit: nf_net_exit });
}

/** Adds a hook behind those of the same priority. Return: 0 or -errno. */
export function nf_register_net_hook(net: net, ops: nf_hook_ops): number {
	const old = net.nf.hooks[ops.pf][ops.hooknum];
	const hooks = old === null ? [] : old.slice();
	let at = hooks.length;
	while (at > 0 && hooks[at - 1].priority > ops.priority) at--;
	hooks.splice(at, 0, ops);
	net.nf.hooks[ops.pf][ops.hooknum] = hooks;
	return 0;
}

export function nf_unregister_net_hook(net: net, ops: nf_hook_ops): void {
	const old = net.nf.hooks[ops.pf][ops.hooknum];
	if (old === null) return;
	const hooks = old.filter((h) => h !== ops);
	net.nf.hooks[ops.pf][ops.hooknum] = hooks.length > 0 ? hooks : null;
}

export function nf_register_net_hooks(net: net, ops: readonly nf_hook_ops[]): number {
	for (const o of ops) nf_register_net_hook(net, o);
	return 0;
}

export function nf_unregister_net_hooks(net: net, ops: readonly nf_hook_ops[]): void {
	for (const o of ops) nf_unregister_net_hook(net, o);
}

/**
 * Runs the hooks from `index`. Return: 1 when the packet may go on (it is still the caller's), else 0 or -errno and the packet is gone.
 */
export function nf_hook_slow(skb: sk_buff, state: nf_hook_state, hooks: nf_hook_ops[], index: number): number {
	for (let i = index; i < hooks.length; i++) {
		const h = hooks[i];
		if (skb.journey !== null) trace_hook(skb, h.name, state.hook, state.pf, h.priority);
		const verdict = h.hook(h.priv, skb, state);
		switch (verdict & NF_VERDICT_MASK) {
			case NF_ACCEPT:
				break;
			case NF_DROP: {
				kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP, 'nf_hook_slow');
				const err = verdict >> 16;
				return err === 0 ? -EPERM : err;
			}
			case NF_QUEUE: {
				const ret = nf_queue(skb, state, i, verdict);
				if (ret === 1) continue;
				return ret;
			}
			case NF_REPEAT:
				i--;
				break;
			default: // NF_STOLEN
				return 0;
		}
	}
	return 1;
}

/** Hands the packet to the queue's listener. Return: 1 to go on with the next hook (bypass), else the packet is gone. */
function nf_queue(skb: sk_buff, state: nf_hook_state, index: number, verdict: number): number {
	const handler = state.net.nf.queue_handler;
	const bypass = (verdict & 0x8000) !== 0; // NF_VERDICT_FLAG_QUEUE_BYPASS
	if (handler !== null) {
		const copy = new nf_hook_state();
		Object.assign(copy, state);
		if (skb.journey !== null) trace_event(skb, 'note', 'nf_queue', { queue: verdict >>> 16 });
		const err = handler.outfn({ skb, state: copy, hook_index: index, id: 0 }, verdict >>> 16);
		if (err >= 0) return 0;
	}
	if (bypass) return 1;
	kfree_skb(skb, 'nf_queue');
	return 0;
}

/** A queued packet comes back with its listener's verdict. Consumes the packet. */
export function nf_reinject(entry: nf_queue_entry, verdict: number): void {
	const { skb, state } = entry;
	let from = entry.hook_index + 1;
	switch (verdict & NF_VERDICT_MASK) {
		case NF_REPEAT:
			from = entry.hook_index;
			break;
		case NF_ACCEPT:
			break;
		case NF_STOLEN:
			return;
		case NF_QUEUE: {
			const handler = state.net.nf.queue_handler;
			if (handler !== null && handler.outfn(entry, verdict >>> 16) >= 0) return;
			kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP, 'nf_reinject');
			return;
		}
		default:
			kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP, 'nf_reinject');
			return;
	}
	const hooks = state.net.nf.hooks[state.pf][state.hook];
	if (hooks === null || nf_hook_slow(skb, state, hooks, from) === 1) state.okfn(state.net, state.sk, skb);
}

/**
 * Runs hook `hook` of family `pf`. Return: 1 when the caller goes on with the packet, else the packet is gone.
 */
export function nf_hook(
	pf: number,
	hook: number,
	net: net,
	sk: sock | null,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	okfn: okfn_t,
): number {
	const hooks = net.nf.hooks[pf][hook];
	if (hooks === null) return 1;
	const g = net.machine.nf;
	const depth = g.state_depth++;
	let state = g.states[depth];
	if (state === undefined) {
		state = new nf_hook_state();
		g.states.push(state);
	}
	state.hook = hook;
	state.pf = pf;
	state.in = indev;
	state.out = outdev;
	state.sk = sk;
	state.net = net;
	state.okfn = okfn;
	const ret = nf_hook_slow(skb, state, hooks, 0);
	g.state_depth = depth;
	return ret;
}

/** nf_hook, then `okfn` when the packet may go on. Consumes skb. Return: okfn's, 0 or -errno. */
export function NF_HOOK(
	pf: number,
	hook: number,
	net: net,
	sk: sock | null,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	okfn: okfn_t,
): number {
	if (net.nf.hooks[pf][hook] === null) return okfn(net, sk, skb);
	const ret = nf_hook(pf, hook, net, sk, skb, indev, outdev, okfn);
	return ret === 1 ? okfn(net, sk, skb) : ret;
}

/** NF_HOOK unless `cond` is false: then straight to `okfn`. */
export function NF_HOOK_COND(
	pf: number,
	hook: number,
	net: net,
	sk: sock | null,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	okfn: okfn_t,
	cond: boolean,
): number {
	return cond ? NF_HOOK(pf, hook, net, sk, skb, indev, outdev, okfn) : okfn(net, sk, skb);
}
