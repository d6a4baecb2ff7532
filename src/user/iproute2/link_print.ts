/*
 * user/iproute2/link_print.ts: how `ip link` and `ip addr` show a device.   Original: ip/ipaddress.c (print_linkinfo and around it)
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	get_unaligned_le64,
	nla_data,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	nla_nested,
	type nlattr,
	type nlattr_table,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	IFF_ALLMULTI,
	IFF_AUTOMEDIA,
	IFF_BROADCAST,
	IFF_DEBUG,
	IFF_DORMANT,
	IFF_DYNAMIC,
	IFF_ECHO,
	IFF_LOOPBACK,
	IFF_LOWER_UP,
	IFF_MASTER,
	IFF_MULTICAST,
	IFF_NOARP,
	IFF_NOTRAILERS,
	IFF_POINTOPOINT,
	IFF_PORTSEL,
	IFF_PROMISC,
	IFF_RUNNING,
	IFF_SLAVE,
	IFF_UP,
} from '../../uapi/linux/if.ts';
import {
	IFLA_ADDRESS,
	IFLA_AF_SPEC,
	IFLA_ALLMULTI,
	IFLA_ALT_IFNAME,
	IFLA_BROADCAST,
	IFLA_CARRIER_CHANGES,
	IFLA_EVENT,
	IFLA_GRO_MAX_SIZE,
	IFLA_GROUP,
	IFLA_GSO_MAX_SEGS,
	IFLA_GSO_MAX_SIZE,
	IFLA_IFALIAS,
	IFLA_IFNAME,
	IFLA_INET6_ADDR_GEN_MODE,
	IFLA_INET6_MAX,
	IFLA_INFO_DATA,
	IFLA_INFO_KIND,
	IFLA_INFO_MAX,
	IFLA_INFO_SLAVE_KIND,
	IFLA_LINK,
	IFLA_LINK_NETNSID,
	IFLA_LINKINFO,
	IFLA_LINKMODE,
	IFLA_MASTER,
	IFLA_MAX,
	IFLA_MAX_MTU,
	IFLA_MIN_MTU,
	IFLA_MTU,
	IFLA_NEW_IFINDEX,
	IFLA_NEW_NETNSID,
	IFLA_NUM_RX_QUEUES,
	IFLA_NUM_TX_QUEUES,
	IFLA_OPERSTATE,
	IFLA_PARENT_DEV_BUS_NAME,
	IFLA_PARENT_DEV_NAME,
	IFLA_PERM_ADDRESS,
	IFLA_PHYS_PORT_NAME,
	IFLA_PROMISCUITY,
	IFLA_PROP_LIST,
	IFLA_PROTO_DOWN,
	IFLA_QDISC,
	IFLA_STATS,
	IFLA_STATS64,
	IFLA_TSO_MAX_SEGS,
	IFLA_TSO_MAX_SIZE,
	IFLA_TXQLEN,
} from '../../uapi/linux/if_link.ts';
import { RTM_DELLINK, RTM_NEWLINK } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET6, AF_PACKET } from '../../uapi/linux/socket.ts';
import { nsid_name } from './ipnetns_map.ts';
import { COLOR_IFNAME, COLOR_MAC, COLOR_NONE, COLOR_OPERSTATE_DOWN, COLOR_OPERSTATE_UP } from './json_print.ts';
import { msg_attrs, parse_rtattr_nested } from './libnetlink.ts';
import { fnmatch, type ip_globals, ll_addr_n2a } from './utils.ts';

/** What a show command shows. */
export class link_filter {
	ifindex = 0;
	family = 0;
	oneline = false;
	/** With `qlen`: lists, not news. */
	showqueue = false;
	/** `ip link` rather than `ip addr`. */
	do_link = false;
	up = false;
	label: string | null = null;
	group = -1;
	master = 0;
	nomaster = false;
	kind: string | null = null;
	slave_kind: string | null = null;
	target_nsid = -1;
	scope = 0;
	scopemask = 0;
	flags = 0;
	flagmask = 0;
	pfx: { family: number; bitlen: number; data: Uint8Array } | null = null;
}

