#!/usr/bin/env bats
# dpp-run: an event that kills a stage is isolated, and no other.
# shellcheck disable=SC2154 # the helper sets them
# shellcheck disable=SC2016 # $ is for the inner shell
load helper
load segment

setup() {
    segment_setup
}

teardown() {
    common_teardown
}

# Dies of event 13: status, or signal by name.
deadly() {
    program deadly <<'END'
#!/usr/bin/python3 -u
import os, signal, sys
how = sys.argv[1]
for line in sys.stdin:
    if '"data":13,' in line and not line.startswith('{"dpp":'):
        if how.isdigit():
            os._exit(int(how))
        os.kill(os.getpid(), getattr(signal, how))
    sys.stdout.write(line)
    sys.stdout.flush()
END
}
without_13() {
    seq 1 "$1" | grep -vx 13 | tr '\n' ' '
}

# bats test_tags=kafka
@test "an event that kills the filter goes to the dead letters, the rest flows" {
    deadly
    local how
    for how in SIGSEGV 1 70; do
        fill in 30
        topics "out.$how"
        run_segment dpp-consume -t in -g g -e ! deadly "$how" ! \
            dpp-produce -t "out.$how"
        is "$status" 0
        is "$(values "out.$how")" "$(without_13 30)"
        is "$(values in.dead)" "13 "
        has "$(dpp-consume -t in.dead -e)" '"deadreason":"crash-suspect: '
        has "$output" "one event at a time"
        dpp-topic rm in
        dpp-topic rm in.dead
    done
}

# bats test_tags=kafka
@test "so does one on which a program does not end" {
    topics out
    fill in 30
    run_segment dpp-consume -t in -g g -e ! dpp-transform --timeout 100ms \
        'if .data == 13 then last(range(1e12)) else . end' ! dpp-produce -t out
    is "$status" 0
    is "$(values out)" "$(without_13 30)"
    is "$(values in.dead)" "13 "
}

# bats test_tags=kafka
@test "an event is no suspect when the stage says try again, or was killed" {
    topics out
    deadly
    fill in 30
    local how
    for how in 69 71 74 75 SIGTERM SIGKILL; do
        spawn run dpp-run dpp-consume -t in -g g ! deadly "$how" ! \
            dpp-produce -t out
        wait_for eval '[ "$(grep -c "next start in" run.err)" -ge 5 ]'
        has_not "$(cat run.err)" "one event at a time"
        stop run
        rm run.err
    done
    run dpp-topic show in.dead
    is "$status" 69
    run_segment dpp-consume -t in -g g -e ! cat ! dpp-produce -t out
    is "$(values out)" "$(seq 1 30 | tr '\n' ' ')"
}

# bats test_tags=kafka
@test "kill -9 of the filter, each time while the same event is out, accuses no event" {
    topics out
    # Three crashes bring caution; then it only waits to be killed.
    program slow <<'END'
#!/usr/bin/python3 -u
import os, sys
for line in sys.stdin:
    if '"data":13,' in line and not os.path.exists("go"):
        with open("aborts", "a") as f:
            f.write("x")
            if f.tell() <= 3:
                os.abort()
        os.kill(os.getpid(), 19)
    sys.stdout.write(line)
    sys.stdout.flush()
END
    fill in 30
    spawn run dpp-run dpp-consume -t in -g g ! slow ! dpp-produce -t out
    local n
    for n in 1 2 3 4 5 6; do
        wait_for eval 'grep -q "^State:.T" /proc/$(stage_named run slow)/status'
        has "$(grep "next start" run.err | tail -n 1)" ", one event at a time"
        [ "$n" -lt 6 ] || touch go # before its next start looks
        kill -9 "$(stage_named run slow)"
        wait_for eval '[ "$(grep -c SIGKILL run.err)" = '"$n"' ]'
    done
    wait_for has_values out 30
    stop run
    is "$(values out)" "$(seq 1 30 | tr '\n' ' ')"
    run dpp-topic show in.dead
    is "$status" 69
}
