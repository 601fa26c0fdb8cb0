/*
 * What the plan's rows do. Policy on the unexpected: a line that cannot be read makes the answer odd, an odd
 * answer is asked for again, and only what was read twice alike is believed to be wrong on the board.
 *
 * Writes are the scarce thing: each wears the modem's NVM and each may expose a secret, so an entry is
 * written at most twice in a job, the second time only after a list has shown that the first did not come out
 * right.
 */
#include "job/rows.h"

#include <assert.h>
#include <string.h>

#include "at/reply.h"
#include "base/buf.h"
#include "job/check.h"
#include "job/family.h"

#define WRITES_MAX     ROWS_WRITES_MAX
#define ROUNDS_MAX     6
#define LIST_READS_MAX 4
#define QUIET_US       (300 * US_PER_MS)
#define AT_LINE_MAX    4095 /* Nordic's AT host keeps one octet of its 4,096 for the NUL */
#define SIGNED_EXTRA   (LEDGER_SIGNATURE_SIZE + 17) /* `AT%XSUDO=4000,"…";` in place of `AT` */
#define SUPPLY_MIN_MV  3000 /* below it the modem's warning is active from the start (%XPOFWARN) */

enum row_next job_end(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                      const char *detail)
{
    if (job->verdict.outcome == OUTCOME_NONE) {
        job->verdict.outcome = outcome;
        job->verdict.fault = fault;
        job->verdict.reason = reason;
        buf_copy(job->verdict.detail, sizeof(job->verdict.detail), span_str(detail ? detail : ""));
    }
    return ROW_END;
}

/* "write of client_cert (tag 16842753)" in front of a detail: which entry a verdict is about. */
enum row_next rows_end_for_entry(struct job *job, uint32_t i, enum fault fault, enum reason reason,
                                 const char *what)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, cred_type_name(job->msg.entries[i].type));
    buf_add_str(&b, " (tag ");
    buf_add_u64(&b, job->msg.entries[i].sec_tag);
    buf_add_str(&b, "): ");
    buf_add_str(&b, what);
    return job_end(job, OUTCOME_FAIL, fault, reason, memory);
}

/* ---- choosing ---- */

/* Once for a board that is not ours; in every contact with one that is. */
bool rows_if_may_ident(struct job *job)
{
    return !job->has_asked || job->has_transfer;
}

bool rows_if_has_transfer(struct job *job)
{
    return job->has_transfer;
}

bool rows_if_no_ident(struct job *job)
{
    return !job->has_ident;
}

bool rows_if_uuid(struct job *job)
{
    return !job->has_ident && family_traits((enum modem_family)job->family)->has_device_uuid;
}

bool rows_if_not_admitted(struct job *job)
{
    return !job->is_admitted;
}

bool rows_if_as_found(struct job *job)
{
    return job->msg.product->leave == LEAVE_AS_FOUND && job->cfun_found < 0;
}

/* A board cannot be exchanged for another one in less time than this. */
bool rows_if_was_quiet(struct job *job)
{
    return job->now_us - job->heard_us > QUIET_US;
}

bool rows_if_power_warned(struct job *job)
{
    return job->is_power_warned;
}

bool rows_if_whole_list(struct job *job)
{
    return !job->lists_by_tag;
}

/* The n-th different tag of the product's entries, or -1. Before the claim the entries are the product's own.
 */
static int64_t nth_tag(const struct job *job, uint32_t n)
{
    const struct product *p = job->msg.product;
    for (uint32_t i = 0; i < p->n_entries; i++) {
        bool is_first = true;
        for (uint32_t k = 0; k < i; k++) {
            is_first = is_first && p->entries[k].sec_tag != p->entries[i].sec_tag;
        }
        if (is_first && n-- == 0) {
            return p->entries[i].sec_tag;
        }
    }
    return -1;
}

/* What the n-th list is asked for, where the whole one is too long; a tag of -1: there are no more. With
 * native TLS each type of a tag has a tag of its own in the modem. */
struct nth_list {
    int64_t sec_tag;
    struct place place;
};

static struct nth_list nth_list(const struct job *job, uint32_t n)
{
    const struct product *p = job->msg.product;
    struct nth_list list = {.sec_tag = nth_tag(job, p->native_tls ? n / CRED_TYPES : n)};
    if (list.sec_tag >= 0) {
        list.place = place_of(p, (uint32_t)list.sec_tag, n % CRED_TYPES);
    }
    return list;
}

bool rows_if_list_by_tag(struct job *job)
{
    return job->lists_by_tag && nth_list(job, job->list_tag).sec_tag >= 0;
}

bool rows_if_not_claimed(struct job *job)
{
    return !job->is_claimed;
}

bool rows_if_not_digested(struct job *job)
{
    return !job->is_digested;
}

