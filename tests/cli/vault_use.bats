#!/usr/bin/env bats
# -k vault:NAME: who gets which secret, when it changes, and where it shows.
# shellcheck disable=SC2154 # the helpers set them
# shellcheck disable=SC2016 # $ is for the inner shell
load helper
load vault
load listen
load deliver

setup() {
    vault_setup
    DPP_BROKER=$(store)
    export DPP_BROKER T
}

teardown() {
    common_teardown
}

# signed SECRET: the status of a request that is signed with it.
signed() {
    post '{}' -H "X-Hub-Signature-256: sha256=$(printf '{}' |
        openssl dgst -sha256 -hmac "$1" -r | cut -c-64)"
}
signed_is() {
    [ "$(signed "$1")" = "$2" ]
}

# shows WORDS: the endpoint has seen them in a header.
shows() {
    wait_for grep -qaF -- "$1" bytes
}

@test "dpp-listen takes old and new while they overlap, then the new, without a restart" {
    new_vault gh one
    listen listen -t in -C github -k vault:gh
    is "$(signed one)" 200
    is "$(signed two)" 401
    rotate gh two --overlap 4s
    wait_for signed_is two 200
    is "$(signed one)" 200
    wait_for signed_is one 401
    is "$(signed two)" 200
    rotate gh three --overlap 0
    wait_for signed_is three 200
    is "$(signed two)" 401
    stop listen
    is "$status" 0
}

@test "in a file of routes a key may be in the vault too" {
    new_vault gh one
    printf 'routes:\n- {path: /hook, connector: github, key: "vault:gh"}\n' \
        >routes.yaml
    listen listen -t in -c routes.yaml
    is "$(signed one)" 200
    is "$(signed two)" 401
}

@test "an entry that goes away leaves the old secret in use, and says so" {
    new_vault gh one
    listen listen -t in -C github -k vault:gh
    dpp-vault rm gh
    said() { signed one >/dev/null && grep -q "old keys stay" listen.err; }
    wait_for said
    is "$(signed one)" 200
    has "$(cat listen.err)" "secret vault:gh: "
}

@test "dpp-deliver sends the new secret with the next request" {
    new_vault chat one
    endpoint
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s retry -k vault:chat "$url" 8>&-
    event 1 '"data":1' >&8
    shows 'Authorization: Bearer one'
    rotate chat two
    n=1
    both() {
        event $((n += 1)) '"data":1' >&8
        grep -qa 'Authorization: Bearer two' bytes
    }
    wait_for both
    exec 8>&-
    finish t
    is "$status" 0
}

@test "an entry of the kind basic is sent as user and password, in base 64" {
    dpp-vault init
    put chat '{"user":"Aladdin","password":"open sesame"}' --kind basic
    endpoint
    event 1 '"data":1' >in
    dpp-deliver -q -s r -k vault:chat "$url" <in
    shows 'Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
    dpp-deliver -q -s r -k vault:chat.user "$url" <in
    shows 'Authorization: Bearer Aladdin'
    (umask 077 && printf Aladdin:open >key)
    dpp-deliver -q -s r -k file:key -H 'X: {id} {secret.base64}' "$url" <in
    shows 'X: 1 QWxhZGRpbjpvcGVu'
    refused 64 "{secret} in a URL" dpp-deliver -k file:key \
        'http://h/{secret.base64}'
}

@test "an endpoint that refuses the secret is tried at once when it changes" {
    new_vault chat one
    endpoint
    echo 401 >control
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s retry -k vault:chat "$url" 8>&-
    event 1 '"data":1' >&8
    wait_for_text t.err "paused (401"
    rm control
    n=$SECONDS
    rotate chat two
    shows 'Authorization: Bearer two'
    [ $((SECONDS - n)) -lt 15 ] # the pause is 30 s
    wait_for has_accepted 1
    exec 8>&-
    finish t
}

