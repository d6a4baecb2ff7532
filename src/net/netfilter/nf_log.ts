/*
 * net/netfilter/nf_log.ts: who writes down packets that rules log.          Linux: net/netfilter/nf_log.c
 * The kernel log (nf_log_syslog.ts) is every family's logger until another one is bound.
 */
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_log_ip_packet } from './nf_log_syslog.ts';

export const NF_LOG_TYPE_LOG = 0;
export const NF_LOG_TYPE_ULOG = 1;

export const NF_LOG_TCPSEQ = 0x01;
export const NF_LOG_TCPOPT = 0x02;
export const NF_LOG_IPOPT = 0x04;
export const NF_LOG_UID = 0x08;
export const NF_LOG_MACDECODE = 0x20;
export const NF_LOG_DEFAULT_MASK = 0x0f;

export interface nf_loginfo {
	type: number;
	/** KERN_*, 0 to 7. */
	level: number;
	logflags: number;
	/** For NFLOG: the listener's group, how much of the packet it gets, and how many are sent at once. */
	group: number;
	copy_len: number;
	qthreshold: number;
}

/** Takes packets that NFLOG rules send to userland (nfnetlink_log). */
export type nf_logfn = (
	net: net,
	pf: number,
	hooknum: number,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	li: nf_loginfo,
	prefix: string,
) => void;

/** Writes a packet down. Borrows skb. */
export function nf_log_packet(
	net: net,
	pf: number,
	hooknum: number,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	li: nf_loginfo,
	prefix: string,
): void {
	if (li.type === NF_LOG_TYPE_ULOG) {
		const ulog = net.machine.nf.ulog;
		if (ulog !== null) ulog(net, pf, hooknum, skb, indev, outdev, li, prefix);
		return;
	}
	nf_log_ip_packet(net, pf, hooknum, skb, indev, outdev, li, prefix);
}

const trace_loginfo: nf_loginfo = {
	type: NF_LOG_TYPE_LOG,
	level: 4,
	logflags: NF_LOG_DEFAULT_MASK,
	group: 0,
	copy_len: 0,
	qthreshold: 0,
};

/** The TRACE target's way to write down where a packet is. Borrows skb. */
export function nf_log_trace(
	net: net,
	pf: number,
	hooknum: number,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	prefix: string,
): void {
	nf_log_packet(net, pf, hooknum, skb, indev, outdev, trace_loginfo, prefix);
}
