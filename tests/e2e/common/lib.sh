# What the end-to-end tests share: a station and a rack of simulated boards in a folder of their own. Sourced, not run.
#
# Nothing here waits for a time: every wait is for a condition, asked again and again, and has a bound beyond which the
# test has failed. Ports are the kernel's choice, so that any number of tests runs at once.
#
# After begin: $dir (removed at the end), $rack (the boards' links), $config. While the station runs: $daemon (its process),
# $url. While boards run: $sim.
set -euo pipefail
: "${CERTLINED:?the daemon to test}" "${CERTLINE_SIM:?the simulated boards}" "${SOURCE_DIR:?}"
common=$SOURCE_DIR/tests/e2e/common
BOUND=${BOUND:-120} # seconds after which a condition will not come any more

dir='' rack='' config='' daemon='' sim='' url='' runs=0

begin() {
    dir=$(mktemp -d)
    rack=$dir/rack
    config=$dir/config.toml
    mkdir "$rack" "$dir/state"
    chmod 700 "$dir/state"
    trap finish EXIT
    trap 'exit 130' INT TERM
}

finish() {
    local code=$?
    trap - EXIT INT TERM
    [ $code = 0 ] || [ $code = 77 ] || explain
    end_process "$sim"
    end_process "$daemon"
    type at_finish >/dev/null 2>&1 && at_finish
    rm -rf "$dir"
    exit $code
}

explain() {
    local name
    for name in "$dir"/log.* "$dir"/sim.log "$dir"/out; do
        [ ! -f "$name" ] || tail -n 60 "$name" | cut -c1-300 | sed "s|^|  ${name##*/}: |" >&2
    done
}

end_process() {
    if [ -n "$1" ]; then
        kill -KILL "$1" 2>/dev/null || true
        wait "$1" 2>/dev/null || true
    fi
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "SKIPPED: $*"
    exit 77
}

# equal WHAT WANTED GOT
equal() {
    [ "$2" = "$3" ] || fail "$1: '$3' in place of '$2'"
}

# await WHAT COMMAND…: until the command succeeds.
await() {
    local what=$1 end=$((SECONDS + BOUND))
    shift
    until "$@"; do
        [ $SECONDS -le $end ] || fail "waited in vain for: $what"
        pause
    done
}

# So that asking leaves the processor to those that are asked.
pause() { sleep 0.02; }

# --- credentials ------------------------------------------------------------------------------------------------------

# make_ca: $dir/ca.pem
make_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Test CA" \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
}

# make_bundles N [RSA]: $dir/bundles.ndjson with bundles b-001 to b-N for the pool, the first RSA of them with RSA keys.
make_bundles() {
    local i id kind
    mkdir -p "$dir/made"
    for i in $(seq "$1"); do
        id=$(printf 'b-%03d' "$i")
        kind=(ec -pkeyopt ec_paramgen_curve:P-256)
        [ "$i" -gt "${2:-0}" ] || kind=(rsa:2048)
        openssl req -x509 -newkey "${kind[@]}" -nodes -days 30 -subj "/CN=$id" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
            -keyout "$dir/made/$id.key" -out "$dir/made/$id.pem" 2>/dev/null
    done
    tool bundles "$dir/made" >"$dir/bundles.ndjson"
}

# --- station ----------------------------------------------------------------------------------------------------------

# write_config [BAUD]: one rack, one product with a CA, a certificate and a key under one tag.
write_config() {
    cat >"$config" <<END
[station]
name = "TEST"
state_dir = "$dir/state"
[http]
listen = ["127.0.0.1:0"]
[[fixture]]
name = "rack1"
ports = "$rack/slot*"
baud = ${1:-115200}
[[product]]
name = "tracker"
source = "pool"
[[product.entry]]
sec_tag = 16842753
type = "ca"
from = "file"
file = "$dir/ca.pem"
[[product.entry]]
sec_tag = 16842753
type = "client_cert"
from = "bundle"
[[product.entry]]
sec_tag = 16842753
type = "private_key"
from = "bundle"
END
}

is_up() {
    kill -0 "$daemon" 2>/dev/null || fail "the station ended"
    url=$(sed -n 's/.*dashboard and API on .* (port \([0-9]*\)).*/http:\/\/127.0.0.1:\1/p' "$log" | tail -n 1)
    [ -n "$url" ] && api /healthz -f -o /dev/null 2>/dev/null
}

start_station() {
    runs=$((runs + 1))
    log=$dir/log.$runs
    : >"$log"
    "$CERTLINED" serve -c "$config" >"$log" 2>&1 &
    daemon=$!
    url=
    await "the station" is_up
}

