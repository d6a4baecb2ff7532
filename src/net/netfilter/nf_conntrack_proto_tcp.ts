/*
 * net/netfilter/nf_conntrack_proto_tcp.ts: TCP, watched from the side.   Linux: net/netfilter/nf_conntrack_proto_tcp.c
 *
 * Two things are followed: the state (which flags came from where) and, per direction, which sequence numbers can be: a segment outside
 * is INVALID, so that nobody can close or feed a connection blindly.
 * Walk: nf_conntrack_tcp_packet: tcp_error (is it TCP at all), tcp_new (a flow's first), the state's transition, tcp_in_window, the timeout.
 * RFC 9293 3.3.2 (states), 3.4 (sequence numbers), 3.10.7.4 (acceptable segments); RFC 7323 2 (scaling); RFC 2018 (SACK); RFC 5961
 * (challenge ACKs); G. van Rooij, Real Stateful TCP Packet Filtering in IP Filter (the four bounds).
 * Not here yet: sequence numbers that NAT helpers shift (issue 3), SYNPROXY.
 */
import { HZ } from '../../kernel/time.ts';
import {
	IP_CT_IS_REPLY,
	IPCT_ASSURED,
	IPCT_PROTOINFO,
	IPS_ASSURED,
	IPS_CONFIRMED,
	IPS_SEEN_REPLY,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	IP_CT_EXP_CHALLENGE_ACK,
	IP_CT_TCP_FLAG_BE_LIBERAL,
	IP_CT_TCP_FLAG_CLOSE_INIT,
	IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED,
	IP_CT_TCP_FLAG_MAXACK_SET,
	IP_CT_TCP_FLAG_SACK_PERM,
	IP_CT_TCP_FLAG_WINDOW_SCALE,
	IP_CT_TCP_SIMULTANEOUS_OPEN,
	TCP_CONNTRACK_CLOSE,
	TCP_CONNTRACK_ESTABLISHED,
	TCP_CONNTRACK_FIN_WAIT,
	TCP_CONNTRACK_IGNORE,
	TCP_CONNTRACK_LAST_ACK,
	TCP_CONNTRACK_MAX,
	TCP_CONNTRACK_NONE,
	TCP_CONNTRACK_RETRANS,
	TCP_CONNTRACK_SYN_RECV,
	TCP_CONNTRACK_SYN_SENT,
	TCP_CONNTRACK_SYN_SENT2,
	TCP_CONNTRACK_TIME_WAIT,
	TCP_CONNTRACK_UNACK,
} from '../../uapi/linux/netfilter/nf_conntrack_tcp.ts';
import { NF_ACCEPT, NF_INET_PRE_ROUTING, NF_REPEAT } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import type { nf_hook_state } from './core.ts';
import type { nf_conn } from './nf_conntrack_core.ts';
import {
	nf_conntrack_event_cache,
	nf_ct_acct_update,
	nf_ct_kill,
	nf_ct_kill_acct,
	nf_ct_refresh_acct,
} from './nf_conntrack_core.ts';
import { nf_ct_l4proto_log_invalid } from './nf_conntrack_proto.ts';
import { nf_ip_checksum } from './utils.ts';

export const tcp_conntrack_names: readonly string[] = [
	'NONE',
	'SYN_SENT',
	'SYN_RECV',
	'ESTABLISHED',
	'FIN_WAIT',
	'CLOSE_WAIT',
	'LAST_ACK',
	'TIME_WAIT',
	'CLOSE',
	'SYN_SENT2',
];

/** Per namespace. */
export class nf_tcp_net {
	/** jiffies by TCP_CONNTRACK_* */
	timeouts: number[] = [
		0,
		120 * HZ, // SYN_SENT
		60 * HZ, // SYN_RECV
		432000 * HZ, // ESTABLISHED
		120 * HZ, // FIN_WAIT
		60 * HZ, // CLOSE_WAIT
		30 * HZ, // LAST_ACK
		120 * HZ, // TIME_WAIT
		10 * HZ, // CLOSE
		120 * HZ, // SYN_SENT2
		0,
		0,
		300 * HZ, // RETRANS
		300 * HZ, // UNACK
	];
	tcp_loose = 1;
	tcp_be_liberal = 0;
	tcp_ignore_invalid_rst = 0;
	tcp_max_retrans = 3;
}

