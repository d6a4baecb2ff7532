/*
 * user/iptables/print.ts: rules as text: for -L, for -S and iptables-save.         Original: iptables/xshared.c, iptables.c
 */
import {
	IPT_F_FRAG,
	IPT_F_GOTO,
	IPT_INV_DSTIP,
	IPT_INV_FRAG,
	IPT_INV_PROTO,
	IPT_INV_SRCIP,
	IPT_INV_VIA_IN,
	IPT_INV_VIA_OUT,
} from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import {
	type ipt_chain,
	iptc_get_references,
	iptc_get_target,
	type iptc_handle,
	LABEL_ACCEPT,
	LABEL_DROP,
} from './libiptc.ts';
import { type address_names, proto_to_name } from './netdb.ts';
import type { ipt_rule } from './rule.ts';
import {
	extension_of,
	ip_str,
	ipaddr_to_anyname,
	ipmask_to_cidr,
	ipmask_to_numeric,
	type xt_extension,
} from './xtables.ts';

export const FMT_NUMERIC = 0x0001;
export const FMT_NOCOUNTS = 0x0002;
export const FMT_KILOMEGAGIGA = 0x0004;
export const FMT_NOTABLE = 0x0010;
export const FMT_VIA = 0x0040;
export const FMT_NONEWLINE = 0x0080;
export const FMT_LINENUMBERS = 0x0100;

/** A counter in 8 columns, or 5 with a suffix. */
export function print_num(n: number, format: number): string {
	const pad = (format & FMT_NOTABLE) === 0;
	const w = (v: number | string, width: number): string => (pad ? String(v).padStart(width) : String(v));
	if ((format & FMT_KILOMEGAGIGA) === 0) return w(n, 8) + ' ';
	if (n <= 99999) return w(n, 5) + ' ';
	let v = Math.floor((n + 500) / 1000);
	if (v <= 9999) return w(v, 4) + 'K ';
	v = Math.floor((v + 500) / 1000);
	if (v <= 9999) return w(v, 4) + 'M ';
	v = Math.floor((v + 500) / 1000);
	if (v <= 9999) return w(v, 4) + 'G ';
	v = Math.floor((v + 500) / 1000);
	return w(v, 4) + 'T ';
}

/** The lines above a chain's rules. */
export function print_header(h: iptc_handle, c: ipt_chain, format: number): string {
	let s = `Chain ${c.name}`;
	if (c.hook >= 0) {
		s += ` (policy ${c.policy === 1 ? LABEL_ACCEPT : LABEL_DROP}`;
		if ((format & FMT_NOCOUNTS) === 0) {
			s += ` ${print_num(c.pcnt, format | FMT_NOTABLE)}packets, ${print_num(c.bcnt, format | FMT_NOTABLE)}bytes`;
		}
		s += ')\n';
	} else s += ` (${iptc_get_references(h, c)} references)\n`;
	if ((format & FMT_LINENUMBERS) !== 0) s += 'num  ';
	if ((format & FMT_NOCOUNTS) === 0) {
		s += (format & FMT_KILOMEGAGIGA) !== 0 ? ' pkts bytes ' : '    pkts      bytes ';
	}
	s += 'target     prot opt';
	if ((format & FMT_VIA) !== 0) s += ' in     out    ';
	s += ' source               destination         \n';
	return s;
}

function iface_text(name: string, numeric: boolean): string {
	if (name !== '') return name;
	return numeric ? '*' : 'any';
}

function address_text(names: address_names, addr: number, mask: number, numeric: boolean): string {
	if (mask === 0 && !numeric) return 'anywhere';
	return (numeric ? ip_str(addr) : ipaddr_to_anyname(names, addr)) + ipmask_to_numeric(mask);
}

function match_name(
	extensions: readonly xt_extension[],
	name: string,
	revision: number,
	data: Uint8Array,
): xt_extension | null {
	return extension_of(extensions, 'match', name, revision, data);
}

/** What printing needs: the extensions, and names of addresses. */
export interface print_context {
	extensions: readonly xt_extension[];
	names: address_names;
}

