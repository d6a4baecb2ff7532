/*
 * user/tcpdump/capture.ts: a live capture, as libpcap does it on Linux.      Original: libpcap 1.10.3, pcap-linux.c
 * Walk: devices (from sysfs) -> open (a packet socket) -> next (a packet with its time, its VLAN tag and its way).
 * The filter is run here, not attached to the socket.
 */

import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2, LINKTYPE_RAW } from '../../packet/capture_file.ts';
import { EINTR, ENETDOWN, strerror } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_RUNNING, IFF_UP } from '../../uapi/linux/if.ts';
import {
	PACKET_ADD_MEMBERSHIP,
	PACKET_AUXDATA,
	PACKET_MR_PROMISC,
	PACKET_OUTGOING,
	PACKET_STATISTICS,
	TP_STATUS_VLAN_VALID,
} from '../../uapi/linux/if_packet.ts';
import { MSG_TRUNC, msghdr, SO_TIMESTAMPNS, SOL_PACKET, sockaddr_ll } from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const ETH_P_ALL = 3;
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

export interface Device {
	readonly name: string;
	readonly index: number;
	readonly flags: number;
	/** ARPHRD_* */
	readonly type: number;
}

async function number(proc: Process, path: string): Promise<number> {
	const text = await proc.readFile(path);
	const n = typeof text === 'string' ? Number(text.trim()) : Number.NaN;
	return Number.isInteger(n) ? n : -1;
}

/** A device, or null when there is none of that name. */
export async function device(proc: Process, name: string): Promise<Device | null> {
	if (name === '' || name.includes('/')) return null;
	const at = `/sys/class/net/${name}`;
	const index = await number(proc, `${at}/ifindex`);
	if (index <= 0) return null;
	const [flags, type] = [await number(proc, `${at}/flags`), await number(proc, `${at}/type`)];
	// IFF_RUNNING is what the carrier says.
	const carrier = (await number(proc, `${at}/carrier`)) === 1;
	return { name, index, flags: Math.max(0, flags) | (carrier ? IFF_RUNNING : 0), type };
}

/** All devices, as tcpdump -D orders them: what is up and no loopback first, "any", loopback, and last what is down. */
export async function devices(proc: Process): Promise<Device[]> {
	const names = await proc.readdir('/sys/class/net');
	const found: Device[] = [];
	for (const name of typeof names === 'number' ? [] : names) {
		const d = await device(proc, name);
		if (d !== null) found.push(d);
	}
	found.push({ name: 'any', index: 0, flags: IFF_UP | IFF_RUNNING, type: ARPHRD_ETHER });
	const rank = (d: Device) =>
		(d.flags & IFF_LOOPBACK ? 2 : 0) +
		(d.flags & IFF_UP ? 0 : 8) +
		(d.flags & IFF_RUNNING ? 0 : 4) +
		(d.index === 0 ? 1 : 0);
	return found.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
}

/** One line of tcpdump -D. */
export function describeDevice(d: Device, n: number): string {
	const words: string[] = [];
	if (d.flags & IFF_UP) words.push('Up');
	if (d.flags & IFF_RUNNING) words.push('Running');
	if (d.flags & IFF_LOOPBACK) words.push('Loopback');
	else if (d.index !== 0 && d.flags & IFF_UP) words.push(d.flags & IFF_RUNNING ? 'Connected' : 'Disconnected');
	const what = d.index === 0 ? ' (Pseudo-device that captures on all interfaces)' : '';
	return `${n}.${d.name}${what} [${words.length === 0 ? 'none' : words.join(', ')}]\n`;
}

/** A packet as it was captured. */
export interface Frame {
	sec: number;
	nsec: number;
	data: Uint8Array;
	origLen: number;
	linktype: number;
	ifindex: number;
	outgoing: boolean;
}

export class Capture {
	readonly linktype: number;
	private readonly proc: Process;
	private readonly fd: number;
	private readonly on: Device;
	private readonly buffer: Uint8Array;
	private readonly snaplen: number;

	private constructor(proc: Process, fd: number, on: Device, snaplen: number) {
		this.proc = proc;
		this.fd = fd;
		this.on = on;
		this.linktype = on.index === 0 ? LINKTYPE_LINUX_SLL2 : linktypeOf(on);
		this.snaplen = snaplen;
		this.buffer = new Uint8Array(Math.max(64, Math.min(snaplen, 65600)));
	}

