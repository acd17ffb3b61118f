# storm SCENARIO [OPTION…]: one run of tests/storm with a seed of its own;
# STORM_SEED repeats one. A failure prints the line that runs it again.
# shellcheck shell=bash disable=SC2154

storm() {
    local seed=${STORM_SEED:-$RANDOM$RANDOM}
    python3 tests/storm "$@" --seed "$seed" --dir "$T/storm" 2>&1
}
