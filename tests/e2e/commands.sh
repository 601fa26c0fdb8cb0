#!/bin/bash
# The commands of certlined as a shell sees them: exit codes, what goes to which output, and the two doors of an import.
set -euo pipefail
: "${CERTLINED:?the program to test}" "${SOURCE_DIR:?}"

dir=$(mktemp -d)
daemon=
cleanup() {
    if [ -n "$daemon" ]; then
        kill -KILL "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
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

# expect CODE WORD…: runs certlined; its outputs are in $dir/out and $dir/err.
expect() {
    local wanted=$1 code=0
    shift
    "$CERTLINED" "$@" >"$dir/out" 2>"$dir/err" </dev/null || code=$?
    [ "$code" = "$wanted" ] || fail "certlined $*: exit code $code, not $wanted"
}
says() { # says out|err PATTERN
    grep -q -- "$2" "$dir/$1" || fail "no \"$2\" in standard $1"
}
silent() {
    [ ! -s "$dir/$1" ] || fail "standard $1 is not empty"
}

### usage

expect 0 --version
says out '^certlined [0-9]'
expect 0 --help
says out 'reconcile'
silent err
for command in serve check import status reconcile; do
    expect 0 "$command" --help
    says out "^Usage: certlined $command"
done
expect 2
says err 'a command is missing'
expect 2 chekc
says err 'did you mean "check"'
expect 2 check --jsn
says err 'did you mean "--json"'
expect 2 check -x
expect 2 check --json=1
expect 2 check -c
expect 2 check a-file
expect 2 serve --json
expect 2 import
expect 2 reconcile
says err 'reason'
silent out

### check

expect 4 check -c "$dir/missing.toml"
says out "^$dir/missing.toml: does not exist"
expect 0 check -c "$SOURCE_DIR/config.example.toml"
says out '^dashboard and API on http://127.0.0.1:8080/$'
says out '^  tracker sha256:[0-9a-f]\{64\}$'
expect 0 -c "$SOURCE_DIR/config.example.toml" --json check
says out '"valid": true'

cat >"$dir/wrong.toml" <<'END'
[station]
nmae = "s"
[http]
listen = ["0.0.0.0:80"]
[[fixture]]
name = "rack1"
ports = "/run/rack1/slot*"
columns = "four"
END
expect 4 check -c "$dir/wrong.toml"
says out "^$dir/wrong.toml:1:1: .*name"
says out "^$dir/wrong.toml:2:1: .*did you mean \"name\""
says out "^$dir/wrong.toml:4:11: .*loopback"
says out "^$dir/wrong.toml:8:11: .*whole number"
[ "$(wc -l <"$dir/out")" = 4 ] || fail "not four mistakes"
expect 4 check --json -c "$dir/wrong.toml"
says out '"line": 8'
expect 4 serve -c "$dir/wrong.toml"
says err "^$dir/wrong.toml:8:11: "
silent out

### a station with a CA and bundles

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ca.key" -out "$dir/ca.pem" \
    -subj "/CN=Test CA" -days 30 2>/dev/null
escaped() { awk '{printf "%s\\n", $0}' "$1"; }

# row ID KEY-OF: a bundle's row; KEY-OF names the bundle whose key it carries.
row() {
    printf '{"id":"%s","product":"tracker","lot":"L","client_cert":"%s","private_key":"%s"}\n' "$1" \
        "$(escaped "$dir/$1.pem")" "$(escaped "$dir/$2.key")"
}
for id in b1 b2 b3 b4 b5; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/$id.key" -out "$dir/$id.csr" \
        -subj "/CN=$id" 2>/dev/null
    openssl x509 -req -in "$dir/$id.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -out "$dir/$id.pem" \
        -days 30 2>/dev/null
done
mkdir "$dir/rack"
cat >"$dir/config.toml" <<'END'
[station]
name = "TEST"
state_dir = "state"
[http]
listen = ["127.0.0.1:0"]
[[fixture]]
name = "rack1"
ports = "rack/slot*"
[[product]]
name = "tracker"
source = "pool"
[[product.entry]]
sec_tag = 7
type = "ca"
from = "file"
file = "ca.pem"
[[product.entry]]
sec_tag = 7
type = "client_cert"
from = "bundle"
[[product.entry]]
sec_tag = 7
type = "private_key"
from = "bundle"
END
config=$dir/config.toml

### import into the state itself

row b1 b1 >"$dir/one.ndjson"
expect 0 import -c "$config" "$dir/one.ndjson"
says out '^taken 1, duplicate 0, refused 0$'
expect 0 import -c "$config" "$dir/one.ndjson"
says out '^taken 0, duplicate 1, refused 0$'

{ row b2 b2; echo; row b3 b1; echo '{"id":'; } >"$dir/mixed.ndjson"
expect 3 import -c "$config" "$dir/mixed.ndjson" "$dir/one.ndjson"
says out "^$dir/mixed.ndjson:3: key_mismatch: "
says out "^$dir/mixed.ndjson:4: "
says out '^taken 1, duplicate 1, refused 2$'
# A file that holds no bundles at all is told once, and the others are taken.
printf '%s\n' '-----BEGIN CERTIFICATE-----' MIIB MIIC '-----END CERTIFICATE-----' >"$dir/only.pem"
expect 3 import -c "$config" "$dir/only.pem" "$dir/one.ndjson"
says err "only.pem is a PEM"
[ "$(wc -l <"$dir/err")" = 1 ] || fail "more than one line about a file that is none of bundles"
says out '^taken 0, duplicate 1, refused 0$'
expect 3 import -c "$config" --format ndjson "$dir/only.pem"
says out '^taken 0, duplicate 0, refused 4$'
expect 1 import -c "$config" "$dir/missing.ndjson"
says err "missing.ndjson cannot be opened"

"$CERTLINED" import -c "$config" - <"$dir/one.ndjson" >"$dir/out" 2>"$dir/err" || fail "import from standard input"
says out '^taken 0, duplicate 1, refused 0$'

expect 1 status -c "$config"
says err 'api.sock'

### beside a running station

"$CERTLINED" serve -c "$config" >"$dir/log" 2>&1 &
daemon=$!
until "$CERTLINED" status -c "$config" >"$dir/out" 2>"$dir/err"; do
    kill -0 "$daemon" 2>/dev/null || fail "the station ended"
done
says out '^SLOT '
expect 0 status --json -c "$config"
says out '"slots"'

{ row b3 b3; row b4 b5; } >"$dir/more.ndjson"
expect 3 import -c "$config" "$dir/more.ndjson"
says out "^$dir/more.ndjson:2: key_mismatch: "
says out '^taken 1, duplicate 0, refused 1$'

# More than one piece of 1 MiB: rows keep their numbers, also in what the daemon says of them.
copies=$((1200000 / $(wc -c <"$dir/one.ndjson")))
{ for _ in $(seq $copies); do cat "$dir/one.ndjson"; done; row b4 b5; row b4 b4; } >"$dir/large.ndjson"
expect 3 import -c "$config" "$dir/large.ndjson"
says out "^$dir/large.ndjson:$((copies + 1)): key_mismatch: .*row $((copies + 1))"
says out "^taken 1, duplicate $copies, refused 1\$"

expect 5 serve -c "$config"
expect 5 reconcile -c "$config" --reason test

kill -TERM "$daemon"
code=0
wait "$daemon" || code=$?
daemon=
[ "$code" = 0 ] || fail "serve ended with $code"

# Rows that get a lot come in pieces as well, and keep their numbers; an import that is interrupted says what it took.
expect 3 import -c "$config" --lot M "$dir/large.ndjson"
says out "^$dir/large.ndjson:$((copies + 1)): key_mismatch: .*row $((copies + 1))"
says out "^taken 0, duplicate $((copies + 1)), refused 1\$"
mkfifo "$dir/slow"
"$CERTLINED" import -c "$config" - <"$dir/slow" >"$dir/out" 2>"$dir/err" &
import=$!
exec 8>"$dir/slow"
head -c 1200000 "$dir/large.ndjson" >&8
until [ "$(sed -n 's/^SigCgt:.*\(.\)$/\1/p' "/proc/$import/status")" = 2 ]; do kill -0 $import; done
kill -INT $import
{ tail -c +1200001 "$dir/large.ndjson"; cat "$dir/large.ndjson" "$dir/large.ndjson"; } >&8 2>/dev/null || true
exec 8>&-
code=0
wait $import || code=$?
[ "$code" = 1 ] || fail "an import that was interrupted ends with $code"
says err "interrupted"
taken=$(sed -n 's/^taken 0, duplicate \([0-9]*\), refused [01]$/\1/p' "$dir/out")
[ "$taken" -gt 0 ] && [ "$taken" -le $((2 * copies)) ] || fail "an import that was interrupted took '$taken'"

# What the station took is there without it.
{ row b3 b3; row b4 b4; } >"$dir/again.ndjson"
expect 0 import -c "$config" "$dir/again.ndjson"
says out '^taken 0, duplicate 2, refused 0$'

### what needs a person

mv "$dir/state/wrapping.key" "$dir/elsewhere"
expect 6 import -c "$config" "$dir/again.ndjson"
says err 'wrapping.key'
mv "$dir/elsewhere" "$dir/state/wrapping.key"

cp "$dir/state/certline.db" "$dir/older.db"
row b5 b5 >"$dir/last.ndjson"
expect 0 import -c "$config" "$dir/last.ndjson"
cp "$dir/older.db" "$dir/state/certline.db"
rm -f "$dir/state/certline.db-wal" "$dir/state/certline.db-shm"
expect 6 import -c "$config" "$dir/last.ndjson"
says err 'behind its mark'
expect 0 reconcile -c "$config" --reason 'restored by the test' --retire-unused
says out '; 4 bundles retired$'

# A private key never shows, whatever was said.
key=$(sed -n 2p "$dir/b4.key")
! grep -rqF -- "$key" "$dir/out" "$dir/err" "$dir/log" "$dir/state" || fail "a private key is readable"

# Nothing to reconcile: nobody retires a stock by a slip.
expect 1 reconcile -c "$config" --reason test --retire-unused
