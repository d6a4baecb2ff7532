/*
 * firewall/runner.ts: runs rows of tests on a host: each on one as it was imported, after the rows that it comes `after`.
 * Walk: Runner.run -> a host (a new one, or the last one when nothing of what it did can matter: HostPool) -> the rows before, the row -> check.
 * Knows neither files nor Node: `linnet test`, the matchers and browsers use it alike.
 */
import type { ImportedHost } from '../lab/import/import.ts';
import { openListeners } from '../lab/import/listeners.ts';
import type { Snapshot } from '../lab/import/snapshot.ts';
import { get_unaligned_be32 } from '../lib/byteorder.ts';
import { inet_addr_type } from '../net/ipv4/fib_frontend.ts';
import { type nf_conn, nf_ct_delete, nf_ct_entries } from '../net/netfilter/nf_conntrack_core.ts';
import { formatIp4 } from '../packet/bytes.ts';
import type { PacketJourney } from '../trace/explain.ts';
import { answerTo, frameTo, Replay, type Replayed } from '../trace/replay.ts';
import { assumeLocal, type BuiltPacket, buildPacket, fillSource } from '../trace/sending.ts';
import { RTN_LOCAL } from '../uapi/linux/rtnetlink.ts';
import { allHit, check, type Mismatch, outcome, rulesHit } from './check.ts';
import { type Place, type Row, SpecError } from './spec.ts';

export interface RowResult {
	name: string;
	place: Place;
	ok: boolean;
	mismatches: Mismatch[];
	/** What was sent, in words. */
	sent: string;
	/** Of rows that failed, or when it is asked for: the packet's way. */
	journey?: PacketJourney;
	/** `table/chain/number` of what matched on the way, and of what it caused; number 0 is a policy. */
	hits: string[];
	/** ms of real time. */
	ms: number;
}

/** Matches and targets that keep nothing from one packet to the next, but for conntrack's entries. */
const STATELESS_MATCHES = new Set(
	(
		'tcp udp udplite icmp sctp dccp ah esp conntrack state comment mark connmark multiport addrtype iprange mac length ttl tos dscp ' +
		'ecn owner pkttype physdev tcpmss u32 string socket rpfilter realm cgroup cpu devgroup policy'
	).split(' '),
);
const STATELESS_TARGETS = new Set(
	(
		'ACCEPT DROP REJECT RETURN DNAT SNAT MASQUERADE REDIRECT NETMAP MARK CONNMARK LOG NFLOG NOTRACK CT TCPMSS TOS DSCP TTL ' +
		'CHECKSUM CLASSIFY TRACE'
	).split(' '),
);

/** `table/chain/number` of the rules that may keep something from one packet to the next. */
export function statefulRules(s: Snapshot): Set<string> {
	const chains = new Set([...s.ruleLines, ...s.policyLines].map((r) => r.chain));
	for (const m of (s.ruleset?.text ?? '').matchAll(/^:(\S+)/gm)) chains.add(m[1]);
	const out = new Set<string>();
	for (const r of s.ruleLines) {
		let keeps = false;
		for (const m of r.text.matchAll(/(?:^|\s)(?:-m|--match)\s+(\S+)/g)) keeps ||= !STATELESS_MATCHES.has(m[1]);
		for (const m of r.text.matchAll(/(?:^|\s)(?:-j|-g|--jump|--goto)\s+(\S+)/g))
			keeps ||= !STATELESS_TARGETS.has(m[1]) && !chains.has(m[1]);
		if (keeps) out.add(`${r.table}/${r.chain}/${r.num}`);
	}
	return out;
}

/** A host and what it knew when it was imported. */
interface Ready {
	replay: Replay;
	entries: Set<nf_conn>;
}

/** Gives each row a host as it was imported: the last one again where that is the same. */
export class HostPool {
	/** Hosts that were imported. */
	imports = 0;
	private load: () => Promise<ImportedHost>;
	private stateful: ReadonlySet<string> | null;
	private idle: Ready | null = null;

	/** `stateful`: rules that keep something; null: every row gets a host of its own. */
	constructor(load: () => Promise<ImportedHost>, stateful: ReadonlySet<string> | null) {
		this.load = load;
		this.stateful = stateful;
	}

	async take(): Promise<Ready> {
		const idle = this.idle;
		this.idle = null;
		if (idle !== null) return idle;
		this.imports++;
		const imp = await this.load();
		openListeners(imp);
		const { machine } = imp.host;
		return { replay: new Replay(imp), entries: new Set(nf_ct_entries(machine.ct, machine.init_net)) };
	}

