#!/usr/bin/env bats
# A key for each subject: made when the subject comes, thrown away when it is
# forgotten, and never half of either.
# shellcheck disable=SC2154 # the helpers set them
# shellcheck disable=SC2016 # $ is for the inner shell
# shellcheck disable=SC2094 # cmp writes nothing
load helper
load vault
load deliver

setup() {
    vault_setup
    DPP_BROKER=$(store)
    export DPP_BROKER
    STORE=$VAULT.subjects/p
    dpp-vault init -q
    head -c 32 /dev/urandom >p.key
    dpp-vault put p --kind subjects <p.key
}

teardown() {
    common_teardown
}

# of SUBJECT N: an event.
of() {
    event "$1-$2" "\"subject\":\"$1\",\"data\":{\"n\":$2}"
}

seal() {
    dpp-transform --seal vault:p
}
open() {
    dpp-transform --open vault:p
}
forget() {
    dpp-vault forget "$@" 2>&1
}

@test "a subject that is forgotten cannot be read any more, and all others can" {
    for i in 1 2; do
        of ann "$i"
        of bob "$i"
        of 'bø"b' "$i"
    done >in 2>/dev/null
    sed 's/"subject":"bø"b"/"subject":"bø\\"b"/; s/"id":"bø"b/"id":"c/' -i in
    seal <in >sealed
    open <sealed | cmp - in
    is "$(forget ann)" "dpp-vault: forgotten: ann"
    open <sealed | cmp - <(grep -v ann in)
    is "$(forget 'bø"b')" 'dpp-vault: forgotten: bø"b'
    open <sealed | cmp - <(grep bob in)
    is "$(dpp-vault forget ann 2>&1)" "dpp-vault: forgotten before: ann"
    refused 77 'has no key of a subject "zoe"' dpp-vault forget zoe bob
    is "$(open <sealed)" ""
}

@test "what was forgotten is dropped, or dead, or passes, and a field becomes null" {
    of ann 1 | seal >whole
    of ann 1 | dpp-transform --seal vault:p=.data.n >field
    forget ann
    is "$(open <whole)" ""
    is "$(open <field | jq -c .data)" '{"n":null}'
    how() {
        dpp-transform --open vault:p --forgotten "$1"
    }
    how pass <whole | cmp - whole
    how pass <field | cmp - field
    how dead <whole >out
    is "$(jq -r .why out)" \
        "dpp-transform: sealed under p, and its subject was forgotten"
    is "$(jq -c .event out)" "$(cat whole)"
    has "$(how dead <field)" "sealed under p at /n, and its subject was"
    refused 64 "erase, dead or pass" how no
    # What is dropped is counted, so the sums of a segment hold.
    run dpp-transform -v --open vault:p <whole
    has "$output" "in 1 ("
    has "$output" " dropped 1,"
    topics in
    dpp-produce -t in <whole
    dpp-run dpp-consume -t in -g g -e ! dpp-transform --open vault:p ! \
        dpp-produce -t out
}

@test "a subject that comes again has a new key, and the old events stay shut" {
    of ann 1 | seal >one
    forget ann
    of ann 2 | seal >two
    cat one two | open | cmp - <(of ann 2)
    forget ann
    cat one two | open | cmp - /dev/null
}

@test "the other program opens what a subject's key has sealed, through rotations" {
    for i in $(seq 300); do
        of "s$i" "$i"
    done >in
    seal <in >sealed
    py() {
        /usr/bin/python3 "$ROOT/tests/tools/sealread" p=p.key "p@$STORE"
    }
    py <sealed | cmp - in
    rotate p random
    # A subject keeps its key; a new one is under the new version.
    seal <in | open | cmp - in
    open <sealed | cmp - in
    head -n 1 in | seal >again
    py <again | cmp - <(head -n 1 in)
    of new 1 | seal | open | cmp - <(of new 1)
    forget s1
    run py <again
    has "$output" forgotten
    # Who the subjects are does not show.
    run ! grep -qa s299 "$STORE"
}

@test "an event without a subject is dead, and so is one whose key is not here" {
    event 1 '"data":1' | seal >out
    is "$(jq -r .why out)" \
        "dpp-transform: no subject, and vault:p has a key for each"
    of ann 1 | dpp-transform --seal vault:p 'del(.subject)' | grep -c no.subject
    of ann 1 | seal >sealed
    sed 's/"subject":"ann"/"subject":"bob"/' sealed | open >out
    has "$(cat out)" "with a subject's key that is not here"
    mv "$STORE" elsewhere
    open <sealed >out
    has "$(cat out)" "with a subject's key that is not here"
    # It is not taken for forgotten: nothing is dropped.
    is "$(jq -c .event out)" "$(cat sealed)"
    mv elsewhere "$STORE"
    open <sealed | cmp - <(of ann 1)
}

