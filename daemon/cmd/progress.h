/* One line on a terminal that is written again and again: how far a file is. */
#ifndef CERTLINE_CMD_PROGRESS_H
#define CERTLINE_CMD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * "FILE: [####    ] 50 %, 1000 rows": a bar where `size` is known (not 0), the number of rows in any case.
 * Never wider than `columns`, so that it stays one line: first the bar goes, then the beginning of the file's
 * name. Returns the length.
 */
size_t progress_compose(char *out, size_t out_size, unsigned columns, const char *file, uint64_t done,
                        uint64_t size, uint64_t rows);

/* The same onto standard error, over what was there. */
void progress_show(const char *file, uint64_t done, uint64_t size, uint64_t rows);

/* Takes the line away. */
void progress_clear(void);

#endif
