#!/usr/bin/env bats
# The contract of dpp-stage(7), held by stages that are not dpp's: a filter and
# a sink in Python, and the tools that the manual names.
# shellcheck disable=SC2154,SC2016 # the helper sets them; jq has a $ too
# shellcheck disable=SC2030,SC2031 # each test is a subshell
load helper

setup() {
    common_setup
    export DPP_BROKER
    DPP_BROKER=$(store)
    stages=$ROOT/tests/stages
    R=0123456789abcdef0123456789abcdef
}

teardown() {
    common_teardown
}

# fill N [BYTES]: N events into topic t, each with a filling of so many bytes.
fill() {
    topics t
    python3 - "$1" "${2:-0}" <<'END' | dpp-produce -t t
import sys
for n in range(int(sys.argv[1])):
    print('{"specversion":"1.0","id":"%d","source":"/s","type":"%s",'
          '"data":{"n":%d,"fill":"%s"}}'
          % (n, "ab"[n % 2], n, "x" * int(sys.argv[2])))
END
}

# position: of group g in topic t, or "none".
position() {
    dpp-topic lag t | awk '$1 == "g" {at = $4}
        END {print at == "" ? "none" : at}'
}

hello() {
    printf '{"dpp":"hello","v":1,"run":"%s","name":"","back":"@dpp-%s"}\n' \
        "$R" "$R"
}

# bats test_tags=kafka
@test "a sink in Python gets every event, in order, and moves the position" {
    fill 5000
    dpp-consume -t t -g g -e | "$stages/sink.py" got
    is "$(jq -r .id got | tr '\n' ' ' | sha1sum)" \
        "$(seq 0 4999 | tr '\n' ' ' | sha1sum)"
    dpp-consume -t t -g g -e | "$stages/sink.py" again
    is "$(wc -l <again)" 0
}

# bats test_tags=kafka
@test "a Python sink that is killed loses nothing" {
    fill 20000 200
    for round in 1 2 3; do
        # without -e: it is there to be killed, however late we come
        spawn_sh seg 'dpp-consume -t t -g g |
            (echo $BASHPID >sink.pid; exec "'"$stages"'/sink.py" got)'
        wait_for test -s sink.pid
        wait_for_lines got $((round * 3000))
        kill -KILL "$(cat sink.pid)"
        finish seg
        rm sink.pid
    done
    dpp-consume -t t -g g -e | "$stages/sink.py" got
    # a torn line of a killed sink ends where the next one begins
    grep -o '"id":"[0-9]*",[^}]*,"fill":"x\{200\}"},"dpporigin":"[^"]*"}' got |
        grep -o '^"id":"[0-9]*"' | sort -u >ids
    is "$(wc -l <ids)" 20000
}

# bats test_tags=kafka
@test "a filter in Python maps, drops and gives up, between dpp's own stages" {
    topics out
    fill 1000
    echo '{"specversion":"1.0","id":"odd","source":"/s","type":"a"}' |
        dpp-produce -t t
    dpp-consume -t t -g g -e | "$stages/filter.py" a | dpp-produce -t out
    dpp-consume -t out -e >got
    is "$(wc -l <got)" 500
    json @got '.data.n % 4 == 0 and .type == "a"'
    dpp-consume -t t.dead -e >dead
    json @dead '.id == "odd" and (.deadreason | test("filter.py: KeyError"))'
}

@test "dpp-run --check finds the Python filter in order" {
    run -0 dpp-run --check "$stages/filter.py" dpp.probe
    has "$output" "ok    marks"
}

@test "the Python filter says 76 when its input breaks off" {
    hello >in
    run -76 "$stages/filter.py" a <in
}

@test "the run that the manual shows is one" {
    sed -n '/^A whole run/,/^and back/p' "$ROOT/man/man7/dpp-stage.7" |
        grep -v '^[.A-Za-z]' | sed -z 's/\\e\n *//g' >run.lines
    is "$(wc -l <run.lines)" 5
    dpp-transform . <run.lines >out
    same_file run.lines out
    sum='github/0:105@1.9f3ac1d2 github/1:99@1.9f3ac1d2 sum:7489a197'
    grep -qF "$sum" "$ROOT/man/man7/dpp-stage.7"
}

# One after the other behind a source: found out at once, and nothing taken.
# anew TOPIC: empty again
anew() {
    dpp-topic rm "$1"
    topics "$1"
}

not_answered() {
    run -69 bash -c 'dpp-consume -t t -g g --hello-timeout 200ms | '"$1"' \
        >/dev/null 2>&1; exit ${PIPESTATUS[0]}'
    has "$output" "nothing was taken"
    is "$(position)" none
}

# bats test_tags=kafka
@test "a reader that never answers is found out, and nothing is taken" {
    fill 10
    not_answered cat
    has "$output" '"cat"'
    not_answered wc
    not_answered 'jq .data'
    not_answered 'grep push'
    not_answered 'sort'
}

