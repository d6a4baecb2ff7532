/*
 * firewall/spec.ts: reads files of firewall tests: YAML documents {host, defaults, tests, flows}, each checked key by key.
 * Walk: parseSpecs -> readSuite -> readRow (tests) or readFlow (kube-proxy's style of table) -> checkNames (what `after` names is there).
 * Every problem says file, line and column, what came and what was expected; all of them are told at once.
 * schema/linnet-test.schema.json says the same to editors.
 */
import {
	type Document,
	isAlias,
	isMap,
	isScalar,
	isSeq,
	LineCounter,
	type Node,
	parseAllDocuments,
	type YAMLMap,
} from 'yaml';
import { durationNs } from '../lab/world.ts';
import * as dropreason from '../net/core/dropreason.ts';
import { nearest } from '../packet/build/notation.ts';
import { PacketError } from '../packet/build.ts';
import { parseIp4 } from '../packet/bytes.ts';
import { buildPacket } from '../trace/sending.ts';

export interface Place {
	file: string;
	line: number;
	column: number;
}

export interface Problem extends Place {
	text: string;
}

export function problemText(p: Problem): string {
	return `${p.file}:${p.line}:${p.column}: ${p.text}`;
}

/** What is wrong with test files. */
export class SpecError extends Error {
	readonly problems: readonly Problem[];
	constructor(problems: readonly Problem[]) {
		super(problems.map(problemText).join('\n'));
		this.name = 'SpecError';
		this.problems = problems;
	}
}

export const VERDICTS = ['accept', 'drop', 'reject', 'forward', 'deliver', 'send'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What is expected of a packet; what is not said is not looked at. */
export interface Expectation {
	expect?: Verdict;
	/** Destination after all translation, `ADDRESS[:PORT]`: one of these. */
	to?: string[];
	/** Source and destination after all translation. */
	src?: string[];
	dst?: string[];
	/** The kernel's drop reason. */
	reason?: string;
	/** `TABLE/CHAIN [rule] N`, `TABLE/CHAIN policy`, `TABLE/CHAIN`, or `-A CHAIN …`. */
	rule?: string;
	mark?: { value: number; mask: number };
	/** Whether its source address was translated. */
	masquerade?: boolean;
	/** The device that it leaves by; '' of what the host itself sends: whichever. */
	out?: string;
}

export interface Row extends Expectation {
	name: string;
	/** The device that it comes in by; '' the host itself sends it. Of neither in nor out the source's route decides. */
	in?: string;
	/** 'reply', 'again', or its words. */
	packet: string;
	after?: string;
	/** ns after the row before, or after the start. */
	at: number;
	place: Place;
	/** Where its keys' values stand. */
	places: Partial<Record<string, Place>>;
}

/** One YAML document. */
export interface Suite {
	file: string;
	/** From 1. */
	document: number;
	/** As written: relative to the file. Empty: the command line's. */
	host: string[];
	rows: Row[];
	place: Place;
}

export const SUITE_KEYS = ['host', 'defaults', 'tests', 'flows'] as const;
export const ROW_KEYS = [
	'name',
	'in',
	'out',
	'packet',
	'expect',
	'to',
	'src',
	'dst',
	'masquerade',
	'reason',
	'rule',
	'mark',
	'after',
	'at',
] as const;
export const FLOW_KEYS = [
	'name',
	'in',
	'sourceIP',
	'sourcePort',
	'protocol',
	'destIP',
	'destPort',
	'output',
	'masq',
] as const;
const NO_DEFAULT = ['name', 'after'];

export const REASONS: readonly string[] = Object.keys(dropreason)
	.filter((k) => k.startsWith('SKB_DROP_REASON_') && !k.endsWith('_MAX'))
	.map((k) => k.slice('SKB_DROP_REASON_'.length))
	.sort();

const DEVICE = /^[^\s/:]{1,15}$/;
const RULE = /^(-A \S+.*|[a-z]+\/\S+( (rule )?\d+| policy)?)$/;

type Value = Node | null | undefined;

class Reader {
	readonly problems: Problem[] = [];
	readonly file: string;
	private lines: LineCounter;

	constructor(file: string, lines: LineCounter) {
		this.file = file;
		this.lines = lines;
	}

	place(offset: number): Place {
		const { line, col } = this.lines.linePos(offset);
		return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) };
	}

	at(node: Value, fallback: Place): Place {
		return node?.range == null ? fallback : this.place(node.range[0]);
	}

	bad(place: Place, text: string): void {
		this.problems.push({ ...place, text });
	}

	/** What a node looks like, for messages. */
	show(node: Value): string {
		if (node == null || (isScalar(node) && node.value === null)) return 'nothing';
		if (isMap(node)) return 'a map';
		if (isSeq(node)) return 'a list';
		const text = isScalar(node) ? (node.source ?? String(node.value)) : String(node);
		return `'${text.length > 60 ? `${text.slice(0, 57)}...` : text}'`;
	}

	/** The pairs of a map by key; unknown keys are problems. */
	keys(
		doc: Document,
		map: YAMLMap,
		known: readonly string[],
		what: string,
	): Map<string, { node: Value; place: Place; key: Place }> {
		const out = new Map<string, { node: Value; place: Place; key: Place }>();
		for (const pair of map.items) {
			const key = pair.key as Node;
			const keyPlace = this.at(key, this.at(map, this.place(0)));
			const name = isScalar(key) ? String(key.value) : '';
			let node = pair.value as Value;
			if (isAlias(node)) node = node.resolve(doc) as Value;
			if (!known.includes(name)) {
				const near = nearest(name, known);
				this.bad(
					keyPlace,
					`${this.show(key)} is no key of ${what}; expected ${near === null ? known.join(', ') : `'${near}'?`}`,
				);
			} else out.set(name, { node, place: this.at(pair.value as Value, keyPlace), key: keyPlace });
		}
		return out;
	}

	/** A scalar's text as it was written: `0x10` and `12` stay what they look like. */
	text(node: Value): string | null {
		if (!isScalar(node) || node.value === null) return null;
		return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
	}
}

