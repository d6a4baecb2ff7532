/*
 * trace/explain.ts: what became of a packet, and why: the end of its journey, and who decided it. The lines are made in steps.ts.
 */
import type { journey, trace_record } from '../kernel/trace.ts';
import { Headers, routeText, ruleText, stepsOf, str } from './steps.ts';

export { packetLine } from './steps.ts';

/** One line of a journey. */
export interface JourneyStep {
	/** ns of the world's clock. */
	time: number;
	machine: string;
	netns: string;
	dev: string;
	/** Kernel function. */
	fn: string;
	/** A word for the left margin: 'receive', 'conntrack', 'route', …. */
	phase: string;
	text: string;
	/** Shown when it was asked for: functions passed, rules that did not match. */
	detail: string[];
	/** The record's own data. */
	data: Record<string, unknown>;
	/** What changed in the headers since the step before. */
	changes: string[];
	/** An important line: a decision. */
	decision: boolean;
}

export type JourneyAction =
	| 'deliver'
	| 'forward'
	| 'send'
	| 'drop'
	| 'reject'
	| 'answer'
	| 'queue'
	| 'consume'
	| 'lost'
	| 'undecided';

/** Where a rule stands. */
export interface RuleRef {
	table: string;
	chain: string;
	num: number;
	text?: string;
	/** `rules.v4 line 31` */
	config?: string;
}

/** One packet's way through one machine, explained. */
export interface PacketJourney {
	/** The packet as it came. */
	packet: string;
	machine: string;
	steps: JourneyStep[];
	action: JourneyAction;
	/** The kernel's drop reason, without the prefix. */
	reason?: string;
	/** The rule that decided. */
	rule?: RuleRef;
	/** The sysctl that decided, and its value. */
	sysctl?: { name: string; value: string };
	/** The MIB counter that the drop bumped. */
	counter?: string;
	/** The kernel function where it ended. */
	at?: string;
	/** Why, in words, when there is more to say. */
	why?: string;
	/** Where it went, and what it looked like then. */
	out?: { dev: string; packet: string };
	/** What it looked like where it ended: addresses with ports, where it has some, after all that was translated; and its mark. */
	end?: { src: string; dst: string; mark: number };
	/** What was taken for granted of the host, where the journey ends in it: that somebody listens. */
	assumed?: string;
	/** Packets that it caused: ICMP errors, answers, fragments. */
	caused: PacketJourney[];
	/** Where the same packet went on: at the other ends of the cable that it left by. */
	continued: PacketJourney[];
}

/** Finds a rule's text and place by table, chain and number; number 0 is the chain's policy, which has no text. */
export type RuleLookup = (
	machine: string,
	table: string,
	chain: string,
	num: number,
) => { text: string; config?: string } | undefined;

/** A packet that came to the host itself, where no socket takes it. */
export interface LocalPacket {
	protocol: 'tcp' | 'udp' | 'icmp';
	addr: number;
	/** Port; id of an ICMP echo. */
	port: number;
	/** conntrack's state of it; '' without conntrack. */
	state: string;
	/** It is an answer to what the host itself sent. */
	reply: boolean;
}

/** What is known of a host's sockets beside those that are open here. */
export interface LocalLookup {
	/** Why it is taken that somebody has a socket for the packet all the same, and whether that is known; null: nobody has. */
	taken(packet: LocalPacket): { text: string; sure: boolean } | null;
	/** Whose socket it is that took a packet; '' where nobody knows. */
	holder(protocol: string, port: number): string;
}

const NOBODY: LocalLookup = { taken: () => null, holder: () => '' };

export function ruleName(r: RuleRef): string {
	return r.num > 0 ? `${r.table}/${r.chain} rule ${r.num}` : `${r.table}/${r.chain} policy`;
}

const NOTHING: Record<string, unknown> = Object.freeze({});
/** What a record may say of why a packet ends as it does. */
interface Cause {
	sysctl: unknown;
	value: unknown;
	counter: unknown;
	why: unknown;
	unknown: unknown;
}

