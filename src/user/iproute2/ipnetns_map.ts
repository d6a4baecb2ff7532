/*
 * user/iproute2/ipnetns_map.ts: which nsid is which named namespace.   Original: ip/ipnetns.c (netns_map_*, get_name_from_nsid)
 */
import { nla_get_u32, nla_put_u32 } from '../../lib/nlattr.ts';
import { RTM_GETNSID } from '../../uapi/linux/rtnetlink.ts';
import { msg_attrs, request, rtnl_talk } from './libnetlink.ts';
import type { ip_globals } from './utils.ts';

export const NETNS_RUN_DIR = '/run/netns';
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const NETNSA_MAX = 5;

/** The id that our namespace has for a named one; -1: none. */
export async function get_netnsid_from_name(g: ip_globals, name: string): Promise<number> {
	const fd = g.proc.open_netns(`${NETNS_RUN_DIR}/${name}`);
	if (fd < 0) return fd;
	const req = new request(RTM_GETNSID, 0, 1);
	req.len = 20;
	nla_put_u32(req, NETNSA_FD, fd);
	const r = await rtnl_talk(g, req, true, true);
	g.proc.close(fd);
	if (r.answer === null) return -1;
	const tb = msg_attrs(r.answer, 1, NETNSA_MAX);
	return tb[NETNSA_NSID] === null ? -1 : nla_get_u32(tb[NETNSA_NSID]) | 0;
}

/** Learns the ids of all named namespaces, once. */
export async function netns_map_init(g: ip_globals): Promise<void> {
	if (g.nsids !== null) return;
	const map: Map<number, string> = new Map();
	g.nsids = map;
	const names = await g.proc.readdir(NETNS_RUN_DIR);
	if (typeof names === 'number') return;
	for (const name of names) {
		const id = await get_netnsid_from_name(g, name);
		if (id >= 0 && !map.has(id)) map.set(id, name);
	}
}

export function netns_map_clear(g: ip_globals): void {
	g.nsids = null;
}

/** The name of namespace `id`, or null. After netns_map_init. */
export function nsid_name(g: ip_globals, id: number): string | null {
	return g.nsids?.get(id) ?? null;
}
