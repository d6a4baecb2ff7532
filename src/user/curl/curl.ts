/*
 * user/curl/curl.ts: `curl`: fetches by HTTP/1.1.                                                                   Original: curl(1) 7.88.1
 *
 * curl -> one (a URL: retries, redirects) -> exchange (one request and its answer).
 * Refused by name: what is not http, proxies, TLS, forms, cookie jars, compression, HTTP/2, resuming, configuration files. URLs are not globbed.
 */
import { EAGAIN, EINPROGRESS, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	msghdr,
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	SO_ERROR,
	SO_KEEPALIVE,
	SOCK_STREAM,
	SOL_SOCKET,
	SOL_TCP,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { TCP_NODELAY } from '../../uapi/linux/tcp.ts';
import { gethostbyname, inet_ntoa, inet_pton4 } from '../hosts.ts';
import { type Process, utf8 } from '../libc.ts';
import { follow, parse_url, Response, type Url, url_text } from './http.ts';
import { type Options, parse } from './options.ts';
import { METER_HEAD, meter_line } from './progress.ts';
import { type Report, write_out } from './writeout.ts';

const BUFFER = 102400;

/** Ends one URL; `code` is curl's. */
class CurlError extends Error {
	readonly code: number;

	constructor(code: number, message: string) {
		super(message);
		this.code = code;
	}
}

/** A connection that may serve again. */
interface Connection {
	fd: number;
	host: string;
	port: number;
	number: number;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
	const out = new Uint8Array(parts.reduce((n, b) => n + b.length, 0));
	let at = 0;
	for (const b of parts) {
		out.set(b, at);
		at += b.length;
	}
	return out;
}

function latin1(text: string): Uint8Array {
	return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function base64(b: Uint8Array): string {
	const abc = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
	let out = '';
	for (let i = 0; i < b.length; i += 3) {
		const n = (b[i] << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
		out += abc[n >> 18] + abc[(n >> 12) & 63];
		out += i + 1 < b.length ? abc[(n >> 6) & 63] : '=';
		out += i + 2 < b.length ? abc[n & 63] : '=';
	}
	return out;
}

function percent(text: string): string {
	return [...utf8(text)]
		.map((c) => {
			const ch = String.fromCharCode(c);
			return /[A-Za-z0-9._~-]/.test(ch) ? ch : `%${c.toString(16).toUpperCase().padStart(2, '0')}`;
		})
		.join('');
}

class Curl {
	private p: Process;
	private o: Options;
	private kept: Connection | null = null;
	private connections = 0;
	private body: Uint8Array | null = null;
	private out: Uint8Array[] = [];
	private heads = '';
	private meter_shown = false;
	/** Its last state was shown early. */
	private meter_done = false;

	constructor(p: Process, o: Options) {
		this.p = p;
		this.o = o;
	}

	private note(text: string): void {
		if (this.o.verbose) this.p.stderr.write(`* ${text}\n`);
	}

	/** ms since `from`. */
	private ms(from: number): number {
		return Math.floor((this.p.monotonic() - from) / 1e6);
	}

	/** What -d says, joined. null: nothing. */
	private async data(): Promise<Uint8Array | null> {
		const parts: Uint8Array[] = [];
		for (const d of this.o.data) {
			if (parts.length > 0) parts.push(utf8('&'));
			if (d.encode) {
				const eq = d.text.indexOf('=');
				parts.push(
					utf8(eq < 0 ? percent(d.text) : `${d.text.slice(0, eq)}${eq > 0 ? '=' : ''}${percent(d.text.slice(eq + 1))}`),
				);
			} else if (!d.file) parts.push(utf8(d.text));
			else {
				const b = d.text === '-' ? this.p.stdin : await this.p.readFileBytes(d.text);
				if (typeof b === 'number') throw new CurlError(26, `Failed to open ${d.text}`);
				parts.push(d.binary ? b : b.filter((c) => c !== 10 && c !== 13 && c !== 0));
			}
		}
		return this.o.data.length === 0 ? null : concat(parts);
	}

	private async address(u: Url): Promise<number> {
		for (const r of this.o.resolve) {
			const m = /^\+?([^:]+):(\d+):([^,]+)/.exec(r);
			if (m !== null && m[1].toLowerCase() === u.host.toLowerCase() && Number(m[2]) === u.port) {
				const addr = inet_pton4(m[3]);
				if (addr >= 0) return addr;
			}
		}
		const found = await gethostbyname(this.p, u.host);
		if (found !== null) return found.addr;
		throw new CurlError(6, `Could not resolve host: ${u.host}`);
	}

	/** Waits for the socket. `until` in ns. Return: false when the time is over. */
	private async ready(fd: number, events: number, until: number): Promise<number> {
		const slot = { fd, events, revents: 0 };
		const left = until === Infinity ? -1 : Math.max(0, Math.ceil((until - this.p.monotonic()) / 1e6));
		const n = await this.p.poll([slot], left);
		if (n < 0) throw new CurlError(42, 'Interrupted');
		return n === 0 ? 0 : slot.revents;
	}

	private async connect(u: Url, start: number, r: Report): Promise<Connection> {
		const k = this.kept;
		this.kept = null;
		if (k !== null) {
			const alive = (this.p.ready(k.fd) & (POLLIN | POLLHUP | POLLERR)) === 0;
			if (alive && k.host === u.host && k.port === u.port) {
				this.note(`Re-using existing connection #${k.number} with host ${u.host}`);
				return k;
			}
			this.note(`Closing connection ${k.number}`);
			this.p.close(k.fd);
		}
		const { p, o } = this;
		const number = this.connections++;
		const addr = await this.address(u);
		r.namelookup = this.p.monotonic();
		const text = inet_ntoa(addr);
		this.note(`  Trying ${text}:${u.port}...`);
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		p.setsockopt(fd, SOL_TCP, TCP_NODELAY, 1);
		p.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		let err = -p.connect_nowait(fd, sockaddr_in(addr, u.port));
		if (err === EINPROGRESS) {
			const limit = Math.min(o.max_time || Infinity, o.connect_timeout || 300) * 1e9 + start;
			if ((await this.ready(fd, POLLOUT, limit)) === 0) {
				p.close(fd);
				const message = `Connection timed out after ${this.ms(start)} milliseconds`;
				this.note(message);
				this.note(`Closing connection ${number}`);
				throw new CurlError(28, message);
			}
			const b = new Uint8Array(4);
			p.getsockopt(fd, SOL_SOCKET, SO_ERROR, b);
			err = b[0] | (b[1] << 8);
		}
		if (err !== 0) {
			p.close(fd);
			const message = `Failed to connect to ${u.host} port ${u.port} after ${this.ms(start)} ms: Couldn't connect to server`;
			this.note(
				err === 111 || err === 113
					? `connect to ${text} port ${u.port} failed: ${strerror(err)}`
					: `Immediate connect fail for ${text}: ${strerror(err)}`,
			);
			this.note(message);
			this.meter(r, 0);
			if (this.meter_shown) p.stderr.write('\n');
			this.meter_done = true;
			this.note(`Closing connection ${number}`);
			throw new CurlError(7, message);
		}
		r.connect = p.monotonic();
		r.num_connects++;
		this.note(`Connected to ${u.host} (${text}) port ${u.port} (#${number})`);
		r.remote_ip = text;
		r.remote_port = u.port;
		const local = sockaddr_in(0, 0);
		p.getsockname(fd, local);
		r.local_ip = inet_ntoa(local.sin_addr);
		r.local_port = local.sin_port;
		return { fd, host: u.host, port: u.port, number };
	}

	/** The head of a request. */
	private request(u: Url, method: string, body: Uint8Array | null, form: boolean, foreign: boolean): string {
		const { o } = this;
		const own = o.headers.map((h) => /^([^:;]+)\s*[:;](.*)$/.exec(h)).filter((m) => m !== null);
		const given = (name: string): boolean => own.some((m) => m[1].toLowerCase() === name.toLowerCase());
		const host = own.find((m) => m[1].toLowerCase() === 'host')?.[2].trim();
		const lines = [`${method} ${u.path} HTTP/${o.http10 ? '1.0' : '1.1'}`];
		if (host !== '') lines.push(`Host: ${host ?? `${u.host}${u.port === 80 ? '' : `:${u.port}`}`}`);
		const user = u.user !== '' ? u.user : foreign ? '' : o.user;
		if (user !== '' && !given('authorization'))
			lines.push(`Authorization: Basic ${base64(utf8(user.includes(':') ? user : `${user}:`))}`);
		if (o.range !== '' && !given('range')) lines.push(`Range: bytes=${o.range}`);
		if (o.agent !== '' && !given('user-agent')) lines.push(`User-Agent: ${o.agent}`);
		if (!given('accept')) lines.push('Accept: */*');
		if (o.referer !== '' && !given('referer')) lines.push(`Referer: ${o.referer}`);
		if (o.cookie !== '' && !foreign) lines.push(`Cookie: ${o.cookie}`);
		for (const m of own) {
			const name = m[1].toLowerCase();
			if (name === 'host' || (foreign && (name === 'authorization' || name === 'cookie'))) continue;
			if (m[2].trim() !== '') lines.push(`${m[1]}: ${m[2].trim()}`);
			else if (m[0].endsWith(';')) lines.push(`${m[1]}:`);
		}
		if (body !== null) {
			if (!given('content-length')) lines.push(`Content-Length: ${body.length}`);
			if (this.o.upload !== '' && !o.http10 && !given('expect')) lines.push('Expect: 100-continue');
			if (form && !given('content-type')) lines.push('Content-Type: application/x-www-form-urlencoded');
		}
		return `${lines.join('\r\n')}\r\n\r\n`;
	}

	/** One request and its answer. Fills in `r`; the body goes to `out`. */
	private async exchange(
		u: Url,
		method: string,
		body: Uint8Array | null,
		form: boolean,
		foreign: boolean,
		start: number,
		r: Report,
	): Promise<Response> {
		const { p, o } = this;
		let c = await this.connect(u, start, r);
		const until = o.max_time > 0 ? start + o.max_time * 1e9 : Infinity;
		const head = this.request(u, method, body, form, foreign);
		r.method = method;
		r.pretransfer = p.monotonic();
		if (o.verbose) p.stderr.write(head.replace(/[^\n]*\n/g, (line) => `> ${line}`));
		r.size_request += head.length;
		const bytes = concat([utf8(head), body ?? new Uint8Array(0)]);
		const response = new Response(method === 'HEAD');
		const buf = new Uint8Array(BUFFER);
		let sent = 0;
		let shown = 0;
		let ended = false;
		// RFC 9110 10.1.1: the body waits for the server's word, a second at most.
		let go = /\r\nExpect: 100-continue\r\n/.test(head) ? p.monotonic() + 1e9 : 0;
		const broken = (code: number, text: string): CurlError => {
			this.note(text);
			this.note(`Closing connection ${c.number}`);
			p.close(c.fd);
			return new CurlError(code, text);
		};
		const too_late = (): CurlError => {
			const length = Number(response.headers.get('content-length') ?? NaN);
			return broken(
				28,
				`Operation timed out after ${this.ms(start)} milliseconds with ${r.size_download}${Number.isNaN(length) ? '' : ` out of ${length}`} bytes received`,
			);
		};
		while (!response.done && !ended) {
			if (response.first > 0 || p.monotonic() >= go) go = 0;
			const ready_to_send = go === 0 ? bytes.length : head.length;
			const events = POLLIN | (sent < ready_to_send ? POLLOUT : 0);
			const revents = await this.ready(c.fd, events, go === 0 ? until : Math.min(until, go));
			if (revents === 0 && p.monotonic() >= until) throw too_late();
			if (sent < ready_to_send && revents & POLLOUT) {
				const n = p.sendmsg_nowait(c.fd, new msghdr(bytes.subarray(sent, Math.min(sent + 65536, ready_to_send))));
				if (n > 0) {
					sent += n;
					const up = Math.max(0, sent - head.length) - r.size_upload;
					if (up > 0) {
						r.size_upload += up;
						if (o.verbose) p.stderr.write(`} [${up} bytes data]\n`);
					}
				} else if (n !== -EAGAIN && (revents & POLLIN) === 0) throw broken(55, `Send failure: ${strerror(-n)}`);
			}
			if ((revents & (POLLIN | POLLHUP | POLLERR)) === 0) continue;
			const n = p.recvmsg_nowait(c.fd, new msghdr(buf));
			if (n === -EAGAIN) continue;
			if (n < 0) throw broken(56, `Recv failure: ${strerror(-n)}`);
			if (n === 0) {
				ended = true;
				break;
			}
			if (r.starttransfer === 0) r.starttransfer = p.monotonic();
			const was_headed = response.headed;
			const got = response.feed(buf.subarray(0, n));
			for (; shown < response.lines.length; shown++) {
				const line = response.lines[shown];
				if (o.verbose) {
					if (shown === response.first && line.startsWith('HTTP/1.0')) this.note('HTTP 1.0, assume close after body');
					p.stderr.write(`< ${line}`);
				}
				if (o.include || o.head) this.out.push(latin1(line));
				this.heads += line;
			}
			if (response.error === 'not http') throw broken(1, 'Received HTTP/0.9 when not allowed');
			if (response.error === 'too large') throw broken(56, 'Too large response headers');
			if (response.error === 'bad chunk')
				throw broken(56, 'Illegal or missing hexadecimal sequence in chunked-encoding');
			if (!was_headed && response.headed) {
				r.http_code = response.status;
				r.http_version = response.version;
				if (o.fail && response.status >= 400) throw broken(22, `The requested URL returned error: ${response.status}`);
			}
			if (got.length > 0) {
				if (o.verbose) p.stderr.write(`{ [${got.length} bytes data]\n`);
				r.size_download += got.length;
				if (!(o.location && response.status >= 300 && response.status < 400 && response.headers.has('location')))
					this.out.push(got.slice());
			}
		}
		if (ended && !response.ended()) {
			if (!response.headed) throw broken(52, 'Empty reply from server');
			throw response.chunked
				? broken(18, 'transfer closed with outstanding read data remaining')
				: broken(18, `transfer closed with ${response.left} bytes remaining to read`);
		}
		r.size_header += response.header_size;
		r.num_headers = response.headers.size;
		r.content_type = response.headers.get('content-type') ?? '';
		if (!ended && response.keep_alive && sent === bytes.length) {
			this.note(`Connection #${c.number} to host ${c.host} left intact`);
			this.kept = c;
		} else {
			this.note(`Closing connection ${c.number}`);
			p.close(c.fd);
		}
		c = { ...c, fd: -1 };
		return response;
	}

	/** A URL with its redirects. */
	private async transfer(first: Url, r: Report, start: number): Promise<void> {
		const { o, p } = this;
		let u = first;
		let body = this.body;
		let form = o.data.length > 0;
		if (o.get && body !== null) {
			u = { ...u, path: u.path + (u.path.includes('?') ? '&' : '?') + String.fromCharCode(...body) };
			body = null;
			form = false;
		}
		if (o.upload !== '') {
			const b = o.upload === '-' ? p.stdin : await p.readFileBytes(o.upload);
			if (typeof b === 'number') {
				if (!o.silent || o.show_error)
					p.stderr.write(
						`curl: Can't open '${o.upload}'!\ncurl: try 'curl --help' or 'curl --manual' for more information\n`,
					);
				throw new CurlError(26, 'Failed to open/read local data from file/application');
			}
			body = b;
			form = false;
			if (u.path.endsWith('/')) u = { ...u, path: u.path + percent(o.upload.slice(o.upload.lastIndexOf('/') + 1)) };
		}
		let method = o.method !== '' ? o.method : o.head ? 'HEAD' : o.upload !== '' ? 'PUT' : form ? 'POST' : 'GET';
		for (let hops = 0; ; hops++) {
			r.url_effective = url_text(u);
			const response = await this.exchange(
				u,
				method,
				body,
				form,
				u.host !== first.host || u.port !== first.port,
				start,
				r,
			);
			const location = response.headers.get('location');
			if (location === undefined || response.status < 300 || response.status >= 400) return;
			const next = follow(u, location);
			r.redirect_url = next === null ? '' : url_text(next);
			if (!o.location) return;
			if (next === null) throw new CurlError(3, 'URL using bad/illegal format or missing URL');
			if (hops >= o.max_redirs) throw new CurlError(47, `Maximum (${o.max_redirs}) redirects followed`);
			this.note(`Issue another request to this URL: '${url_text(next)}'`);
			protocol(next);
			r.num_redirects++;
			r.redirect_url = '';
			r.redirect = p.monotonic();
			if (
				o.method === '' &&
				(response.status === 303 || ((response.status === 301 || response.status === 302) && method === 'POST'))
			) {
				if (method !== 'HEAD') method = 'GET';
				body = null;
				form = false;
			}
			u = next;
		}
	}

	private meter(r: Report, seconds: number): void {
		if (this.o.silent || this.p.stdout.isTTY) return;
		if (!this.meter_shown) this.p.stderr.write(METER_HEAD);
		this.meter_shown = true;
		this.p.stderr.write(meter_line(r, seconds));
	}

	/** One URL to its end. Return: curl's code. */
	async one(text: string, output: string | null): Promise<number> {
		const { o, p } = this;
		const r: Report = {
			url: text,
			url_effective: text,
			filename: '',
			method: '',
			http_code: 0,
			http_version: '0',
			content_type: '',
			redirect_url: '',
			remote_ip: '',
			remote_port: 0,
			local_ip: '',
			local_port: 0,
			size_download: 0,
			size_upload: 0,
			size_header: 0,
			size_request: 0,
			num_connects: 0,
			num_redirects: 0,
			num_headers: 0,
			expected: -1,
			start: p.monotonic(),
			namelookup: 0,
			connect: 0,
			pretransfer: 0,
			starttransfer: 0,
			redirect: 0,
			total: 0,
			exitcode: 0,
			errormsg: '',
		};
		let code = 0;
		let message = '';
		let retries = o.retry;
		let delay = o.retry_delay > 0 ? o.retry_delay : 1;
		this.out = [];
		this.meter_shown = false;
		this.meter_done = false;
		for (;;) {
			code = 0;
			message = '';
			const start = p.monotonic();
			try {
				const u = parse_url(text);
				if (u === null) throw new CurlError(3, 'URL using bad/illegal format or missing URL');
				if (output === '') {
					const name = u.path.replace(/\?.*/, '');
					r.filename = name.slice(name.lastIndexOf('/') + 1);
					if (r.filename === '') throw new CurlError(23, 'Failed writing received data to disk/application');
				} else if (output !== null && output !== '-') r.filename = output;
				protocol(u);
				this.body = await this.data();
				this.meter(r, 0);
				await this.transfer(u, r, start);
			} catch (e) {
				if (!(e instanceof CurlError)) throw e;
				code = e.code;
				message = e.message;
				if (code === 6) {
					this.note(message);
					this.note(`Closing connection ${this.connections - 1}`);
				}
			}
			const transient = code === 28 || code === 6 || [408, 429, 500, 502, 503, 504].includes(r.http_code);
			if (retries <= 0 || !transient) break;
			if (!o.silent || o.show_error) {
				const what = code === 28 ? 'timeout' : code === 6 ? 'timeout' : 'HTTP error';
				p.stderr.write(`Warning: Problem : ${what}. Will retry in ${delay} seconds. ${retries} retries left.\n`);
			}
			retries--;
			if ((await p.sleep(delay * 1000)) < 0) break;
			if (o.retry_delay === 0) delay = Math.min(delay * 2, 600);
			this.out = [];
			r.size_download = 0;
			r.http_code = 0;
		}
		r.total = p.monotonic();
		r.exitcode = code;
		r.errormsg = message;
		const all = concat(this.out);
		if (o.dump !== '') {
			if (o.dump === '-') p.stdout.write(latin1(this.heads));
			else await p.writeFile(o.dump, latin1(this.heads));
		}
		if (this.meter_shown && !this.meter_done) {
			this.meter(r, (r.total - r.start) / 1e9);
			p.stderr.write('\n');
		}
		if (r.filename !== '' && (code === 0 || all.length > 0)) {
			// A device takes what it is given.
			const e = r.filename === '/dev/null' ? 0 : await p.writeFile(r.filename, all);
			if (e < 0 && code === 0) {
				if (!o.silent) p.stderr.write(`Warning: Failed to open the file ${r.filename}: ${strerror(-e)}\n`);
				code = 23;
				message = 'Failure writing output to destination';
			}
		} else if (output === null || output === '-') p.stdout.write(all);
		if (code !== 0 && (!o.silent || o.show_error)) p.stderr.write(`curl: (${code}) ${message}\n`);
		if (o.write_out !== '') {
			let format = o.write_out;
			if (format.startsWith('@')) {
				const t = await p.readFile(format.slice(1));
				format = typeof t === 'number' ? '' : t;
			}
			const w = write_out(format, r);
			p.stdout.write(w.stdout);
			p.stderr.write(w.stderr);
		}
		return code;
	}

	end(): void {
		if (this.kept !== null) this.p.close(this.kept.fd);
	}
}

/** Throws for what is not http. */
function protocol(u: Url): void {
	if (u.scheme !== 'http') throw new CurlError(1, `Protocol "${u.scheme}" not supported or disabled in libcurl`);
}

/** `curl`. Return: exit status. */
export async function curl(p: Process): Promise<number> {
	const o = parse(p.argv);
	if ('text' in o) {
		(o.status === 0 ? p.stdout : p.stderr).write(o.text);
		return o.status;
	}
	const c = new Curl(p, o);
	let status = 0;
	for (let i = 0; i < o.urls.length; i++) status = await c.one(o.urls[i], o.outputs[i]);
	c.end();
	return status;
}
