#!/usr/bin/env bats
# dpp-transform and stock jq with event(f) give the same events; real webhook
# payloads of GitHub, and random events.
# shellcheck disable=SC2154,SC2016 # the helper sets them; jq has a $ too
load helper

PROGRAMS=(
    '.'
    'select(.type == "push")'
    'select(.type != "push" and .subject == "s") | .data |= {a: .action}'
    '.data |= {action, id: (.sender.id? // .x?)}'
    '.data.dpp_added = [1, 2.5, "x"]'
    'del(.data.sender, .data.a)'
    '.data |= (if type == "object" then with_entries(select(.key < "m"))
        else . end)'
    '.subject = .data.action'
    '.subject = null'
    '.partitionkey = (.data.repository.id | tostring)'
    'if (.id | length) % 2 == 0 then empty else . end'
    '.data.commits[]? as $c | .data = $c'
    '., (.type += ".copy"), (.id += "-own")'
    '.data = .data.sender.login'
    '., error("second")'
    '.data.repository.owner.login | ascii_upcase'
    'del(.type)'
    '.time = 1'
    '[.]'
    'del(.data)'
    '.data_base64 = "AAAA"'
    'walk(if type == "number" then . + 1 else . end)'
)

setup() {
    common_setup
}

teardown() {
    common_teardown
}

stock() {
    jq -c --unbuffered -L "$ROOT/share/jq" "include \"dpp\"; event($1)"
}

# Members in order, numbers as jq prints them; a reason is the tool's own.
plain() {
    jq -cS 'if .dpp == "dead" then .why = "" else . end'
}

# compare FILE: each program over its lines, both ways.
compare() {
    local program
    for program in "${PROGRAMS[@]}"; do
        dpp-transform "$program" <"$1" >own || return 1
        stock "$program" <"$1" >theirs || return 1
        if ! cmp -s <(plain <own) <(plain <theirs); then
            echo "program: $program"
            diff <(plain <own) <(plain <theirs) | cut -c 1-300 | head -n 6
            return 1
        fi
    done
}

@test "on GitHub's example payloads they give the same events" {
    payloads=$ROOT/build/node_modules/@octokit/webhooks-examples
    [ -d "$payloads" ] || skip "no GitHub payloads (tests/deps fetches them)"
    python3 - "$payloads/api.github.com/index.json" >events <<'END'
import base64
import json
import sys

n = 0
for hook in json.load(open(sys.argv[1])):
    for example in hook["examples"]:
        n += 1
        if n % 3:
            continue
        event = {"specversion": "1.0", "id": str(n), "source": "/github",
                 "type": hook["name"], "datacontenttype": "application/json"}
        if n % 12 == 0:
            text = json.dumps(example, indent=2).encode()
            event["data_base64"] = base64.b64encode(text).decode()
        else:
            event["data"] = example
        print(json.dumps(event, ensure_ascii=n % 2 == 0,
                         separators=(",", ":")))
END
    [ "$(wc -l <events)" -gt 100 ]
    compare events
    dpp-transform '. as $e | .data |= .' <events >out
    same_file events out
}

@test "on random events they give the same events" {
    seed=${DPP_SEED:-$RANDOM$RANDOM}
    echo "DPP_SEED=$seed"
    python3 - "$seed" >events <<'END'
import base64
import json
import random
import sys

r = random.Random(int(sys.argv[1]))
NAMES = ["a", "b", "x", "action", "sender", "commits", "repository", "login",
         "owner", "id", "ä", "data", "dpp"]


def value(depth):
    kind = r.randrange(9 if depth else 6)
    if kind < 2:
        return r.choice(["", "x", "ä€😀", "a\nb\0", "push", "\x7f\"\\/"])
    if kind == 2:
        return r.randrange(-1000, 10 ** r.randrange(1, 15))
    if kind == 3:
        return r.choice([0.1, 1e300, -2.5, 1e-7, 12.25, r.random()])
    if kind < 6:
        return r.choice([None, True, False])
    if kind == 6:
        return [value(depth - 1) for _ in range(r.randrange(4))]
    return {r.choice(NAMES): value(depth - 1) for _ in range(r.randrange(5))}


for n in range(300):
    event = {"specversion": "1.0", "id": str(n), "source": "/s",
             "type": r.choice(["push", "pull", "p\u00e4"])}
    if r.random() < 0.5:
        event["subject"] = r.choice(["s", "t"])
    if r.random() < 0.7:
        event["datacontenttype"] = r.choice(
            ["application/json", "text/plain", "application/x+json; v=1"])
    if r.random() < 0.2:
        event["ext"] = r.choice([1, True, "x"])
    body = json.dumps(value(4), indent=r.choice([None, 1])).encode()
    kind = r.randrange(10)
    if kind < 6:
        event["data"] = json.loads(body)
    elif kind < 8:
        event["data_base64"] = base64.b64encode(body).decode()
    elif kind == 8:
        event["data_base64"] = base64.b64encode(
            r.choice([b"", b"\xff\xfe", b"{", b"text", b" 1 "])).decode()
    members = list(event.items())
    r.shuffle(members)
    print(json.dumps(dict(members), ensure_ascii=r.random() < 0.5))
END
    compare events
    dpp-transform '.data |= .' <events >/dev/null
}

@test "stock jq with event(f) passes control lines on, and lines that are none" {
    R=0123456789abcdef0123456789abcdef
    {
        echo '{"dpp":"hello","v":1,"run":"'$R'","name":"","back":"@dpp-'$R'"}'
        echo '42'
        echo '{"dpp":"dead","why":"x","event":{"id":"1"}}'
        echo '{"dpp":"mark","run":"'$R'","seq":1,"n":2,"pos":"a:1 sum:1"}'
        echo '{"dpp":"end","run":"'$R'"}'
    } >in
    stock 'error("no event passes")' <in >out
    same_file in out
}
