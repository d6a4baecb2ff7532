/*
 * net/ipv4/netfilter/iptables_init.ts: all of iptables that this kernel has: tables, matches, targets.      Linux: the modules' init calls
 * Boot order: after netfilter_init, nf_conntrack_standalone_init and nf_nat_init.
 */
import { proc_create_net } from '../../../fs/proc_net.ts';
import type { Machine } from '../../../kernel/machine.ts';
import { NFPROTO_IPV4 } from '../../../uapi/linux/netfilter.ts';
import { type net, register_pernet_subsys } from '../../core/net_namespace.ts';
import { xt_extension_names, xt_init, xt_table_names } from '../../netfilter/x_tables.ts';
import { addrtype_mt_init } from '../../netfilter/xt_addrtype.ts';
import { comment_mt_init } from '../../netfilter/xt_comment.ts';
import { conntrack_mt_init } from '../../netfilter/xt_conntrack.ts';
import { iprange_mt_init } from '../../netfilter/xt_iprange.ts';
import { log_tg_init } from '../../netfilter/xt_LOG.ts';
import { limit_mt_init } from '../../netfilter/xt_limit.ts';
import { linnet_unknown_init } from '../../netfilter/xt_linnet_unknown.ts';
import { masquerade_tg_init } from '../../netfilter/xt_MASQUERADE.ts';
import { mac_mt_init } from '../../netfilter/xt_mac.ts';
import { mark_mt_init } from '../../netfilter/xt_mark.ts';
import { xt_matches_init } from '../../netfilter/xt_matches_init.ts';
import { multiport_mt_init } from '../../netfilter/xt_multiport.ts';
import { netmap_tg_init } from '../../netfilter/xt_NETMAP.ts';
import { xt_nat_init } from '../../netfilter/xt_nat.ts';
import { redirect_tg_init } from '../../netfilter/xt_REDIRECT.ts';
import { xt_targets_init } from '../../netfilter/xt_targets_init.ts';
import { tcpudp_mt_init } from '../../netfilter/xt_tcpudp.ts';
import { ip_tables_init } from './ip_tables.ts';
import { reject_tg_init } from './ipt_REJECT.ts';
import { iptable_filter_init } from './iptable_filter.ts';
import { iptable_mangle_init } from './iptable_mangle.ts';
import { iptable_nat_init } from './iptable_nat.ts';
import { iptable_raw_init } from './iptable_raw.ts';
import { iptable_security_init } from './iptable_security.ts';

function names_show(net: net): string {
	return xt_table_names(net, NFPROTO_IPV4);
}

function matches_show(net: net): string {
	return xt_extension_names(net.machine, NFPROTO_IPV4, false);
}

function targets_show(net: net): string {
	return xt_extension_names(net.machine, NFPROTO_IPV4, true);
}

function ip_tables_proc_init(net: net): number {
	proc_create_net(net, 'ip_tables_names', names_show);
	proc_create_net(net, 'ip_tables_matches', matches_show);
	proc_create_net(net, 'ip_tables_targets', targets_show);
	return 0;
}

function ip_tables_proc_exit(_net: net): void {}

export function iptables_init(machine: Machine): void {
	xt_init(machine);
	ip_tables_init(machine);
	register_pernet_subsys(machine, { name: 'ip_tables_proc', init: ip_tables_proc_init, exit: ip_tables_proc_exit });
	iptable_filter_init(machine);
	iptable_mangle_init(machine);
	iptable_nat_init(machine);
	iptable_raw_init(machine);
	iptable_security_init(machine);
	tcpudp_mt_init(machine);
	conntrack_mt_init(machine);
	multiport_mt_init(machine);
	addrtype_mt_init(machine);
	comment_mt_init(machine);
	mark_mt_init(machine);
	limit_mt_init(machine);
	iprange_mt_init(machine);
	mac_mt_init(machine);
	log_tg_init(machine);
	xt_nat_init(machine);
	masquerade_tg_init(machine);
	redirect_tg_init(machine);
	netmap_tg_init(machine);
	reject_tg_init(machine);
	xt_matches_init(machine);
	xt_targets_init(machine);
	linnet_unknown_init(machine);
}
