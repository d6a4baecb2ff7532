/*
 * user/ethtool/ethtool.ts: ethtool.                                Original: ethtool 6.1
 *
 * Walk: ethtool finds the option, whose function asks the kernel by SIOCETHTOOL and prints. The kernel here has no ethtool netlink: what the
 *       original says in its words ("netlink error: …") is said from ioctl's errors. settings.ts: no option, -s; features.ts: -k, -K.
 * Not here, and refused by name: what is not in OPTIONS. Coalescing parameters that are 0 show as n/a, as ioctl cannot tell which exist.
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL, EOPNOTSUPP, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	ETH_SS_STATS,
	ETHTOOL_GCHANNELS,
	ETHTOOL_GCOALESCE,
	ETHTOOL_GDRVINFO,
	ETHTOOL_GET_TS_INFO,
	ETHTOOL_GPAUSEPARAM,
	ETHTOOL_GPERMADDR,
	ETHTOOL_GRINGPARAM,
	ETHTOOL_GSTATS,
	ETHTOOL_NWAY_RST,
	ETHTOOL_SCHANNELS,
	ETHTOOL_SCOALESCE,
	ETHTOOL_SPAUSEPARAM,
	ETHTOOL_SRINGPARAM,
} from '../../uapi/linux/ethtool.ts';
import type { Process } from '../libc.ts';
import { set_features, show_features } from './features.ts';
import { device, text_at } from './ioctl.ts';
import { netlink_error, no_device, offset_of_first } from './messages.ts';
import { change_settings, show_settings } from './settings.ts';

const USAGE_ERROR = 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n';

function drvinfo(proc: Process, name: string): number {
	const data = new Uint8Array(196);
	put_unaligned_le32(data, 0, ETHTOOL_GDRVINFO);
	const err = new device(proc, name).call(data);
	if (err < 0) {
		proc.stderr.write(`Cannot get driver information: ${strerror(-err)}\n`);
		return 71;
	}
	const yes = (at: number): string => (get_unaligned_le32(data, at) !== 0 ? 'yes' : 'no');
	proc.stdout.write(
		`driver: ${text_at(data, 4, 32)}\nversion: ${text_at(data, 36, 32)}\nfirmware-version: ${text_at(data, 68, 32)}\n` +
			`expansion-rom-version: ${text_at(data, 132, 32)}\nbus-info: ${text_at(data, 100, 32)}\n` +
			`supports-statistics: ${yes(180)}\nsupports-test: ${yes(184)}\nsupports-eeprom-access: ${yes(188)}\n` +
			`supports-register-dump: ${yes(192)}\nsupports-priv-flags: ${yes(176)}\n`,
	);
	return 0;
}

function statistics(proc: Process, name: string): number {
	const dev = new device(proc, name);
	const names = dev.strings(ETH_SS_STATS);
	if (typeof names === 'number') {
		proc.stderr.write(`Cannot get stats strings information: ${strerror(-names)}\n`);
		return 96;
	}
	if (names.length === 0) {
		proc.stderr.write('no stats available\n');
		return 94;
	}
	const data = new Uint8Array(8 + 8 * names.length);
	put_unaligned_le32(data, 0, ETHTOOL_GSTATS);
	put_unaligned_le32(data, 4, names.length);
	const err = dev.call(data);
	if (err < 0) {
		proc.stderr.write(`Cannot get stats information: ${strerror(-err)}\n`);
		return 97;
	}
	let out = 'NIC statistics:\n';
	for (const [i, n] of names.entries()) {
		const value = get_unaligned_le32(data, 8 + 8 * i) + get_unaligned_le32(data, 12 + 8 * i) * 2 ** 32;
		out += `     ${n}: ${value}\n`;
	}
	proc.stdout.write(out);
	return 0;
}

/** A parameter of -G, -L, -C, -A: its name, its place among the struct's numbers, where its maximum stands (-1: none). */
type parameter = readonly [string, number, number?];

