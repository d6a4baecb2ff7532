#!/usr/bin/env python3
"""Plays scripts of segments against the real kernel through a TUN device, and writes what it answered: exchange.linux.json.
As root: python3 exchange.py > exchange.linux.json   (makes and removes network namespaces and a trace instance of its own)
Scripts: exchange_scripts.json. exchange.test.ts plays the same against linnet."""
import ctypes, fcntl, hashlib, json, os, select, socket, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
HOST, PEER, BASE = '192.0.2.1', '192.0.2.2', 1000000
TRACE = '/sys/kernel/tracing/instances/c2x'
SETTLE = 0.025

def csum(b):
    if len(b) & 1: b += b'\0'
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff

def sign(src, dst, tcp, key):
    doff = (tcp[12] >> 4) * 4
    return hashlib.md5(src + dst + struct.pack('!BBH', 0, 6, len(tcp)) + tcp[:16] + b'\0\0' + tcp[18:20] + tcp[doff:] + key.encode()).digest()

class Run:
    def __init__(self):
        self.tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tun, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
        sh('sysctl -qw net.ipv6.conf.tun0.disable_ipv6=1 net.ipv4.tcp_congestion_control=cubic net.ipv4.icmp_ratelimit=0')
        sh('ip addr add 192.0.2.1/24 dev tun0; ip link set tun0 up; ip link set lo up')
        self.isn, self.ts, self.socks = {}, {}, {}

    def options(self, o, key):
        out = b''
        for w in o:
            p = w.split()
            if p[0] == 'mss': out += struct.pack('!BBH', 2, 4, int(p[1]))
            elif p[0] == 'nop': out += b'\1'
            elif p[0] == 'eol': out += b'\0'
            elif p[0] == 'sack': out += b'\4\2'
            elif p[0] == 'ws': out += struct.pack('BBB', 3, 3, int(p[1]))
            elif p[0] == 'ts':
                e = p[2]
                v = (self.ts.get(key, 0) + int(e[1:] or 0)) if e[0] == '=' else int(e)
                out += struct.pack('!BBII', 8, 10, int(p[1]) & 0xffffffff, v & 0xffffffff)
            elif p[0] == 'fo': out += struct.pack('BB', 34, 2 + (len(p[1]) // 2 if len(p) > 1 else 0)) + bytes.fromhex(p[1] if len(p) > 1 else '')
            elif p[0] == 'fo=': out += struct.pack('BB', 34, 10) + self.cookie
            elif p[0] == 'md5': out += b'\x13\x12' + (b'K' * 16 if len(p) > 1 else bytes(16))
            elif p[0] == 'raw': out += bytes.fromhex(p[1])
        return out + b'\0' * (-len(out) % 4)

    def segment(self, s):
        sport, dport = s.get('sport', 5000), s.get('dport', 80)
        key = (sport, dport)
        isn = self.isn.get(key, 0)
        opt = self.options(s.get('opts', []), key)
        flags = sum({'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16, 'U': 32, 'E': 64, 'C': 128}[c] for c in s['f'])
        data = b'x' * s.get('len', 0)
        seq = (BASE + s.get('seq', 0)) & 0xffffffff
        ack = (isn + s['ack']) & 0xffffffff if 'ack' in s else 0
        doff = s.get('doff', 5 + len(opt) // 4)
        tcp = struct.pack('!HHIIBBHHH', sport, dport, seq, ack, doff << 4, flags, s.get('win', 65535), 0, s.get('urg', 0)) + opt + data
        src, dst = socket.inet_aton(s.get('src', PEER)), socket.inet_aton(s.get('dst', HOST))
        if b'K' * 16 in opt: tcp = tcp.replace(b'K' * 16, sign(src, dst, tcp, [w.split()[1] for w in s['opts'] if w.startswith('md5 ')][0]))
        c = csum(src + dst + struct.pack('!BBH', 0, 6, len(tcp)) + tcp) ^ s.get('badsum', 0)
        tcp = tcp[:16] + struct.pack('!H', c) + tcp[18:]
        return self.ip(6, tcp, s.get('ttl', 64), s.get('tos', 0), src, dst)

    def ip(self, proto, payload, ttl=64, tos=0, src=None, dst=None):
        src, dst = src or socket.inet_aton(PEER), dst or socket.inet_aton(HOST)
        h = struct.pack('!BBHHHBBH', 0x45, tos, 20 + len(payload), 7, 0x4000, ttl, proto, 0) + src + dst
        return h[:10] + struct.pack('!H', csum(h)) + h[12:] + payload

    def icmp(self, s):
        sport, dport = s.get('sport', 80), s.get('dport', 5000)
        seq = (self.isn.get((dport, sport), 0) + s.get('seq', 0)) & 0xffffffff
        inner = struct.pack('!BBHHHBBH', 0x45, 0, 40, 1, 0x4000, 63, 6, 0) + socket.inet_aton(HOST) + socket.inet_aton(PEER) + struct.pack('!HHI', sport, dport, seq)
        m = struct.pack('!BBHHH', s['type'], s['code'], 0, 0, s.get('mtu', 0)) + inner
        return self.ip(1, m[:2] + struct.pack('!H', csum(m)) + m[4:])

    def outputs(self, settle=SETTLE):
        out, end = [], time.time() + settle
        while True:
            left = end - time.time()
            if left <= 0 or not select.select([self.tun], [], [], left)[0]: break
            out.append(self.describe(os.read(self.tun, 65536)))
        return out

    def describe(self, p):
        ihl = (p[0] & 15) * 4
        head = ('df ' if p[6] & 0x40 else '') + ('tos %d ' % p[1] if p[1] else '') + ('ttl %d ' % p[8] if p[8] != 64 else '')
        if p[9] != 6: return head + 'proto %d type %d code %d' % (p[9], p[ihl], p[ihl + 1])
        t = p[ihl:]
        sport, dport, seq, ack, doff, fl, win, _, urg = struct.unpack('!HHIIBBHHH', t[:20])
        doff = (doff >> 4) * 4
        key = (dport, sport)
        names = ''.join(c for i, c in enumerate('FSRPAUEC') if fl & (1 << i))
        if 'S' in names: self.isn[key] = seq
        rel = (seq - self.isn.get(key, 0)) & 0xffffffff if key in self.isn else seq
        text = head + '%s %s:%s seq %s' % (names, sport, dport, 'zero' if seq == 0 else rel if rel < 1 << 31 else rel - (1 << 32))
        if fl & 16: text += ' ack %d' % ((ack - BASE) & 0xffffffff)
        text += ' win %d' % win
        if len(t) > doff: text += ' len %d' % (len(t) - doff)
        o = t[20:doff]
        while o:
            k = o[0]
            if k == 0: text += ' eol'; break
            if k == 1: text += ' nop'; o = o[1:]; continue
            v = o[2:o[1]]
            if k == 2: text += ' mss %d' % struct.unpack('!H', v)
            elif k == 3: text += ' ws %d' % v[0]
            elif k == 4: text += ' sackOK'
            elif k == 5: text += ' sack ' + ','.join('%d:%d' % tuple((x - BASE) & 0xffffffff for x in struct.unpack('!II', v[i:i + 8])) for i in range(0, len(v), 8))
            elif k == 8:
                a, b = struct.unpack('!II', v)
                self.ts[key] = a
                text += ' ts ecr %d' % b
            elif k == 34:
                if len(v): self.cookie = v
                text += ' fo %d' % len(v)
            elif k == 19: text += ' md5 ' + ('good' if bytes(v) == sign(p[12:16], p[16:20], t, 'secret') else 'bad')
            else: text += ' opt%d' % k
            o = o[o[1]:]
        return text

    def step(self, s):
        op, r = s['op'], None
        try:
            if op == 'in': os.write(self.tun, self.segment(s))
            elif op == 'icmp': os.write(self.tun, self.icmp(s))
            elif op == 'listen':
                k = socket.socket()
                k.setblocking(False)
                k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.opts(k, s)
                k.bind(('0.0.0.0', s.get('port', 80)))
                k.listen(s.get('backlog', 5))
                self.socks[s.get('as', 'l')] = k
            elif op == 'connect':
                k = socket.socket()
                k.setblocking(False)
                k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.opts(k, s)
                k.bind((HOST, s.get('port', 80)))
                self.socks[s.get('as', 'c')] = k
                k.connect((PEER, s.get('to', 5000)))
            elif op == 'accept':
                k, _ = self.socks['l'].accept()
                k.setblocking(False)
                self.socks[s.get('as', 'c')] = k
            elif op == 'close': self.socks.pop(s.get('what', 'c')).close()
            elif op == 'shutdown': self.socks[s.get('what', 'c')].shutdown(s.get('how', 1))
            elif op == 'send': r = self.socks[s.get('what', 'c')].send(b'y' * s['len'])
            elif op == 'recv': r = len(self.socks[s.get('what', 'c')].recv(65536))
            elif op == 'soerr': r = self.socks[s.get('what', 'c')].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            elif op == 'sysctl': sh('sysctl -qw %s=%s' % (s['name'], s['value']))
            elif op == 'wait': pass
            r = 0 if r is None else r
        except OSError as e: r = -e.errno
        return r, self.outputs(s.get('ms', 0) / 1000 + SETTLE)

    def opts(self, k, s):
        if 'defer' in s: k.setsockopt(6, 9, s['defer'])
        if 'fastopen' in s: k.setsockopt(6, 23, s['fastopen'])
        if 'minttl' in s: k.setsockopt(0, 21, s['minttl'])
        if 'recverr' in s: k.setsockopt(0, 11, 1)
        if 'md5' in s: k.setsockopt(6, 14, struct.pack('<HH4s120xBBHi80s', 2, 0, socket.inet_aton(PEER), 0, 0, len(s['md5']), 0, s['md5'].encode()))
        if 'mss' in s: k.setsockopt(6, 2, s['mss'])
        if 'rcvbuf' in s: k.setsockopt(1, 8, s['rcvbuf'])

def sh(c): subprocess.run(c, shell=True, check=True)

def counters():
    out = {}
    for f in ('snmp', 'netstat'):
        lines = open('/proc/self/net/' + f).read().split('\n')
        for i in range(0, len(lines) - 1, 2):
            n, v = lines[i].split(), lines[i + 1].split()
            if n[0] in ('Tcp:', 'TcpExt:'):
                for a, b in zip(n[1:], v[1:]): out[n[0][:-1] + a] = int(b)
    return out

def play(script):
    libc = ctypes.CDLL(None)
    if libc.unshare(0x40000000) != 0: raise OSError('unshare')
    run = Run()
    before = counters()
    open(TRACE + '/set_event_pid', 'w').write(str(os.getpid()))
    open(TRACE + '/trace', 'w').close()
    open(TRACE + '/events/skb/kfree_skb/enable', 'w').write('1')
    steps = [run.step(s) for s in script['steps']]
    open(TRACE + '/events/skb/kfree_skb/enable', 'w').write('0')
    drops = []
    for line in open(TRACE + '/trace'):
        if 'kfree_skb:' not in line or 'protocol=2048' not in line: continue
        loc = line.split('location=')[1].split('+')[0].split()[0]
        reason = line.split('reason:')[1].strip()
        if loc.startswith(('tcp_', 'cookie_', '__ip', 'sk_', 'inet_', 'reqsk', 'ip_', 'icmp')): drops.append(loc + ' ' + reason)
    after = counters()
    for k in run.socks.values(): k.close()
    return {'steps': steps, 'drops': sorted(drops), 'counters': {k: v - before[k] for k, v in after.items() if v != before[k]}}

if __name__ == '__main__':
    os.makedirs(TRACE, exist_ok=True)
    scripts = json.load(open(HERE + '/exchange_scripts.json'))
    only = sys.argv[1:]
    result = {}
    try:
        for s in scripts:
            if only and s['name'] not in only: continue
            r, w = os.pipe()
            if os.fork() == 0:
                try: data = json.dumps(play(s))
                except BaseException as e: data = json.dumps({'error': repr(e)})
                os.write(w, data.encode())
                os._exit(0)
            os.close(w)
            data = b''
            while True:
                b = os.read(r, 65536)
                if not b: break
                data += b
            os.wait()
            result[s['name']] = json.loads(data)
    finally:
        os.rmdir(TRACE)
    if only: print(json.dumps(result, indent=1))
    else: print('{\n' + ',\n'.join('%s:%s' % (json.dumps(k), json.dumps(v, separators=(',', ':'))) for k, v in result.items()) + '\n}')
