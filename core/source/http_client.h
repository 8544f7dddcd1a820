/* An HTTP client on the loop: many requests at once over connections that are kept. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <uv.h>

struct tg_http_client;

struct tg_http_client_options {
    int connections;     /* idle connections that are kept */
    int64_t max_body;    /* bytes of one answer */
    const char *ca_file; /* NULL: the system's certificates */
};

/* Header lines of requests, "Name: value". NULL is the empty list. */
struct tg_http_lines;

/* One request; the caller embeds it and keeps it alive until `done` or tg_http_client_cancel. Zero
 * it before the first use; `body` keeps its memory from use to use and is the caller's to free. */
struct tg_http_call {
    const char *url;                   /* borrowed until the end */
    const struct tg_http_lines *lines; /* borrowed until the end */
    const char *post;                  /* the body of a POST, borrowed; NULL: a GET */
    int64_t timeout_ms;                /* from now to the last byte, connecting included; over 0 */
    void (*done)(struct tg_http_call *call); /* exactly once, never from inside _send */

    int rc;                 /* 0: `status` and the whole body are there; else -TG_E… */
    const char *code;       /* what failed, upper case, static; "" */
    char message[200];      /* a sentence about it, without the URL */
    int status;             /* of the answer; redirects are answers like any other */
    int64_t retry_after_ms; /* Retry-After, as seconds or as a date (RFC 9110, 10.2.3); 0 = none */
    struct tg_buf body;

    void *transfer; /* the client's own, NULL when idle */
};

/* A client; what is in `options` is copied. 0, -TG_EINVAL (the CA file cannot be read), -TG_ENOMEM.
 */
int tg_http_client_open(uv_loop_t *loop, const struct tg_http_client_options *options,
                        struct tg_http_client **out, struct tg_err *err);

/* Starts a request. 0 and `done` follows, or -TG_ENOMEM and it never comes. */
int tg_http_client_send(struct tg_http_client *client, struct tg_http_call *call);

/* Ends a request without `done`; harmless when it is not running. */
void tg_http_client_cancel(struct tg_http_client *client, struct tg_http_call *call);

/* Starts closing; calls that still run end without `done`. The memory is freed when the loop has
 * closed the handles; then `closed`, which may be NULL, is called. */
void tg_http_client_close(struct tg_http_client *client, void (*closed)(void *owner), void *owner);

/* Appends a line, copied. 0 or -TG_ENOMEM with the list as it was. */
int tg_http_lines_add(struct tg_http_lines **lines, const char *line);
void tg_http_lines_free(struct tg_http_lines *lines);
