/* The answer is no unless something says yes: a claim that is missing, of another type or half way
 * down a path that ends early grants nothing. */
#include "auth/ownership.h"

#include "auth/grant.h"
#include "auth/owners.h"

#include <string.h>

#define CLAIM_PATH_MAX 256

struct tg_ownership {
    struct tg_authorizer authorizer; /* owns NULL: the others decide */
    char *claim;                     /* NULL: the file decides */
    struct tg_owners *owners;
};

static bool path_valid(const char *path)
{
    size_t len = strlen(path);
    return len && len <= CLAIM_PATH_MAX && path[0] != '.' && path[len - 1] != '.' &&
           !strstr(path, "..");
}

int tg_ownership_new(const char *claim, const char *file, size_t file_bytes,
                     struct tg_ownership **out, struct tg_err *err)
{
    if (!claim == !file)
        return tg_fail(err, TG_EINVAL, "auth.ownership: either claim or file must be given");
    if (claim && !path_valid(claim))
        return tg_fail(err, TG_EINVAL,
                       "auth.ownership.claim: not a name or names with dots between");
    struct tg_ownership *ownership = calloc(1, sizeof *ownership);
    int rc = ownership ? 0 : -TG_ENOMEM;
    if (!rc && claim) rc = (ownership->claim = strdup(claim)) ? 0 : -TG_ENOMEM;
    if (rc) (void)tg_fail(err, TG_ENOMEM, "auth.ownership: out of memory");
    if (!rc && file) rc = tg_owners_new(file, file_bytes, &ownership->owners, err);
    if (rc)
        tg_ownership_free(ownership);
    else
        *out = ownership;
    return rc;
}

int tg_ownership_of(const struct tg_authorizer *authorizer, struct tg_ownership **out,
                    struct tg_err *err)
{
    struct tg_ownership *ownership = calloc(1, sizeof *ownership);
    if (!ownership) return tg_fail(err, TG_ENOMEM, "auth.authorize: out of memory");
    ownership->authorizer = *authorizer;
    *out = ownership;
    return 0;
}

void tg_ownership_free(struct tg_ownership *ownership)
{
    if (!ownership) return;
    tg_owners_free(ownership->owners);
    free(ownership->claim);
    free(ownership);
}

int tg_ownership_refresh(struct tg_ownership *ownership, struct tg_err *err)
{
    return ownership->owners ? tg_owners_refresh(ownership->owners, err) : 0;
}

/* The value that the path leads to, or 0. */
static uint32_t follow(const struct tg_json *json, const char *path)
{
    char name[CLAIM_PATH_MAX + 1];
    uint32_t at = tg_json_get(json, 0, path);
    if (at) return at;
    for (;;) {
        size_t len = strcspn(path, ".");
        memcpy(name, path, len);
        name[len] = '\0';
        at = tg_json_get(json, at, name);
        if (!at || !path[len]) return at;
        path += len + 1;
    }
}

static enum tg_auth_result check_claim(const char *path, const struct tg_identity *identity,
                                       const char *account_id)
{
    struct tg_json json = {0};
    enum tg_auth_result result = TG_AUTH_NOT_OWNER;
    int rc = tg_json_parse(&json, identity->claims, identity->claims_len, NULL);
    if (rc == -TG_ENOMEM) result = TG_AUTH_UNAVAILABLE;
    uint32_t grant = rc ? 0 : follow(&json, path);
    if (grant && tg_grant_covers(&json, grant, account_id)) result = TG_AUTH_OK;
    tg_json_fini(&json);
    return result;
}

enum tg_auth_result tg_ownership_check(const struct tg_ownership *ownership,
                                       const struct tg_identity *identity, const char *account_id)
{
    const struct tg_json *json;
    const struct tg_authorizer *authorizer = &ownership->authorizer;
    if (authorizer->owns)
        return authorizer->owns(authorizer->ctx, identity, account_id) ? TG_AUTH_OK
                                                                       : TG_AUTH_NOT_OWNER;
    if (ownership->claim) return check_claim(ownership->claim, identity, account_id);
    uint32_t grant = tg_owners_find(ownership->owners, identity->subject, &json);
    return grant && tg_grant_covers(json, grant, account_id) ? TG_AUTH_OK : TG_AUTH_NOT_OWNER;
}
