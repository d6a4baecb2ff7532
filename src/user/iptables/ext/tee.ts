/*
 * user/iptables/ext/tee.ts: -j TEE.                                Original: extensions/libxt_TEE.c
 */
import { get_unaligned_be32 } from '../../../lib/byteorder.ts';
import { IFNAMSIZ } from '../../../uapi/linux/if.ts';
import { xt_tee_tginfo as info } from '../../../uapi/linux/netfilter/xt_TEE.ts';
import { cstring } from '../rule.ts';
import { ip_str, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const gateway = (d: Uint8Array): string => ip_str(get_unaligned_be32(d, info.gw));

export const tee_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TEE',
	revision: 1,
	size: info.sizeof,
	userspacesize: info.priv,
	options: [
		{ name: 'gateway', id: 0, type: 'host', flags: XTOPT_MAND, put: info.gw },
		{ name: 'oif', id: 1, type: 'string', put: info.oif, size: IFNAMSIZ },
	],
	help: ['--gateway IPADDR', '--oif NAME'],
	print(d) {
		const oif = cstring(d, info.oif, IFNAMSIZ);
		return ` TEE gw:${gateway(d)}${oif !== '' ? ` oif=${oif}` : ''}`;
	},
	save(d) {
		const oif = cstring(d, info.oif, IFNAMSIZ);
		return ` --gateway ${gateway(d)}${oif !== '' ? ` --oif ${oif}` : ''}`;
	},
};
