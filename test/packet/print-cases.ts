// Packets that the printer is tried on besides the corpus. What real tcpdump prints of them is in print.json (see record-tcpdump.ts).

import { packet } from '../../src/packet/build.ts';
import { frames } from './frames.ts';

const E = 'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")/';
const A = 'src="1.2.3.4",dst="5.6.7.8"';
const Q = 'IP(src="10.9.8.7",dst="10.6.5.4",id=7)';
const C = 'IP(src="10.0.0.1",dst="10.0.0.2",id=9)';
const S = 'IP(src="10.0.0.2",dst="10.0.0.1",id=9)';
const V = 'IPv6(src="2001:db8::1",dst="2001:db8::2")';
const D = (options: string) =>
	`${E}IP(src="0.0.0.0",dst="255.255.255.255")/UDP(sport=68,dport=67)/BOOTP(xid=0x1234,chaddr=b"\\x02\\0\\0\\0\\0\\1",flags="B")/DHCP(options=[${options},"end"])`;

const icmp: string[] = [];
for (let code = 0; code < 18; code++)
	icmp.push(
		`${E}IP(${A})/ICMP(type=3,code=${code}${code === 4 ? ',nexthopmtu=1400' : ''})/${Q}/UDP(sport=5,dport=6)/"abcd"`,
	);
for (const code of [0, 1, 2, 3, 4])
	icmp.push(`${E}IP(${A})/ICMP(type=5,code=${code},gw="10.0.0.254")/${Q}/TCP(sport=5,dport=6)`);
for (const code of [0, 1, 2]) icmp.push(`${E}IP(${A})/ICMP(type=11,code=${code})/${Q}/ICMP(id=3)`);

const igmp = [1, 5, 9, 10, 25, 100, 250].map((t) => `${E}IP(${A},proto=2)/IGMP(mrcode=${t},gaddr="224.1.2.3")`);

const tcp = [
	`${E}${C}/TCP(sport=1000,dport=7,flags="S",seq=100,options=[("MSS",1460),("SAckOK",b""),("WScale",7)])`,
	`${E}${S}/TCP(sport=7,dport=1000,flags="SA",seq=500,ack=101,options=[("MSS",1460)])`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="A",seq=101,ack=501)`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="PA",seq=101,ack=501)/"hello"`,
	`${E}${S}/TCP(sport=7,dport=1000,flags="A",seq=501,ack=101,options=[("NOP",None),("NOP",None),("SAck",(111,121))])`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="A",seq=106,ack=501,options=[("SAck",(511,521,531,541))])`,
	`${E}${S}/TCP(sport=7,dport=1000,flags="FA",seq=501,ack=106)`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="R",seq=106,ack=501)`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="RA",seq=106,ack=502)/"bye"`,
	`${E}${C}/TCP(sport=7,dport=7,flags="A",seq=1,ack=2)/"x"`,
	`${E}${S}/TCP(sport=7,dport=7,flags="A",seq=3,ack=4)`,
	`${E}${V}/TCP(sport=1000,dport=7,flags="SA",seq=100,ack=7)`,
	`${E}${V}/TCP(sport=1000,dport=7,flags="PA",seq=101,ack=9)/"v6"`,
	`${E}${C}/TCP(sport=1000,dport=80,flags="PA",seq=1,ack=1)/"GET /index.html HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"`,
	`${E}${S}/TCP(sport=80,dport=1000,flags="PA",seq=1,ack=40)/"HTTP/1.1 200 OK\\r\\nServer: x\\r\\n\\r\\n<html>\\n"`,
	`${E}${S}/TCP(sport=80,dport=1000,flags="PA",seq=50,ack=40)/b"\\x00\\x01binary"`,
	`${E}${S}/TCP(sport=25,dport=1000,flags="PA",seq=50,ack=40)/"220 mail ready\\r\\n"`,
	`${E}${C}/TCP(sport=1000,dport=25,flags="PA",seq=50,ack=40)/"EHLO me\\r\\n"`,
	`${E}${C}/TCP(sport=1000,dport=21,flags="PA",seq=50,ack=40)/"USER anonymous\\r\\n"`,
	`${E}${C}/TCP(sport=1000,dport=53,flags="PA",seq=5,ack=4)/DNS(id=9,qd=DNSQR(qname="example.org"))`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="S",options=[("MSS",b"\\x05"),("Timestamp",b"ab")])`,
	`${E}${C}/TCP(sport=1000,dport=7,flags="S",options=[(34,b""),(254,b"\\xf9\\x89")])`,
	`${E}IP(${A},flags="MF")/TCP(sport=1000,dport=7,flags="A")/"frag"`,
];

