/*
 * user/iproute2/iplink.ts: `ip link`.                              Original: ip/iplink.c, ip/link_veth.c
 * Not here yet: vf, xdp, vrf, xstats, afstats, property, and the options of kinds that linnet has not (refused by name).
 */
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nlbuf_put,
	str_to_bytes,
} from '../../lib/nlattr.ts';
import {
	IFALIASZ,
	IFF_ALLMULTI,
	IFF_DYNAMIC,
	IFF_MULTICAST,
	IFF_NOARP,
	IFF_NOTRAILERS,
	IFF_PROMISC,
	IFF_UP,
} from '../../uapi/linux/if.ts';
import {
	IFLA_ADDRESS,
	IFLA_AF_SPEC,
	IFLA_BROADCAST,
	IFLA_CARRIER,
	IFLA_GRO_MAX_SIZE,
	IFLA_GROUP,
	IFLA_GSO_MAX_SEGS,
	IFLA_GSO_MAX_SIZE,
	IFLA_IFALIAS,
	IFLA_IFNAME,
	IFLA_INET6_ADDR_GEN_MODE,
	IFLA_INFO_DATA,
	IFLA_INFO_KIND,
	IFLA_INFO_SLAVE_DATA,
	IFLA_INFO_SLAVE_KIND,
	IFLA_LINK,
	IFLA_LINK_NETNSID,
	IFLA_LINKINFO,
	IFLA_LINKMODE,
	IFLA_MASTER,
	IFLA_MAX,
	IFLA_MTU,
	IFLA_NET_NS_FD,
	IFLA_NET_NS_PID,
	IFLA_NUM_RX_QUEUES,
	IFLA_NUM_TX_QUEUES,
	IFLA_OPERSTATE,
	IFLA_PROTO_DOWN,
	IFLA_TXQLEN,
} from '../../uapi/linux/if_link.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import { RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET6 } from '../../uapi/linux/socket.ts';
import { LINK_USAGE } from './help.ts';
import { ipaddr_list } from './ipaddress.ts';
import { get_netnsid_from_name, NETNS_RUN_DIR } from './ipnetns_map.ts';
import { msg_attrs, request, rtnl_talk } from './libnetlink.ts';
import {
	type args,
	check_altifname,
	check_ifname,
	duparg,
	duparg2,
	exit,
	get_integer,
	get_u32,
	invarg,
	type ip_globals,
	ll_addr_a2n,
	matches,
	nodev,
	unsupported,
} from './utils.ts';

const VETH_INFO_PEER = 1;
const OPER_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];
const ADDR_GEN_MODES = ['eui64', 'none', 'stable_secret', 'random'];

function usage(g: ip_globals): never {
	g.err(LINK_USAGE);
	exit(-1);
}

/** What the words of a link said beside what they put into the message. */
interface link_words {
	name: string | null;
	dev: string | null;
	link: string | null;
	type: string | null;
	group: number;
	index: number;
	flags: number;
	change: number;
	/** How long the hardware addresses are that were said. */
	lladdr_lens: number[];
}

/** Length of a link's hardware address; -1: not known. */
async function ll_addr_len(g: ip_globals, index: number): Promise<number> {
	const req = new request(RTM_GETLINK, 0, 16);
	req.u32(4, index);
	const r = await rtnl_talk(g, req, true, true);
	if (r.answer === null) return -1;
	return msg_attrs(r.answer, 16, IFLA_MAX)[IFLA_ADDRESS]?.len ?? -1;
}

/** A descriptor or the pid of a namespace named by a word. */
function put_netns(g: ip_globals, req: request, word: string): void {
	const fd = g.proc.open_netns(word.includes('/') ? word : `${NETNS_RUN_DIR}/${word}`);
	if (fd >= 0) {
		nla_put_u32(req, IFLA_NET_NS_FD, fd);
		return;
	}
	const pid = get_integer(word);
	if (pid === null) invarg(g, 'Invalid "netns" value\n', word);
	nla_put_u32(req, IFLA_NET_NS_PID, pid);
}

const ON_OFF: readonly (readonly [string, number, boolean])[] = [
	['multicast', IFF_MULTICAST, false],
	['allmulticast', IFF_ALLMULTI, false],
	['promisc', IFF_PROMISC, false],
	['trailers', IFF_NOTRAILERS, true],
	['arp', IFF_NOARP, true],
	['dynamic', IFF_DYNAMIC, false],
];

