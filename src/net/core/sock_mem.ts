/*
 * net/core/sock_mem.ts: what sockets take of their protocol's memory.      Linux: net/sock.h, net/core/sock.c (sk_mem_*)
 *
 * A socket reserves whole pages of the protocol's memory (sk_forward_alloc, in bytes) and pays its packets from them. Between the first
 * and the second of the protocol's three limits nothing happens; above the second there is pressure: buffers stop growing; at the
 * third a socket gets no more than its minimum. Sockets of protocols without such limits (sk_memory null) pay nothing.
 */
import { SOCK_MIN_SNDBUF, SOCK_SNDBUF_LOCK, type sock } from './sock.ts';

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

export const SK_MEM_SEND = 0;
export const SK_MEM_RECV = 1;

/** A protocol's memory on one machine (proto.memory_allocated, sysctl_mem, memory_pressure, sockets_allocated, orphan_count). */
export class proto_memory {
	/** Pages. */
	memory_allocated = 0;
	/** jiffies when pressure began; 0 for none. */
	memory_pressure = 0;
	sockets_allocated = 0;
	orphan_count = 0;
	/** net.ipv4.tcp_max_orphans. */
	sysctl_max_orphans = 131072;
	/** Pages: min, pressure, max. */
	sysctl_mem: number[];
	/** Told when pressure begins and ends (counters). */
	enter_memory_pressure: ((sk: sock) => void) | null = null;
	leave_memory_pressure: ((sk: sock) => void) | null = null;

	constructor(mem: number[]) {
		this.sysctl_mem = mem;
	}
}

