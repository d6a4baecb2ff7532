/*
 * test/net/ipv4/tcp/worlds.ts: two hosts, a link and settings drawn from a seed; a connection that carries data both ways, with pauses,
 * odd sizes and options. Streams arrive whole and in order or fail with the right error, and nothing is left behind.
 */
import { type Host, World } from '../../../../src/lab/index.ts';
import type { LinkOptions } from '../../../../src/lab/link.ts';
import { Random } from '../../../../src/lib/random.ts';
import { ECONNRESET, EHOSTUNREACH, EPIPE, ETIMEDOUT } from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	MSG_MORE,
	MSG_WAITALL,
	msghdr,
	SHUT_WR,
	SO_KEEPALIVE,
	SO_RCVBUF,
	SO_SNDBUF,
	SOCK_STREAM,
	SOL_SOCKET,
	SOL_TCP,
} from '../../../../src/uapi/linux/socket.ts';
import {
	TCP_CORK,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_MAXSEG,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
} from '../../../../src/uapi/linux/tcp.ts';
import type { Process } from '../../../../src/user/libc.ts';
import { A, at, B, counter, listen, pattern, same } from './lab.ts';

export interface Outcome {
	/** What was wrong, or ''. */
	wrong: string;
	/** Everything that was drawn, to see what the seed means. */
	drawn: string;
	retrans: number;
	/** An end gave up, as it may where much is lost. */
	failed: boolean;
}

class Drawn {
	private r: Random;

	constructor(seed: number) {
		this.r = new Random(seed, 'worlds');
	}

	pick<T>(...xs: T[]): T {
		return xs[this.r.below(xs.length)];
	}

	below(n: number): number {
		return this.r.below(n);
	}

	one_in(n: number): boolean {
		return this.r.below(n) === 0;
	}
}

function draw_link(d: Drawn): Required<Omit<LinkOptions, 'loss'>> & { loss: number } {
	const delay = d.pick(0, 0.1, 5, 50);
	const offload = d.pick(true, false);
	return {
		delay,
		jitter: Math.min(delay, d.pick(0, 0, 1, 20)),
		loss: d.pick(0, 0, 0.01, 0.05, 0.15),
		duplicate: d.pick(0, 0, 0.1),
		// Where checksums are left undone nobody sees a flipped bit.
		corrupt: offload ? 0 : d.pick(0, 0, 0.02),
		rate: d.pick(0, 0, 1e6, 1e8),
		queue: d.pick(1000, 20),
		offload,
	};
}

function draw_sysctls(d: Drawn, in_order: boolean): Record<string, string | number> {
	return {
		tcp_sack: d.pick(1, 1, 0),
		tcp_timestamps: d.pick(1, 1, 0),
		tcp_window_scaling: d.pick(1, 1, 0),
		tcp_congestion_control: d.pick('cubic', 'reno', 'bbr'),
		tcp_recovery: d.pick(1, 1, 0),
		tcp_early_retrans: d.pick(3, 0),
		tcp_frto: d.pick(2, 0),
		tcp_ecn: d.pick(2, 1, 0),
		// A cookie is checked against the first segment that comes, which must be the first that was sent.
		tcp_syncookies: in_order ? d.pick(1, 1, 2) : 1,
		tcp_mtu_probing: d.pick(0, 0, 1, 2),
		tcp_autocorking: d.pick(1, 0),
		tcp_dsack: d.pick(1, 0),
		tcp_slow_start_after_idle: d.pick(1, 0),
		tcp_moderate_rcvbuf: d.pick(1, 0),
		tcp_shrink_window: d.pick(0, 0, 1),
	};
}

function draw_options(d: Drawn, p: Process, fd: number): void {
	p.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	p.setsockopt(fd, SOL_TCP, TCP_KEEPIDLE, 60);
	p.setsockopt(fd, SOL_TCP, TCP_KEEPINTVL, 5);
	p.setsockopt(fd, SOL_TCP, TCP_KEEPCNT, 3);
	if (d.one_in(4)) p.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, d.pick(2000, 10000, 1000000));
	if (d.one_in(4)) p.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, d.pick(4096, 20000, 300000));
	if (d.one_in(3)) p.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
	if (d.one_in(6)) p.setsockopt(fd, SOL_TCP, TCP_MAXSEG, d.pick(536, 1000, 200));
	if (d.one_in(8)) p.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, d.pick(1, 10000));
}

