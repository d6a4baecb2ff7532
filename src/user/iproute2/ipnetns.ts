/*
 * user/iproute2/ipnetns.ts: `ip netns`.                            Original: ip/ipnetns.c, lib/namespace.c
 */
import { nla_get_u32, nla_put_u32, type nlmsghdr } from '../../lib/nlattr.ts';
import { EEXIST, ENOENT, strerror } from '../../uapi/asm-generic/errno.ts';
import { RTM_DELNSID, RTM_GETNSID, RTM_NEWNSID } from '../../uapi/linux/rtnetlink.ts';
import { CLONE_NEWNET } from '../libc.ts';
import { NETNS_USAGE } from './help.ts';
import { get_netnsid_from_name, NETNS_RUN_DIR, netns_map_init, nsid_name } from './ipnetns_map.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import { type args, exit, get_integer, get_unsigned, invarg, type ip_globals, matches, unsupported } from './utils.ts';

const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const NETNSA_TARGET_NSID = 4;
const NETNSA_CURRENT_NSID = 5;
const NETNSA_MAX = 5;

function usage(g: ip_globals): never {
	g.err(NETNS_USAGE);
	exit(-1);
}

/** Goes into a named namespace. Return: 0, or -1 with a complaint. */
export function netns_switch(g: ip_globals, name: string): number {
	const fd = g.proc.open_netns(`${NETNS_RUN_DIR}/${name}`);
	if (fd < 0) {
		g.err(`Cannot open network namespace "${name}": ${strerror(-fd)}\n`);
		return -1;
	}
	const err = g.proc.setns(fd);
	g.proc.close(fd);
	if (err < 0) {
		g.err(`setting the network namespace "${name}" failed: ${strerror(-err)}\n`);
		return -1;
	}
	return 0;
}

async function netns_names(g: ip_globals): Promise<string[]> {
	const names = await g.proc.readdir(NETNS_RUN_DIR);
	return typeof names === 'number' ? [] : names;
}

async function netns_list(g: ip_globals): Promise<number> {
	const names = await netns_names(g);
	// Before the first `ip netns add` the folder is not there, and nothing is printed.
	if (names.length === 0) return 0;
	g.out.new_json_obj(g.json > 0);
	for (const name of names) {
		g.out.open_json_object(null);
		g.out.any('name', name, name);
		const id = await get_netnsid_from_name(g, name);
		if (id >= 0) g.out.any('id', id, ` (id: ${id})`);
		g.out.fp('\n');
		g.out.close_json_object();
	}
	g.out.delete_json_obj();
	return 0;
}

export function print_nsid(g: ip_globals, n: nlmsghdr): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWNSID && n.nlmsg_type !== RTM_DELNSID) return 0;
	const tb = msg_attrs(n, 1, NETNSA_MAX);
	if (tb[NETNSA_NSID] === null) {
		g.err('Missing NSID attribute.\n');
		return -1;
	}
	out.open_json_object(null);
	if (n.nlmsg_type === RTM_DELNSID) out.any('deleted', true, 'Deleted ');
	const id = nla_get_u32(tb[NETNSA_NSID]) | 0;
	if (id < 0) out.fp('nsid unassigned ');
	else out.any('nsid', id, `nsid ${id} `);
	let current = id;
	if (tb[NETNSA_CURRENT_NSID] !== null) {
		current = nla_get_u32(tb[NETNSA_CURRENT_NSID]) | 0;
		if (current < 0) out.fp('current-nsid unassigned ');
		else out.any('current-nsid', current, `current-nsid ${current} `);
	}
	const name = nsid_name(g, current);
	if (name !== null) out.any('name', name, `(iproute2 netns name: ${name})`);
	out.fp('\n');
	out.close_json_object();
	return 0;
}

