/* UTF-16 arrives cut at packet borders that know nothing of characters, so the decoder is a state
 * machine over bytes; runs of ASCII, nearly all of a market document, take a short way. */
#include "source/webapi_text.h"

#include "base/err.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

int tg_webapi_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static void put_unit(struct tg_buf *out, unsigned unit)
{
    out->data[out->len++] = (char)(unit & 0xff);
    out->data[out->len++] = (char)(unit >> 8);
}

/* The code point at `at` of valid UTF-8, and its length. */
static unsigned point_at(const unsigned char *at, size_t *len)
{
    *len = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    unsigned point = *len == 1 ? *at : *at & (0x7fu >> *len);
    for (size_t i = 1; i < *len; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

int tg_webapi_to_utf16(struct tg_buf *out, const char *text, size_t len)
{
    if (!tg_utf8_valid(text, len)) return -TG_EINVAL;
    if (tg_buf_reserve(out, len * 2)) return -TG_ENOMEM; /* a byte gives at most two */
    for (size_t at = 0, step; at < len; at += step) {
        unsigned point = point_at((const unsigned char *)text + at, &step);
        if (point < 0x10000) {
            put_unit(out, point);
        } else {
            put_unit(out, 0xd800 + ((point - 0x10000) >> 10));
            put_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
        }
    }
    out->data[out->len] = '\0';
    return 0;
}

/* Writes a code point; `at` has room for 4 bytes. */
static char *put_point(char *at, unsigned p)
{
    if (p < 0x80) {
        *at++ = (char)p;
    } else if (p < 0x800) {
        *at++ = (char)(0xc0 | p >> 6);
        *at++ = (char)(0x80 | (p & 0x3f));
    } else if (p < 0x10000) {
        *at++ = (char)(0xe0 | p >> 12);
        *at++ = (char)(0x80 | (p >> 6 & 0x3f));
        *at++ = (char)(0x80 | (p & 0x3f));
    } else {
        *at++ = (char)(0xf0 | p >> 18);
        *at++ = (char)(0x80 | (p >> 12 & 0x3f));
        *at++ = (char)(0x80 | (p >> 6 & 0x3f));
        *at++ = (char)(0x80 | (p & 0x3f));
    }
    return at;
}

#define REPLACEMENT 0xfffdu

static char *put_wide(struct tg_webapi_utf16 *state, char *at, unsigned unit)
{
    bool low = unit >= 0xdc00 && unit <= 0xdfff, high = unit >= 0xd800 && unit <= 0xdbff;
    if (state->high) {
        unsigned first = state->high;
        state->high = 0;
        if (low) return put_point(at, 0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00));
        at = put_point(at, REPLACEMENT);
    }
    if (high) {
        state->high = (uint16_t)unit;
        return at;
    }
    return put_point(at, low ? REPLACEMENT : unit);
}

/* Units are compared as the machine reads them. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ASCII_NOT 0xff80
#define ASCII_SHIFT 0
#else
#define ASCII_NOT 0x80ff
#define ASCII_SHIFT 8
#endif
#define STEP 32

/* As much ASCII as there is, in steps of 32 units; how many units were taken. The compiler makes
 * vectors of it. */
static size_t ascii(char *out, const unsigned char *bytes, size_t units)
{
    size_t done = 0;
    for (; done + STEP <= units; done += STEP) {
        uint16_t unit[STEP], seen = 0;
        memcpy(unit, bytes + done * 2, sizeof unit);
        for (int i = 0; i < STEP; i++)
            seen |= unit[i];
        if (seen & ASCII_NOT) break;
        for (int i = 0; i < STEP; i++)
            out[done + (size_t)i] = (char)(unit[i] >> ASCII_SHIFT);
    }
    return done;
}

int tg_webapi_from_utf16(struct tg_webapi_utf16 *state, struct tg_buf *out, const char *bytes,
                         size_t len)
{
    /* A unit gives at most 3 bytes, and what was kept before at most 3 more. */
    const unsigned char *at = (const unsigned char *)bytes, *end = at + len;
    if (tg_buf_reserve(out, len / 2 * 3 + 8)) return -TG_ENOMEM;
    char *to = out->data + out->len;
    if (state->half && at < end) {
        to = put_wide(state, to, (unsigned)(state->odd | *at++ << 8));
        state->half = false;
    }
    while (end - at >= 2) {
        if (!state->high) {
            size_t run = ascii(to, at, (size_t)(end - at) / 2);
            to += run;
            at += run * 2;
        }
        for (int i = 0; i < 16 && end - at >= 2; i++, at += 2)
            to = put_wide(state, to, (unsigned)(at[0] | at[1] << 8));
    }
    if (at < end) {
        state->odd = *at;
        state->half = true;
    }
    out->len = (size_t)(to - out->data);
    *to = '\0';
    return 0;
}

void tg_webapi_put_logins(struct tg_buf *out, const uint64_t *logins, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[21], *at = text + sizeof text;
        uint64_t rest = logins[i];
        do {
            *--at = (char)('0' + rest % 10);
        } while (rest /= 10);
        if (i) *--at = ',';
        tg_buf_add(out, at, (size_t)(text + sizeof text - at));
    }
}

