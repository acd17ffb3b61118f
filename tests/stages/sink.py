#!/usr/bin/env python3
"""A sink by the book (dpp-stage(7)), with the standard library alone.

    sink.py FILE    appends what it gets to FILE, and to FILE.dead what is dead

It keeps no position of its own, so the segment is at least once: the source
goes on from what the receipts have said.
"""
import json
import os
import socket
import sys


class Sink:
    def __init__(self, path):
        self.files = [open(path, "ab"), open(path + ".dead", "ab")]
        self.run = self.back = None

    def hello(self, c):
        if self.run == c["run"]:
            return                          # said again, until answered
        if self.run is not None:
            sys.exit(65)
        self.run, self.seq, self.counts = c["run"], 0, [0, 0]
        self.back = socket.socket(socket.AF_UNIX)
        self.back.connect("\0" + c["back"][1:])
        self.tell({"dpp": "hi", "v": 1, "run": self.run, "pos": ""})

    def tell(self, line):
        self.back.sendall(json.dumps(line).encode() + b"\n")

    def take(self, line, dead):
        self.files[dead].write(line)
        if self.run:
            self.counts[dead] += 1

    def mark(self, c):
        if (c["run"], c["seq"]) != (self.run, self.seq + 1):
            sys.exit(65)                    # forged, lost or out of order
        self.seq += 1
        self.sync()
        self.tell({"dpp": "r", "run": self.run, "upto": self.seq,
                   "ok": self.counts[0], "dead": self.counts[1]})

    def sync(self):
        for f in self.files:
            f.flush()
            os.fsync(f.fileno())

    def end(self, c):
        if c["run"] != self.run:
            sys.exit(65)
        self.run = None
        self.back.close()                   # all is receipted


def main():
    sink = Sink(sys.argv[1])
    for line in sys.stdin.buffer:
        if b"".join(line.split()).startswith(b'{"dpp"'):
            c = json.loads(line)
            if c["dpp"] == "dead":
                sink.take(line, True)
            else:
                getattr(sink, c["dpp"])(c)  # hello, mark, end
        else:
            sink.take(line, False)
    sink.sync()
    sys.exit(76 if sink.run else 0)


main()
