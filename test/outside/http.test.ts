/*
 * The file server of `linnet up --http`: what it takes for a request, a file, a range.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fileOf, parseRequest, rangeOf } from '../../src/outside/http.ts';

test('requests', () => {
	const r = parseRequest('GET /a?b HTTP/1.1\r\nHost: x\r\nRange:  bytes=0-1 ');
	expect(r).toMatchObject({ method: 'GET', path: '/a?b', keep: true });
	expect(r?.headers.get('range')).toBe('bytes=0-1');
	expect(parseRequest('GET / HTTP/1.0')?.keep).toBe(false);
	expect(parseRequest('GET / HTTP/1.1\r\nConnection: Close')?.keep).toBe(false);
	for (const bad of ['', 'GET /', 'get / HTTP/1.1', 'GET a HTTP/1.1', 'GET / HTTP/2', 'GET / HTTP/1.1\r\nno colon'])
		expect(parseRequest(bad)).toBe(null);
});

test('no path leads out of the folder', () => {
	expect(fileOf('/srv', '/')).toBe('/srv/');
	expect(fileOf('/srv', '/a%20b?x')).toBe('/srv/a b');
	expect(fileOf('/srv', '/../etc/passwd')).toBe(null);
	expect(fileOf('/srv', '/%2e%2e/etc/passwd')).toBe(null);
	expect(fileOf('/srv', '/../srvx')).toBe(null);
	expect(fileOf('/srv', '/%')).toBe(null);
	expect(fileOf('/srv', '/a%00')).toBe(null);
	const part = fc.constantFrom('..', '.', 'a', '%2e%2e', '%2f', '/', '');
	fc.assert(
		fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
			const file = fileOf('/srv/x', '/' + parts.join('/'));
			if (file !== null) expect(join(file, '.').startsWith('/srv/x')).toBe(true);
		}),
	);
});

test('ranges', () => {
	expect(rangeOf('bytes=0-0', 10)).toEqual([0, 1]);
	expect(rangeOf('bytes=5-', 10)).toEqual([5, 5]);
	expect(rangeOf('bytes=-3', 10)).toEqual([7, 3]);
	expect(rangeOf('bytes=-30', 10)).toEqual([0, 10]);
	expect(rangeOf('bytes=10-', 10)).toBe('none');
	expect(rangeOf('bytes=-0', 10)).toBe('none');
	for (const all of [undefined, 'bytes=-', 'bytes=5-4', 'bytes=0-1,3-4', 'lines=1-2'])
		expect(rangeOf(all, 10)).toBe(null);
});
