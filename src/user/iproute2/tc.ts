/*
 * user/iproute2/tc.ts: `tc qdisc`.                                 Original: tc/tc.c, tc/tc_qdisc.c, tc/q_fifo.c of iproute2 6.1
 * Classes, filters, chains, actions and qdiscs other than the kernel's are refused by name.
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	get_unaligned_le64,
	nla_data,
	nla_get_string,
	nla_put,
	nla_put_string,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	TCA_FQ_BUCKETS_LOG,
	TCA_FQ_FLOW_PLIMIT,
	TCA_FQ_FLOW_REFILL_DELAY,
	TCA_FQ_HORIZON,
	TCA_FQ_HORIZON_DROP,
	TCA_FQ_INITIAL_QUANTUM,
	TCA_FQ_LOW_RATE_THRESHOLD,
	TCA_FQ_ORPHAN_MASK,
	TCA_FQ_PLIMIT,
	TCA_FQ_QUANTUM,
	TCA_FQ_RATE_ENABLE,
	TCA_FQ_TIMER_SLACK,
} from '../../uapi/linux/pkt_sched.ts';
import {
	RTM_DELQDISC,
	RTM_GETQDISC,
	RTM_NEWQDISC,
	TCA_KIND,
	TCA_MAX,
	TCA_OPTIONS,
	TCA_STATS2,
} from '../../uapi/linux/rtnetlink.ts';
import type { Process } from '../libc.ts';
import { netns_switch } from './ipnetns.ts';
import { msg_attrs, parse_rtattr_nested, request, rtnl_dump, rtnl_open, rtnl_talk } from './libnetlink.ts';
import { ll_map } from './ll_map.ts';
import { args, duparg, exit, get_u32, invarg, ip_exit, ip_globals, matches, nodev } from './utils.ts';

const USAGE = `Usage:	tc [ OPTIONS ] OBJECT { COMMAND | help }
	tc [-force] -batch filename
where  OBJECT := { qdisc | class | filter | chain |
		    action | monitor | exec }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[aw] |
		    -o[neline] | -j[son] | -p[retty] | -c[olor]
		    -b[atch] [filename] | -n[etns] name | -N[umeric] |
		     -nm | -nam[es] | { -cf | -conf } path
		     -br[ief] }
`;

const QDISC_USAGE = `Usage: tc qdisc [ add | del | replace | change | show ] dev STRING
       [ handle QHANDLE ] [ root | ingress | clsact | parent CLASSID ]
       [ estimator INTERVAL TIME_CONSTANT ]
       [ stab [ help | STAB_OPTIONS] ]
       [ ingress_block BLOCK_INDEX ] [ egress_block BLOCK_INDEX ]
       [ [ QDISC_KIND ] [ help | OPTIONS ] ]

       tc qdisc { show | list } [ dev STRING ] [ QDISC_ID ] [ invisible ]
Where:
QDISC_KIND := { [p|b]fifo | tbf | prio | cbq | red | etc. }
OPTIONS := ... try tc qdisc add <desired QDISC_KIND> help
STAB_OPTIONS := ... try tc qdisc add stab help
QDISC_ID := { root | ingress | handle QHANDLE | parent CLASSID }
`;

const FQ_USAGE = `Usage: ... fq	[ limit PACKETS ] [ flow_limit PACKETS ]
	[ quantum BYTES ] [ initial_quantum BYTES ]
	[ maxrate RATE ] [ buckets NUMBER ]
	[ [no]pacing ] [ refill_delay TIME ]
	[ low_rate_threshold RATE ]
	[ orphan_mask MASK]
	[ timer_slack TIME]
	[ ce_threshold TIME ]
	[ horizon TIME ]
	[ horizon_{cap|drop} ]
`;

const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;

function refuse(g: ip_globals, what: string): never {
	g.err(`tc: "${what}" is not supported by linnet\n`);
	exit(-1);
}

/** `10k`, `1mb`, `5kbit`: bytes. Return: null where it is none. */
function get_size(text: string): number | null {
	const m = /^(\d+(?:\.\d*)?|\.\d+)([a-zA-Z]*)$/.exec(text);
	if (m === null) return null;
	const units: Record<string, number> = {
		'': 1,
		b: 1,
		k: 1024,
		kb: 1024,
		m: 1048576,
		mb: 1048576,
		g: 1073741824,
		gb: 1073741824,
		kbit: 128,
		mbit: 131072,
		gbit: 134217728,
	};
	const u = units[m[2].toLowerCase()];
	return u === undefined ? null : Math.floor(Number(m[1]) * u);
}

