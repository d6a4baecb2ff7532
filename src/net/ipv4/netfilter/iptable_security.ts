/*
 * net/ipv4/netfilter/iptable_security.ts: the table security: MAC rules, after filter. Linux: net/ipv4/netfilter/iptable_security.c
 */
import type { Machine } from '../../../kernel/machine.ts';
import {
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_IP_PRI_SECURITY,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import { xt_register_template, type xt_table_template } from '../../netfilter/x_tables.ts';
import { ipt_do_table, ipt_register_table } from './ip_tables.ts';

const security_table: xt_table_template = {
	name: 'security',
	valid_hooks: (1 << NF_INET_LOCAL_IN) | (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT),
	af: NFPROTO_IPV4,
	priority: NF_IP_PRI_SECURITY,
	table_init: iptable_security_table_init,
};

function iptable_security_table_init(net: net): number {
	return ipt_register_table(
		net,
		security_table,
		[NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT].map((hooknum) => ({
			hook: ipt_do_table,
			priv: null,
			pf: NFPROTO_IPV4,
			hooknum,
			priority: NF_IP_PRI_SECURITY,
			name: 'iptable_security_hook',
		})),
	);
}

export function iptable_security_init(machine: Machine): void {
	xt_register_template(machine, security_table);
}
