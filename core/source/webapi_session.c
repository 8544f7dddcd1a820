/* The session is the connection: whatever breaks it, everything begins again with the proof. Who is
 * refused does not try again soon, because brokers lock accounts and ban addresses for that; who is
 * merely cut off does, a little later each time and never at the same moment as the others. */
#include "source/webapi_session_inner.h"

#include "base/log.h"
#include "source/webapi_read.h"
#include "source/webapi_retcode.h"

#define NEVER INT64_MAX

const char *tg_webapi_state_name(enum tg_webapi_state state)
{
    static const char *const names[] = {
        "waiting", "connecting", "authenticating", "authenticating", "reading the clock",
        "ready",   "asking",     "ready",          "closed"};
    return names[state];
}

void tg_webapi_session_init(struct tg_webapi_session *session,
                            const struct tg_webapi_session_options *options,
                            const struct tg_webapi_session_host *host, int64_t now_ms)
{
    session->options = options;
    session->host = *host;
    session->due_ms = now_ms;
    tg_random_bytes(&session->rng.state, sizeof session->rng.state);
    if (options->offset_fixed) (void)tg_webapi_zone_set(&session->zone, options->offset_s, 0);
    (void)tg_rest_fail(&session->fault, TG_POLL_FAILED, "CONNECTING",
                       "the session with the server is not there yet");
}

void tg_webapi_session_fini(struct tg_webapi_session *session)
{
    tg_webapi_wire_free(session->wire);
    tg_webapi_rows_fini(&session->rows);
    tg_buf_fini(&session->out);
}

/* ---- going down ---- */

/* A wire may be in the middle of telling us something; then it is freed when it has. */
static void unplug(struct tg_webapi_session *session)
{
    if (session->taking) return;
    tg_webapi_wire_free(session->wire);
    session->wire = NULL;
}

static void wait_for(struct tg_webapi_session *session, int64_t wait_ms)
{
    bool told = session->ready_told;
    session->state = TG_WEBAPI_WAITING;
    session->due_ms = session->now_ms + wait_ms;
    session->ready_told = false;
    session->host.shut(session->host.ctx);
    unplug(session);
    if (told) session->counters.drops++;
    session->host.down(session->host.ctx);
}

static int64_t doubled(int64_t first, int times, int64_t max)
{
    int64_t wait = first;
    while (times-- > 0 && wait < max)
        wait *= 2;
    return wait < max ? wait : max;
}

/* Between half and one and a half times as long, so that gateways that fell together do not come
 * back together. */
static int64_t jittered(struct tg_webapi_session *session, int64_t wait)
{
    return wait / 2 + (int64_t)tg_rng_below(&session->rng, (uint64_t)wait + 1);
}

void tg_webapi_session_drop(struct tg_webapi_session *session, const struct tg_rest_verdict *why,
                            int64_t now_ms)
{
    const struct tg_webapi_session_options *options = session->options;
    const struct tg_webapi_endpoint *endpoint = &options->endpoints[session->endpoint];
    bool refused = why->end == TG_POLL_REFUSED;
    int64_t wait;
    session->now_ms = now_ms;
    if (session->state == TG_WEBAPI_OVER || session->state == TG_WEBAPI_WAITING) return;
    session->fault = *why;
    if (refused) {
        wait = doubled(options->refused_first_ms, session->refusals++, options->refused_max_ms);
        session->counters.refused++;
    } else {
        wait = jittered(session,
                        doubled(options->retry_first_ms, session->failures, options->retry_max_ms));
        if (session->failures < 1000) session->failures++;
        session->endpoint = (session->endpoint + 1) % options->endpoints_count;
    }
    tg_warn("source", refused ? "session_refused" : "session_lost",
            tg_s("endpoint", endpoint->authority), tg_s("code", why->code),
            tg_s("message", why->message), tg_i("retry_in_ms", wait));
    wait_for(session, wait);
}

void tg_webapi_session_move(struct tg_webapi_session *session, const struct tg_rest_verdict *why,
                            int64_t now_ms)
{
    const struct tg_webapi_session_options *options = session->options;
    session->now_ms = now_ms;
    session->counters.moves++;
    /* Once around without a main server is a failure like any other. */
    if (++session->moved >= options->endpoints_count) {
        session->moved = 0;
        tg_webapi_session_drop(session, why, now_ms);
        return;
    }
    tg_warn("source", "session_moves", tg_s("code", why->code),
            tg_s("endpoint", options->endpoints[session->endpoint].authority));
    session->fault = *why;
    session->endpoint = (session->endpoint + 1) % options->endpoints_count;
    wait_for(session, 0);
}

