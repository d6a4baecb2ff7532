/*
 * cli/diff.ts: `linnet diff` replays captures under two configurations; `linnet coverage` tells which rules nothing came to.
 */
import { existsSync } from 'node:fs';
import { FlowDiff } from '../firewall/diff.ts';
import { importFresh } from '../firewall/host.ts';
import { unreachable } from '../firewall/shadow.ts';
import type { ImportedHost } from '../lab/import/import.ts';
import { parseSnapshot, type RuleLine, type Snapshot } from '../lab/import/snapshot.ts';
import { CaptureReplay } from '../trace/capture.ts';
import { Replay } from '../trace/replay.ts';
import { type Capture, checkDevice, framesOf } from './captures.ts';
import { loadSnapshot, readText, UserError } from './load.ts';
import { palette } from './paint.ts';
import { testFiles } from './test.ts';
import { readSuites, runSuite } from './test_run.ts';

export interface DiffFlags {
	host: string[];
	rules?: string;
	newHost?: string[];
	pcap: string[];
	keepFlows?: boolean;
	json?: boolean;
	quiet?: boolean;
}

export interface CoverageFlags {
	host: string[];
	tests?: string[];
	pcap?: string[];
	keepFlows?: boolean;
	json?: boolean;
	quiet?: boolean;
}

/** `FILE`, or `DEV=FILE`. */
export function captureOf(text: string): Capture {
	const m = /^([^=/]{1,15})=(.+)$/.exec(text);
	return m === null || existsSync(text) ? { dev: 'any', file: text } : { dev: m[1], file: m[2] };
}

/** The host with other rules. Throws UserError, ImportError. */
function withRules(s: Snapshot, file: string): Snapshot {
	const text = readText(file);
	if (!/^\*[a-z]+$/m.test(text))
		throw new UserError(`${file}: this is not what iptables-save prints: expected lines such as '*filter'`);
	const files = new Map(s.files);
	files.delete('iptables-legacy-save');
	files.set('iptables-save', text);
	const out = parseSnapshot(files);
	out.name = s.name;
	out.names = new Map([...s.names, ['iptables-save', file]]);
	for (const r of [...out.ruleLines, ...out.policyLines]) r.file = file;
	return out;
}

/** Without the connections that were open when it was collected: what rules say of a flow is asked when it begins. */
function forgetful(s: Snapshot, keep: boolean | undefined): Snapshot {
	return keep === true ? s : { ...s, conntrack: null };
}

function warn(imp: ImportedHost, quiet: boolean | undefined, which: string): void {
	const c = palette(process.stderr);
	for (const n of imp.notes) {
		if (n.kind !== 'warning' && quiet === true) continue;
		const line = `${which}${n.kind}: ${n.where}: ${n.text}`;
		process.stderr.write(`${n.kind === 'warning' ? c.yellow(line) : c.dim(line)}\n`);
	}
}

/** `linnet diff`. Return: 0 nothing changed, 1 something did. */
export async function diff(flags: DiffFlags): Promise<number> {
	if ((flags.rules === undefined) === (flags.newHost === undefined))
		throw new UserError('expected the new configuration: --rules FILE (an iptables-save), or --new-host PATH');
	const before = await loadSnapshot(flags.host);
	const after = flags.rules === undefined ? await loadSnapshot(flags.newHost!) : withRules(before, flags.rules);
	const captures = flags.pcap.map(captureOf);
	const sides: { imp: ImportedHost; captured: CaptureReplay; begin: number }[] = [];
	for (const [i, s] of [before, after].entries()) {
		const imp = await importFresh(forgetful(s, flags.keepFlows));
		warn(imp, flags.quiet === true || i > 0 || flags.json === true, i === 0 ? '' : 'new: ');
		for (const c of captures) if (c.dev !== 'any') checkDevice(imp, c.dev);
		sides.push({
			imp,
			captured: new CaptureReplay(new Replay(imp), framesOf.twoWay(imp, captures)),
			begin: imp.host.world.clock.now,
		});
	}
	const changes = new FlowDiff();
	let left = 0;
	for (const f of framesOf(sides[0].imp, captures)) {
		const frame = f.frame;
		if (frame === null) {
			left++;
			continue;
		}
		const [a, b] = sides.map((side) => {
			const at = side.begin + f.time;
			if (at > side.imp.host.world.clock.now) side.captured.replay.at(at);
			side.captured.expired();
			if (!side.imp.surroundings.has(f.dev)) throw new UserError(`${f.file}: the new host has no device '${f.dev}'`);
			return frame.own
				? (side.captured.own(f, frame.bytes, f.cut, false).journey ?? null)
				: side.captured.arrival(f, frame.bytes, f.cut, false);
		});
		// What the host forwarded was told when it arrived.
		if (a !== null && b !== null) changes.add(f.dev, frame.bytes, f.time, a, b);
	}
	const list = changes.list();
	const c = palette();
	for (const flow of list) {
		if (flags.json === true) process.stdout.write(`${JSON.stringify(flow)}\n`);
		else
			process.stdout.write(
				`${c.bold(flow.packet)}  on ${flow.dev}  ${c.yellow(flow.what.join(', '))}${flow.packets > 1 ? c.dim(`  ${flow.packets} packets`) : ''}\n  ${c.red(`- ${flow.old}`)}\n  ${c.green(`+ ${flow.new}`)}\n`,
			);
	}
	if (flags.json !== true)
		process.stdout.write(
			`${list.length === 0 ? '' : '\n'}${list.length} flows changed: ${changes.changed} of ${changes.packets} packets${left > 0 ? `; ${left} not replayed` : ''}\n`,
		);
	return list.length > 0 ? 1 : 0;
}

