#!/usr/bin/env bats
# The parts that the tests on Kafka are made of: brokers, and the proxy before
# them, with clients that are not ours.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # eval; tests are subshells

load ../cli/helper
load kafka

setup_file() {
    cluster
}

teardown_file() {
    cluster_stop
}

setup() {
    kafka_setup
}

teardown() {
    common_teardown
}

behind_proxy() {
    BROKERS=$(brokers)
    records create "$topic" "$@"
    proxy_start
    BROKERS=$(brokers proxy)
}

@test "the broker of the run answers, with a controller" {
    kcat -b "$KAFKA_BOOTSTRAP" -L -J >metadata
    json @metadata '.controllerid >= 0 and (.brokers | length >= 1)'
}

@test "records come back byte for byte: nulls, empty ones, repeated headers" {
    records create "$topic" 2
    {
        echo '{"partition":0,"key":"k","value":"v","headers":[["a","1"],' \
            '["a",null],["b",{"hex":"00ff"}],["c",""]]}'
        echo '{"partition":0,"key":null,"value":null,"headers":[]}'
        echo '{"partition":1,"key":{"hex":"ff00"},"value":"","headers":[]}'
    } >in
    records put "$topic" <in
    records get "$topic" >out
    is "$(jq -c 'del(.offset, .time)' out)" "$(jq -c . in)"
    records delete "$topic"
    is "$(records topics "$SPACE")" ""
}

@test "what a transaction took back is for uncommitted readers only" {
    records create "$topic"
    echo '{"value":"no"}' |
        records put "$topic" --transaction "$SPACE" --abort 2>/dev/null
    echo '{"value":"yes"}' |
        records put "$topic" --transaction "$SPACE" 2>/dev/null
    is "$(records get "$topic" | jq -r .value)" yes
    is "$(records get "$topic" --uncommitted | wc -l)" 2
    is "$(kcat_get "$topic")" yes
}

@test "a broker that is killed comes back with its data" {
    BROKERS=$(brokers)
    records create "$topic"
    seq 100 | kcat_put "$topic"
    broker kill 1
    run ! kcat -b "$BROKERS" -L -m 1
    broker restart 1
    broker ready
    is "$(kcat_get "$topic" | wc -l)" 100
}

@test "clients that begin behind the proxy stay there" {
    behind_proxy 2
    seq 1000 | kcat_put "$topic"
    is "$(kcat_get "$topic" | sort -n | tr '\n' ' ')" "$(seq 1000 |
        tr '\n' ' ')"
    [ "$(proxy_count .requests.produce)" -ge 1 ]
    [ "$(proxy_count .requests.fetch)" -ge 1 ]
    wait_for eval '[ "$(proxy_count .open)" = 0 ]'
}

@test "delay: answers take longer, each way" {
    behind_proxy
    echo 1 | kcat_put "$topic"
    proxy delay 300
    start=$(date +%s%3N)
    kcat -b "$BROKERS" -L -m 30 >/dev/null
    [ $(($(date +%s%3N) - start)) -ge 600 ]
}

@test "throttle: so many bytes a second" {
    behind_proxy
    proxy throttle 50000
    head -c 75000 /dev/urandom | base64 -w 0 >in
    start=$(date +%s%3N)
    kcat_put "$topic" <in
    [ $(($(date +%s%3N) - start)) -ge 1900 ]
    proxy throttle 0
    is "$(kcat_get "$topic")" "$(cat in)"
}

@test "refuse: nobody gets in until it accepts again" {
    behind_proxy
    proxy refuse
    run ! kcat -b "$BROKERS" -L -m 1
    proxy accept
    kcat -b "$BROKERS" -L -m 10 >/dev/null
    run -64 proxy nonsense
    has "$output" "no such command"
}

@test "every: connections that are cut all the time lose nothing" {
    behind_proxy
    proxy every 150
    seq 5000 | kcat_put "$topic" -X enable.idempotence=true \
        -X batch.num.messages=50 -X linger.ms=20 2>/dev/null
    [ "$(proxy_count .made)" -ge 4 ]
    proxy every 0
    seq 5000 >want
    kcat_get "$topic" >out
    same_file out want
}

another_connection() {
    [ "$(proxy_count .made)" -gt "$made" ]
}

@test "block: one way alone; what was held arrives, and no connection ends" {
    behind_proxy
    for way in up down; do
        made=$(proxy_count .made)
        proxy block "$way"
        seq 10 >put.in
        spawn put kcat -P -b "$BROKERS" -t "$topic"
        wait_for another_connection
        is "$(BROKERS=$(brokers) kcat_get "$topic" | wc -l)" 0
        running put
        proxy pass
        finish put
        is "$status" 0
        is "$(BROKERS=$(brokers) kcat_get "$topic" | wc -l)" 10
        records delete "$topic"
        wait_for eval '[ -z "$(records topics "$topic")" ]'
        records create "$topic"
    done
}

# the batch goes twice; a producer that is not idempotent writes it twice
lost_answer() { # lost_answer NTH [OPTION…]
    proxy drop produce
    echo once | kcat_put "$topic" "${@:2}" 2>/dev/null
    is "$(proxy_count .drop)" "$1"
}

@test "drop: the broker has done it, and the client does not know" {
    behind_proxy
    lost_answer 1 -X enable.idempotence=false
    is "$(kcat_get "$topic" | wc -l)" 2
    lost_answer 2 -X enable.idempotence=true
    is "$(kcat_get "$topic" | wc -l)" 3
}

@test "lose: the broker has never heard of it" {
    behind_proxy
    proxy lose produce 2
    echo once | kcat_put "$topic" -X enable.idempotence=false 2>/dev/null
    is "$(proxy_count .lose)" 2
    is "$(kcat_get "$topic" | wc -l)" 1
}

@test "hold and release: a commit arrives behind its own repetition" {
    behind_proxy
    proxy hold end-txn
    echo '{"value":"v"}' |
        records put "$topic" --transaction "$SPACE" 2>/dev/null
    is "$(proxy_count .held)" 1
    is "$(proxy_count .requests.'"end-txn"')" 2
    is "$(kcat_get "$topic")" v
    run -0 proxy release
    # throttle time, and the error: something was answered
    [ "${#output}" -ge 12 ]
    is "$(proxy_count .held)" 0
}

@test "a proxy on one broker of many, and wrong commands" {
    behind_proxy
    proxy on 1 delay 0
    run -64 proxy on 2 cut
    has "$output" "error: on 2 cut"
    run -64 proxy delay
    run -69 "$KAFKA_TESTS/proxy" tell nowhere count
}