/** Bytes as tc prints them: 20Kb, 1500b. */
function sprint_size(n: number): string {
	if (n >= 1048576 && Math.abs(1048576 * Math.round(n / 1048576) - n) < 1024) return `${Math.round(n / 1048576)}Mb`;
	if (n >= 1024 && Math.abs(1024 * Math.round(n / 1024) - n) < 16) return `${Math.round(n / 1024)}Kb`;
	return `${n}b`;
}

function handle_text(h: number): string {
	if (h === TC_H_ROOT) return 'root';
	const major = (h >>> 16).toString(16);
	const minor = (h & 0xffff).toString(16);
	return (h & 0xffff) === 0 ? `${major}:` : h >>> 16 === 0 ? `:${minor}` : `${major}:${minor}`;
}

/** MAJOR: or MAJOR:MINOR in hex. */
function get_handle(text: string, minor: boolean): number | null {
	const m = /^([0-9a-f]+)(?::([0-9a-f]*))?$/i.exec(text);
	if (m === null) return null;
	const hi = Number.parseInt(m[1], 16);
	const lo = m[2] === undefined || m[2] === '' ? 0 : Number.parseInt(m[2], 16);
	if (hi > 0xffff || lo > 0xffff) return null;
	return hi * 65536 + (minor ? lo : 0);
}

/** q_fq.c: rates, ce_threshold and the like are refused. */
function fq_options(g: ip_globals, a: args): Uint8Array | null {
	const numbers: [string, number][] = [
		['limit', TCA_FQ_PLIMIT],
		['flow_limit', TCA_FQ_FLOW_PLIMIT],
		['quantum', TCA_FQ_QUANTUM],
		['initial_quantum', TCA_FQ_INITIAL_QUANTUM],
	];
	const out: number[] = [];
	const put = (type: number, v: number): void => {
		out.push(8, 0, type, 0, v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24);
	};
	for (; a.more; a.shift()) {
		const known = numbers.find(([name]) => a.is(name));
		if (known !== undefined) {
			const w = a.next();
			const v = known[0].endsWith('limit') ? get_u32(w) : get_size(w);
			if (v === null) {
				g.err(`Illegal "${known[0]}"\n`);
				exit(1);
			}
			put(known[1], v);
		} else if (a.is('pacing')) put(TCA_FQ_RATE_ENABLE, 1);
		else if (a.is('nopacing')) put(TCA_FQ_RATE_ENABLE, 0);
		else if (a.is('maxrate', 'buckets', 'orphan_mask', 'refill_delay', 'low_rate_threshold', 'ce_threshold'))
			refuse(g, `fq ${a.word}`);
		else if (a.is('timer_slack', 'horizon', 'horizon_cap', 'horizon_drop')) refuse(g, `fq ${a.word}`);
		else {
			if (!a.is('help')) g.err(`What is "${a.word}"?\n`);
			g.err(FQ_USAGE);
			exit(1);
		}
	}
	return out.length === 0 ? null : Uint8Array.from(out);
}

/** fq's options as q_fq.c prints them. */
function fq_text(opt: Uint8Array): string {
	const v = new Map<number, number>();
	for (let at = 0; at + 4 <= opt.length; ) {
		const len = opt[at] | (opt[at + 1] << 8);
		if (len < 4) break;
		v.set(opt[at + 2] | (opt[at + 3] << 8), len >= 8 ? get_unaligned_le32(opt, at + 4) >>> 0 : opt[at + 4]);
		at += (len + 3) & ~3;
	}
	const n = (type: number): number => v.get(type) ?? 0;
	const size = (type: number): string => sprint_size(n(type));
	return [
		`limit ${n(TCA_FQ_PLIMIT)}p flow_limit ${n(TCA_FQ_FLOW_PLIMIT)}p buckets ${1 << n(TCA_FQ_BUCKETS_LOG)}`,
		`orphan_mask ${n(TCA_FQ_ORPHAN_MASK)}`,
		...(n(TCA_FQ_RATE_ENABLE) === 0 ? ['nopacing'] : []),
		`quantum ${size(TCA_FQ_QUANTUM)} initial_quantum ${size(TCA_FQ_INITIAL_QUANTUM)}`,
		`low_rate_threshold ${(n(TCA_FQ_LOW_RATE_THRESHOLD) * 8) / 1000}Kbit refill_delay ${n(TCA_FQ_FLOW_REFILL_DELAY) / 1000}ms`,
		`timer_slack ${n(TCA_FQ_TIMER_SLACK) / 1000}us horizon ${n(TCA_FQ_HORIZON) / 1e6}s`,
		n(TCA_FQ_HORIZON_DROP) !== 0 ? 'horizon_drop' : 'horizon_cap',
	]
		.map((s) => `${s} `)
		.join('');
}

