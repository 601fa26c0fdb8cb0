/*
 * Whose line is it? Four things talk on one wire: the answer to the command, the modem of its own accord, the
 * boot messages, and noise or leftovers. The rules, in the order in which they are applied to a complete
 * line:
 *
 * 1. An unsolicited line that begins inside of another one was written into it: Nordic's AT host prints
 * notifications the moment they come, from another thread than the one that prints the answer, octet by
 * octet. It is cut out, and the line's first part is left in the line's memory as the beginning of the next
 * line. That works at each octet of an answer, since nothing distinguishes the line that goes on from one
 * that was never torn: the quotes are counted anew over what is left, so a certificate that was torn before
 * its first quote is quoted all the same. Inside a quoted text the line does not end with the intruder, so
 * each line end in there is looked at as it comes. (Keeping the first part aside and joining text with text
 * was the other way; the line parser would then not know that the second part stands in quotes, and
 * everything in it that looks like a result would be one.)
 *
 * 2. A line that was put together may be two after all, which is therefore asked first: octets do get lost,
 * and then a first part waits for a rest that never comes and would swallow the `OK`. So when the second part
 * means something alone and the whole does not end the command, they are separated: the first part is an
 * event of its own, the second the next. The same holds for a half line that stood there when the command was
 * given, and for boot messages, which come in the middle of a line whenever a board is reset there.
 *
 * 3. Then it is what its class says, if a command waits for an answer; otherwise results and information are
 * stray. A command waits only when its terminator has left. A late OK that arrives while the next command is
 * still going out must not be counted for it, or each following answer would be taken for that of the command
 * before.
 *
 * Time-out is the end for half a line too: its rest, if it comes, is stray. It must not grow into the next
 * answer.
 */
#include "at/chat.h"

#include <assert.h>

#include "at/reply.h"

static const struct span terminators[] = {
    [CHAT_CR] = {"\r", 1},
    [CHAT_LF] = {"\n", 1},
    [CHAT_CRLF] = {"\r\n", 2},
    [CHAT_NUL] = {"", 1},
};

void chat_init(struct chat *c, char *line_memory, size_t line_size, char *splice_memory, size_t splice_size)
{
    assert(splice_size >= 128);

    *c = (struct chat){.splice = splice_memory, .splice_size = splice_size, .wrap_head = "", .wrap_tail = ""};
    line_init(&c->line, line_memory, line_size);
    c->sent_us = c->deadline_us = TIME_NEVER;
}

static void forget_line(struct chat *c)
{
    line_reset(&c->line);
    c->splice_len = 0;
    c->is_splice_old = false;
}

static void forget_command(struct chat *c)
{
    c->command = (struct chat_command){.fill = 0};
    c->is_busy = false;
    c->sent = 0;
    c->sent_us = c->deadline_us = TIME_NEVER;
    line_set_quoted_prefix(&c->line, NULL);
}

void chat_reset(struct chat *c)
{
    forget_command(c);
    forget_line(c);
    c->tail_len = 0;
}

void chat_cancel(struct chat *c)
{
    forget_command(c);
    forget_line(c);
}

void chat_set_terminator(struct chat *c, enum chat_terminator terminator)
{
    assert(!c->is_busy);

    c->terminator = terminator;
}

void chat_set_wrapper(struct chat *c, const char *head, const char *tail)
{
    assert(!c->is_busy);

    c->wrap_head = head;
    c->wrap_tail = tail;
}

/* ---- What goes out
 * -------------------------------------------------------------------------------------------- */

enum {
    PART_FILL,
    PART_WRAP_HEAD,
    PART_HEAD,
    PART_CONTENT,
    PART_TAIL,
    PART_WRAP_TAIL,
    PART_TERMINATOR,
    PARTS
};

static struct span terminator_of(const struct chat *c, const struct chat_command *command)
{
    return command->is_raw ? span_of(NULL, 0) : terminators[c->terminator];
}

static void part_lengths(const struct chat *c, const struct chat_command *command, size_t ret[PARTS])
{
    ret[PART_FILL] = command->fill_len;
    ret[PART_WRAP_HEAD] = command->is_raw ? 0 : strlen(c->wrap_head);
    ret[PART_WRAP_TAIL] = command->is_raw ? 0 : strlen(c->wrap_tail);
    ret[PART_HEAD] = command->head.len;
    ret[PART_CONTENT] = command->content.len;
    ret[PART_TAIL] = command->tail.len;
    ret[PART_TERMINATOR] = terminator_of(c, command).len;
}

