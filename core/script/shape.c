/* A shape is decided once, when its file is loaded: names are looked up, member names are escaped,
 * brackets are placed. What is left per event is a walk over a list of steps, most of which copy
 * bytes. Every step was checked when it was added, so the walk checks nothing but whether the scene
 * has what a step needs; a scene without a moment writes null for its fields. */
#include "script/shape.h"

#include "base/decimal.h"
#include "base/err.h"
#include "base/json.h"
#include "model/field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct tg_entity *tg_shape_entity(int source)
{
    switch (source) {
    case TG_SHAPE_NOW:
    case TG_SHAPE_WAS: return &tg_account_entity;
    case TG_SHAPE_ABOUT: return &tg_moment_entity;
    case TG_SHAPE_POSITION:
    case TG_SHAPE_POSITION_WAS:
    case TG_SHAPE_EACH: return &tg_position_entity;
    case TG_SHAPE_DEAL: return &tg_deal_entity;
    case TG_SHAPE_ORDER:
    case TG_SHAPE_ORDER_WAS:
    case TG_SHAPE_EACH_ORDER: return &tg_order_entity;
    default: return NULL;
    }
}

int tg_shape_add(struct tg_shape *shape, int code, int source, int field, uint32_t arg,
                 const char *text, size_t len)
{
    const struct tg_entity *entity = tg_shape_entity(source);
    if (code < 0 || code >= TG_SHAPE_CODES || !entity || field < 0 || field >= entity->count)
        return -TG_EINVAL;
    if (shape->count == TG_SHAPE_OPS || shape->text.len + len > TG_SHAPE_TEXT) return -TG_ELIMIT;
    if (shape->count == shape->cap) {
        uint32_t cap = shape->cap ? shape->cap * 2 : 16;
        struct tg_shape_op *ops = realloc(shape->ops, cap * sizeof *ops);
        if (!ops) return -TG_ENOMEM;
        shape->ops = ops;
        shape->cap = cap;
    }
    size_t at = shape->text.len;
    tg_buf_add(&shape->text, text, len);
    if (shape->text.failed) return -TG_ENOMEM;
    shape->ops[shape->count] = (struct tg_shape_op){.code = (uint8_t)code,
                                                    .source = (uint8_t)source,
                                                    .field = (int16_t)field,
                                                    .arg = arg,
                                                    .text = (uint32_t)at,
                                                    .len = (uint32_t)len};
    return (int)shape->count++;
}

void tg_shape_fini(struct tg_shape *shape)
{
    free(shape->ops);
    tg_buf_fini(&shape->text);
    *shape = (struct tg_shape){0};
}

/* A member's name that needs no escaping. */
#define KEY(out, text) tg_json_raw(out, text, sizeof(text) - 1)

/* One writing in progress. */
struct pen {
    const struct tg_shape *shape;
    const struct tg_shape_scene *scene;
    const void *each; /* the position or order that an array stands at */
    struct tg_buf *out;
    bool empty;
};

static const void *record_of(const struct pen *pen, int source)
{
    const struct tg_moment *moment = pen->scene->moment;
    switch (source) {
    case TG_SHAPE_NOW: return pen->scene->now;
    case TG_SHAPE_WAS: return pen->scene->was;
    case TG_SHAPE_EACH:
    case TG_SHAPE_EACH_ORDER: return pen->each;
    default: break;
    }
    if (!moment) return NULL;
    switch (source) {
    case TG_SHAPE_ABOUT: return &moment->about;
    case TG_SHAPE_POSITION: return &moment->position;
    case TG_SHAPE_POSITION_WAS: return &moment->was;
    case TG_SHAPE_ORDER: return &moment->order;
    case TG_SHAPE_ORDER_WAS: return &moment->order_was;
    default: return &moment->deal;
    }
}

/* The decimals at which a step writes its field. */
static int digits_of(const struct tg_shape_op *op, const struct tg_entity *entity,
                     const struct tg_field *field, const void *record)
{
    return op->arg ? (int)op->arg - 1 : tg_field_digits(entity, field, record);
}

static void write_field(struct pen *pen, const struct tg_shape_op *op, int source)
{
    const struct tg_entity *entity = tg_shape_entity(source);
    const struct tg_field *field = &entity->fields[op->field];
    const void *record = record_of(pen, source);
    if (!record) {
        tg_json_text(pen->out, NULL);
    } else if (op->arg) {
        double value = tg_field_number(field, record);
        if (field->kind == TG_KIND_LEVEL && value == 0) value = NAN;
        tg_json_decimal(pen->out, value, (int)op->arg - 1);
    } else {
        tg_field_write(pen->out, entity, field, record, pen->scene->ids_as_text);
    }
}

/* An ENUM's state is the index of its name; a BOOL's is 0 not known, 1 false, 2 true; of all others
 * it is 0 not known or not set, 1 known. */
static int state_of(const struct tg_field *field, const void *record)
{
    double value = tg_field_number(field, record);
    const char *at = (const char *)record + field->offset;
    int32_t number;
    switch (field->kind) {
    case TG_KIND_TEXT: return *at != '\0';
    case TG_KIND_ENUM: memcpy(&number, at, sizeof number); return number & 31;
    case TG_KIND_BOOL: return value < 0 ? 0 : value > 0 ? 2 : 1;
    case TG_KIND_OFFSET: return !isnan(value) && value > INT32_MIN;
    case TG_KIND_ID:
    case TG_KIND_MAGIC:
    case TG_KIND_TIME:
    case TG_KIND_LEVEL: return !isnan(value) && value != 0;
    default: return !isnan(value);
    }
}

