/*
 * net/netfilter/nf_conntrack_standalone.ts: conntrack's face: /proc/net/nf_conntrack, /proc/net/stat/nf_conntrack, the sysctls.
 *                                                                  Linux: net/netfilter/nf_conntrack_standalone.c
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { ctl_int, type ctl_table, INT_MAX, register_sysctl, register_sysctl_dir } from '../../kernel/sysctl.ts';
import { HZ } from '../../kernel/time.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	IPS_ASSURED,
	IPS_HW_OFFLOAD,
	IPS_OFFLOAD,
	IPS_SEEN_REPLY,
	NF_CT_EXPECT_INACTIVE,
	NF_CT_EXPECT_PERMANENT,
	NF_CT_EXPECT_USERSPACE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	TCP_CONNTRACK_CLOSE,
	TCP_CONNTRACK_CLOSE_WAIT,
	TCP_CONNTRACK_ESTABLISHED,
	TCP_CONNTRACK_FIN_WAIT,
	TCP_CONNTRACK_LAST_ACK,
	TCP_CONNTRACK_RETRANS,
	TCP_CONNTRACK_SYN_RECV,
	TCP_CONNTRACK_SYN_SENT,
	TCP_CONNTRACK_TIME_WAIT,
	TCP_CONNTRACK_UNACK,
} from '../../uapi/linux/netfilter/nf_conntrack_tcp.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { ip_ntop } from '../ipv4/ip.ts';
import {
	IPPROTO_GRE,
	type nf_conn,
	nf_conntrack_init,
	type nf_conntrack_tuple,
	nf_ct_entries,
	nf_ct_expires,
} from './nf_conntrack_core.ts';
import { nf_ct_expectations } from './nf_conntrack_expect.ts';
import { type nf_conntrack_helper, nf_ct_expect_helper } from './nf_conntrack_helper.ts';
import { tcp_conntrack_names } from './nf_conntrack_proto_tcp.ts';

function l4proto_name(protonum: number): string {
	switch (protonum) {
		case IPPROTO_ICMP:
			return 'icmp';
		case IPPROTO_TCP:
			return 'tcp';
		case IPPROTO_UDP:
			return 'udp';
		case IPPROTO_GRE:
			return 'gre';
		case 132:
			return 'sctp';
		case 136:
			return 'udplite';
		default:
			return 'unknown';
	}
}

function tuple_text(t: nf_conntrack_tuple): string {
	const addr = `src=${ip_ntop(t.src_ip >>> 0)} dst=${ip_ntop(t.dst_ip >>> 0)} `;
	switch (t.protonum) {
		case IPPROTO_ICMP:
			return `${addr}type=${t.dst_u >> 8} code=${t.dst_u & 255} id=${t.src_u} `;
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case 132:
		case 136:
			return `${addr}sport=${t.src_u} dport=${t.dst_u} `;
		case IPPROTO_GRE:
			return `${addr}srckey=0x${t.src_u.toString(16)} dstkey=0x${t.dst_u.toString(16)} `;
		default:
			return addr;
	}
}

function acct_text(ct: nf_conn, dir: number): string {
	if (ct.ext === null || ct.ext.acct === null) return '';
	return `packets=${ct.ext.acct[dir * 2]} bytes=${ct.ext.acct[dir * 2 + 1]} `;
}

function pad(s: string, n: number): string {
	return s.padEnd(n);
}

/** One line of /proc/net/nf_conntrack, without the newline. */
function ct_seq_show(ct: nf_conn): string {
	const p = ct.orig.protonum;
	let s = `${pad('ipv4', 8)} 2 ${pad(l4proto_name(p), 8)} ${p} `;
	const offloaded = (ct.status & (IPS_OFFLOAD | IPS_HW_OFFLOAD)) !== 0;
	if (!offloaded) s += `${Math.floor(nf_ct_expires(ct) / HZ)} `;
	if (ct.tcp !== null && !offloaded) s += `${tcp_conntrack_names[ct.tcp.state]} `;
	if (p === IPPROTO_GRE)
		s += `timeout=${ct.net.ct.gre.timeout / HZ}, stream_timeout=${ct.net.ct.gre.timeout_stream / HZ} `;
	s += tuple_text(ct.orig) + acct_text(ct, 0);
	if ((ct.status & IPS_SEEN_REPLY) === 0) s += '[UNREPLIED] ';
	s += tuple_text(ct.reply) + acct_text(ct, 1);
	if ((ct.status & IPS_HW_OFFLOAD) !== 0) s += '[HW_OFFLOAD] ';
	else if ((ct.status & IPS_OFFLOAD) !== 0) s += '[OFFLOAD] ';
	else if ((ct.status & IPS_ASSURED) !== 0) s += '[ASSURED] ';
	s += `mark=${ct.mark} zone=${ct.zone} `;
	if (ct.ext !== null && ct.ext.tstamp_start !== 0) {
		const now = ct.net.machine.clock.epoch * 1e9 + ct.net.machine.clock.now;
		s += `delta-time=${Math.floor((now - ct.ext.tstamp_start) / 1e9)} `;
	}
	return `${s}use=2`;
}

