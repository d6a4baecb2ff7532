/*
 * trace/explain.ts: turns the records of a journey into what people read: numbered steps in kernel order, the end, and why.
 * Nothing is modelled here: every line is what a kernel function said that it did.
 */
import type { journey, trace_record } from '../kernel/trace.ts';
import { LINKTYPE_RAW } from '../packet/capture_file.ts';
import { type Dissection, diffHeaders, dissect, summary } from '../packet/dissect.ts';

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
	/** Packets that it caused: ICMP errors, answers, fragments. */
	caused: PacketJourney[];
}

/** Finds a rule's text and place by table, chain and number. */
export type RuleLookup = (
	machine: string,
	table: string,
	chain: string,
	num: number,
) => { text: string; config?: string } | undefined;

const HOOKS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

/** An Ethernet header that says ARP. */
const ARP_FRAME = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 6);

/** The packet of a record in one line: what was not copied of it counts as zeros, and checksums are not judged. */
export function packetLine(header: Uint8Array | null): string {
	if (header === null || header.length === 0) return '';
	if (header.length >= 28 && header[0] === 0 && header[1] === 1 && header[2] === 8 && header[3] === 0) {
		const frame = new Uint8Array(14 + header.length);
		frame.set(ARP_FRAME);
		frame.set(header, 14);
		return summary({ ...dissect(frame), problems: [] });
	}
	let packet = header;
	const total = header.length >= 20 && header[0] >> 4 === 4 ? (header[2] << 8) | header[3] : 0;
	if (total > header.length) {
		packet = new Uint8Array(total);
		packet.set(header);
	}
	return summary({ ...dissect(packet, LINKTYPE_RAW), problems: [] });
}

function str(v: unknown): string {
	return v === null || v === undefined ? '' : typeof v === 'object' ? JSON.stringify(v) : String(v);
}

/** `key value` of what is left of a record's data. */
function rest(data: Record<string, unknown>, used: readonly string[]): string {
	return Object.entries(data)
		.filter(([k, v]) => !used.includes(k) && v !== null && v !== '' && v !== undefined)
		.map(([k, v]) => `${k} ${str(v)}`)
		.join(' ');
}

function ruleText(look: RuleLookup, machine: string, d: Record<string, unknown>): RuleRef {
	const ref: RuleRef = { table: str(d.table), chain: str(d.chain), num: Number(d.rulenum) };
	const found = look(machine, ref.table, ref.chain, ref.num);
	if (found !== undefined) {
		ref.text = found.text;
		if (found.config !== undefined) ref.config = found.config;
	}
	return ref;
}

export function ruleName(r: RuleRef): string {
	return r.num > 0 ? `${r.table}/${r.chain} rule ${r.num}` : `${r.table}/${r.chain} policy`;
}

function routeText(d: Record<string, unknown>): string {
	const parts: string[] = [];
	const type = str(d.type ?? d.rt_type);
	if (type !== '' && type !== 'unicast') parts.push(type);
	if (d.prefix !== undefined) parts.push(str(d.prefix));
	const via = str(d.nexthop ?? d.gateway ?? d.via);
	if (via !== '' && via !== '0.0.0.0') parts.push(`via ${via}`);
	if (str(d.dev) !== '') parts.push(`dev ${str(d.dev)}`);
	if (str(d.src) !== '' && str(d.src) !== '0.0.0.0') parts.push(`src ${str(d.src)}`);
	const from: string[] = [];
	if (d.table !== undefined) from.push(`table ${str(d.table)}`);
	if (d.rule !== undefined && d.rule !== null)
		from.push(
			`rule ${typeof d.rule === 'object' ? str((d.rule as Record<string, unknown>).priority ?? (d.rule as Record<string, unknown>).pref) : str(d.rule)}`,
		);
	if (from.length > 0) parts.push(`(${from.join(', ')})`);
	if (d.error !== undefined && d.error !== 0 && d.error !== null) parts.push(`error ${str(d.error)}`);
	return parts.join(' ');
}

/** Whether two IPv4 packets differ in nothing but TTL and header checksum, which no line tells. */
function sameButTtl(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length || a.length < 20 || a[0] >> 4 !== 4) return false;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && i !== 8 && i !== 10 && i !== 11) return false;
	return true;
}

/** What was made of the headers of one journey: most records share theirs. */
class Headers {
	private lines: Map<Uint8Array, string> = new Map();
	private said: Uint8Array | null = null;
	private dissected: Map<Uint8Array, Dissection> = new Map();

	line(header: Uint8Array | null): string {
		if (header === null) return '';
		let line = this.lines.get(header);
		if (line === undefined) {
			line = this.said !== null && sameButTtl(this.said, header) ? this.lines.get(this.said)! : packetLine(header);
			this.said = header;
			this.lines.set(header, line);
		}
		return line;
	}

