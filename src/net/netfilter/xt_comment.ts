/*
 * net/netfilter/xt_comment.ts: match comment: takes every packet.  Linux: net/netfilter/xt_comment.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { XT_MAX_COMMENT_LEN } from '../../uapi/linux/netfilter/xt_comment.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import { xt_register_match } from './x_tables.ts';

function comment_parse(): null {
	return null;
}

function comment_mt(): boolean {
	return true;
}

export function comment_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'comment',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: XT_MAX_COMMENT_LEN,
		parse: comment_parse,
		match: comment_mt,
	});
}