size_t chat_command_len(const struct chat *c, const struct chat_command *command)
{
    size_t lengths[PARTS], total = 0;

    part_lengths(c, command, lengths);
    for (size_t i = 0; i < PARTS; i++)
        total += lengths[i];
    return total;
}

/* The part in which the next octet stands and its position there; PARTS when there is none. */
static size_t next_part(const struct chat *c, size_t *ret_at)
{
    size_t lengths[PARTS], at = c->sent, part = 0;

    if (!c->is_busy)
        return PARTS;
    part_lengths(c, &c->command, lengths);
    while (part < PARTS && at >= lengths[part])
        at -= lengths[part++];
    *ret_at = at;
    return part;
}

/* The next run of a content whose CR LF go as backslash and n: two octets for two, so that a position in what
 * is sent is the same in what it stands for. */
static struct span escaped(struct span content, size_t at)
{
    struct span rest = span_skip(content, at);
    const char *end = memchr(rest.at, '\r', rest.len);

    if (rest.at[0] == '\r')
        return span_of("\\n", 2);
    if (rest.at[0] == '\n')
        return span_of("n", 1);
    return span_of(rest.at, end != NULL ? (size_t)(end - rest.at) : rest.len);
}

struct span chat_output(struct chat *c)
{
    size_t at = 0, part = next_part(c, &at);
    const struct span parts[PARTS] = {
        [PART_WRAP_HEAD] = span_str(c->wrap_head), [PART_HEAD] = c->command.head,
        [PART_CONTENT] = c->command.content,       [PART_TAIL] = c->command.tail,
        [PART_WRAP_TAIL] = span_str(c->wrap_tail), [PART_TERMINATOR] = terminator_of(c, &c->command),
    };

    if (part == PARTS)
        return span_of(NULL, 0);
    if (part == PART_FILL) {
        size_t rest = c->command.fill_len - at;

        return span_of(c->fill, rest < sizeof(c->fill) ? rest : sizeof(c->fill));
    }
    if (part == PART_CONTENT && c->command.escapes_crlf)
        return escaped(c->command.content, at);
    return span_skip(parts[part], at);
}

bool chat_output_is_content(const struct chat *c)
{
    size_t at = 0;

    return next_part(c, &at) == PART_CONTENT;
}

static void all_sent(struct chat *c, int64_t now_us)
{
    c->sent_us = now_us;
    c->deadline_us = now_us + c->command.timeout_us;
}

void chat_sent(struct chat *c, size_t n, int64_t now_us)
{
    size_t total = chat_command_len(c, &c->command);

    if (n == 0)
        return;
    assert(c->is_busy && n <= total - c->sent);
    c->sent += n;
    if (c->sent == total)
        all_sent(c, now_us);
}

/* What stands on the line when a command is given is not its answer. It may be the beginning of a
 * notification, and is kept for that; something longer is noise, and would leave no room for an answer. */
static void mark_old_line(struct chat *c)
{
    size_t len = line_partial(&c->line).len;

    if (len > c->splice_size || len > c->line.size / 2) {
        forget_line(c);
        return;
    }
    c->splice_len = len;
    c->is_splice_old = len > 0;
}

void chat_submit(struct chat *c, const struct chat_command *command, int64_t slack_us, int64_t now_us)
{
    assert(!c->is_busy && command->timeout_us > 0);

    c->command = *command;
    c->is_busy = true;
    c->sent = 0;
    c->started_us = now_us;
    c->sent_us = TIME_NEVER;
    c->deadline_us = now_us + slack_us + command->timeout_us;
    c->rx_octets = 0;
    memset(c->fill, command->fill, sizeof(c->fill));
    if (chat_command_len(c, command) == 0)
        all_sent(c, now_us);

    line_set_quoted_prefix(&c->line, command->is_quoted ? command->prefix : NULL);
    mark_old_line(c);
}

/* ---- What comes in
 * -------------------------------------------------------------------------------------------- */

/* A front end that takes CR for the end may answer before it has got the LF of a CRLF. */
static bool is_answer_due(const struct chat *c)
{
    size_t terminator_len;

    if (!c->is_busy)
        return false;
    terminator_len = terminator_of(c, &c->command).len;
    return c->sent + (terminator_len == 2) >= chat_command_len(c, &c->command);
}

static const char *due_prefix(const struct chat *c)
{
    return is_answer_due(c) ? c->command.prefix : NULL;
}

static void end_command(struct chat *c, enum chat_end end, int64_t now_us, struct chat_event *ev)
{
    ev->kind = CHAT_DONE;
    ev->end = end;
    ev->sent_us = c->sent_us == TIME_NEVER ? c->started_us : c->sent_us;
    ev->begun_us = c->started_us;
    ev->end_us = now_us;
    ev->tx_octets = (uint32_t)c->sent;
    ev->rx_octets = c->rx_octets;
    forget_command(c);
}

