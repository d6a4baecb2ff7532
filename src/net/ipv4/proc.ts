/*
 * net/ipv4/proc.ts: counters and sockets as /proc/net shows them.  Linux: net/ipv4/proc.c; the seq_show functions of udp.c, raw.c, ping.c
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { IPV4_DEVCONF_FORWARDING } from '../../uapi/linux/ip.ts';
import {
	ICMP_MIB_INCSUMERRORS,
	ICMP_MIB_INERRORS,
	ICMP_MIB_INMSGS,
	ICMP_MIB_OUTERRORS,
	ICMP_MIB_OUTMSGS,
	ICMP_MIB_OUTRATELIMITGLOBAL,
	ICMP_MIB_OUTRATELIMITHOST,
	IPSTATS_SNMP,
	icmp_names,
	ipstats_names,
	linux_names,
	tcp_names,
	udp_names,
} from '../../uapi/linux/snmp.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { sock } from '../core/sock.ts';
import { socket } from '../socket.ts';
import { inet_sk } from './af_inet.ts';

/** ICMP types that have a counter of their own, in the order of printing. */
const icmp_types: readonly number[] = [3, 11, 12, 4, 5, 8, 0, 13, 14, 17, 18];

const mptcp_names =
	'MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCapableFallbackACK MPCapableFallbackSYNACK MPCapableSYNTXDrop MPCapableSYNTXDisabled MPCapableEndpAttempt MPFallbackTokenInit MPTCPRetrans MPJoinNoTokenFound MPJoinSynRx MPJoinSynBackupRx MPJoinSynAckRx MPJoinSynAckBackupRx MPJoinSynAckHMacFailure MPJoinAckRx MPJoinAckHMacFailure MPJoinRejected MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr DSSNotMatching DSSCorruptionFallback DSSCorruptionReset InfiniteMapTx InfiniteMapRx DSSNoMatchTCP DataCsumErr OFOQueueTail OFOQueue OFOMerge NoDSSInWindow DuplicateData AddAddr AddAddrTx AddAddrTxDrop EchoAdd EchoAddTx EchoAddTxDrop PortAdd AddAddrDrop MPJoinPortSynRx MPJoinPortSynAckRx MPJoinPortAckRx MismatchPortSynRx MismatchPortAckRx RmAddr RmAddrDrop RmAddrTx RmAddrTxDrop RmSubflow MPPrioTx MPPrioRx MPFailTx MPFailRx MPFastcloseTx MPFastcloseRx MPRstTx MPRstRx SubflowStale SubflowRecover SndWndShared RcvWndShared RcvWndConflictUpdate RcvWndConflict MPCurrEstab Blackhole MPCapableDataFallback MD5SigFallback DssFallback SimultConnectFallback FallbackFailed WinProbe';

/** Two lines: names, values. */
function table(name: string, names: readonly string[], values: ArrayLike<number>, from = 0): string {
	const v: number[] = [];
	for (let i = 0; i < names.length; i++) v.push(values[from + i]);
	return `${name}: ${names.join(' ')}\n${name}: ${v.join(' ')}\n`;
}

