/*
 * packet/dissect/transport.ts: what IP carries.
 * Walk: transport -> ICMP and what it quotes, ICMPv6, UDP (and what its ports suggest), TCP and its options, IGMP, GRE, ESP, AH, SCTP.
 */

import { be16, be32, crc32c, inetChecksum, ip4At, ip6At, latin1, macAt, pseudoSum, toHex } from '../bytes.ts';
import { dnsHeader } from './dns.ts';
import { type Checksum, follow, type Header, MAX_DEPTH, type OptionField, room, short, type Walk } from './headers.ts';

/** What follows an IP header with this protocol number. */
export function transport(w: Walk, proto: number): void {
	if (proto === 6) tcp(w);
	else if (proto === 17) udp(w);
	else if (proto === 1) icmp(w);
	else if (proto === 58) icmpv6(w);
	else if (proto === 2) igmp(w);
	else if (proto === 4) follow(w, 'ethertype', 0x0800);
	else if (proto === 41) follow(w, 'ethertype', 0x86dd);
	else if (proto === 47) gre(w);
	else if (proto === 50) esp(w);
	else if (proto === 51) ah(w);
	else if (proto === 132) sctp(w);
}

/** Checks a checksum at o+field over everything to the end. */
function check(w: Walk, what: string, field: number, proto: number | null, optional = false): Checksum {
	const { b, at } = w;
	const value = be16(b, at + field);
	if (optional && value === 0) return { value, state: 'absent' };
	if (w.fragment || w.quoted || w.brief || w.end > b.length) return { value, state: 'unknown' };
	const seed = proto === null || w.src === null || w.dst === null ? 0 : pseudoSum(w.src, w.dst, proto, w.end - at);
	if (inetChecksum(b, at, w.end, seed) === 0) return { value, state: 'good' };
	const copy = b.slice(at, w.end);
	copy[field] = 0;
	copy[field + 1] = 0;
	let expected = inetChecksum(copy, 0, copy.length, seed);
	if (proto === 17 && expected === 0) expected = 0xffff;
	w.problems.push(`${what} checksum 0x${value.toString(16)} is wrong (0x${expected.toString(16)})`);
	return { value, state: 'bad', expected };
}

const ICMP_NAMES: { readonly [type: number]: string } = {
	0: 'echo reply',
	3: 'unreachable',
	4: 'source quench',
	5: 'redirect',
	8: 'echo request',
	9: 'router advertisement',
	10: 'router solicitation',
	11: 'time exceeded',
	12: 'parameter problem',
	13: 'timestamp request',
	14: 'timestamp reply',
	17: 'address mask request',
	18: 'address mask reply',
};
const UNREACHABLE = [
	'net unreachable',
	'host unreachable',
	'protocol unreachable',
	'port unreachable',
	'need to fragment',
	'source route failed',
	'net unknown',
	'host unknown',
	'source host isolated',
	'net prohibited',
	'host prohibited',
	'net unreachable for TOS',
	'host unreachable for TOS',
	'admin prohibited',
	'host precedence violation',
	'precedence cutoff',
];

/** A name for people: "echo request", "host unreachable", "ttl exceeded in transit". */
export function icmpName(type: number, code: number): string {
	if (type === 3) return UNREACHABLE[code] ?? `unreachable code ${code}`;
	if (type === 5)
		return (
			['redirect for net', 'redirect for host', 'redirect for TOS and net', 'redirect for TOS and host'][code] ??
			'redirect'
		);
	if (type === 11) return ['ttl exceeded in transit', 'reassembly time exceeded'][code] ?? 'time exceeded';
	return ICMP_NAMES[type] ?? `type ${type}`;
}

