/*
 * linnet/vitest: what the matchers say of captured hosts and of hosts in labs.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { icmp, importHost, matchers, packet, reply, tcp, udp } from '../../src/cli/vitest.ts';
import { World } from '../../src/lab/world.ts';

const office = importHost(join(import.meta.dirname, '../../examples/office/host'));
const web = tcp('198.51.100.7:40000', '203.0.113.5:443').on('eth0');

/** What a matcher says when it fails. */
async function says(work: Promise<void>): Promise<string> {
	return work.then(
		() => 'nothing',
		(e: unknown) => (e as Error).message,
	);
}

describe('a captured host', () => {
	it('forwards, drops, rejects, delivers, sends', async () => {
		const host = await office;
		await expect(host).toForward(web, { to: '10.20.0.10:8443', out: 'eth2', rule: 'filter/DMZ_IN 1' });
		await expect(host).toForward(reply(web), { src: '203.0.113.5:443', to: '198.51.100.7:40000' });
		await expect(host).toDrop(icmp('192.168.10.99', '203.0.113.5').on('eth0'), { reason: 'IP_RPFILTER' });
		await expect(host).toReject(tcp('192.168.10.20:5555', '198.51.100.7:25').on('eth1'));
		await expect(host).toDeliver(udp('192.168.10.20:5353', '192.168.10.1:53').on('eth1'));
		await expect(host).toAccept(udp('192.168.10.20:5353', '192.168.10.1:53'));
		await expect(host).toSend(udp('203.0.113.5:5000', '9.9.9.9:53').out());
		await expect(host).not.toForward(packet('IP(src="198.51.100.7",dst="203.0.113.5")/TCP(dport=23)').on('eth0'));
	});

	it('is asked anew each time, and time passes for later packets only', async () => {
		const host = await office;
		const out = tcp('192.168.10.20:50000', '93.184.216.34:443').on('eth1');
		await expect(host).toForward(reply(out).later('1m'), { to: '192.168.10.20:50000' });
		await expect(host).toDrop(reply(out).later('10m'));
		await expect(host).toDrop(tcp('93.184.216.34:443', '203.0.113.5:50000').on('eth0').with('flags SA'));
	});

	it('says what was expected, what came and the way there', async () => {
		const host = await office;
		const text = await says(expect(host).toDrop(web));
		expect(text).toContain('expected tcp 198.51.100.7:40000 203.0.113.5:443 on eth0 to drop');
		expect(text).toContain('actual    forward out eth2 to 10.20.0.10:8443');
		expect(text).toMatch(/nat +PREROUTING rule 1: -A PREROUTING/);
		expect(await says(expect(host).not.toForward(web))).toContain('not to forward, but: forward out eth2');
	});

	it('refuses what it cannot understand', async () => {
		const host = await office;
		expect(await says(expect(host).toDrop(web, { reason: 'IP_RPFILTR' }))).toContain("expected 'IP_RPFILTER'?");
		expect(await says(expect(host).toForward(web, { to: 'web' }))).toContain("to: 'web' came; expected ADDRESS");
		expect(await says(expect(host).toForward(web, { tо: '1.2.3.4' } as object))).toContain(
			'is nothing that can be expected',
		);
		expect(await says(expect(host).toForward(web.on('eth9')))).toContain("there is no device 'eth9' on gw");
		expect(await says(expect('gw').toForward(web))).toContain('a host is expected');
		expect(() => tcp('198.51.100.7', '203.0.113.5:443')).toThrow('expected ADDRESS:PORT');
	});

	it('the matchers are what expect.extend of jest takes', async () => {
		const r = await matchers.toForward(await office, web);
		expect(r.pass).toBe(true);
		expect(r.message()).toContain('not to forward');
	});
});

describe('a host of a lab', () => {
	it('keeps what happened to it', async () => {
		const world = new World({ seed: 1 });
		const [a, gw, b] = ['a', 'gw', 'b'].map((n) => world.host(n));
		world.link(a.nic('eth0'), gw.nic('eth0'), { delay: 1 });
		world.link(b.nic('eth0'), gw.nic('eth1'), { delay: 1 });
		await a.must('ip addr add 10.0.1.2/24 dev eth0; ip link set eth0 up');
		await b.must('ip addr add 10.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.1');
		await gw.must(
			'ip addr add 10.0.1.1/24 dev eth0; ip addr add 10.0.2.1/24 dev eth1; ip link set eth0 up; ip link set eth1 up; sysctl -qw net.ipv4.ip_forward=1; ' +
				'iptables -P FORWARD DROP; iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables -A FORWARD -i eth0 -p udp --dport 53 -j ACCEPT; ' +
				'iptables -t nat -A PREROUTING -d 10.0.1.1 -p udp --dport 53 -j DNAT --to-destination 10.0.2.2:53',
		);
		await expect(gw).toDrop(udp('10.0.2.2:53', '10.0.1.2:5000').on('eth1'), { rule: 'filter/FORWARD policy' });
		await expect(gw).toForward(udp('10.0.1.2:5000', '10.0.1.1:53').on('eth0'), {
			to: '10.0.2.2:53',
			out: 'eth1',
			rule: '-A FORWARD -i eth0 -p udp -m udp --dport 53 -j ACCEPT',
		});
		// Its flow is known now.
		await expect(gw).toForward(udp('10.0.2.2:53', '10.0.1.2:5000').on('eth1'), { src: '10.0.1.1:53' });
		await expect(gw).toSend(udp('10.0.1.1:7', '10.0.1.2:9').out());
		expect(await says(expect(gw).toDrop(udp('10.0.1.2:5000', '10.0.1.1:53')))).toContain("say .on('eth0') or .out()");
	});
});
