/*
 * net/core/sock_opt.ts: options of every socket: SOL_SOCKET.       Linux: net/core/sock.c (sk_setsockopt, sk_getsockopt)
 * socket(7). What was seen of Linux 6.18: lengths, bounds, errors. Not here: SO_TIMESTAMPING, SO_TXTIME, SO_RESERVE_MEM,
 * SO_ATTACH_BPF and reuseport programs (ENOPROTOOPT).
 */
import { HZ, NSEC_PER_JIFFY } from '../../kernel/time.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	EACCES,
	EDOM,
	EINVAL,
	ENODEV,
	ENOPROTOOPT,
	ENOTCONN,
	EOPNOTSUPP,
	EPERM,
} from '../../uapi/asm-generic/errno.ts';
import {
	SO_ACCEPTCONN,
	SO_ATTACH_FILTER,
	SO_BINDTODEVICE,
	SO_BINDTOIFINDEX,
	SO_BPF_EXTENSIONS,
	SO_BROADCAST,
	SO_BSDCOMPAT,
	SO_BUF_LOCK,
	SO_BUSY_POLL,
	SO_BUSY_POLL_BUDGET,
	SO_CNX_ADVICE,
	SO_COOKIE,
	SO_DEBUG,
	SO_DETACH_FILTER,
	SO_DOMAIN,
	SO_DONTROUTE,
	SO_ERROR,
	SO_INCOMING_CPU,
	SO_INCOMING_NAPI_ID,
	SO_KEEPALIVE,
	SO_LINGER,
	SO_LOCK_FILTER,
	SO_MARK,
	SO_MAX_PACING_RATE,
	SO_MEMINFO,
	SO_NO_CHECK,
	SO_NOFCS,
	SO_OOBINLINE,
	SO_PASSCRED,
	SO_PASSSEC,
	SO_PEEK_OFF,
	SO_PEERNAME,
	SO_PREFER_BUSY_POLL,
	SO_PRIORITY,
	SO_PROTOCOL,
	SO_RCVBUF,
	SO_RCVBUFFORCE,
	SO_RCVLOWAT,
	SO_RCVMARK,
	SO_RCVPRIORITY,
	SO_RCVTIMEO,
	SO_REUSEADDR,
	SO_REUSEPORT,
	SO_RXQ_OVFL,
	SO_SELECT_ERR_QUEUE,
	SO_SNDBUF,
	SO_SNDBUFFORCE,
	SO_SNDLOWAT,
	SO_SNDTIMEO,
	SO_TIMESTAMP,
	SO_TIMESTAMPNS,
	SO_TXREHASH,
	SO_TYPE,
	SO_WIFI_STATUS,
	SO_ZEROCOPY,
} from '../../uapi/linux/socket.ts';
import { sk_attach_filter, sk_detach_filter } from './filter.ts';
import {
	SOCK_BROADCAST,
	SOCK_DBG,
	SOCK_FILTER_LOCKED,
	SOCK_KEEPOPEN,
	SOCK_LINGER,
	SOCK_LOCALROUTE,
	SOCK_MIN_RCVBUF,
	SOCK_MIN_SNDBUF,
	SOCK_RCVBUF_LOCK,
	SOCK_RCVTSTAMP,
	SOCK_RCVTSTAMPNS,
	SOCK_RXQ_OVFL,
	SOCK_SNDBUF_LOCK,
	SOCK_URGINLINE,
	SOCK_ZEROCOPY,
	type sock,
	sock_error,
	sock_flag,
	sock_valbool_flag,
	TCP_LISTEN,
} from './sock.ts';

/** struct timeval in whole jiffies, as ns; 0 is for ever, a negative time is no time. */
function timeo_to_ns(optval: Uint8Array): number {
	const sec = (get_unaligned_le32(optval, 4) | 0) * 0x100000000 + (get_unaligned_le32(optval, 0) >>> 0);
	const usec = get_unaligned_le32(optval, 8) >>> 0;
	if (sec < 0) return 0;
	return sec === 0 && usec === 0 ? Infinity : sec * 1e9 + Math.ceil(usec / (1e6 / HZ)) * NSEC_PER_JIFFY;
}

