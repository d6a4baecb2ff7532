import { expect, test } from 'vitest';
import { sysfs_read, sysfs_write } from '../../src/fs/sysfs.ts';
import { World } from '../../src/lab/index.ts';
import { cleanup_net, copy_net_ns } from '../../src/net/core/net_namespace.ts';

test('a pair: the peer is registered first, carriers follow both ends, packets cross', async () => {
	const a = new World().host('a');
	await a.must(
		'ip link add v0 type veth peer name v1; ip netns add red; ip link set v1 netns red; ip addr add 10.9.0.1/24 dev v0; ip link set v0 up',
	);
	const net = a.machine.init_net;
	expect(sysfs_read(net, 'v0/operstate')).toBe('lowerlayerdown\n');
	expect(sysfs_read(net, 'v0/carrier')).toBe('0\n');
	await a.must('ip -n red addr add 10.9.0.2/24 dev v1; ip -n red link set v1 up');
	expect(sysfs_read(net, 'v0/operstate')).toBe('up\n');
	expect(await a.must('ip -br link show v0')).toMatch(/^v0@if\d+ +UP /);
	expect(await a.must('ip link show v0')).toContain('link-netns red');
	expect(await a.must('ping -c 1 -W 1 10.9.0.2')).toContain('1 received');
	expect(sysfs_read(net, 'v0/statistics/rx_packets')).toBe('2\n');
	expect(a.machine.skb_pool.live).toBe(0);
	// A namespace that ends takes its end along, and the other goes with it.
	await a.must('ip netns del red');
	await a.world.run(10);
	expect((await a.sh('ip link show v0')).exitCode).toBe(1);
});

test('frames longer than the peer takes are dropped at the peer', async () => {
	const a = new World().host('a');
	await a.must(
		'ip link add v0 mtu 2000 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip netns add red; ip link set v1 netns red',
	);
	await a.must(
		'ip addr add 10.9.0.1/24 dev v0; ip -n red addr add 10.9.0.2/24 dev v1; ip -n red link set v1 up mtu 1000',
	);
	expect((await a.sh('ping -c 1 -W 1 -s 1500 10.9.0.2')).stdout).toContain('0 received');
	expect(await a.must('ip -n red -s link show v1')).toMatch(/RX:.*\n +\d+ +\d+ +0 +1 /);
});

test('a namespace that ends gives hardware back', async () => {
	const a = new World().host('a');
	a.nic('eth0');
	const other = copy_net_ns(a.machine);
	const dev = a.nic('eth0').dev;
	await a.must('ip link set eth0 up');
	const { dev_change_net_namespace } = await import('../../src/net/core/dev.ts');
	expect(dev_change_net_namespace(dev, other, null)).toBe(0);
	cleanup_net(other);
	expect(a.machine.init_net.dev_name_head.get('eth0')).toBe(dev);
	expect(a.machine.net_namespaces.length).toBe(1);
});

test('/sys/class/net: what Linux shows of lo while it is down, of a dummy, and what may be written', async () => {
	const a = new World().host('a');
	await a.must('ip link set lo down; ip link add d0 type dummy; ip link set d0 up');
	const net = a.machine.init_net;
	const lo: Record<string, string | number> = {
		addr_assign_type: '0\n',
		address: '00:00:00:00:00:00\n',
		carrier: -22,
		dormant: -22,
		duplex: -22,
		flags: '0x8\n',
		ifindex: '1\n',
		iflink: '1\n',
		mtu: '65536\n',
		operstate: 'down\n',
		speed: -22,
		tx_queue_len: '1000\n',
		type: '772\n',
		uevent: 'INTERFACE=lo\nIFINDEX=1\n',
		nosuch: -2,
	};
	for (const [f, v] of Object.entries(lo)) expect([f, sysfs_read(net, `lo/${f}`)]).toEqual([f, v]);
	expect(sysfs_read(net, 'd0/operstate')).toBe('unknown\n');
	expect(sysfs_write(net, 'd0/carrier', '0')).toBe(0);
	await a.world.run(1100);
	expect(sysfs_read(net, 'd0/operstate')).toBe('down\n');
	expect(sysfs_read(net, 'd0/carrier_changes')).toBe('1\n');
	expect(sysfs_write(net, 'd0/mtu', '1280\n')).toBe(0);
	expect(sysfs_read(net, 'd0/mtu')).toBe('1280\n');
	expect(sysfs_write(net, 'd0/mtu', 'many')).toBe(-22);
	expect(sysfs_write(net, 'd0/ifindex', '7')).toBe(-1);
	expect(sysfs_write(net, 'lo/carrier', '0')).toBe(-95);
	expect(sysfs_write(net, 'd0/ifalias', 'wan side\n')).toBe(0);
	expect(sysfs_read(net, 'd0/ifalias')).toBe('wan side\n');
});
