/*
 * firewall/matchers.ts: what vitest's and jest's expect.extend take: toForward, toDrop, toReject, toDeliver, toAccept, toSend.
 * The host is a captured one (FirewallHost), asked anew each time, or one of a lab, which keeps what happens to it.
 */
import type { CablePort } from '../drivers/net/cable.ts';
import { Host } from '../lab/host.ts';
import { get_unaligned_be32, put_unaligned_be16 } from '../lib/byteorder.ts';
import { nearest } from '../packet/build/notation.ts';
import { formatIp4 } from '../packet/bytes.ts';
import type { PacketJourney } from '../trace/explain.ts';
import { buildPacket } from '../trace/sending.ts';
import { check, outcome, rulesHit } from './check.ts';
import { FirewallHost } from './host.ts';
import { TestPacket } from './packets.ts';
import { rowLines } from './report.ts';
import type { RowResult } from './runner.ts';
import { type Expectation, isEndpoint, parseMark, REASONS, type Row, type Verdict } from './spec.ts';

/** What is expected beside the verdict; what is not said is not looked at. */
export interface Expected {
	/** Destination after all translation, `ADDRESS[:PORT]`; of several: one of them. */
	to?: string | string[];
	src?: string | string[];
	dst?: string | string[];
	/** The kernel's drop reason, such as 'IP_RPFILTER'. */
	reason?: string;
	/** 'filter/FORWARD 7', 'filter/FORWARD policy', 'filter/FORWARD' or '-A FORWARD …'. */
	rule?: string;
	/** 1, '0x1' or '0x1/0xf'. */
	mark?: number | string;
	/** The device that it leaves by. */
	out?: string;
	masquerade?: boolean;
}

const KEYS = ['to', 'src', 'dst', 'reason', 'rule', 'mark', 'out', 'masquerade'];

function expectation(verdict: Verdict, e: Expected): Expectation {
	for (const key of Object.keys(e)) {
		const near = nearest(key, KEYS);
		if (!KEYS.includes(key))
			throw new TypeError(
				`'${key}' is nothing that can be expected; expected ${near === null ? KEYS.join(', ') : `'${near}'?`}`,
			);
	}
	const out: Expectation = { expect: verdict, rule: e.rule, out: e.out, masquerade: e.masquerade };
	for (const key of ['to', 'src', 'dst'] as const) {
		const value = e[key];
		if (value === undefined) continue;
		const list = typeof value === 'string' ? [value] : value;
		for (const v of list)
			if (!isEndpoint(v)) throw new TypeError(`${key}: '${v}' came; expected ADDRESS or ADDRESS:PORT`);
		out[key] = list;
	}
	if (e.reason !== undefined) {
		out.reason = e.reason.replace(/^SKB_DROP_REASON_/, '');
		const near = nearest(out.reason, REASONS);
		if (!REASONS.includes(out.reason))
			throw new TypeError(`reason: '${e.reason}' is no drop reason${near === null ? '' : `; expected '${near}'?`}`);
	}
	if (e.mark !== undefined) {
		const mark = parseMark(String(e.mark));
		if (mark === null) throw new TypeError(`mark: '${e.mark}' came; expected a mark, such as 1, '0x10' or '0x1/0xf'`);
		out.mark = mark;
	}
	return out;
}

const NOWHERE = { file: '', line: 0, column: 0 };

/** The packet and those before it, as rows. */
function rowsOf(p: TestPacket): Row[] {
	const before = p.options.after === undefined ? [] : rowsOf(p.options.after);
	const row: Row = {
		name: `packet ${before.length + 1}`,
		packet: p.words,
		in: p.options.dev,
		at: p.options.at,
		place: NOWHERE,
		places: {},
	};
	if (before.length > 0) row.after = before[before.length - 1].name;
	return [...before, row];
}

/** How long a lab's packet may be under way: an ARP exchange that fails, and more. */
const LAB_MS = 5000;