const dns = [
	`${E}${C}/UDP(sport=4000)/DNS(id=1,qd=DNSQR(qname="example.org",qtype="AAAA"))`,
	`${E}${C}/UDP(sport=4000)/DNS(id=1,rd=0,qd=DNSQR(qname="example.org",qtype="ANY",qclass="CH"))`,
	`${E}${S}/UDP(dport=4000)/DNS(id=1,qr=1,aa=1,ra=1,qd=DNSQR(qname="a.b"),an=DNSRR(rrname="a.b",rdata="9.9.9.9",ttl=3700)/DNSRR(rrname="a.b",type="CNAME",rdata="c.d",ttl=90061))`,
	`${E}${S}/UDP(dport=4000)/DNS(id=1,qr=1,rcode=3,ra=1,qd=DNSQR(qname="a.b"),ns=DNSRR(rrname="b",type="SOA",rdata=b"\\x01m\\x00\\x01h\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x03\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x05"))`,
	`${E}${S}/UDP(dport=4000)/DNS(id=2,qr=1,rcode=2,tc=1,qd=DNSQR(qname="a.b",qtype="MX"),an=DNSRR(rrname="a.b",type="MX",rdata=b"\\x00\\x0a\\x01m\\x00"),ar=DNSRR(rrname=".",type="OPT",rclass=1232,rdata=b""))`,
	`${E}${S}/UDP(dport=4000)/DNS(id=3,qr=1,ra=1,qd=DNSQR(qname="a.b",qtype="TXT"),an=DNSRR(rrname="a.b",type="TXT",rdata="hello \\"x\\"")/DNSRR(rrname="a.b",type="PTR",rdata="p.q")/DNSRR(rrname="a.b",type="AAAA",rdata="2001:db8::9")/DNSRR(rrname="s",type="SRV",rdata=b"\\x00\\x01\\x00\\x02\\x00\\x50\\x01h\\x00"))`,
	`${E}${C}/UDP(sport=4000)/DNS(id=1,opcode="STATUS",qd=DNSQR(qname="."))`,
	`${E}${C}/UDP(sport=5353,dport=5353)/DNS(id=0,rd=0,qd=DNSQR(qname="x.local",qclass=0x8001)/DNSQR(qname="y.local"))`,
	`${E}${C}/UDP(sport=4000,dport=53)/b"\\x00\\x01\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x05abc"`,
	`${E}${C}/UDP(sport=4000,dport=53)/b"\\x00\\x01\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\xc0\\x0c\\x00\\x01\\x00\\x01"`,
];

