#!/usr/bin/env bats
# dpp-vault: the file, its key, what goes in and out.
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

@test "a value comes back byte for byte, and one line end is not part of it" {
    new_vault
    printf 'a\n' | dpp-vault put a
    printf '\000\377\r\n\n' | dpp-vault put b --kind hmac
    is "$(dpp-vault get a | od -An -c | xargs)" a
    is "$(dpp-vault get b | od -An -tx1 | xargs)" "00 ff 0d 0a"
}

@test "init makes a key and a vault that only the user can read, and no second one" {
    run dpp-vault init
    is "$status" 0
    has "$output" "the key is in $KEY: keep a copy"
    is "$(stat -c %a "$VAULT" "$KEY" "$VAULT.lock" | xargs)" "600 600 600"
    is "$(stat -c %s "$KEY")" 32
    [ ! -e "$KEY.new" ]
    refused 78 "there is a vault" dpp-vault init
    refused 78 "there is a key" dpp-vault -s other init
    [ ! -e other ]
}

@test "list shows names, kinds and times, and no value" {
    new_vault one hush
    echo '{"user":"ann","password":"hush"}' | dpp-vault put two --kind basic \
        --expires 2030-01-02T03:04Z
    run dpp-vault
    is "$status" 0
    has "${lines[0]}" "NAME"
    time='20..-..-..T..:..:..Z'
    [[ ${lines[1]} =~ ^one\ +token\ +$time\ +never\ +never\ +never$ ]]
    [[ ${lines[2]} =~ ^two\ +basic\ +$time\ +never\ +2030-.*:00Z\ +never$ ]]
    has_not "$output" hush
    has_not "$output" ann
    dpp-vault get one >/dev/null
    [[ $(dpp-vault list | sed -n 2p) =~ never\ +never\ +$time$ ]]
}

@test "fields are checked when they are put, by names and never by values" {
    new_vault
    bad() { # bad KIND TEXT WORDS
        refused 65 "$3" bash -c "printf %s '$2' | dpp-vault put x --kind $1"
        has_not "$output" hush
    }
    bad token $'hush\nhush' '"secret" has a line end or a control character'
    bad token '' '"secret" is empty'
    bad basic '{"user":"u"}' 'basic: "password" is missing'
    bad basic '{"user":"u","password":"hush","x":"hush"}' 'no field "x"'
    bad basic '{"user":"a:hush","password":"p"}' '"user" has a colon'
    bad basic '{"user":"u","password":7}' '"password" is not a text'
    bad basic '{"user":"u","password":"hush' 'this is no JSON'
    bad basic '["hush"]' 'give it as a JSON object'
    bad sasl '{"user":"u","password":"hush","mechanism":"X"}' \
        '"mechanism" is none of PLAIN, SCRAM-SHA-256'
    bad tls-key 'hush' '"key" is no private key in PEM'
    refused 64 "there are token, hmac, basic" dpp-vault put x --kind none
    refused 64 "is no name" dpp-vault put a/b </dev/null
    is "$(dpp-vault 2>&1)" "dpp-vault: no entries yet in $VAULT"
}

@test "one field of an entry, and what the kind stands for" {
    new_vault
    openssl genpkey -algorithm ed25519 2>/dev/null >pem
    dpp-vault put key --kind tls-key <pem
    echo '{"user":"ann","password":"p\"\u00e9"}' | dpp-vault put b --kind basic
    echo '{"user":"ann","password":"p","mechanism":"PLAIN"}' |
        dpp-vault put s --kind sasl
    is "$(dpp-vault get key)" "$(cat pem)"
    is "$(dpp-vault get b)" 'ann:p"é'
    is "$(dpp-vault get b.user)" ann
    is "$(dpp-vault get s)" p
    is "$(dpp-vault get s.mechanism)" PLAIN
    refused 77 'sasl has no field "secret"' dpp-vault get s.secret
}

@test "put refuses a name that is there, rotate and rm one that is not" {
    new_vault a one
    refused 78 "has an entry a already" put a two
    refused 77 "has no entry b" rotate b two
    refused 77 "has no entry b" dpp-vault rm b
    rotate a two
    is "$(dpp-vault get a)" two
    dpp-vault rm a
    refused 77 "has no entry a" dpp-vault get a
    put a three
    is "$(dpp-vault get a)" three
}