/** Packets that each rule counted, by `table/chain/number`. */
async function counters(imp: ImportedHost): Promise<Map<string, number>> {
	const out = new Map<string, number>();
	const numbers = new Map<string, number>();
	let table = '';
	for (const line of (await imp.host.exec(['iptables-save', '-c'])).stdout.split('\n')) {
		if (line.startsWith('*')) table = line.slice(1);
		const m = /^\[(\d+):\d+\] -A (\S+)/.exec(line);
		if (m === null) continue;
		const chain = `${table}/${m[2]}`;
		const n = (numbers.get(chain) ?? 0) + 1;
		numbers.set(chain, n);
		out.set(`${chain}/${n}`, Number(m[1]));
	}
	return out;
}

/** `linnet coverage`. Return: 0. */
export async function coverage(flags: CoverageFlags): Promise<number> {
	const snapshot = await loadSnapshot(flags.host);
	const hits = new Map<string, number>();
	const hit = (key: string, n: number): void => {
		hits.set(key, (hits.get(key) ?? 0) + n);
	};
	const asked = (flags.tests?.length ?? 0) + (flags.pcap?.length ?? 0) > 0;
	const imp = await importFresh(forgetful(snapshot, flags.keepFlows));
	warn(imp, flags.quiet === true || flags.json === true, '');
	if (flags.pcap !== undefined && flags.pcap.length > 0) {
		const captures = flags.pcap.map(captureOf);
		for (const c of captures) if (c.dev !== 'any') checkDevice(imp, c.dev);
		const captured = new CaptureReplay(new Replay(imp), framesOf.twoWay(imp, captures));
		const before = await counters(imp);
		const begin = imp.host.world.clock.now;
		for (const f of framesOf(imp, captures)) {
			if (f.frame === null) continue;
			if (begin + f.time > imp.host.world.clock.now) captured.replay.at(begin + f.time);
			captured.expired();
			if (f.frame.own) captured.own(f, f.frame.bytes, f.cut, true);
			else captured.arrival(f, f.frame.bytes, f.cut, true);
		}
		for (const [key, n] of await counters(imp)) hit(key, n - (before.get(key) ?? 0));
	}
	if (flags.tests !== undefined)
		for (const suite of readSuites(testFiles(flags.tests)))
			await runSuite(suite, flags.host, null, (_i, r) => {
				for (const key of r.hits) hit(key, 1);
			});
	const dead = unreachable(snapshot.ruleLines);
	const never = asked
		? snapshot.ruleLines.filter(
				(r) => (hits.get(`${r.table}/${r.chain}/${r.num}`) ?? 0) === 0 && !dead.some((d) => d.rule === r),
			)
		: [];
	const c = palette();
	const name = (r: RuleLine): string => `${r.file}:${r.line}  ${r.table}/${r.chain} ${r.num}`;
	if (flags.json === true) {
		const ref = ({ file, line, table, chain, num, text }: RuleLine) => ({ file, line, table, chain, num, text });
		for (const d of dead)
			process.stdout.write(
				`${JSON.stringify({ kind: d.by === undefined ? 'unreachable' : 'shadowed', rule: ref(d.rule), ...(d.by === undefined ? {} : { by: ref(d.by) }) })}\n`,
			);
		for (const r of never) process.stdout.write(`${JSON.stringify({ kind: 'never hit', rule: ref(r) })}\n`);
		return 0;
	}
	for (const d of dead)
		process.stdout.write(
			d.by === undefined
				? `${c.yellow('unreachable')}  ${name(d.rule)}  ${d.rule.text}\n             nobody comes to ${d.rule.table}/${d.rule.chain}\n`
				: `${c.yellow('shadowed')}     ${name(d.rule)}  ${d.rule.text}\n          by ${name(d.by)}  ${d.by.text}\n`,
		);
	for (const r of never) process.stdout.write(`${c.red('never hit')}    ${name(r)}  ${r.text}\n`);
	const total = snapshot.ruleLines.length;
	const said = asked
		? `${total - never.length - dead.length} of ${total} rules were hit, ${never.length} never, `
		: `${total} rules: `;
	process.stdout.write(
		`${said}${dead.length} no packet can reach${asked ? '' : ' (--tests FILE and --pcap [DEV=]FILE tell which are hit)'}\n`,
	);
	return 0;
}
