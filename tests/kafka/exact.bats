#!/usr/bin/env bats
# Exactly once on Kafka: positions, owners, refusals.
# shellcheck disable=SC2154 # the helper sets them
# shellcheck disable=SC2046 # exact is several words
load ../cli/helper
load kafka

setup() {
    kafka_setup
    export DPP_TEST_BROKER=kafka
    K=$(store)
    export DPP_BROKER=$K
}

teardown() {
    common_teardown
}

# produce_exactly ARGUMENT…
produce_exactly() {
    dpp-produce --exactly-once --single-broker "$@"
}

# events N: with the ids 1 to N
events() {
    seq "$1" | awk '{ printf "{\"specversion\":\"1.0\",\"id\":\"%d\"," \
        "\"source\":\"/s\",\"type\":\"t\",\"partitionkey\":\"k%d\"," \
        "\"data\":{\"n\":%d}}\n", $1, $1 % 7, $1 }'
}

values() {
    dpp-consume -t "$1" -e | jq -r .id
}

# all N: so many have come out, at least
all() {
    [ "$(values out | wc -l)" -ge "$1" ]
}

# exactly TOPIC N: the ids 1 to N, each once
exactly() {
    is "$(values "$1" | sort -n | tr '\n' ' ')" "$(seq "$2" | tr '\n' ' ')"
}

@test "a log drains into Kafka exactly once: its cursor is in the transaction" {
    topics out
    for n in 100 200; do
        events "$n" | tail -n 100 | dpp-produce -b "log:$T/l" -t in
        dpp-consume -b "log:$T/l" -t in -g g -e |
            produce_exactly -t out
    done
    # the source forgets, the sink does not
    rm -r "$T/l/groups"
    dpp-consume -b "log:$T/l" -t in -g g -e | produce_exactly -t out
    exactly out 200
}

@test "from Kafka into a log, which keeps the position itself" {
    topics in
    events 100 | dpp-produce -t in
    dpp-consume -t in -g g -e -m 50 | dpp-produce -b "log:$T/l" -t out
    dpp-topic reset -g other in
    dpp-consume -t in -g g -e | dpp-produce -b "log:$T/l" -t out
    is "$(dpp-consume -b "log:$T/l" -t out -e | wc -l)" 100
}

@test "a split and a drop stay in their transaction" {
    topics in out
    events 100 | dpp-produce -t in
    dpp-consume -t in -g g -e |
        dpp-transform 'if (.id | tonumber) % 2 == 0 then ., . else empty end' |
        produce_exactly -t out
    is "$(values out | wc -l)" 100
    is "$(values out | sort -u | wc -l)" 100
}

@test "dead letters stand or fall with the position" {
    topics in out
    events 10 | dpp-produce -t in
    dpp-consume -t in -g g -e |
        dpp-transform 'if .id == "3" then error("no") else . end' |
        produce_exactly -t out
    is "$(values out | wc -l)" 9
    is "$(values in.dead)" 3
    dpp-consume -t in -g g -e | produce_exactly -t out
    is "$(values out | wc -l)" 9
}

@test "a dead letter behind a mark stays out of the mark's transaction" {
    topics in out
    # A filter that writes event 1, its mark and the dead line of event 2 at
    # once, and nothing more.
    cat >filter.py <<'EOF'
import sys
held = ""
for line in sys.stdin:
    if '"id":"2"' in line:
        sys.stdout.write(held + '{"dpp":"dead","why":"no","event":%s}\n'
                         % line.rstrip("\n"))
        sys.stdout.flush()
        sys.stdin.read()
    elif held or '"id":"1"' in line:
        held += line
        if '"mark"' in line:
            open("held", "w").close()
    else:
        sys.stdout.write(line)
        sys.stdout.flush()
EOF
    spawn_sh a "dpp-consume -t in -g g | python3 filter.py |
        dpp-produce $(exact) -t out"
    events 1 | dpp-produce -t in
    LIMIT=30 wait_for test -e held
    events 2 | tail -n 1 | dpp-produce -t in
    LIMIT=30 wait_for all 1
    signal_group a KILL
    dpp-consume -t in -g g -e | dpp-transform 'error("no")' |
        produce_exactly -t out
    is "$(values out) $(values in.dead)" "1 2"
}

@test "a stopped instance that comes back is fenced, and leaves for good" {
    topics in out
    spawn_sh a "dpp-consume -t in -g g | dpp-produce $(exact) -t out 2>a.sink
        echo \${PIPESTATUS[*]} >a.status"
    events 100 | dpp-produce -t in
    LIMIT=30 wait_for all 100
    signal_group a STOP
    events 200 | tail -n 100 | dpp-produce -t in
    spawn_sh b "dpp-consume -t in -g g | dpp-produce $(exact) -t out"
    LIMIT=40 wait_for all 200
    signal_group a CONT
    events 300 | tail -n 100 | dpp-produce -t in
    LIMIT=40 wait_for test -s a.status
    LIMIT=40 wait_for all 300
    kill -TERM -- "-$(pid_of b)"
    finish b
    exactly out 300
}