/** One rule of -L, or with FMT_NOTABLE as -v tells of a change. `num` from 1. */
export function print_rule(x: print_context, r: ipt_rule, num: number, format: number): string {
	const table = (format & FMT_NOTABLE) === 0;
	const numeric = (format & FMT_NUMERIC) !== 0;
	const col = (s: string, width: number): string => (table ? s.padEnd(width) + ' ' : s + ' ');
	let s = '';
	if ((format & FMT_LINENUMBERS) !== 0) s += col(String(num), 4);
	if ((format & FMT_NOCOUNTS) === 0) s += print_num(r.pcnt, format) + print_num(r.bcnt, format);
	const t = r.target;
	const text = t.kind === 'module' ? extension_of(x.extensions, 'target', t.name, t.revision, t.data) : null;
	s += col(iptc_get_target(r), 9);
	s += (r.invflags & IPT_INV_PROTO) !== 0 ? '!' : ' ';
	const name = numeric && table ? '' : r.proto === 0 ? 'all' : proto_to_name(r.proto, false);
	s += (table ? (name !== '' ? name : String(r.proto)).padEnd(4) : name !== '' ? name : String(r.proto)) + ' ';
	if (!table) s += 'opt ';
	s += (r.invflags & IPT_INV_FRAG) !== 0 ? '!' : '-';
	s += (r.flags & IPT_F_FRAG) !== 0 ? 'f' : '-';
	s += ' ';
	if ((format & FMT_VIA) !== 0) {
		const iface = (name: string, inv: boolean): string => (inv ? '!' : '') + iface_text(name, numeric);
		const iin = iface(r.iniface, (r.invflags & IPT_INV_VIA_IN) !== 0);
		const out = iface(r.outiface, (r.invflags & IPT_INV_VIA_OUT) !== 0);
		s += table ? ` ${iin.padEnd(6)} ${out.padEnd(6)} ` : `in ${iin} out ${out} `;
	}
	s += (r.invflags & IPT_INV_SRCIP) !== 0 ? '!' : ' ';
	s +=
		(table ? address_text(x.names, r.src, r.smsk, numeric).padEnd(19) : address_text(x.names, r.src, r.smsk, numeric)) +
		' ';
	s += (r.invflags & IPT_INV_DSTIP) !== 0 ? '!' : ' ';
	if (!table) s += '-> ';
	s += table
		? address_text(x.names, r.dst, r.dmsk, numeric).padEnd(19) + ' '
		: address_text(x.names, r.dst, r.dmsk, numeric) + '  ';
	if ((r.flags & IPT_F_GOTO) !== 0) s += '[goto] ';
	for (const m of r.matches) {
		const ext = match_name(x.extensions, m.name, m.revision, m.data);
		s += ext !== null ? ext.print(m.data, r, numeric) : `UNKNOWN match \`${m.name}' `;
	}
	if (t.kind === 'module') {
		s += text !== null ? text.print(t.data, r, numeric) : `[${t.data.length} bytes of unknown target data] `;
	}
	return (format & FMT_NONEWLINE) !== 0 ? s : s + '\n';
}

function save_address(option: string, addr: number, mask: number, invert: boolean): string {
	if (mask === 0 && addr === 0 && !invert) return '';
	const cidr = ipmask_to_cidr(mask);
	return `${invert ? ' !' : ''} ${option} ${ip_str(addr)}${cidr < 0 ? '/' + ip_str(mask) : '/' + cidr}`;
}

/** The conditions of a rule as -S and iptables-save print them, matches included; begins with a space where not empty. */
export function save_conditions(extensions: readonly xt_extension[], r: ipt_rule): string {
	let s = save_address('-s', r.src, r.smsk, (r.invflags & IPT_INV_SRCIP) !== 0);
	s += save_address('-d', r.dst, r.dmsk, (r.invflags & IPT_INV_DSTIP) !== 0);
	if (r.iniface !== '' && r.iniface !== '+') s += `${(r.invflags & IPT_INV_VIA_IN) !== 0 ? ' !' : ''} -i ${r.iniface}`;
	if (r.outiface !== '' && r.outiface !== '+')
		s += `${(r.invflags & IPT_INV_VIA_OUT) !== 0 ? ' !' : ''} -o ${r.outiface}`;
	if (r.proto !== 0) {
		const name = proto_to_name(r.proto, false);
		s += `${(r.invflags & IPT_INV_PROTO) !== 0 ? ' !' : ''} -p ${name !== '' ? name : r.proto}`;
	}
	if ((r.flags & IPT_F_FRAG) !== 0) s += `${(r.invflags & IPT_INV_FRAG) !== 0 ? ' !' : ''} -f`;
	for (const m of r.matches) {
		const ext = match_name(extensions, m.name, m.revision, m.data);
		if (ext === null) s += ` -m ${m.name}`;
		else if (ext.name === 'linnet_unknown') s += ext.save(m.data, r);
		else s += ` -m ${ext.name}${ext.save(m.data, r)}`;
	}
	return s;
}

/** The target of a rule as -S prints it; begins with a space where not empty. */
export function save_target(extensions: readonly xt_extension[], r: ipt_rule): string {
	const t = r.target;
	const name = iptc_get_target(r);
	if (name === '') return '';
	if (t.kind !== 'module') return ` ${(r.flags & IPT_F_GOTO) !== 0 ? '-g' : '-j'} ${name}`;
	const ext = extension_of(extensions, 'target', t.name, t.revision, t.data);
	if (ext === null) return ` -j ${name}`;
	if (ext.name === 'linnet_unknown') return ext.save(t.data, r);
	return ` -j ${ext.name}${ext.save(t.data, r)}`;
}

/** A whole rule without its newline. `counters`: 1 in front as [p:b], 2 as -c p b before the target, 0 none. */
export function save_rule(extensions: readonly xt_extension[], chain: string, r: ipt_rule, counters: number): string {
	let s = counters === 1 ? `[${r.pcnt}:${r.bcnt}] ` : '';
	s += `-A ${chain}${save_conditions(extensions, r)}`;
	if (counters === 2) s += ` -c ${r.pcnt} ${r.bcnt}`;
	return s + save_target(extensions, r);
}
