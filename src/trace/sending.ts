/*
 * trace/sending.ts: the words that name a packet, made into what a replay sends: `linnet trace`, tests of firewalls and matchers alike.
 */
import type { ImportedHost } from '../lab/import/import.ts';
import { get_unaligned_be32 } from '../lib/byteorder.ts';
import { assemble, isShort, PacketError, packet, parsePacket, parseShort } from '../packet/build.ts';
import type { Replay } from './replay.ts';

/** A packet that was built from words. */
export interface BuiltPacket {
	/** An Ethernet frame; else an IPv4 packet. */
	frame: boolean;
	bytes: Uint8Array;
	/** The mark that its sender's socket sets. */
	mark: number;
}

/** The packet that the words describe: an Ethernet frame when they begin with Ether, else an IPv4 packet. Throws PacketError. */
export function buildPacket(words: readonly string[]): BuiltPacket {
	const short = isShort(words[0]) || /^\d+$/.test(words[0]);
	const p = short ? parseShort(words) : null;
	const text = words.join(' ');
	const frame = p === null && parsePacket(text)[0]?.layer === 'Ether';
	const bytes = p === null ? packet(text) : assemble(p.layers);
	if (!frame && bytes[0] >> 4 === 6) throw new PacketError('the packet is IPv6, which linnet does not have yet', 0);
	return { frame, bytes, mark: p?.mark ?? 0 };
}

/** The words with what the kernel would choose in place of `0.0.0.0` (or port 0) as the source of a packet in the short form. */
export async function fillSource(replay: Replay, words: readonly string[]): Promise<string[]> {
	const out = [...words];
	const src = /^(\d+\.\d+\.\d+\.\d+)(?::(\d+))?$/.exec(words[1] ?? '');
	const dst = /^(\d+)\.(\d+)\.(\d+)\.(\d+)/.exec(words[2] ?? '');
	if (!isShort(words[0]) || src === null || dst === null) return out;
	let addr = src[1];
	if (addr === '0.0.0.0') {
		const to = dst.slice(1, 5).reduce((acc, x) => acc * 256 + Number(x), 0);
		addr = (await replay.route(to, 0)).src ?? addr;
	}
	out[1] = src[2] === undefined ? addr : `${addr}:${src[2] === '0' ? 40000 : src[2]}`;
	return out;
}

/**
 * With nothing but rules: what comes in by the way out and is for nobody behind this host is for the host itself. Return: what was assumed.
 */
export async function assumeLocal(
	imp: ImportedHost,
	replay: Replay,
	dev: string,
	p: BuiltPacket,
): Promise<string | null> {
	const ip = p.frame ? p.bytes.subarray(14) : p.bytes;
	if (imp.snapshot.links !== null || ip.length < 20 || ip[0] >> 4 !== 4 || ip[16] >= 224) return null;
	const addr = ip.slice(16, 20).join('.');
	const route = await replay.route(get_unaligned_be32(ip, 16), 0);
	if (!route.text.includes(` dev ${dev} `)) return null;
	await imp.host.exec(['ip', 'addr', 'add', `${addr}/32`, 'dev', dev]);
	return `addr.json: not there: ${addr} is an address of this host, on ${dev}`;
}
