/*
 * test/harness/scenario.ts: reads a twin scenario (YAML) and says precisely what is wrong with it.
 * Walk: loadScenario -> Reader (typed access to YAML nodes, errors with file and line) -> Scenario.
 * The grammar is documented in test/twin/README.md.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseDocument, type YAMLMap } from 'yaml';

/** Anything wrong with a scenario file: the message names file, line and what was expected. */
export class ScenarioError extends Error {}

export interface Nic {
	host: string;
	name: string;
	mac: string;
	mtu: number;
}

export interface Link {
	name: string;
	ends: string[];
	isSwitch: boolean;
}

export type Ignore = 'ordering' | 'stdout' | 'stderr' | 'status';
export type Facet = 'output' | 'frames' | 'drops' | 'counters' | 'log';

export type Step = { label: string; line: number } & (
	| { kind: 'run'; host: string; script: string; ignore: Ignore[]; timeout: number }
	| { kind: 'background'; host: string; script: string; as: string; until?: string }
	| { kind: 'join'; as: string; signal?: string; ignore: Ignore[]; timeout: number }
	| { kind: 'send'; from: string; packets: string[]; pcap?: string; hex: string[]; burst: boolean }
	| { kind: 'wait'; seconds: number }
	| { kind: 'socket'; host: string; op: SocketOp; ignore: Ignore[] }
);

/** What a scenario does with a socket of its own. Data are characters 0-255. */
export interface SocketOp {
	do: 'open' | 'sendto' | 'recv' | 'close';
	name: string;
	type?: 'udp' | 'tcp' | 'raw' | 'ping';
	protocol?: number;
	set?: Record<string, number | string>;
	bind?: string;
	connect?: string;
	to?: string;
	data?: string;
	errqueue?: boolean;
}

export interface Scenario {
	file: string;
	/** Path without the ending, as printed. */
	name: string;
	text: string;
	about: string;
	hosts: { name: string; ipv6: boolean }[];
	nics: Nic[];
	links: Link[];
	setup: Step[];
	steps: Step[];
	compare: Facet[];
	differs?: string;
	oracle: 'linux' | 'refvm';
	/** Kernel log lines that contain this text are compared. */
	log?: string;
	/** Port ranges that the kernel draws from, beyond the ephemeral ones. */
	drawnPorts: [number, number][];
}

const FACETS: Facet[] = ['output', 'frames', 'drops', 'counters'];
const IGNORES: Ignore[] = ['ordering', 'stdout', 'stderr', 'status'];
const RESERVED = ['send', 'wait', 'join', 'ignore', 'timeout'];

class Reader {
	readonly file: string;
	readonly lines: LineCounter;
	constructor(file: string, lines: LineCounter) {
		this.file = file;
		this.lines = lines;
	}

	line(node: Node | null | undefined): number {
		return node?.range ? this.lines.linePos(node.range[0]).line : 1;
	}

	fail(node: Node | null | undefined, message: string): never {
		throw new ScenarioError(`${this.file}:${this.line(node)}: ${message}`);
	}

	map(node: unknown, what: string, keys?: string[]): Map<string, ParsedNode> {
		if (!isMap(node)) this.fail(node as Node, `${what}: expected a mapping, found ${describe(node)}`);
		const found = new Map<string, ParsedNode>();
		for (const pair of (node as YAMLMap<Node, ParsedNode>).items) {
			const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
			if (keys && !keys.includes(key))
				this.fail(pair.key, `${what}: unknown key '${key}', expected one of ${keys.join(', ')}`);
			if (found.has(key)) this.fail(pair.key, `${what}: '${key}' appears twice`);
			found.set(key, pair.value as ParsedNode);
		}
		return found;
	}

	list(node: unknown, what: string): ParsedNode[] {
		if (!isSeq(node)) this.fail(node as Node, `${what}: expected a list, found ${describe(node)}`);
		return (node as unknown as { items: ParsedNode[] }).items;
	}

	string(node: unknown, what: string): string {
		if (!isScalar(node) || node.value === null)
			this.fail(node as Node, `${what}: expected text, found ${describe(node)}`);
		// 'true' and '007' are words here: as they were written.
		const scalar = node as { value: unknown; source?: string };
		return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));
	}

	oneOf<T extends string>(node: unknown, what: string, allowed: readonly T[]): T {
		const value = this.string(node, what);
		if (!allowed.includes(value as T))
			this.fail(node as Node, `${what}: '${value}' is not known, expected one of ${allowed.join(', ')}`);
		return value as T;
	}

	bool(node: unknown, what: string): boolean {
		if (!isScalar(node) || typeof node.value !== 'boolean')
			this.fail(node as Node, `${what}: expected true or false, found ${describe(node)}`);
		return (node as { value: boolean }).value;
	}

	int(node: unknown, what: string): number {
		if (!isScalar(node) || !Number.isInteger(node.value))
			this.fail(node as Node, `${what}: expected a whole number, found ${describe(node)}`);
		return (node as { value: number }).value;
	}

	seconds(node: unknown, what: string): number {
		const text = this.string(node, what);
		const m = /^([\d.]+) *(ms|s)?$/.exec(text);
		if (!m) this.fail(node as Node, `${what}: expected a time such as 2s or 500ms, found '${text}'`);
		return m![2] === 'ms' ? Number(m![1]) / 1000 : Number(m![1]);
	}
}

