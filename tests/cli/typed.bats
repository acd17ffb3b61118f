#!/usr/bin/env bats
# What people type first: it must work as it stands, and say what it did.
# shellcheck disable=SC2154 # the helper sets them
load helper

setup() {
    common_setup
    # typed without -b: the state folder, or what the environment names
    ! on_kafka || export DPP_BROKER
    ! on_kafka || DPP_BROKER=$(store)
    printf "It's a Secret to Everybody" >gh.key
    chmod 600 gh.key
}

teardown() {
    common_teardown
}

# sign FILE: as GitHub does.
sign() {
    openssl dgst -sha256 -hmac "$(cat gh.key)" <"$1" | sed 's/.* /sha256=/'
}

# post URL EVENT ID JSON: a webhook of GitHub.
post() {
    printf %s "$4" >body
    curl -sf -o answer -H 'Content-Type: application/json' \
        -H "X-GitHub-Event: $2" -H "X-GitHub-Delivery: $3" \
        -H "X-Hub-Signature-256: $(sign body)" --data-binary @body "$1"
}

# Three events in the topic "github", by the front door.
receive() {
    local port
    topics github
    port=$(free_port)
    spawn listen dpp-listen -l "127.0.0.1:$port" -C github -k file:gh.key \
        -t github
    wait_for_port "$port"
    post "http://127.0.0.1:$port/" push 1 '{"ref":"a"}'
    post "http://127.0.0.1:$port/" issues 2 '{"action":"opened"}'
    post "http://127.0.0.1:$port/" push 3 '{"ref":"b"}'
    stop listen
    is "$status" 0
}

@test "dpp-listen -l :PORT -a none | jq ." {
    local port
    port=$(free_port)
    spawn_sh row "dpp-listen -l :$port -a none | jq ."
    wait_for_port "$port"
    curl -sf -d '{"n":1}' -H 'Content-Type: application/json' \
        "http://127.0.0.1:$port/any/path"
    kill "$(pgrep -g "$(pid_of row)" -x dpp-listen)"
    finish row
    is "$status" 0
    json @row.out '.data == {"n":1} and .subject == "/any/path"'
}

# bats test_tags=kafka
@test "echo '{\"a\":1}' | dpp-produce -r -t test; dpp-consume -r -e -t test; dpp-topic" {
    topics test
    echo '{"a":1}' | dpp-produce -r -t test
    is "$(dpp-consume -r -e -t test)" '{"a":1}'
    run dpp-topic
    is "$status" 0
    has "${lines[0]}" TOPIC
    is "$(awk '{print $1, $2, $3}' <<<"${lines[1]}")" "test 1 1"
}

# bats test_tags=kafka
@test "dpp-consume -t github -e | jq -r .type | sort | uniq -c" {
    receive
    run sh -c 'dpp-consume -t github -e | jq -r .type | sort | uniq -c'
    is "$status" 0
    is "$(awk '{print $1, $2}' <<<"$output" | xargs)" \
        "1 issues 2 push"
}

# bats test_tags=kafka
@test "dpp-consume -t github -o TIME -e | dpp-deliver -n URL" {
    receive
    local yesterday tomorrow
    yesterday=$(date -u -d '-1 day' +%FT%RZ)
    tomorrow=$(date -u -d '+1 day' +%FT%RZ)
    run --separate-stderr sh -c "dpp-consume -t github -o $yesterday -e |
        dpp-deliver -n http://127.0.0.1:1/hook"
    is "$status" 0
    is "${#lines[@]}" 3
    json "$output" '.method == "POST" and .url == "http://127.0.0.1:1/hook"'
    is "$(dpp-consume -t github -o "$tomorrow" -e | wc -l)" 0
}

@test "dpp-listen --explain -C github -k file:gh.key < request.http" {
    printf '{"ref":"a"}' >body
    {
        printf '%s\r\n' "POST /hook HTTP/1.1" "Host: example.org" \
            "Content-Type: application/json" "Content-Length: 11" \
            "X-GitHub-Event: push" "X-GitHub-Delivery: 1" \
            "X-Hub-Signature-256: $(sign body)" ""
        cat body
    } >request.http
    run dpp-listen --explain -C github -k file:gh.key <request.http
    is "$status" 0
    has "$output" '"type":"push"'
    sed -i 's,"a","b",' request.http
    run dpp-listen --explain -C github -k file:gh.key <request.http
    is "$status" 77
    has "$output" "refused"
}

@test "a filter or sink at a terminal says how it is used" {
    local p
    for p in "dpp-transform ." "dpp-produce -t t" "dpp-deliver http://[::1]/"
    do
        run script -qec "$p" /dev/null
        is "$status" 64
        has "$output" "dpp-consume -t TOPIC | ${p%% *}"
        is "${#lines[@]}" 1
    done
}

# bats test_tags=kafka
@test "a source with a group that writes to a terminal says what is missing" {
    dpp-topic create t
    run script -qec "dpp-consume -t t -g g" /dev/null
    is "$status" 64
    has "$output" "put a pipe behind it"
}

@test "each program without arguments says what is missing, in one line" {
    local p
    for p in dpp-consume dpp-produce dpp-transform dpp-deliver dpp-run; do
        run "$p" </dev/null
        is "$status" 64
        is "${#lines[@]}" 1
        has "$output" "$p: error: "
        has "$output" "-h)"
    done
}
