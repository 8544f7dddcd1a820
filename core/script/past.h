/* The past: the rule sets that ran before, newest last, as texts that can be built again. */
#pragma once

#include "script/ruleset.h"

#include <stdint.h>

struct tg_past_row {
    struct tg_ruleset set;
    uint32_t number; /* its generation */
    char *memory;    /* what its rules remembered when it was replaced, NULL = not kept */
    size_t len;
};

/* Zero-initialise; set `cap` (at most TG_PAST_MAX; 0 keeps nothing). */
#define TG_PAST_MAX 32
struct tg_past {
    struct tg_past_row rows[TG_PAST_MAX];
    int count, cap;
};

/* Adds what is being replaced; takes set and memory over. The oldest is forgotten when it is full.
 */
void tg_past_push(struct tg_past *past, struct tg_past_row row);

/* The newest, or NULL; forgets the newest. */
struct tg_past_row *tg_past_top(struct tg_past *past);
void tg_past_pop(struct tg_past *past);

void tg_past_fini(struct tg_past *past);
