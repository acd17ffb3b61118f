"""The verdict: what was acknowledged against what arrived.

    lost      acknowledged, never arrived
    repeated  arrived more often than once
    phantom   arrived, never sent
    reordered the first arrivals of a key do not count up
    mutated   the bytes are neither those sent nor those the mapping makes
"""
import os
import sys
import time

import events


def read_ledger(path):
    sent, acked, resent = {}, set(), {}
    with open(path) as f:
        for line in f:
            w = line.split()
            if w[0] == "S":
                sent[w[1]] = True
            elif w[0] == "A":
                acked.add(w[1])
            else:
                resent[w[1]] = resent.get(w[1], 0) + 1
    return sent, acked, resent


def read_record(path):
    with open(path) as f:
        for line in f:
            w = line.split()
            if len(w) == 4 and line.endswith("\n") and w[0] == "D":
                yield w[2], w[3]


class Verdict:
    def __init__(self, sent, acked, resent, record, body):
        want = events.mapped if body == "mapped" else events.body
        count, last = {}, {}
        self.sent, self.acked, self.resent = len(sent), len(acked), len(resent)
        self.phantom, self.mutated, self.reordered = [], [], []
        self.arrivals = 0
        for name, print_of in record:
            self.arrivals += 1
            if name not in sent:
                self.phantom.append(name)
                continue
            if events.fingerprint(want(name)) != print_of:
                self.mutated.append(name)
            count[name] = count.get(name, 0) + 1
            if count[name] > 1:
                continue
            key, n = events.split(name)
            if n <= last.get(key, 0):
                self.reordered.append(name)
            last[key] = max(n, last.get(key, 0))
        self.lost = sorted(acked - count.keys())
        self.unacked = len(count.keys() - acked)
        self.repeats = {n: c - 1 for n, c in count.items() if c > 1}
        self.repeated = sum(self.repeats.values())
        # A sender who got no answer sends again: two copies are then two
        # requests, not a fault of the pipeline. Counted, and shown.
        self.by_sender = sum(min(c, resent.get(n, 0))
                             for n, c in self.repeats.items())


def load(a):
    sent, acked, resent = read_ledger(a.ledger)
    if a.without_key:
        sent = {n: 1 for n in sent if events.split(n)[0] != a.without_key}
        acked = {n for n in acked if n in sent}
    return sent, acked, resent


def show(v):
    rows = [("sent", v.sent, ""), ("acknowledged", v.acked, ""),
            ("arrived", v.arrivals, ""),
            ("lost", len(v.lost), v.lost),
            ("repeated", v.repeated, list(v.repeats)),
            ("  by the sender", v.by_sender, ""),
            ("phantom", len(v.phantom), v.phantom),
            ("reordered", len(v.reordered), v.reordered),
            ("mutated", len(v.mutated), v.mutated)]
    for label, n, names in rows:
        hint = " ".join(names[:3]) if names else ""
        print(f"{label:<16} {n:>8}  {hint}".rstrip())


def run(a):
    sent, acked, resent = load(a)
    v = Verdict(sent, acked, resent, read_record(a.record), a.body)
    show(v)
    own = v.repeated - v.by_sender
    bad = []
    for what in "lost", "phantom", "reordered", "mutated":
        if getattr(v, what):
            bad.append(f"{len(getattr(v, what))} {what}")
    if a.max_repeated is not None and own > a.max_repeated:
        bad.append(f"{own} repeated, allowed are {a.max_repeated}")
    if v.sent == 0 or v.acked < (a.min_acked or v.sent):
        bad.append(f"only {v.acked} of {v.sent} acknowledged")
    if bad:
        sys.exit("oracle: " + "; ".join(bad))


def wait(a):
    """Until every acknowledged event has arrived, or the time is over."""
    end = time.monotonic() + a.timeout
    _, acked, _ = load(a)
    missing = set(acked)
    with open(a.record) as f:
        while missing:
            line = f.readline()
            if line.endswith("\n"):
                w = line.split()
                if w[0] == "D":
                    missing.discard(w[2])
                continue
            f.seek(f.tell() - len(line))
            if time.monotonic() > end:
                sys.exit(f"oracle: stuck: {len(missing)} acknowledged events "
                         f"did not arrive in {a.timeout} s, first "
                         + " ".join(sorted(missing)[:3]))
            time.sleep(0.05)
    print(f"all {len(acked)} arrived; record {os.path.getsize(a.record)} bytes")
