/*
 * bench/tcp.ts: TCP between two hosts of one world: goodput with and without segmentation offload, connections held, opened and closed,
 * and what a request with its response costs.
 */
import { type Host, World } from '../src/lab/index.ts';
import { AF_INET, msghdr, SOCK_STREAM, sockaddr_in } from '../src/uapi/linux/socket.ts';
import type { Process } from '../src/user/libc.ts';
import { type Bench, cpuNanoseconds, heapUsed, nanoseconds, type Side } from './bench.ts';
import { inChild } from './child.ts';
import { linuxTcp } from './linux.ts';

const SERVER = 0x0a000002;

interface Pair {
	world: World;
	a: Host;
	b: Host;
}

async function pair(offload: boolean): Promise<Pair> {
	const world = new World({ seed: 1 });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), { offload });
	await a.must('ip addr add 10.0.0.1/8 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/8 dev eth0; ip link set eth0 up');
	for (const h of [a, b]) {
		await h.must('sysctl -qw net.ipv4.ip_local_port_range="1024 65535"');
		if (!offload) await h.must('ethtool -K eth0 tso off gso off gro off');
	}
	return { world, a, b };
}

function listen(p: Process, port: number): number {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	if (p.bind(fd, sockaddr_in(0, port)) < 0 || p.listen(fd, 4096) < 0) throw new Error(`cannot listen on ${port}`);
	return fd;
}

async function connect(p: Process, port: number): Promise<number> {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	const r = await p.connect(fd, sockaddr_in(SERVER, port));
	if (r < 0) throw new Error(`connect: ${r}`);
	return fd;
}

/** Bits a second that reach the other process. */
function goodput(offload: boolean): () => Promise<Side> {
	return async () => {
		const { a, b } = await pair(offload);
		let port = 5000;
		const round = async (): Promise<number> => {
			const total = offload ? 4e9 : 4e8;
			port++;
			const server = b.process('server', async (p) => {
				const l = listen(p, port);
				const c = await p.accept(l, null);
				const m = new msghdr(new Uint8Array(1 << 17));
				let got = 0;
				for (let n = await p.recvmsg(c, m, 0); n > 0; n = await p.recvmsg(c, m, 0)) got += n;
				p.close(c);
				p.close(l);
				return got;
			});
			const t = nanoseconds();
			const client = a.process('client', async (p) => {
				const fd = await connect(p, port);
				const m = new msghdr(new Uint8Array(1 << 17));
				for (let sent = 0; sent < total; ) {
					const n = await p.sendmsg(fd, m, 0);
					if (n < 0) throw new Error(`send: ${n}`);
					sent += n;
				}
				p.close(fd);
			});
			const [got] = await Promise.all([server, client]);
			return (Number(got) * 8 * 1e9) / (nanoseconds() - t);
		};
		return { round };
	};
}

export const tcpGso: Bench = {
	name: 'tcp-gso',
	unit: 'bit/s',
	target: '≥ 15G',
	ok: (v) => v >= 15e9,
	rounds: 5,
	more: true,
	ours: goodput(true),
	peers: [{ name: 'iperf3-veth', side: () => linuxTcp(false) }],
};

export const tcp1500: Bench = {
	name: 'tcp-1500',
	unit: 'bit/s',
	target: '≥ 3G',
	ok: (v) => v >= 3e9,
	rounds: 5,
	more: true,
	ours: goodput(false),
	peers: [{ name: 'iperf3-veth-1500', side: () => linuxTcp(true) }],
};

const WARM = 30000;

