/*
 * test/net/ipv4/path/rig.ts: a booted machine whose Ethernet devices hand out what they send and take what a test gives them.
 */
import { start_kernel } from '../../../../src/boot/start_kernel.ts';
import { Machine } from '../../../../src/kernel/machine.ts';
import { nsproxy, task_struct } from '../../../../src/kernel/sched.ts';
import { sysctl_write } from '../../../../src/kernel/sysctl.ts';
import { EventQueue } from '../../../../src/lib/event_queue.ts';
import { netif_receive_skb, register_netdevice, skb_checksum_help } from '../../../../src/net/core/dev.ts';
import { drop_reason_name } from '../../../../src/net/core/dropreason.ts';
import type { net } from '../../../../src/net/core/net_namespace.ts';
import { net_device, net_device_ops } from '../../../../src/net/core/netdevice.ts';
import {
	CHECKSUM_PARTIAL,
	consume_skb,
	netdev_alloc_skb,
	type sk_buff,
	skb_copy_bits,
	skb_put,
} from '../../../../src/net/core/skbuff.ts';
import { eth_type_trans, ether_setup } from '../../../../src/net/ethernet/eth.ts';
import { packet } from '../../../../src/packet/build.ts';
import { ipstats_names } from '../../../../src/uapi/linux/snmp.ts';
import { ip } from '../../../../src/user/iproute2/ip.ts';
import { Process } from '../../../../src/user/libc.ts';

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
	/** Frames sent since the last `take`. */
	sent: { dev: string; frame: Uint8Array }[];
	drops: string[];
}

function xmit(skb: sk_buff, dev: net_device): number {
	if (skb.ip_summed === CHECKSUM_PARTIAL) skb_checksum_help(skb);
	const frame = new Uint8Array(skb.len);
	skb_copy_bits(skb, 0, frame, 0, skb.len);
	(dev.priv as Rig).sent.push({ dev: dev.name, frame });
	consume_skb(skb);
	return 0;
}

export function add_dev(r: Rig, name: string, mtu = 1500): net_device {
	const ops = new net_device_ops();
	ops.ndo_start_xmit = xmit;
	const dev = new net_device(name, r.net, ops);
	ether_setup(dev);
	dev.priv = r;
	dev.mtu = mtu;
	dev.tx_queue_len = 0;
	dev.dev_addr = Uint8Array.of(2, 0, 0, 0, r.net.ifindex, 1);
	const err = register_netdevice(dev);
	if (err < 0) throw new Error(`register_netdevice: ${err}`);
	return dev;
}

/** A machine with the Ethernet devices named; `setup`: arguments of `ip`, a line each, or `name=value` sysctls. */
export async function boot(devices: readonly string[], setup: readonly string[] = []): Promise<Rig> {
	const clock = new EventQueue();
	const machine = new Machine('r', clock, 1, { sleep() {}, wake() {}, fork() {}, exit() {} });
	machine.rootfs = no_disk;
	start_kernel(machine);
	const task = new task_struct(machine, 'sh', new nsproxy(machine.init_net, 'r'));
	const r: Rig = { machine, clock, net: machine.init_net, task, sent: [], drops: [] };
	machine.kfree_skb_probe = (_skb, reason) => r.drops.push(drop_reason_name(reason));
	for (const d of devices) add_dev(r, d);
	for (const line of setup) {
		const m = /^(\S+)=(.*)$/.exec(line);
		if (m !== null && line.startsWith('net.')) {
			const err = sysctl_write(r.net, m[1].replaceAll('.', '/'), m[2]);
			if (err < 0) throw new Error(`${line}: ${err}`);
		} else {
			const out = await run_ip(r, line);
			if (out !== '') throw new Error(`ip ${line}: ${out}`);
		}
	}
	pass(r, 1);
	r.sent.length = 0;
	r.drops.length = 0;
	return r;
}

export async function run_ip(r: Rig, args: string): Promise<string> {
	const proc = new Process(r.task, ['ip', ...args.trim().split(/\s+/)], new Map());
	await ip(proc);
	const text = (b: Uint8Array): string => new TextDecoder().decode(b);
	return text(proc.stdout.bytes()) + text(proc.stderr.bytes());
}

/** Lets virtual time pass. */
export function pass(r: Rig, seconds: number): void {
	const until = r.clock.now + seconds * 1e9;
	while (r.clock.step(until));
	r.clock.now = Math.max(r.clock.now, until);
}

/** A frame comes in by `dev`: bytes, or a packet in scapy's notation. */
export function receive(r: Rig, dev: string, what: string | Uint8Array): void {
	const bytes = typeof what === 'string' ? packet(what) : what;
	const d = r.net.dev_name_head.get(dev)!;
	const skb = netdev_alloc_skb(d, bytes.length);
	skb.head.set(bytes, skb_put(skb, bytes.length));
	skb.protocol = eth_type_trans(skb, d);
	netif_receive_skb(skb);
	while (r.clock.step(r.clock.now));
}

/** What was sent since, as hexadecimal; forgets it. */
export function take(r: Rig): Uint8Array[] {
	const out = r.sent.map((s) => s.frame);
	r.sent = [];
	for (const d of r.net.dev_base_head)
		if (d.priv !== null && (d.priv as Rig).sent !== undefined) (d.priv as Rig).sent = r.sent;
	return out;
}

export function take_drops(r: Rig): string[] {
	const out = r.drops.slice();
	r.drops.length = 0;
	return out;
}

/** Counters of IpStats that are not zero, by name. */
export function ip_counters(r: Rig): Record<string, number> {
	const out: Record<string, number> = {};
	for (let i = 0; i < ipstats_names.length; i++) {
		const v = r.net.mib.ip_statistics[i];
		if (v !== 0) out[ipstats_names[i]] = v;
	}
	return out;
}

export function hex(b: Uint8Array): string {
	return Buffer.from(b).toString('hex');
}
