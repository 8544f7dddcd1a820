/* llhttp parses; a small scanner in front of it refuses what llhttp lets pass and a proxy before us
 * might read differently (request smuggling): bare CR or LF, folded lines, blanks before a colon,
 * more than one blank in the request line, control bytes. The scanner also knows where the head
 * ends, so its bound is exact however the bytes are cut.
 *
 * Everything is refused as soon as it can be told. One request at a time: llhttp is paused when a
 * request is complete and set up anew for the next, so nothing of one leaks into another. */
#include "net/http_head.h"

#include "base/err.h"
#include "net/http_scan.h"

#include <llhttp.h>
#include <string.h>
#include <strings.h>

struct tg_http_head {
    llhttp_t parser;
    struct tg_http_scan scan;
    struct tg_http_headers headers;
    struct tg_buf target, body;
    size_t head_bytes, body_bytes;
    size_t seen, framing; /* bytes of the head; bytes beside the body after it */
    const char *reason;
    int status;
    bool head_done, done, keep_alive, wants_continue;
};

/* What a callback returns after it has said why. */
static int refuse(struct tg_http_head *head, int status, const char *reason)
{
    if (!head->status) {
        head->status = status;
        head->reason = reason;
    }
    return HPE_USER;
}

static int no_memory(struct tg_http_head *head)
{
    return refuse(head, 503, "out of memory");
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct tg_http_head *head = parser->data;
    tg_buf_add(&head->target, at, len);
    return head->target.failed ? no_memory(head) : 0;
}

/* Fields of a trailer come after the head is done. They are dropped (RFC 9112 §7.1.2): merging them
 * would let a body change what was decided by the head. */
static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct tg_http_head *head = parser->data;
    if (head->head_done) return 0;
    int rc = tg_http_headers_name(&head->headers, at, len);
    if (rc == -TG_ELIMIT) return refuse(head, 431, "too many header fields");
    return rc ? no_memory(head) : 0;
}

static int on_field_complete(llhttp_t *parser)
{
    struct tg_http_head *head = parser->data;
    if (head->head_done) return 0;
    return tg_http_headers_named(&head->headers) ? no_memory(head) : 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct tg_http_head *head = parser->data;
    if (head->head_done) return 0;
    return tg_http_headers_value(&head->headers, at, len) ? no_memory(head) : 0;
}

/* RFC 9110 §7.2: the characters of uri-host and port. A stray '/', '@' or blank here is how one
 * request is made to look like two hosts. */
static bool host_is_sound(const char *host)
{
    return strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                        "-._~%!$&'()*+;=:[]") == strlen(host);
}

