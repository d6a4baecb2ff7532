/*
 * net/packet/af_packet.ts: packet sockets: frames as they are.     Linux: net/packet/af_packet.c     man 7 packet
 *
 * Walk: packet_create, packet_bind -> register_prot_hook (dev_add_pack) -> packet_rcv: filter, then a copy into the queue ->
 *       packet_recvmsg. packet_sendmsg -> packet_snd -> dev_queue_xmit.
 * Protocols are ethertypes in host order. Not here yet: rings (PACKET_RX_RING, PACKET_TX_RING), fanout, PACKET_VNET_HDR, SOCK_PACKET.
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le16, get_unaligned_le32, put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	EAGAIN,
	EINVAL,
	EMSGSIZE,
	ENETDOWN,
	ENOBUFS,
	ENODEV,
	ENOPROTOOPT,
	ENOTTY,
	ENXIO,
	EOPNOTSUPP,
	EPERM,
	ESOCKTNOSUPPORT,
} from '../../uapi/asm-generic/errno.ts';
import { IFF_UP } from '../../uapi/linux/if.ts';
import {
	PACKET_ADD_MEMBERSHIP,
	PACKET_AUXDATA,
	PACKET_DROP_MEMBERSHIP,
	PACKET_IGNORE_OUTGOING,
	PACKET_LOOPBACK,
	PACKET_MR_ALLMULTI,
	PACKET_MR_MULTICAST,
	PACKET_MR_PROMISC,
	PACKET_MR_UNICAST,
	PACKET_ORIGDEV,
	PACKET_OUTGOING,
	PACKET_QDISC_BYPASS,
	PACKET_STATISTICS,
	TP_STATUS_CSUM_VALID,
	TP_STATUS_CSUMNOTREADY,
	TP_STATUS_USER,
	TP_STATUS_VLAN_TPID_VALID,
	TP_STATUS_VLAN_VALID,
} from '../../uapi/linux/if_packet.ts';
import {
	AF_PACKET,
	MSG_DONTWAIT,
	MSG_ERRQUEUE,
	MSG_PEEK,
	MSG_TRUNC,
	type msghdr,
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	SOCK_DGRAM,
	SOCK_RAW,
	SOL_PACKET,
	sockaddr,
} from '../../uapi/linux/socket.ts';
import {
	datagram_ioctl,
	put_cmsg,
	skb_copy_datagram_msg,
	skb_free_datagram,
	skb_recv_datagram,
	sock_recv_cmsgs,
} from '../core/datagram.ts';
import {
	dev_add_pack,
	dev_hard_header,
	dev_queue_xmit,
	dev_remove_pack,
	dev_set_allmulti,
	dev_set_promiscuity,
	NETDEV_DOWN,
	NETDEV_UNREGISTER,
	NETDEV_UP,
	packet_type,
	register_netdevice_notifier,
} from '../core/dev.ts';
import { dev_mc_add, dev_mc_del, dev_uc_add, dev_uc_del } from '../core/dev_addr_lists.ts';
import { dev_ioctl } from '../core/dev_ioctl.ts';
import { SKB_DROP_REASON_PACKET_SOCK_ERROR } from '../core/dropreason.ts';
import { bpf_prog_run_clear_cb } from '../core/filter.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	consume_skb,
	kfree_skb,
	kfree_skb_reason,
	nf_reset_ct,
	pskb_trim,
	type sk_buff,
	skb_clone,
	skb_dst_drop,
	skb_put,
	skb_reserve,
} from '../core/skbuff.ts';
import { __skb_queue_purge, __skb_queue_tail } from '../core/skbuff_queue.ts';
import {
	type proto,
	SOCK_DEAD,
	sk_alloc,
	skb_set_owner_r,
	skb_set_owner_w,
	type sock,
	sock_flag,
	sock_init_data,
	sock_set_flag,
	sock_writeable,
} from '../core/sock.ts';
import { type proto_ops, sock_register, type socket } from '../socket.ts';

/** One PACKET_ADD_MEMBERSHIP. */
interface packet_mclist {
	ifindex: number;
	type: number;
	addr: Uint8Array;
	count: number;
}

