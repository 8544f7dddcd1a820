/* One place that maps keys of the file to options of the modules: a check that used other bounds
 * than the start would pass what cannot run. */
#include "app/setup.h"

#include "app/authorize.h"

#include <stdlib.h>

/* Fills `options`, which borrow from the configuration and from `*keys` (freed by the caller). */
static int auth_options(const struct tg_config *config, struct tg_key_options **keys,
                        struct tg_auth_options *options, struct tg_err *err)
{
    int count = config->auth.keys_count;
    *keys = calloc((size_t)count + 1, sizeof **keys);
    if (!*keys) return tg_fail(err, TG_ENOMEM, "out of memory");
    for (int i = 0; i < count; i++) {
        const struct tg_config_key *key = &config->auth.keys[i];
        (*keys)[i] = (struct tg_key_options){
            .algorithm = key->algorithm,
            .secret = key->secret,
            .secret_len = key->secret_len,
            .kid = key->kid,
        };
    }
    *options = (struct tg_auth_options){
        .keys = *keys,
        .keys_count = count,
        .issuer = config->auth.issuer,
        .audience = config->auth.audience,
        .leeway_seconds = config->auth.leeway_seconds,
        .authorizer = {config->auth.authorize ? tg_authorize : NULL, config->functions},
        .ownership_claim = config->auth.ownership_claim,
        .ownership_file = config->auth.ownership_file,
        .token_bytes = (size_t)config->limits.token_bytes,
        .ownership_file_bytes = (size_t)config->auth.ownership_file_bytes,
        .cache_tokens = config->auth.cache_tokens ? config->auth.cache_tokens : -1,
    };
    return 0;
}

int tg_setup_auth(const struct tg_config *config, const struct tg_clock *clock,
                  struct tg_auth **out, struct tg_err *err)
{
    struct tg_key_options *keys;
    struct tg_auth_options options;
    int rc = auth_options(config, &keys, &options, err);
    if (!rc) rc = tg_auth_new(&options, clock, out, err);
    free(keys);
    return rc;
}

int tg_setup_auth_again(const struct tg_config *config, struct tg_auth *auth, struct tg_err *err)
{
    struct tg_key_options *keys;
    struct tg_auth_options options;
    int rc = auth_options(config, &keys, &options, err);
    if (!rc) rc = tg_auth_reload(auth, &options, err);
    free(keys);
    return rc;
}

struct tg_script_options tg_setup_script(const struct tg_config *config,
                                         const struct tg_clock *clock)
{
    return (struct tg_script_options){
        .paths = (const char *const *)config->rules.paths,
        .paths_count = config->rules.paths_count,
        .interpreted = !config->rules.jit,
        .budget_ms = config->rules.budget_ms,
        .memory_bytes = (int64_t)config->rules.memory_mb << 20,
        .events_per_tick = config->rules.events_per_tick,
        .bytes_per_tick = config->rules.bytes_per_tick,
        .payload_bytes = config->rules.payload_bytes,
        .rest_after_faults = config->rules.rest_after_faults,
        .rest_seconds = config->rules.rest_seconds,
        .settings = config->rules.options,
        .explain_bytes = (int64_t)config->rules.explain_mb << 20,
        .explain_seconds = config->rules.explain_seconds,
        .ids_as_text = config->protocol.ids_as_text,
        .candidate_ms_per_second = config->rules.candidate_ms_per_second,
        .load_ms = config->rules.load_ms,
        .trial_accounts = config->rules.trial_accounts,
        .trial_ms = config->rules.trial_ms,
        .keep_generations = config->rules.keep_generations,
        .probation_seconds = config->rules.probation_seconds,
        .rollback_faults = config->rules.rollback_faults,
        .rollback_events_factor = config->rules.rollback_events_factor,
        .rollback_events_minimum = config->rules.rollback_events_minimum,
        .clock = clock,
    };
}