/* A digest that is neither expected nor explained yet. */
bool rows_if_unexplained(struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct job_entry *e = &job->entries[i];
        bool has_content = !ledger_entry_is_bare(&job->msg.entries[i]);
        if (has_content && !e->is_right && e->is_present && e->has_digest && !e->is_explained) {
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool rows_is_to_write(const struct job *job, uint32_t i)
{
    return !ledger_entry_is_bare(&job->msg.entries[i]) && !job->entries[i].is_right &&
           job->entries[i].writes < WRITES_MAX;
}

static bool needs_expose(const struct job *job)
{
    if (job->msg.bundle[0] == '\0' || job->is_exposed || job->expose_is_out) {
        return false;
    }
    if (job->msg.bundle_state == BUNDLE_BOUND) {
        return true;
    }
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (job->msg.entries[i].from_bundle && rows_is_to_write(job, i)) {
            return true;
        }
    }
    return false;
}

/* Whether a build has AT#XCMNG is seen when it takes something: what is the same for every board goes first,
 * and only then is a bundle spent. */
bool rows_if_to_expose(struct job *job)
{
    return needs_expose(job) && !(job->msg.product->native_tls && rows_if_shared_ca(job));
}

bool rows_if_to_expose_late(struct job *job)
{
    return needs_expose(job);
}

bool rows_if_stray(struct job *job)
{
    int at = check_next_stray(job, 0);
    while (at >= 0 && job->msg.product->signs_commands && !rows_is_signed(job, &job->msg.rows[at])) {
        at = check_next_stray(job, (uint32_t)at + 1);
    }
    job->stray = (uint8_t)(at < 0 ? 0 : at);
    return at >= 0;
}

/* Without digests an old entry and a new one look alike. */
bool rows_if_to_vanish(struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct job_entry *e = &job->entries[i];
        if (rows_is_to_write(job, i) && e->is_present && !e->has_digest) {
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool rows_if_vanished(struct job *job)
{
    const struct job_entry *e = &job->entries[job->entry];
    return job->is_dirty && rows_is_to_write(job, job->entry) && !e->is_present && !e->was_absent;
}

static bool pick(struct job *job, enum cred_type type, bool from_bundle)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        if (e->type == type && e->from_bundle == from_bundle && rows_is_to_write(job, i)) {
            assert(!from_bundle || job->is_exposed);
            assert(!job->msg.product->signs_commands || job->owner_is_proven);
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool rows_if_shared_ca(struct job *job)
{
    return pick(job, CRED_CA, false);
}

bool rows_if_expose_out(struct job *job)
{
    return job->expose_is_out;
}

bool rows_if_bundle_ca(struct job *job)
{
    return pick(job, CRED_CA, true);
}

bool rows_if_client_cert(struct job *job)
{
    return pick(job, CRED_CLIENT_CERT, false) || pick(job, CRED_CLIENT_CERT, true);
}

bool rows_if_psk_identity(struct job *job)
{
    return pick(job, CRED_PSK_IDENTITY, false) || pick(job, CRED_PSK_IDENTITY, true);
}

bool rows_if_psk(struct job *job)
{
    return pick(job, CRED_PSK, false) || pick(job, CRED_PSK, true);
}

bool rows_if_private_key(struct job *job)
{
    return pick(job, CRED_PRIVATE_KEY, false) || pick(job, CRED_PRIVATE_KEY, true);
}

bool rows_if_prove_whole(struct job *job)
{
    return job->is_dirty && !job->lists_by_tag;
}

bool rows_if_prove_by_tag(struct job *job)
{
    return job->is_dirty && rows_if_list_by_tag(job);
}

bool rows_if_wrote(struct job *job)
{
    return job->wrote_anything || job->begin.is_polled;
}

bool rows_if_to_leave(struct job *job)
{
    if (job->is_lost || job->is_deaf || !job->is_offline) {
        return false;
    }
    return job->msg.product->leave != LEAVE_AS_FOUND || job->cfun_found >= 0;
}

/* ---- sending ---- */

#define CMNG  "AT%CMNG="
#define XCMNG "AT#XCMNG="

static void head_begin_as(struct job *job, struct buf *b, const char *name, uint32_t opcode, uint32_t sec_tag)
{
    buf_init(b, job->head, sizeof(job->head));
    buf_add_str(b, name);
    buf_add_u64(b, opcode);
    buf_add_char(b, ',');
    buf_add_u64(b, sec_tag);
}

static void head_begin(struct job *job, struct buf *b, uint32_t opcode, uint32_t sec_tag)
{
    head_begin_as(job, b, CMNG, opcode, sec_tag);
}

static void head_type(struct buf *b, uint32_t type)
{
    buf_add_char(b, ',');
    buf_add_u64(b, type);
}

void rows_send_list_tag(struct job *job, struct chat_command *command)
{
    struct nth_list list = nth_list(job, job->list_tag);
    struct buf b;
    if (job->msg.product->native_tls) {
        head_begin(job, &b, 1, list.place.sec_tag);
        head_type(&b, list.place.type);
    } else {
        head_begin(job, &b, 1, (uint32_t)list.sec_tag);
    }
    command->head = buf_span(&b);
}

void rows_send_delete_stray(struct job *job, struct chat_command *command)
{
    const struct cmng_row *row = &job->msg.rows[job->stray];
    struct place at = {.sec_tag = row->sec_tag, .type = row->type}, origin;
    bool is_native = job->msg.product->native_tls && check_origin(job, row, &origin);
    if (is_native) { /* what went astray may stand where AT#XCMNG has no name for it */
        at = origin;
    }
    struct buf b;
    head_begin_as(job, &b, is_native ? XCMNG : CMNG, 3, at.sec_tag);
    head_type(&b, at.type);
    command->head = buf_span(&b);
    rows_sign(job, command);
    job->is_dirty = job->wrote_anything = true;
}

void rows_head_entry(struct job *job, uint32_t entry, uint32_t opcode, struct chat_command *command)
{
    struct buf b;
    head_begin(job, &b, opcode, job->msg.entries[entry].sec_tag);
    head_type(&b, job->msg.entries[entry].type);
    command->head = buf_span(&b);
}

/* A change of the entry in hand. */
static void head_change(struct job *job, struct buf *b, uint32_t opcode)
{
    const struct ledger_entry *e = &job->msg.entries[job->entry];
    head_begin_as(job, b, job->msg.product->native_tls ? XCMNG : CMNG, opcode, e->sec_tag);
    head_type(b, e->type);
}

void rows_send_delete_entry(struct job *job, struct chat_command *command)
{
    struct buf b;
    head_change(job, &b, 3);
    command->head = buf_span(&b);
    rows_sign(job, command);
    job->is_dirty = job->wrote_anything = true;
}

void rows_send_list_entry(struct job *job, struct chat_command *command)
{
    const struct ledger_entry *e = &job->msg.entries[job->entry];
    struct place at = place_of(job->msg.product, e->sec_tag, e->type);
    struct buf b;
    head_begin(job, &b, 1, at.sec_tag);
    head_type(&b, at.type);
    command->head = buf_span(&b);
}

void rows_send_write(struct job *job, struct chat_command *command)
{
    struct buf b;
    head_change(job, &b, 0);
    buf_add_str(&b, ",\"");
    command->head = buf_span(&b);
    command->content = check_content(job, job->entry);
    command->tail = span_str("\"");
    rows_sign(job, command);
    command->escapes_crlf = job->front == CONTACT_FRONT_SHELL;
    job->entries[job->entry].writes++;
    job->entries[job->entry].was_chunked = job->is_chunked;
    job->written++;
    job->entries[job->entry].is_right = false;
    job->is_dirty = job->wrote_anything = true;
}

bool rows_has_more_to_write(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (i != job->entry && rows_is_to_write(job, i)) {
            return true;
        }
    }
    return false;
}

void rows_send_leave(struct job *job, struct chat_command *command)
{
    int mode = 0;
    switch (job->msg.product->leave) {
    case LEAVE_CFUN0:
        mode = 0;
        break;
    case LEAVE_CFUN4:
        mode = 4;
        break;
    case LEAVE_CFUN1:
        mode = 1;
        break;
    case LEAVE_AS_FOUND:
        mode = job->cfun_found;
        break;
    }
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT+CFUN=");
    buf_add_i64(&b, mode);
    command->head = buf_span(&b);
}

/* ---- reading ---- */

/* Identity is written down once: it must not change under a message that is lent. */
static void keep_text(char *to, size_t size, struct span text)
{
    if (to[0] == '\0') {
        buf_copy(to, size, text);
    }
}

/* Which device it is may be said a second time, in doubt, as long as no bundle hangs on it. */
static void keep_device(struct job *job, char *to, size_t size, struct span text)
{
    if (job->is_device_sure && !job->is_claimed) {
        to[0] = '\0';
    }
    keep_text(to, size, text);
}

static struct span after_prefix(struct span line, const char *prefix)
{
    struct span rest = span_skip(line, strlen(prefix));
    while (rest.len > 0 && rest.at[0] == ' ') {
        rest = span_skip(rest, 1);
    }
    return rest;
}

static void take_imei(struct job *job, struct span imei)
{
    if (!check_imei(imei)) {
        job->is_odd = true;
        return;
    }
    if (job->msg.imei[0] == '\0') {
        buf_copy(job->msg.imei, sizeof(job->msg.imei), imei);
    } else if (!span_is(imei, job->msg.imei)) {
        job->is_swapped = true;
    }
}

void rows_line_imei(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "+CGSN:");
    struct span imei = {0};
    if (cursor_string(&c, &imei) && cursor_end(&c)) {
        take_imei(job, imei);
    } else {
        job->is_odd = true;
    }
}

void rows_line_firmware(struct job *job, struct span line)
{
    if (span_starts(line, "mfw")) {
        keep_text(job->msg.modem_firmware, sizeof(job->msg.modem_firmware), line);
    } else {
        job->is_odd = true;
    }
}

static void take_ident(struct job *job, struct span word, struct span value)
{
    struct ledger_msg *msg = &job->msg;
    struct cursor c = cursor_begin(value, "");
    uint32_t number = 0;
    if (span_is(word, "transfer")) {
        job->has_transfer = cursor_u32(&c, &number) && number == 1;
    } else if (span_is(word, "modem")) {
        keep_text(msg->modem_firmware, sizeof(msg->modem_firmware), value);
    } else if (span_is(word, "model")) {
        keep_text(msg->model, sizeof(msg->model), value);
    } else if (span_is(word, "soc")) {
        keep_text(msg->hardware, sizeof(msg->hardware), value);
    } else if (span_is(word, "imei")) {
        take_imei(job, value);
    } else if (span_is(word, "uuid") && value.len == UUID_SIZE - 1) {
        keep_text(msg->uuid, sizeof(msg->uuid), value);
    } else if (span_is(word, "supply_mv") && cursor_u32(&c, &number) && msg->supply_mv == 0) {
        msg->supply_mv = number;
    }
}

/* `#IDENT: word,value`; words that are not known are for a later version. */
void rows_line_ident(struct job *job, struct span line)
{
    struct span rest = after_prefix(line, "#IDENT:");
    const char *comma = memchr(rest.at, ',', rest.len);
    if (comma) {
        size_t n = (size_t)(comma - rest.at);
        take_ident(job, span_of(rest.at, n), span_skip(rest, n + 1));
    } else {
        job->is_odd = true;
    }
}

void rows_line_model(struct job *job, struct span line)
{
    if (line.len >= 4) {
        keep_text(job->msg.model, sizeof(job->msg.model), line);
    } else {
        job->is_odd = true;
    }
}

void rows_line_hardware(struct job *job, struct span line)
{
    keep_device(job, job->msg.hardware, sizeof(job->msg.hardware), after_prefix(line, "%HWVERSION:"));
}

void rows_line_uuid(struct job *job, struct span line)
{
    struct span uuid = after_prefix(line, "%DEVICEUUID:");
    if (uuid.len == UUID_SIZE - 1) {
        keep_device(job, job->msg.uuid, sizeof(job->msg.uuid), uuid);
    } else {
        job->is_odd = true;
    }
}

void rows_line_supply(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "%XVBAT:");
    uint32_t mv = 0;
    if (cursor_u32(&c, &mv) && cursor_end(&c) && job->msg.supply_mv == 0) {
        job->msg.supply_mv = mv;
    }
}

/* What it was when the modem refused; kept apart from the first reading, which may be under way in a message.
 */
void rows_line_supply_again(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "%XVBAT:");
    uint32_t mv = 0;
    if (cursor_u32(&c, &mv) && cursor_end(&c)) {
        job->warned_mv = mv;
    }
}

