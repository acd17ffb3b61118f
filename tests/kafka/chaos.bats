#!/usr/bin/env bats
# The spine's storms on Kafka: each process is killed with SIGKILL while events
# go from topic to topic. With transactions each event is there once; without
# them the same run must be found out, or it would prove nothing.
# shellcheck disable=SC2154 # the helper sets them
load ../cli/helper
load ../pipelines/storm

setup() {
    common_setup
    cd "$ROOT" || return 1
}

teardown() {
    common_teardown
}

on_broker() {
    storm "$@" --store "kafka://$KAFKA_BOOTSTRAP" --rate 500
}

@test "consume | transform | produce, each killed 10 times: exactly once, in order" {
    on_broker topic --events 8000 --kills 10
}

@test "consume | jq | produce in a plain shell, each killed 10 times: exactly once, in order" {
    on_broker jq --events 8000 --kills 10
}

@test "the same without transactions repeats events, and the oracle sees it" {
    run -1 on_broker topic --events 9000 --kills 15 --at-least-once
    [[ $output == *"the output differs from the input"* ]]
}

@test "listen | produce, each killed 10 times: what was answered with 2xx is in the topic" {
    on_broker intake --style s --events 6000 --kills 10
}
