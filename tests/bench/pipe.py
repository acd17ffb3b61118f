"""consume | transform | produce: what the protocol costs, and against jq."""
import json

SHARES = {1: "all pass", 10: "1 in 10 passes"}
# Of each share: more than a second's work, for a group costs some 30 ms at the
# start and at the end, and the row is about what it costs meanwhile.
EVENTS = {("350 B", 350): {1: 240_000, 10: 1_000_000},
          ("2 KiB", 2048): {1: 120_000, 10: 360_000}}
PROGRAM = ('select(.type == "paid")'
           ' | .data |= {id, amount, name: .customer.name}')
JQ = PROGRAM    # stock jq knows no byte-keeping: the same program


def events(path, size, n, share):
    """n event lines of about size bytes; one in share is of type paid."""
    with open(path, "w", encoding="ascii") as f:
        for i in range(n):
            event = {"specversion": "1.0", "id": f"evt_{i:08}",
                     "source": "/shop", "time": "2026-11-24T10:00:00.000Z",
                     "type": "paid" if i % share == 0 else "seen",
                     "partitionkey": f"k{i % 1000}",
                     "data": {"id": i, "amount": i % 1000 / 4,
                              "customer": {"name": f"customer {i}",
                                           "mail": "c@example.org"},
                              "note": ""}}
            line = json.dumps(event, separators=(",", ":"))
            event["data"]["note"] = "x" * (size - len(line))
            f.write(json.dumps(event, separators=(",", ":")) + "\n")


def row(bench, label, size, n, share):
    events(bench.work / "events", size, n, share)
    bench.shell("rm -rf store; export DPP_BROKER=log:store; dpp-produce -t in"
                " < events")
    turn = iter(range(1000))
    head = "export DPP_BROKER=log:store; "

    def with_protocol():
        i = next(turn)
        return bench.shell(f"{head} dpp-consume -t in -g g{i} -e |"
                           f" dpp-transform '{PROGRAM}' |"
                           f" dpp-produce -t out{i}; dpp-topic rm out{i}")

    def without():
        i = next(turn)
        return bench.shell(f"{head} dpp-consume -t in -e |"
                           f" dpp-transform '{PROGRAM}' |"
                           f" dpp-produce -t out{i}; dpp-topic rm out{i}")

    def jq():
        return bench.shell(f"jq -c '{JQ}' < events > /dev/null")

    took = bench.in_turn(protocol=with_protocol, plain=without, jq=jq)
    rate = {k: n / v for k, v in took.items()}
    bench.figure(f"pipe {label}, with receipts : without", rate["protocol"],
                 "events/s", rate["plain"], at_least=0.95)
    bench.figure(f"pipe {label}, with receipts : jq alone", rate["protocol"],
                 "events/s", rate["jq"], at_least=1.0)


def run(bench):
    for (label, size), counts in EVENTS.items():
        for share, n in counts.items():
            row(bench, f"{label}, {SHARES[share]}", size, n, share)
