#!/bin/bash
# The live stream of a running station: what a viewer gets from the first slot to the last PASS, what one that comes
# back gets, and that viewers who never read neither slow the jobs nor cost another viewer anything.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 8
write_config
start_station
import_bundles >"$dir/out"

# Twenty who never read, and six who do, before anything happens.
python3 -B "$common/tool.py" stalled "$url" 20 "$dir/stalled" &
stalled=$!
viewers=
for i in $(seq 1 6); do
    python3 -B "$common/tool.py" stream "$url" "$dir/stream.$i" until-passed:8 &
    viewers="$viewers $!"
done
at_finish() { kill -KILL $viewers $stalled 2>/dev/null || true; }
await "the stalled ones" test -s "$dir/stalled"

equal "order" 201 "$(put_order WO-1 8)"
start_boards 8
await_slots 8 '.verdict.outcome == "PASS" and .state == "done"'
for viewer in $viewers; do
    wait "$viewer" || fail "a viewer did not see eight boards pass"
done
viewers=

# Everything that is on record was told to each of them once they had come: jobs as they ended, the order's counts.
for i in $(seq 1 6); do
    equal "viewer $i: first" resync "$(jq -r 'select(.event != "slot") | .event' "$dir/stream.$i" | head -n 1)"
    equal "viewer $i: jobs that passed" 8 \
        "$(jq -r 'select(.event == "job" and .data.outcome == "PASS") | .data.id' "$dir/stream.$i" | sort -u | wc -l)"
    equal "viewer $i: slots that passed" 8 \
        "$(jq -r 'select(.event == "slot" and .data.verdict.outcome == "PASS") | .data.id' "$dir/stream.$i" | sort -u | wc -l)"
    equal "viewer $i: ids rise" "$(jq '.id | select(. != null)' "$dir/stream.$i" | sort -n | uniq)" \
        "$(jq '.id | select(. != null)' "$dir/stream.$i")"
done
equal "the order at its end" '{"passed":8,"in_flight":0}' \
    "$(jq -c 'select(.event == "order") | .data.counts | {passed, in_flight}' "$dir/stream.1" | tail -n 1)"
equal "a job is what the API says" \
    "$(get '/api/v1/jobs?limit=100' '[.jobs[]] | sort_by(.id)' | sha256sum)" \
    "$(jq -s '[.[] | select(.event == "job" and .data.outcome) | .data] | unique_by(.id) | sort_by(.id)' "$dir/stream.1" | sha256sum)"

# One that was cut off comes back and gets the rest: what it had before and what it gets now are all eight.
last=$(jq -s '[.[].id | select(. != null)] | max' "$dir/stream.1")
middle=$(jq -s '[.[].id | select(. != null)] | .[length / 2 | floor]' "$dir/stream.1")
jobs='select(.event == "job" and .data.outcome == "PASS") | .data.id'
for id in 1 "$middle" "$last"; do
    tool stream "$url" "$dir/back" quiet "after:$id"
    equal "no resync after $id" 0 "$(jq -r 'select(.event == "resync") | .event' "$dir/back" | wc -l)"
    jq -r "select(.id != null and .id > $id) | .id" "$dir/back" | head -n 1 >"$dir/next"
    [ "$id" = "$last" ] || [ -s "$dir/next" ] || fail "nothing new after $id"
    jq -c -s --argjson id "$id" '.[:(map(.id == $id) | index(true) // -1) + 1][]' "$dir/stream.1" >"$dir/before"
    equal "jobs before and after $id" 8 "$(jq -r "$jobs" "$dir/before" "$dir/back" | sort -u | wc -l)"
done

# An id that this record never reached, and one that is no number, are answered with a resync.
for id in 999999999 x; do
    tool stream "$url" "$dir/back" quiet "after:$id"
    equal "resync after $id" resync "$(jq -r 'select(.event != "slot") | .event' "$dir/back" | head -n 1)"
done

# A stop ends the streams, read or not.
stop_boards
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
kill "$stalled"