const OPER = ['UNKNOWN', 'NOTPRESENT', 'DOWN', 'LOWERLAYERDOWN', 'TESTING', 'DORMANT', 'UP'];
const FLAGS: readonly (readonly [number, string])[] = [
	[IFF_LOOPBACK, 'LOOPBACK'],
	[IFF_BROADCAST, 'BROADCAST'],
	[IFF_POINTOPOINT, 'POINTOPOINT'],
	[IFF_MULTICAST, 'MULTICAST'],
	[IFF_NOARP, 'NOARP'],
	[IFF_ALLMULTI, 'ALLMULTI'],
	[IFF_PROMISC, 'PROMISC'],
	[IFF_MASTER, 'MASTER'],
	[IFF_SLAVE, 'SLAVE'],
	[IFF_DEBUG, 'DEBUG'],
	[IFF_DYNAMIC, 'DYNAMIC'],
	[IFF_AUTOMEDIA, 'AUTOMEDIA'],
	[IFF_PORTSEL, 'PORTSEL'],
	[IFF_NOTRAILERS, 'NOTRAILERS'],
	[IFF_UP, 'UP'],
	[IFF_LOWER_UP, 'LOWER_UP'],
	[IFF_DORMANT, 'DORMANT'],
	[IFF_ECHO, 'ECHO'],
];
const LINKMODES = ['DEFAULT', 'DORMANT'];
const EVENTS = [
	'NONE',
	'REBOOT',
	'FEATURE CHANGE',
	'BONDING FAILOVER',
	'NOTIFY PEERS',
	'RESEND IGMP',
	'BONDING OPTION',
];
const ADDR_GEN_MODES = ['eui64', 'none', 'stable_secret', 'random'];

/** Fields of struct ifinfomsg. */
export function ifi_type(n: nlmsghdr): number {
	return get_unaligned_le16(n.buf, n.data + 2);
}

export function ifi_index(n: nlmsghdr): number {
	return get_unaligned_le32(n.buf, n.data + 4);
}

export function ifi_flags(n: nlmsghdr): number {
	return get_unaligned_le32(n.buf, n.data + 8);
}

function print_flags(g: ip_globals, flags: number, mdown: boolean): void {
	const { out } = g;
	out.open_json_array('flags', '<');
	let comma = '';
	const one = (name: string): void => {
		out.any(null, name, comma + name);
		comma = ',';
	};
	if ((flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) === 0) one('NO-CARRIER');
	flags &= ~IFF_RUNNING;
	for (const [bit, name] of FLAGS) {
		if ((flags & bit) === 0) continue;
		flags &= ~bit;
		one(name);
	}
	if (flags !== 0) {
		const hex = (flags >>> 0).toString(16);
		out.any(null, `0x${hex}`, comma + hex);
		comma = ',';
	}
	if (mdown) one('M-DOWN');
	out.close_json_array('> ');
}

/** The name and what it stands on. Return: whether the lower device is down. */
function print_name_and_link(g: ip_globals, tb: nlattr_table, width: number, after: string): boolean {
	const { out } = g;
	const name = nla_get_string(tb[IFLA_IFNAME]!);
	let mdown = false;
	let label = '';
	if (tb[IFLA_LINK] !== null) {
		const iflink = nla_get_u32(tb[IFLA_LINK]);
		if (iflink !== 0) {
			if (tb[IFLA_LINK_NETNSID] !== null) {
				out.js('link_index', iflink);
				label = `@if${iflink}`;
			} else {
				const link = g.ll.index_to_name(iflink);
				out.js('link', link);
				label = `@${link}`;
				mdown = (g.ll.index_to_flags(iflink) & IFF_UP) === 0;
			}
		} else {
			out.js('link', null);
			label = '@NONE';
		}
	}
	if (width > 0) out.colored(COLOR_IFNAME, 'ifname', name, '', (name + label).padEnd(width), after);
	else out.colored(COLOR_IFNAME, 'ifname', name, '', name + label, after);
	return mdown;
}

function oper_color(state: number): number {
	return state === 6 ? COLOR_OPERSTATE_UP : state === 2 ? COLOR_OPERSTATE_DOWN : COLOR_NONE;
}