void rows_line_found(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "+CFUN:");
    uint32_t mode = 0;
    if (cursor_u32(&c, &mode) && cursor_end(&c) && mode <= 44) {
        job->cfun_found = (int8_t)mode;
    }
}

void rows_line_list(struct job *job, struct span line)
{
    struct cmng_row row;
    bool starts_list = job->lines_seen == 1 && (!job->lists_by_tag || job->list_tag == 0);
    if (starts_list) {
        job->msg.n_rows = 0;
    }
    if (!check_parse_row(line, &row) || job->msg.n_rows == LEDGER_ROWS_MAX) {
        job->is_odd = true;
        return;
    }
    job->msg.rows[job->msg.n_rows++] = row;
}

void rows_line_gone(struct job *job, struct span line)
{
    struct cmng_row row;
    if (!check_parse_row(line, &row)) {
        job->is_odd = true;
        return;
    }
    job->entries[job->entry].is_present = true;
}

/* ---- judging ---- */

enum row_next rows_end_identity(struct job *job)
{
    if (job->is_swapped) {
        job->is_deaf = true; /* the board that answers now is another one: nothing of this job is for it */
        return job_end(job, OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged,
                       "another board answers in this slot now");
    }
    return job->lines_seen == 0 || job->is_odd ? ROW_ODD : ROW_NEXT;
}