static bool passes(const struct pen *pen, const struct tg_shape_op *op)
{
    const struct tg_entity *entity = tg_shape_entity(op->source);
    const void *record = record_of(pen, op->source);
    return op->arg >> (record ? state_of(&entity->fields[op->field], record) : 0) & 1;
}

/* `diff` at the decimals that are shown, so that old + diff is new on the client's side too. Ids
 * and times have none: a difference of tickets means nothing. */
static void write_diff(struct pen *pen, const struct tg_shape_op *op)
{
    const struct tg_shape_scene *scene = pen->scene;
    const struct tg_field *field = &tg_account_entity.fields[op->field];
    double old = tg_field_number(field, scene->was), new = tg_field_number(field, scene->now);
    if (field->kind < TG_KIND_MONEY && field->kind != TG_KIND_INT) return;
    if (field->kind == TG_KIND_OFFSET) return;
    if (isnan(old) || isnan(new)) return;
    int digits = digits_of(op, &tg_account_entity, field, scene->now);
    KEY(pen->out, "\"diff\":");
    tg_json_decimal(pen->out, tg_round(new, digits) - tg_round(old, digits), digits);
}

/* Whether a field that changed still differs at the decimals that the step writes. */
static bool shows(const struct pen *pen, const struct tg_shape_op *op, int before)
{
    const void *old = record_of(pen, before), *new = record_of(pen, op->source);
    const struct tg_field *field = &tg_shape_entity(op->source)->fields[op->field];
    if (!op->arg || !old || !new) return true;
    return !tg_same(tg_field_number(field, old), tg_field_number(field, new), (int)op->arg - 1);
}

static bool write_change(struct pen *pen, const struct tg_shape_op *op)
{
    const struct tg_shape_scene *scene = pen->scene;
    bool account = op->source == TG_SHAPE_NOW;
    uint64_t changed = account ? scene->changed : scene->moment ? scene->moment->changed : 0;
    int before = account                        ? TG_SHAPE_WAS
                 : op->source == TG_SHAPE_ORDER ? TG_SHAPE_ORDER_WAS
                                                : TG_SHAPE_POSITION_WAS;
    if (!(changed & (UINT64_C(1) << op->field)) || !shows(pen, op, before)) return false;
    tg_json_raw(pen->out, pen->shape->text.data + op->text, op->len);
    tg_json_open(pen->out, '{');
    KEY(pen->out, "\"old\":");
    write_field(pen, op, before);
    KEY(pen->out, "\"new\":");
    write_field(pen, op, op->source);
    if (account) write_diff(pen, op);
    tg_json_close(pen->out, '}');
    return true;
}

static void write_changes(struct pen *pen, uint32_t from, uint32_t to)
{
    bool any = false;
    tg_json_open(pen->out, '{');
    for (uint32_t i = from; i < to; i++)
        any |= write_change(pen, &pen->shape->ops[i]);
    tg_json_close(pen->out, '}');
    /* A volume that was added and taken off again is what it was, and is told all the same. */
    const struct tg_moment *moment = pen->scene->moment;
    if (!any && !(moment && moment->about.coalesced > 0)) pen->empty = true;
}

static void write_ops(struct pen *pen, uint32_t from, uint32_t to);

/* Steps `from` to `to` for each row of an array. */
static void write_rows(struct pen *pen, const void *rows, uint32_t count, size_t size,
                       uint32_t from, uint32_t to)
{
    tg_json_open(pen->out, '[');
    for (uint32_t k = 0; k < count; k++) {
        pen->each = (const char *)rows + k * size;
        write_ops(pen, from, to);
    }
    pen->each = NULL;
    tg_json_close(pen->out, ']');
}

static void write_ops(struct pen *pen, uint32_t from, uint32_t to)
{
    const struct tg_shape_scene *scene = pen->scene;
    for (uint32_t i = from; i < to; i++) {
        const struct tg_shape_op *op = &pen->shape->ops[i];
        const char *text = pen->shape->text.data + op->text;
        switch (op->code) {
        case TG_SHAPE_RAW: tg_json_raw(pen->out, text, op->len); break;
        case TG_SHAPE_CLOSE: tg_json_close(pen->out, *text); break;
        case TG_SHAPE_FIELD: write_field(pen, op, op->source); break;
        case TG_SHAPE_TOLD: tg_json_text(pen->out, pen->scene->told); break;
        case TG_SHAPE_WHEN:
            if (!passes(pen, op)) i += op->span;
            break;
        case TG_SHAPE_CHANGES:
            write_changes(pen, i + 1, i + 1 + op->span);
            i += op->span;
            break;
        case TG_SHAPE_ORDERS:
            if (scene->orders)
                write_rows(pen, scene->orders->rows, scene->orders->count, sizeof(struct tgl_order),
                           i + 1, i + 1 + op->span);
            else
                tg_json_text(pen->out, NULL);
            i += op->span;
            break;
        default:
            write_rows(pen, scene->positions->rows, scene->positions->count,
                       sizeof(struct tgl_position), i + 1, i + 1 + op->span);
            i += op->span;
            break;
        }
    }
}

int tg_shape_write(const struct tg_shape *shape, const struct tg_shape_scene *scene,
                   struct tg_buf *out)
{
    struct pen pen = {shape, scene, NULL, out, false};
    write_ops(&pen, 0, shape->count);
    if (out->failed) return -TG_ENOMEM;
    return pen.empty ? -TG_EAGAIN : 0;
}
