/*
 * user/iptables/ext/string.ts: -m string.                          Original: extensions/libxt_string.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	xt_string_info as info,
	XT_STRING_FLAG_IGNORECASE,
	XT_STRING_FLAG_INVERT,
	XT_STRING_MAX_PATTERN_SIZE,
} from '../../../uapi/linux/netfilter/xt_string.ts';
import { cstring, utf8_encode } from '../rule.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, XTOPT_MAND, type xt_extension, type xt_option_call } from '../xtables.ts';

const O_FROM = 0;
const O_TO = 1;
const O_ALGO = 2;
const O_ICASE = 3;
const O_STRING = 4;
const O_HEX = 5;

function put_pattern(cb: xt_option_call, p: readonly number[] | Uint8Array): void {
	if (p.length > XT_STRING_MAX_PATTERN_SIZE) cb.bad(`STRING too long "${cb.arg}"`);
	cb.data.set(p, info.pattern);
	cb.data[info.patlen] = p.length;
}

/** `abc|0d0a|def`: hex between bars, a backslash takes the next character as it is. */
function hex_pattern(cb: xt_option_call): number[] {
	const s = cb.arg;
	const out: number[] = [];
	if (s === '') cb.bad('STRING must contain at least one char');
	let hex = false;
	for (let i = 0; i < s.length; ) {
		const c = s[i];
		if (c === '\\' && !hex) {
			if (i + 1 >= s.length) cb.bad('Bad literal placement at end of string');
			out.push(s.charCodeAt(i + 1) & 0xff);
			i += 2;
		} else if (c === '|') {
			hex = !hex;
			i++;
			if (hex) while (s[i] === ' ') i++;
		} else if (hex) {
			const pair = s.slice(i, i + 2);
			if (pair.length < 2) cb.bad('Odd number of hex digits');
			if (pair[1] === '|') cb.bad('Invalid hex block');
			for (const h of pair) if (!/[0-9a-fA-F]/.test(h)) cb.bad(`Invalid hex char '${h}'`);
			out.push(parseInt(pair, 16));
			i += 2;
			while (s[i] === ' ') i++;
		} else {
			for (const b of utf8_encode(c)) out.push(b);
			i++;
		}
	}
	return out;
}

function pattern_text(d: Uint8Array): { option: string; text: string } {
	const p = d.subarray(info.pattern, info.pattern + d[info.patlen]);
	const plain = p.every((c) => c >= 0x20 && c < 0x7f);
	// What ends in a backslash or holds a bar at its start would read otherwise.
	if (plain && p.length > 0 && p[p.length - 1] !== 0x5c) {
		const s = String.fromCharCode(...p);
		return { option: '--string', text: `"${s.replace(/["\\]/g, (c) => '\\' + c)}"` };
	}
	return { option: '--hex-string', text: `"|${[...p].map((c) => c.toString(16).padStart(2, '0')).join('')}|"` };
}

const bang = (d: Uint8Array): boolean => (d[info.v1_flags] & XT_STRING_FLAG_INVERT) !== 0;

export const string_mt_reg: xt_extension = {
	kind: 'match',
	name: 'string',
	revision: 1,
	size: info.sizeof,
	userspacesize: info.config,
	options: [
		{ name: 'from', id: O_FROM, type: 'uint16', put: info.from_offset },
		{ name: 'to', id: O_TO, type: 'uint16', put: info.to_offset },
		{ name: 'algo', id: O_ALGO, type: 'string', flags: XTOPT_MAND, put: info.algo, size: 16 },
		{ name: 'string', id: O_STRING, type: 'string', flags: XTOPT_INVERT, excl: 1 << O_HEX },
		{ name: 'hex-string', id: O_HEX, type: 'string', flags: XTOPT_INVERT, excl: 1 << O_STRING },
		{ name: 'icase', id: O_ICASE, type: 'none' },
	],
	help: ['--from n  --to n  --algo bm|kmp  --icase', '[!] --string string', '[!] --hex-string string'],
	init(d) {
		put_unaligned_le16(d, info.to_offset, 0xffff);
	},
	parse(cb) {
		const id = cb.entry.id;
		if (id === O_STRING) put_pattern(cb, utf8_encode(cb.arg));
		if (id === O_HEX) put_pattern(cb, hex_pattern(cb));
		if ((id === O_STRING || id === O_HEX) && cb.invert) cb.data[info.v1_flags] |= XT_STRING_FLAG_INVERT;
		if (id === O_ICASE) cb.data[info.v1_flags] |= XT_STRING_FLAG_IGNORECASE;
	},
	final_check(cb) {
		if ((cb.xflags & ((1 << O_STRING) | (1 << O_HEX))) === 0)
			cb.x.error(PARAMETER_PROBLEM, "STRING match: You must specify `--string' or `--hex-string'");
	},
	print(d) {
		let s = ` STRING match ${bang(d) ? '!' : ''} ${pattern_text(d).text} ALGO name ${cstring(d, info.algo, 16)}`;
		const from = get_unaligned_le16(d, info.from_offset);
		const to = get_unaligned_le16(d, info.to_offset);
		if (from !== 0) s += ` FROM ${from}`;
		if (to !== 0xffff) s += ` TO ${to}`;
		return (d[info.v1_flags] & XT_STRING_FLAG_IGNORECASE) !== 0 ? s + ' ICASE' : s;
	},
	save(d) {
		const p = pattern_text(d);
		let s = `${bang(d) ? ' !' : ''} ${p.option} ${p.text} --algo ${cstring(d, info.algo, 16)}`;
		const from = get_unaligned_le16(d, info.from_offset);
		const to = get_unaligned_le16(d, info.to_offset);
		if (from !== 0) s += ` --from ${from}`;
		if (to !== 0xffff) s += ` --to ${to}`;
		return (d[info.v1_flags] & XT_STRING_FLAG_IGNORECASE) !== 0 ? s + ' --icase' : s;
	},
};
