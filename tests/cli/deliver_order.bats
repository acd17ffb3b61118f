#!/usr/bin/env bats
# dpp-deliver: order, parking, the retry store, outages, ends.
# shellcheck disable=SC2154,SC2016 # the helpers set them; jq's $
load helper
load deliver

setup() {
    deliver_setup
}

teardown() {
    common_teardown
}

@test "keys keep their order with 16 requests in flight, over exactly 16 connections" {
    endpoint -d 1
    events 1 4000 40 >in
    deliver -j 16 "$url" <in
    is "$status" 0
    is "$(accepted | wc -l)" 4000
    in_order
    stop endpoint
    is "$(tail -n 1 endpoint.out)" "4000 requests, 16 connections"
}

# bats test_tags=kafka
@test "keys that are no text keep their order in lanes, from a topic with partitions" {
    dpp-topic create -p 4 in
    endpoint -d 1
    # 16 keys of two bytes, the first of which begins no text: ff 00, ff 01 …
    awk 'BEGIN {
        split("A E I M Q U Y c g k o s w 0 4 8", last, " ")
        for (i = 1; i <= 2000; i++) {
            printf "{\"specversion\":\"1.0\",\"id\":\"e%d\"," \
                "\"source\":\"/t\",\"type\":\"t\"," \
                "\"dppkey\":\"/w%s=\",\"data\":%d}\n",
                i, last[i % 16 + 1], i
        }
    }' | dpp-produce -t in
    dpp-consume -t in -e | dpp-deliver -j 16 -s "$T/retry" \
        -H 'X-Key: {dppkey}' "$url"
    is "$(accepted | wc -l)" 2000
    is "$(awk '{ print $3 }' record | sort -u | wc -l)" 16
    in_order
    # never two of one key under way
    stop endpoint
    endpoint -d 1
    dpp-consume -t in -e | grep -F '"dppkey":"/wA="' |
        dpp-deliver -j 16 -s "$T/retry" "$url"
    stop endpoint
    is "$(tail -n 1 endpoint.out)" "125 requests, 1 connections"
}

@test "a failing key is parked, its later events never overtake, and the next start delivers them" {
    endpoint -f k3=500
    events 1 2000 20 >in
    deliver "$url" <in
    is "$status" 0
    has "$stderr" "100 events of 1 keys stay deferred in $T/retry"
    is "$(accepted | wc -l)" 1900
    in_order
    [ "$(grep -c ' 500 k3 ' record)" -lt 10 ]
    stop endpoint
    endpoint
    deliver "$url" </dev/null
    is "$status" 0
    is "$(accepted | wc -l)" 2000
    in_order
    deliver "$url" </dev/null
    is "$stderr" ""
    is "$(accepted | wc -l)" 2000
}

@test "events of a parked key that come while it is delivered stay behind" {
    endpoint -f k1=503
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' \
        --retry '2s*' "$url" 8>&-
    events 1 400 2 >&8
    wait_for_text t.err parked
    echo 200 >control
    events 401 800 2 >&8
    exec 8>&-
    finish t
    is "$status" 0
    is "$(accepted | wc -l)" 800
    in_order
}

@test "at the end of the input each of 60 parked keys has its turn when it is due" {
    for key in $(seq 0 2 118); do
        fail="$fail -f k$key=503"
    done
    # shellcheck disable=SC2086 # words
    endpoint $fail
    mkfifo t.in
    exec 8<>t.in
    spawn_deliver -v --retry '2s*' "$url" 8>&-
    events 1 1200 120 >&8
    all_failed() {
        [ "$(awk '$2 == 503 { print $3 }' record | sort -u | wc -l)" -eq 60 ]
    }
    wait_for all_failed
    echo 200 >control
    exec 8>&-
    finish t
    is "$status" 0
    is "$(accepted | wc -l)" 1200
    in_order
    has_not "$(cat t.err)" "stay deferred"
}

@test "a key that fails at each try holds up the end for 5 s, and not for ever" {
    endpoint -f k1=503
    events 1 400 2 >in
    start=$SECONDS
    deliver --retry '50ms*' "$url" <in
    took=$((SECONDS - start))
    is "$status" 0
    has "$stderr" "200 events of 1 keys stay deferred"
    [ "$took" -ge 4 ]
    [ "$took" -le 15 ]
    [ "$(grep -c ' 503 k1 ' record)" -ge 20 ]
    is "$(accepted | wc -l)" 200
}

@test "one key of 1,000 that always fails costs the others less than a tenth" {
    rate() {
        endpoint -d 4 "$@"
        : >record
        events 1 8000 1000 | dpp-deliver -q -s "$T/retry.$#" \
            -H 'X-Key: {partitionkey}' "$url"
        stop endpoint
        awk '$2 == 200 { if (!n++) first = $1; last = $1 }
            END { print int(n * 1000 / (last - first + 1)) }' record
    }
    for _ in 1 2 3; do
        with=$(rate -f k7=500)
        without=$(rate)
        [ $((with * 10)) -lt $((without * 9)) ] || break
    done
    echo "with: $with/s, without: $without/s"
    [ $((with * 10)) -ge $((without * 9)) ]
}

