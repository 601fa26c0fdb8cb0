/*
 * Each slot is a small machine around its one opener job:
 *
 *     IDLE ──open──▶ OPENING ──answer──▶ OPEN ──close, hang-up──▶ CLOSING ──answer──▶ IDLE
 *                       └──────close (cancels)────────────────────▶┘
 *
 * While the job is lent (OPENING, CLOSING) another open can only be noted; it starts when the job is back.
 * That is the whole protection against a close that finishes late and takes the next board's octets with it.
 * A wedged tty therefore holds its own slot for as long as it hangs, and no other one.
 *
 * All ports read into one piece of memory: the loop runs one callback at a time, and 256 private buffers
 * would only push each other out of the cache.
 */
#include "io/ports.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE 4096 /* what a pseudo-terminal hands out at a time; a third of a second at 115,200 baud */
#define TAKE_MAX  32

enum slot_state { SLOT_IDLE, SLOT_OPENING, SLOT_OPEN, SLOT_CLOSING };

struct slot {
    struct ports *ports;
    uint32_t index;
    enum slot_state state;
    uint32_t generation; /* while OPENING and OPEN */
    bool is_wanted;      /* an open waits for the job to come back */
    uint32_t wanted;     /* its generation */
    struct port_config config;
    struct port port;
    struct opener_job job;
};

struct ports {
    struct loop *loop;
    struct opener *opener;
    struct ports_events events;
    struct loop_fd answers;
    uint32_t n_open;
    struct slot *slots[PORTS_SLOTS_MAX];
    char memory[READ_SIZE];
};

/* --- jobs
 * ----------------------------------------------------------------------------------------------------------
 */

static void begin_open(struct slot *slot, uint32_t generation)
{
    slot->state = SLOT_OPENING;
    slot->generation = generation;
    slot->job = (struct opener_job){
        .kind = OPENER_OPEN,
        .slot = slot->index,
        .generation = generation,
        .config = slot->config,
        .fd = -1,
    };
    opener_post(slot->ports->opener, &slot->job);
}

static void begin_close(struct slot *slot, int fd)
{
    slot->state = SLOT_CLOSING;
    slot->job = (struct opener_job){
        .kind = OPENER_CLOSE,
        .slot = slot->index,
        .generation = slot->generation,
        .fd = fd,
    };
    opener_post(slot->ports->opener, &slot->job);
}

/* From OPENING or OPEN. */
static void end_slot(struct slot *slot)
{
    if (slot->state == SLOT_OPENING) {
        slot->state = SLOT_CLOSING;
        opener_cancel(slot->ports->opener, &slot->job);
    } else if (slot->state == SLOT_OPEN) {
        slot->ports->n_open--;
        begin_close(slot, port_detach(&slot->port));
    }
}

/* --- what a port says
 * ---------------------------------------------------------------------------------------------- */

static void on_bytes(void *ctx, struct span octets)
{
    struct slot *slot = ctx;
    const struct ports_events *events = &slot->ports->events;
    events->bytes(events->ctx, slot->index, slot->generation, octets);
}

static void on_writable(void *ctx)
{
    struct slot *slot = ctx;
    const struct ports_events *events = &slot->ports->events;
    events->writable(events->ctx, slot->index, slot->generation);
}

/* Closed at once: as long as we hold it, a board that comes back gets another number. */
static void on_closed(void *ctx, int error)
{
    (void)error;
    struct slot *slot = ctx;
    const struct ports_events *events = &slot->ports->events;
    uint32_t generation = slot->generation;
    end_slot(slot);
    events->closed(events->ctx, slot->index, generation);
}

static const struct port_events port_events = {
    .bytes = on_bytes, .writable = on_writable, .closed = on_closed};

/* --- what the opener says
 * ------------------------------------------------------------------------------------------ */

static void tell_opened(struct slot *slot, int result, const char *detail)
{
    const struct ports_events *events = &slot->ports->events;
    events->opened(events->ctx, slot->index, slot->generation, result, detail);
}

static void on_opened(struct slot *slot)
{
    struct ports *ports = slot->ports;
    int fd = slot->job.fd;
    if (fd < 0) {
        slot->state = SLOT_IDLE;
        struct err_info why = slot->job.why; /* the callback may open again, which takes the job */
        tell_opened(slot, fd, why.code ? why.text : err_text(fd));
        return;
    }
    int r =
        port_attach(&slot->port, ports->loop, fd, ports->memory, sizeof(ports->memory), &port_events, slot);
    if (r < 0) {
        begin_close(slot, fd);
        tell_opened(slot, r, err_text(r));
        return;
    }
    slot->state = SLOT_OPEN;
    ports->n_open++;
    tell_opened(slot, 0, "");
}

