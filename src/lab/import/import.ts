/*
 * lab/import/import.ts: a real host's configuration, set up on a host of ours with the same commands that people type.
 * What is missing is assumed, what is not modelled is left out, and both are said.
 */

import { sysctl_find } from '../../kernel/sysctl.ts';
import { restore } from '../../user/iptables/iptables-restore.ts';
import type { Host, Nic } from '../host.ts';
import { Surroundings } from '../surroundings.ts';
import type { World } from '../world.ts';
import { importConntrack } from './conntrack.ts';
import type { Listener } from './listeners.ts';
import { foreignRules } from './nft.ts';
import {
	type AddressJson,
	ImportError,
	type LinkJson,
	type NexthopJson,
	type RouteJson,
	type RuleJson,
	type RuleLine,
	type Snapshot,
} from './snapshot.ts';

/** Something about the import that its user should know. */
export interface ImportNote {
	/**
	 * 'assumed': it was not there, so we took this; 'left out': it is there and we don't model it;
	 * 'warning': it is there, we don't model it, and it may decide what becomes of any packet.
	 */
	kind: 'assumed' | 'left out' | 'warning';
	where: string;
	text: string;
}

export interface ImportedHost {
	host: Host;
	snapshot: Snapshot;
	/** By device name; what stands around the host. */
	surroundings: Map<string, Surroundings>;
	notes: ImportNote[];
	/** Sockets that wait for packets on the real host; null when they were not collected. */
	listeners: Listener[] | null;
}

/** `table/chain/number` as journeys name a rule. */
export function ruleKey(table: string, chain: string, num: number): string {
	return `${table}/${chain}/${num}`;
}

/** The line of the imported file that a rule stands on; undefined when it came from elsewhere. */
export function findRuleLine(snapshot: Snapshot, table: string, chain: string, num: number): RuleLine | undefined {
	return snapshot.ruleLines.find((r) => r.table === table && r.chain === chain && r.num === num);
}

/** Sets up the host that `snapshot` describes. Throws ImportError. */
export async function importHost(world: World, snapshot: Snapshot, name = snapshot.name): Promise<ImportedHost> {
	const host = world.host(name);
	const imp: ImportedHost = { host, snapshot, surroundings: new Map(), notes: [], listeners: snapshot.listeners };
	const links = snapshot.links ?? assumeLinks(imp);
	await importLinks(imp, links);
	if (snapshot.links === null) await assumeRouting(imp);
	else {
		await importAddresses(imp);
		await importRoutes(imp);
		await importRules(imp);
	}
	await importSysctls(imp);
	await importNeighbours(imp);
	await importRuleset(imp);
	await importConntrack(imp);
	await world.settle();
	return imp;
}

/** `entry`: which of the file's, from 1. */
async function ip(imp: ImportedHost, where: string, args: string[], entry?: number): Promise<void> {
	const r = await imp.host.exec(['ip', ...args]);
	if (r.exitCode !== 0)
		throw new ImportError(
			where,
			null,
			`${entry === undefined ? '' : `entry ${entry}: `}'ip ${args.join(' ')}' failed: ${(r.stderr || r.stdout).trim().replaceAll('\n', ' ')}`,
		);
}

// ---- links and addresses ---------------------------------------------------------------------------------------------------------

const MODELLED = new Set(['', 'veth', 'dummy', 'tun', 'virtio_net', 'vnic']);

async function importLinks(imp: ImportedHost, links: LinkJson[]): Promise<void> {
	const { host } = imp;
	for (const l of [...links].sort((a, b) => (a.ifindex ?? 0) - (b.ifindex ?? 0))) {
		const up = l.flags.includes('UP');
		if (l.flags.includes('LOOPBACK') || l.link_type === 'loopback') {
			await ip(imp, 'link.json', ['link', 'set', l.ifname, up ? 'up' : 'down']);
			continue;
		}
		const kind = l.linkinfo?.info_kind ?? '';
		if (l.link_type !== undefined && l.link_type !== 'ether') {
			imp.notes.push({
				kind: 'assumed',
				where: 'link.json',
				text: `${l.ifname} (${l.link_type}${kind === '' ? '' : ', ' + kind}) is taken for an Ethernet NIC: linnet has no such device yet`,
			});
		} else if (!MODELLED.has(kind)) {
			imp.notes.push({
				kind: 'assumed',
				where: 'link.json',
				text: `${l.ifname} is a ${kind}; linnet has none yet, so it is taken for a NIC whose neighbours are all reachable`,
			});
		}
		if (l.master !== undefined)
			imp.notes.push({
				kind: 'left out',
				where: 'link.json',
				text: `${l.ifname} is a port of ${l.master}: frames are taken in by ${l.master} only`,
			});
		let nic: Nic;
		try {
			nic = host.nic(l.ifname, {
				mac: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(l.address ?? '') ? l.address : undefined,
				mtu: l.mtu,
				ifindex: l.ifindex,
			});
		} catch (e) {
			throw new ImportError('link.json', null, `${l.ifname}: ${e instanceof Error ? e.message : e}`);
		}
		const around = new Surroundings(nic);
		imp.surroundings.set(l.ifname, around);
		if (l.txqlen !== undefined && l.txqlen !== 1000)
			await ip(imp, 'link.json', ['link', 'set', l.ifname, 'txqueuelen', String(l.txqlen)]);
		if (up) await ip(imp, 'link.json', ['link', 'set', l.ifname, 'up']);
		else await ip(imp, 'link.json', ['link', 'set', l.ifname, 'down']);
		const carrier = !l.flags.includes('NO-CARRIER');
		if (!carrier)
			imp.notes.push({
				kind: 'assumed',
				where: 'link.json',
				text: `${l.ifname} had no carrier when this was collected, and has none here`,
			});
		around.setUp(carrier);
	}
	await imp.host.world.settle();
}

