#!/usr/bin/env bats
# dpp-transform --seal and --open: what is sealed, what comes back, who can.
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
}

teardown() {
    common_teardown
}

# new_key NAME: its 32 bytes are in NAME.key.
new_key() {
    [ -e "$VAULT" ] || dpp-vault init -q
    head -c 32 /dev/urandom >"$1.key"
    dpp-vault put "$1" --kind key <"$1.key"
}

# Events of all kinds of data, in lines that nobody would print like this.
all_kinds() {
    cat "$ROOT/tests/cli/data/kinds.ndjson"
}

py() {
    /usr/bin/python3 "$ROOT/tests/tools/sealread" "$@"
}

seal() {
    dpp-transform --seal vault:a
}
open() {
    dpp-transform --open vault:a
}

# The reason of the one event that is in it.
reason() {
    open | jq -r 'select(.dpp == "dead") | .why'
}

@test "whatever the data is, it comes back with every byte of its line" {
    new_key a
    all_kinds >in
    seal <in >sealed
    is "$(wc -l <sealed)" 8
    is "$(grep -o kanari sealed)" kanari # a subject
    is "$(grep -c '"application/vnd.dpp.sealed"' sealed)" 7
    open <sealed >out
    cmp in out
}

@test "a tombstone stays one, and what is sealed under the key is not sealed twice" {
    new_key a
    all_kinds | seal >sealed
    seal <sealed >again
    cmp sealed again
    is "$(tail -n 1 sealed)" "$(all_kinds | tail -n 1)"
}

@test "sealed twice an event looks different each time" {
    new_key a
    yes "$(event 1 '"data":1')" | head -n 1000 | seal | sort -u >out
    is "$(wc -l <out)" 1000
}

@test "another program, written from the manual alone, opens and seals the same" {
    new_key a
    all_kinds >in
    seal <in | py a=a.key >out
    cmp <(jq -cS . <in) <(jq -cS . <out)
    is "$(head -n 1 out)" "$(head -n 1 in)"
    py --seal a=a.key <in | open >out
    cmp <(jq -cS . <in) <(jq -cS . <out)
    printf kanari | dpp-vault put b
    run /usr/bin/python3 "$ROOT/tests/tools/vaultread" "$VAULT" "$KEY"
    is "${lines[0]}" "a key secret=$(od -An -v -tx1 a.key | tr -d ' \n')"
}

@test "after a rotation the new version seals and the old ones still open" {
    new_key a
    all_kinds >in
    seal <in >one
    for _ in 1 2 3; do
        rotate a random
    done
    seal <in >two
    cat one two | open >out
    cat in in | cmp - out
    # The first version cannot open what the fourth has sealed.
    run py a=a.key <two
    has "$output" KeyError
    rotate a random --overlap 0
    is "$(head -n 1 one | reason)" "dpp-transform: sealed under a, with a \
version the vault does not hold"
}

@test "an overlap ends the versions before, and not sooner" {
    new_key a
    event 1 '"data":1' | seal >one
    rotate a random --overlap 3s
    is "$(open <one)" "$(event 1 '"data":1')"
    gone() {
        has "$(reason <one)" "the vault does not hold"
    }
    wait_for gone
}

@test "a key has 64 versions at most, and says what then" {
    new_key a
    for _ in $(seq 63); do
        rotate a random
    done
    refused 78 "64 versions already" rotate a random
    event 1 '"data":1' | seal | open | cmp - <(event 1 '"data":1')
}

@test "a stage that runs takes the new version, and opens what others sealed with it" {
    new_key a
    mkfifo s.in o.in
    exec 8<>s.in 9<>o.in
    spawn s dpp-transform --seal vault:a 8>&- 9>&-
    spawn o dpp-transform --open vault:a 8>&- 9>&-
    event 1 '"data":1' >&8
    wait_for_text s.out '"id":"1"'
    head -n 1 s.out >&9
    wait_for_text o.out '"data":1'
    rotate a random
    # The opener has not looked since; it does when it needs to.
    event 2 '"data":2' | dpp-transform --seal vault:a >&9
    wait_for_text o.out '"data":2'
    dpp-vault get a >new.key
    n=2
    new() {
        event $((n += 1)) '"data":3' >&8
        py a=new.key <<<"$(tail -n 1 s.out)"
    }
    wait_for new
    exec 8>&- 9>&-
    finish s
    is "$status" 0
    finish o
    is "$status" 0
}

@test "what is in the clear or under another key passes, what does not open is dead" {
    new_key a
    new_key b
    event 1 '"data":1' >in
    dpp-transform --seal vault:b <in >b
    open <b | cmp - b
    open <in | cmp - in
    dpp-transform --open vault:a --open vault:b <b | cmp - in
    seal <b >ab
    open <ab | cmp - b
    sed 's/"source":"[^"]*"/"source":"elsewhere"/' ab >moved
    has "$(reason <moved)" "sealed under a, and changed since, or moved here"
    # The dead letter is the event as it came.
    is "$(open <moved | jq -c .event)" "$(cat moved)"
    sed 's/"data_base64":".*"/"data_base64":"AAAA"/' ab | open >out
    has "$(cat out)" '"data_base64":"AAAA"'
}

