/*
 * lib/nlattr.ts: netlink messages and attributes, as bytes.        Linux: lib/nlattr.c, net/netlink.h
 * Kernel and userland build and read with the same functions, each its own end of the same bytes (little-endian, 4-byte aligned).
 * Walk: nlbuf and nlmsg_put/nla_put build; nlmsghdr, nlattr and nla_parse read; nla_policy says what is well formed.
 * RFC 3549 2 (messages). Not here yet: describing a policy to userland (NLMSGERR_ATTR_POLICY).
 */
import { EINVAL, EMSGSIZE, EOPNOTSUPP, ERANGE } from '../uapi/asm-generic/errno.ts';
import { NLA_F_NESTED } from '../uapi/linux/netlink.ts';
import {
	get_unaligned_be16,
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from './byteorder.ts';

export const NLMSG_HDRLEN = 16;
export const NLA_HDRLEN = 4;
/** The low 14 bits of nla_type. */
export const NLA_TYPE_BITS = 0x3fff;

export function NLMSG_ALIGN(len: number): number {
	return (len + 3) & ~3;
}

export const NLA_ALIGN: (len: number) => number = NLMSG_ALIGN;

// ---- strings ----

/** UTF-8 bytes of `s`; a character of the private range U+DC80..U+DCFF stands for the raw byte that it came from. */
export function str_to_bytes(s: string): Uint8Array {
	const out: number[] = [];
	for (let i = 0; i < s.length; i++) {
		const c = s.codePointAt(i)!;
		if (c > 0xffff) i++;
		if (c < 0x80) out.push(c);
		else if (c >= 0xdc80 && c <= 0xdcff) out.push(c & 0xff);
		else if (c < 0x800) out.push(0xc0 | (c >> 6), 0x80 | (c & 63));
		else if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
		else out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
	}
	return Uint8Array.from(out);
}

/** The text in `b[start, end)`; bytes that are not UTF-8 come back as U+DC80..U+DCFF, so nothing is lost. */
export function bytes_to_str(b: Uint8Array, start = 0, end = b.length): string {
	let s = '';
	for (let i = start; i < end; ) {
		const c = b[i];
		const more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
		let v = more === 0 ? c : c & (0x3f >> more);
		let ok = more >= 0 && i + more < end;
		for (let k = 1; ok && k <= more; k++) {
			ok = (b[i + k] & 0xc0) === 0x80;
			v = (v << 6) | (b[i + k] & 0x3f);
		}
		if (ok && more === 2) ok = v >= 0x800 && (v < 0xd800 || v > 0xdfff);
		if (ok && more === 3) ok = v >= 0x10000 && v <= 0x10ffff;
		s += ok ? String.fromCodePoint(v) : String.fromCharCode(0xdc00 | c);
		i += ok ? more + 1 : 1;
	}
	return s;
}

// ---- extended acks ----

/** What a handler says about its failure beside the errno. */
export class netlink_ext_ack {
	_msg: string | null = null;
	bad_attr: nlattr | null = null;
	/** Type of the attribute that is missing; 0: none. */
	miss_type = 0;
	/** Offset in the message of the nest where it is missing; 0: the message itself. */
	miss_nest = 0;
	cookie: Uint8Array | null = null;
}

export function NL_SET_ERR_MSG(extack: netlink_ext_ack | null, msg: string): void {
	if (extack !== null) extack._msg = msg;
}

/** As NL_SET_ERR_MSG, unless a message stands already. */
export function NL_SET_ERR_MSG_WEAK(extack: netlink_ext_ack | null, msg: string): void {
	if (extack !== null && extack._msg === null) extack._msg = msg;
}

export function NL_SET_BAD_ATTR(extack: netlink_ext_ack | null, attr: nlattr | null): void {
	if (extack !== null) extack.bad_attr = attr;
}

export function NL_SET_ERR_MSG_ATTR(extack: netlink_ext_ack | null, attr: nlattr | null, msg: string): void {
	if (extack !== null) {
		extack._msg = msg;
		extack.bad_attr = attr;
	}
}

// ---- building ----

/** A growing run of messages, up to `limit` bytes. */
export class nlbuf {
	data: Uint8Array;
	len = 0;
	limit: number;

	constructor(limit = 0x7fffffff) {
		this.limit = limit;
		this.data = new Uint8Array(Math.min(limit, 512));
	}
}

/** What has been written. */
export function nlbuf_bytes(buf: nlbuf): Uint8Array {
	return buf.data.subarray(0, buf.len);
}

/** Room for `n` bytes, zeroed. Return: their offset, or -EMSGSIZE. */
export function nlbuf_put(buf: nlbuf, n: number): number {
	const at = buf.len;
	const end = at + n;
	if (end > buf.limit) return -EMSGSIZE;
	if (end > buf.data.length) {
		const grown = new Uint8Array(Math.min(buf.limit, Math.max(end, buf.data.length * 2)));
		grown.set(buf.data.subarray(0, at));
		buf.data = grown;
	} else {
		buf.data.fill(0, at, end);
	}
	buf.len = end;
	return at;
}

/** Begins a message with `payload` zeroed bytes behind its header. Return: the header's offset, or -EMSGSIZE. */
export function nlmsg_put(
	buf: nlbuf,
	portid: number,
	seq: number,
	type: number,
	payload: number,
	flags: number,
): number {
	const at = nlbuf_put(buf, NLMSG_HDRLEN + NLMSG_ALIGN(payload));
	if (at < 0) return at;
	const d = buf.data;
	put_unaligned_le32(d, at, NLMSG_HDRLEN + payload);
	put_unaligned_le16(d, at + 4, type);
	put_unaligned_le16(d, at + 6, flags);
	put_unaligned_le32(d, at + 8, seq);
	put_unaligned_le32(d, at + 12, portid);
	return at;
}

/** Offset of the payload of the message that nlmsg_put began at `nlh`. */
export function nlmsg_put_data(nlh: number): number {
	return nlh + NLMSG_HDRLEN;
}

/** Ends the message begun at `nlh`: its length is all that was written since. */
export function nlmsg_end(buf: nlbuf, nlh: number): void {
	put_unaligned_le32(buf.data, nlh, buf.len - nlh);
}

/** Takes back the message begun at `nlh`. */
export function nlmsg_cancel(buf: nlbuf, nlh: number): void {
	buf.len = nlh;
}

/** Room for an attribute of `len` bytes. Return: the offset of its (zeroed) payload, or -EMSGSIZE. */
export function nla_reserve(buf: nlbuf, type: number, len: number): number {
	const at = nlbuf_put(buf, NLA_HDRLEN + NLA_ALIGN(len));
	if (at < 0) return at;
	put_unaligned_le16(buf.data, at, NLA_HDRLEN + len);
	put_unaligned_le16(buf.data, at + 2, type);
	return at + NLA_HDRLEN;
}

/** Each nla_put_*: Return: 0 or -EMSGSIZE. */
export function nla_put(buf: nlbuf, type: number, bytes: Uint8Array): number {
	const at = nla_reserve(buf, type, bytes.length);
	if (at < 0) return at;
	buf.data.set(bytes, at);
	return 0;
}

export function nla_put_u8(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 1);
	if (at < 0) return at;
	buf.data[at] = v;
	return 0;
}

