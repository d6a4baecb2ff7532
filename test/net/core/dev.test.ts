import { expect, test } from 'vitest';
import { netlink_ext_ack } from '../../../src/lib/nlattr.ts';
import {
	dev_add_pack,
	dev_change_flags,
	dev_change_name,
	dev_change_net_namespace,
	dev_close,
	dev_get_flags,
	dev_open,
	dev_prep_valid_name,
	dev_queue_xmit,
	dev_remove_pack,
	dev_set_mac_address,
	dev_set_mtu_ext,
	dev_set_promiscuity,
	dev_valid_name,
	netdev_cmd_to_name,
	netif_rx,
	packet_type,
	register_netdevice,
	register_netdevice_notifier,
	skb_checksum_help,
	unregister_netdevice,
} from '../../../src/net/core/dev.ts';
import { dev_uc_add, dev_uc_del } from '../../../src/net/core/dev_addr_lists.ts';
import { copy_net_ns } from '../../../src/net/core/net_namespace.ts';
import { dev_mc_seq_show, dev_seq_show, softnet_seq_show } from '../../../src/net/core/net-procfs.ts';
import { IFF_NO_QUEUE, net_device, net_device_ops } from '../../../src/net/core/netdevice.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	consume_skb,
	type sk_buff,
	skb_put,
	skb_reserve,
} from '../../../src/net/core/skbuff.ts';
import { eth_mac_addr, ether_setup } from '../../../src/net/ethernet/eth.ts';
import { IFF_ALLMULTI, IFF_LOWER_UP, IFF_PROMISC, IFF_RUNNING, IFF_UP } from '../../../src/uapi/linux/if.ts';
import { frame, type Kernel, kernel, MAC_A, MAC_B, nic, receiver, run } from './kernel.ts';

/** A software Ethernet device without queue that keeps what it is given. */
function soft(k: Kernel, name: string): { dev: net_device; sent: number[] } {
	const ops = new net_device_ops();
	const sent: number[] = [];
	ops.ndo_start_xmit = (skb: sk_buff) => {
		sent.push(skb.len);
		consume_skb(skb);
		return 0;
	};
	ops.ndo_set_mac_address = eth_mac_addr;
	const dev = new net_device(name, k.machine.init_net, ops);
	ether_setup(dev);
	dev.dev_addr.set(MAC_A);
	dev.priv_flags |= IFF_NO_QUEUE;
	expect(register_netdevice(dev)).toBe(0);
	return { dev, sent };
}

function packet(k: Kernel, dev: net_device, bytes: Uint8Array): sk_buff {
	const skb = alloc_skb(k.machine, bytes.length + 64);
	skb_reserve(skb, 64);
	const at = skb_put(skb, bytes.length);
	skb.head.set(bytes, at);
	skb.dev = dev;
	skb.network_header = at + 14;
	return skb;
}

test('names: what is one, and patterns', () => {
	const k = kernel();
	const net = k.machine.init_net;
	for (const good of ['eth0', 'a', 'abcdefghijklmno', 'br-lan', '%']) expect(dev_valid_name(good)).toBe(true);
	for (const bad of ['', '.', '..', 'a/b', 'a:1', 'a b', 'abcdefghijklmnop', 'öööööööö'])
		expect(dev_valid_name(bad)).toBe(false);
	expect(dev_prep_valid_name(net, 'veth%d')).toBe('veth0');
	soft(k, 'veth0');
	soft(k, 'veth2');
	expect(dev_prep_valid_name(net, 'veth%d')).toBe('veth1');
	expect(dev_prep_valid_name(net, 'v%x')).toBe(-22);
	expect(dev_prep_valid_name(net, 'v%d%d')).toBe(-22);
});

test('a device is renamed while up, and says so', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	soft(k, 'b0');
	dev_open(dev);
	expect(dev_change_name(dev, 'b0')).toBe(-17);
	expect(dev_change_name(dev, 'x/y')).toBe(-22);
	expect(dev_change_name(dev, 'c0')).toBe(0);
	expect(k.machine.init_net.dev_name_head.get('c0')).toBe(dev);
	expect(k.machine.init_net.dev_name_head.has('a0')).toBe(false);
	expect(k.machine.log_buf.at(-1)?.text).toBe('c0: renamed from a0 (while UP)');
});