/** `ADDRESS` or `ADDRESS:PORT`. */
export function isEndpoint(text: string): boolean {
	const m = /^(\d+\.\d+\.\d+\.\d+)(?::(\d{1,5}))?$/.exec(text);
	return m !== null && parseIp4(m[1]) !== null && (m[2] === undefined || Number(m[2]) < 65536);
}

export function parseMark(text: string): { value: number; mask: number } | null {
	const m = /^(0x[0-9a-f]{1,8}|\d{1,10})(?:\/(0x[0-9a-f]{1,8}|\d{1,10}))?$/i.exec(text);
	if (m === null) return null;
	const value = Number(m[1]);
	const mask = m[2] === undefined ? 0xffffffff : Number(m[2]);
	return value > 0xffffffff || mask > 0xffffffff ? null : { value, mask };
}

type Entry = { node: Value; place: Place; key: Place };

/** Reads the value of one key into `row`. */
function readKey(r: Reader, row: Partial<Row>, key: string, { node, place }: Entry): void {
	const text = r.text(node);
	const wrong = (expected: string): void => r.bad(place, `${key}: ${r.show(node)} came; expected ${expected}`);
	row.places ??= {};
	row.places[key] = place;
	switch (key) {
		case 'name':
		case 'after':
			if (text === null || text === '') wrong(key === 'name' ? 'a text' : 'the name of another row');
			else row[key] = text;
			return;
		case 'in':
			if (text === null || !DEVICE.test(text)) wrong("a device's name, or host: the host itself sends it");
			else row.in = text === 'host' ? '' : text;
			return;
		case 'out':
			if (text === null || !DEVICE.test(text)) wrong("a device's name, or true: what the host itself sends");
			else row.out = text === 'true' || text === 'any' ? '' : text;
			return;
		case 'packet':
			if (text === null || text === '') {
				wrong("a packet, such as 'tcp 198.51.100.7:40000 203.0.113.5:443', reply or again");
				return;
			}
			row.packet = text;
			if (text === 'reply' || text === 'again') return;
			try {
				buildPacket(text.split(/\s+/));
			} catch (e) {
				if (!(e instanceof PacketError) && !(e instanceof RangeError)) throw e;
				r.bad(place, `packet: ${e.message.replace(/^packet: /, '')}`);
			}
			return;
		case 'expect':
			if (!(VERDICTS as readonly string[]).includes(text ?? '')) {
				const near = nearest(text ?? '', VERDICTS);
				wrong(near === null ? `one of ${VERDICTS.join(', ')}` : `'${near}'? (or one of ${VERDICTS.join(', ')})`);
			} else row.expect = text as Verdict;
			return;
		case 'to':
		case 'src':
		case 'dst': {
			const list: string[] = [];
			for (const item of isSeq(node) ? (node.items as Value[]) : [node]) {
				const t = r.text(item);
				if (t === null || !isEndpoint(t))
					r.bad(r.at(item, place), `${key}: ${r.show(item)} came; expected ADDRESS or ADDRESS:PORT, or a list of them`);
				else list.push(t);
			}
			if (isSeq(node) && node.items.length === 0) wrong('ADDRESS or ADDRESS:PORT, or a list of them');
			row[key] = list;
			return;
		}
		case 'masquerade':
			if (text !== 'true' && text !== 'false') wrong('true or false');
			else row.masquerade = text === 'true';
			return;
		case 'reason': {
			const reason = text?.replace(/^SKB_DROP_REASON_/, '') ?? '';
			if (!REASONS.includes(reason)) {
				const near = nearest(reason, REASONS);
				wrong(`the name of a drop reason${near === null ? ', such as NETFILTER_DROP or IP_RPFILTER' : `: '${near}'?`}`);
			} else row.reason = reason;
			return;
		}
		case 'rule':
			if (text === null || !RULE.test(text.trim()))
				wrong("'filter/FORWARD 7', 'filter/FORWARD policy', 'filter/FORWARD' or '-A FORWARD …'");
			else row.rule = text.trim();
			return;
		case 'mark': {
			const mark = text === null ? null : parseMark(text);
			if (mark === null) wrong('a mark, such as 1, 0x10 or 0x1/0xf');
			else row.mark = mark;
			return;
		}
		case 'at': {
			const ns = text === null ? null : span(text);
			if (ns === null) wrong("a span after '+', such as +5m, +90s or +1h30m");
			else row.at = ns;
			return;
		}
	}
}