/** What one side has sent and may send. Sequence numbers are signed 32-bit: compare them by difference. */
export class ip_ct_tcp_state {
	/** The highest end of what this side has sent. */
	td_end = 0;
	/** Up to where the other side's window lets it send. */
	td_maxend = 0;
	/** The largest window that this side has announced; 0: nothing seen from it yet. */
	td_maxwin = 0;
	/** The highest that it has acknowledged. */
	td_maxack = 0;
	td_scale = 0;
	/** IP_CT_TCP_FLAG_* */
	flags = 0;
}

export class ip_ct_tcp {
	orig = new ip_ct_tcp_state();
	reply = new ip_ct_tcp_state();
	/** TCP_CONNTRACK_* */
	state = 0;
	/** The last segment that counted: its direction, kind, and for retransmissions its numbers. */
	last_dir = 0;
	last_index = 0;
	retrans = 0;
	last_seq = 0;
	last_ack = 0;
	last_end = 0;
	last_win = 0;
	last_wscale = 0;
	last_flags = 0;
}

// Kinds of segments.
const TCP_SYN_SET = 0;
const TCP_SYNACK_SET = 1;
const TCP_FIN_SET = 2;
const TCP_ACK_SET = 3;
const TCP_RST_SET = 4;
const TCP_NONE_SET = 5;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const URG = 0x20;

function get_conntrack_index(flags: number): number {
	if ((flags & RST) !== 0) return TCP_RST_SET;
	if ((flags & SYN) !== 0) return (flags & ACK) !== 0 ? TCP_SYNACK_SET : TCP_SYN_SET;
	if ((flags & FIN) !== 0) return TCP_FIN_SET;
	return (flags & ACK) !== 0 ? TCP_ACK_SET : TCP_NONE_SET;
}

/**
 * The new state by direction, kind of segment and old state (NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK,
 * TIME_WAIT, CLOSE, SYN_SENT2): its first letters, `-` for invalid, `.` for let through and ignored.
 * As recorded from Linux 6.18: test/net/netfilter/conntrack/tcp-states.json.
 */
const TRANSITIONS: readonly string[] = [
	'ss ss . . . . . ss ss s2', // original: SYN
	'- - sr - - - - - - sr', // SYN/ACK
	'- - fw fw la la la tw cl -', // FIN
	'es - es es cw cw tw tw cl -', // ACK
	'- cl cl cl cl cl cl cl cl cl', // RST
	'- - - - - - - - - -', // none of them
	'- s2 - - - - - ss - s2', // reply: SYN
	'- sr . . . . . . . sr', // SYN/ACK
	'- - fw fw la la la tw cl -', // FIN
	'- . sr es cw cw tw tw cl .', // ACK
	'- cl cl cl cl cl cl cl cl cl', // RST
	'- - - - - - - - - -', // none of them
];
const LETTERS: readonly string[] = ['no', 'ss', 'sr', 'es', 'fw', 'cw', 'la', 'tw', 'cl', 's2'];
const tcp_conntracks: readonly number[] = TRANSITIONS.flatMap((row) =>
	row.split(' ').map((w) => (w === '-' ? TCP_CONNTRACK_MAX : w === '.' ? TCP_CONNTRACK_IGNORE : LETTERS.indexOf(w))),
);

function before(a: number, b: number): boolean {
	return ((a - b) | 0) < 0;
}

function after(a: number, b: number): boolean {
	return ((b - a) | 0) < 0;
}

// ---- options -------------------------------------------------------------------------------------------------------------------

const TCPOPT_EOL = 0;
const TCPOPT_NOP = 1;
const TCPOPT_WINDOW = 3;
const TCPOPT_SACK_PERM = 4;
const TCPOPT_SACK = 5;
const TCP_MAX_WSCALE = 14;

