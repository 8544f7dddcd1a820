/* Works on the messages' own text, because the text is what was decided: a rule chose the decimals
 * and the exact digits of a ticket, and a detour through doubles would choose again. Only `diff` is
 * computed, from the digits of `old` and `new` as integers.
 *
 * The result is right only if the client has neither of the two messages and no snapshot in
 * between: a field that returned to its first value disappears, which is the truth for who saw
 * neither and a lie for who saw the first. The outbox guards that. */
#include "stream/merge.h"

#include "base/decimal.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"

#include <string.h>

#define EXACT_DIGITS 18 /* decimal digits that always fit an int64_t */

struct decimal {
    int64_t scaled;
    int digits; /* scaled × 10^-digits */
};

/* Reads the text of a number exactly; false when it has more digits than we compute with. */
static bool read_decimal(const struct tg_json_token *token, struct decimal *out)
{
    const char *at = token->text, *end = at + token->len;
    bool minus = at < end && *at == '-', fraction = false;
    int64_t value = 0;
    int digits = 0, count = 0, exponent = 0, sign = 1;
    for (at += minus; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if ((value || *at != '0') && ++count > EXACT_DIGITS) return false;
        value = value * 10 + (*at - '0');
        digits += fraction;
    }
    if (at < end && (at[1] == '-' || at[1] == '+')) sign = *++at == '-' ? -1 : 1;
    for (at++; at < end; at++)
        if ((exponent = exponent * 10 + (*at - '0')) > EXACT_DIGITS) return false;
    digits -= sign * exponent;
    for (; digits < 0; digits++)
        if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (digits > TG_DIGITS_MAX) return false;
    *out = (struct decimal){minus ? -value : value, digits};
    return true;
}

/* Brings both to the same number of decimals. */
static bool align(struct decimal *a, struct decimal *b)
{
    for (; a->digits < b->digits; a->digits++)
        if (__builtin_mul_overflow(a->scaled, 10, &a->scaled)) return false;
    for (; b->digits < a->digits; b->digits++)
        if (__builtin_mul_overflow(b->scaled, 10, &b->scaled)) return false;
    return true;
}

static bool read_pair(const struct tg_json_token *x, const struct tg_json_token *y,
                      struct decimal *a, struct decimal *b)
{
    return x->type == TG_JSON_NUMBER && y->type == TG_JSON_NUMBER && read_decimal(x, a) &&
           read_decimal(y, b) && align(a, b);
}

static bool same(const struct tg_json_token *x, const struct tg_json_token *y)
{
    struct decimal a, b;
    if (read_pair(x, y, &a, &b)) return a.scaled == b.scaled;
    return x->type == y->type && x->len == y->len && !memcmp(x->text, y->text, x->len);
}

/* A value's source text; a string's with its quotes. */
static void put_raw(struct tg_buf *out, const struct tg_json_token *token)
{
    bool quoted = token->type == TG_JSON_STRING;
    tg_json_raw(out, token->text - quoted, token->len + 2 * (size_t)quoted);
}

static void put_member(struct tg_buf *out, const struct tg_json_token *key,
                       const struct tg_json_token *value)
{
    put_raw(out, key);
    tg_buf_putc(out, ':');
    put_raw(out, value);
}

/* Exact when both have at most TG_DIGITS_MAX decimals and fit; else at that many decimals. What has
 * no difference (a null, a text) says null. */
static void put_difference(struct tg_buf *out, const struct tg_json_token *was,
                           const struct tg_json_token *now)
{
    struct decimal a, b;
    char text[TG_DECIMAL_SIZE];
    int64_t difference;
    double from, to;
    if (read_pair(was, now, &a, &b) && !__builtin_sub_overflow(b.scaled, a.scaled, &difference))
        tg_json_raw(out, text, (size_t)tg_decimal_write(text, difference, a.digits));
    else if (was->type == TG_JSON_NUMBER && now->type == TG_JSON_NUMBER &&
             !tg_json_read_double(was, &from) && !tg_json_read_double(now, &to))
        tg_json_decimal(out, to - from, TG_DIGITS_MAX);
    else
        tg_json_raw(out, "null", 4);
}