/** The headers of a packet that an ICMP error quotes. */
function quote(w: Walk, v6: boolean): Header[] {
	const inner: Walk = {
		b: w.b,
		headers: [],
		problems: [],
		at: w.at + 8,
		end: Math.min(w.end, w.b.length),
		quoted: true,
		brief: w.brief,
		depth: w.depth + 4,
		src: null,
		dst: null,
		fragment: false,
		next: null,
		run: w.run,
	};
	if (inner.depth < MAX_DEPTH && inner.at < inner.end) {
		follow(inner, 'ethertype', v6 ? 0x86dd : 0x0800);
		w.run(inner);
		// What is left of the quotation is the payload.
		w.at = Math.min(inner.at, inner.end) - 8;
	}
	return inner.headers;
}

function icmp(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'ICMP header', 8);
	const { b, at } = w;
	const type = b[at];
	const code = b[at + 1];
	const base = {
		layer: 'icmp' as const,
		offset: at,
		length: 8,
		type,
		code,
		name: icmpName(type, code),
		checksum: check(w, 'ICMP', 2, null),
	};
	if ([0, 8, 13, 14, 15, 16, 17, 18].includes(type))
		w.headers.push({ ...base, id: be16(b, at + 4), seq: be16(b, at + 6) });
	else if (type === 3) {
		const quoted = quote(w, false);
		w.headers.push(code === 4 ? { ...base, mtu: be16(b, at + 6), quoted } : { ...base, quoted });
	} else if (type === 5) w.headers.push({ ...base, gateway: ip4At(b, at + 4), quoted: quote(w, false) });
	else if (type === 12) w.headers.push({ ...base, pointer: b[at + 4], quoted: quote(w, false) });
	else if (type === 11 || type === 4) w.headers.push({ ...base, quoted: quote(w, false) });
	else w.headers.push(base);
	w.at += 8;
}

const ICMP6_NAMES: { readonly [type: number]: string } = {
	1: 'destination unreachable',
	2: 'packet too big',
	3: 'time exceeded',
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

function icmpv6(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'ICMPv6 header', 8);
	const { b, at } = w;
	const type = b[at];
	const base = {
		layer: 'icmpv6' as const,
		offset: at,
		length: 8,
		type,
		code: b[at + 1],
		name: ICMP6_NAMES[type] ?? `type ${type}`,
		checksum: check(w, 'ICMPv6', 2, 58),
	};
	if (type === 128 || type === 129) w.headers.push({ ...base, id: be16(b, at + 4), seq: be16(b, at + 6) });
	else if (type === 2) w.headers.push({ ...base, mtu: be32(b, at + 4), quoted: quote(w, true) });
	else if (type === 4) w.headers.push({ ...base, pointer: be32(b, at + 4), quoted: quote(w, true) });
	else if (type === 1 || type === 3) w.headers.push({ ...base, quoted: quote(w, true) });
	else if ((type === 135 || type === 136 || type === 137) && room(w, 24))
		w.headers.push({ ...base, length: 24, target: ip6At(b, at + 8) });
	else w.headers.push(base);
	w.at += w.headers[w.headers.length - 1].length;
}

function udp(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'UDP header', 8);
	const { b, at } = w;
	const totalLength = be16(b, at + 4);
	const sport = be16(b, at);
	const dport = be16(b, at + 2);
	if (totalLength < 8 && totalLength !== 0) w.problems.push(`UDP length ${totalLength} is less than 8`);
	else if (at + totalLength > w.end && !w.fragment && !w.quoted)
		w.problems.push(`UDP says ${totalLength} bytes, ${w.end - at} are there`);
	else if (totalLength >= 8 && at + totalLength < w.end) w.end = at + totalLength;
	w.headers.push({
		layer: 'udp',
		offset: at,
		length: 8,
		sport,
		dport,
		totalLength,
		checksum: check(w, 'UDP', 6, 17, true),
	});
	w.at += 8;
	const end = Math.min(w.end, b.length);
	if (w.quoted) return;
	if (sport === 53 || dport === 53 || sport === 5353 || dport === 5353) {
		const d = dnsHeader(b, w.at, end);
		if (d !== null) {
			w.headers.push(d);
			w.at = end;
		}
	} else if (dport === 67 || dport === 68) dhcp(w, end);
	else if (dport === 4789 && end - w.at >= 8) {
		w.headers.push({ layer: 'vxlan', offset: w.at, length: 8, flags: b[w.at], vni: be32(b, w.at + 4) >>> 8 });
		w.at += 8;
		follow(w, 'ethertype', 0x6558);
	}
}