void tg_webapi_escape(struct tg_buf *out, const char *value)
{
    for (; *value; value++) {
        if (strchr("\\=|\n", *value)) tg_buf_putc(out, '\\');
        tg_buf_putc(out, *value);
    }
}

void tg_webapi_fields_clear(struct tg_webapi_fields *fields)
{
    tg_buf_clear(&fields->text);
    fields->count = 0;
}

void tg_webapi_fields_fini(struct tg_webapi_fields *fields)
{
    tg_buf_fini(&fields->text);
    fields->count = 0;
}

void tg_webapi_fields_add(struct tg_webapi_fields *fields, const char *name, size_t name_len,
                          const char *value, size_t value_len)
{
    if (fields->count == TG_WEBAPI_FIELDS) return;
    fields->names[fields->count] = (uint32_t)fields->text.len;
    for (size_t i = 0; i < name_len; i++)
        tg_buf_putc(&fields->text, (char)toupper((unsigned char)name[i]));
    tg_buf_putc(&fields->text, '\0');
    fields->values[fields->count++] = (uint32_t)fields->text.len;
    tg_buf_add(&fields->text, value, value_len);
    tg_buf_putc(&fields->text, '\0');
}

/* Reads up to an unescaped stop, unescaping; gives where it stopped. */
static const char *read_part(struct tg_buf *out, const char *at, const char *end, const char *stops)
{
    for (; at < end && !strchr(stops, *at); at++) {
        if (*at == '\\' && at + 1 < end && strchr("\\=|\n", at[1])) at++;
        tg_buf_putc(out, *at);
    }
    return at;
}

void tg_webapi_fields_read(struct tg_webapi_fields *fields, const char *head, size_t len)
{
    const char *at = head, *end = head + len;
    struct tg_buf name = {0}, value = {0};
    bool command = true;
    tg_webapi_fields_clear(fields);
    while (at < end) {
        tg_buf_clear(&name);
        tg_buf_clear(&value);
        at = read_part(&name, at, end, command ? "|" : "=|");
        bool pair = at < end && *at == '=';
        if (pair) at = read_part(&value, at + 1, end, "|");
        const char *text = command ? name.data : value.data;
        size_t text_len = command ? name.len : value.len;
        if (command || pair)
            tg_webapi_fields_add(fields, name.data ? name.data : "", command ? 0 : name.len,
                                 text ? text : "", text_len);
        command = false;
        at++;
    }
    tg_buf_fini(&name);
    tg_buf_fini(&value);
}

const char *tg_webapi_fields_get(const struct tg_webapi_fields *fields, const char *name)
{
    if (fields->text.failed) return NULL;
    for (int i = 0; i < fields->count; i++)
        if (!strcmp(fields->text.data + fields->names[i], name))
            return fields->text.data + fields->values[i];
    return NULL;
}
