/*
 * test/net/ipv4/rig.ts: a machine with devices, addresses and routes, and the `ip` program to speak to it.
 * Scripts are files of commands; what real Linux answered to each is recorded beside them (record.sh).
 */
import { loopback_init } from '../../../src/drivers/net/loopback.ts';
import { Machine } from '../../../src/kernel/machine.ts';
import { nsproxy, task_struct } from '../../../src/kernel/sched.ts';
import { sysctl_read, sysctl_root, sysctl_write } from '../../../src/kernel/sysctl.ts';
import { EventQueue } from '../../../src/lib/event_queue.ts';
import { net_dev_init, register_netdevice } from '../../../src/net/core/dev.ts';
import { netif_carrier_off, netif_carrier_on } from '../../../src/net/core/link_watch.ts';
import { neigh_init } from '../../../src/net/core/neighbour.ts';
import { type net, net_ns_init } from '../../../src/net/core/net_namespace.ts';
import { net_device, net_device_ops } from '../../../src/net/core/netdevice.ts';
import { rtnetlink_init } from '../../../src/net/core/rtnetlink.ts';
import { alloc_skb, consume_skb, type sk_buff, skb_init, skb_put, skb_reserve } from '../../../src/net/core/skbuff.ts';
import { arp_init } from '../../../src/net/ipv4/arp.ts';
import { devinet_init } from '../../../src/net/ipv4/devinet.ts';
import { ip_fib_init } from '../../../src/net/ipv4/fib_frontend.ts';
import { ip_pton } from '../../../src/net/ipv4/ip.ts';
import { netns_ipv4_init } from '../../../src/net/ipv4/netns.ts';
import { ip_rt_init } from '../../../src/net/ipv4/route.ts';
import { sysctl_ipv4_init } from '../../../src/net/ipv4/sysctl_net_ipv4.ts';
import { netfilter_init } from '../../../src/net/netfilter/core.ts';
import { netlink_proto_init } from '../../../src/net/netlink/af_netlink.ts';
import { sock_init } from '../../../src/net/socket.ts';
import { ip } from '../../../src/user/iproute2/ip.ts';
import { Process } from '../../../src/user/libc.ts';

/** No file is there. */
const no_disk: Machine['rootfs'] = {
	read: async () => -2,
	write: async () => -2,
	readdir: async () => -2,
	mkdir: async () => -2,
	unlink: async () => -2,
};

export interface Rig {
	machine: Machine;
	clock: EventQueue;
	net: net;
	task: task_struct;
}

/** v0 and v1, v2 and v3 are two ends of a cable each: an end has a carrier while the other is up. */
function peer_of(dev: net_device): net_device | undefined {
	const m = /^v(\d)$/.exec(dev.name);
	return m === null ? undefined : dev.net.dev_name_head.get(`v${Number(m[1]) ^ 1}`);
}

function open(dev: net_device): number {
	const peer = peer_of(dev);
	if (peer === undefined) return 0;
	dev.iflink = peer.ifindex;
	peer.iflink = dev.ifindex;
	if ((peer.flags & 1) !== 0) {
		netif_carrier_on(dev);
		netif_carrier_on(peer);
	} else netif_carrier_off(dev);
	return 0;
}

function stop(dev: net_device): number {
	const peer = peer_of(dev);
	netif_carrier_off(dev);
	if (peer !== undefined) netif_carrier_off(peer);
	return 0;
}

function xmit(skb: sk_buff): number {
	consume_skb(skb);
	return 0;
}

/** An Ethernet device that swallows what it is given. */
export function add_dev(r: Rig, name: string): net_device {
	const ops = new net_device_ops();
	ops.ndo_start_xmit = xmit;
	ops.ndo_open = open;
	ops.ndo_stop = stop;
	const dev = new net_device(name, r.net, ops);
	dev.flags = 0x1002; // BROADCAST, MULTICAST
	dev.tx_queue_len = 0;
	dev.dev_addr = Uint8Array.of(2, 0, 0, 0, r.net.ifindex, 1);
	const err = register_netdevice(dev);
	if (err < 0) throw new Error(`register_netdevice: ${err}`);
	return dev;
}