export function nla_put_u16(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 2);
	if (at < 0) return at;
	put_unaligned_le16(buf.data, at, v);
	return 0;
}

export function nla_put_u32(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 4);
	if (at < 0) return at;
	put_unaligned_le32(buf.data, at, v);
	return 0;
}

export const nla_put_s32: (buf: nlbuf, type: number, v: number) => number = nla_put_u32;

/** A whole number up to 2^53; negative ones as two's complement. */
export function nla_put_u64(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 8);
	if (at < 0) return at;
	put_unaligned_le64(buf.data, at, v);
	return 0;
}

export function nla_put_be16(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 2);
	if (at < 0) return at;
	buf.data[at] = v >>> 8;
	buf.data[at + 1] = v;
	return 0;
}

export function nla_put_be32(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 4);
	if (at < 0) return at;
	buf.data[at] = v >>> 24;
	buf.data[at + 1] = v >>> 16;
	buf.data[at + 2] = v >>> 8;
	buf.data[at + 3] = v;
	return 0;
}

export function nla_put_be64(buf: nlbuf, type: number, v: number): number {
	const at = nla_reserve(buf, type, 8);
	if (at < 0) return at;
	const hi = Math.floor(v / 0x100000000);
	const lo = v >>> 0;
	for (let i = 0; i < 4; i++) {
		buf.data[at + i] = hi >>> (24 - 8 * i);
		buf.data[at + 4 + i] = lo >>> (24 - 8 * i);
	}
	return 0;
}

