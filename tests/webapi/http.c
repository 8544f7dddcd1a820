/* There are clients in the field that write line feeds and indentation into their requests, and the
 * real server serves them. So the head ends where an empty line does, lines are trimmed, and what
 * is no header field is no fault. */
#include "http.h"

#include "base/err.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define HEAD_MOST 65536
#define BODY_MOST (4u << 20)

/* The value of a header line if it bears that name. */
static char *value_of(char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':') return NULL;
    line += len + 1;
    return line + strspn(line, " \t");
}

static char *trim(char *line)
{
    line += strspn(line, " \t\n");
    size_t len = strlen(line);
    while (len && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    return line;
}

/* The length a head announces, without changing the head. */
static int body_length(const char *head, size_t len, size_t *out)
{
    static const char name[] = "content-length:";
    *out = 0;
    for (size_t i = 0; i + sizeof name < len; i++) {
        if (strncasecmp(head + i, name, sizeof name - 1) != 0) continue;
        const char *at = head + i + sizeof name - 1;
        at += strspn(at, " ");
        uint64_t value;
        if (tg_read_u64(at, strspn(at, "0123456789"), &value) || value > BODY_MOST)
            return -TG_EPROTO;
        *out = (size_t)value;
    }
    return 0;
}

static bool announces_continue(const char *head, size_t len)
{
    return memmem(head, len, "100-continue", 12) != NULL;
}

int mt_http_read(char *text, size_t len, struct mt_http *out)
{
    *out = (struct mt_http){.keep_alive = true};
    char *end = memmem(text, len, "\r\n\r\n", 4);
    if (!end) return len > HEAD_MOST ? -TG_EPROTO : -TG_EAGAIN;
    size_t head = (size_t)(end - text) + 4;
    if (body_length(text, head, &out->body_len)) return -TG_EPROTO;
    if (len < head + out->body_len) {
        out->wants_continue = len == head && announces_continue(text, head);
        return -TG_EAGAIN;
    }
    out->body = text + head;
    out->used = head + out->body_len;
    *end = '\0';
    char *rest = text, *line = strsep(&rest, "\r");
    out->method = strsep(&line, " ");
    out->target = line ? strsep(&line, " ") : NULL;
    if (!out->target || !line || strncmp(line, "HTTP/1.", 7) != 0) return -TG_EPROTO;
    out->keep_alive = line[7] == '1';
    while (rest && (line = strsep(&rest, "\r"))) {
        line = trim(line);
        char *value = value_of(line, "Connection");
        if (value) out->keep_alive = strcasecmp(value, "close") != 0;
        if ((value = value_of(line, "Cookie"))) out->cookie = value;
    }
    return 0;
}
