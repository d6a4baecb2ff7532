/*
 * user/iptables/ext/sctp.ts: -m sctp.                              Original: extensions/libxt_sctp.c
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	xt_sctp_info as info,
	SCTP_CHUNK_MATCH_ALL,
	SCTP_CHUNK_MATCH_ANY,
	SCTP_CHUNK_MATCH_ONLY,
	XT_NUM_SCTP_FLAGS,
	XT_SCTP_CHUNK_TYPES,
	XT_SCTP_DEST_PORTS,
	XT_SCTP_SRC_PORTS,
} from '../../../uapi/linux/netfilter/xt_sctp.ts';
import { getservbyport } from '../netdb.ts';
import { XTOPT_INVERT, XTOPT_MULTI, type xt_extension, type xt_option_call, xtables_parse_port } from '../xtables.ts';

const O_SRC = 0;
const O_DST = 1;
const O_CHUNKS = 2;
const RAW = XTOPT_MULTI | XTOPT_INVERT;

/** Name, number, and the letters of its flags from bit 7 down. */
const CHUNKS: readonly (readonly [string, number, string])[] = [
	['DATA', 0, '----IUBE'],
	['INIT', 1, '--------'],
	['INIT_ACK', 2, '--------'],
	['SACK', 3, '--------'],
	['HEARTBEAT', 4, '--------'],
	['HEARTBEAT_ACK', 5, '--------'],
	['ABORT', 6, '-------T'],
	['SHUTDOWN', 7, '--------'],
	['SHUTDOWN_ACK', 8, '--------'],
	['ERROR', 9, '--------'],
	['COOKIE_ECHO', 10, '--------'],
	['COOKIE_ACK', 11, '--------'],
	['ECN_ECNE', 12, '--------'],
	['ECN_CWR', 13, '--------'],
	['SHUTDOWN_COMPLETE', 14, '-------T'],
	['I_DATA', 64, '----IUBE'],
	['RE_CONFIG', 130, '--------'],
	['PAD', 132, '--------'],
	['ASCONF', 193, '--------'],
	['ASCONF_ACK', 128, '--------'],
	['FORWARD_TSN', 192, '--------'],
	['I_FORWARD_TSN', 194, '--------'],
];

const MATCH_TYPES: readonly (readonly [string, number])[] = [
	['ALL', SCTP_CHUNK_MATCH_ALL],
	['ANY', SCTP_CHUNK_MATCH_ANY],
	['ONLY', SCTP_CHUNK_MATCH_ONLY],
];

function parse_ports(cb: xt_option_call, at: number): void {
	const colon = cb.arg.indexOf(':');
	const one = (s: string, empty: number): number => (s === '' ? empty : xtables_parse_port(cb.x, s, 'sctp'));
	const lo = colon < 0 ? xtables_parse_port(cb.x, cb.arg, 'sctp') : one(cb.arg.slice(0, colon), 0);
	const hi = colon < 0 ? lo : one(cb.arg.slice(colon + 1), 0xffff);
	if (lo > hi) cb.bad('invalid portrange (min > max)');
	put_unaligned_le16(cb.data, at, lo);
	put_unaligned_le16(cb.data, at + 2, hi);
}

function add_flag(cb: xt_option_call, type: number, bit: number, set: boolean): void {
	const d = cb.data;
	const n = get_unaligned_le32(d, info.flag_count);
	let i = 0;
	while (i < n && d[info.flag_info + i * 3] !== type) i++;
	if (i === XT_NUM_SCTP_FLAGS)
		cb.bad(
			`Number of chunk types with flags exceeds currently allowed limit.Increasing this limit involves changing IPT_NUM_SCTP_FLAGS and recompiling both the kernel space and user space modules\n`,
		);
	const o = info.flag_info + i * 3;
	if (i === n) {
		put_unaligned_le32(d, info.flag_count, n + 1);
		d[o] = type;
		d[o + 1] = 0;
		d[o + 2] = 0;
	}
	d[o + 2] |= 1 << bit;
	if (set) d[o + 1] |= 1 << bit;
}

function parse_chunks(cb: xt_option_call, list: string): void {
	const d = cb.data;
	for (const word of list.split(',')) {
		const colon = word.indexOf(':');
		const name = (colon < 0 ? word : word.slice(0, colon)).toUpperCase();
		if (name === 'ALL' || name === 'NONE') {
			d.fill(name === 'ALL' ? 0xff : 0, info.chunkmap, info.chunkmap + 256);
			continue;
		}
		const c = CHUNKS.find(([n]) => n === name);
		if (c === undefined) cb.bad(`Unknown sctp chunk \`${colon < 0 ? word : word.slice(0, colon)}'`);
		const at = info.chunkmap + (c[1] >> 5) * 4;
		put_unaligned_le32(d, at, (get_unaligned_le32(d, at) | (1 << (c[1] & 31))) >>> 0);
		if (colon < 0) continue;
		for (const letter of word.slice(colon + 1)) {
			const bit = 7 - c[2].indexOf(letter.toUpperCase());
			if (letter === '-' || bit > 7) cb.bad(`Invalid flags for chunk type ${c[1]}`);
			add_flag(cb, c[1], bit, letter === letter.toUpperCase());
		}
	}
}

function chunk_flags(d: Uint8Array, type: number, letters: string): string {
	for (let i = 0; i < get_unaligned_le32(d, info.flag_count); i++) {
		const o = info.flag_info + i * 3;
		if (d[o] !== type) continue;
		let s = ':';
		for (let bit = 7; bit >= 0; bit--) {
			if ((d[o + 2] & (1 << bit)) === 0) continue;
			const l = letters[7 - bit];
			s += (d[o + 1] & (1 << bit)) !== 0 ? l.toUpperCase() : l.toLowerCase();
		}
		return s;
	}
	return '';
}

