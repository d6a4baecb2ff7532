"""What Linux answers to socket calls, and which counters it bumps: prints a line each. Run in a namespace that has 10.77.0.1/24
on a veth whose other end is 10.77.0.2; the result is kept in answers.linux.json (answers.test.ts does the same calls here)."""
import socket,struct,subprocess,errno
def snmp():
    d={}
    for f in ('/proc/net/snmp','/proc/net/netstat'):
        L=open(f).read().split('\n')
        for a,b in zip(L[::2],L[1::2]):
            k=a.split(':')[0]
            for n,v in zip(a.split()[1:],b.split()[1:]): d[k+n]=int(v)
    return d
def diff(a,b): return {k:b[k]-a.get(k,0) for k in b if b[k]!=a.get(k,0)}
def step(name,fn):
    a=snmp()
    try: r=fn()
    except OSError as e: r=errno.errorcode[e.errno]
    print(name,r,diff(a,snmp()))
raw=socket.socket(socket.AF_INET,socket.SOCK_RAW,255)
p=bytes.fromhex('450000000000000003110000000000000a4d0002')+struct.pack('!HHHH',1,2,9,0)+b'x'
step('hdrincl',lambda: raw.sendto(p,('10.77.0.2',0)))
step('hdrincl ihl too long',lambda: raw.sendto(b'\x4f'+p[1:],('10.77.0.2',0)))
step('hdrincl short',lambda: raw.sendto(p[:10],('10.77.0.2',0)))
step('hdrincl bcast',lambda: raw.sendto(p,('10.77.0.255',0)))
u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
step('udp noroute',lambda: u.sendto(b'x',('192.0.2.1',9)))
step('udp too big DF',lambda: (u.setsockopt(0,10,2),u.sendto(b'x'*1473,('10.77.0.2',9))))
step('udp probe',lambda: (u.setsockopt(0,10,3),u.sendto(b'x'*1473,('10.77.0.2',9))))
step('udp omit',lambda: (u.setsockopt(0,10,5),u.sendto(b'x'*1473,('10.77.0.2',9))))
step('udp interface',lambda: (u.setsockopt(0,10,4),u.sendto(b'x'*1473,('10.77.0.2',9))))
step('udp dont',lambda: (u.setsockopt(0,10,0),u.sendto(b'x'*1473,('10.77.0.2',9))))
step('udp port 0',lambda: u.sendto(b'x',('10.77.0.2',0)))
step('udp 0.0.0.0',lambda: u.sendto(b'x',('0.0.0.0',9)))
step('udp mcast',lambda: u.sendto(b'x',('239.1.1.1',9)))
step('udp lbcast',lambda: u.sendto(b'x',('255.255.255.255',9)))
step('ttl 0',lambda: u.setsockopt(0,2,0))
step('get mtu unconnected',lambda: u.getsockopt(0,14))
step('shutdown unconnected',lambda: u.shutdown(2))
step('connect AF_UNSPEC',lambda: u.connect(('10.77.0.2',9)))
step('recv after shutdown rd',lambda: (u.shutdown(0),u.recv(10)))
step('send after shutdown wr',lambda: (u.shutdown(1),u.send(b'x')))
r2=socket.socket(socket.AF_INET,socket.SOCK_RAW,99)
step('raw no dest',lambda: r2.send(b'x'))
step('raw big',lambda: r2.sendto(b'x'*3000,('10.77.0.2',0)))
step('icmp raw ping',lambda: socket.socket(socket.AF_INET,socket.SOCK_RAW,1).sendto(b'\x08\0\0\0\0\0\0\0',('10.77.0.2',0)))
step('dgram tcp',lambda: socket.socket(socket.AF_INET,socket.SOCK_DGRAM,6))
step('seqpacket',lambda: socket.socket(socket.AF_INET,socket.SOCK_SEQPACKET,0))
step('sockopt tcp level',lambda: u.setsockopt(6,1,1))
step('raw filter on 99',lambda: r2.setsockopt(255,1,struct.pack('I',1)))
step('nodefrag udp',lambda: u.setsockopt(0,22,1))
step('recvfragsize udp',lambda: u.setsockopt(0,25,1))
step('bind after connect',lambda: u.bind(('0.0.0.0',77)))
b=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
step('bind foreign',lambda: b.bind(('1.2.3.4',77)))
step('bind mcast',lambda: b.bind(('239.1.2.3',77)))
step('join non mcast',lambda: b.setsockopt(0,35,socket.inet_aton('10.0.0.1')+socket.inet_aton('0.0.0.0')))
step('join no dev',lambda: b.setsockopt(0,35,socket.inet_aton('239.0.0.1')+socket.inet_aton('10.9.9.9')))
step('leave not member',lambda: b.setsockopt(0,36,socket.inet_aton('239.0.0.1')+socket.inet_aton('10.77.0.1')))
def many():
    n=0
    for i in range(30):
        b.setsockopt(0,35,socket.inet_aton('239.0.1.%d'%i)+socket.inet_aton('10.77.0.1')); n+=1
step('join many',many)
step('drop source not there',lambda: b.setsockopt(0,40,socket.inet_aton('239.0.1.1')+socket.inet_aton('10.77.0.1')+socket.inet_aton('1.1.1.1')))
step('block source',lambda: b.setsockopt(0,38,socket.inet_aton('239.0.1.1')+socket.inet_aton('10.77.0.1')+socket.inet_aton('1.1.1.1')))
step('block source again',lambda: b.setsockopt(0,38,socket.inet_aton('239.0.1.1')+socket.inet_aton('10.77.0.1')+socket.inet_aton('1.1.1.1')))
step('block unjoined',lambda: b.setsockopt(0,38,socket.inet_aton('239.0.9.1')+socket.inet_aton('10.77.0.1')+socket.inet_aton('1.1.1.1')))
step('add source on exclude',lambda: b.setsockopt(0,39,socket.inet_aton('239.0.1.1')+socket.inet_aton('10.77.0.1')+socket.inet_aton('1.1.1.2')))
