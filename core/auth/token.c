/* What stands between a stranger's bytes and libjwt. libjwt 1.10.2 copies a token onto the stack
 * whatever its size, takes lenient base64 and any header, ignores `crit`, and lets the header
 * choose the algorithm; so nothing is given to it that was not found well-formed here. The payload
 * is only decoded: its JSON is nobody's business until the signature is good.
 *
 * `typ` is held to "JWT" although RFC 9068 names "at+jwt" too: libjwt refuses that one as if the
 * signature were wrong, so it is refused here with its true reason. */
#include "auth/token.h"

#include "auth/base64url.h"
#include "auth/object.h"

#include <string.h>

struct part {
    const char *text;
    size_t len;
};

enum { HEADER, CLAIMS, SIGNATURE, PARTS };

static int split(const char *text, size_t len, struct part parts[PARTS], struct tg_err *err)
{
    const char *at = text, *end = text + len;
    for (int i = 0; i < PARTS; i++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if (!dot != (i == SIGNATURE))
            return tg_fail(err, TG_EINVAL, "the token is not three parts");
        if (!dot) dot = end;
        if (dot == at) return tg_fail(err, TG_EINVAL, "a part of the token is empty");
        parts[i] = (struct part){at, (size_t)(dot - at)};
        at = dot + 1;
    }
    return 0;
}

static int decode(struct tg_buf *out, struct part part, const char *what, struct tg_err *err)
{
    int rc = tg_base64url_read(out, part.text, part.len);
    if (rc == -TG_EINVAL) return tg_fail(err, TG_EINVAL, "the %s is not canonical base64url", what);
    return rc ? tg_fail(err, TG_ENOMEM, "out of memory") : 0;
}

static int read_typ(const struct tg_json_token *typ, struct tg_err *err)
{
    char text[4] = {0};
    if (typ->type == TG_JSON_STRING && !typ->escaped && typ->len == 3) memcpy(text, typ->text, 3);
    return strcasecmp(text, "JWT") ? tg_fail(err, TG_EINVAL, "the token's typ is not JWT") : 0;
}

static int read_kid(struct tg_token *out, const struct tg_json_token *kid, struct tg_err *err)
{
    if (kid->type == TG_JSON_STRING && kid->len) tg_json_unescape(&out->kid, kid);
    if (out->kid.failed) return tg_fail(err, TG_ENOMEM, "out of memory");
    if (!out->kid.len || out->kid.len > TG_KID_MAX)
        return tg_fail(err, TG_EINVAL, "the token's kid is not a string of 1 to %d bytes",
                       TG_KID_MAX);
    return 0;
}

static int read_header(struct tg_token *out, const struct tg_json *json, struct tg_err *err)
{
    uint32_t alg = tg_json_get(json, 0, "alg"), typ = tg_json_get(json, 0, "typ");
    uint32_t kid = tg_json_get(json, 0, "kid");
    int rc = 0;
    if (tg_json_get(json, 0, "crit"))
        return tg_fail(err, TG_EINVAL, "the token demands an extension (crit)");
    if (alg) out->algorithm = tg_algorithm_of(&json->tokens[alg]);
    if (!out->algorithm) return tg_fail(err, TG_EINVAL, "the token's algorithm is not allowed");
    if (typ) rc = read_typ(&json->tokens[typ], err);
    if (!rc && kid) rc = read_kid(out, &json->tokens[kid], err);
    return rc;
}

static int parse_header(struct tg_token *out, const struct tg_buf *header, struct tg_err *err)
{
    struct tg_json json = {0};
    struct tg_err why = {0};
    int rc = tg_object_parse(&json, header->data, header->len, &why);
    if (rc)
        rc = tg_fail(err, -rc, "the token's header is no good: %s", why.text);
    else
        rc = read_header(out, &json, err);
    tg_json_fini(&json);
    return rc;
}

int tg_token_read(struct tg_token *out, const char *text, size_t len, size_t max,
                  struct tg_err *err)
{
    struct tg_token token = {0};
    struct tg_buf header = {0};
    struct part parts[PARTS];
    if (len > max) return tg_fail(err, TG_EINVAL, "the token is longer than %zu bytes", max);
    int rc = split(text, len, parts, err);
    if (!rc) rc = decode(&header, parts[HEADER], "header", err);
    if (!rc) rc = decode(&token.claims, parts[CLAIMS], "payload", err);
    if (!rc) rc = decode(&token.signature, parts[SIGNATURE], "signature", err);
    if (!rc) rc = parse_header(&token, &header, err);
    if (!rc && token.signature.len != token.algorithm->hash_bytes)
        rc = tg_fail(err, TG_EINVAL, "the signature is not of its algorithm's length");
    if (!rc) tg_buf_add(&token.text, text, len);
    if (!rc) token.signed_len = (size_t)(parts[SIGNATURE].text - text) - 1;
    if (token.text.failed) rc = tg_fail(err, TG_ENOMEM, "out of memory");
    tg_buf_fini(&header);
    if (rc)
        tg_token_fini(&token);
    else
        *out = token;
    return rc;
}

void tg_token_fini(struct tg_token *token)
{
    tg_buf_fini(&token->text);
    tg_buf_fini(&token->claims);
    tg_buf_fini(&token->signature);
    tg_buf_fini(&token->kid);
}
