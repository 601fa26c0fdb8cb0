#!/bin/bash
# Credentials from outside: lint with its exit codes and its mending, imports of every format through both doors, and
# exports of what passed, judged with openssl.
set -euo pipefail
: "${CERTLINED:?the program to test}" "${CERTLINE_SIM:?the simulated boards}" "${SOURCE_DIR:?}"

dir=$(mktemp -d)
daemon=
sim=
cleanup() {
    for process in $daemon $sim; do
        kill -KILL "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $*" >&2
    for name in out err log; do
        [ -f "$dir/$name" ] && sed "s/^/  $name: /" "$dir/$name" >&2
    done
    exit 1
}

expect() { # CODE WORD…
    local wanted=$1 code=0
    shift
    "$CERTLINED" "$@" >"$dir/out" 2>"$dir/err" </dev/null || code=$?
    [ "$code" = "$wanted" ] || fail "certlined $*: exit code $code, not $wanted"
}
says() { # out|err PATTERN
    grep -q -- "$2" "$dir/$1" || fail "no \"$2\" in standard $1"
}
same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

### a small factory

cd "$dir"
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj "/CN=Factory CA" -days 3650 -out ca.pem
board() { # NAME COMMON-NAME
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1_prv.pem"
    openssl req -new -key "$1_prv.pem" -subj "/CN=$2" -out board.csr
    openssl x509 -req -in board.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -out "$1_crt.pem" 2>/dev/null
}
board a nrf-351465800000002
board b nrf-351465800000010
board c nrf-351465800000028

cat >config.toml <<EOF
[station]
name = "credentials"
state_dir = "state"
[http]
listen = ["127.0.0.1:0"]
[[fixture]]
name = "rack1"
ports = "$dir/slots/slot*"
[[product]]
name = "tracker"
source = "pool"
device_id = "nrf-imei"
cloud = "nrfcloud"
issuer = "ca.pem"
[[product.entry]]
sec_tag = 16842753
type = "client_cert"
from = "bundle"
[[product.entry]]
sec_tag = 16842753
type = "private_key"
from = "bundle"
[[product]]
name = "meter"
source = "pool"
device_id = "meter-*"
[[product.entry]]
sec_tag = 7
type = "psk"
from = "bundle"
[[product.entry]]
sec_tag = 7
type = "psk_identity"
from = "bundle"
EOF
mkdir slots

### lint

expect 0 lint --ca ca.pem a_crt.pem a_prv.pem b_crt.pem b_prv.pem
expect 3 lint a_crt.pem b_prv.pem
says out 'b_prv.pem:1:1: refused: .*(key_mismatch)'
expect 1 lint --ca a_crt.pem a_crt.pem
expect 0 lint -c config.toml --product tracker a_crt.pem a_prv.pem
expect 3 lint -c config.toml --product meter a_crt.pem
says out '(device_id)'
expect 1 lint no-such-file
expect 2 lint
expect 2 lint --type key a_crt.pem

sed 's/$/\\n/' a_crt.pem | tr -d '\n' >literal.pem
expect 3 lint --json literal.pem
[ "$(jq -r '.files[0].findings[0] | "\(.name) \(.line) \(.column)"' out)" = "literal_backslash_n 1 28" ] ||
    fail "the JSON does not name literal_backslash_n at 1:28"
expect 0 lint --fix literal.pem
same literal.pem a_crt.pem
tr '\n' ' ' <a_prv.pem >line.pem
chmod 644 line.pem
expect 0 lint --fix -o mended.pem line.pem
same mended.pem a_prv.pem
[ "$(stat -c %a mended.pem)" = 600 ] || fail "a mended key has mode $(stat -c %a mended.pem)"

