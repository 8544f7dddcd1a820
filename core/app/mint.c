/* The claims are built as a tree because several of them may share a path (`app_metadata.accounts`
 * and `app_metadata.plan`). Values go into it as text and come out as the same text, so a 64-bit id
 * in a claim is not rounded on its way. */
#include "app/mint.h"

#include "app/config_check.h"
#include "app/setup.h"
#include "base/json.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Puts `value` (taken, NULL when memory was short) at a dotted path. */
static int place(cJSON *root, const char *path, size_t len, cJSON *value, struct tg_err *err)
{
    char name[256];
    const char *at = path, *end = path + len;
    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t n = (size_t)((dot ? dot : end) - at);
        if (!value || !n || n >= sizeof name) break;
        memcpy(name, at, n);
        name[n] = '\0';
        cJSON *known = cJSON_GetObjectItemCaseSensitive(root, name);
        if (!dot) {
            if (known) break;
            if (cJSON_AddItemToObject(root, name, value)) return 0;
            cJSON_Delete(value);
            return tg_fail(err, TG_ENOMEM, "out of memory");
        }
        if (!known) known = cJSON_AddObjectToObject(root, name);
        if (!cJSON_IsObject(known)) break;
        root = known;
        at = dot + 1;
    }
    if (!value) return tg_fail(err, TG_ENOMEM, "out of memory");
    cJSON_Delete(value);
    return tg_fail(err, TG_EINVAL,
                   "the claim \"%.*s\" has no place: a part of its name is empty or too long, or "
                   "something else stands there",
                   (int)(len < 100 ? len : 100), path);
}

/* The value of a claim: JSON as it is, anything else as a string. */
static cJSON *value_of(const char *text)
{
    struct tg_json json = {0};
    struct tg_buf quoted = {0};
    cJSON *value;
    if (tg_json_parse(&json, text, strlen(text), NULL) == 0) {
        value = cJSON_CreateRaw(text);
    } else {
        tg_json_string(&quoted, text, strlen(text));
        value = quoted.failed ? NULL : cJSON_CreateRaw(quoted.data);
    }
    tg_json_fini(&json);
    tg_buf_fini(&quoted);
    return value;
}

static int place_claim(cJSON *root, const char *claim, struct tg_err *err)
{
    const char *equals = strchr(claim, '=');
    if (!equals || equals == claim)
        return tg_fail(err, TG_EINVAL, "expected a claim as name=value, got \"%.60s\"", claim);
    return place(root, claim, (size_t)(equals - claim), value_of(equals + 1), err);
}

static int place_accounts(cJSON *root, const struct tg_mint *mint, const char *path,
                          struct tg_err *err)
{
    if (!mint->accounts_count) return 0;
    if (!path)
        return tg_fail(err, TG_EINVAL,
                       "accounts are owned by auth.ownership.file here, so a token cannot name "
                       "them; put the subject into that file");
    for (int i = 0; i < mint->accounts_count; i++)
        if (strcmp(mint->accounts[i], "*") != 0 && !tg_account_id_valid(mint->accounts[i]))
            return tg_fail(err, TG_EINVAL,
                           "\"%.80s\" is no account id: 1 to 64 of A-Z a-z 0-9 . _ -",
                           mint->accounts[i]);
    return place(root, path, strlen(path),
                 cJSON_CreateStringArray(mint->accounts, mint->accounts_count), err);
}

int tg_mint_claims(const struct tg_mint *mint, const char *ownership_claim, char **out,
                   struct tg_err *err)
{
    cJSON *root = cJSON_CreateObject();
    int rc = root ? place_accounts(root, mint, ownership_claim, err)
                  : tg_fail(err, TG_ENOMEM, "out of memory");
    for (int i = 0; !rc && i < mint->claims_count; i++)
        rc = place_claim(root, mint->claims[i], err);
    char *text = rc ? NULL : cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!rc && !text) rc = tg_fail(err, TG_ENOMEM, "out of memory");
    if (!rc) *out = text;
    return rc;
}

int tg_mint_token(const struct tg_mint *mint, const struct tg_config *config, char **out,
                  struct tg_err *err)
{
    struct tg_auth *auth = NULL;
    char *claims = NULL;
    int rc = tg_mint_claims(mint, config->auth.ownership_claim, &claims, err);
    if (!rc) rc = tg_setup_auth(config, tg_clock_system(), &auth, err);
    if (!rc) rc = tg_auth_mint(auth, mint->subject, claims, mint->ttl_seconds, out, err);
    tg_auth_free(auth);
    free(claims);
    return rc;
}
