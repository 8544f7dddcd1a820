/* Whether an account is somebody's: by a claim of the token, by the ownership file, or as somebody
 * else decides. */
#pragma once

#include "auth/auth.h"

struct tg_ownership;

/* From a claim's path or from a file (exactly one is not NULL; both are copied). The claim is the
 * member of that very name when there is one (names may hold dots, as "https://example.com/ids"
 * does), else the dots go into objects. 0, -TG_EINVAL, -TG_EIO or -TG_ENOMEM with a reason. */
int tg_ownership_new(const char *claim, const char *file, size_t file_bytes,
                     struct tg_ownership **out, struct tg_err *err);

/* One that asks the authorizer (copied), and takes nothing but its yes for one. 0 or -TG_ENOMEM. */
int tg_ownership_of(const struct tg_authorizer *authorizer, struct tg_ownership **out,
                    struct tg_err *err);

void tg_ownership_free(struct tg_ownership *ownership); /* NULL is allowed */

/* See tg_auth_refresh. */
int tg_ownership_refresh(struct tg_ownership *ownership, struct tg_err *err);

/* TG_AUTH_OK, TG_AUTH_NOT_OWNER, or TG_AUTH_UNAVAILABLE when memory is short. */
enum tg_auth_result tg_ownership_check(const struct tg_ownership *ownership,
                                       const struct tg_identity *identity, const char *account_id);
