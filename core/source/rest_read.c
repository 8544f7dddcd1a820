/* One reader for accounts, positions and deals, driven by the field list: a field added there is
 * read here with a line of aliases. It refuses rather than guesses: a member that is there but is
 * not what its field needs means that we misunderstand the service, and then no part of the
 * document is to be believed. */
#include "source/rest_read.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/text.h"
#include "source/rest_enum.h"

#include <math.h>
#include <string.h>

/* Texts in fields of up to this size are names that tell things apart (symbol, login, currency):
 * cut off, two could become one, so what does not fit is refused. Longer fields are for display. */
#define NAME_SIZE 32

/* Epoch numbers below this are seconds (until the year 5138), from it on milliseconds (1973). */
#define EPOCH_MS_FROM 1e11

int tg_rest_read_time(const struct tg_json_token *token, int64_t *out)
{
    double epoch;
    if (!tg_json_read_double(token, &epoch)) {
        if (epoch < 0 || epoch > 1e14) return -TG_EINVAL;
        *out = (int64_t)(epoch < EPOCH_MS_FROM ? round(epoch * 1000) : epoch);
        return 0;
    }
    if (token->type != TG_JSON_STRING || token->escaped) return -TG_EINVAL;
    return tg_iso8601_read(token->text, token->len, out);
}

int tg_rest_decimals(const struct tg_json_token *token)
{
    double value;
    /* One more digit than can be kept, so that "just as many" and "too many" differ. */
    const char *dot = memchr(token->text, '.', token->len);
    bool exponent = memchr(token->text, 'e', token->len) || memchr(token->text, 'E', token->len);
    size_t shown = dot ? token->len - (size_t)(dot + 1 - token->text) : 0;
    if (tg_json_read_double(token, &value) || value == 0) return -1;
    if (exponent || shown <= TG_DIGITS_MAX) return tg_decimals_of(token->text, (int)token->len);
    for (int digits = 0; digits <= TG_DIGITS_MAX; digits++)
        if (fabs(tg_round(value, digits) - value) <= fabs(value) * 1e-14) return digits;
    return -1;
}

static int read_text(const struct tg_json_token *token, char *out, size_t size)
{
    struct tg_buf plain = {0};
    int rc = 0;
    if (token->type != TG_JSON_STRING && token->type != TG_JSON_NUMBER) return -TG_EINVAL;
    tg_json_unescape(&plain, token);
    if (plain.failed)
        rc = -TG_ENOMEM;
    else if (size <= NAME_SIZE && plain.len &&
             (plain.len >= size || memchr(plain.data, '\0', plain.len)))
        rc = -TG_EINVAL;
    else
        tg_copy(out, size, plain.len ? plain.data : "", plain.len);
    tg_buf_fini(&plain);
    return rc;
}

static int read_bool(const struct tg_json_token *token, int32_t *out)
{
    int64_t number;
    if (token->type == TG_JSON_TRUE || token->type == TG_JSON_FALSE) {
        *out = token->type == TG_JSON_TRUE;
        return 0;
    }
    if (tg_json_read_i64(token, &number) || (number != 0 && number != 1)) return -TG_EINVAL;
    *out = (int32_t)number;
    return 0;
}

static int read_int(const struct tg_json_token *token, int32_t *out)
{
    int64_t number;
    if (tg_json_read_i64(token, &number) || number < 0 || number > INT32_MAX) return -TG_EINVAL;
    *out = (int32_t)number;
    return 0;
}

/* Seconds east of UTC. */
static int read_offset(const struct tg_json_token *token, int32_t *out)
{
    int64_t number;
    if (tg_json_read_i64(token, &number) || number < -86400 || number > 86400) return -TG_EINVAL;
    *out = (int32_t)number;
    return 0;
}

/* Magic numbers are signed; a service that prints them unsigned means the same 64 bits. */
static int read_magic(const struct tg_json_token *token, int64_t *out)
{
    uint64_t bits;
    if (!tg_json_read_i64(token, out)) return 0;
    if (tg_json_read_u64(token, &bits)) return -TG_EINVAL;
    *out = (int64_t)bits;
    return 0;
}

int tg_rest_read_value(const struct tg_field *field, const struct tg_json_token *token, void *at)
{
    switch (field->kind) {
    case TG_KIND_TEXT: return read_text(token, at, field->size);
    case TG_KIND_ENUM: return tg_rest_enum(field, token, at);
    case TG_KIND_BOOL: return read_bool(token, at);
    case TG_KIND_INT: return read_int(token, at);
    case TG_KIND_OFFSET: return read_offset(token, at);
    case TG_KIND_ID: return tg_json_read_u64(token, at);
    case TG_KIND_MAGIC: return read_magic(token, at);
    case TG_KIND_TIME: return tg_rest_read_time(token, at);
    default: return tg_json_read_double(token, at);
    }
}

/* The first of a field's names that the object has, not null; 0 when there is none. An empty text
 * where a time is meant says as much as null. */
static uint32_t member(const struct tg_json *json, uint32_t object, const struct tg_field *field,
                       const struct tg_rest_alias *alias, const char **name)
{
    for (int i = 0; alias->names[i]; i++) {
        uint32_t at = tg_json_get(json, object, alias->names[i]);
        const struct tg_json_token *token = &json->tokens[at];
        bool empty = field->kind == TG_KIND_TIME && token->type == TG_JSON_STRING && !token->len;
        *name = alias->names[i];
        if (at && token->type != TG_JSON_NULL && !empty) return at;
    }
    return 0;
}

int tg_rest_read(const struct tg_json *json, uint32_t object, const struct tg_entity *entity,
                 const struct tg_rest_alias *aliases, void *record, struct tg_rest_given *given,
                 struct tg_err *err)
{
    *given = (struct tg_rest_given){.decimals = -1};
    for (; aliases->field; aliases++) {
        const struct tg_field *field = tg_field_find(entity, aliases->field);
        const char *name = NULL;
        tg_must(field);
        uint32_t at = member(json, object, field, aliases, &name);
        if (!at) continue;
        int rc = tg_rest_read_value(field, &json->tokens[at], (char *)record + field->offset);
        if (rc == -TG_ENOMEM) return tg_fail(err, TG_ENOMEM, "out of memory");
        if (rc) return tg_fail(err, TG_EPROTO, "\"%s\" is not what it should be", name);
        given->fields |= tg_field_bit(entity, field);
        if (field->kind != TG_KIND_PRICE && field->kind != TG_KIND_LEVEL) continue;
        int decimals = tg_rest_decimals(&json->tokens[at]);
        if (decimals > given->decimals) given->decimals = decimals;
    }
    return 0;
}
