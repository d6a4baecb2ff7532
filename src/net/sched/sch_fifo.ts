/*
 * net/sched/sch_fifo.ts: first in, first out, by packets or bytes.  Linux: net/sched/sch_fifo.c. tc-pfifo(8), tc-bfifo(8)
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { type netlink_ext_ack, nla_put, type nlattr } from '../../lib/nlattr.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { TCA_OPTIONS } from '../../uapi/linux/rtnetlink.ts';
import { NET_XMIT_SUCCESS } from '../core/dev_output.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { __skb_dequeue, __skb_queue_tail, sk_buff_head } from '../core/skbuff_queue.ts';
import type { netlink_skb } from '../netlink/netlink.ts';
import {
	type Qdisc,
	type Qdisc_ops,
	qdisc_bstats_update,
	qdisc_drop,
	register_qdisc,
	TCQ_F_CAN_BYPASS,
} from './sch_generic.ts';

function qdisc_enqueue_tail(skb: sk_buff, sch: Qdisc): number {
	sch.qlen++;
	sch.backlog += skb.len;
	__skb_queue_tail(sch.q[0], skb);
	return NET_XMIT_SUCCESS;
}

function pfifo_enqueue(skb: sk_buff, sch: Qdisc): number {
	return sch.q[0].qlen >= sch.limit ? qdisc_drop(skb, sch) : qdisc_enqueue_tail(skb, sch);
}

function bfifo_enqueue(skb: sk_buff, sch: Qdisc): number {
	return sch.backlog + skb.len > sch.limit ? qdisc_drop(skb, sch) : qdisc_enqueue_tail(skb, sch);
}

function qdisc_dequeue_head(sch: Qdisc): sk_buff | null {
	const skb = __skb_dequeue(sch.q[0]);
	if (skb !== null) {
		sch.qlen--;
		sch.backlog -= skb.len;
		qdisc_bstats_update(sch, skb);
	}
	return skb;
}

/** struct tc_fifo_qopt: a limit; without it the device's queue length, in packets or in bytes of its MTU. */
function fifo_change(sch: Qdisc, opt: nlattr | null, _extack: netlink_ext_ack | null): number {
	const dev = sch.dev!;
	const bytes = sch.ops.id === 'bfifo';
	if (opt === null) {
		const limit = Math.max(1, dev.tx_queue_len);
		sch.limit = bytes ? limit * (dev.mtu + dev.hard_header_len) : limit;
	} else {
		if (opt.len < 4) return -EINVAL;
		sch.limit = get_unaligned_le32(opt.buf, opt.off) >>> 0;
	}
	// A queue that holds nothing lets nothing pass by it either.
	if (sch.limit >= (bytes ? dev.mtu + dev.hard_header_len : 1)) sch.flags |= TCQ_F_CAN_BYPASS;
	else sch.flags &= ~TCQ_F_CAN_BYPASS;
	return 0;
}

function fifo_init(sch: Qdisc): number {
	sch.q.push(new sk_buff_head());
	return fifo_change(sch, null, null);
}

function fifo_dump(sch: Qdisc, skb: netlink_skb): void {
	const b = new Uint8Array(4);
	put_unaligned_le32(b, 0, sch.limit);
	nla_put(skb, TCA_OPTIONS, b);
}

const pfifo_qdisc_ops: Qdisc_ops = {
	id: 'pfifo',
	enqueue: pfifo_enqueue,
	dequeue: qdisc_dequeue_head,
	init: fifo_init,
	reset: null,
	attach: null,
	change_tx_queue_len: null,
	change: fifo_change,
	dump: fifo_dump,
};

const bfifo_qdisc_ops: Qdisc_ops = { ...pfifo_qdisc_ops, id: 'bfifo', enqueue: bfifo_enqueue };

export function sch_fifo_init(machine: Machine): void {
	register_qdisc(machine, pfifo_qdisc_ops);
	register_qdisc(machine, bfifo_qdisc_ops);
}
