/*
 * net/ipv4/route.ts: which way a packet goes.                      Linux: net/ipv4/route.c, net/route.h
 *
 * Walk, in:  ip_route_input_noref -> ip_route_input_slow: martians -> fib_lookup -> local, broadcast, forward (ip_mkroute_input, which
 *            validates the source: fib_validate_source) or no route (ip_error answers).
 *       out: ip_route_output_flow -> ip_route_output_key_hash: source address, device -> fib_lookup -> fib_select_path -> __mkroute_output.
 * Both end in an rtable, cached on the nexthop and valid while rt_genid stands. What was learned of single destinations is in
 * route_exception.ts (path MTU, redirects), the flow hash in route_multipath.ts, `ip route get` in route_netlink.ts, sysctls and
 * /proc in route_sysctl.ts.
 * RFC 1812 5.2.4 (forwarding), 5.3.7 (martians), 5.3.8 (source validation); RFC 1122 3.3.4.2 (source address); RFC 3704.
 * Not here yet: multicast routing, VRFs, lightweight tunnels, xfrm.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_WARNING, net_ratelimit, printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/linux/if.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { IPV4_DEVCONF_BC_FORWARDING, IPV4_DEVCONF_NOPOLICY, IPV4_DEVCONF_NOXFRM } from '../../uapi/linux/ip.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_UNIVERSE,
	RTAX_ADVMSS,
	RTN_BROADCAST,
	RTN_LOCAL,
	RTN_MULTICAST,
	RTN_UNICAST,
	RTN_UNREACHABLE,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, IPPROTO_IGMP } from '../../uapi/linux/socket.ts';
import {
	SKB_DROP_REASON_ARP_PVLAN_DISABLE,
	SKB_DROP_REASON_INVALID_PROTO,
	SKB_DROP_REASON_IP_INVALID_DEST,
	SKB_DROP_REASON_IP_INVALID_SOURCE,
	SKB_DROP_REASON_IP_LOCALNET,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { DST_NOPOLICY, DST_NOXFRM, DST_OBSOLETE_FORCE_CHK, dst_entry, type dst_ops } from '../core/dst.ts';
import { FLOWI_FLAG_ANYSRC, FLOWI_FLAG_KNOWN_NH, flowi4 } from '../core/flow.ts';
import { __neigh_create, type neighbour } from '../core/neighbour.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { IPSKB_DOREDIRECT, IPSKB_NOPOLICY, kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { __ipv4_neigh_lookup_noref, arp_tbl } from './arp.ts';
import { inet_addr_onlink, inet_select_addr } from './devinet.ts';
import { __ip_dev_find, fib_lookup, fib_validate_source } from './fib_frontend.ts';
import { type fib_info, type fib_nh, type fib_nh_exception, fib_result } from './fib_lookup.ts';
import { fib4_rules_early_flow_dissect } from './fib_rules.ts';
import { fib_result_prefsrc, fib_select_multipath, fib_select_path } from './fib_semantics.ts';
import { ip_check_mc_rcu } from './igmp.ts';
import {
	IN_DEV_BFORWARD,
	IN_DEV_FORWARD,
	IN_DEV_LOG_MARTIANS,
	IN_DEV_MFORWARD,
	IN_DEV_NET_ROUTE_LOCALNET,
	IN_DEV_ORCONF,
	IN_DEV_PROXY_ARP_PVLAN,
	IN_DEV_ROUTE_LOCALNET,
	IN_DEV_SHARED_MEDIA,
	IN_DEV_TX_REDIRECTS,
	IPV4_DEVCONF_ALL,
	type in_device,
} from './inetdevice.ts';
import { inet_peer_base } from './inetpeer.ts';
import { ip_dst_mtu_maybe_forward, ip_hdr_daddr, ip_hdr_protocol, ip_ntop } from './ip.ts';
import { ip_forward } from './ip_forward.ts';
import { ip_local_deliver } from './ip_input.ts';
import { ip_mc_output, ip_output } from './ip_output.ts';
import {
	find_exception,
	ip_do_redirect,
	ip_error,
	ip_rt_update_pmtu,
	ipv4_link_failure,
	ipv4_negative_advice,
	rt_bind_exception,
} from './route_exception.ts';
import { fib_multipath_hash } from './route_multipath.ts';
import { route_sysctl_init_net, rt_cache_stat } from './route_sysctl.ts';
import { trace_keep_output_route, trace_route } from './route_trace.ts';

export * from './route_exception.ts';
export { inet_rtm_getroute } from './route_netlink.ts';

export const RTCF_NOTIFY = 0x00010000;
export const RTCF_DOREDIRECT = 0x01000000;
export const RTCF_REDIRECTED = 0x00040000;
export const RTCF_BROADCAST = 0x10000000;
export const RTCF_MULTICAST = 0x20000000;
export const RTCF_LOCAL = 0x80000000;

/** A cached route that must not be used any more. */
export const DST_OBSOLETE_KILL = -2;
const LOOPBACK_IFINDEX = 1;
const INADDR_LOOPBACK = 0x7f000001;
const INADDR_BROADCAST = 0xffffffff;