function print_operstate(g: ip_globals, state: number): void {
	const { out } = g;
	const name = OPER[state];
	if (name === undefined) {
		out.any('operstate_index', state, `state ${state.toString(16).startsWith('0') ? '' : '0x'}${state.toString(16)} `);
	} else if (g.brief) {
		out.colored(oper_color(state), 'operstate', name, '', name.padEnd(14), ' ');
	} else {
		out.colored(oper_color(state), 'operstate', name, 'state ', name, ' ');
	}
}

function linkinfo_kinds(tb: nlattr_table): [string | null, string | null] {
	if (tb[IFLA_LINKINFO] === null) return [null, null];
	const li = parse_rtattr_nested(IFLA_INFO_MAX, tb[IFLA_LINKINFO]);
	const kind = li[IFLA_INFO_KIND];
	const slave = li[IFLA_INFO_SLAVE_KIND];
	return [kind === null ? null : nla_get_string(kind), slave === null ? null : nla_get_string(slave)];
}

/** Whether the filter lets this link through. */
export function link_filtered(n: nlmsghdr, tb: nlattr_table, f: link_filter): boolean {
	if (f.ifindex !== 0 && ifi_index(n) !== f.ifindex) return false;
	if (f.up && (ifi_flags(n) & IFF_UP) === 0) return false;
	if (tb[IFLA_IFNAME] === null) return false;
	if (f.group !== -1 && tb[IFLA_GROUP] !== null && f.group !== (nla_get_u32(tb[IFLA_GROUP]) | 0)) return false;
	if (f.master > 0 && (tb[IFLA_MASTER] === null || nla_get_u32(tb[IFLA_MASTER]) !== f.master)) return false;
	if (f.nomaster && tb[IFLA_MASTER] !== null) return false;
	if (f.kind !== null || f.slave_kind !== null) {
		const [kind, slave] = linkinfo_kinds(tb);
		if (f.kind !== null && kind !== f.kind) return false;
		if (f.slave_kind !== null && slave !== f.slave_kind) return false;
	}
	return true;
}

function print_brief(g: ip_globals, n: nlmsghdr, tb: nlattr_table, f: link_filter): void {
	const { out } = g;
	if (n.nlmsg_type === RTM_DELLINK) out.any('deleted', true, 'Deleted ');
	const mdown = print_name_and_link(g, tb, 16, ' ');
	if (tb[IFLA_OPERSTATE] !== null) print_operstate(g, nla_get_u8(tb[IFLA_OPERSTATE]));
	if (f.family === AF_PACKET) {
		if (tb[IFLA_ADDRESS] !== null) {
			const lladdr = ll_addr_n2a(nla_data(tb[IFLA_ADDRESS]), ifi_type(n));
			out.colored(COLOR_MAC, 'address', lladdr, '', lladdr, ' ');
		}
		print_flags(g, ifi_flags(n), mdown);
		out.fp('\n');
	}
}

function print_af_spec(g: ip_globals, af_spec: nlattr): void {
	for (const af of nla_nested(af_spec)) {
		if (af.type !== AF_INET6) continue;
		const tb = parse_rtattr_nested(IFLA_INET6_MAX, af);
		const mode = tb[IFLA_INET6_ADDR_GEN_MODE];
		if (mode === null) continue;
		const m = nla_get_u8(mode);
		const text = ADDR_GEN_MODES[m] ?? `0x${m.toString(16).padStart(2, '0')}`;
		g.out.any('inet6_addr_gen_mode', text, `addrgenmode ${text} `);
	}
}

function print_linktype(g: ip_globals, linkinfo: nlattr): void {
	const { out } = g;
	const li = parse_rtattr_nested(IFLA_INFO_MAX, linkinfo);
	if (li[IFLA_INFO_KIND] === null && li[IFLA_INFO_SLAVE_KIND] === null) return;
	out.open_json_object('linkinfo');
	if (li[IFLA_INFO_KIND] !== null) {
		const kind = nla_get_string(li[IFLA_INFO_KIND]);
		out.fp(`${g.nl}    `);
		out.any('info_kind', kind, `${kind} `);
		if (li[IFLA_INFO_DATA] !== null) {
			out.open_json_object('info_data');
			out.close_json_object();
		}
	}
	if (li[IFLA_INFO_SLAVE_KIND] !== null) {
		const kind = nla_get_string(li[IFLA_INFO_SLAVE_KIND]);
		out.fp(`${g.nl}    `);
		out.any('info_slave_kind', kind, `${kind}_slave `);
	}
	out.close_json_object();
}

