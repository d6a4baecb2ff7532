/*
 * user/ipset/ipset.ts: ipset(8): makes, fills, asks and shows sets.                 Original: ipset 7.17
 * Walk: ipset -> command -> talk (one nfnetlink request) -> show; restore gathers neighbouring add and del lines into one message.
 * Not here: interactive mode, -resolve, -output xml, IPv6, bitmask, help's texts per type.
 */
import {
	__nla_parse,
	NL_VALIDATE_LIBERAL,
	NLMSG_ALIGN,
	nla_data,
	nla_get_be32,
	nla_get_string,
	nla_get_u8,
	nla_nest_end,
	nla_nest_start,
	nla_nested,
	nla_put,
	nla_put_be16,
	nla_put_be64,
	nla_put_string,
	nla_put_u8,
	type nlattr,
	type nlattr_table,
	nlbuf,
	nlbuf_bytes,
	nlmsg_end,
	nlmsg_ok,
	nlmsg_put,
	nlmsghdr,
} from '../../lib/nlattr.ts';
import { EEXIST, ENOENT, strerror } from '../../uapi/asm-generic/errno.ts';
import * as U from '../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NFNL_SUBSYS_IPSET } from '../../uapi/linux/netfilter/nfnetlink.ts';
import {
	NLA_F_NET_BYTEORDER as NET,
	NETLINK_NETFILTER,
	NLM_F_ACK,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	NLM_F_REQUEST,
	NLMSG_DONE,
	NLMSG_ERROR,
} from '../../uapi/linux/netlink.ts';
import { AF_NETLINK, msghdr, SOCK_RAW, sockaddr_nl } from '../../uapi/linux/socket.ts';
import { type Process, utf8_decode } from '../libc.ts';
import {
	elem_text,
	flags_of,
	get_ip,
	ip_text,
	ipset_error,
	number_of,
	options_text,
	parse_elem,
	parse_ip,
	put_skbmark,
	put_skbprio,
	put_u32,
	syntax,
} from './element.ts';
import { HELP } from './help.ts';

const AF_INET = 2;
const VERSION = 'ipset v7.17';
const TRY_HELP = "Try `ipset help' for more information.";

const COMMANDS: readonly (readonly string[])[] = [
	['create', 'n', '-N', '--create', 'new', '-n'],
	['add', '-A', '--add'],
	['del', '-D', '--del'],
	['test', '-T', '--test'],
	['destroy', 'x', '-X', '--destroy'],
	['list', '-L', '--list'],
	['save', '-S', '--save'],
	['restore', '-R', '--restore'],
	['flush', '-F', '--flush'],
	['rename', 'e', '-E', '--rename'],
	['swap', 'w', '-W', '--swap'],
	['help', '-H', '-h', '--help'],
	['version', '-V', '-v', '--version'],
];

const HASH = [
	'hash:ip',
	'hash:net',
	'hash:ip,port',
	'hash:net,port',
	'hash:ip,port,ip',
	'hash:ip,port,net',
	'hash:net,iface',
];
const UNBUILT = ['hash:mac', 'hash:ip,mac', 'hash:net,port,net', 'hash:net,net', 'hash:ip,mark'];
const TYPES = [...HASH, ...UNBUILT, 'bitmap:ip', 'bitmap:ip,mac', 'bitmap:port', 'list:set'];
const ALIASES: Record<string, string> = {
	iphash: 'hash:ip',
	nethash: 'hash:net',
	ipporthash: 'hash:ip,port',
	ipportiphash: 'hash:ip,port,ip',
	ipportnethash: 'hash:ip,port,net',
	netporthash: 'hash:net,port',
	netifacehash: 'hash:net,iface',
	ipmap: 'bitmap:ip',
	macipmap: 'bitmap:ip,mac',
	portmap: 'bitmap:port',
	setlist: 'list:set',
};

interface options {
	exist: boolean;
	quiet: boolean;
	sorted: boolean;
	terse: boolean;
	names: boolean;
	output: string;
	file: string;
}

function parameter(msg: string): never {
	throw new ipset_error(2, `${msg}\n${TRY_HELP}`);
}

// ---- the kernel's errors ---------------------------------------------------------------------------------------------------------

