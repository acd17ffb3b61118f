#!/usr/bin/env bats
# Three brokers that die under load, and a network that breaks.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # tests are subshells; eval
load ../cli/helper
load kafka
load crowd

setup_file() {
    cluster 3
}

teardown_file() {
    cluster_stop
}

setup() {
    kafka_setup
    DPP_BROKER=kafka://$(brokers)/$SPACE
    export DPP_BROKER
    dpp-topic create -p 3 in
    dpp-topic create -p 3 out
}

teardown() {
    common_teardown
}

# again NAME 'PIPELINE': it, started anew whenever it ends before its time
again() {
    spawn_sh "$1" "trap : TERM
        until [ -e $T/enough ]; do $2; done"
}
enough() {
    touch enough
    signal_group "$1" TERM
    finish "$1"
}

# in_out N: so many records are in "out", marks of transactions not counted
in_out() {
    [ "$(dpp-consume -t out -e | wc -l)" -ge "$1" ]
}

roll() {
    local n
    for n in 1 2 3; do
        broker kill "$n" "$@"
        broker restart "$n"
        broker ready
    done
}

# through the proxy from here on
behind_proxy() {
    proxy_start
    DPP_BROKER=kafka://$(brokers proxy)/$SPACE
}
direct() {
    DPP_BROKER=kafka://$(brokers)/$SPACE
}

@test "each broker is killed under load: exactly once stays exactly once, in order" {
    fill
    feed 7500 300 -b "log:$T/source"
    again work "dpp-consume -t in -g g | dpp-produce --exactly-once -t out"
    LIMIT=60 wait_for in_out 300
    roll
    LIMIT=90 finish feed
    is "$status" 0
    LIMIT=60 wait_for in_out 7500
    enough work
    enough fill
    once_each 7500
}

# posts PORT N [RATE]: the numbers 1 to N, each until it is taken; prints what
# was, and at how many a second, to standard error, what was refused before.
posts() {
    python3 -c '
import http.client, sys, time
port, last, rate = map(int, sys.argv[1:])
begin = time.monotonic()
c = None
for i in range(1, last + 1):
    while True:
        if rate:
            time.sleep(max(0, begin + i / rate - time.monotonic()))
        try:
            c = c or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            c.request("POST", "/hook", str(i),
                      {"Content-Type": "application/json"})
            r = c.getresponse()
            r.read()
            if r.status < 300:
                break
            print(r.status, r.headers.get("Retry-After"), file=sys.stderr)
        except (OSError, http.client.HTTPException):
            c = None
        time.sleep(0.02)
    print(i, flush=True)
print(f"rate {last / (time.monotonic() - begin):.1f}", file=sys.stderr)
' "$1" "$2" "${3:-0}"
}
listen() {
    spawn_sh listen "dpp-listen --unsigned -l 127.0.0.1:0 $*"
    wait_for_text listen.err "listening on"
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' listen.err)
}

@test "listen | produce while leaders change: each 2xx is in the topic" {
    local port
    port=$(free_port)
    again listen "dpp-listen --unsigned -l 127.0.0.1:$port |
        dpp-produce -t out"
    wait_for_text listen.err "listening on"
    spawn_sh client "$(declare -f posts); posts $port 3000"
    LIMIT=30 wait_for_lines client.out 100
    roll TERM
    LIMIT=60 finish client
    enough listen
    dpp-consume -t out -r -e | sort -nu | cmp - <(seq 3000)
}

drained() {
    [ "$(dpp-consume -t line -e | wc -l)" -ge "$1" ]
}

# watch TOPIC: when its records come, in seconds, a line each, in watch.out
watch() {
    spawn_sh watch "dpp-consume -t $1 -r | python3 -uc '
import sys, time
for line in sys.stdin:
    print(time.time())'"
}