/** A packet socket's own part. */
export class packet_sock {
	/** Ethertype listened to; 0: none. */
	num = 0;
	/** Interface bound to; 0: all. */
	ifindex = 0;
	running = false;
	prot_hook: packet_type;
	auxdata = false;
	origdev = false;
	qdisc_bypass = false;
	mclist: packet_mclist[] = [];
	/** Since the last PACKET_STATISTICS. */
	tp_packets = 0;
	tp_drops = 0;

	constructor(sk: sock) {
		this.prot_hook = new packet_type(0, packet_rcv);
		this.prot_hook.af_packet_priv = sk;
	}
}

/** What stays with a queued frame: struct sockaddr_ll and the length it had. */
class packet_skb_cb {
	sll: sockaddr;
	origlen: number;

	constructor(sll: sockaddr, origlen: number) {
		this.sll = sll;
		this.origlen = origlen;
	}
}

export class netns_packet {
	/** The newest first. */
	sklist: sock[] = [];
}

export function pkt_sk(sk: sock): packet_sock {
	return sk.priv as packet_sock;
}

// ---- input -----------------------------------------------------------------------------------------------------------------------

/** The receiver of a packet socket. Context: softirq or process (outgoing frames). Consumes skb. */
export function packet_rcv(skb: sk_buff, dev: net_device, pt: packet_type, orig_dev: net_device): number {
	const sk = pt.af_packet_priv as sock;
	const po = pkt_sk(sk);
	if (skb.pkt_type === PACKET_LOOPBACK || dev.net !== sk.net) {
		consume_skb(skb);
		return 0;
	}
	const data = skb.data;
	const len = skb.len;
	if (dev.header_ops !== null && skb.mac_header >= 0) {
		// The device layer pulled the link header of what came in; of what goes out it stands in front still.
		if (sk.sk_type !== SOCK_DGRAM) {
			skb.len += skb.data - skb.mac_header;
			skb.data = skb.mac_header;
		} else if (skb.pkt_type === PACKET_OUTGOING) {
			skb.len -= skb.network_header - skb.data;
			skb.data = skb.network_header;
		}
	}
	let snaplen = skb.len;
	if (sk.sk_filter !== null) {
		const keep = bpf_prog_run_clear_cb(sk.sk_filter, skb);
		if (keep === 0) {
			skb.data = data;
			skb.len = len;
			consume_skb(skb);
			return 0;
		}
		if (snaplen > keep) snaplen = keep;
	}
	if (sk.sk_rmem_alloc >= sk.sk_rcvbuf) {
		po.tp_drops++;
		sk.sk_drops++;
		skb.data = data;
		skb.len = len;
		kfree_skb_reason(skb, SKB_DROP_REASON_PACKET_SOCK_ERROR, 'packet_rcv');
		return 0;
	}
	let copy = skb;
	if (skb.users !== 1) {
		copy = skb_clone(skb);
		skb.data = data;
		skb.len = len;
		consume_skb(skb);
	}
	const sll = new sockaddr(AF_PACKET);
	sll.sll_hatype = dev.type;
	sll.sll_protocol = copy.protocol;
	sll.sll_pkttype = copy.pkt_type;
	sll.sll_ifindex = po.origdev ? orig_dev.ifindex : dev.ifindex;
	const addr = new Uint8Array(8);
	const halen = dev.header_ops !== null && copy.mac_header >= 0 ? dev.header_ops.parse(copy, addr) : 0;
	sll.sll_addr = addr.slice(0, halen);
	copy.cb = new packet_skb_cb(sll, copy.len);
	pskb_trim(copy, snaplen);
	copy.dev = null;
	skb_dst_drop(copy);
	nf_reset_ct(copy);
	if (copy.tstamp < 0) copy.tstamp = copy.machine.clock.now;
	skb_set_owner_r(copy, sk);
	po.tp_packets++;
	__skb_queue_tail(sk.sk_receive_queue, copy);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_data_ready(sk);
	return 0;
}

function register_prot_hook(sk: sock): void {
	const po = pkt_sk(sk);
	if (po.running) return;
	po.running = true;
	dev_add_pack(sk.net.machine, po.prot_hook);
}