function ct_show(net: net): string {
	let out = '';
	for (const ct of nf_ct_entries(net.machine.ct, net)) out += ct_seq_show(ct) + '\n';
	return out;
}

function hex8(v: number): string {
	return (v >>> 0).toString(16).padStart(8, '0');
}

function ct_cpu_seq_show(net: net): string {
	const s = net.ct.stat;
	return (
		'entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error ' +
		' expect_new expect_create expect_delete search_restart\n' +
		`${hex8(net.ct.count)}  ${hex8(s.clash_resolve)} ${hex8(s.found)} ${hex8(0)} ${hex8(s.invalid)} ${hex8(0)} ${hex8(0)} ` +
		`${hex8(s.chaintoolong)} ${hex8(s.insert)} ${hex8(s.insert_failed)} ${hex8(s.drop)} ${hex8(s.early_drop)} ${hex8(s.error)}  ` +
		`${hex8(s.expect_new)} ${hex8(s.expect_create)} ${hex8(s.expect_delete)} ${hex8(s.search_restart)}\n`
	);
}

function exp_show(net: net): string {
	let out = '';
	for (const exp of nf_ct_expectations(net)) {
		const left = Math.max(0, Math.floor((exp.timeout.expires - net.machine.jiffies) / HZ));
		let s = `${left} l3proto = 2 proto=${exp.tuple.protonum} ${tuple_text(exp.tuple)}`;
		const flags: string[] = [];
		if ((exp.flags & NF_CT_EXPECT_PERMANENT) !== 0) flags.push('PERMANENT');
		if ((exp.flags & NF_CT_EXPECT_INACTIVE) !== 0) flags.push('INACTIVE');
		if ((exp.flags & NF_CT_EXPECT_USERSPACE) !== 0) flags.push('USERSPACE');
		s += flags.join(',');
		const helper: nf_conntrack_helper | null = nf_ct_expect_helper(exp);
		if (helper !== null) {
			s += `${flags.length > 0 ? ' ' : ''}${helper.name}`;
			if (exp.class < helper.expect_policy.length && helper.expect_policy[exp.class].name !== '')
				s += `/${helper.expect_policy[exp.class].name}`;
		}
		out += s + '\n';
	}
	return out;
}

// ---- sysctls -------------------------------------------------------------------------------------------------------------------

/** Seconds in the file, jiffies in the field. */
function read_jiffies(table: ctl_table): string {
	const v = (table.data as Record<string, number>)[table.field];
	return String(Math.trunc(v / HZ));
}

const MAX_SECONDS = Math.floor(INT_MAX / HZ);

function write_jiffies(table: ctl_table, _net: net, text: string): number {
	const word = text.trim().split(/\s+/)[0];
	if (word === '') return 0;
	if (!/^-?[0-9]+$/.test(word)) return -EINVAL;
	const v = Number(word);
	if (Math.abs(v) > MAX_SECONDS) return -EINVAL;
	(table.data as Record<string, number>)[table.field] = v * HZ;
	return 0;
}

function ctl_jiffies(name: string, data: object, field: string): ctl_table {
	const t = ctl_int('net/netfilter/nf_conntrack_' + name, data, field);
	t.read = read_jiffies;
	t.write = write_jiffies;
	return t;
}

function ctl_readonly(t: ctl_table): ctl_table {
	t.mode = 0o444;
	return t;
}

const P = 'net/netfilter/nf_conntrack_';