const others = [
	D(
		'("message-type","discover"),("param_req_list",[1,3,6,12,15,28,51,58,59]),("hostname","foo"),("client_id",b"\\x01\\x02\\0\\0\\0\\0\\1")',
	),
	D(
		'("message-type","request"),("requested_addr","10.0.0.9"),("server_id","10.0.0.1"),("max_dhcp_size",1500),("vendor_class_id","udhcp 1")',
	),
	`${E}IP(src="10.0.0.1",dst="10.0.0.9")/UDP(sport=67,dport=68)/BOOTP(op=2,xid=5,yiaddr="10.0.0.9",siaddr="10.0.0.1",secs=3,hops=1,sname="srv",file="boot",chaddr=b"\\x02\\0\\0\\0\\0\\1")/DHCP(options=[("message-type","ack"),("lease_time",3600),("router","10.0.0.1","10.0.0.2"),("interface-mtu",1400),("domain","a.b"),("renewal_time",1800),"end"])`,
	`${E}${C}/UDP(sport=1,dport=2,chksum=0)/"no sum"`,
	`${E}${C}/UDP(sport=1,dport=2,chksum=0x1234)/"bad sum"`,
	`${E}${C}/UDP(sport=1,dport=2,len=30)/"long"`,
	`${E}${C}/UDP(sport=1,dport=2,len=9)/"short"`,
	`${E}${V}/UDP(sport=1,dport=2,chksum=0x1234)/"bad sum"`,
	`${E}${C}/UDP(sport=4500,dport=4500)/b"\\xff"`,
	`${E}${C}/UDP(sport=4500,dport=4500)/ESP(spi=5,seq=6,data="abcdefgh")`,
	`${E}ARP(op="who-has",hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",hwdst="02:00:00:00:00:05",pdst="1.2.3.5")`,
	`${E}ARP(op=3,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",hwdst="02:00:00:00:00:05",pdst="1.2.3.5")`,
	`${E}ARP(op=4,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",hwdst="02:00:00:00:00:05",pdst="1.2.3.5")`,
	`${E}ARP(op=8,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",hwdst="02:00:00:00:00:05",pdst="1.2.3.5")`,
	`${E}ARP(op=9,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",hwdst="02:00:00:00:00:05",pdst="1.2.3.5")`,
	`${E}ARP(op=77,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4")`,
	`${E}ARP(hwtype=6,ptype=0x1234,hwsrc="02:00:00:00:00:01",psrc="1.2.3.4")`,
	`${E}Dot1Q(vlan=7,prio=3)/ARP(hwsrc="02:00:00:00:00:01",psrc="1.2.3.4",pdst="1.2.3.5")`,
	`${E}Dot1Q(vlan=7)/Dot1Q(vlan=8)/${C}/ICMP()`,
	`${E}IP(${A},tos=1)/ICMP()/"x"`,
	`${E}IP(${A},tos=2,flags="DF")/ICMP()/"x"`,
	`${E}IP(${A},frag=185,flags="MF",proto=17)/("x"*40)`,
	`${E}IP(${A},proto=200)/("x"*40)`,
	`${E}IP(${A})/GRE(key_present=1,key=7,seqnum_present=1,sequence_number=3)/${Q}/UDP(sport=1,dport=2)`,
	`${E}IP(${A})/GRE(proto=0x1234)/"xyz"`,
	`${E}IP(${A},proto=2)/b"\\x22\\x00\\xee\\xee\\x00\\x00\\x00\\x02\\x04\\x00\\x00\\x00\\xe0\\x00\\x00\\xfb\\x01\\x00\\x00\\x01\\xe8\\x01\\x02\\x03\\x0a\\x00\\x00\\x01"`,
	`${E}IP(${A},proto=2)/b"\\x11\\x64\\xee\\xee\\xe0\\x00\\x00\\xfb\\x02\\x7d\\x00\\x01\\x0a\\x00\\x00\\x01"`,
	`${E}IP(${A},proto=2)/b"\\x99\\x64\\xee\\xee\\xe0\\x00\\x00\\xfb"`,
	`${E}IP(${A})/SCTP(sport=1,dport=2,tag=3)/SCTPChunkData(beginning=1,ending=1,tsn=4,stream_id=1,data="abc")`,
	`${E}IP(${A})/SCTP(sport=1,dport=2,tag=3)/SCTPChunkSACK(cumul_tsn_ack=9,a_rwnd=1000)`,
	`${E}IP(${A})/SCTP(sport=1,dport=2,tag=3)/SCTPChunkCookieAck()/SCTPChunkShutdownComplete()`,
	`${E}IP(${A})/SCTP(sport=1,dport=2,tag=3)/SCTPChunkAbort()`,
	`${E}IPv6(src="fe80::1",dst="fe80::2",hlim=255,tc=0x20,fl=5)/ICMPv6ND_NA(tgt="fe80::1",S=1)/ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:01")`,
	`${E}IPv6(src="fe80::1",dst="ff02::1")/ICMPv6ND_RA(M=1,O=1)/ICMPv6NDOptMTU(mtu=1400)/ICMPv6NDOptPrefixInfo(prefix="2001:db8::")`,
	`${E}IPv6(src="fe80::1",dst="ff02::2")/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")`,
	`${E}${V}/ICMPv6DestUnreach(code=0)/${V}/UDP()`,
	`${E}${V}/ICMPv6DestUnreach(code=1)/${V}/UDP()`,
	`${E}${V}/ICMPv6DestUnreach(code=3)/${V}/TCP()`,
	`${E}${V}/ICMPv6TimeExceeded(code=1)/${V}/TCP()`,
	`${E}${V}/ICMPv6EchoRequest(id=1,seq=2,cksum=5)`,
	`Ether(dst="ff:ff:ff:ff:ff:ff",src="02:00:00:00:00:01",type=0x1234)/"unknown"`,
	`Dot3(dst="01:80:c2:00:00:00",src="02:00:00:00:00:01")/LLC()/STP(rootid=32768,rootmac="02:00:00:00:00:01",pathcost=4,bridgeid=32769,bridgemac="02:00:00:00:00:03",portid=0x8001)`,
	`Dot3(dst="01:80:c2:00:00:00",src="02:00:00:00:00:01")/LLC(dsap=0x10,ssap=0x10,ctrl=3)/"what"`,
];

