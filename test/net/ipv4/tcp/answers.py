#!/usr/bin/env python3
"""Runs answers.txt on real Linux: each scenario in a network namespace of its own. Prints answers.linux.json. Needs root.

  sock N | bind N ADDR PORT | listen N BACKLOG | connect N ADDR PORT | disconnect N | accept L N | pair C S (connected over port 80)
  send N TEXT[*COUNT] [FLAGS] | recv N LEN [FLAGS] | recvc N LEN (with control messages) | shutdown N RD|WR|RDWR | close N
  set N LEVEL OPT INT-OR-HEX(16 digits) | sets N LEVEL OPT STRING | opt N LEVEL OPT LEN | poll N | ioctl N INQ|OUTQ|ATMARK
  state N (of TCP_INFO) | info N (fields of TCP_INFO that do not depend on time) | name N (own and peer's, ports above 1024 as *) | wait MS
"""
import array, errno, fcntl, json, os, re, select, socket, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
LEVEL = {'SOL_SOCKET': 1, 'SOL_TCP': 6, 'SOL_IP': 0}
FLAG = {'OOB': 1, 'PEEK': 2, 'TRUNC': 0x20, 'WAITALL': 0x100, 'MORE': 0x8000, 'EOR': 0x80}
IOCTL = {'INQ': 0x541B, 'OUTQ': 0x5411, 'ATMARK': 0x8905, 'OUTQNSD': 0x894B}
# Offset and size of what does not depend on time.
INFO = [('state', 0, 1), ('ca_state', 1, 1), ('retransmits', 2, 1), ('probes', 3, 1), ('backoff', 4, 1), ('options', 5, 1), ('wscale', 6, 1),
        ('snd_mss', 16, 4), ('rcv_mss', 20, 4), ('unacked', 24, 4), ('sacked', 28, 4), ('lost', 32, 4), ('retrans', 36, 4), ('pmtu', 60, 4),
        ('rcv_ssthresh', 64, 4), ('snd_ssthresh', 76, 4), ('snd_cwnd', 80, 4), ('advmss', 84, 4), ('reordering', 88, 4), ('rcv_space', 96, 4),
        ('total_retrans', 100, 4), ('bytes_acked', 120, 8), ('bytes_received', 128, 8), ('segs_out', 136, 4), ('segs_in', 140, 4),
        ('notsent', 144, 4), ('data_segs_in', 152, 4), ('data_segs_out', 156, 4), ('delivered', 192, 4), ('bytes_sent', 200, 8),
        ('bytes_retrans', 208, 8), ('dsack_dups', 216, 4), ('reord_seen', 220, 4), ('rcv_ooopack', 224, 4), ('snd_wnd', 228, 4), ('rcv_wnd', 232, 4)]


def scenarios():
    title, lines = None, []
    for line in open(os.path.join(HERE, 'answers.txt')):
        line = line.strip()
        if line.startswith('== '):
            if title: yield title, lines
            title, lines = line[3:], []
        elif line and not line.startswith('#'):
            lines.append(line)
    yield title, lines


def counters():
    out = {}
    for f in ('snmp', 'netstat'):
        rows = open('/proc/net/' + f).read().split('\n')
        for i in range(0, len(rows) - 1, 2):
            names, values = rows[i].split(), rows[i + 1].split()
            if names[0] in ('Tcp:', 'TcpExt:'):
                for n, v in zip(names[1:], values[1:]): out[names[0][:-1] + n] = int(v)
    return out


def text(b):
    if len(b) > 40: return '%s... %d' % (b[:8].decode('latin1'), len(b))
    return b.decode('latin1')


def flags(w):
    f = 0
    for x in (w[0].split('|') if w else []): f |= FLAG[x]
    return f


