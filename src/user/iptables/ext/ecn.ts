/*
 * user/iptables/ext/ecn.ts: -m ecn and -j ECN.                     Original: extensions/libxt_ecn.c, libipt_ECN.c
 */
import {
	xt_ecn_info as mt,
	XT_ECN_OP_MATCH_CWR,
	XT_ECN_OP_MATCH_ECE,
	XT_ECN_OP_MATCH_IP,
} from '../../../uapi/linux/netfilter/xt_ecn.ts';
import {
	IPT_ECN_OP_SET_CWR,
	IPT_ECN_OP_SET_ECE,
	IPT_ECN_OP_SET_IP,
	ipt_ECN_info as tg,
} from '../../../uapi/linux/netfilter_ipv4/ipt_ECN.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const O_CWR = 0;
const O_ECE = 1;
const O_IP = 2;
const O_REMOVE = 3;
const MATCH_OPS = [XT_ECN_OP_MATCH_CWR, XT_ECN_OP_MATCH_ECE, XT_ECN_OP_MATCH_IP];

export const ecn_mt_reg: xt_extension = {
	kind: 'match',
	name: 'ecn',
	revision: 0,
	size: mt.sizeof,
	options: [
		{ name: 'ecn-tcp-cwr', id: O_CWR, type: 'none', flags: XTOPT_INVERT },
		{ name: 'ecn-tcp-ece', id: O_ECE, type: 'none', flags: XTOPT_INVERT },
		{ name: 'ecn-ip-ect', id: O_IP, type: 'uint8', max: 3, flags: XTOPT_INVERT, put: mt.ip_ect },
	],
	help: ['[!] --ecn-tcp-cwr', '[!] --ecn-tcp-ece', '[!] --ecn-ip-ect [0..3]'],
	parse(cb) {
		const op = MATCH_OPS[cb.entry.id];
		cb.data[mt.operation] |= op;
		if (cb.invert) cb.data[mt.invert] |= op;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'ECN match: some option required');
	},
	print(d) {
		const bang = (op: number): string => ((d[mt.invert] & op) !== 0 ? ' !' : ' ');
		let s = ' ECN match';
		if ((d[mt.operation] & XT_ECN_OP_MATCH_ECE) !== 0) s += `${bang(XT_ECN_OP_MATCH_ECE)}ECE`;
		if ((d[mt.operation] & XT_ECN_OP_MATCH_CWR) !== 0) s += `${bang(XT_ECN_OP_MATCH_CWR)}CWR`;
		if ((d[mt.operation] & XT_ECN_OP_MATCH_IP) !== 0) s += `${bang(XT_ECN_OP_MATCH_IP)}ECT=${d[mt.ip_ect]}`;
		return s;
	},
	save(d) {
		const bang = (op: number): string => ((d[mt.invert] & op) !== 0 ? ' !' : '');
		let s = '';
		if ((d[mt.operation] & XT_ECN_OP_MATCH_ECE) !== 0) s += `${bang(XT_ECN_OP_MATCH_ECE)} --ecn-tcp-ece`;
		if ((d[mt.operation] & XT_ECN_OP_MATCH_CWR) !== 0) s += `${bang(XT_ECN_OP_MATCH_CWR)} --ecn-tcp-cwr`;
		if ((d[mt.operation] & XT_ECN_OP_MATCH_IP) !== 0) s += `${bang(XT_ECN_OP_MATCH_IP)} --ecn-ip-ect ${d[mt.ip_ect]}`;
		return s;
	},
};

/** Bits of the target's proto.tcp byte. */
const TCP_ECE = 1;
const TCP_CWR = 2;

export const ecn_tg_reg: xt_extension = {
	kind: 'target',
	name: 'ECN',
	revision: 0,
	size: tg.sizeof,
	options: [
		{ name: 'ecn-tcp-remove', id: O_REMOVE, type: 'none', excl: (1 << O_CWR) | (1 << O_ECE) },
		{ name: 'ecn-tcp-cwr', id: O_CWR, type: 'uint8', max: 1, excl: 1 << O_REMOVE },
		{ name: 'ecn-tcp-ece', id: O_ECE, type: 'uint8', max: 1, excl: 1 << O_REMOVE },
		{ name: 'ecn-ip-ect', id: O_IP, type: 'uint8', max: 3, put: tg.ip_ect },
	],
	help: ['--ecn-tcp-remove', '--ecn-tcp-cwr 0|1', '--ecn-tcp-ece 0|1', '--ecn-ip-ect 0..3'],
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_REMOVE:
				d[tg.operation] |= IPT_ECN_OP_SET_ECE | IPT_ECN_OP_SET_CWR;
				break;
			case O_CWR:
				d[tg.operation] |= IPT_ECN_OP_SET_CWR;
				if (cb.num !== 0) d[tg.tcp] |= TCP_CWR;
				break;
			case O_ECE:
				d[tg.operation] |= IPT_ECN_OP_SET_ECE;
				if (cb.num !== 0) d[tg.tcp] |= TCP_ECE;
				break;
			default:
				d[tg.operation] |= IPT_ECN_OP_SET_IP;
		}
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'ECN target: An operation is required');
	},
	print(d) {
		const ece = (d[tg.tcp] & TCP_ECE) !== 0 ? 1 : 0;
		const cwr = (d[tg.tcp] & TCP_CWR) !== 0 ? 1 : 0;
		const both = IPT_ECN_OP_SET_ECE | IPT_ECN_OP_SET_CWR;
		let s = ' ECN';
		if ((d[tg.operation] & both) === both && ece === 0 && cwr === 0) s += ' TCP remove';
		else {
			if ((d[tg.operation] & IPT_ECN_OP_SET_ECE) !== 0) s += ` ECE=${ece}`;
			if ((d[tg.operation] & IPT_ECN_OP_SET_CWR) !== 0) s += ` CWR=${cwr}`;
		}
		if ((d[tg.operation] & IPT_ECN_OP_SET_IP) !== 0) s += ` ECT codepoint=${d[tg.ip_ect]}`;
		return s;
	},
	save(d) {
		const ece = (d[tg.tcp] & TCP_ECE) !== 0 ? 1 : 0;
		const cwr = (d[tg.tcp] & TCP_CWR) !== 0 ? 1 : 0;
		const both = IPT_ECN_OP_SET_ECE | IPT_ECN_OP_SET_CWR;
		let s = '';
		if ((d[tg.operation] & both) === both && ece === 0 && cwr === 0) s += ' --ecn-tcp-remove';
		else {
			if ((d[tg.operation] & IPT_ECN_OP_SET_ECE) !== 0) s += ` --ecn-tcp-ece ${ece}`;
			if ((d[tg.operation] & IPT_ECN_OP_SET_CWR) !== 0) s += ` --ecn-tcp-cwr ${cwr}`;
		}
		if ((d[tg.operation] & IPT_ECN_OP_SET_IP) !== 0) s += ` --ecn-ip-ect ${d[tg.ip_ect]}`;
		return s;
	},
};
