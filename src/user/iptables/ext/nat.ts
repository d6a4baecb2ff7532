/*
 * user/iptables/ext/nat.ts: -j SNAT, DNAT, MASQUERADE, REDIRECT.       Original: extensions/libxt_NAT.c
 */
import {
	get_unaligned_be16,
	get_unaligned_be32,
	get_unaligned_le32,
	put_unaligned_be16,
	put_unaligned_be32,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	nf_nat_ipv4_multi_range_compat as compat,
	NF_NAT_RANGE_MAP_IPS,
	NF_NAT_RANGE_PERSISTENT,
	NF_NAT_RANGE_PROTO_OFFSET,
	NF_NAT_RANGE_PROTO_RANDOM,
	NF_NAT_RANGE_PROTO_RANDOM_FULLY,
	NF_NAT_RANGE_PROTO_SPECIFIED,
	nf_nat_range2,
	nf_nat_ipv4_range as range4,
} from '../../../uapi/linux/netfilter/nf_nat.ts';
import { getservbyname, strtoul } from '../netdb.ts';
import {
	ip_str,
	numeric_to_ipaddr,
	XTOPT_MAND,
	type xt_extension,
	type xt_option,
	type xt_option_call,
} from '../xtables.ts';

const O_TO = 0;
const O_RANDOM = 1;
const O_RANDOM_FULLY = 2;
const O_PERSISTENT = 3;

interface nat_range {
	flags: number;
	min: number;
	max: number;
	min_port: number;
	max_port: number;
	base_port: number;
}

const EMPTY: nat_range = { flags: 0, min: 0, max: 0, min_port: 0, max_port: 0, base_port: 0 };

function need_ports(cb: xt_option_call): void {
	const p = cb.rule.proto;
	if (p !== 6 && p !== 17 && p !== 132 && p !== 33 && p !== 1)
		cb.bad('Need TCP, UDP, SCTP or DCCP with port specification');
}

/** `port[-port[/base]]` into `r`. Only the first and the base may be names. `shift`: whether there may be a base. */
function parse_ports(cb: xt_option_call, s: string, r: nat_range, shift: boolean): void {
	r.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	const first = strtoul(s, 10);
	if (first === null) {
		const p = getservbyname(s, '');
		if (p < 0) cb.bad(`Port \`${s}' not valid`);
		r.min_port = p;
		r.max_port = p;
		return;
	}
	if (first.value > 65535) cb.bad(`Port \`${s}' not valid`);
	r.min_port = first.value;
	r.max_port = first.value;
	if (first.rest === '') return;
	if (first.rest[0] === ':') cb.bad('Invalid port:port syntax - use dash');
	if (first.rest[0] !== '-') cb.bad(`Garbage after port value: \`${first.rest}'`);
	const last = first.rest.slice(1);
	const second = strtoul(last, 10);
	if (second === null || second.value > 65535) cb.bad(`Port \`${last}' not valid`);
	r.max_port = second.value;
	if (r.max_port < r.min_port) cb.bad(`Port range \`${last}' funky`);
	if (second.rest === '') return;
	if (second.rest[0] !== '/') cb.bad(`Garbage after port range: \`${second.rest}'`);
	if (!shift) cb.bad('Shifted portmap ranges not supported with this kernel');
	const base = second.rest.slice(1);
	// What follows the number is not looked at; 0 is taken for a name.
	const number = strtoul(base, 10)?.value ?? 0;
	const port = number !== 0 ? number : getservbyname(base, '');
	if (port < 0 || port > 65535) cb.bad(`Port \`${base}' not valid`);
	r.base_port = port;
	r.flags |= NF_NAT_RANGE_PROTO_OFFSET;
}

