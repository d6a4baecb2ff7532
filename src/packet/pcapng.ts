/*
 * packet/pcapng.ts: the pcapng format, read and written.
 * Walk: PcapngParser (blocks: section header, interface, the three packet blocks; others are skipped) -> options -> PcapngWriter.
 * draft-ietf-opsawg-pcapng. Not here yet: name resolution, statistics and decryption secrets (skipped when read, not written).
 */

import { concat, fromUtf8, utf8 } from './bytes.ts';
import {
	type ByteQueue,
	type CapturedPacket,
	CaptureError,
	type CaptureInterface,
	type CaptureParser,
	LINKTYPE_ETHERNET,
	MAX_PACKET,
} from './capture_file.ts';
import type { PacketToWrite } from './pcap.ts';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const MAX_BLOCK = 16 << 20;
const MAX_INTERFACES = 65536;

const OPT_COMMENT = 1;
const SHB_HARDWARE = 2;
const SHB_OS = 3;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const EPB_FLAGS = 2;

interface Clock {
	readonly perSecond: bigint;
	readonly offset: number;
}

export class PcapngParser implements CaptureParser {
	readonly interfaces: CaptureInterface[] = [];
	private clocks: Clock[] = [];
	/** Index of this section's first interface: sections count theirs from 0. */
	private base = 0;
	private little = false;
	private started = false;
	private count = 0;

	private u16(b: Uint8Array, o: number): number {
		return this.little ? b[o] | (b[o + 1] << 8) : (b[o] << 8) | b[o + 1];
	}

	private u32(b: Uint8Array, o: number): number {
		return this.little
			? (b[o] | (b[o + 1] << 8) | (b[o + 2] << 16) | (b[o + 3] << 24)) >>> 0
			: ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
	}

	next(q: ByteQueue): CapturedPacket | null {
		for (;;) {
			if (q.length < 12) return null;
			const head = q.peek(12);
			const isSection = head[0] === 0x0a && head[1] === 0x0d && head[2] === 0x0d && head[3] === 0x0a;
			if (isSection) this.byteOrder(head, q.offset);
			const type = isSection ? SECTION : this.u32(head, 0);
			const length = this.u32(head, 4);
			const what = `pcapng: offset ${q.offset}: ${NAMES.get(type) ?? `block of type 0x${type.toString(16)}`}`;
			const least = LEAST.get(type) ?? 12;
			if (length < least || length % 4 !== 0 || length > MAX_BLOCK)
				throw new CaptureError(
					`${what} has length ${length}: expected a multiple of 4 from ${least} to ${MAX_BLOCK}`,
					q.offset + 4,
				);
			if (q.length < length) return null;
			const block = q.peek(length);
			const trailer = this.u32(block, length - 4);
			if (trailer !== length)
				throw new CaptureError(
					`${what} begins with length ${length} and ends with ${trailer}: expected the same`,
					q.offset + length - 4,
				);
			const p = this.block(type, block, q.offset, what);
			q.skip(length);
			if (p !== null) return p;
		}
	}

	private byteOrder(head: Uint8Array, offset: number): void {
		const magic = ((head[8] << 24) | (head[9] << 16) | (head[10] << 8) | head[11]) >>> 0;
		if (magic !== 0x1a2b3c4d && magic !== 0x4d3c2b1a)
			throw new CaptureError(
				`pcapng: offset ${offset + 8}: byte-order magic ${magic.toString(16).padStart(8, '0')} came: expected 1a2b3c4d in either order`,
				offset + 8,
			);
		this.little = magic === 0x4d3c2b1a;
	}

	private block(type: number, b: Uint8Array, offset: number, what: string): CapturedPacket | null {
		if (type === SECTION) {
			const major = this.u16(b, 12);
			if (major !== 1)
				throw new CaptureError(`${what} has version ${major}.${this.u16(b, 14)}: expected 1.0`, offset + 12);
			this.base = this.interfaces.length;
			this.started = true;
		} else if (type === INTERFACE) this.interface(b, offset, what);
		else if (type === ENHANCED_PACKET)
			return this.packet(b, offset, what, this.u32(b, 8), 12, 28, this.u32(b, 20), this.u32(b, 24));
		else if (type === OLD_PACKET)
			return this.packet(b, offset, what, this.u16(b, 8), 12, 28, this.u32(b, 20), this.u32(b, 24));
		else if (type === SIMPLE_PACKET) {
			const origLen = this.u32(b, 8);
			const snaplen = this.interfaces[this.base]?.snaplen ?? 0;
			const caplen = Math.min(origLen, b.length - 16, snaplen === 0 ? origLen : snaplen);
			return this.packet(b, offset, what, 0, -1, 12, caplen, origLen);
		}
		return null;
	}

