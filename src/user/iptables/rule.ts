/*
 * user/iptables/rule.ts: one rule as the tool holds it, and as bytes.              Original: libiptc, struct ipt_entry
 * Matches and module targets keep their binary info: their own file in ext/ reads and writes it.
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import { IFNAMSIZ } from '../../uapi/linux/if.ts';
import {
	XT_ALIGN,
	XT_EXTENSION_MAXNAMELEN,
	xt_entry_match,
	xt_entry_target,
	xt_standard_target,
} from '../../uapi/linux/netfilter/x_tables.ts';
import { ipt_entry, ipt_ip } from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';

/** A match, or a target that is a module. `data` is as long as the kernel's struct, aligned. */
export interface rule_ext {
	name: string;
	revision: number;
	data: Uint8Array;
}

/** Where a rule's counters come from at commit. */
export type counter_map =
	| { map: 'nomap' }
	| { map: 'normal'; index: number }
	| { map: 'zeroed'; index: number; pcnt: number; bcnt: number }
	| { map: 'set' };

export type rule_target =
	| { kind: 'none' }
	| { kind: 'standard'; verdict: number }
	| { kind: 'chain'; chain: string }
	| ({ kind: 'module' } & rule_ext);

export class ipt_rule {
	src = 0;
	dst = 0;
	smsk = 0;
	dmsk = 0;
	/** As typed: a + at the end is a wildcard. */
	iniface = '';
	outiface = '';
	proto = 0;
	flags = 0;
	invflags = 0;
	matches: rule_ext[] = [];
	/** Names of the sets that the machine has, by index, for rules that name one. */
	set_names?: Map<number, string>;
	target: rule_target = { kind: 'none' };
	pcnt = 0;
	bcnt = 0;
	counters: counter_map = { map: 'nomap' };
	/** Where it came from in a file that was restored; '' else. */
	origin = '';
}

export function cstring(b: Uint8Array, o: number, max: number): string {
	let n = 0;
	while (n < max && b[o + n] !== 0 && b[o + n] !== undefined) n++;
	return utf8_decode(b.subarray(o, o + n));
}

/** Bytes to text one to one where they are no valid UTF-8. */
export function utf8_decode(b: Uint8Array): string {
	let s = '';
	for (let i = 0; i < b.length; ) {
		const c = b[i];
		const len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
		let ok = len > 0 && i + len <= b.length;
		let cp = len === 1 ? c : c & (0x7f >> len);
		for (let k = 1; ok && k < len; k++) {
			if ((b[i + k] & 0xc0) !== 0x80) ok = false;
			cp = (cp << 6) | (b[i + k] & 0x3f);
		}
		if (!ok || cp > 0x10ffff) {
			s += String.fromCharCode(c);
			i++;
		} else {
			s += String.fromCodePoint(cp);
			i += len;
		}
	}
	return s;
}

export function utf8_encode(s: string): Uint8Array {
	const out: number[] = [];
	for (const ch of s) {
		const c = ch.codePointAt(0)!;
		if (c < 0x80) out.push(c);
		else if (c < 0x800) out.push(0xc0 | (c >> 6), 0x80 | (c & 63));
		else if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
		else out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
	}
	return Uint8Array.from(out);
}

/** Writes `s` and a zero byte, cut to `max` bytes in all. */
export function put_cstring(b: Uint8Array, o: number, max: number, s: string): void {
	const bytes = utf8_encode(s);
	b.set(bytes.subarray(0, max - 1), o);
}

function put_iface(b: Uint8Array, name: number, mask: number, iface: string): void {
	put_cstring(b, name, IFNAMSIZ, iface);
	const len = Math.min(iface.length, IFNAMSIZ - 1);
	if (len === 0) return;
	b.fill(0xff, mask, mask + (iface.endsWith('+') ? len - 1 : len + 1));
}

function get_iface(b: Uint8Array, name: number, mask: number): string {
	let s = '';
	// A + alone has an empty mask.
	if (b[mask] === 0) return cstring(b, name, IFNAMSIZ);
	for (let i = 0; i < IFNAMSIZ; i++) {
		if (b[mask + i] === 0) {
			if (i > 0 && b[name + i - 1] !== 0) s += '+';
			break;
		}
		if (b[name + i] !== 0) s += String.fromCharCode(b[name + i]);
	}
	return s;
}

export function rule_size(r: ipt_rule): number {
	let size = ipt_entry.sizeof;
	for (const m of r.matches) size += xt_entry_match.sizeof + XT_ALIGN(m.data.length);
	return (
		size +
		(r.target.kind === 'module' ? xt_entry_target.sizeof + XT_ALIGN(r.target.data.length) : xt_standard_target.sizeof)
	);
}

