/*
 * net/netfilter/xt_quota.ts: match quota: until so many bytes went by.    Linux: net/netfilter/xt_quota.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_QUOTA_INVERT, XT_QUOTA_MASK, xt_quota_info } from '../../uapi/linux/netfilter/xt_quota.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface quota_info {
	invert: boolean;
	/** Bytes left. Above 2^53 it is not exact. */
	quota: number;
}

function quota_parse(b: Uint8Array): quota_info | number {
	const o = xt_quota_info;
	const flags = get_unaligned_le32(b, o.flags);
	if ((flags & ~XT_QUOTA_MASK) !== 0) return -EINVAL;
	return {
		invert: (flags & XT_QUOTA_INVERT) !== 0,
		quota: get_unaligned_le32(b, o.quota) + get_unaligned_le32(b, o.quota + 4) * 0x100000000,
	};
}

function quota_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as quota_info;
	if (info.quota >= skb.len) {
		info.quota -= skb.len;
		return !info.invert;
	}
	// One that is too large ends it for small ones too.
	info.quota = 0;
	return info.invert;
}

export function quota_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'quota',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_quota_info.sizeof,
		usersize: xt_quota_info.master,
		parse: quota_parse,
		match: quota_mt,
	});
}
