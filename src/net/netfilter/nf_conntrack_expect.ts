/*
 * net/netfilter/nf_conntrack_expect.ts: flows that another flow announced.   Linux: net/netfilter/nf_conntrack_expect.c
 * A helper (or userland) says which tuple it expects; the first packet that fits begins a RELATED flow whose master is the announcing one.
 * Walk: nf_ct_expect_alloc, nf_ct_expect_init, nf_ct_expect_related; init_conntrack -> nf_ct_find_expectation.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ, mod_timer, timer_delete, timer_list } from '../../kernel/time.ts';
import { EBUSY, EMFILE } from '../../uapi/asm-generic/errno.ts';
import {
	IPEXP_DESTROY,
	IPEXP_NEW,
	NF_CT_EXPECT_INACTIVE,
	NF_CT_EXPECT_PERMANENT,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import type { net } from '../core/net_namespace.ts';
import { type nf_conn, nf_conntrack_tuple, nf_ct_ext_add, nf_ct_is_dying } from './nf_conntrack_core.ts';
import type { nf_conntrack_helper } from './nf_conntrack_helper.ts';

export class nf_conntrack_expect {
	tuple = new nf_conntrack_tuple();
	/** Which bits of the source (address, port) must fit; the destination's always must. */
	mask_src_ip = 0;
	mask_src_u = 0;
	master: nf_conn;
	expectfn: ((ct: nf_conn, exp: nf_conntrack_expect) => void) | null = null;
	/** For the flow that comes. */
	helper: nf_conntrack_helper | null = null;
	/** NF_CT_EXPECT_* */
	flags = 0;
	class = 0;
	id: number;
	timeout: timer_list;
	/** What NAT did to it. */
	saved_addr = 0;
	saved_proto = 0;
	dir = 0;

	constructor(master: nf_conn) {
		const machine = master.net.machine;
		this.master = master;
		this.id = machine.ct.next_id = (machine.ct.next_id + 1) & 0x3fffffff;
		this.timeout = new timer_list(machine, nf_ct_expectation_timed_out, this, 'nf_ct_expectation_timed_out');
	}
}

/** Expectations of a machine. They are few: one list. */
export class nf_conntrack_expect_table {
	list: nf_conntrack_expect[] = [];
}

function table(machine: Machine): nf_conntrack_expect_table {
	if (machine.ct.expect === null) machine.ct.expect = new nf_conntrack_expect_table();
	return machine.ct.expect;
}

function nf_ct_expectation_timed_out(timer: timer_list): void {
	nf_ct_unlink_expect_report(timer.owner as nf_conntrack_expect, 0, false);
}

export function nf_ct_expect_alloc(master: nf_conn): nf_conntrack_expect {
	return new nf_conntrack_expect(master);
}

/** Addresses and ports in host order; `saddr`, `src` of -1 mean any. */
export function nf_ct_expect_init(
	exp: nf_conntrack_expect,
	class_: number,
	saddr: number,
	daddr: number,
	proto: number,
	src: number,
	dst: number,
): void {
	exp.class = class_;
	exp.tuple.protonum = proto;
	exp.tuple.src_ip = saddr < 0 ? 0 : saddr | 0;
	exp.mask_src_ip = saddr < 0 ? 0 : -1;
	exp.tuple.src_u = src < 0 ? 0 : src;
	exp.mask_src_u = src < 0 ? 0 : 0xffff;
	exp.tuple.dst_ip = daddr | 0;
	exp.tuple.dst_u = dst;
}

function expect_matches(exp: nf_conntrack_expect, t: nf_conntrack_tuple): boolean {
	return (
		exp.tuple.dst_ip === t.dst_ip &&
		exp.tuple.dst_u === t.dst_u &&
		exp.tuple.protonum === t.protonum &&
		((exp.tuple.src_ip ^ t.src_ip) & exp.mask_src_ip) === 0 &&
		((exp.tuple.src_u ^ t.src_u) & exp.mask_src_u) === 0
	);
}

function same_expectation(a: nf_conntrack_expect, b: nf_conntrack_expect): boolean {
	return expect_matches(a, b.tuple) && a.mask_src_ip === b.mask_src_ip && a.mask_src_u === b.mask_src_u;
}

/** The expectation that `tuple` fits, or null. */
export function __nf_ct_expect_find(net: net, zone: number, tuple: nf_conntrack_tuple): nf_conntrack_expect | null {
	const t = net.machine.ct.expect;
	if (t === null) return null;
	for (const exp of t.list) {
		if (exp.master.net === net && exp.master.zone === zone && expect_matches(exp, tuple)) return exp;
	}
	return null;
}