@test "an event belongs to its source, id and subject, and opens after a split" {
    new_key a
    event 1 '"subject":"ann","data":1' | seal >sealed
    for change in 's/"id":"1"/"id":"2"/' 's/ann/bob/' 's/,"subject":"ann"//' \
        's/"id":"1"/"id":"1#"/' 's/"id":"1"/"id":"#2"/'; do
        has "$(sed "$change" sealed | reason)" "changed since, or moved"
    done
    sed 's/"type":"[^"]*"/"type":"other","more":1/' sealed | open |
        grep '"data":1'
    dpp-transform '., ., .' <sealed | open >out
    is "$(jq -r .id out | xargs)" "1 1#2 1#3"
    is "$(jq -r .data out | xargs)" "1 1 1"
    event 'x#2' '"data":2' | seal | dpp-transform '., .' | open |
        grep -c '"data":2' | grep -x 2
}

@test "a program sees the event opened, and what it makes is sealed again" {
    new_key a
    new_key b
    event 1 '"data":{"n":[1,2,3]}' | seal >sealed
    dpp-transform --open vault:a --seal vault:b '.data.n[] as $n | .data = $n' \
        <sealed >out
    is "$(wc -l <out)" 3
    dpp-transform --open vault:b <out | jq -c '[.id, .data]' | xargs |
        grep -xF '[1,1] [1#2,2] [1#3,3]'
    # What it fails on is a dead letter as sealed as the event was.
    dpp-transform --open vault:a --seal vault:b 'error("no")' <sealed >out
    is "$(jq -c .event out)" "$(cat sealed)"
    dpp-transform --open vault:a 'select(.data.n | length > 3)' <sealed >out
    is "$(cat out)" ""
}

@test "fields are sealed where the paths lead, and all other bytes stay" {
    new_key a
    new_key b
    cp "$ROOT/tests/cli/data/fields.ndjson" in
    all=(--seal 'vault:a=.data.u[].email' --seal 'vault:b=.data["a/b~"]."c d"'
        --seal 'vault:a=.data.t[1]')
    dpp-transform "${all[@]}" <in >sealed
    is "$(grep -o kanari sealed)" kanari # that is t[0]
    is "$(grep -o dpp-seal: sealed | wc -l)" 8
    is "$(sed 's/"dpp-seal:[^"]*"/X/g' sealed | head -n 1)" \
        "$(sed 's/"kanari"/X/g;s/:null/:X/;s/\["K"\]/X/;s/"-"/X/' in |
            head -n 1)"
    # Each stage opens what it has the key of, in any order.
    open <sealed >half
    is "$(grep -o dpp-seal: half | wc -l)" 1
    dpp-transform --open vault:b <half | cmp - in
    dpp-transform --open vault:b <sealed | open | cmp - in
    dpp-transform --open vault:b --open vault:a <sealed | cmp - in
    # Once more changes nothing.
    dpp-transform "${all[@]}" <sealed | cmp - sealed
}

@test "a field belongs to its event and its place" {
    new_key a
    event 1 '"data":{"a":1,"b":[2,3]}' >in
    dpp-transform --seal vault:a=.data.a --seal 'vault:a=.data.b[]' <in >sealed
    open <sealed | cmp - in
    jq -c '.data |= {b: .a, c: .b}' sealed >moved
    has "$(reason <moved)" "sealed under a at /b, and changed since, or moved"
    jq -c '.data.b |= reverse' sealed >moved
    has "$(reason <moved)" "sealed under a at /b/0"
    jq -c '.id = "2"' sealed >moved
    has "$(reason <moved)" "sealed under a at /a"
    # What only looks like a field is none.
    event 1 '"data":["dpp-seal:","dpp-seal:A","dpp-seal:%",{"dpp-seal:":1}]' \
        >in
    open <in | cmp - in
    # Others write strings as they like.
    sed 's/dpp-seal:\([^"\/]*\)\//dpp-seal:\1\\\//' sealed | open |
        grep -F '"data":{"a":1,"b":[2,3]}'
}

