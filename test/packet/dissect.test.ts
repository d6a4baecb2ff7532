import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packet } from '../../src/packet/build.ts';
import { concat, fromHex } from '../../src/packet/bytes.ts';
import { LINKTYPE_RAW } from '../../src/packet/capture.ts';
import { diffHeaders, dissect, find, summary } from '../../src/packet/dissect.ts';

const A = 'src="1.2.3.4",dst="5.6.7.8"';
const E = 'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")';
const raw = (text: string) => dissect(packet(text), LINKTYPE_RAW);
const line = (text: string) => summary(packet(text), text.startsWith('Ether') ? 1 : LINKTYPE_RAW);

describe('summary', () => {
	const cases: [string, string][] = [
		[`${E}/"abc"`, '02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x9000'],
		[`${E}/ARP(hwsrc="02:00:00:00:00:01",psrc="10.0.0.1",pdst="10.0.0.2")`, 'ARP who-has 10.0.0.2 tell 10.0.0.1'],
		[
			`${E}/ARP(op=2,hwsrc="02:00:00:00:00:01",psrc="10.0.0.1")/Padding("x"*18)`,
			'ARP 10.0.0.1 is-at 02:00:00:00:00:01',
		],
		[`${E}/Dot1Q(vlan=7)/IP(${A})/UDP(sport=1,dport=2)/"hi"`, 'vlan 7 1.2.3.4:1 > 5.6.7.8:2 UDP len 2'],
		[
			`IP(${A})/TCP(sport=1,dport=2,flags="SA",seq=5,ack=6)/"hey"`,
			'1.2.3.4:1 > 5.6.7.8:2 TCP S. seq 5 ack 6 win 8192 len 3',
		],
		[`IP(${A})/ICMP(id=1,seq=2)`, '1.2.3.4 > 5.6.7.8 ICMP echo request id 1 seq 2'],
		[
			`IP(${A})/ICMP(type=3,code=4,nexthopmtu=1400)/IP(src="9.9.9.9",dst="8.8.8.8")/UDP(sport=5,dport=6)/"abcd"`,
			'1.2.3.4 > 5.6.7.8 ICMP need to fragment mtu 1400 (9.9.9.9:5 > 8.8.8.8:6 UDP len 4)',
		],
		[
			`IP(${A})/ICMP(type=11)/IP(raw(IP(src="9.9.9.9",dst="8.8.8.8",len=60)/TCP(sport=5,dport=6,seq=7)))`,
			'1.2.3.4 > 5.6.7.8 ICMP ttl exceeded in transit (9.9.9.9:5 > 8.8.8.8:6 TCP S seq 7 win 8192 len 0)',
		],
		[
			`IP(${A})/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=1,dport=2)`,
			'1.2.3.4 > 5.6.7.8 IPIP 10.0.0.1:1 > 10.0.0.2:2 UDP len 0',
		],
		[
			`IP(${A})/GRE(key_present=1,key=9)/IP(src="10.0.0.1",dst="10.0.0.2")/ICMP()`,
			'1.2.3.4 > 5.6.7.8 GRE key 9 10.0.0.1 > 10.0.0.2 ICMP echo request id 0 seq 0',
		],
		[
			`IP(${A},flags="MF",id=77)/UDP(sport=1,dport=2,len=100)/("x"*16)`,
			'frag 77:24@0+ 1.2.3.4:1 > 5.6.7.8:2 UDP len 92',
		],
		[`IP(${A},frag=3,id=77,proto=17)/("x"*16)`, '1.2.3.4 > 5.6.7.8 UDP frag 77:16@24'],
		['IPv6(src="::1",dst="2001:db8::2")/TCP(sport=1,dport=2)', '[::1]:1 > [2001:db8::2]:2 TCP S seq 0 win 8192 len 0'],
		['IPv6(src="::1",dst="::2")/ICMPv6ND_NS(tgt="fe80::1")', '::1 > ::2 ICMPv6 neighbor solicitation fe80::1'],
		[`IP(${A})/ESP(spi=0x10,seq=3)`, '1.2.3.4 > 5.6.7.8 ESP spi 0x10 seq 3'],
		[
			`IP(${A})/SCTP(sport=1,dport=2)/SCTPChunkInit()/SCTPChunkCookieAck()`,
			'1.2.3.4:1 > 5.6.7.8:2 SCTP INIT, COOKIE ACK',
		],
		[`IP(${A})/IGMP(type=0x16,gaddr="224.1.2.3")`, '1.2.3.4 > 5.6.7.8 IGMP v2 report 224.1.2.3'],
		[
			`IP(${A})/UDP(sport=68,dport=67)/BOOTP(chaddr=b"\\x02\\0\\0\\0\\0\\1")/DHCP(options=[("message-type","discover"),"end"])`,
			'1.2.3.4:68 > 5.6.7.8:67 UDP DHCP discover 02:00:00:00:00:01',
		],
		[
			`IP(${A})/UDP(sport=4000)/DNS(qd=DNSQR(qname="a.bc",qtype="AAAA"))`,
			'1.2.3.4:4000 > 5.6.7.8:53 UDP DNS query AAAA a.bc.',
		],
		[
			`IP(${A})/UDP(dport=4000)/DNS(qr=1,qd=DNSQR(qname="a.bc"),an=DNSRR(rrname="a.bc",rdata="9.9.9.9"))`,
			'1.2.3.4:53 > 5.6.7.8:4000 UDP DNS answer A a.bc. 9.9.9.9',
		],
		[
			`IP(${A})/UDP(dport=4789)/VXLAN(vni=42)/${E}/IP(src="10.0.0.1",dst="10.0.0.2")/ICMP()`,
			'1.2.3.4:4789 > 5.6.7.8:4789 UDP VXLAN 42 10.0.0.1 > 10.0.0.2 ICMP echo request id 0 seq 0',
		],
		[
			`IP(${A},chksum=1)/UDP(sport=1,dport=2,chksum=5)`,
			'1.2.3.4:1 > 5.6.7.8:2 UDP len 0 [IPv4 checksum 0x1 is wrong (0x6abd); UDP checksum 0x5 is wrong (0xefc7)]',
		],
	];
	for (const [text, expected] of cases) it(text, () => expect(line(text)).toBe(expected));
});

