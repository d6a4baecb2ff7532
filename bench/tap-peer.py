"""The real kernel's end of bench/tap.ts: python3 tap-peer.py (listen PORT | connect HOST PORT) (sink | source SECONDS): prints bytes and seconds."""
import socket, sys, time

args = sys.argv[1:]
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if args.pop(0) == 'listen':
    s.bind(('', int(args.pop(0))))
    s.listen(1)
    print('ready', flush=True)
    c, _ = s.accept()
else:
    c, host = s, args.pop(0)
    c.connect((host, int(args.pop(0))))
total = 0
if args.pop(0) == 'sink':
    buf = bytearray(1 << 18)
    n = c.recv_into(buf)
    t = time.monotonic()
    total = n
    while n:
        n = c.recv_into(buf)
        total += n
else:
    end = float(args.pop(0))
    data = bytes(1 << 18)
    t = time.monotonic()
    try:
        while time.monotonic() - t < end:
            total += c.send(data)
        c.shutdown(socket.SHUT_WR)
        c.recv(1)
    except OSError:
        pass
print(total, time.monotonic() - t, flush=True)
