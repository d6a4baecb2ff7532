/*
 * packet/build/layers_ip6.ts: IPv6, its extension headers, ICMPv6 and neighbour discovery as they can be written.
 * RFC 8200, 4443, 4861, 2711. Not here yet: MLD, mobility, most neighbour discovery options.
 */

import { concat, put16 } from '../bytes.ts';
import { bytes, type FieldContext, flatLayers, int, ip6, type Kind, list, mac, u8, u16, u24, u32 } from './fields.ts';
import { f, type LayerContext, type LayerDef } from './layers.ts';
import { transportChecksum } from './layers_l4.ts';
import { IP_PROTOS } from './names.ts';

const nh = (init: number) => f('nh', int(8, IP_PROTOS), init);

const IPv6: LayerDef = {
	family: 6,
	fields: [
		f('version', int(4), 6),
		f('tc', int(8)),
		f('fl', int(20)),
		f('plen', u16, null),
		nh(59),
		f('hlim', u8, 64),
		f('src', ip6, null),
		f('dst', ip6, null),
	],
	finish(head, payload, c) {
		if (!c.given('plen')) put16(head, 4, payload.length & 0xffff);
		return head;
	},
};

const optionList: Kind = {
	bits: 0,
	encode(v, c) {
		const layers = flatLayers(v ?? []);
		return layers === null ? bytes.encode(v, c) : c.assemble(layers);
	},
};

/** Hop-by-hop and destination options: padded to eight bytes with Pad1 or PadN. */
function optionsHeader(): LayerDef {
	return {
		fields: [nh(59), f('len', u8, null), f('autopad', u8, 1, () => false), f('options', optionList, [])],
		finish(head, _payload, c) {
			const short = (8 - (head.length % 8)) % 8;
			let out = head;
			if (short > 0 && c.get('autopad') !== 0) {
				const pad = new Uint8Array(short);
				if (short > 1) pad.set([1, short - 2]);
				out = concat([head, pad]);
			}
			if (!c.given('len')) out[1] = Math.max(0, Math.ceil(out.length / 8) - 1);
			return out;
		},
	};
}

function icmp6(type: number, rest: LayerDef['fields'], code = 0): LayerDef {
	return {
		fields: [f('type', u8, type), f('code', u8, code), f('cksum', u16, null), ...rest],
		finish(head: Uint8Array, payload: Uint8Array, c: LayerContext) {
			if (!c.given('cksum')) {
				const sum = c.below?.layer === 'IP' ? null : transportChecksum(head, payload, 58, c);
				if (sum !== null) put16(head, 2, sum);
			}
			return head;
		},
	};
}

const echo = [f('id', u16), f('seq', u16), f('data', bytes, '')];
const errorRest = [f('length', u8), f('unused', u24)];
const given = (name: string) => (c: FieldContext) => c.get(name) !== null;

export const IP6_LAYERS: { readonly [name: string]: LayerDef } = {
	IPv6,
	IPerror6: IPv6,
	IPv6ExtHdrFragment: {
		fields: [nh(59), f('res1', u8), f('offset', int(13)), f('res2', int(2)), f('m', int(1)), f('id', u32, null)],
	},
	IPv6ExtHdrHopByHop: optionsHeader(),
	IPv6ExtHdrDestOpt: optionsHeader(),
	IPv6ExtHdrRouting: {
		fields: [
			nh(59),
			f('len', u8, null),
			f('type', u8),
			f('segleft', u8, null),
			f('reserved', u32),
			f('addresses', list(ip6), []),
		],
		finish(head, _payload, c) {
			const n = (head.length - 8) >> 4;
			if (!c.given('len')) head[1] = 2 * n;
			if (!c.given('segleft')) head[3] = n;
			return head;
		},
	},
	RouterAlert: { fields: [f('otype', u8, 5), f('optlen', u8, 2), f('value', u16, 0)] },
	Pad1: { fields: [f('otype', u8, 0)] },
	PadN: {
		fields: [f('otype', u8, 1), f('optlen', u8, null), f('optdata', bytes, '')],
		finish(head, _payload, c) {
			if (!c.given('optlen')) head[1] = head.length - 2;
			return head;
		},
	},
	ICMPv6EchoRequest: icmp6(128, echo),
	ICMPv6EchoReply: icmp6(129, echo),
	ICMPv6DestUnreach: icmp6(1, errorRest),
	ICMPv6PacketTooBig: icmp6(2, [f('mtu', u32, 1280)]),
	ICMPv6TimeExceeded: icmp6(3, errorRest),
	ICMPv6ParamProblem: icmp6(4, [f('ptr', u32, 6)]),
	ICMPv6ND_RS: icmp6(133, [f('res', u32)]),
	ICMPv6ND_RA: icmp6(134, [
		f('chlim', u8),
		f('M', int(1)),
		f('O', int(1)),
		f('H', int(1)),
		f('prf', int(2), 1),
		f('P', int(1)),
		f('res', int(2)),
		f('routerlifetime', u16, 1800),
		f('reachabletime', u32),
		f('retranstimer', u32),
	]),
	ICMPv6ND_NS: icmp6(135, [f('res', u32), f('tgt', ip6, '::')]),
	ICMPv6ND_NA: icmp6(136, [
		f('R', int(1), 1),
		f('S', int(1)),
		f('O', int(1), 1),
		f('res', int(29)),
		f('tgt', ip6, '::'),
	]),
	ICMPv6NDOptSrcLLAddr: { fields: [f('type', u8, 1), f('len', u8, 1), f('lladdr', mac, null)] },
	ICMPv6NDOptDstLLAddr: { fields: [f('type', u8, 2), f('len', u8, 1), f('lladdr', mac, null)] },
	ICMPv6NDOptMTU: { fields: [f('type', u8, 5), f('len', u8, 1), f('res', u16), f('mtu', u32, 1280)] },
	ICMPv6NDOptPrefixInfo: {
		fields: [
			f('type', u8, 3),
			f('len', u8, 4),
			f('prefixlen', u8, 64),
			f('L', int(1), 1),
			f('A', int(1), 1),
			f('R', int(1)),
			f('res1', int(5)),
			f('validlifetime', u32, 0xffffffff),
			f('preferredlifetime', u32, 0xffffffff),
			f('res2', u32, 0, given('res2')),
			f('prefix', ip6, '::'),
		],
	},
};
