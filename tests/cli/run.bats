#!/usr/bin/env bats
# dpp-run: one segment, kept alive.
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

# --- words -------------------------------------------------------------------

@test "-n shows the stages, one JSON line each, and starts nothing" {
    run dpp-run -n touch "$T/a b" ! sed -u 's/x/"/' '|' dpp-produce -t t
    is "$status" 0
    is "${#lines[@]}" 3
    [ ! -e "$T/a b" ]
    json "${lines[1]}" '.stage == 2 and (.program | endswith("/sed")) and
        .argv == ["sed", "-u", "s/x/\"/"]'
    json "${lines[2]}" '.program == $p' --arg p "$BUILD/bin/dpp-produce"
}

@test "dpp's own programs are found beside dpp-run, others in PATH" {
    program dpp-produce <<<'#!/bin/sh'
    run dpp-run -n dpp-produce -t t
    json "$output" '.program == $p' --arg p "$BUILD/bin/dpp-produce"
    run dpp-run cat ! dpp-nonsense
    is "$status" 64
    has "$output" 'no program "dpp-nonsense" beside dpp-run or in $PATH'
}

@test "a file is read like a shell's line, and can be a program" {
    cat >segment <<END
#!/usr/bin/env -S dpp-run -f
# three stages
printf '%s\\n' one "two words"
! sed -u s/o/0/ | tee "$T/out file"
END
    chmod +x segment
    run ./segment
    is "$status" 0
    is "$output" $'0ne\ntw0 words'
    is "$(cat "out file")" "$output"
}

@test "what only a shell understands is refused with its place" {
    printf 'echo a\n  ! jq .a > out\n' >segment
    run dpp-run -f segment
    is "$status" 64
    is "$output" 'dpp-run: error: segment:2:11: dpp-run is not a shell: ">"'
    [ ! -e out ]
}

@test "an empty stage is a usage error, and nothing starts" {
    run dpp-run touch started ! ! cat
    is "$status" 64
    has "$output" "stage 2 is empty"
    [ ! -e started ]
}

# --- a segment ---------------------------------------------------------------

# bats test_tags=kafka
@test "at the end of the input all end with 0, and so does dpp-run" {
    topics out
    fill in 1000
    run_segment dpp-consume -t in -g g -e ! dpp-transform . ! dpp-produce -t out
    is "$status" 0
    is "$(values out)" "$(seq 1 1000 | tr '\n' ' ')"
}

@test "stages get their two ends and what was inherited, nothing else" {
    program fds <<'END'
#!/usr/bin/python3
import os, sys
seen = []
for f in sorted(os.listdir("/proc/self/fd")):
    try:
        seen.append(f + " " + os.readlink("/proc/self/fd/" + f))
    except OSError:
        pass  # the listing's own
open(os.environ["T"] + "/fds." + sys.argv[1], "w").write("\n".join(seen))
END
    fds 0 7</dev/zero
    dpp-run fds 1 ! fds 2 ! fds 3 7</dev/zero
    is "$(grep -c '^[01] pipe:' fds.2)" 2
    for n in 1 2 3; do
        is "$(cut -d' ' -f1 fds.$n)" "$(cut -d' ' -f1 fds.0)"
    done
}

@test "behind a source that has ended a sink takes its time" {
    run_segment sh -c 'echo a; exec >&-; sleep 0.5' ! cat ! \
        sh -c 'cat; sleep 3; echo done'
    is "$status" 0
    is "$output" $'a\ndone'
}

# bats test_tags=kafka
@test "a stage that is killed is named, and the segment starts again" {
    topics out
    fill in 100
    spawn run dpp-run dpp-consume -t in -g g ! dpp-transform . ! \
        dpp-produce -t out
    wait_for has_values out 100
    kill -9 "$(stage_named run dpp-transform)"
    wait_for_text run.err "dpp-transform (stage 2) was killed by SIGKILL"
    fill in 100
    wait_for has_values out 200
    is "$(grep -c '^dpp-run: ' run.err)" 1
    stop run
    is "$status" 0
    is "$(values out)" "$( (seq 1 100; seq 1 100) | tr '\n' ' ')"
}

