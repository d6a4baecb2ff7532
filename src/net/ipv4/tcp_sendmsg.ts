import type { msghdr } from '../../uapi/linux/socket.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';

export function tcp_push(_sk: sock, _flags: number, _mss_now: number, _nonagle: number, _size_goal: number): void {}
export function tcp_send_mss(_sk: sock, _size_goal: { v: number }, _flags: number): number {
	return 0;
}
export function tcp_skb_entail(_sk: sock, _skb: sk_buff): void {}
export function tcp_sendmsg(_sk: sock, _msg: msghdr, _flags: number): number {
	return 0;
}
