"""What is killed, and what must hold afterwards. Each scenario is one function
of a Bench; it raises Failure, or prints its table and returns."""
import json
import re
import signal
import time

from bench import Failure, ROOT
from process import Killer

MAPPED = "'.data |= {text: .head_commit.message}'"
PUSHES = "'select(.type == \"push\")'"
# A filter that drops: one key of the many.
KEEP = 'select(.data.repository.full_name != "k0")'
DROP = f"'{KEEP}'"
FOREIGN = (f"jq -c --unbuffered -L {ROOT}/share/jq "
           f"'include \"dpp\"; event({KEEP})'")
LISTEN = {"dpp-listen"}
NOTING = """#!/bin/sh
size=-1
while now=$(wc -c <{record}); [ "$now" != "$size" ]; do
    size=$now
    sleep 0.02
done
position=$(dpp-topic lag {topic} | awk '
    $1 == "{group}" && $4 != "none" {{ print $4; found = 1 }}
    END {{ if (!found) print 0 }}') || exit
echo "$position $(wc -l <{record})" >>{marks}
exec {command}
"""


def storm(b, rows, feeder):
    """Kill members of rows while the sender is busy, and let it finish."""
    a = b.a
    killer = Killer(rows, a.seed, a.kills, print if a.verbose else None)
    killer.run(0.85 * a.events / a.rate)
    print(b.fed(feeder))
    print("killed: " + ", ".join(f"{n} {k}×" for n, k in
                                 sorted(killer.kills.items())))


def repeats_allowed(b, topic, marks):
    """What was delivered and not receipted at each start of a row.

    marks are (position of the group, arrivals recorded) at each start. An
    event at or behind the position that had arrived may arrive once more.
    """
    offset = {}
    for line in b.values(topic).splitlines():
        m = re.search(rb"[ps]\d+-\d+-k\d+-n\d+", line)
        origin = re.search(rb'"dpporigin":"[^"]*/(\d+)"', line)
        offset.setdefault(m.group().decode(), []).append(int(origin[1]))
    arrivals = [line.split()[2] for line in
                b.record.read_text().splitlines() if line.startswith("D")]
    allowed = 0
    for position, n in marks:
        seen = set(arrivals[:n])
        allowed += sum(1 for name in seen for o in offset.get(name, [])
                       if o >= position)
    return allowed


def noting(b, command, topic, group):
    """A script that notes position and arrivals, when the record is at rest,
    and then becomes the source: so it is done before each start, whoever
    starts it."""
    script = b.where / "source"
    script.write_text(NOTING.format(record=b.record, marks=b.where / "marks",
                                    topic=topic, group=group,
                                    command=command))
    script.chmod(0o755)
    return str(script)


def read_marks(b):
    marks = [tuple(map(int, line.split()))
             for line in (b.where / "marks").read_text().splitlines()]
    if not marks:
        raise Failure("no start of the row was noted")
    return marks


def to_endpoint(b, wrap, program, body):
    """listen -t ; consume | transform | deliver."""
    url = b.sink()
    front = b.row("listen", b.listen("-t in"), LISTEN)
    source = noting(b, "dpp-consume -t in -g out -o beginning", "in", "out")
    stages = [source, f"dpp-transform {program}",
              f"dpp-deliver -j 16 -s {b.where}/retry {url}"]
    victims = {"dpp-consume", "dpp-transform", "dpp-deliver"}
    if wrap is in_run:
        victims.add("dpp-run")
    b.wait(lambda: front.members(), 10, "dpp-listen does not start")
    feeder = b.feed("--rate", str(b.a.rate))
    b.wait(lambda: b.ledger.exists() and "A " in b.ledger.read_text(),
           10, "nothing is acknowledged")
    back = b.row("segment", wrap(stages), victims)
    storm(b, [front, back], feeder)
    b.arrived()
    b.drained("in", "out")
    b.clean_end(back, "dpp-consume" if wrap is in_shell else "dpp-run")
    b.clean_end(front, "dpp-listen")
    allowed = repeats_allowed(b, "in", read_marks(b))
    print(f"repeats allowed  {allowed:>8}")
    b.verdict("--body", body, "--max-repeated", str(allowed))
    b.verify("in")
    b.balanced("dpp-consume")
    b.balanced("dpp-deliver", False)


def in_shell(stages):
    return " | ".join(stages)


def in_run(stages):
    return "dpp-run " + " ! ".join(stages)


def deliver(b):
    to_endpoint(b, in_shell, MAPPED, "mapped")


def supervised(b):
    to_endpoint(b, in_run, PUSHES, "same")


def intake(b):
    """listen | produce: 2xx after the receipt."""
    b.topics("in")
    row = b.row("intake", b.listen("") + " | dpp-produce -t in",
                {"dpp-listen", "dpp-produce"})
    feeder = b.feed("--rate", str(b.a.rate))
    storm(b, [row], feeder)
    b.clean_end(row, "dpp-listen")
    b.topic_record("in")
    b.verdict("--max-repeated", "0")
    b.verify("in")
    b.balanced("dpp-listen")


