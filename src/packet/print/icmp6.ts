/*
 * packet/print/icmp6.ts: ICMPv6 and neighbour discovery as tcpdump prints them.
 * Not here yet: node information, Mobile IPv6, RPL.
 */

import { bits, type Context, hex, type IpInfo } from './context.ts';
import { checksum } from './tcp.ts';

export function icmp6(c: Context, o: number, length: number, info: IpInfo): undefined {
	c.protocol = 'icmp6';
	const type = c.u8(o);
	const code = c.u8(o + 1);
	if (c.v > 0 && !info.fragment && c.has(o, length)) {
		const sum = c.u16(o + 2);
		const good = checksum(c, o, length, 58, info);
		c.print(good === null ? '[icmp6 sum ok] ' : `[bad icmp6 cksum 0x${hex(sum, 4)} -> 0x${hex(good, 4)}!] `);
	}
	const name = TYPES[type];
	c.print(`ICMP6, ${name ?? `unknown icmp6 type (${type})`}`);
	if (c.v > 0 && (type === 133 || type === 134 || type === 135 || type === 136 || type === 137))
		c.print(`, length ${length}`);
	switch (type) {
		case 1:
			unreachable(c, o, code);
			break;
		case 2:
			c.print(`, mtu ${c.u32(o + 4)}`);
			break;
		case 3:
			if (code === 0) c.print(` for ${c.ip6(o + 32)}`);
			else if (code === 1) c.print(' (reassembly)');
			else c.print(`, unknown code (${code})`);
			break;
		case 4: {
			const what = ['erroneous', 'next header', 'option'][code];
			c.print(what === undefined ? `, code-#${code}` : `, ${what} - octet ${c.u32(o + 4)}`);
			break;
		}
		case 128:
		case 129:
			c.print(`, id ${c.u16(o + 4)}, seq ${c.u16(o + 6)}`);
			break;
		case 130:
			if (length === 24) listener(c, o);
			else query2(c, o, length);
			break;
		case 131:
		case 132:
			listener(c, o);
			break;
		case 143:
			report2(c, o, length);
			break;
		case 133:
			if (c.v > 0) options(c, o + 8, length - 8);
			break;
		case 134:
			if (c.v > 0) advertisement(c, o, length);
			break;
		case 135:
			c.print(`, who has ${c.ip6(o + 8)}`);
			if (c.v > 0) options(c, o + 24, length - 24);
			break;
		case 136:
			c.print(`, tgt is ${c.ip6(o + 8)}`);
			if (c.v > 0) {
				const flags = c.u32(o + 4);
				c.print(
					`, Flags [${bits(
						flags >>> 29,
						[
							[4, 'router'],
							[2, 'solicited'],
							[1, 'override'],
						],
						', ',
						'none',
					)}]`,
				);
				options(c, o + 24, length - 24);
			}
			break;
		case 137:
			c.print(`, ${c.ip6(o + 24)} to ${c.ip6(o + 8)}`);
			if (c.v > 0) options(c, o + 40, length - 40);
			break;
		default:
			c.print(`, length ${length}`);
			if (c.v > 0 && name === undefined) c.dump('\n\t', o, length, false);
			return;
	}
	if (c.v === 0) c.print(`, length ${length}`);
}

const TYPES: { readonly [type: number]: string } = {
	1: 'destination unreachable',
	2: 'packet too big',
	3: 'time exceeded in-transit',
	4: 'parameter problem',
	128: 'echo request',
	129: 'echo reply',
	130: 'multicast listener query',
	131: 'multicast listener report',
	132: 'multicast listener done',
	133: 'router solicitation',
	134: 'router advertisement',
	135: 'neighbor solicitation',
	136: 'neighbor advertisement',
	137: 'redirect',
	143: 'multicast listener report v2',
};

function unreachable(c: Context, o: number, code: number): undefined {
	const names = [
		'unreachable route',
		' unreachable prohibited',
		'beyond scope',
		'unreachable address',
		'unreachable port',
	];
	c.print(`, ${names[code] ?? `unknown unreach code (${code})`}`);
	const inner = o + 8;
	const dst = c.ip6(inner + 24);
	if (code === 0 || code === 1 || code === 3) c.print(` ${dst}`);
	else if (code === 2) c.print(` ${dst}, source address ${c.ip6(inner + 8)}`);
	else if (code === 4) {
		const proto = c.u8(inner + 6);
		const port = c.u16(inner + 42);
		if (proto === 6) c.print(`, ${dst} tcp port ${c.port(port, false)}`);
		else if (proto === 17) c.print(`, ${dst} udp port ${c.port(port, true)}`);
		else c.print(`, ${dst} protocol ${proto} port ${port} unreachable`);
	}
}

function listener(c: Context, o: number): undefined {
	c.print(`max resp delay: ${c.u16(o + 4)} `);
	c.print(`addr: ${c.ip6(o + 8)}`);
}