function unregister_prot_hook(sk: sock): void {
	const po = pkt_sk(sk);
	if (!po.running) return;
	po.running = false;
	dev_remove_pack(sk.net.machine, po.prot_hook);
}

/** Listens to `proto` on `dev` (null: all). Return: 0 or -errno. */
function packet_do_bind(sk: sock, dev: net_device | null, proto: number): number {
	const po = pkt_sk(sk);
	unregister_prot_hook(sk);
	po.num = proto;
	po.ifindex = dev === null ? 0 : dev.ifindex;
	const hook = new packet_type(proto, packet_rcv);
	hook.af_packet_priv = sk;
	hook.dev = dev;
	hook.af_packet_net = sk.net;
	hook.ignore_outgoing = po.prot_hook.ignore_outgoing;
	po.prot_hook = hook;
	if (proto === 0) return 0;
	if (dev === null || (dev.flags & IFF_UP) !== 0) register_prot_hook(sk);
	else {
		// Bound all the same; it hears nothing until the device is up.
		sk.sk_err = ENETDOWN;
		sk.sk_error_report(sk);
	}
	return 0;
}

function packet_bind(sock: socket, addr: sockaddr): number {
	const sk = sock.sk!;
	if (addr.sa_family !== AF_PACKET) return -EINVAL;
	let dev: net_device | null = null;
	if (addr.sll_ifindex !== 0) {
		const d = sk.net.dev_index_head.get(addr.sll_ifindex);
		if (d === undefined) return -ENODEV;
		dev = d;
	}
	return packet_do_bind(sk, dev, addr.sll_protocol !== 0 ? addr.sll_protocol : pkt_sk(sk).num);
}

/** struct tpacket_auxdata. */
function put_auxdata(msg: msghdr, skb: sk_buff, cb: packet_skb_cb): void {
	const d = new Uint8Array(20);
	let status = TP_STATUS_USER;
	if (skb.ip_summed === CHECKSUM_PARTIAL) status |= TP_STATUS_CSUMNOTREADY;
	else if (skb.ip_summed === CHECKSUM_UNNECESSARY && cb.sll.sll_pkttype !== PACKET_OUTGOING)
		status |= TP_STATUS_CSUM_VALID;
	if (skb.vlan_present) {
		status |= TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
		put_unaligned_le16(d, 16, skb.vlan_tci);
		put_unaligned_le16(d, 18, skb.vlan_proto);
	}
	put_unaligned_le32(d, 0, status);
	put_unaligned_le32(d, 4, cb.origlen);
	put_unaligned_le32(d, 8, skb.len);
	put_unaligned_le16(d, 14, Math.max(0, skb.network_header - skb.data));
	put_cmsg(msg, SOL_PACKET, PACKET_AUXDATA, d);
}

function packet_recvmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	if ((flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE)) !== 0) return -EINVAL;
	if ((flags & MSG_ERRQUEUE) !== 0) return -EAGAIN;
	const skb = skb_recv_datagram(sk, flags);
	if (typeof skb === 'number') return skb;
	const cb = skb.cb as packet_skb_cb;
	const len = skb.len;
	let copied = len;
	if (msg.msg_iov.length < copied) {
		copied = msg.msg_iov.length;
		msg.msg_flags |= MSG_TRUNC;
	}
	skb_copy_datagram_msg(skb, 0, msg, copied);
	sock_recv_cmsgs(msg, sk, skb);
	msg.msg_name = cb.sll;
	if (pkt_sk(sk).auxdata) put_auxdata(msg, skb, cb);
	skb_free_datagram(sk, skb);
	return (flags & MSG_TRUNC) !== 0 ? len : copied;
}

// ---- output ----------------------------------------------------------------------------------------------------------------------

