/* A server writes the rows of an answer by one recipe: the same members in the same order with the
 * same blanks, and only the values differ. So the first row is read as any JSON is, and what
 * follows is compared with it, piece by piece, in one pass that finds the values and the row's end
 * together. What is equal to strict JSON up to its scalars is strict JSON when those are scalars;
 * anything else about a row makes it no match, and it is read the long way, so a match is never
 * more than a faster way to the same tokens.
 *
 * Values are strings, numbers or literals, whichever they were in the row before. Lists and members
 * of members count as part of the shape: a row in which one of them differs has another. */
#include "source/webapi_shape.h"

#include "base/err.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void tg_webapi_shape_fini(struct tg_webapi_shape *shape)
{
    tg_json_fini(&shape->json);
    tg_buf_fini(&shape->model);
    free(shape->gaps);
    *shape = (struct tg_webapi_shape){0};
}

/* ---- matching ---- */

enum { PLAIN, QUOTE, HIGH, BAD };

/* What a byte is inside a string: its end; part of a longer character; not for us (controls are no
 * JSON, and escapes are seldom enough for the long way). */
static const uint8_t inside[256] = {
    [0 ... 0x1f] = BAD, ['"'] = QUOTE, ['\\'] = BAD, [0x80 ... 0xff] = HIGH};

/* The quote that ends the string at `at`, or NULL. */
static const char *string_end(const char *at, const char *end)
{
    const char *start = at;
    uint8_t seen = PLAIN;
    for (; at < end; at++) {
        uint8_t what = inside[(unsigned char)*at];
        if (what == PLAIN) continue;
        if (what == QUOTE) return seen && !tg_utf8_valid(start, (size_t)(at - start)) ? NULL : at;
        if (what == BAD) return NULL;
        seen = what;
    }
    return NULL;
}

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The end of the longest number that stands at `at` (RFC 8259, 6), or NULL. It may go on behind
 * `end`: what follows a number in a row is never nothing. */
static const char *number_end(const char *at, const char *end)
{
    const char *digits = at < end && *at == '-' ? at + 1 : at;
    at = digits_end(digits, end);
    if (at == digits || (*digits == '0' && at != digits + 1)) return NULL;
    if (at < end && *at == '.') {
        digits = at + 1;
        at = digits_end(digits, end);
        if (at == digits) return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        if (digits < end && (*digits == '+' || *digits == '-')) digits++;
        at = digits_end(digits, end);
        if (at == digits) return NULL;
    }
    return at;
}

static bool same(const char **at, const char *end, const char *wanted, uint32_t len)
{
    if ((size_t)(end - *at) < len || memcmp(*at, wanted, len) != 0) return false;
    *at += len;
    return true;
}

static bool take(struct tg_json_token *value, enum tg_json_type type, const char *text,
                 const char *end)
{
    value->type = (uint8_t)type;
    value->escaped = false;
    value->text = text;
    value->len = (uint32_t)(end - text);
    return true;
}

static bool string(struct tg_json_token *value, const char **at, const char *end)
{
    const char *text = *at + 1, *stop = string_end(text, end);
    if (!stop) return false;
    *at = stop + 1;
    return take(value, TG_JSON_STRING, text, stop);
}

static bool number_or_literal(struct tg_json_token *value, const char **at, const char *end)
{
    const char *text = *at, *stop = number_end(text, end);
    if (!stop)
        return (same(at, end, "null", 4) && take(value, TG_JSON_NULL, text, *at)) ||
               (same(at, end, "true", 4) && take(value, TG_JSON_TRUE, text, *at)) ||
               (same(at, end, "false", 5) && take(value, TG_JSON_FALSE, text, *at));
    *at = stop;
    return take(value, TG_JSON_NUMBER, text, stop);
}

size_t tg_webapi_shape_match(struct tg_webapi_shape *shape, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    if (!shape->known) return 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct tg_webapi_gap *gap = &shape->gaps[i];
        if (!same(&at, end, shape->model.data + gap->at, gap->len) || at == end) return 0;
        struct tg_json_token *value = &shape->json.tokens[gap->token];
        /* That a value ends where it seems to is shown by what follows. */
        if (*at == '"' ? !string(value, &at, end) : !number_or_literal(value, &at, end)) return 0;
    }
    uint32_t rest = (uint32_t)shape->model.len - shape->tail;
    return same(&at, end, shape->model.data + shape->tail, rest) ? (size_t)(at - text) : 0;
}

/* ---- learning ---- */

static int add_gap(struct tg_webapi_shape *shape, const char *model, uint32_t token)
{
    if (shape->count == shape->cap) {
        uint32_t cap = shape->cap ? shape->cap * 2 : 64;
        struct tg_webapi_gap *gaps = realloc(shape->gaps, cap * sizeof *gaps);
        if (!gaps) return -TG_ENOMEM;
        shape->gaps = gaps;
        shape->cap = cap;
    }
    const struct tg_json_token *value = &shape->json.tokens[token];
    uint32_t quote = value->type == TG_JSON_STRING, to = (uint32_t)(value->text - model) - quote;
    shape->gaps[shape->count++] = (struct tg_webapi_gap){shape->tail, to - shape->tail, token};
    shape->tail = to + value->len + 2 * quote;
    return 0;
}

int tg_webapi_shape_learn(struct tg_webapi_shape *shape, const char *text, size_t len)
{
    shape->known = false;
    shape->columns = NULL;
    shape->count = shape->tail = 0;
    tg_buf_clear(&shape->model);
    tg_buf_add(&shape->model, text, len);
    if (shape->model.failed) return -TG_ENOMEM;
    const char *model = shape->model.data ? shape->model.data : "";
    int rc = tg_json_parse(&shape->json, model, len, NULL);
    if (rc) return rc;
    const struct tg_json_token *tokens = shape->json.tokens;
    if (tokens->type != TG_JSON_OBJECT) return -TG_EINVAL;
    for (uint32_t key = 1, n = 0; n < tokens->count; n++) {
        const struct tg_json_token *value = &tokens[key + 1];
        bool holds = value->type == TG_JSON_ARRAY || value->type == TG_JSON_OBJECT;
        if (!holds && add_gap(shape, model, key + 1)) return -TG_ENOMEM;
        key = value->next;
    }
    shape->known = true;
    return 0;
}
