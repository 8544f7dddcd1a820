/* The keys that tokens are verified with. */
#pragma once

#include "auth/auth.h"
#include "auth/token.h"

/* Longest secret that is taken. */
#define TG_SECRET_MAX 65536

struct tg_key {
    const struct tg_algorithm *algorithm;
    unsigned char *secret; /* owned, wiped */
    int secret_len;
    char *kid; /* owned; NULL: none */
};

struct tg_keyring {
    struct tg_key *keys;
    int count;
};

/* Copies the keys. Refused: none at all, an algorithm that is not on the list, a secret shorter
 * than the algorithm's hash (RFC 7518, section 3.2) or longer than TG_SECRET_MAX, an empty `kid`,
 * one `kid` twice. 0, -TG_EINVAL with a reason that names the key by its place (`auth.keys[1]` is
 * the first) and shows no secret, or -TG_ENOMEM. */
int tg_keyring_init(struct tg_keyring *out, const struct tg_key_options *keys, int count,
                    struct tg_err *err);

/* Wipes and frees. */
void tg_keyring_fini(struct tg_keyring *ring);

/* Checks the signature. When the token names a key that is here, only that key is tried; else only
 * keys without a `kid`, in order. A key is tried only for its own algorithm. 0, -TG_EAUTH, or
 * -TG_EINVAL when the signature is good but libjwt cannot read the claims: its JSON knows no
 * integer beyond 64 bits, no number beyond a double and no \u0000. Both with a reason. Or
 * -TG_ENOMEM. */
int tg_keyring_verify(const struct tg_keyring *ring, const struct tg_token *token,
                      struct tg_err *err);
