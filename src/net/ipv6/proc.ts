/*
 * net/ipv6/proc.ts: /proc/net/snmp6.                               Linux: net/ipv6/proc.c
 * Only what the closed door counts moves (RFC 4293). Not here yet: IPv6.
 */
import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { IPSTATS_MIB_INDISCARDS, IPSTATS_MIB_INOCTETS, IPSTATS_MIB_INPKTS } from '../../uapi/linux/snmp.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';

const NAMES: readonly (readonly [string, string])[] = [
	[
		'Ip6',
		'InReceives InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards InDelivers OutForwDatagrams OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates InMcastPkts OutMcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts OutTransmits',
	],
	[
		'Icmp6',
		'InMsgs InErrors OutMsgs OutErrors InCsumErrors OutRateLimitHost InDestUnreachs InPktTooBigs InTimeExcds InParmProblems InEchos InEchoReplies InGroupMembQueries InGroupMembResponses InGroupMembReductions InRouterSolicits InRouterAdvertisements InNeighborSolicits InNeighborAdvertisements InRedirects InMLDv2Reports OutDestUnreachs OutPktTooBigs OutTimeExcds OutParmProblems OutEchos OutEchoReplies OutGroupMembQueries OutGroupMembResponses OutGroupMembReductions OutRouterSolicits OutRouterAdvertisements OutNeighborSolicits OutNeighborAdvertisements OutRedirects OutMLDv2Reports',
	],
	['Udp6', 'InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors'],
	['UdpLite6', 'InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors MemErrors'],
];

const COUNTED: ReadonlyMap<string, number> = new Map([
	['Ip6InReceives', IPSTATS_MIB_INPKTS],
	['Ip6InDiscards', IPSTATS_MIB_INDISCARDS],
	['Ip6InOctets', IPSTATS_MIB_INOCTETS],
]);

export function snmp6_seq_show(n: net): string {
	let out = '';
	for (const [group, names] of NAMES) {
		for (const name of names.split(' ')) {
			const at = COUNTED.get(group + name);
			out += `${(group + name).padEnd(32)}\t${at === undefined ? 0 : n.mib.ipv6_statistics[at]}\n`;
		}
	}
	return out;
}

function ipv6_proc_init_net(n: net): number {
	proc_create_net(n, 'snmp6', snmp6_seq_show);
	return 0;
}

export function ipv6_misc_proc_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ipv6_proc', init: ipv6_proc_init_net, exit: () => {} });
}
