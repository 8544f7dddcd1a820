/* A trial: a rule set run once over copies of accounts, to see whether it faults on real data. */
#pragma once

#include "script/class.h"
#include "script/generation.h"

struct tg_trial {
    const struct tg_script_options *options; /* `live`, trial_accounts, trial_ms */
    struct tg_classes *classes;              /* whose `to` is asked */
    struct tg_generation *running;           /* NULL: nothing runs yet, nothing is tried */
    const struct tg_memories *memories;
    uint32_t accounts; /* out: how many were tried */
};

/* Tries `set` with what the running rules remember, in a VM of its own that is thrown away with all
 * that it said and remembers. 0; -TG_EINVAL: a rule faulted that does not fault in the running
 * generation, `err` says rule, file, line and account. A set that cannot be built is not judged
 * here. */
int tg_trial_run(struct tg_trial *trial, const struct tg_ruleset *set, struct tg_err *err);
