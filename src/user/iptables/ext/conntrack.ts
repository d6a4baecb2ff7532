/*
 * user/iptables/ext/conntrack.ts: -m conntrack, and -m state in its words.      Original: extensions/libxt_conntrack.c
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	IPS_ASSURED,
	IPS_CONFIRMED,
	IPS_EXPECTED,
	IPS_SEEN_REPLY,
} from '../../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	xt_conntrack_mtinfo3 as info,
	XT_CONNTRACK_DIRECTION,
	XT_CONNTRACK_EXPIRES,
	XT_CONNTRACK_ORIGDST,
	XT_CONNTRACK_ORIGDST_PORT,
	XT_CONNTRACK_ORIGSRC,
	XT_CONNTRACK_ORIGSRC_PORT,
	XT_CONNTRACK_PROTO,
	XT_CONNTRACK_REPLDST,
	XT_CONNTRACK_REPLDST_PORT,
	XT_CONNTRACK_REPLSRC,
	XT_CONNTRACK_REPLSRC_PORT,
	XT_CONNTRACK_STATE,
	XT_CONNTRACK_STATE_ALIAS,
	XT_CONNTRACK_STATE_DNAT,
	XT_CONNTRACK_STATE_INVALID,
	XT_CONNTRACK_STATE_SNAT,
	XT_CONNTRACK_STATE_UNTRACKED,
	XT_CONNTRACK_STATUS,
} from '../../../uapi/linux/netfilter/xt_conntrack.ts';
import {
	ip_str,
	ipmask_to_cidr,
	PARAMETER_PROBLEM,
	XTOPT_INVERT,
	XTOPT_MAND,
	type xt_extension,
	type xt_option_call,
} from '../xtables.ts';

/** In the order in which they are printed. */
const STATES: readonly (readonly [string, number])[] = [
	['INVALID', XT_CONNTRACK_STATE_INVALID],
	['NEW', 8],
	['RELATED', 4],
	['ESTABLISHED', 2],
	['UNTRACKED', XT_CONNTRACK_STATE_UNTRACKED],
	['SNAT', XT_CONNTRACK_STATE_SNAT],
	['DNAT', XT_CONNTRACK_STATE_DNAT],
];

const STATUSES: readonly (readonly [string, number])[] = [
	['EXPECTED', IPS_EXPECTED],
	['SEEN_REPLY', IPS_SEEN_REPLY],
	['ASSURED', IPS_ASSURED],
	['CONFIRMED', IPS_CONFIRMED],
];

interface addr_option {
	name: string;
	flag: number;
	addr: number;
	mask: number;
}

interface port_option {
	name: string;
	flag: number;
	low: number;
	high: number;
}

const ADDRS: readonly addr_option[] = [
	{ name: 'ctorigsrc', flag: XT_CONNTRACK_ORIGSRC, addr: info.origsrc_addr, mask: info.origsrc_mask },
	{ name: 'ctorigdst', flag: XT_CONNTRACK_ORIGDST, addr: info.origdst_addr, mask: info.origdst_mask },
	{ name: 'ctreplsrc', flag: XT_CONNTRACK_REPLSRC, addr: info.replsrc_addr, mask: info.replsrc_mask },
	{ name: 'ctrepldst', flag: XT_CONNTRACK_REPLDST, addr: info.repldst_addr, mask: info.repldst_mask },
];

const PORTS: readonly port_option[] = [
	{ name: 'ctorigsrcport', flag: XT_CONNTRACK_ORIGSRC_PORT, low: info.origsrc_port, high: info.origsrc_port_high },
	{ name: 'ctorigdstport', flag: XT_CONNTRACK_ORIGDST_PORT, low: info.origdst_port, high: info.origdst_port_high },
	{ name: 'ctreplsrcport', flag: XT_CONNTRACK_REPLSRC_PORT, low: info.replsrc_port, high: info.replsrc_port_high },
	{ name: 'ctrepldstport', flag: XT_CONNTRACK_REPLDST_PORT, low: info.repldst_port, high: info.repldst_port_high },
];

const O_STATE = 0;
const O_PROTO = 1;
const O_ADDR = 2;
const O_STATUS = 6;
const O_EXPIRE = 7;
const O_PORT = 8;
const O_DIR = 12;

