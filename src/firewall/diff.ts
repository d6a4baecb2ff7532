/*
 * firewall/diff.ts: what became of the same packets under two configurations: flows whose verdict, translation or path changed.
 */
import type { PacketJourney } from '../trace/explain.ts';
import { flowTuple, tupleKey } from '../trace/frames.ts';
import { outcome } from './check.ts';

/** Packets of one direction of one flow that end otherwise. */
export interface ChangedFlow {
	/** Of the first of them. */
	packet: string;
	dev: string;
	/** ns since the first packet of all. */
	time: number;
	/** What changed: some of 'verdict', 'nat', 'path'. */
	what: string[];
	old: string;
	new: string;
	packets: number;
}

/** What differs between two ends of a packet. */
export function differences(a: PacketJourney, b: PacketJourney): string[] {
	const out: string[] = [];
	if (a.action !== b.action) out.push('verdict');
	const passed = (j: PacketJourney): boolean => j.out !== undefined || j.action === 'deliver';
	if (passed(a) && passed(b)) {
		if (a.end?.src !== b.end?.src || a.end?.dst !== b.end?.dst) out.push('nat');
		if (a.out?.dev !== b.out?.dev) out.push('path');
	}
	return out;
}

export class FlowDiff {
	/** By flow and what changed, in the order in which they came. */
	private flows: Map<string, ChangedFlow> = new Map();
	packets = 0;
	changed = 0;

	/** A packet (`frame`) was replayed under both. */
	add(dev: string, frame: Uint8Array, time: number, a: PacketJourney, b: PacketJourney): void {
		this.packets++;
		const what = differences(a, b);
		if (what.length === 0) return;
		this.changed++;
		const tuple = frame.length >= 34 && frame[12] === 8 && frame[13] === 0 ? flowTuple(frame, false) : null;
		const key = `${dev} ${tuple === null ? a.packet : tupleKey(tuple)} ${what} ${a.action} ${b.action}`;
		const old = this.flows.get(key);
		if (old !== undefined) old.packets++;
		else
			this.flows.set(key, {
				packet: a.packet || b.packet,
				dev,
				time,
				what,
				old: outcome(a),
				new: outcome(b),
				packets: 1,
			});
	}

	list(): ChangedFlow[] {
		return [...this.flows.values()];
	}
}