/** /proc/net/snmp (RFC 4293, 4022, 4113, 2011). */
export function snmp_seq_show(n: net): string {
	const m = n.mib;
	const forwarding = n.ipv4.devconf_all.data[IPV4_DEVCONF_FORWARDING] !== 0 ? 1 : 2;
	const ip = [forwarding, n.ipv4.sysctl_ip_default_ttl];
	for (let i = 0; i < IPSTATS_SNMP; i++) ip.push(m.ip_statistics[i]);
	let out = table('Ip', ['Forwarding', 'DefaultTTL', ...ipstats_names.slice(0, IPSTATS_SNMP)], ip);
	const i = m.icmp_statistics;
	const icmp = [i[ICMP_MIB_INMSGS], i[ICMP_MIB_INERRORS], i[ICMP_MIB_INCSUMERRORS]];
	for (const t of icmp_types) icmp.push(m.icmpmsg_statistics[t]);
	icmp.push(i[ICMP_MIB_OUTMSGS], i[ICMP_MIB_OUTERRORS], i[ICMP_MIB_OUTRATELIMITGLOBAL], i[ICMP_MIB_OUTRATELIMITHOST]);
	for (const t of icmp_types) icmp.push(m.icmpmsg_statistics[256 + t]);
	out += table('Icmp', icmp_names, icmp);
	// Only the types that were seen, sixteen to a line.
	const names: string[] = [];
	const values: number[] = [];
	for (let t = 0; t < 512; t++) {
		const v = m.icmpmsg_statistics[t];
		if (v === 0) continue;
		names.push(t < 256 ? `InType${t}` : `OutType${t - 256}`);
		values.push(v);
	}
	for (let at = 0; at < names.length; at += 16)
		out += table('IcmpMsg', names.slice(at, at + 16), values.slice(at, at + 16));
	const tcp = Array.from(m.tcp_statistics);
	tcp[0] = 1;
	tcp[1] = 200;
	tcp[2] = 120000;
	tcp[3] = -1;
	out += table('Tcp', tcp_names, tcp);
	out += table('Udp', udp_names, m.udp_statistics);
	return out + table('UdpLite', udp_names, m.udplite_statistics);
}

/** /proc/net/netstat. */
export function netstat_seq_show(n: net): string {
	let out = table('TcpExt', linux_names, n.mib.net_statistics);
	out += table('IpExt', ipstats_names.slice(IPSTATS_SNMP), n.mib.ip_statistics, IPSTATS_SNMP);
	const names = mptcp_names.split(' ');
	return out + table('MPTcpExt', names, new Uint8Array(names.length));
}

function count(lists: Iterable<sock[] | null>): number {
	let c = 0;
	for (const l of lists) if (l !== null) c += l.length;
	return c;
}

/** /proc/net/sockstat. */
export function sockstat_seq_show(n: net): string {
	let used = 0;
	let pages = 0;
	for (const task of n.machine.tasks) {
		for (const f of task.files) {
			if (f instanceof socket && f.net === n) used++;
		}
	}
	for (const l of n.ipv4.udp_table.ports.values()) for (const sk of l) pages += Math.ceil(sk.sk_rmem_alloc / 4096);
	const v4 = n.ipv4;
	const tcp = n.machine.sock.tcp_memory;
	return (
		`sockets: used ${used}\n` +
		`TCP: inuse ${v4.tcp_hashinfo.inuse} orphan ${tcp.orphan_count} tw ${v4.tw_refcount} alloc ${tcp.sockets_allocated} mem ${tcp.memory_allocated}\n` +
		`UDP: inuse ${count(v4.udp_table.ports.values())} mem ${pages}\n` +
		'UDPLITE: inuse 0\n' +
		`RAW: inuse ${count(v4.raw_hash.ht)}\n` +
		`FRAG: inuse ${v4.fqdir.count} memory ${v4.fqdir.mem}\n`
	);
}

/** Names, sizes of structures and calls as Linux 6.18 has them on x86-64. */
function protocols_seq_show(n: net): string {
	const udp = count(n.ipv4.udp_table.ports.values());
	const raw = count(n.ipv4.raw_hash.ht);
	const ping = count(n.ipv4.ping_table.hash.values());
	const tcp = n.machine.sock.tcp_memory;
	const press = tcp.memory_pressure !== 0 ? 'yes' : 'no';
	const row = (
		name: string,
		size: number,
		sockets: number,
		memory: number,
		slab: string,
		calls: string,
		pressure = 'NI',
		maxhdr = 0,
	): string =>
		`${name.padEnd(9)} ${String(size).padStart(4)} ${String(sockets).padStart(6)}  ${String(memory).padStart(6)}   ${pressure.padEnd(3)} ${String(maxhdr).padStart(6)}   ${slab.padEnd(3)}  kernel     ${calls}\n`;
	return (
		'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n' +
		row('PACKET', 1600, 0, -1, 'no', ' n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n') +
		row('PING', 1016, ping, -1, 'yes', ' y  y  y  n  n  y  n  n  y  y  y  y  y  y  n  y  y  n') +
		row('RAW', 1152, raw, -1, 'yes', ' y  y  y  n  y  y  y  n  y  y  y  y  y  y  y  y  n  n') +
		row('UDP', 1344, udp, 0, 'yes', ' y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n') +
		row(
			'TCP',
			2304,
			n.ipv4.tcp_hashinfo.inuse,
			tcp.memory_allocated,
			'yes',
			' y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y',
			press,
			192,
		) +
		row('NETLINK', 1096, 0, -1, 'no', ' n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n')
	);
}

