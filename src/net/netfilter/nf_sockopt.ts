/*
 * net/netfilter/nf_sockopt.ts: socket options that netfilter modules answer.      Linux: net/netfilter/nf_sockopt.c
 *
 * iptables speaks to the kernel by set- and getsockopt at SOL_IP on a raw socket. What ip_sockglue does not know comes here, and the
 * module that registered the option's number range answers.
 *
 * There are no pointers into a process here. A buffer handed to the kernel is one Uint8Array that the caller still owns: getsockopt reads
 * its request from it and writes the answer over it, and where a struct holds a user pointer (ipt_replace.counters) it is an offset into
 * that same buffer.
 */
import { EBUSY, ENOPROTOOPT } from '../../uapi/asm-generic/errno.ts';
import type { sock } from '../core/sock.ts';

export interface nf_sockopt_ops {
	pf: number;
	/** Option numbers [optmin, optmax). */
	set_optmin: number;
	set_optmax: number;
	/** Return: 0 or -errno. */
	set: (sk: sock, optval: number, arg: Uint8Array) => number;
	get_optmin: number;
	get_optmax: number;
	/** Answers in `user`. Return: how many bytes of it are valid, or -errno. */
	get: (sk: sock, optval: number, user: Uint8Array) => number;
}

/** What a machine's modules registered. */
export class nf_sockopt_global {
	list: nf_sockopt_ops[] = [];
}

/** Adds a range of options. Return: 0, or -EBUSY when it overlaps one there is. */
export function nf_register_sockopt(sockopts: nf_sockopt_global, reg: nf_sockopt_ops): number {
	for (const ops of sockopts.list) {
		if (ops.pf !== reg.pf) continue;
		if (ops.set_optmin < reg.set_optmax && reg.set_optmin < ops.set_optmax) return -EBUSY;
		if (ops.get_optmin < reg.get_optmax && reg.get_optmin < ops.get_optmax) return -EBUSY;
	}
	sockopts.list.push(reg);
	return 0;
}

export function nf_unregister_sockopt(sockopts: nf_sockopt_global, reg: nf_sockopt_ops): void {
	const at = sockopts.list.indexOf(reg);
	if (at >= 0) sockopts.list.splice(at, 1);
}

/** Context: process. Return: 0 or -errno, -ENOPROTOOPT when no module knows the option. */
export function nf_setsockopt(sk: sock, pf: number, optval: number, arg: Uint8Array): number {
	for (const ops of sk.net.machine.nf.sockopts.list) {
		if (ops.pf === pf && optval >= ops.set_optmin && optval < ops.set_optmax) return ops.set(sk, optval, arg);
	}
	return -ENOPROTOOPT;
}

/** Context: process. Return: the answer's length in `user`, or -errno. */
export function nf_getsockopt(sk: sock, pf: number, optval: number, user: Uint8Array): number {
	for (const ops of sk.net.machine.nf.sockopts.list) {
		if (ops.pf === pf && optval >= ops.get_optmin && optval < ops.get_optmax) return ops.get(sk, optval, user);
	}
	return -ENOPROTOOPT;
}
