# Common ground of the bats files. In a test file:
#
#     load helper                  (load ../cli/helper from other folders)
#     setup() { common_setup; }
#     teardown() { common_teardown; }
#
# $T is the test's own directory; state and stores live below it. Programs that
# outlive a line are started with spawn, which tracks them; whatever is still
# running at the end of the test is killed, and nothing else ever is.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${DPP_BUILD:-build}
[ "${BUILD#/}" != "$BUILD" ] || BUILD=$ROOT/$BUILD
export PATH="$BUILD/bin:$BUILD/tools:$PATH"
export LC_ALL=C.UTF-8
bats_require_minimum_version 1.5.0

common_setup() {
    T=$BATS_TEST_TMPDIR
    export XDG_STATE_HOME=$T/state
    export XDG_DATA_HOME=$T/data XDG_CONFIG_HOME=$T/config
    unset STATE_DIRECTORY DPP_BROKER CREDENTIALS_DIRECTORY DPP_VAULT_FD
    SPACE=${DPP_TEST_RUN:-$$}
    SPACE=dpptest.${SPACE:0:12}.$BATS_TEST_NUMBER
    mkdir -p "$T/run" "$T/state"
    cd "$T" || return 1
}

common_teardown() {
    local f
    for f in "$T"/run/*.pid; do
        [ -e "$f" ] || continue
        kill -KILL -- "-$(cat "$f")" 2>/dev/null || :
    done
    if [ -z "${BATS_TEST_COMPLETED-}" ]; then
        for f in "$T"/*.err; do
            if [ -s "$f" ]; then
                echo "--- ${f##*/}:"
                tail -n 20 "$f"
            fi
        done
    fi
}

# --- the store of a test, on either broker -----------------------------------
#
# A test that is tagged "kafka" (it, or all of its file) runs on both, unless it
# is tagged "log": it looks into the log's folder, or at what only the log does.

on_kafka() {
    [ "${DPP_TEST_BROKER-}" = kafka ]
}

# The store, as -b wants it. On Kafka all names in it begin with "$SPACE.",
# which is this test's own; nobody sees that but kcat.
store() {
    if on_kafka; then
        echo "kafka://$KAFKA_BOOTSTRAP/$SPACE"
    else
        echo "log:$T/store"
    fi
}

# topics NAME…: made where writing to one does not make it.
topics() {
    local t
    on_kafka || return 0
    for t; do
        dpp-topic -b "$(store)" create "$t" 2>/dev/null ||
            dpp-topic -b "$(store)" show "$t" >/dev/null
    done
}

# What dpp-produce needs on this store to be exact.
exact() {
    ! on_kafka || echo --exactly-once --single-broker
}

# spawn NAME COMMAND…: run it in the background, in a process group of its own.
# Output goes to NAME.out and NAME.err, $pid is its process. Standard input is
# NAME.in if that exists (a file or a fifo).
spawn() {
    local name=$1 in=/dev/null
    shift
    [ ! -e "$T/$name.in" ] || in=$T/$name.in
    setsid "$@" <"$in" >>"$T/$name.out" 2>>"$T/$name.err" 3>&- &
    pid=$!
    echo "$pid" >"$T/run/$name.pid"
}

# spawn_sh NAME 'SHELL TEXT': the same for a pipeline.
spawn_sh() {
    spawn "$1" bash -c "$2"
}

pid_of() {
    cat "$T/run/$1.pid"
}

running() {
    kill -0 "$(pid_of "$1")" 2>/dev/null
}

# finish NAME: wait until it ends (at most $LIMIT seconds), $status is how.
finish() {
    local p end=$((SECONDS + ${LIMIT:-20}))
    p=$(pid_of "$1")
    while kill -0 "$p" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "$1 (process $p) does not end"
            return 1
        fi
        tick
    done
    status=0
    wait "$p" || status=$?
    rm -f "$T/run/$1.pid"
}

# stop NAME [SIGNAL]: signal it, and wait until it ends.
stop() {
    kill "-${2:-TERM}" "$(pid_of "$1")"
    finish "$1"
}

# signal_group NAME SIGNAL: all processes of a pipeline at once.
signal_group() {
    kill "-$2" -- "-$(pid_of "$1")"
}

tick() {
    read -rt 0.02 <> <(:) || :
}

# wait_for COMMAND…: until it succeeds, at most $LIMIT (10) seconds.
wait_for() {
    local end=$((SECONDS + ${LIMIT:-10}))
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "waited ${LIMIT:-10} s in vain for: $*"
            return 1
        fi
        tick
    done
}

# wait_for_text FILE TEXT
wait_for_text() {
    wait_for grep -qF -- "$2" "$1"
}

# wait_for_lines FILE N: at least N lines.
has_lines() {
    [ "$(wc -l <"$1")" -ge "$2" ]
}
wait_for_lines() {
    wait_for has_lines "$1" "$2"
}

# Below those that the system gives to clients (32768 and up): nobody gets it
# while its server is not there yet, or starts again.
free_port() {
    python3 -c 'import random, socket
while True:
    port = random.randrange(10000, 32768)
    try:
        socket.socket().bind(("127.0.0.1", port))
        break
    except OSError:
        pass
print(port)'
}

# wait_for_port PORT
wait_for_port() {
    wait_for bash -c "exec 9<>/dev/tcp/127.0.0.1/$1"
}

# Assertions: they say what was wanted and what there is.
is() {
    [ "$1" = "$2" ] && return 0
    printf 'is:     %s\nwanted: %s\n' "$1" "$2"
    return 1
}
has() {
    case $1 in
    *"$2"*) return 0 ;;
    esac
    printf 'this:   %s\nhas no: %s\n' "$1" "$2"
    return 1
}
has_not() {
    case $1 in
    *"$2"*)
        printf 'this:          %s\nshould not have: %s\n' "$1" "$2"
        return 1
        ;;
    esac
}
same_file() {
    cmp "$1" "$2"
}

# json TEXT|@FILE FILTER [JQ OPTION…]: the filter must say true for each value.
json() {
    local text=$1 filter=$2
    shift 2
    [ "${text#@}" = "$text" ] || text=$(cat "${text#@}")
    jq -se "$@" "length > 0 and all(.[]; $filter)" <<<"$text" >/dev/null &&
        return 0
    printf 'not true: %s\nof:       %s\n' "$filter" "$text"
    return 1
}

# The oracle: events with a verdict (tests/oracle).
oracle() {
    python3 "$ROOT/tests/oracle" "$@"
}

# oracle_sink [OPTION…]: an endpoint; $sink is its URL, record in $T/record.
oracle_sink() {
    spawn sink python3 "$ROOT/tests/oracle" sink --record "$T/record" \
        --ready "$T/sink.port" "$@"
    wait_for test -s "$T/sink.port"
    sink=http://127.0.0.1:$(cat "$T/sink.port")/
}
