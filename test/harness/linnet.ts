/*
 * test/harness/linnet.ts: everything that the harness needs of linnet, in one place: the packet notation, the captures, the dissector, the lab.
 */
import type { Side } from './run.ts';

export { packet } from '../../src/packet/build.ts';

export function readCapture(_data: Uint8Array): Uint8Array[] {
	throw new Error('captures cannot be read yet');
}

/** One line a frame, for reports. */
export function summary(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString('hex');
}

/** Why linnet cannot run scenarios, or null when it can. */
export function linnetMissing(): string | null {
	return 'src/lab is not there yet';
}

export function openLinnet(): Side {
	throw new Error('src/lab is not there yet');
}

/** The fields of a frame, one a line, for reports. */
export function dissect(bytes: Uint8Array): string[] {
	return [Buffer.from(bytes).toString('hex')];
}
