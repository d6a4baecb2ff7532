/*
 * What comes from the wire or a file never throws, and what we write we read.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { follow, parse_url, Response, url_text } from '../../../src/user/curl/http.ts';
import { parse as parse_curl } from '../../../src/user/curl/options.ts';
import { http_date } from '../../../src/user/httpd/httpd.ts';
import { clean_path, head_length, parse_range, parse_request, url_decode } from '../../../src/user/httpd/request.ts';
import * as dns from '../../../src/user/netdb/dns.ts';
import { answer, parse_dnsd } from '../../../src/user/netdb/dnsd.ts';
import { inet6_ntop } from '../../../src/user/netdb/nslookup.ts';
import * as dhcp from '../../../src/user/udhcp/packet.ts';
import { parse_config } from '../../../src/user/udhcp/udhcpd.ts';

const bytes = fc.uint8Array({ maxLength: 700 });
const latin1 = (s: string): Uint8Array => Uint8Array.from(s, (c) => c.charCodeAt(0) & 255);

test('DNS: any bytes are a message or none; ours come back; the server answers all that are', () => {
	fc.assert(
		fc.property(bytes, (b) => {
			dns.decode(b);
			const a = answer([['www.lan', 0x0a000001]], b, 60, false);
			if (a !== null) expect(dns.decode(a)?.id).toBe((b[0] << 8) | b[1]);
		}),
	);
	const label = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
	const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((l) => l.join('.'));
	fc.assert(
		fc.property(name, fc.nat(65535), fc.constantFrom(dns.TYPE_A, dns.TYPE_PTR, dns.TYPE_TXT), (n, id, type) => {
			const q = dns.encode({
				id,
				flags: dns.FLAG_RD,
				questions: [{ name: n, type, class: dns.CLASS_IN }],
				answers: [],
				authority: [],
				additional: [],
			});
			const a = dns.decode(answer([[n, 0x0a000001]], q, 60, false) ?? new Uint8Array(0));
			expect(a).toMatchObject({ id, questions: [{ name: n, type }] });
			expect(a?.answers.length).toBe(type === dns.TYPE_A ? 1 : 0);
			expect((a?.flags ?? 0) & 15).toBe(dns.RCODE_OK);
			const none = dns.decode(answer([], q, 60, false) ?? new Uint8Array(0));
			expect((none?.flags ?? 0) & 15).toBe(dns.RCODE_NXDOMAIN);
		}),
	);
});

test('DHCP: any bytes are a message or none; ours come back, through the frame as well', () => {
	const start = dhcp.encode(dhcp.packet(dhcp.BOOTREQUEST, 1, new Uint8Array(6))).subarray(0, 240);
	fc.assert(
		fc.property(bytes, (b) => {
			dhcp.decode(b);
			dhcp.unwrap(b);
			dhcp.decode(Uint8Array.of(...start, ...b));
		}),
	);
	const options = fc.dictionary(fc.integer({ min: 1, max: 254 }).map(String), fc.uint8Array({ maxLength: 40 }), {
		maxKeys: 12,
	});
	fc.assert(
		fc.property(options, fc.nat(), fc.uint8Array({ minLength: 6, maxLength: 6 }), (o, xid, mac) => {
			const p = dhcp.packet(dhcp.BOOTREQUEST, xid, mac);
			for (const [code, data] of Object.entries(o)) p.options.set(Number(code), data);
			const wire = dhcp.encode(p);
			expect(dhcp.decode(wire)).toEqual(p);
			const frame = dhcp.broadcast_frame(wire);
			// To a server: no client takes it.
			expect(dhcp.unwrap(frame)).toBe(null);
			frame[23] = dhcp.CLIENT_PORT;
			expect(dhcp.unwrap(frame)).toBe(null);
			frame[26] = 0;
			frame[27] = 0;
			expect(dhcp.unwrap(frame)).toEqual(wire);
		}),
	);
});

test('DHCP: options in words', () => {
	expect(dhcp.parse_option(['dns', '10.0.0.1', '8.8.8.8'])).toEqual({
		code: 6,
		data: Uint8Array.of(10, 0, 0, 1, 8, 8, 8, 8),
	});
	expect(dhcp.parse_option(['lease', '600'])).toEqual({ code: 51, data: Uint8Array.of(0, 0, 2, 88) });
	expect(dhcp.parse_option(['0x3d', '01:00:BE:EF'])).toEqual({ code: 61, data: Uint8Array.of(1, 0, 0xbe, 0xef) });
	expect(dhcp.parse_option(['subnet', '10.0.0.1', '8.8.8.8'])).toBe(null);
	expect(dhcp.parse_option(['dns', '300.0.0.1'])).toBe(null);
	fc.assert(
		fc.property(fc.string({ maxLength: 300, unit: fc.constantFrom(...'start end opt dns\n10.:x#') }), (text) => {
			parse_config(text, () => {});
			parse_dnsd(text, () => {});
		}),
	);
	const bad: number[] = [];
	const c = parse_config('start 10.0.0.5\nend x\nnosuch 1\nopt dns 1.1.1.1\nopt dns 2.2.2.2\n', (line) =>
		bad.push(line),
	);
	expect(bad).toEqual([2, 3]);
	expect(c.start).toBe(0x0a000005);
	expect(c.options.get(6)).toEqual(Uint8Array.of(1, 1, 1, 1, 2, 2, 2, 2));
});

test('HTTP requests: any head is one or none; no path leaves the root', () => {
	fc.assert(
		fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom(...'GET /..%2e%00a?\r\n: HTTP1.') }), (head) => {
			head_length(latin1(head));
			const r = parse_request(head);
			if (r !== null) expect(r.path).toMatch(/^\/(?!.*(^|\/)\.\.(\/|$))/s);
		}),
	);
	expect(clean_path('/a/../../b')).toBe(null);
	expect(clean_path('/a/./b//c/')).toBe('/a/b/c/');
	expect(url_decode('/%2e%2E')).toBe('/..');
	expect(url_decode('/%zz')).toBe(null);
	expect(parse_range('bytes=2-', 5)).toEqual({ start: 2, end: 4 });
	expect(parse_range('bytes=9-12', 5)).toBe(null);
	expect(http_date(784111777)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
	fc.assert(
		fc.property(fc.integer({ min: 0, max: 4e9 }), (sec) => {
			expect(http_date(sec)).toBe(new Date(sec * 1000).toUTCString());
		}),
	);
});

test('HTTP answers: however they are cut, the body is the same; anything else is an error, not an exception', () => {
	const whole: [string, string][] = [
		['HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world', 'hello world'],
		[
			'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n',
			'hello world',
		],
	];
	fc.assert(
		fc.property(fc.constantFrom(...whole), fc.array(fc.integer({ min: 1, max: 20 })), ([wire, body], cuts) => {
			const r = new Response(false);
			const b = latin1(wire);
			let got = '';
			let at = 0;
			for (const n of [...cuts, b.length]) {
				got += String.fromCharCode(...r.feed(b.subarray(at, at + n)));
				at += n;
			}
			expect(got).toBe(body);
			expect(r).toMatchObject({ done: true, error: null, status: 200, keep_alive: true });
		}),
	);
	fc.assert(
		fc.property(
			fc.constantFrom('', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
			bytes,
			(head, b) => {
				const r = new Response(false);
				r.feed(latin1(head));
				r.feed(b);
				r.ended();
			},
		),
	);
});

test('URLs: what is read is written the same; redirects lead where RFC 3986 5.4 says', () => {
	fc.assert(
		fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 40 }), (a, b) => {
			const u = parse_url(a);
			if (u !== null) {
				expect(parse_url(url_text(u))).toEqual(u);
				follow(u, b);
			}
		}),
	);
	const base = parse_url('http://a/b/c/d;p?q')!;
	const to = (s: string): string => url_text(follow(base, s)!);
	expect(to('g')).toBe('http://a/b/c/g');
	expect(to('./g/')).toBe('http://a/b/c/g/');
	expect(to('/g')).toBe('http://a/g');
	expect(to('//g')).toBe('http://g/');
	expect(to('?y')).toBe('http://a/b/c/d;p?y');
	expect(to('../..')).toBe('http://a/');
	expect(to('../../../g')).toBe('http://a/g');
	expect(parse_url('http://')).toBe(null);
	expect(parse_url('u:p@h:81/x')).toMatchObject({ user: 'u:p', host: 'h', port: 81, path: '/x' });
	fc.assert(
		fc.property(fc.array(fc.string({ maxLength: 8 })), (words) => {
			parse_curl(['curl', ...words]);
		}),
	);
});

test('IPv6 addresses in text', () => {
	const of = (s: string): string => inet6_ntop(Uint8Array.from(s.match(/../g)!, (x) => parseInt(x, 16)));
	expect(of('00000000000000000000000000000001')).toBe('::1');
	expect(of('20010db8000000000001000000000001')).toBe('2001:db8::1:0:0:1');
	expect(of('00000000000000000000000000000000')).toBe('::');
	expect(of('20010db8000000010001000100010001')).toBe('2001:db8:0:1:1:1:1:1');
});
