/*
 * net/ipv4/ip_fragment.ts: puts IPv4 fragments together.           Linux: net/ipv4/ip_fragment.c
 *
 * Walk: ip_defrag -> ip_find (the datagram's queue) -> ip_frag_queue (check, insert) -> ip_frag_reasm when nothing is missing;
 *       ip_expire when the rest does not come.
 * RFC 791 3.2; RFC 815; RFC 1122 3.3.2 (timeout, Time Exceeded); RFC 3168 5.3 (ECN); RFC 5722's rule that overlaps end it all.
 */

import type { Machine } from '../../kernel/machine.ts';
import { net_ratelimit, printk } from '../../kernel/printk.ts';
import { ctl_int, type ctl_table, register_sysctl } from '../../kernel/sysctl.ts';
import { HZ, mod_timer, type timer_list } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { E2BIG, EINPROGRESS, EINVAL, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import { ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED } from '../../uapi/linux/icmp.ts';
import { RTN_LOCAL } from '../../uapi/linux/rtnetlink.ts';
import {
	IPSTATS_MIB_REASMFAILS,
	IPSTATS_MIB_REASMOKS,
	IPSTATS_MIB_REASMOVERLAPS,
	IPSTATS_MIB_REASMREQDS,
	IPSTATS_MIB_REASMTIMEOUT,
} from '../../uapi/linux/snmp.ts';
import {
	SKB_DROP_REASON_DUP_FRAG,
	SKB_DROP_REASON_FRAG_REASM_TIMEOUT,
	SKB_DROP_REASON_FRAG_TOO_FAR,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	CHECKSUM_NONE,
	CHECKSUM_UNNECESSARY,
	IPSKB_FRAG_COMPLETE,
	IPSKB_FRAG_PMTU,
	kfree_skb_reason,
	pskb_may_pull,
	pskb_trim_rcsum,
	type sk_buff,
	skb_orphan,
} from '../core/skbuff.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import { icmp_send } from './icmp.ts';
import {
	fqdir,
	fqdir_exit,
	INET_FRAG_COMPLETE,
	INET_FRAG_DROP,
	INET_FRAG_FIRST_IN,
	INET_FRAG_LAST_IN,
	IPFRAG_DUP,
	IPFRAG_OK,
	inet_frag_destroy,
	inet_frag_insert,
	inet_frag_kill,
	inet_frag_pull_head,
	inet_frag_purge,
	inet_frag_queue,
	inet_frag_queue_insert,
	inet_frag_reasm,
} from './inet_fragment.ts';
import { inet_getpeer_v4 } from './inetpeer.ts';
import {
	IP_DEFRAG_AF_PACKET,
	IP_DEFRAG_CONNTRACK_BRIDGE_IN,
	IP_DEFRAG_CONNTRACK_IN,
	IP_DF,
	IP_MF,
	IP_OFFSET,
	ip_hdr_daddr,
	ip_hdr_frag_off,
	ip_hdr_id,
	ip_hdr_protocol,
	ip_hdr_saddr,
	ip_hdr_set_frag_off,
	ip_hdr_set_tos,
	ip_hdr_set_tot_len,
	ip_hdr_tos,
	ip_hdrlen,
	ip_ntop,
	ip_send_check,
} from './ip.ts';
import { ip_route_input_noref, type rtable } from './route.ts';

/** ECN of the whole by the ECN values of its fragments, one bit each (RFC 3168 5.3): 255 when they contradict each other. */
const ip_frag_ecn_table: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 3, 255, 3, 255, 3, 255, 3, 255];

/** Users who only look on: unless the datagram is for us, the sender hears nothing of a timeout. */
function frag_expire_skip_icmp(user: number): boolean {
	return (
		user === IP_DEFRAG_AF_PACKET ||
		(user & 0xffff) === IP_DEFRAG_CONNTRACK_IN ||
		(user & 0xffff) === (IP_DEFRAG_CONNTRACK_BRIDGE_IN & 0xffff)
	);
}

