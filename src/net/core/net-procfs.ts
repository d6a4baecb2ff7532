/*
 * net/core/net-procfs.ts: /proc/net/dev, dev_mcast, ptype, softnet_stat.   Linux: net/core/net-procfs.c
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { ETH_P_ALL } from '../../uapi/linux/if_ether.ts';
import { dev_get_stats, type packet_type } from './dev.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';

/** The namespace's devices by index. */
export function devs_by_index(net: net): net_device[] {
	return net.dev_base_head.slice().sort((a, b) => a.ifindex - b.ifindex);
}

function n(value: number, width: number): string {
	return String(value).padStart(width);
}

function dev_seq_printf_stats(dev: net_device): string {
	const s = dev_get_stats(dev);
	const frame = s.rx_length_errors + s.rx_over_errors + s.rx_crc_errors + s.rx_frame_errors;
	const carrier = s.tx_carrier_errors + s.tx_aborted_errors + s.tx_window_errors + s.tx_heartbeat_errors;
	return (
		`${dev.name.padStart(6)}: ${n(s.rx_bytes, 7)} ${n(s.rx_packets, 7)} ${n(s.rx_errors, 4)} ` +
		`${n(s.rx_dropped + s.rx_missed_errors, 4)} ${n(s.rx_fifo_errors, 4)} ${n(frame, 5)} ` +
		`${n(s.rx_compressed, 10)} ${n(s.multicast, 9)} ` +
		`${n(s.tx_bytes, 8)} ${n(s.tx_packets, 7)} ${n(s.tx_errors, 4)} ${n(s.tx_dropped, 4)} ` +
		`${n(s.tx_fifo_errors, 4)} ${n(s.collisions, 5)} ${n(carrier, 7)} ${n(s.tx_compressed, 10)}\n`
	);
}

export function dev_seq_show(net: net): string {
	let out =
		'Inter-|   Receive                                                |  Transmit\n' +
		' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';
	for (const dev of devs_by_index(net)) out += dev_seq_printf_stats(dev);
	return out;
}

export function dev_mc_seq_show(net: net): string {
	let out = '';
	for (const dev of devs_by_index(net)) {
		for (const ha of dev.mc) {
			const hex = Array.from(ha.addr, (b) => b.toString(16).padStart(2, '0')).join('');
			out += `${String(dev.ifindex).padEnd(4)} ${dev.name.padEnd(15)} ${String(ha.refcount).padEnd(5)} ${'0'.padEnd(5)} ${hex}\n`;
		}
	}
	return out;
}

function ptype_line(pt: packet_type): string {
	const type = pt.type === ETH_P_ALL ? 'ALL ' : pt.type.toString(16).padStart(4, '0');
	return `${type} ${(pt.dev !== null ? pt.dev.name : '').padEnd(8)} ${pt.func.name}\n`;
}

export function ptype_seq_show(net: net): string {
	const core = net.machine.net;
	let out = 'Type Device      Function\n';
	for (const dev of devs_by_index(net)) {
		for (const pt of dev.ptype_all) out += ptype_line(pt);
		for (const pt of dev.ptype_specific) out += ptype_line(pt);
	}
	for (const pt of net.ptype_all) out += ptype_line(pt);
	for (const pt of core.ptype_all) out += ptype_line(pt);
	for (const pt of net.ptype_specific) out += ptype_line(pt);
	for (const list of core.ptype_base) for (const pt of list) out += ptype_line(pt);
	return out;
}

/** A line a CPU: processed, dropped, time_squeeze, …, received_rps, flow_limit_count, backlog, CPU, input queue, process queue. */
export function softnet_seq_show(net: net): string {
	let out = '';
	for (const sd of net.machine.net.softnet_data) {
		const input = sd.input_pkt_queue.qlen;
		const process = sd.process_queue.qlen;
		const v = [sd.processed, sd.dropped, sd.time_squeeze, 0, 0, 0, 0, 0, 0, sd.received_rps, 0, input + process];
		v.push(sd.cpu, input, process);
		out += `${v.map((x) => (x >>> 0).toString(16).padStart(8, '0')).join(' ')}\n`;
	}
	return out;
}

function dev_proc_net_init(net: net): number {
	proc_create_net(net, 'dev', dev_seq_show);
	proc_create_net(net, 'dev_mcast', dev_mc_seq_show);
	proc_create_net(net, 'ptype', ptype_seq_show);
	proc_create_net(net, 'softnet_stat', softnet_seq_show);
	return 0;
}

function dev_proc_net_exit(_net: net): void {}

/** Boot: after net_dev_init. */
export function dev_proc_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'dev_proc', init: dev_proc_net_init, exit: dev_proc_net_exit });
}
