/*
 * outside/http.ts: a folder of the real disk, served by HTTP/1.1 from a host of linnet: `linnet up --http DIR`.
 * RFC 9112 (messages), RFC 9110 (GET, HEAD, 200, 206 for one range, 400, 404, 405, 416). One process of the host, a context for each connection.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import type { Host } from '../lab/host.ts';
import { AF_INET, MSG_MORE, msghdr, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, sockaddr_in } from '../uapi/linux/socket.ts';
import type { Process } from '../user/libc.ts';
import { OutsideError } from './syscalls.ts';

const HEAD_MAX = 16384;
const CHUNK = 262144;

const TYPES: Record<string, string> = {
	css: 'text/css',
	html: 'text/html; charset=utf-8',
	js: 'text/javascript',
	json: 'application/json',
	md: 'text/markdown; charset=utf-8',
	png: 'image/png',
	svg: 'image/svg+xml',
	txt: 'text/plain; charset=utf-8',
};

interface Request {
	method: string;
	path: string;
	headers: Map<string, string>;
	keep: boolean;
}

/** The request whose head is `text`; null when it is none. */
export function parseRequest(text: string): Request | null {
	const lines = text.split('\r\n');
	const m = /^([A-Z]+) (\/[^ ]*) HTTP\/1\.([01])$/.exec(lines[0]);
	if (m === null) return null;
	const headers = new Map<string, string>();
	for (const line of lines.slice(1)) {
		const h = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
		if (h === null) return null;
		headers.set(h[1].toLowerCase(), h[2]);
	}
	const connection = headers.get('connection')?.toLowerCase() ?? '';
	return {
		method: m[1],
		path: m[2],
		headers,
		keep: m[3] === '1' ? connection !== 'close' : connection === 'keep-alive',
	};
}

/** The file below `root` that the path of a request names; null when it names none. */
export function fileOf(root: string, path: string): string | null {
	let text: string;
	try {
		text = decodeURIComponent(path.split('?')[0]);
	} catch {
		return null;
	}
	if (text.includes('\0')) return null;
	const file = normalize(join(root, text));
	const top = root.endsWith(sep) ? root : root + sep;
	return file === root || file.startsWith(top) ? file : null;
}

/** The one range `bytes=…` of a file of `size` bytes: [first, length]; null: all of it; 'none': there is nothing there. */
export function rangeOf(header: string | undefined, size: number): [number, number] | 'none' | null {
	const m = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header);
	if (m === null || (m[1] === '' && m[2] === '')) return null;
	if (m[1] === '') {
		const n = Math.min(size, Number(m[2]));
		return n === 0 ? 'none' : [size - n, n];
	}
	const first = Number(m[1]);
	const last = m[2] === '' ? size - 1 : Math.min(size - 1, Number(m[2]));
	if (m[2] !== '' && Number(m[2]) < first) return null;
	return first >= size ? 'none' : [first, last - first + 1];
}

async function send(p: Process, fd: number, bytes: Uint8Array, flags = 0): Promise<boolean> {
	let at = 0;
	while (at < bytes.length) {
		const n = await p.sendmsg(fd, new msghdr(at === 0 ? bytes : bytes.subarray(at)), flags);
		if (n < 0) return false;
		at += n;
	}
	return true;
}

const encoder = new TextEncoder();

function head(status: string, headers: Record<string, string | number>): Uint8Array {
	let text = `HTTP/1.1 ${status}\r\nServer: linnet\r\n`;
	for (const [k, v] of Object.entries(headers)) text += `${k}: ${v}\r\n`;
	return encoder.encode(text + '\r\n');
}

async function page(p: Process, fd: number, rq: Request, status: string, html: string): Promise<boolean> {
	const body = encoder.encode(html);
	const first = head(status, {
		'Content-Type': TYPES.html,
		'Content-Length': body.length,
		Connection: rq.keep ? 'keep-alive' : 'close',
	});
	return (await send(p, fd, first, MSG_MORE)) && (rq.method === 'HEAD' || (await send(p, fd, body)));
}