@test "a foreign stage's own status counts as 75" {
    spawn run dpp-run sh -c 'echo >>starts; exit 3' ! cat
    wait_for_lines starts 4
    has "$(head -n 1 run.err)" "sh (stage 1) ended with 3 (its own status, \
counts as 75); next start in "
    # the first pause is at most 100 ms
    grep -Eq '^[^;]*; next start in 0\.(0.|10) s$' <(head -n 1 run.err)
    stop run
}

@test "64, 65, 77 and 78 are not started again" {
    for s in 64 65 77 78; do
        run_segment sh -c 'echo >>starts; cat' ! sh -c "exit $s" </dev/null
        is "$status" "$s"
        has "$output" "not started again"
    done
    is "$(wc -l <starts)" 4
}

@test "the status is the first that is not 76, in its order" {
    run_segment sh -c 'exit 76' ! sh -c 'exit 65' ! sh -c 'exit 78' ! \
        sh -c 'exit 74'
    is "$status" 78
    has "$output" "sh (stage 3) ended with 78"
}

# bats test_tags=kafka
@test "a source that nobody answers is given up with 65 after three starts" {
    dpp-topic create in
    run_segment dpp-consume -t in -g g --hello-timeout 100ms ! cat ! wc -l
    is "$status" 65
    is "$(grep -c 'gave no answer' <<<"$output")" 3
    has "$output" "nobody answered the source in three starts"
}

@test "a sink that leaves before its input ends does not end the service" {
    spawn run dpp-run sh -c 'echo >>starts; exec sleep 100' ! true
    wait_for_lines starts 2
    has "$(cat run.err)" "true (stage 2) ended with 0 before its input did"
    stop run
}

# --- what a stage leaves behind ----------------------------------------------

# bats test_tags=kafka
@test "a grandchild that holds the pipe open does not hold up the segment" {
    topics out
    program holder <<'END'
#!/bin/bash
sleep 1000 &
echo $! >>"$T/grandchildren"
(trap '' TERM; exec sleep 1001) &
echo $! >>"$T/grandchildren"
cat
END
    fill in 10
    spawn run dpp-run dpp-consume -t in -g g ! holder ! dpp-produce -t out
    wait_for has_values out 10
    kill -9 "$(stage_named run holder)"
    wait_for_lines grandchildren 4
    has "$(cat run.err)" "held the pipe open: killed"
    fill in 10
    wait_for has_values out 20
    for p in $(head -n 2 grandchildren); do
        gone "$p"
    done
    stop run
    is "$status" 0
    while read -r p; do
        gone "$p"
    done <grandchildren
}

@test "children that dpp-run had before are left alone" {
    spawn run bash -c 'sleep 1000 & echo $! >guest
        exec dpp-run sh -c "echo >>starts; exit 1" ! cat'
    wait_for_lines starts 2
    kill -0 "$(cat guest)"
    stop run
    kill "$(cat guest)"
}

# bats test_tags=kafka
@test "kill -9 of dpp-run takes every stage with it" {
    topics out
    fill in 10
    spawn run dpp-run dpp-consume -t in -g g ! cat ! dpp-produce -t out
    wait_for has_values out 10
    local all p
    all=$(stages run)
    is "$(wc -l <<<"$all")" 3
    stop run KILL
    for p in $all; do
        wait_for gone "$p"
    done
}

@test "a stage that ignores SIGTERM is killed, and the segment starts again" {
    spawn run dpp-run bash -c 'trap "" TERM; echo >>starts; echo; sleep 1000 &
        while :; do wait; done' ! sh -c 'read x; exit 1'
    wait_for_lines starts 2
    kill -TERM "$(pid_of run)"
    wait_for took "$(pid_of run)" TERM
    stop run
    is "$status" 75
}

# --- the end -----------------------------------------------------------------

