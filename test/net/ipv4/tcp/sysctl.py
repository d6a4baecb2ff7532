#!/usr/bin/env python3
"""What net.ipv4.tcp_* of a fresh network namespace say and take. Prints sysctl.linux.json. Needs root: unshare -n python3 sysctl.py"""
import json, os

D = '/proc/sys/net/ipv4/'
WRITES = ['-32', '-31', '-2', '-1', '0', '1', '2', '3', '4', '5', '31', '32', '47', '48', '127', '128', '255', '256', '257', '300', '301', '999', '1000', '1001',
          '60000', '60001', '65535', '65536', '86400', '86401', '120000', '120001', '8589934', '8589935', '16777216', '16777217', '17179869', '17179870',
          '2147483647', '2147483648', '4294967295', '4294967296', '-8589934', '-8589935', '-2147483648', '', 'x', '1 2', '1 2 3', '0 1 2', '3 2 1', '0x10', '010']
out = {}
for name in sorted(os.listdir(D)):
    if not name.startswith('tcp_'): continue
    path = D + name
    row = {'default': open(path).read().rstrip('\n'), 'takes': {}}
    if not name.endswith('congestion_control') and os.stat(path).st_mode & 0o200 and name != 'tcp_fastopen_key':
        for w in WRITES:
            try:
                with open(path, 'w') as f: f.write(w)
                row['takes'][w] = open(path).read().rstrip('\n')
            except OSError:
                pass
            with open(path, 'w') as f: f.write(row['default'])
    row['mode'] = oct(os.stat(path).st_mode & 0o777)
    out[name] = row
print('{\n\t"linux": "%s",\n\t"rows": {' % os.uname().release.split('-')[0])
print(',\n'.join('\t\t%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in out.items()))
print('\t}\n}')
