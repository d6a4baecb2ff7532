/*
 * test/net/netlink/rtnl_link.test.ts: links by message: what Linux 6.18 sends and says, as seen there.
 */
import { describe, expect, test } from 'vitest';
import {
	nla_get_string,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put,
	nla_put_string,
	nla_put_u32,
} from '../../../src/lib/nlattr.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL } from '../../../src/uapi/linux/netlink.ts';
import {
	RTM_DELLINK,
	RTM_DELNSID,
	RTM_GETLINK,
	RTM_NEWLINK,
	RTM_SETLINK,
	RTMGRP_LINK,
} from '../../../src/uapi/linux/rtnetlink.ts';
import { CLONE_NEWNET } from '../../../src/user/libc.ts';
import { ack, attrs, machine, NlSocket, process, request, run_ip } from './rig.ts';

/** What `fill` asked for in a message of `type`, of link `index`: the errno and the words. */
async function ask(
	type: number,
	index: number,
	fill: (r: request) => void,
	flags = NLM_F_ACK,
): Promise<[number, string | null]> {
	const m = machine();
	await run_ip(m, 'link add v0 type veth peer name v1');
	const s = new NlSocket(process(m)).ext_ack;
	const req = new request(type, flags, 16);
	req.u32(4, index);
	fill(req);
	const a = ack((await s.talk(req))[0]);
	return [a.errno, a.msg];
}

const kind = (r: request, k: string): void => {
	const nest = nla_nest_start_noflag(r, 18);
	nla_put_string(r, 1, k);
	nla_nest_end(r, nest);
};

const no_queues = (r: request): void => {
	nla_put_u32(r, 31, 0);
	kind(r, 'veth');
};

const two_namespaces = (r: request): void => {
	nla_put_u32(r, 19, 1);
	nla_put_u32(r, 28, 0);
};

describe('refusals, as Linux 6.18 words them', () => {
	const NEW = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	test.each<[string, number, number, (r: request) => void, number, string | null, number?]>([
		['nothing named', RTM_NEWLINK, 0, () => {}, 19, null],
		['no such index', RTM_NEWLINK, 99, () => {}, 19, null],
		['no such name', RTM_NEWLINK, 0, (r) => nla_put_string(r, 3, 'nosuch'), 19, null],
		['no kind', RTM_NEWLINK, 0, (r) => nla_put_string(r, 3, 'nosuch'), 95, 'Unknown device type', NEW],
		['unknown kind', RTM_NEWLINK, 0, (r) => kind(r, 'blah'), 95, 'Unknown device type', NEW],
		['exists', RTM_NEWLINK, 0, (r) => nla_put_string(r, 3, 'lo'), 17, null, NEW],
		[
			'long name',
			RTM_NEWLINK,
			2,
			(r) => nla_put_string(r, 3, 'abcdefghijklmnopq'),
			34,
			'Attribute failed policy validation',
		],
		['bad name', RTM_NEWLINK, 2, (r) => nla_put_string(r, 3, 'a/b'), 22, null],
		['name taken', RTM_NEWLINK, 2, (r) => nla_put_string(r, 3, 'lo'), 17, null],
		['small mtu', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 4, 10), 22, 'mtu less than device minimum'],
		['big mtu', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 4, 100000), 22, 'mtu greater than device maximum'],
		['short address', RTM_NEWLINK, 2, (r) => nla_put(r, 1, new Uint8Array(3)), 22, null],
		['group address', RTM_NEWLINK, 2, (r) => nla_put(r, 1, Uint8Array.of(1, 0, 0, 0, 0, 1)), 99, null],
		['no such master', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 10, 77), 22, null],
		['lo as master', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 10, 1), 95, null],
		['no master', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 10, 0), 0, null],
		['carrier', RTM_NEWLINK, 2, (r) => nla_put(r, 33, Uint8Array.of(1)), 95, null],
		['no such process', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 19, 999999), 3, null],
		['no such descriptor', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 28, 99), 9, null],
		['no such namespace id', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 46, 99), 22, null],
		['gso_max_size', RTM_NEWLINK, 2, (r) => nla_put_u32(r, 41, 1000000), 22, 'too big gso_max_size'],
		['protodown', RTM_NEWLINK, 2, (r) => nla_put(r, 39, Uint8Array.of(1)), 95, 'Protodown not supported by device'],
		['no queues', RTM_NEWLINK, 0, no_queues, 22, 'Invalid number of transmit queues', NEW],
		['negative index', RTM_NEWLINK, 0xfffffffd, (r) => kind(r, 'veth'), 22, "ifindex can't be negative", NEW],
		['delete lo', RTM_DELLINK, 1, () => {}, 95, null],
		['delete nothing', RTM_DELLINK, 0, () => {}, 22, null],
		['delete a group without links', RTM_DELLINK, 0, (r) => nla_put_u32(r, 27, 99), 19, null],
		['set nothing', RTM_SETLINK, 0, () => {}, 22, null],
		['get nothing', RTM_GETLINK, 0, () => {}, 22, null],
	])('%s', async (_name, type, index, fill, errno, msg, flags) => {
		expect(await ask(type, index, fill, flags)).toEqual([errno, msg]);
	});

	test('two ways to name a namespace, a loopback that moves', async () => {
		expect(await ask(RTM_NEWLINK, 2, two_namespaces)).toEqual([22, 'multiple netns identifying attributes specified']);
		const m = machine();
		const other = process(m);
		other.unshare(CLONE_NEWNET);
		const s = new NlSocket(process(m)).ext_ack;
		const req = new request(RTM_NEWLINK, NLM_F_ACK, 16);
		req.u32(4, 1);
		nla_put_u32(req, 19, other.pid);
		expect(ack((await s.talk(req))[0])).toMatchObject({ errno: 22, msg: 'The interface netns is immutable' });
	});
});

