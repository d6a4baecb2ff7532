/*
 * user/httpd/httpd.ts: `httpd`: serves the files of a directory over HTTP.                                    Original: busybox httpd 1.35
 *
 * httpd -> serve (one poll for all clients) -> answer. One request a connection, as the original.
 * Files are of the world's first instant: the disk keeps no times. Refused by name: -i, -c, -u, -r, -e, -d, -m (inetd, configuration, users, realms,
 * encoders); there is no CGI.
 */
import { EAGAIN, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	msghdr,
	POLLIN,
	POLLOUT,
	SHUT_WR,
	SO_REUSEADDR,
	SOCK_STREAM,
	SOL_SOCKET,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { gethostbyname, inet_ntoa } from '../hosts.ts';
import { type Process, type pollfd, utf8 } from '../libc.ts';
import { head_length, parse_range, parse_request, type Request } from './request.ts';

const USAGE = `
Usage: httpd [-fv[v]] [-p [IP:]PORT] [-h HOME]

Listen for incoming HTTP requests

	-f		Run in foreground
	-v[v]		Verbose
	-p [IP:]PORT	Bind to IP:PORT (default *:80)
	-h HOME		Home directory (default .)
`;
const REFUSED = 'icurdem';
const HEAD_MAX = 65536;
/** ms that a client may take for its request. */
const PATIENCE = 60_000;

/** Endings and what they stand for. */
const TYPES: readonly [RegExp, string][] = [
	[/\.(txt|h|c|cc|cpp)$/, 'text/plain'],
	[/\.html?$/, 'text/html'],
	[/\.jpe?g$/, 'image/jpeg'],
	[/\.gif$/, 'image/gif'],
	[/\.png$/, 'image/png'],
	[/\.svg$/, 'image/svg+xml'],
	[/\.css$/, 'text/css'],
	[/\.js$/, 'application/javascript'],
	[/\.wav$/, 'audio/wav'],
	[/\.avi$/, 'video/x-msvideo'],
	[/\.(qt|mov)$/, 'video/quicktime'],
	[/\.mpe?g?$/, 'video/mpeg'],
	[/\.midi?$/, 'audio/midi'],
	[/\.mp3$/, 'audio/mpeg'],
];

const ERRORS: Record<number, [string, string]> = {
	400: ['Bad Request', 'Unsupported method'],
	404: ['Not Found', 'The requested URL was not found'],
	501: ['Not Implemented', 'The requested method is not recognized'],
};

interface Options {
	foreground: boolean;
	verbose: number;
	host: string;
	port: number;
	home: string;
}

/** A connection under way. */
class Client {
	fd: number;
	peer: string;
	since: number;
	request: Uint8Array = new Uint8Array(0);
	answer: Uint8Array | null = null;
	sent = 0;
	/** The answer is out; what still comes is read and forgotten. */
	drained = false;

	constructor(fd: number, peer: string, since: number) {
		this.fd = fd;
		this.peer = peer;
		this.since = since;
	}
}

const pad = (n: number): string => String(n).padStart(2, '0');

/** Seconds since 1970 as RFC 9110 5.6.7 writes them. */
export function http_date(sec: number): string {
	const days = Math.floor(sec / 86400);
	const s = sec - days * 86400;
	// The civil calendar, in years that begin with March.
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
	const month = mp < 10 ? mp + 3 : mp - 9;
	const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
	const week = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'][((days % 7) + 7) % 7];
	const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
	return `${week}, ${pad(day)} ${names[month - 1]} ${year} ${pad(Math.floor(s / 3600))}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)} GMT`;
}

function join(head: string, body: Uint8Array): Uint8Array {
	const h = utf8(head);
	const out = new Uint8Array(h.length + body.length);
	out.set(h);
	out.set(body, h.length);
	return out;
}

/** The answer to a request; `status` for the log. */
async function answer(p: Process, o: Options, r: Request | null): Promise<{ bytes: Uint8Array; status: number }> {
	const now = p.realtime().sec;
	const start = (status: number, words: string, type: string): string =>
		`HTTP/1.1 ${status} ${words}\r\nDate: ${http_date(now)}\r\nConnection: close\r\n${type === '' ? '' : `Content-type: ${type}\r\n`}`;
	const error = (status: number): { bytes: Uint8Array; status: number } => {
		const [title, text] = ERRORS[status];
		const body = `<HTML><HEAD><TITLE>${status} ${title}</TITLE></HEAD>\n<BODY><H1>${status} ${title}</H1>\n${text}\n</BODY></HTML>\n`;
		return { bytes: utf8(`${start(status, title, 'text/html')}\r\n${r?.method === 'HEAD' ? '' : body}`), status };
	};
	if (r === null) return error(400);
	if (r.method !== 'GET' && r.method !== 'HEAD') return error(501);
	if (r.path.includes('\0')) return error(404);
	let path = o.home + r.path;
	if (!r.path.endsWith('/')) {
		if (typeof (await p.readdir(path)) !== 'number')
			return {
				bytes: utf8(
					`${start(302, 'Found', 'text/html')}Location: ${r.path}/${r.query === '' ? '' : `?${r.query}`}\r\n\r\n`,
				),
				status: 302,
			};
	} else path += 'index.html';
	const data = await p.readFileBytes(path);
	if (typeof data === 'number') return error(404);
	const range = parse_range(r.headers.get('range'), data.length);
	const body = range === null ? data : data.subarray(range.start, range.end + 1);
	const type = TYPES.find(([re]) => re.test(path))?.[1] ?? '';
	const modified = now - Math.floor(p.monotonic() / 1e9);
	const head =
		(range === null ? start(200, 'OK', type) : start(206, 'Partial Content', 'text/html')) +
		(range === null ? '' : `Content-Range: bytes ${range.start}-${range.end}/${data.length}\r\n`) +
		`Accept-Ranges: bytes\r\nLast-Modified: ${http_date(modified)}\r\n` +
		`ETag: "${modified.toString(16)}-${data.length.toString(16)}"\r\nContent-Length: ${body.length}\r\n\r\n`;
	return { bytes: join(head, r.method === 'HEAD' ? new Uint8Array(0) : body), status: range === null ? 200 : 206 };
}

/** Takes clients and serves them all, until a signal comes. */
async function serve(p: Process, o: Options, listener: number): Promise<number> {
	const clients: Client[] = [];
	const buf = new Uint8Array(16384);
	const drop = (c: Client): void => {
		p.close(c.fd);
		clients.splice(clients.indexOf(c), 1);
	};
	const log = (c: Client, level: number, text: string): void => {
		if (o.verbose >= level) p.stderr.write(`${c.peer}: ${text}\n`);
	};
	for (;;) {
		const fds: pollfd[] = [{ fd: listener, events: POLLIN, revents: 0 }];
		const polled = [...clients];
		for (const c of polled)
			fds.push({ fd: c.fd, events: c.answer !== null && !c.drained ? POLLOUT : POLLIN, revents: 0 });
		const oldest = polled.reduce((t, c) => Math.min(t, c.since), Infinity);
		const left = oldest === Infinity ? -1 : Math.max(0, Math.ceil(PATIENCE - (p.monotonic() - oldest) / 1e6));
		const n = await p.poll(fds, left);
		if (n < 0) return 0;
		for (let i = 0; i < polled.length; i++) {
			const c = polled[i];
			if (fds[i + 1].revents === 0) {
				if ((p.monotonic() - c.since) / 1e6 >= PATIENCE) drop(c);
				continue;
			}
			if (c.answer === null || c.drained) {
				const got = p.recvmsg_nowait(c.fd, new msghdr(buf));
				if (got === -EAGAIN) continue;
				if (got <= 0) {
					drop(c);
					continue;
				}
				if (c.drained) continue;
				const all = new Uint8Array(c.request.length + got);
				all.set(c.request);
				all.set(buf.subarray(0, got), c.request.length);
				c.request = all;
				const end = head_length(all);
				if (end < 0 && all.length < HEAD_MAX) continue;
				let text = '';
				for (let k = 0; k < Math.max(end, 0); k++) text += String.fromCharCode(all[k]);
				const r = parse_request(text);
				if (r !== null) log(c, 2, `url:${r.path}`);
				const a = await answer(p, o, r);
				log(c, 1, `response:${a.status}`);
				c.answer = a.bytes;
				c.since = p.monotonic();
			}
			while (c.answer !== null && c.sent < c.answer.length) {
				const sent = p.sendmsg_nowait(c.fd, new msghdr(c.answer.subarray(c.sent, c.sent + 65536)));
				if (sent > 0) {
					c.sent += sent;
					c.since = p.monotonic();
				} else {
					if (sent !== -EAGAIN) drop(c);
					break;
				}
			}
			if (c.answer !== null && !c.drained && c.sent === c.answer.length) {
				p.shutdown(c.fd, SHUT_WR);
				c.drained = true;
			}
		}
		if (fds[0].revents !== 0) {
			for (;;) {
				const from = sockaddr_in(0, 0);
				const fd = p.accept_nowait(listener, from);
				if (fd < 0) break;
				const c = new Client(fd, `${inet_ntoa(from.sin_addr)}:${from.sin_port}`, p.monotonic());
				clients.push(c);
				log(c, 2, 'connected');
			}
		}
	}
}

/** `httpd`. Return: exit status. */
export async function httpd(p: Process): Promise<number> {
	const o: Options = { foreground: false, verbose: 0, host: '', port: 80, home: p.cwd };
	const g = new getopt(p.argv, 'fvp:h:ic:u:r:e:d:m:');
	let bad = '';
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') {
			p.stderr.write(getopt_message('httpd', s) + USAGE);
			return 1;
		}
		if (REFUSED.includes(s.opt)) {
			p.stderr.write(`httpd: option -${s.opt} is not supported by linnet\n`);
			return 1;
		}
		if (s.opt === 'f') o.foreground = true;
		else if (s.opt === 'v') o.verbose++;
		else if (s.opt === 'h') o.home = s.arg.startsWith('/') ? s.arg : `${p.cwd}/${s.arg}`;
		else {
			const m = /^(?:(.*):)?(\d+)$/.exec(s.arg);
			if (m === null || Number(m[2]) > 65535) bad = s.arg;
			else [o.host, o.port] = [m[1] ?? '', Number(m[2])];
		}
	}
	const fail = (text: string): number => {
		p.stderr.write(`httpd: ${text}\n`);
		return 1;
	};
	o.home = o.home.replace(/\/+$/, '');
	const dir = await p.readdir(o.home === '' ? '/' : o.home);
	if (typeof dir === 'number') return fail(`can't change directory to '${o.home}': ${strerror(-dir)}`);
	if (bad !== '') return fail(`bad address '${bad}'`);
	const addr = o.host === '' ? 0 : ((await gethostbyname(p, o.host))?.addr ?? -1);
	if (addr < 0) return fail(`bad address '${o.host}'`);
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	const r = p.bind(fd, sockaddr_in(addr, o.port));
	if (r < 0) return fail(`bind: ${strerror(-r)}`);
	p.listen(fd, 9);
	if (o.foreground) return serve(p, o, fd);
	const child = p.fork('httpd');
	child.task.files = p.task.files;
	p.task.files = [];
	void serve(child, o, fd).finally(() => child.exit());
	return 0;
}
