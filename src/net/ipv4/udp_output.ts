/*
 * net/ipv4/udp_output.ts: UDP's sockets send.                      Linux: net/ipv4/udp.c (udp_sendmsg and after, udp_prot)
 *
 * Walk: udp_sendmsg (address, control messages, route) -> ip_make_skb -> udp_send_skb (header, checksum) -> ip_send_skb
 *       with UDP_CORK or MSG_MORE: ip_append_data … udp_push_pending_frames.
 */

import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import {
	EACCES,
	EAFNOSUPPORT,
	EDESTADDRREQ,
	EINVAL,
	EMSGSIZE,
	ENETUNREACH,
	ENOBUFS,
	ENOPROTOOPT,
	EOPNOTSUPP,
} from '../../uapi/asm-generic/errno.ts';
import { IPSTATS_MIB_OUTNOROUTES, UDP_MIB_OUTDATAGRAMS, UDP_MIB_SNDBUFERRORS } from '../../uapi/linux/snmp.ts';
import {
	AF_INET,
	AF_UNSPEC,
	IPPROTO_UDP,
	MSG_MORE,
	MSG_OOB,
	type msghdr,
	SOCK_DGRAM,
	SOL_UDP,
} from '../../uapi/linux/socket.ts';
import { datagram_ioctl } from '../core/datagram.ts';
import { dst_mtu } from '../core/dst.ts';
import { flowi4, flowi4_init_output } from '../core/flow.ts';
import { NETIF_F_HW_CSUM, NETIF_F_IP_CSUM } from '../core/netdevice.ts';
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, kfree_skb, SKB_GSO_UDP_L4, type sk_buff } from '../core/skbuff.ts';
import { __skb_queue_purge } from '../core/skbuff_queue.ts';
import { IP_INC_STATS, UDP_INC_STATS } from '../core/snmp.ts';
import { type proto, SOCK_BROADCAST, type sock, sock_flag, TCP_ESTABLISHED } from '../core/sock.ts';
import { inet_add_protocol, inet_dgram_ops, inet_register_protosw, inet_sk } from './af_inet.ts';
import { ip_mc_drop_socket } from './igmp.ts';
import { ip_sk_use_pmtu, ipv4_is_lbcast, ipv4_is_multicast } from './ip.ts';
import {
	__ip_make_skb,
	inet_cork_of,
	ip_append_data,
	ip_flush_pending_frames,
	ip_make_skb,
	ipcm_cookie,
	ipcm_init_sk,
} from './ip_append.ts';
import { ip_send_skb } from './ip_output.ts';
import { ip_cmsg_send, ip_getsockopt, ip_setsockopt } from './ip_sockglue.ts';
import { inet_sk_flowi_flags, ip_sendmsg_scope } from './raw.ts';
import { ip_route_output_flow, RTCF_BROADCAST, type rtable } from './route.ts';
import {
	UDP_GRO,
	udp_connect,
	udp_disconnect,
	udp_lib_unhash,
	udp_protocol,
	udp_recvmsg,
	udp_sk,
	udp_sock,
	udp_table_init,
	udp_v4_get_port,
} from './udp.ts';

export const UDP_CORK = 1;
export const UDP_ENCAP = 100;
export const UDP_NO_CHECK6_TX = 101;
export const UDP_NO_CHECK6_RX = 102;
export const UDP_SEGMENT = 103;

/** The most datagrams that UDP_SEGMENT makes of one. */
const UDP_MAX_SEGMENTS = 128;

/** Makes a packet that is cut into datagrams of `gso_size` bytes on its way out. Return: 0 or -errno. */
function udp_gso(sk: sock, skb: sk_buff, gso_size: number, datalen: number): number {
	const hlen = 20 + (sk.inet!.inet_opt !== null ? sk.inet!.inet_opt.optlen : 0) + 8;
	const rt = skb._skb_refdst as rtable;
	const mtu = ip_sk_use_pmtu(sk) ? dst_mtu(rt) : rt.dev.mtu;
	if (hlen + Math.min(datalen, gso_size) > mtu) return -EMSGSIZE;
	if (datalen > gso_size * UDP_MAX_SEGMENTS || sk.sk_no_check_tx) return -EINVAL;
	if (datalen > gso_size) {
		skb.shinfo.gso_size = gso_size;
		skb.shinfo.gso_type = SKB_GSO_UDP_L4;
		skb.shinfo.gso_segs = Math.ceil(datalen / gso_size);
	}
	return 0;
}

