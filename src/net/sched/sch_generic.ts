/*
 * net/sched/sch_generic.ts: queueing disciplines and what runs them.   Linux: net/sched/sch_generic.c, sch_api.c, net/sch_generic.h
 *
 * Walk: __dev_xmit_skb -> qdisc.enqueue -> __qdisc_run -> dequeue -> sch_direct_xmit -> the driver; a stopped queue requeues (gso_skb),
 *       and netif_tx_wake_queue -> NET_TX softirq -> net_tx_action -> qdisc_run takes it up again.
 * noop, noqueue, pfifo_fast, mq. sch_fifo.ts: pfifo, bfifo; sch_fq.ts: fq; sch_api.ts: what `tc` asks. Not here yet: classes, filters, other qdiscs.
 */

import type { Machine } from '../../kernel/machine.ts';
import { NET_TX_SOFTIRQ, raise_softirq } from '../../kernel/softirq.ts';
import { trace_event } from '../../kernel/trace.ts';
import { type netlink_ext_ack, nla_put, type nlattr } from '../../lib/nlattr.ts';
import { EEXIST } from '../../uapi/asm-generic/errno.ts';
import { TCA_OPTIONS } from '../../uapi/linux/rtnetlink.ts';
import {
	dev_hard_start_xmit,
	dev_xmit_complete,
	NET_XMIT_CN,
	NET_XMIT_DROP,
	NET_XMIT_SUCCESS,
	validate_xmit_skb,
	validate_xmit_skb_list,
} from '../core/dev_output.ts';
import { SKB_DROP_REASON_QDISC_DROP } from '../core/dropreason.ts';
import { IFF_NO_QUEUE, type net_device, netdev_queue } from '../core/netdevice.ts';
import { kfree_skb_list_reason, kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import { __skb_dequeue, __skb_queue_tail, sk_buff_head } from '../core/skbuff_queue.ts';
import type { netlink_skb } from '../netlink/netlink.ts';

export const TCQ_F_BUILTIN = 1;
export const TCQ_F_CAN_BYPASS = 4;
export const TCQ_F_MQROOT = 8;
export const TCQ_F_ONETXQUEUE = 0x10;

export interface Qdisc_ops {
	id: string;
	/** Takes skb, or drops it with kfree_skb_reason. Return: NET_XMIT_*. */
	enqueue: ((skb: sk_buff, sch: Qdisc) => number) | null;
	dequeue: (sch: Qdisc) => sk_buff | null;
	init: ((sch: Qdisc) => number) | null;
	reset: ((sch: Qdisc) => void) | null;
	attach: ((sch: Qdisc) => void) | null;
	change_tx_queue_len: ((sch: Qdisc, len: number) => void) | null;
	/** TCA_OPTIONS of `tc qdisc add` and change. Return: 0 or -errno. Not there: takes none. */
	change?: (sch: Qdisc, opt: nlattr | null, extack: netlink_ext_ack | null) => number;
	/** Writes TCA_OPTIONS. Not there: it has none. */
	dump?: (sch: Qdisc, skb: netlink_skb) => void;
}

export class Qdisc {
	ops: Qdisc_ops;
	enqueue: Qdisc_ops['enqueue'];
	dequeue: Qdisc_ops['dequeue'];
	flags: number;
	/** major:minor; 0 for those that nobody made by name. */
	handle = 0;
	parent = 0xffffffff; // TC_H_ROOT
	limit = 0;
	dev: net_device | null;
	dev_queue: netdev_queue | null;
	/** A packet that the driver did not take; it goes first. */
	gso_skb: sk_buff | null = null;
	running = false;
	/** In softnet_data.output_queue. */
	scheduled = false;
	deactivated = true;
	/** A plain queue's packets, or one per band. */
	q: sk_buff_head[] = [];
	bitmap = 0;
	/** Packets held, requeued ones included. */
	qlen = 0;
	backlog = 0;
	drops = 0;
	requeues = 0;
	overlimits = 0;
	bytes = 0;
	packets = 0;
	/** The qdisc's own. */
	priv: unknown = null;

	constructor(ops: Qdisc_ops, dev_queue: netdev_queue | null) {
		this.ops = ops;
		this.enqueue = ops.enqueue;
		this.dequeue = ops.dequeue;
		this.flags = 0;
		this.dev_queue = dev_queue;
		this.dev = dev_queue !== null ? dev_queue.dev : null;
	}
}

// ---- the built-in ones -----------------------------------------------------------------------------------------------------------

function noop_enqueue(skb: sk_buff, _sch: Qdisc): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_QDISC_DROP, '__dev_queue_xmit');
	return NET_XMIT_CN;
}

