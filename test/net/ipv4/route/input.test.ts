import { describe, expect, it } from 'vitest';
import {
	netlink_ext_ack,
	nla_put_in_addr,
	nla_put_string,
	nla_put_u32,
	nlmsg_end,
	nlmsg_put,
	nlmsghdr,
} from '../../../../src/lib/nlattr.ts';
import { drop_reason_name } from '../../../../src/net/core/dropreason.ts';
import { flowi4 } from '../../../../src/net/core/flow.ts';
import { consume_skb } from '../../../../src/net/core/skbuff.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { ip_forward } from '../../../../src/net/ipv4/ip_forward.ts';
import { ip_local_deliver } from '../../../../src/net/ipv4/ip_input.ts';
import {
	ip_error,
	ip_route_input_noref,
	ip_route_output_key,
	RTCF_BROADCAST,
	type rtable,
	update_or_create_fnhe,
} from '../../../../src/net/ipv4/route.ts';
import { ip_rt_update_pmtu } from '../../../../src/net/ipv4/route_exception.ts';
import { nlmsg_new } from '../../../../src/net/netlink/netlink.ts';
import { packet, pass, type Rig, rig, run_line } from '../rig.ts';

/** What routing says of a packet that comes in by v0: a drop reason, or where it leads. */
function input(r: Rig, src: string, dst: string): string {
	const dev = r.net.dev_name_head.get('v0')!;
	const skb = packet(r, dev, src, dst);
	const reason = ip_route_input_noref(skb, ip_pton(dst), ip_pton(src), 0, dev);
	const rt = skb._skb_refdst as rtable | null;
	consume_skb(skb);
	if (reason !== 0) return drop_reason_name(reason);
	if (rt!.input === ip_error) return `error ${rt!.error}`;
	if (rt!.input === ip_forward) return `forward ${rt!.dev.name}`;
	if (rt!.input === ip_local_deliver) return (rt!.rt_flags & RTCF_BROADCAST) !== 0 ? 'broadcast' : 'local';
	return '?';
}

async function host(): Promise<Rig> {
	const r = rig(['v0', 'd0']);
	for (const l of [
		'ip link set lo up',
		'ip link set v0 up',
		'ip link set d0 up',
		'ip addr add 10.0.0.1/24 dev v0',
		'ip addr add 10.9.0.1/24 dev d0',
	])
		expect(await run_line(r, l)).toBe('');
	return r;
}