const GENERIC: Record<number, string> = {
	[ENOENT]: 'The set with the given name does not exist',
	[U.IPSET_ERR_PROTOCOL]: 'Kernel error received: ipset protocol error',
	[U.IPSET_ERR_FIND_TYPE]: 'Kernel error received: set type not supported',
	[U.IPSET_ERR_MAX_SETS]: 'Kernel error received: maximal number of sets reached, cannot create more.',
	[U.IPSET_ERR_INVALID_CIDR]: 'The value of the CIDR parameter of the IP address is invalid',
	[U.IPSET_ERR_INVALID_NETMASK]: 'The value of the netmask parameter is invalid',
	[U.IPSET_ERR_INVALID_FAMILY]: 'Protocol family not supported by the set type',
	[U.IPSET_ERR_TIMEOUT]: 'Timeout cannot be used: set was created without timeout support',
	[U.IPSET_ERR_IPADDR_IPV4]: 'An IPv4 address is expected, but not received',
	[U.IPSET_ERR_COUNTER]: 'Packet/byte counters cannot be used: set was created without counter support',
	[U.IPSET_ERR_COMMENT]: 'Comment cannot be used: set was created without comment support',
	[U.IPSET_ERR_SKBINFO]: 'Skbinfo mapping cannot be used: set was created without skbinfo support',
};

const BY_COMMAND: Record<string, string> = {
	[`create ${EEXIST}`]: 'Set cannot be created: set with the same name already exists',
	[`type ${EEXIST}`]: 'Kernel error received: set type not supported',
	[`destroy ${U.IPSET_ERR_BUSY}`]: 'Set cannot be destroyed: it is in use by a kernel component',
	[`rename ${U.IPSET_ERR_EXIST_SETNAME2}`]: 'Set cannot be renamed: a set with the new name already exists',
	[`rename ${U.IPSET_ERR_REFERENCED}`]: 'Set cannot be renamed: it is in use by another system',
	[`swap ${U.IPSET_ERR_EXIST_SETNAME2}`]: 'Sets cannot be swapped: the second set does not exist',
	[`swap ${U.IPSET_ERR_TYPE_MISMATCH}`]: 'The sets cannot be swapped: their type does not match',
	[`add ${U.IPSET_ERR_EXIST}`]: "Element cannot be added to the set: it's already added",
	[`del ${U.IPSET_ERR_EXIST}`]: "Element cannot be deleted from the set: it's not added",
};

const BY_TYPE: Record<string, string> = {
	[`hash ${U.IPSET_ERR_HASH_FULL}`]: 'Hash is full, cannot add more elements',
	[`hash ${U.IPSET_ERR_HASH_ELEM}`]: 'Null-valued element, cannot be stored in a hash type of set',
	[`hash ${U.IPSET_ERR_INVALID_PROTO}`]: 'Invalid protocol specified',
	[`hash ${U.IPSET_ERR_MISSING_PROTO}`]: 'Protocol missing, but must be specified',
	[`hash ${U.IPSET_ERR_HASH_RANGE_UNSUPPORTED}`]: 'Range is not supported in the "net" component of the element',
	[`hash ${U.IPSET_ERR_HASH_RANGE}`]: 'Invalid range, covers the whole address space',
	[`bitmap ${U.IPSET_ERR_BITMAP_RANGE}`]: 'Element is out of the range of the set',
	[`bitmap ${U.IPSET_ERR_BITMAP_RANGE_SIZE}`]: 'The range you specified exceeds the size limit of the set type',
	[`list ${U.IPSET_ERR_NAME}`]: 'Set to be added/deleted/tested as element does not exist.',
	[`list ${U.IPSET_ERR_LOOP}`]: 'Sets with list:set type cannot be added to the set.',
	[`list ${U.IPSET_ERR_BEFORE}`]: 'No reference set specified.',
	[`list ${U.IPSET_ERR_NAMEREF}`]: "The set to which you referred with 'before' or 'after' does not exist.",
	[`list ${U.IPSET_ERR_LIST_FULL}`]: 'The set is full, more elements cannot be added.',
	[`list ${U.IPSET_ERR_REF_EXIST}`]: "The set to which you referred with 'before' or 'after' is not added to the set.",
};

function failure(cmd: string, type: string, errno: number): ipset_error {
	const kind = type.slice(0, type.indexOf(':'));
	const msg = BY_COMMAND[`${cmd} ${errno}`] ?? GENERIC[errno] ?? BY_TYPE[`${kind} ${errno}`];
	return new ipset_error(1, msg ?? `Kernel error received: ${errno < 4096 ? strerror(errno) : 'Unknown error -1'}`);
}

// ---- netlink ---------------------------------------------------------------------------------------------------------------------

