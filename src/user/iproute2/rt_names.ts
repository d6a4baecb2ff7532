/*
 * user/iproute2/rt_names.ts: names of numbers, from /etc/iproute2 or built in.   Original: lib/rt_names.c, lib/ll_types.c, lib/inet_proto.c
 */
import type { Process } from '../libc.ts';
import { strtoul } from './utils.ts';

const DIR = '/etc/iproute2';

const PROTOS: readonly (readonly [number, string])[] = [
	[0, 'unspec'],
	[1, 'redirect'],
	[2, 'kernel'],
	[3, 'boot'],
	[4, 'static'],
	[8, 'gated'],
	[9, 'ra'],
	[10, 'mrt'],
	[11, 'zebra'],
	[12, 'bird'],
	[13, 'dnrouted'],
	[14, 'xorp'],
	[15, 'ntk'],
	[16, 'dhcp'],
	[17, 'mrouted'],
	[18, 'keepalived'],
	[42, 'babel'],
	[99, 'openr'],
	[186, 'bgp'],
	[187, 'isis'],
	[188, 'ospf'],
	[189, 'rip'],
	[192, 'eigrp'],
];
const SCOPES: readonly (readonly [number, string])[] = [
	[0, 'global'],
	[255, 'nowhere'],
	[254, 'host'],
	[253, 'link'],
	[200, 'site'],
];
const TABLES: readonly (readonly [number, string])[] = [
	[0, 'unspec'],
	[253, 'default'],
	[254, 'main'],
	[255, 'local'],
];
/** Of Debian's /etc/iproute2/rt_dsfield, which the program has built in only as 0. */
const DSFIELDS: readonly (readonly [number, string])[] = [[0, '0x00']];

const RTN_TYPES = [
	'none',
	'unicast',
	'local',
	'broadcast',
	'anycast',
	'multicast',
	'blackhole',
	'unreachable',
	'prohibit',
	'throw',
	'nat',
	'xresolve',
];

const IP_PROTOS: readonly (readonly [number, string])[] = [
	[0, 'ip'],
	[1, 'icmp'],
	[2, 'igmp'],
	[3, 'ggp'],
	[4, 'ipencap'],
	[5, 'st'],
	[6, 'tcp'],
	[8, 'egp'],
	[9, 'igp'],
	[12, 'pup'],
	[17, 'udp'],
	[20, 'hmp'],
	[22, 'xns-idp'],
	[27, 'rdp'],
	[29, 'iso-tp4'],
	[33, 'dccp'],
	[36, 'xtp'],
	[37, 'ddp'],
	[38, 'idpr-cmtp'],
	[41, 'ipv6'],
	[43, 'ipv6-route'],
	[44, 'ipv6-frag'],
	[45, 'idrp'],
	[46, 'rsvp'],
	[47, 'gre'],
	[50, 'esp'],
	[51, 'ah'],
	[57, 'skip'],
	[58, 'ipv6-icmp'],
	[59, 'ipv6-nonxt'],
	[60, 'ipv6-opts'],
	[73, 'rspf'],
	[81, 'vmtp'],
	[88, 'eigrp'],
	[89, 'ospf'],
	[93, 'ax.25'],
	[94, 'ipip'],
	[97, 'etherip'],
	[98, 'encap'],
	[103, 'pim'],
	[108, 'ipcomp'],
	[112, 'vrrp'],
	[115, 'l2tp'],
	[124, 'isis'],
	[132, 'sctp'],
	[133, 'fc'],
	[135, 'mobility-header'],
	[136, 'udplite'],
	[137, 'mpls-in-ip'],
	[138, 'manet'],
	[139, 'shim6'],
	[140, 'wesp'],
	[141, 'rohc'],
	[142, 'ethernet'],
	[262, 'mptcp'],
];

