/* libcurl's multi_socket interface on libuv, behind a handful of functions so that it can be
 * replaced: this file and http_url.c are the only ones that know curl. curl tells which sockets to
 * watch and when to be woken; http_watch.c and one uv_timer do so; what has finished is then read
 * off. curl's sockets are opened and closed by our hand, which lets them stay watched from request
 * to request.
 *
 * What would break it: calling curl from inside its own callbacks (the socket and timer callbacks
 * only note what is wanted; transfers end in `drain`, outside of them); a `done` that cancels
 * another call or closes the client while `drain` walks, which is why `drain` asks curl anew after
 * each. */
#include "source/http_client.h"

#include "base/list.h"
#include "base/text.h"
#include "source/http_watch.h"

#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

/* Answers are a few kilobytes; curl's default of 16 KiB a transfer would mostly lie idle. */
#define RECEIVE_BUFFER 8192L

struct tg_http_client {
    CURLM *multi; /* NULL once closing */
    uv_timer_t timer;
    bool timer_closed;
    struct tg_http_watches watches;
    int64_t max_body;
    char *ca_file;
    struct tg_list idle; /* transfers ready for use, at most `connections` */
    struct tg_list busy;
    int idle_count, connections;
    void (*closed)(void *owner);
    void *owner;
};

/* An easy handle and the call it serves. Reused: making one costs more than a request. */
struct transfer {
    struct tg_list node;
    struct tg_http_client *client;
    struct tg_http_call *call;
    CURL *easy;
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

/* ---- closing ---- */

/* Whatever is left is freed with the last of the loop's handles. */
static void release(void *ctx)
{
    struct tg_http_client *client = ctx;
    if (!client->timer_closed || client->watches.count) return;
    void (*closed)(void *) = client->closed;
    void *owner = client->owner;
    tg_http_watches_fini(&client->watches);
    free(client->ca_file);
    free(client);
    curl_global_cleanup();
    if (closed) closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct tg_http_client *client = tg_of(handle, struct tg_http_client, timer);
    client->timer_closed = true;
    release(client);
}

static void transfer_free(struct transfer *transfer)
{
    tg_list_remove(&transfer->node);
    curl_easy_cleanup(transfer->easy);
    free(transfer);
}

/* ---- transfers ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    struct tg_buf *body = &transfer->call->body;
    size_t len = size * count;
    transfer->too_large = body->len + len > (uint64_t)transfer->client->max_body;
    if (!transfer->too_large) tg_buf_add(body, bytes, len);
    return transfer->too_large || body->failed ? CURL_WRITEFUNC_ERROR : len;
}

static curl_socket_t on_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
static int on_socket_close(void *arg, curl_socket_t fd);

/* What never changes from call to call. */
static int prepare(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    const char *ca_file = transfer->client->ca_file;
    CURLcode rc = CURLE_OK;
#define SET(option, value) \
    if (!rc) rc = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket_open);
    SET(CURLOPT_OPENSOCKETDATA, transfer->client);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_socket_close);
    SET(CURLOPT_CLOSESOCKETDATA, transfer->client);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* our headers carry secrets: they go to no other host */
    SET(CURLOPT_PROXY, "");          /* nor through whatever http_proxy names */
    SET(CURLOPT_PATH_AS_IS, 1L);     /* an account called ".." must not climb in the path */
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->client->max_body);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* or a timeout waits, blocking the loop, for a slow resolver */
    SET(CURLOPT_USERAGENT, "tidegate/" TIDEGATE_VERSION);
    if (ca_file) SET(CURLOPT_CAINFO, ca_file);
#undef SET
    return rc ? -TG_ENOMEM : 0;
}

static struct transfer *transfer_new(struct tg_http_client *client)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) return NULL;
    tg_list_init(&transfer->node);
    transfer->client = client;
    transfer->easy = curl_easy_init();
    if (transfer->easy && !prepare(transfer)) return transfer;
    transfer_free(transfer);
    return NULL;
}

