/* The values of a row, read by a table of columns. */
#pragma once

#include "base/buf.h"
#include "source/webapi_shape.h"

#include <stddef.h>
#include <stdint.h>

enum tg_webapi_kind {
    TG_WEBAPI_U64,
    TG_WEBAPI_I64,
    TG_WEBAPI_F64,
    TG_WEBAPI_STRING, /* a const struct tg_json_token *, valid until the next row */
};

/* A member that is read, and where its value goes. */
struct tg_webapi_column {
    const char *name;
    uint8_t len; /* of the name */
    uint8_t kind;
    uint16_t offset;
};

#define TG_WEBAPI_COLUMN(type, kind, name, member)                      \
    {                                                                   \
        name, sizeof name - 1, TG_WEBAPI_##kind, offsetof(type, member) \
    }

/* Reads rows. Zero-initialise; it keeps its memory from row to row. */
struct tg_webapi_rows {
    struct tg_webapi_shape shape; /* of a row that came without */
    struct tg_buf clean;          /* a row that had to be cleaned */
    struct tg_buf plain;          /* a text without its escapes */
};

/* What a row gave: bit i is column i. */
struct tg_webapi_given {
    uint64_t good; /* there, not null, not an empty text where a number is meant */
    uint64_t bad;  /* there, and not what it should be */
};

void tg_webapi_rows_fini(struct tg_webapi_rows *rows);

/* Reads a row into `out`, which the caller has zeroed; at most 64 columns, the list ends with a
 * NULL name. Values may be numbers or texts. Control bytes and broken UTF-8, which comments have in
 * the field, are replaced by '?'. 0, -TG_EINVAL (not a JSON object) or -TG_ENOMEM. */
int tg_webapi_rows_read(struct tg_webapi_rows *rows, const struct tg_webapi_row *row,
                        const struct tg_webapi_column *columns, void *out,
                        struct tg_webapi_given *given);

/* Copies a text member without its escapes, cut at a character's end. False: it did not fit. */
bool tg_webapi_rows_text(struct tg_webapi_rows *rows, const struct tg_json_token *token, char *out,
                         size_t size);

/* The login of a row that is no JSON: what follows the only "Login" in it; 0 when that is not to be
 * had. It tells whose row is broken. */
uint64_t tg_webapi_rows_login(const struct tg_webapi_row *row);