export function rig(devices: readonly string[] = []): Rig {
	const clock = new EventQueue();
	clock.now = 60e9;
	const machine = new Machine('r', clock, 1, { sleep() {}, wake() {}, fork() {}, exit() {} });
	machine.sysctl = new sysctl_root();
	machine.rootfs = no_disk;
	net_ns_init(machine);
	skb_init(machine);
	sock_init(machine);
	net_dev_init(machine);
	netfilter_init(machine);
	neigh_init(machine);
	netlink_proto_init(machine);
	rtnetlink_init(machine);
	netns_ipv4_init(machine);
	arp_init(machine);
	ip_rt_init(machine);
	devinet_init(machine);
	ip_fib_init(machine);
	sysctl_ipv4_init(machine);
	loopback_init(machine);
	const task = new task_struct(machine, 'sh', new nsproxy(machine.init_net, 'r'));
	const r: Rig = { machine, clock, net: machine.init_net, task };
	for (const d of devices) add_dev(r, d);
	return r;
}

/** Runs `ip ARGS`. Return: what it printed, errors behind. */
export async function run_ip(r: Rig, args: string): Promise<string> {
	const proc = new Process(r.task, ['ip', ...args.trim().split(/\s+/)], new Map());
	await ip(proc);
	const text = (b: Uint8Array): string => new TextDecoder().decode(b);
	return text(proc.stdout.bytes()) + text(proc.stderr.bytes());
}

/** Runs one line of a script: `ip …`, `sysctl -qw name=value`, `sysctl -n name`, `cat /proc/net/…`. */
export async function run_line(r: Rig, line: string): Promise<string> {
	let m = /^ip (.*)$/.exec(line);
	if (m !== null) {
		const out = await run_ip(r, m[1]);
		// Link watch and the address timer have their turn.
		pass(r, 0.01);
		return out;
	}
	m = /^sysctl -qw (\S+?)=(.*)$/.exec(line);
	if (m !== null) {
		const err = sysctl_write(r.net, m[1].replaceAll('.', '/'), m[2]);
		return err < 0 ? `errno ${-err}\n` : '';
	}
	m = /^sysctl -n (\S+)$/.exec(line);
	if (m !== null) return `${sysctl_read(r.net, m[1].replaceAll('.', '/'))}\n`;
	m = /^cat \/proc\/net\/(\S+)$/.exec(line);
	if (m !== null) return r.net.proc_net.files.get(m[1])!.show(r.net);
	throw new Error(`rig: cannot run "${line}"`);
}

/** Lets virtual time pass. */
export function pass(r: Rig, seconds: number): void {
	const until = r.clock.now + seconds * 1e9;
	while (r.clock.step(until));
	r.clock.now = Math.max(r.clock.now, until);
}

/** A UDP packet as ip_rcv hands it to routing: its data at the network header. */
export function packet(r: Rig, dev: net_device, src: string, dst: string, sport = 1000, dport = 2000): sk_buff {
	const skb = alloc_skb(r.machine, 256);
	skb_reserve(skb, 64);
	skb.mac_header = skb.data - 14;
	skb.network_header = skb.data;
	const at = skb_put(skb, 28);
	const v = new DataView(skb.head.buffer, skb.head.byteOffset + at, 28);
	skb.head.fill(0, at, at + 28);
	v.setUint8(0, 0x45);
	v.setUint16(2, 28);
	v.setUint8(8, 64);
	v.setUint8(9, 17);
	v.setUint32(12, ip_pton(src));
	v.setUint32(16, ip_pton(dst));
	v.setUint16(20, sport);
	v.setUint16(22, dport);
	skb.transport_header = at + 20;
	skb.protocol = 0x0800;
	skb.dev = dev;
	skb.skb_iif = dev.ifindex;
	return skb;
}
