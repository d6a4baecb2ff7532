#!/usr/bin/env python3
"""Records what real iptables (legacy) makes of each rule in rules.txt, targets.txt and more.txt and of each session in sessions.txt.

Run as root on Linux: python3 record.py [rules] [targets] [more] [sessions]. Writes rules.json, targets.json, more.json and sessions.json beside itself."""
import json, os, re, shlex, struct, subprocess, sys
HERE = os.path.dirname(os.path.abspath(__file__))
NS = 'linnet-ipt-record'
ENV = dict(os.environ, LC_ALL='C.UTF-8', XTABLES_LOCKFILE='/tmp/linnet-xtables.lock')

def ns(*argv, stdin=None):
    p = subprocess.run(['ip', 'netns', 'exec', NS, *argv], capture_output=True, input=stdin, env=ENV)
    return p.returncode, p.stdout.decode('utf8', 'replace'), p.stderr.decode('utf8', 'replace')

def fresh():
    subprocess.run(['ip', 'netns', 'del', NS], capture_output=True)
    subprocess.run(['ip', 'netns', 'add', NS], check=True)

def blob(trace):
    """The entries of the last SET_REPLACE."""
    hits = re.findall(r'IPT_SO_SET_REPLACE, "((?:\\x[0-9a-f]{2})*)"', trace)
    return bytes.fromhex(hits[-1].replace('\\x', '')) if hits else b''

def entries(b):
    """Of each rule of a user's making: its matches and target, with revisions and bytes."""
    out = []
    size = struct.unpack_from('<I', b, 40)[0]
    underflow = struct.unpack_from('<5I', b, 64)
    valid = struct.unpack_from('<I', b, 32)[0]
    policies = {underflow[h] for h in range(5) if valid >> h & 1}
    e = 0
    while e < size:
        o = 96 + e
        toff, noff = struct.unpack_from('<HH', b, o + 88)
        exts = []
        p = 112
        while p < toff:
            msize = struct.unpack_from('<H', b, o + p)[0]
            name = b[o + p + 2:o + p + 31].split(b'\0')[0].decode()
            exts.append([name, b[o + p + 31], b[o + p + 32:o + p + msize].hex()])
            p += msize
        tsize = struct.unpack_from('<H', b, o + toff)[0]
        name = b[o + toff + 2:o + toff + 31].split(b'\0')[0].decode()
        target = [name, b[o + toff + 31], b[o + toff + 32:o + toff + tsize].hex()]
        if e not in policies and name != 'ERROR':
            out.append({'ip': b[o:o + 84].hex(), 'matches': exts, 'target': target})
        e += noff
    return out

def rules(name='rules'):
    out = []
    for line in open(os.path.join(HERE, name + '.txt'), encoding='utf8'):
        line = line.rstrip('\n')
        if not line or line.startswith('#'):
            continue
        table, chain, *args = shlex.split(line)
        fresh()
        ns('iptables-legacy', '-t', table, '-N', 'user')
        rc, so, se = ns('strace', '-f', '-e', 'trace=setsockopt', '-xx', '-s', '65535', '-o', '/tmp/linnet-ipt.trace',
                        'iptables-legacy', '-t', table, '-A', chain, *args)
        item = {'line': line, 'status': rc, 'stderr': se}
        if rc == 0:
            made = [e for e in entries(blob(open('/tmp/linnet-ipt.trace').read()))]
            item['entries'] = made[:-1]
            item['save'] = [l for l in ns('iptables-legacy-save', '-c', '-t', table)[1].split('\n') if ' -A ' in l]
            item['numeric'] = ns('iptables-legacy', '-t', table, '-nvL', chain)[1]
            item['list'] = ns('iptables-legacy', '-t', table, '-L', chain)[1]
        out.append(item)
    return out

def sessions():
    out = []
    text = open(os.path.join(HERE, 'sessions.txt'), encoding='utf8').read()
    for part in text.split('\n== ')[1:]:
        name, _, body = part.partition('\n')
        fresh()
        steps = []
        lines = body.split('\n')
        i = 0
        while i < len(lines):
            line = lines[i]
            i += 1
            if not line or line.startswith('#'):
                continue
            stdin = None
            m = re.search(r' <<(\w+)$', line)
            if m:
                line = line[:m.start()]
                stdin = ''
                while lines[i] != m.group(1):
                    stdin += lines[i] + '\n'
                    i += 1
                i += 1
            argv = shlex.split(line)
            prog = {'iptables': 'iptables-legacy', 'iptables-save': 'iptables-legacy-save',
                    'iptables-restore': 'iptables-legacy-restore'}[argv[0]]
            rc, so, se = ns(prog, *argv[1:], stdin=None if stdin is None else stdin.encode())
            steps.append({'argv': argv, 'stdin': stdin, 'status': rc, 'stdout': so, 'stderr': se})
        out.append({'name': name, 'steps': steps})
    return out

if __name__ == '__main__':
    try:
        what = sys.argv[1:] or ['rules', 'targets', 'more', 'sessions']
        for w in what:
            data = {'rules': rules, 'targets': lambda: rules('targets'), 'more': lambda: rules('more'), 'sessions': sessions}[w]()
            with open(os.path.join(HERE, w + '.json'), 'w', encoding='utf8') as f:
                f.write('[\n' + ',\n'.join(json.dumps(d, ensure_ascii=False) for d in data) + '\n]\n')
    finally:
        subprocess.run(['ip', 'netns', 'del', NS], capture_output=True)
