"""The bench of one run: a folder, a sender, an endpoint, rows, a verdict."""
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from process import Row

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ORACLE = [sys.executable, str(HERE.parent / "oracle")]
SECRET = "It's a Secret to Everybody"


class Failure(Exception):
    pass


def free_port():
    """Below those that the system gives to clients: the sender, which knocks
    while the listener is away, must not get it."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Stats(threading.Thread):
    """Collects the datagrams of $DPP_STATS_SOCKET."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.last = {}
        self.start()

    def run(self):
        while True:
            d = json.loads(self.socket.recv(1 << 17))
            self.last[d["pid"]] = d

    def unbalanced(self, pids, source):
        """(how many of these told their totals, those whose sums are wrong).

        in + born + net = ok + dropped + dead + deferred + in flight, for what
        the source sent; a sink sees what is left of it."""
        seen = [self.last[p] for p in pids if p in self.last]
        wrong = []
        for d in seen:
            come = d["in"]
            gone = d["ok"] + d["dead"] + d["deferred"] + d["unreceipted"]
            if source:
                come += d["born"] + d["net"]
                gone += d["dropped"]
            if come != gone:
                wrong.append(d)
        return len(seen), wrong


class Bench:
    def __init__(self, a):
        self.a = a
        self.where = Path(a.dir)
        self.where.mkdir(parents=True, exist_ok=True)
        self.store = (f"{a.store}/storm.{os.getpid()}.{a.seed}" if a.store
                      else f"log:{self.where}/store")
        self.exact = ("--exactly-once --single-broker"
                      if a.store and not a.at_least_once else "")
        self.ledger = self.where / "ledger"
        self.record = self.where / "record"
        self.gate = self.where / "gate"
        self.key = self.where / "gh.key"
        self.key.write_text(SECRET + "\n")
        self.key.chmod(0o600)
        self.port = free_port()
        self.rows, self.helpers = [], []
        self.ended = {}     # pids of each program that ended cleanly
        self.stats = Stats(self.where / "stats")
        build = Path(os.environ.get("DPP_BUILD", "build"))
        os.environ["PATH"] = f"{ROOT / build / 'bin'}:{os.environ['PATH']}"
        os.environ["DPP_BROKER"] = self.store
        os.environ["XDG_STATE_HOME"] = str(self.where / "state")
        os.environ["DPP_STATS_SOCKET"] = str(self.where / "stats")
        os.environ.pop("STATE_DIRECTORY", None)

    def topics(self, *names):
        """Made, where writing to one does not make it."""
        for t in names if self.a.store else ():
            subprocess.run(["dpp-topic", "create", t], check=True)

    def row(self, name, pipeline, victims, before=":"):
        r = Row(name, self.where, pipeline, victims, before)
        self.rows.append(r)
        return r

    def helper(self, args, **kw):
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, **kw)
        self.helpers.append(p)
        return p

    def sink(self, *options):
        """Start an endpoint, return its URL."""
        ready = self.where / "port"
        ready.unlink(missing_ok=True)
        self.record.touch()
        self.helper(ORACLE + ["sink", "--record", str(self.record),
                              "--ready", str(ready), *options])
        self.wait(lambda: ready.exists() and ready.read_text(), 10,
                  "the endpoint does not start")
        return f"http://127.0.0.1:{ready.read_text().strip()}/hook"

    def listen(self, rest):
        """The command of a listener for GitHub's webhooks."""
        return (f"dpp-listen -l 127.0.0.1:{self.port} -C github "
                f"-k file:{self.key} {rest}")

    def feed(self, *options):
        a = self.a
        return self.helper(
            ORACLE + ["feed", "--url", f"http://127.0.0.1:{self.port}/",
                      "--ledger", str(self.ledger), "--sign", str(self.key),
                      "--events", str(a.events), "--keys", str(a.keys),
                      "--seed", str(a.seed), "--style", a.style, *options],
            stdout=subprocess.PIPE, text=True)

    def allow(self, n):
        """So many events may be sent by now, by a sender with this gate."""
        new = self.where / "gate.new"
        new.write_text(str(n))
        new.rename(self.gate)

    def fed(self, feeder, limit=300):
        try:
            out, _ = feeder.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"the sender is not done after {limit} s") from None
        if feeder.returncode:
            raise Failure("the sender gave up")
        return out.strip().splitlines()[-1]

    @staticmethod
    def wait(condition, limit, what):
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise Failure(what)
            time.sleep(0.02)

    def oracle(self, command, *options):
        p = subprocess.run(ORACLE + [command, "--ledger", str(self.ledger),
                                     "--record", str(self.record), *options],
                           capture_output=True, text=True)
        return p.returncode, p.stdout + p.stderr

    def arrived(self, *options):
        rc, text = self.oracle("wait", "--timeout", str(self.a.patience),
                               *options)
        if rc:
            raise Failure(text.strip())

    def verdict(self, *options):
        rc, text = self.oracle("report", *options)
        print(text, end="")
        if rc:
            raise Failure(text.strip().splitlines()[-1])

    def values(self, topic):
        """The payloads of a topic, in order."""
        env = dict(os.environ)
        del env["DPP_STATS_SOCKET"]
        p = subprocess.run(["dpp-consume", "-e", "-o", "beginning",
                            "-t", topic], capture_output=True, env=env)
        if p.returncode:
            raise Failure(f"dpp-consume -e -t {topic} ends with "
                          f"{p.returncode}: {p.stderr.decode()}")
        return p.stdout

    def topic_record(self, topic):
        """Take a topic for the record of what arrived."""
        self.record.unlink(missing_ok=True)
        subprocess.run(ORACLE + ["record", "--record", str(self.record)],
                       input=self.values(topic), check=True)

    def verify(self, topic):
        p = subprocess.run(["dpp-topic", "verify", topic],
                           capture_output=True, text=True)
        if p.returncode:
            raise Failure(f"dpp-topic verify {topic}: {p.stdout}{p.stderr}")

    def drained(self, topic, group, limit=60):
        """Wait until the group has passed all of the topic."""
        def done():
            lag = group_lag(topic, group)
            return lag is not None and lag[1] == 0
        self.wait(done, limit, f"group {group} does not get through {topic}")

    def clean_end(self, row, source):
        if not row.settled():
            raise Failure(f"{row.name} does not come up again: "
                          f"{row.members()}")
        members = row.members()
        status = row.stop(source)
        if set(status.split()) != {"0"}:
            raise Failure(f"{row.name} ends with {status} on SIGTERM")
        for pid, name in members:
            self.ended.setdefault(name, []).append(pid)

    def balanced(self, program, source=True):
        """Nothing is in flight at a clean end, so the sums must be right. (A
        sink that is killed has counted some events of open marks.)"""
        pids = self.ended.get(program, [])
        self.wait(lambda: self.stats.unbalanced(pids, source)[0] == len(pids),
                  5, f"{program} never told its totals")
        n, wrong = self.stats.unbalanced(pids, source)
        if wrong:
            raise Failure(f"unbalanced: {wrong[0]}")
        if n == 0:
            raise Failure(f"{program} did not end")
        return n

    def close(self):
        for r in self.rows:
            r.kill()
        for p in self.helpers:
            if p.poll() is None:
                p.kill()
            p.wait()


def group_lag(topic, group):
    """(next offset, events behind it) of partition 0, or None where the group
    has no position yet."""
    p = subprocess.run(["dpp-topic", "lag", topic], capture_output=True,
                       text=True)
    for line in p.stdout.splitlines():
        w = line.split()
        if w[:3] == [group, topic, "0"] and w[3] != "none":
            return int(w[3]), int(w[5])
    return None
