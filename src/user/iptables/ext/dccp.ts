/*
 * user/iptables/ext/dccp.ts: -m dccp.                              Original: extensions/libxt_dccp.c
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	xt_dccp_info as info,
	XT_DCCP_DEST_PORTS,
	XT_DCCP_OPTION,
	XT_DCCP_SRC_PORTS,
	XT_DCCP_TYPE,
} from '../../../uapi/linux/netfilter/xt_dccp.ts';
import { getservbyport } from '../netdb.ts';
import { XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const O_SRC = 0;
const O_DST = 1;
const O_TYPES = 2;
const O_OPTION = 3;
const BITS = [XT_DCCP_SRC_PORTS, XT_DCCP_DEST_PORTS, XT_DCCP_TYPE, XT_DCCP_OPTION];
/** In the order of their numbers; INVALID is every one above. */
const TYPES = ['REQUEST', 'RESPONSE', 'DATA', 'ACK', 'DATAACK', 'CLOSEREQ', 'CLOSE', 'RESET', 'SYNC', 'SYNCACK'];
const INVALID = 10;

function types_text(mask: number, numeric: boolean): string {
	const out: string[] = [];
	for (let i = 0; i < 16; i++) {
		if ((mask & (1 << i)) === 0) continue;
		if (numeric) out.push(String(i));
		else if (i < INVALID) out.push(TYPES[i]);
		else {
			out.push('INVALID');
			break;
		}
	}
	return out.join(',');
}

function print_ports(name: string, d: Uint8Array, at: number, inv: boolean, numeric: boolean): string {
	const lo = get_unaligned_le16(d, at);
	const hi = get_unaligned_le16(d, at + 2);
	const text = (p: number): string => {
		const s = numeric ? '' : getservbyport(p, 'dccp');
		return s !== '' ? s : String(p);
	};
	const bang = inv ? '!' : '';
	return lo === hi ? ` ${name}:${bang}${text(lo)}` : ` ${name}s:${bang}${text(lo)}:${text(hi)}`;
}

export const dccp_mt_reg: xt_extension = {
	kind: 'match',
	name: 'dccp',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'source-port', id: O_SRC, type: 'portrc', flags: XTOPT_INVERT, put: info.spts },
		{ name: 'sport', id: O_SRC, type: 'portrc', flags: XTOPT_INVERT, put: info.spts },
		{ name: 'destination-port', id: O_DST, type: 'portrc', flags: XTOPT_INVERT, put: info.dpts },
		{ name: 'dport', id: O_DST, type: 'portrc', flags: XTOPT_INVERT, put: info.dpts },
		{ name: 'dccp-types', id: O_TYPES, type: 'string', flags: XTOPT_INVERT },
		{ name: 'dccp-option', id: O_OPTION, type: 'uint8', min: 1, max: 255, flags: XTOPT_INVERT, put: info.option },
	],
	help: [
		'[!] --source-port port[:port]	(--sport)',
		'[!] --destination-port port[:port]	(--dport)',
		'[!] --dccp-types type[,...]	(REQUEST RESPONSE DATA ACK DATAACK CLOSEREQ CLOSE RESET SYNC SYNCACK INVALID)',
		'[!] --dccp-option option',
	],
	parse(cb) {
		const d = cb.data;
		const bit = BITS[cb.entry.id];
		put_unaligned_le16(d, info.flags, get_unaligned_le16(d, info.flags) | bit);
		if (cb.invert) put_unaligned_le16(d, info.invflags, get_unaligned_le16(d, info.invflags) | bit);
		if (cb.entry.id !== O_TYPES) return;
		let mask = 0;
		for (const word of cb.arg.split(',')) {
			const i = TYPES.indexOf(word.toUpperCase());
			if (i >= 0) mask |= 1 << i;
			else if (word.toUpperCase() === 'INVALID') mask |= 0xffff & ~((1 << INVALID) - 1);
			else cb.bad(`Unknown DCCP type \`${word}'`);
		}
		put_unaligned_le16(d, info.typemask, mask);
	},
	print(d, _rule, numeric) {
		const flags = get_unaligned_le16(d, info.flags);
		const inv = get_unaligned_le16(d, info.invflags);
		let s = ' dccp';
		if ((flags & XT_DCCP_SRC_PORTS) !== 0)
			s += print_ports('spt', d, info.spts, (inv & XT_DCCP_SRC_PORTS) !== 0, numeric);
		if ((flags & XT_DCCP_DEST_PORTS) !== 0)
			s += print_ports('dpt', d, info.dpts, (inv & XT_DCCP_DEST_PORTS) !== 0, numeric);
		if ((flags & XT_DCCP_TYPE) !== 0)
			s += `${(inv & XT_DCCP_TYPE) !== 0 ? ' !' : ''} ${types_text(get_unaligned_le16(d, info.typemask), numeric)}`;
		if ((flags & XT_DCCP_OPTION) !== 0) s += ` option=${(inv & XT_DCCP_OPTION) !== 0 ? '!' : ''}${d[info.option]}`;
		return s;
	},
	save(d) {
		const flags = get_unaligned_le16(d, info.flags);
		const inv = get_unaligned_le16(d, info.invflags);
		const say = (bit: number, name: string, text: string): string =>
			(flags & bit) !== 0 ? `${(inv & bit) !== 0 ? ' !' : ''} --${name} ${text}` : '';
		const ports = (at: number): string => {
			const lo = get_unaligned_le16(d, at);
			const hi = get_unaligned_le16(d, at + 2);
			return lo === hi ? String(lo) : `${lo}:${hi}`;
		};
		return (
			say(XT_DCCP_SRC_PORTS, 'sport', ports(info.spts)) +
			say(XT_DCCP_DEST_PORTS, 'dport', ports(info.dpts)) +
			say(XT_DCCP_TYPE, 'dccp-types', types_text(get_unaligned_le16(d, info.typemask), false)) +
			say(XT_DCCP_OPTION, 'dccp-option', String(d[info.option]))
		);
	},
};
