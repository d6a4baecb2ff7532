/*
 * net/core/dev_input.ts: from the driver to the protocols.         Linux: net/core/dev.c, the receive half
 *
 * Walk: driver irq -> napi_schedule -> NET_RX softirq: net_rx_action -> napi_poll -> the driver's poll -> napi_gro_receive ->
 *       netif_receive_skb -> __netif_receive_skb_core -> taps, rx_handler, packet_type.func (ip_rcv, arp_rcv, …).
 *       Software devices: netif_rx -> the CPU's backlog -> process_backlog, a NAPI like the others.
 *
 * One CPU per machine. Not here yet: RPS/RFS, threaded NAPI, busy polling, XDP, tc ingress.
 */

import type { Machine } from '../../kernel/machine.ts';
import { NET_RX_SOFTIRQ, raise_softirq } from '../../kernel/softirq.ts';
import { hrtimer, hrtimer_start } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { ETH_P_8021AD, ETH_P_8021Q, ETH_P_ALL } from '../../uapi/linux/if_ether.ts';
import { PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import type { Qdisc } from '../sched/sch_generic.ts';
import type { net_core } from './dev.ts';
import {
	SKB_DROP_REASON_CPU_BACKLOG,
	SKB_DROP_REASON_DEV_READY,
	SKB_DROP_REASON_QUEUE_PURGE,
	SKB_DROP_REASON_UNHANDLED_PROTO,
} from './dropreason.ts';
import { gro_node, napi_gro_flush } from './gro.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import {
	consume_skb,
	kfree_skb_reason,
	pskb_expand_head,
	pskb_may_pull,
	type sk_buff,
	skb_cloned,
	skb_pull,
} from './skbuff.ts';
import { __skb_dequeue, __skb_queue_tail, __skb_unlink, sk_buff_head } from './skbuff_queue.ts';
import { skb_orphan_frags_rx } from './skbuff_zerocopy.ts';
import type { sock } from './sock.ts';

export const NET_RX_SUCCESS = 0;
export const NET_RX_DROP = 1;

/** What a device's rx_handler says. */
export const RX_HANDLER_CONSUMED = 0;
export const RX_HANDLER_ANOTHER = 1;
export const RX_HANDLER_EXACT = 2;
export const RX_HANDLER_PASS = 3;

// ---- who receives ----------------------------------------------------------------------------------------------------------------

/** Takes a packet of its type. Consumes skb. `orig_dev` is the device it came in by first. */
export type packet_func = (skb: sk_buff, dev: net_device, pt: packet_type, orig_dev: net_device) => number;

/** A protocol's, or a packet socket's, entry in the list of receivers. */
export class packet_type {
	/** Ethertype in host order, or ETH_P_ALL. */
	type: number;
	func: packet_func;
	/** Only frames of this device; null for any. */
	dev: net_device | null = null;
	/** Only frames in this namespace; null for any (protocols). */
	af_packet_net: net | null = null;
	/** The packet socket. */
	af_packet_priv: unknown = null;
	ignore_outgoing = false;
	/** Whether the packet is the receiver's own (then it is not shown to it); null: compare af_packet_priv with skb.sk. */
	id_match: ((pt: packet_type, sk: sock) => boolean) | null = null;

	constructor(type: number, func: packet_func) {
		this.type = type;
		this.func = func;
	}
}

const PTYPE_HASH_SIZE = 16;
const PTYPE_HASH_MASK = PTYPE_HASH_SIZE - 1;

/** Empty lists of receivers, by ethertype. */
export function ptype_lists(): (readonly packet_type[])[] {
	return new Array(PTYPE_HASH_SIZE).fill([]);
}

function with_pack(list: readonly packet_type[], pt: packet_type): packet_type[] {
	return [pt, ...list];
}

function without_pack(list: readonly packet_type[], pt: packet_type): packet_type[] {
	return list.filter((p) => p !== pt);
}

