/* A filter is asked once for a class and not once for a client: ten thousand viewers of one user
 * cost one call. Texts are compared as they are; two spellings of one set of claims make two
 * classes, which costs a call and is never wrong. */
#include "script/class.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

struct tg_class *tg_classes_at(struct tg_classes *classes, uint32_t id)
{
    if (!id || id > classes->count || !classes->rows[id - 1].members) return NULL;
    return &classes->rows[id - 1];
}

static uint32_t take_row(struct tg_classes *classes)
{
    if (classes->free_id) {
        uint32_t id = classes->free_id;
        classes->free_id = classes->rows[id - 1].next_free;
        return id;
    }
    if (classes->count == classes->cap) {
        uint32_t cap = classes->cap ? classes->cap * 2 : 16;
        struct tg_class *rows = realloc(classes->rows, cap * sizeof *rows);
        if (!rows) return 0;
        classes->rows = rows;
        classes->cap = cap;
    }
    return ++classes->count;
}

static void give_row(struct tg_classes *classes, uint32_t id)
{
    classes->rows[id - 1] = (struct tg_class){.next_free = classes->free_id};
    classes->free_id = id;
}

uint32_t tg_classes_join(struct tg_classes *classes, const char *subject, const char *claims,
                         const char *query)
{
    /* The ending zeros keep each text from reaching into the next. */
    struct tg_buf key = {0};
    tg_buf_add(&key, subject, strlen(subject) + 1);
    tg_buf_add(&key, claims, strlen(claims) + 1);
    tg_buf_add(&key, query, strlen(query) + 1);
    uint32_t id = 0;
    if (key.failed) goto done;
    id = (uint32_t)(uintptr_t)tg_map_get(&classes->by_text, key.data, key.len);
    if (id) {
        classes->rows[id - 1].members++;
        goto done;
    }
    if (!(id = take_row(classes))) goto done;
    if (tg_map_put(&classes->by_text, key.data, key.len, (void *)(uintptr_t)id, NULL)) {
        give_row(classes, id);
        id = 0;
        goto done;
    }
    struct tg_class *row = &classes->rows[id - 1];
    *row = (struct tg_class){.members = 1, .len = key.len};
    row->subject = tg_buf_take(&key);
    row->claims = row->subject + strlen(row->subject) + 1;
    row->query = row->claims + strlen(row->claims) + 1;
    classes->living++;
done:
    tg_buf_fini(&key);
    return id;
}

void tg_classes_leave(struct tg_classes *classes, uint32_t id)
{
    struct tg_class *row = tg_classes_at(classes, id);
    tg_must(row);
    if (--row->members) return;
    (void)tg_map_remove(&classes->by_text, row->subject, row->len);
    free(row->subject);
    give_row(classes, id);
    classes->living--;
}

void tg_classes_fini(struct tg_classes *classes)
{
    for (uint32_t i = 0; i < classes->count; i++)
        free(classes->rows[i].subject);
    free(classes->rows);
    tg_map_fini(&classes->by_text);
    *classes = (struct tg_classes){0};
}