interface setter {
	option: string;
	get: number;
	set: number;
	count: number;
	parameters: readonly parameter[];
	/** Exit status when the kernel refuses. */
	status: number;
	/** What the kernel says when a maximum is exceeded. */
	exceeds: string;
	boolean?: boolean;
}

/** Changes some numbers of a struct: asks for it, puts the new ones in, gives it back. */
function change(proc: Process, name: string, args: readonly string[], s: setter): number {
	const fail = (text: string): number => {
		proc.stderr.write(`ethtool (${s.option}): ${text}\n`);
		return 1;
	};
	const wish: { p: parameter; value: number; nth: number }[] = [];
	for (let i = 0; i < args.length; i += 2) {
		const p = s.parameters.find(([key]) => key === args[i]);
		if (p === undefined) return fail(`unknown parameter '${args[i]}'`);
		const text = args[i + 1];
		if (text === undefined) return fail(`no value for parameter '${args[i]}'`);
		const boolean = s.boolean === true || p[0].startsWith('adaptive-');
		const value = boolean ? ['off', 'on'].indexOf(text) : /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : -1;
		if (value < 0 || value > 0xffffffff) return fail(`invalid value '${text}' for parameter '${args[i]}'`);
		wish.push({ p, value, nth: i / 2 });
	}
	const dev = new device(proc, name);
	const now = dev.get(s.get, s.count);
	if (typeof now === 'number') return no_device(proc, now, s.status);
	const values = now.slice();
	for (const { p, value, nth } of wish) {
		if (p[2] !== undefined && p[2] >= 0 && value > now[p[2]]) {
			netlink_error(proc, `${s.exceeds} (offset ${offset_of_first(name) + 8 * nth})`);
			netlink_error(proc, strerror(EINVAL));
			return s.status;
		}
		values[p[1]] = value;
	}
	if (values.every((v, i) => v === now[i])) return 0;
	const err = dev.set(s.set, values);
	if (err >= 0) return 0;
	if (err === -EOPNOTSUPP && s.set === ETHTOOL_SCOALESCE) {
		netlink_error(proc, `cannot modify an unsupported parameter (offset ${offset_of_first(name)})`);
		netlink_error(proc, strerror(EINVAL));
		return s.status;
	}
	return no_device(proc, err, s.status);
}

const RING: setter = {
	option: '-G',
	get: ETHTOOL_GRINGPARAM,
	set: ETHTOOL_SRINGPARAM,
	count: 8,
	parameters: [
		['rx', 4, 0],
		['rx-mini', 5, 1],
		['rx-jumbo', 6, 2],
		['tx', 7, 3],
	],
	status: 81,
	exceeds: 'requested ring size exceeds maximum',
};

const CHANNELS: setter = {
	option: '-L',
	get: ETHTOOL_GCHANNELS,
	set: ETHTOOL_SCHANNELS,
	count: 8,
	parameters: [
		['rx', 4, 0],
		['tx', 5, 1],
		['other', 6, 2],
		['combined', 7, 3],
	],
	status: 1,
	exceeds: 'requested channel count exceeds maximum',
};

const COALESCE: setter = {
	option: '-C',
	get: ETHTOOL_GCOALESCE,
	set: ETHTOOL_SCOALESCE,
	count: 22,
	parameters: [
		'rx-usecs',
		'rx-frames',
		'rx-usecs-irq',
		'rx-frames-irq',
		'tx-usecs',
		'tx-frames',
		'tx-usecs-irq',
		'tx-frames-irq',
		'stats-block-usecs',
		'adaptive-rx',
		'adaptive-tx',
		'pkt-rate-low',
		'rx-usecs-low',
		'rx-frames-low',
		'tx-usecs-low',
		'tx-frames-low',
		'pkt-rate-high',
		'rx-usecs-high',
		'rx-frames-high',
		'tx-usecs-high',
		'tx-frames-high',
		'sample-interval',
	].map((key, i): parameter => [key, i]),
	status: 1,
	exceeds: '',
};

