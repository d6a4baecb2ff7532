/*
 * net/netfilter/xt_targets_init.ts: the targets that are not in iptables_init.ts.      Linux: the modules' init calls
 */
import type { Machine } from '../../kernel/machine.ts';

export function xt_targets_init(_machine: Machine): void {}