interface session {
	proc: Process;
	fd: number;
	seq: number;
}

function request(h: session, cmd: number, flags: number): nlbuf {
	const b = new nlbuf(1 << 24);
	nlmsg_put(b, 0, ++h.seq, (NFNL_SUBSYS_IPSET << 8) | cmd, 4, flags | NLM_F_REQUEST);
	b.data[16] = AF_INET;
	nla_put_u8(b, U.IPSET_ATTR_PROTOCOL, U.IPSET_PROTOCOL);
	return b;
}

function attrs(buf: Uint8Array, from: number, to: number, max: number): nlattr_table {
	const tb: nlattr_table = new Array(max + 1).fill(null);
	__nla_parse(tb, max, buf, from, to, null, NL_VALIDATE_LIBERAL, null);
	return tb;
}

function nested(a: nlattr): nlattr_table {
	return attrs(a.buf, a.off, a.off + a.len, U.IPSET_ATTR_DATA_MAX);
}

/** Sends a request; hands its answers to `on`. Return: 0 or -errno. `lineno` of a failed batch goes to `h_line`. */
async function talk(
	h: session,
	b: nlbuf,
	on: ((tb: nlattr_table) => void) | null,
	lines?: { at: number },
): Promise<number> {
	nlmsg_end(b, 0);
	const single = (b.data[6] & NLM_F_ACK) === 0;
	const sent = await h.proc.sendmsg(h.fd, new msghdr(nlbuf_bytes(b).slice(), sockaddr_nl(0, 0)), 0);
	if (sent < 0) return sent;
	const buf = new Uint8Array(Math.max(65536, b.len + 64));
	for (;;) {
		const n = await h.proc.recvmsg(h.fd, new msghdr(buf, sockaddr_nl(0, 0)), 0);
		if (n < 0) return n;
		for (let off = 0; nlmsg_ok(buf, off, n); ) {
			const nlh = new nlmsghdr(buf, off);
			off += NLMSG_ALIGN(nlh.nlmsg_len);
			if (nlh.nlmsg_type === NLMSG_DONE) return 0;
			if (nlh.nlmsg_type === NLMSG_ERROR) {
				const d = nlh.data;
				const err = buf[d] | (buf[d + 1] << 8) | (buf[d + 2] << 16) | (buf[d + 3] << 24);
				if (err !== 0 && lines !== undefined && nlh.end >= d + 24) {
					const line = attrs(buf, d + 24, nlh.end, U.IPSET_ATTR_CMD_MAX)[U.IPSET_ATTR_LINENO];
					if (line !== null) lines.at = nla_get_be32(line);
				}
				return err;
			}
			if (on !== null) on(attrs(buf, nlh.data + 4, nlh.end, U.IPSET_ATTR_CMD_MAX));
			if (single) return 0;
		}
	}
}

// ---- requests --------------------------------------------------------------------------------------------------------------------

function check_name(s: string): string {
	if (s.length > 31) syntax(`setname '${s}' is longer than 31 characters`);
	return s;
}

function value(args: string[], name: string): string {
	const v = args.shift();
	if (v === undefined) parameter(`Missing mandatory argument of option \`${name}'`);
	return v;
}

