/* The chat's events while a board is being watched (job_watch). Private to job/. */
#ifndef CERTLINE_JOB_WATCH_H
#define CERTLINE_JOB_WATCH_H

#include "job/job.h"

/* Moves job->watch on. */
void watch_event(struct job *job, const struct chat_event *event);

#endif
