/*
 * net/netfilter/nf_log_syslog.ts: a packet as one line of the kernel log.    Linux: net/netfilter/nf_log_syslog.c
 *
 *   PREFIX IN=eth0 OUT= MAC=… SRC=… DST=… LEN=… TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=1 DPT=2 WINDOW=512 RES=0x00 SYN URGP=0
 *
 * Only the first namespace logs, unless net.netfilter.nf_log_all_netns says otherwise. Not here yet: bridges' PHYSIN and PHYSOUT, SIT.
 */
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_be16, get_unaligned_be32 } from '../../lib/byteorder.ts';
import { ARPHRD_ETHER } from '../../uapi/linux/if_arp.ts';
import {
	IPPROTO_AH,
	IPPROTO_ESP,
	IPPROTO_ICMP,
	IPPROTO_TCP,
	IPPROTO_UDP,
	IPPROTO_UDPLITE,
} from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { NF_LOG_IPOPT, NF_LOG_MACDECODE, NF_LOG_TCPOPT, NF_LOG_TCPSEQ, NF_LOG_UID, type nf_loginfo } from './nf_log.ts';

const hex2 = (n: number): string => n.toString(16).padStart(2, '0');
const HEX2 = (n: number): string => hex2(n).toUpperCase();

function ip4(b: Uint8Array, o: number): string {
	return `${b[o]}.${b[o + 1]}.${b[o + 2]}.${b[o + 3]}`;
}

function mac(b: Uint8Array, o: number): string {
	let s = hex2(b[o]);
	for (let i = 1; i < 6; i++) s += ':' + hex2(b[o + i]);
	return s;
}

const TCP_FLAG_NAMES = ['CWR', 'ECE', 'URG', 'ACK', 'PSH', 'RST', 'SYN', 'FIN'];

function dump_tcp(b: Uint8Array, o: number, fragment: number, logflags: number): string {
	let s = 'PROTO=TCP ';
	if (fragment !== 0) return s;
	if (b.length - o < 20) return s + `INCOMPLETE [${b.length - o} bytes] `;
	s += `SPT=${get_unaligned_be16(b, o)} DPT=${get_unaligned_be16(b, o + 2)} `;
	if ((logflags & NF_LOG_TCPSEQ) !== 0) s += `SEQ=${get_unaligned_be32(b, o + 4)} ACK=${get_unaligned_be32(b, o + 8)} `;
	s += `WINDOW=${get_unaligned_be16(b, o + 14)} RES=0x${hex2((b[o + 12] & 0x0f) << 2)} `;
	for (let i = 0; i < 8; i++) if ((b[o + 13] & (0x80 >> i)) !== 0) s += TCP_FLAG_NAMES[i] + ' ';
	s += `URGP=${get_unaligned_be16(b, o + 18)} `;
	const optsize = (b[o + 12] >> 4) * 4 - 20;
	if ((logflags & NF_LOG_TCPOPT) !== 0 && optsize > 0) {
		if (b.length - o - 20 < optsize) return s + 'OPT (TRUNCATED)';
		s += 'OPT (';
		for (let i = 0; i < optsize; i++) s += HEX2(b[o + 20 + i]);
		s += ') ';
	}
	return s;
}

function dump_icmp(b: Uint8Array, o: number, inner: boolean): string {
	const NEED = new Map([
		[0, 8],
		[8, 8],
		[3, 28],
		[4, 28],
		[5, 28],
		[11, 28],
		[12, 28],
		[13, 20],
		[14, 20],
		[17, 12],
		[18, 12],
	]);
	const left = b.length - o;
	if (left < 4) return `INCOMPLETE [${left} bytes] `;
	const type = b[o];
	const code = b[o + 1];
	let s = `TYPE=${type} CODE=${code} `;
	const need = NEED.get(type);
	if (need !== undefined && left < need) return s + `INCOMPLETE [${left} bytes] `;
	switch (type) {
		case 0:
		case 8:
			return s + `ID=${get_unaligned_be16(b, o + 4)} SEQ=${get_unaligned_be16(b, o + 6)} `;
		case 12:
			return s + `PARAMETER=${b[o + 4]} `;
		case 5:
		case 3:
		case 4:
		case 11:
			if (type === 5) s += `GATEWAY=${ip4(b, o + 4)} `;
			if (!inner) s += `[${dump_ipv4(b, o + 8, 0, true)}] `;
			if (type === 3 && code === 4) s += `MTU=${get_unaligned_be16(b, o + 6)} `;
			return s;
		default:
			return s;
	}
}

