/* What lies on the disk: the state directory, its database and mark, keys, space; and the clock, which the
 * record bounds. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/doctor.h"
#include "config.h"
#include "pki/pem.h"
#include "pki/seal.h"
#include "pki/x509.h"
#include "store/inspect.h"

#define MIB           ((uint64_t)1024 * 1024)
#define DISK_LEAST    (64 * MIB) /* a day of a busy rack */
#define DISK_LITTLE   (1024 * MIB)
#define CA_SOON_S     ((int64_t)30 * 24 * 3600)
#define CERT_FILE_MAX ((size_t)64 * 1024)

static const char ask_root[] = "sudo certlined doctor sees all of it";

static const char *owner_of(const struct stat *st, char *memory, size_t size)
{
    const struct passwd *user = getpwuid(st->st_uid);
    const struct group *group = getgrgid(st->st_gid);
    snprintf(memory, size, "%s:%s %04o", user ? user->pw_name : "?", group ? group->gr_name : "?",
             (unsigned)(st->st_mode & 07777));
    return memory;
}

/* ---- the state directory */

/* A file that root's hands made or restored, in a folder that is the service's. NULL: there is none. */
static const char *find_foreign(const struct doctor *d, char *memory, size_t size)
{
    static const char *const names[] = {STORE_DB_NAME, STORE_DB_NAME "-wal", STORE_DB_NAME "-shm", MARK_NAME,
                                        "lock"};
    struct stat st;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(memory, size, "%s/%s", d->config->state_dir, names[i]);
        if (stat(memory, &st) == 0 && st.st_uid != d->user.uid) {
            return memory;
        }
    }
    return NULL;
}

void doctor_check_state(struct doctor *d)
{
    const char *dir = d->config->state_dir;
    char owner[96], remedy[DOCTOR_TEXT_SIZE], file[4200];
    struct stat st;

    if (stat(dir, &st) < 0 && errno == ENOENT) {
        doctor_say(d, DOCTOR_NOTE, "The first start makes it.", "%s does not exist yet", dir);
        return;
    }
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
        doctor_say(d, DOCTOR_WRONG, "Give [station] state_dir a folder of its own.", "%s: %s", dir,
                   errno == 0 ? "no folder" : strerror(errno));
        return;
    }
    owner_of(&st, owner, sizeof(owner));
    snprintf(remedy, sizeof(remedy), "chown -R %s: %s; chmod 750 %s", DOCTOR_USER, dir, dir);
    if (d->user.is_other && st.st_uid != d->user.uid) {
        bool is_by_hand = st.st_uid == 0; /* a station that root runs by hand is no service */
        doctor_say(d, is_by_hand ? DOCTOR_NOTE : DOCTOR_WRONG, remedy, "%s is %s: the service cannot use it",
                   dir, owner);
    } else if (d->user.is_other && find_foreign(d, file, sizeof(file))) {
        doctor_say(d, DOCTOR_WRONG, remedy, "%s belongs to another user than %s: the service cannot use it",
                   file, d->user.name);
    } else if ((st.st_mode & 0007) != 0) {
        doctor_say(d, DOCTOR_WRONG, remedy, "%s is %s: anybody may look into it", dir, owner);
    } else if (!d->user.is_other && access(dir, W_OK) < 0) {
        doctor_say(d, DOCTOR_NOTE, ask_root, "%s is %s: not yours", dir, owner);
    } else {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s is %s", dir, owner);
    }
}

/* ---- keys */

static bool has_database(const struct doctor *d)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/" STORE_DB_NAME, d->config->state_dir);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

/* A file that only its owner may read; true when it is there and good. */
static bool check_secret_file(struct doctor *d, const char *path, const char *missing)
{
    char owner[96], remedy[DOCTOR_TEXT_SIZE];
    struct stat st;
    if (stat(path, &st) < 0) {
        bool is_hidden = errno == EACCES;
        doctor_say(d, is_hidden ? DOCTOR_NOTE : DOCTOR_WRONG, is_hidden ? ask_root : missing, "%s: %s", path,
                   strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0077) != 0) {
        snprintf(remedy, sizeof(remedy), "chmod 600 %s", path);
        doctor_say(d, DOCTOR_WRONG, remedy, "%s is %s: others may read it", path,
                   owner_of(&st, owner, sizeof(owner)));
        return false;
    }
    return true;
}