@test "a secret from a file is read again when the endpoint refuses the old one" {
    printf one >key
    chmod 600 key
    endpoint
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s retry -k file:key "$url" 8>&-
    event 1 '"data":1' >&8
    shows 'Authorization: Bearer one'
    printf two >key
    echo 401 >control
    event 2 '"data":1' >&8
    wait_for_text t.err "the secret is another one now"
    rm control
    n=$SECONDS
    shows 'Authorization: Bearer two'
    [ $((SECONDS - n)) -lt 15 ]
    kill -HUP "$(pid_of t)" # that one may have been refused as well
    exec 8>&-
    finish t
    is "$status" 0
}

@test "without a vault, an entry or a key the program does not start: 77" {
    run dpp-deliver -k vault:chat http://127.0.0.1:9/ </dev/null
    is "$status" 77
    has "$output" "secret vault:chat: there is no vault"
    new_vault a one
    refused 77 "has no entry chat" dpp-topic -b kafka://127.0.0.1:9 \
        -X sasl.mechanism=PLAIN -k vault:chat list
    refused 77 'token has no field "user"' dpp-topic -b kafka://127.0.0.1:9 \
        -k vault:a.user list
    refused 64 "vault:NAME, file:PATH" dpp-deliver -k vault:a/b \
        http://127.0.0.1:9/ </dev/null
    rm "$KEY"
    refused 77 "vault.key: No such file" dpp-deliver -k vault:a \
        http://127.0.0.1:9/ </dev/null
}

@test "an expired secret is used, with a warning" {
    new_vault
    put chat one --expires 1ms
    endpoint
    event 1 '"data":1' >in
    run dpp-deliver -s retry -k vault:chat "$url" <in
    is "$status" 0
    has "$output" "warning: secret vault:chat: it expired at 20"
    shows 'Bearer one'
}

@test "dpp-run hands a stage the entries that its arguments name, and no other" {
    new_vault a secret-a b secret-b
    mv "$KEY" key
    refused 77 "vault.key: No such file" dpp-run cat ! \
        dpp-deliver -k vault:a http://127.0.0.1:9/
    mv key "$KEY"
    endpoint
    event 1 '"data":1' >in
    # Each of the two can read the file; the first may open a, and b is named
    # to the other one only.
    dpp-run sh -c 'dpp-deliver -q -s r1 -k vault:a "$0"; dpp-deliver -q -s r2 \
        -k vault:b "$0"; echo $? >status; head -c 11 "$2" >read' \
        "$url" vault:a "$VAULT" <in ! dpp-deliver -k vault:b "$url" 2>err ||
        :
    is "$(cat status)" 77
    has "$(cat err)" "secret vault:b: this entry was not handed"
    is "$(cat read)" "dpp-vault 1"
    shows 'Bearer secret-a'
    has_not "$(grep -a Bearer bytes)" secret-b
}

@test "a stage without an entry gets no key, and one named in -X or joined does" {
    new_vault a one
    cat >probe <<'END'
#!/bin/sh
echo "$1 ${DPP_VAULT_FD:+has}" >>handed
END
    chmod +x probe
    dpp-vault grant a >g
    DPP_VAULT_FD=9 dpp-run ./probe none ! ./probe x -kvault:a ! \
        ./probe y sasl.password=vault:a.secret ! ./probe z vault:a/b 9<g
    is "$(sort handed)" "none 
x has
y has
z "
}

