/*
 * packet/filter/link.ts: where a filter finds things at each link type.
 * Walk: offsets -> ethertype -> MAC addresses -> broadcast, direction, VLAN.
 */

import { BPF_B, BPF_H, BPF_JEQ, BPF_JGT, BPF_JSET, BPF_W, SKF_AD_OFF, SKF_AD_PKTTYPE } from '../../lib/bpf.ts';
import { be16, be32 } from '../bytes.ts';
import {
	LINKTYPE_ETHERNET,
	LINKTYPE_IPV4,
	LINKTYPE_IPV6,
	LINKTYPE_LINUX_SLL,
	LINKTYPE_LINUX_SLL2,
	LINKTYPE_LOOP,
	LINKTYPE_NULL,
	LINKTYPE_RAW,
	linktypeName,
} from '../capture_file.ts';
import { all, always, and, any, at, type Cond, mask, not, or, test } from './code.ts';
import { FilterError } from './lexer.ts';

const PACKET_OUTGOING = 4;
const NO_MACS = 'ethernet addresses supported only on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel';

export interface LinkOptions {
	readonly linktype: number;
	/** The interface's netmask, for "ip broadcast"; 0 when unknown. */
	readonly netmask: number;
	/** Is the capture live? Then the kernel can say which way a packet went. */
	readonly live: boolean;
}

export class LinkLayer {
	private readonly options: LinkOptions;
	/** Offset of the network header. */
	network: number;
	private type: number;

	constructor(options: LinkOptions) {
		this.options = options;
		const offsets: { readonly [linktype: number]: readonly [number, number] } = {
			[LINKTYPE_ETHERNET]: [12, 14],
			[LINKTYPE_LINUX_SLL]: [14, 16],
			[LINKTYPE_LINUX_SLL2]: [0, 20],
			[LINKTYPE_NULL]: [0, 4],
			[LINKTYPE_LOOP]: [0, 4],
			[LINKTYPE_RAW]: [0, 0],
			[LINKTYPE_IPV4]: [0, 0],
			[LINKTYPE_IPV6]: [0, 0],
		};
		const o = offsets[options.linktype];
		if (o === undefined) throw new FilterError(`unknown data link type ${options.linktype}`);
		[this.type, this.network] = o;
	}

	private get description(): string {
		const l = this.options.linktype;
		if (l === LINKTYPE_IPV4) return 'Raw IPv4';
		if (l === LINKTYPE_IPV6) return 'Raw IPv6';
		return linktypeName(l).description;
	}

	/** Does the packet carry this ethertype? Below 0x600 it is an LLC service access point. */
	ethertype(n: number): Cond {
		const l = this.options.linktype;
		if (l === LINKTYPE_RAW) {
			if (n !== 0x0800 && n !== 0x86dd) return always(false);
			return test([at(BPF_B, this.network), mask(0xf0)], BPF_JEQ, n === 0x0800 ? 0x40 : 0x60);
		}
		if (l === LINKTYPE_IPV4 || l === LINKTYPE_IPV6) return always(n === (l === LINKTYPE_IPV4 ? 0x0800 : 0x86dd));
		if (l === LINKTYPE_NULL || l === LINKTYPE_LOOP) {
			// Address families, in the byte order of the machine that captured (little-endian here) or of the network.
			const family = (v: number) => test([at(BPF_W, 0)], BPF_JEQ, l === LINKTYPE_NULL ? v << 24 : v);
			if (n === 0x0800) return family(2);
			return n === 0x86dd ? any(family(30), family(24), family(28)) : always(false);
		}
		if (n <= 1500 && l === LINKTYPE_ETHERNET)
			return and(not(test([at(BPF_H, this.type)], BPF_JGT, 1500)), test([at(BPF_B, this.network)], BPF_JEQ, n));
		return test([at(BPF_H, this.type)], BPF_JEQ, n);
	}

	/** Is an address of the frame this one? */
	mac(dir: 'src' | 'dst' | 'or' | 'and', a: Uint8Array, error: string = NO_MACS): Cond {
		if (this.options.linktype !== LINKTYPE_ETHERNET) throw new FilterError(error);
		const match = (o: number) =>
			and(test([at(BPF_W, o + 2)], BPF_JEQ, be32(a, 2)), test([at(BPF_H, o)], BPF_JEQ, be16(a, 0)));
		if (dir === 'src') return match(6);
		if (dir === 'dst') return match(0);
		return dir === 'and' ? and(match(6), match(0)) : or(match(6), match(0));
	}

	multicast(): Cond {
		if (this.options.linktype !== LINKTYPE_ETHERNET)
			throw new FilterError(
				'link-layer multicast filters supported only on ethernet/FDDI/token ring/ARCNET/802.11/ATM LANE/Fibre Channel',
			);
		return test([at(BPF_B, 0)], BPF_JSET, 1);
	}

	/** Is the IPv4 destination a broadcast address of the interface's network? */
	broadcast(): Cond {
		const host = ~this.options.netmask >>> 0;
		const load = host === 0xffffffff ? [at(BPF_W, this.network + 16)] : [at(BPF_W, this.network + 16), mask(host)];
		return or(test(load, BPF_JEQ, 0), test(load, BPF_JEQ, host));
	}

	direction(inbound: boolean): Cond {
		const l = this.options.linktype;
		let outgoing: Cond;
		if (l === LINKTYPE_LINUX_SLL) outgoing = test([at(BPF_H, 0)], BPF_JEQ, PACKET_OUTGOING);
		else if (l === LINKTYPE_LINUX_SLL2) outgoing = test([at(BPF_B, 10)], BPF_JEQ, PACKET_OUTGOING);
		else if (this.options.live) outgoing = test([at(BPF_H, SKF_AD_OFF + SKF_AD_PKTTYPE)], BPF_JEQ, PACKET_OUTGOING);
		else throw new FilterError(`inbound/outbound not supported on ${this.description} when reading savefiles`);
		return inbound ? not(outgoing) : outgoing;
	}

	/** A VLAN tag, perhaps with this id; what is said after it is about what the tag carries. */
	vlan(id: number | null): Cond {
		if (this.options.linktype !== LINKTYPE_ETHERNET) throw new FilterError(`no VLAN support for ${this.description}`);
		const tagged = any(...[0x8100, 0x88a8, 0x9100].map((t) => test([at(BPF_H, this.type)], BPF_JEQ, t)));
		const c = id === null ? tagged : all(tagged, test([at(BPF_H, this.network), mask(0xfff)], BPF_JEQ, id));
		this.type += 4;
		this.network += 4;
		return c;
	}
}
