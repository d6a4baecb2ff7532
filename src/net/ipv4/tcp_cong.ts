/*
 * net/ipv4/tcp_cong.ts: congestion control as modules, and Reno.   Linux: net/ipv4/tcp_cong.c
 *
 * Walk: tcp_register_congestion_control -> tcp_assign_congestion_control (the namespace's choice, at birth) -> tcp_init_congestion_control
 *       (the connection is up) -> tcp_set_congestion_control (TCP_CONGESTION) -> tcp_cleanup_congestion_control
 *       Reno: tcp_reno_cong_avoid: tcp_slow_start, then tcp_cong_avoid_ai.
 * RFC 5681 3.1 (slow start, congestion avoidance), RFC 3465 (counting what was acknowledged).
 * A module is one constant object for all machines; which of them anybody may choose is the machine's.
 * Not here yet: modules loaded on demand, BPF's.
 */
import type { Machine } from '../../kernel/machine.ts';
import { EEXIST, EINVAL, ENOENT, EPERM } from '../../uapi/asm-generic/errno.ts';
import type { net } from '../core/net_namespace.ts';
import { type sock, TCP_CLOSE, TCP_LISTEN } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { tcp_bbr_cong_ops } from './tcp_bbr.ts';
import { cubictcp } from './tcp_cubic.ts';
import { tcp_sacktag_state } from './tcp_input_sack.ts';
import { tcp_is_cwnd_limited } from './tcp_output_xmit.ts';
import {
	type ack_sample,
	TCP_CONG_NEEDS_ECN,
	TCP_CONG_NON_RESTRICTED,
	type tcp_congestion_ops,
	tcp_in_slow_start,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

export const TCP_CA_NAME_MAX = 16;

/** What modules a machine has. */
export class tcp_cong_global {
	tcp_cong_list: tcp_congestion_ops[] = [];
	/** Those that a process without CAP_NET_ADMIN may choose. */
	allowed: tcp_congestion_ops[] = [];
	/** What tcp_ack() works in. */
	sacktag: tcp_sacktag_state = new tcp_sacktag_state();
	sample: ack_sample = { pkts_acked: 0, rtt_us: 0, in_flight: 0 };
}

// ---- modules ---------------------------------------------------------------------------------------------------------------------

/** Return: 0, -EINVAL for a module without the functions that all need, or -EEXIST. */
export function tcp_register_congestion_control(machine: Machine, ca: tcp_congestion_ops): number {
	if (ca.cong_avoid === null && ca.cong_control === null) return -EINVAL;
	const g = machine.tcp_cong;
	if (tcp_ca_find(machine, ca.name) !== null) return -EEXIST;
	g.tcp_cong_list.push(ca);
	if ((ca.flags & TCP_CONG_NON_RESTRICTED) !== 0) g.allowed.push(ca);
	return 0;
}

export function tcp_ca_find(machine: Machine, name: string): tcp_congestion_ops | null {
	for (const ca of machine.tcp_cong.tcp_cong_list) if (ca.name === name) return ca;
	return null;
}

/** Tells the module of a new state of recovery, then enters it. */
export function tcp_set_ca_state(sk: sock, ca_state: number): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_ops.set_state !== null) tp.icsk_ca_ops.set_state(sk, ca_state);
	tp.icsk_ca_state = ca_state;
}

/** The ECT bits are in every packet for as long as the module asks. */
function tcp_ca_ecn(sk: sock, ca: tcp_congestion_ops): void {
	const inet = inet_sk(sk);
	if ((ca.flags & TCP_CONG_NEEDS_ECN) !== 0) inet.tos = (inet.tos & ~3) | 2;
	else inet.tos &= ~3;
}

/** A new socket's module: its namespace's. */
export function tcp_assign_congestion_control(sk: sock): void {
	const tp = tcp_sk(sk);
	const machine = sk.net.machine;
	tp.icsk_ca_ops = tcp_ca_find(machine, sk.net.ipv4.tcp_congestion_control) ?? tcp_reno;
	tp.icsk_ca_priv = null;
	tcp_ca_ecn(sk, tp.icsk_ca_ops);
}

/** The connection is established (or a listener's child is): the module begins. */
export function tcp_init_congestion_control(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.prior_ssthresh = 0;
	if (tp.icsk_ca_ops.init !== null) tp.icsk_ca_ops.init(sk);
	tcp_ca_ecn(sk, tp.icsk_ca_ops);
	tp.icsk_ca_initialized = true;
}

export function tcp_cleanup_congestion_control(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_initialized && tp.icsk_ca_ops.release !== null) tp.icsk_ca_ops.release(sk);
	tp.icsk_ca_initialized = false;
}

function tcp_reinit_congestion_control(sk: sock, ca: tcp_congestion_ops): void {
	const tp = tcp_sk(sk);
	tcp_cleanup_congestion_control(sk);
	tp.icsk_ca_ops = ca;
	tp.icsk_ca_setsockopt = true;
	tp.icsk_ca_priv = null;
	if (sk.sk_state !== TCP_CLOSE && sk.sk_state !== TCP_LISTEN) tcp_init_congestion_control(sk);
	else tcp_ca_ecn(sk, ca);
}