@test "entries that are named in a file of properties or of routes are handed, too" {
    new_vault gh one other two
    printf 'routes:\n- path: /hook  # not vault:absent\n  connector: github
  keys: ["vault:gh"] # nor vault:absent\n' >routes.yaml
    topics in
    for config in "-c routes.yaml" "-croutes.yaml" --config=routes.yaml; do
        # shellcheck disable=SC2086 # words
        spawn run dpp-run dpp-listen -l 127.0.0.1:0 $config ! \
            dpp-produce -t in
        await_listen run
        is "$(signed two)" 401
        is "$(signed one)" 200
        stop run
        rm run.err
    done
    printf '# vault:absent\nsasl.mechanism = PLAIN\nsasl.username = u
sasl.password = vault:other\n' >props
    printf '#!/bin/sh\necho "$1 ${DPP_VAULT_FD:+has}" >>handed\n' >dpp-probe
    chmod +x dpp-probe
    cp dpp-probe another
    dpp-run ./dpp-probe -X@props ! ./dpp-probe --property=@props ! \
        ./dpp-probe @props ! ./dpp-probe @routes.yaml.old ! ./another @props
    is "$(sort handed)" "--property=@props has
-X@props has
@props 
@props has
@routes.yaml.old "
    echo sasl.password=vault:absent >props
    refused 77 "props: vault" dpp-run cat ! dpp-produce -t t -X @props
}

@test "a grant opens its entry without the vault's key: by descriptor, pipe, credential" {
    new_vault a secret-a b secret-b
    dpp-vault grant a >g
    mkdir creds
    cp g creds/vault.a
    /usr/bin/python3 "$ROOT/tests/tools/vaultread" "$VAULT" grant:g >shown
    is "$(cat shown)" "a token secret=secret-a"
    dpp-vault grant a >gpipe
    rm "$KEY"
    endpoint
    event 1 '"data":1' >in
    dpp-deliver -q -s r -k vault:a "$url" <in && false
    DPP_VAULT_FD=9 dpp-deliver -s r -k vault:a "$url" <in 9<g
    DPP_VAULT_FD=9 dpp-deliver -s r -k vault:a "$url" <in 9< <(cat gpipe)
    CREDENTIALS_DIRECTORY=$T/creds dpp-deliver -s r -k vault:a "$url" <in
    CREDENTIALS_DIRECTORY=$T/creds dpp-run cat in ! \
        dpp-deliver -s r -k vault:a "$url" 2>err || :
    is "$(grep -ac 'Bearer secret-a' bytes)" 4
    refused 77 "was not handed" env DPP_VAULT_FD=9 dpp-deliver -k vault:b \
        "$url" 9<g <in
    refused 77 "no grant of dpp-vault" env DPP_VAULT_FD=9 dpp-deliver \
        -k vault:a "$url" 9<in <in
    refused 77 "no open descriptor" env DPP_VAULT_FD=9 dpp-deliver \
        -k vault:a "$url" 9<&- <in
}

@test "a grant follows rotations, ends with rekey, and refuses an older entry" {
    new_vault a one
    cp "$VAULT" old
    rotate a two
    dpp-vault grant a >g
    rotate a three
    endpoint
    event 1 '"data":1' >in
    DPP_VAULT_FD=9 dpp-deliver -s r -k vault:a "$url" <in 9<g
    shows 'Bearer three'
    cp "$VAULT" new
    cat old >"$VAULT"
    refused 78 "the entry is older than it was" env DPP_VAULT_FD=9 \
        dpp-deliver -s r -k vault:a "$url" <in 9<g
    cat new >"$VAULT"
    dpp-vault rekey
    refused 77 "the key does not fit" env DPP_VAULT_FD=9 dpp-deliver -s r \
        -k vault:a "$url" <in 9<g
}

@test "dpp-run asks once for a passphrase, at the terminal, and its stages do not" {
    tty 'open it' 'open it' -- dpp-vault init --passphrase
    tty 'open it' -- sh -c 'printf secret-a | dpp-vault put a'
    endpoint
    event 1 '"data":1' >in
    run tty 'open it' -- dpp-run cat in ! sh -c \
        'dpp-deliver -q -s r -k vault:a "$0"; echo $? >status' "$url" vault:a
    is "$(cat status)" 0
    shows 'Bearer secret-a'
    run setsid -w dpp-deliver -s r -k vault:a "$url" <in
    is "$status" 77
    has "$output" "asked for at a terminal, and there is none"
}

