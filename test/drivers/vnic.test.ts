import { expect, test } from 'vitest';
import type { vnic_priv } from '../../src/drivers/net/vnic.ts';
import { dev_close, dev_get_stats, dev_open, dev_queue_xmit } from '../../src/net/core/dev.ts';
import { type net_device, netdev_priv } from '../../src/net/core/netdevice.ts';
import { alloc_skb, type sk_buff, skb_put, skb_reserve } from '../../src/net/core/skbuff.ts';
import { dev_ethtool } from '../../src/net/ethtool/ioctl.ts';
import { ETHTOOL_SCOALESCE, ETHTOOL_SRINGPARAM } from '../../src/uapi/linux/ethtool.ts';
import { frame, type Kernel, kernel, MAC_A, MAC_B, nic, receiver, run } from '../net/core/kernel.ts';

const F = frame(MAC_A, MAC_B, 0x88b5, 46);

function outgoing(k: Kernel, dev: net_device, len = 60, priority = 0): sk_buff {
	const skb = alloc_skb(k.machine, len + 64);
	skb_reserve(skb, 64);
	const at = skb_put(skb, len);
	skb.head.set(frame(MAC_B, MAC_A, 0x88b5, len - 14), at);
	skb.dev = dev;
	skb.network_header = at + 14;
	skb.priority = priority;
	return skb;
}

function put32(b: Uint8Array, o: number, v: number): void {
	new DataView(b.buffer, b.byteOffset).setUint32(o, v, true);
}

test('a frame reaches its protocol: an interrupt for each when idle, none while polled', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const q = netdev_priv<vnic_priv>(dev).queues[0];
	const got = receiver(k, 0x88b5);
	expect(cable.port.receive(F, 0, F.length, null)).toBe(true);
	expect(got).toEqual([]);
	run(k.clock);
	expect(got).toEqual([{ dev: 'eth0', pkt_type: 0, len: 46, ip_summed: 0 }]);
	for (let i = 0; i < 5; i++) {
		cable.port.receive(F, 0, F.length, null);
		run(k.clock, 1);
	}
	expect(q.interrupts).toBe(6);
	for (let i = 0; i < 200; i++) cable.port.receive(F, 0, F.length, null);
	run(k.clock);
	expect(got.length).toBe(206);
	expect(q.interrupts).toBe(7);
	expect(q.polls).toBe(6 + 4); // 64, 64, 64, 8
	expect(k.machine.skb_pool.live).toBe(0);
});

test('the budget is shared: a NIC under load does not starve another', () => {
	const k = kernel();
	const [, busy] = nic(k, 'eth0', MAC_A);
	const [, quiet] = nic(k, 'eth1', MAC_A);
	const order: string[] = [];
	const got = receiver(k, 0x88b5);
	for (let i = 0; i < 256; i++) busy.port.receive(F, 0, F.length, null);
	quiet.port.receive(F, 0, F.length, null);
	k.machine.net.sysctl_netdev_budget = 64;
	run(k.clock);
	for (const g of got) order.push(g.dev);
	expect(order.indexOf('eth1')).toBe(64);
	expect(order.length).toBe(257);
	expect(k.machine.net.softnet_data[0].time_squeeze).toBe(4);
});

test('a full ring loses frames and counts them; a runt is an error', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	receiver(k, 0x88b5);
	let taken = 0;
	for (let i = 0; i < 300; i++) if (cable.port.receive(F, 0, F.length, null)) taken++;
	expect(taken).toBe(256);
	expect(cable.port.receive(F, 0, 13, null)).toBe(false);
	run(k.clock);
	const s = dev_get_stats(dev);
	expect([s.rx_packets, s.rx_bytes, s.rx_missed_errors, s.rx_length_errors, s.rx_errors]).toEqual([
		256,
		256 * 60,
		44,
		1,
		1,
	]);
	for (let i = 0; i < 10; i++) cable.port.receive(F, 0, F.length, null);
	dev_close(dev);
	run(k.clock);
	expect(k.machine.skb_pool.live).toBe(0);
	expect(dev_open(dev)).toBe(0);
	cable.port.receive(F, 0, F.length, null);
	run(k.clock);
	expect(dev_get_stats(dev).rx_packets).toBe(257);
});