export class rtable extends dst_entry {
	rt_genid: number;
	/** RTCF_* */
	rt_flags: number;
	/** RTN_* */
	rt_type: number;
	rt_is_input = false;
	/** The packet goes to rt_gw4, which is not its destination. */
	rt_uses_gateway = false;
	/** Output routes: the device asked for; 0: any. */
	rt_iif = 0;
	/** AF_INET when rt_gw4 is set. */
	rt_gw_family = 0;
	rt_gw4 = 0;
	/** The gateway's neighbour entry, as it was found last. */
	rt_neigh: neighbour | null = null;
	rt_mtu_locked = false;
	/** Learned path MTU, good until dst.expires; 0: none. */
	rt_pmtu = 0;
	tclassid = 0;

	constructor(dev: net_device, flags: number, type: number, dst_flags: number) {
		super(dev, ipv4_dst_ops, dst_flags, DST_OBSOLETE_FORCE_CHK);
		this.rt_flags = flags;
		this.rt_type = type;
		this.rt_genid = dev.net.ipv4.rt_genid;
	}
}

/** What lookups of one namespace work in: they do not nest. */
export class route_scratch {
	fl4: flowi4 = new flowi4();
	res: fib_result = new fib_result();
	/** For the source's validation, which happens inside. */
	rpf_fl4: flowi4 = new flowi4();
	rpf_res: fib_result = new fib_result();
	out_res: fib_result = new fib_result();
}

export function ipv4_is_multicast(a: number): boolean {
	return a >>> 28 === 14;
}

export function ipv4_is_local_multicast(a: number): boolean {
	return a >>> 8 === 0xe00000;
}

export function ipv4_is_lbcast(a: number): boolean {
	return a === INADDR_BROADCAST;
}

export function ipv4_is_loopback(a: number): boolean {
	return a >>> 24 === 127;
}

/** "This host": all zeroes. The rest of 0/8 is ordinary since Linux 5.3. */
export function ipv4_is_zeronet(a: number): boolean {
	return a === 0;
}

export function skb_rtable(skb: sk_buff): rtable | null {
	return skb._skb_refdst as rtable | null;
}

export function dst_rtable(dst: dst_entry): rtable {
	return dst as rtable;
}

export function rt_is_input_route(rt: rtable): boolean {
	return rt.rt_is_input;
}

export function rt_is_output_route(rt: rtable): boolean {
	return !rt.rt_is_input;
}

/** Whom the packet is handed to on the link: the gateway, or its destination. */
export function rt_nexthop(rt: rtable, daddr: number): number {
	return rt.rt_gw_family === AF_INET ? rt.rt_gw4 : daddr;
}

/** Routes are garbage-collected: nothing to do. */
export function ip_rt_put(_rt: rtable): void {}

export function rt_is_expired(rt: rtable): boolean {
	return rt.rt_genid !== rt.dev.net.ipv4.rt_genid;
}

function rt_cache_valid(rt: rtable | null): rt is rtable {
	return rt !== null && rt.obsolete === DST_OBSOLETE_FORCE_CHK && rt.rt_genid === rt.dev.net.ipv4.rt_genid;
}

/** Everything that is cached is void from now on. */
export function rt_cache_flush(net: net): void {
	net.ipv4.rt_genid++;
}

/** A device goes: what is cached over it is void. */
export function rt_flush_dev(dev: net_device): void {
	rt_cache_flush(dev.net);
}

// ---- dst_ops ---------------------------------------------------------------------------------------------------------------------

function ipv4_mtu(dst: dst_entry): number {
	return ip_dst_mtu_maybe_forward(dst, false);
}

function ipv4_default_advmss(dst: dst_entry): number {
	const advmss = Math.max(ipv4_mtu(dst) - 40, dst.dev.net.ipv4.sysctl_ip_rt_min_advmss);
	return Math.min(advmss, 65535 - 40);
}

/** The MSS to announce over a route. */
export function dst_metric_advmss(dst: dst_entry): number {
	const advmss = dst._metrics === null ? 0 : dst._metrics[RTAX_ADVMSS];
	return advmss !== 0 ? advmss : dst.ops.default_advmss(dst);
}

function ipv4_dst_check(dst: dst_entry, _cookie: number): dst_entry | null {
	const rt = dst as rtable;
	return rt.obsolete !== DST_OBSOLETE_FORCE_CHK || rt_is_expired(rt) ? null : dst;
}

/** The neighbour that packets to `daddr` over this route go to, made when new. Return: null when there is no room. */
export function ipv4_neigh_lookup(dst: dst_entry, skb: sk_buff | null, daddr: number): neighbour | null {
	const rt = dst as rtable;
	if (rt.rt_gw_family === AF_INET) return ip_neigh_gw4(dst.dev, rt.rt_gw4);
	return ip_neigh_gw4(dst.dev, skb !== null ? ip_hdr_daddr(skb) : daddr);
}