/** Adds a receiver. Lists are replaced, not changed: a receiver may come or go while one is walked. */
export function dev_add_pack(machine: Machine, pt: packet_type): void {
	const core = machine.net;
	const { dev, af_packet_net } = pt;
	if (pt.type === ETH_P_ALL) {
		if (dev !== null) dev.ptype_all = with_pack(dev.ptype_all, pt);
		else if (af_packet_net !== null) af_packet_net.ptype_all = with_pack(af_packet_net.ptype_all, pt);
		else core.ptype_all = with_pack(core.ptype_all, pt);
	} else if (dev !== null) dev.ptype_specific = with_pack(dev.ptype_specific, pt);
	else if (af_packet_net !== null) af_packet_net.ptype_specific = with_pack(af_packet_net.ptype_specific, pt);
	else {
		const h = pt.type & PTYPE_HASH_MASK;
		core.ptype_base[h] = with_pack(core.ptype_base[h], pt);
	}
}

/** Takes a receiver out again. */
export function dev_remove_pack(machine: Machine, pt: packet_type): void {
	const core = machine.net;
	const { dev, af_packet_net } = pt;
	if (pt.type === ETH_P_ALL) {
		if (dev !== null) dev.ptype_all = without_pack(dev.ptype_all, pt);
		else if (af_packet_net !== null) af_packet_net.ptype_all = without_pack(af_packet_net.ptype_all, pt);
		else core.ptype_all = without_pack(core.ptype_all, pt);
	} else if (dev !== null) dev.ptype_specific = without_pack(dev.ptype_specific, pt);
	else if (af_packet_net !== null) af_packet_net.ptype_specific = without_pack(af_packet_net.ptype_specific, pt);
	else {
		const h = pt.type & PTYPE_HASH_MASK;
		core.ptype_base[h] = without_pack(core.ptype_base[h], pt);
	}
}

export function __dev_remove_pack(machine: Machine, pt: packet_type): void {
	dev_remove_pack(machine, pt);
}

// ---- one CPU's state -------------------------------------------------------------------------------------------------------------

export const NAPI_STATE_SCHED = 1 << 0;
export const NAPI_STATE_MISSED = 1 << 1;
export const NAPI_STATE_DISABLE = 1 << 2;

/** Takes up to `budget` packets off the device. Return: how many; fewer than `budget` only after napi_complete_done. */
export type napi_poll_t = (napi: napi_struct, budget: number) => number;

export class napi_struct {
	dev: net_device | null;
	machine: Machine;
	poll: napi_poll_t;
	weight: number;
	state = NAPI_STATE_DISABLE;
	/** Next in a poll list. */
	next: napi_struct | null = null;
	napi_id = 0;
	/** Trains of packets that may grow. */
	gro: gro_node = new gro_node();
	/** What it polls: the driver's queue. */
	priv: unknown = null;

	constructor(machine: Machine, dev: net_device | null, poll: napi_poll_t, weight: number) {
		this.machine = machine;
		this.dev = dev;
		this.poll = poll;
		this.weight = weight;
	}
}

export class softnet_data {
	cpu: number;
	/** NAPI instances with work, first come first served. */
	poll_first: napi_struct | null = null;
	poll_last: napi_struct | null = null;
	input_pkt_queue = new sk_buff_head();
	process_queue = new sk_buff_head();
	backlog: napi_struct;
	processed = 0;
	dropped = 0;
	time_squeeze = 0;
	received_rps = 0;
	/** How deep dev_queue_xmit is inside itself. */
	xmit_recursion = 0;
	/** What the driver said last: dev_hard_start_xmit's second result. */
	xmit_ret = 0;
	/** Queues that want to run: NET_TX. */
	output_queue: Qdisc[] = [];
	/** Until when the CPU works off what it took, in ns: machine.net.cpu_cost_ns makes it move. */
	busy_until = 0;
	busy_timer: hrtimer;