const LL_TYPES: readonly (readonly [number, string])[] = [
	[0, 'netrom'],
	[1, 'ether'],
	[2, 'eether'],
	[3, 'ax25'],
	[4, 'pronet'],
	[5, 'chaos'],
	[6, 'ieee802'],
	[7, 'arcnet'],
	[8, 'atalk'],
	[15, 'dlci'],
	[19, 'atm'],
	[23, 'metricom'],
	[24, 'ieee1394'],
	[32, 'infiniband'],
	[256, 'slip'],
	[257, 'cslip'],
	[258, 'slip6'],
	[259, 'cslip6'],
	[260, 'rsrvd'],
	[264, 'adapt'],
	[270, 'rose'],
	[271, 'x25'],
	[280, 'can'],
	[512, 'ppp'],
	[513, 'hdlc'],
	[516, 'lapb'],
	[517, 'ddcmp'],
	[518, 'rawhdlc'],
	[519, 'rawip'],
	[768, 'ipip'],
	[769, 'tunnel6'],
	[770, 'frad'],
	[771, 'skip'],
	[772, 'loopback'],
	[773, 'ltalk'],
	[774, 'fddi'],
	[775, 'bif'],
	[776, 'sit'],
	[777, 'ip/ddp'],
	[778, 'gre'],
	[779, 'pimreg'],
	[780, 'hippi'],
	[781, 'ash'],
	[782, 'econet'],
	[783, 'irda'],
	[784, 'fcpp'],
	[785, 'fcal'],
	[786, 'fcpl'],
	[787, 'fcfb0'],
	[800, 'tr'],
	[801, 'ieee802.11'],
	[802, 'ieee802.11/prism'],
	[803, 'ieee802.11/radiotap'],
	[804, 'ieee802.15.4'],
	[805, 'ieee802.15.4/monitor'],
	[820, 'phonet'],
	[821, 'phonet_pipe'],
	[822, 'caif'],
	[823, 'gre6'],
	[824, 'netlink'],
	[825, '6lowpan'],
	[826, 'vsockmon'],
	[0xfffe, 'none'],
	[0xffff, 'void'],
];

/** A table of names, both ways. */
class name_table {
	by_id: Map<number, string> = new Map();
	by_name: Map<string, number> = new Map();

	constructor(builtin: readonly (readonly [number, string])[]) {
		for (const [id, name] of builtin) this.add(id, name);
	}

	add(id: number, name: string): void {
		const old = this.by_id.get(id);
		if (old !== undefined && this.by_name.get(old) === id) this.by_name.delete(old);
		this.by_id.set(id, name);
		this.by_name.set(name, id);
	}
}

export class rt_names {
	numeric = false;
	protos = new name_table(PROTOS);
	scopes = new name_table(SCOPES);
	tables = new name_table(TABLES);
	realms = new name_table([[0, 'unknown']]);
	dsfields = new name_table(DSFIELDS);
	groups = new name_table([[0, 'default']]);
	ipprotos = new name_table(IP_PROTOS);
	lltypes = new name_table(LL_TYPES);

	private show(t: name_table, id: number): string {
		return (this.numeric ? undefined : t.by_id.get(id)) ?? String(id);
	}

	/** A name, or a number of `base` up to `max`; null when it is neither. */
	private find(t: name_table, arg: string, max: number, base = 0): number | null {
		const id = t.by_name.get(arg);
		if (id !== undefined) return id;
		if (base === 16) {
			if (!/^(0[xX])?[0-9a-fA-F]+$/.test(arg)) return null;
			const v = parseInt(arg, 16);
			return v > max ? null : v;
		}
		const v = strtoul(arg);
		return Number.isNaN(v) || v < 0 || v > max ? null : v;
	}

	rtprot_n2a(id: number): string {
		return this.show(this.protos, id);
	}

	rtprot_a2n(arg: string): number | null {
		return this.find(this.protos, arg, 255);
	}

	rtscope_n2a(id: number): string {
		return this.show(this.scopes, id);
	}

	rtscope_a2n(arg: string): number | null {
		return this.find(this.scopes, arg, 255);
	}