/** `[addr[-addr]][:ports]` into `r`. */
function parse_to(cb: xt_option_call, r: nat_range): void {
	let s = cb.arg;
	if (s[0] === '[') cb.bad('Invalid address format');
	const colon = s.indexOf(':');
	// More than one colon: an IPv6 address, which this is none of.
	if (colon >= 0 && !s.slice(colon + 1).includes(':')) {
		need_ports(cb);
		parse_ports(cb, s.slice(colon + 1), r, true);
		if (colon === 0) return;
		s = s.slice(0, colon);
	}
	r.flags |= NF_NAT_RANGE_MAP_IPS;
	const dash = s.indexOf('-');
	const from = dash < 0 ? s : s.slice(0, dash);
	const min = numeric_to_ipaddr(from);
	if (min < 0) cb.bad(`Bad IP address "${from}"`);
	r.min = min;
	r.max = min;
	if (dash >= 0) {
		const max = numeric_to_ipaddr(s.slice(dash + 1));
		if (max < 0) cb.bad(`Bad IP address "${s.slice(dash + 1)}"`);
		r.max = max;
	}
}

// Two layouts: one range behind a count (revision 0), and nf_nat_range2 (DNAT revision 2).

function get4(d: Uint8Array): nat_range {
	const o = compat.range;
	return {
		flags: get_unaligned_le32(d, o + range4.flags),
		min: get_unaligned_be32(d, o + range4.min_ip),
		max: get_unaligned_be32(d, o + range4.max_ip),
		min_port: get_unaligned_be16(d, o + range4.min),
		max_port: get_unaligned_be16(d, o + range4.max),
		base_port: 0,
	};
}

function put4(d: Uint8Array, r: nat_range): void {
	const o = compat.range;
	put_unaligned_le32(d, compat.rangesize, 1);
	put_unaligned_le32(d, o + range4.flags, r.flags);
	put_unaligned_be32(d, o + range4.min_ip, r.min);
	put_unaligned_be32(d, o + range4.max_ip, r.max);
	put_unaligned_be16(d, o + range4.min, r.min_port);
	put_unaligned_be16(d, o + range4.max, r.max_port);
}

function get2(d: Uint8Array): nat_range {
	return {
		flags: get_unaligned_le32(d, nf_nat_range2.flags),
		min: get_unaligned_be32(d, nf_nat_range2.min_addr),
		max: get_unaligned_be32(d, nf_nat_range2.max_addr),
		min_port: get_unaligned_be16(d, nf_nat_range2.min_proto),
		max_port: get_unaligned_be16(d, nf_nat_range2.max_proto),
		base_port: get_unaligned_be16(d, nf_nat_range2.base_proto),
	};
}

function put2(d: Uint8Array, r: nat_range): void {
	put_unaligned_le32(d, nf_nat_range2.flags, r.flags);
	put_unaligned_be32(d, nf_nat_range2.min_addr, r.min);
	put_unaligned_be32(d, nf_nat_range2.max_addr, r.max);
	put_unaligned_be16(d, nf_nat_range2.min_proto, r.min_port);
	put_unaligned_be16(d, nf_nat_range2.max_proto, r.max_port);
	put_unaligned_be16(d, nf_nat_range2.base_proto, r.base_port);
}

function ports_text(r: nat_range): string {
	let s = String(r.min_port);
	if (r.max_port !== r.min_port) s += `-${r.max_port}`;
	if ((r.flags & NF_NAT_RANGE_PROTO_OFFSET) !== 0) s += `/${r.base_port}`;
	return s;
}

