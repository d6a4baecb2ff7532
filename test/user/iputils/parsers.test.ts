import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inet_aton, inet_ntoa, inet_pton4 } from '../../../src/user/hosts.ts';
import { strtod, strtol_or_err } from '../../../src/user/iputils/iputils_common.ts';
import { ping_parse } from '../../../src/user/iputils/ping_options.ts';
import { clif_int, clif_parse } from '../../../src/user/traceroute/clif.ts';

test('addresses survive being written and read', () => {
	fc.assert(
		fc.property(fc.nat(0xffffffff), (addr) => {
			expect(inet_aton(inet_ntoa(addr))).toBe(addr);
			expect(inet_pton4(inet_ntoa(addr))).toBe(addr);
			expect(inet_aton(`0x${addr.toString(16)}`)).toBe(addr);
			expect(inet_aton(String(addr))).toBe(addr);
			expect(inet_aton(`${addr >>> 24}.${addr & 0xffffff}`)).toBe(addr);
		}),
	);
});

test('what is no address is none', () => {
	for (const text of [
		'',
		'.',
		'1.2.3.4.5',
		'256.1.1.1',
		'1.2.3.256',
		'1.2.65536',
		'0x',
		'09',
		'1..2',
		'4294967296',
		'a',
	])
		expect(inet_aton(text), text).toBe(-1);
	for (const text of ['1.2.3', '01.2.3.4', '1.2.3.4 ', '256.1.1.1']) expect(inet_pton4(text), text).toBe(-1);
});

test('numbers are read whole or refused', () => {
	fc.assert(
		fc.property(fc.integer({ min: -100000, max: 100000 }), fc.string(), (n, tail) => {
			expect(strtol_or_err(String(n), -100000, 100000)).toBe(n);
			const r = strtol_or_err(`${n}x${tail}`, -100000, 100000);
			expect(r).toBe(`invalid argument: '${n}x${tail}'`);
			expect(strtod(`${n}x${tail}`)).toEqual({ value: n, rest: `x${tail}` });
			expect(clif_int(String(n))).toBe(n);
		}),
	);
	expect(strtol_or_err('9223372036854775807', 1, '9223372036854775807')).toBe(2 ** 63);
	expect(strtol_or_err('9223372036854775808', 1, '9223372036854775807')).toMatch(/Numerical result out of range$/);
	expect(clif_int('0x10')).toBe(16);
	expect(clif_int('010')).toBe(8);
	expect(clif_int('1x')).toBeNull();
});

const words = fc.array(
	fc.oneof(
		fc.string(),
		fc.constantFrom(
			'-c',
			'-i',
			'-I',
			'-n',
			'-W',
			'1',
			'0.2',
			'eth0',
			'10.0.0.1',
			'--',
			'-T',
			'tsonly',
			'-p',
			'ff',
			'-q',
			'--mtu',
		),
	),
	{ maxLength: 8 },
);

test('any command line of ping is either options or an end with a status', () => {
	fc.assert(
		fc.property(words, (argv) => {
			const o = ping_parse(['ping', ...argv], inet_aton, () => {});
			if ('status' in o) expect(o.out + o.err).not.toBe('');
			else {
				expect(o.targets.length).toBeGreaterThan(0);
				expect(Number.isFinite(o.interval)).toBe(true);
				expect(o.pattern.length).toBeLessThanOrEqual(16);
			}
		}),
	);
});

test('any command line of traceroute is either words or an error', () => {
	fc.assert(
		fc.property(words, (argv) => {
			const p = clif_parse(['traceroute', ...argv]);
			if ('error' in p) expect(p.error).not.toBe('');
			else for (const w of p.words) expect(argv).toContain(w.text);
		}),
	);
});
