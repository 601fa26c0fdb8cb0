/*
 * The line's actor: the station core on the event loop of one thread, with its ports, its hot-plug and its
 * mailbox. It makes no call that can block: opening is the opener's, the database the store's, secrets the
 * keys'.
 */
#ifndef CERTLINE_APP_LINE_H
#define CERTLINE_APP_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "app_actors.h"
#include "base/snapshot.h"
#include "config.h"
#include "station/station.h"

struct app_line; /* opaque */

/* A slot in quarantine, as it stands on record. */
struct app_quarantine {
    char slot[SLOT_ID_SIZE];
    char why[STORE_WHY_SIZE];
};

struct app_line_config {
    const struct config *config;
    struct app_store *store;
    struct app_keys *keys;
    struct app_keys *issuer;
    struct bell *bell; /* rung after a slot's view was published */
    /* SIGTERM or SIGINT came. Called once, on the line's thread; ends with app_line_finish from any thread.
     */
    void (*stopping)(void *ctx);
    void *ctx;
    const struct app_quarantine *quarantined; /* borrowed for the line's life */
    uint32_t n_quarantined;
};

/* Builds the station and its slots. `config` is copied, what it points to borrowed. NULL with *reterr. Blocks
 * SIGTERM and SIGINT in the calling thread: before other threads are started. */
struct app_line *app_line_new(const struct app_line_config *config, struct err_info *reterr);
void app_line_free(struct app_line *line);

/* Looks for ports and runs until app_line_finish; then waits for jobs to come to their end, at most
 * `stop_ms`. */
int app_line_run(struct app_line *line, int stop_ms);

/* --- from other threads --- */

/* The open orders, as they are now. Copied. */
void app_line_set_orders(struct app_line *line, const struct station_order *orders, uint32_t n);
void app_line_set_block(struct app_line *line, enum reason reason, const char *detail);
/* Posts a command and waits for its result. Not on the line's thread. */
int app_line_command(struct app_line *line, const struct api_command *command, struct err_info *reterr);
/* Nobody will ask anything any more: jobs are brought to their end, and app_line_run returns. */
void app_line_finish(struct app_line *line);

uint32_t app_line_slot_count(const struct app_line *line);
uint64_t app_line_slot_read(const struct app_line *line, uint32_t slot, struct slot_view *out);
uint64_t app_line_seq(const struct app_line *line);

#endif
