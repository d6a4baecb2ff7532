/*
 * net/ipv4/inet_hashtables.ts: connections, listeners and ports of a namespace.      Linux: net/inet_hashtables.h, net/ipv4/inet_hashtables.c
 */

/** The tables of one namespace. */
export class inet_hashinfo {
	/** Listeners by port. */
	lhash2: Map<number, unknown[]> = new Map();
}