async function create(h: session, args: string[], o: options): Promise<void> {
	const name = args.shift();
	if (name === undefined) parameter('Missing mandatory argument to command create');
	const said = args.shift();
	if (said === undefined) parameter('Missing second mandatory argument to command create');
	check_name(name);
	const type = ALIASES[said] ?? said;
	if (!TYPES.includes(type)) syntax(`typename '${said}' is unknown`);
	const hash = type.startsWith('hash:');
	const bitmap = type.startsWith('bitmap:');
	const data = new nlbuf();
	let flags = 0;
	let range = false;
	while (args.length > 0) {
		const word = args.shift()!;
		const w = word.replace(/^--/, '');
		if (w === 'timeout') put_u32(data, U.IPSET_ATTR_TIMEOUT, number_of(value(args, w), 0, 2147483));
		else if (w === 'counters') flags |= U.IPSET_FLAG_WITH_COUNTERS;
		else if (w === 'comment') flags |= U.IPSET_FLAG_WITH_COMMENT;
		else if (w === 'skbinfo') flags |= U.IPSET_FLAG_WITH_SKBINFO;
		else if (hash && w === 'forceadd') flags |= U.IPSET_FLAG_WITH_FORCEADD;
		else if (hash && w === 'family') {
			const f = value(args, w);
			if (f === 'inet6') throw new ipset_error(1, 'linnet: sets of IPv6 addresses are not here yet');
			if (f !== 'inet') syntax(`unknown INET family ${f}`);
		} else if (hash && word === '-4') continue;
		else if (hash && w === 'hashsize') put_u32(data, U.IPSET_ATTR_HASHSIZE, number_of(value(args, w), 0, 0xffffffff));
		else if (hash && w === 'maxelem') put_u32(data, U.IPSET_ATTR_MAXELEM, number_of(value(args, w), 0, 0xffffffff));
		else if (hash && w === 'bucketsize') nla_put_u8(data, U.IPSET_ATTR_BUCKETSIZE, number_of(value(args, w), 0, 255));
		else if (hash && w === 'initval') put_u32(data, U.IPSET_ATTR_INITVAL, number_of(value(args, w), 0, 0xffffffff));
		else if (hash && (w === 'probes' || w === 'resize' || w === 'gc')) value(args, w);
		else if (w === 'netmask' && (type === 'hash:ip' || type === 'bitmap:ip' || type === 'hash:ip,port')) {
			const v = value(args, w);
			const n = /^[0-9]+$/.test(v) ? Number(v) : -1;
			if (n < 1 || n > 32)
				syntax(`'${v}' is out of range 1-32\nSyntax error: netmask is out of the inclusive range of 1-32`);
			nla_put_u8(data, U.IPSET_ATTR_NETMASK, n);
		} else if (bitmap && w === 'range') {
			const v = value(args, w);
			range = true;
			if (type === 'bitmap:port') {
				const [a, z] = v.split('-');
				nla_put_be16(data, U.IPSET_ATTR_PORT | NET, number_of(a, 0, 65535));
				nla_put_be16(data, U.IPSET_ATTR_PORT_TO | NET, number_of(z ?? a, 0, 65535));
			} else parse_ip(data, v, U.IPSET_ATTR_IP, U.IPSET_ATTR_IP_TO, U.IPSET_ATTR_CIDR, false);
		} else if (type === 'list:set' && w === 'size')
			put_u32(data, U.IPSET_ATTR_SIZE, number_of(value(args, w), 0, 0xffffffff));
		else parameter(`Unknown argument: \`${word}'`);
	}
	if (bitmap && !range) parameter("Mandatory option `range' is missing");
	if (flags !== 0) put_u32(data, U.IPSET_ATTR_CADT_FLAGS, flags);
	const family = type === 'bitmap:port' || type === 'list:set' ? 0 : AF_INET;
	let revision = 0;
	const t = request(h, U.IPSET_CMD_TYPE, 0);
	nla_put_string(t, U.IPSET_ATTR_TYPENAME, type);
	nla_put_u8(t, U.IPSET_ATTR_FAMILY, family);
	let err = await talk(h, t, (tb) => {
		revision = nla_get_u8(tb[U.IPSET_ATTR_REVISION]!);
	});
	if (err < 0) throw failure('type', type, -err);
	const b = request(h, U.IPSET_CMD_CREATE, NLM_F_ACK | NLM_F_CREATE | (o.exist ? 0 : NLM_F_EXCL));
	nla_put_string(b, U.IPSET_ATTR_SETNAME, name);
	nla_put_string(b, U.IPSET_ATTR_TYPENAME, type);
	nla_put_u8(b, U.IPSET_ATTR_REVISION, revision);
	nla_put_u8(b, U.IPSET_ATTR_FAMILY, family);
	put_nest(b, U.IPSET_ATTR_DATA, data);
	err = await talk(h, b, null);
	if (err < 0) throw failure('create', type, -err);
}

function put_nest(b: nlbuf, type: number, data: nlbuf): void {
	const n = nla_nest_start(b, type);
	for (const a of nla_all(data)) nla_put(b, a.type | a.flags, nla_data(a));
	nla_nest_end(b, n);
}

function nla_all(data: nlbuf): nlattr[] {
	const b = nlbuf_bytes(data);
	return nla_nested({ buf: b, off: 0, len: b.length, type: 0, flags: 0 });
}

async function type_of(h: session, name: string): Promise<string> {
	const b = request(h, U.IPSET_CMD_HEADER, 0);
	nla_put_string(b, U.IPSET_ATTR_SETNAME, name);
	let type = '';
	const err = await talk(h, b, (tb) => {
		type = nla_get_string(tb[U.IPSET_ATTR_TYPENAME]!);
	});
	if (err < 0) throw failure('header', '', -err);
	return type;
}

