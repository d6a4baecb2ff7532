/*
 * user/iptables/ext/statistic.ts: -m statistic.                    Original: extensions/libxt_statistic.c
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	xt_statistic_info as info,
	XT_STATISTIC_INVERT,
	XT_STATISTIC_MODE_NTH,
	XT_STATISTIC_MODE_RANDOM,
} from '../../../uapi/linux/netfilter/xt_statistic.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const O_MODE = 0;
const O_PROB = 1;
const O_EVERY = 2;
const O_PACKET = 3;

function dump(d: Uint8Array, prefix: string): string {
	const inv = (get_unaligned_le16(d, info.flags) & XT_STATISTIC_INVERT) !== 0 ? ' !' : '';
	if (get_unaligned_le16(d, info.mode) === XT_STATISTIC_MODE_RANDOM) {
		const p = get_unaligned_le32(d, info.probability) / 0x80000000;
		return ` ${prefix}mode random${inv} ${prefix}probability ${p.toFixed(11)}`;
	}
	const every = get_unaligned_le32(d, info.every) + 1;
	const packet = get_unaligned_le32(d, info.packet);
	// The first packet is named only where there is a choice.
	return ` ${prefix}mode nth${inv} ${prefix}every ${every}${packet !== 0 || prefix !== '' ? ` ${prefix}packet ${packet}` : ''}`;
}

export const statistic_mt_reg: xt_extension = {
	kind: 'match',
	name: 'statistic',
	revision: 0,
	size: info.sizeof,
	userspacesize: info.count,
	options: [
		{ name: 'mode', id: O_MODE, type: 'string' },
		{ name: 'probability', id: O_PROB, type: 'double', flags: XTOPT_INVERT, min: 0, max: 1 },
		{ name: 'every', id: O_EVERY, type: 'uint32', flags: XTOPT_INVERT, min: 1, also: 1 << O_PACKET },
		{ name: 'packet', id: O_PACKET, type: 'uint32', also: 1 << O_EVERY },
	],
	help: ['--mode random [!] --probability p', '--mode nth [!] --every n --packet p'],
	parse(cb) {
		const d = cb.data;
		if (cb.invert) put_unaligned_le16(d, info.flags, XT_STATISTIC_INVERT);
		switch (cb.entry.id) {
			case O_MODE:
				if (cb.arg !== 'random' && cb.arg !== 'nth') cb.bad(`Bad mode "${cb.arg}"`);
				put_unaligned_le16(d, info.mode, cb.arg === 'random' ? XT_STATISTIC_MODE_RANDOM : XT_STATISTIC_MODE_NTH);
				break;
			case O_PROB: {
				const p = Math.round(cb.num * 0x80000000);
				put_unaligned_le32(d, info.probability, p);
				break;
			}
			case O_EVERY:
				put_unaligned_le32(d, info.every, cb.num - 1);
				break;
			default:
				put_unaligned_le32(d, info.packet, cb.num);
		}
	},
	final_check(cb) {
		const d = cb.data;
		const random = get_unaligned_le16(d, info.mode) === XT_STATISTIC_MODE_RANDOM;
		if (random && (cb.xflags & (1 << O_PROB)) === 0)
			cb.x.error(PARAMETER_PROBLEM, '--probability must be specified when using random mode');
		if (random) {
			// The original counts from here whatever the mode; the fields share their place.
			put_unaligned_le32(d, info.count, get_unaligned_le32(d, info.every));
			return;
		}
		if ((cb.xflags & ((1 << O_EVERY) | (1 << O_PACKET))) === 0)
			cb.x.error(PARAMETER_PROBLEM, '--every and --packet must be specified when using nth mode');
		const every = get_unaligned_le32(d, info.every);
		const packet = get_unaligned_le32(d, info.packet);
		if (packet > every) cb.x.error(PARAMETER_PROBLEM, 'the --packet p must be 0 <= p <= n-1');
		put_unaligned_le32(d, info.count, every - packet);
	},
	print: (d) => ` statistic${dump(d, '')}`,
	save: (d) => dump(d, '--'),
};
