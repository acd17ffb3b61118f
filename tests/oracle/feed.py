"""The sender: posts events, repeats each until it is acknowledged.

The events of one key go over one connection, one at a time, so that the order
of a key is the sender's order. The ledger says what the sender saw:

    S NAME          sent for the first time
    R NAME REASON   sent again: the answer was no 2xx, or there was none
    A NAME          acknowledged with 2xx
"""
import asyncio
import hashlib
import hmac
import sys
import time
from urllib.parse import urlsplit

import events

REFUSED = 413, 422, 409


class Lane:
    """One connection and the events of its keys."""

    def __init__(self, feeder, todo):
        self.feeder = feeder
        self.todo = todo
        self.reader = self.writer = None

    async def post(self, request):
        """The status of one request, or the reason why there is none."""
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.wait_for(
                    asyncio.open_connection(*self.feeder.address), 5)
            self.writer.write(request)
            head = await asyncio.wait_for(
                self.reader.readuntil(b"\r\n\r\n"), self.feeder.timeout)
            status = int(head[9:12])
            length = 0
            low = head.lower()
            at = low.find(b"\r\ncontent-length:")
            if at >= 0:
                length = int(low[at + 17:low.index(b"\r\n", at + 2)])
            if length:
                await self.reader.readexactly(length)
            if b"\r\nconnection: close" in low:
                self.hang_up()
            return status
        except (OSError, EOFError, asyncio.TimeoutError, ValueError,
                asyncio.IncompleteReadError) as e:
            self.hang_up()
            return type(e).__name__

    def hang_up(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def run(self):
        for name in self.todo:
            request = self.feeder.request(name)
            self.feeder.note(f"S {name}")
            wait = 0.01
            await self.feeder.pace()
            while True:
                answer = await self.post(request)
                if isinstance(answer, int) and 200 <= answer < 300:
                    self.feeder.acknowledged(name)
                    break
                if answer in REFUSED:
                    sys.exit(f"oracle feed: {name} refused with {answer}")
                if time.monotonic() > self.feeder.deadline:
                    sys.exit(f"oracle feed: {name} not taken in time: {answer}")
                self.feeder.note(f"R {name} {answer}")
                await asyncio.sleep(wait)
                wait = min(wait * 2, 0.25)
        self.hang_up()


class Feeder:
    def __init__(self, a):
        u = urlsplit(a.url)
        self.address = u.hostname, u.port or 80
        self.path = u.path or "/"
        self.timeout = a.timeout
        self.deadline = time.monotonic() + a.patience
        self.key = None
        if a.sign:
            with open(a.sign, "rb") as f:
                self.key = f.read().strip()
        self.progress = a.progress
        self.rate = a.rate
        self.gate = a.gate
        self.allowed = 0 if a.gate else a.events
        self.started = time.monotonic()
        self.base = self.started, 0
        self.sent = self.acked = 0
        self.total = a.events
        self.ledger = open(a.ledger, "w", buffering=1 << 16)

    def request(self, name):
        data = events.body(name)
        head = (f"POST {self.path} HTTP/1.1\r\nHost: {self.address[0]}\r\n"
                "Content-Type: application/json\r\n"
                "User-Agent: GitHub-Hookshot/044aadd\r\n"
                f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {name}\r\n"
                f"Content-Length: {len(data)}\r\n")
        if self.key is not None:
            mac = hmac.new(self.key, data, hashlib.sha256).hexdigest()
            head += f"X-Hub-Signature-256: sha256={mac}\r\n"
        return head.encode() + b"\r\n" + data

    def note(self, line):
        self.ledger.write(line + "\n")

    def acknowledged(self, name):
        self.note(f"A {name}")
        self.acked += 1
        if self.acked % 50 == 0 or self.acked == self.total:
            self.ledger.flush()
            if self.progress and self.acked % 500 == 0:
                print(f"acknowledged {self.acked} of {self.total}", flush=True)

    def look_at_gate(self):
        """The file says how many events may be sent by now; what it adds is
        paced from now on."""
        with open(self.gate) as f:
            n = int(f.read())
        if n > self.allowed:
            self.base = time.monotonic(), self.allowed
            self.allowed = n

    async def pace(self):
        """With --gate and --rate: no event before its time."""
        self.sent += 1
        n = self.sent
        while n > self.allowed:
            self.look_at_gate()
            if n > self.allowed:
                await asyncio.sleep(0.02)
        if self.rate:
            start, before = self.base
            delay = start + (n - before) / self.rate - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)


async def run(a):
    feeder = Feeder(a)
    lanes = [[] for _ in range(a.connections)]
    for name, key in events.names(a.style, a.seed, a.events, a.keys):
        lanes[key % a.connections].append(name)
    work = [asyncio.ensure_future(Lane(feeder, todo).run()) for todo in lanes]
    await asyncio.gather(*work)
    feeder.ledger.close()
    took = time.monotonic() - feeder.started
    print(f"acknowledged {feeder.acked} in {took:.1f} s")
