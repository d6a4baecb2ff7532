/*
 * test/user/iproute2/ss.test.ts: ss as real Linux's says it (ss.py), its filters, and the kernel's code for them.
 */

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Host, World } from '../../../src/lab/index.ts';
import { inet_diag_bc_audit, inet_diag_bc_run, inet_diag_entry } from '../../../src/net/ipv4/inet_diag.ts';
import {
	AF_INET,
	msghdr,
	SO_BINDTODEVICE,
	SO_KEEPALIVE,
	SO_MARK,
	SO_REUSEADDR,
	SOCK_DGRAM,
	SOCK_RAW,
	SOCK_STREAM,
	SOL_SOCKET,
} from '../../../src/uapi/linux/socket.ts';
import { run_ssfilter, type ssfilter, ssfilter_bytecompile } from '../../../src/user/iproute2/ss_filter.ts';
import { fmt_g, print_ms_timer } from '../../../src/user/iproute2/ss_print.ts';
import type { Process } from '../../../src/user/libc.ts';
import { at } from '../../net/ipv4/tcp/lab.ts';

const linux: Record<string, [string, string, number]> = JSON.parse(
	readFileSync(new URL('ss.linux.json', import.meta.url), 'utf8'),
);
const ONE = new Uint8Array([1, 0, 0, 0]);

async function tcp(p: Process, port: number, peer = 0): Promise<number> {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE);
	expect(p.bind(fd, at('127.0.0.1', port))).toBe(0);
	if (peer !== 0) expect(await p.connect(fd, at('127.0.0.1', peer))).toBe(0);
	return fd;
}

/** The sockets of ss.py. */
async function scene(h: Host, then: () => Promise<void>): Promise<void> {
	await h.must('ip link set lo up');
	await h.process('python3', async (p) => {
		const l = await tcp(p, 8000);
		p.listen(l, 5);
		const c1 = await tcp(p, 40001, 8000);
		await p.accept(l, null);
		p.setsockopt(c1, SOL_SOCKET, SO_KEEPALIVE, ONE);
		const c2 = await tcp(p, 40002, 8000);
		await p.accept(l, null);
		await p.sendmsg(c2, new msghdr(new Uint8Array(100)), 0);
		p.shutdown(c2, 1);
		const c3 = await tcp(p, 40003, 8000);
		const a3 = await p.accept(l, null);
		p.close(c3);
		await p.sleep(20);
		p.close(a3);
		await tcp(p, 40004, 8000);
		const l2 = p.socket(AF_INET, SOCK_STREAM, 0);
		p.setsockopt(l2, SOL_SOCKET, SO_REUSEADDR, ONE);
		p.setsockopt(l2, SOL_SOCKET, SO_MARK, new Uint8Array([5, 0, 0, 0]));
		p.setsockopt(l2, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode('lo\0'));
		p.setsockopt(l2, 0, 1, new Uint8Array([0x10, 0, 0, 0]));
		p.bind(l2, at('0.0.0.0', 80));
		p.listen(l2, 1);
		p.bind(p.socket(AF_INET, SOCK_DGRAM, 0), at('0.0.0.0', 53));
		const u2 = p.socket(AF_INET, SOCK_DGRAM, 0);
		p.bind(u2, at('127.0.0.1', 40005));
		await p.connect(u2, at('127.0.0.1', 5353));
		p.socket(AF_INET, SOCK_RAW, 1);
		await p.sleep(200);
		await then();
	});
}

/** Lines in order of what they say; what differs from run to run is no matter. */
function settle(text: string, loose: boolean): string[] {
	// A socket is one line, also where it goes on in the next.
	const lines = text.replaceAll('\n\t', '\\').split('\n');
	const clean = lines.map((l) => {
		const s = l
			.replace(/ino:[1-9]\d*/, 'ino:N')
			.replace(/sk:[0-9a-f]+/, 'sk:N')
			.replace(/id=\d+/g, 'id=N');
		return loose ? s.replace(/ +/g, ' ').trimEnd() : s;
	});
	return [clean[0], ...clean.slice(1).sort()];
}

test('ss: as Linux says', async () => {
	const h = new World({ seed: 1 }).host('h');
	const bad: string[] = [];
	await scene(h, async () => {
		for (const [args, [stdout, stderr, status]] of Object.entries(linux)) {
			if (args === '-s') continue;
			const r = await h.sh(`ss ${args}`);
			const loose = /e|p|T/.test(args.split(' ')[0].replace('--', ''));
			if (JSON.stringify(settle(r.stdout, loose)) !== JSON.stringify(settle(stdout, loose)))
				bad.push(
					`ss ${args}\nlinux:\n${settle(stdout, loose).join('\n')}\nlinnet:\n${settle(r.stdout, loose).join('\n')}`,
				);
			if (r.stderr !== stderr || r.exitCode !== status)
				bad.push(`ss ${args}: linux ${status} ${stderr}, linnet ${r.exitCode} ${r.stderr}`);
		}
	});
	expect(bad.join('\n')).toBe('');
});

