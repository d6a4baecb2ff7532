/*
 * packet/print/icmp.ts: ICMP as tcpdump prints it, with the packet that an error quotes.
 */

import { inetChecksum } from '../bytes.ts';
import { type Context, hex, portName } from './context.ts';

const UNREACHABLE: { readonly [code: number]: readonly [string, string] } = {
	0: ['net ', ' unreachable'],
	1: ['host ', ' unreachable'],
	5: ['', ' unreachable - source route failed'],
	6: ['net ', ' unreachable - unknown'],
	7: ['host ', ' unreachable - unknown'],
	8: ['', ' unreachable - source host isolated'],
	9: ['net ', ' unreachable - admin prohibited'],
	10: ['host ', ' unreachable - admin prohibited'],
	11: ['net ', ' unreachable - tos prohibited'],
	12: ['host ', ' unreachable - tos prohibited'],
	13: ['host ', ' unreachable - admin prohibited filter'],
	14: ['host ', ' unreachable - host precedence violation'],
	15: ['host ', ' unreachable - precedence cutoff'],
};
const REDIRECTS = ['redirect % to net ', 'redirect % to host ', 'redirect-tos % to net ', 'redirect-tos % to host '];
const TYPES: { readonly [type: number]: string } = {
	0: 'echo reply',
	4: 'source quench',
	8: 'echo request',
	10: 'router solicitation',
	13: 'time stamp request',
	14: 'time stamp reply',
	15: 'information request',
	16: 'information reply',
	17: 'address mask request',
	18: 'address mask reply',
};

