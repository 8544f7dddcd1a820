/* One port for all: what a client speaks shows in its first bytes, as on a real access server,
 * where HTTPS and the raw protocol share port 443.
 *
 * Requests of a connection are carried out one after another. While an answer is late, what comes
 * meanwhile waits in `in`; that is why a fault that never answers needs no more than `busy`. */
#include "conn.h"

#include "base/clock.h"
#include "base/err.h"
#include "server.h"
#include "stats.h"
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "MT5WEBAPI"
#define TLS_HANDSHAKE 0x16
#define FLOW 32768 /* bytes of an answer that are worth a call of their own */

struct write {
    uv_write_t req;
    char *bytes;
    bool finish;
};

static void on_closed(uv_handle_t *handle)
{
    struct mt_conn *conn = handle->data;
    if (handle == (uv_handle_t *)&conn->tcp) {
        uv_close((uv_handle_t *)&conn->pause, on_closed);
        return;
    }
    if (conn->protocol) conn->protocol->fini(conn);
    SSL_free(conn->ssl);
    tg_list_remove(&conn->node);
    tg_buf_fini(&conn->in);
    tg_buf_fini(&conn->held);
    tg_buf_fini(&conn->json);
    mt_stats.open--;
    free(conn);
}

void mt_conn_close(struct mt_conn *conn)
{
    if (conn->closing) return;
    conn->closing = true;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void mt_conn_reset(struct mt_conn *conn)
{
    if (conn->closing) return;
    conn->closing = true;
    if (uv_tcp_close_reset(&conn->tcp, on_closed)) uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *write = (struct write *)(void *)req;
    struct mt_conn *conn = req->handle->data;
    bool finish = write->finish;
    free(write->bytes);
    free(write);
    if (finish || status) mt_conn_close(conn);
}

static void write_bytes(struct mt_conn *conn, char *bytes, size_t len, bool finish)
{
    struct write *write = calloc(1, sizeof *write);
    tg_must(write);
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
    write->bytes = bytes;
    write->finish = finish;
    mt_stats.bytes_out += len;
    if (!uv_write(&write->req, (uv_stream_t *)&conn->tcp, &buf, 1, on_written)) return;
    free(bytes);
    free(write);
    mt_conn_close(conn);
}

void mt_conn_send(struct mt_conn *conn, struct tg_buf *bytes)
{
    if (conn->closing || !bytes->len) {
        tg_buf_clear(bytes);
        return;
    }
    if (conn->ssl) {
        struct tg_buf sealed = {0};
        mt_tls_seal(conn->ssl, bytes->data, bytes->len, &sealed);
        tg_buf_clear(bytes);
        if (sealed.len) write_bytes(conn, sealed.data, sealed.len, false);
        return;
    }
    uv_buf_t buf = uv_buf_init(bytes->data, (unsigned)bytes->len);
    int sent = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    if (sent > 0) mt_stats.bytes_out += (size_t)sent;
    if (sent > 0) tg_buf_consume(bytes, (size_t)sent);
    if (!bytes->len) return;
    size_t len = bytes->len;
    write_bytes(conn, tg_buf_take(bytes), len, false);
}

void mt_conn_flow(struct mt_conn *conn, struct tg_buf *out)
{
    if (conn->flows && out->len >= FLOW) mt_conn_send(conn, out);
}

void mt_conn_finish(struct mt_conn *conn)
{
    char *nothing = malloc(1);
    tg_must(nothing);
    if (conn->closing) {
        free(nothing);
        return;
    }
    conn->busy = true;
    write_bytes(conn, nothing, 0, true);
}

static void proceed(struct mt_conn *conn)
{
    if (conn->taking) return;
    conn->taking = true;
    while (!conn->busy && !conn->closing && conn->protocol && conn->protocol->take(conn)) {
    }
    conn->taking = false;
}

/* Sends what is held, or a piece of it; then the connection goes on or ends. */
static void release(struct mt_conn *conn)
{
    if (conn->piece && conn->piece < conn->held.len) {
        struct tg_buf piece = {0};
        tg_buf_add(&piece, conn->held.data, conn->piece);
        tg_buf_consume(&conn->held, conn->piece);
        mt_conn_send(conn, &piece);
        tg_buf_fini(&piece);
    } else {
        mt_conn_send(conn, &conn->held);
    }
    if (conn->held.len) return; /* the timer comes again */
    (void)uv_timer_stop(&conn->pause);
    conn->piece = 0;
    if (conn->reset_after) {
        mt_conn_reset(conn);
    } else if (conn->close_after) {
        mt_conn_finish(conn);
    } else {
        conn->busy = false;
        proceed(conn);
    }
}

static void on_pause(uv_timer_t *timer)
{
    release(timer->data);
}

/* Cuts off what is to be lost. */
static void cut(struct tg_buf *out, int64_t bytes)
{
    int64_t keep = bytes >= 0 ? bytes : (int64_t)out->len + bytes;
    if (keep < 0) keep = 0;
    if ((size_t)keep < out->len) out->len = (size_t)keep;
}

static void put_garbage(struct tg_buf *out)
{
    tg_buf_clear(out);
    for (int i = 0; i < 300; i++)
        tg_buf_putc(out, (char)(i * 37 + 11));
}

/* Whether a fault is about the answer as a whole, so that no part of it may leave before. */
static bool whole(const struct mt_fault *fault)
{
    switch (fault ? fault->kind : MT_FAULT_KINDS) {
    case MT_FAULT_HANG:
    case MT_FAULT_DELAY:
    case MT_FAULT_DROP:
    case MT_FAULT_RESET:
    case MT_FAULT_GARBAGE:
    case MT_FAULT_TRICKLE: return true;
    default: return false;
    }
}

/* What a fault does to the bytes of an answer and to the time of their sending. */
static void deliver(struct mt_conn *conn, struct tg_buf *out, const struct mt_fault *fault)
{
    uint64_t wait_ms = 0;
    conn->busy = true;
    switch (fault ? fault->kind : MT_FAULT_KINDS) {
    case MT_FAULT_HANG: tg_buf_fini(out); return;
    case MT_FAULT_DELAY: wait_ms = (uint64_t)fault->ms; break;
    case MT_FAULT_DROP: cut(out, fault->bytes), conn->close_after = true; break;
    case MT_FAULT_RESET: cut(out, fault->bytes), conn->reset_after = true; break;
    case MT_FAULT_GARBAGE: put_garbage(out); break;
    case MT_FAULT_TRICKLE:
        conn->piece = fault->bytes > 0 ? (size_t)fault->bytes : 1;
        conn->piece_ms = fault->ms > 0 ? (uint64_t)fault->ms : 1;
        wait_ms = conn->piece_ms;
        break;
    default: break;
    }
    tg_buf_fini(&conn->held);
    conn->held = *out;
    *out = (struct tg_buf){0};
    if (wait_ms)
        (void)uv_timer_start(&conn->pause, on_pause, wait_ms, conn->piece_ms);
    else
        release(conn);
}

/* A part of the answer that a stale rule gave to the same question before, or this one from now on.
 */
static void keep_part(struct mt_fault *fault, const struct tg_buf *question, const char *part,
                      struct tg_buf *answer)
{
    struct tg_buf key = {0};
    tg_buf_printf(&key, "%s|%s", part, question->data);
    char *kept = tg_map_get(&fault->kept, key.data, key.len);
    if (kept) {
        tg_buf_clear(answer);
        tg_buf_puts(answer, kept);
    } else if (answer->len) {
        kept = strdup(answer->data);
        tg_must(kept && !tg_map_put(&fault->kept, key.data, key.len, kept, NULL));
    }
    tg_buf_fini(&key);
}

static void keep_stale(struct mt_fault *fault, const struct mt_request *request,
                       struct mt_answer *answer)
{
    struct tg_buf question = {0};
    if (strncmp(request->command, "AUTH_", 5) == 0) return;
    tg_buf_puts(&question, request->command);
    for (int i = 0; i < request->params_count; i++)
        tg_buf_printf(&question, "|%s=%s", request->params[i].name, request->params[i].value);
    keep_part(fault, &question, "json", &answer->json);
    keep_part(fault, &question, "raw", &answer->raw);
    keep_part(fault, &question, "member", &answer->member);
    tg_buf_fini(&question);
}

void mt_conn_execute(struct mt_conn *conn, const struct mt_request *request)
{
    struct mt_fault *fault = mt_fault_take(request->command, request->transport);
    struct mt_answer answer = {.json = conn->json};
    struct tg_buf out = conn->held; /* nothing is held between answers, but memory */
    bool stranger = conn->session.state != MT_AUTHENTICATED;
    struct mt_call call = {
        .world = &conn->server->world,
        .session = &conn->session,
        .request = request,
        .answer = &answer,
        .fault = fault,
        .mono_ms = tg_mono_ms(tg_clock_system()),
        .wall_ms = tg_wall_ms(tg_clock_system()),
    };
    conn->json = conn->held = (struct tg_buf){0};
    tg_buf_clear(&answer.json);
    tg_buf_clear(&out);
    mt_command_run(&call);
    if (fault && fault->kind == MT_FAULT_STALE) keep_stale(fault, request, &answer);
    if (stranger && conn->session.state == MT_AUTHENTICATED) mt_stats.authenticated++;
    conn->close_after = answer.close;
    conn->flows = !whole(fault);
    conn->protocol->frame(conn, &answer, fault, &out);
    conn->json = answer.json;
    answer.json = (struct tg_buf){0};
    mt_answer_fini(&answer);
    deliver(conn, &out, fault);
}

/* What is spoken: it shows in the first byte, except where it might be the raw prefix. */
static void recognise(struct mt_conn *conn)
{
    const char *in = conn->in.data;
    size_t len = conn->in.len, prefix = sizeof PREFIX - 1;
    if (conn->control) {
        conn->protocol = &mt_control;
    } else if (memcmp(in, PREFIX, len < prefix ? len : prefix) == 0) {
        if (len >= prefix) conn->protocol = &mt_raw;
    } else {
        conn->protocol = &mt_rest;
    }
}

static void take_in(struct mt_conn *conn, const char *bytes, size_t len)
{
    bool first = !conn->protocol && !conn->in.len;
    if (first && !conn->ssl && !conn->control && conn->server->tls &&
        (unsigned char)*bytes == TLS_HANDSHAKE)
        conn->ssl = mt_tls_new(conn->server->tls);
    if (conn->ssl) {
        struct tg_buf reply = {0};
        bool fine = mt_tls_open(conn->ssl, bytes, len, &conn->in, &reply);
        if (reply.len)
            write_bytes(conn, reply.data, reply.len, false);
        else
            tg_buf_fini(&reply);
        if (!fine) mt_conn_finish(conn);
    } else {
        tg_buf_add(&conn->in, bytes, len);
    }
    tg_must(!conn->in.failed);
    if (conn->mute || !conn->in.len) return;
    if (!conn->protocol) recognise(conn);
    proceed(conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct mt_conn *conn = stream->data;
    if (n > 0) {
        conn->heard_ms = tg_mono_ms(tg_clock_system());
        take_in(conn, buf->base, (size_t)n);
    } else if (n < 0) {
        mt_conn_close(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536];
    (void)handle, (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

void mt_conn_accept(struct mt_server *server, uv_stream_t *listener, bool control)
{
    struct mt_conn *conn = calloc(1, sizeof *conn);
    tg_must(conn && !uv_tcp_init(&server->loop, &conn->tcp));
    tg_must(!uv_timer_init(&server->loop, &conn->pause));
    conn->server = server;
    conn->control = control;
    conn->tcp.data = conn->pause.data = conn;
    conn->heard_ms = tg_mono_ms(tg_clock_system());
    tg_list_init(&conn->node);
    tg_list_append(&server->conns, &conn->node);
    mt_stats.open++;
    mt_stats.connections += !control;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) ||
        (!control && server->mode == MT_DOWN_CLOSED)) {
        mt_conn_close(conn);
        return;
    }
    conn->mute = !control && server->mode == MT_DOWN_HUNG;
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    (void)uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
}

void mt_conn_tick(struct mt_conn *conn, int64_t mono_ms)
{
    if (conn->closing || conn->control) return;
    if (mono_ms - conn->heard_ms > conn->server->idle_ms) {
        mt_stats.closed_idle++;
        mt_conn_close(conn);
        return;
    }
    if (conn->protocol && conn->protocol->tick) conn->protocol->tick(conn, mono_ms);
}
