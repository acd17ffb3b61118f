#!/usr/bin/env bats
# A broker's disk that lies: bits that are the other way round in its log.
# shellcheck disable=SC2154 # the helper sets them
load ../cli/helper
load kafka
load crowd

setup_file() {
    cluster
}

teardown_file() {
    cluster_stop
}

# The events 1 to 60 in "in", in three bouts; the second one's batch begins at
# the byte $batch of the file $log, and has $size of them.
setup() {
    kafka_setup
    # a client that has met damage is left as it is: it may lock up as it ends
    export ASAN_OPTIONS=detect_leaks=0
    DPP_BROKER=kafka://$(brokers)/$SPACE
    export DPP_BROKER
    dpp-topic create -p 1 in
    dpp-topic create -p 1 out
    for from in 1 21 41; do
        events "$from" $((from + 19)) | dpp-produce -t in
    done
    log=$CLUSTER/1/data/$SPACE.in-0/00000000000000000000.log
    read -r batch size _ < <(segment batches | grep ' 20$')
}

teardown() {
    common_teardown
}

segment() {
    "$KAFKA_TESTS/segment" "$log" "$@"
}

# refused OFFSET: what dpp-consume says of the copy as it is now
refused() {
    run --separate-stderr dpp-consume -t in -r -e
    is "$status" 74
    is "${#stderr_lines[@]}" 1
    has "$stderr" "$SPACE.in/0: what broker 1 has at offset $1 is damaged"
}

@test "a bit anywhere under the checksum: 74, one line, and no byte of that batch" {
    local seed=${SEED:-$RANDOM} i at bit # FLIPS=N for more of them
    echo "SEED=$seed"
    RANDOM=$seed
    seq 20 >want
    for ((i = 0; i < ${FLIPS:-3}; i++)); do
        at=$((batch + 17 + RANDOM % (size - 17)))
        bit=$((RANDOM % 8))
        echo "byte $((at - batch)) of $size, bit $bit"
        segment flip $at $bit
        refused 20
        is "$output" "$(cat want)"
        has "$stderr" "checksum"
        has "$stderr" "-o OFFSET"
        segment flip $at $bit
    done
    is "$(dpp-consume -t in -r -e)" "$(seq 60)"
}

@test "a codec that nobody knows, a version, an offset that goes back: 74" {
    segment codec 1 7
    refused 20
    has "$stderr" codec
    is "$output" "$(seq 20)"
    segment codec 1 0
    segment flip $((batch + 16)) # version 3
    refused 20
    segment flip $((batch + 16))
    # no checksum is over the offset: 20 to 39 say that they are 28 to 47
    segment flip $((batch + 7)) 3
    refused 40
    has "$stderr" "behind a later one"
    is "$output" "$(seq 40)"
    segment flip $((batch + 7)) 3
    segment flip "$batch" # far behind the end
    refused 40
    segment flip "$batch"
    is "$(dpp-consume -t in -r -e)" "$(seq 60)"
}

# through ARGUMENT…: all there is from "in" to "out"
through() {
    run bash -c "dpp-consume -t in -g g -e 2>err | dpp-produce $* -t out
        echo \${PIPESTATUS[0]}"
}

@test "what came before the damage arrives once, and the line says how to go on" {
    local how
    for how in "" "--exactly-once --single-broker"; do
        segment flip $((batch + 100))
        through "$how"
        is "${lines[-1]}" 74
        through "$how"
        is "${lines[-1]}" 74
        is "$(wc -l <err)" 1
        has "$(cat err)" "dpp-topic reset -g g -o OFFSET in"
        is "$(dpp-consume -t out -r -e)" "$(seq 20)"
        dpp-topic reset -g g -o 40 in
        through "$how"
        is "${lines[-1]}" 0
        is "$(dpp-consume -t out -r -e)" "$(seq 20; seq 41 60)"
        segment flip $((batch + 100))
        dpp-topic rm out
        dpp-topic create -p 1 out
        dpp-topic reset -g g in
    done
}

@test "dpp-topic verify finds it" {
    segment flip $((batch + 100))
    run --separate-stderr dpp-topic verify in
    is "$status" 74
    has "$output" "$SPACE.in/0: what broker 1 has at offset 20 is damaged"
}

@test "a length that is wrong is silence: one warning, and nothing is passed by" {
    segment flip $((batch + 9)) 5
    spawn consume dpp-consume -t in -r
    LIMIT=30 wait_for_text consume.err "nothing comes from offset 20 on"
    has "$(cat consume.err)" "$SPACE.in/0"
    is "$(wc -l <consume.err)" 1
    segment flip $((batch + 9)) 5
    wait_for_lines consume.out 60
    stop consume
    is "$(cat consume.out)" "$(seq 60)"
    is "$(wc -l <consume.err)" 1
}
