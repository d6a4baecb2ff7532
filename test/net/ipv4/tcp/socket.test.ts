/*
 * test/net/ipv4/tcp/socket.test.ts: system calls that wait: what ends the waiting, and when.
 */
import { expect, test } from 'vitest';
import { type socket, sockfd_lookup } from '../../../../src/net/socket.ts';
import {
	EAGAIN,
	ECONNREFUSED,
	ECONNRESET,
	EHOSTUNREACH,
	EINPROGRESS,
	EINTR,
	EPIPE,
	ETIMEDOUT,
} from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	MSG_DONTWAIT,
	MSG_FASTOPEN,
	MSG_PEEK,
	MSG_WAITALL,
	msghdr,
	POLLHUP,
	POLLIN,
	POLLOUT,
	SHUT_WR,
	SO_LINGER,
	SO_RCVBUF,
	SO_RCVLOWAT,
	SO_RCVTIMEO,
	SO_SNDBUF,
	SO_SNDTIMEO,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOL_SOCKET,
	SOL_TCP,
} from '../../../../src/uapi/linux/socket.ts';
import { TCP_INFO, TCP_SYNCNT } from '../../../../src/uapi/linux/tcp.ts';
import type { Process } from '../../../../src/user/libc.ts';
import {
	at,
	B,
	connect,
	counter,
	listen,
	type Pair,
	pair,
	pattern,
	recv,
	recv_all,
	recv_text,
	same,
	send,
} from './lab.ts';

function timeval(ms: number): Uint8Array {
	const b = new Uint8Array(16);
	new DataView(b.buffer).setBigInt64(0, BigInt(Math.floor(ms / 1000)), true);
	new DataView(b.buffer).setBigInt64(8, BigInt((ms % 1000) * 1000), true);
	return b;
}

/** A server that accepts one connection and does `work` with it, and a client. */
async function both(
	{ a, b }: Pair,
	server: (p: Process, fd: number) => Promise<void>,
	client: (p: Process, fd: number) => Promise<void>,
	port = 80,
): Promise<void> {
	await Promise.all([
		b.process('server', async (p) => {
			const l = listen(p, '0.0.0.0', port);
			const c = await p.accept(l, null);
			p.close(l);
			await server(p, c);
		}),
		a.process('client', async (p) => {
			await client(p, await connect(p, B, port));
		}),
	]);
}

test('MSG_WAITALL waits for all of it; SO_RCVLOWAT for so many; MSG_PEEK with it takes nothing', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			for (const part of ['abc', 'def', 'ghi', 'jkl', 'm']) {
				await p.sleep(100);
				await send(p, fd, part);
			}
			p.close(fd);
		},
		async (p, fd) => {
			const t = w.world.now;
			expect(await recv_text(p, fd, 5, MSG_WAITALL | MSG_PEEK)).toBe('abcde');
			expect(w.world.now - t).toBeCloseTo(200, 0);
			expect(await recv_text(p, fd, 5, MSG_WAITALL)).toBe('abcde');
			p.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, 4);
			// 'f' was there, three more are no wake-up, the next three are (as Linux does).
			expect(await recv_text(p, fd)).toBe('fghijkl');
			expect(w.world.now - t).toBeCloseTo(400, 0);
			// The end comes first.
			expect(await recv_text(p, fd, 100, MSG_WAITALL)).toBe('m');
			expect(await recv_text(p, fd)).toBe('');
		},
	);
});

test('a send waits until all is taken; a full buffer ends a send that may not wait', async () => {
	const w = await pair();
	const data = pattern(500000);
	await both(
		w,
		async (p, fd) => {
			await p.sleep(1000);
			expect(same(await recv_all(p, fd), data)).toBe(true);
			p.close(fd);
		},
		async (p, fd) => {
			p.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, 20000);
			const first = await send(p, fd, data, MSG_DONTWAIT);
			expect(first).toBeGreaterThan(0);
			expect(first).toBeLessThan(data.length);
			expect(await send(p, fd, data.subarray(first), MSG_DONTWAIT)).toBe(-EAGAIN);
			const t = w.world.now;
			expect(await send(p, fd, data.subarray(first))).toBe(data.length - first);
			expect(w.world.now - t).toBeGreaterThan(900);
			p.close(fd);
		},
	);
});