@test "programs that shall lock their secrets do not start where they cannot" {
    can_unlock
    new_vault a one
    refused 77 "memory cannot be locked" unlocked dpp-deliver -k vault:a \
        --require-mlock http://127.0.0.1:9/ </dev/null
    refused 77 "memory cannot be locked" unlocked dpp-listen -k vault:a \
        -C github -t in -l 127.0.0.1:0 --require-mlock
    refused 77 "memory cannot be locked" unlocked dpp-run --require-mlock \
        true vault:a
    refused 0 "warning: memory cannot be locked" unlocked dpp-run true vault:a
    event 1 '"data":1' >in
    for program in "dpp-consume -t t" "dpp-produce -t t" "dpp-topic list" \
        dpp-transform; do
        # shellcheck disable=SC2086 # words
        refused 77 "memory cannot be locked" unlocked $program \
            --require-mlock <in
    done
}

# holders TEXT PID…: those of them that have it in what they have open, or in
# their memory.
holders() {
    /usr/bin/python3 - "$@" <<'END'
import os, sys
text = sys.argv[1].encode()

def opened(pid):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        target = os.readlink(path)
        if target.startswith("/memfd:") or (os.path.isfile(path) and
                                            not target.endswith("/bytes")):
            with open(path, "rb") as f:
                yield f"fd {fd} {target}", f.read()

def memory(pid):
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            at, end = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and end - at < 1 << 28:
                try:
                    mem.seek(at)
                    yield "memory", mem.read(end - at)
                except OSError:
                    pass

for pid in sys.argv[2:]:
    name = open(f"/proc/{pid}/comm").read().strip()
    where = [*opened(pid), *memory(pid)]
    assert where
    for what in sorted({w for w, data in where if text in data}):
        print(name, what)
END
}

@test "a secret of a running pipeline shows nowhere but at the endpoint" {
    canary=kanarienvogel-7f3a
    new_vault chat "$canary" gh "$canary-gh"
    ulimit -c unlimited 2>/dev/null || :
    endpoint
    to=$url
    topics in in.dead
    listen listen -t in -C github -k vault:gh
    is "$(signed "$canary-gh")" 200
    spawn run dpp-run -v dpp-consume -t in -g g ! dpp-transform . ! \
        dpp-deliver -v --retry 1h -k vault:chat "$to"
    shows "Bearer $canary"
    # A dead letter, and what waits for another try.
    echo 400 >control
    is "$(signed "$canary-gh")" 200
    dead() { dpp-consume -t in.dead -e >dead && [ -s dead ]; }
    wait_for dead
    echo 503 >control
    is "$(signed "$canary-gh")" 200
    wait_for grep -qF ' 503 ' record
    kill -USR1 "$(pid_of run)"
    mapfile -t all < <(pid_of listen; pid_of run
        ps -o pid= --ppid "$(pid_of run)" | tr -d ' ')
    is "${#all[@]}" 5
    for p in "${all[@]}"; do
        has_not "$(tr '\0' ' ' <"/proc/$p/cmdline")" "$canary"
        has_not "$(tr '\0' ' ' <"/proc/$p/environ")" "$canary"
    done
    # In the memory of those two that need it, and in no other's; in nothing
    # that anybody has open.
    [ "$(id -u)" != 0 ] || is "$(holders "$canary" "${all[@]}" | sort)" \
        "dpp-deliver memory
dpp-listen memory"
    # They leave no core, and let nobody look in.
    deliver=$(pgrep -P "$(pid_of run)" dpp-deliver)
    for p in "$(pid_of listen)" "$deliver"; do
        has "$(tr -s ' ' <"/proc/$p/limits")" "Max core file size 0 0 "
    done
    kill -ABRT "$deliver"
    wait_for_text run.err "dpp-deliver (stage 3)"
    stop run # what waits is in the retry store now
    [ -s "$(find state -path '*deliver*' -type f -size +0 | head -n 1)" ]
    stop listen
    run grep -rlaF "$canary" "$T" --include='*' --exclude=bytes
    is "$output" ""
}
