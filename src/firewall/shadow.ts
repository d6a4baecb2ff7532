/*
 * firewall/shadow.ts: rules that no packet can reach, where that is certain: another one before them takes all that they would match,
 * or nobody comes to their chain.
 * Walk: parseRule: a rule's text -> conditions -> covers: whether all that one rule matches, another does -> ends: whether what a rule matches
 * never comes to the next one -> unreachable.
 * Conditions on what rules change on the way (mark, TTL, TOS), and those that remember or count, never make a shadow.
 */
import type { RuleLine } from '../lab/import/snapshot.ts';
import { parseIp4 } from '../packet/bytes.ts';

/** One condition: `value` is the option's text. */
interface Condition {
	/** `-s`, `-i`, `--dport`; of modules with their name, `tcp --dport`. */
	key: string;
	not: boolean;
	value: string;
}

export interface ParsedRule {
	conditions: Condition[];
	target: string;
	goto: boolean;
	/** It has a condition whose answer is not the same each time. */
	changing: boolean;
}

/** Modules whose answer depends on nothing but the packet as it came, its flow and its devices. */
const FIXED = new Set(
	'tcp udp udplite icmp sctp dccp ah esp conntrack state multiport addrtype iprange mac length pkttype physdev tcpmss comment owner realm cpu devgroup policy'.split(
		' ',
	),
);

const ENDS = new Set(['ACCEPT', 'DROP', 'REJECT', 'DNAT', 'SNAT', 'MASQUERADE', 'REDIRECT', 'NETMAP']);
const BASE = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);
const LONG: Record<string, string> = {
	'--source': '-s',
	'--src': '-s',
	'--destination': '-d',
	'--dst': '-d',
	'--in-interface': '-i',
	'--out-interface': '-o',
	'--protocol': '-p',
	'--proto': '-p',
	'--jump': '-j',
	'--goto': '-g',
	'--match': '-m',
	'--fragment': '-f',
	'--append': '-A',
};
const MODULE: Record<string, string> = {
	'--destination-port': '--dport',
	'--source-port': '--sport',
	'--destination-ports': '--dports',
	'--source-ports': '--sports',
};

/** A rule as iptables-save prints it. */
export function parseRule(text: string): ParsedRule {
	const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((m) => m[1] ?? m[2]);
	const out: ParsedRule = { conditions: [], target: '', goto: false, changing: false };
	let not = false;
	let module = '';
	for (let i = 0; i < words.length; ) {
		const word = words[i++];
		if (word === '!') {
			not = true;
			continue;
		}
		const option = LONG[word] ?? word;
		const values: string[] = [];
		while (i < words.length && !/^(-[a-zA-Z]$|--[a-z]|!$)/.test(words[i])) values.push(words[i++]);
		const value = values.join(' ');
		if (option === '-j' || option === '-g') {
			out.target = values[0] ?? '';
			out.goto = option === '-g';
			break;
		} else if (option === '-m') {
			module = values[0] ?? '';
			if (!FIXED.has(module)) {
				out.changing = true;
				out.conditions.push({ key: `-m ${module}`, not: false, value: text });
			}
		} else if (option !== '-A' && option !== '-c' && module !== 'comment') {
			if (/^-[sdiopf]$/.test(option)) out.conditions.push({ key: option, not, value });
			else out.conditions.push({ key: `${module} ${MODULE[option] ?? option}`, not, value });
		}
		not = false;
	}
	return out;
}

/** First and last address of `A`, `A/LEN` or `A/MASK`; null: not contiguous, or no address. */
function range(text: string): [number, number] | null {
	const [a, m] = text.split('/');
	const addr = parseIp4(a);
	if (addr === null) return null;
	const mask =
		m === undefined ? 0xffffffff : m.includes('.') ? parseIp4(m) : Number(m) === 0 ? 0 : (~0 << (32 - Number(m))) >>> 0;
	if (mask === null || (((~mask >>> 0) + 1) & ~mask) >>> 0 !== 0) return null;
	const first = (addr & mask) >>> 0;
	return [first, first + (~mask >>> 0)];
}

function ports(text: string): [number, number][] | null {
	const out: [number, number][] = [];
	for (const part of text.split(',')) {
		const m = /^(\d*)(?::(\d*))?$/.exec(part);
		if (m === null) return null;
		const first = m[1] === '' ? 0 : Number(m[1]);
		out.push([first, m[2] === undefined ? first : m[2] === '' ? 65535 : Number(m[2])]);
	}
	return out;
}

const within = (inner: [number, number], outer: [number, number]): boolean =>
	inner[0] >= outer[0] && inner[1] <= outer[1];

