/*
 * The host's way with a credential, three exchanges of which the last repeats until all is there:
 *
 *   > AT#CRED=1,16842753,0,1188,<sha256>,<crc>     begin
 *   < OK
 *   > #AAk…#AQk…#Agk…AT#CRED=2,<crc>               frames, then commit, in one go
 *   < #CRED: missing,16-23
 *   < +CME ERROR: 703
 *   > #AQH…AT#CRED=2,<crc>
 *   < OK
 *
 * Frames are not answered, so that a clean link is never waited for. A burst always has one answer: that of
 * its line, or, if the line was lost, the list of what is missing once nothing came for CORE_PAUSE_MS.
 *
 * Lines that change something carry a CRC; a damaged one is 701 and does nothing. "AT#CRED=2,1,<crc>" is
 * answered when the write begins; the next credential then travels while the modem writes, and a failure is
 * told in place of the next commit's answer.
 */
#include "core/cred.h"

#include "core/crc32.h"

#define CRC_DIGITS 6
#define TYPE_MAX   99

/* -- Answers -- */

static void add_key(struct words *t, uint32_t key)
{
    words_add(t, ",");
    for (int shift = 30; shift >= 0; shift -= 6)
        words_octets(t, (const char[]){words_digit64(key >> shift)}, 1);
    words_add(t, "\r\n");
}

static void add_entry(struct words *t, const char *word, uint32_t sec_tag, uint32_t type)
{
    words_add(t, "#CRED: ");
    words_add(t, word);
    words_add(t, ",");
    words_uint(t, sec_tag);
    words_add(t, ",");
    words_uint(t, type);
}

static void add_missing(struct core *core)
{
    words_add(&core->answer, "#CRED: missing,");
    transfer_missing(&core->transfer, &core->answer);
    words_add(&core->answer, "\r\n");
}

static void add_result(struct core *core)
{
    const struct transfer_result *last = &core->transfer.last;

    add_entry(&core->answer, "written", last->sec_tag, last->type);
    words_add(&core->answer, last->code < 0 ? ",-" : ",");
    words_uint(&core->answer, (uint32_t)(last->code < 0 ? -last->code : last->code));
    add_key(&core->answer, last->key);
}

void cred_burst_ended(struct core *core)
{
    add_missing(core);
    core_error(core, CORE_ERROR_INCOMPLETE);
}

/* -- Lines -- */

/* A line behind "AT#CRED=": all of it, and what is not read yet. */
struct call {
    const char *line;
    size_t len;
    struct cursor rest;
};

static void status(struct core *core, struct call *call)
{
    struct transfer *t = &core->transfer;
    const struct transfer_slot *open = transfer_open(t);

    if (!cursor_ends(&call->rest)) {
        core_error(core, CORE_ERROR_PARAMETER);
        return;
    }
    if (t->last.is_there) {
        add_result(core);
        t->last.is_untold = false;
    }
    if (t->writing >= 0) {
        const struct transfer_plan *plan = &t->slots[t->writing].plan;
        add_entry(&core->answer, "writing", plan->sec_tag, plan->type);
        add_key(&core->answer, plan->key);
    }
    if (open) {
        add_entry(&core->answer, "open", open->plan.sec_tag, open->plan.type);
        add_key(&core->answer, open->plan.key);
        add_missing(core);
    }
    core_ok(core);
}

/* The CRC at the end of a line is over all of it before the last comma, the opcode included, so that no
 * command turns into another one. */
static bool has_right_crc(const struct call *call, uint32_t start, uint32_t *ret_crc)
{
    if (call->len <= CRC_DIGITS)
        return false;
    size_t n = call->len - CRC_DIGITS - 1;
    struct cursor c = {call->line + n, CRC_DIGITS + 1, false};
    *ret_crc = crc32_add(start, call->line, n);
    cursor_char(&c, ',');
    return cursor_digits64(&c, CRC_DIGITS) == *ret_crc && !c.is_bad;
}

static uint32_t next_uint(struct call *call, uint32_t max)
{
    cursor_char(&call->rest, ',');
    return cursor_uint(&call->rest, max);
}

static bool ends_with_crc(struct call *call)
{
    cursor_char(&call->rest, ',');
    cursor_digits64(&call->rest, CRC_DIGITS);
    return cursor_ends(&call->rest);
}

static void begin(struct core *core, struct call *call)
{
    struct transfer_plan plan = {0};
    bool is_whole = has_right_crc(call, 0, &plan.key);

    plan.sec_tag = next_uint(call, INT32_MAX);
    plan.type = next_uint(call, TYPE_MAX);
    plan.size = next_uint(call, UINT32_MAX);
    cursor_char(&call->rest, ',');
    cursor_octets64(&call->rest, plan.sha256, sizeof plan.sha256);
    if (!is_whole) {
        core_error(core, CORE_ERROR_DAMAGED);
    } else if (!ends_with_crc(call) || plan.size == 0) {
        core_error(core, CORE_ERROR_PARAMETER);
    } else if (plan.size > TRANSFER_CONTENT_MAX) {
        core_error(core, CORE_ERROR_NO_MEMORY);
    } else {
        transfer_begin(&core->transfer, &plan);
        scan_start(&core->scan, plan.key, plan.size);
        core_ok(core);
    }
}