/** An IPv4 address (host order number) in network order. */
export const nla_put_in_addr: (buf: nlbuf, type: number, addr: number) => number = nla_put_be32;

/** Text with its closing NUL. */
export function nla_put_string(buf: nlbuf, type: number, s: string): number {
	const b = str_to_bytes(s);
	const at = nla_reserve(buf, type, b.length + 1);
	if (at < 0) return at;
	buf.data.set(b, at);
	return 0;
}

export function nla_put_flag(buf: nlbuf, type: number): number {
	const at = nla_reserve(buf, type, 0);
	return Math.min(at, 0);
}

/** Begins a nest (NLA_F_NESTED set). Return: its offset for nla_nest_end, or -EMSGSIZE. */
export function nla_nest_start(buf: nlbuf, type: number): number {
	return nla_nest_start_noflag(buf, type | NLA_F_NESTED);
}

/** Begins a nest as older attributes have it, without NLA_F_NESTED. */
export function nla_nest_start_noflag(buf: nlbuf, type: number): number {
	const at = nla_reserve(buf, type, 0);
	return at < 0 ? at : at - NLA_HDRLEN;
}

export function nla_nest_end(buf: nlbuf, nest: number): void {
	put_unaligned_le16(buf.data, nest, buf.len - nest);
}

export function nla_nest_cancel(buf: nlbuf, nest: number): void {
	buf.len = nest;
}

export function put_unaligned_le64(b: Uint8Array, o: number, v: number): void {
	const lo = v >>> 0;
	put_unaligned_le32(b, o, lo);
	put_unaligned_le32(b, o + 4, Math.floor((v - lo) / 0x100000000));
}

export function get_unaligned_le64(b: Uint8Array, o: number): number {
	return get_unaligned_le32(b, o + 4) * 0x100000000 + get_unaligned_le32(b, o);
}

// ---- reading ----

/** A message in `buf`; `data` is where its payload begins, `end` where the message ends. */
export class nlmsghdr {
	buf: Uint8Array;
	off: number;
	nlmsg_len: number;
	nlmsg_type: number;
	nlmsg_flags: number;
	nlmsg_seq: number;
	nlmsg_pid: number;

	constructor(buf: Uint8Array, off: number) {
		this.buf = buf;
		this.off = off;
		this.nlmsg_len = get_unaligned_le32(buf, off);
		this.nlmsg_type = get_unaligned_le16(buf, off + 4);
		this.nlmsg_flags = get_unaligned_le16(buf, off + 6);
		this.nlmsg_seq = get_unaligned_le32(buf, off + 8);
		this.nlmsg_pid = get_unaligned_le32(buf, off + 12);
	}

	get data(): number {
		return this.off + NLMSG_HDRLEN;
	}

	get end(): number {
		return this.off + this.nlmsg_len;
	}
}

/** Whether a whole message stands at `off`. */
export function nlmsg_ok(buf: Uint8Array, off: number, end: number): boolean {
	if (end - off < NLMSG_HDRLEN) return false;
	const len = get_unaligned_le32(buf, off);
	return len >= NLMSG_HDRLEN && len <= end - off;
}

/** Bytes behind the header. */
export function nlmsg_len(nlh: nlmsghdr): number {
	return nlh.nlmsg_len - NLMSG_HDRLEN;
}

/** Where the attributes begin behind a family header of `hdrlen` bytes. */
export function nlmsg_attrdata(nlh: nlmsghdr, hdrlen: number): number {
	return nlh.data + NLMSG_ALIGN(hdrlen);
}

/** One attribute in place: `buf[off, off + len)` is its payload. */
export class nlattr {
	buf: Uint8Array;
	/** Of the payload. */
	off: number;
	/** Of the payload. */
	len: number;
	/** Without the flags. */
	type: number;
	/** NLA_F_NESTED and NLA_F_NET_BYTEORDER as sent. */
	flags: number;

	constructor(buf: Uint8Array, at: number) {
		this.buf = buf;
		this.off = at + NLA_HDRLEN;
		this.len = get_unaligned_le16(buf, at) - NLA_HDRLEN;
		const type = get_unaligned_le16(buf, at + 2);
		this.type = type & NLA_TYPE_BITS;
		this.flags = type & ~NLA_TYPE_BITS;
	}
}

/** By attribute type; null where the message has none. */
export type nlattr_table = (nlattr | null)[];

