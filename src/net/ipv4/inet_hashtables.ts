/*
 * net/ipv4/inet_hashtables.ts: connections, listeners and ports of a namespace.      Linux: net/inet_hashtables.h, net/ipv4/inet_hashtables.c
 *
 * Walk: a segment is looked for among connections by its four-tuple (__inet_lookup_established), then among listeners
 *       (__inet_lookup_listener: exact address first, then any; the best score wins; SO_REUSEPORT groups by the flow's hash).
 *       connect: inet_hash_connect takes a port by RFC 6056 3.3.4's double hash and enters the connection at once.
 *       One inet_hash_node for each connection stands in both tables, that of tuples (ehash) and that of the port's owners (bhash).
 * The tables are small at first and grow. Not here yet: l3mdev (VRF) scopes.
 */
import { jhash_3words } from '../../lib/jhash.ts';
import type { Random } from '../../lib/random.ts';
import { siphash_key } from '../../lib/siphash.ts';
import { EADDRNOTAVAIL } from '../../uapi/asm-generic/errno.ts';
import { LINUX_MIB_TWRECYCLED } from '../../uapi/linux/snmp.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { secure_ipv4_port_ephemeral } from '../core/secure_seq.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import {
	SOCK_CONNECT_BIND,
	SOCK_DEAD,
	type sock,
	sock_set_flag,
	TCP_CLOSE,
	TCP_LISTEN,
	TCP_NEW_SYN_RECV,
	TCP_TIME_WAIT,
} from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { inet_csk_destroy_sock } from './inet_connection_sock.ts';
import { inet_twsk_bind_unhash, inet_twsk_deschedule_put } from './inet_timewait_sock.ts';
import { ip_hdr_daddr, ip_hdr_saddr } from './ip.ts';
import { inet_iif } from './ip_sockglue.ts';
import { tcp_twsk_unique } from './tcp_ipv4.ts';
import { inet_csk, type tcp_request_sock, type tcp_timewait_sock } from './tcp_sock.ts';

/** Whatever stands in the table of connections; told apart by sk_state. */
export type inet_ehash_entry = sock | tcp_request_sock | tcp_timewait_sock;

export function is_timewait(e: inet_ehash_entry): e is tcp_timewait_sock {
	return e.sk_state === TCP_TIME_WAIT;
}

export function is_request(e: inet_ehash_entry): e is tcp_request_sock {
	return e.sk_state === TCP_NEW_SYN_RECV;
}

export class inet_hash_node {
	hash = 0;
	laddr = 0;
	faddr = 0;
	/** Far port << 16 | near port, int32. */
	ports = 0;
	bound_dev_if = 0;
	/** Whose this is. */
	owner: inet_ehash_entry;
	/** In ehash. */
	hashed = false;
	next: inet_hash_node | null = null;
	/** Among the port's owners. */
	tb: inet_bind_bucket | null = null;
	connect_bind = false;
	tb_prev: inet_hash_node | null = null;
	tb_next: inet_hash_node | null = null;

	constructor(owner: inet_ehash_entry) {
		this.owner = owner;
	}
}

export const FASTREUSEPORT_ANY = 1;
export const FASTREUSEPORT_STRICT = 2;

/** A local port that somebody holds. */
export class inet_bind_bucket {
	port: number;
	/** Whether all owners share: 1 by SO_REUSEADDR, 0 no, -1 all of them are connections whose port connect chose. */
	fastreuse = 0;
	fastreuseport = 0;
	fastuid = 0;
	fast_rcv_saddr = 0;
	owners: inet_hash_node | null = null;
	/** Owners that bound it themselves, or inherited it from a listener. */
	nr_bound = 0;

	constructor(port: number) {
		this.port = port;
	}
}

const EHASH_MIN = 64;
const INET_TABLE_PERTURB_SIZE = 1024;

function new_key(random: Random): siphash_key {
	return new siphash_key(random.u32(), random.u32(), random.u32(), random.u32());
}