const PAUSE: setter = {
	option: '-A',
	get: ETHTOOL_GPAUSEPARAM,
	set: ETHTOOL_SPAUSEPARAM,
	count: 3,
	parameters: [
		['autoneg', 0],
		['rx', 1],
		['tx', 2],
	],
	status: 76,
	exceeds: '',
	boolean: true,
};

/** Numbers that the device can have are shown, others are n/a: what has no maximum is not there. */
function show_limits(title: string, labels: readonly string[], v: readonly number[]): string {
	const value = (i: number, at: number): string => (v[i] > 0 ? String(v[at]) : 'n/a');
	let out = `${title}\nPre-set maximums:\n`;
	for (const [i, label] of labels.entries()) out += `${label}${value(i, i)}\n`;
	out += 'Current hardware settings:\n';
	for (const [i, label] of labels.entries()) out += `${label}${value(i, i + 4)}\n`;
	return out;
}

function show_ring(proc: Process, name: string): number {
	const v = new device(proc, name).get(ETHTOOL_GRINGPARAM, 8);
	if (typeof v === 'number') return no_device(proc, v, 1);
	proc.stdout.write(
		show_limits(`Ring parameters for ${name}:`, ['RX:\t\t', 'RX Mini:\t', 'RX Jumbo:\t', 'TX:\t\t'], v) +
			'RX Buf Len:\t\tn/a\nCQE Size:\t\tn/a\nTX Push:\toff\nTCP data split:\tn/a\n',
	);
	return 0;
}

function show_channels(proc: Process, name: string): number {
	const v = new device(proc, name).get(ETHTOOL_GCHANNELS, 8);
	if (typeof v === 'number') return no_device(proc, v, 1);
	const labels = ['RX:\t\t', 'TX:\t\t', 'Other:\t\t', 'Combined:\t'];
	proc.stdout.write(show_limits(`Channel parameters for ${name}:`, labels, v));
	return 0;
}

function show_coalesce(proc: Process, name: string): number {
	const v = new device(proc, name).get(ETHTOOL_GCOALESCE, 22);
	if (typeof v === 'number') return no_device(proc, v, 1);
	// Receiving is what every driver with coalescing can delay.
	const n = (i: number): string => (v[i] !== 0 || i < 2 ? String(v[i]) : 'n/a');
	const b = (i: number): string => (v[i] !== 0 ? 'on' : 'n/a');
	proc.stdout.write(
		`Coalesce parameters for ${name}:\nAdaptive RX: ${b(9)}  TX: ${b(10)}\nstats-block-usecs: ${n(8)}\n` +
			`sample-interval: ${n(21)}\npkt-rate-low: ${n(11)}\npkt-rate-high: ${n(16)}\n\n` +
			`rx-usecs: ${n(0)}\nrx-frames: ${n(1)}\nrx-usecs-irq: ${n(2)}\nrx-frames-irq: ${n(3)}\n\n` +
			`tx-usecs: ${n(4)}\ntx-frames: ${n(5)}\ntx-usecs-irq: ${n(6)}\ntx-frames-irq: ${n(7)}\n\n` +
			`rx-usecs-low: ${n(12)}\nrx-frame-low: ${n(13)}\ntx-usecs-low: ${n(14)}\ntx-frame-low: ${n(15)}\n\n` +
			`rx-usecs-high: ${n(17)}\nrx-frame-high: ${n(18)}\ntx-usecs-high: ${n(19)}\ntx-frame-high: ${n(20)}\n\n` +
			'CQE mode RX: n/a  TX: n/a\n\n',
	);
	return 0;
}

function show_pause(proc: Process, name: string): number {
	const v = new device(proc, name).get(ETHTOOL_GPAUSEPARAM, 3);
	if (typeof v === 'number') return no_device(proc, v, 1);
	const b = (i: number): string => (v[i] !== 0 ? 'on' : 'off');
	proc.stdout.write(`Pause parameters for ${name}:\nAutonegotiate:\t${b(0)}\nRX:\t\t${b(1)}\nTX:\t\t${b(2)}\n\n`);
	return 0;
}

