/*
 * net/netfilter/x_tables.ts: what the rule tables of all families share.           Linux: net/netfilter/x_tables.c, linux/netfilter/x_tables.h
 *
 * Walk: an extension registers a match or target (`xt_register_match`), a table a template (`xt_register_template`); userland's first
 * question for a table brings it into the namespace (`xt_find_table_lock`); `ip_tables.ts` compiles the rules that userland writes.
 *
 * An extension is one small file: it parses its binary info once, at rule load, into a plain object of its own, and looks only at that
 * object when a packet comes.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { EEXIST, EINVAL, ENOENT, EPROTONOSUPPORT } from '../../uapi/asm-generic/errno.ts';
import { XT_ALIGN } from '../../uapi/linux/netfilter/x_tables.ts';
import { NFPROTO_IPV4, NFPROTO_NUMPROTO, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import { register_pernet_subsys } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { nf_hook_ops, nf_hook_state } from './core.ts';

/** What a match or target is told of the packet and of its own rule. One per nesting level, reused. */
export class xt_action_param {
	match: xt_match | null = null;
	target: xt_target | null = null;
	/** What the extension's `parse` made. */
	matchinfo: unknown = null;
	targinfo: unknown = null;
	state!: nf_hook_state;
	/** Where the transport header starts, in bytes from the network header. */
	thoff = 0;
	/** Fragment offset in 8-byte units; 0 for the first fragment and for whole packets. */
	fragoff = 0;
	/** Set by a match to have the packet dropped at once. */
	hotdrop = false;
}

/** What `checkentry` is told of the rule. */
export interface xt_mtchk_param {
	net: net;
	table: string;
	match: xt_match;
	matchinfo: unknown;
	/** Hooks that the rule can be reached from: bit per NF_INET_*. */
	hook_mask: number;
	family: number;
	/** The rule's -p, and whether it is inverted. */
	proto: number;
	invproto: boolean;
}

export interface xt_tgchk_param {
	net: net;
	table: string;
	target: xt_target;
	targinfo: unknown;
	hook_mask: number;
	family: number;
	proto: number;
	invproto: boolean;
	/** The rule's matches. */
	ematches: readonly xt_ematch[];
}

export interface xt_match_ops {
	name: string;
	revision: number;
	family: number;
	/** Size of the binary info before alignment; -1 when it varies. */
	matchsize: number;
	/** Bytes of it that userland may read back; the kernel's own behind them read as zero. 0: all. */
	usersize?: number;
	/** The one table it is for; '' for any. */
	table?: string;
	/** Hooks that it may be reached from; 0 for any. */
	hooks?: number;
	/** The -p that it needs; 0 for any. */
	proto?: number;
	/** Binary info to the object that `match` will see, or -errno. Must not keep `b`. */
	parse: (b: Uint8Array) => unknown;
	/** Context: softirq; borrows skb. */
	match: (skb: sk_buff, par: xt_action_param) => boolean;
	/** Return: 0 or -errno. */
	checkentry?: (par: xt_mtchk_param) => number;
	destroy?: (net: net, matchinfo: unknown) => void;
}

export interface xt_target_ops {
	name: string;
	revision: number;
	family: number;
	targetsize: number;
	usersize?: number;
	table?: string;
	hooks?: number;
	proto?: number;
	parse: (b: Uint8Array) => unknown;
	/** Context: softirq; borrows skb unless the verdict is NF_STOLEN. Return: a verdict or XT_CONTINUE. */
	target: (skb: sk_buff, par: xt_action_param) => number;
	checkentry?: (par: xt_tgchk_param) => number;
	destroy?: (net: net, targinfo: unknown) => void;
}

/** The target has no verdict: the next rule is looked at. */
export const XT_CONTINUE = -1;

export class xt_match {
	name: string;
	revision: number;
	family: number;
	matchsize: number;
	usersize: number;
	table: string;
	hooks: number;
	proto: number;
	parse: (b: Uint8Array) => unknown;
	match: (skb: sk_buff, par: xt_action_param) => boolean;
	checkentry: ((par: xt_mtchk_param) => number) | null;
	destroy: ((net: net, matchinfo: unknown) => void) | null;

