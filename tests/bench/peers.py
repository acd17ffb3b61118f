"""The same work done by others, where they are on PATH: webhooks into Kafka,
Kafka to HTTP, and a filter from topic to topic. One broker, on the same two
cores as everything else; the peers' files are in tests/bench/peers/.

All but Fluent Bit acknowledge what is stored, and what is delivered, and
nothing else: acks=all, an idempotent producer, offsets behind the answers. What
a way needs to start is in its figure, but for webhooks."""
import shutil
import subprocess
import time
from pathlib import Path

import deliver
import kafka
import listen
import pipe

HERE = Path(__file__).resolve().parent / "peers"
# Who, by which command (the first that is there), with which file.
PEERS = {
    "Benthos": ((("redpanda-connect", "run"), ("rpk", "connect", "run"),
                 ("benthos", "-c")), ".yaml"),
    "Vector": ((("vector", "--quiet", "--config"),), ".vector.yaml"),
    "Fluent Bit": ((("fluent-bit", "--quiet", "--config"),), ".fluent.conf"),
}
POSTS, EVENTS, LANES, PATIENCE = 20_000, 400_000, 16, 300


class Peer:
    """One work of one peer: name is what it is called in the table."""
    def __init__(self, bench, name, work):
        words, suffix = PEERS[name]
        command = next((w for w in words if shutil.which(w[0])), None)
        self.bench = bench
        self.path = HERE / f"{work}{suffix}"
        self.can = command is not None and self.path.exists()
        self.text = "exec " + " ".join([*(command or ()), str(self.path)])

    def start(self, **settings):
        set_text = " ".join(f"{k}='{v}'" for k, v in settings.items())
        return f"export {set_text}; {self.text}"

    def until(self, done, **settings):
        """Seconds until done() says so; the peer ends then."""
        p = subprocess.Popen(
            ["bash", "-c", self.start(**settings)], cwd=self.bench.work,
            env=self.bench.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin = time.perf_counter()
        try:
            while not done():
                if p.poll() is not None:
                    raise SystemExit(f"{self.path}: ended by itself")
                if time.perf_counter() - begin > PATIENCE:
                    raise SystemExit(f"{self.path}: not done in {PATIENCE} s")
                time.sleep(0.05)
            return time.perf_counter() - begin
        finally:
            p.terminate()
            p.wait()


def compare(bench, label, unit, work, ours, theirs):
    """ours() and theirs(peer) return what the table shows."""
    ways = {"dpp": ours}
    for name in PEERS:
        peer = Peer(bench, name, work)
        if peer.can:
            ways[name] = lambda peer=peer: theirs(peer)
    if len(ways) == 1:
        return
    rate = bench.in_turn(**ways)
    for name in list(rate)[1:]:
        bench.figure(f"{label} : {name}", rate["dpp"], unit, rate[name])


def webhooks(bench, at):
    def serve(text, port):
        with listen.server(bench, text, port):
            return listen.load(bench, port)[0]

    def ours():
        port = listen.free_port()
        return serve(f"exec dpp-listen -q -l 127.0.0.1:{port} -t hooks", port)

    def theirs(peer):
        port = listen.free_port()
        return serve(peer.start(PORT=port, BROKERS=at, TOPIC="hooks"), port)

    kafka.topic(bench, "hooks")
    compare(bench, "webhook to Kafka", "requests/s", "webhook", ours, theirs)


def deliveries(bench, at):
    turn = iter(range(1000))
    record = bench.work / "record"

    def done():
        return record.exists() and record.read_bytes().count(b"\n") >= POSTS

    def theirs(peer):
        record.unlink(missing_ok=True)
        with deliver.endpoint(bench, "-w", record) as url:
            return POSTS / peer.until(done, BROKERS=at, TOPIC="posts", URL=url,
                                      LANES=LANES, GROUP=f"peer{next(turn)}")

    def ours():
        i = next(turn)
        record.unlink(missing_ok=True)
        with deliver.endpoint(bench, "-w", record) as url:
            return POSTS / bench.shell(
                f"dpp-consume -t posts -g d{i} -e |"
                f" dpp-deliver -q -j {LANES} -s retry{i} {url}")

    kafka.topic(bench, "posts")
    bench.shell(f"head -n {POSTS} events | dpp-produce -t posts")
    compare(bench, f"Kafka to HTTP, {LANES} at a time", "POST/s", "deliver",
            ours, theirs)


def filters(bench, at):
    turn = iter(range(1000))

    def is_full(topic):
        out = subprocess.run(["dpp-topic", "show", topic], env=bench.env,
                             check=True, capture_output=True, text=True).stdout
        sizes = [line.split()[1:] for line in out.splitlines()
                 if line.startswith("offsets")]
        return int(sizes[0][-1]) >= EVENTS // 10

    def theirs(peer):
        i = next(turn)
        to = kafka.topic(bench, f"peer{i}")
        return EVENTS / peer.until(lambda: is_full(to), BROKERS=at, OUT=to,
                                   TOPIC="events", GROUP=f"peer-f{i}")

    def ours():
        i = next(turn)
        to = kafka.topic(bench, f"ours{i}")
        return EVENTS / bench.shell(
            f"dpp-consume -t events -g f{i} -e |"
            f" dpp-transform '{pipe.PROGRAM}' | dpp-produce -t {to}")

    kafka.topic(bench, "events")
    bench.shell("dpp-produce -X class=throughput -t events < events")
    compare(bench, "Kafka, filter (1 in 10), Kafka", "events/s", "filter",
            ours, theirs)


def run(bench):
    there = [name for name, (words, _) in PEERS.items()
             if any(shutil.which(w[0]) for w in words)]
    for name in PEERS:
        if name not in there:
            print(f"peers: {name} is not on PATH; its rows are skipped")
    if not there:
        return
    pipe.events(bench.work / "events", 350, EVENTS, 10)
    with kafka.broker(bench) as at:
        bench.env["DPP_BROKER"] = f"kafka://{at}"
        webhooks(bench, at)
        deliveries(bench, at)
        filters(bench, at)
        del bench.env["DPP_BROKER"]
