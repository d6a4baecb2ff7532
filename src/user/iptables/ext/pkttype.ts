/*
 * user/iptables/ext/pkttype.ts: -m pkttype.                        Original: extensions/libxt_pkttype.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_pkttype_info as info } from '../../../uapi/linux/netfilter/xt_pkttype.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const TYPES: readonly (readonly [string, number])[] = [
	['unicast', 0],
	['broadcast', 1],
	['multicast', 2],
	['host', 0],
	['bcast', 1],
	['mcast', 2],
];

function name_of(d: Uint8Array): string {
	const type = get_unaligned_le32(d, info.pkttype);
	return TYPES.find(([, v]) => v === type)?.[0] ?? String(type);
}

export const pkttype_mt_reg: xt_extension = {
	kind: 'match',
	name: 'pkttype',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'pkt-type', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --pkt-type unicast|broadcast|multicast'],
	parse(cb) {
		const hit = TYPES.find(([n]) => n === cb.arg.toLowerCase());
		if (hit === undefined) return cb.bad(`Bad packet type '${cb.arg}'`);
		put_unaligned_le32(cb.data, info.pkttype, hit[1]);
		if (cb.invert) put_unaligned_le32(cb.data, info.invert, 1);
	},
	print: (d) => ` PKTTYPE ${get_unaligned_le32(d, info.invert) !== 0 ? '!' : ''}= ${name_of(d)}`,
	save: (d) => `${get_unaligned_le32(d, info.invert) !== 0 ? ' !' : ''} --pkt-type ${name_of(d)}`,
};
