/* libjwt reads claims leniently (a string or a fraction as a date becomes 0, which every clock has
 * passed), so they are read here, from the very bytes that were signed. Every time is an integer of
 * milliseconds before it is compared: with a NaN or an infinity in play any comparison may be
 * false, and "not expired" is what a false comparison would say. */
#include "auth/claims.h"

#include "auth/object.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

/* The last second of the year 9999. Milliseconds given where seconds belong land beyond it. */
#define LAST_SECOND 253402300799.0

static bool prints(unsigned point)
{
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return false;
    if (point >= 0x2028 && point <= 0x202e) return false; /* separators, direction overrides */
    if (point >= 0x2066 && point <= 0x2069) return false; /* direction isolates */
    return point != 0x200e && point != 0x200f && point != 0xfeff;
}

bool tg_subject_valid(const char *text, size_t len)
{
    if (!len || len > TG_SUBJECT_MAX || !tg_utf8_valid(text, len)) return false;
    const unsigned char *at = (const unsigned char *)text, *end = at + len;
    while (at < end) {
        int more = *at < 0xc0 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        unsigned point = more ? *at & (0x3fu >> more) : *at;
        for (at++; more--; at++)
            point = point << 6 | (*at & 0x3f);
        if (!prints(point)) return false;
    }
    return true;
}

/* Reads a date when it is there. */
static int read_date(const struct tg_json *json, const char *name, bool *there, int64_t *out_ms,
                     struct tg_err *err)
{
    double seconds;
    uint32_t at = tg_json_get(json, 0, name);
    *there = at != 0;
    if (!at) return 0;
    if (json->tokens[at].type != TG_JSON_NUMBER ||
        tg_json_read_double(&json->tokens[at], &seconds) ||
        !(seconds >= 0 && seconds <= LAST_SECOND))
        return tg_fail(err, TG_EINVAL, "%s is not a time in seconds", name);
    *out_ms = (int64_t)floor(seconds) * 1000;
    return 0;
}

static int read_dates(struct tg_claims *out, const struct tg_json *json, int leeway_seconds,
                      struct tg_err *err)
{
    int64_t exp = 0, nbf = 0, iat = 0, leeway = (int64_t)leeway_seconds * 1000;
    bool has_exp, has_nbf, has_iat;
    int rc = read_date(json, "exp", &has_exp, &exp, err);
    if (!rc && !has_exp) rc = tg_fail(err, TG_EINVAL, "the token never expires (no exp)");
    if (!rc) rc = read_date(json, "nbf", &has_nbf, &nbf, err);
    if (!rc) rc = read_date(json, "iat", &has_iat, &iat, err);
    if (rc) return rc;
    int64_t from = INT64_MIN;
    if (has_nbf) from = nbf - leeway;
    if (has_iat && iat - leeway > from) from = iat - leeway;
    out->expires_ms = exp;
    out->from_ms = from;
    out->until_ms = exp + leeway;
    return 0;
}

static int check_issuer(const struct tg_json *json, const char *issuer, struct tg_err *err)
{
    uint32_t at = tg_json_get(json, 0, "iss");
    if (at && json->tokens[at].type != TG_JSON_STRING)
        return tg_fail(err, TG_EINVAL, "iss is not a string");
    if (issuer && (!at || !tg_json_is(&json->tokens[at], issuer)))
        return tg_fail(err, TG_EINVAL, "the token is not of the configured issuer");
    return 0;
}

static int check_audience(const struct tg_json *json, const char *audience, struct tg_err *err)
{
    uint32_t at = tg_json_get(json, 0, "aud"), i = at, end = at;
    bool meant = false;
    if (at) {
        if (json->tokens[at].type == TG_JSON_ARRAY) i++;
        end = json->tokens[at].next;
    }
    for (; i < end; i = json->tokens[i].next) {
        if (json->tokens[i].type != TG_JSON_STRING)
            return tg_fail(err, TG_EINVAL, "aud is not a string or a list of strings");
        if (audience && tg_json_is(&json->tokens[i], audience)) meant = true;
    }
    if (audience && !meant)
        return tg_fail(err, TG_EINVAL, "the token is not for the configured audience");
    return 0;
}

static int read_subject(const struct tg_json *json, char **out, struct tg_err *err)
{
    struct tg_buf subject = {0};
    uint32_t at = tg_json_get(json, 0, "sub");
    if (at && json->tokens[at].type == TG_JSON_STRING && json->tokens[at].len)
        tg_json_unescape(&subject, &json->tokens[at]);
    if (subject.failed) return tg_fail(err, TG_ENOMEM, "out of memory");
    if (!subject.data || !tg_subject_valid(subject.data, subject.len)) {
        tg_buf_fini(&subject);
        return tg_fail(err, TG_EINVAL, "sub is not a printable string of 1 to %d bytes",
                       TG_SUBJECT_MAX);
    }
    *out = tg_buf_take(&subject);
    return 0;
}

int tg_claims_read(struct tg_claims *out, const char *text, size_t len,
                   const struct tg_claim_rules *rules, struct tg_err *err)
{
    struct tg_json json = {0};
    struct tg_claims claims = {0};
    struct tg_err why = {0};
    int rc = tg_object_parse(&json, text, len, &why);
    if (rc) rc = tg_fail(err, -rc, "the token's claims are no good: %s", why.text);
    if (!rc) rc = check_issuer(&json, rules->issuer, err);
    if (!rc) rc = check_audience(&json, rules->audience, err);
    if (!rc) rc = read_dates(&claims, &json, rules->leeway_seconds, err);
    if (!rc) rc = read_subject(&json, &claims.subject, err);
    tg_json_fini(&json);
    if (!rc) *out = claims;
    return rc;
}

enum tg_auth_result tg_claims_now(int64_t from_ms, int64_t until_ms, int64_t now_ms,
                                  struct tg_err *err)
{
    if (now_ms < from_ms) {
        (void)tg_fail(err, TG_EAUTH, "the token is not valid yet (nbf or iat)");
        return TG_AUTH_FAILED;
    }
    if (now_ms >= until_ms) {
        (void)tg_fail(err, TG_EAUTH, "the token has expired");
        return TG_AUTH_EXPIRED;
    }
    return TG_AUTH_OK;
}
