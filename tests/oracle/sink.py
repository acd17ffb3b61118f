"""The endpoint: an HTTP server that records each delivery.

    D MS NAME FINGERPRINT   accepted with 2xx
    X MS NAME STATUS        refused on purpose

MS is of the machine's monotonic clock: two records can be compared.

Each is on disk (in the file, not synced) before the answer goes out, so that a
delivery that its sender saw accepted is never missing from the record.
"""
import asyncio
import os
import signal
import time

import events


class Request(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.data = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            low = self.data[:end + 2].lower()
            at = low.find(b"\r\ncontent-length:")
            n = int(low[at + 17:low.index(b"\r\n", at + 2)]) if at >= 0 else 0
            if len(self.data) < end + 4 + n:
                return
            body = self.data[end + 4:end + 4 + n]
            head = self.data[:end + 2]
            self.data = self.data[end + 4 + n:]
            self.answer(head, body)

    def answer(self, head, body):
        status = self.sink.take(head, body)
        reply = (f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\n"
                 "Content-Type: text/plain\r\n\r\nok").encode()
        if self.sink.delay:
            asyncio.get_event_loop().call_later(
                self.sink.delay, self.transport.write, reply)
        else:
            self.transport.write(reply)


class Sink:
    def __init__(self, a):
        self.record = os.open(a.record,
                              os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.fail_key = a.fail_key
        self.fail_status = a.fail_status
        self.delay = a.delay / 1000
        self.count = 0

    def take(self, head, body):
        ms = int(time.monotonic() * 1000)
        name = events.find_name(body) or events.find_name(head) or "?"
        self.count += 1
        if name != "?" and events.split(name)[0] == self.fail_key:
            os.write(self.record,
                     f"X {ms} {name} {self.fail_status}\n".encode())
            return self.fail_status
        print_of = events.fingerprint(body)
        os.write(self.record, f"D {ms} {name} {print_of}\n".encode())
        return 200


async def run(a):
    sink = Sink(a)
    loop = asyncio.get_running_loop()
    host, port = a.listen.rsplit(":", 1)
    server = await loop.create_server(lambda: Request(sink), host, int(port),
                                      backlog=512)
    done = loop.create_future()
    for s in signal.SIGTERM, signal.SIGINT:
        loop.add_signal_handler(
            s, lambda: done.done() or done.set_result(None))
    if a.ready:
        with open(a.ready, "w") as f:
            f.write("%d\n" % server.sockets[0].getsockname()[1])
    await done
    server.close()