function addressArgs(dev: string, a: AddressJson): string[] {
	const args = ['addr', 'add'];
	if (a.address !== undefined && a.address !== a.local) args.push(a.local, 'peer', `${a.address}/${a.prefixlen}`);
	else args.push(`${a.local}/${a.prefixlen}`);
	if (a.broadcast !== undefined) args.push('broadcast', a.broadcast);
	args.push('dev', dev, 'scope', a.scope);
	if (a.label !== undefined && a.label !== dev) args.push('label', a.label);
	if (a.metric !== undefined) args.push('metric', String(a.metric));
	if (a.dynamic === true && a.valid_life_time !== undefined && a.valid_life_time !== 4294967295) {
		args.push(
			'valid_lft',
			String(a.valid_life_time),
			'preferred_lft',
			String(a.preferred_life_time ?? a.valid_life_time),
		);
	}
	if (a.noprefixroute === true) args.push('noprefixroute');
	return args;
}

async function importAddresses(imp: ImportedHost): Promise<void> {
	const { snapshot } = imp;
	if (snapshot.addresses.size === 0)
		imp.notes.push({ kind: 'assumed', where: 'addr.json', text: 'not there: the host has no addresses but 127.0.0.1' });
	for (const [dev, list] of snapshot.addresses) {
		for (const a of list) {
			if (dev === 'lo' && a.local === '127.0.0.1') continue;
			await ip(imp, 'addr.json', addressArgs(dev, a));
		}
	}
}

// ---- routes, rules, neighbours ---------------------------------------------------------------------------------------------------

function nexthopArgs(n: NexthopJson): string[] {
	const args: string[] = [];
	if (n.via !== undefined) args.push('via', n.via.family, n.via.host);
	else if (n.gateway !== undefined) args.push('via', n.gateway);
	if (n.dev !== undefined) args.push('dev', n.dev);
	return args;
}

function routeArgs(r: RouteJson): string[] {
	const args = ['route', 'append'];
	if (r.type !== undefined && r.type !== 'unicast') args.push(r.type);
	args.push(r.dst);
	if (r.tos !== undefined) args.push('tos', r.tos);
	args.push(...nexthopArgs(r));
	if (r.table !== undefined) args.push('table', String(r.table));
	if (r.protocol !== undefined) args.push('proto', r.protocol);
	if (r.scope !== undefined && r.nexthops === undefined) args.push('scope', r.scope);
	if (r.prefsrc !== undefined) args.push('src', r.prefsrc);
	if (r.metric !== undefined) args.push('metric', String(r.metric));
	for (const m of r.metrics ?? []) {
		for (const [k, v] of Object.entries(m)) {
			if (
				[
					'mtu',
					'advmss',
					'window',
					'rtt',
					'rttvar',
					'cwnd',
					'initcwnd',
					'initrwnd',
					'hoplimit',
					'quickack',
					'rto_min',
					'ssthresh',
					'reordering',
				].includes(k)
			)
				args.push(k, String(v));
		}
	}
	if (r.flags?.includes('onlink')) args.push('onlink');
	for (const n of r.nexthops ?? []) {
		args.push('nexthop', ...nexthopArgs(n), 'weight', String(n.weight ?? 1));
		if (n.flags?.includes('onlink')) args.push('onlink');
	}
	return args;
}

