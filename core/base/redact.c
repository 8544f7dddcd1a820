/* The last line before the log. The first is that nobody logs a URL or a header in the first place;
 * this one is for texts that others wrote: a library's error, a request line that did not parse, a
 * peer's close reason. It masks by name and by shape, because a token that was put in the wrong
 * parameter has no name we know. It errs on the side of masking: a host name that begins as a token
 * does is masked too, and that costs nothing. What it cannot see is a token in another encoding
 * (percent-escaped dots under an unknown name). */
#include "base/redact.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static size_t run(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && base64url(*at))
        at++;
    return (size_t)(at - start);
}

/* Whether base64url text begins as a JSON object does: an opening brace, then a quote, a closing
 * brace or a blank. */
static bool opens_object(const char *at)
{
    if (at[0] != 'e') return false;
    if (at[1] == 'y') return (at[2] >= 'A' && at[2] <= 'D') || (at[2] >= 'I' && at[2] <= 'L');
    if (at[1] == 'w') return (at[2] >= 'k' && at[2] <= 'r') || (at[2] >= '0' && at[2] <= '3');
    return at[1] == '3' && at[2] >= '0' && at[2] <= '3';
}

/* The length of a JWS (or a JWE, or the beginning of one) at `at`, or 0; `stop` is the end of the
 * base64url digits there. The shortest header that means anything, {"alg":"…"}, has more than 12.
 */
static size_t jws(const char *at, const char *stop, const char *end)
{
    if (stop - at < 12 || stop == end || *stop != '.' || !opens_object(at)) return 0;
    const char *next = stop;
    while (next < end && *next == '.')
        next += 1 + run(next + 1, end);
    return (size_t)(next - at);
}

static bool starts(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - at) >= len && !strncasecmp(at, word, len);
}

/* The bytes up to one that ends a query value or a header's token. */
static size_t value(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && (unsigned char)*at > ' ' && !strchr("&\"'<>,;", *at))
        at++;
    return (size_t)(at - start);
}

void tg_redact(struct tg_buf *out, const char *text, size_t len)
{
    static const char *const names[] = {"token=", "bearer.", "bearer "};
    const char *at = text, *end = text + len, *kept = text, *stop = text;
    while (at < end) {
        if (stop <= at) stop = at + run(at, end); /* once a run, or a long one costs its square */
        size_t name = 0, secret = 0;
        for (size_t i = 0; i < sizeof names / sizeof *names && !name; i++)
            if (starts(at, end, names[i])) name = strlen(names[i]);
        secret = name ? value(at + name, end) : jws(at, stop, end);
        if (!secret) {
            at++;
            continue;
        }
        tg_buf_add(out, kept, (size_t)(at + name - kept));
        tg_buf_puts(out, TG_REDACTED);
        at = kept = at + name + secret;
    }
    tg_buf_add(out, kept, (size_t)(end - kept));
}
