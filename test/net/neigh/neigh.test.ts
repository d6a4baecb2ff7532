import { expect, test } from 'vitest';
import { sysctl_read, sysctl_write } from '../../../src/kernel/sysctl.ts';
import { type Host, World } from '../../../src/lab/index.ts';
import {
	__neigh_create,
	neigh_confirm,
	neigh_event_send,
	neigh_lookup,
	neigh_output,
	neigh_state_name,
	type neighbour,
} from '../../../src/net/core/neighbour.ts';
import type { net_device } from '../../../src/net/core/netdevice.ts';
import { alloc_skb, type sk_buff, skb_put, skb_reserve } from '../../../src/net/core/skbuff.ts';
import { arp_tbl } from '../../../src/net/ipv4/arp.ts';
import { arp_seq_show } from '../../../src/net/ipv4/arp_ioctl.ts';

const B = 0x0a000002;

interface Pair {
	world: World;
	a: Host;
	b: Host;
	dev: net_device;
	/** Frames that left a's eth0, as `ETHERTYPE DST`. */
	out: string[];
	drops: string[];
}

async function pair(): Promise<Pair> {
	const world = new World();
	const a = world.host('a');
	const b = world.host('b');
	const link = world.link(a.nic('eth0'), b.nic('eth0'));
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	await world.run(2000);
	const out: string[] = [];
	link.tap((f) => {
		if (f.direction !== 'out' || f.nic.host !== a) return;
		const hex = Buffer.from(f.bytes).toString('hex');
		out.push(`${hex.slice(24, 28)} ${hex.slice(0, 12)}`);
	});
	const drops: string[] = [];
	a.machine.kfree_skb_probe = (skb, reason) => drops.push(`${reason} ${skb.len}`);
	return { world, a, b, dev: a.nic('eth0').dev, out, drops };
}

/** An IP-like packet that waits for its link header. */
function packet(p: Pair, len = 40): sk_buff {
	const skb = alloc_skb(p.a.machine, 128 + len);
	skb_reserve(skb, 64);
	const at = skb_put(skb, len);
	skb.head.fill(0, at, at + len);
	skb.dev = p.dev;
	skb.protocol = 0x0800;
	skb.network_header = at;
	return skb;
}

function entry(p: Pair, ip: number): neighbour {
	const tbl = arp_tbl(p.a.machine);
	return neigh_lookup(tbl, ip, p.dev) ?? __neigh_create(tbl, ip, p.dev, true)!;
}

function state(n: neighbour): string {
	return neigh_state_name(n.nud_state);
}

test('a packet waits for the answer, then goes; the entry goes through its states', async () => {
	const p = await pair();
	const n = entry(p, B);
	expect(state(n)).toBe('NONE');
	neigh_output(n, packet(p), false);
	expect(state(n)).toBe('INCOMPLETE');
	await p.world.run(10);
	expect(state(n)).toBe('REACHABLE');
	expect(p.out).toEqual(['0806 ffffffffffff', '0800 020000010001']);
	// Believed for 15 to 45 s, then stale.
	await p.world.run(14_900);
	expect(state(n)).toBe('REACHABLE');
	await p.world.run(31_000);
	expect(state(n)).toBe('STALE');
	// Used: five seconds later it is asked by unicast, and answers.
	p.out.length = 0;
	neigh_output(n, packet(p), false);
	expect(state(n)).toBe('DELAY');
	await p.world.run(4_900);
	expect(p.out).toEqual(['0800 020000010001']);
	await p.world.run(200);
	expect(p.out[1]).toBe('0806 020000010001');
	expect(state(n)).toBe('REACHABLE');
	// A confirmation from above while in DELAY saves the question.
	await p.world.run(46_000);
	p.out.length = 0;
	neigh_output(n, packet(p), false);
	await p.world.run(1_000);
	neigh_confirm(n);
	await p.world.run(5_000);
	expect(state(n)).toBe('REACHABLE');
	expect(p.out).toEqual(['0800 020000010001']);
});

