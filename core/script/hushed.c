#include "script/hushed.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* Its index, or the count when it is not there. */
static uint32_t find(const struct tg_hushed *hushed, const char *name)
{
    uint32_t i = 0;
    while (i < hushed->count && strcmp(hushed->names[i], name) != 0)
        i++;
    return i;
}

int tg_hushed_add(struct tg_hushed *hushed, const char *name)
{
    if (find(hushed, name) < hushed->count) return 0;
    if (hushed->count == TG_HUSHED_MAX) return -TG_ELIMIT;
    char **names = realloc(hushed->names, (hushed->count + 1) * sizeof *names);
    if (!names) return -TG_ENOMEM;
    hushed->names = names;
    if (!(names[hushed->count] = strdup(name))) return -TG_ENOMEM;
    hushed->count++;
    return 0;
}

bool tg_hushed_drop(struct tg_hushed *hushed, const char *name)
{
    uint32_t i = find(hushed, name);
    if (i == hushed->count) return false;
    free(hushed->names[i]);
    hushed->names[i] = hushed->names[--hushed->count];
    return true;
}

void tg_hushed_fini(struct tg_hushed *hushed)
{
    for (uint32_t i = 0; i < hushed->count; i++)
        free(hushed->names[i]);
    free(hushed->names);
    *hushed = (struct tg_hushed){0};
}
