/*
 * packet/build/layers_l4.ts: ICMP, UDP, TCP and SCTP as they can be written.
 * Walk: pseudo-headers -> ICMP -> UDP -> TCP and its options -> SCTP.
 * RFC 792, 950, 1191, 768, 9293, 7323, 2018, 7413, 9260.
 */

import { concat, crc32c, inetChecksum, pseudoSum, put16, put32, utf8 } from '../bytes.ts';
import { type FieldContext, fixed, flags, int, ip4, type Kind, u8, u16, u32 } from './fields.ts';
import { f, type LayerContext, type LayerDef, pad4 } from './layers.ts';
import { ICMP_CODES, ICMP_TYPES, TCP_PORTS, UDP_PORTS } from './names.ts';
import { show, type Value } from './notation.ts';

const ADDRESSED: { readonly [layer: string]: 4 | 6 | undefined } = { IP: 4, IPerror: 4, IPv6: 6, IPerror6: 6 };

/** The checksum of a transport header and what it carries. Return: null when no IP header lies directly below. */
export function transportChecksum(
	head: Uint8Array,
	payload: Uint8Array,
	proto: number,
	c: LayerContext,
): number | null {
	let below = c.below;
	let dst: Uint8Array | null = null;
	while (below !== null && below.layer.startsWith('IPv6ExtHdr')) {
		// RFC 8200 8.1: with a routing header the checksum covers the final destination.
		if (below.layer === 'IPv6ExtHdrRouting' && dst === null) {
			const addresses = below.encoded('addresses');
			if (addresses.length >= 16 && (!below.given('segleft') || below.num('segleft') > 0)) dst = addresses.slice(-16);
		}
		below = below.below;
	}
	if (below === null) return null;
	const family = ADDRESSED[below.layer] ?? 0;
	if (family === 0 || (family === 4 && below !== c.below)) return null;
	const whole = concat([head, payload]);
	let length = whole.length;
	if (family === 4) {
		dst = sourceRouted(below);
		// As scapy does: a length that was given is believed.
		if (below.given('len')) {
			const ihl = below.given('ihl') ? below.num('ihl') : 5 + (below.encoded('options').length >> 2);
			length = Math.max(0, below.num('len') - 4 * ihl);
		}
	}
	return inetChecksum(
		whole,
		0,
		whole.length,
		pseudoSum(below.encoded('src'), dst ?? below.encoded('dst'), proto, length),
	);
}

/** The last hop of a source route (RFC 791 3.1): that is where the segment is meant to go. */
function sourceRouted(ip: LayerContext): Uint8Array | null {
	const options = ip.encoded('options');
	for (let i = 0; i < options.length; ) {
		const type = options[i];
		if (type === 0) break;
		const length = type === 1 ? 1 : options[i + 1];
		if (length === undefined || length < 1) break;
		if ((type === 0x83 || type === 0x89) && length >= 7) return options.slice(i + length - 4, i + length);
		i += length;
	}
	return null;
}

const HAS_ID = [0, 8, 13, 14, 15, 16, 17, 18, 37, 38];
const type = (...types: number[]) => {
	return (c: FieldContext) => types.includes(c.num('type'));
};

const ICMP: LayerDef = {
	fields: [
		f('type', int(8, ICMP_TYPES), 8),
		f(
			'code',
			int(8, (c) => ICMP_CODES[c.num('type')]),
		),
		f('chksum', u16, null),
		f('id', u16, 0, type(...HAS_ID)),
		f('seq', u16, 0, type(...HAS_ID)),
		f('ts_ori', u32, 0, type(13, 14)),
		f('ts_rx', u32, 0, type(13, 14)),
		f('ts_tx', u32, 0, type(13, 14)),
		f('gw', ip4, '0.0.0.0', type(5)),
		f('ptr', u8, 0, type(12)),
		f('reserved', u8, 0, type(3, 11)),
		f('length', u8, 0, type(3, 11, 12)),
		f('addr_mask', ip4, '0.0.0.0', type(17, 18)),
		f('nexthopmtu', u16, 0, type(3)),
		f(
			'unused',
			fixed((c) => {
				const t = c.num('type');
				if (t === 11 || t === 12) return 2;
				return t === 3 || t === 5 || (HAS_ID.includes(t) && t < 37) ? 0 : 4;
			}),
			'',
		),
	],
	finish(head, payload, c) {
		if (!c.given('chksum')) put16(head, 2, inetChecksum(concat([head, payload])));
		return head;
	},
};

