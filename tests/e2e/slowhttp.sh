#!/bin/bash
# A rack at work while slowhttptest does its worst, again and again: headers that never end, bodies that trickle, answers
# that nobody reads. Every job ends as it would have, others are answered, and afterwards nothing is left of it.
. "$(dirname "$0")/common/lib.sh"
command -v slowhttptest >/dev/null || skip "slowhttptest is not there"
begin
make_ca
make_bundles 16
write_config 19200
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 16)"
before=$(ls "/proc/$daemon/fd" | wc -l)

# Each comes back at once when it is thrown out, until the rack is done.
attack() {
    while [ ! -e "$dir/done" ]; do
        slowhttptest "$@" -c 100 -r 100 -l 5 -p 5 -o "$dir/slow" >/dev/null 2>&1 || true
    done
}
(attack -H -i 1 -u "$url/api/v1/slots") & # headers, a line a second
(attack -B -i 1 -s 8192 -t POST -f application/json -u "$url/api/v1/slots/rack1/001/abort") & # a body, some octets a second
(attack -X -n 1 -w 1 -y 2 -z 1 -k 3 -u "$url/api/v1/reasons") & # a window of an octet or two
# Viewers that never read, and are replaced when they are cut.
(while [ ! -e "$dir/done" ]; do timeout 3 python3 -B "$common/tool.py" stalled "$url" 20 "$dir/stalled" >/dev/null 2>&1 || true; done) &
at_finish() { touch "$dir/done"; pkill -P "$(printf '%s,' $(jobs -p))0" 2>/dev/null || true; }

open_connections() { [ "$(ls "/proc/$daemon/fd" | wc -l)" -ge "$1" ]; }
await "the attack" open_connections $((before + 100))
start_boards 16 --baud 19200
await_slots 16 '.verdict.outcome == "PASS" and .state == "done"'
equal "what went otherwise than it should" '[]' \
    "$(api '/api/v1/jobs?limit=100' | jq -c '[.jobs[] | select(.outcome != "PASS" or .reason != "ok") | {slot, outcome, reason, detail}]')"
equal "boards that passed" 16 "$(check_memory)"
equal "writes beyond the first" 0 "$(jq '[.boards[].nvm_writes | to_entries[] | .value | select(. > 1)] | length' "$dir/boards.now")"

touch "$dir/done"
wait $(jobs -p | grep -v -e "^$daemon\$" -e "^$sim\$") || true
all_gone() { [ "$(ls "/proc/$daemon/fd" | wc -l)" -le $((before + 16)) ]; } # the boards' ports are still open
await "the end of the last connection" all_gone
[ -z "$(grep -v -e ' info: ' -e ' notice: ' "$log")" ] || fail "the log: $(grep -v -e ' info: ' -e ' notice: ' "$log" | head -n 3)"
stop_boards
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