function packet_sendmsg(sock: socket, msg: msghdr, _flags: number): number {
	const sk = sock.sk!;
	const po = pkt_sk(sk);
	const to = msg.msg_name;
	const data = msg.msg_iov;
	if (to !== null && to.sa_family !== AF_PACKET) return -EINVAL;
	const ifindex = to !== null ? to.sll_ifindex : po.ifindex;
	let proto = to !== null ? to.sll_protocol : po.num;
	const dev = sk.net.dev_index_head.get(ifindex);
	if (dev === undefined) return -ENXIO;
	if ((dev.flags & IFF_UP) === 0) return -ENETDOWN;
	const raw = sk.sk_type === SOCK_RAW;
	if (data.length > dev.mtu + (raw ? dev.hard_header_len + 4 : 0)) return -EMSGSIZE;
	if (sk.sk_wmem_alloc >= sk.sk_sndbuf) return -EAGAIN;
	const room = (dev.hard_header_len + 31) & ~15;
	const skb = alloc_skb(sk.net.machine, room + data.length);
	skb_reserve(skb, room);
	skb_set_owner_w(skb, sk);
	const at = skb_put(skb, data.length);
	skb.head.set(data, at);
	skb.dev = dev;
	skb.priority = sk.sk_priority;
	skb.mark = sk.sk_mark;
	skb.mac_header = skb.data;
	if (raw) {
		if (data.length < dev.min_header_len) {
			kfree_skb(skb, 'packet_snd');
			return -EINVAL;
		}
		if (dev.header_ops !== null) {
			skb.network_header = skb.data + Math.min(dev.hard_header_len, data.length);
			if (proto === 0 || proto === 3) proto = (data[12] << 8) | data[13];
		} else skb.network_header = skb.data;
	} else {
		skb.network_header = skb.data;
		const daddr = to !== null && to.sll_addr !== null && to.sll_addr.length > 0 ? to.sll_addr : null;
		if (daddr !== null && daddr.length < dev.addr_len) {
			kfree_skb(skb, 'packet_snd');
			return -EINVAL;
		}
		if (dev.header_ops !== null && dev_hard_header(skb, dev, proto, daddr, null, skb.len) < 0) {
			kfree_skb(skb, 'packet_snd');
			return -EINVAL;
		}
		skb.mac_header = skb.data;
	}
	skb.transport_header = skb.network_header;
	skb.protocol = proto;
	let err = dev_queue_xmit(skb);
	if (err > 0) err = err === 2 ? 0 : -ENOBUFS;
	return err < 0 ? err : data.length;
}

// ---- options ---------------------------------------------------------------------------------------------------------------------

function packet_dev_mc(dev: net_device, m: packet_mclist, what: number): number {
	switch (m.type) {
		case PACKET_MR_MULTICAST:
			return what > 0 ? dev_mc_add(dev, m.addr) : dev_mc_del(dev, m.addr);
		case PACKET_MR_PROMISC:
			return dev_set_promiscuity(dev, what);
		case PACKET_MR_ALLMULTI:
			return dev_set_allmulti(dev, what);
		case PACKET_MR_UNICAST:
			return what > 0 ? dev_uc_add(dev, m.addr) : dev_uc_del(dev, m.addr);
		default:
			return 0;
	}
}

function same_addr(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
}

/** PACKET_ADD_MEMBERSHIP and DROP: struct packet_mreq. */
function packet_membership(sk: sock, v: Uint8Array, add: boolean): number {
	if (v.length < 8) return -EINVAL;
	const ifindex = get_unaligned_le32(v, 0);
	const type = get_unaligned_le16(v, 4);
	const alen = get_unaligned_le16(v, 6);
	if (v.length < 8 + Math.min(alen, 8)) return -EINVAL;
	const po = pkt_sk(sk);
	const addr = v.slice(8, 8 + alen);
	const dev = sk.net.dev_index_head.get(ifindex);
	const at = po.mclist.findIndex((m) => m.ifindex === ifindex && m.type === type && same_addr(m.addr, addr));
	if (!add) {
		if (at < 0) return 0;
		const m = po.mclist[at];
		if (--m.count === 0) {
			po.mclist.splice(at, 1);
			if (dev !== undefined) packet_dev_mc(dev, m, -1);
		}
		return 0;
	}
	if (dev === undefined) return -ENODEV;
	if (alen > dev.addr_len) return -EINVAL;
	if (at >= 0) {
		po.mclist[at].count++;
		return 0;
	}
	const m: packet_mclist = { ifindex, type, addr, count: 1 };
	const err = packet_dev_mc(dev, m, 1);
	if (err < 0) return err;
	po.mclist.push(m);
	return 0;
}

