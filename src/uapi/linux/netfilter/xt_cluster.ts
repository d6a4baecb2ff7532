/*
 * uapi/linux/netfilter/xt_cluster.ts: match cluster.   Linux: uapi/linux/netfilter/xt_cluster.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CLUSTER_F_INV = 1;
export const XT_CLUSTER_NODES_MAX = 32;

export const xt_cluster_match_info = {
	sizeof: 16,
	total_nodes: 0,
	node_mask: 4,
	hash_seed: 8,
	flags: 12,
};
