/*
 * user/iptables/ext/matches.ts: the matches beside the basic ones.
 */
import type { xt_extension } from '../xtables.ts';
import { bpf_mt_reg } from './bpf.ts';
import { cluster_mt_reg } from './cluster.ts';
import { connbytes_mt_reg } from './connbytes.ts';
import { connlabel_mt_reg } from './connlabel.ts';
import { connlimit_mt_reg } from './connlimit.ts';
import { connmark_mt_reg } from './connmark.ts';
import { cpu_mt_reg } from './cpu.ts';
import { dccp_mt_reg } from './dccp.ts';
import { devgroup_mt_reg } from './devgroup.ts';
import { dscp_mt_reg, tos_mt_reg } from './dscp.ts';
import { ecn_mt_reg } from './ecn.ts';
import { ah_mt_reg, esp_mt_reg } from './esp.ts';
import { hashlimit_mt_reg } from './hashlimit.ts';
import { helper_mt_reg } from './helper.ts';
import { ipcomp_mt_reg } from './ipcomp.ts';
import { length_mt_reg } from './length.ts';
import { owner_mt_reg } from './owner.ts';
import { physdev_mt_reg } from './physdev.ts';
import { pkttype_mt_reg } from './pkttype.ts';
import { policy_mt_reg } from './policy.ts';
import { quota_mt_reg } from './quota.ts';
import { realm_mt_reg } from './realm.ts';
import { recent_mt_reg } from './recent.ts';
import { rpfilter_mt_reg } from './rpfilter.ts';
import { sctp_mt_reg } from './sctp.ts';
import { set_mt_reg } from './set.ts';
import { socket_mt_reg } from './socket.ts';
import { statistic_mt_reg } from './statistic.ts';
import { string_mt_reg } from './string.ts';
import { tcpmss_mt_reg } from './tcpmss.ts';
import { time_mt_reg } from './time.ts';
import { ttl_mt_reg } from './ttl.ts';
import { u32_mt_reg } from './u32.ts';

export const match_extensions: readonly xt_extension[] = [
	connmark_mt_reg,
	pkttype_mt_reg,
	owner_mt_reg,
	recent_mt_reg,
	length_mt_reg,
	ttl_mt_reg,
	dscp_mt_reg,
	tos_mt_reg,
	tcpmss_mt_reg,
	statistic_mt_reg,
	helper_mt_reg,
	connlimit_mt_reg,
	hashlimit_mt_reg,
	string_mt_reg,
	time_mt_reg,
	esp_mt_reg,
	ah_mt_reg,
	set_mt_reg,
	rpfilter_mt_reg,
	physdev_mt_reg,
	policy_mt_reg,
	socket_mt_reg,
	ecn_mt_reg,
	quota_mt_reg,
	connbytes_mt_reg,
	u32_mt_reg,
	cpu_mt_reg,
	devgroup_mt_reg,
	realm_mt_reg,
	cluster_mt_reg,
	bpf_mt_reg,
	sctp_mt_reg,
	dccp_mt_reg,
	ipcomp_mt_reg,
	connlabel_mt_reg,
];