export function nla_ok(buf: Uint8Array, at: number, end: number): boolean {
	if (end - at < NLA_HDRLEN) return false;
	const len = get_unaligned_le16(buf, at);
	return len >= NLA_HDRLEN && len <= end - at;
}

/** Where the attribute after `nla` begins. */
export function nla_next(nla: nlattr): number {
	return nla.off + NLA_ALIGN(nla.len);
}

/** The attributes in `buf[start, end)` in order, whatever their types: for arrays of nests. */
export function nla_list(buf: Uint8Array, start: number, end: number): nlattr[] {
	const out: nlattr[] = [];
	for (let at = start; nla_ok(buf, at, end); ) {
		const nla = new nlattr(buf, at);
		out.push(nla);
		at = nla_next(nla);
	}
	return out;
}

/** The attributes inside a nest in order. */
export function nla_nested(nla: nlattr): nlattr[] {
	return nla_list(nla.buf, nla.off, nla.off + nla.len);
}

/** The payload, in place. */
export function nla_data(nla: nlattr): Uint8Array {
	return nla.buf.subarray(nla.off, nla.off + nla.len);
}

export function nla_len(nla: nlattr): number {
	return nla.len;
}

export function nla_type(nla: nlattr): number {
	return nla.type;
}

// Bytes past a short payload read as 0, so that a policy forgotten is no read past the message.
function byte(nla: nlattr, i: number): number {
	return i < nla.len ? nla.buf[nla.off + i] : 0;
}

export function nla_get_u8(nla: nlattr): number {
	return byte(nla, 0);
}

export function nla_get_u16(nla: nlattr): number {
	return nla.len >= 2 ? get_unaligned_le16(nla.buf, nla.off) : byte(nla, 0);
}

export function nla_get_u32(nla: nlattr): number {
	if (nla.len >= 4) return get_unaligned_le32(nla.buf, nla.off);
	return byte(nla, 0) | (byte(nla, 1) << 8) | (byte(nla, 2) << 16);
}

export function nla_get_s32(nla: nlattr): number {
	return nla_get_u32(nla) | 0;
}

export function nla_get_u64(nla: nlattr): number {
	return nla.len >= 8 ? get_unaligned_le64(nla.buf, nla.off) : nla_get_u32(nla);
}

export function nla_get_be16(nla: nlattr): number {
	return nla.len >= 2 ? get_unaligned_be16(nla.buf, nla.off) : 0;
}

export function nla_get_be32(nla: nlattr): number {
	return nla.len >= 4 ? get_unaligned_be32(nla.buf, nla.off) : 0;
}

export function nla_get_be64(nla: nlattr): number {
	if (nla.len < 8) return 0;
	return get_unaligned_be32(nla.buf, nla.off) * 0x100000000 + get_unaligned_be32(nla.buf, nla.off + 4);
}

export const nla_get_in_addr: (nla: nlattr) => number = nla_get_be32;

/** The text up to its NUL, or the payload's end. */
export function nla_get_string(nla: nlattr): string {
	let end = nla.off;
	while (end < nla.off + nla.len && nla.buf[end] !== 0) end++;
	return bytes_to_str(nla.buf, nla.off, end);
}

/** A copy of the payload. */
export function nla_memdup(nla: nlattr): Uint8Array {
	return nla.buf.slice(nla.off, nla.off + nla.len);
}

// ---- validation ----

export const NLA_UNSPEC = 0;
export const NLA_U8 = 1;
export const NLA_U16 = 2;
export const NLA_U32 = 3;
export const NLA_U64 = 4;
export const NLA_STRING = 5;
export const NLA_FLAG = 6;
export const NLA_MSECS = 7;
export const NLA_NESTED = 8;
export const NLA_NESTED_ARRAY = 9;
export const NLA_NUL_STRING = 10;
export const NLA_BINARY = 11;
export const NLA_S8 = 12;
export const NLA_S16 = 13;
export const NLA_S32 = 14;
export const NLA_S64 = 15;
export const NLA_BITFIELD32 = 16;
export const NLA_REJECT = 17;
export const NLA_BE16 = 18;
export const NLA_BE32 = 19;

/** What an attribute must look like. `len`: most bytes (strings, binary), least bytes (NLA_UNSPEC). */
export interface nla_policy {
	type: number;
	len?: number;
	/** Integers: bounds of the value. NLA_BINARY: bounds of the length. */
	min?: number;
	max?: number;
	/** Integers: bits that may be set. */
	mask?: number;
	nested?: nla_policy_table;
	maxtype?: number;
	reject_message?: string;
}

