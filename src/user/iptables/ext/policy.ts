/*
 * user/iptables/ext/policy.ts: -m policy.                          Original: extensions/libxt_policy.c
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	xt_policy_elem as el,
	xt_policy_info as info,
	XT_POLICY_MATCH_IN,
	XT_POLICY_MATCH_NONE,
	XT_POLICY_MATCH_OUT,
	XT_POLICY_MATCH_STRICT,
	XT_POLICY_MAX_ELEM,
	XT_POLICY_MODE_TRANSPORT,
	XT_POLICY_MODE_TUNNEL,
} from '../../../uapi/linux/netfilter/xt_policy.ts';
import { proto_to_name } from '../netdb.ts';
import {
	ip_str,
	ipmask_to_numeric,
	PARAMETER_PROBLEM,
	XTOPT_INVERT,
	XTOPT_MULTI,
	type xt_extension,
	type xt_option,
	type xt_option_call,
	type xtables_globals,
} from '../xtables.ts';

const O_DIR = 0;
const O_POL = 1;
const O_STRICT = 2;
const O_REQID = 3;
const O_SPI = 4;
const O_PROTO = 5;
const O_MODE = 6;
const O_SRC = 7;
const O_DST = 8;
const O_NEXT = 9;

/** Bits of an element's match and invert. */
const E_SADDR = 1;
const E_DADDR = 2;
const E_PROTO = 4;
const E_MODE = 8;
const E_SPI = 16;
const E_REQID = 32;

const IPSEC_PROTOS = [50, 51, 108];
const MODES = ['transport', 'tunnel'];

const each = (name: string, id: number, type: xt_option['type']): xt_option => ({
	name,
	id,
	type,
	flags: XTOPT_INVERT | XTOPT_MULTI,
});

/** Marks that an element has a property. `e`: its offset. */
function claim(cb: xt_option_call, e: number, bit: number): void {
	if ((cb.data[e + el.match] & bit) !== 0) cb.bad(`policy match: double --${cb.entry.name} option`);
	cb.data[e + el.match] |= bit;
	if (cb.invert) cb.data[e + el.invert] |= bit;
}

function put_addr(cb: xt_option_call, addr: number, mask: number): void {
	put_unaligned_be32(cb.data, addr, (cb.addr & cb.mask) >>> 0);
	if (cb.whole_mask) cb.data.fill(0xff, mask, mask + 16);
	else put_unaligned_be32(cb.data, mask, cb.mask);
}

function parse_element(cb: xt_option_call, e: number): void {
	const d = cb.data;
	switch (cb.entry.id) {
		case O_REQID:
			claim(cb, e, E_REQID);
			put_unaligned_le32(d, e + el.reqid, cb.num);
			break;
		case O_SPI:
			claim(cb, e, E_SPI);
			put_unaligned_le32(d, e + el.spi, cb.num);
			break;
		case O_PROTO:
			claim(cb, e, E_PROTO);
			d[e + el.proto] = cb.num;
			if (!IPSEC_PROTOS.includes(cb.num)) cb.bad('policy match: protocol must be ah/esp/ipcomp');
			break;
		case O_MODE: {
			claim(cb, e, E_MODE);
			const mode = MODES.indexOf(cb.arg);
			if (mode < 0) cb.bad(`policy match: invalid mode "${cb.arg}"`);
			d[e + el.mode] = mode === 0 ? XT_POLICY_MODE_TRANSPORT : XT_POLICY_MODE_TUNNEL;
			break;
		}
		case O_SRC:
			claim(cb, e, E_SADDR);
			put_addr(cb, e + el.saddr, e + el.smask);
			break;
		default:
			claim(cb, e, E_DADDR);
			put_addr(cb, e + el.daddr, e + el.dmask);
	}
}

function check_element(x: xtables_globals, d: Uint8Array, i: number, strict: boolean): void {
	const e = info.pol + i * el.sizeof;
	const match = d[e + el.match];
	if (strict && match === 0)
		x.error(
			PARAMETER_PROBLEM,
			`policy match: empty policy element ${i}. --strict is in effect, but at least one of reqid, spi, tunnel-src, tunnel-dst, proto or mode is required.`,
		);
	const tunnel =
		(match & E_MODE) !== 0 && d[e + el.mode] === XT_POLICY_MODE_TUNNEL && (d[e + el.invert] & E_MODE) === 0;
	if ((match & (E_SADDR | E_DADDR)) !== 0 && !tunnel)
		x.error(PARAMETER_PROBLEM, 'policy match: --tunnel-src/--tunnel-dst is only valid in tunnel mode');
}