describe('input: what Linux 6.18 says, as the tracepoint skb:kfree_skb showed it', () => {
	it('a host', async () => {
		const r = await host();
		const got: Record<string, string> = {};
		for (const [src, dst] of [
			['10.0.0.2', '10.0.0.1'],
			['10.0.0.2', '1.2.3.4'],
			['127.0.0.1', '10.0.0.1'],
			['224.0.0.9', '10.0.0.1'],
			['255.255.255.255', '10.0.0.1'],
			['0.0.0.0', '10.0.0.1'],
			['10.0.0.1', '10.0.0.1'],
			['10.0.0.2', '0.0.0.0'],
			['10.0.0.2', '127.0.0.1'],
			['10.0.0.2', '255.255.255.255'],
			['0.0.0.0', '255.255.255.255'],
			['10.0.0.2', '10.0.0.255'],
			['10.0.0.1', '10.0.0.255'],
			['10.0.0.2', '224.9.9.9'],
			['10.0.0.255', '10.0.0.1'],
		]) {
			got[`${src} > ${dst}`] = input(r, src, dst);
		}
		expect(got).toEqual({
			'10.0.0.2 > 10.0.0.1': 'local',
			'10.0.0.2 > 1.2.3.4': 'error -113',
			'127.0.0.1 > 10.0.0.1': 'IP_LOCALNET',
			'224.0.0.9 > 10.0.0.1': 'IP_INVALID_SOURCE',
			'255.255.255.255 > 10.0.0.1': 'IP_INVALID_SOURCE',
			'0.0.0.0 > 10.0.0.1': 'IP_INVALID_SOURCE',
			'10.0.0.1 > 10.0.0.1': 'IP_LOCAL_SOURCE',
			'10.0.0.2 > 0.0.0.0': 'IP_INVALID_DEST',
			'10.0.0.2 > 127.0.0.1': 'IP_LOCALNET',
			'10.0.0.2 > 255.255.255.255': 'broadcast',
			'0.0.0.0 > 255.255.255.255': 'broadcast',
			'10.0.0.2 > 10.0.0.255': 'broadcast',
			'10.0.0.1 > 10.0.0.255': 'IP_LOCAL_SOURCE',
			'10.0.0.2 > 224.9.9.9': 'NOT_SPECIFIED',
			'10.0.0.255 > 10.0.0.1': 'local',
		});
	});

	it('rp_filter', async () => {
		const r = await host();
		await run_line(r, 'sysctl -qw net.ipv4.conf.v0.rp_filter=1');
		expect(input(r, '44.0.0.1', '10.0.0.1')).toBe('IP_RPFILTER');
		expect(input(r, '10.9.0.7', '10.0.0.1')).toBe('IP_RPFILTER');
		expect(input(r, '10.0.0.255', '10.0.0.1')).toBe('IP_INVALID_SOURCE');
		expect(input(r, '10.0.0.1', '10.0.0.1')).toBe('IP_LOCAL_SOURCE');
		expect(input(r, '44.0.0.1', '10.0.0.255')).toBe('IP_RPFILTER');
		await run_line(r, 'sysctl -qw net.ipv4.conf.v0.rp_filter=2');
		expect(input(r, '44.0.0.1', '10.0.0.1')).toBe('IP_RPFILTER');
		expect(input(r, '10.9.0.7', '10.0.0.1')).toBe('local');
		// The larger of all and the device counts.
		await run_line(r, 'sysctl -qw net.ipv4.conf.v0.rp_filter=0');
		await run_line(r, 'sysctl -qw net.ipv4.conf.all.rp_filter=1');
		expect(input(r, '10.9.0.7', '10.0.0.1')).toBe('IP_RPFILTER');
	});

	it('a router', async () => {
		const r = await host();
		for (const l of [
			'sysctl -qw net.ipv4.ip_forward=1',
			'ip route add blackhole 2.0.0.0/8',
			'ip route add unreachable 3.0.0.0/8',
			'ip route add prohibit 4.0.0.0/8',
			'ip route add throw 5.0.0.0/8',
			'ip route add multicast 9.0.0.0/8 dev d0',
		])
			expect(await run_line(r, l)).toBe('');
		expect(input(r, '10.0.0.2', '10.9.0.7')).toBe('forward d0');
		expect(input(r, '10.0.0.2', '1.2.3.4')).toBe('error -101');
		expect(input(r, '10.0.0.2', '2.2.3.4')).toBe('error -22');
		expect(input(r, '10.0.0.2', '3.2.3.4')).toBe('error -113');
		expect(input(r, '10.0.0.2', '4.2.3.4')).toBe('error -13');
		expect(input(r, '10.0.0.2', '5.2.3.4')).toBe('error -101');
		expect(input(r, '10.0.0.2', '10.9.0.255')).toBe('broadcast');
		expect(input(r, '10.0.0.2', '240.1.1.1')).toBe('error -101');
		expect(input(r, '10.0.0.1', '10.9.0.7')).toBe('IP_LOCAL_SOURCE');
		expect(input(r, '10.0.0.2', '9.2.3.4')).toBe('IP_INVALID_DEST');
	});

	it("forwarding takes the hop's one route", async () => {
		const r = await host();
		await run_line(r, 'sysctl -qw net.ipv4.ip_forward=1');
		await run_line(r, 'ip route add 50.0.0.0/8 via 10.9.0.254');
		const dev = r.net.dev_name_head.get('v0')!;
		const seen = new Set<unknown>();
		for (let i = 0; i < 10; i++) {
			const skb = packet(r, dev, '10.0.0.2', `50.0.0.${i}`);
			ip_route_input_noref(skb, ip_pton(`50.0.0.${i}`), ip_pton('10.0.0.2'), 0, dev);
			seen.add(skb._skb_refdst);
			consume_skb(skb);
		}
		expect(seen.size).toBe(1);
		expect(r.machine.skb_pool.live).toBe(0);
	});
});

