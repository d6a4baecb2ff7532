/*
 * net/ipv4/arp_ioctl.ts: what arp(8) uses: SIOCSARP, SIOCDARP, SIOCGARP and /proc/net/arp.   Linux: net/ipv4/arp.c
 * struct arpreq (68 bytes): arp_pa sockaddr_in 16, arp_ha sockaddr 16, arp_flags 4, arp_netmask sockaddr_in 16, arp_dev 16.
 */

import { get_unaligned_be32, get_unaligned_le16, get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { bytes_to_str, str_to_bytes } from '../../lib/nlattr.ts';
import { EAFNOSUPPORT, EINVAL, ENOBUFS, ENODEV, ENOTTY, ENXIO } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { ARPHRD_NETROM } from '../../uapi/linux/if_arp.ts';
import { IPV4_DEVCONF_PROXY_ARP } from '../../uapi/linux/ip.ts';
import { NUD_NOARP, NUD_PERMANENT, NUD_STALE } from '../../uapi/linux/neighbour.ts';
import { RT_SCOPE_LINK } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import { SIOCDARP, SIOCGARP, SIOCSARP } from '../../uapi/linux/sockios.ts';
import { __dev_get_by_name, dev_getbyhwaddr } from '../core/dev.ts';
import {
	__neigh_lookup,
	NEIGH_UPDATE_F_ADMIN,
	NEIGH_UPDATE_F_OVERRIDE,
	NUD_VALID,
	neigh_lookup,
	neigh_update,
	type neighbour,
	pneigh_create,
	pneigh_delete,
} from '../core/neighbour.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { arp_invalidate, arp_tbl } from './arp.ts';
import { __in_dev_get_rcu, IN_DEV_CONF_SET } from './inetdevice.ts';
import { ip_route_output } from './route.ts';

export const ATF_COM = 0x02;
export const ATF_PERM = 0x04;
export const ATF_PUBL = 0x08;
export const ATF_NETMASK = 0x20;
const HA = 16;
const FLAGS = 32;
const NETMASK = 36;
const DEV = 52;

function arp_state_to_flags(n: neighbour): number {
	if (n.nud_state & NUD_PERMANENT) return ATF_PERM | ATF_COM;
	return n.nud_state & NUD_VALID ? ATF_COM : 0;
}

/** The device that an address is reached by, when the request names none. Return: it, or -errno. */
function arp_req_dev(net: net, arg: Uint8Array, ip: number): net_device | number {
	const rt = ip_route_output(net, ip, 0, 0, 0, RT_SCOPE_LINK);
	if (typeof rt === 'number') return rt;
	if (rt.dev.flags & IFF_LOOPBACK) {
		const dev = dev_getbyhwaddr(net, get_unaligned_le16(arg, HA), arg.subarray(HA + 2, HA + 16));
		return dev !== null ? dev : -EINVAL;
	}
	return rt.dev;
}

function arp_req_set(net: net, arg: Uint8Array, dev: net_device | null, ip: number): number {
	const flags = get_unaligned_le32(arg, FLAGS);
	const tbl = arp_tbl(net.machine);
	if (flags & ATF_PUBL) {
		const mask = get_unaligned_be32(arg, NETMASK + 4);
		if (mask !== 0 && mask !== 0xffffffff) return -EINVAL;
		if (dev === null && flags & ATF_COM) {
			dev = dev_getbyhwaddr(net, get_unaligned_le16(arg, HA), arg.subarray(HA + 2, HA + 16));
			if (dev === null) return -ENODEV;
		}
		if (mask !== 0) {
			pneigh_create(tbl, net, ip, dev, 0, 0, true);
			return 0;
		}
		return arp_req_set_proxy(net, dev, 1);
	}
	if (dev === null) {
		const d = arp_req_dev(net, arg, ip);
		if (typeof d === 'number') return d;
		dev = d;
	}
	if (get_unaligned_le16(arg, HA) !== dev.type) return -EINVAL;
	const n = __neigh_lookup(tbl, ip, dev, 1);
	if (n === null) return -ENOBUFS;
	const state = flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE;
	return neigh_update(
		n,
		flags & ATF_COM ? arg.subarray(HA + 2, HA + 2 + dev.addr_len) : null,
		state,
		NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN,
		0,
	);
}

/** Proxying for everybody: net.ipv4.conf.proxy_arp. */
function arp_req_set_proxy(net: net, dev: net_device | null, on: number): number {
	if (dev === null) {
		net.ipv4.devconf_all.data[IPV4_DEVCONF_PROXY_ARP] = on;
		return 0;
	}
	const in_dev = __in_dev_get_rcu(dev);
	if (in_dev === null) return -ENXIO;
	IN_DEV_CONF_SET(in_dev, IPV4_DEVCONF_PROXY_ARP, on);
	return 0;
}

function arp_req_delete(net: net, arg: Uint8Array, dev: net_device | null, ip: number): number {
	const flags = get_unaligned_le32(arg, FLAGS);
	if (flags & ATF_PUBL) {
		const mask = get_unaligned_be32(arg, NETMASK + 4);
		if (mask === 0xffffffff) return pneigh_delete(arp_tbl(net.machine), net, ip, dev) ? 0 : -ENXIO;
		return mask !== 0 ? -EINVAL : arp_req_set_proxy(net, dev, 0);
	}
	if (dev === null) {
		const d = arp_req_dev(net, arg, ip);
		if (typeof d === 'number') return d;
		dev = d;
	}
	return arp_invalidate(dev, ip, true);
}

function arp_req_get(arg: Uint8Array, dev: net_device, ip: number): number {
	const n = neigh_lookup(arp_tbl(dev.net.machine), ip, dev);
	if (n === null || n.nud_state & NUD_NOARP) return -ENXIO;
	arg.fill(0, HA, HA + 16);
	if (n.nud_state & NUD_VALID) arg.set(n.ha.subarray(0, dev.addr_len), HA + 2);
	arg[HA] = dev.type;
	arg[HA + 1] = dev.type >>> 8;
	put_unaligned_le32(arg, FLAGS, arp_state_to_flags(n));
	arg.fill(0, DEV, DEV + 16);
	arg.set(str_to_bytes(dev.name).subarray(0, 15), DEV);
	return 0;
}

/** SIOCSARP, SIOCDARP, SIOCGARP. `arg`: struct arpreq, filled in for SIOCGARP. Return: 0 or -errno. */
export function arp_ioctl(net: net, cmd: number, arg: Uint8Array): number {
	if (arg.length < DEV + 16) return -EINVAL;
	if (get_unaligned_le16(arg, 0) !== AF_INET) return -EAFNOSUPPORT;
	const flags = get_unaligned_le32(arg, FLAGS);
	if (!(flags & ATF_PUBL) && flags & (ATF_NETMASK | 0x10)) return -EINVAL;
	if (!(flags & ATF_NETMASK)) arg.fill(0xff, NETMASK + 4, NETMASK + 8);
	const ip = get_unaligned_be32(arg, 4);
	let end = DEV;
	while (end < DEV + 16 && arg[end] !== 0) end++;
	let dev: net_device | null = null;
	if (end > DEV) {
		dev = __dev_get_by_name(net, bytes_to_str(arg, DEV, end));
		if (dev === null) return -ENODEV;
		const hw = get_unaligned_le16(arg, HA);
		if (hw === ARPHRD_NETROM) {
			arg[HA] = dev.type;
			arg[HA + 1] = dev.type >>> 8;
		} else if (cmd === SIOCSARP && hw !== dev.type && flags & ATF_COM) return -EINVAL;
	} else if (cmd === SIOCGARP) return -ENODEV;
	switch (cmd) {
		case SIOCSARP:
			return arp_req_set(net, arg, dev, ip);
		case SIOCDARP:
			return arp_req_delete(net, arg, dev, ip);
		case SIOCGARP:
			return arp_req_get(arg, dev!, ip);
		default:
			return -ENOTTY;
	}
}

// ---- /proc/net/arp ---------------------------------------------------------------------------------------------------------------

function dotted(ip: number): string {
	return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
}

function arp_line(ip: number, type: number, flags: number, hw: string, dev: string): string {
	const t = `0x${type.toString(16)}`.padEnd(12);
	const f = `0x${flags.toString(16)}`.padEnd(12);
	return `${dotted(ip).padEnd(16)} ${t}${f}${hw}     *        ${dev}\n`;
}

/** The namespace's entries, then its proxies. */
export function arp_seq_show(net: net): string {
	const tbl = arp_tbl(net.machine);
	let out = 'IP address       HW type     Flags       HW address            Mask     Device\n';
	for (let n = tbl.all_first; n !== null; n = n.all_next) {
		if (n.dev.net !== net || n.nud_state & NUD_NOARP || n.nud_state === 0) continue;
		let hw = '00:00:00:00:00:00';
		if (n.nud_state & NUD_VALID) {
			hw = Array.from(n.ha.subarray(0, n.dev.addr_len), (b) => b.toString(16).padStart(2, '0')).join(':');
		}
		out += arp_line(n.primary_key, n.dev.type, arp_state_to_flags(n), hw, n.dev.name);
	}
	for (const p of tbl.phash) {
		if (p.net !== net) continue;
		const type = p.dev !== null ? p.dev.type : 0;
		out += arp_line(p.key, type, ATF_PUBL | ATF_PERM, '00:00:00:00:00:00', p.dev !== null ? p.dev.name : '*');
	}
	return out;
}
