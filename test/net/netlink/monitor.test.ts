/*
 * test/net/netlink/monitor.test.ts: `ip monitor` over a machine that changes: what the real one printed of the same commands.
 */
import { expect, test } from 'vitest';
import { send_sig } from '../../../src/kernel/sched.ts';
import { ip } from '../../../src/user/iproute2/ip.ts';
import { machine, process, run_ip } from './rig.ts';

/** What `ip ARGS` printed while the commands ran. */
async function watch(args: string, commands: readonly string[], before: readonly string[] = []): Promise<string> {
	const m = machine();
	for (const c of before) await run_ip(m, c);
	const proc = process(m, ['ip', ...args.split(' ')]);
	const done = ip(proc);
	await new Promise((r) => setImmediate(r));
	for (const c of commands) {
		const out = await run_ip(m, c);
		expect(out).toBe('');
		await new Promise((r) => setImmediate(r));
	}
	send_sig(2, proc.task);
	await done;
	return proc.stdout.text();
}

const LINK = 'link add a0 address 02:00:00:00:00:0a type veth peer name b0 address 02:00:00:00:00:0b';

test('links', async () => {
	expect(
		await watch('monitor link', [LINK, 'link set a0 up', 'link set b0 up', 'link set a0 name a1', 'link del a1']),
	).toBe(
		`2: b0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default 
    link/ether 02:00:00:00:00:0b brd ff:ff:ff:ff:ff:ff
3: a0@b0: <BROADCAST,MULTICAST,M-DOWN> mtu 1500 qdisc noop state DOWN group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
3: a0@b0: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue state LOWERLAYERDOWN group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
2: b0@a0: <NO-CARRIER,BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state LOWERLAYERDOWN group default 
    link/ether 02:00:00:00:00:0b brd ff:ff:ff:ff:ff:ff
2: b0@a0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default 
    link/ether 02:00:00:00:00:0b brd ff:ff:ff:ff:ff:ff
3: a0@b0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
3: a1@b0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
3: a1@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
2: b0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default 
    link/ether 02:00:00:00:00:0b brd ff:ff:ff:ff:ff:ff
Deleted 3: a1@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default 
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
Deleted 2: b0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default 
    link/ether 02:00:00:00:00:0b brd ff:ff:ff:ff:ff:ff
`,
	);
});

test('addresses, routes, neighbours and rules, with labels', async () => {
	const out = await watch(
		'monitor all',
		[
			'addr add 10.0.0.1/24 dev a0',
			'route add 10.5.0.0/16 via 10.0.0.2',
			'neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev a0',
			'rule add from 1.2.3.4 table 7',
			'rule del from 1.2.3.4 table 7',
			'neigh del 10.0.0.5 dev a0',
			'route del 10.5.0.0/16',
			'addr del 10.0.0.1/24 dev a0',
		],
		[LINK, 'link set a0 up', 'link set b0 up'],
	);
	expect(out).toBe(`[ADDR]3: a0    inet 10.0.0.1/24 scope global a0
       valid_lft forever preferred_lft forever
[ROUTE]local 10.0.0.1 dev a0 table local proto kernel scope host src 10.0.0.1 
[ROUTE]10.0.0.0/24 dev a0 proto kernel scope link src 10.0.0.1 
[ROUTE]broadcast 10.0.0.255 dev a0 table local proto kernel scope link src 10.0.0.1 
[ROUTE]10.5.0.0/16 via 10.0.0.2 dev a0 
[NEIGH]10.0.0.5 dev a0 lladdr 02:00:00:00:00:05 PERMANENT 
[RULE]32765:	from 1.2.3.4 lookup 7
[RULE]Deleted 32765:	from 1.2.3.4 lookup 7
[NEIGH]10.0.0.5 dev a0 FAILED 
[NEIGH]Deleted 10.0.0.5 dev a0 FAILED 
[ROUTE]Deleted 10.5.0.0/16 via 10.0.0.2 dev a0 
[ADDR]Deleted 3: a0    inet 10.0.0.1/24 scope global a0
       valid_lft forever preferred_lft forever
[ROUTE]Deleted 10.0.0.0/24 dev a0 proto kernel scope link src 10.0.0.1 
[ROUTE]Deleted broadcast 10.0.0.255 dev a0 table local proto kernel scope link src 10.0.0.1 
[ROUTE]Deleted local 10.0.0.1 dev a0 table local proto kernel scope host src 10.0.0.1 
`);
});

test('the time in front', async () => {
	const at = await watch('-ts monitor rule', ['rule add from 1.2.3.4 table 7']);
	expect(at).toMatch(/^\[2026-01-01T00:00:00\.\d{6}\] 32765:\tfrom 1\.2\.3\.4 lookup 7\n$/);
	const long = await watch('-t monitor rule', ['rule add from 1.2.3.4 table 7']);
	expect(long).toMatch(/^Timestamp: Thu Jan {2}1 00:00:00 2026 \d+ usec\n32765:/);
});
