/*
 * user/iptables/ext/udp.ts: -m udp and -m udplite.                 Original: extensions/libxt_udp.c
 */
import { put_unaligned_le16 } from '../../../lib/byteorder.ts';
import { XT_UDP_INV_DSTPT, XT_UDP_INV_SRCPT, xt_udp } from '../../../uapi/linux/netfilter/xt_tcpudp.ts';
import { XTOPT_INVERT, type xt_extension } from '../xtables.ts';
import { print_ports, save_ports } from './tcp.ts';

const O_SRC = 0;
const O_DST = 1;

export const udp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'udp',
	revision: 0,
	size: xt_udp.sizeof,
	options: [
		{ name: 'source-port', id: O_SRC, type: 'portrc', flags: XTOPT_INVERT, put: xt_udp.spts },
		{ name: 'sport', id: O_SRC, type: 'portrc', flags: XTOPT_INVERT, put: xt_udp.spts },
		{ name: 'destination-port', id: O_DST, type: 'portrc', flags: XTOPT_INVERT, put: xt_udp.dpts },
		{ name: 'dport', id: O_DST, type: 'portrc', flags: XTOPT_INVERT, put: xt_udp.dpts },
	],
	help: ['[!] --source-port port[:port]	(--sport)', '[!] --destination-port port[:port]	(--dport)'],
	init(d) {
		put_unaligned_le16(d, xt_udp.spts + 2, 0xffff);
		put_unaligned_le16(d, xt_udp.dpts + 2, 0xffff);
	},
	parse(cb) {
		if (cb.invert) cb.data[xt_udp.invflags] |= cb.entry.id === O_SRC ? XT_UDP_INV_SRCPT : XT_UDP_INV_DSTPT;
	},
	print(d, _rule, numeric) {
		const inv = d[xt_udp.invflags];
		return (
			' udp' +
			print_ports('spt', d, xt_udp.spts, (inv & XT_UDP_INV_SRCPT) !== 0, numeric, 'udp') +
			print_ports('dpt', d, xt_udp.dpts, (inv & XT_UDP_INV_DSTPT) !== 0, numeric, 'udp')
		);
	},
	save(d) {
		const inv = d[xt_udp.invflags];
		return (
			save_ports('--sport', d, xt_udp.spts, (inv & XT_UDP_INV_SRCPT) !== 0) +
			save_ports('--dport', d, xt_udp.dpts, (inv & XT_UDP_INV_DSTPT) !== 0)
		);
	},
};