/** By attribute type. */
export interface nla_policy_table {
	readonly [type: number]: nla_policy | undefined;
	/** Attributes from this type on are checked strictly even by the old ways of parsing. */
	readonly strict_start_type?: number;
}

export const NL_VALIDATE_LIBERAL = 0;
export const NL_VALIDATE_TRAILING = 1;
export const NL_VALIDATE_MAXTYPE = 2;
export const NL_VALIDATE_UNSPEC = 4;
export const NL_VALIDATE_STRICT_ATTRS = 8;
export const NL_VALIDATE_NESTED = 16;
export const NL_VALIDATE_DEPRECATED_STRICT = NL_VALIDATE_TRAILING | NL_VALIDATE_MAXTYPE;
export const NL_VALIDATE_STRICT = 31;

const FIXED_LEN: readonly number[] = [0, 1, 2, 4, 8, 0, 0, 8, NLA_HDRLEN, NLA_HDRLEN, 0, 0, 1, 2, 4, 8, 8, 0, 2, 4];
const EXACT: readonly number[] = [
	NLA_U8,
	NLA_U16,
	NLA_U32,
	NLA_U64,
	NLA_S8,
	NLA_S16,
	NLA_S32,
	NLA_S64,
	NLA_BE16,
	NLA_BE32,
];

function policy_err(extack: netlink_ext_ack | null, nla: nlattr, err: number, msg: string): number {
	NL_SET_ERR_MSG_ATTR(extack, nla, msg);
	return err;
}

const FAILED = 'Attribute failed policy validation';

function validate_int(nla: nlattr, pt: nla_policy, extack: netlink_ext_ack | null): number {
	let v: number;
	switch (pt.type) {
		case NLA_U8:
			v = nla_get_u8(nla);
			break;
		case NLA_S8:
			v = (nla_get_u8(nla) << 24) >> 24;
			break;
		case NLA_U16:
			v = nla_get_u16(nla);
			break;
		case NLA_S16:
			v = (nla_get_u16(nla) << 16) >> 16;
			break;
		case NLA_S32:
			v = nla_get_s32(nla);
			break;
		case NLA_U64:
		case NLA_S64:
		case NLA_MSECS:
			v = nla_get_u64(nla);
			if (pt.type === NLA_S64 && v >= 2 ** 63) v -= 2 ** 64;
			break;
		case NLA_BE16:
			v = nla_get_be16(nla);
			break;
		case NLA_BE32:
			v = nla_get_be32(nla);
			break;
		default:
			v = nla_get_u32(nla);
	}
	if (pt.mask !== undefined && (v & ~pt.mask) !== 0) return policy_err(extack, nla, -EINVAL, 'reserved bit set');
	if ((pt.min !== undefined && v < pt.min) || (pt.max !== undefined && v > pt.max)) {
		return policy_err(extack, nla, -ERANGE, 'integer out of range');
	}
	return 0;
}

