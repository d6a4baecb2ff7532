/*
 * user/iptables/ext/comment.ts: -m comment.                        Original: extensions/libxt_comment.c
 */
import { XT_MAX_COMMENT_LEN } from '../../../uapi/linux/netfilter/xt_comment.ts';
import { cstring } from '../rule.ts';
import { XTOPT_MAND, type xt_extension, xtables_save_string } from '../xtables.ts';

export const comment_mt_reg: xt_extension = {
	kind: 'match',
	name: 'comment',
	revision: 0,
	size: XT_MAX_COMMENT_LEN,
	options: [{ name: 'comment', id: 0, type: 'string', flags: XTOPT_MAND, put: 0, size: XT_MAX_COMMENT_LEN }],
	help: ['--comment COMMENT'],
	print: (d) => ` /* ${cstring(d, 0, XT_MAX_COMMENT_LEN)} */`,
	save: (d) => ` --comment${xtables_save_string(cstring(d, 0, XT_MAX_COMMENT_LEN))}`,
};