	constructor(machine: Machine, cpu: number) {
		this.cpu = cpu;
		this.backlog = new napi_struct(machine, null, process_backlog, 64);
		this.backlog.priv = this;
		this.backlog.state = 0;
		this.busy_timer = new hrtimer(machine, softnet_busy_over, machine, 'softnet_busy_over');
	}
}

export function this_cpu_softnet(machine: Machine): softnet_data {
	return machine.net.softnet_data[0];
}

// ---- NAPI ------------------------------------------------------------------------------------------------------------------------

export const NAPI_POLL_WEIGHT = 64;

/** Makes a NAPI instance of `dev`; it stays still until napi_enable. */
export function netif_napi_add(dev: net_device, poll: napi_poll_t, weight = NAPI_POLL_WEIGHT): napi_struct {
	const machine = dev.net.machine;
	const napi = new napi_struct(machine, dev, poll, weight);
	napi.state = NAPI_STATE_SCHED | NAPI_STATE_DISABLE;
	napi.napi_id = ++machine.net.napi_gen_id;
	dev.napi_list.push(napi);
	return napi;
}

export function netif_napi_del(napi: napi_struct): void {
	const list = napi.dev!.napi_list;
	const at = list.indexOf(napi);
	if (at >= 0) list.splice(at, 1);
}

export function napi_enable(napi: napi_struct): void {
	napi.state = 0;
}

/** No poll happens after this. */
export function napi_disable(napi: napi_struct): void {
	if (napi.state & NAPI_STATE_SCHED && !(napi.state & NAPI_STATE_DISABLE)) {
		poll_list_remove(this_cpu_softnet(napi.machine), napi);
	}
	napi.state = NAPI_STATE_SCHED | NAPI_STATE_DISABLE;
}

function poll_list_add(sd: softnet_data, napi: napi_struct): void {
	napi.next = null;
	if (sd.poll_last === null) sd.poll_first = napi;
	else sd.poll_last.next = napi;
	sd.poll_last = napi;
}

function poll_list_remove(sd: softnet_data, napi: napi_struct): void {
	let prev: napi_struct | null = null;
	for (let n = sd.poll_first; n !== null; prev = n, n = n.next) {
		if (n !== napi) continue;
		if (prev === null) sd.poll_first = n.next;
		else prev.next = n.next;
		if (sd.poll_last === n) sd.poll_last = prev;
		n.next = null;
		return;
	}
}

/** Whether the caller may schedule it (and now must). A poll that is under way runs once more. */
export function napi_schedule_prep(napi: napi_struct): boolean {
	const state = napi.state;
	if (state & NAPI_STATE_DISABLE) return false;
	if (state & NAPI_STATE_SCHED) {
		napi.state = state | NAPI_STATE_MISSED;
		return false;
	}
	napi.state = state | NAPI_STATE_SCHED;
	return true;
}

export function __napi_schedule(napi: napi_struct): void {
	const machine = napi.machine;
	poll_list_add(this_cpu_softnet(machine), napi);
	raise_softirq(machine, NET_RX_SOFTIRQ);
}

/** The device has work: poll it soon. Context: interrupt. Return: whether it was idle. */
export function napi_schedule(napi: napi_struct): boolean {
	if (!napi_schedule_prep(napi)) return false;
	__napi_schedule(napi);
	return true;
}

/** The device has no more work. Return: whether interrupts may be on again (else it will be polled again). */
export function napi_complete_done(napi: napi_struct, _work_done: number): boolean {
	if (napi.gro.held > 0) napi_gro_flush(napi);
	const missed = (napi.state & NAPI_STATE_MISSED) !== 0;
	napi.state &= ~(NAPI_STATE_SCHED | NAPI_STATE_MISSED);
	if (missed) {
		napi.state |= NAPI_STATE_SCHED;
		__napi_schedule(napi);
		return false;
	}
	return true;
}

export function napi_complete(napi: napi_struct): boolean {
	return napi_complete_done(napi, 0);
}