const DHCP_MESSAGES = ['', 'discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'];
const DHCP_NAMES: { readonly [n: number]: string } = {
	1: 'subnet-mask',
	3: 'router',
	6: 'name-server',
	12: 'hostname',
	15: 'domain',
	26: 'mtu',
	28: 'broadcast',
	50: 'requested-address',
	51: 'lease-time',
	53: 'message-type',
	54: 'server-id',
	55: 'parameter-list',
	57: 'max-size',
	58: 'renewal-time',
	59: 'rebinding-time',
	60: 'vendor-class',
	61: 'client-id',
	82: 'relay-information',
};

function dhcp(w: Walk, end: number): void {
	const { b, at } = w;
	if (end - at < 236) return;
	const options: OptionField[] = [];
	let message = '';
	if (end - at >= 240 && be32(b, at + 236) === 0x63825363) {
		for (let o = at + 240; o + 1 < end && b[o] !== 255; ) {
			if (b[o] === 0) {
				o++;
				continue;
			}
			const type = b[o];
			const n = b[o + 1];
			if (o + 2 + n > end) {
				w.problems.push(`DHCP option ${type} has length ${n}`);
				break;
			}
			const data = b.slice(o + 2, o + 2 + n);
			if (type === 53 && n === 1) message = DHCP_MESSAGES[data[0]] ?? String(data[0]);
			options.push({ type, name: DHCP_NAMES[type] ?? `option-${type}`, text: dhcpText(type, data), data });
			o += 2 + n;
		}
	}
	w.headers.push({
		layer: 'dhcp',
		offset: at,
		length: end - at,
		op: b[at],
		xid: be32(b, at + 4),
		message,
		clientMac: macAt(b, at + 28),
		client: ip4At(b, at + 12),
		yours: ip4At(b, at + 16),
		server: ip4At(b, at + 20),
		relay: ip4At(b, at + 24),
		options,
	});
	w.at = end;
}

function dhcpText(type: number, v: Uint8Array): string {
	if ([1, 3, 6, 28, 50, 54].includes(type) && v.length % 4 === 0) {
		const out: string[] = [];
		for (let i = 0; i < v.length; i += 4) out.push(ip4At(v, i));
		return out.join(' ');
	}
	if ([51, 58, 59].includes(type) && v.length === 4) return String(be32(v, 0));
	if ([26, 57].includes(type) && v.length === 2) return String(be16(v, 0));
	if (type === 53 && v.length === 1) return DHCP_MESSAGES[v[0]] ?? String(v[0]);
	if (type === 55) return v.join(' ');
	if ([12, 15, 60].includes(type)) return latin1(v).replace(/[^\x20-\x7e]/g, '.');
	return toHex(v);
}

const TCP_OPTION_NAMES: { readonly [n: number]: string } = {
	0: 'eol',
	1: 'nop',
	2: 'mss',
	3: 'wscale',
	4: 'sackOK',
	5: 'sack',
	8: 'TS',
	19: 'md5',
	28: 'uto',
	29: 'ao',
	30: 'mptcp',
	34: 'tfo',
};