/* The rows behind this one ask for what is missing, one by one. */
enum row_next rows_end_ident(struct job *job)
{
    const struct ledger_msg *msg = &job->msg;
    job->has_asked = true;
    if (job->is_swapped) {
        return rows_end_identity(job);
    }
    job->has_ident =
        !job->is_odd && msg->imei[0] != '\0' && msg->modem_firmware[0] != '\0' && msg->model[0] != '\0';
    job->family = (uint8_t)family_of(span_str(msg->modem_firmware));
    return job->has_transfer && job->is_odd ? ROW_ODD : ROW_NEXT;
}

enum row_next rows_end_firmware(struct job *job)
{
    job->family = (uint8_t)family_of(span_str(job->msg.modem_firmware));
    return rows_end_identity(job);
}

/* It tells this device from another one with the same IMEI, so one damaged answer is not taken for none; a
 * board that tells none at all goes on. */
enum row_next rows_end_uuid(struct job *job)
{
    return job->is_odd && job->odds + 1 < plan_row(PLAN_UUID)->tries ? ROW_ODD : ROW_NEXT;
}

/* A refusal is not to hang on one damaged octet of an answer: what is refused is asked for a second time. */
static enum row_next refuse_identity(struct job *job, enum reason reason, const char *detail)
{
    if (job->is_identity_sure) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, reason, detail);
    }
    job->is_identity_sure = true;
    job->msg.model[0] = job->msg.modem_firmware[0] = '\0';
    job->row = PLAN_FIRMWARE;
    return ROW_JUMP;
}

