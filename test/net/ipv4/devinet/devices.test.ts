import { describe, expect, it } from 'vitest';
import { sysctl_read, sysctl_write } from '../../../../src/kernel/sysctl.ts';
import { unregister_netdevice } from '../../../../src/net/core/dev.ts';
import { copy_net_ns } from '../../../../src/net/core/net_namespace.ts';
import { inet_confirm_addr, inet_select_addr } from '../../../../src/net/ipv4/devinet.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { add_dev, pass, rig, run_line } from '../rig.ts';

describe('devices', () => {
	it('one that goes takes its addresses and routes along', async () => {
		const r = rig(['v0', 'd0']);
		for (const l of [
			'ip link set v0 up',
			'ip link set d0 up',
			'ip addr add 10.0.0.1/24 dev v0',
			'ip addr add 10.9.0.1/24 dev d0',
			'ip route add 50.0.0.0/8 via 10.0.0.254',
			'ip route add 51.0.0.0/8 nexthop via 10.0.0.254 nexthop via 10.9.0.254',
		])
			expect(await run_line(r, l)).toBe('');
		unregister_netdevice(r.net.dev_name_head.get('v0')!);
		pass(r, 1);
		expect(await run_line(r, 'ip route show table all')).toBe(
			[
				'10.9.0.0/24 dev d0 proto kernel scope link src 10.9.0.1 ',
				'local 10.9.0.1 dev d0 table local proto kernel scope host src 10.9.0.1 ',
				'broadcast 10.9.0.255 dev d0 table local proto kernel scope link src 10.9.0.1 ',
				'',
			].join('\n'),
		);
		expect(sysctl_read(r.net, 'net/ipv4/conf/v0/rp_filter')).toBe(-2);
	});

	it('lifetimes end', async () => {
		const r = rig(['v0']);
		await run_line(r, 'ip link set v0 up');
		await run_line(r, 'ip addr add 10.0.0.1/24 dev v0 valid_lft 20 preferred_lft 10');
		pass(r, 11);
		expect(await run_line(r, 'ip addr show v0')).toMatch(
			/inet 10\.0\.0\.1\/24 scope global deprecated dynamic v0\n +valid_lft [89]sec preferred_lft 0sec/,
		);
		pass(r, 10);
		expect(await run_line(r, 'ip addr show v0')).not.toContain('10.0.0.1');
		expect(await run_line(r, 'ip route show table all')).toBe('');
	});

	it('addresses are chosen by prefix and scope', async () => {
		const r = rig(['v0', 'd0']);
		for (const l of [
			'ip link set v0 up',
			'ip link set d0 up',
			'ip addr add 10.0.0.1/24 dev v0',
			'ip addr add 10.0.0.7/24 dev v0',
			'ip addr add 10.1.0.1/24 dev v0',
			'ip addr add 169.254.0.1/16 dev d0 scope link',
		])
			expect(await run_line(r, l)).toBe('');
		const v0 = r.net.dev_name_head.get('v0')!;
		const d0 = r.net.dev_name_head.get('d0')!;
		const a = ip_pton;
		expect(inet_select_addr(v0, a('10.1.0.9'), 0)).toBe(a('10.1.0.1'));
		expect(inet_select_addr(v0, a('99.0.0.1'), 0)).toBe(a('10.0.0.1'));
		// Link scope is too narrow for the world: another device's address.
		expect(inet_select_addr(d0, a('99.0.0.1'), 0)).toBe(a('10.0.0.1'));
		expect(inet_select_addr(d0, a('99.0.0.1'), 253)).toBe(a('169.254.0.1'));
		expect(inet_confirm_addr(r.net, v0.ip_ptr, a('10.0.0.9'), a('10.0.0.7'), 0)).toBe(a('10.0.0.7'));
		expect(inet_confirm_addr(r.net, v0.ip_ptr, a('10.0.0.9'), a('10.1.0.1'), 0)).toBe(0);
		expect(inet_confirm_addr(r.net, null, a('10.1.0.9'), 0, 0)).toBe(a('10.1.0.1'));
	});

	it('a new namespace begins with what the first has', () => {
		const r = rig();
		expect(sysctl_write(r.net, 'net/ipv4/conf/default/rp_filter', '1')).toBe(0);
		expect(sysctl_write(r.net, 'net/ipv4/ip_default_ttl', '99')).toBe(0);
		const n = copy_net_ns(r.machine);
		expect(sysctl_read(n, 'net/ipv4/conf/default/rp_filter')).toBe('1');
		expect(sysctl_read(n, 'net/ipv4/ip_default_ttl')).toBe('64');
		expect(sysctl_read(n, 'net/ipv4/conf/lo/rp_filter')).toBe('1');
		add_dev({ ...r, net: n }, 'x0');
		expect(sysctl_read(n, 'net/ipv4/conf/x0/forwarding')).toBe('0');
		expect(sysctl_read(r.net, 'net/ipv4/conf/x0/forwarding')).toBe(-2);
		// Linux shows the machine-wide ones in the first namespace alone.
		expect(sysctl_read(r.net, 'net/ipv4/route/error_cost')).toBe('250');
		expect(sysctl_read(n, 'net/ipv4/route/error_cost')).toBe(-2);
	});

	it('sysctls keep the bounds that Linux keeps', () => {
		const r = rig();
		const ok = (name: string, v: string): boolean => sysctl_write(r.net, `net/ipv4/${name}`, v) === 0;
		expect([ok('ip_default_ttl', '0'), ok('ip_default_ttl', '255'), ok('ip_default_ttl', '256')]).toEqual([
			false,
			true,
			false,
		]);
		expect([ok('fib_multipath_hash_policy', '3'), ok('fib_multipath_hash_policy', '4')]).toEqual([true, false]);
		expect([ok('route/min_pmtu', '67'), ok('route/min_pmtu', '68')]).toEqual([false, true]);
		expect([
			ok('ip_local_port_range', '1000 2000'),
			ok('ip_local_port_range', '20000 30000'),
			ok('ip_local_port_range', '3000 2000'),
		]).toEqual([false, true, false]);
		expect(sysctl_read(r.net, 'net/ipv4/ip_local_port_range')).toBe('20000\t30000');
		expect(ok('ip_local_reserved_ports', '1,2,3,5-7')).toBe(true);
		expect(sysctl_read(r.net, 'net/ipv4/ip_local_reserved_ports')).toBe('1-3,5-7');
		expect(ok('ip_local_reserved_ports', '9010-9000')).toBe(false);
		expect(ok('ping_group_range', '5 1')).toBe(true);
		expect(sysctl_read(r.net, 'net/ipv4/ping_group_range')).toBe('1\t0');
		expect([sysctl_read(r.net, 'net/ipv4/icmp_ratelimit'), sysctl_read(r.net, 'net/ipv4/route/mtu_expires')]).toEqual([
			'1000',
			'600',
		]);
	});
});
