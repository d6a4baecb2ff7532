/*
 * user/iptables/ext/multiport.ts: -m multiport.                    Original: extensions/libxt_multiport.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	xt_multiport_v1 as info,
	XT_MULTI_PORTS,
	XT_MULTIPORT_DESTINATION,
	XT_MULTIPORT_EITHER,
	XT_MULTIPORT_SOURCE,
} from '../../../uapi/linux/netfilter/xt_multiport.ts';
import { IPT_INV_PROTO } from '../../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import { getservbyport } from '../netdb.ts';
import type { ipt_rule } from '../rule.ts';
import {
	PARAMETER_PROBLEM,
	XTOPT_INVERT,
	type xt_extension,
	type xt_option_call,
	xtables_parse_port,
} from '../xtables.ts';

const PROTOS = new Map([
	[6, 'tcp'],
	[17, 'udp'],
	[136, 'udplite'],
	[132, 'sctp'],
	[33, 'dccp'],
]);

function proto_name(cb: xt_option_call): string {
	const { proto, invflags } = cb.rule;
	if ((invflags & IPT_INV_PROTO) !== 0) cb.bad('multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP');
	const name = PROTOS.get(proto);
	if (name !== undefined) return name;
	if (proto === 0) return cb.bad("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'");
	return cb.bad('multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP');
}

function parse(cb: xt_option_call): void {
	const d = cb.data;
	const proto = proto_name(cb);
	let n = 0;
	for (const word of cb.arg.split(',')) {
		const colon = word.indexOf(':');
		if (n + (colon >= 0 ? 1 : 0) >= XT_MULTI_PORTS) cb.bad('too many ports specified');
		const lo = xtables_parse_port(cb.x, colon < 0 ? word : word.slice(0, colon), proto);
		put_unaligned_le16(d, info.ports + 2 * n, lo);
		if (colon >= 0) {
			d[info.pflags + n] = 1;
			n++;
			const hi = xtables_parse_port(cb.x, word.slice(colon + 1), proto);
			if (lo >= hi) cb.bad('invalid portrange specified');
			put_unaligned_le16(d, info.ports + 2 * n, hi);
		}
		n++;
	}
	d[info.count] = n;
	d[info.flags] = cb.entry.id;
	if (cb.invert) d[info.invert] = 1;
}

function list(d: Uint8Array, port: (p: number) => string): string {
	let s = '';
	for (let i = 0; i < d[info.count]; i++) {
		s += (i > 0 ? ',' : '') + port(get_unaligned_le16(d, info.ports + 2 * i));
		if (d[info.pflags + i] !== 0 && i + 1 < XT_MULTI_PORTS)
			s += ':' + port(get_unaligned_le16(d, info.ports + 2 * ++i));
	}
	return s;
}

const KIND = ['sports', 'dports', 'ports'];
const EXCL = (1 << XT_MULTIPORT_SOURCE) | (1 << XT_MULTIPORT_DESTINATION) | (1 << XT_MULTIPORT_EITHER);

export const multiport_mt_reg: xt_extension = {
	kind: 'match',
	name: 'multiport',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'source-ports', id: 0, type: 'string', flags: XTOPT_INVERT, excl: EXCL },
		{ name: 'sports', id: 0, type: 'string', flags: XTOPT_INVERT, excl: EXCL },
		{ name: 'destination-ports', id: 1, type: 'string', flags: XTOPT_INVERT, excl: EXCL },
		{ name: 'dports', id: 1, type: 'string', flags: XTOPT_INVERT, excl: EXCL },
		{ name: 'ports', id: 2, type: 'string', flags: XTOPT_INVERT, excl: EXCL },
	],
	help: ['[!] --sports|--dports|--ports port[,port:port,...]'],
	parse,
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'multiport expection an option');
	},
	print(d, rule: ipt_rule, numeric) {
		const proto = PROTOS.get(rule.proto) ?? '';
		const text = (p: number): string => {
			const name = numeric ? '' : getservbyport(p, proto);
			return name !== '' ? name : String(p);
		};
		return ` multiport ${KIND[d[info.flags]] ?? 'ERROR'} ${d[info.invert] !== 0 ? ' !' : ''}${list(d, text)}`;
	},
	save(d) {
		return `${d[info.invert] !== 0 ? ' !' : ''} --${KIND[d[info.flags]] ?? 'ports'} ${list(d, String)}`;
	},
};
