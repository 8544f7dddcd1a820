#include "utf16.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* The code point at `*at`, which is moved past it. */
static uint32_t next_point(const unsigned char *text, size_t len, size_t *at)
{
    unsigned char first = text[(*at)++];
    int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : -1;
    if (more < 0 || (size_t)more > len - *at) return 0xfffd;
    uint32_t point = more ? first & (0x3fu >> more) : first;
    for (int i = 0; i < more; i++)
        point = point << 6 | (text[(*at)++] & 0x3f);
    return point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? 0xfffd : point;
}

static void put_unit(struct tg_buf *out, uint32_t unit)
{
    out->data[out->len++] = (char)(unit & 0xff);
    out->data[out->len++] = (char)(unit >> 8);
}

/* Sixteen characters of ASCII at a time; how many were taken. The compiler makes vectors of it. */
static size_t put_ascii(char *out, const unsigned char *text, size_t len)
{
    size_t done = 0;
    for (; done + 16 <= len; done += 16) {
        unsigned char seen = 0;
        for (size_t i = 0; i < 16; i++)
            seen |= text[done + i];
        if (seen & 0x80) break;
        uint16_t unit[16];
        for (size_t i = 0; i < 16; i++)
            unit[i] = htole16(text[done + i]);
        memcpy(out + 2 * done, unit, sizeof unit);
    }
    return done;
}

size_t mt_utf16_part(struct tg_buf *out, const char *text, size_t len, size_t at, size_t most)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t full = out->len + most;
    if (tg_buf_reserve(out, most + 4)) return len;
    while (at < len && out->len < full) {
        size_t room = (full - out->len) / 2, left = len - at;
        size_t run = put_ascii(out->data + out->len, bytes + at, left < room ? left : room);
        out->len += run * 2;
        at += run;
        for (int i = 0; i < 16 && at < len && out->len < full; i++) {
            uint32_t point = next_point(bytes, len, &at);
            if (point >= 0x10000) {
                put_unit(out, 0xd800 + ((point - 0x10000) >> 10));
                put_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
            } else {
                put_unit(out, point);
            }
        }
    }
    out->data[out->len] = '\0';
    return at;
}

void mt_utf16_write(struct tg_buf *out, const char *text, size_t len)
{
    (void)mt_utf16_part(out, text, len, 0, len * 2);
}

static void put_point(struct tg_buf *out, uint32_t point)
{
    if (point < 0x80) {
        tg_buf_putc(out, (char)point);
    } else if (point < 0x800) {
        tg_buf_putc(out, (char)(0xc0 | point >> 6));
        tg_buf_putc(out, (char)(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        tg_buf_putc(out, (char)(0xe0 | point >> 12));
        tg_buf_putc(out, (char)(0x80 | (point >> 6 & 0x3f)));
        tg_buf_putc(out, (char)(0x80 | (point & 0x3f)));
    } else {
        tg_buf_putc(out, (char)(0xf0 | point >> 18));
        tg_buf_putc(out, (char)(0x80 | (point >> 12 & 0x3f)));
        tg_buf_putc(out, (char)(0x80 | (point >> 6 & 0x3f)));
        tg_buf_putc(out, (char)(0x80 | (point & 0x3f)));
    }
}

bool mt_utf16_read(struct tg_buf *out, const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + len;
    if (len % 2) return false;
    while (at < end) {
        uint32_t unit = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        at += 2;
        if (unit >= 0xdc00 && unit < 0xe000) return false;
        if (unit >= 0xd800 && unit < 0xdc00) {
            if (at == end) return false;
            uint32_t low = (uint32_t)at[0] | (uint32_t)at[1] << 8;
            if (low < 0xdc00 || low >= 0xe000) return false;
            at += 2;
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
        put_point(out, unit);
    }
    return true;
}