/** Pages that hold `amt` bytes. */
export function sk_mem_pages(amt: number): number {
	return (amt + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

export function sk_has_account(sk: sock): boolean {
	return sk.sk_memory !== null;
}

export function sk_under_memory_pressure(sk: sock): boolean {
	return sk.sk_memory !== null && sk.sk_memory.memory_pressure !== 0;
}

export function sk_memory_allocated(sk: sock): number {
	return sk.sk_memory === null ? 0 : sk.sk_memory.memory_allocated;
}

/** The protocol's limit `index` in pages. */
export function sk_prot_mem_limits(sk: sock, index: number): number {
	return sk.sk_memory === null ? 0x7fffffff : sk.sk_memory.sysctl_mem[index];
}

export function sk_sockets_allocated_inc(sk: sock): void {
	if (sk.sk_memory !== null) sk.sk_memory.sockets_allocated++;
}

export function sk_sockets_allocated_dec(sk: sock): void {
	if (sk.sk_memory !== null) sk.sk_memory.sockets_allocated--;
}

/** Reserves pages for `size` bytes. Return: whether there were enough. */
export function __sk_mem_schedule(sk: sock, size: number, kind: number): boolean {
	const amt = sk_mem_pages(size);
	sk.sk_forward_alloc += amt << PAGE_SHIFT;
	if (__sk_mem_raise_allocated(sk, size, amt, kind)) return true;
	sk.sk_forward_alloc -= amt << PAGE_SHIFT;
	return false;
}

/** Counts `amt` pages more for the protocol, if its limits and this socket's share allow. */
export function __sk_mem_raise_allocated(sk: sock, size: number, amt: number, kind: number): boolean {
	const m = sk.sk_memory!;
	m.memory_allocated += amt;
	const allocated = m.memory_allocated;
	if (allocated <= m.sysctl_mem[0]) {
		if (m.memory_pressure !== 0) sk_leave_memory_pressure(sk);
		return true;
	}
	if (allocated > m.sysctl_mem[1]) sk_enter_memory_pressure(sk);
	if (allocated <= m.sysctl_mem[2]) {
		// Everybody has their minimum, whatever the pressure.
		if (kind === SK_MEM_RECV) {
			if (sk.sk_rmem_alloc < sk.net.ipv4.sysctl_tcp_rmem[0]) return true;
		} else if (sk.sk_wmem_queued < sk.net.ipv4.sysctl_tcp_wmem[0]) return true;
		if (m.memory_pressure === 0) return true;
		const used = sk_mem_pages(sk.sk_wmem_queued + sk.sk_rmem_alloc + sk.sk_forward_alloc);
		if (m.sysctl_mem[2] > m.sockets_allocated * used) return true;
	}
	if (kind === SK_MEM_SEND) {
		sk_stream_moderate_sndbuf(sk);
		// A socket that is not over its buffer's size may not be refused: it could never get on.
		if (sk.sk_wmem_queued + size >= sk.sk_sndbuf) return true;
	}
	m.memory_allocated -= amt;
	return false;
}

/** Gives `amt` pages back. */
export function __sk_mem_reduce_allocated(sk: sock, amt: number): void {
	const m = sk.sk_memory!;
	m.memory_allocated -= amt;
	if (m.memory_pressure !== 0 && m.memory_allocated < m.sysctl_mem[0]) sk_leave_memory_pressure(sk);
}

export function __sk_mem_reclaim(sk: sock, amount: number): void {
	const pages = amount >> PAGE_SHIFT;
	sk.sk_forward_alloc -= pages << PAGE_SHIFT;
	__sk_mem_reduce_allocated(sk, pages);
}

/** Gives whole pages that the socket does not use back. */
export function sk_mem_reclaim(sk: sock): void {
	if (sk.sk_memory !== null && sk.sk_forward_alloc >= PAGE_SIZE) __sk_mem_reclaim(sk, sk.sk_forward_alloc);
}

export function sk_mem_charge(sk: sock, size: number): void {
	if (sk.sk_memory !== null) sk.sk_forward_alloc -= size;
}

export function sk_mem_uncharge(sk: sock, size: number): void {
	if (sk.sk_memory === null) return;
	sk.sk_forward_alloc += size;
	if (sk.sk_forward_alloc >= PAGE_SIZE) __sk_mem_reclaim(sk, sk.sk_forward_alloc);
}

/** Whether `size` bytes to send can be paid. */
export function sk_wmem_schedule(sk: sock, size: number): boolean {
	if (sk.sk_memory === null) return true;
	const delta = size - sk.sk_forward_alloc;
	return delta <= 0 || __sk_mem_schedule(sk, delta, SK_MEM_SEND);
}

/** Whether `size` bytes received can be paid. */
export function sk_rmem_schedule(sk: sock, size: number): boolean {
	if (sk.sk_memory === null) return true;
	const delta = size - sk.sk_forward_alloc;
	return delta <= 0 || __sk_mem_schedule(sk, delta, SK_MEM_RECV);
}

/** Pays for `size` bytes whatever the limits (a FIN must go out). */
export function sk_forced_mem_schedule(sk: sock, size: number): void {
	const delta = size - sk.sk_forward_alloc;
	if (sk.sk_memory === null || delta <= 0) return;
	const amt = sk_mem_pages(delta);
	sk.sk_forward_alloc += amt << PAGE_SHIFT;
	sk.sk_memory.memory_allocated += amt;
}

export function sk_enter_memory_pressure(sk: sock): void {
	const m = sk.sk_memory!;
	if (m.memory_pressure !== 0) return;
	m.memory_pressure = sk.net.machine.jiffies || 1;
	if (m.enter_memory_pressure !== null) m.enter_memory_pressure(sk);
}

export function sk_leave_memory_pressure(sk: sock): void {
	const m = sk.sk_memory!;
	if (m.memory_pressure === 0) return;
	if (m.leave_memory_pressure !== null) m.leave_memory_pressure(sk);
	m.memory_pressure = 0;
}

/** Under pressure a send buffer shrinks to what is in it, unless its size was set. */
export function sk_stream_moderate_sndbuf(sk: sock): void {
	if ((sk.sk_userlocks & SOCK_SNDBUF_LOCK) !== 0) return;
	const val = Math.min(sk.sk_sndbuf, sk.sk_wmem_queued >> 1);
	sk.sk_sndbuf = Math.max(val, SOCK_MIN_SNDBUF);
}
