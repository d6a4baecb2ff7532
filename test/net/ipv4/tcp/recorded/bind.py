#!/usr/bin/env python3
"""Who may bind which port beside whom, as the kernel says: writes bind.linux.json. Run as root: ip netns exec NS python3 bind.py > bind.linux.json
(NS: a fresh namespace with lo up and 10.9.9.1/24 on it)."""
import errno, itertools, json, socket, sys

ADDRS = ['0.0.0.0', '127.0.0.1', '10.9.9.1']
PORT = 4000

def opts(s, o):
    if 'r' in o: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if 'p' in o: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

def attempt(f):
    try:
        f()
        return 0
    except OSError as e:
        return -e.errno

cases = []
for o1, l1, a1, o2, l2, a2 in itertools.product(['', 'r', 'p', 'rp'], [0, 1], ADDRS, ['', 'r', 'p', 'rp'], [0, 1], ADDRS[:2]):
    s1 = socket.socket(); s2 = socket.socket()
    opts(s1, o1); opts(s2, o2)
    r = [attempt(lambda: s1.bind((a1, PORT)))]
    if l1: r.append(attempt(lambda: s1.listen(5)))
    b2 = attempt(lambda: s2.bind((a2, PORT)))
    r.append(b2)
    if l2 and b2 == 0:
        r.append(attempt(lambda: s2.listen(5)))
        if not l1: r.append(attempt(lambda: s1.listen(5)))
    cases.append({'kind': 'two', 'o1': o1, 'l1': l1, 'a1': a1, 'o2': o2, 'l2': l2, 'a2': a2, 'r': r})
    s1.close(); s2.close()

# What a server leaves behind: an established child, then TIME_WAIT on its side.
for o1, o2, a2, tw in itertools.product(['', 'r', 'p', 'rp'], ['', 'r', 'p', 'rp'], ADDRS[:2], [0, 1]):
    port = PORT + 1 + len(cases)
    l = socket.socket(); opts(l, o1); l.bind(('127.0.0.1', port)); l.listen(5)
    c = socket.create_connection(('127.0.0.1', port)); a, _ = l.accept()
    l.close()
    if tw:
        a.close(); c.close()
    s2 = socket.socket(); opts(s2, o2)
    r = [attempt(lambda: s2.bind((a2, port)))]
    if r[0] == 0: r.append(attempt(lambda: s2.listen(5)))
    cases.append({'kind': 'left', 'o1': o1, 'o2': o2, 'a2': a2, 'tw': tw, 'port': port, 'r': r})
    s2.close()
    if not tw: c.close(); a.close()

# What a client leaves behind: its port was chosen by connect.
for o2, a2, tw in itertools.product(['', 'r', 'p', 'rp'], ADDRS[:2], [0, 1]):
    port = PORT + 1 + len(cases)
    l = socket.socket(); l.bind(('127.0.0.1', port)); l.listen(5)
    c = socket.create_connection(('127.0.0.1', port)); a, _ = l.accept()
    cport = c.getsockname()[1]
    if tw:
        c.close(); a.close()
    s2 = socket.socket(); opts(s2, o2)
    r = [attempt(lambda: s2.bind((a2, cport)))]
    if r[0] == 0: r.append(attempt(lambda: s2.listen(5)))
    cases.append({'kind': 'client', 'o2': o2, 'a2': a2, 'tw': tw, 'port': port, 'r': r})
    s2.close(); l.close()
    if not tw: c.close(); a.close()

# connect from a bound port, to the same peer twice.
for o1, o2, a1, a2 in itertools.product(['', 'r', 'p', 'rp'], ['', 'r', 'p', 'rp'], ADDRS[:2], ADDRS[:2]):
    port = PORT + 1 + len(cases)
    l = socket.socket(); l.bind(('127.0.0.1', port)); l.listen(5)
    s1 = socket.socket(); s2 = socket.socket(); opts(s1, o1); opts(s2, o2)
    r = [attempt(lambda: s1.bind((a1, port + 20000)))]
    r.append(attempt(lambda: s2.bind((a2, port + 20000))))
    r.append(attempt(lambda: s1.connect(('127.0.0.1', port))))
    if r[1] == 0: r.append(attempt(lambda: s2.connect(('127.0.0.1', port))))
    cases.append({'kind': 'bound', 'o1': o1, 'o2': o2, 'a1': a1, 'a2': a2, 'port': port, 'r': r})
    s1.close(); s2.close(); l.close()
json.dump(cases, sys.stdout, separators=(',', ':'))
print()
