/*
 * test/net/ipv4/tcp/reassembly.test.ts: whatever the order, the overlaps and the sizes in which a stream's bytes come, and however little room
 * there is: they are read whole, in order, once; memory stays bounded and nothing is left behind.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { task_struct } from '../../../../src/kernel/sched.ts';
import type { Host } from '../../../../src/lab/index.ts';
import type { sock } from '../../../../src/net/core/sock.ts';
import { tcp_sk } from '../../../../src/net/ipv4/tcp_sock.ts';
import { type socket, sockfd_lookup } from '../../../../src/net/socket.ts';
import type { Kernel } from '../../../../src/packetdrill/kernel.ts';
import { withLinnetKernel } from '../../../../src/packetdrill/linnet.ts';
import { buildTcp, encodeOptions } from '../../../../src/packetdrill/wire.ts';

const LOCAL = 0xc0a80001;
const REMOTE = 0xc0000201;

function byte(i: number): number {
	return ((i * 2654435761) >>> 24) & 255;
}

/** A connection from a peer that we play. */
class Peer {
	k: Kernel;
	host: Host;
	fd = -1;
	isn = 0;
	/** The last ACK and window that the socket sent (ours begins at 1). */
	ack = 1;
	win = 0;
	private wscale = 0;

	constructor(k: Kernel) {
		this.k = k;
		this.host = (k as unknown as { host: Host }).host;
	}

	async segment(flags: number, seq: number, len: number, options: number[] = []): Promise<void> {
		const p = buildTcp(
			{
				src: { ip: REMOTE, port: 40000 },
				dst: { ip: LOCAL, port: 8080 },
				tos: 0,
				ttl: 64,
				flags,
				seq: seq >>> 0,
				ack: (this.isn + 1) >>> 0,
				win: 65535,
				urg: 0,
				len,
			},
			options,
		);
		const head = p.length - len;
		for (let i = 0; i < len; i++) p[head + i] = byte(seq + i);
		// Again, over these bytes.
		p[36] = 0;
		p[37] = 0;
		let s = 6 + p.length - 20;
		for (let i = 12; i < p.length; i += 2) s += (p[i] << 8) | (p[i + 1] ?? 0);
		while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
		s = ~s & 0xffff;
		p[36] = s >> 8;
		p[37] = s & 255;
		await this.k.inject(p);
	}

	/** Looks at what the socket sent. */
	async drain(): Promise<void> {
		for (;;) {
			const got = await this.k.receive(this.k.now());
			if (got === null) return;
			const t = got.packet.subarray(20);
			const u32 = (o: number): number => ((t[o] << 24) | (t[o + 1] << 16) | (t[o + 2] << 8) | t[o + 3]) >>> 0;
			if ((t[13] & 2) !== 0) this.isn = u32(4);
			this.ack = u32(8);
			this.win = ((t[14] << 8) | t[15]) << ((t[13] & 2) !== 0 ? 0 : this.wscale);
		}
	}

	async accept(rcvbuf: number, sack: boolean): Promise<void> {
		const { k } = this;
		const l = (await k.syscall({ call: 'socket', family: 2, type: 1 | 2048, protocol: 0 })).ret;
		if (rcvbuf !== 0) {
			const value = [rcvbuf & 255, (rcvbuf >> 8) & 255, rcvbuf >> 16, 0];
			await k.syscall({ call: 'setsockopt', fd: l, level: 1, optname: 8, value });
		}
		await k.syscall({ call: 'bind', fd: l, addr: { ip: 0, port: 8080 } });
		await k.syscall({ call: 'listen', fd: l, backlog: 1 });
		await this.segment(
			2,
			0,
			0,
			encodeOptions([{ kind: 'mss', value: 1460 } as never], 0, (v) => v).concat(sack ? [1, 1, 4, 2] : []),
		);
		await this.drain();
		await this.segment(16, 1, 0);
		this.fd = (await k.syscall({ call: 'accept', fd: l, flags: 2048 })).ret;
		expect(this.fd).toBeGreaterThan(0);
		await k.syscall({ call: 'close', fd: l });
	}

	sock(): sock {
		const { proc } = this.k as unknown as { proc: { task: task_struct } };
		return (sockfd_lookup(proc.task, this.fd) as socket).sk!;
	}

