"""Start-up to the first line of the protocol, and idle memory."""
import os
import socket
import subprocess
import time
from pathlib import Path

RUN = "0123456789abcdef0123456789abcdef"


def hello_out(bench, args):
    """Milliseconds until a source's hello comes out of standard output."""
    start = time.perf_counter()
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, env=bench.env,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         cwd=bench.work)
    p.stdout.readline()
    took = time.perf_counter() - start
    p.kill()
    p.wait()
    return took * 1000


class Listener:
    """The source's end of the way back."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(f"\0dpp-{RUN}")
        self.socket.listen()
        return self

    def __exit__(self, *_):
        self.socket.close()


HELLO = (f'{{"dpp":"hello","v":1,"run":"{RUN}","name":"","back":'
         f'"@dpp-{RUN}"}}\n').encode()


def hello_in(bench, args, sink):
    """Milliseconds until a sink answers hello, or a filter passes it."""
    with Listener() as listener:
        start = time.perf_counter()
        p = subprocess.Popen(args, stdin=subprocess.PIPE, env=bench.env,
                             stdout=subprocess.PIPE, cwd=bench.work,
                             stderr=subprocess.DEVNULL)
        p.stdin.write(HELLO)
        p.stdin.flush()
        if sink:
            back, _ = listener.socket.accept()
            back.recv(100)
        else:
            p.stdout.readline()
        took = time.perf_counter() - start
        p.kill()
        p.wait()
        return took * 1000


def anonymous_mib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    return 0.0


def idle(bench, args):
    """MiB of anonymous memory once it is ready and waits."""
    r, w = os.pipe()
    p = subprocess.Popen([args[0], "--ready-fd", str(w), *args[1:]],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         pass_fds=[w], env=bench.env, cwd=bench.work,
                         stderr=subprocess.DEVNULL)
    os.close(w)
    os.read(r, 1)
    os.close(r)
    mib = anonymous_mib(p.pid)
    p.kill()
    p.wait()
    return mib


def run(bench):
    bench.shell("dpp-topic -b log:store create in")
    consume = ["dpp-consume", "-b", "log:store", "-t", "in", "-g", "g"]
    transform = ["dpp-transform", 'select(.type == "paid")']
    produce = ["dpp-produce", "-b", "log:store", "-t", "out"]
    deliver = ["dpp-deliver", "-b", "log:store", "-s", "retry",
               "http://127.0.0.1:9/"]
    listen = ["dpp-listen", "-l", "127.0.0.1:0"]
    took = bench.in_turn(
        consume=lambda: hello_out(bench, consume),
        listen=lambda: hello_out(bench, listen),
        transform=lambda: hello_in(bench, transform, False),
        produce=lambda: hello_in(bench, produce, True),
        deliver=lambda: hello_in(bench, deliver, True))
    for name, ms in took.items():
        bench.figure(f"start dpp-{name} to hello", ms, "ms",
                     at_most=60 if name == "transform" else 20)
    plain = ["dpp-consume", "-b", "log:store", "-t", "in"]
    topic = [*listen, "-b", "log:store", "-t", "in"]
    for name, args in ("consume", plain), ("listen", topic), \
            ("transform", transform):
        bench.figure(f"idle dpp-{name}, anonymous memory",
                     idle(bench, args), "MiB", at_most=16)
    for name, args in ("produce", produce), ("deliver", deliver):
        with Listener() as listener:
            p = subprocess.Popen(args, stdin=subprocess.PIPE, env=bench.env,
                                 stdout=subprocess.PIPE, cwd=bench.work,
                                 stderr=subprocess.DEVNULL)
            p.stdin.write(HELLO)
            p.stdin.flush()
            back, _ = listener.socket.accept()
            back.recv(100)
            bench.figure(f"idle dpp-{name}, anonymous memory",
                         anonymous_mib(p.pid), "MiB", at_most=16)
            p.kill()
            p.wait()
