import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

export const OPTION_SACK_ADVERTISE = 1;
export const OPTION_TS = 2;
export const OPTION_MD5 = 4;
export const OPTION_WSCALE = 8;
export const OPTION_FAST_OPEN_COOKIE = 256;

export function tcp_ecn_clear_syn(_sk: sock, _skb: sk_buff): void {}
export function tcp_ecn_openreq_child(_tp: tcp_sock): void {}
