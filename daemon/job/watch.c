/*
 * Watching: one question to a board whose job is over or has not begun, outside of the plan. Nothing of the
 * job changes by it, so that its record and what the slot shows stay as they are.
 */
#include "job/watch.h"

#include <assert.h>
#include <string.h>

#include "at/reply.h"
#include "base/buf.h"
#include "job/check.h"

#define TIMEOUT_US US_PER_S
#define SLACK_US   US_PER_S

void job_watch(struct job *job, int64_t now_us)
{
    assert(job->phase == JOB_ENDED || job->phase == JOB_ADMITTING);
    struct chat_command command = {
        .head = span_str("AT+CGSN=1"), .prefix = "+CGSN:", .timeout_us = TIMEOUT_US};
    job->watch = WATCH_OUT;
    job->watched_imei[0] = '\0';
    chat_cancel(&job->chat);
    chat_submit(&job->chat, &command, SLACK_US, now_us);
}

static void on_watch_line(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "+CGSN:");
    struct span imei = {0};
    if (cursor_string(&c, &imei) && cursor_end(&c) && check_imei(imei)) {
        buf_copy(job->watched_imei, sizeof(job->watched_imei), imei);
    }
}

void watch_event(struct job *job, const struct chat_event *event)
{
    switch (event->kind) {
    case CHAT_INFO:
        on_watch_line(job, event->line);
        break;
    case CHAT_BANNER:
        chat_cancel(&job->chat);
        job->watch = WATCH_OTHER;
        break;
    case CHAT_DONE:
        if (event->end == CHAT_END_TIMEOUT) {
            job->watch = WATCH_SILENT;
        } else {
            job->watch = strcmp(job->watched_imei, job->msg.imei) == 0 ? WATCH_SAME : WATCH_OTHER;
        }
        break;
    case CHAT_NONE:
    case CHAT_URC:
    case CHAT_STRAY:
        break;
    }
}