test('nobody there: three broadcasts, then what waited fails; the next packet asks again', async () => {
	const p = await pair();
	const n = entry(p, 0x0a000063);
	neigh_output(n, packet(p), false);
	neigh_output(n, packet(p), false);
	await p.world.run(2_500);
	expect(p.out.length).toBe(3);
	expect(p.drops).toEqual([]);
	await p.world.run(1_000);
	expect(state(n)).toBe('FAILED');
	expect(p.drops).toEqual(['58 40', '58 40']);
	neigh_output(n, packet(p), false);
	expect(state(n)).toBe('INCOMPLETE');
	await p.world.run(4_000);
	expect(p.out.length).toBe(6);
	expect(arp_tbl(p.a.machine).stats.res_failed).toBe(2);
	await p.a.must('ip link set eth0 down');
	expect(p.a.machine.skb_pool.live).toBe(0);
});

test('what waits is limited in bytes: the oldest goes', async () => {
	const p = await pair();
	expect(sysctl_write(p.dev.net, 'net/ipv4/neigh/eth0/unres_qlen_bytes', '2000')).toBe(0);
	const n = entry(p, 0x0a000063);
	for (let i = 0; i < 5; i++) neigh_output(n, packet(p, 40 + i), false);
	expect(p.drops).toEqual(['59 40', '59 41', '59 42']);
	expect(n.arp_queue.qlen).toBe(2);
	expect(arp_tbl(p.a.machine).stats.unres_discards).toBe(3);
});

test('thresholds: forced gc takes the unused, and a table full of used ones overflows', async () => {
	const p = await pair();
	const tbl = arp_tbl(p.a.machine);
	for (const [f, v] of [
		['gc_thresh1', '4'],
		['gc_thresh2', '8'],
		['gc_thresh3', '16'],
	]) {
		expect(sysctl_write(p.a.machine.init_net, `net/ipv4/neigh/default/${f}`, v)).toBe(0);
	}
	const base = 0x0a000010;
	await p.a.must('ip neigh add 10.0.0.250 lladdr 02:00:00:00:00:fa dev eth0');
	for (let i = 0; i < 30; i++) {
		const n = __neigh_create(tbl, base + i, p.dev, true);
		if (n !== null) neigh_event_send(n, null);
	}
	expect(tbl.gc_entries).toBe(16);
	expect(tbl.stats.table_fulls).toBe(14);
	expect(p.a.machine.log_buf.filter((r) => r.text.includes('neighbor table overflow'))[0]?.text).toBe(
		'neighbour: arp_cache: neighbor table overflow!',
	);
	await p.world.run(10_000); // all FAILED now
	expect(__neigh_create(tbl, base + 100, p.dev, true)).not.toBe(null);
	expect(tbl.gc_entries).toBeLessThanOrEqual(9);
	expect(neigh_lookup(tbl, 0x0a0000fa, p.dev)).not.toBe(null);
	// The periodic gc clears what nobody used for a minute, and then rests.
	await p.world.run(120_000);
	expect(tbl.entries).toBeLessThan(4 + 1);
});

test('settings are inherited from the default until set, in their units and bounds', async () => {
	const p = await pair();
	// A device with an address no longer follows the default: d0 has none.
	await p.a.must('ip link add d0 type dummy');
	const net = p.a.machine.init_net;
	const read = (f: string): string | number => sysctl_read(net, `net/ipv4/neigh/${f}`);
	const write = (f: string, v: string): number => sysctl_write(net, `net/ipv4/neigh/${f}`, v);
	expect(read('d0/base_reachable_time_ms')).toBe('30000');
	expect(read('d0/unres_qlen')).toBe('101');
	expect(write('d0/retrans_time_ms', '1')).toBe(0);
	expect(read('d0/retrans_time_ms')).toBe('4'); // a jiffy
	expect(read('d0/retrans_time')).toBe('0');
	expect(write('default/gc_stale_time', '90')).toBe(0);
	expect(write('default/retrans_time_ms', '2000')).toBe(0);
	expect(read('d0/gc_stale_time')).toBe('90');
	expect(read('d0/retrans_time_ms')).toBe('4');
	for (const [f, v, err] of [
		['d0/ucast_solicit', '-1', -22],
		['d0/ucast_solicit', '2147483648', -22],
		['d0/gc_stale_time', '100000000', -22],
		['d0/base_reachable_time', '-1', 0],
		['d0/interval_probe_time_ms', '0', -22],
		['d0/unres_qlen', '100000000', -22],
		['d0/locktime', '2147483647', 0],
		['d0/mcast_solicit', 'many', -22],
	] as const) {
		expect([f, v, write(f, v)]).toEqual([f, v, err]);
	}
	expect(read('d0/locktime')).toBe('429496728');
	expect(write('d0/locktime', '-1')).toBe(0);
	expect(read('d0/locktime')).toBe('-0');
	expect(write('d0/unres_qlen', '3')).toBe(0);
	expect(read('d0/unres_qlen_bytes')).toBe('6270');
	await p.a.must('ip link set d0 name wan');
	expect(read('d0/locktime')).toBe(-2);
	expect(read('wan/unres_qlen')).toBe('3');
});

