/*
 * test/net/netlink/af_netlink.test.ts: netlink sockets: binding, acks, dumps in parts, groups, full buffers, bad input.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nla_get_string, nla_put, nla_put_string, nla_put_u16, nla_put_u32, nlbuf } from '../../../src/lib/nlattr.ts';
import {
	EADDRINUSE,
	EAGAIN,
	EINVAL,
	EMSGSIZE,
	ENOBUFS,
	ENODEV,
	EOPNOTSUPP,
	EPERM,
	EPROTONOSUPPORT,
	ERANGE,
	ESOCKTNOSUPPORT,
} from '../../../src/uapi/asm-generic/errno.ts';
import { IFLA_MTU } from '../../../src/uapi/linux/if_link.ts';
import {
	NETLINK_ADD_MEMBERSHIP,
	NETLINK_CAP_ACK,
	NETLINK_GENERIC,
	NETLINK_GET_STRICT_CHK,
	NETLINK_LIST_MEMBERSHIPS,
	NLM_F_ACK,
	NLM_F_ACK_TLVS,
	NLM_F_CAPPED,
	NLM_F_DUMP,
	NLM_F_DUMP_INTR,
	NLM_F_MULTI,
	NLMSG_DONE,
	NLMSG_ERROR,
} from '../../../src/uapi/linux/netlink.ts';
import { RTM_GETLINK, RTM_NEWLINK, RTMGRP_LINK } from '../../../src/uapi/linux/rtnetlink.ts';
import {
	AF_NETLINK,
	POLLERR,
	POLLIN,
	SO_RCVBUF,
	SOCK_RAW,
	SOCK_STREAM,
	SOL_NETLINK,
	SOL_SOCKET,
	sockaddr_nl,
} from '../../../src/uapi/linux/socket.ts';
import { ack, attrs, machine, NlSocket, process, request, run_ip } from './rig.ts';

function getlink(flags: number): request {
	return new request(RTM_GETLINK, flags, 16);
}

describe('sockets', () => {
	test('types and protocols', () => {
		const proc = process(machine());
		expect(proc.socket(AF_NETLINK, SOCK_STREAM, 0)).toBe(-ESOCKTNOSUPPORT);
		expect(proc.socket(AF_NETLINK, SOCK_RAW, 31)).toBe(-EPROTONOSUPPORT);
		expect(proc.socket(AF_NETLINK, SOCK_RAW, 99)).toBe(-EPROTONOSUPPORT);
	});

	test('the first socket of a process gets its pid, the next another number', () => {
		const proc = process(machine());
		const a = new NlSocket(proc);
		const b = new NlSocket(proc);
		const name = sockaddr_nl(0, 0);
		proc.getsockname(a.fd, name);
		expect(name.nl_pid).toBe(proc.pid);
		proc.getsockname(b.fd, name);
		expect(name.nl_pid).toBeGreaterThan(0x7fffffff);
		expect(proc.bind(b.fd, sockaddr_nl(5, 0))).toBe(-EINVAL);
		const c = proc.socket(AF_NETLINK, SOCK_RAW, 0);
		expect(proc.bind(c, sockaddr_nl(proc.pid, 0))).toBe(-EADDRINUSE);
	});

	test('groups by mask and by number', () => {
		const proc = process(machine());
		const s = new NlSocket(proc, 0, RTMGRP_LINK);
		expect(s.opt(NETLINK_ADD_MEMBERSHIP, 28)).toBe(0);
		expect(s.opt(NETLINK_ADD_MEMBERSHIP, 0)).toBe(-EINVAL);
		expect(s.opt(NETLINK_ADD_MEMBERSHIP, 9999)).toBe(-EINVAL);
		const list = new Uint8Array(8);
		expect(proc.getsockopt(s.fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, list)).toBe(8);
		expect([...list]).toEqual([1, 0, 0, 8, 0, 0, 0, 0]);
	});

	test('without rights there is reading, and no changing', async () => {
		const m = machine();
		const proc = process(m);
		proc.setuid(1000);
		const s = new NlSocket(proc).ext_ack;
		const req = new request(RTM_NEWLINK, NLM_F_ACK, 16);
		req.u32(4, 1);
		nla_put_u32(req, IFLA_MTU, 1400);
		expect(ack((await s.talk(req))[0]).errno).toBe(EPERM);
		expect((await s.dump(getlink(NLM_F_DUMP)))[0][0].nlmsg_type).toBe(RTM_NEWLINK);
	});
});

describe('acks', () => {
	test('a plain one echoes the header alone', async () => {
		const s = new NlSocket(process(machine())).ext_ack;
		const req = new request(RTM_NEWLINK, NLM_F_ACK, 16);
		req.u32(4, 1);
		nla_put_u32(req, IFLA_MTU, 1400);
		const [n] = await s.talk(req);
		expect([n.nlmsg_type, n.nlmsg_flags, n.nlmsg_len]).toEqual([NLMSG_ERROR, NLM_F_CAPPED, 36]);
		expect(ack(n)).toEqual({ errno: 0, msg: null, offs: null });
	});

	test('an error echoes the whole message, unless NETLINK_CAP_ACK', async () => {
		const s = new NlSocket(process(machine()));
		const req = (): request => {
			const r = new request(RTM_GETLINK, 0, 16);
			r.u32(4, 77);
			return r;
		};
		let [n] = await s.talk(req());
		expect([n.nlmsg_flags, n.nlmsg_len, ack(n).errno]).toEqual([0, 52, ENODEV]);
		s.opt(NETLINK_CAP_ACK);
		[n] = await s.talk(req());
		expect([n.nlmsg_flags, n.nlmsg_len, ack(n).errno]).toEqual([NLM_F_CAPPED, 36, ENODEV]);
	});

	test('words, and where the bad attribute stands, for those who asked for them', async () => {
		const proc = process(machine());
		const bad = (): request => {
			const r = new request(RTM_NEWLINK, NLM_F_ACK, 16);
			r.u32(4, 1);
			nla_put_u16(r, IFLA_MTU, 5);
			return r;
		};
		const plain = new NlSocket(proc);
		let [n] = await plain.talk(bad());
		expect([n.nlmsg_flags, ack(n).errno]).toEqual([0, ERANGE]);
		const s = new NlSocket(proc).ext_ack;
		[n] = await s.talk(bad());
		expect(n.nlmsg_flags).toBe(NLM_F_ACK_TLVS);
		expect(ack(n)).toEqual({ errno: ERANGE, msg: 'Attribute failed policy validation', offs: 32 });
	});

	test('several requests in one send are each answered', async () => {
		const s = new NlSocket(process(machine()));
		const a = new request(RTM_NEWLINK, NLM_F_ACK, 16);
		a.u32(4, 1);
		const both = new Uint8Array(64);
		a.data[0] = 32;
		both.set(a.data.subarray(0, 32));
		both.set(a.data.subarray(0, 32), 32);
		await s.raw(both);
		expect((await s.recv()) as unknown[]).toHaveLength(1);
		expect((await s.recv()) as unknown[]).toHaveLength(1);
		expect(await s.recv()).toBe(-EAGAIN);
	});

	test('what nobody handles', async () => {
		const s = new NlSocket(process(machine()));
		expect(ack((await s.talk(new request(200, 0, 16)))[0]).errno).toBe(EOPNOTSUPP);
		expect(ack((await s.talk(new request(60, NLM_F_DUMP, 16)))[0]).errno).toBe(EOPNOTSUPP);
	});

	test('a message larger than the send buffer is refused', async () => {
		const s = new NlSocket(process(machine()));
		expect(await s.raw(new Uint8Array(300000))).toBe(-EMSGSIZE);
	});
});

describe('dumps', () => {
	test('come in parts as large as the reader reads, with NLMSG_DONE last and alone', async () => {
		const m = machine();
		for (let i = 0; i < 20; i++) await run_ip(m, `link add d${i} type dummy`);
		const s = new NlSocket(process(m));
		const small = await s.dump(getlink(NLM_F_DUMP), 4000);
		expect(small.length).toBeGreaterThan(5);
		const names = small.flat().filter((n) => n.nlmsg_type === RTM_NEWLINK);
		expect(names.every((n) => (n.nlmsg_flags & NLM_F_MULTI) !== 0)).toBe(true);
		expect(names.map((n) => nla_get_string(attrs(n, 16)[0]))).toEqual([
			'lo',
			...Array.from({ length: 20 }, (_, i) => `d${i}`),
		]);
		expect(small[small.length - 1].map((n) => n.nlmsg_type)).toEqual([NLMSG_DONE]);
		// The larger buffer of an earlier read is remembered.
		await s.dump(getlink(NLM_F_DUMP));
		expect((await s.dump(getlink(NLM_F_DUMP))).length).toBeLessThan(small.length);
	});

	test('a change between two parts is told', async () => {
		const m = machine();
		for (let i = 0; i < 10; i++) await run_ip(m, `link add d${i} type dummy`);
		const s = new NlSocket(process(m));
		await s.send(getlink(NLM_F_DUMP));
		const first = await s.recv(4000);
		await run_ip(m, 'link add late type dummy');
		const rest: number[] = [];
		for (;;) {
			const r = await s.recv(4000);
			if (typeof r === 'number') break;
			rest.push(...r.map((n) => n.nlmsg_flags & NLM_F_DUMP_INTR));
			if (r.some((n) => n.nlmsg_type === NLMSG_DONE)) break;
		}
		expect((first as { nlmsg_flags: number }[]).every((n) => (n.nlmsg_flags & NLM_F_DUMP_INTR) === 0)).toBe(true);
		expect(rest.some((f) => f !== 0)).toBe(true);
	});

	test('strict checking refuses in NLMSG_DONE, in words', async () => {
		const s = new NlSocket(process(machine())).ext_ack;
		const req = (): request => {
			const r = getlink(NLM_F_DUMP);
			r.u32(4, 3);
			return r;
		};
		expect((await s.dump(req())).flat()[0].nlmsg_type).toBe(RTM_NEWLINK);
		s.opt(NETLINK_GET_STRICT_CHK);
		const [done] = (await s.dump(req())).flat();
		expect(done.nlmsg_type).toBe(NLMSG_DONE);
		expect(nla_get_string(attrs(done, 4)[0])).toBe('Filter by device index not supported for link dumps');
	});

	test('a second dump while one runs is refused', async () => {
		const m = machine();
		for (let i = 0; i < 10; i++) await run_ip(m, `link add d${i} type dummy`);
		const s = new NlSocket(process(m));
		await s.send(getlink(NLM_F_DUMP));
		await s.send(getlink(NLM_F_DUMP));
		const seen: number[] = [];
		for (;;) {
			const r = await s.recv();
			if (typeof r === 'number') break;
			for (const n of r) if (n.nlmsg_type === NLMSG_ERROR) seen.push(ack(n).errno);
		}
		expect(seen).toEqual([16]);
	});
});

describe('news', () => {
	test('reach every listener of the group, and nobody else', async () => {
		const m = machine();
		const a = new NlSocket(process(m), 0, RTMGRP_LINK);
		const b = new NlSocket(process(m));
		await run_ip(m, 'link set lo mtu 1500');
		const r = (await a.recv()) as { nlmsg_type: number; nlmsg_pid: number }[];
		expect(r.map((n) => [n.nlmsg_type, n.nlmsg_pid])).toEqual([[RTM_NEWLINK, 0]]);
		expect(await b.recv()).toBe(-EAGAIN);
	});

	test('a reader that does not read gets ENOBUFS once, then what still fitted, then goes on', async () => {
		const m = machine();
		const proc = process(m);
		const s = new NlSocket(proc, 0, RTMGRP_LINK);
		proc.setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, 4000);
		for (let i = 0; i < 20; i++) await run_ip(m, `link set lo mtu ${1400 + i}`);
		const fds = [{ fd: s.fd, events: POLLIN, revents: 0 }];
		await proc.poll(fds, 0);
		expect(fds[0].revents).toBe(POLLIN | POLLERR);
		expect(await s.recv()).toBe(-ENOBUFS);
		let got = 0;
		while (typeof (await s.recv()) !== 'number') got++;
		expect(got).toBeGreaterThan(0);
		expect(got).toBeLessThan(20);
		await run_ip(m, 'link set lo mtu 1600');
		expect(Array.isArray(await s.recv())).toBe(true);
	});
});

describe('generic netlink', () => {
	test('nlctrl tells of itself', async () => {
		const s = new NlSocket(process(machine()), NETLINK_GENERIC);
		const req = new request(16, 0, 4);
		req.u8(0, 3);
		nla_put_string(req, 2, 'nlctrl');
		const [n] = await s.talk(req);
		expect(n.nlmsg_type).toBe(16);
		expect(attrs(n, 4).map((a) => a.type)).toEqual([2, 1, 3, 4, 5, 6, 7]);
		const none = new request(16, 0, 4);
		none.u8(0, 3);
		nla_put_string(none, 2, 'nosuch');
		expect(ack((await s.talk(none))[0]).errno).toBe(2);
	});
});

describe('bad input', () => {
	test('any bytes, any attributes: an answer or silence, never an exception; the machine goes on', async () => {
		const m = machine();
		await run_ip(m, 'link add d0 type dummy');
		const proc = process(m);
		const attr = fc.record({ type: fc.nat(80), data: fc.uint8Array({ maxLength: 24 }) });
		const message = fc.record({
			type: fc.integer({ min: 14, max: 124 }),
			flags: fc.constantFrom(1, 5, 0x301, 0x305, 0x405, 0x605, 0x105),
			header: fc.uint8Array({ minLength: 1, maxLength: 20 }),
			attrs: fc.array(attr, { maxLength: 6 }),
			cut: fc.nat(12),
		});
		await fc.assert(
			fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), async (list) => {
				const s = new NlSocket(proc);
				const parts = list.map((x) => {
					const body = new nlbuf();
					for (const a of x.attrs) nla_put(body, a.type, a.data);
					const all = new Uint8Array(16 + ((x.header.length + 3) & ~3) + body.len);
					const view = new DataView(all.buffer);
					view.setUint32(0, all.length - Math.min(x.cut, all.length - 16), true);
					view.setUint16(4, x.type, true);
					view.setUint16(6, x.flags, true);
					all.set(x.header, 16);
					all.set(body.data.subarray(0, body.len), all.length - body.len);
					return all;
				});
				await s.raw(Uint8Array.from(parts.flatMap((x) => [...x])));
				for (let i = 0; i < 2000; i++) if (typeof (await s.recv()) === 'number') break;
				proc.close(s.fd);
			}),
			{ numRuns: 400 },
		);
		expect(await run_ip(m, 'link show lo')).toContain('lo');
	});
});