/** The attributes of one element and its options. */
function element(cmd: string, type: string, args: string[], line: number): nlbuf {
	const d = new nlbuf();
	let flags = parse_elem(d, type, args.shift()!);
	const adding = cmd === 'add';
	while (args.length > 0) {
		const word = args.shift()!;
		const w = word.replace(/^--/, '');
		if (w === 'nomatch' && cmd !== 'del' && type.includes('net')) flags |= U.IPSET_FLAG_NOMATCH;
		else if (w === 'wildcard' && adding && type === 'hash:net,iface') flags |= U.IPSET_FLAG_IFACE_WILDCARD;
		else if ((w === 'before' || w === 'after') && type === 'list:set') {
			if (w === 'before') flags |= U.IPSET_FLAG_BEFORE;
			nla_put_string(d, U.IPSET_ATTR_NAMEREF, check_name(value(args, w)));
		} else if (!adding) parameter(`Unknown argument: \`${word}'`);
		else if (w === 'timeout') put_u32(d, U.IPSET_ATTR_TIMEOUT, number_of(value(args, w), 0, 2147483));
		else if (w === 'packets')
			nla_put_be64(d, U.IPSET_ATTR_PACKETS | NET, number_of(value(args, w), 0, Number.MAX_SAFE_INTEGER));
		else if (w === 'bytes')
			nla_put_be64(d, U.IPSET_ATTR_BYTES | NET, number_of(value(args, w), 0, Number.MAX_SAFE_INTEGER));
		else if (w === 'comment') {
			const c = value(args, w);
			if (c.includes('"')) syntax('" character is not permitted in comments');
			if (c.length > U.IPSET_MAX_COMMENT_SIZE) syntax('Comment is longer than the maximum allowed 255 characters');
			nla_put_string(d, U.IPSET_ATTR_COMMENT, c);
		} else if (w === 'skbmark') put_skbmark(d, value(args, w));
		else if (w === 'skbprio') put_skbprio(d, value(args, w));
		else if (w === 'skbqueue') nla_put_be16(d, U.IPSET_ATTR_SKBQUEUE | NET, number_of(value(args, w), 0, 65535));
		else parameter(`Unknown argument: \`${word}'`);
	}
	if (flags !== 0) put_u32(d, U.IPSET_ATTR_CADT_FLAGS, flags);
	if (cmd !== 'test') put_u32(d, U.IPSET_ATTR_CADT_LINENO, line);
	return d;
}

const ADT: Record<string, number> = { add: U.IPSET_CMD_ADD, del: U.IPSET_CMD_DEL, test: U.IPSET_CMD_TEST };

async function adt(h: session, cmd: string, args: string[], o: options): Promise<number> {
	if (args.length < 1) parameter(`Missing mandatory argument to command ${cmd}`);
	if (args.length < 2) parameter(`Missing second mandatory argument to command ${cmd}`);
	const name = check_name(args.shift()!);
	const type = await type_of(h, name);
	const d = element(cmd, type, args, 0);
	const b = request(h, ADT[cmd], NLM_F_ACK | (cmd === 'test' || o.exist ? 0 : NLM_F_EXCL));
	nla_put_string(b, U.IPSET_ATTR_SETNAME, name);
	put_nest(b, U.IPSET_ATTR_DATA, d);
	const err = await talk(h, b, null);
	if (cmd !== 'test') {
		if (err < 0) throw failure(cmd, type, -err);
		return 0;
	}
	if (err < 0 && err !== -U.IPSET_ERR_EXIST) throw failure(cmd, type, -err);
	const text = elem_text(type, attrs(nlbuf_bytes(d), 0, d.len, U.IPSET_ATTR_DATA_MAX));
	if (!o.quiet)
		h.proc.stderr.write(err === 0 ? `Warning: ${text} is in set ${name}.\n` : `${text} is NOT in set ${name}.\n`);
	return err === 0 ? 0 : 1;
}

async function named(h: session, cmd: string, code: number, names: string[], flags: number): Promise<void> {
	const b = request(h, code, NLM_F_ACK | flags);
	for (const [i, n] of names.entries()) nla_put_string(b, U.IPSET_ATTR_SETNAME + i, check_name(n));
	const err = await talk(h, b, null);
	if (err < 0) throw failure(cmd, '', -err);
}

// ---- listing ---------------------------------------------------------------------------------------------------------------------

