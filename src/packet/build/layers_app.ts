/*
 * packet/build/layers_app.ts: DHCP and DNS as they can be written.
 * Walk: BOOTP -> DHCP options -> DNS names -> questions and records -> the message.
 * RFC 2131, 2132, 1035. Not here yet: record data of other types than A, AAAA, CNAME, NS, PTR, TXT (bytes will do).
 */

import { concat, parseIp6, put16, utf8 } from '../bytes.ts';
import type { Names } from './fields.ts';
import {
	asBytes,
	bytes,
	type FieldContext,
	fixed,
	flags,
	flatLayers,
	int,
	ip4,
	ip4Bytes,
	type Kind,
	u8,
	u16,
	u32,
} from './fields.ts';
import { f, type LayerDef } from './layers.ts';
import { show, type Value } from './notation.ts';

const DHCP_TYPES: Names = {
	discover: 1,
	offer: 2,
	request: 3,
	decline: 4,
	ack: 5,
	nak: 6,
	release: 7,
	inform: 8,
	force_renew: 9,
};

type OptionKind = 'ip' | 'u8' | 'u16' | 'u32' | 'type' | 'list' | 'bytes';

const DHCP_OPTIONS: { readonly [name: string]: readonly [number, OptionKind] } = {
	subnet_mask: [1, 'ip'],
	time_zone: [2, 'u32'],
	router: [3, 'ip'],
	time_server: [4, 'ip'],
	name_server: [6, 'ip'],
	log_server: [7, 'ip'],
	hostname: [12, 'bytes'],
	domain: [15, 'bytes'],
	'ip-forwarding': [19, 'u8'],
	default_ttl: [23, 'u8'],
	'interface-mtu': [26, 'u16'],
	broadcast_address: [28, 'ip'],
	NTP_server: [42, 'ip'],
	vendor_specific: [43, 'bytes'],
	requested_addr: [50, 'ip'],
	lease_time: [51, 'u32'],
	'message-type': [53, 'type'],
	server_id: [54, 'ip'],
	param_req_list: [55, 'list'],
	error_message: [56, 'bytes'],
	max_dhcp_size: [57, 'u16'],
	renewal_time: [58, 'u32'],
	rebinding_time: [59, 'u32'],
	vendor_class_id: [60, 'bytes'],
	client_id: [61, 'bytes'],
	tftp_server_name: [66, 'bytes'],
	'boot-file-name': [67, 'bytes'],
	client_FQDN: [81, 'bytes'],
	relay_agent_information: [82, 'bytes'],
};

const kinds: { readonly [k in OptionKind]: Kind } = {
	ip: ip4,
	u8,
	u16,
	u32,
	type: int(8, DHCP_TYPES),
	list: u8,
	bytes,
};

const dhcpOptions: Kind = {
	bits: 0,
	encode(v, c) {
		if (v === null) return new Uint8Array(0);
		if (!Array.isArray(v)) return asBytes(v, c);
		const out: Uint8Array[] = [];
		for (const item of v as readonly Value[]) {
			if (item === 'end') out.push(Uint8Array.of(255));
			else if (item === 'pad') out.push(Uint8Array.of(0));
			else if (item instanceof Uint8Array) out.push(item);
			else if (Array.isArray(item) && item.length >= 2) out.push(dhcpOption(item as readonly Value[], c));
			else c.fail(`${show(item)}: expected ("name", value), "pad" or "end"`);
		}
		return concat(out);
	},
};

function dhcpOption(item: readonly Value[], c: FieldContext): Uint8Array {
	const name = item[0];
	let [code, kind]: readonly [number, OptionKind] = [0, 'bytes'];
	if (typeof name === 'number' && name > 0 && name < 255) code = name;
	else if (typeof name === 'string' && Object.hasOwn(DHCP_OPTIONS, name)) [code, kind] = DHCP_OPTIONS[name];
	else c.fail(`option ${show(name)} is unknown: expected ${Object.keys(DHCP_OPTIONS).join(', ')} or a number`);
	const values = item.slice(1).flatMap((v) => (Array.isArray(v) ? (v as readonly Value[]) : [v]));
	const parts = values.map((v) => {
		if (kind === 'bytes' || v instanceof Uint8Array) return asBytes(v, c);
		const b = kinds[kind].encode(v, c);
		if (typeof b !== 'number') return b;
		const n = kinds[kind].bits / 8;
		return Uint8Array.from({ length: n }, (_, i) => Math.floor(b / 256 ** (n - 1 - i)) & 255);
	});
	const data = concat(parts);
	if (data.length > 255) c.fail(`option ${show(name)}: ${data.length} bytes are too many`);
	return concat([Uint8Array.of(code, data.length), data]);
}

const BOOTP: LayerDef = {
	fields: [
		f('op', int(8, { BOOTREQUEST: 1, BOOTREPLY: 2 }), 1),
		f('htype', u8, 1),
		f('hlen', u8, 6),
		f('hops', u8),
		f('xid', u32),
		f('secs', u16),
		f('flags', flags(16, [...'???????????????B'])),
		f('ciaddr', ip4, '0.0.0.0'),
		f('yiaddr', ip4, '0.0.0.0'),
		f('siaddr', ip4, '0.0.0.0'),
		f('giaddr', ip4, '0.0.0.0'),
		f('chaddr', hardwareAddress(), ''),
		f('sname', fixed(64), ''),
		f('file', fixed(128), ''),
		f('options', bytes, ''),
	],
};