describe('what a link looks like', () => {
	test('the attributes stand in the order of Linux 6.18', async () => {
		const m = machine();
		await run_ip(m, 'link add v0 type veth peer name v1');
		await run_ip(m, 'link set v0 alias x');
		const s = new NlSocket(process(m));
		const req = new request(RTM_GETLINK, 0, 16);
		nla_put_string(req, 3, 'v0');
		nla_put_u32(req, 29, 9);
		const [n] = await s.talk(req);
		expect(attrs(n, 16).map((a) => a.type)).toEqual([
			3, 13, 16, 17, 67, 4, 50, 51, 27, 30, 61, 31, 40, 41, 58, 63, 64, 59, 60, 66, 32, 33, 20, 35, 47, 48, 68, 69, 39,
			1, 2, 23, 7, 43, 18, 5, 6, 26, 14, 62, 65,
		]);
		expect(nla_get_string(attrs(n, 16)[36])).toBe('noop');
	});

	test('a pair of veth is told of one by one: the first does not know the other yet', async () => {
		const m = machine();
		const news = new NlSocket(process(m), 0, RTMGRP_LINK);
		await run_ip(m, 'link add v0 type veth peer name v1');
		const told: [string, number][] = [];
		for (;;) {
			const r = await news.recv();
			if (typeof r === 'number') break;
			for (const n of r) {
				const link = attrs(n, 16).find((a) => a.type === 5)!;
				told.push([nla_get_string(attrs(n, 16)[0]), link.buf[link.off]]);
			}
		}
		expect(told).toEqual([
			['v1', 0],
			['v0', 2],
		]);
	});
});

describe('namespaces', () => {
	test('a link moves, both sides name the other by an id, and the news says where it went', async () => {
		const m = machine();
		await run_ip(m, 'netns add blue');
		await run_ip(m, 'link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02');
		const mon = process(m);
		const news = new NlSocket(mon, 0, RTMGRP_LINK);
		expect(await run_ip(m, 'link set v1 netns blue')).toBe('');
		expect(await run_ip(m, 'link show v0')).toBe(
			'3: v0@if2: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\n' +
				'    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netns blue\n',
		);
		expect(await run_ip(m, '-n blue link show v1')).toBe(
			'2: v1@if3: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\n' +
				'    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0\n',
		);
		const r = (await news.recv()) as Awaited<ReturnType<NlSocket['talk']>>;
		expect(r[0].nlmsg_type).toBe(RTM_DELLINK);
		const types = attrs(r[0], 16).map((a) => a.type);
		expect(types).toContain(45);
		expect(types).toContain(49);
		expect(await run_ip(m, 'netns')).toBe('blue (id: 0)\n');
		expect(await run_ip(m, 'netns list-id')).toBe('nsid 0 (iproute2 netns name: blue)\n');
		expect(await run_ip(m, 'netns set blue 5')).toBe('Error: Peer netns already has a nsid assigned.\n');
		expect(await run_ip(m, 'netns list-id nsid 7')).toBe('Error: Peer netns reference is invalid.\n');
	});

	test('a peer is born elsewhere; deleting one end deletes the other', async () => {
		const m = machine();
		await run_ip(m, 'netns add blue');
		await run_ip(m, 'link add v0 type veth peer name eth0 netns blue');
		expect(await run_ip(m, '-n blue -br link show eth0')).toMatch(/^eth0@if2 +DOWN/);
		await run_ip(m, 'link del v0');
		expect(await run_ip(m, '-n blue link show eth0')).toBe('Device "eth0" does not exist.\n');
	});

	test('a namespace that goes takes its devices and its id along, and the news say so', async () => {
		const m = machine();
		await run_ip(m, 'netns add blue');
		await run_ip(m, 'link add v0 type veth peer name v1 netns blue');
		await run_ip(m, 'netns set blue 7');
		expect(await run_ip(m, 'netns')).toBe('blue (id: 0)\n');
		const news = new NlSocket(process(m), 0, (1 << 27) | RTMGRP_LINK);
		await run_ip(m, 'netns del blue');
		expect(await run_ip(m, 'link show v0')).toBe('Device "v0" does not exist.\n');
		const types: number[] = [];
		for (;;) {
			const r = await news.recv();
			if (typeof r === 'number') break;
			types.push(...r.map((n) => n.nlmsg_type));
		}
		expect(types).toEqual([RTM_DELNSID, RTM_DELLINK]);
		expect(await run_ip(m, 'netns list-id')).toBe('');
	});

	test('names of namespaces: added twice, deleted, unknown', async () => {
		const m = machine();
		expect(await run_ip(m, 'netns add blue')).toBe('');
		expect(await run_ip(m, 'netns add blue')).toBe('Cannot create namespace file "/run/netns/blue": File exists\n');
		expect(await run_ip(m, 'netns del blue')).toBe('');
		expect(await run_ip(m, 'netns del blue')).toBe(
			'Cannot remove namespace file "/run/netns/blue": No such file or directory\n',
		);
		expect(await run_ip(m, '-n blue link')).toBe('Cannot open network namespace "blue": No such file or directory\n');
	});
});
