#!/usr/bin/env bats
# Three brokers of which some are away, cut off, or no longer lead.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # eval; tests are subshells
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

# held TOPIC FILTER [N]: of its partition N (0), as the brokers have it
held() {
    kcat -b "$(brokers)" -L -J -t "$SPACE.$1" |
        jq -r ".topics[0].partitions[${3:-0}] | $2"
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

# Each partition of the cluster, those of groups and transactions too, gets
# another of its copies as leader; fails where that one was not in sync.
elect() {
    kcat -b "$(brokers)" -L -J | jq '{version: 1, partitions: [.topics[] |
        .topic as $t | .partitions[] | select(.replicas | length > 1) |
        {topic: $t, partition: .partition,
         replicas: ([.replicas[].id] | .[1:] + .[:1])}]}' >order.json
    broker tool org.apache.kafka.tools.reassign.ReassignPartitionsCommand \
        --bootstrap-server "$(brokers)" --reassignment-json-file order.json \
        --execute >elect.log 2>&1 || return
    broker tool org.apache.kafka.tools.LeaderElectionCommand \
        --bootstrap-server "$(brokers)" --election-type preferred \
        --path-to-json-file order.json >>elect.log 2>&1
    # one that leads already is an error to the tool
    LIMIT=5 wait_for leads out "$(jq --arg t "$SPACE.out" '.partitions[] |
        select(.partition == 0 and .topic == $t) | .replicas[0]' order.json)"
}
leads() {
    [ "$(held "$1" .leader)" = "$2" ]
}

# member NAME PROGRAM: its process in that pipeline
member() {
    pgrep -g "$(pid_of "$1")" -x "$2"
}
# wrote PROCESS: so many bytes
wrote() {
    awk '$1 == "wchar:" { print $2 }' "/proc/$1/io"
}
has_written() {
    [ "$(wrote "$1")" -ge "$2" ]
}
# it is past its greeting: its source has written events
flows() {
    has_written "$(member "$1" dpp-consume)" 2000
}

has_written_or_ended() {
    has_written "$@" || ! kill -0 "$1"
}

# torn NAME TOPIC: its source and its sink are killed when events have come to
# the topic of which the source does not know. Fails where they ended before,
# as they may when leaders change.
torn() {
    local source sink before
    LIMIT=60 wait_for flows "$1" || return
    source=$(member "$1" dpp-consume) && sink=$(member "$1" dpp-produce) &&
        kill -STOP "$sink" && before=$(wrote "$source") &&
        LIMIT=30 wait_for has_written_or_ended "$source" $((before + 20000)) &&
        kill -STOP "$source" && before=$(dpp-consume -t "$2" -e | wc -l) &&
        kill -CONT "$sink" && LIMIT=30 wait_for arrived "$2" $((before + 1))
    before=$?
    kill -KILL "$source" "$sink" || : # one may have followed the other
    return "$before"
}
tear() {
    local tries=0
    until torn "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 5 ]
    done
}

# all_there TOPIC N: the ids 1 to N, repeated or not
all_there() {
    dpp-consume -t "$1" -e | jq -r .id | sort -nu | cmp - <(seq "$2")
}

@test "leaders are elected anew under load, and segments are torn: at least once loses nothing, exactly once repeats nothing" {
    local rounds=0 tries=0 n
    for topic in in out again; do
        dpp-topic create -p 3 --replicas 3 --min-insync 2 "$topic"
    done
    fill
    spawn_sh feed "$(declare -f events)
        n=0
        until [ -e $T/fed ]; do
            events \$((n + 1)) \$((n + 200)) 400
            n=\$((n + 200))
            echo \$n >$T/count
        done | dpp-produce -b log:$T/source -t in"
    again work "dpp-consume -t in -g g | dpp-produce --exactly-once -t out"
    again least "dpp-consume -t in -g h | dpp-produce -t again"
    LIMIT=60 wait_for arrived out 300
    while [ "$rounds" -lt 2 ]; do
        ! elect || rounds=$((rounds + 1))
        tries=$((tries + 1))
        [ "$tries" -lt 8 ]
        tear work out
        tear least again
    done
    touch fed
    LIMIT=60 finish feed
    is "$status" 0
    n=$(cat count)
    LIMIT=60 wait_for arrived out "$n"
    LIMIT=60 wait_for all_there again "$n"
    signal_group least TERM
    enough work
    enough fill
    once_each "$n"
    # what was torn would be seen
    [ "$(dpp-consume -t again -e | wc -l)" -gt "$n" ]
}

