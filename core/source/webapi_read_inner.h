/* What the readers of rows share: bits and tables from one list of columns. */
#pragma once

#include "base/decimal.h"
#include "base/err.h"
#include "source/webapi_read.h"

#include <stddef.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))
#define BIT(column) (UINT64_C(1) << (column))

/* `enum { P_login, … }` and the table of columns from one list, so that the two cannot disagree. */
#define COLUMN_AT(prefix, kind, name, member) prefix##member,
#define COLUMN_ROW(type, kind, name, member) TG_WEBAPI_COLUMN(type, kind, name, member),

static inline bool has(uint64_t bits, int column)
{
    return bits >> column & 1;
}

/* All of these columns are there and good. */
static inline bool all(const struct tg_webapi_given *given, uint64_t wanted)
{
    return (given->good & wanted) == wanted;
}

/* Reads the row; one that is no JSON gives its login away all the same, if it can. */
static inline int read_row(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                           const struct tg_webapi_column *columns, void *out, uint64_t *login,
                           struct tg_webapi_given *given)
{
    int rc = tg_webapi_rows_read(rows, json, columns, out, given);
    if (rc == -TG_EINVAL) *login = tg_webapi_rows_login(json);
    return rc;
}

static inline int32_t named(const int8_t *list, int count, int64_t number, int32_t otherwise)
{
    return number >= 0 && number < count ? list[number] : otherwise;
}

static inline int32_t decimals(bool given, int64_t digits, int32_t otherwise)
{
    if (!given || digits < 0) return otherwise;
    return digits > TG_DIGITS_MAX ? TG_DIGITS_MAX : (int32_t)digits;
}
