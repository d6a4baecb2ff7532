/*
 * user/netdb/nslookup.ts: `nslookup`: asks a name server.                                                 Original: busybox nslookup 1.35
 *
 * Without -type it asks for A and AAAA, or for PTR where the name is an address. Not here: a server's port, -debug, search domains.
 */
import { get_unaligned_be16, get_unaligned_be32 } from '../../lib/byteorder.ts';
import { gethostbyname, inet_ntoa, inet_pton4 } from '../hosts.ts';
import type { Process } from '../libc.ts';
import * as dns from './dns.ts';

const USAGE = `
Usage: nslookup [-type=QUERY_TYPE] HOST [DNS_SERVER]

Query DNS about HOST

QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any
`;
const TYPES: ReadonlyMap<string, number> = new Map([
	['soa', dns.TYPE_SOA],
	['ns', dns.TYPE_NS],
	['a', dns.TYPE_A],
	['aaaa', dns.TYPE_AAAA],
	['cname', dns.TYPE_CNAME],
	['mx', dns.TYPE_MX],
	['txt', dns.TYPE_TXT],
	['ptr', dns.TYPE_PTR],
	['srv', 33],
	['any', 255],
]);
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** IPv6 in text, by RFC 5952 4: the longest run of zeros as ::. */
export function inet6_ntop(b: Uint8Array): string {
	const words: string[] = [];
	for (let i = 0; i < 16; i += 2) words.push(get_unaligned_be16(b, i).toString(16));
	const text = `:${words.join(':')}:`;
	const runs = text.match(/:(0:){2,}/g) ?? [];
	if (runs.length === 0) return words.join(':');
	const longest = runs.reduce((a, r) => (r.length > a.length ? r : a));
	const at = text.indexOf(longest);
	return `${text.slice(1, at)}::${text.slice(at + longest.length, -1)}`;
}

function show(r: dns.Record): string {
	switch (r.type) {
		case dns.TYPE_A:
			return r.data.length === 4
				? `Name:\t${r.name}\nAddress: ${inet_ntoa(get_unaligned_be32(r.data, 0) >>> 0)}\n`
				: '';
		case dns.TYPE_AAAA:
			return r.data.length === 16 ? `Name:\t${r.name}\nAddress: ${inet6_ntop(r.data)}\n` : '';
		case dns.TYPE_CNAME:
			return `${r.name}\tcanonical name = ${r.target}\n`;
		case dns.TYPE_NS:
			return `${r.name}\tnameserver = ${r.target}\n`;
		case dns.TYPE_PTR:
			return `${r.name}\tname = ${r.target}\n`;
		case dns.TYPE_TXT:
			return `${r.name}\ttext = "${String.fromCharCode(...r.data.subarray(1, 1 + (r.data[0] ?? 0)))}"\n`;
		default:
			return '';
	}
}

/** `nslookup`. Return: exit status. */
export async function nslookup(p: Process): Promise<number> {
	const words: string[] = [];
	const types: number[] = [];
	for (const a of p.argv.slice(1)) {
		const m = /^-(?:q|type|querytype)=(.*)$/.exec(a);
		if (m === null) {
			if (a.startsWith('-') && a.length > 1) {
				p.stderr.write(`nslookup: option ${a} is not supported by linnet\n`);
				return 1;
			}
			words.push(a);
			continue;
		}
		const t = TYPES.get(m[1].toLowerCase());
		if (t === undefined) {
			p.stderr.write(`nslookup: invalid query type "${m[1]}"\n`);
			return 1;
		}
		types.push(t);
	}
	if (words.length < 1 || words.length > 2) {
		p.stderr.write(USAGE);
		return 1;
	}
	let server = (await dns.resolv_conf(p)).nameservers[0] ?? 0x7f000001;
	let shown = inet_ntoa(server);
	if (words.length === 2) {
		const found = await gethostbyname(p, words[1]);
		if (found === null) {
			p.stderr.write(`nslookup: bad address '${words[1]}'\n`);
			return 1;
		}
		server = found.addr;
		shown = words[1];
	}
	const addr = inet_pton4(words[0]);
	let name = words[0].replace(/\.$/, '');
	if (types.length === 0) {
		if (addr >= 0) types.push(dns.TYPE_PTR);
		else types.push(dns.TYPE_A, dns.TYPE_AAAA);
		if (addr >= 0) name = dns.reverse_name(addr);
	}
	if (dns.encode_name(name) === null) {
		p.stderr.write(`nslookup: invalid name '${name}'\n`);
		return 1;
	}
	const answers: dns.Message[] = [];
	for (const t of types) {
		const m = (await dns.ask(p, server, name, t, 5000)) ?? (await dns.ask(p, server, name, t, 5000));
		if (m === null) {
			p.stdout.write(';; connection timed out; no servers could be reached\n\n');
			return 1;
		}
		answers.push(m);
	}
	p.stdout.write(`Server:\t\t${shown}\nAddress:\t${inet_ntoa(server)}:53\n\n`);
	let failed = false;
	for (const m of answers) {
		const rcode = m.flags & 15;
		if (rcode !== 0) {
			p.stdout.write(`** server can't find ${name}: ${RCODES[rcode] ?? rcode}\n`);
			failed = true;
		} else {
			if ((m.flags & dns.FLAG_AA) === 0) p.stdout.write('Non-authoritative answer:\n');
			for (const r of m.answers) p.stdout.write(show(r));
		}
		p.stdout.write('\n');
	}
	return failed ? 1 : 0;
}
