#!/bin/bash
# ctest: tsan
# The daemon is killed in the middle of a rack, again and again at other moments, and started on what it left; boards keep
# their memory, as real ones would. There are as many bundles as boards: one that is spent for safety's sake, or given
# out twice, leaves a board without. In between it is asked to stop, which it must do in order; and a second daemon is
# refused.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 16
write_config 38400
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 16)"

equal "a second daemon" 5 "$("$CERTLINED" serve -c "$config" >"$dir/out" 2>&1 && echo 0 || echo $?)"
grep -q 'another process' "$dir/out" || grep -qi 'lock' "$dir/out" || fail "the second daemon does not say why"

# Jobs that the start had to end; each is told in the log as well.
restarted() { get '/api/v1/jobs?outcome=ERROR&reason=station_restarted&limit=1000' '.jobs | length'; }

# All boards fall out at once, and come back two by two: each round has boards that go through every step.
start_boards 16 --baud 38400 --fault unplug@byte:1
await_slots 16 '.state == "absent"'
control clear >/dev/null

next=1
# plug_two_and CONDITIONS SIGNAL: two boards come, and the daemon gets the signal as soon as the conditions hold for them.
plug_two_and() {
    watch_for "$1" "$daemon" "$2"
    control "plug $next" "plug $((next + 1))" >/dev/null
    next=$((next + 2))
    watched
    end_station "$2"
}

# Whoever was at work when it ended goes on and passes.
start_again() {
    start_station
    await_slots $((next - 1)) '.state == "done" and .verdict.outcome == "PASS"'
}

# kill_at CONDITIONS [maybe]: jobs are cut in two (or may be), and each gets its one ending from the next start.
cut=0
kill_at() {
    plug_two_and "$1" KILL
    equal "exit status" 137 "$(cat "$dir/code")"
    start_again
    [ "$(restarted)" -gt "$cut" ] || [ "${2:-}" = maybe ] || fail "$1: no job was under way"
    cut=$(restarted)
    equal "jobs that are told" "$cut" "$(cat "$dir"/log.* | sed -n 's/.*: \([0-9]*\) jobs were open.*/\1/p' | paste -sd+ | bc)"
}

# Asked to stop, it brings the jobs under way to a safe point and puts them on record itself.
stop_at() {
    plug_two_and "$1" TERM
    equal "exit status" 0 "$(cat "$dir/code")"
    grep -q 'stopped' "$log" || fail "no word of the end in the log"
    start_again
    ! grep -q 'jobs were open' "$log" || fail "a job was left open by an ordered end"
    [ "$(get '/api/v1/jobs?outcome=ABORTED&reason=station_restarted' '.jobs | length')" -gt 0 ] || fail "no job was stopped"
    equal "jobs ended by a start" "$cut" "$(restarted)"
}

kill_at new:job_started:1
kill_at new:bundle_exposed:1
kill_at step:write_ca:1
kill_at step:write_client_cert:1
stop_at step:write_private_key:1
kill_at step:write_private_key:1
kill_at step:prove:1
kill_at new:job_ended:1 maybe

equal "boards that passed" 16 "$(check_memory)"
equal "counts" '{"passed":16,"in_flight":0,"free":0,"bound":0,"exposed":0,"installed":16,"retired":0}' \
    "$(get /api/v1/work-orders/WO-1 '.counts | {passed, in_flight, free, bound, exposed, installed, retired}' | jq -c .)"
api '/api/v1/jobs?limit=1000' >"$dir/jobs"
equal "endings" '["ABORTED station_restarted","ERROR station_restarted","PASS already_right","PASS ok"]' \
    "$(jq -c '[.jobs[] | "\(.outcome) \(.reason)"] + ["PASS already_right"] | unique' "$dir/jobs")"
equal "bundles by board" '[16,16]' "$(jq -c '[.jobs[] | select(.bundle) | [.imei, .bundle]] | unique | [length, (map(.[1]) | unique | length)]' "$dir/jobs")"
equal "starts and endings" "$(get '/api/v1/events?limit=1000' '[.events[] | select(.kind == "job_started")] | length')" "$(jq '[.jobs[] | select(.bundle and .ended)] | length' "$dir/jobs")"
equal "bundles exposed" 16 "$(get '/api/v1/events?limit=1000' '[.events[] | select(.kind == "bundle_exposed") | .data.bundle] | unique | length')"
check_chain >/dev/null

stop_boards
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
