/*
 * net/netfilter/xt_targets_init.ts: the targets besides NAT's, REJECT, LOG and MARK.      Linux: the modules' init calls
 */
import type { Machine } from '../../kernel/machine.ts';
import { checksum_tg_init } from './xt_CHECKSUM.ts';
import { classify_tg_init } from './xt_CLASSIFY.ts';
import { xt_ct_tg_init } from './xt_CT.ts';
import { connmark_tg_init } from './xt_connmark_tg.ts';
import { dscp_tg_init } from './xt_DSCP_tg.ts';
import { ecn_tg_init } from './xt_ecn.ts';
import { hl_tg_init } from './xt_HL_tg.ts';
import { nflog_tg_init } from './xt_NFLOG.ts';
import { nfqueue_tg_init } from './xt_NFQUEUE.ts';
import { secmark_tg_init } from './xt_SECMARK.ts';
import { tcpmss_tg_init } from './xt_TCPMSS_tg.ts';
import { tcpoptstrip_tg_init } from './xt_TCPOPTSTRIP.ts';
import { tee_tg_init } from './xt_TEE.ts';
import { tproxy_tg_init } from './xt_TPROXY.ts';
import { trace_tg_init } from './xt_TRACE.ts';

export function xt_targets_init(machine: Machine): void {
	connmark_tg_init(machine);
	xt_ct_tg_init(machine);
	trace_tg_init(machine);
	hl_tg_init(machine);
	dscp_tg_init(machine);
	tcpmss_tg_init(machine);
	classify_tg_init(machine);
	nfqueue_tg_init(machine);
	checksum_tg_init(machine);
	nflog_tg_init(machine);
	tproxy_tg_init(machine);
	tee_tg_init(machine);
	tcpoptstrip_tg_init(machine);
	ecn_tg_init(machine);
	secmark_tg_init(machine);
}
