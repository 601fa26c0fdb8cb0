/*
 * The line's thread shell. Whatever comes in (octets, timers, mail, hot-plug) ends in one deferred call
 * before the loop sleeps, which sets the one timer to the station's next deadline.
 *
 * A slot's ledger message travels in an errand that is made with the slot, so that sending one allocates
 * nothing.
 */
#include "app_line.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bell.h"
#include "base/buf.h"
#include "base/log.h"
#include "io/hotplug.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/ports.h"

#define MAIL_BOX_SIZE                                                                                        \
    (2 * STATION_SLOTS_MAX + 1024) /* every slot's message and then some: it is never full */
#define MAIL_MAX      128
#define PORTS_STOP_MS 3000

enum mail_kind { MAIL_LEDGER, MAIL_NOTE, MAIL_COMMAND, MAIL_ORDERS, MAIL_BLOCK, MAIL_FINISH };

/* First member of everything that comes through the mailbox. */
struct mail {
    enum mail_kind kind;
};

struct courier {
    struct mail mail;
    struct app_line *line;
    struct ledger_msg *msg;
    struct store_op op, *ops[1];
    struct app_item item;
    struct app_errand errand;
    struct note {
        struct mail mail;
        struct app_line *line;
        uint32_t slot;
        int result;
        struct store_op op, *ops[1];
        struct app_item item;
    } note;
    bool has_told_failure; /* its port cannot be opened, and the log says so */
};