	/** `did`: all that happened on it; null: more than can be told. */
	give(ready: Ready, did: Replayed | null): void {
		if (this.stateful === null || did === null || !leavesNothing(did, this.stateful)) return;
		const { machine } = ready.replay.imp.host;
		for (const ct of nf_ct_entries(machine.ct, machine.init_net))
			if (!ready.entries.has(ct)) nf_ct_delete(ct, 0, false);
		this.idle = ready;
	}
}

/**
 * Whether a packet left nothing behind but an entry of conntrack: no answers (whose rate is limited), no old flow changed, no socket touched,
 * no rule asked that keeps something.
 */
function leavesNothing(did: Replayed, stateful: ReadonlySet<string>): boolean {
	const j = did.journey;
	if (j.caused.length > 0 || !['forward', 'drop', 'deliver'].includes(j.action)) return false;
	if (did.beside.some((b) => !b.packet.includes('ARP'))) return false;
	if (rulesHit(j).some((key) => stateful.has(key))) return false;
	return j.steps.every(
		(s) =>
			!(s.phase === 'conntrack' && s.data.event !== 'new' && s.data.event !== 'confirm') &&
			!(s.phase === 'socket' && s.data.found !== false) &&
			s.phase !== 'fragment' &&
			s.detail.every((d) => {
				// A rule whose interface, address or protocol did not match never asked its matches.
				const m = /^([a-z]+\/\S+) rule (\d+): no: (\S+)/.exec(d);
				return m === null || !stateful.has(`${m[1]}/${m[2]}`) || /^-[iosdpf]$/.test(m[3]);
			}),
	);
}

function bad(place: Place, text: string): never {
	throw new SpecError([{ ...place, text }]);
}

/** What one row did. */
interface Sent {
	replayed: Replayed;
	/** Where its packet came from: a device, or '' for the host itself. */
	in: string;
	built: BuiltPacket;
	/** Its source as it was sent. */
	from: string | null;
}

/** A row's packet cannot come about, for the row before went another way. */
class NoAnswer extends Error {
	readonly before: PacketJourney;
	constructor(before: PacketJourney, text: string) {
		super(text);
		this.before = before;
	}
}

/** The answer that whoever got the packet would give. Throws NoAnswer. */
function answerOf(s: Sent): { dev: string; bytes: Uint8Array } {
	const { journey, sent } = s.replayed;
	const left = journey.action === 'forward' || journey.action === 'send';
	const answer = left && sent[0] !== undefined ? answerTo(sent[0].bytes.subarray(14)) : null;
	if (answer !== null) return { dev: sent[0].nic.name, bytes: answer };
	throw new NoAnswer(
		journey,
		left ? 'nobody answers such a packet' : `the packet before it went nowhere: ${outcome(journey)}`,
	);
}

export class Runner {
	readonly pool: HostPool;
	private rows: Map<string, Row>;

	/** `load` imports the host anew; `rows`: all rows of the document. */
	constructor(rows: readonly Row[], load: () => Promise<ImportedHost>, stateful: ReadonlySet<string> | null) {
		this.rows = new Map(rows.map((r) => [r.name, r]));
		this.pool = new HostPool(load, stateful);
	}

	/** Runs one row; `rows`: those that it may come after; `keep`: its journey is asked for when it passes, too. Throws SpecError where it cannot be run. */
	async run(row: Row, rows?: readonly Row[], keep = false): Promise<RowResult> {
		const began = performance.now();
		const known = rows === undefined ? this.rows : new Map(rows.map((r) => [r.name, r]));
		const chain: Row[] = [row];
		for (let at = row.after; at !== undefined; at = chain[0].after) chain.unshift(known.get(at)!);
		const ready = await this.pool.take();
		let last: Sent | null = null;
		try {
			for (const r of chain) last = await this.send(ready.replay, r, last);
		} catch (e) {
			if (!(e instanceof NoAnswer)) throw e;
			return {
				name: row.name,
				place: row.place,
				ok: false,
				mismatches: [{ what: 'packet', expected: 'an answer', actual: e.message }],
				sent: `the answer to '${chain[chain.length - 2].name}'`,
				journey: e.before,
				hits: [],
				ms: performance.now() - began,
			};
		}
		const done = last!;
		const j = done.replayed.journey;
		const texts = ready.replay.imp.snapshot.ruleLines;
		const mismatches = check(
			j,
			row,
			done.from,
			(key) => texts.find((t) => `${t.table}/${t.chain}/${t.num}` === key)?.text,
		);
		const result: RowResult = {
			name: row.name,
			place: row.place,
			ok: mismatches.length === 0,
			mismatches,
			sent: `${done.in === '' ? 'out' : `in ${done.in}`} ${j.packet}`,
			hits: allHit(j),
			ms: performance.now() - began,
		};
		if (!result.ok || keep) result.journey = j;
		this.pool.give(ready, chain.length > 1 || row.at > 0 ? null : done.replayed);
		return result;
	}

