/* Headers carry the two things that must not go wrong: our secret, and in whose name we ask. A line
 * break in a subject would add a header of a stranger's choice, and a character silently dropped
 * would turn one subject into another; so nothing is dropped, everything odd is encoded. */
#include "source/request_headers.h"

#include <string.h>
#include <strings.h>

#define SECRET_LEAST 8

struct header {
    char *name, *value;
};

struct tg_request_headers {
    struct header *rows;
    int count;
    bool accept;                  /* one of them is "Accept", which then is not ours to say */
    struct tg_http_lines *shared; /* the lines when they are the same for everyone, else NULL */
};

static const char *const places[] = {"{account_id}", "{login}", "{subject}"};

static bool is_token(const char *name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr(others, *c)))
            return false;
    return *name;
}

static bool frames_the_message(const char *name)
{
    static const char *const names[] = {"Connection", "Content-Length", "Transfer-Encoding",
                                        "Expect",     "Upgrade",        NULL};
    for (int i = 0; names[i]; i++)
        if (!strcasecmp(name, names[i])) return true;
    return false;
}

static bool has_control(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f) return true;
    return false;
}

int tg_request_header_check(const struct tg_http_source_header *header, struct tg_err *err)
{
    if (!is_token(header->name))
        return tg_fail(err, TG_EINVAL, "a header's name is malformed: \"%s\"", header->name);
    if (frames_the_message(header->name))
        return tg_fail(err, TG_EINVAL, "the header %s cannot be set", header->name);
    if (has_control(header->value))
        return tg_fail(err, TG_EINVAL, "the header %s has a control character", header->name);
    return 0;
}

static void put_text(struct tg_buf *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool end = i == 0 || i == len - 1;
        if (c < 0x20 || c >= 0x7f || c == '%' || (c == ' ' && end))
            tg_buf_printf(out, "%%%02X", (unsigned)c);
        else
            tg_buf_putc(out, (char)c);
    }
}

/* Appends "Name: value" with the places filled; false when a place's filling is "". */
static bool put_line(struct tg_buf *out, const char *name, const char *value,
                     const struct tg_request_who *who)
{
    const char *const fillings[] = {who->account_id, who->login, who->subject};
    tg_buf_puts(out, name);
    tg_buf_puts(out, ": ");
    while (*value) {
        size_t step = 1;
        for (int i = 0; *value == '{' && i < 3; i++) {
            size_t len = strlen(places[i]);
            if (strncmp(value, places[i], len) != 0) continue;
            if (!*fillings[i]) return false;
            put_text(out, fillings[i]);
            step = len;
            break;
        }
        if (step == 1) tg_buf_putc(out, *value);
        value += step;
    }
    return true;
}

static bool has_name(const struct tg_http_source_header *list, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcasecmp(list[i].name, name)) return true;
    return false;
}

static bool in_route(const struct tg_request_who *who, const char *name)
{
    return who->route && has_name(who->route->headers, who->route->headers_count, name);
}

static int add_line(struct tg_http_lines **lines, struct tg_buf *line, const char *name,
                    const char *value, const struct tg_request_who *who)
{
    tg_buf_clear(line);
    if (!put_line(line, name, value, who)) return 0;
    return line->failed ? -TG_ENOMEM : tg_http_lines_add(lines, line->data);
}

static int make_lines(const struct tg_request_headers *headers, const struct tg_request_who *who,
                      struct tg_http_lines **out)
{
    struct tg_http_lines *lines = NULL;
    struct tg_buf line = {0};
    int rc = in_route(who, "Accept") || headers->accept
                 ? 0
                 : tg_http_lines_add(&lines, "Accept: application/json");
    for (int i = 0; i < headers->count && !rc; i++)
        if (!in_route(who, headers->rows[i].name))
            rc = add_line(&lines, &line, headers->rows[i].name, headers->rows[i].value, who);
    for (int i = 0; who->route && i < who->route->headers_count && !rc; i++)
        rc =
            add_line(&lines, &line, who->route->headers[i].name, who->route->headers[i].value, who);
    if (line.data) explicit_bzero(line.data, line.len);
    tg_buf_fini(&line);
    if (rc)
        tg_http_lines_free(lines);
    else
        *out = lines;
    return rc;
}

