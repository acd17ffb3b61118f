"""Events in a pipe: plain bodies out, CloudEvents lines in."""
import base64
import json
import sys

import events

SCAN = json.JSONDecoder()


def write(a):
    """NAME's body, one a line: for dpp-produce -r. Each counts as sent; with
    --ledger they are noted as acknowledged too (the caller has to check the
    exit status of what took them)."""
    out = sys.stdout.buffer
    ledger = open(a.ledger, "w") if a.ledger else None
    for name, _ in events.names("p", a.seed, a.events, a.keys):
        out.write(events.body(name) + b"\n")
        if ledger:
            ledger.write(f"S {name}\nA {name}\n")
    out.flush()


def members(line):
    """The top members of an object as slices of its text."""
    at, got = 1, {}
    while True:
        while line[at] in " \t,":
            at += 1
        if line[at] == "}":
            return got
        name, at = SCAN.raw_decode(line, at)
        while line[at] in " \t:":
            at += 1
        start = at
        _, at = SCAN.raw_decode(line, at)
        got[name] = line[start:at]


def payload(line):
    """The value of an event line, byte for byte, or None."""
    m = members(line)
    if "data_base64" in m:
        return base64.b64decode(json.loads(m["data_base64"]), validate=True)
    if "data" in m:
        return m["data"].encode("utf-8", "surrogatepass")
    return None


def record(a):
    """Event lines on standard input become a record of arrivals."""
    with open(a.record, "a") as f:
        for raw in sys.stdin.buffer:
            line = raw.decode("utf-8", "surrogatepass").strip()
            if line.startswith('{"dpp"'):
                continue
            data = payload(line)
            name = events.find_name(data or b"") or "?"
            f.write(f"D 0 {name} {events.fingerprint(data or b'')}\n")