/** Says what a switch must be, and ends as an option's failure does. */
function on_off(g: ip_globals, name: string, word: string): never {
	g.err(`Error: argument of "${name}" must be "on" or "off", not "${word}"\n`);
	exit(1);
}

function put_num(
	g: ip_globals,
	req: request,
	a: args,
	seen: Set<string>,
	key: string,
	attr: number,
	message = `Invalid "${key}" value\n`,
): void {
	const w = a.next();
	if (seen.has(key)) duparg(g, key, w);
	seen.add(key);
	const v = get_integer(w);
	if (v === null) invarg(g, message, w);
	nla_put_u32(req, attr, v);
}

/** Reads the words of a link up to `type KIND`, which leaves the rest to the kind. */
async function iplink_parse(g: ip_globals, req: request, a: args): Promise<link_words> {
	const w: link_words = {
		name: null,
		dev: null,
		link: null,
		type: null,
		group: -1,
		index: 0,
		flags: 0,
		change: 0,
		lladdr_lens: [],
	};
	const seen: Set<string> = new Set();
	const flag = (bit: number, on: boolean): void => {
		w.change |= bit;
		w.flags = on ? w.flags | bit : w.flags & ~bit;
	};
	for (; a.more; a.shift()) {
		const sw = ON_OFF.find((o) => a.word === o[0]);
		if (a.is('up')) flag(IFF_UP, true);
		else if (a.is('down')) flag(IFF_UP, false);
		else if (a.is('name')) {
			const v = a.next();
			if (w.name !== null) duparg(g, 'name', v);
			if (!check_ifname(v)) invarg(g, '"name" not a valid ifname', v);
			w.name = v;
		} else if (a.is('index')) {
			const v = a.next();
			if (w.index !== 0) duparg(g, 'index', v);
			const n = get_integer(v);
			if (n === null || n <= 0) invarg(g, 'Invalid "index" value', v);
			w.index = n;
		} else if (a.matches('link')) {
			w.link = a.next();
		} else if (a.matches('address')) {
			const b = ll_addr_a2n(g, a.next());
			if (b === null) exit(1);
			w.lladdr_lens.push(b.length);
			nla_put(req, IFLA_ADDRESS, b);
		} else if (a.matches('broadcast') || a.is('brd')) {
			const b = ll_addr_a2n(g, a.next());
			if (b === null) exit(1);
			w.lladdr_lens.push(b.length);
			nla_put(req, IFLA_BROADCAST, b);
		} else if (a.matches('txqueuelen') || a.is('qlen') || a.matches('txqlen')) {
			put_num(g, req, a, seen, 'txqueuelen', IFLA_TXQLEN);
		} else if (a.is('mtu')) {
			put_num(g, req, a, seen, 'mtu', IFLA_MTU);
		} else if (a.is('xdpgeneric', 'xdpdrv', 'xdpoffload', 'xdp')) {
			unsupported(g, a.word);
		} else if (a.is('netns')) {
			const v = a.next();
			if (seen.has('netns')) duparg(g, 'netns', v);
			seen.add('netns');
			put_netns(g, req, v);
		} else if (sw !== undefined) {
			const v = a.next();
			if (v !== 'on' && v !== 'off') on_off(g, sw[0], v);
			flag(sw[1], (v === 'on') !== sw[2]);
		} else if (a.is('carrier')) {
			const v = a.next();
			if (v !== 'on' && v !== 'off') on_off(g, 'carrier', v);
			nla_put_u8(req, IFLA_CARRIER, v === 'on' ? 1 : 0);
		} else if (a.is('vf', 'vrf', 'protodown_reason', 'parentdev')) {
			unsupported(g, a.word);
		} else if (a.matches('master')) {
			const v = a.next();
			const idx = await g.ll.name_to_index(v);
			if (idx === 0) invarg(g, 'Device does not exist\n', v);
			nla_put_u32(req, IFLA_MASTER, idx);
		} else if (a.matches('nomaster')) {
			nla_put_u32(req, IFLA_MASTER, 0);
		} else if (a.matches('dynamic')) {
			const v = a.next();
			if (v !== 'on' && v !== 'off') on_off(g, 'dynamic', v);
			flag(IFF_DYNAMIC, v === 'on');
		} else if (a.matches('type')) {
			w.type = a.next();
			a.shift();
			break;
		} else if (a.matches('alias')) {
			const v = a.next();
			const b = str_to_bytes(v);
			if (b.length >= IFALIASZ) invarg(g, 'alias too long\n', v);
			nla_put(req, IFLA_IFALIAS, b);
		} else if (a.is('group')) {
			const v = a.next();
			if (w.group !== -1) duparg(g, 'group', v);
			const id = g.names.group_a2n(v);
			if (id === null) invarg(g, 'Invalid "group" value\n', v);
			w.group = id;
			nla_put_u32(req, IFLA_GROUP, id);
		} else if (a.is('mode')) {
			const v = a.next();
			const mode = ['default', 'dormant'].indexOf(v.toLowerCase());
			if (mode < 0) invarg(g, 'Invalid link mode\n', v);
			nla_put_u8(req, IFLA_LINKMODE, mode);
		} else if (a.is('state')) {
			const v = a.next();
			const state = OPER_STATES.indexOf(v.toLowerCase());
			if (state < 0) invarg(g, 'Invalid operstate\n', v);
			nla_put_u8(req, IFLA_OPERSTATE, state);
		} else if (a.matches('numtxqueues')) {
			put_num(g, req, a, seen, 'numtxqueues', IFLA_NUM_TX_QUEUES);
		} else if (a.matches('numrxqueues')) {
			put_num(g, req, a, seen, 'numrxqueues', IFLA_NUM_RX_QUEUES);
		} else if (a.matches('addrgenmode')) {
			const v = a.next();
			const mode = ADDR_GEN_MODES.indexOf(v);
			if (mode < 0) invarg(g, 'Invalid address generation mode\n', v);
			const afs = nla_nest_start_noflag(req, IFLA_AF_SPEC);
			const af6 = nla_nest_start_noflag(req, AF_INET6);
			nla_put_u8(req, IFLA_INET6_ADDR_GEN_MODE, mode);
			nla_nest_end(req, af6);
			nla_nest_end(req, afs);
		} else if (a.is('link-netnsid')) {
			put_num(g, req, a, seen, 'link-netnsid', IFLA_LINK_NETNSID);
		} else if (a.is('link-netns')) {
			const v = a.next();
			const id = await get_netnsid_from_name(g, v);
			if (id < 0) invarg(g, 'Invalid "link-netns" value\n', v);
			nla_put_u32(req, IFLA_LINK_NETNSID, id);
		} else if (a.is('protodown')) {
			const v = a.next();
			if (v !== 'on' && v !== 'off') on_off(g, 'protodown', v);
			nla_put_u8(req, IFLA_PROTO_DOWN, v === 'on' ? 1 : 0);
		} else if (a.is('gso_max_size', 'gso_max_segs', 'gro_max_size')) {
			const key = a.word;
			const v = a.next();
			const n = get_u32(v);
			const most = key === 'gso_max_segs' ? 65535 : 0xffffffff;
			if (n === null || n > most) invarg(g, `Invalid "${key}" value\n`, v);
			const attr = {
				gso_max_size: IFLA_GSO_MAX_SIZE,
				gso_max_segs: IFLA_GSO_MAX_SEGS,
				gro_max_size: IFLA_GRO_MAX_SIZE,
			};
			nla_put_u32(req, attr[key as keyof typeof attr], n);
		} else {
			if (matches(a.word, 'help')) usage(g);
			if (a.is('dev')) a.next();
			if (w.dev !== null) duparg2(g, 'dev', a.word);
			if (!check_altifname(a.word)) invarg(g, '"dev" not a valid ifname', a.word);
			w.dev = a.word;
		}
	}
	return w;
}