static bool is_personal(const struct tg_request_headers *headers)
{
    for (int i = 0; i < headers->count; i++)
        for (int k = 0; k < 3; k++)
            if (strstr(headers->rows[i].value, places[k])) return true;
    return false;
}

static int add_row(struct tg_request_headers *headers, const struct tg_http_source_header *from)
{
    struct header *row = &headers->rows[headers->count++];
    row->name = strdup(from->name);
    row->value = strdup(from->value);
    if (!strcasecmp(from->name, "Accept")) headers->accept = true;
    return row->name && row->value ? 0 : -TG_ENOMEM;
}

static int copy(struct tg_request_headers *headers, const struct tg_http_source_header *from,
                int count, const struct tg_http_source_header *more, int more_count)
{
    static const struct tg_request_who nobody = {"", "", "", NULL};
    int rc = 0;
    headers->rows = calloc((size_t)(count + more_count) + 1, sizeof *headers->rows);
    if (!headers->rows) return -TG_ENOMEM;
    for (int i = 0; i < count && !rc; i++)
        if (!has_name(more, more_count, from[i].name)) rc = add_row(headers, &from[i]);
    for (int i = 0; i < more_count && !rc; i++)
        rc = add_row(headers, &more[i]);
    return rc || is_personal(headers) ? rc : make_lines(headers, &nobody, &headers->shared);
}

int tg_request_headers_open(const struct tg_http_source_header *headers, int count,
                            const struct tg_http_source_header *more, int more_count,
                            struct tg_request_headers **out, struct tg_err *err)
{
    for (int i = 0; i < count + more_count; i++) {
        int rc = tg_request_header_check(i < count ? &headers[i] : &more[i - count], err);
        if (rc) return rc;
    }
    struct tg_request_headers *made = calloc(1, sizeof *made);
    if (!made || copy(made, headers, count, more, more_count)) {
        tg_request_headers_free(made);
        return tg_fail(err, TG_ENOMEM, "out of memory");
    }
    *out = made;
    return 0;
}

void tg_request_headers_free(struct tg_request_headers *headers)
{
    if (!headers) return;
    for (int i = 0; i < headers->count; i++) {
        free(headers->rows[i].name);
        free(headers->rows[i].value);
    }
    free(headers->rows);
    tg_http_lines_free(headers->shared);
    free(headers);
}

int tg_request_headers_get(const struct tg_request_headers *headers,
                           const struct tg_request_who *who, struct tg_http_lines **out)
{
    bool alike = headers->shared && !(who->route && who->route->headers_count);
    if (!alike) return make_lines(headers, who, out);
    *out = headers->shared;
    return 0;
}

void tg_request_headers_put(const struct tg_request_headers *headers, struct tg_http_lines *lines)
{
    if (lines != headers->shared) tg_http_lines_free(lines);
}

static void mask_word(char *text, const char *word, size_t len)
{
    size_t left = strlen(text);
    for (char *hit; (hit = memmem(text, left, word, len));) {
        memset(hit, '*', len);
        left -= (size_t)(hit + len - text);
        text = hit + len;
    }
}

static void mask_value(char *text, const char *value)
{
    for (size_t len; *value; value += len + (value[len] == ' ')) {
        len = strcspn(value, " ");
        if (len >= SECRET_LEAST && !memchr(value, '{', len)) mask_word(text, value, len);
    }
}

void tg_request_headers_mask(const struct tg_request_headers *headers, const struct tg_route *route,
                             char *text)
{
    for (int i = 0; i < headers->count; i++)
        mask_value(text, headers->rows[i].value);
    for (int i = 0; route && i < route->headers_count; i++)
        mask_value(text, route->headers[i].value);
}