/** Reads the options of a SYN into `state`. `h`: the header in skb.head. */
function tcp_options(b: Uint8Array, h: number, state: ip_ct_tcp_state): void {
	const end = h + ((b[h + 12] >> 4) << 2);
	if (end === h + 20) return;
	state.td_scale = 0;
	state.flags &= IP_CT_TCP_FLAG_BE_LIBERAL;
	for (let i = h + 20; i < end; ) {
		const kind = b[i];
		if (kind === TCPOPT_EOL) return;
		if (kind === TCPOPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= end) return;
		const size = b[i + 1];
		if (size < 2 || i + size > end) return;
		if (kind === TCPOPT_SACK_PERM && size === 2) {
			state.flags |= IP_CT_TCP_FLAG_SACK_PERM;
		} else if (kind === TCPOPT_WINDOW && size === 3) {
			state.td_scale = b[i + 2] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : b[i + 2];
			state.flags |= IP_CT_TCP_FLAG_WINDOW_SCALE;
		}
		i += size;
	}
}

/** The highest that the segment acknowledges, selectively or not. */
function tcp_sack(b: Uint8Array, h: number, ack: number): number {
	const end = h + ((b[h + 12] >> 4) << 2);
	let sack = ack;
	for (let i = h + 20; i < end; ) {
		const kind = b[i];
		if (kind === TCPOPT_EOL) return sack;
		if (kind === TCPOPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= end) return sack;
		const size = b[i + 1];
		if (size < 2 || i + size > end) return sack;
		if (kind === TCPOPT_SACK && size >= 10 && (size - 2) % 8 === 0) {
			for (let p = i + 2; p < i + size; p += 8) {
				const right = (b[p + 4] << 24) | (b[p + 5] << 16) | (b[p + 6] << 8) | b[p + 7];
				if (after(right, sack)) sack = right;
			}
			return sack;
		}
		i += size;
	}
	return sack;
}

// ---- windows -------------------------------------------------------------------------------------------------------------------

/** A side's SYN: what it begins with. */
function tcp_init_sender(
	sender: ip_ct_tcp_state,
	receiver: ip_ct_tcp_state,
	b: Uint8Array,
	h: number,
	end: number,
	win: number,
	dir: number,
): void {
	sender.td_end = end;
	sender.td_maxend = end;
	sender.td_maxwin = win === 0 ? 1 : win;
	tcp_options(b, h, sender);
	// RFC 7323 2.2: both SYNs must offer scaling.
	if (dir === 1 && (sender.flags & receiver.flags & IP_CT_TCP_FLAG_WINDOW_SCALE) === 0) {
		sender.td_scale = 0;
		receiver.td_scale = 0;
	}
}

const TCP_ACCEPT = 0;
/** Let through without being heeded. */
const TCP_IGNORE = 1;
const TCP_INVALID = 2;

/** An ACK may be this much behind, whatever the window is. */
const MAXACKWINCONST = 66000;

function nf_tcp_log_invalid(
	skb: sk_buff,
	ct: nf_conn,
	state: nf_hook_state,
	sender: ip_ct_tcp_state,
	verdict: number,
	why: string,
): number {
	if (ct.net.ct.tcp.tcp_be_liberal !== 0 || (sender.flags & IP_CT_TCP_FLAG_BE_LIBERAL) !== 0) return TCP_ACCEPT;
	nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, why);
	return verdict;
}

