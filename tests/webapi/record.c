/* Records on the wire: every scalar is a JSON string, objects are laid out one member a line with a
 * blank on both sides of the colon and no indentation, as the real server does. */
#include "record.h"

#include "base/decimal.h"
#include "base/err.h"
#include "base/text.h"
#include "server_time.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_u64(struct tg_buf *out, uint64_t value)
{
    char text[20];
    int at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
    } while (value /= 10);
    tg_buf_add(out, text + at, sizeof text - (size_t)at);
}

static void put_i64(struct tg_buf *out, int64_t value)
{
    if (value < 0) tg_buf_putc(out, '-');
    put_u64(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void put_decimal(struct tg_buf *out, double value, int digits)
{
    char text[TG_DECIMAL_SIZE];
    tg_buf_add(out, text, (size_t)tg_decimal_write(text, tg_scaled(value, digits), digits));
}

/* The characters of a JSON string, without its quotes. */
static void put_text(struct tg_buf *out, const char *text)
{
    for (;;) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        tg_buf_add(out, text, plain);
        text += plain;
        if (!*text) return;
        if (*text == '"' || *text == '\\')
            tg_buf_printf(out, "\\%c", *text++);
        else
            tg_buf_printf(out, "\\u%04x", (unsigned char)*text++);
    }
}

static int64_t volume_in(int64_t volume, int kind)
{
    return kind == MT_VOLUME ? volume / 10000 : volume;
}

static void put_value(struct tg_buf *out, const struct mt_dialect *dialect,
                      const struct mt_field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    const struct mt_head *head = record;
    double real = 0;
    int64_t whole = 0;
    if (field->kind >= MT_MONEY && field->kind <= MT_PERCENT) memcpy(&real, at, sizeof real);
    if (field->size == sizeof whole) memcpy(&whole, at, sizeof whole);
    switch (field->kind) {
    case MT_U64: put_u64(out, (uint64_t)whole); break;
    case MT_I64: put_i64(out, whole); break;
    case MT_DIGITS: put_i64(out, *(const int32_t *)(const void *)at); break;
    case MT_MONEY: put_decimal(out, real, head->money_digits); break;
    case MT_PRICE: put_decimal(out, real, head->digits); break;
    case MT_RATE: put_decimal(out, real, 8); break;
    case MT_PERCENT: put_decimal(out, real, 2); break;
    case MT_TEXT: put_text(out, at); break;
    case MT_SECONDS: put_i64(out, mt_time_of(dialect->time, whole) / 1000); break;
    case MT_MILLISECONDS: put_i64(out, mt_time_of(dialect->time, whole)); break;
    default: put_i64(out, volume_in(whole, field->kind)); break;
    }
}

void mt_record_write(struct tg_buf *out, const struct mt_dialect *dialect, enum mt_entity_id entity,
                     const void *record, mt_override *overrides, const void *ctx)
{
    const struct mt_entity *e = &mt_entities[entity];
    const char *between = "{\r\n";
    for (int i = 0; i < e->count; i++) {
        const struct mt_field *field = &e->fields[i];
        if (dialect->omitted[entity] >> i & 1) continue;
        tg_buf_add(out, between, 3);
        between = ",\r\n";
        if (field->kind == MT_NOTHING) {
            tg_buf_add(out, field->open, (size_t)field->open_len - 1);
            tg_buf_puts(out, "[]");
            continue;
        }
        tg_buf_add(out, field->open, field->open_len);
        const char *override = overrides ? overrides(ctx, field->name) : NULL;
        if (override)
            put_text(out, override);
        else
            put_value(out, dialect, field, record);
        tg_buf_putc(out, '"');
    }
    tg_buf_add(out, "\r\n}", 3);
}

int mt_field_find(enum mt_entity_id entity, const char *name)
{
    for (int i = 0; i < mt_entities[entity].count; i++)
        if (strcmp(mt_entities[entity].fields[i].name, name) == 0) return i;
    return -1;
}

/* "0.10" lots as 1e-8 lots and the like: exact for what MetaTrader can say. */
static int read_real(const char *value, double *out)
{
    char *end;
    double real = strtod(value, &end);
    if (end == value || *end || !isfinite(real)) return -TG_EINVAL;
    *out = real;
    return 0;
}

static int set_whole(const struct mt_dialect *dialect, const struct mt_field *field, char *at,
                     const char *value)
{
    int64_t whole;
    if (field->kind == MT_U64) {
        uint64_t id;
        int rc = tg_read_u64(value, strlen(value), &id);
        if (!rc) memcpy(at, &id, sizeof id);
        return rc;
    }
    int rc = tg_read_i64(value, strlen(value), &whole);
    if (rc) return rc;
    int64_t offset_ms = mt_time_offset(dialect->time);
    if (field->kind == MT_VOLUME) whole *= 10000;
    if (field->kind == MT_SECONDS && whole) whole = whole * 1000 - offset_ms;
    if (field->kind == MT_MILLISECONDS && whole) whole -= offset_ms;
    if (field->kind == MT_DIGITS) {
        int32_t digits = (int32_t)whole;
        memcpy(at, &digits, sizeof digits);
    } else {
        memcpy(at, &whole, sizeof whole);
    }
    return 0;
}

int mt_record_set(const struct mt_dialect *dialect, enum mt_entity_id entity, void *record,
                  const char *name, const char *value)
{
    int i = mt_field_find(entity, name);
    if (i < 0) return -TG_ENOTFOUND;
    const struct mt_field *field = &mt_entities[entity].fields[i];
    char *at = (char *)record + field->offset;
    double real;
    int rc;
    switch (field->kind) {
    case MT_NOTHING: return -TG_EINVAL;
    case MT_TEXT: tg_copy(at, field->size, value, strlen(value)); return 0;
    case MT_MONEY:
    case MT_PRICE:
    case MT_RATE:
    case MT_PERCENT:
        rc = read_real(value, &real);
        if (!rc) memcpy(at, &real, sizeof real);
        return rc;
    default: return set_whole(dialect, field, at, value);
    }
}

void mt_list_open(struct tg_buf *out)
{
    tg_buf_add(out, "[", 1);
}

void mt_list_next(struct tg_buf *out, uint32_t *count)
{
    tg_buf_add(out, ",\r\n" + !*count, *count ? 3 : 2);
    (*count)++;
}

void mt_list_close(struct tg_buf *out)
{
    tg_buf_add(out, "\r\n]", 3);
}
