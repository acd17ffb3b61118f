#!/usr/bin/env bats
# The tests' own tools, on small trees with one fault each.
# shellcheck disable=SC2016,SC2154 # $ of inner files; the helper sets them
load helper

setup() {
    common_setup
    mkdir -p tests/cli bin lib/low lib/high build/bin man/man1
    cp "$ROOT/tests/run" tests/
    printf '0 low\n1 high\ndoor curl/ high\n' >LAYERS
}

teardown() {
    common_teardown
}

# "TEST" stands for "@test", which bats would take for one of this file, and
# "BOTH" for the tag of a test that runs on both brokers.
bats_file() {
    sed 's/^TEST/@test/; s/^BOTH/# bats test_tags=kafka/' >"tests/cli/$1.bats"
}

run_tests() {
    DPP_BUILD=build run tests/run
}

tool() {
    local name=$1
    shift
    run "$ROOT/tests/tools/$name" "$@"
}

@test "tests/run counts, and ends with the sum of it all" {
    bats_file one <<'END'
TEST "good" { :; }
TEST "bad" { false; }
TEST "no disk" { skip "there is no disk"; }
END
    run_tests
    is "$status" 1
    is "${lines[-1]}" "1 passed, 1 failed, 1 skipped"
    has "$output" "there is no disk"
    sed -i '/bad/d' tests/cli/one.bats
    run_tests
    is "$status" 0
    is "${lines[-1]}" "1 passed, 0 failed, 1 skipped"
}

@test "tests/run finds a process that a test left behind, and ends it" {
    bats_file leak <<'END'
TEST "leaks" { setsid sleep 987 3>&- & echo $! >"$LEAK"; }
END
    export LEAK=$T/leak
    run_tests
    is "$status" 1
    has "$output" "left process $(cat leak) behind: sleep 987"
    # Gone, or a zombie that nobody has waited for yet.
    run grep -c sleep "/proc/$(cat leak)/cmdline"
    [ "$status" != 0 ]
}

@test "tests/run does not take silence for success" {
    mkdir -p tests/unit build/unit
    touch tests/unit/mute.c
    printf '#!/bin/sh\n' >build/unit/mute
    chmod +x build/unit/mute
    run_tests
    is "$status" 1
    has "$output" "ended without one line that says what it tested"
    rm build/unit/mute
    run_tests
    is "$status" 1
}

# A stand-in for tests/kafka/broker, which notes what it is told.
stand_in() {
    mkdir -p tests/kafka
    cat >tests/kafka/broker <<END
#!/bin/sh
echo "\$1" >>"$T/told"
[ ! -e "$T/broken" ] || { echo "broker: cannot fetch it" >&2; exit 69; }
mkdir -p "\$2"
case \$1 in
start) echo host:1 >"\$2/bootstrap"; touch "\$2/cluster.json" ;;
stop) rm "\$2/cluster.json" ;;
esac
END
    cat >tests/kafka/records <<END