	dissect(header: Uint8Array): Dissection {
		let d = this.dissected.get(header);
		if (d === undefined) {
			d = dissect(header, LINKTYPE_RAW);
			this.dissected.set(header, d);
		}
		return d;
	}
}

/** Makes a step of one record; null when it is only a detail of the next one. */
function stepOf(
	r: trace_record,
	look: RuleLookup,
	headers: Headers,
): Pick<JourneyStep, 'phase' | 'text' | 'decision'> | null {
	const d = r.detail ?? {};
	switch (r.kind) {
		case 'rx':
			return { phase: 'receive', text: `${r.dev}: ${headers.line(r.header)}`, decision: false };
		case 'rule': {
			if (d.matched !== true || Number(d.rulenum) === 0) return null;
			const ref = ruleText(look, r.machine, d);
			const to =
				d.jump !== undefined
					? `→ ${str(d.jump)}`
					: d.goto !== undefined
						? `⇒ ${str(d.goto)}`
						: str(d.verdict) === 'CONTINUE'
							? str(d.target)
							: str(d.target || d.verdict);
			return {
				phase: str(d.table),
				text: `${ref.chain} rule ${ref.num}: ${ref.text ?? to}`,
				decision: str(d.verdict) !== 'CONTINUE' || d.jump !== undefined,
			};
		}
		case 'policy':
			return {
				phase: str(d.table),
				text: `${str(d.chain)} policy ${str(d.verdict)}`,
				decision: str(d.verdict) !== 'ACCEPT',
			};
		case 'conntrack': {
			if (d.event === 'confirm' || d.event === 'bind') return null;
			const state = str(d.state);
			const proto = d.proto_state === null || d.proto_state === undefined ? '' : ` ${str(d.proto_state)}`;
			const text =
				d.event === 'new' || d.event === 'found'
					? `${state}${proto}: ${str(d.orig)}${d.dir === 'reply' ? ' (reply direction)' : ''}`
					: `${state || str(d.event)}${d.why === undefined ? '' : `: ${str(d.why)}`}`;
			return { phase: 'conntrack', text, decision: state === 'INVALID' || d.event === 'drop' };
		}
		case 'nat':
			return {
				phase: 'nat',
				text: `${d.manip === 'src' ? 'source' : 'destination'} ${str(d.before)} → ${str(d.after)}`,
				decision: true,
			};
		case 'route':
			return { phase: 'route', text: routeText(d), decision: true };
		case 'neigh':
			return {
				phase: 'neighbour',
				text: `${str(d.addr)} ${d.lladdr === undefined ? '' : `is at ${str(d.lladdr)} `}${str(d.state)} ${rest(d, ['addr', 'lladdr', 'state', 'dev'])}`.trim(),
				decision: false,
			};
		case 'frag':
			return { phase: 'fragment', text: `${r.fn} ${rest(d, [])}`, decision: false };
		case 'icmp':
			return { phase: 'icmp', text: `${r.fn} ${rest(d, [])}`, decision: true };
		case 'socket':
			return { phase: 'socket', text: rest(d, []), decision: true };
		case 'tx':
			return { phase: 'transmit', text: `${str(d.dev) || r.dev}: ${headers.line(r.header)}`, decision: true };
		case 'drop':
			return { phase: 'drop', text: `${str(d.reason)} in ${r.fn}`, decision: true };
		case 'note':
			return d.unknown !== undefined || d.undecided !== undefined
				? { phase: 'unknown', text: str(d.unknown ?? d.undecided), decision: true }
				: null;
		default:
			return null;
	}
}

function detailOf(r: trace_record, look: RuleLookup): string {
	const d = r.detail ?? {};
	switch (r.kind) {
		case 'fn':
			return `${r.fn}()`;
		case 'hook':
			return `hook ${HOOKS[Number(d.hook)] ?? str(d.hook)}: ${r.fn} (priority ${str(d.priority)})`;
		case 'rule':
			if (Number(d.rulenum) === 0) return `${str(d.table)}/${str(d.chain)}: end of chain, back`;
			{
				const text = look(r.machine, str(d.table), str(d.chain), Number(d.rulenum))?.text;
				return `${str(d.table)}/${str(d.chain)} rule ${str(d.rulenum)}: no match (${str(d.failed)})${text === undefined ? '' : ` ${text}`}`;
			}
		case 'conntrack':
			return `${r.fn}: ${str(d.event)}`;
		case 'consume':
			return 'consume_skb()';
		default:
			return `${r.fn}: ${rest(d, [])}`;
	}
}

