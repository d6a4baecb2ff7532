/*
 * user/iptables/ext/trace.ts: -j TRACE.                            Original: extensions/libxt_TRACE.c
 */
import type { xt_extension } from '../xtables.ts';

export const trace_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TRACE',
	revision: 0,
	size: 0,
	options: [],
	print: () => '',
	save: () => '',
};