test('notifiers are told in order, and a late one of what is there', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	dev_open(dev);
	const seen: string[] = [];
	register_netdevice_notifier(k.machine, {
		notifier_call: (_m, event, d) => {
			seen.push(`${d.name} ${netdev_cmd_to_name(event)}`);
			return 0;
		},
		priority: 0,
	});
	expect(seen).toEqual(['lo NETDEV_REGISTER', 'a0 NETDEV_REGISTER', 'a0 NETDEV_UP']);
	seen.length = 0;
	dev_close(dev);
	dev_change_flags(dev, dev_get_flags(dev) | IFF_UP);
	dev_set_mtu_ext(dev, 1400, null);
	unregister_netdevice(dev);
	expect(seen.map((s) => s.slice(10))).toEqual([
		'GOING_DOWN',
		'DOWN',
		'PRE_UP',
		'UP',
		'PRECHANGEMTU',
		'CHANGEMTU',
		'GOING_DOWN',
		'DOWN',
		'UNREGISTER',
	]);
});

test('a notifier can forbid', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	register_netdevice_notifier(k.machine, {
		notifier_call: (_m, event) => (event === 14 || event === 7 ? 0x8000 | (1 + 16) : 0),
		priority: 0,
	});
	expect(dev_open(dev)).toBe(-16);
	expect(dev.flags & IFF_UP).toBe(0);
	expect(dev.running).toBe(false);
	expect(dev_set_mtu_ext(dev, 1000, null)).toBe(-16);
	expect(dev.mtu).toBe(1500);
});

test('promiscuity is counted; userland sees only its own wish', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	dev_open(dev);
	dev_set_promiscuity(dev, 1);
	expect(dev.flags & IFF_PROMISC).toBe(IFF_PROMISC);
	expect(dev_get_flags(dev) & IFF_PROMISC).toBe(0);
	dev_change_flags(dev, dev_get_flags(dev) | IFF_PROMISC);
	expect(dev.promiscuity).toBe(2);
	expect(dev_get_flags(dev) & IFF_PROMISC).toBe(IFF_PROMISC);
	dev_set_promiscuity(dev, -1);
	expect(dev.flags & IFF_PROMISC).toBe(IFF_PROMISC);
	dev_change_flags(dev, dev_get_flags(dev) & ~IFF_PROMISC);
	expect(dev.flags & IFF_PROMISC).toBe(0);
	dev_change_flags(dev, dev_get_flags(dev) | IFF_ALLMULTI);
	expect(dev.allmulti).toBe(1);
	expect(k.machine.log_buf.map((r) => r.text)).toEqual([
		'a0: entered promiscuous mode',
		'a0: left promiscuous mode',
		'a0: entered allmulticast mode',
	]);
	// A unicast address that the driver cannot filter makes it promiscuous.
	expect(dev_uc_add(dev, MAC_B)).toBe(0);
	expect(dev.promiscuity).toBe(1);
	expect(dev_uc_del(dev, MAC_B)).toBe(0);
	expect(dev.promiscuity).toBe(0);
	expect(dev_uc_del(dev, MAC_B)).toBe(-2);
});

test('MTU and MAC have bounds, told in words', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	dev.max_mtu = 9000;
	const ack = new netlink_ext_ack();
	expect(dev_set_mtu_ext(dev, 67, ack)).toBe(-22);
	expect(ack._msg).toBe('mtu less than device minimum');
	expect(dev_set_mtu_ext(dev, 9001, ack)).toBe(-22);
	expect(ack._msg).toBe('mtu greater than device maximum');
	expect(dev_set_mtu_ext(dev, 9000, ack)).toBe(0);
	expect(dev.mtu).toBe(9000);
	expect(dev_set_mac_address(dev, Uint8Array.of(1, 0, 0, 0, 0, 1))).toBe(-99);
	expect(dev_set_mac_address(dev, MAC_B)).toBe(0);
	dev_open(dev);
	expect(dev_set_mac_address(dev, MAC_A)).toBe(-16); // no IFF_LIVE_ADDR_CHANGE
	expect(dev.addr_assign_type).toBe(3);
});

