/*
 * user/iputils/ping_common.ts: when ping sends, what it counts, what it prints at the end.   Original: iputils 20221126, ping/ping_common.c
 *
 * Walk: ping_loop sends what is due (pinger), sleeps until the next is due or something comes, reads it (receive), and ends when enough
 *       came or the time is up; finish prints the summary, status the line of SIGQUIT.
 *
 * Probes leave exactly when due: the original's clock ticks make it late by some ms. In floods there are 10 us between probes, the time
 * that a CPU would need: replies may take no virtual time at all.
 */
import { EAGAIN, EINTR, ENOBUFS, ENOMEM, strerror } from '../../uapi/asm-generic/errno.ts';
import { POLLIN } from '../../uapi/linux/socket.ts';
import { type Process, SIGINT } from '../libc.ts';
import type { ping_options } from './ping_options.ts';

const SIGQUIT = 3;
const MS = 1e6;
/** Least wait in ms while replies are outstanding in a flood: one hundred probes a second. */
export const MININTERVAL = 10;
const FLOOD_GAP_NS = 10_000;
/** Nearer than this is now: poll's ms are fractions. */
const EPSILON_NS = 0.5;
const MAX_DUP_CHK = 0x10000;

/** What an attempt to read brought: a packet, an error about a probe, nothing. */
export const GOT_PACKET = 1;
export const GOT_ERROR = 2;
export const GOT_NOTHING = 0;

/** How the protocol sends and receives. */
export interface ping_func_set {
	fd: number;
	/** Return: 0 or -errno. */
	send_probe: (p: ping_run) => Promise<number>;
	/** Reads one packet, or one error of the error queue. Return: GOT_*. */
	receive: (p: ping_run) => Promise<number>;
	/** Reads the error queue once. Return: whether an error from the network was there. */
	receive_error: (p: ping_run) => Promise<boolean>;
}

/** A running ping. Times in us where the original's are, of the world's clock in ns elsewhere. */
export class ping_run {
	proc: Process;
	o: ping_options;
	/** As the summary names the destination. */
	hostname = '';
	/** Replies may come from several hosts. */
	multi = false;

	ntransmitted = 0;
	nreceived = 0;
	nrepeats = 0;
	nchecksum = 0;
	nerrors = 0;
	private acked = 0;
	private pipesize = -1;
	private received = new Uint8Array(MAX_DUP_CHK);
	private tmin = Infinity;
	private tmax = 0;
	private tsum = 0;
	private tsum2 = 0;
	/** Smoothed round-trip time, times 8. */
	private rtt = 0;
	timing = false;

	private start_time = -1;
	private cur_time = 0;
	private tokens = 0;
	interval: number;
	private exit_at = Infinity;
	private lingering = false;
	private exiting = false;
	private snapshot = false;
	/** Signal that ends us without a word. */
	private killed = 0;
	private pending = '';

	constructor(proc: Process, o: ping_options) {
		this.proc = proc;
		this.o = o;
		this.interval = o.interval;
	}

	/** Output waits, as stdio's does, until a line that matters. */
	print(text: string): void {
		this.pending += text;
		if (this.proc.stdout.isTTY && text.endsWith('\n')) this.flush();
	}

	flush(): void {
		if (this.pending !== '') this.proc.stdout.write(this.pending);
		this.pending = '';
	}

	error(text: string): void {
		this.proc.stderr.write(`ping: ${text}\n`);
	}

	print_timestamp(): void {
		if (!this.o.ptimeofday) return;
		const t = this.proc.realtime();
		this.print(`[${t.sec}.${String(Math.floor(t.nsec / 1000)).padStart(6, '0')}] `);
	}

	/** How many probes have had no answer yet. */
	in_flight(): number {
		const diff = (this.ntransmitted - this.acked) & 0xffff;
		return diff <= 0x7fff ? diff : this.ntransmitted - this.nreceived - this.nerrors;
	}

	/** A reply or an error came for that sequence number. */
	acknowledge(seq: number): void {
		const diff = (this.ntransmitted - seq) & 0xffff;
		if (diff > 0x7fff) return;
		if (diff + 1 > this.pipesize) this.pipesize = diff + 1;
		if (((seq - this.acked) & 0xffff) < 0x8000) this.acked = seq;
	}

