/*
 * UDP_SEGMENT and UDP_GRO. What real Linux 6.18 answers to the same calls over a veth pair stands in the expectations.
 */
import { expect, test } from 'vitest';
import type { Host } from '../../../src/lab/host.ts';
import { World } from '../../../src/lab/world.ts';
import { msghdr, sockaddr_in } from '../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../src/user/libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const [EINVAL, EMSGSIZE] = [22, 90];

async function pair(offload: boolean): Promise<{ w: World; a: Host; b: Host }> {
	const w = new World();
	const a = w.host('a');
	const b = w.host('b');
	w.link(a.nic('eth0'), b.nic('eth0'), { offload });
	await a.must('ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up');
	return { w, a, b };
}

function sendto(p: Process, fd: number, n: number, gso: number, port: number): Promise<number> {
	const data = new Uint8Array(n);
	for (let i = 0; i < n; i++) data[i] = i * 13;
	const m = new msghdr(data, sockaddr_in(0x0a090002, port));
	if (gso > 0) m.msg_control.push({ level: SOL_UDP, type: UDP_SEGMENT, data: Uint8Array.of(gso, gso >> 8) });
	return p.sendmsg(fd, m);
}

test('UDP_SEGMENT: sizes and limits as Linux has them', async () => {
	const { a } = await pair(true);
	await a.process('x', async (p) => {
		const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
		expect([-1, 0, 1, 65535, 65536].map((v) => p.setsockopt(fd, SOL_UDP, UDP_SEGMENT, v))).toEqual([
			-EINVAL,
			0,
			0,
			0,
			-EINVAL,
		]);
		p.setsockopt(fd, SOL_UDP, UDP_SEGMENT, 0);
		const calls: [gso: number, n: number, ret: number][] = [
			[1473, 3000, -EMSGSIZE],
			[1473, 1000, 1000],
			[1472, 3000, 3000],
			[100, 12800, 12800],
			[100, 12801, -EINVAL],
			[1472, 65507, 65507],
			[1472, 65508, -EMSGSIZE],
		];
		for (const [gso, n, ret] of calls) expect([gso, n, await sendto(p, fd, n, gso, 9)]).toEqual([gso, n, ret]);
		p.setsockopt(fd, 1, 11, 1);
		expect(await sendto(p, fd, 3000, 1000, 9)).toBe(-EINVAL);
		const bad = new msghdr(new Uint8Array(100), sockaddr_in(0x0a090002, 9));
		bad.msg_control.push({ level: SOL_UDP, type: UDP_SEGMENT, data: Uint8Array.of(1) });
		expect(await p.sendmsg(fd, bad)).toBe(-EINVAL);
		bad.msg_control[0] = { level: SOL_UDP, type: 105, data: Uint8Array.of(1, 0) };
		expect(await p.sendmsg(fd, bad)).toBe(-EINVAL);
	});
});

test.each([true, false])(
	'what is sent as one arrives in pieces, or whole where UDP_GRO asks (offload: %s)',
	async (offload) => {
		const { w, a, b } = await pair(offload);
		const got: Record<number, [number, number][]> = { 7000: [], 7001: [] };
		for (const port of [7000, 7001]) {
			void b.process('r', async (p) => {
				const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
				p.bind(fd, sockaddr_in(0, port));
				if (port === 7001) expect(p.setsockopt(fd, SOL_UDP, UDP_GRO, 1)).toBe(0);
				for (;;) {
					const m = new msghdr(new Uint8Array(65536));
					const n = await p.recvmsg(fd, m);
					for (let i = 0; i < n; i++) if (m.msg_iov[i] !== ((i * 13) & 255) && n === 3500) throw new Error(`byte ${i}`);
					const c = m.msg_control.find((x) => x.level === SOL_UDP && x.type === UDP_GRO);
					got[port].push([n, c === undefined ? 0 : c.data[0] | (c.data[1] << 8)]);
				}
			});
		}
		await w.settle();
		await a.process('s', async (p) => {
			const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
			await sendto(p, fd, 100, 0, 7000);
			await p.sleep(1);
			for (const port of [7000, 7001]) {
				await sendto(p, fd, 3500, 1000, port);
				await p.sleep(1);
				await sendto(p, fd, 500, 0, port);
				await sendto(p, fd, 300, 1000, port);
				await p.sleep(1);
			}
		});
		expect(got[7000].map((g) => g[0])).toEqual([100, 1000, 1000, 1000, 500, 500, 300]);
		expect(got[7001][0]).toEqual([3500, 1000]);
		// GRO may join the two small ones too: NAPI sees them together.
		expect(got[7001].slice(1).reduce((s, g) => s + g[0], 0)).toBe(800);
		expect(a.machine.skb_pool.live + b.machine.skb_pool.live).toBe(0);
	},
);