function validate_nla(
	nla: nlattr,
	policy: nla_policy_table,
	validate: number,
	extack: netlink_ext_ack | null,
	depth: number,
): number {
	if (policy.strict_start_type !== undefined && nla.type >= policy.strict_start_type) validate |= NL_VALIDATE_STRICT;
	const pt = policy[nla.type];
	const type = pt === undefined ? NLA_UNSPEC : pt.type;
	const len = pt?.len ?? 0;
	if ((validate & NL_VALIDATE_STRICT_ATTRS) !== 0 && EXACT.includes(type) && nla.len !== FIXED_LEN[type]) {
		return policy_err(extack, nla, -EINVAL, 'invalid attribute length');
	}
	if ((validate & NL_VALIDATE_NESTED) !== 0) {
		const nest = type === NLA_NESTED || type === NLA_NESTED_ARRAY;
		if (nest && (nla.flags & NLA_F_NESTED) === 0) {
			return policy_err(extack, nla, -EINVAL, 'NLA_F_NESTED is missing');
		}
		if (!nest && type !== NLA_UNSPEC && (nla.flags & NLA_F_NESTED) !== 0) {
			return policy_err(extack, nla, -EINVAL, 'NLA_F_NESTED not expected');
		}
	}
	switch (type) {
		case NLA_REJECT:
			return policy_err(extack, nla, -EINVAL, pt!.reject_message ?? FAILED);
		case NLA_FLAG:
			return nla.len > 0 ? policy_err(extack, nla, -ERANGE, FAILED) : 0;
		case NLA_BITFIELD32: {
			if (nla.len !== 8) return policy_err(extack, nla, -ERANGE, FAILED);
			const value = get_unaligned_le32(nla.buf, nla.off);
			const selector = get_unaligned_le32(nla.buf, nla.off + 4);
			const mask = pt!.mask ?? 0xffffffff;
			if ((selector & ~mask) !== 0 || (value & ~mask) !== 0 || (value & ~selector) !== 0) {
				return policy_err(extack, nla, -EINVAL, FAILED);
			}
			return 0;
		}
		case NLA_NUL_STRING:
		case NLA_STRING: {
			if (nla.len < 1) return policy_err(extack, nla, type === NLA_STRING ? -ERANGE : -EINVAL, FAILED);
			if (type === NLA_NUL_STRING) {
				const most = len > 0 ? Math.min(nla.len, len + 1) : nla.len;
				let nul = false;
				for (let i = 0; i < most && !nul; i++) nul = nla.buf[nla.off + i] === 0;
				if (!nul) return policy_err(extack, nla, -EINVAL, FAILED);
			}
			if (len > 0) {
				const n = nla.buf[nla.off + nla.len - 1] === 0 ? nla.len - 1 : nla.len;
				if (n > len) return policy_err(extack, nla, -ERANGE, FAILED);
			}
			return 0;
		}
		case NLA_BINARY:
			if (len > 0 && nla.len > len) return policy_err(extack, nla, -ERANGE, FAILED);
			if ((pt!.min !== undefined && nla.len < pt!.min) || (pt!.max !== undefined && nla.len > pt!.max)) {
				return policy_err(extack, nla, -ERANGE, 'binary attribute size out of range');
			}
			return 0;
		case NLA_NESTED:
		case NLA_NESTED_ARRAY: {
			// An empty nest is well formed.
			if (nla.len === 0) return 0;
			if (nla.len < NLA_HDRLEN) return policy_err(extack, nla, -ERANGE, FAILED);
			if (pt!.nested === undefined) return 0;
			if (type === NLA_NESTED) {
				return nla_walk(
					null,
					pt!.maxtype ?? 0,
					nla.buf,
					nla.off,
					nla.off + nla.len,
					pt!.nested,
					validate,
					extack,
					depth,
				);
			}
			for (const e of nla_nested(nla)) {
				if (e.len === 0) continue;
				if (e.len < NLA_HDRLEN) return policy_err(extack, e, -ERANGE, 'Array element too short');
				const err = nla_walk(null, pt!.maxtype ?? 0, e.buf, e.off, e.off + e.len, pt!.nested, validate, extack, depth);
				if (err < 0) return err;
			}
			return 0;
		}
		case NLA_UNSPEC:
			if ((validate & NL_VALIDATE_UNSPEC) !== 0) return policy_err(extack, nla, -EINVAL, 'Unsupported attribute');
			return nla.len < len ? policy_err(extack, nla, -ERANGE, FAILED) : 0;
		default:
			if (nla.len < FIXED_LEN[type]) return policy_err(extack, nla, -ERANGE, FAILED);
			if (pt!.min !== undefined || pt!.max !== undefined || pt!.mask !== undefined)
				return validate_int(nla, pt!, extack);
			return 0;
	}
}

const MAX_NEST = 10;

function nla_walk(
	tb: nlattr_table | null,
	maxtype: number,
	buf: Uint8Array,
	start: number,
	end: number,
	policy: nla_policy_table | null,
	validate: number,
	extack: netlink_ext_ack | null,
	depth: number,
): number {
	if (depth >= MAX_NEST) {
		NL_SET_ERR_MSG(extack, 'allowed policy recursion depth exceeded');
		return -EINVAL;
	}
	if (tb !== null) for (let i = 0; i <= maxtype; i++) tb[i] = null;
	let at = start;
	while (nla_ok(buf, at, end)) {
		const nla = new nlattr(buf, at);
		at = nla_next(nla);
		if (nla.type === 0 || nla.type > maxtype) {
			if ((validate & NL_VALIDATE_MAXTYPE) !== 0) {
				NL_SET_ERR_MSG_ATTR(extack, nla, 'Unknown attribute type');
				return -EINVAL;
			}
			continue;
		}
		if (policy !== null) {
			const err = validate_nla(nla, policy, validate, extack, depth + 1);
			if (err < 0) return err;
		}
		if (tb !== null) tb[nla.type] = nla;
	}
	if (at < end && (validate & NL_VALIDATE_TRAILING) !== 0) {
		NL_SET_ERR_MSG(extack, 'bytes leftover after parsing attributes');
		return -EINVAL;
	}
	return 0;
}

