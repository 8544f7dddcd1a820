/* Tokens that were verified, so that a storm of reconnects is not a storm of verification. */
#pragma once

#include "auth/auth.h"
#include "base/list.h"
#include "base/map.h"

#define TG_CACHE_KEY_SIZE 32

/* Holds at most `max` identities; the one used longest ago makes room. Keyed by the SHA-256 of the
 * whole token, so the token itself is nowhere in memory and a token that differs in one bit is
 * another. Only what passed every check comes in, so strangers cannot fill it. */
struct tg_token_cache {
    struct tg_map map;   /* digest → entry */
    struct tg_list used; /* the latest at the end */
    size_t max;          /* 0: nothing is kept */
};

void tg_token_cache_init(struct tg_token_cache *cache, size_t max);
void tg_token_cache_fini(struct tg_token_cache *cache);

/* Forgets everything and holds at most `max` from now on. */
void tg_token_cache_reset(struct tg_token_cache *cache, size_t max);

/* The cache's key of a token. 0, or -TG_ENOMEM: `out` is then no token's key and must not be used.
 */
int tg_token_cache_key(unsigned char out[TG_CACHE_KEY_SIZE], const char *token, size_t len);

/* A copy of the identity, when it is here and counts at `now_ms` (wall clock). 0, -TG_ENOTFOUND (an
 * identity whose time is over is dropped), or -TG_ENOMEM. */
int tg_token_cache_get(struct tg_token_cache *cache, const unsigned char key[TG_CACHE_KEY_SIZE],
                       int64_t now_ms, struct tg_identity *out);

/* Keeps a copy that counts from `from_ms` until its `accepted_until_ms`. Quietly keeps nothing when
 * memory is short: the price is one more verification. */
void tg_token_cache_put(struct tg_token_cache *cache, const unsigned char key[TG_CACHE_KEY_SIZE],
                        const struct tg_identity *identity, int64_t from_ms);

/* Copies an identity. 0 or -TG_ENOMEM. */
int tg_identity_copy(struct tg_identity *out, const struct tg_identity *from);
