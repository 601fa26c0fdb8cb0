/*
 * The kernel's events are hints: a queue can overflow, two changes can fold into one, and a folder can be
 * made and filled before a watch on it exists. So each hint leads to a look at the path, and only the
 * difference between two looks is told. A hint that names a file costs one look; everything else (overflow, a
 * folder that appeared or went) costs one scan.
 *
 * Order within a scan: first the watch on the folder, then the folder's content; what comes in between is
 * seen by both, and the second look finds no difference.
 *
 * What cannot be watched, read or remembered now may be so in a while: nothing else would tell us, so it is
 * tried again, after 10 ms at first and every 10 s in the end, and said once until it comes right.
 *
 * What makes a board another one is in `struct identity`. Change times are left out on purpose: udev touches
 * a by-path link that it keeps, and taking that for a new board would end the job of the one that is there. A
 * link's birth time is kept where the file system has it, since some hand a freed inode number out again at
 * once.
 */
#include "io/hotplug.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/hotplug_usb.h"

#define HINTS                                                                                                \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define WILDCARDS    "*?["
#define RETRY_MIN_US (10 * US_PER_MS)
#define RETRY_MAX_US (10 * US_PER_S)

/* Of the path itself (perhaps a link) and of the device that it leads to. Compared octet by octet: starts as
 * zeros. */
struct identity {
    uint64_t link_device, link_inode;
    int64_t link_born_ns;
    uint64_t target_device, target_inode;
};

/* One path that exists. */
struct seen {
    struct hotplug_port port;
    struct identity id;
};

struct watch {
    uint32_t number;
    char folder[PORT_PATH_SIZE];   /* without a slash at its end, so empty for "/" */
    char pattern[PORT_PATH_SIZE];  /* of the last component; literal when the name is given */
    char name[HOTPLUG_NAME_SIZE];  /* the slot's, of a fixed path; empty for a glob */
    size_t prefix_len, suffix_len; /* of a glob: what stands before and after its wildcards */
    int wd;                        /* -1: nothing is watched */
    bool is_at_folder;             /* false: wd is an ancestor, since the folder does not exist */
    bool is_stale;                 /* to be scanned when the hints of this turn are read */
    bool is_blind;                 /* something of it is not seen: said, and tried again */
    struct seen **seen;            /* sorted by file name */
    size_t n_seen, room;
};

struct hotplug {
    struct loop *loop;
    const struct hotplug_events *events;
    void *ctx;
    int fd; /* inotify */
    struct loop_fd source;
    struct loop_timer retry; /* set while a watch is blind */
    int64_t retry_us;
    unsigned n_blinded; /* how often a watch was found so */
    struct watch **watches;
    uint32_t n_watches;
    uint32_t next_number;
    struct hotplug_usb *usb; /* NULL until the first slot by USB: a line without any needs no udev */
};

/* The C library would speak of a disk. */
static const char *text_of(int error)
{
    return error == -ENOSPC ? "no watch is left (fs.inotify.max_user_watches)" : err_text(error);
}

/* What may be otherwise in a while. */
static void fail_for_now(struct hotplug *h, struct watch *w, int error, const char *what, const char *path)
{
    if (!w->is_blind) {
        struct err_info why = {0};
        err_set(&why, error, "%s %s for now: %s", path, what, text_of(error));
        h->events->failed(h->ctx, &why);
    }
    w->is_blind = true;
    h->n_blinded++;
    if (!h->retry.link.next) {
        loop_timer_set(h->loop, &h->retry, loop_now_us(h->loop) + h->retry_us);
    }
}

/* --- names
 * ---------------------------------------------------------------------------------------------------------
 */

static const char *file_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* Numbers within names compare as numbers, so that slot9 comes before slot10. */
static int compare_names(const char *a, const char *b)
{
    int r = strverscmp(a, b);
    return r != 0 ? r : strcmp(a, b);
}

