/*
 * user/iptables/ext/cluster.ts: -m cluster.                        Original: extensions/libxt_cluster.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_cluster_match_info as info } from '../../../uapi/linux/netfilter/xt_cluster.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const O_TOTAL = 0;
const O_NODE = 1;
const O_MASK = 2;
const O_SEED = 3;
const NODES_MAX = 32;

const hex8 = (n: number): string => '0x' + n.toString(16).padStart(8, '0');

export const cluster_mt_reg: xt_extension = {
	kind: 'match',
	name: 'cluster',
	revision: 0,
	size: info.sizeof,
	options: [
		{
			name: 'cluster-total-nodes',
			id: O_TOTAL,
			type: 'uint32',
			min: 1,
			max: NODES_MAX,
			flags: XTOPT_MAND,
			put: info.total_nodes,
		},
		{
			name: 'cluster-local-node',
			id: O_NODE,
			type: 'uint32',
			min: 1,
			max: NODES_MAX,
			flags: XTOPT_INVERT,
			excl: 1 << O_MASK,
		},
		{
			name: 'cluster-local-nodemask',
			id: O_MASK,
			type: 'uint32',
			min: 1,
			max: NODES_MAX,
			flags: XTOPT_INVERT,
			excl: 1 << O_NODE,
			put: info.node_mask,
		},
		{ name: 'cluster-hash-seed', id: O_SEED, type: 'uint32', flags: XTOPT_MAND, put: info.hash_seed },
	],
	help: [
		'    --cluster-total-nodes n',
		'[!] --cluster-local-node n | [!] --cluster-local-nodemask mask',
		'    --cluster-hash-seed n',
	],
	parse(cb) {
		if (cb.entry.id === O_NODE) put_unaligned_le32(cb.data, info.node_mask, 2 ** (cb.num - 1));
		if (cb.invert) cb.data[info.flags] |= 1;
	},
	final_check(cb) {
		const d = cb.data;
		const x = cb.x;
		const all = 2 ** get_unaligned_le32(d, info.total_nodes);
		if ((cb.xflags & ((1 << O_NODE) | (1 << O_MASK))) === 0)
			x.error(PARAMETER_PROBLEM, "cluster match: `--cluster-local-node' or`--cluster-local-nodemask' is missing");
		if ((cb.xflags & (1 << O_TOTAL)) === 0 || get_unaligned_le32(d, info.node_mask) < all) return;
		if ((cb.xflags & (1 << O_NODE)) !== 0)
			x.error(PARAMETER_PROBLEM, "cluster match: `--cluster-local-node' must be <= `--cluster-total-nodes'");
		x.error(PARAMETER_PROBLEM, "cluster match: `--cluster-local-nodemask' too big for `--cluster-total-nodes'");
	},
	print(d) {
		const bang = (d[info.flags] & 1) !== 0 ? '!' : '';
		return ` cluster ${bang}node_mask=${hex8(get_unaligned_le32(d, info.node_mask))} total_nodes=${get_unaligned_le32(d, info.total_nodes)} hash_seed=${hex8(get_unaligned_le32(d, info.hash_seed))}`;
	},
	save(d) {
		const bang = (d[info.flags] & 1) !== 0 ? ' !' : '';
		return `${bang} --cluster-local-nodemask ${hex8(get_unaligned_le32(d, info.node_mask))} --cluster-total-nodes ${get_unaligned_le32(d, info.total_nodes)} --cluster-hash-seed ${hex8(get_unaligned_le32(d, info.hash_seed))}`;
	},
};
