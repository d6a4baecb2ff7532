/*
 * test/packetdrill/differ.ts: the same random segments and calls for the real kernel and for linnet; what each answers must be the same.
 * As root: node scripts/run.mjs test/packetdrill/differ.ts SEED [COUNT]
 */
import { resolve } from 'node:path';
import { filesNamed } from '../../src/cli/packetdrill.ts';
import type { Kernel } from '../../src/packetdrill/kernel.ts';
import { withLinnetKernel } from '../../src/packetdrill/linnet.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { type RunConfig, runScript } from '../../src/packetdrill/run.ts';
import { flagText, optionText, parsePacket } from '../../src/packetdrill/wire.ts';
import { LinuxKernel } from './linux.ts';

/** Numbers from a seed (mulberry32). */
function dice(seed: number): (n: number) => number {
	let s = seed >>> 0;
	return (n) => {
		s = (s + 0x6d2b79f5) >>> 0;
		let t = Math.imul(s ^ (s >>> 15), s | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

function scriptOf(seed: number): string {
	const d = dice(seed);
	const pick = <T>(xs: readonly T[]): T => xs[d(xs.length)];
	const ts = d(3) === 0;
	const sack = d(4) !== 0;
	const ws = d(4) !== 0;
	const out: string[] = ['`../defaults.sh`'];
	let t = 0;
	out.push('0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3');
	if (d(4) === 0) out.push(`+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [${pick([2000, 5000, 20000])}], 4) = 0`);
	if (d(6) === 0) out.push(`+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [${pick([2000, 5000, 20000])}], 4) = 0`);
	out.push('+0 bind(3, ..., ...) = 0', '+0 listen(3, 1) = 0');
	const opts = [`mss ${pick([536, 1000, 1460])}`];
	if (ts) opts.push(sack ? 'sackOK' : 'nop,nop', 'TS val 1000 ecr 0');
	else if (sack) opts.push('nop,nop,sackOK');
	if (ws) opts.push('nop,wscale 7');
	out.push(
		`+0 < S 0:0(0) win 65535 <${opts.join(',')}>`,
		`+0 > S. 0:0(0) ack 1 <${ts ? 'mss 1460,TS val 100 ecr 1000' : '...'}>`,
	);
	const stamp = (old: boolean): string => (ts ? ` <nop,nop,TS val ${(old ? 500 : 1000) + t} ecr 100>` : '');
	const win = (): number => (ws ? pick([500, 500, 500, 8, 1, 0, 20]) : pick([60000, 60000, 5000, 1000, 0, 100]));
	t += 100;
	out.push(`+.1 < . 1:1(0) ack 1 win ${ws ? 500 : 60000}${stamp(false)}`);
	out.push('+0 accept(3, ..., ...) = 4', '+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0');
	let next = 1;
	let sent = 1;
	let acked = 1;
	for (let i = 0; i < 14; i++) {
		t += 117;
		switch (d(10)) {
			case 0:
			case 1: {
				const n = pick([1, 100, 500, 1000, 3000, 7000]);
				out.push(`+.117 write(4, ..., ${n}) = ...`);
				sent += n;
				break;
			}
			case 2:
				out.push(`+.117 read(4, ..., ${pick([1, 100, 1000, 100000])}) = ...`);
				break;
			case 3:
				out.push(
					pick([
						'+.117 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = ...',
						'+.117 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = ...',
						'+.117 setsockopt(4, SOL_TCP, TCP_CORK, [0], 4) = ...',
						'+.117 setsockopt(4, SOL_TCP, TCP_QUICKACK, [1], 4) = ...',
						'+.117 shutdown(4, SHUT_WR) = ...',
						'+.117 ioctl(4, SIOCINQ, [0]) = ...',
					]),
				);
				break;
			case 4: {
				// An ACK of some of it.
				acked = Math.min(sent, acked + pick([0, 100, 500, 1000, 2000, 100000]));
				out.push(`+.117 < . ${next}:${next}(0) ack ${acked} win ${win()}${stamp(false)}`);
				break;
			}
			case 5:
			case 6: {
				const n = pick([1, 10, 100, 536, 1000, 1460]);
				if (d(8) === 0) acked = sent;
				out.push(`+.117 < P. ${next}:${next + n}(${n}) ack ${acked} win ${win()}${stamp(false)}`);
				next += n;
				break;
			}
			case 7: {
				// Something out of order, or old.
				const n = pick([0, 1, 100, 1000]);
				const at = Math.max(0, next + pick([-1500, -100, -1, 100, 1000, 1001, 3000, 70000]));
				out.push(`+.117 < . ${at}:${at + n}(${n}) ack ${acked} win ${win()}${stamp(d(4) === 0)}`);
				break;
			}
			case 8: {
				const flags = pick(['R', 'R.', 'S', 'F.', 'FP.', 'PU.', 'S.', 'P', 'SF']);
				const at = Math.max(0, next + pick([0, 0, 0, 1, 500, 100000]));
				const n = flags.includes('P') ? 10 : 0;
				const ack = flags.includes('.') ? ` ack ${pick([acked, acked, sent, sent + 5000, 0])}` : '';
				// A SYN's number is not relative.
				out.push(
					`+.117 < ${flags} ${at}:${at + n}(${n})${ack} win ${win()}${flags.includes('U') ? ' urg 5' : ''}${stamp(false)}`,
				);
				break;
			}
			default:
				if (sack && acked < sent) {
					const from = acked + pick([1, 100, 536, 1000]);
					const to = Math.min(sent, from + pick([100, 536, 1000]));
					if (from < to) {
						out.push(
							`+.117 < . ${next}:${next}(0) ack ${acked} win ${win()} <nop,nop${ts ? `,TS val ${1000 + t} ecr 100,nop,nop` : ''},sack ${from}:${to}>`,
						);
						break;
					}
				}
				out.push('+.117 poll([{fd=4, events=POLLIN|POLLOUT|POLLRDHUP, revents=...}], 1, 0) = ...');
		}
	}
	return out.join('\n');
}

async function observe(kernel: Kernel, text: string, seen: string[], calls: string[]): Promise<void> {
	const config: RunConfig = {
		local_ip: 0xc0a80001,
		remote_ip: 0xc0000201,
		bind_port: 8080,
		connect_port: 8080,
		tolerance_usecs: 1e6,
		tcp_ts_tick_usecs: 0,
		strict_segments: false,
		non_fatal: new Set(['packet', 'syscall']),
		verbose: (line) => {
			const m = /^[\d.]+ (\w+\(.*) -> (.*)$/.exec(line);
			if (m !== null && !/^(socket|accept)/.test(m[1])) calls.push(`${m[1]} -> ${m[2]}`);
		},
		print: () => {},
		warn: () => {},
	};
	let isn = -1;
	const receive = kernel.receive.bind(kernel);
	kernel.receive = async (deadline) => {
		const got = await receive(deadline);
		if (got !== null) note(got);
		return got;
	};
	const note = (got: { time: number; packet: Uint8Array }): void => {
		const p = parsePacket(got.packet);
		if (p.kind !== 'tcp') {
			seen.push(`${p.kind}`);
			return;
		}
		const s = p.segment;
		if (isn < 0) isn = s.seq;
		const rst = (s.flags & 20) === 4;
		const seq = s.seq < 1e6 && rst ? `abs ${s.seq}` : String((s.seq - isn) >>> 0);
		const options = s.options.filter((o) => o.kind !== 'TS');
		seen.push(
			`${(Math.round(got.time / 1000) / 1000).toFixed(3)} ${flagText(s.flags)} ${seq}(${s.len}) ack ${s.ack} win ${s.win} <${optionText(options)}>`,
		);
	};
	await runScript(parseScript('differ', text), kernel, config);
	for (;;) if ((await kernel.receive(kernel.now() + 1)) === null) break;
}

/** What is compared: no times, and nothing that was sent before (a real machine's timers are late, so that may come at another step). */
function plain(xs: string[]): string {
	let end = 0;
	return xs
		.map((x) => x.replace(/^[\d.]+ /, ''))
		.filter((x) => {
			const m = /^\S+ (\d+)\((\d+)\)/.exec(x);
			if (m === null || m[2] === '0') return true;
			const again = Number(m[1]) < end;
			end = Math.max(end, Number(m[1]) + Number(m[2]));
			return !again;
		})
		.join('\n');
}

async function main(): Promise<void> {
	const first = Number(process.argv[2]);
	const count = Number(process.argv[3] ?? 1);
	let same = 0;
	for (let seed = first; seed < first + count; seed++) {
		const text = scriptOf(seed);
		const ours: string[] = [];
		const ourCalls: string[] = [];
		const theirs: string[] = [];
		const theirCalls: string[] = [];
		const file = resolve('test/packetdrill/send/x.pkt');
		const network = {
			local_ip: '192.168.0.1',
			remote_ip: '192.0.2.1',
			gateway_ip: '192.168.0.1',
			prefix: 16,
			mtu: 1500,
			seed: 1,
		};
		await withLinnetKernel({ ...network, files: filesNamed(file, text) }, (k) => observe(k, text, ours, ourCalls));
		const kernel = new LinuxKernel(resolve('test/packetdrill/send'));
		try {
			await kernel.setup();
			await observe(kernel, text, theirs, theirCalls);
		} finally {
			await kernel.close();
		}
		if (plain(ours) === plain(theirs) && ourCalls.join() === theirCalls.join()) {
			same++;
			continue;
		}
		console.log(`==== seed ${seed}\n${text}`);
		console.log(`-- Linux\n${theirs.join('\n')}\n-- linnet\n${ours.join('\n')}`);
		ourCalls.forEach((c, i) => {
			if (c !== theirCalls[i]) console.log(`call: Linux ${theirCalls[i]} | linnet ${c}`);
		});
	}
	console.log(`${same} passed, ${count - same} failed: the same answers to random segments`);
}

await main();
