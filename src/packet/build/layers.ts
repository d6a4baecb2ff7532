/*
 * packet/build/layers.ts: the headers that can be written, with scapy's names, fields and defaults.
 * Walk: LayerDef -> what is computed (lengths, checksums) -> link layers -> ARP -> IPv4 and its options -> tunnels.
 * The transports are in layers_l4.ts, IPv6 in layers_ip6.ts, applications in layers_app.ts; bindings.ts joins them.
 * RFC 791, 826, 2784, 2890, 7348, 4302, 4303; IEEE 802.1Q.
 */

import { concat, inetChecksum, put16, put32 } from '../bytes.ts';
import {
	bytes,
	type FieldContext,
	type FieldDef,
	fixed,
	flags,
	flatLayers,
	int,
	ip4,
	type Kind,
	list,
	mac,
	u8,
	u16,
	u24,
	u32,
} from './fields.ts';
import { ARP_OPS, ETHERTYPES, IP_PROTOS } from './names.ts';
import type { Layer, Value } from './notation.ts';

/** What a layer may look at when it finishes its header: its own fields, what lies below, what it carries. */
export interface LayerContext extends FieldContext {
	/** Was the field written by the user (and is not None)? */
	given(field: string): boolean;
	/** The layer and its context below, or null at the bottom. */
	readonly below: LayerContext | null;
	readonly above: Layer | null;
	readonly layer: string;
	/** The encoded bytes of an address field. */
	encoded(field: string): Uint8Array;
}

export interface LayerDef {
	readonly fields: readonly FieldDef[];
	/** Field that a positional string fills. */
	readonly positional?: string;
	/** Computes what was left open. Return: the header, which may be the same array. */
	readonly finish?: (head: Uint8Array, payload: Uint8Array, c: LayerContext) => Uint8Array;
	/** Bytes that follow the whole packet and count in no length. */
	readonly padding?: boolean;
	/** Is it an IP header for the sake of pseudo-headers? */
	readonly family?: 4 | 6;
}

export function f(name: string, kind: Kind, init: Value = 0, when?: (c: FieldContext) => boolean): FieldDef {
	return when === undefined ? { name, kind, init } : { name, kind, init, when };
}

const IP_FLAGS = flags(3, ['MF', 'DF', 'evil']);

/** IP options: layers such as IPOption_RR(), or their bytes; filled with zeros to a multiple of four. */
const ipOptions: Kind = {
	bits: 0,
	encode(v, c) {
		const layers = flatLayers(v ?? []);
		const b = layers === null ? bytes.encode(v, c) : c.assemble(layers);
		return pad4(b as Uint8Array);
	},
};

export function pad4(b: Uint8Array): Uint8Array {
	return b.length % 4 === 0 ? b : concat([b, new Uint8Array(4 - (b.length % 4))]);
}

function finishIp(head: Uint8Array, payload: Uint8Array, c: LayerContext): Uint8Array {
	if (!c.given('ihl')) {
		if (head.length > 60) c.fail(`the options make a header of ${head.length} bytes: at most 60 fit`);
		head[0] = (head[0] & 0xf0) | (head.length >> 2);
	}
	if (!c.given('len')) {
		if (head.length + payload.length > 65535) c.fail(`${head.length + payload.length} bytes: at most 65535 fit`);
		put16(head, 2, head.length + payload.length);
	}
	if (!c.given('chksum')) put16(head, 10, inetChecksum(head));
	return head;
}

const IP: LayerDef = {
	family: 4,
	fields: [
		f('version', int(4), 4),
		f('ihl', int(4), null),
		f('tos', u8),
		f('len', u16, null),
		f('id', u16, 1),
		f('flags', IP_FLAGS),
		f('frag', int(13)),
		f('ttl', u8, 64),
		f('proto', int(8, IP_PROTOS)),
		f('chksum', u16, null),
		f('src', ip4, null),
		f('dst', ip4, null),
		f('options', ipOptions, []),
	],
	finish: finishIp,
};