/** The tables of one namespace. */
export class inet_hashinfo {
	secret: number;
	ehash: (inet_hash_node | null)[] = [];
	ehash_count = 0;
	/** Listeners by port: the one that began last stands first, except in SO_REUSEPORT groups. */
	lhash2: Map<number, sock[]> = new Map();
	/** By port >> 8, then port & 255. */
	bhash: ((inet_bind_bucket | null)[] | null)[] = [];
	table_perturb: Uint32Array | null = null;
	/** Connections and listeners (`inuse` of /proc/net/sockstat). */
	inuse = 0;
	/** Keys of ISNs and ports, of time stamps, of cookies. */
	net_secret: siphash_key;
	ts_secret: siphash_key;
	syncookie_secret: siphash_key[];
	/** For ip_queue_xmit, while it runs. */
	fl4: flowi4 = new flowi4();

	constructor(random: Random) {
		this.secret = random.u32();
		this.net_secret = new_key(random);
		this.ts_secret = new_key(random);
		this.syncookie_secret = [new_key(random), new_key(random)];
	}
}

export function inet_ehashfn(n: net, laddr: number, lport: number, faddr: number, fport: number): number {
	return jhash_3words(laddr, faddr, (fport << 16) | lport, n.ipv4.tcp_hashinfo.secret);
}

// ---- ports -----------------------------------------------------------------------------------------------------------------------

export function inet_bind_bucket_find(h: inet_hashinfo, port: number): inet_bind_bucket | null {
	const page = h.bhash[port >> 8];
	return page === undefined || page === null ? null : page[port & 255];
}

export function inet_bind_bucket_create(h: inet_hashinfo, port: number): inet_bind_bucket {
	while (h.bhash.length <= port >> 8) h.bhash.push(null);
	let page = h.bhash[port >> 8];
	if (page === null) {
		page = new Array<inet_bind_bucket | null>(256).fill(null);
		h.bhash[port >> 8] = page;
	}
	const tb = new inet_bind_bucket(port);
	page[port & 255] = tb;
	return tb;
}

function inet_bind_bucket_destroy(h: inet_hashinfo, tb: inet_bind_bucket): void {
	const page = h.bhash[tb.port >> 8];
	if (page !== null && page[tb.port & 255] === tb) page[tb.port & 255] = null;
}

/** Return: the socket's node, made on first use. */
export function inet_csk_node(sk: sock): inet_hash_node {
	const csk = inet_csk(sk);
	let node = csk.icsk_node;
	if (node === null) {
		node = new inet_hash_node(sk);
		csk.icsk_node = node;
	}
	return node;
}

function tb_add(tb: inet_bind_bucket, node: inet_hash_node): void {
	node.tb = tb;
	node.tb_prev = null;
	node.tb_next = tb.owners;
	if (tb.owners !== null) tb.owners.tb_prev = node;
	tb.owners = node;
	if (!node.connect_bind) tb.nr_bound++;
}

/** Leaves the port; the last one frees it. */
export function inet_bind_unlink(h: inet_hashinfo, node: inet_hash_node): void {
	const tb = node.tb;
	if (tb === null) return;
	if (node.tb_prev === null) tb.owners = node.tb_next;
	else node.tb_prev.tb_next = node.tb_next;
	if (node.tb_next !== null) node.tb_next.tb_prev = node.tb_prev;
	node.tb = null;
	node.tb_prev = null;
	node.tb_next = null;
	if (!node.connect_bind) tb.nr_bound--;
	if (tb.owners === null) inet_bind_bucket_destroy(h, tb);
	else if (tb.nr_bound === 0) {
		tb.fastreuse = -1;
		tb.fastreuseport = -1;
	}
}

/** The socket becomes an owner of the port. */
export function inet_bind_hash(sk: sock, tb: inet_bind_bucket, port: number): void {
	const node = inet_csk_node(sk);
	inet_sk(sk).inet_num = port;
	inet_csk(sk).icsk_bind_hash = tb;
	node.connect_bind = (sk.sk_userlocks & SOCK_CONNECT_BIND) !== 0;
	tb_add(tb, node);
}

/** The socket gives its port up. */
export function inet_put_port(sk: sock): void {
	const csk = inet_csk(sk);
	if (csk.icsk_bind_hash === null) return;
	inet_bind_unlink(sk.net.ipv4.tcp_hashinfo, csk.icsk_node!);
	csk.icsk_bind_hash = null;
	inet_sk(sk).inet_num = 0;
	sk.sk_userlocks &= ~SOCK_CONNECT_BIND;
}

