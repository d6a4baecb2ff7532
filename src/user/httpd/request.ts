/*
 * user/httpd/request.ts: what a browser asks for: the head of an HTTP request.                          RFC 9112 3 (request line), RFC 9110 14.2 (Range)
 */

export interface Request {
	method: string;
	/** Decoded, without `?…`; '' where the target is no path. */
	path: string;
	query: string;
	version: string;
	/** Names in lower case. */
	headers: Map<string, string>;
}

/** Length of the head with its blank line, or -1 when it has not come whole. */
export function head_length(b: Uint8Array): number {
	for (let i = 0; i < b.length; i++) {
		if (b[i] !== 10) continue;
		if (b[i + 1] === 10) return i + 2;
		if (b[i + 1] === 13 && b[i + 2] === 10) return i + 3;
	}
	return -1;
}

/** `%41` as `A`. null where an escape is none. */
export function url_decode(text: string): string | null {
	if (/%(?![0-9a-fA-F]{2})/.test(text)) return null;
	return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** A path with neither `.` nor `..` nor doubled slashes. null when it leaves the root. */
export function clean_path(path: string): string | null {
	const out: string[] = [];
	for (const part of path.split('/')) {
		if (part === '' || part === '.') continue;
		if (part !== '..') out.push(part);
		else if (out.pop() === undefined) return null;
	}
	return `/${out.join('/')}${path.endsWith('/') && out.length > 0 ? '/' : ''}`;
}

/** Header lines by their names. */
export function parse_headers(lines: readonly string[]): Map<string, string> {
	const headers: Map<string, string> = new Map();
	for (const line of lines) {
		const colon = line.indexOf(':');
		if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
	}
	return headers;
}

/** Reads a head, one character a byte. null where there is no method, path and version. */
export function parse_request(head: string): Request | null {
	const [line, ...rest] = head.split(/\r?\n/);
	const m = /^(\S+) +(\/\S*) +(HTTP\/\d\.\d)\s*$/.exec(line);
	if (m === null) return null;
	const q = m[2].indexOf('?');
	const decoded = url_decode(q < 0 ? m[2] : m[2].slice(0, q));
	const path = decoded === null ? null : clean_path(decoded);
	if (path === null) return null;
	return { method: m[1], path, query: q < 0 ? '' : m[2].slice(q + 1), version: m[3], headers: parse_headers(rest) };
}

/** First and last byte of `bytes=N-M` and `bytes=N-` in a file of `size` bytes; null: all of it. */
export function parse_range(text: string | undefined, size: number): { start: number; end: number } | null {
	const m = /^bytes=(\d+)-(\d*)$/.exec(text ?? '');
	if (m === null) return null;
	const start = Number(m[1]);
	const end = m[2] === '' ? size - 1 : Math.min(Number(m[2]), size - 1);
	return start > end ? null : { start, end };
}
