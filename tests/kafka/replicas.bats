#!/usr/bin/env bats
# Three brokers of which some are away, cut off, or no longer lead.
# shellcheck disable=SC2016,SC2154 # eval; the helper sets them
load ../cli/helper
load kafka
load crowd

setup_file() {
    cluster 3
}

teardown_file() {
    cluster_stop
}

setup() {
    kafka_setup
    DPP_BROKER=kafka://$(brokers)/$SPACE
    export DPP_BROKER
}

teardown() {
    common_teardown
    for n in 1 2 3; do
        broker restart "$n" 2>/dev/null || :
    done
    broker ready
}

# held TOPIC FILTER: of its partition 0, as the brokers have it
held() {
    kcat -b "$(brokers)" -L -J -t "$SPACE.$1" |
        jq -r ".topics[0].partitions[0] | $2"
}
held_by() {
    held "$1" '.replicas[].id' | sort
}

# in_sync TOPIC N: so many of its copies are
in_sync() {
    [ "$(held "$1" '.isrs | length')" = "$2" ]
}

# again NAME 'PIPELINE': it, started anew whenever it ends before its time
again() {
    spawn_sh "$1" "trap : TERM
        until [ -e $T/enough ]; do $2; done"
}
enough() {
    touch enough
    signal_group "$1" TERM
    finish "$1"
}

# arrived TOPIC N: so many records, marks of transactions not counted
arrived() {
    [ "$(dpp-consume -t "$1" -e | wc -l)" -ge "$2" ]
}

@test "fewer copies in sync than asked for: nothing is acknowledged, one warning; then all of it, once" {
    local other
    dpp-topic create -p 1 in
    dpp-topic create -p 1 --replicas 2 --min-insync 2 out
    dpp-topic create -p 1 --replicas 2 --min-insync 2 exact
    events 1 600 | dpp-produce -t in
    other=$(comm -12 <(held_by out) <(held_by exact) | head -n 1)
    broker kill "$other"
    wait_for in_sync out 1
    wait_for in_sync exact 1
    again work "dpp-consume -t in -g g | dpp-produce --exactly-once -t exact"
    mkfifo produce.in
    spawn produce dpp-produce -v -t out
    exec 8>produce.in
    events 1 500 >&8
    LIMIT=30 wait_for_text produce.err "nothing is acknowledged"
    has "$(cat produce.err)" "warning: $SPACE.out/0: nothing is acknowledged"
    has "$(cat produce.err)" "1 of 2 copies in sync"
    has "$(cat produce.err)" "waiting for broker $other"
    kill -USR1 "$(pid_of produce)"
    wait_for_text produce.err "in 500 ("
    has "$(cat produce.err)" "ok 0,"
    broker restart "$other"
    events 501 600 >&8
    exec 8>&-
    LIMIT=60 finish produce
    is "$status" 0
    grep -v librdkafka produce.err >said
    is "$(grep -c warning said)" 1
    is "$(grep -c "acknowledges again" said)" 1
    once_each 600
    LIMIT=60 wait_for arrived exact 600
    enough work
    is "$(dpp-consume -t exact -e | jq -r .id)" "$(seq 600)"
    cat work.err
}