test('a device moves to another namespace: keeps its index if it can, and comes up there', () => {
	const k = kernel();
	const [dev, cable] = nic(k, 'eth0');
	const other = copy_net_ns(k.machine);
	expect(dev.ifindex).toBe(2);
	expect(dev_change_net_namespace(other.loopback_dev, k.machine.init_net, null)).toBe(-22);
	expect(dev_change_net_namespace(dev, other, null)).toBe(0);
	expect(other.dev_index_head.get(2)).toBe(dev);
	expect(k.machine.init_net.dev_name_head.has('eth0')).toBe(false);
	expect(dev.flags & IFF_UP).toBe(0);
	expect(dev_open(dev)).toBe(0);
	const got = receiver(k, 0x88b5);
	cable.port.receive(frame(MAC_A, MAC_B, 0x88b5, 46), 0, 60, null);
	run(k.clock);
	expect(got.length).toBe(1);
	const [dev2] = nic(k, 'eth0', MAC_B);
	const ack = new netlink_ext_ack();
	expect(dev_change_net_namespace(dev2, other, null, 0, ack)).toBe(-17);
	expect(dev_change_net_namespace(dev2, other, 'eth%d')).toBe(0);
	expect(dev2.name).toBe('eth1');
});

test('the backlog has a limit: what is more is dropped and counted', () => {
	const k = kernel();
	const { dev } = soft(k, 'a0');
	dev_open(dev);
	const got = receiver(k, 0x88b5);
	const f = frame(MAC_A, MAC_B, 0x88b5, 46);
	for (let i = 0; i < 1010; i++) {
		const skb = packet(k, dev, f);
		skb.mac_header = skb.data;
		skb.data += 14;
		skb.len -= 14;
		skb.protocol = 0x88b5;
		netif_rx(skb);
	}
	run(k.clock);
	expect(got.length).toBe(1001);
	expect(k.drops).toEqual(new Array(9).fill('CPU_BACKLOG enqueue_to_backlog'));
	expect(dev.stats.rx_dropped).toBe(9);
	expect(softnet_seq_show(k.machine.init_net).slice(0, 26)).toBe('000003e9 00000009 00000000');
	expect(k.machine.skb_pool.live).toBe(0);
});

test('a frame that nobody takes is dropped, and for a device that is down too', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	cable.port.receive(frame(MAC_A, MAC_B, 0x1234, 46), 0, 60, null);
	run(k.clock);
	expect(k.drops).toEqual(['UNHANDLED_PROTO __netif_receive_skb_core']);
	expect(dev.stats.rx_dropped).toBe(1);
	dev_close(dev);
	expect(cable.port.receive(frame(MAC_A, MAC_B, 0x1234, 46), 0, 60, null)).toBe(false);
	expect(k.drops[1]).toBe('DEV_READY vnic_receive');
	expect(k.machine.skb_pool.live).toBe(0);
});

test('several receivers share one packet; taps see both directions, but not their own', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const one = receiver(k, 0x88b5);
	const two = receiver(k, 0x88b5);
	const seen: number[] = [];
	const tap = new packet_type(3, (skb) => {
		seen.push(skb.pkt_type);
		consume_skb(skb);
		return 0;
	});
	tap.dev = dev;
	dev_add_pack(k.machine, tap);
	cable.port.receive(frame(MAC_A, MAC_B, 0x88b5, 46), 0, 60, null);
	cable.port.receive(frame(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), MAC_B, 0x88b5, 46), 0, 60, null);
	cable.port.receive(frame(new Uint8Array(6).fill(255), MAC_B, 0x88b5, 46), 0, 60, null);
	cable.port.receive(frame(MAC_B, MAC_B, 0x88b5, 46), 0, 60, null);
	run(k.clock);
	expect([one.length, two.length]).toEqual([4, 4]);
	expect(seen).toEqual([0, 2, 1, 3]);
	dev_queue_xmit(packet(k, dev, frame(MAC_B, MAC_A, 0x88b5, 46)));
	expect(seen.at(-1)).toBe(4);
	tap.ignore_outgoing = true;
	dev_queue_xmit(packet(k, dev, frame(MAC_B, MAC_A, 0x88b5, 46)));
	dev_remove_pack(k.machine, tap);
	dev_queue_xmit(packet(k, dev, frame(MAC_B, MAC_A, 0x88b5, 46)));
	expect(seen.length).toBe(5);
	expect(cable.frames.length).toBe(3);
	expect(k.machine.skb_pool.live).toBe(0);
});