static void abort_open(struct core *core, struct call *call)
{
    if (!cursor_ends(&call->rest)) {
        core_error(core, CORE_ERROR_PARAMETER);
        return;
    }
    transfer_abort(&core->transfer);
    core->transfer.last.is_untold = false;
    core_ok(core);
}

/* The modem's own command, but one of which no digit can get lost. */
static void delete_entry(struct core *core, struct call *call)
{
    uint32_t crc;
    bool is_whole = has_right_crc(call, 0, &crc);
    uint32_t sec_tag = next_uint(call, INT32_MAX), type = next_uint(call, TYPE_MAX);

    if (!is_whole) {
        core_error(core, CORE_ERROR_DAMAGED);
        return;
    }
    if (!ends_with_crc(call)) {
        core_error(core, CORE_ERROR_PARAMETER);
        return;
    }
    struct words *answer = &core->answer;
    words_add(answer, "AT%CMNG=3,");
    words_uint(answer, sec_tag);
    words_add(answer, ",");
    words_uint(answer, type);
    core_pass(core, answer->at, answer->len);
    answer->len = 0;
}

/* -- The commit -- */

static void write_open(struct core *core)
{
    size_t len;
    const char *command = transfer_write_begin(&core->transfer, &len);

    if (!core_modem(core, command, len, core->modem_reply, sizeof core->modem_reply)) {
        transfer_write_end(&core->transfer, "", 0);
        core->transfer.last.is_untold = false;
        core_error(core, CORE_ERROR_MODEM);
    } else if (core->is_behind) {
        core_ok(core);
    } else {
        core->state = CORE_WRITING;
    }
}

/* False: it has been answered. */
static bool may_commit(struct core *core)
{
    static const enum core_error errors[] = {
        [TRANSFER_INCOMPLETE] = CORE_ERROR_INCOMPLETE,
        [TRANSFER_WRONG] = CORE_ERROR_DIGEST,
        [TRANSFER_UNWRITABLE] = CORE_ERROR_UNWRITABLE,
    };

    if (core->transfer.last.is_untold) {
        core->transfer.last.is_untold = false;
        add_result(core);
        core_error(core, CORE_ERROR_EARLIER);
        return false;
    }
    if (!transfer_open(&core->transfer)) {
        core_error(core, CORE_ERROR_NO_TRANSFER);
        return false;
    }
    enum transfer_check check = transfer_check(&core->transfer, core->config.board);
    if (check == TRANSFER_INCOMPLETE)
        add_missing(core);
    if (check != TRANSFER_RIGHT)
        core_error(core, errors[check]);
    return check == TRANSFER_RIGHT;
}

static void go_on(struct core *core)
{
    if (!may_commit(core))
        return;
    if (core->is_modem_busy)
        core->state = CORE_COMMITTING;
    else
        write_open(core);
}

/* The CRC starts from the transfer's key: a commit can mean no other transfer. */
static void commit(struct core *core, struct call *call)
{
    const struct transfer_slot *open = transfer_open(&core->transfer);
    uint32_t crc;

    if (open && !has_right_crc(call, open->plan.key, &crc)) {
        core_error(core, CORE_ERROR_DAMAGED);
        return;
    }
    core->is_behind = call->rest.len > CRC_DIGITS + 1 && next_uint(call, 1) == 1;
    if (ends_with_crc(call))
        go_on(core);
    else
        core_error(core, CORE_ERROR_PARAMETER);
}

void cred_written(struct core *core, size_t n)
{
    if (n > sizeof core->modem_reply)
        n = sizeof core->modem_reply;
    transfer_write_end(&core->transfer, core->modem_reply, n);
    if (core->state == CORE_WRITING) {
        core->state = CORE_IDLE;
        core->transfer.last.is_untold = false;
        core_answer(core, core->modem_reply, n);
    } else if (core->state == CORE_COMMITTING) {
        core->state = CORE_IDLE;
        go_on(core);
    }
}

void cred_line(struct core *core, const char *at, size_t n)
{
    static void (*const lines[])(struct core * core, struct call * call) = {status, begin, commit, abort_open,
                                                                            delete_entry};
    struct call call = {at, n, {at, n, false}};
    uint32_t opcode = cursor_uint(&call.rest, sizeof lines / sizeof *lines - 1);

    core->transfer_ms = core->now_ms;
    if (call.rest.is_bad)
        core_error(core, CORE_ERROR_PARAMETER);
    else
        lines[opcode](core, &call);
}