#!/bin/sh
[ "\$2" = delete ] || echo "\$3topic"
echo "\$1 \$2 \$3" | sed 's/dpptest[.0-9a-f]*/SPACE./' >>"$T/cleaned"
END
    chmod +x tests/kafka/*
    unset KAFKA_BOOTSTRAP
}

@test "tests/run starts one broker for all tests that need it, and ends it" {
    stand_in
    bats_file both <<'END'
BOTH
TEST "on both" { echo "${DPP_TEST_BROKER-log} ${KAFKA_BOOTSTRAP-}" >>"$SEEN"; }
TEST "on the log" { [ -z "${DPP_TEST_BROKER-}" ]; }
END
    echo '@test "x" { [ "$KAFKA_BOOTSTRAP" = host:1 ]; }' >tests/kafka/it.bats
    export SEEN=$T/seen
    run_tests
    is "$status" 0
    is "${lines[-1]}" "4 passed, 0 failed, 0 skipped"
    has "$output" "cli/both@kafka"
    is "$(sort seen)" $'kafka host:1\nlog '
    is "$(cat told)" $'start\nstop'
    [ ! -e cleaned ]
    rm told tests/kafka/it.bats
    sed -i /tags/d tests/cli/both.bats
    run_tests
    [ ! -e told ]
}

@test "tests/run uses the broker of the user, starts none, and cleans up there" {
    stand_in
    echo '@test "x" { [ "$KAFKA_BOOTSTRAP" = mine:9 ]; }' >tests/kafka/it.bats
    export KAFKA_BOOTSTRAP=mine:9
    run_tests
    is "$status" 0
    [ ! -e told ]
    is "$(cat cleaned)" $'mine:9 topics SPACE.\nmine:9 delete SPACE.topic'
}

@test "a broker that cannot be had fails the tests that need it, with its reason" {
    stand_in
    touch broken
    echo '@test "x" { :; }' | tee tests/kafka/a.bats >tests/kafka/b.bats
    run_tests
    is "$status" 1
    is "$(grep -c "cannot fetch it" <<<"$output")" 2
    is "$(cat told)" start
}

@test "layers: an include of a higher rank, a wrong door and a stray word" {
    echo '#include "high/x.h"' >lib/low/a.c
    echo '#include <curl/curl.h>' >lib/low/b.c
    printf '/* kafka */\nint kafka;\n' >lib/high/c.c
    tool layers LAYERS
    is "$status" 1
    has "$output" 'lib/low/a.c:1: "high/x.h": lib/low has rank 0'
    has "$output" "lib/low/b.c:1: <curl/curl.h> has its door in lib/high"
    has "$output" 'lib/high/c.c:2: "kafka"'
    is "${#lines[@]}" 3
}

@test "sizes: long lines, long functions, long files" {
    {
        echo 'int f(void)'
        echo '{'
        seq -f '    g(%g);' 101
        echo '}'
        printf '/* %080d */\n' 1
    } >lib/low/a.c
    seq 501 >lib/low/b.c
    tool sizes lib/low/a.c lib/low/b.c
    is "$status" 1
    has "$output" "lib/low/a.c:2: f() has 101 lines"
    has "$output" "lib/low/a.c:105: 86 columns"
    has "$output" "lib/low/b.c:500: 501 lines"
}

@test "symbols: an exported name without its module's name" {
    mkdir -p obj/low
    echo 'int low_x; int a_y; int stray; static int z; int *a_p = &z;' \
        >lib/low/a.c
    gcc -c -o obj/low/a.o lib/low/a.c
    tool symbols obj LAYERS
    is "$status" 1
    has "$output" "lib/low/a.c:1: exports stray"
    is "${#lines[@]}" 2
    echo 'also low/a stray' >>LAYERS
    tool symbols obj LAYERS
    is "$status" 0
}

@test "manuals: options that only -h or only the page knows" {
    touch bin/p.c
    cat >build/bin/p <<'END'
#!/bin/sh
echo "usage: p [-a]
does

  -a, --all                  everything
  -f, --file FILE            from a file
      --new N                is new"
END
    chmod +x build/bin/p
    cat >man/man1/p.1 <<'END'
.Sh SYNOPSIS
.Nm
.Op Fl az
.Sh OPTIONS
.Bl -tag
.It Fl a , Fl -all
.It Fl f , Fl -file
.It Fl x
.El
END
    tool manuals build/bin
    is "$status" 1
    has "$output" "--new of -h is missing"
    has "$output" "p.1:7: -f: one of -h and the page gives it an argument"
    has "$output" "p.1:8: -x is not in -h"
    has "$output" "p.1:3: SYNOPSIS: -z is not in -h"
    has_not "$output" "-a "
    rm man/man1/p.1
    tool manuals build/bin
    has "$output" "bin/p.c:1: has no man/man1/p.1"
}
