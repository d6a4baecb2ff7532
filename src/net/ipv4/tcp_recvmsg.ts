import type { msghdr } from '../../uapi/linux/socket.ts';
import type { sock } from '../core/sock.ts';

/** The process took `copied` bytes: tells the peer of the room, when that is worth a segment. */
export function tcp_cleanup_rbuf(_sk: sock, _copied: number): void {}
export function tcp_peek_len(_sk: sock): number {
	return 0;
}
export function tcp_read_sock(_sk: sock, _max: number): number {
	return 0;
}
export function tcp_recvmsg(_sk: sock, _msg: msghdr, _flags: number): number {
	return 0;
}
export function tcp_set_rcvlowat(_sk: sock, _val: number): number {
	return 0;
}
