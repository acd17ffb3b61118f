#!/usr/bin/env bats
# dpp-listen -a group:G on Kafka: what it asks the brokers, and what it answers
# while they are away, stand still, or hand the group to one another. The rest,
# on both stores, is in tests/cli/listen_group.bats.
# shellcheck disable=SC2016,SC2154 # eval; the helpers set them
load ../cli/helper
load ../cli/listen
load kafka

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
    dpp-topic create -p 3 in
}

teardown() {
    proxy clear 2>/dev/null || :
    common_teardown
}

# webhooks BROKER [OPTION…]: a listener there
webhooks() {
    local broker=$1
    shift
    listen listen -b "$broker" -t in -a group:drain "$@"
}

# drain: a segment that reads "in" as the group; again whenever it ends
drain() {
    spawn_sh drain "trap : TERM
        until [ -e $T/enough ]; do
            dpp-consume -t in -g drain | dpp-produce -b log:$T/far -t in
        done"
}
far() {
    dpp-consume -b "log:$T/far" -t in -r -e
}
answers() {
    is "$(post "$1")" 200
}

proxied() {
    echo "kafka://$(brokers proxy)/$SPACE"
}
questions() {
    proxy_count '.requests["offset-fetch"]'
}

@test "the group is asked while somebody waits, 40 times a second at most" {
    proxy_start
    webhooks "$(proxied)" --deadline 2s
    local before after
    before=$(questions)
    is "$(post 1)" 503
    after=$(questions)
    echo "$((after - before)) questions in two seconds"
    [ $((after - before)) -ge 10 ]
    [ $((after - before)) -le 81 ]
    # one may be under way; then there is silence, while others go on
    run timeout 0.2 tail -f --pid="$(pid_of listen)" /dev/null
    before=$(questions)
    run timeout 2 tail -f --pid="$(pid_of listen)" /dev/null
    is "$status" 124
    is "$(questions)" "$before"
}

@test "brokers away while a request waits: 503 at the deadline, and it goes on" {
    proxy_start
    webhooks "$(proxied)" --deadline 2s
    drain
    LIMIT=30 wait_for answers 1
    # one that is in the topic, and one that is not
    signal_group drain STOP
    spawn kept curl -s -o /dev/null -w '%{http_code} %{time_total}' -d 2 "$url"
    LIMIT=20 wait_for eval '[ "$(dpp-consume -t in -r -e | wc -l)" = 2 ]'
    proxy refuse
    spawn not curl -s -o /dev/null -w '%{http_code} %{time_total}' -d 3 "$url"
    finish kept
    finish not
    json "$(sed 's/ /\n/' kept.out | jq -s)" '.[0] == 503 and .[1] < 5'
    json "$(sed 's/ /\n/' not.out | jq -s)" '.[0] == 503 and .[1] < 5'
    signal_group drain CONT
    proxy accept
    LIMIT=30 wait_for answers 4
    is "$(far | sort -n | uniq | xargs)" "1 2 3 4"
    is "$(grep -c "no broker answers" listen.err)" 1
    is "$(grep -c "answers again" listen.err)" 1
    has_not "$(cat listen.err)" error
}

@test "brokers that stand still hold up nobody but those who wait for them" {
    proxy_start
    webhooks "$(proxied)" --deadline 2s
    drain
    LIMIT=30 wait_for answers 1
    proxy block both
    is "$(post 2)" 503
    # the port is served meanwhile, at once
    is "$(curl -s -o /dev/null -m 1 -w '%{http_code}' -X DELETE "$url")" 405
    proxy pass
    LIMIT=30 wait_for answers 3
    stop listen
    is "$status" 0
}

@test "a coordinator that dies, or hands the group over, is followed" {
    webhooks "$DPP_BROKER"
    drain
    LIMIT=30 wait_for answers 0
    local n
    for n in 1 2 3; do
        broker kill "$n"
        LIMIT=60 wait_for answers "$n"
        broker restart "$n"
        broker ready
        LIMIT=60 wait_for answers "$n"
    done
    is "$(far | sort -n | uniq | xargs)" "0 1 2 3"
    has_not "$(cat listen.err)" error
}

@test "a group in transactions has passed what they have committed" {
    dpp-topic create out
    webhooks "$DPP_BROKER"
    spawn_sh drain "dpp-consume -t in -g drain |
        dpp-produce --exactly-once --single-broker -t out"
    LIMIT=30 wait_for answers 1
    local i
    for i in 2 3 4 5; do
        is "$(post "$i")" 200
        is "$(dpp-consume -t out -r -e | sort -n | tail -n 1)" "$i"
    done
}

@test "partitions that come later are answered for as well" {
    webhooks "$DPP_BROKER" -X topic.metadata.refresh.interval.ms=200
    spawn_sh drain "trap : TERM
        until [ -e $T/enough ]; do
            dpp-consume -X topic.metadata.refresh.interval.ms=200 -t in \
                -g drain | dpp-produce -b log:$T/far -t in
        done"
    LIMIT=30 wait_for answers 0
    grown() {
        is "$(post 1)" 200
        [ "$(events | jq -r .dpporigin | cut -d/ -f2 | sort -u | wc -l)" -ge 6 ]
    }
    store() { echo "$DPP_BROKER"; }
    "$KAFKA_TESTS/records" "$(brokers)" grow "$SPACE.in" 8
    LIMIT=60 wait_for grown
    has_not "$(cat listen.err)" error
}
