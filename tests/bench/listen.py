"""Webhooks in: requests a second and their latency at 64 connections, against
a bare libevent loop that reads a request and writes a fixed 200."""
import contextlib
import re
import socket
import subprocess
import time

SECONDS = 2
BYTES = 1024


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(bench, text, port):
    """A shell line that serves on the port; it and its children end after. In
    our session: Linux weighs sessions against each other (sched(7))."""
    p = subprocess.Popen(["bash", "-c", text], cwd=bench.work, env=bench.env,
                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, process_group=0)
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            subprocess.run(["kill", "-TERM", "--", f"-{p.pid}"], check=False)
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            subprocess.run(["kill", "-KILL", "--", f"-{p.pid}"], check=False)
            p.wait()


def load(bench, port):
    out = subprocess.run(
        [bench.tools / "httpload", "-c", "64", "-s", str(SECONDS), "-b",
         str(BYTES), f"127.0.0.1:{port}/"], check=True, capture_output=True,
        text=True).stdout
    found = re.search(r"(\d+) requests/s, p50 (\d+) us, p99 (\d+) us", out)
    return [float(x) for x in found.groups()]


def run(bench):
    ways = {"bare": "exec {tools}/listenref {port}",
            "topic": "exec dpp-listen -q -l 127.0.0.1:{port} -b log:store"
                     " -t in",
            "pipe": "dpp-listen -q -l 127.0.0.1:{port} |"
                    " dpp-produce -q -b log:store -t piped"}
    p99 = {name: [] for name in ways}

    def one(name):
        def way():
            port = free_port()
            text = ways[name].format(tools=bench.tools, port=port)
            with server(bench, text, port):
                rate, _, late = load(bench, port)
            p99[name].append(late)
            return rate
        return way

    rate = bench.in_turn(**{name: one(name) for name in ways})
    late = {name: sorted(v)[len(v) // 2] for name, v in p99.items()}
    bench.figure("listen -t TOPIC : bare loop", rate["topic"], "requests/s",
                 rate["bare"], at_least=0.5)
    bench.figure("listen -t TOPIC, p99", late["topic"], "us", late["bare"])
    bench.figure("listen | produce : bare loop", rate["pipe"], "requests/s",
                 rate["bare"], at_least=0.25)
    bench.figure("listen | produce, p99", late["pipe"], "us", late["bare"])