	constructor(ops: xt_match_ops) {
		this.name = ops.name;
		this.revision = ops.revision;
		this.family = ops.family;
		this.matchsize = ops.matchsize;
		this.usersize = ops.usersize ?? 0;
		this.table = ops.table ?? '';
		this.hooks = ops.hooks ?? 0;
		this.proto = ops.proto ?? 0;
		this.parse = ops.parse;
		this.match = ops.match;
		this.checkentry = ops.checkentry ?? null;
		this.destroy = ops.destroy ?? null;
	}
}

export class xt_target {
	name: string;
	revision: number;
	family: number;
	targetsize: number;
	usersize: number;
	table: string;
	hooks: number;
	proto: number;
	parse: (b: Uint8Array) => unknown;
	target: (skb: sk_buff, par: xt_action_param) => number;
	checkentry: ((par: xt_tgchk_param) => number) | null;
	destroy: ((net: net, targinfo: unknown) => void) | null;

	constructor(ops: xt_target_ops) {
		this.name = ops.name;
		this.revision = ops.revision;
		this.family = ops.family;
		this.targetsize = ops.targetsize;
		this.usersize = ops.usersize ?? 0;
		this.table = ops.table ?? '';
		this.hooks = ops.hooks ?? 0;
		this.proto = ops.proto ?? 0;
		this.parse = ops.parse;
		this.target = ops.target;
		this.checkentry = ops.checkentry ?? null;
		this.destroy = ops.destroy ?? null;
	}
}

/** A match of one rule, with its parsed info. */
export class xt_ematch {
	match: xt_match;
	info: unknown;

	constructor(match: xt_match, info: unknown) {
		this.match = match;
		this.info = info;
	}
}

/** A rule's target that is an extension. */
export class xt_etarget {
	target: xt_target;
	info: unknown;

	constructor(target: xt_target, info: unknown) {
		this.target = target;
		this.info = info;
	}
}

/** A table that may be asked for. Linux: struct xt_table as modules declare it. */
export interface xt_table_template {
	name: string;
	valid_hooks: number;
	af: number;
	priority: number;
	/** Brings the table into `net`. Return: 0 or -errno. */
	table_init: (net: net) => number;
}

/** A table of a namespace. `private` is the family's compiled ruleset (ip_tables: ipt_table_info). */
export class xt_table<T = unknown> {
	name: string;
	net: net;
	valid_hooks: number;
	af: number;
	priority: number;
	private: T;
	/** The hooks registered for it. */
	ops: nf_hook_ops[] = [];

	constructor(net: net, template: xt_table_template, info: T) {
		this.net = net;
		this.name = template.name;
		this.valid_hooks = template.valid_hooks;
		this.af = template.af;
		this.priority = template.priority;
		this.private = info;
	}
}

/** Work space of one run through a table; runs nest when a target sends a packet. */
export class xt_frame {
	par: xt_action_param = new xt_action_param();
	/** Rules to return to. */
	jumpstack: Int32Array = new Int32Array(16);
}

/** The machine's matches, targets and templates, the newest first, as Linux lists them. */
export class xt_global {
	matches: xt_match[] = [];
	targets: xt_target[] = [];
	templates: xt_table_template[] = [];
	frames: xt_frame[] = [];
	/** A copy that TEE made is on its way out. */
	in_nf_duplicate = false;
	depth = 0;
}

/** A namespace's tables by family, the newest first. */
export class netns_xt {
	tables: xt_table[][] = [];
	/** What extensions keep per namespace, by extension name. */
	priv: Map<string, unknown> = new Map();
}

function xt_net_init(net: net): number {
	const xt = new netns_xt();
	for (let af = 0; af < NFPROTO_NUMPROTO; af++) xt.tables.push([]);
	net.xt = xt;
	return 0;
}

function xt_net_exit(_net: net): void {}