/** Fills in the header and sends. `gso_size`: of UDP_SEGMENT, 0 for none. Consumes skb. Return: 0 or -errno. */
function udp_send_skb(sk: sock, skb: sk_buff, fl4: flowi4, gso_size: number): number {
	const n = sk.net;
	const h = skb.transport_header;
	if (gso_size !== 0) {
		const err = udp_gso(sk, skb, gso_size, skb.len - (h - skb.data) - 8);
		if (err < 0) {
			kfree_skb(skb, 'udp_send_skb');
			return err;
		}
	}
	const b = skb.head;
	const len = skb.len - (h - skb.data);
	b[h] = fl4.fl4_sport >>> 8;
	b[h + 1] = fl4.fl4_sport;
	b[h + 2] = fl4.fl4_dport >>> 8;
	b[h + 3] = fl4.fl4_dport;
	b[h + 4] = len >>> 8;
	b[h + 5] = len;
	b[h + 6] = 0;
	b[h + 7] = 0;
	const rt = skb._skb_refdst as rtable;
	const pseudo = csum_tcpudp_nofold(fl4.saddr, fl4.daddr, len, IPPROTO_UDP, 0);
	if (sk.sk_no_check_tx) {
		skb.ip_summed = CHECKSUM_NONE;
	} else if (
		skb.shinfo.gso_size !== 0 ||
		((rt.dev.features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) !== 0 && skb.len <= rt.dev.mtu)
	) {
		// The device completes the sum that starts with the pseudo header's.
		skb.ip_summed = CHECKSUM_PARTIAL;
		skb.csum_start = h;
		skb.csum_offset = 6;
		const check = ~csum_fold(pseudo) & 0xffff;
		b[h + 6] = check >>> 8;
		b[h + 7] = check;
	} else {
		// RFC 768: a sum that comes out zero is sent as all ones.
		const check = csum_fold(csum_partial(b, h, len, pseudo)) || 0xffff;
		b[h + 6] = check >>> 8;
		b[h + 7] = check;
	}
	let err = ip_send_skb(n, skb);
	if (err === -ENOBUFS && !inet_sk(sk).recverr) {
		UDP_INC_STATS(n, UDP_MIB_SNDBUFERRORS);
		err = 0;
	} else if (err === 0) UDP_INC_STATS(n, UDP_MIB_OUTDATAGRAMS);
	return err;
}

/** Sends what UDP_CORK or MSG_MORE gathered. */
export function udp_push_pending_frames(sk: sock): number {
	const up = udp_sk(sk);
	const fl4 = up.cork_fl4 as flowi4;
	const cork = inet_cork_of(sk);
	const gso_size = cork.gso_size;
	const skb = __ip_make_skb(sk, fl4, cork);
	const err = skb === null ? 0 : udp_send_skb(sk, skb, fl4, gso_size);
	up.len = 0;
	up.pending = false;
	return err;
}

function udp_flush_pending_frames(sk: sock): void {
	const up = udp_sk(sk);
	if (!up.pending) return;
	up.len = 0;
	up.pending = false;
	ip_flush_pending_frames(sk);
}

function udp_append(sk: sock, data: Uint8Array, ipc: ipcm_cookie, rt: rtable, corkreq: boolean): number {
	const up = udp_sk(sk);
	up.len += data.length + 8;
	let err = ip_append_data(sk, up.cork_fl4 as flowi4, data, 8, ipc, rt);
	if (err < 0) udp_flush_pending_frames(sk);
	else if (!corkreq) err = udp_push_pending_frames(sk);
	return err < 0 ? err : data.length;
}

