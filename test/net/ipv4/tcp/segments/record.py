#!/usr/bin/env python3
"""Runs scenarios of segments on real Linux, each in a network namespace of its own with a TUN device: record.py SCENARIOS.jsonl > OUT.jsonl

A scenario: {"name", "sysctl": {name: value}, "steps": [{"t": ms, "op": ...}]}; ops: listen, connect, accept, in (seg: flags seq ack len win urg
tos opts), recv, send, shutdown, close, so, err, info, wait. Sequence numbers of the peer are absolute (its ISN is 0), acks relative to our ISN.
To each that is answered alike three times is added "linux": {out: [[step, ms after the step, segment]], res, cnt: counters that changed, drops: reasons}. Needs root.
"""
import ctypes, fcntl, json, os, select, socket, struct, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
LOCAL, REMOTE = socket.inet_aton('192.168.0.1'), socket.inet_aton('192.0.2.1')
FLAG = {'F': 1, 'S': 2, 'R': 4, 'P': 8, '.': 16, 'U': 32, 'E': 64, 'W': 128, 'A': 256}
TRACE = '/sys/kernel/tracing/instances/segments%d'
# Fields of TCP_INFO that do not depend on time: offset and size.
INFO = [('state', 0, 1), ('ca_state', 1, 1), ('retransmits', 2, 1), ('options', 5, 1), ('wscale', 6, 1), ('snd_mss', 16, 4), ('rcv_mss', 20, 4),
        ('unacked', 24, 4), ('sacked', 28, 4), ('pmtu', 60, 4), ('rcv_ssthresh', 64, 4), ('snd_ssthresh', 76, 4), ('snd_cwnd', 80, 4),
        ('advmss', 84, 4), ('rcv_space', 96, 4), ('total_retrans', 100, 4), ('bytes_acked', 120, 8), ('bytes_received', 128, 8),
        ('segs_out', 136, 4), ('segs_in', 140, 4), ('data_segs_in', 152, 4), ('data_segs_out', 156, 4), ('delivered', 192, 4),
        ('dsack_dups', 216, 4), ('rcv_ooopack', 224, 4), ('snd_wnd', 228, 4), ('rcv_wnd', 232, 4), ('received_ce', 248, 4)]


def run(c): subprocess.run(c, shell=True, check=True, stdout=subprocess.DEVNULL)


def csum(b):
    if len(b) & 1: b += b'\0'
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def setup():
    if libc.unshare(0x40000000 | 0x20000): raise OSError(ctypes.get_errno(), 'unshare')
    run('mount --make-rprivate / && mount -t sysfs sysfs /sys && mount -t tracefs tracefs /sys/kernel/tracing')
    tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack('16sH22x', b'tun0', 1 | 0x1000))
    fcntl.ioctl(tun, 0x400454D0, 15)
    run('ip link set lo up; sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv6.conf.tun0.disable_ipv6=1')
    run('ip link set tun0 mtu 1500 up; ip addr add 192.168.0.1/16 dev tun0; ip route add 192.0.2.1/32 dev tun0')
    return tun


def trace_on(d):
    # A packet written to a TUN device is received in its writer's context.
    os.makedirs(d, exist_ok=True)
    open(d + '/events/skb/kfree_skb/filter', 'w').write('common_pid == %d' % os.getpid())
    open(d + '/events/skb/kfree_skb/enable', 'w').write('1')


def trace_read(d):
    return sorted(l.split('reason:')[1].split()[0] for l in open(d + '/trace') if 'kfree_skb:' in l)


def trace_off(d):
    open(d + '/events/skb/kfree_skb/enable', 'w').write('0')
    os.rmdir(d)


def counters():
    o = {}
    for f in ('snmp', 'netstat'):
        rows = open('/proc/net/' + f).read().split('\n')
        for i in range(0, len(rows) - 1, 2):
            k, v = rows[i].split(), rows[i + 1].split()
            if k[0] in ('Tcp:', 'TcpExt:'):
                for a, b in zip(k[1:], v[1:]): o[k[0][:-1] + a] = int(b)
    return o


def options(o, isn, lastts):
    b = bytes.fromhex(o.get('raw', ''))
    if 'mss' in o: b += struct.pack('>BBH', 2, 4, o['mss'])
    if 'sackok' in o: b += b'\x04\x02'
    if 'ts' in o: b += b'\x08\x0a' + struct.pack('>II', o['ts'][0] & 0xffffffff, lastts if o['ts'][1] == 'last' else o['ts'][1])
    if 'ws' in o: b += struct.pack('BBB', 3, 3, o['ws'])
    while len(b) & 3: b = b'\x01' + b
    return b