test('SO_RCVTIMEO and SO_SNDTIMEO end the waiting: with what there is, else EAGAIN; connect with EINPROGRESS', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			await send(p, fd, 'abc');
			await p.sleep(3000);
			p.close(fd);
		},
		async (p, fd) => {
			p.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval(500));
			let t = w.world.now;
			expect(await recv_text(p, fd, 10, MSG_WAITALL)).toBe('abc');
			expect(w.world.now - t).toBeCloseTo(500, -1);
			t = w.world.now;
			expect(await recv(p, fd)).toBe(-EAGAIN);
			expect(w.world.now - t).toBeCloseTo(500, -1);
			p.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval(100));
			const sent = await send(p, fd, pattern(8000000));
			expect(sent).toBeGreaterThan(0);
			expect(sent).toBeLessThan(8000000);
			expect(await send(p, fd, 'x')).toBe(-EAGAIN);
			p.close(fd);
		},
	);
	await w.b.must('ip link set eth0 down');
	await w.a.process('client', async (p) => {
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		p.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval(200));
		const t = w.world.now;
		expect(await p.connect(fd, at(B, 80))).toBe(-EINPROGRESS);
		expect(w.world.now - t).toBeCloseTo(200, -1);
	});
});

test('a connect to a host that does not answer ends as TCP_SYNCNT says, one that is not there as ARP says', async () => {
	const w = await pair();
	await w.b.must('iptables -A INPUT -p tcp -j DROP');
	await w.a.process('client', async (p) => {
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		p.setsockopt(fd, SOL_TCP, TCP_SYNCNT, 2);
		let t = w.world.now;
		expect(await p.connect(fd, at(B, 80))).toBe(-ETIMEDOUT);
		// 1 + 2 + 4 s, in which five go out, a second apart (tcp_syn_linear_timeouts).
		expect(w.world.now - t).toBe(7000);
		expect(counter(w.a, 'Tcp', 'RetransSegs')).toBe(5);
		t = w.world.now;
		expect(await connect(p, '10.0.0.77', 80)).toBe(-EHOSTUNREACH);
		expect(w.world.now - t).toBeGreaterThan(2000);
	});
});

test('a signal ends the waiting', async () => {
	const w = await pair();
	await w.b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const q = p.fork('alarm');
		void q.sleep(100).then(() => {
			p.interrupt();
			q.exit();
		});
		expect(await p.accept(l, null)).toBe(-EINTR);
	});
});

test('of several that accept, one wakes for each connection', async () => {
	const w = await pair();
	const woken: number[] = [];
	let l = -1;
	const servers = [0, 1, 2].map((i) =>
		w.b.process(`server${i}`, async (p) => {
			if (i === 0) l = listen(p, '0.0.0.0', 80);
			else await p.sleep(1);
			const fd = i === 0 ? l : 50;
			for (const t of w.b.machine.tasks) if (i > 0 && t.comm === 'server0') p.task.files[fd] = t.files[l];
			const c = await p.accept(fd, null);
			expect(c).toBeGreaterThan(0);
			woken.push(i);
			if (i > 0) p.task.files[fd] = null;
			// The first stays until all have accepted: it holds the listener.
			await p.sleep(5000);
			p.close(c);
		}),
	);
	await w.a.process('client', async (p) => {
		await p.sleep(100);
		for (let i = 0; i < 3; i++) {
			expect(await connect(p, B, 80)).toBeGreaterThan(0);
			await p.sleep(100);
			expect(woken).toEqual([0, 1, 2].slice(0, i + 1));
		}
	});
	await Promise.all(servers);
});

