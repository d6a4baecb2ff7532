/*
 * packet/print/context.ts: what a printer of a protocol reads from and writes to.
 * Reading past what was captured throws Truncated, which the top turns into " [|tcp]", as tcpdump does; nothing else throws.
 */

import { hex2, ip4At, ip6At, macAt } from '../bytes.ts';
import { SERVICES } from '../filter/names.ts';

/** How packets are printed: tcpdump's options of the same letters. */
export interface PrintOptions {
	/** -n: numbers instead of names. */
	readonly n?: boolean;
	/** -e: the link-level header. */
	readonly e?: boolean;
	/** -v, -vv, -vvv: 1, 2, 3. */
	readonly v?: number;
	/** -q: less. */
	readonly q?: boolean;
	/** -S: absolute sequence numbers. */
	readonly S?: boolean;
	/** -x: 1, -xx: 2. */
	readonly x?: number;
	/** -X: 1, -XX: 2. */
	readonly X?: number;
	/** -A: 1, -AA: 2. */
	readonly A?: number;
	/** -t: 1 none, 2 seconds, 3 since the last, 4 with the date, 5 since the first; 0 the time of day. */
	readonly t?: number;
	/** -#: number the packets. */
	readonly number?: boolean;
	/** Digits of the fraction: 6, or 9 for --nano. */
	readonly digits?: 6 | 9;
	/** Minutes east of Greenwich that times are shown in. */
	readonly utcOffset?: number;
	/** Names of interfaces by index, for a capture on "any". */
	readonly ifname?: (index: number) => string | null;
}

export class Truncated extends Error {}

/** One conversation's first sequence numbers. */
export interface Conversation {
	seq: number;
	ack: number;
}

/** Printers that others reach through the context, as a tunnel or an ICMP error does. */
export interface Inner {
	ip(c: Context, o: number, length: number): undefined;
	ip6(c: Context, o: number, length: number): undefined;
	ether(c: Context, o: number, length: number): undefined;
	/** Return: false when the type is unknown. */
	ethertype(c: Context, type: number, o: number, length: number): boolean;
	ipProto(c: Context, proto: number, o: number, length: number, info: IpInfo): undefined;
}

/** An IP header that a transport is printed for. */
export interface IpInfo {
	readonly version: 4 | 6;
	/** Offset of the IP header. */
	readonly at: number;
	readonly src: string;
	readonly dst: string;
	/** Where the addresses for the pseudo-header are. */
	readonly srcAt: number;
	readonly dstAt: number;
	/** Is it a fragment, so that no checksum over it can be checked? */
	readonly fragment: boolean;
	/** Was the header just before this transport, so that "a.port > b.port" can be printed? */
	readonly direct: boolean;
}

/** What a Printer keeps from packet to packet. */
export interface Memory {
	readonly conversations: Map<string, Conversation>;
}

export class Context {
	readonly b: Uint8Array;
	readonly options: PrintOptions;
	readonly memory: Memory;
	/** End of what was captured, or of what an inner packet may read. */
	end: number;
	/** The protocol that a truncation is blamed on. */
	protocol = '';
	private out = '';
	depth = 0;

	readonly inner: Inner;

	constructor(b: Uint8Array, options: PrintOptions, memory: Memory, inner: Inner) {
		this.b = b;
		this.inner = inner;
		this.end = b.length;
		this.options = options;
		this.memory = memory;
	}

	get v(): number {
		return this.options.v ?? 0;
	}
	get text(): string {
		return this.out;
	}

	print(s: string): undefined {
		this.out += s;
	}