static bool is_printable(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] < ' ' || line.at[i] > '~')
            return false;
    }
    return true;
}

/* With ATE1 our command comes back as it was; a shell sends it back behind its prompt. */
static bool is_echo(const struct chat *c, struct span line)
{
    if (span_starts(line, "AT") || span_starts(line, "at"))
        return true;
    for (size_t i = 0; c->wrap_head[0] != '\0' && i < line.len; i++) {
        if (span_starts(span_skip(line, i), c->wrap_head))
            return true;
    }
    return false;
}

/* Information without a prefix: any clean text but our own command, which a shell or ATE1 sends back. */
static bool is_bare_answer(const struct chat *c, struct span line, const char *prefix)
{
    return prefix != NULL && prefix[0] == '\0' && is_printable(line) && !is_echo(c, line);
}

/* Rule 3. `is_due`: the line may be an answer. */
static void tell(struct chat *c, struct span line, bool is_overlong, bool is_due, int64_t now_us,
                 struct chat_event *ev)
{
    const char *prefix = is_due ? c->command.prefix : NULL;

    *ev = (struct chat_event){.kind = CHAT_STRAY, .line = line, .is_overlong = is_overlong};
    ev->is_echo = is_echo(c, line);
    switch (reply_classify(line, prefix, &ev->code)) {
    case REPLY_OK:
        if (is_due)
            end_command(c, CHAT_END_OK, now_us, ev);
        break;
    case REPLY_ERROR:
        if (is_due)
            end_command(c, CHAT_END_ERROR, now_us, ev);
        break;
    case REPLY_CME:
        if (is_due)
            end_command(c, CHAT_END_CME, now_us, ev);
        else
            ev->code = 0;
        break;
    case REPLY_INFO:
        ev->kind = CHAT_INFO;
        break;
    case REPLY_URC:
        ev->kind = CHAT_URC;
        break;
    case REPLY_BANNER:
        ev->kind = CHAT_BANNER;
        break;
    case REPLY_TEXT:
        if (is_bare_answer(c, line, prefix))
            ev->kind = CHAT_INFO;
        break;
    }
}

/* Where the last of the lines in a quoted text begins; 0 for a line that is only one. */
static size_t last_line(struct span text)
{
    size_t at = text.len;

    while (at > 0 && text.at[at - 1] != '\n')
        at--;
    return at;
}

/* An intruder begins behind the first octet of `text`. A quoted text is searched from its last line end on:
 * what was to be found before that has been cut out before. Where the last line itself begins is behind the
 * first octet, too. */
static size_t find_intruder(struct span text, const char *prefix)
{
    size_t from = last_line(text), before = from > 0 ? from - 1 : 0;
    size_t at = reply_find_urc(span_skip(text, before), prefix);

    return at > 0 ? before + at : 0;
}

static size_t find_boot(struct span text)
{
    size_t from = last_line(text), before = from > 0 ? from - 1 : 0;
    size_t at = reply_find_banner(span_skip(text, before));

    return at > 0 ? before + at : 0;
}

/* Rule 1. The event borrows what stands behind the first part in the line's memory. */
static void cut_out(struct chat *c, struct span text, size_t at, bool is_overlong, struct chat_event *ev)
{
    *ev = (struct chat_event){.kind = CHAT_URC, .line = span_skip(text, at), .is_overlong = is_overlong};
    line_resume(&c->line, at);
    c->splice_len = at;
}

static struct span without_line_ends(struct span text)
{
    while (text.len > 0 && (text.at[text.len - 1] == '\r' || text.at[text.len - 1] == '\n'))
        text.len--;
    return text;
}

/* Rule 2. The first part goes to the splice memory, so that the second can stand where a line stands. */
static void separate(struct chat *c, struct span text, size_t at, bool is_overlong, bool is_due,
                     int64_t now_us, struct chat_event *ev)
{
    struct span first = without_line_ends(span_of(text.at, at));
    bool is_cut = first.len > c->splice_size;

    if (is_cut)
        first.len = c->splice_size;
    memcpy(c->splice, first.at, first.len);
    c->tail_len = text.len - at;
    c->is_tail_overlong = is_overlong;
    memmove(c->line.memory, text.at + at, c->tail_len);
    forget_line(c);
    tell(c, span_of(c->splice, first.len), is_cut, is_due, now_us, ev);
}

static bool is_final(enum reply_class class)
{
    return class == REPLY_OK || class == REPLY_ERROR || class == REPLY_CME;
}

