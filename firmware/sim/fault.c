/*
 * Faults: those given as text, which stay until they are cleared, and those at one exact place.
 * "unplug@byte:k" and "reboot@command:k" of the text are exact ones that count from the moment they are
 * given.
 */
#include "sim/board_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MAX 96

/* -- Faults that wait for a kind of command -- */

static bool is_when(const struct simboard *b, const struct timed_fault *f)
{
    enum modem_class class = b->modem.call.class;

    switch (f->when) {
    case WHEN_ANY:
        return true;
    case WHEN_WRITE:
        return class == MODEM_WRITE;
    case WHEN_LIST:
        return class == MODEM_LIST;
    case WHEN_READ:
        return class == MODEM_CRED_READ;
    case WHEN_DELETE:
        return class == MODEM_DELETE;
    case WHEN_KEYGEN:
        return class == MODEM_KEYGEN;
    case WHEN_COMMAND:
        return b->commands == f->k;
    }
    return false;
}

bool timed_hit(struct simboard *b, bool is_hang)
{
    bool is_hit = false;

    for (size_t i = 0; i < SIM_FAULT_MAX; i++) {
        const struct timed_fault *f = &b->timed[i];
        if (f->is_used && f->is_hang == is_hang && is_when(b, f))
            is_hit |= rng_hit(&b->rng, f->p);
    }
    return is_hit;
}

/* -- The grammar -- */

struct spec {
    char text[SPEC_MAX]; /* the kind, with NULs where its parts ended */
    const char *value;   /* NULL: none given */
    const char *when;
    char *why;
    size_t why_size;
};

static int refuse(struct spec *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct spec *s, const char *format, ...)
{
    va_list list;

    if (s->why) {
        va_start(list, format);
        vsnprintf(s->why, s->why_size, format, list);
        va_end(list);
    }
    return -1;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value > max)
        return false;
    *ret = value;
    return true;
}

/* A probability in (0, 1]. `if_missing` below 0: a value must be there. */
static int take_probability(struct spec *s, double if_missing, double *ret)
{
    char *end = NULL;
    double p = s->value ? strtod(s->value, &end) : if_missing;

    if ((s->value && (end == s->value || *end != '\0')) || !(p > 0 && p <= 1))
        return refuse(s, "%s wants a probability above 0 and up to 1, as in %s:0.01", s->text, s->text);
    *ret = p;
    return 0;
}

static int take_count(struct spec *s, uint64_t max, uint32_t *ret)
{
    uint64_t n = 0;

    if (!parse_number(s->value, max, &n) || n == 0)
        return refuse(s, "%s wants a number from 1 to %llu, as in %s:%d", s->text, (unsigned long long)max,
                      s->text, 6);
    *ret = (uint32_t)n;
    return 0;
}

static int no_when(struct spec *s)
{
    return s->when ? refuse(s, "%s takes no @moment", s->text) : 0;
}

/* "command:12" with the unit "command" */
static bool take_place(const char *when, const char *unit, uint64_t *ret)
{
    size_t len = strlen(unit);
    return when && strncmp(when, unit, len) == 0 && when[len] == ':' &&
           parse_number(when + len + 1, UINT64_C(1) << 40, ret) && *ret > 0;
}

static int set_drop(struct simboard *b, struct spec *s)
{
    return take_probability(s, -1, &b->path.drop);
}

static int set_garble(struct simboard *b, struct spec *s)
{
    return take_probability(s, -1, &b->path.garble);
}

static int set_dup(struct simboard *b, struct spec *s)
{
    return take_probability(s, -1, &b->path.dup);
}

static int set_cut(struct simboard *b, struct spec *s)
{
    return take_count(s, 100000, &b->path.cut);
}

static int set_fifo(struct simboard *b, struct spec *s)
{
    if (take_count(s, SIM_LINK_SIZE, &b->config.fifo) < 0)
        return -1;
    b->config.flow = SIM_FLOW_NONE;
    b->has_small_fifo = true;
    return 0;
}

static int set_drain(struct simboard *b, struct spec *s)
{
    return take_count(s, 1000000, &b->drain_us);
}

