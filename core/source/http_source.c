/* The driver of services that speak JSON over HTTP. One poll is a short chain of requests over one
 * slot:
 *
 *     snapshot or (positions → orders → account) → (positions again, when the account counts them
 *     otherwise) → (deals, when they are wanted and not there yet)
 *
 * Positions come first so that whatever is missing from them is already in the deals that follow. A
 * position may open or close between two answers; then the account's count disagrees, and one more
 * look at the positions settles it or the poll is discarded. The deadline is the poll's, not a
 * request's: what is told together was true within one timeout.
 *
 * Polls beyond `concurrency` wait in order, for `queue_ms` at most. A poll holds one slot and has
 * one request under way, so polls under way are requests under way. */
#include "base/list.h"
#include "base/log.h"
#include "source/http_client.h"
#include "source/http_plan.h"
#include "source/http_url.h"
#include "source/rest_map.h"
#include "source/source.h"

#include <string.h>

#define QUEUE_TICK_MS 100
#define UNTIL_MS 86400000 /* a service's clock may be ahead of ours */

struct http_source {
    struct tg_source source;
    const struct tg_clock *clock;
    struct tg_http_client *client;
    struct tg_http_plan plan;
    struct tg_http_mapper mapper; /* map NULL: the MT5 REST service's */
    struct tg_rest_map *map;
    struct tg_buf base; /* the URL up to the paths; empty: each route has one */
    int64_t timeout_ms, queue_ms, max_stale_ms, utc_offset_ms;
    int concurrency, running_count, spare_count, handles;
    bool closing, told_orders;
    uv_timer_t patience; /* runs while polls wait */
    struct tg_list running, waiting;
    struct tg_list spare; /* jobs for reuse, with their buffers; at most `concurrency` */
};

/* A poll on its way. */
struct job {
    struct tg_list node;
    struct http_source *source;
    struct tg_poll *poll;
    bool running; /* holds a slot; else it waits */
    bool again;   /* the positions have been looked at a second time */
    enum tg_http_part part;
    int64_t deadline_ms; /* of the poll; while it waits, of the waiting */
    struct tg_http_call call;
    struct tg_http_lines *lines; /* of the request that is under way */
    struct tg_buf url, body;
    struct tg_json json; /* of a mapped answer */
};

static void pump(struct http_source *source);

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    tg_buf_fini(&job->call.body);
    tg_buf_fini(&job->url);
    tg_buf_fini(&job->body);
    tg_json_fini(&job->json);
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

static void put_lines(struct job *job)
{
    if (job->lines) tg_request_headers_put(job->source->plan.rows[job->part].headers, job->lines);
    job->lines = NULL;
}

