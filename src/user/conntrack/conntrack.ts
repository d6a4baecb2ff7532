/*
 * user/conntrack/conntrack.ts: lists, changes and watches the connection tracking table.   Original: conntrack-tools 1.4.7, conntrack(8)
 * Walk: conntrack -> parse_command_line -> do_{dump,get,delete,create,update,flush,count,stats,event}.
 * Not here: -R, IPv6 flows, secmarks, labels by name (there is no connlabel.conf), NAT of expectations, creating expectations.
 */
import {
	NLMSG_ALIGN,
	nla_get_be32,
	nla_list,
	nla_nest_end,
	nla_nest_start,
	nla_put_be16,
	nla_put_be32,
	nlbuf,
	nlbuf_bytes,
	nlmsg_end,
	nlmsg_ok,
	nlmsg_put,
	nlmsghdr,
} from '../../lib/nlattr.ts';
import { EEXIST, EINTR, EINVAL, ENOENT, EPERM, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	IPS_ASSURED,
	IPS_DST_NAT,
	IPS_DST_NAT_DONE,
	IPS_EXPECTED,
	IPS_FIXED_TIMEOUT,
	IPS_OFFLOAD,
	IPS_SEEN_REPLY,
	IPS_SRC_NAT,
	IPS_SRC_NAT_DONE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_CTNETLINK_EXP } from '../../uapi/linux/netfilter/nfnetlink.ts';
import {
	CTA_EXPECT_MASTER,
	CTA_EXPECT_TIMEOUT,
	CTA_EXPECT_TUPLE,
	CTA_ID,
	CTA_MARK,
	CTA_MARK_MASK,
	CTA_NAT_DST,
	CTA_NAT_PROTO,
	CTA_NAT_SRC,
	CTA_NAT_V4_MAXIP,
	CTA_NAT_V4_MINIP,
	CTA_PROTONAT_PORT_MAX,
	CTA_PROTONAT_PORT_MIN,
	CTA_STATUS,
	CTA_STATUS_MASK,
	CTA_TIMEOUT,
	CTA_TUPLE_ORIG,
	CTA_TUPLE_REPLY,
	CTA_ZONE,
} from '../../uapi/linux/netfilter/nfnetlink_conntrack.ts';
import {
	NETLINK_NETFILTER,
	NLM_F_ACK,
	NLM_F_CREATE,
	NLM_F_DUMP,
	NLM_F_EXCL,
	NLM_F_REQUEST,
	NLMSG_DONE,
	NLMSG_ERROR,
} from '../../uapi/linux/netlink.ts';
import { AF_NETLINK, msghdr, SO_RCVBUF, SOCK_RAW, SOL_SOCKET, sockaddr_nl } from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';
import {
	IPPROTO_ICMP,
	IPPROTO_TCP,
	ip_text,
	NFCT_T_DESTROY,
	NFCT_T_NEW,
	NFCT_T_UPDATE,
	type nf_conntrack,
	nfct_build_tcp,
	nfct_build_tuple,
	nfct_parse,
	nfct_snprintf,
	type nfct_tuple,
	O_EXTENDED,
	O_ID,
	O_KTIMESTAMP,
	O_LABELS,
	O_SAVE,
	O_TIMESTAMP,
	O_USERSPACE,
	O_XML,
	TCP_STATES,
} from './nfct.ts';
import { type Options, ParameterProblem, parse_command_line } from './options.ts';

const PROGNAME = 'conntrack';
const VERSION = '1.4.7';

const CT_NEW = 0;
const CT_GET = 1;
const CT_DELETE = 2;
const CT_GET_CTRZERO = 3;
const CT_GET_STATS_CPU = 4;
const CT_GET_STATS = 5;
const CT_GET_DYING = 6;
const CT_GET_UNCONFIRMED = 7;
const EXP_GET_STATS_CPU = 3;

/** A failed operation: exit status 1. */
class OperationFailed extends Error {
	errno: number;

	constructor(errno: number, create: boolean) {
		const known: Record<number, string> = {
			[EPERM]: 'sorry, you must be root or get CAP_NET_ADMIN capability to do this',
			[ENOENT]: "such conntrack doesn't exist",
			[EINVAL]: 'invalid parameters',
		};
		if (create) known[EEXIST] = 'Such conntrack exists, try -U to update';
		super(known[errno] ?? strerror(errno));
		this.errno = errno;
	}
}

// ---- netlink -------------------------------------------------------------------------------------------------------------------

class Handle {
	proc: Process;
	fd: number;
	seq: number;