function header_text(tb: nlattr_table, family: number): string {
	let s = '';
	const u32 = (type: number, name: string): void => {
		const a = tb[type];
		if (a !== null) s += ` ${name} ${nla_get_be32(a)}`;
	};
	const u8 = (type: number, name: string): void => {
		const a = tb[type];
		if (a !== null) s += ` ${name} ${nla_get_u8(a)}`;
	};
	if (tb[U.IPSET_ATTR_HASHSIZE] !== null) s += family === AF_INET ? ' family inet' : ' family inet6';
	if (tb[U.IPSET_ATTR_IP] !== null)
		s += ` range ${ip_text(get_ip(tb, U.IPSET_ATTR_IP))}-${ip_text(get_ip(tb, U.IPSET_ATTR_IP_TO))}`;
	const port = tb[U.IPSET_ATTR_PORT];
	const to = tb[U.IPSET_ATTR_PORT_TO];
	if (port !== null && to !== null)
		s += ` range ${(port.buf[port.off] << 8) | port.buf[port.off + 1]}-${(to.buf[to.off] << 8) | to.buf[to.off + 1]}`;
	u32(U.IPSET_ATTR_HASHSIZE, 'hashsize');
	u32(U.IPSET_ATTR_MAXELEM, 'maxelem');
	u8(U.IPSET_ATTR_NETMASK, 'netmask');
	u32(U.IPSET_ATTR_SIZE, 'size');
	u32(U.IPSET_ATTR_TIMEOUT, 'timeout');
	const f = flags_of(tb);
	if ((f & U.IPSET_FLAG_WITH_COUNTERS) !== 0) s += ' counters';
	if ((f & U.IPSET_FLAG_WITH_COMMENT) !== 0) s += ' comment';
	if ((f & U.IPSET_FLAG_WITH_SKBINFO) !== 0) s += ' skbinfo';
	u8(U.IPSET_ATTR_BUCKETSIZE, 'bucketsize');
	const iv = tb[U.IPSET_ATTR_INITVAL];
	if (iv !== null) s += ` initval 0x${nla_get_be32(iv).toString(16).padStart(8, '0')}`;
	return s;
}

interface shown {
	name: string;
	type: string;
	head: string;
	elems: { text: string; key: number[] }[];
}

function sort_key(tb: nlattr_table): number[] {
	const n = (t: number): number => {
		const a = tb[t];
		let v = 0;
		if (a !== null) for (let i = 0; i < a.len && i < 6; i++) v = v * 256 + a.buf[a.off + i];
		return v;
	};
	return [
		get_ip(tb, U.IPSET_ATTR_IP),
		n(U.IPSET_ATTR_CIDR),
		n(U.IPSET_ATTR_PROTO),
		n(U.IPSET_ATTR_PORT),
		get_ip(tb, U.IPSET_ATTR_IP2),
	];
}

function by_key(a: { key: number[] }, b: { key: number[] }): number {
	for (let i = 0; i < a.key.length; i++) if (a.key[i] !== b.key[i]) return a.key[i] - b.key[i];
	return 0;
}