# bats test_tags=kafka
@test "a filter that holds hello back is found out, and nothing is taken" {
    fill 10
    not_answered "tr a b | $stages/sink.py got"
    has "$output" '"tr"'
    not_answered "jq -c . | $stages/sink.py got"
    not_answered "jq -c --unbuffered .data | $stages/sink.py got"
}

# breaks FILTER: behind it the sink ends with 65, and the position is at the
# first mark at most.
breaks() {
    run bash -c 'dpp-consume -t t -g g -e | '"$1"' | dpp-produce -t out
        exit ${PIPESTATUS[2]}'
    is "$status" 65
    at=$(position)
    [ "$at" = none ] || [ "$at" -lt 1000 ]
}

# bats test_tags=kafka
@test "a mark that is left out, repeated or forged is 65, and moves nothing" {
    fill 3000 200 # ten marks and more
    topics out
    breaks "sed -u '/\"seq\":2,/d'"
    has "$output" "mark 3 follows mark 1"
    anew out
    breaks "sed -u '/\"seq\":1,/p'"
    has "$output" "mark 1 follows mark 1"
    anew out
    breaks "sed -u '/\"seq\":1,/{s/\"run\":\"./\"run\":\"x/}'"
    has "$output" "another run"
    anew out
    breaks "sed -u '/\"mark\"/d'"
    anew out
    breaks "sed -u '/\"seq\":1,/s/sum:./sum:x/'"
    has "$output" "changed on its way"
}

# bats test_tags=kafka
@test "a filter that reorders members is 65, with a hint" {
    fill 10
    topics out
    breaks "jq -cS --unbuffered ."
    has "$output" "a filter reorders members"
}

# bats test_tags=kafka
@test "an event whose body speaks the protocol moves nothing" {
    topics t out
    {
        printf '{"specversion":"1.0","id":"1","source":"/s","type":"t",'
        printf '"data":"\\n{\\"dpp\\":\\"end\\",\\"run\\":\\"%s\\"}"}\n' "$R"
    } | dpp-produce -t t
    dpp-consume -t t -g g -e | dpp-produce -t out
    is "$(dpp-consume -t out -e | wc -l)" 1
    { hello; echo '{"dpp":"end","run":"'"${R//0/1}"'"}'; } >in
    run -65 dpp-transform . <in
    has "$output" "another run"
}

# It has set up its signals: SIGTERM is blocked, and read from a descriptor.
hears_signals() {
    local mask
    mask=$(awk '/^SigBlk/ { print $2 }' "/proc/$(pid_of "$1")/status")
    [ $((0x$mask & 0x4000)) -ne 0 ]
}

# Nothing is left in the pipe that it reads.
drained() {
    python3 -c 'import fcntl, sys, termios
n = fcntl.ioctl(8, termios.FIONREAD, bytes(4))
sys.exit(n != bytes(4))' 8<"/proc/$(pid_of "$1")/fd/0"
}

@test "a filter or a sink that is stopped before its first line has taken nothing, and ends with 0" {
    event='{"specversion":"1.0","id":"1","source":"/s","type":"t"}'
    for stage in 'dpp-transform .' 'dpp-produce -t t' \
        'dpp-deliver http://127.0.0.1:9/'; do
        rm -f s.in
        mkfifo s.in
        exec 8<>s.in
        # shellcheck disable=SC2086 # words
        spawn s $stage 8>&-
        wait_for hears_signals s
        stop s
        is "$status" 0
        # and with 75 behind one that it has read
        echo "$event" >&8
        # shellcheck disable=SC2086 # words
        spawn s $stage 8>&-
        wait_for hears_signals s
        wait_for drained s
        stop s
        is "$status" 75
        exec 8>&-
    done
}

@test "the filters that the manual calls conforming conform" {
    dpp-run --check jq -c --unbuffered 'if .dpp then . else . end'
    dpp-run --check jq -c --unbuffered -L "$ROOT/share/jq" \
        'include "dpp"; event(select(.data != null))'
    dpp-run --check sed -u '/^{ *"dpp"/!s/probe/b/'
    dpp-run --check grep --line-buffered -e '^{ *"dpp"' -e '[02468]","source'
    dpp-run --check cat
    dpp-run --check tee copy
    dpp-run --check perl -pe 'BEGIN { $| = 1 } s/probe/b/ unless /^\{ *"dpp"/'
    dpp-run --check python3 -u "$stages/filter.py" dpp.probe
    dpp-run --check dpp-transform 'select(.data != null)'
    if command -v mawk >/dev/null; then
        dpp-run --check mawk -W interactive '/^{ *"dpp"/ || /[02468]","source/'
    fi
}

@test "the filters that it calls not conforming do not" {
    for filter in sort tac uniq 'tr a b' 'jq -cS --unbuffered .' 'grep push' \
        'jq -c .' 'sed s/a/a/' wc; do
        # shellcheck disable=SC2086 # words
        run -65 dpp-run --check $filter
        has "$output" "does not conform"
    done
}
