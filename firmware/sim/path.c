/*
 * Rewriting and cutting need to know where a line of the host ends: at CR, LF or NUL outside quotes. Mostly
 * only line ends inside quotes are rewritten: the terminator is a key that the person or tool presses, the
 * content is what a terminal pastes; some terminals treat both alike. A backspace starts the line anew for
 * the cut, since a bridge's buffer is long empty when thousands of them have passed; they are not counted
 * either.
 */
#include "sim/path.h"

static void track(struct path *p, char octet)
{
    if (octet == 0x08 || octet == 0x7f) {
        p->line_len = 0;
        p->is_in_quotes = false;
        return;
    }
    if (octet == '"')
        p->is_in_quotes = !p->is_in_quotes;
    p->line_len++;
}

static bool ends_line(const struct path *p, char octet)
{
    return !p->is_in_quotes && (octet == '\r' || octet == '\n' || octet == '\0');
}

/* CR LF, CR and LF all count as one line end; of a pair the second octet adds nothing. */
static size_t rewrite(struct path *p, char octet, char out[2])
{
    bool is_second = p->is_after_cr && octet == '\n';
    p->is_after_cr = octet == '\r';
    out[0] = octet;
    bool is_passed = !p->is_in_quotes && !p->is_everywhere;
    if (p->newline == PATH_AS_IS || is_passed || (octet != '\r' && octet != '\n'))
        return 1;
    if (is_second) {
        if (p->newline == PATH_CRLF)
            p->newline_fired--; /* the pair was one already */
        else
            p->newline_fired++;
        return 0;
    }

    size_t n = p->newline == PATH_CRLF ? 2 : 1;
    out[0] = p->newline == PATH_LF ? '\n' : '\r';
    out[1] = '\n';
    p->newline_fired += n == 2 || out[0] != octet;
    return n;
}

/* One octet that is in the line, through what may lose or change it. */
static size_t lose(struct path *p, struct rng *rng, char octet, char out[2])
{
    if (p->cut > 0 && p->line_len > p->cut) {
        p->cut_fired++;
        return 0;
    }
    if (rng_hit(rng, p->drop)) {
        p->drop_fired++;
        return 0;
    }
    out[0] = octet;
    if (rng_hit(rng, p->garble)) {
        out[0] = (char)((unsigned char)octet ^ (1u << rng_below(rng, 7)));
        p->garble_fired++;
    }
    if (!rng_hit(rng, p->dup))
        return 1;
    out[1] = out[0];
    p->dup_fired++;
    return 2;
}

size_t sim_path_pass(struct path *p, struct rng *rng, char octet, char out[PATH_OUT_MAX])
{
    char line[2];
    size_t n = rewrite(p, octet, line), made = 0;
    bool is_end = ends_line(p, octet);

    for (size_t i = 0; i < n; i++) {
        track(p, line[i]);
        made += lose(p, rng, line[i], out + made);
    }
    if (is_end)
        p->line_len = 0;
    return made;
}