async function importRoutes(imp: ImportedHost): Promise<void> {
	const { snapshot } = imp;
	if (snapshot.routes === null) {
		imp.notes.push({
			kind: 'assumed',
			where: 'route.json',
			text: 'not there: only the routes that the addresses bring',
		});
		return;
	}
	// The dump is the whole truth: what the addresses brought by themselves is in it, or was removed on the real host.
	await ip(imp, 'route.json', ['route', 'flush', 'table', 'main']);
	const direct = snapshot.routes.filter(
		(r) => r.gateway === undefined && r.via === undefined && r.nexthops === undefined,
	);
	const via = snapshot.routes.filter((r) => !direct.includes(r));
	const { routes } = snapshot;
	for (const r of [...direct, ...via]) {
		if (String(r.table) === 'local' && (r.protocol === 'kernel' || r.type === 'broadcast')) continue;
		if (r.flags?.includes('dead') && !r.flags.includes('linkdown')) {
			imp.notes.push({
				kind: 'left out',
				where: 'route.json',
				text: `the dead route to ${r.dst}${r.dev === undefined ? '' : ' dev ' + r.dev}`,
			});
			continue;
		}
		await ip(imp, 'route.json', routeArgs(r), routes.indexOf(r) + 1);
	}
}

function ruleArgs(r: RuleJson): string[] {
	const args = ['rule', 'add', 'pref', String(r.priority)];
	if (r.not !== undefined) args.push('not');
	const prefix = (addr: string, len: number | undefined): string =>
		len === undefined || addr === 'all' ? addr : `${addr}/${len}`;
	args.push('from', prefix(r.src ?? 'all', r.srclen));
	if (r.dst !== undefined) args.push('to', prefix(r.dst, r.dstlen));
	if (r.tos !== undefined) args.push('tos', r.tos);
	if (r.fwmark !== undefined) args.push('fwmark', r.fwmask === undefined ? r.fwmark : `${r.fwmark}/${r.fwmask}`);
	if (r.iif !== undefined) args.push('iif', r.iif);
	if (r.oif !== undefined) args.push('oif', r.oif);
	if (r.uid_start !== undefined) args.push('uidrange', `${r.uid_start}-${r.uid_end}`);
	if (r.ipproto !== undefined) args.push('ipproto', r.ipproto);
	const sport = r.sport ?? (r.sport_start === undefined ? undefined : `${r.sport_start}-${r.sport_end}`);
	const dport = r.dport ?? (r.dport_start === undefined ? undefined : `${r.dport_start}-${r.dport_end}`);
	if (sport !== undefined) args.push('sport', String(sport));
	if (dport !== undefined) args.push('dport', String(dport));
	if (r.goto !== undefined) args.push('goto', String(r.goto));
	else if (r.nop !== undefined) args.push('nop');
	else if (r.action !== undefined && r.action !== 'to_tbl') args.push(r.action);
	else if (r.table !== undefined) args.push('lookup', String(r.table));
	if (r.suppress_prefixlen !== undefined) args.push('suppress_prefixlength', String(r.suppress_prefixlen));
	if (r.protocol !== undefined && r.protocol !== 'unspec') args.push('protocol', r.protocol);
	return args;
}

async function importRules(imp: ImportedHost): Promise<void> {
	const { rules } = imp.snapshot;
	if (rules === null) {
		imp.notes.push({
			kind: 'assumed',
			where: 'rule.json',
			text: 'not there: the three rules of birth (local, main, default)',
		});
		return;
	}
	await ip(imp, 'rule.json', ['rule', 'flush']);
	for (const [i, r] of rules.entries()) if (r.priority !== 0) await ip(imp, 'rule.json', ruleArgs(r), i + 1);
}

async function importNeighbours(imp: ImportedHost): Promise<void> {
	for (const [i, n] of imp.snapshot.neighbours.entries()) {
		if (n.lladdr === undefined || !imp.surroundings.has(n.dev)) continue;
		const state = n.state.includes('PERMANENT')
			? 'permanent'
			: n.state.includes('NOARP')
				? 'noarp'
				: n.state.includes('REACHABLE')
					? 'reachable'
					: 'stale';
		const args = ['neigh', 'replace', n.dst, 'lladdr', n.lladdr, 'dev', n.dev, 'nud', state];
		await ip(imp, 'neigh.json', args, i + 1);
		const addr = n.dst.split('.').reduce((acc, x) => acc * 256 + Number(x), 0);
		imp.surroundings.get(n.dev)!.known.set(
			addr,
			Uint8Array.from(n.lladdr.split(':'), (b) => parseInt(b, 16)),
		);
	}
}

// ---- sysctls and rules -----------------------------------------------------------------------------------------------------------

