/*
 * test/harness/normalise.ts: takes out of frames and outputs what the kernel draws at random or reads from the clock, and nothing else.
 * Walk: Normaliser.literal (values that the scenario itself gives are never touched) -> frame, text.
 *
 * A drawn value becomes a stand-in by order of appearance, so that equality and reuse still have to match. Frames stay valid:
 * stand-ins are written into the bytes and every checksum over them is updated by the difference (RFC 1624), which keeps right
 * checksums right and wrong ones wrong. The list for people is in test/twin/README.md.
 */
import type { Scenario } from './scenario.ts';

const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const ETH_P_8021Q = 0x8100;
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/** The kernel's net.ipv4.ip_local_port_range. */
const EPHEMERAL: [number, number] = [32768, 60999];
/** Stands for a time in milliseconds that the kernel wrote. */
const A_TIME = 0x11111111;
/** How far a TCP sequence number may be from its initial one and still be told as relative to it. */
const TCP_SPAN = 1 << 24;

/** Stand-ins for one kind of value, in order of appearance. */
class Drawn {
	#map = new Map<number | string, number>();
	of(value: number | string): number {
		let n = this.#map.get(value);
		if (n === undefined) this.#map.set(value, (n = this.#map.size + 1));
		return n;
	}
	has(value: number | string): boolean {
		return this.#map.has(value);
	}
}

export class Normaliser {
	/** Ranges that the scenario says the kernel draws from. */
	#drawnPorts: [number, number][];
	/** What the scenario itself gives: numbers in its text (ports are looked up there), and the fields of the frames that it sends. */
	#numbers = new Set<number>();
	#framePorts = new Set<number>();
	#echoData = new Set<string>();
	#ipIds = new Set<number>();
	#icmpIds = new Set<number>();
	#words = new Set<number>();
	#macs = new Set<string>(['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff']);

	#ipId = new Drawn();
	#icmpId = new Drawn();
	#port = new Drawn();
	#mac = new Drawn();
	#isn: number[] = [];
	#textId = new Drawn();
	#textPort = new Drawn();
	#textMac = new Drawn();

