#!/usr/bin/env bats
# Members of a group: they come and go, stand still, are killed, and find that
# their position is gone.
# shellcheck disable=SC2016,SC2154 # eval; the helper sets them
load ../cli/helper
load kafka
load crowd

setup() {
    kafka_setup
    export DPP_TEST_BROKER=kafka
    DPP_BROKER=$(store)
    export DPP_BROKER
    dpp-topic create -p 6 in
    dpp-topic create -p 1 out
}

teardown() {
    common_teardown
}

# member NAME [OPTION…]: one that writes to "out"; its statuses come to
# NAME.status. A signal to its processes is not for the shell.
member() {
    local name=$1
    shift
    spawn_sh "$name" "trap : TERM
        dpp-consume $* -t in -g g | dpp-produce -t out
        echo \${PIPESTATUS[*]} >$T/$name.status"
}

# where TOPIC OFFSET: -1 for the end of its partition 0, -2 for the beginning
where() {
    kcat -Q -b "$KAFKA_BOOTSTRAP" -t "$SPACE.$1:0:$2" 2>/dev/null |
        sed 's/.* //'
}
arrived() {
    [ "$(where out -1)" -ge "$1" ]
}

sink_of() {
    pgrep -g "$(pid_of "$1")" -x dpp-produce
}

@test "three members that come and go in order: none lost, none twice" {
    local round old
    feed 6000 300
    for round in 1 2 3; do
        member "m$round"
    done
    # one goes and one comes about every 3 seconds
    for round in 4 5 6 7 8 9; do
        LIMIT=60 wait_for arrived $(((round - 3) * 900))
        old=m$((round - 3))
        member "m$round"
        signal_group "$old" TERM
        finish "$old"
        is "$(cat $old.status)" "0 0"
    done
    LIMIT=60 wait_for arrived 6000
    for round in 7 8 9; do
        signal_group "m$round" TERM
        finish "m$round"
        is "$(cat m$round.status)" "0 0"
    done
    once_each 6000
}

@test "a member before a sink that stands still stays in its group" {

    member a -X max.poll.interval.ms=6000
    events 1 100 | dpp-produce -t in
    LIMIT=30 wait_for arrived 100
    kill -STOP "$(sink_of a)"
    # more than the pipe holds, so that the source stands still too
    events 101 4000 | dpp-produce -t in
    hold_for 9 # session time-out and longest time between polls: 6 s
    kill -CONT "$(sink_of a)"
    LIMIT=30 wait_for arrived 4000
    signal_group a TERM
    finish a
    is "$(cat a.status)" "0 0"
    once_each 4000
}

@test "a killed member is replaced after the session time-out" {
    member a
    member b
    events 1 700 | dpp-produce -t in
    LIMIT=30 wait_for arrived 700
    signal_group a KILL
    finish a
    events 701 1400 | dpp-produce -t in
    LIMIT=25 wait_for all_of 1400
    signal_group b TERM
    finish b
    is "$(cat b.status)" "0 0"
}

@test "a member that was stopped beyond the time-out ends with 75 by itself" {
    member a
    events 1 700 | dpp-produce -t in
    LIMIT=30 wait_for arrived 700
    signal_group a STOP
    member b
    events 701 1400 | dpp-produce -t in
    LIMIT=40 wait_for all_of 1400
    signal_group a CONT
    LIMIT=20 finish a
    is "$(cut -d' ' -f1 a.status)" 75
    has "$(cat a.err)" "group $SPACE.g"
    events 1401 2100 | dpp-produce -t in
    LIMIT=40 wait_for all_of 2100
    signal_group b TERM
    finish b
}

expire() {
    /usr/bin/python3 -c '
import sys
from confluent_kafka.admin import AdminClient, ConfigResource
servers, topic, ms = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": servers})
r = ConfigResource("topic", topic, set_config={"retention.ms": ms})
for f in admin.alter_configs([r]).values():
    f.result(30)
' "$KAFKA_BOOTSTRAP" "$SPACE.$1" "$2"
}

@test "a position whose records are gone: 78 and a sentence, no silent jump" {
    dpp-topic create -p 1 one
    events 1 10 | dpp-produce -t one
    dpp-consume -t one -g g -m 5 | dpp-produce -t out
    expire one 1
    gone() { [ "$(where one -2)" = 10 ]; }
    LIMIT=40 wait_for gone
    expire one 86400000
    events 11 20 | dpp-produce -t one
    run bash -c "dpp-consume -t one -g g -e 2>err | dpp-produce -t out
        echo \${PIPESTATUS[0]}"
    is "${lines[-1]}" 78
    is "$(wc -l <err)" 1
    has "$(cat err)" "$SPACE.one/0: the records at offset 5 are gone"
    has "$(cat err)" "dpp-topic reset -g g"
    is "$(where out -1)" 5
    # and what it says helps
    dpp-topic reset -g g -o beginning one
    dpp-consume -t one -g g -e | dpp-produce -t out
    is "$(where out -1)" 15
}

@test "-o: a number, from the end, a time, the end, in each partition" {
    local time base=$(($(date +%s) - 1000))
    records create "$SPACE.two" 2
    for p in 0 1; do
        for i in 0 1 2 3 4; do
            echo "{\"partition\":$p,\"time\":$((base + i))000," \
                "\"value\":\"$p$i\"}"
        done
    done | records put "$SPACE.two"
    got() {
        dpp-consume -t two -r -e "$@" | sort | tr '\n' ' '
    }
    is "$(got -o beginning)" "00 01 02 03 04 10 11 12 13 14 "
    is "$(got -o 3)" "03 04 13 14 "
    is "$(got -o -2)" "03 04 13 14 "
    is "$(got -o -100)" "00 01 02 03 04 10 11 12 13 14 "
    time=$(date -u -d "@$((base + 2))" +%FT%TZ)
    is "$(got -o "$time")" "02 03 04 12 13 14 "
    is "$(got -o "$time" -p 1)" "12 13 14 "
    is "$(got -o end)" ""
    spawn end dpp-consume -t two -r -o end -m 2
    fresh() {
        echo '{"partition":1,"value":"n"}' | records put "$SPACE.two"
        has_lines end.out 1
    }
    LIMIT=30 wait_for fresh
    is "$(sort -u end.out)" n
}
