#!/usr/bin/env bats
# dpp-produce, dpp-consume and dpp-topic by hand.
# bats file_tags=kafka
load helper
setup() {
    common_setup
    export DPP_BROKER
    DPP_BROKER=$(store)
}
teardown() {
    common_teardown
    ! mountpoint -q "$T/small" || umount -l "$T/small"
}

# events N: plain events with keys k0..k4.
events() {
    local i
    for ((i = 1; i <= $1; i++)); do
        printf '{"specversion":"1.0","id":"%s","source":"/t","type":"t",' $i
        printf '"partitionkey":"k%s","data":{"n":%s,"x":1e2}}\n' $((i % 5)) $i
    done
}

@test "a value that is typed in comes out again" {
    topics test
    echo '{"a":1}' | dpp-produce -r -t test
    run dpp-consume -r -e -t test
    is "$status" 0
    is "$output" '{"a":1}'
}

@test "events keep their bytes, and get their origin" {
    topics t
    events 3 >in
    # blanks between members are the line's, not the event's: a record of Kafka
    # in binary mode has no place for them
    on_kafka || sed -i 's/,"data"/ , "data"/' in
    dpp-produce -t t <in
    dpp-consume -t t -e | sed 's/,"dpporigin":"[^"]*"//' >out
    same_file in out
    run -0 dpp-consume -t t -e -m 1 -o 2
    json "$output" '.dpporigin == "t/0/2" and .id == "3"'
}

@test "a last line without line end counts" {
    topics t
    printf 'one\ntwo' | dpp-produce -r -t t
    run -0 dpp-consume -t t -e -r
    is "${#lines[@]}" 2
}

@test "values that are no line come out as one: JSON reflowed, else a string" {
    topics t
    # value ID TYPE BYTES: an event that carries them in base 64.
    value() {
        printf '{"specversion":"1.0","id":"%s","source":"s","type":"t",' "$1"
        printf '"datacontenttype":"%s","data_base64":"%s"}\n' "$2" \
            "$(printf '%b' "$3" | base64)"
    }
    {
        value 1 application/json '{\n "a": 0.10\n}'
        value 2 text/plain 'a\nb'
        echo '{"specversion":"1.0","id":"3","source":"s","type":"t"}'
    } | dpp-produce -t t
    dpp-consume -t t -e -r >out
    printf '%s\n' '{  "a": 0.10 }' '"a\nb"' '' >want
    same_file out want
}

@test "-o takes offsets, counts from the end, and times" {
    topics t
    events 10 | dpp-produce -t t
    is "$(dpp-consume -t t -e -o 7 | jq -r .id | xargs)" "8 9 10"
    is "$(dpp-consume -t t -e -o -2 | jq -r .id | xargs)" "9 10"
    is "$(dpp-consume -t t -e -o end | wc -l)" 0
    is "$(dpp-consume -t t -e -o 2020-01-01T00:00Z | wc -l)" 10
    is "$(dpp-consume -t t -e -o 2100-01-01T00:00Z | wc -l)" 0
    run dpp-consume -t t -e -o tomorrow
    is "$status" 64
    has "$output" 'tomorrow'
}

@test "a group goes on where it was; -o moves none that has a position" {
    topics t out
    events 10 | dpp-produce -t t
    dpp-consume -t t -g g -m 4 | dpp-produce -t out
    dpp-consume -t t -g g -e -o beginning | dpp-produce -t out
    is "$(dpp-consume -t out -e | jq -r .id | xargs)" "1 2 3 4 5 6 7 8 9 10"
    run -0 dpp-topic lag t
    has "${lines[1]}" "10"
    [[ ${lines[1]} =~ 0$ ]]
}

@test "a group that begins at the end keeps that place, even before an event" {
    topics t out
    events 5 | dpp-produce -t t
    dpp-consume -t t -g g -o end -e | dpp-produce -t out
    events 3 | sed 's/"source":"[^"]*"/"source":"\/new"/' | dpp-produce -t t
    dpp-consume -t t -g g -o end -e | dpp-produce -t out
    is "$(dpp-consume -t out -e | jq -r .source | xargs)" "/new /new /new"
}