/* Parts a job from its poll, whatever state it is in. */
static void job_give(struct job *job)
{
    struct http_source *source = job->source;
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

static void end(struct job *job, const struct tg_rest_verdict *verdict)
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

static void end_ok(struct job *job)
{
    const struct tg_rest_verdict verdict = {.end = TG_POLL_OK};
    end(job, &verdict);
}

static void fail(struct job *job, enum tg_poll_end how, const char *code, const char *message)
{
    struct tg_rest_verdict verdict;
    (void)tg_rest_fail(&verdict, how, code, "%s", message);
    end(job, &verdict);
}

/* ---- requests ---- */

static const char *login_of(const struct tg_poll *poll)
{
    return poll->route && poll->route->login ? poll->route->login : poll->account_id;
}

static void put_request(struct job *job)
{
    const struct http_source *source = job->source;
    const struct tg_poll *poll = job->poll;
    const char *body = source->plan.rows[job->part].body;
    const struct tg_http_places places = {
        .account_id = poll->account_id,
        .login = login_of(poll),
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

static int ask(struct job *job, enum tg_http_part part)
{
    struct http_source *source = job->source;
    const struct tg_poll *poll = job->poll;
    const struct tg_request_who who = {poll->account_id, login_of(poll),
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
static void ask_on(struct job *job, enum tg_http_part part)
{
    if (ask(job, part)) fail(job, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
}

/* ---- answers ---- */

/* The documents of the MT5 REST service. */
static int map_rest(struct job *job, const struct tg_rest_answer *answer,
                    struct tg_rest_verdict *verdict)
{
    const struct http_source *source = job->source;
    struct tg_records *records = &job->poll->records;
    const struct tg_rest_demand demand = {job->poll->account_id, source->max_stale_ms};
    switch (job->part) {
    case TG_HTTP_POSITIONS:
        return tg_rest_map_positions(source->map, answer, &demand, records, verdict);
    case TG_HTTP_ACCOUNT: return tg_rest_map_info(source->map, answer, &demand, records, verdict);
    case TG_HTTP_DEALS: return tg_rest_map_history(source->map, answer, &demand, records, verdict);
    default:
        return tg_rest_fail(verdict, TG_POLL_FAILED, "NO_MAP", "%s needs a map of its own",
                            tg_http_part_names[job->part]);
    }
}

/* The documents of another one, by the operator's own function. */
static int map_own(struct job *job, const struct tg_rest_answer *answer,
                   struct tg_rest_verdict *verdict)
{
    const struct http_source *source = job->source;
    const struct tg_http_document document = {
        .part = job->part,
        .json = &job->json,
        .poll = job->poll,
        .login = login_of(job->poll),
        .since_ms = job->poll->deals_since_ms,
        .now_ms = tg_wall_ms(source->clock),
        .utc_offset_ms = source->utc_offset_ms,
        .map = source->map,
    };
    int rc = tg_rest_document_parse(&job->json, answer, verdict);
    return rc ? rc
              : source->mapper.map(source->mapper.ctx, &document, &job->poll->records, verdict);
}

static int map_answer(struct job *job, struct tg_rest_verdict *verdict)
{
    const struct tg_http_call *call = &job->call;
    const struct tg_rest_answer answer = {call->status, call->body.data ? call->body.data : "",
                                          call->body.len, call->retry_after_ms};
    if (call->rc) return tg_rest_fail(verdict, TG_POLL_FAILED, call->code, "%s", call->message);
    return job->source->mapper.map ? map_own(job, &answer, verdict)
                                   : map_rest(job, &answer, verdict);
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

/* What was asked for and is not there: a poll that tells only some of it would be shown as live
 * while the rest grows old. NULL: all is there. */
static const char *missing(struct job *job)
{
    struct http_source *source = job->source;
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
static void settle(struct job *job)
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
    } else if (!poll->records.deals_known && tg_http_plan_has(&job->source->plan, TG_HTTP_DEALS) &&
               poll->ops->wants_deals && poll->ops->wants_deals(poll)) {
        ask_on(job, TG_HTTP_DEALS);
    } else {
        end_ok(job);
    }
}

static void take_answer(struct job *job)
{
    struct tg_rest_verdict verdict = {0};
    int rc = map_answer(job, &verdict);
    if (rc && job->part == TG_HTTP_DEALS) {
        without_deals(job, &verdict);
        return;
    }
    if (rc) {
        end(job, &verdict);
        return;
    }
    enum tg_http_part next = tg_http_plan_next(&job->source->plan, job->part);
    if (job->part == TG_HTTP_DEALS)
        end_ok(job);
    else if (!job->again && next < TG_HTTP_PARTS)
        ask_on(job, next);
    else
        settle(job);
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
static void pump(struct http_source *source)
{
    struct tg_list *node;
    while (!source->closing && source->running_count < source->concurrency &&
           (node = tg_list_first(&source->waiting))) {
        struct job *job = tg_of(node, struct job, node);
        tg_list_remove(node);
        if (start(job)) fail(job, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    }
}

/* Polls whose patience is over. The first in the queue is the one that has waited longest. */
static void on_patience(uv_timer_t *timer)
{
    struct http_source *source = tg_of(timer, struct http_source, patience);
    struct tg_list *node;
    int64_t now = tg_mono_ms(source->clock);
    while ((node = tg_list_first(&source->waiting))) {
        struct job *job = tg_of(node, struct job, node);
        if (job->deadline_ms > now) break;
        fail(job, TG_POLL_BUSY, "QUEUE_TIMEOUT",
             "the poll waited too long for its turn: the source is slow, or has too few slots");
    }
    if (!node) (void)uv_timer_stop(timer);
}

static void wait_for_slot(struct http_source *source, struct job *job)
{
    job->deadline_ms = tg_mono_ms(source->clock) + source->queue_ms;
    tg_list_append(&source->waiting, &job->node);
    if (!uv_is_active((uv_handle_t *)&source->patience))
        (void)uv_timer_start(&source->patience, on_patience, QUEUE_TICK_MS, QUEUE_TICK_MS);
}

static int http_poll(struct tg_source *base, struct tg_poll *poll)
{
    struct http_source *source = tg_of(base, struct http_source, source);
    tg_must(!source->closing && !poll->driver);
    struct job *job = job_take(source, poll);
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
    struct http_source *source = tg_of(base, struct http_source, source);
    if (!poll->driver) return;
    job_give(poll->driver);
    pump(source);
}

/* ---- opening and closing ---- */

static void source_free(struct http_source *source)
{
    tg_list_each(node, &source->spare) job_free(tg_of(node, struct job, node));
    tg_http_plan_fini(&source->plan);
    tg_rest_map_free(source->map);
    tg_buf_fini(&source->base);
    free(source);
}

static void release(struct http_source *source)
{
    if (--source->handles == 0) source_free(source);
}

static void on_client_closed(void *arg)
{
    release(arg);
}

static void on_patience_closed(uv_handle_t *handle)
{
    release(tg_of(handle, struct http_source, patience));
}

static void http_close(struct tg_source *base)
{
    struct http_source *source = tg_of(base, struct http_source, source);
    source->closing = true;
    tg_list_each(node, &source->running) job_give(tg_of(node, struct job, node));
    tg_list_each(node, &source->waiting) job_give(tg_of(node, struct job, node));
    uv_close((uv_handle_t *)&source->patience, on_patience_closed);
    tg_http_client_close(source->client, on_client_closed, source);
}

static const struct tg_source_ops http_ops = {"http", http_poll, http_cancel, http_close};

static struct http_source *source_new(const struct tg_clock *clock,
                                      const struct tg_http_source_options *options)
{
    struct http_source *source = calloc(1, sizeof *source);
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
    struct http_source *source = source_new(clock, options);
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
