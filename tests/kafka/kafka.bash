# Brokers, the proxy and outside clients for the bats files; behind
# "load ../cli/helper". $KAFKA_BOOTSTRAP is the broker that all share.
# shellcheck shell=bash disable=SC2034

KAFKA_TESTS=$ROOT/tests/kafka
CLUSTER=${BATS_FILE_TMPDIR-}/cluster

# $topic is a name of this test's own.
kafka_setup() {
    common_setup
    topic=$SPACE.t
}

# cluster [OPTION…]: brokers of this file's own, for setup_file; what "broker
# start" takes. Its pair for teardown_file is cluster_stop.
cluster() {
    "$KAFKA_TESTS/broker" start "$CLUSTER" "$@"
}
cluster_stop() {
    "$KAFKA_TESTS/broker" stop "$CLUSTER"
}

# broker VERB ARGUMENT…: for that cluster
broker() {
    local verb=$1
    shift
    "$KAFKA_TESTS/broker" "$verb" "$CLUSTER" "$@"
}

# brokers [LISTENER]: where clients begin; proxy, ssl, sasl_ssl, …
brokers() {
    cat "$CLUSTER/${1:+$1.}bootstrap"
}

# The proxy before that cluster; all tests of a file may start one in turn.
proxy_start() {
    spawn proxy "$KAFKA_TESTS/proxy" serve "$CLUSTER" proxy.socket
    wait_for test -S proxy.socket
}
# proxy COMMAND…
proxy() {
    "$KAFKA_TESTS/proxy" tell "$T/proxy.socket" "$@"
}
# proxy_count FILTER: one number of its counts, by a jq filter
proxy_count() {
    proxy count | jq "$1 // 0"
}
# proxy_met RULE N: it has met so many
proxy_met() {
    [ "$(proxy_count ".$1")" -ge "$2" ]
}

# records VERB ARGUMENT…: by way of $BROKERS, or the shared broker
records() {
    "$KAFKA_TESTS/records" "${BROKERS:-$KAFKA_BOOTSTRAP}" "$@"
}

# kcat_put TOPIC [OPTION…]: lines of standard input as values; -E, because a
# connection that breaks is no reason to give up
kcat_put() {
    local to=$1
    shift
    kcat -P -E -b "${BROKERS:-$KAFKA_BOOTSTRAP}" -t "$to" "$@"
}

# kcat_get TOPIC [OPTION…]: values of what is committed, a line each
kcat_get() {
    local from=$1
    shift
    kcat -C -E -b "${BROKERS:-$KAFKA_BOOTSTRAP}" -t "$from" -o beginning -e -q \
        -X isolation.level=read_committed -X check.crcs=true \
        -X fetch.wait.max.ms=20 "$@"
}
