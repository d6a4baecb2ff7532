/*
 * net/ipv4/route_trace.ts: tells a journey how a route was found.  Linux: trace/events/fib.h
 * Called for traced packets only: strings may be made here.
 */
import { trace_event, type trace_kind, type tracer } from '../../kernel/trace.ts';
import type { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { fib_result } from './fib_lookup.ts';
import { ip_hdr_daddr, ip_ntop } from './ip.ts';
import type { rtable } from './route.ts';

const RTN_NAMES = [
	'unspec',
	'unicast',
	'local',
	'broadcast',
	'anycast',
	'multicast',
	'blackhole',
	'unreachable',
	'prohibit',
	'throw',
	'nat',
	'xresolve',
];

const TABLE_NAMES: Record<number, string> = { 253: 'default', 254: 'main', 255: 'local' };

export function rtn_type_name(type: number): string {
	return RTN_NAMES[type] ?? String(type);
}

export function rt_table_name(id: number): string {
	return TABLE_NAMES[id] ?? String(id);
}

/** A lookup's flow, as plain data. */
export function flow_detail(skb: sk_buff | null, fl4: flowi4): Record<string, unknown> {
	const d: Record<string, unknown> = { saddr: ip_ntop(fl4.saddr), daddr: ip_ntop(fl4.daddr) };
	const net = skb !== null && skb.dev !== null ? skb.dev.net : null;
	if (fl4.flowi4_iif > 1) d.iif = net?.dev_index_head.get(fl4.flowi4_iif)?.name ?? fl4.flowi4_iif;
	if (fl4.flowi4_oif !== 0) d.oif = net?.dev_index_head.get(fl4.flowi4_oif)?.name ?? fl4.flowi4_oif;
	if (fl4.flowi4_mark !== 0) d.mark = fl4.flowi4_mark;
	if (fl4.flowi4_dscp !== 0) d.tos = fl4.flowi4_dscp;
	if (fl4.flowi4_proto !== 0) d.proto = fl4.flowi4_proto;
	if (fl4.fl4_sport !== 0) d.sport = fl4.fl4_sport;
	if (fl4.fl4_dport !== 0) d.dport = fl4.fl4_dport;
	return d;
}

/** What a lookup found, as plain data: the rule and table, the prefix, the hop. `err`: 0 or -errno. */
export function route_detail(res: fib_result, err: number): Record<string, unknown> {
	const d: Record<string, unknown> = {};
	if (err !== 0) d.errno = err;
	if (res.r_pref >= 0) d.rule = res.r_pref;
	const fi = res.fi;
	if (fi === null) {
		if (err === 0) d.type = rtn_type_name(res.type);
		return d;
	}
	d.table = rt_table_name(fi.fib_tb_id);
	d.prefix = res.prefixlen === 0 ? 'default' : `${ip_ntop(res.prefix)}/${res.prefixlen}`;
	d.type = rtn_type_name(res.type);
	d.scope = res.scope;
	d.proto = fi.fib_protocol;
	if (fi.fib_priority !== 0) d.metric = fi.fib_priority;
	if (fi.fib_prefsrc !== 0) d.src = ip_ntop(fi.fib_prefsrc);
	const nhc = res.nhc;
	if (nhc !== null) {
		if (nhc.nhc_gw_family !== 0) d.nexthop = ip_ntop(nhc.nhc_gw);
		if (nhc.nhc_dev !== null) d.dev = nhc.nhc_dev.name;
		if (fi.fib_nhs > 1) {
			d.multipath = fi.fib_nhs;
			d.nh_sel = res.nh_sel;
		}
	}
	return d;
}

/** Records a route lookup for this packet. */
export function trace_route(
	skb: sk_buff,
	fn: string,
	fl4: flowi4,
	res: fib_result,
	err: number,
	kind: trace_kind = 'route',
): void {
	trace_event(skb, kind, fn, { flow: flow_detail(skb, fl4), ...route_detail(res, err) });
}

/** Keeps an output route lookup for the packet that will be made and take this route. */
export function trace_keep_output_route(tracer: tracer, net: net, fl4: flowi4, res: fib_result, rt: rtable): void {
	const flow = flow_detail(null, fl4);
	if (fl4.flowi4_oif !== 0) flow.oif = net.dev_index_head.get(fl4.flowi4_oif)?.name ?? fl4.flowi4_oif;
	const detail: Record<string, unknown> = { flow, output: true, ...route_detail(res, 0), dev: rt.dev.name };
	if (fl4.saddr !== 0) detail.src = ip_ntop(fl4.saddr);
	tracer.output_route = { rt, daddr: fl4.daddr, fn: 'ip_route_output_key_hash', detail };
}

/** Tells a packet that was made here by which route it leaves: of the lookup that was just done, or the one that its socket kept. */
export function trace_output_route(skb: sk_buff, fn: string): void {
	const rt = skb._skb_refdst as rtable | null;
	if (rt === null) return;
	const kept = skb.machine.tracer?.output_route ?? null;
	const daddr = ip_hdr_daddr(skb);
	if (kept !== null && kept.rt === rt && kept.daddr === daddr) {
		trace_event(skb, 'route', kept.fn, kept.detail);
		return;
	}
	const detail: Record<string, unknown> = { flow: { daddr: ip_ntop(daddr) }, output: true, kept: true };
	if (rt.rt_gw4 !== 0) detail.nexthop = ip_ntop(rt.rt_gw4);
	detail.dev = rt.dev.name;
	trace_event(skb, 'route', fn, detail);
}
