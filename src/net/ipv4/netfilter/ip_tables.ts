/*
 * net/ipv4/netfilter/ip_tables.ts: iptables: runs a packet through a table.         Linux: net/ipv4/netfilter/ip_tables.c
 *
 * Walk: a hook calls ipt_do_table(table, skb, state): rule by rule, ip_packet_match, then the matches, then the target; a jump pushes
 *       the rule to come back to. Userland reads and writes whole tables: IPT_SO_GET_INFO, GET_ENTRIES, SET_REPLACE, SET_ADD_COUNTERS.
 *
 * Each rule is eight words of an Int32Array (see ip_tables_entry.ts), so that ten thousand rules that do not match are one linear read.
 */
import type { Machine } from '../../../kernel/machine.ts';
import { trace_event } from '../../../kernel/trace.ts';
import { get_unaligned_be32, get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { EAGAIN, EFAULT, EINVAL, ENOENT, ENOMEM } from '../../../uapi/asm-generic/errno.ts';
import {
	XT_ALIGN,
	XT_ERROR_TARGET,
	XT_EXTENSION_MAXNAMELEN,
	XT_FUNCTION_MAXNAMELEN,
	XT_RETURN,
	XT_TABLE_MAXNAMELEN,
	xt_counters,
	xt_counters_info,
	xt_entry_target,
	xt_error_target,
	xt_get_revision,
	xt_standard_target,
} from '../../../uapi/linux/netfilter/x_tables.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_NUMHOOKS, NF_VERDICT_MASK, NFPROTO_IPV4 } from '../../../uapi/linux/netfilter.ts';
import {
	IPT_BASE_CTL,
	IPT_F_FRAG,
	IPT_F_GOTO,
	IPT_INV_DSTIP,
	IPT_INV_FRAG,
	IPT_INV_PROTO,
	IPT_INV_SRCIP,
	IPT_SO_GET_ENTRIES,
	IPT_SO_GET_INFO,
	IPT_SO_GET_MAX,
	IPT_SO_GET_REVISION_MATCH,
	IPT_SO_GET_REVISION_TARGET,
	IPT_SO_SET_ADD_COUNTERS,
	IPT_SO_SET_MAX,
	IPT_SO_SET_REPLACE,
	ipt_entry,
	ipt_get_entries,
	ipt_getinfo,
	ipt_replace,
} from '../../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import type { net } from '../../core/net_namespace.ts';
import { register_pernet_subsys } from '../../core/net_namespace.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { sock } from '../../core/sock.ts';
import {
	type nf_hook_ops,
	type nf_hook_state,
	nf_register_net_hooks,
	nf_unregister_net_hooks,
} from '../../netfilter/core.ts';
import { nf_log_trace } from '../../netfilter/nf_log.ts';
import { nf_register_sockopt } from '../../netfilter/nf_sockopt.ts';
import {
	XT_CONTINUE,
	type xt_action_param,
	xt_find_revision,
	xt_find_table_lock,
	xt_frame_get,
	xt_frame_put,
	xt_register_table,
	xt_register_target,
	xt_table,
	type xt_table_template,
} from '../../netfilter/x_tables.ts';
import {
	ipt_cleanup_entries,
	ipt_iface_bits,
	type ipt_table_info,
	R_DMSK,
	R_DST,
	R_IFACE,
	R_KIND,
	R_PROTO,
	R_SMSK,
	R_SRC,
	R_VERDICT,
	R_WORDS_SHIFT,
	RULE_HAS_MATCHES,
	translate_table,
} from './ip_tables_entry.ts';

const HOOK_NAMES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
const NO_NAME = '';

/** What of a rule's own conditions an IP packet does not meet; '' when it meets all. For traces and for rules with inversions. */
function ip_packet_match(
	info: ipt_table_info,
	i: number,
	saddr: number,
	daddr: number,
	proto: number,
	isfrag: boolean,
	inbits: Uint8Array,
	outbits: Uint8Array,
): string {
	const r = info.rules;
	const a = info.addrs;
	const o = i << R_WORDS_SHIFT;
	const word = r[o + R_PROTO];
	const inv = word >>> 24;
	const flags = (word >>> 16) & 0xff;
	const want = word & 0xffff;
	if (((saddr & a[4 * i + R_SMSK]) !== a[4 * i + R_SRC]) !== ((inv & IPT_INV_SRCIP) !== 0)) return 'src';
	if (((daddr & a[4 * i + R_DMSK]) !== a[4 * i + R_DST]) !== ((inv & IPT_INV_DSTIP) !== 0)) return 'dst';
	if (inbits[r[o + R_IFACE] & 0xffff] === 0) return 'in';
	if (outbits[r[o + R_IFACE] >>> 16] === 0) return 'out';
	if (want !== 0 && (want !== proto) !== ((inv & IPT_INV_PROTO) !== 0)) return 'proto';
	if (((flags & IPT_F_FRAG) !== 0 && !isfrag) !== ((inv & IPT_INV_FRAG) !== 0)) return 'frag';
	return '';
}

/**
 * Runs a packet through the chain of `state.hook`. Context: softirq or process; borrows skb unless the verdict is NF_STOLEN.
 * Return: the verdict.
 */
export function ipt_do_table(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const table = priv as xt_table<ipt_table_info>;
	const info = table.private;
	const xt = skb.machine.xt;
	const frame = xt_frame_get(xt, info.stacksize);
	const par = frame.par;
	const stack = frame.jumpstack;
	const r = info.rules;
	const nh = skb.network_header;
	let head = skb.head;
	let saddr = get_unaligned_be32(head, nh + 12) | 0;
	let daddr = get_unaligned_be32(head, nh + 16) | 0;
	const proto = head[nh + 9];
	const inbits = ipt_iface_bits(info, state.in !== null ? state.in.name : NO_NAME);
	const outbits = ipt_iface_bits(info, state.out !== null ? state.out.name : NO_NAME);
	const fragoff = ((head[nh + 6] & 0x1f) << 8) | head[nh + 7];
	const isfrag = fragoff !== 0;
	const traced = skb.journey !== null;
	par.state = state;
	par.thoff = (head[nh] & 15) << 2;
	par.fragoff = fragoff;
	par.hotdrop = false;

	let sp = 0;
	let i = info.hook_index[state.hook];
	let verdict = NF_DROP;
	for (;;) {
		let o = i << R_WORDS_SHIFT;
		// Most rules are not for this packet's addresses. A chain ends in a rule for all packets, and so does this.
		if (!traced) {
			while ((saddr & r[o + R_SMSK]) !== r[o + R_SRC] || (daddr & r[o + R_DMSK]) !== r[o + R_DST])
				o += 1 << R_WORDS_SHIFT;
			i = o >> R_WORDS_SHIFT;
		}
		const word = r[o + R_PROTO];
		let ok: boolean;
		if (word >>> 24 === 0) {
			const want = word & 0xffff;
			ok =
				(saddr & r[o + R_SMSK]) === r[o + R_SRC] &&
				(daddr & r[o + R_DMSK]) === r[o + R_DST] &&
				(want === 0 || want === proto) &&
				inbits[r[o + R_IFACE] & 0xffff] !== 0 &&
				outbits[r[o + R_IFACE] >>> 16] !== 0 &&
				((word & (IPT_F_FRAG << 16)) === 0 || isfrag);
		} else ok = ip_packet_match(info, i, saddr, daddr, proto, isfrag, inbits, outbits) === '';
		const kind = r[o + R_KIND];
		let failed = '';
		let tried = 0;
		if (ok && (kind & RULE_HAS_MATCHES) !== 0) {
			const ms = info.ematches[i]!;
			for (let k = 0; k < ms.length; k++) {
				const m = ms[k];
				par.match = m.match;
				par.matchinfo = m.info;
				if (!m.match.match(skb, par)) {
					ok = false;
					failed = m.match.name;
					tried = k;
					break;
				}
			}
		}
		if (!ok) {
			if (traced) {
				if (failed === '') failed = ip_packet_match(info, i, saddr, daddr, proto, isfrag, inbits, outbits);
				else failed = '-m ' + failed;
				trace_rule(table, skb, state, i, false, failed, par.hotdrop ? NF_DROP : XT_CONTINUE, sp, tried);
			}
			if (par.hotdrop) break;
			i++;
			continue;
		}
		info.pcnt[i]++;
		info.bcnt[i] += skb.len;
		if (skb.nf_trace) trace_packet(table, skb, state, i);

		const target = info.targets[i];
		if (target === null) {
			const v = r[o + R_VERDICT];
			if (v < 0) {
				if (v !== XT_RETURN) {
					verdict = -v - 1;
					if (traced) trace_rule(table, skb, state, i, true, '', verdict, sp);
					break;
				}
				if (traced) trace_rule(table, skb, state, i, true, '', XT_RETURN, sp);
				i = sp === 0 ? info.underflow_index[state.hook] : stack[--sp] + 1;
				continue;
			}
			if (traced) trace_rule(table, skb, state, i, true, '', XT_CONTINUE, sp);
			if (v !== i + 1 && (word & (IPT_F_GOTO << 16)) === 0) {
				if (sp >= stack.length) {
					verdict = NF_DROP;
					break;
				}
				stack[sp++] = i;
			}
			i = v;
			continue;
		}

		par.target = target.target;
		par.targinfo = target.info;
		verdict = target.target.target(skb, par);
		if (traced && skb.journey !== null) trace_rule(table, skb, state, i, true, '', verdict, sp);
		if (verdict !== XT_CONTINUE) break;
		if (par.hotdrop) break;
		// The target may have written to the header, or moved it.
		head = skb.head;
		saddr = get_unaligned_be32(head, skb.network_header + 12) | 0;
		daddr = get_unaligned_be32(head, skb.network_header + 16) | 0;
		i++;
	}
	xt_frame_put(xt);
	return par.hotdrop ? NF_DROP : verdict;
}

// ---- traces ----------------------------------------------------------------------------------------------------------------------

const VERDICT_NAMES = ['DROP', 'ACCEPT', 'STOLEN', 'QUEUE', 'REPEAT', 'STOP'];

/** Where rule `i` of a table stands: for traces and for `rule_text`. */
export interface ipt_rule_place {
	table: string;
	chain: string;
	/** From 1; 0 for a chain's policy or a user chain's end. */
	rulenum: number;
}

function is_user_chain(info: ipt_table_info, i: number): boolean {
	const chain = info.chain_of[i];
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
		if (info.hook_index[h] >= 0 && info.chain_of[info.hook_index[h]] === chain) return false;
	}
	return true;
}