test('802.1Q without VLAN devices: VID 0 is only a priority, any other VID is not for us', () => {
	const k = kernel();
	const [, cable] = nic(k);
	const got = receiver(k, 0x88b5);
	const tagged = (vid: number): Uint8Array => {
		const body = new Uint8Array(50);
		body.set([0x20 | (vid >> 8), vid, 0x88, 0xb5]);
		return frame(MAC_A, MAC_B, 0x8100, body);
	};
	cable.port.receive(tagged(0), 0, 64, null);
	cable.port.receive(tagged(5), 0, 64, null);
	cable.port.receive(frame(MAC_A, MAC_B, 0x8100, 3), 0, 17, null);
	run(k.clock);
	expect(got.map((g) => [g.pkt_type, g.len])).toEqual([
		[0, 46],
		[3, 46],
	]);
	expect(k.drops.length).toBe(1);
	expect(k.machine.skb_pool.live).toBe(0);
});

test('carrier: the loss is told within a second, the gain at once; queued packets go with it', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	expect(dev_get_flags(dev) & (IFF_RUNNING | IFF_LOWER_UP)).toBe(IFF_RUNNING | IFF_LOWER_UP);
	expect(dev.operstate).toBe(6);
	cable.port.set_link(false, 0);
	expect(dev.carrier).toBe(false);
	run(k.clock, 1000);
	expect(dev.operstate).toBe(2);
	expect(dev_get_flags(dev) & (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)).toBe(IFF_UP);
	dev_queue_xmit(packet(k, dev, frame(MAC_B, MAC_A, 0x88b5, 46)));
	expect(k.drops).toEqual(['QDISC_DROP __dev_queue_xmit']);
	cable.port.set_link(true, 1000);
	run(k.clock);
	expect(dev.operstate).toBe(6);
	dev_queue_xmit(packet(k, dev, frame(MAC_B, MAC_A, 0x88b5, 46)));
	expect(cable.frames.length).toBe(1);
});

test('a checksum left to the device is set in software', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const f = frame(MAC_B, MAC_A, 0x0800, 40);
	f[50] = 0x12;
	const skb = packet(k, dev, f);
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb.csum_start = skb.data + 34;
	skb.csum_offset = 6;
	dev_queue_xmit(skb);
	const out = cable.frames[0];
	expect((out[40] << 8) | out[41]).toBe(0xedff);
	expect(cable.offloads[0]).toBe(null);
	const bad = packet(k, dev, f);
	bad.ip_summed = CHECKSUM_PARTIAL;
	bad.csum_start = bad.tail;
	bad.csum_offset = 0;
	expect(skb_checksum_help(bad)).toBe(-22);
	consume_skb(bad);
	expect(k.machine.skb_pool.live).toBe(0);
});

test('a cable with offload gets the checksum undone', () => {
	const k = kernel();
	const [dev, cable] = nic(k, 'eth0', MAC_A, 1, true);
	const skb = packet(k, dev, frame(MAC_B, MAC_A, 0x0800, 40));
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb.csum_start = skb.data + 34;
	skb.csum_offset = 6;
	dev_queue_xmit(skb);
	expect(cable.offloads[0]).toMatchObject({ csum_start: 34, csum_offset: 6, gso_size: 0 });
});

test('/proc/net/dev and dev_mcast have the columns of Linux', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	receiver(k, 0x88b5);
	cable.port.receive(frame(MAC_A, MAC_B, 0x88b5, 46), 0, 60, null);
	run(k.clock);
	dev.mc.push({ addr: Uint8Array.of(1, 0, 0x5e, 0, 0, 1), refcount: 1 });
	expect(dev_seq_show(k.machine.init_net).split('\n').slice(2)).toEqual([
		'    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0',
		'  eth0:      60       1    0    0    0     0          0         0        0       0    0    0    0     0       0          0',
		'',
	]);
	expect(dev_mc_seq_show(k.machine.init_net)).toBe('2    eth0            1     0     01005e000001\n');
});
