/*
 * Rows instead of conditions: what a board may say of its own accord, and how it says that it has booted.
 *
 * The order of judgement matters. Final results come first, for no prefix may ever hide the end of a command.
 * Then the command's own prefix, so that the answer to AT+CEREG? is not taken for the notification of the
 * same name. Then the unsolicited and the banners. What is left is text; whether somebody wanted text is the
 * chat's to know.
 *
 * A final result is matched whole. A board's text that merely contains OK (base64 does, sooner or later) must
 * not end anything: that is the mistake known from tools which search the stream for the two letters.
 */
#include "at/reply.h"

#include <limits.h>

/* Notifications of the nRF91 modem firmware ("nRF91 AT Commands", the notification sections of each command).
 * The blank behind the colon is always there and belongs to the row: with it, none of these can occur inside
 * PEM or base64, which is what allows to look for them in the middle of a line. */
static const char *const unsolicited[] = {
    "+CEREG: ",        /* registration, after AT+CEREG=n */
    "+CGEV: ",         /* PDN and battery events ("ME BATTERY LOW" comes whatever was asked for) */
    "+CNEC_EMM: ",     /* network error codes of mobility management, after AT+CNEC */
    "+CNEC_ESM: ",     /* the same of session management */
    "+CSCON: ",        /* signalling connection */
    "+CEDRXP: ",       /* eDRX parameters of the network */
    "+CESQ: ",         /* signal quality */
    "+CIND: ",         /* indicators */
    "+CMT: ",          /* short message; its PDU follows as a line of its own and is a stray one */
    "+CDS: ",          /* short message status report */
    "%CESQ: ",         /* signal quality, after AT%CESQ=1 */
    "%CGEV: ",         /* packet domain events of Nordic's own */
    "%MDMEV: ",        /* modem domain events: search status, overheating, reset loop */
    "%XTIME: ",        /* network time */
    "%XMODEMSLEEP: ",  /* sleep entry and exit */
    "%XT3412: ",       /* TAU timer */
    "%XSIM: ",         /* UICC state */
    "%XVBATLOWLVL: ",  /* supply below the threshold set */
    "%NCELLMEAS: ",    /* neighbour cells */
    "%RAI: ",          /* release assistance */
    "%APNRATESTAT: ",  /* APN rate control */
    "%CELLULARPRFL: ", /* cellular profile (NTN builds) */
    "%LOCATION: ",     /* location request (NTN builds) */
};

/* `is_whole`: the line is this and no more, since a short word may begin many a line. `may_follow`: so
 * distinct that it counts behind other octets too. A board that is reset in the middle of a line has no time
 * to end it, and while it boots its UART's pin may float. */
struct banner {
    const char *text;
    bool is_whole;
    bool may_follow;
};

/* What comes out of the AT port when a board boots: Zephyr and MCUboot, nRF Connect SDK, Nordic's at_client,
 * Serial Modem and SLM; TF-M and MCUboot's log where a board's own firmware shares the UART with them. */
