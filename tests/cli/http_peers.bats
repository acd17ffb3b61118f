#!/usr/bin/env bats
# What we accept, others read in the same way: nothing can hide between us.
load helper

setup() {
    common_setup
}

teardown() {
    common_teardown
}

peers() {
    command -v "$1" >/dev/null || skip "no $1 here"
    run python3 "$ROOT/tests/cli/http_peers.py" "$1" \
        "$ROOT/tests/unit/http_cases.txt"
    echo "$output"
    is "$status" 0
    has "$output" " 0 read in another way"
}

@test "Node's parser reads every accepted request as we do" {
    peers node
}

@test "nginx takes every request that we accept" {
    peers nginx
}
