/* The tables are made by the same list that makes the structs, so a field cannot be in one and not
 * in the other. Everything that treats fields alike (compare, print, declare to Lua) walks them
 * here. */
#include "model/field.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/json.h"
#include "base/text.h"
#include "model/record.h"

#include <math.h>
#include <string.h>

#define TG_ENUM_NAME(list, constant, text) text,
#define TG_ENUM(list, LIST) \
    static const char *const names_##list[] = {TG_VALUES_##list(TG_ENUM_NAME, LIST) NULL};
#include "model/enums.def"

#define NAMES_TEXT(size) NULL
#define NAMES_ENUM(size) names_##size
#define NAMES_BOOL(size) NULL
#define NAMES_INT(size) NULL
#define NAMES_ID(size) NULL
#define NAMES_MAGIC(size) NULL
#define NAMES_TIME(size) NULL
#define NAMES_MONEY(size) NULL
#define NAMES_PERCENT(size) NULL
#define NAMES_PRICE(size) NULL
#define NAMES_LEVEL(size) NULL
#define NAMES_VOLUME(size) NULL
#define NAMES_OFFSET(size) NULL

#define ROW(type, kind, name, size, doc)         \
    {#name,                                      \
     doc,                                        \
     NAMES_##kind(size),                         \
     (uint16_t)offsetof(struct type, name),      \
     (uint16_t)sizeof(((struct type *)0)->name), \
     TG_KIND_##kind},

static const struct tg_field account_fields[] = {
#define TG_ACCOUNT_FIELD(kind, name, size, doc) ROW(tgl_account, kind, name, size, doc)
#include "model/fields.def"
};

static const struct tg_field position_fields[] = {
#define TG_POSITION_FIELD(kind, name, size, doc) ROW(tgl_position, kind, name, size, doc)
#include "model/fields.def"
};

static const struct tg_field order_fields[] = {
#define TG_ORDER_FIELD(kind, name, size, doc) ROW(tgl_order, kind, name, size, doc)
#include "model/fields.def"
};

static const struct tg_field deal_fields[] = {
#define TG_DEAL_FIELD(kind, name, size, doc) ROW(tgl_deal, kind, name, size, doc)
#include "model/fields.def"
};

static const struct tg_field moment_fields[] = {
#define TG_MOMENT_FIELD(kind, name, size, doc) ROW(tgl_moment, kind, name, size, doc)
#include "model/fields.def"
};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

_Static_assert(sizeof account_fields / sizeof *account_fields <= 64, "one mask bit a field");
_Static_assert(sizeof position_fields / sizeof *position_fields <= 64, "one mask bit a field");
_Static_assert(sizeof order_fields / sizeof *order_fields <= 64, "one mask bit a field");
_Static_assert(sizeof deal_fields / sizeof *deal_fields <= 64, "one mask bit a field");
_Static_assert(sizeof moment_fields / sizeof *moment_fields <= 64, "one mask bit a field");

const struct tg_entity tg_account_entity = {"account",
                                            account_fields,
                                            COUNT(account_fields),
                                            sizeof(struct tgl_account),
                                            UINT16_MAX,
                                            offsetof(struct tgl_account, currency_digits)};
const struct tg_entity tg_position_entity = {"position",
                                             position_fields,
                                             COUNT(position_fields),
                                             sizeof(struct tgl_position),
                                             offsetof(struct tgl_position, digits),
                                             offsetof(struct tgl_position, currency_digits)};
const struct tg_entity tg_order_entity = {"order",
                                          order_fields,
                                          COUNT(order_fields),
                                          sizeof(struct tgl_order),
                                          offsetof(struct tgl_order, digits),
                                          offsetof(struct tgl_order, currency_digits)};
const struct tg_entity tg_deal_entity = {"deal",
                                         deal_fields,
                                         COUNT(deal_fields),
                                         sizeof(struct tgl_deal),
                                         offsetof(struct tgl_deal, digits),
                                         offsetof(struct tgl_deal, currency_digits)};
const struct tg_entity tg_moment_entity = {"moment",
                                           moment_fields,
                                           COUNT(moment_fields),
                                           sizeof(struct tgl_moment),
                                           offsetof(struct tgl_moment, digits),
                                           offsetof(struct tgl_moment, currency_digits)};

const struct tg_field *tg_field_find(const struct tg_entity *entity, const char *name)
{
    for (int i = 0; i < entity->count; i++)
        if (!strcmp(entity->fields[i].name, name)) return &entity->fields[i];
    return NULL;
}

const char *tg_field_nearest(const struct tg_entity *entity, const char *name)
{
    const char *names[65];
    for (int i = 0; i < entity->count; i++)
        names[i] = entity->fields[i].name;
    names[entity->count] = NULL;
    return tg_nearest(name, names);
}

uint64_t tg_field_bit(const struct tg_entity *entity, const struct tg_field *field)
{
    return UINT64_C(1) << (field - entity->fields);
}

static inline const void *at(const struct tg_field *field, const void *record)
{
    return (const char *)record + field->offset;
}

static inline double as_double(const struct tg_field *field, const void *record)
{
    double value;
    memcpy(&value, at(field, record), sizeof value);
    return value;
}

static inline int64_t as_i64(const struct tg_field *field, const void *record)
{
    int64_t value;
    memcpy(&value, at(field, record), sizeof value);
    return value;
}

static inline int32_t as_i32(const struct tg_field *field, const void *record)
{
    int32_t value;
    memcpy(&value, at(field, record), sizeof value);
    return value;
}

int tg_field_digits(const struct tg_entity *entity, const struct tg_field *field,
                    const void *record)
{
    uint16_t where = UINT16_MAX;
    int32_t digits;
    switch (field->kind) {
    case TG_KIND_PERCENT: return 2;
    case TG_KIND_VOLUME: return 8;
    case TG_KIND_MONEY: where = entity->currency_digits; break;
    case TG_KIND_PRICE:
    case TG_KIND_LEVEL: where = entity->digits; break;
    default: break;
    }
    if (where == UINT16_MAX) return 0;
    memcpy(&digits, (const char *)record + where, sizeof digits);
    return digits;
}

static bool differs(const struct tg_entity *entity, const struct tg_field *field, const void *a,
                    const void *b)
{
    switch (field->kind) {
    case TG_KIND_TEXT: return strcmp(at(field, a), at(field, b)) != 0;
    case TG_KIND_ENUM:
    case TG_KIND_BOOL:
    case TG_KIND_OFFSET:
    case TG_KIND_INT: return as_i32(field, a) != as_i32(field, b);
    case TG_KIND_ID:
    case TG_KIND_MAGIC:
    case TG_KIND_TIME: return as_i64(field, a) != as_i64(field, b);
    default: break;
    }
    double x = as_double(field, a), y = as_double(field, b);
    if (x == y) return false;
    int da = tg_field_digits(entity, field, a), db = tg_field_digits(entity, field, b);
    return !tg_same(x, y, da > db ? da : db);
}

uint64_t tg_entity_diff(const struct tg_entity *entity, const void *a, const void *b)
{
    uint64_t bits = 0;
    for (int i = 0; i < entity->count; i++)
        if (differs(entity, &entity->fields[i], a, b)) bits |= UINT64_C(1) << i;
    return bits;
}

/* Lots show two decimals at least and as many as they have, up to eight. */
static void write_volume(struct tg_buf *out, double lots)
{
    int64_t scaled = tg_scaled(lots, 8);
    int digits = 8;
    for (; digits > 2 && scaled % 10 == 0; digits--)
        scaled /= 10;
    tg_json_decimal(out, lots, digits);
}

static void write_id(struct tg_buf *out, const struct tg_field *field, const void *record,
                     bool as_text)
{
    int64_t value = as_i64(field, record);
    char digits[24];
    if (as_text) {
        if (field->kind == TG_KIND_ID)
            (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
        else
            (void)snprintf(digits, sizeof digits, "%lld", (long long)value);
        tg_json_string(out, digits, strlen(digits));
    } else if (field->kind == TG_KIND_ID) {
        tg_json_u64(out, (uint64_t)value);
    } else {
        tg_json_i64(out, value);
    }
}

/* The name at an index; the first, "unknown", for one that the list does not have. */
static const char *enum_name(const struct tg_field *field, int32_t index)
{
    for (int32_t i = 0; field->names[i]; i++)
        if (i == index) return field->names[i];
    return field->names[0];
}

void tg_field_write(struct tg_buf *out, const struct tg_entity *entity,
                    const struct tg_field *field, const void *record, bool ids_as_text)
{
    double value;
    int64_t time;
    int32_t number;
    const char *text;
    switch (field->kind) {
    case TG_KIND_TEXT:
        text = at(field, record);
        tg_json_string(out, text, strnlen(text, field->size));
        return;
    case TG_KIND_ENUM: tg_json_text(out, enum_name(field, as_i32(field, record))); return;
    case TG_KIND_BOOL:
        number = as_i32(field, record);
        if (number < 0)
            tg_json_text(out, NULL);
        else
            tg_json_bool(out, number);
        return;
    case TG_KIND_INT: tg_json_i64(out, as_i32(field, record)); return;
    case TG_KIND_OFFSET:
        if ((number = as_i32(field, record)) == INT32_MIN)
            tg_json_text(out, NULL);
        else
            tg_json_i64(out, number);
        return;
    case TG_KIND_ID:
    case TG_KIND_MAGIC: write_id(out, field, record, ids_as_text); return;
    case TG_KIND_TIME:
        if ((time = as_i64(field, record))) {
            char iso[TG_ISO8601_SIZE];
            tg_iso8601_write(iso, time);
            tg_json_string(out, iso, TG_ISO8601_SIZE - 1);
        } else {
            tg_json_text(out, NULL);
        }
        return;
    default: break;
    }
    value = as_double(field, record);
    if (field->kind == TG_KIND_VOLUME && isfinite(value))
        write_volume(out, value);
    else if (field->kind == TG_KIND_LEVEL && value == 0)
        tg_json_text(out, NULL);
    else
        tg_json_decimal(out, value, tg_field_digits(entity, field, record));
}

double tg_field_number(const struct tg_field *field, const void *record)
{
    switch (field->kind) {
    case TG_KIND_TEXT:
    case TG_KIND_ENUM: return NAN;
    case TG_KIND_BOOL:
    case TG_KIND_INT: return as_i32(field, record);
    case TG_KIND_OFFSET:
        return as_i32(field, record) == INT32_MIN ? NAN : (double)as_i32(field, record);
    case TG_KIND_ID: return (double)(uint64_t)as_i64(field, record);
    case TG_KIND_MAGIC:
    case TG_KIND_TIME: return (double)as_i64(field, record);
    default: return as_double(field, record);
    }
}

void tg_entity_cdef(struct tg_buf *out, const struct tg_entity *entity)
{
    tg_buf_printf(out, "struct tgl_%s {\n", entity->name);
    for (int i = 0; i < entity->count; i++) {
        const struct tg_field *field = &entity->fields[i];
        const char *type = "double";
        if (field->kind == TG_KIND_TEXT) {
            for (int word = 0; word < field->size / 8; word++)
                tg_buf_printf(out, "  uint64_t _%s_%d;\n", field->name, word);
            continue;
        }
        if (field->kind == TG_KIND_ID) type = "uint64_t";
        if (field->kind == TG_KIND_MAGIC || field->kind == TG_KIND_TIME) type = "int64_t";
        if (field->kind >= TG_KIND_ENUM && field->kind <= TG_KIND_INT) type = "int32_t";
        if (field->kind == TG_KIND_OFFSET) type = "int32_t";
        tg_buf_printf(out, "  %s _%s;\n", type, field->name);
    }
    tg_buf_puts(out, "};\n");
}
