/*
 * user/iptables/ext/tproxy.ts: -j TPROXY.                          Original: extensions/libxt_TPROXY.c
 */
import {
	get_unaligned_be16,
	get_unaligned_be32,
	get_unaligned_le32,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import { xt_tproxy_target_info_v1 as info } from '../../../uapi/linux/netfilter/xt_TPROXY.ts';
import { ip_str, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { hex } from './mark.ts';

const O_PORT = 0;
const O_IP = 1;
const O_MARK = 2;

export const tproxy_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TPROXY',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'on-port', id: O_PORT, type: 'port', flags: XTOPT_MAND, put: info.lport },
		{ name: 'on-ip', id: O_IP, type: 'host', put: info.laddr },
		{ name: 'tproxy-mark', id: O_MARK, type: 'markmask32' },
	],
	help: ['--on-port port', '--on-ip ip', '--tproxy-mark value[/mask]'],
	parse(cb) {
		if (cb.entry.id !== O_MARK) return;
		put_unaligned_le32(cb.data, info.mark_value, cb.value);
		put_unaligned_le32(cb.data, info.mark_mask, cb.mask);
	},
	print(d) {
		const to = `${ip_str(get_unaligned_be32(d, info.laddr))}:${get_unaligned_be16(d, info.lport)}`;
		return ` TPROXY redirect ${to} mark ${hex(get_unaligned_le32(d, info.mark_value))}/${hex(get_unaligned_le32(d, info.mark_mask))}`;
	},
	save: (d) =>
		` --on-port ${get_unaligned_be16(d, info.lport)} --on-ip ${ip_str(get_unaligned_be32(d, info.laddr))}` +
		` --tproxy-mark ${hex(get_unaligned_le32(d, info.mark_value))}/${hex(get_unaligned_le32(d, info.mark_mask))}`,
};
