/* See rigcheck.h. Printed with stdio: cmocka's own printing ends after a kilobyte. */
#include "support/rigcheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void assert_verdict(const struct rig *rig, enum outcome outcome, enum reason reason)
{
    const struct verdict *v = &rig->job.verdict;
    if (v->outcome != outcome || v->reason != reason) {
        fprintf(stderr, "verdict %s %s (%s), wanted %s %s\n%s", outcome_name(v->outcome),
                reason_text(v->reason)->name, v->detail, outcome_name(outcome), reason_text(reason)->name,
                rig->dialogue);
        fail();
    }
    assert_int_equal(rig->records, 1);
    assert_null(strstr(rig->dialogue, "RealOneBut"));
    for (uint32_t i = 0; i < rig->recorded.n_commands; i++) {
        const char *signature = rig->recorded.commands[i].signature;
        assert_true(signature[0] == '\0' || strstr(rig->dialogue, signature) == NULL);
    }
}

void assert_says(const struct rig *rig, const char *text)
{
    if (!strstr(rig->dialogue, text)) {
        fprintf(stderr, "no '%s' in\n%s", text, rig->dialogue);
        fail();
    }
}

unsigned count_words(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)) != NULL; text++) {
        n++;
    }
    return n;
}
