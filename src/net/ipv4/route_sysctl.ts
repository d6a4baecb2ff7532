/*
 * net/ipv4/route_sysctl.ts: net.ipv4.route.*, /proc/net/stat/rt_cache.   Linux: net/ipv4/route.c
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import {
	ctl_int,
	type ctl_table,
	INT_MAX,
	INT_MIN,
	proc_dointvec_minmax,
	register_sysctl_dir,
} from '../../kernel/sysctl.ts';
import { HZ } from '../../kernel/time.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import type { net } from '../core/net_namespace.ts';
import { rt_cache_flush } from './route.ts';

/** Counters of lookups that made a new route, as /proc/net/stat/rt_cache shows them. */
export class rt_cache_stats {
	in_slow_tot = 0;
	in_slow_mc = 0;
	in_no_route = 0;
	in_brd = 0;
	in_martian_dst = 0;
	in_martian_src = 0;
	out_slow_tot = 0;
	out_slow_mc = 0;
}

export function rt_cache_stat(net: net): rt_cache_stats {
	return net.ipv4.rt_cache_stat;
}

function hex(n: number): string {
	return (n >>> 0).toString(16).padStart(8, '0');
}

/** The hit counters are 0 since the route cache went (Linux 3.6). */
function rt_cpu_seq_show(net: net): string {
	const s = rt_cache_stat(net);
	return (
		'entries  in_hit   in_slow_tot in_slow_mc in_no_route in_brd   in_martian_dst in_martian_src out_hit  out_slow_tot out_slow_mc gc_total gc_ignored gc_goal_miss gc_dst_overflow in_hlist_search out_hlist_search\n' +
		[0, 0].map(hex).join(' ') +
		` ${hex(s.in_slow_tot)}    ${hex(s.in_slow_mc)}   ${hex(s.in_no_route)}    ${hex(s.in_brd)} ${hex(s.in_martian_dst)}       ${hex(s.in_martian_src)}       ` +
		`${hex(0)} ${hex(s.out_slow_tot)}     ${hex(s.out_slow_mc)}    ${hex(0)} ${hex(0)}   ${hex(0)}     ${hex(0)}        ${hex(0)}        ${hex(0)}\n`
	);
}

/** A value kept in jiffies and shown in seconds. */
export function ctl_jiffies(procname: string, data: object, field: string): ctl_table {
	const t = ctl_int(procname, data, field);
	t.read = read_jiffies;
	t.write = write_jiffies;
	return t;
}

function read_jiffies(t: ctl_table): string {
	return String(Math.trunc((t.data![t.field] as number) / HZ));
}

function write_jiffies(t: ctl_table, net: net, text: string): number {
	const v = parse_one(net, text);
	if (v === null) return -EINVAL;
	if (v > INT_MAX / HZ) return -EINVAL;
	t.data![t.field] = v * HZ;
	return 0;
}

/** A value kept in jiffies and shown in milliseconds. */
export function ctl_ms_jiffies(procname: string, data: object, field: string): ctl_table {
	const t = ctl_int(procname, data, field);
	t.read = read_ms_jiffies;
	t.write = write_ms_jiffies;
	return t;
}

function read_ms_jiffies(t: ctl_table): string {
	return String(Math.trunc(((t.data![t.field] as number) * 1000) / HZ));
}

function write_ms_jiffies(t: ctl_table, net: net, text: string): number {
	const v = parse_one(net, text);
	if (v === null || v < 0) return -EINVAL;
	t.data![t.field] = Math.ceil((v * HZ) / 1000);
	return 0;
}

/** One whole number as the kernel reads it, or null. */
export function parse_one(net: net, text: string): number | null {
	const box = { v: 0 };
	const err = proc_dointvec_minmax(ctl_int('', box, 'v', INT_MIN, INT_MAX), net, text);
	return err < 0 ? null : box.v;
}

function read_nothing(): string {
	return '';
}

/** net.ipv4.route.flush: any number voids all that is cached and learned. */
function ipv4_sysctl_rtcache_flush(_t: ctl_table, net: net, text: string): number {
	if (parse_one(net, text) === null) return -EINVAL;
	rt_cache_flush(net);
	net.ipv4.fnhe_genid++;
	return 0;
}

/** The files of net/ipv4/route, and what of net/ipv4 is its neighbour. */
function ipv4_route_table(net: net): ctl_table[] {
	const v4 = net.ipv4;
	const flush = ctl_int('net/ipv4/route/flush', {}, 'flush');
	flush.mode = 0o200;
	flush.read = read_nothing;
	flush.write = ipv4_sysctl_rtcache_flush;
	const tables = [
		flush,
		ctl_int('net/ipv4/route/min_pmtu', v4, 'sysctl_ip_rt_min_pmtu', 68, 65535),
		ctl_jiffies('net/ipv4/route/mtu_expires', v4, 'sysctl_ip_rt_mtu_expires'),
		ctl_int('net/ipv4/route/min_adv_mss', v4, 'sysctl_ip_rt_min_advmss'),
	];
	if (net === net.machine.init_net) {
		const g = v4.rt_global;
		tables.push(
			ctl_int('net/ipv4/route/gc_thresh', g, 'ip_rt_gc_thresh'),
			ctl_int('net/ipv4/route/max_size', g, 'ip_rt_max_size'),
			ctl_jiffies('net/ipv4/route/gc_min_interval', g, 'ip_rt_gc_min_interval'),
			ctl_ms_jiffies('net/ipv4/route/gc_min_interval_ms', g, 'ip_rt_gc_min_interval'),
			ctl_jiffies('net/ipv4/route/gc_timeout', g, 'ip_rt_gc_timeout'),
			ctl_jiffies('net/ipv4/route/gc_interval', g, 'ip_rt_gc_interval'),
			ctl_int('net/ipv4/route/redirect_load', g, 'ip_rt_redirect_load'),
			ctl_int('net/ipv4/route/redirect_number', g, 'ip_rt_redirect_number'),
			ctl_int('net/ipv4/route/redirect_silence', g, 'ip_rt_redirect_silence'),
			ctl_int('net/ipv4/route/error_cost', g, 'ip_rt_error_cost'),
			ctl_int('net/ipv4/route/error_burst', g, 'ip_rt_error_burst'),
			ctl_int('net/ipv4/route/gc_elasticity', g, 'ip_rt_gc_elasticity'),
			ctl_int('net/ipv4/inet_peer_threshold', g, 'inet_peer_threshold'),
			ctl_jiffies('net/ipv4/inet_peer_minttl', g, 'inet_peer_minttl'),
			ctl_jiffies('net/ipv4/inet_peer_maxttl', g, 'inet_peer_maxttl'),
			ctl_int('net/ipv4/fib_sync_mem', g, 'fib_sync_mem', 65536, 64 * 1024 * 1024),
		);
	}
	return tables;
}

/** The cache of routes is gone; its heading stayed. */
function rt_cache_seq_show(): string {
	const head =
		'Iface\tDestination\tGateway \tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst';
	return `${head.padEnd(127)}\n`;
}

export function route_sysctl_init_net(net: net): number {
	net.ipv4.rt_cache_stat = new rt_cache_stats();
	register_sysctl_dir(net.sysctls, 'net/ipv4', ipv4_route_table, net);
	proc_create_net(net, 'rt_cache', rt_cache_seq_show);
	proc_create_net(net, 'stat/rt_cache', rt_cpu_seq_show);
	return 0;
}
