#!/usr/bin/env bats
# GitHub, as GitHub does it: its own payloads, signed by its own code.
load ../cli/helper

setup() {
    common_setup
    modules=$ROOT/build/node_modules
    [ -d "$modules/@octokit/webhooks-examples" ] || skip "run tests/deps first"
    printf "It's a Secret to Everybody" >gh.key
    chmod 600 gh.key
}

teardown() {
    common_teardown
}

@test "every payload of GitHub's collection arrives byte for byte" {
    spawn listen dpp-listen -l 127.0.0.1:0 -C github -k file:gh.key \
        -b "$(store)" -t github
    wait_for_text listen.err "listening on"
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' listen.err)
    node "$ROOT/tests/connectors/github.mjs" "$modules" "$port" \
        "$(cat gh.key)" sent
    [ "$(wc -l <sent)" -gt 200 ]
    json @sent '.status == 200 and .bad == 401'
    dpp-consume -b "$(store)" -t github -e >events
    is "$(wc -l <events)" "$(wc -l <sent)"
    json @events '.source == "/github" and
        .datacontenttype == "application/json"'
    is "$(jq -c '[.id, .type, .partitionkey]' events)" \
        "$(jq -c '[.id, .type, .key]' sent)"
    # The bodies themselves, cut out of the lines without any JSON library.
    python3 -c '
import base64, json, sys
sent = [base64.b64decode(json.loads(s)["body"]) for s in open("sent")]
for line, body in zip(open("events", "rb"), sent, strict=True):
    if b"\n" in body:
        assert base64.b64encode(body) in line
    else:
        assert b"\"data\":" + body + b"," in line, line[:200]
'
}
