# For scripts that run under tests/systemd/boot.
# shellcheck shell=bash
set -euo pipefail
export XDG_DATA_HOME=$T/data XDG_CONFIG_HOME=$T/config XDG_STATE_HOME=$T/state
conf=/run/systemd/system/t.service.d # drop-ins of the unit t
mkdir -p "$conf"

# unit COMMAND…: run it as the unit t. What it prints goes to unit.out.
unit() {
    {
        printf '[Service]\nType=oneshot\nStandardOutput=append:%s\n' \
            "$T/unit.out"
        printf 'ExecStart=%s\n' "$*"
    } >/run/systemd/system/t.service
    systemctl daemon-reload
    systemctl start t.service 2>/dev/null && return
    journalctl -qu t.service -o cat
    return 1
}

# not COMMAND…: it must fail ("!" alone would stop nothing).
not() {
    ! "$@"
}
