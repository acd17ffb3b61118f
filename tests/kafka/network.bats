#!/usr/bin/env bats
# A network that loses packets, in a namespace of its own: LOSS=PERCENT of them
# (5; with 30 it takes minutes).
# shellcheck disable=SC2016,SC2154 # eval; the helper sets them
load ../cli/helper
load kafka
load crowd

setup_file() {
    possible || return 0
    setsid unshare -n sleep infinity 3>&- &
    echo $! >"$BATS_FILE_TMPDIR/net"
    wait_for is_apart "$(cat "$BATS_FILE_TMPDIR/net")"
    inside ip link set lo up
    inside "$KAFKA_TESTS/broker" start "$CLUSTER"
}

teardown_file() {
    possible || return 0
    cluster_stop
    kill "$(cat "$BATS_FILE_TMPDIR/net")"
}

possible() {
    [ "$(id -u)" = 0 ] && command -v nft >/dev/null && unshare -n true
}

# in a namespace that is not ours
is_apart() {
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

setup() {
    possible || skip "losing packets takes root, nft and a network namespace"
    kafka_setup
    DPP_BROKER=kafka://$(brokers)/$SPACE
    export DPP_BROKER
    inside dpp-topic create -p 3 in
    inside dpp-topic create -p 3 out
}

teardown() {
    common_teardown
}

inside() {
    nsenter -n -t "$(cat "$BATS_FILE_TMPDIR/net")" "$@"
}

# lose PERCENT: of the packets between clients and the broker, each way
lose() {
    local port
    port=$(brokers)
    port=${port##*:}
    inside nft -f - <<-END
	table inet loss {
	    chain in {
	        type filter hook input priority 0;
	        tcp dport $port numgen random mod 100 < $1 counter drop
	        tcp sport $port numgen random mod 100 < $1 counter drop
	    }
	}
	END
}

@test "packets are lost, each way: exactly once stays it, in order" {
    local tries=0
    events 1 1000 | inside dpp-produce -t in
    lose "${LOSS:-5}"
    until inside bash -o pipefail -c "dpp-consume -t in -g g -e 2>>err |
        dpp-produce --exactly-once --single-broker -t out 2>>err"; do
        tries=$((tries + 1))
        [ "$tries" -lt 10 ]
    done
    inside nft list ruleset >rules
    inside nft delete table inet loss
    # it did lose some
    is "$(grep -c 'packets [1-9]' rules)" 2
    inside dpp-consume -t out -e >out.events
    jq -r '[.partitionkey, .id] | @tsv' out.events >out.tsv
    is "$(cut -f 2 out.tsv | sort -n)" "$(seq 1000)"
    awk '$2 <= last[$1] { exit 1 } { last[$1] = $2 }' out.tsv
}