test('close lingers until the peer has everything, or the time is over', async () => {
	const w = await pair({ delay: 50 });
	await both(
		w,
		async (p, fd) => {
			await recv_all(p, fd);
			p.close(fd);
		},
		async (p, fd) => {
			p.setsockopt(fd, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0));
			await send(p, fd, pattern(10000));
			const t = w.world.now;
			expect(await p.close_linger(fd)).toBe(0);
			// There and back.
			expect(w.world.now - t).toBeCloseTo(100, -1);
		},
	);
	await both(
		w,
		async (p, fd) => {
			await w.b.must('iptables -A INPUT -p tcp -j DROP');
			await p.sleep(4000);
			await w.b.must('iptables -F INPUT');
			expect(same(await recv_all(p, fd), pattern(10000))).toBe(true);
			p.close(fd);
		},
		async (p, fd) => {
			p.setsockopt(fd, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0));
			await p.sleep(10);
			await send(p, fd, pattern(10000));
			const t = w.world.now;
			expect(await p.close_linger(fd)).toBe(0);
			expect(w.world.now - t).toBeCloseTo(2000, -1);
			await p.sleep(10000);
		},
		81,
	);
});

test('what was sent before a reset is gone, an error is told once, then EPIPE', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			await p.sleep(10);
			// Unread data: a reset.
			p.close(fd);
		},
		async (p, fd) => {
			await send(p, fd, 'hello');
			await p.sleep(100);
			expect(await recv(p, fd)).toBe(-ECONNRESET);
			expect(await recv_text(p, fd)).toBe('');
			expect(await send(p, fd, 'x')).toBe(-EPIPE);
			p.close(fd);
		},
	);
});

test('poll wakes for data, for room, for the end', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			await p.sleep(100);
			await send(p, fd, 'x');
			await p.sleep(100);
			expect(((await recv_all(p, fd)) as Uint8Array).length).toBeGreaterThan(10000);
			p.close(fd);
		},
		async (p, fd) => {
			const poll = async (events: number, timeout: number): Promise<number> => {
				const fds = [{ fd, events, revents: 0 }];
				await p.poll(fds, timeout);
				return fds[0].revents;
			};
			expect(await poll(POLLIN, 10)).toBe(0);
			expect(await poll(POLLIN, -1)).toBe(POLLIN);
			expect(await recv_text(p, fd)).toBe('x');
			while ((await send(p, fd, pattern(65536), MSG_DONTWAIT)) > 0);
			expect(await poll(POLLOUT, 0)).toBe(0);
			expect(await poll(POLLOUT, -1)).toBe(POLLOUT);
			p.shutdown(fd, SHUT_WR);
			expect(await poll(POLLIN, -1)).toBe(POLLIN | POLLHUP);
			p.close(fd);
		},
	);
});

test('Fast Open: the cookie is fetched with the first connection, data go with the SYN of the second', async () => {
	const w = await pair({ delay: 50 });
	w.b.sysctl('net.ipv4.tcp_fastopen', 3);
	const server = w.b.process('server', async (p) => {
		const l = p.socket(AF_INET, SOCK_STREAM, 0);
		p.bind(l, at('0.0.0.0', 80));
		p.setsockopt(l, SOL_TCP, 23, 5);
		p.listen(l, 5);
		for (let i = 0; i < 2; i++) {
			const c = await p.accept(l, null);
			expect(await recv_text(p, c)).toBe(`hello ${i}`);
			await send(p, c, 'there');
			p.close(c);
		}
		p.close(l);
	});
	await w.a.process('client', async (p) => {
		// The neighbours know each other.
		expect(await connect(p, B, 81)).toBe(-ECONNREFUSED);
		for (let i = 0; i < 2; i++) {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			const t = w.world.now;
			const m = new msghdr(new TextEncoder().encode(`hello ${i}`), at(B, 80));
			expect(await p.sendmsg(fd, m, MSG_FASTOPEN)).toBe(7);
			expect(await recv_text(p, fd)).toBe('there');
			// A round trip less.
			expect(w.world.now - t).toBeCloseTo(i === 0 ? 200 : 100, 0);
			const info = new Uint8Array(280);
			p.getsockopt(fd, SOL_TCP, TCP_INFO, info);
			// TCPI_OPT_SYN_DATA
			expect(info[5] & 32).toBe(i === 0 ? 0 : 32);
			p.close(fd);
		}
		// Nobody takes it: the error of the connection.
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		expect(await p.sendmsg(fd, new msghdr(new Uint8Array(5), at(B, 81)), MSG_FASTOPEN)).toBe(-ECONNREFUSED);
	});
	await server;
	expect(counter(w.a, 'TcpExt', 'TCPFastOpenActive')).toBe(1);
	expect(counter(w.b, 'TcpExt', 'TCPFastOpenPassive')).toBe(1);
});

