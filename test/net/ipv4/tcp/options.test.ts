/*
 * test/net/ipv4/tcp/options.test.ts: options of segments: every layout, and none that is read beyond its end.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { World } from '../../../../src/lab/index.ts';
import type { net } from '../../../../src/net/core/net_namespace.ts';
import { alloc_skb, consume_skb, type sk_buff, skb_put } from '../../../../src/net/core/skbuff.ts';
import {
	tcp_parse_md5sig_option,
	tcp_parse_mss_option,
	tcp_parse_options,
	tcp_paws_check,
	tcp_paws_reject,
} from '../../../../src/net/ipv4/tcp_input_options.ts';
import { TCP_SKB_CB, tcp_fastopen_cookie, tcp_options_received } from '../../../../src/net/ipv4/tcp_sock.ts';
import { TCPHDR_ACK, TCPHDR_SYN } from '../../../../src/uapi/linux/tcp.ts';

let n: net;

beforeAll(() => {
	n = new World({ seed: 1 }).host('a').machine.init_net;
});

/** A segment with `options` (padded with EOL), followed by `after`. */
function segment(flags: number, options: number[], after: number[] = []): sk_buff {
	const opts = [...options];
	while (opts.length % 4 !== 0) opts.push(0);
	const skb = alloc_skb(n.machine, 256);
	const at = skb_put(skb, 20 + opts.length + after.length);
	skb.head.fill(0, at, at + 20);
	skb.head[at + 12] = ((20 + opts.length) / 4) << 4;
	skb.head[at + 13] = flags;
	skb.head.set([...opts, ...after], at + 20);
	skb.transport_header = at;
	TCP_SKB_CB(skb).sacked = 0;
	return skb;
}

function parse(
	flags: number,
	options: number[],
	estab = false,
	before: Partial<tcp_options_received> = {},
): { opt: tcp_options_received; foc: tcp_fastopen_cookie; sacked: number } {
	const skb = segment(flags, options);
	const opt = Object.assign(new tcp_options_received(), before);
	const foc = new tcp_fastopen_cookie();
	tcp_parse_options(n, skb, opt, estab, foc);
	const sacked = TCP_SKB_CB(skb).sacked;
	consume_skb(skb);
	return { opt, foc, sacked };
}

const MSS = [2, 4, 5, 180];
const TS = [8, 10, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff];
const SACK = [5, 10, 0, 0, 0, 1, 0, 0, 0, 2];

describe('a SYN', () => {
	test('says MSS, window scale, SACK, time stamps', () => {
		const { opt } = parse(TCPHDR_SYN, [...MSS, 4, 2, ...TS, 1, 3, 3, 7]);
		expect(opt).toMatchObject({
			mss_clamp: 1460,
			sack_ok: 1,
			saw_tstamp: true,
			rcv_tsval: 256,
			rcv_tsecr: -1,
			wscale_ok: true,
			snd_wscale: 7,
		});
	});
	test('a window scale above 14 counts as 14', () => {
		expect(parse(TCPHDR_SYN, [3, 3, 15]).opt.snd_wscale).toBe(14);
	});
	test('an MSS of 0 is none, one above user_mss is user_mss', () => {
		expect(parse(TCPHDR_SYN, [2, 4, 0, 0], false, { mss_clamp: 536 }).opt.mss_clamp).toBe(536);
		expect(parse(TCPHDR_SYN, MSS, false, { user_mss: 900 }).opt.mss_clamp).toBe(900);
	});
	test('sysctls turn options off', () => {
		const ipv4 = n.ipv4;
		ipv4.sysctl_tcp_sack = 0;
		ipv4.sysctl_tcp_window_scaling = 0;
		ipv4.sysctl_tcp_timestamps = 0;
		const { opt } = parse(TCPHDR_SYN, [4, 2, 3, 3, 7, ...TS]);
		ipv4.sysctl_tcp_sack = 1;
		ipv4.sysctl_tcp_window_scaling = 1;
		ipv4.sysctl_tcp_timestamps = 1;
		expect(opt).toMatchObject({ sack_ok: 0, wscale_ok: false, saw_tstamp: false });
	});
	test('Fast Open: a cookie, a request, both forms, and odd lengths', () => {
		expect(parse(TCPHDR_SYN, [34, 10, 1, 2, 3, 4, 5, 6, 7, 8]).foc).toMatchObject({ len: 8, exp: false });
		expect(parse(TCPHDR_SYN, [34, 2]).foc).toMatchObject({ len: 0, exp: false });
		expect(parse(TCPHDR_SYN, [254, 8, 0xf9, 0x89, 1, 2, 3, 4]).foc).toMatchObject({ len: 4, exp: true });
		expect(parse(TCPHDR_SYN, [254, 4, 0xf9, 0x89]).foc).toMatchObject({ len: 0, exp: true });
		expect(parse(TCPHDR_SYN, [254, 4, 0xf9, 0x88]).foc.len).toBe(-1);
		expect(parse(TCPHDR_SYN, [34, 4, 1, 2]).foc.len).toBe(-1);
		expect(parse(TCPHDR_SYN, [34, 7, 1, 2, 3, 4, 5]).foc.len).toBe(-1);
		expect(parse(TCPHDR_ACK, [34, 6, 1, 2, 3, 4]).foc.len).toBe(-1);
	});
});

