/*
 * bench/linux.ts: the peer: what this machine's own kernel forwards between two veth, when we are root on Linux. See README.md.
 *
 *     namespace L: l → (veth) → in: namespace R: out → (veth) → s: namespace S
 *
 * L sends (linux-sender.py), R routes, S counts: all on one CPU.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Side } from './bench.ts';

export type Generator = 'packet' | 'xdp';

function sh(script: string, stdin = ''): string {
	return execFileSync('sh', ['-ec', script], { input: stdin, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}

let serial = 0;

/** Whether namespaces can be made, and there are programs for it. */
function able(): boolean {
	if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
	try {
		sh('ip -V; python3 -V');
		return true;
	} catch {
		return false;
	}
}

/** A router of namespaces; `setup` (a shell command, fed `stdin`) runs in it. null when this machine cannot. */
export async function linuxForward(
	setup: string,
	stdin = '',
	generator: Generator = 'packet',
	count = 4e6,
): Promise<Side | null> {
	if (!able()) return null;
	const id = `lnb${process.pid}x${serial++}`;
	const [l, r, s] = [`${id}l`, `${id}r`, `${id}s`];
	const close = (): void => {
		for (const n of [l, r, s]) {
			try {
				sh(`ip netns del ${n} 2>/dev/null`);
			} catch {}
		}
	};
	try {
		sh(`
			for n in ${l} ${r} ${s}; do ip netns add $n; done
			ip -n ${r} link add in type veth peer name l netns ${l}
			ip -n ${r} link add out type veth peer name s netns ${s}
			ip -n ${l} link set dev l address 02:00:00:00:01:02 up
			ip -n ${s} link set dev s up
			ip -n ${r} link set dev in up
			ip -n ${r} link set dev out up
			ip -n ${r} addr add 10.0.0.1/24 dev in
			ip -n ${r} addr add 10.0.1.1/24 dev out
			ip -n ${r} route add 10.1.0.0/16 via 10.0.1.2
			ip -n ${r} neigh replace 10.0.1.2 lladdr 02:00:00:00:02:02 dev out nud permanent
			ip netns exec ${r} sysctl -qw net.ipv4.ip_forward=1
		`);
		if (setup !== '') sh(`ip netns exec ${r} ${setup}`, stdin);
	} catch {
		close();
		return null;
	}
	const mac = sh(`ip netns exec ${r} cat /sys/class/net/in/address`).trim();
	const counted = (): number => Number(sh(`ip netns exec ${s} cat /sys/class/net/s/statistics/rx_packets`));
	const where = generator === 'packet' ? [l, 'l'] : [r, 'in'];
	const script = `${import.meta.dirname}/linux-sender.py`;
	let n = count;
	const send = async (): Promise<number> => {
		const before = counted();
		const argv = `python3 ${script} ${generator} ${where[1]} ${mac} ${n} ${cpus().length - 1}`;
		const seconds = Number(sh(`ip netns exec ${where[0]} ${argv}`));
		return (counted() - before) / seconds;
	};
	// A first, short run says how many packets make about half a second.
	n = 20000;
	await send();
	n = Math.max(5000, Math.min(count, Math.round((await send()) / 2)));
	return { round: send, close };
}

/** What iperf3 moves between two namespaces over veth, in bits a second; `flat`: every frame cut to the MTU. null when this machine cannot. */
export async function linuxTcp(flat: boolean): Promise<Side | null> {
	if (!able()) return null;
	try {
		sh('command -v iperf3');
	} catch {
		return null;
	}
	const id = `lnb${process.pid}x${serial++}`;
	const [c, s] = [`${id}c`, `${id}s`];
	const close = (): void => {
		try {
			sh(`ip netns pids ${s} | xargs -r kill 2>/dev/null; ip netns del ${c}; ip netns del ${s}`);
		} catch {}
	};
	try {
		sh(`
			ip netns add ${c}; ip netns add ${s}
			ip -n ${c} link add v type veth peer name v netns ${s}
			ip -n ${c} addr add 10.0.0.1/24 dev v
			ip -n ${s} addr add 10.0.0.2/24 dev v
			ip -n ${c} link set dev v up
			ip -n ${s} link set dev v up
			ip netns exec ${s} iperf3 -s -D >/dev/null 2>&1
		`);
		if (flat) for (const n of [c, s]) sh(`ip netns exec ${n} ethtool -K v tso off gso off gro off >/dev/null`);
	} catch {
		close();
		return null;
	}
	await new Promise((done) => setTimeout(done, 300));
	const round = async (): Promise<number> => {
		// Sender and receiver share one CPU, as they do in our process.
		const text = sh(`ip netns exec ${c} iperf3 -c 10.0.0.2 -t 1 -J -A 0,0`);
		return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
			.bits_per_second;
	};
	return { round, close };
}