const UDP: LayerDef = {
	fields: [
		f('sport', int(16, UDP_PORTS), 53),
		f('dport', int(16, UDP_PORTS), 53),
		f('len', u16, null),
		f('chksum', u16, null),
	],
	finish(head, payload, c) {
		if (!c.given('len')) put16(head, 4, (head.length + payload.length) & 0xffff);
		if (!c.given('chksum')) {
			const sum = transportChecksum(head, payload, 17, c);
			// RFC 768: a computed zero is sent as all ones, for zero says that there is no checksum.
			if (sum !== null) put16(head, 6, sum === 0 ? 0xffff : sum);
		}
		return head;
	},
};

const OPTION_NUMBERS: { readonly [name: string]: number } = {
	EOL: 0,
	NOP: 1,
	MSS: 2,
	WScale: 3,
	SAckOK: 4,
	SAck: 5,
	Timestamp: 8,
	AltChkSum: 14,
	AltChkSumOpt: 15,
	MD5: 19,
	Mood: 25,
	UTO: 28,
	AO: 29,
	TFO: 34,
};

// The widths in bytes of what each option holds; others take bytes.
const OPTION_SHAPES: { readonly [number: number]: readonly number[] } = {
	2: [2],
	3: [1],
	8: [4, 4],
	14: [1, 2],
	28: [2],
	34: [4, 4],
};

/** The value of one TCP option as bytes. */
function optionValue(number: number, label: string, v: Value, c: FieldContext): Uint8Array {
	if (v instanceof Uint8Array) return v;
	if (typeof v === 'string') return utf8(v);
	if (v === null) {
		const shape = OPTION_SHAPES[number];
		if (shape !== undefined) c.fail(`option ${label} needs a value`);
		return new Uint8Array(0);
	}
	const values = Array.isArray(v) ? (v as readonly Value[]) : [v];
	const shape = number === 5 ? values.map(() => 4) : OPTION_SHAPES[number];
	if (values.length === 0) return new Uint8Array(0);
	if (shape === undefined) c.fail(`option ${label}: ${show(v)} is not bytes`);
	if (shape.length !== values.length) c.fail(`option ${label}: expected ${shape.length} values, came ${values.length}`);
	const out: number[] = [];
	for (let i = 0; i < values.length; i++) {
		const n = values[i];
		if (typeof n !== 'number' || !Number.isInteger(n) || n < 0 || n >= 256 ** shape[i])
			c.fail(`option ${label}: ${show(n)} is not a number of ${8 * shape[i]} bits`);
		for (let k = shape[i] - 1; k >= 0; k--) out.push(Math.floor(n / 256 ** k) & 255);
	}
	return Uint8Array.from(out);
}

const tcpOptions: Kind = {
	bits: 0,
	encode(v, c) {
		if (v === null || v === '') return new Uint8Array(0);
		if (v instanceof Uint8Array) return pad4(v);
		if (!Array.isArray(v)) c.fail(`${show(v)}: expected a list such as [("MSS", 1460), ("NOP", None)]`);
		const out: Uint8Array[] = [];
		for (const item of v as readonly Value[]) {
			if (!Array.isArray(item) || item.length !== 2) c.fail(`${show(item)}: expected pairs such as ("MSS", 1460)`);
			const [label, value] = item as readonly Value[];
			const number =
				typeof label === 'number'
					? label
					: typeof label === 'string' && Object.hasOwn(OPTION_NUMBERS, label)
						? OPTION_NUMBERS[label]
						: -1;
			if (number < 0 || number > 255)
				c.fail(`option ${show(label)}: expected ${Object.keys(OPTION_NUMBERS).join(', ')} or a number`);
			if (number < 2) {
				out.push(Uint8Array.of(number));
				continue;
			}
			const b = optionValue(number, String(label), value, c);
			if (b.length > 253) c.fail(`option ${label}: ${b.length} bytes are too many`);
			out.push(Uint8Array.of(number, b.length + 2), b);
		}
		return pad4(concat(out));
	},
};