/* Only Serial LTE Modem has AT#XCMNG; and a modem that reads what is written as type 0 takes no key there,
 * though no recording of that is known. */
static enum row_next allow_native(struct job *job)
{
    if (job->front == CONTACT_FRONT_SHELL || job->has_transfer) {
        return job_end(
            job, OUTCOME_FAIL, FAULT_BOARD, REASON_wrong_front_end,
            "the product is for Serial LTE Modem with native TLS, and this board has other firmware");
    }
    if (family_traits((enum modem_family)job->family)->checks_content) {
        return refuse_identity(
            job, REASON_firmware_not_allowed,
            "native TLS stores keys as certificates, and this modem firmware takes certificates only there");
    }
    return ROW_NEXT;
}

bool rows_ask_device_again(struct job *job)
{
    if (job->is_device_sure) {
        return false;
    }
    job->is_device_sure = true;
    job->has_ident = false; /* our own firmware is asked as every other one */
    job->row = PLAN_HARDWARE;
    return true;
}

enum row_next rows_end_allow(struct job *job)
{
    const struct product *p = job->msg.product;
    if (!family_model_allowed(p, span_str(job->msg.model))) {
        return refuse_identity(job, REASON_model_not_allowed, job->msg.model);
    }
    if (!family_firmware_allowed(p, span_str(job->msg.modem_firmware))) {
        return refuse_identity(job, REASON_firmware_not_allowed, job->msg.modem_firmware);
    }
    if (p->proof == PROOF_DIGEST && !family_traits((enum modem_family)job->family)->lists_digests) {
        return refuse_identity(
            job, REASON_firmware_not_allowed,
            "this modem firmware lists no digests, and the product asks for proof by digest");
    }
    if (p->signs_commands && job->has_transfer) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_wrong_front_end,
                       "the product signs its commands, and the transfer in frames has no signatures");
    }
    return p->native_tls ? allow_native(job) : ROW_NEXT;
}

enum row_next rows_end_power(struct job *job)
{
    job->is_power_warned = false;
    return ROW_NEXT;
}

enum row_next rows_end_offline(struct job *job)
{
    job->is_offline = true;
    job->list_tag = 0;
    return ROW_NEXT;
}

/* What is found is believed at once when it is what most boards hold: our entries, or nothing. Other rows may
 * be real or one octet of an answer gone wrong, and they decide what must be there in the end: they are read
 * twice, alike. */
static enum row_next take_first_list(struct job *job)
{
    bool is_same = check_same_rows(job->before, job->n_before, job->msg.rows, job->msg.n_rows);
    job->n_before = job->msg.n_rows;
    memcpy(job->before, job->msg.rows, job->msg.n_rows * sizeof(job->before[0]));
    job->has_before =
        check_is_plain(job) || (job->lists_read > 0 && is_same) || job->lists_read >= LIST_READS_MAX;
    job->lists_read++;
    return job->has_before ? ROW_NEXT : ROW_SAME;
}

static enum row_next take_list(struct job *job)
{
    if (!job->has_before && take_first_list(job) == ROW_SAME) {
        return ROW_SAME;
    }
    job->is_dirty = false;
    if (job->is_claimed) {
        check_entries(job);
    }
    return ROW_NEXT;
}

enum row_next rows_end_list(struct job *job)
{
    if (job->is_odd) {
        return ROW_ODD;
    }
    if (job->lines_seen == 0) {
        job->msg.n_rows = 0;
    }
    return take_list(job);
}

enum row_next rows_end_list_tag(struct job *job)
{
    if (job->is_odd) {
        job->list_tag = 0; /* the rows of this answer stand among the others': all of it again */
        return ROW_ODD;
    }
    if (job->lines_seen == 0 && job->list_tag == 0) {
        job->msg.n_rows = 0;
    }
    if (nth_list(job, ++job->list_tag).sec_tag >= 0) {
        return ROW_SAME;
    }
    job->list_tag = 0;
    return take_list(job);
}

enum row_next rows_end_claim(struct job *job)
{
    job->is_claimed = true;
    if (rows_key_entry(job) >= 0) {
        check_entries(job); /* the key is decided on before digests are known */
    }
    return ROW_NEXT;
}

static uint32_t decimal_len(uint32_t value)
{
    uint32_t n = 1;
    for (; value >= 10; value /= 10) {
        n++;
    }
    return n;
}

static bool exceeds_native_room(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        size_t need = 0;
        for (uint32_t k = 0; k < job->msg.n_entries; k++) {
            const struct ledger_entry *e = &job->msg.entries[k];
            bool is_same_tag = e->sec_tag == job->msg.entries[i].sec_tag;
            need += is_same_tag ? place_native_need(e->type, check_content(job, k).len) : 0;
        }
        if (need > PLACE_NATIVE_ROOM) {
            return true;
        }
    }
    return false;
}