# bats test_tags=kafka
@test "SIGTERM drains: the source first, the rest by its end" {
    topics out
    fill in 5000
    spawn run dpp-run -v dpp-consume -t in -g g ! dpp-transform . ! \
        dpp-produce -t out
    wait_for has_values out 5000
    stop run
    is "$status" 0
    is "$(cat run.err)" ""
}

# bats test_tags=kafka
@test "SIGTERM or SIGINT to the whole group drains as well, and once" {
    topics out.TERM out.INT
    for s in TERM INT; do
        fill in 100
        spawn run env --default-signal=INT dpp-run dpp-consume -t in -g g ! \
            dpp-transform . ! dpp-produce -t "out.$s"
        wait_for has_values "out.$s" 100
        signal_group run "$s"
        finish run
        is "$status" 0
        is "$(cat run.err)" ""
        dpp-topic rm in
    done
}

# bats test_tags=kafka
@test "a source that drains slowly does not get the signal twice" {
    topics out.TERM out.INT
    program late <<'END'
#!/usr/bin/python3 -u
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    if line.startswith('{"dpp":"end"'):
        time.sleep(0.4)
    sys.stdout.write(line)
    sys.stdout.flush()
END
    local s
    for s in TERM INT; do
        fill in 100
        spawn run env --default-signal=INT dpp-run dpp-consume -t in -g g ! \
            late ! dpp-produce -t "out.$s"
        wait_for has_values "out.$s" 100
        signal_group run "$s"
        finish run
        is "$status" 0
        is "$(cat run.err)" ""
        dpp-topic rm in
    done
}

@test "the signal of a group is one with dpp-run's, whichever comes first" {
    program held <<'END'
#!/usr/bin/python3 -u
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    if line.startswith('{"dpp":"end"'):
        open(os.environ["T"] + "/draining", "w").close()
        while not os.path.exists(os.environ["T"] + "/go"):
            time.sleep(0.01)
    sys.stdout.write(line)
    sys.stdout.flush()
END
    local s source
    for s in once twice; do
        fill in 10
        spawn run dpp-run dpp-consume -t in -g g ! held ! dpp-produce -t "$s"
        wait_for has_values "$s" 10
        source=$(stage_named run dpp-consume)
        kill -TERM "$(pid_of run)"
        wait_for test -e draining
        kill -TERM "$source"
        wait_for took "$source" TERM
        if [ "$s" = twice ]; then
            kill -TERM "$source"
            wait_for_text run.err "stopped by a second signal"
        fi
        touch go
        finish run
        [ "$s" = twice ] || is "$status:$(cat run.err)" "0:"
        rm draining go
    done
    is "$status" 75
}

# bats test_tags=kafka
@test "Ctrl-C at the terminal drains, and once" {
    topics out
    fill in 100
    mkfifo run.in
    exec 8<>run.in
    spawn run env --default-signal=INT SHELL=/bin/bash script -qec "dpp-run \
        dpp-consume -t in -g g ! cat ! dpp-produce -t out
        echo status \$?" /dev/null
    wait_for has_values out 100
    printf '\003' >&8
    wait_for_text run.out "status "
    exec 8>&-
    finish run
    is "$(tr -d '\r' <run.out)" "^Cstatus 0"
}

# bats test_tags=kafka
@test "SIGINT to dpp-run alone drains" {
    topics out
    fill in 100
    spawn run env --default-signal=INT dpp-run dpp-consume -t in -g g ! \
        dpp-produce -t out
    wait_for has_values out 100
    stop run INT
    is "$status" 0
    is "$(cat run.err)" ""
}

@test "a foreign source that dies of SIGTERM has ended as asked" {
    spawn run dpp-run sh -c 'echo a; exec sleep 1000' ! \
        sh -c 'cat >got; echo end >>got'
    wait_for_text got a
    stop run
    is "$status" 0
    is "$(cat got)" $'a\nend'
}

@test "a second SIGTERM ends it at once" {
    spawn run dpp-run bash -c 'trap "" TERM; echo >started; sleep 1000 &
        while :; do wait; done' ! cat
    wait_for test -e started
    kill -TERM "$(pid_of run)"
    wait_for took "$(pid_of run)" TERM
    LIMIT=15 stop run
    is "$status" 75
    has "$(cat run.err)" "did not end by itself"
}

