/*
 * packet/build/fields.ts: the kinds of field that a header is made of, and how a value that a person wrote becomes bits.
 * Walk: Kind -> numbers (with names) -> flags -> addresses -> bytes and text -> writing a header's fields in order.
 */

import { concat, parseIp4, parseIp6, parseMac, put32, utf8 } from '../bytes.ts';
import { isLayer, type Layer, nearest, PacketError, show, type Value } from './notation.ts';

/** What a field's encoder may ask: other fields of the same layer, and how to make bytes of layers. */
export interface FieldContext {
	/** Name for messages: "IP.ttl". */
	readonly name: string;
	get(field: string): Value;
	num(field: string): number;
	assemble(layers: readonly Layer[]): Uint8Array;
	fail(message: string): never;
}

export interface Kind {
	/** Width of a number in bits; 0 for bytes. */
	readonly bits: number;
	encode(v: Value, c: FieldContext): number | Uint8Array;
}

export interface FieldDef {
	readonly name: string;
	readonly kind: Kind;
	readonly init: Value;
	/** Says whether the field is there at all. */
	readonly when?: (c: FieldContext) => boolean;
}

export type Names = { readonly [name: string]: number };

/** An unsigned number of so many bits, which may also be written by name. null stands for "computed" and is 0 until then. */
export function int(bits: number, names?: Names | ((c: FieldContext) => Names | undefined)): Kind {
	const max = 2 ** bits - 1;
	return {
		bits,
		encode(v, c) {
			if (v === null) return 0;
			if (typeof v === 'boolean') return v ? 1 : 0;
			if (typeof v === 'string') {
				const table = typeof names === 'function' ? names(c) : names;
				if (table !== undefined && Object.hasOwn(table, v)) return table[v];
				const near = table === undefined ? null : nearest(v, Object.keys(table));
				return c.fail(`${show(v)} is unknown: expected a number${near === null ? '' : ` or a name (${near}?)`}`);
			}
			if (typeof v !== 'number' || !Number.isInteger(v)) {
				if (Array.isArray(v) && v.length > 0 && !isLayer(v[0]))
					c.fail('a range or list would be a set of packets: write one number');
				return c.fail(`${show(v)} is no number`);
			}
			if (v < 0 || v > max) c.fail(`${v} is out of range: expected 0 to ${max}`);
			return v;
		},
	};
}

export const u8 = int(8);
export const u16 = int(16);
export const u24 = int(24);
export const u32 = int(32);

/** Flags as a number, as letters ("SA") or as names joined by + ("MF+DF"). names[0] is the lowest bit. */
export function flags(bits: number, names: readonly string[]): Kind {
	const number = int(bits);
	const letters = names.every((n) => n.length === 1);
	return {
		bits,
		encode(v, c) {
			if (typeof v !== 'string') return number.encode(v, c);
			let out = 0;
			for (const part of letters ? v.replaceAll('+', '') : v.split('+')) {
				if (part === '') continue;
				const bit = names.indexOf(part);
				if (bit < 0) c.fail(`flag ${show(part)} is unknown: expected ${letters ? names.join('') : names.join(', ')}`);
				out |= 1 << bit;
			}
			return out;
		},
	};
}

function address(length: number, what: string, parse: (s: string) => Uint8Array | null, zero: string): Kind {
	return {
		bits: 0,
		encode(v, c) {
			if (v === null) return new Uint8Array(length);
			if (v instanceof Uint8Array && v.length === length) return v;
			if (typeof v === 'string') {
				const b = parse(v);
				if (b !== null) return b;
				if (/^[0-9a-fA-F.:]+\/\d+$/.test(v)) c.fail(`${show(v)} would be a set of packets: write one address`);
			}
			return c.fail(`${show(v)} is no ${what} (such as ${show(zero)})`);
		},
	};
}

