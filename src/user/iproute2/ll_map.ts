/*
 * user/iproute2/ll_map.ts: which index is which device.            Original: lib/ll_map.c
 * Show commands read all links once (init); others ask for the one they need.
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { nla_get_string, nla_nested, nla_put_string, nla_put_u32, type nlmsghdr } from '../../lib/nlattr.ts';
import { IFLA_ALT_IFNAME, IFLA_EXT_MASK, IFLA_IFNAME, IFLA_MAX, IFLA_PROP_LIST } from '../../uapi/linux/if_link.ts';
import {
	RTEXT_FILTER_SKIP_STATS,
	RTEXT_FILTER_VF,
	RTM_DELLINK,
	RTM_GETLINK,
	RTM_NEWLINK,
} from '../../uapi/linux/rtnetlink.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import type { ip_globals } from './utils.ts';

interface ll_entry {
	index: number;
	name: string;
	type: number;
	flags: number;
	altnames: string[];
}

export class ll_map {
	private g: ip_globals;
	private by_index: Map<number, ll_entry> = new Map();
	private by_name: Map<string, ll_entry> = new Map();
	private complete = false;

	constructor(g: ip_globals) {
		this.g = g;
	}

	clear(): void {
		this.by_index.clear();
		this.by_name.clear();
		this.complete = false;
	}

	private forget(e: ll_entry): void {
		this.by_index.delete(e.index);
		for (const n of [e.name, ...e.altnames]) if (this.by_name.get(n) === e) this.by_name.delete(n);
	}

	/** Learns from a link message. */
	remember(n: nlmsghdr): void {
		if (n.nlmsg_type !== RTM_NEWLINK && n.nlmsg_type !== RTM_DELLINK) return;
		const index = get_unaligned_le32(n.buf, n.data + 4);
		const old = this.by_index.get(index);
		if (old !== undefined) this.forget(old);
		if (n.nlmsg_type === RTM_DELLINK) return;
		const tb = msg_attrs(n, 16, IFLA_MAX);
		const name = tb[IFLA_IFNAME];
		if (name === null) return;
		const e: ll_entry = {
			index,
			name: nla_get_string(name),
			type: get_unaligned_le16(n.buf, n.data + 2),
			flags: get_unaligned_le32(n.buf, n.data + 8),
			altnames: [],
		};
		if (tb[IFLA_PROP_LIST] !== null) {
			for (const a of nla_nested(tb[IFLA_PROP_LIST]))
				if (a.type === IFLA_ALT_IFNAME) e.altnames.push(nla_get_string(a));
		}
		this.by_index.set(index, e);
		for (const x of [e.name, ...e.altnames]) this.by_name.set(x, e);
	}

	/** Reads all links, once. */
	async init(): Promise<void> {
		if (this.complete) return;
		const req = new request(RTM_GETLINK, 0, 16);
		nla_put_u32(req, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
		const links = await rtnl_dump(this.g, req, 'Dump terminated\n');
		for (const n of links ?? []) this.remember(n);
		this.complete = true;
	}

	/** Asks the kernel for one link. Return: its index, or 0. */
	async name_to_index(name: string): Promise<number> {
		const e = this.by_name.get(name);
		if (e !== undefined) return e.index;
		if (!this.complete) {
			const req = new request(RTM_GETLINK, 0, 16);
			nla_put_u32(req, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
			nla_put_string(req, name.length < 16 ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
			const r = await rtnl_talk(this.g, req, true, true);
			if (r.answer !== null) {
				this.remember(r.answer);
				return get_unaligned_le32(r.answer.buf, r.answer.data + 4);
			}
		}
		const m = /^if(\d+)$/.exec(name);
		return m === null ? 0 : Number(m[1]);
	}

	index_to_name(index: number): string {
		if (index === 0) return '*';
		return this.by_index.get(index)?.name ?? `if${index}`;
	}

	index_to_type(index: number): number {
		return this.by_index.get(index)?.type ?? -1;
	}

	/** IFF_* when last seen; 0 for a device that is not known. */
	index_to_flags(index: number): number {
		return this.by_index.get(index)?.flags ?? 0;
	}

	has(index: number): boolean {
		return this.by_index.has(index);
	}
}