@test "a stage that runs notices at once that a subject was forgotten" {
    mkfifo s.in o.in
    exec 8<>s.in 9<>o.in
    spawn s dpp-transform --seal vault:p 8>&- 9>&-
    spawn o dpp-transform --open vault:p 8>&- 9>&-
    of ann 1 >&8
    wait_for_text s.out 'ann-1'
    cat s.out >&9
    wait_for_text o.out '"n":1'
    forget ann
    cat s.out >&9
    of bob 1 | seal >&9
    wait_for_text o.out bob-1
    is "$(grep -c ann o.out)" 1
    of ann 2 >&8
    wait_for_text s.out 'ann-2'
    tail -n 1 s.out >&9
    wait_for_text o.out '"n":2'
    exec 8>&- 9>&-
    finish s
    finish o
}

@test "many that seal at once agree on the keys, and forgetting reaches all" {
    for w in 1 2 3; do
        seq 20000 | awk -v w="$w" '{
            printf "{\"specversion\":\"1.0\",\"id\":\"%d\",", $1
            printf "\"source\":\"/s\",\"type\":\"t\","
            printf "\"subject\":\"s%d\",", $1 % 4000
            printf "\"data\":\"%d%d\"}\n", w, $1
        }' >"w$w.in"
    done
    for w in 1 2 3; do
        spawn "w$w" dpp-transform --seal vault:p
    done
    for w in 1 2 3; do
        LIMIT=60 finish "w$w"
        is "$status" 0
        open <"w$w.out" | cmp - "w$w.in"
    done
    is "$(/usr/bin/python3 - "$STORE" <<'END'
import sys
file = open(sys.argv[1], "rb").read()
print(sum(file[i] == 1 for i in range(4096, len(file), 128)))
END
)" 4000
    forget s7
    cat w?.out | open >out
    is "$(grep -c '"subject":"s7"' out) $(wc -l <out)" "0 59985"
}

# endless ROUND: events, each of another subject
endless() {
    awk -v round="$1" 'BEGIN {
        for (i = 1;; i++) {
            subject = "r" round "-" i
            printf "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/s\"," \
                "\"type\":\"t\",\"subject\":\"%s\",\"data\":{\"n\":%d}}\n",
                subject, subject, i
        }
    }'
}

@test "killed while it runs, a stage never emits what has no key" {
    local round
    export -f endless
    mkfifo k.in
    for round in 1 2 3 4 5; do
        rm -f k.out
        spawn_sh feed "endless $round >k.in"
        spawn k dpp-transform --seal vault:p
        wait_for test -s k.out
        kill -KILL "$(pid_of k)"
        finish k
        is "$status" 137
        finish feed
        head -n "$(grep -c '}$' k.out)" k.out >whole
        open <whole >out
        is "$(grep -c dead out || :)" 0
        cmp out <(endless "$round" | head -n "$(wc -l <whole)")
        is "$(head -1 out | jq -r .subject)" "r$round-1"
    done
}

STEPS='openat pwrite64 fdatasync fsync flock mkdir write exit_group'

# everywhere LOOK COMMAND…: killed before its first step of each kind, its
# second and so on, each time from the same state; LOOK must hold.
everywhere() {
    local look=$1 step n status
    shift
    rm -rf kept
    cp -a data kept
    for step in $STEPS; do
        n=0 status=137
        while [ "$status" = 137 ]; do
            n=$((n + 1)) status=0
            rm -rf data
            cp -a kept data
            killed_at "$step" "$n" "$@" <in >out || status=$?
            "$look" || {
                echo "killed at $step $n, status $status"
                return 1
            }
        done
        is "$status" 0
    done
}

# What came out opens, and nothing stands in the way of the next one.
usable() {
    grep '}$' out >lines || :
    open <lines >opened
    [ ! -s lines ] || cmp opened in || return 1
    seal <in >lines
    open <lines | cmp - in
}

@test "killed at any step, making the first key leaves a store that works" {
    command -v strace >/dev/null || skip "needs strace"
    of ann 1 >in
    everywhere usable dpp-transform --seal vault:p
}

both_or_none() {
    open <sealed >opened
    if [ -s opened ]; then
        cmp opened all || return 1
        seen_old=1
        dpp-vault forget ann
        open <sealed >opened
    else
        seen_new=1
        dpp-vault forget ann
    fi
    cmp opened /dev/null
}

@test "killed at any step, forget leaves the key or none, and can be done again" {
    command -v strace >/dev/null || skip "needs strace"
    of ann 1 >all
    seal <all >sealed
    : >in
    everywhere both_or_none dpp-vault forget ann
    is "$seen_old $seen_new" "1 1"
}

