/*
 * packet/print/udp.ts: UDP as tcpdump prints it, and what it carries by its ports.
 */

import { type Context, hex, type IpInfo } from './context.ts';
import { dhcp } from './dhcp.ts';
import { dns } from './dns.ts';
import { natt, ntp, vxlan } from './others.ts';
import { checksum, ends } from './tcp.ts';

export function udp(c: Context, o: number, length: number, info: IpInfo): undefined {
	c.protocol = 'udp';
	if (!c.has(o, 4)) {
		c.print(`${info.src} > ${info.dst}: `);
		return c.truncated();
	}
	const sport = c.u16(o);
	const dport = c.u16(o + 2);
	if (length < 8 || !c.has(o, 8)) {
		if (length < 4) c.print(`${info.src} > ${info.dst}: `);
		else ends(c, info, c.port(sport, true), c.port(dport, true));
		if (length < 8 && c.has(o, 8) === false && length < 4) return c.truncated();
		if (length < 8) return c.print(`truncated-udp ${length}`);
		return c.truncated();
	}
	let ulen = c.u16(o + 4);
	ends(c, info, c.port(sport, true), c.port(dport, true));
	if (ulen < 8) {
		// RFC 2675: a jumbogram's length is 0.
		if (!(ulen === 0 && length > 65535)) return c.print(`truncated-udplength ${ulen}`);
		ulen = length;
	}
	const data = ulen - 8;
	if (length > ulen) length = ulen;
	length -= 8;
	// A first fragment ends before its datagram does.
	const cut = data > length && !info.fragment;
	if (c.options.q) return c.print(cut ? `UDP, bad length ${data} > ${length}` : `UDP, length ${data}`);
	if (c.v > (info.version === 4 ? 1 : 0) && !info.fragment) {
		const sum = c.u16(o + 6);
		if (sum === 0) c.print('[no cksum] ');
		else if (c.has(o, length + 8)) {
			const good = checksum(c, o, length + 8, 17, info);
			c.print(good === null ? '[udp sum ok] ' : `[bad udp cksum 0x${hex(sum, 4)} -> 0x${hex(good, 4)}!] `);
		}
	}
	const at = o + 8;
	const is = (...ports: number[]) => ports.includes(sport) || ports.includes(dport);
	if (c.has(at, 1) || length === 0) {
		if (is(53)) return dns(c, at, length, { tcp: false, mdns: false });
		if (is(67, 68)) return dhcp(c, at, length);
		if (is(5353)) return dns(c, at, length, { tcp: false, mdns: true });
		if (is(123)) return ntp(c, at, length);
		if (dport === 4789) return vxlan(c, at, length);
		if (is(4500)) return natt(c, at, length);
	}
	if (cut) c.print(`UDP, bad length ${data} > ${length}`);
	else c.print(`UDP, length ${data}`);
}
