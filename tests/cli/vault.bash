# What the bats files of dpp-vault share, beside helper.bash.
# shellcheck shell=bash disable=SC2034,SC2154

vault_setup() {
    common_setup
    VAULT=$XDG_DATA_HOME/dpp/vault
    KEY=$XDG_CONFIG_HOME/dpp/vault.key
}

# put NAME VALUE [OPTION…]
put() {
    local name=$1 value=$2
    shift 2
    printf %s "$value" | dpp-vault put "$name" "$@"
}

rotate() {
    local name=$1 value=$2
    shift 2
    printf %s "$value" | dpp-vault rotate "$name" "$@"
}

# new_vault NAME VALUE …
new_vault() {
    dpp-vault init
    while [ $# -gt 0 ]; do
        put "$1" "$2"
        shift 2
    done
}

# The file that remembers the highest generation.
seen() {
    echo "$XDG_STATE_HOME"/dpp/vault-*.seen
}

# tty ANSWER… -- COMMAND…: with a terminal, where these are typed.
tty() {
    /usr/bin/python3 "$ROOT/tests/cli/terminal.py" "$@"
}

# unlocked COMMAND…: it cannot lock memory.
unlocked() {
    setpriv --bounding-set=-ipc_lock prlimit --memlock=0 timeout 10 "$@"
}
can_unlock() {
    [ "$(id -u)" = 0 ] || skip "needs root to take a right away"
    ! grep -qa __asan_init "$BUILD/bin/dpp-vault" ||
        skip "under a sanitizer nothing is locked"
}

# refused STATUS WORDS COMMAND…
refused() {
    local want=$1 words=$2
    shift 2
    run "$@"
    is "$status" "$want"
    has "$output" "$words"
}

# killed_at STEP N COMMAND…: SIGKILL at its Nth such call, before that is made.
# shellcheck disable=SC2317,SC2030
killed_at() (
    step=$1 n=$2
    shift 2
    export ASAN_OPTIONS=detect_leaks=0 # not under strace
    strace -qq -o trace -e trace="$step" \
        -e inject="$step:signal=SIGKILL:when=$n" "$@"
    exit $?
) 2>/dev/null
