#!/usr/bin/env bats
# Hostile bytes at each program: never a crash, never more memory than stated,
# never silently dropped.
load helper
setup() {
    common_setup
    export DPP_BROKER
    DPP_BROKER=$(store)
}
teardown() { common_teardown; }

GOOD='{"specversion":"1.0","id":"1","source":"s","type":"t","data":1}'

# hostile FILE: lines that are no events, or are hard ones.
hostile() {
    python3 - <<'PY' >"$1"
import sys
out = sys.stdout.buffer
e = b'{"specversion":"1.0","id":"%s","source":"s","type":"t","data":%s}\n'
def event(id, data):
    out.write(e % (id, data))
event(b"deep", b"[" * 200000 + b"]" * 200000)
event(b"number", b"12345678901234567890")
event(b"exponent", b"1e999")
event(b"zero", b"-0")
event(b"nul", b'"\\u0000"')
event(b"surrogate", b'"\\ud800"')
event(b"twice", b'{"a":1,"a":2}')
event(b"long", b'"' + b"x" * 1000000 + b'"')
out.write(b"\xff\xfe no utf-8\n")
out.write(b'{"specversion":"1.0","id":"a\0b"}\n')
out.write(b'{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}\n')
out.write(b"[" * 1000000 + b"\n")
out.write(b"x" * (64 << 20) + b"\n")
out.write(b'"just a string"\n')
out.write(b"\n  \n")
event(b"last", b'"half')
PY
}
# What a program may take; a sanitiser's shadow alone takes terabytes.
case $BUILD in
*/san) MEMORY=unlimited ;;
*) MEMORY=400000 ;;
esac
PASS=8
DEAD=7

# bats test_tags=kafka
@test "dpp-produce: an event passes byte for byte, all else is dead" {
    topics t
    hostile in
    run -0 --separate-stderr bash -c \
        "ulimit -v $MEMORY; dpp-produce -t t <in"
    dpp-consume -t t -e | sed 's/,"dpporigin":"[^"]*"//' >out
    is "$(wc -l <out)" $PASS
    head -n $PASS in >want
    same_file out want
    dpp-consume -t t.dead -e >dead
    is "$(wc -l <dead)" $DEAD
    json @dead '.type == "dpp.invalid" and (.deadreason | length > 5)'
    is "$(jq -r .deadreason dead | grep -c 'larger than')" 1
    has "$(jq -r .deadreason dead)" "67108864 bytes"
    sum=$(head -c 67108864 /dev/zero | tr '\0' x | sha256sum)
    has "$(jq -r .deadreason dead)" "sha256 ${sum%% *}"
}

# bats test_tags=kafka
@test "dpp-transform: the same through a filter" {
    topics t
    hostile in
    run -0 --separate-stderr bash -c \
        "ulimit -v $MEMORY; set -o pipefail
         dpp-transform . <in | dpp-produce -t t"
    dpp-consume -t t -e | sed 's/,"dpporigin":"[^"]*"//' >out
    head -n $PASS in >want
    same_file out want
    is "$(dpp-consume -t t.dead -e | wc -l)" $DEAD
}

# bats test_tags=kafka
@test "dpp-produce -d none stops with 65 at the first one" {
    topics t
    run bash -c "printf '%s\nbad\n' '$GOOD' | dpp-produce -t t -d none"
    is "$status" 65
    has "$output" "none"
}

# bats test_tags=kafka
@test "a value larger than --max-event is dead, one that fits is not" {
    topics t
    python3 -c 'for n in 1998, 2047: print("\"" + "x" * n + "\"")' |
        dpp-produce -r -t t --max-event 2k
    is "$(dpp-consume -t t -e | wc -l)" 1
    is "$(dpp-consume -t t.dead -e | wc -l)" 1
}

# bats test_tags=kafka
@test "control lines in the middle of plain input are 65, not obeyed" {
    topics t
    printf '%s\n' "$GOOD" '{"dpp":"mark","run":"x","seq":1,"n":1}' >in
    run -65 bash -c 'dpp-produce -t t <in'
    echo '{"dpp":"seventh"}' >in
    run -65 bash -c 'dpp-produce -t t <in'
    echo '{"run":"x","dpp":"end"}' >in
    run -65 bash -c 'dpp-produce -t t <in'
    has "$output" "reorders"
}

# bats test_tags=kafka
@test "an event that would become a control line on its way is dead" {
    topics t t.dead u
    echo "{\"dpporigin\":\"t/0/1\",\"dpp\":\"end\",\"run\":\"x\",${GOOD#\{}" |
        dpp-produce -t t
    is "$(dpp-consume -t t -e | wc -l)" 0
    is "$(dpp-consume -t t.dead -e | jq -r .type)" dpp.invalid
    dpp-consume -t t.dead -e -g g | dpp-produce -t u
    is "$(dpp-consume -t u -e | wc -l)" 1
}

# bats test_tags=kafka
@test "bare values are never taken for control lines" {
    topics t
    echo '{"dpp":"end","run":"x"}' | dpp-produce -r -t t
    is "$(dpp-consume -t t -e -r)" '{"dpp":"end","run":"x"}'
}

# bats test_tags=kafka
@test "random bytes end in events or dead letters, never in a crash" {
    for seed in 1 2 3 4 5; do
        topics t
        python3 -c "
import random, sys
r = random.Random($seed)
good = b'''$GOOD'''
for _ in range(400):
    b = bytearray(good)
    for _ in range(r.randrange(4)):
        b[r.randrange(len(b))] = r.choice(b'\"\\\\{}[],:\\xff\\x00\\x80 0e-')
    sys.stdout.buffer.write(bytes(b) + b'\n')
" >in
        n=$(tr -d '\000' <in | grep -ac .)
        run -0 --separate-stderr bash -c \
            'dpp-transform . <in | dpp-produce -t t'
        ok=$(dpp-consume -t t -e | wc -l)
        dead=$(dpp-consume -t t.dead -e 2>/dev/null | wc -l)
        is $((ok + dead)) "$n"
        dpp-topic rm t
        dpp-topic rm t.dead
    done
}