async function list(h: session, save: boolean, args: string[], o: options): Promise<string> {
	const name = args.shift();
	if (args.length > 0) parameter(`Unknown argument ${args[0]}`);
	const b = request(h, save ? U.IPSET_CMD_SAVE : U.IPSET_CMD_LIST, NLM_F_ACK | NLM_F_DUMP);
	if (name !== undefined) nla_put_string(b, U.IPSET_ATTR_SETNAME, check_name(name));
	const flags = (o.names ? U.IPSET_FLAG_LIST_SETNAME : 0) | (o.terse ? U.IPSET_FLAG_LIST_HEADER : 0);
	if (flags !== 0) put_u32(b, U.IPSET_ATTR_FLAGS, flags);
	const mode = o.output === '' ? (save ? 'save' : 'plain') : o.output;
	const sets: shown[] = [];
	const err = await talk(h, b, (tb) => {
		const set = nla_get_string(tb[U.IPSET_ATTR_SETNAME]!);
		const t = tb[U.IPSET_ATTR_TYPENAME];
		const d = tb[U.IPSET_ATTR_DATA];
		if (t === null || d === null) {
			if (o.names) sets.push({ name: set, type: '', head: '', elems: [] });
		} else {
			const type = nla_get_string(t);
			const dt = nested(d);
			const words = header_text(dt, nla_get_u8(tb[U.IPSET_ATTR_FAMILY]!));
			const n = (a: number): number => nla_get_be32(dt[a]!);
			const head =
				mode === 'save'
					? `create ${set} ${type}${words}\n`
					: `Name: ${set}\nType: ${type}\nRevision: ${nla_get_u8(tb[U.IPSET_ATTR_REVISION]!)}\nHeader:${words}\n` +
						`Size in memory: ${n(U.IPSET_ATTR_MEMSIZE)}\nReferences: ${n(U.IPSET_ATTR_REFERENCES)}\n` +
						`Number of entries: ${n(U.IPSET_ATTR_ELEMENTS)}\n${o.terse ? '' : 'Members:\n'}`;
			sets.push({ name: set, type, head, elems: [] });
		}
		const many = tb[U.IPSET_ATTR_ADT];
		const cur = sets[sets.length - 1];
		if (many === null || cur === undefined) return;
		for (const e of nla_nested(many)) {
			const et = nested(e);
			const text = elem_text(cur.type, et) + options_text(et);
			cur.elems.push({
				text: mode === 'save' ? `add ${cur.name} ${text}\n` : `${text}\n`,
				key: o.sorted ? sort_key(et) : [],
			});
		}
	});
	if (err < 0) throw failure(save ? 'save' : 'list', '', -err);
	if (o.names) return sets.map((s) => `${s.name}\n`).join('');
	for (const s of sets) if (o.sorted) s.elems.sort(by_key);
	return sets.map((s) => s.head + s.elems.map((e) => e.text).join('')).join(mode === 'save' ? '' : '\n');
}

// ---- restore ---------------------------------------------------------------------------------------------------------------------

/** Words of a line; double quotes hold spaces together. */
function words_of(line: string): string[] {
	const out: string[] = [];
	for (const m of line.matchAll(/"([^"]*)"|(\S+)/g)) out.push(m[1] ?? m[2]);
	return out;
}

async function restore(h: session, text: string, o: options): Promise<void> {
	let batch: { cmd: string; name: string; type: string; data: nlbuf[]; first: number; size: number } | null = null;
	const types: Map<string, string> = new Map();
	let line = 0;
	const flush = async (): Promise<void> => {
		if (batch === null) return;
		const { cmd, name, type, data, first } = batch;
		batch = null;
		const b = request(h, ADT[cmd], NLM_F_ACK | (o.exist ? 0 : NLM_F_EXCL));
		nla_put_string(b, U.IPSET_ATTR_SETNAME, name);
		put_u32(b, U.IPSET_ATTR_LINENO, first);
		const n = nla_nest_start(b, U.IPSET_ATTR_ADT);
		for (const d of data) put_nest(b, U.IPSET_ATTR_DATA, d);
		nla_nest_end(b, n);
		const lines = { at: first };
		const err = await talk(h, b, null, lines);
		if (err < 0) {
			line = lines.at;
			throw failure(cmd, type, -err);
		}
	};
	try {
		for (const raw of text.split('\n')) {
			line++;
			const at = line;
			if (raw.trim() === '' || raw.startsWith('#')) continue;
			const w = words_of(raw);
			if (w[0] === 'COMMIT' || w[0] === 'quit') {
				await flush();
				continue;
			}
			const opts = { ...o };
			const rest = split_options(w, opts);
			const cmd = command_of(rest.shift());
			if (cmd === 'add' || cmd === 'del') {
				if (rest.length < 2)
					parameter(`Missing ${rest.length < 1 ? '' : 'second '}mandatory argument to command ${cmd}`);
				const name = check_name(rest.shift()!);
				if (batch !== null && (batch.cmd !== cmd || batch.name !== name || batch.size > 30000)) await flush();
				line = at;
				let type = types.get(name);
				if (type === undefined) {
					type = await type_of(h, name);
					types.set(name, type);
				}
				const d = element(cmd, type, rest, at);
				batch ??= { cmd, name, type, data: [], first: at, size: 0 };
				batch.data.push(d);
				batch.size += d.len + 4;
				continue;
			}
			await flush();
			line = at;
			types.clear();
			await run(h, cmd, rest, opts);
		}
		await flush();
	} catch (e) {
		if (e instanceof ipset_error) throw new ipset_error(e.status, `Error in line ${line}: ${e.msg}`);
		throw e;
	}
}

// ---- the command line ------------------------------------------------------------------------------------------------------------