@test "two instances of other groups with the same name of a log: the newer wins" {
    topics out
    events 100 | dpp-produce -b "log:$T/l" -t in
    cp -r "$T/l" "$T/m"
    spawn_sh a "dpp-consume -b log:$T/l -t in -g g | dpp-produce $(exact) -t out
        echo \${PIPESTATUS[*]} >a.status"
    LIMIT=20 wait_for all 100
    spawn_sh b "dpp-consume -b log:$T/m -t in -g g |
        dpp-produce $(exact) -t out"
    events 101 | tail -n 1 | dpp-produce -b "log:$T/m" -t in
    LIMIT=30 wait_for all 101
    events 102 | tail -n 1 | dpp-produce -b "log:$T/l" -t in
    LIMIT=30 wait_for test -s a.status
    is "$(cut -d' ' -f2 a.status)" 78
    has "$(cat a.err)" "taken over"
    exactly out 101
}

@test "what cannot be exact is refused with a sentence" {
    topics in out
    events 1 | dpp-produce -t in
    run bash -c "dpp-consume -t in -g g -e | dpp-produce --exactly-once -t out"
    is "$status" 64
    has "$output" "has one copy"
    run bash -c "echo '{}' |
        dpp-produce -r $(exact) -t out"
    is "$status" 64
    has "$output" "has no position"
}

@test "a reset group begins anew, and lag shows positions" {
    topics in out
    events 10 | dpp-produce -t in
    dpp-consume -t in -g g -e | produce_exactly -t out
    is "$(dpp-topic lag in | awk '$1 == "g" { print $4, $6 }')" "10 0"
    dpp-topic reset -g g in
    dpp-consume -t in -g g -e | produce_exactly -t out
    is "$(values out | wc -l)" 20
}

# forget GROUP: as its offsets do that nobody has used for a week
forget() {
    forgetgroup "$KAFKA_BOOTSTRAP" "$SPACE.$1"
}

@test "a position that has expired is an error, not a first start" {
    topics in out
    events 10 | dpp-produce -t in
    dpp-consume -t in -g g -e | dpp-produce $(exact) -t out
    forget g
    run bash -c "dpp-consume -t in -g g -e 2>/dev/null |
        dpp-produce $(exact) -t out"
    is "$status" 78
    has "$output" "is gone"
    dpp-topic reset -g g -o end in
    dpp-consume -t in -g g -e | dpp-produce $(exact) -t out
    is "$(values out | wc -l)" 10
    forget g
    dpp-consume -t in -g g -e | dpp-produce $(exact) --new-position -t out
    is "$(values out | wc -l)" 20
}

@test "members that claim at the same time do not fence each other" {
    dpp-topic create -p 4 in
    topics out
    events 100 | dpp-produce -t in
    local m
    for m in 1 2 3 4; do
        spawn "m$m" dpp-run dpp-consume -t in -g g ! \
            dpp-produce $(exact) -t out
    done
    LIMIT=40 wait_for all 100
    events 200 | tail -n 100 | dpp-produce -t in
    LIMIT=40 wait_for all 200
    for m in 1 2 3 4; do
        stop "m$m"
        is "$status:$(cat "m$m.err")" "0:"
    done
    exactly out 200
}

@test "a transaction that stays open: one warning with the partition, then all there is, in order" {
    records create "$SPACE.held" 2
    echo '{"partition":1,"value":"1"}' | records put "$SPACE.held"
    spawn consume dpp-consume -t held -r
    LIMIT=30 wait_for_lines consume.out 1
    echo '{"partition":1,"value":"2"}' |
        records put "$SPACE.held" --transaction "$SPACE" --open
    echo '{"partition":1,"value":"3"}' | records put "$SPACE.held"
    LIMIT=40 wait_for test -s consume.err
    has "$(cat consume.err)" "$SPACE.held/1: nothing comes from offset 1 on"
    has "$(cat consume.err)" "up to 3:"
    has "$(cat consume.err)" "a transaction is open there"
    is "$(cat consume.out)" 1
    # its successor aborts it
    echo '{"partition":0,"value":"4"}' |
        records put "$SPACE.held" --transaction "$SPACE"
    LIMIT=30 wait_for_lines consume.out 3
    stop consume
    is "$(sort -n consume.out | xargs)" "1 3 4"
    is "$(wc -l <consume.err)" 1
}