	private interface(b: Uint8Array, offset: number, what: string): void {
		if (this.interfaces.length >= MAX_INTERFACES)
			throw new CaptureError(`${what} is one too many: expected at most ${MAX_INTERFACES} interfaces`, offset);
		let name = '';
		let description = '';
		let perSecond = 1000000n;
		let tsoffset = 0;
		this.options(b, 16, offset, what, (code, v) => {
			if (code === IF_NAME) name = fromUtf8(v);
			else if (code === IF_DESCRIPTION) description = fromUtf8(v);
			else if (code === IF_TSRESOL && v.length >= 1) {
				const power = v[0] & 0x7f;
				if (power > (v[0] & 0x80 ? 63 : 19))
					throw new CaptureError(
						`${what} has a time resolution of ${v[0] & 0x80 ? 2 : 10}^-${power}: expected at most 10^-19`,
						offset,
					);
				perSecond = (v[0] & 0x80 ? 2n : 10n) ** BigInt(power);
			} else if (code === IF_TSOFFSET && v.length >= 8) {
				const hi = this.little ? this.u32(v, 4) : this.u32(v, 0);
				tsoffset = (hi | 0) * 2 ** 32 + (this.little ? this.u32(v, 0) : this.u32(v, 4));
			}
		});
		const nanoseconds = perSecond > 1000000n;
		this.interfaces.push({ linktype: this.u16(b, 8), snaplen: this.u32(b, 12), name, description, nanoseconds });
		this.clocks.push({ perSecond, offset: tsoffset });
	}

	private packet(
		b: Uint8Array,
		offset: number,
		what: string,
		iface: number,
		time: number,
		start: number,
		caplen: number,
		origLen: number,
	): CapturedPacket {
		const index = this.base + iface;
		if (!this.started || index >= this.interfaces.length)
			throw new CaptureError(
				`${what} is of interface ${iface}: expected one of the ${this.interfaces.length - this.base} that this section described`,
				offset,
			);
		if (caplen > b.length - start - 4 || caplen > Math.max(MAX_PACKET, this.interfaces[index].snaplen))
			throw new CaptureError(
				`${what} says that ${caplen} bytes of packet ${this.count + 1} follow: expected at most ${Math.min(b.length - start - 4, MAX_PACKET)}`,
				offset,
			);
		this.count++;
		const comments: string[] = [];
		let direction: 0 | 1 | 2 = 0;
		if (time >= 0)
			this.options(b, start + ((caplen + 3) & ~3), offset, what, (code, v) => {
				if (code === OPT_COMMENT) comments.push(fromUtf8(v));
				else if (code === EPB_FLAGS && v.length >= 4) {
					const d = this.u32(v, 0) & 3;
					if (d === 1 || d === 2) direction = d;
				}
			});
		const p: CapturedPacket = {
			sec: 0,
			nsec: 0,
			data: b.slice(start, start + caplen),
			origLen,
			linktype: this.interfaces[index].linktype,
			iface: index,
			comments,
			direction,
		};
		if (time >= 0) this.stamp(p, this.u32(b, time), this.u32(b, time + 4), this.clocks[index]);
		return p;
	}

	private stamp(p: CapturedPacket, hi: number, lo: number, clock: Clock): void {
		if (clock.perSecond === 1000000n && hi < 0x200000) {
			const us = hi * 2 ** 32 + lo;
			p.sec = Math.floor(us / 1e6) + clock.offset;
			p.nsec = (us % 1e6) * 1000;
			return;
		}
		const t = (BigInt(hi) << 32n) | BigInt(lo);
		p.sec = Number(t / clock.perSecond) + clock.offset;
		p.nsec = Number(((t % clock.perSecond) * 1000000000n) / clock.perSecond);
	}

	/** Calls each for every option from o to the end of the block. */
	private options(
		b: Uint8Array,
		o: number,
		offset: number,
		what: string,
		each: (code: number, value: Uint8Array) => void,
	): void {
		const end = b.length - 4;
		while (o + 4 <= end) {
			const code = this.u16(b, o);
			const length = this.u16(b, o + 2);
			if (code === 0) return;
			if (o + 4 + length > end)
				throw new CaptureError(
					`${what} has option ${code} of ${length} bytes at offset ${offset + o}: expected at most ${end - o - 4}`,
					offset + o,
				);
			each(code, b.subarray(o + 4, o + 4 + length));
			o += 4 + ((length + 3) & ~3);
		}
	}

	end(q: ByteQueue): void {
		if (q.length === 0) return;
		const at = `pcapng: offset ${q.offset}: the block is truncated:`;
		if (q.length < 12) throw new CaptureError(`${at} ${q.length} bytes follow: expected at least 12`, q.offset);
		throw new CaptureError(`${at} ${q.length} bytes follow: expected ${this.u32(q.peek(12), 4)}`, q.offset);
	}
}

const NAMES: ReadonlyMap<number, string> = new Map([
	[SECTION, 'section header block'],
	[INTERFACE, 'interface description block'],
	[OLD_PACKET, 'packet block'],
	[SIMPLE_PACKET, 'simple packet block'],
	[ENHANCED_PACKET, 'enhanced packet block'],
]);

