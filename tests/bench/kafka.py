"""Kafka: in and out against kcat and librdkafka alone with the same bytes,
deliveries, webhooks, and what transactions cost. One broker, on the same two
cores as everything else; a first round, which does not count, is for its
compiler."""
import contextlib
import json
import os
import subprocess
from pathlib import Path

import deliver
import listen
import pipe

N = 300_000
LONG = 4                # times as many, where the start must not count
BROKER = Path(__file__).resolve().parent.parent / "kafka" / "broker"
HEADERS = ("ce_specversion=1.0", "ce_id=evt_00000000", "ce_source=/shop",
           "ce_type=paid", "ce_time=2026-11-24T10:00:00.000Z",
           "ce_partitionkey=k000")

# What dpp-produce sets besides its class (lib/kafka/client.c).
PRODUCING = ("-X acks=all -X enable.idempotence=true -X message.timeout.ms=0"
             " -X partitioner=murmur2_random -X message.max.bytes=8388608"
             " -X queue.buffering.max.messages=1000000"
             " -X queue.buffering.max.kbytes=131072")


@contextlib.contextmanager
def broker(bench):
    """The address of a broker of our own, or of the user's."""
    if "KAFKA_BOOTSTRAP" in os.environ:
        yield os.environ["KAFKA_BOOTSTRAP"]
        return
    where = bench.work / "broker"
    subprocess.run([BROKER, "start", where,
                    "--set", "log.segment.delete.delay.ms=1000"], check=True)
    try:
        yield (where / "bootstrap").read_text().strip()
    finally:
        subprocess.run([BROKER, "stop", where], check=True)


def topic(bench, name, partitions=4):
    bench.shell(f"dpp-topic create -p {partitions} {name}")
    return name


def values(bench):
    """What dpp-produce makes of the events, for those who read no events."""
    bench.shell(f"cat {'events ' * LONG} > many")
    with open(bench.work / "many", encoding="ascii") as events, \
            open(bench.work / "values", "w", encoding="ascii") as out:
        for line in events:
            key = json.loads(line)["partitionkey"]
            data = line.split(',"data":', 1)[1].removesuffix("}\n")
            out.write(f"{key}\t{data}\n")


def produce(bench, at):
    """The same keys, values, number and length of headers, and properties; the
    others know only fixed headers."""
    turn = iter(range(1000))
    headers = " ".join(f"-H {h}" for h in HEADERS)
    values(bench)

    def rate_of(line):
        def way():
            t = topic(bench, f"in{next(turn)}")
            took = bench.shell(line.format(t))
            bench.shell(f"dpp-topic rm {t}")
            return LONG * N / took
        return way

    def dpp(options):
        return rate_of(f"dpp-produce {options} -t {{}} < many")

    def outside(program, options):
        return rate_of(f"{program} -b {at} -t {{}} {headers} {PRODUCING}"
                       f" {options} < values")

    for name, options, same in (
            ("latency", "", "-X linger.ms=1"),
            ("throughput", "-X class=throughput",
             "-X linger.ms=20 -X compression.codec=lz4")):
        rate = bench.in_turn(
            warm=1, dpp=dpp(options),
            kcat=outside("kcat -P -K '\t'", same),
            alone=outside(bench.tools / "kafkaref", same))
        for limit, label, target in (("kcat", "kcat -P", 1.0),
                                     ("alone", "librdkafka alone", 0.8)):
            bench.figure(f"produce, {name} : {label}", rate["dpp"],
                         "events/s", rate[limit], rate.ratio("dpp", limit),
                         at_least=target)


def consume(bench, at):
    t = topic(bench, "full")
    bench.shell(f"dpp-produce -X class=throughput -t {t} < events")
    rate = bench.in_turn(
        warm=1,
        dpp=lambda: N / bench.shell(f"dpp-consume -t {t} -e > /dev/null"),
        kcat=lambda: N / bench.shell(
            f"kcat -C -b {at} -t {t} -o beginning -e -q"
            " -f '%k %h %s\\n' > /dev/null"))
    bench.figure("consume : kcat -C with key and headers", rate["dpp"],
                 "events/s", rate["kcat"], rate.ratio("dpp", "kcat"),
                 at_least=1.0)


def through(bench):
    """What events cost: the time that the same line takes for a hundred of them
    is taken off. Exactly once it starts 150 ms later, longer under load."""
    turn = iter(range(1000))
    for name, lines in (("long", f"cat {'events ' * LONG}"),
                        ("short", "head -n 100 events")):
        t = topic(bench, name)
        bench.shell(f"{lines} | dpp-produce -X class=throughput -t {t}")

    def seconds(source, options):
        i = next(turn)
        t = topic(bench, f"through{i}")
        took = bench.shell(f"dpp-consume -t {source} -g g{i} -e"
                           f" | dpp-transform . | dpp-produce {options} -t {t}")
        bench.shell(f"dpp-topic rm {t}")
        return took

    def row(options):
        return lambda: LONG * N / (seconds("long", options)
                                   - seconds("short", options))

    exact = "--exactly-once --single-broker --commit-interval"
    rate = bench.in_turn(warm=1, once=row(""), half=row(f"{exact} 500ms"),
                         tenth=row(f"{exact} 100ms"))
    bench.figure("exactly once, 500 ms : at least once", rate["half"],
                 "events/s", rate["once"], rate.ratio("half", "once"),
                 at_least=0.9)
    bench.figure("exactly once, 100 ms : at least once", rate["tenth"],
                 "events/s", rate["once"], rate.ratio("tenth", "once"))


def webhooks(bench, at):
    late = []
    t = topic(bench, "hooks", 1)

    def way():
        port = listen.free_port()
        with listen.server(bench, f"exec dpp-listen -q -l 127.0.0.1:{port}"
                           f" -b kafka://{at} -t {t}", port):
            rate, _, p99 = listen.load(bench, port)
        late.append(p99)
        return rate

    rate = bench.in_turn(kafka=way)
    bench.figure("listen -t TOPIC, answered by the broker", rate["kafka"],
                 "requests/s")
    bench.figure("listen -t TOPIC, p99", sorted(late)[len(late) // 2], "us")


def deliveries(bench):
    turn = iter(range(1000))
    n = 30_000
    bench.shell(f"head -n {n} events > some")
    t = topic(bench, "some")
    bench.shell(f"dpp-produce -t {t} < some")
    with deliver.endpoint(bench) as url:
        for lanes in 1, 16, 64:
            def way(lanes=lanes):
                i = next(turn)
                return n / bench.shell(
                    f"dpp-consume -t {t} -g d{i} -e | dpp-deliver -q"
                    f" -j {lanes} -s retry{i} {url}")
            rate = bench.in_turn(kafka=way)
            bench.figure(f"Kafka to HTTP, {lanes} lanes", rate["kafka"],
                         "POST/s")


def run(bench):
    pipe.events(bench.work / "events", 350, N, 1)
    with broker(bench) as at:
        bench.env["DPP_BROKER"] = f"kafka://{at}"
        produce(bench, at)
        consume(bench, at)
        through(bench)
        webhooks(bench, at)
        deliveries(bench)
        del bench.env["DPP_BROKER"]
