/*
 * net/netfilter/xt_CT.ts: targets CT and NOTRACK: how a packet is to be tracked, said before it is.        Linux: net/netfilter/xt_CT.c
 *
 * The rule's wish is a template: an entry in no table that the packet carries to nf_conntrack_in, which copies from it.
 * Not here yet, and refused: zones of one direction, zones by mark, event masks, timeout policies.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL, ENOENT, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import { IP_CT_NEW, IPS_CONFIRMED, IPS_TEMPLATE } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	XT_CT_MASK,
	XT_CT_NOTRACK,
	XT_CT_NOTRACK_ALIAS,
	XT_CT_ZONE_DIR_ORIG,
	XT_CT_ZONE_DIR_REPL,
	XT_CT_ZONE_MARK,
	xt_ct_target_info,
	xt_ct_target_info_v1,
} from '../../uapi/linux/netfilter/xt_CT.ts';
import { NFPROTO_IPV4, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { IP_CT_UNTRACKED, nf_conn, nf_conntrack_tuple } from './nf_conntrack_core.ts';
import { __nf_conntrack_helper_find, nf_ct_helper_ext_add } from './nf_conntrack_helper.ts';
import { nf_ct_netns_get, nf_ct_netns_put } from './nf_conntrack_proto.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_targets, type xt_tgchk_param } from './x_tables.ts';

const NAME_SIZE = 16;
const TIMEOUT_SIZE = 32;

interface ct_info {
	flags: number;
	zone: number;
	ct_events: number;
	exp_events: number;
	helper: string;
	timeout: string;
	/** The template; null for packets that are not to be tracked. Made by checkentry. */
	ct: nf_conn | null;
}

function name_at(b: Uint8Array, at: number, size: number): string {
	let s = '';
	for (let i = at; i < at + size && b[i] !== 0; i++) s += String.fromCharCode(b[i]);
	return s;
}

function ct_parse_v0(b: Uint8Array): ct_info {
	return {
		flags: get_unaligned_le16(b, xt_ct_target_info.flags),
		zone: get_unaligned_le16(b, xt_ct_target_info.zone),
		ct_events: get_unaligned_le32(b, xt_ct_target_info.ct_events),
		exp_events: get_unaligned_le32(b, xt_ct_target_info.exp_events),
		helper: name_at(b, xt_ct_target_info.helper, NAME_SIZE),
		timeout: '',
		ct: null,
	};
}

function ct_parse_v1(b: Uint8Array): ct_info {
	const info = ct_parse_v0(b);
	info.timeout = name_at(b, xt_ct_target_info_v1.timeout, TIMEOUT_SIZE);
	return info;
}

function ct_say(par: xt_tgchk_param, text: string): void {
	printk(par.net.machine, KERN_INFO, `xt_CT: ${text}`);
}

const LINUX_HELPERS: readonly string[] = [
	'amanda',
	'ftp',
	'irc',
	'netbios-ns',
	'pptp',
	'Q.931',
	'RAS',
	'sane',
	'sip',
	'snmp',
	'tftp',
];

/** Gives the template a helper. Return: 0 or -errno. */
function xt_ct_set_helper(ct: nf_conn, name: string, par: xt_tgchk_param): number {
	if (par.proto === 0 || par.invproto) {
		ct_say(par, 'You must specify a L4 protocol and not use inversions on it');
		return -ENOENT;
	}
	const helper = __nf_conntrack_helper_find(par.net.machine, name, par.family, par.proto);
	// Helpers that Linux has and linnet does not: the rule is kept, and helps nobody (docs/deviations.md).
	if (helper === null && LINUX_HELPERS.includes(name)) return 0;
	if (helper === null) {
		ct_say(par, `No such helper "${name}"`);
		return -ENOENT;
	}
	if (nf_ct_helper_ext_add(ct, helper) === null) return -ENOMEM;
	return 0;
}