/** A child shares its listener's port (or gets another's, when a transparent proxy took its connection). Return: 0. */
export function __inet_inherit_port(sk: sock, child: sock): number {
	const h = sk.net.ipv4.tcp_hashinfo;
	const port = inet_sk(child).inet_num;
	let tb = inet_csk(sk).icsk_bind_hash;
	if (tb === null || tb.port !== port) tb = inet_bind_bucket_find(h, port) ?? inet_bind_bucket_create(h, port);
	inet_bind_hash(child, tb, port);
	return 0;
}

// ---- listeners -------------------------------------------------------------------------------------------------------------------

/** How well a listener fits; -1 when it does not. */
function compute_score(sk: sock, daddr: number, dif: number): number {
	if (sk.inet!.inet_rcv_saddr !== daddr) return -1;
	const bound = sk.sk_bound_dev_if;
	if (bound !== 0 && bound !== dif) return -1;
	return (bound !== 0 ? 2 : 1) + (sk.sk_family === AF_INET ? 1 : 0);
}

function same_group(s: sock, sk: sock): boolean {
	return (
		s.sk_reuseport &&
		s.sk_uid === sk.sk_uid &&
		s.sk_bound_dev_if === sk.sk_bound_dev_if &&
		s.inet!.inet_rcv_saddr === sk.inet!.inet_rcv_saddr
	);
}

/** The listener of a SO_REUSEPORT group that the flow falls to: the same while the group stays as it is. */
function reuseport_select_sock(list: sock[], sk: sock, hash: number): sock {
	let count = 0;
	for (let i = 0; i < list.length; i++) if (same_group(list[i], sk)) count++;
	let pick = Math.floor((hash / 0x100000000) * count);
	for (let i = list.length - 1; i >= 0; i--) if (same_group(list[i], sk) && pick-- === 0) return list[i];
	return sk;
}

function inet_lhash2_lookup(
	n: net,
	list: sock[],
	saddr: number,
	sport: number,
	daddr: number,
	local: number,
	hnum: number,
	dif: number,
): sock | null {
	let result: sock | null = null;
	let hiscore = 0;
	for (let i = 0; i < list.length; i++) {
		const sk = list[i];
		const score = compute_score(sk, local, dif);
		if (score <= hiscore) continue;
		if (sk.sk_reuseport) return reuseport_select_sock(list, sk, inet_ehashfn(n, daddr, hnum, saddr, sport));
		result = sk;
		hiscore = score;
	}
	return result;
}

/** The listener for a connection from saddr:sport to daddr:hnum that came by device `dif`. */
export function __inet_lookup_listener(
	n: net,
	saddr: number,
	sport: number,
	daddr: number,
	hnum: number,
	dif: number,
	_sdif: number,
): sock | null {
	const list = n.ipv4.tcp_hashinfo.lhash2.get(hnum);
	if (list === undefined) return null;
	const sk = inet_lhash2_lookup(n, list, saddr, sport, daddr, daddr, hnum, dif);
	if (sk !== null) return sk;
	return inet_lhash2_lookup(n, list, saddr, sport, daddr, 0, hnum, dif);
}

function inet_lhash2_add(sk: sock): void {
	const h = sk.net.ipv4.tcp_hashinfo;
	const port = inet_sk(sk).inet_num;
	const list = h.lhash2.get(port);
	if (list === undefined) h.lhash2.set(port, [sk]);
	else list.unshift(sk);
}

function inet_lhash2_del(sk: sock): boolean {
	const h = sk.net.ipv4.tcp_hashinfo;
	const port = inet_sk(sk).inet_num;
	const list = h.lhash2.get(port);
	const at = list === undefined ? -1 : list.indexOf(sk);
	if (list === undefined || at < 0) return false;
	if (list.length === 1) h.lhash2.delete(port);
	else list.splice(at, 1);
	return true;
}

// ---- connections -----------------------------------------------------------------------------------------------------------------