/** A list of names. Like the original, the beginning of a name is enough. */
function parse_list(cb: xt_option_call, names: readonly (readonly [string, number])[], what: string): number {
	let mask = 0;
	const words = cb.arg.split(',');
	for (let i = 0; i < words.length; i++) {
		const word = words[i];
		const hit = word === '' ? undefined : names.find(([n]) => n.startsWith(word.toUpperCase()));
		if (hit === undefined) {
			if (what === 'ctstatus' && word.toUpperCase() === 'NONE') continue;
			cb.bad(`Bad ${what} "${words.slice(i).join(',')}"`);
		}
		mask |= hit[1];
	}
	return mask;
}

function set(d: Uint8Array, flag: number, invert: boolean): void {
	put_unaligned_le16(d, info.match_flags, get_unaligned_le16(d, info.match_flags) | flag);
	if (invert) put_unaligned_le16(d, info.invert_flags, get_unaligned_le16(d, info.invert_flags) | flag);
}

function parse(cb: xt_option_call): void {
	const d = cb.data;
	const id = cb.entry.id;
	if (id === O_STATE) {
		put_unaligned_le16(d, info.state_mask, parse_list(cb, STATES, 'ctstate'));
		set(d, XT_CONNTRACK_STATE, cb.invert);
	} else if (id === O_PROTO) {
		put_unaligned_le16(d, info.l4proto, cb.num);
		set(d, XT_CONNTRACK_PROTO, cb.invert);
		if (cb.num === 0 && cb.invert) cb.bad('conntrack: rule would never match protocol');
	} else if (id >= O_ADDR && id < O_ADDR + 4) {
		const a = ADDRS[id - O_ADDR];
		put_unaligned_be32(d, a.addr, cb.addr);
		if (cb.whole_mask) d.fill(0xff, a.mask, a.mask + 16);
		else put_unaligned_be32(d, a.mask, cb.mask);
		set(d, a.flag, cb.invert);
	} else if (id === O_STATUS) {
		put_unaligned_le16(d, info.status_mask, parse_list(cb, STATUSES, 'ctstatus'));
		set(d, XT_CONNTRACK_STATUS, cb.invert);
	} else if (id === O_EXPIRE) {
		put_unaligned_le32(d, info.expires_min, cb.range[0]);
		put_unaligned_le32(d, info.expires_max, cb.range[1]);
		set(d, XT_CONNTRACK_EXPIRES, cb.invert);
	} else if (id >= O_PORT && id < O_PORT + 4) {
		const p = PORTS[id - O_PORT];
		put_unaligned_le16(d, p.low, cb.range[0]);
		put_unaligned_le16(d, p.high, cb.range[1]);
		set(d, p.flag, cb.invert);
	} else {
		const dir = cb.arg.toUpperCase();
		if (dir !== 'ORIGINAL' && dir !== 'REPLY') cb.bad(`conntrack: Bad value for "--ctdir" option: "${cb.arg}"`);
		set(d, XT_CONNTRACK_DIRECTION, dir === 'REPLY');
	}
}

function names_text(names: readonly (readonly [string, number])[], mask: number): string {
	return names
		.filter(([, bit]) => (mask & bit) !== 0)
		.map(([n]) => n)
		.join(',');
}

/** The conditions, each option name after `prefix`. */
function dump(d: Uint8Array, prefix: string): string {
	const flags = get_unaligned_le16(d, info.match_flags);
	const inv = get_unaligned_le16(d, info.invert_flags);
	let s = '';
	const opt = (flag: number, name: string, value: string): void => {
		if ((flags & flag) !== 0) s += `${(inv & flag) !== 0 ? ' !' : ''} ${prefix}${name} ${value}`;
	};
	opt(XT_CONNTRACK_STATE, 'ctstate', names_text(STATES, get_unaligned_le16(d, info.state_mask)));
	opt(XT_CONNTRACK_PROTO, 'ctproto', String(get_unaligned_le16(d, info.l4proto)));
	const addr = (a: addr_option): void => {
		const cidr = ipmask_to_cidr(get_unaligned_be32(d, a.mask));
		opt(a.flag, a.name, ip_str(get_unaligned_be32(d, a.addr)) + (cidr >= 0 && cidr < 32 ? `/${cidr}` : ''));
	};
	addr(ADDRS[0]);
	addr(ADDRS[1]);
	addr(ADDRS[2]);
	addr(ADDRS[3]);
	for (const p of PORTS) {
		const low = get_unaligned_le16(d, p.low);
		const high = get_unaligned_le16(d, p.high);
		opt(p.flag, p.name, high === 0 || high === low ? String(low) : `${low}:${high}`);
	}
	const status = get_unaligned_le16(d, info.status_mask);
	opt(XT_CONNTRACK_STATUS, 'ctstatus', status === 0 ? 'NONE' : names_text(STATUSES, status));
	const min = get_unaligned_le32(d, info.expires_min);
	const max = get_unaligned_le32(d, info.expires_max);
	opt(XT_CONNTRACK_EXPIRES, 'ctexpire', min === max ? String(min) : `${min}:${max}`);
	if ((flags & XT_CONNTRACK_DIRECTION) !== 0)
		s += ` ${prefix}ctdir ${(inv & XT_CONNTRACK_DIRECTION) !== 0 ? 'REPLY' : 'ORIGINAL'}`;
	return s;
}