function tcpOptions(b: Uint8Array, o: number, end: number, problems: string[]): OptionField[] {
	const out: OptionField[] = [];
	while (o < end) {
		const type = b[o];
		const name = TCP_OPTION_NAMES[type] ?? `option-${type}`;
		if (type < 2) {
			out.push({ type, name, text: '', data: b.slice(o, o + 1) });
			if (type === 0) break;
			o++;
			continue;
		}
		const length = o + 1 < end ? b[o + 1] : 0;
		if (length < 2 || o + length > end) {
			problems.push(`TCP option ${name} has length ${length}`);
			break;
		}
		const data = b.slice(o, o + length);
		let text = length > 2 ? toHex(data.subarray(2)) : '';
		if (type === 2 && length === 4) text = String(be16(data, 2));
		else if (type === 3 && length === 3) text = String(data[2]);
		else if (type === 8 && length === 10) text = `val ${be32(data, 2)} ecr ${be32(data, 6)}`;
		else if (type === 5 && length % 8 === 2) {
			const blocks: string[] = [];
			for (let i = 2; i < length; i += 8) blocks.push(`${be32(data, i)}:${be32(data, i + 4)}`);
			text = blocks.join(' ');
		}
		out.push({ type, name, text, data });
		o += length;
	}
	return out;
}

/** TCP flags in tcpdump's letters. */
export function tcpFlags(bits: number): string {
	if (bits === 0x10) return '.';
	let s = '';
	for (let i = 0; i < 9; i++) if (bits & (1 << i)) s += 'FSRP.UEWe'[i];
	return s === '' ? 'none' : s;
}

function tcp(w: Walk): void {
	const { b, at } = w;
	if (!room(w, 20)) {
		// RFC 792 quotes eight bytes: the ports and the sequence number.
		if (w.quoted && room(w, 8)) {
			w.headers.push({
				layer: 'tcp',
				offset: at,
				length: 8,
				sport: be16(b, at),
				dport: be16(b, at + 2),
				seq: be32(b, at + 4),
				ack: 0,
				flags: '',
				flagBits: 0,
				window: 0,
				urgent: 0,
				checksum: { value: 0, state: 'unknown' },
				options: [],
			});
			w.at += 8;
			return;
		}
		return void short(w, 'TCP header', 20);
	}
	const length = (b[at + 12] >> 4) * 4;
	if (length < 20) return void w.problems.push(`TCP header length ${length}`);
	const whole = room(w, length);
	if (!whole) short(w, 'TCP header', length);
	const flagBits = be16(b, at + 12) & 0x1ff;
	w.headers.push({
		layer: 'tcp',
		offset: at,
		length,
		sport: be16(b, at),
		dport: be16(b, at + 2),
		seq: be32(b, at + 4),
		ack: be32(b, at + 8),
		flags: tcpFlags(flagBits),
		flagBits,
		window: be16(b, at + 14),
		urgent: be16(b, at + 18),
		checksum: check(w, 'TCP', 16, 6),
		options: whole && !w.brief ? tcpOptions(b, at + 20, at + length, w.problems) : [],
	});
	w.at = whole ? at + length : Math.min(w.end, b.length);
}

function igmp(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'IGMP', 8);
	const { b, at } = w;
	const type = b[at];
	const names: { readonly [t: number]: string } = {
		17: 'query',
		18: 'v1 report',
		22: 'v2 report',
		23: 'leave',
		34: 'v3 report',
	};
	const base = {
		layer: 'igmp' as const,
		offset: at,
		length: w.end - at,
		type,
		name: names[type] ?? `type 0x${type.toString(16)}`,
		maxResponse: b[at + 1],
		group: type === 0x22 ? '' : ip4At(b, at + 4),
		checksum: check(w, 'IGMP', 2, null),
	};
	const end = Math.min(w.end, b.length);
	if (type !== 0x22) w.headers.push(base);
	else {
		const records: { type: number; group: string; sources: string[] }[] = [];
		let o = at + 8;
		for (let n = be16(b, at + 6); n > 0 && o + 8 <= end; n--) {
			const count = be16(b, o + 2);
			const sources: string[] = [];
			for (let i = 0; i < count && o + 12 + 4 * i <= end; i++) sources.push(ip4At(b, o + 8 + 4 * i));
			records.push({ type: b[o], group: ip4At(b, o + 4), sources });
			o += 8 + 4 * count + 4 * b[o + 1];
		}
		w.headers.push({ ...base, records });
	}
	w.at = end;
}