function veth_usage(g: ip_globals): number {
	g.out.fp("Usage: ip link <options> type veth [peer <options>]\nTo get <options> type 'ip link add help'\n");
	return -1;
}

/** `peer …` of a veth: a link of its own inside the message. */
async function veth_parse_opt(g: ip_globals, req: request, a: args): Promise<number> {
	if (!a.is('peer')) return veth_usage(g);
	a.shift();
	const nest = nla_nest_start_noflag(req, VETH_INFO_PEER);
	const at = nlbuf_put(req, 16);
	const w = await iplink_parse(g, req, a);
	if (w.type !== null) duparg(g, 'type', w.type);
	const name = w.name ?? w.dev;
	if (name !== null) nla_put_string(req, IFLA_IFNAME, name);
	put_unaligned_le32(req.data, at + 4, w.index);
	put_unaligned_le32(req.data, at + 8, w.flags);
	put_unaligned_le32(req.data, at + 12, w.change);
	nla_nest_end(req, nest);
	return 0;
}

/** What stands behind `type KIND`. */
async function put_linkinfo(g: ip_globals, req: request, type: string, a: args): Promise<number> {
	const slave = type.endsWith('_slave');
	const kind = slave ? type.slice(0, -6) : type;
	const nest = nla_nest_start_noflag(req, IFLA_LINKINFO);
	nla_put(req, slave ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND, str_to_bytes(kind));
	if (a.more) {
		if (kind === 'veth') {
			const data = nla_nest_start_noflag(req, slave ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA);
			const err = await veth_parse_opt(g, req, a);
			if (err < 0) return err;
			nla_nest_end(req, data);
		} else if (kind === 'dummy' || kind === 'ifb') {
			if (matches(a.word, 'help')) usage(g);
			g.err(`Garbage instead of arguments "${a.word} ...". Try "ip link help".\n`);
			return -1;
		} else unsupported(g, `type ${type} ${a.word}`);
	}
	nla_nest_end(req, nest);
	return 0;
}

