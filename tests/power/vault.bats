#!/usr/bin/env bats
# Power cuts under a vault: put, rotate and rekey leave the old one or the new,
# with the key that opens it, and what was acknowledged stays.
load ../cli/helper
load power

setup() {
    power_setup
    vaultpower=$BUILD/tools/vaultpower
}

teardown() {
    common_teardown
}

# shellcheck disable=SC2154 # of the helpers
try() {
    keeps "$1" "$vaultpower" write /mnt/disk 40 -- \
        "$vaultpower" check "{}" "{n}"
}

@test "a vault is whole after a power cut, and opens (ext4)" {
    try ext4
}

@test "a vault is whole after a power cut, and opens (xfs)" {
    try xfs
}
