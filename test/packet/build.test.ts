import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	assemble,
	ether,
	icmp,
	ip,
	layer,
	PacketError,
	packet,
	parsePacket,
	parseShort,
	tcp,
} from '../../src/packet/build.ts';
import { toHex } from '../../src/packet/bytes.ts';

const recorded = JSON.parse(readFileSync(new URL('./scapy.json', import.meta.url), 'utf8')) as {
	text: string;
	hex: string;
}[];

describe('packets in scapy notation are the bytes that scapy makes', () => {
	it('has a corpus worth the name', () => expect(recorded.length).toBeGreaterThanOrEqual(150));
	for (const c of recorded) it(c.text.slice(0, 100), () => expect(toHex(packet(c.text))).toBe(c.hex));
});

const message = (text: string): string => {
	try {
		packet(text);
	} catch (e) {
		expect(e).toBeInstanceOf(PacketError);
		return (e as PacketError).message;
	}
	return 'no error';
};

describe('errors say where, what came and what was expected', () => {
	const cases: [string, string][] = [
		['IP(dst="1", tt1=1)', 'packet: column 13: IP has no field "tt1" (ttl?)'],
		[
			'IP(foobarbaz=1)',
			'packet: column 4: IP has no field "foobarbaz" (it has version, ihl, tos, len, id, flags, frag, ttl, proto, chksum, src, dst, options)',
		],
		['IPP()', 'packet: column 1: unknown layer "IPP" (IP?)'],
		[
			'Zzzzzz()',
			'packet: column 1: unknown layer "Zzzzzz" (expected a layer such as Ether, ARP, IP, ICMP, UDP, TCP, Raw, IPv6)',
		],
		['IP(dst="1.2.3.400")', 'packet: column 4: IP.dst: "1.2.3.400" is no IPv4 address (such as "10.0.0.1")'],
		[
			'IP(src="1.2.3.4",dst="10.0.0.0/24")',
			'packet: column 18: IP.dst: "10.0.0.0/24" would be a set of packets: write one address',
		],
		['IP(src="1.2.3.4",dst="1.2.3.5",ttl=256)', 'packet: column 32: IP.ttl: 256 is out of range: expected 0 to 255'],
		[
			'IP(src="1.2.3.4",dst="1.2.3.5",ttl=(1,5))',
			'packet: column 32: IP.ttl: a range or list would be a set of packets: write one number',
		],
		['IP(dst="1.2.3.4")', 'packet: column 1: IP: no src is given, and there is no host to choose one: write src="..."'],
		['UDP(sport=1', 'packet: column 12: unexpected the end: expected "," or ")" in UDP('],
		['UDP()/', 'packet: column 7: unexpected the end: expected a layer such as IP(...), a string, a number or a list'],
		['UDP()UDP()', 'packet: column 6: unexpected "UDP": expected "/" and the next layer, or the end'],
		['UDP()/"abc', 'packet: column 7: the string is not closed: expected "'],
		['UDP(sport=1,sport=2)', 'packet: column 13: UDP.sport is given twice'],
		['UDP()/5', 'packet: column 6: "/" beside 5: expected a layer or a string'],
		['5', 'packet: column 1: expected a layer such as Ether() or IP(), came 5'],
		[
			'UDP()/"a"*3',
			'packet: column 10: this repeats the whole packet, as in Python: write /("A"*10) for a long payload',
		],
		[
			'UDP(sport=RandShort())',
			'packet: column 11: RandShort is drawn at random, and a packet here is the same each time: write a value',
		],
		[
			'IP(src=10.0.0.1)',
			'packet: column 8: bad number "10.": expected a whole number (an address is written in quotes)',
		],
		['TCP(flags="SX")', 'packet: column 5: TCP.flags: flag "X" is unknown: expected FSRPAUECN'],
		[
			'TCP(options=[("MMS",1)])',
			'packet: column 5: TCP.options: option "MMS": expected EOL, NOP, MSS, WScale, SAckOK, SAck, Timestamp, AltChkSum, AltChkSumOpt, MD5, Mood, UTO, AO, TFO or a number',
		],
		['Raw("a"*99999999)', 'packet: column 8: 1 * 99999999 is more than 1048576 bytes'],
		['Ether()/\n IP(\n ttl="x")', 'packet: line 3 column 2: IP.ttl: "x" is unknown: expected a number'],
		['Ether(dst="xx")', 'packet: column 7: Ether.dst: "xx" is no MAC address (such as "02:00:00:00:00:01")'],
		['ICMP(type="echo")', 'packet: column 6: ICMP.type: "echo" is unknown: expected a number'],
	];
	for (const [text, expected] of cases) it(text, () => expect(message(text)).toBe(expected));

	it('never fails in an unexpected way, whatever is written', () => {
		const word = fc.constantFrom(
			'IP',
			'UDP',
			'TCP',
			'Ether',
			'ICMP',
			'ARP',
			'DNS',
			'BOOTP',
			'DHCP',
			'Raw',
			'GRE',
			'IPOption_RR',
			'(',
			')',
			'[',
			']',
			',',
			'=',
			'/',
			'*',
			'+',
			'-',
			'**',
			'<<',
			'%',
			'//',
			'src',
			'dst',
			'options',
			'type',
			'len',
			'id',
			'load',
			'"10.0.0.1"',
			'"a"',
			'b"\\xff"',
			'0',
			'1',
			'99999',
			'4294967296',
			'None',
			'True',
			'raw',
			'bytes',
			"'",
			'"',
			'\\',
			'.',
			'()',
			'qd',
			'an',
			'DNSRR',
			' ',
		);
		fc.assert(
			fc.property(
				fc.oneof(
					fc.array(word, { maxLength: 24 }).map((w) => w.join('')),
					fc.string({ maxLength: 40 }),
				),
				(text) => {
					try {
						packet(text);
					} catch (e) {
						if (!(e instanceof PacketError)) throw e;
						expect(e.message).toMatch(/^packet: /);
					}
				},
			),
			{ numRuns: 3000 },
		);
	});

	it('survives deep nesting and long chains', () => {
		for (const text of [
			'('.repeat(100000),
			'-'.repeat(100000),
			'1**'.repeat(100000),
			'UDP()/'.repeat(100000),
			'IP(options='.repeat(5000),
			'"a"+'.repeat(5000) + '"a"',
			`Raw(${'raw('.repeat(5000)}`,
		])
			expect(message(text)).toMatch(/^packet: |^no error$/);
	});
});