class Run:
    def __init__(self): self.s = {}

    def line(self, w):
        op, a = w[0], w[1:]
        s = self.s.get(a[0]) if a else None
        if op == 'sock':
            s = self.s[a[0]] = socket.socket()
            s.setblocking(False)
            return 0
        if op == 'bind': s.bind((a[1], int(a[2]))); return 0
        if op == 'listen': s.listen(int(a[1])); return 0
        if op == 'connect': s.connect((a[1], int(a[2]))); return 0
        if op == 'disconnect':
            import ctypes
            r = ctypes.CDLL(None, use_errno=True).connect(s.fileno(), bytes(16), 16)
            return r if r == 0 else errno.errorcode[ctypes.get_errno()]
        if op == 'accept':
            c, _ = s.accept()
            c.setblocking(False)
            self.s[a[1]] = c
            return 0
        if op == 'pair':
            for l in ('sock _l', 'bind _l 127.0.0.1 80', 'listen _l 5', 'sock ' + a[0], 'connect %s 127.0.0.1 80' % a[0]):
                try: self.line(l.split())
                except BlockingIOError: pass
            time.sleep(0.02)
            self.line(['accept', '_l', a[1]])
            self.line(['close', '_l'])
            return 0
        if op == 'send':
            m = re.fullmatch(r'(.)\*(\d+)', a[1])
            return s.send(((m[1] * int(m[2])) if m else a[1]).encode(), flags(a[2:]))
        if op == 'recv': 
            f = flags(a[2:])
            if f & FLAG['TRUNC']:
                return s.recv_into(bytearray(int(a[1])), int(a[1]), f)
            return text(s.recv(int(a[1]), f))
        if op == 'recvc':
            d, anc, fl, _ = s.recvmsg(int(a[1]), 256)
            return [text(d), [[l, t, v.hex()] for l, t, v in anc], fl]
        if op == 'shutdown': s.shutdown(('RD', 'WR', 'RDWR').index(a[1])); return 0
        if op == 'close': s.close(); return 0
        if op == 'set':
            v = bytes.fromhex(a[3]) if len(a[3]) == 16 else struct.pack('i', int(a[3]))
            s.setsockopt(LEVEL[a[1]], int(a[2]), v)
            return 0
        if op == 'sets': s.setsockopt(LEVEL[a[1]], int(a[2]), a[3].encode()); return 0
        if op == 'opt': return s.getsockopt(LEVEL[a[1]], int(a[2]), int(a[3])).hex()
        if op == 'poll':
            p = select.poll()
            p.register(s, 0x23ff)
            r = p.poll(0)
            return r[0][1] if r else 0
        if op == 'ioctl':
            b = array.array('i', [0])
            fcntl.ioctl(s, IOCTL[a[1]], b)
            return b[0]
        if op == 'state': return s.getsockopt(6, 11, 1)[0]
        if op == 'info':
            b = s.getsockopt(6, 11, 280)
            return {n: int.from_bytes(b[o:o + z], 'little') for n, o, z in INFO}
        if op == 'name':
            def port(n): return [n[0], n[1] if n[1] < 1025 else '*']
            return [port(s.getsockname()), port(s.getpeername())]
        if op == 'wait': time.sleep(int(a[0]) / 1000); return 0
        raise ValueError(op)


def run(lines):
    subprocess.check_call(['ip', 'link', 'set', 'lo', 'up'])
    open('/proc/sys/net/ipv4/tcp_congestion_control', 'w').write('cubic')
    r, out, before = Run(), [], counters()
    for line in lines:
        try: out.append(r.line(line.split()))
        except OSError as e: out.append(errno.errorcode[e.errno])
        time.sleep(0.05)
    after = counters()
    return {'out': out, 'counters': {k: v - before[k] for k, v in after.items() if v != before[k]}}


if len(sys.argv) > 1 and sys.argv[1] == 'one':
    print(json.dumps(run(json.load(sys.stdin))))
else:
    only = sys.argv[1] if len(sys.argv) > 1 else ''
    rows = {}
    for title, lines in scenarios():
        if only not in title: continue
        p = subprocess.run(['unshare', '-n', sys.executable, __file__, 'one'], input=json.dumps(lines), capture_output=True, text=True)
        if p.returncode: sys.exit(title + ': ' + p.stderr)
        rows[title] = json.loads(p.stdout)
    print('{\n\t"linux": "%s",' % os.uname().release.split('-')[0])
    print('\t"rows": {\n' + ',\n'.join('\t\t%s: %s' % (json.dumps(t), json.dumps(v)) for t, v in rows.items()) + '\n\t}\n}')