/** Whether the segment can be part of the connection; if so both sides' bounds follow it. `h`: the header in skb.head. */
function tcp_in_window(
	ct: nf_conn,
	tcp: ip_ct_tcp,
	dir: number,
	index: number,
	skb: sk_buff,
	h: number,
	end: number,
	state: nf_hook_state,
): number {
	const b = skb.head;
	const sender = dir === 0 ? tcp.orig : tcp.reply;
	const receiver = dir === 0 ? tcp.reply : tcp.orig;
	const flags = b[h + 13];
	let seq = (b[h + 4] << 24) | (b[h + 5] << 16) | (b[h + 6] << 8) | b[h + 7];
	let ack = (b[h + 8] << 24) | (b[h + 9] << 16) | (b[h + 10] << 8) | b[h + 11];
	const win_raw = (b[h + 14] << 8) | b[h + 15];
	let win = win_raw;
	let sack = ack;
	if ((receiver.flags & IP_CT_TCP_FLAG_SACK_PERM) !== 0 && b[h + 12] >> 4 > 5) sack = tcp_sack(b, h, ack);

	if (sender.td_maxwin === 0) {
		// The first that is seen from this side.
		if ((flags & SYN) !== 0) {
			tcp_init_sender(sender, receiver, b, h, end, win, dir);
			// RFC 9293 3.5: both SYNs may cross.
			if ((flags & ACK) === 0) return TCP_ACCEPT;
		} else {
			// The flow was picked up on its way: believe both ends.
			sender.td_end = end;
			const swin = win << sender.td_scale;
			sender.td_maxwin = swin === 0 ? 1 : swin;
			sender.td_maxend = (end + sender.td_maxwin) | 0;
			if (receiver.td_maxwin === 0) {
				receiver.td_end = sack;
				receiver.td_maxend = sack;
			} else if (sack === ((receiver.td_end + 1) | 0)) {
				// The answer to a keepalive.
				receiver.td_end = (receiver.td_end + 1) | 0;
			}
		}
	} else if (
		(flags & SYN) !== 0 &&
		after(end, sender.td_end) &&
		(tcp.state === TCP_CONNTRACK_SYN_SENT || tcp.state === TCP_CONNTRACK_SYN_RECV)
	) {
		// A SYN with new numbers before anything was agreed on.
		tcp_init_sender(sender, receiver, b, h, end, win, dir);
		if (dir === 1 && (flags & ACK) === 0) return TCP_ACCEPT;
	}

	if ((flags & ACK) === 0) {
		ack = receiver.td_end;
		sack = ack;
	} else if ((flags & RST) !== 0 && ack === 0) {
		// Some stacks say ACK in a reset and leave the number 0.
		ack = receiver.td_end;
		sack = ack;
	}
	if ((flags & RST) !== 0 && seq === 0 && tcp.state === TCP_CONNTRACK_SYN_SENT) {
		// A reset that answers a SYN has no number of its own.
		seq = sender.td_end;
		end = seq;
	}

	const maxack = sender.td_maxwin > MAXACKWINCONST ? sender.td_maxwin : MAXACKWINCONST;
	// I. Not beyond the receiver's window.
	if (!before(seq, (sender.td_maxend + 1) | 0)) {
		const overshot = (end - sender.td_maxend + 1) >>> 0;
		const ack_ok = after(sack, (receiver.td_end - maxack - 1) | 0);
		const in_recv_win = receiver.td_maxwin !== 0 && after(end, (sender.td_end - receiver.td_maxwin - 1) | 0);
		if (in_recv_win && ack_ok && overshot <= receiver.td_maxwin && before(sack, (receiver.td_end + 1) | 0)) {
			// A probe beyond a closed window, or a sender that overshoots: its answer must still fit.
			sender.td_end = end;
			sender.flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
			return nf_tcp_log_invalid(skb, ct, state, sender, TCP_IGNORE, `${overshot} bytes more than expected`);
		}
		return nf_tcp_log_invalid(
			skb,
			ct,
			state,
			sender,
			TCP_INVALID,
			`SEQ is over upper bound ${(sender.td_maxend + 1) >>> 0} (over the window of the receiver)`,
		);
	}
	// II. Nothing acknowledged that was not sent.
	if (!before(sack, (receiver.td_end + 1) | 0)) {
		return nf_tcp_log_invalid(
			skb,
			ct,
			state,
			sender,
			TCP_INVALID,
			`ACK is over upper bound ${(receiver.td_end + 1) >>> 0} (ACKed data not seen yet)`,
		);
	}
	// III. Not before what the receiver has acknowledged.
	if (receiver.td_maxwin !== 0 && !after(end, (sender.td_end - receiver.td_maxwin - 1) | 0)) {
		return nf_tcp_log_invalid(
			skb,
			ct,
			state,
			sender,
			TCP_IGNORE,
			`SEQ is under lower bound ${(sender.td_end - receiver.td_maxwin - 1) >>> 0} (already ACKed data retransmitted)`,
		);
	}
	// IV. No acknowledgement from long ago.
	if (!after(sack, (receiver.td_end - maxack - 1) | 0)) {
		return nf_tcp_log_invalid(
			skb,
			ct,
			state,
			sender,
			TCP_IGNORE,
			`ignored ACK under lower bound ${(receiver.td_end - maxack - 1) >>> 0} (possible overly delayed)`,
		);
	}

	// RFC 7323 2.2: the window of a SYN is never scaled.
	if ((flags & SYN) === 0) win <<= sender.td_scale;
	const swin = win + ((sack - ack) | 0);
	if (sender.td_maxwin < swin) sender.td_maxwin = swin;
	if (after(end, sender.td_end)) {
		sender.td_end = end;
		sender.flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
	}
	if ((flags & ACK) !== 0) {
		if ((sender.flags & IP_CT_TCP_FLAG_MAXACK_SET) === 0) {
			sender.td_maxack = ack;
			sender.flags |= IP_CT_TCP_FLAG_MAXACK_SET;
		} else if (after(ack, sender.td_maxack)) {
			sender.td_maxack = ack;
		}
	}
	if (receiver.td_maxwin !== 0 && after(end, sender.td_maxend)) receiver.td_maxwin += (end - sender.td_maxend) | 0;
	if (after((sack + win) | 0, (receiver.td_maxend - 1) | 0)) {
		receiver.td_maxend = (sack + win) | 0;
		if (win === 0) receiver.td_maxend = (receiver.td_maxend + 1) | 0;
	}
	if (ack === receiver.td_end) receiver.flags &= ~IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;

	if (index === TCP_ACK_SET) {
		if (
			tcp.last_dir === dir &&
			tcp.last_seq === seq &&
			tcp.last_ack === ack &&
			tcp.last_end === end &&
			tcp.last_win === win_raw
		) {
			tcp.retrans++;
		} else {
			tcp.last_dir = dir;
			tcp.last_seq = seq;
			tcp.last_ack = ack;
			tcp.last_end = end;
			tcp.last_win = win_raw;
			tcp.retrans = 0;
		}
	}
	return TCP_ACCEPT;
}