/** The closing RETURN of a user chain is no rule of its own. */
function is_chain_end(info: ipt_table_info, i: number): boolean {
	const next = i + 1;
	return next < info.number && info.chain_of[next] !== info.chain_of[i] && is_user_chain(info, i);
}

function trace_rule(
	table: xt_table<ipt_table_info>,
	skb: sk_buff,
	state: nf_hook_state,
	i: number,
	matched: boolean,
	failed: string,
	verdict: number,
	depth: number,
	/** Of a rule whose -m failed: how many matches before it had not. */
	tried = 0,
): void {
	const info = table.private;
	const chain = info.chain_names[info.chain_of[i]];
	const hook = HOOK_NAMES[state.hook];
	const name =
		verdict === XT_CONTINUE ? 'CONTINUE' : verdict === XT_RETURN ? 'RETURN' : VERDICT_NAMES[verdict & NF_VERDICT_MASK];
	if (info.underflow_index[state.hook] === i && info.hook_index[state.hook] <= i) {
		trace_event(skb, 'policy', 'ipt_do_table', { table: table.name, hook, chain, verdict: name });
		return;
	}
	if (is_chain_end(info, i)) {
		trace_event(skb, 'rule', 'ipt_do_table', {
			table: table.name,
			hook,
			chain,
			rulenum: 0,
			depth,
			matched: true,
			failed: '',
			target: 'end of chain',
			verdict: 'RETURN',
		});
		return;
	}
	const t = info.targets[i];
	let target = '';
	let jump: string | null = null;
	if (t !== null) target = t.target.name;
	else {
		const v = info.rules[(i << R_WORDS_SHIFT) + R_VERDICT];
		if (v >= 0) {
			if (v !== i + 1) {
				jump = info.chain_names[info.chain_of[v]];
				target = jump;
			}
		} else target = v === XT_RETURN ? 'RETURN' : VERDICT_NAMES[(-v - 1) & NF_VERDICT_MASK];
	}
	const detail: Record<string, unknown> = {
		table: table.name,
		hook,
		chain,
		rulenum: info.rulenum[i],
		depth,
		matched,
		failed,
		target,
		verdict: matched || verdict === NF_DROP ? name : 'CONTINUE',
	};
	if (matched || failed.startsWith('-m ')) {
		// The addresses, devices and protocol come first, then each -m in the rule's order.
		const ms = info.ematches[i] ?? [];
		detail.passed = ms.slice(0, matched ? ms.length : tried).map((m) => m.match.name);
	}
	if (!matched) {
		detail.in = state.in !== null ? state.in.name : '';
		detail.out = state.out !== null ? state.out.name : '';
	}
	if (jump !== null) {
		const go = ((info.rules[(i << R_WORDS_SHIFT) + R_PROTO] >>> 16) & IPT_F_GOTO) !== 0;
		detail[go ? 'goto' : 'jump'] = jump;
	}
	trace_event(skb, 'rule', 'ipt_do_table', detail);
}