/** Those that reset others when they are written come first. */
function sysctlRank(key: string): number {
	if (key === 'net.ipv4.ip_forward') return 0;
	if (key.startsWith('net.ipv4.conf.all.')) return 1;
	if (key.startsWith('net.ipv4.conf.default.')) return 2;
	return 3;
}

/** Keys that say nothing about a packet's way: loggers, limits of what linnet does not have. */
const HARMLESS = /^net\.(netfilter\.nf_(log\b|hooks_lwtunnel|flowtable)|ipv4\.(xfrm4_gc_thresh|cipso_|conf\.))/;

async function importSysctls(imp: ImportedHost): Promise<void> {
	const { snapshot, host } = imp;
	if (snapshot.sysctls === null) {
		await host.must('sysctl -qw net.ipv4.ip_forward=1');
		imp.notes.push({
			kind: 'assumed',
			where: 'sysctl',
			text: "not there: the kernel's defaults, but net.ipv4.ip_forward = 1",
		});
		return;
	}
	const net = host.machine.init_net;
	const unknown: string[] = [];
	for (const s of [...snapshot.sysctls].sort((a, b) => sysctlRank(a.key) - sysctlRank(b.key))) {
		if (!s.key.startsWith('net.')) continue;
		const path = s.key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'));
		const t = sysctl_find(net, path);
		if (t === undefined) {
			unknown.push(s.key);
			continue;
		}
		if ((t.mode & 0o222) === 0 || (t.mode & 0o444) === 0) continue;
		if (t.read(t, net) === s.value) continue;
		const err = t.write(t, net, s.value);
		if (err < 0)
			imp.notes.push({
				kind: 'left out',
				where: `sysctl:${s.line}`,
				text: `${s.key} = ${s.value} was refused (error ${-err})`,
			});
	}
	const v4 = unknown.filter(
		(k) => /^net\.(ipv4\.(?!tcp_|udp_)|netfilter\.|core\.(r|w)mem)/.test(k) && !HARMLESS.test(k),
	);
	if (v4.length > 0)
		imp.notes.push({
			kind: 'left out',
			where: 'sysctl',
			text: `${v4.length} keys that linnet does not have yet: ${v4.slice(0, 4).join(', ')}${v4.length > 4 ? ', …' : ''}`,
		});
}

/** What iptables-restore does not say of a line that it refuses. */
function ruleHint(text: string, line: number): string {
	const rule = (text.split('\n')[line - 1] ?? '').trim();
	if (rule === '') return '';
	const chain = /-A\s+(\S+)/.exec(rule)?.[1];
	const table = text
		.split('\n')
		.slice(0, line)
		.findLast((l) => l.startsWith('*'));
	const above = text.split('\n').slice(0, line);
	const declared = above
		.slice(table === undefined ? 0 : above.lastIndexOf(table))
		.some((l) => l.startsWith(`:${chain} `));
	const why = chain !== undefined && !declared ? `: expected ':${chain}' to be declared above it` : '';
	return ` ('${rule.slice(0, 100)}'${why})`;
}

async function importRuleset(imp: ImportedHost): Promise<void> {
	const { snapshot, host } = imp;
	const foreign = snapshot.nft === null ? [] : foreignRules(snapshot.nft, snapshot.nftRuleLines);
	for (const text of foreign) imp.notes.push({ kind: 'warning', where: 'nft.json', text });
	if (snapshot.secondRuleset !== null)
		imp.notes.push({
			kind: 'warning',
			where: snapshot.secondRuleset,
			text: 'has rules that iptables-save has not: on the host packets meet both, here only those of iptables-save',
		});
	if (snapshot.ruleset === null) {
		imp.notes.push({
			kind: 'assumed',
			where: 'iptables-save',
			text: foreign.length > 0 ? 'no rules there: none of iptables' : 'not there: no rules',
		});
		return;
	}
	const { file, text } = snapshot.ruleset;
	// Hand-written files leave the counters out.
	const counters = !/^:\S+\s+\S+\s*$/m.test(text);
	const r = await host.process('iptables-restore', (proc) => restore(proc, text, { unknown: 'keep', counters }));
	if (r.status !== 0) {
		const m = /line:? (\d+)/.exec(r.stderr);
		throw new ImportError(
			file,
			m === null ? null : Number(m[1]),
			`${r.stderr.trim().replaceAll('\n', ' ')}${m === null ? '' : ruleHint(text, Number(m[1]))}`,
		);
	}
	for (const u of r.report.unknown) {
		imp.notes.push({
			kind: 'left out',
			where: `${file}:${u.line}`,
			text: `${u.why}: kept as it stands; a packet that reaches this rule cannot be judged`,
		});
	}
}

