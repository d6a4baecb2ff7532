#!/usr/bin/env python3
"""The Linux side of a twin scenario: hosts are network namespaces, NICs are TAP devices, and this process is every cable and switch.

Spoken to over stdin/stdout, one JSON object a line: {"op": ..., ...} in, {"ok": true, ...} or {"ok": false, "error": ...} out.

Three processes: the *keeper* (outermost; owns what a dying process can't take along: the trace instance and the
nf_log_all_netns switch), the *agent* (pid 1 of its own pid namespace, so that its death kills all that it started), and
the commands that it runs. When stdin closes, everything ends.
"""

import ctypes
import errno
import fcntl
import json
import os
import re
import select
import selectors
import signal
import socket
import struct
import sys
import time

TRACING = '/sys/kernel/tracing'
NF_LOG = '/proc/sys/net/netfilter/nf_log_all_netns'

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x04000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
TUNSETIFF, TUNSETCARRIER = 0x400454CA, 0x400454E2
IFF_TAP, IFF_NO_PI = 0x2, 0x1000
SIOCSIFFLAGS, SIOCGIFFLAGS, SIOCSIFMTU, SIOCSIFHWADDR = 0x8914, 0x8913, 0x8922, 0x8924
IFF_UP = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f'{what}: {os.strerror(number)}')


def unshare(flags):
    check(libc.unshare(flags), 'unshare')


def setns(fd, kind):
    check(libc.setns(fd, kind), 'setns')


def mount(source, target, kind=None, flags=0, data=None):
    enc = lambda s: None if s is None else s.encode()
    check(libc.mount(enc(source), enc(target), enc(kind), ctypes.c_ulong(flags), enc(data)), f'mount {target}')


def umount(target):
    libc.umount2(target.encode(), MNT_DETACH)


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


# ---------------------------------------------------------------------------------------------------- tracing

def trace_sweep():
    """Remove trace instances whose keeper was killed before it could."""
    try:
        names = os.listdir(f'{TRACING}/instances')
    except OSError:
        return
    for name in names:
        m = re.fullmatch(r'linnet-(\d+)', name)
        if m and not os.path.exists(f'/proc/{m[1]}'):
            try:
                os.rmdir(f'{TRACING}/instances/{name}')
            except OSError:
                pass


def trace_open():
    """Our own trace instance, so that nobody else's tracing is disturbed. Returns its folder."""
    if not os.path.exists(f'{TRACING}/instances'):
        mount('nodev', TRACING, 'tracefs')
    trace_sweep()
    folder = f'{TRACING}/instances/linnet-{os.getpid()}'
    os.mkdir(folder)
    write(f'{folder}/buffer_size_kb', '8192')
    write(f'{folder}/events/kmem/kmem_cache_alloc/filter', 'name == "skbuff_head_cache" || name == "skbuff_fclone_cache"')
    write(f'{folder}/trace_clock', 'global')
    for event in ('sched/sched_process_fork', 'kmem/kmem_cache_alloc', 'net/netif_receive_skb_entry', 'net/napi_gro_receive_entry',
                  'skb/consume_skb', 'skb/kfree_skb'):
        write(f'{folder}/events/{event}/enable', '1')
    return folder


EVENT = re.compile(r'-(\d+)\s+\[(\d+)\]\s+(\S+)\s+([\d.]+): (\w+): (.*)')
DROP = re.compile(r'skbaddr=(\S+) (?:rx_sk=\S+ )?protocol=(\d+) location=(\S+?)(?:\+\S*)? reason: (\S+)')


