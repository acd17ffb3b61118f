# Events with numbers, and whether all of them arrived; behind "load kafka".
# shellcheck shell=bash disable=SC2154

# events FROM TO [RATE]: their numbers are their ids, their keys the 7 k0…k6
events() {
    python3 -c '
import sys, time
first, last, rate = map(int, sys.argv[1:])
begin = time.monotonic()
for i in range(first, last + 1):
    due = begin + (i - first) / rate - time.monotonic() if rate else 0
    if due > 0:
        sys.stdout.flush()
        time.sleep(due)
    print("{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"/s\","
          "\"type\":\"t\",\"partitionkey\":\"k%d\",\"data\":%d}"
          % (i, i % 7, i))
' "$1" "$2" "${3:-0}"
}

# feed TO RATE [OPTION…]: into "in", while the test goes on; finish feed
feed() {
    spawn_sh feed "$(declare -f events)
        set -o pipefail; events 1 $1 $2 | dpp-produce ${*:3} -t in"
}

# fill: "in" by way of the log "source", exactly once. Brokers that die may give
# a producer an error after which it has to be started anew (75); who only pipes
# into it has no place to go on from. Needs "again" of the test file.
fill() {
    dpp-topic -b "log:$T/source" create in
    again fill "dpp-consume -b log:$T/source -t in -g fill |
        dpp-produce --exactly-once -t in"
}

# What is in "out" now, as KEY ID, into the file out.tsv.
out() {
    dpp-consume -t out -e | jq -r '[.partitionkey, .id] | @tsv' >out.tsv
}

# all_of N: nothing is lost
all_of() {
    out
    cut -f 2 out.tsv | sort -nu | cmp - <(seq "$1")
}

# once_each N: nothing is lost or there twice, and each key is in order
once_each() {
    out
    is "$(cut -f 2 out.tsv | sort -n | uniq -d | tr '\n' ' ')" ""
    cut -f 2 out.tsv | sort -n | cmp - <(seq "$1")
    awk '$2 <= last[$1] { print "out of order: " $0; bad = 1 }
        { last[$1] = $2 } END { exit bad }' out.tsv
}

# hold_for N: that many seconds, by the clock
hold_for() {
    local end=$((SECONDS + $1))
    LIMIT=$(($1 + 30)) wait_for eval "[ \$SECONDS -gt $end ]"
}
