"""python3 tests/oracle COMMAND: feeds numbered events and judges the outcome.

    feed    post events to a listener, note what it acknowledged
    sink    an endpoint that records what arrives
    lines   event bodies on standard output, one a line
    record  event lines from standard input into a record
    wait    until all that was acknowledged has arrived
    report  lost, repeated, phantom, reordered, mutated; 1 if there is any
"""
import argparse
import asyncio

import feed
import lines
import report
import sink


def event_options(p):
    p.add_argument("--events", type=int, default=1000)
    p.add_argument("--keys", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)


def judge_options(p):
    p.add_argument("--ledger", required=True)
    p.add_argument("--record", required=True)
    p.add_argument("--without-key", help="leave a key out, as k17")


def parser():
    top = argparse.ArgumentParser(
        prog="oracle", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = top.add_subparsers(dest="command", required=True)

    p = sub.add_parser("feed")
    event_options(p)
    p.add_argument("--url", required=True)
    p.add_argument("--ledger", required=True)
    p.add_argument("--sign", help="file with GitHub's webhook secret")
    p.add_argument("--style", choices=("p", "s"), default="p")
    p.add_argument("--connections", type=int, default=16)
    p.add_argument("--rate", type=float, help="events a second, at most")
    p.add_argument("--gate", help="file that says how many events may be sent")
    p.add_argument("--timeout", type=float, default=10, help="of one answer")
    p.add_argument("--patience", type=float, default=600, help="of the run")
    p.add_argument("--progress", action="store_true")
    p.set_defaults(run=lambda a: asyncio.run(feed.run(a)))

    p = sub.add_parser("sink")
    p.add_argument("--listen", default="127.0.0.1:0")
    p.add_argument("--record", required=True)
    p.add_argument("--ready", help="file that gets the port when it is open")
    p.add_argument("--fail-key", help="refuse this key, as k17")
    p.add_argument("--fail-status", type=int, default=500)
    p.add_argument("--delay", type=float, default=0, help="ms per answer")
    p.set_defaults(run=lambda a: asyncio.run(sink.run(a)))

    p = sub.add_parser("lines")
    event_options(p)
    p.add_argument("--ledger")
    p.set_defaults(run=lines.write)

    p = sub.add_parser("record")
    p.add_argument("--record", required=True)
    p.set_defaults(run=lines.record)

    p = sub.add_parser("wait")
    judge_options(p)
    p.add_argument("--timeout", type=float, default=60)
    p.set_defaults(run=report.wait)

    p = sub.add_parser("report")
    judge_options(p)
    p.add_argument("--body", choices=("same", "mapped"), default="same")
    p.add_argument("--max-repeated", type=int,
                   help="beyond what the sender itself repeated")
    p.add_argument("--min-acked", type=int, help="default: all that was sent")
    p.set_defaults(run=report.run)
    return top


def main():
    a = parser().parse_args()
    a.run(a)


main()
