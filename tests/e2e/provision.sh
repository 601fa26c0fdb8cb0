#!/bin/bash
# ctest: tsan
# A rack of 16 boards from nothing to PASS, looked at from every side: the boards' own memory, jobs, events, stock and
# order must tell one story. Then what is sent twice: the order and the import.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 18 2
write_config
start_station

import_bundles >"$dir/out"
equal "import" "taken 18, duplicate 0, refused 0" "$(tail -n 1 "$dir/out")"
import_bundles >"$dir/out"
equal "import again" "taken 0, duplicate 18, refused 0" "$(tail -n 1 "$dir/out")"

equal "order" 201 "$(put_order WO-1 16)"
equal "same order" 200 "$(put_order WO-1 16)"
equal "the order with another body" 409 "$(put_order WO-1 17)"
equal "reason" order_conflict "$(jq -r .reason "$dir/out")"
equal "another order on the rack" 409 "$(put_order WO-2 1)"
equal "events of the order" 1 "$(get '/api/v1/events?limit=1000' '[.events[] | select(.kind == "order_opened")] | length')"

start_boards 16
await_slots 16 '.verdict.outcome == "PASS" and .state == "done"'
equal "boards that passed" 16 "$(check_memory)"

### one story

equal "counts of the order" '{"passed":16,"failed":0,"in_flight":0,"free":2,"bound":0,"exposed":0,"installed":16,"retired":0}' \
    "$(api /api/v1/work-orders/WO-1 | jq -c '.counts | {passed, failed, in_flight, free, bound, exposed, installed, retired}')"
equal "stock" '{"free":2,"bound":0,"exposed":0,"installed":16,"retired":0}' \
    "$(api '/api/v1/bundles/stock?product=tracker' | jq -c '[.. | objects | select(has("installed"))][0] | {free, bound, exposed, installed, retired}')"
equal "jobs" '[16,16,16,16]' "$(api '/api/v1/jobs?work_order=WO-1&limit=100' | jq -c '[(.jobs | length),
    ([.jobs[] | select(.outcome == "PASS" and .reason == "ok" and .proof == "digest" and .ended)] | length),
    ([.jobs[].imei] | unique | length), ([.jobs[].bundle] | unique | length)]')"
api '/api/v1/events?limit=1000' >"$dir/events"
for kind in job_started bundle_bound bundle_exposed bundle_installed job_ended; do
    equal "events $kind" 16 "$(jq "[.events[] | select(.kind == \"$kind\")] | length" "$dir/events")"
done
equal "chain" "$(jq .last "$dir/events")" "$(check_chain)"

# One job in full: what was proven is what the board has, and the dialogue shows no key.
job=$(get '/api/v1/jobs?limit=1' '.jobs[0].id')
api "/api/v1/jobs/$job" >"$dir/job"
imei=$(jq -r .imei "$dir/job")
equal "proven entries" "$(jq -c --arg imei "$imei" '[.boards[] | select(.imei == $imei) | .entries[] | [.sec_tag, .type, (.sha256 | ascii_downcase)]] | sort' "$dir/boards.now")" \
    "$(jq -c '{"ca": 0, "client_cert": 1, "private_key": 2} as $wire | [.entries[] | [.sec_tag, $wire[.type], (.sha256 | ascii_downcase)]] | sort' "$dir/job")"
equal "entries' proof and writes" '["digest",1]' "$(jq -c '[.entries[] | [.proof, .written]] | unique | .[0]' "$dir/job")"
jq -e '.steps | length > 5' "$dir/job" >/dev/null || fail "hardly any steps"
jq -e '[.dialogue[] | tostring | select(test("«private_key [0-9]+ octets»"))] | length == 1' "$dir/job" >/dev/null ||
    fail "the key's place in the dialogue"
equal "the board's bundle" "$(jq -r .bundle "$dir/job")" "$(get "/api/v1/boards/$imei" '[.. | objects | .bundle? | select(type == "string")][0]')"
[ "$(jq '[.boards[].nvm_writes | to_entries[] | .value] | max' "$dir/boards.now")" = 1 ] || fail "something was written twice"

### a quota is a quota, and an order that is closed lets nobody in

equal "close" 200 "$(api /api/v1/work-orders/WO-1/close -o "$dir/out" -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{}')"
equal "closed" closed "$(get /api/v1/work-orders/WO-1 .state)"
control 'unplug 5' >/dev/null
await_slot 5 '.state == "absent"'
control 'plug 5' >/dev/null
await_slot 5 '.state == "waiting" and .waiting_for == "no_order"'

stop_boards
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
