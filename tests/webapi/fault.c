/* Rules are looked at in the order in which they were set; the first that fits holds, and only it.
 * A rule that is used up is kept for the one command that used it. */
#include "fault.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

const char *const mt_fault_names[] = {
    "retcode", "delay",   "hang",  "drop",     "reset", "truncate", "garbage", "garble",
    "trickle", "serial",  "pings", "split",    "proof", "http",     "stale",   "empty",
    "omit",    "foreign", "twice", "reversed", "often", NULL,
};

static struct tg_list rules = {&rules, &rules};
static struct mt_fault *spent;

int mt_fault_kind_of(const char *name)
{
    for (int i = 0; mt_fault_names[i]; i++)
        if (strcmp(mt_fault_names[i], name) == 0) return i;
    return -1;
}

static void discard(struct mt_fault *fault)
{
    size_t cursor = 0;
    if (!fault) return;
    for (struct tg_map_slot *slot; (slot = tg_map_next(&fault->kept, &cursor));)
        free(slot->value);
    tg_map_fini(&fault->kept);
    free(fault->text);
    free(fault);
}

void mt_fault_add(struct mt_fault *fault)
{
    tg_list_init(&fault->node);
    tg_list_append(&rules, &fault->node);
}

void mt_fault_clear(void)
{
    struct tg_list *node;
    while ((node = tg_list_first(&rules))) {
        tg_list_remove(node);
        discard(tg_of(node, struct mt_fault, node));
    }
    discard(spent);
    spent = NULL;
}

struct mt_fault *mt_fault_take(const char *command, int transport)
{
    discard(spent);
    spent = NULL;
    tg_list_each(node, &rules)
    {
        struct mt_fault *fault = tg_of(node, struct mt_fault, node);
        if (strcmp(fault->command, "*") != 0 && strcmp(fault->command, command) != 0) continue;
        if (fault->transport >= 0 && fault->transport != transport) continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        if (fault->count > 0 && --fault->count == 0) {
            tg_list_remove(&fault->node);
            spent = fault;
        }
        return fault;
    }
    return NULL;
}
