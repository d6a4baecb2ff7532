/*
 * packet/dissect/headers.ts: the parsed form of headers, for people and tests.
 * Numbers are in host order; addresses are text. Every header says where it stands (offset) and how long it is (length).
 */

export interface Base {
	/** Offset of the header's first byte in what was dissected. */
	readonly offset: number;
	/** Bytes of the header itself. */
	readonly length: number;
}

/** What a checksum field says: good, bad (then what would be right), absent, or not to be known (truncated, a fragment). */
export interface Checksum {
	readonly value: number;
	readonly state: 'good' | 'bad' | 'absent' | 'unknown';
	readonly expected?: number;
}

export interface EtherHeader extends Base {
	readonly layer: 'ether';
	readonly dst: string;
	readonly src: string;
	readonly type: number;
}
export interface CookedHeader extends Base {
	readonly layer: 'sll';
	readonly version: 1 | 2;
	readonly packetType: number;
	readonly hardware: number;
	readonly src: string;
	readonly type: number;
	readonly ifindex: number;
}
export interface VlanHeader extends Base {
	readonly layer: 'vlan';
	readonly tpid: number;
	readonly id: number;
	readonly priority: number;
	readonly dei: number;
	readonly type: number;
}
export interface LlcHeader extends Base {
	readonly layer: 'llc';
	readonly dsap: number;
	readonly ssap: number;
	readonly control: number;
}
export interface ArpHeader extends Base {
	readonly layer: 'arp';
	readonly hardware: number;
	readonly protocol: number;
	readonly operation: number;
	readonly senderMac: string;
	readonly sender: string;
	readonly targetMac: string;
	readonly target: string;
}
export interface OptionField {
	readonly type: number;
	readonly name: string;
	/** In words, such as "1460" or "10.0.0.1 10.0.0.2"; '' when it has no value. */
	readonly text: string;
	readonly data: Uint8Array;
}
export interface Ipv4Header extends Base {
	readonly layer: 'ipv4';
	readonly version: number;
	readonly tos: number;
	readonly totalLength: number;
	readonly id: number;
	readonly df: boolean;
	readonly mf: boolean;
	readonly evil: boolean;
	/** Fragment offset in bytes. */
	readonly fragment: number;
	readonly ttl: number;
	readonly protocol: number;
	readonly checksum: Checksum;
	readonly src: string;
	readonly dst: string;
	readonly options: readonly OptionField[];
}
export interface Ipv6Header extends Base {
	readonly layer: 'ipv6';
	readonly trafficClass: number;
	readonly flowLabel: number;
	readonly payloadLength: number;
	readonly nextHeader: number;
	readonly hopLimit: number;
	readonly src: string;
	readonly dst: string;
}
export interface Ipv6ExtHeader extends Base {
	readonly layer: 'ipv6-ext';
	readonly kind: 'hop-by-hop' | 'routing' | 'fragment' | 'destination';
	readonly nextHeader: number;
	/** Of a fragment header: offset in bytes, more fragments, identification. */
	readonly fragment?: number;
	readonly mf?: boolean;
	readonly id?: number;
	readonly segmentsLeft?: number;
}
export interface IcmpHeader extends Base {
	readonly layer: 'icmp';
	readonly type: number;
	readonly code: number;
	readonly name: string;
	readonly checksum: Checksum;
	readonly id?: number;
	readonly seq?: number;
	readonly gateway?: string;
	readonly mtu?: number;
	readonly pointer?: number;
	/** The packet that an error quotes, as far as it was quoted. */
	readonly quoted?: readonly Header[];
}
export interface Icmpv6Header extends Base {
	readonly layer: 'icmpv6';
	readonly type: number;
	readonly code: number;
	readonly name: string;
	readonly checksum: Checksum;
	readonly id?: number;
	readonly seq?: number;
	readonly mtu?: number;
	readonly pointer?: number;
	readonly target?: string;
	readonly quoted?: readonly Header[];
}
export interface UdpHeader extends Base {
	readonly layer: 'udp';
	readonly sport: number;
	readonly dport: number;
	readonly totalLength: number;
	readonly checksum: Checksum;
}
export interface TcpHeader extends Base {
	readonly layer: 'tcp';
	readonly sport: number;
	readonly dport: number;
	readonly seq: number;
	readonly ack: number;
	/** Letters of tcpdump: F S R P . U E W (and e for AE). */
	readonly flags: string;
	readonly flagBits: number;
	readonly window: number;
	readonly urgent: number;
	readonly checksum: Checksum;
	readonly options: readonly OptionField[];
}
export interface IgmpHeader extends Base {
	readonly layer: 'igmp';
	readonly type: number;
	readonly name: string;
	readonly maxResponse: number;
	readonly group: string;
	readonly checksum: Checksum;
	/** Of a version 3 report: its group records. */
	readonly records?: readonly { readonly type: number; readonly group: string; readonly sources: readonly string[] }[];
}
export interface GreHeader extends Base {
	readonly layer: 'gre';
	readonly version: number;
	readonly protocol: number;
	readonly key?: number;
	readonly sequence?: number;
	readonly checksum: Checksum;
}
export interface EspHeader extends Base {
	readonly layer: 'esp';
	readonly spi: number;
	readonly seq: number;
}
export interface AhHeader extends Base {
	readonly layer: 'ah';
	readonly nextHeader: number;
	readonly spi: number;
	readonly seq: number;
	readonly icv: Uint8Array;
}
export interface SctpHeader extends Base {
	readonly layer: 'sctp';
	readonly sport: number;
	readonly dport: number;
	readonly tag: number;
	readonly checksum: Checksum;
	readonly chunks: readonly {
		readonly type: number;
		readonly name: string;
		readonly flags: number;
		readonly length: number;
	}[];
}
export interface VxlanHeader extends Base {
	readonly layer: 'vxlan';
	readonly vni: number;
	readonly flags: number;
}
export interface DhcpHeader extends Base {
	readonly layer: 'dhcp';
	readonly op: number;
	readonly xid: number;
	readonly message: string;
	readonly clientMac: string;
	readonly client: string;
	readonly yours: string;
	readonly server: string;
	readonly relay: string;
	readonly options: readonly OptionField[];
}
export interface DnsHeader extends Base {
	readonly layer: 'dns';
	readonly id: number;
	readonly response: boolean;
	readonly opcode: number;
	readonly rcode: number;
	readonly questions: readonly { readonly name: string; readonly type: string }[];
	readonly answers: readonly {
		readonly name: string;
		readonly type: string;
		readonly text: string;
		readonly ttl: number;
	}[];
}

