#!/bin/bash
# Where private keys may be after a rack is done: on the boards, and sealed in the database. Every other place is searched,
# for pieces of their base64 and of their numbers: the files of the state, the log, all answers of the API, the daemon's
# arguments and environment, and its memory, which takes root, since the process does not let itself be read. Then again
# with another wrapping key, and when it dies.
. "$(dirname "$0")/common/lib.sh"
[ "$(id -u)" = 0 ] || skip "reading a process that is not dumpable takes root"
begin
make_ca
make_bundles 8 2
write_config
start_station

head -n 3 "$dir/bundles.ndjson" >"$dir/some"
"$CERTLINED" import -c "$config" "$dir/some" >"$dir/out" # the command's way
equal "POST" 200 "$(api /api/v1/bundles -o "$dir/answer.import" -w '%{http_code}' -X POST -H 'Content-Type: application/x-ndjson' \
    --data-binary "@$dir/bundles.ndjson")" # a client's way
# What is refused is read all the same: rows that are no JSON, that have another's key, that are cut short.
{
    jq -c '.id = "x-" + .id | .client_cert = .client_cert + "x"' "$dir/bundles.ndjson"
    jq -c '.id = "y-" + .id | .private_key |= sub("BEGIN PRIVATE KEY"; "BEGIN SOMETHING")' "$dir/bundles.ndjson"
    jq -c '.id = "z-" + .id | .imei = .private_key' "$dir/bundles.ndjson"
    jq -c '.[.private_key] = 1' "$dir/bundles.ndjson"
    sed 's/.$//' "$dir/bundles.ndjson"
    tail -n 1 "$dir/bundles.ndjson" | head -c 900
} >"$dir/refused"
equal "POST" 200 "$(api /api/v1/bundles -o "$dir/answer.refused" -w '%{http_code}' -X POST -H 'Content-Type: application/x-ndjson' \
    --data-binary "@$dir/refused")"
jq -e '.taken == 0' "$dir/answer.refused" >/dev/null || fail "took what it should refuse"
# A body where none belongs, and one whose sender gives up in the middle.
api /api/v1/work-orders/WO-9 -o "$dir/answer.wrong" -X PUT -H 'Content-Type: application/json' --data-binary "@$dir/some" || true
tool half "$url" "$dir/bundles.ndjson"

tool sealed "$dir/state" >"$dir/sealed" # each key as the database has it now
equal "order" 201 "$(put_order WO-1 8)"
# Boards that echo, lose, damage and answer late make the station look at what it sent in other ways.
start_boards 8 --fault lost_reply@command:13/1 --fault urc:0.3/2 --fault stored_wrong:0.4/3 --fault reboot@command:12/4 \
    --fault newline:crlf/5 --fault cut:400/6
await_slots 8 '.state == "done"'
slots_are 3 '.verdict.outcome == "PASS"' || fail "hardly a board passed"
# The search finds what is there: the boards' own process holds the keys.
! tool secrets "$dir/bundles.ndjson" "$sim" >"$dir/found" 2>&1 || fail "the search finds nothing in the boards"
grep -q "memory .* of b-00" "$dir/found" || fail "the search found something else: $(head -c 500 "$dir/found")"
stop_boards
await_slots 8 '.state == "absent"'

### everything that it says

n=0
for path in /healthz /readyz / /api/v1/station /api/v1/slots /api/v1/work-orders /api/v1/work-orders/WO-1 /api/v1/bundles/stock \
    '/api/v1/events?limit=1000' '/api/v1/jobs?limit=1000' \
    $(get '/api/v1/jobs?limit=1000' '.jobs[] | "/api/v1/jobs/" + .id, (select(.imei) | "/api/v1/boards/" + .imei)'); do
    n=$((n + 1))
    api "$path" -f -o "$dir/answer.$n"
done
[ $n -gt 25 ] || fail "only $n answers"
grep -q '«private_key' "$dir"/answer.* || fail "no dialogue with a key in it was looked at"

tool secrets "$dir/bundles.ndjson" "$daemon" "$dir"/state/* "$log" "$dir"/answer.*

# And with the log closed and all buffers written. The keys of boards that passed are erased: not even sealed they stand
# anywhere in the files any more, while those of the others do.
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
tool secrets "$dir/bundles.ndjson" 0 "$dir"/state/* "$log"
tool erased "$dir/state" "$dir/sealed"

### another wrapping key, and a daemon that dies with what it has in memory

"$CERTLINED" key rotate -c "$config" >"$dir/out"
grep -q 'under the new wrapping key' "$dir/out" || fail "the key was not changed"
tool secrets "$dir/bundles.ndjson" 0 "$dir"/state/* "$dir/out"
ulimit -c unlimited 2>/dev/null || true
cd "$dir" # where a core would lie
start_station
start_boards 8
await "a board that is held against its record" slots_are 1 '.state == "done" and .verdict.outcome == "PASS"'
tool secrets "$dir/bundles.ndjson" "$daemon" "$dir"/state/* "$log" "$dir/out"
end_station ABRT
equal "how it ended" 134 "$(cat "$dir/code")"
equal "cores" "" "$(find "$dir" -name 'core*')"
tool secrets "$dir/bundles.ndjson" 0 "$dir"/state/* "$log"
