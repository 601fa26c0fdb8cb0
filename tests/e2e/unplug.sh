#!/bin/bash
# ctest: tsan
# Cables. Boards are pulled in the middle of their jobs, put back, and moved to other slots: the IMEI is the identity, so
# each goes on with the bundle it has, wherever it stands. Two boards with one IMEI are both held until a person says which
# may go on. A port that is no terminal, or cannot be opened, is told and disturbs nobody.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 8
write_config 57600
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 8)"

command() { # SLOT COMMAND: the status
    api "/api/v1/slots/rack1/$(printf '%03d' "$1")/$2" -o "$dir/out" -w '%{http_code}' -X POST \
        -H 'Content-Type: application/json' -d '{}'
}

### what is no port

ln -s /dev/null "$rack/slot101"
: >"$dir/busy"
python3 -B "$common/tool.py" busy "$rack/slot102" >>"$dir/busy" 2>&1 &
busy=$!
at_finish() { end_process "$busy"; }
await "a port that somebody else holds" grep -q held "$dir/busy"
for n in 101 102; do
    await_slot $n '.verdict.reason == "port_open_failed" and .verdict.outcome == "ERROR" and (.verdict.remedy | length > 10)'
done
slot_is 101 '.verdict.detail | test("terminal")' || fail "no word of the missing terminal"
slot_is 102 '.verdict.detail | test("another|use|lock|held")' || fail "no word of the other program"

### pulled, put back, moved

start_boards 6 --baud 57600 --fault unplug@byte:400/1 --fault unplug@byte:1100/2 --fault unplug@byte:1500/3

# pulled SLOT STEP: the board left in the middle of this step, and the tile says what to do.
pulled() {
    await_slot "$1" '.state == "absent" and .verdict.outcome == "LOST" and .verdict.reason == "unplugged" and
        (.verdict.remedy | length > 10)'
    slot_is "$1" ".verdict.detail | test(\"$2\")" || fail "slot $1 was not in step $2"
    control "clear $1" >/dev/null
}
bundles_of() { get "/api/v1/jobs?imei=$1&limit=100" '[.jobs[].bundle | select(.)] | unique | join(" ")'; }
imei_in() { get "/api/v1/slots/rack1/$(printf '%03d' "$1")" '.board.imei'; }

pulled 1 write_ca
pulled 2 write_client_cert
pulled 3 write_private_key
one=$(imei_in 1)
two=$(imei_in 2)
three=$(imei_in 3)
control 'move 1 2' >/dev/null # while neither is plugged: they change places
control 'plug 1' >/dev/null
control 'plug 2' >/dev/null
control 'plug 3' >/dev/null
await_slots 6 '.verdict.outcome == "PASS" and .state == "done"'
equal "the board that was in slot 1" "$one" "$(imei_in 2)"
equal "the board that was in slot 2" "$two" "$(imei_in 1)"
equal "the board in slot 3" "$three" "$(imei_in 3)"
for imei in "$one" "$two" "$three"; do
    case $(bundles_of "$imei") in
    b-???) ;;
    *) fail "board $imei was given: $(bundles_of "$imei")" ;;
    esac
done
equal "boards that passed" 6 "$(check_memory)"
equal "lost jobs" 3 "$(get '/api/v1/jobs?outcome=LOST' '.jobs | length')"
equal "stock" '{"free":2,"bound":0,"exposed":0,"installed":6,"retired":0}' \
    "$(get /api/v1/work-orders/WO-1 '.counts | {free, bound, exposed, installed, retired}' | jq -c .)"

# A board that has passed and comes again, elsewhere: compared, and nothing is written.
control 'move 4 5' >/dev/null
for n in 4 5; do
    await_slot $n '.state == "done" and .verdict.reason == "already_right"'
done
equal "boards that passed" 6 "$(check_memory)"
stop_boards

### one IMEI twice

rm -rf "$rack"/slot00*
await_slots 6 '.state == "absent"'
start_boards 3 --baud 57600 --imei0 35146580000100 --fault same_imei/1-2
for n in 1 2; do
    await_slot $n '.state == "held" and .waiting_for == "duplicate_imei"'
done
await_slot 3 '.verdict.outcome == "PASS"'
equal "start of a held board" 409 "$(command 1 start)"
equal "release of a board that is not held" 409 "$(command 3 release)"
equal "release without its twin gone" 200 "$(command 1 release)"
await_slot 1 '.state == "done" and .verdict.outcome == "PASS"'
slot_is 2 '.state == "held"' || fail "the other one is not held any more"
equal "passed" '[8,0]' "$(get /api/v1/work-orders/WO-1 '[.counts.passed, .counts.free]' | jq -c .)"

### the two bad ports: nobody was disturbed, they were tried again and again, and the log said so once

equal "log lines of slot 101" 1 "$(grep -c 'rack1/101' "$log")"
end_process "$busy"
busy=
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
