#!/usr/bin/env bats
# Power cuts under the whole program that answers the webhooks.
load ../cli/helper
load power

setup() {
    power_setup
}

teardown() {
    common_teardown
}

# Each of these cuts costs a third of a second: fewer of them.
try() {
    local listen=$ROOT/tests/power/listen.py
    cuts=$((cuts / $2))
    keeps "$1" "$listen" write /mnt/disk 120 -- "$listen" check "{}" "{n}"
}

@test "a webhook that dpp-listen answered with 2xx survives a power cut (ext4)" {
    try ext4 2
}

@test "a webhook that dpp-listen answered with 2xx survives a power cut (xfs)" {
    try xfs 3
}
