/*
 * user/iperf3/stream.ts: one data connection: it sends or receives, and counts.
 */
import { get_unaligned_be32, get_unaligned_le32, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { msghdr, SOL_TCP } from '../../uapi/linux/socket.ts';
import { TCP_INFO } from '../../uapi/linux/tcp.ts';
import type { Process } from '../libc.ts';

/** Virtual time that a write costs where nothing else takes time: without it, a sender on links without delay and rate never ends. */
const WRITE_US = 10;

export class Stream {
	fd: number;
	/** As the results name it: 1, 3, 4, … */
	id: number;
	/** As lines name it: the original shows its descriptor. */
	label: number;
	sender: boolean;
	udp: boolean;
	blksize: number;
	/** Bits a second; 0 for no limit. */
	rate: number;
	bytes = 0;
	packets = 0;
	lost = 0;
	out_of_order = 0;
	/** Seconds. */
	jitter = 0;
	/** The counters when the last line was printed. */
	last = { bytes: 0, packets: 0, lost: 0, retrans: 0 };
	stopped = false;
	/** No more than so many bytes or blocks; Infinity for none. */
	limit: { bytes: number; blocks: number } = { bytes: Infinity, blocks: Infinity };
	private transit = Number.NaN;
	private expected = 0;

	constructor(fd: number, index: number, label: number, sender: boolean, udp: boolean, blksize: number, rate: number) {
		this.fd = fd;
		this.id = index === 0 ? 1 : index + 2;
		this.label = label;
		this.sender = sender;
		this.udp = udp;
		this.blksize = blksize;
		this.rate = rate;
	}

	/** Sends or receives until told to stop. Runs in a process of its own. */
	async run(p: Process): Promise<void> {
		await (this.sender ? this.send(p) : this.receive(p));
	}

	private async send(p: Process): Promise<void> {
		const buf = new Uint8Array(this.blksize);
		for (let i = 0; i < buf.length; i++) buf[i] = 48 + (i % 10);
		const m = new msghdr(buf);
		const start = p.monotonic();
		let before = -1;
		while (!this.stopped && this.bytes < this.limit.bytes && this.packets < this.limit.blocks) {
			if (this.udp) {
				const { sec, nsec } = p.realtime();
				put_unaligned_be32(buf, 0, sec);
				put_unaligned_be32(buf, 4, Math.floor(nsec / 1000));
				put_unaligned_be32(buf, 8, this.packets + 1);
			}
			const n = await p.sendmsg(this.fd, m, 0);
			if (n < 0) {
				// The peer closed, or the queue of the device is full: UDP goes on.
				if (!this.udp) return;
			} else {
				this.bytes += n;
				this.packets++;
			}
			const now = p.monotonic();
			if (this.rate > 0) {
				const due = start + (this.bytes * 8 * 1e9) / this.rate;
				if (due > now) await p.sleep((due - now) / 1e6);
			} else if (now === before) await p.sleep(WRITE_US / 1000);
			before = now;
		}
	}

	private async receive(p: Process): Promise<void> {
		const m = new msghdr(new Uint8Array(this.blksize));
		while (!this.stopped) {
			const n = await p.recvmsg(this.fd, m, 0);
			if (n < 0 || (n === 0 && !this.udp)) return;
			this.bytes += n;
			if (this.udp && n >= 12) this.datagram(p, m.msg_iov);
		}
	}

	private datagram(p: Process, b: Uint8Array): void {
		const { sec, nsec } = p.realtime();
		const sent = (get_unaligned_be32(b, 0) >>> 0) + (get_unaligned_be32(b, 4) >>> 0) / 1e6;
		const count = get_unaligned_be32(b, 8) >>> 0;
		if (count > this.expected) {
			this.lost += count - this.expected - 1;
			this.expected = count;
		} else {
			this.out_of_order++;
			if (this.lost > 0) this.lost--;
		}
		this.packets = this.expected;
		// RFC 1889 A.8.
		const transit = sec + nsec / 1e9 - sent;
		if (!Number.isNaN(this.transit)) this.jitter += (Math.abs(transit - this.transit) - this.jitter) / 16;
		this.transit = transit;
	}

	private tcp_info(p: Process): Uint8Array | null {
		const b = new Uint8Array(256);
		return this.udp || p.getsockopt(this.fd, SOL_TCP, TCP_INFO, b) < 0 ? null : b;
	}

	/** Segments sent again so far. */
	retransmits(p: Process): number {
		const b = this.tcp_info(p);
		return b === null ? 0 : get_unaligned_le32(b, 100);
	}

	/** Bytes of the congestion window. */
	cwnd(p: Process): number {
		const b = this.tcp_info(p);
		return b === null ? 0 : get_unaligned_le32(b, 80) * get_unaligned_le32(b, 16);
	}
}