function span(text: string): number | null {
	if (!text.startsWith('+')) return null;
	try {
		return durationNs(text.slice(1));
	} catch {
		return null;
	}
}

/** What a row takes from `defaults`, where it does not say otherwise. */
function withDefaults(row: Partial<Row>, defaults: Partial<Row>): Partial<Row> {
	const out = { ...defaults, ...row, places: { ...defaults.places, ...row.places } };
	return out;
}

function readRow(r: Reader, doc: Document, node: Value, defaults: Partial<Row>): Row | null {
	const place = r.at(node, r.place(0));
	if (!isMap(node)) {
		r.bad(place, `${r.show(node)} came; expected a row {name, in, packet, expect, …}`);
		return null;
	}
	const own: Partial<Row> = {};
	const keys = r.keys(doc, node, ROW_KEYS, 'a row');
	for (const [key, entry] of keys) readKey(r, own, key, entry);
	const row = withDefaults(own, defaults);
	row.packet ??= keys.has('packet') || row.after === undefined ? undefined : 'reply';
	if (row.packet === undefined && !keys.has('packet')) r.bad(place, "the row has no 'packet'");
	const asks = ['expect', 'to', 'src', 'dst', 'reason', 'rule', 'mark', 'masquerade'];
	if (!asks.some((k) => keys.has(k) || row.places?.[k] !== undefined))
		r.bad(place, `the row expects nothing: it has none of ${asks.join(', ')}`);
	if (row.after === undefined && (row.packet === 'reply' || row.packet === 'again'))
		r.bad(
			row.places?.packet ?? place,
			`packet: '${row.packet}' came without 'after', which names the row whose packet that is`,
		);
	return {
		...row,
		name: row.name ?? `${row.packet ?? 'row'} (line ${place.line})`,
		packet: row.packet ?? '',
		at: row.at ?? 0,
		place,
		places: row.places ?? {},
	};
}

