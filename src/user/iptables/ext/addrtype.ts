/*
 * user/iptables/ext/addrtype.ts: -m addrtype.                      Original: extensions/libxt_addrtype.c
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	xt_addrtype_info_v1 as info,
	XT_ADDRTYPE_INVERT_DEST,
	XT_ADDRTYPE_INVERT_SOURCE,
	XT_ADDRTYPE_LIMIT_IFACE_IN,
	XT_ADDRTYPE_LIMIT_IFACE_OUT,
} from '../../../uapi/linux/netfilter/xt_addrtype.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension, type xt_option_call } from '../xtables.ts';

/** By route type. */
const TYPES = [
	'UNSPEC',
	'UNICAST',
	'LOCAL',
	'BROADCAST',
	'ANYCAST',
	'MULTICAST',
	'BLACKHOLE',
	'UNREACHABLE',
	'PROHIBIT',
	'THROW',
	'NAT',
	'XRESOLVE',
];

const O_SRC = 0;
const O_DST = 1;
const O_IN = 2;
const O_OUT = 3;

function parse_types(cb: xt_option_call): number {
	let mask = 0;
	const words = cb.arg.split(',');
	for (let k = 0; k < words.length; k++) {
		const i = words[k] === '' ? -1 : TYPES.findIndex((t) => t.startsWith(words[k].toUpperCase()));
		if (i < 0) cb.bad(`addrtype: bad type "${words.slice(k).join(',')}"`);
		mask |= 1 << i;
	}
	return mask;
}

function types_text(mask: number): string {
	return TYPES.filter((_, i) => (mask & (1 << i)) !== 0).join(',');
}

export const addrtype_mt_reg: xt_extension = {
	kind: 'match',
	name: 'addrtype',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'src-type', id: O_SRC, type: 'string', flags: XTOPT_INVERT },
		{ name: 'dst-type', id: O_DST, type: 'string', flags: XTOPT_INVERT },
		{ name: 'limit-iface-in', id: O_IN, type: 'none', excl: 1 << O_OUT },
		{ name: 'limit-iface-out', id: O_OUT, type: 'none', excl: 1 << O_IN },
	],
	help: ['[!] --src-type|--dst-type type[,...]', '    --limit-iface-in|--limit-iface-out', `types: ${TYPES.join(' ')}`],
	parse(cb) {
		const d = cb.data;
		const flags = get_unaligned_le32(d, info.flags);
		switch (cb.entry.id) {
			case O_SRC:
				put_unaligned_le16(d, info.source, parse_types(cb));
				if (cb.invert) put_unaligned_le32(d, info.flags, flags | XT_ADDRTYPE_INVERT_SOURCE);
				break;
			case O_DST:
				put_unaligned_le16(d, info.dest, parse_types(cb));
				if (cb.invert) put_unaligned_le32(d, info.flags, flags | XT_ADDRTYPE_INVERT_DEST);
				break;
			case O_IN:
				put_unaligned_le32(d, info.flags, flags | XT_ADDRTYPE_LIMIT_IFACE_IN);
				break;
			default:
				put_unaligned_le32(d, info.flags, flags | XT_ADDRTYPE_LIMIT_IFACE_OUT);
		}
	},
	final_check(cb) {
		if ((cb.xflags & ((1 << O_SRC) | (1 << O_DST))) === 0)
			cb.x.error(PARAMETER_PROBLEM, 'addrtype: you must specify --src-type or --dst-type');
	},
	print(d) {
		const flags = get_unaligned_le32(d, info.flags);
		const src = get_unaligned_le16(d, info.source);
		const dst = get_unaligned_le16(d, info.dest);
		let s = ' ADDRTYPE match';
		if (src !== 0) s += ` src-type ${(flags & XT_ADDRTYPE_INVERT_SOURCE) !== 0 ? '!' : ''}${types_text(src)}`;
		if (dst !== 0) s += ` dst-type ${(flags & XT_ADDRTYPE_INVERT_DEST) !== 0 ? '!' : ''}${types_text(dst)}`;
		if ((flags & XT_ADDRTYPE_LIMIT_IFACE_IN) !== 0) s += ' limit-in';
		if ((flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) !== 0) s += ' limit-out';
		return s;
	},
	save(d) {
		const flags = get_unaligned_le32(d, info.flags);
		const src = get_unaligned_le16(d, info.source);
		const dst = get_unaligned_le16(d, info.dest);
		let s = '';
		if (src !== 0) s += `${(flags & XT_ADDRTYPE_INVERT_SOURCE) !== 0 ? ' !' : ''} --src-type ${types_text(src)}`;
		if (dst !== 0) s += `${(flags & XT_ADDRTYPE_INVERT_DEST) !== 0 ? ' !' : ''} --dst-type ${types_text(dst)}`;
		if ((flags & XT_ADDRTYPE_LIMIT_IFACE_IN) !== 0) s += ' --limit-iface-in';
		if ((flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) !== 0) s += ' --limit-iface-out';
		return s;
	},
};
