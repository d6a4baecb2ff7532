/*
 * net/netfilter/xt_sctp.ts: match sctp: ports and chunks.          Linux: net/netfilter/xt_sctp.c
 * RFC 9260 3 (common header, then chunks: type, flags, length; padded to 4 bytes).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	SCTP_CHUNK_MATCH_ALL,
	SCTP_CHUNK_MATCH_ANY,
	SCTP_CHUNK_MATCH_ONLY,
	XT_SCTP_CHUNK_TYPES,
	XT_SCTP_DEST_PORTS,
	XT_SCTP_SRC_PORTS,
	XT_SCTP_VALID_FLAGS,
	xt_sctp_info,
} from '../../uapi/linux/netfilter/xt_sctp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_SCTP } from '../../uapi/linux/socket.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface sctp_info {
	spts: [number, number];
	dpts: [number, number];
	/** A byte for each type: whether it is asked for. */
	chunks: Uint8Array;
	match_type: number;
	/** By type: mask << 8 | value; -1: any flags. */
	chunk_flags: Int32Array;
	flags: number;
	invflags: number;
	/** The wanted types that were seen (for `all`). */
	seen: Uint8Array;
	head: Uint8Array;
}

function sctp_parse(b: Uint8Array): sctp_info | number {
	const o = xt_sctp_info;
	const flags = get_unaligned_le32(b, o.flags);
	const invflags = get_unaligned_le32(b, o.invflags);
	const match_type = get_unaligned_le32(b, o.chunk_match_type);
	const count = get_unaligned_le32(b, o.flag_count);
	if (count > 4 || (flags & ~XT_SCTP_VALID_FLAGS) !== 0 || (invflags & ~XT_SCTP_VALID_FLAGS) !== 0) return -EINVAL;
	if ((invflags & ~flags) !== 0) return -EINVAL;
	const known = SCTP_CHUNK_MATCH_ALL | SCTP_CHUNK_MATCH_ANY | SCTP_CHUNK_MATCH_ONLY;
	if ((flags & XT_SCTP_CHUNK_TYPES) !== 0 && (match_type & known) === 0) return -EINVAL;
	const chunks = new Uint8Array(256);
	for (let t = 0; t < 256; t++) chunks[t] = (get_unaligned_le32(b, o.chunkmap + (t >> 5) * 4) >>> (t & 31)) & 1;
	const chunk_flags = new Int32Array(256).fill(-1);
	for (let i = 0; i < count; i++) {
		const at = o.flag_info + i * 3;
		chunk_flags[b[at]] = (b[at + 2] << 8) | b[at + 1];
	}
	return {
		spts: [get_unaligned_le16(b, o.spts), get_unaligned_le16(b, o.spts + 2)],
		dpts: [get_unaligned_le16(b, o.dpts), get_unaligned_le16(b, o.dpts + 2)],
		chunks,
		match_type,
		chunk_flags,
		flags,
		invflags,
		seen: new Uint8Array(256),
		head: new Uint8Array(4),
	};
}

function flags_fit(info: sctp_info, type: number, flags: number): boolean {
	const want = info.chunk_flags[type];
	return want < 0 || (flags & (want >> 8)) === (want & 0xff);
}

/** Walks the chunks from `off` (from skb.data) on. */
function match_packet(skb: sk_buff, off: number, info: sctp_info, par: xt_action_param): boolean {
	const h = info.head;
	const all = info.match_type === SCTP_CHUNK_MATCH_ALL;
	if (all) info.seen.set(info.chunks);
	let n = 0;
	do {
		if (skb_copy_bits(skb, off, h, 0, 4) < 0 || get_unaligned_be16(h, 2) === 0) {
			par.hotdrop = true;
			return false;
		}
		n++;
		const type = h[0];
		off += (get_unaligned_be16(h, 2) + 3) & ~3;
		if (info.chunks[type] !== 0) {
			const fit = flags_fit(info, type, h[1]);
			if (info.match_type === SCTP_CHUNK_MATCH_ANY && fit) return true;
			if (all && fit) info.seen[type] = 0;
			if (info.match_type === SCTP_CHUNK_MATCH_ONLY && !fit) return false;
		} else if (info.match_type === SCTP_CHUNK_MATCH_ONLY) return false;
	} while (off < skb.len);
	if (all) return info.seen.every((x) => x === 0);
	return info.match_type === SCTP_CHUNK_MATCH_ONLY && n > 0;
}

function sctp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as sctp_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	const h = new Uint8Array(12);
	if (skb_copy_bits(skb, off, h, 0, 12) < 0) {
		par.hotdrop = true;
		return false;
	}
	const fits = (bit: number, hit: () => boolean): boolean =>
		(info.flags & bit) === 0 || hit() !== ((info.invflags & bit) !== 0);
	const sport = get_unaligned_be16(h, 0);
	const dport = get_unaligned_be16(h, 2);
	return (
		fits(XT_SCTP_SRC_PORTS, () => sport >= info.spts[0] && sport <= info.spts[1]) &&
		fits(XT_SCTP_DEST_PORTS, () => dport >= info.dpts[0] && dport <= info.dpts[1]) &&
		fits(XT_SCTP_CHUNK_TYPES, () => match_packet(skb, off + 12, info, par))
	);
}

export function sctp_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'sctp',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_sctp_info.sizeof,
		proto: IPPROTO_SCTP,
		parse: sctp_parse,
		match: sctp_mt,
	});
}