export function xt_init(machine: Machine): void {
	machine.xt = new xt_global();
	register_pernet_subsys(machine, { name: 'x_tables', init: xt_net_init, exit: xt_net_exit });
}

// ---- extensions ------------------------------------------------------------------------------------------------------------------

export function xt_register_match(machine: Machine, ops: xt_match_ops): number {
	machine.xt.matches.unshift(new xt_match(ops));
	return 0;
}

export function xt_register_matches(machine: Machine, list: readonly xt_match_ops[]): number {
	for (const ops of list) xt_register_match(machine, ops);
	return 0;
}

export function xt_register_target(machine: Machine, ops: xt_target_ops): number {
	machine.xt.targets.unshift(new xt_target(ops));
	return 0;
}

export function xt_register_targets(machine: Machine, list: readonly xt_target_ops[]): number {
	for (const ops of list) xt_register_target(machine, ops);
	return 0;
}

/** Return: the match, or null. */
export function xt_find_match(machine: Machine, af: number, name: string, revision: number): xt_match | null {
	for (const m of machine.xt.matches) {
		if (m.name === name && m.revision === revision && (m.family === af || m.family === NFPROTO_UNSPEC)) return m;
	}
	return null;
}

export function xt_find_target(machine: Machine, af: number, name: string, revision: number): xt_target | null {
	for (const t of machine.xt.targets) {
		if (t.name === name && t.revision === revision && (t.family === af || t.family === NFPROTO_UNSPEC)) return t;
	}
	return null;
}

/** Whether `revision` of an extension exists. Return: the best revision there is, -EPROTONOSUPPORT when not this one, -ENOENT when none. */
export function xt_find_revision(
	machine: Machine,
	af: number,
	name: string,
	revision: number,
	target: boolean,
): number {
	let best = -1;
	let have = false;
	for (const e of target ? machine.xt.targets : machine.xt.matches) {
		if (e.name !== name || (e.family !== af && e.family !== NFPROTO_UNSPEC)) continue;
		if (e.revision > best) best = e.revision;
		if (e.revision === revision) have = true;
	}
	if (best === -1) return -ENOENT;
	return have ? best : -EPROTONOSUPPORT;
}

const HOOK_NAMES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

function hooks_text(mask: number): string {
	let s = '';
	for (let h = 0; h < HOOK_NAMES.length; h++) if ((mask & (1 << h)) !== 0) s += (s === '' ? '' : '/') + HOOK_NAMES[h];
	return s;
}

function xt_prefix(af: number): string {
	return af === NFPROTO_IPV4 ? 'ip' : 'x';
}

/** Whether a match may stand in this rule. `size`: of the info as userland sent it. Return: 0 or -errno. */
export function xt_check_match(par: xt_mtchk_param, size: number): number {
	const m = par.match;
	const machine = par.net.machine;
	const prefix = xt_prefix(par.family);
	if (m.matchsize !== -1 && XT_ALIGN(m.matchsize) !== size) {
		printk(
			machine,
			3,
			`x_tables: ${prefix}_tables: ${m.name}.${m.revision} match: invalid size ${XT_ALIGN(m.matchsize)} (kernel) != (user) ${size}`,
		);
		return -EINVAL;
	}
	if (m.table !== '' && m.table !== par.table) {
		printk(machine, 6, `x_tables: ${prefix}_tables: ${m.name} match: only valid in ${m.table} table, not ${par.table}`);
		return -EINVAL;
	}
	if (m.hooks !== 0 && (par.hook_mask & ~m.hooks) !== 0) {
		printk(
			machine,
			6,
			`x_tables: ${prefix}_tables: ${m.name} match: used from hooks ${hooks_text(par.hook_mask)}, but only valid from ${hooks_text(m.hooks)}`,
		);
		return -EINVAL;
	}
	if (m.proto !== 0 && (m.proto !== par.proto || par.invproto)) {
		printk(machine, 6, `x_tables: ${prefix}_tables: ${m.name} match: only valid for protocol ${m.proto}`);
		return -EINVAL;
	}
	return m.checkentry !== null ? m.checkentry(par) : 0;
}