const LEAST: ReadonlyMap<number, number> = new Map([
	[SECTION, 28],
	[INTERFACE, 20],
	[OLD_PACKET, 32],
	[SIMPLE_PACKET, 16],
	[ENHANCED_PACKET, 32],
]);

export interface PcapngSection {
	readonly hardware?: string;
	readonly os?: string;
	readonly application?: string;
	readonly comment?: string;
}

export interface PcapngInterface {
	readonly name?: string;
	readonly description?: string;
	readonly linktype?: number;
	readonly snaplen?: number;
}

export interface PcapngPacket extends PacketToWrite {
	readonly iface?: number;
	readonly comments?: readonly string[];
	readonly direction?: 0 | 1 | 2;
}

/** Writes a pcapng piece by piece, little-endian, with nanoseconds: header(), addInterface() for each, packet() for each. */
export class PcapngWriter {
	private readonly snaplens: number[] = [];

	header(section: PcapngSection = {}): Uint8Array {
		const body = new Uint8Array(16);
		const v = new DataView(body.buffer);
		v.setUint32(0, 0x1a2b3c4d, true);
		v.setUint16(4, 1, true);
		v.setUint32(8, 0xffffffff, true);
		v.setUint32(12, 0xffffffff, true);
		return block(SECTION, [
			body,
			...options([
				[OPT_COMMENT, section.comment],
				[SHB_HARDWARE, section.hardware],
				[SHB_OS, section.os],
				[SHB_USERAPPL, section.application],
			]),
		]);
	}

	/** Describes one more interface; the first is number 0. */
	addInterface(i: PcapngInterface = {}): Uint8Array {
		const body = new Uint8Array(8);
		const v = new DataView(body.buffer);
		const snaplen = i.snaplen ?? MAX_PACKET;
		v.setUint16(0, i.linktype ?? LINKTYPE_ETHERNET, true);
		v.setUint32(4, snaplen, true);
		this.snaplens.push(snaplen);
		return block(INTERFACE, [
			body,
			...options([
				[IF_NAME, i.name],
				[IF_DESCRIPTION, i.description],
				[IF_TSRESOL, Uint8Array.of(9)],
			]),
		]);
	}

	packet(p: PcapngPacket): Uint8Array {
		const iface = p.iface ?? 0;
		if (iface >= this.snaplens.length) throw new RangeError(`pcapng: interface ${iface} was not added`);
		const snaplen = this.snaplens[iface];
		const caplen = snaplen === 0 ? p.data.length : Math.min(p.data.length, snaplen);
		const body = new Uint8Array(20 + ((caplen + 3) & ~3));
		const v = new DataView(body.buffer);
		const t = BigInt(p.sec) * 1000000000n + BigInt(p.nsec);
		v.setUint32(0, iface, true);
		v.setUint32(4, Number((t >> 32n) & 0xffffffffn), true);
		v.setUint32(8, Number(t & 0xffffffffn), true);
		v.setUint32(12, caplen, true);
		v.setUint32(16, p.origLen ?? p.data.length, true);
		body.set(p.data.subarray(0, caplen), 20);
		const list: [number, string | Uint8Array | undefined][] = [];
		for (const c of p.comments ?? []) list.push([OPT_COMMENT, c]);
		if (p.direction) list.push([EPB_FLAGS, Uint8Array.of(p.direction, 0, 0, 0)]);
		return block(ENHANCED_PACKET, [body, ...options(list)]);
	}
}

/** Options with their padding and end, or nothing when none has a value. */
function options(list: readonly (readonly [number, string | Uint8Array | undefined])[]): Uint8Array[] {
	const out: Uint8Array[] = [];
	for (const [code, value] of list) {
		if (value === undefined || value === '') continue;
		const b = (typeof value === 'string' ? utf8(value) : value).subarray(0, 65535);
		const o = new Uint8Array(4 + ((b.length + 3) & ~3));
		o[0] = code;
		o[1] = code >> 8;
		o[2] = b.length;
		o[3] = b.length >> 8;
		o.set(b, 4);
		out.push(o);
	}
	if (out.length > 0) out.push(new Uint8Array(4));
	return out;
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
	let length = 12;
	for (const p of parts) length += p.length;
	const head = new Uint8Array(8);
	const v = new DataView(head.buffer);
	v.setUint32(0, type, true);
	v.setUint32(4, length, true);
	const tail = new Uint8Array(4);
	new DataView(tail.buffer).setUint32(0, length, true);
	return concat([head, ...parts, tail]);
}

/** A whole pcapng in memory. */
export function writePcapng(
	packets: Iterable<PcapngPacket>,
	interfaces: readonly PcapngInterface[] = [{}],
	section: PcapngSection = {},
): Uint8Array {
	const w = new PcapngWriter();
	const parts = [w.header(section), ...interfaces.map((i) => w.addInterface(i))];
	for (const p of packets) parts.push(w.packet(p));
	return concat(parts);
}
