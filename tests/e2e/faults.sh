#!/bin/bash
# Every fault that the simulated boards know, one board each in one rack: scripts/demo must end with the verdict that each
# must have, and with nothing else. A kind that the simulator knows and this list does not is a failure.
set -euo pipefail
: "${CERTLINED:?}" "${CERTLINE_SIM:?}" "${SOURCE_DIR:?}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    cat "$dir/out" >&2
    echo "FAILED: $*" >&2
    exit 1
}

# Fault, and how it ends: outcome, reason, and words that must stand in the detail. "any": by chance, as scripts/demo has
# it. Board 1 is whose IMEI others take, so it stands first and is held with them. What keygen_failed and no_tokens do
# shows only where boards make their keys (tests/unit/test_job_keygen.c).
rows=(
    'slow_nvm:1|held'
    'same_imei|held'
    'duplicate_imei|held'
    'drop:0.005|any'
    'garble:0.005|any'
    'dup:0.005|any'
    'stored_wrong:0.5|any'
    'lost_reply:0.2@any|any'
    'fifo:16|done PASS ok'
    'drain:100|done PASS ok'
    'cut:400|done FAIL line_wedged: .* one of [0-9]* was not'
    'cut:1100|done FAIL line_wedged: .* one of [0-9]* was not'
    'newline:lf|done PASS ok'
    'newline:crlf|done FAIL digest_mismatch: .*line feeds arrived as carriage return and line feed'
    'newline:cr|done FAIL digest_mismatch: .*line feeds arrived as carriage returns'
    'newline_all:crlf|done FAIL digest_mismatch: .*line feeds arrived as carriage return and line feed'
    'newline_all:cr|done FAIL digest_mismatch: .*line feeds arrived as carriage returns'
    'newline_all:lf|done FAIL no_answer'
    'hang@any|done FAIL no_answer'
    'hang@list|done FAIL no_answer: it stopped answering'
    'hang@write|done FAIL no_answer: it stopped answering'
    'lost_reply@write|done PASS ok'
    'lost_reply@list|done FAIL no_answer: .*the list was never finished'
    'unplug@byte:900|absent LOST unplugged'
    'reboot@command:9|done PASS ok'
    'urc:0.5|done PASS ok'
    'stored_wrong:1|done FAIL digest_mismatch: .*the modem holds other content, the same after a second write'
    'supply_low|done FAIL supply_low: .*528, supply [0-9]* mV'
    'memory_full|done FAIL memory_full: .*515'
    'active|done PASS ok'
    'stray_entry|done PASS ok'
    'stray_entry:77.0|done PASS ok'
    'wrong_family:F1|done FAIL firmware_not_allowed: mfw_nrf9160_1.2'
    'slow_nvm:900|done PASS ok'
    'delay:50|done PASS ok'
    'keygen_failed|done PASS ok'
    'no_tokens|done PASS ok'
)

faults=()
for i in "${!rows[@]}"; do
    faults+=(--fault "${rows[i]%%|*}/$((i + 1))")
done
: >"$dir/out"
list=$(printf '%s\n' "${rows[@]}")
for kind in $(sed -n '/^} kinds\[\] = {/,/^};/s/.*\.name = "\([a-z_]*\)".*/\1/p' "$SOURCE_DIR/firmware/sim/fault.c"); do
    grep -q "^$kind[:@|]" <<<"$list" || fail "no board has the fault $kind"
done

code=0
TMPDIR=$dir "$SOURCE_DIR/scripts/demo" --once --boards ${#rows[@]} --port 0 --baud 460800 "${faults[@]}" \
    >"$dir/out" 2>&1 || code=$?
for i in "${!rows[@]}"; do
    wanted=${rows[i]#*|} slot=$(printf 'rack1/%03d' $((i + 1)))
    last=$(grep "^$slot " "$dir/out" | tail -n 1)
    [ "$wanted" = any ] || [[ $last =~ ^$slot\ $wanted ]] || fail "${rows[i]%%|*}: '$last' in place of '$wanted'"
done
[ $code = 0 ] || fail "scripts/demo: exit status $code"
grep -q '^checked against the boards'"'"' own memory: \([0-9]*\) of \1 hold' "$dir/out" || fail "the boards' own memory differs"
