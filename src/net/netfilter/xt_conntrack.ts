/*
 * net/netfilter/xt_conntrack.ts: matches conntrack and state: what connection tracking says of a packet.
 *                                                                  Linux: net/netfilter/xt_conntrack.c, xt_state.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import { get_unaligned_be16, get_unaligned_be32, get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { IP_CT_IS_REPLY, IPS_DST_NAT, IPS_SRC_NAT } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	XT_CONNTRACK_DIRECTION,
	XT_CONNTRACK_EXPIRES,
	XT_CONNTRACK_ORIGDST,
	XT_CONNTRACK_ORIGDST_PORT,
	XT_CONNTRACK_ORIGSRC,
	XT_CONNTRACK_ORIGSRC_PORT,
	XT_CONNTRACK_PROTO,
	XT_CONNTRACK_REPLDST,
	XT_CONNTRACK_REPLDST_PORT,
	XT_CONNTRACK_REPLSRC,
	XT_CONNTRACK_REPLSRC_PORT,
	XT_CONNTRACK_STATE,
	XT_CONNTRACK_STATE_DNAT,
	XT_CONNTRACK_STATE_INVALID,
	XT_CONNTRACK_STATE_SNAT,
	XT_CONNTRACK_STATE_UNTRACKED,
	XT_CONNTRACK_STATUS,
	xt_conntrack_mtinfo1,
	xt_conntrack_mtinfo2,
	xt_conntrack_mtinfo3,
} from '../../uapi/linux/netfilter/xt_conntrack.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { CTINFO2DIR, IP_CT_UNTRACKED, nf_ct_expires, nf_ct_is_confirmed } from './nf_conntrack_core.ts';
import { nf_ct_netns_get, nf_ct_netns_put } from './nf_conntrack_proto.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_matches } from './x_tables.ts';

/** All revisions in one. Addresses as signed 32-bit numbers, as tuples have them. */
interface conntrack_info {
	match_flags: number;
	invert_flags: number;
	state_mask: number;
	status_mask: number;
	l4proto: number;
	origsrc: number;
	origsrc_mask: number;
	origdst: number;
	origdst_mask: number;
	replsrc: number;
	replsrc_mask: number;
	repldst: number;
	repldst_mask: number;
	expires_min: number;
	expires_max: number;
	/** Ranges of ports, low and high. */
	ports: readonly number[];
}

const PORT_FLAGS = [
	XT_CONNTRACK_ORIGSRC_PORT,
	XT_CONNTRACK_ORIGDST_PORT,
	XT_CONNTRACK_REPLSRC_PORT,
	XT_CONNTRACK_REPLDST_PORT,
];
const ANY_PORT = PORT_FLAGS[0] | PORT_FLAGS[1] | PORT_FLAGS[2] | PORT_FLAGS[3];

function common(b: Uint8Array): conntrack_info {
	const o = xt_conntrack_mtinfo3;
	const be = (at: number): number => get_unaligned_be32(b, at) | 0;
	return {
		match_flags: get_unaligned_le16(b, o.match_flags),
		invert_flags: get_unaligned_le16(b, o.invert_flags),
		state_mask: 0,
		status_mask: 0,
		l4proto: get_unaligned_le16(b, o.l4proto),
		origsrc: be(o.origsrc_addr),
		origsrc_mask: be(o.origsrc_mask),
		origdst: be(o.origdst_addr),
		origdst_mask: be(o.origdst_mask),
		replsrc: be(o.replsrc_addr),
		replsrc_mask: be(o.replsrc_mask),
		repldst: be(o.repldst_addr),
		repldst_mask: be(o.repldst_mask),
		expires_min: get_unaligned_le32(b, o.expires_min),
		expires_max: get_unaligned_le32(b, o.expires_max),
		ports: [],
	};
}

/** Ports of revisions 1 and 2: one each, in network order. */
function single_ports(b: Uint8Array): number[] {
	const o = xt_conntrack_mtinfo1;
	const ports: number[] = [];
	for (const at of [o.origsrc_port, o.origdst_port, o.replsrc_port, o.repldst_port]) {
		const p = get_unaligned_be16(b, at);
		ports.push(p, p);
	}
	return ports;
}

function parse1(b: Uint8Array): conntrack_info {
	const info = common(b);
	info.state_mask = b[xt_conntrack_mtinfo1.state_mask];
	info.status_mask = b[xt_conntrack_mtinfo1.status_mask];
	info.ports = single_ports(b);
	return info;
}

function parse2(b: Uint8Array): conntrack_info {
	const info = common(b);
	info.state_mask = get_unaligned_le16(b, xt_conntrack_mtinfo2.state_mask);
	info.status_mask = get_unaligned_le16(b, xt_conntrack_mtinfo2.status_mask);
	info.ports = single_ports(b);
	return info;
}

function parse3(b: Uint8Array): conntrack_info {
	const o = xt_conntrack_mtinfo3;
	const info = common(b);
	info.state_mask = get_unaligned_le16(b, o.state_mask);
	info.status_mask = get_unaligned_le16(b, o.status_mask);
	const low = [o.origsrc_port, o.origdst_port, o.replsrc_port, o.repldst_port];
	const high = [o.origsrc_port_high, o.origdst_port_high, o.replsrc_port_high, o.repldst_port_high];
	const ports: number[] = [];
	for (let i = 0; i < 4; i++) {
		const lo = get_unaligned_le16(b, low[i]);
		const hi = get_unaligned_le16(b, high[i]);
		ports.push(lo, hi === 0 ? lo : hi);
	}
	info.ports = ports;
	return info;
}

