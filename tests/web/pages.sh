#!/bin/bash
# The pages beside the rack, and the rack at the sizes of other screens, in a real browser: see pages.mjs.
set -euo pipefail
STORIES=pages exec "$(dirname "$0")/dashboard.sh"
