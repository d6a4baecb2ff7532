/*
 * net/ipv4/tcp_cong.ts: congestion control as modules, and Reno.   Linux: net/ipv4/tcp_cong.c
 */
import type { Machine } from '../../kernel/machine.ts';
import type { net } from '../core/net_namespace.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_congestion_ops, tcp_sock } from './tcp_sock.ts';

/** What modules a machine has. */
export class tcp_cong_global {
	tcp_cong_list: tcp_congestion_ops[] = [];
}
export function tcp_register_congestion_control(_machine: Machine, _ca: tcp_congestion_ops): number {
	return 0;
}
export function tcp_ca_find(_machine: Machine, _name: string): tcp_congestion_ops | null {
	return null;
}
export function tcp_set_ca_state(_sk: sock, _ca_state: number): void {}
export function tcp_assign_congestion_control(_sk: sock): void {}
export function tcp_init_congestion_control(_sk: sock): void {}
export function tcp_cleanup_congestion_control(_sk: sock): void {}
export function tcp_set_congestion_control(_sk: sock, _name: string, _load: boolean, _cap_net_admin: boolean): number {
	return 0;
}
export function tcp_set_default_congestion_control(_net: net, _name: string): number {
	return 0;
}
export function tcp_get_default_congestion_control(net: net): string {
	return net.ipv4.tcp_congestion_control;
}
export function tcp_get_available_congestion_control(_machine: Machine): string {
	return '';
}
export function tcp_get_allowed_congestion_control(_machine: Machine): string {
	return '';
}
export function tcp_set_allowed_congestion_control(_machine: Machine, _val: string): number {
	return 0;
}
export function tcp_slow_start(_tp: tcp_sock, acked: number): number {
	return acked;
}
export function tcp_cong_avoid_ai(_tp: tcp_sock, _w: number, _acked: number): void {}
export function tcp_reno_cong_avoid(_sk: sock, _ack: number, _acked: number): void {}
export function tcp_reno_ssthresh(_sk: sock): number {
	return 2;
}
export function tcp_reno_undo_cwnd(_sk: sock): number {
	return 10;
}
/** Registers reno, bbr and cubic. Before any socket is made; called by tcp_init. */
export function tcp_cong_init(_machine: Machine): void {}
