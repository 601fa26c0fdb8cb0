/*
 * Recorded modem answers, and answers made by a simulated board on demand, for tests of what the daemon reads
 * from them.
 *
 * Recordings do not belong to the project: they are looked for in the folder that CERTLINE_VECTORS names, or
 * in
 * ../shared/vectors from the project's root. A test that finds none is skipped.
 */
#ifndef CERTLINE_TESTS_KEYGENKIT_H
#define CERTLINE_TESTS_KEYGENKIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "sim/board.h"

/* Reads a recording without its line end. False: there is none. */
bool keygenkit_vector(const char *name, char *out, size_t size);

/* A board of this family that is booted and answers; *now_us is its clock. */
struct simboard *keygenkit_board(enum sim_family family, int64_t *now_us);

/* Sends a command and gives the text between the quotes of the line that begins with `prefix`; with a NULL
 * prefix only runs it. False when the board does not answer so. */
bool keygenkit_ask(struct simboard *board, int64_t *now_us, const char *command, const char *prefix,
                   char *out, size_t size);

/* Whether the certificate (DER) is for this public key (PEM). */
bool keygenkit_is_key_of(struct span cert_der, const char *public_pem);

#endif
