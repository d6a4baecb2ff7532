/*
 * net/sched/sch_fq.ts: fair queueing of flows, each paced by its socket.   Linux: net/sched/sch_fq.c. tc-fq(8)
 *
 * Each socket is a flow. A flow's turn is worth its credit in bytes (deficit round robin): new flows first, with initial_quantum, then the
 * old ones with quantum each time. TCP says by skb.tstamp when a segment may leave at the earliest (tcp_update_skb_after_send); a flow whose
 * first packet is early sleeps in `delayed` until the watchdog.
 *
 * Walk: fq_enqueue -> fq_classify -> (qdisc_run) fq_dequeue -> fq_check_throttled | the watchdog -> __netif_schedule.
 * Not here: bands and weights (6.7), ce_threshold, offload, TCA_FQ_BUCKETS_LOG's effect (flows are in a Map).
 */
import type { Machine } from '../../kernel/machine.ts';
import { hrtimer, hrtimer_cancel, hrtimer_start } from '../../kernel/time.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	type netlink_ext_ack,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_parse_nested_deprecated,
	nla_put_u8,
	nla_put_u32,
	type nlattr,
	type nlattr_table,
} from '../../lib/nlattr.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	TCA_FQ_BUCKETS_LOG,
	TCA_FQ_FLOW_MAX_RATE,
	TCA_FQ_FLOW_PLIMIT,
	TCA_FQ_FLOW_REFILL_DELAY,
	TCA_FQ_HORIZON,
	TCA_FQ_HORIZON_DROP,
	TCA_FQ_INITIAL_QUANTUM,
	TCA_FQ_LOW_RATE_THRESHOLD,
	TCA_FQ_MAX,
	TCA_FQ_ORPHAN_MASK,
	TCA_FQ_PLIMIT,
	TCA_FQ_QUANTUM,
	TCA_FQ_RATE_ENABLE,
	TCA_FQ_TIMER_SLACK,
} from '../../uapi/linux/pkt_sched.ts';
import { TCA_OPTIONS } from '../../uapi/linux/rtnetlink.ts';
import { NET_XMIT_SUCCESS } from '../core/dev_output.ts';
import { SKB_DROP_REASON_QDISC_DROP } from '../core/dropreason.ts';
import { kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import { __skb_dequeue, __skb_queue_tail, sk_buff_head } from '../core/skbuff_queue.ts';
import { type sock, TCP_LISTEN } from '../core/sock.ts';
import type { netlink_skb } from '../netlink/netlink.ts';
import {
	__netif_schedule,
	type Qdisc,
	type Qdisc_ops,
	qdisc_bstats_update,
	qdisc_drop,
	register_qdisc,
} from './sch_generic.ts';

const NSEC_PER_USEC = 1000;
const TC_PRIO_MAX = 15;
const TC_PRIO_CONTROL = 7;
/** sk_pacing_status: the qdisc paces. */
const SK_PACING_FQ = 2;
/** A flow that has been empty for so long (ns) is forgotten. */
const FQ_GC_AGE = 3e9;
const RATE_UNLIMITED = 0xffffffff;

const IDLE = 0;
const NEW = 1;
const OLD = 2;
const THROTTLED = 3;

/** One socket's packets. */
class fq_flow {
	key: sock | number;
	q: sk_buff_head = new sk_buff_head();
	credit = 0;
	/** Which list it is in. */
	state = IDLE;
	/** ns: not before. */
	time_next_packet = 0;
	/** ns when it became empty. */
	age = 0;

	constructor(key: sock | number) {
		this.key = key;
	}
}

class fq_sched_data {
	/** Packets of control, before all others. */
	internal: fq_flow = new fq_flow(-1);
	flows: Map<sock | number, fq_flow> = new Map();
	new_flows: fq_flow[] = [];
	old_flows: fq_flow[] = [];
	/** Throttled flows. */
	delayed: fq_flow[] = [];
	time_next_delayed_flow = Infinity;
	watchdog: hrtimer;
	flow_plimit = 100;
	quantum: number;
	initial_quantum: number;
	rate_enable = true;
	flow_max_rate = Infinity;
	flow_refill_delay = 40e6;
	orphan_mask = 1023;
	buckets_log = 10;
	low_rate_threshold = 550000 / 8;
	timer_slack = 10000;
	horizon = 10e9;
	horizon_drop = true;

	constructor(sch: Qdisc) {
		const mtu = sch.dev!.mtu + sch.dev!.hard_header_len;
		this.quantum = 2 * mtu;
		this.initial_quantum = 10 * mtu;
		this.watchdog = new hrtimer(sch.dev!.net.machine, fq_watchdog, sch, 'qdisc_watchdog');
	}
}

function fq_watchdog(timer: hrtimer): void {
	const sch = timer.owner as Qdisc;
	if (!sch.deactivated) __netif_schedule(sch);
}

function fq_gc(q: fq_sched_data, now: number): void {
	for (const [key, f] of q.flows) if (f.state === IDLE && now > f.age + FQ_GC_AGE) q.flows.delete(key);
}

/** The flow of a packet: its socket's, or one of those for packets that have none. */
function fq_classify(skb: sk_buff, sch: Qdisc, q: fq_sched_data): fq_flow {
	if ((skb.priority & TC_PRIO_MAX) === TC_PRIO_CONTROL) return q.internal;
	const { sk } = skb;
	const own = sk !== null && sk.sk_state !== TCP_LISTEN;
	const key = own ? sk : skb.hash & q.orphan_mask;
	let f = q.flows.get(key);
	if (f === undefined) {
		if (q.flows.size > 2 << q.buckets_log) fq_gc(q, sch.dev!.net.machine.clock.now);
		f = new fq_flow(key);
		f.credit = q.initial_quantum;
		q.flows.set(key, f);
		if (own && q.rate_enable) sk.sk_pacing_status = SK_PACING_FQ;
	}
	return f;
}

function fq_enqueue(skb: sk_buff, sch: Qdisc): number {
	const q = sch.priv as fq_sched_data;
	const now = skb.machine.clock.now;
	if (sch.qlen >= sch.limit) return qdisc_drop(skb, sch);
	if (skb.tstamp > now + q.horizon) {
		if (q.horizon_drop) return qdisc_drop(skb, sch);
		skb.tstamp = now + q.horizon;
	}
	const f = fq_classify(skb, sch, q);
	if (f !== q.internal) {
		if (f.q.qlen >= q.flow_plimit) return qdisc_drop(skb, sch);
		if (f.state === IDLE) {
			f.state = NEW;
			q.new_flows.push(f);
			if (now > f.age + q.flow_refill_delay) f.credit = Math.max(f.credit, q.quantum);
		}
	}
	__skb_queue_tail(f.q, skb);
	sch.qlen++;
	sch.backlog += skb.len;
	return NET_XMIT_SUCCESS;
}

/** Flows whose time has come are old flows again. */
function fq_check_throttled(q: fq_sched_data, now: number): void {
	if (q.time_next_delayed_flow > now) return;
	q.time_next_delayed_flow = Infinity;
	const still: fq_flow[] = [];
	q.delayed.sort((a, b) => a.time_next_packet - b.time_next_packet);
	for (const f of q.delayed) {
		if (f.time_next_packet > now) {
			still.push(f);
			q.time_next_delayed_flow = Math.min(q.time_next_delayed_flow, f.time_next_packet);
		} else {
			f.state = OLD;
			q.old_flows.push(f);
		}
	}
	q.delayed = still;
}

function fq_take(sch: Qdisc, f: fq_flow): sk_buff {
	const skb = __skb_dequeue(f.q)!;
	sch.qlen--;
	sch.backlog -= skb.len;
	// From here on it is no delivery time.
	skb.tstamp = -1;
	qdisc_bstats_update(sch, skb);
	return skb;
}

/** The rate that the qdisc itself holds a packet's flow to. `edt`: its socket said when it may leave. Return: the rate in bytes a second; Infinity for none. */
function fq_rate(q: fq_sched_data, skb: sk_buff, edt: boolean): number {
	let rate = q.flow_max_rate;
	if (!edt && skb.sk !== null) rate = Math.min(skb.sk.sk_pacing_rate, rate);
	return rate;
}

function fq_dequeue(sch: Qdisc): sk_buff | null {
	const q = sch.priv as fq_sched_data;
	if (sch.qlen === 0) return null;
	if (q.internal.q.first !== null) return fq_take(sch, q.internal);
	const now = sch.dev!.net.machine.clock.now;
	fq_check_throttled(q, now);
	for (;;) {
		const fresh = q.new_flows.length > 0;
		const list = fresh ? q.new_flows : q.old_flows;
		const f = list[0];
		if (f === undefined) {
			if (q.time_next_delayed_flow !== Infinity) hrtimer_start(q.watchdog, q.time_next_delayed_flow);
			return null;
		}
		if (f.credit <= 0) {
			f.credit += q.quantum;
			list.shift();
			f.state = OLD;
			q.old_flows.push(f);
			continue;
		}
		const head = f.q.first;
		if (head === null) {
			list.shift();
			// An empty new flow waits a round among the old ones, lest it comes as new at once.
			if (fresh && q.old_flows.length > 0) {
				f.state = OLD;
				q.old_flows.push(f);
			} else {
				f.state = IDLE;
				f.age = now;
			}
			continue;
		}
		const due = Math.max(head.tstamp, f.time_next_packet);
		if (now < due) {
			list.shift();
			f.time_next_packet = due;
			f.state = THROTTLED;
			q.delayed.push(f);
			sch.overlimits++;
			q.time_next_delayed_flow = Math.min(q.time_next_delayed_flow, due);
			continue;
		}
		const edt = head.tstamp > 0;
		const skb = fq_take(sch, f);
		f.credit -= skb.len;
		if (!q.rate_enable) return skb;
		const rate = fq_rate(q, skb, edt);
		let plen = skb.len;
		if (rate <= q.low_rate_threshold) f.credit = 0;
		else {
			plen = Math.max(plen, q.quantum);
			if (f.credit > 0) return skb;
		}
		if (rate !== Infinity && rate > 0) {
			// What was sent late is made up for, but not more than half.
			let len = Math.min((plen * 1e9) / rate, 1e9);
			if (f.time_next_packet > 0) len -= Math.min(len / 2, now - f.time_next_packet);
			f.time_next_packet = now + len;
		}
		return skb;
	}
}

function fq_reset(sch: Qdisc): void {
	const q = sch.priv as fq_sched_data;
	for (const f of [q.internal, ...q.flows.values()])
		for (let skb = __skb_dequeue(f.q); skb !== null; skb = __skb_dequeue(f.q))
			kfree_skb_reason(skb, SKB_DROP_REASON_QDISC_DROP, 'fq_reset');
	q.flows.clear();
	q.new_flows = [];
	q.old_flows = [];
	q.delayed = [];
	q.time_next_delayed_flow = Infinity;
	hrtimer_cancel(q.watchdog);
}

function fq_init(sch: Qdisc): number {
	sch.limit = 10000;
	sch.priv = new fq_sched_data(sch);
	return 0;
}

function fq_change(sch: Qdisc, opt: nlattr | null, extack: netlink_ext_ack | null): number {
	const q = sch.priv as fq_sched_data;
	if (opt === null) return -EINVAL;
	const tb: nlattr_table = [];
	const err = nla_parse_nested_deprecated(tb, TCA_FQ_MAX, opt, null, extack);
	if (err < 0) return err;
	const get = (type: number, byDefault: number): number => {
		const a = tb[type];
		return a === null || a === undefined || a.len < 4 ? byDefault : get_unaligned_le32(a.buf, a.off) >>> 0;
	};
	const quantum = get(TCA_FQ_QUANTUM, q.quantum);
	if (quantum === 0 || quantum > 1 << 20) return -EINVAL;
	q.quantum = quantum;
	sch.limit = get(TCA_FQ_PLIMIT, sch.limit);
	q.flow_plimit = get(TCA_FQ_FLOW_PLIMIT, q.flow_plimit);
	q.initial_quantum = get(TCA_FQ_INITIAL_QUANTUM, q.initial_quantum);
	const max = get(TCA_FQ_FLOW_MAX_RATE, q.flow_max_rate === Infinity ? RATE_UNLIMITED : q.flow_max_rate);
	q.flow_max_rate = max === RATE_UNLIMITED ? Infinity : max;
	q.rate_enable = get(TCA_FQ_RATE_ENABLE, Number(q.rate_enable)) !== 0;
	q.horizon = get(TCA_FQ_HORIZON, q.horizon / NSEC_PER_USEC) * NSEC_PER_USEC;
	q.orphan_mask = get(TCA_FQ_ORPHAN_MASK, q.orphan_mask);
	return 0;
}

function fq_dump(sch: Qdisc, skb: netlink_skb): void {
	const q = sch.priv as fq_sched_data;
	const nest = nla_nest_start_noflag(skb, TCA_OPTIONS);
	nla_put_u32(skb, TCA_FQ_PLIMIT, sch.limit);
	nla_put_u32(skb, TCA_FQ_FLOW_PLIMIT, q.flow_plimit);
	nla_put_u32(skb, TCA_FQ_QUANTUM, q.quantum);
	nla_put_u32(skb, TCA_FQ_INITIAL_QUANTUM, q.initial_quantum);
	nla_put_u32(skb, TCA_FQ_RATE_ENABLE, Number(q.rate_enable));
	nla_put_u32(skb, TCA_FQ_FLOW_MAX_RATE, q.flow_max_rate === Infinity ? RATE_UNLIMITED : q.flow_max_rate);
	nla_put_u32(skb, TCA_FQ_FLOW_REFILL_DELAY, q.flow_refill_delay / NSEC_PER_USEC);
	nla_put_u32(skb, TCA_FQ_ORPHAN_MASK, q.orphan_mask);
	nla_put_u32(skb, TCA_FQ_LOW_RATE_THRESHOLD, q.low_rate_threshold);
	nla_put_u32(skb, TCA_FQ_BUCKETS_LOG, q.buckets_log);
	nla_put_u32(skb, TCA_FQ_TIMER_SLACK, q.timer_slack);
	nla_put_u32(skb, TCA_FQ_HORIZON, q.horizon / NSEC_PER_USEC);
	nla_put_u8(skb, TCA_FQ_HORIZON_DROP, Number(q.horizon_drop));
	nla_nest_end(skb, nest);
}

const fq_qdisc_ops: Qdisc_ops = {
	id: 'fq',
	enqueue: fq_enqueue,
	dequeue: fq_dequeue,
	init: fq_init,
	reset: fq_reset,
	attach: null,
	change_tx_queue_len: null,
	change: fq_change,
	dump: fq_dump,
};

export function sch_fq_init(machine: Machine): void {
	register_qdisc(machine, fq_qdisc_ops);
}
