/* Names of front ends and what they have in common. */
#include "sim/front.h"

#include <stdlib.h>
#include <string.h>

#include "sim/board_impl.h"

static const struct front_vtable *const vtables[] = {
    [SIM_FRONT_AT_HOST] = &front_at_host, [SIM_FRONT_SERIAL_MODEM] = &front_serial_modem,
    [SIM_FRONT_SLM] = &front_slm,         [SIM_FRONT_SLM_TLS] = &front_slm_tls,
    [SIM_FRONT_SHELL] = &front_shell,     [SIM_FRONT_CERTLINE] = &front_certline,
};

static const struct {
    const char *name;
    enum sim_front front;
    enum sim_terminator term;
} names[] = {
    {"at_host", SIM_FRONT_AT_HOST, SIM_TERM_CR},
    {"at_host:cr", SIM_FRONT_AT_HOST, SIM_TERM_CR},
    {"at_host:lf", SIM_FRONT_AT_HOST, SIM_TERM_LF},
    {"at_host:crlf", SIM_FRONT_AT_HOST, SIM_TERM_CRLF},
    {"at_host:nul", SIM_FRONT_AT_HOST, SIM_TERM_NUL},
    {"serial_modem", SIM_FRONT_SERIAL_MODEM, SIM_TERM_CR},
    {"serial_modem:lf", SIM_FRONT_SERIAL_MODEM, SIM_TERM_LF},
    {"serial_modem:crlf", SIM_FRONT_SERIAL_MODEM, SIM_TERM_CRLF},
    {"slm", SIM_FRONT_SLM, SIM_TERM_CRLF},
    {"slm:cr", SIM_FRONT_SLM, SIM_TERM_CR},
    {"slm:lf", SIM_FRONT_SLM, SIM_TERM_LF},
    {"slm:native_tls", SIM_FRONT_SLM_TLS, SIM_TERM_CRLF},
    {"shell", SIM_FRONT_SHELL, SIM_TERM_CR},
    {"certline", SIM_FRONT_CERTLINE, SIM_TERM_CR},
};

int sim_front_parse(const char *name, enum sim_front *ret_front, enum sim_terminator *ret_term)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *ret_front = names[i].front;
            *ret_term = names[i].term;
            return 0;
        }
    }
    return -1;
}

int front_init(struct front *f, struct simboard *b)
{
    *f =
        (struct front){.vt = vtables[b->config.front], .board = b, .config = &b->config, .family = b->family};
    if (f->vt->own_size == 0)
        return 0;
    f->own = calloc(1, f->vt->own_size);
    return f->own ? 0 : -1;
}

void front_done(struct front *f)
{
    free(f->own);
}

void front_say(struct front *f, const char *text)
{
    front_notice(f, text, strlen(text));
}
