#include "api/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
};

/* Digits only, 0 to 65535, nothing behind. */
static bool read_port(const char *text, uint16_t *ret)
{
    long value = 0;

    if (*text == '\0' || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    value = strtol(text, NULL, 10);
    *ret = (uint16_t)value;
    return value <= UINT16_MAX;
}

static int read_address(const char *address, struct place *place, struct err_info *reterr)
{
    const char *colon = strrchr(address, ':');
    char host[64];
    uint16_t port;

    if (colon == NULL || (size_t)(colon - address) >= sizeof(host) || !read_port(colon + 1, &port)) {
        return err_set(reterr, ERR_FORMAT, "%s is no address with a port, like 127.0.0.1:8080 or [::1]:8080",
                       address);
    }
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';

    *place = (struct place){0};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &place->v4.sin_addr) == 1) {
        place->v4.sin_family = AF_INET;
        place->v4.sin_port = htons(port);
        place->len = sizeof(place->v4);
        if (place->v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            return 0;
        }
    } else if (strcmp(host, "[::1]") == 0) {
        place->v6.sin6_family = AF_INET6;
        place->v6.sin6_addr = in6addr_loopback;
        place->v6.sin6_port = htons(port);
        place->len = sizeof(place->v6);
        return 0;
    }
    return err_set(
        reterr, ERR_REFUSED,
        "cannot listen on %s: without TLS and tokens only 127.0.0.1, [::1] and localhost are allowed, since "
        "whoever reaches the port may command the station",
        address);
}

static int bound_port(int fd, uint16_t *ret_port)
{
    struct place place = {.len = sizeof(struct sockaddr_in6)};

    if (getsockname(fd, &place.any, &place.len) < 0) {
        return -errno;
    }
    *ret_port = ntohs(place.any.sa_family == AF_INET6 ? place.v6.sin6_port : place.v4.sin_port);
    return 0;
}

int listen_tcp(const char *address, uint16_t *ret_port, struct err_info *reterr)
{
    struct place place;
    int one = 1;

    int rc = read_address(address, &place, reterr);
    if (rc < 0) {
        return rc;
    }
    int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_set(reterr, -errno, "cannot make a socket for %s: %s", address, strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, &place.any, place.len) < 0 || listen(fd, BACKLOG) < 0) {
        rc = err_set(reterr, -errno, "cannot listen on %s: %s%s", address, strerror(errno),
                     errno == EADDRINUSE ? "; sudo ss -ltnp names the program that has it" : "");
    } else {
        rc = bound_port(fd, ret_port);
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int listen_given(int fd, uint16_t *ret_port, bool *ret_is_local, struct err_info *reterr)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } place;
    socklen_t len = sizeof(place);

    if (getsockname(fd, &place.any, &len) < 0) {
        return err_set(reterr, -errno, "a socket that was handed over cannot be looked at: %s",
                       strerror(errno));
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
        return err_set(reterr, -errno, "a socket that was handed over blocks: %s", strerror(errno));
    }
    *ret_is_local = place.any.sa_family == AF_UNIX;
    *ret_port = 0;
    if (*ret_is_local) {
        return 0;
    }
    if (place.any.sa_family == AF_INET && place.v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
        *ret_port = ntohs(place.v4.sin_port);
        return 0;
    }
    if (place.any.sa_family == AF_INET6 &&
        memcmp(&place.v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback)) == 0) {
        *ret_port = ntohs(place.v6.sin6_port);
        return 0;
    }
    return err_set(
        reterr, ERR_REFUSED,
        "a socket that was handed over is not bound to 127.0.0.1 or [::1]: without TLS and tokens no "
        "other address is served, since whoever reaches the port may command the station");
}

static int remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    return unlink(path) < 0 ? -errno : 0;
}

int listen_unix(const char *path, struct err_info *reterr)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(place.sun_path)) {
        return err_set(reterr, -ENAMETOOLONG, "%s is too long for a socket", path);
    }
    memcpy(place.sun_path, path, strlen(path) + 1);
    int rc = remove_stale(path);
    if (rc < 0) {
        return err_set(reterr, rc, "cannot make room for the socket %s: %s", path, strerror(-rc));
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_set(reterr, -errno, "cannot make a socket: %s", strerror(errno));
    }

    /* The mode before bind keeps the moment until chmod closed to others; the mask may take more away than we
     * want. */
    if (fchmod(fd, 0660) < 0 || bind(fd, (const struct sockaddr *)&place, sizeof(place)) < 0 ||
        chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0) {
        rc = err_set(reterr, -errno, "cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return rc;
    }
    return fd;
}
