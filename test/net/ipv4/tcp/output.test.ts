/*
 * What TCP sends and when. Times and sizes are those of Linux 6.18 (in jiffies: its timer wheel adds up to an eighth), seen between two namespaces.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Cable, frame_offload } from '../../../../src/drivers/net/cable.ts';
import type { vnic_priv } from '../../../../src/drivers/net/vnic.ts';
import type { World } from '../../../../src/lab/index.ts';
import type { SeenFrame } from '../../../../src/lab/link.ts';
import { dev_add_pack, packet_type } from '../../../../src/net/core/dev.ts';
import { netdev_priv } from '../../../../src/net/core/netdevice.ts';
import { alloc_skb, consume_skb, skb_put } from '../../../../src/net/core/skbuff.ts';
import type { sock } from '../../../../src/net/core/sock.ts';
import { tcp_parse_options } from '../../../../src/net/ipv4/tcp_input_options.ts';
import { initial_window, tcp_select_initial_window } from '../../../../src/net/ipv4/tcp_output.ts';
import {
	OPTION_FAST_OPEN_COOKIE,
	OPTION_SACK_ADVERTISE,
	OPTION_TS,
	OPTION_WSCALE,
	tcp_options_write,
	tcp_out_options,
} from '../../../../src/net/ipv4/tcp_output_options.ts';
import { tcp_fastopen_cookie, tcp_options_received, type tcp_sock } from '../../../../src/net/ipv4/tcp_sock.ts';
import { ETIMEDOUT } from '../../../../src/uapi/asm-generic/errno.ts';
import { ETH_P_ALL } from '../../../../src/uapi/linux/if_ether.ts';
import { PACKET_OUTGOING } from '../../../../src/uapi/linux/if_packet.ts';
import { at, B, connect, listen, pair, recv_all, send } from './lab.ts';

/** TCP segments that a NIC sent: time in ms, flags, relative sequence number, payload. */
interface Sent {
	time: number;
	flags: number;
	seq: number;
	len: number;
}

function segments(seen: SeenFrame[], nic: string): Sent[] {
	const list: Sent[] = [];
	let isn = -1;
	for (const f of seen) {
		const b = f.bytes;
		if (f.direction !== 'out' || f.nic.host.name !== nic || b[12] !== 8 || b[13] !== 0 || b[23] !== 6) continue;
		const seq = ((b[38] << 24) | (b[39] << 16) | (b[40] << 8) | b[41]) >>> 0;
		if (isn < 0) isn = seq;
		const len = ((b[16] << 8) | b[17]) - 20 - (b[46] >> 4) * 4;
		list.push({ time: f.time / 1e6, flags: b[47], seq: (seq - isn) >>> 0, len });
	}
	return list;
}

function intervals(list: Sent[]): number[] {
	return list.slice(1).map((s, i) => Math.round(s.time - list[i].time));
}

/** A cable that takes one frame at a time. */
class SlowCable implements Cable {
	readonly offload: boolean;
	busy_until = 0;
	sent: () => void = () => {};
	private to: Cable;
	private world: World;
	private rate: number;

	constructor(to: Cable, world: World, rate: number) {
		this.to = to;
		this.offload = to.offload;
		this.world = world;
		this.rate = rate;
	}

	send(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): void {
		this.busy_until = this.world.clock.now + (len * 8e9) / this.rate;
		this.to.send(frame, start, len, offload);
		this.sent();
	}
}

