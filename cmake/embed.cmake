# Script mode: INPUT's octets as a C array named SYMBOL in OUTPUT, with <SYMBOL>_len and <SYMBOL>_etag, an entity tag
# made from their digest. An array of characters and not a string literal, since compilers need only take literals of
# 4,095 characters.
file(SHA256 ${INPUT} digest)
string(SUBSTRING ${digest} 0 32 digest)
file(SIZE ${INPUT} size)
file(READ ${INPUT} octets HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," octets "${octets}")
string(REPEAT "[0-9a-fx,'\\\\]" 7 one)
string(REPEAT "${one}" 16 row)
string(REGEX REPLACE "(${row})" "\\1\n    " octets "${octets}")
get_filename_component(name ${INPUT} NAME)
file(WRITE ${OUTPUT} "/* Made from ${name} by the build. */
#include <stddef.h>

extern const char ${SYMBOL}[];
extern const size_t ${SYMBOL}_len;
extern const char ${SYMBOL}_etag[];
const char ${SYMBOL}[] = {
    ${octets}'\\0'};
const size_t ${SYMBOL}_len = ${size};
const char ${SYMBOL}_etag[] = \"\\\"${digest}\\\"\";
")