function describe(node: unknown): string {
	if (node === null || node === undefined) return 'nothing';
	if (isMap(node)) return 'a mapping';
	if (isSeq(node)) return 'a list';
	if (isScalar(node)) return node.value === null ? 'nothing' : JSON.stringify(node.value);
	return 'something else';
}

/** Reads one scenario. Throws ScenarioError. */
export function loadScenario(path: string, shown = path): Scenario {
	let text: string;
	try {
		text = readFileSync(path, 'utf8');
	} catch (e) {
		throw new ScenarioError(`${shown}: cannot be read: ${(e as NodeJS.ErrnoException).code}`);
	}
	return parseScenario(text, path, shown);
}

export function parseScenario(text: string, path: string, shown = path): Scenario {
	const lines = new LineCounter();
	const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
	const r = new Reader(shown, lines);
	if (doc.errors.length > 0) {
		const e = doc.errors[0];
		throw new ScenarioError(`${shown}:${lines.linePos(e.pos[0]).line}: not valid YAML: ${e.message}`);
	}
	const top = r.map(doc.contents, 'scenario', [
		'about',
		'hosts',
		'links',
		'setup',
		'steps',
		'compare',
		'differs',
		'oracle',
		'ipv6',
		'log',
		'drawn',
	]);
	for (const key of ['about', 'hosts', 'steps'])
		if (!top.has(key)) r.fail(doc.contents, `scenario: '${key}' is missing`);

	const hosts: string[] = [];
	for (const node of r.list(top.get('hosts'), 'hosts')) {
		const name = r.string(node, 'hosts');
		if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) r.fail(node, `hosts: '${name}' is not a host name`);
		if (RESERVED.includes(name)) r.fail(node, `hosts: '${name}' is a word of the steps, choose another name`);
		if (hosts.includes(name)) r.fail(node, `hosts: '${name}' appears twice`);
		hosts.push(name);
	}
	if (hosts.length === 0) r.fail(top.get('hosts'), 'hosts: expected at least one');

	let ipv6: string[] = [];
	const ipv6Node = top.get('ipv6');
	if (ipv6Node)
		ipv6 = isSeq(ipv6Node)
			? r.list(ipv6Node, 'ipv6').map((n) => r.oneOf(n, 'ipv6', hosts))
			: r.bool(ipv6Node, 'ipv6')
				? hosts
				: [];

	const { nics, links } = readLinks(r, top.get('links'), hosts);
	const jobs = new Set<string>();
	const steps = (key: string) =>
		top.has(key) ? r.list(top.get(key), key).map((n) => readStep(r, n, hosts, nics, path, jobs)) : [];

	const drawnPorts: [number, number][] = [];
	if (top.has('drawn')) {
		const drawn = r.map(top.get('drawn'), 'drawn', ['ports']);
		for (const node of r.list(drawn.get('ports'), 'drawn ports')) {
			const m = /^(\d+)-(\d+)$/.exec(r.string(node, 'drawn ports'));
			if (!m) r.fail(node, 'drawn ports: expected FIRST-LAST');
			drawnPorts.push([Number(m![1]), Number(m![2])]);
		}
	}
	const log = top.has('log') ? r.string(top.get('log'), 'log') : undefined;
	const compare: Facet[] = top.has('compare')
		? r.list(top.get('compare'), 'compare').map((n) => r.oneOf(n, 'compare', FACETS))
		: FACETS.slice();
	if (log !== undefined) compare.push('log');
	return {
		file: path,
		name: shown.replace(/\.ya?ml$/, ''),
		text,
		about: r.string(top.get('about'), 'about'),
		hosts: hosts.map((name) => ({ name, ipv6: ipv6.includes(name) })),
		nics,
		links,
		setup: steps('setup'),
		steps: steps('steps'),
		compare,
		differs: top.has('differs') ? r.string(top.get('differs'), 'differs') : undefined,
		oracle: top.has('oracle') ? r.oneOf(top.get('oracle'), 'oracle', ['linux', 'refvm'] as const) : 'linux',
		log,
		drawnPorts,
	};
}

