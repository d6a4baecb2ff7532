/*
 * net/core/neigh_sysctl.ts: net.ipv4.neigh.DEV.*, and /proc/net/stat/arp_cache.     Linux: net/core/neighbour.c (neigh_sysctl_*)
 * A device's settings are copies of the default's; writing the default changes those devices that were not set themselves.
 */

import { type ctl_table, INT_MAX, INT_MIN, register_sysctl_dir, unregister_sysctl } from '../../kernel/sysctl.ts';
import { HZ, msecs_to_jiffies } from '../../kernel/time.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	NEIGH_VAR_ANYCAST_DELAY,
	NEIGH_VAR_APP_PROBES,
	NEIGH_VAR_BASE_REACHABLE_TIME,
	NEIGH_VAR_DELAY_PROBE_TIME,
	NEIGH_VAR_GC_STALETIME,
	NEIGH_VAR_INTERVAL_PROBE_TIME_MS,
	NEIGH_VAR_LOCKTIME,
	NEIGH_VAR_MCAST_PROBES,
	NEIGH_VAR_MCAST_REPROBES,
	NEIGH_VAR_PROXY_DELAY,
	NEIGH_VAR_PROXY_QLEN,
	NEIGH_VAR_QUEUE_LEN_BYTES,
	NEIGH_VAR_RETRANS_TIME,
	NEIGH_VAR_UCAST_PROBES,
	type neigh_parms,
	neigh_rand_reach_time,
	type neigh_table,
} from './neighbour.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';

/** How a value is written in its file. */
const INT = 0;
/** Seconds. */
const JIFFIES = 1;
/** Hundredths of a second. */
const USERHZ = 2;
const MS = 3;
/** Packets of full Ethernet size that the bytes hold. */
const QUEUE_LEN = 4;

const USER_HZ = 100;
/** What a full Ethernet frame is charged: SKB_TRUESIZE(ETH_FRAME_LEN). */
const FRAME_TRUESIZE = 2090;

interface neigh_var {
	name: string;
	attr: number;
	kind: number;
	min: number;
}

const VARS: readonly neigh_var[] = [
	{ name: 'mcast_solicit', attr: NEIGH_VAR_MCAST_PROBES, kind: INT, min: 0 },
	{ name: 'ucast_solicit', attr: NEIGH_VAR_UCAST_PROBES, kind: INT, min: 0 },
	{ name: 'app_solicit', attr: NEIGH_VAR_APP_PROBES, kind: INT, min: 0 },
	{ name: 'mcast_resolicit', attr: NEIGH_VAR_MCAST_REPROBES, kind: INT, min: 0 },
	{ name: 'retrans_time', attr: NEIGH_VAR_RETRANS_TIME, kind: USERHZ, min: INT_MIN },
	{ name: 'base_reachable_time', attr: NEIGH_VAR_BASE_REACHABLE_TIME, kind: JIFFIES, min: INT_MIN },
	{ name: 'delay_first_probe_time', attr: NEIGH_VAR_DELAY_PROBE_TIME, kind: JIFFIES, min: INT_MIN },
	{ name: 'interval_probe_time_ms', attr: NEIGH_VAR_INTERVAL_PROBE_TIME_MS, kind: MS, min: 1 },
	{ name: 'gc_stale_time', attr: NEIGH_VAR_GC_STALETIME, kind: JIFFIES, min: INT_MIN },
	{ name: 'unres_qlen', attr: NEIGH_VAR_QUEUE_LEN_BYTES, kind: QUEUE_LEN, min: 0 },
	{ name: 'unres_qlen_bytes', attr: NEIGH_VAR_QUEUE_LEN_BYTES, kind: INT, min: 0 },
	{ name: 'proxy_qlen', attr: NEIGH_VAR_PROXY_QLEN, kind: INT, min: 0 },
	{ name: 'anycast_delay', attr: NEIGH_VAR_ANYCAST_DELAY, kind: USERHZ, min: INT_MIN },
	{ name: 'proxy_delay', attr: NEIGH_VAR_PROXY_DELAY, kind: USERHZ, min: INT_MIN },
	{ name: 'locktime', attr: NEIGH_VAR_LOCKTIME, kind: USERHZ, min: INT_MIN },
	{ name: 'retrans_time_ms', attr: NEIGH_VAR_RETRANS_TIME, kind: MS, min: 0 },
	{ name: 'base_reachable_time_ms', attr: NEIGH_VAR_BASE_REACHABLE_TIME, kind: MS, min: 0 },
];

/** Whose value a file shows. */
interface neigh_ctl {
	parms: neigh_parms;
	v: neigh_var;
}

/** What the file shows of a stored value. */
export function neigh_var_show(kind: number, value: number): string {
	switch (kind) {
		case JIFFIES:
			return String(Math.trunc(value / HZ));
		case USERHZ:
			return (value < 0 ? '-' : '') + Math.floor((Math.abs(value) * USER_HZ) / HZ);
		case MS:
			return String((value * 1000) / HZ);
		case QUEUE_LEN:
			return String(Math.floor(value / FRAME_TRUESIZE));
		default:
			return String(value);
	}
}

function neigh_proc_read(table: ctl_table): string {
	const { parms, v } = table.extra as neigh_ctl;
	return neigh_var_show(v.kind, parms.data[v.attr]);
}

