// Expressions of the pcap filter language, by link type. What real tcpdump says of each is in filter.json (see record-tcpdump.ts).

const ethernet = `
ip
ip6
arp
rarp
tcp
udp
icmp
icmp6
igmp
sctp
esp
ah
pim
vrrp
stp
host 1.2.3.4
host 5.6.7.8 and host 1.2.3.4
src host 1.2.3.4
dst host 1.2.3.4
src and dst host 1.2.3.4
src or dst host 1.2.3.4
src 1.2.3.4
dst 5.6.7.8
ip host 1.2.3.4
arp host 1.2.3.4
rarp host 1.2.3.4
ip src 1.2.3.4
ip src host 1.2.3.4 or 5.6.7.8
arp src host 10.0.0.1
host ::1
host 2001:db8::1
src host 2001:db8::1 and udp
host ff02::1 and icmp6
net 10
net 10.0
net 1.2.3.4
net 10.0.0.0/8
net 10.0.0.0 mask 255.0.0.0
net 10.0.0.1/8
net 10.0.0.1/33
net 300
src net 10
dst net 5.6.7.0/24
ip src net 1.2
arp net 10
net 0.0.0.0/0
net ::/0
net 2001:db8::/32
dst net 2001:db8::/64
host fe80::1/64
host 1.2.3.4/24
host 0x01020304
net 10.0.0.0/8 and not 10.1.0.0/16
port 53
port 80
tcp port 80
udp port 53
sctp port 2
src port 53
dst port 99
tcp src or dst port 20
port domain
port http
tcp port http
udp port http
port ftp or ssh
port 0x50
port 70000
port nosuch
portrange 1-100
portrange 90-80
portrange 1
udp dst portrange 90-100
portrange foo
tcp dst port 80 or 443
src port 5 or 6 and dst 5.6.7.8
ip proto 47
ip proto 6 or 17
ip proto \\tcp
ip proto tcp
ip proto foo
ip proto gre
ip proto 256
ip6 proto 17
proto 17
proto tcp
ether proto 0x88cc
ether proto 0x42
ether proto \\ip
ether proto ip
ether proto \\arp
ether proto \\foo
link proto 5
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:01
ether dst ff:ff:ff:ff:ff:ff
ether dst 02:00:00:00:00:02 or ff:ff:ff:ff:ff:ff
ether host 1.2.3.4
wlan host 02:00:00:00:00:01
broadcast
ether broadcast
multicast
ether multicast
ip multicast
ip6 multicast
ip broadcast
less 60
greater 60
less 50 or greater 100
len > 60
len <= 42
len = 5 and len = 6
not tcp
!tcp
not not tcp
! (tcp or udp)
(tcp)
tcp or udp and port 53
tcp port 80 or udp
host 1.2.3.4 and port 80 or 443
host 9.9.9.9 or 1.2.3.4
host 1.2.3.4 and (tcp or udp)
not host 1.2.3.4 and not port 22
ip and not (src net 1.2.3.0/24 or icmp)
tcp[13] & 2 != 0
tcp[13] = 2
tcp [13] = 2
tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn
tcp[tcpflags] == tcp-syn|tcp-ack
tcp[tcpflags] & tcp-push != 0 and port 80
tcp[0:2] = 80
tcp[4:4] = 0
tcp[(tcp[12]>>2)&0x3c:4] = 0x47455420
tcp[13:3] = 1
udp[4:2] > 10
udp[8] = 0x68
icmp[icmptype] == icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[0] = 3 and icmp[1] = 3
icmp6[icmp6type] = icmp6-echo
icmp6[0] = 135
ip[8] < 5
ip[8] <= 64
ip[2:2] > 100
ip[0] & 0xf != 5
ip[6] & 64 == 64
ip[6:2] & 0x1fff != 0
ip[6:2] & 0x4000 != 0
ip[10:2] = ip[4:2]+1
ip[-1] = 0
ip[12:4] = 0x01020304
ip[0] % 3 = 1
ip[0] ^ 1 = 68
ip[0] | 1 = 69
ip[0] * 2 = 138
ip[0] / 2 = 34
ip[0] << 1 = 138
ip[0] >> 4 = 4
ip[0] - 64 = 5
ip[1] > ip[2]
ip[1] >= ip[8]
ip[3] < ip[8]
ip[0]/0 = 1
ip[0]%0 = 1
ip[0]<<33 = 1
len - 14 = ip[2:2]
60 > len
1 = 1
1 = 2
2 + 2 = 4
ether[0] & 1 = 0
ether[12:2] = 0x0800
ether[1:8] = 1
ip6[6] = 58
ip6[0:4] & 0xfff = 1
arp[7] = 1
arp[6:2] = 2
vlan
vlan 5
vlan 100
vlan 5000
vlan and ip
vlan 5 and udp
vlan and vlan 6
vlan and tcp
vlan and host 1.2.3.4
vlan 5 or ip
ip and vlan
ip and ip6
ip6 and vlan 5
tcp and udp
tcp and not ip and not ip6
inbound
outbound
gateway foo
host foo.invalid
foo
tcp and
and tcp
tcp or
(tcp
)
[
@
1.2.3.4
5
tcp[0]
tcp[foo] = 1
tcp = 1
tcp & 1
tcp src
ip[0]
ip[0] =
ip host
ip host 1.2.3.4 5
tcp host 1.2.3.4
icmp port 80
ip port 80
ip6 host 1.2.3.4
ip6 net 10
host 300.1.1.1
00:11:22:33:44:55
ip broadcast and x
less foo
random
tcp !
port 80 and
ether 02:00:00:00:00:01
host 1.2.3.4 and ( port 53 or 99 )
port (53 or 99)
port 53 or not 99
not port (20 or 53)
((tcp))
(ip[8] = 1)
((ip[8])) = 1
(ip[8] + 1) * 2 = 4
ip[(2)] = 0
ip[ip[0] & 0xf] = 1
`;

const elsewhere = `
ip
ip6
arp
tcp port 80
udp
host 1.2.3.4
net 5.6.7.0/24
port 53
icmp[icmptype] = icmp-echo
ip[8] = 64
tcp[tcpflags] & tcp-syn != 0
len > 50
ether host 1:2:3:4:5:6
broadcast
multicast
ip multicast
ip broadcast
ether proto 0x0800
vlan
inbound
outbound
ether[0] = 0
not ip
icmp6
host 2001:db8::1
`;

const lines = (s: string) => s.split('\n').filter((l) => l !== '');

export const FILTERS: { readonly [linktype: number]: readonly string[] } = {
	1: lines(ethernet),
	101: lines(elsewhere),
	113: lines(elsewhere),
	276: lines(elsewhere),
	0: lines(elsewhere),
	228: lines(elsewhere),
};
