/*
 * trace/steps.ts: records as lines: each is a step, or a detail of the next one.
 * Nothing is modelled here: every line is what a kernel function said that it did.
 */
import type { trace_record } from '../kernel/trace.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../packet/capture_file.ts';
import { describe } from '../packet/dissect/text.ts';
import { type Dissection, diffHeaders, dissect } from '../packet/dissect.ts';
import { ENETUNREACH, strerror } from '../uapi/asm-generic/errno.ts';
import type { JourneyStep, RuleLookup, RuleRef } from './explain.ts';

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
		return line(dissect(frame, LINKTYPE_ETHERNET, true), 0);
	}
	const total = header.length >= 20 && header[0] >> 4 === 4 ? (header[2] << 8) | header[3] : 0;
	const missing = Math.max(0, total - header.length);
	if (missing > 0 && header[9] === 1) {
		// What an ICMP error quotes is measured to its end.
		const packet = new Uint8Array(total);
		packet.set(header);
		return line(dissect(packet, LINKTYPE_RAW, true), 0);
	}
	return line(dissect(header, LINKTYPE_RAW, true), missing);
}

function line(d: Dissection, missing: number): string {
	return describe(d.headers, d.payload.length + missing, d.bytes.length + missing);
}

export function str(v: unknown): string {
	return v === null || v === undefined ? '' : typeof v === 'object' ? JSON.stringify(v) : String(v);
}

/** `key value` of what is left of a record's data. */
function rest(data: Record<string, unknown>, used: readonly string[]): string {
	return Object.entries(data)
		.filter(([k, v]) => !used.includes(k) && v !== null && v !== '' && v !== undefined)
		.map(([k, v]) => `${k} ${str(v)}`)
		.join(' ');
}

/** What only a step's first line says of an action: the sentence that ends with what was left out. */
function join(...parts: string[]): string {
	return parts.filter((p) => p !== '').join(' ');
}

export function ruleText(look: RuleLookup, machine: string, d: Record<string, unknown>): RuleRef {
	const ref: RuleRef = { table: str(d.table), chain: str(d.chain), num: Number(d.rulenum) };
	const found = look(machine, ref.table, ref.chain, ref.num);
	if (found !== undefined) {
		if (found.text !== '') ref.text = found.text;
		if (found.config !== undefined) ref.config = found.config;
	}
	return ref;
}

export function routeText(d: Record<string, unknown>): string {
	const parts: string[] = [];
	const type = str(d.type ?? d.rt_type);
	if (type !== '' && type !== 'unicast') parts.push(type);
	if (d.prefix !== undefined) parts.push(str(d.prefix));
	const via = str(d.nexthop ?? d.gateway ?? d.via);
	if (via !== '' && via !== '0.0.0.0') parts.push(`via ${via}`);
	if (str(d.dev) !== '') parts.push(`dev ${str(d.dev)}`);
	if (str(d.src) !== '' && str(d.src) !== '0.0.0.0') parts.push(`src ${str(d.src)}`);
	const from: string[] = [];
	if (d.kept === true) from.push('kept by the socket');
	if (d.table !== undefined) from.push(`table ${str(d.table)}`);
	if (d.rule !== undefined && d.rule !== null)
		from.push(
			`rule ${typeof d.rule === 'object' ? str((d.rule as Record<string, unknown>).priority ?? (d.rule as Record<string, unknown>).pref) : str(d.rule)}`,
		);
	if (from.length > 0) parts.push(`(${from.join(', ')})`);
	const err = Math.abs(Number(d.errno ?? d.error ?? 0));
	// A blackhole's error is what it is.
	if (err !== 0 && (type === '' || type === 'unicast'))
		parts.push(err === ENETUNREACH ? 'no route to it' : strerror(err).toLowerCase());
	return parts.join(' ');
}

/** Whether two IPv4 packets differ in nothing but TTL and header checksum, which no line tells. */
function sameButTtl(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length || a.length < 20 || a[0] >> 4 !== 4) return false;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && i !== 8 && i !== 10 && i !== 11) return false;
	return true;
}

