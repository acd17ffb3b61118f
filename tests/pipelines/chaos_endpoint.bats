#!/usr/bin/env bats
# Each process is killed 50 times with SIGKILL while 20,000 events go to an
# endpoint: nothing that was acknowledged may be lost, and no more repeated
# than had arrived and was not receipted at a kill.
load ../cli/helper
load storm

setup() {
    common_setup
    cd "$ROOT" || return 1
}

teardown() {
    common_teardown
}

@test "listen, consume, transform, deliver in a plain shell, each killed 50 times: nothing is lost" {
    storm deliver
}

@test "the same under dpp-run, which is killed too, with bytes that no JSON library keeps" {
    storm supervised --style s --rate 300
}
