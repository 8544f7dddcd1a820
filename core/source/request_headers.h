/* The headers that a source's requests carry: names, and values with places for who is asked for.
 */
#pragma once

#include "source/http_client.h"
#include "source/source.h"

struct tg_request_headers;

/* Copies and checks the configured headers: a name is a token (RFC 9110, section 5.1) and none that
 * frames the message, a value has no control characters. 0, -TG_EINVAL with a sentence that does
 * not show the value, or -TG_ENOMEM. */
int tg_request_headers_open(const struct tg_http_source_header *headers, int count,
                            struct tg_request_headers **out, struct tg_err *err);
void tg_request_headers_free(struct tg_request_headers *headers);

/* The lines for one poll, with {account_id} and {subject} put in; give them back with _put. A
 * subject is a stranger's text: control and other non-ASCII bytes, `%` and blanks at its ends are
 * percent-encoded, so that no two subjects look alike. A header with a place for what is "" is not
 * sent. 0 or -TG_ENOMEM. */
int tg_request_headers_get(const struct tg_request_headers *headers, const char *account_id,
                           const char *subject, struct tg_http_lines **out);
void tg_request_headers_put(const struct tg_request_headers *headers, struct tg_http_lines *lines);

/* Masks what a service quotes of our secrets: each word of a configured value, of 8 bytes or more,
 * becomes asterisks in `text`. */
void tg_request_headers_mask(const struct tg_request_headers *headers, char *text);
