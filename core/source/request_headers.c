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
    struct tg_http_lines *shared; /* the lines when they are the same for everyone, else NULL */
};

static const char account_place[] = "{account_id}", subject_place[] = "{subject}";

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

static int check(const struct tg_http_source_header *header, struct tg_err *err)
{
    if (!is_token(header->name))
        return tg_fail(err, TG_EINVAL, "a header's name is malformed: \"%s\"", header->name);
    if (frames_the_message(header->name))
        return tg_fail(err, TG_EINVAL, "the header %s cannot be set", header->name);
    if (has_control(header->value))
        return tg_fail(err, TG_EINVAL, "the header %s has a control character", header->name);
    return 0;
}

static void put_subject(struct tg_buf *out, const char *subject)
{
    size_t len = strlen(subject);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)subject[i];
        bool end = i == 0 || i == len - 1;
        if (c < 0x20 || c >= 0x7f || c == '%' || (c == ' ' && end))
            tg_buf_printf(out, "%%%02X", (unsigned)c);
        else
            tg_buf_putc(out, (char)c);
    }
}

/* Appends "Name: value" with the places filled; false when a place's filling is "". */
static bool put_line(struct tg_buf *out, const struct header *header, const char *account_id,
                     const char *subject)
{
    tg_buf_puts(out, header->name);
    tg_buf_puts(out, ": ");
    for (const char *at = header->value; *at;) {
        bool account = !strncmp(at, account_place, sizeof account_place - 1);
        bool whose = !strncmp(at, subject_place, sizeof subject_place - 1);
        if ((account && !*account_id) || (whose && !*subject)) return false;
        if (account)
            tg_buf_puts(out, account_id);
        else if (whose)
            put_subject(out, subject);
        else
            tg_buf_putc(out, *at);
        at += account ? sizeof account_place - 1 : whose ? sizeof subject_place - 1 : 1;
    }
    return true;
}

static int make_lines(const struct tg_request_headers *headers, const char *account_id,
                      const char *subject, struct tg_http_lines **out)
{
    struct tg_http_lines *lines = NULL;
    struct tg_buf line = {0};
    int rc = tg_http_lines_add(&lines, "Accept: application/json");
    for (int i = 0; i < headers->count && !rc; i++) {
        tg_buf_clear(&line);
        if (!put_line(&line, &headers->rows[i], account_id, subject)) continue;
        rc = line.failed ? -TG_ENOMEM : tg_http_lines_add(&lines, line.data);
    }
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
        if (strstr(headers->rows[i].value, account_place) ||
            strstr(headers->rows[i].value, subject_place))
            return true;
    return false;
}

static int copy(struct tg_request_headers *headers, const struct tg_http_source_header *from,
                int count)
{
    headers->rows = calloc((size_t)count + 1, sizeof *headers->rows);
    if (!headers->rows) return -TG_ENOMEM;
    for (int i = 0; i < count; i++) {
        struct header *row = &headers->rows[headers->count++];
        row->name = strdup(from[i].name);
        row->value = strdup(from[i].value);
        if (!row->name || !row->value) return -TG_ENOMEM;
    }
    return is_personal(headers) ? 0 : make_lines(headers, "", "", &headers->shared);
}

int tg_request_headers_open(const struct tg_http_source_header *headers, int count,
                            struct tg_request_headers **out, struct tg_err *err)
{
    for (int i = 0; i < count; i++) {
        int rc = check(&headers[i], err);
        if (rc) return rc;
    }
    struct tg_request_headers *made = calloc(1, sizeof *made);
    if (!made || copy(made, headers, count)) {
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

int tg_request_headers_get(const struct tg_request_headers *headers, const char *account_id,
                           const char *subject, struct tg_http_lines **out)
{
    if (!headers->shared) return make_lines(headers, account_id, subject, out);
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

void tg_request_headers_mask(const struct tg_request_headers *headers, char *text)
{
    for (int i = 0; i < headers->count; i++) {
        const char *at = headers->rows[i].value;
        for (size_t len; *at; at += len + (at[len] == ' ')) {
            len = strcspn(at, " ");
            if (len >= SECRET_LEAST && !memchr(at, '{', len)) mask_word(text, at, len);
        }
    }
}