function print_details(g: ip_globals, tb: nlattr_table, do_link: boolean): void {
	const { out } = g;
	const num = (t: number, key: string, before: string, after = ' '): void => {
		const a = tb[t];
		if (a !== null) out.any(key, nla_get_u32(a), before + nla_get_u32(a) + after);
	};
	const str = (t: number, key: string, before: string): void => {
		const a = tb[t];
		if (a !== null) out.any(key, nla_get_string(a), `${before}${nla_get_string(a)} `);
	};
	num(IFLA_PROMISCUITY, 'promiscuity', ' promiscuity ');
	num(IFLA_ALLMULTI, 'allmulti', ' allmulti ');
	num(IFLA_MIN_MTU, 'min_mtu', 'minmtu ');
	num(IFLA_MAX_MTU, 'max_mtu', 'maxmtu ');
	if (tb[IFLA_LINKINFO] !== null) print_linktype(g, tb[IFLA_LINKINFO]);
	if (do_link && tb[IFLA_AF_SPEC] !== null) print_af_spec(g, tb[IFLA_AF_SPEC]);
	num(IFLA_NUM_TX_QUEUES, 'num_tx_queues', 'numtxqueues ');
	num(IFLA_NUM_RX_QUEUES, 'num_rx_queues', 'numrxqueues ');
	num(IFLA_GSO_MAX_SIZE, 'gso_max_size', 'gso_max_size ');
	num(IFLA_GSO_MAX_SEGS, 'gso_max_segs', 'gso_max_segs ');
	num(IFLA_TSO_MAX_SIZE, 'tso_max_size', 'tso_max_size ');
	num(IFLA_TSO_MAX_SEGS, 'tso_max_segs', 'tso_max_segs ');
	num(IFLA_GRO_MAX_SIZE, 'gro_max_size', 'gro_max_size ');
	str(IFLA_PHYS_PORT_NAME, 'phys_port_name', 'portname ');
	str(IFLA_PARENT_DEV_BUS_NAME, 'parentbus', 'parentbus ');
	str(IFLA_PARENT_DEV_NAME, 'parentdev', 'parentdev ');
}

function print_lladdr(g: ip_globals, n: nlmsghdr, tb: nlattr_table): void {
	const { out } = g;
	const type = ifi_type(n);
	const ll = g.names.ll_type_n2a(type);
	out.fp(g.nl);
	out.any('link_type', ll, `    link/${ll} `);
	if (tb[IFLA_ADDRESS] !== null) {
		const a = ll_addr_n2a(nla_data(tb[IFLA_ADDRESS]), type);
		out.colored(COLOR_MAC, 'address', a, '', a, '');
	}
	if (tb[IFLA_BROADCAST] !== null) {
		const a = ll_addr_n2a(nla_data(tb[IFLA_BROADCAST]), type);
		if ((ifi_flags(n) & IFF_POINTOPOINT) !== 0) {
			out.fp(' peer ');
			out.js('link_pointtopoint', true);
		} else out.fp(' brd ');
		out.colored(COLOR_MAC, 'broadcast', a, '', a, '');
	}
	const perm = tb[IFLA_PERM_ADDRESS];
	if (perm !== null) {
		const addr = tb[IFLA_ADDRESS];
		const same = addr !== null && addr.len === perm.len && nla_data(addr).every((b, i) => b === nla_data(perm)[i]);
		if (!same) {
			const a = ll_addr_n2a(nla_data(perm), type);
			out.fp(' permaddr ');
			out.colored(COLOR_MAC, 'permaddr', a, '', a, '');
		}
	}
}

// ---- statistics ----

