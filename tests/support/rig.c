/* The job's surroundings, played in one thread: a link of unlimited buffers behind the station's pace, and a
 * ledger. */
#include "support/rig.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "job/check.h"
#include "job/place.h"
#include "pki/digest.h"
#include "pki/pem.h"
#include "support/keygenkit.h"

#define BAUD 115200

static const char CA_FILE[] = "/usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt";

/* Real modems that check (527) want a real certificate; the CA serves as one. */
static char ca_text[4096];

static void load_ca(void)
{
    if (ca_text[0]) {
        return;
    }
    FILE *file = fopen(CA_FILE, "re");
    if (!file || fread(ca_text, 1, sizeof(ca_text) - 1, file) == 0) {
        fprintf(stderr, "cannot read %s: install ca-certificates\n", CA_FILE);
        abort();
    }
    fclose(file);
}

static const char key_text[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPlayedKeyOfTheRi\n"
                               "gNotARealOneButLongEnoughToBeFoundAgainIfItEverLeaksIntoADialog0\n"
                               "-----END PRIVATE KEY-----\n";

static void add_entry(struct product *p, enum cred_type type, bool from_bundle)
{
    struct product_entry *e = &p->entries[p->n_entries++];
    *e = (struct product_entry){.sec_tag = RIG_TAG, .type = type, .from_bundle = from_bundle};
    if (!from_bundle) {
        e->content = span_str(ca_text);
        sha256(e->content, &e->sha256);
    }
}

void rig_init(struct rig *rig, enum sim_family family, enum sim_terminator term)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = family;
    config.term = term;
    rig_init_board(rig, &config);
}

void rig_init_board(struct rig *rig, const struct simboard_config *config)
{
    load_ca();
    *rig = (struct rig){
        .state = BUNDLE_BOUND, .refuse_claim = REASON_NONE, .ledger_us = 2000, .answer_us = TIME_NEVER};
    rig->board = simboard_new(config);
    rig->memory = (struct job_config){.content = calloc(1, JOB_CONTENT_SIZE),
                                      .frames = malloc(FRAMES_BURST_SIZE),
                                      .line = malloc(JOB_LINE_SIZE),
                                      .splice = malloc(JOB_SPLICE_SIZE),
                                      .dialogue = malloc(JOB_DIALOGUE_SIZE)};
    if (!rig->board || !rig->memory.content || !rig->memory.frames || !rig->memory.line ||
        !rig->memory.splice || !rig->memory.dialogue) {
        abort();
    }
    struct product *p = &rig->product;
    snprintf(p->name, sizeof(p->name), "tracker");
    p->final_line_end = true;
    p->job_limit_s = 60;
    add_entry(p, CRED_CA, false);
    add_entry(p, CRED_CLIENT_CERT, true);
    add_entry(p, CRED_PRIVATE_KEY, true);
    rig->contents[1] = ca_text;
    rig->contents[2] = key_text;
    memset(&rig->job, 0xA5, sizeof(rig->job)); /* nothing may hang on what was there */
    job_init(&rig->job, &rig->memory);
    rig->now_us = 5 * US_PER_S; /* booted long ago */
    simboard_run(rig->board, rig->now_us);
    simboard_port_open(rig->board, rig->now_us);
}

void rig_init_native(struct rig *rig, enum sim_family family)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = family;
    config.front = SIM_FRONT_SLM_TLS;
    config.term = SIM_TERM_CRLF;
    rig_init_board(rig, &config);
    rig->product.native_tls = true;
}

static int64_t clock_mono(const struct clock *clock)
{
    return ((const struct rig *)((const char *)clock - offsetof(struct rig, clock)))->now_us;
}

static int64_t clock_wall(const struct clock *clock)
{
    return INT64_C(1795000000000) + clock_mono(clock) / US_PER_MS;
}

/* A CA takes a while to make and to unlock: one for all rigs of a process. */
static struct signer *the_signer;

static void close_signer(void)
{
    signer_close(the_signer);
}

static struct signer *open_signer(void)
{
    static char certificate[SIGNER_PEM_MAX], key[SIGNER_PEM_MAX];
    struct span passphrase = span_str("a passphrase for rigs");
    struct signer_new_ca wanted = {
        .name = "Rig CA", .kind = KEY_P256, .days = 3650, .now_s = 1794000000, .passphrase = passphrase};
    if (the_signer) {
        return the_signer;
    }
    if (signer_make_ca(&wanted, certificate, key, NULL) < 0 ||
        signer_open_file(span_str(certificate), span_str(key), passphrase, &the_signer, NULL) < 0) {
        abort();
    }
    atexit(close_signer);
    return the_signer;
}

void rig_init_signed(struct rig *rig, enum sim_family family)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = family;
    rig_init_signed_board(rig, &config);
}

