/*
 * user/iptables/ext/classify.ts: -j CLASSIFY.                      Original: extensions/libxt_CLASSIFY.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_classify_target_info as info } from '../../../uapi/linux/netfilter/xt_CLASSIFY.ts';
import { XTOPT_MAND, type xt_extension } from '../xtables.ts';

/** MAJOR:MINOR in hex, each cut to `width` digits. */
function handle_text(d: Uint8Array, width: number): string {
	const h = get_unaligned_le32(d, info.priority);
	return `${(h >>> 16).toString(16).padStart(width, '0')}:${(h & 0xffff).toString(16).padStart(width, '0')}`;
}

export const classify_tg_reg: xt_extension = {
	kind: 'target',
	name: 'CLASSIFY',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'set-class', id: 0, type: 'string', flags: XTOPT_MAND }],
	help: ['--set-class MAJOR:MINOR		in hex'],
	parse(cb) {
		const m = /^\s*([-+]?)(?:0[xX])?([0-9a-fA-F]+):\s*([-+]?)(?:0[xX])?([0-9a-fA-F]+)/.exec(cb.arg);
		if (m === null) return cb.bad(`Bad class value "${cb.arg}"`);
		const major = parseInt(m[1] + m[2], 16);
		const minor = parseInt(m[3] + m[4], 16);
		put_unaligned_le32(cb.data, info.priority, ((major << 16) | (minor & 0xffff)) >>> 0);
	},
	print: (d) => ` CLASSIFY set ${handle_text(d, 0)}`,
	save: (d) => ` --set-class ${handle_text(d, 4)}`,
};
