#!/usr/bin/env bats
# Three brokers that die under load, and a network that breaks.
# shellcheck disable=SC2016,SC2154 # eval; the helper sets them
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
    feed 7500 300
    again work "dpp-consume -t in -g g | dpp-produce --exactly-once -t out"
    LIMIT=60 wait_for in_out 300
    roll
    LIMIT=90 finish feed
    is "$status" 0
    LIMIT=60 wait_for in_out 7500
    enough work
    once_each 7500
}

# Posts the numbers 1 to N, each until it is taken, and prints what was.
posts() {
    python3 -c '
import http.client, sys, time
port, last = map(int, sys.argv[1:])
c = None
for i in range(1, last + 1):
    while True:
        try:
            c = c or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            c.request("POST", "/hook", str(i),
                      {"Content-Type": "application/json"})
            r = c.getresponse()
            r.read()
            if r.status < 300:
                break
        except (OSError, http.client.HTTPException):
            c = None
        time.sleep(0.02)
    print(i, flush=True)
' "$1" "$2"
}
listen() {
    spawn_sh listen "dpp-listen --unsigned -l 127.0.0.1:0 $*"
    wait_for_text listen.err "listening on"
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' listen.err)
}

@test "listen | produce while leaders change: each 2xx is in the topic" {
    listen "| dpp-produce -t out"
    spawn_sh client "$(declare -f posts); posts $port 3000"
    wait_for_lines client.out 100
    roll TERM
    LIMIT=60 finish client
    dpp-consume -t out -r -e | sort -nu | cmp - <(seq 3000)
    has_not "$(cat listen.err)" error
}

drained() {
    [ "$(dpp-consume -t line -e | wc -l)" -ge "$1" ]
}

@test "all brokers away: the webhook's port stays up, and the log drains in order" {
    local log=log:$T/l start
    dpp-topic create -p 1 line
    behind_proxy
    listen -b "$log" -t in
    again drain "dpp-consume -b $log -t in -g g | dpp-produce -t line"
    posts "$port" 100 >/dev/null
    LIMIT=30 wait_for drained 100
    proxy refuse
    posts "$port" 2000 >client.out
    is "$(wc -l <client.out)" 2000
    wait_for_text drain.err "no broker answers"
    hold_for "${AWAY:-30}"
    posts "$port" 100 >/dev/null
    proxy accept
    start=$SECONDS
    LIMIT=60 wait_for drained 2200
    echo "drained in $((SECONDS - start)) s"
    # one line as they went, one as they came
    is "$(grep -c "no broker answers" drain.err)" 1
    is "$(grep -c "answers again" drain.err)" 1
    is "$(wc -l <drain.err)" 2
    enough drain
    direct
    dpp-consume -t line -r -e >drained
    cmp drained <(seq 100; seq 2000; seq 100)
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