export function ip_neigh_gw4(dev: net_device, daddr: number): neighbour | null {
	const n = __ipv4_neigh_lookup_noref(dev, daddr);
	return n !== null ? n : __neigh_create(arp_tbl(dev.net.machine), daddr, dev, false);
}

/** The neighbour that this packet goes to. Return: null when there is no room. */
export function ip_neigh_for_gw(rt: rtable, skb: sk_buff): neighbour | null {
	if (rt.rt_gw_family !== AF_INET) return ip_neigh_gw4(rt.dev, ip_hdr_daddr(skb));
	const n = rt.rt_neigh;
	if (n !== null && !n.dead && n.dev === rt.dev) return n;
	rt.rt_neigh = ip_neigh_gw4(rt.dev, rt.rt_gw4);
	return rt.rt_neigh;
}

export const ipv4_dst_ops: dst_ops = {
	family: AF_INET,
	mtu: ipv4_mtu,
	default_advmss: ipv4_default_advmss,
	check: ipv4_dst_check,
	update_pmtu: ip_rt_update_pmtu,
	redirect: ip_do_redirect,
	link_failure: ipv4_link_failure,
	neigh_lookup: ipv4_neigh_lookup,
	negative_advice: ipv4_negative_advice,
};

// ---- making routes ---------------------------------------------------------------------------------------------------------------

/** A packet came in by a route that only leads out, or the other way round. */
function ip_rt_bug(_net: net, _sk: sock | null, skb: sk_buff): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_rt_bug');
	return 0;
}

export function rt_dst_alloc(dev: net_device, flags: number, type: number, noxfrm: boolean): rtable {
	const rt = new rtable(dev, flags, type, noxfrm ? DST_NOXFRM : 0);
	rt.output = ip_output;
	if ((flags & RTCF_LOCAL) !== 0) rt.input = ip_local_deliver;
	return rt;
}

/** Keeps `rt` on its hop for the next packet. */
function rt_cache_route(nhc: fib_nh, rt: rtable): void {
	if (rt.rt_is_input) nhc.nhc_rth_input = rt;
	else nhc.nhc_pcpu_rth_output = rt;
}

function rt_set_nexthop(
	rt: rtable,
	daddr: number,
	res: fib_result,
	fnhe: fib_nh_exception | null,
	fi: fib_info | null,
	itag: number,
	do_cache: boolean,
): void {
	if (fi === null) return;
	const nhc = res.nhc!;
	if (nhc.nhc_gw_family !== 0 && nhc.nhc_scope === RT_SCOPE_LINK) {
		rt.rt_uses_gateway = true;
		rt.rt_gw_family = nhc.nhc_gw_family;
		rt.rt_gw4 = nhc.nhc_gw;
	}
	rt._metrics = fi.fib_metrics;
	rt.tclassid = itag !== 0 ? itag : nhc.fib_nh_tclassid;
	let cached = false;
	if (fnhe !== null) cached = rt_bind_exception(rt, fnhe, daddr, do_cache);
	else if (do_cache) {
		rt_cache_route(nhc, rt);
		cached = true;
	}
	if (!cached && rt.rt_gw_family === 0) {
		rt.rt_gw_family = AF_INET;
		rt.rt_gw4 = daddr;
	}
}

// ---- input -----------------------------------------------------------------------------------------------------------------------

/** The addresses cannot be: count, and log if asked. `why`: from fib_validate_source or the checks above it. */
function ip_handle_martian_source(
	dev: net_device,
	in_dev: in_device,
	skb: sk_buff,
	daddr: number,
	saddr: number,
): void {
	rt_cache_stat(dev.net).in_martian_src++;
	if (IN_DEV_LOG_MARTIANS(in_dev) && net_ratelimit(dev.net.machine)) {
		// RFC 1812 recommendation 5.3.8.
		printk(
			dev.net.machine,
			KERN_WARNING,
			`IPv4: martian source ${ip_ntop(daddr)} from ${ip_ntop(saddr)}, on dev ${dev.name}`,
		);
		if (dev.hard_header_len > 0 && skb.mac_header >= 0) {
			let hex = '';
			for (let i = 0; i < dev.hard_header_len; i++) {
				hex += (i > 0 ? ' ' : '') + skb.head[skb.mac_header + i].toString(16).padStart(2, '0');
			}
			printk(dev.net.machine, KERN_WARNING, `ll header: 00000000: ${hex}`);
		}
	}
}

/** What is wrong with a multicast packet's source, or SKB_NOT_DROPPED_YET. */
export function ip_mc_validate_source(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dscp: number,
	dev: net_device,
	in_dev: in_device,
): number {
	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr)) return SKB_DROP_REASON_IP_INVALID_SOURCE;
	if (skb.protocol !== ETH_P_IP) return SKB_DROP_REASON_INVALID_PROTO;
	if (ipv4_is_loopback(saddr) && !IN_DEV_ROUTE_LOCALNET(in_dev)) return SKB_DROP_REASON_IP_LOCALNET;
	if (ipv4_is_zeronet(saddr)) {
		if (!ipv4_is_local_multicast(daddr) && ip_hdr_protocol(skb) !== IPPROTO_IGMP)
			return SKB_DROP_REASON_IP_INVALID_SOURCE;
		return SKB_NOT_DROPPED_YET;
	}
	const err = fib_validate_source(skb, saddr, 0, dscp, 0, dev, in_dev);
	return err < 0 ? -err : SKB_NOT_DROPPED_YET;
}

