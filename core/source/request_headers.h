/* The headers that a source's requests carry: names, and values with places for who is asked for.
 */
#pragma once

#include "source/http_client.h"
#include "source/source.h"

struct tg_request_headers;

/* For whom a request is made. */
struct tg_request_who {
    const char *account_id, *login, *subject; /* never NULL */
    const struct tg_route *route;             /* its headers come beside, and of one name instead;
                                               * NULL: none */
};

/* Copies and checks the configured headers, those of the whole source and beside them those of one
 * request, which count where both have a name: a name is a token (RFC 9110, section 5.1) and none
 * that frames the message, a value has no control characters. 0, -TG_EINVAL with a sentence that
 * does not show the value, or -TG_ENOMEM. */
int tg_request_headers_open(const struct tg_http_source_header *headers, int count,
                            const struct tg_http_source_header *more, int more_count,
                            struct tg_request_headers **out, struct tg_err *err);

/* The check of one header, as above. */
int tg_request_header_check(const struct tg_http_source_header *header, struct tg_err *err);

void tg_request_headers_free(struct tg_request_headers *headers);

/* The lines for one poll, with {account_id}, {login} and {subject} put in; give them back with
 * _put. Logins and subjects are strangers' text: control and other non-ASCII bytes, `%` and blanks
 * at their ends are percent-encoded, so that no two look alike. A header with a place for what is
 * "" is not sent. 0 or -TG_ENOMEM. */
int tg_request_headers_get(const struct tg_request_headers *headers,
                           const struct tg_request_who *who, struct tg_http_lines **out);
void tg_request_headers_put(const struct tg_request_headers *headers, struct tg_http_lines *lines);

/* Masks what a service quotes of our secrets: each word of a configured value, of 8 bytes or more,
 * becomes asterisks in `text`. `route` may be NULL. */
void tg_request_headers_mask(const struct tg_request_headers *headers, const struct tg_route *route,
                             char *text);
