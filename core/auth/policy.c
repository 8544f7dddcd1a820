/* All that a reload replaces is in one struct, so that a reload is an assignment and a bad one
 * leaves no trace. */
#include "auth/policy.h"

#include <string.h>

#define TOKEN_BYTES 8192
#define TOKEN_BYTES_MIN 256
#define TOKEN_BYTES_MAX 65536 /* libjwt keeps a copy on the stack */
#define OWNERSHIP_FILE_BYTES (16u << 20)
#define CACHE_TOKENS 4096
#define LEEWAY_MAX 3600

static int init_limits(struct tg_policy *policy, const struct tg_auth_options *options,
                       struct tg_err *err)
{
    size_t bytes = options->token_bytes ? options->token_bytes : TOKEN_BYTES;
    int cached = options->cache_tokens ? options->cache_tokens : CACHE_TOKENS;
    if (bytes < TOKEN_BYTES_MIN || bytes > TOKEN_BYTES_MAX)
        return tg_fail(err, TG_EINVAL, "auth.token_bytes: must be %d to %d", TOKEN_BYTES_MIN,
                       TOKEN_BYTES_MAX);
    policy->token_bytes = bytes;
    policy->cache_tokens = cached > 0 ? (size_t)cached : 0;
    return 0;
}

/* `*out` is a copy of `text`, or NULL for none. An empty text would match tokens that say nothing.
 */
static int init_name(char **out, const char *text, const char *key, struct tg_err *err)
{
    if (!text) return 0;
    if (!*text) return tg_fail(err, TG_EINVAL, "%s: must not be empty", key);
    *out = strdup(text);
    return *out ? 0 : tg_fail(err, TG_ENOMEM, "%s: out of memory", key);
}

static int init_rules(struct tg_claim_rules *rules, const struct tg_auth_options *options,
                      struct tg_err *err)
{
    if (options->leeway_seconds < 0 || options->leeway_seconds > LEEWAY_MAX)
        return tg_fail(err, TG_EINVAL, "auth.leeway_seconds: must be 0 to %d", LEEWAY_MAX);
    rules->leeway_seconds = options->leeway_seconds;
    int rc = init_name(&rules->issuer, options->issuer, "auth.issuer", err);
    return rc ? rc : init_name(&rules->audience, options->audience, "auth.audience", err);
}

int tg_policy_init(struct tg_policy *out, const struct tg_auth_options *options, struct tg_err *err)
{
    struct tg_policy policy = {0};
    size_t file_bytes =
        options->ownership_file_bytes ? options->ownership_file_bytes : OWNERSHIP_FILE_BYTES;
    int rc = tg_keyring_init(&policy.keys, options->keys, options->keys_count, err);
    if (!rc) rc = init_limits(&policy, options, err);
    if (!rc) rc = init_rules(&policy.rules, options, err);
    if (!rc)
        rc = options->authorizer.owns
                 ? tg_ownership_of(&options->authorizer, &policy.ownership, err)
                 : tg_ownership_new(options->ownership_claim, options->ownership_file, file_bytes,
                                    &policy.ownership, err);
    if (rc)
        tg_policy_fini(&policy);
    else
        *out = policy;
    return rc;
}

void tg_policy_fini(struct tg_policy *policy)
{
    tg_keyring_fini(&policy->keys);
    free(policy->rules.issuer);
    free(policy->rules.audience);
    tg_ownership_free(policy->ownership);
    *policy = (struct tg_policy){0};
}