/** A whole number in C's notations. Return: NaN when it is none. */
function parse_int(text: string): number {
	const m = /^(-?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.exec(text.trim().split(/\s+/)[0]);
	if (m === null) return NaN;
	const n = /^0[0-7]+$/.test(m[2]) ? parseInt(m[2], 8) : Number(m[2]);
	return m[1] === '-' ? -n : n;
}

function neigh_proc_write(table: ctl_table, net: net, text: string): number {
	const { parms, v } = table.extra as neigh_ctl;
	if (text.trim() === '') return 0;
	const n = parse_int(text);
	if (Number.isNaN(n)) return -EINVAL;
	let value = n;
	switch (v.kind) {
		case JIFFIES:
			if (Math.abs(n) > INT_MAX / HZ) return -EINVAL;
			value = n * HZ;
			break;
		case USERHZ:
			// The kernel multiplies first and keeps 32 bits.
			value = (n < 0 ? -1 : 1) * (Math.floor((Math.abs(n) * HZ) / USER_HZ) | 0);
			break;
		case MS:
			if (n < v.min || n > INT_MAX) return -EINVAL;
			value = msecs_to_jiffies(n);
			break;
		case QUEUE_LEN:
			if (n < 0 || n > Math.floor(INT_MAX / FRAME_TRUESIZE)) return -EINVAL;
			value = n * FRAME_TRUESIZE;
			break;
		default:
			if (n < v.min || n > INT_MAX) return -EINVAL;
	}
	neigh_parms_set(net, parms, v.attr, value);
	return 0;
}

/** Stores a value; the default's goes on to the devices that follow it. */
export function neigh_parms_set(net: net, parms: neigh_parms, attr: number, value: number): void {
	const tbl = parms.tbl;
	parms.data[attr] = value;
	parms.data_state[attr] = 1;
	neigh_parms_changed(tbl, parms, attr);
	if (parms.dev !== null) return;
	for (const p of tbl.parms_list) {
		if (p.dev === null || p.dev.net !== net || p.data_state[attr] !== 0) continue;
		p.data[attr] = value;
		neigh_parms_changed(tbl, p, attr);
	}
}

function neigh_parms_changed(tbl: neigh_table, p: neigh_parms, attr: number): void {
	if (attr !== NEIGH_VAR_BASE_REACHABLE_TIME) return;
	p.reachable_time = neigh_rand_reach_time(tbl.machine, p.data[attr]);
}

function neigh_ctl_table(path: string, parms: neigh_parms, v: neigh_var): ctl_table {
	return {
		procname: `${path}/${v.name}`,
		mode: 0o644,
		data: null,
		field: '',
		min: v.min,
		max: INT_MAX,
		read: neigh_proc_read,
		write: neigh_proc_write,
		extra: { parms, v },
	};
}

const GC = ['gc_thresh1', 'gc_thresh2', 'gc_thresh3'] as const;

function gc_read(table: ctl_table): string {
	const tbl = table.extra as neigh_table;
	return String(table.field === 'gc_interval' ? tbl.gc_interval / HZ : tbl[table.field as (typeof GC)[number]]);
}

function gc_write(table: ctl_table, _net: net, text: string): number {
	const tbl = table.extra as neigh_table;
	const n = parse_int(text);
	if (Number.isNaN(n)) return -EINVAL;
	if (table.field === 'gc_interval') {
		if (Math.abs(n) > INT_MAX / HZ) return -EINVAL;
		tbl.gc_interval = n * HZ;
		return 0;
	}
	if (n < 0 || n > INT_MAX) return -EINVAL;
	tbl[table.field as (typeof GC)[number]] = n;
	return 0;
}

/** Makes net/ipv4/neigh/DEV, or `default` (in the first namespace) for `dev` null. */
export function neigh_sysctl_register(dev: net_device | null, parms: neigh_parms): void {
	const net = dev !== null ? dev.net : parms.tbl.machine.init_net;
	parms.sysctl_path = `net/ipv4/neigh/${dev !== null ? dev.name : 'default'}`;
	parms.sysctl_net = net;
	register_sysctl_dir(net.sysctls, parms.sysctl_path, neigh_make_tables, parms);
}

function neigh_make_tables(parms: neigh_parms): ctl_table[] {
	const path = parms.sysctl_path;
	const tables = VARS.map((v) => neigh_ctl_table(path, parms, v));
	if (parms.dev === null) {
		for (const field of [...GC, 'gc_interval']) {
			tables.push({
				procname: `${path}/${field}`,
				mode: 0o644,
				data: null,
				field,
				min: 0,
				max: INT_MAX,
				read: gc_read,
				write: gc_write,
				extra: parms.tbl,
			});
		}
	}
	return tables;
}

export function neigh_sysctl_unregister(parms: neigh_parms): void {
	if (parms.sysctl_net === null) return;
	unregister_sysctl(parms.sysctl_net.sysctls, parms.sysctl_path);
	parms.sysctl_net = null;
}

function hex(n: number): string {
	return (n >>> 0).toString(16).padStart(8, '0');
}

/** /proc/net/stat/arp_cache: one line a CPU. */
export function neigh_stat_seq_show(tbl: neigh_table): string {
	const s = tbl.stats;
	return (
		'entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast ' +
		'periodic_gc_runs forced_gc_runs unresolved_discards table_fulls\n' +
		`${hex(tbl.entries)} ${hex(s.allocs)} ${hex(s.destroys)} ${hex(s.hash_grows)}   ${hex(s.lookups)} ${hex(s.hits)} ` +
		`${hex(s.res_failed)}   ${hex(s.rcv_probes_mcast)}         ${hex(s.rcv_probes_ucast)}         ` +
		`${hex(s.periodic_gc_runs)}         ${hex(s.forced_gc_runs)}       ${hex(s.unres_discards)}            ${hex(s.table_fulls)}\n`
	);
}
