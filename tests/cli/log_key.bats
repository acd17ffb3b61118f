#!/usr/bin/env bats
# Topics and the retry store encrypted on the disk: who can read them, what
# stays readable when keys change, and that no byte of an event lies there.
# shellcheck disable=SC2154 # the helpers set them
load helper
load vault
load listen
load deliver

setup() {
    vault_setup
    export DPP_BROKER=log:$T/store T
    hex 1 >one
    hex 2 >two
    chmod 600 one two
}

teardown() {
    common_teardown
}

# hex DIGIT: a key
hex() {
    printf "%064d\n" "$1"
}

# holds TOPIC N: so many events, at least
holds() {
    [ "$(dpp-consume -r -e -t "$1" -k vault:log | wc -l)" -ge "$2" ]
}

# segments TOPIC: how many it has
segments() {
    find "store/topics/$1" -name '*.log' | wc -l
}

# begins_segment N: one more event, after which there are N segments
begins_segment() {
    [ "$(post 3)" = 200 ] && [ "$(segments t)" -ge "$1" ]
}

# on_disk WORDS: in how many files of the store, or of FOLDER
on_disk() {
    grep -rlaF -- "$1" "${2:-store}" | wc -l
}

@test "what a key has encrypted is read with it, and nothing of it lies on the disk" {
    echo '"find me"' | dpp-produce -r -t t -X key=file:one
    is "$(dpp-consume -r -e -t t -k file:one)" '"find me"'
    is "$(on_disk 'find me')" 0
    echo '"find me"' | dpp-produce -r -t plain
    is "$(on_disk 'find me')" 1
}

@test "without the key, or with another one: 77 and one line, for readers and writers" {
    echo 1 | dpp-produce -r -t t -k file:one
    refused 77 'topic "t" is encrypted: give its key with -X key=REF' \
        dpp-consume -r -e -t t
    refused 77 "is encrypted under another key than those given" \
        dpp-consume -r -e -t t -k file:two
    echo 2 >in
    refused 77 'topic "t" is encrypted' dpp-produce -r -t t <in
    refused 77 "under another key" dpp-produce -r -t t -k file:two <in
    refused 77 'topic "t" is encrypted' dpp-listen -l 127.0.0.1:0 --unsigned \
        -t t
    is "${#lines[@]}" 1
    is "$(dpp-consume -r -e -t t -k file:one)" 1
}

@test "what is no key is told from what is: 64, 77, 78" {
    echo short >three
    chmod 600 three
    refused 78 "three is no key of a log: 64 hex digits" \
        dpp-topic -X key=file:three list
    refused 64 "-X security.protocol: a log has one property: key=REF" \
        dpp-topic -X security.protocol=ssl list
    refused 77 "none: No such file" dpp-topic -k file:none list
    refused 64 "vault:NAME" dpp-topic -X key=0123 list
}

@test "a topic takes a key, and a new one, from its next segment on" {
    echo 1 | dpp-produce -r -t t
    echo 2 | dpp-produce -r -t t -k file:one
    echo 3 | dpp-produce -r -t t -X key=file:two -X key=file:one
    refused 77 "encrypted" dpp-consume -r -e -t t
    refused 75 "another key" dpp-consume -r -e -t t -k file:one
    is "$(dpp-consume -r -e -t t -X key=file:two -X key=file:one |
        paste -sd,)" 1,2,3
    is "$(dpp-topic verify t)" "t: 3 events, 0 faults"
}

@test "a key of the vault is rotated: those who read and write go on with the new one" {
    dpp-vault init
    echo random | dpp-vault put log --kind key
    listen listen -t t -X key=vault:log
    spawn reader dpp-consume -r -t t -k vault:log
    is "$(post 1)" 200
    wait_for_lines reader.out 1
    echo random | dpp-vault rotate log
    echo 2 | dpp-produce -r -t t -k vault:log
    wait_for_lines reader.out 2
    is "$(post 3)" 200
    is "$(segments t)" 2
    echo random | dpp-vault rotate log
    wait_for begins_segment 3
    wait_for_lines reader.out 3
    is "$(head -2 reader.out | paste -sd,)" 1,2
    is "$(dpp-consume -r -e -t t -k vault:log | head -3 | paste -sd,)" 1,2,3
}

@test "a key that came by another way is not renewed: 75, for the supervisor" {
    echo 1 | dpp-produce -r -t t -k file:one
    spawn reader dpp-consume -r -t t -k file:one
    wait_for_lines reader.out 1
    echo 2 | dpp-produce -r -t t -X key=file:two -X key=file:one
    finish reader
    is "$status" 75
    has "$(cat reader.err)" "is encrypted under another key than those given"
}

@test "through a pipeline under dpp-run, with a rotation: nothing is lost, nothing lies about" {
    local i
    dpp-vault init
    echo random | dpp-vault put log --kind key
    listen listen -t in -X key=vault:log
    spawn move dpp-run dpp-consume -t in -g g -k vault:log ! \
        dpp-produce -t out -k vault:log
    for i in 1 2 3; do
        is "$(post "{\"canary\": $i$i$i$i$i$i$i}")" 200
    done
    echo random | dpp-vault rotate log
    echo '{"canary": 4444444}' | dpp-produce -r -t in -k vault:log
    for i in 5 6; do
        is "$(post "{\"canary\": $i$i$i$i$i$i$i}")" 200
    done
    wait_for holds out 6
    is "$(dpp-consume -e -t out -k vault:log | jq -r .data.canary |
        paste -sd,)" 1111111,2222222,3333333,4444444,5555555,6666666
    is "$(segments in)" 2
    for i in 1 2 3 4 5 6; do
        is "$(on_disk "$i$i$i$i$i$i$i")" 0
    done
    has_not "$(cat move.err)" "starting again"
}

@test "the retry store and dead letters are encrypted too" {
    event 1 '"data":"canary-77"' >in
    closed=http://127.0.0.1:9/
    run dpp-deliver -s retry --state-key file:one --inline 0 "$closed" <in
    [ -n "$(ls retry/topics)" ]
    is "$(on_disk canary-77 retry)" 0
    refused 77 "retry store: topic" dpp-deliver -s retry "$closed" <in
    endpoint
    dpp-deliver -s retry --state-key file:one "$url" </dev/null
    is "$(grep -ac canary-77 bytes)" 1
    event 2 '"data":"canary-78"' | dpp-transform 'error("no")' |
        dpp-deliver -s retry --state-key file:one -X key=file:one "$url"
    is "$(on_disk canary-78)" 0
    has "$(dpp-consume -e -t deliver.dead -k file:one)" canary-78
}
