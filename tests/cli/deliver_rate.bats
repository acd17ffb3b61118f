#!/usr/bin/env bats
# dpp-deliver --rate: at most so many requests, whatever they are.
# shellcheck disable=SC2154 # the helpers set them
load helper
load deliver

setup() {
    deliver_setup
}

teardown() {
    common_teardown
}

# at_most N MS: no N+1 requests within MS milliseconds. A quarter is for a busy
# machine, where a request may be recorded late.
at_most() {
    awk -v n="$1" -v ms="$2" '{ at[NR] = $1
        if (NR > n && $1 - at[NR - n] < ms * 3 / 4) {
            print n + 1 " within " $1 - at[NR - n] " ms, to line " NR
            bad = 1 } } END { exit bad }' record
}

@test "40/s is four at once and 40 a second, over all keys and connections" {
    endpoint
    events 1 100 25 >in
    deliver --rate 40/s -j 16 "$url" <in
    is "$status" 0
    is "$(accepted | wc -l)" 100
    in_order
    at_most 14 250
    at_most 44 1000
    # and not much slower: 96 behind the first four
    awk 'NR == 1 { first = $1 } END { print $1 - first
        exit !($1 - first > 2300 && $1 - first < 5000) }' record
}

@test "parked keys and their tries are under the same rate, and the others go on" {
    endpoint -f k1=503
    events 1 120 4 >t.in
    spawn_deliver --rate 40 --retry '20ms*' "$url"
    wait_for has_accepted 90
    [ "$(grep -c ' 503 k1 ' record)" -ge 3 ]
    wait_for_lines record 160
    echo 200 >control
    finish t
    is "$status" 0
    is "$(accepted | wc -l)" 120
    in_order
    at_most 44 1000
}

@test "behind a Retry-After the pace is the same: nothing was saved up" {
    endpoint
    echo "503 Retry-After: 2" >control
    events 1 60 30 >t.in
    spawn_deliver --rate 20 "$url"
    wait_for_lines record 1
    rm control
    finish t
    is "$status" 0
    is "$(accepted | wc -l)" 60
    # one or two had left before the answer came
    at_most 22 1000
    awk '$2 == 200 { exit !($1 - first >= 1900) } NR == 1 { first = $1 }' record
}

@test "a rate that is slower than the patience at the end defers nothing" {
    endpoint
    events 1 2 >in
    plain --rate 10/m "$url" <in
    is "$status" 0
    is "$(accepted | xargs)" "e1 e2"
    has_not "$stderr" deferred
}

@test "it sleeps until the next request may leave" {
    endpoint
    mkfifo t.in
    exec 8<>t.in
    spawn_deliver --rate 2/s "$url" 8>&-
    events 1 60 60 >&8
    wait_for has_accepted 6
    switches=$(awk '/^voluntary/ { print $2 }' "/proc/$(pid_of t)/status")
    [ "$switches" -lt 200 ]
    exec 8>&-
    kill -TERM "$(pid_of t)"
    finish t
}