// ---- packets -------------------------------------------------------------------------------------------------------------------

/** Return: whether the segment can't be right: its length, checksum, or flags. */
function tcp_error(skb: sk_buff, dataoff: number, state: nf_hook_state): boolean {
	if (!pskb_may_pull(skb, dataoff + 20)) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'short packet');
		return true;
	}
	const doff = (skb.head[skb.data + dataoff + 12] >> 4) << 2;
	if (doff < 20 || skb.len - dataoff < doff || !pskb_may_pull(skb, dataoff + doff)) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'truncated packet');
		return true;
	}
	if (
		state.hook === NF_INET_PRE_ROUTING &&
		state.net.ct.sysctl_checksum !== 0 &&
		nf_ip_checksum(skb, state.hook, dataoff, IPPROTO_TCP) !== 0
	) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'bad checksum');
		return true;
	}
	switch (skb.head[skb.data + dataoff + 13] & (FIN | SYN | RST | ACK | URG)) {
		case SYN:
		case SYN | URG:
		case SYN | ACK:
		case RST:
		case RST | ACK:
		case FIN | ACK:
		case FIN | ACK | URG:
		case ACK:
		case ACK | URG:
			return false;
		default:
			nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'invalid tcp flag combination');
			return true;
	}
}

/** Begins to follow a flow with the segment at `h`. Return: whether it may begin one. */
function tcp_new(ct: nf_conn, skb: sk_buff, h: number, end: number, index: number, state: nf_hook_state): boolean {
	const new_state = tcp_conntracks[index * 10 + TCP_CONNTRACK_NONE];
	if (new_state >= TCP_CONNTRACK_MAX) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'invalid new');
		return false;
	}
	const n = ct.net.ct.tcp;
	if (new_state !== TCP_CONNTRACK_SYN_SENT && n.tcp_loose === 0) {
		nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'begins in the middle: nf_conntrack_tcp_loose is 0');
		return false;
	}
	const b = skb.head;
	const tcp = new ip_ct_tcp();
	ct.tcp = tcp;
	const win = (b[h + 14] << 8) | b[h + 15];
	const s = tcp.orig;
	s.td_end = end;
	s.td_maxwin = win === 0 ? 1 : win;
	s.td_maxend = end;
	if (new_state === TCP_CONNTRACK_SYN_SENT) {
		tcp_options(b, h, s);
	} else {
		// Scaling is unknown: neither side is held to its window.
		s.td_maxend = (end + s.td_maxwin) | 0;
		s.flags = IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL;
		tcp.reply.flags = IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL;
	}
	tcp.last_index = TCP_NONE_SET;
	return true;
}