/** What was made of the headers of one journey: most records share theirs. */
export class Headers {
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

const ICMP_NAMES: Record<number, string> = {
	0: 'echo reply',
	3: 'destination unreachable',
	5: 'redirect',
	8: 'echo request',
	11: 'time exceeded',
	12: 'parameter problem',
	13: 'timestamp request',
	14: 'timestamp reply',
};
const UNREACHABLE = [
	'net unreachable',
	'host unreachable',
	'protocol unreachable',
	'port unreachable',
	'fragmentation needed',
	'source route failed',
	'net unknown',
	'host unknown',
	'source host isolated',
	'net prohibited',
	'host prohibited',
	'net unreachable for TOS',
	'host unreachable for TOS',
	'admin prohibited',
];

/** `port unreachable` for type 3 code 3. */
function icmpName(type: number, code: number): string {
	if (type === 3) return UNREACHABLE[code] ?? `unreachable code ${code}`;
	if (type === 11) return code === 1 ? 'fragment reassembly time exceeded' : 'time exceeded';
	return ICMP_NAMES[type] ?? `type ${type} code ${code}`;
}

function dotted(a: number): string {
	return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

function icmpText(fn: string, d: Record<string, unknown>): string {
	if (d.type === undefined) return join(fn, rest(d, []));
	const type = Number(d.type);
	const info = Number(d.info ?? 0) >>> 0;
	const extra =
		info === 0 ? '' : type === 5 ? `gateway ${dotted(info)}` : type === 3 && Number(d.code) === 4 ? `mtu ${info}` : '';
	return join(
		icmpName(type, Number(d.code ?? 0)),
		extra,
		d.to === undefined ? '' : `to ${str(d.to)}`,
		d.from === undefined ? '' : `from ${str(d.from)}`,
	);
}

/** What a socket's record says: found and by whom, or that nobody listens. */
function socketText(fn: string, d: Record<string, unknown>): string {
	if (d.found === false) {
		const what =
			d.port !== undefined
				? `nobody listens on ${fn.startsWith('__udp4') ? 'udp' : 'tcp'} port ${str(d.port)}`
				: d.id !== undefined
					? `no ping socket with id ${str(d.id)}`
					: 'no socket';
		return join(what, d.counter === undefined ? '' : `(${str(d.counter)})`);
	}
	if (d.local !== undefined) return `taken by the ${str(d.protocol).toLowerCase()} socket ${str(d.local)}`;
	return join(
		'taken by a',
		str(d.protocol).toLowerCase(),
		'socket',
		rest(d, ['found', 'protocol', 'rmem', 'rcvbuf', 'ino']),
	);
}

function fragText(fn: string, d: Record<string, unknown>): string {
	switch (fn) {
		case 'ip_frag_queue':
			return `bytes ${str(d.offset)} to ${str(d.end)} of id ${str(d.id)}; ${str(d.have)}${d.total === null ? '' : ` of ${str(d.total)}`} are here`;
		case 'ip_frag_reasm':
			return `id ${str(d.id)} is whole again: ${str(d.len)} bytes`;
		case 'ip_do_fragment':
			return `${str(d.len)} bytes are cut for the MTU of ${str(d.mtu)}`;
		default:
			return join(fn, rest(d, []));
	}
}

/** One side of `A -> B`, with what follows it (` id 5`). */
function side(tuple: string, manip: unknown): string {
	const m = /^(\S+) -> (\S+)(.*)$/.exec(tuple);
	return m === null ? tuple : (manip === 'src' ? m[1] : m[2]) + m[3];
}

type Words = Pick<JourneyStep, 'phase' | 'text' | 'decision'>;

/** Makes a step of one record; null when it is only a detail of the next one. */
export function stepOf(r: trace_record, look: RuleLookup, headers: Headers): Words | null {
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
					: d.event === 'related'
						? `${state} to ${str(d.orig)}`
						: `${state || str(d.event)}${d.why === undefined ? '' : `: ${str(d.why)}`}`;
			return { phase: 'conntrack', text, decision: state === 'INVALID' || d.event === 'drop' };
		}
		case 'nat':
			return {
				phase: 'nat',
				text: `${d.inner === true ? 'of the quoted packet and of this one: ' : ''}${d.manip === 'src' ? 'source' : 'destination'} ${side(str(d.before), d.manip)} → ${side(str(d.after), d.manip)}`,
				decision: true,
			};
		case 'route':
			return { phase: 'route', text: routeText(d), decision: true };
		case 'neigh': {
			// A loopback's or tunnel's neighbour is nobody.
			if (str(d.state) === 'NOARP' && /^(00:)*00$/.test(str(d.lladdr))) return null;
			const lladdr = str(d.lladdr);
			return {
				phase: 'neighbour',
				text: join(
					str(d.addr),
					lladdr === '' ? '' : `is at ${lladdr}`,
					str(d.state),
					d.state === 'INCOMPLETE' ? '(asked for by ARP)' : '',
					rest(d, ['addr', 'lladdr', 'state', 'dev']),
				),
				decision: d.state === 'FAILED',
			};
		}
		case 'frag':
			return { phase: 'fragment', text: fragText(r.fn, d), decision: false };
		case 'icmp':
			return { phase: 'icmp', text: `answered: ${icmpText(r.fn, d)}`, decision: true };
		case 'socket':
			return { phase: 'socket', text: socketText(r.fn, d), decision: true };
		case 'tx':
			return { phase: 'transmit', text: `${str(d.dev) || r.dev}: ${headers.line(r.header)}`, decision: true };
		case 'link':
			return {
				phase: 'link',
				text: `${str(d.link).replace(/^link /, '')}: ${str(d.event)}${d.why === undefined ? '' : ` (${str(d.why)})`}`,
				decision: d.event !== 'carried',
			};
		case 'drop':
			return { phase: 'drop', text: `${str(d.reason)} in ${r.fn}`, decision: true };
		case 'note':
			if (d.unknown !== undefined || d.undecided !== undefined)
				return { phase: 'unknown', text: str(d.unknown ?? d.undecided), decision: true };
			if (d.sent === false)
				return {
					phase: 'icmp',
					text: join(
						d.type === undefined ? 'no answer is sent' : `no ${icmpName(Number(d.type), Number(d.code ?? 0))} is sent`,
						d.why === undefined ? '' : `: ${str(d.why)}`,
						d.sysctl === undefined ? '' : `: limited by ${str(d.sysctl)} = ${str(d.value)}`,
					).replace(' :', ':'),
					decision: true,
				};
			return null;
		default:
			return null;
	}
}

