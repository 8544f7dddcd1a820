/* A candidate's life: started from files, compared, read again when they change, and in the end
 * promoted or dropped. Promotion builds the set once more from its texts: the shadow's VM has
 * remembered events that no client was told, and it runs without the JIT. */
#include "base/log.h"
#include "script/script_inner.h"

#include <stdlib.h>

/* A shadow from these files. */
static int start(struct tg_script *script, const char *const *paths, int count,
                 struct tg_shadow **out, struct tg_err *err)
{
    struct tg_ruleset set;
    struct tg_shadow_options options = {.script = &script->options,
                                        .classes = &script->classes,
                                        .ms_per_second = script->options.candidate_ms_per_second,
                                        .paths = paths,
                                        .paths_count = count};
    if (!script->generation) return tg_fail(err, TG_ENOTFOUND, "no rules run beside it");
    tg_must(!script->generation->run);
    int rc = tg_ruleset_read(&set, paths, count, err);
    return rc ? rc : tg_shadow_new(&options, &set, script->generation, out, err);
}

int tg_script_candidate_start(struct tg_script *script, const char *const *paths, int count,
                              struct tg_err *err)
{
    struct tg_shadow *shadow;
    struct tg_candidate_status status;
    int rc = start(script, paths, count, &shadow, err);
    if (rc) return rc;
    tg_shadow_free(script->shadow);
    script->shadow = shadow;
    tg_shadow_status(shadow, &status);
    tg_audit("rules", "candidate_started", tg_s("name", status.name),
             tg_s("version", status.version));
    return 0;
}

bool tg_script_candidate_stale(const struct tg_script *script)
{
    return script->shadow && tg_shadow_stale(script->shadow);
}

int tg_script_candidate_again(struct tg_script *script, struct tg_err *err)
{
    if (!script->shadow) return tg_fail(err, TG_ENOTFOUND, "there is no candidate");
    tg_shadow_seen(script->shadow);
    int count;
    const char *const *paths = tg_shadow_paths(script->shadow, &count);
    return tg_script_candidate_start(script, paths, count, err);
}

void tg_script_candidate_drop(struct tg_script *script)
{
    struct tg_candidate_status status;
    if (!script->shadow) return;
    tg_shadow_status(script->shadow, &status);
    tg_audit("rules", "candidate_dropped", tg_s("name", status.name),
             tg_s("version", status.version));
    tg_shadow_free(script->shadow);
    script->shadow = NULL;
}

int tg_script_candidate_promote(struct tg_script *script, struct tg_err *err)
{
    struct tg_ruleset set;
    if (!script->shadow) return tg_fail(err, TG_ENOTFOUND, "there is no candidate");
    if (tg_ruleset_copy(&set, tg_shadow_set(script->shadow)))
        return tg_fail(err, TG_ENOMEM, "no memory for the rules");
    int rc = tg_script_deploy(script, &set, TG_ORIGIN_CANDIDATE, err);
    if (rc) return rc;
    /* The files of `paths` are as they were; what they are now is not what runs. */
    script->signature = tg_ruleset_signature(script->options.paths, script->options.paths_count);
    tg_audit("rules", "candidate_promoted", tg_s("version", script->generation->version),
             tg_i("generation", script->generation->number));
    tg_shadow_free(script->shadow);
    script->shadow = NULL;
    return 0;
}

bool tg_script_candidate(const struct tg_script *script, struct tg_candidate_status *out)
{
    if (script->shadow) tg_shadow_status(script->shadow, out);
    return script->shadow != NULL;
}

int tg_script_candidate_report(const struct tg_script *script, struct tg_buf *out)
{
    if (!script->shadow) return -TG_ENOTFOUND;
    tg_shadow_report(script->shadow, script->generation, out);
    return 0;
}