// ---- when there is only a ruleset ------------------------------------------------------------------------------------------------

/** Every device that the rules name. */
function assumeLinks(imp: ImportedHost): LinkJson[] {
	const names = new Set<string>();
	for (const r of imp.snapshot.ruleLines) {
		for (const m of r.text.matchAll(/(?:^|\s)(?:-i|-o|--in-interface|--out-interface)\s+(\S+)/g)) {
			const name = m[1].replace(/\+$/, '0');
			if (name !== 'lo' && name.length < 16) names.add(name === '' ? 'eth0' : name);
		}
	}
	// Where the rules name no way out, there is one all the same.
	if (![...names].some((n) => /^(e|w|ppp|wan)/.test(n))) names.add('eth0');
	imp.notes.push({
		kind: 'assumed',
		where: 'link.json',
		text: `not there: the devices that the rules name (${[...names].join(', ')}), all up`,
	});
	return [...names].map((ifname) => ({ ifname, flags: ['UP'], mtu: 1500, link_type: 'ether' }));
}

/** Routes by what the rules pair: `-s NET -i DEV` and `-d NET -o DEV`; the rest by the device that is masqueraded on. */
async function assumeRouting(imp: ImportedHost): Promise<void> {
	const { snapshot } = imp;
	const nets = new Map<string, string>();
	let uplink: string | undefined;
	for (const r of snapshot.ruleLines) {
		const opt = (flags: string): string | undefined =>
			new RegExp(`(?:^|\\s)(?:${flags})\\s+(\\S+)`).exec(r.text.replace(/!\s+\S+\s+\S+/g, ''))?.[1];
		const src = opt('-s|--source');
		const dst = opt('-d|--destination');
		const input = opt('-i|--in-interface');
		const output = opt('-o|--out-interface');
		// `-s NET ! -o DEV -j MASQUERADE`: what does not leave by DEV is translated, so NET is behind DEV (Docker, libvirt).
		const behind = /(?:^|\s)-s (\S+)(?: -d \S+)? ! -o (\S+)/.exec(r.text);
		if (behind !== null && behind[1].includes('/') && !behind[1].endsWith('/32') && !behind[2].endsWith('+'))
			nets.set(behind[1], behind[2]);
		if (/-j (MASQUERADE|SNAT)\b/.test(r.text) && output !== undefined && !output.endsWith('+')) uplink ??= output;
		for (const [prefix, dev] of [
			[src, input],
			[dst, output],
		]) {
			if (prefix === undefined || dev === undefined || dev.endsWith('+') || dev === 'lo') continue;
			if (/^\d+\.\d+\.\d+\.\d+\/([1-9]|[12]\d|3[01])$/.test(prefix) && !/^(0|127|22[4-9]|23\d|255)\./.test(prefix))
				nets.set(prefix, dev);
		}
	}
	const devs = [...imp.surroundings.keys()];
	uplink ??= devs.find((d) => /^(e|w|ppp|wan)/.test(d) && ![...nets.values()].includes(d)) ?? devs[0];
	// Networks that are translated on the way out are behind some other device: which, the rules may not say.
	const guessed: string[] = [];
	const free = devs.filter((d) => d !== uplink && ![...nets.values()].includes(d));
	for (const r of snapshot.ruleLines) {
		const m =
			/(?:^|\s)-s (\d+\.\d+\.\d+\.\d+\/(?:[1-9]|[12]\d|3[01]))(?:\s.*)? -o (\S+)\s.*-j (?:MASQUERADE|SNAT)\b/.exec(
				r.text,
			);
		if (m === null || r.text.includes('!') || nets.has(m[1]) || m[2] !== uplink || free.length === 0) continue;
		nets.set(m[1], free.shift()!);
		guessed.push(m[1]);
	}
	for (const [prefix, dev] of nets) await imp.host.exec(['ip', 'route', 'replace', prefix, 'dev', dev]);
	await imp.host.exec(['ip', 'route', 'replace', 'default', 'dev', uplink]);
	// Where the routes are made up, no neighbour shall be told of a better one.
	for (const key of ['all', 'default', ...devs]) imp.host.sysctl(`net/ipv4/conf/${key}/send_redirects`, 0);
	imp.notes.push({
		kind: 'assumed',
		where: 'route.json',
		text: `not there: default dev ${uplink}${nets.size === 0 ? '' : ', ' + [...nets].map(([p, d]) => `${p} dev ${d}${guessed.includes(p) ? ' (a guess: the rules do not say)' : ''}`).join(', ')}, from the rules; rp_filter and redirects off`,
	});
}