# AWAY=SECONDS, in which 200 events each arrive. Not counted are the seconds,
# two at most, in which nobody has tried to connect yet.
@test "all brokers away: the webhook's port stays up, and the log drains in order, ten times as fast as it fills" {
    local log=log:$T/l away=$((${AWAY:-30} * 200)) back
    dpp-topic create -p 1 line
    watch line
    dpp-topic create -p 1 direct
    behind_proxy
    spawn_sh direct "dpp-listen --unsigned --deadline 2s -l 127.0.0.1:0 |
        dpp-produce -t direct"
    wait_for_text direct.err "listening on"
    direct_port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' direct.err)
    listen -b "$log" -t in
    again drain "dpp-consume -b $log -t in -g g | dpp-produce -t line"
    posts "$port" 100 >/dev/null 2>&1
    posts "$direct_port" 1 >/dev/null 2>&1
    LIMIT=30 wait_for drained 100
    proxy refuse
    spawn_sh client "$(declare -f posts); posts $port $away 200"
    # what no broker has is not acknowledged, and the port answers
    is "$(curl -s -o /dev/null -w '%{http_code}' -d 2 \
        "http://127.0.0.1:$direct_port/hook")" 503
    wait_for_text drain.err "no broker answers"
    LIMIT=$((${AWAY:-30} + 60)) finish client
    is "$(wc -l <client.out)" "$away"
    is "$(wc -l <client.err)" 1 # each was taken the first time
    posts "$port" 100 >/dev/null 2>&1
    proxy accept
    back=$(date +%s.%N)
    LIMIT=60 wait_for drained $((away + 200))
    LIMIT=60 posts "$direct_port" 3 >/dev/null 2>&1
    wait_for_lines watch.out $((away + 200))
    awk -v arrival="$(sed -n 's/^rate //p' client.err)" -v back="$back" \
        -v first=101 -v last=$((100 + away)) '
        NR == first { from = $1 } NR == last { to = $1 }
        END {
            if (from > back + 2)
                from = back + 2
            drain = (last - first) / (to - from + 0.001)
            printf "%d events/s came, %d went, in %.1f s, %.1f behind the end",
                arrival, drain, to - from, to - back
            exit drain < 10 * arrival }' watch.out >rates
    echo "# $(cat rates)" >&3
    # one line as they went, one as they came
    is "$(grep -c "no broker answers" drain.err)" 1
    is "$(grep -c "answers again" drain.err)" 1
    is "$(wc -l <drain.err)" 2
    enough drain
    direct
    dpp-consume -t line -r -e >drained
    cmp drained <(seq 100; seq "$away"; seq 100)
    # what was answered 503 may be there, as its sender knows; nothing is lost
    is "$(dpp-consume -t direct -r -e | sort -u)" "$(seq 3)"
}

@test "answers to Produce that are lost: nothing is there twice, or out of order" {
    behind_proxy
    proxy drop produce 4
    events 1 2000 1000 | dpp-produce -t out 2>err
    proxy_met drop 4
    direct
    once_each 2000
    has_not "$(cat err)" error
}

@test "connections that are cut all the time: exactly once" {
    events 1 3000 | dpp-produce -t in
    behind_proxy
    proxy every 400
    again work "dpp-consume -t in -g g | dpp-produce --exactly-once -t out"
    DPP_BROKER=kafka://$(brokers)/$SPACE LIMIT=90 wait_for in_out 3000
    [ "$(proxy_count .made)" -ge 5 ]
    proxy every 0
    enough work
    direct
    once_each 3000
}

# said PATTERN: so speak the figures of the sink in work
said() {
    kill -USR1 "$(<sink)"
    grep -q "$1" work.err
}

@test "while a commit hangs the sink reads on, tells nothing, and leaves when its source dies" {
    local work='sh -c "echo \$\$ >source; exec dpp-consume -q -t in -g g" |
        sh -c "echo \$\$ >sink; exec dpp-produce --exactly-once -t out"'
    behind_proxy
    spawn_sh work "$work; echo \${PIPESTATUS[*]} >status"
    direct
    events 1 100 | dpp-produce -t in
    LIMIT=30 wait_for said "in 100 .* ok 100,"
    proxy lose end-txn 1000000
    events 101 200 | dpp-produce -t in
    LIMIT=20 wait_for proxy_met lose 1
    events 201 300 | dpp-produce -t in
    LIMIT=20 wait_for said "in 300 .* ok 100,"
    kill -KILL "$(<source)"
    LIMIT=20 finish work
    is "$(<status)" "137 76"
    again work "$work"
    LIMIT=60 wait_for in_out 300
    enough work
    once_each 300
}

@test "a sink that has nothing to do says that its brokers have gone" {
    behind_proxy
    mkfifo idle.in
    exec 7<>idle.in
    spawn idle dpp-produce -r -t out
    echo 1 >&7
    direct
    LIMIT=20 wait_for in_out 1
    proxy refuse
    wait_for_text idle.err "no broker answers"
    exec 7>&-
}

@test "1 Mbit/s, then connections cut ten times a second: nothing is lost, or there twice" {
    behind_proxy
    mkfifo produce.in
    spawn produce dpp-produce -t out
    exec 8>produce.in
    proxy throttle 125000
    events 1 1500 >&8
    DPP_BROKER=kafka://$(brokers)/$SPACE LIMIT=30 wait_for in_out 1500
    # less than a batch fits in what a connection lives for
    proxy throttle 0
    proxy every 100
    events 1501 2500 500 >&8
    exec 8>&-
    LIMIT=60 finish produce
    is "$status" 0
    [ "$(proxy_count .made)" -ge 10 ]
    direct
    once_each 2500
    has_not "$(cat produce.err)" error
}
