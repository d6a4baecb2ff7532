/*
 * user/iptables/ext/tcpmss_tg.ts: -j TCPMSS.                       Original: extensions/libxt_TCPMSS.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import { xt_tcpmss_info as info, XT_TCPMSS_CLAMP_PMTU } from '../../../uapi/linux/netfilter/xt_tcpmss.ts';
import { PARAMETER_PROBLEM, type xt_extension } from '../xtables.ts';

export const tcpmss_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TCPMSS',
	revision: 0,
	size: info.sizeof,
	options: [
		// 65535 less an IPv4 header.
		{ name: 'set-mss', id: 0, type: 'uint16', max: 65515, put: info.mss },
		{ name: 'clamp-mss-to-pmtu', id: 1, type: 'none' },
	],
	help: ['--set-mss value', '--clamp-mss-to-pmtu'],
	parse(cb) {
		if (cb.entry.id === 1) put_unaligned_le16(cb.data, info.mss, XT_TCPMSS_CLAMP_PMTU);
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'TCPMSS target: At least one parameter is required');
	},
	print(d) {
		const mss = get_unaligned_le16(d, info.mss);
		return mss === XT_TCPMSS_CLAMP_PMTU ? ' TCPMSS clamp to PMTU' : ` TCPMSS set ${mss}`;
	},
	save(d) {
		const mss = get_unaligned_le16(d, info.mss);
		return mss === XT_TCPMSS_CLAMP_PMTU ? ' --clamp-mss-to-pmtu' : ` --set-mss ${mss}`;
	},
};
