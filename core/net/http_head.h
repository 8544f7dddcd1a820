/* A request parser: HTTP/1.1 heads and bodies (RFC 9110, RFC 9112) from bytes cut anywhere. */
#pragma once

#include "net/http_headers.h"

#include <stdbool.h>
#include <stddef.h>

struct tg_http_head;

/* `head_bytes` bounds the request line and all header fields together (431), `body_bytes` the body
 * (413). NULL when memory is short. */
struct tg_http_head *tg_http_head_new(size_t head_bytes, size_t body_bytes);
void tg_http_head_free(struct tg_http_head *head);

/* Makes ready for the next request. */
void tg_http_head_reset(struct tg_http_head *head);

/* Takes bytes; `*used` is how many belong to this request. 0: the request is complete. -TG_EAGAIN:
 * all were used and more are needed. -TG_EPROTO: refused; see status and reason. After the first
 * and the last nothing may be fed until reset. */
int tg_http_head_feed(struct tg_http_head *head, const char *bytes, size_t len, size_t *used);

/* Why it was refused: the HTTP status (400, 413, 417, 431, 501, 503, 505) and one sentence that
 * repeats nothing of the request. */
int tg_http_head_status(const struct tg_http_head *head);
const char *tg_http_head_reason(const struct tg_http_head *head);

/* Whether any byte of the request has come. */
bool tg_http_head_begun(const struct tg_http_head *head);

/* Whether the client waits for "100 Continue" before its body (RFC 9110 §10.1.1). True once. */
bool tg_http_head_take_continue(struct tg_http_head *head);

/* Of a complete request; valid until reset. The target may be changed in place. */
const char *tg_http_head_method(const struct tg_http_head *head);
char *tg_http_head_target(struct tg_http_head *head);
bool tg_http_head_is_11(const struct tg_http_head *head); /* HTTP/1.1, not 1.0 */
bool tg_http_head_keep_alive(const struct tg_http_head *head);
const struct tg_http_headers *tg_http_head_headers(const struct tg_http_head *head);
const char *tg_http_head_body(const struct tg_http_head *head, size_t *len);