const S64 = [
	'rx_packets',
	'tx_packets',
	'rx_bytes',
	'tx_bytes',
	'rx_errors',
	'tx_errors',
	'rx_dropped',
	'tx_dropped',
	'multicast',
	'collisions',
	'rx_length_errors',
	'rx_over_errors',
	'rx_crc_errors',
	'rx_frame_errors',
	'rx_fifo_errors',
	'rx_missed_errors',
	'tx_aborted_errors',
	'tx_carrier_errors',
	'tx_fifo_errors',
	'tx_heartbeat_errors',
	'tx_window_errors',
	'rx_compressed',
	'tx_compressed',
	'rx_nohandler',
] as const;
type stats = Record<(typeof S64)[number], number>;

function read_stats(tb: nlattr_table): stats | null {
	const wide = tb[IFLA_STATS64];
	const narrow = tb[IFLA_STATS];
	if (wide === null && narrow === null) return null;
	const s = {} as stats;
	S64.forEach((name, i) => {
		if (wide !== null) s[name] = 8 * i + 8 <= wide.len ? get_unaligned_le64(wide.buf, wide.off + 8 * i) : 0;
		else s[name] = 4 * i + 4 <= narrow!.len ? get_unaligned_le32(narrow!.buf, narrow!.off + 4 * i) : 0;
	});
	return s;
}

/** A number as a column shows it; with -h in powers of 1000 (1024 with -iec) and three digits. */
export function human(g: ip_globals, v: number): string {
	const base = g.use_iec ? 1024 : 1000;
	if (!g.human_readable || v < base) return String(v);
	const units = 'KMGTPE';
	let unit = 0;
	let div = base;
	while (Math.floor(v / base) >= div && unit < units.length - 1) {
		div *= base;
		unit++;
	}
	const whole = Math.floor(v / div);
	const precision = whole < 10 ? 2 : whole < 100 ? 1 : 0;
	return (v / div).toFixed(precision) + units[unit] + (g.use_iec ? 'i' : '');
}

function print_stats64(g: ip_globals, s: stats, carrier_changes: nlattr | null): void {
	const { out } = g;
	if (out.json) {
		out.open_json_object('stats64');
		out.open_json_object('rx');
		out.js('bytes', s.rx_bytes);
		out.js('packets', s.rx_packets);
		out.js('errors', s.rx_errors);
		out.js('dropped', s.rx_dropped);
		out.js('over_errors', s.rx_over_errors);
		out.js('multicast', s.multicast);
		if (s.rx_compressed !== 0) out.js('compressed', s.rx_compressed);
		if (g.show_stats > 1) {
			out.js('length_errors', s.rx_length_errors);
			out.js('crc_errors', s.rx_crc_errors);
			out.js('frame_errors', s.rx_frame_errors);
			out.js('fifo_errors', s.rx_fifo_errors);
			out.js('missed_errors', s.rx_missed_errors);
			if (s.rx_nohandler !== 0) out.js('nohandler', s.rx_nohandler);
		}
		out.close_json_object();
		out.open_json_object('tx');
		out.js('bytes', s.tx_bytes);
		out.js('packets', s.tx_packets);
		out.js('errors', s.tx_errors);
		out.js('dropped', s.tx_dropped);
		out.js('carrier_errors', s.tx_carrier_errors);
		out.js('collisions', s.collisions);
		if (s.tx_compressed !== 0) out.js('compressed', s.tx_compressed);
		if (g.show_stats > 1) {
			out.js('aborted_errors', s.tx_aborted_errors);
			out.js('fifo_errors', s.tx_fifo_errors);
			out.js('window_errors', s.tx_window_errors);
			out.js('heartbeat_errors', s.tx_heartbeat_errors);
			if (carrier_changes !== null) out.js('carrier_changes', nla_get_u32(carrier_changes));
		}
		out.close_json_object();
		out.close_json_object();
		return;
	}
	out.fp(stats_text(g, s, carrier_changes));
}

