/*
 * test/lab/lossy_world.ts: two hosts and a router, a cable that loses, doubles, delays and breaks frames, pings by the shell and UDP by a
 * process; all that crossed the cables as a pcap. Knows nothing of Node: the browser runs it too.
 */
import { World } from '../../src/lab/index.ts';
import { type PacketToWrite, writePcap } from '../../src/packet/pcap.ts';
import { AF_INET, msghdr, SOCK_DGRAM, sockaddr_in } from '../../src/uapi/linux/socket.ts';

const EPOCH = 1767225600;

/** The same seed gives the same bytes. */
export async function captureOfLossyWorld(seed: number): Promise<Uint8Array> {
	const world = new World({ seed });
	const [a, r, b] = ['a', 'r', 'b'].map((name) => world.host(name));
	const links = [
		world.link(a.nic('eth0'), r.nic('eth0'), { delay: 3, jitter: 2, loss: 0.1, duplicate: 0.05, corrupt: 0.05 }),
		world.link(r.nic('eth1'), b.nic('eth0'), { delay: 1, rate: 1e6, queue: 3 }),
	];
	const seen: PacketToWrite[] = [];
	for (const link of links)
		link.tap(({ time, bytes }) => {
			seen.push({ sec: EPOCH + Math.floor(time / 1e9), nsec: time % 1e9, data: bytes });
		});
	await a.must('ip addr add 10.0.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.1.1');
	await b.must('ip addr add 10.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.1');
	await r.must(
		'ip addr add 10.0.1.1/24 dev eth0; ip addr add 10.0.2.1/24 dev eth1; ip link set eth0 up; ip link set eth1 up',
	);
	await r.must('sysctl -w net.ipv4.ip_forward=1');
	const pings = a.spawn('ping -c 20 -i 0.1 -s 200 10.0.2.2');
	await b.process('sender', async (proc) => {
		const fd = proc.socket(AF_INET, SOCK_DGRAM, 0);
		for (let i = 0; i < 50; i++) {
			// Nobody listens: each is answered by an ICMP error, at the rate that the kernel allows.
			await proc.sendmsg(fd, new msghdr(new Uint8Array(40 + i * 50), sockaddr_in(0x0a000102, 33434 + i)));
			await proc.sleep(37);
		}
		proc.close(fd);
	});
	await pings.done;
	await a.must('ip neigh flush all; ping -c 2 10.0.2.2 || true');
	await world.run('5s');
	return writePcap(seen, { nanoseconds: true });
}
