/*
 * net/ipv4/tcp_output_probe.ts: the search for the path's MTU with segments of data.   Linux: net/ipv4/tcp_output.c (tcp_mtu_probe)
 * RFC 4821: a segment larger than the MSS in use goes now and then; acknowledged, it raises search_low; lost, it lowers
 * search_high (tcp_input_loss.ts). Off unless net.ipv4.tcp_mtu_probing says so.
 */
import { HZ } from '../../kernel/time.ts';
import { TCP_CA_Open, TCPHDR_ACK, TCPHDR_FIN, TCPHDR_PSH } from '../../uapi/linux/tcp.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { skb_shift } from '../core/skbuff_frags.ts';
import { __skb_queue_before } from '../core/skbuff_queue.ts';
import type { sock } from '../core/sock.ts';
import { sk_mem_charge } from '../core/sock_mem.ts';
import { sk_wmem_queued_add } from '../core/stream.ts';
import { tcp_stream_alloc_skb } from './tcp.ts';
import { tcp_highest_sack_replace } from './tcp_input_sack.ts';
import { tcp_current_mss, tcp_mss_to_mtu, tcp_mtu_to_mss, tcp_transmit_skb } from './tcp_output.ts';
import {
	tcp_skb_can_collapse,
	tcp_skb_collapse_tstamp,
	tcp_unlink_write_queue,
	tcp_wmem_free_skb,
} from './tcp_output_rtx.ts';
import { tcp_event_new_data_sent, tcp_set_skb_tso_segs } from './tcp_output_xmit.ts';
import { after, TCP_SKB_CB, tcp_packets_in_flight, tcp_send_head, tcp_sk, tcp_wnd_end } from './tcp_sock.ts';

/** After probe_interval seconds of quiet the search begins anew: paths change. */
function tcp_mtu_check_reprobe(sk: sock): void {
	const tp = tcp_sk(sk);
	const now = sk.net.machine.jiffies;
	if (now - tp.icsk_mtup_probe_timestamp < sk.net.ipv4.sysctl_tcp_probe_interval * HZ) return;
	const mss = tcp_current_mss(sk);
	tp.icsk_mtup_probe_size = 0;
	tp.icsk_mtup_search_high = tp.rx_opt.mss_clamp + 20 + tp.icsk_af_ops.net_header_len;
	tp.icsk_mtup_search_low = tcp_mss_to_mtu(sk, mss);
	tp.icsk_mtup_probe_timestamp = now;
}

/** Whether the first `len` bytes of the write queue may become one segment. */
function tcp_can_coalesce_send_queue_head(sk: sock, len: number): boolean {
	for (let skb = tcp_send_head(sk); skb !== null && len > 0; skb = skb.next) {
		if (skb.next !== null && len > skb.len && !tcp_skb_can_collapse(skb, skb.next)) return false;
		len -= Math.min(len, skb.len);
	}
	return len === 0;
}

/** Moves the first `probe_size` bytes of the write queue into `nskb`, which stands before them. */
function fill_probe(sk: sock, nskb: sk_buff, probe_size: number, mss_now: number): boolean {
	const n = TCP_SKB_CB(nskb);
	let left = probe_size;
	while (left > 0) {
		const skb = nskb.next;
		if (skb === null) return false;
		const cb = TCP_SKB_CB(skb);
		const copy = Math.min(skb.len, left);
		const whole = skb.len <= copy;
		if (skb_shift(nskb, skb, copy) === 0) return false;
		left -= copy;
		if (whole) {
			n.tcp_flags |= cb.tcp_flags;
			n.eor = cb.eor;
			tcp_skb_collapse_tstamp(nskb, skb);
			tcp_unlink_write_queue(skb, sk);
			tcp_wmem_free_skb(sk, skb);
		} else {
			n.tcp_flags |= cb.tcp_flags & ~(TCPHDR_FIN | TCPHDR_PSH);
			tcp_set_skb_tso_segs(skb, mss_now);
			cb.seq = (cb.seq + copy) | 0;
		}
	}
	return true;
}

/** Sends a probe when it is time and there is enough data. Return: 1 sent, 0 wait (it could go soon), -1 not now. */
export function tcp_mtu_probe(sk: sock): number {
	const tp = tcp_sk(sk);
	if (
		!tp.icsk_mtup_enabled ||
		tp.icsk_mtup_probe_size !== 0 ||
		tp.icsk_ca_state !== TCP_CA_Open ||
		tp.snd_cwnd < 11 ||
		tp.rx_opt.num_sacks !== 0 ||
		tp.rx_opt.dsack
	)
		return -1;
	const mss_now = tcp_current_mss(sk);
	const high = tp.icsk_mtup_search_high;
	const low = tp.icsk_mtup_search_low;
	const probe_size = tcp_mtu_to_mss(sk, (high + low) >> 1);
	// Behind the probe there must be enough for its loss to be seen by duplicate ACKs.
	const size_needed = probe_size + (tp.reordering + 1) * tp.mss_cache;
	if (probe_size > tcp_mtu_to_mss(sk, high) || high - low < sk.net.ipv4.sysctl_tcp_probe_threshold) {
		tcp_mtu_check_reprobe(sk);
		return -1;
	}
	if (((tp.write_seq - tp.snd_nxt) | 0) < size_needed || tp.snd_wnd < size_needed) return -1;
	if (after((tp.snd_nxt + size_needed) | 0, tcp_wnd_end(tp))) return 0;
	if (tcp_packets_in_flight(tp) + 2 > tp.snd_cwnd) return tcp_packets_in_flight(tp) === 0 ? -1 : 0;
	if (!tcp_can_coalesce_send_queue_head(sk, probe_size)) return -1;
	const skb = tcp_send_head(sk)!;
	const nskb = tcp_stream_alloc_skb(sk, false);
	if (nskb === null) return -1;
	sk_wmem_queued_add(sk, nskb.truesize);
	sk_mem_charge(sk, nskb.truesize);
	const n = TCP_SKB_CB(nskb);
	n.seq = TCP_SKB_CB(skb).seq;
	n.end_seq = (n.seq + probe_size) | 0;
	n.tcp_flags = TCPHDR_ACK;
	__skb_queue_before(sk.sk_write_queue, skb, nskb);
	tcp_highest_sack_replace(sk, skb, nskb);
	if (!fill_probe(sk, nskb, probe_size, mss_now)) n.end_seq = (n.seq + nskb.len) | 0;
	n.tcp_gso_segs = 1;
	n.tcp_gso_size = 0;
	if (tcp_transmit_skb(sk, nskb, true) !== 0) return -1;
	// Its bytes would have been several packets.
	tp.snd_cwnd--;
	tcp_event_new_data_sent(sk, nskb);
	tp.icsk_mtup_probe_size = tcp_mss_to_mtu(sk, nskb.len);
	tp.mtu_probe_seq_start = n.seq;
	tp.mtu_probe_seq_end = n.end_seq;
	return 1;
}
