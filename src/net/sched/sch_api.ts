/*
 * net/sched/sch_api.ts: qdiscs as userland sees and sets them.      Linux: net/sched/sch_api.c. tc(8), RFC 3549 3.1.3
 *
 * Walk: RTM_NEWQDISC -> tc_modify_qdisc -> qdisc_create, qdisc_graft | qdisc_change; RTM_DELQDISC -> tc_get_qdisc; dump -> tc_dump_qdisc
 * The root of a device only. Not here yet: classes (parents other than root), filters, ingress, stab, rate estimators, hw offload.
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	NL_SET_ERR_MSG,
	type netlink_ext_ack,
	nla_get_string,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put,
	nla_put_string,
	nla_put_u8,
	type nlattr_table,
	nlmsg_end,
	nlmsg_parse_deprecated,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
	put_unaligned_le64,
} from '../../lib/nlattr.ts';
import { EEXIST, EINVAL, EMSGSIZE, ENODEV, ENOENT, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	RTM_DELQDISC,
	RTM_GETQDISC,
	RTM_NEWQDISC,
	RTNLGRP_TC,
	TCA_HW_OFFLOAD,
	TCA_KIND,
	TCA_MAX,
	TCA_OPTIONS,
	TCA_STATS,
	TCA_STATS2,
} from '../../uapi/linux/rtnetlink.ts';
import { dev_get_by_index } from '../core/dev.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { IFF_NO_QUEUE, type net_device } from '../core/netdevice.ts';
import { rtnl_notify, rtnl_register, rtnl_unicast } from '../core/rtnetlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import {
	attach_default_qdiscs,
	Qdisc,
	type Qdisc_ops,
	qdisc_is_noop,
	qdisc_lookup_ops,
	qdisc_reset,
	TCQ_F_ONETXQUEUE,
} from './sch_generic.ts';

const TCMSG_LEN = 20;
const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;

/** struct tcmsg. */
interface tcmsg {
	family: number;
	ifindex: number;
	handle: number;
	parent: number;
}

function tcmsg_of(nlh: nlmsghdr): tcmsg {
	const at = nlh.data;
	return {
		family: nlh.buf[at],
		ifindex: get_unaligned_le32(nlh.buf, at + 4) | 0,
		handle: get_unaligned_le32(nlh.buf, at + 8) >>> 0,
		parent: get_unaligned_le32(nlh.buf, at + 12) >>> 0,
	};
}

/** A handle that no qdisc of the machine had before. */
function qdisc_alloc_handle(machine: Machine): number {
	const next = machine.net.qdisc_autohandle;
	machine.net.qdisc_autohandle = next >= 0xffff ? 0x8000 : next + 1;
	return (machine.net.qdisc_autohandle << 16) >>> 0;
}

/** Whose is the root that userland made; the default ones have no handle. */
function qdisc_refcnt(dev: net_device, q: Qdisc): number {
	return q.handle === 0 ? 2 : 1 + dev.num_tx_queues;
}

