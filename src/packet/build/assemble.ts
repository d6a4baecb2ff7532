/*
 * packet/build/assemble.ts: turns layers into bytes.
 * Walk: bindings (what a layer says of the one above it) -> Context (a layer's fields with their defaults) -> assemble, top down.
 * A field's value is, in this order: what was given, what the layer above implies, the caller's defaults, the layer's own default.
 */

import { concat } from '../bytes.ts';
import { HeaderWriter } from './fields.ts';
import { IP_LAYERS, type LayerContext, type LayerDef, LINK_LAYERS } from './layers.ts';
import { APP_LAYERS } from './layers_app.ts';
import { IP6_LAYERS } from './layers_ip6.ts';
import { L4_LAYERS } from './layers_l4.ts';
import { type Layer, PacketError, place, show, type Value } from './notation.ts';

export const LAYERS: { readonly [name: string]: LayerDef } = {
	...LINK_LAYERS,
	...IP_LAYERS,
	...L4_LAYERS,
	...IP6_LAYERS,
	...APP_LAYERS,
};

type Fields = { readonly [field: string]: Value };

/** Values for fields that scapy would ask the host for: { Ether: { src: '02:..' }, IP: { src: '10.0.0.1' } }. */
export interface Defaults {
	readonly [layer: string]: Fields | undefined;
}

function ethertype(type: number): { readonly [below: string]: Fields } {
	return {
		Ether: { type },
		Dot1Q: { type },
		Dot1AD: { type },
		GRE: { proto: type },
		SNAP: { code: type },
	};
}

function protocol(proto: number): { readonly [below: string]: Fields } {
	const nh = { nh: proto };
	return {
		IP: { frag: 0, proto },
		IPerror: { frag: 0, proto },
		IPv6: nh,
		IPerror6: nh,
		IPv6ExtHdrFragment: nh,
		IPv6ExtHdrHopByHop: nh,
		IPv6ExtHdrDestOpt: nh,
		IPv6ExtHdrRouting: nh,
	};
}

const ndp = (dst: string) => ({ IPv6: { nh: 58, dst, hlim: 255 } });
const icmp6 = { ...protocol(58), IP: {}, IPerror: {} };

/** Upper layer -> layer below it -> fields which the upper one implies there. */
const BINDINGS: { readonly [above: string]: { readonly [below: string]: Fields } } = {
	Ether: { Ether: { type: 1 }, GRE: { proto: 0x6558 }, SNAP: { code: 1 }, VXLAN: { flags: 12, NextProtocol: 3 } },
	Dot1Q: { ...ethertype(0x8100), Dot1Q: { type: 0x8100 } },
	Dot1AD: { Ether: { type: 0x88a8 }, Dot1AD: { type: 0x88a8 }, Dot1Q: { type: 0x88a8 }, SNAP: { code: 0x88a8 } },
	ARP: ethertype(0x0806),
	LLC: { Ether: { type: 0x8870 }, GRE: { proto: 122 }, Dot1Q: { type: 122 } },
	SNAP: { LLC: { dsap: 170, ssap: 170, ctrl: 3 } },
	STP: { LLC: { dsap: 66, ssap: 66, ctrl: 3 }, SNAP: { code: 0x010b } },
	IP: { ...ethertype(0x0800), ...protocol(4), VXLAN: { flags: 12, NextProtocol: 1 } },
	IPerror: { ...ethertype(0x0800), ...protocol(4) },
	IPv6: {
		...ethertype(0x86dd),
		...protocol(41),
		IP: { proto: 41 },
		AH: { nh: 41 },
		VXLAN: { flags: 12, NextProtocol: 2 },
	},
	ICMP: { ...protocol(1), IPv6: {}, IPv6ExtHdrFragment: {} },
	ICMPerror: protocol(1),
	UDP: protocol(17),
	UDPerror: protocol(17),
	TCP: protocol(6),
	TCPerror: protocol(6),
	GRE: protocol(47),
	ESP: { ...protocol(50), UDP: { sport: 4500 } },
	AH: protocol(51),
	IGMP: { IP: { frag: 0, proto: 2, ttl: 1 } },
	SCTP: { ...protocol(132), IP: { proto: 132 } },
	IPv6ExtHdrFragment: protocol(44),
	IPv6ExtHdrHopByHop: protocol(0),
	IPv6ExtHdrRouting: protocol(43),
	IPv6ExtHdrDestOpt: protocol(60),
	ICMPv6EchoRequest: icmp6,
	ICMPv6EchoReply: icmp6,
	ICMPv6DestUnreach: icmp6,
	ICMPv6PacketTooBig: icmp6,
	ICMPv6TimeExceeded: icmp6,
	ICMPv6ParamProblem: icmp6,
	ICMPv6ND_NS: { ...icmp6, ...ndp('ff02::1') },
	ICMPv6ND_NA: { ...icmp6, ...ndp('ff02::1') },
	ICMPv6ND_RS: { ...icmp6, ...ndp('ff02::2') },
	ICMPv6ND_RA: { ...icmp6, ...ndp('ff02::1') },
	BOOTP: { UDP: { sport: 67, dport: 68 } },
	DHCP: { BOOTP: { options: Uint8Array.of(0x63, 0x82, 0x53, 0x63) } },
	DNS: { UDP: { sport: 53 }, TCP: { sport: 53 } },
	VXLAN: { UDP: { sport: 4789, dport: 4789 } },
};

/** One layer while it is being built: answers what its encoders ask. */
class Context implements LayerContext {
	readonly layer: string;
	readonly below: Context | null;
	readonly above: Layer | null;
	private readonly source: Layer;
	private readonly def: LayerDef;
	private readonly build: Build;
	private readonly implied: Fields;
	private field = '';