function show_permaddr(proc: Process, name: string): number {
	const data = new Uint8Array(8 + 32);
	put_unaligned_le32(data, 0, ETHTOOL_GPERMADDR);
	put_unaligned_le32(data, 4, 32);
	const err = new device(proc, name).call(data);
	if (err < 0) {
		netlink_error(proc, strerror(-err));
		return 1;
	}
	const addr = data.subarray(8, 8 + get_unaligned_le32(data, 4));
	const text = [...addr].map((v) => v.toString(16).padStart(2, '0')).join(':');
	proc.stdout.write(`Permanent address: ${addr.every((v) => v === 0) ? 'not set' : text}\n`);
	return 0;
}

function show_timestamping(proc: Process, name: string): number {
	const v = new device(proc, name).get(ETHTOOL_GET_TS_INFO, 10);
	if (typeof v === 'number') return no_device(proc, v, 1);
	const names: readonly (readonly [number, string])[] = [
		[0, 'hardware-transmit'],
		[1, 'software-transmit'],
		[2, 'hardware-receive'],
		[3, 'software-receive'],
		[4, 'software-system-clock'],
		[5, 'hardware-legacy-clock'],
		[6, 'hardware-raw-clock'],
	];
	let out = `Time stamping parameters for ${name}:\nCapabilities:\n`;
	for (const [bit, text] of names) if ((v[0] >>> bit) & 1) out += `\t${text}\n`;
	const phc = v[1] | 0;
	out += `PTP Hardware Clock: ${phc < 0 ? 'none' : phc}\n`;
	out += 'Hardware Transmit Timestamp Modes: none\nHardware Receive Filter Modes: none\n';
	proc.stdout.write(out);
	return 0;
}