function tc_fill_qdisc(
	skb: netlink_skb,
	dev: net_device,
	q: Qdisc,
	parent: number,
	portid: number,
	seq: number,
	flags: number,
	event: number,
): number {
	const nlh = nlmsg_put(skb, portid, seq, event, TCMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const at = nlmsg_put_data(nlh);
	put_unaligned_le32(skb.data, at + 4, dev.ifindex);
	put_unaligned_le32(skb.data, at + 8, q.handle);
	put_unaligned_le32(skb.data, at + 12, parent);
	put_unaligned_le32(skb.data, at + 16, qdisc_refcnt(dev, q));
	if (nla_put_string(skb, TCA_KIND, q.ops.id) < 0) return -EMSGSIZE;
	q.ops.dump?.(q, skb);
	if (nla_put_u8(skb, TCA_HW_OFFLOAD, 0) < 0) return -EMSGSIZE;
	let { bytes, packets, qlen, backlog, drops, requeues, overlimits } = q;
	if (q.ops.id === 'mq') {
		// What passed by its queues' own.
		for (const txq of dev._tx) {
			const s = txq.qdisc_sleeping;
			if (s === null) continue;
			bytes += s.bytes;
			packets += s.packets;
			qlen += s.qlen;
			backlog += s.backlog;
			drops += s.drops;
			requeues += s.requeues;
			overlimits += s.overlimits;
		}
	}
	const nest = nla_nest_start_noflag(skb, TCA_STATS2);
	if (nest < 0) return -EMSGSIZE;
	const basic = new Uint8Array(16);
	put_unaligned_le64(basic, 0, bytes);
	put_unaligned_le32(basic, 8, packets);
	const queue = new Uint8Array(20);
	[qlen, backlog, drops, requeues, overlimits].forEach((v, i) => {
		put_unaligned_le32(queue, 4 * i, v);
	});
	if (nla_put(skb, TCA_STATS_BASIC, basic) < 0 || nla_put(skb, TCA_STATS_QUEUE, queue) < 0) return -EMSGSIZE;
	nla_nest_end(skb, nest);
	// struct tc_stats, for those who read no TCA_STATS2.
	const old = new Uint8Array(40);
	put_unaligned_le64(old, 0, bytes);
	[packets, drops, overlimits, 0, 0, qlen, backlog].forEach((v, i) => {
		put_unaligned_le32(old, 8 + 4 * i, v);
	});
	if (nla_put(skb, TCA_STATS, old.subarray(0, 36)) < 0) return -EMSGSIZE;
	nlmsg_end(skb, nlh);
	return 0;
}

function qdisc_notify(
	net: net,
	asker: netlink_skb,
	nlh: nlmsghdr,
	dev: net_device,
	old: Qdisc | null,
	q: Qdisc | null,
): void {
	const skb = nlmsg_new(net);
	if (old !== null && old.handle !== 0)
		tc_fill_qdisc(skb, dev, old, TC_H_ROOT, asker.portid, nlh.nlmsg_seq, 0, RTM_DELQDISC);
	if (q !== null && q.handle !== 0)
		tc_fill_qdisc(skb, dev, q, TC_H_ROOT, asker.portid, nlh.nlmsg_seq, old !== null ? NLM_F_REPLACE : 0, RTM_NEWQDISC);
	if (skb.len > 0) rtnl_notify(skb, net, asker.portid, RTNLGRP_TC, nlh);
}

/** Puts `q` at the root of a device; null: its default again. */
function qdisc_graft(dev: net_device, q: Qdisc | null): void {
	const up = dev.running && dev.carrier;
	for (const txq of dev._tx) if (txq.qdisc_sleeping !== null) qdisc_reset(txq.qdisc_sleeping);
	if (q === null) attach_default_qdiscs(dev);
	else {
		for (const txq of dev._tx) txq.qdisc_sleeping = q;
		dev.qdisc = q;
	}
	if (!up) return;
	for (const txq of dev._tx) {
		txq.qdisc = txq.qdisc_sleeping;
		txq.qdisc!.deactivated = false;
	}
}

function qdisc_create(
	dev: net_device,
	ops: Qdisc_ops,
	handle: number,
	tca: nlattr_table,
	extack: netlink_ext_ack,
): Qdisc | number {
	// Its packets leave by the first queue, whatever queue they were meant for.
	const sch = new Qdisc(ops, dev._tx[0]);
	if (dev.num_tx_queues === 1) sch.flags |= TCQ_F_ONETXQUEUE;
	sch.handle = handle !== 0 ? handle : qdisc_alloc_handle(dev.net.machine);
	if (ops.id === 'mq' && dev.num_tx_queues === 1) return -EOPNOTSUPP;
	if (ops.init !== null) {
		const err = ops.init(sch);
		if (err < 0) return err;
	}
	const opt = tca[TCA_OPTIONS];
	if (opt !== null && opt !== undefined && ops.change !== undefined) {
		const err = ops.change(sch, opt, extack);
		if (err < 0) return err;
	}
	return sch;
}

function device_of(skb: netlink_skb, m: tcmsg): net_device | null {
	return m.ifindex === 0 ? null : dev_get_by_index(skb.net, m.ifindex);
}

function tc_modify_qdisc(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const tca: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, TCMSG_LEN, tca, TCA_MAX, {}, extack);
	if (err < 0) return err;
	const m = tcmsg_of(nlh);
	const dev = device_of(skb, m);
	if (dev === null) return -ENODEV;
	const flags = nlh.nlmsg_flags;
	const kind = tca[TCA_KIND] === null ? null : nla_get_string(tca[TCA_KIND]);
	if (m.parent !== TC_H_ROOT) {
		if (m.parent === TC_H_INGRESS || kind === 'ingress' || kind === 'clsact') {
			NL_SET_ERR_MSG(extack, 'Specified qdisc kind is unknown');
			return -ENOENT;
		}
		NL_SET_ERR_MSG(extack, 'Failed to find specified qdisc');
		return -ENOENT;
	}
	const q = dev.qdisc;
	if (m.handle !== 0 && (m.handle & 0xffff) !== 0) {
		NL_SET_ERR_MSG(extack, 'Invalid minor handle');
		return -EINVAL;
	}
	const exists = q !== null && q.handle !== 0 && !qdisc_is_noop(q);
	const same = exists && (m.handle === 0 || m.handle === q.handle) && (kind === null || kind === q.ops.id);
	if (same && !((flags & NLM_F_CREATE) !== 0 && (flags & NLM_F_REPLACE) !== 0 && (flags & NLM_F_EXCL) !== 0)) {
		if (flags & NLM_F_EXCL) {
			NL_SET_ERR_MSG(extack, 'Exclusivity flag on, cannot modify');
			return -EEXIST;
		}
		const opt = tca[TCA_OPTIONS];
		if (opt !== null && opt !== undefined) {
			if (q.ops.change === undefined) {
				NL_SET_ERR_MSG(extack, 'Change operation not supported by specified qdisc');
				return -EINVAL;
			}
			const e = q.ops.change(q, opt, extack);
			if (e < 0) return e;
		}
		qdisc_notify(skb.net, skb, nlh, dev, null, q);
		return 0;
	}
	if ((flags & NLM_F_CREATE) === 0) {
		if (exists && kind !== null && kind !== q.ops.id) {
			NL_SET_ERR_MSG(extack, 'Invalid qdisc name: must match existing qdisc');
			return -EINVAL;
		}
		NL_SET_ERR_MSG(extack, 'Qdisc not found. To create specify NLM_F_CREATE flag');
		return -ENOENT;
	}
	if (exists && m.handle !== 0 && m.handle !== q.handle && (flags & NLM_F_REPLACE) === 0 && kind === q.ops.id) {
		NL_SET_ERR_MSG(extack, 'NLM_F_REPLACE needed to override');
		return -EEXIST;
	}
	const ops = kind === null ? null : qdisc_lookup_ops(skb.net.machine, kind);
	if (ops === null) {
		NL_SET_ERR_MSG(extack, 'Specified qdisc kind is unknown');
		return -ENOENT;
	}
	const made = qdisc_create(dev, ops, m.handle, tca, extack);
	if (typeof made === 'number') return made;
	qdisc_graft(dev, made);
	ops.attach?.(made);
	qdisc_notify(skb.net, skb, nlh, dev, exists ? q : null, made);
	return 0;
}

