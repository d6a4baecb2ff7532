/*
 * user/iptables/ext/dscp_tg.ts: -j DSCP and -j TOS.                Original: extensions/libxt_DSCP.c, libxt_TOS.c
 */
import { xt_DSCP_info as dscp, xt_tos_target_info as tos } from '../../../uapi/linux/netfilter/xt_dscp.ts';
import { PARAMETER_PROBLEM, tos_name, type xt_extension } from '../xtables.ts';

const hex2 = (n: number): string => '0x' + n.toString(16).padStart(2, '0');

/** RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF). Return: -1 when there is no such class. */
export function class_to_dscp(name: string): number {
	const s = name.toUpperCase();
	if (s === 'BE') return 0;
	if (s === 'EF') return 0x2e;
	const cs = /^CS([0-7])$/.exec(s);
	if (cs !== null) return Number(cs[1]) << 3;
	const af = /^AF([1-4])([1-3])$/.exec(s);
	return af !== null ? (Number(af[1]) << 3) | (Number(af[2]) << 1) : -1;
}

export const dscp_tg_reg: xt_extension = {
	kind: 'target',
	name: 'DSCP',
	revision: 0,
	size: dscp.sizeof,
	options: [
		{ name: 'set-dscp', id: 0, type: 'uint8', max: 63, excl: 2, put: dscp.dscp },
		{ name: 'set-dscp-class', id: 1, type: 'string', excl: 1 },
	],
	help: ['--set-dscp value', '--set-dscp-class class'],
	parse(cb) {
		if (cb.entry.id !== 1) return;
		const value = class_to_dscp(cb.arg);
		if (value < 0) cb.bad(`Invalid DSCP value \`${cb.arg}'`);
		cb.data[dscp.dscp] = value;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'DSCP target: Parameter --set-dscp is required');
	},
	print: (d) => ` DSCP set ${hex2(d[dscp.dscp])}`,
	save: (d) => ` --set-dscp ${hex2(d[dscp.dscp])}`,
};

const O_SET = 0;
const O_AND = 1;
const O_OR = 2;
const O_XOR = 3;
const ANY = 0xf;

export const tos_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TOS',
	revision: 1,
	size: tos.sizeof,
	options: [
		{ name: 'set-tos', id: O_SET, type: 'tosmask', excl: ANY },
		{ name: 'and-tos', id: O_AND, type: 'uint8', excl: ANY },
		{ name: 'or-tos', id: O_OR, type: 'uint8', excl: ANY },
		{ name: 'xor-tos', id: O_XOR, type: 'uint8', excl: ANY },
	],
	help: ['--set-tos value[/mask]|symbol', '--and-tos|--or-tos|--xor-tos bits'],
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_SET:
				d[tos.tos_value] = cb.value;
				d[tos.tos_mask] = cb.mask;
				break;
			case O_AND:
				d[tos.tos_value] = 0;
				d[tos.tos_mask] = ~cb.num & 0xff;
				break;
			case O_OR:
				d[tos.tos_value] = cb.num;
				d[tos.tos_mask] = cb.num;
				break;
			default:
				d[tos.tos_value] = cb.num;
				d[tos.tos_mask] = 0;
		}
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'TOS: An action is required');
	},
	print(d, _rule, numeric) {
		const value = d[tos.tos_value];
		const mask = d[tos.tos_mask];
		const set = ` TOS set ${hex2(value)}/${hex2(mask)}`;
		if (numeric) return set;
		const name = tos_name(value, mask);
		// The blank stands on the wrong side in the original.
		if (name !== '') return `  TOS set${name}`;
		if (value === 0) return ` TOS and ${hex2(~mask & 0xff)}`;
		if (value === mask) return ` TOS or ${hex2(value)}`;
		return mask === 0 ? ` TOS xor ${hex2(value)}` : set;
	},
	save: (d) => ` --set-tos ${hex2(d[tos.tos_value])}/${hex2(d[tos.tos_mask])}`,
};