	async read(n: number, into: number[]): Promise<number> {
		const r = await this.k.syscall({ call: 'recv', fd: this.fd, len: n, flags: 0, control: false });
		if (r.ret > 0) into.push(...r.value!);
		return r.ret;
	}
}

async function on_linnet(work: (p: Peer) => Promise<void>): Promise<void> {
	const config = {
		local_ip: '192.168.0.1',
		remote_ip: '192.0.2.1',
		gateway_ip: '192.168.0.1',
		prefix: 16,
		mtu: 1500,
		files: new Map<string, string>(),
		seed: 3,
	};
	await withLinnetKernel(config, (k) => work(new Peer(k)));
}

const segment = fc.record({
	at: fc.double({ min: 0, max: 1, noNaN: true }),
	len: fc.oneof(fc.constant(1460), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3000 })),
	read: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 5000 })),
});

test('bytes are read whole, in order and once', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(segment, { maxLength: 60 }),
			fc.integer({ min: 1, max: 30000 }),
			fc.constantFrom(0, 8000, 20000),
			fc.boolean(),
			async (segments, total, rcvbuf, sack) => {
				await on_linnet(async (p) => {
					const pool = p.host.machine.skb_pool;
					const before = pool.live;
					await p.accept(rcvbuf, sack);
					const sk = p.sock();
					const got: number[] = [];
					const bounded = (): void => {
						// What the buffer holds, and one segment beyond it.
						expect(sk.sk_rmem_alloc).toBeLessThanOrEqual(sk.sk_rcvbuf + 4096 + 4352);
						let n = 0;
						let prev = -1;
						for (let s = tcp_sk(sk).out_of_order_queue.first; s !== null; s = s.next) {
							expect(s.tcpcb!.seq).toBeGreaterThanOrEqual(prev);
							prev = s.tcpcb!.seq;
							n++;
						}
						expect(tcp_sk(sk).out_of_order_queue.qlen).toBe(n);
					};
					for (const s of segments) {
						const seq = 1 + Math.floor(s.at * total);
						await p.segment(16, seq, Math.min(s.len, total + 1 - seq));
						bounded();
						if (s.read > 0) await p.read(s.read, got);
					}
					// The rest as a sender does it: from the last ACK on, within the window.
					for (let i = 0; p.ack < total + 1; i++) {
						// A window of one byte stays one, in Linux too, while each byte of it is read.
						expect(i).toBeLessThan(total + 100);
						await p.drain();
						const len = Math.min(1460, p.win, total + 1 - p.ack);
						if (len > 0) await p.segment(16, p.ack, len);
						else {
							// A probe, when nothing fits.
							await p.segment(16, p.ack - 1, 0);
							await p.k.sleepUntil(p.k.now() + 100000);
						}
						bounded();
						await p.read(100000, got);
						await p.k.sleepUntil(p.k.now() + 50000);
						await p.drain();
					}
					await p.segment(17, total + 1, 0);
					while ((await p.read(100000, got)) > 0);
					expect(got.length).toBe(total);
					expect(got.findIndex((v, i) => v !== byte(1 + i))).toBe(-1);
					await p.k.syscall({ call: 'close', fd: p.fd });
					await p.drain();
					await p.segment(4, total + 2, 0);
					await p.drain();
					expect(sk.sk_rmem_alloc).toBe(0);
					expect(pool.live).toBe(before);
				});
			},
		),
		{ numRuns: 60 },
	);
}, 60000);

test('a hundred thousand one-byte segments with gaps cost little and keep within the buffer', async () => {
	await on_linnet(async (p) => {
		await p.accept(0, true);
		const sk = p.sock();
		const begin = performance.now();
		let x = 1;
		for (let i = 0; i < 100000; i++) {
			x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
			await p.segment(16, 3 + 2 * (x % 20000), 1);
			if (i % 1000 === 0) await p.drain();
		}
		await p.drain();
		expect(sk.sk_rmem_alloc).toBeLessThanOrEqual(sk.sk_rcvbuf + 4096);
		expect(p.host.machine.skb_pool.live).toBeLessThan(20000);
		expect(performance.now() - begin).toBeLessThan(30000);
		expect(tcp_sk(sk).rcv_nxt).toBe(1);
		expect(tcp_sk(sk).out_of_order_queue.qlen).toBeGreaterThan(100);
	});
}, 60000);