@test "reset replays, and what the sink remembers does not prevent it" {
    topics t out
    events 5 | dpp-produce -t t
    dpp-consume -t t -g g -e | dpp-produce -t out
    dpp-topic reset -g g t
    dpp-consume -t t -g g -e | dpp-produce -t out
    is "$(dpp-consume -t out -e | wc -l)" 10
}

@test "a topic that is made anew is not taken for the old one" {
    topics t out
    events 5 | dpp-produce -t t
    dpp-consume -t t -g g -e | dpp-produce -t out
    dpp-topic rm t
    topics t
    events 3 | dpp-produce -t t
    dpp-consume -t t -g g -e | dpp-produce -t out
    is "$(dpp-consume -t out -e | wc -l)" 8
}

# bats test_tags=log
@test "when the group's file lags, the sink's position wins: nothing twice" {
    events 8 | dpp-produce -t t
    dpp-consume -t t -g g -m 3 | dpp-produce -t out
    cp -r "$T/store/groups" "$T/groups.old"
    dpp-consume -t t -g g -e | dpp-produce -t out
    rm -r "$T/store/groups"
    cp -r "$T/groups.old" "$T/store/groups"
    has "$(dpp-topic lag t)" " 5"
    dpp-consume -t t -g g -e | dpp-produce -t out
    is "$(dpp-consume -t out -e | wc -l)" 8
    is "$(dpp-topic lag t | awk '$1 == "g" { print $4, $6 }')" "8 0"
}

@test "keys keep their order over partitions, and -p reads some of them" {
    dpp-topic create -p 4 t
    events 1000 | dpp-produce -t t
    is "$(dpp-consume -t t -e | wc -l)" 1000
    dpp-consume -t t -e | jq -r '[.partitionkey, .data.n] | @tsv' |
        sort -s -k1,1 >by_key
    sort -s -k1,1 -k2,2n by_key >sorted
    same_file by_key sorted
    a=$(dpp-consume -t t -e -p 0-1 | wc -l)
    b=$(dpp-consume -t t -e -p 2-3 | wc -l)
    is $((a + b)) 1000
    run dpp-consume -t t -p x
    is "$status" 64
}

@test "a topic that was just made can be looked at, read and removed" {
    local i
    for i in {1..10}; do
        dpp-topic create -p 4 "t$i"
        is "$(dpp-topic show "t$i" | awk '$1 == "offsets" { print $2, $4 }')" \
            "0 0"
        is "$(dpp-consume -t "t$i" -e | wc -l)" 0
        dpp-topic rm "t$i"
    done
}

@test "a key that is no text chooses the partition as one that is" {
    dpp-topic create -p 4 t
    # by their bytes; who has none of its own goes with the partitionkey
    local i key
    for i in {1..40}; do
        for key in '"dppkey":"/wA="' '"dppkey":"","partitionkey":"x"' \
            '"dppkey":"a2V5"' '"partitionkey":"key"' \
            '"dppkey":null,"partitionkey":"key"' \
            '"dppkey":"a2V5","partitionkey":"y"'; do
            printf '{"specversion":"1.0","id":"%s","source":"/s",' "$i"
            printf '"type":"t",%s,"data":%s}\n' "$key" "$i"
        done
    done >in
    dpp-produce -t t <in
    dpp-consume -t t -e | jq -r '[.dppkey, .partitionkey,
        (.dpporigin | split("/")[1])] | @tsv' | sort | uniq -c >places
    cat places
    is "$(awk '{ n += $1 } END { print n }' places)" 240
    # one partition each, and all that are "key" the same
    is "$(awk -F '\t' '{ print $1, $2 }' places | sed 's/^ *[0-9]* //' |
        sort | uniq -d)" ""
    is "$(grep -E 'a2V5|key' places | cut -f 3 | sort -u | wc -l)" 1
}

