load helper
setup() { common_setup; }
teardown() { common_teardown; }

@test "every example of the manual pages runs" {
    unshare -rn true 2>/dev/null || skip "no network namespaces here"
    run "$ROOT/tests/tools/examples" "$ROOT"/man/man*/*.[157]
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a manual page without examples, or a program without a page, is seen" {
    for p in "$BUILD"/bin/*; do
        page=$ROOT/man/man1/${p##*/}.1
        [ -e "$page" ] || {
            echo "$page is missing"
            false
        }
        grep -q "^.Sh EXAMPLES" "$page" || {
            echo "$page has no examples"
            false
        }
    done
}

@test "the figures of dpp-kafka(7) are those of README" {
    cd "$ROOT"
    grep -oE '[0-9]+,[0-9]{3}|[0-9.]+ GB/s' man/man7/dpp-kafka.7 >"$T/figures"
    is "$(wc -l <"$T/figures")" 5
    while read -r figure; do
        has "$(cat README.md)" "$figure"
    done <"$T/figures"
}
