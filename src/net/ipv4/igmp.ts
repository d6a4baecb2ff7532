/*
 * net/ipv4/igmp.ts: membership in multicast groups.                Linux: net/ipv4/igmp.c
 *
 * Walk: ip_mc_join_group (a socket) -> ip_mc_inc_group (its device) -> igmp_group_added: the device's filter, and reports.
 *       igmp_rcv -> igmp_heard_query -> timers -> reports. ip_check_mc_rcu: is a packet for a group of ours?
 *       ip_mc_sf_allow: does this socket want this source?
 * RFC 3376 (version 3), RFC 2236 (2), RFC 1112 appendix I (1). A device speaks version 3 until it hears an older querier.
 * Not here yet: per-source answers to group-and-source queries answer for the whole group.
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { HZ, mod_timer, timer_delete, timer_list, timer_pending } from '../../kernel/time.ts';
import { trace_fn } from '../../kernel/trace.ts';
import { get_unaligned_be32, put_unaligned_be16, put_unaligned_be32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_partial } from '../../lib/checksum.ts';
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV } from '../../uapi/asm-generic/errno.ts';
import { IFF_UP } from '../../uapi/linux/if.ts';
import { PACKET_BROADCAST, PACKET_MULTICAST } from '../../uapi/linux/if_packet.ts';
import {
	IPV4_DEVCONF_FORCE_IGMP_VERSION,
	IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
} from '../../uapi/linux/ip.ts';
import { IPPROTO_IGMP, MCAST_EXCLUDE, MCAST_INCLUDE } from '../../uapi/linux/socket.ts';
import { dev_mc_add, dev_mc_del } from '../core/dev_addr_lists.ts';
import { flowi4, flowi4_init_output } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	alloc_skb,
	consume_skb,
	kfree_skb,
	pskb_may_pull,
	type sk_buff,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
} from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { inet_add_protocol, inet_sk, type net_protocol } from './af_inet.ts';
import { ip_dev_find } from './fib_frontend.ts';
import { skb_checksum_simple_ok } from './icmp.ts';
import { IPV4_DEVCONF_ALL, type in_device, type in_ifaddr } from './inetdevice.ts';
import {
	IGMPV3_ALL_MCR,
	INADDR_ALLHOSTS_GROUP,
	INADDR_ALLRTRS_GROUP,
	IP_DF,
	ip_hdr_set_daddr,
	ip_hdr_set_frag_off,
	ip_hdr_set_saddr,
	ipv4_is_local_multicast,
	ipv4_is_multicast,
} from './ip.ts';
import { ip_local_out, ip_select_ident } from './ip_output.ts';
import { ip_route_output_flow, ip_route_output_key, rt_is_output_route, type rtable } from './route.ts';

export const IGMP_HOST_MEMBERSHIP_QUERY = 0x11;
export const IGMP_HOST_MEMBERSHIP_REPORT = 0x12;
export const IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16;
export const IGMP_HOST_LEAVE_MESSAGE = 0x17;
export const IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22;
export const IGMPV3_MODE_IS_INCLUDE = 1;
export const IGMPV3_MODE_IS_EXCLUDE = 2;
export const IGMPV3_CHANGE_TO_INCLUDE = 3;
export const IGMPV3_CHANGE_TO_EXCLUDE = 4;
export const IGMPV3_ALLOW_NEW_SOURCES = 5;
export const IGMPV3_BLOCK_OLD_SOURCES = 6;

const IGMP_QUERY_INTERVAL = 125 * HZ;
const IGMP_QUERY_RESPONSE_INTERVAL = 10 * HZ;

/** What a process names a group by (struct ip_mreqn). */
export class ip_mreqn {
	imr_multiaddr = 0;
	imr_address = 0;
	imr_ifindex = 0;
}

/** One socket's membership. `sl_addr`: sources that its mode includes or excludes. */
export class ip_mc_socklist {
	multi = new ip_mreqn();
	sfmode = MCAST_EXCLUDE;
	sl_addr: number[] = [];
}

/** One source of a group on a device, and how many sockets include and exclude it. */
interface ip_sf_list {
	sf_inaddr: number;
	include: number;
	exclude: number;
}

/** A record of a version 3 report. */
export interface group_record {
	type: number;
	mca: number;
	sources: number[];
	/** How often it is still to be sent. */
	left: number;
}

/** One group on a device. */
export class ip_mc_list {
	interface: in_device;
	multiaddr: number;
	next: ip_mc_list | null = null;
	users = 1;
	sources: ip_sf_list[] = [];
	/** How many sockets include, exclude. */
	sfcount: number[] = [0, 0];
	timer: timer_list;
	tm_running = false;
	reporter = false;
	unsolicit_count = 0;
	loaded = false;

	constructor(in_dev: in_device, multiaddr: number) {
		this.interface = in_dev;
		this.multiaddr = multiaddr;
		this.timer = new timer_list(in_dev.dev.net.machine, igmp_timer_expire, this, 'igmp_timer_expire');
	}
}

function group_mode(im: ip_mc_list): number {
	return im.sfcount[MCAST_EXCLUDE] > 0 ? MCAST_EXCLUDE : MCAST_INCLUDE;
}