/** Whether a target may stand in this rule. Return: 0 or -errno. */
export function xt_check_target(par: xt_tgchk_param, size: number): number {
	const t = par.target;
	const machine = par.net.machine;
	const prefix = xt_prefix(par.family);
	if (t.targetsize !== -1 && XT_ALIGN(t.targetsize) !== size) {
		printk(
			machine,
			3,
			`x_tables: ${prefix}_tables: ${t.name}.${t.revision} target: invalid size ${XT_ALIGN(t.targetsize)} (kernel) != (user) ${size}`,
		);
		return -EINVAL;
	}
	if (t.table !== '' && t.table !== par.table) {
		printk(
			machine,
			6,
			`x_tables: ${prefix}_tables: ${t.name} target: only valid in ${t.table} table, not ${par.table}`,
		);
		return -EINVAL;
	}
	if (t.hooks !== 0 && (par.hook_mask & ~t.hooks) !== 0) {
		printk(
			machine,
			6,
			`x_tables: ${prefix}_tables: ${t.name} target: used from hooks ${hooks_text(par.hook_mask)}, but only usable from ${hooks_text(t.hooks)}`,
		);
		return -EINVAL;
	}
	if (t.proto !== 0 && (t.proto !== par.proto || par.invproto)) {
		printk(machine, 6, `x_tables: ${prefix}_tables: ${t.name} target: only valid for protocol ${t.proto}`);
		return -EINVAL;
	}
	return t.checkentry !== null ? t.checkentry(par) : 0;
}

// ---- tables ----------------------------------------------------------------------------------------------------------------------

export function xt_register_template(machine: Machine, template: xt_table_template): number {
	for (const t of machine.xt.templates) if (t.af === template.af && t.name === template.name) return -EEXIST;
	machine.xt.templates.push(template);
	return 0;
}

/** A table that is there already; null when not. */
export function xt_find_table(net: net, af: number, name: string): xt_table | null {
	for (const t of net.xt.tables[af]) if (t.name === name) return t;
	return null;
}

/** The table, made now when the namespace has none yet (in Linux: loads the module). Return: null when there is no such table. */
export function xt_find_table_lock(net: net, af: number, name: string): xt_table | null {
	const there = xt_find_table(net, af, name);
	if (there !== null) return there;
	for (const t of net.machine.xt.templates) {
		if (t.af === af && t.name === name) return t.table_init(net) < 0 ? null : xt_find_table(net, af, name);
	}
	return null;
}

/** Puts a table into its namespace. Return: 0 or -EEXIST. */
export function xt_register_table<T>(table: xt_table<T>): number {
	const list = table.net.xt.tables[table.af];
	for (const t of list) if (t.name === table.name) return -EEXIST;
	list.unshift(table);
	return 0;
}

/** A frame for one run through a table. Give it back with `xt_frame_put`. */
export function xt_frame_get(xt: xt_global, stacksize: number): xt_frame {
	const depth = xt.depth++;
	let f = xt.frames[depth];
	if (f === undefined) {
		f = new xt_frame();
		xt.frames.push(f);
	}
	if (f.jumpstack.length < stacksize) f.jumpstack = new Int32Array(stacksize * 2);
	return f;
}

export function xt_frame_put(xt: xt_global): void {
	xt.depth--;
}

/** Text of /proc/net/ip_tables_names. */
export function xt_table_names(net: net, af: number): string {
	let s = '';
	for (const t of net.xt.tables[af]) s += t.name + '\n';
	return s;
}

/** Text of /proc/net/ip_tables_matches or _targets: those of the family after those of all. */
export function xt_extension_names(machine: Machine, af: number, targets: boolean): string {
	let s = '';
	for (const family of [NFPROTO_UNSPEC, af]) {
		for (const e of targets ? machine.xt.targets : machine.xt.matches) {
			if (e.family === family && e.name !== '') s += e.name + '\n';
		}
	}
	return s;
}