/** Words after the kind, as TCA_OPTIONS. Return: null for none. */
function qdisc_options(g: ip_globals, kind: string, a: args): Uint8Array | null {
	if (kind === 'pfifo' || kind === 'bfifo') {
		let limit: number | null = null;
		for (; a.more; a.shift()) {
			if (a.is('limit')) {
				const w = a.next();
				limit = kind === 'bfifo' ? get_size(w) : get_u32(w);
				// A limit in packets may be said as a size as well.
				limit ??= get_size(w);
				if (limit === null) {
					g.err(`${kind}: Illegal value for "limit": "${w}"\n`);
					exit(1);
				}
			} else {
				if (!a.is('help')) g.err(`${kind}: unknown parameter "${a.word}"\n`);
				g.err('Usage: ... <[p|b]fifo | pfifo_head_drop> [ limit NUMBER ]\n');
				exit(1);
			}
		}
		if (limit === null) return null;
		const b = new Uint8Array(4);
		put_unaligned_le32(b, 0, limit);
		return b;
	}
	if (kind === 'fq') return fq_options(g, a);
	if (kind === 'pfifo_fast' || kind === 'noqueue' || kind === 'mq') {
		if (a.more) {
			g.err(`qdisc '${kind}' does not support option parsing\n`);
			exit(1);
		}
		return null;
	}
	// The kernel says that it has none of that kind; its options are not looked at.
	return null;
}

async function modify(g: ip_globals, cmd: number, flags: number, words: readonly string[]): Promise<number> {
	const a = new args(g, words);
	let dev: string | null = null;
	let handle: number | null = null;
	let parent = 0;
	let kind: string | null = null;
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			if (dev !== null) duparg(g, 'dev', a.word);
			dev = a.next();
		} else if (a.is('handle')) {
			const w = a.next();
			handle = get_handle(w, false);
			if (handle === null) invarg(g, 'invalid qdisc ID', w);
		} else if (a.is('root')) {
			if (parent !== 0) {
				g.err('Error: "root" is duplicate parent ID\n');
				return -1;
			}
			parent = TC_H_ROOT;
		} else if (a.is('clsact', 'ingress')) {
			parent = TC_H_INGRESS;
			kind = a.word;
			handle = kind === 'ingress' ? 0xffff0000 : 0xffff0000;
			a.shift();
			break;
		} else if (a.is('parent')) {
			const w = a.next();
			const id = get_handle(w, true);
			if (id === null) invarg(g, 'invalid parent ID', w);
			parent = id!;
		} else if (a.is('estimator', 'stab', 'ingress_block', 'egress_block')) refuse(g, a.word);
		else if (a.is('help')) {
			g.err(QDISC_USAGE);
			exit(-1);
		} else {
			kind = a.word;
			a.shift();
			break;
		}
	}
	const req = new request(cmd, flags, 20);
	req.u32(8, handle ?? 0);
	req.u32(12, parent);
	if (kind !== null) {
		nla_put_string(req, TCA_KIND, kind);
		const opt = qdisc_options(g, kind, a);
		if (opt !== null) nla_put(req, TCA_OPTIONS, opt);
	}
	if (dev !== null) {
		const index = await g.ll.name_to_index(dev);
		if (index === 0) {
			nodev(g, dev);
			return 1;
		}
		req.u32(4, index);
	}
	return (await rtnl_talk(g, req, false)).ret < 0 ? 2 : 0;
}