function ehash_grow(h: inet_hashinfo): void {
	const size = Math.max(EHASH_MIN, h.ehash.length * 2);
	const old = h.ehash;
	const table = new Array<inet_hash_node | null>(size).fill(null);
	for (let i = 0; i < old.length; i++) {
		let node = old[i];
		while (node !== null) {
			const next: inet_hash_node | null = node.next;
			const slot = node.hash & (size - 1);
			node.next = table[slot];
			table[slot] = node;
			node = next;
		}
	}
	h.ehash = table;
}

function ehash_link(h: inet_hashinfo, node: inet_hash_node): void {
	// Each entry that is passed on the way is a cache miss.
	if (h.ehash_count * 2 >= h.ehash.length) ehash_grow(h);
	const slot = node.hash & (h.ehash.length - 1);
	node.next = h.ehash[slot];
	h.ehash[slot] = node;
	node.hashed = true;
	h.ehash_count++;
}

export function ehash_unlink(h: inet_hashinfo, node: inet_hash_node): boolean {
	if (!node.hashed) return false;
	const slot = node.hash & (h.ehash.length - 1);
	let at = h.ehash[slot];
	if (at === node) h.ehash[slot] = node.next;
	else {
		while (at !== null && at.next !== node) at = at.next;
		if (at !== null) at.next = node.next;
	}
	node.next = null;
	node.hashed = false;
	h.ehash_count--;
	return true;
}

function ehash_find(
	h: inet_hashinfo,
	hash: number,
	laddr: number,
	faddr: number,
	ports: number,
	dif: number,
): inet_hash_node | null {
	if (h.ehash_count === 0) return null;
	let node = h.ehash[hash & (h.ehash.length - 1)];
	while (node !== null) {
		if (
			node.hash === hash &&
			node.ports === ports &&
			node.faddr === faddr &&
			node.laddr === laddr &&
			(node.bound_dev_if === 0 || node.bound_dev_if === dif)
		)
			return node;
		node = node.next;
	}
	return null;
}

/** What is known of the flow from saddr:sport to daddr:hnum: a connection, a request or a TIME_WAIT entry. */
export function __inet_lookup_established(
	n: net,
	saddr: number,
	sport: number,
	daddr: number,
	hnum: number,
	dif: number,
	_sdif: number,
): inet_ehash_entry | null {
	const h = n.ipv4.tcp_hashinfo;
	const node = ehash_find(h, inet_ehashfn(n, daddr, hnum, saddr, sport), daddr, saddr, (sport << 16) | hnum | 0, dif);
	return node === null ? null : node.owner;
}

/** Whom a segment is for. */
export function __inet_lookup(
	n: net,
	saddr: number,
	sport: number,
	daddr: number,
	hnum: number,
	dif: number,
	sdif: number,
): inet_ehash_entry | null {
	const sk = __inet_lookup_established(n, saddr, sport, daddr, hnum, dif, sdif);
	return sk !== null ? sk : __inet_lookup_listener(n, saddr, sport, daddr, hnum, dif, sdif);
}

/** The socket of a received segment: what early demux or a transparent proxy found, else by the tables. Takes skb's socket off it. */
export function __inet_lookup_skb(skb: sk_buff, sport: number, dport: number, sdif: number): inet_ehash_entry | null {
	const sk = skb.sk;
	if (sk !== null) {
		skb.sk = null;
		skb.destructor = null;
		return sk;
	}
	return __inet_lookup(skb.dev!.net, ip_hdr_saddr(skb), sport, ip_hdr_daddr(skb), dport, inet_iif(skb), sdif);
}

function node_of(e: inet_ehash_entry): inet_hash_node {
	if (is_request(e)) {
		let node = e.node;
		if (node === null) {
			node = new inet_hash_node(e);
			node.laddr = e.ir_loc_addr;
			node.faddr = e.ir_rmt_addr;
			node.ports = (e.ir_rmt_port << 16) | e.ir_num;
			node.bound_dev_if = e.ir_iif;
			node.hash = inet_ehashfn(e.net, e.ir_loc_addr, e.ir_num, e.ir_rmt_addr, e.ir_rmt_port);
			e.node = node;
		}
		return node;
	}
	if (is_timewait(e)) return e.node!;
	const inet = inet_sk(e);
	const node = inet_csk_node(e);
	node.laddr = inet.inet_rcv_saddr;
	node.faddr = inet.inet_daddr;
	node.ports = (inet.inet_dport << 16) | inet.inet_num;
	node.bound_dev_if = e.sk_bound_dev_if;
	node.hash = inet_ehashfn(e.net, inet.inet_rcv_saddr, inet.inet_num, inet.inet_daddr, inet.inet_dport);
	return node;
}

