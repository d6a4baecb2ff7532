/*
 * The scripts of this folder on linnet (on the real kernel: npm run packetdrill:linux), and the interpreter's own manners.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArguments, runFile, setFlag } from '../../src/cli/packetdrill.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { CodeError, runCode } from '../../src/packetdrill/python.ts';
import { ScriptError } from '../../src/packetdrill/script.ts';

const here = import.meta.dirname;
const scripts = (readdirSync(here, { recursive: true }) as string[]).filter((f) => f.endsWith('.pkt')).sort();
const { flags } = parseArguments(['x.pkt']);

describe.each([...new Set(scripts.map((f) => dirname(f)))])('%s', (topic) => {
	test.each(scripts.filter((f) => dirname(f) === topic).map((f) => basename(f, '.pkt')))('%s', async (name) => {
		const outcome = await runFile(join(here, topic, `${name}.pkt`), flags);
		expect(outcome.error).toBeNull();
	});
});

describe('the reader', () => {
	const whole = scripts.map((f) => readFileSync(join(here, f), 'utf8'));

	/** Reads `text`; an error must say its line. */
	const read = (text: string): void => {
		try {
			parseScript('x.pkt', text);
		} catch (e) {
			if (!(e instanceof ScriptError)) throw e;
			expect(e.message).toMatch(/^x\.pkt:\d+: ./);
			const line = Number(/^x\.pkt:(\d+):/.exec(e.message)![1]);
			expect(line).toBeGreaterThan(0);
			expect(line).toBeLessThanOrEqual(text.split('\n').length);
		}
	};

	test('garbage is refused with its line, never otherwise', () => {
		fc.assert(fc.property(fc.string({ maxLength: 200 }), read), { numRuns: 2000 });
		fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 100 }), read), { numRuns: 500 });
	});

	test('so are scripts with words of the language in any order', () => {
		const word = fc.constantFrom(
			...'+0 0 0.1 +.1~+.2 * < > S. P. . [ce] (tos 1) 0:0(0) 1:2(1) ack win urg 1 100 < mss 1460 , > sackOK nop TS val ecr sack 1:2 FO FOEXP md5 wscale icmp unreachable udp (1) [1:2(1)] socket( ..., 3 ) = -1 EINVAL (text) { } [ ] ` %{ }% | a=1 "text" // /* */ --mtu=1500 htons( ...'.split(
				' ',
			),
		);
		fc.assert(
			fc.property(fc.array(fc.tuple(word, fc.constantFrom(' ', '\n', '')), { maxLength: 40 }), (words) =>
				read(words.map(([w, s]) => w + s).join('')),
			),
			{ numRuns: 2000 },
		);
	});

	test('so are scripts with a piece cut out or put in', () => {
		const edit = fc.tuple(fc.constantFrom(...whole), fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }));
		fc.assert(
			fc.property(edit, ([text, at, n, insert]) => {
				const i = at % (text.length + 1);
				read(text.slice(0, i) + insert + text.slice(i + n));
			}),
			{ numRuns: 1000 },
		);
	});

	test('so is deep nesting', () => {
		for (const open of ['[', '{a=', 'f(', '{'])
			expect(() => parseScript('x.pkt', `0 close(${open.repeat(20000)}) = 0`)).toThrow(ScriptError);
		for (const open of ['(', '[', 'abs(', '- ', 'not ', '~'])
			expect(() => runCode(`assert ${open.repeat(20000)}`, new Map(), () => {})).toThrow(CodeError);
	});

	test('code fails by its own error only', () => {
		const word = fc.constantFrom(
			...'assert print ( ) [ ] , ; == != < 1 0 0x10 1.5 + - * / // % ** | & << a b True None not and or in if else: elif : = "x" \' # abs( len( min('.split(
				' ',
			),
			'\n',
			'\n  ',
		);
		fc.assert(
			fc.property(fc.array(word, { maxLength: 20 }), (words) => {
				try {
					runCode(words.join(' '), new Map([['a', 1]]), () => {});
				} catch (e) {
					if (!(e instanceof CodeError)) throw e;
				}
			}),
			{ numRuns: 3000 },
		);
	});
});