async function iplink_modify(g: ip_globals, cmd: number, flags: number, a: args): Promise<number> {
	const req = new request(cmd, flags, 16);
	req.u8(0, g.preferred_family);
	const w = await iplink_parse(g, req, a);
	req.u32(8, w.flags);
	req.u32(12, w.change);
	if (w.group !== -1 && w.dev === null && (flags & NLM_F_CREATE) === 0) {
		if (a.more) {
			g.err(`Garbage instead of arguments "${a.word} ...". Try "ip link help".\n`);
			return -1;
		}
		const r = await rtnl_talk(g, req, false);
		return r.ret < 0 ? -2 : 0;
	}
	let name = w.name;
	if ((flags & NLM_F_CREATE) === 0) {
		if (w.dev === null) {
			g.err('Not enough information: "dev" argument is required.\n');
			exit(-1);
		}
		if (cmd === RTM_NEWLINK && w.index !== 0) {
			g.err('index can be used only when creating devices.\n');
			exit(-1);
		}
		const idx = await g.ll.name_to_index(w.dev);
		if (idx === 0) return nodev(g, w.dev);
		req.u32(4, idx);
		for (const len of w.lladdr_lens) {
			const want = await ll_addr_len(g, idx);
			if (want < 0 || want === len) continue;
			g.err(`Invalid address length ${len} - must be ${want} bytes\n`);
			return -1;
		}
		if (name === w.dev) name = null;
	} else {
		name ??= w.dev;
		if (w.link !== null) {
			const idx = await g.ll.name_to_index(w.link);
			if (idx === 0) return nodev(g, w.link);
			nla_put_u32(req, IFLA_LINK, idx);
		}
		req.u32(4, w.index);
	}
	if (name !== null) nla_put_string(req, IFLA_IFNAME, name);
	if (w.type !== null) {
		const err = await put_linkinfo(g, req, w.type, a);
		if (err < 0) return err;
	} else if ((flags & NLM_F_CREATE) !== 0) {
		g.err('Not enough information: "type" argument is required\n');
		return -1;
	}
	const r = await rtnl_talk(g, req, false);
	g.ll.clear();
	return r.ret < 0 ? -2 : 0;
}

/** `ip link help TYPE`. */
function link_help(g: ip_globals, type: string): number {
	if (type === 'veth') {
		veth_usage(g);
		return 0;
	}
	if (type === 'dummy' || type === 'ifb') {
		g.out.fp(`Usage: ... ${type}\n`);
		return 0;
	}
	return unsupported(g, `link help ${type}`);
}

export async function do_iplink(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return ipaddr_list(g, a, true);
	const w = a.word;
	const rest = (): args => {
		a.shift();
		return a;
	};
	if (matches(w, 'add')) return iplink_modify(g, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, rest());
	if (matches(w, 'set') || matches(w, 'change')) return iplink_modify(g, RTM_NEWLINK, 0, rest());
	if (matches(w, 'replace')) return iplink_modify(g, RTM_NEWLINK, NLM_F_CREATE | NLM_F_REPLACE, rest());
	if (matches(w, 'delete')) return iplink_modify(g, RTM_DELLINK, 0, rest());
	if (matches(w, 'show') || matches(w, 'lst') || matches(w, 'list')) return ipaddr_list(g, rest(), true);
	if (matches(w, 'xstats')) unsupported(g, 'link xstats');
	if (matches(w, 'afstats')) unsupported(g, 'link afstats');
	if (matches(w, 'property')) unsupported(g, 'link property');
	if (matches(w, 'help')) {
		a.shift();
		return a.more ? link_help(g, a.word) : usage(g);
	}
	g.err(`Command "${w}" is unknown, try "ip link help".\n`);
	exit(-1);
}
