#!/bin/bash
# Products that sign their commands: a rack whose modems check the station's signatures, one board with another's public key,
# and a station without its signer; then the same with the key on a token in software (SoftHSM, where it is installed).
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 9

write_signed_config() { # the lines of [signer] are standard input
    write_config
    sed -i 's/^source = "pool"/source = "pool"\nsigned_commands = true/' "$config"
    { echo '[signer]'; cat; } >>"$config"
}

# What the boards were sent: three writes and a list with a signature each, and no change without one. That signatures are
# right is the modems' own judgement.
check_signed() {
    control state >"$dir/boards.now"
    equal "changes that are not signed" 0 "$(jq -r '.boards[].executed[]' "$dir/boards.now" | grep -c '^AT%CMNG=[03]' || true)"
    equal "signed commands" "$((4 * $1))" "$(jq -r '.boards[].executed[]' "$dir/boards.now" | grep -c '^AT%XSUDO=')"
}

### a CA of our own

(umask 077 && echo "an end to end passphrase" >"$dir/passphrase")
write_signed_config <<END
certificate = "$dir/signer.pem"
key = "$dir/signer.key"
passphrase_file = "$dir/passphrase"
END
"$CERTLINED" check -c "$config" >"$dir/out" 2>&1 || fail "check: $(cat "$dir/out")"
"$CERTLINED" ca create -c "$config" >"$dir/out"
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 9)"
start_boards 9
await_slots 9 '.verdict.outcome == "PASS" and .state == "done"'
equal "boards that hold exactly their bundle" 9 "$(check_memory signed)"
check_signed 9
job=$(get '/api/v1/jobs?outcome=PASS&limit=1' '.jobs[0].id')
get "/api/v1/jobs/$job" '.dialogue[] | .text' >"$dir/dialogue"
grep -q 'AT%XSUDO=[0-9]*,"«cut 96 octets»";%CMNG=0,16842753,2,"«private_key [0-9]* octets»"' "$dir/dialogue" ||
    fail "no signed write in $(cat "$dir/dialogue")"
! grep -rqaE 'ME[QUY]CI[A-Za-z0-9+/]{85}' "$dir"/log.* "$dir/state" "$dir/dialogue" || fail "a signature is on record"
! grep -rqaF -e "an end to end passphrase" "$dir"/log.* "$dir/state" || fail "the passphrase is on record"

### a board that is put in again is left alone, and needs no signature

control 'unplug 3' >/dev/null
await_slot 3 '.state == "absent"'
control 'plug 3' >/dev/null
await_slot 3 '.verdict.reason == "already_right"'
end_station TERM
stop_boards

### boards of another owner: nothing of a bundle is spent; and a station that cannot sign

openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout 2>/dev/null | tr -d '\n' >"$dir/other.pub"
rm -rf "$dir/state" "$dir/boards.json" && mkdir -m 700 "$dir/state"
start_boards 2
exec 3<>"$rack/slot001"
printf 'AT%%XPMNG=0,"%s"\r' "$(cat "$dir/other.pub")" >&3
read -r answer <&3
exec 3>&-
equal "another's public key" OK "${answer%$'\r'}"
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-2 2)"
await_slot 1 '.verdict.reason == "authentication_failed" and .verdict.fault == "board" and .state == "done"'
await_slot 2 '.verdict.outcome == "PASS" and .state == "done"'
equal "bundles that nothing was spent of" 8 "$(get '/api/v1/bundles/stock?product=tracker' '.free + .bound')"
end_station TERM
echo "not its passphrase" >"$dir/passphrase"
start_station
control 'unplug 1' >/dev/null
await_slot 1 '.state == "absent"'
control 'plug 1' >/dev/null
await_slot 1 '.verdict.reason == "signer_failed" and .verdict.outcome == "ERROR"'
end_station TERM
stop_boards

### the same with the key on a token

has_softhsm || { echo "no SoftHSM: the token is left out"; exit 0; }
move_signer_to_token "pass:an end to end passphrase"
rm -rf "$dir/state" "$dir/boards.json" && mkdir -m 700 "$dir/state"
write_signed_config < <(signer_on_token)
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-3 9)"
start_boards 9
await_slots 9 '.verdict.outcome == "PASS" and .state == "done"'
equal "boards that hold exactly their bundle" 9 "$(check_memory signed)"
check_signed 9
end_station TERM
equal "end" 0 "$(cat "$dir/code")"