	rttable_n2a(id: number): string {
		return this.show(this.tables, id);
	}

	rttable_a2n(arg: string): number | null {
		return this.find(this.tables, arg, 0xffffffff);
	}

	rtrealm_n2a(id: number): string {
		return this.show(this.realms, id);
	}

	rtrealm_a2n(arg: string): number | null {
		return this.find(this.realms, arg, 255);
	}

	dsfield_n2a(id: number): string {
		return (this.numeric ? undefined : this.dsfields.by_id.get(id)) ?? `0x${id.toString(16).padStart(2, '0')}`;
	}

	dsfield_a2n(arg: string): number | null {
		return this.find(this.dsfields, arg, 255, 16);
	}

	group_n2a(id: number): string {
		return this.show(this.groups, id);
	}

	group_a2n(arg: string): number | null {
		const id = this.groups.by_name.get(arg);
		if (id !== undefined) return id;
		const v = strtoul(arg);
		return Number.isNaN(v) || v < 0 || v > 0x7fffffff ? null : v;
	}

	inet_proto_n2a(id: number): string {
		return (this.numeric ? undefined : this.ipprotos.by_id.get(id)) ?? `ipproto-${id}`;
	}

	inet_proto_a2n(arg: string): number | null {
		const v = strtoul(arg);
		if (!Number.isNaN(v) && v >= 0 && v <= 255) return v;
		return this.ipprotos.by_name.get(arg) ?? null;
	}

	ll_type_n2a(id: number): string {
		return (this.numeric ? undefined : this.lltypes.by_id.get(id)) ?? `[${id}]`;
	}

	rtntype_n2a(id: number): string {
		return (this.numeric ? undefined : RTN_TYPES[id]) ?? String(id);
	}

	rtntype_a2n(arg: string): number | null {
		switch (arg) {
			case 'local':
				return 2;
			case 'nat':
				return 10;
			case 'blackhole':
				return 6;
			case 'xresolve':
				return 11;
			case 'unreachable':
				return 7;
			case 'prohibit':
				return 8;
			case 'throw':
				return 9;
			case 'unicast':
				return 1;
			case 'multicast':
				return 5;
			case 'broadcast':
			case 'brd':
				return 3;
			case 'anycast':
				return 4;
			default: {
				const v = strtoul(arg);
				return Number.isNaN(v) || v < 0 || v > 255 ? null : v;
			}
		}
	}
}

/** Lines `number name`, `#` begins a comment. */
function read_table(t: name_table, text: string): void {
	for (const line of text.split('\n')) {
		const m = /^\s*(0[xX][0-9a-fA-F]+|\d+)\s+([^\s#]+)/.exec(line);
		if (m !== null) t.add(Number(m[1]), m[2]);
	}
}

/** The names as the host's files have them. */
export async function read_rt_names(proc: Process): Promise<rt_names> {
	const n = new rt_names();
	const files: readonly (readonly [name_table, string])[] = [
		[n.protos, 'rt_protos'],
		[n.scopes, 'rt_scopes'],
		[n.tables, 'rt_tables'],
		[n.realms, 'rt_realms'],
		[n.dsfields, 'rt_dsfield'],
		[n.groups, 'group'],
	];
	for (const [t, file] of files) {
		const text = await proc.readFile(`${DIR}/${file}`);
		if (typeof text === 'string') read_table(t, text);
	}
	for (const [t, dir] of [
		[n.tables, 'rt_tables.d'],
		[n.protos, 'rt_protos.d'],
	] as const) {
		const names = await proc.readdir(`${DIR}/${dir}`);
		if (typeof names === 'number') continue;
		for (const name of names) {
			if (!name.endsWith('.conf') || name.startsWith('.')) continue;
			const text = await proc.readFile(`${DIR}/${dir}/${name}`);
			if (typeof text === 'string') read_table(t, text);
		}
	}
	return n;
}