static int take_newline(struct simboard *b, struct spec *s, bool is_everywhere)
{
    static const struct {
        const char *name;
        enum path_newline newline;
    } names[] = {{"crlf", PATH_CRLF}, {"lf", PATH_LF}, {"cr", PATH_CR}};

    for (size_t i = 0; s->value && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(s->value, names[i].name) == 0) {
            b->path.newline = names[i].newline;
            b->path.is_everywhere = is_everywhere;
            return 0;
        }
    }
    return refuse(s, "%s wants crlf, lf or cr", s->text);
}

static int set_newline(struct simboard *b, struct spec *s)
{
    return take_newline(b, s, false);
}

static int set_newline_all(struct simboard *b, struct spec *s)
{
    return take_newline(b, s, true);
}

/* The older fault of the same moment, or a free place, or NULL. */
static struct timed_fault *place_for(struct simboard *b, const struct timed_fault *f)
{
    struct timed_fault *is_free = NULL;

    for (size_t i = 0; i < SIM_FAULT_MAX; i++) {
        struct timed_fault *old = &b->timed[i];
        if (!old->is_used)
            is_free = old;
        else if (old->is_hang == f->is_hang && old->when == f->when && old->k == f->k)
            return old;
    }
    return is_free;
}

static int set_timed(struct simboard *b, struct spec *s, bool is_hang)
{
    static const char *const names[] = {
        [WHEN_ANY] = "any",   [WHEN_WRITE] = "write",   [WHEN_LIST] = "list",
        [WHEN_READ] = "read", [WHEN_DELETE] = "delete", [WHEN_KEYGEN] = "keygen"};
    struct timed_fault f = {.is_used = true, .is_hang = is_hang, .when = WHEN_COMMAND};

    if (take_probability(s, 1, &f.p) < 0)
        return -1;
    const char *when = s->when ? s->when : "any";
    for (enum fault_when i = WHEN_ANY; i < WHEN_COMMAND; i++) {
        if (strcmp(when, names[i]) == 0)
            f.when = i;
    }
    if (f.when == WHEN_COMMAND && !take_place(when, "command", &f.k))
        return refuse(s, "%s wants @write, @list, @read, @delete, @keygen, @any or @command:k", s->text);
    if (f.when == WHEN_COMMAND)
        f.k += b->commands;
    struct timed_fault *to = place_for(b, &f);
    if (!to)
        return refuse(s, "too many faults of this kind: %d at most", SIM_FAULT_MAX);
    *to = f;
    return 0;
}

static int set_hang(struct simboard *b, struct spec *s)
{
    return set_timed(b, s, true);
}

static int set_lost_reply(struct simboard *b, struct spec *s)
{
    return set_timed(b, s, false);
}

static int set_unplug(struct simboard *b, struct spec *s)
{
    struct sim_exact f = {.kind = SIM_EXACT_UNPLUG_IN};

    if (s->value || !take_place(s->when, "byte", &f.k))
        return refuse(s, "unplug wants @byte:k with k from 1, as in unplug@byte:500");
    f.k += b->in.count;
    return exact_arm(b, &f, true) < 0 ? refuse(s, "too many faults of this kind: %d at most", SIM_FAULT_MAX)
                                      : 0;
}

static int set_reboot(struct simboard *b, struct spec *s)
{
    struct sim_exact f = {.kind = SIM_EXACT_REBOOT};

    if (s->value || !take_place(s->when, "command", &f.k))
        return refuse(s, "reboot wants @command:k with k from 1, as in reboot@command:5");
    f.k += b->commands;
    return exact_arm(b, &f, true) < 0 ? refuse(s, "too many faults of this kind: %d at most", SIM_FAULT_MAX)
                                      : 0;
}

static int set_urc(struct simboard *b, struct spec *s)
{
    return take_probability(s, -1, &b->urc);
}

static int set_stored_wrong(struct simboard *b, struct spec *s)
{
    return take_probability(s, -1, &b->modem.stored_wrong);
}

static int no_value(struct spec *s)
{
    return s->value ? refuse(s, "%s takes no value", s->text) : 0;
}

static int set_supply_low(struct simboard *b, struct spec *s)
{
    if (no_value(s) < 0)
        return -1;
    modem_set_supply(&b->modem, true);
    return 0;
}

static int set_memory_full(struct simboard *b, struct spec *s)
{
    if (no_value(s) < 0)
        return -1;
    b->modem.is_memory_full = true;
    return 0;
}