function softnet_busy_over(timer: hrtimer): void {
	raise_softirq(timer.machine, NET_RX_SOFTIRQ);
}

/** The NET_RX softirq: polls what has work, within netdev_budget. */
export function net_rx_action(machine: Machine): void {
	const core = machine.net;
	const sd = core.softnet_data[0];
	if (core.cpu_cost_ns > 0 && sd.busy_until > machine.clock.now) {
		hrtimer_start(sd.busy_timer, sd.busy_until);
		return;
	}
	const processed = sd.processed;
	let budget = core.sysctl_netdev_budget;
	// What gets scheduled from now on is for the next round.
	let list = sd.poll_first;
	let list_last = sd.poll_last;
	sd.poll_first = null;
	sd.poll_last = null;
	let repoll: napi_struct | null = null;
	let repoll_last: napi_struct | null = null;
	while (list !== null) {
		const n: napi_struct = list;
		list = n.next;
		if (list === null) list_last = null;
		n.next = null;
		const weight = n.weight;
		const work = n.poll(n, weight);
		budget -= work;
		if (work >= weight) {
			if (n.gro.held > 0) napi_gro_flush(n);
			if (n.state & NAPI_STATE_DISABLE) continue;
			if (repoll_last === null) repoll = n;
			else repoll_last.next = n;
			repoll_last = n;
		}
		if (budget <= 0) {
			sd.time_squeeze++;
			break;
		}
	}
	// Order of the next round: those not polled, those scheduled meanwhile, those that want more.
	if (list !== null) {
		list_last!.next = sd.poll_first;
		if (sd.poll_last === null) sd.poll_last = list_last;
		sd.poll_first = list;
	}
	if (repoll !== null) {
		if (sd.poll_last === null) sd.poll_first = repoll;
		else sd.poll_last.next = repoll;
		sd.poll_last = repoll_last;
	}
	if (core.cpu_cost_ns > 0) sd.busy_until = machine.clock.now + (sd.processed - processed) * core.cpu_cost_ns;
	if (sd.poll_first !== null) raise_softirq(machine, NET_RX_SOFTIRQ);
}

// ---- the backlog of software devices ---------------------------------------------------------------------------------------------

/** A software device received a packet: it waits in the CPU's backlog. Consumes skb. Return: NET_RX_SUCCESS or NET_RX_DROP. */
export function netif_rx(skb: sk_buff): number {
	if (skb.tstamp < 0) net_timestamp_check(skb);
	const machine = skb.machine;
	const core = machine.net;
	const sd = core.softnet_data[0];
	const dev = skb.dev!;
	if (!dev.running) {
		dev.stats.rx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY, 'enqueue_to_backlog');
		return NET_RX_DROP;
	}
	if (sd.input_pkt_queue.qlen > core.sysctl_netdev_max_backlog) {
		sd.dropped++;
		dev.stats.rx_dropped++;
		if (skb.journey !== null) {
			trace_event(skb, 'note', 'enqueue_to_backlog', {
				sysctl: 'net.core.netdev_max_backlog',
				value: core.sysctl_netdev_max_backlog,
			});
		}
		kfree_skb_reason(skb, SKB_DROP_REASON_CPU_BACKLOG, 'enqueue_to_backlog');
		return NET_RX_DROP;
	}
	__skb_queue_tail(sd.input_pkt_queue, skb);
	if ((sd.backlog.state & NAPI_STATE_SCHED) === 0) {
		sd.backlog.state |= NAPI_STATE_SCHED;
		__napi_schedule(sd.backlog);
	}
	return NET_RX_SUCCESS;
}

export function __netif_rx(skb: sk_buff): number {
	return netif_rx(skb);
}