@test "cut off from one broker of three: the others go on, one line says what waits, and nothing is lost" {
    local one part
    dpp-topic create -p 3 --replicas 3 --min-insync 2 out
    DPP_BROKER=kafka://$(brokers proxy)/$SPACE
    proxy_start
    mkfifo produce.in
    spawn produce dpp-produce -v -t out
    exec 8>produce.in
    events 1 100 >&8
    DPP_BROKER=kafka://$(brokers)/$SPACE wait_for arrived out 100
    part=$(BROKERS=$(brokers) kcat_get "$SPACE.out" -f '%p\n' | head -n 1)
    one=$(held out .leader "$part")
    # requests arrive, answers do not
    proxy on "$one" block down
    events 101 1000 >&8
    LIMIT=30 wait_for_text produce.err "nothing is acknowledged"
    has "$(cat produce.err)" \
        "$SPACE.out/$part: nothing is acknowledged: broker $one leads it"
    proxy pass
    exec 8>&-
    LIMIT=60 finish produce
    is "$status" 0
    has "$(cat produce.err)" "acknowledges again"
    DPP_BROKER=kafka://$(brokers)/$SPACE
    once_each 1000
}

# asked ROUND: programs that have to know where "out" begins or ends
asked() {
    spawn "ends$1" dpp-consume -t out -r -e
    spawn "joins$1" dpp-consume -t out -g g -e --no-receipts
    spawn "time$1" dpp-consume -t out -r -o 2026-11-01T00:00Z
    spawn "lag$1" dpp-topic show out
}
# names BROKER ROUND: they say that it does not answer, and end with 69
names() {
    local name
    for name in ends joins time lag; do
        LIMIT=60 finish "$name$2"
        cat "$name$2.err"
        is "$status" 69
        is "$(grep -vc "means at most once" "$name$2.err")" 1
        # the group's coordinator may be that broker
        [ "$name" != joins ] ||
            ! grep -q "g: not joined after 30 s" "$name$2.err" || continue
        has "$(cat "$name$2.err")" "$SPACE.out/0: broker $1 (127.0.0.1:"
        has "$(cat "$name$2.err")" "does not answer"
    done
}

@test "where a partition ends is asked of a leader that is out of reach: 69, and one line that names both" {
    local one
    dpp-topic create -p 1 --replicas 1 out
    events 1 10 | dpp-produce -t out
    one=$(held out .leader)
    DPP_BROKER=kafka://$(brokers proxy)/$SPACE
    proxy_start
    proxy on "$one" refuse
    asked 1
    names "$one" 1
    proxy on "$one" accept
    proxy on "$one" block both
    asked 2
    names "$one" 2
    proxy pass
    is "$(dpp-consume -t out -r -e)" "$(seq 10)"
}

@test "no broker leads the partition: 69, and the line says so" {
    local one
    dpp-topic create -p 1 --replicas 1 out
    events 1 10 | dpp-produce -t out
    one=$(held out .leader)
    broker kill "$one"
    run --separate-stderr timeout 60 dpp-consume -t out -r -e
    echo "$stderr"
    is "$status" 69
    is "${#stderr_lines[@]}" 1
    has "$stderr" "$SPACE.out/0: no broker leads it"
    broker restart "$one"
    broker ready
    LIMIT=30 wait_for eval '[ "$(dpp-consume -t out -r -e | wc -l)" = 10 ]'
}

# known TOPIC N: N brokers know it
known() {
    local address n=0
    for address in $(brokers | tr , ' '); do
        if kcat -b "$address" -L -J | jq -e --arg t "$SPACE.$1" \
            'any(.topics[]; .topic == $t)' >/dev/null; then
            n=$((n + 1))
        fi
    done
    is "$n" "$2"
}

@test "what is made is known to all brokers, and what is removed to none" {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        dpp-topic create -p 9 "new$i"
        known "new$i" 3
        dpp-topic rm "new$i"
        known "new$i" 0
    done
}