/** The TRACE target's line in the kernel log. */
function trace_packet(table: xt_table<ipt_table_info>, skb: sk_buff, state: nf_hook_state, i: number): void {
	const info = table.private;
	const chain = info.chain_names[info.chain_of[i]];
	let comment = 'rule';
	let num = info.rulenum[i];
	if (info.underflow_index[state.hook] === i) {
		comment = 'policy';
		num = i - info.hook_index[state.hook] + 1;
	} else if (is_chain_end(info, i)) comment = 'return';
	nf_log_trace(
		state.net,
		NFPROTO_IPV4,
		state.hook,
		skb,
		state.in,
		state.out,
		`TRACE: ${table.name}:${chain}:${comment}:${num} `,
	);
}

// ---- tables ----------------------------------------------------------------------------------------------------------------------

function put_name(b: Uint8Array, o: number, name: string): void {
	for (let i = 0; i < name.length; i++) b[o + i] = name.charCodeAt(i);
}

function standard_entry(b: Uint8Array, e: number, verdict: number): number {
	const size = ipt_entry.sizeof + xt_standard_target.sizeof;
	b[e + ipt_entry.target_offset] = ipt_entry.sizeof;
	b[e + ipt_entry.next_offset] = size;
	b[e + ipt_entry.sizeof + xt_entry_target.target_size] = XT_ALIGN(xt_standard_target.sizeof);
	put_unaligned_le32(b, e + ipt_entry.sizeof + xt_standard_target.verdict, -verdict - 1);
	return size;
}

