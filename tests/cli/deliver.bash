# The endpoint of the dpp-deliver tests, and events for it. It does what a file
# tells it: tests/bench/httpsink.c.
# shellcheck shell=bash disable=SC2034,SC2154

deliver_setup() {
    common_setup
    export DPP_BROKER
    DPP_BROKER=$(store)
}

# endpoint [OPTION…]: $url; $T/record, $T/bytes and $T/control belong to it.
endpoint() {
    rm -f "$T/port"
    spawn endpoint "$BUILD/bench/httpsink" -p "$T/port" -w "$T/record" \
        -b "$T/bytes" -c "$T/control" "$@"
    wait_for test -s "$T/port"
    port=$(cat "$T/port")
    url=http://127.0.0.1:$port/hook
}

# event ID MEMBERS: one event line
event() {
    printf '{"specversion":"1.0","id":"%s","source":"/s","type":"t",%s}\n' "$@"
}

# events FROM TO [KEYS]: event lines; the key of event N is k(N mod KEYS).
events() {
    awk -v from="$1" -v to="$2" -v keys="${3:-0}" 'BEGIN {
        for (i = from; i <= to; i++) {
            key = keys ? sprintf(",\"partitionkey\":\"k%d\"", i % keys) : ""
            printf "{\"specversion\":\"1.0\",\"id\":\"e%d\"," \
                "\"source\":\"/t\",\"type\":\"t\"%s," \
                "\"data\":{\"n\":%d,\"f\":0.10}}\n", i, key, i
        }
    }'
}

# The key in a header, for the record; plain for events that may have none.
deliver() {
    plain -H 'X-Key: {partitionkey}' "$@"
}
plain() {
    run --separate-stderr dpp-deliver -s "$T/retry" "$@"
}

# spawn_deliver [OPTION…]: in the background, reading $T/t.in
spawn_deliver() {
    spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$@"
}

# accepted: ids in the order in which they were accepted
accepted() {
    awk '$2 == 200 { print $4 }' "$T/record"
}
has_accepted() {
    [ "$(accepted | wc -l)" -ge "$1" ]
}

# in_order: the ids of each key rise, in the order of their acceptance
in_order() {
    awk '$2 == 200 { n = substr($4, 2) + 0
        if (n <= last[$3]) { print $3 ": " n " behind " last[$3]; bad = 1 }
        last[$3] = n } END { exit bad }' "$T/record"
}

# dead [TOPIC]
# shellcheck disable=SC2120
dead() {
    dpp-consume -t "${1:-deliver.dead}" -e 2>"$T/consume.err"
}
has_dead() {
    [ "$(dead deliver.dead | wc -l)" -ge "$1" ]
}

# first_in_order: no event of a key arrives for the first time behind a later
# one of that key. Prints how many were repeated.
first_in_order() {
    awk '$2 == 200 { n = substr($4, 2) + 0
        if (seen[n]++) { repeated++; next }
        if (n < last[$3]) { print $3 ": " n " behind " last[$3]; bad = 1 }
        last[$3] = n } END { print repeated + 0; exit bad }' "$T/record"
}