function noop_dequeue(_sch: Qdisc): sk_buff | null {
	return null;
}

const noop_qdisc_ops: Qdisc_ops = {
	id: 'noop',
	enqueue: noop_enqueue,
	dequeue: noop_dequeue,
	init: null,
	reset: null,
	attach: null,
	change_tx_queue_len: null,
};

/** No queue at all: packets go straight to the driver. */
const noqueue_qdisc_ops: Qdisc_ops = {
	id: 'noqueue',
	enqueue: null,
	dequeue: noop_dequeue,
	init: null,
	reset: null,
	attach: null,
	change_tx_queue_len: null,
};

/** Band by TC_PRIO_* (skb.priority & 15), as `tc qdisc show` prints it. */
const prio2band = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
const PFIFO_FAST_BANDS = 3;

function pfifo_fast_enqueue(skb: sk_buff, sch: Qdisc): number {
	const band = prio2band[skb.priority & 15];
	const list = sch.q[band];
	if (list.qlen >= sch.limit) return qdisc_drop(skb, sch);
	const len = skb.len;
	__skb_queue_tail(list, skb);
	sch.bitmap |= 1 << band;
	sch.qlen++;
	sch.backlog += len;
	return NET_XMIT_SUCCESS;
}

function pfifo_fast_dequeue(sch: Qdisc): sk_buff | null {
	const bitmap = sch.bitmap;
	if (bitmap === 0) return null;
	const band = bitmap & 1 ? 0 : bitmap & 2 ? 1 : 2;
	const list = sch.q[band];
	const skb = __skb_dequeue(list);
	if (list.qlen === 0) sch.bitmap &= ~(1 << band);
	if (skb !== null) {
		sch.qlen--;
		sch.backlog -= skb.len;
		qdisc_bstats_update(sch, skb);
	}
	return skb;
}

function pfifo_fast_init(sch: Qdisc): number {
	for (let b = 0; b < PFIFO_FAST_BANDS; b++) sch.q.push(new sk_buff_head());
	sch.limit = sch.dev!.tx_queue_len;
	sch.flags |= TCQ_F_CAN_BYPASS;
	return sch.limit > 0 ? 0 : -22;
}

function pfifo_fast_change_tx_queue_len(sch: Qdisc, len: number): void {
	sch.limit = len;
	for (const list of sch.q) {
		while (list.qlen > len) {
			const skb = __skb_dequeue(list)!;
			sch.qlen--;
			sch.backlog -= skb.len;
			kfree_skb_reason(skb, SKB_DROP_REASON_QDISC_DROP, 'pfifo_fast_change_tx_queue_len');
		}
	}
}

/** struct tc_prio_qopt. */
function pfifo_fast_dump(_sch: Qdisc, skb: netlink_skb): void {
	const b = new Uint8Array(20);
	b[0] = PFIFO_FAST_BANDS;
	b.set(prio2band, 4);
	nla_put(skb, TCA_OPTIONS, b);
}

const pfifo_fast_ops: Qdisc_ops = {
	id: 'pfifo_fast',
	enqueue: pfifo_fast_enqueue,
	dequeue: pfifo_fast_dequeue,
	init: pfifo_fast_init,
	reset: null,
	attach: null,
	change_tx_queue_len: pfifo_fast_change_tx_queue_len,
	dump: pfifo_fast_dump,
};

