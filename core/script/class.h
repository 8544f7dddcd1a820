/* Client classes: clients that are alike in all that a rule's `to` can see. */
#pragma once

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

/* The three texts are one block, each with its ending zero: the key in the map. */
struct tg_class {
    char *subject;
    const char *claims, *query; /* claims: a JSON object */
    size_t len;
    uint64_t members;
    uint64_t asked;    /* serial of the event that `verdict` is about … */
    uint32_t asked_of; /* … and the generation it is of, 0 = none */
    bool verdict;
    uint32_t next_free; /* of a class without members: the next such id */
};

/* Zero-initialise. */
struct tg_classes {
    struct tg_map by_text;
    struct tg_class *rows; /* id 1 is row 0 */
    uint32_t count, cap;   /* rows that were ever used */
    uint32_t free_id;      /* first of the free list, 0 = empty */
    uint32_t living;
};

/* Counts one more member; the class's id > 0, or 0 when memory is short. */
uint32_t tg_classes_join(struct tg_classes *classes, const char *subject, const char *claims,
                         const char *query);

/* Counts one member less; the last one frees the class. An unknown id is our own mistake. */
void tg_classes_leave(struct tg_classes *classes, uint32_t id);

/* The class of an id, or NULL. */
struct tg_class *tg_classes_at(struct tg_classes *classes, uint32_t id);

void tg_classes_fini(struct tg_classes *classes);