@test "SIGTERM while it waits for the next start ends it with 0" {
    spawn run dpp-run sh -c 'echo >>starts; exit 1' ! cat
    # a pause that is longer than it takes to see it
    LIMIT=60 wait_for eval 'tail -n 1 run.err | grep -Eq "in ([5-9]|[0-9]{2})"'
    stop run
    is "$status" 0
    has "$(tail -n 1 run.err)" "next start in"
}

# bats test_tags=kafka
@test "SIGHUP and SIGUSR1 reach the stages that are prepared, and kill none" {
    topics out
    fill in 10
    spawn run dpp-run dpp-consume -t in -g g ! cat ! dpp-produce -t out
    wait_for has_values out 10
    local before
    before=$(stages run)
    kill -HUP "$(pid_of run)"
    kill -USR1 "$(pid_of run)"
    wait_for_text run.err "dpp-consume: in 10 "
    wait_for_text run.err "dpp-produce: in 10 "
    wait_for_text run.err "dpp-run: running, start 1"
    is "$(stages run)" "$before"
    stop run
    is "$status" 0
}

# --- readiness ---------------------------------------------------------------

# bats test_tags=kafka
@test "READY=1 is passed on when all dpp stages are ready, and once" {
    topics out
    listen
    fill in 10
    NOTIFY_SOCKET=$socket spawn run dpp-run --ready-fd 9 dpp-consume \
        -t in -g g ! cat ! dpp-produce -t out 9>ready
    wait_for_text ear.out READY=1
    wait_for_lines ready 1
    kill -9 "$(stage_named run cat)"
    wait_for_text ear.out "STATUS=cat (stage 2) was killed by SIGKILL"
    wait_for_text ear.out "STATUS=running, start 2"
    stop run
    wait_for_text ear.out STOPPING=1
    is "$(grep -c READY=1 ear.out)" 1
    has_not "$(cat ear.out)" X_DPP
    stop ear
}

# bats test_tags=kafka
@test "kills of a segment that works do not lengthen the pause" {
    topics out
    listen
    dpp-topic create in
    NOTIFY_SOCKET=$socket spawn run dpp-run dpp-consume -t in -g g ! \
        dpp-produce -t out
    wait_for_text ear.out READY=1
    local n
    for n in 2 3 4 5 6 7 8 9; do
        kill -9 "$(stage_named run dpp-produce)"
        wait_for_text ear.out "running, start $n"
    done
    is "$(grep -c "SIGKILL.*next start in 0.[01]" run.err)" 8
    stop run
    stop ear
}

# bats test_tags=kafka
@test "READY=1 waits for the sink" {
    topics out
    listen
    dpp-topic create in
    NOTIFY_SOCKET=$socket spawn run dpp-run dpp-consume -t in -g g ! \
        sh -c 'until [ -e go ]; do sleep 0.1; done; exec cat' ! \
        dpp-produce -t out
    wait_for stages_are run 3
    tick
    has_not "$(cat ear.out)" READY=1
    touch go
    wait_for_text ear.out READY=1
    stop run
    stop ear
}

@test "a watchdog is fed" {
    listen
    NOTIFY_SOCKET=$socket WATCHDOG_USEC=100000 spawn run \
        dpp-run sleep 1000 ! cat
    wait_for eval '[ "$(grep -c WATCHDOG=1 ear.out)" -gt 3 ]'
    stop run
    stop ear
}

@test "sockets passed by a supervisor are the source's, at each start" {
    spawn run bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec dpp-run sh -c "
        [ \$LISTEN_PID = \$\$ ] && echo \$LISTEN_FDS >>source; exit 1" ! \
        sh -c "echo +\$LISTEN_PID+\$LISTEN_FDS+ >>sink"'
    wait_for_lines source 2
    stop run
    is "$(head -n 1 sink)" +++
}
