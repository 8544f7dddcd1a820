/* Fields as data: one table an entity, generated from fields.def. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

#include <stdint.h>

enum tg_kind {
    TG_KIND_TEXT,
    TG_KIND_ENUM,
    TG_KIND_BOOL,
    TG_KIND_INT,
    TG_KIND_ID,
    TG_KIND_MAGIC,
    TG_KIND_TIME,
    TG_KIND_MONEY,
    TG_KIND_PERCENT,
    TG_KIND_PRICE,
    TG_KIND_LEVEL,
    TG_KIND_VOLUME,
    TG_KIND_OFFSET,
};

struct tg_field {
    const char *name;
    const char *doc;
    const char *const *names; /* ENUM: its names, NULL-terminated; else NULL */
    uint16_t offset, size;    /* where it stands in its struct, bytes */
    uint8_t kind;             /* enum tg_kind */
};

/* One entity: its fields in the order of fields.def. Field i has mask bit `1 << i`. */
struct tg_entity {
    const char *name; /* "account", "position", "order", "deal", "moment" */
    const struct tg_field *fields;
    int count;
    uint16_t size;            /* sizeof its struct */
    uint16_t digits;          /* offset of `digits` (price decimals), or UINT16_MAX */
    uint16_t currency_digits; /* offset of `currency_digits` */
};

extern const struct tg_entity tg_account_entity, tg_position_entity, tg_order_entity,
    tg_deal_entity, tg_moment_entity;

/* The field of that name, or NULL. */
const struct tg_field *tg_field_find(const struct tg_entity *entity, const char *name);

/* The name nearest to a misspelt one, or NULL. */
const char *tg_field_nearest(const struct tg_entity *entity, const char *name);

/* The mask bit of a field of this entity. */
uint64_t tg_field_bit(const struct tg_entity *entity, const struct tg_field *field);

/* The bits of all fields whose values differ between two structs of the entity. */
uint64_t tg_entity_diff(const struct tg_entity *entity, const void *a, const void *b);

/* Appends the field's value as JSON: null when it is not known or not set, decimals as the kind
 * says, times as ISO 8601, ids with their exact digits (or as strings when `ids_as_text`). */
void tg_field_write(struct tg_buf *out, const struct tg_entity *entity,
                    const struct tg_field *field, const void *record, bool ids_as_text);

/* The value as a number: MONEY … VOLUME, OFFSET, INT, BOOL, TIME and ids (inexact beyond 2^53); NaN
 * else.
 */
double tg_field_number(const struct tg_field *field, const void *record);

/* The decimals at which a field of this record is compared and shown; 0 for what has none. */
int tg_field_digits(const struct tg_entity *entity, const struct tg_field *field,
                    const void *record);

/* Appends the C declaration of the entity's struct `tgl_<name>` for ffi.cdef. Only scalars: TEXT
 * fields appear as 64-bit words `_<name>_0`, `_<name>_1`, …; every other field as `_<name>`. */
void tg_entity_cdef(struct tg_buf *out, const struct tg_entity *entity);
