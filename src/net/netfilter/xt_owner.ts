/*
 * net/netfilter/xt_owner.ts: match owner: who opened the socket that a packet was sent from.    Linux: net/netfilter/xt_owner.c
 * Sockets have no group here: theirs counts as 0.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_OWNER_GID,
	XT_OWNER_MASK,
	XT_OWNER_SOCKET,
	XT_OWNER_UID,
	xt_owner_match_info,
} from '../../uapi/linux/netfilter/xt_owner.ts';
import { NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface owner_info {
	uid_min: number;
	uid_max: number;
	gid_min: number;
	gid_max: number;
	match: number;
	invert: number;
}

function owner_parse(b: Uint8Array): owner_info | number {
	const o = xt_owner_match_info;
	const info = {
		uid_min: get_unaligned_le32(b, o.uid_min),
		uid_max: get_unaligned_le32(b, o.uid_max),
		gid_min: get_unaligned_le32(b, o.gid_min),
		gid_max: get_unaligned_le32(b, o.gid_max),
		match: b[o.match],
		invert: b[o.invert],
	};
	if ((info.match & ~XT_OWNER_MASK) !== 0) return -EINVAL;
	if ((info.match & XT_OWNER_UID) !== 0 && info.uid_min > info.uid_max) return -EINVAL;
	if ((info.match & XT_OWNER_GID) !== 0 && info.gid_min > info.gid_max) return -EINVAL;
	return info;
}

function owner_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as owner_info;
	const sk = skb.sk;
	// Nobody's packet: the kernel's own, or forwarded.
	if (sk === null || sk.sk_socket === null) return (info.match ^ info.invert) === 0;
	if ((info.match & info.invert & XT_OWNER_SOCKET) !== 0) return false;
	if ((info.match & XT_OWNER_UID) !== 0) {
		const hit = sk.sk_uid >= info.uid_min && sk.sk_uid <= info.uid_max;
		if (hit === ((info.invert & XT_OWNER_UID) !== 0)) return false;
	}
	if ((info.match & XT_OWNER_GID) !== 0) {
		const hit = info.gid_min <= 0 && info.gid_max >= 0;
		if (hit === ((info.invert & XT_OWNER_GID) !== 0)) return false;
	}
	return true;
}

export function owner_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'owner',
		revision: 1,
		family: NFPROTO_UNSPEC,
		matchsize: xt_owner_match_info.sizeof,
		hooks: (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_POST_ROUTING),
		parse: owner_parse,
		match: owner_mt,
	});
}
