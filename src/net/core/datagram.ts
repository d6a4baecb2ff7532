/*
 * net/core/datagram.ts: what all datagram sockets share.           Linux: net/core/datagram.c, and cmsg helpers of net/core/scm.c, net/socket.c
 */

import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import { EAGAIN, ENOTTY } from '../../uapi/asm-generic/errno.ts';
import {
	MSG_PEEK,
	type msghdr,
	SCM_TIMESTAMP,
	SCM_TIMESTAMPNS,
	SO_RXQ_OVFL,
	SOL_SOCKET,
} from '../../uapi/linux/socket.ts';
import { SIOCINQ, SIOCOUTQ } from '../../uapi/linux/sockios.ts';
import { consume_skb, type sk_buff, skb_copy_bits, skb_get } from './skbuff.ts';
import { __skb_unlink } from './skbuff_queue.ts';
import {
	RCV_SHUTDOWN,
	SOCK_RCVTSTAMP,
	SOCK_RCVTSTAMPNS,
	SOCK_RXQ_OVFL,
	type sock,
	sock_error,
	sock_flag,
} from './sock.ts';

/**
 * The first packet of the receive queue; MSG_PEEK leaves it there. Return: it (give it back with skb_free_datagram), 0 at a shut-down
 * socket, or -errno: -EAGAIN when there is none.
 */
export function skb_recv_datagram(sk: sock, flags: number): sk_buff | number {
	const err = sock_error(sk);
	if (err !== 0) return err;
	const skb = sk.sk_receive_queue.first;
	if (skb === null) return (sk.sk_shutdown & RCV_SHUTDOWN) !== 0 ? 0 : -EAGAIN;
	if ((flags & MSG_PEEK) !== 0) return skb_get(skb);
	__skb_unlink(skb, sk.sk_receive_queue);
	return skb;
}

export function skb_free_datagram(_sk: sock, skb: sk_buff): void {
	consume_skb(skb);
}

/** Copies from the packet into the process's buffer. Return: 0 or -1. */
export function skb_copy_datagram_msg(skb: sk_buff, offset: number, msg: msghdr, len: number): number {
	return skb_copy_bits(skb, offset, msg.msg_iov, 0, len);
}

/** Appends a control message. */
export function put_cmsg(msg: msghdr, level: number, type: number, data: Uint8Array): void {
	msg.msg_control.push({ level, type, data });
}

/** A control message that is one int. */
export function put_cmsg_int(msg: msghdr, level: number, type: number, value: number): void {
	const data = new Uint8Array(4);
	put_unaligned_le32(data, 0, value);
	put_cmsg(msg, level, type, data);
}

/** Writes struct timeval or timespec (two 64-bit words) of a time in ns of the world's clock. */
function put_time(sk: sock, msg: msghdr, ns: number, nano: boolean): void {
	const clock = sk.net.machine.clock;
	const sec = clock.epoch + Math.floor(ns / 1e9);
	const rest = Math.floor(ns % 1e9);
	const data = new Uint8Array(16);
	put_unaligned_le32(data, 0, sec % 0x100000000);
	put_unaligned_le32(data, 4, Math.floor(sec / 0x100000000));
	put_unaligned_le32(data, 8, nano ? rest : Math.floor(rest / 1000));
	put_cmsg(msg, SOL_SOCKET, nano ? SCM_TIMESTAMPNS : SCM_TIMESTAMP, data);
}

/** SO_TIMESTAMP(NS)'s message of a stream: when its last byte came, in ns. */
export function sock_recv_timestamp(msg: msghdr, sk: sock, ns: number): void {
	if (sock_flag(sk, SOCK_RCVTSTAMP)) put_time(sk, msg, ns, sock_flag(sk, SOCK_RCVTSTAMPNS));
	sk.sk_stamp = ns;
}

/** SO_TIMESTAMP(NS) and SO_RXQ_OVFL's messages. */
export function sock_recv_cmsgs(msg: msghdr, sk: sock, skb: sk_buff): void {
	if (sock_flag(sk, SOCK_RCVTSTAMP))
		put_time(sk, msg, skb.tstamp >= 0 ? skb.tstamp : sk.net.machine.clock.now, sock_flag(sk, SOCK_RCVTSTAMPNS));
	if (sock_flag(sk, SOCK_RXQ_OVFL) && sk.sk_drops > 0) put_cmsg_int(msg, SOL_SOCKET, SO_RXQ_OVFL, sk.sk_drops);
	if (skb.tstamp >= 0) sk.sk_stamp = skb.tstamp;
}

/** SIOCOUTQ and SIOCINQ of datagram sockets. Return: 0 with the answer in `arg`, or -ENOTTY. */
export function datagram_ioctl(sk: sock, cmd: number, arg: Uint8Array): number {
	if (cmd === SIOCOUTQ) put_unaligned_le32(arg, 0, sk.sk_wmem_alloc);
	else if (cmd === SIOCINQ) put_unaligned_le32(arg, 0, sk.sk_receive_queue.first?.len ?? 0);
	else return -ENOTTY;
	return 0;
}
