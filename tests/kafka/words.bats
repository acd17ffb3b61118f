#!/usr/bin/env bats
# What the programs say of an address, a property or a topic that is wrong.
load ../cli/helper
load kafka

setup() {
    kafka_setup
    export DPP_TEST_BROKER=kafka
    K=$(store)
}

teardown() {
    common_teardown
}

# says STATUS TEXT COMMAND…: it ends so, with one line that has this in it
says() {
    local wanted=$1 text=$2
    shift 2
    run "$@"
    is "$status" "$wanted"
    is "${#lines[@]}" 1
    has "$output" "$text"
}

@test "an address that can be none is refused before anything is tried" {
    says 64 "no HOST:PORT" dpp-topic -b kafka://
    says 64 "the port is no number" dpp-topic -b kafka://here:http
    says 64 "no user and password here" dpp-topic -b kafka://me:pw@here:9092
    says 64 '"a/b" is no topic name' dpp-topic -b kafka://here:9092/a/b
}

@test "a name that nobody knows is not waited for" {
    local begin=$SECONDS
    says 69 "dpp.invalid" timeout 25 dpp-topic -b kafka://dpp.invalid:9092
    says 69 "dpp.invalid" timeout 25 dpp-consume -b kafka://dpp.invalid:1 -t t
    [ $((SECONDS - begin)) -lt 25 ]
}

@test "what the promises rest on is not for -X, under no name" {
    local p
    for p in acks=1 request.required.acks=1 delivery.timeout.ms=5 \
        enable.auto.commit=true isolation.level=read_uncommitted group.id=g; do
        says 64 "-X ${p%%=*}: dpp sets this itself" dpp-topic -b "$K" -X "$p"
    done
}

@test "a property that is wrong is named" {
    says 64 '-X "linger"' dpp-topic -b "$K" -X linger
    says 64 "-X no.such: No such configuration" dpp-topic -b "$K" -X no.such=1
    says 64 "-X socket.timeout.ms: " dpp-topic -b "$K" -X socket.timeout.ms=-5
    says 64 "latency or throughput" dpp-topic -b "$K" -X class=fast
    printf '# ours\nlinger.ms = 5\nlinger\n' >"$T/client.properties"
    says 78 "client.properties:3" dpp-topic -b "$K" -X "@$T/client.properties"
    says 64 "sasl.mechanism" dpp-topic -b "$K" -X security.protocol=SASL_SSL
}

@test "no secret is taken in clear" {
    local p
    for p in sasl.password ssl.key.password ssl.key.pem; do
        says 64 "-X $p: a secret is given as" dpp-topic -b "$K" -X $p=hunter2
        has_not "$output" hunter2
    done
    says 77 "$T/none" dpp-topic -b "$K" -X sasl.username=me -k "file:$T/none"
}

@test "a topic that is not there is named with the line that makes it" {
    local line="dpp-topic -b $K create nope"
    says 69 "$line" dpp-consume -b "$K" -t nope -e
    says 69 "$line" dpp-consume -b "$K" -t nope -g g
    says 69 "$line" dpp-produce -b "$K" -t nope -r <<<'an event'
    says 69 "$line" dpp-listen -b "$K" -t nope -l 127.0.0.1:0 --unsigned
    says 69 "$line" dpp-topic -b "$K" verify nope
}

@test "copies: more than must be there, more than there are, more than a log has" {
    says 64 "give --replicas" dpp-topic -b "$K" create --min-insync 2 t
    says 64 "one copy" dpp-topic -b "log:$T/l" create --replicas 3 t
    dpp-topic -b "$K" create --replicas 1 --min-insync 1 t
    run dpp-topic -b "$K" show t
    is "$(awk '$1 == "replicas" || $1 == "min-insync" { print $2 }' \
        <<<"$output" | tr '\n' ' ')" "1 1 "
    says 78 "is there already" dpp-topic -b "$K" create t
}