test("who waits to write while connecting sends the handshake's ACK with the data", async () => {
	const w = await pair({ delay: 50 });
	await Promise.all([
		w.b.process('server', async (p) => {
			const l = listen(p, '0.0.0.0', 80);
			const c = await p.accept(l, null);
			expect(await recv_text(p, c)).toBe('hi');
			p.close(c);
		}),
		w.a.process('client', async (p) => {
			const fd = p.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			expect(await p.connect(fd, at(B, 80))).toBe(-EINPROGRESS);
			(sockfd_lookup(p.task, fd) as socket).nonblock = false;
			expect(await send(p, fd, 'hi')).toBe(2);
			await p.sleep(200);
			// SYN and data; the FIN that came is not acknowledged yet.
			expect(counter(w.a, 'Tcp', 'OutSegs')).toBe(3);
			p.close(fd);
		}),
	]);
});

test('little memory: buffers shrink, minimums stay, everything arrives and the pressure ends', async () => {
	const w = await pair();
	for (const h of [w.a, w.b]) h.sysctl('net.ipv4.tcp_mem', '20 40 60');
	const data = pattern(300000);
	const jobs: Promise<void>[] = [];
	jobs.push(
		w.b.process('server', async (p) => {
			const l = listen(p, '0.0.0.0', 80);
			const fds: number[] = [];
			for (let i = 0; i < 8; i++) fds.push(await p.accept(l, null));
			await p.sleep(2000);
			for (const fd of fds) {
				expect(same(await recv_all(p, fd), data)).toBe(true);
				p.close(fd);
			}
			p.close(l);
		}),
	);
	for (let i = 0; i < 8; i++) {
		jobs.push(
			w.a.process('client', async (p) => {
				const fd = await connect(p, B, 80);
				expect(await send(p, fd, data)).toBe(data.length);
				// A close now could be a reset: orphans get no memory.
				p.shutdown(fd, SHUT_WR);
				expect(await recv_text(p, fd)).toBe('');
				p.close(fd);
			}),
		);
	}
	await w.world.run('1s');
	const m = w.a.machine.sock.tcp_memory;
	expect(m.memory_pressure).not.toBe(0);
	expect(m.memory_allocated).toBeLessThan(100);
	await Promise.all(jobs);
	await w.world.run('130s');
	for (const h of [w.a, w.b]) {
		expect(h.machine.sock.tcp_memory.memory_allocated).toBe(0);
		expect(h.machine.skb_pool.live).toBe(0);
	}
	expect(counter(w.a, 'TcpExt', 'TCPMemoryPressures')).toBeGreaterThan(0);
});

