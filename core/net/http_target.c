/* Decoding happens once, here, and only into text that is whole: an escape that is no escape, a NUL
 * that would end a C string early or half a UTF-8 sequence in a path are the client's error and
 * never reach a comparison. */
#include "net/http_target.h"

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Reads one decoded byte and moves `*at` behind it; -1 for a bad escape. The text is terminated, so
 * looking two bytes ahead stops at the NUL, which is no hex digit. */
static int decode(const char **at, char blank)
{
    const char *p = *at;
    if (*p != '%') {
        *at = p + 1;
        return *p == blank ? ' ' : (unsigned char)*p;
    }
    int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
    if (low < 0) return -1;
    *at = p + 3;
    return high * 16 + low;
}

/* The path part of an absolute target, or the target itself. */
static char *origin(char *target)
{
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(target, schemes[i], len) == 0)
            return target + len + strcspn(target + len, "/?");
    }
    return target;
}

int tg_target_split(char *target, const char **path, const char **query)
{
    if (!target || strchr(target, '#')) return -TG_EINVAL;
    char *start = origin(target);
    char *mark = start + strcspn(start, "?");
    const char *rest = *mark ? mark + 1 : mark;
    bool bare = start > target && mark == start; /* "http://host" means "/" */
    if (!bare && *start != '/') return -TG_EINVAL;
    *mark = '\0';
    char *out = start;
    for (const char *at = start; *at;) {
        int c = decode(&at, '\0');
        if (c < ' ' || c == 0x7f) return -TG_EINVAL;
        *out++ = (char)c;
    }
    *out = '\0';
    if (!tg_utf8_valid(start, (size_t)(out - start))) return -TG_EINVAL;
    *path = bare ? "/" : start;
    *query = rest;
    return 0;
}

/* Whether the encoded text up to '=' or '&' decodes to `name`. */
static bool named(const char *at, const char *name)
{
    while (*at && *at != '=' && *at != '&') {
        int c = decode(&at, '+');
        if (c < 0 || !*name || c != (unsigned char)*name++) return false;
    }
    return !*name;
}

/* Decodes a value that ends at '&' or the end; `out` may be NULL to only check it. */
static int decode_value(const char *at, char *out, size_t size)
{
    size_t len = 0;
    while (*at && *at != '&') {
        int c = decode(&at, '+');
        if (c <= 0 || len + 1 >= size) return -TG_EINVAL;
        if (out) out[len] = (char)c;
        len++;
    }
    if (out) out[len] = '\0';
    return (int)len;
}

int tg_query_get(const char *query, const char *name, char *out, size_t size)
{
    for (const char *at = query;; at++) {
        if (*at && *at != '&' && named(at, name)) {
            at += strcspn(at, "=&");
            if (*at == '=') at++;
            int len = size ? decode_value(at, NULL, size) : -TG_EINVAL;
            return len < 0 ? len : decode_value(at, out, size);
        }
        at += strcspn(at, "&");
        if (!*at) return -TG_ENOTFOUND;
    }
}
