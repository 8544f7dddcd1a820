/* JSON on the per-second path: a strict reader that keeps the source's own digits, and a writer. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_json_type {
    TG_JSON_NULL,
    TG_JSON_FALSE,
    TG_JSON_TRUE,
    TG_JSON_NUMBER,
    TG_JSON_STRING,
    TG_JSON_ARRAY,
    TG_JSON_OBJECT,
};

/* A value. `text`/`len` is its source text; for a string, what stands between the quotes, escapes
 * and all (`escaped` says whether there are any). Children follow their parent directly; `next` is
 * the index of the value after this one and all its children. In an object the children alternate
 * key, value. */
struct tg_json_token {
    const char *text;
    uint32_t len;
    uint32_t next;
    uint32_t count; /* elements of an array, members of an object */
    uint8_t type;
    bool escaped;
};

/* A parsed document. Zero-initialise; tokens are reused from parse to parse. The text is borrowed
 * and must outlive the use of the tokens. */
struct tg_json {
    struct tg_json_token *tokens;
    uint32_t count, cap;
};

#define TG_JSON_DEPTH 64

/* Parses RFC 8259 strictly: one value and blanks around it, UTF-8 checked, no control bytes in
 * strings, no leading zeros, at most TG_JSON_DEPTH levels, unpaired surrogate escapes refused. 0,
 * -TG_EINVAL (with position and reason in `err`) or -TG_ENOMEM. Index 0 is the root. */
int tg_json_parse(struct tg_json *json, const char *text, size_t len, struct tg_err *err);

void tg_json_fini(struct tg_json *json);

/* The index of an object's member by its (unescaped, case-sensitive) name; the last one wins. 0
 * when there is none or `object` is not an object (0 is the root, so it is never a member). */
uint32_t tg_json_get(const struct tg_json *json, uint32_t object, const char *name);

/* Whether the token is a string equal to `text`, escapes resolved. */
bool tg_json_is(const struct tg_json_token *token, const char *text);

/* Appends a string token's characters, escapes resolved, as UTF-8. */
void tg_json_unescape(struct tg_buf *out, const struct tg_json_token *token);

/* Numbers, also when the source wrapped them in a string ("26000.00"). 0, or -TG_EINVAL with `*out`
 * untouched: not a number, an integer with a fraction, out of range, not finite. */
int tg_json_read_double(const struct tg_json_token *token, double *out);
int tg_json_read_i64(const struct tg_json_token *token, int64_t *out);
int tg_json_read_u64(const struct tg_json_token *token, uint64_t *out);

/* The writer appends to a buffer and needs no state: a comma is put when the last byte is neither
 * an opening bracket nor a colon nor the start. */
void tg_json_open(struct tg_buf *out, char bracket);  /* '{' or '[' */
void tg_json_close(struct tg_buf *out, char bracket); /* '}' or ']' */
void tg_json_key(struct tg_buf *out, const char *name);
void tg_json_string(struct tg_buf *out, const char *text, size_t len); /* bad UTF-8 → U+FFFD */
void tg_json_text(struct tg_buf *out, const char *text); /* a C string; NULL → null */
void tg_json_i64(struct tg_buf *out, int64_t value);
void tg_json_u64(struct tg_buf *out, uint64_t value);
void tg_json_decimal(struct tg_buf *out, double value, int digits); /* NaN, infinite → null */
void tg_json_double(struct tg_buf *out, double value); /* shortest digits that read back the same */
void tg_json_bool(struct tg_buf *out, bool value);
void tg_json_raw(struct tg_buf *out, const char *json, size_t len); /* trusted JSON text */

/* A member of an object: its name and its value. */
void tg_json_member_text(struct tg_buf *out, const char *name, const char *text);
void tg_json_member_i64(struct tg_buf *out, const char *name, int64_t value);
void tg_json_member_u64(struct tg_buf *out, const char *name, uint64_t value);
void tg_json_member_bool(struct tg_buf *out, const char *name, bool value);
void tg_json_member_time(struct tg_buf *out, const char *name, int64_t wall_ms); /* ISO 8601 */
