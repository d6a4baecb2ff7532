/*
 * user/iputils/ifaddrs.ts: devices, their addresses, and the way out.      Original: getifaddrs(3) and rtnetlink in iputils
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import { ENODEV } from '../../uapi/asm-generic/errno.ts';
import { IFA_LOCAL } from '../../uapi/linux/if_addr.ts';
import { NETLINK_ROUTE, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR } from '../../uapi/linux/netlink.ts';
import { RTA_DST, RTA_OIF, RTM_GETADDR, RTM_GETROUTE, RTM_NEWADDR } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_NETLINK, msghdr, SOCK_DGRAM, SOCK_RAW, sockaddr_nl } from '../../uapi/linux/socket.ts';
import { SIOCGIFFLAGS, SIOCGIFINDEX, SIOCGIFNAME } from '../../uapi/linux/sockios.ts';
import { type Process, utf8, utf8_decode } from '../libc.ts';

/** Index of a device by name, through `fd`; -errno. */
export function if_nametoindex(proc: Process, fd: number, name: string): number {
	const ifr = new Uint8Array(40);
	ifr.set(utf8(name).subarray(0, 15));
	const err = proc.ioctl(fd, SIOCGIFINDEX, ifr);
	return err < 0 ? err : get_unaligned_le32(ifr, 16);
}

/** Name of a device by index, through `fd`; '' when there is none. */
export function if_indextoname(proc: Process, fd: number, ifindex: number): string {
	const ifr = new Uint8Array(40);
	put_unaligned_le32(ifr, 16, ifindex);
	if (proc.ioctl(fd, SIOCGIFNAME, ifr) < 0) return '';
	return utf8_decode(ifr.subarray(0, 16)).replace(/\0.*$/s, '');
}

/** IFF_* of a device, through `fd`; -errno. */
export function if_flags(proc: Process, fd: number, name: string): number {
	const ifr = new Uint8Array(40);
	ifr.set(utf8(name).subarray(0, 15));
	const err = proc.ioctl(fd, SIOCGIFFLAGS, ifr);
	return err < 0 ? err : get_unaligned_le16(ifr, 16);
}

/** One rtnetlink request (type, flags, body) and its answers. Return: the messages, or -errno. */
async function rtnl_ask(
	proc: Process,
	type: number,
	flags: number,
	body: Uint8Array,
): Promise<{ type: number; msg: Uint8Array }[] | number> {
	const fd = proc.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0) return fd;
	proc.bind(fd, sockaddr_nl(0, 0));
	const req = new Uint8Array(16 + body.length);
	put_unaligned_le32(req, 0, req.length);
	put_unaligned_le16(req, 4, type);
	put_unaligned_le16(req, 6, NLM_F_REQUEST | flags);
	put_unaligned_le32(req, 8, 1);
	req.set(body, 16);
	const out: { type: number; msg: Uint8Array }[] = [];
	let err = await proc.sendmsg(fd, new msghdr(req, sockaddr_nl(0, 0)));
	let done = err < 0;
	while (!done) {
		const msg = new msghdr(new Uint8Array(32768), null);
		const len = await proc.recvmsg(fd, msg);
		if (len <= 0) break;
		const b = msg.msg_iov;
		done = (flags & NLM_F_DUMP) === 0;
		for (let o = 0; o + 16 <= len; ) {
			const mlen = get_unaligned_le32(b, o);
			const answer = get_unaligned_le16(b, o + 4);
			if (mlen < 16 || answer === NLMSG_DONE || answer === NLMSG_ERROR) {
				if (answer === NLMSG_ERROR) err = get_unaligned_le32(b, o + 16) | 0;
				done = true;
				break;
			}
			out.push({ type: answer, msg: b.slice(o + 16, o + mlen) });
			o += (mlen + 3) & ~3;
		}
	}
	proc.close(fd);
	return err < 0 ? err : out;
}

/** Value of a 32-bit attribute behind a message's fixed part, as its offset; -1 when it is not there. */
function attribute(msg: Uint8Array, fixed: number, type: number): number {
	for (let a = fixed; a + 8 <= msg.length; ) {
		const len = get_unaligned_le16(msg, a);
		if (len < 4) break;
		if (get_unaligned_le16(msg, a + 2) === type) return a + 4;
		a += (len + 3) & ~3;
	}
	return -1;
}

/** IPv4 addresses with the index of their device. */
export async function ipv4_addresses(proc: Process): Promise<{ ifindex: number; addr: number }[]> {
	const body = new Uint8Array(8);
	body[0] = AF_INET;
	const answers = await rtnl_ask(proc, RTM_GETADDR, NLM_F_DUMP, body);
	if (typeof answers === 'number') return [];
	const out: { ifindex: number; addr: number }[] = [];
	for (const { type, msg } of answers) {
		const at = attribute(msg, 8, IFA_LOCAL);
		if (type === RTM_NEWADDR && at >= 0)
			out.push({ ifindex: get_unaligned_le32(msg, 4), addr: get_unaligned_be32(msg, at) });
	}
	return out;
}

/** Index of the device that packets to `addr` leave by; -errno. */
export async function route_device(proc: Process, addr: number): Promise<number> {
	// struct rtmsg, RTA_DST
	const body = new Uint8Array(20);
	body[0] = AF_INET;
	body[1] = 32;
	put_unaligned_le16(body, 12, 8);
	put_unaligned_le16(body, 14, RTA_DST);
	put_unaligned_be32(body, 16, addr);
	const answers = await rtnl_ask(proc, RTM_GETROUTE, 0, body);
	if (typeof answers === 'number') return answers;
	for (const { msg } of answers) {
		const at = attribute(msg, 12, RTA_OIF);
		if (at >= 0) return get_unaligned_le32(msg, at);
	}
	return -ENODEV;
}

/** Whether device `name` has the address. */
export async function device_has_address(proc: Process, name: string, addr: number): Promise<boolean> {
	const fd = proc.socket(AF_INET, SOCK_DGRAM, 0);
	const ifindex = if_nametoindex(proc, fd, name);
	proc.close(fd);
	return (await ipv4_addresses(proc)).some((a) => a.ifindex === ifindex && a.addr === addr);
}