	/** Opens a device. Return: what tcpdump says when it cannot. */
	static open(proc: Process, on: Device, snaplen: number, promiscuous: boolean): Capture | string {
		const cooked = on.index === 0;
		const fd = proc.socket(AF_PACKET, cooked ? SOCK_DGRAM : SOCK_RAW, 0);
		if (fd < 0)
			return `${on.name}: You don't have permission to perform this capture on that device\n(socket: ${strerror(-fd)})`;
		const bound = proc.bind(fd, sockaddr_ll(ETH_P_ALL, on.index));
		if (bound < 0) {
			proc.close(fd);
			return bound === -ENETDOWN ? `${on.name}: That device is not up` : `${on.name}: ${strerror(-bound)}`;
		}
		proc.setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, 1);
		proc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
		if (promiscuous && !cooked) {
			const mreq = new Uint8Array(16);
			mreq[0] = on.index;
			mreq[1] = on.index >>> 8;
			mreq[4] = PACKET_MR_PROMISC;
			proc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq);
		}
		return new Capture(proc, fd, on, snaplen);
	}

	/** The next packet; null when a signal came, a number when the socket failed (-errno). */
	async next(): Promise<Frame | null | number> {
		const msg = new msghdr(this.buffer, sockaddr_ll(0, 0));
		const n = await this.proc.recvmsg(this.fd, msg, MSG_TRUNC);
		if (n === -EINTR) return null;
		if (n < 0) return n;
		const from = msg.msg_name;
		const now = this.proc.realtime();
		const f: Frame = {
			sec: now.sec,
			nsec: Math.floor(now.nsec),
			data: this.buffer.slice(0, Math.min(n, this.buffer.length, this.snaplen)),
			origLen: n,
			linktype: this.linktype,
			ifindex: from?.sll_ifindex ?? this.on.index,
			outgoing: from?.sll_pkttype === PACKET_OUTGOING,
		};
		for (const c of msg.msg_control) {
			const v = new DataView(c.data.buffer, c.data.byteOffset, c.data.byteLength);
			if (c.level === SOL_SOCKET && c.type === SO_TIMESTAMPNS && c.data.length >= 16) {
				f.sec = v.getUint32(0, true);
				f.nsec = v.getUint32(8, true);
			} else if (c.level === SOL_PACKET && c.type === PACKET_AUXDATA && c.data.length >= 20 && this.on.index !== 0) {
				if (v.getUint32(0, true) & TP_STATUS_VLAN_VALID) tag(f, v.getUint16(18, true) || 0x8100, v.getUint16(16, true));
			}
		}
		if (this.on.index === 0)
			cook(f, from?.sll_protocol ?? 0, from?.sll_hatype ?? 1, from?.sll_pkttype ?? 0, from?.sll_addr ?? null);
		return f;
	}

	/** How many packets the socket had no room for. */
	dropped(): number {
		const stats = new Uint8Array(8);
		const n = this.proc.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, stats);
		return n < 8 ? 0 : new DataView(stats.buffer).getUint32(4, true);
	}

	close(): void {
		this.proc.close(this.fd);
	}
}

export function linktypeOf(d: Device): number {
	return d.index === 0
		? LINKTYPE_LINUX_SLL2
		: d.type === ARPHRD_ETHER || d.type === ARPHRD_LOOPBACK
			? LINKTYPE_ETHERNET
			: LINKTYPE_RAW;
}

/** Puts back the VLAN tag that the kernel took off. */
function tag(f: Frame, tpid: number, tci: number): void {
	if (f.data.length < 12) return;
	const out = new Uint8Array(f.data.length + 4);
	out.set(f.data.subarray(0, 12));
	out.set([tpid >> 8, tpid, tci >> 8, tci], 12);
	out.set(f.data.subarray(12), 16);
	f.data = out;
	f.origLen += 4;
}

/** Puts the header of a cooked capture (LINUX_SLL2) before a packet. */
function cook(f: Frame, protocol: number, hatype: number, pkttype: number, address: Uint8Array | null): void {
	const out = new Uint8Array(20 + f.data.length);
	const v = new DataView(out.buffer);
	const n = Math.min(8, address?.length ?? 0);
	v.setUint16(0, protocol);
	v.setUint32(4, f.ifindex);
	v.setUint16(8, hatype);
	out[10] = pkttype;
	out[11] = n;
	if (address !== null) out.set(address.subarray(0, n), 12);
	out.set(f.data, 20);
	f.data = out;
	f.origLen += 20;
}
