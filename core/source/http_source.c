/* The driver of the MT5 REST service. One poll is a short chain of requests over one slot:
 *
 *     positions → info → (positions again, when the two disagree) → (history, when it is wanted)
 *
 * Positions come first so that whatever is missing from them is already in the history that
 * follows. A position may open or close between the first two answers; then the info's count
 * disagrees, and one more look at the positions settles it or the poll is discarded. The deadline
 * is the poll's, not a request's: what is told together was true within one timeout.
 *
 * Polls beyond `concurrency` wait in order. A poll holds one slot and has one request under way, so
 * polls under way are requests under way. */
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "source/http_client.h"
#include "source/http_url.h"
#include "source/request_headers.h"
#include "source/rest_map.h"
#include "source/source.h"

#include <string.h>

enum stage { STAGE_POSITIONS, STAGE_INFO, STAGE_POSITIONS_AGAIN, STAGE_HISTORY };

struct http_source {
    struct tg_source source;
    const struct tg_clock *clock;
    struct tg_http_client *client;
    struct tg_request_headers *headers;
    struct tg_rest_map *map;
    struct tg_buf base; /* the URL up to the account's segment */
    int64_t timeout_ms, max_stale_ms;
    int concurrency, running_count, spare_count;
    bool closing;
    struct tg_list running, waiting;
    struct tg_list spare; /* jobs for reuse, with their buffers; at most `concurrency` */
};

/* A poll on its way. */
struct job {
    struct tg_list node;
    struct http_source *source;
    struct tg_poll *poll;
    bool running; /* holds a slot; else it waits */
    enum stage stage;
    int64_t deadline_ms;
    struct tg_http_call call;
    struct tg_http_lines *lines;
    struct tg_buf url;
};

static void pump(struct http_source *source);

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    tg_buf_fini(&job->call.body);
    tg_buf_fini(&job->url);
    free(job);
}

static struct job *job_take(struct http_source *source, struct tg_poll *poll)
{
    struct tg_list *node = tg_list_first(&source->spare);
    struct job *job = node ? tg_of(node, struct job, node) : calloc(1, sizeof *job);
    if (!job) return NULL;
    if (node) {
        tg_list_remove(node);
        source->spare_count--;
    }
    tg_list_init(&job->node);
    job->source = source;
    job->poll = poll;
    poll->driver = job;
    return job;
}

/* Parts a job from its poll, whatever state it is in. */
static void job_give(struct job *job)
{
    struct http_source *source = job->source;
    tg_http_client_cancel(source->client, &job->call);
    if (job->lines) tg_request_headers_put(source->headers, job->lines);
    job->lines = NULL;
    job->poll->driver = NULL;
    job->poll = NULL;
    if (job->running) source->running_count--;
    job->running = false;
    tg_list_remove(&job->node);
    if (source->spare_count == source->concurrency) {
        job_free(job);
        return;
    }
    source->spare_count++;
    tg_list_append(&source->spare, &job->node);
}

static void end(struct job *job, const struct tg_rest_verdict *verdict)
{
    struct tg_poll *poll = job->poll;
    if (verdict->end != TG_POLL_OK) tg_records_clear(&poll->records);
    poll->end = verdict->end;
    poll->retry_after_ms = verdict->retry_after_ms;
    memcpy(poll->code, verdict->code, sizeof poll->code);
    memcpy(poll->message, verdict->message, sizeof poll->message);
    tg_request_headers_mask(job->source->headers, poll->message);
    job_give(job);
    poll->ops->done(poll);
}

static void end_ok(struct job *job)
{
    const struct tg_rest_verdict verdict = {.end = TG_POLL_OK};
    end(job, &verdict);
}

/* ---- requests ---- */

