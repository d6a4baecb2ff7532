/*
 * bench/tap.ts: TCP between a host of linnet and the real kernel, through a TAP: goodput each way, beside slirp4netns (a user-space TCP on a TAP,
 * in C); and over a link that loses, beside two real kernels that are joined by the same link of ours.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { type Host, World } from '../src/lab/index.ts';
import type { FdCable } from '../src/outside/fd_cable.ts';
import { openTap } from '../src/outside/tap.ts';
import { AF_INET, msghdr, SOCK_STREAM, sockaddr_in } from '../src/uapi/linux/socket.ts';
import type { Process } from '../src/user/libc.ts';
import { type Bench, nanoseconds, type Side } from './bench.ts';

const SECONDS = 1.5;
const PEER = `${import.meta.dirname}/tap-peer.py`;

function sh(script: string): string {
	return execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}

let serial = 0;

/** Namespaces that go when the bench ends. */
class Spaces {
	readonly names: string[];
	private children: ChildProcess[] = [];

	constructor(n: number) {
		const id = `lnt${process.pid}x${serial++}`;
		this.names = Array.from({ length: n }, (_, i) => `${id}${'abc'[i]}`);
		for (const n of this.names) sh(`ip netns add ${n}; ip -n ${n} link set lo up`);
	}