/** Sources that the group as a whole includes or excludes. */
function group_sources(im: ip_mc_list): number[] {
	const out: number[] = [];
	const excluding = group_mode(im) === MCAST_EXCLUDE;
	for (const s of im.sources) {
		if (excluding ? s.include === 0 && s.exclude === im.sfcount[MCAST_EXCLUDE] : s.include > 0) out.push(s.sf_inaddr);
	}
	return out;
}

// ---- which version ---------------------------------------------------------------------------------------------------------------

function force_version(in_dev: in_device): number {
	const all = IPV4_DEVCONF_ALL(in_dev.dev.net, IPV4_DEVCONF_FORCE_IGMP_VERSION);
	return all !== 0 ? all : in_dev.cnf.data[IPV4_DEVCONF_FORCE_IGMP_VERSION];
}

function v1_seen(in_dev: in_device): boolean {
	const forced = force_version(in_dev);
	return (
		forced === 1 || (forced === 0 && in_dev.mr_v1_seen !== 0 && in_dev.dev.net.machine.jiffies < in_dev.mr_v1_seen)
	);
}

function v2_seen(in_dev: in_device): boolean {
	const forced = force_version(in_dev);
	return (
		forced === 2 || (forced === 0 && in_dev.mr_v2_seen !== 0 && in_dev.dev.net.machine.jiffies < in_dev.mr_v2_seen)
	);
}

function unsolicited_report_interval(in_dev: in_device): number {
	const attr =
		v1_seen(in_dev) || v2_seen(in_dev)
			? IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL
			: IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL;
	const all = IPV4_DEVCONF_ALL(in_dev.dev.net, attr);
	const ms = Math.max(all, in_dev.cnf.data[attr]);
	return Math.max(1, Math.ceil((ms * HZ) / 1000));
}

/** Groups that are never reported: all hosts, and link-local ones when the sysctl says so. */
function silent(n: net, group: number): boolean {
	return group === INADDR_ALLHOSTS_GROUP || (ipv4_is_local_multicast(group) && n.ipv4.sysctl_igmp_llm_reports === 0);
}

// ---- sending ---------------------------------------------------------------------------------------------------------------------

/** Sends an IGMP message: TTL 1, precedence 6, don't fragment, router alert (RFC 3376 4, RFC 2236 2). */
function igmp_xmit(in_dev: in_device, dst: number, body: Uint8Array): void {
	const dev = in_dev.dev;
	const n = dev.net;
	const fl4 = new flowi4();
	flowi4_init_output(fl4, dev.ifindex, 0, 0, 0, IPPROTO_IGMP, 0, dst, 0, 0, 0, 0);
	const rt = ip_route_output_flow(n, fl4, null);
	if (typeof rt === 'number') return;
	const room = (dev.hard_header_len + 31) & ~15;
	const skb = alloc_skb(n.machine, room + 24 + body.length);
	skb_reserve(skb, room);
	skb.priority = 7; // TC_PRIO_CONTROL
	skb._skb_refdst = rt;
	const h = skb_put(skb, 24 + body.length);
	skb_reset_network_header(skb);
	const b = skb.head;
	b[h] = 0x46;
	b[h + 1] = 0xc0;
	b[h + 4] = 0;
	b[h + 5] = 0;
	ip_hdr_set_frag_off(skb, IP_DF);
	b[h + 8] = 1;
	b[h + 9] = IPPROTO_IGMP;
	ip_hdr_set_saddr(skb, fl4.saddr);
	ip_hdr_set_daddr(skb, dst);
	b[h + 20] = 148;
	b[h + 21] = 4;
	b[h + 22] = 0;
	b[h + 23] = 0;
	ip_select_ident(n, skb, null);
	put_unaligned_be16(body, 2, 0);
	put_unaligned_be16(body, 2, csum_fold(csum_partial(body, 0, body.length, 0)));
	b.set(body, h + 24);
	skb.transport_header = h + 24;
	ip_local_out(n, null, skb);
}

/** One version 3 report, or several when the records do not fit the MTU. */
function igmpv3_send(in_dev: in_device, records: group_record[]): void {
	const room = in_dev.dev.mtu - 24;
	let part: group_record[] = [];
	let size = 8;
	const flush = (): void => {
		if (part.length === 0) return;
		const body = new Uint8Array(size);
		body[0] = IGMPV3_HOST_MEMBERSHIP_REPORT;
		put_unaligned_be16(body, 6, part.length);
		let at = 8;
		for (const r of part) {
			body[at] = r.type;
			put_unaligned_be16(body, at + 2, r.sources.length);
			put_unaligned_be32(body, at + 4, r.mca);
			at += 8;
			for (const s of r.sources) {
				put_unaligned_be32(body, at, s);
				at += 4;
			}
		}
		igmp_xmit(in_dev, IGMPV3_ALL_MCR, body);
		part = [];
		size = 8;
	};
	for (const r of records) {
		const need = 8 + 4 * r.sources.length;
		if (size + need > room) flush();
		part.push(r);
		size += need;
	}
	flush();
}

function current_record(im: ip_mc_list): group_record {
	const excluding = group_mode(im) === MCAST_EXCLUDE;
	return {
		type: excluding ? IGMPV3_MODE_IS_EXCLUDE : IGMPV3_MODE_IS_INCLUDE,
		mca: im.multiaddr,
		sources: group_sources(im),
		left: 1,
	};
}

