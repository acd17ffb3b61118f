#!/usr/bin/env bats
# Power cuts under a vault: put, rotate and rekey leave the old one or the new,
# with the key that opens it, and what was acknowledged stays. A subject that
# was forgotten stays forgotten, and no other loses its key.
load ../cli/helper
load power

setup() {
    power_setup
}

teardown() {
    common_teardown
}

# shellcheck disable=SC2154 # of the helpers
try() {
    keeps "$1" "$BUILD/tools/$2" write /mnt/disk "$3" -- \
        "$BUILD/tools/$2" check "{}" "{n}"
}

@test "a vault is whole after a power cut, and opens (ext4)" {
    try ext4 vaultpower 40
}

@test "a vault is whole after a power cut, and opens (xfs)" {
    try xfs vaultpower 40
}

@test "subjects keep their keys, or stay forgotten, after a power cut (ext4)" {
    try ext4 subjectspower 120
}

@test "subjects keep their keys, or stay forgotten, after a power cut (xfs)" {
    try xfs subjectspower 120
}