static bool matches(const struct watch *w, const char *file)
{
    return w->name[0] ? strcmp(file, w->pattern) == 0 : fnmatch(w->pattern, file, FNM_PERIOD) == 0;
}

/* The slot's name for a file that matches, or false when it is too long. */
static bool name_slot(const struct watch *w, const char *file, char out[HOTPLUG_NAME_SIZE])
{
    struct span text = span_str(w->name[0] ? w->name : file);
    if (!w->name[0] && text.len > w->prefix_len + w->suffix_len) {
        text = span_of(text.at + w->prefix_len, text.len - w->prefix_len - w->suffix_len);
    }
    if (text.len >= HOTPLUG_NAME_SIZE) {
        return false;
    }
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

/* --- one path
 * ------------------------------------------------------------------------------------------------------ */

/* Fills what is known of the path now. False: there is no device. */
static bool probe(const char *path, char device[PORT_PATH_SIZE], struct identity *id)
{
    char target[PATH_MAX];
    struct statx link;
    struct stat st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &link) < 0 ||
        !realpath(path, target) || stat(target, &st) < 0 || !S_ISCHR(st.st_mode) ||
        strlen(target) >= PORT_PATH_SIZE) {
        return false;
    }
    strcpy(device, target);
    memset(id, 0, sizeof(*id));
    id->link_device = (uint64_t)link.stx_dev_major << 32 | link.stx_dev_minor;
    id->link_inode = link.stx_ino;
    if (link.stx_mask & STATX_BTIME) {
        id->link_born_ns = link.stx_btime.tv_sec * INT64_C(1000000000) + link.stx_btime.tv_nsec;
    }
    id->target_device = st.st_dev;
    id->target_inode = st.st_ino;
    return true;
}

/* Where `file` is, or would be. */
static size_t find_place(const struct watch *w, const char *file, bool *ret_found)
{
    size_t low = 0, high = w->n_seen;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(file_name(w->seen[middle]->port.path), file) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = low < w->n_seen && strcmp(file_name(w->seen[low]->port.path), file) == 0;
    return low;
}

static bool make_room(struct watch *w)
{
    if (w->n_seen < w->room) {
        return true;
    }
    size_t room = w->room ? w->room * 2 : 16;
    struct seen **seen = realloc(w->seen, room * sizeof(*seen));
    if (!seen) {
        return false;
    }
    w->seen = seen;
    w->room = room;
    return true;
}

static void forget(struct hotplug *h, struct watch *w, size_t place)
{
    struct seen *gone = w->seen[place];
    w->n_seen--;
    memmove(&w->seen[place], &w->seen[place + 1], (w->n_seen - place) * sizeof(struct seen *));
    h->events->left(h->ctx, &gone->port);
    free(gone);
}

/* `now` is what was probed; it is copied. */
static void remember(struct hotplug *h, struct watch *w, size_t place, const struct seen *now)
{
    struct seen *fresh = malloc(sizeof(*fresh));
    if (!fresh || !make_room(w)) {
        free(fresh);
        fail_for_now(h, w, -ENOMEM, "cannot be remembered", now->port.path);
        return;
    }
    *fresh = *now;
    hotplug_usb_describe(&fresh->port);
    memmove(&w->seen[place + 1], &w->seen[place], (w->n_seen - place) * sizeof(struct seen *));
    w->seen[place] = fresh;
    w->n_seen++;
    h->events->arrived(h->ctx, &fresh->port);
}