enum row_next rows_end_digest(struct job *job)
{
    job->is_digested = true;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        struct span content = check_content(job, i);
        if (cred_type_is_secret(e->type)) {
            dialogue_add_secret(&job->dialogue, content);
        }
        /* AT%CMNG=0,<tag>,<type>,"<content>" */
        size_t name_len = strlen(job->msg.product->native_tls ? XCMNG : CMNG);
        size_t around = name_len + 2 + decimal_len(e->sec_tag) + 1 + 1 + 2 + 1;
        around += job->msg.product->signs_commands ? SIGNED_EXTRA : 0;
        bool fits_frames = job->has_transfer && content.len <= FRAMES_CONTENT_MAX;
        if (!fits_frames && around + content.len > AT_LINE_MAX) {
            return rows_end_for_entry(
                job, i, FAULT_CREDENTIAL, REASON_too_long,
                "the whole command is longer than the 4,095 characters that the AT host takes");
        }
    }
    if (job->msg.product->native_tls && exceeds_native_room(job)) {
        return job_end(job, OUTCOME_FAIL, FAULT_CREDENTIAL, REASON_too_long,
                       "native TLS loads at most 4,096 octets of one tag, and these are more together");
    }
    check_entries(job);
    return ROW_NEXT;
}

enum row_next rows_end_explain(struct job *job)
{
    struct job_entry *e = &job->entries[job->msg.explain_entry];
    e->is_explained = true;
    e->mangling = job->msg.explain_mangling;
    e->cut_at = job->msg.explain_cut_at;
    check_entries(job);
    return ROW_SAME;
}

void rows_note_damage(struct job *job, uint32_t entry)
{
    (void)entry;
    job->damaged++;
    job->is_chunked = true;
    job->has_asked =
        false; /* the question who it is may have been damaged as well: our own firmware loses nothing */
}

/* Where commands are known to be cut: AT host samples of 2019, bridges before sdk-nrf #8651. */
static const struct {
    size_t octets;
    const char *text;
} known_cuts[] = {
    {1792, "1,792 is what AT hosts of 2019 keep"},
    {2048, "2,048 is what old bridges pass"},
};

static void add_known_cuts(const struct job *job, struct buf *b)
{
    const char *before = "; ";
    for (size_t i = 0; i < sizeof(known_cuts) / sizeof(known_cuts[0]); i++) {
        if (job->longest_done <= known_cuts[i].octets && known_cuts[i].octets < job->shortest_hung) {
            buf_add_str(b, before);
            buf_add_str(b, known_cuts[i].text);
            before = ", ";
        }
    }
}

/* What was seen of lengths: "commands of up to 1214 octets were answered, one of 1260 never": a buffer or an
 * old bridge cuts there. */
static enum row_next end_wedged(struct job *job, uint32_t i)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, "written twice, never answered; commands of up to ");
    buf_add_u64(&b, job->longest_done);
    buf_add_str(&b, " octets were answered, one of ");
    buf_add_u64(&b, job->shortest_hung);
    buf_add_str(&b, " was not");
    add_known_cuts(job, &b);
    return rows_end_for_entry(job, i, FAULT_FIXTURE, REASON_line_wedged, memory);
}

/* Twice written and still not right: what was seen says whose doing it is. */
static enum row_next end_by_evidence(struct job *job, uint32_t i)
{
    const struct job_entry *e = &job->entries[i];
    if (e->timeouts >= WRITES_MAX) {
        return end_wedged(job, i);
    }
    if (!e->is_present && job->msg.product->native_tls && job->native_took) {
        return rows_end_for_entry(
            job, i, FAULT_BOARD, REASON_wrong_front_end,
            "AT#XCMNG said OK twice and the modem lists nothing: builds since 2024 keep "
            "it elsewhere, where nothing proves it");
    }
    if (!e->is_present) {
        bool was_lost = e->timeouts > 0 || e->refusals > 0;
        return rows_end_for_entry(job, i, was_lost ? FAULT_FIXTURE : FAULT_BOARD,
                                  was_lost ? REASON_bytes_lost : REASON_digest_mismatch,
                                  was_lost ? "written twice, damaged on the way each time"
                                           : "the modem said OK twice and lists no such entry");
    }
    if (!e->is_explained || e->mangling == MANGLING_OTHER) {
        bool differs =
            e->timeouts > 0 || e->refusals > 0 || (e->has_wrong && !digest_eq(&e->wrong, &e->seen));
        return rows_end_for_entry(job, i, differs ? FAULT_FIXTURE : FAULT_BOARD,
                                  differs ? REASON_bytes_lost : REASON_digest_mismatch,
                                  differs ? "written twice, arrived damaged in different ways"
                                          : "the modem holds other content, the same after a second write");
    }
    return rows_end_for_entry(job, i, FAULT_FIXTURE,
                              e->mangling == MANGLING_CUT ? REASON_bytes_lost : REASON_digest_mismatch,
                              mangling_sentence(e->mangling));
}

