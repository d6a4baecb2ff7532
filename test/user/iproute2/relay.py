"""System calls for a program of linnet's that is to talk to the real kernel: one JSON request a line, one answer a line.

Started by compare.ts inside a network namespace; reads from the FIFO argv[1], answers to argv[2].
"""
import ctypes
import fcntl
import json
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
socks = {}


def call(op, a):
    if op == 'socket':
        s = socket.socket(a[0], a[1] & 15, a[2])
        socks[s.fileno()] = s
        return s.fileno()
    if op == 'bind':
        socks[a[0]].bind((a[1], a[2]))
        return 0
    if op == 'getsockname':
        return list(socks[a[0]].getsockname())
    if op == 'setsockopt':
        socks[a[0]].setsockopt(a[1], a[2], bytes.fromhex(a[3]))
        return 0
    if op == 'send':
        return socks[a[0]].sendto(bytes.fromhex(a[1]), (0, 0))
    if op == 'recv':
        size = a[1] if a[1] > 0 else 1
        s = socks[a[0]]
        s.settimeout(2)
        data, _, flags, addr = s.recvmsg(size, 0, a[2] & ~0x40)
        if a[2] & 0x20:
            return {'len': len(s.recvmsg(65536, 0, 2)[0]) if a[2] & 2 else len(data), 'data': '', 'pid': addr[0], 'groups': addr[1]}
        return {'len': len(data), 'data': data.hex(), 'pid': addr[0], 'groups': addr[1]}
    if op == 'close':
        if a[0] in socks:
            socks.pop(a[0]).close()
        else:
            os.close(a[0])
        return 0
    if op == 'open':
        return os.open(a[0], os.O_RDONLY)
    if op == 'setns':
        if libc.setns(a[0], CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), 'setns')
        return 0
    if op == 'ioctl':
        fcntl.ioctl(a[0], a[1], bytes.fromhex(a[2]))
        return 0
    if op == 'ino':
        return os.fstat(a[0]).st_ino
    if op == 'read':
        with open(a[0], 'rb') as f:
            return f.read().hex()
    if op == 'readdir':
        return os.listdir(a[0]) if a[0].startswith(('/run/netns', '/var/run/netns')) else sorted(os.listdir(a[0]))
    raise OSError(38, op)


with open(sys.argv[1]) as req, open(sys.argv[2], 'w', buffering=1) as ans:
    for line in req:
        op, args = json.loads(line)
        try:
            r = call(op, args)
        except socket.timeout:
            r = {'errno': 4}
        except OSError as e:
            r = {'errno': e.errno or 22}
        except (KeyError, ValueError, OverflowError):
            r = {'errno': 22}
        ans.write(json.dumps(r) + '\n')