void tg_webapi_session_fail(struct tg_webapi_session *session, enum tg_poll_end end,
                            const char *code, const char *message)
{
    struct tg_rest_verdict why = {0};
    (void)tg_rest_fail(&why, end, code, "%s", message);
    tg_webapi_session_drop(session, &why, session->now_ms);
}

/* ---- sending ---- */

static int send_request(struct tg_webapi_session *session, const struct tg_webapi_request *request)
{
    tg_buf_clear(&session->out);
    int rc = tg_webapi_wire_request(session->wire, request, &session->out);
    if (rc) return rc;
    session->alive_ms = session->now_ms;
    session->counters.requests++;
    session->host.send(session->host.ctx, session->out.data, session->out.len);
    return 0;
}

void tg_webapi_session_send(struct tg_webapi_session *session,
                            const struct tg_webapi_request *request, enum tg_webapi_state state,
                            int64_t due_ms)
{
    if (send_request(session, request)) {
        tg_webapi_session_fail(session, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
        return;
    }
    session->state = state;
    session->due_ms = due_ms;
}

void tg_webapi_session_become_ready(struct tg_webapi_session *session)
{
    session->state = TG_WEBAPI_READY;
    session->due_ms = session->alive_ms + session->options->keepalive_ms;
    if (!session->ready_told) {
        session->fault = (struct tg_rest_verdict){0};
        session->refusals = session->moved = 0;
        session->counters.connects++;
        tg_info("source", "session_ready",
                tg_s("endpoint", session->options->endpoints[session->endpoint].authority),
                tg_i("utc_offset_s", session->zone.offset_s));
    }
    session->ready_told = true;
    session->host.ready(session->host.ctx);
}

/* ---- answers ---- */

static void on_answer(void *ctx, const struct tg_webapi_answer *answer)
{
    struct tg_webapi_session *session = ctx;
    session->counters
        .answers[answer->retcode < 0 ? TG_WEBAPI_CLASSES : tg_webapi_classify(answer->retcode)]++;
    switch (session->state) {
    case TG_WEBAPI_STARTING:
    case TG_WEBAPI_ANSWERING: tg_webapi_session_take_proof(session, answer); break;
    case TG_WEBAPI_TIMING: tg_webapi_session_take_time(session, answer); break;
    case TG_WEBAPI_PINGING: tg_webapi_session_become_ready(session); break;
    case TG_WEBAPI_ASKING:
        tg_histogram_note(&session->counters.round_trip,
                          (session->now_ms - session->asked_ms) * 1000);
        session->state = TG_WEBAPI_READY;
        session->due_ms = session->alive_ms + session->options->keepalive_ms;
        if (answer->retcode == 0) session->failures = 0;
        session->host.answer(session->host.ctx, answer);
        break;
    default: break;
    }
}

static void on_row(void *ctx, const struct tg_webapi_row *row)
{
    struct tg_webapi_session *session = ctx;
    if (session->state == TG_WEBAPI_ASKING) {
        session->host.row(session->host.ctx, row);
    } else if (session->state == TG_WEBAPI_TIMING && session->server_asked) {
        (void)tg_webapi_read_time(&session->rows, row, &session->server_s);
    } else if (session->state == TG_WEBAPI_TIMING) {
        session->offset_told |= !tg_webapi_read_zone(&session->rows, row, &session->offset_s);
    }
}

/* ---- what happens ---- */

void tg_webapi_session_opened(struct tg_webapi_session *session, int64_t now_ms)
{
    const struct tg_webapi_session_options *options = session->options;
    const struct tg_webapi_endpoint *endpoint = &options->endpoints[session->endpoint];
    const struct tg_webapi_wire_options wire = {endpoint->authority, options->row_max,
                                                options->answer_max};
    const struct tg_webapi_wire_host host = {on_row, on_answer, session};
    session->now_ms = now_ms;
    if (session->state != TG_WEBAPI_CONNECTING) return;
    session->wire =
        endpoint->raw ? tg_webapi_raw_new(&wire, &host) : tg_webapi_rest_new(&wire, &host);
    if (!session->wire)
        tg_webapi_session_fail(session, TG_POLL_FAILED, "NO_MEMORY", "out of memory");
    else
        tg_webapi_session_prove(session);
}

/* A long answer may take its time as long as it moves, but not for ever. */
static void wait_on(struct tg_webapi_session *session)
{
    const struct tg_webapi_session_options *options = session->options;
    int64_t still = session->now_ms + options->request_ms;
    int64_t last = session->asked_ms + options->answer_ms;
    session->due_ms = still < last ? still : last;
}

void tg_webapi_session_bytes(struct tg_webapi_session *session, const char *bytes, size_t len,
                             int64_t now_ms, int64_t wall_ms)
{
    session->now_ms = now_ms;
    session->wall_ms = wall_ms;
    if (!session->wire) return;
    if (session->state == TG_WEBAPI_ASKING) wait_on(session);
    session->taking = true;
    int rc = tg_webapi_wire_take(session->wire, bytes, len);
    session->taking = false;
    if (session->state == TG_WEBAPI_WAITING || session->state == TG_WEBAPI_OVER) {
        unplug(session);
    } else if (rc) {
        tg_webapi_session_fail(session, TG_POLL_FAILED,
                               rc == -TG_ELIMIT ? "BODY_TOO_LARGE" : "BAD_DOCUMENT",
                               session->wire->why);
    } else if (session->wire->last && !session->wire->awaiting) {
        tg_webapi_session_fail(session, TG_POLL_FAILED, "SESSION_CLOSED",
                               "the server ends the connection");
    }
}

void tg_webapi_session_closed(struct tg_webapi_session *session, const char *code,
                              const char *message, int64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->wire && !*code) {
        session->taking = true;
        (void)tg_webapi_wire_end(session->wire);
        session->taking = false;
    }
    if (session->state == TG_WEBAPI_WAITING || session->state == TG_WEBAPI_OVER)
        unplug(session);
    else
        tg_webapi_session_fail(session, TG_POLL_FAILED, *code ? code : "CONNECTION_BROKEN",
                               *message ? message : "the server closed the connection");
}

