/* conntrack(8) over real ctnetlink messages. The texts are what conntrack 1.4.7 on Linux 6.18 printed for the same flows and arguments. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nsproxy, task_struct } from '../../../../src/kernel/sched.ts';
import { conntrackArgs } from '../../../../src/lab/import/conntrack.ts';
import { ctnetlink_init } from '../../../../src/net/netfilter/nf_conntrack_netlink.ts';
import { nf_nat_ipv4_register_fn } from '../../../../src/net/netfilter/nf_nat_proto.ts';
import { nfnetlink_init } from '../../../../src/net/netfilter/nfnetlink.ts';
import { netlink_proto_init } from '../../../../src/net/netlink/af_netlink.ts';
import { sock_init } from '../../../../src/net/socket.ts';
import { msghdr, sockaddr_nl } from '../../../../src/uapi/linux/socket.ts';
import { conntrack } from '../../../../src/user/conntrack/conntrack.ts';
import { Process } from '../../../../src/user/libc.ts';
import { entries, forward, pass, type Rig, rig, tcp4, udp4 } from './rig.ts';

function host(): Rig {
	const r = rig();
	sock_init(r.machine);
	netlink_proto_init(r.machine);
	nfnetlink_init(r.machine);
	ctnetlink_init(r.machine);
	return r;
}

interface Ran {
	out: string;
	err: string;
	status: number;
}

async function run(r: Rig, args: string): Promise<Ran> {
	const task = new task_struct(r.machine, 'conntrack', new nsproxy(r.net, 'r'));
	const proc = new Process(task, ['conntrack', ...args.split(' ').filter((a) => a !== '')], new Map());
	const status = await conntrack(proc);
	return { out: proc.stdout.text(), err: proc.stderr.text(), status };
}

const SAYS = 'conntrack v1.4.7 (conntrack-tools): ';
const TRY = "Try `conntrack -h' or 'conntrack --help' for more information.\n";

function some_flows(r: Rig): void {
	forward(r, tcp4('10.0.1.2', '10.0.2.2', 40001, 80, { flags: 'S', seq: 1 }));
	forward(r, tcp4('10.0.2.2', '10.0.1.2', 80, 40001, { flags: 'SA', seq: 1, ack: 2 }));
	forward(r, tcp4('10.0.1.2', '10.0.2.2', 40001, 80, { flags: 'A', seq: 2, ack: 2 }));
	forward(r, udp4('10.0.1.2', '10.0.2.2', 5000, 53));
}

const TCP =
	'tcp      6 431999 ESTABLISHED src=10.0.1.2 dst=10.0.2.2 sport=40001 dport=80 src=10.0.2.2 dst=10.0.1.2 sport=80 dport=40001 [ASSURED] mark=0 use=1\n';
const UDP =
	'udp      17 29 src=10.0.1.2 dst=10.0.2.2 sport=5000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=5000 mark=0 use=1\n';

test('-L, filtered and in every form', async () => {
	const r = host();
	expect(await run(r, '-L')).toEqual({ out: '', err: `${SAYS}0 flow entries have been shown.\n`, status: 0 });
	some_flows(r);
	pass(r, 0.5);
	const all = await run(r, '-L');
	expect(all.out.split('\n').sort().join('\n')).toBe(`\n${TCP}${UDP}`.trimEnd());
	expect(all.err).toBe(`${SAYS}2 flow entries have been shown.\n`);
	expect(await run(r, '-L -p tcp')).toEqual({ out: TCP, err: `${SAYS}1 flow entries have been shown.\n`, status: 0 });
	expect((await run(r, '-L -p udp -o extended')).out).toBe(`ipv4     2 ${UDP}`);
	expect((await run(r, '-L -p udp -o xml')).out).toMatch(
		/^<\?xml version="1.0" encoding="utf-8"\?>\n<conntrack>\n<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>10.0.1.2<\/src><dst>10.0.2.2<\/dst><\/layer3><layer4 protonum="17" protoname="udp"><sport>5000<\/sport><dport>53<\/dport><\/layer4><\/meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>10.0.2.2<\/src><dst>10.0.1.2<\/dst><\/layer3><layer4 protonum="17" protoname="udp"><sport>53<\/sport><dport>5000<\/dport><\/layer4><\/meta><meta direction="independent"><timeout>29<\/timeout><mark>0<\/mark><use>1<\/use><id>\d+<\/id><unreplied\/><\/meta><\/flow>\n<\/conntrack>\n$/,
	);
	expect((await run(r, '-L -p tcp -o save')).out).toBe(
		'-A -t 431999 -u SEEN_REPLY,ASSURED -s 10.0.1.2 -d 10.0.2.2 -r 10.0.2.2 -q 10.0.1.2 -p tcp --sport 40001 --dport 80 --reply-port-src 80 --reply-port-dst 40001 --state ESTABLISHED\n',
	);
	expect((await run(r, '-L -p udp --dport 54')).out).toBe('');
	expect((await run(r, '-L -d 10.0.0.0/16 -u SEEN_REPLY')).out).toBe(TCP);
	expect((await run(r, '-L -u UNSET')).err).toBe(`${SAYS}Operation failed: invalid parameters\n`);
	expect((await run(r, '-C')).out).toBe('2\n');
	expect((await run(r, '-G -p tcp -s 10.0.1.2 -d 10.0.2.2 --sport 40001 --dport 80')).out).toBe(
		TCP.replace('use=1', 'use=2'),
	);
});

test('-D, -F and what is left', async () => {
	const r = host();
	some_flows(r);
	pass(r, 0.5);
	expect(await run(r, '-D -s 9.9.9.9')).toEqual({
		out: '',
		err: `${SAYS}0 flow entries have been deleted.\n`,
		status: 1,
	});
	expect(await run(r, '-D -p tcp --sport 40001')).toEqual({
		out: TCP,
		err: `${SAYS}1 flow entries have been deleted.\n`,
		status: 0,
	});
	expect(r.net.ct.count).toBe(1);
	expect(await run(r, '-F')).toEqual({
		out: '',
		err: `${SAYS}connection tracking table has been emptied.\n`,
		status: 0,
	});
	expect(entries(r)).toEqual([]);
});

test('-I with NAT, as an importer takes flows over; -U', async () => {
	const r = host();
	expect(
		(
			await run(
				r,
				'-I -s 1.2.3.4 -d 5.6.7.9 -p tcp --sport 1 --dport 2 -t 10 --state ESTABLISHED -u SEEN_REPLY,ASSURED -n 7.7.7.7:99 -m 0x10',
			)
		).err,
	).toBe(`${SAYS}1 flow entries have been created.\n`);
	await run(r, '-I -s 1.2.3.4 -d 5.6.7.9 -p udp --sport 1 --dport 2 -t 10 -g 10.9.9.9:5353');
	await run(r, '-I -s 1.2.3.4 -d 5.6.7.9 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 7 -t 10');
	pass(r, 0.5);
	expect((await run(r, '-L -n')).out).toBe(
		'tcp      6 9 ESTABLISHED src=1.2.3.4 dst=5.6.7.9 sport=1 dport=2 src=5.6.7.9 dst=7.7.7.7 sport=2 dport=99 [ASSURED] mark=16 use=1\n',
	);
	expect((await run(r, '-L -g')).out).toBe(
		'udp      17 9 src=1.2.3.4 dst=5.6.7.9 sport=1 dport=2 [UNREPLIED] src=10.9.9.9 dst=1.2.3.4 sport=5353 dport=1 mark=0 use=1\n',
	);
	expect((await run(r, '-L -p icmp')).out).toBe(
		'icmp     1 9 src=1.2.3.4 dst=5.6.7.9 type=8 code=0 id=7 [UNREPLIED] src=5.6.7.9 dst=1.2.3.4 type=0 code=0 id=7 mark=0 use=1\n',
	);
	expect((await run(r, '-I -s 1.2.3.4 -d 5.6.7.9 -p udp --sport 1 --dport 2 -t 10')).err).toBe(
		`${SAYS}Operation failed: Such conntrack exists, try -U to update\n`,
	);
	const up = await run(r, '-U -p udp -m 7');
	expect(up.err).toBe(`${SAYS}1 flow entries have been updated.\n`);
	expect((await run(r, '-L -m 7')).out).toContain('mark=7');
	// The imported flow lives: what comes is translated and known.
	nf_nat_ipv4_register_fn(r.net, { hook: () => 1, priv: null, pf: 2, hooknum: 4, priority: 100, name: 'none' });
	const sent = forward(r, tcp4('1.2.3.4', '5.6.7.9', 1, 2, { flags: 'A', seq: 500, ack: 900, len: 4 }));
	expect(sent.state).toBe('ESTABLISHED');
	expect([...sent.bytes!.slice(12, 24)]).toEqual([7, 7, 7, 7, 5, 6, 7, 9, 0, 99, 0, 2]);
	expect(forward(r, tcp4('5.6.7.9', '7.7.7.7', 2, 99, { flags: 'A', seq: 900, ack: 504 })).state).toBe('ESTABLISHED');
});

test('events of flows that began while somebody listened', async () => {
	const r = host();
	const task = new task_struct(r.machine, 'conntrack', new nsproxy(r.net, 'r'));
	const proc = new Process(task, ['conntrack', '-E', '-p', 'udp'], new Map());
	forward(r, udp4('10.0.1.2', '10.0.2.2', 4000, 53));
	const done = conntrack(proc);
	await new Promise((f) => setTimeout(f, 5));
	forward(r, udp4('10.0.1.2', '10.0.2.2', 5000, 53));
	forward(r, udp4('10.0.2.2', '10.0.1.2', 53, 5000));
	await new Promise((f) => setTimeout(f, 5));
	await run(r, '-F');
	await new Promise((f) => setTimeout(f, 5));
	proc.interrupt();
	expect(await done).toBe(0);
	expect(proc.stdout.text().replace(/portid=\d+/, 'portid=N')).toBe(
		'    [NEW] udp      17 30 src=10.0.1.2 dst=10.0.2.2 sport=5000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=5000\n' +
			' [UPDATE] udp      17 30 src=10.0.1.2 dst=10.0.2.2 sport=5000 dport=53 src=10.0.2.2 dst=10.0.1.2 sport=53 dport=5000\n' +
			'[DESTROY] udp      17 30 src=10.0.1.2 dst=10.0.2.2 sport=5000 dport=53 src=10.0.2.2 dst=10.0.1.2 sport=53 dport=5000 [USERSPACE] portid=N\n',
	);
	expect(proc.stderr.text()).toBe(`${SAYS}3 flow events have been shown.\n`);
});

test('a command line that is wrong is refused as the original refuses it', async () => {
	const r = host();
	for (const [args, text, hint] of [
		['-L --sport 80', "unknown option `--sport'", true],
		['-L -p tcp --state FOO', "unknown TCP state `FOO'", true],
		['-L -u FOO', "Bad parameter `FOO'", true],
		['-L -o foo', "Bad parameter `foo'", true],
		['-L -e NEW', "Illegal option `--event-mask' with this command", true],
		['-L -D', 'Invalid commands combination', true],
		['-G', "You need to supply the `--protonum' option for this command", true],
		['-G -p tcp', "you have to specify `--src' and `--dst'", true],
		['-L foo', "unknown type `foo'", true],
		['-L -f foo', "`foo' unsupported protocol", true],
		['-L -p 300', "`300' unsupported protocol", true],
		['-L -t 5', "Illegal option `--timeout' with this command", true],
		['-F -s 1.2.3.4', "Illegal option `--src' with this command", true],
		['-L -p', "option `-p' requires an argument", true],
		['-L -c 5', "option `--secmark' is not supported here", false],
		['-L -l foo', "unknown label 'foo'", true],
		['--bogus', "unknown option `--bogus'", true],
		['-I -s 1.2.3.4 -d 5.6.7.8 -p tcp -t 10', "You need to supply the `--state' option for this command", true],
	] as const) {
		expect({ args, ...(await run(r, args)) }).toEqual({
			args,
			out: '',
			err: `${SAYS}${text}\n${hint ? TRY : ''}`,
			status: 2,
		});
	}
	expect((await run(r, '-G -s 1.2.3.4 -d 1.2.3.4 -p tcp --sport 1 --dport 2')).err).toBe(
		`${SAYS}Operation failed: such conntrack doesn't exist\n`,
	);
	expect((await run(r, '-V')).out).toBe('conntrack v1.4.7 (conntrack-tools)\n');
	expect((await run(r, '-S')).out).toBe(
		'cpu=0   \tfound=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n',
	);
});

test("an importer's commands take over every kind of translated flow", async () => {
	const lines = [
		'ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.2 dst=8.8.8.8 sport=1000 dport=80 src=8.8.8.8 dst=192.0.2.1 sport=80 dport=3000 [ASSURED] mark=0 use=1',
		'ipv4     2 udp      17 29 src=10.0.0.2 dst=8.8.8.8 sport=1000 dport=53 [UNREPLIED] src=10.9.9.9 dst=10.0.0.2 sport=5353 dport=1000 mark=5 use=1',
		'ipv4     2 udp      17 29 src=10.0.0.2 dst=8.8.4.4 sport=1000 dport=53 src=10.9.9.9 dst=192.0.2.1 sport=5353 dport=1000 mark=0 use=1',
		'ipv4     2 icmp     1 29 src=10.0.0.2 dst=8.8.8.8 type=8 code=0 id=7 src=8.8.8.8 dst=192.0.2.1 type=0 code=0 id=9 mark=0 use=1',
		'ipv4     2 udp      17 29 src=10.0.0.3 dst=8.8.4.4 sport=1000 dport=53 src=8.8.4.4 dst=10.0.0.3 sport=53 dport=1000 mark=0 use=1',
	];
	const r = host();
	for (const [i, line] of lines.entries()) {
		const args = conntrackArgs('f', i + 1, line)!;
		expect((await run(r, args.slice(1).join(' '))).err).toBe(`${SAYS}1 flow entries have been created.\n`);
	}
	const out = (await run(r, '-L -o extended')).out.trimEnd().split('\n');
	expect(out.sort()).toEqual(lines.sort());
});

test('any bytes sent to ctnetlink: an error or an answer, never an exception', () => {
	const attr = fc.letrec<{ tree: Uint8Array }>((tie) => ({
		tree: fc.oneof(
			{ maxDepth: 4 },
			fc.tuple(fc.integer({ min: 0, max: 28 }), fc.uint8Array({ maxLength: 10 })).map(([t, p]) => nla(t, p)),
			fc
				.tuple(fc.integer({ min: 0, max: 28 }), fc.array(tie('tree'), { maxLength: 4 }))
				.map(([t, list]) => nla(t | 0x8000, concat(list))),
		),
	})).tree;
	fc.assert(
		fc.property(
			fc.array(
				fc.tuple(
					fc.constantFrom(
						0x100,
						0x101,
						0x102,
						0x103,
						0x104,
						0x105,
						0x106,
						0x107,
						0x108,
						0x200,
						0x201,
						0x202,
						0x203,
						0x500,
					),
					fc.constantFrom(1, 5, 0x301, 0x405, 0x605, 0xd),
					fc.constantFrom(0, 2, 10),
					fc.array(attr, { maxLength: 6 }),
				),
				{ maxLength: 8 },
			),
			(messages) => {
				const r = host();
				some_flows(r);
				const task = new task_struct(r.machine, 'fuzz', new nsproxy(r.net, 'r'));
				const proc = new Process(task, ['fuzz'], new Map());
				const fd = proc.socket(16, 3, 12);
				expect(fd).toBeGreaterThanOrEqual(0);
				proc.bind(fd, sockaddr_nl(0, 7));
				for (const [type, flags, family, attrs] of messages) {
					const body = concat(attrs);
					const m = new Uint8Array(20 + body.length);
					const v = new DataView(m.buffer);
					v.setUint32(0, m.length, true);
					v.setUint16(4, type, true);
					v.setUint16(6, flags, true);
					m[16] = family;
					m.set(body, 20);
					void proc.sendmsg(fd, new msghdr(m, sockaddr_nl(0, 0)), 0);
				}
				expect(r.net.ct.count).toBe(entries(r).length);
				proc.close(fd);
			},
		),
		{ numRuns: 300 },
	);
});

function concat(list: Uint8Array[]): Uint8Array {
	const out = new Uint8Array(list.reduce((n, b) => n + b.length, 0));
	let at = 0;
	for (const b of list) {
		out.set(b, at);
		at += b.length;
	}
	return out;
}

function nla(type: number, payload: Uint8Array): Uint8Array {
	const out = new Uint8Array((payload.length + 7) & ~3);
	new DataView(out.buffer).setUint16(0, payload.length + 4, true);
	new DataView(out.buffer).setUint16(2, type, true);
	out.set(payload, 4);
	return out;
}
