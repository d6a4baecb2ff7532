#!/usr/bin/env node
/*
 * cli/main.ts: the `linnet` command.
 */
import { Command, CommanderError } from 'commander';
import { SpecError } from '../firewall/spec.ts';
import { ImportError } from '../lab/import/snapshot.ts';
import { OutsideError } from '../outside/syscalls.ts';
import { PacketError } from '../packet/build.ts';
import { CaptureError } from '../packet/capture.ts';
import { CAPTURE_SCRIPT } from './capture-script.ts';
import { demo } from './demo.ts';
import { type CoverageFlags, coverage, type DiffFlags, diff } from './diff.ts';
import { UserError } from './load.ts';
import { packetdrill } from './packetdrill.ts';
import { type TestFlags, test } from './test.ts';
import { type TraceFlags, trace } from './trace.ts';
import { type UpFlags, up } from './up.ts';

const program = new Command('linnet');
program
	.description("Linux's network stack in one process: ask what happens to a packet on a real host's configuration.")
	.version('0.1.0')
	.exitOverride()
	.showHelpAfterError('(linnet --help tells more)');

const more = (word: string, words: string[] | undefined): string[] => [...(words ?? []), word];

program
	.command('trace')
	.description('follow a packet, or a capture, through an imported host')
	.argument(
		'<words...>',
		"in DEV PACKET | out PACKET | in DEV pcap FILE [in DEV pcap FILE …] (DEV may be any) [detailed]; PACKET: tcp 198.51.100.7:40000 203.0.113.5:443 [flags S] [ttl 5] …, or 'IP(src=…)/UDP(…)'",
	)
	.requiredOption(
		'--host <path>',
		'folder or tar of the capture script, or loose files (an iptables-save alone will do); may be given again',
		(path: string, paths: string[] | undefined) => [...(paths ?? []), path],
	)
	.option('--detailed', 'every function passed and every rule that did not match')
	.option('--json', 'one JSON object a packet')
	.option('--reply', 'follow the answer back, too')
	.option('--at <time>', 'let time pass first: +5d, +90s')
	.option(
		'--only-drops',
		'of a capture: only what was dropped, rejected or undecided, or what the real host sent and linnet did not',
	)
	.option('--write <file>', 'of a capture: a pcapng whose packet comments say verdict, reason and rule')
	.option('-q, --quiet', 'do not say what was assumed')
	.addHelpText(
		'after',
		`
Examples:
  linnet trace --host examples/office/host in eth0 tcp 198.51.100.7:40000 203.0.113.5:443
  linnet trace --host examples/office/host in eth0 'IP(src="198.51.100.7",dst="203.0.113.5",ttl=1)/UDP(dport=53)' detailed
  linnet trace --host examples/office/host out tcp 203.0.113.5:0 1.1.1.1:443 --reply
  linnet trace --host examples/office/host in eth0 pcap examples/office/eth0.pcap in eth2 pcap examples/office/eth2.pcap --only-drops
  linnet trace --host examples/branch/host in any pcap examples/branch/any.pcap

Exit status: 0; 2 when it cannot be done; 3 when a packet's fate is undecided (a rule that linnet does not know).`,
	)
	.action(async (words: string[], flags: TraceFlags) => {
		process.exitCode = await trace(words, flags);
	});

program
	.command('test')
	.description('run tests of a firewall: rows of packets and what is expected of them')
	.argument('<files...>', 'YAML files, or folders of them (docs/firewall-testing.md)')
	.option(
		'--host <path>',
		'the host of all tests, instead of those that the files name; as for trace',
		(path: string, paths: string[] | undefined) => [...(paths ?? []), path],
	)
	.option('--junit <file>', "write results as JUnit's XML, too")
	.option('--tap', 'print TAP')
	.option('--json', 'one JSON object a row')
	.option('--grep <pattern>', 'only rows whose names match')
	.option('--jobs <n>', 'threads; default as many as there are cores, when there are many rows')
	.option('--watch', 'again whenever a test or a file of the host changes')
	.option('--verbose', 'name the rows that pass, too, however many there are')
	.option('--detailed', 'of what failed: every function passed and every rule that did not match')
	.option('-q, --quiet', 'only what failed; do not say what was assumed')
	.addHelpText(
		'after',
		`
Example:
  linnet test examples/office/tests.yaml

Exit status: 0 all passed; 1 some failed; 2 when it cannot be done (file:line:column says why).`,
	)
	.action(async (files: string[], flags: TestFlags) => {
		process.exitCode = await test(files, flags);
	});

