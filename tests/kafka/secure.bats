#!/usr/bin/env bats
# Who may come in, and how: TLS, certificates, passwords; what a refusal says,
# and that a password is nowhere to be read.
# shellcheck disable=SC2030,SC2031,SC2046,SC2154 # subshells; options in words
load ../cli/helper
load kafka

setup_file() {
    cluster --secure
}

teardown_file() {
    cluster_stop
}

setup() {
    kafka_setup
    CERTS=$CLUSTER/certs
    records_here create "$topic"
}

teardown() {
    common_teardown
}

records_here() {
    BROKERS=$(brokers) records "$@"
}

# login USER PASSWORD [MECHANISM]: properties in the file "login"
login() {
    printf '%s' "$2" >password
    chmod 600 password
    cat >login <<-END
	# by password, over TLS
	security.protocol = SASL_SSL
	sasl.mechanism = ${3:-PLAIN}
	sasl.username = $1
	ssl.ca.location = $CERTS/ca.crt
	END
}

# there LISTENER: a store there, in this test's space
there() {
    echo "kafka://$(brokers "$1")/$SPACE"
}

# certificate NAME: the options for TLS with it
certificate() {
    echo -X security.protocol=SSL -X "ssl.ca.location=$CERTS/ca.crt" \
        -X "ssl.certificate.location=$CERTS/$1.crt" \
        -X "ssl.key.location=$CERTS/$1.key"
}

# may_write USER TOPIC: and no more
may_write() {
    local class=org.apache.kafka.tools.AclCommand
    [ "${KAFKA:0:2}" != 3. ] || class=kafka.admin.AclCommand
    broker tool "$class" --bootstrap-server "$(brokers)" --add \
        --allow-principal "User:$1" --producer --topic "$2"
}

one_event() {
    echo '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}'
}

values() {
    records_here get "$topic" | jq -r .value
}

@test "a password over TLS: properties from a file, the secret by reference" {
    login alice alice-secret
    echo "sasl.password = file:$T/password" >>login
    one_event | dpp-produce -b "$(there sasl_ssl)" -X @login -t t
    is "$(values)" 1
    dpp-consume -b "$(there sasl_ssl)" -X @login -t t -e >out
    json @out '.id == "1"'
}

@test "-k names the password, for each program" {
    login alice alice-secret
    one_event |
        dpp-produce -b "$(there sasl_ssl)" -X @login -k file:password -t t
    dpp-consume -b "$(there sasl_ssl)" -X @login -k file:password -t t -e >out
    json @out '.id == "1"'
    dpp-topic -b "$(there sasl_ssl)" -X @login -k file:password list >out
    has "$(cat out)" t
}

@test "the password is an entry of the vault, or one field of it" {
    login alice alice-secret
    dpp-vault init
    echo '{"user":"alice","password":"alice-secret","mechanism":"PLAIN"}' |
        dpp-vault put broker --kind sasl
    one_event |
        dpp-produce -b "$(there sasl_ssl)" -X @login -k vault:broker -t t
    dpp-run dpp-consume -b "$(there sasl_ssl)" -X @login \
        -X sasl.password=vault:broker.password -t t -e ! cat >out
    json @out '.id == "1"'
}

@test "a client certificate is enough where the brokers ask for one" {
    one_event | dpp-produce -b "$(there ssl)" $(certificate client) -t t
    dpp-consume -b "$(there ssl)" $(certificate client) -t t -e >out
    json @out '.id == "1"'
    is "$(values)" 1
}

@test "a certificate of another authority: 69, and the line says that it is TLS" {
    run --separate-stderr dpp-consume -b "$(there ssl)" \
        $(certificate stranger) -t t -e
    is "$status" 69
    has "$stderr" "$(brokers ssl)"
    has "$stderr" SSL
    is "${#stderr_lines[@]}" 1
}

@test "brokers whose certificate nobody vouches for are not believed" {
    run --separate-stderr dpp-produce -b "$(there ssl)" \
        $(certificate client) -X "ssl.ca.location=$CERTS/other.crt" -t t \
        <<<"$(one_event)"
    is "$status" 69
    has "$stderr" "certificate"
    is "${#stderr_lines[@]}" 1
}

