"""POSTs out, by lanes, against a bare curl_multi loop to the same endpoint."""
import contextlib
import json
import re
import subprocess
import time

EVENTS = {1: 20_000, 16: 120_000, 64: 120_000}    # two seconds of work
BYTES = 350


@contextlib.contextmanager
def endpoint(bench, *options):
    """The URL of an endpoint that answers 200 at once."""
    port = bench.work / "port"
    port.unlink(missing_ok=True)
    p = subprocess.Popen([bench.tools / "httpsink", "-p", port,
                          *options],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not port.exists() or not port.read_text().strip():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port.read_text().strip()}/"
    finally:
        p.terminate()
        p.wait()


def run(bench):
    body = "x" * (BYTES - 12)
    (bench.work / "body").write_text(json.dumps({"note": body}))
    for n in set(EVENTS.values()):
        with open(bench.work / f"events{n}", "w", encoding="ascii") as f:
            for i in range(n):
                f.write(json.dumps({
                    "specversion": "1.0", "id": f"{i}", "source": "/shop",
                    "type": "paid", "partitionkey": f"k{i}",
                    "data": {"note": body}}) + "\n")
        bench.shell(f"dpp-produce -b log:store -t in{n} < events{n}")
    with endpoint(bench) as url:
        for lanes, n in EVENTS.items():
            rates(bench, url, lanes, n)


def rates(bench, url, lanes, n):
    turn = iter(range(10_000))

    def bare():
        out = subprocess.run([bench.tools / "curlloop", "-c", str(lanes),
                              "-n", str(n), "-b", bench.work / "body", url],
                             check=True, capture_output=True, text=True).stdout
        return float(re.match(r"\d+", out)[0])

    def deliver():
        i = next(turn)
        return n / bench.shell(
            f"dpp-consume -b log:store -t in{n} -g g{lanes}-{i} -e |"
            f" dpp-deliver -q -b log:store -j {lanes} -s retry{i} {url}")

    rate = bench.in_turn(bare=bare, deliver=deliver)
    bench.figure(f"deliver, {lanes} lanes : bare curl loop", rate["deliver"],
                 "POST/s", rate["bare"], at_least=0.8)
