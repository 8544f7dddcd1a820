/* The engine's inside, shared by the files that make it up. */
#pragma once

#include "script/class.h"
#include "script/generation.h"
#include "script/past.h"
#include "script/probation.h"
#include "script/script.h"
#include "script/shadow.h"
#include "script/trace.h"

struct tg_script {
    struct tg_script_options
        options; /* as a generation gets them: `emit`, `live`, `ctx` are ours */
    void (*emit)(void *ctx, const struct tg_script_event *event); /* the owner's */
    uint32_t (*live)(void *ctx, struct tg_account **out, uint32_t max);
    void (*fault)(void *ctx, const char *rule, const char *file, const char *account,
                  const char *text);
    void *ctx;
    char **paths;
    char *settings;
    struct tg_generation *generation; /* NULL before the first load */
    struct tg_trace *trace;           /* NULL: nothing is traced */
    struct tg_classes classes;
    uint64_t signature; /* of the files when they were last tried */
    uint32_t number;
    uint64_t reloads_ok, reloads_failed, rollbacks, rollbacks_automatic;
    uint64_t events;  /* of all generations */
    uint32_t tried;   /* accounts in the newest dry run */
    int64_t begun_us; /* of the newest load */
    char last_error[512];
    struct tg_past past;
    struct tg_probation probation;
    enum tg_origin origin;
    struct tg_script_rollback rollback;
    struct tg_shadow *shadow; /* the candidate; NULL: none */
};

/* Builds `set`, proves it, and puts it in place of what runs. The set is taken over in any case. */
int tg_script_deploy(struct tg_script *script, struct tg_ruleset *set, enum tg_origin origin,
                     struct tg_err *err);