@test "a wrong password ends with 77 and one line, at once" {
    login alice wrong
    start=$SECONDS
    for program in "dpp-produce -t t" "dpp-consume -t t -e" \
        "dpp-consume -t t -g g -e" "dpp-topic list"; do
        # shellcheck disable=SC2086
        run --separate-stderr ${program%% *} -b "$(there sasl_ssl)" -X @login \
            -k file:password ${program#* } <<<"$(one_event)"
        echo "$program: $stderr"
        is "$status" 77
        is "${#stderr_lines[@]}" 1
        has "$stderr" "$(brokers sasl_ssl)"
        has "$stderr" "uthentication"
        has_not "$stderr" wrong
    done
    [ $((SECONDS - start)) -lt 40 ]
    # not the password either that would be right
    has_not "$stderr" alice-secret
}

@test "who may not: 77, and the topic or the group by its name" {
    login bob bob-secret
    for program in "dpp-produce -t t" "dpp-consume -t t -e" \
        "dpp-consume -t t -g g -e"; do
        # shellcheck disable=SC2086
        run --separate-stderr ${program%% *} -b "$(there sasl_ssl)" -X @login \
            -k file:password ${program#* } <<<"$(one_event)"
        echo "$program: $stderr"
        is "$status" 77
        is "${#stderr_lines[@]}" 1
        has "$stderr" "$topic"
        has "$stderr" "uthoriz"
    done
    is "$(values)" ""
}

@test "who may write to a topic, and not look at a group: -a group:G is 77" {
    login bob bob-secret
    may_write bob "$topic"
    run --separate-stderr timeout 20 dpp-listen -l 127.0.0.1:0 \
        -b "$(there sasl_ssl)" -X @login -X sasl.password=file:password \
        -t t -a group:g
    echo "$stderr"
    is "$status" 77
    is "${#stderr_lines[@]}" 1
    has "$stderr" "group $SPACE.g"
    has "$stderr" "uthoriz"
}

# Kafka 3 takes what any librdkafka sends, Kafka 4 wants 2.6.1.
scram_works() {
    [ "${KAFKA:0:2}" = 3. ] || /usr/bin/python3 -c '
import sys
from confluent_kafka import libversion
sys.exit(libversion()[1] < 0x02060100)'
}

@test "SCRAM: the right password gets in, a wrong one gets 77" {
    scram_works || skip "SCRAM with this librdkafka: KAFKA=3.9.2 tests it"
    local kind n=0
    for kind in SCRAM-SHA-256 SCRAM-SHA-512; do
        login alice alice-secret "$kind"
        one_event | dpp-produce -b "$(there sasl_ssl)" -X @login \
            -k file:password -t t
        n=$((n + 1))
        dpp-consume -b "$(there sasl_ssl)" -X @login -k file:password -t t \
            -e >out
        is "$(wc -l <out)" "$n"
        login alice wrong "$kind"
        run -77 --separate-stderr dpp-consume -b "$(there sasl_ssl)" \
            -X @login -k file:password -t t -e
        is "${#stderr_lines[@]}" 1
        has "$stderr" uthentication
    done
}

@test "SCRAM that cannot work: the error says why, and what to do" {
    ! scram_works || skip "SCRAM works here"
    login alice alice-secret SCRAM-SHA-512
    run -77 --separate-stderr dpp-consume -b "$(there sasl_ssl)" -X @login \
        -k file:password -t t -e
    is "${#stderr_lines[@]}" 1
    has "$stderr" SCRAM
    has "$stderr" "PLAIN over TLS"
    has "$stderr" "2.6.1"
}

@test "a password is not in arguments, environment or what -v says" {
    login alice alice-secret
    spawn consume dpp-consume -v -b "$(there sasl_ssl)" -X @login \
        -k file:password -X debug=security,broker -t t
    mkfifo produce.in
    spawn produce dpp-produce -v -b "$(there sasl_ssl)" -X @login \
        -k file:password -X debug=security,broker -t t
    exec 8>produce.in
    one_event >&8
    wait_for_lines consume.out 1
    for name in produce consume; do
        run ! grep -qF alice-secret "/proc/$(pid_of $name)/cmdline"
        run ! grep -qF alice-secret "/proc/$(pid_of $name)/environ"
        run ! grep -qF alice-secret "$name.err"
        grep -qF SASL "$name.err" # it does say a lot
    done
    exec 8>&-
    finish produce
    stop consume
}

@test "a secret as it is, instead of where it lies, is refused unrepeated" {
    login alice alice-secret
    run --separate-stderr dpp-consume -b "$(there sasl_ssl)" -X @login \
        -X sasl.password=alice-secret -t t -e
    is "$status" 64
    has_not "$stderr" alice-secret
}

# server_certificate NAME: the brokers show it from now on
server_certificate() {
    broker kill 1
    cp "$CERTS/$1.pem" "$CERTS/now.pem"
    sed -i "s|^ssl.keystore.location=.*|ssl.keystore.location=$CERTS/now.pem|" \
        "$CLUSTER/1/server.properties"
    broker restart 1
    broker ready
}

# refused CERTIFICATE TEXT: each program ends with 69 and a line with this
refused() {
    local program start=$SECONDS
    for program in "dpp-produce -t t" "dpp-consume -t t -e" \
        "dpp-consume -t t -g g -e --no-receipts" "dpp-topic list"; do
        # shellcheck disable=SC2086
        run --separate-stderr ${program%% *} -q -b "$(there ssl)" \
            $(certificate "$1") ${program#* } <<<"$(one_event)"
        echo "$program: $stderr"
        is "$status" 69
        is "${#stderr_lines[@]}" 1
        has "$stderr" "kafka://$(brokers ssl): TLS fails: $2"
    done
    # waiting does not help, so nobody waits
    [ $((SECONDS - start)) -lt 40 ]
}

@test "a certificate that has expired, ours or the brokers': 69, and the line says whose" {
    refused expired "our certificate $CERTS/expired.crt: it has expired"
    server_certificate expired
    refused client "the brokers' certificate: certificate has expired"
    server_certificate server
    one_event | dpp-produce -b "$(there ssl)" $(certificate client) -t t
    is "$(values)" 1
}

@test "the brokers' certificate expires meanwhile: one line says so, and with a new one nothing is lost" {
    mkfifo produce.in
    spawn produce dpp-produce -b "$(there ssl)" $(certificate client) -t t
    spawn consume dpp-consume -b "$(there ssl)" $(certificate client) -t t -r
    exec 8>produce.in
    several_events 1 10 >&8
    wait_for_lines consume.out 10
    server_certificate expired
    several_events 11 20 >&8
    for name in produce consume; do
        LIMIT=30 wait_for_text $name.err \
            "TLS fails now: the brokers' certificate: certificate has expired"
    done
    server_certificate server
    LIMIT=60 wait_for_lines consume.out 20
    exec 8>&-
    LIMIT=30 finish produce
    is "$status" 0
    stop consume
    is "$(cat consume.out)" "$(seq 20)"
    is "$(values)" "$(seq 20)"
    for name in produce consume; do
        is "$(grep -c "TLS fails now" $name.err)" 1
        is "$(grep -c "answers again" $name.err)" 1
    done
}

# password_of_alice P: the brokers want it from now on, and all log in again
password_of_alice() {
    broker kill 1
    sed -i "s/user_alice=\"[^\"]*\"/user_alice=\"$1\"/" \
        "$CLUSTER/1/server.properties"
    broker restart 1
    broker ready
}

several_events() {
    seq "$1" "$2" | awk '{ printf "{\"specversion\":\"1.0\",\"id\":\"%d\"," \
        "\"source\":\"/s\",\"type\":\"t\",\"data\":%d}\n", $1, $1 }'
}

@test "a password that is changed meanwhile is waited for, and read again: nothing is lost" {
    login alice alice-secret
    set -- -b "$(there sasl_ssl)" -X @login -k "file:$T/password"
    spawn consume dpp-consume "$@" -t t -r
    mkfifo produce.in
    spawn produce dpp-produce "$@" -t t
    exec 8>produce.in
    several_events 1 10 >&8
    wait_for_lines consume.out 10
    password_of_alice another-secret
    several_events 11 20 >&8
    LIMIT=30 wait_for_text produce.err "refuse the password now"
    LIMIT=30 wait_for_text consume.err "refuse the password now"
    has "$(cat produce.err)" "waiting for another one in file:$T/password"
    # who comes now is told at once
    run -77 dpp-consume "$@" -t t -e
    printf another-secret >password.new
    chmod 600 password.new
    mv password.new password
    LIMIT=30 wait_for_lines consume.out 20
    exec 8>&-
    finish produce
    is "$status" 0
    stop consume
    is "$(cat consume.out)" "$(seq 20)"
    is "$(values)" "$(seq 20)"
    for name in produce consume; do
        # away, refused, answers again
        is "$(wc -l <$name.err)" 3
        is "$(grep -c "refuse the password now" $name.err)" 1
        has_not "$(cat $name.err)" -secret
    done
    password_of_alice alice-secret
}