	constructor(proc: Process, fd: number) {
		this.proc = proc;
		this.fd = fd;
		this.seq = proc.realtime().sec;
	}
}

function nfct_open(proc: Process, groups: number): Handle {
	const fd = proc.socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd < 0) throw new OperationFailed(-fd, false);
	const err = proc.bind(fd, sockaddr_nl(0, groups));
	if (err < 0) {
		proc.close(fd);
		throw new OperationFailed(-err, false);
	}
	return new Handle(proc, fd);
}

function request(h: Handle, subsys: number, type: number, flags: number, family: number): nlbuf {
	const b = new nlbuf(65536);
	nlmsg_put(b, 0, ++h.seq, (subsys << 8) | type, 4, flags | NLM_F_REQUEST);
	b.data[16] = family;
	return b;
}

/** Sends a request and hands every answer to `on`. Return: 0 or -errno. */
async function talk(h: Handle, b: nlbuf, on: (nlh: nlmsghdr) => void | Promise<void>, single = false): Promise<number> {
	nlmsg_end(b, 0);
	const out = new msghdr(nlbuf_bytes(b).slice(), sockaddr_nl(0, 0));
	const sent = await h.proc.sendmsg(h.fd, out, 0);
	if (sent < 0) return sent;
	const buf = new Uint8Array(65536);
	for (;;) {
		const m = new msghdr(buf, sockaddr_nl(0, 0));
		const n = await h.proc.recvmsg(h.fd, m, 0);
		if (n < 0) return n;
		for (let off = 0; nlmsg_ok(buf, off, n); ) {
			const nlh = new nlmsghdr(buf, off);
			off += NLMSG_ALIGN(nlh.nlmsg_len);
			if (nlh.nlmsg_type === NLMSG_DONE) return 0;
			if (nlh.nlmsg_type === NLMSG_ERROR) {
				const err = -(
					~(buf[nlh.data] | (buf[nlh.data + 1] << 8) | (buf[nlh.data + 2] << 16) | (buf[nlh.data + 3] << 24)) + 1
				);
				return err;
			}
			await on(nlh);
			if (single) return 0;
		}
	}
}

// ---- what the command line asks for --------------------------------------------------------------------------------------------

const STATUS_BITS: Record<string, number> = {
	ASSURED: IPS_ASSURED,
	SEEN_REPLY: IPS_SEEN_REPLY,
	FIXED_TIMEOUT: IPS_FIXED_TIMEOUT,
	EXPECTED: IPS_EXPECTED,
	OFFLOAD: IPS_OFFLOAD,
	UNSET: 0,
};

const OUTPUT_BITS: Record<string, number> = {
	xml: O_XML,
	extended: O_EXTENDED,
	timestamp: O_TIMESTAMP,
	id: O_ID,
	ktimestamp: O_KTIMESTAMP,
	labels: O_LABELS,
	userspace: O_USERSPACE,
	save: O_SAVE,
};

const EVENT_BITS: Record<string, number> = { ALL: 7, NEW: 1, UPDATES: 2, DESTROY: 4 };

function bits(text: string, table: Record<string, number>): number {
	let v = 0;
	for (const w of text.split(',')) {
		const bit = table[w] ?? table[w.toUpperCase()] ?? table[w.toLowerCase()];
		if (bit === undefined) throw new ParameterProblem(`Bad parameter \`${w}'`);
		v |= bit;
	}
	return v;
}

/** As strtoul(text, …, 0): what is not a number is 0. */
function strtoul(text: string): number {
	const m = /^\s*(0x[0-9a-f]+|\d+)/i.exec(text);
	if (m === null) return 0;
	return /^0[0-7]+$/.test(m[1]) ? parseInt(m[1], 8) : Number(m[1]);
}

/** As inet_aton(): 1 to 4 numbers. */
function aton(text: string, what: string): number {
	const parts = text.split('.');
	if (parts.length > 4 || parts.some((p) => !/^(0x[0-9a-f]+|\d+)$/i.test(p)))
		throw new ParameterProblem(`Invalid ${what} address \`${text}'`);
	const nums = parts.map(Number);
	const last = nums.pop()!;
	let v = 0;
	for (const n of nums) {
		if (n > 255) throw new ParameterProblem(`Invalid ${what} address \`${text}'`);
		v = v * 256 + n;
	}
	return v * 256 ** (4 - nums.length) + last;
}