/** setsockopt(TCP_CONGESTION). Return: 0, -ENOENT, -EPERM for one that is not for everybody. */
export function tcp_set_congestion_control(sk: sock, name: string, _load: boolean, cap_net_admin: boolean): number {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_dst_locked) return -EPERM;
	const g = sk.net.machine.tcp_cong;
	const ca = tcp_ca_find(sk.net.machine, name);
	if (ca === null) return -ENOENT;
	if (ca === tp.icsk_ca_ops) {
		tp.icsk_ca_setsockopt = true;
		return 0;
	}
	if (!cap_net_admin && !g.allowed.includes(ca)) return -EPERM;
	tcp_reinit_congestion_control(sk, ca);
	return 0;
}

// ---- sysctls ---------------------------------------------------------------------------------------------------------------------

/** net.ipv4.tcp_congestion_control; what is a default is allowed to everybody from then on. Return: 0 or -ENOENT. */
export function tcp_set_default_congestion_control(net: net, name: string): number {
	const ca = tcp_ca_find(net.machine, name);
	if (ca === null) return -ENOENT;
	const g = net.machine.tcp_cong;
	if (!g.allowed.includes(ca)) g.allowed.push(ca);
	net.ipv4.tcp_congestion_control = ca.name;
	return 0;
}

export function tcp_get_default_congestion_control(net: net): string {
	return net.ipv4.tcp_congestion_control;
}

/** Names in order of registration. */
export function tcp_get_available_congestion_control(machine: Machine): string {
	let s = '';
	for (const ca of machine.tcp_cong.tcp_cong_list) s += s === '' ? ca.name : ' ' + ca.name;
	return s;
}

export function tcp_get_allowed_congestion_control(machine: Machine): string {
	const g = machine.tcp_cong;
	let s = '';
	for (const ca of g.tcp_cong_list) if (g.allowed.includes(ca)) s += s === '' ? ca.name : ' ' + ca.name;
	return s;
}

/** net.ipv4.tcp_allowed_congestion_control: names with spaces between. Return: 0, or -ENOENT and nothing changed. */
export function tcp_set_allowed_congestion_control(machine: Machine, val: string): number {
	const allowed: tcp_congestion_ops[] = [];
	for (const name of val.split(' ')) {
		if (name === '') continue;
		const ca = tcp_ca_find(machine, name);
		if (ca === null) return -ENOENT;
		if (!allowed.includes(ca)) allowed.push(ca);
	}
	machine.tcp_cong.allowed = allowed;
	return 0;
}

// ---- Reno ------------------------------------------------------------------------------------------------------------------------

/** RFC 5681 3.1: a segment more for each one acknowledged, up to ssthresh. Return: what of `acked` is left for congestion avoidance. */
export function tcp_slow_start(tp: tcp_sock, acked: number): number {
	const cwnd = Math.min(tp.snd_cwnd + acked, tp.snd_ssthresh);
	acked -= cwnd - tp.snd_cwnd;
	tp.snd_cwnd = Math.min(cwnd, tp.snd_cwnd_clamp);
	return acked;
}

/** A segment more for each `w` acknowledged. */
export function tcp_cong_avoid_ai(tp: tcp_sock, w: number, acked: number): void {
	// What was saved up while w was greater counts as one segment at most.
	if (tp.snd_cwnd_cnt >= w) {
		tp.snd_cwnd_cnt = 0;
		tp.snd_cwnd++;
	}
	tp.snd_cwnd_cnt += acked;
	if (tp.snd_cwnd_cnt >= w) {
		const delta = Math.floor(tp.snd_cwnd_cnt / w);
		tp.snd_cwnd_cnt -= delta * w;
		tp.snd_cwnd += delta;
	}
	tp.snd_cwnd = Math.min(tp.snd_cwnd, tp.snd_cwnd_clamp);
}

export function tcp_reno_cong_avoid(sk: sock, _ack: number, acked: number): void {
	const tp = tcp_sk(sk);
	if (!tcp_is_cwnd_limited(sk)) return;
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (acked === 0) return;
	}
	tcp_cong_avoid_ai(tp, tp.snd_cwnd, acked);
}

/** RFC 5681 equation (4). */
export function tcp_reno_ssthresh(sk: sock): number {
	return Math.max(tcp_sk(sk).snd_cwnd >> 1, 2);
}

export function tcp_reno_undo_cwnd(sk: sock): number {
	const tp = tcp_sk(sk);
	return Math.max(tp.snd_cwnd, tp.prior_cwnd);
}

export const tcp_reno: tcp_congestion_ops = {
	name: 'reno',
	flags: TCP_CONG_NON_RESTRICTED,
	init: null,
	release: null,
	ssthresh: tcp_reno_ssthresh,
	cong_avoid: tcp_reno_cong_avoid,
	set_state: null,
	cwnd_event: null,
	in_ack_event: null,
	pkts_acked: null,
	min_tso_segs: null,
	cong_control: null,
	undo_cwnd: tcp_reno_undo_cwnd,
	sndbuf_expand: null,
	get_info: null,
};

/** Registers reno, bbr and cubic. Before any socket is made; called by tcp_init. */
export function tcp_cong_init(machine: Machine): void {
	machine.tcp_cong = new tcp_cong_global();
	tcp_register_congestion_control(machine, tcp_reno);
	tcp_register_congestion_control(machine, tcp_bbr_cong_ops);
	tcp_register_congestion_control(machine, cubictcp);
	// The default is for everybody.
	machine.tcp_cong.allowed.push(cubictcp);
}
