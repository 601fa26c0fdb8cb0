/*
 * Faults at one exact place. Every kind counts its opportunities with a counter that the board keeps anyway;
 * a fault waits for one value of it. Two ranges of places: the caller's, and those that faults given as text
 * need, so that a sweep can forget its own without touching the others.
 */
#include "sim/board_impl.h"

static uint64_t count_of(const struct simboard *b, enum sim_exact_kind kind)
{
    switch (kind) {
    case SIM_EXACT_IN_LOSE:
    case SIM_EXACT_IN_GARBLE:
    case SIM_EXACT_IN_DOUBLE:
    case SIM_EXACT_IN_DELAY:
    case SIM_EXACT_UNPLUG_IN:
        return b->in.count;
    case SIM_EXACT_OUT_LOSE:
    case SIM_EXACT_OUT_GARBLE:
    case SIM_EXACT_OUT_DOUBLE:
    case SIM_EXACT_OUT_DELAY:
    case SIM_EXACT_UNPLUG_OUT:
        return b->out.count;
    case SIM_EXACT_REBOOT:
    case SIM_EXACT_HANG:
        return b->commands;
    case SIM_EXACT_REBOOT_DONE:
    case SIM_EXACT_LOST_ANSWER:
        return b->finished;
    case SIM_EXACT_URC:
        return b->answer_octets;
    case SIM_EXACT_KINDS:
        break;
    }
    return 0;
}

static uint64_t exact_count(const struct simboard *b, enum sim_exact_kind kind)
{
    return count_of(b, kind) - b->exact_base[kind];
}

static bool is_here(const struct simboard *b, const struct sim_exact *f)
{
    if (f->kind == SIM_EXACT_URC && f->answer > 0)
        return b->answer.at >= b->answer.base && b->answer.at - b->answer.base + 1 == f->k &&
               (f->answer == SIM_EVERY_ANSWER || b->answers == f->answer);
    return count_of(b, f->kind) == f->k;
}

static void disarm(struct simboard *b, struct exact_slot *slot)
{
    b->exact_armed -= slot->is_armed;
    slot->is_armed = false;
}

bool exact_hit(struct simboard *b, enum sim_exact_kind kind, int64_t *ret_delay_us)
{
    for (size_t i = 0; b->exact_armed > 0 && i < EXACT_ALL_MAX; i++) {
        struct exact_slot *slot = &b->exact[i];
        if (!slot->is_armed || slot->fault.kind != kind || !is_here(b, &slot->fault))
            continue;
        if (slot->fault.answer != SIM_EVERY_ANSWER)
            disarm(b, slot);
        if (ret_delay_us)
            *ret_delay_us = slot->fault.delay_us;
        if (!slot->is_own)
            b->exact_fired[kind]++;
        else if (kind == SIM_EXACT_REBOOT)
            b->fired.reboot++;
        else
            b->fired.unplug++;
        return true;
    }
    return false;
}

/* Only an unplugging must be seen at once; every other octet's fault is caught up in time without anybody
 * looking. */
bool exact_waits_for_octet(const struct simboard *b)
{
    for (size_t i = 0; b->exact_armed > 0 && i < EXACT_ALL_MAX; i++) {
        enum sim_exact_kind kind = b->exact[i].fault.kind;
        if (b->exact[i].is_armed && (kind == SIM_EXACT_UNPLUG_IN || kind == SIM_EXACT_UNPLUG_OUT))
            return true;
    }
    return false;
}

int exact_arm(struct simboard *b, const struct sim_exact *fault, bool is_own)
{
    size_t from = is_own ? EXACT_MAX : 0;
    size_t to = is_own ? EXACT_ALL_MAX : EXACT_MAX;

    for (size_t i = from; i < to; i++) {
        if (!b->exact[i].is_armed) {
            b->exact[i] = (struct exact_slot){.is_armed = true, .is_own = is_own, .fault = *fault};
            b->exact_armed++;
            return 0;
        }
    }
    return -1;
}

int simboard_exact_add(struct simboard *b, const struct sim_exact *fault)
{
    struct sim_exact f = *fault;
    bool is_in_answer = f.kind == SIM_EXACT_URC && f.answer > 0;

    if (f.kind >= SIM_EXACT_KINDS || f.k == 0)
        return -1;
    if (!is_in_answer) {
        f.k += b->exact_base[f.kind];
        if (f.k <= count_of(b, f.kind))
            return -1;
    } else if (f.answer != SIM_EVERY_ANSWER) {
        f.answer += b->answers_base;
        if (f.answer <= b->answers)
            return -1;
    }
    return exact_arm(b, &f, false);
}

void simboard_exact_reset(struct simboard *b)
{
    for (size_t i = 0; i < EXACT_MAX; i++)
        disarm(b, &b->exact[i]);
    b->answers_base = b->answers;
    for (enum sim_exact_kind kind = 0; kind < SIM_EXACT_KINDS; kind++) {
        b->exact_fired[kind] = 0;
        b->exact_base[kind] = count_of(b, kind);
    }
}

uint64_t simboard_exact_opportunities(const struct simboard *b, enum sim_exact_kind kind)
{
    return kind < SIM_EXACT_KINDS ? exact_count(b, kind) : 0;
}

uint64_t simboard_exact_fired(const struct simboard *b, enum sim_exact_kind kind)
{
    return kind < SIM_EXACT_KINDS ? b->exact_fired[kind] : 0;
}

void exact_clear(struct simboard *b)
{
    for (size_t i = 0; i < EXACT_ALL_MAX; i++)
        disarm(b, &b->exact[i]);
}
