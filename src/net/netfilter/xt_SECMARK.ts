/*
 * net/netfilter/xt_SECMARK.ts: targets AUDIT, SECMARK and CONNSECMARK.    Linux: net/netfilter/xt_AUDIT.c, xt_SECMARK.c, xt_CONNSECMARK.c
 * What has no meaning here is kept: there is no audit log, and no security module that gives contexts a number, so SECMARK is refused
 * as on a Linux without one. CONNSECMARK moves a mark that is always 0.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { EINVAL, ENOENT, ERANGE } from '../../uapi/asm-generic/errno.ts';
import { XT_AUDIT_TYPE_MAX, xt_audit_info } from '../../uapi/linux/netfilter/xt_AUDIT.ts';
import {
	CONNSECMARK_RESTORE,
	CONNSECMARK_SAVE,
	SECMARK_MODE_SEL,
	SECMARK_SECCTX_MAX,
	xt_connsecmark_target_info,
	xt_secmark_target_info_v1,
} from '../../uapi/linux/netfilter/xt_SECMARK.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_ct_netns_get } from './nf_conntrack_proto.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_targets, type xt_tgchk_param } from './x_tables.ts';
import { conntrack_mt_destroy } from './xt_conntrack.ts';

function audit_parse(b: Uint8Array): { type: number } | number {
	const type = b[xt_audit_info.type];
	return type > XT_AUDIT_TYPE_MAX ? -ERANGE : { type };
}

function audit_tg(skb: sk_buff, _par: xt_action_param): number {
	if (skb.journey !== null) trace_event(skb, 'note', 'audit_tg', { why: 'there is no audit log' });
	return XT_CONTINUE;
}

function secmark_parse(b: Uint8Array): { mode: number; secctx: string } {
	let secctx = '';
	const o = xt_secmark_target_info_v1;
	for (let i = 0; i < SECMARK_SECCTX_MAX - 1 && b[o.secctx + i] !== 0; i++)
		secctx += String.fromCharCode(b[o.secctx + i]);
	return { mode: b[o.mode], secctx };
}

function continue_tg(_skb: sk_buff, _par: xt_action_param): number {
	return XT_CONTINUE;
}

function right_table(par: xt_tgchk_param, name: string): boolean {
	if (par.table === 'mangle' || par.table === 'security') return true;
	printk(par.net.machine, 6, `xt_${name}: only valid in 'mangle' or 'security' table, not '${par.table}'`);
	return false;
}

function secmark_tg_check(par: xt_tgchk_param): number {
	const info = par.targinfo as { mode: number; secctx: string };
	if (!right_table(par, 'SECMARK')) return -EINVAL;
	if (info.mode !== SECMARK_MODE_SEL) {
		printk(par.net.machine, 6, `xt_SECMARK: invalid mode: ${info.mode}`);
		return -EINVAL;
	}
	printk(par.net.machine, 6, `xt_SECMARK: unable to map security context '${info.secctx}'`);
	return -ENOENT;
}

function connsecmark_parse(b: Uint8Array): { mode: number } | number {
	const mode = b[xt_connsecmark_target_info.mode];
	return mode === CONNSECMARK_SAVE || mode === CONNSECMARK_RESTORE ? { mode } : -EINVAL;
}

function connsecmark_tg_check(par: xt_tgchk_param): number {
	return right_table(par, 'CONNSECMARK') ? nf_ct_netns_get(par.net, par.family) : -EINVAL;
}

export function secmark_tg_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{
			name: 'AUDIT',
			revision: 0,
			family: NFPROTO_UNSPEC,
			targetsize: xt_audit_info.sizeof,
			parse: audit_parse,
			target: audit_tg,
		},
		{
			name: 'SECMARK',
			revision: 1,
			family: NFPROTO_UNSPEC,
			targetsize: xt_secmark_target_info_v1.sizeof,
			usersize: xt_secmark_target_info_v1.secid,
			parse: secmark_parse,
			target: continue_tg,
			checkentry: secmark_tg_check,
		},
		{
			name: 'CONNSECMARK',
			revision: 0,
			family: NFPROTO_UNSPEC,
			targetsize: xt_connsecmark_target_info.sizeof,
			parse: connsecmark_parse,
			target: continue_tg,
			checkentry: connsecmark_tg_check,
			destroy: conntrack_mt_destroy,
		},
	]);
}
