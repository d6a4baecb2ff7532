/*
 * user/iptables/ext/devgroup.ts: -m devgroup.                      Original: extensions/libxt_devgroup.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	xt_devgroup_info as info,
	XT_DEVGROUP_INVERT_DST,
	XT_DEVGROUP_INVERT_SRC,
	XT_DEVGROUP_MATCH_DST,
	XT_DEVGROUP_MATCH_SRC,
} from '../../../uapi/linux/netfilter/xt_devgroup.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension } from '../xtables.ts';
import { DEVGROUPS, parse_val_mask, val_mask_text } from './named.ts';

function dump(d: Uint8Array, prefix: string, numeric: boolean): string {
	const flags = get_unaligned_le32(d, info.flags);
	const text = (o: number, m: number): string =>
		val_mask_text(get_unaligned_le32(d, o), get_unaligned_le32(d, m), DEVGROUPS, numeric);
	let s = '';
	if ((flags & XT_DEVGROUP_MATCH_SRC) !== 0)
		s += `${(flags & XT_DEVGROUP_INVERT_SRC) !== 0 ? ' !' : ''} ${prefix}src-group ${text(info.src_group, info.src_mask)}`;
	if ((flags & XT_DEVGROUP_MATCH_DST) !== 0)
		s += `${(flags & XT_DEVGROUP_INVERT_DST) !== 0 ? ' !' : ''} ${prefix}dst-group ${text(info.dst_group, info.dst_mask)}`;
	return s;
}

export const devgroup_mt_reg: xt_extension = {
	kind: 'match',
	name: 'devgroup',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'src-group', id: 0, type: 'string', flags: XTOPT_INVERT },
		{ name: 'dst-group', id: 1, type: 'string', flags: XTOPT_INVERT },
	],
	help: ['[!] --src-group value[/mask]', '[!] --dst-group value[/mask]'],
	parse(cb) {
		parse_val_mask(cb, DEVGROUPS);
		const src = cb.entry.id === 0;
		put_unaligned_le32(cb.data, src ? info.src_group : info.dst_group, cb.value);
		put_unaligned_le32(cb.data, src ? info.src_mask : info.dst_mask, cb.mask);
		cb.data[info.flags] |= src ? XT_DEVGROUP_MATCH_SRC : XT_DEVGROUP_MATCH_DST;
		if (cb.invert) cb.data[info.flags] |= src ? XT_DEVGROUP_INVERT_SRC : XT_DEVGROUP_INVERT_DST;
	},
	final_check(cb) {
		if (cb.xflags === 0)
			cb.x.error(PARAMETER_PROBLEM, "devgroup match: You must specify either '--src-group' or '--dst-group'");
	},
	print: (d, _rule, numeric) => dump(d, '', numeric),
	save: (d) => dump(d, '--', false),
};
