/*
 * net/ipv4/tcp_ipv4_proc.ts: /proc/net/tcp.                         Linux: net/ipv4/tcp_ipv4.c (tcp4_seq_show)
 * A line for each listener, then each connection, request and TIME_WAIT entry. proc(5), Documentation/networking/proc_net_tcp.rst.
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { HZ, timer_pending } from '../../kernel/time.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { type sock, TCP_LISTEN, TCP_SYN_RECV } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { type inet_ehash_entry, is_request, is_timewait } from './inet_hashtables.ts';
import {
	ICSK_TIME_PROBE0,
	inet_csk_in_pingpong_mode,
	tcp_in_initial_slowstart,
	type tcp_request_sock,
	tcp_sk,
	type tcp_timewait_sock,
} from './tcp_sock.ts';

const USER_HZ = 100;
const LINE = 149;

function hex(v: number, digits: number): string {
	return (v >>> 0).toString(16).toUpperCase().padStart(digits, '0');
}

/** An address as the hexadecimal of its bytes in a little-endian machine's memory. */
function addr(a: number): string {
	return hex(((a & 255) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24), 8);
}

function clock_t(jiffies: number): number {
	return Math.floor((Math.max(jiffies, 0) * USER_HZ) / HZ);
}

function head(sl: number, laddr: number, lport: number, faddr: number, fport: number, state: number): string {
	return `${String(sl).padStart(4)}: ${addr(laddr)}:${hex(lport, 4)} ${addr(faddr)}:${hex(fport, 4)} ${hex(state, 2)}`;
}

function pad5(n: number): string {
	return String(n).padStart(5);
}

function pad8(n: number): string {
	return String(n).padStart(8);
}

function get_tcp4_sock(sk: sock, sl: number): string {
	const tp = tcp_sk(sk);
	const inet = inet_sk(sk);
	const now = sk.net.machine.jiffies;
	let timer = 0;
	let expires = now;
	if (tp.icsk_pending !== 0) {
		timer = tp.icsk_pending === ICSK_TIME_PROBE0 ? 4 : 1;
		expires = tp.icsk_timeout;
	} else if (sk.sk_timer !== null && timer_pending(sk.sk_timer)) {
		timer = 2;
		expires = sk.sk_timer.expires;
	}
	const listen = sk.sk_state === TCP_LISTEN;
	const rx = listen ? sk.sk_ack_backlog : Math.max((tp.rcv_nxt - tp.copied_seq) | 0, 0);
	let refs = 1;
	if (timer_pending(tp.icsk_retransmit_timer)) refs++;
	if (tp.icsk_delack_timer !== null && timer_pending(tp.icsk_delack_timer)) refs++;
	if (sk.sk_timer !== null && timer_pending(sk.sk_timer)) refs++;
	const ssthresh = listen
		? tp.icsk_accept_queue.fastopenq.max_qlen
		: tcp_in_initial_slowstart(tp)
			? -1
			: tp.snd_ssthresh;
	return (
		`${head(sl, inet.inet_rcv_saddr, inet.inet_sport, inet.inet_daddr, inet.inet_dport, sk.sk_state)} ` +
		`${hex((tp.write_seq - tp.snd_una) | 0, 8)}:${hex(rx, 8)} ${hex(timer, 2)}:${hex(clock_t(expires - now), 8)} ` +
		`${hex(tp.icsk_retransmits, 8)} ${pad5(sk.sk_uid)} ${pad8(tp.icsk_probes_out)} ${sk.sk_ino} ${refs} 0000000000000000 ` +
		`${clock_t(tp.icsk_rto)} ${clock_t(tp.icsk_ack_ato)} ${(tp.icsk_ack_quick << 1) | Number(inet_csk_in_pingpong_mode(sk))} ` +
		`${tp.snd_cwnd} ${ssthresh}`
	);
}

function get_openreq4(req: tcp_request_sock, sl: number): string {
	const due = req.rsk_timer === null ? 0 : req.rsk_timer.expires - req.net.machine.jiffies;
	return (
		`${head(sl, req.ir_loc_addr, req.ir_num, req.ir_rmt_addr, req.ir_rmt_port, TCP_SYN_RECV)} ` +
		`00000000:00000000 01:${hex(clock_t(due), 8)} ${hex(req.num_timeout, 8)} ` +
		`${pad5(req.rsk_listener === null ? 0 : req.rsk_listener.sk_uid)} ${pad8(0)} 0 0 0000000000000000`
	);
}

function get_timewait4_sock(tw: tcp_timewait_sock, sl: number): string {
	const due = tw.tw_timer === null ? 0 : tw.tw_timer.expires - tw.net.machine.jiffies;
	return (
		`${head(sl, tw.tw_rcv_saddr, tw.tw_num, tw.tw_daddr, tw.tw_dport, tw.tw_substate)} ` +
		`00000000:00000000 03:${hex(clock_t(due), 8)} 00000000 ${pad5(0)} ${pad8(0)} 0 3 0000000000000000`
	);
}

/** Everything in the tables: listeners by port, then connections by slot. */
export function tcp_for_each(n: net, listener: (sk: sock) => void, entry: (e: inet_ehash_entry) => void): void {
	const h = n.ipv4.tcp_hashinfo;
	for (const port of [...h.lhash2.keys()].sort((a, b) => a - b)) for (const sk of h.lhash2.get(port)!) listener(sk);
	for (let i = 0; i < h.ehash.length; i++)
		for (let node = h.ehash[i]; node !== null; node = node.next) entry(node.owner);
}

function tcp4_seq_show(n: net): string {
	const lines = ['  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'];
	const show = (e: inet_ehash_entry): void => {
		const sl = lines.length - 1;
		if (is_timewait(e)) lines.push(get_timewait4_sock(e, sl));
		else if (is_request(e)) lines.push(get_openreq4(e, sl));
		else lines.push(get_tcp4_sock(e, sl));
	};
	tcp_for_each(n, show, show);
	return lines.map((l) => `${l.padEnd(LINE)}\n`).join('');
}

function tcp4_proc_init_net(n: net): number {
	proc_create_net(n, 'tcp', tcp4_seq_show);
	return 0;
}

function tcp4_proc_exit_net(_n: net): void {}

export function tcp4_proc_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'tcp4', init: tcp4_proc_init_net, exit: tcp4_proc_exit_net });
}