async function netns_list_id(g: ip_globals, a: args): Promise<number> {
	let nsid = -1;
	let target: number | null = null;
	for (; a.more; a.shift()) {
		if (a.is('target-nsid')) {
			const w = a.next();
			const v = get_integer(w);
			if (v === null) invarg(g, '"target-nsid" value is invalid', w);
			if (v < 0) invarg(g, '"target-nsid" value should be >= 0', w);
			target = v;
		} else if (a.is('nsid')) {
			const w = a.next();
			const v = get_integer(w);
			if (v === null) invarg(g, '"nsid" value is invalid', w);
			if (v < 0) invarg(g, '"nsid" value should be >= 0', w);
			nsid = v;
		} else usage(g);
	}
	await netns_map_init(g);
	const req = new request(RTM_GETNSID, 0, 1);
	if (target !== null) nla_put_u32(req, NETNSA_TARGET_NSID, target);
	if (nsid >= 0) {
		nla_put_u32(req, NETNSA_NSID, nsid);
		const r = await rtnl_talk(g, req, true);
		if (r.ret < 0 || r.answer === null) return -2;
		g.out.new_json_obj(g.json > 0);
		const err = print_nsid(g, r.answer);
		g.out.delete_json_obj();
		return err < 0 ? -1 : 0;
	}
	const list = await rtnl_dump(g, req, 'Dump terminated\n');
	if (list === null) exit(1);
	g.out.new_json_obj(g.json > 0);
	for (const n of list) print_nsid(g, n);
	g.out.delete_json_obj();
	return 0;
}

async function set_netnsid(g: ip_globals, fd: number, nsid: number): Promise<number> {
	const req = new request(RTM_NEWNSID, 0, 1);
	nla_put_u32(req, NETNSA_FD, fd);
	nla_put_u32(req, NETNSA_NSID, nsid);
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? -2 : 0;
}

function good_name(name: string): boolean {
	return name !== '' && name.length < 256 && !name.includes('/') && name !== '.' && name !== '..';
}

function is_pid(s: string): boolean {
	return /^\d+$/.test(s);
}

async function netns_add(g: ip_globals, a: args, create: boolean): Promise<number> {
	if (create) {
		if (!a.more) {
			g.err('No netns name specified\n');
			return -1;
		}
	} else {
		if (a.left < 2) {
			g.err('No netns name and PID specified\n');
			return -1;
		}
		if (!is_pid(a.argv[a.i + 1])) {
			g.err(`Invalid PID: ${a.argv[a.i + 1]}\n`);
			return -1;
		}
	}
	const name = a.word;
	const back = g.proc.open_netns('/proc/self/ns/net');
	let err = 0;
	if (create) err = g.proc.unshare(CLONE_NEWNET);
	else {
		const fd = g.proc.open_netns(`/proc/${a.argv[a.i + 1]}/ns/net`);
		if (fd < 0) {
			g.err(`Bind /proc/${a.argv[a.i + 1]}/ns/net -> ${NETNS_RUN_DIR}/${name} failed: ${strerror(-fd)}\n`);
			g.proc.close(back);
			return -1;
		}
		err = g.proc.setns(fd);
		g.proc.close(fd);
	}
	if (err === 0) {
		err = g.proc.netns_mount(name);
		if (err === -EEXIST) g.err(`Cannot create namespace file "${NETNS_RUN_DIR}/${name}": ${strerror(EEXIST)}\n`);
		else if (err < 0) g.err(`Bind /proc/self/ns/net -> ${NETNS_RUN_DIR}/${name} failed: ${strerror(-err)}\n`);
	} else g.err(`Failed to create a new network namespace "${name}": ${strerror(-err)}\n`);
	g.proc.setns(back);
	g.proc.close(back);
	return err < 0 ? -1 : 0;
}

function delete_one(g: ip_globals, name: string): number {
	const err = g.proc.netns_umount(name);
	if (err >= 0) return 0;
	g.err(`Cannot remove namespace file "${NETNS_RUN_DIR}/${name}": ${strerror(-err)}\n`);
	return -1;
}

async function netns_delete(g: ip_globals, a: args): Promise<number> {
	if (!a.more && !g.do_all) {
		g.err('No netns name specified\n');
		return -1;
	}
	if (!g.do_all) return delete_one(g, a.word);
	for (const name of await netns_names(g)) if (delete_one(g, name) < 0) return -1;
	return 0;
}

/** Names of the namespace behind a descriptor. */
async function names_of(g: ip_globals, fd: number): Promise<string[]> {
	const ino = g.proc.netns_ino(fd);
	const out: string[] = [];
	for (const name of await netns_names(g)) {
		const other = g.proc.open_netns(`${NETNS_RUN_DIR}/${name}`);
		if (other < 0) continue;
		if (g.proc.netns_ino(other) === ino) out.push(name);
		g.proc.close(other);
	}
	return out;
}

