/*
 * user/ipset/element.ts: elements of sets as text and as attributes.                Original: libipset (parse.c, print.c)
 */
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_be16,
	nla_get_be32,
	nla_get_be64,
	nla_get_string,
	nla_get_u8,
	nla_nest_end,
	nla_nest_start,
	nla_put,
	nla_put_be16,
	nla_put_be32,
	nla_put_be64,
	nla_put_string,
	nla_put_u8,
	type nlattr_table,
	type nlbuf,
} from '../../lib/nlattr.ts';
import * as U from '../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NLA_F_NET_BYTEORDER as NET } from '../../uapi/linux/netlink.ts';
import { getservbyname } from '../iptables/netdb.ts';

/** The end of a command: a message and an exit status. */
export class ipset_error {
	status: number;
	msg: string;

	constructor(status: number, msg: string) {
		this.status = status;
		this.msg = msg;
	}
}

export function syntax(msg: string): never {
	throw new ipset_error(1, `Syntax error: ${msg}`);
}

const PROTOS: readonly (readonly [string, number])[] = [
	['icmp', 1],
	['igmp', 2],
	['tcp', 6],
	['udp', 17],
	['gre', 47],
	['esp', 50],
	['ah', 51],
	['icmpv6', 58],
	['ospf', 89],
	['sctp', 132],
	['udplite', 136],
];

const ICMP_NAMES: readonly (readonly [string, number])[] = [
	['echo-reply', 0x0000],
	['network-unreachable', 0x0300],
	['host-unreachable', 0x0301],
	['protocol-unreachable', 0x0302],
	['port-unreachable', 0x0303],
	['fragmentation-needed', 0x0304],
	['source-route-failed', 0x0305],
	['network-unknown', 0x0306],
	['host-unknown', 0x0307],
	['network-prohibited', 0x0309],
	['host-prohibited', 0x030a],
	['TOS-network-unreachable', 0x030b],
	['TOS-host-unreachable', 0x030c],
	['communication-prohibited', 0x030d],
	['host-precedence-violation', 0x030e],
	['precedence-cutoff', 0x030f],
	['source-quench', 0x0400],
	['network-redirect', 0x0500],
	['host-redirect', 0x0501],
	['TOS-network-redirect', 0x0502],
	['TOS-host-redirect', 0x0503],
	['echo-request', 0x0800],
	['router-advertisement', 0x0900],
	['router-solicitation', 0x0a00],
	['ttl-zero-during-transit', 0x0b00],
	['ttl-zero-during-reassembly', 0x0b01],
	['ip-header-bad', 0x0c00],
	['required-option-missing', 0x0c01],
	['timestamp-request', 0x0d00],
	['timestamp-reply', 0x0e00],
	['address-mask-request', 0x1100],
	['address-mask-reply', 0x1200],
];
const ICMP_ALIAS: Record<string, number> = { pong: 0x0000, ping: 0x0800 };

/** strtoul with bounds, in ipset's words. */
export function number_of(s: string, min: number, max: number): number {
	if (!/^\s*[+-]?(0x[0-9a-f]+|[0-9]+)$/i.test(s)) syntax(`'${s}' is invalid as number`);
	const v = /^0[0-7]+$/.test(s) ? parseInt(s, 8) : Number(s);
	if (!(v >= min && v <= max)) syntax(`'${s}' is out of range ${min}-${max}`);
	return v;
}

