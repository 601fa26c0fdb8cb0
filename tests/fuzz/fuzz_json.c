/* base/json: what parses is written in canonical form, parses again to an equal tree, and that writes the
 * same octets; so does jansson, which writes whatever holds a real number. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "support/fuzz.h"

static void check_with_jansson(const char *text)
{
    char *with_real = NULL;
    struct json *value;
    int n = asprintf(&with_real, "[%s,0.5]", text);
    assert(n > 0);
    int r = json_parse(span_of(with_real, (size_t)n), JSON_DEPTH_USUAL + 1, &value, NULL);
    assert(r == 0);
    (void)r;
    char *written = json_dump(value, JSON_FORM_CANONICAL);
    assert(written && span_is(span_str(written), with_real));
    free(written);
    free(with_real);
    json_free(value);
}

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
    check_with_jansson(text);
    free(text);
    json_free(again);
    json_free(value);
    return 0;
}
