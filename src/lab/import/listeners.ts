/*
 * lab/import/listeners.ts: which processes of the real host listen, from `ss -H -lntup`, and sockets of ours in their place.
 */
import { AF_INET, SOCK_DGRAM, SOCK_STREAM, sockaddr_in } from '../../uapi/linux/socket.ts';
import { ImportError } from './error.ts';
import type { ImportedHost } from './import.ts';

/** A socket that waits for packets on the real host. */
export interface Listener {
	protocol: 'tcp' | 'udp';
	/** 0: any. */
	addr: number;
	port: number;
	/** Device that it is bound to; '' any. */
	dev: string;
	/** Name of the process; '' when ss was not root. */
	process: string;
	line: number;
}

function ipv4(text: string): number | null {
	if (text === '*' || text === '[::]' || text === '::') return 0;
	const m = /^(?:\[?::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\]?$/.exec(text);
	if (m === null) return null;
	const bytes = m.slice(1).map(Number);
	return bytes.some((b) => b > 255) ? null : bytes.reduce((acc, b) => acc * 256 + b, 0);
}

/** Reads what `ss -H -lntup` printed; sockets of IPv6 alone are left out. Throws ImportError. */
export function parseListeners(file: string, text: string): Listener[] {
	const out: Listener[] = [];
	for (const [i, raw] of text.split('\n').entries()) {
		const line = raw.trim();
		if (line === '' || /^Netid\s/.test(line)) continue;
		const words = line.split(/\s+/);
		// `ss -lnt` has no column for the protocol, for it is always the same.
		if (words[0] === 'LISTEN' || words[0] === 'UNCONN') words.unshift(words[0] === 'LISTEN' ? 'tcp' : 'udp');
		const bad = (why: string): never => {
			throw new ImportError(
				file,
				i + 1,
				`'${line.slice(0, 60)}' ${why}: expected 'tcp LISTEN 0 128 ADDRESS:PORT …', as 'ss -H -lntup' prints it`,
			);
		};
		if (words.length < 6) bad('is too short');
		const protocol = words[0];
		if (protocol !== 'tcp' && protocol !== 'udp') {
			if (/^[a-z_0-9]+$/.test(protocol)) continue;
			bad('is no line of ss');
		}
		const m = /^(.*?)(?:%([^:]+))?:(\d+|\*)$/.exec(words[4]);
		if (m === null) return bad('has no local address and port');
		const port = Number(m[3]);
		if (!(port > 0 && port < 65536)) bad('has no port');
		const addr = ipv4(m[1]);
		if (addr === null) {
			if (!m[1].includes(':')) bad('has no local address');
			continue;
		}
		const process = /users:\(\("([^"]*)"/.exec(line)?.[1] ?? '';
		out.push({ protocol: protocol as 'tcp' | 'udp', addr, port, dev: m[2] ?? '', process, line: i + 1 });
	}
	return out;
}

/** The listener that a packet to `addr`:`port` would reach: the most particular one. */
export function findListener(
	listeners: readonly Listener[],
	protocol: string,
	addr: number,
	port: number,
): Listener | undefined {
	let any: Listener | undefined;
	for (const l of listeners) {
		if (l.protocol !== protocol || l.port !== port) continue;
		if (l.addr === addr) return l;
		if (l.addr === 0) any ??= l;
	}
	return any;
}

/** `sshd listens on tcp port 22` */
export function listenerText(l: Listener): string {
	return `${l.process === '' ? 'somebody' : l.process} listens on ${l.protocol} port ${l.port}`;
}

/**
 * Opens a socket of ours for each listener, held by a process of its name. What cannot be opened (this kernel may have no such sockets) is
 * left to `findListener`. Return: how many were opened.
 */
export function openListeners(imp: ImportedHost): number {
	let opened = 0;
	const held = new Map<string, ReturnType<typeof imp.host.daemon>>();
	for (const l of imp.listeners ?? []) {
		const name = l.process === '' ? 'listener' : l.process;
		let proc = held.get(name);
		if (proc === undefined) {
			proc = imp.host.daemon(name);
			held.set(name, proc);
		}
		const fd = proc.socket(AF_INET, l.protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM, 0);
		if (fd < 0) continue;
		const ok = proc.bind(fd, sockaddr_in(l.addr, l.port)) >= 0 && (l.protocol === 'udp' || proc.listen(fd, 128) >= 0);
		if (ok) opened++;
		else proc.close(fd);
	}
	return opened;
}