/** The rest did not come in time: says so to the sender when the first fragment is here and we are the receiver. */
function ip_expire(timer: timer_list): void {
	const q = timer.owner as inet_frag_queue;
	const n = q.fqdir.net;
	if ((q.flags & INET_FRAG_COMPLETE) !== 0) return;
	q.flags |= INET_FRAG_DROP;
	inet_frag_kill(q);
	IP_INC_STATS(n, IPSTATS_MIB_REASMFAILS);
	IP_INC_STATS(n, IPSTATS_MIB_REASMTIMEOUT);
	if ((q.flags & INET_FRAG_FIRST_IN) !== 0) {
		const dev = n.dev_index_head.get(q.iif);
		const head = dev === undefined ? null : inet_frag_pull_head(q);
		if (head !== null && dev !== undefined) {
			head.dev = dev;
			let reason = ip_route_input_noref(head, ip_hdr_daddr(head), ip_hdr_saddr(head), ip_hdr_tos(head) & 0xfc, dev);
			if (reason === SKB_NOT_DROPPED_YET) {
				reason = SKB_DROP_REASON_FRAG_REASM_TIMEOUT;
				const local = (head._skb_refdst as rtable).rt_type === RTN_LOCAL;
				// RFC 792: only the host that reassembles says Time Exceeded, and only with the first fragment.
				if (local || !frag_expire_skip_icmp(q.user)) icmp_send(head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
			}
			kfree_skb_reason(head, reason, 'ip_expire');
		}
	}
	inet_frag_destroy(q);
}

/** The queue of the datagram, made when it is new. Return: null when the namespace's fragments hold too much memory. */
function ip_find(n: net, skb: sk_buff, user: number, vif: number): inet_frag_queue | null {
	const dir = n.ipv4.fqdir;
	const high = n.ipv4.sysctl_ipfrag_high_thresh;
	if (high === 0 || dir.mem > high) return null;
	const saddr = ip_hdr_saddr(skb);
	const daddr = ip_hdr_daddr(skb);
	const id = ip_hdr_id(skb);
	const protocol = ip_hdr_protocol(skb);
	const hash = jhash_3words(saddr, daddr, (id << 16) | (protocol << 8), n.ipv4.ip_id_key ^ user);
	for (let q = dir.table.get(hash) ?? null; q !== null; q = q.next) {
		if (
			q.id === id &&
			q.saddr === saddr &&
			q.daddr === daddr &&
			q.protocol === protocol &&
			q.user === user &&
			q.vif === vif
		)
			return q;
	}
	const q = new inet_frag_queue(dir, hash);
	q.saddr = saddr;
	q.daddr = daddr;
	q.id = id;
	q.protocol = protocol;
	q.user = user;
	q.vif = vif;
	inet_frag_insert(q, n.ipv4.sysctl_ipfrag_time);
	return q;
}

/** Whether the sender has begun more than ipfrag_max_dist other datagrams since this one's last fragment: the id may have come round. */
function ip_frag_too_far(n: net, q: inet_frag_queue): boolean {
	const max = n.ipv4.sysctl_ipfrag_max_dist;
	if (max === 0) return false;
	const peer = inet_getpeer_v4(n.ipv4.peers, q.saddr, q.vif, n.machine);
	if (peer === null) return false;
	const start = q.rid;
	const end = ++peer.rid;
	q.rid = end;
	const far = q.runs.length > 0 && end - start > max;
	if (far) IP_INC_STATS(n, IPSTATS_MIB_REASMFAILS);
	return far;
}

/** Begins the datagram anew with the fragment at hand. */
function ip_frag_reinit(n: net, q: inet_frag_queue): void {
	mod_timer(q.timer, n.machine.jiffies + n.ipv4.sysctl_ipfrag_time);
	inet_frag_purge(q, SKB_DROP_REASON_FRAG_TOO_FAR);
	q.flags = 0;
	q.len = 0;
	q.meat = 0;
	q.iif = 0;
	q.ecn = 0;
}

function ip_frag_discard(n: net, q: inet_frag_queue, skb: sk_buff, err: number): number {
	inet_frag_kill(q);
	IP_INC_STATS(n, IPSTATS_MIB_REASMFAILS);
	if (skb.journey !== null) trace_event(skb, 'note', 'ip_frag_queue', { counter: 'IpReasmFails' });
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_frag_queue');
	inet_frag_destroy(q);
	return err;
}

function ip_frag_queue(n: net, q: inet_frag_queue, skb: sk_buff): number {
	if ((skb.ipcb.flags & IPSKB_FRAG_COMPLETE) === 0 && ip_frag_too_far(n, q)) ip_frag_reinit(n, q);

	const ecn = 1 << (ip_hdr_tos(skb) & 3);
	const field = ip_hdr_frag_off(skb);
	const offset = (field & IP_OFFSET) << 3;
	const ihl = ip_hdrlen(skb);
	const noff = skb.network_header - skb.data;
	let end = offset + skb.len - noff - ihl;
	if ((field & IP_MF) === 0) {
		// The last fragment: it must end where nothing lies behind.
		if (end < q.len || ((q.flags & INET_FRAG_LAST_IN) !== 0 && end !== q.len))
			return ip_frag_discard(n, q, skb, -EINVAL);
		q.flags |= INET_FRAG_LAST_IN;
		q.len = end;
	} else {
		if ((end & 7) !== 0) {
			end &= ~7;
			if (skb.ip_summed !== CHECKSUM_UNNECESSARY) skb.ip_summed = CHECKSUM_NONE;
		}
		if (end > q.len) {
			if ((q.flags & INET_FRAG_LAST_IN) !== 0) return ip_frag_discard(n, q, skb, -EINVAL);
			q.len = end;
		}
	}
	if (end === offset) return ip_frag_discard(n, q, skb, -EINVAL);
	if (!pskb_may_pull(skb, noff + ihl)) return ip_frag_discard(n, q, skb, -ENOMEM);
	skb.data += noff + ihl;
	skb.len -= noff + ihl;
	const err = pskb_trim_rcsum(skb, end - offset);
	if (err < 0) return ip_frag_discard(n, q, skb, err);

	const dev = skb.dev;
	const ins = inet_frag_queue_insert(q, skb, offset, end);
	if (ins !== IPFRAG_OK) {
		if (ins === IPFRAG_DUP) {
			kfree_skb_reason(skb, SKB_DROP_REASON_DUP_FRAG, 'ip_frag_queue');
			return -EINVAL;
		}
		IP_INC_STATS(n, IPSTATS_MIB_REASMOVERLAPS);
		return ip_frag_discard(n, q, skb, -EINVAL);
	}
	if (dev !== null) q.iif = dev.ifindex;
	q.meat += skb.len;
	q.ecn |= ecn;
	q.fqdir.mem += skb.truesize;
	if (offset === 0) q.flags |= INET_FRAG_FIRST_IN;
	const size = skb.len + ihl;
	if (size > q.max_size) q.max_size = size;
	if ((field & IP_DF) !== 0 && size > q.max_df_size) q.max_df_size = size;
	if (skb.journey !== null)
		trace_event(skb, 'frag', 'ip_frag_queue', {
			id: q.id,
			offset,
			end,
			have: q.meat,
			total: (q.flags & INET_FRAG_LAST_IN) !== 0 ? q.len : null,
		});
	if ((q.flags & (INET_FRAG_FIRST_IN | INET_FRAG_LAST_IN)) === 3 && q.meat === q.len) return ip_frag_reasm(n, q, skb);
	skb._skb_refdst = null;
	skb_orphan(skb);
	return -EINPROGRESS;
}

/** All is here: `skb` becomes the whole. Return: 0, or -errno and everything is freed. */
function ip_frag_reasm(n: net, q: inet_frag_queue, skb: sk_buff): number {
	const dev = skb.dev;
	const dst = skb._skb_refdst;
	inet_frag_kill(q);
	const ecn = ip_frag_ecn_table[q.ecn];
	const first = q.runs[0].frags[0];
	const len = ip_hdrlen(first) + q.len;
	if (ecn === 255 || len > 65535) {
		if (len > 65535 && net_ratelimit(n.machine)) printk(n.machine, 6, `Oversized IP packet from ${ip_ntop(q.saddr)}`);
		IP_INC_STATS(n, IPSTATS_MIB_REASMFAILS);
		if (skb.journey !== null) trace_event(skb, 'note', 'ip_frag_reasm', { counter: 'IpReasmFails' });
		inet_frag_destroy(q);
		return len > 65535 ? -E2BIG : -EINVAL;
	}
	const journey = skb.journey;
	inet_frag_reasm(q, skb);
	// What becomes of the whole is told of the fragment that completed it.
	if (first !== skb && journey !== null) {
		first.journey = skb.journey;
		skb.journey = journey;
	}
	skb.dev = dev;
	skb._skb_refdst = dst;
	const parm = skb.ipcb;
	parm.frag_max_size = Math.max(q.max_df_size, q.max_size);
	ip_hdr_set_tot_len(skb, len);
	ip_hdr_set_tos(skb, ip_hdr_tos(skb) | ecn);
	// When the largest fragment said DF, so does the whole, and it is not to leave in larger pieces than it came.
	if (q.max_df_size === q.max_size) {
		parm.flags |= IPSKB_FRAG_PMTU;
		ip_hdr_set_frag_off(skb, IP_DF);
	} else ip_hdr_set_frag_off(skb, 0);
	ip_send_check(skb);
	IP_INC_STATS(n, IPSTATS_MIB_REASMOKS);
	if (skb.journey !== null)
		trace_event(skb, 'frag', 'ip_frag_reasm', { id: q.id, len, frag_max_size: parm.frag_max_size });
	return 0;
}

/**
 * Takes a fragment; `user`: for whom (IP_DEFRAG_*). Return: 0 with `skb` the whole datagram; -EINPROGRESS when more is to come, or another
 * -errno when it was dropped: then the packet is gone.
 */
export function ip_defrag(n: net, skb: sk_buff, user: number): number {
	IP_INC_STATS(n, IPSTATS_MIB_REASMREQDS);
	const q = ip_find(n, skb, user, 0);
	if (q !== null) return ip_frag_queue(n, q, skb);
	IP_INC_STATS(n, IPSTATS_MIB_REASMFAILS);
	if (skb.journey !== null)
		trace_event(skb, 'note', 'ip_defrag', {
			sysctl: 'net.ipv4.ipfrag_high_thresh',
			value: n.ipv4.sysctl_ipfrag_high_thresh,
			counter: 'IpReasmFails',
		});
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_defrag');
	return -ENOMEM;
}

/** Bytes that fragments hold, as /proc/net/sockstat shows them. */
export function frag_mem_limit(n: net): number {
	return n.ipv4.fqdir.mem;
}

function read_seconds(table: ctl_table): string {
	return String(Math.floor((table.data![table.field] as number) / HZ));
}

function write_seconds(table: ctl_table, _n: net, text: string): number {
	if (!/^\s*-?[0-9]+\s*$/.test(text)) return -EINVAL;
	table.data![table.field] = Number(text) * HZ;
	return 0;
}

function write_high(table: ctl_table, n: net, text: string): number {
	const v = Number(text);
	if (!/^\s*[0-9]+\s*$/.test(text) || v < n.ipv4.sysctl_ipfrag_low_thresh) return -EINVAL;
	table.data![table.field] = v;
	return 0;
}

function write_low(table: ctl_table, n: net, text: string): number {
	const v = Number(text);
	if (!/^\s*[0-9]+\s*$/.test(text) || v > n.ipv4.sysctl_ipfrag_high_thresh) return -EINVAL;
	table.data![table.field] = v;
	return 0;
}

function ipv4_frags_init_net(n: net): number {
	n.ipv4.fqdir = new fqdir(n, ip_expire);
	const high = ctl_int('net/ipv4/ipfrag_high_thresh', n.ipv4, 'sysctl_ipfrag_high_thresh');
	high.write = write_high;
	const low = ctl_int('net/ipv4/ipfrag_low_thresh', n.ipv4, 'sysctl_ipfrag_low_thresh');
	low.write = write_low;
	const time = ctl_int('net/ipv4/ipfrag_time', n.ipv4, 'sysctl_ipfrag_time');
	time.read = read_seconds;
	time.write = write_seconds;
	register_sysctl(n.sysctls, [
		high,
		low,
		time,
		ctl_int('net/ipv4/ipfrag_max_dist', n.ipv4, 'sysctl_ipfrag_max_dist', 0),
	]);
	return 0;
}

function ipv4_frags_exit_net(n: net): void {
	fqdir_exit(n.ipv4.fqdir);
}

export function ipfrag_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ip4_frags', init: ipv4_frags_init_net, exit: ipv4_frags_exit_net });
	register_sysctl(machine.sysctl, [
		ctl_int('net/ipv4/ipfrag_secret_interval', { ipfrag_secret_interval: 0 }, 'ipfrag_secret_interval'),
	]);
}