/** Poll of the backlog. */
function process_backlog(napi: napi_struct, quota: number): number {
	const sd = napi.priv as softnet_data;
	const q = sd.process_queue;
	const input = sd.input_pkt_queue;
	let work = 0;
	for (;;) {
		for (let skb = __skb_dequeue(q); skb !== null; skb = __skb_dequeue(q)) {
			__netif_receive_skb(skb);
			if (++work >= quota) return work;
		}
		if (input.qlen === 0) {
			napi.state &= ~NAPI_STATE_SCHED;
			return work;
		}
		q.first = input.first;
		q.last = input.last;
		q.qlen = input.qlen;
		input.first = null;
		input.last = null;
		input.qlen = 0;
	}
}

/** A device goes: what waits from it is dropped. */
export function flush_backlog(core: net_core, dev: net_device): void {
	for (const sd of core.softnet_data) {
		flush_queue(sd.input_pkt_queue, dev);
		flush_queue(sd.process_queue, dev);
	}
}

function flush_queue(q: sk_buff_head, dev: net_device): void {
	for (let skb = q.first; skb !== null; ) {
		const next: sk_buff | null = skb.next;
		if (skb.dev === dev) {
			__skb_unlink(skb, q);
			kfree_skb_reason(skb, SKB_DROP_REASON_QUEUE_PURGE, 'flush_backlog');
		}
		skb = next;
	}
}

// ---- delivery --------------------------------------------------------------------------------------------------------------------

/** Someone wants time stamps on every packet. */
export function net_enable_timestamp(machine: Machine): void {
	machine.net.netstamp_needed++;
}

export function net_disable_timestamp(machine: Machine): void {
	machine.net.netstamp_needed--;
}

function net_timestamp_check(skb: sk_buff): void {
	if (skb.machine.net.netstamp_needed > 0) skb.tstamp = skb.machine.clock.now;
}

/** A packet for the protocols, now. Context: softirq. Consumes skb. */
export function netif_receive_skb(skb: sk_buff): number {
	if (skb.tstamp < 0) net_timestamp_check(skb);
	return __netif_receive_skb(skb);
}

/** netif_receive_skb for a list linked by `next`. */
export function netif_receive_skb_list(head: sk_buff | null): void {
	while (head !== null) {
		const next: sk_buff | null = head.next;
		head.next = null;
		netif_receive_skb(head);
		head = next;
	}
}

function __netif_receive_skb(skb: sk_buff): number {
	const machine = skb.machine;
	const core = machine.net;
	const orig_dev = skb.dev!;
	if (skb.shinfo.destructor_arg !== null) skb_orphan_frags_rx(skb);
	skb.network_header = skb.data;
	if (skb.transport_header < 0) skb.transport_header = skb.data;
	skb.mac_len = skb.data - skb.mac_header;
	let pt_prev: packet_type | null = null;
	let deliver_exact = false;
	for (;;) {
		let dev = skb.dev!;
		skb.skb_iif = dev.ifindex;
		core.softnet_data[0].processed++;
		if (skb.journey !== null) {
			trace_event(skb, 'rx', '__netif_receive_skb_core', {
				protocol: skb.protocol,
				pkt_type: skb.pkt_type,
				len: skb.len,
			});
		}
		if (skb.protocol === ETH_P_8021Q || skb.protocol === ETH_P_8021AD) {
			if (!skb_vlan_untag(skb)) return NET_RX_DROP;
		}
		const net = dev.net;
		if (core.ptype_all.length + net.ptype_all.length + dev.ptype_all.length > 0) {
			for (const pt of core.ptype_all) pt_prev = deliver_prev(skb, pt_prev, pt, orig_dev);
			for (const pt of net.ptype_all) pt_prev = deliver_prev(skb, pt_prev, pt, orig_dev);
			for (const pt of dev.ptype_all) pt_prev = deliver_prev(skb, pt_prev, pt, orig_dev);
		}
		const handler = dev.rx_handler;
		if (handler !== null) {
			if (pt_prev !== null) {
				deliver_skb(skb, pt_prev, orig_dev);
				pt_prev = null;
			}
			const verdict = handler(skb);
			if (verdict === RX_HANDLER_CONSUMED) return NET_RX_SUCCESS;
			if (verdict === RX_HANDLER_ANOTHER) continue;
			if (verdict === RX_HANDLER_EXACT) deliver_exact = true;
		}
		if (skb.vlan_present) {
			// Nobody took the tag: VID 0 only says a priority (802.1Q 6.9), any other is some other VLAN's.
			if ((skb.vlan_tci & 0xfff) !== 0) skb.pkt_type = PACKET_OTHERHOST;
			skb.vlan_present = false;
			skb.vlan_tci = 0;
		}
		dev = skb.dev!;
		const type = skb.protocol;
		if (!deliver_exact) {
			const list = core.ptype_base[type & PTYPE_HASH_MASK];
			for (let i = 0; i < list.length; i++) {
				if (list[i].type === type) pt_prev = deliver_prev(skb, pt_prev, list[i], orig_dev);
			}
			const specific = net.ptype_specific;
			for (let i = 0; i < specific.length; i++) {
				if (specific[i].type === type) pt_prev = deliver_prev(skb, pt_prev, specific[i], orig_dev);
			}
		}
		pt_prev = deliver_ptype_list(skb, pt_prev, orig_dev, type, orig_dev.ptype_specific);
		if (dev !== orig_dev) pt_prev = deliver_ptype_list(skb, pt_prev, orig_dev, type, dev.ptype_specific);
		if (pt_prev !== null) return pt_prev.func(skb, dev, pt_prev, orig_dev);
		if (deliver_exact) dev.stats.rx_nohandler++;
		else dev.stats.rx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_UNHANDLED_PROTO, '__netif_receive_skb_core');
		return NET_RX_DROP;
	}
}

