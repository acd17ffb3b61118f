#!/usr/bin/env bats
# Access tokens: renewed at a real authorisation server, whose refresh tokens
# change with each use (oidc-provider; tests/cli/oauth.mjs).
# shellcheck disable=SC2154 # the helpers set them
# shellcheck disable=SC2016 # $ is for the inner shell
load helper
load vault
load deliver

setup() {
    vault_setup
    modules=$ROOT/build/node_modules
    [ -d "$modules/oidc-provider" ] || skip "run tests/deps first"
}

teardown() {
    common_teardown
    ! mountpoint -q "$T/data" || umount -l "$T/data"
}

# server LIFE [post]: and the entry chat for it.
server() {
    spawn server node "$ROOT/tests/cli/oauth.mjs" "$modules" "$@"
    LIMIT=30 wait_for test -s port
    url=http://127.0.0.1:$(cat port)/hook
    dpp-vault init
    dpp-vault put chat --kind oauth2 <entry
}

answers() { # answers LINE: how often the server answered so
    grep -cxF "$1" log || :
}
has_answers() {
    [ "$(answers "$1")" -ge "$2" ]
}

held_renewal() { # a renewal, until the answer is made and not sent
    touch hold
    spawn renew dpp-renew chat
    wait_for has_answers "token 200" "${1:-1}"
}

@test "renew gets an access token, and keeps the new refresh token for the next time" {
    server 600
    cp "$VAULT" old
    refused 77 "chat: oauth2 has no access_token yet" dpp-vault get chat
    one=$(dpp-vault get chat.refresh_token)
    dpp-renew chat
    two=$(dpp-vault get chat.refresh_token)
    [ "$one" != "$two" ]
    token=$(dpp-vault get chat)
    is "$(curl -s -o /dev/null -w '%{http_code}' -d x \
        -H "Authorization: Bearer $token" "$url")" 200
    dpp-renew chat
    is "$(answers "token 200")" 2
    [ "$(dpp-vault get chat)" != "$token" ]
    dpp-renew --within 5m chat
    is "$(answers "token 200")" 2
    dpp-renew --within 1h chat
    is "$(answers "token 200")" 3
    has "$(dpp-vault)" "$(date -u -d '+10 minutes' +%Y-%m-%dT%H:)"
}

@test "a server that takes the client's secret in the body only gets it there" {
    server 600 post
    dpp-renew chat
    is "$(sort log)" "token 200
token 400"
}

@test "put and rotate check what they are given" {
    dpp-vault init
    entry() {
        printf '{"token_url":"%s","client_id":"c","refresh_token":"r"%s}' \
            "$1" "${2-}" | dpp-vault put x --kind oauth2 "${@:3}"
    }
    refused 65 '"token_url" is no https URL' entry http://example.org/token
    refused 65 '"token_url" is no https URL' entry http://localhost.evil/token
    refused 65 '"token_url" is no https URL' entry https://u:p@example.org/
    refused 65 'no field "renewing"' entry https://a/ ',"renewing":"1"'
    refused 65 '"client_id" is missing' dpp-vault put x --kind oauth2 \
        < <(echo '{"token_url":"https://a/","refresh_token":"r"}')
    refused 65 '"access_token" is larger than 8 KiB' entry https://a/ \
        ",\"access_token\":\"$(head -c 9000 /dev/zero | tr '\0' a)\""
    refused 64 "renewals say when" entry https://a/ '' --expires 1h
    entry https://a/
    refused 64 "renewals say when" dpp-vault rotate x --expires 1h </dev/null
    put t one
    refused 64 "t is of kind token; oauth2 is" dpp-renew t
    refused 77 "no entry y" dpp-renew y
}

@test "dpp-deliver gets a token at its start and new ones in time: no request is refused" {
    server 12
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-run cat ! dpp-deliver -s retry -k vault:chat "$url" 8>&-
    n=0
    sends() {
        event $((n += 1)) '"data":1' >&8
        has_answers "token 200" 3 && has_answers "hook 200" 20
    }
    LIMIT=60 wait_for sends
    exec 8>&-
    finish t
    is "$status" 0
    is "$(answers "hook 200")" "$n"
    is "$(answers "hook 401")" 0
    is "$(answers "token 200")" 3 # not one for each event, either
}

@test "while a token has ended and the next one is on its way nothing is sent" {
    server 6
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s retry -k vault:chat "$url" 8>&-
    event 1 '"data":1' >&8
    wait_for has_answers "hook 200" 1
    touch hold
    over=$(($(date +%s) + 7)) # for both, by their clocks
    ended() { [ "$(date +%s)" -gt "$over" ]; }
    LIMIT=20 wait_for ended
    event 2 '"data":1' >&8
    wait_for has_answers "token 200" 2
    event 3 '"data":1' >&8
    rm hold
    wait_for has_answers "hook 200" 3
    exec 8>&-
    finish t
    is "$(answers "hook 401")" 0
}