# end_station SIGNAL: its exit status, as a shell sees it.
end_station() {
    local code=0
    kill "-$1" "$daemon" 2>/dev/null || true # a test may have been faster
    wait "$daemon" 2>/dev/null || code=$?
    daemon=
    echo "$code" >"$dir/code"
}

api() { # PATH [curl's options]
    curl -sS --max-time 30 "$url$1" "${@:2}"
}

# get PATH FILTER: what jq makes of an answer.
get() { api "$1" -f | jq -r "$2"; }

# put_order ID QUANTITY: the status
put_order() {
    api "/api/v1/work-orders/$1" -o "$dir/out" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
        -d "{\"product\":\"tracker\",\"quantity\":$2,\"fixtures\":[\"rack1\"]}"
}

import_bundles() { "$CERTLINED" import -c "$config" "$dir/bundles.ndjson"; }

# slots_are N FILTER: at least N slots for which jq's filter holds.
slots_are() {
    [ "$(get /api/v1/slots "[.slots[] | select($2)] | length")" -ge "$1" ]
}
await_slots() { await "$1 slots with $2" slots_are "$1" "$2"; }

# slot_is N FILTER: of the slot with this number.
slot_is() {
    api "/api/v1/slots/rack1/$(printf '%03d' "$1")" | jq -e "$2" >/dev/null
}
await_slot() { await "slot $1 with $2" slot_is "$1" "$2"; }

# watch_for CONDITIONS PID SIGNAL: from now on somebody asks without a pause whether they hold (tool.py says which there
# are), and sends the process the signal in that moment. What is to be watched comes after this, so that a slow machine
# misses nothing; then comes watched, which waits for the signal.
watch_for() {
    : >"$dir/watched"
    python3 -B "$common/tool.py" watch "$url" "$1" "$BOUND" "$2" "$3" >>"$dir/watched" 2>&1 &
    watcher=$!
    await "somebody who watches" grep -q watching "$dir/watched"
}
watched() { wait "$watcher" || fail "$(cat "$dir/watched")"; }

# --- boards -----------------------------------------------------------------------------------------------------------

# start_boards N [options]
start_boards() {
    : >"$dir/sim.log"
    "$CERTLINE_SIM" --dir "$rack" --boards "$1" --state "$dir/boards.json" --control "$dir/control" "${@:2}" \
        >"$dir/sim.log" 2>&1 &
    sim=$!
    await "the boards" grep -q '^ready' "$dir/sim.log"
}

stop_boards() {
    kill -TERM "$sim"
    wait "$sim" || fail "the boards ended with $?"
    sim=
}

# control LINE…: the answers of the boards' control socket, none of which may be an error.
control() { tool control "$dir/control" "$@" || fail "boards: $*"; }

# The boards' own memory against bundles and records: every board that passed holds exactly what it was to get, no key is
# on two boards, and what a board holds of a bundle is what the record says of it. Prints how many boards passed.
# Its argument is tool.py's kind of memory, where it is another one.
check_memory() {
    control state >"$dir/boards.now"
    tool memory "$url" "$dir/boards.now" "$dir/bundles.ndjson" "$dir/ca.pem" "$@"
}

# The chain of events, recomputed by other code than the station's.
softhsm=/usr/lib/softhsm/libsofthsm2.so
has_softhsm() { command -v softhsm2-util >/dev/null && [ -e "$softhsm" ]; }

# The signer's key goes from $dir/signer.key onto a token, and the token's PIN into $dir/passphrase.
move_signer_to_token() { # SECRET, as openssl's -passin takes it
    mkdir "$dir/tokens"
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir/tokens" >"$dir/softhsm.conf"
    export SOFTHSM2_CONF=$dir/softhsm.conf
    openssl pkey -in "$dir/signer.key" -passin "$1" -out "$dir/clear.key"
    softhsm2-util --init-token --free --label factory --so-pin 87654321 --pin 13572468 >/dev/null
    softhsm2-util --import "$dir/clear.key" --token factory --label ca --id 01 --pin 13572468 >/dev/null
    rm "$dir/clear.key" "$dir/signer.key"
    (umask 077 && echo 13572468 >"$dir/passphrase")
}

# What [signer] says of it.
signer_on_token() {
    cat <<END
certificate = "$dir/signer.pem"
module = "$softhsm"
token = "factory"
object = "ca"
passphrase_file = "$dir/passphrase"
END
}

check_chain() { tool chain "$url"; }

tool() { python3 -B "$common/tool.py" "$@"; }
