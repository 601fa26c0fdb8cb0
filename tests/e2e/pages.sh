#!/bin/bash
# What the manual's pages and the completion say is what the program says.
set -euo pipefail
: "${CERTLINED:?the program to test}" "${SOURCE_DIR:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
page=$SOURCE_DIR/packaging/certlined.8

### certlined(8): each command with its own options, no other, no more

"$CERTLINED" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p' | sort >"$work/commands"
sed -n '/^\.SH COMMANDS/,/^\.SH FILES/s/^\.SS \([a-z]*\).*/\1/p' "$page" | sort >"$work/described"
diff "$work/commands" "$work/described" >&2 || fail "the page's commands are not the program's"
[ "$(wc -l <"$work/commands")" -ge 11 ] || fail "no commands are found"
while read -r command; do
    "$CERTLINED" "$command" --help | grep -o -- '^  \(-., \|    \)--[a-z-]*' | sed 's/.*--/--/' |
        grep -vx -e --help -e --version -e --config | sort >"$work/options" || true
    sed -n "/^\.SS $command\( \|\$\)/,/^\.S[SH] [^$(printf %.1s "$command")]/p" "$page" | sed '1d' | sed '/^\.S[SH] /,$d' | grep '^\.B' |
        grep -o -- '\\-\\-[a-z\\-]*' | sed 's/\\//g' | sort >"$work/described" || true
    diff "$work/options" "$work/described" >&2 || fail "certlined(8) describes other options of $command"
done <"$work/commands"
codes=$("$CERTLINED" --help | sed -n '/^Exit codes:/,$p' | tr '\n' ' ' | grep -o '[0-9] [a-z]*')
said=$(sed -n '/^\.SH "EXIT STATUS"/,/^\.SH/p' "$page" | tr '\n' ' ' | sed 's/\. .*//' | grep -o '[0-9] [a-z]*')
[ "$codes" = "$said" ] || fail "the page's exit codes are not the program's"

### certline.toml(5): every option of the example

awk -f "$SOURCE_DIR/cmake/page.awk" "$SOURCE_DIR/config.example.toml" >"$work/certline.toml.5"
sed 's/^#\([[a-z]\)/\1/' "$SOURCE_DIR/config.example.toml" |
    awk '/^\[/ { section = $0 } /^[a-z_]+ = / { print section, $1 }' | sort -u >"$work/wanted"
awk '/^\.SS/ { section = $2 } /^\\fB.* = / { print section, $1 }' "$work/certline.toml.5" | tr -d '"' |
    sed 's/\\fB//' | sort >"$work/got"
[ "$(wc -l <"$work/got")" -gt 50 ] || fail "no options are found"
diff "$work/wanted" "$work/got" >&2 || fail "certline.toml(5) lacks options"

if command -v groff >/dev/null; then
    for one in "$page" "$SOURCE_DIR/packaging/certline-sim.1" "$work/certline.toml.5"; do
        LC_ALL=C.UTF-8 groff -K utf8 -T utf8 -ww -z -man "$one" 2>"$work/complaints"
        [ ! -s "$work/complaints" ] || fail "$one: $(cat "$work/complaints")"
    done
    groff -K utf8 -T ascii -P -c -man "$work/certline.toml.5" | sed 's/.\x08//g' | tr -s ' \n' ' ' >"$work/text"
    grep -q 'listen = \["127.0.0.1:8080"\] Where browsers' "$work/text" || fail "certline.toml(5) loses quotes or places"
fi

### completion

complete_words() { # WORD…: what completes the last one
    # shellcheck disable=SC1091
    (. "$SOURCE_DIR/packaging/certlined.completion"; COMP_WORDS=("$CERTLINED" "$@"); COMP_CWORD=$#; _certlined
        printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
}
[ "$(complete_words re)" = "reconcile " ] || fail "commands: $(complete_words re)"
[ "$(complete_words reconcile --re)" = "--reason --retire-unused " ] || fail "options: $(complete_words reconcile --re)"
[ "$(complete_words key ro)" = "rotate " ] || fail "key: $(complete_words key ro)"
[ "$(complete_words -c /x --v)" = "--version " ] || fail "options of all: $(complete_words -c /x --v)"
