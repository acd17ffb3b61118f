#!/usr/bin/env bats
# Stops under load are clean, and one bad key does not hold up the others.
load ../cli/helper
load storm

setup() {
    common_setup
    cd "$ROOT" || return 1
}

teardown() {
    common_teardown
}

@test "SIGTERM under load, 50 times: all ends clean, nothing lost, nothing repeated" {
    storm drain
}

@test "one key of 1,000 always fails: the others keep 90 % of the rate" {
    storm failing_key --events 6000
}