program
	.command('diff')
	.description('replay captures under two configurations: the flows whose verdict, translation or path changed')
	.requiredOption('--host <path>', 'the host as it is, as for trace', more)
	.option('--rules <file>', 'its new rules: an iptables-save')
	.option('--new-host <path>', 'or the whole host as it will be', more)
	.requiredOption(
		'--pcap <[DEV=]FILE>',
		'a capture; without DEV the capture knows its devices. May be given again',
		more,
	)
	.option('--keep-flows', 'take over the connections that were open when the host was captured')
	.option('--json', 'one JSON object a flow')
	.option('-q, --quiet', 'do not say what was assumed')
	.addHelpText('after', '\nExit status: 0 nothing changed; 1 something did; 2 when it cannot be done.')
	.action(async (flags: DiffFlags) => {
		process.exitCode = await diff(flags);
	});

program
	.command('coverage')
	.description('rules that no test and no capture ever hit, and rules that no packet can reach')
	.requiredOption('--host <path>', 'the host, as for trace', more)
	.option('--tests <file>', 'tests, as for linnet test. May be given again', more)
	.option('--pcap <[DEV=]FILE>', 'a capture. May be given again', more)
	.option('--keep-flows', 'take over the connections that were open when the host was captured')
	.option('--json', 'one JSON object a rule')
	.option('-q, --quiet', 'do not say what was assumed')
	.action(async (flags: CoverageFlags) => {
		process.exitCode = await coverage(flags);
	});

program
	.command('capture-script')
	.description("print the script that collects a host's configuration (read it, then run it as root there)")
	.action(() => {
		process.stdout.write(CAPTURE_SCRIPT);
	});

program
	.command('packetdrill')
	.description("run packetdrill scripts on linnet's kernel, in virtual time (takes packetdrill's own flags)")
	.argument(
		'[args...]',
		'FILE|DIR … [--ip_version=ipv4] [--tolerance_usecs=N] [-D NAME=VALUE] [--verbose] [--dry_run] [--json] …',
	)
	.allowUnknownOption()
	.helpOption(false)
	.action(async (args: string[]) => {
		process.exitCode = await packetdrill(args);
	});

program
	.command('up')
	.description('boot a host in real time, plugged to a real network; until Ctrl-C')
	.option('--tap <[DEV=]NAME>', 'a TAP of this machine; it is made when it is not there. May be given again', more)
	.option('--tun <[DEV=]NAME>', 'a TUN of this machine: IP packets without Ethernet', more)
	.option(
		'--stream <[DEV=]ADDRESS>',
		"connect to QEMU's -netdev stream,server=on or to passt: unix:PATH, tcp:HOST:PORT",
		more,
	)
	.option('--stream-listen <[DEV=]ADDRESS>', "listen for QEMU's -netdev stream", more)
	.option('--dgram <[DEV=]LOCAL,REMOTE>', "QEMU's -netdev dgram: udp:HOST:PORT or unix:PATH, ours and theirs", more)
	.option('--ws <[DEV=]URL>', 'connect to a WebSocket: one frame in each binary message', more)
	.option('--ws-listen <[DEV=][HOST:]PORT>', 'a switch that whoever connects by WebSocket is plugged into', more)
	.option('--host <path>', 'an imported host instead of a plain one, as for trace', more)
	.option('--addr <[DEV=]ADDRESS/LEN>', 'an address of the host; one for each cable', more)
	.option('--gateway <address>', 'its default route')
	.option('--run <script>', 'shell script (or a file of one) to run on the host; without --http its end is the end')
	.option('--http <DIR[:PORT]>', 'serve the folder', more)
	.option('--world <file>', 'a module whose default export sets up a world around the cables: ({ world, cables }) => …')
	.option('--no-offload', 'no 64 KB segments and no checksums left undone on a TAP')
	.option('-q, --quiet', 'say nothing of its own')
	.addHelpText(
		'after',
		`
Examples:
  sudo linnet up --tap tap0 --addr 10.0.0.2/24 --http .      # then: ip addr add 10.0.0.1/24 dev tap0; ip link set tap0 up; curl 10.0.0.2
  sudo linnet up --tap eth0=tap0 --host web1/ --run 'tcpdump -ni eth0'`,
	)
	.action(async (flags: UpFlags) => {
		process.exitCode = await up(flags);
		// What the world still has to do is nobody's concern; output is given the time to go out.
		setTimeout(() => process.exit(), 300).unref();
	});

program
	.command('demo')
	.description('the main job on a shipped example: an office router, captured from real Linux')
	.action(async () => {
		process.exitCode = await demo();
	});

// What reads us may stop reading (| head).
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
	if (e.code === 'EPIPE') process.exit(0);
	throw e;
});

try {
	await program.parseAsync();
} catch (e) {
	if (e instanceof CommanderError) process.exitCode = e.exitCode === 0 ? 0 : 2;
	else if (
		e instanceof UserError ||
		e instanceof OutsideError ||
		e instanceof ImportError ||
		e instanceof PacketError ||
		e instanceof SpecError ||
		e instanceof CaptureError ||
		e instanceof RangeError
	) {
		process.stderr.write(`linnet: ${e.message}\n`);
		process.exitCode = 2;
	} else throw e;
}