@test "a token that the endpoint refuses is renewed, and the event sent again" {
    server 600
    mkfifo t.in
    exec 8<>t.in
    spawn t dpp-deliver -s retry -k vault:chat "$url" 8>&-
    event 1 '"data":1' >&8
    wait_for has_answers "hook 200" 1
    curl -s -d x "${url%/hook}/refuse"
    n=$SECONDS
    event 2 '"data":1' >&8
    LIMIT=25 wait_for has_answers "hook 200" 2
    [ $((SECONDS - n)) -lt 25 ] # the pause is 30 s
    exec 8>&-
    finish t
    is "$status" 0
    is "$(answers "token 200")" 2
    is "$(answers "hook 401")" 1
}

@test "where no token can be had the program does not start, and says why" {
    server 600
    stop server KILL
    event 1 '"data":1' >in
    run dpp-deliver -s retry -k vault:chat "$url" <in
    is "$status" 69
    has "$output" "chat: ${url%/hook}/token: "
    has "$output" "vault:chat: it could not be renewed"
    mv "$KEY" key
    dpp-vault -k file:key grant chat >granted
    run env DPP_VAULT_FD=9 dpp-deliver -s retry -k vault:chat "$url" \
        9<granted <in
    is "$status" 77
    has "$output" "vault.key: No such file"
}

@test "of two that renew at once the second takes what the first one got" {
    server 600
    held_renewal
    spawn other dpp-renew chat
    waits() { grep -qs flock_lock "/proc/$(pid_of other)/stack" ||
        grep -q locks_lock "/proc/$(pid_of other)/wchan"; }
    wait_for waits
    rm hold
    finish renew
    is "$status" 0
    finish other
    is "$status" 0
    is "$(answers "token 200")" 1
    # Nobody waits for the vault meanwhile.
    held_renewal 2
    put b two
    is "$(dpp-vault get b)" two
    rm hold
    finish renew
    is "$(dpp-vault get b)" two
}

@test "a renewal that is interrupted by a signal is finished first" {
    server 600
    for signal in INT TERM HUP; do
        rm -f log
        held_renewal
        kill "-$signal" "$(pid_of renew)"
        rm hold
        finish renew
        dpp-renew chat # its refresh token is the current one
    done
}

@test "kill -9 between the answer and the write leaves a vault, and the next refusal explained" {
    server 600
    held_renewal
    kill -KILL "$(pid_of renew)"
    finish renew
    rm hold
    has "$(dpp-vault)" "chat "
    refused 77 "chat: its refresh token holds no more (a renewal at 20" \
        dpp-renew chat
    has "$output" "authorise dpp anew, then dpp-vault rotate chat: "
    has "$output" "400 invalid_grant"
    # The note has been answered: what is refused now is refused by itself.
    run dpp-renew chat
    has_not "$output" "cut off"
}

@test "a full disk behind the answer is waited for" {
    mkdir -p data/dpp
    mount -t tmpfs -o size=64k none data 2>/dev/null ||
        skip "needs the right to mount"
    mkdir data/dpp
    server 600
    held_renewal
    cat /dev/zero >data/ballast 2>/dev/null || :
    rm hold
    wait_for_text renew.err "the new token waits for it"
    rm data/ballast
    finish renew
    is "$status" 0
    dpp-renew chat
    is "$(answers "token 200")" 2
}

@test "what changes by hand during a renewal stays; a new key of the vault is no hindrance" {
    server 600
    held_renewal
    sed 's/"refresh_token":"[^"]*"/"refresh_token":"mine"/' entry |
        dpp-vault rotate chat
    rm hold
    finish renew
    is "$status" 0
    is "$(dpp-vault get chat.refresh_token)" mine
    refused 77 "invalid_grant" dpp-renew chat
    dpp-vault rm chat
    stop server KILL
    rm -f port log
    spawn server node "$ROOT/tests/cli/oauth.mjs" "$modules" 600
    LIMIT=30 wait_for test -s port
    dpp-vault put chat --kind oauth2 <entry
    held_renewal
    dpp-vault rekey
    rm hold
    finish renew
    is "$status" 0
    dpp-renew chat
    is "$(answers "token 200")" 2
}

@test "tokens and the client's secret show nowhere" {
    server 600
    token() { dpp-vault get "chat.$1"; }
    first=$(token refresh_token)
    event 1 '"data":1' >in
    dpp-deliver -v -s retry -k vault:chat "$url" <in 2>out
    dpp-renew -v chat 2>>out
    for secret in "$first" "$(token refresh_token)" "$(token access_token)" \
        "$(token client_secret)"; do
        is "$(grep -rlaF --exclude=entry -- "$secret" "$T" || :)" ""
    done
}