struct command_mail {
    struct mail mail;
    const struct api_command *command;
    struct err_info *reterr;
    int result;
    bool is_done;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

struct orders_mail {
    struct mail mail;
    uint32_t n;
    struct station_order orders[];
};

struct block_mail {
    struct mail mail;
    enum reason reason;
    char detail[VERDICT_DETAIL_SIZE];
};

/* Where a hot-plug watch leads: a fixture's glob, or one named slot. */
struct watch {
    const struct config_fixture *fixture;
    const struct config_slot *slot; /* NULL: the slots of the glob are named by what it matched */
};

struct app_line {
    struct app_line_config config;
    struct loop *loop;
    struct ports *ports;
    struct hotplug *hotplug;
    struct hotplug_events hotplug_events;
    struct station *station;
    struct station_env env;
    struct snapshot *views;
    struct mailbox *box;
    struct loop_fd mail_watch;
    struct loop_timer timer, stop_timer, watchdog;
    struct loop_deferred settled;
    struct courier **couriers; /* by slot */
    struct watch *watches;     /* by hot-plug watch */
    uint32_t n_watches;
    atomic_uint n_slots;
    bool is_first_scan, is_stopping, is_finished;
    int stop_ms;
    struct mail finish_mail;
};

static int64_t now_of(const struct app_line *line)
{
    return loop_now_us(line->loop);
}

/* ---- what the station asks for ---- */

static void env_open(void *ctx, uint32_t slot, uint32_t generation)
{
    ports_open(((struct app_line *)ctx)->ports, slot, generation);
}

static void env_close(void *ctx, uint32_t slot, uint32_t generation)
{
    ports_close(((struct app_line *)ctx)->ports, slot, generation);
}

static int env_write(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    return ports_write(((struct app_line *)ctx)->ports, slot, generation, octets);
}

static void ledger_back(struct courier *courier)
{
    /* The box holds a place for every slot: this cannot fail while the line runs, and afterwards nobody
     * waits. */
    (void)mailbox_send(courier->line->box, &courier->mail);
}

static void store_done(struct app_item *item, int result)
{
    struct courier *courier = (struct courier *)((char *)item - offsetof(struct courier, item));
    if (result < 0 && courier->msg->status == LEDGER_PENDING) {
        courier->msg->status = LEDGER_FAILED;
        buf_copy(courier->msg->detail, sizeof(courier->msg->detail), span_str(courier->op.detail));
    }
    ledger_back(courier);
}

static void keys_done(struct app_errand *errand)
{
    ledger_back((struct courier *)((char *)errand - offsetof(struct courier, errand)));
}

static int env_post(void *ctx, struct ledger_msg *msg)
{
    struct app_line *line = ctx;
    struct courier *courier = line->couriers[msg->slot_index];
    courier->msg = msg;
    switch (ledger_actor_of(msg->kind)) {
    case LEDGER_TO_KEYS:
        courier->errand.msg = msg;
        return app_keys_send(line->config.keys, &courier->errand);
    case LEDGER_TO_ISSUER:
        courier->errand.msg = msg;
        return app_keys_send(line->config.issuer, &courier->errand);
    case LEDGER_TO_STORE:
        break;
    }
    courier->op = (struct store_op){.kind = STORE_LEDGER, .ledger = msg};
    return app_store_send(line->config.store, &courier->item);
}

static void note_done(struct app_item *item, int result)
{
    struct note *note = (struct note *)((char *)item - offsetof(struct note, item));
    note->result = result < 0 ? result : note->op.result;
    (void)mailbox_send(note->line->box, &note->mail); /* it has its place there, as a message has */
}

static int env_note(void *ctx, uint32_t slot, bool is_quarantined, const char *who, const char *why)
{
    struct app_line *line = ctx;
    struct note *note = &line->couriers[slot]->note;
    note->op = (struct store_op){.kind = STORE_SLOT, .slot.is_quarantined = is_quarantined};
    buf_copy(note->op.slot.slot, sizeof(note->op.slot.slot), span_str(station_view(line->station, slot)->id));
    buf_copy(note->op.slot.who, sizeof(note->op.slot.who), span_str(who));
    buf_copy(note->op.slot.why, sizeof(note->op.slot.why), span_str(why));
    return app_store_send(line->config.store, &note->item);
}

/* A port that cannot be opened is in no record; every other verdict is, and the store's thread logs it from
 * there, so that a slow log never holds up the line. It is tried again every few seconds: told once, until
 * the port could be opened or is gone. */
static void log_port_failure(struct courier *courier, const struct slot_view *view)
{
    bool is_failure = view->has_verdict && view->verdict.reason == REASON_port_open_failed;
    if (is_failure && !courier->has_told_failure) {
        struct log_subject subject = {.module = "line", .slot = view->id, .reason = "port_open_failed"};
        log_line(LOG_LEVEL_WARNING, &subject, "%s: %s", view->port, view->verdict.detail);
    }
    courier->has_told_failure = is_failure || (courier->has_told_failure && view->state == SLOT_OPENING);
}

static void env_publish(void *ctx, uint32_t slot, const struct slot_view *view)
{
    struct app_line *line = ctx;
    snapshot_publish(line->views, slot, view);
    bell_ring(line->config.bell);
    if (line->couriers[slot]) {
        log_port_failure(line->couriers[slot], view);
    }
}

static void env_random(void *ctx, uint8_t out[10])
{
    (void)ctx;
    while (getrandom(out, 10, 0) != 10) {
    }
}

/* ---- ports and hot-plug ---- */

static void on_opened(void *ctx, uint32_t slot, uint32_t generation, int result, const char *detail)
{
    struct app_line *line = ctx;
    station_port_opened(line->station, slot, generation, result, detail, now_of(line));
    loop_defer(line->loop, &line->settled);
}

static void on_bytes(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    struct app_line *line = ctx;
    station_port_bytes(line->station, slot, generation, octets, now_of(line));
    loop_defer(line->loop, &line->settled);
}

static void on_writable(void *ctx, uint32_t slot, uint32_t generation)
{
    struct app_line *line = ctx;
    station_port_writable(line->station, slot, generation, now_of(line));
    loop_defer(line->loop, &line->settled);
}

static void on_closed(void *ctx, uint32_t slot, uint32_t generation)
{
    struct app_line *line = ctx;
    station_port_closed(line->station, slot, generation, now_of(line));
    loop_defer(line->loop, &line->settled);
}

/* A slot that was in quarantine when the station stopped still is. */
static void restore_slot(struct app_line *line, uint32_t index, const char *id)
{
    for (uint32_t i = 0; i < line->config.n_quarantined; i++) {
        if (strcmp(line->config.quarantined[i].slot, id) == 0) {
            station_quarantine(line->station, index, line->config.quarantined[i].why, now_of(line));
        }
    }
}

static int add_slot(struct app_line *line, const struct config_fixture *fixture, const char *name)
{
    struct slot_config slot = {
        .start = fixture->start, .is_polled = fixture->presence == PRESENCE_POLL, .baud = fixture->baud};
    buf_copy(slot.fixture, sizeof(slot.fixture), span_str(fixture->name));
    buf_copy(slot.name, sizeof(slot.name), span_str(name));
    int n = snprintf(slot.id, sizeof(slot.id), "%s/%s", fixture->name, name);
    if (n >= (int)sizeof(slot.id) || strlen(name) >= sizeof(slot.name)) {
        return ERR_RANGE;
    }
    struct courier *courier = calloc(1, sizeof(*courier));
    int index = courier ? station_add_slot(line->station, &slot) : -ENOMEM;
    if (index < 0) {
        free(courier);
        return index;
    }
    *courier = (struct courier){.mail.kind = MAIL_LEDGER, .line = line};
    courier->ops[0] = &courier->op;
    courier->item = (struct app_item){.ops = courier->ops, .n = 1, .done = store_done};
    courier->errand.done = keys_done;
    struct note *note = &courier->note;
    *note = (struct note){.mail.kind = MAIL_NOTE, .line = line, .slot = (uint32_t)index};
    note->ops[0] = &note->op;
    note->item = (struct app_item){.ops = note->ops, .n = 1, .done = note_done};
    line->couriers[index] = courier;
    restore_slot(line, (uint32_t)index, slot.id);
    snapshot_publish(line->views, (size_t)index, station_view(line->station, (uint32_t)index));
    atomic_store(&line->n_slots, (unsigned)index + 1);
    bell_ring(line->config.bell);
    return index;
}

static int slot_of(struct app_line *line, const struct watch *watch, const char *name)
{
    char id[2 * SLOT_ID_SIZE];
    snprintf(id, sizeof(id), "%s/%s", watch->fixture->name, watch->slot ? watch->slot->name : name);
    return station_find_slot(line->station, id);
}

/* Left to us, it is what the board has wired; every kit that Nordic makes has RTS/CTS. */
static enum port_flow flow_of(enum config_flow flow, const struct usb_kind *kind)
{
    switch (flow) {
    case FLOW_AUTO:
        return kind ? kind->flow : PORT_FLOW_RTSCTS;
    case FLOW_RTSCTS:
        return PORT_FLOW_RTSCTS;
    case FLOW_XONXOFF:
        return PORT_FLOW_XONXOFF;
    case FLOW_NONE:
        return PORT_FLOW_NONE;
    }
    return PORT_FLOW_RTSCTS;
}

/* Boards show several ports alike, and all but one never answer: says which one is meant. */
static const char *tell_wrong_port(const struct watch *watch, const struct hotplug_port *port,
                                   char out[VERDICT_DETAIL_SIZE])
{
    struct log_subject subject = {.module = "line", .slot = watch->slot ? watch->slot->id : port->name};
    if (port->kind->at_interface == USB_INTERFACE_LOWEST) {
        snprintf(out, VERDICT_DETAIL_SIZE, "%s takes no AT commands at %s: its first port does",
                 port->kind->model, port->usb);
    } else {
        snprintf(out, VERDICT_DETAIL_SIZE, "%s takes no AT commands at %s: its interface %d does",
                 port->kind->model, port->usb, port->kind->at_interface);
    }
    log_line(LOG_LEVEL_WARNING, &subject, "%s", out);
    return out;
}

static void on_arrived(void *ctx, const struct hotplug_port *port)
{
    struct app_line *line = ctx;
    const struct watch *watch = &line->watches[port->watch];
    int slot = slot_of(line, watch, port->name);
    if (slot < 0) {
        slot = add_slot(line, watch->fixture, port->name);
    }
    if (slot < 0) {
        log_sys("line", LOG_LEVEL_ERROR, "no slot for %s: %s", port->path, err_text(slot));
        return;
    }
    struct port_config config = {
        .baud = watch->slot ? watch->slot->baud : watch->fixture->baud,
        .flow = flow_of(watch->slot ? watch->slot->flow : watch->fixture->flow, port->kind),
    };
    buf_copy(config.path, sizeof(config.path), span_str(port->path));
    int r = ports_set(line->ports, (uint32_t)slot, &config);
    if (r < 0) {
        log_sys("line", LOG_LEVEL_ERROR, "%s: %s", port->path, err_text(r));
        return;
    }
    char wrong_port[VERDICT_DETAIL_SIZE];
    struct station_port arrived = {
        .name = port->device,
        .usb = port->usb,
        .wrong_port = port->is_wrong_port ? tell_wrong_port(watch, port, wrong_port) : NULL,
        .is_fresh = !line->is_first_scan,
    };
    station_port_arrived(line->station, (uint32_t)slot, &arrived, now_of(line));
    loop_defer(line->loop, &line->settled);
}

static void on_left(void *ctx, const struct hotplug_port *port)
{
    struct app_line *line = ctx;
    int slot = slot_of(line, &line->watches[port->watch], port->name);
    if (slot >= 0) {
        station_port_left(line->station, (uint32_t)slot, now_of(line));
        loop_defer(line->loop, &line->settled);
    }
}

static void on_hotplug_failed(void *ctx, const struct err_info *why)
{
    (void)ctx;
    log_sys("line", LOG_LEVEL_ERROR, "%s", why->text);
}

/* ---- mail ---- */

static int run_command(struct app_line *line, const struct api_command *c, struct err_info *reterr)
{
    int64_t now_us = now_of(line);
    switch (c->kind) {
    case API_START:
        return station_start(line->station, c->slot, c->generation, c->operator_name, c->unit_serial, reterr,
                             now_us);
    case API_ABORT:
        return station_abort(line->station, c->slot, c->generation, reterr, now_us);
    case API_RELEASE:
        return station_release(line->station, c->slot, c->generation, c->operator_name, reterr, now_us);
    case API_RETRY:
        return station_retry(line->station, c->slot, c->generation, reterr, now_us);
    }
    return ERR_INTERNAL;
}

static void answer_command(struct command_mail *mail, int result)
{
    pthread_mutex_lock(&mail->lock);
    mail->result = result;
    mail->is_done = true;
    pthread_cond_signal(&mail->wake);
    pthread_mutex_unlock(&mail->lock);
}

static void take_mail(struct app_line *line, struct mail *mail)
{
    switch (mail->kind) {
    case MAIL_LEDGER:
        station_ledger_answer(line->station, ((struct courier *)mail)->msg, now_of(line));
        break;
    case MAIL_NOTE:
        station_noted(line->station, ((struct note *)mail)->slot, ((struct note *)mail)->result,
                      now_of(line));
        break;
    case MAIL_COMMAND:
        answer_command((struct command_mail *)mail, run_command(line, ((struct command_mail *)mail)->command,
                                                                ((struct command_mail *)mail)->reterr));
        break;
    case MAIL_ORDERS:
        station_set_orders(line->station, ((struct orders_mail *)mail)->orders,
                           ((struct orders_mail *)mail)->n, now_of(line));
        free(mail);
        break;
    case MAIL_BLOCK:
        station_set_block(line->station, ((struct block_mail *)mail)->reason,
                          ((struct block_mail *)mail)->detail, now_of(line));
        free(mail);
        break;
    case MAIL_FINISH:
        line->is_finished = true;
        break;
    }
}

/* What came too late. Whoever waits for a command is told: it would wait for ever, and the end for it. */
static void refuse_mail(struct mail *mail)
{
    switch (mail->kind) {
    case MAIL_COMMAND:
        answer_command((struct command_mail *)mail,
                       err_set(((struct command_mail *)mail)->reterr, ERR_CLOSED, "the line has ended"));
        break;
    case MAIL_ORDERS:
    case MAIL_BLOCK:
        free(mail);
        break;
    case MAIL_LEDGER:
    case MAIL_NOTE:
    case MAIL_FINISH:
        break;
    }
}

/* Nothing is taken any more. */
static void close_box(struct app_line *line)
{
    void *mail;
    mailbox_close(line->box);
    while (mailbox_take(line->box, &mail, 1) == 1) {
        refuse_mail(mail);
    }
}

static void on_mail(void *ctx, unsigned ready)
{
    (void)ready;
    struct app_line *line = ctx;
    void *mail[MAIL_MAX];
    size_t n = mailbox_take(line->box, mail, MAIL_MAX);
    for (size_t i = 0; i < n; i++) {
        take_mail(line, mail[i]);
    }
    loop_defer(line->loop, &line->settled);
}

/* ---- time ---- */

static void on_timer(void *ctx)
{
    struct app_line *line = ctx;
    station_tick(line->station, now_of(line));
    loop_defer(line->loop, &line->settled);
}

static void on_watchdog(void *ctx)
{
    struct app_line *line = ctx;
    notify_watchdog();
    loop_timer_set(line->loop, &line->watchdog, now_of(line) + notify_watchdog_us() / 2);
}

/* Before the loop sleeps. */
static void on_settled(void *ctx)
{
    struct app_line *line = ctx;
    loop_timer_set(line->loop, &line->timer, station_deadline(line->station));
    if (line->is_stopping && line->is_finished && station_is_idle(line->station)) {
        loop_quit(line->loop);
    }
}

static void on_stop_limit(void *ctx)
{
    struct app_line *line = ctx;
    log_sys("line", LOG_LEVEL_WARNING, "stopping although jobs have not come to their end");
    loop_quit(line->loop);
}

static void on_signal(void *ctx)
{
    struct app_line *line = ctx;
    if (line->is_stopping) {
        return;
    }
    line->is_stopping = true;
    notify_stopping("bringing jobs to their end");
    log_sys("line", LOG_LEVEL_NOTICE, "stopping: jobs under way are brought to a safe point");
    station_shutdown(line->station, now_of(line));
    loop_timer_set(line->loop, &line->stop_timer, now_of(line) + line->stop_ms * US_PER_MS);
    line->config.stopping(line->config.ctx);
    loop_defer(line->loop, &line->settled);
}

/* ---- building ---- */

static int add_watch(struct app_line *line, const struct config_fixture *fixture,
                     const struct config_slot *slot, struct err_info *reterr)
{
    int at;
    if (!slot) {
        at = hotplug_add_glob(line->hotplug, fixture->ports, reterr);
    } else if (slot->usb) {
        at = hotplug_add_usb(line->hotplug, slot->usb, slot->name, reterr);
    } else {
        at = hotplug_add_path(line->hotplug, slot->port, slot->name, reterr);
    }
    if (at < 0) {
        return at;
    }
    struct watch *grown = realloc(line->watches, ((size_t)at + 1) * sizeof(*grown));
    if (!grown) {
        return err_set(reterr, -ENOMEM, "no memory for the ports");
    }
    line->watches = grown;
    line->watches[at] = (struct watch){fixture, slot};
    line->n_watches = (uint32_t)at + 1;
    return 0;
}

static int add_fixture(struct app_line *line, const struct config_fixture *fixture, struct err_info *reterr)
{
    if (fixture->ports) {
        return add_watch(line, fixture, NULL, reterr);
    }
    for (uint32_t i = 0; i < fixture->n_slots; i++) {
        const struct config_slot *slot = &fixture->slots[i];
        int r = add_slot(line, fixture, slot->name);
        if (r >= 0) {
            r = add_watch(line, fixture, slot, reterr);
        }
        if (r < 0) {
            return err_set(reterr, r, "slot %s: %s", slot->id, err_text(r));
        }
    }
    return 0;
}

static int build(struct app_line *line, struct err_info *reterr)
{
    line->loop = loop_new();
    line->box = mailbox_new(MAIL_BOX_SIZE);
    line->views = snapshot_new(STATION_SLOTS_MAX, sizeof(struct slot_view));
    line->couriers = calloc(STATION_SLOTS_MAX, sizeof(struct courier *));
    if (!line->loop || !line->box || !line->views || !line->couriers) {
        return err_set(reterr, -ENOMEM, "no memory or descriptors for the line");
    }
    line->env = (struct station_env){line,     env_open,    env_close,  env_write,
                                     env_post, env_publish, env_random, env_note};
    line->station = station_new(NULL, 0, &line->env, &clock_system, reterr);
    struct ports_events events = {line, on_opened, on_bytes, on_writable, on_closed};
    line->ports = ports_new(line->loop, NULL, &events, reterr);
    line->hotplug_events = (struct hotplug_events){on_arrived, on_left, on_hotplug_failed};
    line->hotplug = hotplug_new(line->loop, &line->hotplug_events, line, reterr);
    if (!line->station || !line->ports || !line->hotplug) {
        return ERR_INTERNAL;
    }
    int r = loop_fd_add(line->loop, &line->mail_watch, mailbox_fd(line->box), LOOP_READ, on_mail, line);
    for (uint32_t i = 0; r >= 0 && i < line->config.config->n_fixtures; i++) {
        r = add_fixture(line, &line->config.config->fixtures[i], reterr);
    }
    if (r >= 0) {
        r = loop_on_signal(line->loop, SIGTERM, on_signal, line);
    }
    return r >= 0 ? loop_on_signal(line->loop, SIGINT, on_signal, line) : r;
}

struct app_line *app_line_new(const struct app_line_config *config, struct err_info *reterr)
{
    struct app_line *line = calloc(1, sizeof(*line));
    if (!line) {
        err_set(reterr, -ENOMEM, "no memory for the line");
        return NULL;
    }
    line->config = *config;
    line->timer = (struct loop_timer){.fn = on_timer, .ctx = line};
    line->stop_timer = (struct loop_timer){.fn = on_stop_limit, .ctx = line};
    line->watchdog = (struct loop_timer){.fn = on_watchdog, .ctx = line};
    line->settled = (struct loop_deferred){.fn = on_settled, .ctx = line};
    line->finish_mail.kind = MAIL_FINISH;
    int r = build(line, reterr);
    if (r < 0) {
        err_set(reterr, r, "the line cannot be built: %s", err_text(r));
        app_line_free(line);
        return NULL;
    }
    return line;
}

void app_line_free(struct app_line *line)
{
    if (!line) {
        return;
    }
    hotplug_free(line->hotplug);
    ports_free(line->ports, PORTS_STOP_MS);
    loop_fd_remove(&line->mail_watch);
    loop_timer_cancel(&line->timer);
    loop_timer_cancel(&line->stop_timer);
    loop_timer_cancel(&line->watchdog);
    loop_defer_cancel(&line->settled);
    loop_free(line->loop);
    station_free(line->station);
    if (line->box) { /* a line that was built and never ran has mail as well */
        close_box(line);
    }
    unsigned n = atomic_load(&line->n_slots);
    for (unsigned i = 0; line->couriers && i < n; i++) {
        free(line->couriers[i]);
    }
    free(line->couriers);
    free(line->watches);
    mailbox_free(line->box);
    snapshot_free(line->views);
    free(line);
}

int app_line_run(struct app_line *line, int stop_ms)
{
    line->stop_ms = stop_ms;
    if (notify_watchdog_us() > 0) {
        on_watchdog(line);
    }
    line->is_first_scan = true;
    hotplug_rescan(line->hotplug);
    line->is_first_scan = false;
    int r = loop_run(line->loop);
    close_box(line); /* also when the loop has failed: HTTP's workers must come to their end */
    return r;
}

/* ---- from other threads ---- */

void app_line_set_orders(struct app_line *line, const struct station_order *orders, uint32_t n)
{
    struct orders_mail *mail = malloc(sizeof(*mail) + n * sizeof(*orders));
    if (!mail) {
        log_sys("line", LOG_LEVEL_ERROR, "no memory to tell the line about %u orders", n);
        return;
    }
    mail->mail.kind = MAIL_ORDERS;
    mail->n = n;
    if (n > 0) {
        memcpy(mail->orders, orders, n * sizeof(*orders));
    }
    if (mailbox_send(line->box, mail) < 0) {
        free(mail);
    }
}

void app_line_set_block(struct app_line *line, enum reason reason, const char *detail)
{
    struct block_mail *mail = calloc(1, sizeof(*mail));
    if (!mail) {
        return;
    }
    mail->mail.kind = MAIL_BLOCK;
    mail->reason = reason;
    buf_copy(mail->detail, sizeof(mail->detail), span_str(detail));
    if (mailbox_send(line->box, mail) < 0) {
        free(mail);
    }
}

int app_line_command(struct app_line *line, const struct api_command *command, struct err_info *reterr)
{
    struct command_mail mail = {
        .mail.kind = MAIL_COMMAND,
        .command = command,
        .reterr = reterr,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .wake = PTHREAD_COND_INITIALIZER,
    };
    int r = mailbox_send(line->box, &mail);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&mail.lock);
    while (!mail.is_done) {
        pthread_cond_wait(&mail.wake, &mail.lock);
    }
    pthread_mutex_unlock(&mail.lock);
    pthread_cond_destroy(&mail.wake);
    pthread_mutex_destroy(&mail.lock);
    return mail.result;
}

void app_line_finish(struct app_line *line)
{
    (void)mailbox_send(line->box, &line->finish_mail);
}

uint32_t app_line_slot_count(const struct app_line *line)
{
    return atomic_load(&line->n_slots);
}

uint64_t app_line_slot_read(const struct app_line *line, uint32_t slot, struct slot_view *out)
{
    return snapshot_read(line->views, slot, out);
}

uint64_t app_line_seq(const struct app_line *line)
{
    return snapshot_changes(line->views);
}
