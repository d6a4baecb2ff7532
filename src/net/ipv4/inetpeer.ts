/*
 * net/ipv4/inetpeer.ts: what is remembered of other hosts.         Linux: net/ipv4/inetpeer.c
 * Token buckets that limit the ICMP errors and redirects sent to one host; nodes are forgotten when there are many or after a while.
 * RFC 1812 4.3.2.8 (rate limiting).
 */
import type { Machine } from '../../kernel/machine.ts';
import type { net } from '../core/net_namespace.ts';

/** A token bucket holds this many messages' worth. */
const XRLIM_BURST_FACTOR = 6;

export class inet_peer {
	daddr: number;
	vif: number;
	/** jiffies' worth of messages that may be sent. */
	rate_tokens = 0;
	/** jiffies */
	rate_last: number;
	/** Redirects sent that were not heeded. */
	n_redirects = 0;
	/** Counts fragments' datagrams, for ipfrag_max_dist. */
	rid = 0;
	/** jiffies of its last use. */
	dtime: number;

	constructor(daddr: number, vif: number, now: number) {
		this.daddr = daddr;
		this.vif = vif;
		this.rate_last = now - 60 * 250;
		this.dtime = now;
	}
}

export class inet_peer_base {
	net: net;
	/** By address, then (for VRFs) by vif. */
	peers: Map<number, inet_peer> = new Map();

	constructor(net: net) {
		this.net = net;
	}
}

/** Forgets peers unused for longer the fewer places are left. */
function inet_peer_gc(base: inet_peer_base, now: number): void {
	const g = base.net.ipv4.rt_global;
	const total = base.peers.size;
	const ttl =
		total >= g.inet_peer_threshold
			? 0
			: g.inet_peer_maxttl - ((g.inet_peer_maxttl - g.inet_peer_minttl) * total) / g.inet_peer_threshold;
	let looked = 0;
	for (const [key, p] of base.peers) {
		if (now - p.dtime >= ttl) base.peers.delete(key);
		if (++looked >= 32) break;
	}
}

/** The node of a host, made when it is new. */
export function inet_getpeer_v4(base: inet_peer_base, v4daddr: number, vif: number, machine: Machine): inet_peer {
	const now = machine.jiffies;
	const key = vif === 0 ? v4daddr : v4daddr + vif * 0x100000000;
	let p = base.peers.get(key);
	if (p === undefined) {
		if (base.peers.size > 128) inet_peer_gc(base, now);
		p = new inet_peer(v4daddr, vif, now);
		base.peers.set(key, p);
	}
	p.dtime = now;
	return p;
}

export function inet_putpeer(_p: inet_peer): void {}

/** Whether a message that costs `timeout` jiffies may be sent to the peer now; if so it is paid for. */
export function inet_peer_xrlim_allow(peer: inet_peer | null, timeout: number, machine: Machine): boolean {
	if (peer === null) return true;
	const now = machine.jiffies;
	let token = peer.rate_tokens;
	// What was gathered is held to the limit only as time passes.
	if (now !== peer.rate_last) {
		token = Math.min(token + now - peer.rate_last, XRLIM_BURST_FACTOR * timeout);
		peer.rate_last = now;
	}
	const ok = token >= timeout;
	peer.rate_tokens = ok ? token - timeout : token;
	return ok;
}
