#!/usr/bin/env bats
# dpp-transform, between lines fed by hand.
# shellcheck disable=SC2154,SC2016 # the helper sets them; jq has a $ too
load helper

setup() {
    common_setup
    head='{"specversion":"1.0","source":"/s","type":"t",'
    R=0123456789abcdef0123456789abcdef
    long=12345678901234567890
    odd='"data" : [ 1e2 , 0.10 , '$long' , "\u0000\ud800" ] '
}

teardown() {
    common_teardown
}

# event ID [MEMBERS]
event() {
    printf '{"specversion":"1.0","id":"%s","source":"/s","type":"%s"%s}\n' \
        "$1" "${TYPE:-t}" "${2:+,$2}"
}

hello() {
    printf '{"dpp":"hello","v":1,"run":"%s","name":"","back":"@dpp-%s"}\n' \
        "$R" "$R"
}

# mark SEQ N [MEMBERS]
mark() {
    printf '{"dpp":"mark","run":"%s","seq":%d,"n":%d%s}\n' "$R" "$1" "$2" \
        "${3:+,$3}"
}

end() {
    printf '{"dpp":"end","run":"%s"}\n' "$R"
}

@test "the program . passes every byte on, whatever JSON it is" {
    {
        event 1 "$odd"
        event 2 '"data":{"a":1,"a":2},"data_x":1E400'
        event 3 "$(python3 -c 'print("\"data\":" + "[" * 9000 + "]" * 9000)')"
    } >in
    dpp-transform . <in >out
    same_file in out
    run ! grep '"dpp"' out
}

@test "a program that leaves an event alone passes its bytes on" {
    {
        event 1 "$odd"
        event 2 '"data":{"a":1,"a":2},"data_x":1E400'
    } >in
    dpp-transform '.data |= .' <in >out
    same_file in out
    dpp-transform 'select(.id | length > 0)' <in >out
    same_file in out
}

@test "numbers beside the one that changes keep their text" {
    rest='"b":['$long',1e2],"c":"\u0041"}'
    event 1 '"data":{"a":1.0,'"$rest" | dpp-transform '.data.a = 2' >out
    is "$(cat out)" "$(event 1 '"data":{"a":2,'"$rest")"
}

@test "outputs of one event have ids of their own" {
    event x '"data":[1,2,3]' |
        dpp-transform '.data[] as $n | .data = $n' >out
    is "$(jq -r '.id + " " + (.data | tostring)' out)" $'x 1\nx#2 2\nx#3 3'
}

@test "marks say what left, what was dropped and what was born" {
    {
        hello
        TYPE=a event 1
        TYPE=b event 2
        TYPE=c event 3
        mark 1 3 '"pos":"a:1 sum:00000000"'
        TYPE=b event 4
        mark 2 1
        mark 3 0
        end
    } >in
    dpp-transform 'if .type == "a" then ., ., . elif .type == "b" then empty
        else error("no") end' <in >out
    is "$(jq -c 'select(has("dpp") | not) | .id' out | tr -d '\n')" \
        '"1""1#2""1#3"'
    is "$(sed -n 1p out)" "$(hello)"
    grep '"mark"' out >marks
    is "$(sed -n 1p marks)" \
        "$(mark 1 4 '"pos":"a:1 sum:00000000","dropped":1,"born":2')"
    is "$(sed -n 2p marks)" "$(mark 2 0 '"dropped":1')"
    is "$(sed -n 3p marks)" "$(mark 3 0)"
    is "$(tail -n 1 out)" "$(end)"
    json "$(grep '"dead"' out)" \
        '.why == "dpp-transform: no" and .event.id == "3"'
}

@test "counts of an earlier filter add up" {
    {
        hello
        event 1
        event 2
        mark 1 2 '"dropped":5,"born":1,"net":-3'
        event 3
        mark 2 4
        end
    } >in
    dpp-transform 'select(.id != "1")' <in >out
    grep '"mark"' out >marks
    is "$(sed -n 1p marks)" "$(mark 1 1 '"dropped":6,"born":1,"net":-3')"
    is "$(sed -n 2p marks)" "$(mark 2 1 '"net":-3')"
}

@test "all of a batch is out before its mark is read on, and nothing is held" {
    mkfifo transform.in
    spawn transform dpp-transform '.data = 1'
    exec 8>transform.in
    hello >&8
    wait_for_text transform.out hello
    event 1 >&8
    wait_for_text transform.out '"data":1'
    mark 1 1 >&8
    wait_for_text transform.out mark
    end >&8
    exec 8>&-
    finish transform
    is "$status" 0
}