static const struct banner banners[] = {
    {.text = "***** Booting",
     .may_follow = true}, /* "***** Booting Zephyr OS v1.14.99-ncs1 *****", 2019 builds */
    {.text = "*** Booting", .may_follow = true}, /* "*** Booting nRF Connect SDK v3.4.1 ***" */
    {.text = "*** Using ", .may_follow = true},  /* "*** Using Zephyr OS v4.4.2 ***" */
    {.text = "The AT host sample started"},
    {.text = "Ready", .is_whole = true},
    {.text = "INIT ERROR", .is_whole = true},
    {.text = "[Sec Thread] ", .may_follow = true}, /* "[Sec Thread] Secure image initializing!" */
    {.text = "Booting TF-M"},
    {.text = "I: Starting bootloader"},
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static bool is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* The number behind "+CME ERROR", -1 when it is a text, is missing or passes all bounds. */
static int error_number(struct span rest)
{
    int number = 0;

    if (span_starts(rest, ":"))
        rest = span_skip(rest, 1);
    while (span_starts(rest, " "))
        rest = span_skip(rest, 1);
    if (rest.len == 0)
        return -1;
    for (size_t i = 0; i < rest.len; i++) {
        if (!is_digit(rest.at[i]) || number > (INT_MAX - 9) / 10)
            return -1;
        number = number * 10 + (rest.at[i] - '0');
    }
    return number;
}

/* The row of `unsolicited` that stands at the beginning of `text` and is not the command's own, or NULL. */
static const char *find_notification(struct span text, const char *prefix)
{
    bool has_prefix = prefix != NULL && prefix[0] != '\0';

    for (size_t i = 0; i < ROWS(unsolicited); i++) {
        bool is_own = has_prefix && strncmp(unsolicited[i], prefix, strlen(prefix)) == 0;

        if (!is_own && span_starts(text, unsolicited[i]))
            return unsolicited[i];
    }
    return NULL;
}

static bool is_banner(struct span line)
{
    for (size_t i = 0; i < ROWS(banners); i++) {
        if (banners[i].is_whole ? span_is(line, banners[i].text) : span_starts(line, banners[i].text))
            return true;
    }
    return false;
}

enum reply_class reply_classify(struct span line, const char *prefix, int *ret_code)
{
    if (span_is(line, "OK"))
        return REPLY_OK;
    /* The second is what a shell's AT command says of an error of the modem library. */
    if (span_is(line, "ERROR") || span_starts(line, "Sending AT command failed"))
        return REPLY_ERROR;
    if (span_starts(line, "+CME ERROR") || span_starts(line, "+CMS ERROR")) {
        *ret_code = error_number(span_skip(line, strlen("+CME ERROR")));
        return REPLY_CME;
    }
    if (prefix != NULL && prefix[0] != '\0' && span_starts(line, prefix))
        return REPLY_INFO;
    if (find_notification(line, prefix) != NULL)
        return REPLY_URC;
    if (is_banner(line))
        return REPLY_BANNER;
    return REPLY_TEXT;
}

size_t reply_find_urc(struct span line, const char *prefix)
{
    for (size_t at = 1; at < line.len; at++) {
        if ((line.at[at] == '+' || line.at[at] == '%') &&
            find_notification(span_skip(line, at), prefix) != NULL)
            return at;
    }
    return 0;
}

size_t reply_find_banner(struct span line)
{
    for (size_t at = 1; at < line.len; at++) {
        for (size_t i = 0; i < ROWS(banners); i++) {
            if (banners[i].may_follow && span_starts(span_skip(line, at), banners[i].text))
                return at;
        }
    }
    return 0;
}

/* Line ends count as blanks between fields: a read's content may stand on a line of its own behind the comma.
 */
static struct span skip_blanks(struct span text)
{
    while (text.len > 0 && memchr(" \t\r\n", text.at[0], 4) != NULL)
        text = span_skip(text, 1);
    return text;
}

struct cursor cursor_begin(struct span line, const char *prefix)
{
    if (!span_starts(line, prefix))
        return (struct cursor){.rest = span_of(line.at, 0), .is_bad = true};
    return (struct cursor){.rest = skip_blanks(span_skip(line, strlen(prefix))), .at_start = true};
}

/* Where the next field's text begins, the comma before it and blanks passed over. Sets is_bad when none is
 * due. */
static struct span field_begin(struct cursor *c)
{
    struct span text = skip_blanks(c->rest);

    if (c->is_bad || c->at_start)
        return text;
    if (!span_starts(text, ",")) {
        c->is_bad = true;
        return text;
    }
    return skip_blanks(span_skip(text, 1));
}

/* The field ended where `rest` begins; what stands there must be a comma or nothing. */
static bool field_end(struct cursor *c, struct span rest)
{
    rest = skip_blanks(rest);
    if (rest.len > 0 && rest.at[0] != ',') {
        c->is_bad = true;
        return false;
    }
    c->rest = rest;
    c->at_start = false;
    return true;
}

/* Decimal digits up to `max`; *ret_rest stands behind them. */
static bool read_digits(struct span text, uint64_t max, uint64_t *ret, struct span *ret_rest)
{
    uint64_t value = 0;
    size_t n = 0;

    for (; n < text.len && is_digit(text.at[n]); n++) {
        uint64_t digit = (uint64_t)(text.at[n] - '0');

        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    *ret_rest = span_skip(text, n);
    return n > 0;
}

bool cursor_u32(struct cursor *c, uint32_t *ret)
{
    struct span text = field_begin(c);
    uint64_t value = 0;

    if (c->is_bad || !read_digits(text, UINT32_MAX, &value, &text) || !field_end(c, text)) {
        c->is_bad = true;
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

bool cursor_int(struct cursor *c, int64_t *ret)
{
    struct span text = field_begin(c);
    bool is_negative = span_starts(text, "-");
    uint64_t value = 0;

    if (is_negative)
        text = span_skip(text, 1);
    if (c->is_bad || !read_digits(text, INT64_MAX, &value, &text) || !field_end(c, text)) {
        c->is_bad = true;
        return false;
    }
    *ret = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool cursor_string(struct cursor *c, struct span *ret)
{
    struct span text = field_begin(c);
    const char *end;
    size_t len;

    if (c->is_bad || !span_starts(text, "\"")) {
        c->is_bad = true;
        return false;
    }
    text = span_skip(text, 1);
    end = text.len > 0 ? memchr(text.at, '"', text.len) : NULL;
    if (end == NULL) {
        c->is_bad = true;
        return false;
    }
    len = (size_t)(end - text.at);
    if (!field_end(c, span_skip(text, len + 1)))
        return false;
    *ret = span_of(text.at, len);
    return true;
}

bool cursor_word(struct cursor *c, struct span *ret)
{
    struct span text = field_begin(c);
    size_t len = 0, end;

    if (c->is_bad || span_starts(text, "\"")) {
        c->is_bad = true;
        return false;
    }
    while (len < text.len && text.at[len] != ',')
        len++;
    end = len;
    while (len > 0 && memchr(" \t\r\n", text.at[len - 1], 4) != NULL)
        len--;
    if (!field_end(c, span_skip(text, end)))
        return false;
    *ret = span_of(text.at, len);
    return true;
}

bool cursor_skip(struct cursor *c)
{
    bool is_bad = c->is_bad;
    struct cursor ahead = *c;
    struct span ignored;

    if (is_bad)
        return false;
    return span_starts(field_begin(&ahead), "\"") ? cursor_string(c, &ignored) : cursor_word(c, &ignored);
}

bool cursor_has_more(const struct cursor *c)
{
    return !c->is_bad && span_starts(skip_blanks(c->rest), ",");
}

bool cursor_end(const struct cursor *c)
{
    return !c->is_bad && skip_blanks(c->rest).len == 0;
}