/** Every record as a step, or as a detail of the next one. */
function stepsOf(records: readonly trace_record[], look: RuleLookup, headers: Headers): JourneyStep[] {
	const steps: JourneyStep[] = [];
	let pending: string[] = [];
	let before: Uint8Array | null = null;
	for (const r of records) {
		const s = stepOf(r, look, headers);
		if (s === null) {
			pending.push(detailOf(r, look));
			continue;
		}
		const changes =
			before !== null &&
			r.header !== null &&
			r.header !== before &&
			r.header.length > 20 &&
			before[0] >> 4 === r.header[0] >> 4
				? diffHeaders(headers.dissect(before), headers.dissect(r.header))
				: [];
		if (r.header !== null && r.header.length > 0) before = r.header;
		steps.push({
			time: r.ts,
			machine: r.machine,
			netns: r.netns,
			dev: r.dev,
			fn: r.fn,
			...s,
			detail: pending,
			data: r.detail ?? {},
			changes,
		});
		pending = [];
	}
	if (pending.length > 0 && steps.length > 0) steps[steps.length - 1].detail.push(...pending);
	return steps;
}

const NOTHING: Record<string, unknown> = Object.freeze({});
/** What a record may say of why a packet ends as it does. */
const CAUSES = ['sysctl', 'value', 'counter', 'why', 'unknown'] as const;

/** Explains a journey and all that it caused; `brief`: without the steps. */
export function explain(root: journey, look: RuleLookup = () => undefined, brief = false): PacketJourney {
	const records = root.records;
	const headers = new Headers();
	const first = records.find((r) => r.header !== null && r.header.length > 0);
	const out: PacketJourney = {
		packet: first === undefined ? '' : headers.line(first.header),
		machine: records[0]?.machine ?? '',
		steps: [],
		action: 'consume',
		caused: [],
	};
	let lastRule: Record<string, unknown> | null = null;
	const cause: Record<string, unknown> = {};
	let dropped: trace_record | null = null;
	let sent: trace_record | null = null;
	let delivered: trace_record | null = null;
	let rejected = false;
	let route: Record<string, unknown> | null = null;
	let undecided: Record<string, unknown> | null = null;
	for (const r of records) {
		if (r.kind === 'fn' || r.kind === 'hook') continue;
		const d = r.detail ?? NOTHING;
		if (r.kind === 'rule' && d.matched === true && Number(d.rulenum) > 0) {
			lastRule = d;
			if (d.target === 'REJECT') rejected = true;
		}
		if (r.kind === 'rule' && cause.unknown !== undefined && undecided === null) undecided = d;
		if (r.kind === 'policy') lastRule = { table: d.table, chain: d.chain, rulenum: 0, verdict: d.verdict };
		if (
			r.kind === 'note' ||
			(r.kind === 'conntrack' && d.event === 'drop') ||
			r.kind === 'route' ||
			r.kind === 'neigh'
		) {
			for (const k of CAUSES) if (d[k] !== undefined) cause[k] = d[k];
		}
		if (r.kind === 'route') route = d;
		if (r.kind === 'drop') dropped = r;
		if (r.kind === 'tx') sent = r;
		if (r.kind === 'socket' && d.found !== false) delivered = r;
	}
	if (!brief) out.steps = stepsOf(records, look, headers);
	for (const c of root.children) out.caused.push(explain(c, look, brief));

	if (cause.unknown !== undefined) {
		out.action = 'undecided';
		out.why = `the rule uses what linnet does not know: ${str(cause.unknown)}`;
		if (undecided !== null) out.rule = ruleText(look, out.machine, undecided);
	} else if (dropped !== null) {
		const reason = str(dropped.detail?.reason);
		out.reason = reason;
		out.at = dropped.fn;
		out.action = rejected ? 'reject' : 'drop';
		if (reason === 'NETFILTER_DROP' && lastRule !== null) {
			if (cause.why !== undefined && lastRule.verdict === 'ACCEPT') out.why = str(cause.why);
			else out.rule = ruleText(look, out.machine, lastRule);
		}
		if (cause.sysctl !== undefined) out.sysctl = { name: str(cause.sysctl), value: str(cause.value) };
		if (cause.counter !== undefined) out.counter = str(cause.counter);
		if (cause.why !== undefined) out.why ??= str(cause.why);
		if (dropped.fn === 'ip_error' && route !== null) out.why ??= `the route says so: ${routeText(route)}`;
	} else if (sent !== null) {
		out.action = records[0].kind === 'rx' || records.some((r) => r.fn === 'ip_forward') ? 'forward' : 'send';
		out.out = { dev: str(sent.detail?.dev) || sent.dev, packet: headers.line(sent.header) };
	} else if (delivered !== null) {
		out.action = 'deliver';
	} else if (records.some((r) => r.kind === 'consume')) {
		const fragments = out.caused.filter((c) => c.out !== undefined);
		if (records.some((r) => r.kind === 'frag') && fragments.length > 0) {
			out.action = records.some((r) => r.fn === 'ip_forward') ? 'forward' : 'send';
			out.out = fragments[0].out;
		} else out.action = out.caused.length > 0 ? 'answer' : 'consume';
	} else if (records.length > 0) out.action = 'queue';
	return out;
}