export const conntrack_mt_reg: xt_extension = {
	kind: 'match',
	name: 'conntrack',
	revision: 3,
	size: info.sizeof,
	options: [
		{ name: 'ctstate', id: O_STATE, type: 'string', flags: XTOPT_INVERT },
		{ name: 'ctproto', id: O_PROTO, type: 'protocol', flags: XTOPT_INVERT },
		...ADDRS.map((a, i) => ({ name: a.name, id: O_ADDR + i, type: 'hostmask' as const, flags: XTOPT_INVERT })),
		{ name: 'ctstatus', id: O_STATUS, type: 'string', flags: XTOPT_INVERT },
		{ name: 'ctexpire', id: O_EXPIRE, type: 'uint32rc', flags: XTOPT_INVERT },
		...PORTS.map((p, i) => ({ name: p.name, id: O_PORT + i, type: 'portrc' as const, flags: XTOPT_INVERT })),
		{ name: 'ctdir', id: O_DIR, type: 'string' },
	],
	help: [
		'[!] --ctstate {INVALID|ESTABLISHED|NEW|RELATED|UNTRACKED|SNAT|DNAT}[,...]',
		'[!] --ctproto proto',
		'[!] --ctorigsrc|--ctorigdst|--ctreplsrc|--ctrepldst address[/mask]',
		'[!] --ctorigsrcport|--ctorigdstport|--ctreplsrcport|--ctrepldstport port[:port]',
		'[!] --ctstatus {NONE|EXPECTED|SEEN_REPLY|ASSURED|CONFIRMED}[,...]',
		'[!] --ctexpire time[:time]',
		'    --ctdir {ORIGINAL|REPLY}',
	],
	parse,
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'conntrack: At least one option is required');
	},
	print: (d) => dump(d, ''),
	save: (d) => dump(d, '--'),
	alias: (d) => (get_unaligned_le16(d, info.match_flags) & XT_CONNTRACK_STATE_ALIAS) === 0,
};

function state_dump(d: Uint8Array, name: string): string {
	const inv = (get_unaligned_le16(d, info.invert_flags) & XT_CONNTRACK_STATE) !== 0;
	const mask = get_unaligned_le16(d, info.state_mask) & ~(XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT);
	return `${inv ? ' !' : ''} ${name} ${names_text(STATES, mask)}`;
}

export const state_mt_reg: xt_extension = {
	kind: 'match',
	name: 'state',
	kernel_name: 'conntrack',
	revision: 3,
	size: info.sizeof,
	options: [{ name: 'state', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --state {INVALID|ESTABLISHED|NEW|RELATED|UNTRACKED}[,...]'],
	init(d) {
		put_unaligned_le16(d, info.match_flags, XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS);
	},
	parse(cb) {
		const states = STATES.filter(([n]) => n !== 'SNAT' && n !== 'DNAT');
		put_unaligned_le16(cb.data, info.state_mask, parse_list(cb, states, 'state'));
		if (cb.invert) put_unaligned_le16(cb.data, info.invert_flags, XT_CONNTRACK_STATE);
	},
	print: (d) => state_dump(d, 'state'),
	save: (d) => state_dump(d, '--state'),
	alias: (d) => (get_unaligned_le16(d, info.match_flags) & XT_CONNTRACK_STATE_ALIAS) !== 0,
};
