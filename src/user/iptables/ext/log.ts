/*
 * user/iptables/ext/log.ts: -j LOG.                                Original: extensions/libxt_LOG.c
 */
import {
	xt_log_info as info,
	XT_LOG_IPOPT,
	XT_LOG_MACDECODE,
	XT_LOG_TCPOPT,
	XT_LOG_TCPSEQ,
	XT_LOG_UID,
} from '../../../uapi/linux/netfilter/xt_LOG.ts';
import { cstring } from '../rule.ts';
import { type xt_extension, xtables_save_string } from '../xtables.ts';

const FLAGS: readonly (readonly [string, number])[] = [
	['tcp-sequence', XT_LOG_TCPSEQ],
	['tcp-options', XT_LOG_TCPOPT],
	['ip-options', XT_LOG_IPOPT],
	['uid', XT_LOG_UID],
	['macdecode', XT_LOG_MACDECODE],
];

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];
const PREFIX_SIZE = 30;

const prefix = (d: Uint8Array): string => cstring(d, info.prefix, PREFIX_SIZE);

export const log_tg_reg: xt_extension = {
	kind: 'target',
	name: 'LOG',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'log-level', id: 0, type: 'sysloglevel', put: info.level },
		{ name: 'log-prefix', id: 1, type: 'string', put: info.prefix, min: 1, size: PREFIX_SIZE },
		...FLAGS.map(([n], i) => ({ name: `log-${n}`, id: 2 + i, type: 'none' as const })),
	],
	help: [
		'--log-level level',
		'--log-prefix prefix',
		'--log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode',
	],
	init(d) {
		d[info.level] = 4;
	},
	parse(cb) {
		if (cb.entry.id >= 2) cb.data[info.logflags] |= FLAGS[cb.entry.id - 2][1];
		if (cb.entry.id === 1 && cb.arg.includes('\n')) cb.bad('Newlines not allowed in --log-prefix');
	},
	print(d, _rule, numeric) {
		const flags = d[info.logflags];
		let s = ' LOG';
		if (numeric) s += ` flags ${flags} level ${d[info.level]}`;
		else {
			s += d[info.level] < 8 ? ` level ${LEVELS[d[info.level]]}` : ` UNKNOWN level ${d[info.level]}`;
			for (const [n, bit] of FLAGS) if ((flags & bit) !== 0) s += ` ${n}`;
		}
		return prefix(d) !== '' ? `${s} prefix "${prefix(d)}"` : s;
	},
	save(d) {
		let s = '';
		if (prefix(d) !== '') s += ` --log-prefix${xtables_save_string(prefix(d))}`;
		if (d[info.level] !== 4) s += ` --log-level ${d[info.level]}`;
		for (const [n, bit] of FLAGS) if ((d[info.logflags] & bit) !== 0) s += ` --log-${n}`;
		return s;
	},
};
