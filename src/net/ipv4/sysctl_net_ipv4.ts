/*
 * net/ipv4/sysctl_net_ipv4.ts: net.ipv4.*: what is not of a device, a route or a fragment queue.   Linux: net/ipv4/sysctl_net_ipv4.c
 * Bounds are those that Linux 6.18 was seen to keep. tcp_* are in sysctl_net_ipv4_tcp.ts.
 */
import type { Machine } from '../../kernel/machine.ts';
import { ctl_int, type ctl_table, proc_dointvec_minmax, register_sysctl_dir } from '../../kernel/sysctl.ts';
import { jhash_1word } from '../../lib/jhash.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { netns_ipv4 } from './netns.ts';
import { ctl_ms_jiffies, parse_one } from './route_sysctl.ts';
import { tcp_sysctl_init_net } from './sysctl_net_ipv4_tcp.ts';

/** Reads two numbers over what stands there. Return: them, or null. */
function two(net: net, text: string, cur: number[], min: number, max: number): number[] | null {
	const box = { v: cur.slice() };
	const err = proc_dointvec_minmax(ctl_int('', box, 'v', min, max), net, text);
	return err < 0 ? null : box.v;
}

function read_pair(t: ctl_table): string {
	return ((t.data as unknown as netns_ipv4)[t.field as 'ip_local_ports' | 'ping_group_range'] as number[]).join('\t');
}

/** Both must be ports, low below high, and none privileged. */
function ipv4_local_port_range(_t: ctl_table, net: net, text: string): number {
	const v = two(net, text, net.ipv4.ip_local_ports, 1, 65535);
	if (v === null || v[1] < v[0] || v[0] < net.ipv4.sysctl_ip_prot_sock) return -EINVAL;
	net.ipv4.ip_local_ports = v;
	return 0;
}

function ipv4_privileged_ports(_t: ctl_table, net: net, text: string): number {
	const v = parse_one(net, text);
	if (v === null || v < 0 || v > 65535 || v > net.ipv4.ip_local_ports[0]) return -EINVAL;
	net.ipv4.sysctl_ip_prot_sock = v;
	return 0;
}

/** Low above high means nobody. */
function ipv4_ping_group_range(_t: ctl_table, net: net, text: string): number {
	const v = two(net, text, net.ipv4.ping_group_range, 0, 2147483647);
	if (v === null) return -EINVAL;
	net.ipv4.ping_group_range = v[1] < v[0] ? [1, 0] : v;
	return 0;
}

function read_reserved_ports(t: ctl_table): string {
	const bits = (t.data as unknown as netns_ipv4).sysctl_local_reserved_ports;
	if (bits === null) return '';
	const out: string[] = [];
	for (let p = 0; p < 65536; p++) {
		if ((bits[p >> 3] & (1 << (p & 7))) === 0) continue;
		const from = p;
		while (p < 65535 && (bits[(p + 1) >> 3] & (1 << ((p + 1) & 7))) !== 0) p++;
		out.push(from === p ? String(from) : `${from}-${p}`);
	}
	return out.join(',');
}

/** A list of ports and ranges: 8080,9000-9010. */
function write_reserved_ports(_t: ctl_table, net: net, text: string): number {
	const bits = new Uint8Array(8192);
	for (const part of text.trim().split(/[,\s]+/)) {
		if (part === '') continue;
		const m = /^(\d+)(?:-(\d+))?$/.exec(part);
		if (m === null) return -EINVAL;
		const from = Number(m[1]);
		const to = m[2] !== undefined ? Number(m[2]) : from;
		if (from > 65535 || to > 65535 || to < from) return -EINVAL;
		for (let p = from; p <= to; p++) bits[p >> 3] |= 1 << (p & 7);
	}
	net.ipv4.sysctl_local_reserved_ports = bits;
	return 0;
}

/** Hops' shares may change with the hash's policy: nothing is cached that knows it. A seed makes the choice repeatable. */
function proc_fib_multipath_hash_seed(t: ctl_table, net: net, text: string): number {
	const err = proc_dointvec_minmax(t, net, text);
	if (err < 0) return err;
	const seed = net.ipv4.sysctl_fib_multipath_hash_seed;
	net.ipv4.fib_multipath_hash_secret = seed !== 0 ? jhash_1word(seed, 0) : net.machine.random.u32();
	return 0;
}

