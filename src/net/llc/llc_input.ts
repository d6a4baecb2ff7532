/*
 * net/llc/llc_input.ts: 802.2 frames to who listens at their service access point.   Linux: net/llc/llc_input.c, llc_core.c
 * Walk: llc_rcv -> llc_fixup_skb (cuts padding, steps over the header) -> llc_sap_find -> its receiver.
 * IEEE 802.2 5.1. Not here yet: LLC type 2, XID and TEST of the station (net/llc/af_llc.c), SNAP.
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_fn } from '../../kernel/trace.ts';
import { ETH_P_802_2 } from '../../uapi/linux/if_ether.ts';
import { PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import { stp_pdu_rcv } from '../802/stp.ts';
import { dev_add_pack, NET_RX_DROP, packet_type } from '../core/dev.ts';
import { SKB_DROP_REASON_NOT_SPECIFIED } from '../core/dropreason.ts';
import type { net_device } from '../core/netdevice.ts';
import {
	kfree_skb_reason,
	pskb_may_pull,
	pskb_trim_rcsum,
	type sk_buff,
	skb_pull,
	skb_share_check,
} from '../core/skbuff.ts';

const LLC_SAP_NULL = 0x00;
const LLC_SAP_BSPAN = 0x42;
const LLC_PDU_LEN_U = 3;
const LLC_PDU_LEN_I = 4;

/** Steps over the LLC header and cuts what pads the frame. Return: whether it is a frame. */
function llc_fixup_skb(skb: sk_buff): boolean {
	if (!pskb_may_pull(skb, 2)) return false;
	let llc_len = LLC_PDU_LEN_I;
	if (!pskb_may_pull(skb, LLC_PDU_LEN_U)) return false;
	// IEEE 802.2 5.2: the control field of an unnumbered frame is one octet.
	if ((skb.head[skb.data + 2] & 3) === 3) llc_len = LLC_PDU_LEN_U;
	if (!pskb_may_pull(skb, llc_len)) return false;
	skb.transport_header = skb.data + llc_len;
	const size = ((skb.head[skb.mac_header + 12] << 8) | skb.head[skb.mac_header + 13]) - llc_len;
	skb_pull(skb, llc_len);
	if (size < 0 || skb.len < size) return false;
	return pskb_trim_rcsum(skb, size) === 0;
}

function drop(skb: sk_buff): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'llc_rcv');
	return NET_RX_DROP;
}

/** The door of 802.2. Context: softirq; consumes skb. */
export function llc_rcv(skb: sk_buff, dev: net_device, _pt: packet_type, _orig_dev: net_device): number {
	if (skb.journey !== null) trace_fn(skb, 'llc_rcv');
	if (skb.pkt_type === PACKET_OTHERHOST) return drop(skb);
	skb = skb_share_check(skb);
	if (!llc_fixup_skb(skb)) return drop(skb);
	const dsap = skb.head[skb.network_header];
	if (dsap === LLC_SAP_NULL) return drop(skb);
	if (dsap === LLC_SAP_BSPAN) return stp_pdu_rcv(skb, dev);
	return drop(skb);
}

/** Opens the door. */
export function llc_init(machine: Machine): void {
	dev_add_pack(machine, new packet_type(ETH_P_802_2, llc_rcv));
}
