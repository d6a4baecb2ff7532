/*
 * net/ipv4/tcp_info.ts: TCP_INFO: what ss -i shows of a connection.      Linux: net/ipv4/tcp.c (tcp_get_info), uapi/linux/tcp.h
 * struct tcp_info of Linux 6.18, 280 bytes; what accurate ECN says of sent data is 0 while that is not negotiated, which it never is here.
 */
import { HZ, jiffies_to_msecs } from '../../kernel/time.ts';
import { put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	TCPI_OPT_ECN,
	TCPI_OPT_ECN_SEEN,
	TCPI_OPT_SACK,
	TCPI_OPT_SYN_DATA,
	TCPI_OPT_TIMESTAMPS,
	TCPI_OPT_USEC_TS,
	TCPI_OPT_WSCALE,
} from '../../uapi/linux/tcp.ts';
import { type sock, TCP_LISTEN } from '../core/sock.ts';
import { tcp_delack_max } from './tcp_output.ts';
import {
	TCP_CHRONO_BUSY,
	TCP_CHRONO_RWND_LIMITED,
	TCP_CHRONO_SNDBUF_LIMITED,
	TCP_ECN_OK,
	TCP_ECN_SEEN,
	tcp_is_sack,
	tcp_min_rtt,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

export const TCP_INFO_LEN = 280;

const USEC_PER_JIFFY = 1e6 / HZ;

function put_u32(b: Uint8Array, at: number, v: number): void {
	put_unaligned_le32(b, at, v >>> 0);
}

/** 64 bits; Infinity is the largest number. */
function put_u64(b: Uint8Array, at: number, v: number): void {
	if (v === Infinity) {
		put_unaligned_le32(b, at, 0xffffffff);
		put_unaligned_le32(b, at + 4, 0xffffffff);
		return;
	}
	v = Math.floor(v);
	put_unaligned_le32(b, at, (v % 0x100000000) >>> 0);
	put_unaligned_le32(b, at + 4, Math.floor(v / 0x100000000));
}

/** us for which `type` held, up to now. */
function chrono_us(tp: tcp_sock, type: number): number {
	let j = tp.chrono_stat[type - 1];
	if (tp.chrono_type === type) j += tp.sk.net.machine.jiffies - tp.chrono_start;
	return j * USEC_PER_JIFFY;
}

/** Bytes a second, of the last rate sample that counted; 0 for none yet. */
export function tcp_compute_delivery_rate(tp: tcp_sock): number {
	if (tp.rate_delivered === 0 || tp.rate_interval_us === 0) return 0;
	return Math.floor((tp.rate_delivered * tp.mss_cache * 1e6) / tp.rate_interval_us);
}

/** Writes struct tcp_info to the first TCP_INFO_LEN bytes of `info` from `at`. */
export function tcp_get_info(sk: sock, info: Uint8Array, at: number): void {
	const tp = tcp_sk(sk);
	info.fill(0, at, at + TCP_INFO_LEN);
	info[at] = sk.sk_state;
	put_u64(info, at + 104, sk.sk_pacing_rate);
	put_u64(info, at + 112, sk.sk_max_pacing_rate);
	put_u32(info, at + 88, tp.reordering);
	put_u32(info, at + 80, tp.snd_cwnd);
	if (sk.sk_state === TCP_LISTEN) {
		put_u32(info, at + 24, sk.sk_ack_backlog);
		put_u32(info, at + 28, sk.sk_max_ack_backlog);
		return;
	}
	const now = sk.net.machine.jiffies;
	info[at + 1] = tp.icsk_ca_state;
	info[at + 2] = tp.icsk_retransmits;
	info[at + 3] = tp.icsk_probes_out;
	info[at + 4] = tp.icsk_backoff;
	let options = 0;
	if (tp.rx_opt.tstamp_ok) options |= TCPI_OPT_TIMESTAMPS;
	if (tcp_is_sack(tp)) options |= TCPI_OPT_SACK;
	if (tp.rx_opt.wscale_ok) {
		options |= TCPI_OPT_WSCALE;
		info[at + 6] = tp.rx_opt.snd_wscale | (tp.rx_opt.rcv_wscale << 4);
	}
	if ((tp.ecn_flags & TCP_ECN_OK) !== 0) options |= TCPI_OPT_ECN;
	if ((tp.ecn_flags & TCP_ECN_SEEN) !== 0) options |= TCPI_OPT_ECN_SEEN;
	if (tp.syn_data_acked) options |= TCPI_OPT_SYN_DATA;
	if (tp.tcp_usec_ts) options |= TCPI_OPT_USEC_TS;
	info[at + 5] = options;
	info[at + 7] = (tp.rate_app_limited ? 1 : 0) | (tp.fastopen_client_fail << 1);
	put_u32(info, at + 8, tp.icsk_rto * USEC_PER_JIFFY);
	put_u32(info, at + 12, Math.min(tp.icsk_ack_ato, tcp_delack_max(sk)) * USEC_PER_JIFFY);
	put_u32(info, at + 16, tp.mss_cache);
	put_u32(info, at + 20, tp.icsk_ack_rcv_mss);
	put_u32(info, at + 24, tp.packets_out);
	put_u32(info, at + 28, tp.sacked_out);
	put_u32(info, at + 32, tp.lost_out);
	put_u32(info, at + 36, tp.retrans_out);
	put_u32(info, at + 44, jiffies_to_msecs(now - tp.lsndtime));
	put_u32(info, at + 52, jiffies_to_msecs(now - tp.icsk_ack_lrcvtime));
	put_u32(info, at + 56, jiffies_to_msecs(now - tp.rcv_tstamp));
	put_u32(info, at + 60, tp.icsk_pmtu_cookie);
	put_u32(info, at + 64, tp.rcv_ssthresh);
	put_u32(info, at + 68, tp.srtt_us >> 3);
	put_u32(info, at + 72, tp.mdev_us >> 2);
	put_u32(info, at + 76, tp.snd_ssthresh);
	put_u32(info, at + 84, tp.advmss);
	put_u32(info, at + 92, tp.rcv_rtt_est_rtt_us >> 3);
	put_u32(info, at + 96, tp.rcvq_space_space);
	put_u32(info, at + 100, tp.total_retrans);
	put_u64(info, at + 120, tp.bytes_acked);
	put_u64(info, at + 128, tp.bytes_received);
	put_u32(info, at + 136, tp.segs_out);
	put_u32(info, at + 140, tp.segs_in);
	put_u32(info, at + 144, Math.max(0, (tp.write_seq - tp.snd_nxt) | 0));
	put_u32(info, at + 148, tcp_min_rtt(tp));
	put_u32(info, at + 152, tp.data_segs_in);
	put_u32(info, at + 156, tp.data_segs_out);
	put_u64(info, at + 160, tcp_compute_delivery_rate(tp));
	const rwnd = chrono_us(tp, TCP_CHRONO_RWND_LIMITED);
	const sndbuf = chrono_us(tp, TCP_CHRONO_SNDBUF_LIMITED);
	put_u64(info, at + 168, chrono_us(tp, TCP_CHRONO_BUSY) + rwnd + sndbuf);
	put_u64(info, at + 176, rwnd);
	put_u64(info, at + 184, sndbuf);
	put_u32(info, at + 192, tp.delivered);
	put_u32(info, at + 196, tp.delivered_ce);
	put_u64(info, at + 200, tp.bytes_sent);
	put_u64(info, at + 208, tp.bytes_retrans);
	put_u32(info, at + 216, tp.dsack_dups);
	put_u32(info, at + 220, tp.reord_seen);
	put_u32(info, at + 224, tp.rcv_ooopack);
	put_u32(info, at + 228, tp.snd_wnd);
	put_u32(info, at + 232, tp.rcv_wnd);
	put_u32(info, at + 236, tp.timeout_rehash);
	put_unaligned_le16(info, at + 240, tp.total_rto);
	put_unaligned_le16(info, at + 242, tp.total_rto_recoveries);
	let rto_time = tp.total_rto_time;
	if (tp.rto_stamp !== 0) rto_time += Math.floor(sk.net.machine.clock.now / 1e6) - tp.rto_stamp;
	put_u32(info, at + 244, rto_time);
	put_u32(info, at + 248, tp.received_ce);
	put_u32(info, at + 264, tp.received_e1_bytes);
	put_u32(info, at + 268, tp.received_e0_bytes);
	put_u32(info, at + 272, tp.received_ce_bytes);
}