/** As __nf_ct_expect_find for a packet that begins a flow: an expectation that is not permanent is used up (`unlink`). */
export function nf_ct_find_expectation(
	net: net,
	zone: number,
	tuple: nf_conntrack_tuple,
	unlink: boolean,
): nf_conntrack_expect | null {
	const exp = __nf_ct_expect_find(net, zone, tuple);
	if (exp === null || (exp.flags & NF_CT_EXPECT_INACTIVE) !== 0 || nf_ct_is_dying(exp.master)) return null;
	if ((exp.flags & NF_CT_EXPECT_PERMANENT) === 0 && unlink) nf_ct_unlink_expect_report(exp, 0, false);
	return exp;
}

/** Announces `exp`. Return: 0, -EBUSY when another flow expects the same, -EMFILE when there are too many. */
export function nf_ct_expect_related_report(exp: nf_conntrack_expect, portid: number, report: boolean): number {
	const net = exp.master.net;
	const g = net.machine.ct;
	const t = table(net.machine);
	for (const old of t.list) {
		if (old.master.net !== net || !same_expectation(old, exp)) continue;
		if (old.master === exp.master && old.class === exp.class) {
			nf_ct_unlink_expect_report(old, 0, false);
			break;
		}
		return -EBUSY;
	}
	if (net.ct.expect_count >= g.nf_ct_expect_max) return -EMFILE;
	const help = exp.master.ext !== null ? exp.master.ext.help : null;
	const mine = nf_ct_ext_add(exp.master);
	if (mine.expectations === null) mine.expectations = [];
	let seconds = 300;
	if (help !== null && exp.class < help.helper.expect_policy.length) {
		const policy = help.helper.expect_policy[exp.class];
		seconds = policy.timeout;
		// Too many at once: the oldest goes.
		const same = mine.expectations.filter((e) => e.class === exp.class);
		if (policy.max_expected > 0 && same.length >= policy.max_expected) nf_ct_unlink_expect_report(same[0], 0, false);
	}
	mine.expectations.push(exp);
	t.list.push(exp);
	net.ct.expect_count++;
	net.ct.stat.expect_create++;
	if (exp.timeout.expires === 0) mod_timer(exp.timeout, net.machine.jiffies + seconds * HZ);
	else mod_timer(exp.timeout, exp.timeout.expires);
	if (g.event_notifier !== null) g.event_notifier.exp_event(1 << IPEXP_NEW, exp, portid, report);
	return 0;
}

export function nf_ct_expect_related(exp: nf_conntrack_expect): number {
	return nf_ct_expect_related_report(exp, 0, false);
}

/** Takes `exp` back. */
export function nf_ct_unlink_expect_report(exp: nf_conntrack_expect, portid: number, report: boolean): void {
	const net = exp.master.net;
	const t = table(net.machine);
	const at = t.list.indexOf(exp);
	if (at < 0) return;
	timer_delete(exp.timeout);
	t.list.splice(at, 1);
	const mine = exp.master.ext !== null ? exp.master.ext.expectations : null;
	if (mine !== null) {
		const i = mine.indexOf(exp);
		if (i >= 0) mine.splice(i, 1);
	}
	net.ct.expect_count--;
	net.ct.stat.expect_delete++;
	const notifier = net.machine.ct.event_notifier;
	if (notifier !== null) notifier.exp_event(1 << IPEXP_DESTROY, exp, portid, report);
}

/** Takes back all that `ct` announced. */
export function nf_ct_remove_expectations(ct: nf_conn): void {
	const mine = ct.ext !== null ? ct.ext.expectations : null;
	if (mine === null) return;
	for (const exp of mine.slice()) nf_ct_unlink_expect_report(exp, 0, false);
}

/** Takes back those of `net` for which `iter` says true. */
export function nf_ct_expect_iterate_net(
	net: net,
	iter: (exp: nf_conntrack_expect, data: unknown) => boolean,
	data: unknown,
	portid: number,
	report: boolean,
): void {
	const t = net.machine.ct.expect;
	if (t === null) return;
	for (const exp of t.list.slice()) {
		if (exp.master.net === net && iter(exp, data)) nf_ct_unlink_expect_report(exp, portid, report);
	}
}

/** Those of `net`. */
export function nf_ct_expectations(net: net): nf_conntrack_expect[] {
	const t = net.machine.ct.expect;
	return t === null ? [] : t.list.filter((e) => e.master.net === net);
}