function ip_route_input_mc(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dscp: number,
	dev: net_device,
	our: boolean,
): number {
	const in_dev = dev.ip_ptr!;
	const reason = ip_mc_validate_source(skb, daddr, saddr, dscp, dev, in_dev);
	if (reason !== SKB_NOT_DROPPED_YET) return reason;
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY)) skb.ipcb.flags |= IPSKB_NOPOLICY;
	const rt = rt_dst_alloc(dev.net.loopback_dev, RTCF_MULTICAST | (our ? RTCF_LOCAL : 0), RTN_MULTICAST, false);
	rt.output = ip_rt_bug;
	rt.rt_is_input = true;
	rt_cache_stat(dev.net).in_slow_mc++;
	if (skb.journey !== null) {
		trace_event(skb, 'route', 'ip_route_input_mc', {
			flow: { saddr: ip_ntop(saddr), daddr: ip_ntop(daddr), iif: dev.name },
			type: 'multicast',
			local: our,
		});
	}
	skb._skb_refdst = rt;
	return SKB_NOT_DROPPED_YET;
}

/**
 * Finds the way of a packet that came in, and puts it into skb's dst. Context: softirq; borrows skb. `dscp`: in its place in the TOS byte.
 * Return: SKB_NOT_DROPPED_YET (then ip_error may be what awaits it), or the drop reason.
 */
export function ip_route_input_noref(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dscp: number,
	dev: net_device,
): number {
	if (daddr >>> 28 !== 14) return ip_route_input_slow(skb, daddr, saddr, dscp, dev, dev.net.ipv4.scratch.res);
	const in_dev = dev.ip_ptr;
	if (in_dev === null) return SKB_DROP_REASON_NOT_SPECIFIED;
	const our = ip_check_mc_rcu(in_dev, daddr, saddr, ip_hdr_protocol(skb));
	if (our || (!ipv4_is_local_multicast(daddr) && IN_DEV_MFORWARD(in_dev))) {
		return ip_route_input_mc(skb, daddr, saddr, dscp, dev, our);
	}
	return SKB_DROP_REASON_NOT_SPECIFIED;
}

/** The same for those who keep the route longer than the packet. */
export function ip_route_input(skb: sk_buff, daddr: number, saddr: number, dscp: number, dev: net_device): number {
	return ip_route_input_noref(skb, daddr, saddr, dscp, dev);
}

/** What ip_route_input_slow says of a bad destination. */
function martian_destination(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dev: net_device,
	in_dev: in_device,
	reason: number,
): number {
	rt_cache_stat(dev.net).in_martian_dst++;
	if (IN_DEV_LOG_MARTIANS(in_dev) && net_ratelimit(dev.net.machine)) {
		printk(
			dev.net.machine,
			KERN_WARNING,
			`IPv4: martian destination ${ip_ntop(daddr)} from ${ip_ntop(saddr)}, dev ${dev.name}`,
		);
	}
	if (skb.journey !== null) trace_martian(skb, 'destination', daddr, saddr, dev, in_dev, reason);
	return reason;
}

function martian_source(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dev: net_device,
	in_dev: in_device,
	reason: number,
): number {
	ip_handle_martian_source(dev, in_dev, skb, daddr, saddr);
	if (skb.journey !== null) trace_martian(skb, 'source', daddr, saddr, dev, in_dev, reason);
	return reason;
}

function trace_martian(
	skb: sk_buff,
	martian: string,
	daddr: number,
	saddr: number,
	dev: net_device,
	in_dev: in_device,
	reason: number,
): void {
	const d: Record<string, unknown> = { martian, saddr: ip_ntop(saddr), daddr: ip_ntop(daddr), dev: dev.name };
	if (reason === SKB_DROP_REASON_IP_LOCALNET) {
		d.sysctl = `net.ipv4.conf.${dev.name}.route_localnet`;
		d.value = IN_DEV_ROUTE_LOCALNET(in_dev) ? 1 : 0;
	}
	trace_event(skb, 'note', 'ip_route_input_slow', d);
}