/** The root of a device with several queues; each queue has its own qdisc and nothing passes through mq itself. */
const mq_ops: Qdisc_ops = {
	id: 'mq',
	enqueue: null,
	dequeue: noop_dequeue,
	init: mq_init,
	reset: null,
	attach: mq_attach,
	change_tx_queue_len: null,
};

function mq_init(sch: Qdisc): number {
	sch.flags |= TCQ_F_MQROOT;
	return 0;
}

function mq_attach(sch: Qdisc): void {
	const dev = sch.dev!;
	for (let i = 0; i < dev.num_tx_queues; i++) {
		const txq = dev._tx[i];
		txq.qdisc_sleeping = qdisc_create_dflt(txq, default_qdisc_ops(dev.net.machine)) ?? noop_qdisc_of(txq);
		txq.qdisc_sleeping.parent = ((sch.handle & 0xffff0000) | (i + 1)) >>> 0;
	}
}

/** Counts and drops a packet that a qdisc has no room for. Consumes skb. */
export function qdisc_drop(skb: sk_buff, sch: Qdisc): number {
	sch.drops++;
	if (skb.journey !== null) {
		trace_event(skb, 'note', sch.ops.id, { qdisc: sch.ops.id, limit: sch.limit, dev: sch.dev!.name });
	}
	kfree_skb_reason(skb, SKB_DROP_REASON_QDISC_DROP, '__dev_queue_xmit');
	return NET_XMIT_DROP;
}

export function qdisc_bstats_update(sch: Qdisc, skb: sk_buff): void {
	sch.bytes += skb.len;
	sch.packets += skb.shinfo.gso_size !== 0 ? skb.shinfo.gso_segs || 1 : 1;
}

// ---- registration ----------------------------------------------------------------------------------------------------------------

/** Makes a kind of qdisc known. Return: 0 or -EEXIST. */
export function register_qdisc(machine: Machine, ops: Qdisc_ops): number {
	const list = machine.net.qdisc_base;
	for (const o of list) if (o.id === ops.id) return -EEXIST;
	list.push(ops);
	return 0;
}

export function unregister_qdisc(machine: Machine, ops: Qdisc_ops): void {
	const at = machine.net.qdisc_base.indexOf(ops);
	if (at >= 0) machine.net.qdisc_base.splice(at, 1);
}

export function qdisc_lookup_ops(machine: Machine, id: string): Qdisc_ops | null {
	for (const o of machine.net.qdisc_base) if (o.id === id) return o;
	return null;
}

export function pktsched_init(machine: Machine): void {
	register_qdisc(machine, noqueue_qdisc_ops);
	register_qdisc(machine, pfifo_fast_ops);
	register_qdisc(machine, mq_ops);
}

export function default_qdisc_ops(machine: Machine): Qdisc_ops {
	return qdisc_lookup_ops(machine, machine.net.default_qdisc) ?? pfifo_fast_ops;
}

export function noop_qdisc_of(txq: netdev_queue): Qdisc {
	const q = new Qdisc(noop_qdisc_ops, txq);
	q.flags |= TCQ_F_BUILTIN;
	return q;
}

function noqueue_qdisc_of(txq: netdev_queue): Qdisc {
	return new Qdisc(noqueue_qdisc_ops, txq);
}

/** A qdisc of kind `ops` for a queue. Return: null when it cannot be. */
export function qdisc_create_dflt(txq: netdev_queue, ops: Qdisc_ops): Qdisc | null {
	const sch = new Qdisc(ops, txq);
	if (ops.init !== null && ops.init(sch) < 0) return null;
	return sch;
}

/** All packets out; counters stay. */
export function qdisc_reset(sch: Qdisc): void {
	if (sch.ops.reset !== null) sch.ops.reset(sch);
	for (const list of sch.q) {
		for (let skb = __skb_dequeue(list); skb !== null; skb = __skb_dequeue(list)) {
			kfree_skb_reason(skb, SKB_DROP_REASON_QDISC_DROP, 'qdisc_reset');
		}
	}
	if (sch.gso_skb !== null) {
		kfree_skb_list_reason(sch.gso_skb, SKB_DROP_REASON_QDISC_DROP, 'qdisc_reset');
		sch.gso_skb = null;
	}
	sch.bitmap = 0;
	sch.qlen = 0;
	sch.backlog = 0;
}

