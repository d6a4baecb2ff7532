/*
 * net/netfilter/xt_bpf.ts: match bpf: a classic BPF program over the packet from its IP header on.    Linux: net/netfilter/xt_bpf.c
 * Not here: eBPF programs (by fd or pinned): there is no bpf(2).
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { bpf_check_classic, type sock_filter } from '../../lib/bpf.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_BPF_MAX_NUM_INSTR, XT_BPF_MODE_BYTECODE, xt_bpf_info_v1 } from '../../uapi/linux/netfilter/xt_bpf.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import { bpf_prog_run_clear_cb } from '../core/filter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface bpf_info {
	insns: sock_filter[];
}

function bpf_parse(b: Uint8Array): bpf_info | number {
	const o = xt_bpf_info_v1;
	const n = get_unaligned_le16(b, o.elem_num);
	if (get_unaligned_le16(b, o.mode) !== XT_BPF_MODE_BYTECODE || n > XT_BPF_MAX_NUM_INSTR) return -EINVAL;
	const insns: sock_filter[] = [];
	for (let i = 0; i < n; i++) {
		const at = o.program + i * 8;
		insns.push({ code: get_unaligned_le16(b, at), jt: b[at + 2], jf: b[at + 3], k: get_unaligned_le32(b, at + 4) });
	}
	return { insns };
}

function bpf_mt(skb: sk_buff, par: xt_action_param): boolean {
	return bpf_prog_run_clear_cb(par.matchinfo as bpf_info, skb) !== 0;
}

function bpf_mt_check(par: xt_mtchk_param): number {
	if (bpf_check_classic((par.matchinfo as bpf_info).insns)) return 0;
	printk(par.net.machine, 6, 'xt_bpf: check failed: parse error');
	return -EINVAL;
}

export function bpf_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'bpf',
		revision: 1,
		family: NFPROTO_UNSPEC,
		matchsize: xt_bpf_info_v1.sizeof,
		usersize: xt_bpf_info_v1.filter,
		parse: bpf_parse,
		match: bpf_mt,
		checkentry: bpf_mt_check,
	});
}
