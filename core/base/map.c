/* Open addressing with linear probing and backward-shift deletion: no tombstones, so a map that
 * lives for months of connects and disconnects stays as fast as a new one. SipHash-1-3 because the
 * keys (account ids, subjects, addresses) are chosen by strangers. */
#include "base/map.h"

#include "base/err.h"
#include "base/rand.h"

#include <string.h>

static uint64_t seed[2];

static inline uint64_t rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static inline void sipround(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
}

/* SipHash-1-3, Aumasson and Bernstein 2012. */
static uint64_t hash_of(const char *key, size_t len)
{
    if (!seed[0] && !seed[1]) tg_random_bytes(seed, sizeof seed);
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t word;
    size_t left = len;
    for (; left >= 8; left -= 8, key += 8) {
        memcpy(&word, key, 8);
        v[3] ^= word;
        sipround(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)(unsigned char)key[i] << (8 * i);
    v[3] ^= word;
    sipround(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sipround(v), sipround(v), sipround(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds the key, or the free slot where it would go. */
static size_t find(const struct tg_map *map, const char *key, size_t len, uint64_t hash)
{
    size_t mask = map->cap - 1, i = (size_t)hash & mask;
    for (; map->slots[i].key; i = (i + 1) & mask) {
        const struct tg_map_slot *slot = &map->slots[i];
        if (slot->hash == hash && slot->len == len && !memcmp(slot->key, key, len)) break;
    }
    return i;
}

static int grow(struct tg_map *map)
{
    struct tg_map wide = {.cap = map->cap ? map->cap * 2 : 16};
    wide.slots = calloc(wide.cap, sizeof *wide.slots);
    if (!wide.slots) return -TG_ENOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        const struct tg_map_slot *slot = &map->slots[i];
        if (slot->key) wide.slots[find(&wide, slot->key, slot->len, slot->hash)] = *slot;
    }
    free(map->slots);
    map->slots = wide.slots;
    map->cap = wide.cap;
    return 0;
}

void tg_map_fini(struct tg_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->slots[i].key);
    free(map->slots);
    *map = (struct tg_map){0};
}

void *tg_map_get(const struct tg_map *map, const char *key, size_t len)
{
    if (!map->count) return NULL;
    return map->slots[find(map, key, len, hash_of(key, len))].value;
}

int tg_map_put(struct tg_map *map, const char *key, size_t len, void *value, void **old)
{
    tg_must(value);
    if (map->count * 4 >= map->cap * 3 && grow(map)) return -TG_ENOMEM;
    uint64_t hash = hash_of(key, len);
    struct tg_map_slot *slot = &map->slots[find(map, key, len, hash)];
    void *former = slot->value;
    if (!slot->key) {
        char *copy = malloc(len + 1);
        if (!copy) return -TG_ENOMEM;
        memcpy(copy, key, len);
        copy[len] = '\0';
        *slot = (struct tg_map_slot){.key = copy, .len = len, .hash = hash};
        map->count++;
    }
    slot->value = value;
    if (old) *old = former;
    return 0;
}

void *tg_map_remove(struct tg_map *map, const char *key, size_t len)
{
    if (!map->count) return NULL;
    size_t mask = map->cap - 1, hole = find(map, key, len, hash_of(key, len));
    void *value = map->slots[hole].value;
    if (!map->slots[hole].key) return NULL;
    free(map->slots[hole].key);
    map->count--;
    for (size_t i = (hole + 1) & mask; map->slots[i].key; i = (i + 1) & mask) {
        size_t home = (size_t)map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct tg_map_slot){0};
    return value;
}

struct tg_map_slot *tg_map_next(const struct tg_map *map, size_t *cursor)
{
    while (*cursor < map->cap) {
        struct tg_map_slot *slot = &map->slots[(*cursor)++];
        if (slot->key) return slot;
    }
    return NULL;
}