/** An IP option: type octet in three parts, a length that counts the whole option, and what follows. */
function ipOption(
	copy: number,
	optclass: number,
	option: number,
	rest: readonly FieldDef[],
	length?: number,
): LayerDef {
	const fields = [f('copy_flag', int(1), copy), f('optclass', int(2, { control: 0, debug: 2 }), optclass)];
	const names = { end_of_list: 0, nop: 1, security: 2, timestamp: 4, record_route: 7, router_alert: 20 };
	fields.push(f('option', int(5, names), option));
	if (length === undefined) return { fields: [...fields, ...rest] };
	fields.push(f('length', u8, length === 0 ? null : length));
	return {
		fields: [...fields, ...rest],
		finish(head, _payload, c) {
			if (!c.given('length') && length === 0) head[1] = head.length;
			return head;
		},
	};
}

const routers = [f('pointer', u8, 4), f('routers', list(ip4), [])];

function dot1q(): LayerDef {
	return {
		fields: [f('prio', int(3)), f('id', int(1)), f('vlan', int(12), 1), f('type', int(16, ETHERTYPES))],
	};
}

function greFlag(name: string): (c: FieldContext) => boolean {
	return (c) => c.num(name) === 1;
}

const greChecksum = (c: FieldContext) => c.num('chksum_present') === 1 || c.num('routing_present') === 1;

const GRE: LayerDef = {
	fields: [
		f('chksum_present', int(1)),
		f('routing_present', int(1)),
		f('key_present', int(1)),
		f('seqnum_present', int(1)),
		f('strict_route_source', int(1)),
		f('recursion_control', int(3)),
		f('flags', int(5)),
		f('version', int(3)),
		f('proto', int(16, ETHERTYPES)),
		f('chksum', u16, null, greChecksum),
		f('offset', u16, null, greChecksum),
		f('key', u32, null, greFlag('key_present')),
		f('sequence_number', u32, null, greFlag('seqnum_present')),
	],
	finish(head, payload, c) {
		if (c.num('chksum_present') === 1 && !c.given('chksum')) put16(head, 4, inetChecksum(concat([head, payload])));
		return head;
	},
};

/** An ARP address: as long as hwlen or plen says; a MAC or IPv4 address unless it is bytes. */
function arpAddress(hardware: boolean): Kind {
	return {
		bits: 0,
		encode(v, c) {
			const length = c.get(hardware ? 'hwlen' : 'plen');
			const usual = hardware ? 6 : 4;
			if (length === null || length === usual) return (hardware ? mac : ip4).encode(v, c);
			return fixed(c.num(hardware ? 'hwlen' : 'plen')).encode(v, c);
		},
	};
}

const ARP: LayerDef = {
	fields: [
		f('hwtype', u16, 1),
		f('ptype', int(16, ETHERTYPES), 0x0800),
		f('hwlen', u8, null),
		f('plen', u8, null),
		f('op', int(16, ARP_OPS), 1),
		f('hwsrc', arpAddress(true), null),
		f('psrc', arpAddress(false), null),
		f('hwdst', arpAddress(true), null),
		f('pdst', arpAddress(false), null),
	],
	finish(head, _payload, c) {
		if (!c.given('hwlen')) head[4] = 6;
		if (!c.given('plen')) head[5] = 4;
		return head;
	},
};

/** A time in seconds as spanning tree counts it: 256ths, written with a whole number here. */
const seconds256: Kind = {
	bits: 16,
	encode: (v, c) => (u8.encode(v, c) as number) * 256,
};

export const LINK_LAYERS: { readonly [name: string]: LayerDef } = {
	Ether: { fields: [f('dst', mac, null), f('src', mac, null), f('type', int(16, ETHERTYPES), 0x9000)] },
	Dot3: {
		fields: [f('dst', mac, null), f('src', mac, null), f('len', u16, null)],
		finish(head, payload, c) {
			if (!c.given('len')) put16(head, 12, payload.length);
			return head;
		},
	},
	LLC: { fields: [f('dsap', u8), f('ssap', u8), f('ctrl', u8)] },
	SNAP: { fields: [f('OUI', u24), f('code', int(16, ETHERTYPES))] },
	STP: {
		fields: [
			f('proto', u16),
			f('version', u8),
			f('bpdutype', u8),
			f('bpduflags', u8),
			f('rootid', u16),
			f('rootmac', mac, null),
			f('pathcost', u32),
			f('bridgeid', u16),
			f('bridgemac', mac, null),
			f('portid', u16),
			f('age', seconds256, 1),
			f('maxage', seconds256, 20),
			f('hellotime', seconds256, 2),
			f('fwddelay', seconds256, 15),
		],
	},
	Dot1Q: dot1q(),
	Dot1AD: dot1q(),
	ARP,
	Raw: { positional: 'load', fields: [f('load', bytes, '')] },
	Padding: { positional: 'load', fields: [f('load', bytes, '')], padding: true },
};