/** A client's hardware address in its sixteen bytes: written as bytes, or as a MAC address. */
function hardwareAddress(): Kind {
	const sixteen = fixed(16);
	return {
		bits: 0,
		encode(v, c) {
			if (typeof v === 'string' && /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(v))
				return sixteen.encode(
					Uint8Array.from(v.split(':'), (p) => Number.parseInt(p, 16)),
					c,
				);
			return sixteen.encode(v, c);
		},
	};
}

const QTYPES: Names = {
	A: 1,
	NS: 2,
	CNAME: 5,
	SOA: 6,
	PTR: 12,
	HINFO: 13,
	MX: 15,
	TXT: 16,
	AAAA: 28,
	SRV: 33,
	NAPTR: 35,
	OPT: 41,
	DS: 43,
	RRSIG: 46,
	NSEC: 47,
	DNSKEY: 48,
	TLSA: 52,
	SVCB: 64,
	HTTPS: 65,
	SPF: 99,
	IXFR: 251,
	AXFR: 252,
	ALL: 255,
	ANY: 0,
	CAA: 257,
};
const QCLASSES: Names = { IN: 1, CS: 2, CH: 3, HS: 4, ANY: 255 };

/** A domain name as length-prefixed labels, ended by the root. */
const domainName: Kind = {
	bits: 0,
	encode(v, c) {
		const b = asBytes(v, c);
		const out: number[] = [];
		let label: number[] = [];
		const flush = () => {
			if (label.length > 63) c.fail(`a label of ${label.length} bytes: at most 63 fit`);
			if (label.length > 0) out.push(label.length, ...label);
			label = [];
		};
		for (const byte of b) {
			if (byte === 46) flush();
			else label.push(byte);
			if (out.length + label.length > 255) c.fail('a name is at most 255 bytes');
		}
		flush();
		out.push(0);
		return Uint8Array.from(out);
	},
};

const recordData: Kind = {
	bits: 0,
	encode(v, c) {
		const type = c.num('type');
		if (v instanceof Uint8Array) return v;
		if (type === 1)
			return v === null
				? ip4.encode('0.0.0.0', c)
				: typeof v === 'string'
					? (ip4Bytes(v) ?? ip4.encode(v, c))
					: asBytes(v, c);
		if (type === 28) return typeof v === 'string' ? (parseIp6(v) ?? asBytes(v, c)) : asBytes(v, c);
		if (type === 2 || type === 5 || type === 12 || type === 39) return domainName.encode(v ?? '.', c);
		if (type === 16) {
			const texts = Array.isArray(v) ? (v as readonly Value[]) : v === null ? [] : [v];
			return concat(
				texts.map((t) => {
					const b = asBytes(t, c).subarray(0, 255);
					return concat([Uint8Array.of(b.length), b]);
				}),
			);
		}
		return v === null ? new Uint8Array(0) : typeof v === 'string' ? utf8(v) : asBytes(v, c);
	},
};

const sections: Kind = {
	bits: 0,
	encode: (v, c) =>
		v === null ? new Uint8Array(0) : c.assemble(flatLayers(v) ?? c.fail(`${show(v)}: expected DNSQR() or DNSRR()`)),
};

const count = (v: Value): number => flatLayers(v ?? [])?.length ?? 0;

const DNS: LayerDef = {
	fields: [
		f('length', u16, null, () => false),
		f('id', u16),
		f('qr', int(1)),
		f('opcode', int(4, { QUERY: 0, IQUERY: 1, STATUS: 2 })),
		f('aa', int(1)),
		f('tc', int(1)),
		f('rd', int(1), 1),
		f('ra', int(1)),
		f('z', int(1)),
		f('ad', int(1)),
		f('cd', int(1)),
		f(
			'rcode',
			int(4, { ok: 0, 'format-error': 1, 'server-failure': 2, 'name-error': 3, 'not-implemented': 4, refused: 5 }),
		),
		f('qdcount', u16, null),
		f('ancount', u16, null),
		f('nscount', u16, null),
		f('arcount', u16, null),
		f('qd', sections, [{ layer: 'DNSQR', fields: {} }]),
		f('an', sections, null),
		f('ns', sections, null),
		f('ar', sections, null),
	],
	finish(head, payload, c) {
		for (const [i, name] of ['qd', 'an', 'ns', 'ar'].entries())
			if (!c.given(`${name}count`)) put16(head, 4 + 2 * i, count(c.get(name)));
		if (c.below?.layer !== 'TCP') return head;
		// RFC 1035 4.2.2: over TCP a message follows its length.
		const length = new Uint8Array(2);
		put16(length, 0, c.given('length') ? c.num('length') : head.length + payload.length);
		return concat([length, head]);
	},
};

export const APP_LAYERS: { readonly [name: string]: LayerDef } = {
	BOOTP,
	DHCP: { fields: [f('options', dhcpOptions, '')] },
	DNS,
	DNSQR: {
		fields: [
			f('qname', domainName, 'www.example.com.'),
			f('qtype', int(16, QTYPES), 1),
			f('qclass', int(16, QCLASSES), 1),
		],
	},
	DNSRR: {
		fields: [
			f('rrname', domainName, '.'),
			f('type', int(16, QTYPES), 1),
			f('rclass', int(16, QCLASSES), 1),
			f('ttl', u32),
			f('rdlen', u16, null),
			f('rdata', recordData, null),
		],
		finish(head, _payload, c) {
			if (!c.given('rdlen')) {
				const n = c.encoded('rdata').length;
				put16(head, head.length - n - 2, n);
			}
			return head;
		},
	},
};
