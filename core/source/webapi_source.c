/* The driver of the MetaTrader 5 Web API: the session on a loop, and the polls that it serves. What
 * is said and when is decided by the session, the batch and the queue, which know no sockets; here
 * they are tied to a link, a timer and the clock. */
#include "base/log.h"
#include "base/text.h"
#include "source/webapi_source_inner.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MS 7200000 /* clients that nobody polls any more */
#define AUTH_MS 10000     /* the server's own limit */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 30000
#define PACE_SLOWEST 8 /* intervals */
#define LONGEST_SLEEP_MS 3600000
#define STALL_MS 250  /* a timer that is later than this shows that we stood still */
#define GRACE_MS 1000 /* and then so long is left to read what arrived */

static int64_t now_of(const struct tg_webapi_source *source)
{
    return tg_mono_ms(source->clock);
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer for whatever comes next. */
static void arm(struct tg_webapi_source *source)
{
    int64_t now = now_of(source), due = tg_webapi_queue_due(source);
    if (source->started && source->session.due_ms < due) due = source->session.due_ms;
    int64_t wait = due - now;
    if (wait < 0) wait = 0;
    if (wait > LONGEST_SLEEP_MS) wait = LONGEST_SLEEP_MS;
    source->armed_ms = now + wait;
    (void)uv_timer_start(&source->timer, on_timer, (uint64_t)wait, 0);
}

/* The loop runs timers before it reads sockets. After a while in which the process did not run
 * (stopped, swapped out, its machine paused) every deadline has passed, and the answers lie in the
 * socket: they are to be read first. Whether it was so; then nothing else is done in this turn. */
static bool stood_still(struct tg_webapi_source *source)
{
    int64_t now = now_of(source), late = now - source->armed_ms;
    if (!source->armed_ms || late <= STALL_MS) return false;
    source->armed_ms = now;
    source->patient_ms = now + GRACE_MS;
    tg_webapi_session_stalled(&source->session, late, GRACE_MS, now);
    tg_info("source", "stood_still", tg_i("late_ms", late));
    return true;
}

static void go_on(struct tg_webapi_source *source)
{
    if (source->closing) return;
    tg_webapi_queue_pump(source);
    arm(source);
}

static void on_timer(uv_timer_t *timer)
{
    struct tg_webapi_source *source = tg_of(timer, struct tg_webapi_source, timer);
    int64_t now = now_of(source);
    if (stood_still(source)) {
        (void)uv_timer_start(timer, on_timer, 1, 0); /* with a look at the sockets in between */
        return;
    }
    tg_webapi_queue_tell(source);
    if (source->closing) return;
    if (source->started) tg_webapi_session_tick(&source->session, now, tg_wall_ms(source->clock));
    if (now - source->swept_ms > FORGET_MS) {
        source->swept_ms = now;
        tg_webapi_clients_sweep(&source->clients, now - FORGET_MS);
    }
    go_on(source);
}

/* ---- memory ---- */

static void source_free(struct tg_webapi_source *source)
{
    tg_webapi_session_fini(&source->session);
    tg_webapi_batch_fini(&source->batch);
    tg_webapi_clients_fini(&source->clients);
    tg_webapi_trust_free(source->trust);
    OPENSSL_cleanse(&source->session_options.hash, sizeof source->session_options.hash);
    free(source->picked);
    free(source->endpoints);
    free(source->login);
    free(source->agent);
    free(source->groups);
    free(source);
}

static void release(struct tg_webapi_source *source)
{
    if (!--source->handles) source_free(source);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(tg_of(handle, struct tg_webapi_source, timer));
}

/* ---- the link ---- */

static void on_link_gone(void *ctx)
{
    release(ctx);
}

static void on_link_opened(void *ctx)
{
    struct tg_webapi_source *source = ctx;
    (void)stood_still(source);
    tg_webapi_session_opened(&source->session, now_of(source));
    go_on(source);
}

static void on_link_bytes(void *ctx, const char *bytes, size_t len)
{
    struct tg_webapi_source *source = ctx;
    (void)stood_still(source);
    tg_webapi_session_bytes(&source->session, bytes, len, now_of(source),
                            tg_wall_ms(source->clock));
    go_on(source);
}

static void on_link_closed(void *ctx, const char *code, const char *message)
{
    struct tg_webapi_source *source = ctx;
    tg_webapi_session_closed(&source->session, code, message, now_of(source));
    go_on(source);
}

/* ---- the session's host ---- */

static void host_open(void *ctx, const struct tg_webapi_endpoint *endpoint)
{
    struct tg_webapi_source *source = ctx;
    const struct tg_webapi_link_host host = {on_link_opened, on_link_bytes, on_link_closed, source};
    source->link = tg_webapi_link_open(source->loop, endpoint, endpoint->tls ? source->trust : NULL,
                                       &host, on_link_gone);
    if (source->link) source->handles++; /* without one, the session's deadline ends the attempt */
}

static void host_send(void *ctx, const char *bytes, size_t len)
{
    struct tg_webapi_source *source = ctx;
    if (source->link) tg_webapi_link_send(source->link, bytes, len);
}

static void host_shut(void *ctx)
{
    struct tg_webapi_source *source = ctx;
    if (source->link) tg_webapi_link_close(source->link);
    source->link = NULL;
}

static void host_ready(void *ctx)
{
    (void)ctx; /* whatever made it ready is followed by a look at the queue */
}

static void host_down(void *ctx)
{
    tg_webapi_queue_down(ctx);
}

static void host_row(void *ctx, const struct tg_webapi_row *row)
{
    struct tg_webapi_source *source = ctx;
    if (source->running) tg_webapi_batch_row(&source->batch, row);
}

static void host_answer(void *ctx, const struct tg_webapi_answer *answer)
{
    tg_webapi_queue_answer(ctx, answer);
}

/* ---- polls ---- */

/* The account's login, or 0: an id that is no number is no account of this platform. */
static uint64_t login_of(const struct tg_poll *poll)
{
    const char *text = poll->route && poll->route->login ? poll->route->login : poll->account_id;
    uint64_t login = 0;
    return tg_read_u64(text, strlen(text), &login) ? 0 : login;
}

static int webapi_poll(struct tg_source *base, struct tg_poll *poll)
{
    struct tg_webapi_source *source = tg_of(base, struct tg_webapi_source, source);
    tg_must(!source->closing && !poll->driver);
    struct tg_webapi_job *job = tg_webapi_queue_take(source, poll);
    if (!job) return -TG_ENOMEM;
    uint64_t login = login_of(poll);
    source->started = true;
    if (login) {
        job->client = tg_webapi_clients_open(&source->clients, login);
        if (!job->client) {
            tg_webapi_queue_give(source, job);
            return -TG_ENOMEM;
        }
        job->client->seen_ms = job->arrived_ms;
        tg_webapi_queue_add(source, job);
    } else {
        (void)tg_rest_fail(&job->verdict, TG_POLL_UNKNOWN, "NO_LOGIN",
                           "the account's id is no MetaTrader login, and no route names one");
        tg_webapi_queue_refuse(source, job);
    }
    arm(source);
    return 0;
}

static void webapi_cancel(struct tg_source *base, struct tg_poll *poll)
{
    struct tg_webapi_source *source = tg_of(base, struct tg_webapi_source, source);
    if (poll->driver) tg_webapi_queue_cancel(source, poll->driver);
}

static void webapi_close(struct tg_source *base)
{
    struct tg_webapi_source *source = tg_of(base, struct tg_webapi_source, source);
    source->closing = true;
    tg_webapi_queue_drop(source);
    tg_webapi_session_quit(&source->session);
    uv_close((uv_handle_t *)&source->timer, on_timer_closed);
}

/* ---- opening ---- */

static const struct tg_source_ops webapi_ops = {"mt5_webapi", webapi_poll, webapi_cancel,
                                                webapi_close};

static int read_endpoints(struct tg_webapi_source *source,
                          const struct tg_webapi_source_options *options, struct tg_err *err)
{
    bool tls = false;
    source->endpoints = calloc((size_t)options->urls_count, sizeof *source->endpoints);
    if (!source->endpoints) return tg_fail(err, TG_ENOMEM, "out of memory");
    for (int i = 0; i < options->urls_count; i++) {
        struct tg_err why = {0};
        int rc = tg_webapi_endpoint_read(&source->endpoints[i], options->urls[i], &why);
        if (rc) return tg_fail(err, -rc, "%s: %s", options->urls[i], why.text);
        tls |= source->endpoints[i].tls;
    }
    return tls ? tg_webapi_trust_open(options->ca_file, &source->trust, err) : 0;
}

static int copy_texts(struct tg_webapi_source *source,
                      const struct tg_webapi_source_options *options, struct tg_err *err)
{
    struct tg_webapi_hash *hash = &source->session_options.hash;
    source->login = strdup(options->login);
    source->agent = strdup(options->agent);
    source->groups = options->groups ? strdup(options->groups) : NULL;
    (void)snprintf(source->version, sizeof source->version, "%d", options->version);
    if (!source->login || !source->agent || (options->groups && !source->groups))
        return tg_fail(err, TG_ENOMEM, "out of memory");
    int rc = tg_webapi_hash(hash, options->password);
    if (rc == -TG_EINVAL) return tg_fail(err, TG_EINVAL, "the password is not UTF-8");
    return rc ? tg_fail(err, TG_ENOMEM, "this OpenSSL has no MD5, which the Web API needs") : 0;
}

int tg_webapi_source_check_url(const char *url, struct tg_err *err)
{
    struct tg_webapi_endpoint endpoint;
    return tg_webapi_endpoint_read(&endpoint, url, err);
}

int tg_webapi_source_check_offset(const char *text, struct tg_err *err)
{
    int32_t offset_s;
    if (!strcmp(text, "auto") || !tg_webapi_zone_read(text, &offset_s)) return 0;
    return tg_fail(err, TG_EINVAL, "expected \"auto\" or an offset such as \"+03:00\"");
}

static int read_offset(struct tg_webapi_source *source, const char *text, struct tg_err *err)
{
    struct tg_webapi_session_options *session = &source->session_options;
    int rc = tg_webapi_source_check_offset(text, err);
    session->offset_fixed = !rc && !tg_webapi_zone_read(text, &session->offset_s);
    return rc;
}

static void set_options(struct tg_webapi_source *source,
                        const struct tg_webapi_source_options *options)
{
    struct tg_webapi_session_options *session = &source->session_options;
    struct tg_webapi_batch_options *batch = &source->batch_options;
    session->endpoints = source->endpoints;
    session->endpoints_count = options->urls_count;
    session->login = source->login;
    session->agent = source->agent;
    session->version = source->version;
    session->crypt = options->crypt;
    session->row_max = (size_t)options->row_bytes;
    session->answer_max = options->answer_bytes;
    session->request_ms = options->timeout_ms;
    session->answer_ms = options->poll_timeout_ms;
    session->auth_ms = AUTH_MS;
    session->keepalive_ms = (int64_t)options->keepalive_s * 1000;
    session->retry_first_ms = RETRY_FIRST_MS;
    session->retry_max_ms = RETRY_MAX_MS;
    session->refused_first_ms = options->refused_first_ms;
    session->refused_max_ms = options->refused_max_ms;
    session->check_ms = (int64_t)options->clock_check_s * 1000;
    session->time_ms = (int64_t)options->metadata_refresh_s * 1000;
    batch->groups = source->groups;
    batch->logins = options->batch_logins;
    batch->single_max = options->single_requests;
    batch->orders = options->orders;
    batch->history_ms = (int64_t)options->history_s * 1000;
    batch->deals_overlap_ms = (int64_t)options->deals_overlap_s * 1000;
    batch->metadata_ms = (int64_t)options->metadata_refresh_s * 1000;
    batch->dormant_ms = (int64_t)options->dormant_refresh_s * 1000;
    tg_pace_init(&source->pace, options->interval_ms, PACE_SLOWEST * (int64_t)options->interval_ms);
    source->gather_ms = options->gather_ms;
    source->poll_timeout_ms = options->poll_timeout_ms;
}

static int fill(struct tg_webapi_source *source, const struct tg_webapi_source_options *options,
                struct tg_err *err)
{
    static const struct tg_webapi_session_host host = {
        host_open, host_send, host_shut, host_ready, host_down, host_row, host_answer, NULL};
    struct tg_webapi_session_host mine = host;
    int rc = read_endpoints(source, options, err);
    if (!rc) rc = copy_texts(source, options, err);
    if (!rc) rc = read_offset(source, options->utc_offset, err);
    if (rc) return rc;
    set_options(source, options);
    mine.ctx = source;
    tg_webapi_session_init(&source->session, &source->session_options, &mine, now_of(source));
    source->batch.options = &source->batch_options;
    source->batch.clients = &source->clients;
    source->batch.zone = &source->session.zone;
    return 0;
}

int tg_webapi_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                          const struct tg_webapi_source_options *options, struct tg_source **out,
                          struct tg_err *err)
{
    if (options->urls_count < 1 || options->batch_logins < 1 ||
        options->batch_logins > TG_WEBAPI_SOURCE_LOGINS || options->timeout_ms < 1 ||
        options->interval_ms < 1)
        return tg_fail(err, TG_EINVAL,
                       "urls, batch_logins, timeout_ms or interval_ms out of bounds");
    struct tg_webapi_source *source = calloc(1, sizeof *source);
    if (!source) return tg_fail(err, TG_ENOMEM, "out of memory");
    source->source = (struct tg_source){.ops = &webapi_ops,
                                        .together = true,
                                        .pace = &source->pace,
                                        .session = tg_webapi_stats,
                                        .describe = tg_webapi_describe};
    source->loop = loop;
    source->clock = clock;
    source->swept_ms = now_of(source);
    tg_list_init(&source->waiting);
    tg_list_init(&source->finished);
    tg_list_init(&source->spare);
    int rc = fill(source, options, err);
    if (!rc && uv_timer_init(loop, &source->timer)) rc = tg_fail(err, TG_EIO, "no timer");
    if (rc) {
        source_free(source);
        return rc;
    }
    source->handles = 1;
    *out = &source->source;
    return 0;
}
