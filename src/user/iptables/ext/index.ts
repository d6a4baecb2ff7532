/*
 * user/iptables/ext/index.ts: the extensions that the tools know.
 */
import type { xt_extension } from '../xtables.ts';
import { addrtype_mt_reg } from './addrtype.ts';
import { comment_mt_reg } from './comment.ts';
import { conntrack_mt_reg, state_mt_reg } from './conntrack.ts';
import { icmp_mt_reg } from './icmp.ts';
import { iprange_mt_reg } from './iprange.ts';
import { limit_mt_reg } from './limit.ts';
import { unknown_mt_reg, unknown_tg_reg } from './linnet_unknown.ts';
import { log_tg_reg } from './log.ts';
import { mac_mt_reg } from './mac.ts';
import { mark_mt_reg, mark_tg_reg } from './mark.ts';
import { match_extensions } from './matches.ts';
import { multiport_mt_reg } from './multiport.ts';
import { dnat_tg_reg, masquerade_tg_reg, redirect_tg_reg, snat_tg_reg } from './nat.ts';
import { reject_tg_reg } from './reject.ts';
import { target_extensions } from './targets.ts';
import { tcp_mt_reg } from './tcp.ts';
import { udp_mt_reg } from './udp.ts';

export const extensions: readonly xt_extension[] = [
	tcp_mt_reg,
	udp_mt_reg,
	{ ...udp_mt_reg, name: 'udplite' },
	icmp_mt_reg,
	conntrack_mt_reg,
	state_mt_reg,
	multiport_mt_reg,
	addrtype_mt_reg,
	comment_mt_reg,
	mark_mt_reg,
	limit_mt_reg,
	iprange_mt_reg,
	mac_mt_reg,
	reject_tg_reg,
	log_tg_reg,
	snat_tg_reg,
	dnat_tg_reg,
	masquerade_tg_reg,
	redirect_tg_reg,
	mark_tg_reg,
	...match_extensions,
	...target_extensions,
	unknown_mt_reg,
	unknown_tg_reg,
];