export function ip_text(a: number): string {
	return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

export function put_ip(b: nlbuf, type: number, a: number): void {
	const n = nla_nest_start(b, type);
	nla_put_be32(b, U.IPSET_ATTR_IPADDR_IPV4 | NET, a);
	nla_nest_end(b, n);
}

export function put_u32(b: nlbuf, type: number, v: number): void {
	nla_put_be32(b, type | NET, v);
}

function address(s: string): number {
	const parts = s.split('.');
	const ok = parts.length === 4 && parts.every((p) => /^[0-9]{1,3}$/.test(p) && Number(p) < 256);
	if (!ok) syntax(`cannot parse ${s}: resolving to IPv4 address failed`);
	return parts.reduce((a, p) => a * 256 + Number(p), 0);
}

/** ADDRESS, ADDRESS/CIDR or FROM-TO, as attributes. */
export function parse_ip(b: nlbuf, s: string, ip: number, ip_to: number, cidr: number, single: boolean): void {
	const slash = s.indexOf('/');
	const dash = s.indexOf('-');
	if (slash >= 0) {
		const c = number_of(s.slice(slash + 1), 0, 32);
		put_ip(b, ip, address(s.slice(0, slash)));
		if (c !== 32 || !single) nla_put_u8(b, cidr, c);
	} else if (dash >= 0) {
		put_ip(b, ip, address(s.slice(0, dash)));
		put_ip(b, ip_to, address(s.slice(dash + 1)));
	} else put_ip(b, ip, address(s));
}

function port_number(s: string, proto: string): number {
	if (/^[0-9]+$/.test(s)) return number_of(s, 0, 65535);
	const p = getservbyname(s, proto);
	if (p < 0) syntax(`cannot parse '${s}' as a ${proto} port`);
	return p;
}

function ports(b: nlbuf, s: string, proto: string): void {
	const dash = s.indexOf('-');
	if (dash > 0) {
		nla_put_be16(b, U.IPSET_ATTR_PORT | NET, port_number(s.slice(0, dash), proto));
		nla_put_be16(b, U.IPSET_ATTR_PORT_TO | NET, port_number(s.slice(dash + 1), proto));
	} else nla_put_be16(b, U.IPSET_ATTR_PORT | NET, port_number(s, proto));
}

/** [PROTO:]PORT[-PORT], icmp:TYPE/CODE or its name. */
function proto_port(b: nlbuf, s: string): void {
	const colon = s.indexOf(':');
	const name = colon < 0 ? 'tcp' : s.slice(0, colon);
	const rest = colon < 0 ? s : s.slice(colon + 1);
	const known = PROTOS.find(([n]) => n === name.toLowerCase());
	let proto = known === undefined ? -1 : known[1];
	if (proto < 0) {
		if (!/^[0-9]+$/.test(name)) syntax(`cannot parse '${name}' as a protocol`);
		proto = number_of(name, 0, 255);
	}
	if (proto === 6 || proto === 17 || proto === 132 || proto === 136) {
		ports(b, rest, proto === 6 ? 'tcp' : proto === 17 ? 'udp' : proto === 132 ? 'sctp' : 'udplite');
	} else if (proto === 1) {
		const named = ICMP_ALIAS[rest] ?? ICMP_NAMES.find(([n]) => n === rest)?.[1];
		let v = named ?? -1;
		if (v < 0) {
			const [t, c, more] = rest.split('/');
			if (c === undefined || more !== undefined) syntax(`Cannot parse ${rest} as an ICMP type/code.`);
			v = number_of(t, 0, 255) * 256 + number_of(c, 0, 255);
		}
		nla_put_be16(b, U.IPSET_ATTR_PORT | NET, v);
	} else {
		if (rest !== '0') syntax(`Protocol ${known?.[0] ?? proto} can be used with pseudo port value 0 only.`);
		nla_put_be16(b, U.IPSET_ATTR_PORT | NET, 0);
	}
	nla_put_u8(b, U.IPSET_ATTR_PROTO, proto);
}

function mac(b: nlbuf, s: string): void {
	const parts = s.split(/[:-]/);
	if (parts.length !== 6 || parts.some((p) => !/^[0-9a-f]{1,2}$/i.test(p)))
		syntax(`cannot parse '${s}' as ethernet address`);
	nla_put(
		b,
		U.IPSET_ATTR_ETHER,
		Uint8Array.from(parts, (p) => parseInt(p, 16)),
	);
}

const ORDINALS = ['First', 'Second', 'Third'];

/** What an element of a type is, part by part: ip, net, port, mac, iface, set. Return: flags for IPSET_ATTR_CADT_FLAGS. */
export function parse_elem(b: nlbuf, type: string, s: string): number {
	const family = type.slice(0, type.indexOf(':'));
	const dims = type.slice(type.indexOf(':') + 1).split(',');
	const parts = s.split(',');
	if (dims.length === 1 && parts.length > 1) syntax(`Elem separator in ${s}, but settype ${type} supports none.`);
	if (parts.length > dims.length)
		syntax(`Two elem separators in ${s}, but settype ${type} supports only ${dims.length === 2 ? 'one' : 'two'}.`);
	let flags = 0;
	for (const [i, dim] of dims.entries()) {
		const p = parts[i];
		if (p === undefined) {
			if (type === 'bitmap:ip,mac') break;
			syntax(`${ORDINALS[i]} element is missing from ${s}.`);
		}
		const second = i > 0;
		if (dim === 'ip' || dim === 'net') {
			if (second) parse_ip(b, p, U.IPSET_ATTR_IP2, U.IPSET_ATTR_IP2_TO, U.IPSET_ATTR_CIDR2, true);
			else parse_ip(b, p, U.IPSET_ATTR_IP, U.IPSET_ATTR_IP_TO, U.IPSET_ATTR_CIDR, true);
		} else if (dim === 'port') {
			if (family === 'bitmap') {
				const colon = p.indexOf(':');
				ports(b, p.slice(colon + 1), colon < 0 ? 'tcp' : p.slice(0, colon));
			} else proto_port(b, p);
		} else if (dim === 'mac') mac(b, p);
		else if (dim === 'iface') {
			const phys = p.startsWith('physdev:');
			const name = phys ? p.slice(8) : p;
			if (phys) flags |= U.IPSET_FLAG_PHYSDEV;
			if (name.length > 15) syntax(`interface name '${name}' is longer than 15 characters`);
			nla_put_string(b, U.IPSET_ATTR_IFACE, name);
		} else {
			if (p.length > 31) syntax(`setname '${p}' is longer than 31 characters`);
			nla_put_string(b, U.IPSET_ATTR_NAME, p);
		}
	}
	return flags;
}

// ---- text ------------------------------------------------------------------------------------------------------------------------

export function get_ip(tb: nlattr_table, type: number): number {
	const a = tb[type];
	return a === null ? 0 : get_unaligned_be32(a.buf, a.off + 4);
}

function cidr_text(tb: nlattr_table, type: number): string {
	const c = tb[type];
	const v = c === null ? 32 : nla_get_u8(c);
	return v === 32 ? '' : `/${v}`;
}

function net_text(tb: nlattr_table, ip: number, to: number, cidr: number): string {
	let s = ip_text(get_ip(tb, ip)) + cidr_text(tb, cidr);
	if (tb[to] !== null) s += `-${ip_text(get_ip(tb, to))}`;
	return s;
}

function port_text(tb: nlattr_table): string {
	const port = nla_get_be16(tb[U.IPSET_ATTR_PORT]!);
	const p = tb[U.IPSET_ATTR_PROTO];
	if (p === null) return String(port);
	const proto = nla_get_u8(p);
	const name = PROTOS.find(([, n]) => n === proto)?.[0] ?? String(proto);
	if (proto === 1) return `${name}:${ICMP_NAMES.find(([, v]) => v === port)?.[0] ?? `${port >>> 8}/${port & 255}`}`;
	const to = tb[U.IPSET_ATTR_PORT_TO];
	return `${name}:${port}${to === null ? '' : `-${nla_get_be16(to)}`}`;
}

export function flags_of(tb: nlattr_table): number {
	const f = tb[U.IPSET_ATTR_CADT_FLAGS];
	return f === null ? 0 : nla_get_be32(f);
}

export function elem_text(type: string, tb: nlattr_table): string {
	const out: string[] = [];
	for (const [i, dim] of type
		.slice(type.indexOf(':') + 1)
		.split(',')
		.entries()) {
		if (dim === 'ip' || dim === 'net')
			out.push(
				i > 0
					? net_text(tb, U.IPSET_ATTR_IP2, U.IPSET_ATTR_IP2_TO, U.IPSET_ATTR_CIDR2)
					: net_text(tb, U.IPSET_ATTR_IP, U.IPSET_ATTR_IP_TO, U.IPSET_ATTR_CIDR),
			);
		else if (dim === 'port') out.push(port_text(tb));
		else if (dim === 'mac') {
			const m = tb[U.IPSET_ATTR_ETHER];
			if (m !== null) out.push([...nla_data(m)].map((x) => x.toString(16).toUpperCase().padStart(2, '0')).join(':'));
		} else if (dim === 'iface')
			out.push(
				((flags_of(tb) & U.IPSET_FLAG_PHYSDEV) !== 0 ? 'physdev:' : '') + nla_get_string(tb[U.IPSET_ATTR_IFACE]!),
			);
		else {
			let s = nla_get_string(tb[U.IPSET_ATTR_NAME]!);
			const ref = tb[U.IPSET_ATTR_NAMEREF];
			// The original says `after` for both.
			if (ref !== null) s += ` after ${nla_get_string(ref)}`;
			out.push(s);
		}
	}
	return out.join(',');
}

/** The words behind an element, each with a space before it. */
export function options_text(tb: nlattr_table): string {
	let s = '';
	const t = tb[U.IPSET_ATTR_TIMEOUT];
	if (t !== null) s += ` timeout ${nla_get_be32(t)}`;
	const flags = flags_of(tb);
	if ((flags & U.IPSET_FLAG_NOMATCH) !== 0) s += ' nomatch';
	if ((flags & U.IPSET_FLAG_IFACE_WILDCARD) !== 0) s += ' wildcard';
	const packets = tb[U.IPSET_ATTR_PACKETS];
	const bytes = tb[U.IPSET_ATTR_BYTES];
	if (packets !== null) s += ` packets ${nla_get_be64(packets)}`;
	if (bytes !== null) s += ` bytes ${nla_get_be64(bytes)}`;
	const c = tb[U.IPSET_ATTR_COMMENT];
	if (c !== null) s += ` comment "${nla_get_string(c)}"`;
	const mark = tb[U.IPSET_ATTR_SKBMARK];
	if (mark !== null) {
		const v = nla_get_be64(mark);
		const mask = v % 0x100000000;
		const m = Math.floor(v / 0x100000000).toString(16);
		s += mask === 0xffffffff ? ` skbmark 0x${m}` : ` skbmark 0x${m}/0x${mask.toString(16)}`;
	}
	const prio = tb[U.IPSET_ATTR_SKBPRIO];
	if (prio !== null)
		s += ` skbprio ${(nla_get_be32(prio) >>> 16).toString(16)}:${(nla_get_be32(prio) & 0xffff).toString(16)}`;
	const queue = tb[U.IPSET_ATTR_SKBQUEUE];
	if (queue !== null) s += ` skbqueue ${nla_get_be16(queue)}`;
	return s;
}

/** MARK[/MASK] with its 0x. */
export function put_skbmark(b: nlbuf, s: string): void {
	const m = /^(0x[0-9a-f]+)(?:\/(0x[0-9a-f]+))?$/i.exec(s);
	if (m === null) syntax('Invalid skbmark format, it should be:  MARK/MASK or MARK (see manpage)');
	const mask = m[2] === undefined ? 0xffffffff : Number(m[2]);
	nla_put_be64(b, U.IPSET_ATTR_SKBMARK | NET, Number(m[1]) * 0x100000000 + mask);
}

export function put_skbprio(b: nlbuf, s: string): void {
	const m = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(s);
	if (m === null) syntax('Invalid skbprio format, it should be:  MAJOR:MINOR (see manpage)');
	put_u32(b, U.IPSET_ATTR_SKBPRIO, parseInt(m[1], 16) * 65536 + parseInt(m[2], 16));
}
