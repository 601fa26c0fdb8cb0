/*
 * Authenticated writes: every command that changes the board goes as %XSUDO with a signature of the station's
 * key, whose public half the modem keeps (%XPMNG).
 *
 *   what the modem keeps   on_public_key   what is done
 *   nothing (513)          either          our public key is written and read back
 *   our key                either          go on
 *   another key            keep            authentication_failed: only its owner can change the board
 *   another key            replace         deleted as type 5, seen gone, ours is written
 *   another, where none    either          the same: our own writing arrived damaged
 *   stood in this job
 *
 * Before anything is spent a list goes signed: it changes nothing, and a modem that refuses it refuses all.
 * Signatures come from the signer's thread, for all commands of a round at once, and hold for exactly the
 * octets that they were made for: a damaged command is refused with 520 and never carried out.
 */
#include <string.h>

#include "base/buf.h"
#include "job/check.h"
#include "job/rows.h"

#define PUBLIC_KEY      5
#define PUBLIC_TAGS     10 /* %XPMNG keeps it under 0 to 9 and tells not where */
#define OWNER_TRIES_MAX 3

/* ---- which commands */

static struct ledger_command *add_command(struct job *job, uint32_t opcode, uint32_t sec_tag, uint32_t type)
{
    struct ledger_msg *msg = &job->msg;
    if (msg->n_commands == LEDGER_COMMANDS_MAX) {
        return NULL;
    }
    struct ledger_command *command = &msg->commands[msg->n_commands++];
    struct buf b;
    *command = (struct ledger_command){.content = {NULL, 0}};
    buf_init(&b, command->head, sizeof(command->head));
    rows_add_command(&b, ROWS_CMNG, opcode, sec_tag, type);
    return command;
}

static void add_entry(struct job *job, uint32_t i)
{
    const struct ledger_entry *e = &job->msg.entries[i];
    if (job->entries[i].is_present && !job->entries[i].has_digest) {
        add_command(job, 3, e->sec_tag, e->type);
    }
    struct ledger_command *command = add_command(job, 0, e->sec_tag, e->type);
    if (command) {
        command->head[strlen(command->head)] = ',';
        command->head[strlen(command->head)] = '"';
        command->content = check_content(job, i);
    }
}

void rows_prepare_commands(struct job *job)
{
    job->msg.n_commands = 0;
    add_command(job, 1, job->msg.entries[0].sec_tag, ROWS_ANY_TYPE);
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (rows_is_to_write(job, i)) {
            add_entry(job, i);
        }
    }
    for (int at = check_next_stray(job, 0); at >= 0; at = check_next_stray(job, (uint32_t)at + 1)) {
        add_command(job, 3, job->msg.rows[at].sec_tag,
                    job->msg.rows[at].type); /* the rest in another round */
    }
}

static const struct ledger_command *find_command(const struct job *job, const char *head)
{
    for (uint32_t i = 0; i < job->msg.n_commands; i++) {
        if (strcmp(job->msg.commands[i].head, head) == 0) {
            return &job->msg.commands[i];
        }
    }
    return NULL;
}

bool rows_is_signed(const struct job *job, const struct cmng_row *stray)
{
    char memory[LEDGER_COMMAND_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    rows_add_command(&b, ROWS_CMNG, 3, stray->sec_tag, stray->type);
    return find_command(job, memory) != NULL;
}

/* `AT%CMNG=…` in job->head becomes `AT%XSUDO=<octets>,"<signature>";%CMNG=…`. */
void rows_sign(struct job *job, struct chat_command *command)
{
    char text[LEDGER_COMMAND_SIZE];
    buf_copy(text, sizeof(text), span_skip(command->head, strlen("AT")));
    const struct ledger_command *signed_one = find_command(job, text);
    if (!job->msg.product->signs_commands || !signed_one) {
        return;
    }
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT%XSUDO=");
    buf_add_u64(&b, strlen(text) + command->content.len + command->tail.len);
    buf_add_str(&b, ",\"");
    buf_add_str(&b, signed_one->signature);
    buf_add_str(&b, "\";");
    buf_add_str(&b, text);
    command->head = buf_span(&b);
}

/* ---- choosing */

static bool changes_something(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (rows_is_to_write(job, i)) {
            return true;
        }
    }
    return check_next_stray(job, 0) >= 0;
}

static bool is_owner_needed(const struct job *job)
{
    return job->msg.product->signs_commands && !job->owner_is_proven && changes_something(job);
}

bool rows_if_to_authorize(struct job *job)
{
    return job->msg.product->signs_commands && !job->is_authorized && changes_something(job);
}

bool rows_if_owner_unknown(struct job *job)
{
    return is_owner_needed(job) && job->owner == OWNER_UNKNOWN;
}

