# Common ground of the tests of dpp-run; behind "load helper".
# shellcheck shell=bash

segment_setup() {
    common_setup
    DPP_BROKER=$(store)
    export DPP_BROKER T
}

# A segment that should end by itself.
run_segment() {
    run timeout -s KILL 30 dpp-run "$@"
}

# Programs for stages; $T/bin is in $PATH.
program() {
    mkdir -p "$T/bin"
    cat >"$T/bin/$1"
    chmod +x "$T/bin/$1"
    export PATH=$T/bin:$PATH
}

fill() { # fill TOPIC N
    topics "$1"
    seq 1 "$2" | dpp-produce -r -t "$1"
}

values() { # values TOPIC: in one line
    dpp-consume -t "$1" -r -e | tr '\n' ' '
}
has_values() { # has_values TOPIC N
    [ "$(values "$1" | wc -w)" = "$2" ]
}

# The processes that dpp-run NAME has started.
stages() {
    ps -o pid= --ppid "$(pid_of "$1")" | tr -d ' '
}
stages_are() {
    [ "$(stages "$1" | wc -l)" = "$2" ]
}
stage_named() { # stage_named NAME PROGRAM
    ps -o pid=,comm= --ppid "$(pid_of "$1")" |
        awk -v c="$2" '$2 == c {print $1}'
}
# took PID SIGNAL: it is not pending there any more.
took() {
    local mask
    mask=$(awk '$1 == "ShdPnd:" {print $2}' "/proc/$1/status") &&
        [ -n "$mask" ] && [ $((0x$mask >> ($(kill -l "$2") - 1) & 1)) = 0 ]
}
gone() {
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# What systemd would hear goes to $T/heard.
listen() {
    socket=$T/notify
    spawn ear python3 -uc '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(65536).decode())' "$socket"
    wait_for test -e "$socket"
}
