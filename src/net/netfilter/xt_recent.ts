/*
 * net/netfilter/xt_recent.ts: match recent: addresses seen lately, in named lists.    Linux: net/netfilter/xt_recent.c
 * /proc/net/xt_recent/NAME shows a list. Not here yet: writing to that file.
 */
import { proc_create_net, remove_proc_entry } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import { get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_RECENT_CHECK,
	XT_RECENT_DEST,
	XT_RECENT_NAME_LEN,
	XT_RECENT_REAP,
	XT_RECENT_REMOVE,
	XT_RECENT_SET,
	XT_RECENT_TTL,
	XT_RECENT_UPDATE,
	XT_RECENT_VALID_FLAGS,
	xt_recent_mtinfo_v1,
} from '../../uapi/linux/netfilter/xt_recent.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

/** Addresses in one list (module parameter ip_list_tot). */
const ip_list_tot = 100;
const XT_RECENT_MAX_NSTAMPS = 65536;

class recent_entry {
	addr: number;
	ttl: number;
	index = 1;
	nstamps = 1;
	/** In jiffies. */
	stamps: number[];

	constructor(addr: number, ttl: number, now: number) {
		this.addr = addr;
		this.ttl = ttl;
		this.stamps = [now];
	}
}

class recent_table {
	name: string;
	refcnt = 0;
	nstamps_max_mask: number;
	/** By address; the least recently used first. */
	entries: Map<number, recent_entry> = new Map();

	constructor(name: string, mask: number) {
		this.name = name;
		this.nstamps_max_mask = mask;
	}
}

interface recent_info {
	seconds: number;
	hit_count: number;
	check_set: number;
	invert: boolean;
	name: string;
	side: number;
	mask: number;
	table: recent_table | null;
}

function tables(net: net): Map<string, recent_table> {
	let t = net.xt.priv.get('recent') as Map<string, recent_table> | undefined;
	if (t === undefined) {
		t = new Map();
		net.xt.priv.set('recent', t);
	}
	return t;
}

function recent_parse(b: Uint8Array): recent_info | number {
	const o = xt_recent_mtinfo_v1;
	let name = '';
	let n = 0;
	for (; n < XT_RECENT_NAME_LEN && b[o.name + n] !== 0; n++) name += String.fromCharCode(b[o.name + n]);
	if (n === XT_RECENT_NAME_LEN || name === '' || name === '.' || name === '..' || name.includes('/')) return -EINVAL;
	return {
		seconds: get_unaligned_le32(b, o.seconds),
		hit_count: get_unaligned_le32(b, o.hit_count),
		check_set: b[o.check_set],
		invert: b[o.invert] !== 0,
		name,
		side: b[o.side],
		mask: get_unaligned_be32(b, o.mask) | 0,
		table: null,
	};
}

function recent_update(t: recent_table, e: recent_entry, now: number): void {
	e.index &= t.nstamps_max_mask;
	e.stamps[e.index++] = now;
	if (e.index > e.nstamps) e.nstamps = e.index;
	t.entries.delete(e.addr);
	t.entries.set(e.addr, e);
}