	private async send(replay: Replay, row: Row, before: Sent | null): Promise<Sent> {
		const { imp } = replay;
		if (row.at > 0) replay.at(imp.host.world.clock.now + row.at);
		const place = row.places.packet ?? row.place;
		if (row.packet === 'reply') {
			const answer = answerOf(before!);
			const built = { frame: false, bytes: answer.bytes, mark: 0 };
			return this.receive(replay, row, answer.dev, built);
		}
		if (row.packet === 'again') {
			return before!.in === ''
				? this.output(replay, before!.built)
				: this.receive(replay, row, before!.in, before!.built);
		}
		let words = row.packet.split(/\s+/);
		let built = buildPacket(words);
		const ip = built.frame ? built.bytes.subarray(14) : built.bytes;
		const src = ip.length >= 20 ? get_unaligned_be32(ip, 12) : 0;
		let dev = row.in;
		if (dev === undefined && row.out === undefined)
			dev = built.frame
				? bad(place, 'in: an Ethernet frame came without the device that it comes in by')
				: await deviceOf(replay, src);
		if (dev === undefined || dev === '') {
			if (built.frame)
				bad(
					place,
					"packet: an Ethernet frame came; the host makes its own link header: expected an IP packet without 'Ether'",
				);
			words = await fillSource(replay, words);
			built = buildPacket(words);
			if (row.out !== undefined && row.out !== '') checkDevice(imp, row.out, row.places.out ?? row.place, 'out');
			return this.output(replay, built);
		}
		if (built.mark !== 0)
			bad(
				place,
				"packet: mark: a packet that comes in has none; of 'out' it is the mark that the sender's socket sets",
			);
		if (row.out !== undefined && row.out !== '') checkDevice(imp, row.out, row.places.out ?? row.place, 'out');
		return this.receive(replay, row, dev, built);
	}

	private async receive(replay: Replay, row: Row, dev: string, built: BuiltPacket): Promise<Sent> {
		checkDevice(replay.imp, dev, row.places.in ?? row.place, 'in');
		await assumeLocal(replay.imp, replay, dev, built);
		const frame = built.frame ? built.bytes : frameTo(replay.imp, dev, built.bytes);
		return { replayed: replay.receive(dev, frame), in: dev, built, from: sourceOf(built) };
	}

	private async output(replay: Replay, built: BuiltPacket): Promise<Sent> {
		return { replayed: await replay.send(built.bytes, built.mark), in: '', built, from: sourceOf(built) };
	}
}

function sourceOf(p: BuiltPacket): string | null {
	const ip = p.frame ? p.bytes.subarray(14) : p.bytes;
	return ip.length < 20 ? null : formatIp4(get_unaligned_be32(ip, 12));
}

function checkDevice(imp: ImportedHost, dev: string, place: Place, key: string): void {
	if (imp.surroundings.has(dev) || (dev === 'lo' && key === 'out')) return;
	if (dev === 'lo') bad(place, "in: nothing comes in from outside by lo; 'out: true' is what the host sends");
	bad(
		place,
		`${key}: there is no device '${dev}' on ${imp.host.name}; expected one of ${[...imp.surroundings.keys()].join(', ') || '(it has none but lo)'}`,
	);
}

/** Where a packet from `src` comes from: '' the host itself, else the device of the route back. */
export async function deviceOf(replay: Replay, src: number): Promise<string> {
	const net = replay.imp.host.machine.init_net;
	if (src === 0 || inet_addr_type(net, src) === RTN_LOCAL) return '';
	const dev = / dev (\S+)/.exec((await replay.route(src, 0)).text)?.[1] ?? '';
	return replay.imp.surroundings.has(dev) ? dev : '';
}
