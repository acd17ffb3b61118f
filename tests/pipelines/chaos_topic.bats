#!/usr/bin/env bats
# Each process is killed 50 times with SIGKILL while 20,000 events go into
# topics: what was acknowledged is there, and from topic to topic exactly once.
load ../cli/helper
load storm

setup() {
    common_setup
    cd "$ROOT" || return 1
}

teardown() {
    common_teardown
}

@test "listen | produce, each killed 50 times: what was answered with 2xx is in the topic" {
    storm intake --style s
}

@test "consume | transform | produce, each killed 50 times: exactly once, in order" {
    storm topic
}

@test "consume | jq | produce in a plain shell, each killed 50 times: exactly once, in order" {
    storm jq
}