static struct transfer *transfer_take(struct tg_http_client *client)
{
    struct tg_list *node = tg_list_first(&client->idle);
    if (!node) return transfer_new(client);
    tg_list_remove(node);
    client->idle_count--;
    return tg_of(node, struct transfer, node);
}

/* Ends a transfer's service to its call. */
static void transfer_give(struct transfer *transfer)
{
    struct tg_http_client *client = transfer->client;
    (void)curl_multi_remove_handle(client->multi, transfer->easy);
    transfer->call->transfer = NULL;
    transfer->call = NULL;
    tg_list_remove(&transfer->node);
    if (client->idle_count == client->connections) {
        transfer_free(transfer);
        return;
    }
    client->idle_count++;
    tg_list_append(&client->idle, &transfer->node);
}

static int failure(struct tg_http_call *call, int code, const char *name, const char *message)
{
    call->code = name;
    tg_copy(call->message, sizeof call->message, message, strlen(message));
    return -code;
}

static int judge(const struct transfer *transfer, CURLcode result)
{
    struct tg_http_call *call = transfer->call;
    const char *text = *transfer->error ? transfer->error : curl_easy_strerror(result);
    if (transfer->too_large || result == CURLE_FILESIZE_EXCEEDED)
        return failure(call, TG_ELIMIT, "BODY_TOO_LARGE", "the source's answer is too large");
    if (call->body.failed || result == CURLE_OUT_OF_MEMORY)
        return failure(call, TG_ENOMEM, "NO_MEMORY", "out of memory");
    switch (result) {
    case CURLE_OK: return 0;
    case CURLE_OPERATION_TIMEDOUT: return failure(call, TG_ETIMEOUT, "TIMEOUT", text);
    case CURLE_COULDNT_RESOLVE_HOST: return failure(call, TG_EIO, "RESOLVE_FAILED", text);
    case CURLE_COULDNT_CONNECT: return failure(call, TG_EIO, "CONNECT_FAILED", text);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return failure(call, TG_EIO, "TLS_FAILED", text);
    case CURLE_PARTIAL_FILE: return failure(call, TG_EPROTO, "TRUNCATED", text);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING: return failure(call, TG_EPROTO, "NOT_HTTP", text);
    default: return failure(call, TG_EIO, "CONNECTION_BROKEN", text);
    }
}

static void finish(struct transfer *transfer, CURLcode result)
{
    struct tg_http_call *call = transfer->call;
    long status = 0;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    call->status = (int)status;
    if (retry_after > 0)
        call->retry_after_ms = retry_after < INT64_MAX / 1000 ? retry_after * 1000 : INT64_MAX;
    call->rc = judge(transfer, result);
    transfer_give(transfer);
    call->done(call);
}

