/* Texts, not VMs: a generation that waits to be needed again would hold its memory for as long, and
 * its rules' memory would be that of another day. Building it again takes a millisecond. */
#include "script/past.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct tg_past_row *row)
{
    tg_ruleset_fini(&row->set);
    free(row->memory);
}

void tg_past_push(struct tg_past *past, struct tg_past_row row)
{
    if (past->count && past->count == past->cap) {
        forget(&past->rows[0]);
        memmove(past->rows, past->rows + 1, (size_t)--past->count * sizeof row);
    }
    if (past->cap)
        past->rows[past->count++] = row;
    else
        forget(&row);
}

struct tg_past_row *tg_past_top(struct tg_past *past)
{
    return past->count ? &past->rows[past->count - 1] : NULL;
}

void tg_past_pop(struct tg_past *past)
{
    if (past->count) forget(&past->rows[--past->count]);
}

void tg_past_fini(struct tg_past *past)
{
    while (past->count)
        tg_past_pop(past);
}
