#include "cmd/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_SIZE     512
#define COLUMNS_USUAL 80
#define BAR_WIDTH     40
#define NAME_LEAST    12

/* Octets as columns: a name with other letters than ASCII's only makes the line shorter than it might be. */
size_t progress_compose(char *out, size_t out_size, unsigned columns, const char *file, uint64_t done,
                        uint64_t size, uint64_t rows)
{
    char bar[BAR_WIDTH + 4] = "", count[64];
    size_t room = columns < out_size ? columns : out_size - 1, name = strlen(file);
    uint64_t shown = done < size ? done : size; /* the file may have grown since */
    size_t filled = size > 0 ? (size_t)(BAR_WIDTH * shown / size) : 0;

    if (size > 0) {
        snprintf(count, sizeof(count), "%d %%, %" PRIu64 " rows", (int)(100 * shown / size), rows);
        memset(bar, ' ', BAR_WIDTH + 3);
        memset(bar + 1, '#', filled);
        bar[0] = '[';
        bar[BAR_WIDTH + 1] = ']';
    } else {
        snprintf(count, sizeof(count), "%" PRIu64 " rows", rows);
    }
    size_t rest = strlen(count) + 2;
    if (rest + strlen(bar) + (name < NAME_LEAST ? name : NAME_LEAST) > room) {
        bar[0] = '\0';
    }
    rest += strlen(bar);
    size_t left = room > rest ? room - rest : 0;
    const char *ellipsis = name > left && left > 3 ? "..." : "";
    size_t kept = name > left ? left - strlen(ellipsis) : name;
    int n = snprintf(out, out_size, "%s%s: %s%s", ellipsis, file + (name - kept), bar, count);
    return n > 0 ? (size_t)n : 0;
}

void progress_show(const char *file, uint64_t done, uint64_t size, uint64_t rows)
{
    char line[LINE_SIZE];
    struct winsize window = {0};
    unsigned columns =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col : COLUMNS_USUAL;

    (void)progress_compose(line, sizeof(line), columns - 1, file, done, size, rows);
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

void progress_clear(void)
{
    fputs("\r\033[K", stderr);
}
