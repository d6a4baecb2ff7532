/*
 * net/netfilter/xt_NFQUEUE.ts: target NFQUEUE: the packet waits for a listener in userland.      Linux: net/netfilter/xt_NFQUEUE.c
 * Flows are spread over a range of queues by a hash of their addresses; there is one CPU, so a fan-out by CPU takes the first queue.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { get_unaligned_be32, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { EINVAL, ERANGE } from '../../uapi/asm-generic/errno.ts';
import {
	NFQ_FLAG_BYPASS,
	NFQ_FLAG_CPU_FANOUT,
	NFQ_FLAG_MASK,
	xt_NFQ_info,
	xt_NFQ_info_v1,
	xt_NFQ_info_v3,
} from '../../uapi/linux/netfilter/xt_NFQUEUE.ts';
import {
	NF_QUEUE,
	NF_VERDICT_FLAG_QUEUE_BYPASS,
	NF_VERDICT_QBITS,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_targets, type xt_tgchk_param } from './x_tables.ts';

interface nfqueue_info {
	queuenum: number;
	queues_total: number;
	flags: number;
	/** Initial value of the hash, drawn when the rule is loaded. */
	rnd: number;
}

function nfqueue_parse_v0(b: Uint8Array): nfqueue_info {
	return { queuenum: get_unaligned_le16(b, xt_NFQ_info.queuenum), queues_total: 1, flags: 0, rnd: 0 };
}

function nfqueue_parse_v1(b: Uint8Array): nfqueue_info {
	return {
		queuenum: get_unaligned_le16(b, xt_NFQ_info_v1.queuenum),
		queues_total: get_unaligned_le16(b, xt_NFQ_info_v1.queues_total),
		flags: 0,
		rnd: 0,
	};
}

function nfqueue_parse_v2(b: Uint8Array): nfqueue_info {
	const info = nfqueue_parse_v1(b);
	info.flags = get_unaligned_le16(b, xt_NFQ_info_v3.flags);
	return info;
}

function nfqueue_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as nfqueue_info;
	let queue = info.queuenum;
	if (info.queues_total > 1 && (info.flags & NFQ_FLAG_CPU_FANOUT) === 0) {
		const n = skb.network_header;
		const a = get_unaligned_be32(skb.head, n + 12);
		const b = get_unaligned_be32(skb.head, n + 16);
		// Both directions go to one queue.
		const hash = jhash_3words(Math.min(a, b), Math.max(a, b), skb.head[n + 9], info.rnd) >>> 0;
		queue += Math.floor((hash * info.queues_total) / 0x100000000);
	}
	let verdict = (queue << NF_VERDICT_QBITS) | NF_QUEUE;
	if ((info.flags & NFQ_FLAG_BYPASS) !== 0) verdict |= NF_VERDICT_FLAG_QUEUE_BYPASS;
	return verdict;
}

function nfqueue_tg_check(par: xt_tgchk_param): number {
	const info = par.targinfo as nfqueue_info;
	info.rnd = par.net.machine.random.u32();
	if (info.queues_total === 0) {
		printk(par.net.machine, KERN_INFO, 'xt_NFQUEUE: number of total queues is 0');
		return -EINVAL;
	}
	const maxid = info.queues_total - 1 + info.queuenum;
	if (maxid > 0xffff) {
		printk(
			par.net.machine,
			KERN_INFO,
			`xt_NFQUEUE: number of queues (${info.queues_total}) out of range (got ${maxid})`,
		);
		return -ERANGE;
	}
	const allowed = par.target.revision === 2 ? NFQ_FLAG_BYPASS : NFQ_FLAG_MASK;
	return (info.flags & ~allowed) !== 0 ? -EINVAL : 0;
}

const NFQUEUE = { name: 'NFQUEUE', family: NFPROTO_UNSPEC, target: nfqueue_tg };

export function nfqueue_tg_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{ ...NFQUEUE, revision: 0, targetsize: xt_NFQ_info.sizeof, parse: nfqueue_parse_v0 },
		{
			...NFQUEUE,
			revision: 1,
			targetsize: xt_NFQ_info_v1.sizeof,
			parse: nfqueue_parse_v1,
			checkentry: nfqueue_tg_check,
		},
		{
			...NFQUEUE,
			revision: 2,
			targetsize: xt_NFQ_info_v3.sizeof,
			parse: nfqueue_parse_v2,
			checkentry: nfqueue_tg_check,
		},
		{
			...NFQUEUE,
			revision: 3,
			targetsize: xt_NFQ_info_v3.sizeof,
			parse: nfqueue_parse_v2,
			checkentry: nfqueue_tg_check,
		},
	]);
}