	constructor(source: Layer, below: Context | null, above: Layer | null, build: Build) {
		this.source = source;
		this.layer = source.layer;
		this.def = layerDef(source, build);
		this.below = below;
		this.above = above;
		this.build = build;
		this.implied = (above !== null && BINDINGS[above.layer]?.[source.layer]) || NOTHING;
	}

	get name(): string {
		return this.field === '' ? this.layer : `${this.layer}.${this.field}`;
	}

	fail(message: string): never {
		const at = this.source.at?.[this.field] ?? this.source.at?.[''];
		const where = at === undefined || this.build.text === undefined ? '' : ` ${place(this.build.text, at)}:`;
		throw new PacketError(`packet:${where} ${this.name}: ${message}`, at === undefined ? 0 : at + 1);
	}

	given(field: string): boolean {
		const v = this.source.fields[field];
		return v !== undefined && v !== null;
	}

	get(field: string): Value {
		const v = this.source.fields[field];
		if (v !== undefined) return v;
		if (Object.hasOwn(this.implied, field)) return this.implied[field];
		const d = this.build.defaults?.[this.layer]?.[field];
		if (d !== undefined) return d;
		for (const def of this.def.fields) if (def.name === field) return def.init ?? this.fallback(field);
		return null;
	}

	/** What scapy takes from the host, where a host is not needed to know it. */
	private fallback(field: string): Value {
		const l = this.layer;
		if ((l === 'Ether' || l === 'Dot3') && field === 'dst') return 'ff:ff:ff:ff:ff:ff';
		if ((l === 'IP' || l === 'IPerror') && field === 'dst') return '127.0.0.1';
		if ((l === 'IPv6' || l === 'IPerror6') && field === 'dst') return '::1';
		if (field === 'src' && l.startsWith('IP')) {
			const dst = this.get('dst');
			if (typeof dst === 'string' && (dst.startsWith('127.') || dst === '::1'))
				return dst.startsWith('127.') ? '127.0.0.1' : dst;
			this.encoded('dst');
			this.field = '';
			this.fail('no src is given, and there is no host to choose one: write src="..."');
		}
		return null;
	}

	num(field: string): number {
		const def = this.def.fields.find((d) => d.name === field);
		if (def === undefined) return 0;
		const saved = this.field;
		this.field = field;
		const v = def.kind.encode(this.get(field), this);
		this.field = saved;
		return typeof v === 'number' ? v : 0;
	}

	encoded(field: string): Uint8Array {
		const def = this.def.fields.find((d) => d.name === field);
		if (def === undefined) return new Uint8Array(0);
		const saved = this.field;
		this.field = field;
		const v = def.kind.encode(this.get(field), this);
		this.field = saved;
		return typeof v === 'number' ? new Uint8Array(0) : v;
	}

	assemble(layers: readonly Layer[]): Uint8Array {
		if (this.build.depth > 16) this.fail('packets inside packets, too deeply');
		return assembleWith(layers, { ...this.build, depth: this.build.depth + 1 });
	}

	/** The header with everything that needs no payload, then finished with it. */
	header(payload: Uint8Array): Uint8Array {
		if (this.source.raw !== undefined) return this.source.raw;
		for (const name of Object.keys(this.source.fields))
			if (!this.def.fields.some((d) => d.name === name)) this.fail(`no field ${show(name)}`);
		const w = new HeaderWriter();
		for (const def of this.def.fields) {
			if (def.when !== undefined && !def.when(this)) continue;
			this.field = def.name;
			const v = def.kind.encode(this.get(def.name), this);
			if (typeof v === 'number') w.bits(v, def.kind.bits);
			else w.bytes(v);
		}
		this.field = '';
		const head = w.done();
		return this.def.finish === undefined ? head : this.def.finish(head, payload, this);
	}
}

const NOTHING: Fields = {};

interface Build {
	readonly defaults: Defaults | undefined;
	readonly text: string | undefined;
	readonly depth: number;
}

function layerDef(l: Layer, build: Build): LayerDef {
	if (Object.hasOwn(LAYERS, l.layer)) return LAYERS[l.layer];
	const at = l.at?.[''];
	const where = at === undefined || build.text === undefined ? '' : ` ${place(build.text, at)}:`;
	throw new PacketError(`packet:${where} unknown layer ${show(l.layer)}`);
}

function assembleWith(layers: readonly Layer[], build: Build): Uint8Array {
	const contexts: Context[] = [];
	for (let i = 0; i < layers.length; i++)
		contexts.push(new Context(layers[i], contexts[i - 1] ?? null, layers[i + 1] ?? null, build));
	let payload: Uint8Array = new Uint8Array(0);
	const padding: Uint8Array[] = [];
	for (let i = layers.length - 1; i >= 0; i--) {
		const head = contexts[i].header(payload);
		if (LAYERS[layers[i].layer].padding === true) padding.unshift(head);
		else payload = payload.length === 0 ? head : concat([head, payload]);
	}
	return padding.length === 0 ? payload : concat([payload, ...padding]);
}

/** What may stand for a layer: a layer, or a string or bytes as the payload. */
export type LayerLike = Layer | string | Uint8Array;

/** Bytes of layers. Lengths and checksums that were not given are computed. Throws PacketError. */
export function assemble(
	layers: readonly LayerLike[],
	options: { defaults?: Defaults; text?: string } = {},
): Uint8Array {
	const list = layers.map((l) =>
		typeof l === 'string' || l instanceof Uint8Array ? { layer: 'Raw', fields: { load: l } } : l,
	);
	return assembleWith(list, { defaults: options.defaults, text: options.text, depth: 0 });
}