/** Gives the packet to the receiver found before (with a reference of its own). Return: the one to be served next. */
function deliver_prev(skb: sk_buff, prev: packet_type | null, pt: packet_type, orig_dev: net_device): packet_type {
	if (prev !== null) deliver_skb(skb, prev, orig_dev);
	return pt;
}

function deliver_skb(skb: sk_buff, pt: packet_type, orig_dev: net_device): number {
	skb.users++;
	return pt.func(skb, skb.dev!, pt, orig_dev);
}

function deliver_ptype_list(
	skb: sk_buff,
	prev: packet_type | null,
	orig_dev: net_device,
	type: number,
	list: readonly packet_type[],
): packet_type | null {
	for (let i = 0; i < list.length; i++) {
		if (list[i].type === type) prev = deliver_prev(skb, prev, list[i], orig_dev);
	}
	return prev;
}

/** Takes the 802.1Q tag out of the packet and into skb.vlan_tci. Return: false when the packet was too short and is gone. */
function skb_vlan_untag(skb: sk_buff): boolean {
	if (skb.vlan_present) return true;
	if (!pskb_may_pull(skb, 6)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_UNHANDLED_PROTO, 'skb_vlan_untag');
		return false;
	}
	if (skb_cloned(skb)) pskb_expand_head(skb, 0, 0);
	const b = skb.head;
	const o = skb.data;
	skb.vlan_present = true;
	skb.vlan_proto = skb.protocol;
	skb.vlan_tci = (b[o] << 8) | b[o + 1];
	skb.protocol = (b[o + 2] << 8) | b[o + 3];
	skb_pull(skb, 4);
	// The addresses move up to the ethertype, so that the link header is whole again.
	const mac = skb.mac_header;
	b.copyWithin(mac + 4, mac, mac + 12);
	skb.mac_header = mac + 4;
	skb.network_header = skb.data;
	skb.transport_header = skb.data;
	return true;
}

/** Whether any tap wants to see frames of `dev`. */
export function dev_nit_active(dev: net_device): boolean {
	return dev.ptype_all.length + dev.net.ptype_all.length + dev.net.machine.net.ptype_all.length > 0;
}

export function dev_consume_skb(skb: sk_buff): void {
	consume_skb(skb);
}
