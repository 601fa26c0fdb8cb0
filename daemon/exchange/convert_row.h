/* What the converters share. Nobody outside of this folder includes it. */
#ifndef CERTLINE_EXCHANGE_CONVERT_ROW_H
#define CERTLINE_EXCHANGE_CONVERT_ROW_H

#include "exchange/convert.h"

struct json;

/* Completes a row and gives it on. Takes `row` over; NULL counts as no memory. */
int convert_give(const struct convert_config *config, uint32_t number, struct json *row);

#endif