/* Compares a path with what it was and tells the difference. */
static void look(struct hotplug *h, struct watch *w, const char *file)
{
    struct seen now = {.port.watch = w->number};
    bool was_there;
    size_t place = find_place(w, file, &was_there);
    int len = snprintf(now.port.path, sizeof(now.port.path), "%s/%s", w->folder, file);
    if (len >= (int)sizeof(now.port.path) || !name_slot(w, file, now.port.name)) {
        struct err_info why = {0};
        err_set(&why, ERR_RANGE, "%s has too long a name for a slot", file);
        h->events->failed(h->ctx, &why);
        return;
    }
    bool is_there = probe(now.port.path, now.port.device, &now.id);
    if (was_there && (!is_there || memcmp(&w->seen[place]->id, &now.id, sizeof(now.id)) != 0)) {
        forget(h, w, place);
        was_there = false;
    }
    if (is_there && !was_there) {
        remember(h, w, place, &now);
    }
}

/* --- folders
 * ------------------------------------------------------------------------------------------------------- */

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return compare_names((*a)->d_name, (*b)->d_name);
}

static void look_if_new(struct hotplug *h, struct watch *w, const char *file)
{
    bool is_known;
    find_place(w, file, &is_known);
    if (!is_known && matches(w, file)) {
        look(h, w, file);
    }
}