function readLinks(r: Reader, node: ParsedNode | undefined, hosts: string[]): { nics: Nic[]; links: Link[] } {
	const nics: Nic[] = [];
	const links: Link[] = [];
	const devices = new Map<string, number>();
	const add = (end: ParsedNode, mac: ParsedNode | undefined, mtu: number) => {
		const text = r.string(end, 'links');
		const m = /^([^:]+):([^:\s/]{1,15})$/.exec(text);
		if (!m) r.fail(end, `links: expected HOST:DEVICE, found '${text}'`);
		const [, host, name] = m!;
		if (!hosts.includes(host)) r.fail(end, `links: host '${host}' is not in hosts (${hosts.join(', ')})`);
		if (nics.some((n) => n.host === host && n.name === name)) r.fail(end, `links: ${text} is plugged in twice`);
		const seen = devices.get(host) ?? 0;
		devices.set(host, seen + 1);
		// The number in a name such as eth1 is the device's index; any other name counts in order of appearance.
		const eth = /^eth(\d+)$/.exec(name);
		const index = eth ? Number(eth[1]) : seen;
		const hex = (n: number) => (n & 255).toString(16).padStart(2, '0');
		let address = `02:00:00:${hex(hosts.indexOf(host))}:${hex(index)}:01`;
		if (mac) {
			address = r.string(mac, 'mac').toLowerCase();
			if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address)) r.fail(mac, `mac: '${address}' is not a MAC address`);
		}
		nics.push({ host, name, mac: address, mtu });
		return text;
	};
	if (!node) return { nics, links };
	for (const item of r.list(node, 'links')) {
		if (isSeq(item)) {
			const ends = r.list(item, 'links');
			if (ends.length !== 2) r.fail(item, `links: a cable has 2 ends, found ${ends.length}`);
			const names = ends.map((e) => add(e, undefined, 1500));
			links.push({ name: names.join(' - '), ends: names, isSwitch: false });
			continue;
		}
		const map = r.map(item, 'links', ['ends', 'switch', 'ports', 'mac', 'mtu']);
		const isSwitch = map.has('switch');
		const ends = r.list(map.get(isSwitch ? 'ports' : 'ends'), isSwitch ? 'ports' : 'ends');
		if (!isSwitch && ends.length !== 2) r.fail(item, `links: a cable has 2 ends, found ${ends.length}`);
		const macs = map.has('mac') ? r.list(map.get('mac'), 'mac') : [];
		if (macs.length > 0 && macs.length !== ends.length)
			r.fail(map.get('mac'), `mac: expected ${ends.length} addresses, found ${macs.length}`);
		const mtu = map.has('mtu') ? r.int(map.get('mtu'), 'mtu') : 1500;
		const names = ends.map((e, i) => add(e, macs[i], mtu));
		links.push({
			name: isSwitch ? r.string(map.get('switch'), 'switch') : names.join(' - '),
			ends: names,
			isSwitch,
		});
	}
	return { nics, links };
}

