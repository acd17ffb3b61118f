#!/usr/bin/env bats
# Processes are killed with SIGKILL at random, 50 times in 20,000 events, and
# nothing that was acknowledged may be lost. STORM_SEED repeats a run.
load ../cli/helper

setup() {
    common_setup
    cd "$ROOT" || return 1
}

teardown() {
    common_teardown
}

storm() {
    local seed=${STORM_SEED:-$RANDOM$RANDOM}
    python3 tests/storm "$@" --seed "$seed" --dir "$T/storm" 2>&1
}

@test "listen, consume, transform, deliver, each killed: nothing is lost, and no more is repeated than was unreceipted" {
    storm deliver
}

@test "the same under dpp-run, with bytes that no JSON library keeps" {
    storm supervised --style s
}

@test "listen | produce, each killed: what was answered with 2xx is in the topic once" {
    storm intake --style s
}

@test "consume | transform | produce, each killed: exactly once, in order" {
    storm topic
}

@test "consume | jq | produce in a plain shell, each killed: exactly once, in order" {
    storm jq
}

@test "SIGTERM under load, 40 times: all ends clean, nothing lost, nothing repeated" {
    storm drain --kills 40
}

@test "one key of 1,000 always fails: the others keep 90 % of the rate" {
    storm failing_key --events 10000
}
