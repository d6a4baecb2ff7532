/*
 * user/curl/http.ts: URLs, and answers as their bytes come.                      RFC 3986, RFC 9112 4 (status line), 6.3 (length), 7.1 (chunks)
 */

export interface Url {
	scheme: string;
	user: string;
	host: string;
	port: number;
	/** Path and query. */
	path: string;
}

/** Reads a URL; `http://` may be missing. null where there is no host, or a port that is none. */
export function parse_url(text: string): Url | null {
	const m =
		/^(?:([a-zA-Z][a-zA-Z0-9+.-]*):\/\/)?(?:([^/?#@]*)@)?([^/?#:@\s[\]]+)(?::(\d*))?([/?][^#\s]*)?(?:#.*)?$/.exec(text);
	if (m === null || (m[1] === undefined && text.includes('://'))) return null;
	const port = m[4] === undefined || m[4] === '' ? 80 : Number(m[4]);
	if (port > 65535) return null;
	const path = m[5] ?? '/';
	return {
		scheme: (m[1] ?? 'http').toLowerCase(),
		user: m[2] ?? '',
		host: m[3],
		port,
		path: path.startsWith('?') ? `/${path}` : path,
	};
}

export function url_text(u: Url): string {
	return `${u.scheme}://${u.user === '' ? '' : `${u.user}@`}${u.host}${u.port === 80 ? '' : `:${u.port}`}${u.path}`;
}

/** Where a Location leads from `base`. null where it is no URL. */
export function follow(base: Url, location: string): Url | null {
	if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//.test(location)) return parse_url(location);
	if (location.startsWith('//')) return parse_url(`${base.scheme}:${location}`);
	const path = base.path.replace(/\?.*/, '');
	let to = location.replace(/#.*/, '');
	if (to.startsWith('?')) to = path + to;
	else if (!to.startsWith('/')) to = path.slice(0, path.lastIndexOf('/') + 1) + to;
	const [p, ...query] = to.split('?');
	const out: string[] = [];
	const parts = p.split('/').slice(1);
	parts.forEach((part, i) => {
		const last = i === parts.length - 1;
		if (part === '..') out.pop();
		else if (part !== '.') out.push(part);
		if (last && (part === '..' || part === '.')) out.push('');
	});
	return { ...base, path: `/${out.join('/')}${query.length > 0 ? `?${query.join('?')}` : ''}`.replaceAll(' ', '%20') };
}

/** One answer, fed with bytes as they come. */
export class Response {
	/** Lines of the head with their CR LF, as bytes in a string, those of 1xx answers before it as well. */
	lines: string[] = [];
	/** Of `lines`, where the last head begins. */
	first = 0;
	version = '';
	status = 0;
	headers: Map<string, string> = new Map();
	/** The head is whole. */
	headed = false;
	/** All of the body came. */
	done = false;
	/** Why this is no answer. */
	error: 'not http' | 'bad chunk' | 'too large' | null = null;
	/** Bytes that the body has yet to bring; -1: until the connection closes. */
	left = -1;
	chunked = false;
	private no_body: boolean;
	private line = '';
	/** In a chunked body: what comes next. */
	private state: 'size' | 'data' | 'crlf' | 'trailer' = 'size';
	private head_bytes = 0;

	/** `head`: the answer to HEAD, which has no body. */
	constructor(head: boolean) {
		this.no_body = head;
	}

	/** Size of all heads. */
	get header_size(): number {
		return this.head_bytes;
	}

	/** The connection can be used again. */
	get keep_alive(): boolean {
		const c = (this.headers.get('connection') ?? '').toLowerCase();
		return this.version === '1.1' ? c !== 'close' : c === 'keep-alive';
	}

	/** Takes bytes. Return: those of the body among them. */
	feed(b: Uint8Array): Uint8Array {
		const body: Uint8Array[] = [];
		let i = 0;
		while (i < b.length && !this.done && this.error === null) {
			if (!this.headed) i = this.head(b, i);
			else if (!this.chunked) {
				const n = this.left < 0 ? b.length - i : Math.min(this.left, b.length - i);
				body.push(b.subarray(i, i + n));
				i += n;
				if (this.left >= 0) {
					this.left -= n;
					if (this.left === 0) this.done = true;
				}
			} else if (this.state === 'data') {
				const n = Math.min(this.left, b.length - i);
				body.push(b.subarray(i, i + n));
				i += n;
				this.left -= n;
				if (this.left === 0) this.state = 'crlf';
			} else i = this.chunk_line(b, i);
		}
		const out = new Uint8Array(body.reduce((n, x) => n + x.length, 0));
		let at = 0;
		for (const x of body) {
			out.set(x, at);
			at += x.length;
		}
		return out;
	}

	/** Reads up to the end of a line. Return: where the next one begins; the line, when whole, is in `line` up to its LF. */
	private upto(b: Uint8Array, i: number): number {
		while (i < b.length) {
			const c = b[i++];
			this.line += String.fromCharCode(c);
			if (c === 10) break;
			if (this.line.length > 102400) {
				this.error = 'too large';
				break;
			}
		}
		return i;
	}

	private head(b: Uint8Array, i: number): number {
		const at = this.upto(b, i);
		if (this.lines.length === this.first && !'HTTP/'.startsWith(this.line.slice(0, 5))) {
			this.error = 'not http';
			return at;
		}
		if (!this.line.endsWith('\n')) return at;
		const line = this.line;
		this.line = '';
		this.lines.push(line);
		this.head_bytes += line.length;
		if (this.head_bytes > 307200) this.error = 'too large';
		const text = line.replace(/\r?\n$/, '');
		if (this.lines.length - 1 === this.first) {
			const m = /^HTTP\/(\d(?:\.\d)?)\s+(\d{3})(?:\s.*)?$/.exec(text);
			if (m === null) {
				this.error = 'not http';
				return at;
			}
			this.version = m[1];
			this.status = Number(m[2]);
			this.headers = new Map();
		} else if (text !== '') {
			const colon = text.indexOf(':');
			if (colon > 0) this.headers.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
		} else if (this.status >= 100 && this.status < 200) {
			this.first = this.lines.length;
		} else {
			this.headed = true;
			const length = this.headers.get('content-length');
			this.chunked = /(^|,)\s*chunked\s*$/i.test(this.headers.get('transfer-encoding') ?? '');
			if (this.no_body || this.status === 204 || this.status === 304) this.done = true;
			else if (!this.chunked && length !== undefined && /^\d+$/.test(length)) {
				this.left = Number(length);
				if (this.left === 0) this.done = true;
			}
		}
		return at;
	}

	private chunk_line(b: Uint8Array, i: number): number {
		const at = this.upto(b, i);
		if (!this.line.endsWith('\n')) return at;
		const text = this.line.replace(/\r?\n$/, '');
		this.line = '';
		if (this.state === 'crlf') {
			if (text !== '') this.error = 'bad chunk';
			this.state = 'size';
		} else if (this.state === 'trailer') {
			if (text === '') this.done = true;
		} else {
			const m = /^([0-9a-fA-F]{1,12})\s*(;.*)?$/.exec(text);
			if (m === null) this.error = 'bad chunk';
			else {
				this.left = parseInt(m[1], 16);
				this.state = this.left === 0 ? 'trailer' : 'data';
			}
		}
		return at;
	}

	/** The connection has ended. Return: whether that is the end of the body. */
	ended(): boolean {
		if (!this.headed) return false;
		if (!this.done && !this.chunked && this.left < 0) this.done = true;
		return this.done;
	}
}