function nf_ct_sysctl_table(net: net): ctl_table[] {
	const g = net.machine.ct;
	const n = net.ct;
	const first = net === net.machine.init_net;
	const tcp = n.tcp.timeouts;
	const tables: ctl_table[] = [
		ctl_int(P + 'max', g, 'nf_conntrack_max'),
		ctl_readonly(ctl_int(P + 'count', n, 'count')),
		ctl_int(P + 'buckets', g, 'nf_conntrack_htable_size', 1),
		ctl_int(P + 'expect_max', g, 'nf_ct_expect_max', 1),
		ctl_int(P + 'checksum', n, 'sysctl_checksum', 0, 1),
		ctl_int(P + 'log_invalid', n, 'sysctl_log_invalid', 0, 255),
		ctl_int(P + 'acct', n, 'sysctl_acct', 0, 1),
		ctl_int(P + 'timestamp', n, 'sysctl_tstamp', 0, 1),
		ctl_int(P + 'events', n, 'sysctl_events', 0, 2),
		ctl_jiffies('generic_timeout', n.generic, 'timeout'),
		ctl_jiffies('tcp_timeout_syn_sent', tcp, String(TCP_CONNTRACK_SYN_SENT)),
		ctl_jiffies('tcp_timeout_syn_recv', tcp, String(TCP_CONNTRACK_SYN_RECV)),
		ctl_jiffies('tcp_timeout_established', tcp, String(TCP_CONNTRACK_ESTABLISHED)),
		ctl_jiffies('tcp_timeout_fin_wait', tcp, String(TCP_CONNTRACK_FIN_WAIT)),
		ctl_jiffies('tcp_timeout_close_wait', tcp, String(TCP_CONNTRACK_CLOSE_WAIT)),
		ctl_jiffies('tcp_timeout_last_ack', tcp, String(TCP_CONNTRACK_LAST_ACK)),
		ctl_jiffies('tcp_timeout_time_wait', tcp, String(TCP_CONNTRACK_TIME_WAIT)),
		ctl_jiffies('tcp_timeout_close', tcp, String(TCP_CONNTRACK_CLOSE)),
		ctl_jiffies('tcp_timeout_max_retrans', tcp, String(TCP_CONNTRACK_RETRANS)),
		ctl_jiffies('tcp_timeout_unacknowledged', tcp, String(TCP_CONNTRACK_UNACK)),
		ctl_int(P + 'tcp_loose', n.tcp, 'tcp_loose', 0, 1),
		ctl_int(P + 'tcp_be_liberal', n.tcp, 'tcp_be_liberal', 0, 1),
		ctl_int(P + 'tcp_ignore_invalid_rst', n.tcp, 'tcp_ignore_invalid_rst', 0, 1),
		ctl_int(P + 'tcp_max_retrans', n.tcp, 'tcp_max_retrans', 0, 255),
		ctl_jiffies('udp_timeout', n.udp, 'timeout'),
		ctl_jiffies('udp_timeout_stream', n.udp, 'timeout_stream'),
		ctl_jiffies('icmp_timeout', n.icmp, 'timeout'),
		ctl_jiffies('icmpv6_timeout', n, 'icmpv6_timeout'),
		ctl_jiffies('gre_timeout', n.gre, 'timeout'),
		ctl_jiffies('gre_timeout_stream', n.gre, 'timeout_stream'),
		ctl_int(P + 'frag6_timeout', n, 'frag6_timeout'),
		ctl_int(P + 'frag6_low_thresh', n, 'frag6_low_thresh', 0),
		ctl_int(P + 'frag6_high_thresh', n, 'frag6_high_thresh', 0),
	];
	const sctp = [
		'closed',
		'cookie_wait',
		'cookie_echoed',
		'established',
		'shutdown_sent',
		'shutdown_recd',
		'shutdown_ack_sent',
		'heartbeat_sent',
	];
	for (let i = 0; i < sctp.length; i++)
		tables.push(ctl_jiffies('sctp_timeout_' + sctp[i], n.sctp_timeouts, String(i + 1)));
	if (!first) {
		// What is one for the whole machine can be seen everywhere and set in the first namespace.
		for (const t of tables) {
			if (t.data === (g as unknown)) t.mode = 0o444;
		}
	}
	return tables;
}

function nf_conntrack_standalone_init_sysctl(net: net): void {
	register_sysctl_dir(net.sysctls, 'net/netfilter', nf_ct_sysctl_table, net);
	if (net !== net.machine.init_net) return;
	register_sysctl(net.sysctls, [ctl_int('net/nf_conntrack_max', net.machine.ct, 'nf_conntrack_max')]);
}

function nf_conntrack_pernet_init(net: net): number {
	nf_conntrack_standalone_init_sysctl(net);
	proc_create_net(net, 'nf_conntrack', ct_show);
	proc_create_net(net, 'nf_conntrack_expect', exp_show);
	proc_create_net(net, 'stat/nf_conntrack', ct_cpu_seq_show);
	return 0;
}

function nf_conntrack_pernet_exit(_net: net): void {}

/** Everything of conntrack but NAT and netlink. */
export function nf_conntrack_standalone_init(machine: Machine): void {
	nf_conntrack_init(machine);
	register_pernet_subsys(machine, {
		name: 'nf_conntrack_standalone',
		init: nf_conntrack_pernet_init,
		exit: nf_conntrack_pernet_exit,
	});
}
