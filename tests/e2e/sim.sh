#!/bin/bash
# certline-sim through real pseudo-terminals, with nothing but a shell: answers, a long write, plugging, moving, faults
# while running, the state file, the end. CERTLINE_SIM names the program. Every wait has an end and is for an event.
set -u
sim=${CERTLINE_SIM:?}
work=$(mktemp -d)
rack=$work/rack
pid=

stop() {
    [ -n "$pid" ] && kill "$pid" 2>/dev/null
    rm -rf "$work"
}
trap stop EXIT

fail() {
    echo "sim.sh: $*" >&2
    exit 1
}

# ask LINE WANTED…: sends the line on descriptor 3 and compares the lines of the answer.
ask() {
    local send=$1 got
    shift
    printf '%s\r' "$send" >&3
    for wanted in "$@"; do
        IFS= read -r -t 20 got <&3 || fail "no answer to '${send:0:60}', wanted '$wanted'"
        got=${got%$'\r'}
        [ "$got" = "$wanted" ] || fail "'${send:0:60}' gave '$got', wanted '$wanted'"
    done
}

# Skips lines of descriptor 3 up to the one wanted.
skip_to() {
    local got
    while IFS= read -r -t 20 got <&3; do
        [ "${got%$'\r'}" = "$1" ] && return
    done
    fail "never saw '$1'"
}

# control LINE: prints the answer of the control socket.
control() {
    python3 - "$work/control" "$1" <<'PY' || fail "control socket: $1"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile().readline().rstrip("\n"))
PY
}

ok() {
    local got
    got=$(control "$1")
    [ "$got" = ok ] || fail "'$1' gave '$got'"
}

"$sim" --dir "$rack" --boards 2 --nonsense 2>/dev/null
[ $? -eq 2 ] || fail "an unknown option must end with 2"
"$sim" --dir "$rack" --boards 2 --front-end teletype 2>/dev/null
[ $? -eq 2 ] || fail "an unknown front end must end with 2"
"$sim" --dir "$rack" --boards 2 --fault drop:7 2>/dev/null
[ $? -eq 2 ] || fail "a wrong fault must end with 2"
"$sim" --help | grep -q -- --control || fail "the help says nothing of --control"

mkfifo "$work/out"
"$sim" --dir "$rack" --boards 3 --family F2b,2=F1 --baud 1000000 --state "$work/state.json" \
    --control "$work/control" --fault memory_full/3 >"$work/out" &
pid=$!
exec 4<"$work/out"
IFS= read -r -t 20 line <&4 || fail "not ready"
[ "$line" = "ready $rack/slot001 … slot003" ] || fail "said '$line'"

pem=$(cat /usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt)
exec 3<>"$rack/slot001"
ask AT OK
ask AT+CGSN 351465800000002 OK
ask AT+CMEE=1 OK
ask "AT%CMNG=0,42,0,\"$pem\"" OK
ask AT%CMNG=1,42 '%CMNG: 42,0,"AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74"' OK
ask AT%CMNG=2,42,1 '+CME ERROR: 514'
ask AT%CMNG=2,43,0 '+CME ERROR: 513'

# A lost quote wedges the AT host; a purge longer than any buffer in between cures it.
printf 'AT%%CMNG=0,42,1,"half a certificate\r' >&3
printf '%4096s' '' | tr ' ' '\b' >&3
printf '"\b\r' >&3
ask AT OK
exec 3>&-

# Whatever waited for the host that has gone does not greet the next one.
exec 3<>"$rack/slot001"
printf 'AT+CGMR\r' >&3
exec 3>&-
ok "clear 1" # a round through the program's loop
exec 3<>"$rack/slot001"
ask AT+CGMM nRF9151-LACA OK
exec 3>&-

exec 3<>"$rack/slot002"
ask AT+CGMR mfw_nrf9160_1.2.3 OK
ask 'AT%CMNG=0,42,4,"id"' OK
ask AT%CMNG=1,42 '%CMNG: 42,4,"0404040404040404040404040404040404040404040404040404040404040404"' OK
exec 3>&-

exec 3<>"$rack/slot003"
ask AT+CMEE=1 OK
ask 'AT%CMNG=0,42,4,"id"' '+CME ERROR: 515'
ok "clear 3"
ask 'AT%CMNG=0,42,4,"id"' OK
ok "fault reboot@command:1/3"
printf 'AT\r' >&3
skip_to "The AT host sample started"
ask AT+CMEE? '+CMEE: 0' OK

# The cable: the link goes, the open port hangs up, a new terminal comes.
ok "unplug 3"
[ ! -e "$rack/slot003" ] && [ ! -L "$rack/slot003" ] || fail "slot003 is still there"
IFS= read -r -t 20 line <&3
[ $? -eq 1 ] || fail "the unplugged port did not hang up"
exec 3>&-
ok "plug 3"
exec 3<>"$rack/slot003"
ask AT+CGSN 351465800000028 OK
exec 3>&-

ok "move 1 3"
exec 3<>"$rack/slot001"
ask AT+CGSN 351465800000028 OK
exec 3>&-
[ "$(control 'unplug 4')" = "error: there is no such slot" ] || fail "slot 4 exists"
[ "$(control 'fault bogus')" = "error: there is no fault called bogus" ] || fail "took a bogus fault"

ok "fault unplug@byte:3/2"
exec 3<>"$rack/slot002"
printf 'AT\r' >&3
IFS= read -r -t 20 line <&3
[ $? -eq 1 ] || fail "unplug@byte:3 did not hang up"
exec 3>&-
control state | python3 -c 'import json, sys; json.load(sys.stdin)' || fail "the state is no JSON"

kill -TERM "$pid"
wait "$pid" || fail "ended with $?"
pid=
[ -z "$(ls -A "$rack")" ] || fail "left links behind"
[ ! -e "$work/control" ] || fail "left its socket behind"
python3 - "$work/state.json" <<'PY' || fail "the state file is wrong"
import json, sys
pem = open("/usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt").read().rstrip("\n")
boards = {b["slot"]: b for b in json.load(open(sys.argv[1]))["boards"]}
assert list(boards) == ["slot001", "slot002", "slot003"], boards.keys()
b = boards["slot003"]  # came from slot 1
assert b["imei"] == "351465800000002" and b["family"] == "F2b" and b["plugged"]
assert b["entries"] == [{"sec_tag": 42, "type": 0, "content": pem,
                         "sha256": "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74"}]
assert b["nvm_writes"] == {"42,0": 1} and b["modem_ms"] > 30
assert b["executed"][:4] == ["AT", "AT+CGSN", "AT+CMEE=1", "AT%CMNG=0,42,0,…"], b["executed"]
assert b["octets_in"] > 5000 and b["octets_out"] > 100
assert boards["slot002"]["plugged"] is False and boards["slot002"]["family"] == "F1"
assert boards["slot001"]["boots"] == 4, boards["slot001"]["boots"]
PY
echo "sim.sh: passed"
