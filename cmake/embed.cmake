# Script mode: INPUT's octets as a C array named SYMBOL in OUTPUT. An array of characters and not a string literal, since
# compilers need only take literals of 4,095 characters.
file(READ ${INPUT} octets HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," octets "${octets}")
string(REPEAT "[0-9a-fx,'\\\\]" 7 one)
string(REPEAT "${one}" 16 row)
string(REGEX REPLACE "(${row})" "\\1\n    " octets "${octets}")
get_filename_component(name ${INPUT} NAME)
file(WRITE ${OUTPUT} "/* Made from ${name} by the build. */
extern const char ${SYMBOL}[];
const char ${SYMBOL}[] = {
    ${octets}'\\0'};
")