/** What the packet is, as far as a condition of a rule looks at it; '' when there is nothing short to say. */
function fact(r: trace_record, failed: string, state: string, headers: Headers): string {
	const d = r.detail ?? {};
	const line = (): RegExpExecArray | null => /^(\S+) > (\S+?),? (.*)$/.exec(headers.line(r.header));
	switch (failed) {
		case 'in':
			return str(d.in) === '' ? 'it did not come in by a device' : `it came in by ${str(d.in)}`;
		case 'out':
			return str(d.out) === '' ? 'no way out yet' : `it leaves by ${str(d.out)}`;
		case 'src':
			return r.header !== null && r.header.length >= 20 ? `from ${r.header.subarray(12, 16).join('.')}` : '';
		case 'dst':
			return r.header !== null && r.header.length >= 20 ? `to ${r.header.subarray(16, 20).join('.')}` : '';
		case 'proto':
			return r.header !== null && r.header.length >= 20 ? `protocol ${protoName(r.header[9])}` : '';
		case 'frag':
			return 'no second fragment';
		case '-m conntrack':
		case '-m state':
			return state === '' ? '' : `its state is ${state}`;
		case '-m mark':
			return `its mark is 0x${(r.mark >>> 0).toString(16)}`;
		case '-m tcp':
		case '-m udp':
		case '-m multiport':
		case '-m icmp': {
			const m = line();
			return m === null ? '' : failed === '-m icmp' ? m[3] : `${m[1]} > ${m[2]}`;
		}
		default:
			return '';
	}
}

