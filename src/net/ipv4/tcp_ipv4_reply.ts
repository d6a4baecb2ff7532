/*
 * net/ipv4/tcp_ipv4_reply.ts: segments that no connection sends: resets, ACKs of TIME_WAIT entries and requests, SYN-ACKs.
 *                                                                 Linux: net/ipv4/tcp_ipv4.c (tcp_v4_send_*)
 * RFC 9293 3.5.2 (reset generation), RFC 2385, RFC 7323 3.2 (an ACK bears time stamps when the peer's do).
 */
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { RTN_LOCAL } from '../../uapi/linux/rtnetlink.ts';
import { TCP_MIB_OUTRSTS, TCP_MIB_OUTSEGS } from '../../uapi/linux/snmp.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import {
	TCPHDR_ACK,
	TCPHDR_RST,
	TCPOLEN_MD5SIG,
	TCPOLEN_TIMESTAMP,
	TCPOPT_MD5SIG,
	TCPOPT_NOP,
	TCPOPT_TIMESTAMP,
} from '../../uapi/linux/tcp.ts';
import type { dst_entry } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { TCP_INC_STATS } from '../core/snmp.ts';
import { type sock, TCP_LISTEN, TCP_TIME_WAIT } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { inet_csk_route_req } from './inet_connection_sock.ts';
import { __inet_lookup_listener, type inet_ehash_entry, is_request, is_timewait } from './inet_hashtables.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos } from './ip.ts';
import { ip_reply_arg, ip_send_unicast_reply } from './ip_append.ts';
import { ip_build_and_send_pkt } from './ip_output.ts';
import { inet_iif } from './ip_sockglue.ts';
import type { rtable } from './route.ts';
import { tcp_md5_do_lookup, tcp_md5_hash, tcp_md5sig_option, tcp_v4_md5_hash_skb } from './tcp_ipv4_md5.ts';
import { tcp_make_synack } from './tcp_output.ts';
import {
	TCP_TW_ACK_OOW,
	tcp_clock_ms,
	type tcp_fastopen_cookie,
	type tcp_md5sig_key,
	type tcp_request_sock,
	tcp_rsk_tsval,
	tcp_sk,
	tcp_synack_window,
	type tcp_timewait_sock,
} from './tcp_sock.ts';

const INET_ECN_MASK = 3;
const NO_PAYLOAD = new Uint8Array(0);

// ---- checksum --------------------------------------------------------------------------------------------------------------------

/** Leaves the sum of a segment that goes to whoever sends it on: device or skb_checksum_help. */
export function __tcp_v4_send_check(skb: sk_buff, saddr: number, daddr: number): void {
	const th = skb.transport_header;
	const sum = ~csum_fold(csum_tcpudp_nofold(saddr, daddr, skb.len, IPPROTO_TCP, 0)) & 0xffff;
	skb.head[th + 16] = sum >>> 8;
	skb.head[th + 17] = sum;
	skb.csum_start = th;
	skb.csum_offset = 16;
}

export function tcp_v4_send_check(sk: sock, skb: sk_buff): void {
	const inet = inet_sk(sk);
	__tcp_v4_send_check(skb, inet.inet_saddr, inet.inet_daddr);
}

// ---- resets ----------------------------------------------------------------------------------------------------------------------

function md5_option(seg: Uint8Array, at: number): void {
	seg[at] = TCPOPT_NOP;
	seg[at + 1] = TCPOPT_NOP;
	seg[at + 2] = TCPOPT_MD5SIG;
	seg[at + 3] = TCPOLEN_MD5SIG;
}

/** The key to sign a reset with: null: none; undefined: the segment's own signature is wrong, and it gets no answer. */
function reset_key(n: net, sk: inet_ehash_entry | null, skb: sk_buff): tcp_md5sig_key | null | undefined {
	const saddr = ip_hdr_saddr(skb);
	if (sk !== null && !is_timewait(sk) && !is_request(sk)) return tcp_md5_do_lookup(sk, 0, saddr);
	const h = skb.transport_header;
	const at = tcp_md5sig_option(skb.head, h);
	if (at < 0) return null;
	if (sk !== null && is_timewait(sk)) return sk.tw_md5_key;
	// The listener's key, when the signature proves that the peer knows it.
	const sport = (skb.head[h] << 8) | skb.head[h + 1];
	const dport = (skb.head[h + 2] << 8) | skb.head[h + 3];
	const listener = __inet_lookup_listener(n, saddr, sport, ip_hdr_daddr(skb), dport, inet_iif(skb), 0);
	if (listener === null) return undefined;
	const key = tcp_md5_do_lookup(listener, 0, saddr);
	if (key === null) return undefined;
	const want = new Uint8Array(16);
	tcp_v4_md5_hash_skb(want, 0, key, null, null, skb);
	for (let i = 0; i < 16; i++) if (want[i] !== skb.head[at + i]) return undefined;
	return key;
}

