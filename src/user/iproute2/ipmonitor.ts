/*
 * user/iproute2/ipmonitor.ts: `ip monitor`.                        Original: ip/ipmonitor.c, ip/ipnetconf.c (how netconf is shown)
 * Not here yet: mroute, prefix, nexthop, stats (listened to, but nothing here sends them).
 */
import { NLMSG_ALIGN, nla_get_u32, type nlattr_table, nlmsg_ok, nlmsghdr } from '../../lib/nlattr.ts';
import { strerror } from '../../uapi/asm-generic/errno.ts';
import {
	NETLINK_ADD_MEMBERSHIP,
	NLMSG_DONE,
	NLMSG_ERROR,
	NLMSG_NOOP,
	NLMSG_OVERRUN,
} from '../../uapi/linux/netlink.ts';
import {
	RTM_DELADDR,
	RTM_DELLINK,
	RTM_DELNEIGH,
	RTM_DELNETCONF,
	RTM_DELNSID,
	RTM_DELROUTE,
	RTM_DELRULE,
	RTM_GETNEIGH,
	RTM_NEWADDR,
	RTM_NEWLINK,
	RTM_NEWNEIGH,
	RTM_NEWNETCONF,
	RTM_NEWNSID,
	RTM_NEWROUTE,
	RTM_NEWRULE,
	RTNL_FAMILY_IP6MR,
	RTNL_FAMILY_IPMR,
	RTNLGRP_IPV4_IFADDR,
	RTNLGRP_IPV4_MROUTE,
	RTNLGRP_IPV4_NETCONF,
	RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV6_MROUTE,
	RTNLGRP_IPV6_NETCONF,
	RTNLGRP_IPV6_PREFIX,
	RTNLGRP_IPV6_ROUTE,
	RTNLGRP_IPV6_RULE,
	RTNLGRP_LINK,
	RTNLGRP_MPLS_NETCONF,
	RTNLGRP_MPLS_ROUTE,
	RTNLGRP_NEIGH,
	RTNLGRP_NEXTHOP,
	RTNLGRP_NSID,
	RTNLGRP_STATS,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, SOL_NETLINK } from '../../uapi/linux/socket.ts';
import { MONITOR_USAGE } from './help.ts';
import { print_addrinfo } from './ipaddress.ts';
import { neigh_filter_all, print_neigh } from './ipneigh.ts';
import { print_nsid } from './ipnetns.ts';
import { netns_map_init } from './ipnetns_map.ts';
import { print_route, route_filter } from './iproute_print.ts';
import { print_rule, rule_filter_all } from './iprule.ts';
import { msg_attrs, rtnl_listen, rtnl_listen_all_nsid, rtnl_open } from './libnetlink.ts';
import { link_filter, print_linkinfo } from './link_print.ts';
import { type args, civil, exit, family_name, type ip_globals, nodev } from './utils.ts';

const NETCONFA_IFINDEX = 1;
const NETCONFA_MAX = 8;

