/*
 * sockets/names.ts: addresses in text, and names by the host's /etc/hosts and DNS.
 */
import { gethostbyname, inet_ntoa, inet_pton4 } from '../user/hosts.ts';
import type { Loop } from './loop.ts';

/** 10.0.0.1 as a number; -1 where it is none. */
export function parseAddress(text: string): number {
	return inet_pton4(text);
}

export function formatAddress(addr: number): string {
	return inet_ntoa(addr);
}

/** The address of a name by the host's /etc/hosts, or the DNS servers of its /etc/resolv.conf; null when it is unknown. */
export async function lookupName(loop: Loop, name: string): Promise<string | null> {
	loop.enter();
	const found = await loop.host.process('getaddrinfo', (proc) => gethostbyname(proc, name));
	return found === null ? null : inet_ntoa(found.addr);
}

const V6_SEGMENT = '[0-9a-fA-F]{1,4}';
const V4 = '(?:(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])\\.){3}(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])';

/** Whether it is an IPv4 address, as net.isIPv4 says. */
export function isIPv4(text: unknown): boolean {
	return new RegExp(`^${V4}$`).test(`${text}`);
}

/** Whether it is an IPv6 address, as net.isIPv6 says. */
export function isIPv6(text: unknown): boolean {
	let s = `${text}`;
	const zone = s.indexOf('%');
	if (zone >= 0) {
		if (!/^%[0-9a-zA-Z\-.:]+$/.test(s.slice(zone))) return false;
		s = s.slice(0, zone);
	}
	const v4 = new RegExp(`:(${V4})$`).exec(s);
	// An IPv4 address at the end stands for two groups.
	if (v4 !== null) s = `${s.slice(0, v4.index)}:0:0`;
	const halves = s.split('::');
	if (halves.length > 2) return false;
	const groups = halves.map((h) => (h === '' ? [] : h.split(':')));
	const count = groups.reduce((n, g) => n + g.length, 0);
	if (groups.some((g) => g.some((x) => !new RegExp(`^${V6_SEGMENT}$`).test(x)))) return false;
	return halves.length === 2 ? count <= 7 : count === 8;
}

/** 4, 6, or 0. */
export function isIP(text: unknown): number {
	return isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0;
}
