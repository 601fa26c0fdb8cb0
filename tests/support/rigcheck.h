/*
 * What tests of a job ask of a rig when it has run. Each fails the test, and prints the dialogue.
 */
#ifndef CERTLINE_TESTS_RIGCHECK_H
#define CERTLINE_TESTS_RIGCHECK_H

#include "support/rig.h"

/* Recorded once, with this verdict; neither the rig's private key nor a signature stands in the dialogue. */
void assert_verdict(const struct rig *rig, enum outcome outcome, enum reason reason);

void assert_says(const struct rig *rig, const char *text);

/* How often `word` stands in `text`. */
unsigned count_words(const char *text, const char *word);

#endif
