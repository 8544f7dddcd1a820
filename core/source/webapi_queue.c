/* Polls come one by one and are served many at once:
 *
 *     waiting ──(gather)──► batch ──► finished ──(some a turn)──► done
 *
 * A batch takes what waits: up to `batch_logins` accounts by their logins, or, where group masks
 * are configured and more than that wait, all of them with one request a part. So the requests a
 * second do not grow with the accounts. There is one session, and one request under way.
 *
 * A server that wants fewer requests gets fewer rounds: all that wait are one round, and the next
 * one begins a pace after the one before.
 *
 * While the session is away, polls fail with what ails it, at once when it will not be back soon.
 * Ends are told some hundred a turn of the loop, so that clients are served between the thousands.
 *
 * What would break it: `done` cancels and starts polls, so no list is walked across it; the session
 * calls back from inside of what it is told, so nothing is asked of it there, only afterwards. */
#include "source/webapi_source_inner.h"

#include "base/log.h"
#include "source/webapi_retcode.h"

#include <stdlib.h>
#include <string.h>

#define ENDS_A_TURN 256
#define SOON_MS 1000 /* a session that comes back within this is waited for */
#define SPARE_JOBS 4096

static int64_t now_of(const struct tg_webapi_source *source)
{
    return tg_mono_ms(source->clock);
}

/* ---- jobs ---- */

struct tg_webapi_job *tg_webapi_queue_take(struct tg_webapi_source *source, struct tg_poll *poll)
{
    struct tg_list *node = tg_list_first(&source->spare);
    struct tg_webapi_job *job =
        node ? tg_of(node, struct tg_webapi_job, node) : malloc(sizeof *job);
    if (!job) return NULL;
    if (node) {
        tg_list_remove(node);
        source->spare_count--;
    }
    memset(job, 0, sizeof *job);
    tg_list_init(&job->node);
    job->poll = poll;
    job->arrived_ms = now_of(source);
    poll->driver = job;
    return job;
}

void tg_webapi_queue_give(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    if (job->poll) job->poll->driver = NULL;
    job->poll = NULL;
    if (source->spare_count == SPARE_JOBS) {
        free(job);
        return;
    }
    source->spare_count++;
    tg_list_append(&source->spare, &job->node);
}

static void finish(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    job->place = TG_WEBAPI_FINISHED;
    tg_list_append(&source->finished, &job->node);
}

void tg_webapi_queue_refuse(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    job->failed = true;
    finish(source, job);
}

static void fail_job(struct tg_webapi_job *job, const struct tg_rest_verdict *verdict)
{
    job->verdict = *verdict;
    job->failed = true;
}

void tg_webapi_queue_tell(struct tg_webapi_source *source)
{
    struct tg_list *node;
    for (int n = 0; n < ENDS_A_TURN && (node = tg_list_first(&source->finished)); n++) {
        struct tg_webapi_job *job = tg_of(node, struct tg_webapi_job, node);
        struct tg_poll *poll = job->poll;
        tg_list_remove(node);
        poll->end = job->failed ? job->verdict.end : TG_POLL_OK;
        if (job->failed) {
            tg_records_clear(&poll->records);
            poll->retry_after_ms = job->verdict.retry_after_ms;
            memcpy(poll->code, job->verdict.code, sizeof poll->code);
            memcpy(poll->message, job->verdict.message, sizeof poll->message);
        }
        tg_webapi_queue_give(source, job);
        poll->ops->done(poll);
    }
}

/* ---- the queue ---- */

static void unqueue(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    tg_list_remove(&job->node);
    source->waiting_count--;
}

static void fail_waiting(struct tg_webapi_source *source, const struct tg_rest_verdict *verdict)
{
    struct tg_list *node;
    while ((node = tg_list_first(&source->waiting))) {
        struct tg_webapi_job *job = tg_of(node, struct tg_webapi_job, node);
        unqueue(source, job);
        fail_job(job, verdict);
        finish(source, job);
    }
}

/* Polls that have waited too long; the queue is in the order of arrival. A round that is held back
 * on purpose is no reason to fail. */
static void fail_overdue(struct tg_webapi_source *source)
{
    struct tg_rest_verdict verdict = {0};
    int64_t limit = now_of(source) - source->poll_timeout_ms - tg_pace_ms(&source->pace);
    if (now_of(source) < source->patient_ms) return;
    (void)tg_rest_fail(&verdict, TG_POLL_FAILED, "POLL_TIMEOUT",
                       "the poll's turn did not come in time; the session is %s",
                       tg_webapi_state_name(source->session.state));
    for (struct tg_list *node; (node = tg_list_first(&source->waiting));) {
        struct tg_webapi_job *job = tg_of(node, struct tg_webapi_job, node);
        if (job->arrived_ms > limit) return;
        unqueue(source, job);
        fail_job(job, &verdict);
        finish(source, job);
    }
}