test('ip neigh: add, change, replace, del, get, proxy; /proc/net/arp shows them', async () => {
	const p = await pair();
	await p.a.must('ip neigh add 10.0.0.5 lladdr 2:3:4:5:6:7 dev eth0; ip neigh add proxy 10.0.0.99 dev eth0');
	expect((await p.a.sh('ip neigh add 10.0.0.5 lladdr 2:3:4:5:6:8 dev eth0')).stderr).toContain('File exists');
	expect((await p.a.sh('ip neigh change 10.0.0.6 lladdr 2:3:4:5:6:8 dev eth0')).stderr).toContain('No such file');
	expect((await p.a.sh('ip neigh add 10.0.0.7 dev eth0 nud reachable')).stderr).toContain(
		'No link layer address given',
	);
	expect((await p.a.sh('ip neigh get 10.0.0.8 dev eth0')).stderr).toContain('Neighbour entry not found');
	expect((await p.a.sh('ip neigh del 10.0.0.8 dev eth0')).stderr).toContain('No such file');
	expect(await p.a.must('ip neigh get 10.0.0.5 dev eth0')).toBe(
		'10.0.0.5 dev eth0 lladdr 02:03:04:05:06:07 PERMANENT \n',
	);
	await p.a.must('ip neigh replace 10.0.0.5 lladdr 2:3:4:5:6:9 dev eth0 nud stale');
	expect(await p.a.must('ip neigh; ip neigh show proxy')).toContain(
		'10.0.0.5 dev eth0 lladdr 02:03:04:05:06:09 STALE \n',
	);
	expect(arp_seq_show(p.a.machine.init_net).split('\n').slice(0, 1)).toEqual([
		'IP address       HW type     Flags       HW address            Mask     Device',
	]);
	expect(arp_seq_show(p.a.machine.init_net)).toContain(
		'10.0.0.5         0x1         0x2         02:03:04:05:06:09     *        eth0\n',
	);
	expect(arp_seq_show(p.a.machine.init_net)).toContain(
		'10.0.0.99        0x1         0xc         00:00:00:00:00:00     *        eth0\n',
	);
	await p.a.must('ip neigh del 10.0.0.5 dev eth0; ip neigh del proxy 10.0.0.99 dev eth0');
	expect(neigh_lookup(arp_tbl(p.a.machine), 0x0a000005, p.dev)).toBe(null);
	expect(arp_tbl(p.a.machine).phash).toEqual([]);
});

test('carrier loss evicts all but permanent entries; another MAC evicts all', async () => {
	const p = await pair();
	await p.a.must(
		'ip neigh add 10.0.0.5 lladdr 2:3:4:5:6:7 dev eth0; ip neigh add 10.0.0.6 lladdr 2:3:4:5:6:8 dev eth0 nud stale',
	);
	const list = async (): Promise<number> => (await p.a.must('ip neigh')).split('\n').length - 1;
	expect(await list()).toBe(2);
	for (const l of p.world.links) l.setUp(false);
	await p.world.run(1_100);
	expect(await list()).toBe(1);
	await p.a.must('ip link set eth0 address 02:00:00:00:00:aa');
	expect(await list()).toBe(0);
});

test('packets for an entry that ended are dropped', async () => {
	const p = await pair();
	const n = entry(p, B);
	neigh_output(n, packet(p), false);
	await p.world.run(10);
	await p.a.must('ip link set eth0 down');
	expect(n.dead).toBe(true);
	neigh_output(n, packet(p), true);
	expect(p.drops).toEqual(['2 40']);
});