/* What RFC 9112 asks of the head as a whole and llhttp leaves to its user. */
static int judge(struct tg_http_head *head)
{
    const struct tg_http_headers *headers = &head->headers;
    const llhttp_t *parser = &head->parser;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(head, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    uint32_t hosts = tg_http_headers_times(headers, "Host");
    if (hosts > 1 || (parser->http_minor == 1 && hosts == 0))
        return refuse(head, 400, "exactly one Host header field is needed");
    const char *host = tg_http_headers_get(headers, "Host");
    if (host && !host_is_sound(host)) return refuse(head, 400, "malformed Host header field");
    const char *coding = tg_http_headers_get(headers, "Transfer-Encoding");
    if (coding) {
        if (parser->http_minor == 0 || tg_http_headers_times(headers, "Content-Length"))
            return refuse(head, 400, "contradicting message lengths");
        if (strcasecmp(coding, "chunked") != 0)
            return refuse(head, 501, "only the chunked transfer coding is known here");
    }
    if (tg_http_headers_times(headers, "Content-Length") > 1)
        return refuse(head, 400, "contradicting message lengths");
    if (parser->content_length > head->body_bytes)
        return refuse(head, 413, "the body is too large");
    const char *expect = tg_http_headers_get(headers, "Expect");
    if (expect && parser->http_minor == 1) {
        if (strcasecmp(expect, "100-continue") != 0)
            return refuse(head, 417, "this expectation cannot be met");
        head->wants_continue = coding || parser->content_length > 0;
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct tg_http_head *head = parser->data;
    if (tg_http_headers_finish(&head->headers)) return no_memory(head);
    head->head_done = true;
    head->keep_alive = llhttp_should_keep_alive(parser);
    return judge(head) ? -1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct tg_http_head *head = parser->data;
    if (len > head->body_bytes - head->body.len) return refuse(head, 413, "the body is too large");
    tg_buf_add(&head->body, at, len);
    return head->body.failed ? no_memory(head) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct tg_http_head *head = parser->data;
    head->done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

struct tg_http_head *tg_http_head_new(size_t head_bytes, size_t body_bytes)
{
    struct tg_http_head *head = calloc(1, sizeof *head);
    if (!head) return NULL;
    head->head_bytes = head_bytes;
    head->body_bytes = body_bytes;
    tg_http_head_reset(head);
    return head;
}

void tg_http_head_free(struct tg_http_head *head)
{
    if (!head) return;
    tg_http_headers_fini(&head->headers);
    tg_buf_fini(&head->target);
    tg_buf_fini(&head->body);
    free(head);
}

void tg_http_head_reset(struct tg_http_head *head)
{
    llhttp_init(&head->parser, HTTP_REQUEST, &settings);
    head->parser.data = head;
    head->scan = (struct tg_http_scan){0};
    tg_http_headers_clear(&head->headers);
    tg_buf_clear(&head->target);
    tg_buf_fini(&head->body);
    head->seen = head->framing = 0;
    head->status = 0;
    head->reason = NULL;
    head->head_done = head->done = head->keep_alive = head->wants_continue = false;
}

/* llhttp's own complaints as statuses. */
static void refuse_by_parser(struct tg_http_head *head, llhttp_errno_t error)
{
    switch (error) {
    case HPE_INVALID_METHOD: refuse(head, 501, "unknown method"); break;
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
        refuse(head, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
        break;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
        refuse(head, 400, "malformed or contradicting message lengths");
        break;
    case HPE_INVALID_URL: refuse(head, 400, "malformed request target"); break;
    case HPE_INVALID_HEADER_TOKEN: refuse(head, 400, "malformed header field"); break;
    default: refuse(head, 400, "malformed request"); break;
    }
}

/* Lets llhttp have `len` bytes; how many it took. `status` tells when it refused. */
static size_t parse(struct tg_http_head *head, const char *bytes, size_t len)
{
    llhttp_errno_t error = llhttp_execute(&head->parser, bytes, len);
    if (error == HPE_OK) return len;
    if (!head->done) refuse_by_parser(head, error);
    const char *stop = llhttp_get_error_pos(&head->parser);
    return stop ? (size_t)(stop - bytes) : len;
}

/* The part of `bytes` that belongs to the head, checked and bounded. */
static size_t scan_head(struct tg_http_head *head, const char *bytes, size_t len)
{
    size_t room = head->head_bytes - head->seen;
    size_t n = tg_http_scan_feed(&head->scan, bytes, len < room ? len : room);
    head->seen += n;
    if (head->scan.fault)
        refuse(head, 400, head->scan.fault);
    else if (!head->scan.complete && n == room)
        refuse(head, 431, "the request head is too large");
    return n;
}

int tg_http_head_feed(struct tg_http_head *head, const char *bytes, size_t len, size_t *used)
{
    tg_must(!head->done && !head->status);
    size_t at = 0;
    if (!head->scan.complete) {
        at = scan_head(head, bytes, len);
        if (!head->status) at = parse(head, bytes, at);
    }
    while (!head->status && !head->done && at < len) {
        size_t had = head->body.len, n = parse(head, bytes + at, len - at);
        at += n;
        head->framing += n - (head->body.len - had);
        if (head->framing > head->head_bytes) refuse(head, 413, "the chunk framing is too large");
    }
    *used = at;
    if (head->status) return -TG_EPROTO;
    return head->done ? 0 : -TG_EAGAIN;
}

int tg_http_head_status(const struct tg_http_head *head)
{
    return head->status;
}

const char *tg_http_head_reason(const struct tg_http_head *head)
{
    return head->reason;
}

bool tg_http_head_begun(const struct tg_http_head *head)
{
    return head->seen > 0;
}

bool tg_http_head_take_continue(struct tg_http_head *head)
{
    bool wants = head->wants_continue && !head->done && head->body.len == 0;
    head->wants_continue = false;
    return wants;
}

const char *tg_http_head_method(const struct tg_http_head *head)
{
    return llhttp_method_name((llhttp_method_t)head->parser.method);
}

char *tg_http_head_target(struct tg_http_head *head)
{
    return head->target.data;
}

bool tg_http_head_is_11(const struct tg_http_head *head)
{
    return head->parser.http_minor == 1;
}

bool tg_http_head_keep_alive(const struct tg_http_head *head)
{
    return head->keep_alive;
}

const struct tg_http_headers *tg_http_head_headers(const struct tg_http_head *head)
{
    return &head->headers;
}

const char *tg_http_head_body(const struct tg_http_head *head, size_t *len)
{
    *len = head->body.len;
    return head->body.data ? head->body.data : "";
}
