# What the bats files of dpp-listen share, beside helper.bash.
# shellcheck shell=bash disable=SC2034

# listen NAME [OPTION…]: with a port of its own; $port.
listen() {
    local name=$1
    shift
    spawn "$name" dpp-listen -l 127.0.0.1:0 "$@"
    await_listen "$name"
}

await_listen() {
    wait_for_text "$T/$1.err" "listening on"
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$T/$1.err")
    url=http://127.0.0.1:$port
}

to_topic() {
    topics in
    listen listen -b "$(store)" -t in "$@"
}

events() {
    dpp-consume -b "$(store)" -t "${1:-in}" -e
}

# post BODY [CURL OPTION…]: prints the status.
post() {
    local body=$1
    shift
    printf %s "$body" | curl -s -o answer -D header -w '%{http_code}' \
        -H 'Content-Type: application/json' --data-binary @- "$@" "$url/hook"
}