interface Wanted {
	orig: nfct_tuple;
	reply: nfct_tuple;
	src_mask: number;
	dst_mask: number;
	mark?: number;
	mark_mask: number;
	status?: number;
	/** Bits beside those of `status` that must be clear. */
	status_mask: number;
	zone?: number;
	timeout?: number;
	tcp_state?: number;
	src_nat?: string;
	dst_nat?: string;
	any_nat?: string;
	output: number;
	family: number;
}

function address(o: Options, key: string, mask_key: string): [number | undefined, number] {
	const text = o.opt.get(key);
	if (text === undefined) return [undefined, 0xffffffff];
	const [a, len] = text.split('/');
	let mask = 0xffffffff;
	if (len !== undefined) {
		const n = Number(len);
		if (!(n >= 0 && n <= 32)) throw new ParameterProblem(`Invalid netmask \`${len}'`);
		mask = n === 0 ? 0 : (0xffffffff << (32 - n)) >>> 0;
	}
	const m = o.opt.get(mask_key);
	if (m !== undefined) mask = aton(m, 'netmask');
	return [aton(a, 'IP'), mask];
}

function wanted(o: Options): Wanted {
	const num = (key: string): number | undefined => {
		const v = o.opt.get(key);
		return v === undefined ? undefined : strtoul(v);
	};
	const [src, src_mask] = address(o, 'src', 'mask-src');
	const [dst, dst_mask] = address(o, 'dst', 'mask-dst');
	const [rsrc] = address(o, 'reply-src', '');
	const [rdst] = address(o, 'reply-dst', '');
	const proto = o.proto >= 0 ? o.proto : undefined;
	const orig: nfct_tuple = { src, dst, proto, sport: num('sport'), dport: num('dport') };
	orig.icmp_type = num('icmp-type');
	orig.icmp_code = num('icmp-code');
	orig.icmp_id = num('icmp-id');
	const reply: nfct_tuple = {
		src: rsrc,
		dst: rdst,
		proto,
		sport: num('reply-port-src'),
		dport: num('reply-port-dst'),
	};
	const [mark, mask] = (o.opt.get('mark') ?? '').split('/');
	const status_words = o.opt.get('status')?.split(',');
	const unreplied = status_words?.some((s) => s.toUpperCase() === 'UNREPLIED') ?? false;
	const status = status_words?.filter((s) => s.toUpperCase() !== 'UNREPLIED').join(',');
	const state = o.opt.get('state');
	return {
		orig,
		reply,
		src_mask,
		dst_mask,
		mark: o.opt.has('mark') ? strtoul(mark) : undefined,
		mark_mask: mask !== undefined ? strtoul(mask) : 0xffffffff,
		status: status === undefined ? undefined : status === '' && unreplied ? 0 : bits(status, STATUS_BITS),
		status_mask: unreplied ? IPS_SEEN_REPLY : 0,
		zone: num('zone'),
		timeout: num('timeout'),
		tcp_state: state !== undefined ? (state === 'LISTEN' ? 9 : TCP_STATES.indexOf(state)) : undefined,
		src_nat: o.opt.get('src-nat'),
		dst_nat: o.opt.get('dst-nat'),
		any_nat: o.opt.get('any-nat'),
		output: o.opt.has('output') ? bits(o.opt.get('output')!, OUTPUT_BITS) : 0,
		family: o.opt.get('family') === 'ipv6' ? 10 : 2,
	};
}

function same(want: number | undefined, have: number | undefined): boolean {
	return want === undefined || want === have;
}

function nat_address(text: string): number | undefined {
	return text === '' ? undefined : aton(text.split(':')[0].split('-')[0], 'IP');
}

/** The original's library compares an echo's id with type and code, which lie where ports do: most echoes that NAT has seen count as translated. */
function icmp_pat(t: nfct_tuple, id: number | undefined): boolean {
	return t.icmp_type !== undefined && ((t.icmp_type << 8) | (t.icmp_code ?? 0)) !== id;
}