describe('what differs is told', () => {
	const run = async (text: string): Promise<string> => {
		const dir = mkdtempSync(join(tmpdir(), 'packetdrill-'));
		try {
			const file = join(dir, 'x.pkt');
			writeFileSync(file, text);
			return ((await runFile(file, flags)).error ?? 'passed').replaceAll(`${dir}/`, '');
		} finally {
			rmSync(dir, { recursive: true });
		}
	};
	const LISTEN = '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n';

	test.each([
		[
			'a field of a packet',
			`${LISTEN}+0 < S 0:0(0) win 1000 <mss 1000>\n+0 > S. 0:0(0) ack 2 <mss 1460>\n`,
			`x.pkt:5: error handling packet: live packet field tcp_ack_seq: expected: 2 (0x2) vs actual: 1 (0x1)
script packet: 0.000000 > S. 0:0(0) ack 2 <mss 1460>
actual packet: 0.000000 S. 0:0(0) ack 1 win 64240 <mss 1460>`,
		],
		[
			'options',
			`${LISTEN}+0 < S 0:0(0) win 1000 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1000>\n`,
			`x.pkt:5: error handling packet: bad outbound TCP options: expected: <mss 1000> vs actual: <mss 1460>
script packet: 0.000000 > S. 0:0(0) ack 1 <mss 1000>
actual packet: 0.000000 S. 0:0(0) ack 1 win 64240 <mss 1460>`,
		],
		[
			'a time',
			`${LISTEN}+0 < S 0:0(0) win 1000 <mss 1000>\n+.5 > S. 0:0(0) ack 1 <mss 1460>\n`,
			`x.pkt:5: error handling packet: timing error: expected outbound packet at 0.500000 sec but happened at 0.000000 sec; tolerance 0.004000 sec
script packet: 0.500000 > S. 0:0(0) ack 1 <mss 1460>
actual packet: 0.000000 S. 0:0(0) ack 1 win 64240 <mss 1460>`,
		],
		[
			'a packet that does not come',
			`${LISTEN}+0 > . 1:1(0) ack 1\n`,
			`x.pkt:4: error handling packet: Timed out waiting for packet
script packet: 0.000000 > . 1:1(0) ack 1`,
		],
		[
			'a result',
			`${LISTEN}+0 listen(3, 1) = -1 EINVAL\n`,
			'x.pkt:4: runtime error in listen call: Expected result -1 with errno 22 (EINVAL) but got 0',
		],
		[
			'an error',
			`${LISTEN}+0 bind(3, ..., ...) = 0\n`,
			'x.pkt:4: runtime error in bind call: Expected result 0 but got -1 with errno 22 (EINVAL)',
		],
		[
			'a call that blocks',
			`${LISTEN}+0 accept(3, ..., ...) = 4\n`,
			'x.pkt:4: accept call blocks, and the script gives no time for its return (+0...0.1 accept(…))',
		],
		[
			'an assertion',
			`${LISTEN}+0 %{\nassert tcpi_state == 1, tcpi_state }%\n`,
			'x.pkt:5: error executing code: AssertionError: 10 (assert tcpi_state == 1, tcpi_state)',
		],
		[
			'a command',
			'`sysctl -qw net.ipv4.nosuch=1`\n',
			'x.pkt:1: error executing `sysctl -qw net.ipv4.nosuch=1` command: exit status 1\nsysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory',
		],
		['an unknown call', '0 fork() = 0\n', "x.pkt:1: system call 'fork' is not there"],
		[
			'an unknown name',
			`${LISTEN}+0 setsockopt(3, SOL_TCP, TCP_NOSUCH, [1], 4) = 0\n`,
			"x.pkt:4: unknown symbol: 'TCP_NOSUCH'",
		],
		['the end of it all', '+0 socket(', 'x.pkt:1: expected a value, not the end of the script'],
	])('%s', async (_, text, error) => {
		expect(await run(text)).toBe(error);
	});

	test('a script of two connections', async () => {
		const connection =
			'+0 < S 0:0(0) win 1000 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n+.1 < . 1:1(0) ack 1 win 1000\n';
		expect(
			await run(
				`${LISTEN}${connection}+0 accept(3, ..., ...) = 4\n+0 listen(3, 1) = 0\n${connection}+0 accept(3, ..., ...) = 5\n+0 write(5, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n`,
			),
		).toBe('passed');
	});
});

describe('flags', () => {
	test("packetdrill's own are taken in its forms", () => {
		const a = parseArguments([
			'--mtu=1400',
			'-tolerance_usecs',
			'5000',
			'-D',
			'A=B',
			'-DC=1',
			'-v',
			'a.pkt',
			'--ip_version=ipv4 ',
			'--json',
		]);
		expect(a.flags.mtu).toBe(1400);
		expect(a.flags.tolerance_usecs).toBe(5000);
		expect([...a.flags.define]).toEqual([
			['A', 'B'],
			['C', '1'],
		]);
		expect(a.flags.verbose).toBe(true);
		expect(a.files).toEqual(['a.pkt']);
		expect(a.json).toBe(true);
	});

	test.each([
		[['--nosuch'], '--nosuch: packetdrill has no such flag, or it is not there yet'],
		[['--ip_version=ipv6'], '--ip_version=ipv6: only ipv4 is there; IPv6 and mapped addresses are not yet'],
		[
			['--ip_version=ipv4-mapped-ipv6'],
			'--ip_version=ipv4-mapped-ipv6: only ipv4 is there; IPv6 and mapped addresses are not yet',
		],
		[['--wire_client'], '--wire_client is not there'],
		[['--mtu=x'], "--mtu: 'x' is no number"],
		[['--mtu'], '--mtu: a value is missing'],
		[['-D', 'x'], "-D: 'x' is not NAME=VALUE"],
		[['--'], '-- is no flag of packetdrill'],
	])('%j is refused', (args, message) => {
		expect(() => parseArguments(args)).toThrow(message);
	});

	test('a script may set them', async () => {
		const own = { ...flags };
		setFlag(own, 'mtu', '1000');
		expect(own.mtu).toBe(1000);
	});
});