/** Whether the flow is over, so that it may go when the table is full. */
export function nf_ct_tcp_can_early_drop(tcp: ip_ct_tcp): boolean {
	return tcp.state >= TCP_CONNTRACK_FIN_WAIT && tcp.state <= TCP_CONNTRACK_CLOSE;
}

/** Whether data can flow both ways. */
function nf_conntrack_tcp_established(ct: nf_conn): boolean {
	return ct.tcp!.state === TCP_CONNTRACK_ESTABLISHED && (ct.status & IPS_ASSURED) !== 0;
}

/** Both sides end the connection outside their windows: we missed something, and the flow gets less time. */
function nf_tcp_handle_invalid(ct: nf_conn, tcp: ip_ct_tcp, dir: number, index: number): void {
	if ((index !== TCP_FIN_SET && index !== TCP_RST_SET) || (ct.status & IPS_ASSURED) === 0) return;
	if ((tcp.last_index === TCP_FIN_SET || tcp.last_index === TCP_RST_SET) && tcp.last_dir !== dir) {
		const now = ct.net.machine.jiffies;
		const timeout = ct.net.ct.tcp.timeouts[TCP_CONNTRACK_UNACK];
		if (ct.timeout - now > timeout) ct.timeout = now + timeout;
	} else {
		tcp.last_index = index;
		tcp.last_dir = dir;
	}
}