/** The four bytes of an IPv4 address in text, or null. */
export function ip4Bytes(text: string): Uint8Array | null {
	const v = parseIp4(text);
	if (v === null) return null;
	const b = new Uint8Array(4);
	put32(b, 0, v);
	return b;
}

const ip4Text = address(4, 'IPv4 address', ip4Bytes, '10.0.0.1');
export const ip4: Kind = {
	bits: 0,
	encode(v, c) {
		if (typeof v !== 'number') return ip4Text.encode(v, c);
		const b = new Uint8Array(4);
		put32(b, 0, u32.encode(v, c) as number);
		return b;
	},
};
export const mac = address(6, 'MAC address', parseMac, '02:00:00:00:00:01');
export const ip6 = address(16, 'IPv6 address', parseIp6, 'fe80::1');

/** Bytes of a string, bytes or layers. */
export function asBytes(v: Value, c: FieldContext): Uint8Array {
	if (v === null) return new Uint8Array(0);
	if (v instanceof Uint8Array) return v;
	if (typeof v === 'string') return utf8(v);
	const layers = flatLayers(v);
	if (layers !== null) return c.assemble(layers);
	return c.fail(`${show(v)} is neither a string nor bytes`);
}

/** The layers in a value, however they are nested; null when something else is among them. */
export function flatLayers(v: Value): Layer[] | null {
	if (isLayer(v)) return [v];
	if (!Array.isArray(v)) return null;
	const out: Layer[] = [];
	for (const item of v as readonly Value[]) {
		const inner = flatLayers(item);
		if (inner === null) return null;
		for (const l of inner) out.push(l);
	}
	return out;
}

export const bytes: Kind = { bits: 0, encode: asBytes };

/** Bytes of a fixed length: cut or filled with zeros. */
export function fixed(length: number | ((c: FieldContext) => number)): Kind {
	return {
		bits: 0,
		encode(v, c) {
			const out = new Uint8Array(typeof length === 'number' ? length : length(c));
			if (typeof v === 'number') {
				for (let i = 0; i < out.length; i++) out[i] = Math.floor(v / 256 ** (out.length - 1 - i)) & 255;
				return out;
			}
			out.set(asBytes(v, c).subarray(0, out.length));
			return out;
		},
	};
}

/** A list of values of one kind. */
export function list(kind: Kind): Kind {
	return {
		bits: 0,
		encode(v, c) {
			if (v === null) return new Uint8Array(0);
			const items = Array.isArray(v) ? (v as readonly Value[]) : [v];
			return concat(
				items.map((item) => {
					const b = kind.encode(item, c);
					if (typeof b !== 'number') return b;
					const out = new Uint8Array(kind.bits / 8);
					for (let i = 0; i < out.length; i++) out[i] = Math.floor(b / 256 ** (out.length - 1 - i)) & 255;
					return out;
				}),
			);
		},
	};
}

/** Joins bit fields and byte fields of one header. */
export class HeaderWriter {
	private readonly parts: Uint8Array[] = [];
	private pending: number[] = [];
	private acc = 0;
	private accBits = 0;

	bits(v: number, width: number): void {
		for (let left = width; left > 0; ) {
			const room = 8 - this.accBits;
			const n = Math.min(room, left);
			left -= n;
			this.acc = (this.acc << n) | (Math.floor(v / 2 ** left) & ((1 << n) - 1));
			this.accBits += n;
			if (this.accBits === 8) {
				this.pending.push(this.acc);
				this.acc = 0;
				this.accBits = 0;
			}
		}
	}

	bytes(b: Uint8Array): void {
		if (this.accBits !== 0) throw new PacketError('packet: a layer whose bits do not fill its bytes');
		this.flush();
		this.parts.push(b);
	}

	private flush(): void {
		if (this.pending.length > 0) this.parts.push(Uint8Array.from(this.pending));
		this.pending = [];
	}

	done(): Uint8Array {
		this.flush();
		return concat(this.parts);
	}
}