/** kube-proxy's style of row: {name, sourceIP, protocol, destIP, destPort, output, masq}. */
function readFlow(r: Reader, doc: Document, node: Value, defaults: Partial<Row>): Row | null {
	const place = r.at(node, r.place(0));
	if (!isMap(node)) {
		r.bad(place, `${r.show(node)} came; expected a flow {name, sourceIP, protocol, destIP, destPort, output, masq}`);
		return null;
	}
	const keys = r.keys(doc, node, FLOW_KEYS, 'a flow');
	const row: Row = { name: '', packet: '', at: 0, place, places: {}, in: defaults.in };
	const word = (key: string, ok: (t: string) => boolean, expected: string, fallback?: string): string => {
		const e = keys.get(key);
		const text = e === undefined ? null : r.text(e.node);
		if (e === undefined && fallback !== undefined) return fallback;
		if (e === undefined) r.bad(place, `the flow has no '${key}': expected ${expected}`);
		else if (text === null || !ok(text)) r.bad(e.place, `${key}: ${r.show(e.node)} came; expected ${expected}`);
		if (e !== undefined) row.places[key] = e.place;
		return text ?? '';
	};
	const isPort = (t: string): boolean => /^\d{1,5}$/.test(t) && Number(t) < 65536;
	const isAddress = (t: string): boolean => parseIp4(t) !== null;
	const before = r.problems.length;
	const protocol = word('protocol', (t) => /^(tcp|udp)$/i.test(t), 'tcp or udp', 'tcp').toLowerCase();
	const src = word('sourceIP', isAddress, 'an IPv4 address');
	const dst = word('destIP', isAddress, 'an IPv4 address');
	const sport = word('sourcePort', isPort, 'a port', '40000');
	const dport = word('destPort', isPort, 'a port');
	const output = word(
		'output',
		(t) => t === '' || t === 'DROP' || t === 'REJECT' || t.split(/,\s*/).every(isEndpoint),
		"ADDRESS:PORT (of several: one of them, 'A:P, B:P'), DROP, REJECT, or '' (not translated)",
	);
	row.name = word('name', (t) => t !== '', 'a text', `${protocol} ${src} to ${dst}:${dport}`);
	if (keys.has('masq')) row.masquerade = word('masq', (t) => t === 'true' || t === 'false', 'true or false') === 'true';
	if (keys.has('in')) readKey(r, row, 'in', keys.get('in')!);
	if (output === 'DROP' || output === 'REJECT') {
		row.expect = output === 'DROP' ? 'drop' : 'reject';
		if (row.masquerade === true)
			r.bad(place, `masq: true came with output: ${output}; a packet that goes nowhere is not masqueraded`);
		row.masquerade = undefined;
	} else {
		row.expect = 'accept';
		row.to = output === '' ? [`${dst}:${dport}`] : output.split(/,\s*/);
	}
	if (r.problems.length > before) return null;
	row.packet = `${protocol} ${src}:${sport} ${dst}:${dport}`;
	return row;
}