export type Header =
	| EtherHeader
	| CookedHeader
	| VlanHeader
	| LlcHeader
	| ArpHeader
	| Ipv4Header
	| Ipv6Header
	| Ipv6ExtHeader
	| IcmpHeader
	| Icmpv6Header
	| UdpHeader
	| TcpHeader
	| IgmpHeader
	| GreHeader
	| EspHeader
	| AhHeader
	| SctpHeader
	| VxlanHeader
	| DhcpHeader
	| DnsHeader;

export type LayerName = Header['layer'];
export type HeaderOf<L extends LayerName> = Extract<Header, { layer: L }>;

/** Where a parser stands, and what it has found. */
export interface Walk {
	readonly b: Uint8Array;
	readonly headers: Header[];
	readonly problems: string[];
	/** Where the bytes of the innermost header that was understood end, and what carries them ends. */
	at: number;
	end: number;
	/** Is what is walked a quotation, cut short on purpose? */
	readonly quoted: boolean;
	/** Only what a line tells: checksums are not judged, options not read. */
	readonly brief: boolean;
	/** How many headers have been read, quotations counted too. */
	depth: number;
	/** The addresses below, for pseudo-headers; null when there are none. */
	src: Uint8Array | null;
	dst: Uint8Array | null;
	/** Is the payload a fragment, so that no checksum over it can be checked? */
	fragment: boolean;
	/** What follows the header that was read last, or null when nothing does that we know. */
	next: { readonly kind: 'ethertype' | 'protocol'; readonly number: number } | null;
	/** Reads on until nothing follows. */
	readonly run: (w: Walk) => void;
}

/** Says what follows the header that was just read. */
export function follow(w: Walk, kind: 'ethertype' | 'protocol', number: number): void {
	w.next = { kind, number };
}

export const MAX_DEPTH = 24;

/** Notes that a header is cut short. Return: false, for the caller to return. */
export function short(w: Walk, what: string, need: number): false {
	const have = Math.max(0, Math.min(w.end, w.b.length) - w.at);
	w.problems.push(`${what} truncated: ${have} of ${need} bytes`);
	return false;
}

/** Are n more bytes there? */
export function room(w: Walk, n: number): boolean {
	return w.at + n <= w.end && w.at + n <= w.b.length;
}