/** An empty table: a policy of ACCEPT for each of its hooks. */
function ipt_alloc_initial_table(net: net, template: xt_table_template): ipt_table_info | number {
	const esize = ipt_entry.sizeof + xt_standard_target.sizeof;
	let hooks = 0;
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) if ((template.valid_hooks & (1 << h)) !== 0) hooks++;
	const last = ipt_entry.sizeof + xt_error_target.sizeof;
	const b = new Uint8Array(hooks * esize + last);
	const entry = new Int32Array(NF_INET_NUMHOOKS).fill(-1);
	let e = 0;
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
		if ((template.valid_hooks & (1 << h)) === 0) continue;
		entry[h] = e;
		e += standard_entry(b, e, NF_ACCEPT);
	}
	b[e + ipt_entry.target_offset] = ipt_entry.sizeof;
	b[e + ipt_entry.next_offset] = last;
	b[e + ipt_entry.sizeof + xt_entry_target.target_size] = xt_error_target.sizeof;
	put_name(b, e + ipt_entry.sizeof + xt_entry_target.name, XT_ERROR_TARGET);
	put_name(b, e + ipt_entry.sizeof + xt_error_target.errorname, XT_ERROR_TARGET);
	return translate_table(net, template.name, template.valid_hooks, b, hooks + 1, entry, entry);
}

/**
 * Brings a table into a namespace with an empty ruleset, and hangs it on its hooks. `ops`: one for each hook, without priv.
 * Return: 0 or -errno.
 */
export function ipt_register_table(net: net, template: xt_table_template, ops: readonly nf_hook_ops[]): number {
	const info = ipt_alloc_initial_table(net, template);
	if (typeof info === 'number') return info;
	info.initial_entries = info.number;
	const table = new xt_table<ipt_table_info>(net, template, info);
	const err = xt_register_table(table);
	if (err < 0) return err;
	for (const o of ops) table.ops.push({ ...o, priv: table });
	return nf_register_net_hooks(net, table.ops);
}

export function ipt_unregister_table_pre_exit(net: net, name: string): void {
	const at = net.xt.tables[NFPROTO_IPV4].findIndex((t) => t.name === name);
	if (at < 0) return;
	const table = net.xt.tables[NFPROTO_IPV4][at] as xt_table<ipt_table_info>;
	nf_unregister_net_hooks(net, table.ops);
	ipt_cleanup_entries(net, table.private, table.private.number);
	net.xt.tables[NFPROTO_IPV4].splice(at, 1);
}