/** Opens, with `ask` asks one byte and answers one, closes: `n` times, `at` of them at a time. */
async function churn({ a, b }: Pair, port: number, n: number, at: number, ask: boolean): Promise<void> {
	const server = b.process('server', async (p) => {
		const l = listen(p, port);
		const m = new msghdr(new Uint8Array(64));
		for (let i = 0; i < n; i++) {
			const c = await p.accept(l, null);
			if (ask) {
				if ((await p.recvmsg(c, m, 0)) !== 1) throw new Error('no request');
				await p.sendmsg(c, new msghdr(m.msg_iov.subarray(0, 1)), 0);
			}
			p.close(c);
		}
		p.close(l);
	});
	let left = n;
	const clients = Array.from({ length: at }, () =>
		a.process('client', async (p) => {
			const out = new msghdr(Uint8Array.of(63));
			const m = new msghdr(new Uint8Array(64));
			while (left-- > 0) {
				const fd = await connect(p, port);
				if (ask) {
					await p.sendmsg(fd, out, 0);
					if ((await p.recvmsg(fd, m, 0)) !== 1) throw new Error('no response');
				}
				// The server closes first, and has the TIME_WAIT.
				await p.recvmsg(fd, m, 0);
				p.close(fd);
			}
		}),
	);
	await Promise.all([server, ...clients]);
}

export const tcpChurn: Bench = {
	name: 'tcp-churn',
	unit: 'conn/s',
	target: '≥ 50k',
	ok: (v) => v >= 50e3,
	rounds: 5,
	more: true,
	ours: async (quick) => {
		const p = await pair(true);
		let port = 5000;
		const n = quick ? 10000 : 30000;
		// What V8 compiles last, it compiles after some 20,000 connections.
		await churn(p, port++, WARM, 64, false);
		const round = async (): Promise<number> => {
			const t = nanoseconds();
			await churn(p, port++, n, 64, false);
			const rate = (n * 1e9) / (nanoseconds() - t);
			// TIME_WAIT ends.
			await p.world.run('61s');
			return rate;
		};
		return { round };
	},
	peers: [],
};

export const tcpRequest: Bench = {
	name: 'tcp-request',
	unit: 'us CPU',
	target: '< 50',
	ok: (v) => v < 50,
	rounds: 5,
	more: false,
	ours: async (quick) => {
		const p = await pair(true);
		let port = 5000;
		const n = quick ? 5000 : 20000;
		await churn(p, port++, WARM, 1, true);
		const round = async (): Promise<number> => {
			const t = cpuNanoseconds();
			await churn(p, port++, n, 1, true);
			const us = (cpuNanoseconds() - t) / n / 1000;
			await p.world.run('61s');
			return us;
		};
		return { round };
	},
	peers: [],
};

const CONNECTIONS = 100000;

/** Memory of 100,000 connections, both ends. */
export async function tcpConnectionsChild(): Promise<Record<string, number>> {
	const { world, a, b } = await pair(true);
	// Four addresses: where more than half of an address's ports are taken, bind(2) looks at one after another, as on Linux.
	for (let i = 1; i <= 4; i++) await a.must(`ip addr add 10.0.1.${i}/8 dev eth0`);
	const before = heapUsed();
	const t = nanoseconds();
	let held = 0;
	const done = new Promise<void>((end) => {
		void b.process('server', async (p) => {
			const l = listen(p, 80);
			for (;;) {
				const c = await p.accept(l, null);
				if (c < 0) throw new Error(`accept: ${c}`);
				if (++held === CONNECTIONS) end();
			}
		});
		void a.process('client', async (p) => {
			for (let i = 0; i < CONNECTIONS; i++) {
				const fd = p.socket(AF_INET, SOCK_STREAM, 0);
				p.bind(fd, sockaddr_in(0x0a000101 + (i & 3), 0));
				const r = await p.connect(fd, sockaddr_in(SERVER, 80));
				if (r < 0) throw new Error(`connect ${i}: ${r}`);
			}
			await p.sleep(1e9);
		});
	});
	await done;
	const seconds = (nanoseconds() - t) / 1e9;
	const bytes = heapUsed() - before;
	void world;
	return { bytes, seconds, rss: process.memoryUsage().rss };
}

export const tcpConnections: Bench = {
	name: 'tcp-connections',
	unit: 'MB/100k',
	target: '< 1500',
	ok: (v) => v < 1500,
	rounds: 1,
	more: false,
	ours: async () => ({ round: () => inChild('tcp-connections').rss / 1e6 }),
	peers: [],
};
