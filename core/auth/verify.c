/* The order is the defence: length, shape and header cost little and need no trust; then the
 * signature; and only then is anything that the sender wrote about himself read. What is true of
 * the token whenever (issuer, audience) is checked before what is true of it now, so that "expired"
 * means: fetch a new one and it will do. */
#include "auth/policy.h"

#include <string.h>

static enum tg_auth_result refusal(int rc)
{
    return rc == -TG_ENOMEM ? TG_AUTH_UNAVAILABLE : TG_AUTH_FAILED;
}

/* `claims` gives its subject, and the token its payload, to the identity. */
static void take_identity(struct tg_identity *out, struct tg_claims *claims, struct tg_token *token)
{
    size_t len = token->claims.len;
    *out = (struct tg_identity){
        .subject = claims->subject,
        .claims = tg_buf_take(&token->claims),
        .claims_len = len,
        .expires_ms = claims->expires_ms,
        .accepted_until_ms = claims->until_ms,
    };
    claims->subject = NULL;
}

enum tg_auth_result tg_policy_verify(const struct tg_policy *policy, int64_t now_ms,
                                     const char *text, size_t len, struct tg_identity *out,
                                     int64_t *from_ms, struct tg_err *err)
{
    struct tg_token token = {0};
    struct tg_claims claims = {0};
    int rc = tg_token_read(&token, text, len, policy->token_bytes, err);
    if (!rc) rc = tg_keyring_verify(&policy->keys, &token, err);
    if (!rc) rc = tg_claims_read(&claims, token.claims.data, token.claims.len, &policy->rules, err);
    enum tg_auth_result result =
        rc ? refusal(rc) : tg_claims_now(claims.from_ms, claims.until_ms, now_ms, err);
    if (result == TG_AUTH_OK) {
        take_identity(out, &claims, &token);
        *from_ms = claims.from_ms;
    }
    free(claims.subject);
    tg_token_fini(&token);
    return result;
}