@test "a secret is shown on a terminal only with --reveal" {
    new_vault a hush
    refused 64 "--reveal shows it" tty -- dpp-vault get a
    has_not "$output" hush
    run tty -- dpp-vault get a --reveal
    is "$output" $'hush\r'
    refused 64 "goes into a pipe or a file" tty -- dpp-vault grant a
}

@test "at a terminal a value is asked for, field by field and without an echo" {
    new_vault
    run tty ann hush -- dpp-vault put b --kind smtp
    is "$status" 0
    has "$output" "user of b: "
    has "$output" "password of b: "
    has_not "$output" hush
    has_not "$output" ann
    is "$(dpp-vault get b.user) $(dpp-vault get b)" "ann hush"
}

@test "while a value is typed others read and write, and nothing of theirs is lost" {
    new_vault a one
    run tty '!printf two | dpp-vault put b; dpp-vault get b >got' three -- \
        dpp-vault rotate a
    is "$status" 0
    is "$(cat got)" two
    is "$(dpp-vault get a) $(dpp-vault get b)" "three two"
    refused 78 "has an entry c already" tty '!printf theirs | dpp-vault put c' \
        mine -- dpp-vault put c
    refused 75 "got another key just now" tty '!dpp-vault rekey' mine -- \
        dpp-vault put d
    is "$(dpp-vault get c)" theirs
}

@test "Ctrl-C at the question ends it, with the echo back and nothing changed" {
    new_vault
    run tty '^C' -- sh -c 'trap : INT; dpp-vault put a; stty -a'
    has "$output" " echo "
    is "$(dpp-vault 2>&1)" "dpp-vault: no entries yet in $VAULT"
}

@test "a passphrase is asked for at the terminal, twice when it is new" {
    refused 77 "the two are not the same" tty one two -- \
        dpp-vault init --passphrase
    [ ! -e "$VAULT" ]
    run tty 'open it' 'open it' -- dpp-vault init --passphrase
    is "$status" 0
    [ ! -e "$KEY" ]
    tty 'open it' -- sh -c 'printf hush | dpp-vault put a'
    run tty 'open it' -- sh -c 'dpp-vault get a | cat'
    has "$output" hush
    # One question for the passphrase, one for the value, and then the work.
    run tty 'open it' hush2 -- dpp-vault rotate a
    is "$status" 0
    refused 77 "has no entry b" tty 'open it' -- dpp-vault rotate b
    refused 77 "this is not its passphrase" tty shut -- dpp-vault list
    refused 77 "asked for at a terminal, and there is none" \
        setsid -w dpp-vault list
    refused 64 "-k is of no use" dpp-vault -k "file:$KEY" list
}

@test "the key comes by reference, from a credential, or from the default file" {
    (umask 077; head -c 32 /dev/urandom >k; head -c 31 k >short)
    dpp-vault -s v -k file:k init
    printf hush | dpp-vault -s v -k file:k put a
    is "$(dpp-vault -s v -k fd:7 get a 7<k)" hush
    printf hush | dpp-vault -s v -k fd:7 rotate a 7<k
    mkdir creds
    cp k creds/vault.key
    is "$(CREDENTIALS_DIRECTORY=$T/creds dpp-vault -s v get a)" hush
    is "$(CREDENTIALS_DIRECTORY=$T/creds dpp-vault -s v -k cred:vault.key \
        get a)" hush
    refused 77 "No such file" dpp-vault -s v get a
    refused 77 "32 bytes, these are 31" dpp-vault -s v -k file:short get a
    refused 64 "never by itself" dpp-vault -s v -k hush get a
    has_not "$output" hush
    chmod 640 k
    refused 77 "chmod 600" dpp-vault -s v -k file:k get a
}

@test "a vault that others may read, or that is a link or another's, is refused" {
    new_vault a hush
    chmod 640 "$VAULT"
    refused 77 "$VAULT: others may read or write it; chmod 600 it" \
        dpp-vault get a
    chmod 600 "$VAULT"
    mv "$VAULT" real
    ln -s "$T/real" "$VAULT"
    refused 77 "a symbolic link" dpp-vault get a
    rm "$VAULT"
    mkfifo -m 600 "$VAULT"
    refused 77 "not a regular file" dpp-vault get a
    rm "$VAULT"
    [ "$(id -u)" = 0 ] || skip "the rest needs root"
    cp real "$VAULT"
    chown 12345 "$VAULT"
    refused 77 "belongs to another user" dpp-vault get a
}