/* Written and not right: was it loss, or was it changed in a way that has a name? */
static void learn_from_write(struct job *job, uint32_t i)
{
    struct job_entry *e = &job->entries[i];
    bool is_named =
        e->is_present && e->is_explained && e->mangling != MANGLING_OTHER && e->mangling != MANGLING_CUT;
    if (!is_named && e->refusals == 0) { /* a refusal was noted when it came */
        rows_note_damage(job, i);
    }
    if (e->is_present && e->has_digest) {
        e->wrong = e->seen;
        e->has_wrong = true;
    }
}

/* May this entry be written? ROW_NEXT, or the verdict. */
static enum row_next decide_entry(struct job *job, uint32_t i)
{
    const struct product *p = job->msg.product;
    struct job_entry *e = &job->entries[i];
    if (e->is_right) {
        return ROW_NEXT;
    }
    if (job->msg.entries[i].is_made_on_board) {
        return rows_decide_key(job);
    }
    if (job->msg.passed_before && p->second_visit == SECOND_COMPARE) {
        return rows_end_for_entry(job, i, FAULT_BOARD, REASON_digest_mismatch,
                                  "this board passed before and no longer holds what it was given");
    }
    if (job->msg.entries[i].is_erased) {
        return rows_end_for_entry(
            job, i, FAULT_BOARD, REASON_digest_mismatch,
            "the station erased it when a board passed with it: only another bundle helps");
    }
    if (e->is_present && !e->has_digest && p->proof == PROOF_DIGEST) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_firmware_not_allowed,
                       "the modem lists a placeholder where the digest belongs");
    }
    if (e->writes >= WRITES_MAX) {
        return end_by_evidence(job, i);
    }
    bool is_ours = e->writes > 0 || job->msg.bundle_state != BUNDLE_BOUND;
    if (e->is_present && !is_ours && p->on_existing != EXISTING_REPLACE) {
        return rows_end_for_entry(job, i, FAULT_BOARD, REASON_foreign_entry, "other content stands there");
    }
    if (e->writes > 0) {
        learn_from_write(job, i);
    }
    return ROW_NEXT;
}

static enum row_next decide_strays(struct job *job)
{
    for (int at = check_next_stray(job, 0); at >= 0; at = check_next_stray(job, (uint32_t)at + 1)) {
        const struct cmng_row *row = &job->msg.rows[at];
        if (check_is_misdirected(job, row)) {
            continue; /* our own doing, to be undone whatever the product says of others' entries */
        }
        struct place origin;
        if (check_origin(job, row, &origin) && origin.type == CRED_PRIVATE_KEY) {
            return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_foreign_key,
                           "a private key that no product of this station put there");
        }
        if (job->msg.product->on_existing != EXISTING_REPLACE ||
            (job->msg.passed_before && job->msg.product->second_visit == SECOND_COMPARE)) {
            return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_foreign_entry,
                           "an entry stands under the product's tag that is none of the product's");
        }
    }
    return ROW_NEXT;
}

enum row_next rows_end_decide(struct job *job)
{
    job->is_authorized = false;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        enum row_next next = decide_entry(job, i);
        if (next != ROW_NEXT) {
            return next;
        }
    }
    return decide_strays(job);
}

enum row_next rows_end_delete_stray(struct job *job)
{
    struct ledger_msg *msg = &job->msg;
    msg->rows[job->stray] = msg->rows[--msg->n_rows]; /* order says nothing in a list */
    return ROW_SAME;
}

enum row_next rows_end_delete_entry(struct job *job)
{
    job->entries[job->entry].is_present = false;
    job->entries[job->entry].was_absent = false; /* to be seen, not assumed */
    return ROW_NEXT;
}

enum row_next rows_end_gone(struct job *job)
{
    struct job_entry *e = &job->entries[job->entry];
    if (job->is_odd || e->is_present) {
        e->is_present = false;
        return ROW_ODD;
    }
    e->was_absent = true;
    job->row = PLAN_DELETE_ENTRY; /* the next one, if there is one */
    return ROW_JUMP;
}

enum row_next rows_end_exposed(struct job *job)
{
    (void)job;
    return ROW_NEXT;
}

enum row_next rows_end_write(struct job *job)
{
    job->native_took = job->msg.product->native_tls;
    job->entries[job->entry].is_right = true; /* so said the modem; the list will judge */
    return ROW_SAME;
}

/* In this job, or in one before it whose work is still there. */
static bool has_taken_native(const struct job *job)
{
    bool has = job->native_took;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        has = has || job->entries[i].is_right;
    }
    return has;
}

/* AT#XCMNG was refused for good and gives no reasons: what was seen must do. */
void rows_end_native_refused(struct job *job)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, plan_row((enum plan_row)job->row)->name);
    buf_add_str(&b, ": AT#XCMNG: ERROR");
    if (job->warned_mv > 0 && job->warned_mv < SUPPLY_MIN_MV) {
        buf_add_str(&b, ", supply ");
        buf_add_u64(&b, job->warned_mv);
        buf_add_str(&b, " mV");
        job_end(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_supply_low, memory);
    } else if (!has_taken_native(job)) {
        buf_add_str(&b, ": it takes Serial LTE Modem built with native TLS, with room in the modem's memory");
        job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_wrong_front_end, memory);
    } else {
        buf_add_str(&b, ", which gives no reason; others were taken, so the modem's memory may be full");
        job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_memory_full, memory);
    }
}