/* One field that both messages changed. */
static void put_field(struct tg_buf *out, const struct tg_json_token *key, const struct tg_json *a,
                      uint32_t first, const struct tg_json *b, uint32_t last)
{
    uint32_t was = tg_json_get(a, first, "old"), now = tg_json_get(b, last, "new");
    if (!was || !now) {
        put_member(out, key, &b->tokens[last]);
        return;
    }
    if (same(&a->tokens[was], &b->tokens[now])) return;
    put_raw(out, key);
    tg_buf_putc(out, ':');
    tg_json_open(out, '{');
    for (uint32_t i = last + 1; i < b->tokens[last].next; i = b->tokens[i + 1].next) {
        const struct tg_json_token *name = &b->tokens[i], *value = &b->tokens[i + 1];
        if (tg_json_is(name, "diff")) {
            put_raw(out, name);
            tg_buf_putc(out, ':');
            put_difference(out, &a->tokens[was], &b->tokens[now]);
        } else {
            put_member(out, name, tg_json_is(name, "old") ? &a->tokens[was] : value);
        }
    }
    tg_json_close(out, '}');
}

/* The fields of the first in its order, then those that only the last has. A map, because a rule
 * may send thousands of fields and a slow client must not cost a search in each for each. */
static int put_changes(struct tg_buf *out, const struct tg_json *a, uint32_t first,
                       const struct tg_json *b, uint32_t last)
{
    struct tg_map fields = {0};
    int rc = 0;
    for (uint32_t i = last + 1; !rc && i < b->tokens[last].next; i = b->tokens[i + 1].next)
        rc = tg_map_put(&fields, b->tokens[i].text, b->tokens[i].len, &b->tokens[i + 1], NULL);
    if (rc) goto done;
    tg_json_open(out, '{');
    for (uint32_t i = first + 1; i < a->tokens[first].next; i = a->tokens[i + 1].next) {
        const struct tg_json_token *key = &a->tokens[i];
        const struct tg_json_token *newer = tg_map_remove(&fields, key->text, key->len);
        if (newer)
            put_field(out, key, a, i + 1, b, (uint32_t)(newer - b->tokens));
        else
            put_member(out, key, &a->tokens[i + 1]);
    }
    for (uint32_t i = last + 1; i < b->tokens[last].next; i = b->tokens[i + 1].next)
        if (tg_map_get(&fields, b->tokens[i].text, b->tokens[i].len))
            put_member(out, &b->tokens[i], &b->tokens[i + 1]);
    tg_json_close(out, '}');
done:
    tg_map_fini(&fields);
    return rc;
}

/* The index of the `changes` object, or 0. */
static uint32_t changes_of(const struct tg_json *json, const char *payload)
{
    uint32_t within = *payload ? tg_json_get(json, 0, payload) : 0;
    uint32_t changes = *payload && !within ? 0 : tg_json_get(json, within, "changes");
    return changes && json->tokens[changes].type == TG_JSON_OBJECT ? changes : 0;
}

int tg_merge(struct tg_buf *out, const char *first, size_t first_len, const char *last,
             size_t last_len, const char *payload)
{
    struct tg_json a = {0}, b = {0};
    int rc = tg_json_parse(&a, first, first_len, NULL);
    if (!rc) rc = tg_json_parse(&b, last, last_len, NULL);
    if (rc) goto done;
    uint32_t earlier = changes_of(&a, payload), later = changes_of(&b, payload);
    if (!earlier || !later) {
        tg_buf_add(out, last, last_len);
    } else {
        const struct tg_json_token *changes = &b.tokens[later];
        const char *rest = changes->text + changes->len;
        tg_buf_add(out, last, (size_t)(changes->text - last));
        rc = put_changes(out, &a, earlier, &b, later);
        tg_buf_add(out, rest, (size_t)(last + last_len - rest));
    }
    if (!rc && out->failed) rc = -TG_ENOMEM;
done:
    tg_json_fini(&a);
    tg_json_fini(&b);
    return rc;
}