function dump_element(d: Uint8Array, e: number, p: string, numeric: boolean): string {
	const match = d[e + el.match];
	const inv = d[e + el.invert];
	const net = (a: number, m: number): string =>
		ip_str(get_unaligned_be32(d, e + a)) + ipmask_to_numeric(get_unaligned_be32(d, e + m));
	const say = (bit: number, word: string, value: () => string): string =>
		(match & bit) !== 0 ? `${(inv & bit) !== 0 ? ' !' : ''} ${p}${word} ${value()}` : '';
	return (
		say(E_REQID, 'reqid', () => String(get_unaligned_le32(d, e + el.reqid))) +
		say(E_SPI, 'spi', () => `0x${get_unaligned_le32(d, e + el.spi).toString(16)}`) +
		say(E_PROTO, 'proto', () => {
			const name = numeric ? '' : proto_to_name(d[e + el.proto], false);
			return name !== '' ? name : String(d[e + el.proto]);
		}) +
		say(E_MODE, 'mode', () => MODES[d[e + el.mode] === XT_POLICY_MODE_TUNNEL ? 1 : 0]) +
		say(E_DADDR, 'tunnel-dst', () => net(el.daddr, el.dmask)) +
		say(E_SADDR, 'tunnel-src', () => net(el.saddr, el.smask))
	);
}

function dump(d: Uint8Array, save: boolean, numeric: boolean): string {
	const p = save ? '--' : '';
	const flags = get_unaligned_le16(d, info.flags);
	const len = get_unaligned_le16(d, info.len);
	let s = ` ${p}dir ${(flags & XT_POLICY_MATCH_IN) !== 0 ? 'in' : 'out'}`;
	if ((flags & XT_POLICY_MATCH_NONE) !== 0) return `${s} ${p}pol none`;
	s += ` ${p}pol ipsec`;
	if ((flags & XT_POLICY_MATCH_STRICT) !== 0) s += ` ${p}strict`;
	for (let i = 0; i < len; i++) {
		if (!save && len > 1) s += ` [${i}]`;
		s += dump_element(d, info.pol + i * el.sizeof, p, numeric);
		if (save && i + 1 < len) s += ' --next';
	}
	return s;
}

export const policy_mt_reg: xt_extension = {
	kind: 'match',
	name: 'policy',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'dir', id: O_DIR, type: 'string' },
		{ name: 'pol', id: O_POL, type: 'string' },
		{ name: 'strict', id: O_STRICT, type: 'none' },
		each('reqid', O_REQID, 'uint32'),
		each('spi', O_SPI, 'uint32'),
		each('tunnel-src', O_SRC, 'hostmask'),
		each('tunnel-dst', O_DST, 'hostmask'),
		each('proto', O_PROTO, 'protocol'),
		each('mode', O_MODE, 'string'),
		{ name: 'next', id: O_NEXT, type: 'none', flags: XTOPT_MULTI, also: 1 << O_STRICT },
	],
	help: [
		'--dir in|out  --pol none|ipsec  --strict',
		'[!] --reqid id  [!] --spi spi  [!] --proto ah|esp|ipcomp  [!] --mode transport|tunnel',
		'[!] --tunnel-src addr[/mask]  [!] --tunnel-dst addr[/mask]  --next',
	],
	parse(cb) {
		const d = cb.data;
		const flags = get_unaligned_le16(d, info.flags);
		// While options are read, len is the element that they are for.
		const i = get_unaligned_le16(d, info.len);
		switch (cb.entry.id) {
			case O_DIR:
				if (cb.arg !== 'in' && cb.arg !== 'out') cb.bad(`policy_match: invalid dir "${cb.arg}"`);
				put_unaligned_le16(d, info.flags, flags | (cb.arg === 'in' ? XT_POLICY_MATCH_IN : XT_POLICY_MATCH_OUT));
				break;
			case O_POL:
				if (cb.arg !== 'none' && cb.arg !== 'ipsec') cb.bad(`policy match: invalid policy "${cb.arg}"`);
				if (cb.arg === 'none') put_unaligned_le16(d, info.flags, flags | XT_POLICY_MATCH_NONE);
				break;
			case O_STRICT:
				put_unaligned_le16(d, info.flags, flags | XT_POLICY_MATCH_STRICT);
				break;
			case O_NEXT:
				if (i + 1 === XT_POLICY_MAX_ELEM) cb.bad('policy match: maximum policy depth reached');
				put_unaligned_le16(d, info.len, i + 1);
				break;
			default:
				parse_element(cb, info.pol + i * el.sizeof);
		}
	},
	final_check(cb) {
		const d = cb.data;
		const flags = get_unaligned_le16(d, info.flags);
		const strict = (flags & XT_POLICY_MATCH_STRICT) !== 0;
		const last = get_unaligned_le16(d, info.len);
		if ((flags & (XT_POLICY_MATCH_IN | XT_POLICY_MATCH_OUT)) === 0)
			cb.x.error(PARAMETER_PROBLEM, 'policy match: neither --dir in nor --dir out specified');
		if ((flags & XT_POLICY_MATCH_NONE) !== 0) {
			if (strict) cb.x.error(PARAMETER_PROBLEM, 'policy match: policy none but --strict given');
			if (last !== 0) cb.x.error(PARAMETER_PROBLEM, 'policy match: policy none but policy given');
			return;
		}
		put_unaligned_le16(d, info.len, last + 1);
		for (let i = 0; i <= last; i++) check_element(cb.x, d, i, strict);
	},
	print: (d, _rule, numeric) => ' policy match' + dump(d, false, numeric),
	save: (d) => dump(d, true, false),
};
