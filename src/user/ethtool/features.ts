/*
 * user/ethtool/features.ts: ethtool -k and -K.                     Original: ethtool 6.1, netlink/features.c
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import type { Process } from '../libc.ts';
import { device, type feature } from './ioctl.ts';
import { netlink_error, no_device, offset_of_first } from './messages.ts';

/** The old names: short, long, and the features each stands for. */
const LEGACY: readonly (readonly [string, string, RegExp])[] = [
	['rx', 'rx-checksumming', /^rx-checksum$/],
	['tx', 'tx-checksumming', /^tx-checksum-/],
	['sg', 'scatter-gather', /^tx-scatter-gather/],
	['tso', 'tcp-segmentation-offload', /^tx-tcp.*-segmentation$/],
	['ufo', 'udp-fragmentation-offload', /^tx-udp-fragmentation$/],
	['gso', 'generic-segmentation-offload', /^tx-generic-segmentation$/],
	['gro', 'generic-receive-offload', /^rx-gro$/],
	['lro', 'large-receive-offload', /^rx-lro$/],
	['rxvlan', 'rx-vlan-offload', /^rx-vlan-hw-parse$/],
	['txvlan', 'tx-vlan-offload', /^tx-vlan-hw-insert$/],
	['ntuple', 'ntuple-filters', /^rx-ntuple-filter$/],
	['rxhash', 'receive-hashing', /^rx-hashing$/],
];

const GROUPS = new Set(['tx', 'sg', 'tso']);

const on_off = (on: boolean): string => (on ? 'on' : 'off');

function describe(f: feature): string {
	let text = on_off(f.active);
	if (f.fixed) text += ' [fixed]';
	else if (f.wanted !== f.active) text += ` [requested ${on_off(f.wanted)}]`;
	return text;
}

/** ethtool -k. */
export function show_features(proc: Process, name: string): number {
	const all = new device(proc, name).features();
	if (typeof all === 'number') return no_device(proc, all, 1);
	let out = `Features for ${name}:\n`;
	const shown = new Set<feature>();
	for (const [short, long, which] of LEGACY) {
		const group = all.filter((f) => which.test(f.name));
		if (group.length === 0) continue;
		for (const f of group) shown.add(f);
		if (!GROUPS.has(short)) out += `${long}: ${describe(group[0])}\n`;
		else {
			out += `${long}: ${on_off(group.some((f) => f.active))}\n`;
			for (const f of group) out += `\t${f.name}: ${describe(f)}\n`;
		}
	}
	for (const f of all) if (f.name !== '' && !shown.has(f)) out += `${f.name}: ${describe(f)}\n`;
	proc.stdout.write(out);
	return 0;
}

/** ethtool -K. */
export function set_features(proc: Process, name: string, args: readonly string[]): number {
	const wish: { name: string; on: boolean }[] = [];
	for (let i = 0; i < args.length; i += 2) {
		const value = args[i + 1];
		if (value !== 'on' && value !== 'off') {
			proc.stderr.write(
				`ethtool (-K): flag '${value ?? '(null)'}' for parameter '(null)' is not followed by 'on' or 'off'\n`,
			);
			return 1;
		}
		wish.push({ name: args[i], on: value === 'on' });
	}
	const dev = new device(proc, name);
	const before = dev.features();
	if (typeof before === 'number') return no_device(proc, before, 92);
	const bits = new Map<number, boolean>();
	let offset = offset_of_first(name) + 20;
	for (const w of wish) {
		const legacy = LEGACY.find(([short, long]) => short === w.name || long === w.name);
		const hits = before
			.map((f, i) => ({ f, i }))
			.filter(({ f }) => (legacy === undefined ? f.name === w.name && w.name !== '' : legacy[2].test(f.name)));
		if (hits.length === 0) {
			netlink_error(proc, `bit name not found (offset ${offset})`);
			netlink_error(proc, 'Operation not supported');
			return 92;
		}
		for (const { f, i } of hits) {
			bits.set(i, w.on);
			offset += 8 + ((f.name.length + 4) & ~3) + (w.on ? 4 : 0);
		}
	}
	const err = dev.set_features(before.length, bits);
	const after = dev.features();
	if (err < 0 || typeof after === 'number') {
		netlink_error(proc, strerror(err < 0 ? -err : 5));
		return 92;
	}
	let out = '';
	let told = false;
	let missed = 0;
	for (const [i, f] of after.entries()) {
		const asked = bits.get(i);
		const changed = f.active !== before[i].active;
		const failed = asked !== undefined && f.active !== asked;
		if (failed) missed++;
		if (!changed && !failed) continue;
		if (failed || asked === undefined) told = true;
		out += `${f.name}: ${on_off(f.active)}`;
		out += failed ? ` [requested ${on_off(asked)}]\n` : asked === undefined ? ' [not requested]\n' : '\n';
	}
	if (told) proc.stdout.write(`Actual changes:\n${out}`);
	if (missed === bits.size) {
		proc.stderr.write('Could not change any device features\n');
		return 1;
	}
	return 0;
}