/* Whether the session is away for longer than a poll should wait to hear of it. */
static bool away(const struct tg_webapi_source *source)
{
    const struct tg_webapi_session *session = &source->session;
    return session->state == TG_WEBAPI_WAITING && session->due_ms - now_of(source) > SOON_MS;
}

/* ---- batches ---- */

static int reserve(struct tg_webapi_source *source, uint32_t count)
{
    if (count <= source->picked_cap) return 0;
    struct tg_webapi_job **wider = realloc(source->picked, count * sizeof(*wider));
    if (!wider) return -TG_ENOMEM;
    source->picked = wider;
    source->picked_cap = count;
    return 0;
}

/* Takes from the queue what goes into one batch: one poll a login, in the order of arrival. */
static uint32_t pick(struct tg_webapi_source *source)
{
    uint32_t logins = (uint32_t)source->batch_options.logins, count = 0;
    bool by_group = source->batch_options.groups && source->waiting_count > logins;
    uint32_t most = by_group ? source->waiting_count : logins;
    if (reserve(source, most)) return 0;
    tg_list_each(node, &source->waiting)
    {
        struct tg_webapi_job *job = tg_of(node, struct tg_webapi_job, node);
        if (job->client->job || (by_group && job->client->by_login)) continue;
        job->client->job = job;
        unqueue(source, job);
        job->place = TG_WEBAPI_BATCHED;
        source->picked[count++] = job;
        if (count == most) break;
    }
    return count;
}

static void begin_batch(struct tg_webapi_source *source)
{
    struct tg_webapi_batch *batch = &source->batch;
    int64_t now = now_of(source);
    uint32_t count = pick(source);
    if (!count) return;
    if (!source->in_round) source->round_ms = now;
    source->in_round = source->waiting_count > 0;
    source->pace_due_ms = source->in_round ? now : source->round_ms + tg_pace_ms(&source->pace);
    tg_webapi_note_batch(source, count);
    if (!source->session.frozen)
        source->wall_ms = tg_wall_ms(source->clock) + source->session.zone.skew_ms;
    if (!tg_webapi_batch_begin(batch, source->picked, count, now, source->wall_ms)) {
        source->running = true;
        return;
    }
    struct tg_rest_verdict verdict = {0};
    (void)tg_rest_fail(&verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        source->picked[i]->client->job = NULL;
        fail_job(source->picked[i], &verdict);
        finish(source, source->picked[i]);
    }
}

static void end_batch(struct tg_webapi_source *source)
{
    struct tg_webapi_batch *batch = &source->batch;
    uint32_t count = batch->count;
    source->running = false;
    tg_webapi_batch_end(batch);
    for (uint32_t i = 0; i < count; i++) {
        if (batch->jobs[i]->poll)
            finish(source, batch->jobs[i]);
        else
            tg_webapi_queue_give(source, batch->jobs[i]);
    }
}

/* The server wants less of us: nothing for a while, and then half as many rounds. */
static void slow_down(struct tg_webapi_source *source)
{
    int64_t now = now_of(source);
    tg_pace_busy(&source->pace, now);
    source->in_round = false;
    source->pace_due_ms = now + tg_pace_ms(&source->pace);
    source->counters.slowed++;
    tg_warn("source", "slowed_down", tg_i("pace_ms", tg_pace_ms(&source->pace)));
}

/* A batch has come to its end. One that failed, for whatever reason, does not show that the server
 * bears more. */
static void speed_up(struct tg_webapi_source *source)
{
    if (source->batch.failed || !tg_pace_ok(&source->pace, now_of(source))) return;
    if (!source->in_round) source->pace_due_ms = source->round_ms + tg_pace_ms(&source->pace);
    tg_info("source", "sped_up", tg_i("pace_ms", tg_pace_ms(&source->pace)));
}