function query2(c: Context, o: number, length: number): undefined {
	if (length < 28) return c.print(' [invalid len]');
	const mrc = c.u16(o + 4);
	const delay = mrc < 32768 ? mrc : ((mrc & 0xfff) | 0x1000) << (((mrc >> 12) & 7) + 3);
	if (c.v > 0) c.print(` v2 [max resp delay=${delay}]`);
	else c.print(' v2');
	c.print(` [gaddr ${c.ip6(o + 8)}`);
	if (c.v > 0) {
		const flags = c.u8(o + 24);
		if (flags & 8) c.print(' sflag');
		if (flags & 7) c.print(` robustness=${flags & 7}`);
		const qqic = c.u8(o + 25);
		c.print(` qqi=${qqic < 128 ? qqic : ((qqic & 15) | 16) << (((qqic >> 4) & 7) + 3)}`);
	}
	const n = c.u16(o + 26);
	if (n > 0) {
		const list: string[] = [];
		for (let i = 0; i < n; i++) list.push(c.ip6(o + 28 + 16 * i));
		c.print(c.v > 1 ? ` { ${list.join(' ')} }` : `, ${n} source(s)`);
	}
	c.print(']');
}

function report2(c: Context, o: number, length: number): undefined {
	if (length < 8) return c.print(' [invalid len]');
	const n = c.u16(o + 6);
	c.print(`, ${n} group record(s)`);
	if (c.v === 0) return;
	const names = ['', 'is_in', 'is_ex', 'to_in', 'to_ex', 'allow', 'block'];
	let p = o + 8;
	for (let i = 0; i < n; i++) {
		if (p + 20 > o + length) return c.print(' [invalid number of groups]');
		c.print(` [gaddr ${c.ip6(p + 4)} ${names[c.u8(p)] ?? `[v2-report-#${c.u8(p)}]`}`);
		const sources = c.u16(p + 2);
		if (p + 20 + 16 * sources > o + length) return c.print(` [invalid number of sources ${sources}]`);
		if (c.v === 1) c.print(`, ${sources} source(s)`);
		else {
			c.print(' {');
			for (let k = 0; k < sources; k++) c.print(` ${c.ip6(p + 20 + 16 * k)}`);
			c.print(' }');
		}
		p += 20 + 16 * sources;
		c.print(']');
	}
}

function advertisement(c: Context, o: number, length: number): undefined {
	const flags = c.u8(o + 5);
	const names = bits(
		flags,
		[
			[0x80, 'managed'],
			[0x40, 'other stateful'],
			[0x20, 'home agent'],
		],
		', ',
		'none',
	);
	const pref = ['medium', 'high', 'reserved', 'low'][(flags >> 3) & 3];
	c.print(`\n\thop limit ${c.u8(o + 4)}, Flags [${names}], pref ${pref}, router lifetime ${c.u16(o + 6)}s`);
	c.print(`, reachable time ${c.u32(o + 8)}ms, retrans timer ${c.u32(o + 12)}ms`);
	options(c, o + 16, length - 16);
}

const OPTIONS: { readonly [type: number]: string } = {
	1: 'source link-address',
	2: 'destination link-address',
	3: 'prefix info',
	4: 'redirected header',
	5: 'mtu',
	7: 'advertisement interval',
	8: 'homeagent information',
	24: 'route info',
	25: 'rdnss',
	31: 'dnssl',
};

function lifetime(v: number): string {
	return v === 0xffffffff ? 'infinity' : `${v}s`;
}

function options(c: Context, o: number, total: number): undefined {
	const stop = Math.min(c.end, o + total);
	while (o + 2 <= stop) {
		const type = c.u8(o);
		const units = c.u8(o + 1);
		const n = units * 8;
		c.print(`\n\t  ${OPTIONS[type] ?? 'unknown'} option (${type}), length ${n} (${units}): `);
		if (n === 0) return;
		c.need(o, n);
		if (type === 1 || type === 2) c.print(Array.from(c.b.subarray(o + 2, o + n), (v) => hex(v, 2)).join(':'));
		else if (type === 3) {
			const flags = bits(
				c.u8(o + 3),
				[
					[0x80, 'onlink'],
					[0x40, 'auto'],
					[0x20, 'router'],
				],
				', ',
				'none',
			);
			c.print(`${c.ip6(o + 16)}/${c.u8(o + 2)}${n === 32 ? '' : ' (invalid)'}, Flags [${flags}]`);
			c.print(`, valid time ${lifetime(c.u32(o + 4))}, pref. time ${lifetime(c.u32(o + 8))}`);
		} else if (type === 5) c.print(` ${c.u32(o + 4)}${n === 8 ? '' : ', bad option length'}`);
		else if (type === 7) c.print(` ${c.u32(o + 4)}ms`);
		else if (type === 8) c.print(` preference ${c.u16(o + 4)}, lifetime ${c.u16(o + 6)}`);
		else if (type === 25) {
			c.print(` lifetime ${c.u32(o + 4)}s,`);
			for (let i = 8; i + 16 <= n; i += 16) c.print(` addr: ${c.ip6(o + i)}`);
		} else if (type === 31) {
			c.print(` lifetime ${c.u32(o + 4)}s, domain(s):`);
			for (let p = o + 8; p < o + n && c.u8(p) !== 0; ) {
				let name = '';
				while (p < o + n && c.u8(p) !== 0) {
					name += `${c.safe(p + 1, c.u8(p))}.`;
					p += 1 + c.u8(p);
				}
				c.print(` ${name}`);
				p++;
			}
		}
		if (c.v > 1) c.dump('\n\t    ', o + 2, n - 2, false);
		o += n;
	}
}