	private update_interval(): void {
		const est = this.rtt > 0 ? this.rtt / 8 : this.interval * 1000;
		this.interval = Math.floor((est + 500) / 1000);
	}

	/** Sends when it is time. Return: ns until the next probe is due; 0 when there may be one at once. */
	private async pinger(set: ping_func_set): Promise<number> {
		const { o, proc } = this;
		if (this.exiting) return Infinity;
		if (o.npackets > 0 && this.ntransmitted >= o.npackets && o.deadline === 0) return Infinity;
		const now = proc.monotonic();
		if (this.start_time < 0) {
			this.start_time = now;
			this.tokens = this.interval * MS * (o.preload - 1);
		} else {
			const interval = this.interval * MS;
			let tokens = now - this.cur_time;
			if (interval === 0) {
				if (MININTERVAL * MS - tokens > EPSILON_NS && this.in_flight() >= o.preload) return MININTERVAL * MS - tokens;
				if (FLOOD_GAP_NS - tokens > EPSILON_NS) return FLOOD_GAP_NS - tokens;
			}
			tokens += this.tokens;
			if (tokens > interval * o.preload) tokens = interval * o.preload;
			if (interval - tokens > EPSILON_NS) return interval - tokens;
			this.tokens = tokens - interval;
		}
		if (o.outstanding && this.ntransmitted > 0 && this.received[this.ntransmitted & 0xffff] === 0) {
			this.print_timestamp();
			this.print(`no answer yet for icmp_seq=${this.ntransmitted & 0xffff}\n`);
			this.flush();
		}
		this.cur_time = now;
		this.received[(this.ntransmitted + 1) & 0xffff] = 0;
		const err = await set.send_probe(this);
		if (err === -ENOBUFS || err === -ENOMEM || err === -EAGAIN) {
			this.tokens += this.interval * MS;
			return MININTERVAL * MS;
		}
		// Only with an error from the network in the queue does the original say what sendmsg said.
		if (err < 0 && err !== -EINTR && (await set.receive_error(this)) && !o.quiet) {
			if (o.flood) this.print('E');
			else this.error(`sendmsg: ${strerror(-err)}`);
			this.flush();
		}
		this.ntransmitted++;
		if (err >= 0 && o.flood && !o.quiet) {
			this.print('.');
			this.flush();
		}
		if (err < 0) this.tokens = 0;
		return this.interval === 0 ? FLOOD_GAP_NS : Math.max(this.interval * MS - this.tokens, 0);
	}

	/** After the last probe: how long its reply is waited for. */
	private schedule_exit(): void {
		const { o } = this;
		if (this.lingering || o.npackets === 0 || this.ntransmitted < o.npackets || o.deadline > 0) return;
		this.lingering = true;
		let wait = o.linger * MS;
		if (this.nreceived > 0) {
			wait = 2 * this.tmax * 1000;
			// At least a moment: round trips may take no time here.
			wait = Math.max(wait, this.interval * MS, MININTERVAL * MS);
		} else if (o.linger === 0) return;
		this.exit_at = this.proc.monotonic() + wait;
	}

	/** Counts a reply of `triptime` us (-1: unknown). Return: whether the sequence number was answered before. */
	gather(seq: number, triptime: number, csfailed: boolean): boolean {
		if (triptime >= 0 && !csfailed) {
			this.tsum += triptime;
			this.tsum2 += triptime * triptime;
			if (triptime < this.tmin) this.tmin = triptime;
			if (triptime > this.tmax) this.tmax = triptime;
			this.rtt = this.rtt === 0 ? triptime * 8 : this.rtt + triptime - Math.floor(this.rtt / 8);
			if (this.o.adaptive) this.update_interval();
		}
		this.nreceived++;
		if (!csfailed) this.acknowledge(seq);
		if (csfailed) {
			this.nchecksum++;
			this.nreceived--;
			return false;
		}
		if (this.received[seq & 0xffff] !== 0) {
			this.nrepeats++;
			this.nreceived--;
			return true;
		}
		this.received[seq & 0xffff] = 1;
		return false;
	}

