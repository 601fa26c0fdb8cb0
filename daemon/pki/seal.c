/*
 * Nonces are random: a data key seals one content, so its nonce cannot repeat; the key-encryption key wraps
 * at most some ten million data keys, far below the 2^32 at which NIST SP 800-38D (8.3) draws the line for
 * random nonces.
 *
 * The key file is made like this: a file with a random name beside it, written, synced, then linked to the
 * real name and the directory synced. link() refuses to replace, so two daemons that start at once end with
 * one key, the first's.
 */
#include "pki/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/secret.h"
#include "pki/digest.h"
#include "pki/init.h"
#include "pki/seal_token.h"

#define VERSION         1
#define NONCE_SIZE      12
#define TAG_SIZE        16
#define TOKEN_MARK      "CLTOKEN1" /* what a file begins with of which a token makes the key */
#define MARK_SIZE       (sizeof(TOKEN_MARK) - 1)
#define TOKEN_FILE_SIZE (MARK_SIZE + SEAL_KEY_SIZE)
#define PLACE_SIZE      512 /* of the text that is authenticated with a content */

enum { /* offsets of the layout in the header */
       AT_KEY_ID = 1,
       AT_WRAP_NONCE = AT_KEY_ID + SEAL_KEY_ID_SIZE,
       AT_DATA_KEY = AT_WRAP_NONCE + NONCE_SIZE,
       AT_WRAP_TAG = AT_DATA_KEY + SEAL_KEY_SIZE,
       AT_NONCE = AT_WRAP_TAG + TAG_SIZE,
       AT_CONTENT = AT_NONCE + NONCE_SIZE,
};
_Static_assert(AT_CONTENT + TAG_SIZE == SEAL_OVERHEAD, "the header says otherwise");

/* The labels whose digests are kept in databases (exchange/row.c). */
static const char *const kept_labels[] = {"certline row 1", "certline psk 1", "certline psk identity 1"};
#define KEPT_LABELS (sizeof(kept_labels) / sizeof(*kept_labels))
_Static_assert(KEPT_LABELS *SEAL_KEY_SIZE == SEAL_DIGEST_KEYS_SIZE, "one key a label");

struct seal_key {
    uint8_t octets[SEAL_KEY_SIZE];
    uint8_t id[SEAL_KEY_ID_SIZE];
    bool is_from_token;
    bool has_digest_keys; /* taken along from an earlier key */
    uint8_t digest_keys[KEPT_LABELS][SEAL_KEY_SIZE];
};

/* ---- keys */

struct seal_key *seal_key_new(const uint8_t octets[SEAL_KEY_SIZE])
{
    struct seal_key *key = secret_alloc(sizeof(*key));
    if (key == NULL) {
        return NULL;
    }
    memcpy(key->octets, octets, SEAL_KEY_SIZE);
    struct digest mac, id;
    sha256_hmac(key->octets, span_str("certline key id 1"), &mac);
    sha256(span_of((const char *)mac.octets, DIGEST_SIZE), &id);
    memcpy(key->id, id.octets, SEAL_KEY_ID_SIZE);
    return key;
}

void seal_key_free(struct seal_key *key)
{
    secret_free(key);
}

bool seal_key_is_from_token(const struct seal_key *key)
{
    return key->is_from_token;
}

const uint8_t *seal_key_id(const struct seal_key *key)
{
    return key->id;
}

static void derive(const struct seal_key *key, const char *label, struct digest *ret)
{
    for (size_t i = 0; key->has_digest_keys && i < KEPT_LABELS; i++) {
        if (strcmp(kept_labels[i], label) == 0) {
            memcpy(ret->octets, key->digest_keys[i], SEAL_KEY_SIZE);
            return;
        }
    }
    sha256_hmac(key->octets, span_str(label), ret);
}

void seal_digest_keys_get(const struct seal_key *key, uint8_t out[SEAL_DIGEST_KEYS_SIZE])
{
    for (size_t i = 0; i < KEPT_LABELS; i++) {
        struct digest derived;
        derive(key, kept_labels[i], &derived);
        memcpy(out + i * SEAL_KEY_SIZE, derived.octets, SEAL_KEY_SIZE);
        secret_wipe(&derived, sizeof(derived));
    }
}