/** Whether a flow is one of those that were asked for. */
function matches(w: Wanted, ct: nf_conntrack, by_mark = true): boolean {
	const o = w.orig;
	if (w.family !== ct.family) return false;
	if (o.src !== undefined && ((o.src ^ (ct.orig.src ?? 0)) & w.src_mask) !== 0) return false;
	if (o.dst !== undefined && ((o.dst ^ (ct.orig.dst ?? 0)) & w.dst_mask) !== 0) return false;
	if (!same(o.proto, ct.orig.proto) || !same(o.sport, ct.orig.sport) || !same(o.dport, ct.orig.dport)) return false;
	if (!same(o.icmp_type, ct.orig.icmp_type) || !same(o.icmp_code, ct.orig.icmp_code)) return false;
	if (!same(o.icmp_id, ct.orig.icmp_id)) return false;
	const r = w.reply;
	if (!same(r.src, ct.reply.src) || !same(r.dst, ct.reply.dst)) return false;
	if (!same(r.sport, ct.reply.sport) || !same(r.dport, ct.reply.dport)) return false;
	if (by_mark && w.mark !== undefined && (w.mark ^ ((ct.mark ?? 0) & w.mark_mask)) >>> 0 !== 0) return false;
	if (w.status !== undefined && by_mark && ((ct.status ?? 0) & (w.status | w.status_mask)) !== w.status) return false;
	if (w.zone !== undefined && w.zone !== (ct.zone ?? 0)) return false;
	if (!same(by_mark ? w.tcp_state : undefined, ct.tcp_state)) return false;
	const status = ct.status ?? 0;
	const snat = (want: string): boolean => {
		const a = nat_address(want);
		if (a === undefined && (status & IPS_SRC_NAT_DONE) !== 0 && icmp_pat(ct.reply, ct.orig.icmp_id)) return true;
		return (status & IPS_SRC_NAT) !== 0 && (a === undefined || a === ct.reply.dst);
	};
	const dnat = (want: string): boolean => {
		const a = nat_address(want);
		if (a === undefined && (status & IPS_DST_NAT_DONE) !== 0 && icmp_pat(ct.orig, ct.reply.icmp_id)) return true;
		return (status & IPS_DST_NAT) !== 0 && (a === undefined || a === ct.reply.src);
	};
	if (w.src_nat !== undefined && !snat(w.src_nat)) return false;
	if (w.dst_nat !== undefined && !dnat(w.dst_nat)) return false;
	return w.any_nat === undefined || snat(w.any_nat) || dnat(w.any_nat);
}

// ---- output --------------------------------------------------------------------------------------------------------------------

class Printer {
	proc: Process;
	flags: number;
	private header = false;

	constructor(proc: Process, flags: number) {
		this.proc = proc;
		this.flags = flags;
	}

	print(ct: nf_conntrack, event = ''): void {
		const now = this.proc.realtime();
		if ((this.flags & O_XML) !== 0 && !this.header) {
			this.proc.stdout.write('<?xml version="1.0" encoding="utf-8"?>\n<conntrack>\n');
			this.header = true;
		}
		let s = '';
		if (event !== '' && (this.flags & O_TIMESTAMP) !== 0 && (this.flags & (O_XML | O_SAVE)) === 0)
			s += `[${now.sec}.${String(Math.floor(now.nsec / 1000)).padStart(6, '0')}]\t`;
		s += nfct_snprintf(ct, event, this.flags, now.sec);
		if (event !== '' && ct.portid !== 0 && (this.flags & (O_XML | O_SAVE)) === 0)
			s += ` [USERSPACE] portid=${ct.portid}`;
		this.proc.stdout.write(s + '\n');
	}

	end(): void {
		if (this.header) this.proc.stdout.write('</conntrack>\n');
	}
}

function told(proc: Process, text: string): void {
	proc.stderr.write(`${PROGNAME} v${VERSION} (conntrack-tools): ${text}\n`);
}

// ---- commands ------------------------------------------------------------------------------------------------------------------

/** Every flow that is asked for. */
async function flows(h: Handle, w: Wanted, type: number, by_mark = true): Promise<nf_conntrack[]> {
	const b = request(h, NFNL_SUBSYS_CTNETLINK, type, NLM_F_DUMP, w.family === 10 ? 10 : 0);
	if (by_mark && w.mark !== undefined) {
		nla_put_be32(b, CTA_MARK, w.mark);
		nla_put_be32(b, CTA_MARK_MASK, w.mark_mask);
	}
	if (by_mark && w.status !== undefined) {
		nla_put_be32(b, CTA_STATUS, w.status);
		nla_put_be32(b, CTA_STATUS_MASK, w.status | w.status_mask);
	}
	const out: nf_conntrack[] = [];
	const err = await talk(h, b, (nlh) => {
		const ct = nfct_parse(nlh);
		if (matches(w, ct, by_mark)) out.push(ct);
	});
	if (err < 0) throw new OperationFailed(-err, false);
	return out;
}

