/*
 * net/core/net-procfs.ts: what /proc/net shows of devices and of the receive path.   Linux: net/core/net-procfs.c
 * Walk: dev (counters), dev_mcast (multicast lists), softnet_stat (a line a CPU), ptype (who takes which ethertype).
 */
import { proc_create_net, remove_proc_entry } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { dev_get_stats } from './dev.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';

const HEADER =
	'Inter-|   Receive                                                |  Transmit\n' +
	' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';

const col = (v: number, width: number): string => String(v).padStart(width);

function dev_line(dev: net_device): string {
	const s = dev_get_stats(dev);
	const rx =
		`${col(s.rx_bytes, 8)} ${col(s.rx_packets, 7)} ${col(s.rx_errors, 4)} ${col(s.rx_dropped + s.rx_missed_errors, 4)} ${col(s.rx_fifo_errors, 4)} ` +
		`${col(s.rx_length_errors + s.rx_over_errors + s.rx_crc_errors + s.rx_frame_errors, 5)} ${col(s.rx_compressed, 10)} ${col(s.multicast, 9)}`;
	const tx =
		`${col(s.tx_bytes, 8)} ${col(s.tx_packets, 7)} ${col(s.tx_errors, 4)} ${col(s.tx_dropped, 4)} ${col(s.tx_fifo_errors, 4)} ${col(s.collisions, 5)} ` +
		`${col(s.tx_carrier_errors + s.tx_aborted_errors + s.tx_window_errors + s.tx_heartbeat_errors, 7)} ${col(s.tx_compressed, 10)}`;
	return `${dev.name.padStart(6)}: ${rx} ${tx}\n`;
}

function dev_show(net: net): string {
	return HEADER + net.dev_base_head.map(dev_line).join('');
}

const hex = (b: Uint8Array): string => Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');

function dev_mcast_show(net: net): string {
	let out = '';
	for (const dev of net.dev_base_head) {
		for (const ha of dev.mc)
			out += `${String(dev.ifindex).padEnd(4)} ${dev.name.padEnd(15)} ${String(ha.refcount).padEnd(5)} 0     ${hex(ha.addr)}\n`;
	}
	return out;
}

function softnet_stat_show(net: net): string {
	const h8 = (v: number): string => (v >>> 0).toString(16).padStart(8, '0');
	return net.machine.net.softnet_data
		.map((sd, cpu) => {
			const words = [
				sd.processed,
				sd.dropped,
				sd.time_squeeze,
				0,
				0,
				0,
				0,
				0,
				0,
				sd.received_rps,
				0,
				sd.input_pkt_queue.qlen + sd.process_queue.qlen,
				cpu,
				sd.input_pkt_queue.qlen,
				sd.process_queue.qlen,
			];
			return words.map(h8).join(' ') + '\n';
		})
		.join('');
}

function net_procfs_init(net: net): number {
	proc_create_net(net, 'dev', dev_show);
	proc_create_net(net, 'dev_mcast', dev_mcast_show);
	proc_create_net(net, 'softnet_stat', softnet_stat_show);
	return 0;
}

function net_procfs_exit(net: net): void {
	for (const name of ['dev', 'dev_mcast', 'softnet_stat']) remove_proc_entry(net, name);
}

export function dev_proc_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'net-procfs', init: net_procfs_init, exit: net_procfs_exit });
}