function print_stats(g: ip_globals, n: nlmsghdr): void {
	const p = g.out;
	const st = msg_attrs(n, 20, TCA_MAX)[TCA_STATS2];
	if (st === null) return;
	const tb = parse_rtattr_nested(8, st);
	const basic = tb[1] === null ? null : nla_data(tb[1]);
	const queue = tb[3] === null ? null : nla_data(tb[3]);
	const bytes = basic === null ? 0 : get_unaligned_le64(basic, 0);
	const packets = basic === null ? 0 : get_unaligned_le32(basic, 8);
	const q = (i: number): number => (queue === null ? 0 : get_unaligned_le32(queue, 4 * i));
	const [qlen, backlog, drops, requeues, overlimits] = [0, 1, 2, 3, 4].map(q);
	if (p.json) {
		for (const [k, v] of Object.entries({ bytes, packets, drops, overlimits, requeues, backlog, qlen })) p.js(k, v);
		return;
	}
	p.fp(
		` Sent ${bytes} bytes ${packets} pkt (dropped ${drops}, overlimits ${overlimits} requeues ${requeues}) ${g.nl} backlog ${sprint_size(backlog)} ${qlen}p requeues ${requeues}${g.nl}`,
	);
}

async function print_qdisc(
	g: ip_globals,
	n: nlmsghdr,
	filter: { ifindex: number; handle: number | null; parent: number },
): Promise<void> {
	const at = n.data;
	const ifindex = get_unaligned_le32(n.buf, at + 4);
	const handle = get_unaligned_le32(n.buf, at + 8) >>> 0;
	const parent = get_unaligned_le32(n.buf, at + 12) >>> 0;
	const refcnt = get_unaligned_le32(n.buf, at + 16);
	if (filter.ifindex !== 0 && filter.ifindex !== ifindex) return;
	if (filter.handle !== null && filter.handle !== handle) return;
	if (filter.parent !== 0 && filter.parent !== parent) return;
	const tb = msg_attrs(n, 20, TCA_MAX);
	const kind = tb[TCA_KIND] === null ? '[unknown]' : nla_get_string(tb[TCA_KIND]!);
	const opt = tb[TCA_OPTIONS] === null ? null : nla_data(tb[TCA_OPTIONS]!);
	const p = g.out;
	const dev = filter.ifindex === 0 ? g.ll.index_to_name(ifindex) : null;
	const fifo = kind === 'pfifo' || kind === 'bfifo';
	if (p.json) {
		p.open_json_object(null);
		p.js('kind', kind);
		p.js('handle', `${(handle >>> 16).toString(16)}:`);
		if (dev !== null) p.js('dev', dev);
		if (parent === TC_H_ROOT) p.js('root', true);
		else if (parent !== 0) p.js('parent', handle_text(parent));
		if (refcnt !== 1) p.js('refcnt', refcnt);
		p.open_json_object('options');
		if (opt !== null && fifo) p.js('limit', get_unaligned_le32(opt, 0));
		if (opt !== null && kind === 'pfifo_fast') {
			p.js('bands', opt[0]);
			p.open_json_array('priomap', null);
			for (let i = 0; i < 16; i++) p.js(null, opt[4 + i]);
			p.close_json_array(null);
			p.js('multiqueue', false);
		}
		p.close_json_object();
		if (g.show_stats > 0) print_stats(g, n);
		p.close_json_object();
		return;
	}
	let line = `qdisc ${kind} ${(handle >>> 16).toString(16)}: `;
	if (dev !== null) line += `dev ${dev} `;
	if (parent === TC_H_ROOT) line += 'root ';
	else if (parent !== 0) line += `parent ${handle_text(parent)} `;
	if (refcnt !== 1) line += `refcnt ${refcnt} `;
	if (opt !== null && kind === 'pfifo') line += `limit ${get_unaligned_le32(opt, 0)}p`;
	if (opt !== null && kind === 'fq') line += fq_text(opt);
	if (opt !== null && kind === 'bfifo') line += `limit ${sprint_size(get_unaligned_le32(opt, 0))}`;
	if (opt !== null && kind === 'pfifo_fast') line += `bands ${opt[0]} priomap ${[...opt.subarray(4, 20)].join(' ')}`;
	p.fp(`${line}${g.nl}`);
	if (g.show_stats > 0) print_stats(g, n);
	if (g.oneline) p.fp('\n');
}