function ipv4_net_table(net: net): ctl_table[] {
	const v4 = net.ipv4;
	const d = 'net/ipv4/';
	const u8 = (name: string, field: keyof netns_ipv4 & string, min = 0, max = 255): ctl_table =>
		ctl_int(d + name, v4, field, min, max);
	const special = (
		name: string,
		field: keyof netns_ipv4 & string,
		read: ctl_table['read'] | null,
		write: ctl_table['write'],
	): ctl_table => {
		const t = ctl_int(d + name, v4, field);
		if (read !== null) t.read = read;
		t.write = write;
		return t;
	};
	const seed = ctl_int(`${d}fib_multipath_hash_seed`, v4, 'sysctl_fib_multipath_hash_seed', 0, 0xffffffff);
	seed.write = proc_fib_multipath_hash_seed;
	return [
		u8('ip_default_ttl', 'sysctl_ip_default_ttl', 1),
		u8('ip_no_pmtu_disc', 'sysctl_ip_no_pmtu_disc'),
		u8('ip_forward_use_pmtu', 'sysctl_ip_fwd_use_pmtu'),
		u8('ip_forward_update_priority', 'sysctl_ip_fwd_update_priority', 0, 1),
		u8('ip_nonlocal_bind', 'sysctl_ip_nonlocal_bind'),
		u8('ip_autobind_reuse', 'sysctl_ip_autobind_reuse', 0, 1),
		u8('ip_dynaddr', 'sysctl_ip_dynaddr'),
		u8('ip_early_demux', 'sysctl_ip_early_demux'),
		u8('udp_early_demux', 'sysctl_udp_early_demux'),
		u8('tcp_early_demux', 'sysctl_tcp_early_demux'),
		u8('fwmark_reflect', 'sysctl_fwmark_reflect'),
		u8('raw_l3mdev_accept', 'sysctl_raw_l3mdev_accept', 0, 1),
		u8('udp_l3mdev_accept', 'sysctl_udp_l3mdev_accept', 0, 1),
		u8('nexthop_compat_mode', 'sysctl_nexthop_compat_mode', 0, 1),
		ctl_int(`${d}udp_rmem_min`, v4, 'sysctl_udp_rmem_min', 1),
		ctl_int(`${d}udp_wmem_min`, v4, 'sysctl_udp_wmem_min', 1),
		special('ip_local_port_range', 'ip_local_ports', read_pair, ipv4_local_port_range),
		special('ip_unprivileged_port_start', 'sysctl_ip_prot_sock', null, ipv4_privileged_ports),
		special('ip_local_reserved_ports', 'sysctl_local_reserved_ports', read_reserved_ports, write_reserved_ports),
		special('ping_group_range', 'ping_group_range', read_pair, ipv4_ping_group_range),
		u8('icmp_echo_ignore_all', 'sysctl_icmp_echo_ignore_all', 0, 1),
		u8('icmp_echo_enable_probe', 'sysctl_icmp_echo_enable_probe', 0, 1),
		u8('icmp_echo_ignore_broadcasts', 'sysctl_icmp_echo_ignore_broadcasts', 0, 1),
		u8('icmp_ignore_bogus_error_responses', 'sysctl_icmp_ignore_bogus_error_responses', 0, 1),
		u8('icmp_errors_use_inbound_ifaddr', 'sysctl_icmp_errors_use_inbound_ifaddr', 0, 1),
		ctl_ms_jiffies(`${d}icmp_ratelimit`, v4, 'sysctl_icmp_ratelimit'),
		ctl_int(`${d}icmp_ratemask`, v4, 'sysctl_icmp_ratemask'),
		ctl_int(`${d}icmp_msgs_per_sec`, v4, 'sysctl_icmp_msgs_per_sec', 0),
		ctl_int(`${d}icmp_msgs_burst`, v4, 'sysctl_icmp_msgs_burst', 0),
		ctl_int(`${d}igmp_max_memberships`, v4, 'sysctl_igmp_max_memberships'),
		ctl_int(`${d}igmp_max_msf`, v4, 'sysctl_igmp_max_msf'),
		u8('igmp_link_local_mcast_reports', 'sysctl_igmp_llm_reports'),
		ctl_int(`${d}igmp_qrv`, v4, 'sysctl_igmp_qrv', 1),
		u8('fib_multipath_use_neigh', 'sysctl_fib_multipath_use_neigh', 0, 1),
		u8('fib_multipath_hash_policy', 'sysctl_fib_multipath_hash_policy', 0, 3),
		ctl_int(`${d}fib_multipath_hash_fields`, v4, 'sysctl_fib_multipath_hash_fields', 1, 0xfff),
		u8('fib_notify_on_flag_change', 'sysctl_fib_notify_on_flag_change', 0, 2),
		seed,
	];
}

function ipv4_sysctl_init_net(net: net): number {
	register_sysctl_dir(net.sysctls, 'net/ipv4', ipv4_net_table, net);
	tcp_sysctl_init_net(net);
	return 0;
}

function ipv4_sysctl_exit_net(_net: net): void {}

export function sysctl_ipv4_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'sysctl_ipv4', init: ipv4_sysctl_init_net, exit: ipv4_sysctl_exit_net });
}