/** Writes `out` and half-closes, in a process beside the one that reads. Return: what was read, or -errno of either. */
async function exchange(d: Drawn, host: Host, p: Process, fd: number, out: Uint8Array): Promise<Uint8Array | number> {
	let done = false;
	let error = 0;
	void host.process('writer', async (q) => {
		q.task.files[fd] = p.task.files[fd];
		for (let o = 0; o < out.length; ) {
			const k = Math.min(out.length - o, 1 + d.below(d.pick(10, 2000, 200000)));
			const r = await q.sendmsg(fd, new msghdr(out.subarray(o, o + k)), d.pick(0, 0, 0, MSG_MORE));
			if (r < 0) {
				error = r;
				break;
			}
			o += r;
			if (d.one_in(20)) await q.sleep(d.below(300));
		}
		q.setsockopt(fd, SOL_TCP, TCP_CORK, 0);
		q.shutdown(fd, SHUT_WR);
		q.task.files[fd] = null;
		done = true;
	});
	const parts: Uint8Array[] = [];
	let len = 0;
	for (;;) {
		const m = new msghdr(new Uint8Array(1 + d.below(d.pick(100, 10000, 300000))));
		const k = await p.recvmsg(fd, m, d.pick(0, 0, MSG_WAITALL));
		if (k < 0) error = k;
		if (k <= 0) break;
		parts.push(m.msg_iov.subarray(0, k));
		len += k;
		if (d.one_in(30)) await p.sleep(d.below(500));
	}
	while (!done) await p.sleep(20);
	if (error < 0) return error;
	const all = new Uint8Array(len);
	let o = 0;
	for (const part of parts) {
		all.set(part, o);
		o += part.length;
	}
	return all;
}

function leftovers(h: Host): string {
	const m = h.machine.sock.tcp_memory;
	const left = {
		packets: h.machine.skb_pool.live,
		pages: m.memory_allocated,
		sockets: m.sockets_allocated,
		orphans: m.orphan_count,
		time_wait: h.machine.init_net.ipv4.tw_refcount,
		established: counter(h, 'Tcp', 'CurrEstab'),
	};
	return Object.values(left).some((v) => v !== 0) ? ` ${h.name} is left with ${JSON.stringify(left)}` : '';
}

export async function run_world(seed: number): Promise<Outcome> {
	const d = new Drawn(seed);
	const link = draw_link(d);
	const world = new World({ seed });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), link);
	await a.must(`ip addr add ${A}/24 dev eth0; ip link set eth0 up`);
	await b.must(`ip addr add ${B}/24 dev eth0; ip link set eth0 up`);
	const in_order = link.jitter === 0 && link.loss === 0 && link.corrupt === 0;
	const sysctls = [draw_sysctls(d, in_order), draw_sysctls(d, in_order)];
	for (const [i, h] of [a, b].entries()) for (const [k, v] of Object.entries(sysctls[i])) h.sysctl(`net.ipv4.${k}`, v);
	const slow = link.loss >= 0.05 || link.rate === 1e6 || link.corrupt > 0;
	const most = slow ? 100000 : 1 << 20;
	const up = pattern(Math.min(most, d.pick(0, 1, 1000, 100000, 1 << 20)), seed);
	const down = pattern(Math.min(most, d.pick(0, 1, 5000, 200000)), seed + 1);
	const drawn = JSON.stringify({ seed, link, sysctls, up: up.length, down: down.length });

	let at_b: Uint8Array | number = 0;
	let at_a: Uint8Array | number = 0;
	let refused = 0;
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		draw_options(d, p, l);
		const c = await p.accept(l, null);
		p.close(l);
		at_b = await exchange(d, b, p, c, down);
		p.close(c);
	});
	await a.process('client', async (p) => {
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		draw_options(d, p, fd);
		refused = await p.connect(fd, at(B, 80));
		if (refused === 0) at_a = await exchange(d, a, p, fd, up);
		p.close(fd);
	});
	const retrans = counter(a, 'Tcp', 'RetransSegs') + counter(b, 'Tcp', 'RetransSegs');
	// Who gives up where much is lost, does so with one of these; the other end need not have been reached at all.
	const may_fail = link.loss >= 0.05;
	if (refused < 0) {
		// ARP gives up after three requests.
		const right = (may_fail && refused === -ETIMEDOUT) || (link.loss + link.corrupt > 0 && refused === -EHOSTUNREACH);
		return { wrong: right ? '' : `connect: ${refused}`, drawn, retrans, failed: true };
	}
	await server;
	let wrong = '';
	let failed = false;
	for (const [name, got, want] of [
		['a', at_a, down],
		['b', at_b, up],
	] as [string, Uint8Array | number, Uint8Array][]) {
		if (typeof got === 'number') {
			failed = true;
			if (!may_fail || ![-ETIMEDOUT, -ECONNRESET, -EPIPE].includes(got)) wrong += ` ${name}: error ${got}`;
		} else if (!same(got, want)) wrong += ` ${name}: ${got.length} of ${want.length} bytes, or others`;
	}
	await world.run('400s');
	wrong += leftovers(a) + leftovers(b);
	return { wrong, drawn, retrans, failed };
}