/** The current state of one group, or of all (RFC 3376 5.2). */
function igmpv3_send_report(in_dev: in_device, only: ip_mc_list | null): void {
	const records: group_record[] = [];
	for (let im = in_dev.mc_list; im !== null; im = im.next) {
		if (only !== null && im !== only) continue;
		if (!silent(in_dev.dev.net, im.multiaddr)) records.push(current_record(im));
	}
	igmpv3_send(
		in_dev,
		records.filter((r) => r.type === IGMPV3_MODE_IS_EXCLUDE || r.sources.length > 0),
	);
}

function igmp_send_report(in_dev: in_device, im: ip_mc_list): void {
	if (silent(in_dev.dev.net, im.multiaddr)) return;
	if (!v1_seen(in_dev) && !v2_seen(in_dev)) {
		igmpv3_send_report(in_dev, im);
		return;
	}
	const body = new Uint8Array(8);
	body[0] = v1_seen(in_dev) ? IGMP_HOST_MEMBERSHIP_REPORT : IGMPV2_HOST_MEMBERSHIP_REPORT;
	put_unaligned_be32(body, 4, im.multiaddr);
	igmp_xmit(in_dev, im.multiaddr, body);
}

// ---- timers ----------------------------------------------------------------------------------------------------------------------

function igmp_start_timer(im: ip_mc_list, max_delay: number): void {
	const m = im.interface.dev.net.machine;
	im.tm_running = true;
	mod_timer(im.timer, m.jiffies + m.random.below(Math.max(1, max_delay)) + 2);
}

function igmp_mod_timer(im: ip_mc_list, max_delay: number): void {
	im.unsolicit_count = 0;
	if (timer_pending(im.timer)) {
		if (im.timer.expires - im.interface.dev.net.machine.jiffies < max_delay) return;
		timer_delete(im.timer);
	}
	igmp_start_timer(im, max_delay);
}

function igmp_stop_timer(im: ip_mc_list): void {
	timer_delete(im.timer);
	im.tm_running = false;
	im.reporter = false;
	im.unsolicit_count = 0;
}

function igmp_timer_expire(timer: timer_list): void {
	const im = timer.owner as ip_mc_list;
	im.tm_running = false;
	if (im.unsolicit_count > 0 && --im.unsolicit_count > 0)
		igmp_start_timer(im, unsolicited_report_interval(im.interface));
	im.reporter = true;
	igmp_send_report(im.interface, im);
}

function igmp_gq_timer_expire(timer: timer_list): void {
	const in_dev = timer.owner as in_device;
	in_dev.mr_gq_running = 0;
	igmpv3_send_report(in_dev, null);
}

function igmp_gq_start_timer(in_dev: in_device): void {
	const m = in_dev.dev.net.machine;
	const exp = m.jiffies + m.random.below(Math.max(1, in_dev.mr_maxdelay)) + 2;
	if (in_dev.mr_gq_running !== 0 && exp >= in_dev.mr_gq_timer!.expires) return;
	in_dev.mr_gq_running = 1;
	mod_timer(in_dev.mr_gq_timer!, exp);
}

function igmp_ifc_start_timer(in_dev: in_device, delay: number): void {
	const m = in_dev.dev.net.machine;
	mod_timer(in_dev.mr_ifc_timer!, m.jiffies + m.random.below(Math.max(1, delay)) + 2);
}

/** Tells of the changes that are still to be told (RFC 3376 5.1: each robustness-variable times). */
function igmp_ifc_timer_expire(timer: timer_list): void {
	const in_dev = timer.owner as in_device;
	const list = in_dev.mr_pending;
	const now = list.slice();
	for (const r of list) r.left--;
	in_dev.mr_pending = list.filter((r) => r.left > 0);
	igmpv3_send(in_dev, now);
	if (in_dev.mr_ifc_count > 0 && --in_dev.mr_ifc_count > 0)
		igmp_ifc_start_timer(in_dev, unsolicited_report_interval(in_dev));
}

/** A change record; an older one about the same group gives way when the mode changes. */
function igmp_ifc_event(in_dev: in_device, type: number, mca: number, sources: number[]): void {
	const n = in_dev.dev.net;
	if (v1_seen(in_dev) || v2_seen(in_dev) || silent(n, mca)) return;
	const qrv = in_dev.mr_qrv !== 0 ? in_dev.mr_qrv : n.ipv4.sysctl_igmp_qrv;
	const mode_change = type === IGMPV3_CHANGE_TO_EXCLUDE || type === IGMPV3_CHANGE_TO_INCLUDE;
	const rest = in_dev.mr_pending.filter((r) => r.mca !== mca || (!mode_change && r.type !== type));
	// What is still to be repeated of the same kind goes along.
	if (!mode_change)
		for (const r of in_dev.mr_pending)
			if (r.mca === mca && r.type === type) sources = [...sources, ...r.sources.filter((a) => !sources.includes(a))];
	rest.push({ type, mca, sources, left: qrv });
	in_dev.mr_pending = rest;
	in_dev.mr_ifc_count = qrv;
	igmp_ifc_start_timer(in_dev, 1);
}

// ---- a device's groups -----------------------------------------------------------------------------------------------------------

/** RFC 1112 6.4: the Ethernet address of a group. */
export function ip_eth_mc_map(group: number): Uint8Array {
	return Uint8Array.of(0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 0xff, group & 0xff);
}

