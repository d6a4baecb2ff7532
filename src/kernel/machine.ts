/*
 * kernel/machine.ts: one booted kernel: what is a global variable in C is a field here.
 * Rooms above fill in their part in their *_init(machine); `boot/` says which and in what order.
 */

import { sysfs_class_net } from '../fs/sysfs.ts';
import type { rootfs } from '../fs/vfs.ts';
import { type Clock, clock_event } from '../lib/event_queue.ts';
import { Random } from '../lib/random.ts';
import type { net_core } from '../net/core/dev.ts';
import type { neigh_global } from '../net/core/neighbour.ts';
import type { net, pernet_operations } from '../net/core/net_namespace.ts';
import type { rtnl_global } from '../net/core/rtnetlink.ts';
import type { sk_buff, skb_pool } from '../net/core/skbuff.ts';
import type { sock_global } from '../net/core/sock.ts';
import type { inet_global } from '../net/ipv4/af_inet.ts';
import type { tcp_cong_global } from '../net/ipv4/tcp_cong.ts';
import type { nf_global } from '../net/netfilter/core.ts';
import type { nf_conntrack_global } from '../net/netfilter/nf_conntrack_core.ts';
import type { xt_global } from '../net/netfilter/x_tables.ts';
import type { netlink_global } from '../net/netlink/af_netlink.ts';
import type { genl_global } from '../net/netlink/genetlink.ts';
import type { net_families } from '../net/socket.ts';
import type { Process } from '../user/libc.ts';
import type { printk_record } from './printk.ts';
import type { Scheduler, task_struct } from './sched.ts';
import { NR_SOFTIRQS, run_softirq_event, type softirq_action } from './softirq.ts';
import type { sysctl_root } from './sysctl.ts';
import { NSEC_PER_JIFFY } from './time.ts';
import type { tracer } from './trace.ts';

export class Machine {
	name: string;
	clock: Clock;
	/** Seeded from the world's seed and the machine's name. */
	random: Random;
	sched: Scheduler;

	softirq_vec: (softirq_action | null)[] = new Array(NR_SOFTIRQS).fill(null);
	softirq_pending = 0;
	in_softirq = false;
	/** Counts do_softirq. */
	softirq_runs = 0;
	softirq_event: clock_event;

	log_buf: printk_record[] = [];
	net_ratelimit_begin = 0;
	net_ratelimit_printed = 0;

	/** /sys/class/net: what each device's folder holds. */
	sysfs: sysfs_class_net = new sysfs_class_net();
	/** The host's disk. */
	rootfs!: rootfs; // lab

	/** Named network namespaces: what is bind-mounted on /run/netns/NAME. */
	netns_mounts: Map<string, net> = new Map();
	/** Runs a command line's program for a process (fork, exec, wait); the lab's shell installs it. */
	spawn: ((parent: Process, argv: string[]) => Promise<number>) | null = null;

	tasks: Set<task_struct> = new Set();
	/** Machines begin anywhere: what programs make of their pid (ping's id) differs between them. */
	next_pid: number;

	/** Records journeys; null when nothing is traced. */
	tracer: tracer | null = null;
	/** Told of each kfree_skb_reason, as the tracepoint skb:kfree_skb; null when nobody listens. */
	kfree_skb_probe: ((skb: sk_buff, reason: number, location: string) => void) | null = null;

	// Filled in by the *_init() of the rooms named.
	skb_pool!: skb_pool; // net/core/skbuff
	sysctl!: sysctl_root; // kernel/sysctl
	/** The first network namespace. */
	init_net!: net; // net/core/net_namespace
	net_namespaces: net[] = [];
	pernet_list: pernet_operations[] = [];
	net!: net_core; // net/core/dev: ptype_base, softnet_data, netdev chain
	families!: net_families; // net/socket
	sock!: sock_global; // net/socket: net.core.* limits
	inet!: inet_global; // net/ipv4/af_inet: inet_protos, inetsw
	neigh!: neigh_global; // net/core/neighbour: neigh_tables
	rtnl!: rtnl_global; // net/core/rtnetlink: handlers
	netlink!: netlink_global; // net/netlink/af_netlink: nl_table
	genl!: genl_global; // net/netlink/genetlink: families
	tcp_cong!: tcp_cong_global; // net/ipv4/tcp_cong: congestion control modules
	nf!: nf_global; // net/netfilter/core
	xt!: xt_global; // net/netfilter/x_tables: matches, targets
	ct!: nf_conntrack_global; // net/netfilter/nf_conntrack_core

	constructor(name: string, clock: Clock, seed: number, sched: Scheduler) {
		this.name = name;
		this.clock = clock;
		this.random = new Random(seed, name);
		this.next_pid = 300 + this.random.below(32000);
		this.sched = sched;
		this.softirq_event = new clock_event(run_softirq_event, this);
	}

	/** Ticks since the world began (HZ = 250). */
	get jiffies(): number {
		return Math.floor(this.clock.now / NSEC_PER_JIFFY);
	}
}
