#include "cmd/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

#define PASSWORD_MAX ((size_t)1024)

/* One command a process. */
static char *memory; /* secret; NULL: none is known */
static size_t length;
static bool was_asked;

/* The first line of a descriptor into memory. */
static int read_line(int fd)
{
    memory = secret_alloc(PASSWORD_MAX);
    if (memory == NULL) {
        return -ENOMEM;
    }
    while (length < PASSWORD_MAX) {
        ssize_t n = read(fd, memory + length, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || memory[length] == '\n') {
            return n < 0 ? -errno : 0;
        }
        length++;
    }
    return -EMSGSIZE;
}

int password_set_up(const char *fd_text)
{
    if (fd_text == NULL) {
        return 0;
    }
    char *end;
    long fd = strtol(fd_text, &end, 10);
    int rc = *fd_text == '\0' || *end != '\0' || fd < 0 || fd > 1000000 ? -EINVAL : read_line((int)fd);
    if (rc < 0) {
        fprintf(stderr, "certlined: no password can be read from descriptor %s: %s\n", fd_text,
                strerror(-rc));
    }
    return rc;
}

static void ask(const char *what)
{
    struct termios before, silent;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    was_asked = true;
    if (tty < 0 || tcgetattr(tty, &before) != 0) {
        if (tty >= 0) {
            close(tty);
        }
        return;
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    dprintf(tty, "Password of %s: ", what);
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    if (read_line(tty) != 0) {
        password_forget();
    }
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    dprintf(tty, "\n");
    close(tty);
}

bool password_get(struct span *ret, const char *what)
{
    if (memory == NULL && !was_asked) {
        ask(what);
    }
    *ret = span_of(memory, length);
    return memory != NULL;
}

void password_forget(void)
{
    secret_free(memory);
    memory = NULL;
    length = 0;
}