export const IP_LAYERS: { readonly [name: string]: LayerDef } = {
	IP,
	IPerror: IP,
	IPOption: {
		fields: [
			f('copy_flag', int(1)),
			f('optclass', int(2, { control: 0, debug: 2 })),
			f('option', int(5)),
			f('length', u8, null),
			f('value', bytes, ''),
		],
		finish(head, _payload, c) {
			if (!c.given('length')) head[1] = head.length;
			return head;
		},
	},
	IPOption_EOL: ipOption(0, 0, 0, []),
	IPOption_NOP: ipOption(0, 0, 1, []),
	IPOption_Security: ipOption(
		1,
		0,
		2,
		[
			f('security', u16),
			f('compartment', u16),
			f('handling_restrictions', u16),
			f('transmission_control_code', fixed(3), 'xxx'),
		],
		11,
	),
	IPOption_LSRR: ipOption(1, 0, 3, routers, 0),
	IPOption_Timestamp: ipOption(
		0,
		2,
		4,
		[
			f('pointer', u8, 9),
			f('oflw', int(4)),
			f('flg', int(4, { timestamp_only: 0, timestamp_and_ip_addr: 1, prespecified_ip_addr: 3 }), 1),
			f('internet_address', ip4, '0.0.0.0', (c) => c.num('flg') !== 0),
			f('timestamp', u32),
		],
		0,
	),
	IPOption_RR: ipOption(0, 0, 7, routers, 0),
	IPOption_Stream_Id: ipOption(1, 0, 8, [f('security', u16)], 4),
	IPOption_SSRR: ipOption(1, 0, 9, routers, 0),
	IPOption_MTU_Probe: ipOption(0, 0, 11, [f('mtu', u16)], 4),
	IPOption_MTU_Reply: ipOption(0, 0, 12, [f('mtu', u16)], 4),
	IPOption_Address_Extension: ipOption(1, 0, 19, [f('src_ext', ip4, '0.0.0.0'), f('dst_ext', ip4, '0.0.0.0')], 10),
	IPOption_Router_Alert: ipOption(1, 0, 20, [f('alert', int(16, { router_shall_examine_packet: 0 }))], 4),
	GRE,
	ESP: { fields: [f('spi', u32), f('seq', u32), f('data', bytes, '')] },
	AH: {
		fields: [
			f('nh', int(8, IP_PROTOS)),
			f('payloadlen', u8, null),
			f('reserved', u16, null),
			f('spi', u32),
			f('seq', u32),
			f('icv', bytes, ''),
			f('padding', bytes, ''),
		],
	},
	VXLAN: {
		fields: [
			f('flags', int(8), 8),
			f('reserved0', u16, 0, (c) => (c.num('flags') & 4) !== 0),
			f('NextProtocol', u8, 0, (c) => (c.num('flags') & 4) !== 0),
			f('reserved1', u24, 0, (c) => (c.num('flags') & 4) === 0),
			f('vni', u24),
			f('reserved2', u8),
		],
	},
	IGMP: {
		fields: [
			f(
				'type',
				int(8, {
					'Group Membership Query': 0x11,
					'Version 1 - Membership Report': 0x12,
					'Version 2 - Membership Report': 0x16,
					'Leave Group': 0x17,
				}),
				0x11,
			),
			f('mrcode', u8, 20),
			f('chksum', u16, null),
			f('gaddr', ip4, '0.0.0.0'),
		],
		finish(head, payload, c) {
			if (!c.given('chksum')) put16(head, 2, inetChecksum(concat([head, payload])));
			return head;
		},
	},
};

/** Writes a 32-bit number where a header keeps it. Used by layers whose checksum is wider than 16 bits. */
export function patch32(head: Uint8Array, o: number, v: number): Uint8Array {
	put32(head, o, v);
	return head;
}