test('options: what is written is what is read, in at most 40 bytes, ended to four', async () => {
	const { a } = await pair();
	const n = a.machine.init_net;
	const block = fc.record({ start_seq: fc.integer(), end_seq: fc.integer() });
	fc.assert(
		fc.property(
			fc.record({
				mss: fc.integer({ min: 48, max: 65495 }),
				ws: fc.option(fc.integer({ min: 0, max: 14 })),
				ts: fc.option(fc.tuple(fc.integer(), fc.integer())),
				sack: fc.boolean(),
				cookie: fc.option(fc.tuple(fc.constantFrom(0, 4, 8, 16), fc.boolean())),
				blocks: fc.array(block, { maxLength: 4 }),
				dsack: fc.option(block),
				syn: fc.boolean(),
			}),
			(o) => {
				const opts = new tcp_out_options();
				let size = 0;
				let blocks = 0;
				if (o.ts !== null) {
					opts.options |= OPTION_TS;
					[opts.tsval, opts.tsecr] = o.ts;
					size += 12;
				}
				if (o.syn) {
					opts.mss = o.mss;
					size += 4;
					if (o.ws !== null) {
						opts.options |= OPTION_WSCALE;
						opts.ws = o.ws;
						size += 4;
					}
					if (o.sack) {
						opts.options |= OPTION_SACK_ADVERTISE;
						if (o.ts === null) size += 4;
					}
					if (o.cookie !== null) {
						const [len, exp] = o.cookie;
						const need = (len + (exp ? 4 : 2) + 3) & ~3;
						if (size + need <= 40) {
							const foc = new tcp_fastopen_cookie();
							foc.len = len;
							foc.exp = exp;
							for (let i = 0; i < len; i++) foc.val[i] = i * 17 + 1;
							opts.options |= OPTION_FAST_OPEN_COOKIE;
							opts.fastopen_cookie = foc;
							size += need;
						}
					}
				} else {
					blocks = Math.min(o.blocks.length + (o.dsack !== null ? 1 : 0), Math.floor((40 - size - 4) / 8));
					opts.num_sack_blocks = blocks;
					if (blocks > 0) size += 4 + 8 * blocks;
				}
				expect(size).toBeLessThanOrEqual(40);
				const skb = alloc_skb(a.machine, 256);
				const th = skb_put(skb, 20 + size);
				skb.transport_header = th;
				skb.head.fill(0xee, th, th + 256);
				skb.head[th + 12] = ((20 + size) / 4) << 4;
				skb.head[th + 13] = o.syn ? 2 : 16;
				const tp = {
					rx_opt: { dsack: o.dsack !== null },
					duplicate_sack: o.dsack,
					selective_acks: o.blocks,
				} as unknown as tcp_sock;
				tcp_options_write(skb.head, th + 20, tp, opts);
				// Not a byte behind what was said.
				expect(skb.head[th + 20 + size]).toBe(0xee);
				const rx = new tcp_options_received();
				rx.tstamp_ok = o.ts !== null;
				rx.sack_ok = 1;
				const foc = new tcp_fastopen_cookie();
				tcp_parse_options(n, skb, rx, !o.syn, foc);
				expect(rx.saw_tstamp).toBe(o.ts !== null);
				if (o.ts !== null) expect([rx.rcv_tsval, rx.rcv_tsecr]).toEqual(o.ts);
				if (o.syn) {
					expect(rx.mss_clamp).toBe(o.mss);
					expect(rx.wscale_ok).toBe(o.ws !== null);
					if (o.ws !== null) expect(rx.snd_wscale).toBe(o.ws);
					if (opts.fastopen_cookie !== null) {
						expect([foc.len, foc.exp]).toEqual([opts.fastopen_cookie.len, opts.fastopen_cookie.exp]);
						expect(foc.val.subarray(0, foc.len)).toEqual(opts.fastopen_cookie.val.subarray(0, foc.len));
					}
				} else {
					// The blocks stand at the end, the duplicate first.
					const want = [...(o.dsack !== null ? [o.dsack] : []), ...o.blocks].slice(0, blocks);
					let p = th + 20 + size - 8 * blocks;
					const get = () => {
						const b = skb.head;
						p += 4;
						return (b[p - 4] << 24) | (b[p - 3] << 16) | (b[p - 2] << 8) | b[p - 1];
					};
					for (const w of want) expect([get(), get()]).toEqual([w.start_seq, w.end_seq]);
				}
				consume_skb(skb);
			},
		),
		{ numRuns: 300 },
	);
});

test('the first window and its scale', async () => {
	const { a } = await pair();
	const sk = { net: a.machine.init_net } as sock;
	const first = (space: number, mss: number, wscale: boolean, clamp = 0, init = 0) => {
		const w = new initial_window();
		w.window_clamp = clamp;
		tcp_select_initial_window(sk, space, mss, wscale, init, w);
		return [w.rcv_wnd, w.rcv_wscale];
	};
	// tcp_rmem 4096 131072 33554432: a SYN over Ethernet and over lo, a SYN-ACK, one without window scaling.
	expect(first(65536, 1460, true)).toEqual([64240, 10]);
	expect(first(65536, 65495, true)).toEqual([65495, 10]);
	expect(first(65536, 1448, true)).toEqual([65160, 10]);
	expect(first(65536, 1460, false)).toEqual([64240, 0]);
	// A buffer of 20,000 bytes, a clamp, the route's initrwnd.
	expect(first(20000, 1448, true, 20000)).toEqual([18824, 0]);
	expect(first(65536, 1460, true, 5000)).toEqual([4380, 0]);
	expect(first(65536, 1460, true, 0, 3)).toEqual([4380, 10]);
	expect(first(1000, 1460, true)).toEqual([1000, 10]);
});

test('SYNs that nobody answers: five times a second, then doubling, 131 s in all', async () => {
	const { world, a, b } = await pair();
	await b.must('iptables -A INPUT -p tcp -j DROP');
	const seen: SeenFrame[] = [];
	world.links[0].tap((f) => seen.push(f));
	await a.process('connect', async (p) => {
		const t = world.now;
		expect(await connect(p, B, 80)).toBe(-ETIMEDOUT);
		expect(world.now - t).toBe(131000);
	});
	const sent = segments(seen, 'a');
	expect(sent.every((s) => s.flags === 2 && s.len === 0)).toBe(true);
	expect(intervals(sent)).toEqual([1000, 1000, 1000, 1000, 1000, 2000, 4000, 8000, 16000, 32000]);
});

