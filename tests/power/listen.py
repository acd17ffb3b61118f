#!/usr/bin/env python3
"""A real program under power cuts: dpp-listen with its topic on the disk.

    listen.py write DISK N   in the machine: post N events over four
                             connections, mark what is acknowledged
    listen.py check DISK N   afterwards: the first N events are in the topic,
                             each once, every byte as it was sent
"""
import asyncio
import mmap
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import events  # noqa: E402
import lines  # noqa: E402

PORT = 8080
LANES = 4
BUILD = ROOT / os.environ.get("DPP_BUILD", "build")


class Marks:
    """Notes how many of the first events are acknowledged without a gap."""

    def __init__(self):
        device, at = os.environ["POWER_MARK"].rsplit(":", 1)
        self.fd = os.open(device, os.O_WRONLY | os.O_DIRECT)
        self.at = int(at)
        self.block = mmap.mmap(-1, 4096)    # O_DIRECT wants it aligned
        self.acked, self.upto = set(), 0

    def acknowledged(self, i):
        self.acked.add(i)
        before = self.upto
        while self.upto + 1 in self.acked:
            self.upto += 1
        if self.upto > before:
            self.block[:512] = f"ack:{self.upto}".encode().ljust(512, b"\0")
            os.pwritev(self.fd, [memoryview(self.block)[:512]], self.at)


async def lane(marks, todo):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for i, name in todo:
        data = events.body(name)
        writer.write(f"POST / HTTP/1.1\r\nHost: x\r\n"
                     f"Content-Length: {len(data)}"
                     "\r\nContent-Type: application/json\r\n\r\n".encode()
                     + data)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"listen.py: {head!r}")
        marks.acknowledged(i)
    writer.close()


def names(count):
    return list(enumerate((n for n, _ in events.names("s", 1, count, 20)), 1))


async def post(count):
    marks = Marks()
    todo = names(count)
    await asyncio.gather(*(lane(marks, todo[k::LANES]) for k in range(LANES)))


def write(disk, count):
    p = subprocess.Popen([str(BUILD / "bin" / "dpp-listen"),
                          "-l", f"127.0.0.1:{PORT}",
                          "-b", f"log:{disk}/store", "-t", "in"])
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
            break
        except ConnectionRefusedError:
            if time.monotonic() > end or p.poll() is not None:
                sys.exit("listen.py: dpp-listen does not start")
            time.sleep(0.05)
    asyncio.run(post(count))
    # Not stopped: the power goes while it runs.


def check(disk, acked):
    if acked == 0:
        return
    p = subprocess.run([str(BUILD / "bin" / "dpp-consume"),
                        "-b", f"log:{disk}/store", "-t", "in", "-e",
                        "-o", "beginning"], capture_output=True)
    if p.returncode:
        sys.exit(f"dpp-consume: {p.returncode}: {p.stderr.decode()}")
    got = {}
    for raw in p.stdout.decode("utf-8", "surrogatepass").splitlines():
        data = lines.payload(raw)
        name = events.find_name(data)
        if data != events.body(name):
            sys.exit(f"{name} is not what was sent")
        if name in got:
            sys.exit(f"{name} is there twice")
        got[name] = True
    for i, name in names(acked):
        if name not in got:
            sys.exit(f"acknowledged {acked}, event {i} ({name}) is gone")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](sys.argv[2],
                                                  int(sys.argv[3]))
