#!/bin/bash
# ctest: tsan
# Keys that boards make themselves: a rack from nothing to PASS with a CA that certlined made, killed in the middle; the
# certificates are judged by openssl and held against the keys in the boards' own memory. Then the same with the CA's key
# and the wrapping key on a token in software (SoftHSM, where it is installed).
. "$(dirname "$0")/common/lib.sh"
begin
make_ca # what boards are to trust; the one that issues comes later

write_keygen_config() { # the lines of [signer] are standard input
    write_config
    sed -i 's/^source = "pool"/source = "keygen"\ndevice_id = "nrf-imei"\nattributes = "O=Acme"\npossession = true\nattestation = true/' "$config"
    { echo '[signer]'; cat; } >>"$config"
}

# Every board that holds a certificate: it is from our CA, for that board and for the key in its memory; none twice.
check_certificates() { # HOW-MANY
    local n=0 imei i
    control state >"$dir/boards.now"
    rm -rf "$dir/held" && mkdir "$dir/held"
    for i in $(seq 0 $(($(jq '.boards | length' "$dir/boards.now") - 1))); do
        imei=$(jq -r ".boards[$i].imei" "$dir/boards.now")
        jq -r ".boards[$i].entries[] | select(.type == 1) | .content" "$dir/boards.now" >"$dir/held/$imei.pem"
        jq -r ".boards[$i].entries[] | select(.type == 2) | .content" "$dir/boards.now" >"$dir/held/$imei.key"
        openssl verify -x509_strict -purpose sslclient -CAfile "$dir/signer.pem" "$dir/held/$imei.pem" >"$dir/out" 2>&1 ||
            fail "certificate of $imei: $(cat "$dir/out")"
        equal "key of $imei" "$(openssl pkey -in "$dir/held/$imei.key" -pubout)" \
            "$(openssl x509 -in "$dir/held/$imei.pem" -noout -pubkey)"
        equal "subject of $imei" "subject=O = Acme, CN = nrf-$imei" \
            "$(openssl x509 -in "$dir/held/$imei.pem" -noout -subject)"
        n=$((n + 1))
    done
    equal "boards with certificates" "$1" "$n"
    equal "serial numbers" "$1" "$(for f in "$dir"/held/*.pem; do openssl x509 -in "$f" -noout -serial; done | sort -u | wc -l)"
    equal "proof of the keys" "$1" "$(get '/api/v1/jobs?limit=1000&outcome=PASS' '[.jobs[] | .imei] | unique | length')"
}

no_secret_is_left() { # WORD: in nothing that the station wrote
    if grep -rlaF -e "$1" "$dir"/log.* "$dir/state" 2>/dev/null; then
        fail "a passphrase stands there"
    fi
}

### a CA of our own, and a daemon that dies

(umask 077 && echo "an end to end passphrase" >"$dir/passphrase")
write_keygen_config <<END
certificate = "$dir/signer.pem"
key = "$dir/signer.key"
passphrase_file = "$dir/passphrase"
END
"$CERTLINED" ca create -c "$config" >"$dir/out"
equal "files of the CA" "$dir/signer.pem" "$(head -n 1 "$dir/out")"
grep -q 'BEGIN ENCRYPTED PRIVATE KEY' "$dir/signer.key" || fail "the CA's key is not encrypted"
equal "mode of the CA's key" 600 "$(stat -c %a "$dir/signer.key")"
if "$CERTLINED" ca create -c "$config" >"$dir/out" 2>&1; then
    fail "a CA was made over another"
fi

start_station
equal "order" 201 "$(put_order WO-1 16)"
start_boards 16
await "the first certificate" slots_are 1 '.step == "write_client_cert" or .state == "done"'
end_station KILL
start_station
await_slots 16 '.verdict.outcome == "PASS" and .state == "done"'
check_certificates 16
api '/api/v1/events?limit=1000' >"$dir/events"
equal "certificates on record" 16 "$(jq '[.events[] | select(.kind == "certificate_issued") | .imei] | unique | length' "$dir/events")"
equal "no certificate twice" "$(jq '[.events[] | select(.kind == "certificate_issued")] | length' "$dir/events")" \
    "$(jq '[.events[] | select(.kind == "certificate_issued") | .data.serial] | unique | length' "$dir/events")"
equal "chain" "$(jq .last "$dir/events")" "$(check_chain)"
no_secret_is_left "an end to end passphrase"
"$CERTLINED" export -c "$config" -o "$dir/exported" attestation_tokens >"$dir/out" 2>&1 || fail "export: $(cat "$dir/out")"
equal "tokens that are exported" 16 "$(cat "$dir"/exported/* | grep -c ',2dn3hQFQ')"
equal "mode of the tokens" 600 "$(stat -c %a "$dir/exported/attestation_tokens.csv")"
equal "tokens over HTTP" "$(cut -d , -f 3 "$dir/exported/attestation_tokens.csv")" "$(api /api/v1/exports/claim | tr -d '"')"
equal "deliveries on record" "attestation_tokens 16 $(sha256sum <"$dir/exported/attestation_tokens.csv" | cut -d ' ' -f 1)
claim 16 $(api /api/v1/exports/claim?limit=1000 | sha256sum | cut -d ' ' -f 1)" \
    "$(get '/api/v1/events?limit=1000' '.events[] | select(.kind == "secrets_exported") | "\(.data.format) \(.data.boards) \(.data.sha256 | ascii_downcase)"' | head -n 2)"
no_secret_is_left 2dn3hQFQ

### a board that is put in again is left alone

control 'unplug 3' >/dev/null
await_slot 3 '.state == "absent"'
control 'plug 3' >/dev/null
await_slot 3 '.verdict.reason == "already_right"'
end_station TERM
stop_boards

### the same with the key on a token

has_softhsm || { echo "no SoftHSM: the token is left out"; exit 0; }
move_signer_to_token "file:$dir/passphrase"
openssl rand -hex 16 | tr -d "\n" >"$dir/aes" # no octet of it may be 0: the util reads text
softhsm2-util --import "$dir/aes" --aes --token factory --label wrapping --id 02 --pin 13572468 >/dev/null
rm "$dir/aes"
rm -rf "$dir/state" "$dir/boards.json" && mkdir -m 700 "$dir/state"
write_keygen_config < <(signer_on_token)
sed -i "s|^state_dir = .*|&\nkey_module = \"/usr/lib/softhsm/libsofthsm2.so\"\nkey_token = \"factory\"\nkey_pin_file = \"$dir/passphrase\"|" "$config"
start_station
equal "mark of a key file that takes a token" CLTOKEN1 "$(head -c 8 "$dir/state/wrapping.key")"
equal "order" 201 "$(put_order WO-1 16)"
start_boards 16
await_slots 16 '.verdict.outcome == "PASS" and .state == "done"'
check_certificates 16
no_secret_is_left 13572468
end_station TERM
equal "end" 0 "$(cat "$dir/code")"
"$CERTLINED" key rotate -c "$config" >"$dir/out"
"$CERTLINED" export -c "$config" -o "$dir/rotated" onboarding claim >"$dir/out"
equal "boards after another wrapping key" "16 16" "$(echo $(grep -c BEGIN "$dir/rotated/onboarding.csv") $(wc -l <"$dir/rotated/claim.csv"))"
sed -i '/^key_/d' "$config"
! "$CERTLINED" export -c "$config" -o "$dir/stolen" onboarding >"$dir/out" 2>&1 || fail "exported without the token"
grep -q key_module "$dir/out" || fail "nobody says that the token is missing"