function packet_setsockopt(sock: socket, level: number, optname: number, v: Uint8Array): number {
	const sk = sock.sk!;
	const po = pkt_sk(sk);
	if (level !== SOL_PACKET) return -ENOPROTOOPT;
	if (optname === PACKET_ADD_MEMBERSHIP || optname === PACKET_DROP_MEMBERSHIP)
		return packet_membership(sk, v, optname === PACKET_ADD_MEMBERSHIP);
	if (v.length < 4) return -EINVAL;
	const val = get_unaligned_le32(v, 0);
	switch (optname) {
		case PACKET_AUXDATA:
			po.auxdata = val !== 0;
			return 0;
		case PACKET_ORIGDEV:
			po.origdev = val !== 0;
			return 0;
		case PACKET_QDISC_BYPASS:
			po.qdisc_bypass = val !== 0;
			return 0;
		case PACKET_IGNORE_OUTGOING:
			if (val > 1) return -EINVAL;
			po.prot_hook.ignore_outgoing = val !== 0;
			return 0;
		default:
			return -ENOPROTOOPT;
	}
}

function packet_getsockopt(sock: socket, level: number, optname: number, v: Uint8Array): number {
	const po = pkt_sk(sock.sk!);
	if (level !== SOL_PACKET) return -ENOPROTOOPT;
	const out = new Uint8Array(8);
	let len = 4;
	switch (optname) {
		case PACKET_STATISTICS:
			// struct tpacket_stats; reading it starts a new count.
			put_unaligned_le32(out, 0, po.tp_packets + po.tp_drops);
			put_unaligned_le32(out, 4, po.tp_drops);
			po.tp_packets = 0;
			po.tp_drops = 0;
			len = 8;
			break;
		case PACKET_AUXDATA:
			put_unaligned_le32(out, 0, po.auxdata ? 1 : 0);
			break;
		case PACKET_ORIGDEV:
			put_unaligned_le32(out, 0, po.origdev ? 1 : 0);
			break;
		case PACKET_QDISC_BYPASS:
			put_unaligned_le32(out, 0, po.qdisc_bypass ? 1 : 0);
			break;
		case PACKET_IGNORE_OUTGOING:
			put_unaligned_le32(out, 0, po.prot_hook.ignore_outgoing ? 1 : 0);
			break;
		default:
			return -ENOPROTOOPT;
	}
	len = Math.min(len, v.length);
	v.set(out.subarray(0, len));
	return len;
}

function packet_getname(sock: socket, addr: sockaddr, peer: boolean): number {
	if (peer) return -EOPNOTSUPP;
	const sk = sock.sk!;
	const po = pkt_sk(sk);
	const dev = sk.net.dev_index_head.get(po.ifindex);
	addr.sa_family = AF_PACKET;
	addr.sll_ifindex = po.ifindex;
	addr.sll_protocol = po.num;
	addr.sll_pkttype = 0;
	addr.sll_hatype = dev !== undefined ? dev.type : 0;
	addr.sll_addr = dev !== undefined ? dev.dev_addr.slice(0, dev.addr_len) : new Uint8Array(0);
	return 0;
}

function packet_poll(sock: socket): number {
	const sk = sock.sk;
	if (sk === null) return POLLHUP;
	let mask = 0;
	if (sk.sk_err !== 0) mask |= POLLERR;
	if (sk.sk_receive_queue.first !== null) mask |= POLLIN;
	if (sock_writeable(sk)) mask |= POLLOUT;
	return mask;
}

function packet_ioctl(sock: socket, cmd: number, arg: Uint8Array): number {
	const err = datagram_ioctl(sock.sk!, cmd, arg);
	return err === -ENOTTY ? dev_ioctl(sock.sk!.net, cmd, arg) : err;
}

