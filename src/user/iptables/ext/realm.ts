/*
 * user/iptables/ext/realm.ts: -m realm.                            Original: extensions/libipt_realm.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_realm_info as info } from '../../../uapi/linux/netfilter/xt_realm.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { parse_val_mask, REALMS, val_mask_text } from './named.ts';

function dump(d: Uint8Array, word: string, numeric: boolean): string {
	const text = val_mask_text(get_unaligned_le32(d, info.id), get_unaligned_le32(d, info.mask), REALMS, numeric);
	return `${d[info.invert] !== 0 ? ' !' : ''} ${word} ${text}`;
}

export const realm_mt_reg: xt_extension = {
	kind: 'match',
	name: 'realm',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'realm', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --realm value[/mask]'],
	parse(cb) {
		parse_val_mask(cb, REALMS);
		put_unaligned_le32(cb.data, info.id, cb.value);
		put_unaligned_le32(cb.data, info.mask, cb.mask);
		if (cb.invert) cb.data[info.invert] = 1;
	},
	print: (d, _rule, numeric) => dump(d, 'realm', numeric),
	save: (d) => dump(d, '--realm', false),
};
