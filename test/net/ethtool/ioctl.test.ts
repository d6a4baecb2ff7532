import { expect, test } from 'vitest';
import { World } from '../../../src/lab/index.ts';
import type { net_device } from '../../../src/net/core/netdevice.ts';
import { dev_ethtool } from '../../../src/net/ethtool/ioctl.ts';

// Bytes as Linux 6.18 answered for lo, a veth and a TAP device (an unplugged vnic has the same features).

function words(...v: number[]): Uint8Array {
	return new Uint8Array(Uint32Array.from(v).buffer);
}

function ask(dev: net_device, cmd: number[], len: number): string {
	const data = new Uint8Array(len);
	data.set(words(...cmd));
	const ret = dev_ethtool(dev, data);
	return ret < 0 ? String(ret) : Buffer.from(data).toString('hex');
}

async function devices(): Promise<Record<string, net_device>> {
	const world = new World();
	const a = world.host('a');
	const eth0 = a.nic('eth0').dev;
	await a.must('ip link add v0 type veth peer name v1; ip link set lo down');
	const net = a.machine.init_net;
	return { lo: net.loopback_dev, v0: net.dev_name_head.get('v0')!, eth0 };
}

test('features: available, requested, active, never changed', async () => {
	const { lo, v0, eth0 } = await devices();
	const features = (dev: net_device): string => ask(dev, [0x3a, 2], 40).slice(16);
	expect(features(lo)).toBe('00481d4000481d40694c1d40000400000e00000a0e0000002e05000000000000');
	expect(features(v0)).toBe('e949dd4fe909dd4fe909dd4f000400002e63000a2e6100002e61000000000000');
	expect(features(eth0)).toBe('c9481d0cc948150cc1480000000400000222000a022000000020000000000000');
});

test('the older commands, and what is not there', async () => {
	const { lo, v0, eth0 } = await devices();
	const flag = (dev: net_device, cmd: number): string => ask(dev, [cmd], 8);
	expect([0x0a, 0x14, 0x16, 0x18, 0x1e, 0x23, 0x2b].map((c) => flag(lo, c).slice(8, 10)).join(' ')).toBe(
		'00 01 01 01 01 01 01',
	);
	expect([0x0a, 0x14, 0x16, 0x18, 0x1e, 0x23, 0x2b].map((c) => flag(v0, c).slice(8, 10)).join(' ')).toBe(
		'00 01 01 01 01 01 00',
	);
	expect([0x0a, 0x14, 0x16, 0x18, 0x1e, 0x23, 0x2b].map((c) => flag(eth0, c).slice(8, 10)).join(' ')).toBe(
		'00 00 00 01 00 01 01',
	);
	expect(flag(v0, 0x25)).toBe('2500000080010000');
	expect(flag(lo, 0x07)).toBe('-95');
	expect(ask(lo, [0x03], 196)).toBe('-95');
	expect(ask(lo, [0x4c], 96)).toBe('-95');
	expect(ask(lo, [0x20, 2], 40)).toBe('-525');
	expect(ask(lo, [0x20, 32], 40)).toBe('2000000006' + '00'.repeat(35));
	expect(ask(lo, [0x41], 44)).toBe('410000001a000000ffffffff' + '00'.repeat(32));
	expect(ask(lo, [0x999], 8)).toBe('-95');
	expect(ask(lo, [0x3a], 4)).toBe('-14');
	expect(ask(v0, [0x10], 36)).toBe('-95');
});

test('a veth tells its driver, link and channels', async () => {
	const { v0 } = await devices();
	expect(ask(v0, [0x03], 196).slice(8, 16)).toBe(Buffer.from('veth').toString('hex'));
	expect(ask(v0, [0x4c], 96)).toBe('4c' + '00'.repeat(14) + 'fc' + '00'.repeat(80));
	expect(ask(v0, [0x4c, 0, 0, 4 << 24], 96)).toBe('4c000000102700000100000000000004' + '00'.repeat(80));
	expect(ask(v0, [0x01], 44)).toBe('010000000000000000000000102701' + '00'.repeat(29));
	const strings = Buffer.from(ask(v0, [0x1b, 1], 12 + 32 * 10), 'hex');
	expect(strings.readUInt32LE(8)).toBe(10);
	expect(strings.subarray(12, 24).toString()).toBe('peer_ifindex');
	expect(ask(v0, [0x1d], 88).slice(0, 32)).toBe('1d0000000a0000000300000000000000'); // v1 is registered first
});

test('SFEATURES: what cannot be is said by its return value; dependents fall', async () => {
	const { v0 } = await devices();
	const set = (valid: number, requested: number): number => dev_ethtool(v0, words(0x3b, 2, valid, requested, 0, 0));
	expect(set(1 << 4, 0)).toBe(1);
	expect(set(1 << 2, 0)).toBe(1);
	expect(dev_ethtool(v0, words(0x3b, 1, 1, 0, 0, 0))).toBe(-22);
	expect(set(1 << 3, 0)).toBe(0); // no checksums: no TSO, which stays wanted
	expect(ask(v0, [0x1e], 8).slice(8, 10)).toBe('00');
	expect(set(1 << 16, 1 << 16)).toBe(2);
	expect(set(1 << 3, 1 << 3)).toBe(0);
	expect(ask(v0, [0x1e], 8).slice(8, 10)).toBe('01');
});
