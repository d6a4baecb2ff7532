/*
 * uapi/linux/netfilter/xt_comment.ts: match comment.   Linux: uapi/linux/netfilter/xt_comment.h
 */

export const XT_MAX_COMMENT_LEN = 256;
