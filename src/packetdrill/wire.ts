/*
 * packetdrill/wire.ts: packets of a script as bytes of IPv4, and bytes as what a script would say.
 */
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../lib/byteorder.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold } from '../lib/checksum.ts';
import {
	TCPOPT_EOL,
	TCPOPT_EXP,
	TCPOPT_FASTOPEN,
	TCPOPT_FASTOPEN_MAGIC,
	TCPOPT_MD5SIG,
	TCPOPT_MSS,
	TCPOPT_NOP,
	TCPOPT_SACK,
	TCPOPT_SACK_PERM,
	TCPOPT_TIMESTAMP,
	TCPOPT_WINDOW,
} from '../uapi/linux/tcp.ts';
import type { TcpOption } from './script.ts';

const FLAGS = 'FSRP.UEWA';

/** Flags as their 9 bits. */
export function flagBits(flags: string): number {
	let bits = 0;
	for (const c of flags) if (c !== '-') bits |= 1 << FLAGS.indexOf(c);
	return bits;
}

/** Bits as a script writes them. */
export function flagText(bits: number): string {
	let s = '';
	for (const c of 'SFRPUEWA') if (bits & (1 << FLAGS.indexOf(c))) s += c;
	if (bits & 16) s += '.';
	return s === '' ? '-' : s;
}

/** One end of a connection. */
export interface End {
	ip: number;
	port: number;
}

/** A TCP segment; numbers as on the wire. */
export interface Segment {
	src: End;
	dst: End;
	tos: number;
	ttl: number;
	flags: number;
	seq: number;
	ack: number;
	win: number;
	urg: number;
	options: TcpOption[];
	len: number;
}

function hexBytes(hex: string): number[] {
	const out: number[] = [];
	for (let i = 0; i < hex.length; i += 2) out.push(Number.parseInt(hex.slice(i, i + 2), 16));
	return out;
}

