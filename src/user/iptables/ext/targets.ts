/*
 * user/iptables/ext/targets.ts: the targets besides NAT's, REJECT, LOG and MARK.
 */
import type { xt_extension } from '../xtables.ts';
import { checksum_tg_reg } from './checksum.ts';
import { classify_tg_reg } from './classify.ts';
import { connmark_tg_reg } from './connmark_tg.ts';
import { ct_tg_reg, notrack_tg_reg } from './ct.ts';
import { dscp_tg_reg, tos_tg_reg } from './dscp_tg.ts';
import { ecn_tg_reg } from './ecn.ts';
import { netmap_tg_reg } from './netmap.ts';
import { nflog_tg_reg } from './nflog.ts';
import { nfqueue_tg_reg } from './nfqueue.ts';
import { audit_tg_reg, connsecmark_tg_reg, secmark_tg_reg } from './secmark.ts';
import { set_tg_reg } from './set.ts';
import { tcpmss_tg_reg } from './tcpmss_tg.ts';
import { tcpoptstrip_tg_reg } from './tcpoptstrip.ts';
import { tee_tg_reg } from './tee.ts';
import { tproxy_tg_reg } from './tproxy.ts';
import { trace_tg_reg } from './trace.ts';
import { ttl_tg_reg } from './ttl_tg.ts';

export const target_extensions: readonly xt_extension[] = [
	connmark_tg_reg,
	ct_tg_reg,
	notrack_tg_reg,
	trace_tg_reg,
	ttl_tg_reg,
	dscp_tg_reg,
	tos_tg_reg,
	tcpmss_tg_reg,
	classify_tg_reg,
	nfqueue_tg_reg,
	netmap_tg_reg,
	checksum_tg_reg,
	nflog_tg_reg,
	set_tg_reg,
	tproxy_tg_reg,
	tee_tg_reg,
	tcpoptstrip_tg_reg,
	ecn_tg_reg,
	audit_tg_reg,
	secmark_tg_reg,
	connsecmark_tg_reg,
];
