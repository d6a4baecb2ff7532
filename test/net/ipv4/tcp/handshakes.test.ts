/*
 * test/net/ipv4/tcp/handshakes.test.ts: SYN cookies, Fast Open, signatures: two hosts, end to end, and forgeries.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from '../../../../src/lab/index.ts';
import { csum_partial, csum_tcpudp_magic } from '../../../../src/lib/checksum.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { cookie_init_timestamp, cookie_timestamp_decode } from '../../../../src/net/ipv4/syncookies.ts';
import { tcp_md5sig_option, tcp4_request_sock_ops } from '../../../../src/net/ipv4/tcp_ipv4.ts';
import { tcp_options_received, tcp_request_sock } from '../../../../src/net/ipv4/tcp_sock.ts';
import { ETIMEDOUT } from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	IPPROTO_RAW,
	MSG_FASTOPEN,
	msghdr,
	SOCK_RAW,
	SOCK_STREAM,
} from '../../../../src/uapi/linux/socket.ts';
import { TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_MD5SIG } from '../../../../src/uapi/linux/tcp.ts';
import { A, at, B, connect, counter, listen, pair, pattern, recv_all, recv_text, same, send } from './lab.ts';

const IPPROTO_TCP = 6;

function int32(v: number): Uint8Array {
	return new Uint8Array([v, v >>> 8, v >>> 16, v >>> 24]);
}

function md5key(addr: string, key: string): Uint8Array {
	const b = new Uint8Array(216);
	b[0] = AF_INET;
	b.set(addr.split('.').map(Number), 4);
	b[130] = key.length;
	b.set(new TextEncoder().encode(key), 136);
	return b;
}

test('cookies: what the time stamp carries comes back', () => {
	const m = new World({ seed: 1 }).host('h').machine;
	fc.assert(
		fc.property(
			fc.nat(14),
			fc.boolean(),
			fc.boolean(),
			fc.boolean(),
			fc.nat(2 ** 31 - 1),
			(scale, wscale_ok, sack_ok, ecn_ok, ms) => {
				const req = new tcp_request_sock(m.init_net, null, tcp4_request_sock_ops);
				Object.assign(req, { snd_wscale: scale, wscale_ok, sack_ok, ecn_ok });
				const now = ms * 1e6 + 123;
				const ns = cookie_init_timestamp(req, now);
				expect(ns).toBeLessThanOrEqual(now);
				expect(now - ns).toBeLessThan(128e6);
				const opt = new tcp_options_received();
				opt.saw_tstamp = true;
				opt.rcv_tsecr = Math.floor(ns / 1e6) | 0;
				expect(cookie_timestamp_decode(m.init_net, opt)).toBe(true);
				expect(opt.wscale_ok).toBe(wscale_ok);
				if (wscale_ok) expect(opt.snd_wscale).toBe(scale);
				expect(opt.sack_ok !== 0).toBe(sack_ok);
				expect((opt.rcv_tsecr & 32) !== 0).toBe(ecn_ok);
			},
		),
	);
});

test('cookies: a connection by one works with all its options, and data flow', async () => {
	const { world, a, b } = await pair();
	await b.must('sysctl -qw net.ipv4.tcp_syncookies=2');
	const data = pattern(300000);
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const c = await p.accept(l, null);
		expect(same(await recv_all(p, c), data)).toBe(true);
		await send(p, c, 'thanks');
		p.close(c);
		p.close(l);
	});
	await a.process('client', async (p) => {
		const fd = await connect(p, B, 80);
		expect((await a.sh('ss -tinoH')).stdout).toMatch(/ts sack cubic wscale:10,10/);
		expect((await b.sh('ss -tinoH')).stdout).toMatch(/ts sack cubic wscale:10,10/);
		await send(p, fd, data);
		p.shutdown(fd, 1);
		expect(await recv_text(p, fd)).toBe('thanks');
		p.close(fd);
	});
	await server;
	expect(counter(b, 'TcpExt', 'SyncookiesSent')).toBe(1);
	expect(counter(b, 'TcpExt', 'SyncookiesRecv')).toBe(1);
	expect(counter(b, 'TcpExt', 'SyncookiesFailed')).toBe(0);
	await world.run('70s');
	expect(b.machine.skb_pool.live).toBe(0);
});

test('Fast Open: asks for a cookie, then sends data in the SYN; TCP_FASTOPEN_CONNECT, MSG_FASTOPEN', async () => {
	const { world, a, b } = await pair();
	await b.must('sysctl -qw net.ipv4.tcp_fastopen=3');
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		expect(p.setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, int32(16))).toBe(0);
		for (let i = 0; i < 3; i++) {
			const c = await p.accept(l, null);
			const text = await recv_text(p, c);
			await send(p, c, `${text}!`);
			p.close(c);
		}
		p.close(l);
	});
	await a.process('client', async (p) => {
		for (let i = 0; i < 3; i++) {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			const before = world.now;
			if (i === 2) {
				const msg = new msghdr(new TextEncoder().encode(`hello${i}`));
				msg.msg_name = at(B, 80);
				expect(await p.sendmsg(fd, msg, MSG_FASTOPEN)).toBe(6);
			} else {
				expect(p.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, int32(1))).toBe(0);
				expect(await p.connect(fd, at(B, 80))).toBe(0);
				expect(await send(p, fd, `hello${i}`)).toBe(6);
			}
			expect(await recv_text(p, fd)).toBe(`hello${i}!`);
			expect(world.now).toBeGreaterThanOrEqual(before);
			p.close(fd);
		}
	});
	await server;
	expect(counter(b, 'TcpExt', 'TCPFastOpenCookieReqd')).toBe(1);
	expect(counter(b, 'TcpExt', 'TCPFastOpenPassive')).toBe(2);
	expect(counter(a, 'TcpExt', 'TCPFastOpenActive')).toBe(2);
	await world.run('70s');
	for (const h of [a, b]) {
		expect(h.machine.skb_pool.live).toBe(0);
		expect(h.machine.sock.tcp_memory.sockets_allocated).toBe(0);
	}
});

test('MD5: with the same key two hosts talk; with another, or none on one side, they do not', async () => {
	const { world, a, b } = await pair();
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 179);
		expect(p.setsockopt(l, IPPROTO_TCP, TCP_MD5SIG, md5key(A, 'secret'))).toBe(0);
		const c = await p.accept(l, null);
		const data = await recv_all(p, c);
		expect(same(data, pattern(100000))).toBe(true);
		p.close(c);
		await p.sleep(1000);
		p.close(l);
	});
	await a.process('client', async (p) => {
		for (const key of ['', 'wrong', 'secret']) {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			if (key !== '') p.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, md5key(B, key));
			p.setsockopt(fd, IPPROTO_TCP, 7, int32(1));
			const r = await p.connect(fd, at(B, 179));
			expect(r).toBe(key === 'secret' ? 0 : -ETIMEDOUT);
			if (r === 0) expect(await send(p, fd, pattern(100000))).toBe(100000);
			p.close(fd);
		}
	});
	await server;
	expect(counter(b, 'TcpExt', 'TCPMD5NotFound')).toBeGreaterThan(0);
	expect(counter(b, 'TcpExt', 'TCPMD5Failure')).toBeGreaterThan(0);
	expect(counter(a, 'TcpExt', 'TCPMD5Unexpected')).toBe(0);
	await world.run('70s');
	expect(a.machine.init_net.ipv4.tw_refcount).toBe(0);
});

test('MD5: where the option is, in any header', () => {
	fc.assert(
		fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), fc.integer({ min: 5, max: 15 }), (b, doff) => {
			b[12] = doff << 4;
			const at = tcp_md5sig_option(b, 0);
			expect(at === -1 || at === -2 || (at >= 22 && at + 16 <= doff * 4)).toBe(true);
		}),
		{ numRuns: 2000 },
	);
});

test('both ends open at once (RFC 9293 3.5): one connection', async () => {
	const { world, a, b } = await pair({ delay: 10 });
	const side = (h: typeof a, peer: string): Promise<void> =>
		h.process('p', async (p) => {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			expect(p.bind(fd, at('0.0.0.0', 7000))).toBe(0);
			expect(await p.connect(fd, at(peer, 7000))).toBe(0);
			expect(await send(p, fd, h.machine.name)).toBe(1);
			expect(await recv_text(p, fd)).toBe(h.machine.name === 'a' ? 'b' : 'a');
			p.close(fd);
		});
	await Promise.all([side(a, B), side(b, A)]);
	expect(counter(a, 'Tcp', 'ActiveOpens') + counter(b, 'Tcp', 'ActiveOpens')).toBe(2);
	expect(counter(a, 'Tcp', 'PassiveOpens') + counter(b, 'Tcp', 'PassiveOpens')).toBe(0);
	await world.run('130s');
	for (const h of [a, b]) expect(h.machine.init_net.ipv4.tcp_hashinfo.ehash_count).toBe(0);
});

function syn(from: string, to: string, sport: number): Uint8Array {
	const b = new Uint8Array(40);
	const v = new DataView(b.buffer);
	b.set([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IPPROTO_TCP]);
	v.setUint32(12, ip_pton(from));
	v.setUint32(16, ip_pton(to));
	v.setUint16(20, sport);
	v.setUint16(22, 80);
	v.setUint32(24, sport * 1000);
	b[32] = 0x50;
	b[33] = 2;
	v.setUint16(34, 1000);
	v.setUint16(36, csum_tcpudp_magic(ip_pton(from), ip_pton(to), 20, IPPROTO_TCP, csum_partial(b, 20, 20, 0)));
	return b;
}

test('a SYN flood: with cookies a friend still gets in; memory stays bounded', async () => {
	const { world, a, b } = await pair();
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80, 16);
		const c = await p.accept(l, null);
		expect(await recv_text(p, c)).toBe('friend');
		p.close(c);
		p.close(l);
	});
	const h = b.machine.init_net.ipv4.tcp_hashinfo;
	await a.process('flood', async (p) => {
		const fd = p.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
		for (let i = 0; i < 400; i++) {
			const r = await p.sendmsg(fd, new msghdr(syn(`10.0.0.${(i % 200) + 20}`, B, 1000 + i), at(B, 0)));
			expect(r).toBe(40);
			if (i % 50 === 49) await p.sleep(1);
		}
		expect(h.ehash_count).toBe(17);
	});
	expect(counter(b, 'TcpExt', 'SyncookiesSent')).toBe(383);
	await a.process('client', async (p) => {
		const fd = await connect(p, B, 80);
		expect(fd).toBeGreaterThan(0);
		await send(p, fd, 'friend');
		p.close(fd);
	});
	await server;
	await world.run('200s');
	expect(h.ehash_count).toBe(0);
	expect(b.machine.skb_pool.live).toBe(0);
});