static void scan_folder(struct hotplug *h, struct watch *w)
{
    struct dirent **entries;
    int n = scandir(w->folder[0] ? w->folder : "/", &entries, NULL, compare_entries);
    if (n < 0) {
        if (errno != ENOENT) { /* gone again: its going is a hint as well */
            fail_for_now(h, w, -errno, "cannot be read", w->folder);
        }
        return;
    }
    for (int i = 0; i < n; i++) {
        look_if_new(h, w, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* First those that are known, then what is new. */
static void scan(struct hotplug *h, struct watch *w)
{
    for (size_t i = 0; i < w->n_seen;) {
        char file[PORT_PATH_SIZE];
        strcpy(file, file_name(w->seen[i]->port.path));
        size_t before = w->n_seen;
        look(h, w, file);
        i += w->n_seen == before ? 1 : 0;
    }
    if (w->name[0]) {
        look_if_new(h, w, w->pattern);
    } else if (w->is_at_folder) {
        scan_folder(h, w);
    }
}

/* The watch on the folder, or on the nearest ancestor that exists. Writes the path; returns wd or a negative
 * errno. */
static int watch_nearest(struct hotplug *h, const char *folder, char path[PORT_PATH_SIZE])
{
    strcpy(path, folder);
    for (;;) {
        int wd = inotify_add_watch(h->fd, path[0] ? path : "/", HINTS);
        if (wd >= 0 || (errno != ENOENT && errno != ENOTDIR) || !path[0]) {
            return wd >= 0 ? wd : -errno;
        }
        *strrchr(path, '/') = '\0';
    }
}

/* Watches of one folder share the kernel's. */
static void unwatch(struct hotplug *h, int wd)
{
    for (uint32_t i = 0; i < h->n_watches; i++) {
        if (wd < 0 || h->watches[i]->wd == wd) {
            return;
        }
    }
    inotify_rm_watch(h->fd, wd); /* fails when the folder is gone, and the watch with it */
}

/* Again until two walks end at one place: a folder made behind the first walk is found by the second, and one
 * made later is a hint from the place that is watched by then. */
static void settle(struct hotplug *h, struct watch *w)
{
    char path[PORT_PATH_SIZE];
    int before;
    do {
        before = w->wd;
        w->wd = watch_nearest(h, w->folder, path);
        if (w->wd != before) {
            unwatch(h, before);
        }
    } while (w->wd >= 0 && w->wd != before);
    if (w->wd < 0) {
        fail_for_now(h, w, w->wd, "cannot be watched", w->folder);
        w->wd = -1;
    }
    w->is_at_folder = strcmp(path, w->folder) == 0; /* without a watch it is read now and then */
}

static void refresh(struct hotplug *h, struct watch *w)
{
    unsigned before = h->n_blinded;
    w->is_stale = false;
    settle(h, w);
    scan(h, w);
    w->is_blind = w->is_blind && h->n_blinded != before;
}

static void on_retry(void *ctx)
{
    struct hotplug *h = ctx;
    h->retry_us = time_min(h->retry_us * 2, RETRY_MAX_US); /* for those that fail again */
    (void)loop_fd_set(&h->source, LOOP_READ);
    for (uint32_t i = 0; i < h->n_watches; i++) {
        if (h->watches[i]->is_blind) {
            refresh(h, h->watches[i]);
        }
    }
    if (!h->retry.link.next) {
        h->retry_us = RETRY_MIN_US;
    }
}

/* --- hints
 * ---------------------------------------------------------------------------------------------------------
 */

static void take_hint(struct hotplug *h, struct watch *w, const struct inotify_event *hint)
{
    if (hint->mask & IN_Q_OVERFLOW) {
        w->is_stale = true;
    } else if (hint->wd != w->wd) {
        return;
    } else if (hint->len == 0 || !w->is_at_folder) {
        w->is_stale =
            true; /* the folder itself went (IN_IGNORED included), or the way to it may have grown */
    } else if (matches(w, hint->name)) {
        look(h, w, hint->name);
    }
}

/* What the kernel had to say is unknown, so each watch is looked at; later, since reading would fail at once
 * again. */
static void turn_deaf(struct hotplug *h, int error)
{
    (void)loop_fd_set(&h->source, 0);
    for (uint32_t i = 0; i < h->n_watches; i++) {
        fail_for_now(h, h->watches[i], error, "is not heard of", h->watches[i]->folder);
    }
}

/* One buffer a turn. */
static void on_hints(void *ctx, unsigned ready)
{
    (void)ready;
    struct hotplug *h = ctx;
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t n = read(h->fd, buffer, sizeof(buffer));
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        turn_deaf(h, -errno);
    }
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *hint = (const void *)(buffer + at);
        for (uint32_t i = 0; i < h->n_watches; i++) {
            take_hint(h, h->watches[i], hint);
        }
        at += (ssize_t)(sizeof(*hint) + hint->len);
    }
    for (uint32_t i = 0; i < h->n_watches; i++) {
        if (h->watches[i]->is_stale) {
            refresh(h, h->watches[i]);
        }
    }
}

void hotplug_rescan(struct hotplug *h)
{
    for (uint32_t i = 0; i < h->n_watches; i++) {
        refresh(h, h->watches[i]);
    }
    if (h->usb) {
        hotplug_usb_rescan(h->usb);
    }
}

/* --- life
 * ----------------------------------------------------------------------------------------------------------
 */

struct hotplug *hotplug_new(struct loop *loop, const struct hotplug_events *events, void *ctx,
                            struct err_info *reterr)
{
    struct hotplug *h = calloc(1, sizeof(*h));
    if (!h) {
        err_set(reterr, -ENOMEM, "no memory for watching ports");
        return NULL;
    }
    *h = (struct hotplug){.loop = loop,
                          .events = events,
                          .ctx = ctx,
                          .retry = {.fn = on_retry, .ctx = h},
                          .retry_us = RETRY_MIN_US};
    h->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = h->fd < 0 ? -errno : loop_fd_add(loop, &h->source, h->fd, LOOP_READ, on_hints, h);
    if (r < 0) {
        err_set(reterr, r, "inotify is not to be had: %s",
                r == -EMFILE ? "no descriptor is left, or no instance (fs.inotify.max_user_instances)"
                             : err_text(r));
        hotplug_free(h);
        return NULL;
    }
    return h;
}

static void free_watch(struct watch *w)
{
    for (size_t i = 0; i < w->n_seen; i++) {
        free(w->seen[i]);
    }
    free(w->seen);
    free(w);
}

void hotplug_free(struct hotplug *h)
{
    if (!h) {
        return;
    }
    loop_timer_cancel(&h->retry);
    loop_fd_remove(&h->source);
    hotplug_usb_free(h->usb);
    for (uint32_t i = 0; i < h->n_watches; i++) {
        free_watch(h->watches[i]);
    }
    free(h->watches);
    if (h->fd >= 0) {
        close(h->fd);
    }
    free(h);
}

/* Splits an absolute path at its last slash. */
static int set_path(struct watch *w, const char *path, struct err_info *reterr)
{
    const char *file = path[0] == '/' ? file_name(path) : "";
    if (!*file) {
        return err_set(reterr, ERR_FORMAT, "%s is not an absolute path of a port", path);
    }
    size_t folder_len = (size_t)(file - path) - 1;
    while (folder_len > 0 && path[folder_len - 1] == '/') {
        folder_len--;
    }
    if (strlen(path) >= PORT_PATH_SIZE) {
        return err_set(reterr, ERR_RANGE, "%s is longer than %d characters", path, PORT_PATH_SIZE - 1);
    }
    memcpy(w->folder, path, folder_len);
    strcpy(w->pattern, file);
    return 0;
}

/* A glob's wildcards must be in its last component, and not quoted: the name is what stands between the
 * literal ends. */
static int set_wildcards(struct watch *w, const char *pattern, struct err_info *reterr)
{
    const char *first = strpbrk(w->pattern, WILDCARDS);
    if (!first || strpbrk(w->folder, WILDCARDS) || strchr(pattern, '\\')) {
        return err_set(reterr, ERR_FORMAT, "%s needs a wildcard in its last part, and none before", pattern);
    }
    w->prefix_len = (size_t)(first - w->pattern);
    const char *last = w->pattern + strlen(w->pattern);
    while (!strchr(WILDCARDS "]", last[-1])) {
        last--;
    }
    w->suffix_len = strlen(last);
    return 0;
}

/* Takes the watch over, or frees it. */
static int add(struct hotplug *h, struct watch *w, int r, struct err_info *reterr)
{
    struct watch **watches = r < 0 ? NULL : realloc(h->watches, (h->n_watches + 1) * sizeof(struct watch *));
    if (!watches) {
        free(w);
        return r < 0 ? r : err_set(reterr, -ENOMEM, "no memory for watching ports");
    }
    h->watches = watches;
    w->number = h->next_number++;
    h->watches[h->n_watches++] = w;
    return (int)w->number;
}

static struct watch *new_watch(struct err_info *reterr)
{
    struct watch *w = calloc(1, sizeof(*w));
    if (!w) {
        err_set(reterr, -ENOMEM, "no memory for watching ports");
        return NULL;
    }
    w->wd = -1;
    return w;
}

int hotplug_add_glob(struct hotplug *h, const char *pattern, struct err_info *reterr)
{
    struct watch *w = new_watch(reterr);
    if (!w) {
        return -ENOMEM;
    }
    int r = set_path(w, pattern, reterr);
    if (r == 0) {
        r = set_wildcards(w, pattern, reterr);
    }
    return add(h, w, r, reterr);
}

int hotplug_add_path(struct hotplug *h, const char *path, const char *name, struct err_info *reterr)
{
    struct watch *w = new_watch(reterr);
    if (!w) {
        return -ENOMEM;
    }
    int r = set_path(w, path, reterr);
    if (r == 0 && (!*name || strlen(name) >= sizeof(w->name))) {
        r = err_set(reterr, ERR_RANGE, "%s needs a slot's name of 1 to %zu characters", path,
                    sizeof(w->name) - 1);
    }
    if (r == 0) {
        strcpy(w->name, name);
    }
    return add(h, w, r, reterr);
}

int hotplug_add_usb(struct hotplug *h, const char *usb, const char *name, struct err_info *reterr)
{
    if (!h->usb) {
        struct err_info why = {0};
        h->usb = hotplug_usb_new(h->loop, h->events, h->ctx, &why);
        if (!h->usb) {
            return err_set(reterr, why.code, "%s", why.text);
        }
    }
    int r = hotplug_usb_add(h->usb, h->next_number, usb, name, reterr);
    return r < 0 ? r : (int)h->next_number++;
}
