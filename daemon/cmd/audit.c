/*
 * certlined audit verify: the chain of events, recomputed from the first one to the last, and held against
 * the mark beside the database. Reads the files itself and asks no station, so that it proves a copy of a
 * state directory as well, on any machine. A station at work is not disturbed.
 *
 * What it proves: no event was changed, removed or put in between, and (by the mark) none is missing at the
 * end. Whoever can write both database and mark could have made all of it anew: keep the last line somewhere
 * else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "config.h"
#include "store/inspect.h"
#include "store/read.h"

#define STRETCH 20000

struct proof {
    struct inspection found;
    struct store_chain at; /* everything up to here fits */
    bool is_broken;
    struct err_info why; /* of a broken chain */
};

static void show_progress(const struct proof *p)
{
    if (isatty(STDERR_FILENO) == 1 && p->at.seq < p->found.head.seq) {
        fprintf(stderr, "\r%" PRId64 " of %" PRId64 " events", p->at.seq, p->found.head.seq);
    }
}

/* 0 also when the chain is broken. */
static int walk(const char *dir, struct proof *p, struct err_info *reterr)
{
    struct store_reader *reader = NULL;
    int r = store_reader_open(&reader, dir, NULL, reterr), n = 1;
    while (r == 0 && n > 0 && p->at.seq < p->found.head.seq) {
        struct store_chain at = p->at;
        n = store_read_verify(reader, &at, STRETCH, &p->why);
        if (n == ERR_CORRUPT && at.seq > p->at.seq) {
            p->is_broken = true;
        } else if (n < 0) {
            r = err_set(reterr, n, "%s", p->why.text);
        } else {
            p->at = at;
            show_progress(p);
        }
    }
    store_reader_close(reader);
    if (isatty(STDERR_FILENO) == 1) {
        fprintf(stderr, "\r\033[K");
    }
    return r;
}

static bool is_good(const struct proof *p)
{
    return !p->is_broken && p->found.mark_state == STORE_MARK_GOOD && p->at.seq >= p->found.head.seq;
}

static struct json *proof_json(const char *dir, const struct proof *p)
{
    char hash[2 * DIGEST_SIZE + 1];
    struct json *tree = json_new_object();
    hex_encode(p->at.hash.octets, DIGEST_SIZE, hash);
    int r = json_put_text(tree, "folder", dir) | json_put_text(tree, "database", p->found.database) |
            json_put_text(tree, "state", is_good(p) ? "verified" : "broken") |
            json_put_i64(tree, "seq", p->at.seq) | json_put_text(tree, "hash", hash) |
            json_put_text(tree, "chain", p->is_broken ? p->why.text : NULL) |
            json_put_text(tree, "mark", store_mark_text(p->found.mark_state));
    if (r < 0) {
        json_free(tree);
        return NULL;
    }
    return tree;
}

static void print(const char *dir, const struct proof *p)
{
    char hash[2 * DIGEST_SIZE + 1];
    hex_encode(p->at.hash.octets, DIGEST_SIZE, hash);
    if (p->is_broken) {
        printf("%s: %s; everything before it is as it was written\n", dir, p->why.text);
    }
    if (p->found.mark_state != STORE_MARK_GOOD) {
        printf("%s: %s\n", dir, store_mark_text(p->found.mark_state));
    }
    printf("%s: %" PRId64 " events of database %s %s\n%" PRId64 " %s\n",
           is_good(p) ? "verified" : "NOT verified", p->at.seq, p->found.database,
           is_good(p) ? "are as they were written, to the last one" : "fit", p->at.seq, hash);
}

static int verify(const struct cmd_args *args, const char *dir)
{
    struct proof proof = {.is_broken = false};
    struct err_info why = {0};
    int r = store_inspect(dir, &proof.found, &why);
    if (r == 0 && !proof.found.is_current) {
        r = err_set(&why, ERR_STORE,
                    "%s was written by an older program (version %d): start this one's station on it, or on "
                    "a copy, first",
                    dir, proof.found.version);
    }
    r = r < 0 ? r : walk(dir, &proof, &why);
    if (r < 0) {
        fprintf(stderr, "certlined: %s%s\n", why.text[0] ? why.text : err_text(r),
                r == -EACCES ? "; the records are the service's: use sudo" : "");
        return CMD_FAILED;
    }
    int printed = CMD_DONE;
    if (args->json) {
        printed = cmd_print_json(proof_json(dir, &proof));
    } else {
        print(dir, &proof);
    }
    if (printed != CMD_DONE || is_good(&proof)) {
        return printed;
    }
    return proof.is_broken ? CMD_FAILED : CMD_PERSON;
}

int cmd_audit(const struct cmd_args *args)
{
    if (strcmp(args->files[0], "verify") != 0 || args->n_files > 2) {
        fprintf(
            stderr,
            "certlined: audit takes verify, and perhaps a folder; usage: certlined audit verify [FOLDER]\n");
        return CMD_USAGE;
    }
    if (args->n_files == 2) {
        return verify(args, args->files[1]);
    }
    struct config *config = NULL;
    int r = cmd_load(args, &config);
    if (r == CMD_DONE) {
        r = verify(args, config->state_dir);
    }
    config_free(config);
    return r;
}
