/*
 * test/lib/nlattr.test.ts: netlink attributes: what is built is read again, and nothing that is read can do harm.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
	__nla_parse,
	bytes_to_str,
	NL_VALIDATE_LIBERAL,
	NL_VALIDATE_STRICT,
	NLA_BINARY,
	NLA_FLAG,
	NLA_NESTED,
	NLA_NUL_STRING,
	NLA_REJECT,
	NLA_S32,
	NLA_STRING,
	NLA_U8,
	NLA_U16,
	NLA_U32,
	netlink_ext_ack,
	nla_get_be32,
	nla_get_be64,
	nla_get_s32,
	nla_get_string,
	nla_get_u8,
	nla_get_u16,
	nla_get_u32,
	nla_get_u64,
	nla_list,
	nla_memdup,
	nla_nest_cancel,
	nla_nest_end,
	nla_nest_start,
	type nla_policy_table,
	nla_put,
	nla_put_be32,
	nla_put_be64,
	nla_put_flag,
	nla_put_s32,
	nla_put_string,
	nla_put_u8,
	nla_put_u16,
	nla_put_u32,
	nla_put_u64,
	type nlattr_table,
	nlbuf,
	nlbuf_bytes,
	nlmsg_end,
	nlmsg_ok,
	nlmsg_parse_deprecated,
	nlmsg_put,
	nlmsghdr,
	str_to_bytes,
} from '../../src/lib/nlattr.ts';
import { EINVAL, EMSGSIZE, ERANGE } from '../../src/uapi/asm-generic/errno.ts';

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

/** Attributes by type, and what the policy said. */
function parse(
	buf: nlbuf,
	policy: nla_policy_table | null,
	validate = NL_VALIDATE_LIBERAL,
): [number, nlattr_table, string | null] {
	const tb: nlattr_table = [];
	const extack = new netlink_ext_ack();
	const err = __nla_parse(tb, 9, buf.data, 0, buf.len, policy, validate, extack);
	return [err, tb, extack._msg];
}

describe('building', () => {
	test('a message is what Linux lays out', () => {
		const b = new nlbuf();
		const nlh = nlmsg_put(b, 7, 9, 16, 2, 0x301);
		nla_put_u8(b, 1, 0xab);
		nla_put_string(b, 3, 'lo');
		nlmsg_end(b, nlh);
		// length, type, flags, seq, pid | 2 bytes and 2 of padding | u8 padded to 4 | "lo\0" padded to 4
		expect(hex(nlbuf_bytes(b))).toBe(
			'24000000100001030900000007000000' + '00000000' + '05000100ab000000' + '070003006c6f0000',
		);
	});

	test('what does not fit says EMSGSIZE and leaves nothing', () => {
		const b = new nlbuf(24);
		expect(nlmsg_put(b, 0, 0, 16, 4, 0)).toBe(0);
		expect(nla_put_u32(b, 1, 5)).toBe(-EMSGSIZE);
		expect(b.len).toBe(20);
	});

	test('a cancelled nest is gone, and old bytes do not show through', () => {
		const b = new nlbuf();
		nla_put_u32(b, 1, 1);
		const nest = nla_nest_start(b, 2);
		nla_put(b, 1, Uint8Array.of(255, 255, 255, 255));
		nla_nest_cancel(b, nest);
		nla_put_u8(b, 3, 1);
		expect(hex(nlbuf_bytes(b))).toBe('08000100010000000500030001000000');
	});

	test('numbers of every width come back', () => {
		fc.assert(
			fc.property(fc.nat(0xffffffff), fc.integer(), fc.maxSafeNat(), (u, s, w) => {
				const b = new nlbuf();
				nla_put_u8(b, 1, u & 0xff);
				nla_put_u16(b, 2, u & 0xffff);
				nla_put_u32(b, 3, u);
				nla_put_s32(b, 4, s);
				nla_put_u64(b, 5, w);
				nla_put_be32(b, 6, u);
				nla_put_be64(b, 7, w);
				const [err, tb] = parse(b, null);
				expect(err).toBe(0);
				expect(nla_get_u8(tb[1]!)).toBe(u & 0xff);
				expect(nla_get_u16(tb[2]!)).toBe(u & 0xffff);
				expect(nla_get_u32(tb[3]!)).toBe(u);
				expect(nla_get_s32(tb[4]!)).toBe(s);
				expect(nla_get_u64(tb[5]!)).toBe(w);
				expect(nla_get_be32(tb[6]!)).toBe(u);
				expect(nla_get_be64(tb[7]!)).toBe(w);
			}),
		);
	});

	test('text and any bytes survive as text', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'binary' }), (raw, s) => {
				expect(str_to_bytes(bytes_to_str(raw))).toEqual(raw);
				const utf8 = new TextEncoder().encode(s);
				if (new TextDecoder().decode(utf8) === s) expect(bytes_to_str(utf8)).toBe(s);
			}),
		);
	});
});

