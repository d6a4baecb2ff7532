#!/bin/sh
# Makes examples/branch on real Linux: a router of three namespaces, what the capture script collects of it, and captures of both directions.
# Usage (as root, from the top of a checkout, after npm run build): sh examples/branch/capture.sh
set -eu
out=examples/branch
p=lnbr
cleanup() { for n in gw wan lan; do ip netns pids $p-$n 2>/dev/null | xargs -r kill 2>/dev/null || true; ip netns del $p-$n 2>/dev/null || true; done; }
trap cleanup EXIT
cleanup
for n in gw wan lan; do ip netns add $p-$n; ip -n $p-$n link set lo up; done
gw="ip netns exec $p-gw"; wan="ip netns exec $p-wan"; lan="ip netns exec $p-lan"
ip link add eth0 netns $p-gw address 52:54:00:b0:00:01 type veth peer name eth0 netns $p-wan address 52:54:00:b0:00:fe
ip link add eth1 netns $p-gw address 52:54:00:b0:01:01 type veth peer name eth0 netns $p-lan address 52:54:00:b0:01:0a
for n in gw wan lan; do ip netns exec $p-$n sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done
ip -n $p-gw addr add 203.0.113.2/30 dev eth0; ip -n $p-gw link set eth0 up
ip -n $p-gw addr add 10.1.0.1/24 dev eth1; ip -n $p-gw link set eth1 up
ip -n $p-wan addr add 203.0.113.1/30 dev eth0; ip -n $p-wan addr add 198.51.100.7/32 dev lo; ip -n $p-wan link set eth0 up
ip -n $p-lan addr add 10.1.0.10/24 dev eth0; ip -n $p-lan link set eth0 up
ip -n $p-gw route add default via 203.0.113.1
ip -n $p-lan route add default via 10.1.0.1
$gw sysctl -qw net.ipv4.ip_forward=1
$gw iptables-legacy-restore <<'RULES'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p icmp --icmp-type echo-request -j ACCEPT
-A INPUT -p tcp --dport 8080 -j ACCEPT
-A INPUT -p udp --dport 53 -j ACCEPT
-A INPUT -i eth1 -j ACCEPT
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i eth1 -o eth0 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.1.0.0/24 -o eth0 -j MASQUERADE
COMMIT
RULES
tmp=$(mktemp -d)
mkdir "$tmp/www"; head -c 60000 /dev/zero | tr '\0' x >"$tmp/www/page"
cat >"$tmp/dns.py" <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True:
    data, peer = s.recvfrom(2000)
    s.sendto(data + b"!", peer)
PY
(cd "$tmp/www" && exec $gw python3 -m http.server 8080 >/dev/null 2>&1) &
(cd "$tmp/www" && exec $wan python3 -m http.server 80 >/dev/null 2>&1) &
$gw python3 "$tmp/dns.py" &
sleep 1
$gw sh -c "$(node dist/cli/main.js capture-script)" capture "$tmp/host"
for d in eth0 eth1 any; do $gw tcpdump -U -n -s 0 -i $d -w "$tmp/$d.pcap" ip or arp 2>/dev/null & done
sleep 1
udp() { python3 -c "import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(0.5);s.sendto(b'hello',(sys.argv[1],int(sys.argv[2])))
try: s.recvfrom(99)
except OSError: pass" "$1" "$2"; }
$lan python3 -c "import urllib.request;urllib.request.urlopen('http://198.51.100.7/page').read()"
$wan python3 -c "import urllib.request;urllib.request.urlopen('http://203.0.113.2:8080/page').read()"
$gw python3 -c "import urllib.request;urllib.request.urlopen('http://203.0.113.1/page').read()"
$wan python3 -c "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(0.5);s.sendto(b'hello',('203.0.113.2',53));s.recvfrom(99)"
$wan python3 -c "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.sendto(b'hello',('203.0.113.2',161))"
$wan python3 -c "import socket;s=socket.socket();s.settimeout(0.5);print(s.connect_ex(('203.0.113.2',22)))"
$lan python3 -c "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.sendto(b'hello',('10.1.0.1',9999))"
$gw python3 -c "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.sendto(b'hello',('203.0.113.1',9))"
$lan ping -c 2 -i 0.3 198.51.100.7 >/dev/null
$wan ping -c 2 -i 0.3 203.0.113.2 >/dev/null
$lan ping -c 1 -t 1 -W 1 198.51.100.7 >/dev/null || true
$gw ping -c 1 198.51.100.7 >/dev/null
$lan ping -c 1 -s 3000 198.51.100.7 >/dev/null
sleep 1
ip netns pids $p-gw | xargs -r kill -INT 2>/dev/null || true
sleep 1
rm -rf $out/host; cp -r "$tmp/host" $out/host
sed -i '1s/.*/branch/' $out/host/host
for d in eth0 eth1 any; do cp "$tmp/$d.pcap" $out/$d.pcap; done
rm -rf "$tmp"
