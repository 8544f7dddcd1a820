/* The base URL of a service. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Checks a base URL: http or https, a host, no user or password (they would end up in messages), no
 * query or fragment. 0, -TG_EINVAL with a sentence, or -TG_ENOMEM. */
int tg_http_url_check(const char *url, struct tg_err *err);

/* Appends a URL without the slashes at its end. */
void tg_http_url_base(struct tg_buf *out, const char *url);

/* Appends text as one path segment (RFC 3986, section 3.3): everything but unreserved characters is
 * percent-encoded, and so are the dots of "." and "..", which would climb in the path. */
void tg_http_url_segment(struct tg_buf *out, const char *text);
