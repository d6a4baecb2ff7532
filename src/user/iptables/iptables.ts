/*
 * user/iptables/iptables.ts: iptables(8): shows and changes the rules of a table.         Original: iptables 1.8.9 (legacy)
 */
import { EAGAIN } from '../../uapi/asm-generic/errno.ts';
import { AF_INET, SOCK_RAW, SOL_IP } from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';
import { do_command, do_parse, failure_text, open_table } from './command.ts';
import { extensions } from './ext/index.ts';
import { iptc_commit, type iptc_socket } from './libiptc.ts';
import { parse_address_names } from './netdb.ts';
import { program_exit, RESOURCE_PROBLEM, xtables_globals } from './xtables.ts';

/** The raw socket that the package speaks through. */
class process_socket implements iptc_socket {
	proc: Process;
	fd: number;

	constructor(proc: Process) {
		this.proc = proc;
		this.fd = proc.socket(AF_INET, SOCK_RAW, 255);
	}

	getsockopt(optname: number, buf: Uint8Array): number {
		return this.fd < 0 ? this.fd : this.proc.getsockopt(this.fd, SOL_IP, optname, buf);
	}

	setsockopt(optname: number, buf: Uint8Array): number {
		return this.fd < 0 ? this.fd : this.proc.setsockopt(this.fd, SOL_IP, optname, buf);
	}
}

/** Runs one of the package's programs: its streams, its socket, its exit. */
export async function run_program(
	proc: Process,
	name: string,
	main: (x: xtables_globals) => number | Promise<number>,
): Promise<number> {
	const sock = new process_socket(proc);
	const x = new xtables_globals(name, sock, extensions);
	const hosts = await proc.readFile('/etc/hosts');
	const networks = await proc.readFile('/etc/networks');
	x.names = parse_address_names(
		typeof hosts === 'string' ? hosts : null,
		typeof networks === 'string' ? networks : null,
	);
	const status = await exit_status(x, main);
	if (x.err.length > 0) proc.stderr.write(x.err.join(''));
	if (x.out.length > 0) proc.stdout.write(x.out.join(''));
	if (sock.fd >= 0) proc.close(sock.fd);
	return status;
}

/** `main`'s status, or that of the exit it made. */
export async function exit_status(
	x: xtables_globals,
	main: (x: xtables_globals) => number | Promise<number>,
): Promise<number> {
	try {
		return await main(x);
	} catch (e) {
		if (e instanceof program_exit) return e.status;
		throw e;
	}
}

/** One iptables command. Return: exit status. */
export function iptables_main(x: xtables_globals, argv: readonly string[]): number {
	const p = do_parse(x, argv, null);
	const h = open_table(x, p.table);
	let res = do_command(x, p, h);
	if (res.errno === 0) {
		const err = iptc_commit(h);
		if (err < 0) res = { errno: -err, call: 'commit' };
	}
	if (res.errno === 0) return 0;
	x.eprint(failure_text(res));
	return res.errno === EAGAIN ? RESOURCE_PROBLEM : 1;
}

export async function iptables(proc: Process): Promise<number> {
	return run_program(proc, 'iptables', (x) => iptables_main(x, proc.argv));
}
