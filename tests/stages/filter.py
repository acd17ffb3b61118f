#!/usr/bin/env python3
"""A filter by the book (dpp-stage(7)), with the standard library alone.

    filter.py TYPE    drops events of other types; .data.n doubles, and an
                      event without such a number is given up

It shows what a filter owes: control lines pass as they are, an event that is
not changed keeps its bytes, one that cannot be handled becomes a dead line,
and all output is out before a mark is passed.
"""
import json
import sys


def write(line):
    sys.stdout.buffer.write(line)


def is_control(line):
    return line.split(b'"', 2)[:2] == [b"{", b"dpp"]


def handle(line):
    event = json.loads(line)
    if event["type"] != sys.argv[1]:
        return                              # dropped
    try:
        event["data"]["n"] *= 2
    except (KeyError, TypeError) as e:
        event = {"dpp": "dead", "why": f"filter.py: {e!r}", "event": event}
    write(json.dumps(event).encode() + b"\n")


def main():
    ended = True                            # plain input has no end line
    for line in sys.stdin.buffer:
        if is_control(b"".join(line.split())):
            ended = b'"end"' in line
            write(line)
            sys.stdout.buffer.flush()       # all of the batch, then its mark
        else:
            handle(line)
    sys.stdout.buffer.flush()
    sys.exit(0 if ended else 76)


main()