@test "where a field cannot be is a dead letter, where it is missing is none" {
    new_key a
    path='.data.u[0].e'
    for u in '"x":1' '"u":null' '"u":[]' '"u":[null]' '"u":[{}]'; do
        event 1 "\"data\":{$u}" >in
        dpp-transform --seal "vault:a=$path" <in | cmp - in
    done
    bad() { # bad MEMBERS REASON
        event 1 "$1" | dpp-transform --seal "vault:a=$path" >out
        is "$(jq -r .why out)" "dpp-transform: --seal $path: the data$2"
    }
    bad '"data":3' " is no object"
    bad '"data":{"u":{"e":1}}' " at /u is no array"
    bad '"data":{"u":["e"]}' " at /u/0 is no object"
    bad '"data":"{}","datacontenttype":"text/plain"' " is no JSON"
    bad '"data_base64":"AAEC"' " is no JSON"
    # All of it under a key is no field in the clear.
    event 1 '"data":1' | seal >in
    dpp-transform --seal "vault:a=$path" <in | cmp - in
    for p in .dat .data. '.data[' .data.1 '.data["\(1)"]' .datax '.data|.x'; do
        refused 64 "is no path to a field" dpp-transform --seal "vault:a=$p"
    done
    refused 64 "sealed without a path" dpp-transform --seal vault:a=.data
    refused 64 "no other --seal" dpp-transform --seal vault:a \
        --seal vault:a=.data.x
    refused 64 "finds its fields by itself" dpp-transform --open vault:a=.data.x
}

@test "the other program opens and seals the same fields" {
    new_key a
    event 1 '"subject":"s","data":{"u":[ {"e~/":  1.50 } ,2]}' >in
    dpp-transform --seal 'vault:a=.data.u[]["e~/"]' \
        <<<'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{}}'
    dpp-transform --seal 'vault:a=.data.u[0]["e~/"]' <in >sealed
    grep -q dpp-seal: sealed
    py a=a.key <sealed | cmp - in
    py --seal a=a.key /u/0/e~0~1 <in >sealed
    grep -q dpp-seal: sealed
    open <sealed | cmp - in
}

@test "what was sealed in what was sealed opens to the ground" {
    new_key a
    new_key b
    event 1 '"data":{"u":{"e":"x"},"v":1}' >in
    dpp-transform --seal vault:a=.data.u.e <in |
        dpp-transform --seal vault:b=.data.u |
        dpp-transform --seal vault:a | dpp-transform --seal vault:b >sealed
    dpp-transform --open vault:a --open vault:b <sealed | cmp - in
}

@test "deep and wide data is no way to make the stage fall" {
    new_key a
    python3 - >in <<'END'
deep = "[" * 200000 + '"dpp-seal:AAAA"' + "]" * 200000
wide = "[" + ",".join(['"dpp-seal:AAAA"'] * 20000) + "]"
for data in deep, wide, '{"a":' + deep + "}":
    print('{"specversion":"1.0","id":"1","source":"/s","type":"t","data":'
          + data + "}")
END
    open <in | cmp - in
    dpp-transform --seal vault:a=.data.a <in >sealed
    is "$(grep -c is.no.object sealed)" 2
    tail -n 1 sealed | open | cmp - <(tail -n 1 in)
}

@test "a bad key is refused before anything is read" {
    new_key a
    put tok hush
    echo >in
    refused 64 "a key to seal with is vault:NAME" dpp-transform --seal a . <in
    refused 64 "a key to seal with is vault:NAME" dpp-transform --open file:a
    refused 64 "a key to seal with is vault:NAME" dpp-transform \
        --open vault:a.secret
    refused 77 "has no entry none" dpp-transform --seal vault:none <in
    refused 78 'of the kind "token"' dpp-transform --seal vault:tok <in
    refused 65 'neither 32 bytes nor 64 hex' put b hush --kind key
    put c "$(head -c 32 a.key | od -An -v -tx1 | tr -d ' \n')" --kind key
    cmp a.key <(dpp-vault get c)
}

@test "dpp-run hands a stage the keys that its arguments name, and no others" {
    new_key a
    new_key b
    event 1 '"data":1' >in
    dpp-transform --seal vault:b <in >b
    dpp-run cat in ! dpp-transform --seal vault:a ! tee sealed >/dev/null
    open <sealed | cmp - in
    event 1 '"data":{"x":1}' >in2
    dpp-run cat in2 ! dpp-transform --seal vault:a=.data.x ! tee out >/dev/null
    grep -q dpp-seal: out
    run dpp-run cat b ! env -u x sh -c 'dpp-transform --open vault:b' \
        vault:a ! tee out
    has "$output" "this entry was not handed to this program"
}

@test "through a topic to an endpoint, and nothing in between is in the clear" {
    new_key a
    endpoint
    topics in
    all_kinds | head -n 1 >in
    dpp-run cat in ! dpp-transform --seal vault:a ! dpp-produce -t in
    run dpp-run dpp-consume -t in -g g -e ! dpp-transform --open vault:a ! \
        dpp-deliver -s r "$url"
    is "$status" 0
    grep -qa '"m":"kanari", "n": 1.0e2,"x":12345678901234567890' bytes
    # A dead letter of the stage that opens is as sealed as what it read.
    run dpp-run dpp-consume -t in -g h -e ! dpp-transform --open vault:a \
        'error("no")' ! dpp-produce -t out
    is "$status" 0
    is "$(dpp-consume -t in.dead -e | jq -r .deadreason)" \
        "dpp-transform: no"
    dpp-consume -t in.dead -e | open | grep -q '"m":"kanari"'
    run grep -rlaF kanari "$T/store" "$T/r" "$T/state"
    is "$output" ""
}