function to_text(r: nat_range): string {
	let s = '';
	if ((r.flags & NF_NAT_RANGE_MAP_IPS) !== 0) {
		s += ip_str(r.min);
		if (r.max !== r.min) s += `-${ip_str(r.max)}`;
	}
	if ((r.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0) s += `:${ports_text(r)}`;
	return s;
}

function flags_text(r: nat_range, prefix: string): string {
	let s = '';
	if ((r.flags & NF_NAT_RANGE_PROTO_RANDOM) !== 0) s += ` ${prefix}random`;
	if ((r.flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY) !== 0) s += ` ${prefix}random-fully`;
	if ((r.flags & NF_NAT_RANGE_PERSISTENT) !== 0) s += ` ${prefix}persistent`;
	return s;
}

const RANDOM: xt_option = { name: 'random', id: O_RANDOM, type: 'none' };
const FULLY: xt_option = { name: 'random-fully', id: O_RANDOM_FULLY, type: 'none' };
const PERSISTENT: xt_option = { name: 'persistent', id: O_PERSISTENT, type: 'none' };

function flag_option(id: number): number {
	if (id === O_RANDOM) return NF_NAT_RANGE_PROTO_RANDOM;
	return id === O_RANDOM_FULLY ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : NF_NAT_RANGE_PERSISTENT;
}

export const snat_tg_reg: xt_extension = {
	kind: 'target',
	name: 'SNAT',
	revision: 0,
	size: compat.sizeof,
	options: [{ name: 'to-source', id: O_TO, type: 'string', flags: XTOPT_MAND }, RANDOM, FULLY, PERSISTENT],
	help: ['--to-source [addr[-addr]][:port[-port]]', '--random --random-fully --persistent'],
	init: (d) => put4(d, EMPTY),
	parse(cb) {
		const r = get4(cb.data);
		if (cb.entry.id === O_TO) {
			parse_to(cb, r);
		} else r.flags |= flag_option(cb.entry.id);
		put4(cb.data, r);
	},
	print: (d) => ` to:${to_text(get4(d))}${flags_text(get4(d), '')}`,
	save: (d) => ` --to-source ${to_text(get4(d))}${flags_text(get4(d), '--')}`,
};

export const dnat_tg_reg: xt_extension = {
	kind: 'target',
	name: 'DNAT',
	revision: 2,
	size: nf_nat_range2.sizeof,
	options: [{ name: 'to-destination', id: O_TO, type: 'string', flags: XTOPT_MAND }, RANDOM, PERSISTENT],
	help: ['--to-destination [addr[-addr]][:port[-port[/port]]]', '--random --persistent'],
	parse(cb) {
		const r = get2(cb.data);
		if (cb.entry.id === O_TO) {
			parse_to(cb, r);
		} else r.flags |= flag_option(cb.entry.id);
		put2(cb.data, r);
	},
	print: (d) => ` to:${to_text(get2(d))}${flags_text(get2(d), '')}`,
	save: (d) => ` --to-destination ${to_text(get2(d))}${flags_text(get2(d), '--')}`,
};

function ports_option(cb: xt_option_call): void {
	const r = get4(cb.data);
	if (cb.entry.id === O_TO) {
		need_ports(cb);
		parse_ports(cb, cb.arg, r, cb.ext.name !== 'REDIRECT');
	} else r.flags |= flag_option(cb.entry.id);
	put4(cb.data, r);
}

function ports_save(d: Uint8Array): string {
	const r = get4(d);
	const ports = (r.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 ? ` --to-ports ${ports_text(r)}` : '';
	return ports + flags_text(r, '--');
}

export const masquerade_tg_reg: xt_extension = {
	kind: 'target',
	name: 'MASQUERADE',
	revision: 0,
	size: compat.sizeof,
	options: [{ name: 'to-ports', id: O_TO, type: 'string' }, RANDOM, FULLY],
	help: ['--to-ports port[-port]', '--random --random-fully'],
	init: (d) => put4(d, EMPTY),
	parse: ports_option,
	print(d) {
		const r = get4(d);
		const ports = (r.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 ? ` masq ports: ${ports_text(r)}` : '';
		return ports + flags_text(r, '');
	},
	save: ports_save,
};

export const redirect_tg_reg: xt_extension = {
	kind: 'target',
	name: 'REDIRECT',
	revision: 0,
	size: compat.sizeof,
	options: [{ name: 'to-ports', id: O_TO, type: 'string' }, RANDOM],
	help: ['--to-ports port[-port]', '--random'],
	init: (d) => put4(d, EMPTY),
	parse: ports_option,
	print(d) {
		const r = get4(d);
		const ports = (r.flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0 ? ` redir ports ${ports_text(r)}` : '';
		return ports + flags_text(r, '');
	},
	save: ports_save,
};