/** Writes the rule at `e`. `verdict`: of a standard target or a jump. Return: its size. */
export function put_rule(b: Uint8Array, e: number, r: ipt_rule, verdict: number): number {
	put_unaligned_be32(b, e + ipt_ip.src, r.src);
	put_unaligned_be32(b, e + ipt_ip.dst, r.dst);
	put_unaligned_be32(b, e + ipt_ip.smsk, r.smsk);
	put_unaligned_be32(b, e + ipt_ip.dmsk, r.dmsk);
	put_iface(b, e + ipt_ip.iniface, e + ipt_ip.iniface_mask, r.iniface);
	put_iface(b, e + ipt_ip.outiface, e + ipt_ip.outiface_mask, r.outiface);
	put_unaligned_le16(b, e + ipt_ip.proto, r.proto);
	b[e + ipt_ip.flags] = r.flags;
	b[e + ipt_ip.invflags] = r.invflags;
	let o = ipt_entry.sizeof;
	for (const m of r.matches) {
		const size = xt_entry_match.sizeof + XT_ALIGN(m.data.length);
		put_unaligned_le16(b, e + o + xt_entry_match.match_size, size);
		put_cstring(b, e + o + xt_entry_match.name, XT_EXTENSION_MAXNAMELEN, m.name);
		b[e + o + xt_entry_match.revision] = m.revision;
		b.set(m.data, e + o + xt_entry_match.sizeof);
		o += size;
	}
	put_unaligned_le16(b, e + ipt_entry.target_offset, o);
	const t = r.target;
	if (t.kind === 'module') {
		const size = xt_entry_target.sizeof + XT_ALIGN(t.data.length);
		put_unaligned_le16(b, e + o + xt_entry_target.target_size, size);
		put_cstring(b, e + o + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN, t.name);
		b[e + o + xt_entry_target.revision] = t.revision;
		b.set(t.data, e + o + xt_entry_target.sizeof);
		o += size;
	} else {
		put_unaligned_le16(b, e + o + xt_entry_target.target_size, xt_standard_target.sizeof);
		put_unaligned_le32(b, e + o + xt_standard_target.verdict, verdict);
		o += xt_standard_target.sizeof;
	}
	put_unaligned_le16(b, e + ipt_entry.next_offset, o);
	return o;
}

/** Reads what the kernel gave out; a standard target's verdict is left as the kernel has it (a jump is an offset). */
export function get_rule(b: Uint8Array, e: number): ipt_rule {
	const r = new ipt_rule();
	r.src = get_unaligned_be32(b, e + ipt_ip.src);
	r.dst = get_unaligned_be32(b, e + ipt_ip.dst);
	r.smsk = get_unaligned_be32(b, e + ipt_ip.smsk);
	r.dmsk = get_unaligned_be32(b, e + ipt_ip.dmsk);
	r.iniface = get_iface(b, e + ipt_ip.iniface, e + ipt_ip.iniface_mask);
	r.outiface = get_iface(b, e + ipt_ip.outiface, e + ipt_ip.outiface_mask);
	r.proto = get_unaligned_le16(b, e + ipt_ip.proto);
	r.flags = b[e + ipt_ip.flags];
	r.invflags = b[e + ipt_ip.invflags];
	const toff = get_unaligned_le16(b, e + ipt_entry.target_offset);
	for (let o = ipt_entry.sizeof; o < toff; ) {
		const size = get_unaligned_le16(b, e + o + xt_entry_match.match_size);
		r.matches.push({
			name: cstring(b, e + o + xt_entry_match.name, XT_EXTENSION_MAXNAMELEN),
			revision: b[e + o + xt_entry_match.revision],
			data: b.slice(e + o + xt_entry_match.sizeof, e + o + size),
		});
		o += size;
	}
	const t = e + toff;
	const name = cstring(b, t + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN);
	if (name === '') {
		r.target = { kind: 'standard', verdict: get_unaligned_le32(b, t + xt_standard_target.verdict) | 0 };
	} else {
		const size = get_unaligned_le16(b, t + xt_entry_target.target_size);
		r.target = {
			kind: 'module',
			name,
			revision: b[t + xt_entry_target.revision],
			data: b.slice(t + xt_entry_target.sizeof, t + size),
		};
	}
	const c = e + ipt_entry.counters;
	r.pcnt = get_unaligned_le32(b, c) + get_unaligned_le32(b, c + 4) * 0x100000000;
	r.bcnt = get_unaligned_le32(b, c + 8) + get_unaligned_le32(b, c + 12) * 0x100000000;
	return r;
}
