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