describe('dissect', () => {
	it('gives the fields of IPv4 and TCP with their options', () => {
		const d = raw(
			`IP(${A},ttl=3,tos=4,id=5,flags="DF",options=[IPOption_RR(routers=["9.9.9.9","0.0.0.0"])])/TCP(flags="S",options=[("MSS",1460),("Timestamp",(1,2)),("SAck",(3,4))])/"hi"`,
		);
		expect(find(d, 'ipv4')).toMatchObject({
			offset: 0,
			length: 32,
			ttl: 3,
			tos: 4,
			id: 5,
			df: true,
			mf: false,
			protocol: 6,
			src: '1.2.3.4',
			checksum: { state: 'good' },
		});
		expect(find(d, 'ipv4')!.options[0]).toMatchObject({ name: 'record-route', text: '^9.9.9.9 0.0.0.0' });
		expect(find(d, 'tcp')).toMatchObject({ offset: 32, length: 44, flags: 'S', checksum: { state: 'good' } });
		expect(
			find(d, 'tcp')!
				.options.filter((o) => o.type > 1)
				.map((o) => `${o.name} ${o.text}`),
		).toEqual(['mss 1460', 'TS val 1 ecr 2', 'sack 3:4']);
		expect(new TextDecoder().decode(d.payload)).toBe('hi');
		expect(d.problems).toEqual([]);
	});
	it('tells a bad checksum from one that is absent or cannot be known', () => {
		const state = (text: string, layer: 'udp' | 'tcp' | 'icmp') => find(raw(text), layer)!.checksum.state;
		expect(state(`IP(${A})/UDP()`, 'udp')).toBe('good');
		expect(state(`IP(${A})/UDP(chksum=0)`, 'udp')).toBe('absent');
		expect(state(`IP(${A})/UDP(chksum=1)`, 'udp')).toBe('bad');
		expect(state(`IP(${A},flags="MF")/UDP(chksum=1)`, 'udp')).toBe('unknown');
		expect(state(`IP(${A})/ICMP(chksum=1)`, 'icmp')).toBe('bad');
		const cut = packet(`IP(${A})/TCP()/"abcdef"`).subarray(0, 42);
		expect(find(dissect(cut, LINKTYPE_RAW), 'tcp')!.checksum.state).toBe('unknown');
	});
	it('marks what is truncated', () => {
		const whole = packet(`${E}/IP(${A})/TCP()`);
		expect(dissect(whole.subarray(0, 10)).problems).toEqual(['Ethernet header truncated: 10 of 14 bytes']);
		expect(dissect(whole.subarray(0, 20)).problems).toEqual(['IPv4 header truncated: 6 of 20 bytes']);
		expect(dissect(whole.subarray(0, 40)).problems).toEqual([
			'IPv4 says 40 bytes, 26 are there',
			'TCP header truncated: 6 of 20 bytes',
		]);
		expect(dissect(new Uint8Array(0)).problems).toEqual(['Ethernet header truncated: 0 of 14 bytes']);
	});
	it('leaves the padding of Ethernet out of the payload', () => {
		expect(dissect(packet(`${E}/IP(${A})/UDP()/"ab"/Padding("zzzz")`)).payload.length).toBe(2);
	});
	it('reads the eight bytes that an ICMP error must quote', () => {
		const quoted = packet('IP(src="9.9.9.9",dst="8.8.8.8")/TCP(sport=5,dport=6,seq=7)').subarray(0, 28);
		const d = dissect(concat([packet(`IP(${A},len=56)/ICMP(type=3,code=1)`), quoted]), LINKTYPE_RAW);
		const icmp = find(d, 'icmp')!;
		expect(find(icmp.quoted!, 'tcp')).toMatchObject({ sport: 5, dport: 6, seq: 7, length: 8 });
	});
	it('stops in tunnels within tunnels', () => {
		const d = raw(Array.from({ length: 60 }, () => `IP(${A})`).join('/'));
		expect(d.headers.length).toBeLessThan(60);
		expect(d.problems).toContain('too many headers');
	});
	it('never throws, whatever the bytes', () => {
		const seeds = (JSON.parse(readFileSync(new URL('./scapy.json', import.meta.url), 'utf8')) as { hex: string }[]).map(
			(c) => fromHex(c.hex)!,
		);
		fc.assert(
			fc.property(
				fc.oneof(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(...seeds)),
				fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
				fc.nat(200),
				fc.constantFrom(0, 1, 101, 108, 113, 228, 276, 9999),
				(seed, damage, cut, linktype) => {
					const b = seed.slice(0, Math.max(0, seed.length - (cut % 50)));
					for (const [at, v] of damage) if (at < b.length) b[at] = v;
					const d = dissect(b, linktype);
					expect(summary(d)).toBeTypeOf('string');
					for (const h of d.headers) expect(h.offset).toBeLessThanOrEqual(b.length);
					expect(diffHeaders(d, d)).toEqual([]);
				},
			),
			{ numRuns: 3000 },
		);
	});
});