function ip_mc_filter(in_dev: in_device, group: number, add: boolean): void {
	const dev = in_dev.dev;
	if (dev.type !== 1 && dev.type !== 772) return;
	if (dev.type === 772) return;
	if (add) dev_mc_add(dev, ip_eth_mc_map(group));
	else dev_mc_del(dev, ip_eth_mc_map(group));
}

function igmp_group_added(im: ip_mc_list): void {
	const in_dev = im.interface;
	const n = in_dev.dev.net;
	if (!im.loaded) {
		im.loaded = true;
		ip_mc_filter(in_dev, im.multiaddr, true);
	}
	if (silent(n, im.multiaddr) || in_dev.dead) return;
	if (v1_seen(in_dev) || v2_seen(in_dev)) {
		im.unsolicit_count = n.ipv4.sysctl_igmp_qrv;
		igmp_start_timer(im, 1);
		return;
	}
	if (group_mode(im) === MCAST_EXCLUDE)
		igmp_ifc_event(in_dev, IGMPV3_CHANGE_TO_EXCLUDE, im.multiaddr, group_sources(im));
	else if (group_sources(im).length > 0)
		igmp_ifc_event(in_dev, IGMPV3_ALLOW_NEW_SOURCES, im.multiaddr, group_sources(im));
}

function igmp_group_dropped(im: ip_mc_list): void {
	const in_dev = im.interface;
	if (im.loaded) {
		im.loaded = false;
		ip_mc_filter(in_dev, im.multiaddr, false);
	}
	const reporter = im.reporter;
	igmp_stop_timer(im);
	if (silent(in_dev.dev.net, im.multiaddr) || in_dev.dead) return;
	if (v1_seen(in_dev)) return;
	if (v2_seen(in_dev)) {
		// RFC 2236 3: only who reported last says goodbye.
		if (reporter) {
			const body = new Uint8Array(8);
			body[0] = IGMP_HOST_LEAVE_MESSAGE;
			put_unaligned_be32(body, 4, im.multiaddr);
			igmp_xmit(in_dev, INADDR_ALLRTRS_GROUP, body);
		}
		return;
	}
	// RFC 3376 5.1: from EXCLUDE to INCLUDE {}, or from INCLUDE (A) to INCLUDE {}.
	if (group_mode(im) === MCAST_EXCLUDE) igmp_ifc_event(in_dev, IGMPV3_CHANGE_TO_INCLUDE, im.multiaddr, []);
	else if (group_sources(im).length > 0)
		igmp_ifc_event(in_dev, IGMPV3_BLOCK_OLD_SOURCES, im.multiaddr, group_sources(im));
}

function find_group(in_dev: in_device, addr: number): ip_mc_list | null {
	for (let im = in_dev.mc_list; im !== null; im = im.next) if (im.multiaddr === addr) return im;
	return null;
}

/** One more user of a group on a device. */
export function ip_mc_inc_group(in_dev: in_device, addr: number, mode = MCAST_EXCLUDE): ip_mc_list {
	let im = find_group(in_dev, addr);
	if (im !== null) {
		im.users++;
		ip_mc_add_src(im, mode, [], false);
		return im;
	}
	im = new ip_mc_list(in_dev, addr);
	im.sfcount[mode] = 1;
	im.next = in_dev.mc_list;
	in_dev.mc_list = im;
	in_dev.mc_count++;
	if ((in_dev.dev.flags & IFF_UP) !== 0) igmp_group_added(im);
	return im;
}

/** One user of a group less. */
export function ip_mc_dec_group(in_dev: in_device, addr: number): void {
	let prev: ip_mc_list | null = null;
	for (let im = in_dev.mc_list; im !== null; prev = im, im = im.next) {
		if (im.multiaddr !== addr) continue;
		if (--im.users > 0) return;
		if (prev === null) in_dev.mc_list = im.next;
		else prev.next = im.next;
		in_dev.mc_count--;
		igmp_group_dropped(im);
		return;
	}
}

export function ip_mc_init_dev(in_dev: in_device): void {
	const m = in_dev.dev.net.machine;
	in_dev.mr_qrv = in_dev.dev.net.ipv4.sysctl_igmp_qrv;
	in_dev.mr_qi = IGMP_QUERY_INTERVAL;
	in_dev.mr_qri = IGMP_QUERY_RESPONSE_INTERVAL;
	in_dev.mr_gq_timer = new timer_list(m, igmp_gq_timer_expire, in_dev, 'igmp_gq_timer_expire');
	in_dev.mr_ifc_timer = new timer_list(m, igmp_ifc_timer_expire, in_dev, 'igmp_ifc_timer_expire');
}

/** The device came up: every host is in 224.0.0.1 (RFC 1112 4). */
export function ip_mc_up(in_dev: in_device): void {
	ip_mc_inc_group(in_dev, INADDR_ALLHOSTS_GROUP);
	for (let im = in_dev.mc_list; im !== null; im = im.next) if (!im.loaded) igmp_group_added(im);
}

