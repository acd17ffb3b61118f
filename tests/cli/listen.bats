#!/usr/bin/env bats
# dpp-listen: who is let in, what becomes of it, and when it is answered.
# shellcheck disable=SC2154 # the helpers set them
load helper
load listen

setup() {
    common_setup
    printf "It's a Secret to Everybody" >gh.key
    chmod 600 gh.key
}

teardown() {
    common_teardown
    ! mountpoint -q "$T/small" || umount -l "$T/small"
}

signature() {
    printf %s "$1" | openssl dgst -sha256 -hmac "$2" -r | cut -c-64
}

# raw TEXT: as it is, with escapes; one argument for each line of it.
raw() {
    printf '%b' "$@" | send
}

# head_of LINE…: a header of these lines behind a Host, and its end.
head_of() {
    local first=$1
    shift
    printf '%s\r\nHost: h\r\n' "$first HTTP/1.1"
    [ $# = 0 ] || printf '%s\r\n' "$@"
    printf '\r\n'
}

send() {
    python3 "$ROOT/tests/cli/http.py" raw "$port"
}

# code [CURL ARGUMENT…]: the status alone.
code() {
    curl -s -o answer -D header -w '%{http_code}' "$@"
}

resident() {
    awk -v f="$1" '$1 == f ":" {print $2}' "/proc/$(pid_of listen)/status"
}

# --- with a topic -----------------------------------------------------------

# bats test_tags=kafka
@test "a request becomes an event in the topic and is answered 200 and empty" {
    to_topic
    is "$(post '{"n": 0.10}')" 200
    is "$(wc -c <answer)" 0
    json "$(events)" '.type == "dpp.http" and .source == "/dpp/http" and
        .subject == "/hook" and .datacontenttype == "application/json" and
        (.id | test("^[0-9a-f]{8}-[0-9a-f]{4}-7")) and
        (.dpphdr | startswith("Host: 127.0.0.1:"))'
    has "$(events)" '"data":{"n": 0.10}'
}

# bats test_tags=kafka
@test "a body that is no line of JSON keeps its bytes in base 64" {
    to_topic
    printf '{\n  "a": 1\n}\n' >pretty
    printf '\000\377' >bytes
    for f in pretty bytes; do
        is "$(code -H 'Content-Type: application/json' \
            --data-binary @$f "$url")" 200
    done
    is "$(post '')" 200
    is "$(events | jq -r .data_base64 | head -n 1)" "$(base64 -w0 pretty)"
    is "$(events | jq -r .data_base64 | sed -n 2p)" "$(base64 -w0 bytes)"
    json "$(events | tail -n 1)" '.data_base64 == "" and (has("data") | not)'
}

# bats test_tags=kafka
@test "an event that was answered is there after kill -9" {
    to_topic
    for i in 1 2 3; do
        is "$(post "{\"n\":$i}")" 200
    done
    stop listen KILL
    is "$(events | jq -c .data.n | tr '\n' ' ')" "1 2 3 "
}

# bats test_tags=kafka
@test "under load SIGTERM loses nothing that was answered and exits 0" {
    to_topic
    spawn load "$BUILD/bench/httpload" -c 16 -n 100000 "127.0.0.1:$port"
    many() { [ "$(events | wc -l)" -gt 500 ]; }
    wait_for many
    stop listen
    is "$status" 0
    finish load
    done=$(sed -n 's/.* \([0-9]*\) done$/\1/p' load.out)
    [ "$done" -gt 500 ]
    # Every answer was 200, and had its event.
    has "$(cat load.out)" " 0 not 2xx"
    [ "$(events | wc -l)" -ge "$done" ]
}

@test "a full disk is answered 503 with Retry-After, and recovers by itself" {
    mkdir small
    mount -t tmpfs -o size=3m none small 2>/dev/null ||
        skip "needs the right to mount"
    spawn listen dpp-listen -l 127.0.0.1:0 -b "log:$T/small/store" -t in
    await_listen listen
    head -c 200000 /dev/zero | base64 -w0 >big
    is "$(code --data-binary @big "$url")" 200
    head -c 3m /dev/zero >small/fill || :
    n=0
    until [ "$(code --data-binary @big "$url")" = 503 ]; do
        [ $((n += 1)) -lt 30 ]
    done
    has "$(cat header)" "Retry-After: "
    is "$(grep -c "disk is full" listen.err)" 1
    rm small/fill
    is "$(post '{"after":1}')" 200
    has "$(dpp-consume -b "log:$T/small/store" -t in -e | tail -n 1)" '"after"'
    stop listen
    is "$status" 0
}

# --- signatures -------------------------------------------------------------

# bats test_tags=kafka
@test "GitHub: a signed request passes, with its id, type and key" {
    to_topic -C github -k file:gh.key
    body='{"repository":{"full_name":"octocat/hello"}}'
    is "$(post "$body" -H "X-Hub-Signature-256: sha256=$(signature "$body" \
        "It's a Secret to Everybody")" -H 'X-GitHub-Event: push' \
        -H 'X-GitHub-Delivery: d-1' -H 'Authorization: Bearer canary')" 200
    json "$(events)" '.id == "d-1" and .type == "push" and
        .source == "/github" and .partitionkey == "octocat/hello"'
    has_not "$(events)" canary
    has_not "$(events)" Signature
}

@test "a wrong, a missing and a second signature are 401 and leave no event" {
    to_topic -C github -k file:gh.key
    is "$(post '{}' -H 'X-Hub-Signature-256: sha256=00')" 401
    is "$(post '{}')" 401
    good=$(signature '{}' "It's a Secret to Everybody")
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$good" \
        -H "X-Hub-Signature-256: sha256=$good")" 401
    is "$(cat answer)" Unauthorized
    is "$(events)" ""
    has "$(cat listen.err)" "no key made this signature"
    has_not "$(cat listen.err)" "Secret to"
}

@test "while a secret is rotated both are accepted; SIGHUP reads them again" {
    printf new >new.key
    chmod 600 new.key
    to_topic -C github -k file:gh.key -k file:new.key
    old=$(signature '{}' "It's a Secret to Everybody")
    new=$(signature '{}' new)
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$old")" 200
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$new")" 200
    printf newer >gh.key
    kill -HUP "$(pid_of listen)"
    wait_for_text listen.err "keys are read again"
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$old")" 401
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$new")" 200
    rm gh.key
    kill -HUP "$(pid_of listen)"
    wait_for_text listen.err "old keys stay"
    is "$(post '{}' -H "X-Hub-Signature-256: sha256=$new")" 200
}

@test "a connector that signs is closed without a key, unless told otherwise" {
    run dpp-listen -l 127.0.0.1:0 -b "$(store)" -t in -C github
    is "$status" 78
    has "$output" "signs its requests"
    to_topic -C github --unsigned
    is "$(post '{}' -H 'X-GitHub-Event: ping')" 200
    json "$(events)" '.type == "ping"'
}

@test "what is wrong with arguments, keys and connectors is said in one line" {
    chmod 644 gh.key
    expect_failure() {
        local want=$1 text=$2
        shift 2
        run dpp-listen -l 127.0.0.1:0 "$@"
        is "$status" "$want"
        has "$output" "$text"
        is "${#lines[@]}" 1
    }
    expect_failure 77 gh.key -b "$(store)" -t in -C github -k file:gh.key
    expect_failure 78 'no connector is called "githb"' -t in -C githb
    expect_failure 78 "no connector that says" -t in -k file:gh.key
    expect_failure 64 "-a" -a sometimes
    expect_failure 64 "-t" -t in -a receipt
    expect_failure 64 "-c" -c routes.yaml -C github
    expect_failure 64 'what is "extra"' extra
    expect_failure 64 "not an address" -l 80 -a none
    expect_failure 71 "another process listens there" -a none -l \
        "127.0.0.1:$(python3 -c '
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
if os.fork() == 0:
    os.setpgid(0, 0)
    with open("'"$T"'/run/holder.pid", "w") as f:
        f.write(str(os.getpid()))
    os.close(1)  # now the shell goes on
    import time
    time.sleep(60)
')"
}

# --- routes -----------------------------------------------------------------

@test "routes: each path has its own key, topic and source; others are 404" {
    cat >routes.yaml <<END
routes:
  - path: /hook
    connector: github
    key: file:gh.key
    topic: github
    source: /github/octocat
  - path: /plain
END
    listen listen -b "$(store)" -t rest -c routes.yaml
    body='{}'
    is "$(post "$body" -H "X-Hub-Signature-256: sha256=$(signature "$body" \
        "It's a Secret to Everybody")")" 200
    is "$(code -d 1 "$url/plain")" 200
    is "$(code -d 1 "$url/plain/")" 404
    is "$(code -d 1 "$url/hook")" 401
    json "$(events github)" '.source == "/github/octocat"'
    json "$(events rest)" '.subject == "/plain"'
}

@test "routes: mistakes are named by file, line and column" {
    printf 'routes:\n  - path: /a\n    conector: github\n' >routes.yaml
    run dpp-listen -l 127.0.0.1:0 -t in -c routes.yaml
    is "$status" 78
    has "$output" 'routes.yaml:3:5: unknown key "conector"'
    has "$output" '(did you mean "connector"?)'
    printf 'routes:\n  - path: /a\n  - path: /a\n' >routes.yaml
    run dpp-listen -l 127.0.0.1:0 -t in -c routes.yaml
    has "$output" 'routes.yaml:3:11: path "/a" a second time'
    printf 'routes:\n  - path: /a\n    key: secret\n' >routes.yaml
    run dpp-listen -l 127.0.0.1:0 -t in -c routes.yaml
    has "$output" 'routes.yaml:3:10: '
}

# --- in a pipe --------------------------------------------------------------

# bats test_tags=kafka
@test "in a pipe the answer waits for the receipt" {
    topics in
    spawn_sh row "dpp-listen -l 127.0.0.1:0 2>listen.err |
        dpp-produce -b $(store) -t in"
    await_listen listen
    is "$(post '{"n":1}')" 200
    json "$(events)" '.data.n == 1'
    kill -STOP "$(pgrep -g "$(pid_of row)" dpp-produce)"
    spawn later curl -s -o /dev/null -w '%{http_code}' -d 1 "$url"
    # Nothing comes in half a second; then it does.
    run timeout 0.5 tail -f --pid="$(pid_of later)" /dev/null
    is "$status" 124
    kill -CONT "$(pgrep -g "$(pid_of row)" dpp-produce)"
    finish later
    is "$(cat later.out)" 200
    pkill -TERM -g "$(pid_of row)" dpp-listen
    finish row
    is "$status" 0
}

# The listener of a row has taken N requests.
taken() {
    pkill -USR1 -g "$(pid_of row)" -x dpp-listen
    grep -q "in $1 " listen.err
}

# bats test_tags=kafka
@test "when the sink dies, what is in flight gets 503, and we end with 76" {
    topics in
    spawn_sh row "(dpp-listen -l 127.0.0.1:0 2>listen.err; echo \$? >status) |
        dpp-produce -b $(store) -t in"
    await_listen listen
    sink=$(pgrep -g "$(pid_of row)" dpp-produce)
    kill -STOP "$sink"
    spawn later curl -s -D header -o answer -w '%{http_code}' -d 1 "$url"
    wait_for taken 1
    kill -KILL "$sink"
    finish later
    is "$(cat later.out)" 503
    has "$(cat header)" "Retry-After: "
    finish row
    is "$(cat status)" 76
}

@test "-a none writes plain events and promises nothing" {
    spawn_sh row "dpp-listen -l 127.0.0.1:0 -a none 2>listen.err | cat >events"
    await_listen listen
    is "$(post '{"n":1}')" 200
    wait_for_lines events 1
    json @events '.data.n == 1'
    pkill -TERM -g "$(pid_of row)" dpp-listen
    finish row
    is "$(wc -l <events)" 1
}

# --- explain ----------------------------------------------------------------

@test "--explain says why a request is refused, and what a good one becomes" {
    body='{"a":1}'
    good=$(signature "$body" "It's a Secret to Everybody")
    {
        head_of 'POST /x' "X-Hub-Signature-256: sha256=$good" \
            'Content-Length: 7'
        printf %s "$body"
    } >request
    run dpp-listen --explain -C github -k file:gh.key <request
    is "$status" 0
    has "$output" "X-Hub-Signature-256 is right"
    has "$output" '"data":{"a":1}'
    sed -i 's/{"a":1}/{"a":2}/' request
    run dpp-listen --explain -C github -k file:gh.key <request
    is "$status" 77
    has "$output" "no key made this signature"
    has "$output" "401"
    run dpp-listen --explain <<<"POST / HTTP/1.1"
    is "$status" 77
    has "$output" "CR LF"
}

# --- HTTP -------------------------------------------------------------------

@test "a second request that hides in a body is never seen" {
    to_topic
    run send < <(
        head_of 'POST /' 'Content-Length: 4' 'Transfer-Encoding: chunked'
        printf '0\r\n\r\n'
        head_of 'POST /hidden' 'Content-Length: 0'
    )
    is "${lines[0]}" "HTTP/1.1 400 Bad Request"
    is "$(grep -c '^HTTP' <<<"$output")" 1
    has "$output" "Connection: close"
    is "$(events)" ""
}

@test "answers of errors are alike, short, and tell nothing about us" {
    to_topic
    run raw 'G\001T / HTTP/1.1\r\nHost: h\r\nX-Echo: canary\r\n\r\n'
    [ "${#output}" -le 200 ]
    has_not "$output" canary
    has_not "$output" Server
    has_not "$output" dpp
    run raw 'GET /canary HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    has "$output" "405 Method Not Allowed"
    has "$output" "Allow: POST, PUT"
    has_not "$output" canary
}

@test "pipelined requests are answered one by one, in order" {
    to_topic
    run send < <(
        head_of 'POST /1' 'Content-Length: 1'
        printf 1
        head_of 'DELETE /2'
        head_of 'PUT /3' 'Content-Length: 1' 'Connection: close'
        printf 3
    )
    is "$(grep ^HTTP <<<"$output" | cut -c10-12 | tr '\n' ' ')" \
        "200 405 200 "
    is "$(events | jq -r .subject | tr '\n' ' ')" "/1 /3 "
}

@test "a request in single bytes is the same request" {
    to_topic
    {
        head_of 'POST /1' 'Transfer-Encoding: chunked'
        printf '3\r\n[1]\r\n0\r\n\r\n'
    } | python3 "$ROOT/tests/cli/http.py" pieces "$port" >answer
    has "$(cat answer)" "200 OK"
    json "$(events)" '.data == [1]'
}

@test "Expect: 100-continue is answered before the body is sent" {
    to_topic
    head -c 300000 /dev/zero | tr '\0' 1 >body
    run curl -sv -H 'Expect: 100-continue' --data-binary @body "$url"
    has "$output" "100 Continue"
    has "$output" "200 OK"
    run send < <(head_of 'POST /' 'Expect: 100-continue' \
        'Content-Length: 2000000')
    is "${lines[0]}" "HTTP/1.1 413 Content Too Large"
}

@test "a client that has closed its sending side still gets its answer" {
    to_topic
    run timeout 20 python3 "$ROOT/tests/cli/http.py" half "$port" < <(
        head_of 'POST /' 'Content-Length: 1'
        printf 1
    )
    is "$status" 0
    has "$output" "200 OK"
}

@test "a body without end costs an answer of 413, and no memory" {
    listen listen -a none
    before=$(resident VmHWM)
    python3 "$ROOT/tests/cli/http.py" flood "$port" 300000000 >answer
    has "$(cat answer)" "413 Content Too Large"
    [ $(($(resident VmHWM) - before)) -lt 4096 ]
    is "$(post '{}')" 200
}

@test "clients that go away before the answer harm nobody" {
    to_topic
    for _ in 1 2 3 4 5 6 7 8; do
        python3 "$ROOT/tests/cli/http.py" gone "$port"
    done
    is "$(post '{"last":1}')" 200
    has "$(events | tail -n 1)" '"last"'
}

@test "slow heads and slow bodies are ended after ten seconds" {
    to_topic
    spawn head python3 "$ROOT/tests/cli/http.py" drip "$port" 20
    spawn body python3 "$ROOT/tests/cli/http.py" body "$port" 20
    finish head
    finish body
    has "$(cat head.out)" "408 Request Timeout"
    has "$(cat body.out)" "408 Request Timeout"
    [ "$(sed 1q head.out)" -ge 9 ]
    [ "$(sed 1q head.out)" -le 12 ]
    [ "$(sed 1q body.out)" -ge 4 ]
    [ "$(sed 1q body.out)" -le 8 ]
}

@test "2,000 slow connections cost at most 16 KiB each, and others are served" {
    [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4000 ] ||
        skip "needs 4,000 descriptors"
    ulimit -n 4000
    to_topic
    python3 "$ROOT/tests/cli/http.py" crowd "$port" 2000 16 \
        "$(pid_of listen)" >answer
    has "$(cat answer)" "200 OK"
}

@test "out of descriptors it waits, says so once, and goes on" {
    spawn_sh listen "ulimit -n 40
        exec dpp-listen -l 127.0.0.1:0 -b $(store) -t in"
    await_listen listen
    spawn load "$BUILD/bench/httpload" -c 100 -n 3000000 "127.0.0.1:$port"
    wait_for_text listen.err "no more connections for now"
    stop load KILL
    is "$(post '{"after":1}')" 200
    is "$(grep -c "no more connections" listen.err)" 1
}