void rig_init_signed_board(struct rig *rig, const struct simboard_config *config)
{
    rig_init_board(rig, config);
    rig->product.signs_commands = true;
    rig->clock = (struct clock){.mono_us = clock_mono, .wall_ms = clock_wall};
    rig->signer = open_signer();
    rig->issuer = issuer_new(&(struct issuer_config){.signer = rig->signer, .clock = &rig->clock});
    if (!rig->issuer) {
        abort();
    }
}

void rig_init_keygen(struct rig *rig, enum sim_family family)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = family;
    rig_init_keygen_board(rig, &config);
}

void rig_init_keygen_board(struct rig *rig, const struct simboard_config *config)
{
    static const uint8_t octets[SEAL_KEY_SIZE] = "a wrapping key for all the rigs";
    rig_init_board(rig, config);
    struct product *p = &rig->product;
    p->source = SOURCE_KEYGEN;
    snprintf(p->device_id, sizeof(p->device_id), "nrf-{imei}");
    rig->clock = (struct clock){.mono_us = clock_mono, .wall_ms = clock_wall};
    rig->wrapping_key = seal_key_new(octets);
    rig->keys = keys_new(&(struct keys_config){.wrapping_key = rig->wrapping_key});
    rig->signer = open_signer();
    rig->issuer = issuer_new(&(struct issuer_config){
        .signer = rig->signer, .keys = rig->keys, .clock = &rig->clock, .validity_days = 365});
    if (!rig->wrapping_key || !rig->keys || !rig->issuer) {
        abort();
    }
}

void rig_done(struct rig *rig)
{
    issuer_free(rig->issuer);
    keys_free(rig->keys);
    seal_key_free(rig->wrapping_key);
    simboard_free(rig->board);
    free(rig->memory.content);
    free(rig->memory.frames);
    free(rig->memory.line);
    free(rig->memory.splice);
    free(rig->memory.dialogue);
}

void rig_start(struct rig *rig, bool is_fresh)
{
    struct job_begin begin = {
        .id = "01TESTJOB", .slot = "rack1/001", .fixture = "rack1", .is_fresh = is_fresh, .baud = BAUD};
    begin.is_chunked = rig->is_chunked;
    buf_copy(begin.wrong_port, sizeof(begin.wrong_port), span_str(rig->wrong_port ? rig->wrong_port : ""));
    job_start(&rig->job, &begin, rig->now_us);
}

void rig_restart(struct rig *rig)
{
    simboard_port_close(rig->board, rig->now_us);
    rig->now_us += 5 * US_PER_S;
    simboard_run(rig->board, rig->now_us);
    simboard_port_open(rig->board, rig->now_us);
    memset(&rig->job, 0xA5, sizeof(rig->job)); /* nothing may hang on what was there */
    job_init(&rig->job, &rig->memory);
    rig->out = NULL;
    rig->answer_us = TIME_NEVER;
    rig->dies_at = 0;
    rig->is_dead = false;
    rig->records = 0;
}

unsigned rig_writes(const struct rig *rig, enum cred_type type)
{
    struct place at = place_of(&rig->product, RIG_TAG, type);
    return simboard_nvm_writes(rig->board, at.sec_tag, at.type);
}

/* ---- the played ledger ---- */

/* Not just any content: a damaged command may have put the CA there. */
static bool holds_key(const struct rig *rig)
{
    struct place at = place_of(&rig->product, RIG_TAG, CRED_PRIVATE_KEY);
    struct simboard_entry entry;
    return simboard_entry_find(rig->board, at.sec_tag, at.type, &entry) &&
           span_is(span_of(entry.content, entry.len), key_text);
}

/* As the store has it: nothing before the certificate is issued. */
static void play_keygen_entry(struct rig *rig, struct ledger_msg *msg, struct ledger_entry *e)
{
    bool is_issued = rig->keygen.state == KEYGEN_ISSUED;
    msg->keygen.state = rig->keygen.state;
    if (e->type == CRED_PRIVATE_KEY) {
        e->is_made_on_board = true;
        e->expected = is_issued ? rig->listed : (struct digest){{0}};
    } else if (is_issued) {
        memcpy(msg->content, rig->sealed, rig->sealed_len);
        e->sealed_len = msg->content_len = rig->sealed_len;
    }
}

static void play_claim(struct rig *rig, struct ledger_msg *msg)
{
    if (rig->refuse_claim != REASON_NONE) {
        msg->status = LEDGER_NO;
        msg->reason = rig->refuse_claim;
        return;
    }
    msg->is_other_device = rig->known_uuid && strcmp(rig->known_uuid, msg->uuid) != 0;
    if (msg->is_other_device) {
        rig->other_devices++;
        msg->status = LEDGER_NO;
        msg->reason = REASON_duplicate_imei;
        return;
    }
    rig->claims++;
    snprintf(msg->bundle, sizeof(msg->bundle), "bundle-1");
    msg->bundle_state = rig->state;
    msg->passed_before = rig->passed_before;
    msg->n_entries = rig->product.n_entries;
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        const struct product_entry *e = &rig->product.entries[i];
        msg->entries[i] =
            (struct ledger_entry){.sec_tag = e->sec_tag, .type = e->type, .from_bundle = e->from_bundle};
        if (rig->keys && e->from_bundle) {
            play_keygen_entry(rig, msg, &msg->entries[i]);
        }
    }
}

