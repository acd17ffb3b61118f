#!/usr/bin/env bats
# dpp-listen beside clients that are slow on purpose.
# shellcheck disable=SC2154 # the helpers set them
load helper
load listen

setup() {
    common_setup
}

teardown() {
    common_teardown
}

# p99: of the answers to 8 healthy clients, in microseconds
p99() {
    "$BUILD/bench/httpload" -c 8 -s 1 -b 500 "127.0.0.1:$port" >load
    sed -n 's/.*p99 \([0-9]*\) us.*/\1/p' load
}

@test "10,000 slow clients do not double the p99 of the healthy ones" {
    [ "$(ulimit -Hn)" -ge 12000 ] || skip "needs 12,000 descriptors"
    ulimit -n "$(ulimit -Hn)"
    spawn listen dpp-listen -l 127.0.0.1:0 -b "$(store)" -t in
    await_listen listen
    p99 >/dev/null
    # the best of some turns, because the machine has other things to do
    for turn in 1 2 3 4 5 6; do
        alone=$(p99)
        spawn slow python3 "$ROOT/tests/cli/http.py" slow "$port" 10000
        LIMIT=60 wait_for_text slow.out "all there"
        beside=$(p99)
        [ "$(find "/proc/$(pid_of listen)/fd" | wc -l)" -gt 9000 ]
        stop slow KILL
        rm slow.out
        echo "p99 $alone us alone, $beside us beside them"
        [ "$beside" -gt $((2 * alone)) ] || break
    done
    echo "# p99 $alone us alone, $beside us beside 10,000, in turn $turn" >&3
    [ "$beside" -le $((2 * alone)) ]
}
