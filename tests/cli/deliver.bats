#!/usr/bin/env bats
# dpp-deliver against an endpoint that does what a file tells it.
load helper
# shellcheck disable=SC2154 # the helper sets them

setup() {
    common_setup
    export DPP_BROKER=log:$T/store
}

teardown() {
    common_teardown
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

# events FROM TO [KEYS]: event lines; the key of event N is k(N mod KEYS).
events() {
    awk -v from="$1" -v to="$2" -v keys="${3:-0}" 'BEGIN {
        for (i = from; i <= to; i++) {
            key = keys ? sprintf(",\"partitionkey\":\"k%d\"", i % keys) : ""
            printf "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/t\"," \
                "\"type\":\"t\"%s,\"data\":{\"n\":%d,\"f\":0.10}}\n", i, key, i
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

# accepted: ids in the order in which they were accepted
accepted() {
    awk '$2 == 200 { print $4 }' "$T/record"
}

# in_order: the ids of each key rise, in the order of their acceptance
in_order() {
    awk '$2 == 200 { n = substr($4, 2) + 0
        if (n <= last[$3]) { print $3 ": " n " behind " last[$3]; bad = 1 }
        last[$3] = n } END { exit bad }' "$T/record"
}

dead() {
    dpp-consume -t "${1:-deliver.dead}" -e 2>"$T/consume.err"
}

@test "the body is the value byte for byte, and the headers say what it is" {
    endpoint
    cat >in <<'END'
{"specversion":"1.0","id":"a b/é","source":"/s%","type":"t","time":"2026-01-02T03:04:05Z","datacontenttype":"application/x+json","data":{"n":1e2,"m":0.10,"x":"\u0000"}}
END
    plain "$url" <in
    is "$status" 0
    has "$(cat bytes)" 'POST /hook HTTP/1.1'
    has "$(cat bytes)" 'Content-Type: application/x+json'
    has "$(cat bytes)" 'ce-id: a%20b/%C3%A9'
    has "$(cat bytes)" 'ce-source: /s%25'
    has "$(cat bytes)" 'ce-time: 2026-01-02T03:04:05Z'
    has "$(cat bytes)" 'ce-type: t'
    has_not "$(cat bytes)" 'Expect'
    is "$(tail -n 1 bytes)" '{"n":1e2,"m":0.10,"x":"\u0000"}'
    is "$(grep -ci '^idempotency-key: [0-9a-f]\{32\}' bytes)" 1
}

@test "base 64, an empty value and a tombstone arrive as they are" {
    endpoint
    cat >in <<'END'
{"specversion":"1.0","id":"1","source":"/s","type":"t","partitionkey":"","data_base64":"AP8K"}
{"specversion":"1.0","id":"2","source":"/s","type":"t","partitionkey":"","data_base64":""}
{"specversion":"1.0","id":"3","source":"/s","type":"t","partitionkey":""}
END
    deliver "$url" <in
    is "$status" 0
    is "$(grep -ac 'Content-Length: 0' bytes)" 2
    is "$(grep -ac 'Content-Type: application/json' bytes)" 2
    is "$(python3 -c 'print(b"\r\n\r\n\x00\xff\n" in open("bytes","rb").read())')" True
}

@test "the Idempotency-Key stays the same for an event and differs between events" {
    endpoint
    events 1 2 1 >in
    deliver "$url" <in
    deliver "$url" <in
    is "$(grep -a Idempotency bytes | sort | uniq -c | awk '{print $1}' | xargs)" "2 2"
}

@test "permanent refusals become dead letters with their reason, and the stream goes on" {
    endpoint
    for s in 400 402 404 405 411 413 414 415 418 422 431 451; do
        echo "$s" >control
        events "$s" "$s" 1 | dpp-deliver -q -s "$T/retry" "$url"
    done
    rm control
    events 1 1 1 | dpp-deliver -s "$T/retry" "$url"
    is "$(accepted | xargs)" e1
    dead >letters
    is "$(wc -l <letters)" 12
    json @letters '(.id | ltrimstr("e")) as $s | .deadreason | startswith($s)'
    json @letters '.deadstage == "dpp-deliver" and .data.n >= 400'
    grep -q '"f":0.10' letters
}

@test "408 409 425 429 5xx, a reset and silence are tried again until it is accepted" {
    endpoint
    for s in 408 409 425 429 500 502 503 504 599 0 1; do
        echo "$s" >control
        before=$(wc -l <record)
        events "$s" "$s" 1 >t.in
        spawn t dpp-deliver -q --timeout 1s -s "$T/retry" "$url"
        wait_for_lines record $((before + 1))
        rm control
        finish t
        is "$status" 0
        is "$(accepted | tail -n 1)" "e$s"
    done
    is "$(dead)" ""
}

@test "a redirect, 401, 403 or 407 pauses the endpoint, SIGHUP tries it, nothing dies" {
    endpoint
    for s in 302 401 403 407; do
        echo "$s Location: http://127.0.0.1:$port/elsewhere" >control
        rm -f t.in t.err
        mkfifo t.in
        exec 8<>t.in
        spawn t dpp-deliver -s "$T/retry" "$url" 8>&-
        events "$s" "$((s + 9))" 5 >&8
        wait_for_text t.err "paused ($s"
        n=$(wc -l <record)
        rm control
        kill -HUP "$(pid_of t)"
        wait_for eval "[ \$(accepted | wc -l) -ge 10 ]"
        [ "$n" -le $((16 + 1)) ]
        exec 8>&-
        finish t
        is "$status" 0
        : >record
    done
    is "$(dead)" ""
    has_not "$(cat bytes)" /elsewhere
}

@test "410 ends it with 77, and the event is not lost" {
    endpoint
    events 1 10 3 | dpp-produce -t in
    echo 410 >control
    run --separate-stderr bash -c "dpp-consume -t in -g g -e |
        dpp-deliver -s $T/retry $url; echo \"\${PIPESTATUS[*]}\""
    is "$output" "76 77"
    has "$stderr" "410 Gone"
    rm control
    dpp-consume -t in -g g -e | dpp-deliver -s "$T/retry" "$url"
    is "$(accepted | sort -u | wc -l)" 10
}

@test "keys keep their order with 16 requests in flight, over exactly 16 connections" {
    endpoint -d 1
    events 1 4000 40 >in
    deliver -j 16 "$url" <in
    is "$status" 0
    is "$(accepted | wc -l)" 4000
    in_order
    stop endpoint
    is "$(tail -n 1 endpoint.out)" "4000 requests, 16 connections"
}

@test "a failing key is parked, its later events never overtake, and the next start delivers them" {
    endpoint -f k3=500
    events 1 2000 20 >in
    deliver "$url" <in
    is "$status" 0
    has "$stderr" "100 events of 1 keys stay deferred in $T/retry"
    is "$(accepted | wc -l)" 1900
    in_order
    [ "$(grep -c ' 500 k3 ' record)" -lt 10 ]
    stop endpoint
    endpoint
    deliver "$url" </dev/null
    is "$status" 0
    is "$(accepted | wc -l)" 2000
    in_order
    deliver "$url" </dev/null
    is "$stderr" ""
    is "$(accepted | wc -l)" 2000
}

@test "events of a parked key that come while it is delivered stay behind" {
    endpoint -f k1=503
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' \
        --retry '50ms*' "$url" 8>&-
    events 1 400 2 >&8
    wait_for_text t.err parked
    echo 200 >control
    events 401 800 2 >&8
    exec 8>&-
    finish t
    is "$status" 0
    is "$(accepted | wc -l)" 800
    in_order
}

@test "one key of 1,000 that always fails costs the others less than a tenth" {
    rate() {
        endpoint -d 4 "$@"
        : >record
        events 1 8000 1000 | dpp-deliver -q -s "$T/retry.$#" \
            -H 'X-Key: {partitionkey}' "$url"
        stop endpoint
        awk '$2 == 200 { if (!n++) first = $1; last = $1 }
            END { print int(n * 1000 / (last - first + 1)) }' record
    }
    for _ in 1 2 3; do
        with=$(rate -f k7=500)
        without=$(rate)
        [ $((with * 10)) -lt $((without * 9)) ] || return 0
    done
    echo "with: $with/s, without: $without/s"
    return 1
}

@test "a parked event that goes on failing is given up by the schedule and by age" {
    endpoint -f k0=500
    events 1 200 4 >in
    deliver --retry 20ms,20ms "$url" <in
    is "$status" 0
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -q -s "$T/retry" -H 'X-Key: {partitionkey}' \
        --retry 10ms,10ms "$url" 8>&-
    events 201 400 4 >&8
    wait_for eval '[ "$(dead | wc -l)" -ge 50 ]'
    exec 8>&-
    finish t
    is "$status" 0
    dead >letters
    json @letters '.partitionkey == "k0"'
    json @letters '.deadreason | startswith("gave up after 3 tries: 500")'
}

@test "Retry-After holds the whole endpoint, in seconds and as a date; garbage is ignored" {
    endpoint
    for after in 1 date; do
        # a date has whole seconds: two ahead are more than one
        [ $after = 1 ] ||
            after=$(date -u -d '+2 seconds' '+%a, %d %b %Y %H:%M:%S GMT')
        : >record
        echo "503 Retry-After: $after" >control
        events 1 40 8 >t.in
        spawn t dpp-deliver -j 1 -s "$T/retry" "$url"
        wait_for_lines record 1
        rm control
        finish t
        is "$status" 0
        is "$(accepted | wc -l)" 40
        awk 'NR == 2 { exit !($1 - first >= 950) } { first = $1 }' record
    done
    : >record
    echo "503 Retry-After: soon" >control
    events 1 1 1 >t.in
    spawn t dpp-deliver -s "$T/retry" "$url"
    wait_for_lines record 1
    rm control
    finish t
    is "$(accepted | xargs)" e1
}

@test "while nobody listens events wait, and are delivered in order when somebody does" {
    port=$(free_port)
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' \
        "http://127.0.0.1:$port/hook" 8>&-
    events 1 500 10 >&8
    wait_for_text t.err "down ("
    endpoint -l "127.0.0.1:$port" 8>&-
    LIMIT=40 wait_for eval '[ $(accepted | wc -l) -ge 500 ]'
    exec 8>&-
    finish t
    is "$status" 0
    in_order
    is "$(accepted | wc -l)" 500
    has_not "$(cat t.err)" parked
    has "$(cat t.err)" "up again"
}

@test "at the end of the input a dead endpoint is waited for 5 s, then all is deferred" {
    events 1 300 10 >in
    port=$(free_port)
    deliver "http://127.0.0.1:$port/hook" <in
    is "$status" 0
    has "$stderr" "300 events of 10 keys stay deferred"
    endpoint -l "127.0.0.1:$port"
    deliver "$url" </dev/null
    is "$(accepted | wc -l)" 300
    in_order
}

@test "SIGTERM defers what an endpoint does not take within 5 s; the segment ends with 0" {
    endpoint
    echo 1 >control
    events 1 3000 10 | dpp-produce -t in
    mkfifo d.in
    spawn d dpp-deliver -s "$T/retry" -H 'X-Key: {partitionkey}' "$url"
    spawn c sh -c "exec dpp-consume -t in -g g >d.in"
    wait_for_lines record 10
    kill -TERM "$(pid_of c)" "$(pid_of d)"
    finish c
    is "$status" 0
    finish d
    is "$status" 0
    has "$(cat d.err)" "3000 events of 10 keys stay deferred"
    rm control
    : >record
    dpp-consume -t in -g g -e | dpp-deliver -s "$T/retry" \
        -H 'X-Key: {partitionkey}' "$url"
    is "$(accepted | sort -u | wc -l)" 3000
    in_order
}

@test "a retry store has one owner: a second process ends with 75 and names the first" {
    endpoint
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s "$T/retry" "$url" 8>&-
    first=$pid
    events 1 1 >&8
    wait_for_lines record 1
    events 2 2 >in
    run --separate-stderr dpp-deliver -s "$T/retry" "$url" <in
    is "$status" 75
    has "$stderr" "process $first"
    exec 8>&-
    finish t
}

@test "by default each URL has a retry store of its own below the state folder" {
    events 1 3 1 >in
    run dpp-deliver "http://127.0.0.1:$(free_port)/a?token=1" <in
    is "$status" 0
    [ -e "$XDG_STATE_HOME"/dpp/deliver/*/lock ]
    run grep -r token= "$XDG_STATE_HOME"/dpp/deliver
    is "$status" 1
}

@test "a secret comes from a private file, is read again at SIGHUP, and is in no log" {
    endpoint
    (umask 077 && echo first-s3cret >key)
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -v -k "file:$T/key" -s "$T/retry" "$url" 8>&-
    events 1 1 1 >&8
    wait_for_lines record 1
    (umask 077 && echo second-s3cret >key)
    kill -HUP "$(pid_of t)"
    events 2 2 1 >&8
    wait_for_lines record 2
    exec 8>&-
    finish t
    has "$(cat bytes)" "Authorization: Bearer first-s3cret"
    has "$(cat bytes)" "Authorization: Bearer second-s3cret"
    has_not "$(cat t.err)" s3cret
    chmod 644 key
    events 3 3 >in
    plain -k "file:$T/key" "$url" <in
    is "$status" 77
    has "$stderr" "chmod 600"
    plain -n -k "file:$T/key" -H 'X-Api-Key: {secret}' "$url" <in
    is "$status" 0
    has "$output" "X-Api-Key: (secret)"
    has_not "$output" Authorization
}

@test "places are filled, encoded in a URL, and refused where they would inject" {
    endpoint
    cat >in <<'END'
{"specversion":"1.0","id":"1","source":"/s","type":"t","partitionkey":"","data":{"id":"a/b ?&é","n":12345678901234567890}}
{"specversion":"1.0","id":"2","source":"/s","type":"t","partitionkey":"","data":{"id":"x\r\nEvil: 1","n":1}}
{"specversion":"1.0","id":"3","source":"/s","type":"t","partitionkey":"","data":{"id":"..","n":1}}
{"specversion":"1.0","id":"4","source":"/s","type":"t","partitionkey":"","data":{"id":null,"n":1}}
{"specversion":"1.0","id":"5","source":"/s","type":"t","partitionkey":"","data":{"id":"","n":1}}
{"specversion":"1.0","id":"6","source":"/s","type":"t","partitionkey":"","data_base64":"eyAiaWQiOiAiaW4gNjQiLCAibiI6IHRydWUgfQo="}
{"specversion":"1.0","id":"7","source":"/s","type":"t\u0000\n","partitionkey":"","data":{"id":"{}","n":[]}}
END
    plain -H 'X-N: <{data.n}>' "${url%hook}u/{data.id}?q={data.id}" <in
    is "$status" 0
    has "$(cat bytes)" "POST /u/a%2Fb%20%3F%26%C3%A9?q=a%2Fb%20%3F%26%C3%A9 "
    has "$(cat bytes)" "X-N: <12345678901234567890>"
    has "$(cat bytes)" "POST /u/in%2064?q=in%2064 "
    has "$(cat bytes)" "X-N: <true>"
    has_not "$(cat bytes)" "Evil"
    is "$(accepted | xargs)" "1 6"
    is "$(dead | jq -r .id | xargs)" "2 3 4 5 7"
}

@test "-n shows the requests, sends nothing and opens nothing" {
    endpoint
    events 1 3 1 >in
    echo 'no event' >>in
    deliver -n -H 'X-N: {data.n}' --method PUT "$url?id={id}" <in
    is "$status" 0
    is "$(wc -l <<<"$output")" 4
    json "$(head -n 3 <<<"$output")" \
        '.method == "PUT" and (.body | fromjson | .f == 0.1)' --arg u "$url"
    has "$output" "\"url\":\"$url?id=e2\""
    has "$output" '"X-N: 3"'
    json "$(tail -n 1 <<<"$output")" '.dead != null'
    [ ! -e record ] || is "$(wc -l <record)" 0
    [ ! -e "$T/retry" ]
    events 1 3 | dpp-produce -t in
    run --separate-stderr bash -c "dpp-consume -t in -g g -e |
        dpp-deliver -n $url; echo \"\${PIPESTATUS[1]}\""
    is "$output" 64
    has "$stderr" "without -g"
}

@test "an endless answer, and the head of one that never comes, do no harm" {
    endpoint
    events 1 5 5 >in
    echo 2 >control
    deliver "$url" <in
    is "$status" 0
    is "$(dead)" ""
    n=$(wc -l <record)
    is "$n" 5
    echo 3 >control
    events 6 6 1 >t.in
    spawn t dpp-deliver --timeout 300ms -s "$T/retry" "$url"
    wait_for_lines record 7
    rm control
    finish t
    is "$status" 0
    is "$(accepted | tail -n 1)" e6
}

@test "the proxies of the environment are not used" {
    endpoint
    events 1 1 1 >in
    http_proxy=http://127.0.0.1:1/ HTTP_PROXY=http://127.0.0.1:1/ \
        ALL_PROXY=http://127.0.0.1:1/ deliver "$url" <in
    is "$status" 0
    is "$(accepted | xargs)" e1
}

@test "dead lines and lines that are no event go to the dead letters" {
    endpoint
    {
        events 1 1 1
        echo 'not an event'
        events 2 2 1
    } >in
    deliver -d letters "$url" <in
    is "$status" 0
    is "$(accepted | xargs)" "e1 e2"
    is "$(dead letters | jq -r .type)" dpp.invalid
    deliver -d none "$url" <in
    is "$status" 65
}

@test "a dead letter goes to the topic that its event came from, with .dead" {
    endpoint
    echo 400 >control
    events 1 3 1 | dpp-produce -t in
    dpp-consume -t in -g g -e | dpp-deliver -s "$T/retry" "$url"
    dead in.dead >letters
    is "$(wc -l <letters)" 3
    json @letters '.deadorigin | startswith("in/0/")'
    rm control
    dpp-consume -t in.dead -e | dpp-deliver -s "$T/retry" "$url"
    is "$(accepted | xargs)" "e1 e2 e3"
}

@test "wrong arguments are 64, before anything is opened" {
    for a in "" "a b" "ftp://h/" "h/x" "http://u:p@h/" "http:///x" \
        "http://{id}.example/" "http://h/{id" "http://h/}" "http://h/{secret}" \
        "-H X http://h/" "-H X:{ http://h/" "-H Content-Length:1 http://h/" \
        "-H X:{secret} http://h/" "-k s3cret http://h/" "-j 0 http://h/" \
        "--retry x http://h/" "--retry 0s http://h/" "--method GET http://h/" \
        "-k fd:9 -H Authorization:x http://h/"; do
        # shellcheck disable=SC2086 # words
        run dpp-deliver -s "$T/retry" $a </dev/null
        is "$status" 64
        has_not "$output" s3cret
        has_not "$output" u:p
    done
    [ ! -e "$T/retry" ]
}