	/** A program in the i-th; `ready` when it has printed its first line. */
	run(i: number, argv: string[]): { ready: Promise<void>; done: Promise<string> } {
		const child = spawn('ip', ['netns', 'exec', this.names[i], ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
		this.children.push(child);
		let text = '';
		let saw: () => void = () => {};
		const ready = new Promise<void>((r) => {
			saw = r;
		});
		child.stdout.on('data', (b: Buffer) => {
			text += b.toString();
			saw();
		});
		return { ready, done: new Promise((r) => child.on('close', () => r(text))) };
	}

	/** The python peer. */
	peer(i: number, ...words: string[]): { ready: Promise<void>; done: Promise<string> } {
		return this.run(i, ['python3', PEER, ...words]);
	}

	close(): void {
		for (const c of this.children) c.kill('SIGKILL');
		for (const n of this.names) {
			try {
				sh(`ip netns pids ${n} | xargs -r kill -9 2>/dev/null; ip netns del ${n}`);
			} catch {}
		}
	}
}

/** Bits a second of what the peer printed. */
function rate(text: string): number {
	const [bytes, seconds] = text.trim().split('\n').pop()!.split(' ').map(Number);
	return (bytes * 8) / seconds;
}

function able(): boolean {
	return process.platform === 'linux' && process.getuid?.() === 0;
}

async function connectFrom(p: Process, port: number): Promise<number> {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	const r = await p.connect(fd, sockaddr_in(0x0a090001, port));
	if (r < 0) throw new Error(`connect: ${r}`);
	return fd;
}

/** Sends for so many ns, then closes. */
async function source(host: Host, port: number, ns: number): Promise<void> {
	await host.process('source', async (p) => {
		const fd = await connectFrom(p, port);
		const m = new msghdr(new Uint8Array(1 << 18));
		const end = nanoseconds() + ns;
		while (nanoseconds() < end) {
			const n = await p.sendmsg(fd, m, 0);
			if (n < 0) throw new Error(`send: ${n}`);
		}
		p.close(fd);
	});
}

/** Reads to the end. Return: bits a second. */
async function sink(host: Host, port: number): Promise<number> {
	return host.process('sink', async (p) => {
		const fd = await connectFrom(p, port);
		const m = new msghdr(new Uint8Array(1 << 18));
		let total = await p.recvmsg(fd, m, 0);
		const t = nanoseconds();
		for (let n = total; n > 0; n = await p.recvmsg(fd, m, 0)) total += n;
		const ns = nanoseconds() - t;
		p.close(fd);
		return (total * 8e9) / ns;
	});
}

/** A host of linnet on a TAP in a namespace of the real kernel. */
async function onTap(): Promise<{ host: Host; tap: FdCable; spaces: Spaces }> {
	const spaces = new Spaces(1);
	const world = new World({ pace: 1 });
	const host = world.host('h');
	const tap = openTap(world, 'tap0', { netns: spaces.names[0] });
	sh(`ip -n ${spaces.names[0]} addr add 10.9.0.1/24 dev tap0; ip -n ${spaces.names[0]} link set tap0 up`);
	tap.plugInto(host.nic('eth0'));
	await host.must('ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up');
	return { host, tap, spaces };
}

async function ours(up: boolean): Promise<Side> {
	if (!able()) throw new Error('root and Linux are needed: a TAP is made');
	const { host, tap, spaces } = await onTap();
	let port = 5000;
	const round = async (): Promise<number> => {
		port++;
		if (up) {
			const peer = spaces.peer(0, 'listen', String(port), 'sink');
			await peer.ready;
			await source(host, port, SECONDS * 1e9);
			return rate(await peer.done);
		}
		const peer = spaces.peer(0, 'listen', String(port), 'source', String(SECONDS));
		await peer.ready;
		return sink(host, port);
	};
	return {
		round,
		close: () => {
			tap.close();
			spaces.close();
		},
	};
}

/** The same through slirp4netns: its namespace's kernel, a TAP, slirp's own TCP, sockets of the other namespace. */
async function slirp(up: boolean): Promise<Side | null> {
	if (!able()) return null;
	try {
		sh('command -v slirp4netns');
	} catch {
		return null;
	}
	const spaces = new Spaces(2);
	void spaces.run(1, [
		'slirp4netns',
		'--configure',
		'--mtu=65520',
		'--netns-type=path',
		`/run/netns/${spaces.names[0]}`,
		'tap0',
	]);
	await new Promise((r) => setTimeout(r, 700));
	let port = 6000;
	const round = async (): Promise<number> => {
		port++;
		const outer = spaces.peer(1, 'listen', String(port), ...(up ? ['sink'] : ['source', String(SECONDS)]));
		await outer.ready;
		const inner = spaces.peer(0, 'connect', '10.0.2.2', String(port), ...(up ? ['source', String(SECONDS)] : ['sink']));
		const [o, i] = await Promise.all([outer.done, inner.done]);
		return rate(up ? o : i);
	};
	return { round, close: () => spaces.close() };
}

function bench(up: boolean): Bench {
	return {
		name: up ? 'tap-up' : 'tap-down',
		unit: 'bit/s',
		target: '≥ 3G',
		ok: (v) => v >= 3e9,
		rounds: 5,
		more: true,
		ours: () => ours(up),
		peers: [{ name: 'slirp4netns', side: () => slirp(up) }],
	};
}

/** linnet sends, the real kernel receives. */
export const tapUp: Bench = bench(true);
/** The real kernel sends, linnet receives. */
export const tapDown: Bench = bench(false);

/** 2 % of frames are lost in each direction, and 50 ms pass there and back. */
const LOSSY = { delay: 25, loss: 0.02 };
/** Flows at a time: they do not disturb each other (the link has no rate), and one alone would be a matter of luck. */
const FLOWS = 32;
const LOSS_SECONDS = 10;
/** What a new connection's first seconds have is not looked at. */
const LOSS_OMIT = 2;

/** What the kernels' packets take there and back, in ms: threads have to be woken on their way. Ours take as long. */
let roundTrip = 2 * LOSSY.delay;

/** Two hosts of linnet over the link, in virtual time. */
async function oursLossy(): Promise<Side> {
	let seed = 1;
	const round = async (): Promise<number> => {
		const world = new World({ seed: seed++ });
		const a = world.host('a');
		const b = world.host('b');
		world.link(a.nic('eth0'), b.nic('eth0'), { ...LOSSY, delay: roundTrip / 2 });
		await b.must('ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up');
		await a.must('ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up');
		const begin = world.clock.now + LOSS_OMIT * 1e9;
		const end = begin + LOSS_SECONDS * 1e9;
		let total = 0;
		const ends: Promise<void>[] = [];
		for (let i = 0; i < FLOWS; i++) {
			ends.push(
				b.process('sink', async (p) => {
					const l = p.socket(AF_INET, SOCK_STREAM, 0);
					p.bind(l, sockaddr_in(0, 5001 + i));
					p.listen(l, 1);
					const c = await p.accept(l, null);
					const m = new msghdr(new Uint8Array(1 << 17));
					while (world.clock.now < end) {
						const n = await p.recvmsg(c, m, 0);
						if (n <= 0) throw new Error(`recv: ${n}`);
						if (world.clock.now >= begin && world.clock.now < end) total += n;
					}
					p.close(c);
				}),
				a.process('source', async (p) => {
					const fd = await connectFrom(p, 5001 + i);
					const m = new msghdr(new Uint8Array(1 << 17));
					while (world.clock.now < end) if ((await p.sendmsg(fd, m, 0)) < 0) break;
					p.close(fd);
				}),
			);
		}
		await Promise.all(ends);
		return (total * 8) / LOSS_SECONDS / FLOWS;
	};
	return { round };
}

/** Two real kernels, a TAP each, and the same link between them. iperf3 says what arrived. */
async function kernelsLossy(): Promise<Side | null> {
	if (!able()) return null;
	try {
		sh('command -v iperf3');
	} catch {
		return null;
	}
	const spaces = new Spaces(2);
	const [a, b] = spaces.names;
	const world = new World({ pace: 1, seed: 7 });
	const taps = [a, b].map((netns) => openTap(world, 'tap0', { netns, offload: false }));
	world.link(taps[0], taps[1], LOSSY);
	sh(`
		ip -n ${a} addr add 10.9.0.2/24 dev tap0; ip -n ${a} link set tap0 up
		ip -n ${b} addr add 10.9.0.1/24 dev tap0; ip -n ${b} link set tap0 up
		for n in ${a} ${b}; do ip netns exec $n sysctl -qw net.ipv4.tcp_congestion_control=cubic; done
	`);
	void spaces.run(1, ['iperf3', '-s']);
	await new Promise((r) => setTimeout(r, 300));
	const ping = await spaces.run(0, ['ping', '-q', '-c', '20', '-i', '0.1', '10.9.0.1']).done;
	roundTrip = Number(/= [\d.]+\/([\d.]+)/.exec(ping)?.[1] ?? roundTrip);
	const round = async (): Promise<number> => {
		const words = `-c 10.9.0.1 -J -C cubic -P ${FLOWS} -t ${LOSS_SECONDS} -O ${LOSS_OMIT}`.split(' ');
		let error = '';
		// iperf3's own messages are lost, too: it gives up now and then.
		for (let tries = 0; tries < 4; tries++) {
			const text = await spaces.run(0, ['iperf3', ...words]).done;
			const r = JSON.parse(text) as { end: { sum_received?: { bits_per_second: number } }; error?: string };
			if (r.end.sum_received !== undefined) return r.end.sum_received.bits_per_second / FLOWS;
			error = r.error ?? 'no result';
			await new Promise((done) => setTimeout(done, 2000));
		}
		throw new Error(`iperf3: ${error}`);
	};
	return {
		round,
		close: () => {
			for (const t of taps) t.close();
			spaces.close();
		},
	};
}

export const tcpLoss: Bench = {
	name: 'tcp-loss',
	unit: 'bit/s',
	target: '≥ 0.9×',
	ok: () => true,
	rounds: 5,
	more: true,
	ours: oursLossy,
	peers: [{ name: 'linux-taps', side: kernelsLossy }],
	note: () => `both with a round trip of ${roundTrip} ms`,
};