/** RTM_GETQDISC of one, and RTM_DELQDISC. */
function tc_get_qdisc(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const tca: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, TCMSG_LEN, tca, TCA_MAX, {}, extack);
	if (err < 0) return err;
	const m = tcmsg_of(nlh);
	const dev = device_of(skb, m);
	if (dev === null) return -ENODEV;
	const q = dev.qdisc;
	if (m.parent !== TC_H_ROOT && m.parent !== 0) {
		NL_SET_ERR_MSG(
			extack,
			m.parent === TC_H_INGRESS
				? 'Cannot find specified qdisc on specified device'
				: 'Failed to find qdisc with specified classid',
		);
		return -ENOENT;
	}
	if (q === null) {
		NL_SET_ERR_MSG(extack, 'Cannot find specified qdisc on specified device');
		return -ENOENT;
	}
	if (m.handle !== 0 && q.handle !== m.handle) {
		NL_SET_ERR_MSG(extack, 'Invalid handle');
		return -EINVAL;
	}
	if (tca[TCA_KIND] !== null && nla_get_string(tca[TCA_KIND]) !== q.ops.id) {
		NL_SET_ERR_MSG(extack, 'Invalid qdisc name');
		return -EINVAL;
	}
	if (nlh.nlmsg_type === RTM_DELQDISC) {
		if (m.parent === 0) {
			NL_SET_ERR_MSG(extack, 'Classid cannot be zero');
			return -EINVAL;
		}
		if (q.handle === 0) {
			NL_SET_ERR_MSG(extack, 'Cannot delete qdisc with handle of zero');
			return -ENOENT;
		}
		qdisc_graft(dev, null);
		qdisc_notify(skb.net, skb, nlh, dev, q, null);
		return 0;
	}
	const msg = nlmsg_new(skb.net);
	tc_fill_qdisc(msg, dev, q, TC_H_ROOT, skb.portid, nlh.nlmsg_seq, 0, RTM_NEWQDISC);
	return rtnl_unicast(msg, skb.net, skb.portid);
}

