/*
 * user/iptables/ext/secmark.ts: -j AUDIT, -j SECMARK and -j CONNSECMARK.    Original: extensions/libxt_AUDIT.c, libxt_SECMARK.c, libxt_CONNSECMARK.c
 */
import { xt_audit_info as audit } from '../../../uapi/linux/netfilter/xt_AUDIT.ts';
import {
	CONNSECMARK_RESTORE,
	CONNSECMARK_SAVE,
	xt_connsecmark_target_info as connsec,
	SECMARK_MODE_SEL,
	SECMARK_SECCTX_MAX,
	xt_secmark_target_info_v1 as sec,
} from '../../../uapi/linux/netfilter/xt_SECMARK.ts';
import { cstring } from '../rule.ts';
import { PARAMETER_PROBLEM, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const TYPES = ['accept', 'drop', 'reject'];

export const audit_tg_reg: xt_extension = {
	kind: 'target',
	name: 'AUDIT',
	revision: 0,
	size: audit.sizeof,
	options: [{ name: 'type', id: 0, type: 'string', flags: XTOPT_MAND }],
	help: ['--type TYPE	(accept, drop, reject)'],
	parse(cb) {
		const type = TYPES.indexOf(cb.arg);
		if (type < 0) cb.bad(`Bad action type value "${cb.arg}"`);
		cb.data[audit.type] = type;
	},
	print: (d) => ` AUDIT ${TYPES[d[audit.type]]}`,
	save: (d) => ` --type ${TYPES[d[audit.type]]}`,
};

export const secmark_tg_reg: xt_extension = {
	kind: 'target',
	name: 'SECMARK',
	revision: 1,
	size: sec.sizeof,
	userspacesize: sec.secid,
	options: [{ name: 'selctx', id: 0, type: 'string', flags: XTOPT_MAND, put: sec.secctx, size: SECMARK_SECCTX_MAX }],
	help: ['--selctx value'],
	parse(cb) {
		cb.data[sec.mode] = SECMARK_MODE_SEL;
	},
	print: (d) => ` SECMARK selctx ${cstring(d, sec.secctx, SECMARK_SECCTX_MAX)}`,
	save: (d) => ` --selctx ${cstring(d, sec.secctx, SECMARK_SECCTX_MAX)}`,
};

const word = (d: Uint8Array): string => (d[connsec.mode] === CONNSECMARK_SAVE ? 'save' : 'restore');

export const connsecmark_tg_reg: xt_extension = {
	kind: 'target',
	name: 'CONNSECMARK',
	revision: 0,
	size: connsec.sizeof,
	options: [
		{ name: 'save', id: 0, type: 'none', excl: 2 },
		{ name: 'restore', id: 1, type: 'none', excl: 1 },
	],
	help: ['--save', '--restore'],
	parse(cb) {
		cb.data[connsec.mode] = cb.entry.id === 0 ? CONNSECMARK_SAVE : CONNSECMARK_RESTORE;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'CONNSECMARK target: parameter required');
	},
	print: (d) => ` CONNSECMARK ${word(d)}`,
	save: (d) => ` --${word(d)}`,
};
