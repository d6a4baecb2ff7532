/*
 * bench/linux.ts: the peer: this machine's own kernel, when we are root on Linux. See README.md.
 */
import type { Side } from './bench.ts';

export async function linuxForward(_setup: string, _stdin = ''): Promise<Side | null> {
	return null;
}