/** What a record says of the cause of the end, into `cause`. */
function causeOf(r: trace_record, d: Record<string, unknown>, cause: Cause): void {
	if (r.kind === 'note' || (r.kind === 'conntrack' && d.event === 'drop') || r.kind === 'route' || r.kind === 'neigh') {
		// Why the host says nothing about a packet is not why the packet ended.
		if (d.sent === false) return;
		if (d.sysctl !== undefined) cause.sysctl = d.sysctl;
		if (d.value !== undefined) cause.value = d.value;
		if (d.counter !== undefined) cause.counter = d.counter;
		if (d.why !== undefined) cause.why = d.why;
		if (d.unknown !== undefined) cause.unknown = d.unknown;
	}
}

/** What a socket's record and conntrack's say of a packet that nobody takes. */
function localPacket(
	socket: trace_record,
	conntrack: Record<string, unknown> | null,
	d: Record<string, unknown>,
): LocalPacket {
	const h = socket.header;
	return {
		protocol: socket.fn.startsWith('__udp4') ? 'udp' : d.id !== undefined ? 'icmp' : 'tcp',
		addr: h !== null && h.length >= 20 ? ((h[16] << 24) | (h[17] << 16) | (h[18] << 8) | h[19]) >>> 0 : 0,
		port: Number(d.port ?? d.id ?? 0),
		state: str(conntrack?.state),
		reply: conntrack?.dir === 'reply',
	};
}

/** Explains a journey and all that it caused; `brief`: without the steps. */
export function explain(
	root: journey,
	look: RuleLookup = () => undefined,
	brief = false,
	local: LocalLookup = NOBODY,
): PacketJourney {
	const records = root.records;
	const headers = new Headers();
	const first = records.find((r) => r.header !== null && r.header.length > 0);
	const out: PacketJourney = {
		packet: first === undefined ? '' : headers.line(first.header),
		machine: records[0]?.machine ?? '',
		steps: [],
		action: 'consume',
		caused: [],
		continued: [],
	};
	let lastRule: Record<string, unknown> | null = null;
	let lastHook: trace_record | null = null;
	const cause: Cause = { sysctl: undefined, value: undefined, counter: undefined, why: undefined, unknown: undefined };
	let dropped: trace_record | null = null;
	let sent: trace_record | null = null;
	let delivered: trace_record | null = null;
	let unheard: trace_record | null = null;
	let conntrack: Record<string, unknown> | null = null;
	let rejected = false;
	let route: Record<string, unknown> | null = null;
	let link: Record<string, unknown> | null = null;
	let undecided: Record<string, unknown> | null = null;
	for (const r of records) {
		if (r.kind === 'fn') continue;
		if (r.kind === 'hook') {
			lastHook = r;
			continue;
		}
		const d = r.detail ?? NOTHING;
		if (r.kind === 'rule' && d.matched === true && Number(d.rulenum) > 0) {
			lastRule = d;
			if (d.target === 'REJECT') rejected = true;
		}
		if (r.kind === 'rule' && cause.unknown !== undefined && undecided === null) undecided = d;
		if (r.kind === 'policy') lastRule = { table: d.table, chain: d.chain, rulenum: 0, verdict: d.verdict };
		causeOf(r, d, cause);
		if (r.kind === 'conntrack' && d.state !== undefined) conntrack = d;
		if (r.kind === 'route') route = d;
		if (r.kind === 'drop') dropped = r;
		if (r.kind === 'tx') sent = r;
		if (r.kind === 'link') link = d;
		// By lo it comes back to us: the end is what happens there.
		if (r.kind === 'rx') sent = null;
		if (r.kind === 'socket') {
			if (d.found === false) unheard = r;
			else delivered = r;
		}
	}
	if (!brief) {
		out.steps = stepsOf(records, look, headers);
		const last = records.findLast((r) => r.header !== null && r.header.length >= 20);
		if (last !== undefined) out.end = endOf(last);
	}
	for (const c of root.children) {
		if (c.origin === 'link') out.continued.push(explain(c, look, brief, local));
		else out.caused.push(explain(c, look, brief, local));
	}

	if (cause.unknown !== undefined) {
		out.action = 'undecided';
		out.why = `the rule uses what linnet does not know: ${str(cause.unknown)}`;
		if (undecided !== null) out.rule = ruleText(look, out.machine, undecided);
	} else if (dropped !== null) {
		// A raw socket has taken a copy: that nobody else wanted it is no loss.
		if (dropped.detail?.reason === 'NO_SOCKET' && root.children.some(takenRaw)) {
			deliver(out, 'to a raw socket', true);
			return out;
		}
		const assumed =
			unheard === null || delivered !== null || dropped.detail?.reason !== 'NO_SOCKET'
				? null
				: local.taken(localPacket(unheard, conntrack, unheard.detail ?? NOTHING));
		if (assumed !== null) {
			deliver(out, assumed.text, assumed.sure);
			return out;
		}
		const reason = str(dropped.detail?.reason);
		out.reason = reason;
		out.at = dropped.fn;
		out.action = rejected ? 'reject' : 'drop';
		if (reason === 'NETFILTER_DROP' && lastRule !== null) {
			if (lastRule.verdict !== 'ACCEPT') out.rule = ruleText(look, out.machine, lastRule);
			else if (lastHook !== null) out.at = lastHook.fn;
		}
		if (cause.sysctl !== undefined) out.sysctl = { name: str(cause.sysctl), value: str(cause.value) };
		if (cause.counter !== undefined) out.counter = str(cause.counter);
		else if (unheard?.detail?.counter !== undefined) out.counter = str(unheard.detail.counter);
		if (cause.why !== undefined && out.rule === undefined) out.why = str(cause.why);
		if (reason === 'NO_SOCKET' && unheard !== null) out.why ??= 'nobody listens';
		if (dropped.fn === 'ip_error' && route !== null) out.why ??= `the route says so: ${routeText(route)}`;
	} else if (sent !== null) {
		out.action = records[0].kind === 'rx' || records.some((r) => r.fn === 'ip_forward') ? 'forward' : 'send';
		out.out = { dev: str(sent.detail?.dev) || sent.dev, packet: headers.line(sent.header) };
		if (link?.event === 'lost') {
			out.action = 'lost';
			out.why = `${str(link.link)}: ${str(link.why)}`;
		}
	} else if (delivered !== null) {
		out.action = 'deliver';
		const port = /:(\d+)$/.exec(str(delivered.detail?.local));
		const who = port === null ? '' : local.holder(str(delivered.detail?.protocol).toLowerCase(), Number(port[1]));
		if (who !== '') out.why = `to ${who}`;
	} else if (records.some((r) => r.kind === 'consume')) {
		const fragments = out.caused.filter((c) => c.out !== undefined);
		if (records.some((r) => r.kind === 'frag') && fragments.length > 0) {
			out.action = records.some((r) => r.fn === 'ip_forward') ? 'forward' : 'send';
			out.out = fragments[0].out;
		} else out.action = out.caused.length > 0 ? 'answer' : 'consume';
	} else if (records.length > 0) {
		out.action = 'queue';
		out.why ??= waiting(records);
	}
	return out;
}

