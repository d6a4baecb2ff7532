/*
 * user/iptables/ext/iprange.ts: -m iprange.                        Original: extensions/libxt_iprange.c
 */
import { get_unaligned_be32, put_unaligned_be32 } from '../../../lib/byteorder.ts';
import {
	IPRANGE_DST,
	IPRANGE_DST_INV,
	IPRANGE_SRC,
	IPRANGE_SRC_INV,
	xt_iprange_mtinfo as info,
} from '../../../uapi/linux/netfilter/xt_iprange.ts';
import {
	inet_aton,
	ip_str,
	PARAMETER_PROBLEM,
	XTOPT_INVERT,
	type xt_extension,
	type xt_option_call,
} from '../xtables.ts';

const O_SRC = 0;
const O_DST = 1;

function parse_range(cb: xt_option_call, min: number, max: number): void {
	const dash = cb.arg.indexOf('-');
	const part = (s: string): number => {
		const a = inet_aton(s);
		return a >= 0 ? a : cb.bad(`iprange: Bad value for "--${cb.entry.name}" option: "${s}"`);
	};
	const from = part(dash < 0 ? cb.arg : cb.arg.slice(0, dash));
	const to = dash < 0 ? from : part(cb.arg.slice(dash + 1));
	if (from > to) cb.x.eprint(`xt_iprange: range ${ip_str(from)}-${ip_str(to)} is reversed and will never match\n`);
	put_unaligned_be32(cb.data, min, from);
	put_unaligned_be32(cb.data, max, to);
}

function range(d: Uint8Array, min: number, max: number): string {
	return ` ${ip_str(get_unaligned_be32(d, min))}-${ip_str(get_unaligned_be32(d, max))}`;
}

export const iprange_mt_reg: xt_extension = {
	kind: 'match',
	name: 'iprange',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'src-range', id: O_SRC, type: 'string', flags: XTOPT_INVERT },
		{ name: 'dst-range', id: O_DST, type: 'string', flags: XTOPT_INVERT },
	],
	help: ['[!] --src-range|--dst-range ip[-ip]'],
	parse(cb) {
		const src = cb.entry.id === O_SRC;
		cb.data[info.flags] |= src ? IPRANGE_SRC : IPRANGE_DST;
		if (cb.invert) cb.data[info.flags] |= src ? IPRANGE_SRC_INV : IPRANGE_DST_INV;
		if (src) parse_range(cb, info.src_min, info.src_max);
		else parse_range(cb, info.dst_min, info.dst_max);
	},
	final_check(cb) {
		if (cb.xflags === 0)
			cb.x.error(PARAMETER_PROBLEM, "iprange match: You must specify `--src-range' or `--dst-range'");
	},
	print(d) {
		const f = d[info.flags];
		let s = '';
		if ((f & IPRANGE_SRC) !== 0)
			s += ` source IP range${(f & IPRANGE_SRC_INV) !== 0 ? ' !' : ''}${range(d, info.src_min, info.src_max)}`;
		if ((f & IPRANGE_DST) !== 0)
			s += ` destination IP range${(f & IPRANGE_DST_INV) !== 0 ? ' !' : ''}${range(d, info.dst_min, info.dst_max)}`;
		return s;
	},
	save(d) {
		const f = d[info.flags];
		let s = '';
		if ((f & IPRANGE_SRC) !== 0)
			s += `${(f & IPRANGE_SRC_INV) !== 0 ? ' !' : ''} --src-range${range(d, info.src_min, info.src_max)}`;
		if ((f & IPRANGE_DST) !== 0)
			s += `${(f & IPRANGE_DST_INV) !== 0 ? ' !' : ''} --dst-range${range(d, info.dst_min, info.dst_max)}`;
		return s;
	},
};
