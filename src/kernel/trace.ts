/*
 * kernel/trace.ts: tracepoints: what the kernel says of a packet that is being followed.    Linux: trace/events/{skb,net,fib,neigh,…}.h
 *
 * `skb.journey` is null unless the packet is traced. Kernel functions say `if (skb.journey !== null) trace_fn(skb, 'ip_rcv')`.
 * A record is plain data; `trace/` explains it to people. Strings are made only for traced packets.
 */
import type { sk_buff } from '../net/core/skbuff.ts';
import type { Machine } from './machine.ts';

export type trace_kind =
	| 'fn' // a kernel function was entered
	| 'hook' // a netfilter hook begins: detail.hook
	| 'rule' // an iptables rule was tried: table, chain, rulenum, matched, verdict, why
	| 'policy' // a base chain's policy decided
	| 'route' // a route lookup: the flow, the rule, the table, the prefix, the next hop, or the error
	| 'conntrack' // the entry, its state, whether new
	| 'nat' // a tuple was rewritten
	| 'neigh' // neighbour state
	| 'socket' // found or not
	| 'frag' // fragmented or reassembled
	| 'icmp' // an ICMP message was made because of this packet
	| 'note' // anything else worth a line
	| 'drop' // kfree_skb_reason
	| 'consume' // consume_skb
	| 'rx' // came from a device
	| 'tx' // left by a device
	| 'link'; // what a cable between machines did to it: lost, delayed

/** One record. Header bytes are a copy from the network header on (at most 128 bytes). */
export interface trace_record {
	/** ns of the world's clock. */
	ts: number;
	kind: trace_kind;
	machine: string;
	/** Network namespace's name ('' for the first). */
	netns: string;
	/** Device at hand, '' if none. */
	dev: string;
	/** Kernel function. */
	fn: string;
	/** Per kind; plain JSON. */
	detail: Record<string, unknown> | null;
	/** Network header and what follows, as they were then: the same object as before while they stay the same. */
	header: Uint8Array | null;
	mark: number;
}

/** One packet's way: grows as the packet goes. Clones, copies, fragments and the packets it caused point to their parent. */
export class journey {
	id: number;
	parent: journey | null;
	/** How it came about: 'rx', 'local', 'clone', 'fragment', 'icmp', …. */
	origin: string;
	records: trace_record[] = [];
	children: journey[] = [];
	/** The header of the last record that has one. */
	header: Uint8Array | null = null;
	/**
	 * Only the end is asked for: functions passed and hooks begun are noted by name, and all passages share a record (by name).
	 * null: every record is its own.
	 */
	brief: Map<string, trace_record> | null;

	constructor(id: number, parent: journey | null, origin: string, brief: Map<string, trace_record> | null = null) {
		this.id = id;
		this.parent = parent;
		this.origin = origin;
		this.brief = brief;
	}
}

/** The last output route lookup: it comes before the packet that takes the route. */
export interface traced_output_route {
	/** The route found (an rtable), which the packet will hold. */
	rt: object;
	daddr: number;
	fn: string;
	detail: Record<string, unknown>;
}

/** Installed as `machine.tracer`: decides which packets get a journey. */
export interface tracer {
	/** Written by the output route lookup, read when a packet takes that route. */
	output_route?: traced_output_route | null;
	/** A packet came into being on this machine. Return: its journey, or null to let it go untraced. */
	begin(machine: Machine, skb: sk_buff, parent: journey | null, origin: string): journey | null;
}

const HEADER_COPY = 128;

/** The bytes from `from` to `to`: the last record's copy when they are still the same. */
function header_of(last: Uint8Array | null, head: Uint8Array, from: number, to: number): Uint8Array {
	if (last === null || last.length !== to - from) return head.slice(from, to);
	for (let i = from; i < to; i++) if (head[i] !== last[i - from]) return head.slice(from, to);
	return last;
}

/** Appends a record to the packet's journey. Call only when `skb.journey` is not null. */
export function trace_event(skb: sk_buff, kind: trace_kind, fn: string, detail: Record<string, unknown> | null): void {
	const j = skb.journey;
	if (j === null) return;
	const dev = skb.dev;
	const from = skb.network_header >= 0 && skb.network_header <= skb.tail ? skb.network_header : skb.data;
	const to = Math.min(skb.tail, from + HEADER_COPY);
	const header = header_of(j.header, skb.head, from, to);
	j.header = header;
	j.records.push({
		ts: skb.machine.clock.now,
		kind,
		machine: skb.machine.name,
		netns: dev !== null ? dev.net.name : '',
		dev: dev !== null ? dev.name : '',
		fn,
		detail,
		header,
		mark: skb.mark,
	});
}

/** A kernel function was entered. */
export function trace_fn(skb: sk_buff, fn: string): void {
	if (!trace_passed(skb, 'fn', fn)) trace_event(skb, 'fn', fn, null);
}

/** A netfilter hook begins. */
export function trace_hook(skb: sk_buff, fn: string, hook: number, pf: number, priority: number): void {
	if (!trace_passed(skb, 'hook', fn)) trace_event(skb, 'hook', fn, { hook, pf, priority });
}

/** Notes in a brief journey, which has its packet already, that `fn` was passed. Return: false when it must be told in full. */
function trace_passed(skb: sk_buff, kind: trace_kind, fn: string): boolean {
	const j = skb.journey;
	if (j === null || j.brief === null || j.header === null) return false;
	let r = j.brief.get(fn);
	if (r === undefined) {
		r = { ts: 0, kind, machine: skb.machine.name, netns: '', dev: '', fn, detail: null, header: null, mark: 0 };
		j.brief.set(fn, r);
	}
	j.records.push(r);
	return true;
}