@test "another key, and a file changed by other hands, are refused as a whole" {
    new_vault a hush b hush
    cp "$VAULT" good
    (umask 077; head -c 32 /dev/urandom >k)
    refused 77 "the key does not fit" dpp-vault -k file:k get a
    for at in 15 100 150 200 -1; do
        /usr/bin/python3 - "$VAULT" "$at" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 1
open(sys.argv[1], "wb").write(data)
END
        run dpp-vault get a
        [ "$status" = 77 ] || is "$status" 78
        has_not "$output" hush
        cat good >"$VAULT"
    done
    is "$(dpp-vault get a)" hush
}

@test "another program, written from the manual alone, opens an entry" {
    new_vault tok hush
    rotate tok hush2
    echo '{"user":"u","password":"é"}' | dpp-vault put b --kind basic
    run /usr/bin/python3 "$ROOT/tests/tools/vaultread" "$VAULT" "$KEY"
    is "$status" 0
    is "${lines[0]}" "b basic user=u password=é"
    is "${lines[1]}" "tok token secret=hush2 | secret=hush"
    tty 'open it' 'open it' -- dpp-vault -s p init --passphrase
    tty 'open it' -- sh -c 'printf hush | dpp-vault -s p put x'
    is "$(/usr/bin/python3 "$ROOT/tests/tools/vaultread" p \
        passphrase:'open it')" "x token secret=hush"
}

@test "rekey seals all anew, and the old key opens nothing" {
    new_vault a one b two
    cp "$KEY" old
    chmod 600 old
    dpp-vault rekey
    is "$(dpp-vault get a) $(dpp-vault get b)" "one two"
    [ ! -e "$KEY.new" ]
    refused 77 "the key does not fit" dpp-vault -k file:old get a
    refused 64 "the new key is the old one" dpp-vault rekey --to "file:$KEY"
    (umask 077; head -c 32 /dev/urandom >k)
    dpp-vault -s other -k "file:$KEY" init # it has the key from the first
    refused 64 "say what the new key is" dpp-vault -s other rekey
    dpp-vault -s other rekey --to file:k
    is "$(dpp-vault get a)" one
    dpp-vault rekey --to file:k
    [ ! -e "$KEY" ]
    refused 64 "say what the new key is" dpp-vault -k file:k rekey
    tty 'open it' 'open it' -- dpp-vault -k file:k rekey --passphrase
    run tty 'open it' -- sh -c 'dpp-vault get b | cat'
    has "$output" two
}

@test "a bundle carries the entries to another vault, under its own key" {
    new_vault a one b two
    (umask 077; head -c 32 /dev/urandom >way)
    refused 64 "what shall it be sealed with" dpp-vault export
    dpp-vault export --to file:way >bundle
    export XDG_DATA_HOME=$T/data2 XDG_CONFIG_HOME=$T/config2
    new_vault b mine
    refused 78 "nothing was imported" dpp-vault import --from file:way <bundle
    refused 77 "has no entry a" dpp-vault get a
    dpp-vault import --from file:way --replace <bundle
    is "$(dpp-vault get a) $(dpp-vault get b)" "one two"
    refused 77 "not its key, or it was changed" \
        dpp-vault import --from "file:$XDG_CONFIG_HOME/dpp/vault.key" <bundle
    refused 64 "--from REF" dpp-vault import <bundle
    head -c 200 bundle >short
    refused 78 "damaged, or cut off" dpp-vault import --from file:way <short
}

@test "memory that cannot be locked is a warning, or with --require-mlock 77" {
    can_unlock
    new_vault a hush
    run --separate-stderr unlocked dpp-vault get a
    is "$output" hush
    has "$stderr" "warning: memory cannot be locked"
    refused 77 "memory cannot be locked" unlocked dpp-vault get a \
        --require-mlock
    is "$(dpp-vault get a --require-mlock)" hush
}

@test "no secret stands in an argument: what follows a name is not repeated" {
    new_vault
    refused 64 "a value comes through standard input" dpp-vault put a hush
    has_not "$output" hush
}

@test "credentials without an entry, or without systemd-creds, prints nothing" {
    new_vault a one
    refused 64 "takes the names of entries" dpp-vault credentials
    refused 77 "has no entry b" dpp-vault credentials b
    refused 77 'no field "user"' dpp-vault credentials a.user
    run env PATH="$T" "$(command -v dpp-vault)" credentials a
    is "$status" 71
    is "$output" "dpp-vault: error: a: systemd-creds: there is no such program \
in \$PATH; it comes with systemd 250 and later"
}
