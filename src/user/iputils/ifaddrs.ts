/*
 * user/iputils/ifaddrs.ts: which addresses a device has.           Original: getifaddrs(3), over rtnetlink
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import { IFA_LOCAL } from '../../uapi/linux/if_addr.ts';
import { NETLINK_ROUTE, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR } from '../../uapi/linux/netlink.ts';
import { RTM_GETADDR, RTM_NEWADDR } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_NETLINK, msghdr, SOCK_RAW, sockaddr_nl } from '../../uapi/linux/socket.ts';
import { SIOCGIFINDEX } from '../../uapi/linux/sockios.ts';
import { type Process, utf8 } from '../libc.ts';

/** Index of a device by name, through `fd`; -errno. */
export function if_nametoindex(proc: Process, fd: number, name: string): number {
	const ifr = new Uint8Array(40);
	ifr.set(utf8(name).subarray(0, 15));
	const err = proc.ioctl(fd, SIOCGIFINDEX, ifr);
	return err < 0 ? err : get_unaligned_le32(ifr, 16);
}

/** IPv4 addresses with the index of their device. */
export async function ipv4_addresses(proc: Process): Promise<{ ifindex: number; addr: number }[]> {
	const out: { ifindex: number; addr: number }[] = [];
	const fd = proc.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0) return out;
	proc.bind(fd, sockaddr_nl(0, 0));
	const req = new Uint8Array(24);
	put_unaligned_le32(req, 0, 24);
	put_unaligned_le16(req, 4, RTM_GETADDR);
	put_unaligned_le16(req, 6, NLM_F_REQUEST | NLM_F_DUMP);
	put_unaligned_le32(req, 8, 1);
	req[16] = AF_INET;
	let done = (await proc.sendmsg(fd, new msghdr(req, sockaddr_nl(0, 0)))) < 0;
	while (!done) {
		const msg = new msghdr(new Uint8Array(32768), null);
		const len = await proc.recvmsg(fd, msg);
		if (len <= 0) break;
		const b = msg.msg_iov;
		for (let o = 0; o + 16 <= len; ) {
			const mlen = get_unaligned_le32(b, o);
			const type = get_unaligned_le16(b, o + 4);
			if (mlen < 16 || type === NLMSG_DONE || type === NLMSG_ERROR) {
				done = true;
				break;
			}
			if (type === RTM_NEWADDR) {
				for (let a = o + 24; a + 4 <= o + mlen; ) {
					const alen = get_unaligned_le16(b, a);
					if (alen < 4) break;
					if (get_unaligned_le16(b, a + 2) === IFA_LOCAL)
						out.push({ ifindex: get_unaligned_le32(b, o + 20), addr: get_unaligned_be32(b, a + 4) });
					a += (alen + 3) & ~3;
				}
			}
			o += (mlen + 3) & ~3;
		}
	}
	proc.close(fd);
	return out;
}

/** Whether device `name` has the address. */
export async function device_has_address(proc: Process, name: string, addr: number): Promise<boolean> {
	const fd = proc.socket(AF_INET, 2, 0);
	const ifindex = if_nametoindex(proc, fd, name);
	proc.close(fd);
	return (await ipv4_addresses(proc)).some((a) => a.ifindex === ifindex && a.addr === addr);
}
