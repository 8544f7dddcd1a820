/* A shape: a payload that names fields, compiled to a list of steps and written without Lua. */
#pragma once

#include "base/buf.h"
#include "model/account.h"
#include "model/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a field is read. The numbers are known to lua/shape.lua. */
enum tg_shape_source {
    TG_SHAPE_NOW,          /* the account */
    TG_SHAPE_WAS,          /* the account before */
    TG_SHAPE_ABOUT,        /* the moment's own fields */
    TG_SHAPE_POSITION,     /* the moment's position */
    TG_SHAPE_POSITION_WAS, /* … as it was */
    TG_SHAPE_DEAL,         /* the moment's deal */
    TG_SHAPE_EACH,         /* the position that PLACES stands at */
    TG_SHAPE_ORDER,        /* the moment's order */
    TG_SHAPE_ORDER_WAS,    /* … as it was */
    TG_SHAPE_EACH_ORDER,   /* the order that ORDERS stands at */
    TG_SHAPE_SOURCES,
};

enum tg_shape_code {
    TG_SHAPE_RAW,   /* JSON text, a comma before it where one belongs */
    TG_SHAPE_CLOSE, /* a closing bracket */
    TG_SHAPE_FIELD, /* a field's value; `arg`: its decimals plus one, 0 = as the field has them */
    TG_SHAPE_TOLD,  /* the status or subject that a moment is about */
    TG_SHAPE_WHEN,  /* skips `span` steps unless bit s of `arg` is set, s being the field's state */
    TG_SHAPE_CHANGES, /* an object of the next `span` steps; nothing is said when none changed */
    TG_SHAPE_CHANGE,  /* within it: `text` is the member, the field's old and new values */
    TG_SHAPE_PLACES,  /* an array: the next `span` steps for each position */
    TG_SHAPE_ORDERS,  /* an array: … for each pending order; null where the source tells none */
    TG_SHAPE_CODES,
};

struct tg_shape_op {
    uint8_t code, source;
    int16_t field;
    uint32_t span, arg;
    uint32_t text, len; /* in the shape's text */
};

/* Zero-initialise. */
struct tg_shape {
    struct tg_shape_op *ops;
    uint32_t count, cap;
    struct tg_buf text;
};

/* What a shape is written from. All borrowed. */
struct tg_shape_scene {
    const struct tgl_account *now, *was;
    uint64_t changed; /* bits of the account fields that differ */
    const struct tg_positions *positions;
    const struct tg_orders *orders; /* NULL: not known */
    const struct tg_moment *moment; /* NULL when it is about none */
    const char *told;
    bool ids_as_text;
};

/* The entity whose fields a source has, NULL when there is no such source. */
const struct tg_entity *tg_shape_entity(int source);

/* Bounds of a shape: tables that share parts can name more of them than any memory holds. */
#define TG_SHAPE_OPS 4096
#define TG_SHAPE_TEXT 262144 /* bytes of names and constants */

/* Adds a step; its index, or -TG_EINVAL (no such code, source or field), -TG_ELIMIT, -TG_ENOMEM. */
int tg_shape_add(struct tg_shape *shape, int code, int source, int field, uint32_t arg,
                 const char *text, size_t len);

/* Appends the JSON to `out`, which must be empty. 0, -TG_EAGAIN when a CHANGES has none (`out` is
 * then of no use), -TG_ENOMEM. */
int tg_shape_write(const struct tg_shape *shape, const struct tg_shape_scene *scene,
                   struct tg_buf *out);

void tg_shape_fini(struct tg_shape *shape);