static void connect_now(struct tg_webapi_session *session)
{
    session->state = TG_WEBAPI_CONNECTING;
    session->due_ms = session->now_ms + session->options->auth_ms;
    session->host.open(session->host.ctx, &session->options->endpoints[session->endpoint]);
}

static void ping(struct tg_webapi_session *session)
{
    const struct tg_webapi_request request = {.command = TG_WEBAPI_TEST_ACCESS};
    tg_buf_clear(&session->out);
    if (!tg_webapi_wire_ping(session->wire, &session->out)) {
        tg_webapi_session_send(session, &request, TG_WEBAPI_PINGING,
                               session->now_ms + session->options->request_ms);
        return;
    }
    session->alive_ms = session->now_ms;
    session->due_ms = session->now_ms + session->options->keepalive_ms;
    session->host.send(session->host.ctx, session->out.data, session->out.len);
}

void tg_webapi_session_tick(struct tg_webapi_session *session, int64_t now_ms, int64_t wall_ms)
{
    session->now_ms = now_ms;
    session->wall_ms = wall_ms;
    if (session->state == TG_WEBAPI_OVER || now_ms < session->due_ms) return;
    switch (session->state) {
    case TG_WEBAPI_WAITING: connect_now(session); break;
    case TG_WEBAPI_READY: ping(session); break;
    case TG_WEBAPI_CONNECTING:
        tg_webapi_session_fail(session, TG_POLL_FAILED, "TIMEOUT",
                               "the connection was not made in time");
        break;
    case TG_WEBAPI_STARTING:
    case TG_WEBAPI_ANSWERING:
        tg_webapi_session_fail(session, TG_POLL_FAILED, "TIMEOUT",
                               "the server did not authenticate us in time");
        break;
    default:
        tg_webapi_session_fail(session, TG_POLL_FAILED, "TIMEOUT",
                               "the server did not answer in time");
        break;
    }
}

void tg_webapi_session_stalled(struct tg_webapi_session *session, int64_t lost_ms, int64_t grace_ms,
                               int64_t now_ms)
{
    switch (session->state) {
    case TG_WEBAPI_WAITING:
    case TG_WEBAPI_READY:
    case TG_WEBAPI_OVER: return; /* nothing is waited for */
    default: break;
    }
    session->asked_ms += lost_ms;
    session->due_ms += lost_ms;
    if (session->due_ms < now_ms + grace_ms) session->due_ms = now_ms + grace_ms;
}

int tg_webapi_session_ask(struct tg_webapi_session *session,
                          const struct tg_webapi_request *request, int64_t now_ms)
{
    tg_must(session->state == TG_WEBAPI_READY);
    session->now_ms = now_ms;
    int rc = send_request(session, request);
    if (rc) return rc;
    session->state = TG_WEBAPI_ASKING;
    session->asked_ms = now_ms;
    wait_on(session);
    return 0;
}

void tg_webapi_session_quit(struct tg_webapi_session *session)
{
    const struct tg_webapi_request request = {.command = TG_WEBAPI_QUIT};
    if (session->wire && session->state == TG_WEBAPI_READY) (void)send_request(session, &request);
    session->state = TG_WEBAPI_OVER;
    session->due_ms = NEVER;
    session->host.shut(session->host.ctx);
    unplug(session);
}
