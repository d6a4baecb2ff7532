#!/usr/bin/env python3
"""The real kernel under a packetdrill script: a network namespace with a TUN device, and system calls in threads.

Spoken to over stdin/stdout, one JSON object a line: {"id": n, "op": ..., ...} in, {"id": n, ...} out; packets that leave come as
{"packet": hex, "time": us}. Times are us of CLOCK_MONOTONIC since {"op": "begin"}.
"""
import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI = 1, 0x1000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN = 1, 2, 4, 8
FIRST_FD = 100

libc = ctypes.CDLL(None, use_errno=True)
out_lock = threading.Lock()
start = 0.0


def now():
    return (time.monotonic() - start) * 1e6


def say(message):
    with out_lock:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


def run(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control'


def allow_cubic():
    """A namespace may only choose what the first one allows."""
    with open(ALLOWED) as f:
        names = f.read().split()
    if 'cubic' not in names:
        with open(ALLOWED, 'w') as f:
            f.write(' '.join(names + ['cubic']))


def setup(config):
    allow_cubic()
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    run('mount --make-rprivate / && mount -t sysfs sysfs /sys')
    tun = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', b'tun0', IFF_TUN | IFF_NO_PI))
    fcntl.ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
    run('ip link set lo up; sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv6.conf.tun0.disable_ipv6=1')
    run(f"ip link set tun0 mtu {config['mtu']} up; ip addr add {config['local_ip']}/{config['prefix']} dev tun0; "
        f"ip route add {config['remote_ip']}/32 dev tun0")
    threading.Thread(target=reader, args=(tun,), daemon=True).start()
    return tun


def reader(tun):
    while True:
        packet = os.read(tun, 70000)
        t = now()
        if packet[0] >> 4 == 4:
            say({'packet': packet.hex(), 'time': t})


def addr(a):
    return (socket.inet_ntoa(struct.pack('>I', a['ip'])), a['port'])


def sock(fd):
    # Python's own flags stay out of it: only the descriptor matters.
    return socket.socket(fileno=fd)


def with_sock(fd, f):
    os.fstat(fd)
    s = sock(fd)
    try:
        return f(s)
    finally:
        s.detach()


epolls = {}


def high(fd):
    """Script descriptors are small numbers: ours stand well above."""
    n = fcntl.fcntl(fd, fcntl.F_DUPFD, FIRST_FD)
    os.close(fd)
    return n


def call(c):
    name, fd = c['call'], c.get('fd', -1)
    if name == 'socket':
        s = socket.socket(c['family'], c['type'], c['protocol'])
        # Python makes descriptors close-on-exec; nothing else differs.
        return {'ret': high(s.detach())}
    if name == 'bind':
        with_sock(fd, lambda s: s.bind(addr(c['addr'])))
        return {'ret': 0}
    if name == 'listen':
        with_sock(fd, lambda s: s.listen(c['backlog']))
        return {'ret': 0}
    if name == 'accept':
        r = libc.accept4(fd, None, None, c['flags'])
        if r < 0:
            raise OSError(ctypes.get_errno(), 'accept')
        return {'ret': high(r)}
    if name == 'connect' and c['addr'] is None:
        # AF_UNSPEC
        if libc.connect(fd, bytes(16), 16) < 0:
            raise OSError(ctypes.get_errno(), 'connect')
        return {'ret': 0}
    if name == 'connect':
        with_sock(fd, lambda s: s.connect(addr(c['addr'])))
        return {'ret': 0}
    if name == 'recv':
        def recv(s):
            if c['control'] or c['flags']:
                data, anc, flags, _ = s.recvmsg(c['len'], 1024 if c['control'] else 0, c['flags'])
                return {'ret': len(data), 'value': list(data), 'msg_flags': flags,
                        'control': [{'level': l, 'type': t, 'data': list(d)} for l, t, d in anc]}
            data = os.read(fd, c['len'])
            return {'ret': len(data), 'value': list(data), 'msg_flags': 0, 'control': []}
        return with_sock(fd, recv)
    if name == 'send':
        data = bytes(c['data']) if c['data'] is not None else None
        if data is not None:
            iov = [data]
        else:
            iov = [bytes(n) for n in c['iov']]
        if c['addr'] is None and c['flags'] == 0 and len(iov) == 1:
            return {'ret': os.write(fd, iov[0])}
        args = (addr(c['addr']),) if c['addr'] is not None else ()
        return {'ret': with_sock(fd, lambda s: s.sendmsg(iov, [], c['flags'], *args))}
    if name == 'setsockopt':
        value = bytes(c['value'])
        r = libc.setsockopt(fd, c['level'], c['optname'], value, len(value))
        if r < 0:
            raise OSError(ctypes.get_errno(), 'setsockopt')
        return {'ret': r}
    if name == 'getsockopt':
        buf = ctypes.create_string_buffer(max(c['len'], 1))
        length = ctypes.c_uint(c['len'])
        r = libc.getsockopt(fd, c['level'], c['optname'], buf, ctypes.byref(length))
        if r < 0:
            raise OSError(ctypes.get_errno(), 'getsockopt')
        return {'ret': 0, 'value': list(buf.raw[:length.value])}
    if name == 'poll':
        p = select.poll()
        for f in c['fds']:
            p.register(f['fd'], f['events'])
        got = dict(p.poll(c['timeout'] if c['timeout'] >= 0 else None))
        return {'ret': len(got), 'revents': [got.get(f['fd'], 0) for f in c['fds']]}
    if name == 'shutdown':
        with_sock(fd, lambda s: s.shutdown(c['how']))
        return {'ret': 0}
    if name == 'close':
        if libc.close(fd) < 0:
            raise OSError(ctypes.get_errno(), 'close')
        return {'ret': 0}
    if name == 'fcntl':
        return {'ret': fcntl.fcntl(fd, c['cmd'], c['arg'])}
    if name == 'ioctl':
        v = fcntl.ioctl(fd, c['cmd'], bytes(4))
        return {'ret': 0, 'value': list(v)}
    if name == 'epoll_create':
        r = libc.epoll_create(1)
        return {'ret': high(r)}
    if name in ('epoll_ctl', 'epoll_wait'):
        # struct epoll_event is packed on x86-64: 4 and 8 bytes.
        if name == 'epoll_ctl':
            ev = struct.pack('<IQ', c['events'], c['fd'])
            if libc.epoll_ctl(c['epfd'], c['op'], c['fd'], ev) < 0:
                raise OSError(ctypes.get_errno(), 'epoll_ctl')
            return {'ret': 0}
        buf = ctypes.create_string_buffer(12 * max(c['maxevents'], 1))
        n = libc.epoll_wait(c['epfd'], buf, c['maxevents'], c['timeout'])
        if n < 0:
            raise OSError(ctypes.get_errno(), 'epoll_wait')
        events = [struct.unpack_from('<IQ', buf.raw, 12 * i) for i in range(n)]
        return {'ret': n, 'events': [{'events': e, 'fd': f} for e, f in events]}
    raise OSError(errno.ENOSYS, name)


def do_call(message):
    try:
        r = call(message['syscall'])
    except OSError as e:
        r = {'ret': -e.errno}
    r['time'] = now()
    r['id'] = message['id']
    say(r)


def main():
    global start
    tun = None
    for line in sys.stdin:
        m = json.loads(line)
        op = m['op']
        if op == 'setup':
            tun = setup(m)
            say({'id': m['id']})
        elif op == 'begin':
            start = time.monotonic()
            say({'id': m['id']})
        elif op == 'inject':
            os.write(tun, bytes.fromhex(m['packet']))
            say({'id': m['id'], 'time': now()})
        elif op == 'command':
            env = dict(os.environ, PACKETDRILL_PID=str(os.getpid()))
            # packetdrill runs commands by system(3): the shell's parent is this process.
            r = subprocess.run(['/bin/sh', '-c', m['script']], cwd=m['cwd'], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            say({'id': m['id'], 'status': r.returncode, 'output': r.stdout.decode(errors='replace')})
        elif op == 'syscall':
            if m['blocking']:
                threading.Thread(target=do_call, args=(m,), daemon=True).start()
            else:
                do_call(m)
        elif op == 'port':
            try:
                port = with_sock(m['fd'], lambda s: s.getsockname()[1])
            except OSError:
                port = 0
            say({'id': m['id'], 'port': port})
    os._exit(0)


main()
