/*
 * user/iptables/ext/checksum.ts: -j CHECKSUM.                      Original: extensions/libxt_CHECKSUM.c
 */
import { xt_CHECKSUM_info as info, XT_CHECKSUM_OP_FILL } from '../../../uapi/linux/netfilter/xt_CHECKSUM.ts';
import { XTOPT_MAND, type xt_extension } from '../xtables.ts';

export const checksum_tg_reg: xt_extension = {
	kind: 'target',
	name: 'CHECKSUM',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'checksum-fill', id: 0, type: 'none', flags: XTOPT_MAND }],
	help: ['--checksum-fill'],
	parse(cb) {
		cb.data[info.operation] = XT_CHECKSUM_OP_FILL;
	},
	print: (d) => ((d[info.operation] & XT_CHECKSUM_OP_FILL) !== 0 ? ' CHECKSUM fill' : ' CHECKSUM'),
	save: (d) => ((d[info.operation] & XT_CHECKSUM_OP_FILL) !== 0 ? ' --checksum-fill' : ''),
};