@test "a parked event that goes on failing is given up by the schedule and by age" {
    endpoint -f k0=500
    events 1 200 4 >in
    deliver --retry 20ms,20ms "$url" <in
    is "$status" 0
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -q -s "$T/retry" -H 'X-Key: {partitionkey}' \
        --retry 10ms,10ms "$url" 8>&-
    events 201 400 4 >&8
    wait_for has_dead 50
    exec 8>&-
    finish t
    is "$status" 0
    dead >letters
    json @letters '.partitionkey == "k0"'
    json @letters '.deadreason | startswith("gave up after 3 tries: 500")'
}

@test "while nobody listens events wait, and are delivered in order when somebody does" {
    port=$(free_port)
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' \
        "http://127.0.0.1:$port/hook" 8>&-
    events 1 500 10 >&8
    wait_for_text t.err "down ("
    endpoint -l "127.0.0.1:$port" 8>&-
    LIMIT=40 wait_for has_accepted 500
    exec 8>&-
    finish t
    is "$status" 0
    in_order
    is "$(accepted | wc -l)" 500
    has_not "$(cat t.err)" parked
    has "$(cat t.err)" "up again"
}

@test "while every answer is a 503 one request at a time finds out, and no key is parked" {
    endpoint
    echo 503 >control
    mkfifo t.in
    exec 8<>t.in
    spawn_deliver "$url" 8>&-
    events 1 400 100 >&8
    wait_for_text t.err "down (503"
    before=$(wc -l <record)
    # what was under way, then probes after 0 to 1, 0 to 2, 0 to 4 s
    [ "$before" -le 20 ]
    wait_for_lines record $((before + 2))
    rm control
    LIMIT=20 wait_for has_accepted 400
    exec 8>&-
    finish t
    is "$status" 0
    in_order
    [ "$(grep -c ' 503 ' record)" -le 30 ]
    has_not "$(cat t.err)" parked
    has "$(cat t.err)" "up again"
}

@test "at the end of the input a dead endpoint is waited for 5 s, then all is deferred" {
    events 1 300 10 >in
    port=$(free_port)
    deliver "http://127.0.0.1:$port/hook" <in
    is "$status" 0
    has "$stderr" "300 events of 10 keys stay deferred"
    endpoint -l "127.0.0.1:$port"
    deliver "$url" </dev/null
    is "$(accepted | wc -l)" 300
    in_order
}

# bats test_tags=kafka
@test "SIGTERM defers what an endpoint does not take within 5 s; the segment ends with 0" {
    topics in
    endpoint
    echo 1 >control
    events 1 3000 10 | dpp-produce -t in
    mkfifo d.in
    spawn d dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$url"
    spawn c sh -c "exec dpp-consume -t in -g g >d.in"
    wait_for_lines record 10
    kill -TERM "$(pid_of c)" "$(pid_of d)"
    finish c
    is "$status" 0
    finish d
    is "$status" 0
    has "$(cat d.err)" "3000 events of 10 keys stay deferred"
    rm control
    : >record
    dpp-consume -t in -g g -e | dpp-deliver -s "$T/retry" \
        -H 'X-Key: {partitionkey}' "$url"
    is "$(accepted | sort -u | wc -l)" 3000
    in_order
}

@test "SIGTERM to the source alone: a sink that waits for its endpoint is told, and defers what there is" {
    endpoint
    echo 503 >control
    events 1 60000 1000 | dpp-produce -t in
    mkfifo d.in
    spawn d dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$url"
    spawn c sh -c "exec dpp-consume -t in -g g >d.in"
    wait_for_text d.err "down (503"
    start=$SECONDS
    stop c
    took=$((SECONDS - start))
    is "$status" 0
    finish d
    is "$status" 0
    [ "$took" -le 15 ]
    has "$(cat d.err)" "stay deferred"
    # it had read a part only when it was told
    at=$(dpp-topic lag in | awk '$1 == "g" { print $4 }')
    n=$(grep -o '^dpp-deliver: [0-9]* events' d.err | grep -o '[0-9]*')
    is "$n" "$at"
    [ "$n" -gt 10000 ]
    rm control
    dpp-consume -t in -g g -e | dpp-deliver -q -j 64 -s "$T/retry" \
        -H 'X-Key: {partitionkey}' "$url"
    is "$(accepted | sort -u | wc -l)" 60000
    in_order
}

@test "dpp-run ends in time and with 0 though the endpoint is away" {
    endpoint
    echo 503 >control
    events 1 60000 1000 | dpp-produce -t in
    spawn run dpp-run dpp-consume -t in -g g ! \
        dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$url"
    wait_for_text run.err "down (503"
    start=$SECONDS
    stop run
    took=$((SECONDS - start))
    is "$status" 0
    [ "$took" -le 15 ]
    has "$(cat run.err)" "stay deferred"
}

@test "a retry store has one owner: a second process ends with 75 and names the first" {
    endpoint
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" "$url" 8>&-
    first=$(pid_of t)
    events 1 1 >&8
    wait_for_lines record 1
    events 2 2 >in
    run --separate-stderr dpp-deliver -s "$T/retry" "$url" <in
    is "$status" 75
    has "$stderr" "process $first"
    exec 8>&-
    finish t
}

@test "by default each URL has a retry store of its own below the state folder" {
    events 1 3 1 >in
    run dpp-deliver "http://127.0.0.1:$(free_port)/a?token=1" <in
    is "$status" 0
    is "$(find "$XDG_STATE_HOME"/dpp/deliver -maxdepth 2 -name lock | wc -l)" 1
    run grep -r token= "$XDG_STATE_HOME"/dpp/deliver
    is "$status" 1
}