async function netns_identify(g: ip_globals, a: args): Promise<number> {
	let pid = 'self';
	if (a.left > 1) {
		g.err('extra arguments specified\n');
		return -1;
	}
	if (a.more) {
		if (!is_pid(a.word)) {
			g.err(`Specified string '${a.word}' is not a pid\n`);
			return -1;
		}
		pid = a.word;
	}
	const fd = g.proc.open_netns(`/proc/${pid}/ns/net`);
	if (fd < 0) {
		g.err(`Cannot open network namespace: ${strerror(-fd)}\n`);
		return -1;
	}
	for (const name of await names_of(g, fd)) g.out.fp(`${name}\n`);
	g.proc.close(fd);
	return 0;
}

function netns_pids(g: ip_globals, a: args): number {
	if (!a.more) {
		g.err('No netns name specified\n');
		return -1;
	}
	if (a.left > 1) {
		g.err('extra arguments specified\n');
		return -1;
	}
	const fd = g.proc.open_netns(`${NETNS_RUN_DIR}/${a.word}`);
	if (fd < 0) {
		g.err(`Cannot open network namespace: ${strerror(-fd)}\n`);
		return -1;
	}
	const pids = g.proc.netns_pids(fd);
	if (typeof pids !== 'number') for (const p of pids.sort((x, y) => x - y)) g.out.fp(`${p}\n`);
	g.proc.close(fd);
	return 0;
}

async function exec_in(g: ip_globals, name: string, argv: string[]): Promise<number> {
	if (netns_switch(g, name) < 0) return -1;
	g.flush();
	const status = await g.proc.exec(argv);
	if (status === -ENOENT) {
		g.err(`exec of "${argv[0]}" failed: ${strerror(ENOENT)}\n`);
		return 1;
	}
	return status;
}

async function netns_exec(g: ip_globals, a: args): Promise<number> {
	if (!a.more && !g.do_all) {
		g.err('No netns name specified\n');
		return -1;
	}
	if ((a.left < 2 && !g.do_all) || (g.do_all && !a.more)) {
		g.err('No command specified\n');
		return -1;
	}
	if (!g.do_all) {
		const status = await exec_in(g, a.word, a.argv.slice(a.i + 1));
		exit(status);
	}
	const back = g.proc.open_netns('/proc/self/ns/net');
	for (const name of await netns_names(g)) {
		g.out.fp(`\nnetns: ${name}\n`);
		const status = await exec_in(g, name, a.argv.slice(a.i));
		g.proc.setns(back);
		if (status < 0) break;
	}
	g.proc.close(back);
	return 0;
}

async function netns_set(g: ip_globals, a: args): Promise<number> {
	if (a.left < 1) {
		g.err('No netns name specified\n');
		return -1;
	}
	if (a.left < 2) {
		g.err('No nsid specified\n');
		return -1;
	}
	const name = a.word;
	const w = a.argv[a.i + 1];
	let nsid: number;
	// "auto" lets the kernel choose.
	if (w === 'auto') nsid = -1;
	else {
		const v = get_unsigned(w);
		if (v === null) invarg(g, 'Invalid "netnsid" value\n', w);
		nsid = v;
	}
	const fd = g.proc.open_netns(`${NETNS_RUN_DIR}/${name}`);
	if (fd < 0) {
		g.err(`Cannot open network namespace "${name}": ${strerror(-fd)}\n`);
		return -1;
	}
	const r = await set_netnsid(g, fd, nsid);
	g.proc.close(fd);
	return r;
}

function need_good_name(g: ip_globals, a: args): void {
	if (a.more && !good_name(a.word)) {
		g.err(`Invalid netns name "${a.word}"\n`);
		exit(-1);
	}
}

export async function do_netns(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return netns_list(g);
	const w = a.word;
	a.shift();
	if (!g.do_all && (matches(w, 'add') || matches(w, 'set') || matches(w, 'delete') || matches(w, 'exec'))) {
		need_good_name(g, a);
	}
	if (matches(w, 'list') || matches(w, 'show') || matches(w, 'lst')) return netns_list(g);
	if (w === 'list-id') return netns_list_id(g, a);
	if (matches(w, 'help')) usage(g);
	if (matches(w, 'add')) return netns_add(g, a, true);
	if (matches(w, 'set')) return netns_set(g, a);
	if (matches(w, 'delete')) return netns_delete(g, a);
	if (matches(w, 'identify')) return netns_identify(g, a);
	if (matches(w, 'pids')) return netns_pids(g, a);
	if (matches(w, 'exec')) return netns_exec(g, a);
	if (matches(w, 'monitor')) unsupported(g, 'netns monitor');
	if (matches(w, 'attach')) return netns_add(g, a, false);
	g.err(`Command "${w}" is unknown, try "ip netns help".\n`);
	exit(-1);
}