function key_request(h: Handle, type: number, flags: number, ct: nf_conntrack): nlbuf {
	const b = request(h, NFNL_SUBSYS_CTNETLINK, type, flags | NLM_F_ACK, 2);
	nfct_build_tuple(b, CTA_TUPLE_ORIG, ct.orig);
	if (ct.reply.src !== undefined) nfct_build_tuple(b, CTA_TUPLE_REPLY, ct.reply);
	if (ct.zone !== undefined && ct.zone !== 0) nla_put_be16(b, CTA_ZONE, ct.zone);
	return b;
}

async function do_dump(proc: Process, o: Options): Promise<number> {
	if (o.table === 'expect') return do_dump_expect(proc);
	const w = wanted(o);
	const h = nfct_open(proc, 0);
	const type =
		o.table === 'dying'
			? CT_GET_DYING
			: o.table === 'unconfirmed'
				? CT_GET_UNCONFIRMED
				: o.opt.has('zero')
					? CT_GET_CTRZERO
					: CT_GET;
	const list = await flows(h, w, type);
	const p = new Printer(proc, w.output);
	for (const ct of list) p.print(ct);
	p.end();
	proc.close(h.fd);
	told(proc, `${list.length} flow entries have been shown.`);
	return 0;
}

async function do_dump_expect(proc: Process): Promise<number> {
	const h = nfct_open(proc, 0);
	let n = 0;
	const err = await talk(h, request(h, NFNL_SUBSYS_CTNETLINK_EXP, CT_GET, NLM_F_DUMP, 2), (nlh) => {
		let timeout = 0;
		let tuple = '';
		let proto = 0;
		let master = '';
		for (const a of nla_list(nlh.buf, nlh.data + 4, nlh.end)) {
			if (a.type === CTA_EXPECT_TIMEOUT) timeout = nla_get_be32(a);
			if (a.type !== CTA_EXPECT_TUPLE && a.type !== CTA_EXPECT_MASTER) continue;
			const t = expect_tuple(nlh, a.off, a.len);
			const text = `src=${ip_text(t.src ?? 0)} dst=${ip_text(t.dst ?? 0)} sport=${t.sport ?? 0} dport=${t.dport ?? 0}`;
			if (a.type === CTA_EXPECT_TUPLE) {
				tuple = text;
				proto = t.proto ?? 0;
			} else {
				master = `master-src=${ip_text(t.src ?? 0)} master-dst=${ip_text(t.dst ?? 0)} sport=${t.sport ?? 0} dport=${t.dport ?? 0}`;
			}
		}
		proc.stdout.write(
			`${timeout} proto=${proto} ${tuple} mask-src=255.255.255.255 mask-dst=255.255.255.255 ${master}\n`,
		);
		n++;
	});
	proc.close(h.fd);
	if (err < 0) throw new OperationFailed(-err, false);
	told(proc, `${n} expectations have been shown.`);
	return 0;
}

/** A tuple inside an expectation's message: read as if it were a flow's. */
function expect_tuple(nlh: nlmsghdr, off: number, len: number): nfct_tuple {
	const b = new nlbuf(4096);
	nlmsg_put(b, 0, 0, 0, 4, 0);
	const nest = nla_nest_start(b, CTA_TUPLE_ORIG);
	const inner = nlh.buf.subarray(off, off + len);
	for (const byte of inner) {
		const at = b.len;
		b.len++;
		if (b.len > b.data.length) {
			const grown = new Uint8Array(b.data.length * 2);
			grown.set(b.data);
			b.data = grown;
		}
		b.data[at] = byte;
	}
	nla_nest_end(b, nest);
	nlmsg_end(b, 0);
	return nfct_parse(new nlmsghdr(b.data, 0)).orig;
}

function need_tuple(o: Options, w: Wanted): void {
	if (o.proto < 0) throw new ParameterProblem("You need to supply the `--protonum' option for this command");
	if (w.orig.src === undefined || w.orig.dst === undefined)
		throw new ParameterProblem("you have to specify `--src' and `--dst'");
}

async function do_get(proc: Process, o: Options): Promise<number> {
	const w = wanted(o);
	need_tuple(o, w);
	const h = nfct_open(proc, 0);
	const b = request(h, NFNL_SUBSYS_CTNETLINK, CT_GET, NLM_F_ACK, w.family);
	nfct_build_tuple(b, CTA_TUPLE_ORIG, w.orig);
	const p = new Printer(proc, w.output);
	let n = 0;
	const err = await talk(h, b, (nlh) => {
		p.print(nfct_parse(nlh));
		n++;
	});
	proc.close(h.fd);
	if (err < 0) throw new OperationFailed(-err, false);
	p.end();
	told(proc, `${n} flow entries have been shown.`);
	return 0;
}