/** Which port a condition is of, whichever module asks. */
function portKey(key: string): string | null {
	const m = /^(?:tcp|udp|udplite|sctp|dccp|multiport) --([sd])ports?$/.exec(key);
	return m === null ? null : m[1];
}

/** Whether every packet that `b` is true of, `a` is, too. */
function implies(b: Condition, a: Condition): boolean {
	if (a.key === b.key && a.not === b.not && a.value === b.value) return true;
	if (a.key === '-s' || a.key === '-d') {
		if (b.key !== a.key || b.not) return false;
		const [ra, rb] = [range(a.value), range(b.value)];
		if (ra === null || rb === null) return false;
		return a.not ? rb[1] < ra[0] || rb[0] > ra[1] : within(rb, ra);
	}
	if (a.key === '-i' || a.key === '-o') {
		if (b.key !== a.key || b.not || a.value === b.value) return false;
		if (!a.value.endsWith('+')) return a.not && !b.value.endsWith('+');
		const prefix = b.value.replace(/\+$/, '').startsWith(a.value.slice(0, -1));
		return a.not ? !prefix && !b.value.endsWith('+') : prefix;
	}
	const port = portKey(a.key);
	if (port !== null) {
		if (portKey(b.key) !== port || a.not || b.not) return false;
		const [pa, pb] = [ports(a.value), ports(b.value)];
		return pa !== null && pb !== null && pb.every((x) => pa.some((y) => within(x, y)));
	}
	if (/^(conntrack --ctstate|state --state)$/.test(a.key) && /^(conntrack --ctstate|state --state)$/.test(b.key)) {
		if (a.not || b.not) return false;
		const set = new Set(a.value.split(','));
		return b.value.split(',').every((x) => set.has(x));
	}
	return false;
}

/** Whether every packet that matches `b` matches `a`. Certain when true. */
export function covers(a: ParsedRule, b: ParsedRule): boolean {
	if (a.changing) return false;
	return a.conditions.every((ca) => b.conditions.some((cb) => implies(cb, ca)));
}

export interface Unreachable {
	rule: RuleLine;
	/** The rule before it that takes all that it would match; undefined: nobody comes to its chain. */
	by?: RuleLine;
}

/** Rules that no packet reaches. Certain for each; there may be more. */
export function unreachable(rules: readonly RuleLine[]): Unreachable[] {
	const chains = new Map<string, { line: RuleLine; rule: ParsedRule }[]>();
	for (const line of rules) {
		const key = `${line.table}/${line.chain}`;
		const list = chains.get(key);
		const entry = { line, rule: parseRule(line.text) };
		if (list === undefined) chains.set(key, [entry]);
		else list.push(entry);
	}
	const known = new Map<string, boolean>();
	/** Whether what comes to a chain never comes back. */
	const chainEnds = (key: string): boolean => {
		const old = known.get(key);
		if (old !== undefined) return old;
		known.set(key, false);
		const table = key.slice(0, key.indexOf('/'));
		let result = false;
		for (const { rule } of chains.get(key) ?? []) {
			if (rule.target === 'RETURN' || rule.goto) break;
			if (rule.conditions.length === 0 && (ENDS.has(rule.target) || chainEnds(`${table}/${rule.target}`))) {
				result = true;
				break;
			}
		}
		known.set(key, result);
		return result;
	};
	const out: Unreachable[] = [];
	const shadowed = new Set<RuleLine>();
	for (const list of chains.values()) {
		const takers: { line: RuleLine; rule: ParsedRule }[] = [];
		for (const e of list) {
			const by = takers.find((t) => covers(t.rule, e.rule));
			if (by !== undefined) {
				out.push({ rule: e.line, by: by.line });
				shadowed.add(e.line);
				continue;
			}
			const { target } = e.rule;
			if (ENDS.has(target) || target === 'RETURN' || e.rule.goto || chainEnds(`${e.line.table}/${target}`))
				takers.push(e);
		}
	}
	const reached = new Set<string>();
	const visit = (key: string): void => {
		if (reached.has(key)) return;
		reached.add(key);
		const table = key.slice(0, key.indexOf('/'));
		for (const { line, rule } of chains.get(key) ?? []) if (!shadowed.has(line)) visit(`${table}/${rule.target}`);
	};
	for (const key of chains.keys()) if (BASE.has(key.slice(key.indexOf('/') + 1))) visit(key);
	for (const [key, list] of chains)
		if (!reached.has(key)) for (const { line } of list) if (!shadowed.has(line)) out.push({ rule: line });
	return out.sort((x, y) => x.rule.line - y.rule.line);
}
