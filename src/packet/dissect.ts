/*
 * packet/dissect.ts: bytes into headers, for people and tests.
 * dissect(frame) gives the headers, the payload and what is wrong with them; summary(frame) is one line; diffHeaders(a, b) names
 * what changed between two forms of a packet. Nothing here throws, whatever the bytes are.
 * Walk: dissect -> find -> summary -> diffHeaders.
 */

import { LINKTYPE_ETHERNET } from './capture_file.ts';
import { type Header, type HeaderOf, type LayerName, MAX_DEPTH, type Walk } from './dissect/headers.ts';
import { ethertype, link } from './dissect/network.ts';
import { describe, fieldsOf } from './dissect/text.ts';
import { transport } from './dissect/transport.ts';

export type * from './dissect/headers.ts';

export interface Dissection {
	readonly headers: readonly Header[];
	/** What the innermost header carries, without the link layer's padding. */
	readonly payload: Uint8Array;
	/** What is wrong: truncated headers, bad checksums, lengths that do not fit. Empty for a good packet. */
	readonly problems: readonly string[];
	readonly bytes: Uint8Array;
}

/** Reads header after header. */
function run(w: Walk): void {
	while (w.next !== null) {
		const { kind, number } = w.next;
		w.next = null;
		if (++w.depth > MAX_DEPTH) w.problems.push('too many headers');
		else if (kind === 'ethertype') ethertype(w, number);
		else transport(w, number);
	}
}

/** Dissects a packet from its link layer on; `brief`: for a line, checksums are not judged and options not read. Never throws. */
export function dissect(bytes: Uint8Array, linktype: number = LINKTYPE_ETHERNET, brief = false): Dissection {
	const w: Walk = {
		b: bytes,
		headers: [],
		problems: [],
		at: 0,
		end: bytes.length,
		quoted: false,
		brief,
		depth: 0,
		src: null,
		dst: null,
		fragment: false,
		next: null,
		run,
	};
	link(w, linktype);
	run(w);
	const end = Math.min(w.end, bytes.length);
	return { headers: w.headers, payload: bytes.subarray(Math.min(w.at, end), end), problems: w.problems, bytes };
}

/** The first header of a kind, or undefined: find(d, 'tcp')?.flags */
export function find<L extends LayerName>(d: Dissection | readonly Header[], layer: L): HeaderOf<L> | undefined {
	const headers = 'headers' in d ? d.headers : d;
	return headers.find((h): h is HeaderOf<L> => h.layer === layer);
}

/** One line about a packet: "10.0.0.1:1000 > 10.0.0.2:80 TCP S seq 0 win 8192 len 0". */
export function summary(packet: Uint8Array | Dissection, linktype: number = LINKTYPE_ETHERNET): string {
	const d = packet instanceof Uint8Array ? dissect(packet, linktype) : packet;
	const bad = d.problems.length === 0 ? '' : ` [${d.problems.join('; ')}]`;
	return describe(d.headers, d.payload.length, d.bytes.length) + bad;
}

/** What changed from one form of a packet to the next: ["ttl 64 → 63", "dst 1.2.3.4:80 → 10.0.0.5:8080"]. Checksums are left out. */
export function diffHeaders(
	before: Uint8Array | Dissection,
	after: Uint8Array | Dissection,
	linktype: number = LINKTYPE_ETHERNET,
): string[] {
	const a = before instanceof Uint8Array ? dissect(before, linktype) : before;
	const b = after instanceof Uint8Array ? dissect(after, linktype) : after;
	const out: string[] = [];
	for (const [x, y] of align(a.headers, b.headers)) {
		if (x === null) out.push(`+ ${describe([y!], 0, 0)}`);
		else if (y === null) out.push(`- ${describe([x], 0, 0)}`);
		else if (!identical(x, a.bytes, y, b.bytes)) out.push(...changed(x, a.headers, y, b.headers));
	}
	if (a.payload.length !== b.payload.length) out.push(`payload ${a.payload.length} → ${b.payload.length} bytes`);
	else if (a.payload.some((v, i) => v !== b.payload[i])) out.push('payload changed');
	return out;
}

/** Whether two headers are the same bytes at the same place; an IP header's ports are told with it. */
function identical(x: Header, a: Uint8Array, y: Header, b: Uint8Array): boolean {
	if (x.offset !== y.offset || x.length !== y.length) return false;
	const end = x.offset + x.length + (x.layer === 'ipv4' || x.layer === 'ipv6' ? 4 : 0);
	for (let i = x.offset; i < end; i++) if (a[i] !== b[i]) return false;
	return true;
}

function changed(x: Header, xs: readonly Header[], y: Header, ys: readonly Header[]): string[] {
	const before = fieldsOf(x, xs);
	const after = fieldsOf(y, ys);
	const out: string[] = [];
	for (const name of new Set([...before.keys(), ...after.keys()])) {
		const u = before.get(name);
		const v = after.get(name);
		if (u === v) continue;
		if (u === undefined || u === '') out.push(`${name} ${v} added`);
		else if (v === undefined || v === '') out.push(`${name} ${u} removed`);
		else out.push(`${name} ${u} → ${v}`);
	}
	return out;
}

/** Pairs the headers of two packets by kind, keeping the order; null where one has no partner. */
function align(a: readonly Header[], b: readonly Header[]): [Header | null, Header | null][] {
	if (a.length === b.length && a.every((h, i) => h.layer === b[i].layer)) return a.map((h, i) => [h, b[i]]);
	const best: number[][] = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			best[i][j] = a[i].layer === b[j].layer ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
	const out: [Header | null, Header | null][] = [];
	let i = 0;
	let j = 0;
	while (i < a.length || j < b.length) {
		if (i < a.length && j < b.length && a[i].layer === b[j].layer) out.push([a[i++], b[j++]]);
		else if (j >= b.length || (i < a.length && best[i + 1][j] >= best[i][j + 1])) out.push([a[i++], null]);
		else out.push([null, b[j++]]);
	}
	return out;
}
