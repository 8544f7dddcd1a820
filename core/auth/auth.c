/* The front door: the clock, the configuration in force and what was verified under it. */
#include "auth/auth.h"

#include "auth/cache.h"
#include "auth/policy.h"

struct tg_auth {
    const struct tg_clock *clock;
    struct tg_policy policy;
    struct tg_token_cache cache;
};

int tg_auth_new(const struct tg_auth_options *options, const struct tg_clock *clock,
                struct tg_auth **out, struct tg_err *err)
{
    struct tg_auth *auth = calloc(1, sizeof *auth);
    if (!auth) return tg_fail(err, TG_ENOMEM, "auth: out of memory");
    int rc = tg_policy_init(&auth->policy, options, err);
    if (rc) {
        free(auth);
        return rc;
    }
    auth->clock = clock;
    tg_token_cache_init(&auth->cache, auth->policy.cache_tokens);
    *out = auth;
    return 0;
}

int tg_auth_reload(struct tg_auth *auth, const struct tg_auth_options *options, struct tg_err *err)
{
    struct tg_policy next;
    int rc = tg_policy_init(&next, options, err);
    if (rc) return rc;
    tg_policy_fini(&auth->policy);
    auth->policy = next;
    tg_token_cache_reset(&auth->cache, next.cache_tokens);
    return 0;
}

void tg_auth_free(struct tg_auth *auth)
{
    if (!auth) return;
    tg_token_cache_fini(&auth->cache);
    tg_policy_fini(&auth->policy);
    free(auth);
}

enum tg_auth_result tg_auth_verify(struct tg_auth *auth, const char *token, size_t len,
                                   struct tg_identity *out, struct tg_err *err)
{
    unsigned char key[TG_CACHE_KEY_SIZE];
    int64_t now_ms = tg_wall_ms(auth->clock), from_ms;
    if (!token || !len) {
        (void)tg_fail(err, TG_EAUTH, "there is no token");
        return TG_AUTH_MISSING;
    }
    bool cached = auth->policy.cache_tokens && len <= auth->policy.token_bytes;
    if (cached) {
        cached = !tg_token_cache_key(key, token, len);
        if (cached && !tg_token_cache_get(&auth->cache, key, now_ms, out)) return TG_AUTH_OK;
    }
    enum tg_auth_result result =
        tg_policy_verify(&auth->policy, now_ms, token, len, out, &from_ms, err);
    if (cached && result == TG_AUTH_OK) tg_token_cache_put(&auth->cache, key, out, from_ms);
    return result;
}

enum tg_auth_result tg_auth_owns(struct tg_auth *auth, const struct tg_identity *identity,
                                 const char *account_id)
{
    return tg_ownership_check(auth->policy.ownership, identity, account_id);
}

int tg_auth_refresh(struct tg_auth *auth, struct tg_err *err)
{
    return tg_ownership_refresh(auth->policy.ownership, err);
}

int tg_auth_mint(struct tg_auth *auth, const char *subject, const char *claims_json,
                 int ttl_seconds, char **out, struct tg_err *err)
{
    return tg_policy_mint(&auth->policy, tg_wall_ms(auth->clock), subject, claims_json, ttl_seconds,
                          out, err);
}