class Run:
    def __init__(self, tun): self.tun = tun

    def inject(self, g):
        opts = options(g.get('opts') or {}, self.isn, self.lastts)
        fl = sum(FLAG[c] for c in g['flags'])
        ack = ((g.get('ack') or 0) + (self.isn or 0)) & 0xffffffff if '.' in g['flags'] else 0
        th = struct.pack('>HHIIBBHHH', self.rport, self.lport, g['seq'] & 0xffffffff, ack, ((20 + len(opts)) // 4) << 4 | (fl >> 8), fl & 255,
                         g.get('win', 65535), 0, g.get('urg', 0)) + opts
        seg = th + bytes((g['seq'] + i) & 255 for i in range(g.get('len', 0)))
        c = csum(REMOTE + LOCAL + struct.pack('>HH', 6, len(seg)) + seg)
        seg = seg[:16] + struct.pack('>H', c) + seg[18:]
        ih = struct.pack('>BBHHHBBH', 0x45, g.get('tos', 0), 20 + len(seg), 0, 0x4000, 64, 6, 0) + REMOTE + LOCAL
        os.write(self.tun, ih[:10] + struct.pack('>H', csum(ih)) + ih[12:] + seg)

    def poll(self, until):
        while True:
            left = until - time.monotonic()
            if select.select([self.tun], [], [], max(0, left))[0]:
                while True:
                    try: p = os.read(self.tun, 70000)
                    except BlockingIOError: break
                    self.seen(p)
            if left <= 0: return

    def seen(self, p):
        if p[0] >> 4 != 4 or p[9] != 6: return
        th = p[(p[0] & 15) * 4:]
        sp, dp, seq, ack, off, fl, win, _, urg = struct.unpack('>HHIIBBHHH', th[:20])
        fl |= (off & 1) << 8
        if fl & 2: self.isn, self.lport, self.rport = seq, sp, dp
        doff, i, opts = (off >> 4) * 4, 20, []
        while i < doff and th[i] != 0:
            if th[i] == 1:
                opts.append('n')
                i += 1
                continue
            k, n = th[i], th[i + 1]
            v = th[i + 2:i + n]
            if k == 2: opts.append('mss%d' % struct.unpack('>H', v)[0])
            elif k == 3: opts.append('ws%d' % v[0])
            elif k == 4: opts.append('sok')
            elif k == 8:
                self.lastts, ecr = struct.unpack('>II', v)
                opts.append('ts,%d' % ecr)
            elif k == 5: opts.append('sack' + ''.join('[%d,%d]' % struct.unpack('>II', v[j:j + 8]) for j in range(0, len(v), 8)))
            else: opts.append('o%d:%s' % (k, v.hex()))
            i += n
        n = len(th) - doff
        # A reset for a segment without ACK begins at 0.
        rel = 0 if fl & 4 and seq == 0 else (seq - (self.isn or 0)) & 0xffffffff
        self.out.append([self.step, round((time.monotonic() - self.ts) * 1000, 1), '%s %d:%d(%d) ack %d win %d%s <%s>%s' % (
            ''.join(c for c in 'FSRPUEWA.' if fl & FLAG[c]), rel, rel + n, n,
            ack if fl & 16 else 0, win, ' urg%d' % urg if fl & 32 else '', ','.join(opts), ' tos%d' % p[1] if p[1] else '')])

    def run(self, sc, trace):
        self.out, self.isn, self.lastts, self.rport, self.lport, self.step = [], None, 0, 40000, 8080, -1
        for k, v in (sc.get('sysctl') or {}).items(): open('/proc/sys/net/ipv4/' + k, 'w').write(str(v))
        before = counters()
        lst = fd = None
        res, late = [], 0
        open(trace + '/trace', 'w').write('')
        t0 = self.ts = time.monotonic()
        for i, st in enumerate(sc['steps']):
            # Late once, late for the rest: the gaps between steps are what counts.
            self.poll(t0 + st['t'] / 1000 + late)
            late = max(0, time.monotonic() - t0 - st['t'] / 1000)
            self.step, self.ts, op = i, time.monotonic(), st['op']
            try:
                if op in ('listen', 'connect'):
                    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                    s.setblocking(False)
                    for a, b, c in st.get('so', []): s.setsockopt(a, b, c)
                if op == 'listen':
                    lst = s
                    lst.setsockopt(1, 2, 1)
                    lst.bind(('0.0.0.0', self.lport))
                    lst.listen(st.get('backlog', 5))
                elif op == 'connect':
                    fd, self.rport = s, 8080
                    res.append(['connect', fd.connect_ex(('192.0.2.1', 8080))])
                elif op == 'accept':
                    fd, _ = lst.accept()
                    fd.setblocking(False)
                    res.append(['accept', 0])
                elif op == 'in': self.inject(st['seg'])
                elif op == 'recv': res.append(['recv', len(fd.recv(st['n'], st.get('flags', 0)))])
                elif op == 'send': res.append(['send', fd.send(b'x' * st['n'], st.get('flags', 0))])
                elif op == 'shutdown': fd.shutdown(st['how'])
                elif op == 'close': fd.close()
                elif op == 'so': fd.setsockopt(*st['so'])
                elif op == 'err': res.append(['err', fd.getsockopt(1, 4)])
                elif op == 'info':
                    b = fd.getsockopt(6, 11, 280)
                    res.append(['info', {n: int.from_bytes(b[o:o + z], 'little') for n, o, z in INFO}])
            except OSError as e: res.append([op, -e.errno])
        self.poll(time.monotonic() + 0.002)
        time.sleep(0.003)
        drops = trace_read(trace)
        after = counters()
        return {'out': self.out, 'res': res, 'cnt': {k: after[k] - before[k] for k in after if after[k] != before[k]}, 'drops': drops}


def one(sc):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        trace = TRACE % os.getpid()
        try:
            tun = setup()
            trace_on(trace)
            try: o = Run(tun).run(sc, trace)
            finally: trace_off(trace)
            with os.fdopen(w, 'w') as f: json.dump(o, f)
        finally: os._exit(0)
    os.close(w)
    with os.fdopen(r) as f: text = f.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def key(r): return [[o[0], o[2]] for o in r['out']], r['res'], r['cnt'], r['drops']


if __name__ == '__main__':
    for line in open(sys.argv[1]):
        sc = json.loads(line)
        sc.pop('linux', None)
        # Only what does not depend on where in a tick it happens.
        runs = [one(sc) for _ in range(3)]
        if any(key(r) != key(runs[0]) for r in runs): continue
        sc['linux'] = runs[0]
        # The machine may have been busy.
        for i, o in enumerate(runs[0]['out']): o[1] = min(r['out'][i][1] for r in runs)
        print(json.dumps(sc, separators=(',', ':')), flush=True)
