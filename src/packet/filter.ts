/*
 * packet/filter.ts: the pcap filter language, compiled to classic BPF: compileFilter('tcp port 80').match(frame).
 * The same program can be attached to a socket (SO_ATTACH_FILTER). Errors are tcpdump's, as FilterError.
 * There is no optimiser: where a packet ends before a field that a later alternative reads, libpcap may have asked in another order.
 */

import { bpf_run, type sock_filter } from '../lib/bpf.ts';
import { LINKTYPE_ETHERNET, MAX_PACKET } from './capture_file.ts';
import { program } from './filter/code.ts';
import { LinkLayer } from './filter/link.ts';
import { Parser } from './filter/parse.ts';

export { FilterError } from './filter/lexer.ts';

export interface FilterOptions {
	readonly linktype?: number;
	readonly snaplen?: number;
	/** The interface's netmask in host order, for "ip broadcast". */
	readonly netmask?: number;
	/** For a live capture: "inbound" and "outbound" ask the kernel. */
	readonly live?: boolean;
}

export interface PacketFilter {
	readonly insns: readonly sock_filter[];
	/** Does a packet pass? wireLength is what it was long before it was cut. */
	match(data: Uint8Array, wireLength?: number): boolean;
}

/** Compiles a filter; the empty one takes everything. Throws FilterError. */
export function compileFilter(text: string, options: FilterOptions = {}): PacketFilter {
	const link = new LinkLayer({
		linktype: options.linktype ?? LINKTYPE_ETHERNET,
		netmask: options.netmask ?? 0,
		live: options.live ?? false,
	});
	const insns = program(new Parser(text, link).parse(), options.snaplen ?? MAX_PACKET);
	return {
		insns,
		match: (data, wireLength = data.length) => bpf_run(insns, data, wireLength, data.length) !== 0,
	};
}