function gre(w: Walk): void {
	if (!room(w, 4)) return void short(w, 'GRE header', 4);
	const { b, at } = w;
	const bits = be16(b, at);
	const version = bits & 7;
	const protocol = be16(b, at + 2);
	const length = 4 + (bits & 0xc000 ? 4 : 0) + (bits & 0x2000 ? 4 : 0) + (bits & 0x1000 ? 4 : 0);
	if (!room(w, length)) return void short(w, 'GRE header', length);
	let o = at + 4;
	let checksum: Checksum = { value: 0, state: 'absent' };
	if (bits & 0xc000) {
		if (bits & 0x8000) checksum = check(w, 'GRE', 4, null);
		o += 4;
	}
	const key = bits & 0x2000 ? be32(b, o) : undefined;
	if (bits & 0x2000) o += 4;
	const sequence = bits & 0x1000 ? be32(b, o) : undefined;
	w.headers.push({
		layer: 'gre',
		offset: at,
		length,
		version,
		protocol,
		checksum,
		...(key === undefined ? {} : { key }),
		...(sequence === undefined ? {} : { sequence }),
	});
	w.at += length;
	if (version === 0) follow(w, 'ethertype', protocol);
}

function esp(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'ESP header', 8);
	w.headers.push({ layer: 'esp', offset: w.at, length: 8, spi: be32(w.b, w.at), seq: be32(w.b, w.at + 4) });
	w.at += 8;
}

function ah(w: Walk): void {
	if (!room(w, 12)) return void short(w, 'AH header', 12);
	const { b, at } = w;
	const length = (b[at + 1] + 2) * 4;
	if (length < 12 || !room(w, length)) return void short(w, 'AH header', length);
	const icv = b.slice(at + 12, at + length);
	w.headers.push({
		layer: 'ah',
		offset: at,
		length,
		nextHeader: b[at],
		spi: be32(b, at + 4),
		seq: be32(b, at + 8),
		icv,
	});
	w.at += length;
	follow(w, 'protocol', b[at]);
}

const CHUNKS = [
	'DATA',
	'INIT',
	'INIT ACK',
	'SACK',
	'HB REQ',
	'HB ACK',
	'ABORT',
	'SHUTDOWN',
	'SHUTDOWN ACK',
	'OP ERR',
	'COOKIE ECHO',
	'COOKIE ACK',
	'ECN ECHO',
	'CWR',
	'SHUTDOWN COMPLETE',
];

function sctp(w: Walk): void {
	if (!room(w, 12)) return void short(w, 'SCTP header', 12);
	const { b, at } = w;
	const end = Math.min(w.end, b.length);
	const value = be32(b, at + 8);
	let checksum: Checksum = { value, state: 'unknown' };
	if (!w.fragment && !w.quoted && !w.brief && w.end <= b.length) {
		const copy = b.slice(at, end);
		copy.fill(0, 8, 12);
		const crc = crc32c(copy);
		const expected = (((crc & 255) << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0;
		checksum = expected === value ? { value, state: 'good' } : { value, state: 'bad', expected };
		if (expected !== value)
			w.problems.push(`SCTP checksum 0x${value.toString(16)} is wrong (0x${expected.toString(16)})`);
	}
	const chunks: { type: number; name: string; flags: number; length: number }[] = [];
	for (let o = at + 12; o + 4 <= end; ) {
		const length = be16(b, o + 2);
		chunks.push({ type: b[o], name: CHUNKS[b[o]] ?? `chunk ${b[o]}`, flags: b[o + 1], length });
		if (length < 4) {
			w.problems.push(`SCTP chunk has length ${length}`);
			break;
		}
		o += (length + 3) & ~3;
	}
	w.headers.push({
		layer: 'sctp',
		offset: at,
		length: 12,
		sport: be16(b, at),
		dport: be16(b, at + 2),
		tag: be32(b, at + 4),
		checksum,
		chunks,
	});
	w.at += 12;
}
