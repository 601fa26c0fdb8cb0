#!/bin/bash
# The station as a service, with this test as its manager: readiness, signs of life, sockets and a key handed over, a
# stop in the middle of a rack at work; and what systemd itself thinks of the units.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 16
write_config 9600
units=$SOURCE_DIR/systemd

### the units

if command -v systemd-analyze >/dev/null; then
    # The program is where the package puts it, or the same lines with the program that is tested.
    mkdir "$dir/units"
    sed "s|/usr/bin/certlined|$CERTLINED|" "$units/certlined.service" >"$dir/units/certlined.service"
    cp "$units/certlined.socket" "$dir/units"
    systemd-analyze verify --man=no "$dir/units/certlined.service" "$dir/units/certlined.socket" >"$dir/out" 2>&1 ||
        fail "systemd-analyze verify: $(cat "$dir/out")"
    equal "what systemd-analyze says" "" "$(cat "$dir/out")"
    systemd-analyze security --no-pager --offline=true --threshold=15 "$dir/units/certlined.service" >"$dir/out" 2>&1 ||
        fail "exposure: $(tail -n 1 "$dir/out")"
fi

# What a person must mend is not tried again, and nothing is for ever.
prevented=$(sed -n 's/^RestartPreventExitStatus=//p' "$units/certlined.service")
for code in 2 4 5 6; do
    [[ " $prevented " == *" $code "* ]] || fail "the service is started again after exit status $code"
done
grep -q '^StartLimitBurst=' "$units/certlined.service" || fail "a service that cannot live is started for ever"

### a manager that hands over a socket and the key

mkdir "$dir/credentials"
head -c 32 /dev/urandom >"$dir/credentials/wrapping.key"
chmod 400 "$dir/credentials/wrapping.key"
cat >"$dir/manager.py" <<'END'
"""manager.py DIR COMMAND…: runs the command as a service manager would. Writes what it is told to DIR/told, its address
to DIR/address, its process to DIR/pid; ends as it ends."""
import os, pathlib, socket, subprocess, sys
where = pathlib.Path(sys.argv[1])
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(str(where / "notify"))
listening = socket.socket()
if (where / "address").exists(): # the second time it is held open, as the manager would have held it
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int((where / "address").read_text().rpartition(":")[2])))
else:
    listening.bind(("127.0.0.1", 0))
listening.listen()
(where / "address").write_text("http://127.0.0.1:%d" % listening.getsockname()[1])
env = {**os.environ, "NOTIFY_SOCKET": str(where / "notify"), "LISTEN_FDS": "1", "WATCHDOG_USEC": "1000000",
       "CREDENTIALS_DIRECTORY": str(where / "credentials")}
def hand_over():
    os.dup2(listening.fileno(), 3)
    os.environ["LISTEN_PID"] = str(os.getpid())
process = subprocess.Popen(["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; unset WATCHDOG_PID; exec "$@"', "sh", *sys.argv[2:]],
                           env=env, preexec_fn=hand_over, pass_fds=[3] if listening.fileno() == 3 else [], close_fds=False)
(where / "pid").write_text(str(process.pid))
listening.close()
notify.settimeout(0.05)
with open(where / "told", "a") as told:
    while process.poll() is None:
        try:
            print(notify.recv(4096).decode(), file=told, flush=True)
        except TimeoutError:
            pass
sys.exit(process.returncode)
END
python3 -B "$dir/manager.py" "$dir" "$CERTLINED" serve -c "$config" >"$dir/log.manager" 2>&1 &
manager=$!
at_finish() { kill -KILL "$(cat "$dir/pid")" "$manager" 2>/dev/null || true; }
told() { grep -qs "$1" "$dir/told"; }
await "readiness" told '^READY=1'
url=$(cat "$dir/address")
equal "the socket that was handed over" 200 "$(api /healthz -o "$dir/out" -w '%{http_code}')"
[ ! -e "$dir/state/wrapping.key" ] || fail "a key was made although one was handed over"
await "signs of life" told '^WATCHDOG=1'

### work, and a stop in the middle of it

"$CERTLINED" import -c "$config" "$dir/bundles.ndjson" >"$dir/out"
equal "import" "taken 16, duplicate 0, refused 0" "$(tail -n 1 "$dir/out")"
equal "order" 201 "$(put_order WO-1 16)"
start_boards 16 --baud 9600
await_slots 12 '.step == "write_private_key" or .step == "write_client_cert"'

code=0
"$CERTLINED" serve -c "$config" >"$dir/second" 2>&1 || code=$?
equal "a second daemon on the same state" 5 "$code"

kill -TERM "$(cat "$dir/pid")"
await "the word that it stops" told '^STOPPING=1'
code=0
wait "$manager" || code=$?
equal "exit status" 0 "$code"

### the next start finds every job ended, and every board comes to its own bundle

rm "$dir/notify" "$dir/told"
python3 -B "$dir/manager.py" "$dir" "$CERTLINED" serve -c "$config" >"$dir/log.manager" 2>&1 &
manager=$!
await "readiness" test -s "$dir/told"
equal "jobs without an end that are older than this start" 0 \
    "$(api "/api/v1/jobs?limit=1000" | jq --argjson started "$(api /api/v1/station | jq .started)" '[.jobs[] | select(.outcome == null and .started < $started)] | length')"
await_slots 16 '.verdict.outcome == "PASS" and .state == "done"'
equal "boards that passed" 16 "$(check_memory)"

### the key is what was handed over: without it nothing is opened, and that is said

kill -TERM "$(cat "$dir/pid")"
wait "$manager" || true
rm "$dir/notify"
rm -f "$dir/credentials/wrapping.key"
start_station
equal "ready without the key" key_locked "$(api /readyz | jq -r '.reasons[0]')"
stop_boards
end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
