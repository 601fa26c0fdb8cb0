#!/bin/bash
# Native TLS of Serial LTE Modem: written by AT#XCMNG, held against the boards' own memory at tag * 10 + type, boards
# without it fail and spend nothing; and what the configuration, the lint and the import say beforehand.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 14

### what is said before a board is touched

write_config
cp "$config" "$dir/plain.toml"
sed -i 's/^source = "pool"/source = "keygen"\nnative_tls = true/; s/16842753/214748365/' "$config"
printf '[signer]\ncertificate = "ca.pem"\nkey = "ca.key"\n' >>"$config"
code=0
"$CERTLINED" check -c "$config" >"$dir/out" 2>&1 || code=$?
equal "exit code of check" 4 "$code"
equal "mistakes" 4 "$(grep -c "^$config:[0-9]*:[0-9]*: " "$dir/out")"
grep -q "^$config:13:14: native_tls and source \"keygen\" exclude each other: " "$dir/out" || fail "keygen: $(cat "$dir/out")"
grep -q "^$config:15:11: sec_tag is 214748365; with native_tls it must be from 0 to 214748364" "$dir/out" || fail "tag: $(cat "$dir/out")"

sed 's/^source = "pool"/source = "pool"\nnative_tls = true/' "$dir/plain.toml" >"$config"
"$CERTLINED" check -c "$config" >"$dir/out" 2>&1 || fail "check: $(cat "$dir/out")"
openssl req -x509 -newkey rsa:4096 -nodes -days 30 -subj /CN=large -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
    -keyout "$dir/large_prv.pem" -out "$dir/large_crt.pem" 2>/dev/null
cat "$dir/ca.pem" "$dir/ca.pem" "$dir/ca.pem" "$dir/ca.pem" "$dir/ca.pem" >"$dir/large_ca.pem" # 2 of 4 kB are left
sed "s|file = .*|file = \"$dir/large_ca.pem\"|" "$config" >"$dir/large.toml"
code=0
"$CERTLINED" lint -c "$dir/large.toml" --product tracker "$dir/large_crt.pem" "$dir/large_prv.pem" >"$dir/out" 2>&1 || code=$?
equal "exit code of lint" 3 "$code"
grep -q 'large_prv.pem: refused: .*(native_tls_room)' "$dir/out" || fail "lint: $(cat "$dir/out")"
jq -n --rawfile c "$dir/large_crt.pem" --rawfile k "$dir/large_prv.pem" -c \
    '{id: "large", product: "tracker", client_cert: $c, private_key: $k}' >"$dir/large.ndjson"
code=0
"$CERTLINED" import -c "$dir/large.toml" "$dir/large.ndjson" >"$dir/out" 2>&1 || code=$?
equal "exit code of import" 3 "$code"
grep -q 'too_long: native TLS loads at most 4,096 octets of one tag' "$dir/out" || fail "import: $(cat "$dir/out")"

### twelve boards with native TLS and two without

start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 14)"
start_boards 14 --family F1.3b,11=F2b,12=F1.3b --front-end slm:native_tls,13=slm,14=at_host --fault stray_entry:168427534.0/2
await_slots 11 '.verdict.outcome == "PASS" and .state == "done"'
await_slots 14 '.state == "done"'
for n in 13 14; do
    await_slot $n '.verdict.reason == "wrong_front_end" and .verdict.fault == "board"'
done
await_slot 11 '.verdict.reason == "firmware_not_allowed"'
equal "boards that hold exactly their bundle" 11 "$(check_memory native)"
equal "bundles that nothing was spent of" 3 "$(get '/api/v1/bundles/stock?product=tracker' '.free + .bound')"
equal "proof" '["digest"]' "$(get '/api/v1/jobs?outcome=PASS&limit=100' '[.jobs[].proof] | unique | tojson')"
job=$(get '/api/v1/jobs?outcome=PASS&limit=1' '.jobs[0].id')
get "/api/v1/jobs/$job" '.dialogue[] | tostring' >"$dir/dialogue"
grep -q 'AT#XCMNG=0,16842753,2,\\"«private_key [0-9]* octets»\\"' "$dir/dialogue" || fail "no write of the key in $(cat "$dir/dialogue")"
! grep -q 'AT%CMNG=0' "$dir/dialogue" || fail "a write in the modem's own way"
tool secrets "$dir/bundles.ndjson" 0 "$dir"/log.* "$dir"/state/* "$dir/dialogue" >"$dir/out"

### a board that is put in again is left alone

control 'unplug 3' >/dev/null
await_slot 3 '.state == "absent"'
control 'plug 3' >/dev/null
await_slot 3 '.verdict.reason == "already_right"'
equal "chain" "$(api '/api/v1/events?limit=1000' | jq .last)" "$(check_chain)"
end_station TERM
equal "end" 0 "$(cat "$dir/code")"