@test "input that ends without an end line is 76" {
    { hello; event 1; mark 1 1; } >in
    run -76 dpp-transform . <in
}

@test "a forged mark is 65" {
    { hello; R=${R//0/f} mark 1 0; } >in
    run -65 dpp-transform . <in
    has "$output" "another run"
}

@test "one error takes back all outputs of its event, and of no other" {
    { event 1; event 2 '"data":1'; event 3; } |
        dpp-transform '., (if .data then error("odd") else empty end)' >out
    is "$(jq -r '.id // .why' out | tr '\n' ' ')" "1 dpp-transform: odd 3 "
}

@test "a line that is no event is dead, whatever the program" {
    for program in . .data 'select(.type == "x")'; do
        echo 42 | dpp-transform "$program" >out
        json @out '.dpp == "dead" and .event.type == "dpp.invalid"'
    done
}

@test "an output that is no event is dead and says what to do" {
    event 1 '"data":{"a":1}' | dpp-transform .data >out
    json @out '.dpp == "dead" and (.why | test("specversion.*\\.data \\|="))'
}

@test "a pretty-printed body is .data, and passes as it was when left alone" {
    body=$(printf '{\n  "a": 1.0\n}\n' | base64 -w0)
    json='"datacontenttype":"application/json"'
    event 1 "$json"',"data_base64":"'"$body"'"' >in
    dpp-transform 'select(.data.a == 1)' <in >out
    same_file in out
    dpp-transform '.data.b = .data.a' <in >out
    is "$(cat out)" "$(event 1 "$json"',"data":{"a":1.0,"b":1}')"
}

@test "a program that does not compile is one line with its place, 64" {
    run -64 dpp-transform '.a b' </dev/null
    is "${#lines[@]}" 1
    has "$output" "dpp-transform: error: the program, line 1: syntax error"
    printf '.a\n| .b c\n' >p.jq
    run -64 dpp-transform -f p.jq </dev/null
    is "${#lines[@]}" 1
    has "$output" "dpp-transform: error: p.jq:2: syntax error"
    mkdir lib
    echo 'def f: g;' >lib/m.jq
    run -64 dpp-transform -L lib 'include "m"; f' </dev/null
    is "${#lines[@]}" 1
    has "$output" "lib/m.jq:1: g/0 is not defined"
}

@test "wrong arguments are 64 and say what is wrong" {
    run -64 dpp-transform </dev/null
    has "$output" "a jq program is missing"
    run -64 dpp-transform .data .id </dev/null
    has "$output" "quote it"
    run -64 dpp-transform . --arg a b </dev/null
    has "$output" "options come before the program"
    run -64 dpp-transform --arg a </dev/null
    has "$output" "--arg needs NAME TEXT"
    run -64 dpp-transform --argjson a '{' . </dev/null
    has "$output" "is no JSON"
    run -78 dpp-transform -f none.jq </dev/null
    has "$output" "none.jq: No such file"
}

@test "a terminal on standard input is told how it is used" {
    run -64 script -qec "dpp-transform ." /dev/null
    has "$output" "put it into a pipe"
}

@test "--arg and --argjson give values, and a file the program" {
    echo '.data = [$a, $b]' >p.jq
    event 1 >in
    dpp-transform --arg a 'x y' --argjson b '{"n":1}' -f p.jq <in >out
    json @out '.data == ["x y", {"n":1}]'
}

@test "include finds -L and the shared folder" {
    mkdir -p lib share/jq
    echo 'def one: 1;' >lib/m.jq
    echo 'def two: 2;' >share/jq/n.jq
    event 1 >in
    DPP_SHARE=$PWD/share dpp-transform -L lib \
        'include "m"; include "n"; .data = [one, two]' <in >out
    json @out '.data == [1, 2]'
    echo 'include "m" {search: "./lib"}; .data = one' >p.jq
    dpp-transform -f p.jq <in >out
    json @out '.data == 1'
    dpp-transform 'include "dpp"; .data = 3' <in >out
    json @out '.data == 3'
}

@test "a program sees nothing of its environment" {
    event 1 | SECRET=abc TZ=UTC dpp-transform '.data = [env, $ENV]' >out
    json @out '.data == [{"TZ":"UTC"}, {"TZ":"UTC"}]'
    mkdir home
    echo 'def f: 1;' >home/.jq
    HOME=$PWD/home run -64 dpp-transform .data=f </dev/null
}

@test "debug talks on standard error, one line, and not under -q" {
    event 1 '"data":"x\ny"' >in
    dpp-transform '.data |= debug' <in >out 2>err
    same_file in out
    has "$(cat err)" 'dpp-transform: debug: "x\ny"'
    dpp-transform -q '.data |= debug' <in 2>err
    is "$(cat err)" ""
}

@test "a program that does not end is stopped, and names the event: 70" {
    { event 1; event endless; } >in
    ulimit -t 2
    run -70 dpp-transform --timeout 100ms \
        'if .id == "1" then . else last(range(1e12)) end' <in
    has "$output" 'event "endless": the program ran longer than 100 ms'
}

@test "under dpp-run such an event goes to the dead letters, and no other" {
    export DPP_BROKER
    DPP_BROKER=$(store)
    for i in {1..50}; do event "$i"; done | dpp-produce -t in
    spawn run dpp-run dpp-consume -t in -g g -e ! \
        dpp-transform --timeout 100ms \
        'if .id == "17" then last(range(1e12)) else . end' ! dpp-produce -t out
    LIMIT=60 finish run
    is "$status" 0
    is "$(dpp-consume -e -t out | jq -r .id | tr '\n' ' ')" \
        "$({ seq 16; seq 18 50; } | tr '\n' ' ')"
    dpp-consume -e -t in.dead >dead
    json @dead '.id == "17" and (.deadreason | test("crash-suspect"))'
    has "$(cat run.err)" 'event "17": the program ran longer than 100 ms'
}

@test "time that the process waits or is stopped does not count" {
    mkfifo transform.in
    spawn transform dpp-transform --timeout 100ms \
        '.data = (last(range(200)) | . + 1)'
    exec 8>transform.in
    event 1 >&8
    wait_for_lines transform.out 1
    kill -STOP "$pid"
    event 2 >&8
    read -rt 0.3 <> <(:) || :
    kill -CONT "$pid"
    wait_for_lines transform.out 2
    exec 8>&-
    finish transform
    is "$status" 0
}

@test "many quick events in a row are no long one" {
    for i in {1..100}; do event "$i"; done >some
    for _ in {1..200}; do cat some; done >in
    dpp-transform --timeout 50ms '.data = (last(range(100)))' <in >out
    is "$(wc -l <out)" 20000
}

@test "a program that takes too much memory is stopped, and names the event: 70" {
    if grep -qa __asan_init "$BUILD/bin/dpp-transform"; then
        skip "a sanitizer's own memory has no limit"
    fi
    event big >in
    run -70 dpp-transform --memory 100M \
        '.data = [range(1e6) | tostring * 100]' <in
    has "$output" 'event "big": out of memory, 100 MiB'
}

@test "endless output of one event is dead, and the stream goes on" {
    { event 1; event 2; } >in
    dpp-transform 'if .id == "1" then .data = "x" * 1000000 | repeat(.)
        else . end' <in >out
    is "$(wc -l <out)" 2
    [ "$(wc -c <out)" -lt 1000 ]
    json "$(head -n 1 out)" '.why | test("64 MiB")'
}

@test "a closed or full standard output is an error" {
    event 1 >in
    run -74 bash -c 'dpp-transform . <in >/dev/full'
    # more than a pipe holds, however large dpp made it
    for _ in {1..15}; do cat in in >in2; mv in2 in; done
    run bash -c 'dpp-transform . <in | true; echo "${PIPESTATUS[0]}"'
    has "$output" "has gone"
    is "${lines[-1]}" 76
}

@test "select() on an attribute and libjq drop the same events" {
    {
        TYPE=a event 1
        TYPE='\u0061' event 2
        TYPE=b event 3
        printf '%s"id":"4"}\n' "$head"
    } >in
    dpp-transform 'select(.type == "a")' <in >fast
    dpp-transform '. | select(.type == "a")' <in >slow
    same_file fast slow
    is "$(wc -l <fast)" 2
    dpp-transform 'select(.type != "a" and .subject != "x") | .' <in >fast
    dpp-transform '. | select(.type != "a" and .subject != "x")' <in >slow
    same_file fast slow
    is "$(wc -l <fast)" 2
}

@test "it loads neither libcurl nor libevent nor librdkafka" {
    run -0 ldd "$BUILD/bin/dpp-transform"
    has "$output" libjq
    has_not "$output" libcurl
    has_not "$output" libevent
    has_not "$output" librdkafka
}
