/*
 * user/iptables/ext/netmap.ts: -j NETMAP.                          Original: extensions/libxt_NAT.c
 */
import { get_unaligned_be32, put_unaligned_be32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	nf_nat_ipv4_multi_range_compat as compat,
	NF_NAT_RANGE_MAP_IPS,
	nf_nat_ipv4_range as range4,
} from '../../../uapi/linux/netfilter/nf_nat.ts';
import { ip_str, ipmask_to_cidr, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const MIN = compat.range + range4.min_ip;
const MAX = compat.range + range4.max_ip;

function network(d: Uint8Array): string {
	const min = get_unaligned_be32(d, MIN);
	const mask = ~(min ^ get_unaligned_be32(d, MAX)) >>> 0;
	const cidr = ipmask_to_cidr(mask);
	return `${ip_str(min)}/${cidr < 0 ? ip_str(mask) : cidr}`;
}

export const netmap_tg_reg: xt_extension = {
	kind: 'target',
	name: 'NETMAP',
	revision: 0,
	size: compat.sizeof,
	options: [{ name: 'to', id: 0, type: 'hostmask', flags: XTOPT_MAND }],
	help: ['--to address[/mask]'],
	init(d) {
		put_unaligned_le32(d, compat.rangesize, 1);
	},
	parse(cb) {
		put_unaligned_le32(cb.data, compat.range + range4.flags, NF_NAT_RANGE_MAP_IPS);
		put_unaligned_be32(cb.data, MIN, (cb.addr & cb.mask) >>> 0);
		put_unaligned_be32(cb.data, MAX, (cb.addr | ~cb.mask) >>> 0);
	},
	print: (d) => ` to:${network(d)}`,
	save: (d) => ` --to ${network(d)}`,
};
