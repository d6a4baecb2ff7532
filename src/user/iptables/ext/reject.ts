/*
 * user/iptables/ext/reject.ts: -j REJECT.                          Original: extensions/libipt_REJECT.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	IPT_ICMP_ADMIN_PROHIBITED,
	IPT_ICMP_HOST_PROHIBITED,
	IPT_ICMP_HOST_UNREACHABLE,
	IPT_ICMP_NET_PROHIBITED,
	IPT_ICMP_NET_UNREACHABLE,
	IPT_ICMP_PORT_UNREACHABLE,
	IPT_ICMP_PROT_UNREACHABLE,
	IPT_TCP_RESET,
	ipt_reject_info as info,
} from '../../../uapi/linux/netfilter_ipv4/ipt_REJECT.ts';
import type { xt_extension } from '../xtables.ts';

/** Name, other name, value. */
const TYPES: readonly (readonly [string, string, number])[] = [
	['icmp-net-unreachable', 'net-unreach', IPT_ICMP_NET_UNREACHABLE],
	['icmp-host-unreachable', 'host-unreach', IPT_ICMP_HOST_UNREACHABLE],
	['icmp-proto-unreachable', 'proto-unreach', IPT_ICMP_PROT_UNREACHABLE],
	['icmp-port-unreachable', 'port-unreach', IPT_ICMP_PORT_UNREACHABLE],
	['icmp-net-prohibited', 'net-prohib', IPT_ICMP_NET_PROHIBITED],
	['icmp-host-prohibited', 'host-prohib', IPT_ICMP_HOST_PROHIBITED],
	['tcp-reset', 'tcp-rst', IPT_TCP_RESET],
	['icmp-admin-prohibited', 'admin-prohib', IPT_ICMP_ADMIN_PROHIBITED],
];

function name_of(d: Uint8Array): string {
	const value = get_unaligned_le32(d, info.with);
	return TYPES.find(([, , v]) => v === value)?.[0] ?? '';
}

export const reject_tg_reg: xt_extension = {
	kind: 'target',
	name: 'REJECT',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'reject-with', id: 0, type: 'string' }],
	help: ['--reject-with type', `types: ${TYPES.map(([n]) => n).join(' ')}`],
	init(d) {
		put_unaligned_le32(d, info.with, IPT_ICMP_PORT_UNREACHABLE);
	},
	parse(cb) {
		const s = cb.arg.toLowerCase();
		// An empty word is the beginning of the first.
		const hit = TYPES.find(([n, alias]) => n.startsWith(s) || alias.startsWith(s));
		if (hit !== undefined) {
			put_unaligned_le32(cb.data, info.with, hit[2]);
			return;
		}
		if ('echo-reply'.startsWith(s) || 'echoreply'.startsWith(s))
			cb.x.eprint('--reject-with echo-reply no longer supported\n');
		cb.bad(`unknown reject type "${cb.arg}"`);
	},
	print: (d) => ` reject-with ${name_of(d)}`,
	save: (d) => ` --reject-with ${name_of(d)}`,
};
