/*
 * net/ipv4/netfilter/iptable_filter.ts: the table filter: may this packet pass?     Linux: net/ipv4/netfilter/iptable_filter.c
 */
import type { Machine } from '../../../kernel/machine.ts';
import {
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_IP_PRI_FILTER,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import { xt_register_template, type xt_table_template } from '../../netfilter/x_tables.ts';
import { ipt_do_table, ipt_register_table } from './ip_tables.ts';

const packet_filter: xt_table_template = {
	name: 'filter',
	valid_hooks: (1 << NF_INET_LOCAL_IN) | (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT),
	af: NFPROTO_IPV4,
	priority: NF_IP_PRI_FILTER,
	table_init: iptable_filter_table_init,
};

function iptable_filter_table_init(net: net): number {
	return ipt_register_table(
		net,
		packet_filter,
		[NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT].map((hooknum) => ({
			hook: ipt_do_table,
			priv: null,
			pf: NFPROTO_IPV4,
			hooknum,
			priority: NF_IP_PRI_FILTER,
			name: 'iptable_filter_hook',
		})),
	);
}

export function iptable_filter_init(machine: Machine): void {
	xt_register_template(machine, packet_filter);
}
