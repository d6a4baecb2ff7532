/*
 * user/ethtool/settings.ts: ethtool DEVICE and ethtool -s.         Original: ethtool 6.1, netlink/settings.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { ENODEV, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import {
	AUTONEG_ENABLE,
	DUPLEX_FULL,
	DUPLEX_HALF,
	ETHTOOL_GLINK,
	ETHTOOL_GLINKSETTINGS,
	ETHTOOL_GMSGLVL,
	ETHTOOL_LINK_MODE_Autoneg_BIT,
	ETHTOOL_LINK_MODE_TP_BIT,
	ETHTOOL_SLINKSETTINGS,
	ETHTOOL_SMSGLVL,
	PORT_TP,
} from '../../uapi/linux/ethtool.ts';
import type { Process } from '../libc.ts';
import { device } from './ioctl.ts';
import { no_device } from './messages.ts';

/** Link modes by bit; those with 1 as second stand on the line of the one before. */
const MODES: ReadonlyMap<number, readonly [string, 0 | 1]> = new Map([
	[0, ['10baseT/Half', 0]],
	[1, ['10baseT/Full', 1]],
	[2, ['100baseT/Half', 0]],
	[3, ['100baseT/Full', 1]],
	[4, ['1000baseT/Half', 0]],
	[5, ['1000baseT/Full', 1]],
	[41, ['1000baseX/Full', 0]],
	[47, ['2500baseT/Full', 0]],
	[48, ['5000baseT/Full', 0]],
	[12, ['10000baseT/Full', 0]],
]);
const PORTS: ReadonlyMap<number, string> = new Map([
	[ETHTOOL_LINK_MODE_TP_BIT, 'TP'],
	[8, 'AUI'],
	[9, 'MII'],
	[10, 'FIBRE'],
	[11, 'BNC'],
	[16, 'Backplane'],
]);
const PORT_NAMES = ['Twisted Pair', 'AUI', 'MII', 'FIBRE', 'BNC', 'Direct Attach Copper'];
const PAUSE_BIT = 13;
const ASYM_PAUSE_BIT = 14;
const MSG_TYPES = [
	'drv',
	'probe',
	'link',
	'timer',
	'ifdown',
	'ifup',
	'rx_err',
	'tx_err',
	'tx_queued',
	'intr',
	'tx_done',
	'rx_status',
	'pktdata',
	'hw',
	'wol',
];

interface link_settings {
	speed: number;
	duplex: number;
	port: number;
	phy: number;
	autoneg: number;
	/** Supported, advertised, the partner's. */
	modes: [Set<number>, Set<number>, Set<number>];
}

/** ETHTOOL_GLINKSETTINGS: asked twice, as the kernel first says how long its masks are. */
function get_link_settings(dev: device): link_settings | number {
	let words = 0;
	for (;;) {
		const data = new Uint8Array(48 + 12 * words);
		put_unaligned_le32(data, 0, ETHTOOL_GLINKSETTINGS);
		data[15] = words;
		const err = dev.call(data);
		if (err < 0) return err;
		const n = (data[15] << 24) >> 24;
		if (n < 0 && words === 0) {
			words = -n;
			continue;
		}
		if (n <= 0) return -EOPNOTSUPP;
		const mask = (which: number): Set<number> => {
			const set = new Set<number>();
			for (let i = 0; i < 32 * n; i++) if ((data[48 + 4 * n * which + (i >> 3)] >> (i & 7)) & 1) set.add(i);
			return set;
		};
		return {
			speed: get_unaligned_le32(data, 4) | 0,
			duplex: data[8],
			port: data[9],
			phy: data[10],
			autoneg: data[11],
			modes: [mask(0), mask(1), mask(2)],
		};
	}
}

function mode_lines(label: string, set: ReadonlySet<number>): string {
	let text = `\t${label}`;
	let first = true;
	for (const [bit, [name, same_line]] of MODES) {
		if (!set.has(bit)) continue;
		if (!first) text += same_line === 1 && set.has(bit - 1) ? ' ' : `\n\t${' '.repeat(label.length)}`;
		text += name;
		first = false;
	}
	return `${text}${first ? 'Not reported' : ''}\n`;
}

function pause_text(set: ReadonlySet<number>): string {
	if (set.has(PAUSE_BIT)) return set.has(ASYM_PAUSE_BIT) ? 'Symmetric Receive-only' : 'Symmetric';
	return set.has(ASYM_PAUSE_BIT) ? 'Transmit-only' : 'No';
}