describe('exceptions', () => {
	it('a path MTU is learned for its destination alone, and forgotten', async () => {
		const r = await host();
		await run_line(r, 'ip route add default via 10.9.0.254');
		const out = (dst: string): rtable => {
			const fl4 = new flowi4();
			fl4.daddr = ip_pton(dst);
			return ip_route_output_key(r.net, fl4) as rtable;
		};
		const rt = out('50.0.0.1');
		expect(rt.ops.mtu(rt)).toBe(1500);
		const skb = packet(r, r.net.dev_name_head.get('d0')!, '10.9.0.1', '50.0.0.1');
		ip_rt_update_pmtu(rt, null, skb, 1400, false);
		expect(rt.ops.check(rt, 0)).toBe(null);
		expect(out('50.0.0.1').ops.mtu(out('50.0.0.1'))).toBe(1400);
		expect(out('50.0.0.2').ops.mtu(out('50.0.0.2'))).toBe(1500);
		expect(await run_line(r, 'ip route get 50.0.0.1')).toMatch(/cache expires 600sec mtu 1400/);
		// Below the floor it is locked at min_pmtu.
		ip_rt_update_pmtu(out('50.0.0.1'), null, skb, 100, false);
		expect(out('50.0.0.1').ops.mtu(out('50.0.0.1'))).toBe(552);
		consume_skb(skb);
		pass(r, 601);
		expect(out('50.0.0.1').ops.mtu(out('50.0.0.1'))).toBe(1500);
	});

	it('a redirect leads by another gateway', async () => {
		const r = await host();
		await run_line(r, 'ip route add default via 10.9.0.254');
		const fl4 = new flowi4();
		fl4.daddr = ip_pton('50.0.0.1');
		ip_route_output_key(r.net, fl4);
		const nh = [...r.net.ipv4.fib_info_devhash.get(r.net.dev_name_head.get('d0')!.ifindex)!]
			.flatMap((fi) => fi.fib_nh)
			.find((n) => n.nhc_gw === ip_pton('10.9.0.254'))!;
		update_or_create_fnhe(nh, ip_pton('50.0.0.1'), ip_pton('10.9.0.2'), 0, false, r.machine.jiffies + 1000);
		expect(await run_line(r, 'ip route get 50.0.0.1')).toMatch(/via 10\.9\.0\.2 dev d0.*\n.*<redirected>/);
		await run_line(r, 'sysctl -qw net.ipv4.route.flush=1');
		expect(await run_line(r, 'ip route get 50.0.0.1')).toMatch(/via 10\.9\.0\.254 dev d0/);
	});
});

