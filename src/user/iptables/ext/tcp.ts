/*
 * user/iptables/ext/tcp.ts: -m tcp.                                Original: extensions/libxt_tcp.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	XT_TCP_INV_DSTPT,
	XT_TCP_INV_FLAGS,
	XT_TCP_INV_MASK,
	XT_TCP_INV_OPTION,
	XT_TCP_INV_SRCPT,
	xt_tcp,
} from '../../../uapi/linux/netfilter/xt_tcpudp.ts';
import { getservbyport, parse_uint } from '../netdb.ts';
import { XTOPT_INVERT, XTOPT_MULTI, type xt_extension, type xt_option_call, xtables_parse_port } from '../xtables.ts';

const O_SRC = 0;
const O_DST = 1;
const O_SYN = 2;
const O_FLAGS = 3;
const O_OPTION = 4;
const RAW = XTOPT_MULTI | XTOPT_INVERT;

/** In the order in which --tcp-flags prints them. */
export const TCP_FLAGS: readonly (readonly [string, number])[] = [
	['FIN', 0x01],
	['SYN', 0x02],
	['RST', 0x04],
	['PSH', 0x08],
	['ACK', 0x10],
	['URG', 0x20],
];

function parse_flag_list(cb: xt_option_call, s: string): number {
	let flags = 0;
	for (const word of s.split(',')) {
		if (word === '') continue;
		const w = word.toUpperCase();
		const f = TCP_FLAGS.find(([n]) => n === w);
		if (f !== undefined) flags |= f[1];
		else if (w === 'ALL') flags |= 0x3f;
		else if (w !== 'NONE') cb.bad(`Unknown TCP flag \`${word}'`);
	}
	return flags;
}

function parse_ports(cb: xt_option_call, at: number): void {
	const colon = cb.arg.indexOf(':');
	let lo: number;
	let hi: number;
	if (colon < 0) {
		lo = xtables_parse_port(cb.x, cb.arg, 'tcp');
		hi = lo;
	} else {
		const a = cb.arg.slice(0, colon);
		const b = cb.arg.slice(colon + 1);
		lo = a === '' ? 0 : xtables_parse_port(cb.x, a, 'tcp');
		hi = b === '' ? 0xffff : xtables_parse_port(cb.x, b, 'tcp');
		if (lo > hi) cb.bad('invalid portrange (min > max)');
	}
	put_unaligned_le16(cb.data, at, lo);
	put_unaligned_le16(cb.data, at + 2, hi);
}

function parse(cb: xt_option_call): void {
	const d = cb.data;
	const given = (id: number): boolean => (cb.xflags & (1 << id)) !== 0;
	switch (cb.entry.id) {
		case O_SRC:
			if (given(O_SRC)) cb.bad("Only one `--source-port' allowed");
			parse_ports(cb, xt_tcp.spts);
			if (cb.invert) d[xt_tcp.invflags] |= XT_TCP_INV_SRCPT;
			break;
		case O_DST:
			if (given(O_DST)) cb.bad("Only one `--destination-port' allowed");
			parse_ports(cb, xt_tcp.dpts);
			if (cb.invert) d[xt_tcp.invflags] |= XT_TCP_INV_DSTPT;
			break;
		case O_SYN:
		case O_FLAGS: {
			if (given(O_SYN) || given(O_FLAGS)) cb.bad("Only one of `--syn' or `--tcp-flags'  allowed");
			if (cb.entry.id === O_SYN) {
				d[xt_tcp.flg_mask] = 0x17;
				d[xt_tcp.flg_cmp] = 0x02;
			} else {
				const mask = cb.arg;
				const comp = cb.next_word();
				if (comp === null || comp[0] === '-' || comp === '!') cb.bad('--tcp-flags requires two args.');
				d[xt_tcp.flg_mask] = parse_flag_list(cb, mask);
				d[xt_tcp.flg_cmp] = parse_flag_list(cb, comp);
			}
			if (cb.invert) d[xt_tcp.invflags] |= XT_TCP_INV_FLAGS;
			break;
		}
		default: {
			if (given(O_OPTION)) cb.bad("Only one `--tcp-option' allowed");
			const n = parse_uint(cb.arg, 255);
			if (n < 1) cb.bad(`Bad TCP option "${cb.arg}"`);
			d[xt_tcp.option] = n;
			if (cb.invert) d[xt_tcp.invflags] |= XT_TCP_INV_OPTION;
		}
	}
}

/** Prints a range of ports as -L does: dpt:http, dpts:1:2, !=. */
export function print_ports(
	name: string,
	d: Uint8Array,
	at: number,
	invert: boolean,
	numeric: boolean,
	proto: string,
): string {
	const lo = get_unaligned_le16(d, at);
	const hi = get_unaligned_le16(d, at + 2);
	const inv = invert ? '!' : '';
	const text = (port: number): string => {
		const service = numeric ? '' : getservbyport(port, proto);
		return service !== '' ? service : String(port);
	};
	if (lo === 0 && hi === 0xffff && !invert) return '';
	if (lo === hi) return ` ${name}:${inv}${text(lo)}`;
	return ` ${name}s:${inv}${text(lo)}:${text(hi)}`;
}

