# What the power-cut tests share. POWER_CUTS scales the number of cuts
# (default 1: some 150 cuts per test and file system), POWER_SEED repeats a run.
# shellcheck shell=bash disable=SC2154

power_setup() {
    common_setup
    if [ "$(id -u)" != 0 ]; then
        skip "power cuts need root"
    fi
    if ! command -v linux.uml >/dev/null || ! losetup -f >/dev/null; then
        skip "power cuts need User Mode Linux and loop devices"
    fi
    case $BUILD in
    */san) skip "User Mode Linux has no room for a sanitiser's shadow" ;;
    esac
    seed=${POWER_SEED:-$RANDOM}
    cuts=$((150 * ${POWER_CUTS:-1}))
}

# keeps FS WRITER… -- CHECK…: nothing acknowledged is lost.
keeps() {
    local fs=$1 acks
    shift
    cd "$ROOT" || return 1
    run tests/power/cut "$fs" "$cuts" "$seed" "$@"
    echo "$output"
    echo "again: POWER_SEED=$seed tests/run power/"
    is "$status" 0
    has "$output" "$cuts power cuts on $fs"
    has "$output" ": 0 lost something"
    # Without acknowledgements there would be nothing to lose.
    acks=$(sed -n 's/.* \([0-9]*\) acknowledgements,.*/\1/p' <<<"$output")
    [ "$acks" -ge 30 ]
}

# loses FS WRITER… -- CHECK…: the writer is wrong, and the test must see it in
# many cuts (not in all: what it did not wait for may have come to the disk).
loses() {
    local fs=$1 bad
    shift
    cd "$ROOT" || return 1
    POWER_KEEP=$T/evidence run tests/power/cut "$fs" 40 "$seed" "$@"
    echo "$output"
    is "$status" 1
    bad=$(sed -n 's/.*entries: \([0-9]*\) lost something.*/\1/p' <<<"$output")
    [ "$bad" -ge 8 ]
}
