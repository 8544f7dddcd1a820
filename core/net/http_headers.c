/* Names and values lie one after the other in one buffer, each NUL-terminated, and the list holds
 * offsets: the buffer may move while it grows. Repeated fields are joined once, at the end, because
 * joining while they arrive would let a hostile head cost the square of its size. */
#include "net/http_headers.h"

#include "base/err.h"

#include <string.h>
#include <strings.h>

enum { IDLE, IN_NAME, IN_VALUE };

void tg_http_headers_clear(struct tg_http_headers *headers)
{
    tg_buf_clear(&headers->text);
    headers->count = 0;
    headers->state = IDLE;
}

void tg_http_headers_fini(struct tg_http_headers *headers)
{
    tg_buf_fini(&headers->text);
    headers->count = 0;
}

/* Ends the value being collected, without the blanks behind it. */
static void end_value(struct tg_http_headers *headers)
{
    struct tg_buf *text = &headers->text;
    uint32_t start = headers->list[headers->count - 1].value;
    while (text->len > start &&
           (text->data[text->len - 1] == ' ' || text->data[text->len - 1] == '\t'))
        text->len--;
    tg_buf_putc(text, '\0');
    headers->state = IDLE;
}

int tg_http_headers_name(struct tg_http_headers *headers, const char *bytes, size_t len)
{
    if (headers->state != IN_NAME) {
        if (headers->state == IN_VALUE) end_value(headers);
        if (headers->count == TG_HTTP_HEADERS_MAX) return -TG_ELIMIT;
        headers->list[headers->count++] =
            (struct tg_http_header){.name = (uint32_t)headers->text.len, .times = 1};
        headers->state = IN_NAME;
    }
    tg_buf_add(&headers->text, bytes, len);
    return headers->text.failed ? -TG_ENOMEM : 0;
}

int tg_http_headers_named(struct tg_http_headers *headers)
{
    tg_buf_putc(&headers->text, '\0');
    headers->list[headers->count - 1].value = (uint32_t)headers->text.len;
    headers->state = IN_VALUE;
    return headers->text.failed ? -TG_ENOMEM : 0;
}

int tg_http_headers_value(struct tg_http_headers *headers, const char *bytes, size_t len)
{
    tg_buf_add(&headers->text, bytes, len);
    return headers->text.failed ? -TG_ENOMEM : 0;
}

static const char *name_of(const struct tg_http_headers *headers, uint32_t i)
{
    return headers->text.data + headers->list[i].name;
}

/* Appends the values of all fields named like field `i` as one value. */
static void join(struct tg_http_headers *headers, uint32_t i)
{
    struct tg_buf *text = &headers->text;
    uint32_t joined = (uint32_t)text->len;
    for (uint32_t k = i; k < headers->count; k++) {
        struct tg_http_header *other = &headers->list[k];
        if (!other->times || strcasecmp(name_of(headers, i), name_of(headers, k)) != 0) continue;
        size_t len = strlen(text->data + other->value);
        if (tg_buf_reserve(text, len + 3)) return;
        if (k > i) tg_buf_puts(text, ", ");
        tg_buf_add(text, text->data + other->value, len);
        if (k > i) {
            other->times = 0;
            headers->list[i].times++;
        }
    }
    tg_buf_putc(text, '\0');
    headers->list[i].value = joined;
}

int tg_http_headers_finish(struct tg_http_headers *headers)
{
    if (headers->state == IN_VALUE) end_value(headers);
    for (uint32_t i = 0; i < headers->count && !headers->text.failed; i++) {
        if (!headers->list[i].times) continue;
        for (uint32_t k = i + 1; k < headers->count; k++) {
            if (!headers->list[k].times ||
                strcasecmp(name_of(headers, i), name_of(headers, k)) != 0)
                continue;
            join(headers, i);
            break;
        }
    }
    return headers->text.failed ? -TG_ENOMEM : 0;
}

static const struct tg_http_header *find(const struct tg_http_headers *headers, const char *name)
{
    for (uint32_t i = 0; i < headers->count; i++)
        if (headers->list[i].times && strcasecmp(name_of(headers, i), name) == 0)
            return &headers->list[i];
    return NULL;
}

const char *tg_http_headers_get(const struct tg_http_headers *headers, const char *name)
{
    const struct tg_http_header *header = find(headers, name);
    return header ? headers->text.data + header->value : NULL;
}

uint32_t tg_http_headers_times(const struct tg_http_headers *headers, const char *name)
{
    const struct tg_http_header *header = find(headers, name);
    return header ? header->times : 0;
}

const char *tg_http_list_next(const char **cursor, size_t *len)
{
    const char *at = *cursor + strspn(*cursor, ", \t");
    size_t n = strcspn(at, ",");
    *cursor = at + n;
    while (n && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    *len = n;
    return n ? at : NULL;
}