function mode_text(s: link_settings): string {
	const [supported, advertised, partner] = s.modes;
	const ports = [...PORTS].filter(([bit]) => supported.has(bit)).map(([, name]) => name);
	const yes_no = (set: ReadonlySet<number>): string => (set.has(ETHTOOL_LINK_MODE_Autoneg_BIT) ? 'Yes' : 'No');
	let out = `\tSupported ports: [ ${ports.join('\t ')} ]\n`;
	out += mode_lines('Supported link modes:   ', supported);
	out += `\tSupported pause frame use: ${pause_text(supported)}\n`;
	out += `\tSupports auto-negotiation: ${yes_no(supported)}\n\tSupported FEC modes: Not reported\n`;
	out += mode_lines('Advertised link modes:  ', advertised);
	out += `\tAdvertised pause frame use: ${pause_text(advertised)}\n`;
	out += `\tAdvertised auto-negotiation: ${yes_no(advertised)}\n\tAdvertised FEC modes: Not reported\n`;
	if (partner.size > 0) {
		out += mode_lines('Link partner advertised link modes:  ', partner);
		out += `\tLink partner advertised pause frame use: ${pause_text(partner)}\n`;
		out += `\tLink partner advertised auto-negotiation: ${yes_no(partner)}\n`;
		out += '\tLink partner advertised FEC modes: Not reported\n';
	}
	out += s.speed <= 0 ? '\tSpeed: Unknown!\n' : `\tSpeed: ${s.speed}Mb/s\n`;
	const duplex = s.duplex === DUPLEX_HALF ? 'Half' : s.duplex === DUPLEX_FULL ? 'Full' : `Unknown! (${s.duplex})`;
	out += `\tDuplex: ${duplex}\n\tAuto-negotiation: ${s.autoneg === AUTONEG_ENABLE ? 'on' : 'off'}\n`;
	const port = s.port === 0xef ? 'None' : s.port === 0xff ? 'Other' : (PORT_NAMES[s.port] ?? `Unknown! (${s.port})`);
	out += `\tPort: ${port}\n\tPHYAD: ${s.phy}\n\tTransceiver: internal\n`;
	if (s.port === PORT_TP) out += '\tMDI-X: Unknown\n';
	return out;
}

/** ethtool DEVICE. */
export function show_settings(proc: Process, name: string): number {
	const dev = new device(proc, name);
	const s = get_link_settings(dev);
	if (s === -ENODEV) {
		// Five questions, and five times the same answer.
		for (let i = 0; i < 5; i++) no_device(proc, s, 75);
		proc.stdout.write('No data available\n');
		return 75;
	}
	let out = typeof s === 'number' ? '' : mode_text(s);
	const level = dev.get(ETHTOOL_GMSGLVL, 1);
	if (typeof level !== 'number') {
		const types = MSG_TYPES.filter((_, i) => (level[0] >>> i) & 1);
		out += `        Current message level: 0x${level[0].toString(16).padStart(8, '0')} (${level[0]})\n`;
		out += `                               ${types.join(' ')}\n`;
	}
	const link = dev.get(ETHTOOL_GLINK, 1);
	if (typeof link !== 'number') out += `\tLink detected: ${link[0] !== 0 ? 'yes' : 'no'}\n`;
	proc.stdout.write(out === '' ? 'No data available\n' : `Settings for ${name}:\n${out}`);
	return out === '' ? 75 : 0;
}

const LINK_PARAMETERS = ['speed', 'lanes', 'duplex', 'port', 'mdix', 'autoneg', 'phyad', 'xcvr', 'master-slave'];
const OTHER_PARAMETERS = ['advertise', 'wol', 'sopass', 'msglvl'];

/** ethtool -s. */
export function change_settings(proc: Process, name: string, args: readonly string[]): number {
	const fail = (text: string): number => {
		proc.stderr.write(`ethtool (-s): ${text}\n`);
		return 1;
	};
	let link = false;
	let wol = false;
	let level = -1;
	for (let i = 0; i < args.length; i += 2) {
		const key = args[i];
		if (!LINK_PARAMETERS.includes(key) && !OTHER_PARAMETERS.includes(key)) return fail(`unknown parameter '${key}'`);
		const value = args[i + 1];
		if (value === undefined) return fail(`no value for parameter '${key}'`);
		if (key === 'msglvl') {
			level = Number(value);
			if (!Number.isInteger(level) || level < 0) {
				// Types by name: msglvl TYPE on|off …
				const dev = new device(proc, name);
				const old = dev.get(ETHTOOL_GMSGLVL, 1);
				level = typeof old === 'number' ? 0 : old[0];
				let k = i + 1;
				for (; k < args.length && args[k] !== '--'; k += 2) {
					const bit = MSG_TYPES.indexOf(args[k]);
					if (bit < 0 || (args[k + 1] !== 'on' && args[k + 1] !== 'off'))
						return fail(`invalid value '${args[k]}' for parameter 'msglvl'`);
					level = args[k + 1] === 'on' ? level | (1 << bit) : level & ~(1 << bit);
				}
				i = k - 1;
			}
		} else if (key === 'wol' || key === 'sopass') wol = true;
		else link = true;
	}
	const dev = new device(proc, name);
	let err = 0;
	if (link) {
		const data = new Uint8Array(48);
		put_unaligned_le32(data, 0, ETHTOOL_SLINKSETTINGS);
		err = dev.call(data);
	}
	if (err >= 0 && wol) err = dev.set(0x06, [0, 0, 0, 0]);
	if (err >= 0 && level >= 0) err = dev.set(ETHTOOL_SMSGLVL, [level]);
	return err < 0 ? no_device(proc, err, 75) : 0;
}
