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

# try keeps|loses FILE-SYSTEM append|early [KEY]
try() {
    "$1" "$2" "$logpower" "$3" /mnt/disk 100 "${@:4}" -- \
        "$logpower" check "{}" "{n}" "${@:4}"
}

@test "what the log acknowledged survives a power cut (ext4)" {
    cuts=$((2 * cuts))
    try keeps ext4 append
}

@test "what the log acknowledged survives a power cut (xfs)" {
    try keeps xfs append
}

@test "what an encrypted log acknowledged survives a power cut (ext4)" {
    try keeps ext4 append "a key that all tests may know of"
}

@test "what an encrypted log acknowledged survives a power cut (xfs)" {
    try keeps xfs append "a key that all tests may know of"
}

@test "a log that answers before its fdatasync is found out (ext4)" {
    try loses ext4 early
}

@test "a log that answers before its fdatasync is found out (xfs)" {
    try loses xfs early
}
