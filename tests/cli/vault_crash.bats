#!/usr/bin/env bats
# dpp-vault: killed at every step, written by many, put back from a backup.
# shellcheck disable=SC2154 # the helpers set them
# shellcheck disable=SC2016 # $ is for the inner shell
load helper
load vault

setup() {
    vault_setup
}

teardown() {
    common_teardown
}

# What changes something, and what comes before and behind it.
STEPS='openat write fsync rename unlink mkdir flock exit_group'

keep() {
    rm -rf kept
    mkdir kept
    cp -a data config state kept/ 2>/dev/null || :
}
bring_back() {
    rm -rf data config state
    cp -a kept/. . 2>/dev/null || :
}

# everywhere LOOK COMMAND…: killed at its first step of each kind, at the
# second, and so on to its end; LOOK must hold each time. $in is what it reads.
everywhere() {
    local look=$1 step n all=0 status
    shift
    seen_old=0 seen_new=0
    keep
    for step in $STEPS; do
        n=0 status=137
        while [ "$status" = 137 ]; do
            n=$((n + 1))
            bring_back
            status=0
            killed_at "$step" "$n" "$@" <in >out || status=$?
            "$look" || {
                echo "killed at $step $n, status $status"
                return 1
            }
        done
        is "$status" 0
        all=$((all + n - 1))
    done
    echo "# killed $all times" >&3
    is "$seen_old $seen_new" "1 1"
}

one_or_two() {
    local a
    a=$(dpp-vault get a) || return 1
    case $a in
    one) seen_old=1 ;;
    two) seen_new=1 ;;
    *) return 1 ;;
    esac
    is "$(dpp-vault get b)" other
    # Nothing stands in the way of the next one.
    rotate a three
    is "$(dpp-vault get a)" three
    # And it clears away what the killed one was writing.
    ls "$VAULT".*.tmp >/dev/null 2>&1 && return 1
    [ ! -e "$KEY.new" ] || ! cmp -s "$KEY" "$KEY.new"
}

@test "killed at any step, rotate leaves the old value or the new" {
    command -v strace >/dev/null || skip "needs strace"
    new_vault a one b other
    printf two >in
    everywhere one_or_two dpp-vault rotate a
}

with_or_without() {
    is "$(dpp-vault get b)" other || return 1
    if dpp-vault get a >got 2>err; then
        is "$(cat got)" two
        seen_new=1
    else
        has "$(cat err)" "has no entry a"
        seen_old=1
        put a three
    fi
}

@test "killed at any step, put leaves the vault with the entry or without" {
    command -v strace >/dev/null || skip "needs strace"
    new_vault b other
    printf two >in
    everywhere with_or_without dpp-vault put a
}

readable() {
    is "$(dpp-vault get a)" one || return 1
    is "$(dpp-vault get b)" other
    cmp -s "$KEY" kept/config/dpp/vault.key && seen_old=1 || seen_new=1
    [ ! -e "$KEY.new" ] || dpp-vault rekey
    is "$(dpp-vault get a)" one
    put c new
}

@test "killed at any step, rekey leaves a vault that one of the two keys opens" {
    command -v strace >/dev/null || skip "needs strace"
    new_vault a one b other
    : >in
    everywhere readable dpp-vault rekey
}

made_or_not() {
    if ! dpp-vault list >got 2>err; then
        has "$(cat err)" "there is no vault" || return 1
        [ ! -e "$KEY" ] || return 1
        dpp-vault init
        seen_old=1
    else
        seen_new=1
    fi
    put a one
    is "$(dpp-vault get a)" one
}

@test "killed at any step, init leaves a vault that opens, or can be done again" {
    command -v strace >/dev/null || skip "needs strace"
    : >in
    everywhere made_or_not dpp-vault init
}

@test "of many writers at once none loses what it wrote" {
    new_vault x 0
    for w in 1 2 3; do
        spawn "w$w" bash -c 'for i in $(seq 1 20); do
            printf "$1.$i" | dpp-vault put "e$1-$i" || exit
            printf "$1.$i" | dpp-vault rotate x || exit
        done' writer "$w"
    done
    while running w1; do
        dpp-vault get x >/dev/null
    done
    for w in 1 2 3; do
        finish "w$w"
        is "$status" 0
    done
    is "$(dpp-vault list | grep -c '^e')" 60
    is "$(dpp-vault get e3-20)" 3.20
    is "$(dpp-vault get e1-1)" 1.1
}

@test "an older file in the vault's place is refused, until somebody says it is wanted" {
    new_vault a one
    cp "$VAULT" old
    rotate a two
    cat old >"$VAULT"
    refused 78 "is older than it was (2 writes, 3 were seen)" dpp-vault get a
    has "$output" "remove $(seen)"
    refused 78 "is older than it was" put b one
    rm "$(seen)"
    is "$(dpp-vault get a)" one
    # Who only reads it remembers it as well.
    is "$(stat -c %a "$(seen)")" 600
    cp "$VAULT" old
    rotate a three
    rm "$(seen)"
    dpp-vault get a >/dev/null
    cat old >"$VAULT"
    refused 78 "is older than it was" dpp-vault get a
}

@test "what remembers the number of writes is proven too" {
    new_vault a one
    printf 'x' | dd of="$(seen)" bs=1 seek=12 conv=notrunc 2>/dev/null
    refused 78 "was not written with this vault's key, or is damaged" \
        dpp-vault get a
}
