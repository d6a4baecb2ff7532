// The packets that filters and the printer are tried on, by link type: the scapy corpus, and more that matters to them.

import { readFileSync } from 'node:fs';
import { packet } from '../../src/packet/build.ts';
import { concat, fromHex } from '../../src/packet/bytes.ts';

const E = 'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")';
const A = 'src="1.2.3.4",dst="5.6.7.8"';

/** Packets of the corpus that begin with IP, IPv6 or Ethernet. */
function corpus(layer: string): Uint8Array[] {
	const all = JSON.parse(readFileSync(`${import.meta.dirname}/scapy.json`, 'utf8')) as { text: string; hex: string }[];
	return all.filter((c) => c.text.startsWith(`${layer}(`)).map((c) => fromHex(c.hex)!);
}

const filterExtra = [
	`${E}/IP(src="10.0.0.1",dst="10.1.0.2")/TCP(sport=80,dport=5000,flags="PA")/"GET / HTTP/1.0"`,
	`${E}/IP(src="10.0.0.1",dst="5.6.7.8")/TCP(sport=5,dport=443,flags="S")`,
	`${E}/IP(src="10.0.0.1",dst="5.6.7.8")/TCP(sport=6,dport=22,flags="SA",seq=80)`,
	`${E}/IP(src="1.2.3.4",dst="224.0.0.251",ttl=1)/UDP(sport=5353,dport=5353)/"x"`,
	`${E}/IP(src="1.2.3.4",dst="255.255.255.255")/UDP(sport=1,dport=2)`,
	`Ether(dst="ff:ff:ff:ff:ff:ff",src="02:00:00:00:00:03")/ARP(hwsrc="02:00:00:00:00:03",psrc="10.0.0.1",pdst="10.0.0.2")`,
	`${E}/ARP(op=2,hwsrc="02:00:00:00:00:01",psrc="10.0.0.2",hwdst="02:00:00:00:00:03",pdst="10.0.0.1")`,
	`Ether(dst="01:80:c2:00:00:0e",src="02:00:00:00:00:01",type=0x88cc)/"lldp"`,
	`Ether(dst="ff:ff:ff:ff:ff:ff",src="02:00:00:00:00:03",type=0x8035)/ARP(op=3,hwsrc="02:00:00:00:00:03",psrc="1.2.3.4",pdst="10.0.0.2")`,
	`${E}/Dot1Q(vlan=5)/IP(${A})/UDP(sport=1,dport=2)/"vlan"`,
	`${E}/Dot1Q(vlan=5)/Dot1Q(vlan=6)/IP(${A})/TCP()`,
	`${E}/IP(${A},ttl=1,tos=9)/UDP(sport=53,dport=99)/"hi"`,
	`${E}/IP(${A},frag=10,proto=6)/("x"*30)`,
	`${E}/IPv6(src="2001:db8::1",dst="ff02::1")/ICMPv6ND_NA(tgt="2001:db8::1")`,
	`${E}/IPv6(src="2001:db8::1",dst="2001:db8::2")/IPv6ExtHdrFragment(id=1)/TCP(dport=80)`,
	`${E}/IP(${A})/SCTP(sport=1,dport=2)/SCTPChunkInit()`,
	`${E}/IP(${A},proto=103)/"pim"`,
];

function cooked(version: 1 | 2, type: number, ip: Uint8Array, outgoing: boolean): Uint8Array {
	const mac = fromHex('020000000001')!;
	const t = Uint8Array.of(type >> 8, type & 255);
	const direction = outgoing ? 4 : 0;
	if (version === 1) return concat([Uint8Array.of(0, direction, 0, 1, 0, 6), mac, Uint8Array.of(0, 0), t, ip]);
	return concat([t, Uint8Array.of(0, 0, 0, 0, 0, 2, 0, 1, direction, 6), mac, Uint8Array.of(0, 0), ip]);
}

/** Every frame for a link type. */
export function frames(linktype: number): Uint8Array[] {
	const v4 = [
		...corpus('IP'),
		...filterExtra.filter((t) => t.startsWith(`${E}/IP(`)).map((t) => packet(t).subarray(14)),
	];
	const v6 = corpus('IPv6');
	if (linktype === 1) {
		const wrap = (type: number) => (b: Uint8Array) =>
			concat([fromHex('020000000002020000000001')!, Uint8Array.of(type >> 8, type & 255), b]);
		const whole = [
			...v4.map(wrap(0x0800)),
			...v6.map(wrap(0x86dd)),
			...corpus('Ether'),
			...corpus('Dot3'),
			...filterExtra.map((t) => packet(t)),
		];
		// Short ones: what a snap length leaves. (Where an address itself is cut off, libpcap's optimiser decides what is looked at first.)
		const cut = filterExtra.flatMap((t, i) => [
			packet(t).subarray(0, i % 2 === 0 ? 14 : 34),
			packet(t).subarray(0, 36 + i),
		]);
		return [...whole, ...cut.filter((b) => b.length >= 14)];
	}
	if (linktype === 101) return [...v4, ...v6];
	if (linktype === 228) return v4;
	if (linktype === 113 || linktype === 276) {
		const version = linktype === 113 ? 1 : 2;
		return [
			...v4.map((b, i) => cooked(version, 0x0800, b, i % 2 === 0)),
			...v6.map((b, i) => cooked(version, 0x86dd, b, i % 3 === 0)),
		];
	}
	if (linktype === 0)
		return [
			...v4.map((b) => concat([Uint8Array.of(2, 0, 0, 0), b])),
			...v6.map((b, i) => concat([Uint8Array.of([24, 28, 30][i % 3], 0, 0, 0), b])),
		];
	return [];
}