@test "members share the partitions; one takes over when the other is killed" {
    topics out
    dpp-topic create -p 4 t
    spawn_sh a "dpp-consume -t t -g g | dpp-produce $(exact) -t out"
    spawn_sh b "dpp-consume -t t -g g | dpp-produce $(exact) -t out"
    owners() {
        local n
        n=$(events 40 | dpp-produce -t t && dpp-consume -t out -e | wc -l)
        [ "$n" -gt 0 ]
    }
    LIMIT=30 wait_for owners
    signal_group a KILL
    events 200 | sed 's/"source":"[^"]*"/"source":"\/last"/' | dpp-produce -t t
    all() { [ "$(dpp-consume -t out -e | grep -c '"/last"')" = 200 ]; }
    LIMIT=90 wait_for all
    total=$(dpp-consume -t t -e | wc -l)
    same() { [ "$(dpp-consume -t out -e | wc -l)" = "$total" ]; }
    wait_for same
}

@test "an unknown topic is 69, with the line that makes it" {
    run dpp-consume -t nowhere
    is "$status" 69
    has "$output" "dpp-topic -b $(store) create nowhere"
    is "${#lines[@]}" 1
}

@test "wrong arguments are one line and 64" {
    for args in "" "-t" "-t a/b" "-t t extra" "-t t -z" "-t t --what" \
        "-t t -m 0" "-t t -g g -r" "-t t -g g -p 1"; do
        # shellcheck disable=SC2086
        run dpp-consume $args
        is "$status" 64
        is "${#lines[@]}" 1
    done
    run dpp-produce
    is "$status" 64
    run dpp-topic frobnicate
    is "$status" 64
    run dpp-topic create
    is "$status" 64
    run dpp-topic -b redis://x list
    is "$status" 64
    has "$output" "redis://x"
}

@test "a sink whose standard input is a terminal says how it is used" {
    run script -qec 'dpp-produce -t t' /dev/null
    is "$status" 64
    has "$output" "terminal"
    run script -qec 'dpp-consume -t t -g g' /dev/null
    has "$output" "dpp-topic"
    dpp-topic create t
    run script -qec 'dpp-consume -t t -g g' /dev/null
    is "$status" 64
    has "$output" "terminal"
}

# bats test_tags=log
@test "dpp-topic lists, shows, verifies and removes" {
    run -0 dpp-topic
    has "$output" "no topics yet"
    dpp-topic create -p 3 --retain-time 7d --retain-bytes 1G a
    run dpp-topic create a
    is "$status" 78
    run -0 dpp-topic show a
    has "$output" "partitions   3"
    events 5 | dpp-produce -t a
    run -0 dpp-topic
    has "${lines[1]}" "a "
    run -0 dpp-topic verify
    has "$output" "a: 5 events, 0 faults"
    dpp-topic rm a
    run dpp-topic show a
    is "$status" 69
}

# bats test_tags=log
@test "a group that does not run holds back what it has not read for --group-expiry, and no longer" {
    export DPP_LOG_SEGMENT=64K
    run -64 dpp-topic create --group-expiry 0s kept
    dpp-topic create --retain-bytes 128K kept
    dpp-topic create --retain-bytes 128K --group-expiry 1ms let
    for t in kept let; do
        events 10 | dpp-produce -t "$t"
        dpp-consume -t "$t" -g g -m 5 | dpp-produce -t out
        events 9000 | dpp-produce -t "$t"
    done
    run -0 dpp-topic show kept
    has "$output" "group-expiry 604800000ms"
    has "$output" "offsets      0 to 9010"
    run -0 dpp-topic show let
    has "$output" "group-expiry 1ms"
    has_not "$output" "offsets      0 to"
    run -78 bash -c "dpp-consume -t let -g g -e | dpp-produce -t out
        exit \${PIPESTATUS[0]}"
    has "$output" "expired"
    dpp-topic reset -g g let
    dpp-consume -t let -g g -e | dpp-produce -t out
    dpp-consume -t kept -g g -e | dpp-produce -t all
    is "$(dpp-consume -t all -e | wc -l)" 9005
}

@test "closed standard descriptors are no files of ours" {
    topics t
    events 3 | dpp-produce -t t
    dpp-consume -t t -e >out 2>&-
    is "$(wc -l <out)" 3
    run bash -c 'dpp-consume -t t -e >&-'
    is "$status" 74
    run bash -c 'dpp-produce -t t <&-'
    is "$status" 74
    on_kafka || run -0 dpp-topic verify
}