/* "2 of 5 writes arrived damaged; writing in chunks worked", or nothing. */
static void describe_loss(const struct job *job, char *memory, size_t size)
{
    struct buf b;
    buf_init(&b, memory, size);
    if (job->damaged > 0) {
        buf_add_u64(&b, job->damaged);
        buf_add_str(&b, " of ");
        buf_add_u64(&b, job->written);
        buf_add_str(&b, " writes arrived damaged; writing in chunks worked: check RTS/CTS of this slot");
    }
}

static enum row_next end_passed(struct job *job)
{
    enum reason reason = REASON_ok;
    char loss[VERDICT_DETAIL_SIZE];
    describe_loss(job, loss, sizeof(loss));
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (!job->entries[i].has_digest) {
            return job_end(job, OUTCOME_PASS, FAULT_NONE, REASON_presence_only, loss);
        }
    }
    if (!job->wrote_anything) {
        reason = REASON_already_right;
    }
    return job_end(job, OUTCOME_PASS, FAULT_NONE, reason, loss);
}

enum row_next rows_end_judge(struct job *job)
{
    if (rows_if_to_possess(job)) {
        job->row = PLAN_POSSESS;
        return ROW_JUMP;
    }
    uint32_t tag = 0, type = 0;
    bool is_foreign_same = check_foreign_unchanged(job, &tag, &type);
    if (check_all_right(job) && is_foreign_same && check_next_stray(job, 0) < 0) {
        return end_passed(job);
    }
    if (job->rereads == 0) { /* one odd reply is read twice before it is believed */
        job->rereads++;
        job->is_dirty = true;
        job->row = job->lists_by_tag ? PLAN_PROVE_TAG : PLAN_PROVE;
        return ROW_JUMP;
    }
    if (!is_foreign_same) {
        char memory[VERDICT_DETAIL_SIZE];
        struct buf b;
        buf_init(&b, memory, sizeof(memory));
        buf_add_str(&b, "entry ");
        buf_add_u64(&b, tag);
        buf_add_str(&b, ",");
        buf_add_u64(&b, type);
        buf_add_str(&b, " changed during the job though nothing was written to it");
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch, memory);
    }
    if (++job->rounds > ROUNDS_MAX) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch,
                       "the list changes at each reading");
    }
    job->rereads = 0;
    job->row = PLAN_EXPLAIN;
    return ROW_JUMP;
}

/* ---- messages ---- */

static enum entry_proof proof_of(const struct job *job, uint32_t i)
{
    const struct job_entry *e = &job->entries[i];
    if (job->msg.entries[i].is_made_on_board && e->is_right && job->has_possession) {
        return ENTRY_POSSESSION;
    }
    if (!e->is_right || !e->is_present) {
        return ENTRY_UNPROVEN;
    }
    return e->has_digest ? ENTRY_DIGEST : ENTRY_PRESENCE;
}

static void prepare_record(struct job *job)
{
    struct ledger_msg *msg = &job->msg;
    msg->verdict = job->verdict;
    bool passed = job->verdict.outcome == OUTCOME_PASS;
    msg->bundle_effect = passed && msg->bundle[0] != '\0' ? BUNDLE_INSTALLED : BUNDLE_UNCHANGED;
    msg->proof = passed ? ENTRY_POSSESSION : ENTRY_UNPROVEN;
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        msg->entries[i].proof = job->is_dirty ? ENTRY_UNPROVEN : proof_of(job, i);
        msg->entries[i].writes = job->entries[i].writes;
        if (msg->entries[i].proof < msg->proof) {
            msg->proof = msg->entries[i].proof;
        }
    }
    msg->wire_ms = (uint32_t)((uint64_t)(job->tx_octets + job->rx_octets) * 10000 / job->begin.baud);
    msg->modem_ms = (uint32_t)(job->modem_us / US_PER_MS);
    msg->dialogue = dialogue_text(&job->dialogue);
}

void rows_prepare_message(struct job *job, enum ledger_kind kind)
{
    struct ledger_msg *msg = &job->msg;
    msg->kind = kind;
    msg->status = LEDGER_PENDING;
    msg->detail[0] = '\0';
    switch (kind) {
    case LEDGER_CLAIM:
        break;
    case LEDGER_DIGEST:
        msg->stores_crlf = job->front == CONTACT_FRONT_SHELL;
        break;
    case LEDGER_EXPLAIN:
        msg->explain_entry = job->entry;
        msg->explain_seen = job->entries[job->entry].seen;
        break;
    case LEDGER_EXPOSE:
        job->expose_is_out = true;
        break;
    case LEDGER_AUTHORIZE:
        rows_prepare_commands(job);
        break;
    case LEDGER_INTEND:
    case LEDGER_CSR:
    case LEDGER_SIGN:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        break;
    case LEDGER_ISSUE: {
        uint32_t key = (uint32_t)rows_key_entry(job);
        msg->entries[key].expected = job->entries[key].seen;
        break;
    }
    case LEDGER_RECORD:
        prepare_record(job);
        break;
    }
}
