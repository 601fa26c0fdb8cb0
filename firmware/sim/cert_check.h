/* The check behind +CME ERROR: 527. */
#ifndef CERTLINE_SIM_CERT_CHECK_H
#define CERTLINE_SIM_CERT_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* True if the content is one PEM certificate or several in a row. OpenSSL allocates and frees within. */
bool sim_cert_check(const char *content, size_t len);

#endif