function protoName(p: number): string {
	return { 1: 'icmp', 2: 'igmp', 6: 'tcp', 17: 'udp', 47: 'gre', 50: 'esp', 51: 'ah', 132: 'sctp' }[p] ?? String(p);
}

/** The option that a failed part of a rule is written as. */
const OPTIONS: Record<string, string> = { src: '-s', dst: '-d', in: '-i', out: '-o', proto: '-p', frag: '-f' };

function detailOf(r: trace_record, look: RuleLookup, state: string, headers: Headers): string {
	const d = r.detail ?? {};
	switch (r.kind) {
		case 'fn':
			return `${r.fn}()`;
		case 'hook':
			return `hook ${HOOKS[Number(d.hook)] ?? str(d.hook)}: ${r.fn} (priority ${str(d.priority)})`;
		case 'rule': {
			if (Number(d.rulenum) === 0) return `${str(d.table)}/${str(d.chain)}: end of chain, back`;
			const text = look(r.machine, str(d.table), str(d.chain), Number(d.rulenum))?.text;
			const failed = str(d.failed);
			const because = fact(r, failed, state, headers);
			const passed = (d.passed as string[] | undefined) ?? [];
			return `${str(d.table)}/${str(d.chain)} rule ${str(d.rulenum)}: no: ${OPTIONS[failed] ?? failed}${because === '' ? '' : ` (${because})`}${
				passed.length === 0 ? '' : `, though ${passed.map((p) => `-m ${p}`).join(' ')} yes`
			}${text === undefined || text === '' ? '' : `   ${text}`}`;
		}
		case 'conntrack':
			return join(`${r.fn}: ${str(d.event)}`, d.reply === undefined ? '' : `answers are ${str(d.reply)}`);
		case 'consume':
			return 'consume_skb()';
		default:
			return `${r.fn}: ${rest(d, [])}`;
	}
}

/** Each match of a rule that matched, and what of the packet it looked at. */
function matchedBy(r: trace_record, state: string, headers: Headers): string {
	const d = r.detail ?? {};
	const passed = (d.passed as string[] | undefined) ?? [];
	if (passed.length === 0) return '';
	const words = passed.map((p) => {
		const because = fact(r, `-m ${p}`, state, headers);
		return `-m ${p}${because === '' ? '' : ` (${because})`}`;
	});
	return `${str(d.table)}/${str(d.chain)} rule ${str(d.rulenum)}: yes: ${words.join(', ')}`;
}

/** Every record as a step, or as a detail of the next one. */
export function stepsOf(records: readonly trace_record[], look: RuleLookup, headers: Headers): JourneyStep[] {
	const steps: JourneyStep[] = [];
	let pending: string[] = [];
	let before: Uint8Array | null = null;
	let state = '';
	let forwarded: trace_record | null = null;
	for (const r of records) {
		if (r.kind === 'conntrack' && r.detail?.state !== undefined) state = str(r.detail.state);
		const s = stepOf(r, look, headers);
		let changes: string[] = [];
		if (
			(s !== null || forwarded !== null) &&
			before !== null &&
			r.header !== null &&
			r.header !== before &&
			r.header.length > 20 &&
			before[0] >> 4 === r.header[0] >> 4
		)
			changes = diffHeaders(headers.dissect(before), headers.dissect(r.header));
		// A packet that was put together or cut is another one.
		if (r.kind === 'frag') changes = [];
		// ip_forward says that it was entered; what it did is seen in the next record.
		if (forwarded !== null) {
			if (changes.length > 0) {
				steps.push({
					time: forwarded.ts,
					machine: forwarded.machine,
					netns: forwarded.netns,
					dev: forwarded.dev,
					fn: forwarded.fn,
					phase: 'forward',
					text: changes.join(', '),
					decision: false,
					detail: pending,
					data: {},
					changes,
				});
				pending = [];
				changes = [];
				before = r.header;
			}
			forwarded = null;
		}
		if (r.kind === 'fn' && r.fn === 'ip_forward') forwarded = r;
		if (s === null) {
			pending.push(detailOf(r, look, state, headers));
			continue;
		}
		const each = r.kind === 'rule' ? matchedBy(r, state, headers) : '';
		if (each !== '') pending.push(each);
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