/** Addresses and mark of a packet where it ended. */
function endOf(r: trace_record): PacketJourney['end'] {
	const h = r.header!;
	const l4 = (h[0] & 15) * 4;
	const first = (((h[6] << 8) | h[7]) & 0x1fff) === 0;
	const ports = first && [6, 17, 33, 132, 136].includes(h[9]) && h.length >= l4 + 4;
	const side = (at: number, port: number): string =>
		h.subarray(at, at + 4).join('.') + (ports ? `:${(h[l4 + port] << 8) | h[l4 + port + 1]}` : '');
	return { src: side(12, 0), dst: side(16, 2), mark: r.mark >>> 0 };
}

/** What a packet that has not ended waits for. */
function waiting(records: readonly trace_record[]): string {
	const last = records.findLast((r) => r.kind !== 'fn' && r.kind !== 'hook');
	if (last?.kind === 'neigh') return `it waits for ${str(last.detail?.addr)} to answer ARP`;
	if (records.some((r) => r.fn === 'nf_queue')) return 'it waits for a program that listens to its NFQUEUE';
	if (records.some((r) => r.fn === 'ip_defrag' || r.fn.includes('defrag'))) return 'it waits for the other fragments';
	return 'it waits';
}

function takenRaw(copy: journey): boolean {
	return copy.records.some((r) => r.kind === 'socket' && r.detail?.protocol === 'RAW');
}

/** Ends the journey at the socket that is taken to be there; what follows only happens without one. */
function deliver(out: PacketJourney, text: string, sure: boolean): void {
	out.action = 'deliver';
	if (sure) {
		out.why = text;
		out.caused = [];
	} else out.assumed = text;
	const at = out.steps.findLastIndex((s) => s.phase === 'socket');
	if (at >= 0) {
		out.steps.length = at + 1;
		out.steps[at] = { ...out.steps[at], text };
	}
}
