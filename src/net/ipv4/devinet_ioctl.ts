/*
 * net/ipv4/devinet_ioctl.ts: SIOCGIFADDR and the like: what ifconfig speaks.   Linux: net/ipv4/devinet.c: devinet_ioctl, inet_gifconf
 * `arg` is a struct ifreq: 16 bytes of name, then a sockaddr_in (family, port, address).
 */
import { get_unaligned_be32, get_unaligned_le16, put_unaligned_be32, put_unaligned_le16 } from '../../lib/byteorder.ts';
import { bytes_to_str } from '../../lib/nlattr.ts';
import { EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV, ENOTTY } from '../../uapi/asm-generic/errno.ts';
import { IFF_BROADCAST, IFF_POINTOPOINT, IFF_UP } from '../../uapi/linux/if.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import {
	SIOCGIFADDR,
	SIOCGIFBRDADDR,
	SIOCGIFDSTADDR,
	SIOCGIFNETMASK,
	SIOCSIFADDR,
	SIOCSIFBRDADDR,
	SIOCSIFDSTADDR,
	SIOCSIFFLAGS,
	SIOCSIFNETMASK,
} from '../../uapi/linux/sockios.ts';
import { dev_change_flags } from '../core/dev.ts';
import type { net } from '../core/net_namespace.ts';
import { INFINITY_LIFE_TIME, inet_del_ifa, inet_insert_ifa, set_ifa_lifetime } from './devinet.ts';
import { bad_mask, in_ifaddr, inet_make_mask, inet_mask_len, ipv4_devconf_setall } from './inetdevice.ts';

const IFNAMSIZ = 16;

/** Prefix length that an address's class gives (RFC 791 3.2), where none is said. Return: -1 for those without one. */
function inet_abc_len(addr: number): number {
	if (addr === 0 || addr === 0xffffffff) return 0;
	if (addr >>> 31 === 0) return 8;
	if (addr >>> 30 === 2) return 16;
	if (addr >>> 29 === 6) return 24;
	return addr >>> 28 === 15 ? 32 : -1;
}

/** Return: 0 or -errno; what is asked for is written into `arg`. */
export function devinet_ioctl(net: net, cmd: number, arg: Uint8Array): number {
	if (arg.length < 32) return -EINVAL;
	let end = 0;
	while (end < IFNAMSIZ && arg[end] !== 0) end++;
	const full = bytes_to_str(arg, 0, end);
	const colon = full.indexOf(':');
	const name = colon >= 0 ? full.slice(0, colon) : full;
	const family = get_unaligned_le16(arg, 16);
	const addr = get_unaligned_be32(arg, 20);
	const tryaddrmatch =
		family === AF_INET &&
		(cmd === SIOCGIFADDR || cmd === SIOCGIFBRDADDR || cmd === SIOCGIFDSTADDR || cmd === SIOCGIFNETMASK);
	switch (cmd) {
		case SIOCSIFADDR:
		case SIOCSIFBRDADDR:
		case SIOCSIFDSTADDR:
		case SIOCSIFNETMASK:
			if (family !== AF_INET) return -EINVAL;
			break;
		case SIOCGIFADDR:
		case SIOCGIFBRDADDR:
		case SIOCGIFDSTADDR:
		case SIOCGIFNETMASK:
		case SIOCSIFFLAGS:
			break;
		default:
			return -ENOTTY;
	}
	const dev = net.dev_name_head.get(name);
	if (dev === undefined) return -ENODEV;
	const in_dev = dev.ip_ptr;
	let ifa: in_ifaddr | null = null;
	if (in_dev !== null) {
		if (tryaddrmatch && addr !== 0) {
			for (let i = in_dev.ifa_list; i !== null && ifa === null; i = i.ifa_next) {
				if (i.ifa_label === full && i.ifa_local === addr) ifa = i;
			}
		}
		for (let i = in_dev.ifa_list; i !== null && ifa === null; i = i.ifa_next) if (i.ifa_label === full) ifa = i;
	}
	if (ifa === null && cmd !== SIOCSIFADDR && cmd !== SIOCSIFFLAGS) return -EADDRNOTAVAIL;
	switch (cmd) {
		case SIOCGIFADDR:
			return put_addr(arg, ifa!.ifa_local);
		case SIOCGIFBRDADDR:
			return put_addr(arg, ifa!.ifa_broadcast);
		case SIOCGIFDSTADDR:
			return put_addr(arg, ifa!.ifa_address);
		case SIOCGIFNETMASK:
			return put_addr(arg, ifa!.ifa_mask);
		case SIOCSIFFLAGS: {
			const flags = get_unaligned_le16(arg, 16);
			if (colon < 0) return dev_change_flags(dev, flags);
			if (ifa === null) return -EADDRNOTAVAIL;
			if ((flags & IFF_UP) === 0) inet_del_ifa(in_dev!, ifa, true, null, 0);
			return 0;
		}
		default:
	}
	if (in_dev === null) return -ENOBUFS;
	if (cmd === SIOCSIFADDR) {
		const len = inet_abc_len(addr);
		if (len < 0) return -EINVAL;
		ipv4_devconf_setall(in_dev);
		const n = new in_ifaddr(in_dev);
		n.ifa_label = full;
		if (ifa !== null) {
			if (ifa.ifa_local === addr) return 0;
			inet_del_ifa(in_dev, ifa, false, null, 0);
			n.ifa_scope = ifa.ifa_scope;
		}
		n.ifa_address = n.ifa_local = addr;
		n.ifa_scope = addr >>> 24 === 127 ? 254 : 0;
		if ((dev.flags & IFF_POINTOPOINT) === 0) {
			n.ifa_prefixlen = len;
			n.ifa_mask = inet_make_mask(len);
			if ((dev.flags & IFF_BROADCAST) !== 0 && len < 31) n.ifa_broadcast = (addr | ~n.ifa_mask) >>> 0;
		} else {
			n.ifa_prefixlen = 32;
			n.ifa_mask = inet_make_mask(32);
		}
		set_ifa_lifetime(n, INFINITY_LIFE_TIME, INFINITY_LIFE_TIME);
		return addr === 0 ? 0 : inet_insert_ifa(n, null, 0, null);
	}
	// The rest change an address that is there: it goes and comes back.
	const old = ifa!;
	if (cmd === SIOCSIFBRDADDR) {
		if (old.ifa_broadcast === addr) return 0;
		inet_del_ifa(in_dev, old, false, null, 0);
		old.ifa_broadcast = addr;
	} else if (cmd === SIOCSIFDSTADDR) {
		if (old.ifa_address === addr) return 0;
		inet_del_ifa(in_dev, old, false, null, 0);
		old.ifa_address = addr;
	} else {
		if (bad_mask(addr, 0)) return -EINVAL;
		if (old.ifa_mask === addr) return 0;
		const old_brd = (old.ifa_local | ~old.ifa_mask) >>> 0;
		inet_del_ifa(in_dev, old, false, null, 0);
		if ((dev.flags & IFF_BROADCAST) !== 0 && old.ifa_prefixlen < 31 && old.ifa_broadcast === old_brd) {
			old.ifa_broadcast = (old.ifa_local | ~addr) >>> 0;
		}
		old.ifa_mask = addr;
		old.ifa_prefixlen = inet_mask_len(addr);
	}
	return inet_insert_ifa(old, null, 0, null);
}

function put_addr(arg: Uint8Array, addr: number): number {
	put_unaligned_le16(arg, 16, AF_INET);
	put_unaligned_le16(arg, 18, 0);
	put_unaligned_be32(arg, 20, addr);
	return 0;
}
