/* The shape of a row: all of its text but the values, as the row before had it. */
#pragma once

#include "base/buf.h"
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

#define TG_WEBAPI_SHAPE_MEMBERS 256

/* Text of the row up to a value that may differ, from the value before. */
struct tg_webapi_gap {
    uint32_t at, len; /* in `model` */
    uint32_t token;   /* of the value behind it */
};

/* Zero-initialise. */
struct tg_webapi_shape {
    struct tg_json json; /* the last row; the names in it are the model's */
    struct tg_buf model; /* the row that this was learnt from */
    struct tg_webapi_gap *gaps;
    uint32_t count, cap;
    uint32_t tail; /* of the model, behind the last value */
    bool known;

    /* The reader's: which of its columns the n-th member is, plus 1; `columns` is the table that
     * this holds for, NULL when it is no more than a guess. */
    const void *columns;
    uint8_t column[TG_WEBAPI_SHAPE_MEMBERS];
};

/* A row of an answer: one object. */
struct tg_webapi_row {
    const char *text;
    size_t len;
    struct tg_webapi_shape
        *shape; /* its `json` is this row; NULL: it is not read yet, or no JSON */
};

void tg_webapi_shape_fini(struct tg_webapi_shape *shape);

/* Whether a row of this shape stands at `text`: its length, and `json` is that row until the next
 * call; else 0: it is of another shape, or not JSON, or goes on behind `len`. */
size_t tg_webapi_shape_match(struct tg_webapi_shape *shape, const char *text, size_t len);

/* Reads a whole row and takes its shape; the text is copied. 0, -TG_EINVAL (it is no JSON object;
 * there is no shape now) or -TG_ENOMEM. */
int tg_webapi_shape_learn(struct tg_webapi_shape *shape, const char *text, size_t len);
