import type { sock } from '../core/sock.ts';

export const TCP_INFO_LEN = 280;

/** Writes struct tcp_info (Linux 6.18's) to `info` at `at`. */
export function tcp_get_info(_sk: sock, _info: Uint8Array, _at: number): void {}
