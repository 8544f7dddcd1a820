/* The rules that the operator has silenced, by name: his word holds for whatever set runs, also
 * while no rule of it has that name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TG_HUSHED_MAX 4096 /* names; as many rules a set may have */

/* Zero-initialise. */
struct tg_hushed {
    char **names;
    uint32_t count;
};

/* Adds a name (copied). 0, also when it is there already; -TG_ENOMEM, -TG_ELIMIT. */
int tg_hushed_add(struct tg_hushed *hushed, const char *name);

/* Takes a name away: whether it was there. */
bool tg_hushed_drop(struct tg_hushed *hushed, const char *name);

void tg_hushed_fini(struct tg_hushed *hushed);