test('TCP_REPAIR: a connection is taken out of one socket and goes on in another', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			expect(await recv_text(p, fd)).toBe('before');
			await send(p, fd, 'unread');
			expect(await recv_text(p, fd, 5, MSG_WAITALL)).toBe('after');
			await send(p, fd, 'bye');
			p.close(fd);
		},
		async (p, fd) => {
			const int = (f: number, opt: number): number => {
				const b = new Uint8Array(4);
				expect(p.getsockopt(f, SOL_TCP, opt, b)).toBe(4);
				return new DataView(b.buffer).getInt32(0, true);
			};
			await send(p, fd, 'before');
			await p.sleep(100);
			const own = at('0.0.0.0', 0);
			p.getsockname(fd, own);
			expect(p.setsockopt(fd, SOL_TCP, 19, 1)).toBe(0);
			const seq: number[] = [];
			for (const q of [1, 2]) {
				p.setsockopt(fd, SOL_TCP, 20, q);
				seq.push(int(fd, 21));
			}
			p.setsockopt(fd, SOL_TCP, 20, 1);
			const queued = await recv_text(p, fd, 100, MSG_PEEK);
			expect(queued).toBe('unread');
			const window = new Uint8Array(20);
			expect(p.getsockopt(fd, SOL_TCP, 29, window)).toBe(20);
			const info = new Uint8Array(280);
			p.getsockopt(fd, SOL_TCP, TCP_INFO, info);
			const stamp = int(fd, 24);
			// Closed silently.
			p.close(fd);

			const s = p.socket(AF_INET, SOCK_STREAM, 0);
			expect(p.setsockopt(s, SOL_TCP, 19, 1)).toBe(0);
			expect(p.bind(s, own)).toBe(0);
			p.setsockopt(s, SOL_TCP, 20, 2);
			expect(p.setsockopt(s, SOL_TCP, 21, seq[1])).toBe(0);
			p.setsockopt(s, SOL_TCP, 20, 1);
			expect(p.setsockopt(s, SOL_TCP, 21, seq[0] - queued!.toString().length)).toBe(0);
			expect(await p.connect(s, at(B, 80))).toBe(0);
			const opt = (code: number, val: number): Uint8Array => {
				const b = new Uint8Array(8);
				new DataView(b.buffer).setUint32(0, code, true);
				new DataView(b.buffer).setUint32(4, val, true);
				return b;
			};
			expect(p.setsockopt(s, SOL_TCP, 22, opt(2, 1460))).toBe(0);
			expect(p.setsockopt(s, SOL_TCP, 22, opt(3, (info[6] & 15) | ((info[6] >> 4) << 16)))).toBe(0);
			expect(p.setsockopt(s, SOL_TCP, 22, opt(4, 0))).toBe(0);
			expect(p.setsockopt(s, SOL_TCP, 22, opt(8, 0))).toBe(0);
			expect(p.setsockopt(s, SOL_TCP, 24, stamp)).toBe(0);
			p.setsockopt(s, SOL_TCP, 20, 1);
			expect(await send(p, s, queued as string)).toBe(6);
			expect(p.setsockopt(s, SOL_TCP, 29, window)).toBe(0);
			expect(p.setsockopt(s, SOL_TCP, 19, 0)).toBe(0);
			expect(await recv_text(p, s)).toBe('unread');
			expect(await send(p, s, 'after')).toBe(5);
			expect(await recv_text(p, s)).toBe('bye');
			expect(await recv_text(p, s)).toBe('');
			p.close(s);
		},
	);
	expect(counter(w.b, 'Tcp', 'OutRsts') + counter(w.a, 'Tcp', 'OutRsts')).toBe(0);
});

test('a receive buffer that a process sets stays, and no more than it arrives unread', async () => {
	const w = await pair();
	await both(
		w,
		async (p, fd) => {
			p.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 10000);
			await p.sleep(2000);
			const b = new Uint8Array(4);
			p.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, b);
			expect(new DataView(b.buffer).getInt32(0, true)).toBe(20000);
			const s = w.b.machine.sock.tcp_memory;
			expect(s.memory_allocated).toBeLessThan(40);
			expect(same(await recv_all(p, fd), pattern(300000))).toBe(true);
			p.close(fd);
		},
		async (p, fd) => {
			expect(await send(p, fd, pattern(300000))).toBe(300000);
			p.close(fd);
		},
	);
});
