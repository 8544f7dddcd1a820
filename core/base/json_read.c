/* A flat token array over the source text. Nothing is copied and no number is converted until
 * somebody asks, so a ticket of 19 digits and a price of "1.08500" leave exactly as they came. */
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct reader {
    struct tg_json *json;
    const char *text, *at, *end;
    struct tg_err *err;
};

static int fail(struct reader *r, const char *why)
{
    return tg_fail(r->err, TG_EINVAL, "JSON: %s at byte %zu", why, (size_t)(r->at - r->text));
}

static void blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static int push(struct reader *r, enum tg_json_type type, const char *text)
{
    struct tg_json *json = r->json;
    if (json->count == json->cap) {
        uint32_t cap = json->cap ? json->cap * 2 : 64;
        struct tg_json_token *tokens = realloc(json->tokens, cap * sizeof *tokens);
        if (!tokens) return tg_fail(r->err, TG_ENOMEM, "JSON: out of memory");
        json->tokens = tokens;
        json->cap = cap;
    }
    json->tokens[json->count++] = (struct tg_json_token){.type = (uint8_t)type, .text = text};
    return 0;
}

/* Closes the newest token, a scalar. */
static void seal(struct reader *r, const char *text, const char *end, bool escaped)
{
    struct tg_json_token *token = &r->json->tokens[r->json->count - 1];
    token->text = text;
    token->len = (uint32_t)(end - text);
    token->next = r->json->count;
    token->escaped = escaped;
}

static int hex4(const char *at, const char *end, unsigned *out)
{
    unsigned value = 0;
    if (end - at < 4) return -TG_EINVAL;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit > 15) return -TG_EINVAL;
        value = value * 16 + digit;
    }
    *out = value;
    return 0;
}

/* Reads the escape behind a backslash at `at`; gives its code point and length (without the
 * backslash), or 0. */
static size_t escape(const char *at, const char *end, unsigned *point)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned low;
    if (at >= end || !*at) return 0;
    if (*at != 'u') {
        const char *hit = strchr(from, *at);
        if (!hit) return 0;
        *point = (unsigned char)to[hit - from];
        return 1;
    }
    if (hex4(at + 1, end, point) || (*point >= 0xdc00 && *point <= 0xdfff)) return 0;
    if (*point < 0xd800 || *point > 0xdbff) return 5;
    if (end - at < 11 || at[5] != '\\' || at[6] != 'u' || hex4(at + 7, end, &low)) return 0;
    if (low < 0xdc00 || low > 0xdfff) return 0;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return 11;
}

static int read_string(struct reader *r)
{
    const char *start = ++r->at;
    bool escaped = false, high = false;
    int rc = push(r, TG_JSON_STRING, start);
    if (rc) return rc;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        if (c < 0x20) return fail(r, "control byte in a string");
        high |= c >= 0x80;
        if (c == '\\') {
            unsigned point;
            size_t n = escape(r->at + 1, r->end, &point);
            if (!n) return fail(r, "bad escape");
            escaped = true;
            r->at += n;
        }
    }
    if (r->at >= r->end) return fail(r, "string without an end");
    if (high && !tg_utf8_valid(start, (size_t)(r->at - start))) return fail(r, "not UTF-8");
    seal(r, start, r->at++, escaped);
    return 0;
}

static bool skip_digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start;
}

static int read_number(struct reader *r)
{
    const char *start = r->at;
    int rc = push(r, TG_JSON_NUMBER, start);
    if (rc) return rc;
    if (*r->at == '-') r->at++;
    if (r->at < r->end && *r->at == '0')
        r->at++;
    else if (!skip_digits(r))
        return fail(r, "unexpected byte");
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!skip_digits(r)) return fail(r, "digit expected");
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!skip_digits(r)) return fail(r, "digit expected");
    }
    seal(r, start, r->at, false);
    return 0;
}

static int read_word(struct reader *r, const char *word, enum tg_json_type type)
{
    size_t len = strlen(word);
    const char *start = r->at;
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return fail(r, "unexpected byte");
    int rc = push(r, type, start);
    if (rc) return rc;
    r->at += len;
    seal(r, start, r->at, false);
    return 0;
}

static int read_scalar(struct reader *r)
{
    if (r->at >= r->end) return fail(r, "ends too early");
    switch (*r->at) {
    case '"': return read_string(r);
    case 't': return read_word(r, "true", TG_JSON_TRUE);
    case 'f': return read_word(r, "false", TG_JSON_FALSE);
    case 'n': return read_word(r, "null", TG_JSON_NULL);
    default: return read_number(r);
    }
}

static int read_key(struct reader *r)
{
    blanks(r);
    if (r->at >= r->end || *r->at != '"') return fail(r, "member name expected");
    int rc = read_string(r);
    if (rc) return rc;
    blanks(r);
    if (r->at >= r->end || *r->at != ':') return fail(r, "colon expected");
    r->at++;
    return 0;
}