void seal_digest_keys_set(struct seal_key *key, const uint8_t octets[SEAL_DIGEST_KEYS_SIZE])
{
    memcpy(key->digest_keys, octets, SEAL_DIGEST_KEYS_SIZE);
    key->has_digest_keys = true;
}

void seal_digest(const struct seal_key *key, const char *label, struct span text, struct digest *ret)
{
    struct digest derived;
    derive(key, label, &derived);
    sha256_hmac(derived.octets, text, ret);
    secret_wipe(&derived, sizeof(derived));
}

/* ---- the key file */

/* Whether the open file is one to trust a key to. */
static int check_file(const char *path, const struct stat *st, struct err_info *reterr)
{
    if (!S_ISREG(st->st_mode)) {
        return err_set(reterr, ERR_REFUSED,
                       "%s is no regular file: name the file that holds the wrapping key", path);
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return err_set(reterr, ERR_REFUSED,
                       "%s belongs to user %u: it must belong to user %u, who runs Certline", path,
                       (unsigned)st->st_uid, (unsigned)geteuid());
    }
    bool is_roots = st->st_uid == 0 && st->st_gid == 0;
    if ((st->st_mode & (is_roots ? 0037 : 0077)) != 0) {
        return err_set(reterr, ERR_REFUSED, "%s has mode %04o and others may use it: chmod 0600 it", path,
                       (unsigned)(st->st_mode & 07777));
    }
    if (st->st_size != SEAL_KEY_SIZE && st->st_size != TOKEN_FILE_SIZE) {
        return err_set(
            reterr, ERR_FORMAT,
            "%s has %lld octets, a wrapping key has 32: restore it from its backup, never from a guess", path,
            (long long)st->st_size);
    }
    return 0;
}

/* Everything or a negative errno. */
static int read_all(int fd, uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got = read(fd, out, n);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            return -EIO;
        }
        if (got > 0) {
            out += got;
            n -= (size_t)got;
        }
    }
    return 0;
}

static int write_all(int fd, const uint8_t *octets, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, octets, n);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        if (put > 0) {
            octets += put;
            n -= (size_t)put;
        }
    }
    return 0;
}

/* The octets of a file of either kind → the key. */
static int take(const char *path, const uint8_t *octets, size_t len, struct seal_token *token,
                struct seal_key **ret, struct err_info *reterr)
{
    bool is_from_token = len == TOKEN_FILE_SIZE;
    uint8_t made[SEAL_KEY_SIZE];
    int err = 0;
    if (is_from_token && memcmp(octets, TOKEN_MARK, MARK_SIZE) != 0) {
        return err_set(reterr, ERR_FORMAT, "%s is no key file of this program", path);
    }
    if (is_from_token) {
        err = token != NULL
                  ? seal_token_make(token, octets + MARK_SIZE, made, reterr)
                  : err_set(reterr, ERR_REFUSED,
                            "%s takes the token that it was made with: name it with key_module", path);
    }
    if (err == 0) {
        *ret = seal_key_new(is_from_token ? made : octets);
        err = *ret != NULL ? 0 : err_set(reterr, -ENOMEM, "no memory for the wrapping key");
    }
    if (err == 0) {
        (*ret)->is_from_token = is_from_token;
    }
    secret_wipe(made, sizeof(made));
    return err;
}

static int load(const char *path, struct seal_token *token, struct seal_key **ret, struct err_info *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int err = -errno;
        return err_set(reterr, err, "%s cannot be opened: %s", path, err_text(err));
    }
    struct stat st;
    uint8_t octets[TOKEN_FILE_SIZE];
    int err = fstat(fd, &st) < 0 ? -errno : check_file(path, &st, reterr);
    size_t len = err == 0 ? (size_t)st.st_size : 0;
    if (err == 0) {
        err = read_all(fd, octets, len);
    }
    close(fd);
    err = err == 0 ? take(path, octets, len, token, ret, reterr)
                   : err_set(reterr, err, "%s cannot be read: %s", path, err_text(err));
    secret_wipe(octets, sizeof(octets));
    return err;
}

