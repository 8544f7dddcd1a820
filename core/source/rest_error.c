/* The services in the field agree on little: codes differ, statuses differ, and some say 200 to
 * everything. So most codes are read for the words in them. Not so the one that calls an account
 * unknown: that verdict closes the clients' connections for good, so it takes a code that says just
 * that. Anything not understood is a failure, the verdict that is retried and costs least when it
 * is wrong. */
#include "source/rest_error.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

int tg_rest_fail(struct tg_rest_verdict *verdict, enum tg_poll_end end, const char *code,
                 const char *format, ...)
{
    va_list args;
    *verdict = (struct tg_rest_verdict){.end = end};
    tg_copy(verdict->code, sizeof verdict->code, code, strlen(code));
    va_start(args, format);
    (void)vsnprintf(verdict->message, sizeof verdict->message, format, args);
    va_end(args);
    return -TG_EPROTO;
}

static bool says_something(const struct tg_json *document, uint32_t at)
{
    const struct tg_json_token *token = &document->tokens[at];
    return at && token->type != TG_JSON_NULL && token->type != TG_JSON_FALSE &&
           !(token->type == TG_JSON_STRING && !token->len);
}

bool tg_rest_reports_error(const struct tg_json *document)
{
    uint32_t success = tg_json_get(document, 0, "success");
    return (success && document->tokens[success].type == TG_JSON_FALSE) ||
           says_something(document, tg_json_get(document, 0, "error")) ||
           says_something(document, tg_json_get(document, 0, "error_code"));
}

/* The value under either name, 0 when there is none. */
static uint32_t either(const struct tg_json *document, uint32_t object, const char *one,
                       const char *other)
{
    uint32_t at = tg_json_get(document, object, one);
    return at ? at : tg_json_get(document, object, other);
}

/* A string or number as printable text, cut at its bound; "" when it is neither. */
static void text_of(char *out, size_t size, const struct tg_json *document, uint32_t at)
{
    const struct tg_json_token *token = &document->tokens[at];
    struct tg_buf plain = {0};
    out[0] = '\0';
    if (!at || (token->type != TG_JSON_STRING && token->type != TG_JSON_NUMBER)) return;
    tg_json_unescape(&plain, token);
    for (size_t i = 0; i < plain.len; i++)
        if ((unsigned char)plain.data[i] < 0x20 || plain.data[i] == 0x7f) plain.data[i] = ' ';
    if (plain.len) tg_copy(out, size, plain.data, plain.len);
    tg_buf_fini(&plain);
}

/* Upper-case letters, digits and `_`: fit for a metric's label. */
static void tidy_code(char *code)
{
    for (; *code; code++) {
        if (*code >= 'a' && *code <= 'z') *code = (char)(*code - 'a' + 'A');
        bool fit = (*code >= 'A' && *code <= 'Z') || (*code >= '0' && *code <= '9');
        if (!fit) *code = '_';
    }
}

void tg_rest_error_code(char out[48], const char *text)
{
    tg_copy(out, 48, text, strlen(text));
    tidy_code(out);
}

static bool speaks_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(text, *words)) return true;
    return false;
}

/* Whole codes only: ACCOUNT_SESSION_NOT_FOUND is an ill service, not an unknown account. */
static const char *const unknown_codes[] = {
    "ACCOUNT_NOT_FOUND",      "UNKNOWN_ACCOUNT",       "ACCOUNT_UNKNOWN",
    "NO_SUCH_ACCOUNT",        "ACCOUNT_NOT_EXIST",     "LOGIN_NOT_FOUND",
    "ACCOUNT_DOES_NOT_EXIST", "MT5_ACCOUNT_NOT_FOUND", NULL};
static const char *const absent_words[] = {"not found", "does not exist", "unknown account",
                                           "no such account", NULL};
static const char *const refusal_words[] = {"UNAUTHORIZED",
                                            "UNAUTHENTICATED",
                                            "FORBIDDEN",
                                            "AUTH_FAILED",
                                            "AUTHENTICATION",
                                            "API_KEY",
                                            "CREDENTIAL",
                                            "ACCESS_DENIED",
                                            "NOT_OWNER",
                                            "LOGIN_FAILED",
                                            "PASSWORD",
                                            "INVALID_TOKEN",
                                            NULL};
static const char *const busy_words[] = {"RATE_LIMIT", "TOO_MANY", "TOO_FREQUENT",
                                         "BUSY",       "THROTTL",  NULL};

static bool account_unknown(const struct tg_rest_verdict *v, int status)
{
    for (int i = 0; unknown_codes[i]; i++)
        if (!strcmp(v->code, unknown_codes[i])) return true;
    return status == 404 && !strcmp(v->code, "NOT_FOUND") && strcasestr(v->message, "account") &&
           speaks_of(v->message, absent_words);
}

static enum tg_poll_end judge(const struct tg_rest_verdict *v, int status)
{
    if (status == 401 || status == 403) return TG_POLL_REFUSED;
    if (status == 429) return TG_POLL_BUSY;
    if (status == 503 && v->retry_after_ms) return TG_POLL_BUSY;
    if (speaks_of(v->code, busy_words)) return TG_POLL_BUSY;
    if (status >= 500) return TG_POLL_FAILED;
    if (account_unknown(v, status)) return TG_POLL_UNKNOWN;
    if (speaks_of(v->code, refusal_words)) return TG_POLL_REFUSED;
    return TG_POLL_FAILED;
}

static int64_t retry_of(const struct tg_json *document, uint32_t object)
{
    double seconds;
    uint32_t at = tg_json_get(document, object, "retry_after_seconds");
    if (!at || tg_json_read_double(&document->tokens[at], &seconds) || !(seconds > 0)) return 0;
    if (seconds > TG_REST_RETRY_MAX_MS / 1000) return TG_REST_RETRY_MAX_MS;
    return (int64_t)(seconds * 1000);
}

static void read_document(struct tg_rest_verdict *v, const struct tg_json *document)
{
    uint32_t error = tg_json_get(document, 0, "error");
    bool nested = error && document->tokens[error].type == TG_JSON_OBJECT;
    uint32_t object = nested ? error : 0;
    uint32_t code = either(document, object, "code", "error_code");
    uint32_t text = either(document, object, "message", "error_message");
    if (!nested && !code) code = error; /* {"error":"SOMETHING"} */
    text_of(v->code, sizeof v->code, document, code);
    text_of(v->message, sizeof v->message, document, text);
    tidy_code(v->code);
    int64_t inner = retry_of(document, object), outer = retry_of(document, 0);
    if (inner > v->retry_after_ms) v->retry_after_ms = inner;
    if (outer > v->retry_after_ms) v->retry_after_ms = outer;
}

void tg_rest_error_read(struct tg_rest_verdict *verdict, int status, const struct tg_json *document,
                        int64_t retry_after_ms)
{
    *verdict = (struct tg_rest_verdict){0};
    if (retry_after_ms > 0)
        verdict->retry_after_ms =
            retry_after_ms < TG_REST_RETRY_MAX_MS ? retry_after_ms : TG_REST_RETRY_MAX_MS;
    if (document) read_document(verdict, document);
    verdict->end = judge(verdict, status);
    if (!verdict->code[0] && status == 200)
        (void)snprintf(verdict->code, sizeof verdict->code, "SOURCE_ERROR");
    if (!verdict->code[0]) (void)snprintf(verdict->code, sizeof verdict->code, "HTTP_%d", status);
    if (!verdict->message[0])
        (void)snprintf(verdict->message, sizeof verdict->message,
                       "the source answered with HTTP status %d and no explanation", status);
}
