/* A hash map from byte strings to pointers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tg_map_slot {
    char *key; /* owned copy; NULL is free */
    size_t len;
    uint64_t hash;
    void *value;
};

/* Zero-initialise to start. Keys are copied; values are the caller's and never NULL. The hash is
 * keyed per process, so a client who chooses the keys cannot choose the collisions. */
struct tg_map {
    struct tg_map_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

/* Frees the table and the keys, not the values. */
void tg_map_fini(struct tg_map *map);

/* The value under a key, or NULL. */
void *tg_map_get(const struct tg_map *map, const char *key, size_t len);

/* Stores `value` (not NULL) under a key, replacing what was there; `*old` (may be NULL as an
 * argument) receives the former value or NULL. 0 or -TG_ENOMEM (nothing changed). */
int tg_map_put(struct tg_map *map, const char *key, size_t len, void *value, void **old);

/* Removes a key and returns its value, or NULL when there was none. */
void *tg_map_remove(struct tg_map *map, const char *key, size_t len);

/* Iterates in no particular order: start with `*cursor = 0`; NULL at the end. The map must not be
 * changed meanwhile. */
struct tg_map_slot *tg_map_next(const struct tg_map *map, size_t *cursor);