	constructor(s: Scenario) {
		this.#drawnPorts = s.drawnPorts;
		for (const m of s.text.matchAll(/\b(0x[0-9a-f]+|\d+)\b/gi)) this.#numbers.add(Number(m[1]));
		for (const m of s.text.matchAll(/\bping\b.* -e (\d+)/g)) this.#icmpIds.add(Number(m[1]));
		for (const m of s.text.matchAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi)) this.#macs.add(m[0].toLowerCase());
		for (const n of s.nics) this.#macs.add(n.mac);
	}

	/** Remember a frame that the scenario sends: nothing in it was drawn by a kernel. */
	literal(frame: Uint8Array): void {
		const p = new View(frame);
		this.#macs.add(mac(frame, 0)).add(mac(frame, 6));
		if (frame.length < 34 || p.u16(12) !== ETH_P_IP) return;
		const note = (ip: number) => {
			this.#ipIds.add(p.u16(ip + 4));
			for (let o = ip + 20; o + 4 <= Math.min(frame.length, ip + 60); o++) this.#words.add(p.u32(o));
			if ((p.u16(ip + 6) & 0x1fff) !== 0) return;
			const l4 = ip + (p.u8(ip) & 15) * 4;
			if (p.u8(ip + 9) === IPPROTO_ICMP) {
				if ([3, 4, 5, 11, 12].includes(p.u8(l4)) && l4 + 28 <= frame.length) note(l4 + 8);
				else {
					this.#icmpIds.add(p.u16(l4 + 4));
					this.#echoData.add(hex(frame, l4 + 8, l4 + 24));
				}
			} else this.#framePorts.add(p.u16(l4)).add(p.u16(l4 + 2));
		};
		note(14);
	}

	/** Whether echo data are those of a frame that the scenario sends (its first fragment may have held fewer). */
	#isGivenData(data: string): boolean {
		for (const given of this.#echoData) if (given.length >= 16 && data.startsWith(given)) return true;
		return false;
	}

	#isDrawnPort(port: number): boolean {
		if (this.#framePorts.has(port)) return false;
		if (this.#drawnPorts.some(([from, to]) => port >= from && port <= to)) return true;
		return port >= EPHEMERAL[0] && port <= EPHEMERAL[1] && !this.#numbers.has(port);
	}

	// ---------------------------------------------------------------- frames

	/** The frame with stand-ins; the argument is left alone. */
	frame(bytes: Uint8Array): Uint8Array {
		const p = new View(bytes.slice());
		for (const o of [0, 6]) this.#frameMac(p, o);
		let o = 12;
		if (p.u16(o) === ETH_P_8021Q) o += 4;
		const type = p.u16(o);
		if (type === ETH_P_IP) this.#ip(p, o + 2, []);
		else if (type === ETH_P_ARP && p.bytes.length >= o + 2 + 28) {
			this.#frameMac(p, o + 10);
			this.#frameMac(p, o + 20);
		}
		return p.bytes;
	}

	#frameMac(p: View, o: number): void {
		if (p.bytes.length < o + 6) return;
		const text = mac(p.bytes, o);
		// Multicast addresses follow from the group; the rest was given, or drawn for a veth and the like.
		if (this.#macs.has(text) || p.bytes[o] & 1) return;
		p.bytes.set([0x06, 0, 0, 0, 0, this.#mac.of(text)], o);
	}

	#ip(p: View, ip: number, outer: number[]): void {
		const ihl = (p.u8(ip) & 15) * 4;
		if (p.bytes.length < ip + 20 || p.u8(ip) >> 4 !== 4 || ihl < 20 || p.bytes.length < ip + ihl) return;
		const header = [ip + 10, ...outer];
		const id = p.u16(ip + 4);
		if (id !== 0 && !this.#ipIds.has(id)) p.set16(ip + 4, 0xa000 + this.#ipId.of(id), header);
		this.#timestamps(p, ip + 20, ip + ihl, header);
		if ((p.u16(ip + 6) & 0x1fff) !== 0) return;
		const l4 = ip + ihl;
		const end = p.bytes.length;
		switch (p.u8(ip + 9)) {
			case IPPROTO_ICMP:
				if (end >= l4 + 8) this.#icmp(p, l4, outer);
				break;
			case IPPROTO_UDP:
				if (end >= l4 + 8) this.#l4ports(p, l4, p.u16(l4 + 6) === 0 ? outer : [l4 + 6, ...outer]);
				break;
			case IPPROTO_TCP:
				if (end >= l4 + 8) this.#tcp(p, l4, outer);
				break;
		}
	}

	/** The times that hosts wrote into an IP timestamp option (RFC 791 3.1). */
	#timestamps(p: View, from: number, to: number, sums: number[]): void {
		let o = from;
		while (o < to) {
			const type = p.u8(o);
			if (type === 0) return;
			if (type === 1) {
				o++;
				continue;
			}
			const length = p.u8(o + 1);
			if (length < 2 || o + length > to) return;
			if (type === 68 && length >= 4) {
				const withAddress = (p.u8(o + 3) & 15) !== 0;
				const step = withAddress ? 8 : 4;
				const filled = Math.min(o + p.u8(o + 2) - 1, o + length);
				for (let t = o + 4; t + step <= filled; t += step) {
					const at = withAddress ? t + 4 : t;
					if (p.u32(at) !== 0 && !this.#words.has(p.u32(at))) p.set32(at, A_TIME, sums);
				}
			}
			o += length;
		}
	}

	#icmp(p: View, icmp: number, outer: number[]): void {
		const type = p.u8(icmp);
		const sums = [icmp + 2, ...outer];
		if (type === 8 || type === 0 || type === 13 || type === 14) {
			const id = p.u16(icmp + 4);
			if (!this.#icmpIds.has(id)) p.set16(icmp + 4, 0xe000 + this.#icmpId.of(id), sums);
			// ping writes a struct timeval at the start of the data.
			if (
				(type === 8 || type === 0) &&
				p.bytes.length >= icmp + 24 &&
				!this.#isGivenData(hex(p.bytes, icmp + 8, icmp + 24))
			)
				for (let o = icmp + 8; o < icmp + 24; o += 2) p.set16(o, 0, sums);
		}
		if (type === 13 || type === 14)
			for (let o = icmp + 8; o + 4 <= icmp + 20 && o + 4 <= p.bytes.length; o += 4)
				if (p.u32(o) !== 0 && !this.#words.has(p.u32(o))) p.set32(o, A_TIME, sums);
		if (type === 3 || type === 4 || type === 5 || type === 11 || type === 12) this.#ip(p, icmp + 8, sums);
	}

	#l4ports(p: View, l4: number, sums: number[]): void {
		const source = p.u16(l4);
		// A port is known to be drawn by being a source port; then it is one as a destination too.
		if (this.#port.has(source) || this.#isDrawnPort(source)) p.set16(l4, 50000 + this.#port.of(source), sums);
		const dest = p.u16(l4 + 2);
		if (this.#port.has(dest)) p.set16(l4 + 2, 50000 + this.#port.of(dest), sums);
	}

	#tcp(p: View, tcp: number, outer: number[]): void {
		const sums = p.bytes.length >= tcp + 18 ? [tcp + 16, ...outer] : outer;
		this.#l4ports(p, tcp, sums);
		if (p.bytes.length < tcp + 20) return;
		const flags = p.u8(tcp + 13);
		const seq = p.u32(tcp + 4);
		if (flags & 2 && !this.#words.has(seq) && !this.#isn.includes(seq)) this.#isn.push(seq);
		for (const o of [tcp + 4, tcp + 8]) {
			const value = p.u32(o);
			const i = this.#isn.findIndex((isn) => (value - isn) >>> 0 < TCP_SPAN);
			if (i >= 0 && (o === tcp + 4 || flags & 16))
				p.set32(o, ((i + 1) * 0x10000000 + (value - this.#isn[i])) >>> 0, sums);
		}
		// Timestamps: a random offset plus the clock.
		const end = Math.min(tcp + (p.u8(tcp + 12) >> 4) * 4, p.bytes.length);
		let o = tcp + 20;
		while (o < end) {
			const kind = p.u8(o);
			if (kind === 0) return;
			if (kind === 1) {
				o++;
				continue;
			}
			const length = p.u8(o + 1);
			if (length < 2 || o + length > end) return;
			if (kind === 8 && length === 10)
				for (const at of [o + 2, o + 6]) if (p.u32(at) !== 0 && !this.#words.has(p.u32(at))) p.set32(at, A_TIME, sums);
			o += length;
		}
	}

	// ---------------------------------------------------------------- text

	/** What a program printed, with stand-ins. Seconds that may be off by one become «n». */
	text(text: string): string {
		let t = text;
		for (const [re, by] of TEXT_RULES) t = t.replace(re, by);
		t = t.replace(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, (m) =>
			this.#macs.has(m) || parseInt(m, 16) & 1 ? m : `MAC${this.#textMac.of(m)}`,
		);
		// tcpdump: the IP id and the id of an echo.
		t = t.replace(/\bid (\d+)(?=, (offset|seq)\b)/g, (m, id, what) =>
			id === '0' || (what === 'seq' ? this.#icmpIds : this.#ipIds).has(Number(id)) ? m : `id X${this.#textId.of(id)}`,
		);
		// ping -v: the id of its echoes.
		t = t.replace(/\bident=(\d+)/g, (m, id) => (this.#icmpIds.has(Number(id)) ? m : `ident=X${this.#textId.of(id)}`));
		// The id of an echo in conntrack's lines.
		t = t.replace(/(\btype=(?:8|0) code=0 id=)(\d+)/g, (m, head, id) =>
			this.#icmpIds.has(Number(id)) ? m : `${head}X${this.#textId.of(id)}`,
		);
		// Ephemeral ports: sport=, dport=, SPT=, DPT=, and tcpdump's address.port.
		t = t.replace(/(\b(?:[sd]port=|[SD]PT=|port |\d+\.\d+\.\d+\.\d+[.:]))(\d{4,5})\b/g, (m, head, port) =>
			this.#isDrawnPort(Number(port)) &&
			!this.#numbers.has(Number(port)) &&
			!(Number(port) >= 33434 && Number(port) < 33534)
				? `${head}P${this.#textPort.of(port)}`
				: m,
		);
		// Kernel log: the IP id, and after a sequence number the echo id.
		t = t.replace(/\bID=(\d+)(?=( SEQ=)?)/g, (m, id, seq) =>
			id === '0' || (seq ? this.#icmpIds : this.#ipIds).has(Number(id)) ? m : `ID=X${this.#textId.of(id)}`,
		);
		return t;
	}
}

/** The clock in outputs. Each rule names the program that prints it; all are listed in test/twin/README.md. */
const TEXT_RULES: [RegExp, string][] = [
	// ping
	[/\btime[=<][\d.]+ ms\b/g, 'time=T ms'],
	[/(\d+% packet loss|errors), time \d+ms/g, '$1, time Tms'],
	[/^(rtt min\/avg\/max\/mdev =) [\d./]+ ms(, pipe \d+)?(, ipg\/ewma [\d./]+ ms)?$/gm, '$1 T ms$2'],
	[/^\[\d+\.\d{6}\] /gm, '[T] '],
	// arping
	[/^(Unicast|Broadcast)( reply from .*\]) {2}[\d.]+ms$/gm, '$1$2  Tms'],
	// traceroute
	[/(?<= )[\d.]+ ms(?=( |$))/gm, 'T ms'],
	// tcpdump
	[/^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{6,9} /gm, 'TIME '],
	[/^\d+ packets? received by filter$/gm, 'N packets received by filter'],
	// iptables-save, iptables-restore
	[/^(# (?:Generated by iptables-save|Completed)\b.*? on) \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/gm, '$1 DATE'],
	// conntrack -L, -E and /proc/net/nf_conntrack: seconds left
	[/^((?:ipv4 +\d+ )?(?:tcp|udp|icmp|udplite|dccp|sctp|gre|unknown) +\d+) (\d+)(?= )/gm, '$1 «$2»'],
	// ip route: cache expiry; ip addr: lifetimes
	[/\b(expires|valid_lft|preferred_lft) (\d+)sec\b/g, '$1 «$2»sec'],
	[/("(?:expires|valid_life_time|preferred_life_time)":)(\d+)(?=[,}])(?!4294967295)/g, '$1«$2»'],
	// ip -s neigh: seconds since used, confirmed, updated
	[/\bused (\d+)\/(\d+)\/(\d+)/g, 'used «$1»/«$2»/«$3»'],
	// ip ntable: reachable times are drawn
	[/\breachable \d+(?= base_reachable)/g, 'reachable T'],
	// ip -d link: veth has a queue for each of the machine's CPUs
	[/^( {4}veth .*)\bnumtxqueues (\d+) numrxqueues \2\b/gm, '$1numtxqueues CPUS numrxqueues CPUS'],
	[
		/("info_kind":"veth"\},.*?)"num_tx_queues":(\d+),"num_rx_queues":\2\b/g,
		'$1"num_tx_queues":"CPUS","num_rx_queues":"CPUS"',
	],
	// ip -d link: that the NICs are TAP devices here
	[/\n {4}tun type tap pi off vnet_hdr off persist off (?=addrgenmode|numtxqueues)/g, ''],
];

const APPROXIMATE = /«(\d+)»/g;

/** Whether two normalised texts are the same, «n» being equal to «n±1». */
export function sameText(a: string, b: string): boolean {
	if (a === b) return true;
	if (a.replace(APPROXIMATE, '«»') !== b.replace(APPROXIMATE, '«»')) return false;
	const numbers = (t: string) => [...t.matchAll(APPROXIMATE)].map((m) => Number(m[1]));
	const nb = numbers(b);
	return numbers(a).every((n, i) => Math.abs(n - nb[i]) <= 1);
}

function hex(bytes: Uint8Array, from: number, to: number): string {
	return Array.from(bytes.subarray(from, to), (b) => b.toString(16).padStart(2, '0')).join('');
}

function mac(bytes: Uint8Array, o: number): string {
	return Array.from(bytes.subarray(o, o + 6), (b) => b.toString(16).padStart(2, '0')).join(':');
}

/** Bytes of a frame; writing keeps the checksums at the given offsets true. */
class View {
	readonly bytes: Uint8Array;
	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}
	u8(o: number): number {
		return this.bytes[o] ?? 0;
	}
	u16(o: number): number {
		return (this.u8(o) << 8) | this.u8(o + 1);
	}
	u32(o: number): number {
		return ((this.u16(o) << 16) | this.u16(o + 2)) >>> 0;
	}

	/** Writes 16 bits. sums: offsets of the checksums that cover them, innermost first; the outer ones cover the inner too. */
	set16(o: number, value: number, sums: number[]): void {
		const old = this.u16(o);
		if (old === value) return;
		this.bytes[o] = value >> 8;
		this.bytes[o + 1] = value & 255;
		if (sums.length === 0) return;
		// RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
		const update = (sum: number, from: number, to: number) => {
			let s = (~sum & 0xffff) + (~from & 0xffff) + to;
			s = (s & 0xffff) + (s >> 16);
			s = (s & 0xffff) + (s >> 16);
			return ~s & 0xffff;
		};
		let from = old;
		let to = value;
		const [inner, ...outer] = sums;
		const sum = this.u16(inner);
		this.set16(inner, update(sum, from, to), outer);
		// The outer sums see the change of the field as well.
		for (let i = 0; i < outer.length; i++) {
			from = old;
			to = value;
			this.set16(outer[i], update(this.u16(outer[i]), from, to), outer.slice(i + 1));
		}
	}

	set32(o: number, value: number, sums: number[]): void {
		this.set16(o, value >>> 16, sums);
		this.set16(o + 2, value & 0xffff, sums);
	}
}