	/** Are n bytes at o captured? Throws Truncated. */
	need(o: number, n: number): undefined {
		if (o < 0 || o + n > this.end) throw new Truncated();
	}
	has(o: number, n: number): boolean {
		return o + n <= this.end;
	}
	u8(o: number): number {
		this.need(o, 1);
		return this.b[o];
	}
	u16(o: number): number {
		this.need(o, 2);
		return (this.b[o] << 8) | this.b[o + 1];
	}
	u24(o: number): number {
		this.need(o, 3);
		return (this.b[o] << 16) | (this.b[o + 1] << 8) | this.b[o + 2];
	}
	u32(o: number): number {
		this.need(o, 4);
		return ((this.b[o] << 24) | (this.b[o + 1] << 16) | (this.b[o + 2] << 8) | this.b[o + 3]) >>> 0;
	}
	ip4(o: number): string {
		this.need(o, 4);
		return ip4At(this.b, o);
	}
	ip6(o: number): string {
		this.need(o, 16);
		return ip6At(this.b, o);
	}
	mac(o: number): string {
		this.need(o, 6);
		return macAt(this.b, o);
	}
	hex(o: number, n: number): string {
		this.need(o, n);
		let s = '';
		for (let i = 0; i < n; i++) s += hex2(this.b[o + i]);
		return s;
	}

	truncated(): undefined {
		this.print(` [|${this.protocol}]`);
	}

	/** Text as tcpdump shows bytes that may be anything: M- and ^ forms. */
	safe(o: number, n: number): string {
		let s = '';
		for (let i = 0; i < n; i++) s += safeChar(this.u8(o + i));
		return s;
	}

	/** A port, by name unless -n was given. */
	port(n: number, udp: boolean): string {
		if (this.options.n) return String(n);
		return portName(n, udp) ?? String(n);
	}

	/** Bytes that nobody knows, unless the whole packet is shown anyway, or little is wanted. */
	unknown(o: number, n: number): undefined {
		const { x = 0, X = 0, q = false } = this.options;
		if (x + X === 0 && !q) this.dump('\n\t', o, n, true);
	}

	/** Hex of bytes, 16 to a line, each line after a prefix; with their characters when ascii. */
	dump(prefix: string, o: number, n: number, ascii: boolean): undefined {
		const length = Math.min(n, this.end - o);
		if (length <= 0) return;
		this.print(hexDump(prefix, this.b.subarray(o, o + length), ascii));
	}
}

export function safeChar(c: number): string {
	let s = '';
	if (c >= 0x80) {
		s = 'M-';
		c &= 0x7f;
	}
	if (c < 0x20 || c === 0x7f) return `${s}^${String.fromCharCode(c ^ 0x40)}`;
	return s + String.fromCharCode(c);
}

export function hexDump(prefix: string, b: Uint8Array, ascii: boolean): string {
	let s = '';
	for (let o = 0; o < b.length; o += 16) {
		let hex = '';
		let chars = '';
		for (let i = o; i < Math.min(b.length, o + 16); i++) {
			if ((i - o) % 2 === 0) hex += ' ';
			hex += hex2(b[i]);
			chars += b[i] > 0x20 && b[i] < 0x7f ? String.fromCharCode(b[i]) : '.';
		}
		s += `${prefix}0x${o.toString(16).padStart(4, '0')}: ${ascii ? `${hex.padEnd(40)}  ${chars}` : hex}`;
	}
	return s;
}

function portNames(bit: number): ReadonlyMap<number, string> {
	const out = new Map<number, string>();
	for (const [name, [port, over]] of Object.entries(SERVICES)) if (over & bit && !out.has(port)) out.set(port, name);
	return out;
}

const TCP_NAMES = portNames(1);
const UDP_NAMES = portNames(2);

/** A service's name for a port. */
export function portName(n: number, udp: boolean): string | null {
	return (udp ? UDP_NAMES : TCP_NAMES).get(n) ?? null;
}

/** Names of bits that are set, joined; none's name when there are none. */
export function bits(
	value: number,
	table: readonly (readonly [number, string])[],
	joiner: string,
	none: string,
): string {
	const out: string[] = [];
	for (const [bit, name] of table) if ((value & bit) !== 0) out.push(name);
	return out.length === 0 ? none : out.join(joiner);
}

export function hex(v: number, digits = 0): string {
	return v.toString(16).padStart(digits, '0');
}
