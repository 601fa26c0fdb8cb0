#!/bin/bash
# The firmware's core on an emulated Cortex-M33: its unit tests under semihosting, its budget, and a whole provisioning of
# the image by the real daemon through the emulated UART on a pseudo-terminal. Skipped where the cross compiler or the
# emulator is missing. CERTLINED names the daemon.
set -u
source=${SOURCE_DIR:?}
for tool in arm-none-eabi-gcc qemu-system-arm openssl jq curl; do
    command -v "$tool" >/dev/null || { echo "m33.sh: $tool is not here"; exit 77; }
done
work=$(mktemp -d)
board=
daemon=

stop() {
    [ -n "$board" ] && kill "$board" 2>/dev/null
    [ -n "$daemon" ] && kill "$daemon" 2>/dev/null
    wait
    rm -rf "$work"
}
trap stop EXIT

fail() {
    echo "m33.sh: $*" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}

# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# A list and no function: behind a function in the background there is a shell, and killing that leaves the emulator.
emulator=(qemu-system-arm -M mps2-an505 -display none -monitor none)

"$source/firmware/m33/build" "$work/m33" || fail "the build"
for test in "$work"/m33/test_core_*.elf; do
    "${emulator[@]}" -serial none -semihosting-config enable=on,target=native -kernel "$test" >"$work/test.log" ||
        fail "$test"
    echo "$(basename "$test" .elf) on Cortex-M33: $(tail -n 1 "$work/test.log")"
done

# The board: its UART is the pseudo-terminal that QEMU names.
"${emulator[@]}" -serial pty -kernel "$work/m33/image.elf" >"$work/qemu.log" 2>&1 &
board=$!
until_true 20 grep -q /dev/pts "$work/qemu.log" || fail "the emulator did not start"
mkdir -p "$work/rack1"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=m33 -keyout "$work/key.pem" \
    -out "$work/cert.pem" 2>/dev/null || fail "openssl"
jq -nc --rawfile cert "$work/cert.pem" --rawfile key "$work/key.pem" \
    '{id:"m33",product:"tracker",lot:"m33",client_cert:$cert,private_key:$key}' >"$work/bundles.ndjson"
port=8180
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
cat >"$work/config.toml" <<TOML
[station]
name = "m33"
state_dir = "state"
key_file = "wrapping.key"

[http]
listen = ["127.0.0.1:$port"]

[[fixture]]
name = "rack1"
ports = "$work/rack1/slot*"
baud = 115200

[[product]]
name = "tracker"
source = "pool"
modem_firmware = [">=1.3.2"]
model = ["nRF91*"]
  [[product.entry]]
  sec_tag = 16842753
  type = "ca"
  from = "file"
  file = "/usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt"
  [[product.entry]]
  sec_tag = 16842753
  type = "client_cert"
  from = "bundle"
  [[product.entry]]
  sec_tag = 16842753
  type = "private_key"
  from = "bundle"
TOML
chmod 700 "$work"
api() { curl -sS --max-time 10 "http://127.0.0.1:$port$1" "${@:2}"; }
is_ready() { api /readyz -f -o /dev/null 2>/dev/null; }
"${CERTLINED:?}" serve -c "$work/config.toml" 2>"$work/certlined.log" &
daemon=$!
until_true 60 is_ready || fail "certlined did not become ready"
"$CERTLINED" import -c "$work/config.toml" "$work/bundles.ndjson" >"$work/import.log" || fail "import"
api /api/v1/work-orders/M33 -f -o /dev/null -X PUT -H 'Content-Type: application/json' \
    -d '{"product":"tracker","quantity":1,"fixtures":["rack1"],"lot":"m33"}' || fail "work order"

ln -s "$(grep -o '/dev/pts/[0-9]*' "$work/qemu.log")" "$work/rack1/slot1"
outcome() { api /api/v1/slots | jq -er '.slots[0].verdict.outcome' >"$work/outcome.log" 2>/dev/null; }
until_true 60 outcome || fail "no verdict: $(api /api/v1/slots)"
[ "$(cat "$work/outcome.log")" = PASS ] || fail "verdict: $(api /api/v1/slots)"
# By checked frames, and by no write of its own beside them.
api "/api/v1/jobs/$(api /api/v1/slots | jq -r '.slots[0].job')" -f -o "$work/job.log"
jq -e '[.dialogue[].text] | any(startswith("#IDENT: transfer,1")) and any(startswith("AT%CMNG=1")) and
    all(startswith("AT%CMNG=0") | not)' "$work/job.log" >/dev/null || fail "not provisioned by frames"
echo "m33.sh: the daemon provisioned the emulated board: $(api /api/v1/slots | jq -c '.slots[0].verdict | {outcome, proof}')"
