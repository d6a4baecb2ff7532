import type { sock } from '../core/sock.ts';

/** setsockopt(2) at SOL_TCP (others: of IP). */
export function tcp_setsockopt(_sk: sock, _level: number, _optname: number, _optval: Uint8Array): number {
	return 0;
}
export function tcp_getsockopt(_sk: sock, _level: number, _optname: number, _optval: Uint8Array): number {
	return 0;
}
