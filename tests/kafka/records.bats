#!/usr/bin/env bats
# Records of others and for others: kcat and a plain client on the other side;
# and records that are too large.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # tests are subshells
load ../cli/helper
load kafka

setup() {
    kafka_setup
    export DPP_TEST_BROKER=kafka
    DPP_BROKER=$(store)
    export DPP_BROKER
    topics in out
}

teardown() {
    common_teardown
}

# with times of their own, all different and not of now
dated() {
    jq -c '. + {time: ((now | floor) * 1000 - 123456 + input_line_number)}'
}

# through: all of "in" to "out"; what both hold, places and hosts apart
through() {
    local apart='del(.offset, .partition)'
    [ "$#" = 0 ] || apart="$apart | del(.time)" # an event has its own
    dpp-consume -t in -e | dpp-produce -t out "$@"
    records get "$SPACE.in" | jq -cS "$apart" >in.records
    records get "$SPACE.out" | jq -cS "$apart" >out.records
    sort in.records >in.sorted
    sort out.records >out.sorted
    same_file in.sorted out.sorted
}

# value STRING KEY: an event
event() {
    jq -nc --arg data "$1" --arg key "${2-k}" '{specversion: "1.0", id: "1",
        source: "/s", type: "t", partitionkey: $key, data: $data}'
}

@test "null, empty, binary: values and keys of others come out as they went in" {
    {
        echo '{"key":"a","value":null}'
        echo '{"key":"b","value":""}'
        echo '{"key":"c","value":{"hex":"00ff0a0d22"}}'
        echo '{"key":{"hex":"ff00fe"},"value":"v"}'
        echo '{"key":"","value":"v"}'
        echo '{"key":null,"value":"{\"a\": 1}"}'
    } | dated | records put "$SPACE.in"
    through
    is "$(wc -l <out.records)" 6
}

@test "repeated headers, null ones, and 10,000 of them come out as they went in" {
    {
        echo '{"key":"a","value":"v","headers":' \
            '[["x","1"],["y",null],["x","2"],["x","1"],["",""],' \
            '["z",{"hex":"00ff"}]]}'
        jq -nc '{key: "b", value: "v",
            headers: [range(10000) | ["h\(. % 100)", "\(.)"]]}'
    } | dated | records put "$SPACE.in"
    through
    is "$(jq '.headers | length' out.records | sort -n | tr '\n' ' ')" \
        "6 10000 "
}

@test "what kcat writes is an event, and it reads what we write" {
    printf 'key:{"n":1}\n' |
        kcat_put "$SPACE.in" -K : -H a=1 -H ce_id=7 -H ce_source=/k \
            -H ce_type=made -H ce_specversion=1.0 \
            -H content-type=application/json
    dpp-consume -t in -e >got
    json @got '.id == "7" and .source == "/k" and .type == "made" and
        .data == {"n": 1}'
    dpp-produce -t out <got
    kcat_get "$SPACE.out" -f '%k|%s|%h\n' >out.kcat
    has "$(cat out.kcat)" 'key|{"n":1}|'
    for h in ce_id=7 ce_source=/k ce_type=made a=1 \
        content-type=application/json; do
        has "$(cat out.kcat)" "$h"
    done
}

@test "structured mode is written on demand, and read always" {
    event hello | dpp-produce --structured -t in
    records get "$SPACE.in" >record
    json @record '(.value | fromjson | .data) == "hello"'
    json @record '.headers[0] == ["content-type",
        "application/cloudevents+json; charset=UTF-8"]'
    is "$(dpp-consume -t in -e | jq -r .data)" hello
    through --structured
}

# large N: an event of N bytes of data that no codec makes smaller
large() {
    local data
    data=$(head -c $(($1 * 3 / 4)) /dev/urandom | base64 -w 0)
    printf '{"specversion":"1.0","id":"big","source":"/s","type":"t",'
    printf '"data":"%s"}\n' "$data"
}

# too_large OPTION…: the event in "event" is refused with one line
too_large() {
    run --separate-stderr bash -c "dpp-produce $* <event"
    echo "$stderr"
    is "$status" 78
    is "${#stderr_lines[@]}" 1
    has "$stderr" "$SPACE.out"
    has "$stderr" "max.message.bytes"
}

@test "larger than its topic takes: 78 and what to do, and then it goes" {
    dpp-topic rm out || dpp-topic rm -f out
    records create "$SPACE.out" 1 1 max.message.bytes=100000
    large 200000 >event
    too_large -t out
    has "$stderr" "raise"
    event small | dpp-produce -t out
    is "$(dpp-consume -t out -e | jq -r .data)" small
}

@test "larger than the program sends: 78, and the option that lets it through" {
    large 200000 >event
    too_large -t out -X message.max.bytes=100000
    has "$stderr" "-X message.max.bytes="
    dpp-produce -t out <event
    is "$(dpp-consume -t out -e | jq -r .id)" big
}

@test "too large in a transaction: 78, one line, and nothing of it is there" {
    dpp-topic rm out || dpp-topic rm -f out
    records create "$SPACE.out" 1 1 max.message.bytes=100000
    {
        event one
        large 200000
    } | dpp-produce -t in
    run bash -c "dpp-consume -t in -g g -e 2>/dev/null |
        dpp-produce $(exact) -t out 2>err
        echo \${PIPESTATUS[1]}"
    cat err
    is "${lines[0]}" 78
    is "$(wc -l <err)" 1
    has "$(cat err)" "$SPACE.out"
    has "$(cat err)" "max.message.bytes"
}

@test "no broker there: 69 within 30 s and one line with the address" {
    local port start=$SECONDS program
    port=$(free_port)
    for program in "produce dpp-produce" "consume dpp-consume -e" \
        "group dpp-consume -g g -e"; do
        # shellcheck disable=SC2086
        set -- $program
        if [ "$1" = produce ]; then event x >produce.in; fi
        spawn "$@" -b "kafka://127.0.0.1:$port" -t t
    done
    for program in produce consume group; do
        LIMIT=40 finish "$program"
        cat "$program.err"
        is "$status" 69
        is "$(wc -l <"$program.err")" 1
        has "$(cat "$program.err")" "127.0.0.1:$port"
        has "$(cat "$program.err")" "refused"
    done
    [ $((SECONDS - start)) -le 35 ]
}

@test "a batch larger than what may be under way at a time goes through, in order" {
    event x | dpp-produce -t in
    dpp-consume -t in -g big -e |
        dpp-transform '. as $e | range(400) as $i | ("x" * 100000) as $x
            | $e | .id = "\($i)" | .data = {$i, $x}' |
        timeout 60 dpp-produce -t out
    is "$(kcat -C -b "$KAFKA_BOOTSTRAP" -t "$SPACE.out" -e -q |
        jq .i | tr '\n' ' ')" "$(seq 0 399 | tr '\n' ' ')"
}
