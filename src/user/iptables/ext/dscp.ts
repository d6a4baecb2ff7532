/*
 * user/iptables/ext/dscp.ts: -m dscp and -m tos.                   Original: extensions/libxt_dscp.c, libxt_tos.c
 */
import { xt_dscp_info as dscp, xt_tos_match_info as tos } from '../../../uapi/linux/netfilter/xt_dscp.ts';
import { PARAMETER_PROBLEM, tos_name, XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { class_to_dscp } from './dscp_tg.ts';

const hex2 = (n: number): string => '0x' + n.toString(16).padStart(2, '0');

export const dscp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'dscp',
	revision: 0,
	size: dscp.sizeof,
	options: [
		{ name: 'dscp', id: 0, type: 'uint8', max: 63, flags: XTOPT_INVERT, excl: 2, put: dscp.dscp },
		{ name: 'dscp-class', id: 1, type: 'string', flags: XTOPT_INVERT, excl: 1 },
	],
	help: ['[!] --dscp value', '[!] --dscp-class class'],
	parse(cb) {
		if (cb.entry.id === 1) {
			const value = class_to_dscp(cb.arg);
			if (value < 0) cb.bad(`Invalid DSCP value \`${cb.arg}'`);
			cb.data[dscp.dscp] = value;
		}
		if (cb.invert) cb.data[dscp.invert] = 1;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'DSCP match: Parameter --dscp is required');
	},
	print: (d) => ` DSCP match ${d[dscp.invert] !== 0 ? '!' : ''}${hex2(d[dscp.dscp])}`,
	save: (d) => `${d[dscp.invert] !== 0 ? ' !' : ''} --dscp ${hex2(d[dscp.dscp])}`,
};

const value_mask = (d: Uint8Array): string => `${hex2(d[tos.tos_value])}/${hex2(d[tos.tos_mask])}`;

export const tos_mt_reg: xt_extension = {
	kind: 'match',
	name: 'tos',
	revision: 1,
	size: tos.sizeof,
	options: [{ name: 'tos', id: 0, type: 'tosmask', flags: XTOPT_INVERT | XTOPT_MAND }],
	help: ['[!] --tos value[/mask]|symbol'],
	parse(cb) {
		cb.data[tos.tos_value] = cb.value;
		cb.data[tos.tos_mask] = cb.mask;
		if (cb.invert) cb.data[tos.invert] = 1;
	},
	print(d, _rule, numeric) {
		const name = numeric ? '' : tos_name(d[tos.tos_value], d[tos.tos_mask]);
		// The original's blanks.
		return ` tos match${d[tos.invert] !== 0 ? '!' : ''}${name !== '' ? ` ${name}` : value_mask(d)}`;
	},
	save: (d) => `${d[tos.invert] !== 0 ? ' !' : ''} --tos ${value_mask(d)}`,
};
