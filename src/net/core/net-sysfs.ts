/*
 * net/core/net-sysfs.ts: /sys/class/net/DEV/*.                     Linux: net/core/net-sysfs.c
 * What a file shows of a device that is down, and what can be written, is as the kernel has it.
 */

import { type sysfs_attribute, sysfs_register } from '../../fs/sysfs.ts';
import type { Machine } from '../../kernel/machine.ts';
import { EINVAL, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { DUPLEX_FULL, DUPLEX_HALF } from '../../uapi/linux/ethtool.ts';
import { IF_OPER_DOWN } from '../../uapi/linux/if.ts';
import { __ethtool_get_link_ksettings } from '../ethtool/ethtool.ts';
import {
	dev_change_carrier,
	dev_change_flags,
	dev_change_tx_queue_len,
	dev_get_iflink,
	dev_get_stats,
	dev_set_alias,
	dev_set_group,
	dev_set_mtu,
	netdev_state_change,
} from './dev.ts';
import { linkwatch_sync_dev } from './link_watch.ts';
import { type net_device, rtnl_link_stats64 } from './netdevice.ts';

type show_t = (dev: net_device) => string | number;
type store_t = (dev: net_device, text: string) => number;

const operstates = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];

function mac(a: Uint8Array, len: number): string {
	return Array.from(a.subarray(0, len), (b) => b.toString(16).padStart(2, '0')).join(':');
}

/** A whole number in C's notations, or NaN. */
function parse(text: string): number {
	const t = text.trim();
	return /^(0x[0-9a-f]+|[0-9]+)$/i.test(t) ? Number(t) : NaN;
}

/** A store that takes a number. Return: 0 or -errno. */
function stores(set: (dev: net_device, value: number) => number): store_t {
	return (dev, text) => {
		const v = parse(text);
		return Number.isNaN(v) ? -EINVAL : set(dev, v);
	};
}

function carrier_show(dev: net_device): string | number {
	if (!dev.running) return -EINVAL;
	linkwatch_sync_dev(dev);
	return dev.carrier ? '1' : '0';
}

function operstate_show(dev: net_device): string {
	linkwatch_sync_dev(dev);
	return operstates[dev.running ? dev.operstate : IF_OPER_DOWN];
}

function speed_show(dev: net_device): string | number {
	if (!dev.running) return -EINVAL;
	const cmd = __ethtool_get_link_ksettings(dev);
	return cmd === null ? -EINVAL : String(cmd.speed);
}

function duplex_show(dev: net_device): string | number {
	if (!dev.running) return -EINVAL;
	const cmd = __ethtool_get_link_ksettings(dev);
	if (cmd === null) return -EINVAL;
	return cmd.duplex === DUPLEX_FULL ? 'full' : cmd.duplex === DUPLEX_HALF ? 'half' : 'unknown';
}

function proto_down_store(dev: net_device, value: number): number {
	if (dev.netdev_ops.ndo_change_carrier === null) return -EOPNOTSUPP;
	dev.proto_down = value !== 0;
	netdev_state_change(dev);
	return 0;
}

const ATTRIBUTES: readonly (readonly [string, show_t, store_t | null])[] = [
	['addr_assign_type', (d) => String(d.addr_assign_type), null],
	['addr_len', (d) => String(d.addr_len), null],
	['address', (d) => mac(d.dev_addr, d.addr_len), null],
	['broadcast', (d) => mac(d.broadcast, d.addr_len), null],
	['carrier', carrier_show, stores((d, v) => dev_change_carrier(d, v !== 0))],
	['carrier_changes', (d) => String(d.carrier_up_count + d.carrier_down_count), null],
	['carrier_down_count', (d) => String(d.carrier_down_count), null],
	['carrier_up_count', (d) => String(d.carrier_up_count), null],
	['dev_id', () => '0x0', null],
	['dev_port', () => '0', null],
	['dormant', (d) => (d.running ? (d.dormant ? '1' : '0') : -EINVAL), null],
	['duplex', duplex_show, null],
	['flags', (d) => `0x${d.flags.toString(16)}`, stores((d, v) => dev_change_flags(d, v))],
	['gro_flush_timeout', () => '0', null],
	['ifalias', (d) => d.ifalias, (d, text) => Math.min(0, dev_set_alias(d, text.replace(/\n$/, '')))],
	['ifindex', (d) => String(d.ifindex), null],
	['iflink', (d) => String(dev_get_iflink(d)), null],
	['link_mode', (d) => String(d.link_mode), null],
	['mtu', (d) => String(d.mtu), stores(dev_set_mtu)],
	['name_assign_type', (d) => (d.name === 'lo' ? '2' : d.kind !== '' ? '3' : '4'), null],
	['napi_defer_hard_irqs', () => '0', null],
	[
		'netdev_group',
		(d) => String(d.group),
		stores((d, v) => {
			dev_set_group(d, v);
			return 0;
		}),
	],
	['operstate', operstate_show, null],
	['proto_down', (d) => (d.proto_down ? '1' : '0'), stores(proto_down_store)],
	['speed', speed_show, null],
	['testing', (d) => (d.running ? '0' : -EINVAL), null],
	['threaded', () => '0', null],
	['tx_queue_len', (d) => String(d.tx_queue_len), stores(dev_change_tx_queue_len)],
	['type', (d) => String(d.type), null],
	['uevent', (d) => `INTERFACE=${d.name}\nIFINDEX=${d.ifindex}`, null],
	['queues/rx-0/rps_cpus', () => '0', null],
	['queues/rx-0/rps_flow_cnt', () => '0', null],
	['queues/tx-0/tx_timeout', () => '0', null],
	['queues/tx-0/xps_cpus', () => '0', null],
];

function statistics(): sysfs_attribute[] {
	const names = Object.keys(new rtnl_link_stats64()) as (keyof rtnl_link_stats64)[];
	return names
		.filter((name) => name !== 'rx_otherhost_dropped')
		.map((name) => ({ name: `statistics/${name}`, show: (dev) => String(dev_get_stats(dev)[name]), store: null }));
}

/** The attributes of every device. Boot: once, at any time. */
export function net_sysfs_init(machine: Machine): void {
	sysfs_register(machine.sysfs, [...ATTRIBUTES.map(([name, show, store]) => ({ name, show, store })), ...statistics()]);
}