function recent_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as recent_info;
	const t = info.table!;
	const h = skb.network_header;
	const now = skb.machine.jiffies;
	let ret = info.invert;
	let ttl = skb.head[h + 8];
	// The TTL as it was before this machine forwarded the packet.
	if (par.state.out !== null && skb.sk === null) ttl = (ttl + 1) & 0xff;
	const addr = get_unaligned_be32(skb.head, h + (info.side === XT_RECENT_DEST ? 16 : 12)) & info.mask;
	let e = t.entries.get(addr);
	if (e !== undefined && (info.check_set & XT_RECENT_TTL) !== 0 && e.ttl !== ttl && ttl !== 0 && e.ttl !== 0)
		e = undefined;
	if (e === undefined) {
		if ((info.check_set & XT_RECENT_SET) === 0) return ret;
		if (t.entries.size >= ip_list_tot) t.entries.delete(t.entries.keys().next().value!);
		t.entries.set(addr, new recent_entry(addr, ttl, now));
		return !ret;
	}
	if ((info.check_set & XT_RECENT_SET) !== 0) ret = !ret;
	else if ((info.check_set & XT_RECENT_REMOVE) !== 0) {
		t.entries.delete(addr);
		ret = !ret;
	} else if ((info.check_set & (XT_RECENT_CHECK | XT_RECENT_UPDATE)) !== 0) {
		const time = now - info.seconds * HZ;
		let hits = 0;
		for (let i = 0; i < e.nstamps; i++) {
			if (info.seconds !== 0 && time > e.stamps[i]) continue;
			if (info.hit_count === 0 || ++hits >= info.hit_count) {
				ret = !ret;
				break;
			}
		}
		if ((info.check_set & XT_RECENT_REAP) !== 0 && !((info.check_set & XT_RECENT_UPDATE) !== 0 && ret)) {
			// Only the oldest address is looked at: gone when its last packet is too old.
			const oldest = t.entries.values().next().value!;
			if (time > oldest.stamps[oldest.index - 1]) t.entries.delete(oldest.addr);
		}
	}
	if ((info.check_set & XT_RECENT_SET) !== 0 || ((info.check_set & XT_RECENT_UPDATE) !== 0 && ret)) {
		recent_update(t, e, now);
		e.ttl = ttl;
	}
	return ret;
}

function bits(n: number): number {
	let c = 0;
	for (let v = n; v !== 0; v &= v - 1) c++;
	return c;
}

function recent_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as recent_info;
	const set = info.check_set;
	if ((set & ~XT_RECENT_VALID_FLAGS) !== 0) return -EINVAL;
	if (bits(set & (XT_RECENT_SET | XT_RECENT_REMOVE | XT_RECENT_CHECK | XT_RECENT_UPDATE)) !== 1) return -EINVAL;
	if (
		(set & (XT_RECENT_SET | XT_RECENT_REMOVE)) !== 0 &&
		(info.seconds !== 0 || info.hit_count !== 0 || (set & (XT_RECENT_TTL | XT_RECENT_REAP)) !== 0)
	)
		return -EINVAL;
	if ((set & XT_RECENT_REAP) !== 0 && info.seconds === 0) return -EINVAL;
	if (info.hit_count >= XT_RECENT_MAX_NSTAMPS) return -EINVAL;
	let mask = 31;
	if (info.hit_count > 0) {
		mask = 1;
		while (mask < info.hit_count) mask <<= 1;
		mask--;
	}
	const all = tables(par.net);
	let t = all.get(info.name);
	if (t === undefined) {
		t = new recent_table(info.name, mask);
		all.set(info.name, t);
		proc_create_net(par.net, `xt_recent/${info.name}`, recent_show);
	} else if (mask > t.nstamps_max_mask) {
		t.entries.clear();
		t.nstamps_max_mask = mask;
	}
	t.refcnt++;
	info.table = t;
	return 0;
}

function recent_mt_destroy(net: net, matchinfo: unknown): void {
	const t = (matchinfo as recent_info).table;
	if (t === null || --t.refcnt > 0) return;
	tables(net).delete(t.name);
	remove_proc_entry(net, `xt_recent/${t.name}`);
}

function recent_show(net: net): string {
	let s = '';
	for (const t of tables(net).values()) s += table_text(t);
	return s;
}

function table_text(t: recent_table): string {
	let s = '';
	for (const e of t.entries.values()) {
		const a = e.addr >>> 0;
		const ip = `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
		const last = (e.index - 1) & t.nstamps_max_mask;
		s += `src=${ip} ttl: ${e.ttl} last_seen: ${e.stamps[last]} oldest_pkt: ${e.index}`;
		for (let i = 0; i < e.nstamps; i++) s += `${i > 0 ? ',' : ''} ${e.stamps[i]}`;
		s += '\n';
	}
	return s;
}

export function recent_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'recent',
		revision: 1,
		family: NFPROTO_IPV4,
		matchsize: xt_recent_mtinfo_v1.sizeof,
		parse: recent_parse,
		match: recent_mt,
		checkentry: recent_mt_check,
		destroy: recent_mt_destroy,
	});
}
