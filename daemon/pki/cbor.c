/*
 * libcbor's streaming decoder takes one item at a time and allocates nothing, however long an item says it
 * is; its other interface builds a tree, for which a few octets from the outside could ask for any amount of
 * memory.
 */
#include "pki/cbor.h"

#include <cbor.h>
#include <string.h>

#define TAG_FIRST 0xC0 /* a tag of number 0 in one octet, … */
#define TAG_LAST  0xD7 /* … and of number 23 */

enum item_kind {
    ITEM_OTHER,
    ITEM_UINT,
    ITEM_NEGATIVE,
    ITEM_BYTES,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_TAG,
    ITEM_NULL
};

struct item {
    enum item_kind kind;
    uint64_t number; /* value, count or tag; of a negative number -1 - value */
    struct span bytes;
    size_t len; /* octets of the text that it takes */
};

static void take(void *ctx, enum item_kind kind, uint64_t number)
{
    struct item *item = ctx;
    item->kind = kind;
    item->number = number;
}

static void on_uint8(void *ctx, uint8_t value)
{
    take(ctx, ITEM_UINT, value);
}

static void on_uint16(void *ctx, uint16_t value)
{
    take(ctx, ITEM_UINT, value);
}

static void on_uint32(void *ctx, uint32_t value)
{
    take(ctx, ITEM_UINT, value);
}

static void on_uint64(void *ctx, uint64_t value)
{
    take(ctx, ITEM_UINT, value);
}

static void on_negint8(void *ctx, uint8_t value)
{
    take(ctx, ITEM_NEGATIVE, value);
}

static void on_negint16(void *ctx, uint16_t value)
{
    take(ctx, ITEM_NEGATIVE, value);
}

static void on_negint32(void *ctx, uint32_t value)
{
    take(ctx, ITEM_NEGATIVE, value);
}

static void on_negint64(void *ctx, uint64_t value)
{
    take(ctx, ITEM_NEGATIVE, value);
}

static void on_bytes(void *ctx, cbor_data at, size_t len)
{
    struct item *item = ctx;
    item->kind = ITEM_BYTES;
    item->bytes = span_of((const char *)at, len);
}

static void on_array(void *ctx, size_t n)
{
    take(ctx, ITEM_ARRAY, n);
}

static void on_map(void *ctx, size_t n)
{
    take(ctx, ITEM_MAP, n);
}

static void on_tag(void *ctx, uint64_t tag)
{
    take(ctx, ITEM_TAG, tag);
}

static void on_null(void *ctx)
{
    take(ctx, ITEM_NULL, 0);
}

static bool peek(const struct cbor_reader *r, struct item *ret)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = on_uint64;
    callbacks.negint8 = on_negint8;
    callbacks.negint16 = on_negint16;
    callbacks.negint32 = on_negint32;
    callbacks.negint64 = on_negint64;
    callbacks.byte_string = on_bytes;
    callbacks.array_start = on_array;
    callbacks.map_start = on_map;
    callbacks.tag = on_tag;
    callbacks.null = on_null;
    *ret = (struct item){0};
    if (r->is_bad || r->rest.len == 0) {
        return false;
    }
    uint8_t head = (uint8_t)r->rest.at[0];
    if (head >= TAG_FIRST && head <= TAG_LAST) {
        *ret = (struct item){.kind = ITEM_TAG, .number = head - TAG_FIRST, .len = 1};
        return true;
    }
    struct cbor_decoder_result result =
        cbor_stream_decode((cbor_data)r->rest.at, r->rest.len, &callbacks, ret);
    ret->len = result.read;
    return result.status == CBOR_DECODER_FINISHED && result.read > 0 && result.read <= r->rest.len;
}

/* The next item, if it is of this kind. */
static bool next(struct cbor_reader *r, enum item_kind kind, struct item *ret)
{
    if (!peek(r, ret) || ret->kind != kind) {
        r->is_bad = true;
        return false;
    }
    r->rest = span_skip(r->rest, ret->len);
    return true;
}

static bool next_number(struct cbor_reader *r, enum item_kind kind, uint64_t wanted)
{
    struct item item;
    if (next(r, kind, &item) && item.number != wanted) {
        r->is_bad = true;
    }
    return !r->is_bad;
}

struct cbor_reader cbor_read_begin(struct span octets)
{
    return (struct cbor_reader){.rest = octets};
}

bool cbor_read_tag(struct cbor_reader *r, uint64_t tag)
{
    return next_number(r, ITEM_TAG, tag);
}

bool cbor_read_array(struct cbor_reader *r, uint64_t n)
{
    return next_number(r, ITEM_ARRAY, n);
}

bool cbor_read_map(struct cbor_reader *r, uint64_t n)
{
    return next_number(r, ITEM_MAP, n);
}

bool cbor_read_uint(struct cbor_reader *r, uint64_t *ret)
{
    struct item item;
    if (!next(r, ITEM_UINT, &item)) {
        return false;
    }
    *ret = item.number;
    return true;
}

bool cbor_read_int(struct cbor_reader *r, int64_t *ret)
{
    struct item item;
    bool is_there = peek(r, &item) && (item.kind == ITEM_UINT || item.kind == ITEM_NEGATIVE);
    if (!is_there || item.number > INT64_MAX) {
        r->is_bad = true;
        return false;
    }
    r->rest = span_skip(r->rest, item.len);
    *ret = item.kind == ITEM_UINT ? (int64_t)item.number : -1 - (int64_t)item.number;
    return true;
}

bool cbor_read_bytes(struct cbor_reader *r, struct span *ret)
{
    struct item item;
    if (!next(r, ITEM_BYTES, &item)) {
        return false;
    }
    *ret = item.bytes;
    return true;
}

bool cbor_read_bytes_of(struct cbor_reader *r, uint8_t *out, size_t n)
{
    struct span bytes;
    if (!cbor_read_bytes(r, &bytes) || bytes.len != n) {
        r->is_bad = true;
        return false;
    }
    memcpy(out, bytes.at, n);
    return true;
}

bool cbor_read_null(struct cbor_reader *r)
{
    struct item item;
    return next(r, ITEM_NULL, &item);
}

bool cbor_next_is_null(const struct cbor_reader *r)
{
    struct item item;
    return peek(r, &item) && item.kind == ITEM_NULL;
}

bool cbor_read_end(const struct cbor_reader *r)
{
    return !r->is_bad && r->rest.len == 0;
}
