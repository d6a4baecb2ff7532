/*
 * net/netfilter/nf_conntrack_helper.ts: readers of protocols that open further connections.   Linux: net/netfilter/nf_conntrack_helper.c
 * A helper is registered by name, family and port, and given to a flow by the CT target (never by port alone: Linux does not since 6.0).
 * The helpers themselves (ftp, tftp, sip, …) come with issue 3.
 */
import type { Machine } from '../../kernel/machine.ts';
import { EEXIST } from '../../uapi/asm-generic/errno.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { nf_hook_state } from './core.ts';
import { type nf_conn, nf_ct_ext_add } from './nf_conntrack_core.ts';
import type { nf_conntrack_expect } from './nf_conntrack_expect.ts';

export interface nf_conntrack_expect_policy {
	max_expected: number;
	/** seconds */
	timeout: number;
	name: string;
}

export interface nf_conntrack_helper {
	name: string;
	l3num: number;
	protonum: number;
	/** The port that it is usually found at. */
	port: number;
	expect_policy: readonly nf_conntrack_expect_policy[];
	/** Reads a packet of its flow, before it is confirmed. Return: a verdict. */
	help: (skb: sk_buff, state: nf_hook_state, ct: nf_conn, ctinfo: number) => number;
	/** Frees what it kept for a flow. */
	destroy: ((ct: nf_conn) => void) | null;
}

/** A flow's helper. */
export interface nf_conn_help {
	helper: nf_conntrack_helper;
	/** The helper's own. */
	data: unknown;
}

/** Return: 0 or -EEXIST. */
export function nf_conntrack_helper_register(machine: Machine, me: nf_conntrack_helper): number {
	if (__nf_conntrack_helper_find(machine, me.name, me.l3num, me.protonum) !== null) return -EEXIST;
	machine.ct.helpers.push(me);
	return 0;
}

export function nf_conntrack_helper_unregister(machine: Machine, me: nf_conntrack_helper): void {
	const at = machine.ct.helpers.indexOf(me);
	if (at >= 0) machine.ct.helpers.splice(at, 1);
}

/** By name, family and protocol; null when there is none. */
export function __nf_conntrack_helper_find(
	machine: Machine,
	name: string,
	l3num: number,
	protonum: number,
): nf_conntrack_helper | null {
	for (const h of machine.ct.helpers) {
		if (h.name === name && h.protonum === protonum && (h.l3num === 0 || h.l3num === l3num)) return h;
	}
	return null;
}

/** Gives `ct` a helper. */
export function nf_ct_helper_ext_add(ct: nf_conn, helper: nf_conntrack_helper): nf_conn_help {
	const help: nf_conn_help = { helper, data: null };
	nf_ct_ext_add(ct).help = help;
	return help;
}

/** The helper of the flow that `exp` belongs to. */
export function nf_ct_expect_helper(exp: nf_conntrack_expect): nf_conntrack_helper | null {
	return exp.master.ext !== null && exp.master.ext.help !== null ? exp.master.ext.help.helper : null;
}