@test "a key that was forgotten is in the store no more, not even sealed" {
    of ann 1 | seal >sealed
    record() { # its 48 last bytes
        /usr/bin/python3 - "$STORE" <<'END'
import sys
file = open(sys.argv[1], "rb").read()
at, = (i for i in range(4096, len(file), 128) if file[i])
print(file[at + 80:at + 128].hex())
END
    }
    before=$(record)
    forget ann
    after=$(record)
    is "${after:32}" "$(printf '0%.0s' $(seq 64))"
    [ "${before:0:32}" != "${after:0:32}" ]
}

@test "a store that others may read, of another form or changed is no store" {
    of ann 1 | seal >sealed
    of bob 1 | seal >>sealed
    cp "$STORE" good
    chmod 644 "$STORE"
    of ann 1 >in
    refused 77 "nobody else may read" dpp-transform --seal vault:p <in
    chmod 600 "$STORE"
    printf x | dd of="$STORE" bs=1 seek=3 conv=notrunc 2>/dev/null
    refused 78 "damaged, or no file of subjects' keys" dpp-transform \
        --open vault:p <sealed
    # A record that was changed is none; the others work.
    /usr/bin/python3 - good "$STORE" <<'END'
import sys
file = bytearray(open(sys.argv[1], "rb").read())
at = next(i for i in range(4096, len(file), 128) if file[i])
for i in at, at + 8, at + 24, at + 60, at + 90:
    bad = bytearray(file)
    bad[i] ^= 2
    open(sys.argv[2] + f".{i - at}", "wb").write(bad)
END
    for bad in "$STORE".*; do
        cat "$bad" >"$STORE"
        open <sealed >out
        is "$(grep -c '"data":{"n":1}' out)" 1
        is "$(grep -c "key that is not here" out)" 1
    done
    cat good >"$STORE"
    open <sealed | grep -c '"n":1' | grep -x 2
}

@test "another store in its place ends the stage that seals, which starts again" {
    mkfifo s.in
    exec 8<>s.in
    spawn s dpp-transform --seal vault:p 8>&-
    of ann 1 >&8
    wait_for_text s.out ann-1
    cp "$STORE" copy
    mv copy "$STORE"
    of bob 1 >&8
    exec 8>&-
    finish s
    is "$status" 75
    has "$(cat s.err)" "another file has taken its place"
    is "$(grep -c bob s.out || :)" 0
    dpp-vault rm p
    [ ! -e "$STORE" ]
}

@test "dpp-run hands the key to the stage, and it needs no other" {
    of ann 1 >in
    dpp-run cat in ! dpp-transform --seal vault:p ! tee sealed >/dev/null
    dpp-run cat sealed ! dpp-transform --open vault:p ! tee out >/dev/null
    cmp in out
}

@test "what dpp-deliver opens stays sealed in its retry store and dead letters" {
    endpoint
    echo 500 >control
    for i in 1 2 3; do
        of ann "$i" | sed 's/{"n":/{"n":"kanari",/; s/,\([0-9]\)}/,"i":\1}/'
        of bob "$i" | sed 's/{"n":/{"n":"kanari",/; s/,\([0-9]\)}/,"i":\1}/'
    done >in
    topics in
    seal <in | dpp-produce -t in
    run dpp-run dpp-consume -t in -g g -e ! dpp-deliver -q --open vault:p \
        -s r --inline 0 --retry 1s --give-up 1h "$url"
    is "$status" 0
    grep -qa kanari bytes # it came to the endpoint, which refused
    run grep -rlaF kanari r store state
    is "$output" ""
    forget ann
    : >bytes
    rm control
    run dpp-deliver -q --open vault:p -s r --retry '1s*' "$url" <<<""
    wait_for grep -qa '"i":3' bytes
    is "$(grep -ac '"n":"kanari"' bytes)" 3
    run grep -rlaF kanari r store state
    is "$output" ""
    dpp-consume -t in.dead -e >dead
    is "$(jq -r .deadreason dead | sort | uniq -c | xargs)" \
        "3 its subject was forgotten"
    is "$(jq -r .subject dead | sort -u)" ann
}

@test "keys of subjects stay through a rekey, and move with the vault and their file" {
    of ann 1 >in
    of bob 1 >>in
    seal <in >sealed
    dpp-vault rekey
    open <sealed | cmp - in
    (umask 077 && head -c 32 /dev/urandom >way)
    dpp-vault export --to file:way >bundle
    mv data first
    rm -r config state
    dpp-vault init -q
    dpp-vault import --from file:way <bundle
    open <sealed | grep -c "key that is not here" | grep -x 2
    cp -a "first/dpp/vault.subjects" "$VAULT.subjects"
    open <sealed | cmp - in
    forget ann
    open <sealed | cmp - <(tail -n 1 in)
}
