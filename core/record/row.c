/* Prices and money are decimals that came as text: as whole numbers of their last digit, two
 * neighbours differ by little and the difference fits a byte or two. A double that is no such
 * decimal is kept as its eight bytes. Either way what is read is what was written, to the bit: a
 * replay that rounds would find events that never were.
 *
 * What would break it: writer and reader must find the same whole number in the base. Both ask
 * `whole`, and it depends on nothing but the base's value and the digits that stand in the file. */
#include "record/row.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

#define DIGITS 9 /* 0 … 8 decimals */
#define NOT_KNOWN 14
#define EIGHT_BYTES 15

/* Whether the value is exactly `*out` × 10^-digits. */
static bool whole(double value, unsigned digits, int64_t *out)
{
    static const double power[DIGITS] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    double scaled = value * power[digits];
    if (!(fabs(scaled) < 4503599627370496.0)) return false;
    *out = llrint(scaled);
    double back = (double)*out / power[digits];
    return memcmp(&back, &value, sizeof back) == 0;
}

static unsigned char *put_double(unsigned char *at, double was, double now, int digits)
{
    int64_t before = 0, after = 0;
    unsigned form = digits < 0 || digits >= DIGITS ? DIGITS - 1 : (unsigned)digits;
    if (isnan(now)) {
        *at++ = NOT_KNOWN;
        return at;
    }
    if (!whole(now, form, &after)) {
        form = DIGITS - 1;
        if (!whole(now, form, &after)) {
            *at++ = EIGHT_BYTES;
            memcpy(at, &now, sizeof now);
            return at + sizeof now;
        }
    }
    if (!whole(was, form, &before)) before = 0;
    *at++ = (unsigned char)form;
    return tg_varint_put(at, tg_zigzag(after - before));
}

static double get_double(struct tg_bytes *in, double was)
{
    int64_t before = 0;
    unsigned form = tg_bytes_byte(in);
    double value = NAN;
    if (form == NOT_KNOWN) return value;
    if (form == EIGHT_BYTES) {
        const unsigned char *bytes = tg_bytes_take(in, sizeof value);
        if (bytes) memcpy(&value, bytes, sizeof value);
        return value;
    }
    if (form >= DIGITS) {
        in->bad = true;
        return value;
    }
    if (!whole(was, form, &before)) before = 0;
    static const double power[DIGITS] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    uint64_t sum = (uint64_t)before + (uint64_t)tg_unzigzag(tg_varint_get(in));
    return (double)(int64_t)sum / power[form];
}

static bool same(const struct tg_field *field, const char *a, const char *b)
{
    switch (field->size) {
    case 4: return memcmp(a, b, 4) == 0;
    case 8:
        if (field->kind != TG_KIND_TEXT) return memcmp(a, b, 8) == 0;
        break;
    default: break;
    }
    return strncmp(a, b, field->size) == 0;
}

static unsigned char *put_field(unsigned char *at, const struct tg_entity *entity,
                                const struct tg_field *field, const char *base, const char *row)
{
    const char *was = base + field->offset, *now = row + field->offset;
    int32_t small;
    uint64_t x, y;
    double p, q;
    switch (tg_wire_of(field)) {
    case TG_WIRE_TEXT: return tg_text_put(at, now, strnlen(now, field->size));
    case TG_WIRE_ENUM:
    case TG_WIRE_SMALL:
        memcpy(&small, now, sizeof small);
        return tg_varint_put(at, tg_zigzag(small));
    case TG_WIRE_LARGE:
        memcpy(&x, was, sizeof x);
        memcpy(&y, now, sizeof y);
        return tg_varint_put(at, tg_zigzag((int64_t)(y - x)));
    default:
        memcpy(&p, was, sizeof p);
        memcpy(&q, now, sizeof q);
        return put_double(at, p, q, tg_field_digits(entity, field, row));
    }
}

unsigned char *tg_row_put(unsigned char *at, const struct tg_entity *entity, const void *base,
                          const void *row)
{
    uint64_t changed = 0;
    if (memcmp(base, row, entity->size) != 0)
        for (int i = 0; i < entity->count; i++) {
            const struct tg_field *field = &entity->fields[i];
            if (!same(field, (const char *)base + field->offset, (const char *)row + field->offset))
                changed |= UINT64_C(1) << i;
        }
    at = tg_varint_put(at, changed);
    for (; changed; changed &= changed - 1)
        at = put_field(at, entity, &entity->fields[__builtin_ctzll(changed)], base, row);
    return at;
}

static void get_small(struct tg_bytes *in, const struct tg_layout_field *field, char *into)
{
    int64_t value = tg_unzigzag(tg_varint_get(in));
    int32_t small = (int32_t)value;
    if (field->wire == TG_WIRE_ENUM)
        small = value >= 0 && value < field->map_count ? field->map[value] : 0;
    if (into) memcpy(into, &small, sizeof small);
}

static void get_field(struct tg_bytes *in, const struct tg_layout_field *field, char *row)
{
    char *into = row && field->ours ? row + field->ours->offset : NULL;
    const char *text;
    size_t len;
    uint64_t large = 0;
    double real = NAN;
    switch (field->wire) {
    case TG_WIRE_TEXT:
        text = tg_text_get(in, &len);
        if (!into || !text) return;
        memset(into, 0, field->ours->size);
        tg_copy(into, field->ours->size, text, strnlen(text, len));
        return;
    case TG_WIRE_ENUM:
    case TG_WIRE_SMALL: get_small(in, field, into); return;
    case TG_WIRE_LARGE:
        if (into) memcpy(&large, into, sizeof large);
        large += (uint64_t)tg_unzigzag(tg_varint_get(in));
        if (into) memcpy(into, &large, sizeof large);
        return;
    default:
        if (into) memcpy(&real, into, sizeof real);
        real = get_double(in, real);
        if (into) memcpy(into, &real, sizeof real);
    }
}

void tg_row_get(struct tg_bytes *in, const struct tg_layout_entity *entity, void *row)
{
    uint64_t changed = tg_varint_get(in);
    if (entity->count < 64 && changed >> entity->count) in->bad = true;
    for (; changed && !in->bad; changed &= changed - 1)
        get_field(in, &entity->fields[__builtin_ctzll(changed)], row);
}

uint64_t tg_row_bits(const struct tg_layout_entity *entity, uint64_t bits)
{
    uint64_t ours = 0;
    for (int i = 0; i < entity->count; i++)
        if ((bits & UINT64_C(1) << i) && entity->fields[i].ours)
            ours |= tg_field_bit(entity->ours, entity->fields[i].ours);
    return ours;
}