function hex(v: number, digits: number): string {
	return (v >>> 0).toString(16).toUpperCase().padStart(digits, '0');
}

/** An address as the hexadecimal of its bytes in a little-endian machine's memory. */
function addr(a: number): string {
	return hex(((a & 255) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24), 8);
}

const HEADER =
	'  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';

/** One socket's line. `sl` is its slot in the hash table. */
function sock_line(sk: sock, sl: string, sport: number, dport: number): string {
	const inet = inet_sk(sk);
	const q = `${hex(sk.sk_wmem_alloc, 8)}:${hex(sk.sk_rmem_alloc, 8)}`;
	return (
		`${sl}: ${addr(inet.inet_rcv_saddr)}:${hex(sport, 4)} ${addr(inet.inet_daddr)}:${hex(dport, 4)} ${hex(sk.sk_state, 2)} ${q} 00:00000000 00000000 ` +
		`${String(sk.sk_uid).padStart(5)} ${'0'.padStart(8)} ${sk.sk_ino} 2 0000000000000000 ${sk.sk_drops}`
	);
}

/** By slot, then the newest first. */
function sorted(table: Map<number, sock[]>): [number, sock][] {
	const out: [number, sock][] = [];
	for (const key of [...table.keys()].sort((a, b) => a - b)) for (const sk of table.get(key)!) out.push([key, sk]);
	return out;
}

function udp4_seq_show(n: net): string {
	let out = HEADER.padEnd(127) + '\n';
	for (const [port, sk] of sorted(n.ipv4.udp_table.ports)) {
		const line = sock_line(sk, String(port & 16383).padStart(5), inet_sk(sk).inet_sport, inet_sk(sk).inet_dport);
		out += line.padEnd(127) + '\n';
	}
	return out;
}

function udplite4_seq_show(): string {
	return HEADER.padEnd(127) + '\n';
}

function ping_seq_show(n: net): string {
	let out = HEADER.padEnd(127) + '\n';
	for (const [id, sk] of sorted(n.ipv4.ping_table.hash)) {
		const line = sock_line(sk, String(id & 63).padStart(5), inet_sk(sk).inet_sport, inet_sk(sk).inet_dport);
		out += line.padEnd(127) + '\n';
	}
	return out;
}

function raw_seq_show(n: net): string {
	let out = HEADER + '\n';
	const ht = n.ipv4.raw_hash.ht;
	for (let i = 0; i < ht.length; i++) {
		for (const sk of ht[i] ?? []) out += sock_line(sk, String(i).padStart(4), inet_sk(sk).inet_num, 0) + '\n';
	}
	return out;
}

function ip_proc_init_net(n: net): number {
	proc_create_net(n, 'sockstat', sockstat_seq_show);
	proc_create_net(n, 'netstat', netstat_seq_show);
	proc_create_net(n, 'snmp', snmp_seq_show);
	proc_create_net(n, 'protocols', protocols_seq_show);
	proc_create_net(n, 'udp', udp4_seq_show);
	proc_create_net(n, 'udplite', udplite4_seq_show);
	proc_create_net(n, 'raw', raw_seq_show);
	proc_create_net(n, 'icmp', ping_seq_show);
	return 0;
}

function ip_proc_exit_net(_n: net): void {}

export function ip_misc_proc_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ip_proc', init: ip_proc_init_net, exit: ip_proc_exit_net });
}
