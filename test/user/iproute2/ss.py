#!/usr/bin/env python3
"""What ss says of some sockets on real Linux: writes ss.linux.json. As root:
ip netns add x; ip -n x link set lo up; ip netns exec x python3 ss.py > ss.linux.json; ip netns del x"""
import json, os, socket, subprocess, time
open('/proc/self/comm', 'w').write('python3')

def tcp(port, peer=None):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', port))
    if peer: s.connect(('127.0.0.1', peer))
    return s

l = tcp(8000); l.listen(5)
c1 = tcp(40001, 8000); a1, _ = l.accept()
c1.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
c2 = tcp(40002, 8000); a2, _ = l.accept()
c2.send(b'x' * 100); c2.shutdown(socket.SHUT_WR)
c3 = tcp(40003, 8000); a3, _ = l.accept()
c3.close(); time.sleep(.02); a3.close()
c4 = tcp(40004, 8000)
l2 = socket.socket(); l2.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l2.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 5)
l2.setsockopt(socket.SOL_SOCKET, 25, b'lo\0'); l2.setsockopt(0, 1, 0x10); l2.bind(('0.0.0.0', 80)); l2.listen(1)
u1 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u1.bind(('0.0.0.0', 53))
u2 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u2.bind(('127.0.0.1', 40005)); u2.connect(('127.0.0.1', 5353))
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
time.sleep(.2)
CASES = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ss.cases.json')))
out = {}
for a in CASES:
    p = subprocess.run('ss ' + a, shell=True, capture_output=True, text=True)
    out[a] = [p.stdout, p.stderr, p.returncode]
print(json.dumps(out, indent=0))
