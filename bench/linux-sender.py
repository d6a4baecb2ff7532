# bench/linux-sender.py: sends frames as fast as this kernel takes them.
#   packet: from a packet socket (sendmmsg, no qdisc) into DEV, the far end of the router's veth
#   xdp: the kernel's own generator (BPF_PROG_TEST_RUN with live frames) hands them to DEV, the router's veth, as if they had arrived
# prints how many seconds it took
# usage: linux-sender.py packet|xdp DEV HEX-MAC COUNT CPU
import ctypes
import os
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


def frame(mac, last=1):
    ip = bytearray(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 46, 0, 0x4000, 64, 17, 0, bytes([10, 0, 0, 2]), bytes([10, 1, 0, last])))
    s = sum(struct.unpack('>10H', bytes(ip)))
    while s > 0xFFFF:
        s = (s & 0xFFFF) + (s >> 16)
    ip[10:12] = struct.pack('>H', ~s & 0xFFFF)
    return mac + bytes([2, 0, 0, 0, 1, 2]) + b'\x08\x00' + bytes(ip) + struct.pack('>HHHH', 5000 + last, 9, 26, 0) + bytes(18)


def packet(dev, mac, count):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((dev, 0x800))
    s.setsockopt(263, 20, 1)  # SOL_PACKET, PACKET_QDISC_BYPASS
    batch = 256
    frames = [ctypes.create_string_buffer(frame(mac, i), 60) for i in range(batch)]
    iov = (ctypes.c_uint64 * (2 * batch))()
    msgs = ctypes.create_string_buffer(64 * batch)
    for i, f in enumerate(frames):
        iov[2 * i] = ctypes.addressof(f)
        iov[2 * i + 1] = 60
        struct.pack_into('<QIIQQQQii', msgs, 64 * i, 0, 0, 0, ctypes.addressof(iov) + 16 * i, 1, 0, 0, 0, 0)
    began = time.monotonic()
    while count > 0:
        r = libc.sendmmsg(s.fileno(), msgs, batch, 0)
        if r > 0:
            count -= r
    return time.monotonic() - began


def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr, 152)
    r = libc.syscall(321, cmd, b, len(b))
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r


def insn(op, dst=0, src=0, off=0, imm=0):
    return struct.pack('<BBhi', op, src << 4 | dst, off, imm)


def xdp(dev, mac, count):
    # The kernel uses its pages again and again, and forwarding changed them: the program writes the headers anew, the port at random.
    f = frame(mac)
    stores = b''
    for o in range(0, 44, 4):
        stores += insn(0x62, 2, 0, o, struct.unpack('<i', f[o : o + 4])[0])
    prog = insn(0xBF, 6, 1) + insn(0x85, imm=7) + insn(0x61, 2, 6, 0) + insn(0x61, 3, 6, 4) + insn(0xBF, 4, 2)
    prog += insn(0x07, 4, imm=44) + insn(0x2D, 4, 3, 1 + len(stores) // 8) + stores + insn(0x73, 2, 0, 35)
    prog += insn(0xB7, 0, imm=2) + insn(0x95)
    code = ctypes.create_string_buffer(prog, len(prog))
    text = ctypes.create_string_buffer(b'MIT')
    fd = bpf(5, struct.pack('<IIQQ', 6, len(prog) // 8, ctypes.addressof(code), ctypes.addressof(text)))
    index = socket.if_nametoindex(dev)
    data = ctypes.create_string_buffer(f, len(f))
    ctx = ctypes.create_string_buffer(struct.pack('<IIIIII', 0, len(f), 0, index, 0, 0), 24)
    attr = struct.pack('<IIIIQQIIIIQQIII', fd, 0, len(f), 0, ctypes.addressof(data), 0, count, 0, 24, 0, ctypes.addressof(ctx), 0, 2, 0, 64)
    began = time.monotonic()
    bpf(10, attr)
    return time.monotonic() - began


os.sched_setaffinity(0, {int(sys.argv[5])})
print({'packet': packet, 'xdp': xdp}[sys.argv[1]](sys.argv[2], bytes.fromhex(sys.argv[3].replace(':', '')), int(sys.argv[4])))