/* The directory of `path`, opened, if it is ours alone to write to; or negative. */
static int open_directory(const char *path, struct err_info *reterr)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len >= sizeof(dir)) {
        return err_set(reterr, -ENAMETOOLONG, "the key file's path is too long");
    }
    (void)snprintf(dir, sizeof(dir), "%.*s",
                   slash == NULL ? 1
                   : len == 0    ? 1
                                 : (int)len,
                   slash == NULL ? "." : path);

    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int err = -errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(reterr, err, "the key file's directory %s cannot be opened: %s", dir, err_text(err));
    }
    if (st.st_uid != geteuid() || (st.st_mode & 0022) != 0) {
        close(fd);
        return err_set(
            reterr, ERR_REFUSED,
            "%s does not exist, and none is made there: its directory is not ours alone to write to. Make it "
            "with: head -c 32 /dev/urandom > %s && chmod 0600 %s",
            path, path, path);
    }
    return fd;
}

/* A new key under a random name in the directory, written and synced. Returns 0 or -errno. */
static int write_new(int dir, bool is_for_token, char name[32])
{
    uint8_t octets[TOKEN_FILE_SIZE] = TOKEN_MARK, random[8];
    const uint8_t *from = is_for_token ? octets : octets + MARK_SIZE;
    pki_random(random, sizeof(random));
    pki_random(octets + MARK_SIZE, SEAL_KEY_SIZE);
    char text[2 * sizeof(random) + 1];
    hex_encode(random, sizeof(random), text);
    (void)snprintf(name, 32, ".key-%s.new", text);

    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = fd < 0 ? -errno : write_all(fd, from, (size_t)(octets + sizeof(octets) - from));
    secret_wipe(octets, sizeof(octets));
    if (fd < 0) {
        return err;
    }
    if (err == 0 && fsync(fd) < 0) {
        err = -errno;
    }
    close(fd);
    if (err != 0) {
        unlinkat(dir, name, 0);
    }
    return err;
}

/* Returns 1 when it made the file, 0 when somebody else did meanwhile, or negative. */
static int make(const char *path, bool is_for_token, struct err_info *reterr)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char new_name[32];
    int dir = open_directory(path, reterr);
    if (dir < 0) {
        return dir;
    }
    int err = write_new(dir, is_for_token, new_name);
    if (err == 0) {
        err = linkat(dir, new_name, dir, name, 0) == 0 ? 1 : errno == EEXIST ? 0 : -errno;
        unlinkat(dir, new_name, 0);
    }
    if (err >= 0 && fsync(dir) < 0) {
        err = -errno;
    }
    close(dir);
    return err >= 0 ? err : err_set(reterr, err, "%s cannot be made: %s", path, err_text(err));
}

int seal_key_load(const char *path, bool is_made_if_absent, struct seal_token *token, struct seal_key **ret,
                  struct err_info *reterr)
{
    int made = 0;
    if (is_made_if_absent && access(path, F_OK) < 0 && errno == ENOENT) {
        made = make(path, token != NULL, reterr);
        if (made < 0) {
            return made;
        }
    }
    int err = load(path, token, ret, reterr);
    return err < 0 ? err : made;
}

/* ---- the next key file */

static int next_path(const char *path, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s.next", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int seal_key_make_next(const char *path, struct seal_token *token, struct seal_key **ret,
                       struct err_info *reterr)
{
    char next[PATH_MAX];
    int err = next_path(path, next);
    if (err == 0 && access(next, F_OK) == 0) {
        err =
            err_set(reterr, ERR_DUPLICATE, "%s is there already: a change of the key was not finished", next);
    }
    if (err == 0) {
        err = make(next, token != NULL, reterr);
    }
    return err < 0 ? err : load(next, token, ret, reterr);
}

int seal_key_load_next(const char *path, struct seal_token *token, struct seal_key **ret,
                       struct err_info *reterr)
{
    char next[PATH_MAX];
    int err = next_path(path, next);
    return err < 0 ? err : load(next, token, ret, reterr);
}

int seal_key_take_next(const char *path)
{
    char next[PATH_MAX];
    int err = next_path(path, next);
    int dir = err == 0 ? open_directory(path, NULL) : err;
    if (dir < 0) {
        return dir;
    }
    err = rename(next, path) == 0 && fsync(dir) == 0 ? 0 : -errno;
    close(dir);
    return err;
}

int seal_key_drop_next(const char *path)
{
    char next[PATH_MAX];
    int err = next_path(path, next);
    return err < 0 ? err : unlink(next) == 0 ? 0 : -errno;
}

