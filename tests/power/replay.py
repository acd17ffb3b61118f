#!/usr/bin/env python3
"""replay.py BASE LOG FS MARK-AT [options] -- CHECK...

Cuts the power at many points of a logged run and looks at what is left.

BASE is the disk before the run, LOG what dm-log-writes noted of it, MARK-AT
the byte behind the file system where acknowledgements were noted. A write is
safe when a later flush (or its own FUA flag) made it so; of the others a
subset reaches the disk: none, all, some, or some torn at 4,096 bytes. Each
image is mounted, which replays the file system's journal, and CHECK is run
with {} for the mount point and {n} for the last acknowledged number: status 0
means that all is there.

Cuts are made right after each acknowledgement and at each flush with no unsafe
write kept (the worst case), and at random entries in all four ways.
Status 1: something was lost, or fewer cuts than asked for were possible.
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
MAGIC = 0x6A736677736872
TEAR = 4096


class Entry:
    __slots__ = ("flags", "at", "data", "size", "ack")

    def __init__(self, flags, at, data, size, ack=None):
        self.flags, self.at, self.data = flags, at, data
        self.size, self.ack = size, ack


def read_log(path, mark_at):
    with open(path, "rb") as f:
        magic, _, count, sector = struct.unpack("<QQQI", f.read(28))
        if magic != MAGIC:
            sys.exit(f"replay: {path} is no dm-log-writes log")
        at = sector
        for _ in range(count):
            f.seek(at)
            start, n, flags, _ = struct.unpack_from("<QQQQ", f.read(sector))
            at += sector
            where, size = start * sector, n * sector
            if flags & (MARK | DISCARD):
                yield Entry(flags, where, None, size)
                continue
            data = f.read(size)
            at += size
            ack = None
            if where == mark_at and data.startswith(b"ack:"):
                ack = int(data[4:].rstrip(b"\0"))
            yield Entry(flags, where, data, size, ack)


def put(fd, entry, keep=None):
    """Bring an entry to the disk; with keep, page by page as it says."""
    if entry.flags & DISCARD:
        os.pwrite(fd, bytes(entry.size), entry.at)
    elif keep is None:
        os.pwrite(fd, entry.data, entry.at)
    else:
        for i in range(0, entry.size, TEAR):
            if keep():
                os.pwrite(fd, entry.data[i:i + TEAR], entry.at + i)


class Disk:
    """What is safe so far, and the writes that are not."""

    def __init__(self, base, path):
        shutil.copyfile(base, path)
        self.path = path
        self.fd = os.open(path, os.O_RDWR)
        self.unsafe = []
        self.acked = 0

    def step(self, entry):
        if entry.ack is not None:
            self.acked = max(self.acked, entry.ack)
            return
        if entry.flags & MARK:
            return
        if entry.flags & FLUSH:
            for e in self.unsafe:
                put(self.fd, e)
            self.unsafe = []
        if entry.flags & FUA:
            put(self.fd, entry)
        elif entry.size:
            self.unsafe.append(entry)

    def cut(self, path, how, rnd):
        """An image of the disk after a cut."""
        subprocess.run(["cp", "--sparse=always", self.path, path], check=True)
        fd = os.open(path, os.O_RDWR)
        for e in self.unsafe:
            if how == "all" or (how == "some" and rnd.random() < 0.5):
                put(fd, e)
            elif how == "torn":
                put(fd, e, lambda: rnd.random() < 0.5)
        os.close(fd)


def points(log, a, rnd):
    """(entry, how) in the order of the log."""
    acks = [i for i, e in enumerate(log) if e.ack is not None]
    if not acks:
        sys.exit("replay: nothing was acknowledged in the log")
    if a.at is not None:
        return acks, [(a.at, a.how)]
    fixed = [(i, "none") for i in acks]
    fixed += [(i, "none") for i, e in enumerate(log)
              if e.flags & FLUSH and i > acks[0]]
    if a.cuts and len(fixed) > a.cuts * 2 // 3:
        fixed = rnd.sample(fixed, a.cuts * 2 // 3)
    free = max(a.cuts - len(fixed), 0)
    fixed += [(rnd.randrange(acks[0], len(log)),
               rnd.choice(["none", "all", "some", "torn"]))
              for _ in range(free)]
    return acks, sorted(fixed)


def look(image, mnt, fs, check, acked):
    """What a cut has cost: nothing (None), or a sentence."""
    options = "loop,nouuid" if fs == "xfs" else "loop"
    p = subprocess.run(["mount", "-t", fs, "-o", options, image, mnt],
                       capture_output=True, text=True)
    if p.returncode:
        return "does not mount: " + p.stderr.strip()
    try:
        words = [w.replace("{n}", str(acked)).replace("{}", mnt)
                 for w in check]
        p = subprocess.run(words, capture_output=True, text=True, timeout=60)
    finally:
        subprocess.run(["umount", mnt], check=True)
    if p.returncode:
        return f"{p.stdout.strip()} {p.stderr.strip()}".strip() or \
            f"status {p.returncode}"
    return None


def keep_evidence(a, check, entry, how):
    """The command that shows this cut again, with the files it needs."""
    where = os.path.join(a.keep, f"{a.fs}-{a.seed}")
    os.makedirs(where, exist_ok=True)
    for name, path in ("base", a.base), ("log", a.log):
        subprocess.run(["cp", "--sparse=always", path,
                        os.path.join(where, name)], check=True)
    return (f"{sys.argv[0]} {where}/base {where}/log {a.fs} {a.mark_at} "
            f"--at {entry} --how {how} --seed {a.seed} -- " + " ".join(check))


def run(a, check):
    rnd = random.Random(a.seed)
    log = list(read_log(a.log, a.mark_at))
    acks, todo = points(log, a, rnd)
    work = tempfile.mkdtemp(prefix="dpp-power.", dir=a.work)
    mnt = os.path.join(work, "mnt")
    os.mkdir(mnt)
    disk = Disk(a.base, os.path.join(work, "safe"))
    done = bad = 0
    start = time.monotonic()
    for entry, how in todo:
        while done <= entry:
            disk.step(log[done])
            done += 1
        image = os.path.join(work, "image")
        disk.cut(image, how, rnd)
        why = look(image, mnt, a.fs, check, disk.acked)
        if why:
            bad += 1
            if bad == 1:
                print(f"entry {entry} of {len(log)}, {len(disk.unsafe)} unsafe "
                      f"writes, {how} kept: {why}")
                if a.keep:
                    print("again: " + keep_evidence(a, check, entry, how))
    shutil.rmtree(work)
    print(f"{len(todo)} power cuts on {a.fs}, {len(acks)} acknowledgements, "
          f"{len(log)} log entries: {bad} lost something "
          f"({time.monotonic() - start:.1f} s, seed {a.seed})")
    return 1 if bad or len(todo) < min(a.cuts, 1) else 0


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("base")
    p.add_argument("log")
    p.add_argument("fs")
    p.add_argument("mark_at", type=int)
    p.add_argument("--cuts", type=int, default=150)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--at", type=int, help="one cut behind this entry only")
    p.add_argument("--how", default="none")
    p.add_argument("--keep", help="folder for the evidence of a loss")
    p.add_argument("--work", default="/dev/shm")
    cut = sys.argv.index("--")
    sys.exit(run(p.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]))


main()
