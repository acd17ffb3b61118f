#!/usr/bin/env bats
# dpp-deliver on a disk that is full: the retry store, and the dead letters.
# shellcheck disable=SC2154,SC2030,SC2031 # helpers set them; tests are shells
load helper
load deliver

setup() {
    deliver_setup
    mkdir small
    mount -t tmpfs -o size=2m none small 2>/dev/null ||
        skip "needs the right to mount"
}

teardown() {
    common_teardown
    ! mountpoint -q "$T/small" || umount -l "$T/small"
}

# full [KIB]: no room in small, but for so many KiB
full() {
    rm -f small/ballast
    head -c 3m /dev/zero >small/ballast 2>/dev/null || :
    truncate -s "-$((${1:-0} * 1024))" small/ballast
}

room() {
    rm small/ballast
}

# start_segment [OPTION...]: dpp-consume to dpp-deliver with its store in small
start_segment() {
    rm -f d.in d.err
    mkfifo d.in
    spawn d dpp-deliver -s "$T/small/retry" -H 'X-Key: {partitionkey}' "$@"
    spawn c sh -c "exec dpp-consume -t in -g g -e >d.in"
}

finish_segment() {
    finish c
    is "$status" 0
    finish d
    is "$status" 0
}

@test "a full disk under the retry store is waited out with one warning, and nothing is lost" {
    events 1 4000 4 | dpp-produce -t in
    for kib in 0 4 12 80 200; do
        endpoint -f k1=503 -f k2=503
        dpp-deliver -q -s "$T/small/retry" "$url" </dev/null
        full "$kib"
        echo "# $kib KiB" >&2
        start_segment --retry 1h "$url"
        wait_for_text d.err "no space left"
        wait_for has_accepted 2000
        running c
        running d
        room
        finish_segment
        is "$(grep -c 'no space left' d.err)" 1
        has "$(cat d.err)" "room on the disk again"
        has "$(cat d.err)" "2000 events of 2 keys stay deferred"
        stop endpoint
        endpoint
        run dpp-deliver -q -s "$T/small/retry" -H 'X-Key: {partitionkey}' \
            "$url" </dev/null
        is "$status" 0
        is "$(accepted | sort -u | wc -l)" 4000
        in_order
        stop endpoint
        rm -rf small/retry record
        dpp-topic reset -g g -o beginning in
    done
}

@test "a full disk under the dead letters is waited out with one warning, and each is there once" {
    export DPP_BROKER=log:$T/small/store
    endpoint
    for kib in 0 4 12 80 200; do
        rm -rf small/store
        dpp-topic create other >/dev/null
        full "$kib"
        echo 400 >control
        events 1 2000 20 >t.in
        rm -f t.err
        spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$url"
        wait_for_text t.err "no space left"
        wait_for_lines record 2000
        running t
        room
        finish t
        is "$status" 0
        is "$(grep -c 'no space left' t.err)" 1
        dead >letters
        is "$(wc -l <letters)" 2000
        is "$(jq -r .id letters | sort -u | wc -l)" 2000
        : >record
    done
}

@test "a parked key whose event is refused while the dead letters have no room is dead once, later" {
    export DPP_BROKER=log:$T/small/store
    endpoint -f k1=503
    events 1 20 2 >in
    deliver "$url" <in
    has "$stderr" "10 events of 1 keys stay deferred"
    dpp-topic create other >/dev/null
    full
    echo 400 >control
    deliver "$url" </dev/null
    is "$status" 0
    # nothing waits for it but the store, which keeps the event
    has "$stderr" "no space left"
    has "$stderr" "10 events of 1 keys stay deferred"
    is "$(grep -c ' 400 k1 ' record)" 1
    room
    deliver "$url" </dev/null
    is "$status" 0
    dead >letters
    is "$(jq -r .id letters | xargs)" "$(seq -f e%g -s ' ' 1 2 19)"
}
