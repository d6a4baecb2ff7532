/*
 * packet/build/typed.ts: layers for TypeScript users: assemble([ether({...}), ip({...}), udp({...}), 'hi']).
 * They are the same objects that the parser makes, with the same fields and defaults; unknown fields are type errors.
 */

import type { Layer, Value } from './notation.ts';

type Addr = string | Uint8Array | null;
type Num = number | null;
type Coded = number | string | null;

export interface EtherFields {
	dst?: Addr;
	src?: Addr;
	type?: Coded;
}
export interface VlanFields {
	prio?: number;
	id?: number;
	vlan?: number;
	type?: Coded;
}
export interface ArpFields {
	hwtype?: number;
	ptype?: Coded;
	hwlen?: Num;
	plen?: Num;
	op?: Coded;
	hwsrc?: Addr;
	psrc?: Addr;
	hwdst?: Addr;
	pdst?: Addr;
}
export interface IpFields {
	version?: number;
	ihl?: Num;
	tos?: number;
	len?: Num;
	id?: number;
	flags?: Coded;
	frag?: number;
	ttl?: number;
	proto?: Coded;
	chksum?: Num;
	src?: Addr | number;
	dst?: Addr | number;
	options?: readonly Layer[] | Uint8Array;
}
export interface IcmpFields {
	type?: Coded;
	code?: Coded;
	chksum?: Num;
	id?: number;
	seq?: number;
	ts_ori?: number;
	ts_rx?: number;
	ts_tx?: number;
	gw?: Addr;
	ptr?: number;
	reserved?: number;
	length?: number;
	addr_mask?: Addr;
	nexthopmtu?: number;
	unused?: Uint8Array | number;
}
export interface UdpFields {
	sport?: Coded;
	dport?: Coded;
	len?: Num;
	chksum?: Num;
}
export interface TcpFields {
	sport?: Coded;
	dport?: Coded;
	seq?: number;
	ack?: number;
	dataofs?: Num;
	reserved?: number;
	flags?: Coded;
	window?: number;
	chksum?: Num;
	urgptr?: number;
	options?: readonly (readonly [string | number, Value])[] | Uint8Array;
}
export interface Ipv6Fields {
	version?: number;
	tc?: number;
	fl?: number;
	plen?: Num;
	nh?: Coded;
	hlim?: number;
	src?: Addr;
	dst?: Addr;
}

function make(layer: string): (fields?: object) => Layer {
	return (fields = {}) => ({ layer, fields: fields as Layer['fields'] });
}

export const ether: (fields?: EtherFields) => Layer = make('Ether');
export const dot1q: (fields?: VlanFields) => Layer = make('Dot1Q');
export const dot1ad: (fields?: VlanFields) => Layer = make('Dot1AD');
export const arp: (fields?: ArpFields) => Layer = make('ARP');
export const ip: (fields?: IpFields) => Layer = make('IP');
export const icmp: (fields?: IcmpFields) => Layer = make('ICMP');
export const udp: (fields?: UdpFields) => Layer = make('UDP');
export const tcp: (fields?: TcpFields) => Layer = make('TCP');
export const ipv6: (fields?: Ipv6Fields) => Layer = make('IPv6');

/** Payload: text (as UTF-8) or bytes. */
export function raw(load: string | Uint8Array): Layer {
	return { layer: 'Raw', fields: { load } };
}

/** Bytes that follow the packet and count in no length, as Ethernet pads short frames. */
export function padding(load: string | Uint8Array): Layer {
	return { layer: 'Padding', fields: { load } };
}

/** Any layer by its name in scapy's notation: layer('GRE', { key_present: 1, key: 5 }). */
export function layer(name: string, fields: { readonly [field: string]: Value | undefined } = {}): Layer {
	return { layer: name, fields };
}
