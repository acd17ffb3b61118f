#!/usr/bin/env bats
# Power cuts under the embedded log, and the proof that the test can see.
load ../cli/helper
load power

setup() {
    power_setup
    logpower=$BUILD/tools/logpower
}

teardown() {
    common_teardown
}

try() {
    "$1" "$2" "$logpower" "$3" /mnt/disk 100 -- "$logpower" check "{}" "{n}"
}

@test "what the log acknowledged survives a power cut (ext4)" {
    cuts=$((2 * cuts))
    try keeps ext4 append
}

@test "what the log acknowledged survives a power cut (xfs)" {
    try keeps xfs append
}

@test "a log that answers before its fdatasync is found out (ext4)" {
    try loses ext4 early
}

@test "a log that answers before its fdatasync is found out (xfs)" {
    try loses xfs early
}
