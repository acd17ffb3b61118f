"""python3 tests/storm SCENARIO: processes are killed, and nothing may be lost.

    deliver      listen -t ; consume | transform | deliver, in a shell
    supervised   the same under dpp-run
    intake       listen | produce
    topic        listen -t ; consume | transform | produce: exactly once
    jq           the same with stock jq as the filter
    drain        SIGTERM under load instead of SIGKILL
    failing_key  one key of 1,000 always fails
    demo         the main job, told on a terminal

A failure prints the seed and the line that runs it again; its folder stays.
"""
import argparse
import random
import shutil
import signal
import sys
import tempfile

import bench
import demo
import scenarios

ALL = dict(scenarios.ALL, demo=demo.demo)


def main():
    p = argparse.ArgumentParser(
        prog="storm", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scenario", choices=sorted(ALL))
    p.add_argument("--events", type=int, default=20000)
    p.add_argument("--kills", type=int, default=50, help="of each program")
    p.add_argument("--rate", type=float, default=800, help="events a second")
    p.add_argument("--keys", type=int, default=200)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--style", choices=("p", "s"), default="p")
    p.add_argument("--patience", type=float, default=90)
    p.add_argument("--store", help="kafka://HOST:PORT instead of a log")
    p.add_argument("--at-least-once", action="store_true",
                   help="on Kafka, without transactions: it must be found out")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--dir", help="folder of the run (a temporary one)")
    a = p.parse_args()
    a.dir = a.dir or tempfile.mkdtemp(prefix="dpp-storm.")
    again = (f"python3 tests/storm {a.scenario} --events {a.events} --kills "
             f"{a.kills} --rate {a.rate:g} --keys {a.keys} --seed {a.seed} "
             f"--style {a.style}" + (f" --store {a.store}" if a.store else "") +
             (" --at-least-once" if a.at_least_once else ""))
    b = bench.Bench(a)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("storm: stopped"))
    try:
        ALL[a.scenario](b)
    except bench.Failure as e:
        b.close()
        for r in b.rows:
            tail = (r.where / f"{r.name}.err").read_text(errors="replace")
            print(f"--- {r.name}, last words:\n" +
                  "\n".join(tail.splitlines()[-8:]))
        sys.exit(f"storm: {e}\nfolder: {a.dir}\nagain: {again}")
    except BaseException:
        b.close()
        raise
    b.close()
    shutil.rmtree(a.dir)


main()