test('data that vanishes: a probe of the tail, then the first segment again and again, twice as late each time', async () => {
	const { world, a, b } = await pair({ delay: 0.02, offload: true });
	const seen: SeenFrame[] = [];
	let sent: Sent[] = [];
	let mib = '';
	void b.process('sink', async (p) => {
		await p.accept(listen(p, '0.0.0.0', 80), null);
		await p.sleep(1e6);
	});
	await world.settle();
	await a.must('sysctl -w net.ipv4.tcp_congestion_control=reno');
	await a.process('source', async (p) => {
		const fd = await connect(p, B, 80);
		await p.sleep(100);
		await send(p, fd, new Uint8Array(100));
		await p.sleep(300);
		await b.must('iptables -A INPUT -p tcp -j DROP');
		world.links[0].tap((f) => seen.push(f));
		await send(p, fd, new Uint8Array(3000));
		await p.sleep(12000);
		mib = (await a.sh('nstat -az')).stdout;
		sent = segments(seen, 'a');
	});
	expect(sent.map((s) => [s.seq, s.len])).toEqual([[0, 3000], [2896, 104], ...new Array(5).fill([0, 1448])]);
	const [probe, ...rtos] = intervals(sent);
	expect(probe).toBe(12);
	expect(rtos).toEqual([204, 408, 816, 1632, 3264]);
	for (const c of ['TcpRetransSegs 6', 'TcpExtTCPTimeouts 5', 'TcpExtTCPLossProbes 1', 'TcpExtTCPLostRetransmit 4'])
		expect(mib.replace(/ +/g, ' ')).toContain(c);
});

test('what waits in the queues of this host stays within tcp_limit_output_bytes, and the rest comes when they are empty', async () => {
	const { world, a, b } = await pair({ delay: 1 });
	a.sysctl('net.ipv4.tcp_limit_output_bytes', 30000);
	const dev = a.machine.init_net.dev_name_head.get('eth0')!;
	// A wire of 10 Mbit/s: frames wait in the NIC's ring, charged to the socket.
	const wire = new SlowCable(netdev_priv<vnic_priv>(dev).cable!, world, 10e6);
	netdev_priv<vnic_priv>(dev).cable = wire;
	const done = b.process('sink', async (p) => recv_all(p, await p.accept(listen(p, '0.0.0.0', 80), null)));
	await world.settle();
	let most = 0;
	await a.process('source', async (p) => {
		const fd = await connect(p, B, 80);
		wire.sent = () => {
			const queue = netdev_priv<vnic_priv>(dev).queues[0];
			most = Math.max(most, queue.tx_count);
		};
		expect(await send(p, fd, new Uint8Array(1 << 20))).toBe(1 << 20);
		p.close(fd);
	});
	const got = await done;
	expect(typeof got !== 'number' && got.length).toBe(1 << 20);
	// 30,000 bytes are some 13 frames of 1500 with what they cost; one segment more is let go when there is any room.
	expect(most).toBeGreaterThan(5);
	expect(most).toBeLessThan(64);
	// At the rate of the wire: it never ran dry.
	expect(world.now).toBeLessThan(((1 << 20) * 8 * 1.1) / 10e3);
});

test('lo carries two segments of its MSS as one, cut before the device', async () => {
	const { world, a } = await pair();
	// A window that holds many: no time passes on lo, so it does not grow by itself.
	a.sysctl('net.ipv4.tcp_rmem', '4096 4000000 8000000');
	const lens: number[] = [];
	const tap = new packet_type(ETH_P_ALL, (skb) => {
		if (skb.pkt_type === PACKET_OUTGOING) lens.push(skb.len - 14);
		consume_skb(skb);
		return 0;
	});
	tap.dev = a.machine.init_net.loopback_dev;
	dev_add_pack(a.machine, tap);
	const done = a.process('sink', async (p) => {
		const c = await p.accept(listen(p, '127.0.0.1', 80), null);
		return recv_all(p, c);
	});
	await world.settle();
	await a.process('source', async (p) => {
		const fd = p.socket(2, 1, 0);
		expect(await p.connect(fd, at('127.0.0.1', 80))).toBe(0);
		expect(await send(p, fd, new Uint8Array(3000000))).toBe(3000000);
		p.close(fd);
	});
	const got = await done;
	expect(typeof got !== 'number' && got.length).toBe(3000000);
	expect(Math.max(...lens)).toBe(65535);
	// The pieces of a pair follow each other.
	expect(lens.filter((l) => l === 65535).length).toBeGreaterThan(20);
});