static int set_active(struct simboard *b, struct spec *s)
{
    if (no_value(s) < 0)
        return -1;
    b->modem.boots_active = b->modem.is_lte_active = true;
    b->modem.cfun = 1;
    b->fired.active++;
    return 0;
}

static int set_stray_entry(struct simboard *b, struct spec *s)
{
    static const char content[] = "left-by-somebody-else";
    unsigned tag = 16842753, type = 4;
    char rest;

    if (s->value && (sscanf(s->value, "%u.%u%c", &tag, &type, &rest) != 2 || tag > 2147483647u || type > 5))
        return refuse(s, "stray_entry wants tag.type, as in stray_entry:16842753.4");
    if (simboard_entry_put(b, tag, type, content, sizeof content - 1) < 0)
        return refuse(s, "the store has no room for a stray entry");
    b->fired.stray_entry++;
    return 0;
}

static int set_same_imei(struct simboard *b, struct spec *s)
{
    if (no_value(s) < 0)
        return -1;
    memcpy(b->config.imei, b->config.twin_imei, sizeof b->config.imei);
    b->fired.same_imei++;
    return 0;
}

static int set_wrong_family(struct simboard *b, struct spec *s)
{
    enum sim_family other = b->config.family == SIM_F1 ? SIM_F2B : SIM_F1;

    if (s->value && sim_family_parse(s->value, &other) < 0)
        return refuse(s, "wrong_family wants a family, as in wrong_family:F1.3b");
    b->modem.shown = sim_family_get(other);
    b->fired.wrong_family++;
    return 0;
}

static int set_slow_nvm(struct simboard *b, struct spec *s)
{
    if (take_count(s, 600000, &b->config.nvm_ms) < 0)
        return -1;
    b->fired.slow_nvm++;
    return 0;
}

static int set_delay(struct simboard *b, struct spec *s)
{
    return take_count(s, 1000000, &b->link_delay_us);
}

static int set_keygen_failed(struct simboard *b, struct spec *s)
{
    return take_probability(s, 1, &b->modem.keygen_failed);
}

static int set_no_tokens(struct simboard *b, struct spec *s)
{
    if (no_value(s) < 0)
        return -1;
    b->modem.has_no_tokens = true;
    return 0;
}

static const struct {
    const char *name;
    bool has_when; /* may be followed by @moment */
    int (*set)(struct simboard *b, struct spec *s);
} kinds[] = {
    {.name = "drop", .set = set_drop},
    {.name = "garble", .set = set_garble},
    {.name = "dup", .set = set_dup},
    {.name = "cut", .set = set_cut},
    {.name = "fifo", .set = set_fifo},
    {.name = "drain", .set = set_drain},
    {.name = "newline", .set = set_newline},
    {.name = "hang", .has_when = true, .set = set_hang},
    {.name = "lost_reply", .has_when = true, .set = set_lost_reply},
    {.name = "unplug", .has_when = true, .set = set_unplug},
    {.name = "reboot", .has_when = true, .set = set_reboot},
    {.name = "urc", .set = set_urc},
    {.name = "stored_wrong", .set = set_stored_wrong},
    {.name = "supply_low", .set = set_supply_low},
    {.name = "memory_full", .set = set_memory_full},
    {.name = "active", .set = set_active},
    {.name = "stray_entry", .set = set_stray_entry},
    {.name = "same_imei", .set = set_same_imei},
    {.name = "duplicate_imei", .set = set_same_imei},
    {.name = "wrong_family", .set = set_wrong_family},
    {.name = "slow_nvm", .set = set_slow_nvm},
    {.name = "delay", .set = set_delay},
    {.name = "newline_all", .set = set_newline_all},
    {.name = "keygen_failed", .set = set_keygen_failed},
    {.name = "no_tokens", .set = set_no_tokens},
};

/* Cuts the text at the first `mark` and returns what follows, or NULL. */
static char *cut_at(char *text, char mark)
{
    char *at = strchr(text, mark);
    if (at)
        *at++ = '\0';
    return at;
}

