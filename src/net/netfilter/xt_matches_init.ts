/*
 * net/netfilter/xt_matches_init.ts: the matches beside the basic ones.            Linux: the modules' init calls
 */
import type { Machine } from '../../kernel/machine.ts';
import { bpf_mt_init } from './xt_bpf.ts';
import { cluster_mt_init } from './xt_cluster.ts';
import { connbytes_mt_init } from './xt_connbytes.ts';
import { connlimit_mt_init } from './xt_connlimit.ts';
import { connmark_mt_init } from './xt_connmark.ts';
import { cpu_mt_init } from './xt_cpu.ts';
import { devgroup_mt_init } from './xt_devgroup.ts';
import { dscp_mt_init } from './xt_dscp.ts';
import { ecn_mt_init } from './xt_ecn.ts';
import { esp_mt_init } from './xt_esp.ts';
import { hashlimit_mt_init } from './xt_hashlimit.ts';
import { helper_mt_init } from './xt_helper.ts';
import { hl_mt_init } from './xt_hl.ts';
import { length_mt_init } from './xt_length.ts';
import { owner_mt_init } from './xt_owner.ts';
import { physdev_mt_init } from './xt_physdev.ts';
import { pkttype_mt_init } from './xt_pkttype.ts';
import { policy_mt_init } from './xt_policy.ts';
import { quota_mt_init } from './xt_quota.ts';
import { realm_mt_init } from './xt_realm.ts';
import { recent_mt_init } from './xt_recent.ts';
import { rpfilter_mt_init } from './xt_rpfilter.ts';
import { socket_mt_init } from './xt_socket.ts';
import { statistic_mt_init } from './xt_statistic.ts';
import { string_mt_init } from './xt_string.ts';
import { tcpmss_mt_init } from './xt_tcpmss.ts';
import { time_mt_init } from './xt_time.ts';
import { u32_mt_init } from './xt_u32.ts';

export function xt_matches_init(machine: Machine): void {
	connmark_mt_init(machine);
	pkttype_mt_init(machine);
	owner_mt_init(machine);
	recent_mt_init(machine);
	length_mt_init(machine);
	hl_mt_init(machine);
	dscp_mt_init(machine);
	tcpmss_mt_init(machine);
	statistic_mt_init(machine);
	helper_mt_init(machine);
	connlimit_mt_init(machine);
	hashlimit_mt_init(machine);
	string_mt_init(machine);
	time_mt_init(machine);
	esp_mt_init(machine);
	rpfilter_mt_init(machine);
	physdev_mt_init(machine);
	policy_mt_init(machine);
	socket_mt_init(machine);
	ecn_mt_init(machine);
	quota_mt_init(machine);
	connbytes_mt_init(machine);
	u32_mt_init(machine);
	cpu_mt_init(machine);
	devgroup_mt_init(machine);
	realm_mt_init(machine);
	cluster_mt_init(machine);
	bpf_mt_init(machine);
}
