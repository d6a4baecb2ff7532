#!/usr/bin/env python3
"""Records what the real programs print: record.py FILE.txt... writes FILE.json beside each.

A line is "HOST: command". The hosts a, r, b are network namespaces in a row: a 10.0.1.2 - 10.0.1.1 r 10.0.2.1 - 10.0.2.2 b.
Needs root. Namespaces are called rec-*, and removed at the end.
"""
import json
import subprocess
import sys
import time

HOSTS = ['a', 'r', 'b']
ENV = {'LC_ALL': 'C', 'TZ': 'UTC', 'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'}
SETUP = """
link add eth0 netns rec-a address 02:00:00:00:00:01 type veth peer name eth0 netns rec-r address 02:00:00:01:00:01
link add eth1 netns rec-r address 02:00:00:01:01:01 type veth peer name eth0 netns rec-b address 02:00:00:02:00:01
-n rec-a addr add 10.0.1.2/24 dev eth0
-n rec-r addr add 10.0.1.1/24 dev eth0
-n rec-r addr add 10.0.2.1/24 dev eth1
-n rec-b addr add 10.0.2.2/24 dev eth0
-n rec-a link set eth0 up
-n rec-r link set eth0 up
-n rec-r link set eth1 up
-n rec-b link set eth0 up
-n rec-a route add default via 10.0.1.1
-n rec-b route add default via 10.0.2.1
"""


def inside(host, command):
    return ['ip', 'netns', 'exec', f'rec-{host}', 'sh', '-c', command]


def clean():
    for h in HOSTS:
        subprocess.run(['ip', 'netns', 'del', f'rec-{h}'], stderr=subprocess.DEVNULL)


def record(path):
    clean()
    for h in HOSTS:
        subprocess.run(['ip', 'netns', 'add', f'rec-{h}'], check=True)
        subprocess.run(inside(h, 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up'), check=True)
    for line in SETUP.strip().splitlines():
        subprocess.run(['ip', *line.split()], check=True)
    subprocess.run(inside('r', 'sysctl -qw net.ipv4.ip_forward=1'), check=True)
    time.sleep(0.5)
    out = []
    for line in open(path):
        host, command = line.rstrip('\n').split(': ', 1)
        r = subprocess.run(inside(host, command), env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        out.append({'host': host, 'command': command, 'stdout': r.stdout, 'stderr': r.stderr, 'status': r.returncode})
    with open(path.removesuffix('.txt') + '.json', 'w') as f:
        json.dump(out, f, indent=1)
        f.write('\n')


try:
    for p in sys.argv[1:]:
        record(p)
finally:
    clean()
