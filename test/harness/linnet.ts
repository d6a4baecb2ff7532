/*
 * test/harness/linnet.ts: everything that the harness needs of linnet, in one place: the packet notation, captures, the dissector, and the
 * side of a scenario that runs in our lab.
 */
import { readCapture as readCaptureFile } from '../../src/packet/capture.ts';
import { dissect as dissectFrame, summary } from '../../src/packet/dissect.ts';

export { packet } from '../../src/packet/build.ts';
export { summary };

/** The frames of a pcap or pcapng. */
export function readCapture(data: Uint8Array): Uint8Array[] {
	return readCaptureFile(data).packets.map((p) => p.data);
}

/** The fields of a frame, one a line, for reports. */
export function dissect(bytes: Uint8Array): string[] {
	const d = dissectFrame(bytes);
	const out: string[] = [];
	for (const h of d.headers)
		for (const [key, value] of Object.entries(h))
			if (key !== 'layer' && key !== 'at' && key !== 'start' && value !== undefined)
				out.push(`${h.layer} ${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
	if (d.payload.length > 0) out.push(`payload ${Buffer.from(d.payload).toString('hex')}`);
	for (const p of d.problems) out.push(p);
	return out;
}

export { openLinnet } from './linnet_lab.ts';

/** Why linnet cannot run scenarios, or null when it can. */
export function linnetMissing(): string | null {
	return null;
}