function chunks_text(d: Uint8Array, numeric: boolean): string {
	const map = d.subarray(info.chunkmap, info.chunkmap + 256);
	const how = get_unaligned_le32(d, info.chunk_match_type);
	let s = (get_unaligned_le32(d, info.invflags) & XT_SCTP_CHUNK_TYPES) !== 0 ? '! ' : '';
	s += how === SCTP_CHUNK_MATCH_ANY ? 'any ' : how === SCTP_CHUNK_MATCH_ALL ? 'all ' : 'only ';
	if (map.every((x) => x === 0)) return `${s}NONE`;
	if (map.every((x) => x === 0xff)) return `${s}ALL`;
	const out: string[] = [];
	for (let type = 0; type < 256; type++) {
		if ((get_unaligned_le32(d, info.chunkmap + (type >> 5) * 4) & (1 << (type & 31))) === 0) continue;
		const c = CHUNKS.find(([, n]) => n === type);
		const hex = `0x${type.toString(16).toUpperCase().padStart(4, '0')}`;
		const name = numeric || c === undefined ? hex : c[0];
		out.push(name + chunk_flags(d, type, c !== undefined ? c[2] : '--------'));
	}
	return s + out.join(',');
}

function print_ports(name: string, d: Uint8Array, at: number, inv: boolean, numeric: boolean): string {
	const lo = get_unaligned_le16(d, at);
	const hi = get_unaligned_le16(d, at + 2);
	const text = (p: number): string => {
		const s = numeric ? '' : getservbyport(p, 'sctp');
		return s !== '' ? s : String(p);
	};
	const bang = inv ? '!' : '';
	return lo === hi ? ` ${name}:${bang}${text(lo)}` : ` ${name}s:${bang}${text(lo)}:${text(hi)}`;
}

export const sctp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'sctp',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'source-port', id: O_SRC, type: 'raw', flags: RAW },
		{ name: 'sport', id: O_SRC, type: 'raw', flags: RAW },
		{ name: 'destination-port', id: O_DST, type: 'raw', flags: RAW },
		{ name: 'dport', id: O_DST, type: 'raw', flags: RAW },
		{ name: 'chunk-types', id: O_CHUNKS, type: 'raw', flags: RAW },
	],
	help: [
		'[!] --source-port port[:port]	(--sport)',
		'[!] --destination-port port[:port]	(--dport)',
		'[!] --chunk-types (all|any|only) (chunktype[:flags])+',
		`chunktypes - ${CHUNKS.map(([n]) => n).join(' ')} ALL NONE`,
	],
	init(d) {
		for (let i = 0; i < XT_NUM_SCTP_FLAGS; i++) d[info.flag_info + i * 3] = 0xff;
	},
	parse(cb: xt_option_call) {
		const d = cb.data;
		const bit = [XT_SCTP_SRC_PORTS, XT_SCTP_DEST_PORTS, XT_SCTP_CHUNK_TYPES][cb.entry.id];
		if ((get_unaligned_le32(d, info.flags) & bit) !== 0) cb.bad(`Only one \`--${cb.entry.name}' allowed`);
		put_unaligned_le32(d, info.flags, get_unaligned_le32(d, info.flags) | bit);
		if (cb.entry.id === O_CHUNKS) {
			const list = cb.next_word();
			if (list === null || list.startsWith('-') || list === '!') cb.bad('--chunk-types requires two args');
			const how = MATCH_TYPES.find(([n]) => n === cb.arg.toUpperCase());
			if (how === undefined) cb.bad('Match type has to be one of "ALL", "ANY" or "ONLY"');
			put_unaligned_le32(d, info.chunk_match_type, how[1]);
			parse_chunks(cb, list);
		} else parse_ports(cb, cb.entry.id === O_SRC ? info.spts : info.dpts);
		if (cb.invert) put_unaligned_le32(d, info.invflags, get_unaligned_le32(d, info.invflags) | bit);
	},
	print(d, _rule, numeric) {
		const flags = get_unaligned_le32(d, info.flags);
		const inv = get_unaligned_le32(d, info.invflags);
		let s = ' sctp';
		if ((flags & XT_SCTP_SRC_PORTS) !== 0)
			s += print_ports('spt', d, info.spts, (inv & XT_SCTP_SRC_PORTS) !== 0, numeric);
		if ((flags & XT_SCTP_DEST_PORTS) !== 0)
			s += print_ports('dpt', d, info.dpts, (inv & XT_SCTP_DEST_PORTS) !== 0, numeric);
		if ((flags & XT_SCTP_CHUNK_TYPES) !== 0) s += ` ${chunks_text(d, numeric)}`;
		return s;
	},
	save(d) {
		const flags = get_unaligned_le32(d, info.flags);
		const inv = get_unaligned_le32(d, info.invflags);
		const ports = (bit: number, name: string, at: number): string => {
			if ((flags & bit) === 0) return '';
			const lo = get_unaligned_le16(d, at);
			const hi = get_unaligned_le16(d, at + 2);
			return `${(inv & bit) !== 0 ? ' !' : ''} --${name} ${lo === hi ? lo : `${lo}:${hi}`}`;
		};
		let s = ports(XT_SCTP_SRC_PORTS, 'sport', info.spts) + ports(XT_SCTP_DEST_PORTS, 'dport', info.dpts);
		if ((flags & XT_SCTP_CHUNK_TYPES) !== 0) {
			const text = chunks_text(d, false);
			s += text.startsWith('! ') ? ` ! --chunk-types ${text.slice(2)}` : ` --chunk-types ${text}`;
		}
		return s;
	},
};
