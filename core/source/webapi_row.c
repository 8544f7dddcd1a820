/* A server's batch is tens of thousands of rows of forty members a second, so two things are done
 * for speed: which columns the members are is kept with the shape that the rows share; and the
 * decimals that money and prices are written in are read exactly without strtod, as an integer over
 * a power of ten. */
#include "source/webapi_row.h"

#include "base/text.h"

#include <string.h>

void tg_webapi_rows_fini(struct tg_webapi_rows *rows)
{
    tg_webapi_shape_fini(&rows->shape);
    tg_buf_fini(&rows->clean);
    tg_buf_fini(&rows->plain);
}

/* The bytes of the UTF-8 character at `at`, 0 when it is none. */
static size_t character(const char *at, const char *end)
{
    for (size_t len = 1; len <= 4 && at + len <= end; len++)
        if (tg_utf8_valid(at, len)) return len;
    return 0;
}

/* A copy in which whatever no JSON text may hold is a '?'. Blanks between members stay. */
static int clean(struct tg_webapi_rows *rows, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    bool string = false, escaped = false;
    tg_buf_clear(&rows->clean);
    while (at < end) {
        size_t step = character(at, end);
        unsigned char c = (unsigned char)*at;
        if (!step || (string && c < 0x20)) {
            tg_buf_putc(&rows->clean, '?');
            step = 1;
        } else {
            tg_buf_add(&rows->clean, at, step);
        }
        if (c == '"' && !escaped) string = !string;
        escaped = c == '\\' && !escaped;
        at += step;
    }
    return rows->clean.failed ? -TG_ENOMEM : 0;
}

/* The row as JSON, cleaned if it must be; NULL and why not. */
static struct tg_webapi_shape *shape_of(struct tg_webapi_rows *rows,
                                        const struct tg_webapi_row *row, int *rc)
{
    *rc = 0;
    if (row->shape) return row->shape;
    *rc = tg_webapi_shape_learn(&rows->shape, row->text, row->len);
    if (*rc == -TG_EINVAL) {
        *rc = clean(rows, row->text, row->len);
        if (!*rc)
            *rc = tg_webapi_shape_learn(&rows->shape, rows->clean.data ? rows->clean.data : "",
                                        rows->clean.len);
    }
    return *rc ? NULL : &rows->shape;
}

/* A decimal whose digits fit a double's 53 bits, over a power of ten that is exact: one division
 * rounds it correctly. Anything else takes the long way. */
static int read_double(const struct tg_json_token *token, double *out)
{
    static const double tens[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                  1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};
    const char *at = token->text, *end = at + token->len;
    uint64_t digits = 0;
    int count = 0, behind = -1;
    bool minus = at < end && *at == '-';
    bool text = token->type == TG_JSON_STRING || token->type == TG_JSON_NUMBER;
    if (minus) at++;
    for (; at < end && count < 17; at++) {
        if (*at == '.' && behind < 0) {
            behind = 0;
            continue;
        }
        if (*at < '0' || *at > '9') break;
        digits = digits * 10 + (uint64_t)(*at - '0');
        count++;
        if (behind >= 0) behind++;
    }
    if (at < end || !count || !text || digits >> 53) return tg_json_read_double(token, out);
    double value = (double)digits / tens[behind > 0 ? behind : 0];
    *out = minus ? -value : value;
    return 0;
}

static bool is(const struct tg_webapi_column *column, const struct tg_json_token *key)
{
    return column->len == key->len && !memcmp(column->name, key->text, key->len);
}

static int find(const struct tg_webapi_column *columns, const struct tg_json_token *key)
{
    for (int i = 0; columns[i].name; i++)
        if (is(&columns[i], key)) return i;
    return -1;
}

/* Says which column each member is, plus 1; what it was in the shape before is a good guess. */
static void place_columns(struct tg_webapi_shape *shape, const struct tg_webapi_column *columns)
{
    const struct tg_json_token *tokens = shape->json.tokens;
    int count = 0;
    while (columns[count].name)
        count++;
    for (uint32_t key = 1, n = 0; n < tokens->count && n < TG_WEBAPI_SHAPE_MEMBERS; n++) {
        int guess = shape->column[n] - 1;
        if (guess < 0 || guess >= count || !is(&columns[guess], &tokens[key]))
            shape->column[n] = (uint8_t)(find(columns, &tokens[key]) + 1);
        key = tokens[key + 1].next;
    }
    shape->columns = columns;
}

static int read_value(const struct tg_json_token *token, const struct tg_webapi_column *column,
                      char *out)
{
    void *at = out + column->offset;
    switch (column->kind) {
    case TG_WEBAPI_U64: return tg_json_read_u64(token, at);
    case TG_WEBAPI_I64: return tg_json_read_i64(token, at);
    case TG_WEBAPI_F64: return read_double(token, at);
    default: break;
    }
    if (token->type != TG_JSON_STRING && token->type != TG_JSON_NUMBER) return -TG_EINVAL;
    memcpy(at, &token, sizeof token);
    return 0;
}

int tg_webapi_rows_read(struct tg_webapi_rows *rows, const struct tg_webapi_row *row,
                        const struct tg_webapi_column *columns, void *out,
                        struct tg_webapi_given *given)
{
    int rc;
    struct tg_webapi_shape *shape = shape_of(rows, row, &rc);
    *given = (struct tg_webapi_given){0};
    if (!shape) return rc;
    if (shape->columns != columns) place_columns(shape, columns);
    const struct tg_json_token *tokens = shape->json.tokens;
    for (uint32_t key = 1, n = 0; n < tokens->count; n++) {
        const struct tg_json_token *value = &tokens[key + 1];
        int i = n < TG_WEBAPI_SHAPE_MEMBERS ? shape->column[n] - 1 : find(columns, &tokens[key]);
        key = value->next;
        if (i < 0 || value->type == TG_JSON_NULL) continue;
        if (!value->len && columns[i].kind != TG_WEBAPI_STRING) continue;
        uint64_t bit = UINT64_C(1) << i;
        if (read_value(value, &columns[i], out))
            given->bad |= bit;
        else
            given->good |= bit;
    }
    given->good &= ~given->bad;
    return 0;
}

bool tg_webapi_rows_text(struct tg_webapi_rows *rows, const struct tg_json_token *token, char *out,
                         size_t size)
{
    const char *text = token->text;
    size_t len = token->len;
    if (token->escaped) {
        tg_buf_clear(&rows->plain);
        tg_json_unescape(&rows->plain, token);
        text = rows->plain.data ? rows->plain.data : "";
        len = rows->plain.len;
    }
    tg_copy(out, size, text, len);
    return len < size && !rows->plain.failed;
}

uint64_t tg_webapi_rows_login(const struct tg_webapi_row *row)
{
    static const char name[] = "\"Login\"";
    const char *end = row->text + row->len;
    const char *at = memmem(row->text, row->len, name, sizeof name - 1);
    uint64_t login = 0;
    if (!at) return 0;
    at += sizeof name - 1;
    if (memmem(at, (size_t)(end - at), name, sizeof name - 1)) return 0;
    while (at < end && strchr(" \t\r\n:\"", *at))
        at++;
    const char *digits = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return tg_read_u64(digits, (size_t)(at - digits), &login) ? 0 : login;
}