function be32(v: number): number[] {
	return [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
}

/** The options' bytes, as given: a script pads with nop itself. `seq`: what is added to SACK's numbers, `ts` maps an echoed time stamp. */
export function encodeOptions(options: TcpOption[], sack: number, ecr: (v: number) => number): number[] {
	const b: number[] = [];
	for (const o of options) {
		switch (o.kind) {
			case 'nop':
				b.push(TCPOPT_NOP);
				break;
			case 'eol':
				b.push(TCPOPT_EOL);
				break;
			case 'mss':
				b.push(TCPOPT_MSS, 4, o.value >> 8, o.value & 255);
				break;
			case 'wscale':
				b.push(TCPOPT_WINDOW, 3, o.value);
				break;
			case 'sackOK':
				b.push(TCPOPT_SACK_PERM, 2);
				break;
			case 'sack':
				b.push(TCPOPT_SACK, 2 + 8 * o.blocks.length);
				for (const [from, to] of o.blocks) b.push(...be32(from + sack), ...be32(to + sack));
				break;
			case 'TS':
				b.push(TCPOPT_TIMESTAMP, 10, ...be32(o.value), ...be32(ecr(o.ecr)));
				break;
			case 'FO':
				b.push(TCPOPT_FASTOPEN, 2 + o.hex!.length / 2, ...hexBytes(o.hex!));
				break;
			case 'FOEXP':
				b.push(
					TCPOPT_EXP,
					4 + o.hex!.length / 2,
					TCPOPT_FASTOPEN_MAGIC >> 8,
					TCPOPT_FASTOPEN_MAGIC & 255,
					...hexBytes(o.hex!),
				);
				break;
			case 'md5':
				b.push(TCPOPT_MD5SIG, 18, ...hexBytes(o.hex!));
				break;
		}
	}
	while (b.length % 4 !== 0) b.push(TCPOPT_EOL);
	return b;
}

function ipHeader(
	b: Uint8Array,
	len: number,
	tos: number,
	ttl: number,
	protocol: number,
	src: number,
	dst: number,
): void {
	b[0] = 0x45;
	b[1] = tos;
	put_unaligned_be16(b, 2, len);
	b[8] = ttl;
	b[9] = protocol;
	put_unaligned_be32(b, 12, src);
	put_unaligned_be32(b, 16, dst);
	put_unaligned_be16(b, 10, csum_fold(csum_partial(b, 0, 20, 0)));
}

/** A whole IPv4 packet; the payload is zeros. `options`: encoded. */
export function buildTcp(s: Omit<Segment, 'options'>, options: number[]): Uint8Array {
	const hlen = 20 + options.length;
	const b = new Uint8Array(20 + hlen + s.len);
	ipHeader(b, b.length, s.tos, s.ttl, 6, s.src.ip, s.dst.ip);
	put_unaligned_be16(b, 20, s.src.port);
	put_unaligned_be16(b, 22, s.dst.port);
	put_unaligned_be32(b, 24, s.seq);
	put_unaligned_be32(b, 28, s.ack);
	b[32] = ((hlen / 4) << 4) | (s.flags >> 8);
	b[33] = s.flags & 255;
	put_unaligned_be16(b, 34, s.win);
	put_unaligned_be16(b, 38, s.urg);
	b.set(options, 40);
	const l4 = b.length - 20;
	put_unaligned_be16(b, 36, csum_fold(csum_partial(b, 20, l4, csum_tcpudp_nofold(s.src.ip, s.dst.ip, l4, 6, 0))));
	return b;
}

export function buildUdp(src: End, dst: End, len: number, tos: number, ttl: number): Uint8Array {
	const b = new Uint8Array(28 + len);
	ipHeader(b, b.length, tos, ttl, 17, src.ip, dst.ip);
	put_unaligned_be16(b, 20, src.port);
	put_unaligned_be16(b, 22, dst.port);
	put_unaligned_be16(b, 24, 8 + len);
	const sum = csum_fold(csum_partial(b, 20, 8 + len, csum_tcpudp_nofold(src.ip, dst.ip, 8 + len, 17, 0)));
	put_unaligned_be16(b, 26, sum === 0 ? 0xffff : sum);
	return b;
}

/** An ICMP error from `src` about `quoted` (a whole packet of ours). */
export function buildIcmp(
	src: number,
	dst: number,
	type: number,
	code: number,
	mtu: number,
	quoted: Uint8Array,
): Uint8Array {
	const quote = quoted.subarray(0, 28);
	const b = new Uint8Array(28 + quote.length);
	ipHeader(b, b.length, 0, 255, 1, src, dst);
	b[20] = type;
	b[21] = code;
	put_unaligned_be16(b, 26, mtu);
	b.set(quote, 28);
	put_unaligned_be16(b, 22, csum_fold(csum_partial(b, 20, b.length - 20, 0)));
	return b;
}

export const ICMP_TYPES: Record<string, number> = {
	echo_reply: 0,
	unreachable: 3,
	source_quench: 4,
	redirect: 5,
	echo_request: 8,
	time_exceeded: 11,
	parameter_problem: 12,
};

export const ICMP_CODES: Record<string, Record<string, number>> = {
	unreachable: {
		net_unreachable: 0,
		host_unreachable: 1,
		protocol_unreachable: 2,
		port_unreachable: 3,
		frag_needed: 4,
		source_route_failed: 5,
		net_unknown: 6,
		host_unknown: 7,
		source_host_isolated: 8,
		net_prohibited: 9,
		host_prohibited: 10,
		net_unreachable_for_tos: 11,
		host_unreachable_for_tos: 12,
		comm_prohibited: 13,
		host_precedence_violation: 14,
		precedence_cutoff: 15,
	},
	time_exceeded: { exceeded_in_transit: 0, exceeded_reassembly: 1 },
};

/** What a packet on the wire is. */
export type Seen =
	| { kind: 'tcp'; segment: Segment }
	| { kind: 'udp'; src: End; dst: End; len: number; tos: number; ttl: number }
	| { kind: 'icmp'; src: number; dst: number; type: number; code: number; mtu: number; tos: number; ttl: number }
	| { kind: 'other'; protocol: number };

function parseOptions(b: Uint8Array, from: number, to: number): TcpOption[] {
	const out: TcpOption[] = [];
	for (let i = from; i < to; ) {
		const o: TcpOption = { kind: 'nop', value: 0, ecr: 0, blocks: [], hex: null };
		const kind = b[i];
		if (kind === TCPOPT_NOP || kind === TCPOPT_EOL) {
			o.kind = kind === TCPOPT_NOP ? 'nop' : 'eol';
			out.push(o);
			i++;
			continue;
		}
		const len = b[i + 1];
		if (len < 2 || i + len > to) break;
		const hex = (at: number): string =>
			[...b.subarray(at, i + len)].map((x) => x.toString(16).padStart(2, '0')).join('');
		if (kind === TCPOPT_MSS) {
			o.kind = 'mss';
			o.value = get_unaligned_be16(b, i + 2);
		} else if (kind === TCPOPT_WINDOW) {
			o.kind = 'wscale';
			o.value = b[i + 2];
		} else if (kind === TCPOPT_SACK_PERM) o.kind = 'sackOK';
		else if (kind === TCPOPT_SACK) {
			o.kind = 'sack';
			for (let k = i + 2; k + 8 <= i + len; k += 8)
				o.blocks.push([get_unaligned_be32(b, k), get_unaligned_be32(b, k + 4)]);
		} else if (kind === TCPOPT_TIMESTAMP) {
			o.kind = 'TS';
			o.value = get_unaligned_be32(b, i + 2);
			o.ecr = get_unaligned_be32(b, i + 6);
		} else if (kind === TCPOPT_FASTOPEN) {
			o.kind = 'FO';
			o.hex = hex(i + 2);
		} else if (kind === TCPOPT_EXP && len >= 4 && get_unaligned_be16(b, i + 2) === TCPOPT_FASTOPEN_MAGIC) {
			o.kind = 'FOEXP';
			o.hex = hex(i + 4);
		} else if (kind === TCPOPT_MD5SIG) {
			o.kind = 'md5';
			o.hex = hex(i + 2);
		} else break;
		out.push(o);
		i += len;
	}
	return out;
}

/** Reads an IPv4 packet as it left. */
export function parsePacket(b: Uint8Array): Seen {
	if (b.length < 20 || b[0] >> 4 !== 4) return { kind: 'other', protocol: -1 };
	const ihl = (b[0] & 15) * 4;
	const tos = b[1];
	const ttl = b[8];
	const src = get_unaligned_be32(b, 12) >>> 0;
	const dst = get_unaligned_be32(b, 16) >>> 0;
	const t = ihl;
	if (b[9] === 6 && b.length >= t + 20) {
		const doff = (b[t + 12] >> 4) * 4;
		return {
			kind: 'tcp',
			segment: {
				src: { ip: src, port: get_unaligned_be16(b, t) },
				dst: { ip: dst, port: get_unaligned_be16(b, t + 2) },
				tos,
				ttl,
				flags: ((b[t + 12] & 1) << 8) | b[t + 13],
				seq: get_unaligned_be32(b, t + 4) >>> 0,
				ack: get_unaligned_be32(b, t + 8) >>> 0,
				win: get_unaligned_be16(b, t + 14),
				urg: get_unaligned_be16(b, t + 18),
				options: parseOptions(b, t + 20, Math.min(t + doff, b.length)),
				len: b.length - t - doff,
			},
		};
	}
	if (b[9] === 17 && b.length >= t + 8) {
		return {
			kind: 'udp',
			src: { ip: src, port: get_unaligned_be16(b, t) },
			dst: { ip: dst, port: get_unaligned_be16(b, t + 2) },
			len: b.length - t - 8,
			tos,
			ttl,
		};
	}
	if (b[9] === 1 && b.length >= t + 8) {
		return { kind: 'icmp', src, dst, type: b[t], code: b[t + 1], mtu: get_unaligned_be16(b, t + 6), tos, ttl };
	}
	return { kind: 'other', protocol: b[9] };
}

/** Options as a script writes them. */
export function optionText(options: TcpOption[]): string {
	return options
		.map((o) => {
			if (o.kind === 'mss' || o.kind === 'wscale') return `${o.kind} ${o.value}`;
			if (o.kind === 'TS') return `TS val ${o.value} ecr ${o.ecr}`;
			if (o.kind === 'sack') return `sack ${o.blocks.map(([a, z]) => `${a}:${z}`).join(' ')}`;
			if (o.hex !== null && o.hex !== '') return `${o.kind} ${o.hex}`;
			return o.kind;
		})
		.join(',');
}
