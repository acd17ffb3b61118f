#!/usr/bin/env bats
# dpp-run --check: which filters may stand in a segment.
# shellcheck disable=SC2154 # the helper sets them
# shellcheck disable=SC2016 # $ is for awk and the inner shell
load helper

setup() {
    common_setup
    unset PYTHONUNBUFFERED
}

teardown() {
    common_teardown
}

check() {
    run --separate-stderr dpp-run --check "$@"
}

conforms() {
    check "$@"
    is "$status" 0
    has "$stderr" "conforms"
    has_not "$output" FAIL
    has "$output" "of 10000 events: "
}

# refused PROMISE TEXT FILTER…
refused() {
    local promise=$1 text=$2
    shift 2
    check "$@"
    is "$status" 65
    has "$stderr" "does not conform"
    has "$stderr" "$text"
    is "$(grep FAIL <<<"$output" | awk '{print $2}')" "$promise"
}

@test "these conform as they are: cat, tee, jq --unbuffered, sed -u, grep --line-buffered, mawk -W interactive, python3 -u" {
    conforms cat
    conforms tee copy
    conforms jq -c --unbuffered .
    conforms sed -u s/Gr/gr/
    conforms grep --line-buffered .
    conforms mawk -W interactive '{print}'
    conforms python3 -u -c 'import sys
for line in sys.stdin: print(line, end="")'
}

@test "dpp-transform conforms, whether it keeps, drops, splits or fails" {
    conforms dpp-transform .
    conforms dpp-transform 'select(.data == null)'
    has "$output" "were dropped"
    conforms dpp-transform '., .'
    has "$output" "10000 born"
    conforms dpp-transform 'error("no")'
    has "$output" "10000 dead"
}

@test "a filter may drop, split and change events" {
    conforms grep --line-buffered -e '^{"dpp"' -e '3"'
    has "$output" "of 10000 events: 1000 came out, 9000 were dropped"
    conforms mawk -W interactive '{print} /"probe-/ {print}'
    has "$output" "10000 born"
    conforms jq -c --unbuffered 'if has("dpp") then . else .subject = "x" end'
}

@test "rounded numbers are said, and no fault" {
    conforms jq -c --unbuffered .
    has "$output" "it rounds long numbers"
    conforms sed -u ''
    has_not "$output" "it rounds long numbers"
}

@test "one that buffers is refused, and told the option that cures it" {
    refused hello "add --unbuffered" jq -c .
    refused hello "add -u" sed ''
    refused hello "add --line-buffered" grep .
    refused hello "add -W interactive" mawk '{print}'
    refused hello "add -u" python3 -c 'import sys
for line in sys.stdin: print(line, end="")'
}

@test "what must see all of its input is refused" {
    refused hello "cannot stand in a segment" sort
    refused hello "cannot stand in a segment" tac
    refused hello "cannot stand in a segment" uniq
    refused hello "never came out" wc
}

@test "one that works in parallel is refused" {
    refused hello "it changes control lines" xargs -P 4 -n 1 echo
    check xargs -P 4 -d '\n' -n 1 echo
    is "$status" 65
}

@test "one that changes or eats control lines is refused" {
    refused hello "it changes control lines: null" jq -c --unbuffered .data
    refused hello "add -c" jq --unbuffered .
    refused hello "it reorders members" jq -cS --unbuffered .
    refused hello "never came out" grep --line-buffered -v dpp
    refused marks "mark 1 says 2 lines; 1 came, of 1 events" \
        mawk -W interactive '/"mark"/ {sub("\"n\":1", "\"n\":2")} {print}'
    refused order "came where mark 30 was due" \
        mawk -W interactive '!/"mark".*"seq":30,/'
    refused marks "the position of mark 2 was changed" \
        mawk -W interactive '/"mark".*"seq":2,/ {sub("0:2", "0:3")} {print}'
    refused hello "the hello line was changed" \
        sed -u '1s/@dpp-./@dpp-x/'
}

@test "one that holds events back past a mark, or reorders them, is refused" {
    refused holds "event 7 came behind the mark that covers it" \
        mawk -W interactive '/probe-7"/ {h = $0; next} {print}
            h && /"mark"/ {print h; h = ""}'
    refused order "event 50 came behind event 51" \
        mawk -W interactive '/probe-50"/ {h = $0; next} {print}
            h && /probe-51"/ {print h; h = ""}'
    refused lines "it writes what is no event" \
        mawk -W interactive '{print} /probe-50"/ {print "hm"}'
}

@test "one that holds a line until the next one comes is refused" {
    refused hello "came only when the input ended" mawk -W interactive \
        'NR > 1 {print last} {last = $0} END {print last}'
    refused holds "a mark came only when the input ended" mawk -W interactive \
        '/"hello"/ {print; next} last {print last} {last = $0} END {print last}'
}

@test "one that does not end well is refused" {
    refused end "it ended with 5" sh -c 'cat; exit 5'
    refused end "does not end within 2000 ms" sh -c 'cat; exec sleep 1000'
    refused end "behind the end line" sh -c 'cat; echo "{\"dpp\":\"end\"}"'
    refused hello "it ended with 0 before its input did" true
    refused death "an end line came out that never went in" \
        mawk -W interactive '/"dpp":"end"/ {e = 1} {print}
            /"hello"/ {sub("hello", "end"); h = $0} END {if (!e) print h}'
}

@test "a row of filters is checked as one" {
    conforms sed -u s/x/x/ ! jq -c --unbuffered .
    refused hello "came only when the input ended" cat ! jq -c .
}

@test "a filter that is not there is a usage error" {
    check nonsense
    is "$status" 64
    check
    is "$status" 64
}
