/*
 * AT#IDENT: who the board is, in one exchange. Lines "#IDENT: <word>,<value>", the value up to the line's
 * end; what the modem does not know is left out. Words: firmware, hardware, line_max, transfer (protocol,
 * content_max, frame_max), modem, model, soc, imei, uuid, supply_mv.
 */
#ifndef CERTLINE_CORE_IDENT_H
#define CERTLINE_CORE_IDENT_H

#include "core/core.h"

/* The modem must be free. Asks it one thing after the other, then answers. */
void ident_begin(struct core *core);

/* n octets of an answer stand in core->modem_reply. */
void ident_answered(struct core *core, size_t n);

#endif