/** A device's qdiscs: the root and, under mq, each queue's. */
function qdiscs_of(dev: net_device): { q: Qdisc; parent: number }[] {
	const root = dev.qdisc;
	// A device that was never up, and lo, have none to show.
	if (root === null || qdisc_is_noop(root)) return [];
	if (root.handle === 0 && root.ops.id === 'noqueue' && (dev.priv_flags & IFF_NO_QUEUE) !== 0 && !dev.running)
		return [];
	const out = [{ q: root, parent: TC_H_ROOT }];
	if (root.ops.id === 'mq')
		for (let i = 0; i < dev.num_tx_queues; i++) {
			const q = dev._tx[i].qdisc_sleeping;
			if (q !== null) out.push({ q, parent: ((root.handle & 0xffff0000) | (i + 1)) >>> 0 });
		}
	return out;
}

function tc_dump_qdisc(skb: netlink_skb, cb: netlink_callback): number {
	const all: { dev: net_device; q: Qdisc; parent: number }[] = [];
	// All devices, whatever was asked for: userland picks.
	for (const dev of cb.net.dev_index_head.values()) for (const x of qdiscs_of(dev)) all.push({ dev, ...x });
	while (cb.args[0] < all.length) {
		const { dev, q, parent } = all[cb.args[0]];
		const at = skb.len;
		if (tc_fill_qdisc(skb, dev, q, parent, cb.skb.portid, cb.nlh.nlmsg_seq, NLM_F_MULTI, RTM_NEWQDISC) < 0) {
			skb.len = at;
			return -EMSGSIZE;
		}
		cb.args[0]++;
	}
	return skb.len;
}

/** /proc/net/psched: ns in a tick of the packet scheduler, ticks in a us, and the clock's resolution, as tc reads them. */
function psched_show(): string {
	return '000003e8 00000040 000f4240 3b9aca00\n';
}

function psched_net_init(net: net): number {
	proc_create_net(net, 'psched', psched_show);
	return 0;
}

export function sch_api_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'psched', init: psched_net_init, exit: () => {} });
	rtnl_register(machine, 0, RTM_NEWQDISC, tc_modify_qdisc, null);
	rtnl_register(machine, 0, RTM_DELQDISC, tc_get_qdisc, null);
	rtnl_register(machine, 0, RTM_GETQDISC, tc_get_qdisc, tc_dump_qdisc);
}
