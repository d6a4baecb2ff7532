/*
 * packet/build.ts: packets in scapy's notation.
 * packet('IP(src="10.0.1.2",dst="10.0.2.2",ttl=1)/UDP(sport=1000,dport=99)/"hi"') gives the bytes; parsePacket the layers,
 * assemble turns layers into bytes; parseShort reads the command line's short form; ether(), ip(), tcp() are for TypeScript.
 * Names, fields and defaults are scapy's. What scapy looks up on its host (MACs, source addresses) the caller gives as defaults.
 */

import { assemble, type Defaults, LAYERS, type LayerLike } from './build/assemble.ts';
import { type Grammar, isStack, type Layer, PacketError, parseExpression, show } from './build/notation.ts';

export type { Defaults, LayerLike } from './build/assemble.ts';
export { assemble } from './build/assemble.ts';
export { type Layer, PacketError, type Value } from './build/notation.ts';
export { isShort, parseShort, type ShortPacket } from './build/short.ts';
export * from './build/typed.ts';

/** Options of a packet: what the host would have supplied. */
export interface PacketOptions {
	readonly defaults?: Defaults;
}

function grammar(text: string, options: PacketOptions): Grammar {
	return {
		layers: () => Object.keys(LAYERS),
		has: (name) => Object.hasOwn(LAYERS, name),
		fields: (name) => LAYERS[name].fields.map((d) => d.name),
		positional: (name) => LAYERS[name].positional ?? null,
		bytes: (layers) => assemble(layers, { ...options, text }),
	};
}

/** The layers of a packet in scapy's notation. Throws PacketError, which says where. */
export function parsePacket(text: string, options: PacketOptions = {}): Layer[] {
	const v = parseExpression(text, grammar(text, options));
	if (isStack(v)) return [...v];
	if (typeof v === 'string' || v instanceof Uint8Array) return [{ layer: 'Raw', fields: { load: v }, at: { '': 0 } }];
	throw new PacketError(`packet: column 1: expected a layer such as Ether() or IP(), came ${show(v)}`, 1);
}

/** The bytes of a packet in scapy's notation. Throws PacketError, which says where. */
export function packet(text: string, options: PacketOptions = {}): Uint8Array {
	return assemble(parsePacket(text, options) as LayerLike[], { ...options, text });
}
