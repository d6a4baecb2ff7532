/*
 * user/iptables/ext/icmp.ts: -m icmp.                              Original: extensions/libipt_icmp.c
 */
import { IPT_ICMP_INV, ipt_icmp } from '../../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import { strtoul } from '../netdb.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension, type xt_option_call } from '../xtables.ts';

/** Name, type, lowest and highest code. */
const NAMES: readonly (readonly [string, number, number, number])[] = [
	['any', 0xff, 0, 0xff],
	['echo-reply', 0, 0, 0xff],
	['pong', 0, 0, 0xff],
	['destination-unreachable', 3, 0, 0xff],
	['network-unreachable', 3, 0, 0],
	['host-unreachable', 3, 1, 1],
	['protocol-unreachable', 3, 2, 2],
	['port-unreachable', 3, 3, 3],
	['fragmentation-needed', 3, 4, 4],
	['source-route-failed', 3, 5, 5],
	['network-unknown', 3, 6, 6],
	['host-unknown', 3, 7, 7],
	['network-prohibited', 3, 9, 9],
	['host-prohibited', 3, 10, 10],
	['TOS-network-unreachable', 3, 11, 11],
	['TOS-host-unreachable', 3, 12, 12],
	['communication-prohibited', 3, 13, 13],
	['host-precedence-violation', 3, 14, 14],
	['precedence-cutoff', 3, 15, 15],
	['source-quench', 4, 0, 0xff],
	['redirect', 5, 0, 0xff],
	['network-redirect', 5, 0, 0],
	['host-redirect', 5, 1, 1],
	['TOS-network-redirect', 5, 2, 2],
	['TOS-host-redirect', 5, 3, 3],
	['echo-request', 8, 0, 0xff],
	['ping', 8, 0, 0xff],
	['router-advertisement', 9, 0, 0xff],
	['router-solicitation', 10, 0, 0xff],
	['time-exceeded', 11, 0, 0xff],
	['ttl-exceeded', 11, 0, 0xff],
	['ttl-zero-during-transit', 11, 0, 0],
	['ttl-zero-during-reassembly', 11, 1, 1],
	['parameter-problem', 12, 0, 0xff],
	['ip-header-bad', 12, 0, 0],
	['required-option-missing', 12, 1, 1],
	['timestamp-request', 13, 0, 0xff],
	['timestamp-reply', 14, 0, 0xff],
	['address-mask-request', 17, 0, 0xff],
	['address-mask-reply', 18, 0, 0xff],
];

function parse(cb: xt_option_call): void {
	const d = cb.data;
	const s = cb.arg;
	const lower = s.toLowerCase();
	const hits = s === '' ? [] : NAMES.filter(([n]) => n.toLowerCase().startsWith(lower));
	const exact = hits.find(([n]) => n.toLowerCase() === lower);
	if (exact !== undefined || hits.length > 0) {
		if (exact === undefined && hits.length > 1)
			cb.bad(`Ambiguous ICMP type \`${s}': \`${hits[0][0]}' or \`${hits[1][0]}'?`);
		const [, type, min, max] = exact ?? hits[0];
		d[ipt_icmp.type] = type;
		d[ipt_icmp.code] = min;
		d[ipt_icmp.code + 1] = max;
	} else {
		const slash = s.indexOf('/');
		const type = strtoul(slash < 0 ? s : s.slice(0, slash));
		if (type === null || type.rest !== '' || type.value > 255) cb.bad(`Unknown ICMP type \`${s}'`);
		d[ipt_icmp.type] = type.value;
		if (slash >= 0) {
			const code = strtoul(s.slice(slash + 1));
			if (code === null || code.rest !== '' || code.value > 255) cb.bad(`Unknown ICMP code \`${s}'`);
			d[ipt_icmp.code] = code.value;
			d[ipt_icmp.code + 1] = code.value;
		} else {
			d[ipt_icmp.code] = 0;
			d[ipt_icmp.code + 1] = 0xff;
		}
	}
	if (cb.invert) d[ipt_icmp.invflags] |= IPT_ICMP_INV;
}

export const icmp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'icmp',
	revision: 0,
	size: ipt_icmp.sizeof,
	options: [{ name: 'icmp-type', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --icmp-type typename|type[/code]'],
	init(d) {
		d[ipt_icmp.type] = 0xff;
		d[ipt_icmp.code + 1] = 0xff;
	},
	parse,
	print(d, _rule, numeric) {
		const type = d[ipt_icmp.type];
		const min = d[ipt_icmp.code];
		const max = d[ipt_icmp.code + 1];
		const inv = (d[ipt_icmp.invflags] & IPT_ICMP_INV) !== 0 ? '!' : '';
		if (!numeric) {
			const hit = NAMES.find(([, t, lo, hi]) => t === type && lo === min && hi === max);
			if (hit !== undefined) return ` icmp ${inv}${hit[0]}`;
		}
		let s = inv !== '' ? ` icmp !type ${type}` : ` icmptype ${type}`;
		if (min === max) s += ` code ${min}`;
		else if (min !== 0 || max !== 0xff) s += ` codes ${min}-${max}`;
		return s;
	},
	save(d) {
		let s = (d[ipt_icmp.invflags] & IPT_ICMP_INV) !== 0 ? ' !' : '';
		if (d[ipt_icmp.type] === 0xff) return s + ' --icmp-type any';
		s += ` --icmp-type ${d[ipt_icmp.type]}`;
		if (d[ipt_icmp.code] !== 0 || d[ipt_icmp.code + 1] !== 0xff) s += `/${d[ipt_icmp.code]}`;
		return s;
	},
};
