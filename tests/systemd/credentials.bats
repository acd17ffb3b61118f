#!/usr/bin/env bats
# Secrets as systemd's credentials, under a real systemd (tests/systemd/boot).
# shellcheck disable=SC2154 # the helpers set them
# shellcheck disable=SC2016 # $ is for the inner shell
load ../cli/helper
load ../cli/vault

setup() {
    vault_setup
    export T ROOT BUILD
}

teardown() {
    common_teardown
}

# booted: the script of standard input, strictly, in there.
booted() {
    local out status=0
    cat >script
    chmod 755 "$T"
    out=$("$ROOT/tests/systemd/boot" bash -c \
        '. "$ROOT/tests/systemd/unit.bash" && . ./script' 2>&1) || status=$?
    echo "$out"
    [ "$status" != 69 ] || skip "$out"
    is "$status" 0
}

@test "a unit gets the entries that dpp-vault credentials printed for it, and no vault" {
    new_vault chat secret-a other secret-b
    put mail '{"user":"me","password":"pass"}' --kind smtp
    booted <<'END'
dpp-vault credentials chat mail.user >$conf/credentials.conf
grep -qx '\[Service\]' $conf/credentials.conf
not grep -qF secret-a $conf/credentials.conf
printf '[Service]\nUser=nobody\nInaccessiblePaths=%s\n' "$T/data" \
    >$conf/closed.conf
unit /bin/sh -c "'cd %d && grep -H . *'"
END
    is "$(cat unit.out)" "chat:secret-a
mail.user:me"
}

# An endpoint on port 9000 that keeps what it was sent, and an event for it.
serve() {
    sed 's/^# //' <<'END' >serve
# import http.server
# class Handler(http.server.BaseHTTPRequestHandler):
#     def do_POST(self):
#         self.rfile.read(int(self.headers["Content-Length"]))
#         open("sent", "a").write(self.headers["Authorization"] + "\n")
#         self.send_response(200)
#         self.end_headers()
#     def log_message(self, *_):
#         pass
# server = http.server.HTTPServer(("127.0.0.1", 9000), Handler)
# open("ready", "w").close()
# server.serve_forever()
END
    echo '{"specversion":"1.0","id":"1","source":"s","type":"t","data":1}' >in
}

@test "programs in units read cred:NAME, or open one entry, or have the vault's key" {
    new_vault chat secret-a other secret-b
    serve
    booted <<'END'
python3 serve &
while [ ! -e ready ]; do sleep 0.05; done
printf '[Service]\nStandardInput=file:%s/in\nEnvironment=%s %s\n' "$T" \
    "XDG_DATA_HOME=$XDG_DATA_HOME" "XDG_STATE_HOME=$T/s" >$conf/all.conf
deliver() {
    unit "$BUILD/bin/dpp-deliver" -q -k "$1" http://127.0.0.1:9000/
}
dpp-vault credentials chat >$conf/credentials.conf
deliver cred:chat
seal() {
    { echo "[Service]"; systemd-creds encrypt -p --name="$1" - -; } \
        >$conf/credentials.conf
}
dpp-vault grant chat | seal vault.chat
dpp-vault rotate chat <<<secret-c
deliver vault:chat
not deliver vault:other
seal vault.key <"$XDG_CONFIG_HOME/dpp/vault.key"
deliver vault:other
END
    is "$(cat sent)" "Bearer secret-a
Bearer secret-c
Bearer secret-b"
}

@test "a credential that was changed, or is not there, does not start the unit" {
    new_vault chat secret-a
    booted <<'END'
dpp-vault credentials chat | sed 's/^SetCredentialEncrypted=chat/&x/' \
    >$conf/credentials.conf
not unit /bin/true
systemctl show -P ExecMainStatus t.service | grep -qx 243
printf '[Service]\nSuccessExitStatus=77\n' >$conf/credentials.conf
unit /bin/sh -c "'exec $BUILD/bin/dpp-deliver -k cred:chat http://127.0.0.1:9/ 2>&1'"
END
    has "$(cat unit.out)" "cred:chat"
}
