/* Writing JSON without a tree: each call appends. The comma rule looks at the last byte written,
 * which is enough because the only bytes after which no comma belongs are `{`, `[`, `:` and none;
 * strings always end in a quote, so their contents cannot confuse it. */
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

/* Makes room for a comma and `more` bytes, and puts the comma where one belongs. False: no memory.
 */
static inline bool comma(struct tg_buf *out, size_t more)
{
    if ((out->failed || out->cap - out->len <= more + 1) && tg_buf_reserve(out, more + 1))
        return false;
    if (!out->len) return true;
    char last = out->data[out->len - 1];
    if (last != '{' && last != '[' && last != ':') out->data[out->len++] = ',';
    return true;
}

/* Into room that is there. */
static inline void put(struct tg_buf *out, const char *bytes, size_t len)
{
    memcpy(out->data + out->len, bytes, len);
    out->len += len;
    out->data[out->len] = '\0';
}

void tg_json_open(struct tg_buf *out, char bracket)
{
    if (comma(out, 1)) put(out, &bracket, 1);
}

void tg_json_close(struct tg_buf *out, char bracket)
{
    tg_buf_putc(out, bracket);
}

void tg_json_key(struct tg_buf *out, const char *name)
{
    tg_json_string(out, name, strlen(name));
    tg_buf_putc(out, ':');
}

/* The length of the well-formed UTF-8 at the start of a run of high bytes, or 0. */
static size_t good_sequence(const char *text, size_t left)
{
    for (size_t n = 2; n <= 4 && n <= left; n++)
        if (tg_utf8_valid(text, n)) return n;
    return 0;
}

/* Bytes that stand for themselves in a string. */
static size_t plain_run(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (unsigned char)text[n] >= 0x20 && (unsigned char)text[n] < 0x7f &&
           text[n] != '"' && text[n] != '\\')
        n++;
    return n;
}

void tg_json_string(struct tg_buf *out, const char *text, size_t len)
{
    size_t plain = plain_run(text, len);
    if (!comma(out, plain + 2)) return;
    out->data[out->len++] = '"';
    put(out, text, plain);
    for (size_t i = plain; i < len;) {
        size_t run = i + plain_run(text + i, len - i);
        tg_buf_add(out, text + i, run - i);
        if ((i = run) >= len) break;
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) {
            size_t n = good_sequence(text + i, len - i);
            tg_buf_add(out, n ? text + i : "\xef\xbf\xbd", n ? n : 3);
            i += n ? n : 1;
            continue;
        }
        if (c == '"' || c == '\\')
            tg_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            tg_buf_puts(out, "\\n");
        else
            tg_buf_printf(out, "\\u%04x", c);
        i++;
    }
    tg_buf_putc(out, '"');
}

void tg_json_text(struct tg_buf *out, const char *text)
{
    if (text)
        tg_json_string(out, text, strlen(text));
    else
        tg_json_raw(out, "null", 4);
}

void tg_json_i64(struct tg_buf *out, int64_t value)
{
    if (!comma(out, TG_DECIMAL_SIZE)) return;
    out->len += (size_t)tg_decimal_write(out->data + out->len, value, 0);
    out->data[out->len] = '\0';
}

void tg_json_u64(struct tg_buf *out, uint64_t value)
{
    if (value <= INT64_MAX) {
        tg_json_i64(out, (int64_t)value);
    } else if (comma(out, 0)) {
        tg_buf_printf(out, "%llu", (unsigned long long)value);
    }
}

void tg_json_decimal(struct tg_buf *out, double value, int digits)
{
    if (!tg_scalable(value, digits)) { /* null, or a number too large to have decimals */
        tg_json_double(out, value);
        return;
    }
    if (!comma(out, TG_DECIMAL_SIZE)) return;
    out->len += (size_t)tg_decimal_write(out->data + out->len, tg_scaled(value, digits), digits);
    out->data[out->len] = '\0';
}

void tg_json_double(struct tg_buf *out, double value)
{
    char text[40];
    if (!isfinite(value)) {
        tg_json_raw(out, "null", 4);
        return;
    }
    if (value == floor(value) && fabs(value) < 0x1p53) {
        tg_json_i64(out, (int64_t)value);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value) break;
    }
    if (comma(out, strlen(text))) put(out, text, strlen(text));
}

void tg_json_bool(struct tg_buf *out, bool value)
{
    tg_json_raw(out, value ? "true" : "false", value ? 4 : 5);
}

void tg_json_raw(struct tg_buf *out, const char *json, size_t len)
{
    if (comma(out, len)) put(out, json, len);
}

void tg_json_member_text(struct tg_buf *out, const char *name, const char *text)
{
    tg_json_key(out, name);
    tg_json_text(out, text);
}

void tg_json_member_i64(struct tg_buf *out, const char *name, int64_t value)
{
    tg_json_key(out, name);
    tg_json_i64(out, value);
}

void tg_json_member_u64(struct tg_buf *out, const char *name, uint64_t value)
{
    tg_json_key(out, name);
    tg_json_u64(out, value);
}

void tg_json_member_bool(struct tg_buf *out, const char *name, bool value)
{
    tg_json_key(out, name);
    tg_json_bool(out, value);
}

void tg_json_member_time(struct tg_buf *out, const char *name, int64_t wall_ms)
{
    char text[TG_ISO8601_SIZE];
    tg_iso8601_write(text, wall_ms);
    tg_json_member_text(out, name, text);
}