/** Answers a segment with a reset. `sk`: whose it would be, or null; `reason`: SK_RST_REASON_*. Borrows skb (data at the TCP header). */
export function tcp_v4_send_reset(sk: inet_ehash_entry | null, skb: sk_buff, _reason: number): void {
	const b = skb.head;
	const h = skb.transport_header;
	const flags = b[h + 13];
	// Never a reset about a reset, nor about what was sent to many.
	if ((flags & TCPHDR_RST) !== 0) return;
	const rt = skb._skb_refdst as rtable | null;
	if (sk === null && (rt === null || rt.rt_type !== RTN_LOCAL)) return;
	const n = sk !== null ? sk.net : skb.dev!.net;
	const key = reset_key(n, sk, skb);
	if (key === undefined) return;
	const len = key === null ? 20 : 40;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	const rst = new Uint8Array(len);
	put_unaligned_be16(rst, 0, dport);
	put_unaligned_be16(rst, 2, sport);
	rst[12] = (len >> 2) << 4;
	rst[13] = TCPHDR_RST;
	if ((flags & TCPHDR_ACK) !== 0) put_unaligned_be32(rst, 4, get_unaligned_be32(b, h + 8));
	else {
		// RFC 9293 3.10.7.1: acknowledges what came.
		const seglen = ((flags >> 1) & 1) + (flags & 1) + skb.len - (b[h + 12] >> 4) * 4;
		put_unaligned_be32(rst, 8, (get_unaligned_be32(b, h + 4) + seglen) >>> 0);
		rst[13] |= TCPHDR_ACK;
	}
	const saddr = ip_hdr_daddr(skb);
	const daddr = ip_hdr_saddr(skb);
	if (key !== null) {
		md5_option(rst, 20);
		tcp_md5_hash(rst, 24, key, saddr, daddr, rst, 0, NO_PAYLOAD);
	}
	const arg = new ip_reply_arg();
	arg.data = rst;
	arg.csum = csum_tcpudp_nofold(saddr, daddr, len, IPPROTO_TCP, 0);
	arg.csumoffset = 16;
	arg.tos = ip_hdr_tos(skb) & ~INET_ECN_MASK;
	const ctl = n.ipv4.tcp_sk;
	ctl.sk_mark = 0;
	if (sk !== null) {
		if (is_timewait(sk)) {
			arg.bound_dev_if = sk.tw_bound_dev_if;
			ctl.sk_mark = sk.tw_mark;
		} else if (!is_request(sk)) {
			arg.bound_dev_if = sk.sk_bound_dev_if;
			ctl.sk_mark = sk.sk_mark;
		}
	}
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_send_reset', { sport: dport, dport: sport });
	ip_send_unicast_reply(ctl, skb, daddr, saddr, arg, dport, sport);
	ctl.sk_mark = 0;
	TCP_INC_STATS(n, TCP_MIB_OUTSEGS);
	TCP_INC_STATS(n, TCP_MIB_OUTRSTS);
}

// ---- ACKs ------------------------------------------------------------------------------------------------------------------------

/** Answers with an ACK that no connection sends. Borrows skb. `tsecr` 0: no time stamps. */
function tcp_v4_send_ack(
	n: net,
	skb: sk_buff,
	seq: number,
	ack: number,
	win: number,
	tsval: number,
	tsecr: number,
	oif: number,
	key: tcp_md5sig_key | null,
	tos: number,
	mark: number,
): void {
	const b = skb.head;
	const h = skb.transport_header;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	const len = 20 + (tsecr !== 0 ? 12 : 0) + (key !== null ? 20 : 0);
	const seg = new Uint8Array(len);
	put_unaligned_be16(seg, 0, dport);
	put_unaligned_be16(seg, 2, sport);
	put_unaligned_be32(seg, 4, seq >>> 0);
	put_unaligned_be32(seg, 8, ack >>> 0);
	seg[12] = (len >> 2) << 4;
	seg[13] = TCPHDR_ACK;
	put_unaligned_be16(seg, 14, win & 0xffff);
	if (tsecr !== 0) {
		seg[20] = TCPOPT_NOP;
		seg[21] = TCPOPT_NOP;
		seg[22] = TCPOPT_TIMESTAMP;
		seg[23] = TCPOLEN_TIMESTAMP;
		put_unaligned_be32(seg, 24, tsval >>> 0);
		put_unaligned_be32(seg, 28, tsecr >>> 0);
	}
	const saddr = ip_hdr_daddr(skb);
	const daddr = ip_hdr_saddr(skb);
	if (key !== null) {
		md5_option(seg, len - 20);
		tcp_md5_hash(seg, len - 16, key, saddr, daddr, seg, 0, NO_PAYLOAD);
	}
	const arg = new ip_reply_arg();
	arg.data = seg;
	arg.csum = csum_tcpudp_nofold(saddr, daddr, len, IPPROTO_TCP, 0);
	arg.csumoffset = 16;
	arg.bound_dev_if = oif;
	arg.tos = tos;
	const ctl = n.ipv4.tcp_sk;
	ctl.sk_mark = mark;
	ip_send_unicast_reply(ctl, skb, daddr, saddr, arg, dport, sport);
	ctl.sk_mark = 0;
	TCP_INC_STATS(n, TCP_MIB_OUTSEGS);
}

