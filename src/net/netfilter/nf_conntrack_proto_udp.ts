/*
 * net/netfilter/nf_conntrack_proto_udp.ts: UDP and UDP-Lite.       Linux: net/netfilter/nf_conntrack_proto_udp.c
 * Unanswered flows live 30 s; those that go on both ways for more than two seconds are streams: 120 s, and assured.
 * RFC 768 (lengths, checksum).
 */
import { HZ } from '../../kernel/time.ts';
import {
	IPCT_ASSURED,
	IPS_ASSURED,
	IPS_CONFIRMED,
	IPS_SEEN_REPLY,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { NF_ACCEPT, NF_INET_PRE_ROUTING } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import type { nf_hook_state } from './core.ts';
import type { nf_conn } from './nf_conntrack_core.ts';
import { nf_conntrack_event_cache, nf_ct_refresh_acct } from './nf_conntrack_core.ts';
import { nf_ct_l4proto_log_invalid } from './nf_conntrack_proto.ts';
import { nf_ip_checksum } from './utils.ts';

export class nf_udp_net {
	/** jiffies: unreplied, replied */
	timeout = 30 * HZ;
	timeout_stream = 120 * HZ;
}

/** Return: whether the header can't be right. */
function udp_error(skb: sk_buff, dataoff: number, state: nf_hook_state): boolean {
	if (!pskb_may_pull(skb, dataoff + 8)) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_UDP, 'short packet');
		return true;
	}
	const b = skb.head;
	const h = skb.data + dataoff;
	const len = (b[h + 4] << 8) | b[h + 5];
	if (len > skb.len - dataoff || len < 8) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_UDP, 'truncated/malformed packet');
		return true;
	}
	if (b[h + 6] === 0 && b[h + 7] === 0) return false;
	if (
		state.hook === NF_INET_PRE_ROUTING &&
		state.net.ct.sysctl_checksum !== 0 &&
		nf_ip_checksum(skb, state.hook, dataoff, IPPROTO_UDP) !== 0
	) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_UDP, 'bad checksum');
		return true;
	}
	return false;
}

function udplite_error(skb: sk_buff, dataoff: number, state: nf_hook_state): boolean {
	if (!pskb_may_pull(skb, dataoff + 8)) {
		nf_ct_l4proto_log_invalid(skb, state, 136, 'short packet');
		return true;
	}
	const b = skb.head;
	const h = skb.data + dataoff;
	const cscov = (b[h + 4] << 8) | b[h + 5];
	// RFC 3828 3.1: the coverage is 0 (all) or at least the header; a checksum is a must.
	if ((cscov !== 0 && (cscov < 8 || cscov > skb.len - dataoff)) || (b[h + 6] === 0 && b[h + 7] === 0)) {
		nf_ct_l4proto_log_invalid(skb, state, 136, 'invalid checksum coverage');
		return true;
	}
	// Linux 6.18 was seen to refuse every UDP-Lite packet whose checksum no hardware has vouched for, good or bad.
	if (
		state.hook === NF_INET_PRE_ROUTING &&
		state.net.ct.sysctl_checksum !== 0 &&
		(skb.ip_summed === CHECKSUM_NONE || skb.ip_summed === CHECKSUM_COMPLETE)
	) {
		nf_ct_l4proto_log_invalid(skb, state, 136, 'bad checksum');
		return true;
	}
	return false;
}

/** Return: NF_ACCEPT, or -NF_ACCEPT for a packet that is not valid. */
export function nf_conntrack_udp_packet(
	ct: nf_conn,
	skb: sk_buff,
	dataoff: number,
	ctinfo: number,
	state: nf_hook_state,
): number {
	if (ct.orig.protonum === IPPROTO_UDP ? udp_error(skb, dataoff, state) : udplite_error(skb, dataoff, state))
		return -NF_ACCEPT;
	const t = ct.net.ct.udp;
	if ((ct.status & IPS_CONFIRMED) === 0) ct.udp_stream_ts = skb.machine.jiffies + 2 * HZ;
	if ((ct.status & IPS_SEEN_REPLY) !== 0) {
		const stream = skb.machine.jiffies > ct.udp_stream_ts;
		nf_ct_refresh_acct(ct, ctinfo, skb, stream ? t.timeout_stream : t.timeout);
		if (stream && (ct.status & IPS_ASSURED) === 0) {
			ct.status |= IPS_ASSURED;
			nf_conntrack_event_cache(IPCT_ASSURED, ct);
		}
	} else {
		nf_ct_refresh_acct(ct, ctinfo, skb, t.timeout);
	}
	return NF_ACCEPT;
}
