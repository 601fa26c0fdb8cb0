#!/bin/bash
# certlined doctor and certlined audit verify: a sound station, and each way of it being unsound, with what to do.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 2
write_config

# doctor CODE: what it says is in $dir/out.
doctor() {
    local code=0
    "$CERTLINED" doctor -c "$config" >"$dir/out" 2>&1 || code=$?
    equal "doctor's exit code" "$1" "$code"
}
# says CHECK PATTERN: a wrong thing is told, and what to do about it.
says() {
    "$CERTLINED" doctor --json -c "$config" >"$dir/json" || true
    jq -e --arg check "$1" --arg text "$2" '[.findings[] | select(.grade == "wrong" and .check == $check and
        (.text | test($text)) and (.remedy | endswith(".") or test("^[a-z]")))] | length == 1' "$dir/json" >/dev/null ||
        fail "no '$2' about $1 in $(jq -c '.findings[] | select(.grade == "wrong")' "$dir/json")"
}
audit() {
    local code=0
    "$CERTLINED" audit verify -c "$config" "${@:2}" >"$dir/out" 2>&1 || code=$?
    equal "exit code of audit verify" "$1" "$code"
}

### before the first start, at work, and after the end

doctor 0
grep -q '^note *database *there is none yet' "$dir/out" || fail "no word about a database that is not there yet"
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 2)"
start_boards 2
await_slots 2 '.verdict.outcome == "PASS"'
doctor 0
grep -q '^good *station *TEST answers' "$dir/out" || fail "the station is not seen"
grep -q '^good *ports *rack1: 2 ports' "$dir/out" || fail "the ports are not seen"
audit 0
said=$(tail -n 1 "$dir/out")
check_chain >"$dir/events"
equal "the last event" "$(cat "$dir/events")" "${said%% *}"
echo '# another' >>"$config"
doctor 0
grep -q 'another configuration than the file' "$dir/out" || fail "an older configuration is not told"
stop_boards
cp -r "$dir/state" "$dir/copy"
end_station TERM
doctor 0
audit 0

### what may be wrong, one after the other

state=$dir/state
mv "$state/wrapping.key" "$dir/key"
doctor 1
says "wrapping key" "No such file"
head -c 31 "$dir/key" >"$state/wrapping.key"
chmod 600 "$state/wrapping.key"
says "wrapping key" "31 octets"
mv "$dir/key" "$state/wrapping.key"
chmod 644 "$state/wrapping.key"
says "wrapping key" "others may read"
chmod 600 "$state/wrapping.key"
chmod 755 "$state"
says state "anybody may look"
chmod 700 "$state"

mv "$state/mark" "$dir/mark"
says database "mark is missing"
audit 6
mv "$dir/mark" "$state/mark"

python3 -B - "$state/certline.db" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("DROP TRIGGER event_is_not_changed")
    db.execute("UPDATE event SET at = '2026-01-01T00:00:00.000Z' WHERE seq = 5")
END
audit 1
grep -q 'event 5 does not fit' "$dir/out" || fail "the changed event is not named"
audit 0 "$dir/copy"
equal "a copy's proof" "$said" "$(tail -n 1 "$dir/out")"
python3 -B - "$state/certline.db" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("DROP TRIGGER event_is_not_removed")
    db.execute("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)")
END
says database "behind its mark"
python3 -B - "$state/certline.db" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(2 * 4096)
    f.write(b"\xff" * 8192)
END
says database .

cat >"$dir/taken.py" <<'END'
import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
sys.stdin.read()
END
mkfifo "$dir/hold"
python3 -B "$dir/taken.py" <"$dir/hold" >"$dir/port" &
taken=$!
exec 9>"$dir/hold"
await "a port that is taken" test -s "$dir/port"
sed -i "s/127.0.0.1:0/127.0.0.1:$(cat "$dir/port")/" "$config"
says addresses "in use"
exec 9>&-
wait "$taken"

: >"$rack/slot001"
says ports "no serial port"
rm "$rack/slot001"
echo 'nonsense = 1' >>"$config"
doctor 4
says configuration nonsense
