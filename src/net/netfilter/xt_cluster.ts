/*
 * net/netfilter/xt_cluster.ts: match cluster: which of some nodes a flow belongs to.    Linux: net/netfilter/xt_cluster.c
 * By a hash of the address that opened the flow; a flow that was expected goes with its master.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { EDOM, EINVAL } from '../../uapi/asm-generic/errno.ts';
import { PACKET_HOST, PACKET_MULTICAST } from '../../uapi/linux/if_packet.ts';
import {
	XT_CLUSTER_F_INV,
	XT_CLUSTER_NODES_MAX,
	xt_cluster_match_info,
} from '../../uapi/linux/netfilter/xt_cluster.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { ip_hdr_daddr } from '../ipv4/ip.ts';
import { ipv4_is_multicast } from '../ipv4/route.ts';
import { nf_ct_netns_get } from './nf_conntrack_proto.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_destroy } from './xt_conntrack.ts';

interface cluster_info {
	total_nodes: number;
	node_mask: number;
	hash_seed: number;
	invert: boolean;
}

function cluster_parse(b: Uint8Array): cluster_info | number {
	const o = xt_cluster_match_info;
	const flags = get_unaligned_le32(b, o.flags);
	if ((flags & ~XT_CLUSTER_F_INV) !== 0) return -EINVAL;
	return {
		total_nodes: get_unaligned_le32(b, o.total_nodes),
		node_mask: get_unaligned_le32(b, o.node_mask),
		hash_seed: get_unaligned_le32(b, o.hash_seed),
		invert: flags !== 0,
	};
}

/** As the hash sees an address: in network order on a little-endian machine. */
function swab32(a: number): number {
	return ((a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)) >>> 0;
}

function cluster_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as cluster_info;
	const ct = skb._nfct;
	// The nodes share a multicast Ethernet address: what comes by it is for one of them all the same.
	if (skb.pkt_type === PACKET_MULTICAST && !ipv4_is_multicast(ip_hdr_daddr(skb))) skb.pkt_type = PACKET_HOST;
	if (ct === null) return false;
	const src = (ct.master !== null ? ct.master : ct).orig.src_ip >>> 0;
	// One word: its length, 4 less than 12, goes into the start value.
	const hash = jhash_3words(swab32(src), 0, 0, (info.hash_seed - 8) | 0) >>> 0;
	const node = Math.floor((hash * info.total_nodes) / 0x100000000);
	return (((info.node_mask >>> node) & 1) === 1) !== info.invert;
}

function cluster_mt_checkentry(par: xt_mtchk_param): number {
	const info = par.matchinfo as cluster_info;
	if (info.total_nodes === 0 || info.total_nodes > XT_CLUSTER_NODES_MAX) {
		printk(
			par.net.machine,
			6,
			`xt_cluster: you have exceeded the maximum number of cluster nodes (${info.total_nodes} > ${XT_CLUSTER_NODES_MAX})`,
		);
		return -EINVAL;
	}
	if (info.node_mask >= 2 ** info.total_nodes) {
		printk(par.net.machine, 6, 'xt_cluster: node mask cannot exceed total number of nodes');
		return -EDOM;
	}
	return nf_ct_netns_get(par.net, par.family);
}

export function cluster_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'cluster',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_cluster_match_info.sizeof,
		parse: cluster_parse,
		match: cluster_mt,
		checkentry: cluster_mt_checkentry,
		destroy: conntrack_mt_destroy,
	});
}
