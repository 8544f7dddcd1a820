/* Growth doubles, so appending stays linear. The sticky `failed` flag is the design: encoders write
 * dozens of pieces and a check after each would drown what they say. */
#include "base/buf.h"

#include "base/err.h"

#include <stdint.h>
#include <string.h>

void tg_buf_fini(struct tg_buf *buf)
{
    free(buf->data);
    *buf = (struct tg_buf){0};
}

void tg_buf_clear(struct tg_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data) buf->data[0] = '\0';
}

int tg_buf_reserve(struct tg_buf *buf, size_t more)
{
    if (buf->failed) return -TG_ENOMEM;
    if (more >= SIZE_MAX / 4 - buf->len) goto no_memory;
    size_t need = buf->len + more + 1;
    if (need <= buf->cap) return 0;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    char *data = realloc(buf->data, cap);
    if (!data) goto no_memory;
    buf->data = data;
    buf->cap = cap;
    return 0;
no_memory:
    buf->failed = true;
    return -TG_ENOMEM;
}

void tg_buf_add(struct tg_buf *buf, const void *bytes, size_t len)
{
    /* Messages are written in pieces of a few bytes: as a rule there is room. */
    if ((buf->failed || buf->cap - buf->len <= len) && tg_buf_reserve(buf, len)) return;
    if (len) memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void tg_buf_puts(struct tg_buf *buf, const char *text)
{
    tg_buf_add(buf, text, strlen(text));
}

void tg_buf_putc(struct tg_buf *buf, char byte)
{
    if ((buf->failed || buf->cap - buf->len <= 1) && tg_buf_reserve(buf, 1)) return;
    buf->data[buf->len++] = byte;
    buf->data[buf->len] = '\0';
}

void tg_buf_printf(struct tg_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && !tg_buf_reserve(buf, (size_t)n)) {
        (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

void tg_buf_consume(struct tg_buf *buf, size_t n)
{
    if (n > buf->len) n = buf->len;
    if (!n) return;
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len);
    buf->data[buf->len] = '\0';
}

char *tg_buf_take(struct tg_buf *buf)
{
    char *data = buf->failed ? NULL : buf->data;
    if (!data) free(buf->data);
    *buf = (struct tg_buf){0};
    return data;
}
