#!/bin/bash
# scripts/demo, as people run it but for the build: what it prints at the end, and its exit status, without faults and with.
set -euo pipefail
: "${CERTLINED:?}" "${CERTLINE_SIM:?}" "${SOURCE_DIR:?}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# demo BOARDS PASS FAIL OTHER [options]
demo() {
    local boards=$1 pass=$2 fail=$3 other=$4 s='[0-9]+(\.[0-9]+)?' lines code=0
    shift 4
    TMPDIR=$dir "$SOURCE_DIR/scripts/demo" --once --boards "$boards" --port 0 "$@" >"$dir/out" 2>&1 || code=$?
    lines=$(tail -n 3 "$dir/out")
    if [ $code != 0 ] || ! [[ $lines =~ ^"rack1: $boards boards, $pass PASS, $fail FAIL, $other other in "$s" s (slowest board "$s" s, wire and modem "$s" s)
checked against the boards' own memory: $pass of $pass hold exactly their bundle
dashboard: http://127.0.0.1:"[0-9]+/$ ]]; then
        cat "$dir/out" >&2
        echo "FAILED: demo $*: exit status $code" >&2
        exit 1
    fi
    rm "$dir/out"
    [ -z "$(ls -A "$dir")" ] || { ls -R "$dir" >&2; echo "FAILED: left something behind" >&2; exit 1; }
}

demo 4 4 0 0
demo 5 2 2 1 --baud 460800 --fault stored_wrong:1/2 --fault unplug@byte:900/3 --fault supply_low/5
demo 2 0 0 2 --baud 460800 --fault same_imei

# A fault that there is not: said at once, and nothing is left.
code=0
TMPDIR=$dir "$SOURCE_DIR/scripts/demo" --once --boards 2 --port 0 --fault low_supply >"$dir/out" 2>&1 || code=$?
if [ $code != 1 ] || [ "$(tail -n 1 "$dir/out")" != "scripts/demo: the simulated boards are gone: certline-sim: --fault: there is no fault called low_supply" ]; then
    cat "$dir/out" >&2
    echo "FAILED: an unknown fault: exit status $code" >&2
    exit 1
fi
rm "$dir/out"
[ -z "$(ls -A "$dir")" ] || { ls -R "$dir" >&2; echo "FAILED: left something behind" >&2; exit 1; }

! TMPDIR=$dir "$SOURCE_DIR/scripts/demo" --boards none >"$dir/out" 2>&1 || { echo "FAILED: no boards are fine" >&2; exit 1; }