/** Options that are kept and shown, and change nothing here. */
function kept_default(optname: number): number {
	if (optname === SO_TXREHASH) return 1;
	if (optname === SO_INCOMING_CPU) return -1;
	return 0;
}

function keep(sk: sock, optname: number, val: number): number {
	if (sk.sk_kept === null) sk.sk_kept = new Map();
	sk.sk_kept.set(optname, val);
	return 0;
}

function kept(sk: sock, optname: number): number {
	return sk.sk_kept?.get(optname) ?? kept_default(optname);
}

/** CAP_NET_ADMIN of who made the socket. */
function capable(sk: sock): boolean {
	return sk.sk_uid === 0;
}

/** setsockopt(2) at SOL_SOCKET. `optval`: int or struct, little-endian. Return: 0 or -errno. */
export function sk_setsockopt(sk: sock, optname: number, optval: Uint8Array): number {
	const g = sk.net.machine.sock;
	if (optname === SO_BINDTODEVICE) return sk_bind_to_device(sk, optval);
	if (optname === SO_ATTACH_FILTER) return sk_attach_filter(sk, optval);
	if (optname === SO_DETACH_FILTER) return sk_detach_filter(sk);
	if (optname === SO_PASSCRED || optname === SO_PASSSEC) return -EOPNOTSUPP;
	if (optval.length < 4) return -EINVAL;
	const val = get_unaligned_le32(optval, 0) | 0;
	const on = val !== 0;
	switch (optname) {
		case SO_DEBUG:
			if (on && !capable(sk)) return -EACCES;
			sock_valbool_flag(sk, SOCK_DBG, on);
			return 0;
		case SO_REUSEADDR:
			sk.sk_reuse = on ? 1 : 0;
			return 0;
		case SO_REUSEPORT:
			sk.sk_reuseport = on;
			return 0;
		case SO_DONTROUTE:
			sock_valbool_flag(sk, SOCK_LOCALROUTE, on);
			skb_dst_cache_reset(sk);
			return 0;
		case SO_BROADCAST:
			sock_valbool_flag(sk, SOCK_BROADCAST, on);
			return 0;
		case SO_SNDBUF:
		case SO_SNDBUFFORCE: {
			if (optname === SO_SNDBUFFORCE && !capable(sk)) return -EPERM;
			const v = optname === SO_SNDBUF ? Math.min(val >>> 0, g.sysctl_wmem_max) : Math.max(val, 0);
			sk.sk_sndbuf = Math.max(Math.min(v, 0x3fffffff) * 2, SOCK_MIN_SNDBUF);
			sk.sk_userlocks |= SOCK_SNDBUF_LOCK;
			sk.sk_write_space(sk);
			return 0;
		}
		case SO_RCVBUF:
		case SO_RCVBUFFORCE: {
			if (optname === SO_RCVBUFFORCE && !capable(sk)) return -EPERM;
			const v = optname === SO_RCVBUF ? Math.min(val >>> 0, g.sysctl_rmem_max) : Math.max(val, 0);
			sk.sk_rcvbuf = Math.max(Math.min(v, 0x3fffffff) * 2, SOCK_MIN_RCVBUF);
			sk.sk_userlocks |= SOCK_RCVBUF_LOCK;
			return 0;
		}
		case SO_KEEPALIVE:
			if (sk.sk_prot.keepalive) sk.sk_prot.keepalive(sk, val);
			sock_valbool_flag(sk, SOCK_KEEPOPEN, on);
			return 0;
		case SO_OOBINLINE:
			sock_valbool_flag(sk, SOCK_URGINLINE, on);
			return 0;
		case SO_NO_CHECK:
			sk.sk_no_check_tx = on;
			return 0;
		case SO_PRIORITY:
			if ((val < 0 || val > 6) && !capable(sk)) return -EPERM;
			sk.sk_priority = val;
			return 0;
		case SO_LINGER:
			if (optval.length < 8) return -EINVAL;
			sock_valbool_flag(sk, SOCK_LINGER, on);
			sk.sk_lingertime = get_unaligned_le32(optval, 4);
			return 0;
		case SO_TIMESTAMP:
		case SO_TIMESTAMPNS:
			sock_valbool_flag(sk, SOCK_RCVTSTAMP, on);
			sock_valbool_flag(sk, SOCK_RCVTSTAMPNS, on && optname === SO_TIMESTAMPNS);
			return 0;
		case SO_RCVLOWAT:
			if (sk.sk_prot.set_rcvlowat) return sk.sk_prot.set_rcvlowat(sk, val < 0 ? 0x7fffffff : val);
			sk.sk_rcvlowat = val < 0 ? 0x7fffffff : val || 1;
			return 0;
		case SO_RCVTIMEO:
		case SO_SNDTIMEO: {
			if (optval.length < 16) return -EINVAL;
			if (get_unaligned_le32(optval, 8) >>> 0 >= 1000000) return -EDOM;
			const ns = timeo_to_ns(optval);
			if (optname === SO_RCVTIMEO) sk.sk_rcvtimeo = ns;
			else sk.sk_sndtimeo = ns;
			return 0;
		}
		case SO_MARK:
			if (!capable(sk)) return -EPERM;
			if (sk.sk_mark !== val >>> 0) skb_dst_cache_reset(sk);
			sk.sk_mark = val >>> 0;
			return 0;
		case SO_RXQ_OVFL:
			sock_valbool_flag(sk, SOCK_RXQ_OVFL, on);
			return 0;
		case SO_BINDTOIFINDEX:
			if (val < 0) return -EINVAL;
			sk.sk_bound_dev_if = val;
			skb_dst_cache_reset(sk);
			return 0;
		case SO_BSDCOMPAT:
			return 0;
		case SO_PEEK_OFF:
			if (sk.sk_prot.name !== 'TCP' && sk.sk_prot.name !== 'UDP') return -EOPNOTSUPP;
			sk.sk_peek_off = val < 0 ? -1 : val;
			return 0;
		case SO_LOCK_FILTER:
			if (sock_flag(sk, SOCK_FILTER_LOCKED) && !on) return -EPERM;
			sock_valbool_flag(sk, SOCK_FILTER_LOCKED, on);
			return 0;
		case SO_MAX_PACING_RATE: {
			const hi = optval.length >= 8 ? get_unaligned_le32(optval, 4) >>> 0 : 0;
			const none = val === -1 && (optval.length < 8 || hi === 0xffffffff);
			sk.sk_max_pacing_rate = none ? Infinity : hi * 0x100000000 + (val >>> 0);
			// SK_PACING_NEEDED.
			if (!none && sk.sk_pacing_status === 0) sk.sk_pacing_status = 1;
			sk.sk_pacing_rate = Math.min(sk.sk_pacing_rate, sk.sk_max_pacing_rate);
			return 0;
		}
		case SO_ZEROCOPY:
			// Of the Internet's protocols, those that can.
			if (sk.sk_prot.name !== 'TCP' && sk.sk_prot.name !== 'UDP') return -EOPNOTSUPP;
			if (val < 0 || val > 1) return -EINVAL;
			sock_valbool_flag(sk, SOCK_ZEROCOPY, on);
			return 0;
		case SO_BUF_LOCK:
			if ((val & ~(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK)) !== 0) return -EINVAL;
			sk.sk_userlocks = val | (sk.sk_userlocks & ~(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK));
			return 0;
		case SO_TXREHASH:
			if (val < -1 || val > 1) return -EINVAL;
			return keep(sk, optname, val < 0 ? 1 : val);
		case SO_BUSY_POLL:
		case SO_BUSY_POLL_BUDGET:
			return val < 0 ? -EINVAL : keep(sk, optname, val);
		case SO_INCOMING_CPU:
			return keep(sk, optname, val);
		case SO_CNX_ADVICE:
			return 0;
		case SO_WIFI_STATUS:
		case SO_NOFCS:
		case SO_SELECT_ERR_QUEUE:
		case SO_PREFER_BUSY_POLL:
		case SO_RCVMARK:
		case SO_RCVPRIORITY:
			return keep(sk, optname, Number(on));
		default:
			return -ENOPROTOOPT;
	}
}

