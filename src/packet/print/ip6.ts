/*
 * packet/print/ip6.ts: IPv6 and its extension headers as tcpdump prints them.
 */

import { type Context, hex, type IpInfo } from './context.ts';
import { PROTO_NAMES } from './ip.ts';

const NEXT_NAMES: { readonly [n: number]: string } = { ...PROTO_NAMES, 43: 'Routing', 44: 'Fragment' };

export function ip6(c: Context, o: number, length: number): undefined {
	c.protocol = 'ip6';
	if (!c.has(o, 40)) return c.truncated();
	if (!c.options.e) c.print('IP6 ');
	if (length < 40) return c.print(`truncated-ip6 ${length}`);
	const word = c.u32(o);
	if (word >>> 28 !== 6)
		return c.print(
			`${(word >>> 28) === 4 ? ', wrong link-layer encapsulation' : `, unknown ip version ${word >>> 28}`} (invalid)`,
		);
	let payload = c.u16(o + 4);
	let len = payload + 40;
	if (length < len) {
		c.print(`truncated-ip6 - ${len - length} bytes missing!`);
		len = length;
	}
	void len;
	if (payload === 0 && length > 40) payload = length - 40;
	const savedEnd = c.end;
	if (o + 40 + payload < c.end) c.end = o + 40 + payload;
	let next = c.u8(o + 6);
	if (c.v > 0) {
		c.print('(');
		if ((word & 0x0ff00000) !== 0) c.print(`class 0x${hex((word >>> 20) & 255, 2)}, `);
		if ((word & 0xfffff) !== 0) c.print(`flowlabel 0x${hex(word & 0xfffff, 5)}, `);
		c.print(
			`hlim ${c.u8(o + 7)}, next-header ${NEXT_NAMES[next] ?? 'unknown'} (${next}) payload length: ${c.u16(o + 4)}) `,
		);
	}
	const src = c.ip6(o + 8);
	const dst = c.ip6(o + 24);
	let dstAt = o + 24;
	let at = o + 40;
	let fragment = false;
	let direct = true;
	const show = () => c.print(`${src} > ${dst}: `);
	for (let n = 0; n < 12 && (next === 0 || next === 60 || next === 44 || next === 43); n++) {
		if (direct) show();
		direct = false;
		const header = at;
		if (next === 44) {
			c.protocol = 'frag6';
			const bits = c.u16(at + 2);
			const rest = payload - (at - o - 40) - 8;
			c.print(`frag (${c.v > 0 ? `0x${hex(c.u32(at + 4), 8)}:` : ''}${bits & 0xfff8}|${rest})`);
			fragment = true;
			if ((bits & 0xfff8) !== 0) {
				c.end = savedEnd;
				return;
			}
			c.print(' ');
			at += 8;
		} else if (next === 43) {
			const to = routing(c, at);
			if (to >= 0) dstAt = to;
			at += 8 + 8 * c.u8(at + 1);
		} else at = optionsHeader(c, at, next === 0 ? 'HBH' : 'DSTOPT');
		next = c.u8(header);
	}
	const info: IpInfo = { version: 6, at: o, src, dst, srcAt: o + 8, dstAt, fragment, direct };
	if (direct && next !== 6 && next !== 17 && next !== 132) show();
	c.inner.ipProto(c, next, at, payload - (at - o - 40), info);
	c.end = savedEnd;
}

/** Hop-by-hop and destination options. Return: where the next header begins. */
function optionsHeader(c: Context, o: number, name: string): number {
	c.protocol = name.toLowerCase();
	const length = 8 + 8 * c.u8(o + 1);
	c.need(o, length);
	c.print(`${name} `);
	if (c.v === 0) return o + length;
	const end = o + length;
	for (let p = o + 2; p < end; ) {
		const type = c.u8(p);
		if (type === 0) {
			let n = 0;
			while (p < end && c.u8(p) === 0) {
				n++;
				p++;
			}
			c.print('(pad1)'.repeat(n));
			continue;
		}
		if (p + 1 >= end) break;
		const n = c.u8(p + 1);
		if (p + 2 + n > end) break;
		if (type === 1) c.print('(padn)');
		else if (type === 5 && n === 2) c.print(`(rtalert: 0x${hex(c.u16(p + 2), 4)}) `);
		else if (type === 0xc2 && n === 4) c.print(`(jumbo: ${c.u32(p + 2)}) `);
		else c.print(`(opt_type 0x${hex(type, 2)}: len=${n}) `);
		p += 2 + n;
	}
	c.print(' ');
	return end;
}

/** A routing header. Return: where the final destination is, or -1. */
function routing(c: Context, o: number): number {
	c.protocol = 'rt6';
	const length = c.u8(o + 1);
	const type = c.u8(o + 2);
	const left = c.u8(o + 3);
	c.need(o, 8 + 8 * length);
	c.print(`RT6 (len=${length}, type=${type}`);
	if (type === 0) c.print(' [Deprecated]');
	c.print(`, segleft=${left}`);
	if (type === 0 || type === 2) {
		if (c.v > 0) c.print(`, rsv=0x${hex(c.u32(o + 4))}`);
		for (let i = 0; i < length >> 1; i++) c.print(`, [${i}]${c.ip6(o + 8 + 16 * i)}`);
	}
	c.print(') ');
	return length >= 2 ? o + 8 * length - 8 : -1;
}
