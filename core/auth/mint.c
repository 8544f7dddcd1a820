/* For the command line, the quick start and tests; the gateway never signs for anybody else. The
 * claims are held to the limits that tokens are held to, also because libjwt encodes on the stack.
 * libjwt's encoder does not survive a lack of memory, so this is not for a running gateway. */
#include "auth/object.h"
#include "auth/policy.h"

#include <errno.h>
#include <jwt.h>
#include <string.h>

/* Refuses claims that are not an object or that name what the gateway sets. */
static int check_claims(const char *text, size_t max, struct tg_err *err)
{
    static const char *const ours[] = {"sub", "iat", "exp"};
    if (strlen(text) > max) return tg_fail(err, TG_ELIMIT, "the claims exceed %zu bytes", max);
    struct tg_json json = {0};
    struct tg_err why = {0};
    int rc = tg_object_parse(&json, text, strlen(text), &why);
    if (rc) rc = tg_fail(err, -rc, "the claims are no good: %s", why.text);
    for (size_t i = 0; !rc && i < sizeof ours / sizeof *ours; i++)
        if (tg_json_get(&json, 0, ours[i]))
            rc = tg_fail(err, TG_EINVAL, "the claims must not name %s", ours[i]);
    tg_json_fini(&json);
    return rc;
}

/* Adds a claim unless the caller's claims have it. An errno value. */
static int add_default(jwt_t *jwt, const char *name, const char *value)
{
    int failed = value ? jwt_add_grant(jwt, name, value) : 0;
    return failed == EEXIST ? 0 : failed;
}

static int fill(jwt_t *jwt, const struct tg_policy *policy, int64_t now_s, const char *subject,
                const char *claims_json, int ttl_seconds)
{
    const struct tg_key *key = &policy->keys.keys[0];
    int failed = jwt_set_alg(jwt, (jwt_alg_t)key->algorithm->jwt_alg, key->secret, key->secret_len);
    if (!failed && key->kid) failed = jwt_add_header(jwt, "kid", key->kid);
    if (!failed && claims_json) failed = jwt_add_grants_json(jwt, claims_json);
    if (!failed) failed = jwt_add_grant(jwt, "sub", subject);
    if (!failed) failed = jwt_add_grant_int(jwt, "iat", now_s);
    if (!failed) failed = jwt_add_grant_int(jwt, "exp", now_s + ttl_seconds);
    if (!failed) failed = add_default(jwt, "iss", policy->rules.issuer);
    if (!failed) failed = add_default(jwt, "aud", policy->rules.audience);
    return failed;
}

int tg_policy_mint(const struct tg_policy *policy, int64_t now_ms, const char *subject,
                   const char *claims_json, int ttl_seconds, char **out, struct tg_err *err)
{
    jwt_t *jwt = NULL;
    int rc;
    if (ttl_seconds <= 0) return tg_fail(err, TG_EINVAL, "the time to live must be positive");
    if (!tg_subject_valid(subject, strlen(subject)))
        return tg_fail(err, TG_EINVAL, "the subject must be 1 to %d printable bytes",
                       TG_SUBJECT_MAX);
    if (claims_json && (rc = check_claims(claims_json, policy->token_bytes, err))) return rc;
    if (jwt_new(&jwt)) return tg_fail(err, TG_ENOMEM, "out of memory");
    int failed = fill(jwt, policy, now_ms / 1000, subject, claims_json, ttl_seconds);
    char *text = failed ? NULL : jwt_encode_str(jwt);
    jwt_free(jwt);
    if (failed == EINVAL)
        return tg_fail(err, TG_EINVAL, "the claims are no good: a number is out of range");
    if (!text) return tg_fail(err, TG_ENOMEM, "out of memory");
    if (strlen(text) > policy->token_bytes) {
        free(text);
        return tg_fail(err, TG_ELIMIT, "the token would be longer than %zu bytes",
                       policy->token_bytes);
    }
    *out = text;
    return 0;
}