async function show(g: ip_globals, words: readonly string[]): Promise<number> {
	const a = new args(g, words);
	const filter = { ifindex: 0, handle: null as number | null, parent: 0 };
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			const name = a.next();
			filter.ifindex = await g.ll.name_to_index(name);
			if (filter.ifindex === 0) {
				nodev(g, name);
				return 1;
			}
		} else if (a.is('root')) filter.parent = TC_H_ROOT;
		else if (a.is('handle')) {
			const w = a.next();
			filter.handle = get_handle(w, false);
			if (filter.handle === null) invarg(g, 'invalid qdisc ID', w);
		} else if (a.is('parent')) {
			const w = a.next();
			const id = get_handle(w, true);
			if (id === null) invarg(g, 'invalid parent ID', w);
			filter.parent = id!;
		} else if (a.is('ingress', 'clsact')) filter.parent = TC_H_INGRESS;
		else if (a.matches('invisible')) continue;
		else if (a.matches('help')) {
			g.err(QDISC_USAGE);
			exit(-1);
		} else {
			g.err(`What is "${a.word}"? Try "tc qdisc help".\n`);
			return -1;
		}
	}
	await g.ll.init();
	const req = new request(RTM_GETQDISC, 0, 20);
	req.u32(4, filter.ifindex);
	const list = await rtnl_dump(g, req, 'Dump terminated\n');
	if (list === null) return 1;
	g.out.new_json_obj(g.json > 0);
	for (const n of list) await print_qdisc(g, n, filter);
	g.out.delete_json_obj();
	return 0;
}

async function do_qdisc(g: ip_globals, words: readonly string[]): Promise<number> {
	const [cmd, ...rest] = words;
	if (cmd === undefined) return show(g, []);
	if (matches(cmd, 'add')) return modify(g, RTM_NEWQDISC, NLM_F_EXCL | NLM_F_CREATE, rest);
	if (matches(cmd, 'change')) return modify(g, RTM_NEWQDISC, 0, rest);
	if (matches(cmd, 'replace')) return modify(g, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, rest);
	if (matches(cmd, 'link')) return modify(g, RTM_NEWQDISC, NLM_F_REPLACE, rest);
	if (matches(cmd, 'delete')) return modify(g, RTM_DELQDISC, 0, rest);
	if (matches(cmd, 'list') || matches(cmd, 'show') || matches(cmd, 'lst')) return show(g, rest);
	if (matches(cmd, 'help')) {
		g.err(QDISC_USAGE);
		return 0;
	}
	g.err(`Command "${cmd}" is unknown, try "tc qdisc help".\n`);
	return -1;
}

async function run(g: ip_globals): Promise<number> {
	const words = g.proc.argv.slice(1);
	let i = 0;
	for (; i < words.length && words[i].startsWith('-'); i++) {
		const o = words[i];
		if (matches(o, '-stats') || matches(o, '-statistics')) g.show_stats++;
		else if (matches(o, '-details')) g.show_details++;
		else if (matches(o, '-help')) {
			g.err(USAGE);
			return 0;
		} else if (matches(o, '-json')) g.json++;
		else if (matches(o, '-pretty')) g.out.pretty = true;
		else if (matches(o, '-oneline')) g.oneline = true;
		else if (matches(o, '-force')) g.force = true;
		else if (matches(o, '-raw') || matches(o, '-Numeric') || matches(o, '-brief')) continue;
		else if (matches(o, '-Version')) {
			g.out.fp('tc utility, iproute2-6.1.0, libbpf 1.1.2\n');
			return 0;
		} else if (matches(o, '-netns')) {
			if (netns_switch(g, words[++i] ?? '') !== 0) return -1;
		} else if (
			matches(o, '-batch') ||
			matches(o, '-color') ||
			matches(o, '-names') ||
			matches(o, '-conf') ||
			matches(o, '-timestamp') ||
			matches(o, '-tshort')
		)
			refuse(g, o);
		else {
			g.err(`Option "${o}" is unknown, try "tc -help".\n`);
			return -1;
		}
	}
	const object = words[i];
	if (object === undefined) {
		g.err(USAGE);
		return 0;
	}
	g.ll = new ll_map(g);
	const rth = rtnl_open(g);
	if (rth === null) return 1;
	g.rth = rth;
	if (matches(object, 'qdisc')) return do_qdisc(g, words.slice(i + 1));
	if (matches(object, 'help')) {
		g.err(USAGE);
		return 0;
	}
	for (const o of ['class', 'filter', 'chain', 'actions', 'monitor', 'exec']) if (matches(object, o)) refuse(g, o);
	g.err(`Object "${object}" is unknown, try "tc help".\n`);
	return -1;
}

/** `tc`. Return: exit status. */
export async function tc(proc: Process): Promise<number> {
	const g = new ip_globals(proc);
	let status: number;
	try {
		status = (await run(g)) & 0xff;
	} catch (e) {
		if (!(e instanceof ip_exit)) throw e;
		status = e.status;
	}
	g.flush();
	if (g.rth !== undefined) g.rth.close();
	return status;
}