/** Takes an entry out of the table of connections. Return: whether it was in. */
export function inet_ehash_remove(e: inet_ehash_entry): boolean {
	const node = is_request(e) || is_timewait(e) ? e.node : inet_csk(e).icsk_node;
	return node !== null && ehash_unlink(e.net.ipv4.tcp_hashinfo, node);
}

/**
 * Enters `sk`, in the place of `osk` if that is given. `found_dup_sk` given: only when nobody has the tuple, else .v says so.
 * Return: whether it was entered.
 */
export function inet_ehash_insert(
	sk: sock | tcp_request_sock,
	osk: inet_ehash_entry | null,
	found_dup_sk: { v: inet_ehash_entry | null } | null,
): boolean {
	const h = sk.net.ipv4.tcp_hashinfo;
	const node = node_of(sk);
	let ok = true;
	if (osk !== null) ok = inet_ehash_remove(osk);
	else if (found_dup_sk !== null) {
		const dup = ehash_find(h, node.hash, node.laddr, node.faddr, node.ports, node.bound_dev_if);
		if (dup !== null) {
			found_dup_sk.v = dup.owner;
			ok = false;
		}
	}
	if (ok) ehash_link(h, node);
	return ok;
}

/** inet_ehash_insert of a connection, which ends when it cannot be entered. */
export function inet_ehash_nolisten(
	sk: sock,
	osk: inet_ehash_entry | null,
	found_dup_sk: { v: inet_ehash_entry | null } | null,
): boolean {
	const ok = inet_ehash_insert(sk, osk, found_dup_sk);
	const h = sk.net.ipv4.tcp_hashinfo;
	if (ok) h.inuse++;
	else {
		if (sk.sk_memory !== null) sk.sk_memory.orphan_count++;
		sk.sk_state = TCP_CLOSE;
		sock_set_flag(sk, SOCK_DEAD);
		inet_csk_destroy_sock(sk);
	}
	return ok;
}

/** proto.hash: enters a listener or a connection. Return: 0. */
export function inet_hash(sk: sock): number {
	if (sk.sk_state === TCP_CLOSE) return 0;
	if (sk.sk_state !== TCP_LISTEN) {
		inet_ehash_nolisten(sk, null, null);
		return 0;
	}
	inet_lhash2_add(sk);
	sk.net.ipv4.tcp_hashinfo.inuse++;
	return 0;
}

/** Whether the socket is in a table. */
export function sk_hashed(sk: sock): boolean {
	const node = inet_csk(sk).icsk_node;
	return (
		(node !== null && node.hashed) || (sk.net.ipv4.tcp_hashinfo.lhash2.get(inet_sk(sk).inet_num)?.includes(sk) ?? false)
	);
}

/** proto.unhash: takes a listener or a connection out. */
export function inet_unhash(sk: sock): void {
	const gone = sk.sk_state === TCP_LISTEN ? inet_lhash2_del(sk) : inet_ehash_remove(sk);
	if (gone) sk.net.ipv4.tcp_hashinfo.inuse--;
}

// ---- connect: choice of a port ---------------------------------------------------------------------------------------------------

/** The range of ephemeral ports for a socket. Return: whether the socket's own range (IP_LOCAL_PORT_RANGE) narrowed it. */
export function inet_sk_get_local_port_range(sk: sock, range: { low: number; high: number }): boolean {
	const ports = sk.net.ipv4.ip_local_ports;
	const inet = inet_sk(sk);
	const lo = inet.local_port_range_lo;
	const hi = inet.local_port_range_hi;
	range.low = ports[0];
	range.high = ports[1];
	if (lo === 0 && hi === 0) return false;
	if (lo !== 0 && lo >= range.low && lo <= range.high) range.low = lo;
	if (hi !== 0 && hi >= range.low && hi <= range.high) range.high = hi;
	return true;
}

