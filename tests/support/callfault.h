/*
 * System calls that fail. A program that includes this has its C library's calls interposed, those of the
 * libraries that it is linked with among them: while a thread asks for it, the k-th call of one kind fails
 * with an error of our choice, and is not made. CMake links it into such programs alone.
 *
 * A sweep tells stories: in each the k-th call of each kind fails once, with each of the errors that fit it.
 * "story:call:error:k" repeats one case, "all" takes all of them.
 */
#ifndef CERTLINE_TESTS_CALLFAULT_H
#define CERTLINE_TESTS_CALLFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/sweep.h"

/* What this thread calls counts from here on, or does not. Returns how it was before. */
bool callfault_switch(bool is_on);

/* Nothing fails any more. */
void callfault_stop(void);

/* Ends the test with the case's id. */
void callfault_blame(const char *what, const char *detail) __attribute__((noreturn));

/* Something failed, and said why. Not a word, nothing that was made to fail, or that it fails again and again
 * (`*failures` counts them) ends the test. This thread's calls do not count afterwards. */
void callfault_note(const char *what, const char *why, unsigned *failures);

/* How many descriptors are open that lead to a path with this beginning ("": to anything), for a comparison.
 */
unsigned callfault_descriptors(const char *beginning);

struct callfault_story {
    const char *name;
    void (*live)(void);
    bool is_timed; /* how often it calls is a matter of the machine's load: a case may not be reached */
};

struct callfault_sweep {
    const struct callfault_story *stories;
    size_t n;
    CMFixtureFunction set_up, tear_down;
};

/* As sweep_main. The sweep is borrowed for the call. */
int callfault_main(int argc, char **argv, const struct callfault_sweep *sweep);

#endif