function skb_dst_cache_reset(sk: sock): void {
	sk.sk_dst_cache = null;
}

function sk_bind_to_device(sk: sock, optval: Uint8Array): number {
	let end = optval.indexOf(0);
	if (end < 0) end = Math.min(optval.length, 15);
	const name = String.fromCharCode(...optval.subarray(0, end));
	if (name === '') {
		sk.sk_bound_dev_if = 0;
	} else {
		const dev = sk.net.dev_name_head.get(name);
		if (dev === undefined) return -ENODEV;
		sk.sk_bound_dev_if = dev.ifindex;
	}
	skb_dst_cache_reset(sk);
	return 0;
}

/** getsockopt(2) at SOL_SOCKET into `optval`. Return: the value's length or -errno. */
export function sk_getsockopt(sk: sock, optname: number, optval: Uint8Array): number {
	let v: number;
	switch (optname) {
		case SO_DEBUG:
			v = Number(sock_flag(sk, SOCK_DBG));
			break;
		case SO_REUSEADDR:
			v = sk.sk_reuse;
			break;
		case SO_REUSEPORT:
			v = Number(sk.sk_reuseport);
			break;
		case SO_DONTROUTE:
			v = Number(sock_flag(sk, SOCK_LOCALROUTE));
			break;
		case SO_BROADCAST:
			v = Number(sock_flag(sk, SOCK_BROADCAST));
			break;
		case SO_SNDBUF:
			v = sk.sk_sndbuf;
			break;
		case SO_RCVBUF:
			v = sk.sk_rcvbuf;
			break;
		case SO_KEEPALIVE:
			v = Number(sock_flag(sk, SOCK_KEEPOPEN));
			break;
		case SO_TYPE:
			v = sk.sk_type;
			break;
		case SO_PROTOCOL:
			v = sk.sk_protocol;
			break;
		case SO_DOMAIN:
			v = sk.sk_family;
			break;
		case SO_ERROR:
			v = -sock_error(sk);
			if (v === 0) {
				v = sk.sk_err_soft;
				sk.sk_err_soft = 0;
			}
			break;
		case SO_OOBINLINE:
			v = Number(sock_flag(sk, SOCK_URGINLINE));
			break;
		case SO_NO_CHECK:
			v = Number(sk.sk_no_check_tx);
			break;
		case SO_PRIORITY:
			v = sk.sk_priority;
			break;
		case SO_LINGER:
			if (optval.length < 8) return -EINVAL;
			put_unaligned_le32(optval, 0, Number(sock_flag(sk, SOCK_LINGER)));
			put_unaligned_le32(optval, 4, sk.sk_lingertime);
			return 8;
		case SO_RCVLOWAT:
			v = sk.sk_rcvlowat;
			break;
		case SO_SNDLOWAT:
			v = 1;
			break;
		case SO_MARK:
			v = sk.sk_mark;
			break;
		case SO_RXQ_OVFL:
			v = Number(sock_flag(sk, SOCK_RXQ_OVFL));
			break;
		case SO_ACCEPTCONN:
			v = Number(sk.sk_state === TCP_LISTEN);
			break;
		case SO_BINDTOIFINDEX:
			v = sk.sk_bound_dev_if;
			break;
		case SO_RCVTIMEO:
		case SO_SNDTIMEO: {
			if (optval.length < 16) return -EINVAL;
			const ns = optname === SO_RCVTIMEO ? sk.sk_rcvtimeo : sk.sk_sndtimeo;
			optval.fill(0, 0, 16);
			if (ns !== Infinity) {
				put_unaligned_le32(optval, 0, Math.floor(ns / 1e9));
				put_unaligned_le32(optval, 8, Math.floor((ns % 1e9) / 1e3));
			}
			return 16;
		}
		case SO_BINDTODEVICE: {
			const dev = sk.net.dev_index_head.get(sk.sk_bound_dev_if);
			if (dev === undefined) return 0;
			for (let i = 0; i < dev.name.length; i++) optval[i] = dev.name.charCodeAt(i);
			optval[dev.name.length] = 0;
			return dev.name.length + 1;
		}
		case SO_BSDCOMPAT:
			v = 0;
			break;
		case SO_PASSCRED:
		case SO_PASSSEC:
			return -EOPNOTSUPP;
		case SO_PEERNAME:
			return -ENOTCONN;
		case SO_PEEK_OFF:
			v = sk.sk_peek_off;
			break;
		case SO_LOCK_FILTER:
			v = Number(sock_flag(sk, SOCK_FILTER_LOCKED));
			break;
		case SO_BPF_EXTENSIONS:
			v = 64;
			break;
		case SO_TIMESTAMP:
			v = Number(sock_flag(sk, SOCK_RCVTSTAMP) && !sock_flag(sk, SOCK_RCVTSTAMPNS));
			break;
		case SO_TIMESTAMPNS:
			v = Number(sock_flag(sk, SOCK_RCVTSTAMPNS));
			break;
		case SO_BUF_LOCK:
			v = sk.sk_userlocks & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK);
			break;
		case SO_ZEROCOPY:
			v = Number(sock_flag(sk, SOCK_ZEROCOPY));
			break;
		case SO_WIFI_STATUS:
		case SO_NOFCS:
		case SO_SELECT_ERR_QUEUE:
		case SO_PREFER_BUSY_POLL:
		case SO_BUSY_POLL:
		case SO_RCVMARK:
		case SO_RCVPRIORITY:
		case SO_TXREHASH:
		case SO_INCOMING_CPU:
			v = kept(sk, optname);
			break;
		case SO_INCOMING_NAPI_ID:
			v = 0;
			break;
		case SO_MAX_PACING_RATE: {
			const rate = sk.sk_max_pacing_rate;
			const lo = rate === Infinity ? 0xffffffff : rate % 0x100000000;
			if (optval.length < 8) {
				v = rate > 0xffffffff ? -1 : lo;
				break;
			}
			put_unaligned_le32(optval, 0, lo);
			put_unaligned_le32(optval, 4, rate === Infinity ? 0xffffffff : Math.floor(rate / 0x100000000));
			return 8;
		}
		case SO_COOKIE:
			if (optval.length < 8) return -EINVAL;
			put_unaligned_le32(optval, 0, sk.sk_ino);
			put_unaligned_le32(optval, 4, 0);
			return 8;
		case SO_MEMINFO: {
			const info = [
				sk.sk_rmem_alloc,
				sk.sk_rcvbuf,
				sk.sk_wmem_alloc,
				sk.sk_sndbuf,
				sk.sk_forward_alloc,
				sk.sk_wmem_queued,
				sk.sk_omem_alloc,
				0,
				sk.sk_drops,
			];
			const n = Math.min(info.length, optval.length >> 2);
			for (let i = 0; i < n; i++) put_unaligned_le32(optval, i * 4, info[i]);
			return n * 4;
		}
		default:
			return -ENOPROTOOPT;
	}
	if (optval.length < 4) {
		for (let i = 0; i < optval.length; i++) optval[i] = v >>> (8 * i);
		return optval.length;
	}
	put_unaligned_le32(optval, 0, v);
	return 4;
}