export function ip_route_input_slow(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dscp: number,
	dev: net_device,
	res: fib_result,
): number {
	const in_dev = dev.ip_ptr;
	if (in_dev === null) return SKB_DROP_REASON_NOT_SPECIFIED;
	const net = dev.net;
	// RFC 1812 5.3.7: what a source or a destination cannot be.
	if (saddr >>> 28 === 14 || saddr === INADDR_BROADCAST) {
		return martian_source(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_INVALID_SOURCE);
	}
	res.fi = null;
	res.table = null;
	if (daddr === INADDR_BROADCAST || (saddr === 0 && daddr === 0)) {
		return ip_route_input_broadcast(skb, daddr, saddr, dscp, dev, in_dev, res, true);
	}
	if (saddr === 0) return martian_source(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_INVALID_SOURCE);
	if (daddr === 0) return martian_destination(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_INVALID_DEST);
	if (daddr >>> 24 === 127) {
		if (!IN_DEV_NET_ROUTE_LOCALNET(in_dev, net)) {
			return martian_destination(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_LOCALNET);
		}
	} else if (saddr >>> 24 === 127 && !IN_DEV_NET_ROUTE_LOCALNET(in_dev, net)) {
		return martian_source(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_LOCALNET);
	}

	const fl4 = net.ipv4.scratch.fl4;
	fl4.flowi4_oif = 0;
	fl4.flowi4_iif = dev.ifindex;
	fl4.flowi4_mark = skb.mark;
	fl4.flowi4_dscp = dscp;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.flowi4_flags = 0;
	fl4.flowi4_uid = 0;
	fl4.flowi4_tun_key = 0;
	fl4.flowi4_multipath_hash = 0;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.flowi4_proto = 0;
	fl4.fl4_sport = 0;
	fl4.fl4_dport = 0;
	if (net.ipv4.fib_rules_require_fldissect !== 0) fib4_rules_early_flow_dissect(net, skb, fl4);

	let err = fib_lookup(net, fl4, res, 0);
	if (err !== 0) {
		if (!IN_DEV_FORWARD(in_dev)) err = -EHOSTUNREACH;
		return ip_route_input_none(skb, dev, in_dev, fl4, res, err);
	}
	if (res.type === RTN_BROADCAST) {
		if (!IN_DEV_BFORWARD(in_dev)) {
			const do_cache = IPV4_DEVCONF_ALL(net, IPV4_DEVCONF_BC_FORWARDING) === 0;
			return ip_route_input_broadcast(skb, daddr, saddr, dscp, dev, in_dev, res, do_cache);
		}
	} else if (res.type === RTN_LOCAL) {
		const why = fib_validate_source(skb, saddr, daddr, dscp, 0, dev, in_dev);
		if (why < 0) return martian_source(skb, daddr, saddr, dev, in_dev, -why);
		return ip_route_input_local(skb, dev, in_dev, fl4, res, 0, true);
	} else {
		if (!IN_DEV_FORWARD(in_dev)) return ip_route_input_none(skb, dev, in_dev, fl4, res, -EHOSTUNREACH);
		if (res.type !== RTN_UNICAST) {
			return martian_destination(skb, daddr, saddr, dev, in_dev, SKB_DROP_REASON_IP_INVALID_DEST);
		}
	}
	return ip_mkroute_input(skb, res, in_dev, daddr, saddr, dscp, fl4);
}

/** Local broadcast: for us, whatever else it may be. */
function ip_route_input_broadcast(
	skb: sk_buff,
	daddr: number,
	saddr: number,
	dscp: number,
	dev: net_device,
	in_dev: in_device,
	res: fib_result,
	do_cache: boolean,
): number {
	if (skb.protocol !== ETH_P_IP) return SKB_DROP_REASON_INVALID_PROTO;
	if (saddr !== 0) {
		const why = fib_validate_source(skb, saddr, 0, dscp, 0, dev, in_dev);
		if (why < 0) return martian_source(skb, daddr, saddr, dev, in_dev, -why);
	}
	res.type = RTN_BROADCAST;
	rt_cache_stat(dev.net).in_brd++;
	const fl4 = dev.net.ipv4.scratch.fl4;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.flowi4_iif = dev.ifindex;
	fl4.flowi4_mark = skb.mark;
	fl4.flowi4_dscp = dscp;
	return ip_route_input_local(skb, dev, in_dev, fl4, res, RTCF_BROADCAST, do_cache);
}

/** To us. The route is kept on the hop that led here, if a table did. */
function ip_route_input_local(
	skb: sk_buff,
	dev: net_device,
	in_dev: in_device,
	fl4: flowi4,
	res: fib_result,
	flags: number,
	do_cache: boolean,
): number {
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY)) skb.ipcb.flags |= IPSKB_NOPOLICY;
	if (skb.journey !== null) trace_route(skb, 'ip_route_input_slow', fl4, res, 0);
	const nhc = do_cache && res.fi !== null ? res.nhc : null;
	if (nhc !== null) {
		const cached = nhc.nhc_rth_input;
		if (rt_cache_valid(cached)) {
			skb._skb_refdst = cached;
			return SKB_NOT_DROPPED_YET;
		}
	}
	const rt = rt_dst_alloc(dev.net.loopback_dev, flags | RTCF_LOCAL, res.type, false);
	rt.output = ip_rt_bug;
	rt.rt_is_input = true;
	rt_cache_stat(dev.net).in_slow_tot++;
	if (nhc !== null) rt_cache_route(nhc, rt);
	skb._skb_refdst = rt;
	return SKB_NOT_DROPPED_YET;
}