def topic_to_topic(b, middle, name):
    """listen -t ; consume | filter | produce: exactly once."""
    b.topics("in", "out")
    front = b.row("listen", b.listen("-t in"), LISTEN)
    back = b.row("segment", f"dpp-consume -t in -g g -o beginning | {middle} "
                 f"| dpp-produce {b.exact} -t out",
                 {"dpp-consume", name, "dpp-produce"},
                 "dpp-topic create in 2>/dev/null; :")
    feeder = b.feed("--rate", str(b.a.rate))
    storm(b, [front, back], feeder)
    b.drained("in", "g")
    b.clean_end(back, "dpp-consume")
    b.clean_end(front, "dpp-listen")
    same_events(b)
    b.topic_record("out")
    b.verdict("--without-key", "k0", "--max-repeated", "0")
    b.verify("in")
    b.verify("out")
    b.balanced("dpp-consume")
    b.balanced("dpp-produce", False)


def same_events(b):
    """The output topic is the input topic without key k0: the same events, in
    the same order, each once."""
    def ids(topic, drop):
        found = []
        for line in b.values(topic).splitlines():
            e = json.loads(line)
            if not (drop and e["partitionkey"] == "k0"):
                found.append((e["source"], e["id"]))
        return found

    want, got = ids("in", True), ids("out", False)
    if want != got:
        at = next((i for i, (w, g) in enumerate(zip(want, got)) if w != g),
                  min(len(want), len(got)))
        raise Failure(f"the output differs from the input at event {at}: "
                      f"{len(want)} wanted, {len(got)} there, "
                      f"{len(set(got))} different")


def topic(b):
    topic_to_topic(b, f"dpp-transform {DROP}", "dpp-transform")


def jq(b):
    topic_to_topic(b, FOREIGN, "jq")


def drain(b):
    """SIGTERM under load, again and again: nothing lost, nothing repeated."""
    url = b.sink()
    front = b.row("listen", b.listen("-t in"), LISTEN)
    back = b.row("segment", in_shell([
        "dpp-consume -t in -g out -o beginning", f"dpp-transform {MAPPED}",
        f"dpp-deliver -j 16 -s {b.where}/retry {url}"]),
        {"dpp-consume", "dpp-transform", "dpp-deliver"},
        "dpp-topic create in 2>/dev/null; :")
    b.allow(0)
    feeder = b.feed("--rate", str(b.a.rate), "--gate", str(b.gate))
    for done in range(b.a.kills):
        # Under load, however long the stops take: each has events of its own,
        # and of them some must have come through.
        before = b.record.stat().st_size
        b.allow(b.a.events * (done + 1) // b.a.kills)
        b.wait(lambda: b.record.stat().st_size > before + 2000, 20,
               "nothing arrives any more")
        row, name = (back, "dpp-consume") if done % 4 else (front, "dpp-listen")
        starts = row.starts()
        row.signal_all({name}, signal.SIGTERM)
        b.wait(lambda: row.starts() > starts, 30, f"{name} does not end")
    print(b.fed(feeder))
    b.arrived()
    b.clean_end(back, "dpp-consume")
    b.clean_end(front, "dpp-listen")
    for r in front, back:
        bad = [s for s in r.statuses() if set(s.split()) != {"0"}]
        if bad:
            raise Failure(f"{r.name}: {len(bad)} of {len(r.statuses())} ends "
                          f"on SIGTERM were not clean, first: {bad[0]}")
    print(f"{b.a.kills} times SIGTERM, all ends clean")
    b.verdict("--body", "mapped", "--max-repeated", "0")
    print(f"balanced: {b.balanced('dpp-consume')} sources, "
          f"{b.balanced('dpp-deliver', False)} sinks")


def failing_key(b):
    """One key of 1,000 always fails; the others keep 90 % of the rate.

    The endpoint's answers take so long that they set the rate, not the
    processor; and both rows run side by side, so that what else the machine
    does slows both."""
    b.a.keys = 1000
    front = b.row("listen", b.listen("-t in"), LISTEN)
    b.fed(b.feed("--connections", "64"))
    b.clean_end(front, "dpp-listen")
    rows = []
    for name, options in ("healthy", ()), ("failing", ("--fail-key", "k7")):
        b.record = b.where / f"{name}.record"
        url = b.sink("--delay", "40", *options)
        rows.append((name, options, b.record, url))
    started = [b.row(name, f"dpp-consume -t in -g {name} -o beginning | "
                     f"dpp-deliver -j 32 -s {b.where}/{name}.retry {url}",
                     {"dpp-consume", "dpp-deliver"})
               for name, _, _, url in rows]
    times = []
    for name, options, b.record, _ in rows:
        without = ("--without-key", "k7") if options else ()
        b.arrived(*without)
        b.verdict(*without, "--max-repeated", "0")
        times.append([int(line.split()[1]) for line in
                      b.record.read_text().splitlines()
                      if line.startswith("D") and "-k7-" not in line])
    for row in started:
        row.stop("dpp-consume")
    # While both ran.
    start, end = max(map(min, times)), min(map(max, times))
    healthy, failing = (sum(start <= t < end for t in ts) for ts in times)
    share = failing / healthy
    print(f"in {end - start} ms {healthy} events, {failing} with a failing "
          f"key: {100 * share:.0f} %")
    if share < 0.9:
        raise Failure(f"only {100 * share:.0f} % of the rate, wanted are 90")


ALL = {f.__name__: f for f in (deliver, supervised, intake, topic, jq, drain,
                               failing_key)}