function usage(g: ip_globals): never {
	g.err(MONITOR_USAGE);
	exit(-1);
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function print_timestamp(g: ip_globals): void {
	const t = g.proc.realtime();
	const c = civil(t.sec);
	const usec = Math.floor(t.nsec / 1000);
	if (g.timestamp > 1) {
		const two = (v: number): string => String(v).padStart(2, '0');
		g.out.fp(`[${c.y}-${two(c.m + 1)}-${two(c.d)}T${c.hms}.${String(usec).padStart(6, '0')}] `);
	} else {
		g.out.fp(`Timestamp: ${DAYS[c.wd]} ${MONTHS[c.m]} ${String(c.d).padStart(2)} ${c.hms} ${c.y} ${usec} usec\n`);
	}
}

/** What an `ip monitor` shows, and how. */
class monitor {
	g: ip_globals;
	banner = false;
	all_nsid = false;
	links = new link_filter();
	routes = new route_filter();
	neighs = neigh_filter_all();
	rules = rule_filter_all();

	constructor(g: ip_globals) {
		this.g = g;
		this.links.oneline = true;
	}

	private head(label: string, nsid: number): void {
		const { g } = this;
		if (g.timestamp > 0) print_timestamp(g);
		if (this.all_nsid) g.out.fp(nsid < 0 ? '[nsid current]' : `[nsid ${nsid}]`);
		if (this.banner) g.out.fp(label);
	}

	/** One message. */
	accept(n: nlmsghdr, nsid: number): number {
		const { g } = this;
		switch (n.nlmsg_type) {
			case RTM_NEWROUTE:
			case RTM_DELROUTE: {
				const family = n.buf[n.data];
				if (family === RTNL_FAMILY_IPMR || family === RTNL_FAMILY_IP6MR) return 0;
				this.head('[ROUTE]', nsid);
				print_route(g, n, this.routes);
				break;
			}
			case RTM_NEWLINK:
			case RTM_DELLINK:
				if (nsid < 0) g.ll.remember(n);
				this.head('[LINK]', nsid);
				print_linkinfo(g, n, this.links);
				break;
			case RTM_NEWADDR:
			case RTM_DELADDR:
				this.head('[ADDR]', nsid);
				print_addrinfo(g, n, this.links);
				break;
			case RTM_NEWNEIGH:
			case RTM_DELNEIGH:
			case RTM_GETNEIGH:
				if (g.preferred_family !== AF_UNSPEC && n.buf[n.data] !== g.preferred_family) return 0;
				this.head('[NEIGH]', nsid);
				print_neigh(g, n, this.neighs);
				break;
			case RTM_NEWRULE:
			case RTM_DELRULE:
				this.head('[RULE]', nsid);
				print_rule(g, n, this.rules);
				break;
			case RTM_NEWNETCONF:
			case RTM_DELNETCONF:
				this.head('[NETCONF]', nsid);
				print_netconf(g, n);
				break;
			case RTM_NEWNSID:
			case RTM_DELNSID:
				this.head('[NSID]', nsid);
				print_nsid(g, n);
				break;
			case NLMSG_ERROR:
			case NLMSG_NOOP:
			case NLMSG_DONE:
			case NLMSG_OVERRUN:
				break;
			default: {
				const hex = (v: number, w: number): string => `0x${v.toString(16).padStart(w, '0')}`;
				g.err(
					`Unknown message: type=${hex(n.nlmsg_type, 8)}(${n.nlmsg_type}) flags=${hex(n.nlmsg_flags, 8)}(${n.nlmsg_flags})` +
						`len=${hex(n.nlmsg_len, 8)}(${n.nlmsg_len})\n`,
				);
			}
		}
		g.flush();
		return 0;
	}
}

const NETCONF_WORDS: readonly (readonly [number, string])[] = [
	[2, 'forwarding'],
	[3, 'rp_filter'],
	[4, 'mc_forwarding'],
	[5, 'proxy_neigh'],
	[6, 'ignore_routes_with_linkdown'],
	[7, 'input'],
];

function netconf_value(key: string, v: number): string {
	if (key === 'rp_filter') return v === 0 ? 'off' : v === 1 ? 'strict' : v === 2 ? 'loose' : 'unknown';
	return v !== 0 ? 'on' : 'off';
}

function print_netconf(g: ip_globals, n: nlmsghdr): void {
	const tb: nlattr_table = msg_attrs(n, 1, NETCONFA_MAX);
	const family = n.buf[n.data];
	g.out.fp(n.nlmsg_type === RTM_DELNETCONF ? 'Deleted ' : '');
	g.out.fp(`${family_name(family)} `);
	if (tb[NETCONFA_IFINDEX] !== null) {
		const idx = nla_get_u32(tb[NETCONFA_IFINDEX]) | 0;
		g.out.fp(idx === -1 ? 'all ' : idx === -2 ? 'default ' : `${g.ll.index_to_name(idx)} `);
	}
	for (const [t, key] of NETCONF_WORDS) {
		const a = tb[t];
		if (a !== null) g.out.fp(`${key} ${netconf_value(key, nla_get_u32(a))} `);
	}
	g.out.fp('\n');
}

const OBJECTS = [
	'link',
	'address',
	'route',
	'mroute',
	'prefix',
	'neigh',
	'netconf',
	'rule',
	'nsid',
	'nexthop',
	'stats',
] as const;
type monitored = (typeof OBJECTS)[number];

/** The groups of an object, by family. */
function groups_of(o: monitored, family: number): number[] {
	const v4 = family === AF_UNSPEC || family === AF_INET;
	const v6 = family === AF_UNSPEC || family === AF_INET6;
	const both = (a: number, b: number): number[] => [...(v4 ? [a] : []), ...(v6 ? [b] : [])];
	switch (o) {
		case 'link':
			return [RTNLGRP_LINK];
		case 'address':
			return both(RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR);
		case 'route':
			return [...both(RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE), ...(family === AF_UNSPEC ? [RTNLGRP_MPLS_ROUTE] : [])];
		case 'mroute':
			return both(RTNLGRP_IPV4_MROUTE, RTNLGRP_IPV6_MROUTE);
		case 'prefix':
			return v6 ? [RTNLGRP_IPV6_PREFIX] : [];
		case 'neigh':
			return [RTNLGRP_NEIGH];
		case 'netconf':
			return [
				...both(RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF),
				...(family === AF_UNSPEC ? [RTNLGRP_MPLS_NETCONF] : []),
			];
		case 'rule':
			return both(RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE);
		case 'nsid':
			return [RTNLGRP_NSID];
		case 'nexthop':
			return [RTNLGRP_NEXTHOP];
		case 'stats':
			return [RTNLGRP_STATS];
	}
}

export async function do_ipmonitor(g: ip_globals, a: args): Promise<number> {
	const m = new monitor(g);
	const wanted: Set<monitored> = new Set();
	let file: string | null = null;
	for (; a.more; a.shift()) {
		if (a.matches('file')) {
			file = a.next();
		} else if (a.matches('label')) {
			m.banner = true;
		} else if (a.matches('link')) {
			wanted.add('link');
		} else if (a.matches('address')) {
			wanted.add('address');
		} else if (a.matches('route')) {
			wanted.add('route');
		} else if (a.matches('mroute')) {
			wanted.add('mroute');
		} else if (a.matches('prefix')) {
			wanted.add('prefix');
		} else if (a.matches('neigh')) {
			wanted.add('neigh');
		} else if (a.matches('netconf')) {
			wanted.add('netconf');
		} else if (a.matches('rule')) {
			wanted.add('rule');
		} else if (a.matches('nsid')) {
			wanted.add('nsid');
		} else if (a.matches('nexthop')) {
			wanted.add('nexthop');
		} else if (a.is('stats')) {
			wanted.add('stats');
		} else if (a.is('all')) {
			m.banner = true;
		} else if (a.matches('all-nsid')) {
			m.all_nsid = true;
		} else if (a.matches('help')) {
			usage(g);
		} else if (a.is('dev')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) return nodev(g, w);
			m.links.ifindex = idx;
			m.routes.oif = idx;
			m.routes.oifmask = -1;
			m.neighs.index = idx;
		} else {
			g.err(`Argument "${a.word}" is unknown, try "ip monitor help".\n`);
			exit(-1);
		}
	}
	if (wanted.size === 0) for (const o of OBJECTS) wanted.add(o);
	if (file !== null) return monitor_file(g, m, file);
	const rth = rtnl_open(g);
	if (rth === null) exit(1);
	const groups = new Set(OBJECTS.filter((o) => wanted.has(o)).flatMap((o) => groups_of(o, g.preferred_family)));
	for (const group of groups) {
		const err = g.proc.setsockopt(rth.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
		if (err < 0 && group <= RTNLGRP_NSID) {
			g.err(`Failed to add group ${group} to list\n`);
			exit(1);
		}
	}
	if (m.all_nsid && rtnl_listen_all_nsid(rth) < 0) exit(1);
	await g.ll.init();
	if (wanted.has('nsid')) await netns_map_init(g);
	const r = await rtnl_listen(g, rth, (n, nsid) => m.accept(n, nsid));
	rth.close();
	return r < 0 ? exit(2) : 0;
}

/** Messages as `rtmon` keeps them. */
async function monitor_file(g: ip_globals, m: monitor, file: string): Promise<number> {
	const b = await g.proc.readFileBytes(file);
	if (typeof b === 'number') {
		g.err(`Cannot fopen: ${strerror(-b)}\n`);
		exit(-1);
	}
	for (let off = 0; nlmsg_ok(b, off, b.length); ) {
		const n = new nlmsghdr(b, off);
		off += NLMSG_ALIGN(n.nlmsg_len);
		m.accept(n, -1);
	}
	return 0;
}
