/* The header fields of one request, as they arrive and as they are looked up. */
#pragma once

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Fields of one request; more: 431. The bytes are bounded apart, by `head_bytes`. */
#define TG_HTTP_HEADERS_MAX 100

struct tg_http_header {
    uint32_t name, value; /* offsets into `text` */
    uint32_t times;       /* how often the name was given; 0: folded into an earlier one */
};

/* Zero-initialise. Spans may be cut anywhere: a name or value is the sum of its pieces. */
struct tg_http_headers {
    struct tg_buf text;
    uint32_t count;
    int state;
    struct tg_http_header list[TG_HTTP_HEADERS_MAX];
};

/* Forgets the fields and keeps the memory; frees everything. */
void tg_http_headers_clear(struct tg_http_headers *headers);
void tg_http_headers_fini(struct tg_http_headers *headers);

/* A piece of a name (the first one after a value starts a new field). 0, -TG_ELIMIT or -TG_ENOMEM.
 */
int tg_http_headers_name(struct tg_http_headers *headers, const char *bytes, size_t len);

/* The name is complete; a piece of its value. 0 or -TG_ENOMEM. */
int tg_http_headers_named(struct tg_http_headers *headers);
int tg_http_headers_value(struct tg_http_headers *headers, const char *bytes, size_t len);

/* All fields are there: repeated ones are joined with ", " (RFC 9110 §5.3). 0 or -TG_ENOMEM. */
int tg_http_headers_finish(struct tg_http_headers *headers);

/* The value of a field (case-insensitive), or NULL. Valid until clear. */
const char *tg_http_headers_get(const struct tg_http_headers *headers, const char *name);

/* How often a field was given. */
uint32_t tg_http_headers_times(const struct tg_http_headers *headers, const char *name);

/* Walks a comma-separated list value (RFC 9110 §5.6.1), skipping blanks and empty elements. Start
 * with `*cursor` at the value; returns the next element and its length, or NULL at the end. */
const char *tg_http_list_next(const char **cursor, size_t *len);