/** The compiled rules of a table that the namespace has; null when it has not. */
export function ipt_table_of(net: net, name: string): ipt_table_info | null {
	for (const t of net.xt.tables[NFPROTO_IPV4]) if (t.name === name) return t.private as ipt_table_info;
	return null;
}

// ---- userland's questions --------------------------------------------------------------------------------------------------------

function get_name(b: Uint8Array, o: number, max: number): string {
	let s = '';
	for (let i = 0; i < max && b[o + i] !== 0; i++) s += String.fromCharCode(b[o + i]);
	return s;
}

function get_counter(b: Uint8Array, o: number): number {
	return get_unaligned_le32(b, o) + get_unaligned_le32(b, o + 4) * 0x100000000;
}

function put_counter(b: Uint8Array, o: number, v: number): void {
	put_unaligned_le32(b, o, v % 0x100000000);
	put_unaligned_le32(b, o + 4, Math.floor(v / 0x100000000));
}

function find_table(net: net, name: string): xt_table<ipt_table_info> | null {
	return xt_find_table_lock(net, NFPROTO_IPV4, name) as xt_table<ipt_table_info> | null;
}

function get_info(net: net, user: Uint8Array): number {
	if (user.length !== ipt_getinfo.sizeof) return -EINVAL;
	const t = find_table(net, get_name(user, 0, XT_TABLE_MAXNAMELEN - 1));
	if (t === null) return -ENOENT;
	const info = t.private;
	put_unaligned_le32(user, ipt_getinfo.valid_hooks, t.valid_hooks);
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
		put_unaligned_le32(user, ipt_getinfo.hook_entry + 4 * h, info.hook_entry[h]);
		put_unaligned_le32(user, ipt_getinfo.underflow + 4 * h, info.underflow[h]);
	}
	put_unaligned_le32(user, ipt_getinfo.num_entries, info.number);
	put_unaligned_le32(user, ipt_getinfo.size, info.size);
	return ipt_getinfo.sizeof;
}

function get_entries(net: net, user: Uint8Array): number {
	if (user.length < ipt_get_entries.sizeof) return -EINVAL;
	const size = get_unaligned_le32(user, ipt_get_entries.size);
	if (user.length !== ipt_get_entries.sizeof + size) return -EINVAL;
	const t = find_table(net, get_name(user, 0, XT_TABLE_MAXNAMELEN - 1));
	if (t === null) return -ENOENT;
	const info = t.private;
	if (size !== info.size) return -EAGAIN;
	const at = ipt_get_entries.entrytable;
	user.set(info.entries, at);
	for (let i = 0; i < info.number; i++) {
		const c = at + info.offsets[i] + ipt_entry.counters;
		put_counter(user, c + xt_counters.pcnt, info.pcnt[i]);
		put_counter(user, c + xt_counters.bcnt, info.bcnt[i]);
	}
	return user.length;
}

function do_replace(net: net, arg: Uint8Array): number {
	if (arg.length < ipt_replace.sizeof) return -EINVAL;
	const valid_hooks = get_unaligned_le32(arg, ipt_replace.valid_hooks);
	const num_entries = get_unaligned_le32(arg, ipt_replace.num_entries);
	const size = get_unaligned_le32(arg, ipt_replace.size);
	const num_counters = get_unaligned_le32(arg, ipt_replace.num_counters);
	const counters = get_unaligned_le32(arg, ipt_replace.counters);
	if (num_counters >= 0x7fffffff / xt_counters.sizeof) return -ENOMEM;
	if (num_counters === 0) return -EINVAL;
	if (arg.length < ipt_replace.sizeof + size) return -EFAULT;
	const hook_entry = new Int32Array(NF_INET_NUMHOOKS);
	const underflow = new Int32Array(NF_INET_NUMHOOKS);
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
		hook_entry[h] = get_unaligned_le32(arg, ipt_replace.hook_entry + 4 * h);
		underflow[h] = get_unaligned_le32(arg, ipt_replace.underflow + 4 * h);
	}
	const name = get_name(arg, 0, XT_TABLE_MAXNAMELEN - 1);
	const entries = arg.slice(ipt_replace.entries, ipt_replace.entries + size);
	const info = translate_table(net, name, valid_hooks, entries, num_entries, hook_entry, underflow);
	if (typeof info === 'number') return info;
	const t = find_table(net, name);
	let err = 0;
	if (t === null) err = -ENOENT;
	else if (valid_hooks !== t.valid_hooks) err = -EINVAL;
	else if (num_counters !== t.private.number) err = -EAGAIN;
	else if (counters + num_counters * xt_counters.sizeof > arg.length) err = -EFAULT;
	if (err < 0 || t === null) {
		ipt_cleanup_entries(net, info, info.number);
		return err;
	}
	const old = t.private;
	info.initial_entries = old.initial_entries;
	t.private = info;
	for (let i = 0; i < old.number; i++) {
		put_counter(arg, counters + i * xt_counters.sizeof, old.pcnt[i]);
		put_counter(arg, counters + i * xt_counters.sizeof + xt_counters.bcnt, old.bcnt[i]);
	}
	ipt_cleanup_entries(net, old, old.number);
	return 0;
}