function xt_ct_tg_check(par: xt_tgchk_param): number {
	const info = par.targinfo as ct_info;
	if ((info.flags & XT_CT_NOTRACK) !== 0) return 0;
	if ((info.flags & (XT_CT_ZONE_DIR_ORIG | XT_CT_ZONE_DIR_REPL | XT_CT_ZONE_MARK)) !== 0) {
		ct_say(par, 'zones of one direction or by mark are not in this kernel');
		return -EINVAL;
	}
	if (info.ct_events !== 0 || info.exp_events !== 0) {
		ct_say(par, 'event masks are not in this kernel');
		return -EINVAL;
	}
	const err = nf_ct_netns_get(par.net, par.family);
	if (err < 0) return err;
	const ct = new nf_conn(par.net, new nf_conntrack_tuple(), new nf_conntrack_tuple(), 0);
	ct.zone = info.zone;
	ct.status = IPS_TEMPLATE | IPS_CONFIRMED;
	if (info.helper !== '') {
		const ret = xt_ct_set_helper(ct, info.helper, par);
		if (ret < 0) {
			nf_ct_netns_put(par.net, par.family);
			return ret;
		}
	}
	if (info.timeout !== '') {
		nf_ct_netns_put(par.net, par.family);
		if (par.proto === 0 || par.invproto) {
			ct_say(par, 'You must specify a L4 protocol and not use inversions on it');
			return -EINVAL;
		}
		ct_say(par, `No such timeout policy "${info.timeout}"`);
		return -ENOENT;
	}
	info.ct = ct;
	return 0;
}

function xt_ct_tg_check_v2(par: xt_tgchk_param): number {
	return ((par.targinfo as ct_info).flags & ~XT_CT_MASK) !== 0 ? -EINVAL : xt_ct_tg_check(par);
}

function xt_ct_tg_check_v1(par: xt_tgchk_param): number {
	const flags = (par.targinfo as ct_info).flags;
	return (flags & ~(XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS)) !== 0 ? -EINVAL : xt_ct_tg_check(par);
}

function xt_ct_tg_check_v0(par: xt_tgchk_param): number {
	return ((par.targinfo as ct_info).flags & ~XT_CT_NOTRACK) !== 0 ? -EINVAL : xt_ct_tg_check(par);
}

function xt_ct_tg_destroy(net: net, targinfo: unknown): void {
	if ((targinfo as ct_info).ct !== null) nf_ct_netns_put(net, NFPROTO_IPV4);
}

function xt_ct_tg(skb: sk_buff, par: xt_action_param): number {
	// A packet that was seen before (loopback) keeps what it has.
	if (skb._nfct !== null || skb._nfctinfo !== 0) return XT_CONTINUE;
	const ct = (par.targinfo as ct_info).ct;
	skb._nfct = ct;
	skb._nfctinfo = ct === null ? IP_CT_UNTRACKED : IP_CT_NEW;
	return XT_CONTINUE;
}

function notrack_tg(skb: sk_buff, _par: xt_action_param): number {
	if (skb._nfct === null) skb._nfctinfo = IP_CT_UNTRACKED;
	return XT_CONTINUE;
}

function notrack_parse(_b: Uint8Array): null {
	return null;
}

const CT = { name: 'CT', family: NFPROTO_UNSPEC, table: 'raw', target: xt_ct_tg, destroy: xt_ct_tg_destroy };

export function xt_ct_tg_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{
			name: 'NOTRACK',
			revision: 0,
			family: NFPROTO_UNSPEC,
			targetsize: 0,
			table: 'raw',
			parse: notrack_parse,
			target: notrack_tg,
		},
		{
			...CT,
			revision: 0,
			targetsize: xt_ct_target_info.sizeof,
			usersize: xt_ct_target_info.ct,
			parse: ct_parse_v0,
			checkentry: xt_ct_tg_check_v0,
		},
		{
			...CT,
			revision: 1,
			targetsize: xt_ct_target_info_v1.sizeof,
			usersize: xt_ct_target_info_v1.ct,
			parse: ct_parse_v1,
			checkentry: xt_ct_tg_check_v1,
		},
		{
			...CT,
			revision: 2,
			targetsize: xt_ct_target_info_v1.sizeof,
			usersize: xt_ct_target_info_v1.ct,
			parse: ct_parse_v1,
			checkentry: xt_ct_tg_check_v2,
		},
	]);
}
