// A laptop behind a router that translates addresses, and a server on the far side: 20 ms away each way, where 1 % of all frames are lost.
import { World } from 'linnet';

export const SERVER = '203.0.113.10';

export async function office({ pace = 0, seed = 1 } = {}) {
	const world = new World({ seed, pace });
	const hosts = { files: { '/etc/hosts': `127.0.0.1 localhost\n${SERVER} server.example\n` } };
	const laptop = world.host('laptop', hosts);
	const router = world.host('router', { sysctl: { 'net.ipv4.ip_forward': 1 } });
	const server = world.host('server', hosts);
	world.link(laptop.nic('eth0'), router.nic('lan'), { delay: 0.2 });
	world.link(router.nic('wan'), server.nic('eth0'), { delay: 20, loss: 0.01 });
	await laptop.must('ip addr add 192.168.1.10/24 dev eth0; ip link set eth0 up; ip route add default via 192.168.1.1');
	await router.must(`ip addr add 192.168.1.1/24 dev lan; ip link set lan up; ip addr add 203.0.113.1/24 dev wan; ip link set wan up
		iptables -t nat -A POSTROUTING -o wan -j MASQUERADE
		iptables -P FORWARD DROP
		iptables -A FORWARD -i lan -j ACCEPT
		iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`);
	await server.must(`ip addr add ${SERVER}/24 dev eth0; ip link set eth0 up`);
	return { world, laptop, router, server };
}

/** Runs an example that was started by its name. */
export async function main(meta, example) {
	if (process.argv[1] === undefined || !meta.url.endsWith(process.argv[1].split('/').at(-1))) return;
	console.log(await example());
}