describe('policy, as the kernel answers', () => {
	const policy: nla_policy_table = {
		1: { type: NLA_U32, max: 10 },
		2: { type: NLA_STRING, len: 3 },
		3: { type: NLA_NUL_STRING, len: 3 },
		4: { type: NLA_BINARY, len: 4 },
		5: { type: NLA_FLAG },
		6: { type: NLA_NESTED, nested: { 1: { type: NLA_U16 } }, maxtype: 1 },
		7: { type: NLA_REJECT, reject_message: 'no' },
		8: { type: NLA_S32, min: -1 },
		9: { type: NLA_U8, mask: 3 },
	};
	const one = (fill: (b: nlbuf) => void, validate = NL_VALIDATE_LIBERAL): [number, string | null] => {
		const b = new nlbuf();
		fill(b);
		const [err, , msg] = parse(b, policy, validate);
		return [err, msg];
	};
	const FAILED = 'Attribute failed policy validation';

	test.each([
		['a short integer', (b: nlbuf) => nla_put_u8(b, 1, 1), -ERANGE, FAILED],
		['an integer out of range', (b: nlbuf) => nla_put_u32(b, 1, 11), -ERANGE, 'integer out of range'],
		['a negative one below its least', (b: nlbuf) => nla_put_s32(b, 8, -2), -ERANGE, 'integer out of range'],
		['a negative one that is in range', (b: nlbuf) => nla_put_s32(b, 8, -1), 0, null],
		['a bit that may not be', (b: nlbuf) => nla_put_u8(b, 9, 4), -EINVAL, 'reserved bit set'],
		['a long string', (b: nlbuf) => nla_put_string(b, 2, 'abcd'), -ERANGE, FAILED],
		['a string without NUL', (b: nlbuf) => nla_put(b, 2, Uint8Array.of(65, 66, 67)), 0, null],
		['a NUL string without NUL', (b: nlbuf) => nla_put(b, 3, Uint8Array.of(65, 66, 67)), -EINVAL, FAILED],
		['too much binary', (b: nlbuf) => nla_put(b, 4, new Uint8Array(5)), -ERANGE, FAILED],
		['a flag with something in it', (b: nlbuf) => nla_put_u8(b, 5, 0), -ERANGE, FAILED],
		['a flag', (b: nlbuf) => nla_put_flag(b, 5), 0, null],
		['a rejected one', (b: nlbuf) => nla_put_flag(b, 7), -EINVAL, 'no'],
	])('%s', (_name, fill, err, msg) => {
		expect(one((b) => void fill(b))).toEqual([err, msg]);
	});

	test('a nest is looked into, and must say that it is one where that is strict', () => {
		const bad = (b: nlbuf): void => {
			const n = nla_nest_start(b, 6);
			nla_put_u8(b, 1, 1);
			nla_nest_end(b, n);
		};
		expect(one(bad)).toEqual([-ERANGE, FAILED]);
		expect(one((b) => void nla_put_u16(b, 6, 0), NL_VALIDATE_STRICT)).toEqual([-EINVAL, 'NLA_F_NESTED is missing']);
	});

	test('strict: unknown types, trailing bytes, wrong lengths', () => {
		expect(one((b) => void nla_put_u8(b, 77, 1), NL_VALIDATE_STRICT)).toEqual([-EINVAL, 'Unknown attribute type']);
		expect(one((b) => void nla_put_u8(b, 77, 1))).toEqual([0, null]);
		const long = (b: nlbuf): void => void nla_put(b, 1, new Uint8Array(8));
		expect(one(long, NL_VALIDATE_STRICT)).toEqual([-EINVAL, 'invalid attribute length']);
		expect(one(long)).toEqual([0, null]);
		const b = new nlbuf();
		nla_put_u32(b, 1, 1);
		b.len += 2;
		expect(parse(b, policy, NL_VALIDATE_STRICT)[2]).toBe('bytes leftover after parsing attributes');
	});

	test('of two attributes of a type the later counts', () => {
		const b = new nlbuf();
		nla_put_u32(b, 1, 3);
		nla_put_u32(b, 1, 4);
		expect(nla_get_u32(parse(b, policy)[1][1]!)).toBe(4);
	});
});

describe('bad input', () => {
	const policy: nla_policy_table = {
		1: { type: NLA_U32 },
		2: { type: NLA_NUL_STRING, len: 15 },
		3: { type: NLA_NESTED },
	};
	(policy[3] as { nested?: nla_policy_table }).nested = policy;
	(policy[3] as { maxtype?: number }).maxtype = 3;

	test('any bytes are read within their bounds, to an end, without an exception', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (raw, strict) => {
				// A guard behind: whoever reads past the end would bring it back.
				const buf = new Uint8Array(raw.length + 64).fill(0xee);
				buf.set(raw);
				const tb: nlattr_table = [];
				const err = __nla_parse(
					tb,
					3,
					buf,
					0,
					raw.length,
					policy,
					strict ? NL_VALIDATE_STRICT : NL_VALIDATE_LIBERAL,
					new netlink_ext_ack(),
				);
				expect(err).toBeLessThanOrEqual(0);
				for (const a of nla_list(buf, 0, raw.length)) {
					expect(a.off + a.len).toBeLessThanOrEqual(raw.length);
					nla_get_u64(a);
					nla_get_string(a);
					expect(nla_memdup(a).length).toBe(a.len);
				}
			}),
		);
	});

	test('a message shorter than its family header is refused', () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (raw) => {
				if (!nlmsg_ok(raw, 0, raw.length)) return;
				const nlh = new nlmsghdr(raw, 0);
				const err = nlmsg_parse_deprecated(nlh, 16, [], 3, policy, new netlink_ext_ack());
				if (nlh.nlmsg_len < 32) expect(err).toBe(-EINVAL);
			}),
		);
	});
});
