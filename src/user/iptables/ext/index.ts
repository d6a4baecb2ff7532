/*
 * user/iptables/ext/index.ts: the extensions that the tools know.
 */
import type { xt_extension } from '../xtables.ts';
import { unknown_mt_reg, unknown_tg_reg } from './linnet_unknown.ts';
import { tcp_mt_reg } from './tcp.ts';

export const extensions: readonly xt_extension[] = [tcp_mt_reg, unknown_mt_reg, unknown_tg_reg];