/** Return: NF_ACCEPT, -NF_ACCEPT for what is not valid, -NF_REPEAT when the entry is gone and the packet begins anew. */
export function nf_conntrack_tcp_packet(
	ct: nf_conn,
	skb: sk_buff,
	dataoff: number,
	ctinfo: number,
	state: nf_hook_state,
): number {
	if (tcp_error(skb, dataoff, state)) return -NF_ACCEPT;
	const b = skb.head;
	const h = skb.data + dataoff;
	const flags = b[h + 13];
	const index = get_conntrack_index(flags);
	const seq = (b[h + 4] << 24) | (b[h + 5] << 16) | (b[h + 6] << 8) | b[h + 7];
	const ack = (b[h + 8] << 24) | (b[h + 9] << 16) | (b[h + 10] << 8) | b[h + 11];
	const end = (seq + skb.len - dataoff - ((b[h + 12] >> 4) << 2) + ((flags & SYN) >> 1) + (flags & FIN)) | 0;
	if ((ct.status & IPS_CONFIRMED) === 0 && !tcp_new(ct, skb, h, end, index, state)) return -NF_ACCEPT;
	const tcp = ct.tcp!;
	const n = ct.net.ct.tcp;
	const old_state = tcp.state;
	const dir = ctinfo >= IP_CT_IS_REPLY ? 1 : 0;
	let new_state = tcp_conntracks[(dir * 6 + index) * 10 + old_state];
	const sender = dir === 0 ? tcp.orig : tcp.reply;
	const receiver = dir === 0 ? tcp.reply : tcp.orig;
	let check_window = true;

	if (new_state === TCP_CONNTRACK_SYN_SENT && old_state >= TCP_CONNTRACK_TIME_WAIT) {
		// RFC 9293 3.6.1: a new SYN may reopen a connection that was closed or reset.
		if (
			((tcp.orig.flags | tcp.reply.flags) & IP_CT_TCP_FLAG_CLOSE_INIT) !== 0 ||
			(tcp.last_dir === dir && tcp.last_index === TCP_RST_SET)
		) {
			if (nf_ct_kill(ct)) return -NF_REPEAT;
			return NF_ACCEPT;
		}
		new_state = TCP_CONNTRACK_IGNORE;
	}
	switch (new_state) {
		case TCP_CONNTRACK_IGNORE:
			if (index === TCP_SYNACK_SET && tcp.last_index === TCP_SYN_SET && tcp.last_dir !== dir && ack === tcp.last_end) {
				// A SYN that we ignored is being answered: we were wrong, this is a new connection.
				new_state = TCP_CONNTRACK_SYN_RECV;
				receiver.td_end = tcp.last_end;
				receiver.td_maxend = tcp.last_end;
				receiver.td_maxwin = tcp.last_win === 0 ? 1 : tcp.last_win;
				receiver.td_scale = tcp.last_wscale;
				tcp.last_flags &= ~IP_CT_EXP_CHALLENGE_ACK;
				receiver.flags = tcp.last_flags;
				sender.td_end = 0;
				sender.td_maxend = 0;
				sender.td_maxwin = 0;
				sender.td_maxack = 0;
				sender.td_scale = 0;
				sender.flags &= IP_CT_TCP_FLAG_BE_LIBERAL;
				tcp.state = TCP_CONNTRACK_SYN_SENT;
				break;
			}
			tcp.last_index = index;
			tcp.last_dir = dir;
			tcp.last_seq = seq;
			tcp.last_end = end;
			tcp.last_win = (b[h + 14] << 8) | b[h + 15];
			if (index === TCP_SYN_SET && dir === 0) {
				const seen = skb.machine.ct.tcp_scratch;
				seen.flags = 0;
				tcp_options(b, h, seen);
				tcp.last_wscale = seen.td_scale;
				tcp.last_flags = seen.flags;
				// RFC 5961 4: a SYN in a live connection is answered by an ACK, which then does not acknowledge the last FIN.
				if (old_state === TCP_CONNTRACK_LAST_ACK) tcp.last_flags |= IP_CT_EXP_CHALLENGE_ACK;
			}
			if (index === TCP_ACK_SET) tcp.last_ack = ack;
			return NF_ACCEPT;
		case TCP_CONNTRACK_MAX:
			nf_ct_l4proto_log_invalid(
				skb,
				state,
				IPPROTO_TCP,
				`packet (index ${index}) in dir ${dir} invalid, state ${tcp_conntrack_names[old_state]}`,
			);
			return -NF_ACCEPT;
		case TCP_CONNTRACK_TIME_WAIT:
			if (
				old_state === TCP_CONNTRACK_LAST_ACK &&
				index === TCP_ACK_SET &&
				tcp.last_dir !== dir &&
				tcp.last_index === TCP_SYN_SET &&
				(tcp.last_flags & IP_CT_EXP_CHALLENGE_ACK) !== 0
			) {
				tcp.last_flags &= ~IP_CT_EXP_CHALLENGE_ACK;
				return NF_ACCEPT;
			}
			break;
		case TCP_CONNTRACK_SYN_SENT2:
			tcp.last_flags |= IP_CT_TCP_SIMULTANEOUS_OPEN;
			break;
		case TCP_CONNTRACK_SYN_RECV:
			if (dir === 1 && index === TCP_ACK_SET && (tcp.last_flags & IP_CT_TCP_SIMULTANEOUS_OPEN) !== 0)
				new_state = TCP_CONNTRACK_ESTABLISHED;
			break;
		case TCP_CONNTRACK_CLOSE:
			if (index !== TCP_RST_SET) break;
			// Once it is closing, any reset may end it.
			if (old_state >= TCP_CONNTRACK_FIN_WAIT && old_state <= TCP_CONNTRACK_CLOSE) {
				check_window = false;
				break;
			}
			if ((receiver.flags & IP_CT_TCP_FLAG_MAXACK_SET) !== 0 && tcp.last_index !== TCP_SYN_SET) {
				const established = nf_conntrack_tcp_established(ct);
				if (!(seq === 0 && !established)) {
					// RFC 5961 3: only the number that is expected next may reset.
					if (before(seq, receiver.td_maxack) && n.tcp_ignore_invalid_rst === 0) {
						nf_ct_l4proto_log_invalid(skb, state, IPPROTO_TCP, 'invalid rst');
						return -NF_ACCEPT;
					}
					const train = tcp.last_index === TCP_ACK_SET && tcp.last_dir === dir && seq === tcp.last_end;
					// Otherwise it provokes a challenge ACK: the flow stays as it is.
					if (established && seq !== receiver.td_maxack && !train) new_state = old_state;
					else break;
				} else {
					break;
				}
			}
			// A reset against a SYN or an ACK that we let through without following it.
			if (
				(((ct.status & IPS_SEEN_REPLY) !== 0 && tcp.last_index === TCP_SYN_SET && tcp.last_dir !== dir) ||
					((ct.status & IPS_ASSURED) === 0 && tcp.last_index === TCP_ACK_SET)) &&
				ack === tcp.last_end
			)
				check_window = false;
			if (
				old_state === TCP_CONNTRACK_SYN_SENT &&
				tcp.last_index === TCP_ACK_SET &&
				tcp.last_dir === 1 &&
				seq === tcp.last_ack
			)
				check_window = false;
			break;
		default:
			break;
	}

	if (check_window) {
		const res = tcp_in_window(ct, tcp, dir, index, skb, h, end, state);
		if (res === TCP_IGNORE) return NF_ACCEPT;
		if (res === TCP_INVALID) {
			nf_tcp_handle_invalid(ct, tcp, dir, index);
			return -NF_ACCEPT;
		}
	}

	tcp.last_index = index;
	tcp.last_dir = dir;
	tcp.state = new_state;
	if (old_state !== new_state && new_state === TCP_CONNTRACK_FIN_WAIT) sender.flags |= IP_CT_TCP_FLAG_CLOSE_INIT;

	const timeouts = n.timeouts;
	let timeout = timeouts[new_state];
	if (tcp.retrans >= n.tcp_max_retrans && timeout > timeouts[TCP_CONNTRACK_RETRANS])
		timeout = timeouts[TCP_CONNTRACK_RETRANS];
	else if (index === TCP_RST_SET) timeout = timeouts[TCP_CONNTRACK_CLOSE];
	else if (
		((tcp.orig.flags | tcp.reply.flags) & IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED) !== 0 &&
		timeout > timeouts[TCP_CONNTRACK_UNACK]
	)
		timeout = timeouts[TCP_CONNTRACK_UNACK];
	else if (tcp.last_win === 0 && timeout > timeouts[TCP_CONNTRACK_RETRANS]) timeout = timeouts[TCP_CONNTRACK_RETRANS];

	if (new_state !== old_state) nf_conntrack_event_cache(IPCT_PROTOINFO, ct);
	if ((ct.status & IPS_SEEN_REPLY) === 0) {
		// A reset to the first SYN: nothing is left to follow.
		if ((flags & RST) !== 0) {
			nf_ct_kill_acct(ct, ctinfo, skb);
			return NF_ACCEPT;
		}
		// A SYN that is sent again does not keep an unanswered flow alive.
		if (index === TCP_SYN_SET && old_state === TCP_CONNTRACK_SYN_SENT) {
			nf_ct_acct_update(ct, dir, skb.len);
			return NF_ACCEPT;
		}
		if (new_state === TCP_CONNTRACK_ESTABLISHED && timeout > timeouts[TCP_CONNTRACK_UNACK])
			timeout = timeouts[TCP_CONNTRACK_UNACK];
	} else if (
		(ct.status & IPS_ASSURED) === 0 &&
		(old_state === TCP_CONNTRACK_SYN_RECV || old_state === TCP_CONNTRACK_ESTABLISHED) &&
		new_state === TCP_CONNTRACK_ESTABLISHED
	) {
		ct.status |= IPS_ASSURED;
		nf_conntrack_event_cache(IPCT_ASSURED, ct);
	}
	nf_ct_refresh_acct(ct, ctinfo, skb, timeout);
	return NF_ACCEPT;
}