/** The packet whose IP header is at `o`, as far as `b` has it. */
function dump_ipv4(b: Uint8Array, o: number, logflags: number, inner: boolean): string {
	if (b.length - o < 20) return 'TRUNCATED';
	const tos = b[o + 1];
	let s = `SRC=${ip4(b, o + 12)} DST=${ip4(b, o + 16)} `;
	s += `LEN=${get_unaligned_be16(b, o + 2)} TOS=0x${HEX2(tos & 0x1e)} PREC=0x${HEX2(tos & 0xe0)} `;
	s += `TTL=${b[o + 8]} ID=${get_unaligned_be16(b, o + 4)} `;
	const frag = get_unaligned_be16(b, o + 6);
	if ((frag & 0x8000) !== 0) s += 'CE ';
	if ((frag & 0x4000) !== 0) s += 'DF ';
	if ((frag & 0x2000) !== 0) s += 'MF ';
	const offset = frag & 0x1fff;
	if (offset !== 0) s += `FRAG:${offset} `;
	const ihl = (b[o] & 15) * 4;
	if ((logflags & NF_LOG_IPOPT) !== 0 && ihl > 20) {
		if (b.length - o < ihl) return s + 'TRUNCATED';
		s += 'OPT (';
		for (let i = 20; i < ihl; i++) s += HEX2(b[o + i]);
		s += ') ';
	}
	const t = o + ihl;
	const left = b.length - t;
	const proto = b[o + 9];
	switch (proto) {
		case IPPROTO_TCP:
			return s + dump_tcp(b, t, offset, logflags);
		case IPPROTO_UDP:
		case IPPROTO_UDPLITE:
			s += proto === IPPROTO_UDP ? 'PROTO=UDP ' : 'PROTO=UDPLITE ';
			if (offset !== 0) return s;
			if (left < 8) return s + `INCOMPLETE [${left} bytes] `;
			return (
				s + `SPT=${get_unaligned_be16(b, t)} DPT=${get_unaligned_be16(b, t + 2)} LEN=${get_unaligned_be16(b, t + 4)} `
			);
		case IPPROTO_ICMP:
			s += 'PROTO=ICMP ';
			return offset !== 0 ? s : s + dump_icmp(b, t, inner);
		case IPPROTO_AH:
		case IPPROTO_ESP: {
			s += proto === IPPROTO_AH ? 'PROTO=AH ' : 'PROTO=ESP ';
			if (offset !== 0) return s;
			const need = proto === IPPROTO_AH ? 12 : 8;
			if (left < need) return s + `INCOMPLETE [${left} bytes] `;
			return s + `SPI=0x${get_unaligned_be32(b, t + (proto === IPPROTO_AH ? 4 : 0)).toString(16)} `;
		}
		default:
			return s + `PROTO=${proto} `;
	}
}

function dump_mac_header(skb: sk_buff, li: nf_loginfo): string {
	const dev = skb.dev;
	const m = skb.mac_header;
	const set = m >= 0 && m !== skb.network_header;
	if ((li.logflags & NF_LOG_MACDECODE) !== 0 && dev !== null && dev.type === ARPHRD_ETHER && set) {
		const proto = get_unaligned_be16(skb.head, m + 12)
			.toString(16)
			.padStart(4, '0');
		return `MACSRC=${mac(skb.head, m + 6)} MACDST=${mac(skb.head, m)} MACPROTO=${proto} `;
	}
	let s = 'MAC=';
	if (dev !== null && dev.hard_header_len > 0 && set) {
		for (let i = 0; i < dev.hard_header_len; i++) s += (i > 0 ? ':' : '') + hex2(skb.head[m + i]);
	}
	return s + ' ';
}

/** Logs an IPv4 packet. Borrows skb. */
export function nf_log_ip_packet(
	net: net,
	_pf: number,
	_hooknum: number,
	skb: sk_buff,
	indev: net_device | null,
	outdev: net_device | null,
	li: nf_loginfo,
	prefix: string,
): void {
	if (net !== net.machine.init_net && net.machine.nf.log_all_netns === 0) return;
	let s = `${prefix}IN=${indev !== null ? indev.name : ''} OUT=${outdev !== null ? outdev.name : ''} `;
	if (indev !== null) s += dump_mac_header(skb, li);
	const from = skb.network_header - skb.data;
	const b = new Uint8Array(Math.max(0, Math.min(skb.len - from, 256)));
	skb_copy_bits(skb, from, b, 0, b.length);
	s += dump_ipv4(b, 0, li.logflags, false);
	if ((li.logflags & NF_LOG_UID) !== 0 && skb.sk !== null) s += `UID=${skb.sk.sk_uid} GID=0 `;
	if (skb.mark !== 0) s += `MARK=0x${(skb.mark >>> 0).toString(16)} `;
	printk(net.machine, li.level & 7, s);
}
