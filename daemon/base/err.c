/* Error codes and their texts. The table is short, so a switch made from the list serves as the look-up. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(int code)
{
    switch (code) {
#define X(name, value, text)                                                                                 \
    case name:                                                                                               \
        return text;
        ERR_LIST(X)
#undef X
    default: /* everything else is an errno; strerrordesc_np needs no lock and no locale */
        break;
    }
    const char *text = code < 0 && code > ERR_FIRST ? strerrordesc_np(-code) : NULL;
    return text ? text : "unknown error";
}

/* vsnprintf cuts anywhere; a cut UTF-8 sequence would make the JSON that carries it invalid. */
static void trim_partial_utf8(char *text, size_t len)
{
    size_t tail = len;
    while (tail > 0 && ((unsigned char)text[tail - 1] & 0xC0) == 0x80) {
        tail--;
    }
    if (tail > 0 && ((unsigned char)text[tail - 1] & 0x80)) {
        unsigned char lead = (unsigned char)text[tail - 1];
        size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (len - (tail - 1) < need) {
            text[tail - 1] = '\0';
        }
    }
}

static int set_v(struct err_info *reterr, int code, int line, int column, const char *format, va_list args)
{
    if (!reterr || reterr->code != 0) {
        return code;
    }
    reterr->code = code;
    reterr->line = line;
    reterr->column = column;
    int n = vsnprintf(reterr->text, sizeof(reterr->text), format, args);
    if (n >= (int)sizeof(reterr->text)) {
        trim_partial_utf8(reterr->text, sizeof(reterr->text) - 1);
    }
    return code;
}

int err_set(struct err_info *reterr, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_v(reterr, code, 0, 0, format, args);
    va_end(args);
    return code;
}

int err_set_at(struct err_info *reterr, int code, int line, int column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_v(reterr, code, line, column, format, args);
    va_end(args);
    return code;
}