describe('another segment', () => {
	test('does not change what the SYN said', () => {
		const before = { mss_clamp: 1000, sack_ok: 0, wscale_ok: false, snd_wscale: 0 };
		expect(parse(TCPHDR_ACK, [...MSS, 4, 2, 3, 3, 7], true, before).opt).toMatchObject(before);
		expect(parse(TCPHDR_SYN, [...MSS, 4, 2, 3, 3, 7], true, before).opt).toMatchObject(before);
	});
	test('has time stamps only where they were agreed', () => {
		expect(parse(TCPHDR_ACK, TS, true).opt.saw_tstamp).toBe(false);
		expect(parse(TCPHDR_ACK, TS, true, { tstamp_ok: true }).opt.saw_tstamp).toBe(true);
	});
	test('SACK blocks are found where SACK was agreed, whole blocks only', () => {
		expect(parse(TCPHDR_ACK, [1, 1, ...SACK], true, { sack_ok: 1 }).sacked).toBe(22);
		expect(parse(TCPHDR_ACK, [1, 1, ...SACK], true).sacked).toBe(0);
		expect(parse(TCPHDR_ACK, [5, 9, ...SACK.slice(2)], true, { sack_ok: 1 }).sacked).toBe(0);
		expect(parse(TCPHDR_ACK, [5, 2], true, { sack_ok: 1 }).sacked).toBe(0);
	});
});

describe('malformed', () => {
	test('an option that ends the list, or is cut, ends the reading', () => {
		expect(parse(TCPHDR_SYN, [0, ...MSS]).opt.mss_clamp).toBe(0);
		expect(parse(TCPHDR_SYN, [2, 0, ...MSS]).opt.mss_clamp).toBe(0);
		expect(parse(TCPHDR_SYN, [2, 1, ...MSS]).opt.mss_clamp).toBe(0);
		expect(parse(TCPHDR_SYN, [...MSS, 8, 200, 1, 2]).opt).toMatchObject({ mss_clamp: 1460, saw_tstamp: false });
		expect(parse(TCPHDR_SYN, [1, 1, 1, 2]).opt.mss_clamp).toBe(0);
	});
	test('any bytes: nothing but the options is looked at', () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
				fc.integer({ min: 0, max: 63 }),
				fc.boolean(),
				(bytes, flags, estab) => {
					const results = [0, 0xff].map((fill) => {
						const skb = segment(flags, bytes, new Array(60).fill(fill));
						const opt = Object.assign(new tcp_options_received(), { tstamp_ok: true, sack_ok: 1 });
						const foc = new tcp_fastopen_cookie();
						tcp_parse_options(n, skb, opt, estab, foc);
						const r = {
							opt,
							foc,
							sacked: TCP_SKB_CB(skb).sacked,
							mss: tcp_parse_mss_option(skb.head, skb.transport_header, 0),
							md5: tcp_parse_md5sig_option(skb.head, skb.transport_header),
						};
						const end = skb.transport_header + 20 + Math.ceil(bytes.length / 4) * 4;
						expect(r.md5 === -1 || r.md5 + 16 <= end).toBe(true);
						expect(skb.transport_header + r.sacked).toBeLessThan(Math.max(end, 1));
						expect(opt.snd_wscale).toBeLessThanOrEqual(14);
						consume_skb(skb);
						return r;
					});
					expect(results[0]).toEqual(results[1]);
				},
			),
			{ numRuns: 500 },
		);
	});
	test('options in any order, with NOPs between them, read alike', () => {
		fc.assert(
			fc.property(
				fc.shuffledSubarray([MSS, [4, 2], TS, [3, 3, 9]], { minLength: 4 }),
				fc.array(fc.nat(2), { minLength: 4, maxLength: 4 }),
				(order, nops) => {
					const bytes = order.flatMap((o, i) => [...new Array(nops[i]).fill(1), ...o]);
					expect(parse(TCPHDR_SYN, bytes).opt).toMatchObject({
						mss_clamp: 1460,
						sack_ok: 1,
						rcv_tsval: 256,
						snd_wscale: 9,
					});
				},
			),
		);
	});
});

describe('PAWS', () => {
	const opt = (ts_recent: number, rcv_tsval: number, stamp: number): tcp_options_received =>
		Object.assign(new tcp_options_received(), { ts_recent, rcv_tsval, ts_recent_stamp: stamp });
	test('older time stamps are refused, also around the wrap', () => {
		const m = n.machine;
		expect(tcp_paws_check(opt(100, 100, 1), 0, m)).toBe(true);
		expect(tcp_paws_check(opt(100, 99, 1), 0, m)).toBe(false);
		expect(tcp_paws_check(opt(100, 99, 1), 1, m)).toBe(true);
		expect(tcp_paws_check(opt(-1, 5, 1), 0, m)).toBe(true);
		expect(tcp_paws_check(opt(5, -1, 1), 0, m)).toBe(false);
		expect(tcp_paws_check(opt(0x7fffffff, -0x80000000, 1), 0, m)).toBe(true);
	});
	test('a peer that said 0 first, or long ago, is believed; a reset after a minute', () => {
		const m = n.machine;
		expect(tcp_paws_check(opt(0, -5, 1), 0, m)).toBe(true);
		expect(tcp_paws_check(opt(100, 99, 1 - 2147), 0, m)).toBe(true);
		expect(tcp_paws_reject(opt(100, 99, 1), true, m)).toBe(true);
		expect(tcp_paws_reject(opt(100, 99, 1 - 60), true, m)).toBe(false);
		expect(tcp_paws_reject(opt(100, 99, 1 - 60), false, m)).toBe(true);
	});
});