function split_options(words: string[], o: options): string[] {
	const rest: string[] = [];
	for (let i = 0; i < words.length; i++) {
		const w = words[i];
		if (w === '-!' || w === '-exist' || w === '--exist') o.exist = true;
		else if (w === '-q' || w === '-quiet' || w === '--quiet') o.quiet = true;
		else if (w === '-s' || w === '-sorted' || w === '--sorted') o.sorted = true;
		else if (w === '-t' || w === '-terse' || w === '--terse') o.terse = true;
		else if (w === '-n' || w === '-name' || w === '--name') o.names = true;
		else if (w === '-r' || w === '-resolve' || w === '--resolve') continue;
		else if (w === '-o' || w === '-output' || w === '--output') {
			const m = words[++i];
			if (m === undefined) parameter(`Missing mandatory argument to option -${'output'}`);
			if (m === 'xml') throw new ipset_error(1, 'linnet: output mode xml is not here yet');
			if (m !== 'plain' && m !== 'save') syntax(`unknown output mode '${m}'`);
			o.output = m;
		} else if (w === '-f' || w === '-file' || w === '--file') {
			const f = words[++i];
			if (f === undefined) parameter('Missing mandatory argument to option -file');
			o.file = f;
		} else rest.push(w);
	}
	return rest;
}

function command_of(word: string | undefined): string {
	if (word === undefined) parameter('No command specified.');
	const c = COMMANDS.find((names) => names.includes(word));
	if (c === undefined) parameter(`No command specified: unknown argument ${word}`);
	return c[0];
}

async function run(h: session, cmd: string, args: string[], o: options): Promise<number> {
	switch (cmd) {
		case 'create':
			await create(h, args, o);
			return 0;
		case 'add':
		case 'del':
		case 'test':
			return adt(h, cmd, args, o);
		case 'destroy':
		case 'flush': {
			if (args.length > 1) parameter(`Unknown argument ${args[1]}`);
			const code = cmd === 'flush' ? U.IPSET_CMD_FLUSH : U.IPSET_CMD_DESTROY;
			await named(h, cmd, code, args, cmd === 'destroy' && !o.exist ? NLM_F_EXCL : 0);
			return 0;
		}
		case 'rename':
		case 'swap':
			if (args.length < 1) parameter(`Missing mandatory argument to command ${cmd}`);
			if (args.length < 2) parameter(`Missing second mandatory argument to command ${cmd}`);
			if (args.length > 2) parameter(`Unknown argument ${args[2]}`);
			await named(h, cmd, cmd === 'swap' ? U.IPSET_CMD_SWAP : U.IPSET_CMD_RENAME, args, 0);
			return 0;
		case 'list':
		case 'save': {
			const text = await list(h, cmd === 'save', args, o);
			if (o.file === '') h.proc.stdout.write(text);
			else await h.proc.writeFile(o.file, text);
			return 0;
		}
		default:
			return 0;
	}
}

export async function ipset(proc: Process): Promise<number> {
	const o: options = { exist: false, quiet: false, sorted: false, terse: false, names: false, output: '', file: '' };
	try {
		const args = split_options(proc.argv.slice(1), o);
		if (args.length === 0 && o.names) o.names = false;
		const cmd = command_of(args.shift());
		if (cmd === 'version') {
			proc.stdout.write(`${VERSION}, protocol version: ${U.IPSET_PROTOCOL}\n`);
			return 0;
		}
		if (cmd === 'help') {
			proc.stdout.write(`${VERSION}\n${HELP}`);
			return 0;
		}
		const fd = proc.socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
		if (fd < 0) throw new ipset_error(1, 'Cannot open session to kernel.');
		const h: session = { proc, fd, seq: proc.realtime().sec };
		const err = await talk(h, request(h, U.IPSET_CMD_PROTOCOL, 0), null);
		if (err < 0) throw new ipset_error(1, `Kernel error received: ${strerror(-err)}`);
		if (cmd === 'restore') {
			const bytes = o.file === '' ? proc.stdin : await proc.readFileBytes(o.file);
			if (typeof bytes === 'number') throw new ipset_error(1, `Cannot open ${o.file} for reading: ${strerror(-bytes)}`);
			await restore(h, utf8_decode(bytes), o);
			return 0;
		}
		return await run(h, cmd, args, o);
	} catch (e) {
		if (!(e instanceof ipset_error)) throw e;
		if (!o.quiet || e.status === 2) proc.stderr.write(`${VERSION}: ${e.msg}\n`);
		return e.status;
	}
}
