/*
 * Rows "ident" to "allow": who answers, and whether the product admits such a board. Also "still_there",
 * "still_here" and "prove_imei", which ask for the IMEI once more.
 *
 * Identity is written down once and only compared afterwards: every later row stands on the board being the
 * one that was admitted. That is why it is apart from what is done with that board. What would refuse a board
 * is asked for twice, since one damaged octet makes another model of it.
 */
#include "job/rows.h"

#include <string.h>

#include "at/reply.h"
#include "base/buf.h"
#include "job/check.h"
#include "job/family.h"

#define QUIET_US (300 * US_PER_MS)

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

/* A board cannot be exchanged for another one in less time than this. */
bool rows_if_was_quiet(struct job *job)
{
    return job->now_us - job->heard_us > QUIET_US;
}

bool rows_if_wrote(struct job *job)
{
    return job->wrote_anything || job->begin.is_polled;
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
    return rows_jump(job, PLAN_FIRMWARE);
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