// ---- a device's life -------------------------------------------------------------------------------------------------------------

/** A new device has noop everywhere. */
export function dev_init_scheduler(dev: net_device): void {
	dev._tx = [];
	for (let i = 0; i < dev.num_tx_queues; i++) {
		const txq = new netdev_queue(dev, i);
		txq.qdisc = noop_qdisc_of(txq);
		txq.qdisc_sleeping = txq.qdisc;
		dev._tx.push(txq);
	}
	dev.qdisc = dev._tx[0].qdisc;
}

export function attach_default_qdiscs(dev: net_device): void {
	const machine = dev.net.machine;
	if (dev.num_tx_queues === 1 || dev.priv_flags & IFF_NO_QUEUE) {
		for (let i = 0; i < dev.num_tx_queues; i++) {
			const txq = dev._tx[i];
			const none = (dev.priv_flags & IFF_NO_QUEUE) !== 0 || dev.tx_queue_len === 0;
			const sch = none ? null : qdisc_create_dflt(txq, default_qdisc_ops(machine));
			if (sch !== null) sch.flags |= TCQ_F_ONETXQUEUE;
			txq.qdisc_sleeping = sch ?? noqueue_qdisc_of(txq);
		}
		dev.qdisc = dev._tx[0].qdisc_sleeping;
	} else {
		const sch = new Qdisc(mq_ops, dev._tx[0]);
		mq_init(sch);
		dev.qdisc = sch;
		mq_attach(sch);
	}
}

/** The device is up and has a carrier: its qdiscs take over from noop. */
export function dev_activate(dev: net_device): void {
	if (dev.qdisc === null || dev.qdisc.ops === noop_qdisc_ops) attach_default_qdiscs(dev);
	if (!dev.carrier) return;
	const now = dev.net.machine.clock.now;
	for (const txq of dev._tx) {
		txq.qdisc = txq.qdisc_sleeping;
		txq.qdisc!.deactivated = false;
		txq.trans_start = now;
	}
}

/** Down, or no carrier: back to noop, and what was queued is gone. */
export function dev_deactivate(dev: net_device): void {
	for (const txq of dev._tx) {
		const sch = txq.qdisc_sleeping;
		txq.qdisc = noop_qdisc_of(txq);
		if (sch !== null) {
			sch.deactivated = true;
			qdisc_reset(sch);
		}
	}
}

/** The device goes for good. */
export function dev_shutdown(dev: net_device): void {
	for (const txq of dev._tx) {
		if (txq.qdisc_sleeping !== null) qdisc_reset(txq.qdisc_sleeping);
		txq.qdisc = noop_qdisc_of(txq);
		txq.qdisc_sleeping = txq.qdisc;
	}
	dev.qdisc = dev._tx.length > 0 ? dev._tx[0].qdisc : null;
}

/** The queue length changed: qdiscs that hold to it follow. */
export function dev_qdisc_change_tx_queue_len(dev: net_device): void {
	for (const txq of dev._tx) {
		const sch = txq.qdisc_sleeping;
		if (sch !== null && sch.ops.change_tx_queue_len !== null) sch.ops.change_tx_queue_len(sch, dev.tx_queue_len);
	}
}

export function qdisc_is_noop(sch: Qdisc | null): boolean {
	return sch === null || sch.ops === noop_qdisc_ops;
}

// ---- running ---------------------------------------------------------------------------------------------------------------------

/** The root wants to run again soon. */
export function __netif_schedule(sch: Qdisc): void {
	if (sch.scheduled) return;
	sch.scheduled = true;
	const machine = sch.dev!.net.machine;
	machine.net.softnet_data[0].output_queue.push(sch);
	raise_softirq(machine, NET_TX_SOFTIRQ);
}

