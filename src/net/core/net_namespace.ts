/*
 * net/core/net_namespace.ts: network namespaces.                   Linux: net/core/net_namespace.c, net/net_namespace.h
 * What is per namespace in Linux is a field of `struct net`; each room fills in its own in its pernet init.
 */

import type { proc_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { sysctl_root } from '../../kernel/sysctl.ts';
import type { netns_ipv4 } from '../ipv4/netns.ts';
import type { netns_ipv6 } from '../ipv6/addrconf.ts';
import type { netns_nf } from '../netfilter/core.ts';
import type { netns_ct } from '../netfilter/nf_conntrack_core.ts';
import type { netns_xt } from '../netfilter/x_tables.ts';
import type { netns_packet } from '../packet/af_packet.ts';
import type { packet_type } from './dev.ts';
import type { fib_rules_ops } from './fib_rules.ts';
import type { net_device } from './netdevice.ts';
import { netns_mib } from './snmp.ts';

export class net {
	machine: Machine;
	/** As `ip netns` names it; '' for the first namespace or one without a name. */
	name = '';
	/** Inode number of /proc/PID/ns/net, unique in the machine. */
	inum: number;
	/** Ids that this namespace gave to others (IFLA_LINK_NETNSID): nsid by namespace. */
	netns_ids: Map<net, number> = new Map();
	dead = false;

	/** Last interface index given out. */
	ifindex = 0;
	/** In order of registration. */
	dev_base_head: net_device[] = [];
	dev_index_head: Map<number, net_device> = new Map();
	dev_name_head: Map<string, net_device> = new Map();
	loopback_dev!: net_device;
	/** Bumped with each change of devices; dumps say NLM_F_DUMP_INTR by it. */
	dev_base_seq = 1;
	/** Packet handlers of this namespace alone (packet sockets not bound to a device). */
	ptype_all: readonly packet_type[] = [];
	ptype_specific: readonly packet_type[] = [];

	sysctls: sysctl_root = new sysctl_root();
	/** /proc/net of this namespace. */
	proc_net!: proc_net;
	mib: netns_mib = new netns_mib();
	rules_ops: fib_rules_ops[] = [];

	ipv4!: netns_ipv4;
	ipv6!: netns_ipv6;
	packet!: netns_packet;
	nf!: netns_nf;
	xt!: netns_xt;
	ct!: netns_ct;

	core_sysctl_somaxconn = 4096;

	constructor(machine: Machine, inum: number) {
		this.machine = machine;
		this.inum = inum;
	}
}

/** What a room does for each namespace. Run in order of registration, left in reverse. */
export interface pernet_operations {
	name: string;
	/** Return: 0 or -errno. */
	init: (net: net) => number;
	exit: (net: net) => void;
}

/** Registers `ops` and runs its init for every namespace there is. */
export function register_pernet_subsys(machine: Machine, ops: pernet_operations): number {
	machine.pernet_list.push(ops);
	for (const n of machine.net_namespaces) {
		const err = ops.init(n);
		if (err < 0) return err;
	}
	return 0;
}

const FIRST_NET_INUM = 4026531840;

/** Makes the first namespace; the rooms' init follows as they register. Called once, first of all. */
export function net_ns_init(machine: Machine): void {
	const n = new net(machine, FIRST_NET_INUM);
	machine.init_net = n;
	machine.net_namespaces.push(n);
}

/** A new namespace, as unshare(CLONE_NEWNET) makes it. */
export function copy_net_ns(machine: Machine): net {
	const last = machine.net_namespaces[machine.net_namespaces.length - 1];
	const n = new net(machine, Math.max(last.inum, FIRST_NET_INUM + 400) + 1);
	machine.net_namespaces.push(n);
	for (const ops of machine.pernet_list) ops.init(n);
	return n;
}

/** Ends a namespace that nothing holds any more: exits in reverse order. */
export function cleanup_net(n: net): void {
	n.dead = true;
	for (let i = n.machine.pernet_list.length - 1; i >= 0; i--) n.machine.pernet_list[i].exit(n);
	const at = n.machine.net_namespaces.indexOf(n);
	if (at >= 0) n.machine.net_namespaces.splice(at, 1);
}