test('coalescing: by time, by frames, never not at all', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const got = receiver(k, 0x88b5);
	const c = new Uint8Array(92);
	put32(c, 0, ETHTOOL_SCOALESCE);
	expect(dev_ethtool(dev, c)).toBe(-22);
	put32(c, 4, 50);
	put32(c, 8, 4);
	expect(dev_ethtool(dev, c)).toBe(0);
	cable.port.receive(F, 0, F.length, null);
	run(k.clock, 0.049);
	expect(got.length).toBe(0);
	run(k.clock, 0.001);
	expect(got.length).toBe(1);
	for (let i = 0; i < 4; i++) cable.port.receive(F, 0, F.length, null);
	run(k.clock);
	expect(got.length).toBe(5);
	put32(c, 12, 7); // rx-usecs-irq
	expect(dev_ethtool(dev, c)).toBe(-95);
	const ring = new Uint8Array(36);
	put32(ring, 0, ETHTOOL_SRINGPARAM);
	put32(ring, 20, 64);
	put32(ring, 32, 64);
	expect(dev_ethtool(dev, ring)).toBe(0);
	put32(ring, 20, 8192);
	expect(dev_ethtool(dev, ring)).toBe(-22);
	let taken = 0;
	for (let i = 0; i < 100; i++) if (cable.port.receive(F, 0, F.length, null)) taken++;
	expect(taken).toBe(64);
});

test('a busy cable fills the ring, stops the queue, and the qdisc keeps order by band', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	cable.ns_per_frame = 10_000;
	const txq = dev._tx[0];
	for (let i = 0; i < 257; i++) dev_queue_xmit(outgoing(k, dev));
	expect(cable.frames.length).toBe(1);
	expect(txq.stopped).toBe(true);
	// Past the empty queue to the driver, which is full: it is requeued, and will go first.
	dev_queue_xmit(outgoing(k, dev, 100, 0));
	expect(txq.qdisc!.requeues).toBe(1);
	dev_queue_xmit(outgoing(k, dev, 300, 2)); // TC_PRIO_BULK: band 2
	dev_queue_xmit(outgoing(k, dev, 200, 6)); // TC_PRIO_INTERACTIVE: band 0
	expect(txq.qdisc!.qlen).toBe(3);
	run(k.clock, 10);
	expect(cable.frames.slice(257).map((f) => f.length)).toEqual([100, 200, 300]);
	expect(txq.qdisc!.qlen).toBe(0);
	expect(k.machine.skb_pool.live).toBe(0);
});

test('pfifo_fast holds txqueuelen packets a band; the rest is QDISC_DROP', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	dev.tx_queue_len = 10;
	dev_close(dev);
	for (const q of dev._tx) q.qdisc_sleeping!.limit = 10;
	dev_open(dev);
	cable.busy_until = Number.MAX_SAFE_INTEGER;
	for (let i = 0; i < 256 + 15; i++) dev_queue_xmit(outgoing(k, dev));
	expect(k.drops).toEqual(new Array(4).fill('QDISC_DROP __dev_queue_xmit'));
	const sch = dev._tx[0].qdisc!;
	expect([sch.qlen, sch.drops, sch.backlog]).toEqual([11, 4, 660]);
	dev_close(dev);
	expect(k.machine.skb_pool.live).toBe(0);
});

test('several queues: a flow stays on one, and mq is the root', () => {
	const k = kernel();
	const [dev, cable] = nic(k, 'eth0', MAC_A, 4);
	expect(dev.qdisc!.ops.id).toBe('mq');
	const got = receiver(k, 0x0800);
	const f = frame(MAC_A, MAC_B, 0x0800, 46);
	f[14] = 0x45;
	f[23] = 17;
	const used = new Set<number>();
	for (let port = 0; port < 64; port++) {
		f[35] = port;
		const before = netdev_priv<vnic_priv>(dev).queues.map((q) => q.rx_count);
		cable.port.receive(f, 0, f.length, null);
		cable.port.receive(f, 0, f.length, null);
		const after = netdev_priv<vnic_priv>(dev).queues.map((q) => q.rx_count);
		const grown = after.flatMap((n, i) => (n - before[i] > 0 ? [[i, n - before[i]]] : []));
		expect(grown.length).toBe(1);
		expect(grown[0][1]).toBe(2);
		used.add(grown[0][0]);
	}
	run(k.clock);
	expect(got.length).toBe(128);
	expect(used.size).toBe(4);
});

test('a CPU that takes time shows load: frames wait and the ring overflows', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const got = receiver(k, 0x88b5);
	k.machine.net.cpu_cost_ns = 10_000;
	for (let i = 0; i < 300; i++) {
		cable.port.receive(F, 0, F.length, null);
		run(k.clock, 0.001);
	}
	expect(got.length).toBeLessThan(100);
	run(k.clock, 10);
	expect(got.length).toBe(dev_get_stats(dev).rx_packets);
	expect(got.length + dev_get_stats(dev).rx_missed_errors).toBe(300);
});
