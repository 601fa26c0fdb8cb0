/*
 * JSON is text and a content is octets: each octet becomes the code point of its number, so that a damaged
 * content can be shown and ASCII, which is all that a right one holds, stays as it is.
 */
#include "sim/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

static json_t *octets_json(const char *at, size_t len)
{
    char *utf8 = malloc(2 * len + 1);
    size_t n = 0;

    if (!utf8)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c >= 0x80)
            utf8[n++] = (char)(0xc0 | c >> 6);
        utf8[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    json_t *text = json_stringn(utf8, n);
    free(utf8);
    return text;
}

static json_t *digest_json(const uint8_t sha256[SIM_SHA256_SIZE])
{
    char hex[2 * SIM_SHA256_SIZE + 1];

    for (size_t i = 0; i < SIM_SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02X", sha256[i]);
    return json_string(hex);
}

static json_t *entries_json(const struct simboard *b)
{
    json_t *list = json_array();

    for (size_t i = 0; i < simboard_entry_count(b); i++) {
        struct simboard_entry e = simboard_entry_at(b, i);
        json_t *entry =
            json_pack("{s:I, s:i, s:o, s:o}", "sec_tag", (json_int_t)e.sec_tag, "type", (int)e.type,
                      "content", octets_json(e.content, e.len), "sha256", digest_json(e.sha256));
        char pem[SIM_PUBLIC_MAX];
        if (e.is_generated && simboard_public_key(b, e.sec_tag, e.type, pem) > 0)
            json_object_set_new(entry, "public_key", json_string(pem));
        json_array_append_new(list, entry);
    }
    return list;
}

/* {"16842753,0": 1} of one of the two counters */
static json_t *wear_json(const struct simboard *b, bool is_deletes)
{
    json_t *object = json_object();

    for (size_t i = 0; i < simboard_wear_count(b); i++) {
        struct simboard_wear wear = simboard_wear_at(b, i);
        uint32_t n = is_deletes ? wear.deletes : wear.writes;
        char key[32];
        snprintf(key, sizeof key, "%u,%u", (unsigned)wear.sec_tag, wear.type);
        if (n > 0)
            json_object_set_new(object, key, json_integer(n));
    }
    return object;
}

static json_t *executed_json(const struct simboard *b)
{
    json_t *list = json_array();

    for (size_t i = 0; i < simboard_executed_count(b); i++)
        json_array_append_new(list, json_string(simboard_executed_at(b, i)));
    return list;
}

static json_t *board_json(const struct sim_state_row *row)
{
    struct simboard_info info = simboard_info(row->board);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:I, s:f, s:I, s:I, s:I, s:I}", "slot", row->slot, "imei",
        info.config->imei, "uuid", info.config->uuid, "family", sim_family_name(info.config->family), "cfun",
        (int)info.cfun, "plugged", info.is_plugged, "hung", info.is_hung, "boots", (json_int_t)info.boots,
        "modem_ms", (double)info.modem_us / 1000.0, "octets_in", (json_int_t)info.octets_in, "octets_out",
        (json_int_t)info.octets_out, "lost_busy", (json_int_t)info.lost_busy, "lost_overflow",
        (json_int_t)info.lost_overflow);

    json_object_set_new(object, "nvm_writes", wear_json(row->board, false));
    json_object_set_new(object, "nvm_deletes", wear_json(row->board, true));
    json_object_set_new(object, "entries", entries_json(row->board));
    json_object_set_new(object, "executed", executed_json(row->board));
    json_object_set_new(object, "executed_total",
                        json_integer((json_int_t)simboard_executed_total(row->board)));
    return object;
}

char *sim_state_text(const struct sim_state_row *rows, size_t n)
{
    json_t *boards = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(boards, board_json(&rows[i]));
    json_t *root = json_pack("{s:o}", "boards", boards);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(root);
    return text;
}

static int write_all(int fd, const char *at, size_t left)
{
    while (left > 0) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

int sim_state_write(const char *path, const char *text)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;

    int result = write_all(fd, text, strlen(text));
    if (result == 0)
        result = write_all(fd, "\n", 1);
    if (close(fd) < 0 && result == 0)
        result = -errno;
    if (result == 0 && rename(temporary, path) < 0)
        result = -errno;
    if (result < 0)
        unlink(temporary);
    return result;
}
