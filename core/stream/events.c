/* The filter stays the text it came as: a list of pointers would cost each connection more memory
 * than most filters are long, and matching is bounded anyway by globs × (glob × type). The alphabet
 * is what keeps it simple: no commas, quotes or backslashes can stand in a glob, so the text needs
 * no escaping in a URL, in JSON or here. */
#include "stream/events.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>

bool tg_events_glob_valid(const char *text, size_t len)
{
    if (!len || len > TG_EVENTS_GLOB) return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '.' && c != '-' && c != '*') return false;
    }
    return true;
}

/* The next glob of a list, or NULL behind the last; `*at` moves on. */
static const char *next_glob(const char **at, size_t *len)
{
    const char *glob = *at;
    if (!glob) return NULL;
    *len = strcspn(glob, ",");
    *at = glob[*len] ? glob + *len + 1 : NULL;
    return glob;
}

bool tg_events_valid(const char *text)
{
    const char *at = text, *glob;
    size_t len, count = 0;
    while ((glob = next_glob(&at, &len)))
        if (++count > TG_EVENTS_GLOBS || !tg_events_glob_valid(glob, len)) return false;
    return true;
}

bool tg_events_match(const char *globs, const char *type)
{
    const char *at = globs, *glob;
    size_t len, type_len = strlen(type);
    if (!globs) return true;
    while ((glob = next_glob(&at, &len)))
        if (tg_glob_match(glob, len, type, type_len)) return true;
    return false;
}

void tg_events_write(struct tg_buf *out, const char *globs)
{
    const char *at = *globs ? globs : NULL, *glob;
    size_t len;
    tg_json_open(out, '[');
    while ((glob = next_glob(&at, &len)))
        tg_json_string(out, glob, len);
    tg_json_close(out, ']');
}
