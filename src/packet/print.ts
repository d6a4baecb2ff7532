/*
 * packet/print.ts: packets as tcpdump 4.99.3 prints them.
 * new Printer({ n: true, v: 1 }).packet({ sec, nsec, data, origLen, linktype }) gives what tcpdump would write, without the last newline.
 * A Printer remembers TCP conversations (for relative sequence numbers) and times, so one is needed for each stream of packets.
 * Walk: timestamps -> the packet (link.ts and on) -> hex and characters. What tcpdump also knows and this does not (SNMP, BGP, OSPF, …)
 * is printed as its transport's length.
 */

import { LINKTYPE_ETHERNET } from './capture_file.ts';
import { Context, hexDump, type Inner, type Memory, type PrintOptions, Truncated } from './print/context.ts';
import { ip, ipProto } from './print/ip.ts';
import { ip6 } from './print/ip6.ts';
import { ether, ethertype, link } from './print/link.ts';

export type { PrintOptions } from './print/context.ts';

/** What a printer needs of a packet. */
export interface PacketToPrint {
	readonly sec: number;
	readonly nsec: number;
	readonly data: Uint8Array;
	readonly origLen?: number;
	readonly linktype?: number;
}

const INNER: Inner = { ip, ip6, ether, ethertype, ipProto };

export class Printer {
	private readonly options: PrintOptions;
	private readonly memory: Memory = { conversations: new Map() };
	private last: { sec: number; nsec: number } | null = null;
	private count = 0;

	constructor(options: PrintOptions = {}) {
		this.options = options;
	}

	/** One packet, which may take several lines. */
	packet(p: PacketToPrint): string {
		const { options } = this;
		this.count++;
		const number = options.number ? `${String(this.count).padStart(5)}  ` : '';
		const c = new Context(p.data, options, this.memory, INNER);
		const linktype = p.linktype ?? LINKTYPE_ETHERNET;
		let header = 0;
		try {
			header = link(c, linktype, p.origLen ?? p.data.length);
		} catch (e) {
			if (!(e instanceof Truncated)) throw e;
			c.truncated();
			// As in tcpdump: a packet whose printing was broken off is shown whole.
			header = 0;
		}
		return number + this.time(p) + c.text + this.bytes(p.data, header);
	}

	private bytes(b: Uint8Array, header: number): string {
		const { x = 0, X = 0, A = 0 } = this.options;
		const from = (level: number) => b.subarray(level > 1 ? 0 : Math.min(header, b.length));
		if (X > 0) return hexDump('\n\t', from(X), true);
		if (x > 0) return hexDump('\n\t', from(x), false);
		if (A === 0) return '';
		const rest = from(A);
		if (rest.length === 0) return '';
		let s = '\n';
		for (let i = 0; i < rest.length; i++) {
			const v = rest[i];
			if (v === 0x0d) {
				// A carriage return is shown only where no newline follows it.
				if (rest[i + 1] === 0x0a) continue;
				s += '.';
			} else s += v === 0x0a || v === 0x09 || (v >= 0x20 && v < 0x7f) ? String.fromCharCode(v) : '.';
		}
		return s;
	}

	private time(p: PacketToPrint): string {
		const { t = 0, digits = 6, utcOffset = 0 } = this.options;
		const fraction = (nsec: number) => String(digits === 9 ? nsec : Math.floor(nsec / 1000)).padStart(digits, '0');
		if (t === 1) return '';
		if (t === 2) return `${p.sec}.${fraction(p.nsec)} `;
		if (t === 3 || t === 5) {
			const base = this.last ?? p;
			let sec = p.sec - base.sec;
			let nsec = p.nsec - base.nsec;
			let sign = ' ';
			if (sec < 0 || (sec === 0 && nsec < 0)) {
				sec = -sec;
				nsec = -nsec;
				sign = '-';
			}
			if (nsec < 0) {
				sec--;
				nsec += 1e9;
			}
			if (t === 3 || this.last === null) this.last = { sec: p.sec, nsec: p.nsec };
			return `${sign}${clock(sec)}.${fraction(nsec)} `;
		}
		const local = p.sec + utcOffset * 60;
		const day = Math.floor(local / 86400);
		const text = `${clock(local - day * 86400)}.${fraction(p.nsec)} `;
		return t === 4 ? `${date(day)} ${text}` : text;
	}
}

function two(v: number): string {
	return String(v).padStart(2, '0');
}

function clock(sec: number): string {
	return `${two(Math.floor(sec / 3600))}:${two(Math.floor(sec / 60) % 60)}:${two(sec % 60)}`;
}

/** Days since 1970 as a date of the Gregorian calendar. */
function date(day: number): string {
	const z = day + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const m = mp < 10 ? mp + 3 : mp - 9;
	return `${yoe + era * 400 + (m <= 2 ? 1 : 0)}-${two(m)}-${two(doy - Math.floor((153 * mp + 2) / 5) + 1)}`;
}
