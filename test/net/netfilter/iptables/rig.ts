/*
 * A machine with netfilter, conntrack, NAT and iptables, and the tools on top of it without sockets between.
 */

import { proc_net } from '../../../../src/fs/proc_net.ts';
import type { net } from '../../../../src/net/core/net_namespace.ts';
import type { sock } from '../../../../src/net/core/sock.ts';
import { iptables_init } from '../../../../src/net/ipv4/netfilter/iptables_init.ts';
import { nf_getsockopt, nf_setsockopt } from '../../../../src/net/netfilter/nf_sockopt.ts';
import { xt_table_names } from '../../../../src/net/netfilter/x_tables.ts';
import { extensions } from '../../../../src/user/iptables/ext/index.ts';
import { iptables_main } from '../../../../src/user/iptables/iptables.ts';
import {
	type restore_options,
	type restore_report,
	restore_text,
	split_words,
} from '../../../../src/user/iptables/iptables-restore.ts';
import { iptables_save_main } from '../../../../src/user/iptables/iptables-save.ts';
import type { iptc_socket } from '../../../../src/user/iptables/libiptc.ts';
import { parse_address_names } from '../../../../src/user/iptables/netdb.ts';
import { program_exit, xtables_globals } from '../../../../src/user/iptables/xtables.ts';
import { type Rig, rig } from '../conntrack/rig.ts';

export * from '../conntrack/rig.ts';

/** A raw socket of a namespace, straight into the kernel's dispatch. */
export class direct_socket implements iptc_socket {
	sk: sock;

	constructor(n: net) {
		this.sk = { net: n } as sock;
	}

	getsockopt(optname: number, buf: Uint8Array): number {
		return nf_getsockopt(this.sk, 2, optname, buf);
	}

	setsockopt(optname: number, buf: Uint8Array): number {
		return nf_setsockopt(this.sk, 2, optname, buf);
	}
}

export function ipt_rig(seed = 1): Rig {
	const r = rig(seed);
	if (r.net.proc_net === undefined) r.net.proc_net = new proc_net();
	iptables_init(r.machine);
	return r;
}

export interface Output {
	status: number;
	out: string;
	err: string;
}

export function with_globals(r: Rig, name: string, main: (x: xtables_globals) => number): Output {
	const x = new xtables_globals(name, new direct_socket(r.net), extensions);
	x.names = parse_address_names(null, 'default 0.0.0.0\nloopback 127.0.0.0\nlink-local 169.254.0.0\n');
	let status = 0;
	try {
		status = main(x);
	} catch (e) {
		if (!(e instanceof program_exit)) throw e;
		status = e.status;
	}
	return { status, out: x.out.join(''), err: x.err.join('') };
}

/** `iptables ARGS`. */
export function iptables(r: Rig, args: string | readonly string[]): Output {
	const words = typeof args === 'string' ? split_words(args) : args;
	return with_globals(r, 'iptables', (x) => iptables_main(x, ['iptables', ...words]));
}

export function save(r: Rig, args: readonly string[] = []): Output {
	const tables = xt_table_names(r.net, 2)
		.split('\n')
		.filter((t) => t !== '');
	return with_globals(
		r,
		'iptables-save',
		(x) => iptables_save_main(x, ['iptables-save', ...args], tables, 1796000000).status,
	);
}

export function restore(
	r: Rig,
	text: string,
	o: Partial<restore_options> = {},
	report: restore_report | null = null,
): Output {
	return with_globals(r, 'iptables-restore', (x) =>
		restore_text(x, text, { counters: false, noflush: false, test: false, verbose: false, table: null, ...o }, report),
	);
}