const PRINT: readonly string[] = [...icmp, ...igmp, ...tcp, ...dns, ...others];

const FLAGS = [
	'-n',
	'-nv',
	'-nvv',
	'-nvvv',
	'-ne',
	'-nevv',
	'-nq',
	'-nqe',
	'-nS',
	'-nx',
	'-nXX',
	'-nA',
	'-ntt',
	'-nttt',
	'-ntttt',
	'-nttttt',
	'-n#',
];

/** What is printed, and how: the corpus of the filters ("frames"), and the cases above ("cases"). */
export const PRINT_RUNS: readonly { set: 'frames' | 'cases'; linktype: number; flags: string }[] = [
	...FLAGS.map((flags) => ({ set: 'cases' as const, linktype: 1, flags })),
	...['-n', '-nevv'].map((flags) => ({ set: 'frames' as const, linktype: 1, flags })),
	...[101, 113, 0].map((linktype) => ({ set: 'frames' as const, linktype, flags: '-ne' })),
];

export function printPackets(
	set: 'frames' | 'cases',
	linktype: number,
): { sec: number; nsec: number; data: Uint8Array; linktype: number }[] {
	const list = set === 'frames' ? frames(linktype) : PRINT.map((t) => packet(t));
	return list.map((data, i) => ({ sec: 1_000_000 + i * 3, nsec: 123456000 + i * 1000, data, linktype }));
}

/** Cuts what tcpdump wrote into packets: each begins with a time that we know. */
export function splitPackets(text: string, flags: string, count: number): string[] {
	if (flags.includes('ttttt') || (flags.includes('ttt') && !flags.includes('tttt'))) return [text];
	const out: string[] = [];
	let at = 0;
	for (let i = 0; i < count; i++) {
		const fraction = `.${123456 + i + 1} `;
		let next = i + 1 === count ? text.length : text.indexOf(fraction, at + 1);
		if (i + 1 < count) next = text.lastIndexOf('\n', next) + 1;
		out.push(text.slice(at, next));
		at = next;
	}
	return out;
}