/** Sends a packet to, or from, a host of a lab; all that it sets off goes on for some time. */
async function throughLab(host: Host, p: TestPacket, expected: Expectation): Promise<RowResult> {
	if (p.options.after !== undefined || p.words === 'reply')
		throw new TypeError(
			'a host of a lab keeps what happened to it: expect of one packet after the other, without after() and reply()',
		);
	const { world } = host;
	if (p.options.at > 0) await world.run(p.options.at / 1e6);
	const built = buildPacket(p.words.split(/\s+/));
	const ip = built.frame ? built.bytes.subarray(14) : built.bytes;
	const dev = p.options.dev ?? (built.frame || host.nics.size > 1 ? undefined : [...host.nics.keys()][0]);
	if (dev === undefined)
		throw new TypeError(
			`which device? ${host.name} has ${[...host.nics.keys()].join(', ')}: say .on('eth0') or .out()`,
		);
	const nic = host.nics.get(dev);
	if (dev !== '' && nic === undefined)
		throw new TypeError(`there is no device '${dev}' on ${host.name}; it has ${[...host.nics.keys()].join(', ')}`);
	const began = performance.now();
	const journeys = await world.trace(async () => {
		if (nic === undefined)
			await host.exec(['linnet-send', ...(built.mark === 0 ? [] : [String(built.mark)])], { stdin: ip });
		else {
			let frame = built.bytes;
			if (!built.frame) {
				frame = new Uint8Array(14 + ip.length);
				frame.set(nic.dev.dev_addr, 0);
				frame.set([0x02, 0xff, ...ip.subarray(12, 16)], 6);
				put_unaligned_be16(frame, 12, 0x0800);
				frame.set(ip, 14);
			}
			(nic.dev.priv as CablePort).receive(frame, 0, frame.length, null);
		}
		await world.run(LAB_MS);
	});
	const mine = journeys.find(
		(j) =>
			j.machine === host.name && !j.packet.includes('ARP') && (nic === undefined || j.steps[0]?.phase === 'receive'),
	);
	const j: PacketJourney = mine ?? {
		packet: p.words,
		machine: host.name,
		steps: [],
		action: 'drop',
		caused: [],
		continued: [],
		why: nic === undefined ? 'no packet was made' : `${dev} took no such frame: is it up?`,
	};
	const look = await world.ruleTexts();
	const from = ip.length >= 20 ? formatIp4(get_unaligned_be32(ip, 12)) : null;
	const mismatches = check(j, expected, from, (key) => {
		const m = /^(.*?)\/(.*)\/(\d+)$/.exec(key)!;
		return look(host.name, m[1], m[2], Number(m[3]))?.text;
	});
	return {
		name: String(p),
		place: NOWHERE,
		ok: mismatches.length === 0,
		mismatches,
		sent: j.packet,
		journey: j,
		hits: rulesHit(j),
		ms: performance.now() - began,
	};
}

/** Sends a packet and compares. */
export async function ask(
	host: FirewallHost | Host,
	p: TestPacket,
	verdict: Verdict,
	e: Expected = {},
): Promise<RowResult> {
	if (!(p instanceof TestPacket))
		throw new TypeError("a packet is expected, such as tcp('198.51.100.7:40000', '203.0.113.5:443').on('eth0')");
	const expected = expectation(verdict, e);
	if (host instanceof Host) return throughLab(host, p, expected);
	if (!(host instanceof FirewallHost))
		throw new TypeError('a host is expected: await importHost(PATH), or one of a World');
	const rows = rowsOf(p);
	const row = { ...rows[rows.length - 1], ...expected };
	const result = await host.runner.run(row, [...rows.slice(0, -1), row], true);
	return { ...result, name: String(p) };
}

/** What a matcher gives to its test runner. */
export interface MatcherResult {
	pass: boolean;
	message: () => string;
}

type Matcher = (host: unknown, packet: TestPacket, expected?: Expected) => Promise<MatcherResult>;

function matcher(verdict: Verdict): Matcher {
	return async (host, p, expected) => {
		const r = await ask(host as FirewallHost | Host, p, verdict, expected);
		return {
			pass: r.ok,
			message: () =>
				r.ok
					? `expected ${r.name} not to ${verdict}, but: ${r.journey === undefined ? r.sent : outcome(r.journey)}`
					: `expected ${r.name} to ${verdict}\n${rowLines({ ...r, ok: false })
							.slice(1)
							.join('\n')}`,
		};
	};
}

/** For `expect.extend(matchers)`. */
export const matchers: Record<'toAccept' | 'toForward' | 'toDeliver' | 'toSend' | 'toDrop' | 'toReject', Matcher> = {
	toAccept: matcher('accept'),
	toForward: matcher('forward'),
	toDeliver: matcher('deliver'),
	toSend: matcher('send'),
	toDrop: matcher('drop'),
	toReject: matcher('reject'),
};

/** The matchers as an assertion has them. */
export interface FirewallMatchers<R> {
	/** It passes: forwarded, sent, or for the host itself, whether or not somebody listens. */
	toAccept(packet: TestPacket, expected?: Expected): R;
	toForward(packet: TestPacket, expected?: Expected): R;
	toDeliver(packet: TestPacket, expected?: Expected): R;
	toSend(packet: TestPacket, expected?: Expected): R;
	/** It is dropped; a closed port is not, unless that is the reason that is expected (NO_SOCKET). */
	toDrop(packet: TestPacket, expected?: Expected): R;
	toReject(packet: TestPacket, expected?: Expected): R;
}
