/*
 * MSG_ZEROCOPY: bytes leave from the process's own memory; messages say when it is free again. (On one socket: test/packetdrill/zerocopy.)
 */
import { expect, test } from 'vitest';
import { EAGAIN } from '../../../src/uapi/asm-generic/errno.ts';
import { SO_EE_CODE_ZEROCOPY_COPIED, SO_EE_ORIGIN_ZEROCOPY } from '../../../src/uapi/linux/errqueue.ts';
import {
	MSG_ERRQUEUE,
	MSG_ZEROCOPY,
	msghdr,
	POLLERR,
	SHUT_WR,
	SO_ZEROCOPY,
	SOL_SOCKET,
} from '../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../src/user/libc.ts';
import { B, connect, listen, type Pair, pair, pattern, recv_all, same, send } from '../ipv4/tcp/lab.ts';

interface Notice {
	code: number;
	from: number;
	to: number;
}

/** The next message of the error queue, or -errno. */
async function notice(p: Process, fd: number): Promise<Notice | number> {
	const m = new msghdr(new Uint8Array(0));
	const r = await p.recvmsg(fd, m, MSG_ERRQUEUE);
	if (r < 0) return r;
	const b = m.msg_control[0].data;
	expect(b[4]).toBe(SO_EE_ORIGIN_ZEROCOPY);
	return { code: b[6], from: b[8] | (b[9] << 8), to: b[12] | (b[13] << 8) };
}

/** Sends `n` buffers of `size` from memory that is wiped as soon as a message says so. Return: ids told, with their codes; what arrived. */
async function transfer(
	lab: Pair,
	address: string,
	n: number,
	size: number,
): Promise<{ ids: number[]; codes: Set<number>; whole: boolean }> {
	const { world, a, b } = lab;
	const data = pattern(n * size, 7);
	const server = (address === B ? b : a).process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const c = await p.accept(l, null);
		const got = await recv_all(p, c);
		p.close(c);
		p.close(l);
		return typeof got !== 'number' && same(got, data);
	});
	const ids: number[] = [];
	const codes = new Set<number>();
	await a.process('client', async (p) => {
		const fd = await connect(p, address, 80);
		expect(p.setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, Uint8Array.of(1, 0, 0, 0))).toBe(0);
		const buffers: Uint8Array[] = [];
		for (let i = 0; i < n; i++) {
			buffers.push(data.slice(i * size, (i + 1) * size));
			expect(await send(p, fd, buffers[i], MSG_ZEROCOPY)).toBe(size);
		}
		while (ids.length < n) {
			const fds = [{ fd, events: 0, revents: 0 }];
			await p.poll(fds, 60000);
			expect(fds[0].revents & POLLERR).toBe(POLLERR);
			const m = await notice(p, fd);
			if (typeof m === 'number') throw new Error(`recvmsg: ${m}`);
			codes.add(m.code);
			for (let i = m.from; i <= m.to; i++) {
				ids.push(i);
				buffers[i].fill(0);
			}
		}
		expect(await notice(p, fd)).toBe(-EAGAIN);
		p.shutdown(fd, SHUT_WR);
		p.close(fd);
	});
	const whole = await server;
	await world.run('70s');
	for (const h of [a, b]) {
		expect(h.machine.skb_pool.live).toBe(0);
		expect(h.machine.sock.tcp_memory.memory_allocated).toBe(0);
	}
	return { ids, codes, whole };
}

const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('over a wire: nothing is copied, every send is told once, in order, and all arrives', async () => {
	const r = await transfer(await pair(), B, 40, 30000);
	expect(r.ids).toEqual(all(40));
	expect([...r.codes]).toEqual([0]);
	expect(r.whole).toBe(true);
});

test('over a wire that loses: what is sent again comes from the same memory', async () => {
	const r = await transfer(await pair({ loss: 0.05, delay: 5 }), B, 20, 20000);
	expect(r.ids).toEqual(all(20));
	expect(r.whole).toBe(true);
});

test('on lo the bytes stay here, so they are copied, and the message says so', async () => {
	const lab = await pair();
	await lab.a.must('ip link set lo up');
	const r = await transfer(lab, '127.0.0.1', 10, 10000);
	expect(r.ids).toEqual(all(10));
	expect([...r.codes]).toEqual([SO_EE_CODE_ZEROCOPY_COPIED]);
	expect(r.whole).toBe(true);
});