/** `after` names a row that is there, and no row comes after itself. */
function checkNames(r: Reader, rows: readonly Row[]): void {
	const byName = new Map<string, Row>();
	for (const row of rows) {
		const other = byName.get(row.name);
		if (other !== undefined)
			r.bad(
				row.places.name ?? row.place,
				`name: '${row.name}' is the name of the row in line ${other.place.line}, too`,
			);
		else byName.set(row.name, row);
	}
	for (const row of rows) {
		if (row.after === undefined) continue;
		const place = row.places.after ?? row.place;
		if (!byName.has(row.after)) {
			const near = nearest(row.after, byName.keys());
			r.bad(
				place,
				`after: there is no row '${row.after}' in this document${near === null ? '' : `; expected '${near}'?`}`,
			);
			continue;
		}
		const seen = new Set([row]);
		for (
			let at = byName.get(row.after);
			at !== undefined;
			at = at.after === undefined ? undefined : byName.get(at.after)
		) {
			if (seen.has(at)) {
				r.bad(place, `after: '${row.name}' would come after itself`);
				break;
			}
			seen.add(at);
		}
	}
}

function readSuite(r: Reader, doc: Document, document: number): Suite | null {
	const root = doc.contents as Value;
	const place = r.at(root, r.place(doc.range?.[0] ?? 0));
	if (!isMap(root)) {
		r.bad(place, `${r.show(root)} came; expected a map {host, defaults, tests}`);
		return null;
	}
	const keys = r.keys(doc, root, SUITE_KEYS, 'a file of tests');
	const suite: Suite = { file: r.file, document, host: [], rows: [], place };
	const host = keys.get('host');
	if (host !== undefined) {
		const list = isSeq(host.node) ? (host.node.items as Value[]) : [host.node];
		for (const item of list) {
			const text = r.text(item);
			if (text === null || text === '')
				r.bad(
					r.at(item, host.place),
					`host: ${r.show(item)} came; expected a path (of a folder, a tar or a file), or a list of paths`,
				);
			else suite.host.push(text);
		}
		suite.place = host.place;
	}
	const defaults: Partial<Row> = {};
	const d = keys.get('defaults');
	if (d !== undefined) {
		if (!isMap(d.node)) r.bad(d.place, `defaults: ${r.show(d.node)} came; expected a map of keys that rows have`);
		else
			for (const [key, entry] of r.keys(
				doc,
				d.node,
				ROW_KEYS.filter((k) => !NO_DEFAULT.includes(k)),
				'defaults',
			))
				readKey(r, defaults, key, entry);
	}
	if (!keys.has('tests') && !keys.has('flows'))
		r.bad(place, "there are neither 'tests' nor 'flows': expected a list of rows");
	for (const kind of ['tests', 'flows'] as const) {
		const list = keys.get(kind);
		if (list === undefined) continue;
		if (!isSeq(list.node)) {
			r.bad(list.place, `${kind}: ${r.show(list.node)} came; expected a list of rows`);
			continue;
		}
		for (const raw of list.node.items as Value[]) {
			const item = isAlias(raw) ? (raw.resolve(doc) as Value) : raw;
			const row = kind === 'tests' ? readRow(r, doc, item, defaults) : readFlow(r, doc, item, defaults);
			if (row !== null) suite.rows.push(row);
		}
	}
	checkNames(r, suite.rows);
	return suite;
}

/** The documents of a file of tests. Throws SpecError with all that is wrong. */
export function parseSpecs(file: string, text: string): Suite[] {
	const lines = new LineCounter();
	const r = new Reader(file, lines);
	const docs = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
	const suites: Suite[] = [];
	if (!Array.isArray(docs) || docs.length === 0)
		throw new SpecError([
			{ file, line: 1, column: 1, text: 'the file is empty; expected a map {host, defaults, tests}' },
		]);
	for (const [i, doc] of docs.entries()) {
		for (const e of [...doc.errors, ...doc.warnings]) r.bad(r.place(e.pos[0]), `not YAML: ${e.message}`);
		if (doc.errors.length > 0) continue;
		const suite = readSuite(r, doc as Document, i + 1);
		if (suite !== null) suites.push(suite);
	}
	if (r.problems.length > 0) throw new SpecError(r.problems);
	return suites;
}
