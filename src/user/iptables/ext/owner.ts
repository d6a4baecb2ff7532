/*
 * user/iptables/ext/owner.ts: -m owner.                            Original: extensions/libxt_owner.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	xt_owner_match_info as info,
	XT_OWNER_GID,
	XT_OWNER_SOCKET,
	XT_OWNER_SUPPL_GROUPS,
	XT_OWNER_UID,
} from '../../../uapi/linux/netfilter/xt_owner.ts';
import { group_name, group_number, strtoul, user_name, user_number } from '../netdb.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension, type xt_option_call } from '../xtables.ts';

const O_USER = 0;
const O_GROUP = 1;
const O_SOCK = 2;
const O_SUPPL = 3;

function parse_ids(cb: xt_option_call, min: number, max: number, named: number): void {
	const bad = (): never => cb.bad(`owner: Bad value for "--${cb.entry.name}" option: "${cb.arg}"`);
	let lo = named;
	let hi = named;
	if (named < 0) {
		const first = strtoul(cb.arg);
		if (first === null) bad();
		lo = first!.value;
		hi = lo;
		if (first!.rest !== '') {
			const second = first!.rest[0] === '-' ? strtoul(first!.rest.slice(1)) : null;
			if (second === null || second.rest !== '') bad();
			hi = second!.value;
		}
	}
	put_unaligned_le32(cb.data, min, lo);
	put_unaligned_le32(cb.data, max, hi);
}

function range(d: Uint8Array, min: number, max: number): string {
	const lo = get_unaligned_le32(d, min);
	const hi = get_unaligned_le32(d, max);
	return lo === hi ? String(lo) : `${lo}-${hi}`;
}

function dump(
	d: Uint8Array,
	words: readonly [string, string, string, string],
	name: (id: number, user: boolean) => string,
): string {
	const m = d[info.match];
	const inv = d[info.invert];
	const bang = (bit: number): string => ((inv & bit) !== 0 ? ' !' : '');
	const ids = (min: number, max: number, user: boolean): string => {
		const lo = get_unaligned_le32(d, min);
		const n = lo === get_unaligned_le32(d, max) ? name(lo, user) : '';
		return n !== '' ? n : range(d, min, max);
	};
	let s = '';
	if ((m & XT_OWNER_SOCKET) !== 0) s += `${bang(XT_OWNER_SOCKET)} ${words[0]}`;
	if ((m & XT_OWNER_UID) !== 0) s += `${bang(XT_OWNER_UID)} ${words[1]} ${ids(info.uid_min, info.uid_max, true)}`;
	if ((m & XT_OWNER_GID) !== 0) s += `${bang(XT_OWNER_GID)} ${words[2]} ${ids(info.gid_min, info.gid_max, false)}`;
	if ((m & XT_OWNER_SUPPL_GROUPS) !== 0) s += `${bang(XT_OWNER_SUPPL_GROUPS)} ${words[3]}`;
	return s;
}

export const owner_mt_reg: xt_extension = {
	kind: 'match',
	name: 'owner',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'uid-owner', id: O_USER, type: 'string', flags: XTOPT_INVERT },
		{ name: 'gid-owner', id: O_GROUP, type: 'string', flags: XTOPT_INVERT },
		{ name: 'socket-exists', id: O_SOCK, type: 'none', flags: XTOPT_INVERT },
		{ name: 'suppl-groups', id: O_SUPPL, type: 'none' },
	],
	help: [
		'[!] --uid-owner userid[-userid]',
		'[!] --gid-owner groupid[-groupid]',
		'[!] --socket-exists',
		'    --suppl-groups',
	],
	parse(cb) {
		const bits = [XT_OWNER_UID, XT_OWNER_GID, XT_OWNER_SOCKET, XT_OWNER_SUPPL_GROUPS];
		const id = cb.entry.id;
		if (id === O_USER) parse_ids(cb, info.uid_min, info.uid_max, user_number(cb.arg));
		if (id === O_GROUP) parse_ids(cb, info.gid_min, info.gid_max, group_number(cb.arg));
		if (id === O_SUPPL && (cb.data[info.match] & XT_OWNER_GID) === 0)
			cb.bad('owner: Bad value for "--suppl-groups" option: "you need to use --gid-owner first"');
		cb.data[info.match] |= bits[id];
		if (cb.invert) cb.data[info.invert] |= bits[id];
	},
	final_check(cb) {
		if (cb.xflags === 0)
			cb.x.error(PARAMETER_PROBLEM, 'owner: At least one of --uid-owner, --gid-owner or --socket-exists is required');
	},
	print: (d, _rule, numeric) =>
		dump(
			d,
			['owner socket exists', 'owner UID match', 'owner GID match', 'incl. suppl. groups'],
			numeric ? () => '' : (id, user) => (user ? user_name(id) : group_name(id)),
		),
	save: (d) => dump(d, ['--socket-exists', '--uid-owner', '--gid-owner', '--suppl-groups'], () => ''),
};
