/*
 * lab/import/snapshot.ts: what was collected on a real host, as files by name, parsed and checked.
 * Every error says which file, where, what came and what was expected.
 */
import { ImportError } from './error.ts';
import { type Listener, parseListeners } from './listeners.ts';
import { type NftRules, parseNft } from './nft.ts';
import { ADDRESS, jsonRows, LINK, missingField, NEIGH, ROUTE, RULE } from './schema.ts';

export { ImportError } from './error.ts';

/** The files that `linnet capture-script` writes; any of them may be missing. */
export const SNAPSHOT_FILES = [
	'host',
	'link.json',
	'addr.json',
	'route.json',
	'rule.json',
	'neigh.json',
	'sysctl',
	'iptables-save',
	'iptables-legacy-save',
	'conntrack',
	'listeners',
	'nft.json',
	'rt_tables',
	'notes',
] as const;

export interface LinkJson {
	ifindex?: number;
	ifname: string;
	flags: string[];
	mtu: number;
	operstate?: string;
	link_type?: string;
	address?: string;
	master?: string;
	link?: string;
	txqlen?: number;
	linkinfo?: { info_kind?: string; info_slave_kind?: string };
	ifalias?: string;
}

export interface AddressJson {
	family: string;
	local: string;
	address?: string;
	prefixlen: number;
	broadcast?: string;
	scope: string;
	label?: string;
	secondary?: boolean;
	dynamic?: boolean;
	noprefixroute?: boolean;
	metric?: number;
	valid_life_time?: number;
	preferred_life_time?: number;
}

export interface NexthopJson {
	gateway?: string;
	via?: { family: string; host: string };
	dev?: string;
	weight?: number;
	flags?: string[];
}

export interface RouteJson extends NexthopJson {
	type?: string;
	dst: string;
	table?: string | number;
	protocol?: string;
	scope?: string;
	prefsrc?: string;
	metric?: number;
	tos?: string;
	metrics?: Record<string, number | string>[];
	nexthops?: NexthopJson[];
	flags?: string[];
}

export interface RuleJson {
	priority: number;
	src?: string;
	srclen?: number;
	dst?: string;
	dstlen?: number;
	not?: null;
	tos?: string;
	fwmark?: string;
	fwmask?: string;
	iif?: string;
	oif?: string;
	uid_start?: number;
	uid_end?: number;
	ipproto?: string;
	sport?: string | number;
	sport_start?: number;
	sport_end?: number;
	dport?: string | number;
	dport_start?: number;
	dport_end?: number;
	table?: string | number;
	action?: string;
	goto?: number;
	nop?: null;
	suppress_prefixlen?: number;
	protocol?: string;
}

export interface NeighJson {
	dst: string;
	dev: string;
	lladdr?: string;
	state: string[];
	router?: null;
	proxy?: null;
}

/** One rule of a saved ruleset: where it stands in its file and in its chain. */
export interface RuleLine {
	file: string;
	/** From 1. */
	line: number;
	table: string;
	chain: string;
	/** As `iptables -L --line-numbers` counts, from 1. */
	num: number;
	/** `-A FORWARD -p tcp … -j DROP`, without counters. */
	text: string;
}

export interface Snapshot {
	name: string;
	links: LinkJson[] | null;
	addresses: Map<string, AddressJson[]>;
	routes: RouteJson[] | null;
	rules: RuleJson[] | null;
	neighbours: NeighJson[];
	sysctls: { key: string; value: string; line: number }[] | null;
	/** The ruleset's text and the name of its file; null without one. */
	ruleset: { file: string; text: string } | null;
	/** The other of iptables-save and iptables-legacy-save has rules, too, and others: they are left out. */
	secondRuleset: string | null;
	ruleLines: RuleLine[];
	/** Those of them that nf_tables holds, too: iptables-nft's; none of iptables-legacy's. */
	nftRuleLines: RuleLine[];
	/** Where each chain's policy stands: number 0, no text. */
	policyLines: RuleLine[];
	/** Sockets that wait for packets; null when they were not collected. */
	listeners: Listener[] | null;
	/** Rules of nf_tables that are no translations of iptables'; null when they were not collected. */
	nft: NftRules | null;
	conntrack: { file: string; lines: string[] } | null;
	files: Map<string, string>;
	/** What the user called the files, where they came one by one. */
	names: ReadonlyMap<string, string>;
}

/** Every `-A` line of an iptables-save file, with its place. */
export function ruleLines(file: string, text: string): RuleLine[] {
	const out: RuleLine[] = [];
	const counts = new Map<string, number>();
	let table = '';
	text.split('\n').forEach((raw, i) => {
		const line = raw.trim();
		if (line.startsWith('*')) {
			table = line.slice(1);
			counts.clear();
			return;
		}
		const m = /^(?:\[\d+:\d+\]\s*)?(-A\s+(\S+).*)$/.exec(line);
		if (m === null) return;
		const chain = m[2].replace(/^"(.*)"$/, '$1');
		const num = (counts.get(chain) ?? 0) + 1;
		counts.set(chain, num);
		out.push({ file, line: i + 1, table, chain, num, text: m[1] });
	});
	return out;
}

/** Every `:CHAIN POLICY` line of a base chain, with its place. */
export function policyLines(file: string, text: string): RuleLine[] {
	const out: RuleLine[] = [];
	let table = '';
	text.split('\n').forEach((raw, i) => {
		const line = raw.trim();
		if (line.startsWith('*')) table = line.slice(1);
		const m = /^:(\S+)\s+(ACCEPT|DROP)\b/.exec(line);
		if (m !== null) out.push({ file, line: i + 1, table, chain: m[1], num: 0, text: '' });
	});
	return out;
}