function flat(v: unknown): string {
	const text = typeof v === 'object' ? JSON.stringify(v) : String(v);
	return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function readSocketOp(r: Reader, node: ParsedNode, what: string): SocketOp | null {
	const keys = [...r.map(node, what).keys()];
	const verb = (['open', 'sendto', 'recv', 'close'] as const).find((v) => keys.includes(v));
	if (!verb) return null;
	const allowed = {
		open: ['type', 'protocol', 'set', 'bind', 'connect'],
		sendto: ['to', 'data'],
		recv: ['errqueue'],
		close: [],
	};
	const map = r.map(node, verb, [verb, ...allowed[verb]]);
	const op: SocketOp = { do: verb, name: r.string(map.get(verb), verb) };
	for (const key of ['bind', 'connect', 'to'] as const)
		if (map.has(key)) {
			op[key] = r.string(map.get(key), key);
			if (!/^\d+\.\d+\.\d+\.\d+:\d+$/.test(op[key]))
				r.fail(map.get(key), `${key}: expected ADDRESS:PORT, found '${op[key]}'`);
		}
	if (verb === 'open') {
		op.type = map.has('type') ? r.oneOf(map.get('type'), 'type', ['udp', 'tcp', 'raw', 'ping'] as const) : 'udp';
		if (map.has('protocol')) op.protocol = r.int(map.get('protocol'), 'protocol');
		if (map.has('set')) {
			op.set = {};
			for (const [key, value] of r.map(map.get('set'), 'set')) {
				if (!/^(SO|IP)_[A-Z_]+$/.test(key))
					r.fail(value, `set: expected an option such as SO_BROADCAST, found '${key}'`);
				const text = r.string(value, key);
				op.set[key] = /^-?\d+$/.test(text) ? Number(text) : text;
			}
		}
	}
	if (verb === 'sendto') op.data = map.has('data') ? r.string(map.get('data'), 'data') : '';
	if (map.has('errqueue')) op.errqueue = r.bool(map.get('errqueue'), 'errqueue');
	return op;
}

function readStep(r: Reader, node: ParsedNode, hosts: string[], nics: Nic[], path: string, jobs: Set<string>): Step {
	const map = r.map(node, 'step');
	const line = r.line(node);
	const words = [...map.keys()].filter((k) => k !== 'ignore' && k !== 'timeout');
	if (words.length !== 1 || !(hosts.includes(words[0]) || ['send', 'wait', 'join'].includes(words[0])))
		r.fail(
			node,
			`step: expected one of ${hosts.join(', ')} (a host), send, wait or join, found ${words.length ? words.map((w) => `'${w}'`).join(' and ') : 'nothing'}`,
		);
	const word = words[0];
	const value = map.get(word)!;
	const ignore: Ignore[] = map.has('ignore')
		? r.list(map.get('ignore'), 'ignore').map((n) => r.oneOf(n, 'ignore', IGNORES))
		: [];
	let timeout = map.has('timeout') ? r.seconds(map.get('timeout'), 'timeout') : 20;
	if (word === 'wait') {
		const seconds = r.seconds(value, 'wait');
		return { kind: 'wait', seconds, line, label: `wait ${seconds}s` };
	}
	if (word === 'send') {
		const send = r.map(value, 'send', ['from', 'packets', 'pcap', 'hex', 'burst']);
		const from = r.oneOf(
			send.get('from'),
			'send from',
			nics.map((n) => `${n.host}:${n.name}`),
		);
		const texts = (key: string) =>
			send.has(key) ? r.list(send.get(key), `send ${key}`).map((n) => r.string(n, `send ${key}`)) : [];
		const packets = texts('packets');
		const hex = texts('hex').map((t) => t.replace(/\s+/g, ''));
		if (hex.some((t) => !/^([0-9a-f]{2})*$/i.test(t)))
			r.fail(send.get('hex'), 'send hex: expected pairs of hex digits');
		const pcap = send.has('pcap') ? resolve(dirname(path), r.string(send.get('pcap'), 'send pcap')) : undefined;
		if (packets.length + hex.length === 0 && !pcap) r.fail(value, 'send: expected packets, pcap or hex');
		const burst = send.has('burst') ? r.bool(send.get('burst'), 'send burst') : false;
		const what = pcap ? basename(pcap) : packets.concat(hex).join(', ');
		return { kind: 'send', from, packets, pcap, hex, burst, line, label: `send from ${from}: ${what}` };
	}
	if (word === 'join') {
		let as: string;
		let signal: string | undefined;
		if (isMap(value)) {
			const join = r.map(value, 'join', ['as', 'signal']);
			as = r.string(join.get('as'), 'join as');
			if (join.has('signal'))
				signal = r.oneOf(join.get('signal'), 'join signal', ['INT', 'TERM', 'QUIT', 'KILL'] as const);
		} else as = r.string(value, 'join');
		if (!jobs.delete(as)) r.fail(value, `join: nothing runs in the background as '${as}'`);
		return { kind: 'join', as, signal, ignore, timeout, line, label: `join ${as}` };
	}
	if (!isMap(value)) {
		const script = r.string(value, word);
		return { kind: 'run', host: word, script, ignore, timeout, line, label: `${word}: ${script.trimEnd()}` };
	}
	const op = readSocketOp(r, value, word);
	if (op)
		return { kind: 'socket', host: word, op, ignore, line, label: `${word}: ${Object.values(op).map(flat).join(' ')}` };
	const run = r.map(value, word, ['run', 'background', 'as', 'until', 'timeout', 'ignore']);
	const script = r.string(run.get('run'), `${word} run`);
	if (run.has('timeout')) timeout = r.seconds(run.get('timeout'), 'timeout');
	if (run.has('ignore')) ignore.push(...r.list(run.get('ignore'), 'ignore').map((n) => r.oneOf(n, 'ignore', IGNORES)));
	if (run.has('background') && r.bool(run.get('background'), 'background')) {
		if (!run.has('as')) r.fail(value, `${word}: what runs in the background needs a name: 'as'`);
		const as = r.string(run.get('as'), 'as');
		if (jobs.has(as)) r.fail(run.get('as'), `as: '${as}' is running already`);
		jobs.add(as);
		const until = run.has('until') ? r.string(run.get('until'), 'until') : undefined;
		return { kind: 'background', host: word, script, as, until, line, label: `${word}: ${script.trimEnd()} &` };
	}
	return { kind: 'run', host: word, script, ignore, timeout, line, label: `${word}: ${script.trimEnd()}` };
}