export function ip_mc_down(in_dev: in_device): void {
	for (let im = in_dev.mc_list; im !== null; im = im.next) {
		const reports = in_dev.dead;
		in_dev.dead = true;
		if (im.multiaddr !== INADDR_ALLHOSTS_GROUP) igmp_group_dropped(im);
		in_dev.dead = reports;
	}
	in_dev.mr_ifc_count = 0;
	if (in_dev.mr_ifc_timer !== null) timer_delete(in_dev.mr_ifc_timer);
	in_dev.mr_gq_running = 0;
	if (in_dev.mr_gq_timer !== null) timer_delete(in_dev.mr_gq_timer);
	in_dev.mr_pending = [];
	ip_mc_dec_group(in_dev, INADDR_ALLHOSTS_GROUP);
}

export function ip_mc_destroy_dev(in_dev: in_device): void {
	if (find_group(in_dev, INADDR_ALLHOSTS_GROUP) !== null) ip_mc_down(in_dev);
	for (let im = in_dev.mc_list; im !== null; im = im.next) {
		timer_delete(im.timer);
		if (im.loaded) ip_mc_filter(in_dev, im.multiaddr, false);
	}
	in_dev.mc_list = null;
	in_dev.mc_count = 0;
}

/** Counts a socket's mode and sources in the group, and tells routers what it changed. `delta`: the mode counts already. */
function ip_mc_add_src(im: ip_mc_list, mode: number, sources: readonly number[], delta: boolean): void {
	ip_mc_change(im, () => {
		if (!delta) im.sfcount[mode]++;
		for (const a of sources) {
			let s = im.sources.find((x) => x.sf_inaddr === a);
			if (s === undefined) {
				s = { sf_inaddr: a, include: 0, exclude: 0 };
				im.sources.unshift(s);
			}
			if (mode === MCAST_INCLUDE) s.include++;
			else s.exclude++;
		}
	});
}

function ip_mc_del_src(im: ip_mc_list, mode: number, sources: readonly number[], delta: boolean): void {
	ip_mc_change(im, () => {
		if (!delta && im.sfcount[mode] > 0) im.sfcount[mode]--;
		for (const a of sources) {
			const s = im.sources.find((x) => x.sf_inaddr === a);
			if (s === undefined) continue;
			if (mode === MCAST_INCLUDE) s.include--;
			else s.exclude--;
		}
		im.sources = im.sources.filter((s) => s.include > 0 || s.exclude > 0);
	});
}

/** Compares what the group wants before and after (RFC 3376 5.1). */
function ip_mc_change(im: ip_mc_list, change: () => void): void {
	const mode = group_mode(im);
	const before = group_sources(im);
	change();
	const mode2 = group_mode(im);
	const after = group_sources(im);
	if ((im.interface.dev.flags & IFF_UP) === 0 || !im.loaded) return;
	if (mode !== mode2) {
		igmp_ifc_event(
			im.interface,
			mode2 === MCAST_EXCLUDE ? IGMPV3_CHANGE_TO_EXCLUDE : IGMPV3_CHANGE_TO_INCLUDE,
			im.multiaddr,
			after,
		);
		return;
	}
	const added = after.filter((a) => !before.includes(a));
	const gone = before.filter((a) => !after.includes(a));
	const allow = mode === MCAST_INCLUDE ? added : gone;
	const block = mode === MCAST_INCLUDE ? gone : added;
	if (allow.length > 0) igmp_ifc_event(im.interface, IGMPV3_ALLOW_NEW_SOURCES, im.multiaddr, allow);
	if (block.length > 0) igmp_ifc_event(im.interface, IGMPV3_BLOCK_OLD_SOURCES, im.multiaddr, block);
}

/** Whether a packet from `saddr` to the group `mc_addr` is for this device. Context: softirq. */
export function ip_check_mc_rcu(in_dev: in_device, mc_addr: number, saddr: number, proto: number): boolean {
	for (let im = in_dev.mc_list; im !== null; im = im.next) {
		if (im.multiaddr !== mc_addr) continue;
		if (proto === IPPROTO_IGMP || saddr === 0) return true;
		for (let i = 0; i < im.sources.length; i++) {
			const s = im.sources[i];
			if (s.sf_inaddr === saddr) return s.include > 0 || s.exclude !== im.sfcount[MCAST_EXCLUDE];
		}
		return im.sfcount[MCAST_EXCLUDE] > 0;
	}
	return false;
}

// ---- sockets ---------------------------------------------------------------------------------------------------------------------

/** The device a process means: by index, by address, or the one that the route leads to. */
function ip_mc_find_dev(n: net, imr: ip_mreqn): in_device | null {
	if (imr.imr_ifindex !== 0) return n.dev_index_head.get(imr.imr_ifindex)?.ip_ptr ?? null;
	if (imr.imr_address !== 0) {
		const dev = ip_dev_find(n, imr.imr_address);
		if (dev === null) return null;
		imr.imr_ifindex = dev.ifindex;
		return dev.ip_ptr;
	}
	const fl4 = new flowi4();
	fl4.flowi4_iif = 1;
	fl4.daddr = imr.imr_multiaddr;
	const rt = ip_route_output_key(n, fl4);
	if (typeof rt === 'number') return null;
	imr.imr_ifindex = rt.dev.ifindex;
	return rt.dev.ip_ptr;
}

