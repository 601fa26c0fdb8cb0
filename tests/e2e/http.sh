#!/bin/bash
# ctest: tsan
# The first look a program takes at a station, with nothing but curl: what is there, what is refused and how, through TCP
# and through the station's own socket.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 1
write_config
start_station

# answers WHAT STATUS TYPE PATH [curl's options]: the body is in $dir/out, the head in $dir/head.
answers() {
    local what=$1 wanted="$2 $3" path=$4
    shift 4
    equal "$what" "$wanted" "$(api "$path" -o "$dir/out" -D "$dir/head" -w '%{http_code} %{content_type}' "$@")"
}
refused() { # WHAT STATUS REASON PATH [options]
    answers "$1" "$2" application/problem+json "${@:4}"
    equal "$1: reason and status" "$3 $2" "$(jq -r '"\(.reason) \(.status)"' "$dir/out")"
    jq -e '(.type | startswith("/problems/")) and (.title | length > 5)' "$dir/out" >/dev/null || fail "$1: $(cat "$dir/out")"
}
json='Content-Type: application/json'

for path in /healthz /readyz /api/v1/station /api/v1/slots /api/v1/work-orders /api/v1/bundles/stock /api/v1/jobs /api/v1/events; do
    answers "$path" 200 application/json "$path"
    jq -e 'type == "object"' "$dir/out" >/dev/null || fail "$path is no object"
    answers "HEAD $path" 200 application/json "$path" -I
done
equal "the station's name" TEST "$(get /api/v1/station .name)"
equal "through the socket" TEST "$(curl -sS --unix-socket "$dir/state/api.sock" http://localhost/api/v1/station | jq -r .name)"
answers "the dashboard" 200 "text/html; charset=utf-8" /
grep -qi '^content-security-policy:' "$dir/head" || fail "no policy for the page"

refused "a path that is not there" 404 not_found /api/v1/nothing
refused "a method that is not there" 405 method_not_allowed /api/v1/slots -X DELETE
grep -qi '^allow: .*GET' "$dir/head" || fail "405 without Allow"
answers "a slot that is not there" 404 application/problem+json /api/v1/slots/rack1/999
answers "a job that is not there" 404 application/problem+json /api/v1/jobs/none
answers "a filter with a typo" 400 application/problem+json '/api/v1/jobs?outcme=FAIL'
answers "another name for the host" 421 application/problem+json /api/v1/slots -H 'Host: evil.example'
answers "a page from elsewhere" 403 application/problem+json /api/v1/work-orders/WO-1 -X PUT -H "$json" \
    -H 'Origin: http://evil.example' -d '{}'
answers "a form" 415 application/problem+json /api/v1/work-orders/WO-1 -X PUT -d 'a=b'
answers "no JSON" 400 application/problem+json /api/v1/work-orders/WO-1 -X PUT -H "$json" -d '{'
answers "two lengths" 400 application/problem+json /api/v1/work-orders/WO-1 -X PUT -H "$json" -H 'Transfer-Encoding: chunked' \
    -H 'Content-Length: 2' -d '{}'
equal "nothing was opened" 0 "$(get /api/v1/work-orders '.work_orders | length')"

# An import in one request: row by row.
{
    cat "$dir/bundles.ndjson"
    echo '{"id":'
    jq -c '.id = "other"' "$dir/bundles.ndjson"
} >"$dir/rows"
answers "an import" 200 application/json /api/v1/bundles -X POST -H 'Content-Type: application/x-ndjson' --data-binary "@$dir/rows"
equal "its outcome" '[1,0,2]' "$(jq -c '[.taken, .duplicate, .refused]' "$dir/out")"
equal "its rows" '[[2,"refused"],[3,"refused"]]' "$(jq -c '[.rows[] | select(.result != "taken") | [.row, .result]]' "$dir/out")"
equal "the second bundle with one key" duplicate_key "$(jq -r '.rows[] | select(.row == 3) | .reason' "$dir/out")"

end_station TERM
equal "exit status" 0 "$(cat "$dir/code")"