async function do_delete(proc: Process, o: Options): Promise<number> {
	const w = wanted(o);
	const h = nfct_open(proc, 0);
	const p = new Printer(proc, w.output);
	let n = 0;
	for (const ct of await flows(h, w, CT_GET)) {
		const b = key_request(h, CT_DELETE, 0, ct);
		if (ct.id !== undefined) nla_put_be32(b, CTA_ID, ct.id);
		const err = await talk(h, b, () => {});
		// It may have ended by itself meanwhile.
		if (err === -ENOENT) continue;
		if (err < 0) throw new OperationFailed(-err, false);
		p.print(ct);
		n++;
	}
	p.end();
	proc.close(h.fd);
	told(proc, `${n} flow entries have been deleted.`);
	return n > 0 ? 0 : 1;
}

/** The reply to what was asked for, where it was not said. */
function reply_of(w: Wanted): nfct_tuple {
	const o = w.orig;
	const r: nfct_tuple = {
		src: w.reply.src ?? o.dst,
		dst: w.reply.dst ?? o.src,
		proto: o.proto,
		sport: w.reply.sport ?? o.dport,
		dport: w.reply.dport ?? o.sport,
	};
	if (o.proto === IPPROTO_ICMP) {
		const answer: Record<number, number> = { 8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 };
		r.icmp_id = o.icmp_id;
		r.icmp_code = o.icmp_code;
		r.icmp_type = answer[o.icmp_type ?? 0];
	}
	return r;
}

/** CTA_NAT_SRC or CTA_NAT_DST out of ADDRESS[-ADDRESS][:PORT[-PORT]]. */
function put_nat(b: nlbuf, type: number, text: string): void {
	const [addr, port] = text.split(':');
	const nest = nla_nest_start(b, type);
	const [min, max] = addr.split('-');
	nla_put_be32(b, CTA_NAT_V4_MINIP, aton(min, 'IP'));
	nla_put_be32(b, CTA_NAT_V4_MAXIP, aton(max ?? min, 'IP'));
	if (port !== undefined) {
		const [pmin, pmax] = port.split('-');
		const pn = nla_nest_start(b, CTA_NAT_PROTO);
		nla_put_be16(b, CTA_PROTONAT_PORT_MIN, strtoul(pmin));
		nla_put_be16(b, CTA_PROTONAT_PORT_MAX, strtoul(pmax ?? pmin));
		nla_nest_end(b, pn);
	}
	nla_nest_end(b, nest);
}

async function do_create(proc: Process, o: Options): Promise<number> {
	const w = wanted(o);
	if (o.table === 'expect') throw new ParameterProblem('creating expectations is not supported here', false);
	if (o.proto < 0) throw new ParameterProblem("You need to supply the `--protonum' option for this command");
	if (w.timeout === undefined) throw new ParameterProblem("You need to supply the `--timeout' option for this command");
	if (w.orig.src === undefined || w.orig.dst === undefined) {
		if (w.reply.src === undefined || w.reply.dst === undefined)
			throw new ParameterProblem("you have to specify `--src' and `--dst'");
		w.orig.src ??= w.reply.dst;
		w.orig.dst ??= w.reply.src;
	}
	if (o.proto === IPPROTO_TCP && w.tcp_state === undefined)
		throw new ParameterProblem("You need to supply the `--state' option for this command");
	const h = nfct_open(proc, 0);
	const b = request(h, NFNL_SUBSYS_CTNETLINK, CT_NEW, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, w.family);
	nfct_build_tuple(b, CTA_TUPLE_ORIG, w.orig);
	nfct_build_tuple(b, CTA_TUPLE_REPLY, reply_of(w));
	if (w.status !== undefined) nla_put_be32(b, CTA_STATUS, w.status | 8);
	if (w.timeout !== undefined) nla_put_be32(b, CTA_TIMEOUT, w.timeout);
	if (w.mark !== undefined) nla_put_be32(b, CTA_MARK, w.mark);
	if (o.proto === IPPROTO_TCP) nfct_build_tcp(b, w.tcp_state, true);
	const snat = w.src_nat ?? (w.any_nat || undefined);
	if (snat !== undefined && snat !== '') put_nat(b, CTA_NAT_SRC, snat);
	if (w.dst_nat !== undefined && w.dst_nat !== '') put_nat(b, CTA_NAT_DST, w.dst_nat);
	if (w.zone !== undefined) nla_put_be16(b, CTA_ZONE, w.zone);
	const err = await talk(h, b, () => {});
	proc.close(h.fd);
	const add = o.command === 'A';
	// -A is quiet about what is there already.
	if (err < 0 && !(add && err === -EEXIST)) throw new OperationFailed(-err, true);
	told(proc, `${err < 0 ? 0 : 1} flow entries have been ${add ? 'added' : 'created'}.`);
	return 0;
}

