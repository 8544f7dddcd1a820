/* The signature algorithms that tokens may use (RFC 7518, section 3.1). */
#pragma once

#include "base/json.h"

struct evp_md_st; /* libcrypto's EVP_MD */

struct tg_algorithm {
    const char *name;  /* as the `alg` header spells it; case-sensitive */
    size_t hash_bytes; /* of the signature, and the least a secret may have */
    int jwt_alg;       /* libjwt's jwt_alg_t */
    const struct evp_md_st *(*hash)(void);
};

/* The algorithm of that name, or NULL: anything else, `none` above all, does not exist here. */
const struct tg_algorithm *tg_algorithm_find(const char *name);

/* The same for a JSON string. */
const struct tg_algorithm *tg_algorithm_of(const struct tg_json_token *name);
