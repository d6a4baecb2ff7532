/*
 * net/core/sysctl_net_core.ts: net.core.*                          Linux: net/core/sysctl_net_core.c
 * Most exist in the first namespace only; in others the socket buffers' sizes can be read but not written.
 */

import type { Machine } from '../../kernel/machine.ts';
import {
	ctl_int,
	type ctl_table,
	INT_MAX,
	INT_MIN,
	proc_dointvec_minmax,
	register_sysctl_dir,
} from '../../kernel/sysctl.ts';
import { ENOENT } from '../../uapi/asm-generic/errno.ts';
import { qdisc_lookup_ops } from '../sched/sch_generic.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';

/** SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF: what one small packet is charged, and two. */
const SOCK_MIN_RCVBUF = 2304;
const SOCK_MIN_SNDBUF = 4608;

/** The qdisc that devices get: it must be there. */
function set_default_qdisc(table: ctl_table, net: net, text: string): number {
	const name = text.trim().slice(0, 15);
	if (qdisc_lookup_ops(net.machine, name) === null) return -ENOENT;
	table.data![table.field] = name;
	return 0;
}

/** A weight of the CPU's polls; the products with the biases are kept ready. */
function proc_do_dev_weight(table: ctl_table, net: net, text: string): number {
	const ret = proc_dointvec_minmax(table, net, text);
	if (ret !== 0) return ret;
	const core = net.machine.net;
	core.softnet_data[0].backlog.weight = core.weight_p * core.dev_weight_rx_bias;
	core.dev_tx_weight = core.weight_p * core.dev_weight_tx_bias;
	return 0;
}

function with_write(t: ctl_table, write: ctl_table['write']): ctl_table {
	t.write = write;
	return t;
}

function read_only(t: ctl_table): ctl_table {
	t.mode = 0o444;
	return t;
}

/** What stands in every namespace. */
function netns_core_table(net: net): ctl_table[] {
	const sock = net.machine.sock;
	const first = net === net.machine.init_net;
	const buffers = [
		ctl_int('net/core/wmem_max', sock, 'sysctl_wmem_max', SOCK_MIN_SNDBUF, INT_MAX),
		ctl_int('net/core/rmem_max', sock, 'sysctl_rmem_max', SOCK_MIN_RCVBUF, INT_MAX),
		ctl_int('net/core/wmem_default', sock, 'sysctl_wmem_default', SOCK_MIN_SNDBUF, INT_MAX),
		ctl_int('net/core/rmem_default', sock, 'sysctl_rmem_default', SOCK_MIN_RCVBUF, INT_MAX),
	];
	const tables = [
		...(first ? buffers : buffers.map(read_only)),
		ctl_int('net/core/somaxconn', net, 'core_sysctl_somaxconn', 0, INT_MAX),
		ctl_int('net/core/optmem_max', sock, 'sysctl_optmem_max', 0, INT_MAX),
		ctl_int('net/core/txrehash', net.machine.net, 'sysctl_txrehash', 0, 1),
		ctl_int('net/core/tstamp_allow_data', net.machine.net, 'sysctl_tstamp_allow_data', 0, 1),
	];
	if (first) tables.push(...net_core_table(net));
	return tables;
}

/** What stands in the first namespace alone. */
function net_core_table(net: net): ctl_table[] {
	const core = net.machine.net;
	return [
		with_write(ctl_int('net/core/dev_weight', core, 'weight_p', 1, INT_MAX), proc_do_dev_weight),
		with_write(ctl_int('net/core/dev_weight_rx_bias', core, 'dev_weight_rx_bias', 1, INT_MAX), proc_do_dev_weight),
		with_write(ctl_int('net/core/dev_weight_tx_bias', core, 'dev_weight_tx_bias', 1, INT_MAX), proc_do_dev_weight),
		ctl_int('net/core/netdev_max_backlog', core, 'sysctl_netdev_max_backlog', INT_MIN, INT_MAX),
		ctl_int('net/core/netdev_tstamp_prequeue', core, 'netdev_tstamp_prequeue', INT_MIN, INT_MAX),
		ctl_int('net/core/message_cost', core, 'message_cost', INT_MIN, INT_MAX),
		ctl_int('net/core/message_burst', core, 'message_burst', INT_MIN, INT_MAX),
		ctl_int('net/core/netdev_budget', core, 'sysctl_netdev_budget', INT_MIN, INT_MAX),
		ctl_int('net/core/netdev_budget_usecs', core, 'sysctl_netdev_budget_usecs', 0, INT_MAX),
		ctl_int('net/core/warnings', core, 'warnings', INT_MIN, INT_MAX),
		ctl_int('net/core/busy_poll', core, 'busy_poll', 0, INT_MAX),
		ctl_int('net/core/busy_read', core, 'busy_read', 0, INT_MAX),
		ctl_int('net/core/gro_normal_batch', core, 'gro_normal_batch', 1, INT_MAX),
		ctl_int('net/core/max_skb_frags', core, 'max_skb_frags', 1, 17),
		with_write(ctl_int('net/core/default_qdisc', core, 'default_qdisc'), set_default_qdisc),
	];
}

function sysctl_core_net_init(net: net): number {
	register_sysctl_dir(net.sysctls, 'net/core', netns_core_table, net);
	return 0;
}

function sysctl_core_net_exit(_net: net): void {}

/** Boot: after net_dev_init and sock_init. */
export function sysctl_core_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'sysctl_core', init: sysctl_core_net_init, exit: sysctl_core_net_exit });
}
