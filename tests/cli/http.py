#!/usr/bin/env python3
"""What curl cannot say to a server. Each prints what came back.

    http.py raw PORT [--keep]         standard input as it is; until the server
                                      closes (--keep: or a second of silence)
    http.py pieces PORT               the same, a byte at a time
    http.py half PORT                 the same, and we send no more
    http.py drip PORT HEAD SECONDS    a header that never ends, then one byte
                                      each half second; how long we were let
    http.py body PORT SECONDS         the same with a body
    http.py crowd PORT N KIB PID      N connections with half a header each:
                                      at most KIB more memory for each
    http.py slow PORT N               N clients, for ever: a byte of a header or
                                      a body each 5 s, or answers left unread;
                                      one that is thrown out comes back. Says
                                      when all are there
    http.py flood PORT BYTES          a body of so many bytes, in chunks
    http.py gone PORT                 a request, and a reset before the answer
"""
import socket
import struct
import sys
import time


def connect(port):
    s = socket.create_connection(("127.0.0.1", int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s, silence=15):
    s.settimeout(silence)
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except (TimeoutError, ConnectionError):
            return got
        if not more:
            return got
        got += more


def show(got):
    sys.stdout.write(got.decode("latin-1").replace("\r", ""))


def raw(port, keep=None):
    s = connect(port)
    s.sendall(sys.stdin.buffer.read())
    show(read_all(s, 1 if keep else 15))


def half(port):
    s = connect(port)
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    show(read_all(s))


def pieces(port):
    s = connect(port)
    for byte in sys.stdin.buffer.read():
        s.send(bytes([byte]))
    show(read_all(s, 1))


def let(s, seconds):
    """Bytes, two a second, until the server has enough of it."""
    start = time.monotonic()
    s.settimeout(0.5)
    while time.monotonic() - start < float(seconds):
        try:
            s.send(b"x")
            got = s.recv(4096)
            print(f"{time.monotonic() - start:.0f}")
            show(got)
            return
        except TimeoutError:
            pass
        except OSError:
            break
    print("no answer")


def drip(port, seconds):
    s = connect(port)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
    let(s, seconds)


def body(port, seconds):
    s = connect(port)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n")
    let(s, seconds)


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))


def crowd(port, n, kib, pid):
    before = resident(pid)
    crowd = []
    for _ in range(int(n)):
        s = connect(port)
        s.send(b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        crowd.append(s)
    # Ours is the last to be read: when it is answered, all others were.
    s = connect(port)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
              b"Content-Length: 2\r\n\r\n{}")
    show(read_all(s))
    each = (resident(pid) - before) / int(n)
    if each > float(kib):
        sys.exit(f"{each:.1f} KiB for each connection")


SLOW = (b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")


def slow(port, n):
    def client(kind):
        s = connect(port)
        s.sendall(SLOW[kind])
        s.setblocking(False)
        return s

    n = int(n)
    crowd = [client(i % 3) for i in range(n)]
    print("all there", flush=True)
    start = time.monotonic()
    turn = 0
    while True:                             # n turns in 5 s
        for turn in range(turn, int((time.monotonic() - start) * n / 5)):
            i = turn % n
            try:
                crowd[i].send(SLOW[2] if i % 3 == 2 else b"x")
            except BlockingIOError:
                pass
            except OSError:
                crowd[i].close()
                crowd[i] = client(i % 3)
        time.sleep(0.005)


def flood(port, size):
    s = connect(port)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
              b"\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < int(size):
            s.sendall(chunk)
            sent += 65536
    except OSError:
        pass
    show(read_all(s))


def gone(port):
    s = connect(port)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


globals()[sys.argv[1]](*sys.argv[2:])