describe('any fields make a packet or a PacketError', () => {
	const value = fc.oneof(
		fc.integer({ min: -10, max: 70000 }),
		fc.constantFrom('10.0.0.1', '::1', '02:00:00:00:00:01', 'S', '', 'x'.repeat(300)),
		fc.uint8Array({ maxLength: 40 }),
		fc.constant(null),
		fc.array(fc.tuple(fc.constantFrom('MSS', 'NOP', 'router', 'SAck'), fc.integer())),
	);
	const names = [
		'Ether',
		'Dot1Q',
		'ARP',
		'IP',
		'ICMP',
		'UDP',
		'TCP',
		'IPv6',
		'GRE',
		'DNS',
		'DHCP',
		'SCTPChunkInit',
		'IPOption_Timestamp',
	];
	it('holds', () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.record({
						layer: fc.constantFrom(...names),
						fields: fc.dictionary(
							fc.constantFrom(
								'src',
								'dst',
								'type',
								'len',
								'ihl',
								'options',
								'flags',
								'id',
								'key_present',
								'hwlen',
								'qd',
								'flg',
							),
							value,
							{ maxKeys: 3 },
						),
					}),
					{ maxLength: 4 },
				),
				(layers) => {
					try {
						assemble(layers);
					} catch (e) {
						if (!(e instanceof PacketError)) throw e;
					}
				},
			),
			{ numRuns: 2000 },
		);
	});
});