/** No way: the packet goes to ip_error, which counts and answers. */
function ip_route_input_none(
	skb: sk_buff,
	dev: net_device,
	in_dev: in_device,
	fl4: flowi4,
	res: fib_result,
	err: number,
): number {
	rt_cache_stat(dev.net).in_no_route++;
	if (skb.journey !== null) {
		trace_route(skb, 'ip_route_input_slow', fl4, res, err);
		if (!IN_DEV_FORWARD(in_dev)) {
			trace_event(skb, 'note', 'ip_route_input_slow', {
				why: 'not for us, and this device does not forward',
				sysctl: `net.ipv4.conf.${dev.name}.forwarding`,
				value: 0,
			});
		}
	}
	res.type = RTN_UNREACHABLE;
	res.fi = null;
	res.table = null;
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY)) skb.ipcb.flags |= IPSKB_NOPOLICY;
	const rt = rt_dst_alloc(dev.net.loopback_dev, 0, RTN_UNREACHABLE, false);
	rt.output = ip_rt_bug;
	rt.rt_is_input = true;
	rt.input = ip_error;
	rt.error = err;
	rt_cache_stat(dev.net).in_slow_tot++;
	skb._skb_refdst = rt;
	return SKB_NOT_DROPPED_YET;
}

/** To be forwarded: chooses the hop, validates the source, and takes or makes the hop's route. */
function ip_mkroute_input(
	skb: sk_buff,
	res: fib_result,
	in_dev: in_device,
	daddr: number,
	saddr: number,
	dscp: number,
	fl4: flowi4,
): number {
	if (res.fi !== null && res.fi.fib_nhs > 1) {
		fib_select_multipath(res, fib_multipath_hash(in_dev.dev.net, null, skb), null);
	}
	const nhc = res.nhc!;
	const out_dev = nhc.nhc_dev!.ip_ptr;
	if (out_dev === null) return SKB_DROP_REASON_NOT_SPECIFIED;
	const err = fib_validate_source(skb, saddr, daddr, dscp, nhc.nhc_oif, in_dev.dev, in_dev);
	if (err < 0) return martian_source(skb, daddr, saddr, in_dev.dev, in_dev, -err);

	// RFC 1812 5.2.7.2: it goes back where it came from, and its sender could have reached the next hop itself.
	if (out_dev === in_dev && err !== 0 && IN_DEV_TX_REDIRECTS(out_dev)) {
		const gw = nhc.nhc_gw_family === AF_INET ? nhc.nhc_gw : 0;
		if (IN_DEV_SHARED_MEDIA(out_dev) || inet_addr_onlink(out_dev, saddr, gw)) skb.ipcb.flags |= IPSKB_DOREDIRECT;
	}
	if (skb.protocol !== ETH_P_IP && out_dev === in_dev && !IN_DEV_PROXY_ARP_PVLAN(in_dev)) {
		// ARP asks on behalf of proxy_arp: never answered for the device's own side.
		return SKB_DROP_REASON_ARP_PVLAN_DISABLE;
	}
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY)) skb.ipcb.flags |= IPSKB_NOPOLICY;
	if (skb.journey !== null) trace_route(skb, 'ip_route_input_slow', fl4, res, 0);

	const fnhe = nhc.nhc_exceptions !== null ? find_exception(nhc, daddr) : null;
	const cached = fnhe !== null ? fnhe.fnhe_rth_input : nhc.nhc_rth_input;
	if (rt_cache_valid(cached)) {
		skb._skb_refdst = cached;
		return SKB_NOT_DROPPED_YET;
	}
	const rt = rt_dst_alloc(out_dev.dev, 0, res.type, IN_DEV_ORCONF(out_dev, IPV4_DEVCONF_NOXFRM));
	rt.rt_is_input = true;
	rt_cache_stat(out_dev.dev.net).in_slow_tot++;
	rt.input = ip_forward;
	rt_set_nexthop(rt, daddr, res, fnhe, res.fi, 0, true);
	skb._skb_refdst = rt;
	return SKB_NOT_DROPPED_YET;
}

// ---- output ----------------------------------------------------------------------------------------------------------------------