/** Which types quote the packet that they are about. */
function isError(type: number): boolean {
	return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

export function icmp(c: Context, o: number, length: number, fragment: boolean): undefined {
	c.protocol = 'icmp';
	const type = c.u8(o);
	const code = c.u8(o + 1);
	// Errors that are cut off before the address that they are about are said to be, and no more.
	if (((type === 3 && code === 3) || type === 11) && !c.has(o, 28)) return c.truncated();
	const text = describe(c, o, type, code, length);
	c.print(`ICMP ${text}, length ${length}`);
	if (c.v > 0 && !fragment && c.has(o, length)) {
		const sum = c.u16(o + 2);
		if (inetChecksum(c.b, o, o + length) !== 0) {
			const copy = c.b.slice(o, o + length);
			copy[2] = 0;
			copy[3] = 0;
			c.print(` (wrong icmp cksum ${hex(sum)} (->${hex(inetChecksum(copy))})!)`);
		}
	}
	if (c.v > 0 && isError(type)) {
		c.print('\n\t');
		const inner = o + 8;
		const length = c.u16(inner + 2);
		const saved = c.end;
		c.depth += 4;
		if (c.depth < 20) c.inner.ip(c, inner, length);
		c.end = saved;
		extension(c, o, type);
	}
}

/** RFC 4884: what may follow the quoted packet at its 128th byte. */
function extension(c: Context, o: number, type: number): undefined {
	if (type !== 3 && type !== 11 && type !== 12) return;
	const at = o + 8 + 128;
	if (!c.has(at, 4)) return;
	const total = c.end - at;
	const quoted = c.u8(o + 5) * 4;
	if (quoted === 0 && inetChecksum(c.b, at, c.end) !== 0) return;
	const version = c.u8(at) >> 4;
	c.print(`\n\tICMP Multi-Part extension v${version}`);
	if (version !== 2) return;
	c.print(
		`, checksum 0x${hex(c.u16(at + 2), 4)} (${inetChecksum(c.b, at, c.end) === 0 ? 'correct' : 'incorrect'}), length ${total}`,
	);
	for (let p = at + 4; p + 4 <= c.end; ) {
		const n = c.u16(p);
		const cls = c.u8(p + 2);
		const ctype = c.u8(p + 3);
		const name = ['', 'MPLS Stack Entry', 'Interface Identification'][cls] ?? 'unknown';
		c.print(`\n\t  ${name === '' ? 'unknown' : name} Object (${cls}), Class-Type: ${ctype}, length ${n}`);
		if (n < 4 || p + n > c.end) return;
		if (cls === 1 && ctype === 1)
			for (let q = p + 4; q + 4 <= p + n; q += 4) {
				const entry = c.u32(q);
				c.print(`\n\t    label ${entry >>> 12}, tc ${(entry >> 9) & 7}`);
				if (entry & 0x100) c.print(', [S]');
				c.print(`, ttl ${entry & 255}`);
			}
		p += n;
	}
}

function describe(c: Context, o: number, type: number, code: number, length: number): string {
	switch (type) {
		case 0:
		case 8:
			return `${TYPES[type]}, id ${c.u16(o + 4)}, seq ${c.u16(o + 6)}`;
		case 3:
			return unreachable(c, o, code);
		case 5: {
			const dst = c.ip4(o + 24);
			const to = c.ip4(o + 4);
			const form = REDIRECTS[code];
			return form === undefined ? `redirect-#${code} ${dst} to ${to}` : form.replace('%', dst) + to;
		}
		case 9:
			return `router advertisement${advertisement(c, o)}`;
		case 11:
			c.need(o + 24, 4);
			if (code === 0) return 'time exceeded in-transit';
			return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`;
		case 12:
			return code !== 0 ? `parameter problem - code ${code}` : `parameter problem - octet ${c.u8(o + 4)}`;
		case 13:
			return `time stamp query id ${c.u16(o + 4)} seq ${c.u16(o + 6)}`;
		case 14: {
			c.need(o, 20);
			const head = `time stamp reply id ${c.u16(o + 4)} seq ${c.u16(o + 6)}`;
			return `${head}: org ${clock(c.u32(o + 8))}, recv ${clock(c.u32(o + 12))}, xmit ${clock(c.u32(o + 16))}`;
		}
		case 18:
			return `address mask is 0x${hex(c.u32(o + 8), 8)}`;
	}
	void length;
	return TYPES[type] ?? `type-#${type}`;
}

function unreachable(c: Context, o: number, code: number): string {
	const dst = c.ip4(o + 24);
	if (code === 2) return `${dst} protocol ${c.u8(o + 17)} unreachable`;
	if (code === 3) {
		const hlen = (c.u8(o + 8) & 15) * 4;
		const proto = c.u8(o + 17);
		const port = c.u16(o + 8 + hlen + 2);
		const name = c.options.n ? String(port) : (portName(port, proto === 17) ?? String(port));
		if (proto === 6) return `${dst} tcp port ${name} unreachable`;
		if (proto === 17) return `${dst} udp port ${name} unreachable`;
		return `${dst} protocol ${proto} port ${port} unreachable`;
	}
	if (code === 4) {
		const mtu = c.u16(o + 6);
		return mtu === 0 ? `${dst} unreachable - need to frag` : `${dst} unreachable - need to frag (mtu ${mtu})`;
	}
	const form = UNREACHABLE[code];
	return form === undefined ? `${dst} unreachable - #${code}` : form[0] + dst + form[1];
}

/** Milliseconds since midnight. */
function clock(ms: number): string {
	const two = (v: number) => String(v).padStart(2, '0');
	const s = Math.floor(ms / 1000);
	return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

function advertisement(c: Context, o: number): string {
	let s = ' lifetime ';
	const lifetime = c.u16(o + 6);
	if (lifetime < 60) s += lifetime;
	else if (lifetime < 3600) s += `${Math.floor(lifetime / 60)}:${String(lifetime % 60).padStart(2, '0')}`;
	else
		s += `${Math.floor(lifetime / 3600)}:${String(Math.floor(lifetime / 60) % 60).padStart(2, '0')}:${String(lifetime % 60).padStart(2, '0')}`;
	const n = c.u8(o + 4);
	s += ` ${n}:`;
	const size = c.u8(o + 5);
	if (size !== 2) return `${s} [size ${size}]`;
	for (let i = 0; i < n; i++) {
		if (!c.has(o + 8 + 8 * i, 8)) break;
		s += ` {${c.ip4(o + 8 + 8 * i)} ${c.u32(o + 12 + 8 * i)}}`;
	}
	return s;
}