/** The packet's state as one bit (two when its flow is translated). */
function state_bit(skb: sk_buff): number {
	if (skb._nfct !== null) return 1 << ((skb._nfctinfo % IP_CT_IS_REPLY) + 1);
	return skb._nfctinfo === IP_CT_UNTRACKED ? XT_CONNTRACK_STATE_UNTRACKED : XT_CONNTRACK_STATE_INVALID;
}

function conntrack_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as conntrack_info;
	const flags = info.match_flags;
	const inv = info.invert_flags;
	const ct = skb._nfct;
	if ((flags & XT_CONNTRACK_STATE) !== 0) {
		let bit = state_bit(skb);
		if (ct !== null) {
			if ((ct.status & IPS_SRC_NAT) !== 0) bit |= XT_CONNTRACK_STATE_SNAT;
			if ((ct.status & IPS_DST_NAT) !== 0) bit |= XT_CONNTRACK_STATE_DNAT;
		}
		if (((info.state_mask & bit) !== 0) === ((inv & XT_CONNTRACK_STATE) !== 0)) return false;
	}
	if (ct === null) return (flags & XT_CONNTRACK_STATE) !== 0;
	if (flags === XT_CONNTRACK_STATE) return true;
	if ((flags & XT_CONNTRACK_DIRECTION) !== 0) {
		if ((CTINFO2DIR(skb._nfctinfo) === 0) === ((inv & XT_CONNTRACK_DIRECTION) !== 0)) return false;
	}
	const o = ct.orig;
	const r = ct.reply;
	if ((flags & XT_CONNTRACK_ORIGSRC) !== 0) {
		if ((((o.src_ip ^ info.origsrc) & info.origsrc_mask) === 0) === ((inv & XT_CONNTRACK_ORIGSRC) !== 0)) return false;
	}
	if ((flags & XT_CONNTRACK_ORIGDST) !== 0) {
		if ((((o.dst_ip ^ info.origdst) & info.origdst_mask) === 0) === ((inv & XT_CONNTRACK_ORIGDST) !== 0)) return false;
	}
	if ((flags & XT_CONNTRACK_REPLSRC) !== 0) {
		if ((((r.src_ip ^ info.replsrc) & info.replsrc_mask) === 0) === ((inv & XT_CONNTRACK_REPLSRC) !== 0)) return false;
	}
	if ((flags & XT_CONNTRACK_REPLDST) !== 0) {
		if ((((r.dst_ip ^ info.repldst) & info.repldst_mask) === 0) === ((inv & XT_CONNTRACK_REPLDST) !== 0)) return false;
	}
	if ((flags & XT_CONNTRACK_PROTO) !== 0) {
		if ((o.protonum === info.l4proto) === ((inv & XT_CONNTRACK_PROTO) !== 0)) return false;
	}
	if ((flags & ANY_PORT) !== 0) {
		for (let i = 0; i < 4; i++) {
			const flag = PORT_FLAGS[i];
			if ((flags & flag) === 0) continue;
			const p = i === 0 ? o.src_u : i === 1 ? o.dst_u : i === 2 ? r.src_u : r.dst_u;
			if ((p >= info.ports[2 * i] && p <= info.ports[2 * i + 1]) === ((inv & flag) !== 0)) return false;
		}
	}
	if ((flags & XT_CONNTRACK_STATUS) !== 0) {
		if (((info.status_mask & ct.status) !== 0) === ((inv & XT_CONNTRACK_STATUS) !== 0)) return false;
	}
	if ((flags & XT_CONNTRACK_EXPIRES) !== 0) {
		// Before it is confirmed, an entry's timeout is no point in time yet: Linux sees it as over.
		const left = !nf_ct_is_confirmed(ct) ? 0 : Math.floor(nf_ct_expires(ct) / HZ);
		if ((left >= info.expires_min && left <= info.expires_max) === ((inv & XT_CONNTRACK_EXPIRES) !== 0)) return false;
	}
	return true;
}

/** A rule that looks at flows turns tracking on. */
export function conntrack_mt_check(par: xt_mtchk_param): number {
	return nf_ct_netns_get(par.net, par.family);
}

export function conntrack_mt_destroy(net: net, _info: unknown): void {
	nf_ct_netns_put(net, 2);
}

/** xt_state's statemask: bit 0 INVALID, then as conntrack's, and bit 6 UNTRACKED. */
const XT_STATE_UNTRACKED = 1 << 6;

function state_parse(b: Uint8Array): number[] {
	return [get_unaligned_le32(b, 0)];
}

function state_mt(skb: sk_buff, par: xt_action_param): boolean {
	const [mask] = par.matchinfo as number[];
	let bit = state_bit(skb);
	if (bit === XT_CONNTRACK_STATE_UNTRACKED) bit = XT_STATE_UNTRACKED;
	return (mask & bit) !== 0;
}

export function conntrack_mt_init(machine: Machine): number {
	const both = { name: 'conntrack', family: NFPROTO_UNSPEC, match: conntrack_mt };
	const life = { checkentry: conntrack_mt_check, destroy: conntrack_mt_destroy };
	return xt_register_matches(machine, [
		{ ...both, ...life, revision: 1, matchsize: xt_conntrack_mtinfo1.sizeof, parse: parse1 },
		{ ...both, ...life, revision: 2, matchsize: xt_conntrack_mtinfo2.sizeof, parse: parse2 },
		{ ...both, ...life, revision: 3, matchsize: xt_conntrack_mtinfo3.sizeof, parse: parse3 },
		{ ...life, name: 'state', revision: 0, family: NFPROTO_UNSPEC, matchsize: 4, parse: state_parse, match: state_mt },
	]);
}
