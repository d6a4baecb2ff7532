import { expect, test } from 'vitest';
import { World } from '../../../src/lab/index.ts';

const CONF = `start 10.5.0.20
end 10.5.0.21
interface eth0
lease_file /tmp/leases
pidfile /tmp/pid
option subnet 255.255.255.0
opt router 10.5.0.1
option dns 10.5.0.1
option domain lan
option lease 600
static_lease 02:00:00:03:00:01 10.5.0.99
`;

async function lan() {
	const world = new World({ seed: 1 });
	const s = world.host('s', {
		files: {
			'/etc/udhcpd.conf': CONF,
			'/tmp/leases': '',
			'/etc/dnsd.conf': 'www.lan 10.5.0.1\nmail.lan 10.5.0.7\n',
			'/www/index.html': 'home\n',
		},
	});
	const hosts = ['a', 'b', 'c', 'd'].map((n) => world.host(n));
	world.switch('lan', [s.nic('eth0'), ...hosts.map((h) => h.nic('eth0'))]);
	await s.must('ip addr add 10.5.0.1/24 dev eth0; ip link set eth0 up; udhcpd; dnsd -d; httpd -p 80 -h /www');
	return { world, s, hosts };
}

test('a host without an address gets one, with its route and its name server', async () => {
	const { s, hosts } = await lan();
	const [a] = hosts;
	expect(await a.sh('udhcpc -n -q -i eth0')).toEqual({
		stdout: '',
		stderr:
			'udhcpc: started, v1.35.0\nudhcpc: broadcasting discover\nudhcpc: broadcasting select for 10.5.0.21, server 10.5.0.1\n' +
			'udhcpc: lease of 10.5.0.21 obtained from 10.5.0.1, lease time 600\n',
		exitCode: 0,
	});
	expect(await a.must('ip -br -4 addr show dev eth0')).toMatch(/^eth0 +UP +10\.5\.0\.21\/24 *\n$/);
	expect(await a.must('ip route')).toContain('default via 10.5.0.1 dev eth0');
	expect(await a.must('cat /etc/resolv.conf')).toBe('search lan\nnameserver 10.5.0.1\n');
	expect(await a.must('curl -s http://www.lan/; curl -s http://www/')).toBe('home\nhome\n');
	expect(await a.must('nslookup mail.lan; nslookup 10.5.0.7')).toBe(
		'Server:\t\t10.5.0.1\nAddress:\t10.5.0.1:53\n\nName:\tmail.lan\nAddress: 10.5.0.7\n\n\n' +
			'Server:\t\t10.5.0.1\nAddress:\t10.5.0.1:53\n\n7.0.5.10.in-addr.arpa\tname = mail.lan\n\n',
	);
	expect(await a.sh('nslookup none.lan')).toMatchObject({
		exitCode: 1,
		stdout:
			"Server:\t\t10.5.0.1\nAddress:\t10.5.0.1:53\n\n** server can't find none.lan: NXDOMAIN\n\n** server can't find none.lan: NXDOMAIN\n\n",
	});
	expect(await s.must('wc -c < /tmp/leases')).toMatch(/^\s*44\s*$/);
});

test('the pool ends; a static lease stands outside of it; a released address is given again', async () => {
	const { hosts } = await lan();
	const [a, b, c, d] = hosts;
	await a.must('udhcpc -n -q -i eth0');
	await b.must('udhcpc -n -q -i eth0');
	expect(await b.must('ip -br -4 addr show dev eth0')).toContain('10.5.0.20/24');
	// The third host has the hardware address of the static lease.
	await c.must('udhcpc -n -q -i eth0');
	expect(await c.must('ip -br -4 addr show dev eth0')).toContain('10.5.0.99/24');
	const full = await d.sh('udhcpc -n -q -i eth0 -t 2 -T 1');
	expect(full.exitCode).toBe(1);
	expect(full.stderr).toBe(
		'udhcpc: started, v1.35.0\nudhcpc: broadcasting discover\nudhcpc: broadcasting discover\nudhcpc: no lease, failing\n',
	);
	expect((await a.sh('udhcpc -n -q -R -i eth0')).stderr).toContain('udhcpc: entering released state\n');
	await d.must('udhcpc -n -q -i eth0');
	expect(await d.must('ip -br -4 addr show dev eth0')).toContain('10.5.0.21/24');
});

test('a lease is renewed at its half; a script is told of it', async () => {
	const { hosts } = await lan();
	const [a] = hosts;
	await a.must('mkdir -p /etc/udhcpc; echo \'echo "$1 $ip $mask $router" >> /tmp/events\' > /etc/udhcpc/script');
	const job = a.spawn('udhcpc -f -i eth0 -s /etc/udhcpc/script');
	await a.sh('ip link set eth0 up; ip addr add 10.5.0.21/24 dev eth0; sleep 301');
	expect(await a.must('cat /tmp/events')).toBe(
		'deconfig   \nbound 10.5.0.21 24 10.5.0.1\nrenew 10.5.0.21 24 10.5.0.1\n',
	);
	job.kill(12);
	await job.done;
	expect(job.stderr.text()).toContain('udhcpc: sending renew to server 10.5.0.1\n');
	expect(job.stderr.text()).toContain('udhcpc: entering released state\n');
});

test('what is wrong is said', async () => {
	const { hosts } = await lan();
	const [a] = hosts;
	expect((await a.sh('udhcpc -i nodev -n')).stderr).toBe('udhcpc: SIOCGIFINDEX: No such device\n');
	expect((await a.sh('udhcpd -f /nosuch')).stderr).toBe('udhcpd: /nosuch: No such file or directory\n');
	expect((await a.sh('udhcpc -a')).stderr).toBe('udhcpc: option -a is not supported by linnet\n');
	expect((await a.sh('dnsd -c /nosuch')).exitCode).toBe(1);
});