static void play_issue(struct rig *rig, struct ledger_msg *msg)
{
    rig->issues++;
    msg->keygen.state = KEYGEN_ISSUED;
    rig->keygen = msg->keygen;
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        const struct ledger_entry *e = &msg->entries[i];
        if (e->is_made_on_board) {
            rig->listed = e->expected;
        } else if (e->sealed_len > 0) {
            memcpy(rig->sealed, msg->content + e->sealed_at, e->sealed_len);
            rig->sealed_len = e->sealed_len;
        }
    }
}

/* `text` with CR LF for each LF, or as it is. Returns the length. */
static size_t put_content(uint8_t *out, struct span text, bool is_crlf)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_crlf && text.at[i] == '\n') {
            out[n++] = '\r';
        }
        out[n++] = (uint8_t)text.at[i];
    }
    return n;
}

static void play_digest(struct rig *rig, struct ledger_msg *msg)
{
    msg->content_len = 0;
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        struct ledger_entry *e = &msg->entries[i];
        if (!e->from_bundle && !msg->stores_crlf) {
            e->expected = rig->product.entries[i].sha256;
            continue;
        }
        if (rig->is_erased && e->type == CRED_PRIVATE_KEY) {
            e->is_erased = true;
            sha256(span_str(rig->contents[i]), &e->expected);
            continue;
        }
        struct span text = e->from_bundle ? span_str(rig->contents[i]) : rig->product.entries[i].content;
        uint8_t *at = msg->content + msg->content_len;
        e->clear_at = msg->content_len;
        e->clear_len = (uint32_t)put_content(at, text, msg->stores_crlf);
        msg->content_len += e->clear_len;
        sha256(span_of((const char *)at, e->clear_len), &e->expected);
    }
    rig->stores_crlf = msg->stores_crlf;
}

static void play_record(struct rig *rig, struct ledger_msg *msg)
{
    rig->records++;
    rig->recorded = *msg;
    memcpy(rig->dialogue, msg->dialogue.at, msg->dialogue.len);
    rig->dialogue[msg->dialogue.len] = '\0';
    if (msg->bundle_effect == BUNDLE_INSTALLED) {
        rig->state = BUNDLE_INSTALLED_STATE;
        rig->passed_before = true;
    }
}

void rig_play(struct rig *rig, struct ledger_msg *msg)
{
    if (rig->on_message) {
        rig->on_message(rig->on_message_ctx, msg);
    }
    if (rig->failures > 0) {
        rig->failures--;
        msg->status = LEDGER_FAILED;
        return;
    }
    msg->status = LEDGER_OK;
    switch (msg->kind) {
    case LEDGER_CLAIM:
        play_claim(rig, msg);
        break;
    case LEDGER_DIGEST:
        if (rig->keys) {
            keys_answer(rig->keys, msg);
        } else {
            play_digest(rig, msg);
        }
        break;
    case LEDGER_EXPLAIN:
        msg->explain_mangling = MANGLING_OTHER;
        break;
    case LEDGER_EXPOSE:
        if (rig->exposes == 0) { /* what stands there later may come from a job before */
            rig->exposed_at_write += holds_key(rig);
        }
        rig->exposes++;
        rig->state = rig->state == BUNDLE_BOUND ? BUNDLE_EXPOSED : rig->state;
        break;
    case LEDGER_INTEND:
        rig->intents++;
        memset(msg->keygen.serial, (int)rig->intents, sizeof(msg->keygen.serial));
        msg->keygen.state = rig->keygen.state = KEYGEN_INTENDED;
        break;
    case LEDGER_ISSUE:
        play_issue(rig, msg);
        break;
    case LEDGER_CSR:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        keys_answer(rig->keys, msg);
        break;
    case LEDGER_SIGN:
    case LEDGER_AUTHORIZE:
        issuer_answer(rig->issuer, msg);
        break;
    case LEDGER_RECORD:
        play_record(rig, msg);
        break;
    }
}

/* ---- time ---- */

/* What may still leave of so many octets. */
static size_t alive(const struct rig *rig, size_t n)
{
    uint64_t left = rig->dies_at > rig->sent ? rig->dies_at - rig->sent : 0;
    return rig->dies_at == 0 || n < left ? n : (size_t)left;
}

