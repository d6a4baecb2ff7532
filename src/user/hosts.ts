/*
 * user/hosts.ts: names and addresses of hosts, from /etc/hosts, then by DNS.            Original: getaddrinfo(3), getnameinfo(3), inet_aton(3)
 */
import type { Process } from './libc.ts';
import { dns_lookup, dns_reverse } from './netdb/dns.ts';

/** `a.b.c.d`, `a.b.c`, `a.b`, `a`, each part decimal, 0octal or 0xhex. Return: the address, or -1. */
export function inet_aton(text: string): number {
	const parts = text.split('.');
	if (parts.length > 4) return -1;
	let addr = 0;
	for (let i = 0; i < parts.length; i++) {
		const p = parts[i];
		let v: number;
		if (/^0[xX][0-9a-fA-F]+$/.test(p)) v = parseInt(p, 16);
		else if (/^0[0-7]*$/.test(p)) v = parseInt(p, 8);
		else if (/^[1-9][0-9]*$/.test(p)) v = Number(p);
		else return -1;
		const last = i === parts.length - 1;
		if (v > (last ? 2 ** (8 * (5 - parts.length)) - 1 : 255)) return -1;
		addr = last ? addr + v : addr + v * 2 ** (8 * (3 - i));
	}
	return addr;
}

/** Dotted quad only (inet_pton(3)). Return: the address, or -1. */
export function inet_pton4(text: string): number {
	if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return -1;
	const b = text.split('.').map(Number);
	return b.some((v) => v > 255) ? -1 : ((b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3]) >>> 0;
}

export function inet_ntoa(addr: number): string {
	return `${addr >>> 24}.${(addr >>> 16) & 255}.${(addr >>> 8) & 255}.${addr & 255}`;
}

async function host_lines(proc: Process): Promise<string[][]> {
	const text = await proc.readFile('/etc/hosts');
	if (typeof text === 'number') return [];
	return text
		.split('\n')
		.map((l) => l.replace(/#.*/, '').trim().split(/\s+/))
		.filter((w) => w.length > 1);
}

/** Address and canonical name of a host; null when it is unknown. */
export async function gethostbyname(proc: Process, name: string): Promise<{ addr: number; name: string } | null> {
	const numeric = inet_aton(name);
	if (numeric >= 0) return { addr: numeric, name };
	const wanted = name.toLowerCase();
	for (const [text, ...names] of await host_lines(proc)) {
		const addr = inet_pton4(text);
		if (addr >= 0 && names.some((n) => n.toLowerCase() === wanted)) return { addr, name: names[0] };
	}
	return dns_lookup(proc, name);
}

/** Name of an address; null when it has none. */
export async function gethostbyaddr(proc: Process, addr: number): Promise<string | null> {
	for (const [text, name] of await host_lines(proc)) if (inet_pton4(text) === addr) return name;
	return dns_reverse(proc, addr);
}

/** Whether it is an IPv6 address in text, roughly: to say that there is no IPv6. */
export function looks_like_ipv6(text: string): boolean {
	return /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\w+)?$/.test(text) && text.split(':').length > 2;
}
