/*
 * user/iptables/ext/nfqueue.ts: -j NFQUEUE.                        Original: extensions/libxt_NFQUEUE.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	xt_NFQ_info_v3 as info,
	NFQ_FLAG_BYPASS,
	NFQ_FLAG_CPU_FANOUT,
} from '../../../uapi/linux/netfilter/xt_NFQUEUE.ts';
import type { xt_extension } from '../xtables.ts';

const O_NUM = 0;
const O_BALANCE = 1;
const O_BYPASS = 2;
const O_FANOUT = 3;

/** `num`: how the word before a number is written, `prefix`: before the others. */
function text(d: Uint8Array, prefix: string, num: string, balance: string): string {
	const first = get_unaligned_le16(d, info.queuenum);
	const total = get_unaligned_le16(d, info.queues_total);
	const flags = get_unaligned_le16(d, info.flags);
	let s = total > 1 ? ` ${balance} ${first}:${first + total - 1}` : ` ${num} ${first}`;
	if ((flags & NFQ_FLAG_BYPASS) !== 0) s += ` ${prefix}bypass`;
	if ((flags & NFQ_FLAG_CPU_FANOUT) !== 0) s += ` ${prefix}cpu-fanout`;
	return s;
}

export const nfqueue_tg_reg: xt_extension = {
	kind: 'target',
	name: 'NFQUEUE',
	revision: 3,
	size: info.sizeof,
	options: [
		{ name: 'queue-num', id: O_NUM, type: 'uint16', excl: 1 << O_BALANCE, put: info.queuenum },
		{ name: 'queue-balance', id: O_BALANCE, type: 'uint16rc', excl: 1 << O_NUM },
		{ name: 'queue-bypass', id: O_BYPASS, type: 'none' },
		{ name: 'queue-cpu-fanout', id: O_FANOUT, type: 'none', also: 1 << O_BALANCE },
	],
	help: ['--queue-num value', '--queue-balance first:last', '--queue-bypass', '--queue-cpu-fanout'],
	init(d) {
		put_unaligned_le16(d, info.queues_total, 1);
	},
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_BALANCE: {
				if (cb.nvals !== 2) cb.bad(`Bad range "${cb.arg}"`);
				const [first, last] = cb.range;
				if (first >= last) cb.bad(`${first} should be less than ${last}`);
				put_unaligned_le16(d, info.queuenum, first);
				// All of them are one too many for the field.
				put_unaligned_le16(d, info.queues_total, (last - first + 1) & 0xffff);
				break;
			}
			case O_BYPASS:
				put_unaligned_le16(d, info.flags, get_unaligned_le16(d, info.flags) | NFQ_FLAG_BYPASS);
				break;
			case O_FANOUT:
				put_unaligned_le16(d, info.flags, get_unaligned_le16(d, info.flags) | NFQ_FLAG_CPU_FANOUT);
				break;
			default:
				break;
		}
	},
	print: (d) => ` NFQUEUE${text(d, '', 'num', 'balance')}`,
	save: (d) => text(d, '--queue-', '--queue-num', '--queue-balance'),
};
