/*
 * packet/capture_file.ts: what pcap and pcapng have in common.
 * Walk: link types -> CapturedPacket -> CaptureError -> ByteQueue (what has been fed and not yet read) -> CaptureParser.
 */

export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_LOOP = 108;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_LINUX_SLL2 = 276;

/** libpcap's name and description of a link type. */
export function linktypeName(linktype: number): { name: string; description: string } {
	return LINKTYPES[linktype] ?? { name: String(linktype), description: '' };
}

const LINKTYPES: { readonly [n: number]: { name: string; description: string } } = {
	0: { name: 'NULL', description: 'BSD loopback' },
	1: { name: 'EN10MB', description: 'Ethernet' },
	101: { name: 'RAW', description: 'Raw IP' },
	108: { name: 'LOOP', description: 'OpenBSD loopback' },
	113: { name: 'LINUX_SLL', description: 'Linux cooked v1' },
	228: { name: 'IPV4', description: 'Raw IPv4' },
	229: { name: 'IPV6', description: 'Raw IPv6' },
	276: { name: 'LINUX_SLL2', description: 'Linux cooked v2' },
};

/** One packet of a capture. The time is in whole seconds and nanoseconds: a double of nanoseconds would lose digits. */
export interface CapturedPacket {
	sec: number;
	nsec: number;
	/** What was captured of it; may be shorter than origLen. */
	data: Uint8Array;
	/** Its length on the wire. */
	origLen: number;
	linktype: number;
	/** Index into the reader's interfaces (always 0 in a pcap). */
	iface: number;
	comments: readonly string[];
	/** 1 in, 2 out, 0 unknown. */
	direction: 0 | 1 | 2;
}

/** An interface that a capture names. */
export interface CaptureInterface {
	linktype: number;
	snaplen: number;
	name: string;
	description: string;
	/** Nanosecond timestamps (or finer)? */
	nanoseconds: boolean;
}

/** A capture file that is not what it says. */
export class CaptureError extends Error {
	readonly offset: number;
	constructor(message: string, offset: number) {
		super(message);
		this.name = 'CaptureError';
		this.offset = offset;
	}
}

/** The most that one packet may have: what libpcap takes, too. */
export const MAX_PACKET = 262144;

/** Bytes that were fed and not yet read. It holds what came, never what a length field claims. */
export class ByteQueue {
	private buffer = new Uint8Array(65536);
	private start = 0;
	private stop = 0;
	/** Offset in the file of the first unread byte. */
	offset = 0;

	get length(): number {
		return this.stop - this.start;
	}

	push(chunk: Uint8Array): void {
		if (this.stop + chunk.length > this.buffer.length) {
			// Always a new buffer: what was handed out of the old one stays as it is.
			const held = this.buffer.subarray(this.start, this.stop);
			const room = held.length + chunk.length;
			const next = new Uint8Array(
				room > this.buffer.length ? Math.max(this.buffer.length * 2, room) : this.buffer.length,
			);
			next.set(held);
			this.buffer = next;
			this.stop -= this.start;
			this.start = 0;
		}
		this.buffer.set(chunk, this.stop);
		this.stop += chunk.length;
	}

	/** The 32 bits at `o` of what comes next. The caller has checked the length. */
	u32(o: number, little: boolean): number {
		const b = this.buffer;
		o += this.start;
		return little
			? (b[o] | (b[o + 1] << 8) | (b[o + 2] << 16) | (b[o + 3] << 24)) >>> 0
			: ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
	}

	/** A view of the next n bytes, which nobody writes to any more. The caller has checked the length. */
	peek(n: number): Uint8Array {
		return this.buffer.subarray(this.start, this.start + n);
	}

	skip(n: number): void {
		this.start += n;
		this.offset += n;
	}
}

/** What a format's parser does for the reader. */
export interface CaptureParser {
	readonly interfaces: readonly CaptureInterface[];
	/** The next packet, or null when more bytes are needed. Throws CaptureError. */
	next(q: ByteQueue): CapturedPacket | null;
	/** Says what is missing at the end of the file. Throws CaptureError. */
	end(q: ByteQueue): void;
}
