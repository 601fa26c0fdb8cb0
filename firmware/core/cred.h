/* AT#CRED: the lines of the checked transfer. What they mean to the host stands in firmware/README.md. */
#ifndef CERTLINE_CORE_CRED_H
#define CERTLINE_CORE_CRED_H

#include "core/core.h"

/* `at`: what stands behind "AT#CRED=". Answers, or leaves core->state in one that will. */
void cred_line(struct core *core, const char *at, size_t n);

/* The answer of a burst that ended without a line: what is missing. */
void cred_burst_ended(struct core *core);

/* The modem has ended a write; n octets of answer stand in core->modem_reply. A commit that waits for it goes
 * on. */
void cred_written(struct core *core, size_t n);

#endif