class Trace:
    """Reads the drops of our own tasks out of the instance.

    A drop is ours when its buffer was allocated or received in one of our tasks (timers run anywhere), or when nothing is known of
    the buffer and the task it happened in is ours: a TAP's softirq runs inside the write() that brought the frame. What a real NIC
    received (NAPI) while one of our tasks was interrupted is not ours.
    """

    def __init__(self, folder, agent_pid):
        self.folder = folder
        self.fd = os.open(f'{folder}/trace_pipe', os.O_RDONLY | os.O_NONBLOCK)
        self.agent = agent_pid
        self.ours = {agent_pid}
        self.buffers = {}
        self.drops = []
        self.rest = b''

    def poll(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno == errno.EAGAIN:
                    return
                raise
            if not data:
                return
            lines = (self.rest + data).split(b'\n')
            self.rest = lines.pop()
            for line in lines:
                self.line(line.decode('utf-8', 'replace'))

    def line(self, text):
        m = EVENT.search(text)
        if not m:
            return
        pid, flags, event, rest = int(m[1]), m[3], m[5], m[6]
        mine = pid in self.ours
        if event == 'sched_process_fork':
            child = re.search(r' child_pid=(\d+)', rest)
            if child and int(child[1]) != self.agent:
                (self.ours.add if mine else self.ours.discard)(int(child[1]))
        elif event == 'kmem_cache_alloc':
            self.note(r' ptr=(\S+)', rest, mine)
        elif event == 'netif_receive_skb_entry':
            m = re.search(r' skbaddr=(\S+)', rest)
            if m and ' napi_id=0x0 ' in rest and (mine or m[1] not in self.buffers):
                self.buffers[m[1]] = mine
        elif event == 'napi_gro_receive_entry':
            if ' napi_id=0x0 ' not in rest:
                self.note(r' skbaddr=(\S+)', rest, False)
        elif event == 'consume_skb':
            m = re.match(r'skbaddr=(\S+)', rest)
            if m:
                self.buffers.pop(m[1], None)
        elif event == 'kfree_skb':
            m = DROP.search(rest)
            if m and self.buffers.pop(m[1], mine):
                # protocol 0: netlink, unix and other messages that are not packets.
                if m[2] != '0':
                    self.drops.append({'reason': m[4], 'at': m[3], 'protocol': int(m[2])})

    def note(self, pattern, text, mine):
        m = re.search(pattern, text)
        if m:
            self.buffers[m[1]] = mine

    def lost(self):
        """Events that the rings had no room for: the machine was too busy to tell what was dropped."""
        return sum(int(n) for cpu in os.listdir(f'{self.folder}/per_cpu')
                   for n in re.findall(r'^(?:overrun|dropped events): (\d+)', read(f'{self.folder}/per_cpu/{cpu}/stats'), re.M))

    def take(self):
        self.poll()
        drops, self.drops = self.drops, []
        return drops


# ---------------------------------------------------------------------------------------------------- hosts

# The kernel's own defaults of the per-device IPv4 settings: a new namespace copies 'all' and 'default' from the
# initial one (net.core.devconf_inherit_init_net), where a distribution may have changed them. All others are 0.
DEVCONF = {
    'accept_redirects': '1', 'arp_evict_nocarrier': '1', 'igmpv2_unsolicited_report_interval': '10000',
    'igmpv3_unsolicited_report_interval': '1000', 'secure_redirects': '1', 'send_redirects': '1', 'shared_media': '1',
}
DEVCONF_DEFAULT = {'accept_source_route': '1'}
DEVCONF_LO = {'disable_policy': '1', 'disable_xfrm': '1'}

IP_WRAPPER = '''#!/bin/sh
if [ "$1" = netns ] && [ "$2" = add ]; then
	/usr/sbin/ip "$@" || exit
	exec /usr/sbin/ip netns exec "$3" sh -c 'for d in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$d/disable_ipv6; done'
fi
exec /usr/sbin/ip "$@"
'''

LEGACY = ('iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save', 'ip6tables-restore')


def devconf_defaults():
    for dev, extra in (('all', {}), ('default', DEVCONF_DEFAULT), ('lo', DEVCONF_DEFAULT | DEVCONF_LO)):
        folder = f'/proc/sys/net/ipv4/conf/{dev}'
        for key in sorted(os.listdir(folder)):
            value = (DEVCONF | extra).get(key, '0')
            path = f'{folder}/{key}'
            # 'forwarding' of one device would set the others too: only write what differs.
            if read(path).strip() != value:
                try:
                    write(path, value)
                except OSError:
                    pass


class Host:
    """One machine: network, mount and UTS namespaces, held by file descriptors."""

    def __init__(self, name, ipv6):
        self.name = name
        r, w = os.pipe()
        back_r, back_w = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(r)
                os.close(back_w)
                self.furnish(ipv6)
                os.write(w, b'ok')
                os.read(back_r, 1)
                os._exit(0)
            except BaseException as e:
                os.write(w, f'{type(e).__name__}: {e}'.encode())
                os._exit(1)
        os.close(w)
        os.close(back_r)
        said = os.read(r, 4096)
        os.close(r)
        if said != b'ok':
            os.waitpid(pid, 0)
            raise RuntimeError(f'host {name}: {said.decode()}')
        self.net = os.open(f'/proc/{pid}/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        self.mnt = os.open(f'/proc/{pid}/ns/mnt', os.O_RDONLY | os.O_CLOEXEC)
        self.uts = os.open(f'/proc/{pid}/ns/uts', os.O_RDONLY | os.O_CLOEXEC)
        os.close(back_w)
        os.waitpid(pid, 0)

    def furnish(self, ipv6):
        unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS)
        socket.sethostname(self.name)
        mount(None, '/', None, MS_REC | MS_PRIVATE)
        umount('/sys')
        mount('sysfs', '/sys', 'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC)
        # What a machine of its own has to itself: /run (namespaces by name, the xtables lock), /tmp and /root.
        for folder in ('/run', '/tmp', '/root'):
            mount('tmpfs', folder, 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=755')
        os.makedirs('/run/linnet/bin')
        for name in LEGACY:
            if os.path.exists('/usr/sbin/xtables-legacy-multi'):
                os.symlink('/usr/sbin/xtables-legacy-multi', f'/run/linnet/bin/{name}')
        if not ipv6:
            # Namespaces that a scenario makes inside of a host come up with IPv6 off too.
            write('/run/linnet/bin/ip', IP_WRAPPER)
            os.chmod('/run/linnet/bin/ip', 0o755)
        # No name server: a name that is not in /etc/hosts is unknown, and nobody asks the network.
        for path, text in (('/etc/hosts', '127.0.0.1\tlocalhost\n'), ('/etc/resolv.conf', ''), ('/etc/nsswitch.conf', 'hosts: files\nnetworks: files\n')):
            if os.path.exists(path):
                copy = '/run/linnet/' + os.path.basename(path)
                write(copy, text)
                mount(copy, os.path.realpath(path), None, MS_BIND)
        devconf_defaults()
        if os.path.exists('/proc/sys/net/ipv6') and not ipv6:
            for dev in ('all', 'default', 'lo'):
                write(f'/proc/sys/net/ipv6/conf/{dev}/disable_ipv6', '1')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            set_up(s, 'lo')

    def enter(self):
        """In a forked child: become a process of this host."""
        setns(self.net, CLONE_NEWNET)
        setns(self.uts, CLONE_NEWUTS)
        setns(self.mnt, CLONE_NEWNS)


def set_up(s, name):
    request = struct.pack('16sH14x', name.encode(), 0)
    flags = struct.unpack('16sH14x', fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
    fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack('16sH14x', name.encode(), flags | IFF_UP))


class Nic:
    """A TAP device in a host's namespace. Frames that the host sends are read from fd; what is written to fd arrives."""

    def __init__(self, agent, host, name, mac, mtu):
        self.host, self.name, self.end = host, name, f'{host.name}:{name}'
        self.link = None
        self.number = len(agent.nics)
        setns(host.net, CLONE_NEWNET)
        try:
            self.fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                hw = bytes.fromhex(mac.replace(':', ''))
                fcntl.ioctl(s, SIOCSIFHWADDR, struct.pack('16sH6s16x', name.encode(), 1, hw))
                fcntl.ioctl(s, SIOCSIFMTU, struct.pack('16si20x', name.encode(), mtu))
                # The carrier comes after the device is up, as on a NIC whose cable is found: operstate is then UP.
                fcntl.ioctl(self.fd, TUNSETCARRIER, struct.pack('i', 0))
                set_up(s, name)
                fcntl.ioctl(self.fd, TUNSETCARRIER, struct.pack('i', 1))
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.raw.bind((name, 0))
        finally:
            setns(agent.netns, CLONE_NEWNET)

    def put(self, frame):
        try:
            os.write(self.fd, frame)
        except OSError:
            pass  # the device is down, or the frame is no frame: as on a cable, nobody hears of it


def address(text):
    host, port = text.rsplit(':', 1)
    return host, int(port)


LEVELS = {'SO_': socket.SOL_SOCKET, 'IP_': socket.SOL_IP}
# Names that python's socket module lacks.
OPTIONS = {'IP_MTU_DISCOVER': 10, 'IP_RECVERR': 11, 'IP_RECVTTL': 12, 'IP_RECVTOS': 13, 'IP_MTU': 14, 'IP_FREEBIND': 15, 'IP_PKTINFO': 8,
           'IP_TRANSPARENT': 19, 'IP_RECVORIGDSTADDR': 20, 'IP_MINTTL': 21, 'IP_MULTICAST_ALL': 49}


def set_option(s, name, value):
    level = LEVELS[name[:3]]
    number = OPTIONS.get(name) or getattr(socket, name)
    if name == 'SO_BINDTODEVICE':
        value = value.encode() + b'\0'
    elif name in ('IP_ADD_MEMBERSHIP', 'IP_DROP_MEMBERSHIP', 'IP_MULTICAST_IF'):
        group, _, dev = value.rpartition(' ')
        value = struct.pack('4s4si', socket.inet_aton(group or '0.0.0.0'), bytes(4), socket.if_nametoindex(dev))
    s.setsockopt(level, number, value)


def describe_control(message):
    level, kind, data = message
    if level != socket.SOL_IP:
        return ''
    if kind == 2:
        return f' ttl {struct.unpack("i", data)[0]}'
    if kind == 1:
        return f' tos {data[0]}'
    if kind == 8:
        index, local, destination = struct.unpack('i4s4s', data)
        return f' pktinfo {socket.if_indextoname(index)} {socket.inet_ntoa(local)} {socket.inet_ntoa(destination)}'
    if kind == 11:
        number, origin, icmp_type, code, _, info, _ = struct.unpack('=IBBBBII', data[:16])
        family, port, offender = struct.unpack('=HH4s', data[16:24])
        who = socket.inet_ntoa(offender) if family == socket.AF_INET else '-'
        return f' error {errno.errorcode[number]} {["none", "local", "icmp"][origin]} type {icmp_type} code {code} info {info} by {who}'
    return f' control {kind}'


class Cable:
    def __init__(self, nics):
        self.nics = nics

    def targets(self, nic, frame):
        return [n for n in self.nics if n is not nic]


class Switch:
    """Learns the source address of every frame; floods what it doesn't know."""

    def __init__(self, nics):
        self.nics = nics
        self.table = {}

    def targets(self, nic, frame):
        dst, src = frame[0:6], frame[6:12]
        if len(src) == 6 and not src[0] & 1:
            self.table[src] = nic
        out = None if dst[:1] and dst[0] & 1 else self.table.get(dst)
        if out is nic:
            return []
        return [out] if out else [n for n in self.nics if n is not nic]


class Job:
    def __init__(self, pid, out, err):
        self.pid, self.out, self.err, self.status = pid, out, err, None

    def result(self):
        texts = []
        for fd in (self.out, self.err):
            os.lseek(fd, 0, os.SEEK_SET)
            data = b''
            while chunk := os.read(fd, 1 << 20):
                data += chunk
            os.close(fd)
            texts.append(data.decode('utf-8', 'replace'))
        return {'stdout': texts[0], 'stderr': texts[1], 'status': self.status}

    def text(self):
        return b''.join(os.pread(fd, 1 << 16, 0) for fd in (self.out, self.err))


class Agent:
    def __init__(self, trace_folder, pid):
        self.trace = Trace(trace_folder, pid) if trace_folder else None
        self.netns = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        self.hosts, self.nics, self.frames, self.jobs, self.sockets = {}, {}, [], {}, {}
        self.waiting = {}
        self.base = {}
        self.selector = selectors.DefaultSelector()
        self.gone = select.poll()
        self.gone.register(0, 0)  # a hang-up is always told
        self.kmsg = None

    # ------------------------------------------------------------------ wires

    def relay(self, timeout):
        """Carry frames for as long as there are any; returns whether there was one within timeout seconds."""
        if self.gone.poll(0):
            os._exit(0)  # nobody listens any more: the kernel ends all that we started
        # As in a world without delays: first all frames that are on their way, in order of device, then their arrival.
        flying = []
        for nic in sorted((key.data for key, _ in self.selector.select(timeout)), key=lambda n: n.number):
            while True:
                try:
                    flying.append((nic, os.read(nic.fd, 65600)))
                except OSError:
                    break
        for nic, frame in flying:
            targets = nic.link.targets(nic, frame) if nic.link else []
            self.frames.append([time.monotonic(), nic.end, [t.end for t in targets], frame.hex()])
            for target in targets:
                target.put(frame)
        return len(flying) > 0

    def settle(self, quiet):
        """Wait until no frame has moved for `quiet` seconds."""
        end = time.monotonic() + quiet
        while (left := end - time.monotonic()) > 0:
            if self.relay(left):
                end = time.monotonic() + quiet

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.relay(min(left, 0.1))
            if self.trace:
                self.trace.poll()

    # ------------------------------------------------------------------ processes

    def spawn(self, host, script):
        out, err = (os.memfd_create(n, os.MFD_CLOEXEC) for n in ('out', 'err'))
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                host.enter()
                os.chdir('/root')
                null = os.open('/dev/null', os.O_RDONLY)
                os.dup2(null, 0)
                # Re-opened, so that "2>&1 >file" and appending behave as with a file of one's own.
                os.dup2(out, 1)
                os.dup2(err, 2)
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                env = {
                    'PATH': '/run/linnet/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC', 'HOME': '/root',
                    'COLUMNS': '200', 'TERM': 'dumb', 'USER': 'root', 'LOGNAME': 'root',
                }
                os.execve('/bin/bash', ['bash', '-c', script], env)
            except BaseException as e:
                os.write(2, f'oracle: {e}\n'.encode())
                os._exit(127)
        job = Job(pid, out, err)
        self.waiting[pid] = job
        return job

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self.waiting.pop(pid, None)
            if job:
                job.status = os.waitstatus_to_exitcode(status)

    def finish_job(self, job, timeout):
        end = time.monotonic() + timeout
        nap = 0.001
        while job.status is None:
            self.reap()
            if job.status is not None:
                return
            if time.monotonic() > end:
                self.kill(job, signal.SIGKILL)
                raise RuntimeError(f'still running after {timeout:g} s')
            self.relay(nap)
            nap = min(nap * 1.3, 0.01)

    def kill(self, job, number):
        try:
            os.killpg(job.pid, number)
        except OSError:
            pass

    # ------------------------------------------------------------------ counters

    def counters(self, host):
        def task():
            found = {}
            for name in ('snmp', 'netstat'):
                lines = read(f'/proc/net/{name}').splitlines()
                for head, values in zip(lines[::2], lines[1::2]):
                    group = head.split(':')[0]
                    for key, value in zip(head.split()[1:], values.split()[1:]):
                        found[f'{group}.{key}'] = int(value)
            if os.path.exists('/proc/net/snmp6'):
                for line in read('/proc/net/snmp6').splitlines():
                    key, value = line.split()
                    found[key] = int(value)
            names = ['rx_bytes', 'rx_packets', 'rx_errs', 'rx_drop', 'rx_fifo', 'rx_frame', 'rx_compressed', 'rx_multicast',
                     'tx_bytes', 'tx_packets', 'tx_errs', 'tx_drop', 'tx_fifo', 'tx_colls', 'tx_carrier', 'tx_compressed']
            for line in read('/proc/net/dev').splitlines()[2:]:
                dev, values = line.split(':')
                for key, value in zip(names, values.split()):
                    found[f'{dev.strip()}.{key}'] = int(value)
            return found
        return self.inside(host, task)

    def inside(self, host, task):
        """Runs a function in the host's network namespace. /proc/net is the reader's own: /proc/thread-self/net."""
        setns(host.net, CLONE_NEWNET)
        try:
            return task()
        finally:
            setns(self.netns, CLONE_NEWNET)

    # ------------------------------------------------------------------ operations

    def op_start(self, q):
        for h in q['hosts']:
            self.hosts[h['name']] = Host(h['name'], h.get('ipv6', False))
        for d in q['nics']:
            nic = Nic(self, self.hosts[d['host']], d['name'], d['mac'], d['mtu'])
            self.nics[nic.end] = nic
            self.selector.register(nic.fd, selectors.EVENT_READ, nic)
        for l in q['links']:
            nics = [self.nics[e] for e in l['ends']]
            link = (Switch if l.get('switch') else Cable)(nics)
            for nic in nics:
                nic.link = link
        if q.get('kmsg'):
            self.kmsg = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self.kmsg, 0, os.SEEK_END)
        self.settle(q.get('quiet', 0.005))

    def op_run(self, q):
        job = self.spawn(self.hosts[q['host']], q['script'])
        self.finish_job(job, q.get('timeout', 30))
        self.settle(q.get('quiet', 0.005))
        return job.result()

    def op_background(self, q):
        job = self.jobs[q['as']] = self.spawn(self.hosts[q['host']], q['script'])
        until = q.get('until')
        if until:
            end = time.monotonic() + 5
            while until.encode() not in job.text():
                self.reap()
                if job.status is not None:
                    break
                if time.monotonic() > end:
                    raise RuntimeError(f'did not say {until!r} within 5 s; it said {job.text().decode()!r}')
                self.relay(0.002)
        else:
            self.pause(0.05)
        self.settle(q.get('quiet', 0.005))

    def op_join(self, q):
        job = self.jobs.pop(q['as'])
        if q.get('signal'):
            self.kill(job, getattr(signal, 'SIG' + q['signal']))
        self.finish_job(job, q.get('timeout', 30))
        self.settle(q.get('quiet', 0.005))
        return job.result()

    def op_send(self, q):
        nic = self.nics[q['from']]
        for text in q['frames']:
            try:
                nic.raw.send(bytes.fromhex(text))
            except OSError as e:
                raise RuntimeError(f'{q["from"]} cannot send {len(text) // 2} bytes: {e.strerror}')
            if not q.get('burst'):
                self.settle(q.get('quiet', 0.003))
        self.settle(q.get('quiet', 0.003))

    # ------------------------------------------------------------------ sockets of the scenario's own

    def op_socket(self, q):
        try:
            text = getattr(self, 'socket_' + q['do'])(q) if q['do'] == 'open' or q['name'] in self.sockets else 'EBADF\n'
        except OSError as e:
            text = f'{errno.errorcode.get(e.errno, e.errno)}\n'
        self.settle(q.get('quiet', 0.005))
        return {'stdout': text, 'stderr': '', 'status': 0}

    def socket_open(self, q):
        kind, protocol = {'udp': (socket.SOCK_DGRAM, 0), 'tcp': (socket.SOCK_STREAM, 0), 'raw': (socket.SOCK_RAW, q.get('protocol', 1)),
                          'ping': (socket.SOCK_DGRAM, 1)}[q['type']]

        def task():
            s = socket.socket(socket.AF_INET, kind, protocol)
            s.setblocking(False)
            for name, value in q.get('set', {}).items():
                try:
                    set_option(s, name, value)
                except OSError as e:
                    return s, f'{errno.errorcode[e.errno]} at {name}\n'
            for call in ('bind', 'connect'):
                if q.get(call):
                    try:
                        getattr(s, call)(address(q[call]))
                    except OSError as e:
                        return s, f'{errno.errorcode[e.errno]} at {call}\n'
            return s, None
        s, problem = self.inside(self.hosts[q['host']], task)
        if problem:
            s.close()
            return problem
        self.sockets[q['name']] = s
        return 'ok\n' if q['type'] in ('raw', 'ping') else 'ok %s:%d\n' % s.getsockname()

    def socket_sendto(self, q):
        s, data = self.sockets[q['name']], q['data'].encode('latin-1')
        sent = s.sendto(data, address(q['to'])) if q.get('to') else s.send(data)
        return f'sent {sent}\n'

    def socket_recv(self, q):
        s, out = self.sockets[q['name']], []
        flags = 0x2000 if q.get('errqueue') else 0
        while True:
            try:
                data, control, flag, source = s.recvmsg(65536, 1024, flags)
            except BlockingIOError:
                break
            except OSError as e:
                out.append(errno.errorcode[e.errno])
                continue
            out.append(f'{source[0]}:{source[1]} {json.dumps(data.decode("latin-1"), ensure_ascii=False)}' + ''.join(self.inside(self.hosts[q['host']], lambda: describe_control(c)) for c in control))
        return ''.join(line + '\n' for line in out) or 'nothing\n'

    def socket_close(self, q):
        self.sockets.pop(q['name']).close()
        return 'ok\n'

    def op_wait(self, q):
        self.pause(q['seconds'])
        self.settle(q.get('quiet', 0.003))

    def op_mark(self, q):
        """The steps begin: what came before (setup) is not compared."""
        self.settle(q.get('quiet', 0.005))
        if self.trace:
            self.trace.take()
        self.frames = []
        self.base = {name: self.counters(h) for name, h in self.hosts.items()}

    def op_finish(self, q):
        self.settle(q.get('quiet', 0.005))
        counters = {}
        for name, host in self.hosts.items():
            now, base = self.counters(host), self.base.get(name, {})
            counters[name] = {k: v - base.get(k, 0) for k, v in now.items() if v != base.get(k, 0)}
        if self.trace and (lost := self.trace.lost()):
            raise RuntimeError(f'{lost} events of the drop trace were lost: the machine is too busy')
        result = {'frames': self.frames, 'counters': counters, 'drops': self.trace.take() if self.trace else None}
        if self.kmsg is not None:
            lines = []
            while True:
                try:
                    lines.append(os.read(self.kmsg, 8192).decode('utf-8', 'replace').split('\n')[0].split(';', 1)[-1])
                except BlockingIOError:
                    break
                except BrokenPipeError:
                    continue
            result['log'] = lines
        return result

    def serve(self):
        os.set_blocking(0, False)
        buffer = b''
        self.selector.register(0, selectors.EVENT_READ, None)
        while True:
            while b'\n' not in buffer:
                for key, _ in self.selector.select(1):
                    if key.data is None:
                        data = os.read(0, 1 << 20)
                        if not data:
                            return
                        buffer += data
                self.selector.unregister(0)
                self.relay(0)
                self.reap()
                self.selector.register(0, selectors.EVENT_READ, None)
            line, buffer = buffer.split(b'\n', 1)
            q = json.loads(line)
            self.selector.unregister(0)
            try:
                answer = {'ok': True} | (getattr(self, 'op_' + q['op'])(q) or {})
                if self.trace:
                    self.trace.poll()  # its rings are finite, and all the machine's packets are in them
            except (OSError, RuntimeError, KeyError, ValueError) as e:
                answer = {'ok': False, 'error': f'{e}' if isinstance(e, RuntimeError) else f'{type(e).__name__}: {e}'}
            self.selector.register(0, selectors.EVENT_READ, None)
            os.set_blocking(1, True)
            data = (json.dumps(answer) + '\n').encode()
            while data:
                data = data[os.write(1, data):]


def agent_main(trace_folder, pid_pipe):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = int(os.read(pid_pipe, 32))
    os.close(pid_pipe)
    unshare(CLONE_NEWNS)
    mount(None, '/', None, MS_REC | MS_PRIVATE)
    mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC)
    try:
        Agent(trace_folder, pid).serve()
    finally:
        os._exit(0)


def main():
    if os.geteuid() != 0:
        print(json.dumps({'ok': False, 'error': 'not root'}))
        return
    log = '--log' in sys.argv
    lock = saved = None
    if log:
        # One at a time: the switch is the machine's.
        lock = os.open('/run/linnet-twin.lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        saved = read(NF_LOG)
    trace_folder = trace_open()
    try:
        if log:
            write(NF_LOG, '1')
        r, w = os.pipe()
        unshare(CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            os.close(w)
            try:
                agent_main(trace_folder, r)
            finally:
                os._exit(1)
        os.close(r)
        os.write(w, str(child).encode())
        os.close(w)
        # Only the agent talks; the keeper outlives it by a moment.
        os.close(0)
        os.close(1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: os.kill(child, signal.SIGKILL))
        os.waitpid(child, 0)
    finally:
        if saved is not None:
            write(NF_LOG, saved)
        for _ in range(20):
            try:
                os.rmdir(trace_folder)
                break
            except OSError:
                time.sleep(0.05)


main()
