#!/bin/bash
# ctest: tsan
# The disk with the state is full while a rack is provisioned. No board may be told as PASS whose PASS is not stored, no new
# one is taken, the station says so, and when there is room again everything goes on by itself. The state lies on a small
# tmpfs, which only root may mount.
. "$(dirname "$0")/common/lib.sh"
[ "$(id -u)" = 0 ] || skip "mounting a tmpfs takes root"
begin
mount -t tmpfs -o size=6m,mode=0700 tmpfs "$dir/state" 2>/dev/null || skip "a tmpfs cannot be mounted here"
at_finish() { umount -l "$dir/state" 2>/dev/null || true; }
make_ca
make_bundles 14
write_config 19200
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 14)"

fill_disk() { # to the last page; what the database has allocated already it keeps
    dd if=/dev/zero of="$dir/state/ballast" bs=4096 2>/dev/null || true
}
free_disk() { rm -f "$dir/state/ballast"; }
readyz() { api /readyz | jq -c '[.ready, .reasons]'; }
readyz_is() { [ "$(readyz)" = "$1" ]; }

# Whatever a slot tells as PASS is on record: the records are read after the slots.
told_is_stored() {
    local told stored job
    told=$(get /api/v1/slots '.slots[] | select(.verdict.outcome == "PASS") | .job')
    stored=$(get '/api/v1/jobs?outcome=PASS&limit=100' '.jobs[].id')
    for job in $told; do
        grep -qxF "$job" <<<"$stored" || fail "job $job is told as PASS and is not stored"
    done
}

equal "ready" '[true,[]]' "$(readyz)"

### boards at work when the disk fills up, and boards that come while it is full

start_boards 14 --baud 19200 --fault unplug@byte:1 # they fall out at once
await_slots 14 '.state == "absent"'
control clear >/dev/null
watch_for step:write_private_key:1 "$sim" STOP # the boards stand still while the disk fills up
control "plug "{1..10} >/dev/null
watched
fill_disk
kill -CONT "$sim"
await "trouble in /readyz" readyz_is '[false,["store_failed"]]'
equal "status of /readyz" 503 "$(api /readyz -o "$dir/out" -w '%{http_code}')"
control "plug "{11..14} >/dev/null
for n in 11 12 13 14; do
    await_slot $n '.state == "waiting" and .waiting_for == "store_failed" and .verdict == null'
done
told_is_stored
settled='(.state == "recording" and .verdict == null) or .state == "done" or .state == "waiting"'
await_slots 14 "$settled"
told_is_stored
slots_are 1 '.state == "recording"' || fail "no board stands proven and unrecorded"
equal "alive" ok "$(get /healthz .status)"

# It may stay so for as long as it likes: nothing is told, nobody is taken.
slots_are 14 "$settled" || fail "something moved"
equal "another import" 1 "$(import_bundles >"$dir/out" 2>&1 && echo 0 || echo $?)"

### room again

free_disk
await "ready" readyz_is '[true,[]]'
await_slots 14 '.state == "done" and .verdict.outcome == "PASS"'
told_is_stored
equal "boards that passed" 14 "$(check_memory)"
equal "counts" '{"passed":14,"in_flight":0,"free":0,"bound":0,"exposed":0,"installed":14,"retired":0}' \
    "$(get /api/v1/work-orders/WO-1 '.counts | {passed, in_flight, free, bound, exposed, installed, retired}' | jq -c .)"
check_chain >/dev/null
import_bundles >"$dir/out"
equal "import" "taken 0, duplicate 14, refused 0" "$(tail -n 1 "$dir/out")"

end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
grep -q 'no new board is taken: store_failed' "$log" || fail "no word of the trouble in the log"
start_station # on what that left
check_chain >/dev/null

### without a station an import says the same, and is done again when there is room

end_station TERM
rm -r "$dir/made"
make_bundles 3
sed -i 's/"id": "b-/"id": "c-/' "$dir/bundles.ndjson"
fill_disk
equal "import" 1 "$(import_bundles >"$dir/out" 2>&1 && echo 0 || echo $?)"
grep -q -i "disk.*full\|no space" "$dir/out" || fail "no word of the disk: $(cat "$dir/out")"
free_disk
import_bundles >"$dir/out"
equal "import" "taken 3, duplicate 0, refused 0" "$(tail -n 1 "$dir/out")"