function __mkroute_output(
	net: net,
	res: fib_result,
	fl4: flowi4,
	orig_oif: number,
	dev_out: net_device,
	flags: number,
): rtable | number {
	const in_dev = dev_out.ip_ptr;
	if (in_dev === null) return -EINVAL;
	let fi = res.fi;
	let type = res.type;
	if (ipv4_is_loopback(fl4.saddr) && (dev_out.flags & IFF_LOOPBACK) === 0 && !IN_DEV_ROUTE_LOCALNET(in_dev))
		return -EINVAL;
	if (fl4.daddr === INADDR_BROADCAST) type = RTN_BROADCAST;
	else if (ipv4_is_multicast(fl4.daddr)) type = RTN_MULTICAST;
	else if (fl4.daddr === 0) return -EINVAL;
	if ((dev_out.flags & IFF_LOOPBACK) !== 0) flags |= RTCF_LOCAL;

	let do_cache = true;
	if (type === RTN_BROADCAST) {
		flags |= RTCF_BROADCAST | RTCF_LOCAL;
		fi = null;
	} else if (type === RTN_MULTICAST) {
		flags |= RTCF_MULTICAST | RTCF_LOCAL;
		if (!ip_check_mc_rcu(in_dev, fl4.daddr, fl4.saddr, fl4.flowi4_proto)) flags &= ~RTCF_LOCAL;
		else do_cache = false;
		// A default route is no multicast route: never by its gateway.
		if (fi !== null && res.prefixlen < 4) fi = null;
	} else if (type === RTN_LOCAL && orig_oif !== 0 && orig_oif !== dev_out.ifindex) {
		do_cache = false;
	}

	let fnhe: fib_nh_exception | null = null;
	if (fi === null) do_cache = false;
	else {
		const nhc = res.nhc!;
		if (nhc.nhc_exceptions !== null) fnhe = find_exception(nhc, fl4.daddr);
		if (do_cache) {
			if (
				fnhe === null &&
				(fl4.flowi4_flags & FLOWI_FLAG_KNOWN_NH) !== 0 &&
				!(nhc.nhc_gw_family !== 0 && nhc.nhc_scope === RT_SCOPE_LINK)
			) {
				do_cache = false;
			} else {
				const cached = fnhe !== null ? fnhe.fnhe_rth_output : nhc.nhc_pcpu_rth_output;
				if (rt_cache_valid(cached)) return cached;
			}
		}
	}
	const rt = rt_dst_alloc(dev_out, flags, type, IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOXFRM));
	rt.rt_iif = orig_oif;
	rt_cache_stat(net).out_slow_tot++;
	if ((flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
		if ((flags & RTCF_LOCAL) !== 0 && (dev_out.flags & IFF_LOOPBACK) === 0) {
			rt.output = ip_mc_output;
			rt_cache_stat(net).out_slow_mc++;
		}
	}
	rt_set_nexthop(rt, fl4.daddr, res, fnhe, fi, 0, do_cache);
	if (IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_NOPOLICY)) rt.flags |= DST_NOPOLICY;
	return rt;
}

/**
 * The route for a flow that begins here; fills in fl4's source address, destination and device. `skb`: the packet, or null.
 * Return: the route, or -errno.
 */
export function ip_route_output_key_hash(net: net, fl4: flowi4, skb: sk_buff | null): rtable | number {
	const res = net.ipv4.scratch.out_res;
	res.type = 0;
	res.fi = null;
	res.table = null;
	fl4.flowi4_iif = LOOPBACK_IFINDEX;
	const rt = ip_route_output_key_hash_rcu(net, fl4, res, skb);
	const tracer = net.machine.tracer;
	if (tracer !== null) {
		// `skb` is the packet that the new one will be about: what is found is told of the new one, which does not exist yet.
		if (typeof rt !== 'number') trace_keep_output_route(tracer, net, fl4, res, rt);
		else if (skb !== null && skb.journey !== null) trace_route(skb, 'ip_route_output_key_hash', fl4, res, rt);
	}
	return rt;
}