/** Control messages: UDP_SEGMENT's, and IP's. Return: 0 or -errno. */
function udp_cmsg_send(sk: sock, msg: msghdr, ipc: ipcm_cookie): number {
	let need_ip = false;
	for (const c of msg.msg_control) {
		if (c.level !== SOL_UDP) {
			need_ip = true;
			continue;
		}
		if (c.type !== UDP_SEGMENT || c.data.length !== 2) return -EINVAL;
		ipc.gso_size = c.data[0] | (c.data[1] << 8);
	}
	return need_ip ? ip_cmsg_send(sk, msg, ipc) : 0;
}

const NO_IPC = new ipcm_cookie();

/** sendmsg(2). Return: bytes taken, or -errno. */
function udp_sendmsg(sk: sock, msg: msghdr, flags: number): number {
	const data = msg.msg_iov;
	const n = sk.net;
	const inet = inet_sk(sk);
	const up = udp_sk(sk);
	if (data.length > 0xffff) return -EMSGSIZE;
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	const corkreq = up.corkflag || (flags & MSG_MORE) !== 0;
	if (up.pending) return udp_append(sk, data, NO_IPC, inet_cork_of(sk).dst!, corkreq);

	let daddr: number;
	let dport: number;
	let connected = false;
	const usin = msg.msg_name;
	if (usin !== null) {
		if (usin.sa_family !== AF_INET && usin.sa_family !== AF_UNSPEC) return -EAFNOSUPPORT;
		daddr = usin.sin_addr;
		dport = usin.sin_port;
		if (dport === 0) return -EINVAL;
	} else {
		if (sk.sk_state !== TCP_ESTABLISHED) return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
		dport = inet.inet_dport;
		connected = true;
	}
	const ipc = new ipcm_cookie();
	ipcm_init_sk(ipc, inet, sk);
	ipc.gso_size = up.gso_size;
	if (msg.msg_control.length > 0) {
		const err = udp_cmsg_send(sk, msg, ipc);
		if (err < 0) return err;
		connected = false;
	}
	if (ipc.opt === null) ipc.opt = inet.inet_opt;
	let saddr = ipc.addr;
	let faddr = daddr;
	ipc.addr = daddr;
	if (ipc.opt !== null && ipc.opt.srr !== 0) {
		if (daddr === 0) return -EINVAL;
		faddr = ipc.opt.faddr;
		connected = false;
	}
	const scope = ip_sendmsg_scope(sk, ipc, flags);
	if (scope !== 0) connected = false;
	if (ipv4_is_multicast(daddr)) {
		if (ipc.oif === 0) ipc.oif = inet.mc_index;
		if (saddr === 0) saddr = inet.mc_addr;
		connected = false;
	} else if (ipc.oif === 0) {
		ipc.oif = inet.uc_index;
	} else if (ipv4_is_lbcast(daddr) && inet.uc_index !== 0 && ipc.oif !== inet.uc_index) {
		ipc.oif = inet.uc_index;
	}
	const fl4 = new flowi4();
	let rt: rtable | null = null;
	if (connected) {
		rt = sk.sk_dst_cache as rtable | null;
		if (rt !== null && rt.obsolete !== 0 && rt.ops.check(rt, 0) === null) {
			rt = null;
			sk.sk_dst_cache = null;
		}
		if (rt !== null) {
			fl4.saddr = saddr;
			fl4.daddr = faddr;
			fl4.fl4_dport = dport;
			fl4.fl4_sport = inet.inet_sport;
		}
	}
	if (rt === null) {
		const tos = ipc.tos !== -1 ? ipc.tos : inet.tos;
		flowi4_init_output(
			fl4,
			ipc.oif,
			ipc.mark,
			tos & 0xfc,
			scope,
			sk.sk_protocol,
			inet_sk_flowi_flags(sk),
			faddr,
			saddr,
			dport,
			inet.inet_sport,
			sk.sk_uid,
		);
		const r = ip_route_output_flow(n, fl4, sk);
		if (typeof r === 'number') {
			if (r === -ENETUNREACH) IP_INC_STATS(n, IPSTATS_MIB_OUTNOROUTES);
			return r;
		}
		rt = r;
		if ((rt.rt_flags & RTCF_BROADCAST) !== 0 && !sock_flag(sk, SOCK_BROADCAST)) return -EACCES;
		if (connected) sk.sk_dst_cache = rt;
	}
	if (ipc.addr === 0) ipc.addr = fl4.daddr;
	if (!corkreq) {
		const skb = ip_make_skb(sk, fl4, data, 8, ipc, rt);
		if (typeof skb === 'number') return skb;
		const err = udp_send_skb(sk, skb, fl4, ipc.gso_size);
		return err < 0 ? err : data.length;
	}
	up.cork_fl4 = fl4;
	up.pending = true;
	return udp_append(sk, data, ipc, rt, true);
}

