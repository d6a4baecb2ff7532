/*
 * test/harness/frames.ts: the frames of a `send` step, from scapy notation, hex or a capture.
 */
import { readFileSync } from 'node:fs';
import { packet, readCapture } from './linnet.ts';
import { type Scenario, ScenarioError, type Step } from './scenario.ts';

/** All frames of the step, in order. A frame without a source address gets that of the device it is sent from. */
export function buildFrames(s: Scenario, step: Step & { kind: 'send' }): Uint8Array[] {
	const frames: Uint8Array[] = [];
	const nic = s.nics.find((n) => `${n.host}:${n.name}` === step.from)!;
	for (const text of step.packets) {
		let bytes: Uint8Array;
		try {
			bytes = packet(text, { defaults: { Ether: { src: nic.mac }, ARP: { hwsrc: nic.mac } } });
		} catch (e) {
			throw new ScenarioError(`${s.name}:${step.line}: send: ${(e as Error).message}`);
		}
		frames.push(bytes);
	}
	for (const text of step.hex) frames.push(new Uint8Array(Buffer.from(text, 'hex')));
	if (step.pcap) {
		let data: Uint8Array;
		try {
			data = readFileSync(step.pcap);
		} catch {
			throw new ScenarioError(`${s.name}:${step.line}: send: ${step.pcap} cannot be read`);
		}
		frames.push(...readCapture(data));
	}
	return frames;
}