/* The containers that are open are kept in `open`, so depth is bounded and nothing recurses. */
static int read_tree(struct reader *r)
{
    uint32_t open[TG_JSON_DEPTH];
    int depth = 0, rc;
    for (;;) {
        blanks(r);
        if (r->at < r->end && (*r->at == '{' || *r->at == '[')) {
            if (depth == TG_JSON_DEPTH) return fail(r, "nested too deep");
            bool object = *r->at == '{';
            open[depth++] = r->json->count;
            if ((rc = push(r, object ? TG_JSON_OBJECT : TG_JSON_ARRAY, r->at++))) return rc;
            blanks(r);
            if (r->at >= r->end || *r->at != (object ? '}' : ']')) {
                if (object && (rc = read_key(r))) return rc;
                continue;
            }
        } else {
            if ((rc = read_scalar(r))) return rc;
            if (depth) r->json->tokens[open[depth - 1]].count++;
        }
        for (;;) { /* after a value, or before the bracket that ends an empty container */
            if (!depth) return 0;
            struct tg_json_token *top = &r->json->tokens[open[depth - 1]];
            bool object = top->type == TG_JSON_OBJECT;
            blanks(r);
            if (r->at < r->end && *r->at == ',') {
                r->at++;
                if (object && (rc = read_key(r))) return rc;
                break;
            }
            if (r->at >= r->end || *r->at != (object ? '}' : ']'))
                return fail(r, object ? "',' or '}' expected" : "',' or ']' expected");
            top->len = (uint32_t)(++r->at - top->text);
            top->next = r->json->count;
            if (--depth) r->json->tokens[open[depth - 1]].count++;
        }
    }
}

int tg_json_parse(struct tg_json *json, const char *text, size_t len, struct tg_err *err)
{
    struct reader r = {json, text, text, text + len, err};
    json->count = 0;
    if (len >= UINT32_MAX) return fail(&r, "document too large");
    int rc = read_tree(&r);
    if (rc) return rc;
    blanks(&r);
    return r.at == r.end ? 0 : fail(&r, "something follows the document");
}

void tg_json_fini(struct tg_json *json)
{
    free(json->tokens);
    *json = (struct tg_json){0};
}

bool tg_json_is(const struct tg_json_token *token, const char *text)
{
    size_t len = strlen(text);
    if (token->type != TG_JSON_STRING) return false;
    if (!token->escaped) return token->len == len && !memcmp(token->text, text, len);
    struct tg_buf plain = {0};
    tg_json_unescape(&plain, token);
    bool same = plain.len == len && (!len || !memcmp(plain.data, text, len));
    tg_buf_fini(&plain);
    return same;
}

uint32_t tg_json_get(const struct tg_json *json, uint32_t object, const char *name)
{
    uint32_t found = 0;
    if (object >= json->count || json->tokens[object].type != TG_JSON_OBJECT) return 0;
    for (uint32_t key = object + 1; key < json->tokens[object].next;) {
        uint32_t value = key + 1;
        if (tg_json_is(&json->tokens[key], name)) found = value;
        key = json->tokens[value].next;
    }
    return found;
}

static void put_point(struct tg_buf *out, unsigned p)
{
    char s[4];
    size_t n = p < 0x80 ? 1 : p < 0x800 ? 2 : p < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; p >>= 6)
        s[i] = (char)(0x80 | (p & 0x3f));
    s[0] = (char)(lead[n] | p);
    tg_buf_add(out, s, n);
}

void tg_json_unescape(struct tg_buf *out, const struct tg_json_token *token)
{
    const char *at = token->text, *end = at + token->len;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        unsigned point = 0;
        tg_buf_add(out, at, (size_t)((slash ? slash : end) - at));
        if (!slash) break;
        at = slash + 1 + escape(slash + 1, end, &point);
        put_point(out, point);
    }
}

static bool numeric(const struct tg_json_token *token)
{
    return token->type == TG_JSON_NUMBER ||
           (token->type == TG_JSON_STRING && token->len && !token->escaped);
}

int tg_json_read_double(const struct tg_json_token *token, double *out)
{
    char text[64], *end;
    if (!numeric(token) || token->len >= sizeof text) return -TG_EINVAL;
    memcpy(text, token->text, token->len);
    text[token->len] = '\0';
    if (strspn(text, "+-.eE0123456789") != token->len) return -TG_EINVAL;
    double value = strtod(text, &end);
    if (*end || !isfinite(value)) return -TG_EINVAL;
    *out = value;
    return 0;
}

/* An integer written with an all-zero fraction ("26000.00") counts as an integer. */
static size_t integer_len(const struct tg_json_token *token)
{
    const char *dot = memchr(token->text, '.', token->len);
    if (!dot) return token->len;
    for (const char *at = dot + 1; at < token->text + token->len; at++)
        if (*at != '0') return 0;
    return (size_t)(dot - token->text);
}

int tg_json_read_i64(const struct tg_json_token *token, int64_t *out)
{
    if (!numeric(token)) return -TG_EINVAL;
    return tg_read_i64(token->text, integer_len(token), out);
}

int tg_json_read_u64(const struct tg_json_token *token, uint64_t *out)
{
    if (!numeric(token)) return -TG_EINVAL;
    return tg_read_u64(token->text, integer_len(token), out);
}