function __ip_mc_join_group(sk: sock, imr: ip_mreqn, mode: number): number {
	if (!ipv4_is_multicast(imr.imr_multiaddr)) return -EINVAL;
	const inet = inet_sk(sk);
	const in_dev = ip_mc_find_dev(sk.net, imr);
	if (in_dev === null) return -ENODEV;
	const ifindex = imr.imr_ifindex !== 0 ? imr.imr_ifindex : in_dev.dev.ifindex;
	for (const m of inet.mc_list) {
		if (m.multi.imr_multiaddr === imr.imr_multiaddr && m.multi.imr_ifindex === ifindex) return -EADDRINUSE;
	}
	if (inet.mc_list.length >= sk.net.ipv4.sysctl_igmp_max_memberships) return -ENOBUFS;
	const iml = new ip_mc_socklist();
	iml.multi.imr_multiaddr = imr.imr_multiaddr;
	iml.multi.imr_address = imr.imr_address;
	iml.multi.imr_ifindex = ifindex;
	iml.sfmode = mode;
	inet.mc_list.unshift(iml);
	ip_mc_inc_group(in_dev, imr.imr_multiaddr, mode);
	return 0;
}

export function ip_mc_join_group(sk: sock, imr: ip_mreqn): number {
	return __ip_mc_join_group(sk, imr, MCAST_EXCLUDE);
}

export function ip_mc_join_group_ssm(sk: sock, imr: ip_mreqn, mode: number): number {
	return __ip_mc_join_group(sk, imr, mode);
}

/** The socket's filter no longer counts; then the group has a user less. */
function ip_mc_leave(sk: sock, iml: ip_mc_socklist): void {
	const in_dev = sk.net.dev_index_head.get(iml.multi.imr_ifindex)?.ip_ptr ?? null;
	if (in_dev === null) return;
	const im = find_group(in_dev, iml.multi.imr_multiaddr);
	if (im === null) return;
	// The last user's end is told as such (TO_IN {}), not as a change of filter.
	if (im.users > 1) ip_mc_del_src(im, iml.sfmode, iml.sl_addr, false);
	ip_mc_dec_group(in_dev, iml.multi.imr_multiaddr);
}

