#!/bin/bash
# The answers of a station with real records, against the API's own description.
. "$(dirname "$0")/common/lib.sh"
begin
make_ca
make_bundles 3
write_config
start_station
import_bundles >"$dir/out"
equal "order" 201 "$(put_order WO-1 4)"
start_boards 4 --fault stored_wrong:1/2
await_slots 3 '.verdict and .state == "done"'
python3 -B "$SOURCE_DIR/tests/http/openapi.py" live "$url" || { code=$?; [ $code = 77 ] && exit 77 || fail "the answers above"; }