function escaped(text: string): string {
	return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

async function answer(p: Process, fd: number, root: string, rq: Request): Promise<boolean> {
	const fail = (status: string): Promise<boolean> => page(p, fd, rq, status, `<h1>${status}</h1>\n`);
	if (rq.method !== 'GET' && rq.method !== 'HEAD') {
		rq.keep = false;
		return fail('405 Method Not Allowed');
	}
	let path = fileOf(root, rq.path);
	let file = -1;
	try {
		if (path !== null && statSync(path).isDirectory()) {
			const names = readdirSync(path, { withFileTypes: true }).map((e) => e.name + (e.isDirectory() ? '/' : ''));
			if (!names.includes('index.html')) {
				const links = names.sort().map((n) => `<li><a href="./${encodeURI(n)}">${escaped(n)}</a>`);
				return page(p, fd, rq, '200 OK', `<ul>\n${links.join('\n')}\n</ul>\n`);
			}
			path = join(path, 'index.html');
		}
		if (path !== null) file = openSync(path, 'r');
	} catch {}
	if (file < 0 || path === null) return fail('404 Not Found');
	try {
		const { size } = fstatSync(file);
		const range = rangeOf(rq.headers.get('range'), size);
		if (range === 'none') return fail('416 Range Not Satisfiable');
		let [at, left] = range ?? [0, size];
		const headers: Record<string, string | number> = {
			'Content-Type': TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
			'Content-Length': left,
			'Accept-Ranges': 'bytes',
			Connection: rq.keep ? 'keep-alive' : 'close',
		};
		if (range !== null) headers['Content-Range'] = `bytes ${at}-${at + left - 1}/${size}`;
		if (rq.method === 'HEAD') left = 0;
		if (!(await send(p, fd, head(range === null ? '200 OK' : '206 Partial Content', headers), left > 0 ? MSG_MORE : 0)))
			return false;
		const chunk = new Uint8Array(Math.min(CHUNK, left));
		while (left > 0) {
			const n = readSync(file, chunk, 0, Math.min(chunk.length, left), at);
			// The file became shorter meanwhile: the client must learn that it has not all of it.
			if (n === 0 || !(await send(p, fd, n === chunk.length ? chunk : chunk.subarray(0, n)))) return false;
			at += n;
			left -= n;
		}
		return true;
	} finally {
		closeSync(file);
	}
}

async function serve(p: Process, fd: number, root: string): Promise<void> {
	const m = new msghdr(new Uint8Array(HEAD_MAX));
	let text = '';
	for (;;) {
		const end = text.indexOf('\r\n\r\n');
		if (end < 0) {
			const n = text.length > HEAD_MAX ? 0 : await p.recvmsg(fd, m, 0);
			if (n <= 0) break;
			text += String.fromCharCode(...m.msg_iov.subarray(0, n));
			continue;
		}
		const rq = parseRequest(text.slice(0, end));
		text = text.slice(end + 4);
		if (rq === null) {
			const bad: Request = { method: 'GET', path: '/', headers: new Map(), keep: false };
			await page(p, fd, bad, '400 Bad Request', '<h1>400 Bad Request</h1>\n');
			break;
		}
		if (!(await answer(p, fd, root, rq)) || !rq.keep) break;
	}
	p.close(fd);
}

/** Serves `root` on `port` of the host, until the world ends. */
export async function serveFolder(host: Host, root: string, port: number): Promise<void> {
	const top = normalize(root).replace(/(.)\/$/, '$1');
	await new Promise<void>((ready, failed) => {
		void host
			.process('httpd', async (p) => {
				const l = p.socket(AF_INET, SOCK_STREAM, 0);
				p.setsockopt(l, SOL_SOCKET, SO_REUSEADDR, 1);
				const err = p.bind(l, sockaddr_in(0, port));
				if (err < 0 || p.listen(l, 128) < 0) throw new OutsideError(`port ${port}: cannot listen (error ${-err})`);
				ready();
				for (;;) {
					const c = await p.accept(l, null);
					if (c < 0) continue;
					host.world.fork();
					void serve(p, c, top).finally(() => host.world.exit());
				}
			})
			.catch(failed);
	});
}
