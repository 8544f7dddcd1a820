/* An answer: status line, header fields and body as bytes for the wire. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_answer {
    int status;
    const char *content_type; /* NULL: application/json */
    const char *body;
    size_t len;
    int retry_after_s; /* 0: no Retry-After */
    const char *allow; /* for 405; NULL */
    bool no_store;
    bool close; /* end the connection after the answer */
};

/* How the answer is to be sent, which depends on the request. */
struct tg_answer_manner {
    bool head_only; /* to HEAD: the length of the body, but not the body (RFC 9110 §9.3.2) */
    bool close;     /* "Connection: close" */
    bool say_alive; /* "Connection: keep-alive", which HTTP/1.0 wants to hear */
};

/* Appends the answer. 401 carries WWW-Authenticate, 426 Upgrade and Sec-WebSocket-Version, as their
 * definitions demand (RFC 9110 §15.5.2, §15.5.22; RFC 6455 §4.4). */
void tg_answer_write(struct tg_buf *out, const struct tg_answer *answer,
                     const struct tg_answer_manner *manner);

/* Appends the protocol's error object. `retry_after_s` 0 = null. */
void tg_answer_error(struct tg_buf *out, const char *code, const char *message, int retry_after_s,
                     const char *support_reference);