/**
 * Sorts the attributes in `buf[start, end)` into `tb` (0..maxtype) and checks them; a later one of the same type wins.
 * Return: 0 or -errno, with `extack` saying why.
 */
export function __nla_parse(
	tb: nlattr_table,
	maxtype: number,
	buf: Uint8Array,
	start: number,
	end: number,
	policy: nla_policy_table | null,
	validate: number,
	extack: netlink_ext_ack | null,
): number {
	return nla_walk(tb, maxtype, buf, start, end, policy, validate, extack, 0);
}

function nlmsg_parse_mode(
	nlh: nlmsghdr,
	hdrlen: number,
	tb: nlattr_table,
	maxtype: number,
	policy: nla_policy_table | null,
	validate: number,
	extack: netlink_ext_ack | null,
): number {
	if (nlh.nlmsg_len < NLMSG_HDRLEN + hdrlen) {
		NL_SET_ERR_MSG(extack, 'Invalid header length');
		return -EINVAL;
	}
	const start = Math.min(nlmsg_attrdata(nlh, hdrlen), nlh.end);
	return nla_walk(tb, maxtype, nlh.buf, start, nlh.end, policy, validate, extack, 0);
}

/** Attributes behind a family header of `hdrlen` bytes, checked strictly. */
export function nlmsg_parse(
	nlh: nlmsghdr,
	hdrlen: number,
	tb: nlattr_table,
	maxtype: number,
	policy: nla_policy_table | null,
	extack: netlink_ext_ack | null,
): number {
	return nlmsg_parse_mode(nlh, hdrlen, tb, maxtype, policy, NL_VALIDATE_STRICT, extack);
}

/** The same, as most rtnetlink messages have it: unknown attributes are passed over. */
export function nlmsg_parse_deprecated(
	nlh: nlmsghdr,
	hdrlen: number,
	tb: nlattr_table,
	maxtype: number,
	policy: nla_policy_table | null,
	extack: netlink_ext_ack | null,
): number {
	return nlmsg_parse_mode(nlh, hdrlen, tb, maxtype, policy, NL_VALIDATE_LIBERAL, extack);
}

/** The same, but unknown attributes and trailing bytes are refused. */
export function nlmsg_parse_deprecated_strict(
	nlh: nlmsghdr,
	hdrlen: number,
	tb: nlattr_table,
	maxtype: number,
	policy: nla_policy_table | null,
	extack: netlink_ext_ack | null,
): number {
	return nlmsg_parse_mode(nlh, hdrlen, tb, maxtype, policy, NL_VALIDATE_DEPRECATED_STRICT, extack);
}

/** Attributes of a nest, checked strictly. */
export function nla_parse_nested(
	tb: nlattr_table,
	maxtype: number,
	nla: nlattr,
	policy: nla_policy_table | null,
	extack: netlink_ext_ack | null,
): number {
	if ((nla.flags & NLA_F_NESTED) === 0) {
		NL_SET_ERR_MSG_ATTR(extack, nla, 'NLA_F_NESTED is missing');
		return -EINVAL;
	}
	return nla_walk(tb, maxtype, nla.buf, nla.off, nla.off + nla.len, policy, NL_VALIDATE_STRICT, extack, 0);
}

/** The same, liberally. */
export function nla_parse_nested_deprecated(
	tb: nlattr_table,
	maxtype: number,
	nla: nlattr,
	policy: nla_policy_table | null,
	extack: netlink_ext_ack | null,
): number {
	return nla_walk(tb, maxtype, nla.buf, nla.off, nla.off + nla.len, policy, NL_VALIDATE_LIBERAL, extack, 0);
}

/** Says EOPNOTSUPP with `msg` and the attribute to blame: for what Linux has and linnet has not. */
export function nla_unsupported(extack: netlink_ext_ack | null, nla: nlattr, msg: string): number {
	NL_SET_ERR_MSG_ATTR(extack, nla, msg);
	return -EOPNOTSUPP;
}