/* Asks the next request of the batch, or ends it. */
static void advance(struct tg_webapi_source *source)
{
    struct tg_webapi_request request;
    struct tg_rest_verdict verdict = {0};
    if (!tg_webapi_batch_next(&source->batch, &request)) {
        speed_up(source);
        end_batch(source);
        return;
    }
    if (!tg_webapi_session_ask(&source->session, &request, now_of(source))) return;
    (void)tg_rest_fail(&verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    tg_webapi_batch_fail(&source->batch, &verdict);
    end_batch(source);
}

static bool batch_due(struct tg_webapi_source *source)
{
    int64_t now = now_of(source);
    if (!source->waiting_count || now < source->pace_due_ms) return false;
    return now >= source->gather_due_ms ||
           source->waiting_count >= (uint32_t)source->batch_options.logins;
}

int64_t tg_webapi_queue_due(struct tg_webapi_source *source)
{
    struct tg_list *first = tg_list_first(&source->waiting);
    int64_t due = INT64_MAX;
    if (!tg_list_empty(&source->finished)) return now_of(source);
    if (!first) return due;
    due = tg_of(first, struct tg_webapi_job, node)->arrived_ms + source->poll_timeout_ms +
          tg_pace_ms(&source->pace);
    if (due < source->patient_ms) due = source->patient_ms;
    if (source->session.state != TG_WEBAPI_READY || source->running) return due;
    int64_t begin = source->gather_due_ms;
    if (begin < source->pace_due_ms) begin = source->pace_due_ms;
    return due < begin ? due : begin;
}

static void ask_on(struct tg_webapi_source *source)
{
    while (source->session.state == TG_WEBAPI_READY && source->running)
        advance(source);
}

/* Between two batches the session has its turn, however many polls wait. */
void tg_webapi_queue_pump(struct tg_webapi_source *source)
{
    struct tg_webapi_session *session = &source->session;
    ask_on(source);
    while (!source->running) {
        uint32_t before = source->waiting_count;
        tg_webapi_session_rest(session, now_of(source), tg_wall_ms(source->clock));
        if (session->state != TG_WEBAPI_READY || !batch_due(source)) break;
        begin_batch(source);
        ask_on(source);
        if (source->waiting_count == before) break;
    }
    if (away(source)) fail_waiting(source, &session->fault);
    fail_overdue(source);
}

/* ---- the session's events ---- */

void tg_webapi_queue_down(struct tg_webapi_source *source)
{
    if (source->session.fault.end == TG_POLL_BUSY && source->session.state == TG_WEBAPI_WAITING)
        slow_down(source);
    if (!source->running) return;
    tg_webapi_batch_fail(&source->batch, &source->session.fault);
    end_batch(source);
}

void tg_webapi_queue_answer(struct tg_webapi_source *source, const struct tg_webapi_answer *answer)
{
    struct tg_webapi_session *session = &source->session;
    struct tg_rest_verdict verdict;
    if (!source->running || !tg_webapi_batch_answer(&source->batch, answer, &verdict)) return;
    if (verdict.end == TG_POLL_BUSY) {
        slow_down(source);
        fail_waiting(source, &verdict);
    }
    bool unproved = answer->retcode < 0 && (answer->status == 401 || answer->status == 403);
    if (tg_webapi_classify(answer->retcode) == TG_WEBAPI_MOVE)
        tg_webapi_session_move(session, &verdict, now_of(source));
    else if (answer->retcode == 15 || unproved)
        tg_webapi_session_drop(session, &verdict, now_of(source));
}

/* ---- in and out ---- */

void tg_webapi_queue_add(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    if (!source->waiting_count) source->gather_due_ms = job->arrived_ms + source->gather_ms;
    job->place = TG_WEBAPI_QUEUED;
    tg_list_append(&source->waiting, &job->node);
    source->waiting_count++;
}

/* A job in the batch that runs stays there without its poll, and is given back at its end. */
void tg_webapi_queue_cancel(struct tg_webapi_source *source, struct tg_webapi_job *job)
{
    job->poll->driver = NULL;
    if (job->place == TG_WEBAPI_BATCHED) {
        tg_webapi_batch_cancel(job);
        return;
    }
    if (job->place == TG_WEBAPI_QUEUED) source->waiting_count--;
    tg_list_remove(&job->node);
    job->poll = NULL;
    tg_webapi_queue_give(source, job);
}

static void drop_list(struct tg_webapi_source *source, struct tg_list *list)
{
    tg_list_each(node, list)
        tg_webapi_queue_cancel(source, tg_of(node, struct tg_webapi_job, node));
}

void tg_webapi_queue_drop(struct tg_webapi_source *source)
{
    for (uint32_t i = 0; source->running && i < source->batch.count; i++)
        if (source->batch.jobs[i]->poll) tg_webapi_queue_cancel(source, source->batch.jobs[i]);
    if (source->running) end_batch(source);
    drop_list(source, &source->waiting);
    drop_list(source, &source->finished);
    tg_list_each(node, &source->spare) free(tg_of(node, struct tg_webapi_job, node));
    tg_list_init(&source->spare);
}
