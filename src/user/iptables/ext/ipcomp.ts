/*
 * user/iptables/ext/ipcomp.ts: -m ipcomp.                          Original: extensions/libxt_ipcomp.c
 */
import { get_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_ipcomp as info, XT_IPCOMP_INV_SPI } from '../../../uapi/linux/netfilter/xt_ipcomp.ts';
import { XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const range = (d: Uint8Array): [number, number] => [
	get_unaligned_le32(d, info.spis),
	get_unaligned_le32(d, info.spis + 4),
];

export const ipcomp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'ipcomp',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'ipcompspi', id: 0, type: 'uint32rc', flags: XTOPT_INVERT, put: info.spis },
		{ name: 'compres', id: 1, type: 'none' },
	],
	help: ['[!] --ipcompspi spi[:spi]', '--compres'],
	parse(cb) {
		if (cb.entry.id === 1) cb.data[info.hdrres] = 1;
		else if (cb.invert) cb.data[info.invflags] |= XT_IPCOMP_INV_SPI;
	},
	print(d) {
		const [lo, hi] = range(d);
		const bang = (d[info.invflags] & XT_IPCOMP_INV_SPI) !== 0 ? '!' : '';
		let s = ' comp';
		if (lo !== 0 || hi !== 0xffffffff || bang !== '') s += lo === hi ? ` spi:${bang}${lo}` : ` spis:${bang}${lo}:${hi}`;
		if (d[info.hdrres] !== 0) s += ' reserved';
		return s;
	},
	save(d) {
		const [lo, hi] = range(d);
		let s = '';
		if (lo !== 0 || hi !== 0xffffffff)
			s += `${(d[info.invflags] & XT_IPCOMP_INV_SPI) !== 0 ? ' !' : ''} --ipcompspi ${lo === hi ? lo : `${lo}:${hi}`}`;
		if (d[info.hdrres] !== 0) s += ' --compres';
		return s;
	},
};