/** The table for people: each column is as wide as its widest number; error counters begin in the second one. */
function stats_text(g: ip_globals, s: stats, carrier_changes: nlattr | null): string {
	interface row {
		title: string;
		head: string[];
		v: number[];
	}
	const rows: row[] = [];
	const main = (title: string, head: string[], v: number[], compressed: number): void => {
		rows.push({
			title,
			head: [...head, compressed !== 0 ? 'compressed' : ''],
			v: compressed !== 0 ? [...v, compressed] : v,
		});
	};
	const errors = (title: string, head: string[], v: number[], extra: string, value: number): void => {
		if (g.show_stats < 2) return;
		rows.push({ title, head: extra === '' ? head : [...head, extra], v: extra === '' ? v : [...v, value] });
	};
	main(
		'RX: ',
		['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast'],
		[s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, s.rx_missed_errors, s.multicast],
		s.rx_compressed,
	);
	errors(
		'RX errors:',
		['length', 'crc', 'frame', 'fifo', 'overrun'],
		[s.rx_length_errors, s.rx_crc_errors, s.rx_frame_errors, s.rx_fifo_errors, s.rx_over_errors],
		s.rx_nohandler !== 0 ? 'nohandler' : '',
		s.rx_nohandler,
	);
	main(
		'TX: ',
		['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns'],
		[s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped, s.tx_carrier_errors, s.collisions],
		s.tx_compressed,
	);
	errors(
		'TX errors:',
		['aborted', 'fifo', 'window', 'heartbt'],
		[s.tx_aborted_errors, s.tx_fifo_errors, s.tx_window_errors, s.tx_heartbeat_errors],
		carrier_changes !== null ? 'transns' : '',
		carrier_changes === null ? 0 : nla_get_u32(carrier_changes),
	);
	const cols = [10, 7, 6, 7, 7, 7, 10];
	const first = (r: row): number => (r.title.endsWith(' ') ? 0 : 1);
	for (const r of rows) {
		r.v.forEach((v, i) => {
			const c = i + first(r);
			cols[c] = Math.max(cols[c], String(v).length);
		});
	}
	const lines: string[] = [];
	for (const r of rows) {
		const skip = first(r);
		const head = r.head.map((h, i) => h.padStart(cols[i + skip]));
		if (skip === 0) head[0] = r.title + r.head[0].padStart(cols[0] - r.title.length);
		else head.unshift(r.title.padEnd(cols[0]));
		lines.push(`    ${head.join(' ')}`);
		const vals = r.v.map((v, i) => human(g, v).padStart(cols[i + skip]));
		if (skip === 1) vals.unshift(' '.repeat(cols[0]));
		lines.push(`    ${vals.join(' ')} `);
	}
	return lines.join(g.nl);
}

/** The statistics of a link by themselves, as `ip -s addr` has them behind its addresses. */
export function print_link_stats(g: ip_globals, n: nlmsghdr): void {
	const tb = msg_attrs(n, 16, IFLA_MAX);
	const s = read_stats(tb);
	if (s === null) return;
	print_stats64(g, s, tb[IFLA_CARRIER_CHANGES]);
	g.out.fp('\n');
}

// ---- the whole ----

