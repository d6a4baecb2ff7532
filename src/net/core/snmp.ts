/*
 * net/core/snmp.ts: MIB counters of a namespace.                   Linux: net/snmp.h, net/netns/mib.h
 * Indices are the constants of uapi/linux/snmp.ts. Doubles hold whole numbers up to 2^53.
 */
import {
	__ICMP_MIB_MAX,
	__ICMPMSG_MIB_MAX,
	__IPSTATS_MIB_MAX,
	__LINUX_MIB_MAX,
	__TCP_MIB_MAX,
	__UDP_MIB_MAX,
} from '../../uapi/linux/snmp.ts';
import type { net } from './net_namespace.ts';

export class netns_mib {
	ip_statistics = new Float64Array(__IPSTATS_MIB_MAX);
	icmp_statistics = new Float64Array(__ICMP_MIB_MAX);
	icmpmsg_statistics = new Float64Array(__ICMPMSG_MIB_MAX);
	tcp_statistics = new Float64Array(__TCP_MIB_MAX);
	udp_statistics = new Float64Array(__UDP_MIB_MAX);
	udplite_statistics = new Float64Array(__UDP_MIB_MAX);
	net_statistics = new Float64Array(__LINUX_MIB_MAX);
	ipv6_statistics = new Float64Array(__IPSTATS_MIB_MAX);
}

export function IP_INC_STATS(net: net, field: number): void {
	net.mib.ip_statistics[field]++;
}

export function IP_ADD_STATS(net: net, field: number, n: number): void {
	net.mib.ip_statistics[field] += n;
}

/** Counts a packet and its octets: `field` is the packets' index, `octets` the octets'. */
export function IP_UPD_PO_STATS(net: net, field: number, octets: number, len: number): void {
	net.mib.ip_statistics[field]++;
	net.mib.ip_statistics[octets] += len;
}

export function ICMP_INC_STATS(net: net, field: number): void {
	net.mib.icmp_statistics[field]++;
}

export function UDP_INC_STATS(net: net, field: number): void {
	net.mib.udp_statistics[field]++;
}

export function TCP_INC_STATS(net: net, field: number): void {
	net.mib.tcp_statistics[field]++;
}

export function TCP_DEC_STATS(net: net, field: number): void {
	net.mib.tcp_statistics[field]--;
}

export function NET_INC_STATS(net: net, field: number): void {
	net.mib.net_statistics[field]++;
}

export function NET_ADD_STATS(net: net, field: number, n: number): void {
	net.mib.net_statistics[field] += n;
}