void doctor_check_key(struct doctor *d)
{
    const struct config *c = d->config;
    struct stat st;
    if (stat(c->key_file, &st) < 0 && errno == ENOENT && !has_database(d)) {
        doctor_say(d, DOCTOR_NOTE, "The first start makes it, if the folder is its own; back it up then.",
                   "%s does not exist yet", c->key_file);
        return;
    }
    if (!check_secret_file(d, c->key_file,
                           "Put its backup back: nothing else opens what is sealed in the database.")) {
        return;
    }
    if (c->key_module) {
        if (access(c->key_module, R_OK) < 0) {
            doctor_say(d, DOCTOR_WRONG, "Install the token's module, or correct [station] key_module.",
                       "%s: %s", c->key_module, strerror(errno));
        } else if (!c->key_pin_file || check_secret_file(d, c->key_pin_file, "Give the token's PIN there.")) {
            doctor_say(d, DOCTOR_GOOD, NULL, "%s, with token %s", c->key_file, c->key_token);
        }
    } else if (stat(c->key_file, &st) == 0 && st.st_size != SEAL_KEY_SIZE) {
        doctor_say(d, DOCTOR_WRONG, "Put its backup back.", "%s has %lld octets in place of %d", c->key_file,
                   (long long)st.st_size, SEAL_KEY_SIZE);
    } else {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s (is its backup apart from that of the database?)", c->key_file);
    }
}

static int read_certificate(const char *path, struct cert *ret, struct err_info *reterr)
{
    static char text[CERT_FILE_MAX];
    struct pem pem;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    int r = n < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    if (r < 0) {
        return err_set(reterr, r, "%s", err_text(r));
    }
    r = pem_parse(span_of(text, (size_t)n), &pem);
    if (r == 0 && pem.n_blocks == 0) {
        r = err_set(reterr, ERR_FORMAT, "no PEM");
    }
    r = r < 0 ? r : cert_parse(pem.blocks[0].der, ret, reterr);
    pem_done(&pem);
    return r;
}

void doctor_check_signer(struct doctor *d)
{
    const struct config_signer *s = &d->config->signer;
    struct cert cert;
    struct err_info why = {0};
    char until[CLOCK_RFC3339_SIZE];
    if (!s->is_there) {
        doctor_say(d, DOCTOR_GOOD, NULL, "none is configured: no product makes keys on its boards");
        return;
    }
    int r = read_certificate(s->certificate, &cert, &why);
    if (r < 0) {
        doctor_say(d, r == -EACCES ? DOCTOR_NOTE : DOCTOR_WRONG,
                   r == -EACCES ? ask_root : "certlined ca create makes a CA.", "%s: %s", s->certificate,
                   why.text);
        return;
    }
    int64_t left_s = cert.not_after_s - clock_system.wall_ms(&clock_system) / 1000;
    clock_rfc3339(cert.not_after_s * 1000, until);
    until[10] = '\0';
    doctor_say(d,
               left_s < 0           ? DOCTOR_WRONG
               : left_s < CA_SOON_S ? DOCTOR_NOTE
                                    : DOCTOR_GOOD,
               left_s < CA_SOON_S
                   ? "Make another CA (certlined ca create), and have the cloud trust it first."
                   : NULL,
               "%s, %s until %s", s->certificate, left_s < 0 ? "was good" : "good", until);
    if (s->passphrase_file) {
        (void)check_secret_file(d, s->passphrase_file,
                                "Put the passphrase there, or give it as a credential.");
    }
    if (s->key) {
        (void)check_secret_file(d, s->key, "Put its backup back.");
    } else if (access(s->module, R_OK) < 0) {
        doctor_say(d, DOCTOR_WRONG, "Install the token's module, or correct [signer] module.", "%s: %s",
                   s->module, strerror(errno));
    }
}

