/* One configuration of who may: keys, rules for claims, ownership, limits. */
#pragma once

#include "auth/claims.h"
#include "auth/key.h"
#include "auth/ownership.h"

struct tg_policy {
    struct tg_keyring keys;
    struct tg_claim_rules rules;
    struct tg_ownership *ownership;
    size_t token_bytes, cache_tokens;
};

/* Checks and copies the options, reads the ownership file. Errors as of tg_auth_new. */
int tg_policy_init(struct tg_policy *out, const struct tg_auth_options *options,
                   struct tg_err *err);
void tg_policy_fini(struct tg_policy *policy);

/* Judges a token in full. TG_AUTH_OK fills `*out` and the moment from which it counts; both are
 * untouched otherwise. */
enum tg_auth_result tg_policy_verify(const struct tg_policy *policy, int64_t now_ms,
                                     const char *token, size_t len, struct tg_identity *out,
                                     int64_t *from_ms, struct tg_err *err);

/* Signs a token; see tg_auth_mint. */
int tg_policy_mint(const struct tg_policy *policy, int64_t now_ms, const char *subject,
                   const char *claims_json, int ttl_seconds, char **out, struct tg_err *err);