static void put_url(struct tg_buf *out, const struct job *job)
{
    static const char *const paths[] = {[STAGE_POSITIONS] = "/positions",
                                        [STAGE_INFO] = "/info",
                                        [STAGE_POSITIONS_AGAIN] = "/positions",
                                        [STAGE_HISTORY] = "/history?from_date="};
    tg_buf_clear(out);
    tg_buf_add(out, job->source->base.data, job->source->base.len);
    tg_http_url_segment(out, job->poll->account_id);
    tg_buf_puts(out, paths[job->stage]);
    if (job->stage != STAGE_HISTORY) return;
    char from[TG_ISO8601_SIZE];
    tg_iso8601_write(from, job->poll->deals_since_ms);
    tg_buf_add(out, from, strlen("YYYY-MM-DDTHH:MM:SS")); /* whole seconds, cut: never too late */
    tg_buf_putc(out, 'Z');
}

static int ask(struct job *job, enum stage stage)
{
    int64_t left = job->deadline_ms - tg_mono_ms(job->source->clock);
    job->stage = stage;
    put_url(&job->url, job);
    if (job->url.failed) return -TG_ENOMEM;
    job->call.url = job->url.data;
    job->call.lines = job->lines;
    job->call.timeout_ms = left > 1 ? left : 1;
    return tg_http_client_get(job->source->client, &job->call);
}

