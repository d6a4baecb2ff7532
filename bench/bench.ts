/*
 * bench/bench.ts: what a bench is, and how it is measured: a warm-up, then rounds in turn with its peer, and medians.
 */
import { readFileSync } from 'node:fs';

/** Something that is measured a few times. */
export interface Side {
	/** One round. Return: the figure, in the bench's unit. */
	round(): number | Promise<number>;
	close?(): void;
}

export interface Bench {
	name: string;
	unit: string;
	/** What the issue asks for, for the table: '≥ 2M'. */
	target: string;
	/** Whether a value meets the target. */
	ok(value: number): boolean;
	/** Rounds of a whole run; --quick takes 2. */
	rounds: number;
	/** Whether more is better: then the ratio is ours over the peer's, else the other way round. */
	more: boolean;
	ours(quick: boolean): Promise<Side>;
	/** What we are measured against; null when it cannot be had here. */
	peers: { name: string; side(quick: boolean): Promise<Side | null> }[];
	/** Anything more to say after the rounds. */
	note?(): string;
}

export interface Result {
	bench: string;
	value: number;
	unit: string;
	peer: string | null;
	peerValue: number | null;
	ratio: number | null;
	/** How much of a CPU our rounds had, 0…1: less than 1 on a machine that is busy with other things. 0: they ran in other processes. */
	cpu: number;
}

export function median(values: number[]): number {
	const v = [...values].sort((a, b) => a - b);
	const m = v.length >> 1;
	return v.length % 2 === 1 ? v[m] : (v[m - 1] + v[m]) / 2;
}

/** ns of the real clock. */
export function nanoseconds(): number {
	return Number(process.hrtime.bigint());
}

/** ns that this thread has had of a CPU: what others do on the machine is not in it. Elsewhere than on Linux: the real clock. */
export function cpuNanoseconds(): number {
	try {
		return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
	} catch {
		return nanoseconds();
	}
}

/** Bytes in use after collecting what can be collected. */
export function heapUsed(): number {
	const gc = (globalThis as { gc?: () => void }).gc;
	gc?.();
	gc?.();
	const m = process.memoryUsage();
	return m.heapUsed + m.arrayBuffers;
}

/** A figure for people: 2.31M, 338k, 12.3. */
export function short(v: number): string {
	const a = Math.abs(v);
	if (a >= 1e9) return `${(v / 1e9).toFixed(2)}G`;
	if (a >= 1e6) return `${(v / 1e6).toFixed(2)}M`;
	if (a >= 1e4) return `${(v / 1e3).toFixed(0)}k`;
	if (a >= 100) return v.toFixed(0);
	return v.toFixed(2);
}

/** Measures `bench`: one line for each peer, or one without. */
export async function measure(bench: Bench, quick: boolean): Promise<Result[]> {
	const ours = await bench.ours(quick);
	const peers: { name: string; side: Side; values: number[] }[] = [];
	for (const p of bench.peers) {
		const side = await p.side(quick);
		if (side !== null) peers.push({ name: p.name, side, values: [] });
	}
	const values: number[] = [];
	const shares: number[] = [];
	try {
		const rounds = quick ? Math.min(2, bench.rounds) : bench.rounds;
		for (let i = 0; i < rounds; i++) {
			const had = cpuNanoseconds();
			const t = nanoseconds();
			values.push(await ours.round());
			shares.push((cpuNanoseconds() - had) / (nanoseconds() - t));
			for (const p of peers) p.values.push(await p.side.round());
		}
	} finally {
		ours.close?.();
		for (const p of peers) p.side.close?.();
	}
	const value = median(values);
	const line = { bench: bench.name, value, unit: bench.unit };
	const share = median(shares);
	const cpu = share < 0.05 ? 0 : Math.min(1, Math.round(share * 100) / 100);
	if (peers.length === 0) return [{ ...line, peer: null, peerValue: null, ratio: null, cpu }];
	return peers.map((p) => {
		const peerValue = median(p.values);
		const ratio = bench.more ? value / peerValue : peerValue / value;
		return { ...line, peer: p.name, peerValue, ratio: Math.round(ratio * 100) / 100, cpu };
	});
}
