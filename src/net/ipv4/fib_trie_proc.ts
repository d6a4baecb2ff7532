/*
 * net/ipv4/fib_trie_proc.ts: /proc/net/route, fib_trie, fib_triestat.   Linux: net/ipv4/fib_trie.c
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import { LC_KEY, LC_POS, LC_ROOT, LC_SLOT, lc_bits, lc_pos } from '../../lib/lc_trie.ts';
import {
	RTAX_ADVMSS,
	RTAX_RTT,
	RTAX_WINDOW,
	RTN_BROADCAST,
	RTN_MULTICAST,
	RTN_PROHIBIT,
	RTN_UNREACHABLE,
} from '../../uapi/linux/rtnetlink.ts';
import type { net } from '../core/net_namespace.ts';
import { fib_get_table } from './fib_frontend.ts';
import type { fib_info, fib_table } from './fib_lookup.ts';
import {
	fa_dscp,
	fa_info,
	fa_next,
	fa_slen,
	fa_type,
	fib_table_walk,
	type fib_trie,
	RT_TABLE_MAIN,
} from './fib_trie.ts';
import { inet_make_mask } from './inetdevice.ts';
import { ip_ntop } from './ip.ts';

const RTF_UP = 1;
const RTF_GATEWAY = 2;
const RTF_HOST = 4;
const RTF_REJECT = 0x200;

// ---- /proc/net/route -------------------------------------------------------------------------------------------------------------

function fib_flag_trans(type: number, mask: number, fi: fib_info): number {
	let flags = RTF_UP;
	if (type === RTN_UNREACHABLE || type === RTN_PROHIBIT) flags |= RTF_REJECT;
	if (fi.fib_nh[0].nhc_gw_family !== 0) flags |= RTF_GATEWAY;
	if (mask === 0xffffffff) flags |= RTF_HOST;
	return flags;
}

/** An address as its bytes stand in memory: what the little-endian kernel prints with %08X. */
function hex_be(addr: number): string {
	const swapped = ((addr << 24) | ((addr & 0xff00) << 8) | ((addr >>> 8) & 0xff00) | (addr >>> 24)) >>> 0;
	return swapped.toString(16).toUpperCase().padStart(8, '0');
}

function route_line(arg: unknown, t: fib_trie, key: number, fa: number): boolean {
	const out = arg as string[];
	const type = fa_type(t, fa);
	if (type === RTN_BROADCAST || type === RTN_MULTICAST) return true;
	const fi = fa_info(t, fa);
	const mask = inet_make_mask(32 - fa_slen(t, fa));
	const flags = fib_flag_trans(type, mask, fi);
	const nh = fi.fib_nh[0];
	const m = fi.fib_metrics;
	const advmss = m === null ? 0 : m[RTAX_ADVMSS];
	const line =
		`${nh.nhc_dev !== null ? nh.nhc_dev.name : '*'}\t${hex_be(key)}\t${hex_be(nh.nhc_gw_family !== 0 ? nh.nhc_gw : 0)}\t` +
		`${flags.toString(16).toUpperCase().padStart(4, '0')}\t0\t0\t${fi.fib_priority}\t${hex_be(mask)}\t` +
		`${advmss !== 0 ? advmss + 40 : 0}\t${m === null ? 0 : m[RTAX_WINDOW]}\t${(m === null ? 0 : m[RTAX_RTT]) >>> 3}`;
	out.push(line.padEnd(127));
	return true;
}

