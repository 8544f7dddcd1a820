/* An allow list. libjwt knows more names than these and compares them without case; what is not
 * here never reaches it. */
#include "auth/algorithm.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <string.h>

static const struct tg_algorithm algorithms[] = {
    {"HS256", 32, JWT_ALG_HS256, EVP_sha256},
    {"HS384", 48, JWT_ALG_HS384, EVP_sha384},
    {"HS512", 64, JWT_ALG_HS512, EVP_sha512},
};

#define COUNT (sizeof algorithms / sizeof *algorithms)

const struct tg_algorithm *tg_algorithm_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(algorithms[i].name, name)) return &algorithms[i];
    return NULL;
}

const struct tg_algorithm *tg_algorithm_of(const struct tg_json_token *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (tg_json_is(name, algorithms[i].name)) return &algorithms[i];
    return NULL;
}
