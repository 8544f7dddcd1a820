/* A hit must give what a verification would give. The signature, the issuer and the audience of the
 * same bytes under the same configuration cannot change (a reload resets the cache); the time can,
 * in both directions, so both bounds are kept and compared again on every hit. */
#include "auth/cache.h"

#include <openssl/sha.h>
#include <string.h>

struct entry {
    struct tg_list node;
    unsigned char key[TG_CACHE_KEY_SIZE];
    struct tg_identity identity;
    int64_t from_ms;
};

_Static_assert(TG_CACHE_KEY_SIZE == SHA256_DIGEST_LENGTH, "the key is a SHA-256 digest");

int tg_identity_copy(struct tg_identity *out, const struct tg_identity *from)
{
    struct tg_identity copy = *from;
    copy.subject = strdup(from->subject);
    copy.claims = malloc(from->claims_len + 1);
    if (!copy.subject || !copy.claims) {
        tg_identity_fini(&copy);
        return -TG_ENOMEM;
    }
    memcpy(copy.claims, from->claims, from->claims_len);
    copy.claims[copy.claims_len] = '\0';
    *out = copy;
    return 0;
}

void tg_identity_fini(struct tg_identity *identity)
{
    free(identity->subject);
    free(identity->claims);
    *identity = (struct tg_identity){0};
}

static void drop(struct tg_token_cache *cache, struct entry *entry)
{
    (void)tg_map_remove(&cache->map, (const char *)entry->key, sizeof entry->key);
    tg_list_remove(&entry->node);
    tg_identity_fini(&entry->identity);
    free(entry);
}

void tg_token_cache_init(struct tg_token_cache *cache, size_t max)
{
    *cache = (struct tg_token_cache){.max = max};
    tg_list_init(&cache->used);
}

void tg_token_cache_fini(struct tg_token_cache *cache)
{
    tg_list_each(node, &cache->used) drop(cache, tg_of(node, struct entry, node));
    tg_map_fini(&cache->map);
}

void tg_token_cache_reset(struct tg_token_cache *cache, size_t max)
{
    tg_token_cache_fini(cache);
    tg_token_cache_init(cache, max);
}

int tg_token_cache_key(unsigned char out[TG_CACHE_KEY_SIZE], const char *token, size_t len)
{
    return SHA256((const unsigned char *)token, len, out) ? 0 : -TG_ENOMEM;
}

int tg_token_cache_get(struct tg_token_cache *cache, const unsigned char key[TG_CACHE_KEY_SIZE],
                       int64_t now_ms, struct tg_identity *out)
{
    struct entry *entry = tg_map_get(&cache->map, (const char *)key, TG_CACHE_KEY_SIZE);
    if (!entry) return -TG_ENOTFOUND;
    if (now_ms < entry->from_ms || now_ms >= entry->identity.accepted_until_ms) {
        drop(cache, entry);
        return -TG_ENOTFOUND;
    }
    tg_list_remove(&entry->node);
    tg_list_append(&cache->used, &entry->node);
    return tg_identity_copy(out, &entry->identity);
}

void tg_token_cache_put(struct tg_token_cache *cache, const unsigned char key[TG_CACHE_KEY_SIZE],
                        const struct tg_identity *identity, int64_t from_ms)
{
    struct entry *old = tg_map_get(&cache->map, (const char *)key, TG_CACHE_KEY_SIZE);
    if (old) drop(cache, old);
    if (!cache->max) return;
    if (cache->map.count >= cache->max)
        drop(cache, tg_of(tg_list_first(&cache->used), struct entry, node));
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry) return;
    tg_list_init(&entry->node);
    memcpy(entry->key, key, sizeof entry->key);
    entry->from_ms = from_ms;
    if (tg_identity_copy(&entry->identity, identity) ||
        tg_map_put(&cache->map, (const char *)key, TG_CACHE_KEY_SIZE, entry, NULL)) {
        drop(cache, entry);
        return;
    }
    tg_list_append(&cache->used, &entry->node);
}
