/*
 * net/netfilter/nf_conntrack_proto_icmp.ts: ICMP.                  Linux: net/netfilter/nf_conntrack_proto_icmp.c
 * Queries and answers with an id make flows; an error belongs to the flow of the packet that it quotes, as RELATED.
 * RFC 792 (types, what an error quotes), RFC 950 (mask), RFC 1812 4.3.2.
 */
import { HZ } from '../../kernel/time.ts';
import {
	ICMP_ADDRESS,
	ICMP_ADDRESSREPLY,
	ICMP_DEST_UNREACH,
	ICMP_ECHO,
	ICMP_ECHOREPLY,
	ICMP_INFO_REPLY,
	ICMP_INFO_REQUEST,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
	ICMP_TIME_EXCEEDED,
	ICMP_TIMESTAMP,
	ICMP_TIMESTAMPREPLY,
} from '../../uapi/linux/icmp.ts';
import {
	IP_CT_IS_REPLY,
	IP_CT_RELATED,
	IPS_CONFIRMED,
	IPS_TEMPLATE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { NF_ACCEPT, NF_INET_PRE_ROUTING } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_ICMP } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import type { nf_hook_state } from './core.ts';
import type { nf_conn, nf_conntrack_tuple } from './nf_conntrack_core.ts';
import {
	nf_conntrack_find_get,
	nf_ct_get_tuple,
	nf_ct_invert_tuple,
	nf_ct_refresh_acct,
	nf_ct_tuple_text,
	trace_invalid,
} from './nf_conntrack_core.ts';
import { nf_ct_l4proto_log_invalid } from './nf_conntrack_proto.ts';
import { nf_ip_checksum } from './utils.ts';

const NR_ICMP_TYPES = 18;

export class nf_icmp_net {
	/** jiffies */
	timeout = 30 * HZ;
}

/** Reads id, type and code at `h`. Return: true. */
export function icmp_pkt_to_tuple(b: Uint8Array, h: number, tuple: nf_conntrack_tuple): boolean {
	tuple.src_u = (b[h + 4] << 8) | b[h + 5];
	tuple.dst_u = (b[h] << 8) | b[h + 1];
	return true;
}

/** The type that answers `type`, or -1. */
function invmap(type: number): number {
	switch (type) {
		case ICMP_ECHO:
			return ICMP_ECHOREPLY;
		case ICMP_ECHOREPLY:
			return ICMP_ECHO;
		case ICMP_TIMESTAMP:
			return ICMP_TIMESTAMPREPLY;
		case ICMP_TIMESTAMPREPLY:
			return ICMP_TIMESTAMP;
		case ICMP_INFO_REQUEST:
			return ICMP_INFO_REPLY;
		case ICMP_INFO_REPLY:
			return ICMP_INFO_REQUEST;
		case ICMP_ADDRESS:
			return ICMP_ADDRESSREPLY;
		case ICMP_ADDRESSREPLY:
			return ICMP_ADDRESS;
		default:
			return -1;
	}
}

/** The ports' part of the inverse. Return: false for types that have no answer. */
export function nf_conntrack_invert_icmp_tuple(inverse: nf_conntrack_tuple, orig: nf_conntrack_tuple): boolean {
	const type = invmap(orig.dst_u >> 8);
	if (type < 0) return false;
	inverse.src_u = orig.src_u;
	inverse.dst_u = (type << 8) | (orig.dst_u & 255);
	return true;
}

/** Return: NF_ACCEPT, or -NF_ACCEPT for an answer that nobody asked for. */
export function nf_conntrack_icmp_packet(ct: nf_conn, skb: sk_buff, ctinfo: number): number {
	if ((ct.status & IPS_CONFIRMED) === 0) {
		const type = ct.orig.dst_u >> 8;
		if (type !== ICMP_ECHO && type !== ICMP_TIMESTAMP && type !== ICMP_INFO_REQUEST && type !== ICMP_ADDRESS) {
			if (skb.journey !== null) trace_invalid(skb, `ICMP type ${type} begins no flow`);
			return -NF_ACCEPT;
		}
	}
	nf_ct_refresh_acct(ct, ctinfo, skb, ct.net.ct.icmp.timeout);
	return NF_ACCEPT;
}

