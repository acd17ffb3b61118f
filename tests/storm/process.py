"""Rows of processes as a shell runs them, and the killing of their members.

A row is a shell loop that starts a pipeline again whenever it has ended, until
it is told to stop; what runs in it is found in /proc, below the loop's shell.
"""
import os
import random
import select
import signal
import subprocess
import time
from pathlib import Path

LOOP = """
while [ ! -e "$STORM_STOP" ]; do
    {before}
    {pipeline}
    echo "${{PIPESTATUS[*]}}" >>"$STORM_STATUS"
done
"""


def descendants(top):
    """{pid: name} of all processes below top."""
    parent, name = {}, {}
    for p in Path("/proc").iterdir():
        if not p.name.isdigit():
            continue
        try:
            stat = (p / "stat").read_text()
        except OSError:
            continue
        head, _, rest = stat.rpartition(")")
        fields = rest.split()
        if fields[0] == "Z":
            continue
        parent[int(p.name)] = int(fields[1])
        name[int(p.name)] = head.partition("(")[2]
    below, found = {top}, {}
    grown = True
    while grown:
        grown = False
        for pid, up in parent.items():
            if up in below and pid not in below:
                below.add(pid)
                found[pid] = name[pid]
                grown = True
    return found


def answered(pid):
    """Has a sink connected to this source? (Its way back is a socket whose
    name begins with @dpp-, connected and no longer listening.)"""
    try:
        fds = [os.readlink(f) for f in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    own = {f[8:-1] for f in fds if f.startswith("socket:[")}
    with open("/proc/net/unix") as table:
        rows = [line.split() for line in table]
    return any(len(r) == 8 and r[5] == "03" and r[6] in own and
               r[7].startswith("@dpp-") for r in rows)


class Row:
    """One pipeline, restarted for ever."""

    def __init__(self, name, where, pipeline, victims, before=":", env=None):
        self.name, self.where, self.victims = name, Path(where), victims
        self.sources = {"dpp-consume"}
        if len(victims) > 1:
            self.sources.add("dpp-listen")
        self.stop_file = self.where / f"{name}.stop"
        self.status_file = self.where / f"{name}.status"
        self.stop_file.unlink(missing_ok=True)
        self.status_file.touch()
        text = LOOP.format(before=before, pipeline=pipeline)
        full = dict(os.environ, STORM_STOP=str(self.stop_file),
                    STORM_STATUS=str(self.status_file), **(env or {}))
        self.errors = open(self.where / f"{name}.err", "ab")
        self.shell = subprocess.Popen(["bash", "-c", text], env=full,
                                      stdin=subprocess.DEVNULL,
                                      stdout=self.errors, stderr=self.errors,
                                      start_new_session=True)

    def members(self):
        """[(pid, name)] of those that may be killed."""
        found = descendants(self.shell.pid)
        return [(p, n) for p, n in found.items() if n in self.victims]

    def starts(self):
        return len(self.statuses())

    def statuses(self):
        return self.status_file.read_text().splitlines()

    def signal_all(self, names, number):
        for pid, name in self.members():
            if name in names:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass

    def stop(self, source, limit=40):
        """Drain: SIGTERM to the source, and wait until all has ended. The
        statuses of the last pipeline."""
        self.stop_file.touch()
        end = time.monotonic() + limit
        asked = set()
        while self.shell.poll() is None:
            for pid, name in descendants(self.shell.pid).items():
                if name == source and pid not in asked:
                    asked.add(pid)
                    try:
                        os.kill(pid, signal.SIGTERM)
                    except ProcessLookupError:
                        pass  # its status tells why
            if time.monotonic() > end:
                self.kill()
                raise SystemExit(f"storm: {self.name} does not end within "
                                 f"{limit} s of SIGTERM")
            time.sleep(0.02)
        return self.statuses()[-1] if self.statuses() else ""

    def settled(self, limit=30):
        """Wait until all members are there and stay for a moment, and the
        source of a pipe has its answer: the last kill is behind the row, and
        its start as well."""
        end = time.monotonic() + limit
        before, since = None, 0.0
        while time.monotonic() < end:
            now = sorted(self.members())
            if now != before or {n for _, n in now} != self.victims:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > 0.5 and all(
                    answered(p) for p, n in now if n in self.sources):
                return True
            time.sleep(0.05)
        return False

    def kill(self):
        """All of it, and nothing may be started meanwhile."""
        if self.shell.poll() is None:
            self.shell.send_signal(signal.SIGSTOP)
        for pid in [*descendants(self.shell.pid), self.shell.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.shell.wait()


class Killer:
    """SIGKILL at random times for random members of rows, until each program
    has been killed `each` times."""

    def __init__(self, rows, seed, each, say=None):
        self.rows, self.rnd, self.say = rows, random.Random(seed), say
        self.each = each
        self.kills = {n: 0 for row in rows for n in row.victims}

    def total(self):
        return sum(self.kills.values())

    def done(self):
        return all(n >= self.each for n in self.kills.values())

    def strike(self):
        """Kill one; False if none was there."""
        there = [m for row in self.rows for m in row.members()
                 if self.kills[m[1]] < self.each]
        if not there:
            return False
        # Programs first, so that a row with more members is not favoured.
        name = self.rnd.choice(sorted({n for _, n in there}))
        pid = self.rnd.choice([p for p, n in there if n == name])
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            # On a busy machine, or within a sync, it dies later: whoever looks
            # for what is there would still find it.
            select.select([fd], [], [])
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        self.kills[name] += 1
        if self.say:
            self.say(f"kill -9 {name} ({pid})")
        return True

    def run(self, duration):
        """Spread all kills over so many seconds."""
        pause = duration / (self.each * len(self.kills))
        while not self.done():
            time.sleep(self.rnd.uniform(0.1, 1.9) * pause)
            self.strike()