/* ---- database, disk, clock */

static void say_mark(struct doctor *d, const struct inspection *found)
{
    const char *text = store_mark_text(found->mark_state);
    if (found->mark_state == STORE_MARK_GOOD) {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s (event %" PRId64 ")", text, found->mark.seq);
    } else {
        doctor_say(d, DOCTOR_WRONG,
                   "Put the right database back; or, with the station stopped, certlined reconcile accepts "
                   "this one.",
                   "%s", text);
    }
}

void doctor_check_database(struct doctor *d)
{
    struct inspection found;
    struct err_info why = {0};
    int r = store_inspect(d->config->state_dir, &found, &why);
    if (r == ERR_NOT_FOUND) {
        doctor_say(d, DOCTOR_NOTE, "The first start makes it.", "there is none yet");
    } else if (r == -EACCES) {
        doctor_say(d, DOCTOR_NOTE, ask_root, "%s", why.text);
    } else if (r < 0) {
        doctor_say(d, DOCTOR_WRONG,
                   r == ERR_NEWER ? "Install the newer program again."
                                  : "Stop the station; restore a backup.",
                   "%s", why.text);
    } else if (!found.is_current) {
        doctor_say(d, DOCTOR_NOTE, "Back it up; the next start upgrades it.",
                   "an older program wrote it (version %d)", found.version);
    } else {
        r = store_check_pages(d->config->state_dir, &why);
        if (r < 0) {
            doctor_say(d, DOCTOR_WRONG, "Stop the station; restore a backup.", "%s", why.text);
        } else {
            doctor_say(d, DOCTOR_GOOD, NULL, "sound, %" PRId64 " events (certlined audit verify proves them)",
                       found.head.seq);
        }
        say_mark(d, &found);
    }
}

void doctor_check_disk(struct doctor *d)
{
    struct statvfs fs;
    const char *dir = d->config->state_dir;
    if (statvfs(dir, &fs) < 0) {
        doctor_say(d, DOCTOR_NOTE, "The first start makes it.", "%s: %s", dir, strerror(errno));
        return;
    }
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool has_no_inode = fs.f_files > 0 && fs.f_favail == 0;
    if ((fs.f_flag & ST_RDONLY) != 0) {
        doctor_say(d, DOCTOR_WRONG, "Look at the kernel's log for the disk's errors; mount it for writing.",
                   "%s is read-only", dir);
    } else if (left < DISK_LEAST || has_no_inode) {
        doctor_say(d, DOCTOR_WRONG, "Free space: no board is provisioned that cannot be recorded.",
                   "%" PRIu64 " MiB%s left for %s", left / MIB, has_no_inode ? " and no inode" : "", dir);
    } else {
        doctor_say(d, left < DISK_LITTLE ? DOCTOR_NOTE : DOCTOR_GOOD,
                   left < DISK_LITTLE ? "Make room before it is used up." : NULL,
                   "%" PRIu64 " MiB left for %s", left / MIB, dir);
    }
}

void doctor_check_clock(struct doctor *d)
{
    struct timex state = {.modes = 0};
    struct inspection found = {0};
    char now[CLOCK_RFC3339_SIZE], last[CLOCK_RFC3339_SIZE];
    int64_t now_ms = clock_system.wall_ms(&clock_system);
    (void)store_inspect(d->config->state_dir, &found, NULL);
    clock_rfc3339(now_ms, now);
    clock_rfc3339(found.head_wall_ms, last);
    if (now_ms < found.head_wall_ms) {
        doctor_say(d, DOCTOR_WRONG, "Set the clock (timedatectl): no certificate is issued before that.",
                   "%s is before the last event on record, %s", now, last);
    } else if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC) != 0) {
        doctor_say(d, DOCTOR_NOTE, "timedatectl set-ntp true, where there is a time server.",
                   "%s, which nobody keeps right", now);
    } else {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s, synchronised", now);
    }
}
