/*
 * net/ipv4/netfilter/iptable_nat.ts: the table nat: asked once for each new connection.      Linux: net/ipv4/netfilter/iptable_nat.c
 * It does not hang on the hooks itself: nf_nat does, and asks the table for packets of connections that have no mapping yet.
 */
import type { Machine } from '../../../kernel/machine.ts';
import {
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NF_IP_PRI_NAT_DST,
	NF_IP_PRI_NAT_SRC,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import type { nf_hook_ops } from '../../netfilter/core.ts';
import { nf_nat_ipv4_register_fn } from '../../netfilter/nf_nat_proto.ts';
import { xt_find_table, xt_register_template, type xt_table_template } from '../../netfilter/x_tables.ts';
import { ipt_do_table, ipt_register_table } from './ip_tables.ts';

const nf_nat_ipv4_table: xt_table_template = {
	name: 'nat',
	valid_hooks:
		(1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_LOCAL_IN),
	af: NFPROTO_IPV4,
	priority: NF_IP_PRI_NAT_DST,
	table_init: iptable_nat_table_init,
};

const LOOKUPS: readonly (readonly [number, number])[] = [
	[NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST],
	[NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC],
	[NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST],
	[NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC],
];

function iptable_nat_table_init(net: net): number {
	const err = ipt_register_table(net, nf_nat_ipv4_table, []);
	if (err < 0) return err;
	const table = xt_find_table(net, NFPROTO_IPV4, 'nat');
	for (const [hooknum, priority] of LOOKUPS) {
		const ops: nf_hook_ops = {
			hook: ipt_do_table,
			priv: table,
			pf: NFPROTO_IPV4,
			hooknum,
			priority,
			name: 'iptable_nat_do_chain',
		};
		const ret = nf_nat_ipv4_register_fn(net, ops);
		if (ret < 0) return ret;
	}
	return 0;
}

export function iptable_nat_init(machine: Machine): void {
	xt_register_template(machine, nf_nat_ipv4_table);
}