test('ss -s, -K, -i, -F', async () => {
	const h = new World({ seed: 1 }).host('h');
	await scene(h, async () => {
		const s = (await h.sh('ss -s')).stdout;
		expect(s).toMatch(/^Total: \d+\nTCP: {3}9 \(estab 5, closed 1, orphaned 0, timewait 1\)\n/);
		expect(s).toContain('\nTCP\t  8         8         0        \n');
		expect((await h.sh('ss -tinH sport = :40001')).stdout).toMatch(
			/\n\t cubic wscale:10,10 rto:\d+ mss:32741 pmtu:65535 rcvmss:536 advmss:65483 cwnd:10 /,
		);
		expect((await h.sh('ss -tmnH sport = :40001')).stdout).toMatch(/\n\t skmem:\(r0,rb\d+,t0,tb\d+,f0,w0,o0,bl0,d0\)/);
		expect((await h.sh("echo 'sport = :40001' > /tmp/f; ss -tnH -F /tmp/f")).stdout).toMatch(
			/^ESTAB .*40001 .*8000 ?\n$/,
		);
		expect((await h.sh('ss -K -tnH sport = :40001')).stdout).toMatch(/^ESTAB .*40001/);
		expect((await h.sh('ss -tnH sport = :40001')).stdout).toBe('');
		expect((await h.sh('ss -tanH dport = :40001')).stdout).toBe('');
	});
});

test('numbers and timers', () => {
	expect([0.033, 204, 0.5, 1234567, 0.00001234, 100000, 123456.7].map((x) => fmt_g(x))).toEqual([
		...['0.033', '204', '0.5', '1.23457e+06', '1.234e-05', '100000', '123457'],
	]);
	expect([999.992, 98.765, 10, 1].map((x) => fmt_g(x, 3))).toEqual(['1e+03', '98.8', '10', '1']);
	expect([92, 2660, 59000, 61000, 540500, 7199999, 0].map(print_ms_timer)).toEqual([
		...['092ms', '2.660ms', '59sec', '1min1sec', '9min', '119min', ''],
	]);
});

const cond = fc.record({
	family: fc.constant(AF_INET),
	addr: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b) => b.map((x) => x & 1)),
	bits: fc.nat(32),
	port: fc.integer({ min: -1, max: 4 }),
});
const filter = fc.letrec<{ f: ssfilter }>((tie) => ({
	f: fc.oneof(
		{ depthSize: 'small', withCrossShrink: true },
		fc.record({
			op: fc.constantFrom('scond' as const, 'dcond' as const),
			conds: fc.array(cond, { minLength: 1, maxLength: 3 }),
		}),
		fc.record({
			op: fc.constantFrom('s_ge' as const, 's_le' as const, 'd_ge' as const, 'd_le' as const),
			port: fc.nat(4),
		}),
		fc.record({ op: fc.constant('not' as const), a: tie('f') }),
		fc.record({ op: fc.constantFrom('and' as const, 'or' as const), a: tie('f'), b: tie('f') }),
	),
})).f;

test('filters: the kernel runs their code as a plain reading of them', () => {
	const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b) => b.reduce((a, x) => a * 256 + (x & 1), 0));
	fc.assert(
		fc.property(filter, fc.array(fc.tuple(address, fc.nat(4), address, fc.nat(4)), { minLength: 5 }), (f, flows) => {
			const code = ssfilter_bytecompile(f);
			fc.pre(code.length < 250);
			expect(inet_diag_bc_audit(code, 0, code.length, true)).toBe(true);
			for (const [saddr, sport, daddr, dport] of flows) {
				const e = Object.assign(new inet_diag_entry(), { saddr, sport, daddr, dport });
				expect(inet_diag_bc_run(code, 0, code.length, e)).toBe(run_ssfilter(f, saddr, sport, daddr, dport));
			}
		}),
		{ numRuns: 500 },
	);
});

test('filters: code from outside is refused or ends', () => {
	const byte = fc.oneof(fc.constantFrom(0, 1, 2, 4, 7, 8, 12, 16, 20), fc.nat(255));
	fc.assert(
		fc.property(fc.array(byte, { maxLength: 64 }), (bytes) => {
			const code = new Uint8Array(bytes);
			if (inet_diag_bc_audit(code, 0, code.length, true))
				expect(typeof inet_diag_bc_run(code, 0, code.length, new inet_diag_entry())).toBe('boolean');
		}),
		{ numRuns: 3000 },
	);
});