/** Options of a range of ports as iptables-save prints them. */
export function save_ports(option: string, d: Uint8Array, at: number, invert: boolean): string {
	const lo = get_unaligned_le16(d, at);
	const hi = get_unaligned_le16(d, at + 2);
	// All ports are not printed, not even inverted: the original's way.
	if (lo === 0 && hi === 0xffff) return '';
	return `${invert ? ' !' : ''} ${option} ${lo === hi ? lo : `${lo}:${hi}`}`;
}

function flag_text(flags: number): string {
	if (flags === 0) return 'NONE';
	return TCP_FLAGS.filter(([, bit]) => (flags & bit) !== 0)
		.map(([n]) => n)
		.join(',');
}

const hex2 = (n: number): string => '0x' + n.toString(16).toUpperCase().padStart(2, '0');

export const tcp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'tcp',
	revision: 0,
	size: xt_tcp.sizeof,
	options: [
		{ name: 'source-port', id: O_SRC, type: 'raw', flags: RAW },
		{ name: 'sport', id: O_SRC, type: 'raw', flags: RAW },
		{ name: 'destination-port', id: O_DST, type: 'raw', flags: RAW },
		{ name: 'dport', id: O_DST, type: 'raw', flags: RAW },
		{ name: 'syn', id: O_SYN, type: 'none', flags: RAW },
		{ name: 'tcp-flags', id: O_FLAGS, type: 'raw', flags: RAW },
		{ name: 'tcp-option', id: O_OPTION, type: 'raw', flags: RAW },
	],
	help: [
		'[!] --tcp-flags mask comp	the flags in mask that are set are those of comp',
		'				(SYN ACK FIN RST URG PSH ALL NONE)',
		'[!] --syn			as --tcp-flags SYN,RST,ACK,FIN SYN',
		'[!] --source-port port[:port]	(--sport)',
		'[!] --destination-port port[:port]	(--dport)',
		'[!] --tcp-option number',
	],
	init(d) {
		put_unaligned_le16(d, xt_tcp.spts + 2, 0xffff);
		put_unaligned_le16(d, xt_tcp.dpts + 2, 0xffff);
	},
	parse,
	print(d, _rule, numeric) {
		const inv = d[xt_tcp.invflags];
		let s = ' tcp';
		s += print_ports('spt', d, xt_tcp.spts, (inv & XT_TCP_INV_SRCPT) !== 0, numeric, 'tcp');
		s += print_ports('dpt', d, xt_tcp.dpts, (inv & XT_TCP_INV_DSTPT) !== 0, numeric, 'tcp');
		if (d[xt_tcp.option] !== 0) s += ` option=${(inv & XT_TCP_INV_OPTION) !== 0 ? '!' : ''}${d[xt_tcp.option]}`;
		if (d[xt_tcp.flg_mask] !== 0 || (inv & XT_TCP_INV_FLAGS) !== 0) {
			s += ` flags:${(inv & XT_TCP_INV_FLAGS) !== 0 ? '!' : ''}`;
			s += numeric
				? `${hex2(d[xt_tcp.flg_mask])}/${hex2(d[xt_tcp.flg_cmp])}`
				: `${flag_text(d[xt_tcp.flg_mask])}/${flag_text(d[xt_tcp.flg_cmp])}`;
		}
		if ((inv & ~XT_TCP_INV_MASK) !== 0)
			s += ` Unknown invflags: 0x${(inv & ~XT_TCP_INV_MASK).toString(16).toUpperCase()}`;
		return s;
	},
	save(d) {
		const inv = d[xt_tcp.invflags];
		let s = save_ports('--sport', d, xt_tcp.spts, (inv & XT_TCP_INV_SRCPT) !== 0);
		s += save_ports('--dport', d, xt_tcp.dpts, (inv & XT_TCP_INV_DSTPT) !== 0);
		if (d[xt_tcp.option] !== 0 || (inv & XT_TCP_INV_OPTION) !== 0)
			s += `${(inv & XT_TCP_INV_OPTION) !== 0 ? ' !' : ''} --tcp-option ${d[xt_tcp.option]}`;
		if (d[xt_tcp.flg_mask] !== 0 || (inv & XT_TCP_INV_FLAGS) !== 0)
			s += `${(inv & XT_TCP_INV_FLAGS) !== 0 ? ' !' : ''} --tcp-flags ${flag_text(d[xt_tcp.flg_mask])} ${flag_text(d[xt_tcp.flg_cmp])}`;
		return s;
	},
};