const TCP: LayerDef = {
	fields: [
		f('sport', int(16, TCP_PORTS), 20),
		f('dport', int(16, TCP_PORTS), 80),
		f('seq', u32),
		f('ack', u32),
		f('dataofs', int(4), null),
		f('reserved', int(3)),
		f('flags', flags(9, ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C', 'N']), 'S'),
		f('window', u16, 8192),
		f('chksum', u16, null),
		f('urgptr', u16),
		f('options', tcpOptions, []),
	],
	finish(head, payload, c) {
		if (!c.given('dataofs')) {
			if (head.length > 60) c.fail(`the options make a header of ${head.length} bytes: at most 60 fit`);
			head[12] = (head[12] & 0x0f) | ((head.length >> 2) << 4);
		}
		if (!c.given('chksum')) {
			const sum = transportChecksum(head, payload, 6, c);
			if (sum !== null) put16(head, 16, sum);
		}
		return head;
	},
};

/** Fills in a chunk's length, and pads it to four bytes with what it carries. */
function chunk(number: number, rest: LayerDef['fields'], flagFields = [f('flags', u8, null)]): LayerDef {
	return {
		fields: [f('type', u8, number), ...flagFields, f('len', u16, null), ...rest],
		finish(head, _payload, c) {
			if (!c.given('len')) put16(head, 2, head.length);
			return pad4(head);
		},
	};
}

const raw: Kind = { bits: 0, encode: (v, c) => (v === null ? new Uint8Array(0) : fixedBytes(v, c)) };
function fixedBytes(v: Value, c: FieldContext): Uint8Array {
	if (v instanceof Uint8Array) return v;
	if (typeof v === 'string') return utf8(v);
	if (Array.isArray(v) && v.length === 0) return new Uint8Array(0);
	return c.fail(`${show(v)} is not bytes`);
}

const init = [
	f('init_tag', u32, null),
	f('a_rwnd', u32, null),
	f('n_out_streams', u16, null),
	f('n_in_streams', u16, null),
	f('init_tsn', u32, null),
	f('params', raw, []),
];

const SCTP: LayerDef = {
	fields: [f('sport', u16), f('dport', u16), f('tag', u32), f('chksum', u32, null)],
	finish(head, payload, c) {
		if (!c.given('chksum')) {
			// RFC 9260 appendix A: the CRC is sent lowest byte first.
			const crc = crc32c(concat([head, payload]));
			put32(head, 8, ((crc & 255) << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24));
		}
		return head;
	},
};

export const L4_LAYERS: { readonly [name: string]: LayerDef } = {
	ICMP,
	ICMPerror: ICMP,
	UDP,
	UDPerror: UDP,
	TCP,
	TCPerror: TCP,
	SCTP,
	SCTPChunkData: chunk(
		0,
		[
			f('tsn', u32, null),
			f('stream_id', u16, null),
			f('stream_seq', u16, null),
			f('proto_id', u32, null),
			f('data', raw, null),
		],
		[
			f('reserved', int(4), null),
			f('delay_sack', int(1)),
			f('unordered', int(1)),
			f('beginning', int(1)),
			f('ending', int(1)),
		],
	),
	SCTPChunkInit: chunk(1, init),
	SCTPChunkInitAck: chunk(2, init),
	SCTPChunkSACK: chunk(3, [
		f('cumul_tsn_ack', u32, null),
		f('a_rwnd', u32, null),
		f('n_gap_ack', u16, null),
		f('n_dup_tsn', u16, null),
	]),
	SCTPChunkAbort: chunk(6, [f('error_causes', raw, '')]),
	SCTPChunkShutdown: chunk(7, [f('cumul_tsn_ack', u32, null)]),
	SCTPChunkShutdownAck: chunk(8, []),
	SCTPChunkCookieEcho: chunk(10, [f('cookie', raw, '')]),
	SCTPChunkCookieAck: chunk(11, []),
	SCTPChunkShutdownComplete: chunk(14, [], [f('reserved', int(7), null), f('TCB', int(1))]),
};