function do_add_counters(net: net, arg: Uint8Array): number {
	if (arg.length < xt_counters_info.sizeof) return -EINVAL;
	const n = get_unaligned_le32(arg, xt_counters_info.num_counters);
	if (arg.length !== xt_counters_info.sizeof + n * xt_counters.sizeof) return -EINVAL;
	const t = find_table(net, get_name(arg, 0, XT_TABLE_MAXNAMELEN - 1));
	if (t === null) return -ENOENT;
	const info = t.private;
	if (info.number !== n) return -EINVAL;
	for (let i = 0; i < n; i++) {
		const c = xt_counters_info.counters + i * xt_counters.sizeof;
		info.pcnt[i] += get_counter(arg, c + xt_counters.pcnt);
		info.bcnt[i] += get_counter(arg, c + xt_counters.bcnt);
	}
	return 0;
}

function do_ipt_set_ctl(sk: sock, cmd: number, arg: Uint8Array): number {
	switch (cmd) {
		case IPT_SO_SET_REPLACE:
			return do_replace(sk.net, arg);
		case IPT_SO_SET_ADD_COUNTERS:
			return do_add_counters(sk.net, arg);
		default:
			return -EINVAL;
	}
}

function do_ipt_get_ctl(sk: sock, cmd: number, user: Uint8Array): number {
	switch (cmd) {
		case IPT_SO_GET_INFO:
			return get_info(sk.net, user);
		case IPT_SO_GET_ENTRIES:
			return get_entries(sk.net, user);
		case IPT_SO_GET_REVISION_MATCH:
		case IPT_SO_GET_REVISION_TARGET: {
			if (user.length !== xt_get_revision.sizeof) return -EINVAL;
			return xt_find_revision(
				sk.net.machine,
				NFPROTO_IPV4,
				get_name(user, 0, XT_EXTENSION_MAXNAMELEN - 1),
				user[xt_get_revision.revision],
				cmd === IPT_SO_GET_REVISION_TARGET,
			);
		}
		default:
			return -EINVAL;
	}
}

/** A chain's head must never be reached. */
function ipt_error(_skb: sk_buff, _par: xt_action_param): number {
	return NF_DROP;
}

function parse_error(b: Uint8Array): unknown {
	return get_name(b, 0, XT_FUNCTION_MAXNAMELEN);
}

function ip_tables_net_init(_net: net): number {
	return 0;
}

const TABLES = ['filter', 'mangle', 'nat', 'raw', 'security'];

function ip_tables_net_exit(net: net): void {
	for (const name of TABLES) ipt_unregister_table_pre_exit(net, name);
}

export function ip_tables_init(machine: Machine): void {
	xt_register_target(machine, {
		name: XT_ERROR_TARGET,
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: XT_FUNCTION_MAXNAMELEN,
		parse: parse_error,
		target: ipt_error,
	});
	register_pernet_subsys(machine, { name: 'ip_tables', init: ip_tables_net_init, exit: ip_tables_net_exit });
	nf_register_sockopt(machine.nf.sockopts, {
		pf: NFPROTO_IPV4,
		set_optmin: IPT_BASE_CTL,
		set_optmax: IPT_SO_SET_MAX + 1,
		set: do_ipt_set_ctl,
		get_optmin: IPT_BASE_CTL,
		get_optmax: IPT_SO_GET_MAX + 1,
		get: do_ipt_get_ctl,
	});
}
