/*
 * net/netfilter/xt_matches_init.ts: the matches beside the basic ones.            Linux: the modules' init calls
 */
import type { Machine } from '../../kernel/machine.ts';
import { connlimit_mt_init } from './xt_connlimit.ts';
import { connmark_mt_init } from './xt_connmark.ts';
import { dscp_mt_init } from './xt_dscp.ts';
import { esp_mt_init } from './xt_esp.ts';
import { hashlimit_mt_init } from './xt_hashlimit.ts';
import { helper_mt_init } from './xt_helper.ts';
import { hl_mt_init } from './xt_hl.ts';
import { length_mt_init } from './xt_length.ts';
import { owner_mt_init } from './xt_owner.ts';
import { pkttype_mt_init } from './xt_pkttype.ts';
import { recent_mt_init } from './xt_recent.ts';
import { statistic_mt_init } from './xt_statistic.ts';
import { string_mt_init } from './xt_string.ts';
import { tcpmss_mt_init } from './xt_tcpmss.ts';
import { time_mt_init } from './xt_time.ts';

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
}
