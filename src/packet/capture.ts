/*
 * packet/capture.ts: reads captures, pcap or pcapng, as a stream or whole.
 * Walk: CaptureReader (feed, next, end) -> readCapture -> readPackets.
 */

import {
	ByteQueue,
	type CapturedPacket,
	CaptureError,
	type CaptureInterface,
	type CaptureParser,
} from './capture_file.ts';
import { PcapParser } from './pcap.ts';
import { PcapngParser } from './pcapng.ts';

export * from './capture_file.ts';

/** Reads pcap and pcapng as the bytes come: feed(), then next() until it gives null; end() at the end of the file. */
export class CaptureReader {
	private readonly queue = new ByteQueue();
	private parser: CaptureParser | null = null;

	/** Which format it is; null until the first four bytes came. */
	get format(): 'pcap' | 'pcapng' | null {
		return this.parser === null ? null : this.parser instanceof PcapParser ? 'pcap' : 'pcapng';
	}

	get interfaces(): readonly CaptureInterface[] {
		return this.parser?.interfaces ?? [];
	}

	feed(chunk: Uint8Array): void {
		this.queue.push(chunk);
	}

	/** The next packet, or null when more bytes are needed. Its data is the caller's own. Throws CaptureError. */
	next(): CapturedPacket | null {
		if (this.parser === null) {
			if (this.queue.length < 4) return null;
			const b = this.queue.peek(4);
			const magic = ((b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3]) >>> 0;
			if (magic === 0x0a0d0d0a) this.parser = new PcapngParser();
			else if (PcapParser.knows(magic)) this.parser = new PcapParser();
			else
				throw new CaptureError(
					`capture: offset 0: magic number ${magic.toString(16).padStart(8, '0')} came: expected that of pcap (a1b2c3d4, a1b23c4d, either byte order) or pcapng (0a0d0d0a)`,
					0,
				);
		}
		return this.parser.next(this.queue);
	}

	/** To be called at the end of the file. Throws CaptureError when it ends inside something. */
	end(): void {
		if (this.parser !== null) this.parser.end(this.queue);
		else if (this.queue.length === 0) throw new CaptureError('capture: the file is empty', 0);
		else
			throw new CaptureError(
				`capture: offset 0: the file has only ${this.queue.length} bytes: expected a magic number`,
				0,
			);
	}
}

/** A whole capture in memory. Throws CaptureError. */
export function readCapture(file: Uint8Array): { packets: CapturedPacket[]; interfaces: readonly CaptureInterface[] } {
	const reader = new CaptureReader();
	const packets: CapturedPacket[] = [];
	reader.feed(file);
	for (let p = reader.next(); p !== null; p = reader.next()) packets.push(p);
	reader.end();
	return { packets, interfaces: reader.interfaces };
}

/** The packets of a capture that arrives in chunks, such as a Node stream or a fetch body. Throws CaptureError. */
export async function* readPackets(
	chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	reader: CaptureReader = new CaptureReader(),
): AsyncGenerator<CapturedPacket, void, undefined> {
	for await (const chunk of chunks) {
		reader.feed(chunk);
		for (let p = reader.next(); p !== null; p = reader.next()) yield p;
	}
	reader.end();
}
