#!/usr/bin/env bats
# The judge is judged first: each kind of fault must be seen.
load helper
# shellcheck disable=SC2154 # the helper sets them

setup() {
    common_setup
    oracle_sink
    oracle feed --url "$sink" --ledger "$T/ledger" --style s --events 300 \
        --keys 10
}

teardown() {
    common_teardown
}

verdict() {
    run oracle report --ledger "$T/ledger" --record "$T/record" \
        --max-repeated 0
}

@test "a faultless run is found faultless" {
    oracle wait --ledger "$T/ledger" --record "$T/record"
    verdict
    is "$status" 0
}

@test "a lost event is seen" {
    sed -i 100d "$T/record"
    verdict
    is "$status" 1
    has "$output" "1 lost"
    run oracle wait --ledger "$T/ledger" --record "$T/record" --timeout 0.1
    is "$status" 1
    has "$output" "stuck: 1 acknowledged"
}

@test "a repeated event is seen" {
    sed -i 100p "$T/record"
    verdict
    is "$status" 1
    has "$output" "1 repeated, allowed are 0"
}

@test "an event that was never sent is seen" {
    sed -i 's/-000099-/-900099-/' "$T/record"
    verdict
    is "$status" 1
    has "$output" "1 phantom"
}

@test "a changed byte is seen" {
    sed -i '100s/.$/x/' "$T/record"
    verdict
    is "$status" 1
    has "$output" "1 mutated"
}

@test "two events of one key in the wrong order are seen" {
    # The first arrival of a key goes to the end of the record.
    sed -n 1p "$T/record" >"$T/first"
    sed -i 1d "$T/record"
    cat "$T/first" >>"$T/record"
    verdict
    is "$status" 1
    has "$output" "1 reordered"
}

@test "an event that nobody took is not called acknowledged" {
    sed -i '0,/^A /{/^A /d}' "$T/ledger"
    verdict
    is "$status" 1
    has "$output" "only 299 of 300 acknowledged"
}
