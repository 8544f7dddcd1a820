/* The inside of a batch, shared by what it asks, what it takes and how it ends. */
#pragma once

#include "source/webapi_batch.h"

/* Whether somebody still waits for the job, and it may become good. */
static inline bool tg_webapi_job_alive(const struct tg_webapi_job *job)
{
    return job->poll && !job->failed;
}

/* Gives a job that is alive this verdict. */
static inline void tg_webapi_job_fail(struct tg_webapi_job *job, enum tg_poll_end end,
                                      const char *code, const char *why)
{
    if (!tg_webapi_job_alive(job)) return;
    (void)tg_rest_fail(&job->verdict, end, code, "%s", why);
    job->failed = true;
}

/* The next request of the step; false when there is nothing left to ask in it. */
bool tg_webapi_batch_ask(struct tg_webapi_batch *batch, struct tg_webapi_request *request);

/* Whether the order history is asked for of this job; the job then knows from when on. */
bool tg_webapi_job_plan_history(const struct tg_webapi_batch *batch, struct tg_webapi_job *job);

/* Everything has been asked: the job's records are made whole, or it has failed. */
void tg_webapi_batch_settle(struct tg_webapi_batch *batch, struct tg_webapi_job *job);