async function do_update(proc: Process, o: Options): Promise<number> {
	const w = wanted(o);
	const h = nfct_open(proc, 0);
	const p = new Printer(proc, w.output);
	let n = 0;
	for (const ct of await flows(h, w, CT_GET, false)) {
		const mark =
			w.mark === undefined
				? undefined
				: (((ct.mark ?? 0) & (w.mark_mask === 0xffffffff ? 0 : ~w.mark_mask)) ^ w.mark) >>> 0;
		const status = w.status === undefined ? undefined : (ct.status ?? 0) | w.status;
		const changed =
			(mark !== undefined && mark !== ct.mark) ||
			(status !== undefined && status !== ct.status) ||
			(w.timeout !== undefined && w.timeout !== ct.timeout) ||
			(w.tcp_state !== undefined && w.tcp_state !== ct.tcp_state);
		if (!changed) continue;
		const b = key_request(h, CT_NEW, 0, ct);
		if (mark !== undefined) nla_put_be32(b, CTA_MARK, mark);
		if (status !== undefined) nla_put_be32(b, CTA_STATUS, status);
		if (w.timeout !== undefined) nla_put_be32(b, CTA_TIMEOUT, w.timeout);
		if (w.tcp_state !== undefined) nfct_build_tcp(b, w.tcp_state, false);
		let err = await talk(h, b, () => {});
		if (err < 0) throw new OperationFailed(-err, false);
		n++;
		err = await talk(h, key_request(h, CT_GET, 0, ct), (nlh) => p.print(nfct_parse(nlh)));
		if (err < 0 && err !== -ENOENT) throw new OperationFailed(-err, false);
	}
	p.end();
	proc.close(h.fd);
	told(proc, `${n} flow entries have been updated.`);
	return n > 0 ? 0 : 1;
}

async function do_flush(proc: Process, o: Options): Promise<number> {
	const h = nfct_open(proc, 0);
	const expect = o.table === 'expect';
	const family = o.opt.get('family') === 'ipv4' ? 2 : o.opt.get('family') === 'ipv6' ? 10 : 0;
	const subsys = expect ? NFNL_SUBSYS_CTNETLINK_EXP : NFNL_SUBSYS_CTNETLINK;
	const err = await talk(h, request(h, subsys, CT_DELETE, NLM_F_ACK, family), () => {});
	proc.close(h.fd);
	if (err < 0) throw new OperationFailed(-err, false);
	told(proc, `${expect ? 'expectation' : 'connection tracking'} table has been emptied.`);
	return 0;
}

async function do_count(proc: Process, o: Options): Promise<number> {
	if (o.table === 'expect') {
		const text = await proc.readFile('/proc/net/nf_conntrack_expect');
		proc.stdout.write(`${typeof text === 'string' ? text.split('\n').length - 1 : 0}\n`);
		return 0;
	}
	const h = nfct_open(proc, 0);
	const err = await talk(
		h,
		request(h, NFNL_SUBSYS_CTNETLINK, CT_GET_STATS, 0, 0),
		(nlh) => {
			const first = nla_list(nlh.buf, nlh.data + 4, nlh.end).find((a) => a.type === 1);
			proc.stdout.write(`${first === undefined ? 0 : nla_get_be32(first)}\n`);
		},
		true,
	);
	proc.close(h.fd);
	if (err < 0) throw new OperationFailed(-err, false);
	return 0;
}

/** Names of CTA_STATS_* and CTA_STATS_EXP_*, as -S prints them; '' for those that it passes over. */
const STATS = [
	'',
	'searched',
	'found',
	'new',
	'invalid',
	'ignore',
	'delete',
	'delete_list',
	'insert',
	'insert_failed',
	'drop',
	'early_drop',
	'error',
	'search_restart',
	'clash_resolve',
	'chaintoolong',
];
const EXP_STATS = ['', 'expect_new', 'expect_create', 'expect_delete'];