function packet_release(sock: socket): number {
	const sk = sock.sk;
	if (sk === null) return 0;
	sock.sk = null;
	sk.sk_socket = null;
	sock_set_flag(sk, SOCK_DEAD);
	unregister_prot_hook(sk);
	const po = pkt_sk(sk);
	for (const m of po.mclist) {
		const dev = sk.net.dev_index_head.get(m.ifindex);
		if (dev !== undefined) packet_dev_mc(dev, m, -1);
	}
	po.mclist = [];
	sk.net.packet.sklist = sk.net.packet.sklist.filter((s) => s !== sk);
	__skb_queue_purge(sk.sk_receive_queue, 104, 'packet_release');
	return 0;
}

function packet_connect(): number {
	return -EOPNOTSUPP;
}

export const packet_ops: proto_ops = {
	family: AF_PACKET,
	release: packet_release,
	bind: packet_bind,
	connect: packet_connect,
	accept: null,
	getname: packet_getname,
	poll: packet_poll,
	ioctl: packet_ioctl,
	listen: null,
	shutdown: null,
	setsockopt: packet_setsockopt,
	getsockopt: packet_getsockopt,
	sendmsg: packet_sendmsg,
	recvmsg: packet_recvmsg,
};

const packet_proto: proto = {
	name: 'PACKET',
	init: null,
	close: () => {},
	connect: null,
	disconnect: null,
	bind: null,
	ioctl: null,
	setsockopt: null,
	getsockopt: null,
	sendmsg: null,
	recvmsg: null,
	hash: null,
	unhash: null,
	get_port: null,
	backlog_rcv: null,
	poll: null,
};

function packet_create(n: net, sock: socket, protocol: number): number {
	if (sock.task !== null && sock.task.uid !== 0) return -EPERM;
	if (sock.type !== SOCK_DGRAM && sock.type !== SOCK_RAW) return -ESOCKTNOSUPPORT;
	const sk = sk_alloc(n, AF_PACKET, sock.type, protocol, packet_proto);
	sk.priv = new packet_sock(sk);
	sock.ops = packet_ops;
	sock_init_data(sock, sk, sock.task);
	n.packet.sklist = [sk, ...n.packet.sklist];
	return protocol !== 0 ? packet_do_bind(sk, null, protocol) : 0;
}

/** Sockets bound to a device that goes down or away hear so. */
function packet_notifier(machine: Machine, event: number, dev: net_device): number {
	if (machine.net === undefined || dev.net.packet === undefined) return 0;
	for (const sk of dev.net.packet.sklist) {
		const po = pkt_sk(sk);
		if (event === NETDEV_UNREGISTER) po.mclist = po.mclist.filter((m) => m.ifindex !== dev.ifindex);
		if (po.ifindex !== dev.ifindex) continue;
		if (event === NETDEV_DOWN || event === NETDEV_UNREGISTER) {
			if (po.running) {
				unregister_prot_hook(sk);
				sk.sk_err = ENETDOWN;
				sk.sk_error_report(sk);
			}
			if (event === NETDEV_UNREGISTER) {
				po.ifindex = -1;
				po.prot_hook.dev = null;
			}
		} else if (event === NETDEV_UP && po.num !== 0) register_prot_hook(sk);
	}
	return 0;
}

function hex(v: number, digits: number): string {
	return v.toString(16).padStart(digits, '0');
}

/** /proc/net/packet */
function packet_seq_show(n: net): string {
	let out = 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n';
	for (const sk of n.packet.sklist) {
		const po = pkt_sk(sk);
		out += `0000000000000000 ${'3'.padEnd(6)} ${String(sk.sk_type).padEnd(4)} ${hex(po.num, 4)}   ${String(po.ifindex).padEnd(5)} ${po.running ? 1 : 0} ${String(sk.sk_rmem_alloc).padEnd(6)} ${String(sk.sk_uid).padEnd(6)} ${String(sk.sk_ino).padEnd(6)}\n`;
	}
	return out;
}

function packet_net_init(n: net): number {
	n.packet = new netns_packet();
	proc_create_net(n, 'packet', packet_seq_show);
	return 0;
}

function packet_net_exit(_n: net): void {}

export function packet_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'packet', init: packet_net_init, exit: packet_net_exit });
	sock_register(machine, { family: AF_PACKET, create: packet_create });
	register_netdevice_notifier(machine, { notifier_call: packet_notifier, priority: 0 });
}