export function ip_route_output_key_hash_rcu(
	net: net,
	fl4: flowi4,
	res: fib_result,
	skb: sk_buff | null,
): rtable | number {
	let dev_out: net_device | null = null;
	let orig_oif = fl4.flowi4_oif;
	let flags = 0;

	if (fl4.saddr !== 0) {
		if (ipv4_is_multicast(fl4.saddr) || ipv4_is_lbcast(fl4.saddr)) return -EINVAL;
		if (fl4.flowi4_oif === 0 && (ipv4_is_multicast(fl4.daddr) || ipv4_is_lbcast(fl4.daddr))) {
			// The source says which device multicast and broadcast leave by.
			dev_out = __ip_dev_find(net, fl4.saddr);
			if (dev_out === null) return -ENETUNREACH;
			fl4.flowi4_oif = dev_out.ifindex;
			return __mkroute_output(net, res, fl4, orig_oif, dev_out, flags);
		}
		if ((fl4.flowi4_flags & FLOWI_FLAG_ANYSRC) === 0 && __ip_dev_find(net, fl4.saddr) === null) return -ENETUNREACH;
	}

	if (fl4.flowi4_oif !== 0) {
		dev_out = net.dev_index_head.get(fl4.flowi4_oif) ?? null;
		if (dev_out === null) return -ENODEV;
		if ((dev_out.flags & IFF_UP) === 0 || dev_out.ip_ptr === null) return -ENETUNREACH;
		if (ipv4_is_local_multicast(fl4.daddr) || ipv4_is_lbcast(fl4.daddr) || fl4.flowi4_proto === IPPROTO_IGMP) {
			if (fl4.saddr === 0) fl4.saddr = inet_select_addr(dev_out, 0, RT_SCOPE_LINK);
			return __mkroute_output(net, res, fl4, orig_oif, dev_out, flags);
		}
		if (fl4.saddr === 0) {
			if (ipv4_is_multicast(fl4.daddr)) fl4.saddr = inet_select_addr(dev_out, 0, fl4.flowi4_scope);
			else if (fl4.daddr === 0) fl4.saddr = inet_select_addr(dev_out, 0, RT_SCOPE_HOST);
		}
	}

	if (fl4.daddr === 0) {
		// "This host": ourselves.
		fl4.daddr = fl4.saddr;
		if (fl4.daddr === 0) fl4.daddr = fl4.saddr = INADDR_LOOPBACK;
		dev_out = net.loopback_dev;
		fl4.flowi4_oif = LOOPBACK_IFINDEX;
		res.type = RTN_LOCAL;
		return __mkroute_output(net, res, fl4, orig_oif, dev_out, flags | RTCF_LOCAL);
	}

	const err = fib_lookup(net, fl4, res, 0);
	if (err !== 0) {
		res.fi = null;
		res.table = null;
		if (fl4.flowi4_oif === 0) return err;
		// The user says which device: the destination is assumed to be on its link.
		if (fl4.saddr === 0) fl4.saddr = inet_select_addr(dev_out!, 0, RT_SCOPE_LINK);
		res.type = RTN_UNICAST;
		return __mkroute_output(net, res, fl4, orig_oif, dev_out!, flags);
	}

	if (res.type === RTN_LOCAL) {
		if (fl4.saddr === 0) fl4.saddr = res.fi!.fib_prefsrc !== 0 ? res.fi!.fib_prefsrc : fl4.daddr;
		dev_out = net.loopback_dev;
		orig_oif = res.nhc!.nhc_oif;
		fl4.flowi4_oif = dev_out.ifindex;
		flags |= RTCF_LOCAL;
		return __mkroute_output(net, res, fl4, orig_oif, dev_out, flags);
	}

	fib_select_path(net, res, fl4, skb);
	dev_out = res.nhc!.nhc_dev!;
	return __mkroute_output(net, res, fl4, orig_oif, dev_out, flags);
}

export function __ip_route_output_key(net: net, fl4: flowi4): rtable | number {
	return ip_route_output_key_hash(net, fl4, null);
}

export function ip_route_output_key(net: net, fl4: flowi4): rtable | number {
	return ip_route_output_flow(net, fl4, null);
}

/** The route for a socket's flow. Return: it, or -errno. */
export function ip_route_output_flow(net: net, fl4: flowi4, _sk: sock | null): rtable | number {
	const rt = ip_route_output_key_hash(net, fl4, null);
	if (typeof rt !== 'number' && fl4.flowi4_proto !== 0) fl4.flowi4_oif = rt.dev.ifindex;
	return rt;
}

/** A route between two addresses: for those who have no more to say. */
export function ip_route_output(
	net: net,
	daddr: number,
	saddr: number,
	dscp: number,
	oif: number,
	scope: number,
): rtable | number {
	const fl4 = new flowi4();
	fl4.flowi4_oif = oif;
	fl4.flowi4_dscp = dscp;
	fl4.flowi4_scope = scope;
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	return ip_route_output_key(net, fl4);
}

/** The address of ours that stands for us on the packet's way out: for record route and timestamps (RFC 791 3.1). */
export function ip_rt_get_source(skb: sk_buff, rt: rtable): number {
	const h = skb.network_header;
	const b = skb.head;
	if (!rt.rt_is_input) return ((b[h + 12] << 24) | (b[h + 13] << 16) | (b[h + 14] << 8) | b[h + 15]) >>> 0;
	const net = rt.dev.net;
	const fl4 = new flowi4();
	const res = new fib_result();
	fl4.daddr = ip_hdr_daddr(skb);
	fl4.saddr = ((b[h + 12] << 24) | (b[h + 13] << 16) | (b[h + 14] << 8) | b[h + 15]) >>> 0;
	fl4.flowi4_dscp = b[h + 1] & 0xfc;
	fl4.flowi4_oif = rt.dev.ifindex;
	fl4.flowi4_iif = skb.dev !== null ? skb.dev.ifindex : 0;
	fl4.flowi4_mark = skb.mark;
	if (fib_lookup(net, fl4, res, 0) === 0) return fib_result_prefsrc(net, res);
	return inet_select_addr(rt.dev, rt_nexthop(rt, fl4.daddr), RT_SCOPE_UNIVERSE);
}

// ---- namespaces ------------------------------------------------------------------------------------------------------------------

function ip_rt_net_init(net: net): number {
	net.ipv4.scratch = new route_scratch();
	net.ipv4.peers = new inet_peer_base(net);
	return route_sysctl_init_net(net);
}

function ip_rt_net_exit(_net: net): void {}

/** Needs netns_ipv4_init. Call before ip_fib_init and devinet_init. */
export function ip_rt_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ip_rt', init: ip_rt_net_init, exit: ip_rt_net_exit });
}