describe('layers', () => {
	it('are the same whether parsed or made by the combinators', () => {
		const text =
			'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")/IP(src="1.2.3.4",dst="5.6.7.8",ttl=3)/TCP(sport=1,dport=2,flags="SA",options=[("MSS",1460)])/"hi"';
		const made = [
			ether({ dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' }),
			ip({ src: '1.2.3.4', dst: '5.6.7.8', ttl: 3 }),
			tcp({ sport: 1, dport: 2, flags: 'SA', options: [['MSS', 1460]] }),
			'hi',
		];
		expect(toHex(assemble(made))).toBe(toHex(packet(text)));
		expect(parsePacket(text).map((l) => l.layer)).toEqual(['Ether', 'IP', 'TCP', 'Raw']);
		expect(parsePacket(text)[1].fields).toEqual({ src: '1.2.3.4', dst: '5.6.7.8', ttl: 3 });
		expect(toHex(assemble([layer('GRE', { key_present: 1, key: 5 })]))).toBe('2000000000000005');
		expect(toHex(assemble([icmp({ id: 1 })]))).toBe('0800f7fe00010000');
	});
	it('take what scapy asks the host for from the caller', () => {
		const defaults = { Ether: { src: '02:00:00:00:00:09', dst: '02:00:00:00:00:08' }, IP: { src: '9.9.9.9' } };
		const b = packet('Ether()/IP(dst="1.2.3.4")/UDP()', { defaults });
		expect(toHex(b.subarray(0, 12))).toBe('020000000008020000000009');
		expect(toHex(b.subarray(26, 30))).toBe('09090909');
		const given = packet('Ether(src="02:00:00:00:00:07")/IP(dst="1.2.3.4",src="8.8.8.8")', { defaults });
		expect(toHex(given.subarray(6, 12))).toBe('020000000007');
		expect(toHex(given.subarray(26, 30))).toBe('08080808');
	});
});

describe('the short form', () => {
	const bytes = (s: string) => toHex(assemble(parseShort(s.split(' ')).layers));
	it('is the packet in scapy notation', () => {
		const same: [string, string][] = [
			['tcp 198.51.100.7:40000 203.0.113.5:443', 'IP(src="198.51.100.7",dst="203.0.113.5")/TCP(sport=40000,dport=443)'],
			[
				'tcp 1.2.3.4:1 5.6.7.8:2 flags SA ttl 5 seq 7 ack 8 win 9',
				'IP(src="1.2.3.4",dst="5.6.7.8",ttl=5)/TCP(sport=1,dport=2,flags="SA",seq=7,ack=8,window=9)',
			],
			['udp 1.2.3.4:53 5.6.7.8:0 len 3 df', 'IP(src="1.2.3.4",dst="5.6.7.8",flags="DF")/UDP(sport=53,dport=0)/"xxx"'],
			[
				'icmp 1.2.3.4 5.6.7.8 type 3 code 1 tos 16 id 0',
				'IP(src="1.2.3.4",dst="5.6.7.8",tos=16,id=0)/ICMP(type=3,code=1)',
			],
			['47 1.2.3.4 5.6.7.8', 'IP(src="1.2.3.4",dst="5.6.7.8",proto=47)'],
			[
				'udp [2001:db8::1]:1 [2001:db8::2]:2 ttl 9',
				'IPv6(src="2001:db8::1",dst="2001:db8::2",hlim=9)/UDP(sport=1,dport=2)',
			],
			['icmp ::1 ::2', 'IPv6(src="::1",dst="::2")/ICMPv6EchoRequest()'],
			['tcp 1.2.3.4:1 5.6.7.8:2 flags .', 'IP(src="1.2.3.4",dst="5.6.7.8")/TCP(sport=1,dport=2,flags="A")'],
		];
		for (const [short, long] of same) expect(bytes(short)).toBe(toHex(packet(long)));
		expect(parseShort('udp 1.2.3.4:1 5.6.7.8:2 mark 0x10'.split(' ')).mark).toBe(16);
		expect(parseShort('udp 1.2.3.4:1 5.6.7.8:2 detailed'.split(' '), false).used).toBe(3);
	});
	it('says which word is wrong', () => {
		const error = (s: string) => {
			try {
				parseShort(s.split(' ').filter((w) => w !== ''));
			} catch (e) {
				return (e as PacketError).message;
			}
			return '';
		};
		expect(error('')).toBe('packet: word 1: nothing came: expected tcp, udp, icmp or a protocol number');
		expect(error('tpc 1.2.3.4:1 5.6.7.8:2')).toBe(
			'packet: word 1: "tpc" came: expected tcp, udp, icmp or a protocol number',
		);
		expect(error('tcp 1.2.3.4 5.6.7.8:2')).toBe(
			'packet: word 2: "1.2.3.4" came: expected ADDRESS:PORT, such as 203.0.113.5:443',
		);
		expect(error('tcp 1.2.3.4:1 5.6.7.8:99999')).toBe(
			'packet: word 3: "5.6.7.8:99999" came: expected ADDRESS:PORT, such as 203.0.113.5:443',
		);
		expect(error('tcp 1.2.3.4:1 5.6.7.8:2 ttl 300')).toBe('packet: word 5: "300" came: expected a TTL from 0 to 255');
		expect(error('tcp 1.2.3.4:1 5.6.7.8:2 tll 3')).toBe('packet: word 4: "tll" came: expected ttl?');
		expect(error('udp 1.2.3.4:1 5.6.7.8:2 seq 3')).toBe('packet: word 4: seq is for tcp only');
	});
});
