/* A comment on a position is written by whoever placed the order, and is shown on an operator's
 * terminal. It must not be able to move the cursor, set the window's title, or make a loss read
 * like a profit by turning the direction of the text. */
#include "app/tail_safe.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

static bool steers(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x61c || point == 0x200e ||
           point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* The code point at `text` and its length in bytes; length 0 when it is no UTF-8. */
static size_t decode(const char *text, size_t left, uint32_t *point)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n > left || !tg_utf8_valid(text, n)) return 0;
    *point = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        *point = *point << 6 | (s[i] & 0x3f);
    return n;
}

void tg_tail_safe(struct tg_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t point = 0;
        size_t n = decode(text + i, len - i, &point);
        if (!n || steers(point))
            tg_buf_puts(out, "\xef\xbf\xbd");
        else
            tg_buf_add(out, text + i, n);
        i += n ? n : 1;
    }
}

void tg_tail_safe_json(struct tg_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t point = 0;
        size_t n = decode(text + i, len - i, &point);
        if (n == 1 && point < 0x20)
            tg_buf_putc(out, ' '); /* strict JSON has these between parts */
        else if (n && steers(point))
            tg_buf_printf(out, "\\u%04x", (unsigned)point);
        else
            tg_buf_add(out, text + i, n ? n : 1);
        i += n ? n : 1;
    }
}