static void on_ended(struct slot *slot)
{
    if (slot->job.kind == OPENER_OPEN && slot->job.fd >= 0) {
        begin_close(slot, slot->job.fd); /* it was open before the opener heard that nobody wants it */
        return;
    }
    slot->state = SLOT_IDLE;
    if (slot->is_wanted) {
        slot->is_wanted = false;
        begin_open(slot, slot->wanted);
    }
}

static void on_answers(void *ctx, unsigned ready)
{
    (void)ready;
    struct ports *ports = ctx;
    struct opener_job *jobs[TAKE_MAX];
    size_t n = opener_take(ports->opener, jobs, TAKE_MAX);
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = ports->slots[jobs[i]->slot];
        if (slot->state == SLOT_OPENING) {
            on_opened(slot);
        } else {
            on_ended(slot);
        }
    }
}

/* --- calls
 * ---------------------------------------------------------------------------------------------------------
 */

struct ports *ports_new(struct loop *loop, const struct opener_config *opener,
                        const struct ports_events *events, struct err_info *reterr)
{
    struct ports *ports = calloc(1, sizeof(*ports));
    if (!ports) {
        err_set(reterr, -ENOMEM, "no memory for the table of ports");
        return NULL;
    }
    ports->loop = loop;
    ports->events = *events;
    struct opener_config config = opener ? *opener : (struct opener_config){0};
    config.jobs_max = PORTS_SLOTS_MAX;
    ports->opener = opener_new(&config, reterr);
    if (!ports->opener) {
        free(ports);
        return NULL;
    }
    int r = loop_fd_add(loop, &ports->answers, opener_fd(ports->opener), LOOP_READ, on_answers, ports);
    if (r < 0) {
        err_set(reterr, r, "the opener's answers cannot be watched: %s", err_text(r));
        ports_free(ports, OPENER_STOP_MS);
        return NULL;
    }
    return ports;
}

void ports_free(struct ports *ports, int stop_ms)
{
    if (!ports) {
        return;
    }
    loop_fd_remove(&ports->answers);
    for (uint32_t i = 0; i < PORTS_SLOTS_MAX; i++) {
        if (ports->slots[i]) {
            end_slot(ports->slots[i]);
        }
    }
    opener_free(ports->opener, stop_ms);
    for (uint32_t i = 0; i < PORTS_SLOTS_MAX; i++) {
        free(ports->slots[i]);
    }
    free(ports);
}

int ports_set(struct ports *ports, uint32_t index, const struct port_config *config)
{
    if (index >= PORTS_SLOTS_MAX) {
        return ERR_RANGE;
    }
    struct slot *slot = ports->slots[index];
    if (!slot) {
        slot = calloc(1, sizeof(*slot));
        if (!slot) {
            return -ENOMEM;
        }
        slot->ports = ports;
        slot->index = index;
        slot->port.fd = -1;
        ports->slots[index] = slot;
    }
    slot->config = *config;
    return 0;
}

static struct slot *find(const struct ports *ports, uint32_t index)
{
    return index < PORTS_SLOTS_MAX ? ports->slots[index] : NULL;
}

void ports_open(struct ports *ports, uint32_t index, uint32_t generation)
{
    struct slot *slot = find(ports, index);
    assert(slot);
    if (slot->state == SLOT_IDLE) {
        begin_open(slot, generation);
        return;
    }
    end_slot(slot);
    slot->is_wanted = true;
    slot->wanted = generation;
}

void ports_close(struct ports *ports, uint32_t index, uint32_t generation)
{
    struct slot *slot = find(ports, index);
    if (!slot) {
        return;
    }
    if (slot->is_wanted && slot->wanted == generation) {
        slot->is_wanted = false;
    }
    if ((slot->state == SLOT_OPENING || slot->state == SLOT_OPEN) && slot->generation == generation) {
        end_slot(slot);
    }
}

int ports_write(struct ports *ports, uint32_t index, uint32_t generation, struct span octets)
{
    struct slot *slot = find(ports, index);
    if (!slot || slot->state != SLOT_OPEN || slot->generation != generation) {
        return ERR_CLOSED;
    }
    return port_write(&slot->port, octets);
}

uint32_t ports_open_count(const struct ports *ports)
{
    return ports->n_open;
}
