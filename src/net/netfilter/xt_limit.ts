/*
 * net/netfilter/xt_limit.ts: match limit: a token bucket.          Linux: net/netfilter/xt_limit.c
 * Credit grows by 128 a jiffy; a packet costs `avg` (units of 1/10000 s) worth of it. Refilled when the rule is loaded anew.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { HZ } from '../../kernel/time.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { ERANGE } from '../../uapi/asm-generic/errno.ts';
import { XT_LIMIT_SCALE, xt_rateinfo } from '../../uapi/linux/netfilter/xt_limit.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

const CREDITS_PER_JIFFY = 128;

interface limit_info {
	avg: number;
	burst: number;
	/** In jiffies. */
	prev: number;
	credit: number;
	credit_cap: number;
	cost: number;
}

function limit_parse(b: Uint8Array): limit_info {
	return {
		avg: get_unaligned_le32(b, xt_rateinfo.avg),
		burst: get_unaligned_le32(b, xt_rateinfo.burst),
		prev: 0,
		credit: 0,
		credit_cap: 0,
		cost: 0,
	};
}

/** Units of 1/10000 s to credits, in 32 bits as Linux has them. */
function user2credits(user: number): number {
	if (user > Math.floor(0xffffffff / (HZ * CREDITS_PER_JIFFY)))
		return (Math.floor(user / XT_LIMIT_SCALE) * HZ * CREDITS_PER_JIFFY) >>> 0;
	return Math.floor((user * HZ * CREDITS_PER_JIFFY) / XT_LIMIT_SCALE);
}

function limit_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as limit_info;
	const now = skb.machine.jiffies;
	const credit = Math.min(info.credit + (now - info.prev) * CREDITS_PER_JIFFY, info.credit_cap);
	info.prev = now;
	if (credit < info.cost) {
		info.credit = credit;
		return false;
	}
	info.credit = credit - info.cost;
	return true;
}

function limit_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as limit_info;
	const all = Math.imul(info.avg, info.burst) >>> 0;
	if (info.burst === 0 || user2credits(all) < user2credits(info.avg)) {
		printk(par.net.machine, 6, `xt_limit: Overflow, try lower: ${info.avg}/${info.burst}`);
		return -ERANGE;
	}
	info.prev = par.net.machine.jiffies;
	info.credit = user2credits(all);
	info.credit_cap = info.credit;
	info.cost = user2credits(info.avg);
	return 0;
}

export function limit_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'limit',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_rateinfo.sizeof,
		usersize: xt_rateinfo.prev,
		parse: limit_parse,
		match: limit_mt,
		checkentry: limit_mt_check,
	});
}