function fib_route_seq_show(net: net): string {
	const out = ['Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127)];
	const tb = fib_get_table(net, RT_TABLE_MAIN);
	if (tb !== null) fib_table_walk(tb, 0, route_line, out);
	return out.join('\n') + '\n';
}

// ---- /proc/net/fib_trie ----------------------------------------------------------------------------------------------------------

const SCOPES: Record<number, string> = { 0: 'universe', 200: 'site', 253: 'link', 254: 'host', 255: 'nowhere' };
const TYPES = [
	'UNSPEC',
	'UNICAST',
	'LOCAL',
	'BROADCAST',
	'ANYCAST',
	'MULTICAST',
	'BLACKHOLE',
	'UNREACHABLE',
	'PROHIBIT',
	'THROW',
	'NAT',
	'XRESOLVE',
];

function table_title(id: number): string {
	return id === 255 ? 'Local:' : id === RT_TABLE_MAIN ? 'Main:' : `Id ${id}:`;
}

function show_node(t: fib_trie, s: number, depth: number, out: string[]): void {
	const a = t.lc.t;
	const ref = a[s];
	if (ref === 0) return;
	const key = a[s + LC_KEY] >>> 0;
	const indent = `  ${'   '.repeat(depth)}`;
	if (ref > 0) {
		const w = a[s + LC_POS];
		const pos = lc_pos(w);
		const bits = lc_bits(w);
		out.push(`${indent}+-- ${ip_ntop(key)}/${32 - pos - bits} ${bits} ${a[ref - 1]} ${a[ref - 2]}`);
		for (let i = 0; i < 1 << bits; i++) show_node(t, ref + i * LC_SLOT, depth + 1, out);
		return;
	}
	out.push(`${indent}|-- ${ip_ntop(key)}`);
	for (let fa = -ref; fa !== 0; fa = fa_next(t, fa)) {
		const scope = fa_info(t, fa).fib_scope;
		const dscp = fa_dscp(t, fa);
		out.push(
			`${indent}   /${32 - fa_slen(t, fa)} ${SCOPES[scope] ?? `scope=${scope}`} ${TYPES[fa_type(t, fa)] ?? `type ${fa_type(t, fa)}`}` +
				(dscp !== 0 ? ` tos=${dscp}` : ''),
		);
	}
}

function tables_of(net: net): fib_table[] {
	const out: fib_table[] = [];
	for (const list of net.ipv4.fib_table_hash) for (const tb of list) out.push(tb);
	return out;
}

function fib_trie_seq_show(net: net): string {
	const out: string[] = [];
	for (const tb of tables_of(net)) {
		const before = out.length;
		out.push(table_title(tb.tb_id));
		const t = tb.tb_data;
		if (t.lc.t[LC_ROOT] === 0) {
			out.length = before;
			continue;
		}
		show_node(t, LC_ROOT, 0, out);
	}
	return out.length > 0 ? out.join('\n') + '\n' : '';
}

// ---- /proc/net/fib_triestat ------------------------------------------------------------------------------------------------------

class trie_stat {
	totdepth = 0;
	maxdepth = 0;
	tnodes = 0;
	leaves = 0;
	nullpointers = 0;
	prefixes = 0;
	nodesizes: number[] = new Array(32).fill(0);
}

function collect(t: fib_trie, s: number, depth: number, st: trie_stat): void {
	const a = t.lc.t;
	const ref = a[s];
	if (ref === 0) return;
	if (ref < 0) {
		st.leaves++;
		st.totdepth += depth;
		if (depth > st.maxdepth) st.maxdepth = depth;
		for (let fa = -ref; fa !== 0; fa = fa_next(t, fa)) st.prefixes++;
		return;
	}
	const bits = lc_bits(a[s + LC_POS]);
	st.tnodes++;
	st.nodesizes[bits]++;
	st.nullpointers += a[ref - 2];
	for (let i = 0; i < 1 << bits; i++) collect(t, ref + i * LC_SLOT, depth + 1, st);
}

// What these take in Linux, on 64 bits, so that the total is the one that it would show.
const LEAF_SIZE = 48;
const TNODE_SIZE = 40;
const ALIAS_SIZE = 56;

function fib_triestat_seq_show(net: net): string {
	let out = `Basic info: size of leaf: ${LEAF_SIZE} bytes, size of tnode: ${TNODE_SIZE} bytes.\n`;
	for (const tb of tables_of(net)) {
		const st = new trie_stat();
		if (tb.tb_data.lc.t[LC_ROOT] === 0) continue;
		collect(tb.tb_data, LC_ROOT, 0, st);
		let max = st.nodesizes.length;
		while (max > 0 && st.nodesizes[max - 1] === 0) max--;
		let pointers = 0;
		let sizes = '';
		for (let i = 1; i < max; i++) {
			if (st.nodesizes[i] === 0) continue;
			sizes += `  ${i}: ${st.nodesizes[i]}`;
			pointers += 2 ** i * st.nodesizes[i];
		}
		const avdepth = st.leaves > 0 ? Math.floor((st.totdepth * 100) / st.leaves) : 0;
		const bytes = LEAF_SIZE * st.leaves + ALIAS_SIZE * st.prefixes + TNODE_SIZE * st.tnodes + 8 * pointers;
		out +=
			`${table_title(tb.tb_id)}\n` +
			`\tAver depth:     ${Math.floor(avdepth / 100)}.${String(avdepth % 100).padStart(2, '0')}\n` +
			`\tMax depth:      ${st.maxdepth}\n` +
			`\tLeaves:         ${st.leaves}\n` +
			`\tPrefixes:       ${st.prefixes}\n` +
			`\tInternal nodes: ${st.tnodes}\n` +
			(sizes !== '' ? `\t${sizes}\n` : '\t\n') +
			`\tPointers: ${pointers}\n` +
			`Null ptrs: ${st.nullpointers}\n` +
			`Total size: ${Math.floor((bytes + 1023) / 1024)}  kB\n`;
	}
	return out;
}

export function fib_proc_init(net: net): void {
	proc_create_net(net, 'route', fib_route_seq_show);
	proc_create_net(net, 'fib_trie', fib_trie_seq_show);
	proc_create_net(net, 'fib_triestat', fib_triestat_seq_show);
}
