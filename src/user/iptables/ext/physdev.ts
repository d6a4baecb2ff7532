/*
 * user/iptables/ext/physdev.ts: -m physdev.                        Original: extensions/libxt_physdev.c
 */
import { IFNAMSIZ } from '../../../uapi/linux/if.ts';
import {
	xt_physdev_info as info,
	XT_PHYSDEV_OP_BRIDGED,
	XT_PHYSDEV_OP_IN,
	XT_PHYSDEV_OP_ISIN,
	XT_PHYSDEV_OP_ISOUT,
	XT_PHYSDEV_OP_OUT,
} from '../../../uapi/linux/netfilter/xt_physdev.ts';
import { cstring, put_cstring } from '../rule.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension, type xt_option_call } from '../xtables.ts';

/** In the order in which they are printed. */
const OPS: readonly (readonly [string, number])[] = [
	['physdev-is-in', XT_PHYSDEV_OP_ISIN],
	['physdev-in', XT_PHYSDEV_OP_IN],
	['physdev-is-out', XT_PHYSDEV_OP_ISOUT],
	['physdev-out', XT_PHYSDEV_OP_OUT],
	['physdev-is-bridged', XT_PHYSDEV_OP_BRIDGED],
];

function put_iface(cb: xt_option_call, name: number, mask: number): void {
	const s = cb.arg;
	if (s.length + 1 > IFNAMSIZ) cb.bad(`interface name \`${s}' must be shorter than IFNAMSIZ (${IFNAMSIZ - 1})`);
	const d = cb.data;
	d.fill(0, name, name + IFNAMSIZ);
	d.fill(0, mask, mask + IFNAMSIZ);
	put_cstring(d, name, IFNAMSIZ, s);
	if (s === '') return;
	// With a + at the end only what stands before it counts; else the end of the name counts too.
	d.fill(0xff, mask, mask + (s.endsWith('+') ? s.length - 1 : s.length + 1));
}

function dump(d: Uint8Array): string {
	let s = '';
	for (const [name, bit] of OPS) {
		if ((d[info.bitmask] & bit) === 0) continue;
		s += `${(d[info.invert] & bit) !== 0 ? ' !' : ''} --${name}`;
		if (bit === XT_PHYSDEV_OP_IN) s += ` ${cstring(d, info.physindev, IFNAMSIZ)}`;
		if (bit === XT_PHYSDEV_OP_OUT) s += ` ${cstring(d, info.physoutdev, IFNAMSIZ)}`;
	}
	return s;
}

export const physdev_mt_reg: xt_extension = {
	kind: 'match',
	name: 'physdev',
	revision: 0,
	size: info.sizeof,
	options: OPS.map(([name, bit], id) => ({
		name,
		id,
		type: bit === XT_PHYSDEV_OP_IN || bit === XT_PHYSDEV_OP_OUT ? 'string' : 'none',
		flags: XTOPT_INVERT,
	})),
	help: OPS.map(([name, bit]) => `[!] --${name}${(bit & 3) !== 0 ? ' name[+]' : ''}`),
	parse(cb) {
		const bit = OPS[cb.entry.id][1];
		if (bit === XT_PHYSDEV_OP_IN) put_iface(cb, info.physindev, info.in_mask);
		if (bit === XT_PHYSDEV_OP_OUT) put_iface(cb, info.physoutdev, info.out_mask);
		cb.data[info.bitmask] |= bit;
		if (cb.invert) cb.data[info.invert] |= bit;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'PHYSDEV: no physdev option specified');
	},
	print: (d) => ' PHYSDEV match' + dump(d),
	save: dump,
};