/** The NET_TX softirq: runs the qdiscs that asked. */
export function net_tx_action(machine: Machine): void {
	const sd = machine.net.softnet_data[0];
	const list = sd.output_queue;
	sd.output_queue = [];
	for (const sch of list) {
		sch.scheduled = false;
		if (!sch.deactivated) qdisc_run(sch);
	}
}

/**
 * Gives packets to the driver. Consumes them; those that it does not take come back first. Return: whether to go on with this queue.
 */
function sch_direct_xmit(skb: sk_buff, sch: Qdisc, dev: net_device, txq: netdev_queue, validate: boolean): boolean {
	let list: sk_buff | null = skb;
	if (validate) list = skb.next === null ? validate_xmit_skb(skb, dev) : validate_xmit_skb_list(skb, dev);
	if (list === null) return true;
	if (txq.stopped) {
		dev_requeue_skb(list, sch);
		return false;
	}
	list = dev_hard_start_xmit(list, dev, txq);
	if (!dev_xmit_complete(dev.net.machine.net.softnet_data[0].xmit_ret) && list !== null) {
		dev_requeue_skb(list, sch);
		return false;
	}
	return true;
}

function dev_requeue_skb(skb: sk_buff, sch: Qdisc): void {
	let s: sk_buff | null = skb;
	let last = skb;
	while (s !== null) {
		sch.requeues++;
		sch.qlen++;
		sch.backlog += s.len;
		last = s;
		s = s.next;
	}
	last.next = sch.gso_skb;
	sch.gso_skb = skb;
	if (!sch.dev_queue!.stopped) __netif_schedule(sch);
}

/** Sends until the queue is empty, the driver is full, or dev_weight packets went. */
export function qdisc_run(sch: Qdisc): void {
	if (sch.running) return;
	sch.running = true;
	const dev = sch.dev!;
	const txq = sch.dev_queue!;
	let quota = dev.net.machine.net.dev_tx_weight;
	for (;;) {
		if (txq.stopped) break;
		let skb = sch.gso_skb;
		let validate = true;
		if (skb !== null) {
			sch.gso_skb = skb.next;
			skb.next = null;
			sch.qlen--;
			sch.backlog -= skb.len;
			validate = false;
		} else {
			skb = sch.dequeue(sch);
			if (skb === null) break;
		}
		if (!sch_direct_xmit(skb, sch, dev, txq, validate)) break;
		if (--quota <= 0) {
			if (sch.qlen > 0) __netif_schedule(sch);
			break;
		}
	}
	sch.running = false;
}

/** Into the qdisc and on. Consumes skb. Return: NET_XMIT_*. */
export function __dev_xmit_skb(skb: sk_buff, sch: Qdisc, dev: net_device, txq: netdev_queue): number {
	if ((sch.flags & TCQ_F_CAN_BYPASS) !== 0 && sch.qlen === 0 && !sch.running) {
		// Empty: past the queue.
		qdisc_bstats_update(sch, skb);
		sch.running = true;
		sch_direct_xmit(skb, sch, dev, txq, true);
		sch.running = false;
		if (sch.qlen > 0 && !txq.stopped) qdisc_run(sch);
		return NET_XMIT_SUCCESS;
	}
	const rc = sch.enqueue!(skb, sch);
	if (!sch.running) qdisc_run(sch);
	return rc;
}

/** The driver has room again. */
export function netif_tx_wake_queue(txq: netdev_queue): void {
	if (!txq.stopped) return;
	txq.stopped = false;
	const sch = txq.qdisc;
	if (sch !== null && !sch.deactivated && sch.enqueue !== null) __netif_schedule(sch);
}

export function netif_wake_queue(dev: net_device): void {
	netif_tx_wake_queue(dev._tx[0]);
}

export function netif_tx_start_all_queues(dev: net_device): void {
	for (const txq of dev._tx) txq.stopped = false;
}

export function netif_start_queue(dev: net_device): void {
	dev._tx[0].stopped = false;
}

export function netif_stop_queue(dev: net_device): void {
	dev._tx[0].stopped = true;
}

export function netif_tx_stop_all_queues(dev: net_device): void {
	for (const txq of dev._tx) txq.stopped = true;
}