export function ip_mc_leave_group(sk: sock, imr: ip_mreqn): number {
	const inet = inet_sk(sk);
	const in_dev = ip_mc_find_dev(sk.net, { ...imr });
	if (in_dev === null && imr.imr_ifindex === 0 && imr.imr_address === 0) return -ENODEV;
	for (let i = 0; i < inet.mc_list.length; i++) {
		const m = inet.mc_list[i].multi;
		if (m.imr_multiaddr !== imr.imr_multiaddr) continue;
		if (imr.imr_ifindex !== 0) {
			if (m.imr_ifindex !== imr.imr_ifindex) continue;
		} else if (imr.imr_address !== 0) {
			if (imr.imr_address !== m.imr_address && (in_dev === null || m.imr_ifindex !== in_dev.dev.ifindex)) continue;
		} else if (in_dev !== null && m.imr_ifindex !== in_dev.dev.ifindex) continue;
		const iml = inet.mc_list[i];
		inet.mc_list.splice(i, 1);
		ip_mc_leave(sk, iml);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

function find_membership(sk: sock, imr: ip_mreqn): ip_mc_socklist | number {
	if (!ipv4_is_multicast(imr.imr_multiaddr)) return -EINVAL;
	if (ip_mc_find_dev(sk.net, imr) === null) return -ENODEV;
	for (const m of inet_sk(sk).mc_list) {
		if (m.multi.imr_multiaddr === imr.imr_multiaddr && m.multi.imr_ifindex === imr.imr_ifindex) return m;
	}
	return -EADDRNOTAVAIL;
}

/** Adds a source to, or takes it from, what the membership includes (`omode` INCLUDE) or excludes. Return: 0 or -errno. */
export function ip_mc_source(
	add: boolean,
	omode: number,
	sk: sock,
	imr: ip_mreqn,
	source: number,
	_ifindex: number,
): number {
	const found = find_membership(sk, imr);
	if (typeof found === 'number') return found === -EADDRNOTAVAIL ? -EINVAL : found;
	const iml = found;
	const in_dev = sk.net.dev_index_head.get(iml.multi.imr_ifindex)?.ip_ptr ?? null;
	if (in_dev === null) return -ENODEV;
	const im = find_group(in_dev, imr.imr_multiaddr);
	if (iml.sl_addr.length > 0) {
		if (iml.sfmode !== omode) return -EINVAL;
	} else if (iml.sfmode !== omode) {
		// An empty filter may change its mode.
		if (im !== null) {
			ip_mc_add_src(im, omode, [], false);
			ip_mc_del_src(im, iml.sfmode, [], false);
		}
		iml.sfmode = omode;
	}
	const at = iml.sl_addr.indexOf(source);
	if (!add) {
		if (at < 0) return -EADDRNOTAVAIL;
		// The last included source gone means: left.
		if (iml.sl_addr.length === 1 && omode === MCAST_INCLUDE) return ip_mc_leave_group(sk, imr);
		iml.sl_addr.splice(at, 1);
		if (im !== null) ip_mc_del_src(im, omode, [source], true);
		return 0;
	}
	if (at >= 0) return -EADDRNOTAVAIL;
	if (iml.sl_addr.length >= sk.net.ipv4.sysctl_igmp_max_msf) return -ENOBUFS;
	iml.sl_addr.push(source);
	if (im !== null) ip_mc_add_src(im, omode, [source], true);
	return 0;
}

/** Sets the whole filter of a membership (IP_MSFILTER). */
export function ip_mc_msfilter(sk: sock, imr: ip_mreqn, fmode: number, sources: number[]): number {
	if (fmode !== MCAST_INCLUDE && fmode !== MCAST_EXCLUDE) return -EINVAL;
	if (!ipv4_is_multicast(imr.imr_multiaddr)) return -EINVAL;
	if (fmode === MCAST_INCLUDE && sources.length === 0) return ip_mc_leave_group(sk, imr);
	const iml = find_membership(sk, imr);
	if (typeof iml === 'number') return iml === -EADDRNOTAVAIL ? -EINVAL : iml;
	const in_dev = sk.net.dev_index_head.get(iml.multi.imr_ifindex)?.ip_ptr ?? null;
	const im = in_dev === null ? null : find_group(in_dev, imr.imr_multiaddr);
	if (im !== null) {
		ip_mc_add_src(im, fmode, sources, false);
		ip_mc_del_src(im, iml.sfmode, iml.sl_addr, false);
	}
	iml.sfmode = fmode;
	iml.sl_addr = sources;
	return 0;
}

/** Writes struct ip_msfilter: mode at 8, count at 12, sources. Return: its length or -errno. */
export function ip_mc_msfget(sk: sock, imr: ip_mreqn, out: Uint8Array): number {
	const room = get_le32(out, 12);
	const iml = find_membership(sk, imr);
	if (typeof iml === 'number') return iml;
	put_unaligned_le32(out, 8, iml.sfmode);
	put_unaligned_le32(out, 12, iml.sl_addr.length);
	let at = 16;
	for (let i = 0; i < iml.sl_addr.length && i < room && at + 4 <= out.length; i++, at += 4)
		put_unaligned_be32(out, at, iml.sl_addr[i]);
	return at;
}

function get_le32(b: Uint8Array, o: number): number {
	return (b[o] | (b[o + 1] << 8) | (b[o + 2] << 16) | (b[o + 3] << 24)) >>> 0;
}

/** Whether the socket wants packets from `rmt_addr` to `loc_addr` that came by device `dif`. */
export function ip_mc_sf_allow(sk: sock, loc_addr: number, rmt_addr: number, dif: number): boolean {
	if (!ipv4_is_multicast(loc_addr)) return true;
	const inet = sk.inet!;
	for (let i = 0; i < inet.mc_list.length; i++) {
		const m = inet.mc_list[i];
		if (m.multi.imr_multiaddr !== loc_addr || m.multi.imr_ifindex !== dif) continue;
		if (m.sl_addr.length === 0) return m.sfmode === MCAST_EXCLUDE;
		return m.sl_addr.includes(rmt_addr) === (m.sfmode === MCAST_INCLUDE);
	}
	// IP_MULTICAST_ALL: also groups that others on this host joined.
	return inet.mc_all;
}

/** A closed socket leaves its groups. */
export function ip_mc_drop_socket(sk: sock): void {
	const inet = sk.inet!;
	const list = inet.mc_list;
	inet.mc_list = [];
	for (const iml of list) ip_mc_leave(sk, iml);
}

/** `ip addr add … autojoin`: the kernel itself joins the group that is the address. */
export function ip_mc_config_autojoin(_n: net, join: boolean, ifa: in_ifaddr): number {
	if (join) ip_mc_inc_group(ifa.ifa_dev, ifa.ifa_address);
	else ip_mc_dec_group(ifa.ifa_dev, ifa.ifa_address);
	return 0;
}

// ---- receiving -------------------------------------------------------------------------------------------------------------------

/** Codes from 128 on are floating point (RFC 3376 4.1.1, 4.1.7). */
function igmpv3_exp(v: number): number {
	return v < 128 ? v : ((v & 15) | 16) << (((v >> 4) & 7) + 3);
}

/** Return: whether the query was bad. */
function igmp_heard_query(in_dev: in_device, skb: sk_buff, len: number): boolean {
	const n = in_dev.dev.net;
	const now = n.machine.jiffies;
	const b = skb.head;
	const h = skb.transport_header;
	const code = b[h + 1];
	let group = get_unaligned_be32(b, h + 4);
	let max_delay: number;
	if (len === 8) {
		if (code === 0) {
			// Version 1: a reply within 10 s, no group.
			max_delay = IGMP_QUERY_RESPONSE_INTERVAL;
			in_dev.mr_v1_seen = now + in_dev.mr_qrv * in_dev.mr_qi + in_dev.mr_qri;
			group = 0;
		} else {
			max_delay = Math.floor((code * HZ) / 10);
			in_dev.mr_v2_seen = now + in_dev.mr_qrv * in_dev.mr_qi + in_dev.mr_qri;
		}
		in_dev.mr_ifc_count = 0;
		if (in_dev.mr_ifc_timer !== null) timer_delete(in_dev.mr_ifc_timer);
		in_dev.mr_pending = [];
	} else if (len < 12) {
		return true;
	} else if (v1_seen(in_dev)) {
		max_delay = IGMP_QUERY_RESPONSE_INTERVAL;
		group = 0;
	} else if (v2_seen(in_dev)) {
		max_delay = Math.floor((igmpv3_exp(code) * HZ) / 10);
	} else {
		const nsrcs = (b[h + 10] << 8) | b[h + 11];
		if (len < 12 + 4 * nsrcs) return true;
		max_delay = Math.floor((igmpv3_exp(code) * HZ) / 10);
		if (max_delay === 0) max_delay = 1;
		in_dev.mr_maxdelay = max_delay;
		const qrv = b[h + 8] & 7;
		in_dev.mr_qrv = qrv !== 0 ? qrv : n.ipv4.sysctl_igmp_qrv;
		const qi = igmpv3_exp(b[h + 9]) * HZ;
		in_dev.mr_qi = qi !== 0 ? qi : IGMP_QUERY_INTERVAL;
		if (max_delay < in_dev.mr_qi) in_dev.mr_qri = max_delay;
		if (group === 0) {
			if (nsrcs !== 0) return true;
			igmp_gq_start_timer(in_dev);
			return false;
		}
	}
	for (let im = in_dev.mc_list; im !== null; im = im.next) {
		if (group !== 0 && group !== im.multiaddr) continue;
		if (silent(n, im.multiaddr)) continue;
		igmp_mod_timer(im, max_delay);
	}
	return false;
}

/** Somebody else reported the group: our report is not needed (RFC 2236 3). */
function igmp_heard_report(in_dev: in_device, group: number): void {
	if (group === INADDR_ALLHOSTS_GROUP) return;
	const im = find_group(in_dev, group);
	if (im !== null) igmp_stop_timer(im);
}

/** IGMP's place in inet_protos. Context: softirq; consumes skb. */
export function igmp_rcv(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'igmp_rcv');
	const in_dev = skb.dev!.ip_ptr;
	let dropped = true;
	const len = skb.len;
	if (in_dev !== null && len >= 8 && pskb_may_pull(skb, len) && skb_checksum_simple_ok(skb)) {
		const type = skb.head[skb.transport_header];
		switch (type) {
			case IGMP_HOST_MEMBERSHIP_QUERY:
				dropped = igmp_heard_query(in_dev, skb, len);
				break;
			case IGMP_HOST_MEMBERSHIP_REPORT:
			case IGMPV2_HOST_MEMBERSHIP_REPORT:
				// Our own, looped back?
				if (rt_is_output_route(skb._skb_refdst as rtable)) break;
				// A report that was sent to us alone says nothing of the group.
				if (skb.pkt_type === PACKET_MULTICAST || skb.pkt_type === PACKET_BROADCAST) {
					igmp_heard_report(in_dev, get_unaligned_be32(skb.head, skb.transport_header + 4));
					dropped = false;
				}
				break;
			default:
				break;
		}
	}
	if (dropped) kfree_skb(skb, 'igmp_rcv');
	else consume_skb(skb);
	return 0;
}

const igmp_protocol: net_protocol = {
	name: 'IGMP',
	handler: igmp_rcv,
	err_handler: null,
	early_demux: null,
	no_policy: false,
	icmp_strict_tag_validation: false,
};

// ---- /proc -----------------------------------------------------------------------------------------------------------------------

function hex8(v: number): string {
	return (v >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

/** An address as the hexadecimal of its bytes in memory (little-endian). */
function hex_be(a: number): string {
	return hex8(((a & 255) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24));
}

function igmp_mc_seq_show(n: net): string {
	let out = 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n';
	for (const dev of n.dev_base_head) {
		const in_dev = dev.ip_ptr;
		if (in_dev === null || in_dev.mc_list === null) continue;
		const querier = v1_seen(in_dev) ? 'V1' : v2_seen(in_dev) ? 'V2' : 'V3';
		out += `${dev.ifindex}\t${dev.name.padEnd(10)}: ${String(in_dev.mc_count).padStart(5)} ${querier.padStart(7)}\n`;
		for (let im: ip_mc_list | null = in_dev.mc_list; im !== null; im = im.next) {
			// Clock ticks of 1/100 s.
			const left = im.tm_running ? Math.floor(((im.timer.expires - n.machine.jiffies) * 100) / HZ) : 0;
			out += `\t\t\t\t${hex_be(im.multiaddr)} ${String(im.users).padStart(5)} ${im.tm_running ? 1 : 0}:${hex8(left)}\t\t${im.reporter ? 1 : 0}\n`;
		}
	}
	return out;
}

function igmp_mcf_seq_show(n: net): string {
	let out = 'Idx Device        MCA        SRC    INC    EXC\n';
	for (const dev of n.dev_base_head) {
		for (let im = dev.ip_ptr?.mc_list ?? null; im !== null; im = im.next) {
			for (const s of im.sources) {
				const a = im.multiaddr.toString(16).padStart(8, '0');
				const b = s.sf_inaddr.toString(16).padStart(8, '0');
				out += `${String(dev.ifindex).padStart(3)} ${dev.name.slice(0, 6).padStart(6)} 0x${a} 0x${b} ${String(s.include).padStart(6)} ${String(s.exclude).padStart(6)}\n`;
			}
		}
	}
	return out;
}

function igmp_net_init(n: net): number {
	proc_create_net(n, 'igmp', igmp_mc_seq_show);
	proc_create_net(n, 'mcfilter', igmp_mcf_seq_show);
	return 0;
}

function igmp_net_exit(_n: net): void {}

export function igmp_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'igmp', init: igmp_net_init, exit: igmp_net_exit });
	inet_add_protocol(machine, igmp_protocol, IPPROTO_IGMP);
}
