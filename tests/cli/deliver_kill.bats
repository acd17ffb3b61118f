#!/usr/bin/env bats
# dpp-deliver killed at random, while keys are parked and delivered again.
# shellcheck disable=SC2154 # the helpers set them
load helper
load deliver

setup() {
    deliver_setup
}

teardown() {
    common_teardown
}

start() {
    rm -f d.in
    mkfifo d.in
    spawn d dpp-deliver -j 8 --retry '100ms*' -s "$T/retry" \
        -H 'X-Key: {partitionkey}' "$url"
    spawn c sh -c 'exec dpp-consume -t in -g g >d.in'
}

# A moment between 20 and 500 ms.
moment() {
    read -rt "0.$(printf %03d $((RANDOM % 480 + 20)))" <> <(:) || :
}

# bats test_tags=kafka
@test "killed 12 times with keys that fail and recover: nothing is lost, and each key stays in order" {
    topics in
    events 1 6000 30 | dpp-produce -t in
    endpoint -d 5
    for i in $(seq 12); do
        start
        # some keys fail from now on, others no longer
        stop endpoint
        endpoint -d 5 -f "k$((RANDOM % 30))=500" -f "k$((RANDOM % 30))=503" \
            -l "127.0.0.1:$port"
        moment
        kill -KILL "$(pid_of d)"
        finish d
        is "$status" 137
        finish c
    done
    stop endpoint
    endpoint -l "127.0.0.1:$port"
    start
    export LIMIT=60
    all_there() {
        [ "$(accepted | sort -u | wc -l)" -eq 6000 ]
    }
    wait_for all_there
    stop c
    is "$status" 0
    finish d
    is "$status" 0
    run first_in_order
    echo "# repeated: $output" >&3
    is "$status" 0
    # the marks under way at a kill hold some 600 events each
    [ "$output" -le $((i * 1200)) ]
}
