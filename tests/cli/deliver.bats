#!/usr/bin/env bats
# dpp-deliver: requests, answers, secrets, arguments.
# shellcheck disable=SC2154,SC2016 # the helpers set them; jq's $
load helper
load deliver

setup() {
    deliver_setup
}

teardown() {
    common_teardown
}

@test "the body is the value byte for byte, and the headers say what it is" {
    endpoint
    data='{"n":1e2,"m":0.10,"x":"\u0000"}'
    event 'a b/é' "$(printf '%s,' '"time":"2026-01-02T03:04:05Z"' \
        '"datacontenttype":"application/x+json"')"'"data":'"$data" |
        sed 's|"/s"|"/s%"|' >in
    plain "$url" <in
    is "$status" 0
    has "$(cat bytes)" 'POST /hook HTTP/1.1'
    has "$(cat bytes)" 'Content-Type: application/x+json'
    has "$(cat bytes)" 'ce-id: a%20b/%C3%A9'
    has "$(cat bytes)" 'ce-source: /s%25'
    has "$(cat bytes)" 'ce-time: 2026-01-02T03:04:05Z'
    has "$(cat bytes)" 'ce-type: t'
    has_not "$(cat bytes)" 'Expect'
    is "$(tail -n 1 bytes)" "$data"
    is "$(grep -ci '^idempotency-key: [0-9a-f]\{32\}' bytes)" 1
}

@test "base 64, an empty value and a tombstone arrive as they are" {
    endpoint
    {
        event 1 '"partitionkey":"","data_base64":"AP8K"'
        event 2 '"partitionkey":"","data_base64":""'
        event 3 '"partitionkey":""'
    } >in
    deliver "$url" <in
    is "$status" 0
    is "$(grep -ac 'Content-Length: 0' bytes)" 2
    is "$(grep -ac 'Content-Type: application/json' bytes)" 2
    LC_ALL=C grep -qaP '^\x00\xff$' bytes
}

@test "the Idempotency-Key stays the same for an event and differs between events" {
    endpoint
    events 1 2 1 >in
    deliver "$url" <in
    deliver "$url" <in
    is "$(grep -a Idempotency bytes | sort | uniq -c |
        awk '{print $1}' | xargs)" "2 2"
}

# bats test_tags=kafka
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
        wait_for has_accepted 10
        [ "$n" -le $((16 + 1)) ]
        exec 8>&-
        finish t
        is "$status" 0
        : >record
    done
    is "$(dead)" ""
    has_not "$(cat bytes)" /elsewhere
}

# bats test_tags=kafka
@test "410 ends it with 77, and the event is not lost" {
    topics in
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

@test "Retry-After holds the whole endpoint, in seconds and as a date; garbage is ignored" {
    endpoint
    for after in 1 date; do
        # a date has whole seconds: two ahead are more than one
        [ "$after" = 1 ] ||
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

# bats test_tags=kafka
@test "places are filled, encoded in a URL, and refused where they would inject" {
    endpoint
    {
        event 1 '"data":{"id":"a/b ?&é","n":12345678901234567890}'
        event 2 '"data":{"id":"x\r\nEvil: 1","n":1}'
        event 3 '"data":{"id":"..","n":1}'
        event 4 '"data":{"id":null,"n":1}'
        event 5 '"data":{"id":"","n":1}'
        event 6 '"data_base64":"eyAiaWQiOiAiaW4gNjQiLCAibiI6IHRydWUgfQo="'
        event 7 '"data":{"id":"{}","n":[]}'
    } >in
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

# bats test_tags=kafka
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

# bats test_tags=kafka
@test "a dead letter goes to the topic that its event came from, with .dead" {
    topics in
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
        "--retry x http://h/" "--retry 0s http://h/" "--rate 0 http://h/" \
        "--rate 5/x http://h/" "--rate x http://h/" \
        "--rate 99999999999999999999 http://h/" "--method GET http://h/" \
        "-k fd:9 -H Authorization:x http://h/"; do
        # shellcheck disable=SC2086 # words
        run dpp-deliver -s "$T/retry" $a </dev/null
        is "$status" 64
        has_not "$output" s3cret
        has_not "$output" u:p
    done
    [ ! -e "$T/retry" ]
}