static void send_out(struct rig *rig)
{
    struct job *job = &rig->job;
    for (struct span out = job_tx(job, rig->now_us); out.len > 0; out = job_tx(job, rig->now_us)) {
        bool is_content = chat_output_is_content(&job->chat);
        size_t n = alive(rig, out.len);
        rig->is_dead = n == 0;
        size_t taken = simboard_from_host(rig->board, out.at, n, rig->now_us);
        if (taken == 0) {
            break;
        }
        job_tx_done(job, taken, rig->now_us);
        rig->sent += taken;
        rig->was_content = is_content;
        rig->whole = job->chat.sent_us != TIME_NEVER ? rig->sent : rig->whole;
    }
}

static void pump(struct rig *rig)
{
    struct job *job = &rig->job;
    send_out(rig);
    if (job->msg_is_wanted && !rig->out) {
        if (job->msg.kind == LEDGER_RECORD) {
            job_stamp_end(job, 1, rig->now_us);
        }
        rig->out = job_take_msg(job);
        rig->answer_us = rig->now_us + rig->ledger_us;
    }
    if (job_phase(job) == JOB_ADMITTING) {
        struct job_grant grant = {.order = "WO-1", .product = &rig->product};
        job_admit(job, &grant, rig->now_us);
        pump(rig);
    }
}

bool rig_step(struct rig *rig)
{
    pump(rig);
    int64_t next = time_min(simboard_next_us(rig->board), time_min(job_deadline(&rig->job), rig->answer_us));
    if (next == TIME_NEVER) {
        return false;
    }
    rig->now_us = next > rig->now_us ? next : rig->now_us;
    simboard_run(rig->board, rig->now_us);
    char octets[512];
    for (size_t n = 1; n > 0;) {
        n = simboard_to_host(rig->board, octets, sizeof(octets), rig->now_us);
        job_rx(&rig->job, span_of(octets, n), rig->now_us);
    }
    if (!simboard_is_plugged(rig->board)) {
        job_lost(&rig->job, rig->now_us);
    }
    if (rig->now_us >= rig->answer_us) {
        struct ledger_msg *msg = rig->out;
        rig->out = NULL;
        rig->answer_us = TIME_NEVER;
        if (rig->answer) {
            rig->answer(rig, msg);
        } else {
            rig_play(rig, msg);
        }
        job_answer(&rig->job, rig->now_us);
    }
    if (rig->now_us >= job_deadline(&rig->job)) {
        job_tick(&rig->job, rig->now_us);
    }
    pump(rig);
    return true;
}

bool rig_run(struct rig *rig, int limit_s)
{
    int64_t end = rig->now_us + limit_s * US_PER_S;
    while (job_phase(&rig->job) != JOB_ENDED) {
        if (rig->now_us > end || !rig_step(rig)) {
            return false;
        }
    }
    return true;
}

const struct verdict *rig_provision(struct rig *rig, bool is_fresh)
{
    rig_start(rig, is_fresh);
    if (!rig_run(rig, 600)) {
        fprintf(stderr, "the job has not ended: it is at %s\n", job_step(&rig->job));
        abort();
    }
    return &rig->job.verdict;
}

static bool is_public_key_of(const struct rig *rig, struct span cert_der)
{
    char pem[SIM_PUBLIC_MAX];
    size_t len = simboard_public_key(rig->board, RIG_TAG, CRED_PRIVATE_KEY, pem);
    return len > 0 && keygenkit_is_key_of(cert_der, pem);
}

bool rig_key_is_right(const struct rig *rig)
{
    struct simboard_entry key, cert;
    if (!simboard_entry_find(rig->board, RIG_TAG, CRED_PRIVATE_KEY, &key) || !key.is_generated ||
        !simboard_entry_find(rig->board, RIG_TAG, CRED_CLIENT_CERT, &cert)) {
        return false;
    }
    struct pem pem;
    bool is_right = pem_parse(span_of(cert.content, cert.len), &pem) == 0 && pem.n_blocks == 1 &&
                    is_public_key_of(rig, pem.blocks[0].der);
    pem_done(&pem);
    return is_right;
}

bool rig_board_is_right(const struct rig *rig)
{
    for (uint32_t i = 0; i < rig->product.n_entries; i++) {
        const struct product_entry *e = &rig->product.entries[i];
        struct span wanted = e->from_bundle ? span_str(rig->contents[i]) : e->content;
        uint8_t stored[2 * sizeof(ca_text)];
        size_t len = put_content(stored, wanted, rig->stores_crlf);
        struct simboard_entry entry;
        struct place at = place_of(&rig->product, e->sec_tag, e->type);
        if (!simboard_entry_find(rig->board, at.sec_tag, at.type, &entry) ||
            !span_eq(span_of((const char *)stored, len), span_of(entry.content, entry.len))) {
            return false;
        }
    }
    return true;
}
