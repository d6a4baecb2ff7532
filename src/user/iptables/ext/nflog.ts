/*
 * user/iptables/ext/nflog.ts: -j NFLOG.                            Original: extensions/libxt_NFLOG.c
 */
import { get_unaligned_le16, get_unaligned_le32, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import { xt_nflog_info as info, XT_NFLOG_F_COPY_LEN } from '../../../uapi/linux/netfilter/xt_NFLOG.ts';
import { cstring } from '../rule.ts';
import { type xt_extension, xtables_save_string } from '../xtables.ts';

const O_GROUP = 0;
const O_PREFIX = 1;
const O_RANGE = 2;
const O_SIZE = 3;
const O_THRESHOLD = 4;
const PREFIX_SIZE = 64;

function text(d: Uint8Array, prefix: string): string {
	let s = '';
	const p = cstring(d, info.prefix, PREFIX_SIZE);
	if (p !== '') s += ` ${prefix}nflog-prefix${xtables_save_string(p)}`;
	const group = get_unaligned_le16(d, info.group);
	if (group !== 0) s += ` ${prefix}nflog-group ${group}`;
	const len = get_unaligned_le32(d, info.len);
	if ((get_unaligned_le16(d, info.flags) & XT_NFLOG_F_COPY_LEN) !== 0) s += ` ${prefix}nflog-size ${len}`;
	else if (len !== 0) s += ` ${prefix}nflog-range ${len}`;
	const threshold = get_unaligned_le16(d, info.threshold);
	if (threshold !== 0) s += ` ${prefix}nflog-threshold ${threshold}`;
	return s;
}

export const nflog_tg_reg: xt_extension = {
	kind: 'target',
	name: 'NFLOG',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'nflog-group', id: O_GROUP, type: 'uint16', put: info.group },
		{ name: 'nflog-prefix', id: O_PREFIX, type: 'string', min: 1, put: info.prefix, size: PREFIX_SIZE },
		{ name: 'nflog-range', id: O_RANGE, type: 'uint32', excl: 1 << O_SIZE, put: info.len },
		{ name: 'nflog-size', id: O_SIZE, type: 'uint32', excl: 1 << O_RANGE, put: info.len },
		{ name: 'nflog-threshold', id: O_THRESHOLD, type: 'uint16', put: info.threshold },
	],
	help: ['--nflog-group NUM', '--nflog-size NUM', '--nflog-threshold NUM', '--nflog-prefix STRING'],
	parse(cb) {
		if (cb.entry.id === O_PREFIX && cb.arg.includes('\n')) cb.bad('Newlines not allowed in --log-prefix');
		if (cb.entry.id === O_SIZE) put_unaligned_le16(cb.data, info.flags, XT_NFLOG_F_COPY_LEN);
	},
	final_check(cb) {
		if ((cb.xflags & (1 << O_RANGE)) !== 0)
			cb.x.eprint('warn: --nflog-range has never worked and is no longer supported, please use --nflog-size instead\n');
	},
	print: (d) => text(d, ''),
	save: (d) => text(d, '--'),
};
