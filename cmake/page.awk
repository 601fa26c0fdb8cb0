# certline.toml(5) from config.example.toml: a comment is what the next option is for; an option behind a "#" shows its
# default. The example is held against the program's own table by a test, and so this page is as well.
function quoted(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}
BEGIN {
    print ".TH CERTLINE.TOML 5 \"\" \"Certline\" \"File formats\""
    print ".SH NAME"
    print "certline.toml \\- the configuration of a Certline station"
    print ".SH DESCRIPTION"
    print ".BR certlined (8)"
    print "reads one TOML file, /etc/certline/config.toml unless told otherwise."
    print ".B certlined check"
    print "names every mistake of it with its place. Shown here is each option with its default, or with an example where it has none. Relative paths start at the folder of the file."
}
/^#?\[/ {
    sub(/^#/, "")
    is_begun = !seen[$0]++ # the second entry of a product is an example
    text = ""
    if (!is_begun)
        next
    print ".SS \"" quoted($0) "\""
    next
}
/^#?[a-z_]+ = / {
    if (!is_begun)
        next
    sub(/^#/, "")
    print ".TP"
    print "\\fB" quoted($0) "\\fR"
    print quoted(text)
    text = ""
    next
}
/^# / && is_begun { line = substr($0, 3); text = text == "" ? line : text " " line; next }
/^$/ { text = "" }
END {
    print ".SH \"SEE ALSO\""
    print ".BR certlined (8)"
}