/* ---- sealing */

static EVP_CIPHER *algorithm;

static void fetch(void)
{
    algorithm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static const EVP_CIPHER *aes_256_gcm(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    return algorithm;
}

static bool encrypt(const uint8_t *key, const uint8_t *nonce, struct span bound, struct span clear,
                    uint8_t *out, uint8_t *tag)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool is_good = ctx != NULL && EVP_EncryptInit_ex2(ctx, aes_256_gcm(), key, nonce, NULL) == 1 &&
                   EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)bound.at, (int)bound.len) == 1 &&
                   EVP_EncryptUpdate(ctx, out, &n, (const uint8_t *)clear.at, (int)clear.len) == 1 &&
                   EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
                   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return is_good;
}

/* What was decrypted before its tag was seen to be wrong is wiped. */
static bool decrypt(const uint8_t *key, const uint8_t *nonce, struct span bound, struct span sealed,
                    const uint8_t *tag, uint8_t *out)
{
    int n = 0;
    uint8_t wanted[TAG_SIZE];
    memcpy(wanted, tag, TAG_SIZE);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool is_good = ctx != NULL && EVP_DecryptInit_ex2(ctx, aes_256_gcm(), key, nonce, NULL) == 1 &&
                   EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)bound.at, (int)bound.len) == 1 &&
                   EVP_DecryptUpdate(ctx, out, &n, (const uint8_t *)sealed.at, (int)sealed.len) == 1 &&
                   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, wanted) == 1 &&
                   EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
    if (!is_good) {
        secret_wipe(out, sealed.len);
    }
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return is_good;
}

