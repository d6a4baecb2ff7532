/*
 * packet/pcap.ts: the pcap format, read and written.
 * Walk: PcapParser (file header, then records) -> PcapWriter. Both byte orders, micro- and nanoseconds.
 * draft-ietf-opsawg-pcap. Also read: the "modified" format of old Linux distributions (24-byte record headers).
 */

import { concat } from './bytes.ts';
import {
	type ByteQueue,
	type CapturedPacket,
	CaptureError,
	type CaptureInterface,
	type CaptureParser,
	LINKTYPE_ETHERNET,
	MAX_PACKET,
} from './capture_file.ts';

const NO_COMMENTS: readonly string[] = [];

export class PcapParser implements CaptureParser {
	readonly interfaces: CaptureInterface[] = [];
	private little = false;
	private nano = false;
	private recordHeader = 16;
	private count = 0;
	private limit = MAX_PACKET;

	/** Is this big-endian reading of the first four bytes a pcap's? */
	static knows(magic: number): boolean {
		return MAGICS.has(magic);
	}

	next(q: ByteQueue): CapturedPacket | null {
		if (this.interfaces.length === 0 && !this.fileHeader(q)) return null;
		if (q.length < this.recordHeader) return null;
		const caplen = q.u32(8, this.little);
		if (caplen > this.limit)
			throw new CaptureError(
				`pcap: offset ${q.offset + 8}: packet ${this.count + 1} says that ${caplen} bytes of it follow: expected at most ${this.limit}`,
				q.offset + 8,
			);
		if (q.length < this.recordHeader + caplen) return null;
		const sec = q.u32(0, this.little);
		const fraction = q.u32(4, this.little);
		const origLen = q.u32(12, this.little);
		q.skip(this.recordHeader);
		const data = q.peek(caplen);
		q.skip(caplen);
		this.count++;
		const perSecond = this.nano ? 1e9 : 1e6;
		// Some writers let the fraction run over a second.
		const carry = Math.floor(fraction / perSecond);
		return {
			sec: sec + carry,
			nsec: (fraction - carry * perSecond) * (this.nano ? 1 : 1000),
			data,
			origLen,
			linktype: this.interfaces[0].linktype,
			iface: 0,
			comments: NO_COMMENTS,
			direction: 0,
		};
	}

	private fileHeader(q: ByteQueue): boolean {
		if (q.length < 24) return false;
		const h = q.peek(24);
		const kind = MAGICS.get(((h[0] << 24) | (h[1] << 16) | (h[2] << 8) | h[3]) >>> 0)!;
		this.little = kind.little;
		this.nano = kind.nano;
		this.recordHeader = kind.modified ? 24 : 16;
		const major = kind.little ? h[4] | (h[5] << 8) : (h[4] << 8) | h[5];
		const minor = kind.little ? h[6] | (h[7] << 8) : (h[6] << 8) | h[7];
		if (major !== 2 || minor < 3)
			throw new CaptureError(`pcap: offset 4: version ${major}.${minor} came: expected 2.4`, 4);
		const snaplen = q.u32(16, this.little);
		// The upper bits of the link type tell about frame check sequences.
		const linktype = q.u32(20, this.little) & 0xffff;
		if (snaplen > MAX_PACKET && snaplen <= 16 * MAX_PACKET) this.limit = snaplen;
		this.interfaces.push({ linktype, snaplen, name: '', description: '', nanoseconds: this.nano });
		q.skip(24);
		return true;
	}

	end(q: ByteQueue): void {
		if (this.interfaces.length === 0)
			throw new CaptureError(`pcap: offset 0: the file header has only ${q.length} bytes: expected 24`, 0);
		if (q.length === 0) return;
		const at = `pcap: offset ${q.offset}: packet ${this.count + 1} is truncated:`;
		if (q.length < this.recordHeader)
			throw new CaptureError(`${at} its header has ${q.length} bytes: expected ${this.recordHeader}`, q.offset);
		const caplen = q.u32(8, this.little);
		throw new CaptureError(`${at} ${q.length - this.recordHeader} bytes follow: expected ${caplen}`, q.offset);
	}
}

interface Magic {
	readonly little: boolean;
	readonly nano: boolean;
	readonly modified: boolean;
}

const MAGICS: ReadonlyMap<number, Magic> = new Map([
	[0xa1b2c3d4, { little: false, nano: false, modified: false }],
	[0xd4c3b2a1, { little: true, nano: false, modified: false }],
	[0xa1b23c4d, { little: false, nano: true, modified: false }],
	[0x4d3cb2a1, { little: true, nano: true, modified: false }],
	[0xa1b2cd34, { little: false, nano: false, modified: true }],
	[0x34cdb2a1, { little: true, nano: false, modified: true }],
]);

export interface PcapOptions {
	readonly linktype?: number;
	readonly snaplen?: number;
	readonly nanoseconds?: boolean;
	readonly bigEndian?: boolean;
}

/** What a writer needs of a packet. */
export interface PacketToWrite {
	readonly sec: number;
	readonly nsec: number;
	readonly data: Uint8Array;
	readonly origLen?: number;
}

/** Writes a pcap piece by piece: header() once, then packet() for each; both give the bytes to be written. */
export class PcapWriter {
	private readonly options: Required<PcapOptions>;

	constructor(options: PcapOptions = {}) {
		this.options = {
			linktype: LINKTYPE_ETHERNET,
			snaplen: MAX_PACKET,
			nanoseconds: false,
			bigEndian: false,
			...options,
		};
	}

	header(): Uint8Array {
		const v = new DataView(new ArrayBuffer(24));
		const little = !this.options.bigEndian;
		v.setUint32(0, this.options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little);
		v.setUint16(4, 2, little);
		v.setUint16(6, 4, little);
		v.setUint32(16, this.options.snaplen, little);
		v.setUint32(20, this.options.linktype, little);
		return new Uint8Array(v.buffer);
	}

	/** One record; what is longer than the snap length is cut. */
	packet(p: PacketToWrite): Uint8Array {
		const caplen = Math.min(p.data.length, this.options.snaplen);
		const out = new Uint8Array(16 + caplen);
		const v = new DataView(out.buffer);
		const little = !this.options.bigEndian;
		v.setUint32(0, p.sec, little);
		v.setUint32(4, this.options.nanoseconds ? p.nsec : Math.floor(p.nsec / 1000), little);
		v.setUint32(8, caplen, little);
		v.setUint32(12, p.origLen ?? p.data.length, little);
		out.set(caplen === p.data.length ? p.data : p.data.subarray(0, caplen), 16);
		return out;
	}
}

/** A whole pcap in memory. */
export function writePcap(packets: Iterable<PacketToWrite>, options: PcapOptions = {}): Uint8Array {
	const w = new PcapWriter(options);
	const parts = [w.header()];
	for (const p of packets) parts.push(w.packet(p));
	return concat(parts);
}