bool rows_if_owner_other(struct job *job)
{
    return is_owner_needed(job) && job->owner == OWNER_OTHER;
}

bool rows_if_owner_absent(struct job *job)
{
    return is_owner_needed(job) && job->owner == OWNER_ABSENT;
}

bool rows_if_owner_ours(struct job *job)
{
    return is_owner_needed(job) && job->owner == OWNER_OURS;
}

/* ---- sending */

static void head_text(struct job *job, struct chat_command *command, const char *text, const char *more,
                      const char *end)
{
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, text);
    buf_add_str(&b, more);
    buf_add_str(&b, end);
    command->head = buf_span(&b);
}

void rows_send_owner(struct job *job, struct chat_command *command)
{
    head_text(job, command, "AT%XPMNG=2", "", "");
    command->is_quoted = true;
    job->owner_seen = OWNER_ABSENT;
}

void rows_send_owner_delete(struct job *job, struct chat_command *command)
{
    rows_head(job, command, ROWS_CMNG, 3, job->owner_tag, PUBLIC_KEY);
}

void rows_send_owner_write(struct job *job, struct chat_command *command)
{
    head_text(job, command, "AT%XPMNG=0,\"", job->msg.public_key, "\"");
    job->owner_was_absent = true;
}

void rows_send_owner_prove(struct job *job, struct chat_command *command)
{
    head_text(job, command, "AT", job->msg.commands[0].head, "");
    rows_sign(job, command);
}

/* ---- reading and judging */

static char next_of_pem(struct span *text)
{
    while (text->len > 0 && (text->at[0] == '\r' || text->at[0] == '\n')) {
        *text = span_skip(*text, 1);
    }
    char c = text->len > 0 ? text->at[0] : '\0';
    *text = span_skip(*text, text->len > 0 ? 1 : 0);
    return c;
}

/* The same PEM, on one line or on several. A blank counts: without the one in its BEGIN line it is none. */
static bool is_same_pem(struct span a, struct span b)
{
    for (;;) {
        char x = next_of_pem(&a), y = next_of_pem(&b);
        if (x != y) {
            return false;
        }
        if (x == '\0') {
            return true;
        }
    }
}

void rows_line_owner(struct job *job, struct span line)
{
    const char *open = memchr(line.at, '"', line.len);
    const char *end = line.at + line.len;
    const char *close = open ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
    if (!close) {
        job->is_odd = true;
        return;
    }
    struct span pem = span_of(open + 1, (size_t)(close - open - 1));
    job->owner_seen = is_same_pem(pem, span_str(job->msg.public_key)) ? OWNER_OURS : OWNER_OTHER;
}

void rows_line_any(struct job *job, struct span line)
{
    (void)job, (void)line;
}

enum row_next rows_end_authorize(struct job *job)
{
    job->is_authorized = true;
    for (; job->signatures_hidden < job->msg.n_commands; job->signatures_hidden++) {
        /* whoever has a signature can have the same command carried out again; the places stay the same */
        const char *signature = job->msg.commands[job->signatures_hidden].signature;
        dialogue_add_secret(&job->dialogue, span_of(signature, LEDGER_SIGNATURE_SIZE));
    }
    return ROW_NEXT;
}

/* Another key is believed when it was read twice: one damaged octet makes another of ours. */
enum row_next rows_end_owner(struct job *job)
{
    if (job->is_odd) {
        return ROW_ODD;
    }
    if (job->owner_seen == OWNER_OTHER && !job->owner_is_sure) {
        job->owner_is_sure = true;
        return ROW_SAME;
    }
    job->owner_is_sure = false;
    job->owner = job->owner_seen;
    if (job->owner != OWNER_OURS && ++job->owner_tries > OWNER_TRIES_MAX) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_authentication_failed,
                       "the modem does not keep the station's public key");
    }
    bool is_our_doing =
        job->owner_was_absent; /* seen absent, and then written by a command that was damaged */
    if (job->owner == OWNER_OTHER && !is_our_doing && !job->msg.product->replaces_public_key) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_authentication_failed,
                       "another public key is there already, and the product says to keep it");
    }
    job->owner_tag = 0;
    return ROW_NEXT;
}

enum row_next rows_end_owner_delete(struct job *job)
{
    if (++job->owner_tag < PUBLIC_TAGS) {
        return ROW_SAME;
    }
    job->owner = OWNER_UNKNOWN; /* to be seen gone */
    return rows_jump(job, PLAN_OWNER);
}

enum row_next rows_end_owner_write(struct job *job)
{
    job->owner = OWNER_UNKNOWN; /* what is kept now is to be read */
    return rows_jump(job, PLAN_OWNER);
}

enum row_next rows_end_owner_prove(struct job *job)
{
    job->owner_is_proven = true;
    return ROW_NEXT;
}