export function inet_is_local_reserved_port(n: net, port: number): boolean {
	const bits = n.ipv4.sysctl_local_reserved_ports;
	return bits !== null && (bits[port >> 3] & (1 << (port & 7))) !== 0;
}

/** Whether the tuple with local port `lport` is free; enters the socket under it if so. A TIME_WAIT entry may give way (tcp_twsk_unique). */
function __inet_check_established(sk: sock, lport: number, choosing: boolean): boolean {
	const n = sk.net;
	const h = n.ipv4.tcp_hashinfo;
	const inet = inet_sk(sk);
	const hash = inet_ehashfn(n, inet.inet_rcv_saddr, lport, inet.inet_daddr, inet.inet_dport);
	const ports = (inet.inet_dport << 16) | lport | 0;
	const dup = ehash_find(h, hash, inet.inet_rcv_saddr, inet.inet_daddr, ports, sk.sk_bound_dev_if);
	if (dup !== null) {
		const tw = dup.owner;
		if (!is_timewait(tw) || !tcp_twsk_unique(sk, tw, choosing)) return false;
		ehash_unlink(h, dup);
		NET_INC_STATS(n, LINUX_MIB_TWRECYCLED);
		inet_twsk_bind_unhash(tw);
		inet_twsk_deschedule_put(tw);
	}
	inet.inet_num = lport;
	inet.inet_sport = lport;
	ehash_link(h, node_of(sk));
	h.inuse++;
	return true;
}

/** connect: takes a local port unless bound, and enters the connection. Return: 0 or -EADDRNOTAVAIL. */
export function inet_hash_connect(sk: sock): number {
	const n = sk.net;
	const inet = inet_sk(sk);
	const h = n.ipv4.tcp_hashinfo;
	if (inet.inet_num !== 0) return __inet_check_established(sk, inet.inet_num, false) ? 0 : -EADDRNOTAVAIL;
	const range = { low: 0, high: 0 };
	const local_ports = inet_sk_get_local_port_range(sk, range);
	// Even places first: bind() without a port prefers the odd ones, so that the two disturb each other little.
	const step = local_ports ? 1 : 2;
	let remaining = range.high + 1 - range.low;
	if (!local_ports && remaining > 1) remaining &= ~1;
	const key = secure_ipv4_port_ephemeral(n, inet.inet_rcv_saddr, inet.inet_daddr, inet.inet_dport);
	if (h.table_perturb === null) {
		h.table_perturb = new Uint32Array(INET_TABLE_PERTURB_SIZE);
		for (let i = 0; i < INET_TABLE_PERTURB_SIZE; i++) h.table_perturb[i] = n.machine.random.u32();
	}
	const index = key & (INET_TABLE_PERTURB_SIZE - 1);
	let offset = (h.table_perturb[index] + Math.floor(key / 0x400)) % remaining;
	if (!local_ports) offset &= ~1;
	for (let parity = 0; parity < step; parity++, offset++) {
		for (let i = 0; i < remaining; i += step) {
			let port = range.low + offset + i;
			if (port > range.high) port -= remaining;
			if (inet_is_local_reserved_port(n, port)) continue;
			let tb = inet_bind_bucket_find(h, port);
			// A port that somebody bound is left alone; those that connect took can be shared by other tuples.
			if (tb !== null && (tb.fastreuse >= 0 || tb.fastreuseport >= 0)) continue;
			if (!__inet_check_established(sk, port, true)) continue;
			if (tb === null || tb.owners === null) {
				tb = inet_bind_bucket_create(h, port);
				tb.fastreuse = -1;
				tb.fastreuseport = -1;
			}
			sk.sk_userlocks |= SOCK_CONNECT_BIND;
			inet_bind_hash(sk, tb, port);
			// A little noise, more where ports are plenty (RFC 6056 3.3.5).
			h.table_perturb[index] += Math.max(i, n.machine.random.below(8) * step) + step;
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}