static void put_u32(struct buf *b, uint32_t value)
{
    const char octets[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    buf_add(b, span_of(octets, sizeof(octets)));
}

/* The text that is authenticated with a secret; `key_id` only with a data key. */
static struct span bound_text(struct buf *b, char memory[PLACE_SIZE], const char *label,
                              const uint8_t *key_id, const struct seal_place *place)
{
    buf_init(b, memory, PLACE_SIZE);
    buf_add_str(b, label);
    if (key_id != NULL) {
        buf_add(b, span_of((const char *)key_id, SEAL_KEY_ID_SIZE));
    }
    put_u32(b, (uint32_t)place->bundle.len);
    buf_add(b, place->bundle);
    put_u32(b, (uint32_t)place->type);
    put_u32(b, place->sec_tag);
    assert(!b->is_cut); /* ids are shorter by far */
    return buf_span(b);
}

static struct span data_key_place(struct buf *b, char memory[PLACE_SIZE], const uint8_t *key_id,
                                  const struct seal_place *place)
{
    return bound_text(b, memory, "certline data key 1", key_id, place);
}

static struct span content_place(struct buf *b, char memory[PLACE_SIZE], const struct seal_place *place)
{
    return bound_text(b, memory, "certline content 1", NULL, place);
}

int seal_make(const struct seal_key *key, const struct seal_place *place, struct span clear, uint8_t *out,
              struct err_info *reterr)
{
    char memory[PLACE_SIZE];
    struct buf b;
    uint8_t data_key[SEAL_KEY_SIZE];
    size_t size = clear.len + SEAL_OVERHEAD;
    assert(clear.len > 0 && clear.len < INT_MAX);

    out[0] = VERSION;
    memcpy(out + AT_KEY_ID, key->id, SEAL_KEY_ID_SIZE);
    pki_random(out + AT_WRAP_NONCE, NONCE_SIZE);
    pki_random(out + AT_NONCE, NONCE_SIZE);
    pki_random(data_key, sizeof(data_key));
    bool is_good =
        encrypt(key->octets, out + AT_WRAP_NONCE, data_key_place(&b, memory, key->id, place),
                span_of((const char *)data_key, sizeof(data_key)), out + AT_DATA_KEY, out + AT_WRAP_TAG) &&
        encrypt(data_key, out + AT_NONCE, content_place(&b, memory, place), clear, out + AT_CONTENT,
                out + size - TAG_SIZE);
    secret_wipe(data_key, sizeof(data_key));
    if (!is_good) {
        secret_wipe(out, size);
        return err_set(reterr, ERR_CRYPTO, "a secret could not be sealed: OpenSSL has no memory");
    }
    return 0;
}

/* Version and key id, before anything is decrypted. */
static int check_head(const struct seal_key *key, struct span sealed, struct err_info *reterr)
{
    const uint8_t *at = (const uint8_t *)sealed.at;
    if (sealed.len <= SEAL_OVERHEAD || sealed.len > INT_MAX || at[0] != VERSION) {
        return err_set(reterr, ERR_CORRUPT, "a sealed secret is cut off or of an unknown version");
    }
    if (memcmp(at + AT_KEY_ID, key->id, SEAL_KEY_ID_SIZE) != 0) {
        char wanted[2 * SEAL_KEY_ID_SIZE + 1], have[2 * SEAL_KEY_ID_SIZE + 1];
        hex_encode(at + AT_KEY_ID, SEAL_KEY_ID_SIZE, wanted);
        hex_encode(key->id, SEAL_KEY_ID_SIZE, have);
        return err_set(
            reterr, ERR_REFUSED,
            "a secret was sealed under the wrapping key %s, but this station has %s: put the right key file "
            "in its place",
            wanted, have);
    }
    return 0;
}

/* The secret's own key, from its head. The caller wipes it. */
static bool unwrap(const struct seal_key *key, const struct seal_place *place, const char *sealed,
                   uint8_t ret_data_key[SEAL_KEY_SIZE])
{
    char memory[PLACE_SIZE];
    struct buf b;
    const uint8_t *at = (const uint8_t *)sealed;
    return decrypt(key->octets, at + AT_WRAP_NONCE, data_key_place(&b, memory, key->id, place),
                   span_of(sealed + AT_DATA_KEY, SEAL_KEY_SIZE), at + AT_WRAP_TAG, ret_data_key);
}

int seal_open(const struct seal_key *key, const struct seal_place *place, struct span sealed, uint8_t *out,
              struct err_info *reterr)
{
    int err = check_head(key, sealed, reterr);
    if (err != 0) {
        return err;
    }
    char memory[PLACE_SIZE];
    struct buf b;
    uint8_t data_key[SEAL_KEY_SIZE];
    const uint8_t *at = (const uint8_t *)sealed.at;
    struct span content = span_of(sealed.at + AT_CONTENT, sealed.len - SEAL_OVERHEAD);
    uint64_t shortages = pki_shortages();
    bool is_good = unwrap(key, place, sealed.at, data_key) &&
                   decrypt(data_key, at + AT_NONCE, content_place(&b, memory, place), content,
                           at + sealed.len - TAG_SIZE, out);
    secret_wipe(data_key, sizeof(data_key));
    if (pki_shortages() != shortages) {
        return err_set(reterr, -ENOMEM, "no memory to open a sealed secret");
    }
    if (!is_good) {
        return err_set(reterr, ERR_CORRUPT,
                       "a sealed secret was changed, or belongs to another bundle or type");
    }
    return 0;
}

int seal_rewrap(const struct seal_key *from, const struct seal_key *to, const struct seal_place *place,
                struct span sealed, uint8_t *out, struct err_info *reterr)
{
    int err = check_head(from, sealed, reterr);
    if (err != 0) {
        return err;
    }
    char memory[PLACE_SIZE];
    struct buf b;
    uint8_t data_key[SEAL_KEY_SIZE];
    const uint8_t *at = (const uint8_t *)sealed.at;
    uint64_t shortages = pki_shortages();
    bool is_good = unwrap(from, place, sealed.at, data_key);
    memcpy(out, at, sealed.len);
    memcpy(out + AT_KEY_ID, to->id, SEAL_KEY_ID_SIZE);
    pki_random(out + AT_WRAP_NONCE, NONCE_SIZE);
    is_good = is_good && encrypt(to->octets, out + AT_WRAP_NONCE, data_key_place(&b, memory, to->id, place),
                                 span_of((const char *)data_key, sizeof(data_key)), out + AT_DATA_KEY,
                                 out + AT_WRAP_TAG);
    secret_wipe(data_key, sizeof(data_key));
    if (pki_shortages() != shortages) {
        return err_set(reterr, -ENOMEM, "no memory to seal a secret anew");
    }
    return is_good ? 0
                   : err_set(reterr, ERR_CORRUPT, "a sealed secret was changed, or belongs to another place");
}