/* Asks on, or ends the poll when there is no memory to. */
static void ask_on(struct job *job, enum stage stage)
{
    struct tg_rest_verdict verdict;
    if (!ask(job, stage)) return;
    (void)tg_rest_fail(&verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    end(job, &verdict);
}

/* ---- answers ---- */

static int map_answer(struct job *job, struct tg_rest_verdict *verdict)
{
    const struct http_source *source = job->source;
    const struct tg_http_call *call = &job->call;
    struct tg_records *records = &job->poll->records;
    const struct tg_rest_answer answer = {call->status, call->body.data ? call->body.data : "",
                                          call->body.len, call->retry_after_ms};
    const struct tg_rest_demand demand = {job->poll->account_id, source->max_stale_ms};
    if (call->rc) return tg_rest_fail(verdict, TG_POLL_FAILED, call->code, "%s", call->message);
    switch (job->stage) {
    case STAGE_INFO: return tg_rest_map_info(source->map, &answer, &demand, records, verdict);
    case STAGE_HISTORY: return tg_rest_map_history(source->map, &answer, &demand, records, verdict);
    default: return tg_rest_map_positions(source->map, &answer, &demand, records, verdict);
    }
}

/* The state is there: the deals, when they are wanted, or the end. */
static void settle(struct job *job)
{
    struct tg_poll *poll = job->poll;
    if (poll->ops->wants_deals && poll->ops->wants_deals(poll))
        ask_on(job, STAGE_HISTORY);
    else
        end_ok(job);
}

/* A state without its deals is still a good state: deals that are not known prove nothing, and the
 * model holds a position that vanished until they do. */
static void without_deals(struct job *job, const struct tg_rest_verdict *verdict)
{
    job->poll->records.deals_known = false;
    job->poll->records.deals_count = 0;
    tg_warn("source", "history_failed", tg_s("account_id", job->poll->account_id),
            tg_s("code", verdict->code));
    end_ok(job);
}

static void take_answer(struct job *job)
{
    struct tg_rest_verdict verdict = {0};
    int rc = map_answer(job, &verdict);
    if (rc && job->stage == STAGE_HISTORY) {
        without_deals(job, &verdict);
        return;
    }
    if (rc) {
        end(job, &verdict);
        return;
    }
    if (job->stage == STAGE_POSITIONS) {
        ask_on(job, STAGE_INFO);
    } else if (job->stage == STAGE_HISTORY) {
        end_ok(job);
    } else if (tg_rest_map_agrees(&job->poll->records)) {
        settle(job);
    } else if (job->stage == STAGE_INFO) {
        ask_on(job, STAGE_POSITIONS_AGAIN);
    } else {
        (void)tg_rest_fail(&verdict, TG_POLL_STALE, "INCONSISTENT",
                           "the source's account and positions disagree on how many there are");
        end(job, &verdict);
    }
}

static void on_answer(struct tg_http_call *call)
{
    struct job *job = tg_of(call, struct job, call);
    struct http_source *source = job->source;
    take_answer(job);
    pump(source);
}

/* ---- polls ---- */

static int start(struct job *job)
{
    struct http_source *source = job->source;
    struct tg_poll *poll = job->poll;
    tg_records_clear(&poll->records);
    job->running = true;
    source->running_count++;
    tg_list_append(&source->running, &job->node);
    job->deadline_ms = tg_mono_ms(source->clock) + source->timeout_ms;
    job->call.done = on_answer;
    int rc = tg_request_headers_get(source->headers, poll->account_id,
                                    poll->subject ? poll->subject : "", &job->lines);
    return rc ? rc : ask(job, STAGE_POSITIONS);
}

/* Starts what waits while there are slots. */
static void pump(struct http_source *source)
{
    struct tg_list *node;
    while (!source->closing && source->running_count < source->concurrency &&
           (node = tg_list_first(&source->waiting))) {
        struct job *job = tg_of(node, struct job, node);
        tg_list_remove(node);
        if (!start(job)) continue;
        struct tg_rest_verdict verdict;
        (void)tg_rest_fail(&verdict, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
        end(job, &verdict);
    }
}

static int http_poll(struct tg_source *base, struct tg_poll *poll)
{
    struct http_source *source = tg_of(base, struct http_source, source);
    tg_must(!source->closing && !poll->driver);
    struct job *job = job_take(source, poll);
    if (!job) return -TG_ENOMEM;
    if (source->running_count == source->concurrency || !tg_list_empty(&source->waiting)) {
        tg_list_append(&source->waiting, &job->node);
        return 0;
    }
    int rc = start(job);
    if (rc) job_give(job);
    return rc;
}

static void http_cancel(struct tg_source *base, struct tg_poll *poll)
{
    struct http_source *source = tg_of(base, struct http_source, source);
    if (!poll->driver) return;
    job_give(poll->driver);
    pump(source);
}

/* ---- opening and closing ---- */

static void source_free(void *arg)
{
    struct http_source *source = arg;
    tg_list_each(node, &source->spare) job_free(tg_of(node, struct job, node));
    tg_request_headers_free(source->headers);
    tg_rest_map_free(source->map);
    tg_buf_fini(&source->base);
    free(source);
}

static void http_close(struct tg_source *base)
{
    struct http_source *source = tg_of(base, struct http_source, source);
    source->closing = true;
    tg_list_each(node, &source->running) job_give(tg_of(node, struct job, node));
    tg_list_each(node, &source->waiting) job_give(tg_of(node, struct job, node));
    tg_http_client_close(source->client, source_free, source);
}

static const struct tg_source_ops http_ops = {"http", http_poll, http_cancel, http_close};

static int fill(struct http_source *source, const struct tg_http_source_options *options,
                struct tg_err *err)
{
    int rc =
        tg_request_headers_open(options->headers, options->headers_count, &source->headers, err);
    if (rc) return rc;
    source->map = tg_rest_map_new(options->currency_digits);
    tg_http_url_base(&source->base, options->url);
    tg_buf_puts(&source->base, "/api/mt5/account/");
    return !source->map || source->base.failed ? tg_fail(err, TG_ENOMEM, "out of memory") : 0;
}

int tg_http_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                        const struct tg_http_source_options *options, struct tg_source **out,
                        struct tg_err *err)
{
    const struct tg_http_client_options client = {options->concurrency, options->max_body,
                                                  options->ca_file};
    if (options->timeout_ms < 1 || options->concurrency < 1 || options->max_body < 1)
        return tg_fail(err, TG_EINVAL, "timeout, concurrency and body size must be at least 1");
    int rc = tg_http_url_check(options->url, err);
    if (rc) return rc;
    struct http_source *source = calloc(1, sizeof *source);
    if (!source) return tg_fail(err, TG_ENOMEM, "out of memory");
    source->source.ops = &http_ops;
    source->clock = clock;
    source->timeout_ms = options->timeout_ms;
    source->max_stale_ms = options->max_stale_ms;
    source->concurrency = options->concurrency;
    tg_list_init(&source->running);
    tg_list_init(&source->waiting);
    tg_list_init(&source->spare);
    rc = fill(source, options, err);
    if (!rc) rc = tg_http_client_open(loop, &client, &source->client, err);
    if (rc) {
        source_free(source);
        return rc;
    }
    *out = &source->source;
    return 0;
}