function udp_init_sock(sk: sock): number {
	sk.priv = new udp_sock();
	return 0;
}

/** Last close. */
function udp_destroy_sock(sk: sock): void {
	udp_flush_pending_frames(sk);
	ip_mc_drop_socket(sk);
	udp_lib_unhash(sk);
	__skb_queue_purge(sk.sk_receive_queue, 104, 'udp_destruct_common');
	__skb_queue_purge(sk.sk_error_queue, 104, 'inet_sock_destruct');
}

function udp_setsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_UDP) return ip_setsockopt(sk, level, optname, optval);
	if (optval.length < 4) return -EINVAL;
	const val = get_unaligned_le32(optval, 0) | 0;
	const up = udp_sk(sk);
	switch (optname) {
		case UDP_CORK:
			up.corkflag = val !== 0;
			if (!up.corkflag && up.pending) udp_push_pending_frames(sk);
			return 0;
		case UDP_NO_CHECK6_TX:
			up.no_check6_tx = val !== 0;
			return 0;
		case UDP_NO_CHECK6_RX:
			up.no_check6_rx = val !== 0;
			return 0;
		case UDP_SEGMENT:
			if (val < 0 || val > 0xffff) return -EINVAL;
			up.gso_size = val;
			return 0;
		case UDP_GRO:
			// From now on datagrams that arrive are looked up before they are queued.
			if (val !== 0) sk.net.machine.inet.udp_encap_needed = true;
			up.gro_enabled = val !== 0;
			return 0;
		default:
			// UDP_ENCAP is not here yet.
			return -ENOPROTOOPT;
	}
}

function udp_getsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_UDP) return ip_getsockopt(sk, level, optname, optval);
	const up = udp_sk(sk);
	let val: number;
	switch (optname) {
		case UDP_CORK:
			val = up.corkflag ? 1 : 0;
			break;
		case UDP_ENCAP:
			val = up.encap_type;
			break;
		case UDP_NO_CHECK6_TX:
			val = up.no_check6_tx ? 1 : 0;
			break;
		case UDP_NO_CHECK6_RX:
			val = up.no_check6_rx ? 1 : 0;
			break;
		case UDP_SEGMENT:
			val = up.gso_size;
			break;
		case UDP_GRO:
			val = up.gro_enabled ? 1 : 0;
			break;
		default:
			return -ENOPROTOOPT;
	}
	const out = new Uint8Array(4);
	put_unaligned_le32(out, 0, val);
	const len = Math.min(4, optval.length);
	optval.set(out.subarray(0, len));
	return len;
}

export const udp_prot: proto = {
	name: 'UDP',
	init: udp_init_sock,
	close: udp_destroy_sock,
	connect: udp_connect,
	disconnect: udp_disconnect,
	bind: null,
	ioctl: datagram_ioctl,
	setsockopt: udp_setsockopt,
	getsockopt: udp_getsockopt,
	sendmsg: udp_sendmsg,
	recvmsg: udp_recvmsg,
	hash: null,
	unhash: udp_lib_unhash,
	get_port: udp_v4_get_port,
	backlog_rcv: null,
	poll: null,
};

export function udp_init(machine: Machine): void {
	udp_table_init(machine);
	inet_add_protocol(machine, udp_protocol, IPPROTO_UDP);
	inet_register_protosw(machine, {
		type: SOCK_DGRAM,
		protocol: IPPROTO_UDP,
		prot: udp_prot,
		ops: inet_dgram_ops,
		reuse: false,
		autobind: true,
	});
}