openssl pkcs8 -topk8 -in a_prv.pem -passout pass:horse -out locked.pem
expect 3 lint locked.pem
says out '(key_encrypted)'
for password in mule horse; do
    code=0
    "$CERTLINED" lint --fix --password-fd 3 locked.pem >out 2>err 3<<<"$password" || code=$?
    [ "$password $code" = "mule 3" ] || [ "$password $code" = "horse 0" ] || fail "the password $password: exit code $code"
    [ $code = 0 ] || says out '(key_password)'
done
same locked.pem a_prv.pem
! grep -rq horse out err || fail "a password is in the output"

### imports, without a daemon and with one

import_all() {
    mkdir -p folder
    cp a_crt.pem folder/nrf-351465800000002_crt.pem
    cp a_prv.pem folder/nrf-351465800000002_prv.pem
    expect 0 import -c config.toml --product tracker --lot W47 --dry-run folder
    says out '^dry run: taken 1, duplicate 0, refused 0'
    expect 0 import -c config.toml --product tracker --lot W47 folder
    says out '^taken 1, duplicate 0'
    expect 0 import -c config.toml --product tracker --lot W47 folder
    says out '^taken 0, duplicate 1'

    jq -n --rawfile c b_crt.pem --rawfile k b_prv.pem \
        '{clientId: "nrf-351465800000010", clientCert: $c, privateKey: $k, caCert: "", secTag: 16842753}' >b.json
    expect 0 import -c config.toml --product tracker b.json
    says out '^taken 1'
    jq '.secTag = 8' b.json >b8.json
    expect 3 import -c config.toml --product tracker b8.json
    says out 'row_invalid: .*(row 1, sec_tag)'

    jq -rn --rawfile c c_crt.pem --rawfile k c_prv.pem --rawfile other a_prv.pem \
        '["id", "client_cert", "private_key"], ["nrf-351465800000028", $c, $k], ["nrf-351465800000036", $c, $other] | @csv' >c.csv
    expect 3 import -c config.toml --product tracker c.csv
    says out '^c.csv:3: key_mismatch'
    says out '^taken 1, duplicate 0, refused 1'

    expect 0 import -c config.toml --product meter --generate-psk 5 -o "$1.csv"
    says out '^taken 5'
    [ "$(stat -c %a "$1.csv")" = 600 ] || fail "generated keys have mode $(stat -c %a "$1.csv")"
    expect 1 import -c config.toml --product meter --generate-psk 5 -o "$1.csv"
    expect 0 import -c config.toml "$1.csv"
    says out '^taken 0, duplicate 5'
    expect 2 import -c config.toml --product tracker --generate-psk 5 -o no.csv
}
import_all without
rm -rf state
"$CERTLINED" serve -c config.toml >log 2>&1 &
daemon=$!
until [ -S state/api.sock ] && curl -sf --unix-socket state/api.sock http://localhost/healthz >/dev/null; do
    kill -0 "$daemon" || fail "the daemon ended"
done
import_all with
[ "$(curl -sf --unix-socket state/api.sock 'http://localhost/api/v1/events?limit=1000' |
    jq '[.events[] | select(.kind == "file_imported")] | length')" = 7 ] || fail "not every file is on record"
digest=$(sha256sum <c.csv | cut -d ' ' -f 1)
curl -sf --unix-socket state/api.sock 'http://localhost/api/v1/events?limit=1000' |
    jq -e --arg d "$digest" '.events[] | select(.data.file == "c.csv") | .data.sha256 | ascii_downcase == $d' >/dev/null ||
    fail "the file's digest is not on record"

### exports

