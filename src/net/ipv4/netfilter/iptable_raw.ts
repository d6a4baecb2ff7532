/*
 * net/ipv4/netfilter/iptable_raw.ts: the table raw: before connection tracking. Linux: net/ipv4/netfilter/iptable_raw.c
 */
import type { Machine } from '../../../kernel/machine.ts';
import { NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, NFPROTO_IPV4 } from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import { xt_register_template, type xt_table_template } from '../../netfilter/x_tables.ts';
import { ipt_do_table, ipt_register_table } from './ip_tables.ts';

const packet_raw: xt_table_template = {
	name: 'raw',
	valid_hooks: (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_OUT),
	af: NFPROTO_IPV4,
	priority: NF_IP_PRI_RAW,
	table_init: iptable_raw_table_init,
};

function iptable_raw_table_init(net: net): number {
	return ipt_register_table(
		net,
		packet_raw,
		[NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT].map((hooknum) => ({
			hook: ipt_do_table,
			priv: null,
			pf: NFPROTO_IPV4,
			hooknum,
			priority: NF_IP_PRI_RAW,
			name: 'iptable_raw_hook',
		})),
	);
}

export function iptable_raw_init(machine: Machine): void {
	xt_register_template(machine, packet_raw);
}