/** A question that only few drivers answer: asks, and says what the kernel said. */
function ask_in_vain(proc: Process, name: string, cmd: number, text: string, status: number): number {
	const err = new device(proc, name).set(cmd, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
	if (err >= 0) return 0;
	if (text === '') return no_device(proc, err, status);
	proc.stderr.write(text.replaceAll('%', strerror(-err)));
	return status;
}

interface option {
	names: readonly string[];
	/** Whether more than the device may follow. */
	more: boolean;
	run: (proc: Process, name: string, args: readonly string[]) => number;
	/** For the help. */
	help: string;
}

const OPTIONS: readonly option[] = [
	{ names: ['-s', '--change'], more: true, run: change_settings, help: 'Change generic options' },
	{ names: ['-a', '--show-pause'], more: false, run: show_pause, help: 'Show pause options' },
	{ names: ['-A', '--pause'], more: true, run: (p, n, a) => change(p, n, a, PAUSE), help: 'Set pause options' },
	{ names: ['-c', '--show-coalesce'], more: false, run: show_coalesce, help: 'Show coalesce options' },
	{
		names: ['-C', '--coalesce'],
		more: true,
		run: (p, n, a) => change(p, n, a, COALESCE),
		help: 'Set coalesce options',
	},
	{ names: ['-g', '--show-ring'], more: false, run: show_ring, help: 'Query RX/TX ring parameters' },
	{
		names: ['-G', '--set-ring'],
		more: true,
		run: (p, n, a) => change(p, n, a, RING),
		help: 'Set RX/TX ring parameters',
	},
	{
		names: ['-k', '--show-features', '--show-offload'],
		more: false,
		run: show_features,
		help: 'Get state of protocol offload and other features',
	},
	{
		names: ['-K', '--features', '--offload'],
		more: true,
		run: set_features,
		help: 'Set protocol offload and other features',
	},
	{ names: ['-i', '--driver'], more: false, run: drvinfo, help: 'Show driver information' },
	{ names: ['-S', '--statistics'], more: false, run: statistics, help: 'Show adapter statistics' },
	{
		names: ['-T', '--show-time-stamping'],
		more: false,
		run: show_timestamping,
		help: 'Show time stamping capabilities',
	},
	{ names: ['-P', '--show-permaddr'], more: false, run: show_permaddr, help: 'Show permanent hardware address' },
	{ names: ['-l', '--show-channels'], more: false, run: show_channels, help: 'Query Channels' },
	{ names: ['-L', '--set-channels'], more: true, run: (p, n, a) => change(p, n, a, CHANNELS), help: 'Set Channels' },
	{
		names: ['-r', '--negotiate'],
		more: false,
		run: (p, n) => ask_in_vain(p, n, ETHTOOL_NWAY_RST, 'Cannot restart autonegotiation: %\n', 255),
		help: 'Restart N-WAY negotiation',
	},
	{
		names: ['-d', '--register-dump'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x04, 'Cannot get register dump: %\n', 74),
		help: 'Do a register dump',
	},
	{
		names: ['-e', '--eeprom-dump'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x0b, 'Cannot get EEPROM data: %\n', 74),
		help: 'Do a EEPROM dump',
	},
	{
		names: ['-t', '--test'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x1a, 'Cannot test: %\n', 74),
		help: 'Execute adapter self test',
	},
	{
		names: ['-p', '--identify'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x1c, 'Cannot identify NIC: %\n', 255),
		help: 'Show visible port identification (e.g. blinking)',
	},
	{
		names: ['-x', '--show-rxfh-indir', '--show-rxfh'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x2d, 'Cannot get RX ring count: %\n', 1),
		help: 'Show Rx flow hash indirection table and/or RSS hash key',
	},
	{
		names: ['-n', '-u', '--show-nfc', '--show-ntuple'],
		more: true,
		run: (p, n) =>
			ask_in_vain(
				p,
				n,
				0x2d,
				'Cannot get RX rings: %\nrxclass: Cannot get RX class rule count: %\nRX classification rule retrieval failed\n',
				1,
			),
		help: 'Show Rx network flow classification options or rules',
	},
	{
		names: ['-m', '--dump-module-eeprom', '--module-info'],
		more: true,
		run: (p, n) => ask_in_vain(p, n, 0x42, '', 1),
		help: 'Query/Decode Module EEPROM information and optical diagnostics if available',
	},
	{
		names: ['--show-priv-flags'],
		more: false,
		run: (p, n) => ask_in_vain(p, n, 0x27, '', 1),
		help: 'Query private flags',
	},
	{ names: ['--show-eee'], more: false, run: (p, n) => ask_in_vain(p, n, 0x44, '', 1), help: 'Show EEE settings' },
];

function help(): string {
	let out =
		'ethtool version 6.1\nUsage:\n        ethtool [ FLAGS ]  DEVNAME\tDisplay standard information about device\n';
	for (const o of OPTIONS) out += `        ethtool [ FLAGS ] ${o.names.join('|')} DEVNAME\t${o.help}\n`;
	return `${out}        ethtool [ FLAGS ] -h|--help \t\tShow this help\n        ethtool [ FLAGS ] --version \t\tShow version number\n`;
}

/** ethtool(8). */
export async function ethtool(proc: Process): Promise<number> {
	const [first, name, ...args] = proc.argv.slice(1);
	const bad = (): number => {
		proc.stderr.write(USAGE_ERROR);
		return 1;
	};
	if (first === undefined) return bad();
	if (first === '-h' || first === '--help') {
		proc.stdout.write(help());
		return 0;
	}
	if (first === '--version') {
		proc.stdout.write('ethtool version 6.1\n');
		return 0;
	}
	if (!first.startsWith('-')) return show_settings(proc, first);
	const option = OPTIONS.find((o) => o.names.includes(first));
	if (option === undefined) {
		if (!/^-([EDfwWXNUQI]|-[a-z-]+)$/.test(first)) return bad();
		proc.stderr.write(`ethtool: option ${first} is not supported here\n`);
		return 1;
	}
	if (name === undefined || (args.length > 0 && !option.more)) return bad();
	return option.run(proc, name, args);
}