describe('rules', () => {
	/** RTM_NEWRULE or RTM_DELRULE as `ip rule` sends it. */
	function rule(
		r: Rig,
		type: number,
		o: {
			pref?: number;
			table?: number;
			action?: number;
			from?: string;
			to?: string;
			fwmark?: number;
			iif?: string;
			goto?: number;
			invert?: boolean;
			suppress?: number;
		},
	): string {
		const m = nlmsg_new(r.net);
		const at = nlmsg_put(m, 0, 1, type, 12, 0x605);
		m.data[at + 16] = 2;
		m.data[at + 17] = o.to !== undefined ? 32 : 0;
		m.data[at + 18] = o.from !== undefined ? 32 : 0;
		m.data[at + 23] = o.action ?? 1;
		if (o.invert) m.data[at + 24] = 2;
		if (o.to !== undefined) nla_put_in_addr(m, 1, ip_pton(o.to));
		if (o.from !== undefined) nla_put_in_addr(m, 2, ip_pton(o.from));
		if (o.iif !== undefined) nla_put_string(m, 3, o.iif);
		if (o.goto !== undefined) nla_put_u32(m, 4, o.goto);
		if (o.pref !== undefined) nla_put_u32(m, 6, o.pref);
		if (o.fwmark !== undefined) nla_put_u32(m, 10, o.fwmark);
		if (o.suppress !== undefined) nla_put_u32(m, 14, o.suppress);
		if (o.table !== undefined) nla_put_u32(m, 15, o.table);
		nlmsg_end(m, at);
		const extack = new netlink_ext_ack();
		const err = r.machine.rtnl.handlers[0][type - 16]!.doit!(m, new nlmsghdr(m.data, at), extack);
		return err === 0 ? 'ok' : `${err}${extack._msg !== null ? ` ${extack._msg}` : ''}`;
	}

	it('are tried by priority, and choose tables', async () => {
		const r = await host();
		await run_line(r, 'ip route add default via 10.9.0.254');
		await run_line(r, 'ip route add default via 10.9.0.253 table 100');
		const via = async (args: string): Promise<string> =>
			/via (\S+)/.exec(await run_line(r, `ip route get ${args}`))?.[1] ?? 'none';
		expect(await via('50.0.0.1')).toBe('10.9.0.254');
		expect(rule(r, 32, { pref: 100, fwmark: 7, table: 100 })).toBe('ok');
		expect(rule(r, 32, { pref: 100, fwmark: 7, table: 100 })).toBe('-17');
		expect(await via('50.0.0.1')).toBe('10.9.0.254');
		expect(await via('50.0.0.1 mark 7')).toBe('10.9.0.253');
		expect(rule(r, 32, { pref: 50, to: '60.0.0.1', action: 7 })).toBe('ok');
		expect(await run_line(r, 'ip route get 60.0.0.1')).toBe('RTNETLINK answers: Network is unreachable\n');
		expect(rule(r, 32, { pref: 51, to: '60.0.0.2', action: 8 })).toBe('ok');
		expect(await run_line(r, 'ip route get 60.0.0.2')).toBe('RTNETLINK answers: Permission denied\n');
		// goto jumps over what lies between.
		expect(rule(r, 32, { pref: 60, to: '60.0.0.3', action: 2, goto: 32766 })).toBe('ok');
		expect(rule(r, 32, { pref: 61, action: 2, goto: 10 })).toBe('-22 Backward goto not supported');
		expect(rule(r, 32, { pref: 61, action: 2 })).toBe('-22 Missing goto target for action goto');
		expect(await via('60.0.0.3 mark 7')).toBe('10.9.0.254');
		// Nothing but the default: suppressed, the next rule goes on.
		expect(rule(r, 32, { pref: 90, fwmark: 8, table: 254, suppress: 0 })).toBe('ok');
		expect(rule(r, 32, { pref: 91, fwmark: 8, table: 100 })).toBe('ok');
		expect(await via('50.0.0.1 mark 8')).toBe('10.9.0.253');
		expect(await run_line(r, 'ip route get 10.9.0.9 mark 8')).toMatch(/^10\.9\.0\.9 dev d0/);
		// not fwmark 9
		expect(rule(r, 32, { pref: 95, fwmark: 9, invert: true, table: 100 })).toBe('ok');
		expect(await via('50.0.0.1')).toBe('10.9.0.253');
		expect(await via('50.0.0.1 mark 9')).toBe('10.9.0.254');
		expect(rule(r, 33, { pref: 95 })).toBe('ok');
		expect(rule(r, 33, { pref: 4242 })).toBe('-2');
		expect(await via('50.0.0.1')).toBe('10.9.0.254');
	});
});