/* Where a part that waited for its rest ends, and a rest begins that makes sense alone. A notification is no
 * such rest: it has cut in behind the one before it. `class` is that of the whole. */
static size_t find_seam(const struct chat *c, struct span line, enum reply_class class)
{
    int code;
    enum reply_class rest;

    if (c->splice_len == 0 || c->splice_len >= line.len || (is_final(class) && !c->is_splice_old))
        return 0;
    rest = reply_classify(span_skip(line, c->splice_len), due_prefix(c), &code);
    return is_final(rest) || rest == REPLY_INFO || rest == REPLY_BANNER ? c->splice_len : 0;
}

/* A row that ended with a comma and was therefore read on, though no quoted text followed: where the next
 * line begins. */
static size_t find_false_continuation(struct span line)
{
    bool in_quotes = false;
    size_t at = 0;

    for (; at < line.len && line.at[at] != '\r' && line.at[at] != '\n'; at++)
        in_quotes ^= line.at[at] == '"';
    while (at < line.len && (line.at[at] == '\r' || line.at[at] == '\n'))
        at++;
    return in_quotes || at == line.len || line.at[at] == '"' ? 0 : at;
}

static void judge(struct chat *c, struct span line, bool is_overlong, int64_t now_us, struct chat_event *ev)
{
    bool is_due = is_answer_due(c) && !c->is_splice_old;
    const char *prefix = is_due ? c->command.prefix : NULL;
    int code;
    enum reply_class class = reply_classify(line, prefix, &code);
    size_t at;

    if ((at = find_seam(c, line, class)) > 0) {
        separate(c, line, at, is_overlong, is_due, now_us, ev);
        return;
    }
    /* In a line that is a notification itself another one means that octets were lost between them. Waiting
     * for a rest of the first would only endanger what comes next. */
    if (class != REPLY_URC && (at = find_intruder(line, prefix)) > 0) {
        cut_out(c, line, at, is_overlong, ev);
        return;
    }
    if (class != REPLY_BANNER && (at = find_boot(line)) > 0) {
        separate(c, line, at, is_overlong, false, now_us, ev);
        return;
    }
    if ((at = find_false_continuation(line)) > 0) {
        separate(c, line, at, is_overlong, is_due, now_us, ev);
        return;
    }
    c->splice_len = 0;
    c->is_splice_old = false;
    tell(c, line, is_overlong, is_due, now_us, ev);
}

/* A line end inside of a quoted text has come: did something that does not belong there end with it? */
static void look_into_quotes(struct chat *c, int64_t now_us, struct chat_event *ev)
{
    struct span text = without_line_ends(line_partial(&c->line));
    size_t at = find_intruder(text, due_prefix(c));

    if (at > 0)
        cut_out(c, text, at, c->line.is_overlong, ev);
    else if ((at = find_boot(text)) > 0)
        separate(c, text, at, c->line.is_overlong, false, now_us, ev);
}

/* Up to the first LF and with it, so that line ends inside of quotes can be seen. */
static struct span up_to_lf(struct span in)
{
    const char *lf = memchr(in.at, '\n', in.len);

    return lf == NULL ? in : span_of(in.at, (size_t)(lf - in.at) + 1);
}

size_t chat_feed(struct chat *c, struct span in, int64_t now_us, struct chat_event *ret_event)
{
    size_t used = 0;

    *ret_event = (struct chat_event){.kind = CHAT_NONE};
    if (c->tail_len > 0) {
        struct span tail = span_of(c->line.memory, c->tail_len);

        c->tail_len = 0;
        judge(c, tail, c->is_tail_overlong, now_us, ret_event);
        return 0;
    }

    while (used < in.len && ret_event->kind == CHAT_NONE) {
        struct span piece = up_to_lf(span_skip(in, used)), line;
        size_t n = 0;
        enum line_result result = line_feed(&c->line, piece, &n, &line);

        used += n;
        c->rx_octets += (uint32_t)n;
        if (result != LINE_UNSURE)
            judge(c, line, result == LINE_OVERLONG, now_us, ret_event);
        else if (c->line.in_quotes && piece.at[n - 1] == '\n')
            look_into_quotes(c, now_us, ret_event);
    }
    return used;
}

/* ---- Time
 * ----------------------------------------------------------------------------------------------------- */

int64_t chat_deadline(const struct chat *c)
{
    return c->deadline_us;
}

void chat_tick(struct chat *c, int64_t now_us, struct chat_event *ret_event)
{
    *ret_event = (struct chat_event){.kind = CHAT_NONE};
    if (!c->is_busy || now_us < c->deadline_us)
        return;
    end_command(c, CHAT_END_TIMEOUT, now_us, ret_event);
    forget_line(c);
}
