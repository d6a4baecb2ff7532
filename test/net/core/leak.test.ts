import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from '../../../src/lab/index.ts';
import {
	dev_change_flags,
	dev_change_net_namespace,
	dev_change_tx_queue_len,
	dev_close,
	dev_get_flags,
	dev_open,
	dev_set_mac_address,
	dev_set_mtu_ext,
	dev_set_promiscuity,
} from '../../../src/net/core/dev.ts';
import { __neigh_create, neigh_event_send, neigh_output } from '../../../src/net/core/neighbour.ts';
import { copy_net_ns } from '../../../src/net/core/net_namespace.ts';
import type { net_device } from '../../../src/net/core/netdevice.ts';
import { alloc_skb, type sk_buff, skb_put, skb_reserve } from '../../../src/net/core/skbuff.ts';
import { dev_ethtool } from '../../../src/net/ethtool/ioctl.ts';
import { arp_tbl } from '../../../src/net/ipv4/arp.ts';

type Op = { op: string; dev: number; n: number; bytes: Uint8Array };

const op = fc.record({
	op: fc.constantFrom(
		...[
			'up',
			'down',
			'carrier',
			'mtu',
			'mac',
			'promisc',
			'qlen',
			'netns',
			'frame',
			'arp',
			'send',
			'neigh',
			'run',
			'long',
			'ethtool',
		],
	),
	dev: fc.nat(3),
	n: fc.nat(0xffff),
	bytes: fc.uint8Array({ maxLength: 80 }),
});

/** An ARP packet or IP frame whose beginning is well formed and whose rest is random. */
function mangled(o: Op, dev: net_device, type: number): Uint8Array {
	const f = new Uint8Array(Math.max(14, o.bytes.length));
	f.set(o.bytes);
	f.set(o.n & 1 ? dev.dev_addr : new Uint8Array(6).fill(255));
	f[12] = type >> 8;
	f[13] = type;
	const fixed = type === 0x0806 ? [0, 1, 8, 0, 6, 4, 0, 1 + (o.n & 1)] : [0x45, 0, 0, o.bytes.length & 255];
	if (o.n % 5 !== 0 && f.length >= 14 + fixed.length) f.set(fixed, 14);
	return f;
}

test('random operations on devices, and random packets, never leak an skb, throw or read past a packet', async () => {
	const world = new World();
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'));
	await a.must(
		'ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up; ip link add v0 type veth peer name v1; ip link add d0 type dummy',
	);
	await a.must(
		'ip addr add 10.1.0.1/24 dev v0; ip link set v0 up; ip link set v1 up; ip link set d0 up; sysctl -w net.ipv4.ip_forward=1',
	);
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	const machine = a.machine;
	const other = copy_net_ns(machine);
	const devs = ['eth0', 'v0', 'v1', 'd0'].map((n) => machine.init_net.dev_name_head.get(n)!);
	const priv = devs[0].priv as import('../../../src/drivers/net/vnic.ts').vnic_priv;
	const skb_of = (dev: net_device, bytes: Uint8Array): sk_buff => {
		const skb = alloc_skb(machine, bytes.length + 80);
		skb_reserve(skb, 64);
		const at = skb_put(skb, bytes.length);
		skb.head.set(bytes, at);
		skb.dev = dev;
		skb.protocol = 0x0800;
		skb.network_header = at;
		return skb;
	};
	const apply = async (o: Op): Promise<void> => {
		const dev = devs[o.dev];
		switch (o.op) {
			case 'up':
				dev_open(dev);
				break;
			case 'down':
				if (o.n & 1) dev_close(dev);
				break;
			case 'carrier':
				priv.set_link(o.n % 3 !== 0, 1000);
				break;
			case 'mtu':
				dev_set_mtu_ext(dev, o.n, null);
				break;
			case 'mac':
				dev_set_mac_address(dev, Uint8Array.of(o.n & 255, 0, 0, 0, o.dev, 9));
				break;
			case 'promisc':
				dev_set_promiscuity(dev, 1);
				dev_change_flags(dev, dev_get_flags(dev) ^ (o.n & 0x1380));
				dev_set_promiscuity(dev, -1);
				break;
			case 'qlen':
				dev_change_tx_queue_len(dev, o.n & 15);
				break;
			case 'netns':
				dev_change_net_namespace(dev, dev.net === other ? machine.init_net : other, 'x%d');
				break;
			case 'frame': {
				const f = mangled(o, devs[0], 0x0800);
				for (let i = 0; i < 1 + (o.n & 3); i++) priv.receive(f, 0, f.length, null);
				break;
			}
			case 'arp': {
				const f = mangled(o, devs[0], 0x0806);
				priv.receive(f, 0, f.length, null);
				break;
			}
			case 'send':
			case 'neigh': {
				const n = __neigh_create(arp_tbl(machine), (0x0a000000 | (o.n & 0xff)) >>> 0, dev, true);
				if (n === null) break;
				if (o.op === 'send')
					for (let i = 0; i < 3; i++) neigh_output(n, skb_of(dev, new Uint8Array(20 + (o.n & 63))), false);
				else neigh_event_send(n, null);
				break;
			}
			case 'ethtool': {
				const data = new Uint8Array(Math.max(8, o.bytes.length));
				data.set(o.bytes);
				data.set([o.n & 0x7f, 0, 0, 0]);
				dev_ethtool(dev, data);
				break;
			}
			case 'long':
				await world.run(1 + (o.n % 3000));
				break;
			default:
				await world.run((o.n % 40) / 10);
		}
	};
	await fc.assert(
		fc.asyncProperty(fc.array(op, { minLength: 1, maxLength: 40 }), async (ops) => {
			for (const o of ops) await apply(o);
			for (const d of devs) {
				if (d.net !== machine.init_net) dev_change_net_namespace(d, machine.init_net, 'y%d');
				dev_close(d);
			}
			// What waits for an address that nobody has fails after three tries.
			await world.run(5000);
			expect(machine.skb_pool.live).toBe(0);
			priv.set_link(true, 1000);
			for (const d of devs) {
				dev_set_mtu_ext(d, 1500, null);
				dev_change_tx_queue_len(d, 1000);
				dev_open(d);
			}
		}),
		{ numRuns: 150, seed: 7 },
	);
});