expect 2 export -c config.toml onboarding
expect 2 export -c config.toml -o exports onboardng
expect 2 export -c config.toml -o exports template
expect 0 export -c config.toml -o exports onboarding devinfo azure
says out '^files 0, boards 0, left out 0'
printf '{imei},{serial}\n' >bad.tpl
expect 1 export -c config.toml -o exports --template bad.tpl template
says err 'bad.tpl:1:8: there is no such name'
code=$(curl -s --unix-socket state/api.sock -o out -w '%{http_code}' http://localhost/api/v1/exports/onboardng)
[ "$code" = 404 ] || fail "an export of no known format answers $code"
code=$(curl -s --unix-socket state/api.sock -D head -o out -w '%{http_code}' http://localhost/api/v1/exports/devinfo)
[ "$code" = 200 ] && grep -qi '^Certline-Rows: 0' head || fail "an empty export answers $code"

### boards with pre-shared keys and with certificates, and what is exported of them

put_order() { # ID PRODUCT
    curl -sf --unix-socket state/api.sock -X PUT -H 'Content-Type: application/json' \
        -d "{\"product\":\"$2\",\"quantity\":2,\"fixtures\":[\"rack1\"]}" "http://localhost/api/v1/work-orders/$1" >/dev/null
}
passed() { # ID: waits for both boards
    local end=$((SECONDS + 60)) n=0
    until [ "$n" = 2 ]; do
        n=$(curl -sf --unix-socket state/api.sock "http://localhost/api/v1/work-orders/$1" | jq .counts.passed)
        [ $SECONDS -le $end ] || fail "$1: $n boards passed"
    done
}
"$CERTLINE_SIM" --dir "$dir/slots" --boards 2 --baud 1000000 --imei0 35146580000000 >sim.out 2>&1 &
sim=$!
put_order WO-P meter
passed WO-P
expect 0 export -c config.toml -o psk --work-order WO-P devinfo
says out '^files 1, boards 2, left out 0'
[ "$(cut -d , -f 1 psk/devinfo.csv | sort)" = "$(sed "1d; 3q" with.csv | cut -d , -f 4 | sort)" ] ||
    fail "boards are not called by the identities they got: $(cat psk/devinfo.csv)"
! grep -rqf <(sed 1d with.csv | cut -d , -f 5) psk log || fail "a pre-shared key is in the export or the log"
expect 3 export -c config.toml -o psk --work-order WO-P onboarding
says err 'it has no certificate of its own'
[ ! -e psk/onboarding.csv ] || fail "an export without boards is written"

curl -sf --unix-socket state/api.sock -X POST -H 'Content-Type: application/json' -d '{}' \
    http://localhost/api/v1/work-orders/WO-P/close >/dev/null
kill "$sim" && wait "$sim" || true
put_order WO-T tracker
"$CERTLINE_SIM" --dir "$dir/slots" --boards 2 --baud 1000000 --imei0 35146580000000 >sim.out 2>&1 &
sim=$!
passed WO-T
expect 0 export -c config.toml -o tls --work-order WO-T onboarding manager aws azure
says out '^files 5, boards 8, left out 0'
jq -r '.CertificatePem' tls/aws.json | openssl crl2pkcs7 -nocrl -certfile /dev/stdin | openssl pkcs7 -print_certs >certs.pem
[ "$(grep -c BEGIN certs.pem)" = 2 ] || fail "the export for AWS holds no two certificates"
for name in nrf-351465800000002 nrf-351465800000010; do
    jq -r .clientCert "tls/$name.json" >one.pem
    openssl verify -CAfile ca.pem one.pem >/dev/null || fail "the certificate of $name is not the factory's"
    [ "$(jq 'has("privateKey")' "tls/$name.json")" = false ] || fail "a private key is exported"
    grep -q "^$name,,,APP|MODEM,\"-----BEGIN CERTIFICATE-----$" tls/onboarding.csv || fail "$name is not onboarded"
    jq -e --arg n "$name" '.enrollments[] | select(.registrationId == $n)' tls/azure.json >/dev/null || fail "$name is not enrolled"
done
same <(jq -r .clientCert tls/nrf-351465800000002.json | sed '$d') a_crt.pem

# The same files without the daemon.
kill -TERM "$daemon" && wait "$daemon" || true
daemon=
expect 0 export -c config.toml -o direct --work-order WO-T onboarding manager aws azure
diff -r tls direct >/dev/null || fail "the exports of both doors differ"