/* 1 if the board is meant, 0 if not, -1 for a suffix that is no number or range. */
static int is_meant(struct spec *s, char *range, unsigned number)
{
    uint64_t first, last;

    if (!range)
        return 1;
    char *upper = cut_at(range, '-');
    if (!parse_number(range, UINT32_MAX, &first) || !parse_number(upper ? upper : range, UINT32_MAX, &last) ||
        first == 0 || last < first)
        return refuse(s, "what follows the slash is a board's number or two, as in /3 or /1-4");
    return number >= first && number <= last;
}

int simboard_add_fault(struct simboard *b, const char *text, char *why, size_t why_size)
{
    struct spec s = {.why = why, .why_size = why_size};

    if (strlen(text) >= sizeof s.text)
        return refuse(&s, "a fault has fewer than %d characters", SPEC_MAX);
    memcpy(s.text, text, strlen(text) + 1);
    int meant = is_meant(&s, cut_at(s.text, '/'), b->config.number);
    if (meant <= 0)
        return meant;
    s.when = cut_at(s.text, '@');
    s.value = cut_at(s.text, ':');

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, s.text) != 0)
            continue;
        if (!kinds[i].has_when && no_when(&s) < 0)
            return -1;
        return kinds[i].set(b, &s);
    }
    return refuse(&s, "there is no fault called %s", s.text);
}

int simboard_check_fault(const char *spec, char *why, size_t why_size)
{
    char without_board[SPEC_MAX];
    struct spec s = {.why = why, .why_size = why_size};

    if (strlen(spec) >= sizeof without_board)
        return refuse(&s, "a fault has fewer than %d characters", SPEC_MAX);
    memcpy(without_board, spec, strlen(spec) + 1);
    if (is_meant(&s, cut_at(without_board, '/'), 1) < 0)
        return -1;

    struct simboard *scratch = simboard_new(&(struct simboard_config)SIMBOARD_CONFIG_DEFAULT);
    if (!scratch)
        return refuse(&s, "out of memory");
    int result = simboard_add_fault(scratch, without_board, why, why_size);
    simboard_free(scratch);
    return result;
}

void simboard_clear_faults(struct simboard *b)
{
    struct path *p = &b->path;

    p->drop = p->garble = p->dup = 0;
    p->cut = 0;
    p->newline = PATH_AS_IS;
    p->is_everywhere = false;
    b->config.flow = b->own_flow;
    b->config.fifo = b->own_fifo;
    b->has_small_fifo = false;
    b->drain_us = 0;
    b->urc = 0;
    b->modem.stored_wrong = 0;
    b->modem.is_supply_low = b->modem.is_memory_full = b->modem.boots_active = false;
    b->modem.has_no_tokens = false;
    b->modem.keygen_failed = 0;
    b->modem.shown = b->modem.family;
    b->config.nvm_ms = b->own_nvm_ms;
    b->link_delay_us = 0;
    memcpy(b->config.imei, b->own_imei, sizeof b->config.imei);
    memset(b->timed, 0, sizeof b->timed);
    exact_clear(b);
}

uint64_t simboard_fault_fired(const struct simboard *b, const char *kind)
{
    const struct {
        const char *name;
        uint64_t fired;
    } counts[] = {
        {"drop", b->path.drop_fired},
        {"garble", b->path.garble_fired},
        {"dup", b->path.dup_fired},
        {"cut", b->path.cut_fired},
        {"newline", b->path.newline_fired},
        {"fifo", b->fired.fifo},
        {"drain", b->fired.fifo},
        {"hang", b->fired.hang},
        {"lost_reply", b->fired.lost_reply},
        {"unplug", b->fired.unplug},
        {"reboot", b->fired.reboot},
        {"urc", b->fired.urc},
        {"stored_wrong", b->modem.stored_wrong_fired},
        {"supply_low", b->modem.refused_supply},
        {"memory_full", b->modem.refused_memory},
        {"active", b->fired.active},
        {"stray_entry", b->fired.stray_entry},
        {"same_imei", b->fired.same_imei},
        {"duplicate_imei", b->fired.same_imei},
        {"wrong_family", b->fired.wrong_family},
        {"slow_nvm", b->fired.slow_nvm},
        {"delay", b->fired.delay},
        {"newline_all", b->path.newline_fired},
        {"keygen_failed", b->modem.keygen_failed_fired},
        {"no_tokens", b->modem.no_tokens_fired},
    };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (strcmp(counts[i].name, kind) == 0)
            return counts[i].fired;
    }
    return 0;
}
