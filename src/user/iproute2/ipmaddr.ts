/*
 * user/iproute2/ipmaddr.ts: `ip maddress`.                         Original: ip/ipmaddr.c
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC, SOCK_DGRAM } from '../../uapi/linux/socket.ts';
import { SIOCADDMULTI, SIOCDELMULTI } from '../../uapi/linux/sockios.ts';
import { MADDR_USAGE } from './help.ts';
import {
	type args,
	check_ifname,
	duparg2,
	exit,
	family_name,
	format_host,
	invarg,
	type ip_globals,
	ll_addr_a2n,
	ll_addr_n2a,
	matches,
} from './utils.ts';

interface ma_info {
	index: number;
	users: number;
	features: string;
	name: string;
	family: number;
	addr: Uint8Array;
}

function usage(g: ip_globals): never {
	g.err(MADDR_USAGE);
	exit(-1);
}

function hex_bytes(s: string): Uint8Array {
	const out = new Uint8Array(s.length >> 1);
	for (let i = 0; i < out.length; i++) out[i] = parseInt(s.slice(2 * i, 2 * i + 2), 16);
	return out;
}

async function lines(g: ip_globals, path: string): Promise<string[]> {
	const t = await g.proc.readFile(path);
	return typeof t === 'number' ? [] : t.split('\n');
}

async function read_mcast(g: ip_globals, dev: string | null): Promise<ma_info[]> {
	const out: ma_info[] = [];
	for (const line of await lines(g, '/proc/net/dev_mcast')) {
		const f = line.trim().split(/\s+/);
		if (f.length < 5 || (dev !== null && f[1] !== dev)) continue;
		const features = f[3] !== '0' ? 'static' : '';
		out.push({
			index: Number(f[0]),
			name: f[1],
			users: Number(f[2]),
			features,
			family: AF_PACKET,
			addr: hex_bytes(f[4]),
		});
	}
	return out;
}

async function read_igmp(g: ip_globals, dev: string | null): Promise<ma_info[]> {
	const out: ma_info[] = [];
	let index = 0;
	let name = '';
	for (const line of (await lines(g, '/proc/net/igmp')).slice(1)) {
		if (line === '') continue;
		if (line[0] !== '\t') {
			const m = /^(\d+)\s+(\S+)/.exec(line);
			if (m === null) continue;
			index = Number(m[1]);
			name = m[2];
			continue;
		}
		if (dev !== null && name !== dev) continue;
		const f = line.trim().split(/\s+/);
		const v = parseInt(f[0], 16);
		const addr = Uint8Array.of(v, v >>> 8, v >>> 16, v >>> 24);
		out.push({ index, name, users: Number(f[1]), features: '', family: AF_INET, addr });
	}
	return out;
}

async function read_igmp6(g: ip_globals, dev: string | null): Promise<ma_info[]> {
	const out: ma_info[] = [];
	for (const line of await lines(g, '/proc/net/igmp6')) {
		const f = line.trim().split(/\s+/);
		if (f.length < 4 || (dev !== null && f[1] !== dev)) continue;
		out.push({
			index: Number(f[0]),
			name: f[1],
			users: Number(f[3]),
			features: '',
			family: AF_INET6,
			addr: hex_bytes(f[2]),
		});
	}
	return out;
}

function print_list(g: ip_globals, list: ma_info[]): void {
	const { out } = g;
	let cur = -1;
	for (const m of list) {
		if (m.index !== cur || g.oneline) {
			if (cur >= 0 && m.index !== cur) {
				out.close_json_array(null);
				out.close_json_object();
			}
			if (m.index !== cur) {
				out.open_json_object(null);
				out.js('ifindex', m.index);
				out.js('ifname', m.name);
				out.open_json_array('maddr', null);
			}
			out.fp(`${m.index}:\t${m.name}${g.nl}`);
			cur = m.index;
		}
		out.open_json_object(null);
		const addr = m.family === AF_PACKET ? ll_addr_n2a(m.addr, 0) : format_host(m.family, m.addr);
		if (m.family === AF_PACKET) {
			out.any('link', addr, `\tlink  ${addr}`);
		} else {
			const fam = family_name(m.family);
			out.any('family', fam, `\t${fam.padEnd(5)} `);
			out.any('address', addr, addr);
		}
		if (m.users !== 1) out.any('users', m.users, ` users ${m.users}`);
		if (m.features !== '') out.any('features', m.features, ` ${m.features}`);
		out.fp('\n');
		out.close_json_object();
	}
	if (cur >= 0) {
		out.close_json_array(null);
		out.close_json_object();
	}
}

async function multiaddr_list(g: ip_globals, a: args): Promise<number> {
	let family = g.preferred_family;
	let dev: string | null = null;
	for (; a.more; a.shift()) {
		if (a.is('dev')) a.next();
		else if (matches(a.word, 'help')) usage(g);
		if (dev !== null) duparg2(g, 'dev', a.word);
		if (!check_ifname(a.word)) invarg(g, '"dev" not a valid ifname', a.word);
		dev = a.word;
	}
	const list: ma_info[] = [];
	if (family === AF_UNSPEC) family = 0;
	if (family === 0 || family === AF_PACKET) list.push(...(await read_mcast(g, dev)));
	if (family === 0 || family === AF_INET) list.push(...(await read_igmp(g, dev)));
	if (family === 0 || family === AF_INET6) list.push(...(await read_igmp6(g, dev)));
	const at = new Map(list.map((m, i) => [m, i]));
	list.sort((x, y) => x.index - y.index || at.get(x)! - at.get(y)!);
	g.out.new_json_obj(g.json > 0);
	print_list(g, list);
	g.out.delete_json_obj();
	return 0;
}

async function multiaddr_modify(g: ip_globals, cmd: number, a: args): Promise<number> {
	let dev: string | null = null;
	let addr: Uint8Array | null = null;
	let seen = false;
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			const w = a.next();
			if (dev !== null) duparg2(g, 'dev', w);
			if (!check_ifname(w)) invarg(g, '"dev" not a valid ifname', w);
			dev = w;
		} else {
			if (a.is('address')) a.next();
			if (matches(a.word, 'help')) usage(g);
			if (seen) duparg2(g, 'address', a.word);
			seen = true;
			addr = ll_addr_a2n(g, a.word);
			if (addr === null) {
				g.err(`Error: "${a.word}" is not a legal ll address.\n`);
				exit(1);
			}
		}
	}
	if (dev === null) {
		g.err('Not enough information: "dev" is required.\n');
		exit(-1);
	}
	// struct ifreq: the name, then ifr_hwaddr.
	const ifr = new Uint8Array(40);
	for (let i = 0; i < dev.length; i++) ifr[i] = dev.charCodeAt(i);
	if (addr !== null) ifr.set(addr.subarray(0, 14), 18);
	const fd = g.proc.socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0) {
		g.err('Cannot create socket\n');
		exit(1);
	}
	const err = g.proc.ioctl(fd, cmd, ifr);
	g.proc.close(fd);
	if (err < 0) {
		g.err(`ioctl: ${strerror(-err)}\n`);
		exit(1);
	}
	return 0;
}

export async function do_multiaddr(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return multiaddr_list(g, a);
	const w = a.word;
	a.shift();
	if (matches(w, 'add')) return multiaddr_modify(g, SIOCADDMULTI, a);
	if (matches(w, 'delete')) return multiaddr_modify(g, SIOCDELMULTI, a);
	if (matches(w, 'list') || matches(w, 'show') || matches(w, 'lst')) return multiaddr_list(g, a);
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip maddr help".\n`);
	exit(-1);
}
