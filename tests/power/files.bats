#!/usr/bin/env bats
# Power cuts under lib/base/file.c, and the proof that the test can see.
load ../cli/helper
load power

setup() {
    power_setup
    filepower=$BUILD/tools/filepower
}

teardown() {
    common_teardown
}

try() {
    "$1" "$2" "$filepower" "$3" /mnt/disk 60 -- \
        "$filepower" check "$3" "{}" "{n}"
}

@test "a file that file_replace() replaced is there after a power cut (ext4)" {
    try keeps ext4 replace
}

@test "a file that file_replace() replaced is there after a power cut (xfs)" {
    try keeps xfs replace
}

@test "a missing sync of the folder is seen (ext4)" {
    try loses ext4 nodir
}

@test "a missing sync of the folder is seen (xfs)" {
    try loses xfs nodir
}

@test "an acknowledgement before the sync is seen (ext4)" {
    try loses ext4 early
}

@test "an acknowledgement before the sync is seen (xfs)" {
    try loses xfs early
}