/** Shows one link. Return: -1 when the filter hides it, 1 when it ends its JSON object itself (brief). */
export function print_linkinfo(g: ip_globals, n: nlmsghdr, f: link_filter): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWLINK && n.nlmsg_type !== RTM_DELLINK) return 0;
	const tb = msg_attrs(n, 16, IFLA_MAX);
	if (!link_filtered(n, tb, f)) return -1;
	// A label hides the link, not its addresses.
	if (f.label !== null && (f.family === 0 || f.family === AF_PACKET)) {
		if (!fnmatch(f.label, nla_get_string(tb[IFLA_IFNAME]!))) return 0;
	}
	if (g.brief) {
		print_brief(g, n, tb, f);
		return 0;
	}
	if (n.nlmsg_type === RTM_DELLINK) out.any('deleted', true, 'Deleted ');
	out.any('ifindex', ifi_index(n), `${ifi_index(n)}: `);
	const mdown = print_name_and_link(g, tb, 0, ': ');
	print_flags(g, ifi_flags(n), mdown);
	if (tb[IFLA_MTU] !== null) out.any('mtu', nla_get_u32(tb[IFLA_MTU]), `mtu ${nla_get_u32(tb[IFLA_MTU]) | 0} `);
	if (tb[IFLA_QDISC] !== null) {
		const q = nla_get_string(tb[IFLA_QDISC]);
		out.any('qdisc', q, `qdisc ${q} `);
	}
	if (tb[IFLA_MASTER] !== null) {
		const m = g.ll.index_to_name(nla_get_u32(tb[IFLA_MASTER]));
		out.colored(COLOR_IFNAME, 'master', m, 'master ', m, ' ');
	}
	if (tb[IFLA_OPERSTATE] !== null) print_operstate(g, nla_get_u8(tb[IFLA_OPERSTATE]));
	if (f.do_link && tb[IFLA_LINKMODE] !== null) {
		const mode = nla_get_u8(tb[IFLA_LINKMODE]);
		const name = LINKMODES[mode];
		if (name === undefined) out.any('linkmode_index', mode, `mode ${mode} `);
		else out.any('linkmode', name, `mode ${name} `);
	}
	if (tb[IFLA_GROUP] !== null) {
		const name = g.names.group_n2a(nla_get_u32(tb[IFLA_GROUP]));
		out.any('group', name, `group ${name} `);
	}
	if (f.showqueue && tb[IFLA_TXQLEN] !== null) {
		const q = nla_get_u32(tb[IFLA_TXQLEN]) | 0;
		if (q !== 0) out.any('txqlen', q, `qlen ${q}`);
	}
	if (tb[IFLA_EVENT] !== null) {
		const ev = nla_get_u32(tb[IFLA_EVENT]);
		const name = EVENTS[ev];
		if (name === undefined) out.any('event', `Unknown event ${ev}`, `event ${ev} `);
		else out.any('event', name, `event ${name} `);
	}
	if (f.family === 0 || f.family === AF_PACKET || g.show_details > 0) print_lladdr(g, n, tb);
	if (tb[IFLA_LINK_NETNSID] !== null) {
		const id = nla_get_u32(tb[IFLA_LINK_NETNSID]) | 0;
		if (out.json) out.js('link_netnsid', id);
		else if (id >= 0) {
			const name = nsid_name(g, id);
			out.fp(name !== null ? ` link-netns ${name}` : ` link-netnsid ${id}`);
		} else out.fp(' link-netnsid unknown');
	}
	if (tb[IFLA_NEW_NETNSID] !== null) {
		const id = nla_get_u32(tb[IFLA_NEW_NETNSID]) | 0;
		const name = id >= 0 ? nsid_name(g, id) : null;
		out.fp(name !== null ? ` new-netns ${name}` : ` new-netnsid ${id}`);
	}
	if (tb[IFLA_NEW_IFINDEX] !== null) {
		const id = nla_get_u32(tb[IFLA_NEW_IFINDEX]) | 0;
		out.any('new_ifindex', id, ` new-ifindex ${id}`);
	}
	if (tb[IFLA_PROTO_DOWN] !== null && nla_get_u8(tb[IFLA_PROTO_DOWN]) !== 0)
		out.any('proto_down', true, ' protodown on ');
	if (g.show_details > 0) print_details(g, tb, f.do_link);
	if ((f.do_link || g.show_details > 0) && tb[IFLA_IFALIAS] !== null) {
		const alias = nla_get_string(tb[IFLA_IFALIAS]);
		out.fp(g.nl);
		out.any('ifalias', alias, `    alias ${alias}`);
	}
	if (f.do_link && g.show_stats > 0) {
		const s = read_stats(tb);
		if (s !== null) {
			out.fp(g.nl);
			print_stats64(g, s, tb[IFLA_CARRIER_CHANGES]);
		}
	}
	if (tb[IFLA_PROP_LIST] !== null) {
		const names = nla_nested(tb[IFLA_PROP_LIST]).filter((a) => a.type === IFLA_ALT_IFNAME);
		if (names.length > 0) {
			out.open_json_array('altnames', null);
			for (const a of names) {
				out.fp(g.nl);
				out.any(null, nla_get_string(a), `    altname ${nla_get_string(a)}`);
			}
			out.close_json_array(null);
		}
	}
	out.fp('\n');
	return 1;
}
