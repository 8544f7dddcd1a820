/* Minting: development tokens whose claims are put where the configuration looks for them. */
#pragma once

#include "app/config.h"

#define TG_MINT_MAX 128 /* accounts, and claims, of one token */

struct tg_mint {
    const char *subject;
    int ttl_seconds;
    const char *accounts[TG_MINT_MAX]; /* ids, or "*" */
    int accounts_count;
    const char *claims[TG_MINT_MAX]; /* "name=value": JSON, or else a string; dots in the name go
                                        into objects */
    int claims_count;
};

/* Builds the further claims as a JSON object: the accounts under `ownership_claim` (NULL: ownership
 * is no claim, and there may be no accounts). `*out` is freed with free(). 0, -TG_EINVAL,
 * -TG_ENOMEM.
 */
int tg_mint_claims(const struct tg_mint *mint, const char *ownership_claim, char **out,
                   struct tg_err *err);

/* Signs a token with the configuration's first key. `*out` is freed with free(). */
int tg_mint_token(const struct tg_mint *mint, const struct tg_config *config, char **out,
                  struct tg_err *err);
