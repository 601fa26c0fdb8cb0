/* base/json: what parses is written in canonical form, parses again to an equal tree, and that writes the
 * same octets. */
#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *value, *again;
    struct err_info why = {0};
    if (json_parse(span_of((const char *)data, size), JSON_DEPTH_USUAL, &value, &why) < 0) {
        assert(why.code < 0 && why.line >= 1 && why.column >= 1);
        return 0;
    }
    char *text = json_dump(value, JSON_FORM_CANONICAL);
    assert(text);
    int r = json_parse(span_str(text), JSON_DEPTH_USUAL, &again, NULL);
    assert(r == 0);
    (void)r;
    assert(json_is_equal(value, again));
    char *twice = json_dump(again, JSON_FORM_CANONICAL);
    assert(twice && span_is(span_str(twice), text));
    free(twice);
    free(text);
    json_free(again);
    json_free(value);
    return 0;
}