/** An ACK for an entry in TIME_WAIT. `tw_status`: TCP_TW_ACK or TCP_TW_ACK_OOW. Borrows skb. */
export function tcp_v4_timewait_ack(tw: tcp_timewait_sock, skb: sk_buff, tw_status: number): void {
	const ms = tcp_clock_ms(tw.net);
	const now = tw.tw_usec_ts ? Math.floor(tw.net.machine.clock.now / 1e3) : ms;
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_timewait_ack', { ack: tw.tw_rcv_nxt >>> 0 });
	tcp_v4_send_ack(
		tw.net,
		skb,
		tw.tw_snd_nxt,
		tw.tw_rcv_nxt,
		tw.tw_rcv_wnd >> tw.tw_rcv_wscale,
		(now + tw.tw_ts_offset) | 0,
		tw.tw_ts_recent,
		tw.tw_bound_dev_if,
		tw.tw_md5_key,
		tw_status === TCP_TW_ACK_OOW ? tw.tw_tos & ~INET_ECN_MASK : tw.tw_tos,
		tw.tw_mark,
	);
}

/** An ACK for a request (request_sock_ops.send_ack). `sk`: the listener, or the Fast Open child. Borrows skb. */
export function tcp_v4_reqsk_send_ack(sk: sock, skb: sk_buff, req: tcp_request_sock): void {
	tcp_v4_send_ack(
		sk.net,
		skb,
		sk.sk_state === TCP_LISTEN ? (req.snt_isn + 1) | 0 : tcp_sk(sk).snd_nxt,
		req.rcv_nxt,
		tcp_synack_window(req) >> req.rcv_wscale,
		tcp_rsk_tsval(req),
		req.ts_recent,
		0,
		tcp_md5_do_lookup(sk, 0, ip_hdr_saddr(skb)),
		ip_hdr_tos(skb) & ~INET_ECN_MASK,
		sk.sk_state === TCP_TIME_WAIT ? 0 : sk.sk_mark,
	);
}

/** request_sock_ops.send_reset. Borrows skb. */
export function tcp_v4_reqsk_send_reset(sk: sock, skb: sk_buff, err: number): void {
	tcp_v4_send_reset(sk, skb, err);
}

// ---- SYN-ACK ---------------------------------------------------------------------------------------------------------------------

/** Sends a request's SYN-ACK. Return: 0, or not when there was no route or no memory. */
export function tcp_v4_send_synack(
	sk: sock,
	dst: dst_entry | null,
	_fl: flowi4 | null,
	req: tcp_request_sock,
	foc: tcp_fastopen_cookie | null,
	synack_type: number,
	syn_skb: sk_buff | null,
): number {
	if (dst === null) {
		dst = inet_csk_route_req(sk, new flowi4(), req);
		if (dst === null) return -1;
	}
	const skb = tcp_make_synack(sk, dst, req, foc, synack_type, syn_skb);
	if (skb === null) return -1;
	__tcp_v4_send_check(skb, req.ir_loc_addr, req.ir_rmt_addr);
	const own = inet_sk(sk).tos;
	const tos = sk.net.ipv4.sysctl_tcp_reflect_tos !== 0 ? (req.syn_tos & ~INET_ECN_MASK) | (own & INET_ECN_MASK) : own;
	const err = ip_build_and_send_pkt(skb, sk, req.ir_loc_addr, req.ir_rmt_addr, req.ireq_opt, tos);
	// A queue that is congested took it all the same.
	return err === 2 ? 0 : err;
}
