#!/bin/bash
# The dashboard in a real browser, over a real station with simulated boards: see dashboard.mjs. Skipped where there is no
# node, no Chromium, or the two npm packages cannot be had.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
    echo "SKIPPED: $*"
    exit 77
}

command -v node >/dev/null || skip "node is not installed"
command -v "${CHROMIUM:=chromium}" >/dev/null || skip "chromium is not installed"
CHROMIUM=$(command -v "$CHROMIUM")
export CHROMIUM
if ! [ -d node_modules/playwright-core ] || ! [ -d node_modules/axe-core ]; then
    command -v npm >/dev/null || skip "npm is not installed"
    npm ci --ignore-scripts >/dev/null 2>&1 || skip "npm ci found no way to its packages"
fi
exec node "${STORIES:-dashboard}.mjs"