describe('diffHeaders', () => {
	const diff = (a: string, b: string) => diffHeaders(packet(a), packet(b), a.startsWith('Ether') ? 1 : LINKTYPE_RAW);
	it('names what forwarding changes', () => {
		expect(
			diff(`${E}/IP(${A})/UDP()`, `Ether(dst="02:00:00:00:00:04",src="02:00:00:00:00:03")/IP(${A},ttl=63)/UDP()`),
		).toEqual([
			'dst mac 02:00:00:00:00:02 → 02:00:00:00:00:04',
			'src mac 02:00:00:00:00:01 → 02:00:00:00:00:03',
			'ttl 64 → 63',
		]);
	});
	it('names what NAT changes', () => {
		expect(
			diff(
				'IP(src="9.9.9.9",dst="1.2.3.4")/TCP(sport=5,dport=80)',
				'IP(src="9.9.9.9",dst="10.0.0.5")/TCP(sport=5,dport=8080)',
			),
		).toEqual(['dst 1.2.3.4:80 → 10.0.0.5:8080']);
		expect(diff(`IP(${A})/ICMP(id=5)`, 'IP(src="9.9.9.9",dst="5.6.7.8")/ICMP(id=6)')).toEqual([
			'src 1.2.3.4 → 9.9.9.9',
			'icmp id 5 → 6',
		]);
		expect(
			diff(
				`IP(${A})/ICMP(type=3)/IP(src="1.1.1.1",dst="2.2.2.2")/UDP(sport=1)`,
				`IP(${A})/ICMP(type=3)/IP(src="1.1.1.1",dst="3.3.3.3")/UDP(sport=1)`,
			),
		).toEqual(['quoted dst 2.2.2.2:53 → 3.3.3.3:53']);
	});
	it('names headers and options that come and go', () => {
		expect(diff(`IP(${A})/UDP()`, `IP(${A})/GRE(key_present=1,key=7)/IP(${A})/UDP()`)).toContain('+ GRE key 7');
		expect(diff(`${E}/Dot1Q(vlan=5)/IP(${A})/UDP()`, `${E}/IP(${A})/UDP()`)).toEqual([
			'type 0x8100 → 0x0800',
			'- vlan 5',
		]);
		expect(diff(`IP(${A},len=44)/TCP(options=[("MSS",1460)])`, `IP(${A},len=44)/TCP(options=[("MSS",1400)])`)).toEqual([
			'mss 1460 → 1400',
		]);
		expect(diff(`IP(${A})/UDP()/"ab"`, `IP(${A})/UDP()/"ac"`)).toEqual(['payload changed']);
	});
});
