/*
 * user/iptables/ext/esp.ts: -m esp and -m ah.                      Original: extensions/libxt_esp.c, libipt_ah.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_esp as info, XT_ESP_INV_SPI } from '../../../uapi/linux/netfilter/xt_esp.ts';
import { XTOPT_INVERT, type xt_extension } from '../xtables.ts';

function spis(name: 'esp' | 'ah'): xt_extension {
	const bounds = (d: Uint8Array): [number, number] => [
		get_unaligned_le32(d, info.spis),
		get_unaligned_le32(d, info.spis + 4),
	];
	const inverted = (d: Uint8Array): boolean => (d[info.invflags] & XT_ESP_INV_SPI) !== 0;
	return {
		kind: 'match',
		name,
		revision: 0,
		size: info.sizeof,
		options: [{ name: `${name}spi`, id: 0, type: 'uint32rc', flags: XTOPT_INVERT, put: info.spis }],
		help: [`[!] --${name}spi spi[:spi]`],
		init(d) {
			put_unaligned_le32(d, info.spis + 4, 0xffffffff);
		},
		parse(cb) {
			if (cb.invert) cb.data[info.invflags] |= XT_ESP_INV_SPI;
		},
		print(d) {
			const [lo, hi] = bounds(d);
			// ah's own blank.
			if (lo === 0 && hi === 0xffffffff && !inverted(d)) return name === 'ah' ? ' ah ' : ` ${name}`;
			const inv = inverted(d) ? '!' : '';
			return lo === hi ? ` ${name} spi:${inv}${lo}` : ` ${name} spis:${inv}${lo}:${hi}`;
		},
		save(d) {
			const [lo, hi] = bounds(d);
			if (lo === 0 && hi === 0xffffffff) return '';
			return `${inverted(d) ? ' !' : ''} --${name}spi ${lo === hi ? lo : `${lo}:${hi}`}`;
		},
	};
}

export const esp_mt_reg = spis('esp');
export const ah_mt_reg = spis('ah');