@test "a full standard output is 74" {
    topics t
    events 3 | dpp-produce -t t
    run bash -c 'dpp-consume -t t -e >/dev/full'
    is "$status" 74
    has "$output" "standard output"
    run bash -c 'dpp-topic show t >/dev/full'
    is "$status" 74
}

@test "a reader that goes away is 76" {
    topics t
    events 5000 | dpp-produce -t t
    run bash -c 'dpp-consume -t t 2>err | head -n 1 >/dev/null
        exit ${PIPESTATUS[0]}'
    is "$status" 76
}

@test "a reader that gives no receipts is found out, and nothing is taken" {
    topics t
    events 5 | dpp-produce -t t
    for reader in 'wc -l' 'jq -c --unbuffered .data' \
        'grep --line-buffered id' 'cat >/dev/null'; do
        run bash -c "dpp-consume -t t -g g --hello-timeout 300ms 2>err |
            $reader >/dev/null; exit \${PIPESTATUS[0]}"
        is "$status" 69
        has "$(cat err)" "gave no answer"
    done
    has "$(cat err)" '"cat"'
    run -0 dpp-topic lag t
    # no position: "none", or no group at all
    [[ ! $output =~ t\ +0\ +[0-9] ]]
}

@test "at most once is said so, and moves the position without receipts" {
    topics t
    events 5 | dpp-produce -t t
    is "$(dpp-consume -t t -g g --no-receipts -e | wc -l)" 5
    is "$(dpp-consume -t t -g g --no-receipts -e | wc -l)" 0
}

@test "SIGUSR1 prints one line of statistics; a datagram goes to the socket" {
    topics t
    events 5 | dpp-produce -t t
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("stats")
print(s.recv(65536).decode(), end="")' >datagram &
    reader=$!
    wait_for test -S stats
    DPP_STATS_SOCKET=$T/stats dpp-consume -t t -e >/dev/null
    wait "$reader"
    json @datagram '.program == "dpp-consume" and .out == 5 and .in == 5'
    spawn c dpp-consume -t t
    wait_for_lines c.out 5
    kill -USR1 "$(pid_of c)"
    wait_for_text c.err "out 5"
    stop c
    is "$status" 0
}

@test "readiness is a newline on --ready-fd" {
    dpp-topic create t
    mkfifo ready
    exec 7<>ready
    spawn c dpp-consume -t t --ready-fd 7
    read -r -t 20 -u 7
    stop c
}

# bats test_tags=log
@test "an older instance is refused once a newer one has begun" {
    events 5 | dpp-produce -t t
    mkfifo pipe
    spawn_sh old "dpp-consume -t t -g g >pipe"
    spawn_sh sink "dpp-produce -t out <pipe"
    five() { [ "$(dpp-consume -t out -e | wc -l)" = 5 ]; }
    wait_for five
    kill -STOP "$(pid_of sink)" "-$(pid_of sink)"
    signal_group old KILL
    dpp-consume -t t -g g -e | dpp-produce -t out
    kill -CONT "-$(pid_of sink)"
    finish sink
    [ "$status" -eq 76 ] || [ "$status" -eq 78 ]
    is "$(dpp-consume -t out -e | wc -l)" 5
}

# bats test_tags=log
@test "a full disk is waited out with one warning, and nothing is lost" {
    [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
    mkdir small
    mount -t tmpfs -o size=3m tmpfs small
    head -c 1500000 /dev/zero >small/ballast
    head -c 30000 /dev/urandom | base64 -w 0 >big
    (for _ in $(seq 100); do cat big; echo; done) >values
    spawn_sh p "dpp-produce -b log:$T/small/s -r -t t <values"
    wait_for_text p.err "the disk is full"
    mount -o remount,size=64m small
    finish p
    umount_later=$(cat p.err)
    n=$(dpp-consume -b "log:$T/small/s" -t t -e | wc -l)
    umount small
    is "$status" 0
    is "$n" 100
    is "$(grep -c 'disk is full' <<<"$umount_later")" 1
}
