/* A verdict on an answer of the MT5 REST service: what its failure means for the poll. */
#pragma once

#include "base/json.h"
#include "source/source.h"

/* The same bounds as struct tg_poll, into which it is copied. All zero is OK. */
struct tg_rest_verdict {
    enum tg_poll_end end;
    char code[48];     /* upper-case letters, digits and `_` */
    char message[200]; /* printable; may quote the service */
    int64_t retry_after_ms;
};

/* The longest Retry-After that is passed on: a day. */
#define TG_REST_RETRY_MAX_MS 86400000

/* Fills a verdict and returns -TG_EPROTO, so that `return tg_rest_fail(…)` reads well. The code is
 * ours; the message is cut at its bound. */
int tg_rest_fail(struct tg_rest_verdict *verdict, enum tg_poll_end end, const char *code,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A service's own code, made fit for `code` of a verdict. */
void tg_rest_error_code(char out[48], const char *text);

/* Whether a document reports a failure, whatever its status: `success` false, or an `error` or
 * `error_code` that says something. */
bool tg_rest_reports_error(const struct tg_json *document);

/* Judges a failed answer by its HTTP status and its error document, which may be in either shape,
 * {"error":{"code","message","retry_after_seconds"}} or {"error_code","error_message"}; `document`
 * is NULL when the body was not JSON. `retry_after_ms` is the Retry-After header's (RFC 9110,
 * section 10.2.3), 0 when there was none; the longer of both counts.
 *
 * 401, 403 or a code that speaks of credentials: REFUSED. 429, 503 that names a time, or a code
 * that speaks of too many requests: BUSY. A code that says the account does not exist, with a
 * status below 500: UNKNOWN; a bare 404, as a wrong base URL gives, is not that. All else: FAILED.
 */
void tg_rest_error_read(struct tg_rest_verdict *verdict, int status, const struct tg_json *document,
                        int64_t retry_after_ms);