async function do_stats(proc: Process, o: Options): Promise<number> {
	const h = nfct_open(proc, 0);
	const expect = o.table === 'expect';
	const names = expect ? EXP_STATS : STATS;
	const b = request(
		h,
		expect ? NFNL_SUBSYS_CTNETLINK_EXP : NFNL_SUBSYS_CTNETLINK,
		expect ? EXP_GET_STATS_CPU : CT_GET_STATS_CPU,
		NLM_F_DUMP,
		0,
	);
	const err = await talk(h, b, (nlh) => {
		let s = `cpu=${(nlh.buf[nlh.data + 2] << 8) | nlh.buf[nlh.data + 3]}   \t`;
		for (const a of nla_list(nlh.buf, nlh.data + 4, nlh.end)) s += `${names[a.type] ?? ''}=${nla_get_be32(a)} `;
		proc.stdout.write(s + '\n');
	});
	proc.close(h.fd);
	if (err < 0) throw new OperationFailed(-err, false);
	return 0;
}

async function do_event(proc: Process, o: Options): Promise<number> {
	const w = wanted(o);
	const mask = o.opt.has('event-mask') ? bits(o.opt.get('event-mask')!, EVENT_BITS) : 7;
	const h = nfct_open(proc, mask);
	const size = o.opt.get('buffer-size');
	if (size !== undefined) proc.setsockopt(h.fd, SOL_SOCKET, SO_RCVBUF, strtoul(size));
	const p = new Printer(proc, w.output);
	const buf = new Uint8Array(65536);
	let n = 0;
	let failed = 0;
	for (;;) {
		const m = new msghdr(buf, sockaddr_nl(0, 0));
		const len = await proc.recvmsg(h.fd, m, 0);
		if (len === -EINTR) break;
		if (len < 0) {
			failed = len;
			break;
		}
		for (let off = 0; nlmsg_ok(buf, off, len); ) {
			const nlh = new nlmsghdr(buf, off);
			off += NLMSG_ALIGN(nlh.nlmsg_len);
			const type = nlh.nlmsg_type & 255;
			const event =
				type === CT_DELETE ? NFCT_T_DESTROY : (nlh.nlmsg_flags & NLM_F_CREATE) !== 0 ? NFCT_T_NEW : NFCT_T_UPDATE;
			const ct = nfct_parse(nlh);
			if (!matches(w, ct)) continue;
			p.print(ct, event);
			n++;
		}
	}
	p.end();
	proc.close(h.fd);
	if (failed < 0) throw new OperationFailed(-failed, false);
	told(proc, `${n} flow events have been shown.`);
	return 0;
}

function usage(proc: Process): number {
	proc.stdout.write(
		`Command line interface for the connection tracking system. Version ${VERSION}\n` +
			'Usage: conntrack [commands] [options]\n\n' +
			'Commands: -L list, -G get, -D delete, -I create, -A add, -U update, -E events, -F flush, -C count, -S statistics\n' +
			'Tables: conntrack, expect, dying, unconfirmed\n' +
			'Options: -s -d -r -q (addresses), -p (protocol), -f (family), -t (timeout), -u (status), -m (mark), -w (zone),\n' +
			'         -n -g -j (source, destination, any NAT), -z (zero counters), -e (event mask), -o (output), -b (buffer size)\n' +
			'See conntrack(8).\n',
	);
	return 0;
}

async function run(proc: Process, o: Options): Promise<number> {
	switch (o.command) {
		case 'L':
			return do_dump(proc, o);
		case 'G':
			return do_get(proc, o);
		case 'D':
			return do_delete(proc, o);
		case 'I':
		case 'A':
			return do_create(proc, o);
		case 'U':
			return do_update(proc, o);
		case 'F':
			return do_flush(proc, o);
		case 'C':
			return do_count(proc, o);
		case 'S':
			return do_stats(proc, o);
		case 'E':
			return do_event(proc, o);
		case 'R':
			throw new ParameterProblem('-R is not supported here', false);
		case 'V':
			proc.stdout.write(`${PROGNAME} v${VERSION} (conntrack-tools)\n`);
			return 0;
		default:
			return usage(proc);
	}
}

/** conntrack(8). */
export async function conntrack(proc: Process): Promise<number> {
	try {
		return await run(proc, parse_command_line(proc.argv.slice(1)));
	} catch (e) {
		if (e instanceof ParameterProblem) {
			told(proc, e.message);
			if (e.hint) proc.stderr.write(`Try \`${PROGNAME} -h' or '${PROGNAME} --help' for more information.\n`);
			return 2;
		}
		if (e instanceof OperationFailed) {
			told(proc, `Operation failed: ${e.message}`);
			return 1;
		}
		throw e;
	}
}
