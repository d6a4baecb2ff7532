/*
 * packet/print/text.ts: protocols of text lines (HTTP, FTP, SMTP) as tcpdump prints them: only what begins with a known word.
 */

import { type Context, safeChar } from './context.ts';

const COMMANDS: { readonly [protocol: string]: readonly string[] } = {
	http: [
		'GET',
		'PUT',
		'COPY',
		'HEAD',
		'LOCK',
		'MOVE',
		'POLL',
		'POST',
		'BCOPY',
		'BMOVE',
		'MKCOL',
		'TRACE',
		'LABEL',
		'MERGE',
		'DELETE',
		'SEARCH',
		'UNLOCK',
		'REPORT',
		'UPDATE',
		'NOTIFY',
		'BDELETE',
		'CONNECT',
		'OPTIONS',
		'CHECKIN',
		'PROPFIND',
		'CHECKOUT',
		'CCM_POST',
		'SUBSCRIBE',
		'PROPPATCH',
		'BPROPFIND',
		'BPROPPATCH',
		'UNCHECKOUT',
		'MKACTIVITY',
		'MKWORKSPACE',
		'UNSUBSCRIBE',
		'RPC_CONNECT',
		'VERSION-CONTROL',
		'BASELINE-CONTROL',
	],
	smtp: ['DATA', 'EHLO', 'EXPN', 'HELO', 'HELP', 'MAIL', 'NOOP', 'QUIT', 'RCPT', 'RSET', 'VRFY'],
};

/** The word at o and where the next begins; null when there is none. */
function token(c: Context, o: number, end: number): { word: string; next: number } | null {
	let i = o;
	while (i < end && c.b[i] > 0x20 && c.b[i] < 0x7f) i++;
	if (i === o) return null;
	let word = '';
	for (let k = o; k < i; k++) word += String.fromCharCode(c.b[k]);
	if (i < end && c.b[i] !== 0x20 && c.b[i] !== 0x0d && c.b[i] !== 0x0a && c.b[i] !== 0x09) return null;
	while (i < end && (c.b[i] === 0x20 || c.b[i] === 0x0d || c.b[i] === 0x0a || c.b[i] === 0x09)) i++;
	return { word, next: i };
}

/** Prints the lines of a text protocol after its name. */
export function textProtocol(c: Context, o: number, length: number, protocol: string): undefined {
	c.protocol = protocol;
	const end = Math.min(o + length, c.end);
	const first = token(c, o, end);
	// tcpdump has no list of FTP's commands: all of it is printed.
	let known = protocol === 'ftp' || (first !== null && COMMANDS[protocol].includes(first.word.toUpperCase()));
	if (!known && first !== null && first.next < end) {
		const code = protocol === 'http' ? (first.word.startsWith('HTTP/') ? token(c, first.next, end) : null) : first;
		if (code !== null && /^\d{3}$/.test(code.word)) {
			known = true;
		}
	}
	if (c.v > 0) {
		if (!known) return;
		c.print(`, length: ${length}`);
		lines(c, o, end, length, '\n\t', false);
		return;
	}
	if (!known) return;
	lines(c, o, end, length, ': ', true);
}

/** Prints lines until one is not text; only the first when so asked. */
function lines(c: Context, o: number, end: number, length: number, prefix: string, one: boolean): undefined {
	const stop = o + length;
	while (o < end) {
		let i = o;
		let terminated = false;
		let next = 0;
		for (; i < end; i++) {
			const ch = c.b[i];
			if (ch === 0x0a) {
				terminated = true;
				next = i + 1;
				break;
			}
			if (ch === 0x0d) {
				if (i + 1 >= end) break;
				if (c.b[i + 1] !== 0x0a) return;
				terminated = true;
				next = i + 2;
				break;
			}
			if (ch > 0x7e || (ch < 0x20 && ch !== 0x09)) return;
		}
		let text = '';
		for (let k = o; k < i; k++) text += c.b[k] === 9 ? '\t' : safeChar(c.b[k]);
		c.print(prefix + text);
		if (!terminated) {
			if (i >= c.end || i >= stop) c.print(c.protocol === '' ? '' : ` [|${c.protocol}]`);
			return;
		}
		if (one) return;
		o = next;
	}
}