/** Finds the flow of the packet that an error at `dataoff` quotes. Return: NF_ACCEPT with skb._nfct set, or -NF_ACCEPT. */
function nf_conntrack_inet_error(tmpl: nf_conn | null, skb: sk_buff, dataoff: number, state: nf_hook_state): number {
	const g = skb.machine.ct;
	const net = state.net;
	// The quoted header and the first eight bytes behind it.
	const inner = dataoff + 8;
	if (!pskb_may_pull(skb, inner + 20)) {
		if (skb.journey !== null) trace_invalid(skb, 'ICMP error quotes no whole header');
		return -NF_ACCEPT;
	}
	const b = skb.head;
	const nh = skb.data + inner;
	const innerdata = inner + ((b[nh] & 15) << 2);
	if ((((b[nh + 6] << 8) | b[nh + 7]) & 0x1fff) !== 0) {
		if (skb.journey !== null) trace_invalid(skb, 'ICMP error quotes a later fragment');
		return -NF_ACCEPT;
	}
	const quoted = g.tuple;
	if (!nf_ct_get_tuple(skb, inner, innerdata, b[nh + 9], quoted) || !nf_ct_invert_tuple(g.tuple2, quoted)) {
		if (skb.journey !== null) trace_invalid(skb, 'ICMP error quotes a packet that has no tuple');
		return -NF_ACCEPT;
	}
	// The error travels as the answers to the quoted packet do.
	const zone = tmpl !== null && (tmpl.status & IPS_TEMPLATE) !== 0 ? tmpl.zone : 0;
	const h = nf_conntrack_find_get(net, zone, g.tuple2);
	if (h === null) {
		if (skb.journey !== null)
			trace_invalid(skb, `ICMP error quotes a packet of no known flow: ${nf_ct_tuple_text(quoted)}`);
		return -NF_ACCEPT;
	}
	const ct = h.ct!;
	// It must go to whom the quoted packet came from.
	const o = skb.network_header;
	const head = skb.head;
	const daddr = (head[o + 16] << 24) | (head[o + 17] << 16) | (head[o + 18] << 8) | head[o + 19];
	if (daddr !== h.dst_ip) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_ICMP, 'outer daddr does not match the quoted source');
		return -NF_ACCEPT;
	}
	skb._nfct = ct;
	skb._nfctinfo = h === ct.orig ? IP_CT_RELATED : IP_CT_RELATED + IP_CT_IS_REPLY;
	return NF_ACCEPT;
}

/**
 * Checks an ICMP packet and finds an error's flow. Borrows skb.
 * Return: NF_ACCEPT (with skb._nfct for an error, without for what may begin a flow), or -NF_ACCEPT when it is not valid.
 */
export function nf_conntrack_icmpv4_error(
	tmpl: nf_conn | null,
	skb: sk_buff,
	dataoff: number,
	state: nf_hook_state,
): number {
	if (!pskb_may_pull(skb, dataoff + 8)) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_ICMP, 'short packet');
		return -NF_ACCEPT;
	}
	if (
		state.net.ct.sysctl_checksum !== 0 &&
		state.hook === NF_INET_PRE_ROUTING &&
		nf_ip_checksum(skb, state.hook, dataoff, IPPROTO_ICMP) !== 0
	) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_ICMP, 'bad hw icmp checksum');
		return -NF_ACCEPT;
	}
	const type = skb.head[skb.data + dataoff];
	if (type > NR_ICMP_TYPES) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_ICMP, 'invalid icmp type');
		return -NF_ACCEPT;
	}
	if (
		type !== ICMP_DEST_UNREACH &&
		type !== ICMP_SOURCE_QUENCH &&
		type !== ICMP_TIME_EXCEEDED &&
		type !== ICMP_PARAMETERPROB &&
		type !== ICMP_REDIRECT
	)
		return NF_ACCEPT;
	return nf_conntrack_inet_error(tmpl, skb, dataoff, state);
}
