#!/usr/bin/env bats
# bats file_tags=kafka
# dpp-listen -a group:G: answered when a segment has passed the event.
# shellcheck disable=SC2016,SC2154 # eval; the helpers set them
load helper
load listen

setup() { common_setup; }
teardown() { common_teardown; }

# segment NAME [CONSUME OPTION…]: what drains the topic as the group "drain".
segment() {
    local name=$1
    shift
    spawn_sh "$name" "dpp-consume -b $(store) -t in -g drain $* |
        dpp-produce -b log:$T/far -t in"
}

# kept N: the topic holds so many events.
kept() {
    [ "$(events | wc -l)" = "$1" ]
}

@test "-a group:G answers when a segment has passed the event, not before" {
    to_topic -a group:drain
    spawn later curl -s -o /dev/null -w '%{http_code}' -d 1 "$url"
    wait_for kept 1
    # It is durable here, and yet nothing comes in half a second.
    run timeout 0.5 tail -f --pid="$(pid_of later)" /dev/null
    is "$status" 124
    segment drain
    finish later
    is "$(cat later.out)" 200
    is "$(dpp-consume -b "log:$T/far" -t in -e | wc -l)" 1
    # Now that it runs, each answer has its event there already.
    for i in 2 3 4; do
        is "$(post "$i")" 200
        is "$(dpp-consume -b "log:$T/far" -t in -e | wc -l)" "$i"
    done
    # Another group is not this one.
    signal_group drain STOP
    run dpp-consume -b "$(store)" -t in -g other -e --no-receipts
    is "$status" 0
    spawn last curl -s -o /dev/null -w '%{http_code}' -d 5 "$url"
    run timeout 0.5 tail -f --pid="$(pid_of last)" /dev/null
    is "$status" 124
    signal_group drain CONT
    finish last
    is "$(cat last.out)" 200
}

@test "-a group:G: one after the other, an answer takes no second" {
    to_topic -a group:drain
    segment drain
    LIMIT=30 wait_for eval '[ "$(post 0)" = 200 ]'
    local start=$SECONDS
    for i in {1..30}; do
        is "$(post "$i")" 200
    done
    echo "30 answers in $((SECONDS - start)) s"
    [ $((SECONDS - start)) -lt 15 ]
}

@test "-a group:G answers 503 at the deadline when nobody drains the topic" {
    to_topic -a group:drain --deadline 300ms
    is "$(post '{"n":1}')" 503
    has "$(cat header)" "Retry-After: "
    # The event is kept; a 503 promises nothing.
    json "$(events)" '.data.n == 1'
    segment drain
    drained() { [ "$(post '{"n":2}')" = 200 ]; }
    wait_for drained
}

@test "-a group:G with partitions: all must be answered, each by its owner" {
    dpp-topic -b "$(store)" create -p 4 in
    to_topic -a group:drain
    segment one
    segment two
    is "$("$BUILD/bench/httpload" -c 8 -n 400 "127.0.0.1:$port" |
        grep -c ' 0 not 2xx, 0 broken, 400 done')" 1
    is "$(dpp-consume -b "log:$T/far" -t in -e | jq -r .id | sort -u |
        wc -l)" 400
    is "$(events | jq -r .dpporigin | cut -d/ -f2 | sort -u | wc -l)" 4
}

@test "-a group:G: SIGTERM gives up what the group does not pass, and exits 0" {
    to_topic -a group:drain
    spawn later curl -s -o /dev/null -w '%{http_code}' -d 1 "$url"
    wait_for kept 1
    stop listen
    is "$status" 0
    finish later
    is "$(cat later.out)" 503
}

@test "-a group:G wants a topic and the name of a group" {
    run dpp-listen -a group:drain
    is "$status" 64
    has "$output" "-a group:drain: which topic? (-t)"
    run dpp-listen -t in -a group:
    is "$status" 64
    run dpp-listen -t in -a groups
    is "$status" 64
    has "$output" "group:G"
}
