/* The driver of services that speak JSON over HTTP. One poll is a short chain of requests over one
 * slot:
 *
 *     snapshot or (positions → orders → account) → (positions again, when the account counts them
 *     otherwise) → (deals and ended orders, when they are wanted and not there yet)
 *
 * Positions come first so that whatever is missing from them is already in the deals that follow. A
 * position may open or close between two answers; then the account's count disagrees, and one more
 * look at the positions settles it or the poll is discarded. The deadline is the poll's, not a
 * request's: what is told together was true within one timeout.
 *
 * Polls beyond `concurrency` wait in order, for `queue_ms` at most. A poll holds one slot and has
 * one request under way, so polls under way are requests under way. */
#include "source/http_source_inner.h"

#include "base/log.h"
#include "source/http_url.h"

#include <string.h>

#define QUEUE_TICK_MS 100
#define UNTIL_MS 86400000 /* a service's clock may be ahead of ours */

static void pump(struct tg_http_source *source);

/* ---- jobs ---- */

static void job_free(struct tg_http_job *job)
{
    tg_buf_fini(&job->call.body);
    tg_buf_fini(&job->url);
    tg_buf_fini(&job->body);
    tg_json_fini(&job->json);
    free(job);
}

static struct tg_http_job *job_take(struct tg_http_source *source, struct tg_poll *poll)
{
    struct tg_list *node = tg_list_first(&source->spare);
    struct tg_http_job *job = node ? tg_of(node, struct tg_http_job, node) : calloc(1, sizeof *job);
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

static void put_lines(struct tg_http_job *job)
{
    if (job->lines) tg_request_headers_put(job->source->plan.rows[job->part].headers, job->lines);
    job->lines = NULL;
}

/* Parts a job from its poll, whatever state it is in. */
static void job_give(struct tg_http_job *job)
{
    struct tg_http_source *source = job->source;
    tg_http_client_cancel(source->client, &job->call);
    put_lines(job);
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

static void end(struct tg_http_job *job, const struct tg_rest_verdict *verdict)
{
    struct tg_poll *poll = job->poll;
    if (verdict->end != TG_POLL_OK) tg_records_clear(&poll->records);
    poll->end = verdict->end;
    poll->retry_after_ms = verdict->retry_after_ms;
    memcpy(poll->code, verdict->code, sizeof poll->code);
    memcpy(poll->message, verdict->message, sizeof poll->message);
    tg_http_plan_mask(&job->source->plan, job->part, poll->route, poll->message);
    job_give(job);
    poll->ops->done(poll);
}

static void end_ok(struct tg_http_job *job)
{
    const struct tg_rest_verdict verdict = {.end = TG_POLL_OK};
    end(job, &verdict);
}

static void fail(struct tg_http_job *job, enum tg_poll_end how, const char *code,
                 const char *message)
{
    struct tg_rest_verdict verdict;
    (void)tg_rest_fail(&verdict, how, code, "%s", message);
    end(job, &verdict);
}

static void put_request(struct tg_http_job *job)
{
    const struct tg_http_source *source = job->source;
    const struct tg_poll *poll = job->poll;
    const char *body = source->plan.rows[job->part].body;
    const struct tg_http_places places = {
        .account_id = poll->account_id,
        .login = tg_http_login_of(poll),
        .subject = poll->subject ? poll->subject : "",
        .since_ms = poll->deals_since_ms + source->utc_offset_ms,
        .until_ms = tg_wall_ms(source->clock) + source->utc_offset_ms + UNTIL_MS,
    };
    tg_buf_clear(&job->url);
    tg_buf_clear(&job->body);
    if (poll->route && poll->route->url)
        tg_http_url_base(&job->url, poll->route->url);
    else
        tg_buf_add(&job->url, source->base.data, source->base.len);
    tg_http_template_put(&job->url, source->plan.rows[job->part].path, &places, TG_HTTP_IN_URL);
    if (body)
        tg_http_template_put(&job->body, body, &places, source->plan.rows[job->part].encoding);
}

static int ask(struct tg_http_job *job, enum tg_http_part part)
{
    struct tg_http_source *source = job->source;
    const struct tg_poll *poll = job->poll;
    const struct tg_request_who who = {poll->account_id, tg_http_login_of(poll),
                                       poll->subject ? poll->subject : "", poll->route};
    int64_t left = job->deadline_ms - tg_mono_ms(source->clock);
    put_lines(job);
    job->part = part;
    put_request(job);
    int rc = tg_request_headers_get(source->plan.rows[part].headers, &who, &job->lines);
    if (rc || job->url.failed || job->body.failed) return -TG_ENOMEM;
    job->call.url = job->url.data;
    job->call.lines = job->lines;
    job->call.post = source->plan.rows[part].post ? (job->body.data ? job->body.data : "") : NULL;
    job->call.timeout_ms = left > 1 ? left : 1;
    return tg_http_client_send(source->client, &job->call);
}

/* Asks on, or ends the poll when there is no memory to. */
static void ask_on(struct tg_http_job *job, enum tg_http_part part)
{
    if (ask(job, part)) fail(job, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
}

/* ---- answers ---- */

/* What a poll asks for beside the state, when it is wanted: `part` and what comes after it. */
static void ask_past(struct tg_http_job *job, enum tg_http_part part)
{
    const struct tg_records *records = &job->poll->records;
    const bool known[] = {records->deals_known, records->history_known};
    for (; part < TG_HTTP_PARTS; part++) {
        if (known[part - TG_HTTP_DEALS] || !tg_http_plan_has(&job->source->plan, part)) continue;
        ask_on(job, part);
        return;
    }
    end_ok(job);
}

/* A state without its deals or ended orders is still a good state: what is not known proves
 * nothing, and the model holds a position or an order that vanished until it is. */
static void without_past(struct tg_http_job *job, const struct tg_rest_verdict *verdict)
{
    struct tg_records *records = &job->poll->records;
    if (job->part == TG_HTTP_DEALS) {
        records->deals_known = false;
        records->deals_count = 0;
    } else {
        records->history_known = false;
        records->history_count = 0;
    }
    tg_warn("source", "history_failed", tg_s("account_id", job->poll->account_id),
            tg_s("code", verdict->code));
}

/* What was asked for and is not there: a poll that tells only some of it would be shown as live
 * while the rest grows old. NULL: all is there. */
static const char *missing(struct tg_http_job *job)
{
    struct tg_http_source *source = job->source;
    const struct tg_records *records = &job->poll->records;
    bool snapshot = tg_http_plan_has(&source->plan, TG_HTTP_SNAPSHOT);
    if (records->orders_known) source->told_orders = true;
    if (!records->account_known) return "account";
    if (!records->positions_known &&
        (snapshot || tg_http_plan_has(&source->plan, TG_HTTP_POSITIONS)))
        return "positions";
    if (!records->orders_known &&
        (source->told_orders || tg_http_plan_has(&source->plan, TG_HTTP_ORDERS)))
        return "orders";
    return NULL;
}

/* Everything has been answered: the deals, when they are wanted, or the end. */
static void settle(struct tg_http_job *job)
{
    struct tg_poll *poll = job->poll;
    struct tg_rest_verdict verdict;
    const char *lack = missing(job);
    if (lack) {
        (void)tg_rest_fail(&verdict, TG_POLL_STALE, "INCOMPLETE", "the source did not tell the %s",
                           lack);
        end(job, &verdict);
    } else if (!tg_rest_map_agrees(&poll->records)) {
        if (job->again || !tg_http_plan_has(&job->source->plan, TG_HTTP_POSITIONS)) {
            fail(job, TG_POLL_STALE, "INCONSISTENT",
                 "the source's account and positions disagree on how many there are");
            return;
        }
        job->again = true;
        ask_on(job, TG_HTTP_POSITIONS);
    } else if (poll->ops->wants_deals && poll->ops->wants_deals(poll)) {
        ask_past(job, TG_HTTP_DEALS);
    } else {
        end_ok(job);
    }
}

static void take_answer(struct tg_http_job *job)
{
    struct tg_rest_verdict verdict = {0};
    int rc = tg_http_map_answer(job, &verdict);
    if (job->part >= TG_HTTP_DEALS) {
        if (rc) without_past(job, &verdict);
        ask_past(job, (enum tg_http_part)(job->part + 1));
        return;
    }
    if (rc) {
        end(job, &verdict);
        return;
    }
    enum tg_http_part next = tg_http_plan_next(&job->source->plan, job->part);
    if (!job->again && next < TG_HTTP_PARTS)
        ask_on(job, next);
    else
        settle(job);
}

static void on_answer(struct tg_http_call *call)
{
    struct tg_http_job *job = tg_of(call, struct tg_http_job, call);
    struct tg_http_source *source = job->source;
    take_answer(job);
    pump(source);
}

/* ---- polls ---- */

static int start(struct tg_http_job *job)
{
    struct tg_http_source *source = job->source;
    tg_records_clear(&job->poll->records);
    job->running = true;
    job->again = false;
    source->running_count++;
    tg_list_append(&source->running, &job->node);
    job->deadline_ms = tg_mono_ms(source->clock) + source->timeout_ms;
    job->call.done = on_answer;
    return ask(job, tg_http_plan_next(&source->plan, -1));
}

/* Starts what waits while there are slots. */
static void pump(struct tg_http_source *source)
{
    struct tg_list *node;
    while (!source->closing && source->running_count < source->concurrency &&
           (node = tg_list_first(&source->waiting))) {
        struct tg_http_job *job = tg_of(node, struct tg_http_job, node);
        tg_list_remove(node);
        if (start(job)) fail(job, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    }
}

/* Polls whose patience is over. The first in the queue is the one that has waited longest. */
static void on_patience(uv_timer_t *timer)
{
    struct tg_http_source *source = tg_of(timer, struct tg_http_source, patience);
    struct tg_list *node;
    int64_t now = tg_mono_ms(source->clock);
    while ((node = tg_list_first(&source->waiting))) {
        struct tg_http_job *job = tg_of(node, struct tg_http_job, node);
        if (job->deadline_ms > now) break;
        fail(job, TG_POLL_BUSY, "QUEUE_TIMEOUT",
             "the poll waited too long for its turn: the source is slow, or has too few slots");
    }
    if (!node) (void)uv_timer_stop(timer);
}

static void wait_for_slot(struct tg_http_source *source, struct tg_http_job *job)
{
    job->deadline_ms = tg_mono_ms(source->clock) + source->queue_ms;
    tg_list_append(&source->waiting, &job->node);
    if (!uv_is_active((uv_handle_t *)&source->patience))
        (void)uv_timer_start(&source->patience, on_patience, QUEUE_TICK_MS, QUEUE_TICK_MS);
}

static int http_poll(struct tg_source *base, struct tg_poll *poll)
{
    struct tg_http_source *source = tg_of(base, struct tg_http_source, source);
    tg_must(!source->closing && !poll->driver);
    struct tg_http_job *job = job_take(source, poll);
    if (!job) return -TG_ENOMEM;
    job->part = tg_http_plan_next(&source->plan, -1);
    if (source->running_count == source->concurrency || !tg_list_empty(&source->waiting)) {
        wait_for_slot(source, job);
        return 0;
    }
    int rc = start(job);
    if (rc) job_give(job);
    return rc;
}

static void http_cancel(struct tg_source *base, struct tg_poll *poll)
{
    struct tg_http_source *source = tg_of(base, struct tg_http_source, source);
    if (!poll->driver) return;
    job_give(poll->driver);
    pump(source);
}

/* ---- opening and closing ---- */

static void source_free(struct tg_http_source *source)
{
    tg_list_each(node, &source->spare) job_free(tg_of(node, struct tg_http_job, node));
    tg_http_plan_fini(&source->plan);
    tg_rest_map_free(source->map);
    tg_buf_fini(&source->base);
    free(source);
}

static void release(struct tg_http_source *source)
{
    if (--source->handles == 0) source_free(source);
}

static void on_client_closed(void *arg)
{
    release(arg);
}

static void on_patience_closed(uv_handle_t *handle)
{
    release(tg_of(handle, struct tg_http_source, patience));
}

static void http_close(struct tg_source *base)
{
    struct tg_http_source *source = tg_of(base, struct tg_http_source, source);
    source->closing = true;
    tg_list_each(node, &source->running) job_give(tg_of(node, struct tg_http_job, node));
    tg_list_each(node, &source->waiting) job_give(tg_of(node, struct tg_http_job, node));
    uv_close((uv_handle_t *)&source->patience, on_patience_closed);
    tg_http_client_close(source->client, on_client_closed, source);
}

static const struct tg_source_ops http_ops = {"http", http_poll, http_cancel, http_close};

static struct tg_http_source *source_new(const struct tg_clock *clock,
                                         const struct tg_http_source_options *options)
{
    struct tg_http_source *source = calloc(1, sizeof *source);
    if (!source) return NULL;
    source->source.ops = &http_ops;
    source->clock = clock;
    source->timeout_ms = options->timeout_ms;
    source->queue_ms = options->queue_ms;
    source->max_stale_ms = options->max_stale_ms;
    source->utc_offset_ms = options->utc_offset_ms;
    source->concurrency = options->concurrency;
    if (options->mapper) source->mapper = *options->mapper;
    tg_list_init(&source->running);
    tg_list_init(&source->waiting);
    tg_list_init(&source->spare);
    source->map = tg_rest_map_new(options->currency_digits);
    if (options->url) tg_http_url_base(&source->base, options->url);
    if (source->map && !source->base.failed) return source;
    source_free(source);
    return NULL;
}

int tg_http_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                        const struct tg_http_source_options *options, struct tg_source **out,
                        struct tg_err *err)
{
    const struct tg_http_client_options client = {options->concurrency, options->max_body,
                                                  options->ca_file};
    if (options->timeout_ms < 1 || options->concurrency < 1 || options->max_body < 1 ||
        options->queue_ms < 1)
        return tg_fail(err, TG_EINVAL,
                       "timeout, queue time, concurrency and body size must be at least 1");
    int rc = options->url ? tg_http_url_check(options->url, err) : 0;
    if (rc) return rc;
    struct tg_http_source *source = source_new(clock, options);
    if (!source) return tg_fail(err, TG_ENOMEM, "out of memory");
    rc = tg_http_plan_init(&source->plan, options, err);
    if (!rc && tg_http_plan_has(&source->plan, TG_HTTP_SNAPSHOT) && !options->mapper)
        rc = tg_fail(err, TG_EINVAL, "a snapshot needs a map");
    if (!rc) rc = tg_http_client_open(loop, &client, &source->client, err);
    if (rc) {
        source_free(source);
        return rc;
    }
    (void)uv_timer_init(loop, &source->patience);
    source->handles = 2;
    *out = &source->source;
    return 0;
}