	/** Sends and listens until the end. Return: exit status. */
	async loop(set: ping_func_set): Promise<number> {
		const { o, proc } = this;
		proc.on_signal((signo) => {
			if (signo === SIGINT) this.exiting = true;
			else if (signo === SIGQUIT) this.snapshot = true;
			else this.killed = signo;
		});
		if (o.deadline > 0) this.exit_at = proc.monotonic() + o.deadline * 1e9;
		const pfd = { fd: set.fd, events: POLLIN, revents: 0 };
		for (;;) {
			if (this.killed > 0) return 128 + this.killed;
			if (this.exiting) break;
			if (o.npackets > 0 && this.nreceived + this.nerrors >= o.npackets) break;
			if (o.deadline > 0 && this.nerrors > 0) break;
			if (this.snapshot) this.status();
			if (proc.monotonic() >= this.exit_at - EPSILON_NS) break;
			let next = await this.pinger(set);
			while (next === 0) next = await this.pinger(set);
			this.schedule_exit();
			const now = proc.monotonic();
			const until = Math.min(now + next, this.exit_at);
			await proc.poll([pfd], until === Infinity ? -1 : (until - now) / MS);
			for (;;) {
				if ((await set.receive(this)) === GOT_NOTHING) break;
				if (this.in_flight() === 0) break;
			}
		}
		return this.finish();
	}

	private rtt_text(us: number): string {
		return `${Math.floor(us / 1000)}.${String(Math.floor(us) % 1000).padStart(3, '0')}`;
	}

	/** The line of SIGQUIT. */
	private status(): void {
		this.snapshot = false;
		const loss =
			this.ntransmitted > 0 ? Math.floor(((this.ntransmitted - this.nreceived) * 100) / this.ntransmitted) : 0;
		let text = `\r${this.nreceived}/${this.ntransmitted} packets, ${loss}% loss`;
		if (this.nreceived > 0 && this.timing) {
			const avg = this.tsum / (this.nreceived + this.nrepeats);
			const all = [this.tmin, avg, this.rtt / 8, this.tmax].map((t) => this.rtt_text(t)).join('/');
			text += `, min/avg/ewma/max = ${all} ms`;
		}
		this.proc.stderr.write(`${text}\n`);
	}

	/** The summary. Return: exit status. */
	private finish(): number {
		const { o } = this;
		const elapsed = Math.max(this.cur_time - this.start_time, 0);
		this.print(`\n--- ${this.hostname} ping statistics ---\n`);
		let line = `${this.ntransmitted} packets transmitted, ${this.nreceived} received`;
		if (this.nrepeats > 0) line += `, +${this.nrepeats} duplicates`;
		if (this.nchecksum > 0) line += `, +${this.nchecksum} corrupted`;
		if (this.nerrors > 0) line += `, +${this.nerrors} errors`;
		if (this.ntransmitted > 0) {
			const loss = (100 * (this.ntransmitted - this.nreceived)) / this.ntransmitted;
			line += `, ${Number(loss.toPrecision(6))}% packet loss, time ${Math.floor(elapsed / MS)}ms`;
		}
		this.print(line + '\n');
		let comma = '';
		if (this.nreceived > 0 && this.timing) {
			const total = this.nreceived + this.nrepeats;
			const mdev = Math.sqrt(Math.max(0, Math.floor((this.tsum2 - (this.tsum * this.tsum) / total) / total)));
			const all = [this.tmin, this.tsum / total, this.tmax, mdev].map((t) => this.rtt_text(t)).join('/');
			this.print(`rtt min/avg/max/mdev = ${all} ms`);
			comma = ', ';
		}
		if (this.pipesize > 1) {
			this.print(`${comma}pipe ${this.pipesize}`);
			comma = ', ';
		}
		if (this.nreceived > 0 && (this.interval === 0 || o.flood || o.adaptive) && this.ntransmitted > 1) {
			const ipg = elapsed / 1000 / (this.ntransmitted - 1);
			this.print(`${comma}ipg/ewma ${this.rtt_text(ipg)}/${this.rtt_text(this.rtt / 8)} ms`);
		}
		this.print('\n');
		this.flush();
		return this.nreceived === 0 || (o.deadline > 0 && this.nreceived < o.npackets) ? 1 : 0;
	}
}
