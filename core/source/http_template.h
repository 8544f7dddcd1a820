/* A template: text of a request with places for who is asked for, and since when. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* {account_id} {login} {subject}, and of both ends of the time that is of interest {since} {until}
 * in epoch seconds, {since_ms} {until_ms} in milliseconds, {since_iso} {until_iso} as
 * 2026-03-02T08:00:00Z. */
struct tg_http_places {
    const char *account_id, *login, *subject;
    int64_t since_ms, until_ms;
};

/* How what is put into a place is written so that it stays in its place. */
enum tg_http_encoding {
    TG_HTTP_IN_URL,  /* percent-encoded (RFC 3986); "." and ".." too, which would climb */
    TG_HTTP_IN_JSON, /* escaped as within a JSON string (RFC 8259, section 7) */
};

/* Whether every `{` begins a place. 0, or -TG_EINVAL with a sentence that names the nearest. In
 * JSON a `{` that is not followed by a letter is a brace. */
int tg_http_template_check(const char *text, enum tg_http_encoding encoding, struct tg_err *err);

/* Whether it has a place that says which account is asked for: {account_id} or {login}. */
bool tg_http_template_names(const char *text);

/* Appends the text with its places filled. */
void tg_http_template_put(struct tg_buf *out, const char *text, const struct tg_http_places *places,
                          enum tg_http_encoding encoding);
