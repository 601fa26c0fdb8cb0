#!/bin/bash
# README.md's examples do what they say: every block marked "sh demo" is run against the demo's station. A request that is
# refused fails the block, and a block that prints nothing shows nothing.
set -euo pipefail
: "${CERTLINED:?}" "${CERTLINE_SIM:?}" "${SOURCE_DIR:?}"
readme=$SOURCE_DIR/README.md
[ -f "$readme" ] || { echo "SKIPPED: there is no README.md"; exit 77; }
dir=$(mktemp -d)
demo=
finish() {
    [ -z "$demo" ] || { kill -TERM "$demo" 2>/dev/null && wait "$demo" || true; }
    rm -rf "$dir"
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

awk -v dir="$dir" '/^```sh demo$/ {n++; on = 1; next} /^```/ {on = 0} on {print > (dir "/block." n)}' "$readme"
set -- "$dir"/block.*
[ -f "$1" ] || fail "README.md has no block marked sh demo"

mkdir "$dir/bin" "$dir/tmp"
printf '#!/bin/sh\nexec %s --fail "$@"\n' "$(command -v curl)" >"$dir/bin/curl"
chmod +x "$dir/bin/curl"

: >"$dir/demo.out"
TMPDIR=$dir/tmp "$SOURCE_DIR/scripts/demo" --boards 3 --port 0 --baud 460800 --fault stored_wrong:1/2 >>"$dir/demo.out" 2>&1 &
demo=$!
end=$((SECONDS + 120))
until url=$(sed -n 's|^dashboard: \(http://127.0.0.1:[0-9]*\)/$|\1|p' "$dir/demo.out") && [ -n "$url" ]; do
    kill -0 "$demo" 2>/dev/null && [ $SECONDS -le $end ] || { cat "$dir/demo.out" >&2; fail "the demo does not come up"; }
    sleep 0.05
done

for block; do
    URL=$url PATH=$dir/bin:$PATH bash -euo pipefail "$block" >"$dir/out" 2>&1 </dev/null ||
        { cat "$block" "$dir/out" >&2; fail "an example fails"; }
    [ -s "$dir/out" ] || { cat "$block" >&2; fail "an example prints nothing"; }
    ! grep -qx null "$dir/out" || { cat "$block" "$dir/out" >&2; fail "an example asks for something that is not there"; }
done
