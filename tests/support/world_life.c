/*
 * The daemon half's life: starting, stopping, and being killed. What a killed process leaves behind is its
 * files as they stand, so they are copied before the store closes them as a living one would.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/mark.h"
#include "support/world_internal.h"

/* ---- files */

static const char *const file_names[] = {STORE_DB_NAME, STORE_DB_NAME "-wal", STORE_DB_NAME "-shm", MARK_NAME,
                                         "lock"};

static void dir_of(const struct world *w, uint32_t life, char out[160])
{
    snprintf(out, 160, "%s/life-%u", w->dir, life);
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
        abort();
    }
}

/* A missing file is no failure; what stands at `to` is replaced. */
static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    static char memory[65536];
    char from[256], to[256];
    snprintf(from, sizeof(from), "%s/%s", from_dir, name);
    snprintf(to, sizeof(to), "%s/%s", to_dir, name);
    unlink(to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        return;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(out >= 0, to);
    for (ssize_t n = read(in, memory, sizeof(memory)); n > 0; n = read(in, memory, sizeof(memory))) {
        must(write(out, memory, (size_t)n) == n, to);
    }
    close(in);
    close(out);
}

static void remove_dir(const char *dir)
{
    char path[256];
    for (size_t i = 0; i < sizeof(file_names) / sizeof(*file_names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, file_names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* ---- starting and ending */

static void open_store(struct world *w)
{
    char dir[160];
    dir_of(w, w->life, dir);
    struct store_config config = {.dir = dir,
                                  .clock = &w->clock,
                                  .random = world_random_octets,
                                  .random_ctx = w,
                                  .station = "world",
                                  .program = "0",
                                  .spare_certificates = 10000};
    struct err_info why = {0};
    if (store_open(&w->store, &config, &why) < 0) {
        fprintf(stderr, "world: the store does not open: %s\n", why.text);
        abort();
    }
    world_reader_open(w);
}

static void tell_products(struct world *w)
{
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        struct store_op op = {.kind = STORE_PRODUCT, .product = &w->products[i].product};
        if (world_op(w, &op) < 0) {
            world_blame(w, "product: %s", op.detail);
        }
    }
}

void world_set_orders(struct world *w, bool are_open)
{
    struct station_order orders[WORLD_RACKS_MAX];
    uint32_t n = are_open ? w->config.n_racks : 0;
    for (uint32_t i = 0; i < n; i++) {
        orders[i] = w->products[i].order;
    }
    station_set_orders(w->station, orders, n, w->now_us);
}

static void first_start(struct world *w)
{
    world_import(w);
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        const char *why = world_put_order(w, i);
        if (why) {
            world_blame(w, "order: %s", why);
        }
    }
}

static void restore_slot(void *ctx, const char *slot, const char *why)
{
    struct world *w = ctx;
    int at = station_find_slot(w->station, slot);
    if (at < 0) {
        world_blame(w, "slot %s is in quarantine, and does not exist", slot);
    } else {
        station_quarantine(w->station, (uint32_t)at, why, w->now_us);
    }
}

static void start_parts(struct world *w)
{
    open_store(w);
    struct store_op started = {.kind = STORE_STATION_STARTED};
    if (world_op(w, &started) < 0) {
        world_blame(w, "start: %s", started.detail);
    }
    tell_products(w);
    struct keys_config config = {.wrapping_key = w->wrapping_key};
    w->keys = keys_new(&config);
    must(w->keys != NULL, "keys");
    struct issuer_config issuer = {.signer = world_signer(),
                                   .keys = w->keys,
                                   .clock = &w->clock,
                                   .last_wall_ms = store_last_wall_ms(w->store),
                                   .validity_days = 365};
    w->issuer = issuer_new(&issuer);
    must(w->issuer != NULL, "issuer");
    if (w->life == 1 && w->products[0].order_number == 0) {
        first_start(w);
    }
    struct err_info why = {0};
    w->station = station_new(w->slot_configs, w->n_slots, &w->env, &w->clock, &why);
    must(w->station != NULL, why.text);
    w->to_store = w->to_keys = w->to_issuer = (struct world_actor){0};
    w->is_up = true;
    w->is_dying = false;
    if (store_quarantined(w->store, restore_slot, w) < 0) {
        world_blame(w, "the quarantined slots cannot be read");
    }
    world_set_orders(w, true);
}

void world_start(struct world *w)
{
    assert(!w->is_up);
    start_parts(w);
    for (uint32_t i = 0; i < w->n_slots; i++) {
        uint32_t board = w->slots[i].board;
        if (board != WORLD_NOWHERE && simboard_is_plugged(w->boards[board].sim)) {
            world_announce(w, i, false);
        }
    }
}

static void drop_parts(struct world *w)
{
    for (uint32_t i = 0; i < w->n_slots; i++) {
        world_close_link(w, i);
        w->slots[i].notice_us = 0;
        w->slots[i].seen_generation = 0;
        w->slots[i].told_job[0] = '\0';
    }
    world_forget_daemon_events(w);
    station_free(w->station);
    issuer_free(w->issuer);
    keys_free(w->keys);
    world_reader_close(w);
    store_close(w->store);
    w->station = NULL;
    w->keys = NULL;
    w->issuer = NULL;
    w->store = NULL;
    w->is_up = w->is_dying = false;
}

void world_kill(struct world *w)
{
    char from[160], to[160];
    dir_of(w, w->life, from);
    dir_of(w, w->life + 1, to);
    must(mkdir(to, 0700) == 0, to);
    for (size_t i = 0; i < sizeof(file_names) / sizeof(*file_names); i++) {
        /* The wal-index is shared memory and of no use after its processes; the lock is the process's. */
        if (strcmp(file_names[i], "lock") != 0 && !strstr(file_names[i], "-shm")) {
            copy_file(from, to, file_names[i]);
        }
    }
    drop_parts(w);
    remove_dir(from);
    w->life++;
    w->numbers.kills++;
}

void world_stop(struct world *w)
{
    LINE(station_shutdown(w->station, w->now_us));
    for (int64_t until = w->now_us + 120 * US_PER_S; w->is_up && !station_is_idle(w->station);) {
        if (w->now_us > until || !world_step(w)) {
            world_blame(w, "the station does not come to its end");
            break;
        }
    }
    if (w->is_up) {
        drop_parts(w);
    }
}

void world_keep_copy(struct world *w)
{
    char dir[160];
    dir_of(w, w->life, dir);
    copy_file(dir, w->dir, STORE_DB_NAME);
    copy_file(dir, w->dir, STORE_DB_NAME "-wal");
}

void world_restore_copy(struct world *w)
{
    assert(!w->is_up);
    char dir[160];
    dir_of(w, w->life, dir);
    copy_file(w->dir, dir, STORE_DB_NAME);
    copy_file(w->dir, dir, STORE_DB_NAME "-wal");
}

int world_op(struct world *w, struct store_op *op)
{
    struct store_op *ops[] = {op};
    int r = store_batch(w->store, ops, 1);
    return r < 0 ? r : op->result;
}

void world_daemon_init(struct world *w)
{
    static const uint8_t key[SEAL_KEY_SIZE] = "a wrapping key for the world....";
    bool has_shm = access("/dev/shm", W_OK) == 0;
    snprintf(w->dir, sizeof(w->dir), "%s/certline-world-XXXXXX", has_shm ? "/dev/shm" : "/tmp");
    must(mkdtemp(w->dir) != NULL, w->dir);
    w->life = 1;
    char dir[160];
    dir_of(w, w->life, dir);
    must(mkdir(dir, 0700) == 0, dir);
    w->wrapping_key = seal_key_new(key);
    must(w->wrapping_key != NULL, "wrapping key");
    world_env_init(w);
    start_parts(w);
}

void world_daemon_done(struct world *w)
{
    if (w->is_up) {
        drop_parts(w);
    }
    seal_key_free(w->wrapping_key);
    char dir[160];
    dir_of(w, w->life, dir);
    remove_dir(dir);
    remove_dir(w->dir);
}