static void drain(struct tg_http_client *client)
{
    CURLMsg *message;
    int left;
    while (client->multi && (message = curl_multi_info_read(client->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE) continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        finish(transfer, result);
    }
}

/* ---- sockets and time ---- */

static void on_ready(void *ctx, int fd, int status, int events)
{
    struct tg_http_client *client = ctx;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(client->multi, fd, flags, &running);
    drain(client);
}

static void on_time(uv_timer_t *timer)
{
    struct tg_http_client *client = tg_of(timer, struct tg_http_client, timer);
    int running;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain(client);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    struct tg_http_client *client = arg;
    (void)multi;
    if (timeout_ms < 0) return uv_timer_stop(&client->timer);
    return uv_timer_start(&client->timer, on_time, (uint64_t)timeout_ms, 0);
}

/* A socket that cannot be watched is left alone: its transfer then ends by its deadline. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    struct tg_http_client *client = arg;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    (void)easy;
    (void)socket;
    tg_http_watches_want(&client->watches, fd, what == CURL_POLL_REMOVE ? 0 : events);
    return 0;
}

static curl_socket_t on_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct tg_http_client *client = arg;
    (void)purpose;
    return tg_http_watches_open(&client->watches, address->family, address->socktype,
                                address->protocol);
}

static int on_socket_close(void *arg, curl_socket_t fd)
{
    struct tg_http_client *client = arg;
    tg_http_watches_close(&client->watches, fd);
    return 0;
}

/* ---- the interface ---- */

int tg_http_client_open(uv_loop_t *loop, const struct tg_http_client_options *options,
                        struct tg_http_client **out, struct tg_err *err)
{
    if (options->ca_file && access(options->ca_file, R_OK))
        return tg_fail(err, TG_EINVAL, "cannot read the CA file %s", options->ca_file);
    struct tg_http_client *client = calloc(1, sizeof *client);
    if (!client) return tg_fail(err, TG_ENOMEM, "out of memory");
    client->max_body = options->max_body;
    client->connections = options->connections;
    client->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    tg_list_init(&client->idle);
    tg_list_init(&client->busy);
    if (!curl_global_init(CURL_GLOBAL_DEFAULT)) client->multi = curl_multi_init();
    if (!client->multi || (options->ca_file && !client->ca_file)) {
        (void)curl_multi_cleanup(client->multi);
        curl_global_cleanup();
        free(client->ca_file);
        free(client);
        return tg_fail(err, TG_ENOMEM, "out of memory");
    }
    (void)uv_timer_init(loop, &client->timer);
    client->watches =
        (struct tg_http_watches){.loop = loop, .ready = on_ready, .gone = release, .ctx = client};
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    *out = client;
    return 0;
}

/* The handle is reused: whatever the request before set is set again. */
static CURLcode set_method(CURL *easy, const char *post)
{
    if (!post) return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (!rc) rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(post));
    return rc ? rc : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post);
}

int tg_http_client_send(struct tg_http_client *client, struct tg_http_call *call)
{
    tg_must(client->multi && !call->transfer && call->timeout_ms > 0);
    struct transfer *transfer = transfer_take(client);
    if (!transfer) return -TG_ENOMEM;
    tg_buf_clear(&call->body);
    call->rc = call->status = 0;
    call->retry_after_ms = 0;
    call->code = "";
    *call->message = *transfer->error = '\0';
    call->transfer = transfer;
    transfer->call = call;
    transfer->too_large = false;
    tg_list_append(&client->busy, &transfer->node);
    const void *lines = call->lines;
    CURL *easy = transfer->easy;
    if (!set_method(easy, call->post) && !curl_easy_setopt(easy, CURLOPT_URL, call->url) &&
        !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines) &&
        !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms) &&
        !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->timeout_ms) &&
        !curl_multi_add_handle(client->multi, easy))
        return 0;
    transfer_give(transfer);
    return -TG_ENOMEM;
}

void tg_http_client_cancel(struct tg_http_client *client, struct tg_http_call *call)
{
    (void)client;
    if (call->transfer) transfer_give(call->transfer);
}

void tg_http_client_close(struct tg_http_client *client, void (*closed)(void *owner), void *owner)
{
    client->closed = closed;
    client->owner = owner;
    tg_list_each(node, &client->busy) transfer_give(tg_of(node, struct transfer, node));
    tg_list_each(node, &client->idle) transfer_free(tg_of(node, struct transfer, node));
    CURLM *multi = client->multi;
    client->multi = NULL;
    (void)curl_multi_cleanup(multi);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

int tg_http_lines_add(struct tg_http_lines **lines, const char *line)
{
    struct curl_slist *longer = curl_slist_append((struct curl_slist *)*lines, line);
    if (!longer) return -TG_ENOMEM;
    *lines = (struct tg_http_lines *)longer;
    return 0;
}

void tg_http_lines_free(struct tg_http_lines *lines)
{
    curl_slist_free_all((struct curl_slist *)lines);
}