/** Which of the collected files this text is, by how it looks; null when it is none. */
export function sniff(text: string): (typeof SNAPSHOT_FILES)[number] | null {
	const head = text.slice(0, 65536);
	if (/^\*(filter|nat|mangle|raw|security)\s*$/m.test(head) || /^# Generated by iptables/m.test(head))
		return 'iptables-save';
	if (/^\s*\[/.test(head)) {
		if (head.includes('"addr_info"')) return 'addr.json';
		if (head.includes('"ifname"')) return 'link.json';
		if (head.includes('"priority"')) return 'rule.json';
		if (head.includes('"state"') && head.includes('"dst"')) return 'neigh.json';
		if (head.includes('"dst"')) return 'route.json';
		return null;
	}
	if (/^\s*\{\s*"nftables"/.test(head)) return 'nft.json';
	if (/^(tcp|udp)\s+(LISTEN|UNCONN)\s+\d+\s+\d+\s+\S+:\d+/m.test(head)) return 'listeners';
	if (/^net\.[\w.-]+(\/[\w.]+)* = /m.test(head)) return 'sysctl';
	if (/^(ipv[46]\s+\d+\s+)?(tcp|udp|icmp|unknown|gre|sctp)\s+\d+\s+\d+.*src=/m.test(head)) return 'conntrack';
	return null;
}

/** Reads what was collected. Throws ImportError. `files`: text by file name. */
export function parseSnapshot(files: Map<string, string>): Snapshot {
	const links = jsonRows<LinkJson>(files, 'link.json', LINK, ['ifname', 'mtu', 'flags']);
	const addrs = jsonRows<LinkJson & { addr_info?: Partial<AddressJson>[] }>(files, 'addr.json', ADDRESS, ['ifname']);
	if (links === null && addrs !== null) jsonRows(files, 'addr.json', ADDRESS, ['ifname', 'mtu', 'flags']);
	const routes = jsonRows<RouteJson>(files, 'route.json', ROUTE, ['dst']);
	const rules = jsonRows<RuleJson>(files, 'rule.json', RULE, ['priority']);
	const neighbours = jsonRows<NeighJson>(files, 'neigh.json', NEIGH, ['dst', 'dev', 'state']) ?? [];

	const addresses = new Map<string, AddressJson[]>();
	for (const [i, l] of (addrs ?? []).entries()) {
		const list: AddressJson[] = [];
		for (const a of l.addr_info ?? []) {
			if (a.family !== 'inet') continue;
			const wrong = missingField(a, ['local', 'prefixlen', 'scope'], {
				local: 'string',
				prefixlen: 'number',
				scope: 'string',
			});
			if (wrong !== null)
				throw new ImportError('addr.json', null, `entry ${i + 1}: of an address of ${l.ifname}: ${wrong}`);
			list.push(a as AddressJson);
		}
		addresses.set(l.ifname, list);
	}

	let sysctls: Snapshot['sysctls'] = null;
	const sysctlText = files.get('sysctl');
	if (sysctlText !== undefined) {
		sysctls = [];
		sysctlText.split('\n').forEach((line, i) => {
			if (line.trim() === '' || line.startsWith('#')) return;
			const m = /^([^=\s]+)\s*=\s?(.*)$/.exec(line);
			if (m === null) {
				// `sysctl -a` says on the same terminal what it may not read.
				if (line.startsWith('sysctl: ')) return;
				throw new ImportError(
					'sysctl',
					i + 1,
					`'${line.slice(0, 60)}' is not 'name = value', as 'sysctl -a' prints it`,
				);
			}
			sysctls!.push({ key: m[1], value: m[2], line: i + 1 });
		});
	}

	const has = (f: string): boolean => /^\*/m.test(files.get(f) ?? '');
	const rulesetFile = has('iptables-save')
		? 'iptables-save'
		: has('iptables-legacy-save')
			? 'iptables-legacy-save'
			: null;
	const ruleset = rulesetFile === null ? null : { file: rulesetFile, text: files.get(rulesetFile)! };
	const rulesOf = (f: string): string =>
		ruleLines(f, files.get(f) ?? '')
			.map((r) => `${r.table} ${r.text}`)
			.join('\n');
	const legacy = rulesOf('iptables-legacy-save');
	const lines = ruleset === null ? [] : ruleLines(ruleset.file, ruleset.text);
	// The tool says of itself which it is: `# Generated by iptables-save v1.8.9 (nf_tables)`.
	const inNft =
		rulesetFile === 'iptables-save' &&
		(!/^# Generated by/m.test(ruleset!.text) || /\(nf_tables\)|xtables/.test(ruleset!.text));
	const secondRuleset =
		rulesetFile === 'iptables-save' && legacy !== '' && legacy !== rulesOf('iptables-save')
			? 'iptables-legacy-save'
			: null;

	const ct = files.get('conntrack');
	const listeners = files.get('listeners');
	const nft = files.get('nft.json');
	const name = files.get('host')?.split('\n')[0].trim() || 'host';
	return {
		name,
		links: links ?? addrs,
		addresses,
		routes,
		rules,
		neighbours,
		sysctls,
		ruleset,
		secondRuleset,
		ruleLines: lines,
		nftRuleLines: inNft ? lines : [],
		policyLines: ruleset === null ? [] : policyLines(ruleset.file, ruleset.text),
		listeners: listeners === undefined ? null : parseListeners('listeners', listeners),
		nft: nft === undefined ? null : parseNft('nft.json', nft),
		conntrack: ct === undefined ? null : { file: 'conntrack', lines: ct.split('\n') },
		files,
		names: new Map(),
	};
}
