/*
 * net/ipv4/tcp_rate.ts: how fast data are delivered.               Linux: net/ipv4/tcp_rate.c
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { rate_sample } from './tcp_sock.ts';

export function tcp_rate_skb_sent(_sk: sock, _skb: sk_buff): void {}
export function tcp_rate_skb_delivered(_sk: sock, _skb: sk_buff, _rs: rate_sample): void {}
export function tcp_rate_gen(
	_sk: sock,
	_delivered: number,
	_lost: number,
	_is_sack_reneg: boolean,
	_rs: rate_sample,
): void {}
export function tcp_rate_check_app_limited(_sk: sock): void {}
